//! CodeDeploy as the engine: the release of the binary, on the local cloud's CodeDeploy.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use wavegate_tests::binary::{Cloud, Finished, LocalCloud, Project, Running};

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

// ---- hooks that CodeDeploy calls ---------------------------------------------------------------

/// A hook as CodeDeploy knows it, without any library.
fn judge(verdict: &str) -> String {
    format!(
        r#"import json, os, urllib.request


def handler(event, context):
    report = {{"deploymentId": event["DeploymentId"], "status": "{verdict}",
              "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"]}}
    urllib.request.urlopen(urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"], data=json.dumps(report).encode(), method="POST",
        headers={{"x-amz-target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
                 "content-type": "application/x-amz-json-1.1"}})).read()
"#
    )
}

fn set_judge(project: &Project, verdict: &str) {
    project.write("functions/judge/app.py", &judge(verdict));
}

/// `shop` is judged by `judge` before its traffic moves; both are there, and `shop` changes next.
fn judged(verdict: &str, time_scale: u32) -> (Project, LocalCloud) {
    let hook = "[hooks.judge]\nuse = \"lambda\"\nfunction = \"judge\"\n";
    let project = mini(&[("judge", &[]), ("shop", &["judge"])], hook);
    project.edit("deploy.toml", "[app]\n", "[app]\nengine = \"codedeploy\"\n");
    project.edit(
        "deploy.toml",
        "depends_on = [\"judge\"]\n",
        "depends_on = [\"judge\"]\nhooks = { pre_traffic = [\"judge\"] }\n",
    );
    project.edit("deploy.toml", "time_scale = 60", &format!("time_scale = {time_scale}"));
    set_judge(&project, verdict);
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    set_message(&project, "shop", "two");
    (project, cloud)
}

fn judged_serve(project: &Project) -> [Option<u64>; 2] {
    let status = project.status();
    [status.serves("judge"), status.serves("shop")]
}

/// What a plan says of `judge`, and why if it changes.
fn plan_of_judge(project: &Project) -> (String, Vec<String>) {
    let plan = project.run(&["plan", "--output", "json"]).expect(0).json();
    let judge = &plan["functions"]["judge"];
    let changes = judge["changes"].as_array().into_iter().flatten();
    let whats = changes.map(|change| change["what"].as_str().expect("a text").to_owned());
    (judge["standing"].as_str().expect("a text").to_owned(), whats.collect())
}

const UNCHANGED: &str = "unchanged";
const CODE: &str =
    "$LATEST holds other code than its alias serves, and CodeDeploy calls this hook by name";
const CONFIGURATION: &str = "$LATEST has another configuration than its alias serves, and CodeDeploy calls this hook by name";

/// A release changed `judge` so that it says no, and was put back; the code is as it was before. What
/// is unpublished still says no.
fn after_a_hook_that_said_no() -> (Project, LocalCloud) {
    let (project, cloud) = judged("Succeeded", 60);
    set_judge(&project, "Failed");
    let failed = project.deploy().expect(1);
    assert!(failed.stderr.contains("HOOK_EXECUTION_FAILURE"), "{failed}");
    assert_eq!(judged_serve(&project), [Some(1), Some(1)]);
    set_judge(&project, "Succeeded");
    (project, cloud)
}

#[test]
fn a_hook_of_a_release_that_was_put_back_does_not_judge_the_next_one() {
    let (project, cloud) = after_a_hook_that_said_no();
    assert_eq!(plan_of_judge(&project), ("changed".to_owned(), vec![CODE.to_owned()]));
    let told = project.run(&["plan"]).expect(0);
    assert!(told.stdout.contains(CODE), "{told}");
    let done = project.deploy().expect(0);
    assert_eq!(judged_serve(&project), [Some(3), Some(2)], "{done}");
    let calls = cloud.cloud.calls();
    // Now what is called is what is served: nothing is to do, and that takes five reads, one of them
    // for what CodeDeploy would call.
    assert_eq!(plan_of_judge(&project), (UNCHANGED.to_owned(), Vec::new()));
    let _ = project.deploy().expect(0);
    let after = cloud.cloud.calls();
    let more =
        after.iter().map(|(name, count)| (name.as_str(), count - calls.get(name).unwrap_or(&0)));
    let more: Vec<(&str, u64)> = more.filter(|(_, count)| *count > 0).collect();
    assert_eq!(more, [("GetFunction", 6), ("ListAliases", 4)], "a plan and a deploy");
}

