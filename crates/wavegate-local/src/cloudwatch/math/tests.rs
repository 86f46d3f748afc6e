//! Metric math, by table.

use super::*;

/// Points at 0, 1000, …; `None` is a missing point.
fn series(points: &[Option<f64>]) -> TimeSeries {
    let points = points
        .iter()
        .enumerate()
        .filter_map(|(index, value)| value.map(|value| (at(index), value)))
        .collect();
    TimeSeries { period: 1_000, points, ..Default::default() }
}

fn at(index: usize) -> i64 {
    i64::try_from(index).unwrap() * 1_000
}

fn evaluate(text: &str, known: &[(&str, &[Option<f64>])]) -> Result<Outcome, Reason> {
    let outcomes: BTreeMap<String, Outcome> = known
        .iter()
        .map(|(id, points)| ((*id).to_owned(), Outcome::Series(series(points))))
        .collect();
    let metrics: Vec<String> = known.iter().map(|(id, _)| (*id).to_owned()).collect();
    let window = |period| Window { start: 0, end: 5_000, period };
    parse(text)?.evaluate(&Scope {
        outcomes: &outcomes,
        metrics: &metrics,
        window: &window,
        period: 1_000,
        search: &|_, _, _| Err("nothing is found here".to_owned()),
    })
}

/// The five points of an expression's only series.
fn points(text: &str, known: &[(&str, &[Option<f64>])]) -> Vec<Option<f64>> {
    match evaluate(text, known) {
        Ok(Outcome::Series(series)) => {
            (0..5).map(|index| series.points.get(&at(index)).copied()).collect()
        }
        other => panic!("{text}: {other:?}"),
    }
}

use Some as s;

const N: Option<f64> = None;

#[test]
fn operators_follow_the_user_guide() {
    let m1 = [s(30.0), s(20.0), s(0.0), s(0.0), N];
    let m2 = [s(20.0), N, s(20.0), N, N];
    let known: &[(&str, &[Option<f64>])] = &[("m1", &m1), ("m2", &m2)];
    let rows: [(&str, [Option<f64>; 5]); 12] = [
        ("m1 < m2", [s(0.0), s(0.0), s(1.0), s(0.0), N]),
        ("m1 >= 30", [s(1.0), s(0.0), s(0.0), s(0.0), N]),
        ("m1 > 15 AND m2 > 15", [s(1.0), s(0.0), s(0.0), s(0.0), N]),
        ("m1 > 15 || m2 > 15", [s(1.0), s(1.0), s(1.0), s(0.0), N]),
        ("m1 + m2", [s(50.0), s(20.0), s(20.0), s(0.0), N]),
        ("m1 / m2", [s(1.5), N, s(0.0), N, N]),
        ("m1/m2*100", [s(150.0), N, s(0.0), N, N]),
        ("-m1 + 1", [s(-29.0), s(-19.0), s(1.0), s(1.0), N]),
        ("2 ^ 3 ^ 2 + m1 * 0", [s(512.0), s(512.0), s(512.0), s(512.0), N]),
        ("(m1 - 10) * 2", [s(40.0), s(20.0), s(-20.0), s(-20.0), N]),
        ("m1 == 20", [s(0.0), s(1.0), s(0.0), s(0.0), N]),
        ("m1 - -1", [s(31.0), s(21.0), s(1.0), s(1.0), N]),
    ];
    for (text, expected) in rows {
        assert_eq!(points(text, known), expected, "{text}");
    }
}

#[test]
fn if_follows_the_tables_of_the_user_guide() {
    let m1 = [s(1.0), s(1.0), s(0.0), s(0.0), N];
    let m2 = [s(30.0), N, s(0.0), s(0.0), s(30.0)];
    let m3 = [s(0.0), s(0.0), s(20.0), N, s(20.0)];
    let known: &[(&str, &[Option<f64>])] = &[("m1", &m1), ("m2", &m2), ("m3", &m3)];
    let rows: [(&str, [Option<f64>; 5]); 6] = [
        ("IF(m1, m2, m3)", [s(30.0), s(0.0), s(20.0), N, N]),
        ("IF(m1, 5, m3)", [s(5.0), s(5.0), s(20.0), N, N]),
        ("IF(m1, m2, 5)", [s(30.0), s(0.0), s(5.0), s(5.0), N]),
        ("IF(m2 < 40, m2)", [s(30.0), N, s(0.0), s(0.0), s(30.0)]),
        ("IF(1, m2, m3)", [s(30.0), N, s(0.0), s(0.0), s(30.0)]),
        ("IF(0, m2)", [N, N, N, N, N]),
    ];
    for (text, expected) in rows {
        assert_eq!(points(text, known), expected, "{text}");
    }
}

