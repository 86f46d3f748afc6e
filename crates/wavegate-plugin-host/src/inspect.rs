//! What can be told about a plugin's file without running any of it: for people who ask, for
//! `wavegate plugin pin`, and for `doctor`.
//!
//! Unlike [`crate::verify`], nothing is copied, and what would be refused is told rather than
//! refused.

use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::error::{Finding, HostError};
use crate::object::{self, Contents, Entry, Format, Glibc, Platform};
use crate::pin::Pin;
use crate::verify::Source;

/// What a plugin's file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The file, canonical.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, as a pin takes it.
    pub sha256: Pin,
    /// What it was built for.
    pub platform: Platform,
    /// The target triple it was probably built for; `None` if nothing tells.
    pub target: Option<String>,
    /// Its entry points, of whatever major, ascending. A plugin has one of the major that this
    /// wavegate speaks.
    pub entries: Vec<Entry>,
    /// The libraries it needs.
    pub needs: Vec<String>,
    /// The oldest GNU C library that has all it needs; `None` if it needs none.
    pub glibc: Option<Glibc>,
    /// Who else could change the file, or put another one in its place.
    pub findings: Vec<Finding>,
}

/// Inspects the plugin at `path`, which may be written as in the manifest. Blocks: it reads the
/// whole file.
///
/// # Errors
/// WG301, WG302 and WG307: nothing to inspect.
pub fn inspect(path: &Path) -> Result<Inspection, HostError> {
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
    let not_a_library = |unsound: object::Unsound| HostError::NotALibrary {
        plugin: name.clone().into_owned(),
        reason: unsound.0,
    };
    let source = Source::find(&name, path)?;
    let findings = source.findings(geteuid().as_raw())?;
    let mut reader = source.open()?;
    reader.skim()?;
    let (sha256, bytes) = reader.sum();
    let library = object::read(reader.into_file()).map_err(not_a_library)?;
    let contents = library.contents.map_err(not_a_library)?;
    Ok(Inspection {
        path: source.path().to_path_buf(),
        bytes,
        sha256,
        target: target(&library.platform, &contents),
        platform: library.platform,
        entries: contents.entries.into_iter().collect(),
        needs: contents.needs,
        glibc: contents.glibc,
        findings,
    })
}

/// The triple, judged by the C library that is needed.
fn target(platform: &Platform, contents: &Contents) -> Option<String> {
    let needs = |part: &str| contents.needs.iter().any(|name| name.to_lowercase().contains(part));
    let architecture = match platform.architecture.as_str() {
        "x86" => "i686",
        "riscv64" => "riscv64gc",
        known @ ("x86_64" | "aarch64" | "s390x" | "loongarch64") => known,
        _ => return None,
    };
    let system = match platform.format {
        Format::Elf if contents.glibc.is_some() || needs("libc.so.6") => "unknown-linux-gnu",
        Format::Elf if needs("libc.musl") => "unknown-linux-musl",
        Format::MachO => "apple-darwin",
        Format::Pe if needs("vcruntime") => "pc-windows-msvc",
        Format::Pe if needs("msvcrt.dll") => "pc-windows-gnu",
        Format::Elf | Format::Pe => return None,
    };
    Some(format!("{architecture}-{system}"))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
