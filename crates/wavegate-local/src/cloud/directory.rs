//! The directory that a cloud owns while it runs, and how other processes find the cloud by it.
//!
//! One state directory belongs to one cloud at a time: it holds an exclusive lock, which the system
//! releases when the process dies in whatever way. `endpoint.json` tells others where it listens,
//! and counts only while the lock is held.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::LocalError;
use crate::private;

/// Real time to wait for a lock that a passing look may hold.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(10);
const LOCK_FILE: &str = "lock";
const ENDPOINT_FILE: &str = "endpoint.json";
/// The files that databases are in.
pub(super) const STATE_FILE: &str = "state.sqlite";
pub(super) const LOGS_FILE: &str = "logs.sqlite";
pub(super) const OBJECTS_FILE: &str = "objects.sqlite";
/// Everything a cloud makes in its directory.
const ENTRIES: [&str; 14] = [
    STATE_FILE,
    "state.sqlite-wal",
    "state.sqlite-shm",
    LOGS_FILE,
    "logs.sqlite-wal",
    "logs.sqlite-shm",
    OBJECTS_FILE,
    "objects.sqlite-wal",
    "objects.sqlite-shm",
    ENDPOINT_FILE,
    "code",
    "objects",
    "run",
    "logs",
];

/// A cloud that runs, perhaps in another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// Where it listens.
    pub url: String,
    /// Its process.
    pub pid: u32,
    /// How many virtual seconds pass in a real one.
    pub time_scale: f64,
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
}

/// The cloud that runs on a state directory, if one does.
pub fn running(state_dir: &Path) -> Option<Running> {
    let lock = File::open(state_dir.join(LOCK_FILE)).ok()?;
    match Flock::lock(lock, FlockArg::LockSharedNonblock) {
        // Nobody holds it: whatever endpoint.json says is old.
        Ok(_) => None,
        Err(_) => read_endpoint(state_dir),
    }
}

/// Removes everything a cloud keeps in its directory, and nothing else.
///
/// # Errors
/// [`LocalError::AlreadyRunning`] while a cloud runs on it.
pub fn reset(state_dir: &Path) -> Result<(), LocalError> {
    if !state_dir.exists() {
        return Ok(());
    }
    let lock = lock(state_dir)?;
    for entry in ENTRIES {
        let path = state_dir.join(entry);
        let removed = match path.symlink_metadata() {
            Ok(data) if data.is_dir() => std::fs::remove_dir_all(&path),
            Ok(_) => std::fs::remove_file(&path),
            Err(_) => Ok(()),
        };
        removed.map_err(|source| LocalError::Directory { path, source })?;
    }
    drop(lock);
    Ok(())
}

/// Makes the directory, and takes its lock.
pub(super) fn take(path: &Path) -> Result<Flock<File>, LocalError> {
    private::directory(path)
        .map_err(|source| LocalError::Directory { path: path.to_owned(), source })?;
    lock(path)
}

/// Takes the exclusive lock. A look by [`running`] holds it for a moment, so one refusal is none.
fn lock(state_dir: &Path) -> Result<Flock<File>, LocalError> {
    let path = state_dir.join(LOCK_FILE);
    let open = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let mut file = open.map_err(|source| LocalError::Directory { path, source })?;
    for _ in 0..LOCK_TRIES {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((refused, _)) => file = refused,
        }
        std::thread::sleep(LOCK_WAIT);
    }
    Err(LocalError::AlreadyRunning {
        path: state_dir.to_owned(),
        running: read_endpoint(state_dir),
    })
}

fn read_endpoint(state_dir: &Path) -> Option<Running> {
    let text = std::fs::read(state_dir.join(ENDPOINT_FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Tells others where the cloud listens.
pub(super) fn write_endpoint(state_dir: &Path, running: &Running) -> Result<(), LocalError> {
    let path = state_dir.join(ENDPOINT_FILE);
    let new = state_dir.join("endpoint.json.new");
    serde_json::to_vec(running)
        .map_err(io::Error::other)
        .and_then(|text| private::write(&new, text))
        .and_then(|()| std::fs::rename(&new, &path))
        .map_err(|source| LocalError::Directory { path, source })
}

/// Tells nobody any more.
pub(super) fn remove_endpoint(state_dir: &Path) {
    let _ = std::fs::remove_file(state_dir.join(ENDPOINT_FILE));
}
