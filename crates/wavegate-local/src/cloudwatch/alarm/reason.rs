//! How CloudWatch words the reason of a state, for people and as JSON.

use serde::Serialize;

use super::{Comparison, State, Subject, Watch, date};
use crate::cloudwatch::judge::{MissingData, Verdict};

/// The most points a reason lists. As many and more are listed apart from the sentence.
const MOST_LISTED: usize = 5;

/// What an evaluation found.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    /// What it comes to.
    pub(crate) verdict: Verdict,
    /// The points it rests on, newest first.
    pub(crate) evaluated: Vec<Evaluated>,
    /// How many missing points were filled in.
    pub(crate) filled: usize,
    /// The starts of the periods of the evaluation range, oldest first.
    pub(crate) slots: Vec<i64>,
    /// Why there was nothing to evaluate, when that is so.
    pub(crate) failure: Option<String>,
}

/// A point that an evaluation rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Evaluated {
    /// The start of its period (milliseconds).
    pub(crate) at: i64,
    /// Its value.
    pub(crate) value: f64,
    /// How many samples it was made from; 0 for points of expressions.
    pub(crate) samples: f64,
    /// Whether it breaches the threshold.
    pub(crate) breaching: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReasonData<'a> {
    version: &'static str,
    query_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic: Option<&'a str>,
    period: i64,
    recent_datapoints: Vec<f64>,
    threshold: f64,
    evaluated_datapoints: Vec<ReasonPoint>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReasonPoint {
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_count: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

impl Evaluation {
    /// An evaluation that could not be made: nothing is known.
    pub(crate) fn failed(reason: String) -> Self {
        Self {
            verdict: Verdict::InsufficientData,
            evaluated: Vec::new(),
            filled: 0,
            slots: Vec::new(),
            failure: Some(reason),
        }
    }

    /// The reason for a new state, for people.
    pub(crate) fn reason(&self, watch: &Watch, new: State) -> String {
        if let Some(failure) = &self.failure {
            return failure.clone();
        }
        match new {
            State::InsufficientData => {
                let unknown = self.filled.max(1);
                let (noun, verb) =
                    if unknown == 1 { ("datapoint", "was") } else { ("datapoints", "were") };
                format!("Insufficient Data: {unknown} {noun} {verb} unknown.")
            }
            State::Alarm => self.crossed(watch, true),
            State::Ok => self.crossed(watch, false),
        }
    }

    fn crossed(&self, watch: &Watch, alarm: bool) -> String {
        let n = watch.evaluation_periods;
        let filled = self.filled_sentence(watch.missing);
        let points: Vec<&Evaluated> =
            self.evaluated.iter().filter(|point| point.breaching == alarm).collect();
        let count = points.len();
        if count == 0 {
            // Filled points alone made the state.
            let received = match self.evaluated.len() {
                0 => "no datapoints were".to_owned(),
                1 => "1 datapoint was".to_owned(),
                several => format!("{several} datapoints were"),
            };
            let periods = if n == 1 { "period" } else { "periods" };
            return format!("Threshold Crossed: {received} received for {n} {periods}{filled}.");
        }
        let counted = if watch.says_m_of_n {
            format!("{count} out of the last {n} datapoints")
        } else {
            format!("{count} {}", plural(count))
        };
        let listed: Vec<String> = points
            .iter()
            .take(MOST_LISTED)
            .map(|point| format!("{} ({})", date::number(point.value), date::short(point.at)))
            .collect();
        let listed = listed.join(", ");
        let (inline, apart) = match (count < MOST_LISTED, alarm) {
            (true, _) => (format!(" [{listed}]"), String::new()),
            (false, true) => (
                String::new(),
                format!(". The most recent datapoints which crossed the threshold: [{listed}]"),
            ),
            (false, false) => (String::new(), format!(". The most recent datapoints: [{listed}]")),
        };
        let verb = match (count == 1, alarm) {
            (true, true) => "was",
            (true, false) => "was not",
            (false, true) => "were",
            (false, false) => "were not",
        };
        format!(
            "Threshold Crossed: {counted}{inline} {verb} {} the threshold ({}){apart}{}{filled}.",
            words(watch.comparison),
            date::number(watch.threshold),
            minimum(watch, alarm),
        )
    }

    /// ` and 2 missing datapoints were treated as [Breaching]`, or nothing.
    fn filled_sentence(&self, missing: MissingData) -> String {
        let taken_for = match missing {
            MissingData::Breaching => "Breaching",
            MissingData::NotBreaching => "NonBreaching",
            MissingData::Missing | MissingData::Ignore => return String::new(),
        };
        match self.filled {
            0 => String::new(),
            1 => format!(" and 1 missing datapoint was treated as [{taken_for}]"),
            count => format!(" and {count} missing datapoints were treated as [{taken_for}]"),
        }
    }

    /// The reason as the JSON that automation reads.
    pub(crate) fn reason_data(&self, watch: &Watch, at: i64) -> String {
        let (statistic, unit) = match &watch.subject {
            Subject::Metric(source) => {
                (Some(source.stat.as_str()), source.unit.map(super::super::unit::Unit::name))
            }
            Subject::Queries { .. } => (None, None),
        };
        let point = |point: &Evaluated| ReasonPoint {
            timestamp: date::full(point.at),
            sample_count: (point.samples > 0.0).then_some(point.samples),
            value: Some(point.value),
        };
        let mut evaluated: Vec<ReasonPoint> = self.evaluated.iter().map(point).collect();
        if self.evaluated.is_empty() {
            let newest = self.slots.iter().rev().take(watch.evaluation_periods);
            evaluated.extend(newest.map(|slot| ReasonPoint {
                timestamp: date::full(*slot),
                sample_count: None,
                value: None,
            }));
        }
        let data = ReasonData {
            version: "1.0",
            query_date: date::full(at),
            start_date: self.evaluated.last().map(|oldest| date::full(oldest.at)),
            unit,
            statistic,
            period: watch.period / 1_000,
            recent_datapoints: self.evaluated.iter().rev().map(|point| point.value).collect(),
            threshold: watch.threshold,
            evaluated_datapoints: evaluated,
        };
        serde_json::to_string(&data).unwrap_or_default()
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "datapoint" } else { "datapoints" }
}

/// ` (minimum 2 datapoints for OK -> ALARM transition)`, for alarms on M of N.
fn minimum(watch: &Watch, alarm: bool) -> String {
    if !watch.says_m_of_n {
        return String::new();
    }
    let (m, n) = (watch.datapoints_to_alarm, watch.evaluation_periods);
    let (needed, transition) = if alarm { (m, "OK -> ALARM") } else { (n - m + 1, "ALARM -> OK") };
    format!(" (minimum {needed} {} for {transition} transition)", plural(needed))
}

fn words(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Greater => "greater than",
        Comparison::GreaterOrEqual => "greater than or equal to",
        Comparison::Less => "less than",
        Comparison::LessOrEqual => "less than or equal to",
    }
}
