//! The laws of CloudWatch as a client sees them.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::judge::tests::{TABLES, TREATMENTS};
use super::*;
use crate::wire::{Request, Route, time};

mod actions;
mod data;
mod evaluation;
mod paging;

/// 2027-01-15T08:00:00Z.
const NOW: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;

/// A client that speaks AWS JSON, and the time.
struct Client {
    cloud: CloudWatch,
    now: i64,
}

impl Client {
    fn new() -> Self {
        Self { cloud: CloudWatch::new("eu-west-1", "123456789012"), now: NOW }
    }

    /// The output, or the code and the message.
    fn call(&mut self, operation: &str, input: &Json) -> Result<Json, (String, String)> {
        let target = format!("GraniteServiceVersion20100801.{operation}");
        let request = Request {
            method: "POST".into(),
            path: "/".into(),
            query: String::new(),
            headers: vec![("x-amz-target".into(), target)],
            body: input.to_string().into(),
        };
        let route = Route::of(&request).unwrap();
        let asked = route.decode(&request);
        let outcome = asked.and_then(|asked| self.cloud.answer(self.now, &asked));
        let response = route.answer(outcome, "id");
        let body: Json = serde_json::from_slice(&response.body).unwrap_or_default();
        if response.status == 200 {
            return Ok(body);
        }
        let code = response.headers.iter().find(|(name, _)| name == "x-amzn-query-error").unwrap();
        let code = code.1.split(';').next().unwrap().to_owned();
        Err((code, body["message"].as_str().unwrap_or_default().to_owned()))
    }

    fn ok(&mut self, operation: &str, input: &Json) -> Json {
        match self.call(operation, input) {
            Ok(output) => output,
            Err((code, message)) => panic!("{operation}: {code}: {message}"),
        }
    }

    fn record(&mut self, name: &str, at: i64, value: f64) {
        self.cloud.record(Datum {
            namespace: "NS".into(),
            name: name.into(),
            dimensions: vec![],
            timestamp_ms: at,
            value,
            unit: Unit::Count,
        });
    }

    /// Puts an alarm `a` on the sum of `m` above 5, with changes.
    fn alarm(&mut self, changes: &Json) {
        let mut input = json!({
            "AlarmName": "a", "Namespace": "NS", "MetricName": "m", "Statistic": "Sum",
            "Period": 60, "EvaluationPeriods": 1, "Threshold": 5,
            "ComparisonOperator": "GreaterThanThreshold",
        });
        for (name, value) in changes.as_object().unwrap() {
            input[name] = value.clone();
        }
        input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.ok("PutMetricAlarm", &input);
    }

    fn describe(&mut self, name: &str) -> Json {
        let types = ["MetricAlarm", "CompositeAlarm"];
        let input = json!({ "AlarmNames": [name], "AlarmTypes": types });
        let output = self.ok("DescribeAlarms", &input);
        let metric = output["MetricAlarms"][0].clone();
        if metric.is_null() { output["CompositeAlarms"][0].clone() } else { metric }
    }

    fn state(&mut self, name: &str) -> String {
        self.describe(name)["StateValue"].as_str().unwrap_or("gone").to_owned()
    }

    fn set(&mut self, name: &str, state: &str) {
        let input = json!({ "AlarmName": name, "StateValue": state, "StateReason": "by hand" });
        self.ok("SetAlarmState", &input);
    }

    fn pass(&mut self, millis: i64) {
        self.now += millis;
    }
}

#[test]
fn a_new_configuration_leaves_the_state_and_the_tags_alone() {
    let mut client = Client::new();
    client.record("m", NOW, 9.0);
    client.alarm(&json!({ "Tags": [{ "Key": "k", "Value": "v" }] }));
    client.pass(MINUTE);
    assert_eq!(client.state("a"), "ALARM");
    client.alarm(&json!({ "Threshold": 50, "Tags": [{ "Key": "k", "Value": "w" }] }));
    let alarm = client.describe("a");
    assert_eq!((&alarm["StateValue"], &alarm["Threshold"]), (&json!("ALARM"), &json!(50.0)));
    let arn = json!({ "ResourceARN": alarm["AlarmArn"] });
    let tags = client.ok("ListTagsForResource", &arn);
    assert_eq!(tags["Tags"], json!([{ "Key": "k", "Value": "v" }]));
    client.pass(MINUTE);
    assert_eq!(client.state("a"), "OK");
}

