//! The functions of metric math.

use std::collections::{BTreeMap, BTreeSet};

use super::{Expression, Outcome, Reason, Scope, TimeSeries, map};

/// Functions of CloudWatch that the local cloud does not have.
const ABSENT: [&str; 4] =
    ["ANOMALY_DETECTION_BAND", "INSIGHT_RULE_METRIC", "SERVICE_QUOTA", "DB_PERF_INSIGHTS"];

/// Calls a function by name.
pub(super) fn call(
    name: &str,
    arguments: &[Expression],
    scope: &Scope<'_>,
) -> Result<Outcome, Reason> {
    match name {
        "METRICS" => metrics(arguments, scope),
        "FILL" => fill(arguments, scope),
        "IF" => choose(arguments, scope),
        "SEARCH" => search(arguments, scope),
        "SORT" => sort(arguments, scope),
        "SLICE" => slice(arguments, scope),
        "TIME_SERIES" => {
            let value = scalar(only(name, arguments)?, scope)?;
            let points = (scope.window)(scope.period).slots().map(|at| (at, value)).collect();
            Ok(Outcome::Series(TimeSeries { period: scope.period, points, ..Default::default() }))
        }
        _ if ABSENT.contains(&name) => {
            Err(format!("the local cloud does not have the function {name}"))
        }
        _ => unary(name, only(name, arguments)?.evaluate(scope)?, scope),
    }
}

fn only<'a>(name: &str, arguments: &'a [Expression]) -> Result<&'a Expression, Reason> {
    match arguments {
        [one] => Ok(one),
        _ => Err(format!("{name} takes one argument, not {}", arguments.len())),
    }
}

fn scalar(expression: &Expression, scope: &Scope<'_>) -> Result<f64, Reason> {
    match expression.evaluate(scope)? {
        Outcome::Scalar(value) => Ok(value),
        _ => Err("a number is needed where a time series stands".to_owned()),
    }
}

fn array(expression: &Expression, scope: &Scope<'_>) -> Result<Vec<TimeSeries>, Reason> {
    match expression.evaluate(scope)? {
        Outcome::Array(several) => Ok(several),
        Outcome::Series(one) => Ok(vec![one]),
        Outcome::Scalar(_) => Err("time series are needed where a number stands".to_owned()),
    }
}

fn unary(name: &str, argument: Outcome, scope: &Scope<'_>) -> Result<Outcome, Reason> {
    match name {
        "ABS" => map(argument, f64::abs),
        "CEIL" => map(argument, f64::ceil),
        "FLOOR" => map(argument, f64::floor),
        "LOG" => map(argument, f64::ln),
        "LOG10" => map(argument, f64::log10),
        "SUM" | "AVG" | "MIN" | "MAX" | "STDDEV" | "DATAPOINT_COUNT" => aggregate(name, argument),
        "RATE" | "DIFF" | "DIFF_TIME" => each(argument, |series| {
            let points = series.points.iter().zip(series.points.iter().skip(1));
            #[expect(clippy::cast_precision_loss, reason = "distances of timestamps are small")]
            let change = |((before, from), (at, to)): ((&i64, &f64), (&i64, &f64))| {
                let seconds = (at - before) as f64 / 1000.0;
                let value = match name {
                    "RATE" => (to - from) / seconds,
                    "DIFF" => to - from,
                    _ => seconds,
                };
                (*at, value)
            };
            points.map(change).collect()
        }),
        "RUNNING_SUM" => each(argument, |series| {
            let mut sum = 0.0;
            let mut add = |value: f64| {
                sum += value;
                sum
            };
            series.points.iter().map(|(at, value)| (*at, add(*value))).collect()
        }),
        "PERIOD" => match argument {
            #[expect(clippy::cast_precision_loss, reason = "periods are small")]
            Outcome::Series(series) => Ok(Outcome::Scalar(series.period as f64 / 1000.0)),
            _ => Err("PERIOD takes a metric".to_owned()),
        },
        "METRIC_COUNT" => match argument {
            #[expect(clippy::cast_precision_loss, reason = "at most 500 series")]
            Outcome::Array(several) => Ok(Outcome::Scalar(several.len() as f64)),
            _ => Err("METRIC_COUNT takes an array of time series".to_owned()),
        },
        "FIRST" | "LAST" => match argument {
            Outcome::Array(several) => {
                let picked =
                    if name == "FIRST" { several.first() } else { several.last() }.cloned();
                Ok(Outcome::Series(picked.unwrap_or_default()))
            }
            _ => Err(format!("{name} takes an array of time series")),
        },
        "REMOVE_EMPTY" => match argument {
            Outcome::Array(several) => Ok(Outcome::Array(
                several.into_iter().filter(|series| !series.points.is_empty()).collect(),
            )),
            _ => Err("REMOVE_EMPTY takes an array of time series".to_owned()),
        },
        "EPOCH" | "MINUTE" | "HOUR" | "DAY" | "DATE" | "MONTH" | "YEAR" => match argument {
            Outcome::Series(series) => {
                let window = (scope.window)(series.period);
                let points = window.slots().map(|at| (at, calendar(name, at))).collect();
                Ok(Outcome::Series(TimeSeries { points, ..series }))
            }
            _ => Err(format!("{name} takes a time series")),
        },
        _ => Err(format!("there is no function {name}")),
    }
}

