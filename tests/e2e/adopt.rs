//! Functions that exist, and a manifest of them: what it says is what is there, so that the first
//! deploy changes nothing.

use serde_json::json;
use wavegate_tests::binary::{Finished, LocalCloud, Project};

const SECRET: &str = "WGCANARYvalue1";

/// Two functions in directories, one with a value that nobody may see.
const APP: &str = r#"
[app]
name = "shop"
target = "local"

[defaults]
runtime = "python3.13"
handler = "app.handler"
timeout = "7s"

[functions.auth]
name = "shop-auth"
code = "auth"
description = "signs people in"
memory = "256MB"
environment = { LOG = "info", KEY = "WGCANARYvalue1" }

[functions.pay]
name = "shop-pay"
code = "pay"
tracing = "active"
environment = { LOG = "info" }
"#;

/// An app that was deployed, and whose manifest is lost.
fn orphaned() -> Project {
    let project = written();
    let _ = project.deploy().expect(0);
    lose_manifest(&project);
    project
}

fn written() -> Project {
    let project = Project::new();
    project.write("deploy.toml", APP);
    for function in ["auth", "pay"] {
        let code = format!("def handler(event, context):\n    return \"{function}\"\n");
        project.write(&format!("{function}/app.py"), &code);
    }
    project
}

fn lose_manifest(project: &Project) {
    std::fs::remove_file(project.path("deploy.toml")).expect("a manifest");
}

/// The same on `target = "aws"`, behind which a local cloud stands, with another alias.
fn orphaned_on_aws() -> (Project, LocalCloud) {
    let mut project = written();
    let cloud = project.start_cloud(&["--target", "local"]);
    project.use_as_aws(&cloud.cloud);
    project.edit("deploy.toml", "name = \"shop\"", "name = \"shop\"\nalias = \"prod\"");
    let _ = project.deploy().expect(0);
    lose_manifest(&project);
    (project, cloud)
}

fn init(project: &Project, arguments: &[&str]) -> Finished {
    let all: Vec<&str> = ["init"].iter().chain(arguments).copied().collect();
    project.run(&all)
}

/// Whether a plan finds that every function is as the manifest says.
#[track_caller]
fn assert_unchanged(project: &Project) {
    let plan = project.run(&["plan", "--output", "json"]).expect(0).json();
    let functions = plan["functions"].as_object().expect("functions");
    assert!(!functions.is_empty(), "{plan}");
    for (name, function) in functions {
        assert_eq!(function["standing"], "unchanged", "{name}: {plan}");
    }
}

#[test]
fn a_manifest_of_functions_that_exist_changes_nothing_at_its_first_deploy() {
    let project = orphaned();
    let told = init(
        &project,
        &["--from-app", "shop-", "--target", "local", "--download", "--environment"],
    )
    .expect(0);
    assert!(told.stderr.contains("next: wavegate check; wavegate plan"), "{told}");
    let manifest = project.read("deploy.toml");
    for line in [
        "name = \"shop\"",
        "[defaults.environment]\nLOG = \"info\"",
        "code = \"functions/shop-auth.zip\"",
        "description = \"signs people in\"",
        "tracing = \"active\"",
    ] {
        assert!(manifest.contains(line), "{line} in {manifest}");
    }
    let _ = project.run(&["check"]).expect(0);
    assert_unchanged(&project);
    let deployed = project.deploy().expect(0);
    assert_eq!(deployed.functions("weight"), [""; 0], "{deployed}");
    assert_eq!(project.status().serves("shop-auth"), Some(1));
}

#[test]
fn code_that_is_unpacked_can_be_worked_on() {
    let project = orphaned();
    let asked =
        ["--from-app", "shop-", "--target", "local", "--download=unpacked", "--environment"];
    let told = init(&project, &asked).expect(0);
    assert!(told.stderr.contains("it is zipped anew"), "{told}");
    let code = project.read("functions/shop-auth/app.py");
    assert_eq!(code, project.read("auth/app.py"));
    // wavegate made this zip, and makes the same one again.
    assert_unchanged(&project);
    project.edit("functions/shop-auth/app.py", "auth", "auth again");
    assert_eq!(project.deploy().expect(0).outcome(), "done");
    assert_eq!(project.status().serves("shop-auth"), Some(2));
    assert_eq!(project.status().serves("shop-pay"), Some(1));
}

#[test]
fn no_value_and_no_place_of_code_is_told_anywhere() {
    let mut project = orphaned();
    let asked = ["--from-app", "shop-", "--target", "local", "--download", "--force"];
    for extra in [&["--log", "trace"][..], &["--output", "json", "--log", "debug"]] {
        let all: Vec<&str> = asked.iter().chain(extra).copied().collect();
        let told = init(&project, &all).expect(0);
        let text = format!("{}{}{}", told.stdout, told.stderr, project.read("deploy.toml"));
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains("/_wavegate/code/"), "{text}");
    }
    assert!(project.read("deploy.toml").contains("KEY = \"${env:SHOP_AUTH__KEY}\""));
    // What is named, and no more, has to be set.
    assert!(project.run(&["check"]).expect(2).stderr.contains("WG107"));
    project.set("SHOP_AUTH__KEY", SECRET);
    project.set("LOG", "info");
    assert_unchanged(&project);
}

