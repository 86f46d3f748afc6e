//! The port over real HTTP on loopback: what is sent, byte for byte, and what every kind of answer
//! is taken for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod code;
mod codedeploy;
mod faults;
mod lists;
mod moto;
mod requests;
mod server;
mod uploads;

use std::collections::BTreeMap;
use std::time::Duration;

use wavegate_aws::{AwsCloud, Credentials, Settings, Timeouts};
use wavegate_core::name::{AliasName, FunctionName};
use wavegate_core::spec::FunctionConfig;

/// A client of the local cloud at `url`.
async fn cloud(url: &str) -> AwsCloud {
    cloud_with(url, Timeouts::default()).await
}

async fn cloud_with(url: &str, timeouts: Timeouts) -> AwsCloud {
    let settings = Settings {
        region: Some("eu-west-1".to_owned()),
        endpoint_url: Some(url.to_owned()),
        credentials: Credentials::Local,
        timeouts,
    };
    AwsCloud::connect(settings).await.unwrap()
}

/// Deadlines for endpoints that never answer.
fn impatient() -> Timeouts {
    let soon = Duration::from_millis(300);
    Timeouts { connect: soon, operation: soon, package: soon }
}

fn function() -> FunctionName {
    FunctionName::new("shop").unwrap()
}

fn alias() -> AliasName {
    AliasName::new("live").unwrap()
}

/// The smallest configuration that Lambda takes.
fn config() -> FunctionConfig {
    FunctionConfig {
        runtime: Some("python3.13".to_owned()),
        handler: Some("app.handler".to_owned()),
        role: "arn:aws:iam::123456789012:role/shop".to_owned(),
        memory_mb: 256,
        timeout_s: 10,
        environment: BTreeMap::new(),
        description: String::new(),
        architecture: "arm64".to_owned(),
        layers: Vec::new(),
        ephemeral_storage_mb: 512,
        tracing: false,
        vpc: None,
        dead_letter: None,
    }
}
