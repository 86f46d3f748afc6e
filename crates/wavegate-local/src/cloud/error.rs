//! Why a cloud could not be started, found or reset.

use std::io;
use std::path::PathBuf;

use super::Running;

/// Why a cloud could not be started, found or reset.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// An option makes no sense.
    #[error("option {option} of the local cloud is {value}: it must be {must}")]
    Option {
        /// Which.
        option: &'static str,
        /// What it was.
        value: String,
        /// What it has to be.
        must: &'static str,
    },
    /// The directory cannot be made, read or written.
    #[error("the local cloud cannot use {}", path.display())]
    Directory {
        /// The directory or a file in it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another cloud runs on the directory.
    #[error("a local cloud already runs on {}{}", path.display(), whose(running.as_ref()))]
    AlreadyRunning {
        /// The directory.
        path: PathBuf,
        /// The other cloud, as far as it tells.
        running: Option<Running>,
    },
    /// The state cannot be read.
    #[error(
        "the local cloud's state in {} is damaged; `wavegate local reset` starts afresh (the apps \
         deployed there are then gone)",
        path.display()
    )]
    Corrupt {
        /// The state file.
        path: PathBuf,
        /// What was found.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The state was written by a newer program.
    #[error(
        "the local cloud's state in {} has format {found}, and this program knows formats up to \
         {known}: use the newer program, or start afresh with `wavegate local reset` (the apps \
         deployed there are then gone)",
        path.display()
    )]
    Newer {
        /// The state file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// The state cannot be written.
    #[error("the local cloud cannot save its state in {}", path.display())]
    Save {
        /// The state file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The port cannot be had.
    #[error("the local cloud cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port; zero for any.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Function processes cannot be managed.
    #[error("the local cloud cannot prepare its function runtime")]
    Runtime {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system has no randomness.
    #[error("the system gives no random seed: {0}")]
    Randomness(getrandom::Error),
}

fn whose(running: Option<&Running>) -> String {
    running
        .map(|running| format!(" (process {}, {})", running.pid, running.url))
        .unwrap_or_default()
}
