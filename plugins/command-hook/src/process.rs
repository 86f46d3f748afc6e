//! One run of a command: started as its own process group, read while it runs, killed as a group
//! however the run ends.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use wavegate_plugin_sdk::HookOutcome;

use crate::Config;
use crate::environment::Variables;
use crate::output::Tail;

/// The exit code that means *not yet*: `EX_TEMPFAIL` of `sysexits.h`.
const EXIT_NOT_YET: i32 = 75;

/// How long to wait before the command is run again, in milliseconds.
const RETRY_MS: u64 = 30_000;

/// What is read at once.
const CHUNK_BYTES: usize = 8_192;

/// How much is still read after the command ended: more than a pipe holds, so that nothing it
/// printed is lost, and not without end if something else keeps writing.
const MAX_DRAIN_BYTES: usize = 1 << 20;

/// Runs the command and turns how it ends into a verdict. Whatever keeps it from ending by itself
/// fails closed.
pub(crate) async fn judge(config: &Config, variables: &Variables) -> HookOutcome {
    let Some((program, arguments)) = config.command.split_first() else {
        return HookOutcome::Fail { reason: "there is no command to run".to_owned() };
    };
    let started = start(program, arguments, config, variables);
    let (child, mut output) = match started {
        Ok(started) => started,
        Err(error) => return HookOutcome::Fail { reason: not_started(program, config, &error) },
    };
    let mut group = Group::of(child);
    let mut tail = Tail::default();
    let ended = watch(&mut group.child, &mut output, &mut tail).await;
    // What the command left running must not write on, nor live on.
    drop(group);
    drain(&output, &mut tail);
    verdict(program, ended, tail.into_text())
}

fn start(
    program: &str,
    arguments: &[String],
    config: &Config,
    variables: &Variables,
) -> io::Result<(Child, pipe::Receiver)> {
    // One pipe for both streams keeps their lines in the order in which they were printed.
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true);
    if let Some(directory) = &config.cwd {
        command.current_dir(directory);
    }
    put(&mut command, &variables.cloud);
    command.envs(&config.env);
    put(&mut command, &variables.event);
    let child = command.spawn()?;
    // The command holds the writing ends now; ours must go, or the pipe would never end.
    drop(command);
    Ok((child, pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?))
}

fn put(command: &mut Command, variables: &[(&'static str, Option<String>)]) {
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// A running command and all that it starts. Killed as a whole on drop.
struct Group {
    child: Child,
    id: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Self { child, id }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // Fails when nothing is left, which is what is wanted. A group's id is not given out
            // again while a process of it lives; between the command's end and here nothing else
            // is awaited.
            let _ = killpg(id, Signal::SIGKILL);
        }
    }
}

/// Reads until the command ends, whether or not something that it started keeps the pipe open.
async fn watch(
    child: &mut Child,
    output: &mut pipe::Receiver,
    tail: &mut Tail,
) -> io::Result<ExitStatus> {
    let mut open = true;
    loop {
        tokio::select! {
            ended = child.wait() => return ended,
            readable = output.readable(), if open => {
                open = readable.is_ok() && read_once(output, tail) != Read::End;
            }
        }
    }
}

/// Reads what is left in the pipe, without waiting for more.
fn drain(output: &pipe::Receiver, tail: &mut Tail) {
    let mut total = 0;
    while let Read::Some(count) = read_once(output, tail) {
        total += count;
        if total >= MAX_DRAIN_BYTES {
            return;
        }
    }
}

#[derive(PartialEq, Eq)]
enum Read {
    Some(usize),
    NothingYet,
    End,
}

fn read_once(output: &pipe::Receiver, tail: &mut Tail) -> Read {
    let mut chunk = [0_u8; CHUNK_BYTES];
    match output.try_read(&mut chunk) {
        Ok(0) => Read::End,
        Ok(count) => {
            tail.push(&chunk[..count]);
            Read::Some(count)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::NothingYet,
        // A pipe that cannot be read says no more; the exit code decides.
        Err(_) => Read::End,
    }
}

fn verdict(program: &str, ended: io::Result<ExitStatus>, output: String) -> HookOutcome {
    let status = match ended {
        Ok(status) => status,
        Err(error) => {
            let reason = format!("could not tell how `{program}` ended: {error}");
            return HookOutcome::Fail { reason };
        }
    };
    match status.code() {
        Some(0) => HookOutcome::Pass { detail: output },
        Some(EXIT_NOT_YET) => HookOutcome::Retry { after_ms: RETRY_MS, detail: output },
        _ => HookOutcome::Fail { reason: with_output(how_ended(program, status), &output) },
    }
}

fn how_ended(program: &str, status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;

    match (status.code(), status.signal()) {
        (Some(code), _) => format!("`{program}` exited with {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => format!("`{program}` was killed by {signal}"),
            Err(_) => format!("`{program}` was killed by signal {signal}"),
        },
        (None, None) => format!("`{program}` ended with {status}"),
    }
}

fn with_output(reason: String, output: &str) -> String {
    if output.is_empty() { reason } else { format!("{reason}\n{output}") }
}

fn not_started(program: &str, config: &Config, error: &io::Error) -> String {
    let directory = match &config.cwd {
        Some(directory) if !directory.is_dir() => {
            return format!(
                "could not run `{program}`: there is no directory {}",
                directory.display()
            );
        }
        Some(directory) => format!(" in {}", directory.display()),
        None => String::new(),
    };
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "; is it installed and in PATH?",
        io::ErrorKind::PermissionDenied => "; is it executable?",
        _ => "",
    };
    format!("could not run `{program}`{directory}: {error}{hint}")
}
