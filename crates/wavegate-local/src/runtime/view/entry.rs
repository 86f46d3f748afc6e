//! The way of an environment's processes into its view.
//!
//! The first of them makes the view, and the cloud takes hold of it: a process that comes after a crash
//! finds the same `/tmp`. The view is gone when the hold and the last process are.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::runtime::interpreter::Launch;

const MAKE: &str = "/usr/bin/unshare";
const ENTER: &str = "/usr/bin/nsenter";
/// Mounts what a table says, lets the cloud take hold of it and becomes the function's process.
const FIRST: &str = r#"PATH=/usr/bin:/bin mount -a -T "$1" && cd /var/task && unset OLDPWD && shift && {
    echo >&0; read -r go; unset go; exec "$@" < /dev/null; }"#;
/// Becomes the function's process.
const NEXT: &str = r#"cd /var/task && unset OLDPWD && exec "$@""#;
/// Real time for the mounts: they take milliseconds, and where they fail they end.
const MOUNT_MAX: Duration = Duration::from_secs(10);

/// The way into one environment's view.
#[derive(Debug)]
pub(in crate::runtime) struct Entry {
    table: PathBuf,
    held: OnceLock<Held>,
}

/// A view that the cloud holds.
#[derive(Debug)]
struct Held {
    mounts: File,
    /// Who its owner is there, if that is not root.
    users: Option<File>,
}

impl Entry {
    /// The way into a view that is still to be made, of what a table says.
    pub(super) fn new(table: PathBuf) -> Self {
        Self { table, held: OnceLock::new() }
    }

    /// A launch that goes this way.
    pub(in crate::runtime) fn through(&self, launch: &Launch) -> Launch {
        let (program, mut arguments) = self.command();
        arguments.push(launch.program.clone().into());
        arguments.extend(launch.arguments.iter().cloned());
        Launch { program, arguments, ..launch.clone() }
    }

    /// The command line up to the function's program.
    pub(super) fn command(&self) -> (PathBuf, Vec<OsString>) {
        if let Some(held) = self.held.get() {
            return held.command();
        }
        let mut all: Vec<OsString> = vec!["--mount".into(), "--propagation=private".into()];
        if !geteuid().is_root() {
            all.extend(["--user".into(), "--map-root-user".into()]);
        }
        all.extend(["/bin/sh".into(), "-c".into(), FIRST.into(), "bootstrap".into()]);
        all.push(self.table.clone().into());
        (MAKE.into(), all)
    }

    /// What the next process gets as its standard input, and the other end of it, if that has to be met.
    pub(in crate::runtime) fn door(&self) -> io::Result<(Stdio, Option<UnixStream>)> {
        if self.held.get().is_some() {
            return Ok((Stdio::null(), None));
        }
        let (own, other) = std::os::unix::net::UnixStream::pair()?;
        own.set_nonblocking(true)?;
        Ok((std::os::fd::OwnedFd::from(other).into(), Some(UnixStream::from_std(own)?)))
    }

    /// Takes hold of the view that a process makes. One that cannot make it ends, and says why itself.
    pub(in crate::runtime) async fn meet(&self, mut door: UnixStream, process: i32) {
        let met = tokio::time::timeout(MOUNT_MAX, async {
            door.read_u8().await?;
            let held = Held::of(process)?;
            self.held.get_or_init(|| held);
            door.write_all(b"\n").await
        });
        // Without the hold the next process gets a view, and a `/tmp`, of its own.
        let _ = met.await;
    }
}

impl Held {
    fn of(process: i32) -> io::Result<Self> {
        let open = |kind: &str| File::open(format!("/proc/{process}/ns/{kind}"));
        let users = if geteuid().is_root() { None } else { Some(open("user")?) };
        Ok(Self { mounts: open("mnt")?, users })
    }

    fn command(&self) -> (PathBuf, Vec<OsString>) {
        let path = |flag: &str, file: &File| {
            OsString::from(format!("--{flag}=/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
        };
        let mut all = vec![path("mount", &self.mounts)];
        if let Some(users) = &self.users {
            all.extend([path("user", users), "--preserve-credentials".into()]);
        }
        all.extend(["/bin/sh".into(), "-c".into(), NEXT.into(), "bootstrap".into()]);
        (ENTER.into(), all)
    }
}

/// Whether the programs that views need are there.
pub(super) fn has_programs() -> bool {
    [MAKE, ENTER].into_iter().all(|program| Path::new(program).exists())
}
