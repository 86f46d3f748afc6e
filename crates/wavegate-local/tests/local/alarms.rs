//! Alarms that invoke functions: if they may, and as their history tells.

use serde_json::{Value, json};

use crate::events::{TELLS, told};
use crate::support::{Client, start};

async fn call(client: &mut Client, operation: &str, input: Value) -> Value {
    let target = format!("GraniteServiceVersion20100801.{operation}");
    let answer = client.send("POST", "/", &[("x-amz-target", &target)], input.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

async fn set(client: &mut Client, state: &str) {
    let input = json!({ "AlarmName": "a", "StateValue": state, "StateReason": "by hand" });
    call(client, "SetAlarmState", input).await;
}

/// The newest action in the history, once there are so many.
async fn action(client: &mut Client, count: usize) -> (String, Value) {
    loop {
        let input = json!({ "AlarmName": "a", "HistoryItemType": "Action" });
        let items = call(client, "DescribeAlarmHistory", input).await["AlarmHistoryItems"].clone();
        if items.as_array().unwrap().len() == count {
            let text = |name: &str| items[0][name].as_str().unwrap().to_owned();
            return (text("HistorySummary"), serde_json::from_str(&text("HistoryData")).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_invokes_a_function_whose_policy_lets_it() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let to = listener.local_addr().unwrap().port().to_string();
    let more = json!({ "Environment": { "Variables": { "TO": to } } });
    client.create_with("tells", "python3.13", &[("app.py", TELLS)], more).await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:tells";
    let alarm = json!({ "AlarmName": "a", "Namespace": "NS", "MetricName": "m", "Statistic": "Sum",
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 5, "TreatMissingData": "ignore",
        "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [function] });
    call(&mut client, "PutMetricAlarm", alarm).await;

    set(&mut client, "ALARM").await;
    let (summary, data) = action(&mut client, 1).await;
    assert_eq!(summary, format!("Failed to execute action {function}"));
    let error = data["error"].as_str().unwrap();
    assert!(error.contains("no resource-based policy allows"), "{error}");

    let policy = json!({ "StatementId": "alarm", "Action": "lambda:InvokeFunction",
        "Principal": "lambda.alarms.cloudwatch.amazonaws.com", "SourceAccount": "000000000000",
        "SourceArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a" });
    let granted = client.call("POST", "/tells/policy", policy).await;
    assert_eq!(granted.status, 201, "{}", granted.json());
    set(&mut client, "OK").await;
    set(&mut client, "ALARM").await;
    let event = told(&listener).await;
    assert_eq!(event["source"], "aws.cloudwatch");
    assert_eq!(event["alarmData"]["state"]["value"], "ALARM");
    assert_eq!(event["alarmData"]["previousState"]["value"], "OK");
    let (summary, data) = action(&mut client, 2).await;
    assert_eq!(summary, format!("Successfully executed action {function}"));
    let published: Value =
        serde_json::from_str(data["publishedMessage"].as_str().unwrap()).unwrap();
    assert_eq!(published, event);
    cloud.shutdown().await;
}
