//! What Lambda itself says in a function's log, as text or as JSON.

mod json;
mod text;

use super::Job;
use super::levels::Level;
use super::report::{Failure, Measured};

/// Something that Lambda says.
#[derive(Debug)]
pub(super) enum Said<'a> {
    /// An environment begins.
    InitStart(Beginning<'a>),
    /// An initialization is over.
    InitEnd(Initialized<'a>),
    /// An invocation begins.
    Start(&'a Job),
    /// An invocation is over.
    End(Ended<'a>),
}

/// The beginning of an environment.
#[derive(Debug)]
pub(super) struct Beginning<'a> {
    pub(super) job: &'a Job,
    /// Its log stream.
    pub(super) stream: &'a str,
}

/// The end of an initialization.
#[derive(Debug)]
pub(super) struct Initialized<'a> {
    pub(super) took_ms: f64,
    /// Whether it was ahead of an invocation, and not part of one.
    pub(super) is_ahead: bool,
    /// Whether its environment is provisioned.
    pub(super) is_provisioned: bool,
    pub(super) failure: Option<&'a Failure>,
}

/// The end of an invocation.
#[derive(Debug)]
pub(super) struct Ended<'a> {
    pub(super) job: &'a Job,
    pub(super) measured: Measured,
    /// Bytes of its answer.
    pub(super) produced: usize,
    pub(super) failure: Option<&'a Failure>,
}

impl Said<'_> {
    /// Its events as text.
    pub(super) fn text(&self) -> Vec<String> {
        text::of(self)
    }

    /// Its events as JSON, those of `least` and above.
    pub(super) fn json(&self, least: Level) -> Vec<String> {
        let events = json::of(self);
        events.into_iter().filter(|(level, _)| *level >= least).map(|(_, event)| event).collect()
    }

    /// Whether AWS leaves it out of log tails.
    pub(super) fn is_aside(&self) -> bool {
        matches!(self, Self::InitStart(_))
    }
}

impl Ended<'_> {
    /// The failure that the log tells of. AWS: a response that is too large is an error of the
    /// function's, and no line says so.
    fn told_failure(&self) -> Option<&Failure> {
        self.failure.filter(|failure| !matches!(failure, Failure::TooLarge))
    }

    /// Milliseconds that have to be paid for.
    fn billed_ms(&self) -> f64 {
        (self.measured.duration_ms + self.measured.init_ms.unwrap_or(0.0)).ceil()
    }
}

/// The name of a runtime's version, as AWS makes them.
fn runtime_version(runtime: &str) -> String {
    let split = runtime.find(|letter: char| letter.is_ascii_digit()).unwrap_or(runtime.len());
    let (language, version) = match runtime.split_once('.') {
        Some(("provided", system)) => ("provided", system),
        _ => runtime.split_at(split),
    };
    format!("{language}:{}.v1", version.trim_end_matches(".x"))
}

/// The ARN of every runtime's version.
fn runtime_arn(region: &str) -> String {
    format!("arn:aws:lambda:{region}::runtime:{}", "0".repeat(64))
}

/// How an environment came to be, in AWS's words.
pub(super) fn initialization_type(is_provisioned: bool) -> &'static str {
    if is_provisioned { "provisioned-concurrency" } else { "on-demand" }
}

#[cfg(test)]
mod tests;
