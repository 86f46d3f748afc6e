//! What can be wrong with a source, where, and what to do about it.
//!
//! Codes are stable: a code keeps its meaning and is never given to another one. Text that came
//! from outside (paths, entry names) has its control and direction-changing characters escaped
//! here, once.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Problems printed in full by [`PackageError`]'s `Display`; the others are counted.
const SHOWN_PROBLEMS_MAX: usize = 20;

/// Why a source cannot be packaged: all of its problems.
#[derive(Debug)]
pub struct PackageError {
    source_path: PathBuf,
    problems: Vec<Problem>,
}

impl PackageError {
    pub(crate) fn new(source_path: &Path, mut problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty(), "an error without a problem");
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        Self { source_path: source_path.to_path_buf(), problems }
    }

    /// The directory or file that was to be packaged, as it was given.
    pub fn source_path(&self) -> &Path {
        &self.source_path
    }

    /// Every problem found, in the order of their places. Never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The code of the first problem.
    pub fn code(&self) -> &'static str {
        self.problems.first().map_or("WG210", Problem::code)
    }
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "cannot package `{}`: {count} {noun}", shown(&self.source_path))?;
        for problem in self.problems.iter().take(SHOWN_PROBLEMS_MAX) {
            write!(f, "\n  {}: {problem}", problem.code())?;
            if let Some(cause) = std::error::Error::source(problem) {
                write!(f, ": {cause}")?;
            }
            write!(f, "; fix: {}", problem.fix())?;
        }
        if count > SHOWN_PROBLEMS_MAX {
            write!(f, "\n  and {} more", count - SHOWN_PROBLEMS_MAX)?;
        }
        Ok(())
    }
}

// Causes are part of the message: there is one per problem, and a chain has room for one.
impl std::error::Error for PackageError {}

/// One thing that is wrong, and where.
#[derive(Debug)]
pub struct Problem {
    /// The path, ready to be printed; `archive.zip!name` for an entry of a zip.
    pub place: String,
    /// What is wrong there.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)
    }
}

impl std::error::Error for Problem {
    // The fault itself is in the message already.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.fault)
    }
}

impl Problem {
    pub(crate) fn at(path: &Path, fault: Fault) -> Self {
        Self { place: shown(path), fault }
    }

    pub(crate) fn in_zip(zip: &Path, name: &[u8], fault: Fault) -> Self {
        Self { place: format!("{}!{}", shown(zip), shown_bytes(name)), fault }
    }

    pub(crate) fn io(path: &Path, operation: &'static str, source: io::Error) -> Self {
        Self::at(path, Fault::Io { operation, source })
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// What the user can do about it, as a fragment without a period.
    pub fn fix(&self) -> String {
        self.fault.fix()
    }
}

/// What is wrong at one place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// WG201: nothing is there.
    #[error("does not exist")]
    SourceMissing,
    /// WG202: neither a directory nor a `.zip` file.
    #[error("is {found}, neither a directory nor a .zip file")]
    NotPackageable {
        /// What it is instead.
        found: &'static str,
    },
    /// WG203: nothing is left to package.
    #[error("has nothing to package ({ignored} left out by rules)")]
    Empty {
        /// Files and directories that rules left out.
        ignored: u64,
    },
    /// WG204: a symlink that leads out of the source.
    #[error("is a symlink that leads out of the source, to `{target}`")]
    LinkOutside {
        /// Where it leads.
        target: String,
    },
    /// WG204: a symlink to nothing.
    #[error("is a symlink to `{target}`, which does not exist")]
    LinkDangling {
        /// Where it leads.
        target: String,
    },
    /// WG204: following symlinks comes back to a directory that contains this one.
    #[error("leads back to `{target}`, which contains it")]
    LinkLoop {
        /// The directory that is met again.
        target: String,
    },
    /// WG205: a fifo, socket or device.
    #[error("is {kind}, which cannot be packaged")]
    Special {
        /// What it is.
        kind: &'static str,
    },
    /// WG206: more bytes than a function may have.
    #[error("unfolds to {total} bytes, more than the limit of {limit}{}", list(.largest))]
    TooLarge {
        /// Bytes found; reading stops soon after the limit, so there may be more.
        total: u64,
        /// The limit in bytes.
        limit: u64,
        /// The largest files with their sizes in bytes, at most ten, largest first.
        largest: Vec<(String, u64)>,
    },
    /// WG206: a zip file that is itself larger than any package within the limit could be.
    #[error("has {size} bytes, more than any package within the limit of {limit} unzipped bytes")]
    ZipTooLarge {
        /// Size of the zip file in bytes.
        size: u64,
        /// The limit of the unzipped size in bytes.
        limit: u64,
    },
    /// WG206: more entries than are accepted.
    #[error("has more than {limit} files and directories")]
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// WG207: a name that is not the same path everywhere.
    #[error("{0}")]
    Name(NameFault),
    /// WG207: the same name twice.
    #[error("is in the archive more than once")]
    Duplicate,
    /// WG207: two names that are one on a case-insensitive file system, or a file that is also a
    /// directory.
    #[error("is in conflict with `{other}`: unpacked, one would replace the other")]
    Conflict {
        /// The other name.
        other: String,
    },
    /// WG208: the file was written to while it was read.
    #[error("changed while it was packaged")]
    Changed,
    /// WG209: not a zip, or one that contradicts itself.
    #[error("is not a sound zip: {detail}")]
    BrokenZip {
        /// What was found.
        detail: String,
    },
    /// WG209: an entry that needs a password.
    #[error("is encrypted")]
    Encrypted,
    /// WG210: the operating system refused.
    #[error("cannot {operation} it")]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// WG211: a line of an ignore file that is not a pattern.
    #[error("line {line}: {detail}")]
    Rule {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        detail: String,
    },
}

