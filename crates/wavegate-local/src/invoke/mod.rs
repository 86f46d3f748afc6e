//! `Invoke`: chooses the version, runs it, measures it, and answers.
//!
//! An invocation belongs to the cloud, not to the connection that asked for it: a caller who hangs
//! up does not stop it, as on AWS.

mod event;
mod frame;
mod json;
mod provision;
mod record;
mod stream;

use std::sync::Arc;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::mpsc;

use crate::cloud::Cloud;
use crate::lambda::error::ApiError;
use crate::lambda::input::Code;
use crate::lambda::metric::{self, Attempt};
use crate::lambda::model::{Admission, Route};
use crate::runtime::{Job, Outcome, Part};
use crate::wire::{Answer, Request};

pub(crate) use event::send;
pub(crate) use provision::keep_provisioned;

/// What kind of invocation it is; synchronous unless it says otherwise.
const KIND: &str = "x-amz-invocation-type";
/// The caller's trace.
const TRACE: &str = "x-amzn-trace-id";

/// What a caller asked for, on its way through the attempts.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) name: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) payload: Bytes,
    pub(crate) client_context: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) request_id: String,
}

/// Answers an `Invoke` request.
pub(crate) async fn answer(
    cloud: &Arc<Cloud>,
    name: &str,
    request: &Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    let wish = wish(name, request, request_id)?;
    match request.header(KIND) {
        Some("Event") => event::accept(cloud, wish).map(|()| Answer::empty(202)),
        Some("DryRun") => choose(cloud, &wish).map(|_| Answer::empty(204)),
        _ => run_to_answer(cloud, wish, wants_log(request)).await,
    }
}

/// Answers an `InvokeWithResponseStream` request.
pub(crate) fn answer_in_stream(
    cloud: &Arc<Cloud>,
    name: &str,
    request: &Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    let wish = wish(name, request, request_id)?;
    match request.header(KIND) {
        Some("DryRun") => choose(cloud, &wish).map(|_| Answer::empty(204)),
        _ => stream::answer(cloud, wish, wants_log(request)),
    }
}

fn wish(name: &str, request: &Request, request_id: &str) -> Result<Wish, ApiError> {
    Ok(Wish {
        name: name.to_owned(),
        qualifier: request.query_param("Qualifier"),
        payload: payload(&request.body)?,
        client_context: client_context(request)?,
        trace: request.header(TRACE).filter(|trace| trace.contains("Root=")).map(ToOwned::to_owned),
        request_id: request_id.to_owned(),
    })
}

fn wants_log(request: &Request) -> bool {
    request.header("x-amz-log-type") == Some("Tail")
}

fn payload(body: &Bytes) -> Result<Bytes, ApiError> {
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        Ok(_) => Ok(body.clone()),
        Err(error) => Err(ApiError::new(
            400,
            "InvalidRequestContentException",
            format!(
                "Could not parse request body into json: {}",
                json::complaint(body, &error.to_string())
            ),
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
    let (route, outcome) = run(cloud, wish).await?;
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

/// Runs what a caller asked for to its end, whether the caller waits for it or not.
pub(crate) async fn run(cloud: &Arc<Cloud>, wish: Wish) -> Result<(Arc<Route>, Outcome), ApiError> {
    let attempt = Admitted::new(cloud, wish)?;
    let route = Arc::clone(attempt.route());
    let outcome = cloud.shared.tasks.spawn(attempt.run(None)).await;
    let outcome = outcome
        .map_err(|error| ApiError::service(format!("the invocation was cut off: {error}")))?;
    Ok((route, outcome))
}

fn choose(cloud: &Cloud, wish: &Wish) -> Result<Route, ApiError> {
    cloud.read(|core, now| {
        core.lambda.route(now, &mut core.ids, &wish.name, wish.qualifier.as_deref())
    })
}

/// What the runtime needs to know for what a caller asked for.
fn job(
    cloud: &Cloud,
    route: Arc<Route>,
    wish: Wish,
    is_provisioned: bool,
) -> Result<Job, ApiError> {
    let code = &cloud.shared.code;
    let configuration = &route.deployed.configuration;
    let root = match &route.deployed.code {
        Code::Zip { sha256, .. } => Some(code.root(sha256)?),
        Code::Image { .. } => None,
    };
    let layers: Result<_, _> =
        configuration.layers.iter().map(|layer| code.root(&layer.sha256)).collect();
    Ok(Job {
        home: Arc::clone(&cloud.home),
        request_id: wish.request_id,
        root,
        layers: layers?,
        role_id: cloud.identity().role_id(&configuration.role).map(ToOwned::to_owned),
        route,
        payload: wish.payload,
        client_context: wish.client_context,
        trace: wish.trace,
        is_provisioned,
    })
}

/// One attempt that may run: its version is chosen and its place taken.
#[derive(Debug)]
pub(crate) struct Admitted {
    place: Place,
    job: Job,
    started_ms: i64,
}

impl Admitted {
    /// Chooses the version and takes a place.
    ///
    /// # Errors
    /// If there is no such function, or no place.
    pub(crate) fn new(cloud: &Arc<Cloud>, wish: Wish) -> Result<Self, ApiError> {
        let started_ms = cloud.shared.clock.now_ms();
        let route = Arc::new(choose(cloud, &wish)?);
        let place = match Place::enter(cloud, &route) {
            Ok(place) => place,
            Err(error) => {
                cloud.record(metric::data(&route, Attempt::Throttled, started_ms));
                return Err(error);
            }
        };
        let job = job(cloud, route, wish, place.taken.is_provisioned)?;
        Ok(Self { place, job, started_ms })
    }

    /// Where it goes.
    pub(crate) fn route(&self) -> &Arc<Route> {
        &self.job.route
    }

    /// Runs it and measures it. Parts of the answer go to `to` as they come, if that is given.
    pub(crate) async fn run(self, to: Option<mpsc::Sender<Part>>) -> Outcome {
        let Self { place, job, started_ms } = self;
        let concurrent = place.taken.concurrent;
        let cloud = Arc::clone(&place.cloud);
        let route = Arc::clone(&job.route);
        let outcome = match to {
            Some(to) => cloud.shared.runtime.stream(job, &to).await,
            None => cloud.shared.runtime.invoke(job).await,
        };
        drop(place);
        let (duration_ms, failed) = (outcome.duration_ms, outcome.failed);
        let ran = Attempt::Ran { duration_ms, failed, concurrent };
        cloud.record(metric::data(&route, ran, started_ms));
        if let Some(alias) = &route.alias {
            cloud.served(&route.function, alias, &route.version, failed);
        }
        outcome
    }
}

/// A place within the concurrency limits, given back when dropped.
#[derive(Debug)]
struct Place {
    cloud: Arc<Cloud>,
    taken: Admission,
}

impl Place {
    fn enter(cloud: &Arc<Cloud>, route: &Route) -> Result<Self, ApiError> {
        let taken = cloud.read(|core, now| core.lambda.admit(now, route))?;
        Ok(Self { cloud: Arc::clone(cloud), taken })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.cloud.core().lambda.release(&self.taken);
    }
}
