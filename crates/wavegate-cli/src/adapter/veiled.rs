//! What hooks and alarms say, without the secrets that they were given.
//!
//! A command may print the token it was started with, and a server may send a header back. Events are
//! veiled before anybody sees them; here the words are veiled where they come in, so that the log,
//! which tells what the engine hears, has none either.

use async_trait::async_trait;
use wavegate_core::spec::HookUse;
use wavegate_engine::ports::{AlarmAnswer, AlarmQuestion, Alarms, HookCall, HookVerdict, Hooks};
use wavegate_report::Veil;

/// The same component, whose words are veiled.
#[derive(Debug)]
pub(crate) struct Veiled<T> {
    inner: T,
    veil: Veil,
}

impl<T> Veiled<T> {
    /// What `inner` says, veiled.
    pub(crate) fn new(inner: T, veil: Veil) -> Self {
        Self { inner, veil }
    }

    fn hide(&self, mut text: String) -> String {
        self.veil.text(&mut text);
        text
    }
}

#[async_trait]
impl<T: Hooks> Hooks for Veiled<T> {
    async fn run(&self, hook: &HookUse, call: &HookCall) -> HookVerdict {
        match self.inner.run(hook, call).await {
            HookVerdict::Pass { detail } => HookVerdict::Pass { detail: self.hide(detail) },
            HookVerdict::Fail { reason } => HookVerdict::Fail { reason: self.hide(reason) },
            HookVerdict::Retry { after, detail } => {
                HookVerdict::Retry { after, detail: self.hide(detail) }
            }
        }
    }
}

#[async_trait]
impl<T: Alarms> Alarms for Veiled<T> {
    async fn read(&self, questions: Vec<AlarmQuestion>) -> Result<Vec<AlarmAnswer>, String> {
        let answers = self.inner.read(questions).await.map_err(|reason| self.hide(reason))?;
        Ok(answers
            .into_iter()
            .map(|answer| AlarmAnswer { detail: self.hide(answer.detail), ..answer })
            .collect())
    }
}
