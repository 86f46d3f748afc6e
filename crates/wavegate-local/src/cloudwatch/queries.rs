//! Metric data queries: a metric's statistic or an expression on other queries.
//!
//! `GetMetricData` and alarms on expressions share them. Invariant: parsed queries have unique
//! legal ids, one source each, and expressions that refer to existing queries without going round
//! in a circle. All problems of a list are reported together.

use std::collections::{BTreeMap, BTreeSet};

use super::home::Home;
use super::insights;
use super::labels::{self, Labeled};
use super::math::{Expression, Origin, Outcome, Scope, TimeSeries, parse};
use super::search::Search;
use super::statistic::Statistic;
use super::store::{MetricKey, Store, Window};
use super::unit::Unit;
use super::value::{Members, Record};

/// The most periods a query may span, which is also the most data points of one answer.
pub(crate) const MOST_DATAPOINTS: i64 = 100_800;

/// A parsed list of queries.
#[derive(Clone, Debug)]
pub(crate) struct Queries {
    /// The queries in the order of the request.
    pub(crate) all: Vec<Query>,
    /// Their positions, each after those it refers to.
    order: Vec<usize>,
}

/// One query.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// Its id.
    pub(crate) id: String,
    /// The label it is to be shown under.
    pub(crate) label: Option<String>,
    /// Whether its data is wanted in the answer.
    pub(crate) wanted: bool,
    /// The length of its periods in milliseconds.
    pub(crate) period: i64,
    /// Where its data comes from.
    pub(crate) source: Source,
}

/// Where a query's data comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A statistic of a metric.
    Metric(MetricSource),
    /// An expression.
    Expression(Expression),
    /// A query over metrics that are not named one by one.
    Insights(insights::Query),
}

/// A statistic of a metric.
#[derive(Clone, Debug)]
pub(crate) struct MetricSource {
    /// The metric.
    pub(crate) key: MetricKey,
    /// Only data of that unit.
    pub(crate) unit: Option<Unit>,
    /// The statistic.
    pub(crate) statistic: Statistic,
    /// The statistic's name, as it was given.
    pub(crate) stat: String,
}

/// What queries are evaluated against, besides the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// The metric data.
    pub(crate) store: &'a Store,
    /// Where it is.
    pub(crate) home: &'a Home,
    /// What the times in labels are ahead of UTC, in minutes.
    pub(crate) offset: i64,
}

impl MetricSource {
    /// The series of a window.
    fn series(&self, context: Context<'_>, window: Window, label: String) -> TimeSeries {
        let points = self.read(context.store, window).into_iter();
        let units = match (context.store.metric(&self.key), self.unit) {
            (Some(metric), None) => metric.units(window),
            _ => Vec::new(),
        };
        TimeSeries {
            label,
            period: window.period,
            points: points.map(|(at, (value, _))| (at, value)).collect(),
            origin: Some(Origin { key: self.key.clone(), stat: self.stat.clone(), units }),
        }
    }

    /// The points of a window as value and number of samples, by period start.
    pub(crate) fn read(&self, store: &Store, window: Window) -> BTreeMap<i64, (f64, f64)> {
        let Some(metric) = store.metric(&self.key) else { return BTreeMap::new() };
        metric
            .read(self.unit, window)
            .into_iter()
            .filter_map(|(at, bucket)| {
                self.statistic.of(&bucket).map(|value| (at, (value, bucket.count)))
            })
            .collect()
    }
}

/// The metric a record names by `Namespace`, `MetricName` and `Dimensions`.
pub(crate) fn metric_key(record: &Record) -> MetricKey {
    let dimensions = record
        .records("Dimensions")
        .map(|dimension| {
            let part = |name| dimension.text(name).unwrap_or_default().to_owned();
            (part("Name"), part("Value"))
        })
        .collect();
    MetricKey::new(
        record.text("Namespace").unwrap_or_default().to_owned(),
        record.text("MetricName").unwrap_or_default().to_owned(),
        dimensions,
    )
}

/// Whether a period (seconds) is one that metrics can be asked in.
pub(crate) fn legal_period(seconds: i64) -> bool {
    matches!(seconds, 1 | 5 | 10 | 20 | 30) || (seconds > 0 && seconds % 60 == 0)
}

