//! A deployment is followed to its end, whatever the weather.

use wavegate_core::release::limits;

use super::*;

#[tokio::test(start_paused = true)]
async fn every_change_is_told_once() {
    let mut bench = bench();
    bench.delegate();
    let (events, result, took) = bench.answer().await;
    assert_eq!(result, Ok(()));
    assert!(took >= Duration::from_mins(5) && took <= Duration::from_mins(5) + limits::POLL);
    assert_eq!(statuses(&events, "deployment"), ["InProgress", "Succeeded"]);
    assert_eq!(statuses(&events, "AllowTraffic"), ["InProgress", "Succeeded"]);
    let weights = events.iter().filter_map(|event| match event {
        Event::Weight { before_bp, set_bp, bake_ms, .. } => Some((*before_bp, *set_bp, *bake_ms)),
        _ => None,
    });
    let weights: Vec<_> = weights.collect();
    assert_eq!(weights, [(0, 1000, Some(420_000)), (1000, 10_000, None)]);
    // One look every fifteen seconds, and the one at the start.
    assert_eq!(bench.calls("BatchGetDeploymentTargets"), 21);
}

#[tokio::test(start_paused = true)]
async fn weather_is_no_end_and_blindness_is() {
    for (minutes, is_blind) in [(9, false), (60, true)] {
        let mut bench = bench();
        bench.fake.state().course.takes = Duration::from_mins(20);
        bench.delegate();
        bench.pause(Duration::from_mins(1)).await;
        let until_ms = bench.driver.context.now_ms() + minutes * 60_000;
        bench.fake.state().down_until_ms = until_ms;
        let (_, result, _) = bench.answer().await;
        match result {
            Ok(()) => assert!(!is_blind),
            Err(why) => {
                assert!(is_blind, "{why}");
                assert!(why.contains("d-1 could not be seen for 10m"), "{why}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_when_codedeploy_has_put_it_back() {
    let mut bench = bench();
    let (late, takes) = (Duration::from_secs(5), Duration::from_mins(3));
    bench.fake.state().course = failing(late, takes);
    bench.delegate();
    let (events, result, took) = bench.answer().await;
    let expected = "CodeDeploy's deployment d-1 failed; TIMEOUT: too late; AllowTraffic failed; its \
                    rollback d-1-back succeeded";
    assert_eq!(result, Err(expected.to_owned()));
    assert!(took >= late + takes, "{took:?}");
    assert_eq!(statuses(&events, "rollback"), ["InProgress", "Succeeded"]);
    let last = events.iter().rev().find_map(|event| match event {
        Event::Weight { set_bp, .. } => Some(*set_bp),
        _ => None,
    });
    assert_eq!(last, Some(0), "the traffic is back");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_does_not_end_is_not_waited_for_for_ever() {
    let mut bench = bench();
    bench.fake.state().course = failing(Duration::ZERO, Duration::from_hours(5));
    bench.delegate();
    let (_, result, took) = bench.answer().await;
    let why = result.unwrap_err();
    assert!(why.ends_with("its rollback d-1-back is still InProgress after 30m"), "{why}");
    assert!(took > limits::BACK && took < limits::BACK + Duration::from_mins(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn when_work_stops_following_stops_in_silence_and_the_deployment_goes_on() {
    let mut bench = bench();
    bench.delegate();
    bench.pause(Duration::from_mins(1)).await;
    bench.driver.context.work.cancel();
    bench.pause(Duration::from_mins(10)).await;
    while let Ok(told) = bench.driver.told.try_recv() {
        assert!(matches!(told, Told::Event(_)), "{told:?}");
    }
    assert_eq!(bench.calls("StopDeployment"), 0);
    assert!(bench.calls("BatchGetDeploymentTargets") < 10);
}
