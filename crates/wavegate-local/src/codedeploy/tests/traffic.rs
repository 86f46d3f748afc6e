//! How traffic moves, and when.

use serde_json::{Value, json};

use super::{Bench, MINUTE, spec};
use crate::codedeploy::CodeDeploy;
use crate::codedeploy::deployment::START_MS;
use crate::codedeploy::fault::FaultKind;
use crate::codedeploy::routing::PREDEFINED;
use crate::lambda::input::{RoutingConfig, UpdateAlias};
use crate::rows::Keeper as _;

#[test]
fn a_canary_is_on_ten_percent_for_its_minutes_and_then_on_everything() {
    let mut bench = Bench::new();
    let id = bench.deploy("CodeDeployDefault.LambdaCanary10Percent10Minutes", json!({}));
    assert_eq!((bench.status(&id).as_str(), bench.weight()), ("Created", 0));
    bench.pass(START_MS);
    assert_eq!(bench.alias(), ("1".into(), Some(("2".into(), 10))));
    assert_eq!(bench.status(&id), "InProgress");
    assert_eq!(bench.target(&id)["lambdaFunctionInfo"]["targetVersionWeight"], json!(10.0));
    bench.pass(10 * MINUTE - 1);
    assert_eq!(bench.weight(), 10);
    bench.pass(1);
    assert_eq!(bench.alias(), ("2".into(), None));
    assert_eq!(bench.status(&id), "Succeeded");
    let target = bench.target(&id);
    assert_eq!(
        target["lambdaFunctionInfo"],
        json!({
            "functionName": "shop", "functionAlias": "live", "currentVersion": "1", "targetVersion": "2",
            "targetVersionWeight": 100.0,
        })
    );
    assert_eq!(target["status"], "Succeeded");
    assert_eq!(
        bench.events(&id),
        [
            "Start Succeeded",
            "BeforeAllowTraffic Succeeded",
            "AllowTraffic Succeeded",
            "AfterAllowTraffic Succeeded",
            "End Succeeded",
        ]
    );
}

#[test]
fn a_linear_shift_begins_at_once_and_ends_after_nine_intervals() {
    let mut bench = Bench::new();
    let id = bench.deploy("CodeDeployDefault.LambdaLinear10PercentEvery3Minutes", json!({}));
    bench.pass(START_MS);
    for step in 1..=10 {
        assert_eq!(bench.weight(), step * 10);
        bench.pass(3 * MINUTE);
    }
    assert_eq!(bench.status(&id), "Succeeded");
    let info = bench.info(&id);
    let took = info["completeTime"].as_f64().unwrap() - info["startTime"].as_f64().unwrap();
    assert!((took - 27.0 * 60.0).abs() < 1e-6, "{took}");
}

#[test]
fn all_at_once_is_one_shift_and_the_default() {
    let mut bench = Bench::new();
    let id = bench.deploy("", json!({}));
    bench.pass(START_MS);
    assert_eq!((bench.alias(), bench.status(&id).as_str()), (("2".into(), None), "Succeeded"));
    assert_eq!(bench.info(&id)["deploymentConfigName"], "CodeDeployDefault.LambdaAllAtOnce");
}

#[test]
fn every_predefined_configuration_is_listed_described_and_deploys() {
    for (name, _) in PREDEFINED {
        let mut bench = Bench::new();
        let shown = bench.ok("GetDeploymentConfig", json!({ "deploymentConfigName": name }));
        assert_eq!(shown["deploymentConfigInfo"]["computePlatform"], "Lambda", "{shown}");
        let id = bench.deploy(name, json!({}));
        bench.pass(100 * MINUTE);
        assert_eq!(bench.status(&id), "Succeeded", "{name}");
    }
}

#[test]
fn a_custom_configuration_shifts_as_it_says() {
    let mut bench = Bench::new();
    bench.ok(
        "CreateDeploymentConfig",
        json!({
            "deploymentConfigName": "careful", "computePlatform": "Lambda",
            "trafficRoutingConfig": { "type": "TimeBasedLinear",
                "timeBasedLinear": { "linearPercentage": 40, "linearInterval": 2 } },
        }),
    );
    let id = bench.deploy("careful", json!({}));
    bench.pass(START_MS);
    let mut weights = vec![bench.weight()];
    for _ in 0..2 {
        bench.pass(2 * MINUTE);
        weights.push(bench.weight());
    }
    assert_eq!((weights, bench.status(&id).as_str()), (vec![40, 80, 100], "Succeeded"));
}

