//! Runs a plan: observes, prepares, performs the release machine's effects through ports, and
//! emits events.
//!
//! All decisions about traffic are `wavegate-core`'s. Deliberately absent: AWS SDKs, printing, and
//! any authority of local files: a recording that cannot be written never stops a release.

pub mod adopt;
mod ask;
pub mod caller;
pub mod clock;
pub mod conformance;
mod deployments;
pub mod doctor;
pub mod event;
mod observe;
pub mod ports;
mod prepare;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use wavegate_core::control::{Fate, Request};
use wavegate_core::inventory::{Artifact, Inventory};
use wavegate_core::name::{AliasName, AppName, FunctionName};
use wavegate_core::plan::{Diff, Plan, PlanReport};
use wavegate_core::release::Outcome;
use wavegate_core::spec::AppSpec;
use wavegate_core::token::LockRecord;

use crate::caller::Caller;
use crate::event::Record;
use crate::ports::{Alarms, Clock, Cloud, CloudError, Deployments, Hooks, Strategies};

pub use ask::{AskError, LockAt};
pub use deployments::InHand;

/// How long a strategy may think, in wall time. It is pure: anything longer is a hang.
const THINK_WITHIN: Duration = Duration::from_mins(2);

/// How long one reading of alarms may take, in wall time.
const READ_WITHIN: Duration = Duration::from_mins(2);

/// The world, as ports.
#[derive(Clone)]
pub struct World {
    /// The cloud.
    pub cloud: Arc<dyn Cloud>,
    /// CodeDeploy, for functions whose engine it is.
    pub deployments: Arc<dyn Deployments>,
    /// The strategies.
    pub strategies: Arc<dyn Strategies>,
    /// The hooks.
    pub hooks: Arc<dyn Hooks>,
    /// The alarm providers.
    pub alarms: Arc<dyn Alarms>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// How the engine behaves towards the cloud.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Lambda's control-plane budget in requests per second; `None`: no limit. Lambda allows 15
    /// for everything but `Invoke` and `GetFunction`.
    pub requests_per_second: Option<u32>,
    /// Where packages over 50 MB go.
    pub artifact_bucket: Option<String>,
}

/// Why the engine could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A call failed, after everything that could be tried.
    #[error("{what}")]
    Cloud {
        /// What was being done.
        what: String,
        /// How it failed.
        #[source]
        source: Box<CloudError>,
    },
    /// A strategy could not say what it would do.
    #[error("strategy `{strategy}` of `{function}`: {reason}")]
    Strategy {
        /// The function.
        function: FunctionName,
        /// The strategy's name.
        strategy: String,
        /// Its words.
        reason: String,
    },
    /// The alarms could not be read.
    #[error("the alarms could not be read: {0}")]
    Alarms(String),
    /// The release machine and its caller disagree: a bug.
    #[error("a bug: {0}")]
    Bug(String),
}

