//! What the server answered, freed of its wire format.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use wavegate_plugin_sdk::http::{Address, Answer};
use wavegate_plugin_sdk::{PluginError, text};

/// The server says that the query is wrong, or its result is of a kind that no limit can be held
/// against.
pub(crate) const QUERY: &str = "prometheus.query";
/// The server does not let us ask.
pub(crate) const DENIED: &str = "prometheus.denied";
/// The server cannot answer now; later it may.
pub(crate) const UNAVAILABLE: &str = "prometheus.unavailable";
/// The answer is none of Prometheus's.
pub(crate) const GARBLED: &str = "prometheus.garbled";

/// How much of the server's own words is passed on.
const MAX_WORDS_CHARS: usize = 500;

/// How much of the labels of a series is shown.
const MAX_LABELS_CHARS: usize = 200;

/// The result of a query: a scalar is one series without labels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) series: Vec<Series>,
    /// What the server itself holds against its answer, in one line; empty for nothing.
    pub(crate) warnings: String,
}

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Its name and labels as PromQL writes them; empty if it has none.
    pub(crate) labels: String,
    pub(crate) value: f64,
}

/// What every endpoint answers with. Unknown fields are ignored: servers add their own.
#[derive(Deserialize)]
struct Envelope {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(rename = "errorType", default)]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: Value,
}

/// A number with its time, as Prometheus writes both: the value is a text, because JSON knows no
/// infinity.
type Point = (f64, String);

#[derive(Deserialize)]
struct VectorElement {
    metric: BTreeMap<String, String>,
    /// Absent for a native histogram.
    #[serde(default)]
    value: Option<Point>,
}

pub(crate) fn understand(url: &Address, answer: &Answer) -> Result<Measured, PluginError> {
    if answer.is_cut() {
        let message = format!(
            "{url} answered with more than {} bytes; aggregate in the query, with sum() or max()",
            answer.body().len()
        );
        return Err(PluginError::new(QUERY, message));
    }
    match serde_json::from_slice::<Envelope>(answer.body()) {
        Ok(Envelope { status, data: Some(data), warnings, .. }) if status == "success" => {
            let warnings = one_line(answer, &warnings.join("; "));
            Ok(Measured { series: series(data)?, warnings })
        }
        Ok(envelope) => {
            let words = format!("{}: {}", envelope.error_type, envelope.error);
            Err(refused(url, answer.status(), &one_line(answer, &words)))
        }
        Err(_) => {
            let words = String::from_utf8_lossy(answer.body());
            Err(not_prometheus(url, answer.status(), &one_line(answer, &words)))
        }
    }
}

fn one_line(answer: &Answer, words: &str) -> String {
    text::one_line(&answer.redacted(words), MAX_WORDS_CHARS)
}

fn series(data: Data) -> Result<Vec<Series>, PluginError> {
    let unreadable =
        |error: serde_json::Error| PluginError::new(GARBLED, format!("unreadable result: {error}"));
    match data.kind.as_str() {
        "vector" => {
            let elements: Vec<VectorElement> =
                serde_json::from_value(data.result).map_err(unreadable)?;
            elements.iter().map(element).collect()
        }
        "scalar" => {
            let point: Point = serde_json::from_value(data.result).map_err(unreadable)?;
            Ok(vec![Series { labels: String::new(), value: number(&point)? }])
        }
        kind => {
            let kind = text::one_line(kind, MAX_WORDS_CHARS);
            let message = format!(
                "the query gives a {kind}, which no limit can be held against: write an instant \
                 query, whose result is a number or one for each series"
            );
            Err(PluginError::new(QUERY, message))
        }
    }
}

fn element(element: &VectorElement) -> Result<Series, PluginError> {
    let labels = labels(&element.metric);
    match &element.value {
        Some(point) => Ok(Series { labels, value: number(point)? }),
        None => Err(PluginError::new(
            QUERY,
            format!("the query gives a histogram for {labels}: take a histogram_quantile() of it"),
        )),
    }
}

fn number((_, value): &Point) -> Result<f64, PluginError> {
    value.parse().map_err(|_| {
        let value = text::one_line(value, MAX_WORDS_CHARS);
        PluginError::new(GARBLED, format!("the server gives `{value}` as a value"))
    })
}

/// `name{label="value"}`.
fn labels(metric: &BTreeMap<String, String>) -> String {
    let name = metric.get("__name__").map(String::as_str).unwrap_or_default();
    let pairs: Vec<String> = metric
        .iter()
        .filter(|(label, _)| *label != "__name__")
        .map(|(label, value)| format!("{label}={value:?}"))
        .collect();
    let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(", ")) };
    text::one_line(&format!("{name}{labels}"), MAX_LABELS_CHARS)
}

/// An error in Prometheus's own words.
fn refused(url: &Address, status: u16, words: &str) -> PluginError {
    let message = format!("{url} refused the query with {words} (HTTP {status})");
    by_status(status, &message).unwrap_or_else(|| PluginError::new(QUERY, message))
}

/// An answer of a proxy, or of something else altogether.
fn not_prometheus(url: &Address, status: u16, words: &str) -> PluginError {
    let colon = if words.is_empty() { "" } else { ": " };
    let message = format!("{url} answered {status}{colon}{words}");
    by_status(status, &message).unwrap_or_else(|| {
        let hint = "; is `url` the base address of a Prometheus server?";
        PluginError::new(GARBLED, format!("{message}{hint}"))
    })
}

/// The statuses that mean the same whoever answers with them.
fn by_status(status: u16, message: &str) -> Option<PluginError> {
    match status {
        401 | 403 => {
            let hint = "; `bearer_token_env` or `headers_from_env` name who asks";
            Some(PluginError::new(DENIED, format!("{message}{hint}")))
        }
        429 | 500..=599 => Some(PluginError::new(UNAVAILABLE, message).retryable()),
        _ => None,
    }
}
