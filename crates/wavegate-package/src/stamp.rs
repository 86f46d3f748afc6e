//! What the file system says about a file, and opening one without being led astray.
//!
//! A path can be replaced between the look and the opening. So files are opened without following a
//! last symlink and without waiting for a fifo's writer, and the opened file must be the one that
//! was looked at.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Identity and state of a file at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Size in bytes.
    pub(crate) size: u64,
    /// Time of the last change of the content, in nanoseconds since 1970.
    pub(crate) modified_ns: i128,
    /// Time of the last change of content or attributes, in nanoseconds since 1970. Unlike the
    /// former it cannot be set back by a program.
    pub(crate) changed_ns: i128,
    /// Whether its owner may execute it. Other bits depend on the umask of whoever made the file.
    pub(crate) executable: bool,
    /// Device and inode, 0 where the system has none.
    pub(crate) identity: (u64, u64),
}

impl Stamp {
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let ns = |seconds: i64, part: i64| i128::from(seconds) * 1_000_000_000 + i128::from(part);
        Self {
            size: metadata.size(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            executable: metadata.mode() & 0o100 != 0,
            identity: (metadata.dev(), metadata.ino()),
        }
    }

    /// Where there are no modes every file is executable, as in AWS's own tool for Windows: a
    /// `bootstrap` that is not would fail in Lambda only.
    #[cfg(not(unix))]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified_ns = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| i128::try_from(since.as_nanos()).ok())
            .unwrap_or(i128::MAX);
        Self {
            size: metadata.len(),
            modified_ns,
            changed_ns: modified_ns,
            executable: true,
            identity: (0, 0),
        }
    }

    /// Whether both are looks at the same file with the same content, as far as the file system
    /// can tell. Attributes may differ: a new hard link does not change what is packaged.
    pub(crate) fn same_content_as(&self, other: &Self) -> bool {
        self.size == other.size
            && self.modified_ns == other.modified_ns
            && self.identity == other.identity
    }

    /// The latest time of any change, in nanoseconds since 1970.
    pub(crate) fn newest_ns(&self) -> i128 {
        self.modified_ns.max(self.changed_ns)
    }
}

/// Opens a file for reading; fails rather than following a symlink at its end or waiting.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use nix::fcntl::OFlag;
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    }
    options.open(path)
}

/// What something is that is neither a file nor a directory.
pub(crate) fn special_kind(metadata: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a fifo";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    let _ = metadata;
    "a special file"
}

/// Whether following symlinks failed because they go round in circles.
pub(crate) fn is_link_loop(error: &io::Error) -> bool {
    #[cfg(unix)]
    let found = error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32);
    #[cfg(not(unix))]
    let found = false;
    found
}
