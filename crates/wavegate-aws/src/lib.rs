//! The cloud ports on the AWS SDKs: Lambda's control plane, S3 for large packages, STS, CodeDeploy.
//!
//! [`AwsCloud`] implements [`wavegate_engine::ports::Cloud`] and its neighbours
//! ([`Deployments`](wavegate_engine::ports::Deployments) is CodeDeploy) against AWS and against every
//! endpoint that speaks its protocols: the local cloud, moto, LocalStack.
//!
//! Invariants: nothing here retries (one layer does, and that is the engine's); no outcome that is
//! not known is reported as success or as a refusal; redirects are not followed; secrets are in no
//! error and no `Debug` output; what a call needs to be allowed stands in [`policy`]. Deliberately absent: CloudWatch, which belongs to the plugin that
//! watches alarms, and rate limits, which all calls of a release share in the engine.

mod bench;
mod cloud;
mod codedeploy;
mod connect;
mod existing;
mod fault;
pub mod policy;
mod resource_policy;
mod settings;
mod surroundings;
mod transport;
mod upload;
mod view;

pub use cloud::AwsCloud;
pub use settings::{ConnectError, Credentials, Settings, Timeouts};
