//! One process in an execution environment, in a group of its own, and its Runtime API.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use super::api::{self, Current, Desk, Event, Phase, Reply};
use super::guard::{Guard, kill_group};
use super::interpreter::Launch;
use super::log::{Log, Source};
use super::memory;
use super::report::{Failure, describe_exit};
use super::view::Entry;

/// Real time between two looks at the memory of a function that runs.
const MEMORY_EVERY: Duration = Duration::from_millis(50);

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    group: i32,
    desk: Arc<Desk>,
    events: mpsc::Sender<Event>,
    source: Arc<Source>,
    memory_kb: u64,
}

/// What it takes to start one.
pub(super) struct Start<'a> {
    pub(super) launch: &'a Launch,
    /// The way into the view that it gets, if it gets one.
    pub(super) entry: Option<&'a Entry>,
    pub(super) root: &'a Path,
    /// Everything but where the Runtime API is.
    pub(super) variables: &'a [(OsString, OsString)],
    /// Kilobytes it may use.
    pub(super) memory_kb: u64,
    pub(super) guard: &'a Arc<Guard>,
}

/// What became of an event that was handed to a process.
pub(super) enum Handed {
    /// The process answered.
    Replied(Reply),
    /// It failed.
    Failed(Failure),
    /// It was gone before it fetched the event.
    NotFetched,
}

impl Process {
    /// Starts the process. It is not ready yet. `when_gone` runs when it and its group are.
    pub(super) async fn start(
        start: Start<'_>,
        log: &Arc<Log>,
        when_gone: impl FnOnce() + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (reader, writer) = io::pipe()?;
        let source = Arc::new(Source::new(reader)?);
        let (desk, events) = Desk::new();
        let (stdin, door) = start.entry.map_or_else(|| Ok((Stdio::null(), None)), Entry::door)?;
        let through = start.entry.map(|entry| entry.through(start.launch));
        let launch = through.as_ref().unwrap_or(start.launch);
        let child = Command::new(&launch.program)
            .args(&launch.arguments)
            .current_dir(start.root)
            .env_clear()
            .envs(start.variables.iter().map(|(name, value)| (name, value)))
            .envs(launch.variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .stdin(stdin)
            .stdout(again(&writer)?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
        start.guard.add(group);
        let process = Arc::new(Self {
            group,
            desk: Arc::clone(&desk),
            events,
            source: Arc::clone(&source),
            memory_kb: start.memory_kb,
        });
        let served = tokio::spawn(api::serve(listener, desk));
        let (log, guard) = (Arc::clone(log), Arc::clone(start.guard));
        let of_pump = Arc::clone(&log);
        tokio::spawn(async move { of_pump.pump(&source).await });
        let watched = Arc::clone(&process);
        tokio::spawn(async move {
            watched.watch(child, &log, &guard).await;
            served.abort();
            when_gone();
        });
        if let (Some(entry), Some(door)) = (start.entry, door) {
            entry.meet(door, group).await;
        }
        Ok(process)
    }

    /// Waits for the end of the process and clears up after it.
    async fn watch(&self, mut child: Child, log: &Log, guard: &Guard) {
        let how = child.wait().await.map_or_else(|error| error.to_string(), describe_exit);
        // What the process started may outlive it, but not its environment.
        kill_group(self.group);
        guard.remove(self.group);
        log.drain(&self.source);
        self.desk.exited(how);
    }

    /// Kills the process and everything in its group.
    pub(super) fn kill(&self) {
        let is_gone = *self.desk.gone.borrow();
        if !is_gone && self.group > 1 {
            kill_group(self.group);
        }
    }

    /// Waits until the process is gone.
    pub(super) async fn gone(&self) {
        let _ = self.desk.gone.subscribe().wait_for(|gone| *gone).await;
    }

    /// Whether it can take an event.
    pub(super) fn is_well(&self) -> bool {
        matches!(*self.desk.phase.borrow(), Phase::Starting | Phase::Ready(_))
    }

    /// Its output.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// The most memory it has used: all of it and without mapped files, in kilobytes.
    pub(super) fn peak_kb(&self) -> (u64, u64) {
        memory::peak_kb(self.group)
    }

    /// Waits until it asks for its first event; milliseconds since its start.
    pub(super) async fn ready(&self, limit: Duration) -> Result<f64, Failure> {
        let mut phase = self.desk.phase.subscribe();
        let end = tokio::select! {
            biased;
            end = phase.wait_for(|phase| !matches!(phase, Phase::Starting)) => {
                end.map(|phase| phase.clone()).ok()
            }
            () = self.out_of_memory() => return Err(Failure::OutOfMemory),
            () = tokio::time::sleep(limit) => return Err(Failure::TimedOut),
        };
        match end {
            Some(Phase::Ready(init_ms)) => Ok(init_ms),
            Some(Phase::InitFailed(report)) => Err(Failure::Reported(report)),
            Some(Phase::Exited(how)) => Err(Failure::Exited(how)),
            Some(Phase::Starting) | None => Err(Failure::Exited(NO_REASON.to_owned())),
        }
    }

    /// Hands an event to it and waits for the answer, the beginning of it for one that is streamed.
    pub(super) async fn hand(&self, event: Event, limit: Duration) -> Handed {
        let (reply, replied) = oneshot::channel();
        let request_id = event.request_id.clone();
        *self.desk.current() = Some(Current { request_id, fetched: false, reply });
        if self.events.try_send(event).is_err() {
            return Handed::NotFetched;
        }
        let mut phase = self.desk.phase.subscribe();
        let reply = tokio::select! {
            biased;
            reply = replied => reply.ok(),
            _ = phase.wait_for(|phase| matches!(phase, Phase::Exited(_))) => None,
            () = self.out_of_memory() => return Handed::Failed(Failure::OutOfMemory),
            () = tokio::time::sleep(limit) => return Handed::Failed(Failure::TimedOut),
        };
        match reply {
            Some(reply) => Handed::Replied(reply),
            None if self.desk.current().as_ref().is_some_and(|current| !current.fetched) => {
                Handed::NotFetched
            }
            None => Handed::Failed(Failure::Exited(self.how_it_ended().await)),
        }
    }

    /// How it ended; it is dying or dead.
    pub(super) async fn how_it_ended(&self) -> String {
        self.gone().await;
        match &*self.desk.phase.borrow() {
            Phase::Exited(how) => how.clone(),
            _ => NO_REASON.to_owned(),
        }
    }

    /// Returns when it has taken more memory than it may.
    pub(super) async fn out_of_memory(&self) {
        loop {
            tokio::time::sleep(MEMORY_EVERY).await;
            if memory::used_kb(self.group) > self.memory_kb {
                return;
            }
        }
    }
}

/// Another writing end of a pipe. Node.js makes its stdout non-blocking, which must not reach stderr:
/// where the system can, the pipe is opened anew.
fn again(writer: &PipeWriter) -> io::Result<Stdio> {
    let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
    match File::options().write(true).open(path) {
        Ok(file) => Ok(file.into()),
        Err(_) => Ok(writer.try_clone()?.into()),
    }
}

const NO_REASON: &str = "Runtime exited without providing a reason";
