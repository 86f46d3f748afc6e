//! The AWS CLI, boto3 and the AWS SDK for JavaScript, unmodified, tell their stories to the local cloud.

use std::path::{Path, PathBuf};
use std::process::Command;

use wavegate_local::{LocalCloud, Options};

use crate::deployment_clients::has_tool;
use crate::support::options;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// A cloud whose minute is a second: what these clients wait for takes no time, and what they call now
/// stays now for long enough.
async fn cloud(directory: &Path) -> LocalCloud {
    LocalCloud::start(Options { time_scale: 60.0, ..options(directory) }).await.unwrap()
}

async fn tell(mut command: Command) {
    let told = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{said}{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_gets_what_it_gets_from_aws() {
    if !has_tool(&["python3", "-c", "import awscli"]) {
        return;
    }
    let (state, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cloud = cloud(state.path()).await;
    let mut command = Command::new("python3");
    command.arg(script("cli.py")).arg(cloud.url()).arg(files.path());
    tell(command).await;
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_waits_and_pages_as_on_aws() {
    if !has_tool(&["python3", "-c", "import boto3"]) {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let cloud = cloud(state.path()).await;
    let mut command = Command::new("python3");
    command.arg(script("sdk.py")).arg(cloud.url());
    tell(command).await;
    cloud.shutdown().await;
}

/// Its packages are in `WAVEGATE_NODE_MODULES`, where the gate puts them.
#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_javascript_gets_what_it_gets_from_aws() {
    let modules = std::env::var_os("WAVEGATE_NODE_MODULES").map(PathBuf::from);
    let there = modules.as_ref().map(|path| path.join("@aws-sdk/client-lambda/package.json"));
    let probe = there.unwrap_or_else(|| "WAVEGATE_NODE_MODULES".into());
    if !has_tool(&["test", "-f", &probe.to_string_lossy()]) {
        return;
    }
    let (state, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let here = files.path();
    // Node looks for packages beside the script.
    std::fs::copy(script("sdk.mjs"), here.join("sdk.mjs")).unwrap();
    std::os::unix::fs::symlink(modules.unwrap(), here.join("node_modules")).unwrap();
    for version in [1, 2] {
        let code = format!("def handler(event, context):\n    return {{'version': {version}}}\n");
        let package = crate::support::package(&[("app.py", &code)]);
        std::fs::write(here.join(format!("v{version}.zip")), package).unwrap();
    }
    let cloud = cloud(state.path()).await;
    let mut command = Command::new("node");
    command.arg("sdk.mjs").arg(cloud.url()).args(["v1.zip", "v2.zip"]).current_dir(here);
    tell(command).await;
    cloud.shutdown().await;
}
