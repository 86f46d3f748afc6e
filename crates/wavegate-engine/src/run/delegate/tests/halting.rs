//! After a halt nothing of the release is under way.

use wavegate_core::release::limits;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_deployment_is_stopped_and_its_rollback_waited_for() {
    let mut bench = bench();
    let (late, takes) = (Duration::from_secs(8), Duration::from_mins(4));
    bench.fake.state().course = stoppable((late, takes));
    bench.delegate();
    bench.pause(Duration::from_mins(1)).await;
    bench.driver.context.work.cancel();
    bench.halt();
    let (events, result, took) = bench.answer().await;
    assert_eq!(result, Ok(()));
    assert!(took >= late + takes, "{took:?}");
    assert_eq!(statuses(&events, "rollback"), ["InProgress", "Succeeded"]);
    assert_eq!(bench.calls("StopDeployment"), 1, "what puts back is not stopped");
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_owner_asked_for_last_is_stopped_as_well() {
    let mut bench = bench();
    bench.fake.state().course = stoppable((Duration::ZERO, Duration::from_mins(1)));
    let late = bench.fake.begin("d-5", TAG);
    let at_ms = bench.driver.context.now_ms() + 6_000;
    bench.fake.state().late = Some((at_ms, late));
    bench.halt();
    assert_eq!(bench.answer().await.1, Ok(()));
    assert!(bench.fake.state().made[0].stopped_ms.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_creation_of_this_process_is_answered_for_before_anything_is_believed() {
    let mut bench = bench();
    bench.fake.state().creation = Duration::from_secs(25);
    bench.fake.state().course = stoppable((Duration::ZERO, Duration::from_mins(1)));
    bench.delegate();
    bench.pause(Duration::from_secs(1)).await;
    bench.driver.context.work.cancel();
    bench.halt();
    assert_eq!(bench.answer().await.1, Ok(()));
    let state = bench.fake.state();
    assert!(state.made[0].stopped_ms.is_some());
    assert_eq!(state.made[1].puts_back.as_deref(), Some("d-1"));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_it_is_looked_twice() {
    let mut bench = bench();
    bench.halt();
    let (_, result, took) = bench.answer().await;
    assert_eq!((result, took), (Ok(()), super::super::LATE));
    assert_eq!(bench.calls("ListDeployments"), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_manifest_the_account_is_searched_and_nobody_elses_is_touched() {
    let mut bench = bench_with(None);
    bench.fake.state().course = stoppable((Duration::ZERO, Duration::ZERO));
    let begun = [
        ("d-1", "by hand"),
        ("d-2", "wavegate1:0000000000002:auth:18"),
        ("d-3", "wavegate1:0000000000001:other:18"),
        ("d-4", TAG),
    ];
    let begun = begun.map(|(id, description)| bench.fake.begin(id, description));
    bench.fake.state().made.extend(begun);
    bench.halt();
    assert_eq!(bench.answer().await.1, Ok(()));
    let state = bench.fake.state();
    let stopped = state.made.iter().filter(|made| made.stopped_ms.is_some());
    let stopped: Vec<_> = stopped.map(|made| made.id.as_str()).collect();
    assert_eq!(stopped, ["d-4"]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_is_under_way_already_is_waited_for() {
    let mut bench = bench_with(None);
    bench.fake.state().course = failing(Duration::ZERO, Duration::from_mins(4));
    let made = bench.fake.begin("d-1", TAG);
    bench.fake.state().made.push(made);
    bench.halt();
    let (_, result, took) = bench.answer().await;
    assert_eq!(result, Ok(()));
    assert!(took >= Duration::from_mins(4), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_halt_gives_up_after_half_an_hour_and_says_who_is_busy() {
    let mut bench = bench();
    bench.fake.state().course = stoppable((Duration::ZERO, Duration::from_hours(9)));
    let made = bench.fake.begin("d-1", TAG);
    bench.fake.state().made.push(made);
    bench.halt();
    let (_, result, took) = bench.answer().await;
    assert_eq!(result, Err("CodeDeploy is still busy after 30m: d-1-back".to_owned()));
    assert!(took > limits::BACK && took < limits::BACK + Duration::from_mins(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_halt_goes_on_when_the_weather_clears() {
    let mut bench = bench();
    bench.fake.state().down_until_ms = bench.driver.context.now_ms() + 20 * 60_000;
    bench.halt();
    assert_eq!(bench.answer().await.1, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_was_not_heard_is_told_again() {
    let mut bench = bench();
    bench.fake.state().course = stoppable((Duration::ZERO, Duration::ZERO));
    let made = bench.fake.begin("d-1", TAG);
    bench.fake.state().made.push(made);
    // For longer than one call is repeated.
    let unheard = || Failure {
        operation: "StopDeployment",
        kind: crate::ports::FaultKind::Unknown,
        is_done: false,
    };
    bench.fake.state().failures.extend(std::iter::repeat_with(unheard).take(60));
    bench.halt();
    let (_, result, took) = bench.answer().await;
    assert_eq!(result, Ok(()));
    assert!(took > Duration::from_mins(5), "{took:?}");
    assert!(bench.fake.state().made[0].stopped_ms.is_some());
}
