//! `wavegate iam`: under the policies that it prints everything works that they are for, and what is in
//! them is needed. The local cloud holds every call against them, as AWS would.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wavegate_tests::binary::{Finished, LocalCloud, Project};

use crate::app::{LONG, mini, set_message, set_strategy};

/// A function judges another one, and both kinds of CloudWatch's alarms are watched.
const MORE: &str = r#"
[hooks.judge]
use = "lambda"
function = "judge"
qualifier = "live"
[hooks.no]
use = "command"
command = ["false"]
[alarms.red]
use = "cloudwatch-alarm"
alarm = "red"
[alarms.errors]
use = "cloudwatch-metric"
metric = "Errors"
max = 1000
missing_data = "ok"
"#;

/// Kept as short as it goes, so that old versions are deleted.
const KEEP_ONE: &str = "target = \"local\"\nkeep_versions = 1\n";

fn judged() -> Project {
    let project = mini(&[("judge", &[]), ("shop", &["judge"])], MORE);
    project.write(
        "functions/judge/app.py",
        "def handler(event, context):\n    return {\"hookStatus\": \"SUCCEEDED\"}\n",
    );
    project.edit("deploy.toml", "target = \"local\"\n", KEEP_ONE);
    hook(&project, "depends_on = [\"judge\"]\n", "judge");
    project
}

/// Gives `shop` its alarms, and its hook in place of another one.
fn hook(project: &Project, old: &str, name: &str) {
    project.edit(
        "deploy.toml",
        old,
        &format!(
            "depends_on = [\"judge\"]\nalarms = [\"red\", \"errors\"]\nhooks = {{ pre_traffic = \
             [\"{name}\"], on_rollback = [\"judge\"] }}\n"
        ),
    );
}

/// A cloud that holds calls against the policy for that purpose, and has the alarm.
fn cloud_under(project: &Project, purpose: &str) -> LocalCloud {
    let printed = project.run(&["iam", "--for", purpose]).expect(0);
    assert!(printed.stderr.contains(&format!("# {purpose}: ")), "{printed}");
    project.write("policy.json", &printed.stdout);
    let cloud = project.start_cloud(&["--policy", "policy.json"]);
    cloud.cloud.put_alarm("red");
    cloud.cloud.set_alarm("red", "OK");
    cloud
}

/// The actions that were needed, if none was refused.
#[track_caller]
fn needed(cloud: &LocalCloud, last: &Finished) -> BTreeSet<String> {
    let status = cloud.cloud.status();
    assert_eq!(status["refused"], json!({}), "{last}");
    let needed = status["permissions_needed"].as_object().expect("it works");
    needed.keys().cloned().collect()
}

fn allowed(project: &Project, purpose: &str) -> BTreeSet<String> {
    let printed = project.run(&["iam", "--for", purpose, "--output", "json"]).expect(0).json();
    let statements =
        printed["policies"][purpose]["Statement"].as_array().expect("it works").clone();
    let actions =
        statements.iter().flat_map(|one| one["Action"].as_array().expect("it works").clone());
    actions.map(|action| action.as_str().expect("it works").to_owned()).collect()
}

#[test]
fn whoever_may_plan_can_look_and_nothing_more() {
    let project = judged();
    let cloud = cloud_under(&project, "plan");
    let _ = project.run(&["plan"]).expect(0);
    let status = project.run(&["status"]).expect(0);
    assert!(needed(&cloud, &status).is_subset(&allowed(&project, "plan")));
    let refused = project.deploy();
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(refused.stderr.contains("lambda:CreateFunction"), "{refused}");
    assert!(!project.status().function("judge")["exists"].as_bool().unwrap());

    // An app that is there already is looked at more closely.
    cloud.stop();
    let cloud = cloud_under(&project, "deploy");
    let _ = project.deploy().expect(0);
    set_message(&project, "shop", "two");
    cloud.stop();
    let cloud = cloud_under(&project, "plan");
    let planned = project.run(&["plan"]).expect(0);
    assert_eq!(needed(&cloud, &planned), allowed(&project, "plan"), "{planned}");
}

