//! Laws of traffic that CodeDeploy moves.

use std::time::Duration;

use super::order_tests::run_until;
use super::tests::{World, f, plan, runner};
use super::*;
use crate::codedeploy::{Group, Routing};
use crate::plan::{Delegation, Plan};
use crate::token::{LockPhase, Position, Token};

/// At 10 %, with half of its ten minutes over.
const MIDDLE: Duration = Duration::from_mins(6);

/// Functions whose traffic CodeDeploy moves.
fn delegated_plan(edges: &[(&str, &[&str])]) -> Plan {
    let mut plan = plan(edges);
    for function in plan.functions.values_mut() {
        let group = Group { name: function.name.to_string(), is_own: true, ..Group::default() };
        let routing = Routing::Canary { percent: 10, minutes: 10 };
        function.delegation = Some(Delegation { group, routing });
    }
    plan
}

fn position(world: &World, name: &str) -> Option<Position> {
    Token::decode(&world.live(name).description).map(|token| token.position)
}

fn is_back(world: &World, name: &str) -> bool {
    let live = world.live(name);
    live.version == "1" && live.extra.is_none() && live.description == format!("text of {name}")
}

#[test]
fn codedeploy_moves_the_traffic_and_the_rollout_goes_on_from_there() {
    let plan = delegated_plan(&[("a", &[]), ("b", &["a"])]);
    let mut world = World::new(&plan);
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(world.deployments, [f("a"), f("b")], "in the order of the graph, once each");
    let tells_weight = |event: &Event| matches!(event, Event::Weight { .. });
    assert!(!world.events.iter().any(tells_weight), "who follows the deployment tells of it");
    assert!(world.halted.is_empty());
    for name in ["a", "b"] {
        assert_eq!(world.live(name).version, "2");
        assert_eq!(world.live(name).description, format!("text of {name}"));
    }
    assert!(world.shown.is_empty(), "no strategy is asked");
}

/// CodeDeploy calls hooks by name: what is to judge must have been written by then.
#[test]
fn codedeploy_is_asked_for_nothing_before_everything_is_prepared() {
    let plan = delegated_plan(&[("a", &[]), ("judge", &[])]);
    let mut world = World::new(&plan);
    world.prepares_ms.insert(f("judge"), 1_800_000);
    let mut release = Release::new(plan, runner());
    world.later(0, Input::Start);
    let end = world.now + Duration::from_mins(29);
    run_until(&mut world, &mut release, end);
    assert!(world.deployments.is_empty(), "{:?}", world.deployments);
    let end = world.now + Duration::from_mins(2);
    run_until(&mut world, &mut release, end);
    assert_eq!(world.deployments, [f("a"), f("judge")]);
}

#[test]
fn a_deployment_that_failed_fails_the_release_in_codedeploys_words() {
    for rolls_back in [true, false] {
        let plan = delegated_plan(&[("a", &[]), ("b", &["a"])]);
        let mut world = World::new(&plan);
        world.codedeploy_fails = Some("HOOK_EXECUTION_FAILURE: the hook said no".to_owned());
        world.codedeploy_rolls_back = rolls_back;
        let outcome = world.run(&mut Release::new(plan, runner()));
        assert!(
            matches!(&outcome, Outcome::RolledBack { reason } if reason.contains("the hook said no")),
            "{outcome:?}"
        );
        assert_eq!(world.halted, [f("a")]);
        assert!(is_back(&world, "a"), "also where CodeDeploy left it split: {:?}", world.live("a"));
        assert!(is_back(&world, "b"));
        assert_eq!(world.lock().phase, LockPhase::RolledBack);
    }
}

#[test]
fn an_alarm_halts_codedeploy_before_the_alias_goes_back() {
    let plan = delegated_plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    let fires = world.now + MIDDLE;
    world.firing.insert(f("a"), fires);
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(world.halted, [f("a")]);
    assert!(is_back(&world, "a"));
}

#[test]
fn what_was_promoted_by_codedeploy_goes_back_with_the_app() {
    let plan = delegated_plan(&[("a", &[]), ("b", &["a"])]);
    let mut world = World::new(&plan);
    // `a` is done by then, and `b` at 10 %.
    let fires = world.now + Duration::from_mins(17);
    world.firing.insert(f("b"), fires);
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(world.halted, [f("b")], "nothing is under way for the other one");
    assert!(is_back(&world, "a") && is_back(&world, "b"));
}

#[test]
fn codedeploy_that_cannot_be_stopped_leaves_the_rollout_to_a_person() {
    let plan = delegated_plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    let fires = world.now + MIDDLE;
    world.firing.insert(f("a"), fires);
    world.halt_fails = Some("AccessDeniedException".to_owned());
    let outcome = world.run(&mut Release::new(plan, runner()));
    let Outcome::Stuck { todo, .. } = outcome else { panic!("{outcome:?}") };
    assert!(
        todo.iter().any(|line| line.contains("could not be stopped: AccessDenied")),
        "{todo:?}"
    );
}

