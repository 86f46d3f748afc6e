//! The metric data: per metric and unit, buckets of a minute, and of a second where asked for.
//!
//! Invariants: a bucket's sum, extremes and count are exact; its values are a bounded histogram.
//! Retention is CloudWatch's for one-minute data (15 days) and for high resolution (3 hours), in
//! virtual time, and bounded in space: past [`MOST_CELLS`] the oldest quarter is dropped, whatever
//! its age, and past [`MOST_METRICS`] the metrics that were silent longest. Deliberately absent:
//! roll-ups to five minutes and an hour for older data.

use std::collections::{BTreeMap, HashMap};

use super::histogram::Histogram;
use super::unit::Unit;

/// How long one-minute data is kept, in milliseconds of virtual time.
pub(crate) const MINUTES_KEPT: i64 = 15 * 24 * 3_600_000;
/// How long high-resolution data is kept, in milliseconds of virtual time.
pub(crate) const SECONDS_KEPT: i64 = 3 * 3_600_000;
/// The most cells of 16 bytes that all buckets together may take: 64 MiB.
pub(crate) const MOST_CELLS: usize = 4 * 1024 * 1024;
/// The most metrics kept, counting each combination of dimensions.
pub(crate) const MOST_METRICS: usize = 50_000;
/// What a bucket takes beside its values, in cells.
const BUCKET_CELLS: usize = 8;

/// What tells one metric from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MetricKey {
    /// The namespace, such as `AWS/Lambda`.
    pub(crate) namespace: String,
    /// The metric's name.
    pub(crate) name: String,
    /// The dimensions, sorted: their order does not matter to CloudWatch.
    pub(crate) dimensions: Vec<(String, String)>,
}

impl MetricKey {
    /// The key of a metric, its dimensions in any order.
    pub(crate) fn new(
        namespace: String,
        name: String,
        mut dimensions: Vec<(String, String)>,
    ) -> Self {
        if !dimensions.is_sorted() {
            dimensions.sort();
        }
        Self { namespace, name, dimensions }
    }
}

/// The samples of one minute or one second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bucket {
    /// How many samples.
    pub(crate) count: f64,
    /// Their sum.
    pub(crate) sum: f64,
    /// The smallest.
    pub(crate) minimum: f64,
    /// The largest.
    pub(crate) maximum: f64,
    /// Their values; incomplete when `opaque`.
    pub(crate) values: Histogram,
    /// Whether some samples came as a statistic set, so that single values are unknown.
    pub(crate) opaque: bool,
}

impl Bucket {
    /// Adds a value that occurred `count` times.
    pub(crate) fn add_value(&mut self, value: f64, count: f64) {
        if count <= 0.0 {
            return;
        }
        self.widen(value, value);
        self.count += count;
        self.sum += value * count;
        self.values.add(value, count);
    }

    /// Adds a statistic set. One whose values must all be equal counts as those values.
    pub(crate) fn add_set(&mut self, count: f64, sum: f64, minimum: f64, maximum: f64) {
        if count <= 0.0 {
            return;
        }
        #[expect(clippy::float_cmp, reason = "equal bounds mean equal values only when exact")]
        let uniform = minimum == maximum;
        self.widen(minimum, maximum);
        self.count += count;
        self.sum += sum;
        if uniform {
            self.values.add(minimum, count);
        } else {
            self.opaque = true;
        }
    }

    /// Adds all of another bucket.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count <= 0.0 {
            return;
        }
        self.widen(other.minimum, other.maximum);
        self.count += other.count;
        self.sum += other.sum;
        self.values.merge(&other.values);
        self.opaque |= other.opaque;
    }

    fn widen(&mut self, minimum: f64, maximum: f64) {
        if self.count <= 0.0 {
            self.minimum = minimum;
            self.maximum = maximum;
        } else {
            self.minimum = self.minimum.min(minimum);
            self.maximum = self.maximum.max(maximum);
        }
    }

    fn cells(&self) -> usize {
        BUCKET_CELLS + self.values.entries().len()
    }
}

