//! `PutMetricAlarm`: what a metric alarm's configuration must be.

use super::{check_actions, put};
use crate::cloudwatch::alarm::{Comparison, Kind, Subject, Watch};
use crate::cloudwatch::alarms::Alarms;
use crate::cloudwatch::fault::Fault;
use crate::cloudwatch::judge::MissingData;
use crate::cloudwatch::queries::{MetricSource, Queries, Query, Source, metric_key};
use crate::cloudwatch::statistic::Statistic;
use crate::cloudwatch::unit::Unit;
use crate::cloudwatch::value::{Members, Record};

/// The most metrics an alarm on an expression may use.
const MOST_METRICS: usize = 10;
/// The members that name the metric of an alarm on a single metric.
const SINGLE_METRIC: [&str; 7] =
    ["MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"];
/// What the local cloud's alarms cannot do.
const ABSENT: [&str; 5] = [
    "ThresholdMetricId",
    "EvaluationCriteria",
    "EvaluationInterval",
    "WarmUpConfiguration",
    "ActionConfiguration",
];

/// `PutMetricAlarm`.
pub(crate) fn put_metric_alarm(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
) -> Result<Record, Fault> {
    let watch = parse_watch(input)?;
    let due = watch.next_after(now_ms);
    put(alarms, now_ms, input, Kind::Metric(Box::new(watch)), due)
}

/// What a metric alarm's configuration watches. Says all that is wrong with it.
pub(crate) fn parse_watch(input: &Record) -> Result<Watch, Fault> {
    let mut problems = Vec::new();
    for name in ABSENT.into_iter().filter(|name| input.has(name)) {
        problems.push(format!("The local cloud's alarms do not have {name}."));
    }
    if input.record("EvaluationWindow").is_some_and(|window| window.has("WallClockWindow")) {
        problems.push("The local cloud's alarms do not have wall clock windows.".to_owned());
    }
    let comparison = input.text("ComparisonOperator").and_then(Comparison::parse);
    match input.text("ComparisonOperator") {
        None => problems.push("The parameter ComparisonOperator is required.".to_owned()),
        Some(name) if comparison.is_none() => problems.push(format!(
            "The comparison {name} is for anomaly detection, which the local cloud does not have."
        )),
        Some(_) => {}
    }
    let threshold = input.double("Threshold");
    match threshold {
        None => problems.push("The parameter Threshold is required.".to_owned()),
        Some(value) if !value.is_finite() => {
            problems.push(format!("The value {value} for parameter Threshold is invalid."));
        }
        Some(_) => {}
    }
    let (m, n) = parse_counts(input, &mut problems);
    let missing =
        input.text("TreatMissingData").map_or(Some(MissingData::default()), MissingData::parse);
    if missing.is_none() {
        problems.push(
            "The parameter TreatMissingData must be one of breaching, notBreaching, ignore, missing."
                .to_owned(),
        );
    }
    let low_samples = input.text("EvaluateLowSampleCountPercentile");
    if !matches!(low_samples, None | Some("evaluate" | "ignore")) {
        problems.push(
            "The parameter EvaluateLowSampleCountPercentile must be evaluate or ignore.".to_owned(),
        );
    }
    check_actions(input, &mut problems);
    let subject = if input.list("Metrics").is_empty() {
        parse_single(input, &mut problems)
    } else {
        parse_metrics(input, &mut problems)
    };
    let period = subject.as_ref().map_or(60_000, |(_, period)| *period);
    check_span(period / 1_000, n, &mut problems);
    match (subject, comparison, threshold, missing) {
        (Some((subject, period)), Some(comparison), Some(threshold), Some(missing))
            if problems.is_empty() =>
        {
            Ok(Watch {
                subject,
                period,
                evaluation_periods: n,
                datapoints_to_alarm: m,
                says_m_of_n: input.has("DatapointsToAlarm"),
                threshold,
                comparison,
                missing,
                ignore_few_samples: low_samples == Some("ignore"),
            })
        }
        _ => Err(Fault::validation(problems.join(" "))),
    }
}

/// M and N.
fn parse_counts(input: &Record, problems: &mut Vec<String>) -> (usize, usize) {
    let Some(n) = input.integer("EvaluationPeriods") else {
        problems.push("The parameter EvaluationPeriods is required.".to_owned());
        return (1, 1);
    };
    let m = input.integer("DatapointsToAlarm").unwrap_or(n);
    if m > n {
        problems.push(format!(
            "DatapointsToAlarm ({m}) must be less than or equal to EvaluationPeriods ({n})."
        ));
    }
    (usize::try_from(m.min(n)).unwrap_or(1), usize::try_from(n).unwrap_or(1))
}