#[test]
fn under_the_policies_for_deploys_and_for_going_back_all_of_it_works_and_is_needed() {
    let project = judged();
    let cloud = cloud_under(&project, "deploy");
    // A first deploy that fails takes its aliases away again.
    project.edit("deploy.toml", "pre_traffic = [\"judge\"]", "pre_traffic = [\"no\"]");
    let failed = project.deploy().expect(1);
    assert_eq!(failed.outcome(), "rolled_back", "{failed}");
    project.edit("deploy.toml", "pre_traffic = [\"no\"]", "pre_traffic = [\"judge\"]");
    let _ = project.deploy().expect(0);
    // Code, then the configuration alone, and the code again by a canary: the oldest version goes.
    set_message(&project, "shop", "two");
    let _ = project.deploy().expect(0);
    project.edit("deploy.toml", "handler = ", "memory = \"256MB\"\nhandler = ");
    let _ = project.deploy().expect(0);
    set_strategy(&project, "Canary10Percent1Minute");
    set_message(&project, "shop", "three");
    let _ = project.deploy().expect(0);
    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    assert_eq!(needed(&cloud, &back), allowed(&project, "deploy"), "{back}");

    // The machine that deploys dies; whoever is on call puts back what it left.
    set_strategy(&project, LONG);
    set_message(&project, "shop", "four");
    let mut deploy = project.begin_deploy();
    deploy.wait("a quarter of some traffic", |event| {
        event["event"] == "weight" && event["actual_bp"] == 2500
    });
    deploy.kill();
    cloud.stop();
    let cloud = cloud_under(&project, "recover");
    let back = project.run(&["recover", "--yes", "--output", "json"]).expect(0);
    assert_eq!(back.outcome(), "rolled_back", "{back}");
    assert_eq!(project.status().lock(), Some("rolled_back"), "{back}");
    let mut used = needed(&cloud, &back);

    // And what is done, by going back one more release.
    set_strategy(&project, "AllAtOnce");
    let refused = project.deploy();
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(refused.stderr.contains("is not authorized to perform"), "{refused}");
    cloud.stop();
    let cloud = cloud_under(&project, "deploy");
    let _ = project.deploy().expect(0);
    cloud.stop();
    let cloud = cloud_under(&project, "recover");
    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    assert_eq!(back.outcome(), "done", "{back}");
    used.extend(needed(&cloud, &back));
    cloud.stop();

    let justified = BTreeMap::from([
        ("lambda:CreateAlias", "a pin or a lock that somebody has deleted is made again"),
        ("lambda:DeleteAlias", "a first deploy that was left half done: the next test"),
        ("lambda:ListFunctions", "an app without its manifest: the next test"),
    ]);
    let idle: BTreeSet<String> = allowed(&project, "recover").difference(&used).cloned().collect();
    let justified: BTreeSet<String> = justified.keys().map(|action| (*action).to_owned()).collect();
    assert_eq!(idle, justified, "{back}");
}

#[test]
fn a_half_done_first_deploy_is_put_back_without_its_manifest_by_whoever_is_on_call() {
    let mut project = judged();
    let cloud = cloud_under(&project, "deploy");
    project.edit("deploy.toml", "command = [\"false\"]", "command = [\"sleep\", \"1000\"]");
    project.edit("deploy.toml", "pre_traffic = [\"judge\"]", "pre_traffic = [\"no\"]");
    let mut deploy = project.begin_deploy();
    deploy.wait("the hook", |event| event["event"] == "hook" && event["function"] == "shop");
    deploy.kill();
    cloud.stop();
    let cloud = cloud_under(&project, "recover");
    let elsewhere = ["recover", "--app", "mini", "--region", "us-east-1", "--target", "aws"];
    for (name, value) in [
        ("AWS_ENDPOINT_URL", cloud.cloud.url.clone()),
        ("AWS_ACCESS_KEY_ID", "oncall".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "oncall".to_owned()),
    ] {
        project.set(name, &value);
    }
    let back = project.run(&[&elsewhere[..], &["--yes", "--output", "json"]].concat()).expect(0);
    let needed = needed(&cloud, &back);
    assert!(needed.contains("lambda:DeleteAlias"), "{back}");
    assert!(needed.contains("lambda:ListFunctions"), "{back}");
    assert_eq!(project.status().function("judge")["version"], Value::Null, "{back}");
}

#[test]
fn a_policy_that_cannot_be_rehearsed_is_refused_with_its_place() {
    let project = mini(&[("shop", &[])], "");
    project.write(
        "policy.json",
        &json!({
            "Version": "2012-10-17",
            "Statement": [{ "Sid": "Most", "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }],
        })
        .to_string(),
    );
    let refused = project.run(&["local", "start", "--policy", "policy.json"]).expect(2);
    assert!(refused.has_code("WG660"), "{refused}");
    assert!(refused.stderr.contains("statement 1 (Most): `NotAction`"), "{refused}");
    let missing = project.run(&["local", "start", "--policy", "nowhere.json"]).expect(2);
    assert!(missing.has_code("WG660") && missing.stderr.contains("nowhere.json"), "{missing}");
}
