//! Who owns a release, and what happens when the owner stops, dies or is not the only one.

use nix::sys::signal::Signal;
use serde_json::json;
use wavegate_tests::binary::{Finished, LocalCloud, Project, Running, wavegate};

use crate::app::{LONG, mini, set_message, set_strategy};

const PAIR: &[(&str, &[&str])] = &[("auth", &[]), ("shop", &["auth"])];

/// `auth` is promoted at once and done; `shop` stays at a quarter of the traffic.
fn in_mid_shift(rest: &str) -> (Project, LocalCloud, Running) {
    let project = mini(PAIR, rest);
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    project.edit(
        "deploy.toml",
        "depends_on = [\"auth\"]\n",
        &format!("depends_on = [\"auth\"]\nstrategy = \"{LONG}\"\n"),
    );
    for function in ["auth", "shop"] {
        set_message(&project, function, "two");
    }
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    (project, cloud, deploy)
}

fn assert_is_back(project: &Project) {
    let status = project.status();
    assert_eq!((status.serves("auth"), status.serves("shop")), (Some(1), Some(1)), "{status:?}");
    assert_eq!(status.lock(), Some("rolled_back"), "{status:?}");
}

#[test]
fn a_second_deploy_is_refused_and_names_the_owner() {
    let (project, _cloud, mut deploy) = in_mid_shift("");
    let second = project.deploy().expect(3);
    assert!(second.has_code("WG401"), "{second}");
    assert!(second.stderr.contains("tester@"), "{second}");
    assert!(second.events.is_empty(), "{second}");
    // The first goes on as if nothing had been.
    let status = project.status();
    assert_eq!(status.lock(), Some("running"));
    assert_eq!(status.function("shop")["extra"], json!({ "version": 2, "weight_bp": 2500 }));
    deploy.signal(Signal::SIGINT);
    deploy.wait_event("put_back", "shop");
    let _ = deploy.finish().expect(1);
}

fn interrupted(signal: Signal) {
    let (project, _cloud, deploy) = in_mid_shift("");
    deploy.signal(signal);
    let ended = deploy.finish().expect(1);
    assert!(ended.has_code("WG631"), "{ended}");
    assert_eq!(ended.outcome(), "rolled_back", "{ended}");
    // The one in mid-shift first, then what it depends on.
    assert_eq!(ended.functions("put_back"), ["shop", "auth"], "{ended}");
    assert_is_back(&project);
}

#[test]
fn ctrl_c_in_mid_shift_puts_everything_back() {
    interrupted(Signal::SIGINT);
}

#[test]
fn sigterm_in_mid_shift_puts_everything_back() {
    interrupted(Signal::SIGTERM);
}

fn assert_says_each_alias(ended: &Finished) {
    assert!(ended.has_code("WG637"), "{ended}");
    for function in ["auth", "shop"] {
        assert!(ended.stderr.contains(&format!("  {function}: version ")), "{ended}");
    }
}

#[test]
fn a_second_ctrl_c_stops_at_once_and_rollback_finishes_the_work() {
    // A hook that is asked on the way back and does not answer: there is time for a second Ctrl-C.
    let hook = "[hooks.slow]\nuse = \"command\"\ncommand = [\"sh\", \"-c\", \"exec sleep \
                1000\"]\ntimeout = \"100h\"\n";
    let project = mini(PAIR, hook);
    let _cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    project.edit(
        "deploy.toml",
        "depends_on = [\"auth\"]\n",
        &format!(
            "depends_on = [\"auth\"]\nstrategy = \"{LONG}\"\nhooks = {{ on_rollback = [\"slow\"] }}\n"
        ),
    );
    for function in ["auth", "shop"] {
        set_message(&project, function, "two");
    }
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    deploy.signal(Signal::SIGINT);
    deploy.wait_event("hook", "shop");
    deploy.signal(Signal::SIGINT);
    let ended = deploy.finish().expect(5);
    assert_says_each_alias(&ended);

    let status = project.status();
    assert_eq!(status.lock(), Some("aborting"), "{status:?}");
    project.edit("deploy.toml", "exec sleep 1000", "true");
    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    assert_eq!(back.outcome(), "rolled_back", "{back}");
    assert_is_back(&project);
}

