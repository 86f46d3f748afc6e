//! A plugin under test: asked through messages, and started again when it has broken down, so that
//! one broken law does not hide the others.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;
use wavegate_plugin_host::{Host, HostError, Isolation, LibrarySpec, Limits, Plugin};
use wavegate_plugin_protocol::abi::InitFn;
use wavegate_plugin_protocol::{
    ComponentKind, Decision, Description, Diagnostic, Method, Observation, Outline,
};
use wavegate_plugin_sdk::laws;

/// How long a call may take that does no I/O, unless a library's limits say. Far more than it needs
/// on a busy machine, and short enough to wait for one that never ends.
pub(crate) const COMPUTES_WITHIN: Duration = Duration::from_secs(5);

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
///
/// What did not answer once is not asked again: to wait for it takes long each time.
#[derive(Debug)]
pub(crate) struct Bench {
    host: Host,
    subject: Subject,
    plugin: Arc<Mutex<Arc<Plugin>>>,
    /// How it did not answer, once it did not.
    silence: Arc<OnceLock<HostError>>,
}

impl Bench {
    pub(crate) async fn start(host: &Host, subject: &Subject) -> Result<Self, HostError> {
        let plugin = Arc::new(Mutex::new(Arc::new(start(host, subject).await?)));
        let (host, subject) = (host.clone(), subject.clone());
        Ok(Self { host, subject, plugin, silence: Arc::default() })
    }

    /// The same plugin, for something else to be asked about, whatever did not answer so far.
    pub(crate) fn afresh(&self) -> Self {
        let Self { host, subject, plugin, .. } = self;
        Self {
            host: host.clone(),
            subject: subject.clone(),
            plugin: Arc::clone(plugin),
            silence: Arc::default(),
        }
    }

    /// The same plugin, started anew beside this one; this one, if it can be started only once.
    pub(crate) async fn another(self: &Arc<Self>) -> Result<Arc<Self>, HostError> {
        if !self.subject.starts_again() {
            return Ok(Arc::clone(self));
        }
        let started = Self::start(&self.host, &self.subject).await?;
        Ok(Arc::new(Self { silence: Arc::clone(&self.silence), ..started }))
    }

    /// How it did not answer, if it did not.
    pub(crate) fn silence(&self) -> Option<&HostError> {
        self.silence.get()
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
        self.through(async |plugin| plugin.validate(kind, component, config).await).await
    }

    pub(crate) async fn outline(
        &self,
        component: &str,
        config: &Value,
    ) -> Result<Outline, HostError> {
        self.through(async |plugin| plugin.outline(component, config, laws::target()).await).await
    }

    pub(crate) async fn decide(
        &self,
        component: &str,
        config: &Value,
        state: &Value,
        observation: Observation,
    ) -> Result<(Decision, Value), HostError> {
        let state = state.clone();
        self.through(async |plugin| plugin.decide(component, config, state, observation).await)
            .await
    }

    /// Makes any call, within a limit of its own.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        params: &impl Serialize,
        limit: Duration,
    ) -> Result<T, HostError> {
        self.through(async |plugin| plugin.call(method, params, limit).await).await
    }

    /// Asks the plugin that runs now, and sees to it that one runs the next time.
    async fn through<T>(
        &self,
        question: impl AsyncFnOnce(&Plugin) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        if let Some(error) = self.silence() {
            return Err(error.clone());
        }
        let plugin = Arc::clone(&*self.plugin.lock().await);
        let answer = question(&plugin).await;
        if let Some(error) = answer.as_ref().err().filter(|error| is_silence(error)) {
            // Of many that are made at once the first one tells.
            let _ = self.silence.set(error.clone());
        }
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
            let limits = Limits { call: COMPUTES_WITHIN, ..Limits::default() };
            Plugin::linked(host, name, *init, limits).await
        }
    }
}

/// Whether this is not an answer at all: the plugin panicked, hung, crashed, or spoke nonsense.
pub(crate) fn is_breakdown(error: &HostError) -> bool {
    !matches!(error, HostError::Answer { .. })
}

/// Whether nothing came back: it hung, or its process ended.
fn is_silence(error: &HostError) -> bool {
    matches!(
        error,
        HostError::NoAnswer { .. }
            | HostError::Wedged { .. }
            | HostError::Ended { .. }
            | HostError::StartTimeout { .. }
    )
}
