//! What a doctor finds between releases, what it mends, and what it leaves to people.

use serde_json::{Value, json};
use wavegate_core::name::{AppName, Nonce, ReleaseId, VersionId};
use wavegate_core::token::{Position, Token};
use wavegate_core::weight::Weight;
use wavegate_tests::binary::{Cloud, Finished, LocalCloud, Project, has_tool};

use crate::app::{LONG, mini, set_message, set_strategy};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function";
const LAMBDA: &str = "/2015-03-31/functions";

/// One function with two versions, the second one served, and nothing wrong with it.
fn healthy() -> (Project, LocalCloud) {
    let project = mini(&[("shop", &[])], "");
    let cloud = project.start_cloud(&[]);
    for message in ["one", "two"] {
        set_message(&project, "shop", message);
        let _ = project.deploy().expect(0);
    }
    (project, cloud)
}

fn doctor(project: &Project, arguments: &[&str]) -> Finished {
    let all: Vec<&str> = ["doctor", "--output", "json"].iter().chain(arguments).copied().collect();
    project.run(&all)
}

fn heal(project: &Project) -> Finished {
    doctor(project, &["--heal", "--yes"])
}

/// Codes of the findings, in order.
#[track_caller]
fn codes(told: &Finished) -> Vec<String> {
    let told = told.json();
    let findings = told["findings"].as_array().expect("findings").iter();
    findings.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

fn send(cloud: &Cloud, method: &str, path: &str, body: &Value) -> Value {
    cloud.send(method, path, "application/json", &body.to_string()).json()
}

fn update(cloud: &Cloud, alias: &str, body: &Value) -> Value {
    cloud.update_alias("shop", alias, body).json()
}

fn split(cloud: &Cloud) {
    let weights = json!({ "AdditionalVersionWeights": { "1": 0.1 } });
    update(cloud, "live", &json!({ "RoutingConfig": weights, "Description": "my own" }));
}

#[test]
fn a_healthy_app_has_nothing_and_costs_few_calls() {
    let (project, cloud) = healthy();
    let before: u64 = cloud.cloud.calls().values().sum();
    let told = doctor(&project, &[]).expect(0);
    assert_eq!(codes(&told), [""; 0], "{told}");
    let calls = cloud.cloud.calls().values().sum::<u64>() - before;
    assert!(calls <= 8, "{calls}: {:?}", cloud.cloud.calls());
    let words = project.run(&["doctor"]).expect(0).stdout;
    assert!(words.contains("nothing found (1 function looked at)"), "{words}");
}

#[test]
fn a_split_without_an_owner_is_told_and_mended_only_when_asked() {
    let (project, cloud) = healthy();
    split(&cloud.cloud);
    let before = cloud.cloud.alias("shop", "live").json();

    let told = doctor(&project, &[]).expect(3);
    assert_eq!(codes(&told), ["WG665"], "{told}");
    assert!(told.has_code("WG674"), "{told}");
    let refused = doctor(&project, &["--heal"]).expect(3);
    assert!(refused.has_code("WG610") && refused.stdout.is_empty(), "{refused}");
    assert_eq!(cloud.cloud.alias("shop", "live").json(), before, "nobody said yes");

    let healed = heal(&project).expect(0);
    assert_eq!(healed.json()["findings"][0]["healed"], true, "{healed}");
    let after = cloud.cloud.alias("shop", "live").json();
    assert_eq!((&after["FunctionVersion"], &after["Description"]), (&json!("2"), &json!("my own")));
    assert_eq!(after["RoutingConfig"], Value::Null);
    let _ = doctor(&project, &[]).expect(0);
}

#[test]
fn the_other_side_of_a_split_can_be_chosen() {
    let (project, cloud) = healthy();
    split(&cloud.cloud);
    let healed = doctor(&project, &["--heal", "--to", "candidate", "--yes"]).expect(0);
    assert_eq!(cloud.cloud.alias("shop", "live").json()["FunctionVersion"], "1", "{healed}");
}

#[test]
fn a_record_that_was_left_gives_way_to_the_text_that_the_pin_kept() {
    let (project, cloud) = healthy();
    let own = "x".repeat(250);
    let left = Token {
        app: AppName::new("mini").unwrap(),
        release: ReleaseId(99),
        epoch: 1,
        sequence: 1,
        position: Position::Promoted,
        stable: Some(VersionId(1)),
        candidate: VersionId(2),
        weight: Weight::FULL,
        nonce: Nonce(1),
        plan: 1,
    };
    update(&cloud.cloud, "live", &json!({ "Description": left.encode(&own) }));
    update(&cloud.cloud, "wavegate-live-prev", &json!({ "Description": own }));
    let told = doctor(&project, &[]).expect(3);
    assert_eq!(codes(&told), ["WG666"], "{told}");
    let _ = heal(&project).expect(0);
    let alias = cloud.cloud.alias("shop", "live").json();
    assert_eq!((&alias["Description"], &alias["FunctionVersion"]), (&json!(own), &json!("2")));
}

#[test]
fn a_pin_that_keeps_nothing_is_pointed_at_what_is_served() {
    let (project, cloud) = healthy();
    update(&cloud.cloud, "wavegate-live-prev", &json!({ "FunctionVersion": "$LATEST" }));
    let told = doctor(&project, &[]).expect(3);
    assert_eq!(codes(&told), ["WG670"], "{told}");
    let _ = heal(&project).expect(0);
    let pin = cloud.cloud.alias("shop", "wavegate-live-prev").json();
    assert_eq!(pin["FunctionVersion"], "2");
    let _ = doctor(&project, &[]).expect(0);
}

#[test]
fn a_release_that_runs_is_left_alone_and_one_that_lost_its_owner_is_recovers() {
    let project = mini(&[("auth", &[]), ("shop", &[])], "");
    let cloud = project.start_cloud(&[]);
    for message in ["one", "two"] {
        for function in ["auth", "shop"] {
            set_message(&project, function, message);
        }
        let _ = project.deploy().expect(0);
    }
    set_strategy(&project, LONG);
    set_message(&project, "shop", "three");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    let told = heal(&project).expect(0);
    assert_eq!(codes(&told), ["WG667"], "{told}");
    assert_eq!(told.json()["findings"][0]["severity"], "note", "{told}");

    let _ = deploy.kill();
    let weights = json!({ "AdditionalVersionWeights": { "1": 0.1 } });
    cloud.cloud.update_alias("auth", "live", &json!({ "RoutingConfig": weights })).json();
    let told = heal(&project).expect(3);
    assert_eq!(codes(&told), ["WG667", "WG665"], "{told}");
    let first = &told.json()["findings"][0];
    assert_eq!(first["severity"], "problem", "{told}");
    assert!(first["fix"].as_str().unwrap().contains("wavegate recover"), "{told}");
    for function in ["auth", "shop"] {
        let live = cloud.cloud.alias(function, "live").json();
        assert!(live["RoutingConfig"].is_object(), "nothing is healed meanwhile: {live}");
    }
}

/// Everything that calls past the alias.
fn bypass(cloud: &Cloud) {
    let mapping = json!({ "FunctionName": "shop", "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders" });
    send(cloud, "POST", "/2015-03-31/event-source-mappings", &mapping);
    send(cloud, "POST", "/2021-10-31/functions/shop/url", &json!({ "AuthType": "AWS_IAM" }));
    let permission = json!({
        "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::uploads", "SourceAccount": "000000000000",
    });
    send(cloud, "POST", &format!("{LAMBDA}/shop/policy"), &permission);
}

#[test]
fn triggers_past_the_alias_are_told_and_never_moved() {
    let (project, cloud) = healthy();
    bypass(&cloud.cloud);
    let told = heal(&project).expect(3);
    assert_eq!(codes(&told), ["WG671"; 3], "{told}");
    let mappings = send(&cloud.cloud, "GET", "/2015-03-31/event-source-mappings", &Value::Null);
    assert_eq!(mappings["EventSourceMappings"][0]["FunctionArn"], format!("{ARN}:shop"));
}

/// The AWS CLI's commands in a fix.
fn commands(fix: &str) -> Vec<String> {
    let starts = fix.match_indices("aws lambda ").map(|(at, _)| &fix[at..]);
    let ends = [")", ", then", "; "];
    starts
        .map(|text| {
            let end = ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
            text[..end].to_owned()
        })
        .collect()
}

#[test]
fn the_commands_that_are_told_mend_what_they_are_told_for() {
    if !has_tool("the AWS CLI", &["aws", "--version"]) {
        return;
    }
    let (mut project, cloud) = healthy();
    bypass(&cloud.cloud);
    let path = "/2019-09-30/functions/shop/provisioned-concurrency?Qualifier=1";
    send(&cloud.cloud, "PUT", path, &json!({ "ProvisionedConcurrentExecutions": 1 }));
    for (name, value) in [
        ("AWS_ENDPOINT_URL", cloud.cloud.url.as_str()),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "wavegate"),
        ("AWS_SECRET_ACCESS_KEY", "wavegate"),
        ("AWS_PAGER", ""),
    ] {
        project.set(name, value);
    }
    let told = doctor(&project, &[]).expect(3);
    assert_eq!(codes(&told), ["WG671", "WG671", "WG671", "WG673"], "{told}");
    let findings = told.json();
    let mut ran = 0;
    for finding in findings["findings"].as_array().unwrap() {
        for command in commands(finding["fix"].as_str().unwrap()) {
            let _ = project.tool("sh", &["-c", &command]).expect(0);
            ran += 1;
        }
    }
    assert_eq!(ran, 6, "{told}");
    let _ = doctor(&project, &[]).expect(0);
}

