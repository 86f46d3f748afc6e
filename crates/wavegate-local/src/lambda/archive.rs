//! Deployment packages: judged before anything of them touches the disk.
//!
//! A package may come from anywhere, so nothing it says about itself is believed: sizes are counted
//! while unpacking, names are checked, and links are followed on paper through the other links.
//! Refused are entries and links that lead out of the package, names that appear twice, and more
//! than 250 MB of content. Links are written after all files, so that no file is written through
//! one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::error::ApiError;
use super::input::Code;

/// AWS: bytes of an unpacked package, layers included.
pub const UNZIPPED_MAX: u64 = 262_144_000;
/// AWS's refusal of what is no zip.
const NO_ZIP: &str =
    "Could not unzip uploaded file. Please check your file, then try to upload again.";
/// Entries of one package; more would only serve to exhaust inodes.
const ENTRIES_MAX: usize = 100_000;
/// Bytes of a link's target; the kernel's own limit.
const TARGET_MAX: u64 = 4096;
/// Links followed on the way to one target; the kernel's own limit.
const HOPS_MAX: usize = 40;

/// A SHA-256 in hexadecimal digits, as AWS reports an image's.
pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    crate::code::hex(&Sha256::digest(bytes))
}

/// What the model is told about an image. Images are not pulled: its hash is the digest that the URI
/// names, or else that of the URI.
pub fn code_of_image(uri: &str) -> Code {
    let named = uri.rsplit_once("@sha256:").map(|(_, digest)| digest.to_owned());
    let sha256 = named.unwrap_or_else(|| hex_sha256(uri.as_bytes()));
    Code::Image { uri: uri.to_owned(), sha256 }
}

/// The URI of exactly the image that a tag named.
pub(crate) fn resolved_image(uri: &str, sha256: &str) -> String {
    let path = uri.split_once('@').map_or(uri, |(path, _)| path);
    // A colon before the last slash belongs to a port.
    let repository = match path.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => path,
    };
    format!("{repository}@sha256:{sha256}")
}

/// Unpacks a package into `root`, an empty directory.
///
/// # Errors
/// `InvalidParameterValueException` for packages that are refused, in which case `root` may hold a
/// part of them; `ServiceException` when the disk fails.
pub fn unpack(package: impl Read + Seek, root: &Path) -> Result<(), ApiError> {
    unpack_within(package, root, UNZIPPED_MAX)
}

fn unpack_within(mut package: impl Read + Seek, root: &Path, limit: u64) -> Result<(), ApiError> {
    if disk(package.seek(SeekFrom::End(0)), "the package")? == 0 {
        return Err(ApiError::invalid("Uploaded file must be a non-empty zip"));
    }
    let mut archive = ZipArchive::new(package).map_err(|_| ApiError::invalid(NO_ZIP))?;
    if archive.is_empty() {
        return Err(ApiError::invalid("Uploaded file must be a non-empty zip"));
    }
    if archive.len() > ENTRIES_MAX {
        return Err(refused(&format!("more than {ENTRIES_MAX} entries")));
    }
    let mut writer = Unpacking::new(root, limit);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| refused(&error.to_string()))?;
        writer.entry(&mut entry)?;
    }
    writer.finish()
}

struct Unpacking<'a> {
    root: &'a Path,
    limit: u64,
    left: u64,
    seen: BTreeSet<String>,
    links: BTreeMap<String, String>,
}

impl<'a> Unpacking<'a> {
    fn new(root: &'a Path, limit: u64) -> Self {
        // AWS: smaller than the limit.
        Self {
            root,
            limit,
            left: limit.saturating_sub(1),
            seen: BTreeSet::new(),
            links: BTreeMap::new(),
        }
    }

    fn entry<R: Read>(&mut self, entry: &mut ZipFile<'_, R>) -> Result<(), ApiError> {
        let name = entry.name().map_err(|error| refused(&error.to_string()))?.into_owned();
        let path = clean(&name).ok_or_else(|| refused(&format!("entry {name:?} leaves it")))?;
        if entry.is_dir() {
            return disk(std::fs::create_dir_all(self.root.join(&path)), &path);
        }
        if path.is_empty() || !self.seen.insert(path.clone()) {
            return Err(refused(&format!("entry {name:?} appears twice or has no name")));
        }
        if entry.is_symlink() {
            let mut target = String::new();
            let read = entry.take(TARGET_MAX + 1).read_to_string(&mut target);
            if read.is_err() || target.len() as u64 > TARGET_MAX || target.contains('\0') {
                return Err(refused(&format!("link {name:?} has no readable target")));
            }
            self.links.insert(path, target);
            return Ok(());
        }
        self.file(entry, &path)
    }

