//! Metric math: the expressions of `GetMetricData` and of alarms on expressions.
//!
//! Covers arithmetic, comparison and logic on scalars, time series and arrays of them, and the
//! functions alarms and dashboards use. The rules for missing points are the user guide's: in an
//! operator they count as 0 when the other side has a point; what divides by zero is dropped.
//! Deliberately absent: anomaly bands, Contributor Insights, service quotas and
//! `SORT`'s relatives on labels; they are refused by name.

mod functions;
mod parse;

use std::collections::BTreeMap;

pub(crate) use parse::{Expression, parse};

use super::store::{MetricKey, Window};
use super::unit::Unit;

/// A time series: at most one value for each period start (milliseconds).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TimeSeries {
    /// The label it is shown under.
    pub(crate) label: String,
    /// The length of its periods, in milliseconds.
    pub(crate) period: i64,
    /// Its points.
    pub(crate) points: BTreeMap<i64, f64>,
    /// The metric it is, or was made from point by point.
    pub(crate) origin: Option<Origin>,
}

/// What a time series was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    /// The metric.
    pub(crate) key: MetricKey,
    /// The statistic's name.
    pub(crate) stat: String,
    /// The units in which there is data, when none was asked for.
    pub(crate) units: Vec<Unit>,
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// A number.
    Scalar(f64),
    /// One series.
    Series(TimeSeries),
    /// Several series.
    Array(Vec<TimeSeries>),
}

/// Reads the series that a search finds.
pub(crate) type Search<'a> = dyn Fn(&str, &str, i64) -> Result<Vec<TimeSeries>, Reason> + 'a;

/// What an expression is evaluated against.
pub(crate) struct Scope<'a> {
    /// The outcomes of the other queries, by id.
    pub(crate) outcomes: &'a BTreeMap<String, Outcome>,
    /// The ids of the queries that are metrics, in the order of the request: `METRICS()`.
    pub(crate) metrics: &'a [String],
    /// The stretch of time asked about, for a period in milliseconds.
    pub(crate) window: &'a dyn Fn(i64) -> Window,
    /// The period of series that come from no metric, in milliseconds.
    pub(crate) period: i64,
    /// Reads the series that a search finds: by its text, a statistic and a period in milliseconds.
    pub(crate) search: &'a Search<'a>,
}

/// Why an expression has no outcome, as a sentence without its end.
pub(crate) type Reason = String;

/// Operators between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl Operator {
    #[expect(clippy::float_cmp, reason = "== and != compare exactly in metric math")]
    fn apply(self, left: f64, right: f64) -> f64 {
        let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Power => left.powf(right),
            Self::Equal => truth(left == right),
            Self::NotEqual => truth(left != right),
            Self::Less => truth(left < right),
            Self::LessOrEqual => truth(left <= right),
            Self::Greater => truth(left > right),
            Self::GreaterOrEqual => truth(left >= right),
            Self::And => truth(left != 0.0 && right != 0.0),
            Self::Or => truth(left != 0.0 || right != 0.0),
        }
    }
}

impl Expression {
    /// Evaluates the expression.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>) -> Result<Outcome, Reason> {
        match self {
            Self::Number(number) => Ok(Outcome::Scalar(*number)),
            Self::Id(id) => scope
                .outcomes
                .get(id)
                .cloned()
                .ok_or_else(|| format!("the id {id} names no metric or expression")),
            Self::Text(text) => {
                Err(format!("the string \"{text}\" stands where a value is needed"))
            }
            Self::Word(word) => Err(format!("{word} stands where a value is needed")),
            Self::Negate(inner) => map(inner.evaluate(scope)?, |value| -value),
            Self::Array(items) => {
                let mut series = Vec::new();
                for item in items {
                    match item.evaluate(scope)? {
                        Outcome::Series(one) => series.push(one),
                        Outcome::Array(several) => series.extend(several),
                        Outcome::Scalar(_) => {
                            return Err("an array may hold time series only".to_owned());
                        }
                    }
                }
                Ok(Outcome::Array(series))
            }
            Self::Binary(operator, left, right) => {
                combine(*operator, left.evaluate(scope)?, right.evaluate(scope)?)
            }
            Self::Call(name, arguments) => functions::call(name, arguments, scope),
        }
    }
}

/// Applies a function to each point; what it makes infinite or undefined is dropped.
#[expect(clippy::unnecessary_wraps, reason = "ends the arms of functions that may fail")]
fn map(outcome: Outcome, function: impl Fn(f64) -> f64) -> Result<Outcome, Reason> {
    let each = |mut series: TimeSeries| {
        series.points = series
            .points
            .into_iter()
            .map(|(at, value)| (at, function(value)))
            .filter(|(_, value)| value.is_finite())
            .collect();
        series
    };
    Ok(match outcome {
        Outcome::Scalar(value) => Outcome::Scalar(function(value)),
        Outcome::Series(series) => Outcome::Series(each(series)),
        Outcome::Array(several) => Outcome::Array(several.into_iter().map(each).collect()),
    })
}

fn combine(operator: Operator, left: Outcome, right: Outcome) -> Result<Outcome, Reason> {
    match (left, right) {
        (Outcome::Scalar(left), Outcome::Scalar(right)) => {
            Ok(Outcome::Scalar(operator.apply(left, right)))
        }
        (left, Outcome::Scalar(right)) => map(left, |left| operator.apply(left, right)),
        (Outcome::Scalar(left), right) => map(right, |right| operator.apply(left, right)),
        (Outcome::Series(left), Outcome::Series(right)) => {
            Ok(Outcome::Series(pair(operator, &left, &right)))
        }
        (Outcome::Array(left), Outcome::Series(right)) => {
            Ok(Outcome::Array(left.iter().map(|left| pair(operator, left, &right)).collect()))
        }
        (Outcome::Series(left), Outcome::Array(right)) => Ok(Outcome::Array(
            right
                .iter()
                .map(|right| TimeSeries {
                    label: right.label.clone(),
                    origin: right.origin.clone(),
                    ..pair(operator, &left, right)
                })
                .collect(),
        )),
        (Outcome::Array(left), Outcome::Array(right)) => {
            if left.len() != right.len() {
                return Err(format!(
                    "arrays of {} and {} time series cannot be combined",
                    left.len(),
                    right.len()
                ));
            }
            let pairs = left.iter().zip(&right);
            Ok(Outcome::Array(pairs.map(|(left, right)| pair(operator, left, right)).collect()))
        }
    }
}

/// Two series point by point: a point missing on one side counts as 0.
fn pair(operator: Operator, left: &TimeSeries, right: &TimeSeries) -> TimeSeries {
    let points = left
        .points
        .keys()
        .chain(right.points.keys())
        .map(|at| {
            let value = |series: &TimeSeries| series.points.get(at).copied().unwrap_or(0.0);
            (*at, operator.apply(value(left), value(right)))
        })
        .filter(|(_, value)| value.is_finite())
        .collect();
    let period = left.period.max(right.period);
    TimeSeries { label: left.label.clone(), period, points, origin: left.origin.clone() }
}

#[cfg(test)]
mod tests;
