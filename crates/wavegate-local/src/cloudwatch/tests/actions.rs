//! What alarms do when their state changes, what holds that back, and what the history says of it.

use super::*;

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:page:live";

/// The history of an alarm, oldest first, as type and summary.
fn history(client: &mut Client, name: &str) -> Vec<(String, String)> {
    let types = ["MetricAlarm", "CompositeAlarm"];
    let input = json!({ "AlarmName": name, "AlarmTypes": types, "ScanBy": "TimestampAscending" });
    let output = client.ok("DescribeAlarmHistory", &input);
    let text = |item: &Json, name: &str| item[name].as_str().unwrap().to_owned();
    let items = output["AlarmHistoryItems"].as_array().unwrap().iter();
    items.map(|item| (text(item, "HistoryItemType"), text(item, "HistorySummary"))).collect()
}

fn events(client: &mut Client) -> Vec<Json> {
    let taken = client.cloud.take_invocations();
    taken.iter().map(|taken| serde_json::from_str(&taken.event).unwrap()).collect()
}

#[test]
fn a_function_is_invoked_once_for_each_change_and_told_of_it() {
    let mut client = Client::new();
    let dimensions = json!([{ "Name": "FunctionName", "Value": "shop" }]);
    client.alarm(&json!({ "AlarmActions": [FUNCTION], "AlarmDescription": "d",
        "Dimensions": dimensions, "Unit": "Count" }));
    client.pass(1_000);
    client.set("a", "ALARM");
    client.set("a", "ALARM");
    let taken = client.cloud.take_invocations();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].function, FUNCTION);
    let mut event: Json = serde_json::from_str(&taken[0].event).unwrap();
    let id = event["alarmData"]["configuration"]["metrics"][0]["id"].take();
    assert_eq!(id.as_str().unwrap().len(), 36);
    let arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a";
    assert_eq!(
        event,
        json!({
            "source": "aws.cloudwatch", "alarmArn": arn, "accountId": "123456789012",
            "time": "2027-01-15T08:00:01.000+0000", "region": "eu-west-1",
            "alarmData": {
                "alarmName": "a",
                "state": { "value": "ALARM", "reason": "by hand",
                    "timestamp": "2027-01-15T08:00:01.000+0000" },
                "previousState": { "value": "INSUFFICIENT_DATA",
                    "reason": "Unchecked: Initial alarm creation",
                    "timestamp": "2027-01-15T08:00:00.000+0000" },
                "configuration": { "description": "d", "metrics": [{
                    "id": null, "returnData": true,
                    "metricStat": { "period": 60, "stat": "Sum", "unit": "Count", "metric": {
                        "namespace": "NS", "name": "m",
                        "dimensions": { "FunctionName": "shop" } } },
                }] },
            },
        })
    );
    assert_eq!(client.cloud.take_invocations(), []);
    client.cloud.invoked(client.now, taken[0].number, Ok(()));
    let done = format!("Successfully executed action {FUNCTION}");
    assert_eq!(history(&mut client, "a").last(), Some(&("Action".to_owned(), done)));
}

