//! All accounts and regions of a running cloud, and what they share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::chores;
use super::counters::Counters;
use super::directory::{LOGS_FILE, OBJECTS_FILE, STATE_FILE};
use super::{Cloud, Core, LocalError, Options, Running};
use crate::clock::VirtualClock;
use crate::cloudwatch::CloudWatch;
use crate::code::CodeStore;
use crate::codedeploy::CodeDeploy;
use crate::doorway;
use crate::home::{Home, is_account, is_region};
use crate::iam::Policy;
use crate::identity::Identity;
use crate::ids::SeededIds;
use crate::lambda::model::{Lambda, UrlTarget};
use crate::logs::{LogFile, Sink};
use crate::rows::Keeper as _;
use crate::runtime::{LogFiles, Runtime, RuntimeSettings};
use crate::s3::Objects;
use crate::state::{State, Stored};
use crate::sts::Session;
use crate::wire::{Fault, Request};

/// How long creations and updates stay under way, at most: a virtual second, or this much real time
/// when virtual time runs slower than four times real time.
const SETTLE_REAL_MS: f64 = 250.0;
const SETTLE_VIRTUAL_MS: f64 = 1000.0;

/// The header of requests that nobody signed.
const REGION: &str = "x-wavegate-region";

/// What all accounts and regions share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) url: String,
    /// Whose calls those are that name no other.
    pub(crate) first: Home,
    pub(crate) clock: VirtualClock,
    pub(crate) runtime: Runtime,
    pub(crate) code: CodeStore,
    pub(crate) objects: Objects,
    pub(crate) check_roles: bool,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Asynchronous events that wait for an attempt.
    pub(crate) waiting: Arc<AtomicUsize>,
    pub(super) policies: Option<Vec<Policy>>,
    pub(super) requests_per_second: Option<u32>,
    pub(super) logs: LogFile,
    pub(super) log_sink: Sink,
    pub(super) counters: Counters,
    state: Arc<Mutex<State>>,
}

impl Shared {
    /// The state file. Taken after every other lock.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the package of a function can be downloaded.
    pub(crate) fn code_url(&self, sha256: &str) -> String {
        let zip = self.code.zip(sha256);
        let name = zip.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("{}/_wavegate/code/{name}", self.url)
    }
}

/// A running cloud: what each account has in each region that was ever named.
#[derive(Debug)]
pub(crate) struct Clouds {
    pub(crate) shared: Arc<Shared>,
    /// Where calls go that name no other.
    first: Arc<Cloud>,
    all: RwLock<BTreeMap<Home, Arc<Cloud>>>,
    identities: Mutex<BTreeMap<String, Arc<Mutex<Identity>>>>,
}

