//! Deployment packages on disk: the zip by its hash, and beside it what was unpacked from it once.
//!
//! Both are put in place by renaming, so a killed cloud leaves either all or nothing of them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::lambda::archive;
use crate::lambda::error::ApiError;
use crate::lambda::input::Code;

/// The packages of a cloud.
#[derive(Debug)]
pub(crate) struct CodeStore {
    directory: PathBuf,
    next: AtomicU64,
}

impl CodeStore {
    /// Opens the store and clears away what a killed cloud left half-done.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        crate::private::directory(directory)?;
        let store = Self { directory: directory.to_owned(), next: AtomicU64::new(0) };
        store.remove_entries(|name| name.starts_with("new-"))?;
        Ok(store)
    }

    /// Takes a package in: judged, unpacked and kept. Blocks on the disk.
    pub(crate) fn put(&self, package: impl Read) -> Result<Code, ApiError> {
        let new = self.scratch();
        let placed = self.receive(package, &new);
        let _ = std::fs::remove_file(&new);
        placed
    }

    fn receive(&self, package: impl Read, new: &Path) -> Result<Code, ApiError> {
        let unkept = |error: &io::Error| failed("cannot keep the package", new, error);
        let mut kept = crate::private::create(new).map_err(|error| unkept(&error))?;
        let mut hashed = Hashed { inner: package, hash: Sha256::new() };
        let size = io::copy(&mut hashed, &mut kept).map_err(|error| unkept(&error))?;
        let code = Code::Zip { sha256: STANDARD.encode(hashed.hash.finalize()), size };
        let (zip, root) = self.places(code.sha256());
        if !root.is_dir() {
            self.unpack(new, &root)?;
        }
        if !zip.is_file() {
            std::fs::rename(new, &zip).map_err(|error| unkept(&error))?;
        }
        Ok(code)
    }

    /// Where a package is unpacked; unpacks it again if that was lost. Blocks on the disk then.
    pub(crate) fn root(&self, sha256: &str) -> Result<PathBuf, ApiError> {
        let (zip, root) = self.places(sha256);
        if !root.is_dir() {
            self.unpack(&zip, &root)?;
        }
        Ok(root)
    }

    /// Where everything lies.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The zip of a package.
    pub(crate) fn zip(&self, sha256: &str) -> PathBuf {
        self.places(sha256).0
    }

    /// Removes packages that no function uses.
    pub(crate) fn keep_only(&self, in_use: &BTreeSet<String>) -> io::Result<()> {
        let names: BTreeSet<String> = in_use.iter().map(|sha256| file_name(sha256)).collect();
        self.remove_entries(|name| !names.contains(name.trim_end_matches(".zip")))
    }

    fn places(&self, sha256: &str) -> (PathBuf, PathBuf) {
        let name = file_name(sha256);
        (self.directory.join(format!("{name}.zip")), self.directory.join(name))
    }

    fn scratch(&self) -> PathBuf {
        self.directory.join(format!("new-{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    fn unpack(&self, zip: &Path, root: &Path) -> Result<(), ApiError> {
        let package = File::open(zip)
            .map_err(|error| failed("the package is lost: deploy it again", zip, &error))?;
        let new = self.scratch();
        let unpacked = crate::private::new_directory(&new)
            .map_err(|error| failed("cannot unpack the package", &new, &error))
            .and_then(|()| archive::unpack(BufReader::new(package), &new));
        // Somebody else may have unpacked the same package in the meantime: that one is as good.
        let placed = unpacked.and_then(|()| match std::fs::rename(&new, root) {
            Err(error) if !root.is_dir() => Err(failed("cannot keep the package", root, &error)),
            _ => Ok(()),
        });
        if new.exists() {
            let _ = std::fs::remove_dir_all(&new);
        }
        placed
    }

    fn remove_entries(&self, is_unwanted: impl Fn(&str) -> bool) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            if !is_unwanted(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// What is read, and its hash.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> ApiError {
    ApiError::service(format!("{what}: {}: {error}", path.display()))
}

/// The hash as a file name; base64 has slashes.
fn file_name(sha256: &str) -> String {
    hex(&STANDARD.decode(sha256).unwrap_or_else(|_| sha256.as_bytes().to_vec()))
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let pair = |byte: &u8| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
    bytes.iter().flat_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    fn package(text: &str) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("app.py", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_package_is_kept_until_nothing_uses_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = CodeStore::open(directory.path()).unwrap();
        let code = store.put(package("one").as_slice()).unwrap();
        assert_eq!(store.put(package("one").as_slice()).unwrap(), code);
        let root = store.root(code.sha256()).unwrap();
        assert_eq!(std::fs::read(root.join("app.py")).unwrap(), b"one");
        std::fs::remove_dir_all(&root).unwrap();
        assert!(store.root(code.sha256()).unwrap().join("app.py").is_file());
        store.keep_only(&BTreeSet::from([code.sha256().to_owned()])).unwrap();
        assert!(store.zip(code.sha256()).is_file());
        store.keep_only(&BTreeSet::new()).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_refused_package_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let store = CodeStore::open(directory.path()).unwrap();
        assert!(store.put(&b"no zip"[..]).is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
