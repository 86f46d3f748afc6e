//! The one place that reads the machine's clock.
//!
//! A lease must not stand still while the machine sleeps, and `Instant` does on Linux
//! (rust-lang/rust issue 87907). So the clock that counts sleep is read as well, and what it has more
//! is added. Neither follows the wall clock, which people and daemons set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nix::time::ClockId;
use tokio::time::Instant;

use crate::ports::Clock;

/// The machine's monotonic clock, started at a moment of the wall clock and sped up by a factor.
#[derive(Debug, Clone)]
pub struct ScaledClock {
    origin: Instant,
    /// How far the clock that counts sleep was ahead of the one that does not, at the origin.
    slept_before: Duration,
    origin_ms: u64,
    scale: f64,
    /// The latest moment that was told: two clocks are read one after the other, and time never goes
    /// back.
    latest: Arc<AtomicU64>,
}

impl ScaledClock {
    /// The wall clock as it is.
    pub fn real() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), 1.0)
    }

    /// A clock that shows `origin_ms` now and runs `scale` times as fast as the machine's.
    pub fn starting_at(origin_ms: u64, scale: f64) -> Self {
        let scale = if scale > 0.0 { scale } else { 1.0 };
        Self {
            origin: Instant::now(),
            slept_before: slept(),
            origin_ms,
            scale,
            latest: Arc::default(),
        }
    }
}

/// Linux's clock that goes on while the machine sleeps; elsewhere the monotonic clock does so itself.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SLEEPLESS: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SLEEPLESS: ClockId = ClockId::CLOCK_MONOTONIC;

/// The longest wait at once: a timer does not count the machine's sleep, so a long wait looks again.
const SLEEP_MAX: Duration = Duration::from_secs(10);

/// The shortest sleep of the machine that is counted.
const SLEEP_MIN: Duration = Duration::from_secs(1);

/// How long the machine slept since it was started.
fn slept() -> Duration {
    let read = |clock: ClockId| clock.now().map(Duration::from);
    match (read(SLEEPLESS), read(ClockId::CLOCK_MONOTONIC)) {
        (Ok(all), Ok(awake)) => all.saturating_sub(awake),
        // Where there is no such clock, the monotonic one alone is believed.
        _ => Duration::ZERO,
    }
}

#[async_trait]
impl Clock for ScaledClock {
    fn now_ms(&self) -> u64 {
        let slept = slept().saturating_sub(self.slept_before);
        // Two clocks are not read at the same instant: less than this is no sleep.
        let slept = if slept < SLEEP_MIN { Duration::ZERO } else { slept };
        let passed = (self.origin.elapsed() + slept).mul_f64(self.scale);
        let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let now = self.origin_ms.saturating_add(passed);
        self.latest.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn scale(&self) -> f64 {
        self.scale
    }

    async fn sleep_until(&self, at_ms: u64) {
        // Again and again: the machine may sleep in between, and then less is left than was.
        loop {
            let left = at_ms.saturating_sub(self.now_ms());
            if left == 0 {
                return;
            }
            // One millisecond more than the quotient: a sleep must never end before its moment.
            let span = Duration::from_millis(left).div_f64(self.scale) + Duration::from_millis(1);
            tokio::time::sleep(span.min(SLEEP_MAX)).await;
        }
    }
}
