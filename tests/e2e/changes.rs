//! What a change is: configuration counts, values stay secret, and nothing costs nothing. And what
//! a release costs in calls, whatever the speed of the clock.

use std::collections::BTreeMap;

use wavegate_tests::binary::{Finished, Project};

use crate::app::{mini, set_message, set_strategy};
use crate::binomial::assert_split;

fn writes(calls: &BTreeMap<String, u64>) -> BTreeMap<&str, u64> {
    let writes = ["Create", "Update", "Put", "Publish", "Delete", "Tag"];
    let is_write = |name: &str| writes.iter().any(|write| name.contains(write));
    calls.iter().filter(|(name, _)| is_write(name)).map(|(n, count)| (n.as_str(), *count)).collect()
}

#[test]
fn a_deploy_of_nothing_makes_no_write_call() {
    let project = mini(&[("auth", &[]), ("shop", &["auth"])], "");
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    let before = cloud.cloud.calls();
    let nothing = project.deploy().expect(0);
    let after = cloud.cloud.calls();
    assert_eq!(writes(&after), writes(&before), "{nothing}");
    // Two reads for each of the two functions.
    let count = |calls: &BTreeMap<String, u64>| calls.values().sum::<u64>();
    assert_eq!(count(&after) - count(&before), 4, "{before:?} {after:?}");
}

#[test]
fn only_what_is_named_is_deployed() {
    let project = mini(&[("auth", &[]), ("shop", &["auth"])], "");
    let _cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    set_message(&project, "auth", "two");
    set_message(&project, "shop", "two");
    let one = project.run(&["deploy", "--yes", "--output", "json", "--only", "shop"]).expect(0);
    assert_eq!(one.functions("published"), ["shop"], "{one}");
    let status = project.status();
    assert_eq!((status.serves("auth"), status.serves("shop")), (Some(1), Some(2)), "{status:?}");
}

#[test]
fn a_change_of_memory_alone_publishes_and_the_plan_says_why() {
    let project = mini(&[("auth", &[]), ("shop", &["auth"])], "");
    let _cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    project.edit(
        "deploy.toml",
        "depends_on = [\"auth\"]\n",
        "depends_on = [\"auth\"]\nmemory = \"256MB\"\n",
    );
    let plan = project.run(&["plan"]).expect(0);
    assert!(plan.stdout.contains("memory") && plan.stdout.contains("256"), "{plan}");
    let changed = project.deploy().expect(0);
    assert_eq!(changed.functions("published"), ["shop"], "{changed}");
    let calls = changed.calls();
    assert!(calls.contains_key("UpdateFunctionConfiguration"), "{calls:?}");
    assert!(!calls.contains_key("UpdateFunctionCode"), "{calls:?}");
    assert_eq!(project.status().serves("shop"), Some(2));
    let nothing = project.run(&["plan"]).expect(0);
    assert!(nothing.stdout.contains("Nothing to change"), "{nothing}");
}

#[test]
fn a_change_of_a_secret_is_seen_and_its_value_is_not() {
    let secrets = ["canary-7f3a9c-one", "canary-7f3a9c-two"];
    let mut project = mini(&[("shop", &[])], "");
    project.edit(
        "deploy.toml",
        "depends_on = []\n",
        "environment = { TOKEN = \"${env:TOKEN}\" }\n",
    );
    project.set("TOKEN", secrets[0]);
    let mut runs = vec![project.run(&["deploy", "--yes", "--log", "trace"]).expect(0)];
    project.set("TOKEN", secrets[1]);
    let plan = project.run(&["plan", "--log", "trace"]).expect(0);
    assert!(plan.stdout.contains("TOKEN"), "{plan}");
    runs.push(plan);
    runs.push(project.run(&["plan", "--output", "json"]).expect(0));
    let changed = project.deploy().expect(0);
    assert_eq!(changed.functions("published"), ["shop"], "{changed}");
    runs.push(changed);
    runs.push(project.run(&["status", "--output", "json", "--log", "trace"]).expect(0));
    runs.push(project.run(&["rollback", "--yes", "--log", "trace"]).expect(0));

    for run in &runs {
        for secret in secrets {
            let lines = run.stdout.lines().chain(run.stderr.lines());
            let leak = lines.filter(|line| line.contains(secret)).collect::<Vec<_>>();
            assert!(leak.is_empty(), "{leak:#?}");
        }
    }
    let kept = project.kept();
    assert!(kept.iter().any(|(path, _)| path.ends_with("records.db")));
    for (path, bytes) in kept {
        // The cloud itself must know them, as Lambda does.
        if path.starts_with(project.path(".wavegate/local")) {
            continue;
        }
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

#[test]
fn requests_are_split_as_the_weight_says() {
    let project = mini(&[("shop", &[])], "");
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    set_strategy(&project, crate::app::LONG);
    set_message(&project, "shop", "two");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    let mut by_version = BTreeMap::<String, u64>::new();
    for _ in 0..600 {
        let answer = cloud.cloud.invoke("shop", "live");
        let version = answer.headers["x-amz-executed-version"].clone();
        // The version that the headers name is the one whose code ran.
        let said = answer.json();
        assert_eq!(said["version"], version.as_str());
        assert_eq!(said["message"], if version == "2" { "two" } else { "one" });
        *by_version.entry(version).or_default() += 1;
    }
    assert_eq!(by_version.values().sum::<u64>(), 600);
    assert_split(600, by_version["2"], 0.25);
    deploy.kill();
}

/// A ten-minute canary at that speed, on a cloud of its own.
fn ten_minutes(scale: u32) -> Finished {
    let project: Project = mini(&[("shop", &[])], "");
    project.edit("deploy.toml", "time_scale = 60", &format!("time_scale = {scale}"));
    let _ = project.deploy().expect(0);
    set_strategy(&project, "Canary10Percent10Minutes");
    set_message(&project, "shop", "two");
    project.deploy().expect(0)
}

#[test]
fn a_faster_clock_makes_no_more_calls() {
    let (slow, fast) = (ten_minutes(60), ten_minutes(600));
    for run in [&slow, &fast] {
        let calls = run.calls();
        let elapsed_s = run.end()["elapsed_ms"].as_u64().unwrap() / 1000;
        assert!(elapsed_s >= 600, "{run}");
        // What needs no time is the same at every speed.
        assert_eq!(calls["UpdateFunctionCode"], 1, "{calls:?}");
        assert_eq!(calls["CreateAlias"], 1, "{calls:?}");
        assert_eq!(calls["ListAliases"], 1, "{calls:?}");
        // Virtual time says how often the alias is looked at (every 15 s, and after each of two
        // changes of weight) and the lock is renewed (every 30 s, beside the four writes of the
        // function and the three of the lock), and looked at for requests in between.
        let looks = elapsed_s / 15 + elapsed_s / 30;
        assert!(calls["GetAlias"] <= looks + 4, "{elapsed_s} s: {calls:?}");
        assert!(calls["UpdateAlias"] <= elapsed_s / 30 + 8, "{elapsed_s} s: {calls:?}");
        // Until the version is active it is polled, by the release's clock: at a faster one the
        // start of an environment takes longer, and a few more fit in.
        assert!(calls["GetFunction"] <= 12, "{calls:?}");
    }
    // At sixty the machine keeps up: the schedule is met nearly to the call.
    let calls = slow.calls();
    assert!(calls["GetAlias"] >= 30 && calls["UpdateAlias"] >= 20, "{calls:?}");
}
