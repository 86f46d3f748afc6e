//! `history` and `show`.

use serde_json::json;

use crate::app::{mini, set_message};
use crate::support::{alone, deploy, recorded, silently};

#[test]
fn without_records_both_say_so() {
    let (project, _cloud) = alone();
    let none = project.run(&["history"]).expect(0);
    assert!(
        none.stdout.is_empty() && none.stderr.contains("no release is recorded here"),
        "{none}"
    );
    assert!(recorded(&project).is_empty());
    let none = project.run(&["show", "r1"]).expect(2);
    assert!(none.has_code("WG658"), "{none}");
    // Looking makes nothing.
    assert!(!project.path(".wavegate/records.db").exists());
}

#[test]
fn history_is_newest_first_and_ends_where_it_is_told_to() {
    let (project, _cloud) = alone();
    for message in ["one", "two", "three"] {
        silently(&deploy(&project, message).expect(0));
    }
    assert_eq!(recorded(&project), [3, 2, 1]);
    let two = project.run(&["history", "--limit", "2"]).expect(0).stdout;
    assert!(two.starts_with("mini on local cloud\nRELEASE "), "{two}");
    let rows: Vec<&str> = two.lines().skip(2).collect();
    assert!(rows[0].starts_with("r3 ") && rows[1].starts_with("r2 "), "{two}");
    assert!(rows[0].contains("  done  ") && rows[0].ends_with("  shop v2 -> v3"), "{two}");
    assert!(rows[0].contains("  tester@"), "{two}");
    assert_eq!(rows.len(), 2, "{two}");
}

#[test]
fn a_cloud_that_began_anew_has_a_history_of_its_own() {
    let (project, cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    silently(&deploy(&project, "two").expect(0));
    let _ = cloud.stop();
    let _ = project.run(&["local", "reset", "--yes"]).expect(0);
    let _cloud = project.start_cloud(&[]);
    silently(&deploy(&project, "three").expect(0));
    assert_eq!(recorded(&project), [1]);
    let refused = project.run(&["rollback", "--to-release", "2", "--yes"]).expect(3);
    assert!(refused.has_code("WG616"), "{refused}");
}

#[test]
fn show_prints_what_deploy_printed() {
    let hook = "[hooks.no]\nuse = \"command\"\ncommand = [\"false\"]\n";
    let project = mini(&[("shop", &[])], hook);
    let _cloud = project.start_cloud(&[]);
    let first = project.deploy().expect(0);
    project.edit("deploy.toml", "depends_on = []\n", "hooks = { pre_traffic = [\"no\"] }\n");
    set_message(&project, "shop", "two");
    let failed = project.deploy().expect(1);

    let id = failed.end()["release"].as_str().unwrap();
    for name in ["r2", "2", id] {
        let shown = project.run(&["show", name, "--output", "json"]).expect(0);
        assert_eq!(shown.stdout, failed.stdout, "{name}");
    }
    assert_eq!(project.run(&["show", "1", "--output", "json"]).expect(0).stdout, first.stdout);
    let text = project.run(&["show", "r2"]).expect(0).stdout;
    assert!(text.starts_with("mini r2: rolled back, after "), "{text}");
    assert!(text.contains("] shop  pre_traffic hook no failed"), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.contains("release rolled back after"), "{text}");
    let unknown = project.run(&["show", "r7"]).expect(2);
    assert!(unknown.has_code("WG658") && unknown.stderr.contains("r2 (rolled_back)"), "{unknown}");

    let listed = project.run(&["history", "--output", "json"]).expect(0).json();
    assert_eq!(listed["v"], 1);
    let release = &listed["releases"][0];
    assert_eq!(release["outcome"], "rolled_back");
    assert_eq!(release["functions"], json!({ "shop": { "stable": 1, "candidate": 2 } }));
    assert_eq!(release["requests"], json!([]));
}