#[test]
fn whoever_may_plan_may_look_at_what_codedeploy_calls() {
    let (project, cloud) = after_a_hook_that_said_no();
    cloud.stop();
    let printed = project.run(&["iam", "--for", "plan"]).expect(0);
    project.write("policy.json", &printed.stdout);
    let cloud = project.start_cloud(&["--policy", "policy.json"]);
    assert_eq!(plan_of_judge(&project), ("changed".to_owned(), vec![CODE.to_owned()]));
    assert_eq!(cloud.cloud.status()["refused"], json!({}));
}

#[test]
fn a_hook_that_is_left_out_after_a_release_was_put_back_is_warned_of() {
    let (project, _cloud) = after_a_hook_that_said_no();
    let only = ["deploy", "--yes", "--output", "json", "--only", "shop"];
    let failed = project.run(&only).expect(1);
    assert!(failed.stderr.contains("HOOK_EXECUTION_FAILURE"), "{failed}");
    let told = project.run(&["plan", "--only", "shop"]).expect(0);
    assert!(told.has_code("WG418") || told.stdout.contains("WG418"), "{told}");
    let both = ["deploy", "--yes", "--output", "json", "--only", "shop", "--only", "judge"];
    let _ = project.run(&both).expect(0);
    assert_eq!(judged_serve(&project), [Some(3), Some(2)]);
}

#[test]
fn a_release_that_puts_a_hook_right_is_picked_up_as_the_same_one() {
    let (project, _cloud) = after_a_hook_that_said_no();
    set_strategy(&project, "Canary20Percent2Minutes");
    let mut deploy = project.begin_deploy();
    // `judge` is promoted by then, and what is unpublished is right.
    deploy.wait_weight("shop", 2000);
    deploy.signal(Signal::SIGINT);
    let _ = deploy.finish().expect(5);
    let done = project.deploy().expect(0);
    assert_eq!(done.outcome(), "done");
    assert_eq!(judged_serve(&project), [Some(3), Some(2)]);
    let status = project.status();
    let description = &status.function("judge")["description"];
    assert!(!description.to_string().contains("wg1"), "it keeps no record: {description}");
}

#[test]
fn a_failed_release_that_put_a_hook_right_can_be_tried_once_more() {
    let (project, cloud) = after_a_hook_that_said_no();
    cloud.cloud.put_alarm("red");
    project.edit(
        "deploy.toml",
        "hooks = { pre_traffic",
        "alarms = [\"red\"]\nhooks = { pre_traffic",
    );
    let text = project.read("deploy.toml");
    let alarm = "[alarms.red]\nuse = \"cloudwatch-alarm\"\nalarm = \"red\"\n";
    project.write("deploy.toml", &format!("{text}\n{alarm}"));
    cloud.cloud.set_alarm("red", "OK");
    set_strategy(&project, "Canary20Percent2Minutes");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2000);
    cloud.cloud.set_alarm("red", "ALARM");
    let _ = deploy.finish().expect(1);
    cloud.cloud.set_alarm("red", "OK");
    // The hook is right by now, and that is no other release.
    assert_eq!(plan_of_judge(&project).0, UNCHANGED);
    let done = project.run(&["retry", "--yes", "--output", "json"]).expect(0);
    assert_eq!(done.functions("published"), ["shop"], "{done}");
}

#[test]
fn a_hook_that_somebody_changed_by_hand_is_put_right_and_stays_at_its_version() {
    let (project, cloud) = judged("Succeeded", 60);
    let path = "/2015-03-31/functions/judge/configuration";
    let memory = |cloud: &Cloud| {
        cloud.send("GET", path, "application/json", "").json()["MemorySize"].clone()
    };
    let _ = cloud.cloud.send("PUT", path, "application/json", "{\"MemorySize\":512}").json();
    assert_eq!(plan_of_judge(&project), ("changed".to_owned(), vec![CONFIGURATION.to_owned()]));
    let _ = project.run(&["deploy", "--yes", "--only", "judge"]).expect(0);
    assert_eq!(memory(&cloud.cloud), 128);
    let version = project.status().serves("judge");
    let zip = "import base64, io, zipfile; held = io.BytesIO(); \
               zipfile.ZipFile(held, 'w').writestr('app.py', 'theirs'); \
               print(base64.b64encode(held.getvalue()).decode())";
    let zip = project.tool("python3", &["-c", zip]).expect(0).stdout;
    let body = json!({ "ZipFile": zip.trim() }).to_string();
    let path = "/2015-03-31/functions/judge/code";
    let _ = cloud.cloud.send("PUT", path, "application/json", &body).json();
    assert_eq!(plan_of_judge(&project), ("changed".to_owned(), vec![CODE.to_owned()]));
    set_strategy(&project, "Canary20Percent2Minutes");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2000);
    deploy.signal(Signal::SIGINT);
    let left = deploy.finish().expect(5);
    assert_eq!(left.functions("published"), ["shop"], "Lambda publishes nothing twice: {left}");
    // It has no record of the release, which is picked up all the same.
    let _ = project.deploy().expect(0);
    assert_eq!(judged_serve(&project), [version, Some(2)]);
    assert_eq!(plan_of_judge(&project), (UNCHANGED.to_owned(), Vec::new()));
}

