//! A running local cloud: started, found by other processes, stopped.
//!
//! [`LocalCloud`] is the whole of it for its owner, [`Clouds`] for its server. As on AWS everything but IAM,
//! STS and S3 is in one account and one region: a [`Cloud`] is what such a [`Home`](crate::home::Home) has.

mod chores;
mod clouds;
mod core;
mod counters;
mod directory;
mod error;
mod here;
mod options;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::Flock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::VirtualClock;
use crate::server;

pub(crate) use clouds::Clouds;
pub(crate) use core::Core;
pub use directory::{Running, reset, running};
pub use error::LocalError;
pub(crate) use here::Cloud;
pub use options::Options;

/// Real time open connections get to end at shutdown.
const SERVER_END: Duration = Duration::from_secs(2);

/// A cloud in this process. Dropped without [`LocalCloud::shutdown`] it stops at once, as if killed.
#[derive(Debug)]
pub struct LocalCloud {
    clouds: Arc<Clouds>,
    server: Option<JoinHandle<()>>,
    state_dir: PathBuf,
    _lock: Flock<File>,
}

impl LocalCloud {
    /// Starts a cloud on a state directory and listens. Needs tokio's multi-thread runtime.
    ///
    /// # Errors
    /// Each variant of [`LocalError`]; nothing keeps running then.
    pub async fn start(mut options: Options) -> Result<Self, LocalError> {
        options.check()?;
        // Functions run in their own directories, where a relative path would lead nowhere.
        if let Ok(absolute) = std::path::absolute(&options.state_dir) {
            options.state_dir = absolute;
        }
        let state_dir = options.state_dir.clone();
        let lock = directory::take(&state_dir)?;
        let port = options.port.unwrap_or(0);
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.map_err(|source| LocalError::Listen { port, source })?;
        let address =
            listener.local_addr().map_err(|source| LocalError::Listen { port, source })?;
        let clouds = Arc::new(Clouds::open(&options, format!("http://{address}"))?);
        directory::write_endpoint(&state_dir, &clouds.running())?;
        clouds.begin();
        let server = tokio::spawn(server::serve(listener, Arc::clone(&clouds)));
        Ok(Self { clouds, server: Some(server), state_dir, _lock: lock })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.clouds.shared.url
    }

    /// Its clock.
    pub fn clock(&self) -> VirtualClock {
        self.clouds.shared.clock.clone()
    }

    /// Stops it: kills the execution environments, saves everything, releases the directory.
    pub async fn shutdown(mut self) {
        let shared = &self.clouds.shared;
        shared.stop.cancel();
        shared.runtime.shutdown().await;
        if let Some(server) = self.server.take() {
            let abort = server.abort_handle();
            if tokio::time::timeout(SERVER_END, server).await.is_err() {
                abort.abort();
            }
        }
        shared.tasks.close();
        let _ = tokio::time::timeout(SERVER_END, shared.tasks.wait()).await;
        self.clouds.save_last();
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.clouds.shared.stop.cancel();
        drop(self.clouds.shared.runtime.kill_all());
        if let Some(server) = self.server.take() {
            server.abort();
        }
        directory::remove_endpoint(&self.state_dir);
    }
}
