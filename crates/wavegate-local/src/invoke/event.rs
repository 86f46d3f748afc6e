//! Asynchronous events: accepted at once, tried until they succeed, fail for good or are too old, and
//! then reported to where the function says.
//!
//! They wait in memory: unlike AWS's, they do not survive the cloud. Of the destinations only functions
//! are here; what should go to a queue, a topic, a bucket or a bus is told in the log and counted in the
//! metric that AWS counts failed deliveries in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::record::{self, Condition, End, Last};
use super::{Wish, choose};
use crate::cloud::Cloud;
use crate::ids::Ids as _;
use crate::lambda::error::ApiError;
use crate::lambda::metric;
use crate::lambda::model::Route;
use crate::lambda::name::LATEST;

/// AWS: bytes of an asynchronous event.
const EVENT_MAX: usize = 1 << 20;
/// Asynchronous events that may wait at once.
const WAITING_MAX: usize = 10_000;
/// AWS: virtual milliseconds before the second and the third attempt of an asynchronous event.
const RETRY_MS: [i64; 2] = [60_000, 120_000];
/// AWS: virtual milliseconds before a throttled asynchronous event is tried again, at first and at
/// most.
const THROTTLE_MS: (i64, i64) = (1_000, 300_000);

/// Invokes a function asynchronously on behalf of another service of the cloud.
pub(crate) fn send(cloud: &Arc<Cloud>, name: &str, payload: String) -> Result<(), ApiError> {
    let wish = Wish {
        name: name.to_owned(),
        qualifier: None,
        payload: payload.into(),
        client_context: None,
        trace: None,
        request_id: cloud.core().ids.uuid(),
    };
    accept(cloud, wish)
}

/// Takes an event in.
pub(super) fn accept(cloud: &Arc<Cloud>, mut wish: Wish) -> Result<(), ApiError> {
    if wish.payload.len() > EVENT_MAX {
        return Err(ApiError::new(
            413,
            "RequestTooLargeException",
            format!(
                "Request must be smaller than {EVENT_MAX} bytes for the InvokeFunction operation"
            ),
        ));
    }
    let route = choose(cloud, &wish)?;
    // AWS passes it on for synchronous invocations only.
    wish.client_context = None;
    let place = Waiting::enter(cloud)
        .ok_or_else(|| ApiError::too_many_invocations("ConcurrentInvocationLimitExceeded"))?;
    let of_task = Arc::clone(cloud);
    cloud.shared.tasks.spawn(async move {
        let stop = of_task.shared.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = deliver(&of_task, wish, &route) => {}
        }
        drop(place);
    });
    Ok(())
}

/// Tries an event until it is over, and reports that.
async fn deliver(cloud: &Arc<Cloud>, wish: Wish, route: &Route) {
    // None: the function or version is gone, and with it whoever would want to know.
    if let Some(end) = attempts(cloud, &wish, route).await {
        report(cloud, &wish, route, &end);
    }
}

async fn attempts(cloud: &Arc<Cloud>, wish: &Wish, route: &Route) -> Option<End> {
    let accepted_ms = cloud.shared.clock.now_ms();
    let mut end = End { condition: Condition::Success, attempts: 0, last: None };
    let mut throttle_ms = THROTTLE_MS.0;
    loop {
        let rules = cloud.core().lambda.delivery(&route.function, route.qualifier.as_deref());
        let wait_ms = match attempt(cloud, wish).await {
            Ok(last) => {
                let retry = RETRY_MS.get(end.attempts as usize).copied();
                end.attempts += 1;
                let failed = last.failed;
                end.last = Some(last);
                match retry {
                    _ if !failed => return Some(End { condition: Condition::Success, ..end }),
                    Some(wait_ms) if end.attempts <= rules.retries => wait_ms,
                    _ => return Some(End { condition: Condition::RetriesExhausted, ..end }),
                }
            }
            Err(_) if cloud.core().lambda.is_shut(&route.function) => {
                return Some(End { condition: Condition::ZeroReservedConcurrency, ..end });
            }
            Err(error) if matches!(error.status, 409 | 429 | 500..) => {
                let wait_ms = throttle_ms;
                throttle_ms = (throttle_ms * 2).min(THROTTLE_MS.1);
                wait_ms
            }
            Err(_) => return None,
        };
        if cloud.shared.clock.now_ms() + wait_ms - accepted_ms > rules.age_max_ms {
            return Some(End { condition: Condition::EventAgeExceeded, ..end });
        }
        cloud.shared.clock.sleep(wait_ms).await;
    }
}

async fn attempt(cloud: &Arc<Cloud>, wish: &Wish) -> Result<Last, ApiError> {
    let (route, outcome) = super::run(cloud, wish.clone()).await?;
    Ok(Last { version: route.version.clone(), failed: outcome.failed, payload: outcome.payload })
}

/// Tells a function's destinations that an event is over.
fn report(cloud: &Arc<Cloud>, wish: &Wish, route: &Route, end: &End) {
    let now = cloud.shared.clock.now_ms();
    let rules = cloud.core().lambda.delivery(&route.function, route.qualifier.as_deref());
    let is_success = end.condition == Condition::Success;
    if let Some(target) = route.deployed.configuration.dead_letter_target.as_ref()
        && !is_success
    {
        lost(cloud, route, target, "the local cloud has neither queues nor topics", true);
    }
    let target = if is_success { rules.on_success } else { rules.on_failure };
    let Some(target) = target else { return };
    if !target.contains(":lambda:") {
        let why = "of all destinations the local cloud has functions only";
        return lost(cloud, route, &target, why, false);
    }
    let qualifier = route.qualifier.as_deref().unwrap_or(LATEST);
    let arn = cloud.home.arn(&route.function, Some(qualifier));
    let record = record::of(end, &wish.request_id, &arn, &wish.payload, now);
    if let Err(error) = send(cloud, &target, record) {
        lost(cloud, route, &target, &error.to_string(), false);
    }
}

fn lost(cloud: &Cloud, route: &Route, target: &str, why: &str, is_dead_letter: bool) {
    let function = &route.function;
    tracing::warn!(%function, %target, "the record of an asynchronous event is lost: {why}");
    let now = cloud.shared.clock.now_ms();
    cloud.record([metric::undelivered(function, is_dead_letter, now)]);
}

/// One of the waiting asynchronous events.
struct Waiting {
    count: Arc<AtomicUsize>,
}

impl Waiting {
    fn enter(cloud: &Cloud) -> Option<Self> {
        let count = Arc::clone(&cloud.shared.waiting);
        let entered = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < WAITING_MAX).then_some(waiting + 1)
        });
        entered.is_ok().then_some(Self { count })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
