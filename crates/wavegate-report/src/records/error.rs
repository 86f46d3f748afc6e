//! What can be wrong with records, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

/// Why records cannot be read or written.
#[derive(Debug, Error)]
pub enum RecordsError {
    /// Not what was written there.
    #[error("the records in {} are damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that is known.
        why: String,
    },
    /// Written by a later version of this program.
    #[error(
        "the records in {} have format {found}, of a newer wavegate; this one reads up to {known}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The latest format known here.
        known: i64,
    },
    /// Somebody else's.
    #[error("{} is no file of wavegate's: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The operating system refuses.
    #[error("cannot {doing} {}", path.display())]
    Refused {
        /// What was being done: `read`, `write`, `make`.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process does not let go of the file.
    #[error("the records in {} are locked by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is no room.
    #[error("the disk is full: {} cannot grow", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file is not there any more.
    #[error("the records in {} were removed while the release ran", path.display())]
    Gone {
        /// The file.
        path: PathBuf,
    },
}

impl RecordsError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "WG650",
            Self::Newer { .. } => "WG651",
            Self::Foreign { .. } => "WG652",
            Self::Refused { .. } => "WG653",
            Self::Locked { .. } => "WG654",
            Self::Full { .. } => "WG655",
            Self::Gone { .. } => "WG656",
        }
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => {
                "nothing depends on it: the next release moves it aside and begins a new file"
            }
            Self::Newer { .. } => "use the wavegate that wrote it, or move the file away",
            Self::Foreign { .. } => "move it away: wavegate does not touch it",
            Self::Refused { .. } => "the directory and the file must be yours to write",
            Self::Locked { .. } => "try again when the other process is done with it",
            Self::Full { .. } => "make room; releases go on without records",
            Self::Gone { .. } => "the next release begins a new file",
        }
    }

    /// Refused by the operating system, or for lack of room.
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Refused { doing, path, source: Box::new(source) },
        }
    }

    /// What SQLite says, in our words.
    pub(super) fn sqlite(doing: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            // An SQL error of our own fixed statements means that the tables are not ours any more.
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::Unknown
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig,
            )
            | None => Self::Damaged { path, why: source.to_string() },
            Some(_) => Self::Refused { doing, path, source: Box::new(source) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i32) -> &'static str {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        RecordsError::sqlite("write", Path::new("records.db"), error).code()
    }

    #[test]
    fn what_sqlite_says_has_a_code_of_ours() {
        use rusqlite::ffi;
        for (code, ours) in [
            (ffi::SQLITE_CORRUPT, "WG650"),
            (ffi::SQLITE_NOTADB, "WG650"),
            (ffi::SQLITE_ERROR, "WG650"),
            (ffi::SQLITE_BUSY, "WG654"),
            (ffi::SQLITE_FULL, "WG655"),
            (ffi::SQLITE_READONLY, "WG653"),
            (ffi::SQLITE_CANTOPEN, "WG653"),
            (ffi::SQLITE_IOERR_WRITE, "WG653"),
        ] {
            assert_eq!(of(code), ours, "{code}");
        }
    }
}
