//! CodeDeploy over plain HTTP, with real aliases, real hooks and real alarms.

use std::path::Path;

use hyper::body::Bytes;
use serde_json::{Value, json};
use wavegate_local::{LocalCloud, Options, Policy};

use crate::support::{Client, ROLE, options};

const ONE: &[(&str, &str)] = &[("app.py", "def handler(event, context): return 1")];
const TWO: &[(&str, &str)] = &[("app.py", "def handler(event, context): return 2")];
const FAILING: &[(&str, &str)] = &[("app.py", "def handler(event, context): raise OSError('no')")];
/// A day between the shifts: it is something else that ends this, or nothing.
const DAY: &str = "day";
const CANARY: &str = "CodeDeployDefault.LambdaCanary10Percent10Minutes";

/// A hook without any library: it reports what its environment says, to where its environment says.
const HOOK: &[(&str, &str)] = &[(
    "app.py",
    r#"
import json, os, urllib.request

def handler(event, context):
    assert sorted(event) == ["DeploymentId", "LifecycleEventHookExecutionId"], event
    report = {"deploymentId": event["DeploymentId"], "status": os.environ["STATUS"],
              "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"]}
    urllib.request.urlopen(urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"], data=json.dumps(report).encode(), method="POST",
        headers={"x-amz-target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
                 "content-type": "application/x-amz-json-1.1"})).read()
"#,
)];

/// A call of CodeDeploy's: the status and the answer.
async fn call(client: &mut Client, operation: &str, input: Value) -> (u16, Value) {
    let target = format!("CodeDeploy_20141006.{operation}");
    let headers =
        [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
    let answer = client.send("POST", "/", &headers, input.to_string()).await;
    (answer.status, answer.json())
}

async fn ok(client: &mut Client, operation: &str, input: Value) -> Value {
    let (status, answer) = call(client, operation, input).await;
    assert_eq!(status, 200, "{operation}: {answer}");
    answer
}

/// The function `shop` with two versions, the alias `live` on the first, and a group for it.
async fn prepare(client: &mut Client, second: &[(&str, &str)], group: Value) {
    client.create("shop", "python3.13", ONE).await;
    assert_eq!(client.publish("shop").await, "1");
    client.update_code("shop", second).await;
    assert_eq!(client.publish("shop").await, "2");
    let alias = json!({ "Name": "live", "FunctionVersion": "1" });
    assert_eq!(client.call("POST", "/shop/aliases", alias).await.status, 201);
    let application = json!({ "applicationName": "app", "computePlatform": "Lambda" });
    ok(client, "CreateApplication", application).await;
    let routing = json!({ "type": "TimeBasedCanary",
        "timeBasedCanary": { "canaryPercentage": 50, "canaryInterval": 1440 } });
    let day = json!({ "deploymentConfigName": DAY, "computePlatform": "Lambda",
        "trafficRoutingConfig": routing });
    ok(client, "CreateDeploymentConfig", day).await;
    let mut input = json!({
        "applicationName": "app", "deploymentGroupName": "group", "serviceRoleArn": ROLE,
        "autoRollbackConfiguration": { "enabled": true, "events": [
            "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"] },
    });
    input.as_object_mut().unwrap().extend(group.as_object().unwrap().clone());
    ok(client, "CreateDeploymentGroup", input).await;
}

fn creation(config: &str, hooks: &str) -> Value {
    let content = format!(
        "version: 0.0\nResources:\n  - shop:\n      Type: AWS::Lambda::Function\n      Properties:\n        \
         Name: shop\n        Alias: live\n        CurrentVersion: 1\n        TargetVersion: 2\n{hooks}"
    );
    json!({
        "applicationName": "app", "deploymentGroupName": "group", "deploymentConfigName": config,
        "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": content } },
    })
}

async fn deploy(client: &mut Client, config: &str, hooks: &str) -> String {
    let made = ok(client, "CreateDeployment", creation(config, hooks)).await;
    made["deploymentId"].as_str().unwrap().to_owned()
}

async fn info(client: &mut Client, id: &str) -> Value {
    let told = ok(client, "GetDeployment", json!({ "deploymentId": id })).await;
    told["deploymentInfo"].clone()
}

