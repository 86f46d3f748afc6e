//! Calls to the cloud: one budget for the whole release, priorities, retries and counts.
//!
//! Lambda allows 15 control-plane requests per second for a whole account and region, and 100 for
//! `GetFunction`. Everything that calls asks here first; when the budget is short, what is more
//! urgent goes first: putting back, then the lock, then forward, then looking. A 429 halves the
//! rate, every success brings a little of it back.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use wavegate_core::release::Priority;

use crate::ports::{Clock, CloudError, FaultKind};

/// Which budget a call is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Lambda's control plane, all operations but those below: 15 per second.
    Control,
    /// `GetFunction`: 100 per second.
    Get,
    /// CodeDeploy, which documents no quota.
    CodeDeploy,
    /// Everything else; not limited here.
    Free,
}

/// How often a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Once: whoever asked judges the outcome.
    Once,
    /// It is safe to repeat, and can be done without: a few times.
    Few,
    /// It is safe to repeat: until it works, is refused, or its time is over.
    Safe,
}

/// How long a safe call is repeated. Longer than any throttling burst that AWS documents, shorter
/// than anybody's patience with a pipeline that hangs.
const SAFE_FOR_MS: u64 = 5 * 60 * 1000;

/// How often a call is tried that can be done without: a service that does not know an operation
/// often answers as if it were broken, and waiting does not teach it.
const FEW_TRIES: u32 = 3;

/// An endpoint where nothing answers is given up on after this many tries: it is more often a
/// wrong URL than a passing fault.
const UNREACHABLE_TRIES: u32 = 4;

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// `GetFunction`'s quota in terms of the control plane's. Source: Lambda's quotas, 100 and 15.
const GET_FACTOR: f64 = 100.0 / 15.0;

/// CodeDeploy's calls in terms of Lambda's control plane: five per second beside fifteen. AWS documents
/// no quota and throttles; a look at sixteen deployments every fifteen seconds takes half of it.
const CODEDEPLOY_FACTOR: f64 = 1.0 / 3.0;

/// The share of the quota that is used, so that clocks that disagree a little cost no 429.
const USED_SHARE: f64 = 0.97;

/// Makes calls. Clones share budget and counts.
#[derive(Clone)]
pub struct Caller {
    clock: Arc<dyn Clock>,
    control: Option<Arc<Budget>>,
    get: Option<Arc<Budget>>,
    codedeploy: Option<Arc<Budget>>,
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
    /// The cloud has answered as asked: the credentials were good.
    has_worked: Arc<AtomicBool>,
}

impl Caller {
    /// A caller with a control-plane budget of so many requests per wall second.
    pub fn new(clock: Arc<dyn Clock>, requests_per_second: Option<u32>) -> Self {
        let budget = |factor: f64| {
            requests_per_second
                .map(|rate| Arc::new(Budget::new(f64::from(rate) * factor * USED_SHARE)))
        };
        Self {
            control: budget(1.0),
            get: budget(GET_FACTOR),
            codedeploy: budget(CODEDEPLOY_FACTOR),
            clock,
            counts: Arc::default(),
            has_worked: Arc::default(),
        }
    }

    /// Whether an error passes with time alone. Credentials that were good before have expired, or
    /// the clock was moved: they are refreshed, or a person logs in again. Those that never worked
    /// are told at once.
    pub fn is_passing(&self, error: &CloudError) -> bool {
        match error.kind {
            FaultKind::Throttled | FaultKind::Unknown | FaultKind::UpdateInProgress => true,
            FaultKind::Credentials => self.has_worked.load(Ordering::Relaxed),
            _ => false,
        }
    }

