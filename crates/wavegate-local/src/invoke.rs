//! `Invoke`: chooses the version, runs it, measures it, and answers.
//!
//! An invocation belongs to the cloud, not to the connection that asked for it: a caller who hangs
//! up does not stop it, as on AWS. Asynchronous events are tried up to three times. They wait in
//! memory: unlike AWS's, they do not survive the cloud.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cloud::Cloud;
use crate::ids::Ids as _;
use crate::lambda::error::ApiError;
use crate::lambda::input::Code;
use crate::lambda::metric::{self, Attempt};
use crate::lambda::model::Route;
use crate::runtime::{Job, Outcome};
use crate::wire::{Answer, Request};

/// AWS: bytes of an asynchronous event.
const ASYNC_EVENT_MAX: usize = 1 << 20;
/// Asynchronous events that may wait at once.
const ASYNC_WAITING_MAX: usize = 10_000;
/// AWS: virtual milliseconds before the second and the third attempt of an asynchronous event.
const RETRY_MS: [i64; 2] = [60_000, 120_000];
/// AWS: virtual milliseconds before a throttled asynchronous event is tried again, at first and at
/// most.
const THROTTLE_MS: (i64, i64) = (1_000, 300_000);
/// AWS: virtual milliseconds an asynchronous event may wait.
const EVENT_AGE_MS: i64 = 6 * 3_600_000;

/// What a caller asked for, on its way through the attempts.
#[derive(Debug, Clone)]
struct Wish {
    name: String,
    qualifier: Option<String>,
    payload: Bytes,
    client_context: Option<String>,
    request_id: String,
}

/// Answers an `Invoke` request.
pub(crate) async fn answer(
    cloud: &Arc<Cloud>,
    name: &str,
    request: &Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    let wish = Wish {
        name: name.to_owned(),
        qualifier: request.query_param("Qualifier"),
        payload: payload(request)?,
        client_context: client_context(request)?,
        request_id: request_id.to_owned(),
    };
    match request.header("x-amz-invocation-type").unwrap_or("RequestResponse") {
        "RequestResponse" => {
            let wants_log = request.header("x-amz-log-type") == Some("Tail");
            run_to_answer(cloud, wish, wants_log).await
        }
        "Event" => accept(cloud, wish),
        "DryRun" => choose(cloud, &wish).map(|_| Answer::empty(204)),
        other => Err(ApiError::new(
            400,
            "ValidationException",
            format!(
                "1 validation error detected: Value '{other}' at 'invocationType' failed to \
                 satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, \
                 DryRun]"
            ),
        )),
    }
}

/// Invokes a function asynchronously on behalf of another service of the cloud.
pub(crate) fn send(cloud: &Arc<Cloud>, name: &str, payload: String) -> Result<(), ApiError> {
    let wish = Wish {
        name: name.to_owned(),
        qualifier: None,
        payload: payload.into(),
        client_context: None,
        request_id: cloud.core().ids.uuid(),
    };
    accept(cloud, wish).map(|_| ())
}

fn payload(request: &Request) -> Result<Bytes, ApiError> {
    if request.body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&request.body) {
        Ok(_) => Ok(request.body.clone()),
        Err(error) => Err(ApiError::new(
            400,
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {error}"),
        )),
    }
}

fn client_context(request: &Request) -> Result<Option<String>, ApiError> {
    let Some(header) = request.header("x-amz-client-context") else { return Ok(None) };
    let text = STANDARD.decode(header).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match text.filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()) {
        // A header of the Runtime API carries it on: one line of visible characters.
        Some(text) => Ok(Some(text.replace(['\r', '\n'], " "))),
        None => Err(ApiError::new(
            400,
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        )),
    }
}

async fn run_to_answer(
    cloud: &Arc<Cloud>,
    wish: Wish,
    wants_log: bool,
) -> Result<Answer, ApiError> {
    let running = cloud.tasks.spawn(attempt(Arc::clone(cloud), wish));
    let (route, outcome) = running
        .await
        .map_err(|error| ApiError::service(format!("the invocation was cut off: {error}")))??;
    let mut answer = Answer::empty(200)
        .with_body("application/json", outcome.payload)
        .with_header("x-amz-executed-version", route.version.clone());
    if outcome.failed {
        answer = answer.with_header("x-amz-function-error", "Unhandled");
    }
    if wants_log {
        answer = answer.with_header("x-amz-log-result", STANDARD.encode(&outcome.log));
    }
    Ok(answer)
}

