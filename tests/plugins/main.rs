//! A plugin can neither crash nor hang a release, and nothing runs that was not verified.
//!
//! The real binary releases a small app on the local cloud while a plugin misbehaves in every way
//! that is known; and the host is asked directly where a release would not show it. Most plugins are
//! `fixtures/moody.c` with a line of C from the test in it: the worst language to write one in.
//!
//! Deliberately absent: a plugin that crashes in wavegate's own process. It takes wavegate with it,
//! which is why it must be pinned to be there.

mod app;
mod conformance;
mod crashes;
mod hangs;
mod host;
mod isolation;
mod minors;
mod moody;
mod nonsense;
mod process;
mod refusals;
mod templates;
mod trust;
mod ways;