/// An alarm may look back a day, or a week when its periods are an hour or longer.
fn check_span(period: i64, n: usize, problems: &mut Vec<String>) {
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    let (most, span) = if period < 3_600 { (86_400, "a day") } else { (604_800, "a week") };
    if period.saturating_mul(n) > most {
        problems.push(format!(
            "Metrics cannot be checked across more than {span} (EvaluationPeriods * Period must be \
             <= {most})."
        ));
    }
}

fn parse_single(input: &Record, problems: &mut Vec<String>) -> Option<(Subject, i64)> {
    let before = problems.len();
    if !input.has("MetricName") {
        problems.push("Either MetricName or Metrics must be specified.".to_owned());
    }
    for name in ["Namespace", "Period"].into_iter().filter(|name| !input.has(name)) {
        problems.push(format!("The parameter {name} is required with MetricName."));
    }
    let name = match (input.text("Statistic"), input.text("ExtendedStatistic")) {
        (Some(_), Some(_)) => {
            problems.push(
                "The parameters Statistic and ExtendedStatistic are mutually exclusive and you \
                 have specified both."
                    .to_owned(),
            );
            None
        }
        (None, None) => {
            problems.push("Either Statistic or ExtendedStatistic must be specified.".to_owned());
            None
        }
        (Some(name), None) => Some((name, Statistic::parse(name))),
        (None, Some(name)) => Some((name, Statistic::parse_extended(name))),
    };
    if let Some((name, None)) = name {
        problems.push(format!("The value {name} for parameter ExtendedStatistic is invalid."));
    }
    let period = input.integer("Period").unwrap_or(60);
    if !legal_alarm_period(period) {
        problems.push(format!("The period {period} must be 10, 20, 30 or a multiple of 60."));
    }
    let (name, statistic) = name.and_then(|(name, statistic)| statistic.map(|s| (name, s)))?;
    let source = MetricSource {
        key: metric_key(input),
        unit: input.text("Unit").and_then(Unit::parse),
        statistic,
        stat: name.to_owned(),
    };
    let subject = Subject::Metric(source);
    (problems.len() == before).then_some((subject, period.saturating_mul(1_000)))
}

fn legal_alarm_period(seconds: i64) -> bool {
    matches!(seconds, 10 | 20 | 30) || (seconds > 0 && seconds % 60 == 0)
}

fn parse_metrics(input: &Record, problems: &mut Vec<String>) -> Option<(Subject, i64)> {
    let before = problems.len();
    for name in SINGLE_METRIC.into_iter().filter(|name| match *name {
        "Dimensions" => !input.list(name).is_empty(),
        _ => input.has(name),
    }) {
        problems.push(format!("{name} must not be specified together with Metrics."));
    }
    let queries = match Queries::parse(input.records("Metrics"), "Metrics") {
        Ok(queries) => queries,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let searches = |query: &Query| match &query.source {
        Source::Expression(expression) => expression.has_search(),
        Source::Metric(_) | Source::Insights(_) => false,
    };
    let is_grouped =
        |query: &Query| matches!(&query.source, Source::Insights(query) if query.is_grouped());
    if queries.all.iter().any(is_grouped) {
        problems.push("The local cloud has no alarms on several time series.".to_owned());
    }
    if queries.all.iter().any(searches) {
        problems.push("SEARCH is not supported on Metric Alarms.".to_owned());
    }
    let wanted: Vec<&str> =
        queries.all.iter().filter(|query| query.wanted).map(|query| query.id.as_str()).collect();
    let [id] = wanted.as_slice() else {
        problems.push("Exactly one element of the metrics list should return data.".to_owned());
        return None;
    };
    let id = (*id).to_owned();
    let metrics: Vec<i64> = queries
        .all
        .iter()
        .filter(|query| !matches!(query.source, Source::Expression(_)))
        .map(|query| query.period)
        .collect();
    if metrics.is_empty() {
        problems.push("The metrics list must hold at least one metric.".to_owned());
    }
    if metrics.len() > MOST_METRICS {
        problems.push(format!("An alarm can use at most {MOST_METRICS} metrics."));
    }
    let period = metrics.first().copied().unwrap_or(60_000);
    if queries.all.iter().any(|query| query.period != period) {
        problems.push("All elements of the metrics list must have the same period.".to_owned());
    }
    if !legal_alarm_period(period / 1_000) {
        problems
            .push(format!("The period {} must be 10, 20, 30 or a multiple of 60.", period / 1_000));
    }
    (problems.len() == before).then_some((Subject::Queries { queries, id }, period))
}
