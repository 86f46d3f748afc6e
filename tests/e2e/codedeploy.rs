//! CodeDeploy as the engine: the release of the binary, on the local cloud's CodeDeploy.

use nix::sys::signal::Signal;
use serde_json::json;
use wavegate_tests::binary::{LocalCloud, Project, Running};

use crate::app::{LONG, mini, set_message, set_strategy};

const PAIR: &[(&str, &[&str])] = &[("auth", &[]), ("shop", &["auth"])];

/// Version 1 is there, and the next deploy goes through CodeDeploy by `strategy`.
fn released(strategy: &str, rest: &str) -> (Project, LocalCloud) {
    let project = mini(PAIR, rest);
    project.edit("deploy.toml", "[app]\n", "[app]\nengine = \"codedeploy\"\n");
    let cloud = project.start_cloud(&[]);
    let first = project.deploy().expect(0);
    assert!(first.of("deployment").is_empty(), "there is nothing to shift from: {first}");
    for function in ["auth", "shop"] {
        set_message(&project, function, "two");
    }
    set_strategy(&project, strategy);
    (project, cloud)
}

/// `auth` is at a quarter of the traffic, and stays there.
fn in_mid_shift() -> (Project, LocalCloud, Running) {
    let (project, cloud) = released(LONG, "");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("auth", 2500);
    (project, cloud, deploy)
}

fn deployment(project: &Project, function: &str) -> serde_json::Value {
    let status = project.run(&["status", "--output", "json"]).expect(0).json();
    let functions = status["functions"].as_array().expect("functions");
    let one = functions.iter().find(|one| one["name"] == function).expect("the function");
    one["deployment"].clone()
}

fn serves(project: &Project) -> [Option<u64>; 2] {
    let status = project.status();
    [status.serves("auth"), status.serves("shop")]
}

#[test]
fn each_function_is_shifted_by_a_deployment_in_the_order_of_the_graph() {
    let (project, _cloud) = released("Canary20Percent1Minutes", "");
    let done = project.deploy().expect(0);
    assert_eq!(serves(&project), [Some(2), Some(2)]);
    let succeeded = done.of("deployment").into_iter().filter(|event| {
        (&event["step"], &event["status"]) == (&json!("deployment"), &json!("Succeeded"))
    });
    let order: Vec<&str> = succeeded.map(|event| event["function"].as_str().unwrap()).collect();
    assert_eq!(order, ["auth", "shop"]);
    let calls = done.calls();
    for (call, times) in
        [("CreateDeploymentGroup", 2), ("CreateDeploymentConfig", 2), ("CreateDeployment", 2)]
    {
        assert_eq!(calls.get(call), Some(&times), "{call}: {calls:?}");
    }
    // The same again changes nothing; another change makes no group and no config anew.
    assert!(project.deploy().expect(0).of("deployment").is_empty());
    set_message(&project, "shop", "three");
    let again = project.deploy().expect(0).calls();
    assert_eq!(again.get("CreateDeployment"), Some(&1), "{again:?}");
    assert!(!again.contains_key("CreateDeploymentGroup"), "{again:?}");
    assert!(!again.contains_key("UpdateDeploymentGroup"), "{again:?}");
}

#[test]
fn an_abort_from_elsewhere_stops_the_deployment_with_its_rollback() {
    let (project, _cloud, deploy) = in_mid_shift();
    assert_eq!(deployment(&project, "auth")["status"], "InProgress");
    let _ = project.run(&["abort", "--reason", "wrong branch"]).expect(0);
    let ended = deploy.finish().expect(1);
    let told = |step: &str, status: &str| {
        let events = ended.of("deployment");
        events.iter().any(|event| event["step"] == step && event["status"] == status)
    };
    assert!(told("deployment", "Stopped") && told("rollback", "Succeeded"), "{ended}");
    assert_eq!(serves(&project), [Some(1), Some(1)]);
}

#[test]
fn what_an_interrupt_left_to_codedeploy_goes_on_and_is_picked_up_by_a_deploy() {
    let (project, _cloud) = released("Canary20Percent2Minutes", "");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("auth", 2000);
    deploy.signal(Signal::SIGINT);
    let left = deploy.finish().expect(5);
    assert!(left.stderr.contains("left to CodeDeploy"), "{left}");
    assert_eq!(project.status().lock(), Some("held"));
    let done = project.deploy().expect(0);
    assert_eq!(done.outcome(), "done");
    assert_eq!(serves(&project), [Some(2), Some(2)]);
    let created = done.calls().get("CreateDeployment").copied();
    assert_eq!(created, Some(1), "that of `shop`: the one of `auth` was found");
}

#[test]
fn after_kill_9_recover_goes_on_with_what_codedeploy_has_in_hand() {
    let (project, _cloud, deploy) = in_mid_shift();
    let _ = deploy.kill();
    // It is the same release as long as it is the same code.
    set_message(&project, "auth", "three");
    let other = project.run(&["recover", "--yes"]).expect(3);
    assert!(other.has_code("WG683"), "{other}");
    set_message(&project, "auth", "two");
    let mut recover = project.spawn(&["recover", "--yes", "--output", "json"]);
    let entered = recover.wait("the release", |event| event["event"] == "entered");
    assert_eq!(entered["goes_on"], true, "{entered}");
    // Whoever wants it back says so.
    let _ = recover.kill();
    let _ = project.run(&["recover", "--abort", "--yes"]).expect(0);
    assert_eq!(serves(&project), [Some(1), Some(1)]);
}

#[test]
fn without_its_manifest_an_app_is_put_back_and_codedeploy_is_stopped() {
    let (project, cloud, deploy) = in_mid_shift();
    let _ = deploy.kill();
    let mut elsewhere = Project::new();
    elsewhere.set("AWS_ENDPOINT_URL", &cloud.cloud.url);
    elsewhere.set("AWS_ACCESS_KEY_ID", "local");
    elsewhere.set("AWS_SECRET_ACCESS_KEY", "local");
    elsewhere.set("AWS_REGION", "us-east-1");
    let _ = elsewhere.run(&["recover", "--abort", "--yes", "--app", "mini"]).expect(0);
    assert_eq!(serves(&project), [Some(1), Some(1)]);
    assert_eq!(deployment(&project, "auth"), serde_json::Value::Null);
}

#[test]
fn what_codedeploy_cannot_do_is_refused_before_anything_is_touched() {
    let steps = "[strategies.uneven]\nuse = \"steps\"\nsteps = [{ weight = 10, bake = \"1m\" }, { weight = 50, bake = \"1m\" }]\n";
    let (project, _cloud) = released("uneven", steps);
    let refused = project.deploy().expect(3);
    assert!(refused.has_code("WG415"), "{refused}");
    assert_eq!(serves(&project), [Some(1), Some(1)]);
}

#[test]
fn a_group_of_somebody_elses_that_is_not_there_is_a_failure_in_words() {
    let (project, _cloud) = released("Canary20Percent1Minutes", "");
    let group = "codedeploy = { application = \"sam-app\", group = \"auth-group\" }\n";
    project.edit("deploy.toml", "[functions.auth]\n", &format!("[functions.auth]\n{group}"));
    let failed = project.deploy().expect(1);
    assert!(failed.stderr.contains("auth-group"), "{failed}");
    assert_eq!(serves(&project), [Some(1), Some(1)]);
}