async fn target(client: &mut Client, id: &str) -> Value {
    let listed = ok(client, "ListDeploymentTargets", json!({ "deploymentId": id })).await;
    let input = json!({ "deploymentId": id, "targetId": listed["targetIds"][0] });
    let told = ok(client, "GetDeploymentTarget", input).await;
    told["deploymentTarget"]["lambdaTarget"].clone()
}

/// Asks until the deployment is over.
async fn ended(client: &mut Client, id: &str) -> Value {
    loop {
        let info = info(client, id).await;
        if ["Succeeded", "Failed", "Stopped"].iter().any(|status| info["status"] == *status) {
            return info;
        }
    }
}

/// Asks until the alias is as it should be.
async fn routes(client: &mut Client, version: &str, weights: Value) -> Value {
    loop {
        let alias = client.call("GET", "/shop/aliases/live", Value::Null).await.json();
        let found = alias["RoutingConfig"]["AdditionalVersionWeights"].clone();
        if alias["FunctionVersion"] == version && found == weights {
            return alias;
        }
    }
}

/// Ten virtual minutes are six seconds.
async fn walk(directory: &Path) -> (LocalCloud, Client) {
    let options = Options { time_scale: 100.0, ..options(directory) };
    let cloud = LocalCloud::start(options).await.unwrap();
    let client = Client::connect(cloud.url()).await;
    (cloud, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_is_ninety_to_ten_for_ten_virtual_minutes_and_then_all_on_the_target() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = walk(directory.path()).await;
    prepare(&mut client, TWO, json!({})).await;
    let id = deploy(&mut client, CANARY, "").await;
    let before = routes(&mut client, "1", json!({ "2": 0.1 })).await;
    let shown = target(&mut client, &id).await;
    assert_eq!(shown["lambdaFunctionInfo"]["targetVersionWeight"], json!(10.0), "{shown}");
    let mut served = [0, 0];
    loop {
        let version = client.invoke("shop:live", json!({})).await;
        served[usize::from(version.header("x-amz-executed-version") == Some("2"))] += 1;
        let info = info(&mut client, &id).await;
        if info["status"] == "Succeeded" {
            let took = info["completeTime"].as_f64().unwrap() - info["startTime"].as_f64().unwrap();
            // Never less; a little more on a machine that is busy.
            assert!((600.0..1200.0).contains(&took), "{took}");
            break;
        }
        assert_eq!(info["status"], "InProgress");
    }
    assert!(served[0] > served[1], "most went to version 1: {served:?}");
    let after = routes(&mut client, "2", Value::Null).await;
    assert_ne!(after["RevisionId"], before["RevisionId"]);
    for _ in 0..20 {
        let answer = client.invoke("shop:live", json!({})).await;
        assert_eq!(answer.header("x-amz-executed-version"), Some("2"));
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_invoked_and_what_they_report_decides() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = crate::support::start(directory.path()).await;
    prepare(&mut client, TWO, json!({})).await;
    for (name, status) in [("good", "Succeeded"), ("bad", "Failed")] {
        let more = json!({ "Environment": { "Variables": { "STATUS": status } } });
        client.create_with(name, "python3.13", HOOK, more).await;
    }
    let hooks = "Hooks:\n  - BeforeAllowTraffic: good\n  - AfterAllowTraffic: bad\n";
    let id = deploy(&mut client, "CodeDeployDefault.LambdaAllAtOnce", hooks).await;
    let failed = ended(&mut client, &id).await;
    assert_eq!(failed["errorInformation"]["code"], "HOOK_EXECUTION_FAILURE", "{failed}");
    let events = target(&mut client, &id).await["lifecycleEvents"].clone();
    let stages: Vec<&str> =
        events.as_array().unwrap().iter().map(|event| event["status"].as_str().unwrap()).collect();
    assert_eq!(stages, ["Succeeded", "Succeeded", "Succeeded", "Failed", "Skipped"], "{events}");
    // All of it had moved, and all of it is back.
    routes(&mut client, "1", Value::Null).await;
    let back = failed["rollbackInfo"]["rollbackDeploymentId"].as_str().unwrap().to_owned();
    let back = ended(&mut client, &back).await;
    assert_eq!(
        (&back["creator"], &back["status"]),
        (&json!("codeDeployRollback"), &json!("Succeeded"))
    );

    let hooks = "Hooks:\n  - BeforeAllowTraffic: good\n  - AfterAllowTraffic: good\n";
    let id = deploy(&mut client, "CodeDeployDefault.LambdaAllAtOnce", hooks).await;
    assert_eq!(ended(&mut client, &id).await["status"], "Succeeded");
    let id = deploy(
        &mut client,
        "CodeDeployDefault.LambdaAllAtOnce",
        "Hooks: [{BeforeAllowTraffic: gone}]",
    )
    .await;
    let failed = ended(&mut client, &id).await;
    // The alias is on version 2 by now, so this one does not even begin.
    assert_eq!(failed["errorInformation"]["code"], "INVALID_LAMBDA_CONFIGURATION", "{failed}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_function_that_does_not_exist_fails_the_deployment() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = crate::support::start(directory.path()).await;
    prepare(&mut client, TWO, json!({})).await;
    let id = deploy(&mut client, CANARY, "Hooks: [{BeforeAllowTraffic: gone}]").await;
    let failed = ended(&mut client, &id).await;
    let message = failed["errorInformation"]["message"].as_str().unwrap();
    assert!(message.contains("function:gone"), "{failed}");
    routes(&mut client, "1", Value::Null).await;
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_is_taken_back_by_the_alarm_on_its_own_metric() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = walk(directory.path()).await;
    let group =
        json!({ "alarmConfiguration": { "enabled": true, "alarms": [{ "name": "errors" }] } });
    prepare(&mut client, FAILING, group).await;
    let alarm = json!({
        "AlarmName": "errors", "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum",
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "TreatMissingData": "notBreaching",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Dimensions": [{ "Name": "FunctionName", "Value": "shop" },
                       { "Name": "Resource", "Value": "shop:live" },
                       { "Name": "ExecutedVersion", "Value": "2" }],
    });
    let headers = [("x-amz-target", "GraniteServiceVersion20100801.PutMetricAlarm")];
    assert_eq!(client.send("POST", "/", &headers, alarm.to_string()).await.status, 200);
    let id = deploy(&mut client, DAY, "").await;
    routes(&mut client, "1", json!({ "2": 0.5 })).await;
    let stopped = loop {
        client.invoke("shop:live", json!({})).await;
        let info = info(&mut client, &id).await;
        if info["status"] != "InProgress" {
            break info;
        }
    };
    assert_eq!(stopped["status"], "Stopped", "{stopped}");
    assert_eq!(stopped["errorInformation"]["code"], "ALARM_ACTIVE", "{stopped}");
    routes(&mut client, "1", Value::Null).await;
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_puts_back_only_if_it_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = walk(directory.path()).await;
    prepare(&mut client, TWO, json!({})).await;
    for (is_back, weights) in [(true, Value::Null), (false, json!({ "2": 0.5 }))] {
        let id = deploy(&mut client, DAY, "").await;
        routes(&mut client, "1", json!({ "2": 0.5 })).await;
        let (status, conflict) = call(&mut client, "CreateDeployment", creation(DAY, "")).await;
        assert_eq!(
            (status, &conflict["__type"]),
            (400, &json!("DeploymentLimitExceededException"))
        );
        let stop = json!({ "deploymentId": id, "autoRollbackEnabled": is_back });
        ok(&mut client, "StopDeployment", stop.clone()).await;
        let stopped = info(&mut client, &id).await;
        assert_eq!(stopped["errorInformation"]["code"], "MANUAL_STOP", "{stopped}");
        if let Some(back) = stopped["rollbackInfo"]["rollbackDeploymentId"].as_str() {
            assert_eq!(ended(&mut client, back).await["status"], "Succeeded");
        }
        routes(&mut client, "1", weights).await;
        let (_, over) = call(&mut client, "StopDeployment", stop).await;
        assert_eq!(over["__type"], "DeploymentAlreadyCompletedException");
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_under_way_survives_the_cloud_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = walk(directory.path()).await;
    prepare(&mut client, TWO, json!({})).await;
    let id = deploy(&mut client, CANARY, "").await;
    routes(&mut client, "1", json!({ "2": 0.1 })).await;
    // As if it were killed.
    drop(cloud);
    let (cloud, mut client) = walk(directory.path()).await;
    let info = ended(&mut client, &id).await;
    assert_eq!(info["status"], "Succeeded", "{info}");
    routes(&mut client, "2", Value::Null).await;
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_the_cloud_died_over_is_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = crate::support::start(directory.path()).await;
    prepare(&mut client, TWO, json!({})).await;
    // It does not report: its cloud goes first.
    client
        .create("hook", "python3.13", &[("app.py", "def handler(event, context): return 1")])
        .await;
    let hooks = "Hooks: [{BeforeAllowTraffic: hook}]";
    let id = deploy(&mut client, "CodeDeployDefault.LambdaAllAtOnce", hooks).await;
    while info(&mut client, &id).await["status"] != "InProgress" {}
    client.update_code("hook", HOOK).await;
    let variables = json!({ "Environment": { "Variables": { "STATUS": "Succeeded" } } });
    assert_eq!(client.call("PUT", "/hook/configuration", variables).await.status, 200);
    client.settled("hook").await;
    cloud.shutdown().await;
    let (cloud, mut client) = crate::support::start(directory.path()).await;
    assert_eq!(ended(&mut client, &id).await["status"], "Succeeded");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cbor_is_answered_in_cbor() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = crate::support::start(directory.path()).await;
    let path = "/service/CodeDeploy_20141006/operation/GetApplication";
    let headers = [("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")];
    // {"applicationName": "app"}
    let body = Bytes::from_static(b"\xa1\x6fapplicationName\x63app");
    let refused = client.send("POST", path, &headers, body.clone()).await;
    assert_eq!((refused.status, refused.header("content-type")), (400, Some("application/cbor")));
    assert_eq!(refused.header("smithy-protocol"), Some("rpc-v2-cbor"));
    let name = b"com.amazonaws.codedeploy#ApplicationDoesNotExistException";
    assert!(refused.body.windows(name.len()).any(|part| part == name));
    let application = json!({ "applicationName": "app", "computePlatform": "Lambda" });
    ok(&mut client, "CreateApplication", application).await;
    let found = client.send("POST", path, &headers, body).await;
    assert_eq!(found.status, 200);
    // createTime is a tagged double.
    let time = b"\x6acreateTime\xc1\xfb";
    assert!(found.body.windows(time.len()).any(|part| part == time));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_no_policy_allows_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let document = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "codedeploy:Create*", "Resource": "*" } });
    let policies = Some(vec![Policy::parse(&document.to_string()).unwrap()]);
    let options = Options { policies, ..options(directory.path()) };
    let cloud = LocalCloud::start(options).await.unwrap();
    let mut client = Client::connect(cloud.url()).await;
    prepare(&mut client, TWO, json!({})).await;
    let signature = "AWS4-HMAC-SHA256 Credential=wavegate/20261123/us-east-1/codedeploy/aws4_request, \
                     SignedHeaders=host, Signature=0";
    let headers =
        [("x-amz-target", "CodeDeploy_20141006.CreateDeployment"), ("authorization", signature)];
    let body = creation(CANARY, "").to_string();
    let refused = client.send("POST", "/", &headers, body).await.json();
    assert_eq!(refused["__type"], "AccessDeniedException", "{refused}");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("codedeploy:GetDeploymentConfig"), "{message}");
    assert_eq!(ok(&mut client, "ListDeployments", json!({})).await["deployments"], json!([]));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_read_out_of_s3() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = crate::support::start(directory.path()).await;
    prepare(&mut client, TWO, json!({})).await;
    let mut input = creation("CodeDeployDefault.LambdaAllAtOnce", "");
    let content = input["revision"]["appSpecContent"]["content"].as_str().unwrap().to_owned();
    assert_eq!(client.send("PUT", "/bucket", &[], "").await.status, 200);
    input["revision"] = json!({ "revisionType": "S3", "s3Location": {
        "bucket": "bucket", "key": "appspec.yaml", "bundleType": "YAML" } });
    let (_, refused) = call(&mut client, "CreateDeployment", input.clone()).await;
    assert_eq!(refused["__type"], "InvalidRevisionException", "{refused}");
    client.send("PUT", "/bucket/appspec.yaml", &[], content).await;
    let made = ok(&mut client, "CreateDeployment", input).await;
    let id = made["deploymentId"].as_str().unwrap();
    assert_eq!(ended(&mut client, id).await["status"], "Succeeded");
    cloud.shutdown().await;
}
