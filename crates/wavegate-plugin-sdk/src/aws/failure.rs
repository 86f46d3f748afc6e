//! What a failed AWS call means to people and to the layer that retries.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Service;
use crate::{PluginError, text};

/// Too many calls; later the same one may pass.
pub const THROTTLED: &str = "aws.throttled";
/// The service itself failed (HTTP 5xx); later the same call may pass.
pub const UNAVAILABLE: &str = "aws.unavailable";
/// No connection could be made.
pub const UNREACHABLE: &str = "aws.unreachable";
/// The connection broke before the answer was there: whether the call was done cannot be told.
pub const BROKEN: &str = "aws.broken";
/// No answer came in time.
pub const TIMEOUT: &str = "aws.timeout";
/// No credentials were found, they could not be loaded, or they have expired.
pub const CREDENTIALS: &str = "aws.credentials";
/// The service said no.
pub const REFUSED: &str = "aws.refused";
/// The answer could not be read.
pub const GARBLED: &str = "aws.garbled";

/// How much of a service's own words is passed on.
const MAX_MESSAGE_CHARS: usize = 500;

/// The codes by which AWS's services say that there were too many calls.
const THROTTLING_CODES: [&str; 8] = [
    "EC2ThrottledException",
    "LimitExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// The codes by which they say that credentials which were good are so no longer, or not at this
/// time: a refresh or a clock that is set right mends it.
const EXPIRY_CODES: [&str; 5] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "TokenRefreshRequired",
];

/// The error that a failed call comes to: one of the codes above, in the service's own words.
pub fn call_failed<E>(
    service: Service,
    operation: &str,
    error: &SdkError<E, HttpResponse>,
) -> PluginError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let service = service.name();
    let because = |what: &str| format!("{service} {what} {operation}: {}", text::causes(error));
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            service_error(service, operation, status, answer.err())
        }
        SdkError::TimeoutError(_) => {
            PluginError::new(TIMEOUT, format!("{service} did not answer {operation} in time"))
                .retryable()
        }
        SdkError::ResponseError(_) => {
            PluginError::new(GARBLED, because("gave an unreadable answer to")).retryable()
        }
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            PluginError::new(UNREACHABLE, because("cannot be reached for")).retryable()
        }
        // Resolving an identity fails in here, as a construction or as a dispatch failure.
        _ if text::causes(error).contains("redential") => {
            PluginError::new(CREDENTIALS, because("cannot be asked for"))
        }
        SdkError::DispatchFailure(_) => PluginError::new(BROKEN, because("broke off")).retryable(),
        _ => PluginError::new(REFUSED, because("was not asked for")),
    }
}

fn service_error<E>(service: &str, operation: &str, status: u16, error: &E) -> PluginError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let code = error.code().unwrap_or("an error without a code");
    let words = text::one_line(error.message().unwrap_or_default(), MAX_MESSAGE_CHARS);
    let colon = if words.is_empty() { "" } else { ": " };
    let message =
        format!("{service} refused {operation} with {code}{colon}{words} (HTTP {status})");
    if status < 400 {
        // Not the service's own words: something in between answers, or cut them short.
        let message = format!("{service} gave an unreadable answer to {operation} (HTTP {status})");
        PluginError::new(GARBLED, message).retryable()
    } else if EXPIRY_CODES.contains(&code) {
        PluginError::new(CREDENTIALS, message).retryable()
    } else if status == 429 || THROTTLING_CODES.contains(&code) {
        PluginError::new(THROTTLED, message).retryable()
    } else if status >= 500 {
        PluginError::new(UNAVAILABLE, message).retryable()
    } else {
        PluginError::new(REFUSED, message)
    }
}
