//! One execution environment: a process in a group of its own, its Runtime API, its log.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Bytes;
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::api::{self, Current, Desk, Event, Phase, RESPONSE_MAX, Reply};
use super::guard::{Guard, kill_group};
use super::interpreter::Launch;
use super::log::Log;
use super::{Job, Outcome};
use crate::clock::{Stopwatch, wall_ms};
use crate::private;

/// AWS: real time an environment has for its initialization, before the function's timeout counts.
const INIT_MAX: Duration = Duration::from_secs(10);

/// What it takes to start an environment.
pub(super) struct Setup {
    pub(super) id: u64,
    pub(super) deployment: String,
    pub(super) launch: Launch,
    pub(super) root: PathBuf,
    pub(super) scratch: PathBuf,
    pub(super) log_path: PathBuf,
    /// Everything but where the Runtime API is.
    pub(super) variables: Vec<(OsString, OsString)>,
}

/// A running environment.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) id: u64,
    pub(super) deployment: String,
    group: i32,
    desk: Arc<Desk>,
    events: mpsc::Sender<Event>,
    log: Arc<Log>,
    scratch: PathBuf,
    /// The most memory seen so far, in megabytes; zero when the system does not tell.
    peak_mb: AtomicU64,
}

/// What came of handing a job to an environment.
pub(super) enum Ran {
    /// It ran; whether the environment can take another one.
    Done(Outcome, bool),
    /// The environment was gone before it fetched the event.
    NotStarted,
}

impl Environment {
    /// Starts the process. It is not ready yet: the first job waits for that.
    pub(super) async fn start(setup: Setup, guard: &Arc<Guard>) -> io::Result<Arc<Self>> {
        private::directory(&setup.scratch)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (reader, writer) = io::pipe()?;
        let log = Log::new(reader, &setup.log_path)?;
        let (desk, events) = Desk::new();
        let child = Command::new(&setup.launch.program)
            .args(&setup.launch.arguments)
            .current_dir(&setup.root)
            .env_clear()
            .envs(setup.variables)
            .envs(setup.launch.variables)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
        guard.add(group);
        let environment = Arc::new(Self {
            id: setup.id,
            deployment: setup.deployment,
            group,
            desk: Arc::clone(&desk),
            events,
            log: Arc::clone(&log),
            scratch: setup.scratch,
            peak_mb: AtomicU64::new(0),
        });
        let served = tokio::spawn(api::serve(listener, desk));
        tokio::spawn(async move { log.pump().await });
        tokio::spawn(Arc::clone(&environment).watch(child, Arc::clone(guard), served));
        Ok(environment)
    }

    /// Waits for the end of the process and clears up after it.
    async fn watch(
        self: Arc<Self>,
        mut child: Child,
        guard: Arc<Guard>,
        served: tokio::task::JoinHandle<()>,
    ) {
        let how = child.wait().await.map_or_else(|error| error.to_string(), describe_exit);
        // What the process started may outlive it, but not its environment.
        kill_group(self.group);
        guard.remove(self.group);
        self.log.drain();
        self.desk.exited(how);
        served.abort();
        let _ = tokio::fs::remove_dir_all(&self.scratch).await;
    }

    /// Kills the process and everything in its group.
    pub(super) fn kill(&self) {
        let is_gone = *self.desk.gone.borrow();
        if !is_gone && self.group > 1 {
            kill_group(self.group);
        }
    }

    /// Whether its process is gone or useless.
    pub(super) fn is_over(&self) -> bool {
        matches!(*self.desk.phase.borrow(), Phase::Exited(_) | Phase::InitFailed(_))
    }

    /// Waits until the process is gone.
    pub(super) async fn gone(&self) {
        let _ = self.desk.gone.subscribe().wait_for(|gone| *gone).await;
    }

