//! Hook `lambda`: a Lambda function judges the candidate.
//!
//! ```toml
//! [hooks.smoke]
//! use = "lambda"
//! function = "checkout-smoke"
//! ```
//!
//! The function is invoked synchronously with a [`HookPayload`] and answers as a lifecycle hook of
//! Amazon ECS does: `{"hookStatus": "SUCCEEDED" | "FAILED" | "IN_PROGRESS", "callBackDelay": 60,
//! "message": "..."}`. `IN_PROGRESS` means that it is asked again after `callBackDelay` seconds.
//!
//! Invariants:
//! - Fails closed: whatever is not one of the three answers keeps the rollout from going on, and
//!   is reported in the function's own words.
//! - Asks again by itself when there is no answer and waiting mends that: Lambda throttled, was not
//!   reached, broke off, or was not ready. A judging function must bear being asked twice; the
//!   payload's `idempotency_key` is there for that.
//!
//! Deliberately absent: a timeout of its own (the host's deadline holds) and asynchronous
//! invocation, whose verdict would need a place to be kept.

mod answer;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeOutput};
use aws_sdk_lambda::types::{InvocationType, LogType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::Blob;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use schemars::JsonSchema;
use serde::Deserialize;
use wavegate_plugin_sdk::aws::{self, Service};
use wavegate_plugin_sdk::{
    CallContext, Diagnostics, Hook, HookEvent, HookOutcome, HookPayload, PluginError, export_plugin,
};

/// The hook.
pub struct LambdaHook;

/// What people write for it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "function": "checkout-smoke", "qualifier": "live" }]))]
pub struct Config {
    /// The judging function: its name or its ARN.
    pub function: String,
    /// A version or an alias of it; by default what is unpublished (`$LATEST`).
    #[serde(default)]
    pub qualifier: Option<String>,
}

/// How long to wait before the function is invoked again after Lambda did not get to it, in
/// milliseconds.
const RETRY_MS: u64 = 5_000;

/// Refusals that Lambda makes before it calls the function, and that pass by themselves. Other
/// errors with a status of 500 and more are about the function's configuration, and stay.
/// Source: the error list of Lambda's `Invoke`.
const PASSING_CODES: [&str; 10] = [
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "ENINotReadyException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "ServiceException",
    "ServiceUnavailable",
    "SnapStartNotReadyException",
    "SnapStartTimeoutException",
    "TooManyRequestsException",
];

impl Hook for LambdaHook {
    const ID: &'static str = "lambda";
    const SUMMARY: &'static str = "a Lambda function judges the candidate";
    type Config = Config;

    async fn run(
        &self,
        cx: &CallContext,
        config: Config,
        event: HookEvent,
    ) -> Result<HookOutcome, PluginError> {
        let payload = HookPayload::of(cx, &event).to_json();
        let settings = aws::sdk_config(&event.cloud, Service::Lambda).await;
        // The answer takes as long as the function takes; the deadline is the host's, and ends it.
        let timeouts = TimeoutConfig::builder().disable_operation_attempt_timeout().build();
        let settings =
            aws_sdk_lambda::config::Builder::from(&settings).timeout_config(timeouts).build();
        Ok(match invoke(&Client::from_conf(settings), &config, payload).await {
            Ok(output) => answer::judge(&config.function, &output),
            Err(error) => not_invoked(&config, &error),
        })
    }

    fn validate(&self, config: &Config) -> Diagnostics {
        let mut found = Diagnostics::none();
        let name = &config.function;
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            found
                .error("function", "not the name or the ARN of a function")
                .hint("write a name such as \"checkout-smoke\"");
        }
        if config.qualifier.is_some() && has_qualifier(name) {
            found
                .error("qualifier", "`function` names a version or an alias already")
                .hint("name it in one of the two places");
        }
        found
    }
}

async fn invoke(
    client: &Client,
    config: &Config,
    payload: Vec<u8>,
) -> Result<InvokeOutput, SdkError<InvokeError, HttpResponse>> {
    client
        .invoke()
        .function_name(&config.function)
        .set_qualifier(config.qualifier.clone())
        .invocation_type(InvocationType::RequestResponse)
        .log_type(LogType::Tail)
        .payload(Blob::new(payload))
        .send()
        .await
}

/// Whether a name (`name:live`) or an ARN (`arn:aws:lambda:region:account:function:name:live`)
/// ends with a qualifier.
fn has_qualifier(function: &str) -> bool {
    let colons = function.matches(':').count();
    if function.starts_with("arn:") { colons > 6 } else { colons == 1 }
}

fn not_invoked(config: &Config, error: &SdkError<InvokeError, HttpResponse>) -> HookOutcome {
    let failure = aws::call_failed(Service::Lambda, "Invoke", error);
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    let function = &config.function;
    if code == Some("ResourceNotFoundException") {
        let reason = format!(
            "there is no function `{function}` to judge: {}; is it deployed in this region, \
             and its name right?",
            failure.message()
        );
        return HookOutcome::Fail { reason };
    }
    let has_expired = failure.code() == aws::CREDENTIALS && failure.is_retryable();
    let passes = match code {
        _ if has_expired => true,
        Some(code) => PASSING_CODES.contains(&code),
        // No code: it never got as far as Lambda's own refusals, or they came from a proxy.
        None => failure.is_retryable(),
    };
    if passes {
        let detail = format!("`{function}` could not be invoked yet: {}", failure.message());
        return HookOutcome::Retry { after_ms: RETRY_MS, detail };
    }
    let hint = match (code, failure.code()) {
        (Some("AccessDeniedException"), _) => "; it needs lambda:InvokeFunction on it",
        (_, aws::CREDENTIALS) => "; are AWS credentials set up for this shell?",
        _ => "",
    };
    let reason = format!("`{function}` could not be invoked: {}{hint}", failure.message());
    HookOutcome::Fail { reason }
}

export_plugin! { hooks: [LambdaHook] }

#[cfg(test)]
mod tests;
