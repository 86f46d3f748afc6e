//! Function names as callers write them: plain names, partial ARNs and full ARNs, each with or
//! without a qualifier (`fn`, `fn:live`, `123456789012:function:fn`, `arn:aws:lambda:…:fn:7`).

use super::error::{ApiError, Constraints};
pub use crate::home::Home;
use crate::home::{is_account, is_region};

/// AWS's pattern for `FunctionName`, as its validation messages print it.
const NAME_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
const QUALIFIER_PATTERN: &str = "\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";
/// AWS: a new function's plain name has at most 64 characters.
const NAME_LENGTH: usize = 64;

/// The unqualified, unpublished version.
pub const LATEST: &str = "$LATEST";

impl Home {
    /// The ARN of a function, with a qualifier when given.
    pub fn arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let base = self.resource_arn("function", name);
        match qualifier {
            Some(qualifier) => format!("{base}:{qualifier}"),
            None => base,
        }
    }

    /// The ARN of something of Lambda's: a `layer`, an `event-source-mapping`.
    pub fn resource_arn(&self, kind: &str, id: &str) -> String {
        let partition = self.partition();
        format!("arn:{partition}:lambda:{}:{}:{kind}:{id}", self.region, self.account)
    }

    /// The partition that the region belongs to.
    pub fn partition(&self) -> &'static str {
        if self.region.starts_with("cn-") {
            "aws-cn"
        } else if self.region.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }

    /// Resolves a name as a caller wrote it, with the separate `Qualifier` parameter if any.
    ///
    /// # Errors
    /// `ValidationException` for texts that are no name, `InvalidParameterValueException` for two
    /// different qualifiers, and AWS's refusals for another region or account.
    pub fn resolve(&self, text: &str, qualifier: Option<&str>) -> Result<Target, ApiError> {
        let parts = self.split(text).ok_or_else(|| bad_name(text))?;
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

    /// Takes a name apart as AWS's pattern does: everything before the name may be left out.
    fn split<'a>(&self, text: &'a str) -> Option<Parts<'a>> {
        let mut rest: Vec<&str> = text.split(':').collect();
        if rest.len() > 3 && rest[0] == "arn" && rest[2] == "lambda" {
            if !(rest[1].is_empty() || rest[1].starts_with("aws")) {
                return None;
            }
            rest.drain(..3);
        }
        let mut take = |is_part: &dyn Fn(&str) -> bool| {
            (rest.len() > 1 && is_part(rest[0])).then(|| rest.remove(0))
        };
        let region = take(&|part| part == self.region || is_region(part));
        let account = take(&is_account);
        take(&|part| part == "function");
        let (name, qualifier) = match rest.as_slice() {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return None,
        };
        let name_ok = !name.is_empty() && name.bytes().all(|byte| is_word(byte) || byte == b'.');
        let qualifier_ok = qualifier
            .is_none_or(|text| text == LATEST || (!text.is_empty() && text.bytes().all(is_word)));
        (name_ok && qualifier_ok).then_some(Parts { region, account, name, qualifier })
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

/// Checks the plain name of a function that is to be.
pub(crate) fn check_new(name: &str) -> Result<(), ApiError> {
    if !name.bytes().all(is_word) {
        return Err(bad_name(name));
    }
    if name.len() > NAME_LENGTH {
        // AWS tells this one in the words of its front door, but as a parameter's error.
        return Err(ApiError::invalid(format!(
            "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy \
             constraint: Member must have length less than or equal to {NAME_LENGTH}"
        )));
    }
    Ok(())
}

/// Whether a byte may stand in names of aliases and functions: `[a-zA-Z0-9-_]`.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Whether a qualifier can only be an alias: a name that is no number.
pub(crate) fn is_alias(qualifier: &str) -> bool {
    !qualifier.is_empty()
        && qualifier.bytes().all(is_word)
        && !qualifier.bytes().all(|byte| byte.is_ascii_digit())
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
            ("us-east-1:000000000000:fn", None),
            ("arn:aws:lambda:fn", None),
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
        for text in [
            "",
            "a b",
            "fn:a:b",
            "arn:aws:s3:::bucket",
            "fn:",
            "../x",
            "fn:$LATES",
            "arn:aws:lambda::000000000000:function:fn",
            "arn:aws:lambda:us-east-1::function:fn",
            "arn:aws:lambda:nowhere:000000000000:function:fn",
            "function:fn:$LATEST:more",
        ] {
            let error = home().resolve(text, None).unwrap_err();
            assert_eq!((error.status, error.code), (400, "ValidationException"), "{text}");
        }
    }

    #[test]
    fn an_arn_that_ends_too_early_names_a_function_called_function() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function";
        assert_eq!(home().resolve(arn, None).unwrap().name, "function");
    }

    #[test]
    fn only_a_new_name_is_measured() {
        let (fits, long) = ("x".repeat(64), "x".repeat(65));
        assert_eq!((check_new(&fits), home().resolve(&long, None).is_ok()), (Ok(()), true));
        let error = check_new(&long).unwrap_err();
        assert_eq!(error.code, "InvalidParameterValueException");
        assert!(error.message.ends_with("Member must have length less than or equal to 64"));
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
