//! Runs a plan: observes, prepares, performs the release machine's effects through ports, and
//! emits events.
//!
//! All decisions about traffic are `wavegate-core`'s. Deliberately absent: AWS SDKs, printing, and
//! any authority of local files: a recording that cannot be written never stops a release.

pub mod event;
pub mod ports;
