//! What the judging function answered, and what that means.

use aws_sdk_lambda::operation::invoke::InvokeOutput;
use base64::Engine;
use serde::Deserialize;
use wavegate_plugin_sdk::serde_json::{self, Value};
use wavegate_plugin_sdk::{HookOutcome, text};

/// How long to wait when the function does not say, in seconds: what Amazon ECS does.
const DEFAULT_DELAY_S: u64 = 30;

/// The longest wait that a function can ask for, in seconds. More is a typing error.
const MAX_DELAY_S: u64 = 3_600;

/// How much of the function's own words is passed on.
const MAX_WORDS_CHARS: usize = 500;

/// How many lines of its log are passed on. Lambda's own tail is at most 4 KB.
const MAX_LOG_LINES: usize = 10;

/// How the lines begin that Lambda writes around those of the function.
const PLATFORM_LINES: [&str; 4] =
    ["INIT_START ", "START RequestId: ", "END RequestId: ", "REPORT RequestId: "];

/// What the function answers. Unknown fields are ignored: hooks written for ECS have more.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "hookStatus")]
    status: String,
    #[serde(rename = "callBackDelay", default)]
    delay_s: Option<u64>,
    #[serde(default)]
    message: Option<String>,
}

/// What Lambda puts in place of an answer when the function raised.
#[derive(Deserialize)]
struct Raised {
    #[serde(rename = "errorType", default)]
    kind: Option<String>,
    #[serde(rename = "errorMessage", default)]
    message: Option<String>,
}

pub(crate) fn judge(function: &str, output: &InvokeOutput) -> HookOutcome {
    let bytes = output.payload().map(AsRef::as_ref).unwrap_or_default();
    if output.function_error().is_some() {
        let reason = format!("`{function}` raised {}", raised(bytes));
        return HookOutcome::Fail { reason: with_log(reason, output) };
    }
    let answer: Answer = match serde_json::from_slice(bytes) {
        Ok(answer) => answer,
        Err(error) => {
            let reason = format!("`{function}` {}", not_an_answer(bytes, &error));
            return HookOutcome::Fail { reason: with_log(reason, output) };
        }
    };
    let words = text::one_line(answer.message.as_deref().unwrap_or_default(), MAX_WORDS_CHARS);
    match answer.status.as_str() {
        "SUCCEEDED" => HookOutcome::Pass { detail: words },
        "IN_PROGRESS" => {
            let delay_s = answer.delay_s.unwrap_or(DEFAULT_DELAY_S).clamp(1, MAX_DELAY_S);
            HookOutcome::Retry { after_ms: delay_s * 1_000, detail: words }
        }
        "FAILED" if words.is_empty() => {
            let reason = format!("`{function}` answered FAILED");
            HookOutcome::Fail { reason: with_log(reason, output) }
        }
        "FAILED" => HookOutcome::Fail { reason: format!("`{function}` answered FAILED: {words}") },
        other => {
            let other = text::one_line(other, MAX_WORDS_CHARS);
            let reason = format!(
                "`{function}` answered hookStatus `{other}`, which is not SUCCEEDED, FAILED or \
                 IN_PROGRESS"
            );
            HookOutcome::Fail { reason: with_log(reason, output) }
        }
    }
}

fn raised(bytes: &[u8]) -> String {
    let raised: Option<Raised> = serde_json::from_slice(bytes).ok();
    let words = match raised {
        Some(Raised { kind: Some(kind), message: Some(message) }) => format!("{kind}: {message}"),
        Some(
            Raised { kind: Some(only), message: None } | Raised { kind: None, message: Some(only) },
        ) => only,
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text::one_line(&words, MAX_WORDS_CHARS)
}

fn not_an_answer(bytes: &[u8], error: &serde_json::Error) -> String {
    let shown = text::one_line(&String::from_utf8_lossy(bytes), MAX_WORDS_CHARS);
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(fields)) if fields.contains_key("hookStatus") => {
            format!("answered {shown}, which cannot be understood: {error}")
        }
        Ok(_) => format!("answered without a hookStatus: {shown}"),
        Err(_) if shown.is_empty() => "answered nothing, and no hookStatus".to_owned(),
        Err(_) => format!("answered something that is not JSON: {shown}"),
    }
}

fn with_log(reason: String, output: &InvokeOutput) -> String {
    let log = output
        .log_result()
        .and_then(|log| base64::engine::general_purpose::STANDARD.decode(log).ok())
        .map(|log| own_words(&String::from_utf8_lossy(&log)))
        .unwrap_or_default();
    if log.is_empty() { reason } else { format!("{reason}\n{log}") }
}

/// The last lines that the function itself wrote, without Lambda's own around them.
fn own_words(log: &str) -> String {
    // Lambda's runtimes keep a traceback one log event: returns and no-break spaces stand for its
    // line ends and its indentation.
    let log = log.replace('\r', "\n").replace('\u{a0}', " ");
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| !PLATFORM_LINES.iter().any(|start| line.starts_with(start)))
        .collect();
    text::last_lines(&lines.join("\n"), MAX_LOG_LINES, MAX_WORDS_CHARS)
}
