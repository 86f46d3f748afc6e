//! The labels of time series: what CloudWatch calls a metric that was given no label, and the
//! dynamic parts of labels that were given.
//!
//! Recorded on AWS: a metric is called by its name, and by its statistic and its period where those
//! differ among the metrics of a request. Metrics that differ in dimensions are told apart by the
//! values of these. Deliberately absent: the dynamic parts that tell a distance in time; they are
//! left as they are written.

use super::math::TimeSeries;
use super::queries::Context;
use super::store::MetricKey;

/// What a label is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labeled<'a> {
    /// The metric.
    pub(crate) key: &'a MetricKey,
    /// The statistic's name.
    pub(crate) stat: &'a str,
    /// The period in milliseconds.
    pub(crate) period: i64,
}

/// The labels of metrics that are shown together.
pub(crate) fn defaults(all: &[Labeled<'_>]) -> Vec<String> {
    fn differs<'a, T: PartialEq>(all: &[Labeled<'a>], part: impl Fn(&Labeled<'a>) -> T) -> bool {
        all.windows(2).any(|pair| part(&pair[0]) != part(&pair[1]))
    }
    let names = differs(all, |one| &one.key.name);
    let dimensions = differs(all, |one| &one.key.dimensions);
    let stats = differs(all, |one| one.stat);
    let periods = differs(all, |one| one.period);
    let shared =
        |dimension: &(String, String)| all.iter().all(|one| one.key.dimensions.contains(dimension));
    all.iter()
        .map(|one| {
            let mut parts: Vec<String> = Vec::new();
            if dimensions {
                let own = one.key.dimensions.iter().filter(|dimension| !shared(dimension));
                parts.extend(own.map(|(_, value)| value.clone()));
            }
            if names || parts.is_empty() {
                parts.push(one.key.name.clone());
            }
            if stats {
                parts.push(one.stat.to_owned());
            }
            if periods {
                parts.push((one.period / 1_000).to_string());
            }
            parts.join(" ")
        })
        .collect()
}

/// Whether a label says where the name of the series stands; otherwise that follows it.
pub(crate) fn names_its_series(template: &str) -> bool {
    template.contains("${LABEL}") || template.contains("${PROP(")
}

/// A label with its dynamic parts, such as `${MAX}` and `${PROP('Dim.FunctionName')}`, filled in.
pub(crate) fn filled(template: &str, series: &TimeSeries, context: Context<'_>) -> String {
    let mut label = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        label.push_str(before);
        let Some((part, after)) = after.split_once('}') else {
            label.push_str("${");
            label.push_str(after);
            return label;
        };
        match value(part.trim(), series, context) {
            Some(value) => label.push_str(&value),
            None => label.extend(["${", part, "}"]),
        }
        rest = after;
    }
    label.push_str(rest);
    label
}

fn value(part: &str, series: &TimeSeries, context: Context<'_>) -> Option<String> {
    if part == "LABEL" {
        return Some(series.label.clone());
    }
    if let Some(name) = part.strip_prefix("PROP(").and_then(|rest| rest.strip_suffix(')')) {
        return property(name.trim().trim_matches(['\'', '"']), series, context);
    }
    let points = &series.points;
    if part == "DATAPOINT_COUNT" {
        return Some(points.len().to_string());
    }
    let by_value = |left: &(&i64, &f64), right: &(&i64, &f64)| left.1.total_cmp(right.1);
    let first = points.first_key_value();
    let last = points.last_key_value();
    let lowest = points.iter().min_by(by_value);
    let highest = points.iter().max_by(by_value);
    let sum: f64 = points.values().sum();
    #[expect(clippy::cast_precision_loss, reason = "at most 100 800 points")]
    let count = points.len() as f64;
    let (name, of_time) = match part.strip_suffix("_TIME") {
        Some(name) => (name, true),
        None => (part, false),
    };
    let range = |from: Option<(&i64, &f64)>, to: Option<(&i64, &f64)>| {
        Some((to?.1 - from?.1).abs().to_string())
    };
    let point = match name {
        "FIRST" => first,
        "LAST" => last,
        "MIN" => lowest,
        "MAX" => highest,
        "AVG" if !of_time && count > 0.0 => return Some((sum / count).to_string()),
        "SUM" if !of_time => return Some(sum.to_string()),
        "FIRST_LAST_RANGE" if !of_time => return range(first, last),
        "MIN_MAX_RANGE" if !of_time => return range(lowest, highest),
        _ => return None,
    };
    // A series without points has no values to show.
    let Some((at, value)) = point else { return Some("--".to_owned()) };
    if of_time { Some(clock(*at, context.offset)) } else { Some(value.to_string()) }
}

