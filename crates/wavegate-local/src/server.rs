//! The HTTP server: one loopback port for all services.
//!
//! Which service a request is for shows by its path, its headers or, in the query protocol, by the
//! credential scope of its signature. Signatures are not verified: who may speak to the port at all is
//! what [`gate`] and [`crate::peer`] decide.
//!
//! Invariants: nothing of a request is read further than its limit, and none is waited for longer than
//! its time; what is refused at the gate has reached no service.

mod gate;
mod stream;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request as HttpRequest, StatusCode};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::stream::Stream;
use crate::cloud::{Cloud, Clouds};
use crate::codedeploy;
use crate::doorway::{self, Doorway};
use crate::iam;
use crate::identity;
use crate::ids::Ids as _;
use crate::lambda::operations;
use crate::logs;
use crate::peer;
use crate::s3;
use crate::sts;
use crate::wire::{Answer, Fault, Output, Request, Route, inflate, model};

/// Real time before accepting is tried again after it failed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// The answer to a body that does not come.
const TOO_SLOW: &str = "the request did not come in time";

/// Bytes of requests to services whose operations have no limit of their own; CloudWatch's is 1 MB before
/// compression.
const BODY_MAX: usize = 8 << 20;

/// Connections at once: more than wavegate, its functions and a few clients hold together, and little
/// enough to leave the process file descriptors for everything else. More wait to be accepted.
const CONNECTIONS_MAX: usize = 512;

/// Bytes of a request's head. AWS's own limits are of this size.
const HEAD_MAX: usize = 64 << 10;

/// Real time for a request's head to come, from the moment the connection is idle.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Real time for a request's body to come: the largest package takes a second on loopback.
const BODY_TIME: Duration = Duration::from_mins(1);

/// Serves until the cloud stops.
pub(crate) async fn serve(listener: TcpListener, clouds: Arc<Clouds>) {
    let port = listener.local_addr().map(|address| address.port()).unwrap_or_default();
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = clouds.shared.stop.cancelled() => break,
            next = next => next,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Without free file descriptors the next try would fail at once, again and again.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let clouds = Arc::clone(&clouds);
        connections.spawn(async move {
            let _permit = permit;
            let is_own = peer::is_own(&stream).await;
            connection(stream, clouds, port, is_own).await;
        });
    }
    connections.join_all().await;
}

