//! Lists page by page.

use super::*;

/// All items of a paged operation, and how many pages there were.
fn pages(client: &mut Client, operation: &str, input: &Json, list: &str) -> (Vec<Json>, usize) {
    let (mut items, mut count, mut input) = (Vec::new(), 0, input.clone());
    loop {
        let output = client.ok(operation, &input);
        items.extend(output[list].as_array().unwrap().clone());
        count += 1;
        match output.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => return (items, count),
        }
    }
}

#[test]
fn pages_put_together_are_the_whole() {
    let mut client = Client::new();
    for number in 0..7 {
        client.alarm(&json!({ "AlarmName": format!("a{number}") }));
    }
    let input = json!({ "MaxRecords": 3 });
    let (alarms, count) = pages(&mut client, "DescribeAlarms", &input, "MetricAlarms");
    assert_eq!((alarms.len(), count), (7, 3));
    for order in ["TimestampAscending", "TimestampDescending"] {
        let input = json!({ "MaxRecords": 2, "ScanBy": order });
        let (items, count) =
            pages(&mut client, "DescribeAlarmHistory", &input, "AlarmHistoryItems");
        assert_eq!((items.len(), count), (7, 4));
    }
    for number in 0..501 {
        client.record(&format!("m{number}"), NOW, 1.0);
    }
    let (metrics, count) = pages(&mut client, "ListMetrics", &json!({}), "Metrics");
    assert_eq!((metrics.len(), count), (501, 2));
    for minute in 0..10 {
        client.record("m0", NOW - minute * MINUTE, 1.0);
        client.record("m1", NOW - minute * MINUTE, 2.0);
    }
    let query = |id: &str| {
        json!({ "Id": id, "MetricStat": { "Period": 60, "Stat": "Sum",
            "Metric": { "Namespace": "NS", "MetricName": id } } })
    };
    let whole = json!({ "StartTime": NOW / 1_000 - 600, "EndTime": NOW / 1_000 + 60,
        "MetricDataQueries": [query("m0"), query("m1"), query("m2"), query("none")] });
    let mut small = whole.clone();
    small["MaxDatapoints"] = json!(4);
    let gather = |results: Vec<Json>| {
        let mut values = std::collections::BTreeMap::<String, Vec<Json>>::new();
        for result in results {
            let entry = values.entry(result["Id"].as_str().unwrap().to_owned()).or_default();
            entry.extend(result["Values"].as_array().unwrap().clone());
        }
        values
    };
    let (whole, single) = pages(&mut client, "GetMetricData", &whole, "MetricDataResults");
    let (parts, many) = pages(&mut client, "GetMetricData", &small, "MetricDataResults");
    assert_eq!((single, many), (1, 6));
    assert_eq!(gather(whole), gather(parts));
}

#[test]
fn a_token_of_another_operation_is_refused() {
    let mut client = Client::new();
    for number in 0..3 {
        client.alarm(&json!({ "AlarmName": format!("a{number}") }));
    }
    let token = client.ok("DescribeAlarms", &json!({ "MaxRecords": 1 }))["NextToken"].clone();
    for token in [token, json!("nonsense"), json!("")] {
        let input = json!({ "NextToken": token });
        let refused = client.call("DescribeAlarmHistory", &input).unwrap_err();
        assert_eq!(refused.0, "InvalidNextToken");
    }
}
