//! The Lambda Runtime API, served to one execution environment on a port of its own.
//!
//! Clients reach it by `AWS_LAMBDA_RUNTIME_API`, which has no room for a path: hence the port. The
//! environment asks for its next event and is kept waiting until there is one; nothing polls.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt as _, Full, Limited};
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
/// AWS: bytes of an answer.
pub(super) const RESPONSE_MAX: usize = 6_291_556;

/// How far an environment has come.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Its process was started.
    Starting,
    /// It asked for its first event after so many milliseconds.
    Ready(f64),
    /// It reported that it cannot serve.
    InitFailed(Bytes),
    /// Its process ended, and how.
    Exited(String),
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
    Error(Bytes),
    TooLarge,
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

    fn init_failed(&self, body: Bytes) {
        self.phase.send_if_modified(|phase| {
            let news = matches!(phase, Phase::Starting);
            if news {
                *phase = Phase::InitFailed(body);
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
    let body = Limited::new(request.into_body(), RESPONSE_MAX).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes);
    if operation == "init/error" {
        desk.init_failed(body.unwrap_or_default());
        return accepted();
    }
    let mut parts = operation.splitn(3, '/');
    let (Some("invocation"), Some(id), Some(kind)) = (parts.next(), parts.next(), parts.next())
    else {
        return refuse(StatusCode::NOT_FOUND, "NotFound", "no such call in the Runtime API");
    };
    let (reply, too_large) = match (kind, body) {
        ("response", Ok(body)) => (Reply::Response(body), false),
        ("error", Ok(body)) => (Reply::Error(body), false),
        ("response" | "error", Err(_)) => (Reply::TooLarge, true),
        _ => return refuse(StatusCode::NOT_FOUND, "NotFound", "no such call in the Runtime API"),
    };
    if !desk.settle(id, reply) {
        return refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
    }
    if too_large {
        let message = "Exceeded maximum allowed payload size (6291556 bytes).";
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message);
    }
    accepted()
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
