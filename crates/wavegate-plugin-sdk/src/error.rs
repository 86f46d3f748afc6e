//! Why a component could not answer.

use wavegate_plugin_protocol::PluginErrorBody;

use crate::caught::Panicked;

/// Why a component could not answer: not a verdict. A hook that says no returns
/// [`HookOutcome::Fail`](crate::HookOutcome::Fail); an alarm that cannot be told is a reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PluginError {
    code: String,
    message: String,
    retryable: bool,
    detail: Option<String>,
}

impl PluginError {
    /// The component's config could not be understood.
    pub const CONFIG_INVALID: &'static str = "config.invalid";
    /// The journaled state is not one that this component wrote.
    pub const STATE_INVALID: &'static str = "state.invalid";
    /// The component panicked.
    pub const PANICKED: &'static str = "plugin.panicked";
    /// The call took longer than its deadline.
    pub const DEADLINE: &'static str = "call.deadline";
    /// The call was cancelled.
    pub const CANCELLED: &'static str = "call.cancelled";
    /// The message is not a call, or not one for this method.
    pub const MESSAGE_INVALID: &'static str = "message.invalid";
    /// The call's protocol is not spoken here.
    pub const PROTOCOL_UNSUPPORTED: &'static str = "protocol.unsupported";
    /// There is no such method here.
    pub const METHOD_UNKNOWN: &'static str = "method.unknown";
    /// There is no such component in this plugin.
    pub const COMPONENT_UNKNOWN: &'static str = "component.unknown";
    /// The answer cannot travel.
    pub const ANSWER_INVALID: &'static str = "answer.invalid";
    /// The threads for hooks and alarm providers cannot be started.
    pub const RUNTIME: &'static str = "plugin.runtime";

    /// An error that asking again does not mend.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: false, detail: None }
    }

    /// A component that panicked.
    pub(crate) fn panicked(component: &str, panicked: Panicked) -> Self {
        let Panicked { message, place } = panicked;
        let error = Self::new(Self::PANICKED, format!("`{component}` panicked: {message}"));
        match place {
            Some(place) => error.with_detail(format!("at {place}")),
            None => error,
        }
    }

    /// The same error, which asking again may mend.
    #[must_use]
    pub fn retryable(self) -> Self {
        Self { retryable: true, ..self }
    }

    /// The same error with more about its cause.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Stable and dotted, for programs.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Lower case without a final period, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// More about the cause.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl From<PluginErrorBody> for PluginError {
    fn from(body: PluginErrorBody) -> Self {
        let PluginErrorBody { code, message, retryable, detail } = body;
        Self { code, message, retryable, detail }
    }
}

impl From<PluginError> for PluginErrorBody {
    fn from(error: PluginError) -> Self {
        let PluginError { code, message, retryable, detail } = error;
        Self { code, message, retryable, detail }
    }
}
