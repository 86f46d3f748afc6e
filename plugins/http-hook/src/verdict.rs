//! What the server answered, and what that means.

use std::time::Duration;

use wavegate_plugin_sdk::http::Answer;
use wavegate_plugin_sdk::{HookOutcome, PluginError};

use crate::Config;

/// The longest wait that a server can ask for. More is a mistake, and the shortest keeps it from
/// being asked in a circle.
pub(crate) const MAX_WAIT: Duration = Duration::from_hours(1);
const MIN_WAIT: Duration = Duration::from_secs(1);

/// How long to wait before a server is asked again that gave no answer.
const NO_ANSWER_WAIT: Duration = Duration::from_secs(5);

/// How much of the server's own words is passed on.
const MAX_LINES: usize = 10;
const MAX_LINE_CHARS: usize = 300;

pub(crate) fn of(config: &Config, answer: &Answer) -> HookOutcome {
    let words = answer.last_lines(MAX_LINES, MAX_LINE_CHARS);
    let (status, server) = (answer.status(), &config.url);
    match (status, answer.retry_after()) {
        (202, wait) => {
            let wait = wait.unwrap_or_else(|| config.retry_after.get());
            not_yet(wait, with_words(format!("{server} answered 202: not yet"), &words))
        }
        (200..=299, _) => HookOutcome::Pass { detail: words },
        // Too busy to judge, and sure of when it will not be.
        (429 | 503, Some(wait)) => {
            not_yet(wait, with_words(format!("{server} is busy ({status})"), &words))
        }
        _ => {
            HookOutcome::Fail { reason: with_words(format!("{server} answered {status}"), &words) }
        }
    }
}

pub(crate) fn without_answer(error: &PluginError) -> HookOutcome {
    if error.is_retryable() {
        return not_yet(NO_ANSWER_WAIT, error.message().to_owned());
    }
    HookOutcome::Fail { reason: error.message().to_owned() }
}

fn not_yet(wait: Duration, detail: String) -> HookOutcome {
    let wait = wait.clamp(MIN_WAIT, MAX_WAIT).as_millis();
    HookOutcome::Retry { after_ms: u64::try_from(wait).unwrap_or(u64::MAX), detail }
}

fn with_words(what: String, words: &str) -> String {
    if words.is_empty() { what } else { format!("{what}\n{words}") }
}
