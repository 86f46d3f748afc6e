//! `GetMetricData`.

use super::rounded_start;
use crate::cloudwatch::fault::{Fault, FaultKind};
use crate::cloudwatch::home::Home;
use crate::cloudwatch::labels;
use crate::cloudwatch::math::{Outcome, TimeSeries};
use crate::cloudwatch::page;
use crate::cloudwatch::queries::{Context, MOST_DATAPOINTS, Queries, Query, Source};
use crate::cloudwatch::store::{Store, Window};
use crate::cloudwatch::unit::Unit;
use crate::cloudwatch::value::{Members, Record, Value};
use crate::wire::time;

/// The most queries of one `GetMetricData`.
const MOST_QUERIES: usize = 500;

/// One line of a `GetMetricData` answer before paging.
struct Line {
    id: String,
    label: String,
    points: Vec<(i64, f64)>,
    messages: Vec<Record>,
}

/// `GetMetricData`.
pub(crate) fn get_metric_data(store: &Store, home: &Home, input: &Record) -> Result<Record, Fault> {
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
    let context = Context { store, home, offset: offset(input)? };
    let mut outcomes = queries.evaluate(context, &window).map_err(Fault::validation)?;
    let mut lines = Vec::new();
    for query in queries.all.iter().filter(|query| query.wanted) {
        lines.extend(lines_of(query, outcomes.remove(&query.id), context)?);
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
        .with("Messages", Value::Array(Vec::new()))
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
                        "The query {} spans {periods} periods, which exceeds the limit of \
                         {MOST_DATAPOINTS}. Ask for a longer period or a shorter time range.",
                        query.id,
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

/// What the times in labels are ahead of UTC, in minutes: `LabelOptions.Timezone` is `+0130` or the
/// like.
fn offset(input: &Record) -> Result<i64, Fault> {
    let zone = input.record("LabelOptions").and_then(|options| options.text("Timezone"));
    let Some(zone) = zone else { return Ok(0) };
    let parsed = zone.strip_prefix(['+', '-']).and_then(|digits| {
        let is_legal = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let (hours, minutes) = is_legal.then(|| digits.split_at(2))?;
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    });
    match parsed {
        Some(minutes) if zone.starts_with('-') => Ok(-minutes),
        Some(minutes) => Ok(minutes),
        None => Err(Fault::validation(format!(
            "The value {zone} for parameter LabelOptions.Timezone is invalid."
        ))),
    }
}

fn lines_of(
    query: &Query,
    outcome: Option<Outcome>,
    context: Context<'_>,
) -> Result<Vec<Line>, Fault> {
    let line = |label: String, series: TimeSeries| Line {
        id: query.id.clone(),
        label,
        messages: messages(query, &series),
        points: series.points.into_iter().collect(),
    };
    let is_search = matches!(&query.source, Source::Expression(it) if it.is_search());
    match outcome {
        Some(Outcome::Series(series)) => {
            let label = match (&query.source, &query.label) {
                // A metric was labeled as it was read.
                (Source::Metric(_), _) => series.label.clone(),
                (_, Some(label)) => labels::filled(label, &series, context),
                (_, None) => query.id.clone(),
            };
            Ok(vec![line(label, series)])
        }
        Some(Outcome::Array(several)) => Ok(several
            .into_iter()
            .map(|series| {
                let label = match &query.label {
                    Some(label) if labels::names_its_series(label) => {
                        labels::filled(label, &series, context)
                    }
                    Some(label) => {
                        format!("{} {}", labels::filled(label, &series, context), series.label)
                    }
                    None if is_search => series.label.clone(),
                    None => format!("{} {}", query.id, series.label),
                };
                line(label.trim().to_owned(), series)
            })
            .collect()),
        _ => Err(Fault::validation(format!(
            "Error in expression '{}': the result is a number, and a time series is needed.",
            query.id
        ))),
    }
}

/// What AWS has to say about a metric whose unit was not asked for and that has several.
fn messages(query: &Query, series: &TimeSeries) -> Vec<Record> {
    let units = match (&query.source, &series.origin) {
        (Source::Metric(_), Some(origin)) if origin.units.len() > 1 => &origin.units,
        _ => return Vec::new(),
    };
    let names: Vec<&str> = units.iter().map(|unit| Unit::name(*unit)).collect();
    let value = format!("Multiple units returned: '[{}]'", names.join(", "));
    vec![Record::new().with("Code", "MultipleUnits").with("Value", value)]
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
                    points.iter().map(|(at, _)| time::seconds(*at)).collect::<Vec<_>>(),
                )
                .with("Values", points.iter().map(|(_, value)| *value).collect::<Vec<_>>())
                .with("StatusCode", if finished { "Complete" } else { "PartialData" })
                .with_some("Messages", Some(line.messages).filter(|messages| !messages.is_empty())),
        );
    }
    let next = skip.saturating_add(taken);
    (results, (next < total).then_some(next))
}
