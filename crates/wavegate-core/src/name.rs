//! Newtypes for the names and ids that travel through a release.
//!
//! Each is checked where it is made, so code that holds one need not check again. Clones are cheap:
//! names go into every effect and event of a release.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Why a text is not a legal name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a legal {what}: {rule}")]
pub struct BadName {
    /// What was to be named, such as `alias name`.
    pub what: &'static str,
    /// The text that was given.
    pub text: String,
    /// The rule it breaks, in words.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

name! {
    /// The app's name: what locks, tokens and history are filed under.
    ///
    /// At most [`AppName::LEN_MAX`] characters, so that a token always fits a description.
    AppName
}

impl AppName {
    /// Longest app name. A token must fit Lambda's 256 characters of alias description with room
    /// for the user's own text.
    pub const LEN_MAX: usize = 40;

    /// Parses a name of ASCII letters, digits, `-` and `_`.
    pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
        let text = text.into();
        if text.is_empty() || text.len() > Self::LEN_MAX || !is_word(&text) {
            let rule = "1 to 40 letters, digits, `-` or `_`";
            return Err(BadName { what: "app name", text, rule });
        }
        Ok(Self(text.into()))
    }
}

name! {
    /// A function's key in `deploy.toml`, which is also its name in Lambda unless `name` says else.
    FunctionName
}

impl FunctionName {
    /// Parses a Lambda function name: 1 to 64 letters, digits, `-` or `_`.
    ///
    /// Source: the `FunctionName` pattern of Lambda's API model.
    pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
        let text = text.into();
        if text.is_empty() || text.len() > 64 || !is_word(&text) {
            let rule = "1 to 64 letters, digits, `-` or `_`";
            return Err(BadName { what: "function name", text, rule });
        }
        Ok(Self(text.into()))
    }
}

name! {
    /// The name of a Lambda alias.
    AliasName
}

impl AliasName {
    /// Longest alias name that leaves room for the prefixes of the lock and pin aliases.
    pub const LEN_MAX: usize = 100;

    /// Parses an alias name. Source: Lambda's pattern `(?!^[0-9]+$)([a-zA-Z0-9-_]+)`.
    pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
        let text = text.into();
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if text.is_empty() || text.len() > Self::LEN_MAX || digits || !is_word(&text) {
            let rule = "1 to 100 letters, digits, `-` or `_`, and not digits alone";
            return Err(BadName { what: "alias name", text, rule });
        }
        if text.starts_with("wavegate-") || text.ends_with("-prev") {
            let rule = "`wavegate-…` and `…-prev` are kept for lock and pin aliases";
            return Err(BadName { what: "alias name", text, rule });
        }
        Ok(Self(text.into()))
    }

    /// The app's lock alias for this alias: `wavegate-<alias>`. Never routed to.
    #[must_use]
    pub fn lock(&self) -> Self {
        Self(format!("wavegate-{}", self.0).into())
    }

    /// The pin alias for this alias: `wavegate-<alias>-prev`. Keeps the rollback target undeletable.
    #[must_use]
    pub fn pin(&self) -> Self {
        Self(format!("wavegate-{}-prev", self.0).into())
    }
}

/// A published version's number. `$LATEST` is not one: it never takes part in a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub u64);

impl VersionId {
    /// Parses Lambda's version text; `None` for `$LATEST` and anything that is not a number.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A release's id: 64 random bits, written as 13 characters of Crockford's base 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId(pub u64);

/// One write's id: recognises a write that landed although its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub u64);

const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn write_base32(value: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = String::with_capacity(13);
    for digit in (0..13).rev() {
        let index = usize::try_from((value >> (digit * 5)) & 31).unwrap_or(0);
        text.push(char::from(BASE32[index]));
    }
    f.pad(&text)
}

fn parse_base32(text: &str) -> Option<u64> {
    if text.len() != 13 {
        return None;
    }
    text.bytes()
        .try_fold(0_u128, |value, byte| {
            let digit = BASE32.iter().position(|b| *b == byte)?;
            Some((value << 5) | u128::try_from(digit).ok()?)
        })?
        .try_into()
        .ok()
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_base32(self.0, f)
    }
}

impl ReleaseId {
    /// Parses the 13 characters that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        parse_base32(text).map(Self)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_base32(self.0, f)
    }
}

impl Nonce {
    /// Parses the 13 characters that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        parse_base32(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_follow_lambdas_patterns() {
        assert!(FunctionName::new("a-b_C9").is_ok());
        for bad in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
            assert!(FunctionName::new(bad).is_err(), "{bad}");
        }
        assert!(AliasName::new("live").is_ok());
        for bad in ["", "123", "a.b", "wavegate-live", "live-prev"] {
            assert!(AliasName::new(bad).is_err(), "{bad}");
        }
        assert_eq!(AliasName::new("live").unwrap().pin().as_str(), "wavegate-live-prev");
    }

    proptest! {
        #[test]
        fn ids_round_trip(value: u64) {
            prop_assert_eq!(ReleaseId::parse(&ReleaseId(value).to_string()), Some(ReleaseId(value)));
            prop_assert_eq!(Nonce::parse(&Nonce(value).to_string()), Some(Nonce(value)));
        }
    }
}
