//! The engine against a cloud of a few lines: what the core's own tests and the simulation cannot
//! see, because it is about tasks, time and calls.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use wavegate_core::inventory::{Artifact, Inventory};
use wavegate_core::name::{AliasName, AppName, FunctionName, VersionId};
use wavegate_core::plan::{Facts, Outline, plan as make_plan};
use wavegate_core::release::{Decision, Observation};
use wavegate_core::spec::{
    AppSpec, CodeSource, ComponentUse, FunctionConfig, FunctionSpec, HookUse, Hooks as HookUses,
    OnFailure, Opaque, RollbackScope,
};

use super::delegate::tests::Fake as CodeDeploy;
use super::*;
use crate::clock::ScaledClock;
use crate::ports::{
    AlarmAnswer, AlarmQuestion, Alarms, AliasUpdate, Cloud, CloudError, FaultKind, FunctionView,
    HookCall, HookVerdict, Hooks, Identity, NewAlias, Strategies, Subject, VersionView,
};
use crate::{Settings, World};

/// A cloud that has no functions at first and believes everything.
#[derive(Default)]
struct Cloudlet {
    functions: Mutex<BTreeMap<String, FunctionConfig>>,
    aliases: Mutex<BTreeMap<(String, String), AliasState>>,
    writes: AtomicUsize,
    /// So many creations are refused because the role is not known yet.
    early: AtomicUsize,
    creations: AtomicUsize,
}

fn fault(operation: &'static str, kind: FaultKind, code: &str, message: &str) -> CloudError {
    CloudError {
        operation,
        kind,
        code: Some(code.to_owned()),
        message: message.to_owned(),
        request_id: None,
        retry_after: None,
    }
}

impl Cloudlet {
    fn revision(&self) -> String {
        format!("r{}", self.writes.fetch_add(1, Ordering::Relaxed))
    }

    fn view(&self, function: &FunctionName) -> Option<FunctionView> {
        let config = self.functions.lock().unwrap().get(function.as_str())?.clone();
        Some(FunctionView {
            arn: format!("arn:{function}"),
            version: "1".to_owned(),
            code_sha256: "sha".to_owned(),
            image_uri: None,
            config,
            state: "Active".to_owned(),
            state_reason: None,
            last_update_status: "Successful".to_owned(),
            last_update_reason: None,
            revision: Some("f1".to_owned()),
        })
    }

    fn key(function: &FunctionName, alias: &AliasName) -> (String, String) {
        (function.to_string(), alias.to_string())
    }
}

#[async_trait]
impl Cloud for Cloudlet {
    async fn get_function(
        &self,
        function: &FunctionName,
        _: Option<VersionId>,
    ) -> Result<Option<FunctionView>, CloudError> {
        Ok(self.view(function))
    }

    async fn create_function(
        &self,
        function: &FunctionName,
        config: &FunctionConfig,
        _: &Artifact,
    ) -> Result<FunctionView, CloudError> {
        self.creations.fetch_add(1, Ordering::Relaxed);
        let early = self.early.load(Ordering::Relaxed);
        if early > 0 {
            self.early.store(early - 1, Ordering::Relaxed);
            let text = "The role defined for the function cannot be assumed by Lambda.";
            let code = "InvalidParameterValueException";
            return Err(fault("CreateFunction", FaultKind::Invalid, code, text));
        }
        self.functions.lock().unwrap().insert(function.to_string(), config.clone());
        Ok(self.view(function).unwrap())
    }

    async fn update_code(
        &self,
        function: &FunctionName,
        _: &Artifact,
        _: &str,
        _: Option<&str>,
        _: bool,
    ) -> Result<FunctionView, CloudError> {
        Ok(self.view(function).unwrap())
    }

    async fn update_config(
        &self,
        function: &FunctionName,
        _: &FunctionConfig,
        _: Option<&str>,
    ) -> Result<FunctionView, CloudError> {
        Ok(self.view(function).unwrap())
    }

    async fn publish_version(
        &self,
        function: &FunctionName,
        _: Option<&str>,
        _: Option<&str>,
        _: &str,
    ) -> Result<FunctionView, CloudError> {
        Ok(self.view(function).unwrap())
    }

    async fn list_functions(&self) -> Result<Vec<FunctionName>, CloudError> {
        let functions = self.functions.lock().unwrap();
        Ok(functions.keys().filter_map(|name| FunctionName::new(name.as_str()).ok()).collect())
    }

    async fn list_versions(&self, _: &FunctionName) -> Result<Vec<VersionView>, CloudError> {
        Ok(Vec::new())
    }

    async fn delete_version(&self, _: &FunctionName, _: VersionId) -> Result<(), CloudError> {
        Ok(())
    }

