//! A running local cloud: started, found by other processes, stopped.
//!
//! One state directory belongs to one cloud at a time: it holds an exclusive lock, which the system
//! releases when the process dies in whatever way. `endpoint.json` tells others where it listens,
//! and counts only while the lock is held.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alarm_action;
use crate::clock::{HIGH_WATER_LEAD, VirtualClock};
use crate::cloudwatch::{CloudWatch, Datum};
use crate::code::CodeStore;
use crate::codedeploy::{CodeDeploy, Fault, Key, Question};
use crate::doorway;
use crate::iam::{self, Need, Policy};
use crate::identity::Identity;
use crate::ids::SeededIds;
use crate::invoke;
use crate::lambda::error::ApiError;
use crate::lambda::model::{Key as LambdaKey, Lambda};
use crate::lambda::name::Home;
use crate::logs::{Logs, Sink};
use crate::private;
use crate::rate::RateLimit;
use crate::runtime::{LogFiles, Runtime, RuntimeSettings};
use crate::s3::Objects;
use crate::server;
use crate::state::{Changes, State};
use crate::sts::Session;
use crate::wire::{self, Request};

/// How long creations and updates stay under way, at most: a virtual second, or this much real time
/// when virtual time runs slower than four times real time.
const SETTLE_REAL_MS: f64 = 250.0;
const SETTLE_VIRTUAL_MS: f64 = 1000.0;
/// The fastest clock: beyond it a real millisecond is longer than CloudWatch's shortest period.
const TIME_SCALE_MAX: f64 = 10_000.0;
/// Real time to wait for a lock that a passing look may hold.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(10);
/// Real time between two writes of metric data.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Real time between two looks for environments that are no longer needed.
const REAP_EVERY: Duration = Duration::from_secs(30);
/// Real time between two writes of what functions log: long enough for a batch, and not to be noticed.
const WRITE_LOGS_EVERY: Duration = Duration::from_millis(20);
/// Real time between two looks for events that no group keeps any longer.
const EXPIRE_EVERY: Duration = Duration::from_mins(5);
/// Real time open connections get to end at shutdown.
const SERVER_END: Duration = Duration::from_secs(2);

/// Virtual milliseconds before a hook that was throttled is asked again, and before the state of
/// deployments that could not be saved is saved.
const AGAIN_MS: i64 = 1_000;

/// Different refusals that are kept: more than any policy has holes.
const REFUSALS_MAX: usize = 1_000;

const LOCK_FILE: &str = "lock";
const ENDPOINT_FILE: &str = "endpoint.json";
const STATE_FILE: &str = "state.sqlite";
const LOGS_FILE: &str = "logs.sqlite";
const OBJECTS_FILE: &str = "objects.sqlite";
/// Everything a cloud makes in its directory.
const ENTRIES: [&str; 14] = [
    STATE_FILE,
    "state.sqlite-wal",
    "state.sqlite-shm",
    LOGS_FILE,
    "logs.sqlite-wal",
    "logs.sqlite-shm",
    OBJECTS_FILE,
    "objects.sqlite-wal",
    "objects.sqlite-shm",
    ENDPOINT_FILE,
    "code",
    "objects",
    "run",
    "logs",
];

/// How to start a cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where its state lives. It is made, readable by its owner only.
    pub state_dir: PathBuf,
    /// The port on 127.0.0.1; any free one when absent.
    pub port: Option<u16>,
    /// How many virtual seconds pass in a real one.
    pub time_scale: f64,
    /// The region it pretends to be in.
    pub region: String,
    /// The twelve digits of the account it pretends to be.
    pub account: String,
    /// Repeats ids and the choices of weighted aliases; from the system when absent.
    pub seed: Option<u64>,
    /// Lambda control-plane requests per real second (AWS: 15); no limit when absent.
    pub requests_per_second: Option<u32>,
    /// The policies that signed calls are held against; everything is allowed when absent.
    pub policies: Option<Vec<Policy>>,
    /// The roles of functions must exist in IAM, and Lambda must be able to assume them. Any role is
    /// taken otherwise.
    pub check_roles: bool,
}

