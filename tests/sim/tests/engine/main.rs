//! The real engine and the real core against the local cloud's own model of Lambda, under virtual
//! time: what a release does to the cloud, how many calls it takes, and how long.

mod doctor;

use wavegate_core::release::Outcome;
use wavegate_core::spec::RollbackScope;
use wavegate_engine::event::Event;
use wavegate_engine::ports::Clock as _;
use wavegate_tests::app::{app, artifact, artifacts, layered, name};
use wavegate_tests::model::Stage;

const DIAMOND: &[(&str, &[&str])] = &[
    ("auth", &[]),
    ("cart", &["auth"]),
    ("pricing", &["auth"]),
    ("checkout", &["cart", "pricing"]),
];

#[tokio::test(start_paused = true)]
async fn a_first_deploy_takes_two_writes_per_function() {
    let stage = Stage::new(None);
    let spec = app(DIAMOND);
    let (outcome, _) = stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    assert_eq!(outcome, Outcome::Done);
    let writes = stage.cloud.writes();
    assert_eq!(writes["CreateFunction"], 4);
    // One alias each, and the lock.
    assert_eq!(writes["CreateAlias"], 5);
    for function in ["auth", "cart", "pricing", "checkout"] {
        assert_eq!(stage.cloud.live(function), ("1".to_owned(), None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deploy_of_nothing_makes_no_write_call() {
    let stage = Stage::new(None);
    let spec = app(DIAMOND);
    stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    let before = stage.cloud.writes();
    assert!(stage.release(&spec, &artifacts(&spec, "1")).await.is_none());
    assert_eq!(stage.cloud.writes(), before);
}

#[tokio::test(start_paused = true)]
async fn a_code_only_canary_takes_six_writes() {
    let stage = Stage::new(None);
    let spec = app(DIAMOND);
    stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    let before = stage.cloud.writes();
    let mut changed = artifacts(&spec, "1");
    changed.insert(name("cart"), artifact(&name("cart"), "2"));
    let began = stage.clock.now_ms();
    let (outcome, records) = stage.release(&spec, &changed).await.unwrap();
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(stage.cloud.live("cart"), ("2".to_owned(), None));
    assert_eq!(
        stage.cloud.live("auth"),
        ("1".to_owned(), None),
        "unchanged functions are left alone"
    );
    let after = stage.cloud.writes();
    let made =
        |op: &str| after.get(op).copied().unwrap_or(0) - before.get(op).copied().unwrap_or(0);
    assert_eq!(
        (made("UpdateFunctionCode"), made("PublishVersion"), made("CreateAlias")),
        (1, 0, 1)
    );
    let renewals = records.last().map(|last| last.elapsed_ms / 30_000).expect("records");
    // Of the function: claim, shift, promote, restore. Of the lock: take, barrier, close, and at
    // most one renewal in thirty seconds.
    assert!(made("UpdateAlias") >= 7);
    assert!(made("UpdateAlias") <= 7 + renewals, "{} in {renewals}", made("UpdateAlias"));
    let weights: Vec<u16> = records
        .iter()
        .filter_map(|record| match record.event {
            Event::Weight { actual_bp, .. } => Some(actual_bp),
            _ => None,
        })
        .collect();
    assert_eq!(weights, [1_000, 10_000]);
    let took = stage.clock.now_ms() - began;
    assert!(
        (660_000..720_000).contains(&took),
        "ten minutes, a minute of bake, and little else: {took}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_configuration_change_publishes_a_version() {
    let stage = Stage::new(None);
    let mut spec = app(DIAMOND);
    stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    spec.functions.get_mut(&name("cart")).unwrap().config.memory_mb = 256;
    let (outcome, _) = stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(stage.cloud.live("cart").0, "2");
    let mut both = spec.clone();
    both.functions.get_mut(&name("cart")).unwrap().config.timeout_s = 9;
    let mut changed = artifacts(&spec, "1");
    changed.insert(name("cart"), artifact(&name("cart"), "2"));
    stage.release(&both, &changed).await.unwrap();
    assert_eq!(stage.cloud.live("cart").0, "3", "code and configuration are one version");
    assert!(stage.release(&both, &changed).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_red_alarm_puts_the_whole_app_back() {
    let stage = Stage::new(None);
    let spec = app(DIAMOND);
    stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    stage.components.fire("checkout");
    let (outcome, records) = stage.release(&spec, &artifacts(&spec, "2")).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::RolledBack { reason } if reason.starts_with("checkout: alarm")),
        "{outcome:?}"
    );
    for function in ["auth", "cart", "pricing", "checkout"] {
        assert_eq!(stage.cloud.live(function), ("1".to_owned(), None), "{function}");
    }
    let back: Vec<&str> = records
        .iter()
        .filter_map(|record| match &record.event {
            Event::PutBack { function, .. } => Some(function.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(back.first(), Some(&"checkout"));
    assert_eq!(back.last(), Some(&"auth"));
    // Corrected, it goes out: Lambda gives the same code the same version again.
    stage.components.red.lock().unwrap().clear();
    let (outcome, _) = stage.release(&spec, &artifacts(&spec, "3")).await.unwrap();
    assert_eq!(outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn the_same_code_goes_out_again_after_it_was_put_back() {
    let stage = Stage::new(None);
    let spec = app(&[("auth", &[])]);
    stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    stage.components.fire("auth");
    stage.release(&spec, &artifacts(&spec, "2")).await.unwrap();
    assert_eq!(stage.cloud.live("auth").0, "1");
    stage.components.red.lock().unwrap().clear();
    let (outcome, _) = stage.release(&spec, &artifacts(&spec, "2")).await.unwrap();
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(stage.cloud.live("auth").0, "2");
}

#[tokio::test(start_paused = true)]
async fn the_scope_decides_what_stays() {
    let stage = Stage::new(None);
    let mut spec = app(DIAMOND);
    spec.rollback_scope = RollbackScope::Function;
    stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    stage.components.fire("checkout");
    stage.release(&spec, &artifacts(&spec, "2")).await.unwrap();
    assert_eq!(stage.cloud.live("checkout").0, "1");
    assert_eq!(stage.cloud.live("auth").0, "2");
}

#[tokio::test(start_paused = true)]
async fn a_hand_on_the_alias_is_respected() {
    let stage = Stage::new(None);
    let spec = app(&[("auth", &[]), ("cart", &[])]);
    stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    stage.release(&spec, &artifacts(&spec, "2")).await.unwrap();
    let cloud = std::sync::Arc::clone(&stage.cloud);
    let hand = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_mins(5)).await;
        // Neither the stable version nor the candidate.
        cloud.change_by_hand("auth", "1");
    });
    let (outcome, _) = stage.release(&spec, &artifacts(&spec, "3")).await.unwrap();
    hand.await.unwrap();
    assert!(matches!(outcome, Outcome::Stuck { .. }), "{outcome:?}");
    assert_eq!(stage.cloud.live("auth"), ("1".to_owned(), None), "never overwritten");
    assert_eq!(stage.cloud.live("cart"), ("2".to_owned(), None), "the others go back");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_functions_stay_inside_lambdas_quota() {
    let stage = Stage::new(Some(15));
    let spec = layered(100, 50);
    let began = stage.clock.now_ms();
    let (outcome, records) = stage.release(&spec, &artifacts(&spec, "1")).await.unwrap();
    assert_eq!(outcome, Outcome::Done);
    let took = stage.clock.now_ms() - began;
    let Some(Event::Finished { calls, .. }) = records.last().map(|record| &record.event) else {
        panic!("no end: {records:?}")
    };
    let control: u64 = calls.iter().filter(|(op, _)| *op != "GetFunction").map(|(_, n)| n).sum();
    let least_ms = control * 1_000 / 15;
    assert!(took <= least_ms * 11 / 10, "{took} ms for {control} calls, {least_ms} ms at best");
    assert_eq!(stage.cloud.throttled(), 0);
}

#[tokio::test(start_paused = true)]
async fn old_versions_go_and_the_one_just_replaced_stays() {
    let stage = Stage::new(None);
    let mut spec = app(&[("auth", &[])]);
    spec.keep_versions = 2;
    for revision in ["1", "2", "3", "4", "5"] {
        stage.release(&spec, &artifacts(&spec, revision)).await.unwrap();
    }
    let cloud: &dyn wavegate_engine::ports::Cloud = &*stage.cloud;
    let versions: Vec<u64> =
        cloud.list_versions(&name("auth")).await.unwrap().iter().map(|v| v.version.0).collect();
    assert_eq!(versions, [4, 5]);
}
