//! Function names as callers write them: plain names, partial ARNs and full ARNs, each with or
//! without a qualifier (`fn`, `fn:live`, `123456789012:function:fn`, `arn:aws:lambda:…:fn:7`).

use super::error::{ApiError, Constraints};

/// AWS's pattern for `FunctionName`, as its validation messages print it.
const NAME_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";
const QUALIFIER_PATTERN: &str = "(|[a-zA-Z0-9$_-]+)";
/// AWS: a plain name has at most 64 characters.
const NAME_LENGTH: usize = 64;
/// AWS: a full ARN with qualifier has at most 140 characters.
const ARN_LENGTH: usize = 140;

/// The unqualified, unpublished version.
pub const LATEST: &str = "$LATEST";

/// Which cloud names are resolved in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The region.
    pub region: String,
    /// The twelve digits of the account.
    pub account: String,
}

impl Home {
    /// The ARN of a function, with a qualifier when given.
    pub fn arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let base = format!("arn:aws:lambda:{}:{}:function:{name}", self.region, self.account);
        match qualifier {
            Some(qualifier) => format!("{base}:{qualifier}"),
            None => base,
        }
    }

    /// Resolves a name as a caller wrote it, with the separate `Qualifier` parameter if any.
    ///
    /// # Errors
    /// `ValidationException` for texts that are no name, `InvalidParameterValueException` for two
    /// different qualifiers, and AWS's refusals for another region or account.
    pub fn resolve(&self, text: &str, qualifier: Option<&str>) -> Result<Target, ApiError> {
        let parts = split(text).ok_or_else(|| bad_name(text))?;
        if let Some(region) = parts.region.filter(|region| *region != self.region) {
            return Err(ApiError::not_found(format!(
                "Functions from '{region}' are not reachable in this region ('{}')",
                self.region
            )));
        }
        if let Some(account) = parts.account.filter(|account| *account != self.account) {
            return Err(ApiError::new(
                403,
                "AccessDeniedException",
                format!(
                    "User: arn:aws:iam::{}:root is not authorized to perform this action on \
                     functions of account {account}",
                    self.account
                ),
            ));
        }
        let qualifier = qualifier.filter(|qualifier| !qualifier.is_empty());
        check_qualifier(qualifier)?;
        let qualifier = match (parts.qualifier, qualifier) {
            (Some(derived), Some(given)) if derived != given => {
                return Err(ApiError::invalid(
                    "The derived qualifier from the function name does not match the specified \
                     qualifier.",
                ));
            }
            (derived, given) => derived.or(given),
        };
        Ok(Target { name: parts.name.to_owned(), qualifier: qualifier.map(ToOwned::to_owned) })
    }
}

/// A function of this cloud, and which of its versions or aliases is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The plain function name.
    pub name: String,
    /// `$LATEST`, a version number, an alias, or nothing.
    pub qualifier: Option<String>,
}

struct Parts<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

fn split(text: &str) -> Option<Parts<'_>> {
    if text.len() > ARN_LENGTH {
        return None;
    }
    let mut rest: Vec<&str> = text.split(':').collect();
    let mut region = None;
    if rest.first() == Some(&"arn") {
        if rest.len() < 7 || !rest[1].starts_with("aws") || rest[2] != "lambda" {
            return None;
        }
        region = Some(rest[3]);
        rest.drain(..4);
    }
    let is_account =
        |part: &str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut account = None;
    if rest.len() > 1 && is_account(rest[0]) {
        account = Some(rest.remove(0));
    } else if region.is_some() {
        return None;
    }
    if rest.len() > 1 && rest[0] == "function" {
        rest.remove(0);
    } else if region.is_some() {
        return None;
    }
    let (name, qualifier) = match rest.as_slice() {
        [name] => (*name, None),
        [name, qualifier] => (*name, Some(*qualifier)),
        _ => return None,
    };
    let name_ok = !name.is_empty()
        && name.len() <= NAME_LENGTH
        && name.bytes().all(|byte| is_word(byte) || byte == b'.');
    let qualifier_ok = qualifier
        .is_none_or(|text| text == LATEST || (!text.is_empty() && text.bytes().all(is_word)));
    (name_ok && qualifier_ok).then_some(Parts { region, account, name, qualifier })
}

/// Whether a byte may stand in names of aliases and functions: `[a-zA-Z0-9-_]`.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn bad_name(text: &str) -> ApiError {
    let mut constraints = Constraints::default();
    constraints.pattern("functionName", text, false, NAME_PATTERN);
    constraints.finish().err().unwrap_or_else(|| ApiError::invalid("Invalid function name"))
}

fn check_qualifier(qualifier: Option<&str>) -> Result<(), ApiError> {
    let mut constraints = Constraints::default();
    if let Some(text) = qualifier {
        let ok = text.bytes().all(|byte| is_word(byte) || byte == b'$');
        constraints.pattern("qualifier", text, ok, QUALIFIER_PATTERN);
        constraints.max_length("qualifier", text, 128);
    }
    constraints.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home { region: "us-east-1".into(), account: "000000000000".into() }
    }

    #[test]
    fn every_way_to_write_a_name_means_the_same_function() {
        for (text, qualifier) in [
            ("fn", None),
            ("function:fn", None),
            ("000000000000:fn", None),
            ("000000000000:function:fn", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:fn", None),
            ("fn:live", Some("live")),
            ("fn:$LATEST", Some(LATEST)),
            ("arn:aws:lambda:us-east-1:000000000000:function:fn:7", Some("7")),
        ] {
            let target = home().resolve(text, None).unwrap();
            assert_eq!(target.name, "fn", "{text}");
            assert_eq!(target.qualifier.as_deref(), qualifier, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "x".repeat(65);
        for text in ["", "a b", "fn:a:b", "arn:aws:s3:::bucket", "fn:", "../x", long.as_str()] {
            let error = home().resolve(text, None).unwrap_err();
            assert_eq!((error.status, error.code), (400, "ValidationException"), "{text}");
        }
    }

    #[test]
    fn two_different_qualifiers_are_refused() {
        let error = home().resolve("fn:live", Some("7")).unwrap_err();
        assert_eq!(error.code, "InvalidParameterValueException");
        assert!(home().resolve("fn:live", Some("live")).is_ok());
    }

    #[test]
    fn other_regions_and_accounts_are_refused() {
        let region = "arn:aws:lambda:eu-west-1:000000000000:function:fn";
        assert_eq!(home().resolve(region, None).unwrap_err().status, 404);
        let account = "arn:aws:lambda:us-east-1:111111111111:function:fn";
        assert_eq!(home().resolve(account, None).unwrap_err().status, 403);
    }
}
