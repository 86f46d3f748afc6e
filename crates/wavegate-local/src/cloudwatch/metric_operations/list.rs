//! `ListMetrics`.

use crate::cloudwatch::fault::{Fault, FaultKind};
use crate::cloudwatch::page;
use crate::cloudwatch::store::{MetricKey, Store};
use crate::cloudwatch::value::{Members, Record};

/// The most metrics on one page of `ListMetrics`.
const METRICS_PER_PAGE: usize = 500;
/// How long a metric is listed after its last sample: two weeks.
const LISTED: i64 = 14 * 24 * 3_600_000;
/// `RecentlyActive` knows one value, three hours.
const RECENT: i64 = 3 * 3_600_000;

/// `ListMetrics`.
pub(crate) fn list_metrics(store: &Store, now_ms: i64, input: &Record) -> Result<Record, Fault> {
    const OPERATION: &str = "ListMetrics";
    let kept = if input.has("RecentlyActive") { RECENT } else { LISTED };
    let after: Option<MetricKey> = match input.text("NextToken") {
        Some(token) => Some(key_of_place(&page::place(OPERATION, token)?)?),
        None => None,
    };
    let wanted = |key: &MetricKey, newest: i64| {
        input.text("Namespace").is_none_or(|namespace| namespace == key.namespace)
            && input.text("MetricName").is_none_or(|name| name == key.name)
            && input.records("Dimensions").all(|filter| {
                key.dimensions.iter().any(|(name, value)| {
                    filter.text("Name") == Some(name)
                        && filter.text("Value").is_none_or(|wanted| wanted == value)
                })
            })
            && newest > now_ms - kept
            && after.as_ref().is_none_or(|after| key > after)
    };
    let mut found: Vec<&MetricKey> = store
        .sorted()
        .into_iter()
        .filter(|(key, metric)| wanted(key, metric.newest))
        .map(|(key, _)| key)
        .take(METRICS_PER_PAGE + 1)
        .collect();
    let more = found.len() > METRICS_PER_PAGE;
    found.truncate(METRICS_PER_PAGE);
    let next = found.last().filter(|_| more).map(|key| page::token(OPERATION, &place_of_key(key)));
    let metrics: Vec<Record> = found.into_iter().map(metric_record).collect();
    Ok(Record::new().with("Metrics", metrics).with_some("NextToken", next))
}

fn metric_record(key: &MetricKey) -> Record {
    let dimensions: Vec<Record> = key
        .dimensions
        .iter()
        .map(|(name, value)| {
            Record::new().with("Name", name.as_str()).with("Value", value.as_str())
        })
        .collect();
    Record::new()
        .with("Namespace", key.namespace.as_str())
        .with("MetricName", key.name.as_str())
        .with("Dimensions", dimensions)
}

fn place_of_key(key: &MetricKey) -> String {
    serde_json::json!([key.namespace, key.name, key.dimensions]).to_string()
}

fn key_of_place(place: &str) -> Result<MetricKey, Fault> {
    /// Namespace, name and dimensions.
    type Parts = (String, String, Vec<(String, String)>);
    let parsed: Result<Parts, _> = serde_json::from_str(place);
    match parsed {
        Ok((namespace, name, dimensions)) => Ok(MetricKey::new(namespace, name, dimensions)),
        Err(_) => Err(Fault::new(
            FaultKind::InvalidNextToken,
            "The value for parameter NextToken is invalid.",
        )),
    }
}
