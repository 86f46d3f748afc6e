//! It makes no difference where a plugin runs: the shop, with every component linked, loaded, and
//! isolated.

use std::collections::BTreeMap;

use serde_json::Value;
use wavegate_tests::binary::{Finished, Project, has_tool};
use wavegate_tests::plugins::{BUILT_IN, Way};

/// What was told about each function, without times and counts. Which second it is when an alarm
/// first knows something, how often a version was looked at before it was ready, how many requests
/// there were, and whether it stood still for a third of a second (45 s of the release: what was
/// baked is baked again), is up to the machine.
fn told(ended: &Finished) -> BTreeMap<String, Vec<Value>> {
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in &ended.events {
        let (Some(function), Some(kind)) = (event["function"].as_str(), event["event"].as_str())
        else {
            continue;
        };
        let of_the_machine =
            ["traffic", "note", "alarm", "preparing", "waiting", "blind", "touched", "suspended"];
        if of_the_machine.contains(&kind) {
            continue;
        }
        let mut event = event.clone();
        for key in ["seq", "at_ms", "elapsed_ms", "release", "took_ms"] {
            event.as_object_mut().expect("an object").remove(key);
        }
        told.entry(function.to_owned()).or_default().push(event);
    }
    told
}

/// The first deploy of the shop, and a change of all its functions.
fn release(way: Way) -> (BTreeMap<String, Vec<Value>>, BTreeMap<String, Option<u64>>) {
    let project = Project::of_the_repository();
    // Twice as fast as in the manifest: this is about what happens, not about when. How long an
    // invocation takes then is no sign of its health.
    project.edit("deploy.toml", "time_scale = 60 ", "time_scale = 120 ");
    project.edit("deploy.toml", "alarms = [\"errors\", \"slow\"]", "alarms = [\"errors\"]");
    way.of_built_in(&project);
    let first = project.deploy().expect(0);
    project.edit("deploy.toml", "memory = \"256MB\"", "memory = \"512MB\"");
    let second = project.deploy().expect(0);
    let mut told_in_all = told(&first);
    for (function, events) in told(&second) {
        told_in_all.entry(function).or_default().extend(events);
    }
    (told_in_all, project.status().all())
}

#[test]
fn a_release_of_the_shop_is_the_same_whether_plugins_are_linked_loaded_or_isolated() {
    if !has_tool("the shop", &["node", "--version"]) {
        return;
    }
    // One after another: three at once leave a small machine no time to look in time.
    let [linked, loaded, isolated] = Way::ALL.map(release);
    assert_eq!(linked.0.len(), 7);
    let events: usize = linked.0.values().map(Vec::len).sum();
    assert!(events > 100, "{events} events tell little");
    for (way, other) in [(Way::Loaded, loaded), (Way::Isolated, isolated)] {
        assert_eq!(linked.1, other.1, "what is served after {way:?}");
        for (function, events) in &linked.0 {
            assert_eq!(Some(events), other.0.get(function), "{function}, {way:?}");
        }
    }
}

#[test]
fn every_built_in_plugin_can_be_loaded_in_place_of_the_linked_one() {
    for (way, from) in [(Way::Loaded, "in-process"), (Way::Isolated, "process")] {
        let project = Project::of_the_repository();
        way.of_built_in(&project);
        let listed = project.run(&["plugin", "list", "--output", "json"]).expect(0).json();
        let components = listed["components"].as_array().expect("components").clone();
        assert!(components.len() > BUILT_IN.len(), "{listed}");
        assert!(components.iter().all(|component| component["from"] == from), "{listed}");
        let _ = project.run(&["check"]).expect(0);
    }
}
