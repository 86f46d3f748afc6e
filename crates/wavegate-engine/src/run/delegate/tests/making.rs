//! A group and a deployment are made once.

use wavegate_core::release::limits;

use super::fake::Made;
use super::*;
use crate::ports::{FaultKind, GroupView};

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_made_before_the_deployment_and_once() {
    let mut bench = bench();
    bench.delegate();
    assert_eq!(bench.answer().await.1, Ok(()));
    let calls = bench.fake.state().calls.clone();
    assert_eq!(
        calls[..6],
        [
            "GetDeploymentGroup",
            "CreateApplication",
            "CreateDeploymentConfig",
            "CreateDeploymentGroup",
            "ListDeployments",
            "CreateDeployment",
        ]
    );
    assert!(bench.fake.state().configs.contains("wavegate-Canary10Percent7Minutes"));
    let description = bench.fake.state().made[0].description.clone();
    assert_eq!(description, format!("{TAG} shop r1, version 17 to 18"));
    // The next release finds everything.
    bench.fake.state().made.clear();
    bench.fake.state().calls.clear();
    bench.delegate();
    assert_eq!(bench.answer().await.1, Ok(()));
    assert_eq!(
        bench.fake.state().calls[..3],
        ["GetDeploymentGroup", "ListDeployments", "CreateDeployment"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_config_that_no_group_uses_any_more_is_deleted() {
    for (other_user, is_left) in [(false, false), (true, true)] {
        let mut bench = bench();
        let old = "wavegate-Canary10Percent6Minutes".to_owned();
        let view = GroupView { group: own_group(), config: old.clone(), rolls_back: true };
        bench.fake.state().configs.insert(old.clone());
        let users = if other_user { vec!["auth", "other"] } else { vec!["auth"] };
        for user in users {
            let at = ("shop".to_owned(), user.to_owned());
            bench.fake.state().groups.insert(at, view.clone());
        }
        bench.delegate();
        assert_eq!(bench.answer().await.1, Ok(()));
        assert_eq!(bench.fake.state().configs.contains(&old), is_left);
        assert_eq!(bench.calls("UpdateDeploymentGroup"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_of_somebody_elses_is_never_made() {
    let mut bench = bench_with(Some(Group { is_own: false, ..own_group() }));
    bench.delegate();
    let why = bench.answer().await.1.unwrap_err();
    assert!(why.starts_with("deployment group auth of application shop does not exist"), "{why}");
    assert_eq!(bench.fake.state().calls, ["GetDeploymentGroup"]);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_a_dead_owner_is_followed_and_not_made_again() {
    let mut bench = bench();
    let made = bench.fake.begin("d-7", &format!("{TAG} shop r1, version 17 to 18"));
    let other = bench.fake.begin("d-6", "wavegate1:0000000000001:auth:17");
    let puts_back = Some("d-6".to_owned());
    let back = Made { puts_back, ..bench.fake.begin("d-8", &made.description) };
    bench.fake.state().made.extend([other, made, back]);
    bench.pause(Duration::from_mins(10)).await;
    bench.delegate();
    let (events, result, _) = bench.answer().await;
    assert_eq!(result, Ok(()));
    assert!(events.iter().all(|e| !matches!(e, Event::Deployment { id, .. } if id != "d-7")));
    assert_eq!(bench.calls("CreateDeployment"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_no_second_deployment_and_a_lost_request_makes_one() {
    for (is_done, asked) in [(true, 1), (false, 2)] {
        let mut bench = bench();
        let operation = "CreateDeployment";
        let failure = Failure { operation, kind: FaultKind::Unknown, is_done };
        bench.fake.state().failures.push_back(failure);
        bench.delegate();
        assert_eq!(bench.answer().await.1, Ok(()));
        assert_eq!((bench.calls(operation), bench.fake.state().made.len()), (asked, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_at_once() {
    let mut bench = bench();
    let operation = "CreateDeployment";
    let failure = Failure { operation, kind: FaultKind::Denied, is_done: false };
    bench.fake.state().failures.push_back(failure);
    bench.delegate();
    let (_, result, took) = bench.answer().await;
    assert_eq!(result, Err("CreateDeployment: no".to_owned()));
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_deployment_in_the_group_is_named_and_left_alone() {
    let mut bench = bench();
    let made = bench.fake.begin("d-9", "by hand");
    bench.fake.state().made.push(made);
    bench.delegate();
    let why = bench.answer().await.1.unwrap_err();
    assert_eq!(why, "a conflicting deployment of group auth is in progress: d-9 (by hand)");
    assert_eq!((bench.calls("StopDeployment"), bench.calls("CreateDeployment")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_never_comes_about_is_given_up() {
    let mut bench = bench();
    let lost =
        || Failure { operation: "CreateDeployment", kind: FaultKind::Unknown, is_done: false };
    bench.fake.state().failures.extend(std::iter::repeat_with(lost).take(1000));
    bench.delegate();
    let (_, result, took) = bench.answer().await;
    let why = result.unwrap_err();
    assert_eq!(why, "no deployment could be made within 10m: CreateDeployment: no");
    assert!(took > limits::FORWARD && took < limits::FORWARD * 2, "{took:?}");
    assert!(bench.fake.state().made.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_once_the_release_goes_back() {
    let mut bench = bench();
    bench.driver.context.work.cancel();
    bench.delegate();
    bench.pause(Duration::from_mins(5)).await;
    assert!(bench.driver.told.try_recv().is_err(), "nobody waits for an answer");
    assert_eq!(bench.calls("CreateDeployment"), 0);
}
