//! The one place that reads the machine's clock.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::ports::Clock;

/// The machine's monotonic clock, started at a moment of the wall clock and sped up by a factor.
#[derive(Debug, Clone)]
pub struct ScaledClock {
    origin: Instant,
    origin_ms: u64,
    scale: f64,
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
        Self { origin: Instant::now(), origin_ms, scale: if scale > 0.0 { scale } else { 1.0 } }
    }
}

#[async_trait]
impl Clock for ScaledClock {
    fn now_ms(&self) -> u64 {
        let passed = self.origin.elapsed().mul_f64(self.scale);
        self.origin_ms.saturating_add(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
    }

    fn scale(&self) -> f64 {
        self.scale
    }

    async fn sleep_until(&self, at_ms: u64) {
        let virtual_span = Duration::from_millis(at_ms.saturating_sub(self.origin_ms));
        // One millisecond more than the quotient: a sleep must never end before its moment.
        let span = virtual_span.div_f64(self.scale) + Duration::from_millis(1);
        tokio::time::sleep_until(self.origin + span).await;
    }
}
