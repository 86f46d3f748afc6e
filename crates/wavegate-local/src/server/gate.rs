//! Which requests are answered at all: not those of web pages, and not those that were meant for
//! another host or for AWS.
//!
//! A page in the owner's browser can send requests to loopback. Under a name of its own that leads here
//! (DNS rebinding) it could even read the answers: so the `Host` must be one of three, or a bucket's under
//! `localhost`, which no name server gives away; with this very port. Under the real address it cannot read
//! them, but simple requests would still act: browsers mark those with `Origin` or `Sec-Fetch-Site`, which
//! no AWS client sends. Function URLs are for web pages, too: they have hosts of their own under `localhost`.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Request};

use crate::doorway;
use crate::s3;

/// How the keys of AWS begin: those that stay, and those of a session.
const REAL_KEYS: [&str; 2] = ["AKIA", "ASIA"];
/// The characters of a key of AWS.
const KEY_LENGTH: usize = 20;
/// How the keys of AWS's documentation end.
const EXAMPLE: &str = "EXAMPLE";

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It was meant for another host, or does not say for which.
    #[error(
        "the local cloud answers as 127.0.0.1, localhost and [::1], and for S3 as BUCKET.localhost, with \
         its own port only (see the Host header)"
    )]
    Host,
    /// A web page sent it.
    #[error("the local cloud does not answer web pages (the request has an Origin header)")]
    Origin,
    /// A browser sent it for a page.
    #[error("the local cloud does not answer web pages (see the Sec-Fetch-Site header)")]
    Fetch,
    /// Another user of this machine sent it (see [`crate::peer`]).
    #[error(
        "this local cloud is another user's of this machine, and answers its owner only: start one of \
         your own with `wavegate local start`"
    )]
    Stranger,
    /// It is signed with what looks like a key of a real account.
    #[error(
        "this is a local cloud, and the request is signed with what looks like the key of a real AWS \
         account: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to wavegate, or take AWS_ENDPOINT_URL \
         away to reach AWS"
    )]
    RealKey,
}

impl Refusal {
    /// The HTTP status.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Host => 421,
            Self::Origin | Self::Fetch | Self::Stranger | Self::RealKey => 403,
        }
    }
}

/// Judges a request by its head, before anything of it is looked at.
pub(super) fn judge<B>(request: &Request<B>, port: u16) -> Result<(), Refusal> {
    judge_host(request, port, |name| is_own_name(name) || s3::is_host(name))?;
    let headers = request.headers();
    if headers.contains_key(ORIGIN) {
        return Err(Refusal::Origin);
    }
    // `none` is a person who typed the address.
    if headers.get_all("sec-fetch-site").iter().any(|site| site != "none") {
        return Err(Refusal::Fetch);
    }
    judge_key(request)
}

/// Judges a request to a function URL: web pages may call those.
pub(super) fn judge_public<B>(request: &Request<B>, port: u16) -> Result<(), Refusal> {
    judge_host(request, port, |name| is_own_name(name) || doorway::is_host(name))?;
    judge_key(request)
}

/// The host that a request names, without its port.
pub(super) fn host<B>(request: &Request<B>) -> Option<&str> {
    let host = match request.uri().authority() {
        // A target with a host in it wins over the header, says RFC 9112.
        Some(authority) => authority.as_str(),
        None => request.headers().get(HOST)?.to_str().ok()?,
    };
    Some(host.rsplit_once(':').map_or(host, |(name, _)| name))
}

fn judge_host<B>(
    request: &Request<B>,
    port: u16,
    is_name: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let is_ours = |host: &str| {
        let Some((name, digits)) = host.rsplit_once(':') else { return false };
        is_name(name) && digits == port.to_string()
    };
    let mut hosts = request.headers().get_all(HOST).iter();
    let is_for_us = |host: &HeaderValue| host.to_str().is_ok_and(is_ours);
    if !hosts.next().is_some_and(is_for_us) || hosts.next().is_some() {
        return Err(Refusal::Host);
    }
    if request.uri().authority().is_some_and(|authority| !is_ours(authority.as_str())) {
        return Err(Refusal::Host);
    }
    Ok(())
}

fn judge_key<B>(request: &Request<B>) -> Result<(), Refusal> {
    if key_of(request.headers(), request.uri().query()).is_some_and(looks_real) {
        return Err(Refusal::RealKey);
    }
    Ok(())
}

