//! Headers as people write them, and the secrets among them.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
};

use super::failure::{REQUEST, VARIABLE};
use crate::{Diagnostics, PluginError};

/// Headers that frame a request: they follow from the request itself.
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers whose values are secrets wherever they come from, and however short.
const ALWAYS_SECRET: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// From how many characters on something written may be a secret, and a word of a secret is one
/// itself: `Bearer` is none.
pub(super) const MIN_SECRET_CHARS: usize = 7;

/// The headers of a request. Which of their values may be secrets is remembered, so that they can be
/// blotted out of what the server answers.
#[derive(Clone, Default)]
pub struct Headers {
    map: HeaderMap,
    secrets: Vec<String>,
}

impl Headers {
    /// The headers of two tables: names with their values, and names with the environment variables
    /// that hold their values now. Nobody but the server sees any of them again, if it is long enough
    /// for a secret: `${env:TOKEN}` may have stood in each.
    ///
    /// # Errors
    /// With [`VARIABLE`], naming every variable that is not there, or with [`REQUEST`] for what no
    /// header can hold.
    pub fn read(
        values: &BTreeMap<String, String>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, PluginError> {
        let mut headers = Self::default();
        for (name, value) in values {
            headers.insert(name, value)?;
            if value.len() >= MIN_SECRET_CHARS {
                headers.remember(value);
            }
        }
        let mut missing = Vec::new();
        for (name, from) in variables {
            match variable(from) {
                Ok(value) => headers.insert_secret(name, &value)?,
                Err(error) => missing.push(error.message().to_owned()),
            }
        }
        if missing.is_empty() { Ok(headers) } else { Err(no_variable(missing.join("; "))) }
    }

    /// Adds a header, or replaces the one of that name.
    ///
    /// # Errors
    /// With [`REQUEST`] if no header can be so. The value is not repeated.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), PluginError> {
        let (name, value) = checked(name, value)?;
        if ALWAYS_SECRET.contains(&name) {
            self.remember(value.to_str().unwrap_or_default());
        }
        self.map.insert(name, value);
        Ok(())
    }

    /// Adds a header whose value nobody but the server may see.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn insert_secret(&mut self, name: &str, value: &str) -> Result<(), PluginError> {
        let (name, mut value) = checked(name, value)?;
        value.set_sensitive(true);
        self.remember(value.to_str().unwrap_or_default());
        self.map.insert(name, value);
        Ok(())
    }

    pub(super) fn into_parts(self) -> (HeaderMap, Vec<String>) {
        (self.map, self.secrets)
    }

    /// The value as a whole comes first, then the words of `Bearer TOKEN` and its like.
    fn remember(&mut self, value: &str) {
        let words = value.split_whitespace().filter(|word| word.len() >= MIN_SECRET_CHARS);
        let all = std::iter::once(value.trim()).chain(words);
        self.secrets.extend(all.filter(|secret| !secret.is_empty()).map(str::to_owned));
    }
}

/// Names alone.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.map.keys()).finish()
    }
}

fn checked(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), PluginError> {
    let error = |what: &str| PluginError::new(REQUEST, format!("header `{name}`: {what}"));
    let parsed: HeaderName = name.parse().map_err(|_| error("not a name of a header"))?;
    let value = value.parse().map_err(|_| error("its value holds what no header can hold"))?;
    Ok((parsed, value))
}

/// The value of an environment variable, for one call. It must reach no text.
///
/// # Errors
/// With [`VARIABLE`] if it is not set, empty, or not UTF-8. The variable is named, its value is not
/// told.
pub fn variable(name: &str) -> Result<String, PluginError> {
    let what = match std::env::var(name) {
        Ok(value) if value.trim().is_empty() => "is empty",
        // A line end at the end is how files and shells hand secrets over; no header can hold it.
        Ok(value) => return Ok(value.trim().to_owned()),
        Err(std::env::VarError::NotPresent) => "is not set",
        Err(std::env::VarError::NotUnicode(_)) => "is not UTF-8",
    };
    Err(no_variable(format!("the environment variable `{name}` {what}")))
}

fn no_variable(message: String) -> PluginError {
    PluginError::new(VARIABLE, message)
}

/// Finds what is wrong with the two tables `headers` and `headers_from_env` of a config. `own` are
/// the headers that the component sets itself, in lower case.
pub fn check_headers(
    values: &BTreeMap<String, String>,
    variables: &BTreeMap<String, String>,
    own: &[&str],
    found: &mut Diagnostics,
) {
    let mut seen: Vec<String> = Vec::new();
    let mut check_name = |table: &str, name: &str, found: &mut Diagnostics| {
        let path = format!("{table}.{name}");
        let lower = name.to_ascii_lowercase();
        if name.parse::<HeaderName>().is_err() {
            found.error(path, format!("`{name}` is not a name of a header"));
        } else if FRAMING.contains(&lower.as_str()) || own.contains(&lower.as_str()) {
            found.error(path, format!("`{name}` is set by wavegate")).hint("leave it out");
        } else if seen.contains(&lower) {
            found.error(path, format!("`{name}` is written twice")).hint("keep one of the two");
        } else {
            seen.push(lower);
        }
    };
    for (name, value) in values {
        check_name("headers", name, found);
        if value.parse::<HeaderValue>().is_err() {
            found.error(format!("headers.{name}"), "its value holds what no header can hold");
        }
    }
    for (name, from) in variables {
        check_name("headers_from_env", name, found);
        check_variable(&format!("headers_from_env.{name}"), from, found);
    }
}

