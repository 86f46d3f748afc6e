//! Everything that happens to a plugin's file before any code of it runs.
//!
//! The file is found, its place is held against who else could change it, and its bytes are read
//! once: hashed, compared with the pin, and copied into a private store in the same breath. The
//! copy is then read as a library. What is loaded later is that copy.
//!
//! Invariants:
//! - What was hashed is what was copied, and what was copied is what is loaded. A file that is
//!   replaced or rewritten meanwhile, or later under a running release, does not matter.
//! - Only copies that passed every check are in the store.
//! - A library is never whole in memory.
//!
//! Deliberately absent: removing old copies. One may be mapped by a release that is under way, and
//! the caches may be deleted as a whole at any other time.

mod resolve;
mod source;
mod store;
mod trust;

use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::error::HostError;
use crate::object;
use crate::pin::Pin;
pub(crate) use source::Source;
use store::Store;

/// What is known beforehand of a plugin's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The manifest pins them for this target.
    Pinned(Pin),
    /// Nothing.
    Unpinned,
}

/// A plugin that may be loaded as far as its file can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its name in the manifest.
    pub name: String,
    /// The private copy: the file to load.
    pub file: PathBuf,
    /// The symbol of its entry point.
    pub entry: String,
    /// The SHA-256 of its bytes.
    pub sha256: Pin,
    /// The file it was copied from, canonical.
    pub source: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Whether this wavegate can load libraries at all: static builds cannot.
pub const fn can_load() -> bool {
    !cfg!(target_feature = "crt-static") || cfg!(windows)
}

/// Verifies the plugin `name` at `path`, and keeps a private copy under `cache_dir`.
///
/// `path` may leave out what differs between platforms (`plugins/ladder` for
/// `plugins/libladder.so`), and may be the directory of a Cargo project that was built. Blocks: it
/// reads and writes the whole file.
///
/// # Errors
/// WG301 to WG304 for the file itself, WG306 to WG310 for what is in it, WG337 if no copy can be
/// kept, WG303 if others could change it there.
pub fn verify(
    name: &str,
    path: &Path,
    expect: Expect,
    cache_dir: &Path,
) -> Result<Verified, HostError> {
    verify_for(geteuid().as_raw(), name, path, expect, cache_dir)
}

/// As [`verify`], for the user `uid`.
fn verify_for(
    uid: u32,
    name: &str,
    path: &Path,
    expect: Expect,
    cache_dir: &Path,
) -> Result<Verified, HostError> {
    let source = Source::find(name, path)?;
    let reader = source.open_trusted(uid)?;
    let store = Store::open(name, cache_dir, uid)?;
    let copy = store.take(reader)?;
    let (sha256, bytes) = (copy.sha256, copy.bytes);
    let plugin = || name.to_owned();
    if let Expect::Pinned(expected) = expect
        && expected != sha256
    {
        return Err(HostError::PinMismatch { plugin: plugin(), expected, found: sha256 });
    }
    let library = object::read(store.reader(&copy)?)
        .map_err(|unsound| HostError::NotALibrary { plugin: plugin(), reason: unsound.0 })?;
    let entry = object::admit(name, source.path(), library)?;
    let file = store.keep(copy, source.file_name())?;
    let source = source.path().to_path_buf();
    Ok(Verified { name: plugin(), file, entry, sha256, source, bytes })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
