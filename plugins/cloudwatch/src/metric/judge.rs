//! From what was measured to a verdict. Pure.

use wavegate_plugin_sdk::AlarmStatus;

use super::config::{Max, MetricConfig};

/// One period of the candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// The metric's value; absent when nothing was reported and nothing can be concluded.
    pub(crate) value: Option<f64>,
    /// How many times the candidate was called: what a share is a share of.
    pub(crate) calls: f64,
}

/// The verdict over the periods since the candidate first got traffic, oldest first.
///
/// Fires when `periods` counting periods in a row are over `max`, now or at any time before: a flap
/// between two readings must not be missed. Periods that do not count neither break nor lengthen a
/// run.
pub(crate) fn judge(config: &MetricConfig, samples: &[Sample]) -> (AlarmStatus, String) {
    let counting: Vec<(f64, f64)> = samples
        .iter()
        .filter(|sample| sample.calls >= f64::from(config.min_samples))
        .filter_map(|sample| Some((sample.value?, sample.calls)))
        .collect();
    let Some(&(value, calls)) = counting.last() else {
        return without_data(config, samples);
    };
    let mut run = 0;
    for &(value, calls) in &counting {
        run = if breaches(config.max, value, calls) { run + 1 } else { 0 };
        if run >= config.periods.max(1) {
            let detail = comparison(config, value, calls);
            return (AlarmStatus::Firing, with_run(detail, config, run));
        }
    }
    let detail = comparison(config, value, calls);
    (AlarmStatus::Ok, if run == 0 { detail } else { with_run(detail, config, run) })
}

fn without_data(config: &MetricConfig, samples: &[Sample]) -> (AlarmStatus, String) {
    let most = samples.iter().map(|sample| sample.calls).fold(0.0, f64::max);
    let reason = if most > 0.0 && most < f64::from(config.min_samples) {
        format!("at most {} of {} calls in a period", number(most), config.min_samples)
    } else {
        format!("no {} of the candidate yet", config.metric)
    };
    let missing = config.missing_data;
    (missing.status(), format!("{reason}; missing data is {}", missing.as_str()))
}

/// Compared without division, so that a share that equals `max` is not over it.
fn breaches(max: Max, value: f64, calls: f64) -> bool {
    match max {
        Max::Share(share) => value * 10_000.0 > f64::from(share.basis_points()) * calls,
        Max::Value(max) => value > max,
    }
}

/// Measured value, comparator and threshold: `Errors 12/60 = 20% > 1%`, `Duration p95 812 > 500`.
fn comparison(config: &MetricConfig, value: f64, calls: f64) -> String {
    let sign = if breaches(config.max, value, calls) { ">" } else { "<=" };
    let metric = &config.metric;
    match config.max {
        Max::Share(share) => {
            let max = f64::from(share.basis_points()) / 100.0;
            let measured = told_apart(value * 100.0 / calls, max);
            format!("{metric} {}/{} = {measured}% {sign} {share}", number(value), number(calls))
        }
        Max::Value(max) => {
            let stat = if config.is_count() { String::new() } else { format!(" {}", config.stat) };
            format!("{metric}{stat} {} {sign} {}", told_apart(value, max), number(max))
        }
    }
}

fn with_run(detail: String, config: &MetricConfig, run: u32) -> String {
    if config.periods > 1 {
        format!("{detail}, {run} of {} periods", config.periods)
    } else {
        detail
    }
}

/// `measured` with as few decimals as still stand on its side of `max`: nobody should read
/// `1% > 1%`.
fn told_apart(measured: f64, max: f64) -> String {
    (1..=6)
        .map(|decimals| rounded(measured, decimals))
        .find(|text| text.parse::<f64>().is_ok_and(|shown| (shown > max) == (measured > max)))
        .unwrap_or_else(|| number(measured))
}

fn number(value: f64) -> String {
    rounded(value, 2)
}

fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn config(extra: Value) -> MetricConfig {
        let mut config = json!({"metric": "Errors", "max": "1%"});
        let Value::Object(extra) = extra else { panic!("an object") };
        config.as_object_mut().unwrap().extend(extra);
        serde_json::from_value(config).unwrap()
    }

    fn samples(of: &[(f64, f64)]) -> Vec<Sample> {
        of.iter().map(|&(value, calls)| Sample { value: Some(value), calls }).collect()
    }

    #[test]
    fn the_detail_says_what_was_measured_and_against_what() {
        use AlarmStatus::{Firing, Ok};
        for (extra, measured, status, detail) in [
            (json!({}), (3.0, 412.0), Ok, "Errors 3/412 = 0.7% <= 1%"),
            (json!({}), (12.0, 60.0), Firing, "Errors 12/60 = 20% > 1%"),
            (json!({}), (0.0, 7.0), Ok, "Errors 0/7 = 0% <= 1%"),
            (json!({}), (1.0, 100.0), Ok, "Errors 1/100 = 1% <= 1%"),
            (json!({}), (1_001.0, 100_000.0), Firing, "Errors 1001/100000 = 1.001% > 1%"),
            (json!({"max": "0%"}), (1.0, 1_000_000.0), Firing, "Errors 1/1000000 = 0.0001% > 0%"),
            (json!({"max": 5}), (6.0, 7.0), Firing, "Errors 6 > 5"),
            (
                json!({"metric": "Duration", "stat": "p95", "max": 500}),
                (812.46, 60.0),
                Firing,
                "Duration p95 812.5 > 500",
            ),
            (
                json!({"metric": "Duration", "stat": "p95", "max": 500}),
                (500.04, 60.0),
                Firing,
                "Duration p95 500.04 > 500",
            ),
        ] {
            let told = judge(&config(extra), &samples(&[measured]));
            assert_eq!(told, (status, detail.to_owned()));
        }
    }

    #[test]
    fn a_flap_between_two_readings_is_not_missed() {
        let config = config(json!({"periods": 2}));
        let flap = samples(&[(0.0, 10.0), (5.0, 10.0), (6.0, 10.0), (0.0, 10.0), (0.0, 10.0)]);
        assert_eq!(
            judge(&config, &flap),
            (AlarmStatus::Firing, "Errors 6/10 = 60% > 1%, 2 of 2 periods".to_owned())
        );
        let too_short = samples(&[(5.0, 10.0), (0.0, 10.0), (5.0, 10.0)]);
        assert_eq!(
            judge(&config, &too_short),
            (AlarmStatus::Ok, "Errors 5/10 = 50% > 1%, 1 of 2 periods".to_owned())
        );
    }

    #[test]
    fn periods_that_do_not_count_do_not_break_a_run() {
        let config = config(json!({"periods": 2, "min_samples": 5}));
        let gap = samples(&[(5.0, 10.0), (0.0, 4.0), (5.0, 10.0)]);
        assert_eq!(judge(&config, &gap).0, AlarmStatus::Firing);
    }

    #[test]
    fn silence_means_what_was_written() {
        for (missing_data, status) in [
            ("unknown", AlarmStatus::Unknown),
            ("ok", AlarmStatus::Ok),
            ("breaching", AlarmStatus::Firing),
        ] {
            let config = config(json!({"missing_data": missing_data, "min_samples": 5}));
            let (told, detail) = judge(&config, &[]);
            assert_eq!(told, status);
            assert_eq!(
                detail,
                format!("no Errors of the candidate yet; missing data is {missing_data}")
            );
            let (told, detail) = judge(&config, &samples(&[(4.0, 4.0), (1.0, 2.0)]));
            assert_eq!(told, status, "too few calls are no data");
            assert!(detail.starts_with("at most 4 of 5 calls in a period"), "{detail}");
        }
        let config = config(json!({"metric": "Duration", "stat": "p95", "max": 1}));
        let unreported = Sample { value: None, calls: 9.0 };
        assert_eq!(judge(&config, &[unreported]).0, AlarmStatus::Unknown);
    }

    proptest! {
        #[test]
        fn without_a_breach_it_never_fires_and_with_one_it_never_is_unknown(
            measured in vec((0_u32..50, 1_u32..1_000), 1..30), share in 0_u32..=100,
        ) {
            let config = config(json!({"max": format!("{share}%")}));
            let floats: Vec<_> =
                measured.iter().map(|&(v, c)| (f64::from(v), f64::from(c))).collect();
            let over = measured.iter().any(|&(v, c)| v * 100 > share * c);
            let expected = if over { AlarmStatus::Firing } else { AlarmStatus::Ok };
            let (status, detail) = judge(&config, &samples(&floats));
            prop_assert_eq!(status, expected);
            prop_assert_eq!(detail.contains('>'), over, "{}", detail);
        }

        #[test]
        fn more_periods_never_put_an_alarm_out(
            measured in vec((0_u32..50, 0_u32..1_000), 0..30), periods in 1_u32..5, cut in 0_usize..30,
        ) {
            let config = config(json!({"periods": periods}));
            let floats: Vec<_> =
                measured.iter().map(|&(v, c)| (f64::from(v), f64::from(c))).collect();
            let all = samples(&floats);
            let before = judge(&config, &all[..cut.min(all.len())]).0;
            if before == AlarmStatus::Firing {
                prop_assert_eq!(judge(&config, &all).0, AlarmStatus::Firing);
            }
        }
    }
}