/// Finds what is wrong with the name of an environment variable. Whether it is set is looked at when
/// it is needed: the machine that plans need not be the one that asks.
pub fn check_variable(path: &str, name: &str, found: &mut Diagnostics) {
    if name.is_empty()
        || name.contains(|c: char| "=$".contains(c) || c.is_whitespace() || c == '\0')
    {
        found
            .error(path, "not the name of an environment variable")
            .hint("write the name of the variable, not its value: \"HOOK_TOKEN\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variables that cargo sets for every test.
    const SET: &str = "CARGO_PKG_NAME";

    fn table(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn values_come_from_the_table_and_from_the_environment() {
        let headers =
            Headers::read(&table(&[("X-Team", "shop")]), &table(&[("X-Token", SET)])).unwrap();
        let (map, secrets) = headers.into_parts();
        assert_eq!(map["x-team"], "shop");
        assert_eq!(map["x-token"], "wavegate-plugin-sdk");
        assert_eq!(secrets, ["wavegate-plugin-sdk", "wavegate-plugin-sdk"]);
    }

    #[test]
    fn every_variable_that_is_not_there_is_named() {
        let variables = table(&[("X-A", "WG_NOT_SET_1"), ("X-B", SET), ("X-C", "WG_NOT_SET_2")]);
        let error = Headers::read(&table(&[]), &variables).unwrap_err();
        assert_eq!(error.code(), VARIABLE);
        assert!(!error.is_retryable());
        assert_eq!(
            error.message(),
            "the environment variable `WG_NOT_SET_1` is not set; the environment variable \
             `WG_NOT_SET_2` is not set"
        );
    }

    #[test]
    fn a_value_that_no_header_can_hold_is_not_repeated() {
        let error = Headers::default().insert_secret("X-A", "hunter2\n").unwrap_err();
        assert_eq!(error.code(), REQUEST);
        assert_eq!(error.message(), "header `X-A`: its value holds what no header can hold");
    }

    #[test]
    fn nothing_of_a_value_is_in_the_debug_text() {
        let mut headers = Headers::default();
        headers.insert("X-Plain", "hunter2").unwrap();
        headers.insert_secret("X-Secret", "hunter2").unwrap();
        assert_eq!(format!("{headers:?}"), r#"{"x-plain", "x-secret"}"#);
    }

    #[test]
    fn a_token_is_a_secret_with_and_without_its_scheme() {
        let mut headers = Headers::default();
        headers.insert("Authorization", "Bearer hunter2-hunter2").unwrap();
        headers.insert("X-Team", "checkout-team").unwrap();
        let (_, secrets) = headers.into_parts();
        assert_eq!(secrets, ["Bearer hunter2-hunter2", "hunter2-hunter2"]);
    }

    #[test]
    fn what_is_written_may_hold_a_secret_unless_it_is_too_short_for_one() {
        let written = table(&[("X-Key", "key hunter2"), ("X-Stage", "prod")]);
        let (_, secrets) = Headers::read(&written, &table(&[])).unwrap().into_parts();
        assert_eq!(secrets, ["key hunter2", "hunter2"]);
    }

    #[test]
    fn tables_that_cannot_be_sent_are_told_at_plan_time() {
        let mut found = Diagnostics::none();
        check_headers(
            &table(&[("Host", "a"), ("X-Team", "a"), ("a b", "c"), ("x-bad", "a\nb")]),
            &table(&[
                ("x-team", "TEAM"),
                ("Idempotency-Key", "KEY"),
                ("X-V", "$TOKEN"),
                ("X-W", ""),
            ]),
            &["idempotency-key"],
            &mut found,
        );
        let paths: Vec<_> = found.into_vec().into_iter().map(|finding| finding.path).collect();
        assert_eq!(
            paths,
            [
                "headers.Host",
                "headers.a b",
                "headers.x-bad",
                "headers_from_env.Idempotency-Key",
                "headers_from_env.X-V",
                "headers_from_env.X-W",
                "headers_from_env.x-team",
            ]
        );
        let mut found = Diagnostics::none();
        check_headers(&table(&[("X-A", "b")]), &table(&[("X-B", "TOKEN")]), &[], &mut found);
        assert!(found.is_empty(), "{found:?}");
    }
}
