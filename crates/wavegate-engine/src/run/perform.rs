//! Effects, performed.

use std::collections::BTreeSet;

use tokio::task::JoinSet;
use wavegate_core::name::{AliasName, FunctionName, VersionId};
use wavegate_core::plan::FunctionPlan;
use wavegate_core::release::{
    AlarmSubject, Answer, CloudOp, Effect, Fault, FaultClass, Input, Object, Observation, Priority,
    Reading,
};
use wavegate_core::spec::Opaque;
use wavegate_core::time::Mono;

use super::{Context, delegate, hook};
use crate::caller::{Quota, Retry};
use crate::event::Event;
use crate::ports::{AlarmQuestion, AliasUpdate, CloudError, FaultKind, NewAlias, Subject};
use crate::{READ_WITHIN, THINK_WITHIN};

/// Starts an effect; its result comes back as an input.
pub(super) fn perform(context: &Context, tasks: &mut JoinSet<()>, effect: Effect) {
    let context = context.clone();
    match effect {
        Effect::Call { id, priority, object, op, send_by } => {
            tasks.spawn(async move {
                let answer = call(&context, priority, &object, &op, send_by).await;
                context.tell(Input::Answer { id, answer });
            });
        }
        Effect::Timer { id, at } => {
            tasks.spawn(async move {
                context.engine.world.clock.sleep_until(at.0).await;
                context.tell(Input::Timer { id });
            });
        }
        Effect::Prepare { function } => {
            tasks.spawn(prepare(context, function));
        }
        Effect::Decide { function, ask, observation, state } => {
            tasks.spawn(decide(context, function, ask, observation, state));
        }
        Effect::RunHook { function, phase, index, context: about } => {
            tasks.spawn(hook::run(context, function, phase, index, about));
        }
        Effect::ReadAlarms { ask, subjects } => {
            tasks.spawn(read_alarms(context, ask, subjects));
        }
        Effect::Prune { function, protected } => {
            tasks.spawn(prune(context, function, protected));
        }
        Effect::Delegate { function, ask, candidate } => {
            tasks.spawn(delegate::run(context, function, ask, candidate));
        }
        Effect::Halt { function } => {
            tasks.spawn(delegate::halt(context, function));
        }
        Effect::Report(_) | Effect::Finish(_) | Effect::StopWork => {}
    }
}

// ---- aliases ---------------------------------------------------------------------------------

async fn call(
    context: &Context,
    priority: Priority,
    object: &Object,
    op: &CloudOp,
    send_by: Option<Mono>,
) -> Answer {
    let Some((function, alias)) = place(context, object) else {
        let text = format!("{object:?} is not part of the plan");
        return Answer::Failed(Fault { class: FaultClass::Refused, text });
    };
    let cloud = &context.engine.world.cloud;
    let caller = &context.engine.caller;
    // Asked when the call's turn has come: it may have waited long.
    let in_time = || match send_by {
        Some(limit) if context.now_ms() > limit.0 => {
            Err(not_sent("UpdateAlias", "the lock was no longer proven when its turn came"))
        }
        _ if priority == Priority::Forward && context.work.is_cancelled() => {
            Err(not_sent("UpdateAlias", "the release goes back"))
        }
        _ => Ok(()),
    };
    let (function, alias, in_time) = (&function, &alias, &in_time);
    let result = match op {
        CloudOp::Get => {
            let get = || cloud.get_alias(function, alias);
            caller
                .call(Quota::Control, "GetAlias", priority, Retry::Once, get)
                .await
                .map(Answer::Alias)
        }
        CloudOp::Create { version, description } => {
            let new = &NewAlias {
                name: alias.clone(),
                version: *version,
                description: description.clone(),
            };
            let create = || async move {
                in_time()?;
                cloud.create_alias(function, new).await
            };
            caller
                .call(Quota::Control, "CreateAlias", priority, Retry::Once, create)
                .await
                .map(|state| Answer::Alias(Some(state)))
        }
        CloudOp::Update { base, routing, description } => {
            let update = &AliasUpdate {
                base: base.clone(),
                routing: *routing,
                description: description.clone(),
            };
            let send = || async move {
                in_time()?;
                cloud.update_alias(function, alias, update).await
            };
            caller
                .call(Quota::Control, "UpdateAlias", priority, Retry::Once, send)
                .await
                .map(|state| Answer::Alias(Some(state)))
                // Somebody deleted it. Believed when reads say so too, as any other change is.
                .map_err(|error| match error.kind {
                    FaultKind::NotFound => CloudError { kind: FaultKind::Precondition, ..error },
                    _ => error,
                })
        }
        CloudOp::Delete => {
            let delete = || async move {
                in_time()?;
                cloud.delete_alias(function, alias).await
            };
            caller
                .call(Quota::Control, "DeleteAlias", priority, Retry::Once, delete)
                .await
                .map(|()| Answer::Deleted)
        }
    };
    result.unwrap_or_else(|error| Answer::Failed(fault(&error)))
}

/// A forward call whose turn came too late.
pub(super) fn not_sent(operation: &'static str, why: &str) -> CloudError {
    CloudError {
        operation,
        kind: FaultKind::Unknown,
        code: None,
        message: format!("not sent: {why}"),
        request_id: None,
        retry_after: None,
    }
}

/// Which alias of which Lambda function an object is.
fn place(context: &Context, object: &Object) -> Option<(FunctionName, AliasName)> {
    let plan = &context.plan;
    let lambda = |name: &FunctionName| plan.functions.get(name).map(|f| f.lambda_name.clone());
    match object {
        Object::Lock => Some((plan.anchor_lambda_name.clone(), plan.alias.lock())),
        Object::Live(name) => Some((lambda(name)?, plan.alias.clone())),
        Object::Pin(name) => Some((lambda(name)?, plan.alias.pin())),
    }
}