impl Options {
    /// The defaults: any free port, real time, `us-east-1`, account 000000000000, no limit, any role.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            port: None,
            time_scale: 1.0,
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            seed: None,
            requests_per_second: None,
            policies: None,
            check_roles: false,
        }
    }
}

/// Why a cloud could not be started, found or reset.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// An option makes no sense.
    #[error("option {option} of the local cloud is {value}: it must be {must}")]
    Option {
        /// Which.
        option: &'static str,
        /// What it was.
        value: String,
        /// What it has to be.
        must: &'static str,
    },
    /// The directory cannot be made, read or written.
    #[error("the local cloud cannot use {}", path.display())]
    Directory {
        /// The directory or a file in it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another cloud runs on the directory.
    #[error("a local cloud already runs on {}{}", path.display(), whose(running.as_ref()))]
    AlreadyRunning {
        /// The directory.
        path: PathBuf,
        /// The other cloud, as far as it tells.
        running: Option<Running>,
    },
    /// The state cannot be read.
    #[error(
        "the local cloud's state in {} is damaged; `wavegate local reset` starts afresh (the apps \
         deployed there are then gone)",
        path.display()
    )]
    Corrupt {
        /// The state file.
        path: PathBuf,
        /// What was found.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The state was written by a newer program.
    #[error(
        "the local cloud's state in {} has format {found}, and this program knows formats up to \
         {known}: use the newer program, or start afresh with `wavegate local reset` (the apps \
         deployed there are then gone)",
        path.display()
    )]
    Newer {
        /// The state file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// The state cannot be written.
    #[error("the local cloud cannot save its state in {}", path.display())]
    Save {
        /// The state file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The port cannot be had.
    #[error("the local cloud cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port; zero for any.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Function processes cannot be managed.
    #[error("the local cloud cannot prepare its function runtime")]
    Runtime {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system has no randomness.
    #[error("the system gives no random seed: {0}")]
    Randomness(getrandom::Error),
}

fn whose(running: Option<&Running>) -> String {
    running
        .map(|running| format!(" (process {}, {})", running.pid, running.url))
        .unwrap_or_default()
}

/// A cloud that runs, perhaps in another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// Where it listens.
    pub url: String,
    /// Its process.
    pub pid: u32,
    /// How many virtual seconds pass in a real one.
    pub time_scale: f64,
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
}

/// The cloud that runs on a state directory, if one does.
pub fn running(state_dir: &Path) -> Option<Running> {
    let lock = File::open(state_dir.join(LOCK_FILE)).ok()?;
    match Flock::lock(lock, FlockArg::LockSharedNonblock) {
        // Nobody holds it: whatever endpoint.json says is old.
        Ok(_) => None,
        Err(_) => read_endpoint(state_dir),
    }
}

/// Removes everything a cloud keeps in its directory, and nothing else.
///
/// # Errors
/// [`LocalError::AlreadyRunning`] while a cloud runs on it.
pub fn reset(state_dir: &Path) -> Result<(), LocalError> {
    if !state_dir.exists() {
        return Ok(());
    }
    let lock = lock(state_dir)?;
    for entry in ENTRIES {
        let path = state_dir.join(entry);
        let removed = match path.symlink_metadata() {
            Ok(data) if data.is_dir() => std::fs::remove_dir_all(&path),
            Ok(_) => std::fs::remove_file(&path),
            Err(_) => Ok(()),
        };
        removed.map_err(|source| LocalError::Directory { path, source })?;
    }
    drop(lock);
    Ok(())
}

/// A cloud in this process. Dropped without [`LocalCloud::shutdown`] it stops at once, as if killed.
#[derive(Debug)]
pub struct LocalCloud {
    cloud: Arc<Cloud>,
    server: Option<JoinHandle<()>>,
    state_dir: PathBuf,
    _lock: Flock<File>,
}

impl LocalCloud {
    /// Starts a cloud on a state directory and listens. Needs tokio's multi-thread runtime.
    ///
    /// # Errors
    /// Each variant of [`LocalError`]; nothing keeps running then.
    pub async fn start(mut options: Options) -> Result<Self, LocalError> {
        check(&options)?;
        // Functions run in their own directories, where a relative path would lead nowhere.
        if let Ok(absolute) = std::path::absolute(&options.state_dir) {
            options.state_dir = absolute;
        }
        let state_dir = options.state_dir.clone();
        make_directory(&state_dir)?;
        let lock = lock(&state_dir)?;
        let port = options.port.unwrap_or(0);
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.map_err(|source| LocalError::Listen { port, source })?;
        let address =
            listener.local_addr().map_err(|source| LocalError::Listen { port, source })?;
        let cloud = Arc::new(Cloud::open(&options, format!("http://{address}"))?);
        write_endpoint(&state_dir, &cloud.running())?;
        cloud.spawn_chores();
        let server = tokio::spawn(server::serve(listener, Arc::clone(&cloud)));
        Ok(Self { cloud, server: Some(server), state_dir, _lock: lock })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.cloud.url
    }

    /// Its clock.
    pub fn clock(&self) -> VirtualClock {
        self.cloud.clock.clone()
    }

    /// Stops it: kills the execution environments, saves everything, releases the directory.
    pub async fn shutdown(mut self) {
        self.cloud.stop.cancel();
        self.cloud.runtime.shutdown().await;
        if let Some(server) = self.server.take() {
            let abort = server.abort_handle();
            if tokio::time::timeout(SERVER_END, server).await.is_err() {
                abort.abort();
            }
        }
        self.cloud.tasks.close();
        let _ = tokio::time::timeout(SERVER_END, self.cloud.tasks.wait()).await;
        self.cloud.save_last();
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.cloud.stop.cancel();
        drop(self.cloud.runtime.kill_all());
        if let Some(server) = self.server.take() {
            server.abort();
        }
        let _ = std::fs::remove_file(self.state_dir.join(ENDPOINT_FILE));
    }
}

/// Everything the parts of a running cloud share.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) url: String,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) clock: VirtualClock,
    pub(crate) runtime: Runtime,
    pub(crate) code: CodeStore,
    pub(crate) objects: Objects,
    pub(crate) logs: Logs,
    log_sink: Sink,
    pub(crate) rate: Option<RateLimit>,
    policies: Option<Vec<Policy>>,
    pub(crate) check_roles: bool,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Asynchronous events that wait for an attempt.
    pub(crate) waiting: Arc<AtomicUsize>,
    core: Mutex<Core>,
    cloudwatch: Mutex<CloudWatch>,
    /// Taken before `core`, never after it.
    identity: Mutex<Identity>,
    /// Metric data has changed since it was saved.
    is_dirty: Notify,
    /// Alarms have changed, so the next evaluation may be due earlier.
    alarms_changed: Notify,
    /// So have deployments, or what they wait for.
    deployments_changed: Notify,
    counters: Mutex<Counters>,
}