    async fn list_aliases(&self, _: &FunctionName) -> Result<Option<Vec<AliasState>>, CloudError> {
        Ok(None)
    }

    async fn get_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
    ) -> Result<Option<AliasState>, CloudError> {
        Ok(self.aliases.lock().unwrap().get(&Self::key(function, alias)).cloned())
    }

    async fn create_alias(
        &self,
        function: &FunctionName,
        new: &NewAlias,
    ) -> Result<AliasState, CloudError> {
        let state = AliasState {
            name: new.name.to_string(),
            version: new.version.map_or_else(|| "$LATEST".to_owned(), |v| v.to_string()),
            extra: None,
            description: new.description.clone(),
            revision: self.revision(),
        };
        let key = Self::key(function, &new.name);
        self.aliases.lock().unwrap().insert(key, state.clone());
        Ok(state)
    }

    async fn update_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
        update: &AliasUpdate,
    ) -> Result<AliasState, CloudError> {
        let revision = self.revision();
        let mut aliases = self.aliases.lock().unwrap();
        let Some(state) = aliases.get_mut(&Self::key(function, alias)) else {
            let code = "ResourceNotFoundException";
            return Err(fault("UpdateAlias", FaultKind::NotFound, code, "no such alias"));
        };
        if state.revision != update.base {
            let code = "PreconditionFailedException";
            return Err(fault("UpdateAlias", FaultKind::Precondition, code, "412"));
        }
        if let Some((main, extra)) = update.routing {
            state.version = main.to_string();
            state.extra = extra;
        }
        state.description.clone_from(&update.description);
        state.revision = revision;
        Ok(state.clone())
    }

    async fn delete_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
    ) -> Result<(), CloudError> {
        self.aliases.lock().unwrap().remove(&Self::key(function, alias));
        Ok(())
    }

    async fn put_artifact(&self, _: &str, _: &str, _: &Path) -> Result<(), CloudError> {
        Ok(())
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        Ok(Identity { account: "0".to_owned(), arn: "arn".to_owned() })
    }
}

/// A hook that says what a test wants, or runs until it is dropped.
#[derive(Default)]
pub(super) struct Scripted {
    verdict: Option<HookVerdict>,
    running: Arc<AtomicUsize>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Hooks for Scripted {
    async fn run(&self, _: &HookUse, _: &HookCall) -> HookVerdict {
        self.running.fetch_add(1, Ordering::Relaxed);
        let _alive = Alive(Arc::clone(&self.running));
        match &self.verdict {
            Some(verdict) => verdict.clone(),
            None => std::future::pending().await,
        }
    }
}

/// Waits for a person before it promotes.
struct Patient;

#[async_trait]
impl Strategies for Patient {
    async fn outline(&self, _: &ComponentUse, _: &Subject) -> Result<Outline, String> {
        Ok(Outline::default())
    }

    async fn decide(
        &self,
        _: &ComponentUse,
        _: Option<&Opaque>,
        seen: &Observation,
    ) -> Result<(Decision, Opaque), String> {
        let decision = match seen.approvals {
            0 => Decision::Pause("is it good?".to_owned()),
            _ => Decision::Promote,
        };
        Ok((decision, Opaque("{}".to_owned())))
    }
}

struct Nothing;

#[async_trait]
impl Strategies for Nothing {
    async fn outline(&self, _: &ComponentUse, _: &Subject) -> Result<Outline, String> {
        std::future::pending().await
    }