/// What follows from a failure, for the machine.
fn fault(error: &CloudError) -> Fault {
    let class = match error.kind {
        FaultKind::Precondition | FaultKind::AlreadyExists => FaultClass::Conflict,
        // Credentials were good when the release began; they expire and are refreshed.
        FaultKind::Throttled
        | FaultKind::Unknown
        | FaultKind::Unreachable
        | FaultKind::UpdateInProgress
        | FaultKind::Credentials => FaultClass::Passing,
        FaultKind::NotFound | FaultKind::Denied | FaultKind::Invalid | FaultKind::TooLarge => {
            FaultClass::Refused
        }
    };
    Fault { class, text: error.to_string() }
}

// ---- versions --------------------------------------------------------------------------------

async fn prepare(context: Context, function: FunctionName) {
    let Some(plan) = context.plan.functions.get(&function).cloned() else { return };
    let name = function.to_string();
    let say = |step: &str| {
        context.say(Event::Preparing { function: name.clone(), step: step.to_owned() });
    };
    let work = crate::prepare::prepare(&context.engine, &plan, &say);
    // Stopping in the middle is safe: nothing here moves traffic, and the next release looks
    // before it writes.
    if let Some(result) = context.work.run_until_cancelled(work).await {
        context.tell(Input::Prepared { function, result });
    }
}

async fn prune(context: Context, function: FunctionName, protected: Vec<VersionId>) {
    if let Some(plan) = context.plan.functions.get(&function) {
        match delete_old(&context, plan, &protected.into_iter().collect()).await {
            Ok(versions) if versions.is_empty() => {}
            Ok(versions) => context.say(Event::Pruned { function: function.to_string(), versions }),
            // Old versions cost storage, not correctness: told, and left.
            Err(error) => {
                let text = format!("old versions of {function} were left: {error}");
                context.say(Event::Note { text });
            }
        }
    }
    context.tell(Input::Pruned { function });
}

async fn delete_old(
    context: &Context,
    function: &FunctionPlan,
    protected: &BTreeSet<VersionId>,
) -> Result<Vec<u64>, CloudError> {
    let keep = context.plan.keep_versions;
    // Version numbers start at 1 and only grow, so few versions can be told without a call.
    if protected.iter().any(|version| usize::try_from(version.0).is_ok_and(|number| number <= keep))
    {
        return Ok(Vec::new());
    }
    let (cloud, name) = (&context.engine.world.cloud, &function.lambda_name);
    let caller = &context.engine.caller;
    let versions = caller
        .call(Quota::Control, "ListVersionsByFunction", Priority::Poll, Retry::Safe, || {
            cloud.list_versions(name)
        })
        .await?;
    let versions: Vec<VersionId> = versions.into_iter().map(|view| view.version).collect();
    if versions.len() <= keep {
        return Ok(Vec::new());
    }
    let aliases = caller
        .call(Quota::Control, "ListAliases", Priority::Poll, Retry::Safe, || {
            cloud.list_aliases(name)
        })
        .await?
        .unwrap_or_default();
    let mut deleted = Vec::new();
    for version in wavegate_core::prune::victims(&versions, &aliases, keep, protected) {
        caller
            .call(Quota::Control, "DeleteFunction", Priority::Poll, Retry::Safe, || {
                cloud.delete_version(name, version)
            })
            .await?;
        deleted.push(version.0);
    }
    Ok(deleted)
}

// ---- components ------------------------------------------------------------------------------

async fn decide(
    context: Context,
    function: FunctionName,
    ask: u64,
    observation: Observation,
    state: Option<Opaque>,
) {
    let Some(plan) = context.plan.functions.get(&function) else { return };
    let strategies = &context.engine.world.strategies;
    let question = strategies.decide(&plan.strategy, state.as_ref(), &observation);
    let result = match tokio::time::timeout(THINK_WITHIN, question).await {
        Ok(result) => result,
        Err(_) => Err(format!("no decision within {} s", THINK_WITHIN.as_secs())),
    };
    context.tell(Input::Decided { function, ask, result });
}

async fn read_alarms(context: Context, ask: u64, subjects: Vec<AlarmSubject>) {
    let now_ms = context.now_ms();
    let questions: Vec<AlarmQuestion> =
        subjects.iter().flat_map(|subject| questions(&context, subject, now_ms)).collect();
    let alarms = &context.engine.world.alarms;
    let result = match tokio::time::timeout(READ_WITHIN, alarms.read(questions)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", READ_WITHIN.as_secs())),
    };
    let result = result.map(|answers| {
        answers
            .into_iter()
            .map(|answer| Reading {
                function: answer.key.0,
                alarm: answer.key.1,
                status: answer.status,
                detail: answer.detail,
            })
            .collect()
    });
    context.tell(Input::Alarms { ask, result });
}

fn questions(context: &Context, subject: &AlarmSubject, now_ms: u64) -> Vec<AlarmQuestion> {
    let Some(function) = context.plan.functions.get(&subject.function) else { return Vec::new() };
    let about = about(context, function);
    let question = |planned: &wavegate_core::plan::PlannedAlarm| AlarmQuestion {
        key: (subject.function.clone(), planned.alarm.alarm.name.clone()),
        alarm: planned.alarm.alarm.clone(),
        subject: about.clone(),
        stable: subject.stable,
        candidate: Some(subject.candidate),
        since_ms: Some(subject.since.0),
        now_ms,
    };
    function.alarms.iter().map(question).collect()
}

/// What a component is told about a function.
pub(super) fn about(context: &Context, function: &FunctionPlan) -> Subject {
    Subject {
        app: context.plan.app.to_string(),
        function: function.lambda_name.to_string(),
        alias: context.plan.alias.to_string(),
    }
}