impl Queries {
    /// Parses a list of `MetricDataQuery`; `place` names the list in messages.
    pub(crate) fn parse<'a>(
        records: impl Iterator<Item = &'a Record>,
        place: &str,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut all = Vec::new();
        let mut ids = BTreeSet::new();
        let mut repeated = false;
        for (index, record) in records.enumerate() {
            let place = format!("{place}.member.{}", index + 1);
            match parse_query(record, &place) {
                Ok(query) => {
                    if !ids.insert(query.id.clone()) {
                        repeated = true;
                    }
                    all.push(query);
                }
                Err(found) => problems.extend(found),
            }
        }
        if repeated {
            problems.push(format!("The values for parameter id in {place} are not unique."));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let order = order_of(&all)?;
        let mut queries = Self { all, order };
        queries.inherit_periods();
        Ok(queries)
    }

    /// Gives each expression without a period the longest one among what it refers to.
    fn inherit_periods(&mut self) {
        let longest_metric = self
            .all
            .iter()
            .filter(|query| matches!(query.source, Source::Metric(_)))
            .map(|query| query.period)
            .max();
        for position in self.order.clone() {
            let query = &self.all[position];
            let Source::Expression(expression) = &query.source else { continue };
            if query.period > 0 {
                continue;
            }
            let ids = expression.ids();
            let period = self
                .all
                .iter()
                .filter(|other| ids.contains(&other.id.as_str()))
                .map(|other| other.period)
                .max();
            // METRICS() and constants name no id: they take the period of the metrics.
            self.all[position].period = period.or(longest_metric).unwrap_or(60_000).max(1_000);
        }
    }

    /// Evaluates all queries, by id. `window` is the stretch of time asked about, cut into
    /// periods of the given length in milliseconds.
    pub(crate) fn evaluate(
        &self,
        context: Context<'_>,
        window: &dyn Fn(i64) -> Window,
    ) -> Result<BTreeMap<String, Outcome>, String> {
        let metrics: Vec<String> = self
            .all
            .iter()
            .filter(|query| matches!(query.source, Source::Metric(_)))
            .map(|query| query.id.clone())
            .collect();
        let labels = self.default_labels();
        let search =
            |text: &str, stat: &str, period: i64| search(context, window(period), text, stat);
        let mut outcomes = BTreeMap::new();
        for position in &self.order {
            let query = &self.all[*position];
            let outcome = match &query.source {
                Source::Metric(source) => {
                    let label = labels.get(query.id.as_str()).cloned().unwrap_or_default();
                    let mut series = source.series(context, window(query.period), label);
                    if let Some(template) = &query.label {
                        series.label = labels::filled(template, &series, context);
                    }
                    Outcome::Series(series)
                }
                Source::Insights(insights) => {
                    insights.evaluate(context.store, window(query.period))
                }
                Source::Expression(expression) => {
                    let scope = Scope {
                        outcomes: &outcomes,
                        metrics: &metrics,
                        window,
                        period: query.period,
                        search: &search,
                    };
                    expression.evaluate(&scope).map_err(|reason| {
                        format!("Error in expression '{}': {reason}.", query.id)
                    })?
                }
            };
            outcomes.insert(query.id.clone(), outcome);
        }
        Ok(outcomes)
    }

