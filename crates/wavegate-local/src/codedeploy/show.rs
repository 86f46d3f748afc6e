//! How records look to callers: the members of AWS's model that a Lambda deployment has.

use serde_json::{Map, Value, json};

use super::deployment::{
    AutoRollback, Deployment, Event, Lifecycle, Phase, Revision, Source, Watch,
};
use super::record::Tags;
use super::routing::Routing;

/// Milliseconds to the seconds of timestamps.
pub(super) fn time(ms: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "timestamps in range have fewer than 52 bits")]
    let exact = ms as f64;
    if ms % 1000 == 0 { json!(ms / 1000) } else { json!(exact / 1000.0) }
}

/// A JSON object out of members, those that are absent left out.
pub(super) fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<String, Value>>())
}

/// `DeploymentStyle`: the only one that Lambda has.
pub(super) fn style() -> Value {
    json!({ "deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL" })
}

/// `AlarmConfiguration`.
pub(super) fn watch(watch: &Watch) -> Value {
    let alarms: Vec<Value> = watch.alarms.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "enabled": watch.enabled,
        "ignorePollAlarmFailure": watch.ignore_poll_alarm_failure,
        "alarms": alarms,
    })
}

/// `AutoRollbackConfiguration`.
pub(super) fn rollback(rollback: &AutoRollback) -> Value {
    json!({ "enabled": rollback.enabled, "events": rollback.events })
}

/// `TrafficRoutingConfig`.
pub(super) fn routing(routing: Routing) -> Value {
    match routing {
        Routing::AllAtOnce => json!({ "type": "AllAtOnce" }),
        Routing::Canary { percent, minutes } => json!({
            "type": "TimeBasedCanary",
            "timeBasedCanary": { "canaryPercentage": percent, "canaryInterval": minutes },
        }),
        Routing::Linear { percent, minutes } => json!({
            "type": "TimeBasedLinear",
            "timeBasedLinear": { "linearPercentage": percent, "linearInterval": minutes },
        }),
    }
}

/// Tags as a list.
pub(super) fn tags(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// Whether a revision is shown with its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// As `GetApplicationRevision` does.
    Shown,
    /// As everything else does: AWS answers with a content that "is always null".
    Hidden,
}

/// `RevisionLocation`.
pub(super) fn revision(revision: &Revision, content: Content) -> Value {
    let mut text = json!({ "sha256": revision.sha256 });
    if content == Content::Shown {
        text["content"] = json!(revision.content);
    }
    match &revision.source {
        Source::AppSpecContent => {
            json!({ "revisionType": "AppSpecContent", "appSpecContent": text })
        }
        Source::String => json!({ "revisionType": "String", "string": text }),
        Source::S3 { bucket, key, bundle_type } => json!({
            "revisionType": "S3",
            "s3Location": { "bucket": bucket, "key": key, "bundleType": bundle_type },
        }),
    }
}

/// `DeploymentStatus`.
pub(super) fn status(phase: &Phase) -> &'static str {
    match phase {
        Phase::Created { .. } => "Created",
        Phase::Hook { .. }
        | Phase::Shifting { .. }
        | Phase::Moving { .. }
        | Phase::Settling { .. } => "InProgress",
        Phase::Succeeded => "Succeeded",
        Phase::Failed => "Failed",
        Phase::Stopped => "Stopped",
    }
}

/// `TargetStatus`, which has no word for stopped.
pub(super) fn target_status(phase: &Phase) -> &'static str {
    match phase {
        Phase::Created { .. } => "Pending",
        Phase::Failed | Phase::Stopped => "Failed",
        other => status(other),
    }
}

