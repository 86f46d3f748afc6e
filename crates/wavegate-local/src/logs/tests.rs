//! Groups, streams, events and searches, on a clock that is moved by hand.

use serde_json::json;

use super::store::{DAY_MS, GROUP_MAX};
use super::*;

const NOW: i64 = 1_700_000_000_000;
const ARN: &str = "arn:aws:logs:us-east-1:000000000000:log-group:g";

struct Kept {
    logs: Logs,
    _directory: tempfile::TempDir,
}

/// The logs of a region in a file that was `us-east-1`'s at first.
fn at(path: &Path, region: &str) -> Logs {
    let home = |region: &str| Home { region: region.into(), account: "000000000000".into() };
    LogFile::open(path, &home("us-east-1")).unwrap().of(Arc::new(home(region)))
}

impl Kept {
    /// With a group `g` and a stream `s` in it.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let logs = at(&directory.path().join("logs.sqlite"), "us-east-1");
        let kept = Self { logs, _directory: directory };
        kept.ask("CreateLogGroup", json!({ "logGroupName": "g" }));
        kept.ask("CreateLogStream", json!({ "logGroupName": "g", "logStreamName": "s" }));
        kept
    }

    fn ask(&self, operation: &str, input: Value) -> Value {
        self.logs.perform(NOW, operation, input).unwrap().0
    }

    fn refused(&self, operation: &str, input: Value) -> Fault {
        self.logs.perform(NOW, operation, input).unwrap_err()
    }

    fn put(&self, stream: &str, events: &[(i64, &str)]) -> Value {
        let events: Vec<Value> = events
            .iter()
            .map(|(at, text)| json!({ "timestamp": NOW + at, "message": text }))
            .collect();
        let input = json!({ "logGroupName": "g", "logStreamName": stream, "logEvents": events });
        self.ask("PutLogEvents", input)
    }

    /// The messages of a stream, and the tokens forward and back.
    fn get(&self, more: &Value) -> (Vec<String>, Value, Value) {
        let mut input = json!({ "logGroupName": "g", "logStreamName": "s" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let got = self.ask("GetLogEvents", input);
        (messages(&got), got["nextForwardToken"].clone(), got["nextBackwardToken"].clone())
    }
}

fn messages(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().unwrap();
    events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn tokens_lead_through_a_stream_in_both_directions_and_stay_at_its_ends() {
    let kept = Kept::new();
    let (none, at_end, _) = kept.get(&json!({}));
    assert!(none.is_empty());
    kept.put("s", &[(0, "a"), (0, "b"), (1, "c"), (2, "d"), (3, "e")]);
    assert_eq!(kept.get(&json!({ "nextToken": at_end, "limit": 2 })).0, ["a", "b"]);
    let (newest, forward, back) = kept.get(&json!({ "limit": 2 }));
    assert_eq!(newest, ["d", "e"]);
    let (older, _, back) = kept.get(&json!({ "limit": 2, "nextToken": back }));
    assert_eq!(older, ["b", "c"]);
    let (oldest, _, back) = kept.get(&json!({ "limit": 2, "nextToken": back }));
    assert_eq!(oldest, ["a"]);
    let (nothing, again, same) = kept.get(&json!({ "limit": 2, "nextToken": back }));
    assert_eq!((nothing.len(), &same), (0, &back));
    assert_eq!(kept.get(&json!({ "limit": 2, "nextToken": again })).0, ["a", "b"]);
    let (nothing, same, _) = kept.get(&json!({ "nextToken": forward }));
    assert_eq!((nothing.len(), &same), (0, &forward));
    kept.put("s", &[(9, "f")]);
    assert_eq!(kept.get(&json!({ "nextToken": forward })).0, ["f"]);
    let between = json!({ "startFromHead": true, "startTime": NOW + 1, "endTime": NOW + 3 });
    assert_eq!(kept.get(&between).0, ["c", "d"]);
    for token in ["invalid-token", "f/1", "x", "", "é"] {
        let input = json!({ "logGroupName": "g", "logStreamName": "s", "nextToken": token });
        let fault = kept.refused("GetLogEvents", input);
        assert_eq!(fault.message, "The specified nextToken is invalid.", "{token}");
    }
}

#[test]
fn a_search_goes_through_all_streams_in_the_order_of_time() {
    let kept = Kept::new();
    kept.ask("CreateLogStream", json!({ "logGroupName": "g", "logStreamName": "t" }));
    kept.put("s", &[(0, "START a"), (4, "END a")]);
    kept.put("t", &[(1, "START b"), (2, "x"), (3, "END b")]);
    let search = |more: Value| {
        let mut input = json!({ "logGroupIdentifier": format!("{ARN}:*") });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        kept.ask("FilterLogEvents", input)
    };
    let first = search(json!({ "filterPattern": "?START ?END", "limit": 3 }));
    assert_eq!(messages(&first), ["START a", "START b", "END b"]);
    let rest = search(json!({ "filterPattern": "?START ?END", "nextToken": first["nextToken"] }));
    assert_eq!((messages(&rest), rest.get("nextToken")), (vec!["END a".to_owned()], None));
    let of_one = search(json!({ "logStreamNamePrefix": "t", "endTime": NOW + 2 }));
    assert_eq!(messages(&of_one), ["START b", "x"]);
    let gone = json!({ "logGroupName": "g", "logStreamNames": ["u"] });
    assert_eq!(kept.refused("FilterLogEvents", gone).code, "ResourceNotFoundException");
}

#[test]
fn events_of_another_time_are_left_out_and_told() {
    let kept = Kept::new();
    kept.ask("PutRetentionPolicy", json!({ "logGroupName": "g", "retentionInDays": 3 }));
    let put = |at: i64| kept.put("s", &[(at, "x")]).get("rejectedLogEventsInfo").cloned();
    assert_eq!(put(0), None);
    assert_eq!(put(-15 * DAY_MS), Some(json!({ "tooOldLogEventEndIndex": 1 })));
    assert_eq!(put(-4 * DAY_MS), Some(json!({ "expiredLogEventEndIndex": 1 })));
    assert_eq!(put(DAY_MS), Some(json!({ "tooNewLogEventStartIndex": 0 })));
    assert_eq!(kept.get(&json!({})).0.len(), 1);
    let batch = |times: [i64; 2]| {
        let event = |at: i64| json!({ "timestamp": NOW + at, "message": "x" });
        let events = times.map(event);
        json!({ "logGroupName": "g", "logStreamName": "s", "logEvents": events })
    };
    let fault = kept.refused("PutLogEvents", batch([1, 0]));
    assert!(fault.message.ends_with("must be in chronological order."));
    let fault = kept.refused("PutLogEvents", batch([-2 * DAY_MS, 0]));
    assert!(fault.message.ends_with("cannot span more than 24 hours."));
}

#[test]
fn what_is_kept_no_longer_goes_and_a_group_does_not_grow_without_end() {
    let kept = Kept::new();
    kept.put("s", &[(-2 * DAY_MS, "old")]);
    kept.put("s", &[(0, "new")]);
    kept.ask("PutRetentionPolicy", json!({ "logGroupName": "g", "retentionInDays": 1 }));
    kept.logs.file.expire(NOW).unwrap();
    assert_eq!(kept.get(&json!({})).0, ["new"]);
    let line = "x".repeat(4096);
    let input = json!({ "logGroupName": "g", "logStreamName": "s",
        "logEvents": [{ "timestamp": NOW, "message": line }] });
    for _ in 0..3 {
        kept.ask("PutLogEvents", input.clone());
    }
    let held = |data: &Connection| -> i64 {
        data.query_row("select bytes from log_group", [], |row| row.get(0)).unwrap()
    };
    let connection = kept.logs.file.connection.lock().unwrap();
    let before = held(&connection);
    connection.execute("update log_group set bytes = ?1", [GROUP_MAX]).unwrap();
    drop(connection);
    kept.ask("PutLogEvents", input);
    assert!(held(&kept.logs.file.connection.lock().unwrap()) < before);
}

#[test]
fn groups_and_streams_are_found_by_name_pattern_and_time() {
    let kept = Kept::new();
    for name in ["/aws/lambda/a", "/aws/lambda/b", "other"] {
        kept.ask("CreateLogGroup", json!({ "logGroupName": name }));
    }
    let names = |operation: &str, input: Value| -> Vec<String> {
        let found = kept.ask(operation, input);
        let list = if operation == "DescribeLogStreams" { "logStreams" } else { "logGroups" };
        let name = if list == "logStreams" { "logStreamName" } else { "logGroupName" };
        let items = found[list].as_array().unwrap();
        items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    let lambda = ["/aws/lambda/a", "/aws/lambda/b"];
    assert_eq!(names("DescribeLogGroups", json!({ "logGroupNamePrefix": "/aws" })), lambda);
    assert_eq!(names("DescribeLogGroups", json!({ "logGroupNamePattern": "lambda" })), lambda);
    assert_eq!(names("ListLogGroups", json!({ "logGroupNamePattern": "^oth|bda/b" })).len(), 2);
    let page = kept.ask("DescribeLogGroups", json!({ "limit": 3 }));
    let rest = json!({ "nextToken": page["nextToken"] });
    assert_eq!(names("DescribeLogGroups", rest), ["other"]);
    kept.ask("CreateLogStream", json!({ "logGroupName": "g", "logStreamName": "r" }));
    kept.put("s", &[(0, "x")]);
    kept.put("r", &[(5, "x")]);
    let by_time = json!({ "logGroupName": "g", "orderBy": "LastEventTime", "descending": true });
    assert_eq!(names("DescribeLogStreams", by_time), ["r", "s"]);
    let page = kept.ask("DescribeLogStreams", json!({ "logGroupName": "g", "limit": 1 }));
    assert_eq!(page["logStreams"][0]["arn"], format!("{ARN}:log-stream:r"));
    let rest = json!({ "logGroupName": "g", "nextToken": page["nextToken"] });
    assert_eq!(names("DescribeLogStreams", rest), ["s"]);
    let again = json!({ "logGroupName": "g", "logStreamName": "s" });
    assert_eq!(kept.refused("CreateLogStream", again).code, "ResourceAlreadyExistsException");
    kept.ask("DeleteLogGroup", json!({ "logGroupName": "g" }));
    let gone = kept.refused("DescribeLogStreams", json!({ "logGroupName": "g" }));
    assert_eq!(gone.message, "The specified log group does not exist.");
}

#[test]
fn the_old_and_the_new_operations_have_the_same_tags() {
    let kept = Kept::new();
    kept.ask("TagLogGroup", json!({ "logGroupName": "g", "tags": { "a": "1", "b": "2" } }));
    kept.ask("TagResource", json!({ "resourceArn": ARN, "tags": { "b": "3", "c": "4" } }));
    kept.ask("UntagLogGroup", json!({ "logGroupName": "g", "tags": ["a"] }));
    kept.ask("UntagResource", json!({ "resourceArn": ARN, "tagKeys": ["c"] }));
    let tags = json!({ "tags": { "b": "3" } });
    assert_eq!(kept.ask("ListTagsLogGroup", json!({ "logGroupName": "g" })), tags);
    assert_eq!(kept.ask("ListTagsForResource", json!({ "resourceArn": ARN })), tags);
}

#[test]
fn a_retention_is_one_of_awss_and_what_was_kept_is_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("logs.sqlite");
    let logs = at(&path, "us-east-1");
    let group = json!({ "logGroupName": "g", "retentionInDays": 8 });
    logs.perform(NOW, "CreateLogGroup", group.clone()).unwrap();
    let fault = logs.perform(NOW, "PutRetentionPolicy", group.clone()).unwrap_err();
    assert_eq!(fault.code, "InvalidParameterException");
    drop(logs);
    // A group is in one region.
    let there = at(&path, "eu-west-1");
    let groups = there.perform(NOW, "DescribeLogGroups", json!({})).unwrap().0;
    assert_eq!(groups["logGroups"], json!([]));
    there.perform(NOW, "CreateLogGroup", group.clone()).unwrap();
    let logs = at(&path, "us-east-1");
    let fault = logs.perform(NOW, "CreateLogGroup", group).unwrap_err();
    assert_eq!(fault.message, "The specified log group already exists");
}

/// What is found in events, as time after [`NOW`], value and dimensions.
fn found(kept: &Kept, events: &[(i64, &str)]) -> Vec<(i64, f64, Vec<String>)> {
    let events: Vec<Value> =
        events.iter().map(|(at, text)| json!({ "timestamp": NOW + at, "message": text })).collect();
    let input = json!({ "logGroupName": "g", "logStreamName": "s", "logEvents": events });
    let (_, found) = kept.logs.perform(NOW, "PutLogEvents", input).unwrap();
    let told = found.into_iter().map(|datum| {
        let dimensions = datum.dimensions.iter().map(|(name, value)| format!("{name}={value}"));
        (datum.timestamp_ms - NOW, datum.value, dimensions.collect())
    });
    told.collect()
}

fn filter(pattern: &str, more: &Value) -> Value {
    let mut into = json!({ "metricNamespace": "n", "metricName": "m", "metricValue": "1" });
    into.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "logGroupName": "g", "filterName": "f", "filterPattern": pattern, "metricTransformations": [into] })
}

