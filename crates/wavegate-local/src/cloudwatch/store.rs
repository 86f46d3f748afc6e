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
    /// The units in which there is data in a window, in AWS's order of preference.
    pub(crate) fn units(&self, window: Window) -> Vec<Unit> {
        let mut units: Vec<Unit> = self
            .series
            .iter()
            .filter(|(_, series)| series.within(window).next().is_some())
            .map(|(unit, _)| *unit)
            .collect();
        units.sort_by_key(|unit| unit.rank());
        units
    }

    /// The data of a window, one bucket for each period that has data, by the period's start. Without
    /// a unit, the data in the preferred one: CloudWatch never mixes units.
    pub(crate) fn read(&self, unit: Option<Unit>, window: Window) -> BTreeMap<i64, Bucket> {
        let unit = unit.or_else(|| self.units(window).first().copied());
        let mut periods: BTreeMap<i64, Bucket> = BTreeMap::new();
        for (_, series) in self.series.iter().filter(|(known, _)| Some(*known) == unit) {
            for (at, bucket) in series.within(window) {
                let slot = (at - window.start).div_euclid(window.period);
                periods.entry(window.start + slot * window.period).or_default().merge(bucket);
            }
        }
        periods
    }
}

impl Series {
    /// The buckets of a window with their starts in milliseconds. Periods below a minute are made of
    /// seconds; AWS: a minute that has no seconds, because its data has standard resolution, is seen
    /// at its start.
    fn within(&self, window: Window) -> impl Iterator<Item = (i64, &Bucket)> {
        let is_fine = window.period < 60_000;
        let minutes = range(&self.minutes, window, 60_000);
        let minutes = minutes.filter(move |(at, _)| {
            let second = at / 1_000;
            !is_fine || self.seconds.range(second..second + 60).next().is_none()
        });
        let seconds = is_fine.then(|| range(&self.seconds, window, 1_000));
        minutes.chain(seconds.into_iter().flatten())
    }

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

/// The buckets of that length that begin in a window, with their starts in milliseconds.
fn range(
    buckets: &BTreeMap<i64, Bucket>,
    window: Window,
    length: i64,
) -> impl Iterator<Item = (i64, &Bucket)> {
    let after = |time: i64| time.div_euclid(length) + i64::from(time.rem_euclid(length) != 0);
    let (first, last) = (after(window.start), after(window.end));
    buckets.range(first..last.max(first)).map(move |(at, bucket)| (at * length, bucket))
}

#[cfg(test)]
mod tests;
