//! What a component finds wrong in its config.

use wavegate_plugin_protocol::{Diagnostic, Severity};

/// Every finding about one config, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Nothing is wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds an error: the component cannot run with this config. `path` is the key, dotted.
    pub fn error(&mut self, path: impl Into<String>, message: impl Into<String>) -> &mut Self {
        self.push(path.into(), Severity::Error, message.into())
    }

    /// Adds a warning: the component can run, but probably not as was meant.
    pub fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) -> &mut Self {
        self.push(path.into(), Severity::Warning, message.into())
    }

    /// Says how to put the last finding right. Without a finding it says nothing.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        if let Some(last) = self.0.last_mut() {
            last.hint = Some(hint.into());
        }
        self
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The findings.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }

    fn push(&mut self, path: String, severity: Severity, message: String) -> &mut Self {
        self.0.push(Diagnostic { path, severity, message, hint: None });
        self
    }
}