    /// Runs one job. A first job waits for the initialization.
    pub(super) async fn run(&self, job: &Job, is_cold: bool) -> Ran {
        let limit = Duration::from_secs(job.route.deployed.configuration.timeout.unsigned_abs());
        let watch = Stopwatch::start();
        let mut phase = self.desk.phase.subscribe();
        let first =
            timeout(INIT_MAX + limit, phase.wait_for(|phase| !matches!(phase, Phase::Starting)));
        let first = match first.await {
            Ok(Ok(first)) => first.clone(),
            Ok(Err(_)) => return Ran::NotStarted,
            Err(_) => {
                self.begin(job);
                return self.timed_out(job, limit, watch.elapsed_ms());
            }
        };
        let init_ms = match first {
            Phase::Ready(init_ms) => is_cold.then_some(init_ms),
            Phase::InitFailed(body) => {
                self.kill();
                self.begin(job);
                return Ran::Done(self.failed(job, "error", body, watch.elapsed_ms()), false);
            }
            // Nothing of a warm environment's death is this job's fault.
            Phase::Exited(_) if !is_cold => return Ran::NotStarted,
            Phase::Exited(how) => {
                self.begin(job);
                return self.crashed(job, &how, watch.elapsed_ms());
            }
            Phase::Starting => return Ran::NotStarted,
        };
        self.dispatch(job, limit, init_ms).await
    }

    async fn dispatch(&self, job: &Job, limit: Duration, init_ms: Option<f64>) -> Ran {
        let watch = Stopwatch::start();
        let (reply, replied) = oneshot::channel();
        let request_id = job.request_id.clone();
        *self.desk.current() = Some(Current { request_id, fetched: false, reply });
        self.begin(job);
        if self.events.try_send(event(job, limit)).is_err() {
            return Ran::NotStarted;
        }
        let mut phase = self.desk.phase.subscribe();
        let reply = tokio::select! {
            biased;
            reply = replied => reply.ok(),
            _ = phase.wait_for(|phase| matches!(phase, Phase::Exited(_))) => None,
            () = tokio::time::sleep(limit) => return self.timed_out(job, limit, watch.elapsed_ms()),
        };
        let duration_ms = watch.elapsed_ms();
        match reply {
            Some(Reply::Response(body)) => {
                let log = self.log.end(&self.report(job, duration_ms, init_ms, ""));
                Ran::Done(Outcome { payload: body, failed: false, duration_ms, log }, true)
            }
            Some(Reply::Error(body)) => {
                let log = self.log.end(&self.report(job, duration_ms, init_ms, ""));
                Ran::Done(Outcome { payload: body, failed: true, duration_ms, log }, true)
            }
            Some(Reply::TooLarge) => {
                let body = fault(
                    "Function.ResponseSizeTooLarge",
                    &format!(
                        "Response payload size exceeded maximum allowed payload size \
                         ({RESPONSE_MAX} bytes)."
                    ),
                );
                // The client was cut off in mid-sentence: its connection is of no more use.
                self.kill();
                Ran::Done(self.failed(job, "error", body, duration_ms), false)
            }
            None if self.desk.current().as_ref().is_some_and(|current| !current.fetched) => {
                Ran::NotStarted
            }
            None => {
                let how = match &*self.desk.phase.borrow() {
                    Phase::Exited(how) => how.clone(),
                    _ => "Runtime exited without providing a reason".to_owned(),
                };
                self.crashed(job, &how, duration_ms)
            }
        }
    }

    fn begin(&self, job: &Job) {
        let (id, version) = (&job.request_id, &job.route.version);
        self.log.write(&format!("START RequestId: {id} Version: {version}\n"));
    }

    fn timed_out(&self, job: &Job, limit: Duration, duration_ms: f64) -> Ran {
        self.kill();
        let message = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
        let body =
            fault("Sandbox.Timedout", &format!("RequestId: {} Error: {message}", job.request_id));
        self.log.write(&format!("{} {} {message}\n\n", stamp(), job.request_id));
        Ran::Done(self.failed(job, "timeout", body, duration_ms), false)
    }