#[test]
fn a_metric_filter_tells_what_it_finds() {
    let kept = Kept::new();
    let events = [
        (0, r#"{"level": "ERROR", "ms": 7.5, "path": "/a"}"#),
        (1, r#"{"level": "INFO", "ms": 2, "path": "/b"}"#),
        (2, "[t] GET 404 12"),
    ];
    let none = Vec::new();
    for (pattern, more, wanted) in [
        ("ERROR", json!({}), vec![(0, 1.0, none.clone())]),
        ("{ $.level = ERROR }", json!({ "metricValue": "$.ms" }), vec![(0, 7.5, none.clone())]),
        ("{ $.ms > 1 }", json!({ "metricValue": "$.path" }), vec![]),
        (
            "{ $.ms > 1 }",
            json!({ "dimensions": { "Path": "$.path" } }),
            vec![(0, 1.0, vec!["Path=/a".to_owned()]), (1, 1.0, vec!["Path=/b".to_owned()])],
        ),
        ("{ $.ms > 1 }", json!({ "dimensions": { "Path": "$.gone" } }), vec![]),
        (
            "[t, ..., code = 4*, size]",
            json!({ "metricValue": "$size" }),
            vec![(2, 12.0, none.clone())],
        ),
    ] {
        kept.ask("PutMetricFilter", filter(pattern, &more));
        assert_eq!(found(&kept, &events), wanted, "{pattern} {more}");
    }
    let groups = kept.ask("DescribeLogGroups", json!({}));
    assert_eq!(groups["logGroups"][0]["metricFilterCount"], 1);
    kept.ask("DeleteMetricFilter", json!({ "logGroupName": "g", "filterName": "f" }));
    assert_eq!(found(&kept, &events), []);
}

#[test]
fn a_default_value_is_for_minutes_in_which_a_filter_finds_nothing() {
    let kept = Kept::new();
    kept.ask("PutMetricFilter", filter("ERROR", &json!({ "defaultValue": 0.0 })));
    let minute = 60_000 - NOW.rem_euclid(60_000);
    let events = [(0, "ERROR"), (1, "well"), (minute + 5, "well"), (minute + 6, "well")];
    assert_eq!(found(&kept, &events), [(0, 1.0, vec![]), (minute, 0.0, vec![])]);
}

#[test]
fn metric_filters_are_found_by_name_group_and_metric() {
    let kept = Kept::new();
    kept.ask("CreateLogGroup", json!({ "logGroupName": "h" }));
    for (group, name, metric) in [("h", "one", "a"), ("g", "two", "a"), ("g", "one", "b")] {
        let mut input = filter("", &json!({ "metricName": metric }));
        input["logGroupName"] = group.into();
        input["filterName"] = name.into();
        kept.ask("PutMetricFilter", input);
    }
    for (input, wanted) in [
        (json!({}), "one:g one:h two:g"),
        (json!({ "logGroupName": "g" }), "one:g two:g"),
        (json!({ "filterNamePrefix": "o" }), "one:g one:h"),
        (json!({ "metricNamespace": "n", "metricName": "a" }), "one:h two:g"),
    ] {
        let mut input = input;
        let mut names = Vec::new();
        input["limit"] = 1.into();
        loop {
            let page = kept.ask("DescribeMetricFilters", input.clone());
            let text = |member: &str| page["metricFilters"][0][member].as_str().unwrap().to_owned();
            names.push(format!("{}:{}", text("filterName"), text("logGroupName")));
            if page["nextToken"].is_null() {
                break;
            }
            input["nextToken"] = page["nextToken"].clone();
        }
        assert_eq!(names.join(" "), wanted);
    }
    let gone =
        kept.refused("DeleteMetricFilter", json!({ "logGroupName": "g", "filterName": "three" }));
    assert_eq!(gone.message, "The specified metric filter does not exist.");
    let both = filter("", &json!({ "defaultValue": 0.0, "dimensions": { "a": "$.a" } }));
    assert_eq!(kept.refused("PutMetricFilter", both).code, "InvalidParameterException");
}
