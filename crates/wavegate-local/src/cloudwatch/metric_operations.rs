//! The operations on metric data: `PutMetricData`, `GetMetricData`, `GetMetricStatistics` and
//! `ListMetrics`.

use std::collections::BTreeSet;

use super::fault::{Fault, FaultKind};
use super::math::Outcome;
use super::page;
use super::queries::{MOST_DATAPOINTS, Queries, Query, Source, legal_period, metric_key};
use super::statistic::Statistic;
use super::store::{MetricKey, Samples, Store, Window};
use super::unit::Unit;
use super::value::{Record, Value};

/// The most metrics in one `PutMetricData`.
const MOST_DATA: usize = 1_000;
/// The most values of one datum.
const MOST_VALUES: usize = 150;
/// The most points of one `GetMetricStatistics`.
const MOST_STATISTICS: i64 = 1_440;
/// The most queries of one `GetMetricData`.
const MOST_QUERIES: usize = 500;
/// The most metrics on one page of `ListMetrics`.
const METRICS_PER_PAGE: usize = 500;
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

/// What is wrong with a request, gathered; the gravest kind names the error.
#[derive(Default)]
struct Problems {
    found: Vec<(FaultKind, String)>,
}

impl Problems {
    fn value(&mut self, sentence: String) {
        self.found.push((FaultKind::InvalidParameterValue, sentence));
    }

    fn combination(&mut self, sentence: String) {
        self.found.push((FaultKind::InvalidParameterCombination, sentence));
    }

    fn missing(&mut self, sentence: String) {
        self.found.push((FaultKind::MissingParameter, sentence));
    }

    fn refuse(self) -> Result<(), Fault> {
        let Some((kind, _)) = self.found.first() else { return Ok(()) };
        let sentences: Vec<&str> =
            self.found.iter().map(|(_, sentence)| sentence.as_str()).collect();
        Err(Fault::new(*kind, sentences.join(" ")))
    }
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
        [_] => {}
        [first, second, ..] => problems.combination(format!(
            "The parameters {place}.{first} and {place}.{second} are mutually exclusive and you \
             have specified both."
        )),
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
    } else if value.abs() > super::largest_value() {
        problems.value(format!(
            "The value {value:e} for parameter {place} is invalid: it must be in the range of \
             -2^360 to 2^360."
        ));
    }
}

fn check_count(count: f64, place: &str, problems: &mut Problems) {
    if !(count > 0.0 && count <= super::largest_value()) {
        problems.value(format!("The value {count} for parameter {place} is invalid."));
    }
}

