//! Runs function code for real.
//!
//! As on AWS an execution environment serves one event at a time; more events at once start more
//! environments, idle ones are used again, and those idle for long are ended. Code lives in real
//! time: timeouts and deadlines are real seconds, whatever the virtual clock does.
//!
//! An environment sees nothing of the host's variables but `PATH`. Where the system tells how much
//! memory processes use (Linux), a function that takes more than it was given is killed, at the latest
//! a moment after. It sees its code at AWS's paths, and a `/tmp` of its own, where the system lets it (see
//! [`view`]). Deliberately absent: networks, and any sandbox: the code is the user's own.

mod api;
mod environment;
mod guard;
mod interpreter;
mod job;
mod levels;
mod log;
mod memory;
mod pool;
mod process;
mod report;
mod said;
mod variables;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

pub use self::job::{Job, Outcome, Part};
pub use self::log::{LogFiles, LogSink, LogStream};

use self::environment::{Environment, Setup};
use self::guard::Guard;
use self::interpreter::{Interpreters, Launch, NoLaunch};
use self::levels::Format;
use self::log::Log;
use self::pool::Pool;
use self::report::{Failure, Measured};
use self::said::{Beginning, Ended, Said};
use self::view::{Entry, Mounts, View, Views};
use crate::home::Home;
use crate::lambda::model::Route;

/// Tries to remove what a killed cloud left, and real time between two.
const CLEAR_TRIES: u32 = 50;
const CLEAR_WAIT: Duration = Duration::from_millis(10);
/// Real time the environments get to be gone after they were killed.
const GONE_MAX: Duration = Duration::from_secs(2);

/// Where and as what environments run.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Told as `AWS_ENDPOINT_URL`.
    pub endpoint_url: String,
    /// Where environments get their scratch directories and clients.
    pub run_dir: PathBuf,
    /// Where logs go.
    pub logs: Arc<dyn LogSink>,
    /// Where `python3` and `node` are looked for.
    pub path: OsString,
}

/// All environments of a cloud.
#[derive(Debug, Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: RuntimeSettings,
    interpreters: Interpreters,
    views: Views,
    guard: Arc<Guard>,
    pool: Mutex<Pool>,
}

/// Removes what a cloud that was killed left. Its environments are killed a moment after it, and may
/// write until then.
fn clear(run_dir: &Path) -> io::Result<()> {
    for _ in 1..CLEAR_TRIES {
        match std::fs::remove_dir_all(run_dir) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(CLEAR_WAIT);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => return result,
        }
    }
    std::fs::remove_dir_all(run_dir)
}