/// Serves one connection until it ends or the cloud stops.
async fn connection(stream: TcpStream, clouds: Arc<Clouds>, port: u16, is_own: bool) {
    // Answers are single writes: waiting to fill a packet would cost 40 ms.
    let _ = stream.set_nodelay(true);
    let stop = clouds.shared.stop.clone();
    let service = service_fn(move |request: HttpRequest<Incoming>| {
        let clouds = Arc::clone(&clouds);
        async move { Ok::<_, Infallible>(handle(&clouds, port, is_own, request.map(Body::new)).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    // A client that breaks its connection is its own business.
    let over = tokio::select! {
        ended = serving.as_mut() => Some(ended),
        () = stop.cancelled() => None,
    };
    if over.is_none() {
        serving.as_mut().graceful_shutdown();
        let _ = serving.await;
    }
}

async fn handle(clouds: &Clouds, port: u16, is_own: bool, request: HttpRequest<Body>) -> Response {
    let request_id = clouds.first().core().ids.uuid();
    let host = gate::host(&request).unwrap_or_default();
    let door = Doorway::of(host, request.uri().path());
    let judged = match &door {
        _ if !is_own => Err(gate::Refusal::Stranger),
        Some(_) => gate::judge_public(&request, port),
        None => gate::judge(&request, port),
    };
    let answer = match (judged, door) {
        (Ok(()), Some(door)) => enter(clouds, request, &door, &request_id).await,
        (Ok(()), None) => route(clouds, request, &request_id).await,
        (Err(refusal), _) => plain(refusal.status(), &refusal.to_string()),
    };
    respond(answer, &request_id)
}

/// A request to a function URL.
async fn enter(
    clouds: &Clouds,
    request: HttpRequest<Body>,
    door: &Doorway,
    request_id: &str,
) -> Answer {
    let (parts, body) = request.into_parts();
    let mut request = head_of(&parts);
    match body_of(body, doorway::BODY_MAX).await {
        Some(Ok(body)) => request.body = body,
        Some(Err(_)) => return plain(413, "Request Entity Too Large"),
        None => return plain(408, TOO_SLOW),
    }
    let behind = clouds.behind_url(&door.id);
    let behind = behind.filter(|(cloud, _)| door.may_be_in(&cloud.home.region));
    doorway::answer(behind.as_ref(), door, &request, request_id).await
}

/// A request without its body.
fn head_of(parts: &Parts) -> Request {
    Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers(&parts.headers),
        body: Bytes::new(),
    }
}

async fn route(clouds: &Clouds, request: HttpRequest<Body>, request_id: &str) -> Answer {
    let is_bucket = gate::host(&request).is_some_and(s3::is_host);
    let (parts, body) = request.into_parts();
    let mut request = head_of(&parts);
    if request.path.starts_with("/_wavegate/") {
        return own(clouds, &request).await;
    }
    // S3 tells its operations by rules of its own, and takes bodies as they come.
    let route = Route::of(&request).filter(|route| !is_bucket && !route.service.is(&model::S3));
    if is_bucket || route.is_none() && s3::is_request(&request) {
        return match clouds.of(&request) {
            Ok(cloud) => s3::answer(&cloud, request, body, request_id).await,
            Err(_) => s3::refuse_region(&request, &clouds.first().home.region, request_id),
        };
    }
    let limit = match &route {
        Some(route) if route.service.is(&model::LAMBDA) => operations::body_max(route.name()),
        _ => BODY_MAX,
    };
    match body_of(body, limit).await {
        Some(Ok(body)) => request.body = body,
        Some(Err(_)) => return too_large(route.as_ref(), request_id),
        None => return plain(408, TOO_SLOW),
    }
    let cloud = match clouds.of(&request) {
        Ok(cloud) => cloud,
        Err(fault) => return refused(route.as_ref(), fault, request_id),
    };
    if let Err(fault) = inflate(&mut request, limit) {
        return refused(route.as_ref(), fault, request_id);
    }
    let Some(mut route) = route.or_else(|| Route::of_form(&request)) else {
        return unknown(&request);
    };
    route.complete(&request);
    serve_call(clouds, &cloud, &route, &request, request_id).await
}

/// Lets the service answer.
async fn serve_call(
    clouds: &Clouds,
    cloud: &Arc<Cloud>,
    route: &Route,
    request: &Request,
    request_id: &str,
) -> Answer {
    cloud.count(route.name());
    let service = route.service;
    if service.is(&model::LAMBDA) {
        operations::answer(clouds, cloud, route, request, request_id).await
    } else if service.is(&model::CODEDEPLOY) {
        let outcome = deployments(cloud, route, request).await;
        route.answer(outcome.map(Output::of), request_id)
    } else if service.is(&model::CLOUDWATCH) {
        route.answer(metrics(cloud, route, request), request_id)
    } else if service.is(&model::LOGS) {
        logs::answer(cloud, route, request, request_id).await
    } else if service.is(&model::IAM) {
        identity::edge::answer(cloud, route, request, request_id)
    } else {
        sts::answer(cloud, route, request, request_id)
    }
}

/// The answer to what is for no service of the cloud, such that the client which sent it can read why.
fn unknown(request: &Request) -> Answer {
    let Some(service) = request.signed_service() else {
        let message = format!("The local cloud does not know {} {}", request.method, request.path);
        return plain(404, &message);
    };
    let message = format!("The local cloud has no service {service}");
    if request.param("Action").is_some() {
        let error = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code>\
             <Message>{}</Message></Error></ErrorResponse>",
            quick_xml::escape::escape(&message)
        );
        return Answer::xml(404, error);
    }
    let error = serde_json::json!({ "__type": "UnknownOperationException", "message": message });
    Answer::json(404, &error)
}

fn refused(route: Option<&Route>, fault: Fault, request_id: &str) -> Answer {
    match route {
        Some(route) => route.answer(Err(fault), request_id),
        None => plain(400, &fault.message),
    }
}

fn too_large(route: Option<&Route>, request_id: &str) -> Answer {
    match route {
        Some(route) if route.service.is(&model::LAMBDA) => {
            route.answer(Err(operations::too_large(route.name())), request_id)
        }
        _ => plain(413, "the request is larger than the local cloud takes"),
    }
}

/// The body up to its limit; `None` if it does not come in time.
async fn body_of(body: Body, limit: usize) -> Option<Result<Bytes, axum::Error>> {
    tokio::time::timeout(BODY_TIME, to_bytes(body, limit)).await.ok()
}

async fn deployments(cloud: &Arc<Cloud>, route: &Route, request: &Request) -> Result<Value, Fault> {
    let input = route.decode(request)?;
    let operation = input.operation.name.as_str();
    let mut members = Value::Object(input.members);
    let needs = {
        let core = cloud.core();
        let names = |id: &str| core.codedeploy.names_of(id);
        iam::of_deployment(operation, &members, &cloud.home, names)
    };
    if let Some(why) = cloud.refusal(request, &needs) {
        return Err(Fault::new("AccessDeniedException", why));
    }
    if operation == "CreateDeployment"
        && let Some((bucket, key, version)) = codedeploy::s3_location(&members)
    {
        let of_cloud = Arc::clone(cloud);
        let read = move || {
            let objects = &of_cloud.shared.objects;
            objects.read(&bucket, &key, version.as_deref(), BODY_MAX as u64)
        };
        let object = tokio::task::spawn_blocking(read).await.ok().and_then(Result::ok);
        let text = object.and_then(|bytes| String::from_utf8(bytes).ok());
        members["revision"]["s3Location"]["content"] = text.into();
    }
    let done = cloud
        .deploy(|core, now| core.codedeploy.perform(now, &mut core.ids, operation, members))?;
    Ok(done)
}

fn metrics(cloud: &Cloud, route: &Route, request: &Request) -> Result<Output, Fault> {
    let input = route.decode(request)?;
    let operation = input.operation.name.as_str();
    if let Some(why) = cloud.refusal(request, &iam::of_alarms(operation, &cloud.home)) {
        return Err(Fault::front(403, "AccessDeniedException", why));
    }
    let is_read = ["Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb));
    let changes_alarms = !is_read && operation != "PutMetricData";
    cloud
        .with_cloudwatch(changes_alarms, |cloudwatch, now| cloudwatch.answer(now, &input))
        .unwrap_or_else(|error| Err(Fault::front(500, "InternalServiceFault", error.to_string())))
}

/// The cloud's own paths.
async fn own(clouds: &Clouds, request: &Request) -> Answer {
    let segments = request.segments();
    let parts: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["status"]) => Answer::json(200, &clouds.status()),
        ("GET", ["code", name]) => download(clouds, name).await,
        _ => plain(404, "the local cloud has no such page"),
    }
}

async fn download(clouds: &Clouds, name: &str) -> Answer {
    let hash = name.strip_suffix(".zip").unwrap_or_default();
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash {
        return plain(404, "no such package");
    }
    match tokio::fs::read(clouds.shared.code.directory().join(name)).await {
        Ok(zip) => Answer::empty(200).with_body("application/zip", zip),
        Err(_) => plain(404, "no such package"),
    }
}

fn headers(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

fn plain(status: u16, text: &str) -> Answer {
    Answer::json(status, &serde_json::json!({ "message": text }))
}

fn respond(answer: Answer, request_id: &str) -> Response {
    let body = match answer.stream {
        Some(rest) => Body::new(Stream { first: Some(answer.body), rest }),
        None => Body::from(answer.body),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value))
        {
            // The one header that may not be joined.
            if name == SET_COOKIE {
                headers.append(name, value);
            } else {
                headers.insert(name, value);
            }
        }
    }
    // S3's has another name.
    if !headers.contains_key("x-amz-request-id")
        && let Ok(id) = HeaderValue::try_from(request_id)
    {
        headers.entry("x-amzn-requestid").or_insert(id);
    }
    headers.insert("x-wavegate-local", HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    response
}
