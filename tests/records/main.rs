//! Records are useful, and dispensable at any moment: whatever happens to them, a release ends as it
//! would have ended, and says in words what is wrong with its records.
//!
//! The real binary against a local cloud that runs for itself, so that nothing but the records can
//! go wrong.

#[path = "../e2e/app.rs"]
mod app;
mod damage;
mod place;
mod secrets;
mod support;
mod verbs;
mod watch;
