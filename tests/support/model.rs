//! A world without waiting: the model of Lambda that stands behind the local cloud, called
//! directly, under tokio's paused clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use wavegate_core::inventory::{AliasState, Artifact, ExtraVersion};
use wavegate_core::name::{AliasName, FunctionName, VersionId};
use wavegate_core::plan::{AlarmStatus, Outline, OutlineStep};
use wavegate_core::release::{Decision, Observation, Outcome};
use wavegate_core::spec::{AppSpec, ComponentUse, FunctionConfig, HookUse, Opaque, Secret};
use wavegate_core::weight::Weight;
use wavegate_engine::clock::ScaledClock;
use wavegate_engine::event::Record;
use wavegate_engine::ports::{
    AlarmAnswer, AlarmQuestion, Alarms, AliasUpdate, Clock, Cloud, CloudError, FaultKind,
    FunctionView, HookCall, HookVerdict, Hooks, Identity, NewAlias, Strategies, Subject,
    VersionView,
};
use wavegate_engine::{Engine, Run, Settings, World};
use wavegate_local::ids::SeededIds;
use wavegate_local::lambda::error::ApiError;
use wavegate_local::lambda::input;
use wavegate_local::lambda::model::Lambda;
use wavegate_local::lambda::output::{AliasConfiguration, FunctionConfiguration};
use wavegate_plugin_sdk as sdk;

use crate::no_codedeploy::NoCodeDeploy;

/// How long one call takes.
const LATENCY: Duration = Duration::from_millis(40);

/// The cloud of one test.
pub struct ModelCloud {
    clock: ScaledClock,
    state: Mutex<State>,
    /// Requests per second before a 429; `None`: no limit.
    limit: Option<u32>,
}

struct State {
    lambda: Lambda,
    ids: SeededIds,
    /// Writes that were applied, by operation.
    writes: BTreeMap<&'static str, u64>,
    throttled: u64,
    /// Control-plane tokens, and when they were counted.
    tokens: (f64, u64),
}

impl ModelCloud {
    fn new(clock: ScaledClock, limit: Option<u32>) -> Self {
        let state = State {
            lambda: Lambda::new("us-east-1", "000000000000", 1_000),
            ids: SeededIds::from_seed(7),
            writes: BTreeMap::new(),
            throttled: 0,
            tokens: (f64::from(limit.unwrap_or(0)), 0),
        };
        Self { clock, state: Mutex::new(state), limit }
    }

    /// Writes that were applied so far, by operation.
    pub fn writes(&self) -> BTreeMap<&'static str, u64> {
        self.lock().writes.clone()
    }

    /// Calls that were answered with 429.
    pub fn throttled(&self) -> u64 {
        self.lock().throttled
    }

    /// The live alias of a function: its version, and the share of another.
    ///
    /// # Panics
    /// If there is none.
    pub fn live(&self, function: &str) -> (String, Option<ExtraVersion>) {
        let alias = self.lock().lambda.get_alias(function, "live").expect("an alias");
        let state = alias_state(&alias);
        (state.version, state.extra)
    }

    /// Somebody else's change of an alias, without a revision id.
    ///
    /// # Panics
    /// If the cloud refuses.
    pub fn change_by_hand(&self, function: &str, version: &str) {
        let now = self.now();
        let mut state = self.lock();
        let State { lambda, ids, .. } = &mut *state;
        let update = input::UpdateAlias {
            function_version: Some(version.to_owned()),
            routing_config: Some(input::RoutingConfig {
                additional_version_weights: Some(BTreeMap::new()),
            }),
            ..input::UpdateAlias::default()
        };
        lambda.update_alias(now, ids, function, "live", update).expect("a change");
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX)
    }

    async fn call<T>(
        &self,
        operation: &'static str,
        apply: impl FnOnce(&mut Lambda, i64, &mut SeededIds) -> Result<T, ApiError>,
    ) -> Result<T, CloudError> {
        tokio::time::sleep(LATENCY).await;
        let now = self.now();
        let mut state = self.lock();
        if let Some(limit) = self.limit.filter(|_| operation != "GetFunction") {
            let (tokens, counted) = state.tokens;
            let now = self.clock.now_ms();
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of one test")]
            let filled = tokens + now.saturating_sub(counted) as f64 / 1000.0 * f64::from(limit);
            let filled = filled.min(f64::from(limit));
            state.tokens = (filled - if filled >= 1.0 { 1.0 } else { 0.0 }, now);
            if filled < 1.0 {
                state.throttled += 1;
                return Err(error(operation, &ApiError::rate_exceeded(1)));
            }
        }
        let State { lambda, ids, writes, .. } = &mut *state;
        let result = apply(lambda, now, ids).map_err(|e| error(operation, &e));
        let is_read = operation.starts_with("Get") || operation.starts_with("List");
        if result.is_ok() && !is_read {
            *writes.entry(operation).or_default() += 1;
        }
        result
    }
}

