//! Addresses as people write them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::headers::MIN_SECRET_CHARS;
use super::reach;

/// The address of a server or of something on it: `https://hooks.example.com/judge`.
///
/// Shown to people it is its origin alone: path and query may hold what only the two ends should
/// know.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Url);

/// A text that is no address. Does not repeat the text, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It cannot be read as one.
    #[error("not an address: {0}; write it like \"https://example.com/path\"")]
    Unreadable(String),
    /// It is of another kind.
    #[error("an address starts with http:// or https://")]
    Scheme,
    /// It holds a user name or a password.
    #[error("an address holds no user and no password: send a header from an environment variable")]
    UserInfo,
    /// It is one at which clouds give credentials, or nobody's.
    #[error(
        "link-local and unassigned addresses are never spoken to: clouds give credentials there"
    )]
    Forbidden,
    /// It has a part behind `#`.
    #[error("what is behind `#` is never sent: leave it out")]
    Fragment,
}

impl Address {
    /// Scheme, host, and the port if it is not the scheme's own: `http://localhost:9090`.
    pub fn origin(&self) -> String {
        origin(&self.0)
    }

    /// Whether there is a part behind `?`.
    pub fn has_query(&self) -> bool {
        self.0.query().is_some()
    }

    /// The address below this one: `https://host/base` and `api/v1` give `https://host/base/api/v1`.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        Self(url)
    }

    /// The address as a whole, with these fields as its query: for links that people open.
    pub fn link(&self, fields: &[(&str, &str)]) -> String {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(fields);
        url.into()
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// What of it may be a secret, as it is sent and as the server may read it: the path, with and
    /// without the query, and each part of them that is long enough for one.
    pub(super) fn secrets(&self) -> Vec<String> {
        let (path, query) = (self.0.path(), self.0.query().unwrap_or_default());
        let values =
            query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let values = values.flat_map(|value| [value.to_owned(), decoded(value)]);
        // Only in a query a `+` is a space.
        let segments = path.split('/');
        let segments =
            segments.flat_map(|part| [part.to_owned(), decoded(&part.replace('+', "%2B"))]);
        let whole = self.0.query().map_or(path.to_owned(), |query| format!("{path}?{query}"));
        segments
            .chain(values)
            .filter(|part| part.chars().count() >= MIN_SECRET_CHARS)
            .chain([path.to_owned(), whole].into_iter().filter(|path| path != "/"))
            .collect()
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether it is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }
}

/// A part of a path or of a query, freed of its percent signs.
fn decoded(part: &str) -> String {
    let whole = part.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(whole.as_bytes()).map(|(name, _)| name).collect()
}

/// What of a URL can be told to anybody.
pub(super) fn origin(url: &Url) -> String {
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    match url.port() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The parser would drop spaces and take `https:host`; what is accepted here is what the
        // schema says.
        if !["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(InvalidAddress::Scheme);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(InvalidAddress::Unreadable("it has spaces in it".to_owned()));
        }
        let url =
            Url::parse(text).map_err(|error| InvalidAddress::Unreadable(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidAddress::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(InvalidAddress::Fragment);
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_end_matches('.').trim_start_matches('[').trim_end_matches(']');
        if host.parse().is_ok_and(reach::is_forbidden) {
            return Err(InvalidAddress::Forbidden);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.origin())
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Address;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"https://example.com/path\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Address, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for Address {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^https?://[^/?#@\\s]+([/?][^#\\s]*)?$",
            "examples": ["https://example.com/path"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_http_without_secrets_in_plain_sight() {
        for text in [
            "http://localhost",
            "https://example.com/path?q=a",
            "http://[::1]:9090/",
            "https://bücher.example",
        ] {
            assert!(text.parse::<Address>().is_ok(), "{text}");
        }
        for (text, error) in [
            ("", InvalidAddress::Scheme),
            ("example.com", InvalidAddress::Scheme),
            ("ftp://example.com", InvalidAddress::Scheme),
            (" https://example.com", InvalidAddress::Scheme),
            ("https:example.com", InvalidAddress::Scheme),
            ("https://user@example.com", InvalidAddress::UserInfo),
            ("https://:hunter2@example.com", InvalidAddress::UserInfo),
            ("https://example.com/#top", InvalidAddress::Fragment),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
        for text in ["https://", "https://a b", "https://example.com:99999", "http://[::1"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(matches!(error, InvalidAddress::Unreadable(_)), "{text}: {error}");
        }
    }

    #[test]
    fn a_refused_address_is_not_repeated() {
        for text in
            ["https://joe:hunter2@example.com/", "hunter2://example.com", "https://hun ter2"]
        {
            let error = text.parse::<Address>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("ter2"), "{error:?}");
        }
    }

    #[test]
    fn people_are_shown_the_origin_alone() {
        let address = address("https://Example.com:8443/hooks/T0KEN?key=hunter2");
        assert_eq!(address.to_string(), "https://example.com:8443");
        assert_eq!(format!("{address:?}"), "Address(https://example.com:8443)");
        assert_eq!(self::address("https://example.com:443/a").origin(), "https://example.com");
    }

    #[test]
    fn all_that_is_behind_the_origin_may_be_a_secret_as_sent_and_as_read() {
        let secrets =
            address("https://h/v1/tok-hunter2/a+%2Fb%20c=&d?key%20=x%3Dy+z=w&naked-token&s=1")
                .secrets();
        for secret in [
            "/v1/tok-hunter2/a+%2Fb%20c=&d?key%20=x%3Dy+z=w&naked-token&s=1",
            "tok-hunter2",
            "a+%2Fb%20c=&d",
            "a+/b c=&d",
            "x%3Dy+z=w",
            "x=y z=w",
            "naked-token",
        ] {
            assert!(secrets.iter().any(|known| known == secret), "{secret}: {secrets:?}");
        }
        assert!(!secrets.iter().any(|known| ["v1", "1", "", "/"].contains(&known.as_str())));
        assert_eq!(address("https://h").secrets(), [""; 0]);
        assert_eq!(address("https://h/T0K?a").secrets(), ["/T0K", "/T0K?a"]);
    }

    #[test]
    fn what_is_below_keeps_the_base() {
        for (base, below) in [
            ("http://h:1", "http://h:1/api/v1/query"),
            ("http://h:1/", "http://h:1/api/v1/query"),
            ("http://h:1/prom/", "http://h:1/prom/api/v1/query"),
        ] {
            assert_eq!(address(base).below("api/v1/query").link(&[]), format!("{below}?"));
        }
        let link = address("http://h").below("graph").link(&[("g0.expr", "a{b=\"c d\"} > 1")]);
        assert_eq!(link, "http://h/graph?g0.expr=a%7Bb%3D%22c+d%22%7D+%3E+1");
    }

    #[test]
    fn this_machine_is_known_by_each_of_its_names() {
        for (text, is_loopback) in [
            ("http://localhost:1", true),
            ("http://127.0.0.2", true),
            ("http://[::1]:9", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(address(text).is_loopback(), is_loopback, "{text}");
        }
    }
}