#[test]
fn every_shift_moves_the_revision_id_of_the_alias() {
    let mut bench = Bench::new();
    bench.deploy("CodeDeployDefault.LambdaCanary10Percent5Minutes", json!({}));
    let before = bench.revision_id();
    bench.pass(START_MS);
    let canary = bench.revision_id();
    bench.pass(5 * MINUTE);
    assert!(before != canary && canary != bench.revision_id());
}

#[test]
fn a_shift_that_came_late_does_not_shorten_the_next_interval() {
    let mut bench = Bench::new();
    bench.deploy("CodeDeployDefault.LambdaLinear10PercentEvery10Minutes", json!({}));
    // The cloud was away: nothing happened for an hour.
    bench.now += 60 * MINUTE;
    bench.pass(10 * MINUTE - 1);
    assert_eq!(bench.weight(), 10);
    bench.pass(1);
    assert_eq!(bench.weight(), 20);
}

#[test]
fn with_provisioned_concurrency_traffic_has_moved_when_the_new_versions_is_ready() {
    let mut bench = Bench::new();
    let (now, ids) = (bench.now, &mut bench.ids);
    bench.lambda.put_provisioned(now, ids, "shop", Some("live"), 1).unwrap();
    bench.pass(MINUTE);
    let hooks = json!([{ "AfterAllowTraffic": "after" }]);
    let id = bench.deploy_spec("", &spec("1", "2", &hooks), json!({}));
    bench.pass(START_MS);
    // The alias names the new version, and AWS is still on the old one.
    assert_eq!(bench.alias(), ("2".into(), Some(("1".into(), 100))));
    assert_eq!(bench.events(&id).last().unwrap(), "AllowTraffic InProgress");
    assert!(bench.codedeploy.take_questions().is_empty());
    bench.restart();
    bench.pass(MINUTE);
    assert_eq!(bench.alias(), ("2".into(), None));
    assert_eq!(bench.codedeploy.take_questions().len(), 1);
}

#[test]
fn a_deployment_under_way_goes_on_after_a_restart() {
    let mut bench = Bench::new();
    let id = bench.deploy("CodeDeployDefault.LambdaCanary10Percent10Minutes", json!({}));
    bench.pass(START_MS + 4 * MINUTE);
    bench.restart();
    assert_eq!((bench.weight(), bench.status(&id).as_str()), (10, "InProgress"));
    bench.pass(6 * MINUTE);
    assert_eq!((bench.weight(), bench.status(&id).as_str()), (100, "Succeeded"));
}

#[test]
fn an_alias_that_somebody_changed_is_not_written_to() {
    let mut bench = Bench::new();
    let group = json!({ "applicationName": "app", "currentDeploymentGroupName": "group",
        "autoRollbackConfiguration": { "enabled": false } });
    bench.ok("UpdateDeploymentGroup", group);
    let id = bench.deploy("CodeDeployDefault.LambdaCanary10Percent5Minutes", json!({}));
    bench.pass(START_MS);
    let weights = [("3".to_owned(), 0.5)].into();
    let input = UpdateAlias {
        routing_config: Some(RoutingConfig { additional_version_weights: Some(weights) }),
        ..UpdateAlias::default()
    };
    let (lambda, ids) = (&mut bench.lambda, &mut bench.ids);
    lambda.update_alias(bench.now, ids, "shop", "live", input).unwrap();
    let left = bench.revision_id();
    bench.pass(5 * MINUTE);
    assert_eq!(bench.code_of(&id), "INVALID_LAMBDA_CONFIGURATION");
    assert_eq!((bench.status(&id).as_str(), bench.revision_id()), ("Failed", left));
}

#[test]
fn deployments_are_listed_newest_first_by_group_status_and_time() {
    let mut bench = Bench::new();
    let first = bench.deploy("", json!({}));
    bench.pass(MINUTE);
    let after = bench.now / 1000;
    bench.pass(MINUTE);
    let second = bench.deploy_spec("", &spec("2", "3", &json!([])), json!({}));
    let mut listed = |input: Value| bench.ok("ListDeployments", input)["deployments"].clone();
    let group = |more: Value| {
        let mut input = json!({ "applicationName": "app", "deploymentGroupName": "group" });
        super::merge(&mut input, more);
        input
    };
    assert_eq!(listed(json!({})), json!([second, first]));
    assert_eq!(listed(group(json!({}))), json!([second, first]));
    assert_eq!(listed(group(json!({ "includeOnlyStatuses": ["Created"] }))), json!([second]));
    assert_eq!(listed(json!({ "includeOnlyStatuses": ["Succeeded", "Failed"] })), json!([first]));
    assert_eq!(listed(json!({ "createTimeRange": { "start": after } })), json!([second]));
    assert_eq!(listed(json!({ "createTimeRange": { "end": after } })), json!([first]));
    assert_eq!(listed(json!({ "externalId": "stack" })), json!([]));
}