impl Runtime {
    /// Prepares the directories and starts the guard; no environment yet.
    pub fn start(settings: RuntimeSettings) -> io::Result<Self> {
        clear(&settings.run_dir)?;
        let clients = settings.run_dir.join("clients");
        let inner = Inner {
            interpreters: Interpreters::new(&clients, settings.path.clone())?,
            views: Views::new(&settings.run_dir)?,
            guard: Arc::new(Guard::start()?),
            pool: Mutex::new(Pool::default()),
            settings,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Looks for a runtime's interpreter ahead of the first cold start, which need not wait then.
    pub async fn prepare(&self, runtime: &str) {
        self.inner.interpreters.find_for(runtime).await;
        self.inner.views.are_possible().await;
    }

    /// Runs one job, in an idle environment if there is one.
    pub async fn invoke(&self, job: Job) -> Outcome {
        self.run(&job, None).await
    }

    /// Runs one job and sends its answer on as it comes. The outcome's payload is the error, if there
    /// was one; parts may have been sent before it.
    pub async fn stream(&self, job: Job, to: &mpsc::Sender<Part>) -> Outcome {
        self.run(&job, Some(to)).await
    }

    async fn run(&self, job: &Job, to: Option<&mpsc::Sender<Part>>) -> Outcome {
        let Some(root) = &job.root else {
            return self.refused(
                job,
                NoLaunch {
                    kind: "Runtime.InvalidEntrypoint",
                    message: "container images are not run by the local cloud: only zip packages \
                              are"
                    .to_owned(),
                },
            );
        };
        let idle = self.pool().take(&job.kind());
        let environment = match idle {
            Some(environment) => environment,
            None => match self.make_environment(job, root).await {
                Ok(environment) => environment,
                Err(no_launch) => return self.refused(job, no_launch),
            },
        };
        let mut lease = Lease { runtime: self, environment: Some(Arc::clone(&environment)) };
        let outcome = environment.run(job, to).await;
        lease.give_back();
        outcome
    }

    /// Ends environments of a home that were idle for long, and those of deployments that are not in
    /// `live`.
    pub fn reap(&self, home: &Home, live: &BTreeSet<String>) {
        let old = self.pool().old(home, live);
        for environment in old {
            environment.end();
        }
    }

    /// Says how many environments are provisioned for each deployment of a home, and ends idle ones beyond
    /// that.
    pub fn keep(&self, home: &Arc<Home>, kept: BTreeMap<String, u32>) {
        let surplus = self.pool().keep(home, kept);
        for environment in surplus {
            environment.end();
        }
    }

    /// How many provisioned environments are still to be started for a job of their kind.
    pub fn missing(&self, job: &Job) -> usize {
        self.pool().missing(&job.kind())
    }

    /// Starts an environment for jobs like this one, and initializes it. False if its code failed; what
    /// cannot be started here at all is not the code's fault.
    pub async fn provision(&self, job: &Job) -> bool {
        let Some(root) = &job.root else { return true };
        let Ok(environment) = self.make_environment(job, root).await else { return true };
        let mut lease = Lease { runtime: self, environment: Some(Arc::clone(&environment)) };
        let is_ready = environment.provision().await;
        if is_ready {
            lease.give_back();
        }
        is_ready
    }

    /// Kills everything at once and starts nothing more.
    pub fn kill_all(&self) -> Vec<impl Future<Output = ()> + Send + 'static> {
        let all = self.pool().close();
        all.into_iter()
            .map(|environment| {
                environment.end();
                async move { environment.gone().await }
            })
            .collect()
    }

    /// Kills everything and waits until it is gone.
    pub async fn shutdown(&self) {
        let gone = self.kill_all();
        let all = async {
            for one in gone {
                one.await;
            }
        };
        // What does not die from SIGKILL is stuck in the kernel; the guard tries once more.
        let _ = tokio::time::timeout(GONE_MAX, all).await;
    }

    /// How many environments there are.
    pub fn environment_count(&self) -> usize {
        self.pool().count()
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.inner.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make_environment(&self, job: &Job, root: &Path) -> Result<Arc<Environment>, NoLaunch> {
        let settings = &self.inner.settings;
        let configuration = &job.route.deployed.configuration;
        let id = self.pool().next_id();
        let home = settings.run_dir.join(format!("environment-{id}"));
        let scratch = home.join("tmp");
        crate::private::directory(&scratch).map_err(|error| no_launch(&scratch, &error))?;
        let launched = self.launch(job, root, &scratch).await;
        let (launch, entry, view) =
            launched.inspect_err(|_| drop(std::fs::remove_dir_all(&home)))?;
        let place = variables::Place {
            view: &view,
            scratch: &scratch,
            stream: &log_stream(job),
            path: self.inner.interpreters.path(),
            id,
        };
        let variables = variables::of(settings, job, &place);
        let environment = Environment::new(Setup {
            id,
            kind: job.kind(),
            launch,
            entry,
            root: root.to_owned(),
            log: self.begin_log(job, place.stream),
            home,
            variables,
            memory_mb: configuration.memory_size.unsigned_abs(),
            guard: Arc::clone(&self.inner.guard),
        });
        let is_added = self.pool().add(&environment);
        if !is_added {
            environment.end();
        }
        Ok(environment)
    }

    /// How a function is started, and what it sees where.
    async fn launch(
        &self,
        job: &Job,
        root: &Path,
        scratch: &Path,
    ) -> Result<(Launch, Option<Entry>, View), NoLaunch> {
        let configuration = &job.route.deployed.configuration;
        let Inner { interpreters, views, .. } = &*self.inner;
        let clients = interpreters.directory();
        if !(Views::can_lay(&job.layers) && views.are_possible().await) {
            let view = View::plain(root, clients, &job.layers);
            return Ok((interpreters.launch(configuration, job, root, &view).await?, None, view));
        }
        let view = View::of_aws(&job.layers);
        let launch = interpreters.launch(configuration, job, root, &view).await?;
        let needs: Vec<PathBuf> =
            launch.needs.iter().cloned().chain(interpreters.places()).collect();
        let mounts = Mounts {
            root,
            clients,
            scratch,
            scratch_mb: configuration.ephemeral_mb.unsigned_abs(),
            layers: &job.layers,
            needs: &needs,
        };
        let entry = views.open(&mounts, scratch.with_file_name("mounts"));
        Ok((launch, Some(entry.map_err(|error| no_launch(scratch, &error))?), view))
    }

    fn begin_log(&self, job: &Job, stream: &str) -> Arc<Log> {
        let settings = &self.inner.settings;
        let format = Format::of(job.route.deployed.configuration.logging_config.as_ref());
        let stream_of = settings.logs.begin(&job.home, &log_group(&job.route), stream);
        let log = Log::new(stream_of, format);
        log.say(&Said::InitStart(Beginning { job, stream }));
        log
    }

    /// The error of a job that no environment can be made for.
    fn refused(&self, job: &Job, no_launch: NoLaunch) -> Outcome {
        let log = self.begin_log(job, &log_stream(job));
        let NoLaunch { kind, message } = no_launch;
        let failure = Failure::NoStart { kind, why: message };
        let measured = Measured { duration_ms: 0.0, init_ms: None, used_mb: 0 };
        log.say(&Said::Start(job));
        log.say(&Said::End(Ended { job, measured, produced: 0, failure: Some(&failure) }));
        let payload = failure.payload(job);
        Outcome { payload, failed: true, duration_ms: 0.0, log: log.take_tail() }
    }
}

/// Holds an environment for one job. Dropped without being given back, it ends the environment.
struct Lease<'a> {
    runtime: &'a Runtime,
    environment: Option<Arc<Environment>>,
}

impl Lease<'_> {
    fn give_back(&mut self) {
        let Some(environment) = self.environment.take() else { return };
        let is_idle = self.runtime.pool().give_back(Arc::clone(&environment));
        if !is_idle {
            environment.end();
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(environment) = self.environment.take() {
            environment.end();
            self.runtime.pool().forget(&environment);
        }
    }
}

fn no_launch(path: &Path, error: &io::Error) -> NoLaunch {
    let message = format!("{}: {error}", path.display());
    NoLaunch { kind: "Runtime.InvalidEntrypoint", message }
}

/// The log group of a function: its own, unless it is configured to write to another one.
fn log_group(route: &Route) -> String {
    let configured = route.deployed.configuration.logging_config.as_ref();
    match configured.and_then(|logging| logging["LogGroup"].as_str()) {
        Some(group) => group.to_owned(),
        None => format!("/aws/lambda/{}", route.function),
    }
}

/// A log stream's name as AWS makes them: the date, the version, and something unique.
fn log_stream(job: &Job) -> String {
    let date = jiff::Timestamp::from_millisecond(crate::clock::wall_ms())
        .map(|at| at.strftime("%Y/%m/%d").to_string())
        .unwrap_or_default();
    let unique: String = job.request_id.chars().filter(char::is_ascii_hexdigit).collect();
    format!("{date}/[{}]{unique}", job.route.version)
}
