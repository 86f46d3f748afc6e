//! What a failed AWS call means for a release: SDK errors become [`CloudError`]s.
//!
//! Invariants: an outcome that is not known is never reported as a refusal or as a success (a
//! 5xx, a redirect, a cut connection and an answer that cannot be read are all
//! [`FaultKind::Unknown`]); "does not exist" is believed only from a service that says so in its
//! own error code, not from any 404; messages are bounded and hold no control characters.
//! Deliberately absent: retries and waiting, which are the engine's.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use wavegate_core::spec::FunctionConfig;
use wavegate_engine::ports::{CloudError, FaultKind};

/// Longest message that is kept, in characters: Lambda's validation errors repeat what was sent
/// and can be very long.
const MESSAGE_MAX: usize = 1024;

/// Longest wait that a service may ask for. More than this is taken for this.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// Error codes that say that the credentials themselves are at fault.
const CREDENTIAL_CODES: &[&str] = &[
    "AuthFailure",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
];

/// Error codes that say "too many requests", whatever the status. Source: the throttling codes
/// that AWS's SDKs share, and Lambda's and S3's own.
const THROTTLE_CODES: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Error codes that say that something is over a size limit.
const SIZE_CODES: &[&str] = &[
    "CodeStorageExceededException",
    "EntityTooLarge",
    "RequestEntityTooLargeException",
    "RequestTooLargeException",
];

/// Error codes that say that something does not exist, of services that send them with status 400:
/// CodeDeploy's model states no status, and AWS JSON 1.1 answers 400 then.
const ABSENT_CODES: &[&str] = &[
    "ApplicationDoesNotExistException",
    "DeploymentConfigDoesNotExistException",
    "DeploymentDoesNotExistException",
    "DeploymentGroupDoesNotExistException",
];

/// Error codes that say that something exists already, of such services.
const EXISTS_CODES: &[&str] = &[
    "ApplicationAlreadyExistsException",
    "DeploymentConfigAlreadyExistsException",
    "DeploymentGroupAlreadyExistsException",
];

/// Turns an SDK error into the port's.
pub(crate) fn from_sdk<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => from_answer(
            operation,
            &Answer {
                status: context.raw().status().as_u16(),
                headers: context.raw().headers(),
                code: context.err().meta().code(),
                message: context.err().meta().message(),
            },
        ),
        SdkError::ResponseError(context) => from_answer(
            operation,
            &Answer {
                status: context.raw().status().as_u16(),
                headers: context.raw().headers(),
                code: None,
                message: None,
            },
        ),
        SdkError::TimeoutError(_) => {
            plain(operation, FaultKind::Unknown, "no answer before the deadline")
        }
        // Nothing was sent: the SDK could not build the request.
        SdkError::ConstructionFailure(_) => from_transport(operation, error, FaultKind::Invalid),
        _ => from_transport(operation, error, FaultKind::Unknown),
    }
}

/// What a service answered, as far as it is judged.
pub(crate) struct Answer<'a> {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: &'a Headers,
    /// The service's error code, if the body held one.
    pub(crate) code: Option<&'a str>,
    /// The service's words, if the body held any.
    pub(crate) message: Option<&'a str>,
}

/// Turns an answer that is not a success into the port's error.
pub(crate) fn from_answer(operation: &'static str, answer: &Answer<'_>) -> CloudError {
    let message = match answer.message.filter(|message| !message.trim().is_empty()) {
        Some(message) => message.to_owned(),
        None => describe(answer),
    };
    let request_id = ["x-amzn-requestid", "x-amz-request-id"]
        .iter()
        .find_map(|name| answer.headers.get(name))
        .map(bounded);
    CloudError {
        operation,
        kind: classify(answer.status, answer.code, answer.message.unwrap_or_default()),
        code: answer.code.map(bounded),
        message: bounded(&message),
        request_id,
        retry_after: answer.headers.get("retry-after").and_then(retry_after),
    }
}