fn error(operation: &'static str, api: &ApiError) -> CloudError {
    let kind = match (api.status, api.code) {
        (404, _) => FaultKind::NotFound,
        (409, _) if api.message.contains("exist") => FaultKind::AlreadyExists,
        (409, _) => FaultKind::UpdateInProgress,
        (412, _) => FaultKind::Precondition,
        (429, _) => FaultKind::Throttled,
        (500.., _) => FaultKind::Unknown,
        _ => FaultKind::Invalid,
    };
    CloudError {
        operation,
        kind,
        code: Some(api.code.to_owned()),
        message: api.message.clone(),
        request_id: None,
        retry_after: None,
    }
}

fn optional<T>(result: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == FaultKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn alias_state(alias: &AliasConfiguration) -> AliasState {
    let weights = alias
        .routing_config
        .as_ref()
        .and_then(|routing| routing.additional_version_weights.as_ref());
    let extra =
        weights.and_then(|weights| weights.first_key_value()).and_then(|(version, share)| {
            Some(ExtraVersion {
                version: VersionId::parse(version)?,
                weight: Weight::from_share(*share)?,
            })
        });
    AliasState {
        name: alias.name.clone(),
        version: alias.function_version.clone(),
        extra,
        description: alias.description.clone(),
        revision: alias.revision_id.clone(),
    }
}

fn view(function: &FunctionConfiguration) -> FunctionView {
    let arn: Vec<&str> = function.function_arn.split(':').take(7).collect();
    let environment = function.environment.clone().unwrap_or_default();
    FunctionView {
        arn: arn.join(":"),
        version: function.version.clone(),
        code_sha256: function.code_sha256.clone(),
        image_uri: None,
        config: FunctionConfig {
            runtime: function.runtime.clone(),
            handler: function.handler.clone(),
            role: function.role.clone(),
            memory_mb: u32::try_from(function.memory_size).unwrap_or(0),
            timeout_s: u32::try_from(function.timeout).unwrap_or(0),
            environment: environment
                .variables
                .into_iter()
                .map(|(k, v)| (k, Secret::new(v)))
                .collect(),
            description: function.description.clone(),
            architecture: function.architectures.first().cloned().unwrap_or_default(),
            layers: Vec::new(),
            ephemeral_storage_mb: u32::try_from(function.ephemeral_storage.size).unwrap_or(0),
            tracing: function.tracing_config.mode == "Active",
            vpc: None,
            dead_letter: function.dead_letter_config.clone().and_then(|d| d.target_arn),
        },
        state: function.state.unwrap_or_default().to_owned(),
        state_reason: None,
        last_update_status: function.last_update_status.unwrap_or_default().to_owned(),
        last_update_reason: None,
        revision: Some(function.revision_id.clone()),
    }
}

fn configuration(config: &FunctionConfig) -> input::ConfigurationInput {
    let variables =
        config.environment.iter().map(|(k, v)| (k.clone(), v.expose().to_owned())).collect();
    input::ConfigurationInput {
        runtime: config.runtime.clone(),
        role: Some(config.role.clone()),
        handler: config.handler.clone(),
        description: Some(config.description.clone()),
        timeout: Some(config.timeout_s.into()),
        memory_size: Some(config.memory_mb.into()),
        environment: Some(input::Environment { variables }),
        ..input::ConfigurationInput::default()
    }
}

fn code(artifact: &Artifact) -> input::Code {
    match artifact {
        Artifact::Zip { code_sha256, zipped_bytes, .. } => {
            input::Code::Zip { sha256: code_sha256.clone(), size: *zipped_bytes }
        }
        Artifact::S3 { key, .. } => input::Code::Zip { sha256: key.clone(), size: 1 },
        Artifact::Image { uri } => input::Code::Image { uri: uri.clone(), sha256: uri.clone() },
    }
}

#[async_trait]
impl Cloud for ModelCloud {
    async fn get_function(
        &self,
        function: &FunctionName,
        version: Option<VersionId>,
    ) -> Result<Option<FunctionView>, CloudError> {
        let version = version.map(|v| v.to_string());
        let seen = self.call("GetFunction", |lambda, now, _| {
            lambda.get_function(now, function.as_str(), version.as_deref())
        });
        Ok(optional(seen.await)?.map(|seen| view(&seen.configuration)))
    }

    async fn create_function(
        &self,
        function: &FunctionName,
        config: &FunctionConfig,
        artifact: &Artifact,
    ) -> Result<FunctionView, CloudError> {
        let input = input::CreateFunction {
            function_name: function.to_string(),
            publish: true,
            architectures: Some(vec![config.architecture.clone()]),
            configuration: configuration(config),
            ..input::CreateFunction::default()
        };
        let created = self.call("CreateFunction", |lambda, now, ids| {
            lambda.create_function(now, ids, input, code(artifact))
        });
        Ok(view(&created.await?))
    }

    async fn update_code(
        &self,
        function: &FunctionName,
        artifact: &Artifact,
        architecture: &str,
        base: Option<&str>,
        publish: bool,
    ) -> Result<FunctionView, CloudError> {
        let input = input::UpdateFunctionCode {
            publish,
            revision_id: base.map(ToOwned::to_owned),
            architectures: Some(vec![architecture.to_owned()]),
            ..input::UpdateFunctionCode::default()
        };
        let updated = self.call("UpdateFunctionCode", |lambda, now, ids| {
            lambda.update_function_code(now, ids, function.as_str(), &input, code(artifact))
        });
        Ok(view(&updated.await?))
    }

    async fn update_config(
        &self,
        function: &FunctionName,
        config: &FunctionConfig,
        base: Option<&str>,
    ) -> Result<FunctionView, CloudError> {
        let input = input::UpdateFunctionConfiguration {
            configuration: configuration(config),
            revision_id: base.map(ToOwned::to_owned),
        };
        let updated = self.call("UpdateFunctionConfiguration", |lambda, now, ids| {
            lambda.update_function_configuration(now, ids, function.as_str(), input)
        });
        Ok(view(&updated.await?))
    }

    async fn publish_version(
        &self,
        function: &FunctionName,
        code_sha256: Option<&str>,
        base: Option<&str>,
        description: &str,
    ) -> Result<FunctionView, CloudError> {
        let input = input::PublishVersion {
            code_sha256: code_sha256.map(ToOwned::to_owned),
            description: Some(description.to_owned()),
            revision_id: base.map(ToOwned::to_owned),
        };
        let published = self.call("PublishVersion", |lambda, now, ids| {
            lambda.publish_version(now, ids, function.as_str(), &input)
        });
        Ok(view(&published.await?))
    }

    async fn list_functions(&self) -> Result<Vec<FunctionName>, CloudError> {
        let page = self.call("ListFunctions", |lambda, now, _| {
            Ok(lambda.list_functions(now, false, None, None))
        });
        let names = page.await?.items.into_iter().map(|function| function.function_name);
        Ok(names.filter_map(|name| FunctionName::new(name).ok()).collect())
    }

    async fn list_versions(&self, function: &FunctionName) -> Result<Vec<VersionView>, CloudError> {
        let page = self.call("ListVersionsByFunction", |lambda, now, _| {
            lambda.list_versions(now, function.as_str(), None, None)
        });
        let versions = page.await?.items.into_iter().filter_map(|version| {
            Some(VersionView {
                version: VersionId::parse(&version.version)?,
                code_sha256: version.code_sha256,
            })
        });
        Ok(versions.collect())
    }

    async fn delete_version(
        &self,
        function: &FunctionName,
        version: VersionId,
    ) -> Result<(), CloudError> {
        let version = version.to_string();
        self.call("DeleteFunction", |lambda, now, _| {
            lambda.delete_function(now, function.as_str(), Some(&version))
        })
        .await
    }

    async fn list_aliases(
        &self,
        function: &FunctionName,
    ) -> Result<Option<Vec<AliasState>>, CloudError> {
        let page = self.call("ListAliases", |lambda, _, _| {
            lambda.list_aliases(function.as_str(), None, None, None)
        });
        Ok(optional(page.await)?.map(|page| page.items.iter().map(alias_state).collect()))
    }

    async fn get_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
    ) -> Result<Option<AliasState>, CloudError> {
        let seen = self
            .call("GetAlias", |lambda, _, _| lambda.get_alias(function.as_str(), alias.as_str()));
        Ok(optional(seen.await)?.as_ref().map(alias_state))
    }

    async fn create_alias(
        &self,
        function: &FunctionName,
        alias: &NewAlias,
    ) -> Result<AliasState, CloudError> {
        let input = input::CreateAlias {
            name: alias.name.to_string(),
            function_version: alias.version.map_or_else(|| "$LATEST".to_owned(), |v| v.to_string()),
            description: Some(alias.description.clone()),
            routing_config: None,
        };
        let created = self.call("CreateAlias", |lambda, now, ids| {
            lambda.create_alias(now, ids, function.as_str(), input)
        });
        Ok(alias_state(&created.await?))
    }

    async fn update_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
        update: &AliasUpdate,
    ) -> Result<AliasState, CloudError> {
        let routing = update.routing.map(|(_, extra)| input::RoutingConfig {
            additional_version_weights: Some(
                extra.map(|e| (e.version.to_string(), e.weight.to_share())).into_iter().collect(),
            ),
        });
        let input = input::UpdateAlias {
            function_version: update.routing.map(|(main, _)| main.to_string()),
            description: Some(update.description.clone()),
            routing_config: routing,
            revision_id: Some(update.base.clone()),
        };
        let updated = self.call("UpdateAlias", |lambda, now, ids| {
            lambda.update_alias(now, ids, function.as_str(), alias.as_str(), input)
        });
        Ok(alias_state(&updated.await?))
    }

    async fn delete_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
    ) -> Result<(), CloudError> {
        self.call("DeleteAlias", |lambda, now, _| {
            lambda.delete_alias(now, function.as_str(), alias.as_str())
        })
        .await
    }

    async fn put_artifact(
        &self,
        _bucket: &str,
        _key: &str,
        _zip: &std::path::Path,
    ) -> Result<(), CloudError> {
        Ok(())
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        Ok(Identity {
            account: "000000000000".to_owned(),
            arn: "arn:aws:iam::0:user/test".to_owned(),
        })
    }
}

