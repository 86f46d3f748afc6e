//! What hooks and alarms say, without the values from the environment that they were given.
//!
//! A command may print the token it was started with, and a server may send a header back. What they
//! say goes into events, records and logs; so it is cleaned before it gets anywhere.

use async_trait::async_trait;
use wavegate_config::Redactor;
use wavegate_core::spec::HookUse;
use wavegate_engine::ports::{AlarmAnswer, AlarmQuestion, Alarms, HookCall, HookVerdict, Hooks};

/// The same component, whose words are cleaned.
#[derive(Debug)]
pub(crate) struct Redacted<T> {
    inner: T,
    redactor: Redactor,
}

impl<T> Redacted<T> {
    /// What `inner` says, cleaned by `redactor`.
    pub(crate) fn new(inner: T, redactor: Redactor) -> Self {
        Self { inner, redactor }
    }
}

#[async_trait]
impl<T: Hooks> Hooks for Redacted<T> {
    async fn run(&self, hook: &HookUse, call: &HookCall) -> HookVerdict {
        let clean = |text: String| self.redactor.redact(&text);
        match self.inner.run(hook, call).await {
            HookVerdict::Pass { detail } => HookVerdict::Pass { detail: clean(detail) },
            HookVerdict::Fail { reason } => HookVerdict::Fail { reason: clean(reason) },
            HookVerdict::Retry { after, detail } => {
                HookVerdict::Retry { after, detail: clean(detail) }
            }
        }
    }
}

#[async_trait]
impl<T: Alarms> Alarms for Redacted<T> {
    async fn read(&self, questions: Vec<AlarmQuestion>) -> Result<Vec<AlarmAnswer>, String> {
        let clean = |text: &str| self.redactor.redact(text);
        let answers = self.inner.read(questions).await.map_err(|reason| clean(&reason))?;
        Ok(answers
            .into_iter()
            .map(|answer| AlarmAnswer { detail: clean(&answer.detail), ..answer })
            .collect())
    }
}
