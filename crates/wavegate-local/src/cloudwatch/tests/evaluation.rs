//! When alarms change their state, and when they do not.

use super::*;

#[test]
fn alarms_treat_missing_data_as_the_tables_say_end_to_end() {
    let names = ["missing", "ignore", "breaching", "notBreaching"];
    assert_eq!(names.len(), TREATMENTS.len());
    for (m, data, _, expected) in TABLES {
        for (treatment, letter) in names.into_iter().zip(expected.chars()) {
            for before in ["OK", "ALARM", "INSUFFICIENT_DATA"] {
                let mut client = Client::new();
                for (index, point) in (0i64..).zip(data.chars()) {
                    let at = NOW - (4 - index) * MINUTE + 30_000;
                    match point {
                        'X' => client.record("m", at, 9.0),
                        '0' => client.record("m", at, 1.0),
                        _ => {}
                    }
                }
                client.alarm(&json!({
                    "EvaluationPeriods": 3, "DatapointsToAlarm": m, "TreatMissingData": treatment,
                }));
                client.set("a", before);
                client.pass(MINUTE);
                let expected = match letter {
                    'A' => "ALARM",
                    'O' => "OK",
                    'I' => "INSUFFICIENT_DATA",
                    _ => before,
                };
                let place = format!("{m} of 3, {data}, {treatment}, {before}");
                assert_eq!(client.state("a"), expected, "{place}");
            }
        }
    }
}

#[test]
fn a_new_alarm_knows_nothing_until_its_first_evaluation() {
    let mut client = Client::new();
    client.record("m", NOW - MINUTE, 9.0);
    client.pass(1);
    client.alarm(&json!({}));
    let alarm = client.describe("a");
    assert_eq!(alarm["StateValue"], "INSUFFICIENT_DATA");
    assert_eq!(alarm["StateReason"], "Unchecked: Initial alarm creation");
    client.pass(MINUTE - 2);
    assert_eq!(client.state("a"), "INSUFFICIENT_DATA");
    client.pass(1);
    let alarm = client.describe("a");
    assert_eq!(alarm["StateValue"], "ALARM");
    assert_eq!(alarm["StateTransitionedTimestamp"], json!(time::seconds(NOW + MINUTE)));
    assert_eq!(
        alarm["StateReason"],
        "Threshold Crossed: 1 datapoint [9.0 (15/01/27 07:59:00)] was greater than the threshold \
         (5.0)."
    );
    let data: Json = serde_json::from_str(alarm["StateReasonData"].as_str().unwrap()).unwrap();
    assert_eq!(data["queryDate"], "2027-01-15T08:01:00.000+0000");
    assert_eq!(data["recentDatapoints"], json!([9.0]));
}

#[test]
fn an_alarm_rises_and_falls_with_its_metric() {
    let mut client = Client::new();
    client.alarm(&json!({ "EvaluationPeriods": 3, "DatapointsToAlarm": 2 }));
    let mut states = String::new();
    for value in [1.0, 9.0, 1.0, 9.0, 9.0, 1.0, 1.0, 1.0] {
        client.record("m", client.now + 10_000, value);
        client.pass(MINUTE);
        states.push_str(&client.state("a")[..1]);
    }
    // The first breach is one of three; with the fourth point there are two within three.
    assert_eq!(states, "OOOAAAOO");
}

#[test]
fn the_period_that_still_runs_is_not_looked_at() {
    let mut client = Client::new();
    client.alarm(&json!({ "TreatMissingData": "notBreaching" }));
    client.pass(MINUTE);
    client.record("m", client.now + 1_000, 9.0);
    client.pass(30_000);
    assert_eq!(client.state("a"), "OK");
    client.pass(30_000);
    assert_eq!(client.state("a"), "ALARM");
}

#[test]
fn late_data_of_a_long_invocation_still_counts() {
    let mut client = Client::new();
    client.alarm(&json!({}));
    client.pass(2 * MINUTE);
    assert_eq!(client.state("a"), "INSUFFICIENT_DATA");
    client.record("m", NOW, 9.0);
    client.pass(MINUTE);
    assert_eq!(client.state("a"), "ALARM");
}

#[test]
fn a_state_set_by_hand_lasts_until_the_next_evaluation() {
    let mut client = Client::new();
    client.record("m", NOW, 1.0);
    client.alarm(&json!({}));
    client.pass(MINUTE + 10_000);
    assert_eq!(client.state("a"), "OK");
    client.set("a", "ALARM");
    client.pass(MINUTE - 10_001);
    let alarm = client.describe("a");
    assert_eq!((&alarm["StateValue"], &alarm["StateReason"]), (&json!("ALARM"), &json!("by hand")));
    client.pass(1);
    assert_eq!(client.state("a"), "OK");
}

#[test]
fn high_resolution_alarms_are_evaluated_every_ten_seconds() {
    let mut client = Client::new();
    client.alarm(&json!({ "Period": 10, "EvaluationPeriods": 2 }));
    for second in 0..20 {
        let datum = json!({ "MetricName": "m", "Value": 1, "Unit": "Count",
            "StorageResolution": 1, "Timestamp": NOW / 1_000 + second });
        client.ok("PutMetricData", &json!({ "Namespace": "NS", "MetricData": [datum] }));
    }
    assert_eq!(client.cloud.tick(NOW), Some(NOW + 10_000));
    client.pass(10_000);
    assert_eq!(client.state("a"), "INSUFFICIENT_DATA");
    client.pass(10_000);
    assert_eq!(client.state("a"), "ALARM");
}

