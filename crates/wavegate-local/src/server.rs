//! The HTTP server: one loopback port for all services.
//!
//! Which service a request is for shows by its path, its headers or, in the query protocol, by the
//! credential scope of its signature. Signatures are not verified. Against web pages that reach for
//! the port: requests with a foreign `Host` (DNS rebinding) or any `Origin` are refused.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use crate::cloud::Cloud;
use crate::cloudwatch::{CloudWatch, WireRequest, WireResponse};
use crate::iam;
use crate::ids::Ids as _;
use crate::lambda::error::ApiError;
use crate::lambda::rest::{self, Call};
use crate::s3;
use crate::sts;
use crate::wire::{Answer, Request};

/// Bytes of requests to CloudWatch and STS; AWS's own limit is 1 MB before compression.
const BODY_MAX: usize = 8 << 20;

/// Serves until the cloud stops.
pub(crate) async fn serve(listener: TcpListener, cloud: Arc<Cloud>) {
    let stop = cloud.stop.clone();
    // Answers are single writes: waiting to fill a packet would cost 40 ms.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new().fallback(handle).with_state(cloud);
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the local cloud's server ended");
    }
}

async fn handle(
    State(cloud): State<Arc<Cloud>>,
    request: HttpRequest,
) -> Result<Response, Infallible> {
    let request_id = cloud.core().ids.uuid();
    let answer = match check_origin(request.headers()) {
        Ok(()) => route(&cloud, request, &request_id).await,
        Err(why) => plain(403, why),
    };
    Ok(respond(answer, &request_id))
}

async fn route(cloud: &Arc<Cloud>, request: HttpRequest, request_id: &str) -> Answer {
    let (parts, body) = request.into_parts();
    let mut request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers(&parts.headers),
        body: Bytes::new(),
    };
    let segments = request.segments();
    let service = request.signed_service();
    if segments.first().is_some_and(|first| first == "_wavegate") {
        return own(cloud, &request, &segments).await;
    }
    if service.as_deref() != Some("s3") && rest::is_lambda(&segments) {
        return lambda(cloud, request, body, &segments, request_id)
            .await
            .unwrap_or_else(|error| rest::error_answer(&error));
    }
    let is_object = !segments.is_empty()
        && request.method != "POST"
        && service.as_deref().is_none_or(|service| service == "s3");
    let limit = if is_object { s3::OBJECT_MAX } else { BODY_MAX };
    match to_bytes(body, limit).await {
        Ok(body) => request.body = body,
        Err(_) => return plain(413, "the request is larger than the local cloud takes"),
    }
    if is_object {
        return object(cloud, request, request_id).await;
    }
    metrics_or_identity(cloud, &request, service.as_deref(), request_id)
}

async fn lambda(
    cloud: &Arc<Cloud>,
    mut request: Request,
    body: Body,
    segments: &[String],
    request_id: &str,
) -> Result<Answer, ApiError> {
    let Some(call) = Call::parse(&request.method, segments) else {
        return Err(ApiError::new(
            404,
            "UnknownOperationException",
            format!("The local cloud does not offer {} {}", request.method, request.path),
        ));
    };
    cloud.count(call.name());
    if let Some(rate) = &cloud.rate {
        rate.check(call.name())?;
    }
    request.body = to_bytes(body, call.body_max()).await.map_err(|_| call.too_large())?;
    let needs = iam::of_lambda(&call, &request, &cloud.home());
    if let Some(why) = cloud.refusal(&request, &needs) {
        return Err(ApiError::new(403, "AccessDeniedException", why));
    }
    rest::answer(cloud, call, &request, request_id).await
}

async fn object(cloud: &Arc<Cloud>, request: Request, request_id: &str) -> Answer {
    cloud.count(&format!("s3:{}", request.method));
    if let Some(why) = cloud.refusal(&request, &iam::of_object(&request)) {
        return s3::denied(&request, &why, request_id);
    }
    let (cloud, request_id) = (Arc::clone(cloud), request_id.to_owned());
    let work = move || s3::answer(&cloud.objects, &request, &request_id);
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| plain(500, "the object store failed"))
}

