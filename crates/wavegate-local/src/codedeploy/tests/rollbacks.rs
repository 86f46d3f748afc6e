//! Stops, alarms, and the way back.

use serde_json::{Value, json};

use super::{Bench, MINUTE, creation, merge, spec};
use crate::cloudwatch::AlarmState;
use crate::codedeploy::deployment::{POLL_MS, START_MS};
use crate::codedeploy::fault::FaultKind;

const CANARY: &str = "CodeDeployDefault.LambdaCanary10Percent10Minutes";

fn watching(more: Value) -> Value {
    let mut watch = json!({ "enabled": true, "alarms": [{ "name": "red" }, { "name": "errors" }] });
    merge(&mut watch, more);
    json!({
        "applicationName": "app", "currentDeploymentGroupName": "group", "alarmConfiguration": watch,
    })
}

fn with_alarms(more: Value) -> Bench {
    let mut bench = Bench::new();
    bench.ok("UpdateDeploymentGroup", watching(more));
    bench.alarms.insert("red".into(), AlarmState::Ok);
    bench.alarms.insert("errors".into(), AlarmState::InsufficientData);
    bench
}

fn without_rollback(bench: &mut Bench) {
    bench.ok(
        "UpdateDeploymentGroup",
        json!({
            "applicationName": "app", "currentDeploymentGroupName": "group",
            "autoRollbackConfiguration": { "enabled": false },
        }),
    );
}

/// The deployment that put `id` back.
fn back(bench: &mut Bench, id: &str) -> Option<String> {
    let told = bench.info(id)["rollbackInfo"]["rollbackDeploymentId"].clone();
    told.as_str().map(ToOwned::to_owned)
}

#[test]
fn an_alarm_in_mid_shift_stops_the_deployment_and_puts_the_alias_back_at_once() {
    let mut bench = with_alarms(json!({}));
    let id = bench.deploy(CANARY, json!({}));
    bench.pass(START_MS + 3 * MINUTE);
    assert_eq!(bench.weight(), 10);
    bench.alarms.insert("red".into(), AlarmState::Alarm);
    bench.pass(POLL_MS);
    assert_eq!(bench.alias(), ("1".into(), None));
    assert_eq!(
        (bench.status(&id).as_str(), bench.code_of(&id).as_str()),
        ("Stopped", "ALARM_ACTIVE")
    );
    let back = back(&mut bench, &id).unwrap();
    let info = bench.info(&back);
    assert_eq!(
        (&info["creator"], &info["status"]),
        (&json!("codeDeployRollback"), &json!("Succeeded"))
    );
    assert_eq!(info["rollbackInfo"]["rollbackTriggeringDeploymentId"], json!(id));
    let events = bench.events(&id);
    assert!(events.contains(&"AllowTraffic Failed".to_owned()), "{events:?}");
    let moved = bench.target(&back)["lambdaFunctionInfo"].clone();
    assert_eq!((&moved["currentVersion"], &moved["targetVersion"]), (&json!("2"), &json!("1")));
}

#[test]
fn an_alarm_that_is_red_before_the_start_keeps_the_target_from_any_traffic() {
    let mut bench = with_alarms(json!({}));
    bench.alarms.insert("errors".into(), AlarmState::Alarm);
    let id = bench.deploy("", json!({}));
    for _ in 0..100 {
        bench.pass(100);
        assert_eq!(bench.weight(), 0);
    }
    assert_eq!(
        (bench.status(&id).as_str(), bench.code_of(&id).as_str()),
        ("Stopped", "ALARM_ACTIVE")
    );
}

#[test]
fn an_alarm_that_is_red_before_the_start_lets_no_hook_be_asked() {
    let mut bench = with_alarms(json!({}));
    bench.alarms.insert("red".into(), AlarmState::Alarm);
    let hooks = json!([{ "BeforeAllowTraffic": "before" }]);
    let id = bench.deploy_spec("", &spec("1", "2", &hooks), json!({}));
    bench.pass(START_MS);
    assert_eq!(bench.status(&id), "Stopped");
    assert!(bench.codedeploy.take_questions().is_empty());
}

