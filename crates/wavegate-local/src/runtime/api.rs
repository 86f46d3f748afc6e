//! The Lambda Runtime API, served to one execution environment on a port of its own.
//!
//! Clients reach it by `AWS_LAMBDA_RUNTIME_API`, which has no room for a path: hence the port. The
//! environment asks for its next event and is kept waiting until there is one; nothing polls.
//!
//! An answer comes whole or, where the client says so in a header, as a stream; a stream may end in an
//! error, which its trailers tell.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::clock::Stopwatch;
use crate::peer;

const PREFIX: &str = "/2018-06-01/runtime/";
/// AWS: bytes of an answer that is not streamed.
pub(super) const RESPONSE_MAX: usize = 6_291_556;
/// Pieces of a stream that wait for its reader; the function waits then, too.
const PIECES: usize = 16;
/// How a client says that its answer is a stream, and how a stream ends in an error.
const MODE: &str = "lambda-runtime-function-response-mode";
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// How far an environment has come.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Its process was started.
    Starting,
    /// It asked for its first event after so many milliseconds.
    Ready(f64),
    /// It reported that it cannot serve.
    InitFailed(Report),
    /// Its process ended, and how.
    Exited(String),
}

/// An error that the environment reported.
#[derive(Debug, Clone)]
pub(super) struct Report {
    /// AWS's or the function's name for it.
    pub(super) kind: String,
    /// All of it, as JSON.
    pub(super) body: Bytes,
}

/// One event for the environment.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) request_id: String,
    pub(super) deadline_ms: i64,
    pub(super) invoked_arn: String,
    pub(super) trace_id: String,
    pub(super) client_context: Option<String>,
    pub(super) payload: Bytes,
}

/// What the environment answered.
#[derive(Debug)]
pub(super) enum Reply {
    Response(Bytes),
    Stream(Stream),
    Error(Bytes),
    TooLarge,
}

/// An answer that comes in pieces.
#[derive(Debug)]
pub(super) struct Stream {
    /// What the function says the bytes are.
    pub(super) content_type: String,
    /// Its pieces. A channel that closes without [`Piece::End`] was cut off.
    pub(super) pieces: mpsc::Receiver<Piece>,
}

/// A piece of a streamed answer.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    /// It ends in an error.
    Failed(Report),
    /// It is complete.
    End,
}

/// The event under way.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) request_id: String,
    /// Whether the environment has fetched it.
    pub(super) fetched: bool,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What the environment's owner and its API share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) phase: watch::Sender<Phase>,
    pub(super) current: Mutex<Option<Current>>,
    /// Whether the process was waited for: its number may belong to somebody else then.
    pub(super) gone: watch::Sender<bool>,
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    started: Stopwatch,
}

impl Desk {
    /// A desk, and where its events are put in.
    pub(super) fn new() -> (Arc<Self>, mpsc::Sender<Event>) {
        let (sender, events) = mpsc::channel(1);
        let desk = Self {
            phase: watch::Sender::new(Phase::Starting),
            current: Mutex::new(None),
            gone: watch::Sender::new(false),
            events: tokio::sync::Mutex::new(events),
            started: Stopwatch::start(),
        };
        (Arc::new(desk), sender)
    }

    /// Notes that the process is gone, and how, unless it already said why.
    pub(super) fn exited(&self, how: String) {
        self.gone.send_replace(true);
        self.phase.send_if_modified(|phase| {
            let news = matches!(phase, Phase::Starting | Phase::Ready(_));
            if news {
                *phase = Phase::Exited(how);
            }
            news
        });
    }

    fn ready(&self) {
        self.phase.send_if_modified(|phase| {
            let news = matches!(phase, Phase::Starting);
            if news {
                *phase = Phase::Ready(self.started.elapsed_ms());
            }
            news
        });
    }

    fn init_failed(&self, report: Report) {
        self.phase.send_if_modified(|phase| {
            let news = matches!(phase, Phase::Starting);
            if news {
                *phase = Phase::InitFailed(report);
            }
            news
        });
    }

    async fn next(&self) -> Option<Event> {
        self.ready();
        let event = self.events.lock().await.recv().await?;
        if let Some(current) = self.current().as_mut() {
            current.fetched = true;
        }
        Some(event)
    }

    /// Ends the event under way; false when it is another one.
    fn settle(&self, request_id: &str, reply: Reply) -> bool {
        let mut current = self.current();
        match current.take_if(|current| current.request_id == request_id && current.fetched) {
            Some(current) => {
                // The owner may have given up in the meantime, which is its business.
                let _ = current.reply.send(reply);
                true
            }
            None => false,
        }
    }

