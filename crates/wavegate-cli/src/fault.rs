//! Failures of the edges in words that say what to do.

use wavegate_aws::ConnectError;
use wavegate_engine::EngineError;
use wavegate_engine::ports::{CloudError, FaultKind};
use wavegate_local::LocalError;

use crate::catalogue;
use crate::error::CliError;
use crate::http::HttpError;

/// Nothing answers.
pub(crate) const UNREACHABLE: &str = "WG601";
/// The credentials do not work.
pub(crate) const CREDENTIALS: &str = "WG602";
/// The credentials may not do this.
pub(crate) const DENIED: &str = "WG603";
/// Lambda cannot use the execution role.
pub(crate) const ROLE: &str = "WG604";
/// Too many requests.
pub(crate) const THROTTLED: &str = "WG605";
/// Any other failure of a call.
pub(crate) const CALL_FAILED: &str = "WG606";
/// The alarms cannot be read.
pub(crate) const ALARMS: &str = "WG607";
/// A strategy cannot answer.
pub(crate) const STRATEGY: &str = "WG608";
/// The local cloud cannot be started or used.
pub(crate) const LOCAL: &str = "WG620";

/// An engine that could not do what was asked before anything was changed. `endpoint` says where
/// the calls went, in words.
pub(crate) fn engine(error: &EngineError, endpoint: &str) -> CliError {
    match error {
        EngineError::Cloud { what, source } => cloud(what, source, endpoint),
        EngineError::Strategy { .. } => match plugin_code(&error.to_string()) {
            Some(code) => CliError::usage(code, without_code(&error.to_string(), code)),
            None => CliError::usage(STRATEGY, error.to_string())
                .hint("correct its table in the manifest; `wavegate check` shows what it takes"),
        },
        EngineError::Alarms(reason) => CliError::usage(
            plugin_code(reason).unwrap_or(ALARMS),
            "the alarms could not be read",
        )
            .because(reason.clone())
            .hint("nothing is deployed unwatched: mend the access to CloudWatch (cloudwatch:DescribeAlarms, cloudwatch:GetMetricData), or take the alarms out of the manifest"),
        EngineError::Bug(_) => CliError::bug(error.to_string()),
    }
}

/// A call that failed.
pub(crate) fn cloud(what: &str, error: &CloudError, endpoint: &str) -> CliError {
    let told = |code, message: String| CliError::usage(code, message).because(error.to_string());
    match error.kind {
        FaultKind::Unreachable => {
            told(UNREACHABLE, format!("{what}: nothing answers at {endpoint}"))
                .hint("is it running, and is the URL right? AWS_ENDPOINT_URL, its per-service forms and the AWS profile decide")
        }
        FaultKind::Credentials if is_about_time(error) => {
            told(CREDENTIALS, format!("{what}: AWS refuses the time at which the request was signed"))
                .hint("this machine's clock is minutes off: set it, or turn its synchronisation on")
        }
        FaultKind::Credentials => {
            told(CREDENTIALS, format!("{what}: the AWS credentials do not work"))
                .hint("`aws sts get-caller-identity` shows whose they are; set AWS_PROFILE or log in again")
        }
        FaultKind::Denied => told(DENIED, format!("{what}: access is denied"))
            .hint(format!("allow `{}` to these credentials", action(error.operation))),
        FaultKind::Throttled => told(THROTTLED, format!("{what}: the service refuses more requests"))
            .hint("something else uses up the account's quota: try again later, or lower `requests_per_second` under [app]"),
        FaultKind::Invalid if is_about_role(&error.message) => {
            told(ROLE, format!("{what}: Lambda cannot use the execution role")).hint(ROLE_HINT)
        }
        _ => told(CALL_FAILED, what.to_owned()),
    }
}

/// Whether credentials were refused for the time alone: a signature holds for five minutes.
fn is_about_time(error: &CloudError) -> bool {
    matches!(error.code.as_deref(), Some("RequestTimeTooSkewed" | "RequestExpired"))
        || error.message.starts_with("Signature expired")
        || error.message.starts_with("Signature not yet current")
}

/// The IAM action of an operation.
fn action(operation: &str) -> String {
    match operation {
        "GetCallerIdentity" => "sts:GetCallerIdentity".to_owned(),
        "PutObject" | "GetObject" => format!("s3:{operation}"),
        "Invoke" => "lambda:InvokeFunction".to_owned(),
        operation => format!("lambda:{operation}"),
    }
}

