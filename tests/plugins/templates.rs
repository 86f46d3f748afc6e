//! What `plugin new` writes builds, keeps the laws of plugins, and is what its deploy.toml uses; and
//! so does the example in C.

use serde_json::json;
use wavegate_tests::author;
use wavegate_tests::binary::{Finished, Project, has_tool, repository};

/// A new plugin in a directory of its own, tested and built.
fn plugin(kind: &str, name: &str) -> Project {
    let mut project = Project::new();
    author::equip(&mut project);
    author::make_room(&project, "");
    let _ = project.run(&["plugin", "new", name, "--kind", kind]).expect(0);
    let cargo = |arguments: &[&str]| {
        let output = project.command("cargo").args(arguments).output().expect("cargo runs");
        let said =
            [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        assert!(output.status.success(), "{arguments:?}\n{}\n{}", said[0], said[1]);
        said.concat()
    };
    if has_tool("the format of new plugins", &["cargo", "fmt", "--version"]) {
        let _ = cargo(&["fmt", "--check"]);
    }
    let tested = cargo(&["test"]);
    assert!(tested.contains("test it_keeps_the_laws_of_plugins ... ok"), "{tested}");
    assert!(!tested.contains("warning"), "{tested}");
    let _ = cargo(&["build"]);
    project
}

/// Deploys the app once, and a change of its function.
fn change(project: &Project) -> Finished {
    let _ = project.deploy().expect(0);
    project.edit("functions/hello/app.py", "Hello, world", "Hello again");
    project.deploy()
}

fn weights(ended: &Finished) -> Vec<u64> {
    let told = ended.about("weight", "hello").into_iter();
    told.filter_map(|event| event["actual_bp"].as_u64()).collect()
}

#[test]
fn a_new_strategy_moves_the_traffic_of_its_app() {
    let project = plugin("strategy", "slow-start");
    let done = change(&project).expect(0);
    assert_eq!(weights(&done), [1_000, 5_000, 10_000], "{done}");
    assert_eq!(project.status().serves("hello"), Some(2));
}

#[test]
fn a_new_hook_judges_the_releases_of_its_app() {
    let project = plugin("hook", "go-no-go");
    project.write("go-no-go.txt", "open, says the test\n");
    let _ = project.deploy().expect(0);
    project.edit("functions/hello/app.py", "Hello, world", "Hello again");
    project.write("go-no-go.txt", "closed for lunch\n");
    let failed = project.deploy().expect(1);
    let last = failed.about("hook", "hello").last().copied().cloned().unwrap_or_default();
    assert_eq!((&last["state"], &last["detail"]), (&json!("failed"), &json!("closed for lunch")));
    let asked = project.read("go-no-go.txt.asked");
    let asked: Vec<&str> =
        asked.lines().filter_map(|line| line.split_once(' ')).map(|l| l.1).collect();
    assert_eq!(asked, ["hello version 1", "hello version 2"]);
    assert_eq!(project.status().serves("hello"), Some(1));
}

#[test]
fn a_new_alarm_provider_watches_the_rollouts_of_its_app() {
    let project = plugin("alarm", "queue-depth");
    project.write("backlog.txt", "3\n");
    let _ = project.deploy().expect(0);
    project.edit("functions/hello/app.py", "Hello, world", "Hello again");
    let mut rollout = project.begin_deploy();
    rollout.wait_weight("hello", 1_000);
    project.write("backlog.txt", "300\n");
    let failed = rollout.finish().expect(1);
    let said = failed.about("alarm", "hello").last().copied().cloned().unwrap_or_default();
    assert_eq!(
        (&said["status"], &said["detail"]),
        (&json!("firing"), &json!("backlog.txt: 300 > 100"))
    );
    assert_eq!(project.status().serves("hello"), Some(1));
}

#[test]
fn the_plugin_in_c_keeps_the_laws_and_moves_the_traffic_of_its_app() {
    if !has_tool("the plugin in C", &["make", "--version"]) {
        return;
    }
    let mut project = Project::new();
    project.copy(&repository().join("examples/plugin-c"), "");
    let include = repository().join("crates/wavegate-plugin-protocol/include");
    project.set("WAVEGATE_INCLUDE", &include.display().to_string());
    let _ = project.tool("make", &[]).expect(0);
    let library = format!("libtwo_step{}", std::env::consts::DLL_SUFFIX);
    let _ = project.run(&["plugin", "check", "--run-hooks", &library]).expect(0);
    let done = change(&project).expect(0);
    assert_eq!(weights(&done), [2_000, 10_000], "{done}");
    let hooks = done.about("hook", "hello");
    assert_eq!(hooks.last().map(|hook| &hook["detail"]), Some(&json!("a moment has passed")));
}

#[test]
fn the_examples_are_formatted_as_this_workspace_is() {
    if !has_tool("the format of the examples", &["rustfmt", "--version"]) {
        return;
    }
    let mut files = Vec::new();
    for example in ["ladder", "gate", "probe"] {
        for file in ["src/lib.rs", "tests/conformance.rs"] {
            files.push(repository().join("examples").join(format!("plugin-{example}")).join(file));
        }
    }
    let mut rustfmt = std::process::Command::new("rustfmt");
    let output = rustfmt.args(["--edition", "2024", "--check"]).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
