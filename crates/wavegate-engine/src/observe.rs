//! Looking: the inventory of an app, and what has to be asked before a plan can be made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _};
use wavegate_core::codedeploy::Called;
use wavegate_core::inventory::{AliasState, Inventory, Latest, ObservedFunction, ObservedVersion};
use wavegate_core::name::{AliasName, AppName, FunctionName, VersionId};
use wavegate_core::plan::{AlarmSnapshot, Diff, Outline};
use wavegate_core::release::Priority;
use wavegate_core::spec::{AppSpec, FunctionSpec};
use wavegate_core::token::{LockRecord, Token};

use crate::caller::{Quota, Retry};
use crate::ports::{AlarmQuestion, CloudError, FunctionView, Subject};
use crate::{Engine, EngineError, READ_WITHIN, THINK_WITHIN};

/// The pauses before alarms are read again that could not be: a blip costs no release, and a mistake
/// is told within seconds.
const SNAPSHOT_PAUSES_MS: [u64; 3] = [250, 500, 1_000];

/// How many functions are looked at at once. The budget decides how fast; this bounds sockets.
pub(crate) const LOOKS_AT_ONCE: usize = 32;

/// Two reads per function: its aliases, and the version that the live alias serves. A hook that
/// CodeDeploy calls has a third one: its `$LATEST`, which is what is called.
pub(crate) async fn inventory(engine: &Engine, spec: &AppSpec) -> Result<Inventory, EngineError> {
    let taken_at_ms = engine.world.clock.now_ms();
    let called = &spec.called_by_codedeploy();
    let looks = spec.functions.values().map(|function| look(engine, spec, function, called));
    let seen: Vec<Option<(FunctionName, ObservedFunction)>> =
        futures_util::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).try_collect().await?;
    Ok(Inventory { taken_at_ms, account: None, functions: seen.into_iter().flatten().collect() })
}

/// The functions whose lock or live alias carries a record of `app`.
pub(crate) async fn discover(
    engine: &Engine,
    app: &AppName,
    alias: &AliasName,
) -> Result<BTreeSet<FunctionName>, EngineError> {
    let cloud = &engine.world.cloud;
    let failed = |what: String| {
        move |source: CloudError| EngineError::Cloud { what, source: Box::new(source) }
    };
    let names = engine
        .caller
        .call(Quota::Control, "ListFunctions", Priority::Back, Retry::Safe, || {
            cloud.list_functions()
        })
        .await
        .map_err(failed("could not list the functions".to_owned()))?;
    let lock = alias.lock();
    let is_of_app = |state: &AliasState| {
        let is_live = state.name == alias.as_str()
            && Token::decode(&state.description).is_some_and(|token| token.app == *app);
        let is_lock = state.name == lock.as_str()
            && LockRecord::decode(&state.description).is_some_and(|record| record.app == *app);
        is_live || is_lock
    };
    let is_of_app = &is_of_app;
    let looks = names.into_iter().map(|name| async move {
        let aliases = engine
            .caller
            .call(Quota::Control, "ListAliases", Priority::Back, Retry::Safe, || {
                cloud.list_aliases(&name)
            })
            .await
            .map_err(failed(format!("could not look at function `{name}`")))?;
        let is_found = aliases.unwrap_or_default().iter().any(is_of_app);
        Ok::<_, EngineError>(is_found.then_some(name))
    });
    let found: Vec<_> =
        futures_util::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// What was there before an unfinished release touched it. Where it replaces a version, that one is
/// read, and not the one that its alias serves by now.
pub(crate) async fn before(
    engine: &Engine,
    spec: &AppSpec,
    inventory: &Inventory,
    left: &LockRecord,
) -> Result<Inventory, EngineError> {
    let mut before = wavegate_core::plan::before(spec, inventory, left);
    let served = |name: &FunctionName, observed: &ObservedFunction| {
        let function = spec.functions.get(name)?;
        let stable = observed.alias(&spec.alias)?.main()?;
        (observed.served.version != Some(stable)).then(|| (name.clone(), function, stable))
    };
    let wanted: Vec<_> =
        before.functions.iter().filter_map(|(name, observed)| served(name, observed)).collect();
    let looks = wanted.into_iter().map(|(name, function, stable)| async move {
        let view = version(engine, function, Some(stable)).await?;
        Ok::<_, EngineError>((name, view))
    });
    let seen: Vec<_> =
        futures_util::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).try_collect().await?;
    for (name, view) in seen {
        if let (Some(observed), Some((_, served))) = (before.functions.get_mut(&name), view) {
            observed.served = served;
        }
    }
    Ok(before)
}

async fn look(
    engine: &Engine,
    spec: &AppSpec,
    function: &FunctionSpec,
    called: &Called<'_>,
) -> Result<Option<(FunctionName, ObservedFunction)>, EngineError> {
    let cloud = &engine.world.cloud;
    let name = &function.lambda_name;
    let aliases = engine
        .caller
        .call(Quota::Control, "ListAliases", Priority::Forward, Retry::Safe, || {
            cloud.list_aliases(name)
        })
        .await
        .map_err(|source| failed(function, source))?;
    // Where listing answers emptily for a function that is not there, the next read tells.
    let Some(aliases) = aliases else { return Ok(None) };
    let live = aliases.iter().find(|alias| alias.name == spec.alias.as_str());
    let main = live.and_then(AliasState::main);
    let Some((arn, served)) = version(engine, function, main).await? else { return Ok(None) };
    let latest = if main.is_some() && called.has(&arn) {
        let held = version(engine, function, None).await?;
        held.map_or(Latest::Unasked, |(_, held)| Latest::Holds(Box::new(held)))
    } else {
        Latest::Unasked
    };
    Ok(Some((function.name.clone(), ObservedFunction { arn, aliases, served, latest })))
}