    fn file<R: Read>(&mut self, entry: &mut ZipFile<'_, R>, path: &str) -> Result<(), ApiError> {
        let mode = entry.unix_mode().unwrap_or(0o644);
        let full = self.root.join(path);
        if let Some(parent) = full.parent() {
            disk(std::fs::create_dir_all(parent), path)?;
        }
        let mut file = disk(std::fs::File::create_new(&full), path)?;
        // One byte more than is left tells a package that is too large from one that just fits.
        let mut counted = CountedRead { inner: entry.take(self.left + 1), failed: false };
        let copied = io::copy(&mut counted, &mut file);
        if counted.failed {
            return Err(refused(&format!("entry {path:?} is damaged")));
        }
        let copied = disk(copied, path)?;
        self.left = self.left.checked_sub(copied).ok_or_else(|| {
            ApiError::invalid(format!("Unzipped size must be smaller than {} bytes", self.limit))
        })?;
        set_mode(&file, mode).or_else(|error| disk(Err(error), path))
    }

    /// Writes the links, once every one of them is known to stay inside.
    fn finish(self) -> Result<(), ApiError> {
        for (path, target) in &self.links {
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            if target.starts_with('/') || !stays_inside(&self.links, parent, target) {
                return Err(refused(&format!("link {path:?} leads out of it, to {target:?}")));
            }
            if self.seen.iter().any(|other| {
                other.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }) {
                return Err(refused(&format!("entry {path:?} is both a link and a directory")));
            }
        }
        for (path, target) in &self.links {
            let full = self.root.join(path);
            if let Some(parent) = full.parent() {
                disk(std::fs::create_dir_all(parent), path)?;
            }
            disk(std::os::unix::fs::symlink(target, &full), path)?;
        }
        Ok(())
    }
}

/// Tells failures of reading the package from failures of writing to the disk.
struct CountedRead<R> {
    inner: R,
    failed: bool,
}

impl<R: Read> Read for CountedRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer);
        self.failed |= read.is_err();
        read
    }
}

/// An entry's path relative to the package; nothing for paths that leave it.
fn clean(name: &str) -> Option<String> {
    if name.starts_with('/') || name.contains(['\\', '\0']) {
        return None;
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Follows a link's target through the package, as the kernel will, the other links included.
fn stays_inside(links: &BTreeMap<String, String>, parent: &str, target: &str) -> bool {
    let mut at: Vec<String> =
        parent.split('/').filter(|part| !part.is_empty()).map(Into::into).collect();
    let mut ahead: Vec<String> = target.rsplit('/').map(Into::into).collect();
    let mut hops = 0;
    while let Some(part) = ahead.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                if at.pop().is_none() {
                    return false;
                }
                continue;
            }
            _ => at.push(part),
        }
        if let Some(next) = links.get(&at.join("/")) {
            hops += 1;
            if hops > HOPS_MAX || next.starts_with('/') {
                return false;
            }
            at.pop();
            ahead.extend(next.rsplit('/').map(Into::into));
        }
    }
    true
}

fn set_mode(file: &std::fs::File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    // The owner can always read and delete what was unpacked; set-uid bits have no place here.
    file.set_permissions(std::fs::Permissions::from_mode((mode & 0o777) | 0o600))
}

/// AWS's sentence, and behind it what it leaves the reader to guess.
fn refused(why: &str) -> ApiError {
    ApiError::invalid(format!("{NO_ZIP} (The package was refused: {why})"))
}