// ---- failures ----------------------------------------------------------------------------------

/// The release ended in CodeDeploy's words, and nothing of it serves.
#[track_caller]
fn assert_put_back(ended: &Finished, words: &[&str]) {
    assert_eq!(ended.outcome(), "rolled_back", "{ended}");
    for words in words {
        assert!(ended.stderr.contains(words), "no `{words}`\n{ended}");
    }
}

#[test]
fn a_hook_that_says_failed_fails_the_release_before_any_traffic_moves() {
    let (project, _cloud) = judged("Failed", 60);
    let failed = project.deploy().expect(1);
    assert_put_back(&failed, &["HOOK_EXECUTION_FAILURE", "BeforeAllowTraffic"]);
    assert!(failed.about("weight", "shop").is_empty(), "{failed}");
    let steps = failed.about("deployment", "shop").into_iter();
    let steps: Vec<(&str, &str)> = steps
        .map(|event| (event["step"].as_str().unwrap(), event["status"].as_str().unwrap()))
        .collect();
    assert!(steps.contains(&("BeforeAllowTraffic", "Failed")), "{steps:?}");
    assert_eq!(judged_serve(&project), [Some(1), Some(1)]);
}

#[test]
fn a_hook_that_never_answers_fails_the_release_after_codedeploys_hour() {
    let (project, _cloud) = judged("Succeeded", 600);
    // It runs, and tells CodeDeploy nothing.
    set_message(&project, "judge", "well");
    let failed = project.deploy().expect(1);
    assert_put_back(&failed, &["HOOK_EXECUTION_FAILURE", "60 minutes"]);
    let elapsed_ms = failed.end()["elapsed_ms"].as_u64().unwrap();
    assert!(elapsed_ms >= 3_600_000, "{failed}");
    assert!(failed.about("weight", "shop").is_empty(), "{failed}");
    assert_eq!(judged_serve(&project), [Some(1), Some(1)]);
}

#[test]
fn what_a_deployment_that_was_stopped_by_hand_left_split_is_put_right() {
    let (project, cloud) = released("Canary10Percent1000Minutes", "");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("auth", 1000);
    let id = deployment(&project, "auth")["id"].clone();
    let stop = json!({ "deploymentId": id, "autoRollbackEnabled": false });
    let _ = cloud.cloud.codedeploy("StopDeployment", &stop);
    let failed = deploy.finish().expect(1);
    assert_put_back(&failed, &["The deployment was stopped by request"]);
    let told = cloud.cloud.codedeploy("GetDeployment", &json!({ "deploymentId": id }));
    assert_eq!(told["deploymentInfo"]["status"], "Stopped");
    assert_eq!(told["deploymentInfo"]["rollbackInfo"]["rollbackDeploymentId"], Value::Null);
    assert_eq!(serves(&project), [Some(1), Some(1)], "CodeDeploy has left it split");
}

#[test]
fn somebody_elses_deployment_in_the_group_refuses_the_release_and_goes_on() {
    let (project, cloud) = released("Canary20Percent1Minutes", "");
    let _ = project.deploy().expect(0);
    set_message(&project, "auth", "three");
    // It waits for a hook that does not answer, so that nothing is split yet.
    let content = json!({
        "version": 0.0,
        "Resources": [{ "auth": {
            "Type": "AWS::Lambda::Function",
            "Properties":
                { "Name": "auth", "Alias": "live", "CurrentVersion": "2", "TargetVersion": "1" },
        }}],
        "Hooks": [{ "BeforeAllowTraffic": "shop" }],
    });
    let theirs = json!({
        "applicationName": "wavegate-mini", "deploymentGroupName": "auth-live",
        "description": "ours, too",
        "revision":
            { "revisionType": "AppSpecContent", "appSpecContent": { "content": content.to_string() } },
    });
    let theirs = cloud.cloud.codedeploy("CreateDeployment", &theirs)["deploymentId"].clone();
    let failed = project.deploy().expect(1);
    let id = theirs.as_str().unwrap();
    assert_put_back(&failed, &["a conflicting deployment of group auth-live", id, "ours, too"]);
    assert!(failed.about("weight", "auth").is_empty(), "{failed}");
    assert_eq!(serves(&project), [Some(2), Some(2)]);
    let told = cloud.cloud.codedeploy("GetDeployment", &json!({ "deploymentId": theirs }));
    assert_eq!(told["deploymentInfo"]["status"], "InProgress", "it is not ours to stop");
}