/// Turns a failure to send or to receive into the port's error.
///
/// `otherwise` is the kind when the chain of causes names neither credentials nor a connection
/// that was never made.
pub(crate) fn from_transport(
    operation: &'static str,
    error: &(dyn Error + 'static),
    otherwise: FaultKind,
) -> CloudError {
    let mut kind = otherwise;
    let mut message = chain(error);
    for cause in causes(error) {
        if let Some(credentials) = cause.downcast_ref::<CredentialsError>() {
            (kind, message) = from_credentials(credentials, &message);
            break;
        }
        // hyper's words for every failure before the connection stood: name, route, refusal,
        // connect time-out, TLS. The request cannot have been applied.
        if cause.to_string() == "client error (Connect)" {
            kind = FaultKind::Unreachable;
        }
    }
    plain(operation, kind, &message)
}

/// Why there are no credentials, in words that lead somewhere: the chain's own list what was asked.
fn from_credentials(error: &CredentialsError, chain: &str) -> (FaultKind, String) {
    match error {
        // The provider did not answer in time: nothing was sent to the service.
        CredentialsError::ProviderTimedOut(_) => {
            (FaultKind::Unreachable, format!("the source of the AWS credentials: {chain}"))
        }
        CredentialsError::CredentialsNotLoaded(_) => {
            let text = "no AWS credentials were found: name a profile that exists in AWS_PROFILE, \
                        or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a \
                        role";
            (FaultKind::Credentials, text.to_owned())
        }
        _ => (FaultKind::Credentials, format!("no usable AWS credentials: {chain}")),
    }
}

/// An error without a service's answer behind it.
pub(crate) fn plain(operation: &'static str, kind: FaultKind, message: &str) -> CloudError {
    CloudError {
        operation,
        kind,
        code: None,
        message: bounded(message),
        request_id: None,
        retry_after: None,
    }
}

/// A success that lacks what the operation promises: no proof that anything was done.
pub(crate) fn unreadable(operation: &'static str, what: &str) -> CloudError {
    plain(operation, FaultKind::Unknown, &format!("the answer cannot be used: {what}"))
}

/// Removes the values of environment variables from an error: Lambda's validation errors can
/// repeat what was sent.
pub(crate) fn without_secrets(mut error: CloudError, config: &FunctionConfig) -> CloudError {
    // Shorter values are words such as `on` or `1` that would mangle the text and give nothing away.
    const SHORTEST: usize = 6;
    for secret in config.environment.values().filter(|secret| secret.expose().len() >= SHORTEST) {
        if error.message.contains(secret.expose()) {
            error.message = error.message.replace(secret.expose(), "(…)");
        }
    }
    error
}

/// The kind of a refusal, from its status, code and words.
pub(crate) fn classify(status: u16, code: Option<&str>, text: &str) -> FaultKind {
    let code = code.unwrap_or_default();
    // Throttling and credentials come first: services send them with many different statuses.
    if status == 429 || THROTTLE_CODES.contains(&code) || (status == 400 && is_throttling(text)) {
        return FaultKind::Throttled;
    }
    if CREDENTIAL_CODES.contains(&code) && status < 500 {
        return FaultKind::Credentials;
    }
    if SIZE_CODES.contains(&code) && status < 500 {
        return FaultKind::TooLarge;
    }
    match status {
        400 if code == "InvalidParameterValueException" => classify_parameter(text),
        400 if ABSENT_CODES.contains(&code) => FaultKind::NotFound,
        400 if EXISTS_CODES.contains(&code) => FaultKind::AlreadyExists,
        // What REST services answer with 403.
        400 if code == "AccessDeniedException" => FaultKind::Denied,
        401 => FaultKind::Credentials,
        403 => FaultKind::Denied,
        404 if matches!(code, "ResourceNotFoundException" | "NoSuchBucket") => FaultKind::NotFound,
        // The server gave up reading, perhaps after it had read enough.
        408 => FaultKind::Unknown,
        409 => classify_conflict(text),
        412 => FaultKind::Precondition,
        413 => FaultKind::TooLarge,
        400..=499 if code == "RequestTimeout" => FaultKind::Unknown,
        400..=499 => FaultKind::Invalid,
        _ => FaultKind::Unknown,
    }
}

/// Lambda's 400 for a parameter that is wrong stands for more than that.
fn classify_parameter(text: &str) -> FaultKind {
    if text.contains("CodeSHA256") || text.contains("CodeSha256") {
        FaultKind::Precondition
    } else if text.starts_with("Unzipped size must be smaller") {
        FaultKind::TooLarge
    } else {
        FaultKind::Invalid
    }
}

/// Lambda's 409 has one code for "exists", "busy" and "in use": only its words differ.
fn classify_conflict(text: &str) -> FaultKind {
    let text = text.to_ascii_lowercase();
    let busy = [
        "update is in progress",
        "concurrent update operation",
        "currently in the following state: pending",
    ];
    if text.contains("already exist") {
        FaultKind::AlreadyExists
    } else if busy.iter().any(|words| text.contains(words)) {
        FaultKind::UpdateInProgress
    } else {
        FaultKind::Invalid
    }
}

/// Whether a 400 is throttling in disguise: Lambda passes EC2's throttling on this way.
///
/// Whole words only, so that a function named `throttled-jobs` in the text changes nothing.
fn is_throttling(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("request limit exceeded")
        || text.contains("rate exceeded")
        || text.contains("requestlimitexceeded")
        || text
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
            .any(|word| matches!(word, "throttled" | "throttling" | "throttle"))
}

/// Words for an answer that has none of its own.
fn describe(answer: &Answer<'_>) -> String {
    let status = answer.status;
    match (status, answer.headers.get("location")) {
        (300..=399, Some(target)) => {
            format!(
                "the endpoint redirects to {target} (HTTP {status}); redirects are not followed"
            )
        }
        (300..=399, None) => {
            format!("the endpoint redirects (HTTP {status}), which is not followed")
        }
        (200..=299, _) => format!("the answer cannot be read (HTTP {status})"),
        _ => format!("HTTP {status} without the service's own words"),
    }
}

/// The seconds of a `Retry-After` header. Dates are not read: Lambda sends seconds.
fn retry_after(value: &str) -> Option<Duration> {
    let seconds: f64 = value.trim().parse().ok()?;
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    Some(wait.min(RETRY_AFTER_MAX))
}

/// The error and its causes, outermost first. An `io::Error` hides its payload from `source`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    /// More than any real chain; ends a chain that bites its tail.
    const DEEPEST: usize = 32;
    std::iter::successors(Some(error), |&cause| match cause.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => cause.source(),
    })
    .take(DEEPEST)
}

