//! Laws of the provider, against recorded answers.

use serde_json::{Value, json};
use wavegate_plugin_sdk::{AlarmProvider, CallContext};

use super::*;
use crate::testing::{Asked, MINUTE_MS, Replay, query};

fn config(extra: &Value) -> MetricConfig {
    let mut config = json!({"metric": "Errors", "max": "1%"});
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

fn errors(key: &str) -> AlarmQuery<MetricConfig> {
    query(key, config(&json!({})))
}

/// A series by what was asked for it: the version (or `-`), the metric and the statistic.
fn ids(asked: &Asked) -> Vec<(String, String)> {
    let queries = asked.body["MetricDataQueries"].as_array().unwrap();
    queries
        .iter()
        .map(|query| {
            let stat = &query["MetricStat"];
            let dimensions = stat["Metric"]["Dimensions"].as_array().unwrap();
            let version = dimensions
                .iter()
                .find(|dimension| dimension["Name"] == "ExecutedVersion")
                .map_or("-", |dimension| dimension["Value"].as_str().unwrap());
            let metric = stat["Metric"]["MetricName"].as_str().unwrap();
            let name = format!("{version} {metric} {}", stat["Stat"].as_str().unwrap());
            (name, query["Id"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Answers with points `(minute, value)` for the series that are named, and nothing for others.
/// The ids are the provider's own: it is asked once for them, then answered.
async fn read_with(
    query: AlarmQuery<MetricConfig>,
    points: &[(&str, &[(i64, f64)])],
) -> AlarmReading {
    let probe = Replay::new(&[json!({"MetricDataResults": []})]);
    read_all(&probe.client(), std::slice::from_ref(&query)).await.unwrap();
    let ids = ids(&probe.asked()[0]);
    let results: Vec<Value> = points
        .iter()
        .map(|(name, points)| {
            let (_, id) = ids.iter().find(|(asked, _)| asked == name).expect(name);
            let timestamps: Vec<Value> =
                points.iter().map(|(minute, _)| json!({"$ms": minute * MINUTE_MS})).collect();
            let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
            json!({"Id": id, "StatusCode": "Complete", "Timestamps": timestamps, "Values": values})
        })
        .collect();
    let replay = Replay::new(&[json!({"MetricDataResults": results})]);
    read_all(&replay.client(), &[query]).await.unwrap().remove(0)
}

#[tokio::test]
async fn the_candidates_own_metric_is_asked_for_and_the_aliass_for_after_the_promotion() {
    let replay = Replay::new(&[json!({"MetricDataResults": []})]);
    let readings = read_all(&replay.client(), &[errors("k")]).await.unwrap();
    assert_eq!(readings[0].status, AlarmStatus::Unknown);
    let asked = &replay.asked()[0];
    assert!(asked.path.ends_with("/operation/GetMetricData"), "{}", asked.path);
    let names: Vec<String> = ids(asked).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "- Errors Sum",
            "- Invocations Sum",
            "4 Invocations Sum",
            "5 Errors Sum",
            "5 Invocations Sum"
        ]
    );
    // From the period of the first traffic until the end of the one that is under way.
    assert_eq!(asked.body["StartTime"], json!(10 * MINUTE_MS));
    assert_eq!(asked.body["EndTime"], json!(14 * MINUTE_MS));
    assert_eq!(
        asked.body["MetricDataQueries"][3],
        json!({
            "Id": "m3",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": "Errors",
                    "Dimensions": [
                        {"Name": "FunctionName", "Value": "auth"},
                        {"Name": "Resource", "Value": "auth:live"},
                        {"Name": "ExecutedVersion", "Value": "5"},
                    ],
                },
                "Period": 60,
                "Stat": "Sum",
            },
            "ReturnData": true,
        })
    );
}

#[tokio::test]
async fn only_the_candidates_errors_count_while_traffic_is_split() {
    let reading = read_with(
        errors("k"),
        &[
            ("4 Invocations Sum", &[(10, 900.0), (11, 900.0)]),
            ("5 Invocations Sum", &[(10, 100.0), (11, 412.0)]),
            ("5 Errors Sum", &[(10, 0.0), (11, 3.0)]),
            ("- Invocations Sum", &[(10, 1_000.0), (11, 1_312.0)]),
            ("- Errors Sum", &[(10, 900.0), (11, 900.0)]),
        ],
    )
    .await;
    assert_eq!(
        (reading.status, reading.detail.as_str()),
        (AlarmStatus::Ok, "Errors 3/412 = 0.7% <= 1%")
    );
    assert!(reading.link.unwrap().contains("metricsV2"));
}

#[tokio::test]
async fn a_candidate_that_was_not_called_yet_is_unknown_although_the_stable_one_was() {
    let reading = read_with(
        errors("k"),
        &[
            ("4 Invocations Sum", &[(10, 9.0), (11, 9.0)]),
            ("- Invocations Sum", &[(10, 9.0), (11, 9.0)]),
            ("- Errors Sum", &[(10, 9.0), (11, 9.0)]),
        ],
    )
    .await;
    assert_eq!(reading.status, AlarmStatus::Unknown);
}

#[tokio::test]
async fn after_the_promotion_the_alias_is_the_candidate() {
    let reading = read_with(
        errors("k"),
        &[
            ("5 Invocations Sum", &[(10, 50.0)]),
            ("4 Invocations Sum", &[(10, 50.0)]),
            ("- Invocations Sum", &[(10, 100.0), (12, 60.0)]),
            ("- Errors Sum", &[(10, 50.0), (12, 12.0)]),
        ],
    )
    .await;
    assert_eq!(
        (reading.status, reading.detail.as_str()),
        (AlarmStatus::Firing, "Errors 12/60 = 20% > 1%")
    );
}

#[tokio::test]
async fn the_period_of_an_all_at_once_promotion_is_not_blamed_on_the_candidate() {
    // Minute 10 holds the stable version's last errors and the candidate's first calls, unsplit.
    let points: [(&str, &[(i64, f64)]); 2] = [
        ("- Invocations Sum", &[(10, 100.0), (11, 60.0)]),
        ("- Errors Sum", &[(10, 50.0), (11, 0.0)]),
    ];
    assert_eq!(read_with(errors("k"), &points).await.status, AlarmStatus::Ok);
    // On a first deploy there was no other version.
    let mut first = errors("k");
    first.subject.stable = None;
    assert_eq!(read_with(first, &points).await.detail, "Errors 50/100 = 50% > 1%");
}

#[tokio::test]
async fn throttled_calls_are_a_share_of_all_calls() {
    let throttles = query("k", config(&json!({"metric": "Throttles", "max": "50%"})));
    let reading = read_with(
        throttles.clone(),
        &[("5 Invocations Sum", &[(11, 4.0)]), ("5 Throttles Sum", &[(11, 6.0)])],
    )
    .await;
    assert_eq!(reading.detail, "Throttles 6/10 = 60% > 50%");
    let reading = read_with(throttles, &[("5 Throttles Sum", &[(11, 3.0)])]).await;
    assert_eq!(reading.detail, "Throttles 3/3 = 100% > 50%");
}

#[tokio::test]
async fn an_error_metric_that_is_not_reported_is_zero_and_a_percentile_is_not() {
    let points: [(&str, &[(i64, f64)]); 1] = [("5 Invocations Sum", &[(11, 20.0)])];
    let reading = read_with(errors("k"), &points).await;
    assert_eq!(reading.detail, "Errors 0/20 = 0% <= 1%");
    let slow = config(&json!({"metric": "Duration", "stat": "p95", "max": 500}));
    assert_eq!(read_with(query("k", slow), &points).await.status, AlarmStatus::Unknown);
}

#[tokio::test]
async fn questions_share_their_series_and_one_call() {
    let replay = Replay::new(&[json!({"MetricDataResults": []})]);
    let strict = query("b", config(&json!({"max": "0%"})));
    let throttles = query("c", config(&json!({"metric": "Throttles", "max": 3})));
    read_all(&replay.client(), &[errors("a"), strict, throttles]).await.unwrap();
    let asked = replay.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(ids(&asked[0]).len(), 7, "five for errors, two more for throttles");
}

#[tokio::test]
async fn more_series_than_a_call_takes_are_asked_in_turns_and_every_page_is_read() {
    let queries: Vec<_> = (0..101)
        .map(|n| {
            let mut query = errors(&format!("k{n}"));
            query.subject.function = format!("f{n:03}");
            query
        })
        .collect();
    let point = |id: &str, value: f64| {
        json!({
            "Id": id, "StatusCode": "PartialData", "Timestamps": [{"$ms": 11 * MINUTE_MS}],
            "Values": [value],
        })
    };
    let replay = Replay::new(&[
        json!({"MetricDataResults": [point("m3", 5.0)], "NextToken": "more"}),
        json!({"MetricDataResults": [point("m4", 10.0)]}),
        json!({"MetricDataResults": []}),
    ]);
    let readings = read_all(&replay.client(), &queries).await.unwrap();
    assert_eq!(readings[0].detail, "Errors 5/10 = 50% > 1%");
    assert_eq!(readings.len(), 101);
    let asked = replay.asked();
    let sizes: Vec<usize> = asked.iter().map(|asked| ids(asked).len()).collect();
    assert_eq!(sizes, [500, 500, 5]);
    assert_eq!(asked[1].body["NextToken"], json!("more"));
}

#[tokio::test]
async fn questions_with_another_period_are_another_call_on_its_own_grid() {
    let replay = Replay::new(&[json!({"MetricDataResults": []}), json!({"MetricDataResults": []})]);
    let slow = query("b", config(&json!({"period": "5m"})));
    read_all(&replay.client(), &[errors("a"), slow]).await.unwrap();
    let asked = replay.asked();
    assert_eq!(asked[0].body["StartTime"], json!(10 * MINUTE_MS));
    assert_eq!(asked[1].body["EndTime"], json!(15 * MINUTE_MS));
    assert_eq!(asked[1].body["MetricDataQueries"][0]["MetricStat"]["Period"], json!(300));
}

#[tokio::test]
async fn a_long_rollout_looks_back_three_hours() {
    let replay = Replay::new(&[json!({"MetricDataResults": []})]);
    let mut query = errors("k");
    query.now_ms += 24 * 60 * MINUTE_MS;
    read_all(&replay.client(), &[query]).await.unwrap();
    let body = &replay.asked()[0].body;
    let (start, end) = (body["StartTime"].as_i64().unwrap(), body["EndTime"].as_i64().unwrap());
    assert_eq!(end - start, 180 * MINUTE_MS);
}

#[tokio::test]
async fn a_series_that_cloudwatch_does_not_tell_is_unknown() {
    let replay = Replay::new(&[json!({
        "MetricDataResults": [{"Id": "m3", "StatusCode": "InternalError", "Timestamps": [], "Values": []}],
    })]);
    let readings = read_all(&replay.client(), &[errors("k")]).await.unwrap();
    assert_eq!(readings[0].status, AlarmStatus::Unknown);
    assert_eq!(readings[0].detail, "CloudWatch could not tell Errors: InternalError");
}

#[tokio::test]
async fn a_refusal_is_an_error_that_says_whether_to_ask_again() {
    let replay = Replay::refusing(400, "ThrottlingException", "Rate exceeded");
    let error = read_all(&replay.client(), &[errors("k")]).await.unwrap_err();
    assert_eq!(error.code(), aws::THROTTLED);
    assert!(error.is_retryable());
    assert!(error.message().contains("Rate exceeded"), "{error}");
}

#[tokio::test]
async fn before_the_candidate_has_traffic_nothing_is_asked_and_nothing_is_red() {
    let snapshot = AlarmQuery { look: Look::Snapshot, ..errors("a") };
    let unshifted = AlarmQuery { since_ms: None, ..errors("b") };
    let cx = CallContext::new(std::time::Duration::from_secs(5), "key");
    let readings =
        AlarmProvider::read(&CloudWatchMetric, &cx, vec![snapshot, unshifted]).await.unwrap();
    let told: Vec<_> = readings.iter().map(|r| (r.status, r.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            (AlarmStatus::Ok, "measured on the candidate only"),
            (AlarmStatus::Ok, "the candidate has had no traffic yet"),
        ]
    );
}