    /// Calls made so far, by operation.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes one call through the budget.
    ///
    /// # Errors
    /// The call's own, or the last of many.
    pub async fn call<T, F, Fut>(
        &self,
        quota: Quota,
        operation: &'static str,
        priority: Priority,
        retry: Retry,
        call: F,
    ) -> Result<T, CloudError>
    where
        F: Fn() -> Fut + Send,
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        let began = self.clock.now_ms();
        let mut tries = 0_u32;
        loop {
            self.admit(quota, priority).await;
            self.count(operation);
            let error = match call().await {
                Ok(answer) => {
                    self.has_worked.store(true, Ordering::Relaxed);
                    self.went_well(quota);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if error.kind == FaultKind::Throttled {
                self.was_throttled(quota, error.retry_after);
            }
            tries += 1;
            let is_passing = match error.kind {
                FaultKind::Unreachable => tries < UNREACHABLE_TRIES,
                _ => self.is_passing(&error),
            };
            let is_last = match retry {
                Retry::Once => true,
                Retry::Few => tries >= FEW_TRIES,
                Retry::Safe => self.clock.now_ms().saturating_sub(began) > SAFE_FOR_MS,
            };
            if is_last || !is_passing {
                return Err(error);
            }
            tracing::debug!(operation, tries, %error, "again");
            let pause = pause(tries).max(error.retry_after.unwrap_or_default());
            self.sleep(pause).await;
        }
    }

    /// Waits for the call's turn.
    pub async fn admit(&self, quota: Quota, priority: Priority) {
        if let Some(budget) = self.budget(quota) {
            Budget::admit(budget, &self.clock, priority).await;
        }
    }

    async fn sleep(&self, span: Duration) {
        let span = u64::try_from(span.mul_f64(self.clock.scale()).as_millis()).unwrap_or(u64::MAX);
        self.clock.sleep_until(self.clock.now_ms().saturating_add(span)).await;
    }

    fn budget(&self, quota: Quota) -> Option<&Arc<Budget>> {
        match quota {
            Quota::Control => self.control.as_ref(),
            Quota::Get => self.get.as_ref(),
            Quota::CodeDeploy => self.codedeploy.as_ref(),
            Quota::Free => None,
        }
    }

    fn count(&self, operation: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(operation) {
            Some(count) => *count += 1,
            None => drop(counts.insert(operation.to_owned(), 1)),
        }
    }

    fn went_well(&self, quota: Quota) {
        if let Some(budget) = self.budget(quota) {
            budget.lock().relax();
        }
    }

    fn was_throttled(&self, quota: Quota, retry_after: Option<Duration>) {
        if let Some(budget) = self.budget(quota) {
            let now = self.clock.now_ms();
            let pause = retry_after.unwrap_or(Duration::from_secs(1)).mul_f64(self.clock.scale());
            let until = now.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
            budget.lock().tighten(until);
        }
    }
}

/// Doubling from a quarter of a second, with jitter from 50 % to 100 % so that a hundred callers
/// that failed together do not come back together.
fn pause(tries: u32) -> Duration {
    let whole = (Duration::from_millis(250) * 2_u32.saturating_pow(tries.min(8))).min(PAUSE_MAX);
    let mut bytes = [0_u8; 2];
    // Without randomness the pause is merely not spread.
    let _ = getrandom::fill(&mut bytes);
    whole.mul_f64(0.5 + f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX) / 2.0)
}

/// A token bucket with a queue by priority.
struct Budget(Mutex<Bucket>);

struct Bucket {
    /// Requests per second at most, and now.
    rate_max: f64,
    rate: f64,
    tokens: f64,
    /// When `tokens` was last brought up to date.
    filled_ms: u64,
    /// Nothing is let through before.
    closed_until_ms: u64,
    waiting: BTreeMap<(Priority, u64), oneshot::Sender<()>>,
    arrivals: u64,
    is_pumping: bool,
}