impl Fault {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SourceMissing => "WG201",
            Self::NotPackageable { .. } => "WG202",
            Self::Empty { .. } => "WG203",
            Self::LinkOutside { .. } | Self::LinkDangling { .. } | Self::LinkLoop { .. } => "WG204",
            Self::Special { .. } => "WG205",
            Self::TooLarge { .. } | Self::ZipTooLarge { .. } | Self::TooManyEntries { .. } => {
                "WG206"
            }
            Self::Name(_) | Self::Duplicate | Self::Conflict { .. } => "WG207",
            Self::Changed => "WG208",
            Self::BrokenZip { .. } | Self::Encrypted => "WG209",
            Self::Io { .. } => "WG210",
            Self::Rule { .. } => "WG211",
        }
    }

    fn fix(&self) -> String {
        match self {
            Self::SourceMissing => "correct the function's `code` path, or build the code first",
            Self::NotPackageable { .. } => "give a directory or a .zip file as `code`",
            Self::Empty { ignored: 0 } => "put the function's code into the directory",
            Self::Empty { .. } => {
                "put code into the directory, or loosen its .lambdaignore (or .gitignore)"
            }
            Self::LinkOutside { .. } => {
                "copy the target into the source, or name the link in .lambdaignore"
            }
            Self::LinkDangling { .. } => {
                "restore the target, remove the link, or name it in .lambdaignore"
            }
            Self::LinkLoop { .. } => "remove the link, or name it in .lambdaignore",
            Self::Special { .. } => "remove it, or name it in .lambdaignore",
            Self::TooLarge { .. } | Self::ZipTooLarge { .. } | Self::TooManyEntries { .. } => {
                "leave out what the function does not need (.lambdaignore), or use a container image"
            }
            Self::Name(_) | Self::Duplicate | Self::Conflict { .. } => {
                "rename it or leave it out, and build the package again"
            }
            Self::Changed => "let the build that writes it finish, then try again",
            Self::BrokenZip { .. } => "build the zip again, with stored or deflated entries",
            Self::Encrypted => "build the zip without a password",
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "give yourself access to it, or name it in .lambdaignore"
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "free space where artifacts are kept"
            }
            Self::Io { .. } => "check the path and the file system, then try again",
            Self::Rule { .. } => "correct the pattern (gitignore syntax)",
        }
        .to_owned()
    }
}

/// Why a name cannot be an entry of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameFault {
    /// An empty name.
    #[error("has an empty name")]
    Empty,
    /// Starts with a slash.
    #[error("has an absolute path as its name")]
    Absolute,
    /// Starts with a drive letter.
    #[error("has a drive letter in its name")]
    Drive,
    /// Has `..` as a component.
    #[error("has `..` in its name")]
    Parent,
    /// Has `.` or nothing as a component.
    #[error("has an empty or `.` component in its name")]
    Redundant,
    /// Has a backslash, which is a separator elsewhere.
    #[error("has a backslash in its name")]
    Backslash,
    /// Has a NUL byte.
    #[error("has a NUL byte in its name")]
    Nul,
    /// Is not UTF-8.
    #[error("has a name that is not UTF-8")]
    NotUtf8,
    /// Is longer than file systems take.
    #[error("has a name longer than {max} bytes", max = crate::name::NAME_BYTES_MAX)]
    TooLong,
}

/// A path as people may see it.
pub(crate) fn shown(path: &Path) -> String {
    shown_bytes(path.as_os_str().as_encoded_bytes())
}

/// A name as people may see it: valid UTF-8 without control or direction-changing characters, which
/// could rewrite what a terminal or a log viewer shows.
pub(crate) fn shown_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || changes_direction(character) {
                text.extend(character.escape_unicode());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.extend(byte.escape_ascii().map(char::from));
        }
    }
    text
}

fn changes_direction(character: char) -> bool {
    matches!(
        character,
        '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

fn list(largest: &[(String, u64)]) -> String {
    if largest.is_empty() {
        return String::new();
    }
    let entries: Vec<String> =
        largest.iter().map(|(name, bytes)| format!("`{name}` {bytes}")).collect();
    format!("; the largest: {}", entries.join(", "))
}
