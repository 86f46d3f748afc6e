//! Runs function code for real.
//!
//! As on AWS an execution environment serves one event at a time; more events at once start more
//! environments, idle ones are used again, and those idle for long are ended. Code lives in real
//! time: timeouts and deadlines are real seconds, whatever the virtual clock does.
//!
//! An environment sees nothing of the host's variables but `PATH`. Deliberately absent: memory and
//! disk limits, a file system of its own, networks, and any sandbox: the code is the user's own.

mod api;
mod environment;
mod guard;
mod interpreter;
mod log;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;

use self::environment::{Environment, Ran, Setup, fault};
use self::guard::Guard;
use self::interpreter::{Interpreters, NoLaunch};
use crate::clock::Stopwatch;
use crate::lambda::model::Route;

/// How long an environment may be idle, in real time. AWS keeps them for some minutes.
const IDLE_MAX: Duration = Duration::from_mins(5);
/// Environments a job tries when each dies before it fetches the event.
const TRIES: u32 = 3;
/// Real time the environments get to be gone after they were killed.
const GONE_MAX: Duration = Duration::from_secs(2);

/// Where and as what environments run.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Told as `AWS_REGION`.
    pub region: String,
    /// Told as `AWS_ENDPOINT_URL`.
    pub endpoint_url: String,
    /// Where environments get their scratch directories and clients.
    pub run_dir: PathBuf,
    /// Where logs are written, one directory per function.
    pub log_dir: PathBuf,
    /// Where `python3` and `node` are looked for.
    pub path: OsString,
}

/// One attempt to invoke a function.
#[derive(Debug, Clone)]
pub struct Job {
    /// The request's id.
    pub request_id: String,
    /// Where it goes.
    pub route: Arc<Route>,
    /// Where the route's package was unpacked; absent for images.
    pub root: Option<PathBuf>,
    /// The event.
    pub payload: Bytes,
    /// The caller's client context, as JSON.
    pub client_context: Option<String>,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The answer, or the error as JSON.
    pub payload: Bytes,
    /// Whether it is a function error.
    pub failed: bool,
    /// Real milliseconds the function ran.
    pub duration_ms: f64,
    /// The last 4 KB of its log.
    pub log: Vec<u8>,
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
    guard: Arc<Guard>,
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    idle: HashMap<String, Vec<(Arc<Environment>, Stopwatch)>>,
    all: BTreeMap<u64, Arc<Environment>>,
    next_id: u64,
    is_closed: bool,
}

