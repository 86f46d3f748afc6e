//! Starting this program again as a plugin's process, and ending all that it started.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::ChildArgs;

/// How this program starts itself as a plugin's process.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The program: on Linux `/proc/self/exe`, which stays true when the file is replaced.
    pub program: PathBuf,
    /// The arguments before those that [`ChildArgs`] are read from: the name of a subcommand.
    pub arguments: Vec<OsString>,
}

impl Launcher {
    /// The command that starts a child: in a process group of its own, with pipes, and with nothing
    /// in its environment but what it is given. The flags are those that the child reads.
    #[doc(hidden)]
    pub fn command(&self, args: &ChildArgs, environment: &[(String, String)]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg("--name")
            .arg(&args.name)
            .arg("--library")
            .arg(&args.library)
            .arg("--entry")
            .arg(&args.entry)
            .arg("--memory-bytes")
            .arg(args.memory_bytes.to_string())
            .arg("--log-level")
            .arg(args.log_level.to_string())
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// A child that leads its process group, all of which ends with this value.
#[derive(Debug)]
pub struct Group {
    /// The leader.
    pub child: Child,
    /// The leader's number, which is the group's; `None` when all of it has ended.
    leader: Option<Pid>,
}

impl Group {
    /// The group that this child leads.
    pub fn of(child: Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Self { child, leader }
    }

    /// Sends a signal to all of it.
    pub fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // It may be gone already.
            let _ = killpg(leader, signal);
        }
    }

    /// Waits until the leader ends, and ends all that it started.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let ended = self.child.wait().await;
        // The group keeps the leader's number as long as a process of it lives.
        self.signal(Signal::SIGKILL);
        self.leader = None;
        ended
    }

    /// Waits until it ends, and ends it if that takes too long.
    pub async fn end(&mut self, within: Duration) {
        if timeout(within, self.wait()).await.is_err() {
            self.signal(Signal::SIGKILL);
            let _ = self.wait().await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