fn is_own_name(name: &str) -> bool {
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

/// The access key of a signature, in the header or in the address.
fn key_of<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a str> {
    let header = headers.get("authorization").and_then(|header| header.to_str().ok());
    let credential = match header {
        Some(header) => header.split_once("Credential=")?.1,
        None => query?.split_once("X-Amz-Credential=")?.1,
    };
    credential.split(['/', '%', ',', '&']).next()
}

fn looks_real(key: &str) -> bool {
    key.len() == KEY_LENGTH
        && REAL_KEYS.iter().any(|start| key.starts_with(start))
        && !key.ends_with(EXAMPLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(target: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut request = Request::builder().method("POST").uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        judge(&request.body(()).unwrap(), 4566)
    }

    #[test]
    fn only_the_three_names_and_buckets_with_the_own_port_are_answered() {
        for host in [
            "127.0.0.1:4566",
            "localhost:4566",
            "LOCALHOST:4566",
            "[::1]:4566",
            "s3.localhost:4566",
            "my.box.localhost:4566",
            "box.s3.us-east-1.localhost:4566",
        ] {
            assert_eq!(judged("/", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "",
            ":",
            ":4566",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:80",
            "127.0.0.1:04566",
            "127.0.0.1:4566:4566",
            "127.0.0.1.:4566",
            "localhost",
            "localhost.:4566",
            "localhost:4567",
            "[::1]",
            "::1:4566",
            "[::ffff:127.0.0.1]:4566",
            "[0:0:0:0:0:0:0:1]:4566",
            "0.0.0.0:4566",
            "127.0.0.2:4566",
            "127.1:4566",
            "0x7f000001:4566",
            "2130706433:4566",
            "evil.example",
            "evil.example:4566",
            "127.0.0.1.evil.example:4566",
            "localhost.evil.example:4566",
            "evil.example@127.0.0.1:4566",
            "127.0.0.1:4566@evil.example",
            "127.0.0.1:4566/",
            " 127.0.0.1:4566",
            "127.0.0.1:4566, evil.example",
            "127.0.0.1 :4566",
            "s3.localhost",
            "s3.localhost:80",
            "s3.localhost.:4566",
            ".localhost:4566",
            "a..localhost:4566",
            "s3.localhost.evil.example:4566",
            "s3localhost:4566",
        ] {
            assert_eq!(judged("/", &[("host", host)]), Err(Refusal::Host), "{host}");
        }
        let own = ("host", "127.0.0.1:4566");
        assert_eq!(judged("/", &[]), Err(Refusal::Host));
        assert_eq!(judged("/", &[own, own]), Err(Refusal::Host));
        assert_eq!(judged("/", &[own, ("host", "evil.example")]), Err(Refusal::Host));
        assert_eq!(judged("http://evil.example/", &[own]), Err(Refusal::Host));
        assert_eq!(judged("http://evil.example:4566/", &[own]), Err(Refusal::Host));
        assert_eq!(judged("http://127.0.0.1:4566/", &[own]), Ok(()));
    }

    #[test]
    fn what_a_web_page_sends_is_refused_also_if_it_is_simple() {
        let own = ("host", "127.0.0.1:4566");
        let form = ("content-type", "application/x-www-form-urlencoded");
        for origin in ["https://evil.example", "null", "http://127.0.0.1:4566", ""] {
            assert_eq!(judged("/", &[own, form, ("origin", origin)]), Err(Refusal::Origin));
        }
        for site in ["cross-site", "same-site", "same-origin", "", "None"] {
            assert_eq!(
                judged("/", &[own, ("sec-fetch-site", site)]),
                Err(Refusal::Fetch),
                "{site}"
            );
        }
        assert_eq!(judged("/", &[own, ("sec-fetch-site", "none")]), Ok(()));
        assert_eq!(judged("/", &[own, form]), Ok(()));
        let bucket = ("host", "box.localhost:4566");
        assert_eq!(judged("/", &[bucket, ("origin", "null")]), Err(Refusal::Origin));
        assert_eq!(judged("/", &[bucket, ("sec-fetch-site", "same-site")]), Err(Refusal::Fetch));
    }

    #[test]
    fn a_function_url_is_for_web_pages_too_but_not_under_any_name() {
        let judged = |host: &str| {
            let request = Request::builder().uri("/").header("host", host);
            judge_public(&request.header("origin", "https://a.example").body(()).unwrap(), 4566)
        };
        for host in ["127.0.0.1:4566", "abc.lambda-url.us-east-1.localhost:4566"] {
            assert_eq!(judged(host), Ok(()), "{host}");
        }
        for host in [
            "abc.lambda-url.us-east-1.localhost:80",
            "abc.lambda-url.us-east-1.localhost",
            ".lambda-url.us-east-1.localhost:4566",
            "a.b.lambda-url.us-east-1.localhost:4566",
            "abc.lambda-url.evil.example.localhost:4566",
            "abc.lambda-url.us-east-1.localhost.evil.example:4566",
            "evil.example:4566",
        ] {
            assert_eq!(judged(host), Err(Refusal::Host), "{host}");
        }
    }

    #[test]
    fn a_real_accounts_key_is_refused() {
        let own = ("host", "127.0.0.1:4566");
        let signed = |key: &str| {
            let header =
                format!("AWS4-HMAC-SHA256 Credential={key}/20261123/r/lambda/aws4_request, x");
            judged("/", &[own, ("authorization", &header)])
        };
        for key in ["AKIA1234567890ABCDEF", "ASIA1234567890ABCDEF"] {
            assert_eq!(signed(key), Err(Refusal::RealKey), "{key}");
            let link = format!("/a?X-Amz-Credential={key}%2F20261123%2Fr%2Fs3%2Faws4_request");
            assert_eq!(judged(&link, &[own]), Err(Refusal::RealKey));
        }
        for key in [
            "wavegate",
            "local",
            "test",
            "AKIA",
            "AKIAIOSFODNN7EXAMPLE",
            "AKIAVERYLONGDUMMYKEYINDEED",
        ] {
            assert_eq!(signed(key), Ok(()), "{key}");
        }
        assert_eq!(judged("/", &[own, ("authorization", "Basic x")]), Ok(()));
    }
}