fn calendar(name: &str, at_ms: i64) -> f64 {
    let time = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    let civil = jiff::tz::Offset::UTC.to_datetime(time);
    f64::from(match name {
        #[expect(clippy::cast_precision_loss, reason = "seconds since the epoch are small")]
        "EPOCH" => return time.as_second() as f64,
        "MINUTE" => i16::from(civil.minute()),
        "HOUR" => i16::from(civil.hour()),
        "DAY" => i16::from(civil.date().weekday().to_monday_one_offset()),
        "DATE" => i16::from(civil.day()),
        "MONTH" => i16::from(civil.month()),
        _ => civil.year(),
    })
}

fn each(
    argument: Outcome,
    function: impl Fn(&TimeSeries) -> BTreeMap<i64, f64>,
) -> Result<Outcome, Reason> {
    let apply = |series: TimeSeries| TimeSeries { points: function(&series), ..series };
    match argument {
        Outcome::Scalar(_) => Err("time series are needed where a number stands".to_owned()),
        Outcome::Series(series) => Ok(Outcome::Series(apply(series))),
        Outcome::Array(several) => Ok(Outcome::Array(several.into_iter().map(apply).collect())),
    }
}

/// One series comes to a number, an array to a series.
fn aggregate(name: &str, argument: Outcome) -> Result<Outcome, Reason> {
    match argument {
        Outcome::Scalar(_) => Err(format!("{name} takes time series, not a number")),
        Outcome::Series(series) => {
            let values: Vec<f64> = series.points.values().copied().collect();
            Ok(Outcome::Scalar(reduce(name, &values, values.len())))
        }
        Outcome::Array(several) => {
            let times: BTreeSet<i64> =
                several.iter().flat_map(|series| series.points.keys().copied()).collect();
            let points = times.into_iter().map(|at| {
                let values: Vec<f64> =
                    several.iter().filter_map(|series| series.points.get(&at).copied()).collect();
                (at, reduce(name, &values, several.len()))
            });
            Ok(Outcome::Series(TimeSeries {
                period: several.iter().map(|series| series.period).max().unwrap_or(60_000),
                points: points.collect(),
                ..Default::default()
            }))
        }
    }
}

/// `all` counts the missing values too: averages of an array take them as 0.
#[expect(clippy::cast_precision_loss, reason = "counts of points and series are small")]
fn reduce(name: &str, values: &[f64], all: usize) -> f64 {
    let sum: f64 = values.iter().sum();
    let all = all.max(1) as f64;
    match name {
        "SUM" => sum,
        "AVG" => sum / all,
        "MIN" => values.iter().copied().reduce(f64::min).unwrap_or(0.0),
        "MAX" => values.iter().copied().reduce(f64::max).unwrap_or(0.0),
        "STDDEV" => {
            let count = values.len().max(1) as f64;
            let mean = sum / count;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / count).sqrt()
        }
        _ => values.len() as f64,
    }
}

fn metrics(arguments: &[Expression], scope: &Scope<'_>) -> Result<Outcome, Reason> {
    let part = match arguments {
        [] => "",
        [Expression::Text(text)] => text,
        _ => return Err("METRICS takes nothing or a string".to_owned()),
    };
    let mut series = Vec::new();
    for id in scope.metrics.iter().filter(|id| id.contains(part)) {
        if let Some(Outcome::Series(one)) = scope.outcomes.get(id) {
            series.push(one.clone());
        }
    }
    Ok(Outcome::Array(series))
}

enum Filler {
    Number(f64),
    Series(TimeSeries),
    Repeat,
    Linear,
}

fn fill(arguments: &[Expression], scope: &Scope<'_>) -> Result<Outcome, Reason> {
    let [subject, filler] = arguments else {
        return Err(format!("FILL takes two arguments, not {}", arguments.len()));
    };
    let filler = match filler {
        Expression::Word(word) if word == "REPEAT" => Filler::Repeat,
        Expression::Word(word) if word == "LINEAR" => Filler::Linear,
        other => match other.evaluate(scope)? {
            Outcome::Scalar(value) => Filler::Number(value),
            Outcome::Series(series) => Filler::Series(series),
            Outcome::Array(_) => return Err("FILL cannot fill from an array".to_owned()),
        },
    };
    each(subject.evaluate(scope)?, |series| {
        let mut points = series.points.clone();
        for at in (scope.window)(series.period).slots() {
            if points.contains_key(&at) {
                continue;
            }
            let before = series.points.range(..at).next_back();
            let value = match &filler {
                Filler::Number(value) => Some(*value),
                Filler::Series(other) => other.points.get(&at).copied(),
                Filler::Repeat => before.map(|(_, value)| *value),
                Filler::Linear => before.zip(series.points.range(at..).next()).map(|(from, to)| {
                    #[expect(clippy::cast_precision_loss, reason = "distances are small")]
                    let share = (at - from.0) as f64 / (to.0 - from.0) as f64;
                    from.1 + (to.1 - from.1) * share
                }),
            };
            if let Some(value) = value {
                points.insert(at, value);
            }
        }
        points
    })
}

