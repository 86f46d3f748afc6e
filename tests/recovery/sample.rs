//! What of everything that could be tried is tried today.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// All of it: `WAVEGATE_RECOVERY=all`.
    All,
    /// A sample that this number names: `WAVEGATE_RECOVERY=20783`, else another one every day.
    Seed(u64),
}

impl Choice {
    /// What the environment says; a seed is printed, so that a failure can be had again.
    pub(crate) fn of_the_environment() -> Self {
        let told = std::env::var("WAVEGATE_RECOVERY").unwrap_or_default();
        if told == "all" {
            return Self::All;
        }
        let seed = told.parse().unwrap_or_else(|_| today());
        say(&format!("the same sample again: WAVEGATE_RECOVERY={seed}"));
        Self::Seed(seed)
    }
}

/// Says something in any case: a test that passed has figures to show, too.
pub(crate) fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

#[expect(clippy::disallowed_methods, reason = "the day names the sample")]
fn today() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / 86_400
}

/// `SplitMix64`: a small generator that is the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap_or(u64::MAX)).unwrap_or_default()
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
