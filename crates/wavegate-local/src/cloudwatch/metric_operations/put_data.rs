//! `PutMetricData`.

use std::collections::BTreeSet;

use super::Problems;
use crate::cloudwatch::fault::Fault;
use crate::cloudwatch::largest_value;
use crate::cloudwatch::queries::metric_key;
use crate::cloudwatch::store::{MetricKey, Samples, Store};
use crate::cloudwatch::unit::Unit;
use crate::cloudwatch::value::{Members, Record};

/// The most metrics in one `PutMetricData`.
const MOST_DATA: usize = 1_000;
/// The most values of one datum.
const MOST_VALUES: usize = 150;
/// How far back samples may be dated: two weeks.
const OLDEST_SAMPLE: i64 = 14 * 24 * 3_600_000;
/// How far ahead samples may be dated: two hours.
const NEWEST_SAMPLE: i64 = 2 * 3_600_000;

/// A datum that was checked.
struct Checked {
    key: MetricKey,
    unit: Unit,
    timestamp: i64,
    high_resolution: bool,
    samples: Vec<Samples>,
}

/// `PutMetricData`: all data are checked before any is kept.
pub(crate) fn put_metric_data(
    store: &mut Store,
    now_ms: i64,
    input: &Record,
) -> Result<Record, Fault> {
    let namespace = input.text("Namespace").unwrap_or_default();
    let mut problems = Problems::default();
    if namespace.starts_with("AWS/") {
        problems.value(format!("The value {namespace} for parameter Namespace is invalid."));
    }
    if namespace.starts_with(':') {
        problems.value("The parameter Namespace must not start with ':'.".to_owned());
    }
    let mut data: Vec<(String, &Record)> = Vec::new();
    for (index, datum) in input.records("MetricData").enumerate() {
        data.push((format!("MetricData.member.{}", index + 1), datum));
    }
    // Entities say which resource a metric is about; the local cloud keeps the metrics only.
    for (entity, group) in input.records("EntityMetricData").enumerate() {
        for (index, datum) in group.records("MetricData").enumerate() {
            let place =
                format!("EntityMetricData.member.{}.MetricData.member.{}", entity + 1, index + 1);
            data.push((place, datum));
        }
    }
    if data.is_empty() {
        problems.missing("The parameter MetricData is required.".to_owned());
    }
    if data.len() > MOST_DATA {
        problems.value(format!(
            "The collection MetricData must not have a size greater than {MOST_DATA}."
        ));
    }
    let mut checked = Vec::new();
    for (place, datum) in data {
        checked.extend(check_datum(namespace, datum, &place, now_ms, &mut problems));
    }
    problems.refuse()?;
    for datum in checked {
        for samples in datum.samples {
            let (key, unit) = (datum.key.clone(), datum.unit);
            store.add(key, unit, datum.timestamp, datum.high_resolution, samples);
        }
    }
    Ok(Record::new())
}

fn check_datum(
    namespace: &str,
    datum: &Record,
    place: &str,
    now_ms: i64,
    problems: &mut Problems,
) -> Option<Checked> {
    let before = problems.found.len();
    let samples = check_samples(datum, place, problems);
    let mut names = BTreeSet::new();
    for dimension in datum.records("Dimensions") {
        let name = dimension.text("Name").unwrap_or_default();
        if !names.insert(name) {
            problems.value(format!("The dimension {name} is given twice in {place}.Dimensions."));
        }
    }
    let timestamp = datum.time("Timestamp").unwrap_or(now_ms);
    if timestamp < now_ms - OLDEST_SAMPLE {
        problems.value(format!(
            "The parameter {place}.Timestamp must specify a time no more than two weeks in the past."
        ));
    } else if timestamp > now_ms + NEWEST_SAMPLE {
        problems.value(format!(
            "The parameter {place}.Timestamp must specify a time no more than two hours in the future."
        ));
    }
    let resolution = datum.integer("StorageResolution").unwrap_or(60);
    if resolution != 1 && resolution != 60 {
        problems.value(format!("The parameter {place}.StorageResolution must be 1 or 60."));
    }
    (problems.found.len() == before).then(|| Checked {
        key: MetricKey { namespace: namespace.to_owned(), ..metric_key(datum) },
        unit: datum.text("Unit").and_then(Unit::parse).unwrap_or_default(),
        timestamp,
        high_resolution: resolution == 1,
        samples,
    })
}

fn check_samples(datum: &Record, place: &str, problems: &mut Problems) -> Vec<Samples> {
    let given: Vec<&str> = ["Value", "Values", "StatisticValues"]
        .into_iter()
        .filter(|name| match *name {
            "Values" => !datum.list(name).is_empty(),
            _ => datum.has(name),
        })
        .collect();
    match given.as_slice() {
        [] => problems.missing(format!(
            "At least one of the parameters {place}.Value, {place}.Values and \
             {place}.StatisticValues must be specified."
        )),
        // AWS: values and a statistic set may be given together.
        ["Value", other, ..] => problems.combination(format!(
            "The parameters {place}.Value and {place}.{other} are mutually exclusive and you have \
             specified both."
        )),
        _ => {}
    }
    let mut samples = Vec::new();
    if let Some(value) = datum.double("Value") {
        check_number(value, &format!("{place}.Value"), problems);
        samples.push(Samples::Value { value, count: 1.0 });
    }
    if let Some(set) = datum.record("StatisticValues") {
        samples.extend(check_set(set, &format!("{place}.StatisticValues"), problems));
    }
    let values: Vec<f64> = datum.doubles("Values").collect();
    let counts: Vec<f64> = datum.doubles("Counts").collect();
    if values.len() > MOST_VALUES {
        problems.value(format!(
            "The collection {place}.Values must not have a size greater than {MOST_VALUES}."
        ));
    }
    if !counts.is_empty() && counts.len() != values.len() {
        problems.value(format!(
            "The parameters {place}.Values and {place}.Counts must be of the same size."
        ));
    }
    for (index, value) in values.iter().enumerate() {
        let count = counts.get(index).copied().unwrap_or(1.0);
        check_number(*value, &format!("{place}.Values.member.{}", index + 1), problems);
        check_count(count, &format!("{place}.Counts.member.{}", index + 1), problems);
        samples.push(Samples::Value { value: *value, count });
    }
    samples
}

fn check_set(set: &Record, place: &str, problems: &mut Problems) -> Option<Samples> {
    let count = set.double("SampleCount")?;
    let (sum, minimum, maximum) =
        (set.double("Sum")?, set.double("Minimum")?, set.double("Maximum")?);
    check_count(count, &format!("{place}.SampleCount"), problems);
    for (value, name) in [(sum, "Sum"), (minimum, "Minimum"), (maximum, "Maximum")] {
        check_number(value, &format!("{place}.{name}"), problems);
    }
    if minimum > maximum {
        problems.combination(format!(
            "The parameter {place}.Maximum must be greater than or equal to {place}.Minimum."
        ));
    }
    Some(Samples::Set { count, sum, minimum, maximum })
}

fn check_number(value: f64, place: &str, problems: &mut Problems) {
    if value.is_nan() {
        problems.value(format!("The value NaN for parameter {place} is invalid."));
    } else if value.abs() > largest_value() {
        problems.value(format!(
            "The value {value:e} for parameter {place} is invalid: it must be in the range of \
             -2^360 to 2^360."
        ));
    }
}

fn check_count(count: f64, place: &str, problems: &mut Problems) {
    if !(count > 0.0 && count <= largest_value()) {
        problems.value(format!("The value {count} for parameter {place} is invalid."));
    }
}