/// What changes together, under one lock: deployments move Lambda's aliases.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) lambda: Lambda,
    pub(crate) codedeploy: CodeDeploy,
    pub(crate) ids: SeededIds,
    state: State,
}

#[derive(Debug, Default)]
struct Counters {
    calls: BTreeMap<String, u64>,
    /// Permissions that signed calls needed, by action.
    needed: BTreeMap<String, u64>,
    /// Calls that the policies did not allow, in the words they were refused with.
    refused: BTreeMap<String, u64>,
    served: BTreeMap<String, BTreeMap<String, Served>>,
}

/// What one version served through one alias since the cloud was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Served {
    invocations: u64,
    errors: u64,
}

impl Cloud {
    fn open(options: &Options, url: String) -> Result<Self, LocalError> {
        let directory = &options.state_dir;
        let state_path = directory.join(STATE_FILE);
        let (mut state, stored) = State::open(&state_path)?;
        let clock = VirtualClock::start(options.time_scale, stored.high_water_ms);
        state.save_high_water(clock.high_water_ms())?;
        let mut lambda =
            Lambda::new(&options.region, &options.account, settle_ms(options.time_scale));
        lambda.restore(stored.functions, stored.retired);
        lambda.serve_urls_at(doorway::prefix(&url));
        let mut cloudwatch = CloudWatch::new(&options.region, &options.account);
        let corrupt = |message: String| LocalError::Corrupt {
            path: state_path.clone(),
            source: message.into(),
        };
        lambda.restore_rows(stored.lambda).map_err(corrupt)?;
        if let Some(value) = stored.cloudwatch {
            cloudwatch.restore(value).map_err(corrupt)?;
        }
        let mut codedeploy = CodeDeploy::new(&options.region, &options.account);
        codedeploy.restore(stored.codedeploy).map_err(corrupt)?;
        let mut identity = Identity::new(&options.account);
        identity.restore(stored.identity).map_err(corrupt)?;
        let home = Home { region: options.region.clone(), account: options.account.clone() };
        let logs = Logs::open(&directory.join(LOGS_FILE), home)?;
        let objects = Objects::open(&directory.join("objects"), &directory.join(OBJECTS_FILE))?;
        let code = CodeStore::open(&directory.join("code"))
            .and_then(|code| code.keep_only(&lambda.code_in_use()).map(|()| code))
            .map_err(|source| LocalError::Directory { path: directory.join("code"), source })?;
        let ids = match options.seed {
            Some(seed) => SeededIds::from_seed(seed),
            None => SeededIds::from_system().map_err(LocalError::Randomness)?,
        };
        let log_sink = Sink::new(clock.clone(), LogFiles::new(directory.join("logs")));
        let runtime = Runtime::start(RuntimeSettings {
            region: options.region.clone(),
            endpoint_url: url.clone(),
            run_dir: directory.join("run"),
            logs: Arc::new(log_sink.clone()),
            path: std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()),
        })
        .map_err(|source| LocalError::Runtime { source })?;
        Ok(Self {
            url,
            region: options.region.clone(),
            account: options.account.clone(),
            clock,
            runtime,
            code,
            objects,
            logs,
            log_sink,
            rate: options.requests_per_second.map(RateLimit::new),
            policies: options.policies.clone(),
            check_roles: options.check_roles,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            waiting: Arc::new(AtomicUsize::new(0)),
            core: Mutex::new(Core { lambda, codedeploy, ids, state }),
            cloudwatch: Mutex::new(cloudwatch),
            identity: Mutex::new(identity),
            is_dirty: Notify::new(),
            alarms_changed: Notify::new(),
            deployments_changed: Notify::new(),
            counters: Mutex::new(Counters::default()),
        })
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at Lambda's state, or counts within it, without anything to save.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&mut Core, i64) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut core = self.core();
        let now = self.clock.now_ms();
        look(&mut core, now)
    }

    /// Changes Lambda's state and saves it before the answer goes out.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Core, i64) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut guard = self.core();
        let core = &mut *guard;
        let result = change(core, self.clock.now_ms());
        core.save().map_err(ApiError::service)?;
        result
    }

    /// Lets CodeDeploy answer, saves what that changed, and then lets its deployments go on.
    pub(crate) fn deploy<T>(
        &self,
        change: impl FnOnce(&mut Core, i64) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut guard = self.core();
        let core = &mut *guard;
        let result = change(core, self.clock.now_ms());
        if core.save().map_err(Fault::internal)? {
            self.deployments_changed.notify_one();
        }
        result
    }

    /// Brings all deployments to where they are now; the hooks to be asked, and when the next thing is
    /// due. A hook is asked when it is on disk that it is.
    fn advance_deployments(&self) -> (Vec<Question>, Option<i64>) {
        let now = self.clock.now_ms();
        // Before the lock: CloudWatch has its own.
        let alarms = self.cloudwatch().alarm_states(now);
        let mut guard = self.core();
        let core = &mut *guard;
        let next = core.codedeploy.advance(now, &mut core.ids, &mut core.lambda, &alarms);
        match core.save() {
            Ok(_) => (core.codedeploy.take_questions(), next),
            Err(error) => {
                tracing::warn!(%error, "where deployments stand is not saved");
                let soon = now.saturating_add(AGAIN_MS);
                (Vec::new(), Some(next.map_or(soon, |next| next.min(soon))))
            }
        }
    }

    /// Lets IAM answer, and saves what that changed.
    pub(crate) fn with_identity<T>(
        &self,
        answer: impl FnOnce(&mut Identity, i64, &mut SeededIds) -> Result<T, wire::Fault>,
    ) -> Result<T, wire::Fault> {
        let failed = |error: String| wire::Fault::new("ServiceFailureException", error);
        let mut identity = self.identity();
        let mut core = self.core();
        let result = answer(&mut identity, self.clock.now_ms(), &mut core.ids);
        let changed = identity.take_changes();
        let rows = changed.iter().map(|key| Ok((key.0.name(), key.1.as_str(), identity.row(key)?)));
        let rows =
            rows.collect::<serde_json::Result<Vec<_>>>().map_err(|it| failed(it.to_string()))?;
        if !rows.is_empty()
            && let Err(error) = core.state.save_identity(&rows)
        {
            identity.not_stored(changed);
            return Err(failed(error.to_string()));
        }
        result
    }

    /// The account's roles and policies.
    pub(crate) fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes metric data in.
    pub(crate) fn record(&self, data: impl IntoIterator<Item = Datum>) {
        let mut cloudwatch = self.cloudwatch();
        for datum in data {
            cloudwatch.record(datum);
        }
        drop(cloudwatch);
        self.is_dirty.notify_one();
    }

    /// Lets CloudWatch answer a request; what it says about alarms is saved at once.
    pub(crate) fn with_cloudwatch<T>(
        &self,
        changes_alarms: bool,
        answer: impl FnOnce(&mut CloudWatch, i64) -> T,
    ) -> Result<T, LocalError> {
        let answered = answer(&mut self.cloudwatch(), self.clock.now_ms());
        if changes_alarms {
            self.save_cloudwatch()?;
            self.alarms_changed.notify_one();
        } else {
            self.is_dirty.notify_one();
        }
        Ok(answered)
    }

    /// Counts a call of an operation.
    pub(crate) fn count(&self, operation: &str) {
        *self.counters().calls.entry(operation.to_owned()).or_default() += 1;
    }

    /// Holds a call that somebody signed against the policies; why it is refused, if it is.
    pub(crate) fn refusal(&self, request: &Request, needs: &[Need]) -> Option<String> {
        if !iam::is_somebodys(request) {
            return None;
        }
        let mut counters = self.counters();
        for need in needs {
            *counters.needed.entry(need.action.clone()).or_default() += 1;
        }
        let why = iam::refusal(self.policies.as_deref()?, &self.caller(request).arn, needs)?;
        if counters.refused.len() < REFUSALS_MAX {
            *counters.refused.entry(why.clone()).or_default() += 1;
        }
        Some(why)
    }

    /// Who calls: whose session the request has; else the account's root or, where there are policies,
    /// the user that has them.
    pub(crate) fn caller(&self, request: &Request) -> Session {
        Session::of(request).unwrap_or_else(|| match self.policies {
            None => Session::of_root(&self.account),
            Some(_) => Session::of_user(&self.account, iam::caller(&self.account)),
        })
    }

    /// Where names are resolved.
    pub(crate) fn home(&self) -> Home {
        Home { region: self.region.clone(), account: self.account.clone() }
    }

    /// Counts what a version served through an alias.
    pub(crate) fn served(&self, function: &str, alias: &str, version: &str, failed: bool) {
        let mut counters = self.counters();
        let aliases = counters.served.entry(format!("{function}:{alias}")).or_default();
        let served = aliases.entry(version.to_owned()).or_default();
        served.invocations += 1;
        served.errors += u64::from(failed);
    }

    /// What `GET /_wavegate/status` tells.
    pub(crate) fn status(&self) -> serde_json::Value {
        let (functions, invoking) = {
            let core = self.core();
            (core.lambda.function_count(), core.lambda.running())
        };
        let counters = self.counters();
        serde_json::json!({
            "wavegate": env!("CARGO_PKG_VERSION"),
            "url": self.url,
            "time_scale": self.clock.time_scale(),
            "now_ms": self.clock.now_ms(),
            "region": self.region,
            "account": self.account,
            "pid": std::process::id(),
            "functions": functions,
            "environments": self.runtime.environment_count(),
            "invoking": invoking,
            "calls": counters.calls,
            "permissions_needed": counters.needed,
            "refused": counters.refused,
            "policies": self.policies.as_ref().map(Vec::len),
            "served": counters.served,
        })
    }

    /// Where the package of a function can be downloaded.
    pub(crate) fn code_url(&self, sha256: &str) -> String {
        let zip = self.code.zip(sha256);
        let name = zip.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("{}/_wavegate/code/{name}", self.url)
    }

    /// Ends execution environments that nothing can reach any more.
    pub(crate) fn reap(&self) {
        let live = self.core().lambda.deployments_in_use();
        self.runtime.reap(&live);
    }

    fn running(&self) -> Running {
        Running {
            url: self.url.clone(),
            pid: std::process::id(),
            time_scale: self.clock.time_scale(),
            region: self.region.clone(),
            account: self.account.clone(),
        }
    }

    fn cloudwatch(&self) -> MutexGuard<'_, CloudWatch> {
        self.cloudwatch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save_cloudwatch(&self) -> Result<(), LocalError> {
        let snapshot = self.cloudwatch().snapshot();
        self.core().state.save_cloudwatch(&snapshot)
    }

    /// Writes what functions have logged. Blocks on the disk.
    fn write_logs(&self) -> rusqlite::Result<()> {
        let events = self.log_sink.take();
        if events.is_empty() { Ok(()) } else { self.logs.write(self.clock.now_ms(), &events) }
    }

    /// The last writes: the exact time, so that an orderly restart loses none.
    fn save_last(&self) {
        if let Err(error) = self.save_cloudwatch() {
            tracing::warn!(%error, "metric data of the last moments is lost");
        }
        if let Err(error) = self.write_logs() {
            tracing::warn!(%error, "what functions logged at last is lost");
        }
        let now = self.clock.now_ms();
        if let Err(error) = self.core().state.save_high_water(now) {
            tracing::warn!(%error, "the virtual clock will start a little ahead");
        }
    }

    /// Looks for the interpreters that functions need, in the background.
    pub(crate) fn prepare_runtimes(&self) {
        for name in self.core().lambda.runtimes() {
            let runtime = self.runtime.clone();
            self.tasks.spawn(async move { runtime.prepare(&name).await });
        }
    }

    fn spawn_chores(self: &Arc<Self>) {
        let chore = |work: JoinChore| {
            let stop = self.stop.clone();
            self.tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = work => {}
                }
            });
        };
        chore(Box::pin(evaluate_alarms(Arc::clone(self))));
        chore(Box::pin(run_deployments(Arc::clone(self))));
        chore(Box::pin(save_metrics(Arc::clone(self))));
        chore(Box::pin(keep_time(Arc::clone(self))));
        chore(Box::pin(end_idle(Arc::clone(self))));
        chore(Box::pin(expire_logs(Arc::clone(self))));
        chore(Box::pin(write_logs(Arc::clone(self))));
        self.prepare_runtimes();
    }
}