/// Samples to add to one bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Samples {
    /// A value and how often it occurred.
    Value {
        /// The value.
        value: f64,
        /// How often.
        count: f64,
    },
    /// A statistic set.
    Set {
        /// How many samples.
        count: f64,
        /// Their sum.
        sum: f64,
        /// The smallest.
        minimum: f64,
        /// The largest.
        maximum: f64,
    },
}

/// The data of a metric in one unit, by the start of each bucket in minutes or seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// Buckets of one minute.
    pub(crate) minutes: BTreeMap<i64, Bucket>,
    /// Buckets of one second, for samples of high resolution.
    pub(crate) seconds: BTreeMap<i64, Bucket>,
}

/// A stretch of time cut into periods. All numbers are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The start of the first period, inclusive.
    pub(crate) start: i64,
    /// The end, exclusive. A last period that it cuts is counted as far as it goes.
    pub(crate) end: i64,
    /// The length of a period.
    pub(crate) period: i64,
}

impl Window {
    /// The starts of the periods, oldest first.
    pub(crate) fn slots(self) -> impl Iterator<Item = i64> {
        (0..)
            .map(move |index| self.start + index * self.period)
            .take_while(move |at| *at < self.end)
    }
}

/// All metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    metrics: HashMap<MetricKey, Metric>,
    cells: usize,
}

/// One metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metric {
    /// Its data, one series for each unit it was ever reported in.
    pub(crate) series: Vec<(Unit, Series)>,
    /// The newest timestamp reported, in milliseconds.
    pub(crate) newest: i64,
}

impl Store {
    /// Adds samples. Costs a hash and two searches of small trees.
    pub(crate) fn add(
        &mut self,
        key: MetricKey,
        unit: Unit,
        timestamp_ms: i64,
        high_resolution: bool,
        samples: Samples,
    ) {
        if self.metrics.len() >= MOST_METRICS && !self.metrics.contains_key(&key) {
            self.forget_silent_metrics();
        }
        let metric = self.metrics.entry(key).or_default();
        metric.newest = metric.newest.max(timestamp_ms);
        let index = metric.series.iter().position(|(known, _)| *known == unit);
        let index = index.unwrap_or_else(|| {
            metric.series.push((unit, Series::default()));
            metric.series.len() - 1
        });
        let series = &mut metric.series[index].1;
        let (before, after) = add_to(&mut series.minutes, timestamp_ms.div_euclid(60_000), samples);
        self.cells = self.cells + after - before;
        if high_resolution {
            let (before, after) =
                add_to(&mut series.seconds, timestamp_ms.div_euclid(1_000), samples);
            self.cells = self.cells + after - before;
        }
        if self.cells > MOST_CELLS {
            self.drop_oldest_quarter();
        }
    }

    /// The metric of that key.
    pub(crate) fn metric(&self, key: &MetricKey) -> Option<&Metric> {
        self.metrics.get(key)
    }

    /// All metrics, sorted by their keys.
    pub(crate) fn sorted(&self) -> Vec<(&MetricKey, &Metric)> {
        let mut all: Vec<_> = self.metrics.iter().collect();
        all.sort_by_key(|(key, _)| *key);
        all
    }

    /// Puts a metric back, as a snapshot kept it.
    pub(crate) fn put_back(&mut self, key: MetricKey, metric: Metric) {
        self.cells += metric.series.iter().map(|(_, series)| series.cells()).sum::<usize>();
        self.metrics.insert(key, metric);
    }

    /// Drops what is older than CloudWatch keeps it.
    pub(crate) fn prune(&mut self, now_ms: i64) {
        self.keep_from(
            (now_ms - MINUTES_KEPT).div_euclid(60_000),
            (now_ms - SECONDS_KEPT).div_euclid(1_000),
        );
    }

    fn keep_from(&mut self, minute: i64, second: i64) {
        let mut cells = 0;
        self.metrics.retain(|_, metric| {
            for (_, series) in &mut metric.series {
                // `split_off` only when something is old: it rebuilds the tree.
                if series.minutes.first_key_value().is_some_and(|(first, _)| *first < minute) {
                    series.minutes = series.minutes.split_off(&minute);
                }
                if series.seconds.first_key_value().is_some_and(|(first, _)| *first < second) {
                    series.seconds = series.seconds.split_off(&second);
                }
            }
            metric.series.retain(|(_, series)| !series.minutes.is_empty());
            cells += metric.series.iter().map(|(_, series)| series.cells()).sum::<usize>();
            !metric.series.is_empty()
        });
        self.cells = cells;
    }

