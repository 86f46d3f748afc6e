//! `watch`: from a second terminal, and from another machine.

use std::fs;

use nix::sys::signal::Signal;
use wavegate_tests::binary::{LocalCloud, Project, Running};

use crate::app::{LONG, set_message, set_strategy};
use crate::support::{alone, deploy, file, silently};

const WATCH: [&str; 3] = ["watch", "--output", "json"];

/// A release that stays at a quarter of the traffic.
fn in_mid_shift() -> (Project, LocalCloud, Running) {
    let (project, cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    set_strategy(&project, LONG);
    set_message(&project, "shop", "two");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    (project, cloud, deploy)
}

#[test]
fn with_nothing_running_the_last_outcome_is_shown() {
    let (project, _cloud) = alone();
    let never = project.run(&["watch"]).expect(0);
    assert!(never.stderr.contains("no release of mini is running, and none ever was"), "{never}");
    silently(&deploy(&project, "one").expect(0));
    let last = project.run(&["watch"]).expect(0);
    assert!(last.stderr.contains("no release of mini is running; the last one:"), "{last}");
    assert!(last.stdout.starts_with("mini r1: done, after "), "{last}");
    assert_eq!(project.run(&WATCH).expect(0).outcome(), "done");
    // The cloud knows it too, in fewer words.
    fs::remove_file(file(&project)).unwrap();
    let last = project.run(&["watch"]).expect(0);
    assert!(last.stdout.starts_with("mini r1: done, by tester@"), "{last}");
    assert_eq!(project.run(&WATCH).expect(0).outcome(), "done");
}

#[test]
fn a_second_terminal_sees_every_event_and_ends_with_the_release() {
    let (project, _cloud, deploy) = in_mid_shift();
    let mut watch = project.spawn(&WATCH);
    watch.wait_weight("shop", 2500);
    let mut lines = project.spawn(&["watch"]);
    lines.wait_talk("advance weight 0% -> 25%");
    deploy.signal(Signal::SIGINT);
    let ended = deploy.finish().expect(1);
    let watched = watch.finish().expect(1);
    assert!(watched.has_code("WG631"), "{watched}");
    assert_eq!(watched.stdout, ended.stdout);
    let lines = lines.finish().expect(1);
    assert!(lines.stdout.starts_with("mini r2: rolled back, after "), "{lines}");
}

#[test]
fn ctrl_c_ends_the_watching_and_not_the_release() {
    let (project, _cloud, deploy) = in_mid_shift();
    let mut watch = project.spawn(&WATCH);
    watch.wait_weight("shop", 2500);
    watch.signal(Signal::SIGINT);
    let stopped = watch.finish().expect(5);
    assert!(stopped.stderr.contains("the release goes on"), "{stopped}");
    assert_eq!(project.status().lock(), Some("running"));
    deploy.signal(Signal::SIGINT);
    let _ = deploy.finish().expect(1);
}

#[test]
fn another_machine_sees_what_the_cloud_says() {
    let (project, _cloud, deploy) = in_mid_shift();
    // Without records this is any machine.
    fs::remove_file(file(&project)).unwrap();
    let mut watch = project.spawn(&WATCH);
    watch.wait("the lock", |event| event["event"] == "locked" && event["epoch"] == 2);
    watch.wait_weight("shop", 2500);
    let mut lines = project.spawn(&["watch"]);
    lines.wait_talk("r2 of tester@");
    deploy.signal(Signal::SIGINT);
    let _ = deploy.finish().expect(1);
    watch.wait("the way back", |event| event["event"] == "put_back" && event["to"] == 1);
    let watched = watch.finish().expect(1);
    assert_eq!(watched.outcome(), "rolled_back", "{watched}");
    assert_eq!(watched.end()["aliases"]["shop"], "version 1");
    assert!(lines.finish().expect(1).has_code("WG631"));
}

#[test]
fn another_machine_sees_who_pauses_and_why() {
    let (project, _cloud, deploy) = in_mid_shift();
    fs::remove_file(file(&project)).unwrap();
    let mut watch = project.spawn(&WATCH);
    watch.wait_weight("shop", 2500);
    let _ = project.run(&["pause", "--reason", "looks odd"]).expect(0);
    watch.wait("the pause", |event| event["event"] == "ordered" && event["verb"] == "pause");
    let _ = project.run(&["resume"]).expect(0);
    watch.wait("the end of it", |event| event["event"] == "ordered" && event["verb"] == "resume");
    let _ = project.run(&["abort", "--reason", "enough"]).expect(0);
    let _ = deploy.finish().expect(1);
    let watched = watch.finish().expect(1);
    assert_eq!(watched.outcome(), "rolled_back", "{watched}");
}

#[test]
fn a_dead_owner_is_told_and_its_rollback_is_followed() {
    let (project, _cloud, deploy) = in_mid_shift();
    let mut here = project.spawn(&["watch"]);
    here.wait_talk("advance weight 0% -> 25%");
    deploy.kill();
    here.wait_talk("its owner has said nothing for a whole lease");
    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    assert_eq!(back.outcome(), "rolled_back");
    let watched = here.finish().expect(1);
    assert!(watched.has_code("WG631"), "{watched}");
    assert!(watched.stderr.contains("release rolled back after"), "{watched}");
}

#[test]
fn a_release_that_goes_well_is_watched_to_a_zero() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    set_strategy(&project, "Canary25Percent5Minutes");
    set_message(&project, "shop", "two");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    let watch = project.spawn(&WATCH);
    let ended = deploy.finish().expect(0);
    let watched = watch.finish().expect(0);
    assert_eq!(watched.outcome(), "done");
    assert_eq!(watched.stdout.lines().last(), ended.stdout.lines().last());
}
