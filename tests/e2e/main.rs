//! The binary from end to end on the embedded local cloud: every law here is one that a user relies
//! on, shown with real function code, real signals and the clients that people use.
//!
//! Time passes sixty times as fast. What a test looks at in the middle of a release lasts for hours
//! of that time, so that no test depends on being quick.

mod adopt;
mod alarms;
mod app;
mod binomial;
mod changes;
mod clients;
mod codedeploy;
mod conformance;
mod control;
mod doctor;
mod hooks;
mod hostile;
mod import;
mod input;
mod ownership;
mod permissions;
mod rollback;
mod secrets;
mod shop;