/// Rounds a start down as CloudWatch does: to the period below a minute, else to the minute.
fn rounded_start(start: i64, period: i64) -> i64 {
    let step = if period < 60_000 { period } else { 60_000 };
    start.div_euclid(step) * step
}

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
        problems.combination(
            "The parameter StartTime must be less than the parameter EndTime.".to_owned(),
        );
    }
    if names.is_empty() && extended.is_empty() {
        problems.combination("Must specify either Statistics or ExtendedStatistics.".to_owned());
    }
    if legal_period(seconds) {
        let points = (end - start).max(0) / seconds.saturating_mul(1_000);
        if points > MOST_STATISTICS {
            problems.combination(format!(
                "You have requested up to {} datapoints, which exceeds the limit of 1,440. You may \
                 reduce the datapoints requested by increasing Period, or decreasing the time \
                 range.",
                thousands(points)
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
    bucket: &super::store::Bucket,
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
        point.insert("ExtendedStatistics", values.into());
    }
    point
}

fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// One line of a `GetMetricData` answer before paging.
struct Line {
    id: String,
    label: String,
    points: Vec<(i64, f64)>,
}

/// `GetMetricData`.
pub(crate) fn get_metric_data(store: &Store, input: &Record) -> Result<Record, Fault> {
    const OPERATION: &str = "GetMetricData";
    let (start, end) =
        (input.time("StartTime").unwrap_or_default(), input.time("EndTime").unwrap_or_default());
    let queries = check_queries(input, start, end)?;
    let limit = input.integer("MaxDatapoints").unwrap_or(MOST_DATAPOINTS);
    if !(1..=MOST_DATAPOINTS).contains(&limit) {
        return Err(Fault::validation(format!(
            "The parameter MaxDatapoints must be between 1 and {MOST_DATAPOINTS}."
        )));
    }
    let skip: usize = match input.text("NextToken") {
        Some(token) => page::place(OPERATION, token)?.parse().map_err(|_| {
            Fault::new(FaultKind::InvalidNextToken, "The value for parameter NextToken is invalid.")
        })?,
        None => 0,
    };
    let window = |period: i64| Window { start: rounded_start(start, period), end, period };
    let outcomes = queries.evaluate(store, &window).map_err(Fault::validation)?;
    let mut lines = Vec::new();
    for query in queries.all.iter().filter(|query| query.wanted) {
        lines.extend(lines_of(query, outcomes.get(&query.id))?);
    }
    if input.text("ScanBy") != Some("TimestampAscending") {
        for line in &mut lines {
            line.points.reverse();
        }
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (results, next) = cut(lines, skip, limit);
    Ok(Record::new()
        .with("MetricDataResults", results)
        .with("Messages", Value::List(Vec::new()))
        .with_some("NextToken", next.map(|place| page::token(OPERATION, &place.to_string()))))
}

fn check_queries(input: &Record, start: i64, end: i64) -> Result<Queries, Fault> {
    let mut problems = Vec::new();
    if start >= end {
        problems
            .push("The parameter StartTime must be less than the parameter EndTime.".to_owned());
    }
    let count = input.list("MetricDataQueries").len();
    if count == 0 {
        problems.push("The parameter MetricDataQueries must not be empty.".to_owned());
    }
    if count > MOST_QUERIES {
        problems.push(format!(
            "The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        ));
    }
    let parsed = Queries::parse(input.records("MetricDataQueries"), "MetricDataQueries");
    match parsed {
        Ok(queries) if problems.is_empty() => {
            for query in &queries.all {
                let periods = (end - start) / query.period.max(1);
                if periods > MOST_DATAPOINTS {
                    problems.push(format!(
                        "The query {} spans {} periods, which exceeds the limit of {}. Ask for a \
                         longer period or a shorter time range.",
                        query.id,
                        thousands(periods),
                        thousands(MOST_DATAPOINTS)
                    ));
                }
            }
            if problems.is_empty() {
                return Ok(queries);
            }
        }
        Ok(_) => {}
        Err(found) => problems.extend(found),
    }
    Err(Fault::validation(problems.join(" ")))
}

fn lines_of(query: &Query, outcome: Option<&Outcome>) -> Result<Vec<Line>, Fault> {
    let expression = matches!(query.source, Source::Expression(_));
    let line = |label: String, points: &std::collections::BTreeMap<i64, f64>| Line {
        id: query.id.clone(),
        label,
        points: points.iter().map(|(at, value)| (*at, *value)).collect(),
    };
    match outcome {
        Some(Outcome::Series(series)) => {
            let label = match &query.label {
                Some(label) => label.clone(),
                None if expression => query.id.clone(),
                None => series.label.clone(),
            };
            Ok(vec![line(label, &series.points)])
        }
        Some(Outcome::Array(several)) => Ok(several
            .iter()
            .map(|series| {
                let label = query.label.as_deref().unwrap_or(&query.id);
                line(format!("{label} {}", series.label).trim().to_owned(), &series.points)
            })
            .collect()),
        _ => Err(Fault::validation(format!(
            "Error in expression '{}': the result is a number, and a time series is needed.",
            query.id
        ))),
    }
}

/// The points from `skip` on, at most `limit`, as results; and where the next page starts.
fn cut(lines: Vec<Line>, skip: usize, limit: usize) -> (Vec<Record>, Option<usize>) {
    let (mut passed, mut taken) = (0, 0);
    let mut results = Vec::new();
    let total: usize = lines.iter().map(|line| line.points.len()).sum();
    for line in lines {
        let from = skip.saturating_sub(passed).min(line.points.len());
        let to = (from + limit - taken).min(line.points.len());
        let (first_page, finished) = (skip == 0, to == line.points.len());
        passed += line.points.len();
        let points = &line.points[from..to];
        taken += points.len();
        // An empty line is said once, on the first page.
        if points.is_empty() && !(first_page && finished) {
            continue;
        }
        results.push(
            Record::new()
                .with("Id", line.id)
                .with("Label", line.label)
                .with(
                    "Timestamps",
                    Value::List(points.iter().map(|(at, _)| Value::Time(*at)).collect()),
                )
                .with("Values", points.iter().map(|(_, value)| *value).collect::<Vec<_>>())
                .with("StatusCode", if finished { "Complete" } else { "PartialData" }),
        );
    }
    let next = skip.saturating_add(taken);
    (results, (next < total).then_some(next))
}

/// `ListMetrics`.
pub(crate) fn list_metrics(store: &Store, now_ms: i64, input: &Record) -> Result<Record, Fault> {
    const OPERATION: &str = "ListMetrics";
    /// `RecentlyActive` knows one value, three hours.
    const RECENT: i64 = 3 * 3_600_000;
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
            && (!input.has("RecentlyActive") || newest > now_ms - RECENT)
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
