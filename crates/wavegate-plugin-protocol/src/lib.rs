//! The messages between wavegate and its plugins, protocol 1.
//!
//! Plain data: every type here is one JSON object (or a part of one) that travels between the
//! host and a plugin. The same types serve whether a plugin is linked in, loaded or isolated.
//!
//! Invariants:
//! - Weights are basis points and times are milliseconds, so no float is ever in a message.
//! - Unknown fields of a message are ignored, so that either side may be newer than the other.
//!   Configs, which people write, are the opposite: they reject unknown keys, in the SDK.
//! - No message holds a secret.
//!
//! Deliberately absent: I/O, clocks, the C ABI, and any meaning beyond what a field says. What a
//! decision *does* is the host's business.

mod alarm;
mod cloud;
mod diagnostic;
mod error;
mod hook;
mod strategy;
mod weight;

pub use alarm::{AlarmQuery, AlarmReading, AlarmStatus, AlarmSubject, Look};
pub use cloud::CloudAccess;
pub use diagnostic::{ComponentKind, Diagnostic, Severity};
pub use error::PluginErrorBody;
pub use hook::{HookEvent, HookOutcome, HookPhase, VersionRef};
pub use strategy::{Decision, Observation, Outline, OutlineStep, Target};
pub use weight::{WeightBp, WeightOutOfRange};

/// The version of the messages that this crate describes. Within one version fields may be added,
/// and nothing else may change.
pub const PROTOCOL: u32 = 1;
