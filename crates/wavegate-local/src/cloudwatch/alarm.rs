//! One alarm: what it watches, its state, and how an evaluation words its reasons.
//!
//! Invariant: the configuration is kept as it was given, and what is parsed from it says the same;
//! a describe answers with the former, an evaluation uses the latter.

mod composite;
pub(crate) mod date;
pub(crate) mod event;
mod reason;

use std::collections::BTreeMap;

pub(crate) use composite::{Composite, SuppressedBy, Suppressor, Trigger};
pub(crate) use reason::{Evaluated, Evaluation};

use super::judge::{EXTRA_PERIODS, MissingData, Verdict, judge};
use super::math::Outcome;
use super::queries::{Context, MetricSource, Queries};
use super::store::Window;
use super::value::{Members, Record};

/// The state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Within the threshold.
    Ok,
    /// Beyond it.
    Alarm,
    /// Not known.
    InsufficientData,
}

impl State {
    /// The name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    /// The state of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// An alarm.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    /// What it watches.
    pub(crate) kind: Kind,
    /// Its configuration as it was given, tags left out.
    pub(crate) config: Record,
    /// Its tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// Whether actions are enabled; `EnableAlarmActions` changes it without a new configuration.
    pub(crate) actions_enabled: bool,
    /// Its state, and why.
    pub(crate) status: Status,
    /// When the state last changed (milliseconds).
    pub(crate) transitioned: i64,
    /// When the configuration was last given (milliseconds).
    pub(crate) configured: i64,
    /// When it is evaluated next (milliseconds). For a composite alarm: when what holds its actions
    /// back is over, or never.
    pub(crate) due: i64,
}

/// The state of an alarm, and why it is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// The state.
    pub(crate) state: State,
    /// Why, for people.
    pub(crate) reason: String,
    /// Why, as JSON; empty when there is none.
    pub(crate) reason_data: String,
    /// When it was last set (milliseconds).
    pub(crate) updated: i64,
    /// What holds the actions of this state back, for a composite alarm with a suppressor.
    pub(crate) suppressed: Option<SuppressedBy>,
}

impl Status {
    /// The status of an alarm that was just created.
    pub(crate) fn initial(now_ms: i64) -> Self {
        Self {
            state: State::InsufficientData,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            reason_data: String::new(),
            updated: now_ms,
            suppressed: None,
        }
    }
}

/// The two kinds of alarm.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// On a metric or an expression.
    Metric(Box<Watch>),
    /// On the states of other alarms.
    Composite(Box<Composite>),
}

impl Alarm {
    /// The name of its kind in the API.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Metric(_) => "MetricAlarm",
            Kind::Composite(_) => "CompositeAlarm",
        }
    }

    /// The composite alarm's part, when it is one.
    pub(crate) fn composite(&self) -> Option<&Composite> {
        match &self.kind {
            Kind::Metric(_) => None,
            Kind::Composite(composite) => Some(composite),
        }
    }

    /// The ARNs of what it does on entering a state.
    pub(crate) fn actions(&self, state: State) -> impl Iterator<Item = &str> {
        self.config.texts(match state {
            State::Ok => "OKActions",
            State::Alarm => "AlarmActions",
            State::InsufficientData => "InsufficientDataActions",
        })
    }
}

/// What a metric alarm watches, and when that is too much.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// Where its points come from.
    pub(crate) subject: Subject,
    /// The length of its periods in milliseconds.
    pub(crate) period: i64,
    /// N: how many points are looked at.
    pub(crate) evaluation_periods: usize,
    /// M: how many of them must breach.
    pub(crate) datapoints_to_alarm: usize,
    /// Whether M was given; reasons are worded by it.
    pub(crate) says_m_of_n: bool,
    /// The threshold.
    pub(crate) threshold: f64,
    /// When a point breaches it.
    pub(crate) comparison: Comparison,
    /// What missing points are taken for.
    pub(crate) missing: MissingData,
    /// Whether percentiles of too few samples leave the state alone.
    pub(crate) ignore_few_samples: bool,
}