#[test]
fn periods_slide_with_the_minutes() {
    let mut client = Client::new();
    client.pass(2 * MINUTE);
    client.alarm(&json!({ "Period": 300, "TreatMissingData": "notBreaching" }));
    client.record("m", client.now, 3.0);
    client.record("m", client.now + MINUTE, 3.0);
    client.pass(MINUTE);
    assert_eq!(client.state("a"), "OK");
    // Two minutes after the first sample its five-minute window holds both.
    client.pass(MINUTE);
    assert_eq!(client.state("a"), "ALARM");
}

#[test]
fn an_error_rate_is_watched_by_expression() {
    let stat = |id: &str, name: &str| {
        json!({ "Id": id, "ReturnData": false, "MetricStat": {
            "Metric": { "Namespace": "NS", "MetricName": name }, "Period": 60, "Stat": "Sum" } })
    };
    let mut client = Client::new();
    client.ok(
        "PutMetricAlarm",
        &json!({
            "AlarmName": "rate", "EvaluationPeriods": 1, "Threshold": 10,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "ignore",
            "Metrics": [
                { "Id": "rate", "Expression": "100 * errors / invocations", "ReturnData": true },
                stat("errors", "Errors"), stat("invocations", "Invocations"),
            ],
        }),
    );
    for (errors, expected) in [(0, "OK"), (1, "OK"), (2, "ALARM"), (20, "ALARM"), (0, "OK")] {
        for number in 0..20 {
            client.record("Invocations", client.now, 1.0);
            if number < errors {
                client.record("Errors", client.now, 1.0);
            }
        }
        client.pass(MINUTE);
        assert_eq!(client.state("rate"), expected, "{errors} of 20");
    }
}

#[test]
fn percentiles_of_few_samples_leave_the_state_alone_when_told_so() {
    for (treatment, expected) in [("ignore", "INSUFFICIENT_DATA"), ("evaluate", "ALARM")] {
        let mut client = Client::new();
        client.alarm(&json!({ "Statistic": null, "ExtendedStatistic": "p90",
            "EvaluateLowSampleCountPercentile": treatment }));
        for _ in 0..99 {
            client.record("m", client.now, 9.0);
        }
        client.pass(MINUTE);
        assert_eq!(client.state("a"), expected);
        client.record("m", NOW, 9.0);
        client.pass(MINUTE);
        assert_eq!(client.state("a"), "ALARM", "100 samples tell a p90");
    }
}

#[test]
fn composite_alarms_follow_their_children_at_once() {
    let mut client = Client::new();
    client.alarm(&json!({ "TreatMissingData": "ignore" }));
    client.alarm(&json!({ "AlarmName": "b", "TreatMissingData": "ignore" }));
    let arn = client.describe("b")["AlarmArn"].as_str().unwrap().to_owned();
    let rule = format!("ALARM(a) AND NOT ALARM(\"{arn}\")");
    client.ok("PutCompositeAlarm", &json!({ "AlarmName": "c", "AlarmRule": rule }));
    client.ok("PutCompositeAlarm", &json!({ "AlarmName": "d", "AlarmRule": "OK(c)" }));
    assert_eq!((client.state("c"), client.state("d")), ("OK".into(), "ALARM".into()));
    client.set("a", "ALARM");
    assert_eq!((client.state("c"), client.state("d")), ("ALARM".into(), "OK".into()));
    client.set("b", "ALARM");
    assert_eq!((client.state("c"), client.state("d")), ("OK".into(), "ALARM".into()));
    // By hand, a composite alarm stays until a child changes.
    client.set("c", "ALARM");
    client.pass(10 * MINUTE);
    assert_eq!((client.state("c"), client.state("d")), ("ALARM".into(), "OK".into()));
    client.set("b", "OK");
    client.set("b", "ALARM");
    assert_eq!(client.state("c"), "OK");
}

#[test]
fn composite_alarms_in_a_circle_stand_still() {
    let mut client = Client::new();
    client.alarm(&json!({}));
    client.ok("PutCompositeAlarm", &json!({ "AlarmName": "c", "AlarmRule": "ALARM(a)" }));
    client.ok("PutCompositeAlarm", &json!({ "AlarmName": "d", "AlarmRule": "NOT ALARM(c)" }));
    client.ok("PutCompositeAlarm", &json!({ "AlarmName": "c", "AlarmRule": "ALARM(d)" }));
    assert_eq!((client.state("c"), client.state("d")), ("OK".into(), "ALARM".into()));
}

#[test]
fn after_a_long_pause_only_the_last_evaluations_are_made_up_for() {
    let mut client = Client::new();
    client.record("m", NOW, 9.0);
    client.alarm(&json!({ "TreatMissingData": "notBreaching" }));
    client.pass(365 * 24 * 60 * MINUTE);
    assert_eq!(client.cloud.tick(client.now), Some(client.now + MINUTE));
    assert_eq!(client.state("a"), "OK");
}