#[test]
fn without_its_code_the_manifest_says_what_is_missing() {
    let project = orphaned();
    let told =
        init(&project, &["--from-function", "shop-pay", "--target", "local", "--environment"])
            .expect(0);
    assert!(told.stderr.contains("the code was not downloaded"), "{told}");
    let line = "code = \"functions/shop-pay\"   # not downloaded: put the code there";
    assert!(project.read("deploy.toml").contains(line));
    let checked = project.run(&["check"]).expect(2);
    assert!(checked.stderr.contains("WG117"), "{checked}");
}

#[test]
fn all_that_is_not_there_is_told_at_once_and_nothing_is_written() {
    let project = orphaned();
    let asked = [
        "--from-function",
        "shop-pay",
        "--from-function",
        "nobody",
        "--from-app",
        "nothing-",
        "--from-tag",
        "team=none",
        "--target",
        "local",
        "--download",
    ];
    let told = init(&project, &asked).expect(2);
    assert!(told.has_code("WG160"), "{told}");
    for words in ["`nobody`", "`nothing-`", "`team=none`"] {
        assert!(told.stderr.contains(words), "{words}: {told}");
    }
    assert!(!told.stderr.contains("`shop-pay`"), "{told}");
    assert!(!project.path("deploy.toml").exists() && !project.path("functions").exists());
}

#[test]
fn what_is_there_is_left_as_it_was_unless_it_is_forced() {
    let project = orphaned();
    let asked = ["--from-function", "shop-pay", "--target", "local", "--download"];
    project.write("functions/shop-pay.zip", "mine");
    let refused = init(&project, &asked).expect(2);
    assert!(refused.has_code("WG615"), "{refused}");
    assert_eq!(project.read("functions/shop-pay.zip"), "mine");
    assert!(!project.path("deploy.toml").exists());
    let forced: Vec<&str> = asked.iter().copied().chain(["--force", "--environment"]).collect();
    let _ = init(&project, &forced).expect(0);
    assert_unchanged(&project);
    assert!(init(&project, &asked).expect(2).stderr.contains("deploy.toml is there already"));
}

#[test]
fn functions_of_an_account_are_described_by_the_alias_that_they_have_and_by_what_stands_around() {
    let (project, cloud) = orphaned_on_aws();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:shop-pay";
    let send = |method: &str, path: &str, body: serde_json::Value| {
        let answer = cloud.cloud.send(method, path, "application/json", &body.to_string());
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
    };
    send("POST", &format!("/2017-03-31/tags/{arn}"), json!({ "Tags": { "team": "checkout" } }));
    send(
        "PUT",
        "/2017-10-31/functions/shop-pay/concurrency",
        json!({ "ReservedConcurrentExecutions": 5 }),
    );
    send("POST", "/2021-10-31/functions/shop-pay/url", json!({ "AuthType": "NONE" }));
    send(
        "POST",
        "/2015-03-31/event-source-mappings",
        json!({
            "FunctionName": "shop-pay:prod",
            "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders",
        }),
    );
    let asked = ["--from-tag", "team=checkout", "--download", "--environment", "--output", "json"];
    let told = init(&project, &asked).expect(0);
    assert!(told.stderr.contains("described is what `prod` serves"), "{told}");
    let report = told.json();
    assert_eq!(
        (&report["functions"], &report["code"][0]),
        (&json!(1), &json!("functions/shop-pay.zip"))
    );
    let left_out: Vec<&str> = report["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .filter(|entry| entry["fate"] == "left_out")
        .filter_map(|entry| entry["property"].as_str())
        .collect();
    assert_eq!(
        left_out,
        [
            "shop-pay.ReservedConcurrentExecutions (5)",
            "shop-pay.Tags (1)",
            "shop-pay.EventSource arn:aws:sqs:us-east-1:000000000000:orders",
            "shop-pay.FunctionUrl",
        ]
    );
    let manifest = project.read("deploy.toml");
    for line in ["alias = \"prod\"", "target = \"aws\"", "region = \"us-east-1\""] {
        assert!(manifest.contains(line), "{line} in {manifest}");
    }
    assert_unchanged(&project);
    let before = cloud.cloud.calls();
    let _ = project.deploy().expect(0);
    let after = cloud.cloud.calls();
    for write in ["CreateAlias", "UpdateAlias", "PublishVersion", "UpdateFunctionCode"] {
        assert_eq!(before.get(write), after.get(write), "{write}");
    }
}