    /// The labels of the metrics that have none of their own, by id.
    fn default_labels(&self) -> BTreeMap<&str, String> {
        let metrics: Vec<(&str, Labeled<'_>)> = self
            .all
            .iter()
            .filter_map(|query| match &query.source {
                Source::Metric(MetricSource { key, stat, .. }) => {
                    Some((query.id.as_str(), Labeled { key, stat, period: query.period }))
                }
                Source::Expression(_) | Source::Insights(_) => None,
            })
            .collect();
        let labeled: Vec<Labeled<'_>> = metrics.iter().map(|(_, labeled)| *labeled).collect();
        let labels = labels::defaults(&labeled);
        metrics.into_iter().map(|(id, _)| id).zip(labels).collect()
    }
}

/// The series of the metrics that a search finds, labeled by what tells them apart.
fn search(
    context: Context<'_>,
    window: Window,
    text: &str,
    stat: &str,
) -> Result<Vec<TimeSeries>, String> {
    let statistic = Statistic::parse(stat).ok_or_else(|| format!("{stat} is no statistic"))?;
    let search = Search::parse(text)?;
    let found = search.find(context.store, context.home);
    let labeled: Vec<Labeled<'_>> =
        found.iter().map(|key| Labeled { key, stat, period: window.period }).collect();
    let labels = labels::defaults(&labeled);
    let series = found.into_iter().zip(labels).map(|(key, label)| {
        let source =
            MetricSource { key: key.clone(), unit: None, statistic, stat: stat.to_owned() };
        source.series(context, window, label)
    });
    Ok(series.collect())
}

fn parse_query(record: &Record, place: &str) -> Result<Query, Vec<String>> {
    let mut problems = Vec::new();
    let id = record.text("Id").unwrap_or_default();
    let legal = id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.chars().all(|next| next.is_ascii_alphanumeric() || next == '_');
    if !legal {
        problems.push(format!(
            "The value '{id}' for parameter {place}.Id is not matched to the pattern \
             [a-z][a-zA-Z0-9_]*."
        ));
    }
    let own_period = record.integer("Period");
    let (source, period) = match (record.record("MetricStat"), record.text("Expression")) {
        (Some(stat), None) => {
            let (source, found) = parse_stat(stat, place);
            problems.extend(found);
            if own_period.is_some() {
                problems.push(format!(
                    "{place}.Period must not be given together with {place}.MetricStat; give \
                     {place}.MetricStat.Period."
                ));
            }
            (source.map(Source::Metric), stat.integer("Period"))
        }
        (None, Some(text)) if insights::Query::is_one(text) => {
            if own_period.is_none() {
                problems.push(format!("The parameter {place}.Period is required."));
            }
            let parsed = insights::Query::parse(text);
            let source = parsed.map_err(|reason| {
                problems.push(format!("Error in expression '{id}': {reason}."));
            });
            (source.ok().map(Source::Insights), own_period)
        }
        (None, Some(text)) => match parse(text) {
            Ok(expression) => (Some(Source::Expression(expression)), own_period),
            Err(reason) => {
                problems.push(format!("Error in expression '{id}': {reason}."));
                (None, own_period)
            }
        },
        (Some(_), Some(_)) => {
            problems.push(format!(
                "The parameters {place}.Expression and {place}.MetricStat are mutually exclusive \
                 and you have specified both."
            ));
            (None, None)
        }
        (None, None) => {
            problems.push(format!(
                "Either {place}.Expression or {place}.MetricStat must be specified."
            ));
            (None, None)
        }
    };
    if let Some(seconds) = period
        && !legal_period(seconds)
    {
        problems.push(format!(
            "The period {seconds} in {place} must be 1, 5, 10, 20, 30 or a multiple of 60."
        ));
    }
    match source {
        Some(source) if problems.is_empty() => Ok(Query {
            id: id.to_owned(),
            label: record.text("Label").map(ToOwned::to_owned),
            wanted: record.boolean("ReturnData").unwrap_or(true),
            period: period.unwrap_or(0).saturating_mul(1_000),
            source,
        }),
        _ => Err(problems),
    }
}

fn parse_stat(stat: &Record, place: &str) -> (Option<MetricSource>, Vec<String>) {
    let mut problems = Vec::new();
    let empty = Record::new();
    let metric = stat.record("Metric").unwrap_or(&empty);
    for name in ["Namespace", "MetricName"] {
        if !metric.has(name) {
            problems.push(format!("The parameter {place}.MetricStat.Metric.{name} is required."));
        }
    }
    let name = stat.text("Stat").unwrap_or_default();
    let statistic = Statistic::parse(name);
    if statistic.is_none() {
        problems
            .push(format!("The value {name} for parameter {place}.MetricStat.Stat is invalid."));
    }
    let source = statistic.map(|statistic| MetricSource {
        key: metric_key(metric),
        unit: stat.text("Unit").and_then(Unit::parse),
        statistic,
        stat: name.to_owned(),
    });
    (source, problems)
}

/// The positions of the queries, each after those it refers to.
fn order_of(all: &[Query]) -> Result<Vec<usize>, Vec<String>> {
    let mut problems = Vec::new();
    let mut order: Vec<usize> = Vec::new();
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    for query in all {
        let Source::Expression(expression) = &query.source else { continue };
        for id in expression.ids() {
            if !all.iter().any(|other| other.id == id) {
                problems.push(format!(
                    "Error in expression '{}': the id {id} names no metric or expression.",
                    query.id
                ));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    while order.len() < all.len() {
        let before = order.len();
        for (position, query) in all.iter().enumerate() {
            let ready = match &query.source {
                Source::Metric(_) | Source::Insights(_) => true,
                Source::Expression(expression) => {
                    expression.ids().iter().all(|id| placed.contains(id))
                }
            };
            if ready && placed.insert(&query.id) {
                order.push(position);
            }
        }
        if order.len() == before {
            let stuck: Vec<&str> = all
                .iter()
                .map(|query| query.id.as_str())
                .filter(|id| !placed.contains(id))
                .collect();
            return Err(vec![format!(
                "The expressions {} refer to each other in a circle.",
                stuck.join(", ")
            )]);
        }
    }
    Ok(order)
}
