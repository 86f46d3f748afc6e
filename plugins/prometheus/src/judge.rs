//! From what was measured to a verdict. Pure.

use wavegate_plugin_sdk::AlarmStatus;

use crate::Config;
use crate::answer::{Measured, Series};

/// The verdict over all series of a result: one in breach fires, and the worst one is told.
pub(crate) fn judge(config: &Config, measured: &Measured) -> (AlarmStatus, String) {
    let (status, detail) = verdict(config, &measured.series);
    if measured.warnings.is_empty() {
        return (status, detail);
    }
    // The part of the data that is missing may be the bad one.
    let status = if status == AlarmStatus::Ok { AlarmStatus::Unknown } else { status };
    (status, format!("{detail}; the server warns: {}", measured.warnings))
}

/// What no data means.
pub(crate) fn without_data(config: &Config, reason: &str) -> (AlarmStatus, String) {
    let missing = config.missing_data;
    (missing.status(), format!("{reason}; missing data is {}", missing.as_str()))
}

fn verdict(config: &Config, series: &[Series]) -> (AlarmStatus, String) {
    let compared: Vec<Compared<'_>> =
        series.iter().filter_map(|series| Compared::of(config, series)).collect();
    let breaching = compared.iter().filter(|compared| compared.is_breach()).count();
    let worst = compared.iter().max_by(|a, b| a.excess.total_cmp(&b.excess));
    let strange = series.iter().find(|series| series.value.is_nan());
    match (worst, strange) {
        (Some(worst), _) if breaching > 0 => {
            (AlarmStatus::Firing, worst.words() + &of_all(breaching, series.len()))
        }
        (Some(_), Some(strange)) => (AlarmStatus::Unknown, no_number(strange)),
        (None, Some(strange)) => without_data(config, &no_number(strange)),
        (Some(worst), None) => (AlarmStatus::Ok, worst.words() + &all_of(series.len())),
        (None, None) => without_data(config, "the query gives nothing"),
    }
}

fn no_number(series: &Series) -> String {
    format!("{} is not a number, as 0/0 is not", named(&series.labels))
}

/// One series beside the limit that it comes closest to, or is farthest beyond.
struct Compared<'a> {
    series: &'a Series,
    limit: f64,
    bound: Bound,
    /// How far it is beyond the limit: above zero is a breach.
    excess: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Min,
    Max,
}

impl<'a> Compared<'a> {
    /// None for what is not a number, or if there is no limit.
    fn of(config: &Config, series: &'a Series) -> Option<Self> {
        let value = series.value;
        let above = config.max.map(|max| (value - max, max, Bound::Max));
        let below = config.min.map(|min| (min - value, min, Bound::Min));
        let farther = [above, below].into_iter().flatten().max_by(|a, b| a.0.total_cmp(&b.0));
        let (excess, limit, bound) = farther.filter(|_| !value.is_nan())?;
        Some(Self { series, limit, bound, excess })
    }

    fn is_breach(&self) -> bool {
        breaches(self.bound, self.series.value, self.limit)
    }

    /// Measured value, comparator and threshold: `errors{job="shop"} 12 > 5`.
    fn words(&self) -> String {
        let sign = match (self.bound, self.is_breach()) {
            (Bound::Max, true) => ">",
            (Bound::Max, false) => "<=",
            (Bound::Min, true) => "<",
            (Bound::Min, false) => ">=",
        };
        let value = self.told_apart();
        format!("{} {value} {sign} {}", named(&self.series.labels), exact(self.limit))
    }

    /// The value with as few digits as still stand on its side of the limit: nobody should read
    /// `1 > 1`.
    fn told_apart(&self) -> String {
        let value = self.series.value;
        if !value.is_finite() || value.fract() == 0.0 {
            return exact(value);
        }
        (4..17)
            .map(|digits| format!("{value:.digits$e}", digits = digits - 1))
            .filter_map(|text| text.parse().ok())
            .find(|shown| breaches(self.bound, *shown, self.limit) == self.is_breach())
            .map_or_else(|| exact(value), exact)
    }
}

fn breaches(bound: Bound, value: f64, limit: f64) -> bool {
    match bound {
        Bound::Max => value > limit,
        Bound::Min => value < limit,
    }
}

/// As PromQL writes numbers, in full where that is short.
fn exact(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let is_handy = value == 0.0 || (1e-6..1e15).contains(&value.abs());
    if is_handy { value.to_string() } else { format!("{value:e}") }
}

fn named(labels: &str) -> &str {
    if labels.is_empty() { "the result" } else { labels }
}

fn of_all(breaching: usize, all: usize) -> String {
    if all == 1 { String::new() } else { format!(", {breaching} of {all} series in breach") }
}