    fn drop_oldest_quarter(&mut self) {
        let mut minutes: Vec<i64> = Vec::new();
        for metric in self.metrics.values() {
            for (_, series) in &metric.series {
                minutes.extend(series.minutes.keys());
                minutes.extend(series.seconds.keys().map(|second| second.div_euclid(60)));
            }
        }
        if minutes.is_empty() {
            return;
        }
        let quarter = minutes.len() / 4;
        let (_, cut, _) = minutes.select_nth_unstable(quarter);
        let cut = *cut + 1;
        self.keep_from(cut, cut * 60);
    }

    fn forget_silent_metrics(&mut self) {
        let mut newest: Vec<i64> = self.metrics.values().map(|metric| metric.newest).collect();
        let tenth = newest.len() / 10;
        let (_, cut, _) = newest.select_nth_unstable(tenth);
        let cut = *cut;
        // Ties at the cut all go, so there is always room afterwards.
        self.metrics.retain(|_, metric| metric.newest > cut);
        self.keep_from(i64::MIN, i64::MIN);
    }
}

impl Metric {
    /// The data of a window, one bucket for each period that has data, by the period's start.
    /// Without a unit, the data of all units together.
    pub(crate) fn read(&self, unit: Option<Unit>, window: Window) -> BTreeMap<i64, Bucket> {
        let mut periods: BTreeMap<i64, Bucket> = BTreeMap::new();
        for (known, series) in &self.series {
            if unit.is_some_and(|unit| unit != *known) {
                continue;
            }
            let (buckets, length) = if window.period < 60_000 {
                (&series.seconds, 1_000)
            } else {
                (&series.minutes, 60_000)
            };
            let first = window.start.div_euclid(length);
            let last =
                window.end.div_euclid(length) + i64::from(window.end.rem_euclid(length) != 0);
            if first >= last {
                continue;
            }
            for (at, bucket) in buckets.range(first..last) {
                let slot = (at * length - window.start).div_euclid(window.period);
                periods.entry(window.start + slot * window.period).or_default().merge(bucket);
            }
        }
        periods
    }
}

impl Series {
    fn cells(&self) -> usize {
        self.minutes.values().chain(self.seconds.values()).map(Bucket::cells).sum()
    }
}

/// Adds samples to the bucket at that place; returns the cells it took before and takes now.
fn add_to(buckets: &mut BTreeMap<i64, Bucket>, at: i64, samples: Samples) -> (usize, usize) {
    let mut before = 0;
    let bucket = buckets.entry(at).and_modify(|bucket| before = bucket.cells()).or_default();
    match samples {
        Samples::Value { value, count } => bucket.add_value(value, count),
        Samples::Set { count, sum, minimum, maximum } => {
            bucket.add_set(count, sum, minimum, maximum);
        }
    }
    (before, bucket.cells())
}

#[cfg(test)]
mod tests {
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
        for (at, value) in [(0, 1.0), (59_999, 2.0), (60_000, 4.0), (299_999, 8.0), (300_000, 16.0)]
        {
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
        assert_eq!(maximum(None), Some(2.0));
        assert!(metric.read(Some(Unit::Bytes), window).is_empty());
    }

    #[test]
    fn only_high_resolution_data_is_seen_below_a_minute() {
        let mut store = Store::default();
        store.add(key("m"), Unit::None, 12_000, true, one(1.0));
        store.add(key("m"), Unit::None, 13_000, false, one(1.0));
        let metric = store.metric(&key("m")).unwrap();
        let fine = metric.read(None, Window { start: 0, end: MINUTE, period: 10_000 });
        assert_eq!(
            fine.into_iter().map(|(at, b)| (at, b.count)).collect::<Vec<_>>(),
            [(10_000, 1.0)]
        );
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
}
