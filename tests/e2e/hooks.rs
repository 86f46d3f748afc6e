//! Hooks judge: commands by their exit code, functions by their answer; whatever is neither yes nor
//! not yet is no.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wavegate_tests::binary::Project;

use crate::app::{mini, set_message};

/// Writes what it was told to `told-N`, and exits with what `exits` says line by line.
const COMMAND: &str = r#"#!/bin/sh
n=$(ls | grep -c '^told-')
env > "told-$n"
echo "try $n of the hook"
exit "$(sed -n "$((n + 1))p" exits)"
"#;

fn with_command() -> Project {
    let hook = "[hooks.judge]\nuse = \"command\"\ncommand = [\"sh\", \"judge.sh\"]\n";
    let project = mini(&[("auth", &[])], hook);
    project.write("judge.sh", COMMAND);
    let _ = project.deploy().expect(0);
    project.edit("deploy.toml", "depends_on = []\n", "hooks = { pre_traffic = [\"judge\"] }\n");
    set_message(&project, "auth", "two");
    project
}

fn told(project: &Project, number: u32) -> BTreeMap<String, String> {
    let text = project.read(&format!("told-{number}"));
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_command_that_exits_75_is_asked_again_and_one_that_exits_0_passes() {
    let project = with_command();
    project.write("exits", "75\n0\n");
    let passed = project.deploy().expect(0);
    let states: Vec<&Value> = passed.about("hook", "auth").iter().map(|h| &h["state"]).collect();
    assert_eq!(states.last(), Some(&&json!("passed")), "{passed}");
    assert!(states.contains(&&json!("retrying")), "{passed}");

    let first = told(&project, 0);
    let again = told(&project, 1);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:auth";
    for (name, value) in [
        ("WAVEGATE_APP", "mini"),
        ("WAVEGATE_RELEASE_NUMBER", "2"),
        ("WAVEGATE_FUNCTION", "auth"),
        ("WAVEGATE_ALIAS", "live"),
        ("WAVEGATE_PHASE", "pre_traffic"),
        ("WAVEGATE_STABLE_VERSION", "1"),
        ("WAVEGATE_STABLE_ARN", &format!("{arn}:1")),
        ("WAVEGATE_CANDIDATE_VERSION", "2"),
        ("WAVEGATE_CANDIDATE_ARN", &format!("{arn}:2")),
        ("WAVEGATE_WEIGHT_BP", "0"),
        ("AWS_REGION", "us-east-1"),
    ] {
        assert_eq!(first.get(name).map(String::as_str), Some(value), "{name}: {first:?}");
        assert_eq!(again.get(name), first.get(name), "{name}");
    }
    let release = passed.end()["release"].as_str().unwrap();
    assert_eq!(first["WAVEGATE_RELEASE"], release);
    // The same question, so the same key; but one knows that it is asked again.
    assert_eq!(first["WAVEGATE_IDEMPOTENCY_KEY"], again["WAVEGATE_IDEMPOTENCY_KEY"]);
    assert_ne!(first["WAVEGATE_ATTEMPT"], again["WAVEGATE_ATTEMPT"]);
    assert!(first["AWS_ENDPOINT_URL"].starts_with("http://127.0.0.1:"), "{first:?}");
}

#[test]
fn a_command_that_exits_otherwise_fails_the_release_with_its_last_words() {
    let project = with_command();
    project.write("exits", "1\n");
    let failed = project.deploy().expect(1);
    assert!(failed.stderr.contains("try 0 of the hook"), "{failed}");
    assert!(failed.of("weight").is_empty(), "{failed}");
    assert_eq!(project.status().serves("auth"), Some(1));
}

/// A function that logs what it is asked, and answers by what `ANSWERS` says, one after the other.
const JUDGE: &str = r#"import json
import os

asked = 0


def handler(event, context):
    global asked
    asked += 1
    print(json.dumps(event))
    return json.loads(os.environ["ANSWERS"])[asked - 1]
"#;

fn with_judge(answers: &Value) -> Project {
    let hook = "[hooks.judge]\nuse = \"lambda\"\nfunction = \"judge\"\nqualifier = \"live\"\n";
    let project = mini(&[("judge", &[]), ("shop", &["judge"])], hook);
    project.write("functions/judge/app.py", JUDGE);
    project.edit(
        "deploy.toml",
        "depends_on = []\n",
        &format!("environment = {{ ANSWERS = '{answers}' }}\n"),
    );
    let _ = project.deploy().expect(0);
    project.edit(
        "deploy.toml",
        "depends_on = [\"judge\"]\n",
        "depends_on = [\"judge\"]\nhooks = { pre_traffic = [\"judge\"] }\n",
    );
    set_message(&project, "shop", "two");
    project
}

#[test]
fn a_function_that_says_in_progress_is_asked_again_and_one_that_says_succeeded_passes() {
    let project = with_judge(&json!([
        { "hookStatus": "IN_PROGRESS", "callBackDelay": 30 },
        { "hookStatus": "SUCCEEDED" },
    ]));
    let passed = project.deploy().expect(0);
    let logs = std::fs::read_dir(project.path(".wavegate/local/logs/judge")).unwrap();
    let logs: String =
        logs.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let asked: Vec<Value> =
        logs.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(asked.len(), 2, "{passed}");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:shop";
    for (name, value) in [
        ("app", json!("mini")),
        ("function", json!("shop")),
        ("alias", json!("live")),
        ("phase", json!("pre_traffic")),
        ("release", passed.end()["release"].clone()),
        ("release_number", json!(2)),
        ("stable_version", json!("1")),
        ("candidate_version", json!("2")),
        ("stable_arn", json!(format!("{arn}:1"))),
        ("candidate_arn", json!(format!("{arn}:2"))),
        ("weight_bp", json!(0)),
    ] {
        assert_eq!(asked[0][name], value, "{}", asked[0]);
        assert_eq!(asked[1][name], value, "{}", asked[1]);
    }
    assert_eq!((&asked[0]["attempt"], &asked[1]["attempt"]), (&json!(1), &json!(2)));
    assert_eq!(asked[0]["idempotency_key"], asked[1]["idempotency_key"]);

    // Half a minute of the release's time lies between the two.
    let times = |state: &str| -> Vec<u64> {
        let hooks = passed.about("hook", "shop").into_iter().filter(|hook| hook["state"] == state);
        hooks.map(|hook| hook["elapsed_ms"].as_u64().unwrap()).collect()
    };
    let (retried, ended) = (times("retrying"), times("passed"));
    assert!(ended[0] - retried[0] >= 30_000, "{passed}");
    assert_eq!(project.status().serves("shop"), Some(2));
}

#[test]
fn a_function_that_answers_anything_else_fails_closed() {
    for answer in
        [json!({ "hookStatus": "FAILED", "message": "the price is wrong" }), json!({}), Value::Null]
    {
        let project = with_judge(&json!([answer]));
        let failed = project.deploy().expect(1);
        assert!(failed.of("weight").is_empty(), "{answer}: {failed}");
        assert_eq!(project.status().serves("shop"), Some(1), "{answer}");
        if answer["message"].is_string() {
            assert!(failed.stderr.contains("the price is wrong"), "{failed}");
        }
    }
}