/// `DeploymentInfo`. `back` is the deployment that puts this one back, if there is one.
pub(super) fn deployment(it: &Deployment, back: Option<&Deployment>) -> Value {
    let failure = it
        .failure
        .as_ref()
        .map(|failure| json!({ "code": failure.code, "message": failure.message }));
    object([
        ("applicationName", Some(json!(it.application))),
        ("deploymentGroupName", Some(json!(it.group))),
        ("deploymentConfigName", Some(json!(it.config))),
        ("deploymentId", Some(json!(it.id))),
        ("previousRevision", it.previous.as_ref().map(|old| revision(old, Content::Hidden))),
        ("revision", Some(revision(&it.revision, Content::Hidden))),
        ("status", Some(json!(status(&it.phase)))),
        ("errorInformation", failure),
        ("createTime", Some(time(it.created_ms))),
        ("startTime", it.started_ms.map(time)),
        ("completeTime", it.ended_ms.map(time)),
        ("deploymentOverview", Some(overview(&it.phase))),
        ("description", Some(json!(it.description)).filter(|_| !it.description.is_empty())),
        ("creator", Some(json!(it.creator))),
        ("ignoreApplicationStopFailures", Some(json!(false))),
        ("autoRollbackConfiguration", Some(rollback(&it.rollback))),
        ("updateOutdatedInstancesOnly", Some(json!(false))),
        ("rollbackInfo", rollback_info(it, back)),
        ("deploymentStyle", Some(style())),
        ("instanceTerminationWaitTimeStarted", Some(json!(false))),
        ("fileExistsBehavior", Some(json!("DISALLOW"))),
        ("deploymentStatusMessages", Some(json!([]))),
        ("computePlatform", Some(json!("Lambda"))),
        ("overrideAlarmConfiguration", it.has_own_watch.then(|| watch(&it.watch))),
    ])
}

fn overview(phase: &Phase) -> Value {
    let mut counts = json!({
        "Pending": 0, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0,
    });
    counts[target_status(phase)] = json!(1);
    counts
}

fn rollback_info(it: &Deployment, back: Option<&Deployment>) -> Option<Value> {
    if let Some(failed) = &it.rolls_back {
        return Some(json!({
            "rollbackTriggeringDeploymentId": failed,
            "rollbackMessage": format!("This deployment rolls {failed} back"),
        }));
    }
    if let (Some(id), Some(back)) = (&it.rolled_back_by, back) {
        let how = match back.phase {
            Phase::Succeeded => "has succeeded",
            Phase::Failed => "has failed",
            Phase::Stopped => "was stopped",
            _ => "is in progress",
        };
        return Some(json!({
            "rollbackDeploymentId": id,
            "rollbackMessage": format!("The rollback {how}"),
        }));
    }
    let is_unsound = matches!(it.phase, Phase::Failed) && !it.has_begun && it.rollback.enabled;
    is_unsound.then(|| {
        json!({ "rollbackMessage": "There is nothing to roll back: the deployment did not begin" })
    })
}

/// `LastDeploymentInfo`.
pub(super) fn last(it: &Deployment) -> Value {
    object([
        ("deploymentId", Some(json!(it.id))),
        ("status", Some(json!(status(&it.phase)))),
        ("endTime", it.ended_ms.map(time)),
        ("createTime", Some(time(it.created_ms))),
    ])
}

/// `DeploymentTarget` of a deployment whose AppSpec file could be read.
pub(super) fn target(it: &Deployment, id: &str, arn: &str) -> Option<Value> {
    let spec = it.spec.as_ref()?;
    Some(json!({
        "deploymentTargetType": "LambdaTarget",
        "lambdaTarget": {
            "deploymentId": it.id,
            "targetId": id,
            "targetArn": arn,
            "status": target_status(&it.phase),
            "lastUpdatedAt": time(it.updated_ms),
            "lifecycleEvents": lifecycle(&it.lifecycle, |event| it.hook(event)),
            "lambdaFunctionInfo": {
                "functionName": id,
                "functionAlias": spec.alias,
                "currentVersion": spec.current,
                "targetVersion": spec.target,
                // The model calls it a percentage, and ECS, which shares its type, counts to 100.
                "targetVersionWeight": f64::from(it.weight),
            },
        },
    }))
}

fn lifecycle<'a>(lifecycle: &Lifecycle, hook: impl Fn(Event) -> Option<&'a str>) -> Value {
    let entries = lifecycle.entries().iter().map(|entry| {
        let diagnostics = entry.diagnosis.as_ref().map(|(code, message)| {
            json!({
                "errorCode": code,
                "scriptName": hook(entry.event).unwrap_or_default(),
                "message": message,
                "logTail": "",
            })
        });
        object([
            ("lifecycleEventName", Some(json!(entry.event))),
            ("diagnostics", diagnostics),
            ("startTime", entry.started_ms.map(time)),
            ("endTime", entry.ended_ms.map(time)),
            ("status", Some(json!(entry.stage))),
        ])
    });
    entries.collect()
}
