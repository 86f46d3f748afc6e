//! The clients that people use, against `wavegate local start`: the AWS CLI and boto3.

use serde_json::{Value, json};
use wavegate_tests::binary::{Finished, LocalCloud, Project, Running, has_tool};

use crate::app::{LONG, mini, set_message, set_strategy};

fn in_mid_shift() -> (Project, LocalCloud, Running) {
    let mut project = mini(&[("shop", &[])], "");
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    set_strategy(&project, LONG);
    set_message(&project, "shop", "two");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    for (name, value) in [
        ("AWS_ENDPOINT_URL", cloud.cloud.url.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "wavegate"),
        ("AWS_SECRET_ACCESS_KEY", "wavegate"),
        ("AWS_PAGER", ""),
    ] {
        project.set(name, value);
    }
    (project, cloud, deploy)
}

#[test]
fn the_aws_cli_sees_and_changes_what_wavegate_does() {
    if !has_tool("the AWS CLI", &["aws", "--version"]) {
        return;
    }
    let (project, _cloud, deploy) = in_mid_shift();
    let aws = |words: &str| -> Finished {
        let words: Vec<&str> = words.split(' ').collect();
        project.tool("aws", &words).expect(0)
    };
    let live = aws("lambda get-alias --function-name shop --name live").json();
    assert_eq!(live["FunctionVersion"], "1", "{live}");
    assert_eq!(live["RoutingConfig"]["AdditionalVersionWeights"], json!({ "2": 0.25 }), "{live}");

    let told = aws("lambda invoke --function-name shop --qualifier live answer.json").json();
    assert_eq!(told["StatusCode"], 200, "{told}");
    let answer: Value = serde_json::from_str(&project.read("answer.json")).unwrap();
    assert_eq!(answer["version"], told["ExecutedVersion"], "{told}");

    aws(
        "cloudwatch put-metric-alarm --alarm-name red --namespace a --metric-name b --statistic Sum \
         --period 60 --evaluation-periods 1 --threshold 1 --comparison-operator \
         GreaterThanThreshold --treat-missing-data ignore",
    );
    aws("cloudwatch set-alarm-state --alarm-name red --state-value ALARM --state-reason test");
    let alarms = aws("cloudwatch describe-alarms --alarm-names red").json();
    assert_eq!(alarms["MetricAlarms"][0]["StateValue"], "ALARM", "{alarms}");
    let identity = aws("sts get-caller-identity").json();
    assert_eq!(identity["Account"], "000000000000", "{identity}");

    // Somebody moves the weight by hand: it moves, and the release lets go of it.
    aws("lambda update-alias --function-name shop --name live --routing-config \
         AdditionalVersionWeights={2=0.5}");
    let ended = deploy.finish().expect(4);
    assert!(ended.has_code("WG634"), "{ended}");
    let live = aws("lambda get-alias --function-name shop --name live").json();
    assert_eq!(live["RoutingConfig"]["AdditionalVersionWeights"], json!({ "2": 0.5 }), "{live}");
}

/// What boto3 is asked; it prints one JSON object.
const SCRIPT: &str = r#"
import io, json, zipfile
import boto3

aws = boto3.client("lambda")
told = {}
live = aws.get_alias(FunctionName="shop", Name="live")
told["weights"] = live["RoutingConfig"]["AdditionalVersionWeights"]
answer = aws.invoke(FunctionName="shop", Qualifier="live", Payload=b"{}", LogType="Tail")
told["invoked"] = [answer["StatusCode"], answer["ExecutedVersion"], json.load(answer["Payload"])["version"]]