#[test]
fn somebody_elses_change_under_a_deployment_is_found_and_kept() {
    let plan = delegated_plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    world.delegated_to_nobody = true;
    world.codedeploy_rolls_back = false;
    let when = world.now + MIDDLE;
    world.hands.push((when, f("a"), 3));
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(&outcome, Outcome::Stuck { .. }), "{outcome:?}");
    assert_eq!(world.live("a").version, "3");
    assert_eq!(world.halted, [f("a")], "CodeDeploy must not write over it");
}

/// The machine dies at 10 %; CodeDeploy goes on.
fn left_in_the_middle(plan: &Plan) -> World {
    let mut world = World::new(plan);
    let mut release = Release::new(plan.clone(), runner());
    world.later(0, Input::Start);
    let end = world.now + MIDDLE;
    run_until(&mut world, &mut release, end);
    assert_eq!(position(&world, "a"), Some(Position::Delegated));
    assert_eq!(world.live("a").extra.map(|extra| extra.weight.bp()), Some(1000));
    world.queue.clear();
    world
}

fn other() -> Runner {
    Runner { owner: "bob@ci".into(), seed: 10, ..runner() }
}

#[test]
fn a_release_that_was_left_to_codedeploy_is_picked_up() {
    let mut plan = delegated_plan(&[("a", &[])]);
    let mut world = left_in_the_middle(&plan);
    world.now = world.now + Duration::from_mins(10);
    plan.lock = Some(world.aliases[&Object::Lock].clone());
    let outcome = world.run(&mut Release::resume(plan, other()));
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(world.live("a").version, "2");
    assert_eq!(world.live("a").description, "text of a");
}

#[test]
fn a_release_that_was_left_to_codedeploy_is_put_back() {
    let mut plan = delegated_plan(&[("a", &[])]);
    let mut world = left_in_the_middle(&plan);
    plan.lock = Some(world.aliases[&Object::Lock].clone());
    // Without the manifest nobody knows that it is CodeDeploy's: the record does.
    plan.functions.get_mut(&f("a")).unwrap().delegation = None;
    let outcome = world.run(&mut Release::put_back(plan, other(), "recover".to_owned()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(world.halted, [f("a")]);
    assert!(is_back(&world, "a"));
}

#[test]
fn who_leaves_leaves_to_codedeploy_what_it_has_in_hand() {
    let mut plan = delegated_plan(&[("a", &[]), ("b", &["a"])]);
    let mut world = World::new(&plan);
    let leave = || Input::Leave { by: "ana".to_owned(), reason: "Ctrl-C".to_owned() };
    let when = world.now + MIDDLE;
    world.at(when, leave());
    let outcome = world.run(&mut Release::new(plan.clone(), runner()));
    assert!(
        matches!(&outcome, Outcome::Frozen { reason } if reason.contains("left to CodeDeploy: a")),
        "{outcome:?}"
    );
    assert_eq!(world.lock().phase, LockPhase::Held);
    assert!(world.halted.is_empty());
    assert_eq!(position(&world, "a"), Some(Position::Delegated));
    world.outcome = None;
    world.queue.clear();
    plan.lock = Some(world.aliases[&Object::Lock].clone());
    let outcome = world.run(&mut Release::resume(plan, other()));
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(world.live("b").version, "2");
}

#[test]
fn who_leaves_what_only_this_machine_moves_puts_it_back() {
    let mut plan = delegated_plan(&[("a", &[]), ("b", &[])]);
    plan.functions.get_mut(&f("b")).unwrap().delegation = None;
    let mut world = World::new(&plan);
    let leave = Input::Leave { by: "ana".to_owned(), reason: "Ctrl-C".to_owned() };
    let when = world.now + MIDDLE;
    world.at(when, leave);
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(world.halted, [f("a")]);
    assert!(is_back(&world, "a") && is_back(&world, "b"));
}

#[test]
fn a_pause_holds_what_codedeploy_has_not_got_yet() {
    let plan = delegated_plan(&[("a", &[]), ("b", &["a"])]);
    let mut world = World::new(&plan);
    let pause = |by: &str| Input::Pause { by: by.to_owned(), reason: String::new() };
    world.later(300_000, pause("ana"));
    let resumed = world.now + Duration::from_hours(1);
    world.at(resumed, Input::Resume { by: "ana".to_owned(), reason: String::new() });
    let mut release = Release::new(plan, runner());
    let outcome = world.run(&mut release);
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(world.deployments, [f("a"), f("b")]);
    assert!(world.now > resumed, "the second one waited");
}
