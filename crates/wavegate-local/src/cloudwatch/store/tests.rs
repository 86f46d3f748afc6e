//! The laws of the store.

use super::*;

const MINUTE: i64 = 60_000;

fn key(name: &str) -> MetricKey {
    MetricKey::new("NS".into(), name.into(), vec![])
}

fn one(value: f64) -> Samples {
    Samples::Value { value, count: 1.0 }
}

#[test]
fn the_order_of_dimensions_does_not_matter() {
    let a = ("A".to_owned(), "1".to_owned());
    let b = ("B".to_owned(), "2".to_owned());
    assert_eq!(
        MetricKey::new("N".into(), "m".into(), vec![b.clone(), a.clone()]),
        MetricKey::new("N".into(), "m".into(), vec![a, b])
    );
}

#[test]
fn periods_gather_the_buckets_inside_them() {
    let mut store = Store::default();
    for (at, value) in [(0, 1.0), (59_999, 2.0), (60_000, 4.0), (299_999, 8.0), (300_000, 16.0)] {
        store.add(key("m"), Unit::Count, at, false, one(value));
    }
    let window = Window { start: 0, end: 10 * MINUTE, period: 5 * MINUTE };
    let metric = store.metric(&key("m")).unwrap();
    let sums: Vec<_> =
        metric.read(None, window).into_iter().map(|(at, bucket)| (at, bucket.sum)).collect();
    assert_eq!(sums, [(0, 15.0), (300_000, 16.0)]);
}

#[test]
fn units_are_kept_apart() {
    let mut store = Store::default();
    store.add(key("m"), Unit::Count, 0, false, one(1.0));
    store.add(key("m"), Unit::Seconds, 0, false, one(2.0));
    let window = Window { start: 0, end: MINUTE, period: MINUTE };
    let metric = store.metric(&key("m")).unwrap();
    let maximum = |unit| metric.read(unit, window).remove(&0).map(|bucket| bucket.maximum);
    assert_eq!(maximum(Some(Unit::Count)), Some(1.0));
    // AWS prefers a count to seconds.
    assert_eq!(maximum(None), Some(1.0));
    assert_eq!(metric.units(window), [Unit::Count, Unit::Seconds]);
    assert!(metric.read(Some(Unit::Bytes), window).is_empty());
}

#[test]
fn below_a_minute_standard_data_is_seen_at_its_minute_if_there_is_no_finer() {
    let mut store = Store::default();
    store.add(key("m"), Unit::None, 12_000, true, one(1.0));
    store.add(key("m"), Unit::None, 13_000, false, one(1.0));
    store.add(key("m"), Unit::None, MINUTE + 13_000, false, one(1.0));
    let metric = store.metric(&key("m")).unwrap();
    let fine = |start: i64| -> Vec<(i64, f64)> {
        let window = Window { start, end: 2 * MINUTE, period: 10_000 };
        metric.read(None, window).into_iter().map(|(at, b)| (at, b.count)).collect()
    };
    assert_eq!(fine(0), [(10_000, 1.0), (MINUTE, 1.0)]);
    assert_eq!(fine(MINUTE + 10_000), []);
    let coarse = metric.read(None, Window { start: 0, end: MINUTE, period: MINUTE });
    assert_eq!(coarse.get(&0).map(|bucket| bucket.count), Some(2.0));
}

#[test]
fn data_older_than_its_retention_is_dropped() {
    let mut store = Store::default();
    store.add(key("old"), Unit::None, 0, true, one(1.0));
    store.add(key("new"), Unit::None, MINUTES_KEPT, true, one(1.0));
    store.prune(MINUTES_KEPT + MINUTE);
    assert!(store.metric(&key("old")).is_none());
    assert!(store.metric(&key("new")).is_some());
    store.prune(MINUTES_KEPT + SECONDS_KEPT + MINUTE);
    let metric = store.metric(&key("new")).unwrap();
    assert!(metric.series[0].1.seconds.is_empty());
    assert_eq!(metric.series[0].1.minutes.len(), 1);
}

#[test]
fn space_is_bounded_and_the_newest_data_stays() {
    let mut store = Store::default();
    let count = i64::try_from(MOST_CELLS / (BUCKET_CELLS + 1)).unwrap() + 10;
    for minute in 0..count {
        store.add(key("m"), Unit::None, minute * MINUTE, false, one(1.0));
    }
    assert!(store.cells <= MOST_CELLS);
    let minutes = &store.metric(&key("m")).unwrap().series[0].1.minutes;
    assert!(minutes.len() < usize::try_from(count).unwrap());
    assert_eq!(minutes.last_key_value().map(|(at, _)| *at), Some(count - 1));
}

#[test]
fn the_number_of_metrics_is_bounded_and_the_silent_ones_go_first() {
    let mut store = Store::default();
    for number in 0..=MOST_METRICS {
        let at = i64::try_from(number).unwrap() * 10;
        store.add(key(&number.to_string()), Unit::None, at, false, one(1.0));
    }
    assert!(store.metrics.len() <= MOST_METRICS);
    assert!(store.metric(&key("0")).is_none());
    assert!(store.metric(&key(&MOST_METRICS.to_string())).is_some());
    let cells: usize = store
        .metrics
        .values()
        .flat_map(|metric| metric.series.iter().map(|(_, series)| series.cells()))
        .sum();
    assert_eq!(store.cells, cells);
}