/// The real strategies, alarms that a test scripts, and hooks that always pass.
#[derive(Default)]
pub struct Components {
    /// The alarms of these functions are red as soon as their candidate takes traffic.
    pub red: Mutex<BTreeSet<String>>,
}

impl Components {
    /// Makes the alarms of a function red.
    pub fn fire(&self, function: &str) {
        self.red.lock().unwrap_or_else(PoisonError::into_inner).insert(function.to_owned());
    }
}

fn strategy(id: &str) -> Result<&'static dyn sdk::DynStrategy, String> {
    [
        &wavegate_plugin_canary::PLUGIN,
        &wavegate_plugin_linear::PLUGIN,
        &wavegate_plugin_all_at_once::PLUGIN,
    ]
    .into_iter()
    .flat_map(sdk::PluginDecl::components)
    .find_map(|component| match component {
        sdk::Component::Strategy(strategy) if strategy.id() == id => Some(strategy),
        _ => None,
    })
    .ok_or_else(|| format!("no strategy `{id}`"))
}

fn weight(bp: sdk::WeightBp) -> Weight {
    Weight::from_bp(bp.get()).unwrap_or(Weight::FULL)
}

#[async_trait]
impl Strategies for Components {
    async fn outline(&self, used: &ComponentUse, subject: &Subject) -> Result<Outline, String> {
        let config = serde_json::from_str(&used.config.0).map_err(|e| e.to_string())?;
        let target = sdk::Target {
            app: subject.app.clone(),
            function: subject.function.clone(),
            alias: subject.alias.clone(),
        };
        let outline =
            strategy(&used.component)?.outline(&config, &target).map_err(|e| e.to_string())?;
        let steps = outline.steps.iter().map(|step| OutlineStep {
            weight: weight(step.weight_bp),
            bake_min: Duration::from_millis(step.bake_ms_min),
            bake_max: Duration::from_millis(step.bake_ms_max),
        });
        Ok(Outline {
            steps: steps.filter(|step| step.weight < Weight::FULL).collect(),
            longest: Duration::from_millis(outline.duration_ms_max),
        })
    }

