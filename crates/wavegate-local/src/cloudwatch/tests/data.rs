//! What queries for metric data answer beyond numbers, and dashboards.

use super::*;

fn put(client: &mut Client, data: &Json) {
    client.ok("PutMetricData", &json!({ "Namespace": "NS", "MetricData": data }));
}

fn results(client: &mut Client, queries: &Json) -> Vec<Json> {
    let input = json!({ "StartTime": NOW / 1_000 - 60, "EndTime": NOW / 1_000 + 60,
        "MetricDataQueries": queries });
    client.ok("GetMetricData", &input)["MetricDataResults"].as_array().unwrap().clone()
}

fn query(id: &str, stat: &str) -> Json {
    json!({ "Id": id, "MetricStat": { "Stat": stat, "Period": 60,
        "Metric": { "Namespace": "NS", "MetricName": "m" } } })
}

#[test]
fn a_query_without_a_unit_takes_one_and_says_that_there_are_others() {
    let mut client = Client::new();
    put(
        &mut client,
        &json!([{ "MetricName": "m", "Value": 60_000, "Unit": "Milliseconds" },
        { "MetricName": "m", "Value": 60, "Unit": "Seconds" }]),
    );
    let found = results(&mut client, &json!([query("a", "Sum")]));
    assert_eq!(found[0]["Values"], json!([60_000.0]));
    let message = json!([{ "Code": "MultipleUnits",
        "Value": "Multiple units returned: '[Milliseconds, Seconds]'" }]);
    assert_eq!(found[0]["Messages"], message);
    put(&mut client, &json!([{ "MetricName": "m", "Value": 5, "Unit": "Count" }]));
    assert_eq!(results(&mut client, &json!([query("a", "Sum")]))[0]["Values"], json!([5.0]));
}

#[test]
fn values_and_a_statistic_set_may_come_together() {
    let mut client = Client::new();
    put(
        &mut client,
        &json!([{ "MetricName": "m", "Values": [1, 10], "Counts": [2, 4],
        "StatisticValues": { "SampleCount": 10, "Sum": 55, "Minimum": 1, "Maximum": 12 } }]),
    );
    let queries = json!([query("a", "SampleCount"), query("b", "Sum"), query("c", "Maximum")]);
    let found = results(&mut client, &queries);
    let values: Vec<&Json> = found.iter().map(|result| &result["Values"][0]).collect();
    assert_eq!(values, [&json!(16.0), &json!(97.0), &json!(12.0)]);
    let labels: Vec<&Json> = found.iter().map(|result| &result["Label"]).collect();
    assert_eq!(labels, [&json!("m SampleCount"), &json!("m Sum"), &json!("m Maximum")]);
}

