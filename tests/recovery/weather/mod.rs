//! Weather: a cloud that is slow, silent, wrong, or gone, and credentials and clocks that are. Where
//! nothing but the API failed, a release ends as it would have, or stands still and says so; it never
//! goes back for that alone.

mod clocks;
mod faults;
mod long;
mod slow;

use wavegate_tests::binary::Finished;
use wavegate_tests::proxy::{Call, Deed};

use crate::bench::Trial;
use crate::pair;

/// From the first weight of `auth` on, for so many minutes, `deed` is done with the calls that `which`
/// chooses.
fn storm(
    minutes: i64,
    which: impl Fn(&Call) -> bool + Send + 'static,
    deed: impl Fn() -> Deed + Send + 'static,
) -> impl FnMut(&Call) -> Deed + Send + 'static {
    let mut began = None;
    move |call| {
        let since = match began {
            None => {
                if call.name() == FIRST_WEIGHT {
                    began = Some(call.at_ms);
                }
                return Deed::pass();
            }
            Some(began) => call.at_ms - began,
        };
        if since < minutes * 60_000 && which(call) { deed() } else { Deed::pass() }
    }
}

/// The claim is the first change of the alias.
const FIRST_WEIGHT: &str = "UpdateAlias auth:live #2";

fn any(_: &Call) -> bool {
    true
}

/// A release through that weather, to its end; at least one call must have felt it.
fn release(trial: &Trial, plan: impl FnMut(&Call) -> Deed + Send + 'static) -> Finished {
    trial.proxy.arm(plan);
    let ended = trial.deploy();
    let bent = trial.proxy.bent();
    trial.proxy.disarm();
    assert!(!bent.is_empty(), "no weather\n{ended}");
    ended
}

/// Asserts that the release did what it was for, and nothing went back.
#[track_caller]
fn assert_done(trial: &Trial, ended: &Finished) {
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(ended.outcome(), "done", "{ended}");
    for kind in ["aborting", "put_back", "contested"] {
        assert!(ended.of(kind).is_empty(), "{ended}");
    }
    pair::assert_ended(trial, "2", "done", ended);
}

/// Asserts that the release failed and everything is as it was.
#[track_caller]
fn assert_back(trial: &Trial, ended: &Finished) {
    assert_eq!(ended.code, Some(1), "{ended}");
    assert_eq!(ended.outcome(), "rolled_back", "{ended}");
    pair::assert_ended(trial, "1", "rolled_back", ended);
}