#[test]
fn what_fails_or_notifies_others_is_in_the_history() {
    let mut client = Client::new();
    let topic = "arn:aws:sns:eu-west-1:123456789012:team";
    client.alarm(&json!({ "AlarmActions": [topic, FUNCTION], "OKActions": [topic] }));
    client.ok("DisableAlarmActions", &json!({ "AlarmNames": ["a"] }));
    client.set("a", "OK");
    client.ok("EnableAlarmActions", &json!({ "AlarmNames": ["a"] }));
    client.set("a", "ALARM");
    let taken = client.cloud.take_invocations();
    client.cloud.invoked(client.now, taken[0].number, Err("not allowed".to_owned()));
    let expected = [
        ("ConfigurationUpdate", "Alarm \"a\" created".to_owned()),
        ("ConfigurationUpdate", "Alarm \"a\" updated".to_owned()),
        ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to OK".to_owned()),
        ("ConfigurationUpdate", "Alarm \"a\" updated".to_owned()),
        ("StateUpdate", "Alarm updated from OK to ALARM".to_owned()),
        ("Action", format!("Failed to execute action {topic}")),
        ("Action", format!("Failed to execute action {FUNCTION}")),
    ];
    let expected = expected.map(|(kind, summary)| (kind.to_owned(), summary));
    assert_eq!(history(&mut client, "a"), expected);
    let input =
        json!({ "AlarmName": "a", "HistoryItemType": "Action", "ScanBy": "TimestampAscending" });
    let items = client.ok("DescribeAlarmHistory", &input);
    let data = items["AlarmHistoryItems"][0]["HistoryData"].as_str().unwrap();
    let data: Json = serde_json::from_str(data).unwrap();
    assert_eq!((&data["actionState"], &data["publishedMessage"]), (&json!("Failed"), &Json::Null));
    assert_eq!(data["error"], "Nothing was sent: the local cloud has no service sns");
}

#[test]
fn an_invocation_that_was_not_made_is_taken_again_after_a_restart() {
    let mut client = Client::new();
    client.alarm(&json!({ "AlarmActions": [FUNCTION] }));
    client.set("a", "ALARM");
    let taken = client.cloud.take_invocations();
    let mut other = CloudWatch::new("eu-west-1", "123456789012");
    other.restore(client.cloud.snapshot()).unwrap();
    assert_eq!(other.take_invocations(), taken);
    other.invoked(client.now, taken[0].number, Ok(()));
    let mut third = CloudWatch::new("eu-west-1", "123456789012");
    third.restore(other.snapshot()).unwrap();
    assert_eq!(third.take_invocations(), []);
}

