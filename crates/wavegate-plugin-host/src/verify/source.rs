//! The file a plugin comes from: found, held against who else could change it, and read once.

use std::ffi::OsStr;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use sha2::{Digest as _, Sha256};

use super::{resolve, trust};
use crate::error::{Finding, HostError};
use crate::pin::Pin;

/// The most bytes of a plugin: 256 MiB. The largest debug builds have about half of that.
pub(super) const SIZE_MAX: u64 = 256 << 20;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A plugin's file by its canonical path.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    plugin: &'a str,
    path: PathBuf,
}

impl<'a> Source<'a> {
    /// The file that `path` stands for.
    pub(crate) fn find(plugin: &'a str, path: &Path) -> Result<Self, HostError> {
        let found = locate(plugin, path)?;
        let canonical = fs::canonicalize(&found);
        let path =
            canonical.map_err(|error| unreadable(plugin, &found, "resolve the path", error))?;
        Ok(Self { plugin, path })
    }

    /// The file at a path that is canonical already.
    pub(super) fn at(plugin: &'a str, path: PathBuf) -> Self {
        Self { plugin, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file_name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// Everything from the root down to the file that somebody besides `uid` and root can change.
    pub(crate) fn findings(&self, uid: u32) -> Result<Vec<Finding>, HostError> {
        trust::findings(&self.path, uid)
            .map_err(|(place, error)| unreadable(self.plugin, &place, "look at", error))
    }

    /// Opens the file if nobody besides `uid` and root can change it. The open file is judged once
    /// more: by now it may be another one than the path led to.
    pub(super) fn open_trusted(&self, uid: u32) -> Result<Reader<'_>, HostError> {
        self.unless_exposed(self.findings(uid)?)?;
        let reader = self.open()?;
        self.unless_exposed(trust::of(&self.path, &reader.metadata()?, uid))?;
        Ok(reader)
    }

    fn unless_exposed(&self, findings: Vec<Finding>) -> Result<(), HostError> {
        if findings.is_empty() {
            return Ok(());
        }
        Err(HostError::Untrusted { plugin: self.plugin.to_owned(), findings })
    }

    /// Opens the file, whoever may change it.
    pub(crate) fn open(&self) -> Result<Reader<'_>, HostError> {
        // The path is canonical: a symlink there now was not there before. Opening a pipe would
        // wait for a writer.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(O_NOFOLLOW | O_NONBLOCK)
            .open(&self.path)
            .map_err(|error| unreadable(self.plugin, &self.path, "open", error))?;
        let reader =
            Reader { source: self, file, hasher: Sha256::new(), bytes: 0, chunk: vec![0; CHUNK] };
        let metadata = reader.metadata()?;
        if !metadata.is_file() {
            return Err(not_a_file(self.plugin, &self.path, metadata.file_type()));
        }
        if metadata.len() > SIZE_MAX {
            return Err(reader.too_large());
        }
        Ok(reader)
    }
}

/// A file that is read once from its start to its end, and hashed as it goes by.
pub(crate) struct Reader<'a> {
    source: &'a Source<'a>,
    file: File,
    hasher: Sha256,
    bytes: u64,
    chunk: Vec<u8>,
}

impl Reader<'_> {
    /// The next piece; `None` at the end.
    pub(super) fn chunk(&mut self) -> Result<Option<&[u8]>, HostError> {
        let read = loop {
            match self.file.read(&mut self.chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result.map_err(|error| self.failed("read", error))?,
            }
        };
        let chunk = &self.chunk[..read];
        self.hasher.update(chunk);
        self.bytes += read as u64;
        // The file may grow while it is read.
        if self.bytes > SIZE_MAX {
            return Err(self.too_large());
        }
        Ok((read > 0).then_some(chunk))
    }

    /// Reads what is left, for its hash alone.
    pub(crate) fn skim(&mut self) -> Result<(), HostError> {
        while self.chunk()?.is_some() {}
        Ok(())
    }

    /// The hash and the number of the bytes that were read.
    pub(crate) fn sum(&self) -> (Pin, u64) {
        (Pin::of_digest(self.hasher.clone().finalize().into()), self.bytes)
    }

    pub(crate) fn into_file(self) -> File {
        self.file
    }

    pub(super) fn metadata(&self) -> Result<fs::Metadata, HostError> {
        self.file.metadata().map_err(|error| self.failed("look at", error))
    }

    fn failed(&self, operation: &'static str, error: io::Error) -> HostError {
        unreadable(self.source.plugin, &self.source.path, operation, error)
    }

    fn too_large(&self) -> HostError {
        HostError::TooLarge {
            plugin: self.source.plugin.to_owned(),
            path: self.source.path.clone(),
            limit: SIZE_MAX,
        }
    }
}

/// The first place that has a file, of those that `path` may stand for.
fn locate(plugin: &str, path: &Path) -> Result<PathBuf, HostError> {
    let project = path.join("Cargo.toml").is_file().then(|| fs::canonicalize(path).ok()).flatten();
    let tried = resolve::candidates(path, project.as_deref());
    let mut other = None;
    for place in &tried {
        match fs::metadata(place) {
            Ok(metadata) if metadata.is_file() => return Ok(place.clone()),
            Ok(metadata) => other = other.or(Some((place, metadata.file_type()))),
            Err(error) if is_absence(error.kind()) => {}
            Err(error) => return Err(unreadable(plugin, place, "look at", error)),
        }
    }
    match other {
        // The directory of a project is not meant to be a file: what is missing is its build.
        Some((place, kind)) if project.is_none() => Err(not_a_file(plugin, place, kind)),
        _ => Err(HostError::Missing { plugin: plugin.to_owned(), tried }),
    }
}

fn is_absence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn unreadable(plugin: &str, path: &Path, operation: &'static str, error: io::Error) -> HostError {
    HostError::Unreadable {
        plugin: plugin.to_owned(),
        path: path.to_path_buf(),
        operation,
        source: error.into(),
    }
}

fn not_a_file(plugin: &str, path: &Path, kind: FileType) -> HostError {
    let found = match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    HostError::NotAFile { plugin: plugin.to_owned(), path: path.to_path_buf(), found }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::fixture::private_dir;

    #[test]
    fn a_file_that_grows_beyond_the_limit_is_not_read_on() {
        let dir = private_dir();
        let path = dir.path().join("a.so");
        fs::write(&path, "x").unwrap();
        let source = Source::at("p", path.clone());
        let mut reader = source.open().unwrap();
        reader.bytes = SIZE_MAX;
        let limit = SIZE_MAX;
        assert_eq!(reader.skim(), Err(HostError::TooLarge { plugin: "p".into(), path, limit }));
    }

    #[test]
    fn what_goes_by_is_hashed_and_counted() {
        let dir = private_dir();
        let path = dir.path().join("a.so");
        fs::write(&path, vec![0; 3 * CHUNK + 1]).unwrap();
        let source = Source::at("p", path);
        let mut reader = source.open().unwrap();
        let mut copy = Vec::new();
        while let Some(chunk) = reader.chunk().unwrap() {
            copy.extend_from_slice(chunk);
        }
        let digest = Sha256::digest(&copy).into();
        assert_eq!(reader.sum(), (Pin::of_digest(digest), copy.len() as u64));
        assert_eq!(copy, vec![0; 3 * CHUNK + 1]);
    }
}