def package(text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return %r\n" % text)
    return out.getvalue()

role = "arn:aws:iam::000000000000:role/x"
aws.create_function(FunctionName="theirs", Runtime="python3.13", Role=role, Handler="app.handler",
                    Code={"ZipFile": package("one")})
aws.get_waiter("function_active_v2").wait(FunctionName="theirs")
aws.update_function_code(FunctionName="theirs", ZipFile=package("two"))
aws.get_waiter("function_updated_v2").wait(FunctionName="theirs")
version = aws.publish_version(FunctionName="theirs")["Version"]
aws.get_waiter("published_version_active").wait(FunctionName="theirs", Qualifier=version)
told["theirs"] = json.load(aws.invoke(FunctionName="theirs", Qualifier=version)["Payload"])

for text in ["three", "four", "five"]:
    aws.update_function_code(FunctionName="theirs", ZipFile=package(text))
    aws.get_waiter("function_updated_v2").wait(FunctionName="theirs")
    aws.publish_version(FunctionName="theirs")
pages = aws.get_paginator("list_versions_by_function").paginate(
    FunctionName="theirs", PaginationConfig={"PageSize": 2})
pages = [[v["Version"] for v in page["Versions"]] for page in pages]
told["pages"] = len(pages)
told["versions"] = [version for page in pages for version in page]
pages = aws.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
told["functions"] = sorted(f["FunctionName"] for page in pages for f in page["Functions"])
pages = aws.get_paginator("list_aliases").paginate(FunctionName="shop", PaginationConfig={"PageSize": 1})
told["aliases"] = sorted(a["Name"] for page in pages for a in page["Aliases"])

try:
    aws.update_alias(FunctionName="shop", Name="live", RevisionId="not-it", Description="x")
except aws.exceptions.PreconditionFailedException as error:
    told["refused"] = error.response["ResponseMetadata"]["HTTPStatusCode"]

watch = boto3.client("cloudwatch")
watch.put_metric_data(Namespace="a", MetricData=[{"MetricName": "b", "Value": 3}])
for name in ["x1", "x2", "x3"]:
    watch.put_metric_alarm(AlarmName=name, Namespace="a", MetricName="b", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=100, ComparisonOperator="GreaterThanThreshold")
pages = watch.get_paginator("describe_alarms").paginate(AlarmNamePrefix="x", PaginationConfig={"PageSize": 2})
told["alarms"] = [a["AlarmName"] for page in pages for a in page["MetricAlarms"]]
told["account"] = boto3.client("sts").get_caller_identity()["Account"]
print(json.dumps(told))
"#;

#[test]
fn boto3_its_waiters_and_its_paginators_work() {
    if !has_tool("boto3", &["python3", "-c", "import boto3"]) {
        return;
    }
    let (project, _cloud, deploy) = in_mid_shift();
    project.write("client.py", SCRIPT);
    let told = project.tool("python3", &["client.py"]).expect(0).json();
    assert_eq!(told["weights"], json!({ "2": 0.25 }), "{told}");
    assert_eq!(told["invoked"][0], 200, "{told}");
    assert_eq!(told["invoked"][1], told["invoked"][2], "{told}");
    assert_eq!(told["theirs"], "two", "{told}");
    assert_eq!(told["versions"], json!(["$LATEST", "1", "2", "3", "4"]), "{told}");
    assert!(told["pages"].as_u64() >= Some(3), "{told}");
    assert_eq!(told["functions"], json!(["shop", "theirs"]), "{told}");
    assert_eq!(told["aliases"], json!(["live", "wavegate-live", "wavegate-live-prev"]), "{told}");
    assert_eq!(told["refused"], 412, "{told}");
    assert_eq!(told["alarms"], json!(["x1", "x2", "x3"]), "{told}");
    assert_eq!(told["account"], "000000000000", "{told}");
    // None of it disturbed the release.
    assert_eq!(project.status().lock(), Some("running"));
    deploy.kill();
}

#[test]
fn an_app_is_in_the_region_of_its_manifest_also_in_a_cloud_that_runs_as_another() {
    let project = mini(&[("shop", &[])], "");
    let _cloud = project.start_cloud(&[]);
    let there = ["--set", "app.region=eu-west-1"];
    let run = |words: &[&str]| project.run(&[words, &there].concat());
    let _ = run(&["deploy", "--yes", "--output", "json"]).expect(0);
    let status = run(&["status", "--output", "json"]).expect(0).json();
    assert_eq!(status["functions"][0]["version"], "1", "{status}");
    let invoked = run(&["local", "invoke", "shop"]).expect(0);
    assert!(invoked.stderr.contains("version 1"), "{invoked}");
    // In the region that the cloud was started as there is nothing of it.
    let here = project.run(&["local", "invoke", "shop"]).expect(2);
    assert!(here.stderr.contains("us-east-1:000000000000:function:shop"), "{here}");
}