impl Core {
    /// Saves what has changed; whether anything of CodeDeploy's has. What could not be saved is saved
    /// with the next change.
    fn save(&mut self) -> Result<bool, String> {
        let functions = self.lambda.take_changes();
        let beside = self.lambda.take_row_changes();
        let rows = self.codedeploy.take_changes();
        if functions.is_empty() && beside.is_empty() && rows.is_empty() {
            return Ok(false);
        }
        let saved = self.write(&functions, &beside, &rows);
        if saved.is_err() {
            self.lambda.not_stored(functions);
            self.lambda.rows_not_stored(beside);
            self.codedeploy.not_stored(rows);
            return saved.map(|()| false);
        }
        Ok(!rows.is_empty())
    }

    fn write(
        &mut self,
        functions: &BTreeSet<String>,
        beside: &[LambdaKey],
        rows: &[Key],
    ) -> Result<(), String> {
        let mut changes = Changes::default();
        for name in functions {
            changes.functions.push((name, self.lambda.record(name)));
            changes.retired = Some(self.lambda.retired());
        }
        for key in beside {
            let record = self.lambda.row(key).map_err(|error| error.to_string())?;
            changes.lambda.push((key.0.name(), &key.1, record));
        }
        for key in rows {
            let record = self.codedeploy.row(key).map_err(|error| error.to_string())?;
            changes.codedeploy.push((key.0.name(), &key.1, record));
        }
        self.state.save(&changes).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", cause.unwrap_or_default())
        })
    }
}