#[test]
fn an_alarm_stops_a_deployment_that_waits_for_a_hook() {
    let mut bench = with_alarms(json!({}));
    let hooks = json!([{ "AfterAllowTraffic": "after" }]);
    let id = bench.deploy_spec("", &spec("1", "2", &hooks), json!({}));
    bench.pass(START_MS);
    assert_eq!(bench.weight(), 100);
    bench.alarms.insert("red".into(), AlarmState::Alarm);
    bench.pass(POLL_MS);
    assert_eq!((bench.status(&id).as_str(), bench.alias()), ("Stopped", ("1".into(), None)));
}

#[test]
fn an_alarm_that_does_not_exist_stops_a_deployment_unless_that_is_ignored() {
    for (ignored, status) in [(false, "Stopped"), (true, "Succeeded")] {
        let mut bench = with_alarms(json!({ "ignorePollAlarmFailure": ignored }));
        bench.alarms.remove("red");
        let id = bench.deploy(CANARY, json!({}));
        bench.pass(11 * MINUTE);
        assert_eq!(bench.status(&id), status);
    }
}

#[test]
fn alarms_given_with_a_deployment_replace_the_groups() {
    let mut bench = with_alarms(json!({}));
    bench.alarms.insert("red".into(), AlarmState::Alarm);
    let off = json!({ "overrideAlarmConfiguration": { "enabled": false } });
    let id = bench.deploy("", off);
    bench.pass(START_MS);
    assert_eq!(bench.status(&id), "Succeeded");
    assert_eq!(bench.info(&id)["overrideAlarmConfiguration"]["enabled"], json!(false));
}

#[test]
fn a_stop_puts_back_if_it_says_so_and_else_as_the_group_says() {
    for (is_enabled, wish, is_back) in [
        (true, json!({}), true),
        (true, json!({ "autoRollbackEnabled": false }), false),
        (false, json!({ "autoRollbackEnabled": true }), true),
        (false, json!({}), false),
    ] {
        let mut bench = Bench::new();
        if !is_enabled {
            without_rollback(&mut bench);
        }
        let id = bench.deploy(CANARY, json!({}));
        bench.pass(START_MS + MINUTE);
        let mut stop = json!({ "deploymentId": id });
        merge(&mut stop, wish);
        assert_eq!(bench.ok("StopDeployment", stop)["status"], "Succeeded");
        bench.pass(MINUTE);
        let left = if is_back { None } else { Some(("2".into(), 10)) };
        assert_eq!(bench.alias(), ("1".into(), left));
        assert_eq!(
            (bench.status(&id).as_str(), bench.code_of(&id).as_str()),
            ("Stopped", "MANUAL_STOP")
        );
        assert_eq!(back(&mut bench, &id).is_some(), is_back);
    }
}

#[test]
fn after_a_stop_without_rollback_deployments_fail_until_a_person_clears_the_alias() {
    let mut bench = Bench::new();
    let id = bench.deploy(CANARY, json!({}));
    bench.pass(START_MS);
    bench.ok("StopDeployment", json!({ "deploymentId": id, "autoRollbackEnabled": false }));
    let next = bench.deploy(CANARY, json!({}));
    bench.pass(START_MS);
    assert_eq!((bench.status(&next).as_str(), bench.weight()), ("Failed", 10));
    assert_eq!(bench.code_of(&next), "INVALID_LAMBDA_CONFIGURATION");
    assert_eq!(back(&mut bench, &next), None);
}

#[test]
fn a_stop_before_the_start_has_nothing_to_put_back() {
    let mut bench = Bench::new();
    let id = bench.deploy(CANARY, json!({}));
    let before = bench.revision_id();
    bench.ok("StopDeployment", json!({ "deploymentId": id, "autoRollbackEnabled": true }));
    bench.pass(MINUTE);
    assert_eq!((back(&mut bench, &id), bench.revision_id()), (None, before));
}