fn all_of(all: usize) -> String {
    if all == 1 { String::new() } else { format!(", the worst of {all} series") }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use AlarmStatus::{Firing, Ok, Unknown};

    fn config(extra: Value) -> Config {
        let mut config = json!({"url": "http://localhost:9090", "query": "q"});
        let Value::Object(extra) = extra else { panic!("an object") };
        config.as_object_mut().unwrap().extend(extra);
        serde_json::from_value(config).unwrap()
    }

    fn measured(series: &[(&str, f64)]) -> Measured {
        let series = series
            .iter()
            .map(|&(labels, value)| Series { labels: labels.to_owned(), value })
            .collect();
        Measured { series, warnings: String::new() }
    }

    #[test]
    fn the_detail_says_what_was_measured_and_against_what() {
        for (limits, value, status, detail) in [
            (json!({"max": 0.01}), 0.0, Ok, "the result 0 <= 0.01"),
            (json!({"max": 0.01}), 0.01, Ok, "the result 0.01 <= 0.01"),
            (json!({"max": 0.01}), 0.051_234_5, Firing, "the result 0.05123 > 0.01"),
            (json!({"max": 0.01}), 0.010_000_4, Firing, "the result 0.0100004 > 0.01"),
            (json!({"max": 5}), 1_234_567.0, Firing, "the result 1234567 > 5"),
            (json!({"max": 1e-9}), 2.5e-9, Firing, "the result 2.5e-9 > 1e-9"),
            (json!({"min": 1}), 0.5, Firing, "the result 0.5 < 1"),
            (json!({"min": 1}), 1.0, Ok, "the result 1 >= 1"),
            (json!({"min": 0, "max": 10}), 9.0, Ok, "the result 9 <= 10"),
            (json!({"min": 0, "max": 10}), 1.0, Ok, "the result 1 >= 0"),
            (json!({"min": 0, "max": 10}), -1.0, Firing, "the result -1 < 0"),
            (json!({"max": 5}), f64::INFINITY, Firing, "the result +Inf > 5"),
            (json!({"max": 5}), f64::NEG_INFINITY, Ok, "the result -Inf <= 5"),
            (json!({"min": 5}), f64::NEG_INFINITY, Firing, "the result -Inf < 5"),
            (json!({"min": 5}), f64::INFINITY, Ok, "the result +Inf >= 5"),
        ] {
            let told = judge(&config(limits), &measured(&[("", value)]));
            assert_eq!(told, (status, detail.to_owned()));
        }
    }

    #[test]
    fn one_series_in_breach_fires_and_the_worst_is_told() {
        let config = config(json!({"max": 5}));
        for (series, status, detail) in [
            (&[("a", 1.0), ("b", 7.0), ("c", 9.0)][..], Firing, "c 9 > 5, 2 of 3 series in breach"),
            (&[("a", 1.0), ("b", 4.0)], Ok, "b 4 <= 5, the worst of 2 series"),
            (&[("a", f64::NAN), ("b", 7.0)], Firing, "b 7 > 5, 1 of 2 series in breach"),
            (&[("a", 1.0), ("b", f64::NAN)], Unknown, "b is not a number, as 0/0 is not"),
        ] {
            assert_eq!(judge(&config, &measured(series)), (status, detail.to_owned()));
        }
    }

    #[test]
    fn silence_means_what_was_written() {
        for (missing_data, status) in [("unknown", Unknown), ("ok", Ok), ("breaching", Firing)] {
            let config = config(json!({"max": 5, "missing_data": missing_data}));
            let detail = format!("the query gives nothing; missing data is {missing_data}");
            assert_eq!(judge(&config, &measured(&[])), (status, detail));
        }
    }

    #[test]
    fn a_result_without_any_number_is_silence_too() {
        let nan = f64::NAN;
        for (missing_data, status) in [("unknown", Unknown), ("ok", Ok), ("breaching", Firing)] {
            let config = config(json!({"max": 5, "missing_data": missing_data}));
            let told = "is not a number, as 0/0 is not; missing data is";
            for (series, name) in
                [(&[("", nan)][..], "the result"), (&[("a", nan), ("b", nan)], "a")]
            {
                let detail = format!("{name} {told} {missing_data}");
                assert_eq!(judge(&config, &measured(series)), (status, detail));
            }
        }
        // Beside numbers it is none: the rest of the series is there.
        let config = config(json!({"max": 5, "missing_data": "ok"}));
        assert_eq!(judge(&config, &measured(&[("a", 1.0), ("b", nan)])).0, Unknown);
    }

    #[test]
    fn half_of_the_data_puts_no_alarm_out() {
        let config = config(json!({"max": 5, "missing_data": "ok"}));
        for (series, status, detail) in [
            (&[("", 1.0)][..], Unknown, "the result 1 <= 5"),
            (&[], Unknown, "the query gives nothing; missing data is ok"),
            (&[("", 7.0)], Firing, "the result 7 > 5"),
        ] {
            let measured = Measured { warnings: "half of it".into(), ..measured(series) };
            let detail = format!("{detail}; the server warns: half of it");
            assert_eq!(judge(&config, &measured), (status, detail));
        }
    }

    proptest! {
        #[test]
        fn it_fires_if_and_only_if_a_value_is_outside_and_the_text_never_lies(
            values in vec(prop_oneof![-20.0..20.0_f64, Just(f64::INFINITY), (-9_i32..9).prop_map(f64::from)], 1..6),
            min in -9_i32..0, max in 0_i32..9,
        ) {
            let (low, high) = (f64::from(min), f64::from(max));
            let series: Vec<_> = values.iter().map(|value| ("s", *value)).collect();
            let (status, detail) =
                judge(&config(json!({"min": min, "max": max})), &measured(&series));
            let outside = values.iter().any(|value| *value > high || *value < low);
            prop_assert_eq!(status == Firing, outside, "{}", &detail);
            let words: Vec<&str> = detail.split([' ', ',']).collect();
            let (shown, limit): (f64, f64) = (words[1].parse().unwrap(), words[3].parse().unwrap());
            let holds = match words[2] {
                ">" => shown > limit,
                "<=" => shown <= limit,
                "<" => shown < limit,
                ">=" => shown >= limit,
                other => panic!("{other}"),
            };
            prop_assert!(holds, "{}", detail);
        }

        #[test]
        fn more_series_never_put_an_alarm_out(values in vec(-20.0..20.0_f64, 1..6), extra in -20.0..20.0_f64) {
            let config = config(json!({"max": 5}));
            let mut series: Vec<_> = values.iter().map(|value| ("s", *value)).collect();
            let before = judge(&config, &measured(&series)).0;
            series.push(("more", extra));
            if before == Firing {
                prop_assert_eq!(judge(&config, &measured(&series)).0, Firing);
            }
        }
    }
}