/// One version of a function, or `$LATEST`, with the function's ARN.
async fn version(
    engine: &Engine,
    function: &FunctionSpec,
    version: Option<VersionId>,
) -> Result<Option<(String, ObservedVersion)>, EngineError> {
    let (cloud, name) = (&engine.world.cloud, &function.lambda_name);
    let view = engine
        .caller
        .call(Quota::Get, "GetFunction", Priority::Forward, Retry::Safe, || {
            cloud.get_function(name, version)
        })
        .await
        .map_err(|source| failed(function, source))?;
    Ok(view.map(|view| served(view, version)))
}

/// A function's ARN, and the version of it that was read.
pub(crate) fn served(view: FunctionView, version: Option<VersionId>) -> (String, ObservedVersion) {
    let served = ObservedVersion {
        version: VersionId::parse(&view.version).or(version),
        code_sha256: view.code_sha256,
        image_uri: view.image_uri,
        config: view.config,
    };
    (view.arn, served)
}

pub(crate) fn failed(function: &FunctionSpec, source: CloudError) -> EngineError {
    EngineError::Cloud {
        what: format!("could not look at function `{}`", function.lambda_name),
        source: Box::new(source),
    }
}

type Outlines = BTreeMap<FunctionName, Outline>;
type Snapshots = BTreeMap<(FunctionName, String), AlarmSnapshot>;

/// Asks the strategies for their outlines and the alarms for their state, for what changes.
pub(crate) async fn questions(
    engine: &Engine,
    spec: &AppSpec,
    inventory: &Inventory,
    diff: &Diff,
) -> Result<(Outlines, Snapshots), EngineError> {
    let changed: Vec<&FunctionSpec> =
        diff.changed().filter_map(|name| spec.functions.get(name)).collect();
    // A first deploy has nothing to shift from, and so nothing to watch.
    let shifting: Vec<&FunctionSpec> = changed
        .iter()
        .copied()
        .filter(|f| {
            inventory.functions.get(&f.name).is_some_and(|o| o.alias(&spec.alias).is_some())
        })
        .collect();
    let outlines =
        try_join_all(shifting.iter().map(|function| outline(engine, spec, function))).await?;
    let alarms = snapshot(engine, spec, &changed).await?;
    Ok((outlines.into_iter().collect(), alarms))
}

async fn outline(
    engine: &Engine,
    spec: &AppSpec,
    function: &FunctionSpec,
) -> Result<(FunctionName, Outline), EngineError> {
    let subject = subject(spec, function);
    let question = engine.world.strategies.outline(&function.strategy, &subject);
    let answer = tokio::time::timeout(THINK_WITHIN, question)
        .await
        .unwrap_or_else(|_| Err(silent(THINK_WITHIN)));
    match answer {
        Ok(outline) => Ok((function.name.clone(), outline)),
        Err(reason) => Err(EngineError::Strategy {
            function: function.name.clone(),
            strategy: function.strategy.name.clone(),
            reason,
        }),
    }
}

async fn snapshot(
    engine: &Engine,
    spec: &AppSpec,
    functions: &[&FunctionSpec],
) -> Result<Snapshots, EngineError> {
    let now_ms = engine.world.clock.now_ms();
    let questions: Vec<AlarmQuestion> = functions
        .iter()
        .flat_map(|function| {
            function.alarms.iter().map(|alarm| AlarmQuestion {
                key: (function.name.clone(), alarm.alarm.name.clone()),
                alarm: alarm.alarm.clone(),
                subject: subject(spec, function),
                stable: None,
                candidate: None,
                since_ms: None,
                now_ms,
            })
        })
        .collect();
    if questions.is_empty() {
        return Ok(Snapshots::new());
    }
    let alarms = Arc::clone(&engine.world.alarms);
    let mut tries = 0;
    let answers = loop {
        let reading = tokio::time::timeout(READ_WITHIN, alarms.read(questions.clone()));
        let pause_ms = SNAPSHOT_PAUSES_MS.get(tries);
        tries += 1;
        match (reading.await, pause_ms) {
            (Ok(Ok(answers)), _) => break answers,
            (Err(_), _) => return Err(EngineError::Alarms(silent(READ_WITHIN))),
            (Ok(Err(reason)), None) => return Err(EngineError::Alarms(reason)),
            (Ok(Err(reason)), Some(pause_ms)) => {
                tracing::debug!(reason, tries, "alarms are read again");
                let clock = &engine.world.clock;
                clock.sleep_until(clock.now_ms() + pause_ms).await;
            }
        }
    };
    Ok(answers
        .into_iter()
        .map(|answer| (answer.key, AlarmSnapshot { status: answer.status, detail: answer.detail }))
        .collect())
}

fn silent(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs())
}

fn subject(spec: &AppSpec, function: &FunctionSpec) -> Subject {
    Subject {
        app: spec.name.to_string(),
        function: function.lambda_name.to_string(),
        alias: spec.alias.to_string(),
    }
}
