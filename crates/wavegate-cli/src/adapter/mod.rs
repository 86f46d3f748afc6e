//! Small adapters that join the plugins' components to the engine's ports.
//!
//! They translate words and nothing else: what a verdict means for a release is the core's affair.

mod alarms;
mod hooks;
mod strategies;
mod veiled;

use wavegate_plugin_host::{HostError, Origin, Plugin};

pub(crate) use alarms::PluginAlarms;
pub(crate) use hooks::PluginHooks;
pub(crate) use strategies::PluginStrategies;
pub(crate) use veiled::Veiled;

/// Why a plugin could not answer, in words for people, with the code where it is a plugin's failure.
/// What a component of wavegate's own says is said as it is.
fn words(plugin: &Plugin, error: &HostError) -> String {
    match (error, plugin.origin()) {
        (HostError::Answer { body, .. }, Origin::Linked) => match &body.detail {
            Some(detail) => format!("{}: {detail}", body.message),
            None => body.message.clone(),
        },
        _ => format!("{} ({})", crate::registry::words(error), error.code()),
    }
}

/// Milliseconds of a core duration as the protocol counts them.
fn millis(span: std::time::Duration) -> u64 {
    wavegate_core::time::millis(span)
}

/// A moment of the release's clock as the protocol counts them: it is signed there.
fn moment(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use crate::registry::{Registry, host};

    /// The plugins that are linked in.
    pub(crate) async fn linked() -> Arc<Registry> {
        Arc::new(Registry::linked(&host(Path::new("."))).await.unwrap())
    }
}
