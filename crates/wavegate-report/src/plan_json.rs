//! The plan for machines: `plan --output json`.
//!
//! Everything that [`crate::plan_text`] says, in basis points and milliseconds. Values of
//! environment variables and the components' own config, which may hold credentials, are not in it.

use serde_json::{Map, Value, json};
use wavegate_core::inventory::Artifact;
use wavegate_core::name::FunctionName;
use wavegate_core::plan::{
    Action, Change, Delegation, FunctionPlan, Outline, Plan, PlanReport, Problem, Schedule,
    Severity, Standing,
};
use wavegate_core::spec::{
    ComponentUse, FunctionConfig, HookUse, IfAlreadyAlarming, OnFailure, RollbackScope,
};
use wavegate_core::time::millis;

/// The format version of [`plan_json`]'s answer, in its field `v`. Fields may be added to a
/// version.
pub const PLAN_FORMAT: u32 = 1;

/// A plan and its report as JSON. `plan` is null where a problem blocks it.
pub fn plan_json(plan: Option<&Plan>, report: &PlanReport, schedule: &Schedule) -> Value {
    json!({
        "v": PLAN_FORMAT,
        "blocked": plan.is_none(),
        "plan": plan.map(|plan| whole(plan, schedule)),
        "functions": report
            .functions
            .iter()
            .map(|(name, s)| (name.to_string(), standing(s, report, name)))
            .collect::<Map<_, _>>(),
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

fn whole(plan: &Plan, schedule: &Schedule) -> Value {
    json!({
        "app": plan.app.as_str(),
        "alias": plan.alias.as_str(),
        "number": plan.number,
        "anchor": plan.anchor.as_str(),
        "fingerprint": format!("{:08x}", plan.fingerprint),
        "on_failure": match plan.on_failure {
            OnFailure::Rollback => "rollback",
            OnFailure::Freeze => "freeze",
        },
        "rollback_scope": match plan.scope {
            RollbackScope::App => "app",
            RollbackScope::Dependents => "dependents",
            RollbackScope::Function => "function",
        },
        "max_parallel": plan.max_parallel,
        "keep_versions": plan.keep_versions,
        "expected_ms": millis(schedule.expected),
        "worst_ms": millis(schedule.worst),
        "waves": plan.waves.iter().map(names).collect::<Vec<_>>(),
        "functions": plan
            .functions
            .iter()
            .map(|(name, f)| (name.to_string(), function(f, schedule)))
            .collect::<Map<_, _>>(),
    })
}

fn names<'a>(names: impl IntoIterator<Item = &'a FunctionName>) -> Vec<&'a str> {
    names.into_iter().map(FunctionName::as_str).collect()
}

fn function(function: &FunctionPlan, schedule: &Schedule) -> Value {
    let (action, target) = match function.action {
        Action::First { exists: false } => ("create", None),
        Action::First { exists: true } => ("first", None),
        Action::Update { .. } => ("update", None),
        Action::Switch { target, .. } => ("switch", Some(target.0)),
    };
    let times = schedule.functions.get(&function.name);
    json!({
        "lambda_name": function.lambda_name.as_str(),
        "action": action,
        "stable": function.action.stable().map(|version| version.0),
        "target": target,
        "changes": changes(&function.changes),
        "depends_on": names(&function.depends_on),
        "strategy": component(&function.strategy),
        "outline": outline(&function.outline),
        "codedeploy": function.delegation.as_ref().map(delegation),
        "hooks": {
            "pre_traffic": hooks(&function.pre_traffic),
            "post_traffic": hooks(&function.post_traffic),
            "on_rollback": hooks(&function.on_rollback),
        },
        "alarms": function.alarms.iter().map(|planned| json!({
            "name": planned.alarm.alarm.name,
            "component": planned.alarm.alarm.component,
            "if_already_alarming": match planned.alarm.if_already_alarming {
                IfAlreadyAlarming::Fail => "fail",
                IfAlreadyAlarming::Ignore => "ignore",
                IfAlreadyAlarming::Wait => "wait",
            },
            "already_red": planned.already_red,
        })).collect::<Vec<_>>(),
        "bake_ms": millis(function.bake),
        "start_ms": times.map(|(start, _)| millis(*start)),
        "done_ms": times.map(|(_, done)| millis(*done)),
        "config": config(&function.config),
        "artifact": function.artifact.as_ref().map(artifact),
    })
}

fn delegation(delegation: &Delegation) -> Value {
    let group = &delegation.group;
    json!({
        "application": group.application,
        "group": group.name,
        "is_own": group.is_own,
        "config": delegation.routing.config_name(),
        "alarms": group.alarms,
        "before": group.before,
        "after": group.after,
    })
}

fn component(component: &ComponentUse) -> Value {
    json!({ "name": component.name, "component": component.component })
}

pub(crate) fn outline(outline: &Outline) -> Value {
    json!({
        "words": crate::plan_text::outline_words(outline),
        "steps": outline.steps.iter().map(|step| json!({
            "weight_bp": step.weight.bp(),
            "bake_min_ms": millis(step.bake_min),
            "bake_max_ms": millis(step.bake_max),
        })).collect::<Vec<_>>(),
        "longest_ms": millis(outline.longest),
    })
}

fn hooks(hooks: &[HookUse]) -> Vec<Value> {
    let one = |hook: &HookUse| {
        json!({
            "name": hook.hook.name,
            "component": hook.hook.component,
            "timeout_ms": millis(hook.timeout),
        })
    };
    hooks.iter().map(one).collect()
}

fn changes(changes: &[Change]) -> Vec<Value> {
    changes.iter().map(|c| json!({ "what": c.what, "from": c.from, "to": c.to })).collect()
}

fn config(config: &FunctionConfig) -> Value {
    json!({
        "runtime": config.runtime,
        "handler": config.handler,
        "role": config.role,
        "memory_mb": config.memory_mb,
        "timeout_s": config.timeout_s,
        "environment_keys": config.environment.keys().collect::<Vec<_>>(),
        "description": config.description,
        "architecture": config.architecture,
        "layers": config.layers,
        "ephemeral_storage_mb": config.ephemeral_storage_mb,
        "tracing": config.tracing,
        "vpc": config.vpc.as_ref().map(|vpc| json!({
            "subnets": vpc.subnets,
            "security_groups": vpc.security_groups,
        })),
        "dead_letter": config.dead_letter,
    })
}

fn artifact(artifact: &Artifact) -> Value {
    match artifact {
        Artifact::Zip { code_sha256, zipped_bytes, unzipped_bytes, .. } => json!({
            "kind": "zip",
            "code_sha256": code_sha256,
            "zipped_bytes": zipped_bytes,
            "unzipped_bytes": unzipped_bytes,
        }),
        Artifact::S3 { bucket, key } => json!({ "kind": "s3", "bucket": bucket, "key": key }),
        Artifact::Image { uri } => json!({ "kind": "image", "uri": uri }),
    }
}

fn standing(standing: &Standing, report: &PlanReport, name: &FunctionName) -> Value {
    let is_blocked = report
        .problems
        .iter()
        .any(|p| p.severity == Severity::Error && p.function.as_ref() == Some(name));
    let (word, changed, version) = match standing {
        Standing::New => ("new", None, None),
        Standing::Changed(list) => ("changed", Some(changes(list)), None),
        Standing::Unchanged(version) => ("unchanged", None, Some(version.0)),
        Standing::NotSelected => ("not_selected", None, None),
    };
    json!({ "standing": word, "blocked": is_blocked, "changes": changed, "version": version })
}

fn problem(problem: &Problem) -> Value {
    json!({
        "code": problem.code,
        "severity": match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "function": problem.function.as_ref().map(FunctionName::as_str),
        "message": problem.message,
        "hint": problem.hint,
    })
}
