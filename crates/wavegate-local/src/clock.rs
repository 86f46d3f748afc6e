//! The virtual clock: the only place in this crate that reads the machine's clocks.
//!
//! Virtual time is milliseconds since the Unix epoch. It starts at the wall clock (or later, see
//! below) and then runs `time_scale` times as fast as real time. It never goes back: it is driven
//! by the monotonic clock, and a restart begins at a high-water mark that was stored ahead of time,
//! so that even a killed cloud does not repeat a moment.
//!
//! Function code lives in real time (its timeouts are real seconds), so the module also offers
//! wall-clock milliseconds and stopwatches.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How far ahead of now the persisted high-water mark lies, in real time. It bounds both how often
/// the mark is written and how far a killed cloud's clock jumps ahead.
pub const HIGH_WATER_LEAD: Duration = Duration::from_secs(10);

/// A clock that runs `time_scale` times as fast as the machine's. Clones share the same time.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    origin: Arc<Origin>,
}

#[derive(Debug)]
struct Origin {
    started: Instant,
    base_ms: i64,
    time_scale: f64,
}

impl VirtualClock {
    /// Starts a clock at the wall clock or at `not_before_ms`, whichever is later.
    ///
    /// `time_scale` must be finite and greater than zero; the caller checks it.
    #[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
    pub fn start(time_scale: f64, not_before_ms: i64) -> Self {
        let base_ms = wall_ms().max(not_before_ms);
        Self { origin: Arc::new(Origin { started: Instant::now(), base_ms, time_scale }) }
    }

    /// Virtual milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        self.virtual_ms_at(self.elapsed())
    }

    /// How many virtual seconds pass in a real one.
    pub fn time_scale(&self) -> f64 {
        self.origin.time_scale
    }

    /// Sleeps until virtual time `at_ms`; returns at once when that has passed.
    pub async fn sleep_until(&self, at_ms: i64) {
        loop {
            let left = at_ms - self.now_ms();
            if left <= 0 {
                return;
            }
            // Never shorter than a real millisecond: below that the timer would only spin.
            let wait = self.real(left).max(Duration::from_millis(1));
            tokio::time::sleep(wait).await;
        }
    }

    /// Sleeps for `virtual_ms` of virtual time.
    pub async fn sleep(&self, virtual_ms: i64) {
        self.sleep_until(self.now_ms().saturating_add(virtual_ms)).await;
    }

    /// The mark to persist now: no moment of this run before the next write lies beyond it.
    pub fn high_water_ms(&self) -> i64 {
        self.virtual_ms_at(self.elapsed() + HIGH_WATER_LEAD)
    }

    /// The real duration of `virtual_ms` of virtual time.
    #[expect(
        clippy::cast_precision_loss,
        reason = "spans of virtual time stay far below 2^52 milliseconds"
    )]
    pub fn real(&self, virtual_ms: i64) -> Duration {
        let seconds = virtual_ms.max(0) as f64 / 1000.0 / self.origin.time_scale;
        // A year is longer than any wait here, and keeps the conversion away from its limits.
        Duration::try_from_secs_f64(seconds.min(31_536_000.0)).unwrap_or(Duration::ZERO)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
    fn elapsed(&self) -> Duration {
        Instant::now().duration_since(self.origin.started)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds of a run fit in 63 bits; the fraction is dropped on purpose"
    )]
    fn virtual_ms_at(&self, elapsed: Duration) -> i64 {
        let passed = elapsed.as_secs_f64() * 1000.0 * self.origin.time_scale;
        self.origin.base_ms.saturating_add(passed as i64)
    }
}

/// Measures real durations.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Real time since the start.
    #[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
    pub fn elapsed(&self) -> Duration {
        Instant::now().duration_since(self.0)
    }

    /// Real milliseconds since the start, with their fraction.
    pub fn elapsed_ms(&self) -> f64 {
        self.elapsed().as_secs_f64() * 1000.0
    }
}

/// Wall-clock milliseconds since the Unix epoch. Runtime deadlines are told in these, because
/// function code compares them with its own clock.
#[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_never_starts_before_the_stored_mark() {
        let mark = wall_ms() + 3_600_000;
        assert!(VirtualClock::start(1.0, mark).now_ms() >= mark);
        assert!(VirtualClock::start(1.0, 0).now_ms() >= mark - 3_600_000);
    }

    #[test]
    fn the_high_water_mark_lies_ahead_by_the_scaled_lead() {
        let clock = VirtualClock::start(60.0, 0);
        let ahead = clock.high_water_ms() - clock.now_ms();
        assert!((599_000..=600_000).contains(&ahead), "{ahead}");
    }

    #[test]
    fn real_durations_are_scaled_and_bounded() {
        let clock = VirtualClock::start(60.0, 0);
        assert_eq!(clock.real(60_000).as_secs(), 1);
        assert_eq!(clock.real(-5), Duration::ZERO);
        assert!(clock.real(i64::MAX).as_secs() <= 31_536_000);
    }

    #[tokio::test]
    async fn sleeping_reaches_the_virtual_moment() {
        let clock = VirtualClock::start(1000.0, 0);
        let target = clock.now_ms() + 5_000;
        clock.sleep_until(target).await;
        assert!(clock.now_ms() >= target);
    }
}
