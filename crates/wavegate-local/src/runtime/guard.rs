//! The guard: a small shell beside the cloud that kills what the cloud leaves behind.
//!
//! Execution environments live in process groups of their own. A cloud that ends in order kills
//! them itself; one that is killed cannot. The guard holds the other end of a pipe, learns every
//! group, and when the pipe breaks kills those that are left. It needs no `unsafe`, no polling and
//! no cooperation of the function's code.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Reads `+ GROUP` and `- GROUP` until its input ends, then kills the groups that remain.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
groups=" "
while read -r change group; do
  case $change in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"#;

/// The guard's handle. Dropping it ends the guard, which kills every group it still knows.
#[derive(Debug)]
pub(super) struct Guard {
    pipe: Mutex<Option<ChildStdin>>,
    shell: Mutex<Child>,
}

impl Guard {
    /// Starts the guard.
    pub(super) fn start() -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = shell.stdin.take();
        Ok(Self { pipe: Mutex::new(pipe), shell: Mutex::new(shell) })
    }

    /// Puts a process group under guard.
    pub(super) fn add(&self, group: i32) {
        self.tell('+', group);
    }

    /// Takes a process group that is gone from under guard, before its number is used again.
    pub(super) fn remove(&self, group: i32) {
        self.tell('-', group);
    }

    fn tell(&self, change: char, group: i32) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = pipe.as_mut() {
            // A guard that was killed cannot be told; orderly shutdown does not depend on it.
            let _ = pipe.write_all(format!("{change} {group}\n").as_bytes());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        *self.pipe.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.shell.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}

/// Kills a process group; one that is gone already is no error.
pub(super) fn kill_group(group: i32) {
    let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// A process in its own group that ends when killed; its stdout breaks then.
    fn sleeper() -> Child {
        Command::new("/bin/sh")
            .args(["-c", "sleep 1000 & wait"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap()
    }

    #[test]
    fn groups_left_behind_are_killed_and_removed_ones_are_not() {
        let (mut left, mut removed, mut other) = (sleeper(), sleeper(), sleeper());
        let id = |child: &Child| i32::try_from(child.id()).unwrap();
        let guard = Guard::start().unwrap();
        for child in [&left, &removed, &other] {
            guard.add(id(child));
        }
        guard.remove(id(&removed));
        drop(guard);
        for child in [&mut left, &mut other] {
            let mut rest = Vec::new();
            child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
            child.wait().unwrap();
        }
        assert_eq!(removed.try_wait().unwrap(), None);
        kill_group(id(&removed));
        removed.wait().unwrap();
    }
}
