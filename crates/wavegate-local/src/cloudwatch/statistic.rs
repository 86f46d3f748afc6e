//! The statistics that can be asked of the data of a period, extended ones included.
//!
//! Names are CloudWatch's: `Sum`, `p99.9`, `tm90`, `TM(10%:90%)`, `TC(:100)`, `PR(:300)`, `IQM`.
//! Percentiles are the nearest rank. Deliberately absent: anything for negative values, which
//! CloudWatch has no percentiles of either.

use super::store::Bucket;

/// A statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Statistic {
    /// How many samples.
    SampleCount,
    /// Their mean.
    Average,
    /// Their sum.
    Sum,
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
    /// The value below which that share (0 to 100) of the samples lies.
    Percentile(f64),
    /// The mean of the samples within bounds.
    TrimmedMean(Range),
    /// The mean when samples outside are moved to the bounds.
    WinsorizedMean(Range),
    /// The number of samples within bounds.
    TrimmedCount(Range),
    /// The sum of the samples within bounds.
    TrimmedSum(Range),
    /// The share (0 to 100) of samples within bounds.
    PercentileRank(Range),
}

/// The bounds of a trimmed statistic; a bound that is not given is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    low: Bound,
    high: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    Open,
    /// A share of the samples, 0 to 100.
    Percent(f64),
    Value(f64),
}

impl Statistic {
    /// The statistic of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => return Self::parse_extended(name),
        })
    }

    /// The extended statistic of that name.
    pub(crate) fn parse_extended(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("iqm") {
            let range = Range { low: Bound::Percent(25.0), high: Bound::Percent(75.0) };
            return Some(Self::TrimmedMean(range));
        }
        if let Some(share) = name.strip_prefix(['p', 'P']).and_then(percent) {
            return Some(Self::Percentile(share));
        }
        let kind = name.get(..2)?;
        let range = Range::parse(name.get(2..)?)?;
        Some(match kind.to_ascii_lowercase().as_str() {
            "tm" => Self::TrimmedMean(range),
            "wm" => Self::WinsorizedMean(range),
            "tc" => Self::TrimmedCount(range),
            "ts" => Self::TrimmedSum(range),
            "pr" => Self::PercentileRank(range),
            _ => return None,
        })
    }

    /// The fewest samples that make a percentile significant: 10 divided by its distance to the
    /// nearer end. 0 for all other statistics. (User guide, "Percentile-based CloudWatch alarms
    /// and low data samples".)
    pub(crate) fn significant_samples(self) -> f64 {
        let Self::Percentile(share) = self else { return 0.0 };
        let distance = if share >= 50.0 { 100.0 - share } else { share };
        if distance <= 0.0 { f64::INFINITY } else { 1_000.0 / distance }
    }

    /// The statistic of a period's data; `None` when it cannot be told, as for percentiles of data
    /// that came as statistic sets or that has negative values.
    pub(crate) fn of(self, bucket: &Bucket) -> Option<f64> {
        if bucket.count <= 0.0 {
            return None;
        }
        match self {
            Self::SampleCount => Some(bucket.count),
            Self::Average => Some(bucket.sum / bucket.count),
            Self::Sum => Some(bucket.sum),
            Self::Minimum => Some(bucket.minimum),
            Self::Maximum => Some(bucket.maximum),
            _ if bucket.opaque || bucket.minimum < 0.0 => None,
            Self::Percentile(share) => Some(percentile(bucket, share)),
            Self::TrimmedMean(range) => {
                let (count, sum) = range.within(bucket);
                (count > 0.0).then(|| sum / count)
            }
            Self::WinsorizedMean(range) => Some(range.winsorized(bucket)),
            Self::TrimmedCount(range) => Some(range.within(bucket).0),
            Self::TrimmedSum(range) => Some(range.within(bucket).1),
            Self::PercentileRank(range) => Some(range.within(bucket).0 / bucket.count * 100.0),
        }
    }
}

/// A number from 0 to 100.
fn percent(text: &str) -> Option<f64> {
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|share| (0.0..=100.0).contains(share))
}

fn percentile(bucket: &Bucket, share: f64) -> f64 {
    let rank = (share / 100.0 * bucket.count).max(f64::MIN_POSITIVE);
    let mut seen = 0.0;
    for (value, count) in bucket.values.entries() {
        seen += count;
        // Counts may be fractions, so the last rank can miss the total by rounding.
        if seen >= rank * (1.0 - 1e-12) {
            return value.clamp(bucket.minimum, bucket.maximum);
        }
    }
    bucket.maximum
}

