//! Weather that lasts.

use wavegate_tests::proxy::{Call, Deed, Fault, Proxy, Reply};

use super::{any, assert_back, assert_done, release, storm};
use crate::pair;

/// A minute is a second.
const TIME_SCALE: f64 = 60.0;

/// A release whose shifts last this long, in that weather: it ends as if nothing had been.
fn passes(bake: &str, plan: impl FnMut(&Call) -> Deed + Send + 'static) {
    let trial = pair::prepared(TIME_SCALE, bake).copy();
    let ended = release(&trial, plan);
    assert_done(&trial, &ended);
}

#[test]
fn five_minutes_of_429_end_no_release() {
    let mut odd = false;
    let mut throttled = storm(5, any, || Fault::Throttled.deed());
    // Every second call is told when to come again.
    passes("2m", move |call| {
        let deed = throttled(call);
        odd = !odd;
        if odd && !deed.is_plain() { Fault::ThrottledWait.deed() } else { deed }
    });
}

#[test]
fn a_write_that_fails_with_5xx_and_was_not_applied_is_sent_again() {
    let deed = |nth: usize| if nth % 4 == 1 { Fault::Refused500 } else { Fault::Refused503 };
    passes("30s", move |call| {
        if call.is_write() && call.nth % 2 == 1 { deed(call.nth).deed() } else { Deed::pass() }
    });
}

#[test]
fn a_write_that_fails_with_5xx_and_was_applied_is_found() {
    passes("30s", |call| {
        if call.is_write() && call.nth % 2 == 1 { Fault::Applied500.deed() } else { Deed::pass() }
    });
}

#[test]
fn a_network_that_cuts_every_second_write_before_or_after_it_is_applied_is_survived() {
    passes("30s", |call| match (call.is_write(), call.nth % 4) {
        (true, 1) => Fault::CutAfter.deed(),
        (true, 3) => Fault::CutBefore.deed(),
        _ => Deed::pass(),
    });
}

#[test]
fn a_network_that_repeats_every_write_applies_each_once() {
    passes("30s", |call| if call.is_write() { Fault::Twice.deed() } else { Deed::pass() });
}

#[test]
fn reads_that_are_twenty_seconds_old_are_nobodys_edit() {
    passes("2m", |call| match call.operation.as_str() {
        "GetAlias" => Fault::Stale.deed(),
        _ => Deed::pass(),
    });
}

#[test]
fn credentials_that_expire_in_mid_release_are_waited_for() {
    passes("1m", storm(3, any, || Fault::ExpiredToken.deed()));
}

#[test]
fn credentials_that_expire_while_versions_are_prepared_are_waited_for() {
    let mut began = None;
    passes("30s", move |call| {
        if call.operation == "UpdateFunctionCode" {
            began.get_or_insert(call.at_ms);
        }
        match began {
            Some(began) if call.at_ms - began < 60_000 => Fault::ExpiredToken.deed(),
            _ => Deed::pass(),
        }
    });
}

#[test]
fn a_clock_that_aws_refuses_for_a_while_is_no_denial() {
    passes("1m", storm(3, any, || Fault::Skewed.deed()));
}

#[test]
fn a_network_that_is_away_for_ten_minutes_in_mid_bake_ends_no_release() {
    passes("2m", storm(10, any, || Fault::CutBefore.deed()));
}

#[test]
fn a_captive_portal_answers_for_nobody() {
    passes("1m", storm(3, any, || Fault::Html.deed()));
}

#[test]
fn reads_without_writes_and_writes_without_reads_are_waited_out() {
    passes("1m", storm(3, Call::is_write, || Fault::Refused503.deed()));
    passes("1m", storm(3, |call| !call.is_write(), || Fault::Refused503.deed()));
}

#[test]
fn answers_of_any_size_and_shape_are_not_taken_for_success() {
    for fault in [Fault::Oversize, Fault::Empty, Fault::Malformed] {
        passes("1m", storm(2, any, move || fault.deed()));
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let trial = pair::prepared(TIME_SCALE, "1m").copy();
    let elsewhere = Proxy::start(&trial.cloud.direct.url, trial.cloud.clock());
    elsewhere.arm(|_| Deed::pass());
    let location = format!("{}/2015-03-31/functions/auth/aliases/live", elsewhere.url);
    let ended = release(
        &trial,
        storm(2, any, move || {
            let mut deed = Fault::Redirect.deed();
            if let Reply::Another(canned) = &mut deed.reply {
                canned.headers.retain(|(name, _)| *name != "location");
                canned.headers.push(("location", location.clone()));
            }
            deed
        }),
    );
    assert_done(&trial, &ended);
    assert!(elsewhere.log().is_empty(), "{:#?}", elsewhere.log());
}

#[test]
fn alarms_that_cannot_be_read_for_a_while_end_no_release() {
    passes("1m", storm(4, Call::is_cloudwatch, || Fault::Refused503.deed()));
}

#[test]
fn alarms_that_cannot_be_read_for_longer_than_the_limit_are_a_failure() {
    for fault in [Fault::Refused503, Fault::CutBefore, Fault::Html, Fault::ExpiredToken] {
        let trial = pair::prepared(TIME_SCALE, "1m").copy();
        let plan = storm(60, Call::is_cloudwatch, move || fault.deed());
        let ended = release(&trial, plan);
        assert_back(&trial, &ended);
        assert!(ended.stderr.contains("alarm"), "{fault:?}: {ended}");
    }
}

#[test]
fn a_denial_in_mid_release_goes_back_with_what_is_still_allowed() {
    let trial = pair::prepared(TIME_SCALE, "1m").copy();
    let is_promotion = |name: &str| name == "UpdateAlias auth:live #3";
    let ended = release(&trial, move |call| {
        if is_promotion(&call.name()) { Fault::Denied.deed() } else { Deed::pass() }
    });
    assert_back(&trial, &ended);
}

#[test]
fn a_denial_of_everything_says_what_a_person_must_do() {
    let trial = pair::prepared(TIME_SCALE, "1m").copy();
    let ended = release(&trial, storm(600, Call::is_write, || Fault::Denied.deed()));
    assert_eq!(ended.code, Some(4), "{ended}");
    assert!(ended.stderr.contains("auth"), "{ended}");
    assert!(ended.stderr.contains("wavegate r"), "{ended}");
    // Once it is allowed again, one command mends it.
    let back = trial.project.run(&["recover", "--yes", "--output", "json"]).expect(0);
    pair::assert_ended(&trial, "1", "rolled_back", &back);
}
