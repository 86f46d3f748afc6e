//! What plugin authors depend on.
//!
//! A plugin is a crate with one or more components: a [`Strategy`] decides how traffic moves, a
//! [`Hook`] judges at one point of a rollout, an [`AlarmProvider`] reads the candidate's health.
//! [`export_plugin!`] declares them.
//!
//! ```
//! //! A strategy that climbs a fixed ladder of weights.
//! use wavegate_plugin_sdk::config::{HumanDuration, Percent};
//! use wavegate_plugin_sdk::{
//!     Decision, Observation, Outline, OutlineStep, PluginError, Strategy, Target, export_plugin,
//!     strategy,
//! };
//!
//! struct Ladder;
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     /// The weights, lowest first.
//!     rungs: Vec<Percent>,
//!     /// How long each is baked.
//!     bake: HumanDuration,
//! }
//!
//! impl Strategy for Ladder {
//!     const ID: &'static str = "ladder";
//!     const SUMMARY: &'static str = "climb a fixed ladder of weights";
//!     type Config = Config;
//!     type State = ();
//!
//!     fn outline(&self, config: &Config, _target: &Target) -> Outline {
//!         strategy::outline(config.rungs.iter().map(|rung| (rung.weight(), config.bake)))
//!     }
//!
//!     fn decide(
//!         &self,
//!         config: &Config,
//!         _state: &mut (),
//!         seen: &Observation,
//!     ) -> Result<Decision, PluginError> {
//!         let rungs = config.rungs.iter().map(|rung| (rung.weight(), config.bake));
//!         Ok(strategy::climb(&strategy::outline(rungs), seen))
//!     }
//! }
//!
//! export_plugin! { strategies: [Ladder] }
//! # fn main() { assert_eq!(PLUGIN.components().count(), 1); }
//! ```
//!
//! Invariants:
//! - Components know nothing of how they are called. They are erased to JSON in, JSON out
//!   ([`DynStrategy`] and its siblings), and answer messages through the one C [`entry`] point,
//!   whether the plugin is linked in, loaded or in a process of its own.
//! - A component's panic, deadline and cancellation end in a [`PluginError`], never in the host.
//! - Configs reject unknown keys, and every wrong key is reported, not only the first.
//!
//! - Hooks and alarm providers run on a runtime of the plugin's own, which is started when the first
//!   of them is called. `tracing` records go to the host.
//!
//! Deliberately absent: loading, a clock (time comes in observations and queries),
//! and any policy (what an `unknown` alarm means for a rollout is the manifest's to say).

#[cfg(feature = "aws")]
pub mod aws;
mod caught;
mod component;
pub mod config;
mod context;
mod declaration;
mod diagnostics;
mod dispatch;
#[doc(hidden)]
pub mod entry;
mod erased;
mod error;
mod host;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "laws")]
pub mod laws;
mod log;
mod payload;
pub mod strategy;
pub mod text;

pub use component::{AlarmProvider, Hook, Strategy};
pub use context::CallContext;
pub use declaration::{Component, PluginDecl};
pub use diagnostics::Diagnostics;
pub use erased::{BoxFuture, DynAlarmProvider, DynHook, DynStrategy};
pub use error::PluginError;
pub use payload::HookPayload;
pub use schemars;
pub use serde;
pub use serde_json;
pub use tokio_util::sync::CancellationToken;
pub use tracing;
pub use wavegate_plugin_protocol::{
    AlarmQuery, AlarmReading, AlarmStatus, AlarmSubject, CloudAccess, ComponentKind, Decision,
    Diagnostic, HookEvent, HookOutcome, HookPhase, Look, Observation, Outline, OutlineStep,
    PROTOCOL, PluginErrorBody, Severity, Target, VersionRef, WeightBp, WeightOutOfRange, abi,
};
