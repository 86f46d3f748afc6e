//! No law is empty: for each there is a plugin that breaks it, and is caught by it and by no other.
#![expect(unsafe_code, reason = "declares plugins, as `export_plugin!` does once per crate")]
#![expect(clippy::unwrap_used, reason = "a test that panics fails")]

mod calls;
mod library;
mod strategies;

use wavegate_plugin_testkit::{Breach, Law, Outcome, Report};

/// Declares a plugin with one component.
macro_rules! plugin {
    ($name:ident, $component:expr) => {
        static $name: wavegate_plugin_sdk::PluginDecl = {
            unsafe extern "C" fn init(
                host: *const wavegate_plugin_sdk::abi::Host,
                plugin: *mut wavegate_plugin_sdk::abi::Plugin,
            ) -> wavegate_plugin_sdk::abi::Status {
                // SAFETY: the host vouches for its pointers.
                unsafe { wavegate_plugin_sdk::entry::init(&$name, host, plugin) }
            }
            wavegate_plugin_sdk::PluginDecl::new("mutant", "1.0.0", &[$component], init)
        };
    };
}
pub(crate) use plugin;

/// The one law that is broken, and how.
#[track_caller]
fn the_one_broken(report: &Report) -> (&Law, &Breach) {
    let broken: Vec<&Law> = report.broken().collect();
    assert_eq!(broken.len(), 1, "{report}");
    match &broken[0].outcome {
        Outcome::Broken(breach) => (broken[0], breach),
        _ => unreachable!("it was asked for"),
    }
}

/// Whether a law was tried, and held.
fn held(report: &Report, sentence: &str) -> bool {
    report.laws.iter().any(|law| law.law == sentence && matches!(law.outcome, Outcome::Held { .. }))
}
