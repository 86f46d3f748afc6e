//! A small HTTP client for the local cloud: its own pages, and plain invokes on loopback.
//!
//! Everything else speaks to clouds through `wavegate-aws` and the plugins.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// How long the cloud's own pages may take: they are made from memory.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an invoke may take: Lambda's longest timeout and a cold start.
const INVOKE_TIMEOUT: Duration = Duration::from_secs(930);

/// Why the local cloud could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// No answer.
    #[error("the local cloud at {url} does not answer: {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// Why, in the transport's words.
        reason: String,
    },
    /// Not in time.
    #[error("the local cloud at {url} did not answer in {} s", after.as_secs())]
    Slow {
        /// Where it is.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// An answer that is none.
    #[error("what answers at {url} is not a local cloud")]
    Strange {
        /// Where it is.
        url: String,
    },
}

/// A client of one local cloud. Clones share connections.
#[derive(Debug, Clone)]
pub(crate) struct Loopback {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    region: String,
}

/// What an invoke answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Invoked {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The version that ran.
    pub(crate) version: Option<String>,
    /// `Unhandled` when the function failed.
    pub(crate) error: Option<String>,
    /// The last lines of its log, if they were asked for.
    pub(crate) log: Option<String>,
    /// The answer.
    pub(crate) body: Vec<u8>,
}

impl Loopback {
    /// A client of the cloud at `url`, for what is in `region`.
    pub(crate) fn new(url: &str, region: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, url: url.trim_end_matches('/').to_owned(), region: region.to_owned() }
    }

    /// `GET /_wavegate/status`.
    pub(crate) async fn status(&self) -> Result<Value, HttpError> {
        let strange = || HttpError::Strange { url: self.url.clone() };
        let request = self.request(Method::GET, "/_wavegate/status", Bytes::new(), &[])?;
        let (parts, body) = self.send(request, PAGE_TIMEOUT).await?;
        if !parts.status.is_success() {
            return Err(strange());
        }
        serde_json::from_slice(&body).map_err(|_| strange())
    }

    /// Invokes a function synchronously. `function` and `qualifier` are legal Lambda names.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        qualifier: Option<&str>,
        payload: Bytes,
        wants_log: bool,
    ) -> Result<Invoked, HttpError> {
        let query = qualifier.map(|name| format!("?Qualifier={name}")).unwrap_or_default();
        let path = format!("/2015-03-31/functions/{function}/invocations{query}");
        let headers: &[(&str, &str)] = if wants_log { &[("x-amz-log-type", "Tail")] } else { &[] };
        let request = self.request(Method::POST, &path, payload, headers)?;
        let (parts, body) = self.send(request, INVOKE_TIMEOUT).await?;
        let header = |name: &str| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let log = header("x-amz-log-result").and_then(|log| STANDARD.decode(log).ok());
        Ok(Invoked {
            status: parts.status.as_u16(),
            version: header("x-amz-executed-version"),
            error: header("x-amz-function-error"),
            log: log.map(|log| String::from_utf8_lossy(&log).into_owned()),
            body: body.to_vec(),
        })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        headers: &[(&str, &str)],
    ) -> Result<Request<Full<Bytes>>, HttpError> {
        // A signature would name the region, but would also be held against a rehearsed policy.
        let mut builder = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("x-wavegate-region", &self.region);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Full::new(body)).map_err(|error| self.unreachable(&error))
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<(hyper::http::response::Parts, Bytes), HttpError> {
        let exchange = async {
            let response = self.client.request(request).await.map_err(|e| self.unreachable(&e))?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|e| self.unreachable(&e))?.to_bytes();
            Ok((parts, body))
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(HttpError::Slow { url: self.url.clone(), after: timeout }))
    }

    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> HttpError {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            reason = error.to_string();
            cause = error.source();
        }
        HttpError::Unreachable { url: self.url.clone(), reason }
    }
}