    async fn decide(
        &self,
        _: &ComponentUse,
        _: Option<&Opaque>,
        _: &Observation,
    ) -> Result<(Decision, Opaque), String> {
        Ok((Decision::Promote, Opaque("{}".to_owned())))
    }
}

#[async_trait]
impl Alarms for Nothing {
    async fn read(&self, _: Vec<AlarmQuestion>) -> Result<Vec<AlarmAnswer>, String> {
        Ok(Vec::new())
    }
}

fn component() -> ComponentUse {
    let name = "x".to_owned();
    ComponentUse { name: name.clone(), component: name, config: Opaque("{}".to_owned()) }
}

pub(super) fn name() -> FunctionName {
    FunctionName::new("auth").unwrap()
}

/// An app of one function that is not deployed yet, with one pre-traffic hook.
fn spec() -> AppSpec {
    let hook = HookUse { hook: component(), timeout: Duration::from_mins(10) };
    let function = FunctionSpec {
        name: name(),
        lambda_name: name(),
        code: CodeSource::Path("x".into()),
        config: FunctionConfig {
            role: "r".to_owned(),
            memory_mb: 128,
            timeout_s: 3,
            architecture: "x86_64".to_owned(),
            ephemeral_storage_mb: 512,
            ..FunctionConfig::default()
        },
        depends_on: BTreeSet::new(),
        strategy: component(),
        engine: wavegate_core::codedeploy::Engine::Native,
        hooks: HookUses { pre_traffic: vec![hook], ..HookUses::default() },
        alarms: Vec::new(),
        bake: Duration::ZERO,
    };
    AppSpec {
        name: AppName::new("shop").unwrap(),
        alias: AliasName::new("live").unwrap(),
        on_failure: OnFailure::Rollback,
        rollback_scope: RollbackScope::App,
        on_blind: wavegate_core::spec::OnBlind::Rollback,
        max_parallel: 1,
        keep_versions: 3,
        functions: [(name(), function)].into(),
    }
}

pub(super) struct Stage {
    pub(super) engine: Engine,
    cloud: Arc<Cloudlet>,
    pub(super) deployments: Arc<CodeDeploy>,
    pub(super) plan: Plan,
}

pub(super) fn stage(hooks: Scripted) -> Stage {
    stage_with(hooks, Arc::new(Nothing))
}

fn stage_with(hooks: Scripted, strategies: Arc<dyn Strategies>) -> Stage {
    let cloud = Arc::new(Cloudlet::default());
    let clock = ScaledClock::starting_at(1_000, 1.0);
    let deployments = Arc::new(CodeDeploy::new(clock.clone()));
    let world = World {
        cloud: Arc::<Cloudlet>::clone(&cloud),
        deployments: Arc::<CodeDeploy>::clone(&deployments),
        strategies,
        hooks: Arc::new(hooks),
        alarms: Arc::new(Nothing),
        clock: Arc::new(clock),
    };
    let artifact = Artifact::Image { uri: "x".to_owned() };
    let (plan, _) = make_plan(Facts {
        spec: &AppSpec {
            functions: spec()
                .functions
                .into_iter()
                .map(|(name, f)| (name, FunctionSpec { code: CodeSource::Image("x".into()), ..f }))
                .collect(),
            ..spec()
        },
        inventory: &Inventory::default(),
        artifacts: &[(name(), artifact)].into(),
        outlines: &BTreeMap::new(),
        alarms: &BTreeMap::new(),
        only: None,
    });
    let engine = Engine::new(world, Settings::default());
    Stage { engine, cloud, deployments, plan: plan.expect("a plan") }
}

pub(super) fn a_run() -> (Run, mpsc::UnboundedReceiver<Record>, mpsc::UnboundedSender<Command>) {
    let (events, received) = mpsc::unbounded_channel();
    let (orders, commands) = mpsc::unbounded_channel();
    let run = Run {
        owner: "ana@laptop".to_owned(),
        target: "a cloudlet".to_owned(),
        unchanged: Vec::new(),
        events,
        commands,
        aliases: Arc::default(),
    };
    (run, received, orders)
}

pub(super) fn passing() -> Scripted {
    Scripted { verdict: Some(HookVerdict::Pass { detail: String::new() }), running: Arc::default() }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_was_made_a_moment_ago_is_waited_for() {
    let stage = stage(passing());
    stage.cloud.early.store(4, Ordering::Relaxed);
    let (run, _events, _orders) = a_run();
    assert_eq!(stage.engine.deploy(stage.plan, run).await, Ok(Outcome::Done));
    assert_eq!(stage.cloud.creations.load(Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_wrong_fails_after_a_minute() {
    let stage = stage(passing());
    stage.cloud.early.store(usize::MAX, Ordering::Relaxed);
    let (run, mut events, _orders) = a_run();
    let outcome = stage.engine.deploy(stage.plan, run).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::NothingChanged { reason } if reason.contains("cannot be assumed")),
        "{outcome:?}"
    );
    let mut took = 0;
    while let Ok(record) = events.try_recv() {
        took = record.elapsed_ms;
    }
    assert!((60_000..70_000).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_on_when_the_release_is_dropped() {
    let hooks = Scripted::default();
    let running = Arc::clone(&hooks.running);
    let stage = stage(hooks);
    let (run, _events, _orders) = a_run();
    let aliases = Arc::clone(&run.aliases);
    let release = stage.engine.deploy(stage.plan, run);
    assert!(tokio::time::timeout(Duration::from_mins(1), release).await.is_err());
    // Aborted tasks are dropped when the runtime comes by.
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(running.load(Ordering::Relaxed), 0, "a hook outlives its release");
    assert!(aliases.lock().unwrap().contains_key("auth"), "what is known is left behind");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_hangs_is_stopped_by_an_abort() {
    let hooks = Scripted::default();
    let running = Arc::clone(&hooks.running);
    let stage = stage(hooks);
    let (run, _events, orders) = a_run();
    let abort = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        orders.send(Command::Abort { by: "ana".to_owned(), reason: "asked".to_owned() }).unwrap();
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        outcome = stage.engine.deploy(stage.plan, run) => outcome.unwrap(),
        () = abort => unreachable!("it waits for ever"),
    };
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(running.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_wants_to_wait_for_ever_fails() {
    let verdict = HookVerdict::Retry { after: Duration::MAX, detail: "later".to_owned() };
    let stage = stage(Scripted { verdict: Some(verdict), running: Arc::default() });
    let (run, mut events, _orders) = a_run();
    let outcome = stage.engine.deploy(stage.plan, run).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::RolledBack { reason } if reason.contains("not passed within 10m: later")),
        "{outcome:?}"
    );
    // Asked once more at the end of its ten minutes.
    let mut retries = Vec::new();
    let mut failed_ms = 0;
    while let Ok(record) = events.try_recv() {
        match record.event {
            Event::Hook { state, .. } if state == "retrying" => retries.push(record.elapsed_ms),
            Event::Hook { state, .. } if state == "failed" => failed_ms = record.elapsed_ms,
            _ => {}
        }
    }
    assert_eq!(retries.len(), 1);
    assert!((598_000..=600_000).contains(&(failed_ms - retries[0])), "{failed_ms} {retries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_forward_write_whose_turn_comes_after_the_failure_is_not_sent() {
    let stage = stage(passing());
    let (run, _events, _orders) = a_run();
    let machine = Release::new(
        stage.plan.clone(),
        Runner { release: ReleaseId(1), owner: "ana".to_owned(), seed: 1 },
    );
    let mut driver = Driver::new(&stage.engine, stage.plan.clone(), machine, ReleaseId(1), run);
    driver.context.work.cancel();
    for (priority, is_sent) in [
        (wavegate_core::release::Priority::Forward, false),
        (wavegate_core::release::Priority::Back, true),
    ] {
        let before = stage.cloud.writes.load(Ordering::Relaxed);
        let effect = Effect::Call {
            id: wavegate_core::release::CallId(1),
            priority,
            object: wavegate_core::release::Object::Live(name()),
            op: wavegate_core::release::CloudOp::Create {
                version: Some(VersionId(1)),
                description: String::new(),
            },
            send_by: None,
        };
        perform::perform(&driver.context, &mut driver.tasks, effect);
        let told = driver.told.recv().await;
        assert!(matches!(told, Some(Told::Input(Input::Answer { .. }))));
        assert_eq!(stage.cloud.writes.load(Ordering::Relaxed) > before, is_sent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_pauses_goes_on_when_a_person_says_so() {
    let stage = stage_with(passing(), Arc::new(Patient));
    let (run, _events, _orders) = a_run();
    stage.engine.deploy(stage.plan.clone(), run).await.unwrap();
    let mut plan = stage.plan;
    let at = |alias: AliasName| Cloudlet::key(&name(), &alias);
    let aliases = stage.cloud.aliases.lock().unwrap().clone();
    let alias = plan.alias.clone();
    plan.lock = aliases.get(&at(alias.lock())).cloned();
    let function = plan.functions.get_mut(&name()).unwrap();
    function.live = aliases.get(&at(alias)).cloned();
    function.action = Action::Switch { stable: VersionId(1), target: VersionId(2) };
    function.outline.longest = Duration::from_hours(1);

    let (run, mut events, orders) = a_run();
    let person = async {
        let mut asked = 0;
        while let Some(record) = events.recv().await {
            match record.event {
                Event::Waiting { approval: true, on, .. } => {
                    asked += 1;
                    assert_eq!(on, "is it good?");
                    tokio::time::sleep(Duration::from_mins(40)).await;
                    let by = "bob".to_owned();
                    orders.send(Command::Approve { function: Some(name()), by }).unwrap();
                }
                Event::Approved { function, by } => {
                    assert_eq!((function.as_str(), by.as_str()), ("auth", "bob"));
                    return (asked, record.elapsed_ms);
                }
                _ => {}
            }
        }
        panic!("it ended without an approval");
    };
    let (outcome, (asked, waited_ms)) = tokio::join!(stage.engine.deploy(plan, run), person);
    assert_eq!(outcome, Ok(Outcome::Done));
    assert_eq!(asked, 1, "told once in forty minutes");
    assert!((2_400_000..2_410_000).contains(&waited_ms), "{waited_ms}");
    let aliases = stage.cloud.aliases.lock().unwrap();
    assert_eq!(aliases[&Cloudlet::key(&name(), &AliasName::new("live").unwrap())].version, "2");
}
