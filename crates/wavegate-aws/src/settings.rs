//! How to reach AWS, and why that can fail before the first call.
//!
//! Invariant: the dummy credentials of the local cloud are never sent to any other machine.
//! Deliberately absent: keys in settings. Real credentials come from AWS's own chain alone.

use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

/// What [`crate::AwsCloud::connect`] needs to know.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The region. `None`: what the chain says (`AWS_REGION`, the profile, the instance).
    pub region: Option<String>,
    /// The endpoint of every service. `None`: what the chain says (`AWS_ENDPOINT_URL`, its
    /// per-service forms, the profile), else AWS itself.
    pub endpoint_url: Option<String>,
    /// Where credentials come from.
    pub credentials: Credentials,
    /// How long calls may take.
    pub timeouts: Timeouts,
}

/// Where credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Credentials {
    /// AWS's standard chain: environment, profiles, SSO, processes, web identity, ECS, instance.
    #[default]
    Chain,
    /// The dummy pair `wavegate` / `wavegate`, for a local cloud on this machine. Neither the
    /// environment nor a profile is read, so the endpoint must be given and must be loopback.
    Local,
}

/// How long calls may take. Waits between calls are not in it: nothing here retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// A whole call, the time to find credentials included.
    pub operation: Duration,
    /// A whole call that sends a package or fetches one.
    pub package: Duration,
}

impl Default for Timeouts {
    /// 3.1 s, just over one retransmission of TCP's first packet; 30 s; 5 min, which is 50 MB at
    /// under 2 Mbit/s.
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(3100),
            operation: Duration::from_secs(30),
            package: Duration::from_mins(5),
        }
    }
}

/// Why AWS cannot even be called.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// No region is known.
    #[error(
        "no AWS region is set: give `region` under `[app]` in deploy.toml, or set AWS_REGION, or \
         name a profile with a region in AWS_PROFILE"
    )]
    NoRegion,
    /// The region's text cannot be one.
    #[error("`{region}` is not an AWS region: expected letters, digits and `-`, as in eu-west-1")]
    BadRegion {
        /// The text.
        region: String,
    },
    /// An endpoint is not a usable URL.
    #[error(
        "the {service} endpoint `{url}` cannot be used: {reason}; expected http://HOST[:PORT] or \
         https://HOST[:PORT]"
    )]
    BadEndpoint {
        /// Which service's.
        service: &'static str,
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The local cloud's credentials were to be used without an endpoint.
    #[error(
        "the local cloud's credentials need its endpoint: give http://127.0.0.1:PORT, or use \
         `target = \"aws\"`"
    )]
    LocalWithoutEndpoint,
    /// The local cloud's credentials were to be sent to another machine.
    #[error(
        "`{url}` is not on this machine: the local cloud's credentials are only sent to loopback; \
         use `target = \"aws\"` for any other endpoint"
    )]
    LocalElsewhere {
        /// The endpoint.
        url: String,
    },
}

impl ConnectError {
    /// The stable code that `wavegate explain` tells about.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRegion => "WG501",
            Self::BadRegion { .. } => "WG502",
            Self::BadEndpoint { .. } => "WG503",
            Self::LocalWithoutEndpoint => "WG504",
            Self::LocalElsewhere { .. } => "WG505",
        }
    }
}

/// A checked endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Scheme, host, port and path, without a slash at the end.
    pub(crate) url: String,
    /// The host alone, without brackets.
    pub(crate) host: String,
}

impl Endpoint {
    /// Parses `http[s]://HOST[:PORT][/PATH]`.
    pub(crate) fn parse(service: &'static str, url: &str) -> Result<Self, ConnectError> {
        let bad = |reason| ConnectError::BadEndpoint { service, url: url.to_owned(), reason };
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(bad("it has spaces or control characters"));
        }
        if url.contains(['?', '#', '\\']) {
            return Err(bad("a query, a fragment or a backslash has no place in it"));
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
        if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
            return Err(bad("its scheme is neither http nor https"));
        }
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(bad("credentials have no place in it"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => v6.split_once(']').ok_or_else(|| bad("a bracket is not closed"))?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        if host.is_empty() {
            return Err(bad("it has no host"));
        }
        let port_is_legal = match port.strip_prefix(':') {
            Some(digits) => digits.parse::<u16>().is_ok_and(|port| port > 0),
            None => port.is_empty(),
        };
        if !port_is_legal {
            return Err(bad("its port is not a number from 1 to 65535"));
        }
        Ok(Self { url: url.trim_end_matches('/').to_owned(), host: host.to_owned() })
    }

    /// Whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// Checks the text of a region. It becomes part of host names, so nothing else may be in it.
pub(crate) fn check_region(region: &str) -> Result<(), ConnectError> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if region.is_empty() || region.len() > 63 || !region.bytes().all(legal) {
        return Err(ConnectError::BadRegion { region: region.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_taken_or_refused_with_a_reason() {
        for (url, host, loopback) in [
            ("http://127.0.0.1:4566", "127.0.0.1", true),
            ("http://127.8.8.8:4566/", "127.8.8.8", true),
            ("HTTP://LocalHost:1", "LocalHost", true),
            ("http://[::1]:80", "::1", true),
            ("https://lambda.eu-west-1.amazonaws.com", "lambda.eu-west-1.amazonaws.com", false),
            ("http://127.0.0.1.example.com", "127.0.0.1.example.com", false),
            ("http://localhost.example.com/base", "localhost.example.com", false),
            ("http://0.0.0.0:1", "0.0.0.0", false),
        ] {
            let endpoint = Endpoint::parse("Lambda", url).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.is_loopback()), (host, loopback), "{url}");
        }
        for url in [
            "",
            "localhost:4566",
            "ftp://localhost",
            "http://",
            "http://:80",
            "http://localhost:99999",
            "http://localhost:",
            "http://[::1",
            "http://127.0.0.1@example.com",
            "http://127.0.0.1\\@example.com",
            "http://localhost/?x",
            "http://local host",
        ] {
            let error = Endpoint::parse("Lambda", url).unwrap_err();
            assert!(matches!(error, ConnectError::BadEndpoint { .. }), "{url}: {error}");
        }
    }

    #[test]
    fn a_region_cannot_smuggle_a_host() {
        assert_eq!(check_region("ap-northeast-2"), Ok(()));
        for bad in ["", "eu-west-1.evil.com", "eu west 1", "EU", "a/b", "x@y"] {
            assert!(check_region(bad).is_err(), "{bad}");
        }
    }
}
