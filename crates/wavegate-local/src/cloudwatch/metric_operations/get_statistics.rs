//! `GetMetricStatistics`.

use super::{Problems, rounded_start};
use crate::cloudwatch::fault::Fault;
use crate::cloudwatch::queries::{legal_period, metric_key};
use crate::cloudwatch::statistic::Statistic;
use crate::cloudwatch::store::{Bucket, Store, Window};
use crate::cloudwatch::unit::Unit;
use crate::cloudwatch::value::{Members, Record};

/// The most points of one `GetMetricStatistics`.
const MOST_STATISTICS: i64 = 1_440;

/// `GetMetricStatistics`.
pub(crate) fn get_metric_statistics(store: &Store, input: &Record) -> Result<Record, Fault> {
    let key = metric_key(input);
    let unit = input.text("Unit").and_then(Unit::parse);
    let (start, end) =
        (input.time("StartTime").unwrap_or_default(), input.time("EndTime").unwrap_or_default());
    let seconds = input.integer("Period").unwrap_or(60);
    let names: Vec<&str> = input.texts("Statistics").collect();
    let extended: Vec<&str> = input.texts("ExtendedStatistics").collect();
    let mut problems = Problems::default();
    if start >= end {
        problems
            .value("The parameter StartTime must be less than the parameter EndTime.".to_owned());
    }
    if names.is_empty() && extended.is_empty() {
        problems.combination(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified."
                .to_owned(),
        );
    }
    if legal_period(seconds) {
        let points = (end - start).max(0) / seconds.saturating_mul(1_000);
        if points > MOST_STATISTICS {
            problems.combination(format!(
                "You have requested up to {points} datapoints, which exceeds the limit of \
                 {MOST_STATISTICS}. You may reduce the datapoints requested by increasing Period, or \
                 decreasing the time range."
            ));
        }
    } else {
        problems.value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.".into());
    }
    for name in extended.iter().filter(|name| Statistic::parse_extended(name).is_none()) {
        problems.value(format!("The value {name} for parameter ExtendedStatistics is invalid."));
    }
    problems.refuse()?;
    let period = seconds.saturating_mul(1_000);
    let window = Window { start: rounded_start(start, period), end, period };
    let mut datapoints = Vec::new();
    if let Some(metric) = store.metric(&key) {
        for (known, _) in metric.series.iter().filter(|(known, _)| unit.is_none_or(|u| u == *known))
        {
            for (at, bucket) in metric.read(Some(*known), window) {
                datapoints.push((at, statistics_of(at, *known, &bucket, &names, &extended)));
            }
        }
    }
    datapoints.sort_by_key(|(at, _)| *at);
    let datapoints: Vec<Record> = datapoints.into_iter().map(|(_, point)| point).collect();
    Ok(Record::new().with("Label", key.name).with("Datapoints", datapoints))
}

fn statistics_of(
    at: i64,
    unit: Unit,
    bucket: &Bucket,
    names: &[&str],
    extended: &[&str],
) -> Record {
    let value_of = |name: &&str| Statistic::parse(name).and_then(|statistic| statistic.of(bucket));
    let mut point = Record::new().with_time("Timestamp", at).with("Unit", unit.name());
    for name in names {
        point = point.with_some(name, value_of(name));
    }
    let mut values = Record::new();
    for name in extended {
        values = values.with_some(name, value_of(name));
    }
    if !values.is_empty() {
        point.set("ExtendedStatistics", values);
    }
    point
}
