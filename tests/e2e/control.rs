//! A release is seen and steered from elsewhere: each request is heard at most once, and does what it
//! says.

use serde_json::json;
use wavegate_tests::binary::{Finished, LocalCloud, Project, Running};

use crate::app::{LONG, mini, set_message, set_strategy};

const PAIR: &[(&str, &[&str])] = &[("auth", &[]), ("shop", &["auth"])];

/// `auth` shifts, at a quarter of the traffic; `shop` waits for it.
fn in_mid_shift() -> (Project, LocalCloud, Running) {
    shifting(mini(PAIR, ""))
}

fn shifting(project: Project) -> (Project, LocalCloud, Running) {
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    for function in ["auth", "shop"] {
        set_message(&project, function, "two");
    }
    set_strategy(&project, LONG);
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("auth", 2500);
    (project, cloud, deploy)
}

fn refused(finished: Finished, code: &str) {
    let finished = finished.expect(3);
    assert!(finished.has_code(code), "{finished}");
}

#[test]
fn a_paused_release_stays_where_it_is_until_somebody_lets_it_go_on() {
    let (project, _cloud, mut deploy) = in_mid_shift();
    let _ = project.run(&["pause", "--reason", "the pager rang"]).expect(0);
    let ordered = deploy.wait("an order", |event| event["event"] == "ordered");
    assert_eq!((&ordered["verb"], &ordered["reason"]), (&json!("pause"), &json!("the pager rang")));
    assert!(ordered["by"].as_str().unwrap().starts_with("tester@"), "{ordered}");
    refused(project.run(&["pause"]), "WG689");
    let status = project.run(&["status", "--output", "json"]).expect(0).json();
    assert_eq!(status["lock"]["is_paused"], true, "{status}");
    // Promote ends the pause, and then nothing is paused any more.
    let _ = project.run(&["resume"]).expect(0);
    refused(project.run(&["resume"]), "WG689");
    for function in ["auth", "shop"] {
        if function == "shop" {
            deploy.wait_weight(function, 2500);
        }
        let _ = project.run(&["promote", function, "--full", "--reason", "seen enough"]).expect(0);
        deploy.wait_weight(function, 10_000);
    }
    let ended = deploy.finish().expect(0);
    assert_eq!(ended.of("ordered").len(), 4, "{ended}");
}

#[test]
fn an_abort_from_elsewhere_puts_everything_back_and_is_waited_for() {
    let (project, _cloud, deploy) = in_mid_shift();
    let abort = project.run(&["abort", "--reason", "wrong branch"]).expect(0);
    assert!(abort.stderr.contains("was put back"), "{abort}");
    assert_eq!(project.status().lock(), Some("rolled_back"));
    let ended = deploy.finish().expect(1);
    assert!(ended.stderr.contains("wrong branch"), "{ended}");
    refused(project.run(&["abort"]), "WG688");
    refused(project.run(&["promote"]), "WG688");
}

#[test]
fn another_machine_needs_the_credentials_and_the_apps_name_alone() {
    let (project, cloud, deploy) = in_mid_shift();
    // Another directory, without manifest and without `.wavegate`; another kind of target even.
    let mut elsewhere = Project::new();
    elsewhere.set("AWS_ENDPOINT_URL", &cloud.cloud.url);
    elsewhere.set("AWS_ACCESS_KEY_ID", "local");
    elsewhere.set("AWS_SECRET_ACCESS_KEY", "local");
    elsewhere.set("AWS_REGION", "us-east-1");
    let app = "mini";
    refused(elsewhere.run(&["abort", "--app", "no-such-app"]), "WG682");
    let _ = elsewhere.run(&["abort", "--app", app, "--reason", "from afar"]).expect(0);
    let ended = deploy.finish().expect(1);
    assert!(ended.stderr.contains("from afar"), "{ended}");
    assert_eq!(versions(&project), [Some(1), Some(1)]);
}

/// A release that stands where it stood when somebody changed an alias of it, who has changed it back.
fn frozen() -> (Project, LocalCloud) {
    let project = mini(PAIR, "");
    project.edit("deploy.toml", "[app]\n", "[app]\non_failure = \"freeze\"\n");
    let (project, cloud, deploy) = shifting(project);
    let split = |weights| json!({ "RoutingConfig": { "AdditionalVersionWeights": weights } });
    let _ = cloud.cloud.update_alias("auth", "live", &split(json!({}))).json();
    let _ = deploy.finish().expect(4);
    let _ = cloud.cloud.update_alias("auth", "live", &split(json!({ "2": 0.25 }))).json();
    assert_eq!(project.status().lock(), Some("held"));
    (project, cloud)
}

fn versions(project: &Project) -> Vec<Option<u64>> {
    project.status().all().into_values().collect()
}

#[test]
fn a_frozen_release_goes_back_as_a_person_says() {
    let (project, _cloud) = frozen();
    refused(project.run(&["promote"]), "WG688");
    let _ = project.run(&["abort"]).expect(0);
    assert_eq!(versions(&project), [Some(1), Some(1)]);
}

#[test]
fn a_frozen_release_goes_on_as_a_person_says_if_it_is_the_same_still() {
    let (project, _cloud) = frozen();
    set_message(&project, "auth", "three");
    refused(project.run(&["recover", "--resume", "--yes"]), "WG683");
    set_message(&project, "auth", "two");
    let mut retry = project.spawn(&["retry", "--yes", "--output", "json"]);
    let entered = retry.wait("the release", |event| event["event"] == "entered");
    assert_eq!(entered["goes_on"], true, "{entered}");
    retry.wait("the shift", |event| event["event"] == "phase" && event["to"] == "shifting");
    // Until its aliases are fenced there is nothing to promote.
    while project.run(&["promote", "--full"]).code != Some(0) {}
    retry.wait_weight("shop", 2500);
    let _ = project.run(&["promote", "--full"]).expect(0);
    let _ = retry.finish().expect(0);
    assert_eq!(versions(&project), [Some(2), Some(2)]);
}

#[test]
fn what_failed_is_retried_as_long_as_it_is_the_same() {
    let (project, _cloud, deploy) = in_mid_shift();
    let _ = project.run(&["abort"]).expect(0);
    let _ = deploy.finish().expect(1);
    set_message(&project, "auth", "three");
    refused(project.run(&["retry", "--yes"]), "WG687");
    set_message(&project, "auth", "two");
    let mut again = project.spawn(&["retry", "--yes", "--output", "json"]);
    again.wait_weight("auth", 2500);
    let _ = project.run(&["promote", "--full"]).expect(0);
    again.wait_weight("shop", 2500);
    let _ = project.run(&["promote", "--full"]).expect(0);
    let _ = again.finish().expect(0);
    refused(project.run(&["retry", "--yes"]), "WG686");
}

#[test]
fn nothing_to_recover_is_no_error() {
    let project = mini(PAIR, "");
    let _cloud = project.start_cloud(&[]);
    let _ = project.run(&["recover", "--yes"]).expect(0);
    let _ = project.deploy().expect(0);
    let ended = project.run(&["recover", "--resume", "--yes"]).expect(0);
    assert!(ended.stderr.contains("is done"), "{ended}");
}
