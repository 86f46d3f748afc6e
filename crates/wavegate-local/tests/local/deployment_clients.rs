//! CodeDeploy with the clients that people use: the AWS CLI and boto3, and hooks as SAM's users write
//! them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wavegate_local::{LocalCloud, Options};

use crate::support::options;

/// Whether a program of others works here; CI has them all.
pub(crate) fn has_tool(probe: &[&str]) -> bool {
    let ran = Command::new(probe[0])
        .args(&probe[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !ran {
        let words = format!("skipped: `{}` does not work here\n", probe.join(" "));
        assert!(std::env::var_os("CI").is_none(), "{words}");
        let _ = std::io::stderr().write_all(words.as_bytes());
    }
    ran
}

/// Runs a program against the cloud; what it printed, as JSON if it is.
async fn run(cloud: &LocalCloud, directory: &Path, program: &str, words: &[&str]) -> Value {
    let mut command = Command::new(program);
    command
        .args(words)
        .current_dir(directory)
        .env("AWS_ENDPOINT_URL", cloud.url())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "wavegate")
        .env("AWS_SECRET_ACCESS_KEY", "wavegate")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_PAGER", "");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (out, err) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {words:?}: {err}");
    serde_json::from_slice(out).unwrap_or(Value::Null)
}

/// What both tests begin with, by boto3: `shop` with two versions and the alias `live`, hooks as SAM's
/// documentation shows them, an application and a group as SAM makes it.
const PREPARE: &str = r#"
import io, json, sys, zipfile
import boto3

