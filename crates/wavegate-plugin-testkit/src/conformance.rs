//! The short form, for the tests of a plugin's author.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use wavegate_plugin_host::{Host, Launcher};
use wavegate_plugin_protocol::HostIdentity;
use wavegate_plugin_sdk::PluginDecl;

use crate::bench::Subject;
use crate::kit::{CheckError, Given, Hooks, Kit, Options};
use crate::report::Report;

/// Holds a plugin of the SDK, linked into the test, against all laws.
///
/// ```no_run
/// # use wavegate_plugin_sdk::{PluginDecl, serde_json::json};
/// # fn test(plugin: &'static PluginDecl) {
/// wavegate_plugin_testkit::conformance(plugin)
///     .config("ladder", json!({ "rungs": [10, 50], "bake": "5m" }))
///     .run();
/// # }
/// ```
///
/// The cases are the same in every run; [`Conformance::seed`] finds others.
#[must_use = "nothing is tried before it is run"]
pub fn conformance(plugin: &'static PluginDecl) -> Conformance {
    let options = Options { seed: Some(0), ..Options::default() };
    Conformance {
        subject: Subject::Linked { name: plugin.name().to_owned(), init: plugin.init() },
        options,
    }
}

/// See [`conformance`].
#[derive(Clone)]
pub struct Conformance {
    subject: Subject,
    options: Options,
}

impl Conformance {
    /// Tries a component with this config, instead of those that its schema shows.
    #[must_use = "nothing is tried before it is run"]
    pub fn config(mut self, component: &str, config: Value) -> Self {
        self.options.configs.push(Given { component: component.to_owned(), config });
        self
    }

    /// Finds other cases, or those of a report again.
    #[must_use = "nothing is tried before it is run"]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Tries each law with so many random cases.
    #[must_use = "nothing is tried before it is run"]
    pub const fn cases(mut self, cases: u32) -> Self {
        self.options.cases = cases;
        self
    }

    /// Runs the hooks, which are left alone otherwise.
    #[must_use = "nothing is tried before it is run"]
    pub const fn run_hooks(mut self, hooks: Hooks) -> Self {
        self.options.hooks = hooks;
        self
    }

    /// Runs a hook twice with one idempotency key; `effects` counts what it has done so far.
    #[must_use = "nothing is tried before it is run"]
    pub fn effects(
        mut self,
        hook: &str,
        effects: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.options.effects.push((hook.to_owned(), Arc::new(effects)));
        self
    }

    /// Tries all laws, on a runtime of its own.
    ///
    /// # Panics
    /// With the whole report, if a law is broken or the plugin cannot be asked at all.
    pub fn run(self) {
        let report = self.report().unwrap_or_else(|error| panic!("{error}"));
        assert!(report.is_ok(), "{report}");
    }

    /// Tries all laws, and tells what came of it.
    ///
    /// # Errors
    /// If the plugin cannot be asked at all, or if a config was given that its component rejects, or
    /// for a component that it does not have.
    ///
    /// # Panics
    /// If there is no runtime to be had.
    pub fn report(self) -> Result<Report, CheckError> {
        // Nothing is started or kept for what is linked in.
        let nothing = Launcher { program: PathBuf::new(), arguments: Vec::new() };
        let host = Host {
            identity: HostIdentity {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            launcher: nothing.clone(),
            cache: PathBuf::new(),
        };
        let kit = Kit::new(host, nothing);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a test can start threads");
        runtime.block_on(kit.check(&self.subject, &self.options))
    }
}
