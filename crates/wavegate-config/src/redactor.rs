//! Values from the environment, taken out of texts that others wrote.

use std::fmt;
use std::sync::Arc;

/// Shorter values are words, such as the name of a stage: in the text of others they mean something
/// else, and give nothing away.
const SHORTEST: usize = 8;

/// Takes the values out that came from the environment. Its `Debug` tells none of them.
#[derive(Clone, Default)]
pub struct Redactor(Arc<[String]>);

impl Redactor {
    /// `secrets` are longer ones first.
    pub(crate) fn new(secrets: &[String]) -> Self {
        Self(secrets.iter().filter(|secret| secret.len() >= SHORTEST).cloned().collect())
    }

    /// The text without them.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_enough_for_a_secret_is_taken_out() {
        let redactor =
            Redactor::new(&["hunter2-and-more".into(), "hunter2-".into(), "prod".into()]);
        let text = redactor.redact("production: hunter2-and-more, hunter2-, hunter2");
        assert_eq!(text, "production: …, …, hunter2");
        assert_eq!(format!("{redactor:?}"), "Redactor(2 values)");
    }
}
