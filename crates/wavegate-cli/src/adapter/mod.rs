//! Small adapters that join the plugins' components to the engine's ports.
//!
//! They translate words and nothing else: what a verdict means for a release is the core's affair.

mod alarms;
mod hooks;
mod strategies;

pub(crate) use alarms::LinkedAlarms;
pub(crate) use hooks::LinkedHooks;
pub(crate) use strategies::LinkedStrategies;

/// Milliseconds of a core duration as the protocol counts them.
fn millis(span: std::time::Duration) -> u64 {
    wavegate_core::time::millis(span)
}

/// A moment of the release's clock as the protocol counts them: it is signed there.
fn moment(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