fn clock(at: i64, offset: i64) -> String {
    jiff::Timestamp::from_millisecond(at.saturating_add(offset * 60_000))
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn property(name: &str, series: &TimeSeries, context: Context<'_>) -> Option<String> {
    match name {
        "AccountId" => return Some(context.home.account.clone()),
        "Period" => return Some((series.period / 1_000).to_string()),
        "Region" => return Some(context.home.region.clone()),
        _ => {}
    }
    let origin = series.origin.as_ref()?;
    match name {
        "MetricName" => Some(origin.key.name.clone()),
        "Namespace" => Some(origin.key.namespace.clone()),
        "Stat" => Some(origin.stat.clone()),
        _ => {
            let dimension = name.strip_prefix("Dim.")?;
            let mut dimensions = origin.key.dimensions.iter();
            dimensions.find(|(name, _)| name == dimension).map(|(_, value)| value.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::home::Home;
    use crate::cloudwatch::math::Origin;
    use crate::cloudwatch::store::Store;

    fn key(name: &str, function: Option<&str>) -> MetricKey {
        let dimensions = function.map(|value| ("FunctionName".to_owned(), value.to_owned()));
        MetricKey::new("NS".into(), name.into(), dimensions.into_iter().collect())
    }

    #[test]
    fn a_label_says_what_tells_metrics_apart() {
        let (m, n) = (key("m", None), key("n", None));
        let (a, b) = (key("m", Some("a")), key("m", Some("b")));
        let label = |key, stat, seconds: i64| Labeled { key, stat, period: seconds * 1_000 };
        let rows: [(&[Labeled<'_>], &[&str]); 6] = [
            (&[label(&m, "Sum", 60)], &["m"]),
            (&[label(&m, "Sum", 60), label(&n, "Sum", 60)], &["m", "n"]),
            (&[label(&m, "Sum", 60), label(&m, "Minimum", 60)], &["m Sum", "m Minimum"]),
            (&[label(&m, "Sum", 60), label(&m, "Minimum", 30)], &["m Sum 60", "m Minimum 30"]),
            (&[label(&m, "Sum", 60), label(&m, "Sum", 30)], &["m 60", "m 30"]),
            (&[label(&a, "Sum", 60), label(&b, "Sum", 60)], &["a", "b"]),
        ];
        for (metrics, expected) in rows {
            assert_eq!(defaults(metrics), expected);
        }
    }

    #[test]
    fn dynamic_parts_are_filled_in() {
        let origin = Origin { key: key("m", Some("fn")), stat: "Sum".into(), units: Vec::new() };
        let series = TimeSeries {
            label: "fn".into(),
            period: 60_000,
            points: [(0, 4.0), (60_000, 1.5), (120_000, 3.5)].into(),
            origin: Some(origin),
        };
        let home = Home { region: "eu-west-1".into(), account: "123456789012".into() };
        let context = Context { store: &Store::default(), home: &home, offset: 60 };
        let rows = [
            ("[max: ${MAX}] ${LABEL}", "[max: 4] fn"),
            ("${MIN} ${AVG} ${SUM} ${LAST}", "1.5 3 9 3.5"),
            ("${MIN_MAX_RANGE} ${FIRST_LAST_RANGE} ${DATAPOINT_COUNT}", "2.5 0.5 3"),
            ("${MIN_TIME}", "1970-01-01 01:01:00"),
            ("${PROP('Dim.FunctionName')}/${PROP('Stat')}/${PROP('Period')}", "fn/Sum/60"),
            ("${PROP('Region')} ${PROP('AccountId')}", "eu-west-1 123456789012"),
            ("${OTHER} ${open", "${OTHER} ${open"),
        ];
        for (template, expected) in rows {
            assert_eq!(filled(template, &series, context), expected);
        }
    }
}