fn disk<T>(result: io::Result<T>, path: &str) -> Result<T, ApiError> {
    result.map_err(|error| match error.kind() {
        // Two entries that cannot exist side by side, such as a file and a directory of one name.
        io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory => {
            refused(&format!("entry {path:?} collides with another one"))
        }
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => {
            refused(&format!("entry {path:?} has an impossible name"))
        }
        _ => ApiError::service(format!("cannot unpack {path:?}: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn package(build: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        build(&mut writer);
        writer.finish().unwrap().into_inner()
    }

    fn files(files: &[(&str, &str)]) -> Vec<u8> {
        package(|zip| {
            for (name, text) in files {
                zip.start_file(*name, SimpleFileOptions::default()).unwrap();
                zip.write_all(text.as_bytes()).unwrap();
            }
        })
    }

    fn links(links: &[(&str, &str)]) -> Vec<u8> {
        package(|zip| {
            zip.start_file("d/app.py", SimpleFileOptions::default()).unwrap();
            for (name, target) in links {
                zip.add_symlink(*name, *target, SimpleFileOptions::default()).unwrap();
            }
        })
    }

    fn try_unpack(bytes: &[u8]) -> Result<tempfile::TempDir, ApiError> {
        let root = tempfile::tempdir().unwrap();
        unpack(Cursor::new(bytes), root.path()).map(|()| root)
    }

    #[test]
    fn a_sound_package_is_unpacked_with_its_modes_and_links() {
        use std::os::unix::fs::PermissionsExt as _;
        let bytes = package(|zip| {
            let options = SimpleFileOptions::default().unix_permissions(0o755);
            zip.start_file("bin/bootstrap", options).unwrap();
            zip.write_all(b"#!/bin/sh\n").unwrap();
            zip.add_symlink("bootstrap", "bin/bootstrap", SimpleFileOptions::default()).unwrap();
        });
        let root = try_unpack(&bytes).unwrap();
        let file = root.path().join("bin/bootstrap");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read(root.path().join("bootstrap")).unwrap(), b"#!/bin/sh\n");
    }

    #[test]
    fn entries_that_leave_the_package_are_refused() {
        for name in ["../x", "a/../../x", "/etc/x", "a\\..\\x"] {
            let error = try_unpack(&files(&[(name, "x")])).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException", "{name}");
        }
    }

    #[test]
    fn links_that_leave_the_package_are_refused() {
        for set in [
            &[("l", "/etc/passwd")][..],
            &[("l", "../x")],
            &[("d/l", "../../x")],
            // Lexically inside, really outside: d/l is the root, so d/l/.. is its parent.
            &[("d/l", ".."), ("m", "d/l/../x")],
            &[("a", "b"), ("b", "a")],
        ] {
            assert!(try_unpack(&links(set)).is_err(), "{set:?}");
        }
        assert!(try_unpack(&links(&[("d/l", ".."), ("m", "d/app.py")])).is_ok());
    }

    #[test]
    fn no_file_is_written_through_a_link() {
        let bytes = package(|zip| {
            zip.add_symlink("l", "d", SimpleFileOptions::default()).unwrap();
            zip.start_file("l/x", SimpleFileOptions::default()).unwrap();
        });
        assert!(try_unpack(&bytes).is_err());
    }

    #[test]
    fn what_is_no_zip_is_refused_in_words() {
        assert_eq!(try_unpack(b"").unwrap_err().message, "Uploaded file must be a non-empty zip");
        assert_eq!(try_unpack(b"hello").unwrap_err().message, NO_ZIP);
        let mut cut = files(&[("app.py", &"x".repeat(5000))]);
        cut.truncate(60);
        assert!(try_unpack(&cut).is_err());
    }

    #[test]
    fn the_content_is_counted_not_believed() {
        let bytes = package(|zip| {
            zip.start_file("zeros", SimpleFileOptions::default()).unwrap();
            let chunk = vec![0_u8; 1 << 20];
            for _ in 0..3 {
                zip.write_all(&chunk).unwrap();
            }
        });
        assert!(bytes.len() < 1 << 20);
        let try_within = |limit| {
            let root = tempfile::tempdir().unwrap();
            unpack_within(Cursor::new(&bytes), root.path(), limit)
        };
        assert_eq!(try_within((3 << 20) + 1), Ok(()));
        let refused = try_within(3 << 20).unwrap_err();
        assert_eq!(refused.message, "Unzipped size must be smaller than 3145728 bytes");
    }

    #[test]
    fn an_image_resolves_to_its_digest() {
        let (tagged, digest) = ("localhost:5000/shop:v1", hex_sha256(b"localhost:5000/shop:v1"));
        let code = code_of_image(tagged);
        assert_eq!(code.sha256(), digest);
        let resolved = resolved_image(tagged, &digest);
        assert_eq!(resolved, format!("localhost:5000/shop@sha256:{digest}"));
        assert_eq!(code_of_image(&resolved).sha256(), digest);
        assert_eq!(resolved_image("localhost:5000/shop", "0"), "localhost:5000/shop@sha256:0");
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _ = try_unpack(&bytes);
        }
    }
}
