//! What a call knows about itself.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// What a hook or an alarm provider is told about the call that it answers.
///
/// The SDK enforces both deadline and cancellation by dropping the component's future; a component
/// looks at them only to do better than being dropped.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallContext {
    /// How long the call may take from now, in real time.
    pub deadline: Duration,
    /// Fires when nobody wants the answer any more.
    pub cancel: CancellationToken,
    /// The same for every attempt at the same thing, also after the release was resumed elsewhere:
    /// one key, one effect.
    pub idempotency_key: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

impl CallContext {
    /// A first attempt that nobody has cancelled.
    pub fn new(deadline: Duration, idempotency_key: impl Into<String>) -> Self {
        Self {
            deadline,
            cancel: CancellationToken::new(),
            idempotency_key: idempotency_key.into(),
            attempt: 1,
        }
    }

    /// The same call, cancelled by `cancel`.
    #[must_use]
    pub fn with_cancel(self, cancel: CancellationToken) -> Self {
        Self { cancel, ..self }
    }

    /// The same call, as attempt number `attempt`.
    #[must_use]
    pub fn with_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }
}
