//! Time as the core sees it: a number that the caller passes in.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on the release's own monotonic clock, in milliseconds since some origin.
///
/// Never compared across machines. Under a time scale it is virtual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// How long ago `earlier` was; zero if it is not in the past.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

impl Sub<Mono> for Mono {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// A duration in whole milliseconds.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Writes a duration as people say it: `90s`, `10m`, `1h05m`, `250ms`.
pub fn human(span: Duration) -> Human {
    Human(span)
}

/// See [`human`].
#[derive(Debug, Clone, Copy)]
pub struct Human(Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let text = match (hours, minutes, rest) {
            (0, 0, 0) if self.0.subsec_millis() > 0 => format!("{}ms", self.0.subsec_millis()),
            (0, 0, s) => format!("{s}s"),
            (0, 1, s) if s > 0 => format!("{}s", 60 + s),
            (0, m, 0) => format!("{m}m"),
            (0, m, s) => format!("{m}m{s:02}s"),
            (h, 0, _) => format!("{h}h"),
            (h, m, _) => format!("{h}h{m:02}m"),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (ms, text) in [
            (0, "0s"),
            (250, "250ms"),
            (5_000, "5s"),
            (90_000, "90s"),
            (600_000, "10m"),
            (605_000, "10m05s"),
            (3_900_000, "1h05m"),
        ] {
            assert_eq!(human(Duration::from_millis(ms)).to_string(), text);
        }
    }
}