    async fn decide(
        &self,
        used: &ComponentUse,
        state: Option<&Opaque>,
        seen: &Observation,
    ) -> Result<(Decision, Opaque), String> {
        let config = serde_json::from_str(&used.config.0).map_err(|e| e.to_string())?;
        let state: serde_json::Value = state
            .map_or(Ok(serde_json::Value::Null), |state| serde_json::from_str(&state.0))
            .map_err(|e| e.to_string())?;
        let observation = sdk::Observation {
            weight_bp: sdk::WeightBp::new(seen.weight.bp()).map_err(|e| e.to_string())?,
            bake_elapsed_ms: wavegate_core::time::millis(seen.bake_elapsed),
            rollout_elapsed_ms: wavegate_core::time::millis(seen.rollout_elapsed),
            alarms_firing: seen.alarms_firing,
            alarms_unknown: seen.alarms_unknown,
            alarms_ok: seen.alarms_ok,
            approvals: seen.approvals,
        };
        let (decision, state) = strategy(&used.component)?
            .decide(&config, &state, &observation)
            .map_err(|e| e.to_string())?;
        let decision = match decision {
            sdk::Decision::Shift { weight_bp } => Decision::Shift(weight(weight_bp)),
            sdk::Decision::Wait { millis } => Decision::Wait(Duration::from_millis(millis)),
            sdk::Decision::Pause { reason } => Decision::Pause(reason),
            sdk::Decision::Promote => Decision::Promote,
            sdk::Decision::Rollback { reason } => Decision::Rollback(reason),
            other => return Err(format!("a decision that this version does not know: {other:?}")),
        };
        Ok((decision, Opaque(state.to_string())))
    }
}

