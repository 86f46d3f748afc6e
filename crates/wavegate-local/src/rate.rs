//! AWS's quota on control-plane calls, for rehearsals that want to meet it.
//!
//! It counts in real time: callers make their calls in real time, however fast the virtual clock
//! runs. Each bucket holds one second's worth of calls.

use std::sync::{Mutex, PoisonError};

use crate::clock::Stopwatch;
use crate::lambda::error::ApiError;

/// AWS: `GetFunction` calls a second.
const GET_FUNCTION_PER_SECOND: u32 = 100;

/// The quota of one account and region.
#[derive(Debug)]
pub(crate) struct RateLimit {
    watch: Stopwatch,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    control: Bucket,
    get_function: Bucket,
}

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    level: f64,
    at: f64,
}

impl RateLimit {
    /// A limit for everything but `Invoke` and `GetFunction`, which has its own.
    pub(crate) fn new(per_second: u32) -> Self {
        let buckets = Buckets {
            control: Bucket::new(per_second),
            get_function: Bucket::new(GET_FUNCTION_PER_SECOND),
        };
        Self { watch: Stopwatch::start(), buckets: Mutex::new(buckets) }
    }

    /// Lets a call pass or refuses it.
    pub(crate) fn check(&self, operation: &str) -> Result<(), ApiError> {
        let now = self.watch.elapsed().as_secs_f64();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let passes = match operation {
            "Invoke" => true,
            "GetFunction" => buckets.get_function.take(now),
            _ => buckets.control.take(now),
        };
        if passes { Ok(()) } else { Err(ApiError::rate_exceeded(1)) }
    }
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, level: per_second, at: 0.0 }
    }

    fn take(&mut self, now: f64) -> bool {
        self.level = (self.level + (now - self.at) * self.per_second).min(self.per_second);
        self.at = now;
        let passes = self.level >= 1.0;
        if passes {
            self.level -= 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_rate_passes() {
        let mut bucket = Bucket::new(15);
        let passed = (0..1000).filter(|call| bucket.take(f64::from(*call) / 100.0)).count();
        // Ten seconds at fifteen, and one second's worth that was saved up.
        assert!((160..=165).contains(&passed), "{passed}");
    }

    #[test]
    fn invocations_are_not_limited_and_get_function_has_its_own_limit() {
        let limit = RateLimit::new(1);
        assert!(limit.check("UpdateAlias").is_ok());
        let refused = limit.check("GetAlias").unwrap_err();
        assert_eq!((refused.status, refused.reason), (429, Some("CallerRateLimitExceeded")));
        assert!((0..500).all(|_| limit.check("Invoke").is_ok()));
        assert!((0..100).all(|_| limit.check("GetFunction").is_ok()));
    }
}