/// The user guide's six examples of suppression, in seconds: what happens when, and when actions are
/// taken in which state. `a` is the child of the composite alarm, `s` its suppressor.
type Example =
    (&'static [(i64, &'static str, &'static str)], &'static [(i64, &'static str)], &'static str);
const EXAMPLES: [Example; 6] = [
    (&[(2, "a", "ALARM")], &[(4, "ALARM")], "2 WaitPeriod 4 -"),
    (&[(2, "a", "ALARM"), (3, "s", "ALARM")], &[], "2 WaitPeriod 3 Alarm"),
    (&[(2, "a", "ALARM"), (3, "a", "OK")], &[(5, "OK")], "2 WaitPeriod 5 -"),
    (&[(1, "s", "ALARM"), (2, "a", "ALARM")], &[], "2 Alarm"),
    (
        &[(2, "a", "ALARM"), (3, "s", "ALARM"), (6, "s", "OK")],
        &[(9, "ALARM")],
        "2 WaitPeriod 3 Alarm 6 ExtensionPeriod 9 -",
    ),
    (
        &[(2, "a", "ALARM"), (3, "s", "ALARM"), (6, "s", "OK"), (7, "a", "OK")],
        &[(9, "OK")],
        "2 WaitPeriod 3 Alarm 6 ExtensionPeriod 7 WaitPeriod 9 -",
    ),
];

#[test]
fn a_suppressor_holds_actions_back_as_the_guide_shows() {
    for (happenings, expected, expected_by) in EXAMPLES {
        let mut client = Client::new();
        for name in ["a", "s"] {
            client.alarm(&json!({ "AlarmName": name, "TreatMissingData": "ignore" }));
            client.set(name, "OK");
        }
        client.ok(
            "PutCompositeAlarm",
            &json!({ "AlarmName": "c", "AlarmRule": "ALARM(a)", "ActionsSuppressor": "s",
                "ActionsSuppressorWaitPeriod": 2, "ActionsSuppressorExtensionPeriod": 3,
                "AlarmActions": [FUNCTION], "OKActions": [FUNCTION] }),
        );
        // The first state is held back too.
        client.pass(10_000);
        client.cloud.tick(client.now);
        assert_eq!(events(&mut client).len(), 1);
        let (mut acted, mut by) = (Vec::new(), Vec::new());
        let mut last = "-".to_owned();
        for second in 0..15 {
            for (_, name, state) in happenings.iter().filter(|(at, ..)| *at == second) {
                client.set(name, state);
            }
            client.cloud.tick(client.now);
            for event in events(&mut client) {
                let state = &event["alarmData"]["state"];
                acted.push((second, state["value"].as_str().unwrap().to_owned()));
                assert_eq!(state["actionsSuppressedBy"], Json::Null);
                assert!(event["alarmData"]["previousState"]["actionsSuppressedBy"].is_string());
            }
            let now =
                client.describe("c")["ActionsSuppressedBy"].as_str().unwrap_or("-").to_owned();
            if now != last {
                by.push(format!("{second} {now}"));
                last = now;
            }
            client.pass(1_000);
        }
        let expected: Vec<(i64, String)> =
            expected.iter().map(|(at, state)| (*at, (*state).to_owned())).collect();
        assert_eq!((acted, by.join(" ")), (expected, expected_by.to_owned()), "{happenings:?}");
    }
}

#[test]
fn another_suppressor_ends_what_was_held_back() {
    let mut client = Client::new();
    for name in ["a", "s", "t"] {
        client.alarm(&json!({ "AlarmName": name, "TreatMissingData": "ignore" }));
    }
    let put = |suppressor: &str| {
        json!({ "AlarmName": "c", "AlarmRule": "ALARM(a)", "ActionsSuppressor": suppressor,
            "ActionsSuppressorWaitPeriod": 60, "ActionsSuppressorExtensionPeriod": 60 })
    };
    client.ok("PutCompositeAlarm", &put("s"));
    assert_eq!(client.describe("c")["ActionsSuppressedReason"], "Actions suppressed by WaitPeriod");
    client.ok("PutCompositeAlarm", &put("s"));
    assert_eq!(client.describe("c")["ActionsSuppressedBy"], "WaitPeriod");
    client.ok("PutCompositeAlarm", &put("t"));
    assert_eq!(client.describe("c")["ActionsSuppressedBy"], Json::Null);
    let (code, _) = client.call("DeleteAlarms", &json!({ "AlarmNames": ["t"] })).unwrap_err();
    assert_eq!(code, "ResourceConflict");
}

#[test]
fn a_composite_alarm_says_which_child_made_its_state() {
    let mut client = Client::new();
    client.alarm(&json!({ "TreatMissingData": "ignore" }));
    client.alarm(&json!({ "AlarmName": "b", "TreatMissingData": "ignore" }));
    let rule = json!({ "AlarmName": "c", "AlarmRule": "ALARM(a) OR ALARM(b)" });
    client.ok("PutCompositeAlarm", &rule);
    let arn = |name: &str| format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}");
    let alarm = client.describe("c");
    let reason = format!("{} was created and its alarm rule evaluates to OK", arn("c"));
    assert_eq!(alarm["StateReason"], reason);
    let data = |alarm: &Json| -> Json {
        serde_json::from_str(alarm["StateReasonData"].as_str().unwrap()).unwrap()
    };
    assert_eq!(data(&alarm)["triggeringAlarms"].as_array().unwrap().len(), 2);
    client.pass(1_000);
    client.set("b", "ALARM");
    let alarm = client.describe("c");
    let reason =
        format!("{} transitioned to ALARM at Friday 15 January, 2027 08:00:01 UTC", arn("b"));
    assert_eq!(alarm["StateReason"], reason);
    let state = json!({ "value": "ALARM", "timestamp": "2027-01-15T08:00:01.000+0000" });
    let child = json!({ "arn": arn("b"), "state": state });
    assert_eq!(data(&alarm), json!({ "triggeringAlarms": [child] }));
}