const ROLE_HINT: &str = "correct `role`: it must exist, and its trust policy must let lambda.amazonaws.com assume it; the deployer needs iam:PassRole for it";

fn is_about_role(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("cannot be assumed by lambda") || text.contains("role defined for the function")
}

/// The words without the code at their end, where the code stands before them.
pub(crate) fn without_code(words: &str, code: &str) -> String {
    words.strip_suffix(&format!(" ({code})")).unwrap_or(words).to_owned()
}

/// The code of a plugin's failure, which ends its words.
fn plugin_code(reason: &str) -> Option<&'static str> {
    let (_, rest) = reason.rsplit_once("(WG3")?;
    let (digits, _) = rest.split_once(')')?;
    catalogue::page(&format!("WG3{digits}")).map(|page| page.code)
}

/// What a release's reason tells beyond itself: a code and, where its page is not enough, what to do.
pub(crate) fn advice(reason: &str) -> Option<(&'static str, Option<&'static str>)> {
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if is_about_role(reason) {
        return Some((ROLE, Some(ROLE_HINT)));
    }
    if has(&[
        "no usable AWS credentials",
        "ExpiredToken",
        "InvalidClientTokenId",
        "UnrecognizedClient",
    ]) {
        return Some((CREDENTIALS, Some("renew the AWS credentials, then deploy again")));
    }
    if let Some(code) = plugin_code(reason) {
        return Some((code, None));
    }
    if has(&["AccessDenied", "not authorized to perform"]) {
        return Some((DENIED, Some("allow the action that is named to these credentials")));
    }
    None
}

/// Why AWS cannot even be called.
pub(crate) fn connect(error: &ConnectError) -> CliError {
    CliError::usage(error.code(), error.to_string())
}

/// Why the local cloud cannot be started, found or reset.
pub(crate) fn local(error: &LocalError) -> CliError {
    let told = CliError::usage(LOCAL, error.to_string());
    let told = match std::error::Error::source(error) {
        Some(source) => told.caused_by(source),
        None => told,
    };
    match error {
        LocalError::AlreadyRunning { .. } => {
            told.hint("stop it first, or use it: `wavegate local status`")
        }
        LocalError::Listen { .. } => told.hint("choose another port, or none for any free one"),
        _ => told,
    }
}

/// Why a local cloud that should run does not answer.
pub(crate) fn http(error: &HttpError) -> CliError {
    CliError::usage(UNREACHABLE, error.to_string())
        .hint("`wavegate local status` shows whether it runs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: FaultKind, message: &str) -> CloudError {
        CloudError {
            operation: "ListAliases",
            kind,
            code: None,
            message: message.to_owned(),
            request_id: None,
            retry_after: None,
        }
    }

    #[test]
    fn every_failure_of_the_surroundings_has_its_code() {
        let role = "The role defined for the function cannot be assumed by Lambda.";
        for (kind, message, code) in [
            (FaultKind::Unreachable, "refused", UNREACHABLE),
            (FaultKind::Credentials, "expired", CREDENTIALS),
            (FaultKind::Denied, "no", DENIED),
            (FaultKind::Throttled, "slow down", THROTTLED),
            (FaultKind::Invalid, role, ROLE),
            (FaultKind::Invalid, "other", CALL_FAILED),
            (FaultKind::Unknown, "reset", CALL_FAILED),
        ] {
            let told = cloud("could not look", &error(kind, message), "http://x");
            assert_eq!((told.code, told.kind.code()), (Some(code), 2), "{kind:?} {message}");
        }
        let told = cloud("could not look", &error(FaultKind::Denied, ""), "x");
        assert!(told.hints[0].contains("lambda:ListAliases"));
        let early = error(FaultKind::Credentials, "Signature not yet current: 20261127T000000Z");
        let told = cloud("could not look", &early, "x");
        assert!(told.hints[0].contains("clock"), "{told:?}");
        let told =
            cloud("could not look", &error(FaultKind::Unreachable, ""), "http://127.0.0.1:9");
        assert!(told.message.contains("http://127.0.0.1:9"));
    }

    #[test]
    fn advice_is_given_only_where_the_reason_is_known() {
        assert_eq!(advice("CreateFunction: InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda.").map(|a| a.0), Some(ROLE));
        assert_eq!(advice("alarm `errors` fires"), None);
        let reason =
            "its strategy: the process of plugin `ladder` ended: signal: 11 (SIGSEGV) (WG332)";
        assert_eq!(advice(reason).map(|a| a.0), Some("WG332"));
        assert_eq!(advice("its strategy: no (WG3)"), None);
    }
}