type JoinChore = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Evaluates alarms exactly when they are due, and starts what they ask for.
async fn evaluate_alarms(cloud: Arc<Cloud>) {
    loop {
        let now = cloud.clock.now_ms();
        let (next, invocations) = {
            let mut cloudwatch = cloud.cloudwatch();
            (cloudwatch.tick(now), cloudwatch.take_invocations())
        };
        for invocation in invocations {
            alarm_action::start(&cloud, invocation);
        }
        cloud.is_dirty.notify_one();
        let changed = cloud.alarms_changed.notified();
        match next {
            Some(at_ms) => tokio::select! {
                () = cloud.clock.sleep_until(at_ms.max(now + 1)) => {}
                () = changed => {}
            },
            None => changed.await,
        }
    }
}

/// Lets deployments go on exactly when something is due.
async fn run_deployments(cloud: Arc<Cloud>) {
    let left = cloud.core().codedeploy.open_questions();
    for question in left {
        ask(&cloud, question);
    }
    loop {
        let changed = cloud.deployments_changed.notified();
        let (questions, next) = cloud.advance_deployments();
        for question in questions {
            ask(&cloud, question);
        }
        match next {
            Some(at_ms) => tokio::select! {
                () = cloud.clock.sleep_until(at_ms.max(cloud.clock.now_ms() + 1)) => {}
                () = changed => {}
            },
            None => changed.await,
        }
    }
}

