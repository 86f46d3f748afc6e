//! Hooks: asked once, waited for, believed.

use serde_json::{Value, json};

use super::{Bench, MINUTE, spec};
use crate::codedeploy::Question;
use crate::codedeploy::deployment::START_MS;
use crate::codedeploy::fault::FaultKind;

const CANARY: &str = "CodeDeployDefault.LambdaCanary10Percent5Minutes";

fn hooked() -> Value {
    spec("1", "2", &json!([{ "BeforeAllowTraffic": "before" }, { "AfterAllowTraffic": "after" }]))
}

fn asked(bench: &mut Bench) -> Question {
    let questions = bench.codedeploy.take_questions();
    assert_eq!(questions.len(), 1, "{questions:?}");
    questions.into_iter().next().unwrap()
}

fn answer(question: &Question, status: &str) -> Value {
    json!({
        "deploymentId": question.deployment,
        "lifecycleEventHookExecutionId": question.execution,
        "status": status,
    })
}

const PUT: &str = "PutLifecycleEventHookExecutionStatus";

#[test]
fn traffic_waits_for_the_hook_before_it_and_the_end_for_the_one_after() {
    let mut bench = Bench::new();
    let id = bench.deploy_spec(CANARY, &hooked(), json!({}));
    bench.pass(START_MS);
    let before = asked(&mut bench);
    assert_eq!((before.function.as_str(), before.deployment.as_str()), ("before", id.as_str()));
    let sent: Value = serde_json::from_str(&before.payload()).unwrap();
    assert_eq!(
        sent,
        json!({
            "DeploymentId": id, "LifecycleEventHookExecutionId": before.execution,
        })
    );
    bench.pass(30 * MINUTE);
    assert_eq!(
        (bench.weight(), bench.events(&id)),
        (0, vec!["Start Succeeded".to_owned(), "BeforeAllowTraffic InProgress".to_owned(),])
    );
    let put = bench.ok(PUT, answer(&before, "Succeeded"));
    assert_eq!(put["lifecycleEventHookExecutionId"], json!(before.execution));
    bench.pass(1);
    assert_eq!(bench.weight(), 10);
    assert!(bench.codedeploy.take_questions().is_empty());
    bench.pass(5 * MINUTE);
    let after = asked(&mut bench);
    assert_eq!((after.function.as_str(), bench.weight()), ("after", 100));
    assert_ne!(after.execution, before.execution);
    assert_eq!(bench.status(&id), "InProgress");
    bench.ok(PUT, answer(&after, "Succeeded"));
    assert_eq!(bench.status(&id), "Succeeded");
}

#[test]
fn a_hook_before_traffic_that_fails_keeps_the_target_from_any() {
    let mut bench = Bench::new();
    let id = bench.deploy_spec(CANARY, &hooked(), json!({}));
    bench.pass(START_MS);
    let before = asked(&mut bench);
    bench.ok(PUT, answer(&before, "Failed"));
    bench.pass(10 * MINUTE);
    assert_eq!((bench.status(&id).as_str(), bench.alias()), ("Failed", ("1".into(), None)));
    assert_eq!(bench.code_of(&id), "HOOK_EXECUTION_FAILURE");
    assert_eq!(
        bench.events(&id),
        [
            "Start Succeeded",
            "BeforeAllowTraffic Failed",
            "AllowTraffic Skipped",
            "AfterAllowTraffic Skipped",
            "End Skipped",
        ]
    );
    let events = bench.target(&id)["lifecycleEvents"].clone();
    assert_eq!(events[1]["diagnostics"]["errorCode"], "ScriptFailed");
    assert_eq!(events[1]["diagnostics"]["scriptName"], "before");
}

#[test]
fn a_hook_after_traffic_that_fails_takes_all_of_it_back() {
    let mut bench = Bench::new();
    let id = bench.deploy_spec("", &hooked(), json!({}));
    bench.pass(START_MS);
    let before = asked(&mut bench);
    bench.ok(PUT, answer(&before, "Succeeded"));
    bench.pass(1);
    assert_eq!(bench.weight(), 100);
    let after = asked(&mut bench);
    bench.ok(PUT, answer(&after, "Failed"));
    bench.pass(0);
    assert_eq!((bench.alias(), bench.status(&id).as_str()), (("1".into(), None), "Failed"));
}

