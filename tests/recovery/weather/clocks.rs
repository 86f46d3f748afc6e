//! Machines that stop for a while, and clocks that jump.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use wavegate_tests::binary::{Running, has_tool};
use wavegate_tests::proxy::{Deed, Fault, Proxy};

use super::assert_done;
use crate::bench::Trial;
use crate::pair;

/// A minute is a second.
const TIME_SCALE: f64 = 60.0;

/// Longer than a lease, and than what a taker waits on top of it.
const ASLEEP: Duration = Duration::from_mins(4);

fn in_mid_shift(bake: &str) -> (Trial, Running) {
    let trial = pair::prepared(TIME_SCALE, bake).copy();
    trial.proxy.arm(|_| Deed::pass());
    let mut deploy = trial.begin_deploy();
    deploy.wait_weight("auth", 1000);
    (trial, deploy)
}

#[test]
fn a_machine_that_slept_through_its_lease_goes_on_when_nobody_came() {
    let (trial, deploy) = in_mid_shift("2m");
    deploy.signal(Signal::SIGSTOP);
    trial.cloud.pass(ASLEEP);
    deploy.signal(Signal::SIGCONT);
    let ended = deploy.finish();
    assert_done(&trial, &ended);
}

#[test]
fn a_machine_that_slept_while_somebody_recovered_writes_nothing() {
    let (trial, deploy) = in_mid_shift("100h");
    deploy.signal(Signal::SIGSTOP);
    // Somebody else has a way to the cloud of his own, so that the log tells the two apart.
    let other = Proxy::start(&trial.cloud.direct.url, trial.cloud.clock());
    trial.sign.turn(&trial.cloud.record_at(&other.url));
    let back = trial.project.run(&["recover", "--yes", "--output", "json"]).expect(0);
    pair::assert_ended(&trial, "1", "rolled_back", &back);

    let before = trial.proxy.log().len();
    deploy.signal(Signal::SIGCONT);
    let woken = deploy.finish().expect(4);
    assert_eq!(woken.outcome(), "fenced", "{woken}");
    assert!(woken.has_code("WG636"), "{woken}");
    let since = trial.proxy.log().split_off(before);
    let written = since
        .iter()
        .filter(|entry| entry.call.is_write() && entry.statuses.iter().any(|status| *status < 300));
    assert_eq!(written.count(), 0, "{since:#?}");
    pair::assert_ended(&trial, "1", "rolled_back", &woken);
}

/// Says where the library is that fakes the wall clock.
const FIND_FAKETIME: &str = "import importlib.util, pathlib; \
     package = pathlib.Path(importlib.util.find_spec('libfaketime').origin).parent; \
     print(next(package.rglob('libfaketime.so.1')))";

/// Sets the wall clock of the processes that this trial starts, and nothing else's.
fn set_wall_clock(trial: &Trial, offset: &str) {
    let new = trial.project.outside("wall-clock.new");
    std::fs::write(&new, offset).expect("a file");
    std::fs::rename(new, trial.project.outside("wall-clock")).expect("a file");
}

#[test]
fn a_wall_clock_that_jumps_changes_nothing() {
    if !has_tool("libfaketime, for a wall clock that jumps", &["python3", "-c", FIND_FAKETIME]) {
        return;
    }
    // As on AWS, where the clock is this machine's own and not the local cloud's.
    let mut trial = pair::prepared(1.0, "5s").copy();
    let found = trial.project.tool("python3", &["-c", FIND_FAKETIME]).expect(0).stdout;
    let clock = trial.project.outside("wall-clock").display().to_string();
    set_wall_clock(&trial, "+0");
    let url = trial.proxy.url.clone();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "wavegate"),
        ("AWS_SECRET_ACCESS_KEY", "wavegate"),
        ("AWS_REGION", "us-east-1"),
        ("LD_PRELOAD", found.trim()),
        ("FAKETIME_TIMESTAMP_FILE", clock.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ] {
        trial.project.set(name, value);
    }
    trial.project.edit("deploy.toml", "target = \"local\"", "target = \"aws\"");
    let role = "[defaults]\nrole = \"arn:aws:iam::000000000000:role/wavegate-local\"\n";
    trial.project.edit("deploy.toml", "[defaults]\n", role);

    // AWS refuses what is signed a day off; what is signed on the right day passes.
    let mut today = None;
    trial.proxy.arm(move |call| {
        let day = call.signed_at.get(..8).unwrap_or_default().to_owned();
        let today = today.get_or_insert_with(|| day.clone());
        if *today == day { Deed::pass() } else { Fault::Skewed.deed() }
    });
    let mut deploy = trial.begin_deploy();
    deploy.wait_weight("auth", 1000);
    for offset in ["+2d", "-3d"] {
        set_wall_clock(&trial, offset);
        trial.cloud.pass(Duration::from_secs(8));
    }
    set_wall_clock(&trial, "+0");
    let ended = deploy.finish();
    let log = trial.proxy.disarm();
    let days: BTreeSet<&str> = log.iter().filter_map(|e| e.call.signed_at.get(..8)).collect();
    assert!(days.len() >= 3, "the clock did not jump: {days:?}\n{ended}");
    assert_done(&trial, &ended);
}