#[async_trait]
impl Hooks for Components {
    async fn run(&self, _hook: &HookUse, _call: &HookCall) -> HookVerdict {
        HookVerdict::Pass { detail: String::new() }
    }
}

#[async_trait]
impl Alarms for Components {
    async fn read(&self, questions: Vec<AlarmQuestion>) -> Result<Vec<AlarmAnswer>, String> {
        tokio::time::sleep(LATENCY).await;
        let red = self.red.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = questions.into_iter().map(|question| {
            let is_red = question.since_ms.is_some() && red.contains(question.key.0.as_str());
            AlarmAnswer {
                key: question.key,
                status: if is_red { AlarmStatus::Firing } else { AlarmStatus::Ok },
                detail: "Errors 3/4 = 75% > 1%".to_owned(),
            }
        });
        Ok(answers.collect())
    }
}

/// One test's world, and an engine on it.
pub struct Stage {
    /// The cloud.
    pub cloud: Arc<ModelCloud>,
    /// The components.
    pub components: Arc<Components>,
    /// The clock.
    pub clock: ScaledClock,
    settings: Settings,
}

impl Stage {
    /// A world whose cloud answers 429 above so many requests per second, and whose engine keeps
    /// to that budget. Call it under tokio's paused clock.
    pub fn new(requests_per_second: Option<u32>) -> Self {
        // An arbitrary day, so that virtual time looks like time.
        let clock = ScaledClock::starting_at(1_790_000_000_000, 1.0);
        Self {
            cloud: Arc::new(ModelCloud::new(clock.clone(), requests_per_second)),
            components: Arc::default(),
            clock,
            settings: Settings { requests_per_second, artifact_bucket: None },
        }
    }

    /// A fresh engine, as a new process would have.
    pub fn engine(&self) -> Engine {
        let world = World {
            cloud: Arc::<ModelCloud>::clone(&self.cloud),
            deployments: Arc::new(NoCodeDeploy),
            strategies: Arc::<Components>::clone(&self.components),
            hooks: Arc::<Components>::clone(&self.components),
            alarms: Arc::<Components>::clone(&self.components),
            clock: Arc::new(self.clock.clone()),
        };
        Engine::new(world, self.settings.clone())
    }

    /// Plans and executes a release. `None`: there was nothing to do.
    ///
    /// # Panics
    /// If the plan is blocked or the engine has a bug.
    pub async fn release(
        &self,
        spec: &AppSpec,
        artifacts: &BTreeMap<FunctionName, Artifact>,
    ) -> Option<(Outcome, Vec<Record>)> {
        let engine = self.engine();
        let inventory = engine.observe(spec).await.expect("an inventory");
        let (plan, report) = engine.plan(spec, &inventory, artifacts, None).await.expect("a plan");
        assert!(!report.is_blocked(), "{:?}", report.problems);
        let plan = plan.expect("a plan");
        if plan.functions.is_empty() {
            return None;
        }
        let (run, mut events) = run();
        let outcome = engine.deploy(plan, run).await.expect("no bug");
        let mut records = Vec::new();
        while let Ok(record) = events.try_recv() {
            records.push(record);
        }
        Some((outcome, records))
    }
}

/// What a release needs, without anybody who steers it.
pub fn run() -> (Run, mpsc::UnboundedReceiver<Record>) {
    let (events, received) = mpsc::unbounded_channel();
    let (_, commands) = mpsc::unbounded_channel();
    let run = Run {
        owner: "ana@laptop".to_owned(),
        target: "the model".to_owned(),
        unchanged: Vec::new(),
        events,
        commands,
        aliases: Arc::default(),
    };
    (run, received)
}
