//! A directory to a reproducible zip and its hash.
//!
//! [`package`] turns the code of one function into an [`Artifact`]: a directory is written as a zip
//! whose bytes depend on nothing but the content, a `.zip` file is judged and taken as it is.
//! [`unpack`] is the way back, for code that was downloaded.
//!
//! Invariants:
//! - The same content gives the same bytes on any machine: entries are sorted bytewise by path,
//!   every time is 1980-01-01 00:00, modes are 0644 or 0755, one deflate implementation at one
//!   level, and no extra fields. A test pins the hash of a known tree, so that a new version of a
//!   dependency cannot change it unseen.
//! - Packages stream: memory does not grow with the size of a file or of the package.
//! - The hash is of the bytes that were written, never of what should have been written.
//! - Nothing outside the source directory is read, and packaging extracts nothing.
//! - Every problem of a source is reported at once, each with place, cause, fix and a stable code.
//!
//! Choices, where others were possible:
//! - Directories have no entries of their own, so an empty directory is not in the package (as in
//!   git).
//! - A symlink is replaced by what it points to, if that lies inside the source.
//! - `.lambdaignore` holds at any level. Only a source without one at its top falls back to its own
//!   top-level `.gitignore`; `.gitignore` files further up or down are not read: the former name
//!   what must be deployed (`node_modules/`), the latter belong to vendored packages.
//! - Two paths that are equal but for case are an error: one would replace the other as soon as the
//!   package is unpacked on a case-insensitive file system.
//!
//! Deliberately absent: async (callers use a blocking thread per function), layers, container
//! images, uploading, and any clock but that of the file system.

mod archive;
mod error;
mod index;
mod name;
mod prebuilt;
mod rules;
mod stamp;
mod tree;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use error::{Fault, NameFault, PackageError, Problem};
pub use unpack::unpack;

/// The most bytes a package may unfold to, layers included: 250 MB. Lambda's own words for a larger
/// one are "Unzipped size must be smaller than 262144000 bytes"
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub const MAX_UNZIPPED_BYTES: u64 = 262_144_000;

/// The most bytes of a zip that Lambda takes in a request: 50 MB. A larger one goes through S3
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub const MAX_DIRECT_UPLOAD_BYTES: u64 = 52_428_800;

/// The most entries of one package. Lambda names no limit; this one bounds memory and time against
/// archives and symlink farms that were built to exhaust them.
pub const MAX_ENTRIES: usize = 100_000;

/// How a source is packaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where artifacts are written, as `<sha256>.zip`. Created with mode 0700 when it does not
    /// exist.
    pub out_dir: PathBuf,
    /// The most bytes the package may unfold to.
    pub max_unzipped: u64,
    /// Whether an unchanged source may be recognised without compressing it again.
    pub cache: Cache,
}

impl Options {
    /// Options with AWS's limits that write to `out_dir` and use the cache there.
    pub fn new(out_dir: impl Into<PathBuf>) -> Self {
        Self { out_dir: out_dir.into(), max_unzipped: MAX_UNZIPPED_BYTES, cache: Cache::Use }
    }
}

/// What to do with the notes of earlier runs beside the artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cache {
    /// Use them where they provably still hold, and keep them.
    #[default]
    Use,
    /// Neither read nor write them.
    Bypass,
}

/// The packaged code of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The zip: inside `out_dir` for a directory, the source itself for a `.zip` file.
    pub path: PathBuf,
    /// SHA-256 of the zip's bytes.
    pub sha256: [u8; 32],
    /// Size of the zip in bytes.
    pub zipped_bytes: u64,
    /// Sum of the sizes of its files in bytes, as read, not as declared.
    pub unzipped_bytes: u64,
    /// Number of its entries.
    pub entries: u64,
    /// Files and directories that were left out by a rule (a directory counts as one).
    pub ignored: u64,
    /// True when nothing had to be compressed because the source had not changed.
    pub reused: bool,
}

impl Artifact {
    /// The hash as Lambda reports it in `CodeSha256`: base64 of the SHA-256 of the zip.
    pub fn code_sha256(&self) -> String {
        STANDARD.encode(self.sha256)
    }

    /// The hash in lower-case hexadecimal, as in the artifact's file name.
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256)
    }

    /// Whether Lambda takes the zip in a request; otherwise it has to go through S3.
    pub fn fits_direct_upload(&self) -> bool {
        self.zipped_bytes <= MAX_DIRECT_UPLOAD_BYTES
    }
}

