//! How components that speak HTTP reach a server.
//!
//! One TLS stack (rustls on ring, with the certificate authorities of the platform), HTTP/1.1, and
//! no retries: the host is the one layer that retries. `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`
//! hold, except for loopback, which no proxy can reach. Connections are kept between calls.
//!
//! Invariants:
//! - Of an answer never more is held than was asked for; the rest is not even read.
//! - A redirect is followed only within the origin that was written, and only if it keeps method and
//!   body (307, 308). Headers with secrets go nowhere else.
//! - Addresses at which clouds give credentials are never connected to, whatever a name leads to.
//! - No text tells more of an address than its origin, and none tells the value of an environment
//!   variable, not even when the server sends it back. Nobody can say which part of an address or of
//!   a written header came from `${env:NAME}`, so each that is long enough for a secret is one.
//!
//! Deliberately absent: other methods than POST, cookies, compression, and a timeout that nobody
//! asked for: the host's deadline holds.

mod address;
mod failure;
mod headers;
mod reach;
mod redirect;
#[cfg(any(test, feature = "http-testing"))]
pub mod testing;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Client, Response};

use crate::{PluginError, text};

pub use address::{Address, InvalidAddress};
pub use failure::{BROKEN, REDIRECT, REQUEST, TIMEOUT, TLS, UNREACHABLE, VARIABLE};
pub use headers::{Headers, check_headers, check_variable, variable};

/// How long a connection may take to be made, TLS included. A server that is there answers a
/// handshake within a round trip or two.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the body of an answer may take of which the status is all that counts.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest time that is kept from servers, so that a component can still answer itself.
const MAX_RESERVE: Duration = Duration::from_secs(1);

/// How much of an answer is held if nobody says otherwise, in bytes.
const DEFAULT_LIMIT: usize = 64 * 1_024;

/// Who asks, unless the headers of a request say otherwise.
const USER_AGENT: &str = concat!("wavegate/", env!("CARGO_PKG_VERSION"));

/// How long servers may be waited for in a call with that deadline: what is left is enough to say
/// which of them did not answer, before the host says that the component did not.
pub fn within(deadline: Duration) -> Duration {
    deadline.saturating_sub((deadline / 10).min(MAX_RESERVE))
}

/// One POST, ready to be sent.
#[derive(Clone)]
pub struct Post {
    address: Address,
    headers: Headers,
    content_type: &'static str,
    body: Vec<u8>,
    limit: usize,
    timeout: Option<Duration>,
    by_status: bool,
}

impl Post {
    /// A request with a body of JSON.
    pub fn json(address: Address, body: Vec<u8>) -> Self {
        Self::new(address, "application/json", body)
    }

    /// A request with the fields of a form.
    pub fn form(address: Address, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::new(address, "application/x-www-form-urlencoded", body.into_bytes())
    }

    fn new(address: Address, content_type: &'static str, body: Vec<u8>) -> Self {
        let headers = Headers::default();
        let (limit, timeout, by_status) = (DEFAULT_LIMIT, None, false);
        Self { address, headers, content_type, body, limit, timeout, by_status }
    }

    /// The same request with these headers.
    #[must_use]
    pub fn with_headers(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

    /// The same request, of whose answer at most so many bytes are held; by default 64 KiB.
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The same request, whose answer must be there within that time; by default only the host's
    /// deadline ends it.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// The same request, of whose answer the status is all that counts: a body that breaks off, or
    /// is not there soon after the head, is taken as far as it came.
    #[must_use]
    pub fn by_status(self) -> Self {
        Self { by_status: true, ..self }
    }

    /// Sends it and reads the answer. Must be called on a tokio runtime with time and I/O.
    ///
    /// # Errors
    /// With one of the codes of this module, when there is no answer. Any answer is `Ok`, whatever
    /// its status.
    pub async fn send(self) -> Result<Answer, PluginError> {
        let address = &self.address;
        let (headers, mut secrets) = self.headers.into_parts();
        secrets.extend(address.secrets());
        // A secret within another would leave the rest of that one in sight.
        secrets.sort_unstable_by_key(|secret| Reverse(secret.len()));
        let mut request = client(Way::to(address))?
            .post(address.url().clone())
            .headers(headers)
            .header(CONTENT_TYPE, self.content_type)
            .body(self.body);
        if let Some(timeout) = self.timeout {
            request = request.timeout(timeout);
        }
        let failed = |error: reqwest::Error| failure::no_answer(address, &error);
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        let reading = read(&mut response, self.limit, &mut body);
        let end = if self.by_status {
            match tokio::time::timeout(BODY_TIMEOUT, reading).await {
                Ok(Ok(end)) => end,
                Ok(Err(_)) | Err(_) => End::Missing,
            }
        } else {
            reading.await.map_err(failed)?
        };
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { status, headers, body, end, secrets })
    }
}

