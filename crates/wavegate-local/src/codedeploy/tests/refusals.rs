//! What is refused, and under which of AWS's names.

use serde_json::{Value, json};

use super::{Bench, MINUTE, ROLE, creation, group, merge, spec};
use crate::codedeploy::deployment::START_MS;
use crate::codedeploy::fault::FaultKind;

fn with(mut base: Value, more: Value) -> Value {
    merge(&mut base, more);
    base
}

#[test]
fn a_deployment_of_what_is_not_as_the_appspec_file_says_fails_and_touches_nothing() {
    let named = |name: &str, alias: &str, current: &str, target: &str| {
        let mut spec = spec(current, target, &json!([]));
        spec["Resources"][0]["shop"]["Properties"]["Name"] = json!(name);
        spec["Resources"][0]["shop"]["Properties"]["Alias"] = json!(alias);
        spec.to_string()
    };
    for (content, code, said) in [
        (named("gone", "live", "1", "2"), "INVALID_LAMBDA_FUNCTION", "gone"),
        (named("shop", "gone", "1", "2"), "INVALID_LAMBDA_CONFIGURATION", "no alias gone"),
        (named("shop", "live", "1", "9"), "INVALID_LAMBDA_CONFIGURATION", "no version 9"),
        (
            named("shop", "live", "2", "3"),
            "INVALID_LAMBDA_CONFIGURATION",
            "does not match the current version in AppSpec file",
        ),
        (named("shop", "live", "1", "1"), "INVALID_REVISION", "missing or has an invalid"),
        ("no: [".to_owned(), "INVALID_REVISION", "missing or has an invalid"),
    ] {
        let mut bench = Bench::new();
        let before = bench.revision_id();
        let made = bench.ok("CreateDeployment", creation(&content));
        let id = made["deploymentId"].as_str().unwrap().to_owned();
        bench.pass(MINUTE);
        let info = bench.info(&id);
        assert_eq!((&info["status"], bench.revision_id()), (&json!("Failed"), before), "{info}");
        assert_eq!(info["errorInformation"]["code"], code, "{info}");
        let message = info["errorInformation"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{message}");
        assert_eq!(info["rollbackInfo"]["rollbackDeploymentId"], Value::Null);
    }
}

#[test]
fn a_deployment_whose_group_or_application_is_deleted_before_its_start_fails() {
    let named = json!({ "applicationName": "app", "deploymentGroupName": "group" });
    for (operation, code) in [
        ("DeleteDeploymentGroup", "DEPLOYMENT_GROUP_MISSING"),
        ("DeleteApplication", "APPLICATION_MISSING"),
    ] {
        let mut bench = Bench::new();
        let id = bench.deploy("", json!({}));
        bench.ok(operation, named.clone());
        bench.pass(START_MS);
        assert_eq!((bench.status(&id).as_str(), bench.code_of(&id).as_str()), ("Failed", code));
    }
}

#[test]
fn a_revision_is_given_whole_or_refused() {
    let content = spec("1", "2", &json!([])).to_string();
    for (revision, kind) in [
        (Value::Null, FaultKind::RevisionRequired),
        (json!({}), FaultKind::InvalidRevision),
        (json!({ "revisionType": "GitHub" }), FaultKind::InvalidRevision),
        (json!({ "revisionType": "AppSpecContent" }), FaultKind::InvalidRevision),
        (
            json!({ "revisionType": "String", "appSpecContent": { "content": content } }),
            FaultKind::InvalidRevision,
        ),
        (
            json!({ "revisionType": "AppSpecContent",
                "appSpecContent": { "content": content, "sha256": "00" } }),
            FaultKind::InvalidRevision,
        ),
        (
            json!({ "revisionType": "S3", "s3Location": {
                "bucket": "b", "key": "k", "bundleType": "JSON" } }),
            FaultKind::InvalidRevision,
        ),
        (
            json!({ "revisionType": "S3", "s3Location": {
                "bucket": "b", "key": "k", "bundleType": "zip", "content": content } }),
            FaultKind::InvalidRevision,
        ),
    ] {
        let input = with(creation("x"), json!({ "revision": revision }));
        assert_eq!(Bench::new().refused("CreateDeployment", input), kind, "{revision}");
    }
}

#[test]
fn a_deployment_has_what_lambda_has() {
    for (more, kind) in [
        (json!({ "applicationName": "x" }), FaultKind::ApplicationDoesNotExist),
        (json!({ "deploymentGroupName": "x" }), FaultKind::DeploymentGroupDoesNotExist),
        (json!({ "deploymentGroupName": null }), FaultKind::DeploymentGroupNameRequired),
        (json!({ "deploymentConfigName": "x" }), FaultKind::DeploymentConfigDoesNotExist),
        (
            json!({ "deploymentConfigName": "CodeDeployDefault.OneAtATime" }),
            FaultKind::DeploymentConfigDoesNotExist,
        ),
        (json!({ "description": "x".repeat(257) }), FaultKind::DescriptionTooLong),
        (
            json!({ "updateOutdatedInstancesOnly": true }),
            FaultKind::InvalidUpdateOutdatedInstancesOnlyValue,
        ),
        (
            json!({ "ignoreApplicationStopFailures": true }),
            FaultKind::InvalidIgnoreApplicationStopFailuresValue,
        ),
        (json!({ "fileExistsBehavior": "x" }), FaultKind::InvalidFileExistsBehavior),
        (json!({ "deploymentMode": "RESTART" }), FaultKind::InvalidInput),
        (
            json!({ "targetInstances": { "autoScalingGroups": ["a"] } }),
            FaultKind::InvalidTargetInstances,
        ),
        (
            json!({ "autoRollbackConfiguration": { "enabled": true } }),
            FaultKind::InvalidAutoRollbackConfig,
        ),
        (
            json!({ "overrideAlarmConfiguration": { "enabled": true } }),
            FaultKind::InvalidAlarmConfig,
        ),
        (json!({ "description": 7 }), FaultKind::Serialization),
    ] {
        let input = with(creation("x"), more.clone());
        assert_eq!(Bench::new().refused("CreateDeployment", input), kind, "{more}");
    }
}

#[test]
fn an_application_is_for_lambda_and_has_a_name_of_its_own() {
    let mut bench = Bench::new();
    let new = |name: &str, platform: Value| json!({ "applicationName": name, "computePlatform": platform });
    for (input, kind) in [
        (new("", json!("Lambda")), FaultKind::ApplicationNameRequired),
        (new("a b", json!("Lambda")), FaultKind::InvalidApplicationName),
        (new("app", json!("Lambda")), FaultKind::ApplicationAlreadyExists),
        (new("b", json!("ECS")), FaultKind::InvalidComputePlatform),
        (new("b", Value::Null), FaultKind::InvalidComputePlatform),
        (
            with(new("b", json!("Lambda")), json!({ "tags": [{ "Key": "aws:x" }] })),
            FaultKind::InvalidTagsToAdd,
        ),
    ] {
        assert_eq!(bench.refused("CreateApplication", input.clone()), kind, "{input}");
    }
    assert_eq!(
        bench.refused("GetApplication", json!({ "applicationName": "b" })),
        FaultKind::ApplicationDoesNotExist
    );
    bench.ok("CreateApplication", new("b", json!("Lambda")));
    assert_eq!(bench.ok("ListApplications", json!({}))["applications"], json!(["app", "b"]));
    let batch = bench.ok("BatchGetApplications", json!({ "applicationNames": ["b", "app"] }));
    assert_eq!(batch["applicationsInfo"][0]["applicationName"], "b");
    let rename = |to: &str| json!({ "applicationName": "b", "newApplicationName": to });
    let taken = bench.refused("UpdateApplication", rename("app"));
    assert_eq!(taken, FaultKind::ApplicationAlreadyExists);
    bench.ok("UpdateApplication", rename("c"));
    assert_eq!(bench.ok("ListApplications", json!({}))["applications"], json!(["app", "c"]));
    for _ in 0..2 {
        bench.ok("DeleteApplication", json!({ "applicationName": "c" }));
    }
    assert_eq!(bench.ok("ListApplications", json!({}))["applications"], json!(["app"]));
}

#[test]
fn a_renamed_application_keeps_its_groups_and_deployments() {
    let mut bench = Bench::new();
    let id = bench.deploy("", json!({}));
    bench.ok("UpdateApplication", json!({ "applicationName": "app", "newApplicationName": "new" }));
    bench.ok(
        "UpdateDeploymentGroup",
        json!({
            "applicationName": "new", "currentDeploymentGroupName": "group",
            "newDeploymentGroupName": "renamed",
        }),
    );
    bench.restart();
    bench.pass(START_MS);
    let info = bench.info(&id);
    assert_eq!(
        (&info["applicationName"], &info["deploymentGroupName"]),
        (&json!("new"), &json!("renamed"))
    );
    assert_eq!(info["status"], "Succeeded");
    let listed = bench.ok("ListDeploymentGroups", json!({ "applicationName": "new" }));
    assert_eq!(listed["deploymentGroups"], json!(["renamed"]));
}

#[test]
fn a_group_has_what_lambda_has() {
    let ten: Vec<Value> = (0..11).map(|n| json!({ "name": format!("a{n}") })).collect();
    let new = |more: Value| with(with(group(), json!({ "deploymentGroupName": "b" })), more);
    for (more, kind) in [
        (json!({ "applicationName": "x" }), FaultKind::ApplicationDoesNotExist),
        (json!({ "deploymentGroupName": "group" }), FaultKind::DeploymentGroupAlreadyExists),
        (json!({ "deploymentGroupName": "a b" }), FaultKind::InvalidDeploymentGroupName),
        (json!({ "serviceRoleArn": null }), FaultKind::RoleRequired),
        (json!({ "serviceRoleArn": "role" }), FaultKind::InvalidRole),
        (json!({ "deploymentConfigName": "x" }), FaultKind::DeploymentConfigDoesNotExist),
        (
            json!({ "deploymentStyle": { "deploymentType": "IN_PLACE",
                "deploymentOption": "WITHOUT_TRAFFIC_CONTROL" } }),
            FaultKind::InvalidDeploymentStyle,
        ),
        (json!({ "ec2TagFilters": [{ "Key": "a" }] }), FaultKind::InvalidEC2Tag),
        (json!({ "autoScalingGroups": ["a"] }), FaultKind::InvalidAutoScalingGroup),
        (json!({ "ecsServices": [{ "serviceName": "a" }] }), FaultKind::InvalidECSService),
        (
            json!({ "alarmConfiguration": { "enabled": true, "alarms": [{ "name": "" }] } }),
            FaultKind::InvalidAlarmConfig,
        ),
        (
            json!({ "alarmConfiguration": { "alarms": [{ "name": "a" }, { "name": "a" }] } }),
            FaultKind::InvalidAlarmConfig,
        ),
        (json!({ "alarmConfiguration": { "alarms": ten } }), FaultKind::AlarmsLimitExceeded),
        (
            json!({ "autoRollbackConfiguration": { "enabled": true, "events": ["x"] } }),
            FaultKind::InvalidAutoRollbackConfig,
        ),
        (
            json!({ "triggerConfigurations": [{ "triggerName": "a" }] }),
            FaultKind::InvalidTriggerConfig,
        ),
    ] {
        let mut bench = Bench::new();
        assert_eq!(bench.refused("CreateDeploymentGroup", new(more.clone())), kind, "{more}");
    }
}

#[test]
fn a_group_as_sam_makes_it_is_taken_and_shown_as_it_was_given() {
    let mut bench = Bench::new();
    let sam = with(
        group(),
        json!({
            "deploymentGroupName": "sam",
            "deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
            "deploymentStyle": { "deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL" },
            "alarmConfiguration": { "enabled": true, "alarms": [{ "name": "errors" }] },
            "ec2TagFilters": [], "loadBalancerInfo": {},
            "triggerConfigurations": [{ "triggerName": "t", "triggerTargetArn": "arn:aws:sns:us-east-1:0:t",
                "triggerEvents": ["DeploymentFailure"] }],
        }),
    );
    bench.ok("CreateDeploymentGroup", sam.clone());
    let named = json!({ "applicationName": "app", "deploymentGroupName": "sam" });
    let info = bench.ok("GetDeploymentGroup", named)["deploymentGroupInfo"].clone();
    for name in [
        "deploymentConfigName",
        "deploymentStyle",
        "serviceRoleArn",
        "autoRollbackConfiguration",
        "triggerConfigurations",
    ] {
        assert_eq!(info[name], sam[name], "{name}");
    }
    assert_eq!(
        info["alarmConfiguration"],
        json!({
            "enabled": true, "ignorePollAlarmFailure": false, "alarms": [{ "name": "errors" }],
        })
    );
    assert_eq!(
        (&info["computePlatform"], &info["serviceRoleArn"]),
        (&json!("Lambda"), &json!(ROLE))
    );
    let batch = json!({ "applicationName": "app", "deploymentGroupNames": ["sam", "gone"] });
    let batch = bench.ok("BatchGetDeploymentGroups", batch);
    assert_eq!(batch["deploymentGroupsInfo"].as_array().unwrap().len(), 1);
    assert!(batch["errorMessage"].as_str().unwrap().contains("gone"), "{batch}");
}

#[test]
fn a_configuration_has_a_name_of_its_own_and_lambdas_settings() {
    let mut bench = Bench::new();
    let canary = |percent: i64, minutes: i64| {
        json!({ "type": "TimeBasedCanary",
            "timeBasedCanary": { "canaryPercentage": percent, "canaryInterval": minutes } })
    };
    let new = |name: &str, routing: Value| {
        json!({ "deploymentConfigName": name, "computePlatform": "Lambda",
            "trafficRoutingConfig": routing })
    };
    let invalid = FaultKind::InvalidTrafficRoutingConfiguration;
    for (input, kind) in [
        (new("CodeDeployDefault.Mine", canary(10, 5)), FaultKind::InvalidDeploymentConfigName),
        (new("", canary(10, 5)), FaultKind::DeploymentConfigNameRequired),
        (new("a", canary(100, 5)), invalid),
        (new("a", canary(10, 0)), invalid),
        (new("a", canary(10, 2_881)), invalid),
        (new("a", json!({ "type": "TimeBasedCanary" })), invalid),
        (new("a", json!({ "type": "x" })), invalid),
        (new("a", Value::Null), invalid),
        (
            with(new("a", canary(10, 5)), json!({ "computePlatform": "Server" })),
            FaultKind::InvalidComputePlatform,
        ),
        (
            with(new("a", canary(10, 5)), json!({ "minimumHealthyHosts": { "value": 1 } })),
            FaultKind::InvalidMinimumHealthyHostValue,
        ),
    ] {
        assert_eq!(bench.refused("CreateDeploymentConfig", input.clone()), kind, "{input}");
    }
    bench.ok("CreateDeploymentConfig", new("a", canary(10, 5)));
    let again = bench.refused("CreateDeploymentConfig", new("a", canary(10, 5)));
    assert_eq!(again, FaultKind::DeploymentConfigAlreadyExists);
    let named = |name: &str| json!({ "deploymentConfigName": name });
    let shown = bench.ok("GetDeploymentConfig", named("a"));
    assert_eq!(shown["deploymentConfigInfo"]["trafficRoutingConfig"], canary(10, 5));
    let listed = bench.ok("ListDeploymentConfigs", json!({}))["deploymentConfigsList"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 10);
    let id = bench.deploy("a", json!({}));
    assert_eq!(
        bench.refused("DeleteDeploymentConfig", named("a")),
        FaultKind::DeploymentConfigInUse
    );
    bench.ok("StopDeployment", json!({ "deploymentId": id }));
    bench.ok("DeleteDeploymentConfig", named("a"));
    assert_eq!(
        bench.refused("GetDeploymentConfig", named("a")),
        FaultKind::DeploymentConfigDoesNotExist
    );
    let own = named("CodeDeployDefault.LambdaAllAtOnce");
    assert_eq!(bench.refused("DeleteDeploymentConfig", own), FaultKind::InvalidOperation);
    for number in 0..50 {
        bench.ok("CreateDeploymentConfig", new(&format!("c{number}"), canary(10, 5)));
    }
    let full = bench.refused("CreateDeploymentConfig", new("more", canary(10, 5)));
    assert_eq!(full, FaultKind::DeploymentConfigLimitExceeded);
}

#[test]
fn targets_are_told_of_deployments_that_have_started() {
    let mut bench = Bench::new();
    let id = bench.deploy("", json!({}));
    let named = |more: Value| with(json!({ "deploymentId": id }), more);
    let early = bench.refused("ListDeploymentTargets", named(json!({})));
    assert_eq!(early, FaultKind::DeploymentNotStarted);
    bench.pass(START_MS);
    assert_eq!(bench.ok("ListDeploymentTargets", named(json!({})))["targetIds"], json!(["shop"]));
    let failed = named(json!({ "targetFilters": { "TargetStatus": ["Failed"] } }));
    assert_eq!(bench.ok("ListDeploymentTargets", failed)["targetIds"], json!([]));
    let batch = bench.ok("BatchGetDeploymentTargets", named(json!({ "targetIds": ["shop"] })));
    assert_eq!(batch["deploymentTargets"][0]["deploymentTargetType"], "LambdaTarget");
    for (operation, more, kind) in [
        ("GetDeploymentTarget", json!({}), FaultKind::DeploymentTargetIdRequired),
        (
            "GetDeploymentTarget",
            json!({ "targetId": "x" }),
            FaultKind::DeploymentTargetDoesNotExist,
        ),
        ("BatchGetDeploymentTargets", json!({}), FaultKind::DeploymentTargetIdRequired),
        (
            "BatchGetDeploymentTargets",
            json!({ "targetIds": ["shop", "x"] }),
            FaultKind::DeploymentTargetListSizeExceeded,
        ),
        (
            "ListDeploymentTargets",
            json!({ "targetFilters": { "ServerInstanceLabel": ["Blue"] } }),
            FaultKind::InvalidTargetFilterName,
        ),
        (
            "ListDeploymentTargets",
            json!({ "targetFilters": { "TargetStatus": ["x"] } }),
            FaultKind::InvalidInstanceStatus,
        ),
    ] {
        assert_eq!(bench.refused(operation, named(more.clone())), kind, "{operation} {more}");
    }
}

#[test]
fn lists_of_deployments_name_both_or_neither() {
    let mut bench = Bench::new();
    for (input, kind) in [
        (json!({ "applicationName": "app" }), FaultKind::DeploymentGroupNameRequired),
        (json!({ "deploymentGroupName": "group" }), FaultKind::ApplicationNameRequired),
        (json!({ "includeOnlyStatuses": ["x"] }), FaultKind::InvalidDeploymentStatus),
        (json!({ "createTimeRange": { "start": 2, "end": 1 } }), FaultKind::InvalidTimeRange),
        (json!({ "nextToken": "x" }), FaultKind::InvalidNextToken),
    ] {
        assert_eq!(bench.refused("ListDeployments", input.clone()), kind, "{input}");
    }
}

#[test]
fn applications_and_groups_have_tags() {
    let mut bench = Bench::new();
    let base = "arn:aws:codedeploy:us-east-1:000000000000";
    for arn in [format!("{base}:application:app"), format!("{base}:deploymentgroup:app/group")] {
        let tag =
            json!({ "ResourceArn": arn, "Tags": [{ "Key": "a", "Value": "1" }, { "Key": "b" }] });
        bench.ok("TagResource", tag);
        bench.ok("UntagResource", json!({ "ResourceArn": arn, "TagKeys": ["b"] }));
        bench.restart();
        let told = bench.ok("ListTagsForResource", json!({ "ResourceArn": arn }));
        assert_eq!(told["Tags"], json!([{ "Key": "a", "Value": "1" }]));
    }
    for (arn, kind) in [
        (Value::Null, FaultKind::ResourceArnRequired),
        (json!("arn"), FaultKind::InvalidArn),
        (json!(format!("{base}:application:gone")), FaultKind::ApplicationDoesNotExist),
        (json!(format!("{base}:deploymentconfig:a")), FaultKind::ArnNotSupported),
    ] {
        assert_eq!(bench.refused("ListTagsForResource", json!({ "ResourceArn": arn })), kind);
    }
}