impl Budget {
    fn new(rate: f64) -> Self {
        Self(Mutex::new(Bucket {
            rate_max: rate,
            rate,
            tokens: 1.0,
            filled_ms: 0,
            closed_until_ms: 0,
            waiting: BTreeMap::new(),
            arrivals: 0,
            is_pumping: false,
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn admit(this: &Arc<Self>, clock: &Arc<dyn Clock>, priority: Priority) {
        let turn = {
            let mut bucket = this.lock();
            bucket.fill(clock.now_ms(), clock.scale());
            if bucket.waiting.is_empty() && bucket.take() {
                return;
            }
            let (sender, turn) = oneshot::channel();
            bucket.arrivals += 1;
            let place = (priority, bucket.arrivals);
            bucket.waiting.insert(place, sender);
            if !bucket.is_pumping {
                bucket.is_pumping = true;
                tokio::spawn(Self::pump(Arc::clone(this), Arc::clone(clock)));
            }
            turn
        };
        // The pump never drops a waiter; were it to, going ahead costs a 429 at worst.
        let _ = turn.await;
    }

    /// Lets one waiter through per token, the most urgent first, until nobody waits.
    async fn pump(self: Arc<Self>, clock: Arc<dyn Clock>) {
        loop {
            let wait_until = {
                let mut bucket = self.lock();
                bucket.fill(clock.now_ms(), clock.scale());
                bucket.let_through();
                if bucket.waiting.is_empty() {
                    bucket.is_pumping = false;
                    return;
                }
                bucket.next_ms(clock.scale())
            };
            clock.sleep_until(wait_until).await;
        }
    }
}

impl Bucket {
    /// Budgets are in wall seconds, because the quotas are; the clock may run faster.
    fn fill(&mut self, now_ms: u64, scale: f64) {
        if now_ms < self.closed_until_ms {
            self.tokens = 0.0;
            self.filled_ms = now_ms;
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since the last fill")]
        let passed = now_ms.saturating_sub(self.filled_ms) as f64 / scale / 1000.0;
        // What an idle moment leaves may be caught up on; AWS's own bucket holds a second's worth.
        let burst = (self.rate * 0.8).max(1.0);
        self.tokens = (self.tokens + passed * self.rate).min(burst);
        self.filled_ms = now_ms;
    }

    fn take(&mut self) -> bool {
        let is_there = self.tokens >= 1.0;
        if is_there {
            self.tokens -= 1.0;
        }
        is_there
    }

    fn let_through(&mut self) {
        while self.tokens >= 1.0 {
            let Some((_, waiter)) = self.waiting.pop_first() else { return };
            // Who no longer waits costs nothing.
            if waiter.send(()).is_ok() {
                self.tokens -= 1.0;
            }
        }
    }

    fn next_ms(&self, scale: f64) -> u64 {
        let missing = Duration::from_secs_f64(((1.0 - self.tokens) / self.rate).max(0.001) * scale);
        let at =
            self.filled_ms.saturating_add(u64::try_from(missing.as_millis()).unwrap_or(u64::MAX));
        at.max(self.closed_until_ms) + 1
    }

    fn tighten(&mut self, until_ms: u64) {
        self.rate = (self.rate / 2.0).max(1.0);
        self.tokens = 0.0;
        self.closed_until_ms = self.closed_until_ms.max(until_ms);
    }

    fn relax(&mut self) {
        self.rate = (self.rate + self.rate_max / 50.0).min(self.rate_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ScaledClock;

    fn error(kind: FaultKind) -> CloudError {
        CloudError {
            operation: "GetAlias",
            kind,
            code: None,
            message: "no".into(),
            request_id: None,
            retry_after: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_quota_is_kept_and_nearly_used() {
        let clock: Arc<dyn Clock> = Arc::new(ScaledClock::starting_at(0, 1.0));
        let caller = Caller::new(Arc::clone(&clock), Some(15));
        let calls = (0..150).map(|_| {
            caller.call(Quota::Control, "X", Priority::Forward, Retry::Safe, || async { Ok(()) })
        });
        futures_util::future::join_all(calls).await;
        let took = clock.now_ms();
        assert!(took >= 9_500, "{took}");
        assert!(took <= 11_000, "{took}");
        assert_eq!(caller.counts()["X"], 150);
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_back_goes_first() {
        let clock: Arc<dyn Clock> = Arc::new(ScaledClock::starting_at(0, 1.0));
        let caller = Caller::new(clock, Some(1));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for priority in [Priority::Poll, Priority::Forward, Priority::Heartbeat, Priority::Back] {
            let (caller, order) = (caller.clone(), Arc::clone(&order));
            tasks.push(async move {
                caller.admit(Quota::Control, priority).await;
                order.lock().unwrap().push(priority);
            });
        }
        caller.admit(Quota::Control, Priority::Poll).await;
        futures_util::future::join_all(tasks).await;
        let order = order.lock().unwrap().clone();
        assert_eq!(order, [Priority::Back, Priority::Heartbeat, Priority::Forward, Priority::Poll]);
    }

    #[tokio::test(start_paused = true)]
    async fn passing_faults_are_repeated_and_refusals_are_not() {
        let clock: Arc<dyn Clock> = Arc::new(ScaledClock::starting_at(0, 1.0));
        let caller = Caller::new(clock, None);
        for (kind, tries) in [
            (FaultKind::Denied, 1),
            (FaultKind::Invalid, 1),
            (FaultKind::Throttled, 5),
            (FaultKind::Unknown, 5),
            (FaultKind::Unreachable, 4),
        ] {
            let made = Mutex::new(0);
            let result = caller
                .call(Quota::Control, "X", Priority::Forward, Retry::Safe, || async {
                    let mut made = made.lock().unwrap();
                    *made += 1;
                    if *made == 5 { Ok(()) } else { Err(error(kind)) }
                })
                .await;
            assert_eq!(*made.lock().unwrap(), tries, "{kind:?}");
            assert_eq!(result.is_ok(), tries == 5);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_can_be_done_without_is_given_up_soon() {
        let clock: Arc<dyn Clock> = Arc::new(ScaledClock::starting_at(0, 1.0));
        let caller = Caller::new(clock, None);
        let result: Result<(), _> = caller
            .call(Quota::Control, "X", Priority::Poll, Retry::Few, || async {
                Err(error(FaultKind::Unknown))
            })
            .await;
        assert!(result.is_err());
        assert_eq!(caller.counts()["X"], u64::from(FEW_TRIES));
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_that_worked_are_waited_for_and_others_are_not() {
        let clock: Arc<dyn Clock> = Arc::new(ScaledClock::starting_at(0, 1.0));
        let caller = Caller::new(clock, None);
        let made = Mutex::new(0);
        let expires_twice = || async {
            let mut made = made.lock().unwrap();
            *made += 1;
            if *made > 2 { Ok(()) } else { Err(error(FaultKind::Credentials)) }
        };
        let (get, forward) = (Quota::Get, Priority::Forward);
        let first = caller.call(get, "X", forward, Retry::Safe, expires_twice).await;
        assert_eq!(first.unwrap_err().kind, FaultKind::Credentials);
        assert_eq!(*made.lock().unwrap(), 1);
        let () = caller.call(get, "Y", forward, Retry::Safe, || async { Ok(()) }).await.unwrap();
        caller.call(get, "X", forward, Retry::Safe, expires_twice).await.unwrap();
        assert_eq!(*made.lock().unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_judged_by_its_caller_is_made_once() {
        let clock: Arc<dyn Clock> = Arc::new(ScaledClock::starting_at(0, 1.0));
        let caller = Caller::new(clock, None);
        let result: Result<(), _> = caller
            .call(Quota::Control, "UpdateAlias", Priority::Forward, Retry::Once, || async {
                Err(error(FaultKind::Throttled))
            })
            .await;
        assert!(result.is_err());
        assert_eq!(caller.counts()["UpdateAlias"], 1);
    }
}