    fn crashed(&self, job: &Job, how: &str, duration_ms: f64) -> Ran {
        let message = format!("RequestId: {} Error: {how}", job.request_id);
        self.log.write(&format!("{message}\nRuntime.ExitError\n"));
        let body = fault("Runtime.ExitError", &message);
        Ran::Done(self.failed(job, "error", body, duration_ms), false)
    }

    fn failed(&self, job: &Job, status: &str, payload: Bytes, duration_ms: f64) -> Outcome {
        let status = format!("Status: {status}\t");
        let log = self.log.end(&self.report(job, duration_ms, None, &status));
        Outcome { payload, failed: true, duration_ms, log }
    }

    fn report(&self, job: &Job, duration_ms: f64, init_ms: Option<f64>, status: &str) -> String {
        let id = &job.request_id;
        let memory = job.route.deployed.configuration.memory_size;
        let used = self.peak_memory_mb();
        let init = init_ms.map(|init| format!("Init Duration: {init:.2} ms\t")).unwrap_or_default();
        format!(
            "END RequestId: {id}\nREPORT RequestId: {id}\tDuration: {duration_ms:.2} ms\tBilled \
             Duration: {billed:.0} ms\tMemory Size: {memory} MB\tMax Memory Used: {used} \
             MB\t{init}{status}\n",
            billed = (duration_ms + init_ms.unwrap_or(0.0)).ceil(),
        )
    }

    /// The most memory the process has used, where the system tells (Linux).
    fn peak_memory_mb(&self) -> u64 {
        let kilobytes = std::fs::read_to_string(format!("/proc/{}/status", self.group))
            .ok()
            .and_then(|status| {
                let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
                line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
            });
        let seen = kilobytes.unwrap_or(0).div_ceil(1024);
        // A process that is gone tells nothing: what was seen last stands.
        self.peak_mb.fetch_max(seen, Ordering::Relaxed).max(seen)
    }
}

fn event(job: &Job, limit: Duration) -> Event {
    let limit_ms = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    let hex: String = job.request_id.chars().filter(char::is_ascii_hexdigit).collect();
    let root = hex.get(..24).unwrap_or("000000000000000000000000");
    let parent = hex.get(hex.len().saturating_sub(16)..).unwrap_or("0000000000000000");
    Event {
        request_id: job.request_id.clone(),
        deadline_ms: wall_ms().saturating_add(limit_ms),
        invoked_arn: job.route.invoked_arn.clone(),
        trace_id: format!("Root=1-{:08x}-{root};Parent={parent};Sampled=0", wall_ms() / 1000),
        client_context: job.client_context.clone(),
        payload: job.payload.clone(),
    }
}

/// A function error as AWS words it.
pub(super) fn fault(kind: &str, message: &str) -> Bytes {
    Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string())
}

fn stamp() -> String {
    jiff::Timestamp::from_millisecond(wall_ms())
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        .unwrap_or_default()
}

fn describe_exit(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, signal) => {
            format!(
                "Runtime exited with error: signal: {}",
                signal_text(signal.unwrap_or_default())
            )
        }
    }
}

/// Signals in the words AWS uses (those of Go).
fn signal_text(signal: i32) -> String {
    let text = match Signal::try_from(signal) {
        Ok(Signal::SIGKILL) => "killed",
        Ok(Signal::SIGTERM) => "terminated",
        Ok(Signal::SIGSEGV) => "segmentation fault",
        Ok(Signal::SIGABRT) => "aborted",
        Ok(Signal::SIGBUS) => "bus error",
        Ok(Signal::SIGFPE) => "floating point exception",
        Ok(Signal::SIGILL) => "illegal instruction",
        Ok(Signal::SIGINT) => "interrupt",
        Ok(Signal::SIGHUP) => "hangup",
        Ok(other) => other.as_str(),
        Err(_) => return format!("signal {signal}"),
    };
    text.to_owned()
}
