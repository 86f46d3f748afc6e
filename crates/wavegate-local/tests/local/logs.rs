//! What functions log is in CloudWatch Logs, as AWS has it there; roles are checked where that is asked
//! for.

use serde_json::{Value, json};
use wavegate_local::{LocalCloud, Options};

use crate::support::{Answer, Client, ROLE, base64, options, package, start};

const CODE: &[(&str, &str)] =
    &[("app.py", "def handler(event, context):\n    print('told', event['n'])\n    return 1\n")];

async fn logs(client: &mut Client, operation: &str, input: Value) -> Value {
    let target = format!("Logs_20140328.{operation}");
    let headers =
        [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
    let answer = client.send("POST", "/", &headers, input.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

async fn iam(client: &mut Client, form: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    client.send("POST", "/", &headers, format!("Version=2010-05-08&{form}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_invocation_logs_is_found_in_its_functions_group() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("teller", "python3.13", CODE).await;
    for n in 0..2 {
        let answer = client.call("POST", "/teller/invocations", json!({ "n": n })).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    // Restarted in between: what was logged is on disk when the cloud has stopped.
    cloud.shutdown().await;
    let (cloud, mut client) = start(directory.path()).await;
    let group = json!({ "logGroupName": "/aws/lambda/teller", "filterPattern": "told" });
    let found = logs(&mut client, "FilterLogEvents", group).await;
    let told: Vec<&str> = found["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["message"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["told 0\n", "told 1\n"]);
    let stream = found["events"][0]["logStreamName"].as_str().unwrap();
    assert!(stream.contains("/[$LATEST]"), "{stream}");
    let all = json!({ "logGroupName": "/aws/lambda/teller", "logStreamName": stream, "startFromHead": true });
    let all = logs(&mut client, "GetLogEvents", all).await;
    let first_words: Vec<String> = all["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["message"].as_str()?.split(' ').next().map(ToOwned::to_owned))
        .filter(|word| word.chars().all(char::is_uppercase))
        .collect();
    assert_eq!(first_words, ["START", "END", "REPORT", "START", "END", "REPORT"]);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_logs_makes_an_alarm_fire() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("teller", "python3.13", CODE).await;
    logs(&mut client, "CreateLogGroup", json!({ "logGroupName": "/aws/lambda/teller" })).await;
    let filter = json!({
        "logGroupName": "/aws/lambda/teller", "filterName": "told", "filterPattern": "told",
        "metricTransformations": [
            { "metricNamespace": "Shop", "metricName": "Told", "metricValue": "1" },
        ],
    });
    logs(&mut client, "PutMetricFilter", filter).await;
    let alarm = "Action=PutMetricAlarm&Version=2010-08-01&AlarmName=told&Namespace=Shop&MetricName=Told\
                 &Statistic=Sum&Period=60&EvaluationPeriods=1&Threshold=0\
                 &ComparisonOperator=GreaterThanThreshold&TreatMissingData=ignore";
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(client.send("POST", "/", &headers, alarm).await.status, 200);
    client.invoke("teller", json!({ "n": 1 })).await;
    // A minute of virtual time is 60 ms; until then it is asked again.
    loop {
        let shown = "Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1=told";
        let shown = client.send("POST", "/", &headers, shown).await;
        if String::from_utf8_lossy(&shown.body).contains("<StateValue>ALARM</StateValue>") {
            break;
        }
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_must_exist_and_trust_lambda_where_roles_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let checked = Options { check_roles: true, ..options(directory.path()) };
    let cloud = LocalCloud::start(checked).await.unwrap();
    let mut client = Client::connect(cloud.url()).await;
    let creation = json!({
        "FunctionName": "fn", "Runtime": "python3.13", "Role": ROLE, "Handler": "app.handler",
        "Code": { "ZipFile": base64(&package(CODE)) },
    });
    let refused = client.call("POST", "", creation.clone()).await;
    let message = "The role defined for the function cannot be assumed by Lambda.";
    let wanted = (400, "InvalidParameterValueException".to_owned(), message.to_owned());
    assert_eq!(refused.error(), wanted);
    let trust = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22sts%3AAssumeRole\
                 %22%2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%7D%7D";
    let form = format!("Action=CreateRole&RoleName=r&AssumeRolePolicyDocument={trust}");
    let made = iam(&mut client, &form).await;
    assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
    assert_eq!(client.call("POST", "", creation).await.status, 201);
    client.settled("fn").await;
    let other = json!({ "Role": ROLE.replace("role/r", "role/gone") });
    assert_eq!(client.call("PUT", "/fn/configuration", other.clone()).await.error(), wanted);
    cloud.shutdown().await;
    // Any role is taken otherwise, and what was made is still there.
    let (cloud, mut client) = start(directory.path()).await;
    assert_eq!(client.call("PUT", "/fn/configuration", other).await.status, 200);
    let shown = iam(&mut client, "Action=GetRole&RoleName=r").await;
    assert!(String::from_utf8_lossy(&shown.body).contains(&format!("<Arn>{ROLE}</Arn>")));
    let gone = iam(&mut client, "Action=GetRole&RoleName=gone").await;
    let text = String::from_utf8_lossy(&gone.body).into_owned();
    assert_eq!(gone.status, 404);
    assert!(text.contains("<Code>NoSuchEntity</Code>"), "{text}");
    cloud.shutdown().await;
}