/// `IF(condition, then[, else])`, by the tables of the user guide.
fn choose(arguments: &[Expression], scope: &Scope<'_>) -> Result<Outcome, Reason> {
    let ([condition, then] | [condition, then, _]) = arguments else {
        return Err(format!("IF takes two or three arguments, not {}", arguments.len()));
    };
    let then = then.evaluate(scope)?;
    let otherwise = arguments.get(2).map(|other| other.evaluate(scope)).transpose()?;
    let condition = match condition.evaluate(scope)? {
        Outcome::Scalar(value) => {
            let empty = Outcome::Series(TimeSeries { period: scope.period, ..Default::default() });
            return Ok(if value == 0.0 { otherwise.unwrap_or(empty) } else { then });
        }
        Outcome::Series(series) => series,
        Outcome::Array(_) => return Err("the condition of IF cannot be an array".to_owned()),
    };
    let at_time = |outcome: &Outcome, at: i64| match outcome {
        Outcome::Scalar(value) => Ok(Some(*value)),
        Outcome::Series(series) => Ok(series.points.get(&at).copied()),
        Outcome::Array(_) => Err("IF takes numbers and time series, no arrays".to_owned()),
    };
    let mut points = BTreeMap::new();
    for (at, holds) in &condition.points {
        let value = if *holds == 0.0 {
            otherwise.as_ref().map(|outcome| at_time(outcome, *at)).transpose()?.flatten()
        } else {
            // A true condition without a value comes to 0; a false one to no point.
            Some(at_time(&then, *at)?.unwrap_or(0.0))
        };
        if let Some(value) = value {
            points.insert(*at, value);
        }
    }
    Ok(Outcome::Series(TimeSeries { points, ..condition }))
}

/// `SEARCH('what', 'statistic'[, period])`.
fn search(arguments: &[Expression], scope: &Scope<'_>) -> Result<Outcome, Reason> {
    let ([Expression::Text(text), Expression::Text(stat)]
    | [Expression::Text(text), Expression::Text(stat), Expression::Number(_)]) = arguments
    else {
        return Err("SEARCH takes what is searched, a statistic and a period".to_owned());
    };
    let period = match arguments.get(2) {
        Some(Expression::Number(seconds)) if legal_seconds(*seconds) => {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
            let seconds = *seconds as i64;
            seconds * 1_000
        }
        Some(_) => return Err("the period of a SEARCH must be a legal period".to_owned()),
        None => scope.period,
    };
    Ok(Outcome::Array((scope.search)(text, stat, period)?))
}

fn legal_seconds(seconds: f64) -> bool {
    [1.0, 5.0, 10.0, 20.0, 30.0].contains(&seconds)
        || ((60.0..=86_400.0 * 366.0).contains(&seconds) && seconds % 60.0 == 0.0)
}

fn sort(arguments: &[Expression], scope: &Scope<'_>) -> Result<Outcome, Reason> {
    let ([subject, Expression::Word(by), Expression::Word(order)]
    | [subject, Expression::Word(by), Expression::Word(order), _]) = arguments
    else {
        return Err("SORT takes an array, AVG, MIN, MAX or SUM, and ASC or DESC".to_owned());
    };
    if !["AVG", "MIN", "MAX", "SUM"].contains(&by.as_str()) {
        return Err(format!("SORT cannot sort by {by}"));
    }
    let mut several = array(subject, scope)?;
    let rank = |series: &TimeSeries| {
        let values: Vec<f64> = series.points.values().copied().collect();
        reduce(by, &values, values.len())
    };
    match order.as_str() {
        "ASC" => several.sort_by(|left, right| rank(left).total_cmp(&rank(right))),
        "DESC" => several.sort_by(|left, right| rank(right).total_cmp(&rank(left))),
        other => return Err(format!("SORT goes ASC or DESC, not {other}")),
    }
    if let Some(limit) = arguments.get(3) {
        several.truncate(index(limit, scope)?);
    }
    Ok(Outcome::Array(several))
}

fn slice(arguments: &[Expression], scope: &Scope<'_>) -> Result<Outcome, Reason> {
    let ([subject, from] | [subject, from, _]) = arguments else {
        return Err("SLICE takes an array and one or two numbers".to_owned());
    };
    let several = array(subject, scope)?;
    let from = index(from, scope)?.min(several.len());
    let to = match arguments.get(2) {
        Some(to) => index(to, scope)?.clamp(from, several.len()),
        None => several.len(),
    };
    Ok(Outcome::Array(several[from..to].to_vec()))
}

fn index(expression: &Expression, scope: &Scope<'_>) -> Result<usize, Reason> {
    let value = scalar(expression, scope)?;
    if !(0.0..=1e6).contains(&value) || value.fract() != 0.0 {
        return Err(format!("{value} is no position in an array"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked above"
    )]
    Ok(value as usize)
}