def package(text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("app.py", text)
    return out.getvalue()

HOOK = """
import json, os
import boto3

codedeploy = boto3.client("codedeploy")
lambda_ = boto3.client("lambda")

def handler(event, context):
    answer = lambda_.invoke(FunctionName=os.environ["NewVersion"])
    status = "Succeeded" if json.load(answer["Payload"]) == os.environ["Expected"] else "Failed"
    codedeploy.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )
"""

role = "arn:aws:iam::000000000000:role/x"
functions = boto3.client("lambda")
deploy = boto3.client("codedeploy")

def create(name, text, **more):
    functions.create_function(FunctionName=name, Runtime="python3.13", Role=role, Timeout=60,
        Handler="app.handler", Code={"ZipFile": package(text)}, **more)
    functions.get_waiter("function_active_v2").wait(FunctionName=name)

create("shop", "def handler(event, context): return 'one'")
functions.publish_version(FunctionName="shop")
functions.update_function_code(FunctionName="shop",
    ZipFile=package("def handler(event, context): return 'two'"))
functions.get_waiter("function_updated_v2").wait(FunctionName="shop")
functions.publish_version(FunctionName="shop")
functions.create_alias(FunctionName="shop", Name="live", FunctionVersion="1")
for name, expected in [("CodeDeployHook_good", "two"), ("CodeDeployHook_bad", "three")]:
    create(name, HOOK, Environment={"Variables": {"NewVersion": "shop:2", "Expected": expected}})

deploy.create_application(applicationName="app", computePlatform="Lambda")
deploy.create_deployment_group(
    applicationName="app", deploymentGroupName="group", serviceRoleArn=role,
    deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
    deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    autoRollbackConfiguration={"enabled": True, "events": [
        "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]})

def spec(**hooks):
    return json.dumps({"version": 0.0, "Resources": [{"shop": {"Type": "AWS::Lambda::Function",
        "Properties": {"Name": "shop", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}}}],
        "Hooks": [{event: function} for event, function in hooks.items()]})

def start(config=None, **hooks):
    more = {"deploymentConfigName": config} if config else {}
    return deploy.create_deployment(applicationName="app", deploymentGroupName="group",
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": spec(**hooks)}},
        **more)["deploymentId"]
"#;

const BOTO3: &str = r#"
waiter = deploy.get_waiter("deployment_successful")
soon = {"Delay": 1, "MaxAttempts": 120}
told = {}

bad = start(AfterAllowTraffic="CodeDeployHook_bad", BeforeAllowTraffic="CodeDeployHook_good")
try:
    waiter.wait(deploymentId=bad, WaiterConfig=soon)
except Exception as error:
    told["waiter"] = type(error).__name__
info = deploy.get_deployment(deploymentId=bad)["deploymentInfo"]
told["failed"] = [info["status"], info["errorInformation"]["code"]]
back = info["rollbackInfo"]["rollbackDeploymentId"]
waiter.wait(deploymentId=back, WaiterConfig=soon)
told["back"] = functions.get_alias(FunctionName="shop", Name="live")["FunctionVersion"]

good = start(BeforeAllowTraffic="CodeDeployHook_good", AfterAllowTraffic="CodeDeployHook_good")
waiter.wait(deploymentId=good, WaiterConfig=soon)
alias = functions.get_alias(FunctionName="shop", Name="live")
told["good"] = [alias["FunctionVersion"], "RoutingConfig" in alias]
target = deploy.batch_get_deployment_targets(deploymentId=good,
    targetIds=deploy.list_deployment_targets(deploymentId=good)["targetIds"])["deploymentTargets"][0]
told["type"] = target["deploymentTargetType"]
told["events"] = [[e["lifecycleEventName"], e["status"]] for e in target["lambdaTarget"]["lifecycleEvents"]]
told["times"] = all(e["startTime"] <= e["endTime"] for e in target["lambdaTarget"]["lifecycleEvents"])
pages = deploy.get_paginator("list_deployments").paginate(applicationName="app", deploymentGroupName="group",
    createTimeRange={"start": info["createTime"]})
told["listed"] = [id for page in pages for id in page["deployments"]] == [good, back, bad]
try:
    deploy.stop_deployment(deploymentId=good)
except deploy.exceptions.DeploymentAlreadyCompletedException as error:
    told["stopped"] = error.response["ResponseMetadata"]["HTTPStatusCode"]
revision = deploy.get_deployment(deploymentId=good)["deploymentInfo"]["revision"]
told["revision"] = json.loads(deploy.get_application_revision(applicationName="app",
    revision=revision)["revision"]["appSpecContent"]["content"])["Hooks"]
configs = deploy.get_paginator("list_deployment_configs").paginate()
told["configs"] = len([name for page in configs for name in page["deploymentConfigsList"]])
print(json.dumps(told))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn hooks_written_for_sam_pass_and_fail_deployments_and_boto3_waits_for_them() {
    if !has_tool(&["python3", "-c", "import boto3"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let cloud = LocalCloud::start(options(&directory.path().join("state"))).await.unwrap();
    let script = format!("{PREPARE}{BOTO3}");
    let told = run(&cloud, directory.path(), "python3", &["-c", &script]).await;
    assert_eq!(told["waiter"], "WaiterError", "{told}");
    assert_eq!(told["failed"], json!(["Failed", "HOOK_EXECUTION_FAILURE"]), "{told}");
    assert_eq!(told["back"], "1", "{told}");
    assert_eq!(told["good"], json!(["2", false]), "{told}");
    assert_eq!(told["type"], "LambdaTarget", "{told}");
    let names = ["Start", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic", "End"];
    assert_eq!(told["events"], json!(names.map(|name| [name, "Succeeded"])), "{told}");
    assert_eq!(told["revision"][0]["BeforeAllowTraffic"], "CodeDeployHook_good", "{told}");
    let rest = (&told["times"], &told["listed"], &told["stopped"], &told["configs"]);
    assert_eq!(rest, (&json!(true), &json!(true), &json!(400), &json!(9)), "{told}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_starts_watches_and_stops_deployments() {
    if !has_tool(&["aws", "--version"]) || !has_tool(&["python3", "-c", "import boto3"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // A virtual hour is half a minute: time enough to look into a deployment.
    let options = Options { time_scale: 120.0, ..options(&directory.path().join("state")) };
    let cloud = LocalCloud::start(options).await.unwrap();
    let here = directory.path();
    let script = format!("{PREPARE}\nprint(json.dumps(spec()))");
    let spec = run(&cloud, here, "python3", &["-c", &script]).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let aws = |line: String| {
        let cloud = &cloud;
        async move {
            let words: Vec<&str> = std::iter::once("deploy").chain(line.split(' ')).collect();
            run(cloud, here, "aws", &words).await
        }
    };

    aws("create-deployment-config --deployment-config-name slow --compute-platform Lambda \
         --traffic-routing-config \
         type=TimeBasedCanary,timeBasedCanary={canaryPercentage=25,canaryInterval=600}"
        .to_owned())
    .await;
    let revision =
        json!({ "revisionType": "AppSpecContent", "appSpecContent": { "content": spec } });
    std::fs::write(here.join("revision.json"), revision.to_string()).unwrap();
    let made = aws("create-deployment --application-name app --deployment-group-name group \
         --deployment-config-name slow --revision file://revision.json"
        .to_owned())
    .await;
    let id = text(&made["deploymentId"]);
    let info = loop {
        let told = aws(format!("get-deployment --deployment-id {id}")).await;
        if told["deploymentInfo"]["status"] == "InProgress" {
            break told["deploymentInfo"].clone();
        }
    };
    assert_eq!(info["computePlatform"], "Lambda", "{info}");
    let listed = aws("list-deployments --application-name app --deployment-group-name group \
         --include-only-statuses InProgress"
        .to_owned())
    .await;
    assert_eq!(listed["deployments"], json!([id]), "{listed}");
    let targets = aws(format!("list-deployment-targets --deployment-id {id}")).await;
    let target = text(&targets["targetIds"][0]);
    let shown =
        aws(format!("get-deployment-target --deployment-id {id} --target-id {target}")).await;
    let shown = shown["deploymentTarget"]["lambdaTarget"]["lambdaFunctionInfo"].clone();
    assert_eq!(shown["targetVersionWeight"], json!(25.0), "{shown}");

    aws(format!("stop-deployment --deployment-id {id} --auto-rollback-enabled")).await;
    let info = aws(format!("get-deployment --deployment-id {id}")).await["deploymentInfo"].clone();
    assert_eq!(info["status"], "Stopped", "{info}");
    let back = text(&info["rollbackInfo"]["rollbackDeploymentId"]);
    aws(format!("wait deployment-successful --deployment-id {back}")).await;
    let words = ["lambda", "get-alias", "--function-name", "shop", "--name", "live"];
    let alias = run(&cloud, here, "aws", &words).await;
    assert_eq!((&alias["FunctionVersion"], &alias["RoutingConfig"]), (&json!("1"), &Value::Null));
    cloud.shutdown().await;
}