#[test]
fn a_hook_that_does_not_report_within_an_hour_has_failed() {
    let mut bench = Bench::new();
    let id = bench.deploy_spec(CANARY, &hooked(), json!({}));
    bench.pass(START_MS + 60 * MINUTE - 1);
    assert_eq!(bench.status(&id), "InProgress");
    bench.pass(1);
    assert_eq!((bench.status(&id).as_str(), bench.weight()), ("Failed", 0));
    assert_eq!(bench.code_of(&id), "HOOK_EXECUTION_FAILURE");
    let events = bench.target(&id)["lifecycleEvents"].clone();
    assert_eq!(events[1]["diagnostics"]["errorCode"], "ScriptTimedOut");
    let late = asked(&mut bench);
    let refused = bench.refused(PUT, answer(&late, "Succeeded"));
    assert_eq!(refused, FaultKind::LifecycleEventAlreadyCompleted);
}

#[test]
fn a_hook_that_cannot_be_asked_has_failed() {
    let mut bench = Bench::new();
    let id = bench.deploy_spec(CANARY, &hooked(), json!({}));
    bench.pass(START_MS);
    let before = asked(&mut bench);
    let (codedeploy, ids) = (&mut bench.codedeploy, &mut bench.ids);
    codedeploy.unasked(bench.now, ids, &before, "Function not found".to_owned());
    assert_eq!(bench.status(&id), "Failed");
    let message = bench.info(&id)["errorInformation"]["message"].clone();
    assert!(message.as_str().unwrap().contains("Function not found"), "{message}");
}

#[test]
fn a_report_is_only_taken_once_with_a_known_id_and_one_of_two_statuses() {
    let mut bench = Bench::new();
    bench.deploy_spec(CANARY, &hooked(), json!({}));
    bench.pass(START_MS);
    let before = asked(&mut bench);
    let wrong = |name: &str, value: &str| {
        let mut input = answer(&before, "Succeeded");
        input[name] = json!(value);
        input
    };
    for (input, kind) in [
        (wrong("status", "Skipped"), FaultKind::InvalidLifecycleEventHookExecutionStatus),
        (wrong("status", ""), FaultKind::InvalidLifecycleEventHookExecutionStatus),
        (
            wrong("lifecycleEventHookExecutionId", "x"),
            FaultKind::InvalidLifecycleEventHookExecutionId,
        ),
        (wrong("deploymentId", "d-000000000"), FaultKind::DeploymentDoesNotExist),
        (wrong("deploymentId", "x"), FaultKind::InvalidDeploymentId),
        (wrong("deploymentId", ""), FaultKind::DeploymentIdRequired),
    ] {
        assert_eq!(bench.refused(PUT, input), kind);
    }
    bench.ok(PUT, answer(&before, "Succeeded"));
    for status in ["Succeeded", "Failed"] {
        let refused = bench.refused(PUT, answer(&before, status));
        assert_eq!(refused, FaultKind::LifecycleEventAlreadyCompleted);
    }
}

#[test]
fn a_hook_that_is_waited_for_is_asked_again_after_a_restart_under_the_same_id() {
    let mut bench = Bench::new();
    let id = bench.deploy_spec("", &hooked(), json!({}));
    assert!(bench.codedeploy.open_questions().is_empty());
    bench.pass(START_MS);
    let before = asked(&mut bench);
    bench.restart();
    assert_eq!(bench.codedeploy.open_questions(), std::slice::from_ref(&before));
    assert!(bench.codedeploy.is_open(&before));
    bench.ok(PUT, answer(&before, "Succeeded"));
    assert!(!bench.codedeploy.is_open(&before));
    bench.pass(1);
    assert_eq!((bench.weight(), bench.status(&id).as_str()), (100, "InProgress"));
}
