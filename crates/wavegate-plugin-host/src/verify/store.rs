//! The private store of copies: `<cache>/plugins/<sha256>/<file name>`.
//!
//! Directories are their owner's alone (0700), copies can be read and mapped, not written (0500).
//! A copy appears whole, by a rename, or not at all.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::source::{Reader, Source};
use super::trust;
use crate::error::HostError;
use crate::pin::Pin;

/// Mode of the directories.
const DIR_MODE: u32 = 0o700;

/// Mode of the copies. Some systems map only what is executable.
const FILE_MODE: u32 = 0o500;

/// The store, for one plugin.
#[derive(Debug)]
pub(super) struct Store<'a> {
    plugin: &'a str,
    root: PathBuf,
    uid: u32,
}

impl<'a> Store<'a> {
    /// The store under `cache_dir`, made if it is not there, and refused if somebody besides `uid`
    /// and root could change what is in it.
    pub(super) fn open(plugin: &'a str, cache_dir: &Path, uid: u32) -> Result<Self, HostError> {
        let mut store = Self { plugin, root: cache_dir.join("plugins"), uid };
        store.make_dir(&store.root)?;
        store.root = fs::canonicalize(&store.root)
            .map_err(|error| store.failed(&store.root, "resolve the path", error))?;
        let findings = trust::findings(&store.root, uid)
            .map_err(|(place, error)| store.failed(&place, "look at", error))?;
        if findings.is_empty() {
            return Ok(store);
        }
        Err(HostError::Untrusted { plugin: plugin.to_owned(), findings })
    }

    /// Copies the source to a file that has no name of its own yet and is gone when it is dropped.
    pub(super) fn take(&self, mut source: Reader<'_>) -> Result<Taken, HostError> {
        let failed = |error| self.failed(&self.root, "write to", error);
        let mut file = tempfile::Builder::new()
            .prefix(".incoming-")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(&self.root)
            .map_err(failed)?;
        while let Some(chunk) = source.chunk()? {
            file.write_all(chunk).map_err(failed)?;
        }
        let (sha256, bytes) = source.sum();
        Ok(Taken { file, sha256, bytes })
    }

    /// A second handle on a copy, for reading.
    pub(super) fn reader(&self, copy: &Taken) -> Result<File, HostError> {
        copy.file.reopen().map_err(|error| self.failed(copy.file.path(), "open", error))
    }

    /// Gives the copy its place. One that is there already stays if it is sound: it may be mapped
    /// by a running plugin, and the same file is the same library to the system loader.
    pub(super) fn keep(&self, copy: Taken, file_name: &OsStr) -> Result<PathBuf, HostError> {
        let dir = self.root.join(copy.sha256.to_string());
        self.make_dir(&dir)?;
        let place = dir.join(file_name);
        if self.is_sound(&place, copy.sha256) {
            return Ok(place);
        }
        copy.file
            .as_file()
            .set_permissions(Permissions::from_mode(FILE_MODE))
            .map_err(|error| self.failed(copy.file.path(), "set the mode of", error))?;
        copy.file.persist(&place).map_err(|error| self.failed(&place, "write", error.error))?;
        Ok(place)
    }

    /// Whether a copy is what its place says, still with our mode.
    fn is_sound(&self, place: &Path, sha256: Pin) -> bool {
        let hash = || {
            let source = Source::at(self.plugin, place.to_path_buf());
            let mut reader = source.open_trusted(self.uid)?;
            reader.skim()?;
            Ok::<_, HostError>((reader.metadata()?.mode() & 0o7777, reader.sum().0))
        };
        hash().is_ok_and(|found| found == (FILE_MODE, sha256))
    }

    fn make_dir(&self, dir: &Path) -> Result<(), HostError> {
        DirBuilder::new()
            .recursive(true)
            .mode(DIR_MODE)
            .create(dir)
            .and_then(|()| fs::set_permissions(dir, Permissions::from_mode(DIR_MODE)))
            .map_err(|error| self.failed(dir, "make the directory", error))
    }

    fn failed(&self, path: &Path, operation: &'static str, error: io::Error) -> HostError {
        HostError::Store {
            plugin: self.plugin.to_owned(),
            path: path.to_path_buf(),
            operation,
            source: error.into(),
        }
    }
}

/// A copy that has not been judged yet.
#[derive(Debug)]
pub(super) struct Taken {
    file: NamedTempFile,
    pub(super) sha256: Pin,
    pub(super) bytes: u64,
}