#[test]
fn deployments_are_paged_and_batches_leave_out_what_is_unknown() {
    let mut bench = Bench::new();
    let mut made = Vec::new();
    for round in 0..110 {
        let (from, to) = if round % 2 == 0 { ("1", "2") } else { ("2", "1") };
        made.push(bench.deploy_spec("", &spec(from, to, &json!([])), json!({})));
        bench.pass(MINUTE);
    }
    made.reverse();
    let first = bench.ok("ListDeployments", json!({}));
    let next = bench.ok("ListDeployments", json!({ "nextToken": first["nextToken"] }));
    let of = |page: &Value| page["deployments"].as_array().unwrap().clone();
    let listed: Vec<Value> = of(&first).into_iter().chain(of(&next)).collect();
    assert_eq!((json!(listed), &next["nextToken"]), (json!(made), &Value::Null));
    let batch = json!({ "deploymentIds": [made[0], "d-000000000", made[1]] });
    let batch = bench.ok("BatchGetDeployments", batch);
    assert_eq!(batch["deploymentsInfo"].as_array().unwrap().len(), 2);
    let many = json!({ "deploymentIds": made[..26] });
    assert_eq!(bench.refused("BatchGetDeployments", many), FaultKind::BatchLimitExceeded);
}

#[test]
fn a_revision_is_shown_without_its_content_which_is_had_by_its_hash() {
    let mut bench = Bench::new();
    let id = bench.deploy("", json!({}));
    let revision = bench.info(&id)["revision"].clone();
    assert_eq!(revision["revisionType"], "AppSpecContent");
    assert_eq!(revision["appSpecContent"]["content"], Value::Null);
    let told = bench
        .ok("GetApplicationRevision", json!({ "applicationName": "app", "revision": revision }));
    assert_eq!(
        told["revision"]["appSpecContent"]["content"],
        spec("1", "2", &json!([])).to_string()
    );
    let other = json!({ "applicationName": "app", "revision": { "revisionType": "AppSpecContent",
        "appSpecContent": { "sha256": "0" } } });
    assert_eq!(bench.refused("GetApplicationRevision", other), FaultKind::RevisionDoesNotExist);
}

#[test]
fn a_revision_may_be_a_string_or_lie_in_s3() {
    let content = spec("1", "2", &json!([])).to_string();
    for revision in [
        json!({ "revisionType": "String", "string": { "content": content } }),
        // The edge has read the object and put its content there.
        json!({ "revisionType": "S3", "s3Location": {
            "bucket": "b", "key": "k", "bundleType": "JSON", "content": content } }),
    ] {
        let mut bench = Bench::new();
        let id = bench.deploy("", json!({ "revision": revision }));
        bench.pass(START_MS);
        assert_eq!((bench.status(&id).as_str(), bench.weight()), ("Succeeded", 100));
        assert_eq!(bench.info(&id)["revision"]["s3Location"]["content"], Value::Null);
    }
}

#[test]
fn a_group_tells_its_last_deployments() {
    let mut bench = Bench::new();
    let named = json!({ "applicationName": "app", "deploymentGroupName": "group" });
    let good = bench.deploy("", json!({}));
    bench.pass(START_MS);
    let bad = bench.deploy("", json!({}));
    bench.pass(START_MS);
    let info = bench.ok("GetDeploymentGroup", named)["deploymentGroupInfo"].clone();
    assert_eq!(info["lastSuccessfulDeployment"]["deploymentId"], good);
    assert_eq!(info["lastAttemptedDeployment"]["deploymentId"], bad);
    assert_eq!(info["lastAttemptedDeployment"]["status"], "Failed");
    assert_eq!(info["targetRevision"], bench.info(&good)["revision"]);
    assert_eq!(bench.info(&bad)["previousRevision"], bench.info(&good)["revision"]);
}

#[test]
fn what_was_stored_damaged_is_told() {
    let mut codedeploy = CodeDeploy::new("us-east-1", "000000000000");
    let row = |kind: &str| vec![(kind.to_owned(), "k".to_owned(), json!({}))];
    assert!(codedeploy.restore_rows(row("group")).unwrap_err().contains("the group k"));
    assert!(codedeploy.restore_rows(row("other")).unwrap_err().contains("other"));
}
