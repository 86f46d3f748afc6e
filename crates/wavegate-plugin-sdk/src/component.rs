//! The three kinds of components, as their authors write them.
//!
//! Associated types, not JSON: parsing, panics, deadlines and cancellation are dealt with where
//! the component is erased.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    AlarmQuery, AlarmReading, CallContext, Decision, Diagnostics, HookEvent, HookOutcome,
    Observation, Outline, PluginError, Target,
};

/// Decides how traffic moves to a new version. Pure: same input, same answer.
pub trait Strategy: Send + Sync + 'static {
    /// The name by which a manifest uses it.
    const ID: &'static str;
    /// What it does, in one line for people.
    const SUMMARY: &'static str;
    /// What people write for it. Must reject unknown keys (`#[serde(deny_unknown_fields)]`).
    type Config: DeserializeOwned + JsonSchema;
    /// Opaque to the host, which journals it after every decision and hands it back on the next.
    /// A host that lost its journal starts again from the default: what the observation tells
    /// (the weight in force) is worth more than what was remembered.
    type State: Serialize + DeserializeOwned + Default;

    /// What this strategy does if nothing goes wrong. Decisions must stay inside it.
    fn outline(&self, config: &Self::Config, target: &Target) -> Outline;

    /// What to do next.
    fn decide(
        &self,
        config: &Self::Config,
        state: &mut Self::State,
        seen: &Observation,
    ) -> Result<Decision, PluginError>;

    /// Checks that the schema cannot express.
    fn validate(&self, _config: &Self::Config) -> Diagnostics {
        Diagnostics::none()
    }
}

/// Judges at one point of a rollout. Async I/O; cancelled by dropping the future, so whatever must
/// be cleaned up (a child process) is cleaned up on drop.
pub trait Hook: Send + Sync + 'static {
    /// The name by which a manifest uses it.
    const ID: &'static str;
    /// What it does, in one line for people.
    const SUMMARY: &'static str;
    /// What people write for it. Must reject unknown keys (`#[serde(deny_unknown_fields)]`).
    type Config: DeserializeOwned + JsonSchema + Send + Sync;

    /// Runs once. Called again with the same [`CallContext::idempotency_key`] after a retry
    /// outcome, and when a release is resumed.
    fn run(
        &self,
        cx: &CallContext,
        config: Self::Config,
        event: HookEvent,
    ) -> impl Future<Output = Result<HookOutcome, PluginError>> + Send;

    /// Checks that the schema cannot express.
    fn validate(&self, _config: &Self::Config) -> Diagnostics {
        Diagnostics::none()
    }
}

/// Reads the health of many subjects at once.
pub trait AlarmProvider: Send + Sync + 'static {
    /// The name by which a manifest uses it.
    const ID: &'static str;
    /// What it does, in one line for people.
    const SUMMARY: &'static str;
    /// What people write for it. Must reject unknown keys (`#[serde(deny_unknown_fields)]`).
    type Config: DeserializeOwned + JsonSchema + Send + Sync;

    /// One reading per query, in any order. A query without a reading counts as `unknown`.
    fn read(
        &self,
        cx: &CallContext,
        queries: Vec<AlarmQuery<Self::Config>>,
    ) -> impl Future<Output = Result<Vec<AlarmReading>, PluginError>> + Send;

    /// Checks that the schema cannot express.
    fn validate(&self, _config: &Self::Config) -> Diagnostics {
        Diagnostics::none()
    }
}
