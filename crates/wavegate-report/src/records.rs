//! Records: what is kept of releases on this machine, for people. Which releases there were, their
//! events, and who asked for what and why, in one SQLite file, `<dir>/records.db`.
//!
//! Invariants:
//! - They are never authority: the cloud's aliases are. A file that is damaged, newer, another
//!   program's, locked, full or gone is told in words with a code, and nobody waits for it longer
//!   than a limit.
//! - What is read is what was written: every row carries a checksum, and all of them are checked
//!   when the file is opened, beside SQLite's own check. A flipped bit is noticed or changes nothing.
//! - Nothing is ever deleted or written over: a damaged file is moved aside, and only when a new
//!   release needs a place.
//! - Directory and files are their owner's alone, whatever the umask.
//! - Values that are secret are taken out before ([`crate::Veil`]): what is here may be shown.
//!
//! Deliberately absent: forgetting (a release is some tens of kilobytes), and any knowledge of the
//! clock: times are those of the events, order is the order of writing.

mod asking;
mod error;
mod import;
mod open;
mod read;
mod recorder;
mod schema;
mod versions;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde::Serialize;

pub use asking::Asking;
pub use error::RecordsError;
pub use read::Line;
pub use recorder::Recorder;
pub use versions::{era, versions_after};

use crate::state::{Stage, State};
use open::Identity;

/// The file's name.
pub const FILE: &str = "records.db";

/// The open records.
#[derive(Debug)]
pub struct Records {
    connection: Connection,
    path: PathBuf,
    /// Which file it was when it was opened; `None`: it is only in memory.
    identity: Option<Identity>,
}

/// One release, as history lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Release {
    /// Its id.
    pub id: String,
    /// The app.
    pub app: String,
    /// Its number: `shop r42`.
    pub number: u64,
    /// Where, in words.
    pub target: String,
    /// Who ran it.
    pub owner: String,
    /// When it began, in milliseconds since the Unix epoch, on the release's clock.
    pub started_ms: u64,
    /// How long it took or is known to have taken, in milliseconds.
    pub took_ms: u64,
    /// How it ended; `None`: the records do not say, because it runs or was killed.
    pub outcome: Option<String>,
    /// Why, if it did not end well.
    pub reason: Option<String>,
    /// The lock's epoch when it was taken; `None`: it never was.
    pub epoch: Option<u64>,
    /// The functions it changed or was to change.
    pub functions: BTreeMap<String, Versions>,
}

/// The versions of one function before and in a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
pub struct Versions {
    /// The one that was replaced.
    pub stable: Option<u64>,
    /// The new one, if it came to be.
    pub candidate: Option<u64>,
}

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Request {
    /// The app.
    pub app: String,
    /// Where, in words.
    pub target: String,
    /// The id of the release it is about, if it is about one.
    pub release: Option<String>,
    /// That release's number.
    pub number: Option<u64>,
    /// The verb, as it is typed.
    pub verb: String,
    /// The function it is about, if it is about one.
    pub function: Option<String>,
    /// Who.
    pub by: String,
    /// Why, in that person's words.
    pub reason: Option<String>,
    /// When, in milliseconds since the Unix epoch, on the release's clock.
    pub at_ms: u64,
}

/// A recorded request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(i64);

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// What was asked for.
    #[serde(flatten)]
    pub request: Request,
    /// What became of it; `None`: that is not known.
    pub answer: Option<String>,
}

impl Records {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Release {
    /// The release as its events tell it.
    pub(crate) fn of(state: &State) -> Self {
        let changed = state.functions.iter().filter(|(_, f)| f.stage != Stage::Unchanged);
        let versions = |(name, f): (&String, &crate::state::Function)| {
            (name.clone(), Versions { stable: f.stable, candidate: f.candidate })
        };
        Self {
            id: state.release.clone(),
            app: state.app.clone(),
            number: state.number,
            target: state.target.clone(),
            owner: state.owner.clone(),
            started_ms: state.started_ms,
            took_ms: state.elapsed_ms(state.now_ms),
            outcome: state.finished.as_ref().map(|f| f.outcome.clone()),
            reason: state.finished.as_ref().and_then(|f| f.reason.clone()),
            epoch: state.lock.as_ref().map(|(_, epoch)| *epoch),
            functions: changed.map(versions).collect(),
        }
    }

    /// Whether every function was as it should be afterwards.
    pub fn is_done(&self) -> bool {
        self.outcome.as_deref() == Some("done")
    }
}

#[cfg(test)]
mod tests;
