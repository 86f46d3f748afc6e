//! Which values occurred how often, in bounded space: what percentiles are computed from.
//!
//! Up to [`MOST_VALUES`] distinct values are kept exactly. Beyond that, values are rounded up to a
//! grid of powers, whose step doubles (1 %, 2 %, 4 %, …) until they fit; a percentile is then off by
//! at most one step. Invariants: entries are sorted by value and distinct; the sum of the counts
//! never changes by rounding.

/// The most distinct values kept. 128 keep the one-minute durations of a function to within 8 %
/// over three decades, in 2 KiB.
pub(crate) const MOST_VALUES: usize = 128;

/// The finest step of the grid, as the logarithm of the ratio of neighbours.
const FINEST_STEP: f64 = 0.01;

/// Values with their counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Histogram {
    entries: Vec<(f64, f64)>,
    /// How often the grid was coarsened; 0 means that all values are exact.
    coarseness: u32,
}

impl Histogram {
    /// A histogram of these entries, in any order.
    pub(crate) fn of(entries: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut histogram = Self::default();
        for (value, count) in entries {
            histogram.add(value, count);
        }
        histogram
    }

    /// The entries, sorted by value.
    pub(crate) fn entries(&self) -> &[(f64, f64)] {
        &self.entries
    }

    /// Adds a value that occurred `count` times.
    pub(crate) fn add(&mut self, value: f64, count: f64) {
        let value = if self.coarseness == 0 { value } else { snap(value, self.coarseness) };
        match self.entries.binary_search_by(|(known, _)| known.total_cmp(&value)) {
            Ok(index) => self.entries[index].1 += count,
            Err(index) => {
                self.entries.insert(index, (value, count));
                while self.entries.len() > MOST_VALUES {
                    self.coarsen();
                }
            }
        }
    }

    /// Adds all of another histogram.
    pub(crate) fn merge(&mut self, other: &Self) {
        while self.coarseness < other.coarseness {
            self.coarsen();
        }
        for (value, count) in &other.entries {
            self.add(*value, *count);
        }
    }

    fn coarsen(&mut self) {
        self.coarseness += 1;
        let entries = std::mem::take(&mut self.entries);
        for (value, count) in entries {
            let value = snap(value, self.coarseness);
            match self.entries.last_mut() {
                // Rounding keeps the order, so equal values are neighbours.
                Some(last) if last.0 >= value => last.1 += count,
                _ => self.entries.push((value, count)),
            }
        }
    }
}

/// Rounds a value away from zero to the grid of that coarseness. Each grid lies inside the finer
/// ones, so rounding twice is rounding once.
fn snap(value: f64, coarseness: u32) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let step = FINEST_STEP * f64::from(coarseness.saturating_sub(1).min(30)).exp2();
    // The small bias keeps a value that is on the grid there, whatever the logarithm rounds to.
    let exponent = (value.abs().ln() / step - 1e-6).ceil();
    (exponent * step).exp().copysign(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_values_are_kept_exactly() {
        let histogram = Histogram::of((1..=100).map(|value| (f64::from(value), 1.0)));
        assert_eq!(histogram.entries().len(), 100);
        assert_eq!(histogram.entries()[49], (50.0, 1.0));
    }

    proptest! {
        #[test]
        fn space_is_bounded_counts_are_kept_and_values_stay_near(
            values in prop::collection::vec(0.001f64..100_000.0, 1..2_000)
        ) {
            let histogram = Histogram::of(values.iter().map(|value| (*value, 1.0)));
            prop_assert!(histogram.entries().len() <= MOST_VALUES);
            let total: f64 = histogram.entries().iter().map(|(_, count)| count).sum();
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let expected = values.len() as f64;
            prop_assert!((total - expected).abs() < 1e-6);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let median = sorted[(sorted.len() - 1) / 2];
            let mut seen = 0.0;
            let found = histogram.entries().iter().find(|(_, count)| {
                seen += count;
                seen >= (expected / 2.0).ceil()
            }).map(|(value, _)| *value).unwrap_or_default();
            prop_assert!(found >= median * 0.7 && found <= median * 1.4, "{found} for {median}");
        }

        #[test]
        fn entries_stay_sorted_and_distinct(
            values in prop::collection::vec(-1_000.0f64..1_000.0, 1..600)
        ) {
            let histogram = Histogram::of(values.into_iter().map(|value| (value, 2.0)));
            for pair in histogram.entries().windows(2) {
                prop_assert!(pair[0].0 < pair[1].0);
            }
        }
    }
}
