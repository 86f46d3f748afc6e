//! Verifies, loads, isolates and calls plugins.
//!
//! From a path in a manifest to a [`Plugin`] that answers: [`verify`](fn@verify) looks at the file
//! before any of its code runs and keeps a private copy; the copy is loaded, in this process or in
//! one of the plugin's own; the plugin is asked what it is, and the two agree on a protocol. From
//! then on it is asked through messages, and it makes no difference where its code runs. A plugin
//! that is linked into this program goes the same way from its entry point on.
//!
//! Invariants:
//! - No code of a library runs that was not verified: owner, mode, SHA-256, what it is and exports.
//!   The libraries that it needs in turn are the system loader's business, as for any program.
//! - A library is never unloaded.
//! - In a process of its own a plugin can neither crash nor hang this one, and sees no variable that
//!   it was not allowed. In this process it has all rights of this process.
//! - Every call ends: with an answer, or with a [`HostError`] that has a code.
//!
//! Deliberately absent: what an answer means for a release, the manifest, and any search path.

mod boundary;
mod calls;
mod child;
mod direct;
mod error;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod fixture;
mod frame;
mod inspect;
mod launch;
mod load;
mod logs;
mod object;
mod pin;
mod plugin;
mod process;
mod text;
mod verify;
mod worker;

pub use self::object::{Entry, Format, Glibc, Platform};
pub use child::{ChildArgs, run as run_child};
pub use error::{Exposure, Finding, HostError, IoFault};
pub use inspect::{Inspection, inspect};
#[doc(hidden)]
pub use launch::Group;
pub use launch::Launcher;
#[doc(hidden)]
pub use load::entry_point;
pub use pin::{Pin, PinError, host_target};
pub use plugin::{HookCall, Host, Isolation, LibrarySpec, Limits, Origin, Plugin};
pub use process::{CRASHES_MAX, CRASHES_WITHIN};
pub use verify::{Expect, Verified, can_load, verify};