/// CloudWatch in any of its protocols, or STS.
fn metrics_or_identity(
    cloud: &Cloud,
    request: &Request,
    service: Option<&str>,
    request_id: &str,
) -> Answer {
    let action = request.param("Action");
    let is_metrics = service == Some("monitoring")
        || (service != Some("sts")
            && CloudWatch::is_request(&request.path, &request.headers, &request.body));
    if is_metrics {
        return metrics(cloud, request, action.as_deref(), request_id);
    }
    match action {
        Some(action) => {
            cloud.count(&action);
            sts::answer(request, &action, (&cloud.account, &cloud.caller()), request_id)
        }
        None => sts::error(
            404,
            "UnknownOperationException",
            &format!("The local cloud does not know {} {}", request.method, request.path),
            request_id,
        ),
    }
}

fn metrics(cloud: &Cloud, request: &Request, action: Option<&str>, request_id: &str) -> Answer {
    let target = request.header("x-amz-target").and_then(|target| target.rsplit('.').next());
    let operation = match (target, action) {
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => request.path.rsplit('/').next().unwrap_or_default(),
    };
    cloud.count(operation);
    let is_read = ["Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb));
    let changes_alarms = !is_read && operation != "PutMetricData";
    let wire = WireRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        headers: request.headers.clone(),
        body: request.body.to_vec(),
    };
    if let Some(why) = cloud.refusal(request, &iam::of_alarms(operation, &cloud.home())) {
        return answer_of(CloudWatch::deny(&wire, &why, request_id));
    }
    let answered =
        cloud.with_cloudwatch(changes_alarms, |cloudwatch, now| cloudwatch.handle(now, &wire));
    match answered {
        Ok(response) => answer_of(response),
        Err(error) => plain(500, &error.to_string()),
    }
}

fn answer_of(response: WireResponse) -> Answer {
    Answer { status: response.status, headers: response.headers, body: response.body.into() }
}

/// The cloud's own paths.
async fn own(cloud: &Cloud, request: &Request, segments: &[String]) -> Answer {
    let parts: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["status"]) => Answer::json(200, &cloud.status()),
        ("GET", ["code", name]) => download(cloud, name).await,
        _ => plain(404, "the local cloud has no such page"),
    }
}

async fn download(cloud: &Cloud, name: &str) -> Answer {
    let hash = name.strip_suffix(".zip").unwrap_or_default();
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash {
        return plain(404, "no such package");
    }
    match tokio::fs::read(cloud.code.directory().join(name)).await {
        Ok(zip) => Answer::empty(200).with_body("application/zip", zip),
        Err(_) => plain(404, "no such package"),
    }
}

/// Refuses what only a web page would send.
fn check_origin(headers: &HeaderMap) -> Result<(), &'static str> {
    if headers.contains_key(header::ORIGIN) {
        return Err("the local cloud does not answer web pages (the request has an Origin header)");
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
    if hosts.next().is_some() || !is_loopback(host) {
        return Err(
            "the local cloud answers on 127.0.0.1, localhost and [::1] only (see the Host \
                    header)",
        );
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
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
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value))
        {
            headers.insert(name, value);
        }
    }
    if let Ok(id) = HeaderValue::try_from(request_id) {
        headers.entry("x-amzn-requestid").or_insert(id);
    }
    headers.insert("x-wavegate-local", HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_answered() {
        for host in ["127.0.0.1", "127.0.0.1:4566", "localhost:1", "LOCALHOST", "[::1]:80", "[::1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:80",
            "127.0.0.1.evil.example",
            "localhost.",
            "127.0.0.1:",
            "127.0.0.1:80:90",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn web_pages_are_refused() {
        let mut headers = HeaderMap::new();
        assert!(check_origin(&headers).is_err());
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:1"));
        assert!(check_origin(&headers).is_ok());
        headers.insert(header::ORIGIN, HeaderValue::from_static("http://127.0.0.1:1"));
        assert!(check_origin(&headers).is_err());
        headers.remove(header::ORIGIN);
        headers.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(check_origin(&headers).is_err());
    }
}