/// Invokes a hook function with what CodeDeploy tells it. It answers by a call of its own.
fn ask(cloud: &Arc<Cloud>, question: Question) {
    let (of_task, stop) = (Arc::clone(cloud), cloud.stop.clone());
    cloud.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = ask_until_taken(&of_task, &question) => {}
        }
    });
}

/// A function that is throttled is asked again for as long as the deployment waits for it.
async fn ask_until_taken(cloud: &Arc<Cloud>, question: &Question) {
    while cloud.core().codedeploy.is_open(question) {
        match invoke::send(cloud, &question.function, question.payload()) {
            Ok(()) => return,
            Err(error) if error.status == 429 || error.status >= 500 => {
                cloud.clock.sleep(AGAIN_MS).await;
            }
            Err(error) => {
                let told = cloud.deploy(|core, now| {
                    core.codedeploy.unasked(now, &mut core.ids, question, error.to_string());
                    Ok(())
                });
                if let Err(error) = told {
                    tracing::warn!(%error, "that a hook cannot be asked is not saved");
                }
                return;
            }
        }
    }
}

/// Saves metric data when it has changed, at most once a second.
async fn save_metrics(cloud: Arc<Cloud>) {
    loop {
        cloud.is_dirty.notified().await;
        if let Err(error) = cloud.save_cloudwatch() {
            tracing::warn!(%error, "metric data is not saved");
        }
        tokio::time::sleep(SAVE_EVERY).await;
    }
}