#[test]
fn functions_come_to_what_the_user_guide_says() {
    let m1 = [s(1.0), N, s(3.0), s(5.0), N];
    let m2 = [s(1.0), s(1.0), s(1.0), s(1.0), s(1.0)];
    let known: &[(&str, &[Option<f64>])] = &[("m1", &m1), ("m2", &m2)];
    let rows: [(&str, [Option<f64>; 5]); 20] = [
        ("FILL(m1, 0)", [s(1.0), s(0.0), s(3.0), s(5.0), s(0.0)]),
        ("FILL(m1, REPEAT)", [s(1.0), s(1.0), s(3.0), s(5.0), s(5.0)]),
        ("FILL(m1, LINEAR)", [s(1.0), s(2.0), s(3.0), s(5.0), N]),
        ("FILL(m1, m2 * 7)", [s(1.0), s(7.0), s(3.0), s(5.0), s(7.0)]),
        ("FILL(m1, MIN(m1))", [s(1.0), s(1.0), s(3.0), s(5.0), s(1.0)]),
        ("SUM(METRICS())", [s(2.0), s(1.0), s(4.0), s(6.0), s(1.0)]),
        ("AVG([m1, m2])", [s(1.0), s(0.5), s(2.0), s(3.0), s(0.5)]),
        ("MAX(METRICS())", [s(1.0), s(1.0), s(3.0), s(5.0), s(1.0)]),
        ("MIN(METRICS(\"m1\"))", [s(1.0), N, s(3.0), s(5.0), N]),
        ("m2 * SUM(m1)", [s(9.0), s(9.0), s(9.0), s(9.0), s(9.0)]),
        ("m2 * AVG(m1)", [s(3.0), s(3.0), s(3.0), s(3.0), s(3.0)]),
        ("m2 * DATAPOINT_COUNT(m1)", [s(3.0), s(3.0), s(3.0), s(3.0), s(3.0)]),
        ("m2 * METRIC_COUNT(METRICS())", [s(2.0), s(2.0), s(2.0), s(2.0), s(2.0)]),
        ("m2 / PERIOD(m2)", [s(1.0), s(1.0), s(1.0), s(1.0), s(1.0)]),
        ("DIFF(m1)", [N, N, s(2.0), s(2.0), N]),
        ("RATE(m1)", [N, N, s(1.0), s(2.0), N]),
        ("RUNNING_SUM(m1)", [s(1.0), N, s(4.0), s(9.0), N]),
        ("FIRST(SORT(METRICS(), SUM, DESC))", [s(1.0), N, s(3.0), s(5.0), N]),
        ("TIME_SERIES(4)", [s(4.0), s(4.0), s(4.0), s(4.0), s(4.0)]),
        ("EPOCH(m1)", [s(0.0), s(1.0), s(2.0), s(3.0), s(4.0)]),
    ];
    for (text, expected) in rows {
        assert_eq!(points(text, known), expected, "{text}");
    }
}

#[test]
fn arrays_are_combined_series_by_series() {
    let m1 = [s(1.0), N, N, N, N];
    let m2 = [s(4.0), N, N, N, N];
    let known: &[(&str, &[Option<f64>])] = &[("m1", &m1), ("m2", &m2)];
    let Ok(Outcome::Array(several)) = evaluate("METRICS() * 10", known) else { panic!() };
    assert_eq!(several.iter().map(|one| one.points[&0]).collect::<Vec<_>>(), [10.0, 40.0]);
    let Ok(Outcome::Array(several)) = evaluate("SLICE(METRICS(), 1)", known) else { panic!() };
    assert_eq!(several.len(), 1);
}

#[test]
fn bad_expressions_are_refused_with_a_reason() {
    let deep = format!("{}1{}", "(".repeat(200), ")".repeat(200));
    let rows = [
        ("", "ends where a value is needed"),
        ("m1 +", "ends where a value is needed"),
        ("(m1", "expected ')'"),
        ("m1 m2", "the name m2 was not expected"),
        ("nope * 2", "the id nope names no metric"),
        ("SEARCH('x', 'Sum', 60)", "nothing is found here"),
        ("SEARCH('x', 'Sum', 61)", "legal period"),
        ("SEARCH(m1)", "SEARCH takes"),
        ("NOPE(m1)", "there is no function NOPE"),
        ("m1 # 2", "'#' means nothing"),
        ("SUM(m1, m1)", "SUM takes one argument, not 2"),
        ("\"open", "a string is not closed"),
        ("FILL(m1)", "FILL takes two arguments"),
        ("SUM(3)", "not a number"),
        (&deep, "deeper than 64"),
        (&"-".repeat(1_000), "deeper than 64"),
    ];
    for (text, expected) in rows {
        let reason = evaluate(text, &[("m1", &[s(1.0)]), ("m2", &[s(1.0)])]).unwrap_err();
        assert!(reason.contains(expected), "{text}: {reason}");
    }
}
