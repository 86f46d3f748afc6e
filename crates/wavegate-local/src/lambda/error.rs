//! Errors of the Lambda API: AWS's codes, HTTP statuses and messages.

use crate::wire::Fault;

/// An answer that refuses. Messages follow AWS's own wording where it is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// AWS's exception name.
    pub code: &'static str,
    /// AWS's message.
    pub message: String,
    /// `Reason` of throttles.
    pub reason: Option<&'static str>,
    /// `Retry-After` in seconds, of throttles.
    pub retry_after_s: Option<u32>,
    /// AWS does not say whose fault it is, as it does of most.
    pub is_nobodys: bool,
}

impl ApiError {
    /// An error with neither reason nor retry hint.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, code, message, reason: None, retry_after_s: None, is_nobodys: false }
    }

    /// The same without a word of whose fault it is: some of AWS's are so.
    pub(crate) fn nobodys(self) -> Self {
        Self { is_nobodys: true, ..self }
    }

    /// 404 `ResourceNotFoundException`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "ResourceNotFoundException", message)
    }

    /// 404 for a function or version that does not exist.
    pub fn no_function(arn: &str) -> Self {
        Self::not_found(format!("Function not found: {arn}"))
    }

    /// 409 `ResourceConflictException`.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "ResourceConflictException", message)
    }

    /// 400 `InvalidParameterValueException`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValueException", message)
    }

    /// 400 for a qualifier where none may stand.
    pub(crate) fn qualified() -> Self {
        Self::invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not \
             support this operation. Please specify either a function name or an unqualified \
             function ARN.",
        )
    }

    /// 412 for a stale `RevisionId`; `call` names the call that tells the current one.
    pub fn precondition(call: &str) -> Self {
        Self::new(
            412,
            "PreconditionFailedException",
            format!(
                "The Revision Id provided does not match the latest Revision Id. Call the {call} \
                 API to retrieve the latest Revision Id"
            ),
        )
    }

    /// 429 for too many invocations at once.
    pub fn too_many_invocations(reason: &'static str) -> Self {
        Self {
            reason: Some(reason),
            ..Self::new(429, "TooManyRequestsException", "Rate Exceeded.")
        }
    }

    /// 429 for too many control-plane calls (AWS: 15 a second for an account and region).
    pub fn rate_exceeded(retry_after_s: u32) -> Self {
        Self {
            reason: Some("CallerRateLimitExceeded"),
            retry_after_s: Some(retry_after_s),
            ..Self::new(429, "TooManyRequestsException", "Rate exceeded")
        }
    }

    /// 500 `ServiceException`: the cloud itself failed.
    pub fn service(message: impl Into<String>) -> Self {
        Self::new(500, "ServiceException", message)
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        let mut fault = Self::front(error.status, error.code, error.message);
        if let Some(reason) = error.reason {
            fault = fault.with("Reason", reason);
        }
        if error.is_nobodys {
            fault = fault.with("Type", serde_json::Value::Null);
        }
        match error.retry_after_s {
            Some(seconds) => fault.with("retryAfterSeconds", seconds.to_string()),
            None => fault,
        }
    }
}

/// Collects broken constraints and reports all of them in one `ValidationException`, as the
/// front door of AWS's services does. What comes over the wire is held against AWS's model there; these
/// are for the names and texts that reach the model by other ways, too: by CodeDeploy, and in the simulation.
#[derive(Debug, Default)]
pub(crate) struct Constraints {
    broken: Vec<String>,
}

impl Constraints {
    /// Notes a broken constraint of `field` (as the API spells it, lower camel case).
    pub(crate) fn broken(&mut self, field: &str, value: &str, constraint: &str) {
        self.broken.push(format!(
            "Value '{value}' at '{field}' failed to satisfy constraint: {constraint}"
        ));
    }

    /// Notes a value that does not match `pattern`.
    pub(crate) fn pattern(&mut self, field: &str, value: &str, matches: bool, pattern: &str) {
        if !matches {
            let text = format!("Member must satisfy regular expression pattern: {pattern}");
            self.broken(field, value, &text);
        }
    }

    /// Notes a text of more than `limit` UTF-16 units, which is how AWS counts.
    pub(crate) fn max_length(&mut self, field: &str, value: &str, limit: usize) {
        if value.encode_utf16().count() > limit {
            let text = format!("Member must have length less than or equal to {limit}");
            self.broken(field, value, &text);
        }
    }

    /// The one error for everything noted.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let count = self.broken.len();
        if count == 0 {
            return Ok(());
        }
        let noun = if count == 1 { "error" } else { "errors" };
        Err(ApiError::new(
            400,
            "ValidationException",
            format!("{count} validation {noun} detected: {}", self.broken.join("; ")),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_broken_constraints_are_told_at_once() {
        let mut constraints = Constraints::default();
        constraints.pattern("name", "a b", false, "[a-z]+");
        constraints.max_length("description", "abc", 2);
        let error = constraints.finish().unwrap_err();
        assert_eq!(error.status, 400);
        assert_eq!(
            error.message,
            "2 validation errors detected: Value 'a b' at 'name' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: [a-z]+; Value 'abc' at 'description' \
             failed to satisfy constraint: Member must have length less than or equal to 2"
        );
    }
}