    pub(super) fn current(&self) -> std::sync::MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves one environment until the task is dropped.
pub(super) async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        // Answers are one small write each: waiting to fill a packet would cost 40 ms.
        let _ = stream.set_nodelay(true);
        while connections.try_join_next().is_some() {}
        let desk = Arc::clone(&desk);
        connections.spawn(async move {
            if !peer::is_own(&stream).await {
                return;
            }
            let service = service_fn(move |request| {
                let desk = Arc::clone(&desk);
                async move { Ok::<_, Infallible>(answer(&desk, request).await) }
            });
            // An environment that breaks its connection shows by its exit.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(desk: &Desk, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let Some(operation) = path.strip_prefix(PREFIX) else {
        return refuse(StatusCode::NOT_FOUND, "NotFound", "no such path in the Runtime API");
    };
    if method == Method::GET && operation == "invocation/next" {
        return match desk.next().await {
            Some(event) => deliver(event),
            None => refuse(StatusCode::INTERNAL_SERVER_ERROR, "Exit", "the environment ends"),
        };
    }
    if method != Method::POST {
        return refuse(StatusCode::NOT_FOUND, "NotFound", "no such call in the Runtime API");
    }
    if operation == "init/error" {
        let kind = header(request.headers(), ERROR_TYPE);
        let Body::Whole(body) = collect(request.into_body()).await else { return broken() };
        desk.init_failed(report(kind, body));
        return accepted();
    }
    let mut parts = operation.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("invocation"), Some(id), Some("response")) => respond(desk, id, request).await,
        (Some("invocation"), Some(id), Some("error")) => match collect(request.into_body()).await {
            Body::Whole(body) => settle(desk, id, Reply::Error(body)),
            Body::TooLarge => too_large(desk, id),
            Body::Broken => broken(),
        },
        _ => refuse(StatusCode::NOT_FOUND, "NotFound", "no such call in the Runtime API"),
    }
}

async fn respond(desk: &Desk, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if header(request.headers(), MODE) != "streaming" {
        return match collect(request.into_body()).await {
            Body::Whole(body) => settle(desk, id, Reply::Response(body)),
            Body::TooLarge => too_large(desk, id),
            Body::Broken => broken(),
        };
    }
    let (sender, pieces) = mpsc::channel(PIECES);
    let content_type = header(request.headers(), CONTENT_TYPE.as_str());
    let answer = settle(desk, id, Reply::Stream(Stream { content_type, pieces }));
    if answer.status() != StatusCode::ACCEPTED {
        return answer;
    }
    let mut body = request.into_body();
    let mut last = Piece::End;
    while let Some(frame) = body.frame().await {
        // A broken body ends the stream without its last piece.
        let Ok(frame) = frame else { return broken() };
        match frame.into_data() {
            // A reader that gave up is no reason to stop the function.
            Ok(data) => drop(sender.send(Piece::Data(data)).await),
            Err(frame) => {
                if let Some(failed) = frame.trailers_ref().and_then(failure) {
                    last = Piece::Failed(failed);
                }
            }
        }
    }
    drop(sender.send(last).await);
    answer
}

/// The error that the trailers of a stream tell.
fn failure(trailers: &HeaderMap) -> Option<Report> {
    trailers.get(ERROR_TYPE)?;
    let body = STANDARD.decode(header(trailers, ERROR_BODY)).unwrap_or_default();
    Some(report(header(trailers, ERROR_TYPE), body.into()))
}

fn settle(desk: &Desk, id: &str, reply: Reply) -> Response<Full<Bytes>> {
    if desk.settle(id, reply) {
        accepted()
    } else {
        refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
    }
}

fn broken() -> Response<Full<Bytes>> {
    refuse(StatusCode::BAD_REQUEST, "InvalidRequest", "the body broke off")
}

fn too_large(desk: &Desk, id: &str) -> Response<Full<Bytes>> {
    if !desk.settle(id, Reply::TooLarge) {
        return refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
    }
    let message = format!("Exceeded maximum allowed payload size ({RESPONSE_MAX} bytes).");
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
}

/// A body that was read.
enum Body {
    Whole(Bytes),
    TooLarge,
    /// The client went away.
    Broken,
}

/// Reads a body to its end, also one that is too large: a client that is cut off in mid-sentence could
/// not go on.
async fn collect(mut body: Incoming) -> Body {
    let mut all = Vec::new();
    let mut fits = true;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Body::Broken };
        let Ok(data) = frame.into_data() else { continue };
        fits &= all.len() + data.len() <= RESPONSE_MAX;
        if fits {
            all.extend_from_slice(&data);
        }
    }
    if fits { Body::Whole(all.into()) } else { Body::TooLarge }
}

/// An error report. A client that does not name the error in a header does so in the body.
fn report(kind: String, body: Bytes) -> Report {
    let kind = if kind.is_empty() {
        serde_json::from_slice::<serde_json::Value>(&body)
            .ok()
            .and_then(|body| Some(body["errorType"].as_str()?.to_owned()))
            .unwrap_or_else(|| "Runtime.Unknown".to_owned())
    } else {
        kind
    };
    Report { kind, body }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn deliver(event: Event) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(event.payload));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    put(headers, "lambda-runtime-aws-request-id", &event.request_id);
    put(headers, "lambda-runtime-deadline-ms", &event.deadline_ms.to_string());
    put(headers, "lambda-runtime-invoked-function-arn", &event.invoked_arn);
    put(headers, "lambda-runtime-trace-id", &event.trace_id);
    if let Some(context) = &event.client_context {
        put(headers, "lambda-runtime-client-context", context);
    }
    response
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "OK" }))
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json(status, &serde_json::json!({ "errorType": kind, "errorMessage": message }))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