/// What a person says to a release that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Go on, where a strategy pauses.
    Approve {
        /// Which function; `None`: every one that is held.
        function: Option<FunctionName>,
        /// Who.
        by: String,
    },
    /// This process is to end: what CodeDeploy has in hand is left to it, anything else goes back.
    Leave {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Go back.
    Abort {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Look at the lock now: somebody has asked for something.
    Look,
}

/// What a release needs beside its plan.
#[derive(Debug)]
pub struct Run {
    /// Who runs it, for people: `ana@laptop`.
    pub owner: String,
    /// Where, in words: `local cloud`, `AWS account 1234 eu-west-1`.
    pub target: String,
    /// Functions of the app that are left alone.
    pub unchanged: Vec<String>,
    /// Where events go.
    pub events: mpsc::UnboundedSender<Record>,
    /// Where commands come from.
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// Filled when the release ends, or is dropped in the middle, with what each alias is known to
    /// be, so that a caller who gives up can say so.
    pub aliases: Arc<std::sync::Mutex<BTreeMap<String, String>>>,
}

/// Plans and runs releases against one world.
#[derive(Clone)]
pub struct Engine {
    world: World,
    settings: Settings,
    caller: Caller,
}

impl Engine {
    /// An engine on `world`.
    pub fn new(world: World, settings: Settings) -> Self {
        let caller = Caller::new(Arc::clone(&world.clock), settings.requests_per_second);
        Self { world, settings, caller }
    }

    /// Looks at the cloud: two reads per function, and one more per hook of the app that CodeDeploy
    /// calls, in parallel, inside the budget.
    ///
    /// # Errors
    /// [`EngineError::Cloud`] for the first read that failed for good.
    pub async fn observe(&self, spec: &AppSpec) -> Result<Inventory, EngineError> {
        observe::inventory(self, spec).await
    }

    /// What CodeDeploy has in hand, of functions whose alias says so.
    ///
    /// # Errors
    /// CodeDeploy's, or the transport's.
    pub async fn in_hand(
        &self,
        spec: &AppSpec,
        inventory: &Inventory,
    ) -> Result<BTreeMap<FunctionName, InHand>, CloudError> {
        deployments::in_hand(self, spec, inventory).await
    }

    /// Finds every function of the account that carries an alias of `alias`'s app: the functions of
    /// an app whose manifest is not at hand. Reads every function's aliases.
    ///
    /// # Errors
    /// [`EngineError::Cloud`] for the first read that failed for good.
    pub async fn discover(
        &self,
        app: &AppName,
        alias: &AliasName,
    ) -> Result<BTreeSet<FunctionName>, EngineError> {
        observe::discover(self, app, alias).await
    }

    /// Plans a release: asks the strategies and takes the alarm snapshot only for what changes.
    ///
    /// # Errors
    /// A strategy or an alarm provider that cannot answer. Everything else is in the report.
    pub async fn plan(
        &self,
        spec: &AppSpec,
        inventory: &Inventory,
        artifacts: &BTreeMap<FunctionName, Artifact>,
        only: Option<&BTreeSet<FunctionName>>,
    ) -> Result<(Option<Plan>, PlanReport), EngineError> {
        self.planned(spec, inventory, artifacts, only, None).await
    }

    async fn planned(
        &self,
        spec: &AppSpec,
        inventory: &Inventory,
        artifacts: &BTreeMap<FunctionName, Artifact>,
        only: Option<&BTreeSet<FunctionName>>,
        left: Option<&LockRecord>,
    ) -> Result<(Option<Plan>, PlanReport), EngineError> {
        let diff: Diff = wavegate_core::plan::diff(spec, inventory, artifacts, only);
        let (outlines, alarms) = observe::questions(self, spec, inventory, &diff).await?;
        let facts = wavegate_core::plan::Facts {
            spec,
            inventory,
            artifacts,
            outlines: &outlines,
            alarms: &alarms,
            only,
        };
        Ok(match left {
            Some(left) => wavegate_core::plan::resume_plan(facts, left),
            None => wavegate_core::plan::plan(facts),
        })
    }

    /// Executes a plan to its end.
    ///
    /// # Errors
    /// [`EngineError::Bug`] only: everything that the world does ends in an [`Outcome`].
    pub async fn deploy(&self, plan: Plan, run: Run) -> Result<Outcome, EngineError> {
        run::deploy(self, plan, run).await
    }

    /// Puts back a release that somebody else left unfinished. `left` comes from
    /// [`wavegate_core::plan::put_back_plan`].
    ///
    /// # Errors
    /// [`EngineError::Bug`] only.
    pub async fn put_back(
        &self,
        left: (Plan, LockRecord),
        reason: String,
        run: Run,
    ) -> Result<Outcome, EngineError> {
        run::put_back(self, left, reason, run).await
    }

    /// What was there before an unfinished release touched it: what its plan was made on. Reads the
    /// versions that it replaces.
    ///
    /// # Errors
    /// [`EngineError::Cloud`] for the first read that failed for good.
    pub async fn observe_before(
        &self,
        spec: &AppSpec,
        inventory: &Inventory,
        left: &LockRecord,
    ) -> Result<Inventory, EngineError> {
        observe::before(self, spec, inventory, left).await
    }

    /// The plan of an unfinished release, made anew on what [`Engine::observe_before`] saw.
    ///
    /// # Errors
    /// A strategy or an alarm provider that cannot answer. Everything else is in the report.
    pub async fn resume_plan(
        &self,
        spec: &AppSpec,
        before: &Inventory,
        artifacts: &BTreeMap<FunctionName, Artifact>,
        only: Option<&BTreeSet<FunctionName>>,
        left: &LockRecord,
    ) -> Result<(Option<Plan>, PlanReport), EngineError> {
        self.planned(spec, before, artifacts, only, Some(left)).await
    }

    /// Goes on with a release that somebody else left unfinished. `plan` comes from
    /// [`Engine::resume_plan`], and has the fingerprint that `left` tells.
    ///
    /// # Errors
    /// [`EngineError::Bug`] only.
    pub async fn resume(
        &self,
        plan: Plan,
        left: LockRecord,
        run: Run,
    ) -> Result<Outcome, EngineError> {
        run::resume(self, plan, &left, run).await
    }

    /// Asks something of the release that holds a lock, and waits for what becomes of it. `told` is
    /// called once the request stands in the lock.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(
        &self,
        at: &LockAt,
        request: Request,
        told: impl FnOnce(&LockRecord) + Send,
    ) -> Result<Fate, AskError> {
        ask::ask(self, at, request, told).await
    }

    /// Waits until the release that `asked` was read of has ended, or stands still without an owner;
    /// answers with the lock as it is then.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn await_end(&self, at: &LockAt, asked: &LockRecord) -> Result<LockRecord, AskError> {
        ask::await_end(self, at, asked).await
    }

    /// Calls made so far, by operation.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.caller.counts()
    }
}