#[test]
fn an_alarm_that_a_composite_alarm_needs_is_not_deleted() {
    let mut client = Client::new();
    client.alarm(&json!({}));
    client.ok("PutCompositeAlarm", &json!({ "AlarmName": "c", "AlarmRule": "ALARM(a)" }));
    let refused = client.call("DeleteAlarms", &json!({ "AlarmNames": ["a"] })).unwrap_err();
    assert_eq!(refused.0, "ResourceConflict");
    client.ok("DeleteAlarms", &json!({ "AlarmNames": ["a", "c", "never was"] }));
    assert_eq!((client.state("a"), client.state("c")), ("gone".into(), "gone".into()));
}

#[test]
fn describe_answers_metric_alarms_only_unless_asked() {
    let mut client = Client::new();
    for name in ["a", "ab", "b"] {
        client.alarm(&json!({ "AlarmName": name, "AlarmActions": ["arn:aws:sns:x:1:t"] }));
    }
    client.alarm(&json!({ "AlarmName": "z" }));
    client.ok("PutCompositeAlarm", &json!({ "AlarmName": "c", "AlarmRule": "ALARM(a)" }));
    client.set("b", "ALARM");
    let rows = [
        (json!({}), "a ab b z |"),
        (json!({ "AlarmTypes": ["CompositeAlarm"] }), "| c"),
        (json!({ "AlarmTypes": ["MetricAlarm", "CompositeAlarm", "LogAlarm"] }), "a ab b z | c"),
        (json!({ "AlarmNames": ["b", "c", "nope"] }), "b |"),
        (json!({ "AlarmNamePrefix": "a" }), "a ab |"),
        (json!({ "StateValue": "ALARM" }), "b |"),
        (json!({ "ActionPrefix": "arn:aws:sns" }), "a ab b |"),
        (json!({ "ChildrenOfAlarmName": "c" }), "a |"),
        (json!({ "ParentsOfAlarmName": "a" }), "| c"),
    ];
    for (input, expected) in rows {
        let output = client.ok("DescribeAlarms", &input);
        let names = |list: &str| {
            let alarms = output[list].as_array().unwrap();
            alarms.iter().map(|a| a["AlarmName"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        let found = format!("{} | {}", names("MetricAlarms"), names("CompositeAlarms"));
        assert_eq!(found.trim(), expected, "{input}");
    }
}

#[test]
fn history_tells_what_happened() {
    let mut client = Client::new();
    client.record("m", NOW, 9.0);
    client.alarm(&json!({}));
    client.pass(MINUTE);
    client.alarm(&json!({ "Threshold": 6 }));
    client.ok("DeleteAlarms", &json!({ "AlarmNames": ["a"] }));
    let output = client.ok("DescribeAlarmHistory", &json!({ "ScanBy": "TimestampAscending" }));
    let items = output["AlarmHistoryItems"].as_array().unwrap();
    let summaries: Vec<&str> =
        items.iter().map(|item| item["HistorySummary"].as_str().unwrap()).collect();
    assert_eq!(
        summaries,
        [
            "Alarm \"a\" created",
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
            "Alarm \"a\" updated",
            "Alarm \"a\" deleted",
        ]
    );
    let data: Json = serde_json::from_str(items[1]["HistoryData"].as_str().unwrap()).unwrap();
    assert_eq!(data["newState"]["stateReasonData"]["recentDatapoints"], json!([9.0]));
    assert_eq!(data["oldState"]["stateValue"], "INSUFFICIENT_DATA");
    let data: Json = serde_json::from_str(items[2]["HistoryData"].as_str().unwrap()).unwrap();
    assert_eq!(data["updatedAlarm"]["threshold"], json!(6.0));
}

#[test]
fn metrics_are_put_in_all_their_forms() {
    let mut client = Client::new();
    client.ok(
        "PutMetricData",
        &json!({ "Namespace": "NS", "MetricData": [
            { "MetricName": "m", "Value": 4 },
            { "MetricName": "m", "Values": [1, 2], "Counts": [3, 1] },
            { "MetricName": "m", "Values": [10] },
            { "MetricName": "m", "StatisticValues":
                { "SampleCount": 2, "Sum": 5, "Minimum": 1, "Maximum": 4 } },
        ] }),
    );
    let output = client.ok(
        "GetMetricStatistics",
        &json!({ "Namespace": "NS", "MetricName": "m", "StartTime": NOW / 1_000,
            "EndTime": NOW / 1_000 + 60, "Period": 60, "ExtendedStatistics": ["p50"],
            "Statistics": ["SampleCount", "Sum", "Minimum", "Maximum", "Average"] }),
    );
    assert_eq!(
        output["Datapoints"],
        json!([{ "Timestamp": time::seconds(NOW), "SampleCount": 8.0, "Sum": 24.0, "Minimum": 1.0,
            "Maximum": 10.0, "Average": 3.0, "Unit": "None" }])
    );
}

#[test]
fn list_metrics_filters_by_what_it_is_given() {
    let mut client = Client::new();
    for (name, dimensions) in [
        ("m", json!([])),
        ("m", json!([{ "Name": "d", "Value": "1" }])),
        ("n", json!([{ "Name": "d", "Value": "1" }, { "Name": "e", "Value": "2" }])),
    ] {
        let datum = json!({ "MetricName": name, "Value": 1, "Dimensions": dimensions });
        client.ok("PutMetricData", &json!({ "Namespace": "NS", "MetricData": [datum] }));
    }
    let rows = [
        (json!({}), 3),
        (json!({ "Namespace": "Other" }), 0),
        (json!({ "MetricName": "m" }), 2),
        (json!({ "Dimensions": [{ "Name": "d" }] }), 2),
        (json!({ "Dimensions": [{ "Name": "d" }, { "Name": "e", "Value": "2" }] }), 1),
        (json!({ "Dimensions": [{ "Name": "e", "Value": "3" }] }), 0),
        (json!({ "RecentlyActive": "PT3H" }), 3),
    ];
    for (input, expected) in rows {
        let found = client.ok("ListMetrics", &input)["Metrics"].as_array().unwrap().len();
        assert_eq!(found, expected, "{input}");
    }
    client.pass(4 * 3_600_000);
    let recent = client.ok("ListMetrics", &json!({ "RecentlyActive": "PT3H" }));
    assert_eq!(recent["Metrics"], json!([]));
}

#[test]
fn values_that_cloudwatch_refuses_are_not_recorded() {
    let mut client = Client::new();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
        client.record("m", NOW, value);
    }
    assert_eq!(client.ok("ListMetrics", &json!({}))["Metrics"], json!([]));
}

#[test]
fn what_is_wrong_is_refused_with_aws_codes_and_all_at_once() {
    let put = |datum: Json| json!({ "Namespace": "NS", "MetricData": [datum] });
    let now = NOW / 1_000;
    let statistics = |start: i64, period: i64| {
        json!({ "Namespace": "NS", "MetricName": "m", "StartTime": start, "EndTime": now,
            "Period": period, "Statistics": ["Sum"] })
    };
    let metric_data = |queries: Json| json!({ "StartTime": now - 60, "EndTime": now, "MetricDataQueries": queries });
    let alarm = |changes: Json| {
        let mut alarm = json!({ "AlarmName": "x", "Namespace": "NS", "MetricName": "m",
            "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 5,
            "ComparisonOperator": "GreaterThanThreshold" });
        for (name, value) in changes.as_object().unwrap() {
            alarm[name] = value.clone();
        }
        alarm
    };
    let circle = json!([{ "Id": "a", "Expression": "b + 1" }, { "Id": "b", "Expression": "a" }]);
    let twice = json!([{ "Id": "a", "Expression": "TIME_SERIES(1)" },
        { "Id": "a", "Expression": "TIME_SERIES(1)" }]);
    #[rustfmt::skip]
    let rows: Vec<(&str, Json, &str, &[&str])> = vec![
        ("PutMetricData", json!({}), "MissingParameter", &["The parameter Namespace is required."]),
        ("PutMetricData", json!({ "Namespace": "NS" }), "MissingParameter", &["MetricData"]),
        ("PutMetricData", put(json!({ "MetricName": "m", "Value": 1, "Values": [1] })), "InvalidParameterCombination", &["mutually exclusive"]),
        ("PutMetricData", put(json!({ "MetricName": "m", "Values": [1, 2], "Counts": [1] })), "InvalidParameterValue", &["of the same size"]),
        ("PutMetricData", put(json!({ "MetricName": "m", "Value": "NaN" })), "InvalidParameterValue", &["The value NaN for parameter MetricData.member.1.Value is invalid."]),
        ("PutMetricData", put(json!({ "MetricName": "m", "Value": 1e200 })), "InvalidParameterValue", &["2^360"]),
        ("PutMetricData", put(json!({ "MetricName": "m", "Value": 1, "Unit": "Apples" })), "InvalidParameterValue", &["must be a value in the set"]),
        ("PutMetricData", put(json!({ "MetricName": "m", "Value": 1, "Timestamp": now - 15 * 86_400 })), "InvalidParameterValue", &["two weeks"]),
        ("PutMetricData", put(json!({ "MetricName": "m", "Value": 1, "Timestamp": now + 3 * 3_600 })), "InvalidParameterValue", &["two hours"]),
        ("PutMetricData", put(json!({ "MetricName": "m", "Value": 1, "StorageResolution": 7 })), "InvalidParameterValue", &["StorageResolution"]),
        ("GetMetricStatistics", statistics(now, 60), "InvalidParameterValue", &["StartTime must be less"]),
        ("GetMetricStatistics", statistics(now - 60, 61), "InvalidParameterValue", &["Period"]),
        ("GetMetricStatistics", statistics(now - 172_800, 60), "InvalidParameterCombination", &["up to 2880 datapoints", "limit of 1440"]),
        ("GetMetricData", metric_data(json!([])), "ValidationError", &["MetricDataQueries"]),
        ("GetMetricData", metric_data(json!([{ "Id": "a", "Expression": "b" }])), "ValidationError", &["Error in expression 'a'", "b names no metric"]),
        ("GetMetricData", metric_data(json!([{ "Id": "a", "Expression": "1 + 1" }])), "ValidationError", &["a time series is needed"]),
        ("GetMetricData", metric_data(circle), "ValidationError", &["in a circle"]),
        ("GetMetricData", metric_data(twice), "ValidationError", &["not unique"]),
        ("GetMetricData", metric_data(json!([{ "Id": "A" }, { "Id": "b", "Expression": "(" }])), "ValidationError", &["'A' for parameter", "Either", "expression 'b'"]),
        ("PutMetricAlarm", json!({}), "ValidationError", &["1 validation error detected: Value null at 'alarmName'"]),
        ("PutMetricAlarm", json!({ "AlarmName": "x" }), "ValidationError", &["ComparisonOperator", "Threshold", "EvaluationPeriods", "MetricName"]),
        ("PutMetricAlarm", alarm(json!({ "EvaluationPeriods": 0, "Statistic": "Mode" })), "ValidationError", &["2 validation errors", "'evaluationPeriods'", "enum value set"]),
        ("PutMetricAlarm", alarm(json!({ "EvaluationPeriods": 2_000 })), "ValidationError", &["more than a day"]),
        ("PutMetricAlarm", alarm(json!({ "DatapointsToAlarm": 2 })), "ValidationError", &["DatapointsToAlarm (2)"]),
        ("PutMetricAlarm", alarm(json!({ "Period": 45 })), "ValidationError", &["period 45"]),
        ("PutMetricAlarm", alarm(json!({ "ExtendedStatistic": "p90" })), "ValidationError", &["mutually exclusive"]),
        ("PutMetricAlarm", alarm(json!({ "TreatMissingData": "bad" })), "ValidationError", &["TreatMissingData"]),
        ("PutMetricAlarm", alarm(json!({ "ThresholdMetricId": "m" })), "ValidationError", &["ThresholdMetricId"]),
        ("PutMetricAlarm", alarm(json!({ "AlarmActions": ["nope"] })), "ValidationError", &["Invalid arn syntax"]),
        ("PutMetricAlarm", alarm(json!({ "Metrics": [{ "Id": "a", "Expression": "TIME_SERIES(1)" }] })), "ValidationError", &["MetricName must not be specified together", "at least one metric"]),
        ("PutCompositeAlarm", json!({ "AlarmName": "c", "AlarmRule": "ALARM(x) AND OK(y)" }), "ValidationError", &["[x, y] in the alarm rule do not exist"]),
        ("PutCompositeAlarm", json!({ "AlarmName": "c", "AlarmRule": "ALARM(" }), "ValidationError", &["not closed"]),
        ("SetAlarmState", json!({ "AlarmName": "x", "StateValue": "OK", "StateReason": "" }), "ResourceNotFound", &[]),
        ("SetAlarmState", json!({ "AlarmName": "x", "StateValue": "RED", "StateReason": "" }), "ValidationError", &["[INSUFFICIENT_DATA, ALARM, OK]"]),
        ("DescribeAlarms", json!({ "MaxRecords": 101 }), "ValidationError", &["less than or equal to 100"]),
        ("DescribeAlarms", json!({ "AlarmNames": ["a"], "AlarmNamePrefix": "a" }), "ValidationError", &["mutually exclusive"]),
        ("PutDashboard", json!({ "DashboardName": "a:b", "DashboardBody": "{}" }), "InvalidParameterValue", &["DashboardName contains invalid characters"]),
        ("PutDashboard", json!({ "DashboardName": "a", "DashboardBody": "no" }), "InvalidParameterInput", &["valid JSON object"]),
        ("GetDashboard", json!({ "DashboardName": "a" }), "ResourceNotFound", &["Dashboard a does not exist"]),
        ("DeleteDashboards", json!({ "DashboardNames": ["a"] }), "ResourceNotFound", &["Dashboard a does not exist"]),
        ("PutCompositeAlarm", json!({ "AlarmName": "c", "AlarmRule": "TRUE", "ActionsSuppressor": "s" }), "ValidationError", &["WaitPeriod is required", "ExtensionPeriod is required"]),
        ("TagResource", json!({ "Tags": [], "ResourceARN": "arn:aws:cloudwatch:x:1:alarm:x" }), "ResourceNotFoundException", &["does not exist"]),
    ];
    for (operation, input, code, parts) in rows {
        let mut client = Client::new();
        let (found, message) = client.call(operation, &input).unwrap_err();
        assert_eq!(found, code, "{operation} {input}: {message}");
        for part in parts {
            assert!(message.contains(part), "{operation} {input}: {message}");
        }
        assert_eq!(client.cloud.snapshot(), Client::new().cloud.snapshot(), "{operation}");
    }
}

#[test]
fn a_snapshot_in_text_puts_everything_back() {
    let mut client = Client::new();
    for minute in 0..5_i32 {
        client.record("m", NOW + i64::from(minute) * MINUTE, f64::from(minute * 3));
    }
    client.alarm(&json!({ "Tags": [{ "Key": "k", "Value": "v" }] }));
    client.ok("PutCompositeAlarm", &json!({ "AlarmName": "c", "AlarmRule": "ALARM(a)" }));
    let data = json!([{ "MetricName": "h", "Value": 1, "StorageResolution": 1 },
        { "MetricName": "h", "StatisticValues":
            { "SampleCount": 2, "Sum": 5, "Minimum": 1, "Maximum": 4 } }]);
    client.ok("PutMetricData", &json!({ "Namespace": "NS", "MetricData": data }));
    client.pass(4 * MINUTE);
    client.cloud.tick(client.now);
    let text = client.cloud.snapshot().to_string();
    let mut other = CloudWatch::new("eu-west-1", "123456789012");
    other.restore(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(other.snapshot(), client.cloud.snapshot());
    let mut other = Client { cloud: other, now: client.now };
    for _ in 0..4 {
        client.pass(MINUTE);
        other.pass(MINUTE);
        assert_eq!(client.describe("a"), other.describe("a"));
        assert_eq!(client.describe("c"), other.describe("c"));
    }
}

#[test]
fn a_snapshot_that_cannot_be_read_changes_nothing() {
    let mut client = Client::new();
    client.alarm(&json!({}));
    let before = client.cloud.snapshot();
    let mut damaged = before.clone();
    damaged["alarms"][0]["config"]["Threshold"] = json!("high");
    let mut newer = before.clone();
    newer["format"] = json!(2);
    let rows = [
        (json!({}), "no format number"),
        (newer, "format 2"),
        (json!({ "format": 1 }), "damaged"),
        (damaged, "The parameter Threshold is required"),
    ];
    for (value, expected) in rows {
        let reason = client.cloud.restore(value).unwrap_err();
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(client.cloud.snapshot(), before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn when_tick_is_called_makes_no_difference(
        samples in prop::collection::vec((0i64..20 * MINUTE, 0.0f64..12.0), 0..40),
        ticks in prop::collection::vec(0i64..20 * MINUTE, 0..30),
        m in 1usize..3,
        treatment in prop::sample::select(vec!["missing", "ignore", "breaching", "notBreaching"]),
    ) {
        let mut punctual = Client::new();
        let mut late = Client::new();
        for client in [&mut punctual, &mut late] {
            client.alarm(&json!({ "EvaluationPeriods": 3, "DatapointsToAlarm": m,
                "TreatMissingData": treatment }));
            client.ok("PutCompositeAlarm", &json!({ "AlarmName": "c", "AlarmRule": "ALARM(a)" }));
            for (at, value) in &samples {
                client.record("m", NOW + at, *value);
            }
        }
        let mut ticks = ticks;
        ticks.sort_unstable();
        for at in ticks {
            let next = punctual.cloud.tick(NOW + at);
            prop_assert!(next.is_some_and(|next| next > NOW + at));
        }
        punctual.cloud.tick(NOW + 20 * MINUTE);
        late.cloud.tick(NOW + 20 * MINUTE);
        prop_assert_eq!(punctual.cloud.snapshot(), late.cloud.snapshot());
    }

    #[test]
    fn sums_and_counts_are_exact_however_time_is_cut(
        samples in prop::collection::vec((0i64..30 * MINUTE, 0i32..1_000), 1..200),
        period in prop::sample::select(vec![60i64, 120, 300, 600, 1_800]),
    ) {
        let mut client = Client::new();
        for (at, value) in &samples {
            client.record("m", NOW + at, f64::from(*value));
        }
        let query = |stat: &str| json!({ "Id": stat.to_lowercase(), "MetricStat": {
            "Metric": { "Namespace": "NS", "MetricName": "m" }, "Period": period, "Stat": stat } });
        let output = client.ok("GetMetricData", &json!({ "StartTime": NOW / 1_000,
            "EndTime": NOW / 1_000 + 1_800,
            "MetricDataQueries": [query("Sum"), query("SampleCount")] }));
        let total = |index: usize| -> f64 {
            let values = output["MetricDataResults"][index]["Values"].as_array().unwrap();
            values.iter().map(|value| value.as_f64().unwrap()).sum()
        };
        let sum: f64 = samples.iter().map(|(_, value)| f64::from(*value)).sum();
        prop_assert!((total(0) - sum).abs() < 1e-6);
        prop_assert!((total(1) - f64::from(u32::try_from(samples.len()).unwrap())).abs() < 1e-6);
    }
}
