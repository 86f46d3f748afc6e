//! Hook `http`: a server judges the candidate.
//!
//! ```toml
//! [hooks.judge]
//! use = "http"
//! url = "https://judge.example.com/releases"
//! headers_from_env = { Authorization = "JUDGE_AUTHORIZATION" }
//! ```
//!
//! The server gets a POST with a [`HookPayload`] as JSON, and the call's `Idempotency-Key`. A status
//! of 200 to 299 passes. 202 means *not yet*: it is asked again after `Retry-After`. So do 429 and
//! 503, if they come with a `Retry-After`. Anything else fails.
//!
//! Invariants:
//! - Fails closed: what is neither a pass nor a *not yet* keeps the rollout from going on, and is
//!   reported in the server's own words.
//! - Asks again by itself when there is no answer and waiting may mend that: the server was not
//!   reached, was too slow, or broke off. It must bear being asked twice; the key is there for that.
//! - A header from the environment is read when it is needed, goes to the server that was written and
//!   nowhere else, and is shown to nobody, not even when the server sends it back. The same holds for
//!   what `${env:NAME}` stood for, in a header or in the address.
//! - The status is the verdict as soon as it is there: a body that breaks off or never ends changes
//!   nothing. A server without a status is named, before the host would name this hook.
//!
//! Deliberately absent: a timeout of its own (a try may take what the host's deadline leaves), other
//! methods than POST, and a reading of the body: it is shown, and no more.

mod verdict;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use wavegate_plugin_sdk::config::HumanDuration;
use wavegate_plugin_sdk::http::{self, Address, Answer, Headers, Post};
use wavegate_plugin_sdk::{
    CallContext, Diagnostics, Hook, HookEvent, HookOutcome, HookPayload, PluginError, export_plugin,
};

/// The hook.
pub struct HttpHook;

/// What people write for it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{
    "url": "https://judge.example.com/releases",
    "headers": { "X-Team": "checkout" },
    "headers_from_env": { "Authorization": "JUDGE_AUTHORIZATION" },
    "retry_after": "30s",
}]))]
pub struct Config {
    /// Where the judge is asked: an `https://` or `http://` address without user and password.
    pub url: Address,
    /// More headers, with their values. Where the answer repeats a long one, it is not shown.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// More headers, each with the name of the environment variable that holds its value.
    #[serde(default)]
    pub headers_from_env: BTreeMap<String, String>,
    /// How long to wait after a 202 that does not say so itself (`Retry-After`).
    #[serde(default = "default_retry_after")]
    pub retry_after: HumanDuration,
}

/// Long enough for a judge to think, short enough to leave most of the default timeout of a minute.
fn default_retry_after() -> HumanDuration {
    HumanDuration::from_millis(10_000)
}

/// The header by which a server knows a repeated request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How much of an answer is read, in bytes. Its last lines are shown, and no more.
const MAX_BODY_BYTES: usize = 64 * 1_024;

impl Hook for HttpHook {
    const ID: &'static str = "http";
    const SUMMARY: &'static str = "a server judges the candidate";
    type Config = Config;

    async fn run(
        &self,
        cx: &CallContext,
        config: Config,
        event: HookEvent,
    ) -> Result<HookOutcome, PluginError> {
        Ok(match ask(cx, &config, &event).await {
            Ok(answer) => verdict::of(&config, &answer),
            Err(error) => verdict::without_answer(&error),
        })
    }

    fn validate(&self, config: &Config) -> Diagnostics {
        let mut found = Diagnostics::none();
        let Config { headers, headers_from_env, retry_after, .. } = config;
        http::check_headers(headers, headers_from_env, &[IDEMPOTENCY_KEY], &mut found);
        if retry_after.is_zero() || retry_after.get() > verdict::MAX_WAIT {
            found
                .error("retry_after", "must be longer than nothing, and at most an hour")
                .hint("write \"10s\"");
        }
        found
    }
}

async fn ask(cx: &CallContext, config: &Config, event: &HookEvent) -> Result<Answer, PluginError> {
    let mut headers = Headers::read(&config.headers, &config.headers_from_env)?;
    headers.insert(IDEMPOTENCY_KEY, &cx.idempotency_key)?;
    let payload = HookPayload::of(cx, event).to_json();
    Post::json(config.url.clone(), payload)
        .with_headers(headers)
        .with_limit(MAX_BODY_BYTES)
        .with_timeout(http::within(cx.deadline))
        .by_status()
        .send()
        .await
}

export_plugin! { hooks: [HttpHook] }

#[cfg(test)]
mod tests;