/// Packages `source`: a directory becomes a reproducible zip in `options.out_dir`, a `.zip` file is
/// judged and hashed where it lies.
///
/// Blocking. Several calls may run at the same time, also on the same source and the same
/// `out_dir`.
///
/// # Errors
/// Every problem of the source, each with a code from WG201 to WG211.
pub fn package(source: &Path, options: &Options) -> Result<Artifact, PackageError> {
    judge(source, options).map_err(|problems| PackageError::new(source, problems))
}

fn judge(source: &Path, options: &Options) -> Result<Artifact, Vec<Problem>> {
    let metadata = match fs::metadata(source) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(vec![Problem::at(source, Fault::SourceMissing)]);
        }
        Err(error) => return Err(vec![Problem::io(source, "look at", error)]),
    };
    if metadata.is_dir() {
        return package_directory(source, options);
    }
    let is_zip = source.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    if metadata.is_file() && is_zip {
        return package_zip(source, options);
    }
    let found = if metadata.is_file() {
        "a file that is not named .zip"
    } else {
        stamp::special_kind(&metadata)
    };
    Err(vec![Problem::at(source, Fault::NotPackageable { found })])
}

fn package_directory(source: &Path, options: &Options) -> Result<Artifact, Vec<Problem>> {
    let out_dir = open_out_dir(&options.out_dir)?;
    let tree = tree::look(source, &out_dir, options)?;
    let root = tree.root.clone();
    with_index(&root, &out_dir, options, tree.fingerprint(), tree.newest_ns(), |known| {
        let Some(mut artifact) = known else {
            return archive::write(&tree, &out_dir);
        };
        let path = out_dir.join(format!("{}.zip", artifact.sha256_hex()));
        // The zip is read again rather than trusted: it may have been cut short by a crash, or
        // tampered with, and hashing costs a small part of what compressing does.
        if archive::holds(&path, &artifact) {
            artifact.path = path;
            artifact.ignored = tree.ignored;
            return Ok(artifact);
        }
        archive::write(&tree, &out_dir)
    })
}

fn package_zip(source: &Path, options: &Options) -> Result<Artifact, Vec<Problem>> {
    let out_dir = open_out_dir(&options.out_dir)?;
    let real = fs::canonicalize(source).map_err(|e| vec![Problem::io(source, "resolve", e)])?;
    let metadata = fs::metadata(&real).map_err(|e| vec![Problem::io(source, "look at", e)])?;
    let stamp = stamp::Stamp::of(&metadata);
    let fingerprint = index::fingerprint([("", &stamp)]);
    with_index(&real, &out_dir, options, fingerprint, stamp.newest_ns(), |known| match known {
        Some(artifact) if artifact.unzipped_bytes <= options.max_unzipped => {
            Ok(Artifact { path: source.to_path_buf(), ..artifact })
        }
        _ => prebuilt::judge(source, &real, &stamp, options.max_unzipped),
    })
}

/// Runs `work` with what the index knows about this very state of the source, and notes the result.
fn with_index(
    real_source: &Path,
    out_dir: &Path,
    options: &Options,
    fingerprint: [u8; 32],
    newest_ns: i128,
    work: impl FnOnce(Option<Artifact>) -> Result<Artifact, Vec<Problem>>,
) -> Result<Artifact, Vec<Problem>> {
    if options.cache == Cache::Bypass {
        return work(None);
    }
    let index = index::Index::of(real_source, out_dir);
    let known = index.lookup(fingerprint);
    // Begun before the first byte of the source is read: see `index` for why.
    let note = index.begin();
    let artifact = work(known)?;
    if let (false, Some(note)) = (artifact.reused, note) {
        note.commit(fingerprint, newest_ns, &artifact);
    }
    Ok(artifact)
}

/// Creates the directory of the artifacts and gives its real path.
fn open_out_dir(out_dir: &Path) -> Result<PathBuf, Vec<Problem>> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(out_dir)
        .and_then(|()| fs::canonicalize(out_dir))
        .map_err(|error| vec![Problem::io(out_dir, "create", error)])
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

// The laws about modes, links and special files need a system that has them.
#[cfg(test)]
#[cfg(unix)]
mod tests;
