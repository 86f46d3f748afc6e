//! Nudges: "look at the lock now", to a release that runs on this machine.
//!
//! A request always stands in the lock alias, where a release finds it with its next pulse. One that
//! runs here need not wait for that: a datagram on a socket in `.wavegate`, which only its owner can
//! open, makes it look. It carries nothing, so that nothing can be asked by it.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram as Sender;
use std::path::{Path, PathBuf};

use tokio::net::UnixDatagram;

/// The directory of the sockets, in `.wavegate`.
const DIR: &str = "run";

/// A socket on which a release is nudged. It goes away with this.
#[derive(Debug)]
pub(crate) struct Nudges {
    socket: Option<(UnixDatagram, PathBuf)>,
}

impl Nudges {
    /// Listens in `home`. Where that is not possible (a path that is too long, a disk that is
    /// read-only), nobody nudges, and requests are found with the next pulse.
    pub(crate) fn listen(home: &Path) -> Self {
        Self { socket: bind(home) }
    }

    /// The next nudge; never, if nobody can. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&self) {
        let Some((socket, _)) = &self.socket else { return std::future::pending().await };
        let mut nothing = [0_u8; 1];
        if socket.recv(&mut nothing).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Nudges {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn bind(home: &Path) -> Option<(UnixDatagram, PathBuf)> {
    crate::home::prepare(home);
    let dir = home.join(DIR);
    std::fs::create_dir_all(&dir).ok()?;
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).ok()?;
    let path = dir.join(format!("{}.sock", std::process::id()));
    // Left by a process of this id that was killed.
    let _ = std::fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).ok()?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).ok()?;
    Some((socket, path))
}

/// Nudges every release that runs from `home`.
pub(crate) fn send(home: &Path) {
    let Ok(entries) = std::fs::read_dir(home.join(DIR)) else { return };
    let Ok(sender) = Sender::unbound() else { return };
    if sender.set_nonblocking(true).is_err() {
        return;
    }
    for entry in entries.flatten() {
        let refused = sender.send_to(&[0], entry.path());
        // Nobody listens any more: it was killed.
        if refused.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_nudge_reaches_whoever_listens_and_only_their_owner_can_send_one() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join(".wavegate");
        send(&home);
        let nudges = Nudges::listen(&home);
        send(&home);
        nudges.next().await;
        let path = nudges.socket.as_ref().unwrap().1.clone();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        drop(nudges);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_a_killed_release_left_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join(DIR);
        std::fs::create_dir(&run).unwrap();
        drop(Sender::bind(run.join("1.sock")).unwrap());
        send(dir.path());
        assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0);
    }
}
