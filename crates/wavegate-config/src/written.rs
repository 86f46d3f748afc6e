//! What is left of the text behind a manifest: where each key stands, and what must not be shown.

use std::sync::Arc;

use crate::node::{Node, Part, undotted};
use crate::problem::{Place, Problem, Source};

/// The tree of a manifest, its text, and the values in it that came from the environment.
pub(crate) struct Written {
    pub(crate) tree: Node,
    pub(crate) source: Arc<Source>,
    /// Longer ones first.
    pub(crate) secrets: Vec<String>,
}

impl Written {
    /// The place of a dotted key, or of the nearest table above it that somebody wrote.
    pub(crate) fn locate(&self, dotted_key: &str) -> Place {
        let path = undotted(dotted_key).unwrap_or_default();
        self.tree.locate(&self.source, &path, Part::Value)
    }

    /// An error at a dotted key, without values from the environment.
    pub(crate) fn problem(
        &self,
        code: &'static str,
        dotted_key: &str,
        message: &str,
        help: Option<&str>,
    ) -> Problem {
        let problem = Problem::new(code, self.locate(dotted_key), self.redact(message));
        match help {
            Some(help) => problem.with_help(self.redact(help)),
            None => problem,
        }
    }

    /// A text without the values that came from the environment.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
}
