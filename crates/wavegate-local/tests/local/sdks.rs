//! The AWS CLI, boto3 and the AWS SDK for JavaScript, unmodified, tell their stories to the local cloud.

use std::path::{Path, PathBuf};
use std::process::Command;

use wavegate_local::{LocalCloud, Options};

use crate::deployment_clients::has_tool;
use crate::support::{options, start};

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
    assert!(told.status.success() && said.is_empty(), "{said}{errors}");
}

async fn type_in(transcript: &str) {
    if !has_tool(&["python3", "-c", "import awscli"]) {
        return;
    }
    let (state, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cloud = cloud(state.path()).await;
    let mut command = Command::new("python3");
    command.arg(script("cli.py")).arg(script(transcript)).arg(cloud.url()).arg(files.path());
    tell(command).await;
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_gets_what_it_gets_from_aws() {
    type_in("cli.txt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_gets_it_of_what_stands_beside_too() {
    type_in("cli-beside.txt").await;
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

/// Where the SDK's packages are, if they are: the gate puts them there.
fn node_modules() -> Option<PathBuf> {
    let modules = std::env::var_os("WAVEGATE_NODE_MODULES").map(PathBuf::from);
    let there = modules.as_ref().map(|path| path.join("@aws-sdk/client-lambda/package.json"));
    let probe = there.unwrap_or_else(|| "WAVEGATE_NODE_MODULES".into());
    has_tool(&["test", "-f", &probe.to_string_lossy()]).then_some(modules).flatten()
}

/// A script where it finds its packages: Node looks for them beside it.
fn with_packages(name: &str, here: &Path, modules: &Path) -> Command {
    std::fs::copy(script(name), here.join(name)).unwrap();
    std::os::unix::fs::symlink(modules, here.join("node_modules")).unwrap();
    let mut command = Command::new("node");
    command.arg(name).current_dir(here);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_javascript_gets_what_it_gets_from_aws() {
    let Some(modules) = node_modules() else { return };
    let (state, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for version in [1, 2] {
        let code = format!("def handler(event, context):\n    return {{'version': {version}}}\n");
        let package = crate::support::package(&[("app.py", &code)]);
        std::fs::write(files.path().join(format!("v{version}.zip")), package).unwrap();
    }
    let cloud = cloud(state.path()).await;
    let mut command = with_packages("sdk.mjs", files.path(), &modules);
    command.arg(cloud.url()).args(["v1.zip", "v2.zip"]);
    tell(command).await;
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_javascript_reads_what_every_operation_answers() {
    let Some(modules) = node_modules() else { return };
    if !has_tool(&["python3", "-c", "import boto3"]) {
        return;
    }
    let (state, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (cloud, mut client) = start(state.path()).await;
    client.create("walk", "python3.13", &[("app.py", "def handler(event, context): pass")]).await;
    client.publish("walk").await;
    // What is asked is what botocore is asked, too.
    let walk = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/local/walk.py");
    let asked = Command::new("python3").arg(walk).args([cloud.url(), "--inputs"]).output().unwrap();
    std::fs::write(files.path().join("inputs.json"), asked.stdout).unwrap();
    let mut command = with_packages("walk.mjs", files.path(), &modules);
    command.arg(cloud.url()).arg("inputs.json");
    tell(command).await;
    cloud.shutdown().await;
}