impl Clouds {
    /// Opens what a state directory keeps.
    pub(super) fn open(options: &Options, url: String) -> Result<Self, LocalError> {
        let directory = &options.state_dir;
        let first = options.home();
        let state_path = directory.join(STATE_FILE);
        let (mut state, stored) = State::open(&state_path, &first)?;
        let clock = VirtualClock::start(options.time_scale, stored.high_water_ms);
        state.save_high_water(clock.high_water_ms())?;
        let corrupt = |message: String| LocalError::Corrupt {
            path: state_path.clone(),
            source: message.into(),
        };
        let code = directory.join("code");
        let unusable = |source| LocalError::Directory { path: code.clone(), source };
        let logs = LogFile::open(&directory.join(LOGS_FILE), &first)?;
        let log_files = LogFiles::new(directory.join("logs"), first.clone());
        let log_sink = Sink::new(clock.clone(), log_files);
        let runtime = Runtime::start(RuntimeSettings {
            endpoint_url: url.clone(),
            run_dir: directory.join("run"),
            logs: Arc::new(log_sink.clone()),
            path: std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()),
        })
        .map_err(|source| LocalError::Runtime { source })?;
        let shared = Arc::new(Shared {
            url,
            first: first.clone(),
            clock,
            runtime,
            code: CodeStore::open(&code).map_err(unusable)?,
            objects: Objects::open(&directory.join("objects"), &directory.join(OBJECTS_FILE))?,
            check_roles: options.check_roles,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            waiting: Arc::new(AtomicUsize::new(0)),
            policies: options.policies.clone(),
            requests_per_second: options.requests_per_second,
            logs,
            log_sink,
            counters: Counters::default(),
            state: Arc::new(Mutex::new(state)),
        });
        let Stored { mut homes, identities, .. } = stored;
        let mut of_accounts = BTreeMap::new();
        for (account, rows) in identities {
            let mut identity = Identity::new(&account);
            identity.restore_rows(rows).map_err(corrupt)?;
            of_accounts.insert(account, Arc::new(Mutex::new(identity)));
        }
        let ids = match options.seed {
            Some(seed) => SeededIds::from_seed(seed),
            None => SeededIds::from_system().map_err(LocalError::Randomness)?,
        };
        let kept = homes.remove(&first).unwrap_or_default();
        let identity = identity_of(&mut of_accounts, &first.account);
        let of_first = Arc::new(empty(&shared, &first, identity, ids));
        of_first.restore(kept).map_err(corrupt)?;
        let mut all = BTreeMap::from([(first, Arc::clone(&of_first))]);
        for (home, kept) in homes {
            let identity = identity_of(&mut of_accounts, &home.account);
            let cloud = empty(&shared, &home, identity, of_first.core().ids.fork());
            cloud.restore(kept).map_err(corrupt)?;
            all.insert(home, Arc::new(cloud));
        }
        let in_use: BTreeSet<String> =
            all.values().flat_map(|cloud| cloud.core().lambda.code_in_use()).collect();
        shared.code.keep_only(&in_use).map_err(unusable)?;
        Ok(Self {
            shared,
            first: of_first,
            all: RwLock::new(all),
            identities: Mutex::new(of_accounts),
        })
    }

    /// Lets everything go on that goes on by itself.
    pub(super) fn begin(self: &Arc<Self>) {
        chores::begin(self);
        for cloud in self.all() {
            chores::begin_here(&cloud);
        }
    }

    /// Where a call goes that names neither an account nor a region.
    pub(crate) fn first(&self) -> &Arc<Cloud> {
        &self.first
    }

    /// Every one that was ever named.
    pub(super) fn all(&self) -> Vec<Arc<Cloud>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect()
    }

    /// Where a request goes: to the region that it is signed for, and to the account whose session it has
    /// or whose number is its key. One that nobody signed may name its region in a header.
    ///
    /// # Errors
    /// If what it is signed for is no region.
    pub(crate) fn of(&self, request: &Request) -> Result<Arc<Cloud>, Fault> {
        let named = || request.header(REGION).map(ToOwned::to_owned);
        let region = request.signed_region().or_else(named);
        let account = Session::of(request)
            .map(|session| session.account)
            .or_else(|| request.signing_key())
            .filter(|account| is_account(account));
        let first = &self.shared.first;
        let region = region.unwrap_or_else(|| first.region.clone());
        if region != first.region && !is_region(&region) {
            return Err(Fault::front(
                403,
                "InvalidSignatureException",
                "Credential should be scoped to a valid region.",
            ));
        }
        Ok(self.at(Home { region, account: account.unwrap_or_else(|| first.account.clone()) }))
    }

    /// What is behind a function URL of that id, and where.
    pub(crate) fn behind_url(&self, id: &str) -> Option<(Arc<Cloud>, UrlTarget)> {
        self.all().into_iter().find_map(|cloud| {
            let target = cloud.core().lambda.url_target(id)?;
            Some((cloud, target))
        })
    }

    /// That of a home, if it was ever named.
    pub(crate) fn known(&self, home: &Home) -> Option<Arc<Cloud>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(home).map(Arc::clone)
    }

    fn at(&self, home: Home) -> Arc<Cloud> {
        if home == self.shared.first {
            return Arc::clone(&self.first);
        }
        if let Some(cloud) = self.known(&home) {
            return cloud;
        }
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let cloud = all.entry(home).or_insert_with_key(|home| {
            let mut identities = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
            let identity = identity_of(&mut identities, &home.account);
            let ids = self.first.core().ids.fork();
            let cloud = Arc::new(empty(&self.shared, home, identity, ids));
            chores::begin_here(&cloud);
            cloud
        });
        Arc::clone(cloud)
    }

    /// Writes what functions have logged, and records what metric filters find in it. Blocks on the disk.
    pub(super) fn write_logs(&self) -> rusqlite::Result<()> {
        let events = self.shared.log_sink.take();
        if events.is_empty() {
            return Ok(());
        }
        for (home, found) in self.shared.logs.write(self.shared.clock.now_ms(), &events)? {
            self.at(home).record(found);
        }
        Ok(())
    }

    /// What `GET /_wavegate/status` tells.
    pub(crate) fn status(&self) -> Value {
        let shared = &self.shared;
        let (mut functions, mut invoking) = (0, 0);
        for cloud in self.all() {
            let core = cloud.core();
            functions += core.lambda.function_count();
            invoking += core.lambda.running();
        }
        let counts = shared.counters.all();
        json!({
            "wavegate": env!("CARGO_PKG_VERSION"),
            "url": shared.url,
            "time_scale": shared.clock.time_scale(),
            "now_ms": shared.clock.now_ms(),
            "region": shared.first.region,
            "account": shared.first.account,
            "pid": std::process::id(),
            "functions": functions,
            "environments": shared.runtime.environment_count(),
            "invoking": invoking,
            "calls": counts.calls,
            "permissions_needed": counts.needed,
            "refused": counts.refused,
            "policies": shared.policies.as_ref().map(Vec::len),
            "served": counts.served,
        })
    }

    pub(super) fn running(&self) -> Running {
        Running {
            url: self.shared.url.clone(),
            pid: std::process::id(),
            time_scale: self.shared.clock.time_scale(),
            region: self.shared.first.region.clone(),
            account: self.shared.first.account.clone(),
        }
    }

    /// The last writes: the exact time, so that an orderly restart loses none.
    pub(super) fn save_last(&self) {
        if let Err(error) = self.write_logs() {
            tracing::warn!(%error, "what functions logged at last is lost");
        }
        for cloud in self.all() {
            if let Err(error) = cloud.save_cloudwatch() {
                tracing::warn!(%error, "metric data of the last moments is lost");
            }
        }
        let now = self.shared.clock.now_ms();
        if let Err(error) = self.shared.state().save_high_water(now) {
            tracing::warn!(%error, "the virtual clock will start a little ahead");
        }
    }
}