/// Where the points of a metric alarm come from.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// One metric.
    Metric(MetricSource),
    /// The one query of a list whose data is wanted.
    Queries {
        /// All queries.
        queries: Queries,
        /// The id of the one that is watched.
        id: String,
    },
}

/// How a point is compared with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
}

impl Comparison {
    /// The comparison of that name; those of anomaly detection have none here.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "GreaterThanThreshold" => Self::Greater,
            "GreaterThanOrEqualToThreshold" => Self::GreaterOrEqual,
            "LessThanThreshold" => Self::Less,
            "LessThanOrEqualToThreshold" => Self::LessOrEqual,
            _ => return None,
        })
    }

    /// Whether a value breaches the threshold.
    pub(crate) fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Greater => value > threshold,
            Self::GreaterOrEqual => value >= threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }
}

impl Watch {
    /// How often it is evaluated, in milliseconds: each minute, and alarms on periods below a
    /// minute every ten seconds (user guide, "High-resolution alarms").
    pub(crate) fn interval(&self) -> i64 {
        if self.period < 60_000 { 10_000 } else { 60_000 }
    }

    /// The first evaluation after a moment.
    pub(crate) fn next_after(&self, now_ms: i64) -> i64 {
        (now_ms.div_euclid(self.interval()) + 1) * self.interval()
    }

    /// Evaluates the periods that end at `at`, a multiple of the interval: the window slides with
    /// the evaluations, whatever the length of the period.
    pub(crate) fn evaluate(&self, context: Context<'_>, at: i64) -> Evaluation {
        let range = i64::try_from(self.evaluation_periods + self.extra_periods());
        let length = range.unwrap_or(i64::MAX).saturating_mul(self.period);
        let window = Window { start: at.saturating_sub(length), end: at, period: self.period };
        let points = match self.points(context, window) {
            Ok(points) => points,
            Err(reason) => return Evaluation::failed(reason),
        };
        let slots: Vec<i64> = window.slots().collect();
        let breaching: Vec<Option<bool>> = slots
            .iter()
            .map(|slot| {
                points.get(slot).map(|(value, _)| self.comparison.breaches(*value, self.threshold))
            })
            .collect();
        let mut judgement =
            judge(&breaching, self.datapoints_to_alarm, self.evaluation_periods, self.missing);
        if self.has_too_few_samples(&points) {
            judgement.verdict = Verdict::Retain;
        }
        let evaluated = judgement
            .evaluated
            .iter()
            .map(|position| {
                let at = slots[*position];
                let (value, samples) = points.get(&at).copied().unwrap_or_default();
                Evaluated { at, value, samples, breaching: breaching[*position] == Some(true) }
            })
            .collect();
        Evaluation {
            verdict: judgement.verdict,
            evaluated,
            filled: judgement.filled,
            slots,
            failure: None,
        }
    }

    /// How far beyond N an evaluation looks back. For periods below a minute, a minute: data of
    /// standard resolution is seen at the start of its minute only.
    fn extra_periods(&self) -> usize {
        match self.period {
            ..60_000 => usize::try_from(60_000 / self.period.max(1)).unwrap_or(EXTRA_PERIODS),
            _ => EXTRA_PERIODS,
        }
    }

    fn points(
        &self,
        context: Context<'_>,
        window: Window,
    ) -> Result<BTreeMap<i64, (f64, f64)>, String> {
        match &self.subject {
            Subject::Metric(source) => Ok(source.read(context.store, window)),
            Subject::Queries { queries, id } => {
                let mut outcomes =
                    queries.evaluate(context, &|period| Window { period, ..window })?;
                match outcomes.remove(id) {
                    Some(Outcome::Series(series)) => Ok(series
                        .points
                        .into_iter()
                        .map(|(at, value)| (at, (value, 0.0)))
                        .collect()),
                    _ => Err(format!("Error in expression '{id}': it is not one time series.")),
                }
            }
        }
    }

    fn has_too_few_samples(&self, points: &BTreeMap<i64, (f64, f64)>) -> bool {
        let Subject::Metric(source) = &self.subject else { return false };
        let samples: f64 = points.values().map(|(_, samples)| samples).sum();
        self.ignore_few_samples
            && !points.is_empty()
            && samples < source.statistic.significant_samples()
    }
}
