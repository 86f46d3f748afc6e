//! One execution environment: a scratch directory and a log, and the process that runs in it.
//!
//! As on AWS the environment outlives its process: after a timeout or a crash the next event finds its
//! files, in a process that is initialized anew within that event's own time.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::mpsc;

use super::api::{Event, Piece, RESPONSE_MAX, Reply, Stream};
use super::guard::Guard;
use super::interpreter::Launch;
use super::log::Log;
use super::pool::Kind;
use super::process::{Handed, Process, Start};
use super::report::{Failure, Measured};
use super::said::{Ended, Initialized, Said};
use super::view::Entry;
use super::{Job, Outcome, Part};
use crate::clock::{Stopwatch, wall_ms};

/// AWS: real time an environment has for its initialization, before the function's timeout counts.
const INIT_MAX: Duration = Duration::from_secs(10);
/// AWS: real time it has if it is provisioned.
const PROVISIONED_INIT_MAX: Duration = Duration::from_mins(15);

/// What it takes to make an environment.
pub(super) struct Setup {
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) launch: Launch,
    /// The way into its view, if it has one of its own.
    pub(super) entry: Option<Entry>,
    pub(super) root: PathBuf,
    /// Its files, which go with it.
    pub(super) home: PathBuf,
    pub(super) log: Arc<Log>,
    /// Everything but where the Runtime API is.
    pub(super) variables: Vec<(OsString, OsString)>,
    pub(super) memory_mb: u64,
    pub(super) guard: Arc<Guard>,
}

/// An environment.
pub(super) struct Environment {
    setup: Setup,
    process: Mutex<Option<Arc<Process>>>,
    /// Whether it has run a process before.
    is_used: AtomicBool,
    /// Nothing is started in it any more.
    is_over: Arc<AtomicBool>,
    /// The most memory seen so far, in kilobytes; zero when the system does not tell.
    peak_kb: AtomicU64,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Environment").field("id", &self.setup.id).finish_non_exhaustive()
    }
}

/// What one attempt at a job came to.
struct End {
    payload: Bytes,
    failure: Option<Failure>,
    /// The function itself reported an error.
    is_error: bool,
}

impl Environment {
    /// An environment without a process.
    pub(super) fn new(setup: Setup) -> Arc<Self> {
        Arc::new(Self {
            setup,
            process: Mutex::new(None),
            is_used: AtomicBool::new(false),
            is_over: Arc::new(AtomicBool::new(false)),
            peak_kb: AtomicU64::new(0),
        })
    }

    /// Its number.
    pub(super) fn id(&self) -> u64 {
        self.setup.id
    }

    /// Which jobs it can run.
    pub(super) fn kind(&self) -> &Kind {
        &self.setup.kind
    }

