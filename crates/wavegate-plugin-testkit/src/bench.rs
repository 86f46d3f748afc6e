//! A plugin under test: asked through messages, and started again when it has broken down, so that
//! one broken law does not hide the others.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Mutex;
use wavegate_plugin_host::{Host, HostError, Isolation, LibrarySpec, Limits, Plugin};
use wavegate_plugin_protocol::abi::InitFn;
use wavegate_plugin_protocol::{
    ComponentKind, DecideParams, Decided, Decision, Description, Diagnostic, Method, Observation,
    Outline, OutlineParams, ValidateParams, Validation,
};
use wavegate_plugin_sdk::laws;

/// How long a call may take that does no I/O. Far more than it needs on a busy machine.
const COMPUTES_WITHIN: Duration = Duration::from_secs(3);

/// What is held against the laws.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A library in a file.
    Library(LibrarySpec),
    /// A plugin that is linked into this program.
    Linked {
        /// Its name.
        name: String,
        /// Its entry point.
        init: InitFn,
    },
}

impl Subject {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Library(spec) => &spec.name,
            Self::Linked { name, .. } => name,
        }
    }

    /// A library is started once per process; what the SDK links in, as often as one likes.
    fn starts_again(&self) -> bool {
        match self {
            Self::Library(spec) => spec.isolation == Isolation::Process,
            Self::Linked { .. } => true,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Bench {
    host: Host,
    subject: Subject,
    plugin: Mutex<Arc<Plugin>>,
}

impl Bench {
    pub(crate) async fn start(host: &Host, subject: &Subject) -> Result<Self, HostError> {
        let plugin = Mutex::new(Arc::new(start(host, subject).await?));
        Ok(Self { host: host.clone(), subject: subject.clone(), plugin })
    }

    /// The same plugin, started anew beside this one; this one, if it can be started only once.
    pub(crate) async fn another(self: &Arc<Self>) -> Result<Arc<Self>, HostError> {
        if !self.subject.starts_again() {
            return Ok(Arc::clone(self));
        }
        Self::start(&self.host, &self.subject).await.map(Arc::new)
    }

    pub(crate) async fn description(&self) -> Description {
        self.plugin.lock().await.description().clone()
    }

    pub(crate) async fn validate(
        &self,
        kind: ComponentKind,
        component: &str,
        config: &Value,
    ) -> Result<Vec<Diagnostic>, HostError> {
        let params =
            ValidateParams { kind, component: component.to_owned(), config: config.clone() };
        let found: Validation = self.ask(Method::Validate, &params, COMPUTES_WITHIN).await?;
        Ok(found.diagnostics)
    }

    pub(crate) async fn outline(
        &self,
        component: &str,
        config: &Value,
    ) -> Result<Outline, HostError> {
        let (component, config) = (component.to_owned(), config.clone());
        let params = OutlineParams { component, config, target: laws::target() };
        self.ask(Method::Outline, &params, COMPUTES_WITHIN).await
    }

    pub(crate) async fn decide(
        &self,
        component: &str,
        config: &Value,
        state: &Value,
        observation: Observation,
    ) -> Result<(Decision, Value), HostError> {
        let (component, config, state) = (component.to_owned(), config.clone(), state.clone());
        let params = DecideParams { component, config, state, observation };
        let decided: Decided = self.ask(Method::Decide, &params, COMPUTES_WITHIN).await?;
        Ok((decided.decision, decided.state))
    }

    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        params: &impl Serialize,
        limit: Duration,
    ) -> Result<T, HostError> {
        let plugin = Arc::clone(&*self.plugin.lock().await);
        let answer = plugin.call(method, params, limit).await;
        if answer.as_ref().is_err_and(is_breakdown) && self.subject.starts_again() {
            // One that does not start any more says so at the next call.
            if let Ok(next) = start(&self.host, &self.subject).await {
                *self.plugin.lock().await = Arc::new(next);
            }
        }
        answer
    }

    pub(crate) async fn shutdown(&self) {
        self.plugin.lock().await.shutdown().await;
    }
}

async fn start(host: &Host, subject: &Subject) -> Result<Plugin, HostError> {
    match subject {
        Subject::Library(spec) => Plugin::load(host, spec).await,
        Subject::Linked { name, init } => {
            Plugin::linked(host, name, *init, Limits::default()).await
        }
    }
}

/// Whether this is not an answer at all: the plugin panicked, hung, crashed, or spoke nonsense.
pub(crate) fn is_breakdown(error: &HostError) -> bool {
    !matches!(error, HostError::Answer { .. })
}