#[test]
fn what_is_over_cannot_be_stopped_or_continued() {
    let mut bench = Bench::new();
    let id = bench.deploy("", json!({}));
    let named = json!({ "deploymentId": id });
    let unsupported = FaultKind::UnsupportedActionForDeploymentType;
    assert_eq!(bench.refused("ContinueDeployment", named.clone()), unsupported);
    bench.pass(START_MS);
    let over = FaultKind::DeploymentAlreadyCompleted;
    assert_eq!(bench.refused("StopDeployment", named.clone()), over);
    assert_eq!(bench.refused("ContinueDeployment", named), over);
}

#[test]
fn a_group_has_one_deployment_at_a_time_the_one_that_puts_back_included() {
    let mut bench = Bench::new();
    let id = bench.deploy(CANARY, json!({}));
    let again = creation(&spec("1", "2", &json!([])).to_string());
    let refused = bench.call("CreateDeployment", again.clone()).unwrap_err();
    assert_eq!(refused.kind, FaultKind::DeploymentLimitExceeded);
    assert!(refused.message.contains(&id), "{refused}");
    bench.pass(START_MS);
    // Stopped, and its rollback is made but has not run.
    bench.ok("StopDeployment", json!({ "deploymentId": id }));
    let refused = bench.refused("CreateDeployment", again.clone());
    assert_eq!(refused, FaultKind::DeploymentLimitExceeded);
    bench.pass(0);
    assert!(bench.call("CreateDeployment", again).is_ok());
}

#[test]
fn what_puts_back_redeploys_the_last_revision_that_led_there() {
    let mut bench = Bench::new();
    let good = bench.deploy("", json!({}));
    bench.pass(START_MS);
    let bad = bench.deploy_spec(CANARY, &spec("2", "3", &json!([])), json!({}));
    bench.pass(START_MS + MINUTE);
    assert_eq!(bench.alias(), ("2".into(), Some(("3".into(), 10))));
    bench.ok("StopDeployment", json!({ "deploymentId": bad }));
    bench.pass(0);
    assert_eq!(bench.alias(), ("2".into(), None));
    let back = back(&mut bench, &bad).unwrap();
    assert_eq!(bench.info(&back)["revision"], bench.info(&good)["revision"]);
    assert_eq!(bench.info(&back)["previousRevision"], bench.info(&bad)["revision"]);
}

#[test]
fn what_cannot_be_put_back_is_told_and_left_alone() {
    let mut bench = Bench::new();
    let id = bench.deploy(CANARY, json!({}));
    bench.pass(START_MS);
    let input = crate::lambda::input::UpdateAlias {
        function_version: Some("3".into()),
        routing_config: Some(crate::lambda::input::RoutingConfig {
            additional_version_weights: Some([].into()),
        }),
        ..Default::default()
    };
    let (lambda, ids) = (&mut bench.lambda, &mut bench.ids);
    lambda.update_alias(bench.now, ids, "shop", "live", input).unwrap();
    bench.ok("StopDeployment", json!({ "deploymentId": id, "autoRollbackEnabled": true }));
    bench.pass(0);
    let back = back(&mut bench, &id).unwrap();
    assert_eq!((bench.status(&back).as_str(), bench.alias()), ("Failed", ("3".into(), None)));
    assert_eq!(bench.code_of(&back), "INVALID_LAMBDA_CONFIGURATION");
    let told = bench.info(&id)["rollbackInfo"]["rollbackMessage"].clone();
    assert_eq!(told, "The rollback has failed");
    // What puts back is not put back itself.
    assert_eq!(
        super::super::CodeDeploy::names_of(&bench.codedeploy, &back),
        Some(("app", "group"))
    );
    let all = bench.ok("ListDeployments", json!({}))["deployments"].as_array().unwrap().len();
    assert_eq!(all, 2);
}
