//! What wavegate and its plugins say to each other: the C ABI ([`abi`]) and the messages of
//! protocol 1, with their JSON Schemas ([`schemas`]).
//!
//! Plain data: every type here is one JSON object (or a part of one) that travels between the
//! host and a plugin, or a C struct of function pointers. The same messages serve whether a plugin
//! is linked in, loaded or isolated.
//!
//! Invariants:
//! - Weights are basis points and times are milliseconds, so no float is ever in a message.
//! - Unknown fields of a message are ignored, so that either side may be newer than the other.
//!   Configs, which people write, are the opposite: they reject unknown keys, in the SDK.
//! - No message holds a secret.
//!
//! Deliberately absent: I/O, clocks, code that calls the C ABI, and any meaning beyond what a field says. What a
//! decision *does* is the host's business.

pub mod abi;
mod alarm;
mod call;
mod cloud;
mod describe;
mod diagnostic;
mod error;
mod hook;
pub mod pipe;
mod schema;
mod strategy;
mod weight;

pub use alarm::{AlarmQuery, AlarmReading, AlarmStatus, AlarmSubject, Look};
pub use call::{
    Answer, DecideParams, Decided, DescribeParams, HookVerdict, HostIdentity, Method,
    OutlineParams, ProtocolRange, ReadAlarmsParams, Readings, Reply, Request, RunHookParams,
    ValidateParams, Validation,
};
pub use cloud::CloudAccess;
pub use describe::{ComponentDescription, Description, PanicStrategy};
pub use diagnostic::{ComponentKind, Diagnostic, Severity};
pub use error::PluginErrorBody;
pub use hook::{HookEvent, HookOutcome, HookPhase, VersionRef};
pub use schema::schemas;
pub use strategy::{Decision, Observation, Outline, OutlineStep, Target};
pub use weight::{WeightBp, WeightOutOfRange};

/// The version of the messages that this crate describes. Within one version fields may be added,
/// and nothing else may change.
pub const PROTOCOL: u32 = 1;