/// The causes in one line, without those that repeat the one before and without the SDK's own
/// layers, which say nothing to a reader.
fn chain(error: &(dyn Error + 'static)) -> String {
    const LAYERS: [&str; 5] =
        ["dispatch failure", "io error", "other", "timeout", "client error (Connect)"];
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        let repeats = parts.last().is_some_and(|last| last.ends_with(&text));
        if !repeats && !LAYERS.contains(&text.as_str()) {
            parts.push(text);
        }
    }
    if parts.is_empty() { error.to_string() } else { parts.join(": ") }
}

/// At most [`MESSAGE_MAX`] characters, on one line, without control characters.
fn bounded(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut kept: String = text.chars().take(MESSAGE_MAX).map(clean).collect();
    if text.chars().nth(MESSAGE_MAX).is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aws_sdk_lambda::operation::get_alias::GetAliasError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use proptest::prelude::*;
    use wavegate_core::spec::Secret;

    use super::*;

    #[test]
    fn every_refusal_has_its_kind() {
        use FaultKind::{
            AlreadyExists, Credentials, Denied, Invalid, NotFound, Precondition, Throttled,
            TooLarge, Unknown, UpdateInProgress,
        };
        let parameter = Some("InvalidParameterValueException");
        let conflict = Some("ResourceConflictException");
        let table = [
            (404, Some("ResourceNotFoundException"), "Function not found: arn", NotFound),
            (404, Some("NoSuchBucket"), "The specified bucket does not exist", NotFound),
            (404, None, "", Invalid),
            (404, Some("UnknownOperationException"), "", Invalid),
            (409, conflict, "Function already exist: shop", AlreadyExists),
            (409, conflict, "Alias already exists: arn:x", AlreadyExists),
            (
                409,
                conflict,
                "The operation cannot be performed at this time. An update is in progress for \
                 resource: arn",
                UpdateInProgress,
            ),
            (
                409,
                conflict,
                "The operation cannot be performed at this time. The function is currently in the \
                 following state: Pending",
                UpdateInProgress,
            ),
            (
                409,
                conflict,
                "The function could not be updated due to a concurrent update operation.",
                UpdateInProgress,
            ),
            (
                409,
                conflict,
                "Unable to delete version because the following aliases reference it: [live]",
                Invalid,
            ),
            (412, Some("PreconditionFailedException"), "The Revision Id provided", Precondition),
            (
                400,
                parameter,
                "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (y).",
                Precondition,
            ),
            (429, Some("TooManyRequestsException"), "Rate exceeded", Throttled),
            (429, None, "", Throttled),
            (400, Some("ThrottlingException"), "Rate exceeded", Throttled),
            (503, Some("SlowDown"), "Please reduce your request rate.", Throttled),
            (
                400,
                parameter,
                "Your request has been throttled by EC2, please make sure you have enough API \
                 rate limit.",
                Throttled,
            ),
            (400, parameter, "EC2 Error Message: Request limit exceeded.", Throttled),
            (400, parameter, "bad layer for function:throttled-jobs", Invalid),
            (403, Some("AccessDeniedException"), "not authorized to perform", Denied),
            (403, Some("AccessDenied"), "", Denied),
            (403, Some("ExpiredTokenException"), "token is expired", Credentials),
            (403, Some("InvalidClientTokenId"), "", Credentials),
            (403, Some("UnrecognizedClientException"), "", Credentials),
            (403, Some("SignatureDoesNotMatch"), "", Credentials),
            (400, Some("ExpiredToken"), "", Credentials),
            (413, Some("RequestEntityTooLargeException"), "", TooLarge),
            (400, Some("CodeStorageExceededException"), "", TooLarge),
            (400, parameter, "Unzipped size must be smaller than 262144000 bytes", TooLarge),
            (400, parameter, "The role defined cannot be assumed", Invalid),
            (400, Some("ValidationException"), "1 validation error detected", Invalid),
            (408, None, "", Unknown),
            (400, Some("RequestTimeout"), "", Unknown),
            (500, Some("ServiceException"), "throttled? no: the outcome is open", Unknown),
            (500, Some("ExpiredToken"), "", Unknown),
            (503, None, "", Unknown),
            (301, None, "", Unknown),
            (200, None, "", Unknown),
        ];
        for (status, code, text, kind) in table {
            assert_eq!(classify(status, code, text), kind, "{status} {code:?} {text}");
        }
    }

    #[test]
    fn a_refusal_of_codedeploy_is_known_by_its_code_alone() {
        use FaultKind::{AlreadyExists, Denied, Invalid, NotFound};
        for (code, kind) in [
            ("ApplicationDoesNotExistException", NotFound),
            ("DeploymentGroupDoesNotExistException", NotFound),
            ("DeploymentDoesNotExistException", NotFound),
            ("DeploymentConfigDoesNotExistException", NotFound),
            ("ApplicationAlreadyExistsException", AlreadyExists),
            ("DeploymentConfigAlreadyExistsException", AlreadyExists),
            ("DeploymentGroupAlreadyExistsException", AlreadyExists),
            ("DeploymentLimitExceededException", Invalid),
            ("AccessDeniedException", Denied),
        ] {
            assert_eq!(classify(400, Some(code), ""), kind, "{code}");
            assert_eq!(classify(500, Some(code), ""), FaultKind::Unknown, "{code}");
        }
    }

    #[test]
    fn missing_credentials_are_told_from_a_lost_answer() {
        let not_loaded = CredentialsError::not_loaded("no providers in the chain");
        let slow = CredentialsError::provider_timed_out(Duration::from_secs(5));
        for (cause, kind) in [(not_loaded, FaultKind::Credentials), (slow, FaultKind::Unreachable)]
        {
            let failure = ConnectorError::other(cause.into(), None);
            let error: SdkError<GetAliasError, HttpResponse> = SdkError::dispatch_failure(failure);
            assert_eq!(from_sdk("GetAlias", &error).kind, kind);
        }
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let failure = ConnectorError::io(reset.into());
        let error: SdkError<GetAliasError, HttpResponse> = SdkError::dispatch_failure(failure);
        assert_eq!(from_sdk("GetAlias", &error).kind, FaultKind::Unknown);
    }

    #[test]
    fn a_wait_is_read_in_seconds_and_bounded() {
        let table = [
            ("2", Some(Duration::from_secs(2))),
            (" 0.5 ", Some(Duration::from_millis(500))),
            ("86400", Some(RETRY_AFTER_MAX)),
            ("-1", None),
            ("nan", None),
            ("soon", None),
        ];
        for (text, wait) in table {
            assert_eq!(retry_after(text), wait, "{text}");
        }
    }

    #[test]
    fn an_environment_value_never_stays_in_an_error() {
        let config = FunctionConfig {
            runtime: None,
            handler: None,
            role: String::new(),
            memory_mb: 128,
            timeout_s: 3,
            environment: BTreeMap::from([
                ("KEY".to_owned(), Secret::new("WGCANARY-1")),
                ("ON".to_owned(), Secret::new("1")),
            ]),
            description: String::new(),
            architecture: "x86_64".to_owned(),
            layers: Vec::new(),
            ephemeral_storage_mb: 512,
            tracing: false,
            vpc: None,
            dead_letter: None,
        };
        let error = plain("CreateFunction", FaultKind::Invalid, "1 error: {KEY=WGCANARY-1}");
        assert_eq!(without_secrets(error, &config).message, "1 error: {KEY=(…)}");
    }

    proptest! {
        #[test]
        fn only_a_client_error_is_a_refusal(status in 100_u16..600, text in ".{0,40}") {
            let kind = classify(status, None, &text);
            if !(400..500).contains(&status) {
                prop_assert_eq!(kind, FaultKind::Unknown);
            }
        }

        #[test]
        fn messages_are_short_and_on_one_line(text in "(?s).{0,3000}") {
            let kept = bounded(&text);
            prop_assert!(kept.chars().count() <= MESSAGE_MAX + 1);
            prop_assert!(!kept.chars().any(char::is_control));
        }
    }
}