fn accept(cloud: &Arc<Cloud>, wish: Wish) -> Result<Answer, ApiError> {
    if wish.payload.len() > ASYNC_EVENT_MAX {
        return Err(ApiError::new(
            413,
            "RequestTooLargeException",
            format!(
                "Request must be smaller than {ASYNC_EVENT_MAX} bytes for the InvokeFunction \
                 operation"
            ),
        ));
    }
    choose(cloud, &wish)?;
    let place = Waiting::enter(cloud)
        .ok_or_else(|| ApiError::too_many_invocations("ConcurrentInvocationLimitExceeded"))?;
    let cloud_of_task = Arc::clone(cloud);
    cloud.tasks.spawn(async move {
        let stop = cloud_of_task.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = deliver(&cloud_of_task, wish) => {}
        }
        drop(place);
    });
    Ok(Answer::empty(202))
}

/// Tries an asynchronous event until it succeeds, has failed three times, or is too old.
async fn deliver(cloud: &Arc<Cloud>, wish: Wish) {
    let accepted_ms = cloud.clock.now_ms();
    let mut retries = RETRY_MS.into_iter();
    let mut throttle_ms = THROTTLE_MS.0;
    loop {
        let wait_ms = match attempt(Arc::clone(cloud), wish.clone()).await {
            Ok((_, outcome)) if !outcome.failed => return,
            Ok((route, _)) => match retries.next() {
                Some(wait_ms) => wait_ms,
                None => return give_up(cloud, &route),
            },
            Err(error) if error.status == 429 || error.status >= 500 => {
                let wait_ms = throttle_ms;
                throttle_ms = (throttle_ms * 2).min(THROTTLE_MS.1);
                wait_ms
            }
            // The function or version is gone.
            Err(_) => return,
        };
        if cloud.clock.now_ms() + wait_ms - accepted_ms > EVENT_AGE_MS {
            return;
        }
        cloud.clock.sleep(wait_ms).await;
    }
}

fn give_up(cloud: &Cloud, route: &Route) {
    if route.deployed.configuration.dead_letter_target.is_some() {
        let now = cloud.clock.now_ms();
        cloud.record([metric::dead_letter_error(&route.function, now)]);
    }
}

/// One attempt: chosen, admitted, run, measured.
async fn attempt(cloud: Arc<Cloud>, wish: Wish) -> Result<(Arc<Route>, Outcome), ApiError> {
    let started_ms = cloud.clock.now_ms();
    let route = Arc::new(choose(&cloud, &wish)?);
    let (place, concurrent) = match Place::enter(&cloud, &route.function) {
        Ok(entered) => entered,
        Err(error) => {
            cloud.record(metric::data(&route, Attempt::Throttled, started_ms));
            return Err(error);
        }
    };
    let root = match &route.deployed.code {
        Code::Zip { sha256, .. } => Some(cloud.code.root(sha256)?),
        Code::Image { .. } => None,
    };
    let job = Job {
        request_id: wish.request_id,
        route: Arc::clone(&route),
        root,
        payload: wish.payload,
        client_context: wish.client_context,
        trace: None,
    };
    let outcome = cloud.runtime.invoke(job).await;
    drop(place);
    let (duration_ms, failed) = (outcome.duration_ms, outcome.failed);
    let ran = Attempt::Ran { duration_ms, failed, concurrent };
    cloud.record(metric::data(&route, ran, started_ms));
    if let Some(alias) = &route.alias {
        cloud.served(&route.function, alias, &route.version, failed);
    }
    Ok((route, outcome))
}

fn choose(cloud: &Cloud, wish: &Wish) -> Result<Route, ApiError> {
    cloud.read(|core, now| {
        core.lambda.route(now, &mut core.ids, &wish.name, wish.qualifier.as_deref())
    })
}

/// A place within the concurrency limits, given back when dropped.
struct Place<'a> {
    cloud: &'a Cloud,
    function: String,
}

impl<'a> Place<'a> {
    fn enter(cloud: &'a Cloud, function: &str) -> Result<(Self, u32), ApiError> {
        let concurrent = cloud.read(|core, _| core.lambda.admit(function))?;
        Ok((Self { cloud, function: function.to_owned() }, concurrent))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.cloud.core().lambda.release(&self.function);
    }
}

/// One of the waiting asynchronous events.
struct Waiting {
    count: Arc<AtomicUsize>,
}

impl Waiting {
    fn enter(cloud: &Cloud) -> Option<Self> {
        let count = Arc::clone(&cloud.waiting);
        let entered = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < ASYNC_WAITING_MAX).then_some(waiting + 1)
        });
        entered.is_ok().then_some(Self { count })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
