//! The laws that every plugin must keep, whatever language it is written in.
//!
//! For the tests of a plugin on the SDK there is [`conformance`]; for a library in a file there is
//! the [`Kit`], behind `wavegate plugin check`. Both ask the plugin through the host's messages and
//! try the C ABI directly, and tell all that was found as a [`Report`].
//!
//! Invariants:
//! - The same seed tries the same cases; a broken law is told by the shortest case that was found.
//! - A law that was not tried is told as skipped, with the reason: silence never means that it held.
//! - No hook is run unless it is allowed, and no alarm provider reaches anything but this machine as
//!   far as its config and the cloud's endpoint say where it goes.
//! - A library's crash or hang is a broken law, never the end of this program, unless the library was
//!   asked to be loaded into it.
//!
//! Deliberately absent: judging how good a strategy is. A law is what every host relies on.

mod abi;
mod answers;
mod bench;
mod child;
mod configs;
mod conformance;
mod door;
mod kit;
mod parent;
mod raw;
mod report;
mod schema;
mod search;
mod strategies;

pub use answers::Effects;
pub use bench::Subject;
pub use child::run_abi_laws_child;
pub use conformance::{Conformance, conformance};
pub use kit::{CheckError, Given, GivenError, Hooks, Kit, Options};
pub use report::{Breach, Law, Outcome, Report};
pub use wavegate_plugin_sdk::laws;