#[test]
fn after_kill_9_status_says_so_deploy_is_refused_and_rollback_takes_over() {
    let (project, _cloud, deploy) = in_mid_shift("");
    let killed = deploy.kill();
    assert_eq!(killed.signal, Some(9));

    let status = project.status();
    assert_eq!(status.lock(), Some("running"), "{status:?}");
    assert_eq!(status.function("shop")["extra"], json!({ "version": 2, "weight_bp": 2500 }));
    let words = project.run(&["status"]).expect(0).stdout;
    assert!(words.contains("r2 is running (owner tester@"), "{words}");
    assert!(words.contains("25% of traffic on v2"), "{words}");
    let refused = project.deploy().expect(3);
    assert!(refused.has_code("WG401") && refused.stderr.contains("wavegate recover"), "{refused}");

    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    assert_eq!(back.outcome(), "rolled_back", "{back}");
    // Not before the lease is over: the owner may only be slow.
    let waited = back.end()["elapsed_ms"].as_u64().unwrap();
    assert!(waited >= 90_000, "{waited} ms\n{back}");
    assert_is_back(&project);
    // The app can be released again.
    set_strategy(&project, "AllAtOnce");
    let again = project.deploy().expect(0);
    assert_eq!(again.outcome(), "done", "{again}");
}

#[test]
fn kill_9_with_the_cloud_inside_loses_nothing_that_was_promised() {
    let project = mini(PAIR, "");
    let _ = project.deploy().expect(0);
    set_strategy(&project, LONG);
    set_message(&project, "shop", "two");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    deploy.kill();
    let status = project.status();
    assert_eq!(status.function("shop")["extra"], json!({ "version": 2, "weight_bp": 2500 }));
    let _ = project.run(&["rollback", "--yes"]).expect(0);
    assert_is_back(&project);
}

#[test]
fn a_suspended_owner_that_wakes_up_writes_nothing() {
    let (project, cloud, deploy) = in_mid_shift("");
    deploy.signal(Signal::SIGSTOP);
    let _ = project.run(&["rollback", "--yes"]).expect(0);
    assert_is_back(&project);
    let updates = cloud.cloud.calls()["UpdateAlias"];

    deploy.signal(Signal::SIGCONT);
    let woken = deploy.finish().expect(4);
    assert!(woken.has_code("WG636"), "{woken}");
    assert_eq!(woken.outcome(), "fenced", "{woken}");
    // It tries to renew its lock, and that is refused.
    assert!(cloud.cloud.calls()["UpdateAlias"] <= updates + 1, "{woken}");
    assert_is_back(&project);
}

#[test]
fn of_deploys_that_begin_together_one_wins() {
    let project = mini(PAIR, "");
    let _cloud = project.start_cloud(&[]);
    for release in 1..=2 {
        let deploys: Vec<Running> = (0..3).map(|_| project.begin_deploy()).collect();
        let ended: Vec<Finished> = deploys.into_iter().map(Running::finish).collect();
        let count = |code| ended.iter().filter(|ended| ended.code == Some(code)).count();
        // Who comes when all is over finds nothing to do.
        let done = ended.iter().filter(|e| e.events.last().is_some_and(|e| e["outcome"] == "done"));
        assert_eq!(done.count(), 1, "{ended:#?}");
        assert_eq!(count(0) + count(3), 3, "{ended:#?}");
        let status = project.status();
        let serves = (status.serves("auth"), status.serves("shop"));
        assert_eq!(serves, (Some(release), Some(release)), "{status:?}");
        set_message(&project, "auth", "two");
        set_message(&project, "shop", "two");
    }
}

#[test]
fn a_reader_that_goes_away_stops_no_release() {
    let project = mini(PAIR, "");
    let _cloud = project.start_cloud(&[]);
    let deploy = format!("'{}' deploy --yes --output json | head -n 1", wavegate().display());
    let ended = project.tool("sh", &["-c", &deploy]).expect(0);
    assert_eq!(ended.events.len(), 1, "{ended}");
    let status = project.status();
    assert_eq!((status.serves("auth"), status.serves("shop")), (Some(1), Some(1)), "{status:?}");
    assert_eq!(status.lock(), Some("done"));
}

