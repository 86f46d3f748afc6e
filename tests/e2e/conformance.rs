//! Ten questions about an endpoint: here, about the local cloud itself.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use wavegate_tests::binary::{Cloud, Project};

use crate::app::mini;

fn functions(cloud: &Cloud) -> Value {
    cloud.send("GET", "/2015-03-31/functions/", "application/json", "").json()["Functions"].clone()
}

/// An app whose local cloud has Lambda's quota. It is never deployed.
fn with_quota() -> Project {
    let project = mini(&[("shop", &[])], "");
    project.edit("deploy.toml", "time_scale = 60\n", "time_scale = 60\nrequests_per_second = 15\n");
    project
}

#[test]
fn the_local_cloud_answers_as_the_local_cloud_does_and_keeps_nothing() {
    let project = with_quota();
    let cloud = project.start_cloud(&[]);
    let told = project.run(&["conformance", "--output", "json"]).expect(0);
    let answers = told.json();
    for answer in answers["answers"].as_array().unwrap() {
        let question = answer["question"].as_str().unwrap();
        let is_shown = !["alias_limit", "permission"].contains(&question);
        let expected = if is_shown { "same" } else { "not shown" };
        assert_eq!(answer["comparison"], expected, "{answer:#}");
        assert!(
            !is_shown || answer["relied_on"].is_null() || answer["holds"] == true,
            "{answer:#}"
        );
    }
    assert_eq!(answers["answers"].as_array().unwrap().len(), 10);
    let calls = answers["calls"].as_object().unwrap();
    // Invocations are not of the control plane.
    let made: u64 =
        calls.iter().filter(|(name, _)| *name != "Invoke").filter_map(|(_, n)| n.as_u64()).sum();
    assert!(made < 60, "{made}: {calls:?}");
    assert_eq!(functions(&cloud.cloud), json!([]));
}

#[test]
fn after_an_interrupt_the_function_is_deleted_too() {
    let project = with_quota();
    // Real time: provisioned concurrency takes a quarter of a minute.
    let cloud = project.start_cloud(&["--time-scale", "1"]);
    let mut running = project.spawn(&["conformance", "--output", "json"]);
    running.wait_talk("permission: not shown");
    assert_eq!(functions(&cloud.cloud).as_array().unwrap().len(), 1);
    running.signal(Signal::SIGINT);
    let ended = running.finish().expect(5);
    assert!(ended.stderr.contains("is deleted") && ended.stdout.is_empty(), "{ended}");
    assert_eq!(functions(&cloud.cloud), json!([]));
}

#[test]
fn a_name_that_is_none_is_refused_before_anything_is_made() {
    // Without a manifest.
    let project = Project::new();
    let refused = project.run(&["conformance", "--function-prefix", "a b"]).expect(2);
    assert!(refused.has_code("WG676"), "{refused}");
    let refused = project.run(&["conformance", "--target", "aws"]).expect(2);
    assert!(refused.has_code("WG676") && refused.stderr.contains("--role"), "{refused}");
}
