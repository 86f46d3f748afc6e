//! The service models are AWS's, and every operation they have is answered by them, in every protocol.

use std::path::Path;
use std::process::Command;

use crate::deployment_clients::has_tool;
use crate::support::start;

fn here(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_models_are_those_of_aws() {
    if !has_tool(&["python3", "-c", "import botocore"]) {
        return;
    }
    let checked =
        Command::new("python3").arg(here("models/trim.py")).arg("--check").output().unwrap();
    // Another botocore has other models: CI has the one that these are from.
    let is_other = checked.status.code() == Some(3) && std::env::var_os("CI").is_none();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() || is_other, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_as_its_model_says_in_every_protocol() {
    if !has_tool(&["python3", "-c", "import boto3"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("walk", "python3.13", &[("app.py", "def handler(event, context): pass")]).await;
    client.publish("walk").await;
    let mut walk = Command::new("python3");
    walk.arg(here("tests/local/walk.py")).arg(cloud.url());
    let walked = tokio::task::spawn_blocking(move || walk.output()).await.unwrap().unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&walked.stdout), String::from_utf8_lossy(&walked.stderr));
    assert!(walked.status.success() && said.is_empty(), "{said}{errors}");
    cloud.shutdown().await;
}