/// Reads into `body`, which keeps what came before an error.
async fn read(
    response: &mut Response,
    limit: usize,
    body: &mut Vec<u8>,
) -> Result<End, reqwest::Error> {
    while let Some(chunk) = response.chunk().await? {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok(End::Limit);
        }
    }
    Ok(End::Whole)
}

/// How the body of an answer came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// There was more than was asked for.
    Limit,
    /// It broke off, or took too long.
    Missing,
}

/// What a server answered. Its words reach people only through methods that clean them.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    end: End,
    secrets: Vec<String>,
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body, as far as it was read.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether there was more than the limit of the request.
    pub fn is_cut(&self) -> bool {
        self.end == End::Limit
    }

    /// How long the server asks to wait (`Retry-After`). Absent if it does not, or not
    /// understandably.
    pub fn retry_after(&self) -> Option<Duration> {
        let wait = self.header(&RETRY_AFTER)?;
        if let Ok(seconds) = wait.parse() {
            return Some(Duration::from_secs(seconds));
        }
        // A point in time counts from the server's own clock: components have none, and two clocks
        // may differ.
        let until = httpdate::parse_http_date(wait).ok()?;
        let now = httpdate::parse_http_date(self.header(&DATE)?).ok()?;
        Some(until.duration_since(now).unwrap_or_default())
    }

    /// The last lines of the body, as people may see them: no control characters, no secret, at most
    /// `max_lines` lines of `max_chars` characters.
    pub fn last_lines(&self, max_lines: usize, max_chars: usize) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let note = match self.end {
            End::Whole => return text::last_lines(&self.redacted(&body), max_lines, max_chars),
            End::Limit => format!("(more than {} bytes: not read to the end)", self.body.len()),
            End::Missing => "(the end did not come)".to_owned(),
        };
        // The last line is not whole: half a secret would not be known for one.
        let whole = body.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let shown = text::last_lines(&self.redacted(whole), max_lines, max_chars);
        if shown.is_empty() { note } else { format!("{shown}\n{note}") }
    }

    /// A text that came with the answer, without control characters and with all blotted out that may
    /// be a secret: long header values, and what is behind the origin of the address.
    pub fn redacted(&self, text: &str) -> String {
        let clean = text::printable(text);
        self.secrets.iter().fold(clean, |text, secret| text.replace(secret, "***"))
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }
}

/// Without what was said.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// What sets one client apart from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    tls: bool,
    loopback: bool,
}

impl Way {
    fn to(address: &Address) -> Self {
        Self { tls: address.is_https(), loopback: address.is_loopback() }
    }
}

static CLIENTS: Mutex<BTreeMap<Way, Client>> = Mutex::new(BTreeMap::new());

/// The client for a way. Built once and then kept, with its connections.
fn client(way: Way) -> Result<Client, PluginError> {
    // The map is valid after any panic: an entry is inserted whole or not at all.
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = clients.get(&way) {
        return Ok(client.clone());
    }
    let client = build(way).map_err(|error| failure::no_client(&error))?;
    clients.insert(way, client.clone());
    Ok(client)
}

fn build(way: Way) -> Result<Client, reqwest::Error> {
    // One provider per process, or per library of a plugin. Who comes second keeps the first's, and
    // nobody here brings another than this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_resolver(reach::Checked)
        .redirect(redirect::policy())
        .referer(false)
        .retry(reqwest::retry::never());
    if !way.tls {
        // A machine without certificate authorities, as most containers are, can speak plain HTTP.
        client = client.tls_certs_only([]);
    }
    if way.loopback {
        client = client.no_proxy();
    }
    client.build()
}

#[cfg(test)]
mod tests;
