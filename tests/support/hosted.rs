//! A local cloud in the test's own process, and the sign beside a manifest that leads the binary to
//! whatever stands in front of it.
//!
//! `target = "local"` finds a running cloud by the record that it keeps beside its state, and believes
//! that record while somebody holds the state's lock. A [`Signpost`] is such a record and lock without
//! a cloud: the binary goes where it points, takes time and scale from what answers there, and is as
//! far from the cloud's state as it is from AWS's. So `.wavegate/` can be deleted, and the clock is the
//! cloud's own fast one, which it would not be with `target = "aws"`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use tokio::runtime::Runtime;
use wavegate_local::{LocalCloud, Options, Running, VirtualClock};

use crate::binary::{Cloud, Project};

/// What all clouds and proxies of this process run on.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
    })
}

/// A cloud that runs in this process.
pub struct Hosted {
    cloud: Option<LocalCloud>,
    /// A client that goes straight to it.
    pub direct: Cloud,
    time_scale: f64,
}

impl Hosted {
    /// A cloud on that state directory.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(state_dir: &Path, time_scale: f64) -> Self {
        let mut options = Options::new(state_dir);
        options.time_scale = time_scale;
        Self::start_with(options)
    }

    /// A cloud with these options.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with(options: Options) -> Self {
        let time_scale = options.time_scale;
        let cloud = runtime().block_on(LocalCloud::start(options)).expect("a cloud");
        let direct = Cloud { url: cloud.url().to_owned() };
        Self { cloud: Some(cloud), direct, time_scale }
    }

    /// Its clock.
    ///
    /// # Panics
    /// Never: it runs until it is dropped.
    pub fn clock(&self) -> VirtualClock {
        self.cloud.as_ref().expect("a cloud that runs").clock()
    }

    /// Waits until so much of its time has passed.
    pub fn pass(&self, span: Duration) {
        let clock = self.clock();
        let until = clock.now_ms() + i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        runtime().block_on(clock.sleep_until(until));
    }

    /// The record that leads to `url` as if this cloud listened there.
    pub fn record_at(&self, url: &str) -> Running {
        Running {
            url: url.to_owned(),
            pid: std::process::id(),
            time_scale: self.time_scale,
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
        }
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        if let Some(cloud) = self.cloud.take() {
            runtime().block_on(cloud.shutdown());
        }
    }
}

/// Leads the binary in a project to a cloud elsewhere.
pub struct Signpost {
    lock: Flock<File>,
    directory: PathBuf,
}

impl Signpost {
    /// A sign in the project's `.wavegate/local`.
    ///
    /// # Panics
    /// If it cannot be put up.
    pub fn put_up(project: &Project, record: &Running) -> Self {
        let directory = project.path(".wavegate/local");
        std::fs::create_dir_all(&directory).expect("a directory");
        let file = File::create(directory.join("lock")).expect("a lock file");
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock);
        let lock = lock.map_err(|(_, error)| error).expect("a lock that nobody holds");
        let sign = Self { lock, directory };
        sign.turn(record);
        sign
    }

    /// Points elsewhere.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn turn(&self, record: &Running) {
        debug_assert!(self.lock.metadata().is_ok(), "the lock is held");
        let text = serde_json::to_vec(record).expect("JSON");
        let new = self.directory.join("endpoint.json.new");
        std::fs::write(&new, text).expect("a sign");
        std::fs::rename(&new, self.directory.join("endpoint.json")).expect("a sign");
    }
}