impl Range {
    /// `90` (from the start to 90 %), `(10%:90%)`, `(:100)` and the like.
    fn parse(text: &str) -> Option<Self> {
        let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
            return Some(Self { low: Bound::Open, high: Bound::Percent(percent(text)?) });
        };
        let (low, high) = inner.split_once(':')?;
        let (low, high) = (Bound::parse(low)?, Bound::parse(high)?);
        let legal = match (low, high) {
            (Bound::Open, Bound::Open)
            | (Bound::Percent(_), Bound::Value(_))
            | (Bound::Value(_), Bound::Percent(_)) => false,
            (Bound::Percent(low), Bound::Percent(high))
            | (Bound::Value(low), Bound::Value(high)) => low <= high,
            _ => true,
        };
        legal.then_some(Self { low, high })
    }

    /// Count and sum of the samples within the bounds. Percent bounds cut through entries.
    fn within(self, bucket: &Bucket) -> (f64, f64) {
        let from = match self.low {
            Bound::Percent(share) => share / 100.0 * bucket.count,
            _ => 0.0,
        };
        let to = match self.high {
            Bound::Percent(share) => share / 100.0 * bucket.count,
            _ => bucket.count,
        };
        let (mut seen, mut kept, mut sum) = (0.0_f64, 0.0, 0.0);
        for (value, count) in bucket.values.entries() {
            let value = value.clamp(bucket.minimum, bucket.maximum);
            let (start, end) = (seen, seen + count);
            seen = end;
            let above = !matches!(self.low, Bound::Value(low) if value < low);
            let below = !matches!(self.high, Bound::Value(high) if value > high);
            let inside = end.min(to) - start.max(from);
            if above && below && inside > 0.0 {
                kept += inside;
                sum += inside * value;
            }
        }
        (kept, sum)
    }

    fn winsorized(self, bucket: &Bucket) -> f64 {
        let edge = |bound: Bound, open: f64| match bound {
            Bound::Open => open,
            Bound::Value(value) => value,
            Bound::Percent(share) => percentile(bucket, share),
        };
        let low = edge(self.low, bucket.minimum);
        let high = edge(self.high, bucket.maximum).max(low);
        let sum: f64 = bucket
            .values
            .entries()
            .iter()
            .map(|(value, count)| value.clamp(low, high) * count)
            .sum();
        sum / bucket.count
    }
}

impl Bound {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Self::Open);
        }
        match text.strip_suffix('%') {
            Some(share) => percent(share).map(Self::Percent),
            None => text.parse().ok().filter(|value: &f64| value.is_finite()).map(Self::Value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hundred() -> Bucket {
        let mut bucket = Bucket::default();
        for value in 1..=100 {
            bucket.add_value(f64::from(value), 1.0);
        }
        bucket
    }

    #[test]
    fn statistics_of_one_to_a_hundred() {
        let rows: [(&str, f64); 17] = [
            ("SampleCount", 100.0),
            ("Average", 50.5),
            ("Sum", 5050.0),
            ("Minimum", 1.0),
            ("Maximum", 100.0),
            ("p0", 1.0),
            ("p50", 50.0),
            ("p99.9", 100.0),
            ("p100", 100.0),
            ("tm90", 45.5),
            ("TM(10%:90%)", 50.5),
            ("tc90", 90.0),
            ("ts10", 55.0),
            ("TC(:25)", 25.0),
            ("PR(:25)", 25.0),
            ("IQM", 50.5),
            ("WM(:50)", 37.75),
        ];
        for (name, expected) in rows {
            let found = Statistic::parse(name).and_then(|statistic| statistic.of(&hundred()));
            let found = found.unwrap_or(f64::NAN);
            assert!((found - expected).abs() < 1e-9, "{name}: {found}, not {expected}");
        }
    }

    #[test]
    fn names_that_are_no_statistic_are_refused() {
        for name in
            ["", "p", "p101", "p-1", "p1e1x", "tm", "TM(90%:10%)", "TM(10%:5)", "avg", "TM(:)"]
        {
            assert_eq!(Statistic::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_statistic_set_has_no_percentiles_unless_all_its_values_are_equal() {
        let mut bucket = Bucket::default();
        bucket.add_set(3.0, 6.0, 2.0, 2.0);
        assert_eq!(Statistic::Percentile(50.0).of(&bucket), Some(2.0));
        bucket.add_set(2.0, 5.0, 1.0, 4.0);
        assert_eq!(Statistic::Percentile(50.0).of(&bucket), None);
        assert_eq!(Statistic::Sum.of(&bucket), Some(11.0));
    }

    #[test]
    fn negative_values_have_no_percentiles() {
        let mut bucket = Bucket::default();
        bucket.add_value(-1.0, 1.0);
        assert_eq!(Statistic::Percentile(50.0).of(&bucket), None);
        assert_eq!(Statistic::Minimum.of(&bucket), Some(-1.0));
    }
}
