//! The embedded local cloud: AWS wire protocols on loopback, real function code.
//!
//! [`LocalCloud::start`] serves Lambda, CodeDeploy for Lambda, CloudWatch and its Logs, STS, and as much of
//! IAM and S3 as roles and artifacts need, on one port, for any AWS client. Behind the server stand pure models
//! ([`lambda::model::Lambda`], [`cloudwatch::CloudWatch`], `codedeploy`): state and rules that take the
//! time as a number, so that a simulator can drive the very same cloud without sockets, processes or
//! waiting.
//!
//! Invariants:
//! - loopback only, never for a web page, and, where the system tells, for no other user;
//! - every change of Lambda's and CodeDeploy's state is on disk before it is answered;
//! - virtual time never goes back, not even over a kill;
//! - no function process outlives the cloud, however the cloud ends.
//!
//! Deliberately absent: the judging of roles' policies, networks, container images. Event source mappings
//! are kept and shown, and nothing polls for them. What is not offered is refused in words.

mod alarm_action;
pub mod clock;
mod cloud;
pub mod cloudwatch;
mod code;
mod codedeploy;
mod database;
mod doorway;
mod home;
mod iam;
mod identity;
pub mod ids;
mod intake;
mod invoke;
pub mod lambda;
mod logs;
mod peer;
mod private;
mod rate;
mod rows;
pub mod runtime;
mod s3;
mod server;
mod state;
mod sts;
mod wire;

pub use clock::VirtualClock;
pub use cloud::{LocalCloud, LocalError, Options, Running, reset, running};
pub use iam::{Policy, PolicyError};