    /// Kills its process and removes its files. Nothing is started in it any more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        match self.running() {
            // Its files go when it is gone.
            Some(process) => process.kill(),
            None => drop(std::fs::remove_dir_all(&self.setup.home)),
        }
    }

    /// Waits until its process is gone.
    pub(super) async fn gone(&self) {
        if let Some(process) = self.running() {
            process.gone().await;
        }
    }

    /// Runs one job.
    pub(super) async fn run(&self, job: &Job, to: Option<&mpsc::Sender<Part>>) -> Outcome {
        let limit = Duration::from_secs(job.route.deployed.configuration.timeout.unsigned_abs());
        let (process, init_ms) = match self.running().filter(|process| process.is_well()) {
            Some(process) => (Some(process), None),
            None if self.is_used.swap(true, Ordering::SeqCst) => (None, None),
            None => self.initialize_ahead(INIT_MAX).await,
        };
        let watch = Stopwatch::start();
        let was_told = process.is_some();
        if let Some(process) = process {
            self.say(&Said::Start(job));
            if let Some(end) = self.hand(&process, job, limit, to).await {
                return self.finish(job, end, watch.elapsed_ms(), init_ms);
            }
            // Nothing of a process that died between two events is this one's fault.
            self.stop(&process).await;
        }
        // AWS initializes a process that is missing within the time of the invocation.
        let ready = self.initialize(limit).await;
        let took_ms = watch.elapsed_ms();
        self.say_initialized(took_ms, false, ready.as_ref().err());
        if !was_told {
            self.say(&Said::Start(job));
        }
        let end = match ready {
            Err(failure) => End::failed(job, failure),
            Ok(process) => {
                let left = limit.saturating_sub(watch.elapsed());
                let end = self.hand(&process, job, left, to).await;
                let how = "Runtime exited without providing a reason".to_owned();
                end.unwrap_or_else(|| End::failed(job, Failure::Exited(how)))
            }
        };
        self.finish(job, end, watch.elapsed_ms(), None)
    }

    /// The first initialization of all, before the invocation's time. One that fails is tried again
    /// within it.
    async fn initialize_ahead(&self, limit: Duration) -> (Option<Arc<Process>>, Option<f64>) {
        let watch = Stopwatch::start();
        let ready = self.initialize(limit).await;
        let took_ms = watch.elapsed_ms();
        self.say_initialized(took_ms, true, ready.as_ref().err());
        match ready {
            Ok(process) => (Some(process), Some(took_ms)),
            Err(_) => (None, None),
        }
    }

    /// Initializes it ahead of its first job; whether that went well.
    pub(super) async fn provision(&self) -> bool {
        self.is_used.store(true, Ordering::SeqCst);
        let (process, _) = self.initialize_ahead(PROVISIONED_INIT_MAX).await;
        // No invocation's tail has what was printed before it.
        self.setup.log.take_tail();
        process.is_some()
    }

    fn say_initialized(&self, took_ms: f64, is_ahead: bool, failure: Option<&Failure>) {
        let is_provisioned = self.setup.kind.is_provisioned;
        self.say(&Said::InitEnd(Initialized { took_ms, is_ahead, is_provisioned, failure }));
    }

    /// Starts a process and waits until it is ready.
    async fn initialize(&self, limit: Duration) -> Result<Arc<Process>, Failure> {
        let process = self.start().await?;
        match process.ready(limit).await {
            Ok(_) => Ok(process),
            Err(failure) => {
                self.stop(&process).await;
                Err(failure)
            }
        }
    }

    async fn start(&self) -> Result<Arc<Process>, Failure> {
        let setup = &self.setup;
        let start = Start {
            launch: &setup.launch,
            entry: setup.entry.as_ref(),
            root: &setup.root,
            variables: &setup.variables,
            memory_kb: setup.memory_mb * 1024,
            guard: &setup.guard,
        };
        let (is_over, home) = (Arc::clone(&self.is_over), setup.home.clone());
        let when_gone = move || {
            if is_over.load(Ordering::SeqCst) {
                drop(std::fs::remove_dir_all(home));
            }
        };
        let started = Process::start(start, &setup.log, when_gone).await;
        let process = started.map_err(|error| Failure::NoStart {
            kind: "Runtime.InvalidEntrypoint",
            why: format!("fork/exec {}: {error}", setup.launch.program.display()),
        })?;
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&process));
        // Ended in the meantime.
        if self.is_over.load(Ordering::SeqCst) {
            process.kill();
        }
        Ok(process)
    }

    /// Kills a process and waits until it has said its last.
    async fn stop(&self, process: &Process) {
        self.see_memory(process);
        process.kill();
        process.gone().await;
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Hands the job to a process; none when that was gone before it took it.
    async fn hand(
        &self,
        process: &Process,
        job: &Job,
        limit: Duration,
        to: Option<&mpsc::Sender<Part>>,
    ) -> Option<End> {
        let watch = Stopwatch::start();
        let replied = match process.hand(event(job, limit), limit).await {
            Handed::Replied(reply) => reply,
            Handed::NotFetched => return None,
            Handed::Failed(failure) => {
                self.stop(process).await;
                return Some(End::failed(job, failure));
            }
        };
        let end = match replied {
            Reply::Response(body) => {
                if let Some(to) = to {
                    // A caller that hung up stops nothing.
                    drop(to.send(Part::Data(body.clone())).await);
                }
                End { payload: body, failure: None, is_error: false }
            }
            Reply::Error(body) => End { payload: body, failure: None, is_error: true },
            Reply::TooLarge => End::failed(job, Failure::TooLarge),
            Reply::Stream(stream) => {
                let left = limit.saturating_sub(watch.elapsed());
                match self.pass_on(process, stream, left, to).await {
                    Ok(end) => end,
                    Err(failure) => {
                        self.stop(process).await;
                        return Some(End::failed(job, failure));
                    }
                }
            }
        };
        if self.see_memory(process) {
            self.stop(process).await;
            return Some(End::failed(job, Failure::OutOfMemory));
        }
        Some(match end.failure {
            // Lambda's own error, not the function's.
            None if end.payload.len() > RESPONSE_MAX => End::failed(job, Failure::TooLarge),
            _ => end,
        })
    }

    /// Passes a streamed answer on to a caller that takes one, and gathers it for others.
    async fn pass_on(
        &self,
        process: &Process,
        mut stream: Stream,
        limit: Duration,
        to: Option<&mpsc::Sender<Part>>,
    ) -> Result<End, Failure> {
        if let Some(to) = to {
            drop(to.send(Part::ContentType(std::mem::take(&mut stream.content_type))).await);
        }
        let mut all = Vec::new();
        let passing = async {
            while let Some(piece) = stream.pieces.recv().await {
                match (piece, to) {
                    (Piece::Data(data), Some(to)) => drop(to.send(Part::Data(data)).await),
                    // One byte too many is enough to tell.
                    (Piece::Data(data), None) if all.len() <= RESPONSE_MAX => all.extend(data),
                    (Piece::Data(_), None) => {}
                    (Piece::Failed(report), _) => {
                        return Ok(End { payload: report.body, failure: None, is_error: true });
                    }
                    (Piece::End, _) => {
                        let payload = std::mem::take(&mut all).into();
                        return Ok(End { payload, failure: None, is_error: false });
                    }
                }
            }
            Err(Failure::Exited(process.how_it_ended().await))
        };
        tokio::select! {
            biased;
            end = passing => end,
            () = process.out_of_memory() => Err(Failure::OutOfMemory),
            () = tokio::time::sleep(limit) => Err(Failure::TimedOut),
        }
    }

    /// The last words of an invocation.
    fn finish(&self, job: &Job, end: End, took_ms: f64, init_ms: Option<f64>) -> Outcome {
        let timeout_s = job.route.deployed.configuration.timeout;
        let duration_ms = match end.failure {
            // AWS reports no more than the function had.
            Some(Failure::TimedOut) => seconds_ms(timeout_s),
            _ => took_ms,
        };
        let peak_mb = self.peak_kb.load(Ordering::Relaxed).div_ceil(1024);
        let measured =
            Measured { duration_ms, init_ms, used_mb: peak_mb.min(self.setup.memory_mb) };
        let produced = end.payload.len();
        let failure = end.failure.as_ref();
        self.say(&Said::End(Ended { job, measured, produced, failure }));
        Outcome {
            failed: end.is_error || end.failure.is_some(),
            payload: end.payload,
            duration_ms,
            log: self.setup.log.take_tail(),
        }
    }

    /// Adds what Lambda says behind what the process has printed.
    fn say(&self, said: &Said<'_>) {
        if let Some(process) = self.running() {
            self.setup.log.drain(process.source());
        }
        self.setup.log.say(said);
    }

    /// Notes how much memory a process has used; whether that was more than it may.
    fn see_memory(&self, process: &Process) -> bool {
        // A process that is gone tells nothing: what was seen last stands.
        let (peak, own) = process.peak_kb();
        self.peak_kb.fetch_max(peak, Ordering::Relaxed);
        own > self.setup.memory_mb * 1024
    }

    fn running(&self) -> Option<Arc<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl End {
    fn failed(job: &Job, failure: Failure) -> Self {
        Self { payload: failure.payload(job), failure: Some(failure), is_error: false }
    }
}

fn event(job: &Job, limit: Duration) -> Event {
    let limit_ms = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    Event {
        request_id: job.request_id.clone(),
        deadline_ms: wall_ms().saturating_add(limit_ms),
        invoked_arn: job.route.invoked_arn.clone(),
        trace_id: job.trace.clone().unwrap_or_else(|| trace(&job.request_id)),
        client_context: job.client_context.clone(),
        payload: job.payload.clone(),
    }
}

/// A trace of the invocation's own.
fn trace(request_id: &str) -> String {
    let hex: String = request_id.chars().filter(char::is_ascii_hexdigit).collect();
    let root = hex.get(..24).unwrap_or("000000000000000000000000");
    let parent = hex.get(hex.len().saturating_sub(16)..).unwrap_or("0000000000000000");
    format!("Root=1-{:08x}-{root};Parent={parent};Sampled=0", wall_ms() / 1000)
}

#[expect(clippy::cast_precision_loss, reason = "a timeout is far below 2^53 seconds")]
fn seconds_ms(seconds: i64) -> f64 {
    seconds as f64 * 1000.0
}