#[test]
fn a_search_finds_the_series_and_labels_them_by_their_dimensions() {
    let mut client = Client::new();
    let datum = |function: &str, value: i64| {
        json!({ "MetricName": "Errors", "Value": value,
            "Dimensions": [{ "Name": "FunctionName", "Value": function }] })
    };
    put(&mut client, &json!([datum("cart", 2), datum("order", 3)]));
    let search = "SEARCH('{NS,FunctionName} MetricName=\"Errors\"', 'Sum', 60)";
    let queries = json!([
        { "Id": "all", "Expression": search },
        { "Id": "sum", "Expression": "SUM(all)", "Label": "total" },
        { "Id": "top", "Expression": "SORT(all, MAX, DESC, 1)", "Label": "${LABEL}: ${MAX}" },
    ]);
    let found = results(&mut client, &queries);
    let labeled: Vec<(&str, f64)> = found
        .iter()
        .map(|one| (one["Label"].as_str().unwrap(), one["Values"][0].as_f64().unwrap()))
        .collect();
    assert_eq!(labeled, [("cart", 2.0), ("order", 3.0), ("total", 5.0), ("order: 3", 3.0)]);
    let alarm = json!({ "AlarmName": "x", "EvaluationPeriods": 1, "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [{ "Id": "e", "Expression": format!("SUM({search})") }] });
    let (_, message) = client.call("PutMetricAlarm", &alarm).unwrap_err();
    assert!(message.contains("SEARCH is not supported on Metric Alarms."), "{message}");
}

#[test]
fn dashboards_are_kept_as_they_are_put() {
    let mut client = Client::new();
    let body = "{\"widgets\": [] }";
    for name in ["shop-b", "shop-a", "other"] {
        let tags = json!([{ "Key": "k", "Value": name }]);
        let input = json!({ "DashboardName": name, "DashboardBody": body, "Tags": tags });
        assert_eq!(client.ok("PutDashboard", &input)["DashboardValidationMessages"], json!([]));
    }
    let arn = "arn:aws:cloudwatch::123456789012:dashboard/shop-a";
    let found = client.ok("GetDashboard", &json!({ "DashboardName": "shop-a" }));
    let expected = json!({ "DashboardName": "shop-a", "DashboardArn": arn, "DashboardBody": body });
    assert_eq!(found, expected);
    let entry = |name: &str| {
        json!({ "DashboardName": name, "LastModified": time::seconds(NOW), "Size": body.len(),
            "DashboardArn": format!("arn:aws:cloudwatch::123456789012:dashboard/{name}") })
    };
    let shops = json!({ "DashboardNamePrefix": "shop" });
    let listed = client.ok("ListDashboards", &shops);
    assert_eq!(listed["DashboardEntries"], json!([entry("shop-a"), entry("shop-b")]));
    let tags = client.ok("ListTagsForResource", &json!({ "ResourceARN": arn }));
    assert_eq!(tags["Tags"], json!([{ "Key": "k", "Value": "shop-a" }]));
    let text = client.cloud.snapshot();
    client.cloud.restore(text).unwrap();
    client.ok("DeleteDashboards", &json!({ "DashboardNames": ["shop-a", "shop-b"] }));
    assert_eq!(client.ok("ListDashboards", &shops)["DashboardEntries"], json!([]));
}

#[test]
fn detectors_streams_and_rules_are_kept_and_shown() {
    let mut client = Client::new();
    let metric = json!({ "Namespace": "NS", "MetricName": "m", "Stat": "Sum" });
    client.ok("PutAnomalyDetector", &metric);
    client.ok("PutAnomalyDetector", &json!({ "SingleMetricAnomalyDetector": metric }));
    let stream = json!({ "Name": "s", "FirehoseArn": "arn:aws:firehose:f", "OutputFormat": "json",
        "RoleArn": "arn:aws:iam::1:role/r", "Tags": [{ "Key": "k", "Value": "v" }] });
    let arn = client.ok("PutMetricStream", &stream)["Arn"].clone();
    client.ok("StopMetricStreams", &json!({ "Names": ["s"] }));
    let definition = "{\"Schema\":{\"Name\":\"CloudWatchLogRule\",\"Version\":1}}";
    client.ok("PutInsightRule", &json!({ "RuleName": "r", "RuleDefinition": definition }));
    let text = client.cloud.snapshot();
    client.cloud.restore(text).unwrap();

    let detectors = client.ok("DescribeAnomalyDetectors", &json!({}));
    let detectors = detectors["AnomalyDetectors"].as_array().unwrap();
    assert_eq!(detectors.len(), 1);
    assert_eq!(detectors[0]["StateValue"], "PENDING_TRAINING");
    assert_eq!(detectors[0]["Configuration"], json!({ "ExcludedTimeRanges": [] }));
    assert_eq!(client.ok("GetMetricStream", &json!({ "Name": "s" }))["State"], "stopped");
    let tags = client.ok("ListTagsForResource", &json!({ "ResourceARN": arn }));
    assert_eq!(tags["Tags"], json!([{ "Key": "k", "Value": "v" }]));
    let rules = client.ok("DescribeInsightRules", &json!({}));
    assert_eq!(rules["InsightRules"][0]["Schema"], "CloudWatchLogRule/1");
    let names = json!({ "RuleNames": ["r", "gone"] });
    let failures = client.ok("DeleteInsightRules", &names)["Failures"].clone();
    assert_eq!(failures[0]["FailureResource"], "gone");

    client.ok("DeleteAnomalyDetector", &metric);
    let (code, _) = client.call("DeleteAnomalyDetector", &metric).unwrap_err();
    assert_eq!(code, "ResourceNotFoundException");
}