#[test]
fn an_outage_that_lasts_ends_with_what_a_person_must_do() {
    let project = mini(PAIR, "");
    project.edit("deploy.toml", "time_scale = 60", "time_scale = 600");
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    set_strategy(&project, LONG);
    set_message(&project, "shop", "two");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    cloud.kill();
    let given_up = deploy.finish().expect(4);
    assert!(given_up.has_code("WG634"), "{given_up}");
    assert!(given_up.stderr.contains("hint: ") && given_up.stderr.contains("shop"), "{given_up}");

    let _cloud = project.start_cloud(&[]);
    let status = project.status();
    assert_eq!(status.function("shop")["extra"], json!({ "version": 2, "weight_bp": 2500 }));
    let _ = project.run(&["rollback", "--yes"]).expect(0);
    assert_is_back(&project);
}

#[test]
fn ctrl_c_before_any_traffic_moved_leaves_everything_as_it_was() {
    let hook =
        "[hooks.slow]\nuse = \"command\"\ncommand = [\"sleep\", \"1000\"]\ntimeout = \"100h\"\n";
    let project = mini(PAIR, hook);
    let _cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    project.edit(
        "deploy.toml",
        "depends_on = [\"auth\"]\n",
        "depends_on = [\"auth\"]\nhooks = { pre_traffic = [\"slow\"] }\n",
    );
    set_message(&project, "shop", "two");
    let mut deploy = project.begin_deploy();
    deploy.wait_event("hook", "shop");
    deploy.signal(Signal::SIGINT);
    let ended = deploy.finish().expect(1);
    assert!(ended.of("weight").is_empty(), "{ended}");
    assert_is_back(&project);
}

#[test]
fn an_alias_changed_by_somebody_else_is_left_alone_and_said() {
    let (project, cloud, deploy) = in_mid_shift("");
    let cloud = &cloud.cloud;
    let theirs = json!({ "FunctionVersion": "2", "Description": "hotfix by ana",
        "RoutingConfig": { "AdditionalVersionWeights": {} } });
    cloud.update_alias("shop", "live", &theirs).json();

    let ended = deploy.finish().expect(4);
    assert!(ended.has_code("WG634"), "{ended}");
    let contested = ended.about("contested", "shop");
    assert_eq!(contested.len(), 1, "{ended}");
    let now = contested[0]["now"].as_str().unwrap();
    assert!(now.contains("version 2 alone"), "{now}");
    assert!(ended.stderr.contains("shop"), "{ended}");

    // Theirs is as they left it; what the release promoted is back.
    let live = cloud.alias("shop", "live").json();
    assert_eq!(live["FunctionVersion"], "2", "{live}");
    assert_eq!(live["Description"], "hotfix by ana", "{live}");
    assert_eq!(project.status().serves("auth"), Some(1));
}

#[test]
fn without_local_records_the_cloud_alone_tells_what_to_do() {
    // The cloud and its state live elsewhere, as AWS does; ours forgets everything.
    let mut project = mini(PAIR, "");
    let state = project.outside("cloud").display().to_string();
    let elsewhere = project.start_cloud(&["--state", &state]);
    project.use_as_aws(&elsewhere.cloud);
    let forget = || std::fs::remove_dir_all(project.path(".wavegate")).unwrap();
    let _ = project.deploy().expect(0);
    forget();

    // Nothing changed: nothing is done, and that is known without any record.
    let _ = project.deploy().expect(0);
    set_message(&project, "shop", "two");
    let second = project.deploy().expect(0);
    assert_eq!(second.functions("published"), ["shop"], "{second}");
    assert_eq!(second.end()["number"], 2, "{second}");
    forget();

    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    assert_eq!(back.functions("weight"), ["shop"], "{back}");
    let status = project.status();
    assert_eq!((status.serves("auth"), status.serves("shop")), (Some(1), Some(1)), "{status:?}");
}
