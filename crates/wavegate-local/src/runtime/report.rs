//! Why an invocation has no answer of the function's own, and what Lambda answers then.

use std::process::ExitStatus;

use hyper::body::Bytes;
use nix::sys::signal::Signal;
use serde::Serialize;

use super::Job;
use super::api::{RESPONSE_MAX, Report};
use crate::clock::wall_ms;

/// Why an invocation, or an initialization, has no answer of the function's own.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// It ran for longer than it may.
    TimedOut,
    /// Its process ended, and how.
    Exited(String),
    /// It used more memory than it has.
    OutOfMemory,
    /// The runtime reported that it cannot serve.
    Reported(Report),
    /// There is no process to start.
    NoStart {
        /// AWS's name of the error.
        kind: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Its answer is larger than Lambda passes on.
    TooLarge,
}

impl Failure {
    /// AWS's name of the error.
    pub(super) fn kind(&self) -> &str {
        match self {
            Self::TimedOut => "Sandbox.Timedout",
            Self::Exited(_) => "Runtime.ExitError",
            Self::OutOfMemory => "Runtime.OutOfMemory",
            Self::Reported(report) => &report.kind,
            Self::NoStart { kind, .. } => kind,
            Self::TooLarge => "Function.ResponseSizeTooLarge",
        }
    }

    /// What `REPORT` and `INIT_REPORT` say of it.
    pub(super) fn status(&self) -> String {
        match self {
            Self::TimedOut => "Status: timeout".to_owned(),
            _ => format!("Status: error\tError Type: {}", self.kind()),
        }
    }

    fn why(&self, timeout_s: i64) -> String {
        match self {
            Self::TimedOut => format!("Task timed out after {timeout_s}.00 seconds"),
            Self::Exited(how) => how.clone(),
            Self::OutOfMemory => "Runtime exited with error: signal: killed".to_owned(),
            Self::NoStart { why, .. } => why.clone(),
            Self::TooLarge => format!(
                "Response payload size exceeded maximum allowed payload size ({RESPONSE_MAX} bytes)."
            ),
            Self::Reported(_) => String::new(),
        }
    }

    /// The answer to the caller.
    pub(super) fn payload(&self, job: &Job) -> Bytes {
        let why = self.why(job.route.deployed.configuration.timeout);
        let message = match self {
            Self::Reported(report) => return report.body.clone(),
            Self::TooLarge => why,
            _ => format!("RequestId: {} Error: {why}", job.request_id),
        };
        let fault = Fault { kind: self.kind(), message: &message };
        // Texts always have a JSON form.
        serde_json::to_vec(&fault).unwrap_or_default().into()
    }

    /// What the log says before `END`, if it does.
    pub(super) fn line(&self, job: &Job) -> Option<String> {
        let id = &job.request_id;
        let why = self.why(job.route.deployed.configuration.timeout);
        match self {
            Self::TimedOut => Some(format!("{} {id} {why}\n\n", stamp())),
            Self::Exited(_) | Self::OutOfMemory | Self::NoStart { .. } => {
                Some(format!("RequestId: {id} Error: {why}\n{}\n", self.kind()))
            }
            Self::Reported(_) | Self::TooLarge => None,
        }
    }
}

/// An error as Lambda itself writes it, in its order.
#[derive(Serialize)]
struct Fault<'a> {
    #[serde(rename = "errorType")]
    kind: &'a str,
    #[serde(rename = "errorMessage")]
    message: &'a str,
}

/// What is measured of one invocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) duration_ms: f64,
    /// How long the initialization before it took, if it was not part of the invocation.
    pub(super) init_ms: Option<f64>,
    pub(super) used_mb: u64,
}

/// Now, as AWS writes it.
pub(super) fn stamp() -> String {
    jiff::Timestamp::from_millisecond(wall_ms())
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        .unwrap_or_default()
}

/// How a process ended, in AWS's words.
pub(super) fn describe_exit(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, signal) => {
            format!(
                "Runtime exited with error: signal: {}",
                signal_text(signal.unwrap_or_default())
            )
        }
    }
}

/// Signals in the words AWS uses (those of Go).
fn signal_text(signal: i32) -> String {
    let text = match Signal::try_from(signal) {
        Ok(Signal::SIGKILL) => "killed",
        Ok(Signal::SIGTERM) => "terminated",
        Ok(Signal::SIGSEGV) => "segmentation fault",
        Ok(Signal::SIGABRT) => "aborted",
        Ok(Signal::SIGBUS) => "bus error",
        Ok(Signal::SIGFPE) => "floating point exception",
        Ok(Signal::SIGILL) => "illegal instruction",
        Ok(Signal::SIGINT) => "interrupt",
        Ok(Signal::SIGHUP) => "hangup",
        Ok(other) => other.as_str(),
        Err(_) => return format!("signal {signal}"),
    };
    text.to_owned()
}
