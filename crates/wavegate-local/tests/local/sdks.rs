//! Both versions of the AWS CLI, boto3 and the AWS SDK for JavaScript, unmodified, tell their stories to the local cloud.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
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

/// Types a transcript into the AWS CLI: Python's package, or a program.
async fn type_in(transcript: &str, program: Option<&str>) {
    let (state, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cloud = cloud(state.path()).await;
    let mut command = Command::new("python3");
    command.arg(script("cli.py")).arg(script(transcript)).arg(cloud.url()).arg(files.path());
    command.args(program);
    tell(command).await;
    cloud.shutdown().await;
}

/// The AWS CLI's second version is in `WAVEGATE_AWS_CLI_2`, where the gate puts it.
fn second_cli() -> Option<String> {
    let program = std::env::var("WAVEGATE_AWS_CLI_2").unwrap_or("WAVEGATE_AWS_CLI_2".into());
    has_tool(&[&program, "--version"]).then_some(program)
}

fn has_first_cli() -> bool {
    has_tool(&["python3", "-c", "import awscli"])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_gets_what_it_gets_from_aws() {
    if has_first_cli() {
        type_in("cli.txt", None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_gets_it_of_what_stands_beside_too() {
    if has_first_cli() {
        type_in("cli-beside.txt", None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_aws_cli_gets_what_it_gets_from_aws() {
    if let Some(program) = second_cli() {
        type_in("cli-2.txt", Some(&program)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_shows_what_functions_log_later() {
    let Some(program) = second_cli() else { return };
    let state = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(state.path()).await;
    let code = "def handler(event, context):\n    print('told', event)\n";
    client.create("teller", "python3.13", &[("app.py", code)]).await;
    client.invoke("teller", json!(1)).await;
    let words = ["logs", "tail", "/aws/lambda/teller", "--follow", "--filter-pattern", "told"];
    let mut follower = tokio::process::Command::new(program)
        .args(["--endpoint-url", cloud.url(), "--region", "us-east-1"])
        .args(words)
        .envs([("AWS_ACCESS_KEY_ID", "cli"), ("AWS_SECRET_ACCESS_KEY", "cli")])
        .envs([("AWS_CONFIG_FILE", "/dev/null"), ("PYTHONUNBUFFERED", "1")])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    for number in 1..=2 {
        let line = lines.next_line().await.unwrap().unwrap();
        assert!(
            line.contains("/[$LATEST]") && line.ends_with(&format!(" told {number}")),
            "{line}"
        );
        client.invoke("teller", json!(number + 1)).await;
    }
    follower.kill().await.unwrap();
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