/// Keeps the stored mark ahead of virtual time.
async fn keep_time(cloud: Arc<Cloud>) {
    loop {
        tokio::time::sleep(HIGH_WATER_LEAD / 2).await;
        let mark = cloud.clock.high_water_ms();
        if let Err(error) = cloud.core().state.save_high_water(mark) {
            tracing::warn!(%error, "virtual time is not saved");
        }
    }
}

/// Ends execution environments that are no longer needed.
async fn end_idle(cloud: Arc<Cloud>) {
    loop {
        tokio::time::sleep(REAP_EVERY).await;
        cloud.reap();
    }
}

/// Writes what functions log, a batch at a time.
async fn write_logs(cloud: Arc<Cloud>) {
    loop {
        cloud.log_sink.changed().await;
        tokio::time::sleep(WRITE_LOGS_EVERY).await;
        let of_task = Arc::clone(&cloud);
        let written = tokio::task::spawn_blocking(move || of_task.write_logs()).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "what functions logged is lost");
        }
    }
}

/// Removes log events that are kept no longer.
async fn expire_logs(cloud: Arc<Cloud>) {
    loop {
        tokio::time::sleep(EXPIRE_EVERY).await;
        let (logs, now) = (cloud.logs.clone(), cloud.clock.now_ms());
        let expired = tokio::task::spawn_blocking(move || logs.expire(now)).await;
        if let Ok(Err(error)) = expired {
            tracing::warn!(%error, "old log events are not removed");
        }
    }
}

