//! Going back: after a release that is done, after one that failed, and by how much.

use serde_json::{Value, json};
use wavegate_tests::binary::Project;

use crate::app::{LONG, mini, set_message};

const CHAIN: &[(&str, &[&str])] = &[("auth", &[]), ("cart", &["auth"]), ("shop", &["cart"])];
const PAIR: &[(&str, &[&str])] = &[("auth", &[]), ("shop", &["auth"])];

fn serve(project: &Project) -> Vec<Option<u64>> {
    project.status().all().into_values().collect()
}

#[test]
fn rollback_undoes_the_last_release_in_reverse_order() {
    let project = mini(CHAIN, "");
    let _cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    set_message(&project, "auth", "two");
    set_message(&project, "shop", "two");
    let second = project.deploy().expect(0);
    assert_eq!(second.functions("weight"), ["auth", "shop"], "{second}");
    assert_eq!(second.of("published").len(), 2, "{second}");
    assert_eq!(serve(&project), [Some(2), Some(1), Some(2)]);

    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    assert_eq!(back.functions("weight"), ["shop", "auth"], "{back}");
    assert_eq!(back.outcome(), "done");
    // Moved to what is there: nothing is uploaded or published.
    assert!(back.calls().keys().all(|call| !call.contains("Code") && !call.contains("Publish")));
    assert_eq!(serve(&project), [Some(1), Some(1), Some(1)]);

    // Forward again, to what a release long done had made.
    let forward = project.run(&["rollback", "--to-release", "2", "--yes"]).expect(0);
    assert!(forward.stdout.contains("r4: done"), "{forward}");
    assert_eq!(serve(&project), [Some(2), Some(1), Some(2)]);
    let first = project.run(&["rollback", "--to-release", "1", "--yes"]);
    let _ = first.expect(0);
    assert_eq!(serve(&project), [Some(1), Some(1), Some(1)]);

    let unknown = project.run(&["rollback", "--to-release", "99", "--yes"]).expect(3);
    assert!(unknown.has_code("WG616"), "{unknown}");
    assert_eq!(project.recordings().len(), 5);
}

#[test]
fn rollback_before_any_release_changes_nothing_and_says_so() {
    let project = mini(PAIR, "");
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    let before = cloud.cloud.calls();
    let nothing = project.run(&["rollback", "--yes"]).expect(0);
    assert!(nothing.stderr.contains("nothing to put back"), "{nothing}");
    let writes = |calls: std::collections::BTreeMap<String, u64>| -> u64 {
        let writes = calls.iter().filter(|(name, _)| !name.starts_with(['G', 'L']));
        writes.map(|(_, count)| count).sum()
    };
    assert_eq!(writes(cloud.cloud.calls()), writes(before));
}

const FAILING: &str = "[hooks.no]\nuse = \"command\"\ncommand = [\"false\"]\n";

#[test]
fn rollback_scope_function_leaves_what_was_promoted() {
    let project = mini(PAIR, FAILING);
    let _cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    project.edit(
        "deploy.toml",
        "target = \"local\"\n",
        "target = \"local\"\nrollback_scope = \"function\"\n",
    );
    project.edit(
        "deploy.toml",
        "depends_on = [\"auth\"]\n",
        "depends_on = [\"auth\"]\nhooks = { pre_traffic = [\"no\"] }\n",
    );
    set_message(&project, "auth", "two");
    set_message(&project, "shop", "two");
    let failed = project.deploy().expect(1);
    assert_eq!(failed.outcome(), "rolled_back", "{failed}");
    assert!(!failed.functions("put_back").contains(&"auth"), "{failed}");
    let status = project.status();
    assert_eq!((status.serves("auth"), status.serves("shop")), (Some(2), Some(1)), "{status:?}");
    // The rest of the app is as a release should leave it: the next one starts.
    project.edit("deploy.toml", "hooks = { pre_traffic = [\"no\"] }\n", "");
    let fixed = project.deploy().expect(0);
    assert_eq!(fixed.functions("weight"), ["shop"], "{fixed}");
}

#[test]
fn freeze_leaves_the_alias_split_until_a_person_puts_it_back() {
    let alarms = "[alarms.red]\nuse = \"cloudwatch-alarm\"\nalarm = \"red\"\n";
    let project = mini(PAIR, alarms);
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    cloud.cloud.put_alarm("red");
    cloud.cloud.set_alarm("red", "OK");
    project.edit(
        "deploy.toml",
        "target = \"local\"\n",
        "target = \"local\"\non_failure = \"freeze\"\n",
    );
    project.edit(
        "deploy.toml",
        "depends_on = [\"auth\"]\n",
        &format!("depends_on = [\"auth\"]\nstrategy = \"{LONG}\"\nalarms = [\"red\"]\n"),
    );
    set_message(&project, "auth", "two");
    set_message(&project, "shop", "two");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    cloud.cloud.set_alarm("red", "ALARM");
    let frozen = deploy.finish().expect(4);
    assert!(frozen.has_code("WG635"), "{frozen}");
    assert_eq!(frozen.outcome(), "frozen");

    let status = project.status();
    assert_eq!(status.lock(), Some("held"), "{status:?}");
    assert_eq!(status.function("shop")["extra"], json!({ "version": 2, "weight_bp": 2500 }));
    assert_eq!(status.serves("auth"), Some(2));
    let refused = project.deploy().expect(3);
    assert!(refused.has_code("WG402"), "{refused}");

    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    assert_eq!(back.functions("put_back"), ["shop", "auth"], "{back}");
    let status = project.status();
    assert_eq!((status.serves("auth"), status.serves("shop")), (Some(1), Some(1)), "{status:?}");
}

#[test]
fn a_first_deploy_that_fails_leaves_functions_without_an_alias() {
    let project = mini(PAIR, FAILING);
    let cloud = project.start_cloud(&[]);
    let hook = "hooks = { pre_traffic = [\"no\"] }\n";
    project.edit(
        "deploy.toml",
        "depends_on = [\"auth\"]\n",
        &format!("depends_on = [\"auth\"]\n{hook}"),
    );
    let failed = project.deploy().expect(1);
    assert_eq!(failed.outcome(), "rolled_back", "{failed}");
    let status = project.status();
    for function in ["auth", "shop"] {
        let seen = status.function(function);
        assert_eq!((&seen["exists"], &seen["version"]), (&json!(true), &Value::Null), "{seen}");
        assert_eq!(cloud.cloud.alias(function, "live").status, 404, "{function}");
        assert_eq!(cloud.cloud.versions(function).len(), 1, "{function}");
    }
    project.edit("deploy.toml", hook, "");
    let fixed = project.deploy().expect(0);
    assert_eq!(fixed.outcome(), "done", "{fixed}");
    // Their first version is good as it is: nothing is uploaded again.
    assert_eq!(serve(&project), [Some(1), Some(1)], "{fixed}");
}

/// Regression: the pins of earlier releases stay, and all of them were taken for the last one's.
#[test]
fn rollback_leaves_what_the_last_release_did_not_change() {
    let project = mini(&[("auth", &[]), ("shop", &["auth"])], "");
    let _cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    for function in ["auth", "shop"] {
        set_message(&project, function, "two");
        let _ = project.deploy().expect(0);
    }
    let _ = project.run(&["rollback", "--yes"]).expect(0);
    let status = project.status();
    assert_eq!((status.serves("auth"), status.serves("shop")), (Some(2), Some(1)), "{status:?}");
}
