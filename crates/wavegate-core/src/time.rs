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

/// Reads a duration as people write it: `90s`, `10m`, `1h30m`, `500ms`, `2d`. `None` if it is none,
/// or too long to be counted.
pub fn parse_span(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit_ms = match &rest[..end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        rest = &rest[end..];
        total = total.checked_add(Duration::from_millis(number.checked_mul(unit_ms)?))?;
        if rest.is_empty() {
            return Some(total);
        }
    }
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
    fn durations_are_read_as_people_write_them() {
        for (text, ms) in [
            ("90s", Some(90_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("2d", Some(172_800_000)),
            ("0s", Some(0)),
            ("", None),
            ("10", None),
            ("m", None),
            ("10 m", None),
            ("-5s", None),
            ("1.5h", None),
            ("5s5", None),
            ("５s", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(parse_span(text), ms.map(Duration::from_millis), "{text}");
        }
    }

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