fn check(options: &Options) -> Result<(), LocalError> {
    let refuse = |option, value: String, must| Err(LocalError::Option { option, value, must });
    let scale = options.time_scale;
    if !(scale.is_finite() && scale > 0.0 && scale <= TIME_SCALE_MAX) {
        return refuse("time_scale", scale.to_string(), "above 0 and at most 10000");
    }
    let account = &options.account;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return refuse("account", format!("{account:?}"), "twelve digits");
    }
    let region = &options.region;
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || !region.bytes().all(legal) {
        return refuse("region", format!("{region:?}"), "an AWS region such as us-east-1");
    }
    if options.requests_per_second == Some(0) {
        return refuse("requests_per_second", "0".to_owned(), "at least 1");
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "at most SETTLE_VIRTUAL_MS")]
fn settle_ms(time_scale: f64) -> i64 {
    (SETTLE_REAL_MS * time_scale).min(SETTLE_VIRTUAL_MS) as i64
}

fn make_directory(path: &Path) -> Result<(), LocalError> {
    private::directory(path)
        .map_err(|source| LocalError::Directory { path: path.to_owned(), source })
}

/// Takes the exclusive lock. A look by [`running`] holds it for a moment, so one refusal is none.
fn lock(state_dir: &Path) -> Result<Flock<File>, LocalError> {
    let path = state_dir.join(LOCK_FILE);
    let open = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let mut file = open.map_err(|source| LocalError::Directory { path, source })?;
    for _ in 0..LOCK_TRIES {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((refused, _)) => file = refused,
        }
        std::thread::sleep(LOCK_WAIT);
    }
    Err(LocalError::AlreadyRunning {
        path: state_dir.to_owned(),
        running: read_endpoint(state_dir),
    })
}

fn read_endpoint(state_dir: &Path) -> Option<Running> {
    let text = std::fs::read(state_dir.join(ENDPOINT_FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn write_endpoint(state_dir: &Path, running: &Running) -> Result<(), LocalError> {
    let path = state_dir.join(ENDPOINT_FILE);
    let new = state_dir.join("endpoint.json.new");
    serde_json::to_vec(running)
        .map_err(io::Error::other)
        .and_then(|text| private::write(&new, text))
        .and_then(|()| std::fs::rename(&new, &path))
        .map_err(|source| LocalError::Directory { path, source })
}