fn identity_of(
    identities: &mut BTreeMap<String, Arc<Mutex<Identity>>>,
    account: &str,
) -> Arc<Mutex<Identity>> {
    let identity = identities
        .entry(account.to_owned())
        .or_insert_with(|| Arc::new(Mutex::new(Identity::new(account))));
    Arc::clone(identity)
}

/// What an account has in a region that nothing was done in.
fn empty(
    shared: &Arc<Shared>,
    home: &Home,
    identity: Arc<Mutex<Identity>>,
    ids: SeededIds,
) -> Cloud {
    let Home { region, account } = home;
    let mut lambda = Lambda::new(region, account, settle_ms(shared.clock.time_scale()));
    lambda.serve_urls_at(doorway::prefix(&shared.url));
    let codedeploy = CodeDeploy::new(region, account);
    let home = Arc::new(home.clone());
    let core = Core::new(Arc::clone(&home), lambda, codedeploy, ids, Arc::clone(&shared.state));
    Cloud::new(home, Arc::clone(shared), core, CloudWatch::new(region, account), identity)
}

#[expect(clippy::cast_possible_truncation, reason = "at most SETTLE_VIRTUAL_MS")]
fn settle_ms(time_scale: f64) -> i64 {
    (SETTLE_REAL_MS * time_scale).min(SETTLE_VIRTUAL_MS) as i64
}