impl Runtime {
    /// Prepares the directories and starts the guard; no environment yet.
    pub fn start(settings: RuntimeSettings) -> io::Result<Self> {
        // Left by a cloud that was killed.
        if settings.run_dir.exists() {
            std::fs::remove_dir_all(&settings.run_dir)?;
        }
        let clients = settings.run_dir.join("clients");
        let inner = Inner {
            interpreters: Interpreters::new(&clients, settings.path.clone())?,
            guard: Arc::new(Guard::start()?),
            pool: Mutex::new(Pool::default()),
            settings,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Looks for a runtime's interpreter ahead of the first cold start, which need not wait then.
    pub async fn prepare(&self, runtime: &str) {
        self.inner.interpreters.find_for(runtime).await;
    }

    /// Runs one job, in an idle environment if there is one.
    pub async fn invoke(&self, job: Job) -> Outcome {
        let Some(root) = job.root.clone() else {
            return refused(
                &job,
                "Runtime.InvalidEntrypoint",
                "container images are not run by the local cloud: only zip packages are",
            );
        };
        for _ in 0..TRIES {
            let (environment, is_cold) = match self.take_idle(&job.route.deployed.deployment) {
                Some(environment) => (environment, false),
                None => match self.start_environment(&job, &root).await {
                    Ok(environment) => (environment, true),
                    Err(NoLaunch { kind, message }) => return refused(&job, kind, &message),
                },
            };
            let mut lease = Lease { runtime: self, environment: Some(environment) };
            let Some(environment) = &lease.environment else { continue };
            if let Ran::Done(outcome, is_reusable) = environment.run(&job, is_cold).await {
                if is_reusable {
                    lease.give_back();
                }
                return outcome;
            }
        }
        refused(&job, "Runtime.ExitError", "Runtime exited without providing a reason")
    }

    /// Ends environments that were idle for long, and those of deployments that are not in `live`.
    pub fn reap(&self, live: &BTreeSet<String>) {
        let mut ended = Vec::new();
        let mut pool = self.pool();
        pool.idle.retain(|deployment, idle| {
            let is_live = live.contains(deployment);
            idle.retain(|(environment, since)| {
                let stays = is_live && !environment.is_over() && since.elapsed() < IDLE_MAX;
                if !stays {
                    ended.push(Arc::clone(environment));
                }
                stays
            });
            !idle.is_empty()
        });
        for environment in &ended {
            pool.all.remove(&environment.id);
        }
        drop(pool);
        for environment in ended {
            environment.kill();
        }
    }

    /// Kills everything at once and starts nothing more.
    pub fn kill_all(&self) -> Vec<impl Future<Output = ()> + Send + 'static> {
        let mut pool = self.pool();
        pool.is_closed = true;
        pool.idle.clear();
        let all = std::mem::take(&mut pool.all);
        drop(pool);
        all.into_values()
            .map(|environment| {
                environment.kill();
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
        self.pool().all.len()
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.inner.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The idle environment that was used last: the others can grow old.
    fn take_idle(&self, deployment: &str) -> Option<Arc<Environment>> {
        let mut pool = self.pool();
        while let Some((environment, _)) = pool.idle.get_mut(deployment)?.pop() {
            if !environment.is_over() {
                return Some(environment);
            }
            pool.all.remove(&environment.id);
        }
        None
    }

    async fn start_environment(
        &self,
        job: &Job,
        root: &Path,
    ) -> Result<Arc<Environment>, NoLaunch> {
        let configuration = &job.route.deployed.configuration;
        let launch = self.inner.interpreters.launch(configuration, root).await?;
        let id = {
            let mut pool = self.pool();
            pool.next_id += 1;
            pool.next_id
        };
        let scratch = self.inner.settings.run_dir.join(format!("environment-{id}"));
        let stream = log_stream(job);
        let program = launch.program.clone();
        let setup = Setup {
            id,
            deployment: job.route.deployed.deployment.clone(),
            variables: self.variables(job, root, &scratch, &stream),
            log_path: self
                .inner
                .settings
                .log_dir
                .join(&job.route.function)
                .join(file_name(&stream)),
            launch,
            root: root.to_owned(),
            scratch,
        };
        let environment = Environment::start(setup, &self.inner.guard).await;
        let environment = environment.map_err(|error| NoLaunch {
            kind: "Runtime.InvalidEntrypoint",
            message: format!("fork/exec {}: {error}", program.display()),
        })?;
        let mut pool = self.pool();
        if pool.is_closed {
            environment.kill();
        } else {
            pool.all.insert(id, Arc::clone(&environment));
        }
        Ok(environment)
    }

    /// The variables AWS sets, below the function's own.
    fn variables(
        &self,
        job: &Job,
        root: &Path,
        scratch: &Path,
        stream: &str,
    ) -> Vec<(OsString, OsString)> {
        let settings = &self.inner.settings;
        let route = &job.route;
        let configuration = &route.deployed.configuration;
        let memory = configuration.memory_size.to_string();
        let group = format!("/aws/lambda/{}", route.function);
        let runtime = configuration.runtime.as_deref().unwrap_or_default();
        let mut all: Vec<(OsString, OsString)> = Vec::new();
        let mut set = |name: &str, value: OsString| all.push((name.into(), value));
        // A function's own LANG, TZ or PATH may replace these; the ones further down it may not.
        set("PATH", self.inner.interpreters.path().clone());
        set("LANG", "en_US.UTF-8".into());
        set("TZ", ":UTC".into());
        set("HOME", scratch.into());
        set("TMPDIR", scratch.into());
        // Never the developer's own profiles and keys.
        set("AWS_CONFIG_FILE", "/dev/null".into());
        set("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into());
        set("AWS_EC2_METADATA_DISABLED", "true".into());
        set("AWS_ENDPOINT_URL", settings.endpoint_url.clone().into());
        for (name, value) in &configuration.variables {
            set(name, value.into());
        }
        set("_HANDLER", configuration.handler.clone().unwrap_or_default().into());
        set("LAMBDA_TASK_ROOT", root.into());
        set("LAMBDA_RUNTIME_DIR", self.inner.interpreters.directory().into());
        set("AWS_REGION", settings.region.clone().into());
        set("AWS_DEFAULT_REGION", settings.region.clone().into());
        set("AWS_ACCESS_KEY_ID", crate::iam::FUNCTION_KEY.into());
        set("AWS_SECRET_ACCESS_KEY", "local".into());
        set("AWS_SESSION_TOKEN", "local".into());
        set("AWS_LAMBDA_FUNCTION_NAME", route.function.clone().into());
        set("AWS_LAMBDA_FUNCTION_VERSION", route.version.clone().into());
        set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.into());
        set("AWS_LAMBDA_LOG_GROUP_NAME", group.into());
        set("AWS_LAMBDA_LOG_STREAM_NAME", stream.into());
        set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into());
        if !runtime.starts_with("provided") {
            set("AWS_EXECUTION_ENV", format!("AWS_Lambda_{runtime}").into());
        }
        all
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
        let mut pool = self.runtime.pool();
        if pool.is_closed {
            environment.kill();
            return;
        }
        let idle = pool.idle.entry(environment.deployment.clone()).or_default();
        idle.push((environment, Stopwatch::start()));
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(environment) = self.environment.take() {
            environment.kill();
            self.runtime.pool().all.remove(&environment.id);
        }
    }
}

/// The error of a job that no environment could be started for.
fn refused(job: &Job, kind: &str, why: &str) -> Outcome {
    let id = &job.request_id;
    let message = format!("RequestId: {id} Error: {why}");
    let log = format!(
        "START RequestId: {id} Version: {}\n{message}\n{kind}\nEND RequestId: {id}\n",
        job.route.version
    );
    Outcome {
        payload: fault(kind, &message),
        failed: true,
        duration_ms: 0.0,
        log: log.into_bytes(),
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

fn file_name(stream: &str) -> String {
    format!("{}.log", stream.replace('/', "-"))
}