#[test]
fn versions_that_cannot_share_traffic_are_told_before_a_canary_finds_out() {
    let (project, cloud) = healthy();
    let dead =
        json!({ "DeadLetterConfig": { "TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead" } });
    send(&cloud.cloud, "PUT", &format!("{LAMBDA}/shop/configuration"), &dead);
    // Publishing is refused while the update is under way.
    let path = format!("{LAMBDA}/shop/versions");
    while cloud.cloud.send("POST", &path, "application/json", "{}").status == 409 {}
    let told = doctor(&project, &[]).expect(3);
    assert_eq!(codes(&told), ["WG672"], "{told}");
}

#[test]
fn concurrency_on_a_split_alias_is_told_with_the_split() {
    let (project, cloud) = healthy();
    let path = "/2019-09-30/functions/shop/provisioned-concurrency?Qualifier=live";
    send(&cloud.cloud, "PUT", path, &json!({ "ProvisionedConcurrentExecutions": 2 }));
    let _ = doctor(&project, &[]).expect(0);
    split(&cloud.cloud);
    let told = doctor(&project, &[]).expect(3);
    assert_eq!(codes(&told), ["WG665", "WG673"], "{told}");
}

#[test]
fn awss_own_detour_is_told_as_what_passes() {
    let (project, cloud) = healthy();
    let path = "/2019-09-30/functions/shop/provisioned-concurrency?Qualifier=live";
    send(&cloud.cloud, "PUT", path, &json!({ "ProvisionedConcurrentExecutions": 2 }));
    let moved = update(&cloud.cloud, "live", &json!({ "FunctionVersion": "1" }));
    assert_eq!(moved["RoutingConfig"]["AdditionalVersionWeights"], json!({ "2": 1.0 }));
    let told = doctor(&project, &[]).expect(0);
    // On a slow machine it may be over already.
    for finding in told.json()["findings"].as_array().unwrap() {
        assert_eq!((&finding["code"], &finding["severity"]), (&json!("WG673"), &json!("note")));
    }
}

#[test]
fn an_alias_on_latest_is_told_with_what_to_do() {
    let (project, cloud) = healthy();
    update(&cloud.cloud, "live", &json!({ "FunctionVersion": "$LATEST" }));
    let told = heal(&project).expect(3);
    assert_eq!(codes(&told), ["WG668"], "{told}");
    assert_eq!(cloud.cloud.alias("shop", "live").json()["FunctionVersion"], "$LATEST");
}

#[test]
fn a_release_goes_through_awss_detour() {
    let (project, cloud) = healthy();
    let path = "/2019-09-30/functions/shop/provisioned-concurrency?Qualifier=live";
    send(&cloud.cloud, "PUT", path, &json!({ "ProvisionedConcurrentExecutions": 2 }));
    set_message(&project, "shop", "three");
    let deployed = project.deploy().expect(0);
    assert_eq!(deployed.outcome(), "done", "{deployed}");
}
