//! The one HTTP client under the SDKs and the S3 upload: rustls on ring, HTTP proxies from the
//! environment, every answer of a service read under a bound before anybody parses it.
//!
//! Invariants: a redirect is handed up as it is and never followed, so credentials go only where
//! they were sent; an HTML page with a 200 (a proxy, a captive portal) is a failure, also for
//! operations whose answer nobody reads. Only a package is streamed, to who counts it. Deliberately
//! absent: retries.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use thiserror::Error;

/// Longest answer that is read. Lambda's longest pages are well under 1 MB.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

/// An answer that is not passed on, although its status says success or its body never ends.
#[derive(Debug, Error)]
enum BadAnswer {
    /// Over [`ANSWER_MAX`].
    #[error("the answer is longer than {} MiB", ANSWER_MAX / (1024 * 1024))]
    TooLong,
    /// A page for people.
    #[error(
        "the endpoint answered HTTP {status} with an HTML page: something in between (a proxy, a \
         login page) answers in its place"
    )]
    Html {
        /// The status.
        status: u16,
    },
}

/// Where the connections go, as far as it decides about TLS and proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine only: no certificates are loaded and no proxy is asked.
    Loopback,
    /// Anywhere: the system's certificates and the environment's proxies.
    Network,
}

/// The time-outs that a connector is made for: to connect, and to the first byte of the answer.
type ConnectorKey = (Option<Duration>, Option<Duration>);

/// The HTTP client. Clones share connections.
#[derive(Clone)]
pub(crate) struct Transport {
    reach: Reach,
    /// One connector, and so one pool of connections, per pair of time-outs.
    connectors: Arc<Mutex<HashMap<ConnectorKey, SharedHttpConnector>>>,
}

impl Transport {
    /// A client without connections yet.
    pub(crate) fn new(reach: Reach) -> Self {
        Self { reach, connectors: Arc::default() }
    }

    /// The connector for these time-outs, whose answers are complete, bounded and not HTML.
    pub(crate) fn connector(&self, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        SharedHttpConnector::new(Guarded { inner: self.streaming(settings) })
    }

    /// The connector for these time-outs, whose answers are handed on while they come: whoever asks
    /// bounds them.
    pub(crate) fn streaming(&self, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let key = (settings.connect_timeout(), settings.read_timeout());
        // A poisoned map is still a map of connectors: nothing is half-done in it.
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        connectors.entry(key).or_insert_with(|| build(self.reach, settings)).clone()
    }

    /// Whether only this machine is spoken to.
    pub(crate) fn is_loopback(&self) -> bool {
        self.reach == Reach::Loopback
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl HttpClient for Transport {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.connector(settings)
    }
}

fn build(reach: Reach, settings: &HttpConnectorSettings) -> SharedHttpConnector {
    let builder = Connector::builder()
        .connector_settings(settings.clone())
        .sleep_impl(TokioSleep::new())
        .tls_provider(Provider::Rustls(CryptoMode::Ring));
    let inner = match reach {
        Reach::Loopback => {
            let context = TlsContext::builder().with_trust_store(TrustStore::empty()).build();
            // Without a context the default one loads the system's certificates: slower, not wrong.
            match context {
                Ok(context) => builder.tls_context(context).build(),
                Err(_) => builder.build(),
            }
        }
        Reach::Network => builder.proxy_config(ProxyConfig::from_env()).build(),
    };
    SharedHttpConnector::new(inner)
}

/// A connector whose answers are complete, bounded and not HTML.
#[derive(Debug)]
struct Guarded {
    inner: SharedHttpConnector,
}

impl HttpConnector for Guarded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move { read(answer.await?).await })
    }
}

async fn read(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = Limited::new(response.take_body(), ANSWER_MAX);
    let bytes = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(ConnectorError::other(BadAnswer::TooLong.into(), None));
        }
        Err(error) => return Err(ConnectorError::io(error)),
    };
    let declared = response.headers().get("content-type").unwrap_or_default();
    if response.status().is_success() && is_html(declared, &bytes) {
        let status = response.status().as_u16();
        return Err(ConnectorError::other(BadAnswer::Html { status }.into(), None));
    }
    *response.body_mut() = SdkBody::from(bytes);
    Ok(response)
}

/// Whether an answer is a page for people: by how it begins, because emulators (moto) call their
/// JSON `text/html` too.
fn is_html(content_type: &str, body: &[u8]) -> bool {
    /// More than any byte order mark and blank lines before the first tag.
    const HEAD: usize = 64;
    let declared = content_type.trim_start().to_ascii_lowercase().starts_with("text/html");
    let head = String::from_utf8_lossy(&body[..body.len().min(HEAD)]).to_ascii_lowercase();
    let head = head.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    head.starts_with("<!doctype html")
        || head.starts_with("<html")
        || (declared && head.starts_with('<'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_people_is_recognised() {
        for (content_type, body, html) in [
            ("text/html; charset=utf-8", "<!-- login -->", true),
            ("text/html; charset=utf-8", "{\"Version\":\"1\"}", false),
            ("text/html", "", false),
            ("", "<!DOCTYPE html><html>", true),
            ("application/json", "\u{feff}\r\n <HTML><body>", true),
            ("application/json", "{\"Name\":\"<html>\"}", false),
            ("text/xml", "<GetCallerIdentityResponse>", false),
            ("", "", false),
        ] {
            assert_eq!(is_html(content_type, body.as_bytes()), html, "{content_type} {body}");
        }
    }
}
