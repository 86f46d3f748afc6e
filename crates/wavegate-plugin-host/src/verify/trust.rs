//! Who else could change a file, or put another one in its place.
//!
//! Strict on purpose: a directory that its group may write to is refused even if the group has one
//! member today. A pin says which bytes are meant; this says whose they are.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Exposure, Finding};

/// Write permission of the group and of everybody.
const OTHERS_WRITE: u32 = 0o022;

/// In a sticky directory, others may add names, but not replace those of somebody else.
const STICKY: u32 = 0o1000;

/// Everything from the root down to `canonical` that somebody besides `uid` and root can change.
///
/// # Errors
/// The path that could not be looked at, and why.
pub(crate) fn findings(canonical: &Path, uid: u32) -> Result<Vec<Finding>, (PathBuf, io::Error)> {
    let mut findings = Vec::new();
    let mut places: Vec<&Path> = canonical.ancestors().collect();
    places.reverse();
    for place in places {
        let metadata = fs::symlink_metadata(place).map_err(|error| (place.to_owned(), error))?;
        findings.extend(of(place, &metadata, uid));
    }
    Ok(findings)
}

/// What somebody besides `uid` and root can do to the file or directory itself.
pub(crate) fn of(path: &Path, metadata: &Metadata, uid: u32) -> Vec<Finding> {
    exposures(metadata.uid(), metadata.mode(), metadata.is_dir(), uid)
        .into_iter()
        .map(|exposure| Finding { path: path.to_path_buf(), exposure })
        .collect()
}

fn exposures(owner: u32, mode: u32, is_dir: bool, uid: u32) -> Vec<Exposure> {
    let mut exposures = Vec::new();
    if owner != uid && owner != 0 {
        exposures.push(Exposure::OwnedBy { uid: owner });
    }
    if mode & OTHERS_WRITE != 0 && !(is_dir && mode & STICKY != 0) {
        exposures.push(Exposure::WritableByOthers { mode: mode & 0o7777 });
    }
    exposures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mine_and_roots_are_trusted_while_nobody_else_may_write() {
        for owner in [0, 1000] {
            for mode in [0o755, 0o700, 0o644, 0o500, 0o4755] {
                assert_eq!(exposures(owner, mode, false, 1000), []);
                assert_eq!(exposures(owner, mode, true, 1000), []);
            }
        }
    }

    #[test]
    fn group_and_world_must_not_write() {
        for mode in [0o775, 0o757, 0o777, 0o666, 0o620] {
            assert_eq!(exposures(0, mode, false, 0), [Exposure::WritableByOthers { mode }]);
            assert_eq!(exposures(0, mode, true, 0), [Exposure::WritableByOthers { mode }]);
        }
    }

    #[test]
    fn sticky_excuses_directories_and_nothing_else() {
        assert_eq!(exposures(0, 0o1777, true, 0), []);
        let mode = 0o1777;
        assert_eq!(exposures(0, mode, false, 0), [Exposure::WritableByOthers { mode }]);
        assert_eq!(exposures(1001, mode, true, 0), [Exposure::OwnedBy { uid: 1001 }]);
    }

    #[test]
    fn both_faults_of_one_path_are_told() {
        let found = exposures(1001, 0o777, true, 1000);
        let both = [Exposure::OwnedBy { uid: 1001 }, Exposure::WritableByOthers { mode: 0o777 }];
        assert_eq!(found, both);
    }
}
