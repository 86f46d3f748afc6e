//! Laws of entering a release, of sleep, and of what people ask.

use std::collections::BTreeSet;
use std::time::Duration;

use super::tests::{DIAMOND, Due, Input2, World, bp, f, plan, runner};
use super::*;
use crate::control::{self, Request, Verb};
use crate::plan::{Action, Plan};
use crate::spec::OnBlind;
use crate::time::Mono;
use crate::token::{LockPhase, LockRecord};

/// A quarter of an hour after the start: `a` is promoted, `b` and `c` are at 10 %.
const MIDDLE: Duration = Duration::from_mins(15);

fn other() -> Runner {
    Runner { owner: "bob@ci".into(), seed: 10, ..runner() }
}

/// Runs until that moment, and leaves the rest where it is.
pub(super) fn run_until(world: &mut World, release: &mut Release, end: Mono) {
    while world.queue.peek().is_some_and(|due| due.0 <= end) && world.outcome.is_none() {
        let Some(Due(at, _, Input2(input))) = world.queue.pop() else { return };
        world.now = world.now.max(at);
        world.shift_by_codedeploy();
        for effect in release.step(world.now, input).unwrap() {
            world.perform(effect);
        }
    }
    world.now = world.now.max(end);
}

fn run_on(world: &mut World, release: &mut Release) -> Outcome {
    run_until(world, release, Mono(u64::MAX / 2));
    world.outcome.clone().expect("an outcome")
}

/// A release in its middle, whose machine then dies.
fn left_in_the_middle() -> (World, Plan) {
    let plan = plan(DIAMOND);
    let mut world = World::new(&plan);
    let mut release = Release::new(plan.clone(), runner());
    world.later(0, Input::Start);
    let dies = world.now + MIDDLE;
    run_until(&mut world, &mut release, dies);
    assert!(world.live("b").extra.is_some());
    world.queue.clear();
    let mut left = plan;
    left.lock = Some(world.aliases[&Object::Lock].clone());
    (world, left)
}

fn versions(world: &World) -> Vec<(&str, bool)> {
    ["a", "b", "c", "d"]
        .map(|name| (world.live(name).version.as_str(), world.live(name).extra.is_some()))
        .to_vec()
}

const ALL_NEW: [(&str, bool); 4] = [("2", false); 4];
const ALL_OLD: [(&str, bool); 4] = [("1", false); 4];

fn count(world: &World, is_it: impl Fn(&Event) -> bool) -> usize {
    world.events.iter().filter(|event| is_it(event)).count()
}

#[test]
fn a_release_that_lost_its_owner_goes_on_from_where_its_aliases_stand() {
    let (mut world, left) = left_in_the_middle();
    world.shown.clear();
    let before = world.writes.len();
    let outcome = world.run(&mut Release::resume(left, other()));
    assert_eq!((outcome, versions(&world)), (Outcome::Done, ALL_NEW.to_vec()));
    assert_eq!(world.lock().epoch, 2);
    // The fence comes first: what was sent before it can land no more.
    let live =
        world.writes[before..].iter().filter(|(object, _)| matches!(object, Object::Live(_)));
    let ops: Vec<_> = live.map(|(_, op)| op.clone()).take(4).collect();
    let is_fence = |op: &CloudOp| matches!(op, CloudOp::Update { routing: None, .. });
    assert!(ops.iter().all(is_fence), "{ops:?}");
    // Whoever baked before is not believed: at 10 % the bake begins from zero.
    let first = world.shown.iter().find(|(_, seen)| seen.weight == bp(1000)).unwrap();
    assert!(first.1.bake_elapsed < Duration::from_secs(30), "{first:?}");
    for name in ["a", "b", "c", "d"] {
        assert_eq!(world.live(name).description, format!("text of {name}"));
    }
}

#[test]
fn a_release_whose_abort_was_recorded_is_not_gone_on_with() {
    let (mut world, mut left) = left_in_the_middle();
    let lock = world.aliases.get_mut(&Object::Lock).unwrap();
    let mut record = LockRecord::decode(&lock.description).unwrap();
    record.phase = LockPhase::Aborting;
    lock.description = record.encode();
    left.lock = Some(lock.clone());
    let outcome = world.run(&mut Release::resume(left, other()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(versions(&world), ALL_OLD);
}

#[test]
fn a_release_of_another_plan_is_not_gone_on_with() {
    let (mut world, mut left) = left_in_the_middle();
    left.fingerprint += 1;
    let before = world.writes.len();
    let outcome = world.run(&mut Release::resume(left, other()));
    assert!(matches!(outcome, Outcome::NothingChanged { .. }), "{outcome:?}");
    assert_eq!(world.writes.len(), before);
}

/// All that was to happen meanwhile happens at once, and late.
fn sleep(world: &mut World, span: Duration) {
    let wakes = world.now + span;
    let inputs: Vec<Due> = std::mem::take(&mut world.queue).into_sorted_vec();
    for Due(at, _, Input2(input)) in inputs.into_iter().rev() {
        world.at(at.max(wakes), input);
    }
    world.now = wakes;
}

#[test]
fn a_machine_that_slept_takes_its_own_lock_anew_before_it_writes_anything() {
    for span in [60, 600, 100_000].map(Duration::from_secs) {
        let plan = plan(DIAMOND);
        let mut world = World::new(&plan);
        let mut release = Release::new(plan, runner());
        world.later(0, Input::Start);
        let middle = world.now + MIDDLE;
        run_until(&mut world, &mut release, middle);
        let before = world.writes.len();
        sleep(&mut world, span);
        world.shown.clear();
        assert_eq!(run_on(&mut world, &mut release), Outcome::Done);
        assert_eq!(world.writes[before].0, Object::Lock, "{span:?}");
        assert_eq!((world.lock().epoch, versions(&world)), (2, ALL_NEW.to_vec()));
        assert_eq!(count(&world, |event| matches!(event, Event::Suspended { .. })), 1);
        let first = world.shown.iter().find(|(_, seen)| seen.weight == bp(1000)).unwrap();
        assert!(first.1.bake_elapsed < Duration::from_secs(30), "{first:?}");
    }
}

#[test]
fn a_short_nap_is_none() {
    let plan = plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    let mut release = Release::new(plan, runner());
    world.later(0, Input::Start);
    let middle = world.now + Duration::from_mins(5);
    run_until(&mut world, &mut release, middle);
    sleep(&mut world, Duration::from_secs(20));
    assert_eq!(run_on(&mut world, &mut release), Outcome::Done);
    assert_eq!(world.lock().epoch, 1);
}

#[test]
fn a_machine_that_slept_through_a_takeover_writes_nothing_more() {
    let plan1 = plan(DIAMOND);
    let mut world = World::new(&plan1);
    let mut sleeper = Release::new(plan1.clone(), runner());
    world.later(0, Input::Start);
    let middle = world.now + MIDDLE;
    run_until(&mut world, &mut sleeper, middle);
    let asleep = std::mem::take(&mut world.queue);
    let mut left = plan1;
    left.lock = Some(world.aliases[&Object::Lock].clone());
    for function in left.functions.values_mut() {
        function.action = Action::Switch { stable: VersionId(1), target: VersionId(2) };
    }
    world.now = world.now + Duration::from_mins(10);
    let outcome = world.run(&mut Release::put_back(left, other(), "asked".into()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    let before = world.writes.len();
    world.outcome = None;
    world.queue = asleep;
    sleep(&mut world, Duration::ZERO);
    let outcome = run_on(&mut world, &mut sleeper);
    assert!(matches!(&outcome, Outcome::Fenced { by } if by.contains("bob@ci")), "{outcome:?}");
    assert_eq!((world.writes.len(), versions(&world)), (before, ALL_OLD.to_vec()));
}

fn by() -> String {
    "ana".to_owned()
}

#[test]
fn a_paused_release_goes_nowhere_but_back() {
    let plan = plan(DIAMOND);
    let mut world = World::new(&plan);
    let mut release = Release::new(plan.clone(), runner());
    world.later(0, Input::Start);
    world.later(60_000, Input::Pause { by: by(), reason: "odd".into() });
    let later = world.now + Duration::from_hours(5);
    run_until(&mut world, &mut release, later);
    assert_eq!(world.live("a").extra.unwrap().weight, bp(1000));
    assert!(world.lock().is_paused);
    // It goes on when somebody says so.
    world.later(0, Input::Resume { by: by(), reason: String::new() });
    assert_eq!(run_on(&mut world, &mut release), Outcome::Done);
    // An alarm that fires in a pause puts it back all the same.
    let mut world = World::new(&plan);
    let mut release = Release::new(plan, runner());
    world.later(0, Input::Start);
    world.later(60_000, Input::Pause { by: by(), reason: String::new() });
    world.firing.insert(f("a"), world.now + Duration::from_hours(1));
    let outcome = run_on(&mut world, &mut release);
    assert!(matches!(&outcome, Outcome::RolledBack { reason } if reason.contains("firing")));
}

#[test]
fn a_pause_that_everybody_forgot_ends_as_a_failure() {
    let plan = plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    let mut release = Release::new(plan, runner());
    world.later(0, Input::Start);
    world.later(60_000, Input::Pause { by: by(), reason: String::new() });
    let outcome = run_on(&mut world, &mut release);
    let Outcome::RolledBack { reason } = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("paused by ana for 168h"), "{reason}");
}

#[test]
fn promote_ends_a_bake_and_full_leaves_out_the_steps_but_nobody_overrules_an_alarm() {
    let order = |full| Input::Promote { function: None, full, by: by(), reason: String::new() };
    for (full, is_unknown) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut plan = plan(&[("a", &[])]);
        if full {
            // A step that the strategy would have to take first.
            let outline = &mut plan.functions.get_mut(&f("a")).unwrap().outline;
            let step = outline.steps[0];
            outline.steps.push(crate::plan::OutlineStep { weight: bp(5000), ..step });
        }
        let mut world = World::new(&plan);
        let mut release = Release::new(plan, runner());
        world.later(0, Input::Start);
        world.later(60_000, order(full));
        let soon = world.now + Duration::from_secs(59);
        run_until(&mut world, &mut release, soon);
        if is_unknown {
            world.unknown.insert(f("a"));
        }
        let soon = world.now + Duration::from_secs(20);
        run_until(&mut world, &mut release, soon);
        let live = world.live("a");
        let weight = live.extra.map(|extra| extra.weight);
        let expected = if is_unknown { ("1", Some(bp(1000))) } else { ("2", None) };
        assert_eq!((live.version.as_str(), weight), expected, "unknown is never quiet");
    }
}

/// Somebody writes a request into the lock, as from another machine.
fn ask(world: &mut World, verb: Verb, function: Option<&str>, id: u32) {
    let name = function.map(f);
    let lock = world.aliases.get_mut(&Object::Lock).unwrap();
    let record = LockRecord::decode(&lock.description).unwrap();
    let request = Request::new(id, verb, name.as_ref(), "eve@far", "the pager rang");
    lock.description = control::ask(&record, request).unwrap().encode();
    lock.revision = format!("asked-{id}");
}

#[test]
fn a_request_in_the_lock_is_heard_once_and_answered() {
    let plan = plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    let mut release = Release::new(plan, runner());
    world.later(0, Input::Start);
    let mut at = world.now + Duration::from_mins(1);
    run_until(&mut world, &mut release, at);
    for (id, verb, was_done) in
        [(7, Verb::Pause, true), (8, Verb::Pause, false), (9, Verb::Resume, true)]
    {
        ask(&mut world, verb, None, id);
        at = at + limits::RENEW + limits::POLL;
        run_until(&mut world, &mut release, at);
        let lock = world.lock();
        assert_eq!(lock.answered, Some(control::Answered { id, was_done }));
        assert_eq!(lock.request, None);
    }
    ask(&mut world, Verb::Promote, Some("nobody"), 10);
    at = at + limits::RENEW + limits::POLL;
    run_until(&mut world, &mut release, at);
    assert_eq!(world.lock().answered.map(|answered| answered.was_done), Some(false));
    ask(&mut world, Verb::PromoteFully, Some("a"), 11);
    at = at + limits::RENEW + limits::POLL;
    run_until(&mut world, &mut release, at);
    assert_eq!(world.live("a").version, "2");
    let ordered = |event: &Event| matches!(event, Event::Ordered { by, .. } if by == "eve@far");
    assert_eq!(count(&world, ordered), 3);
    ask(&mut world, Verb::Abort, None, 12);
    let outcome = run_on(&mut world, &mut release);
    let Outcome::RolledBack { reason } = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("eve@far: the pager rang"), "{reason}");
    assert_eq!(
        (world.live("a").version.as_str(), world.lock().phase),
        ("1", LockPhase::RolledBack)
    );
}

#[test]
fn what_is_answered_is_what_is_done() {
    // While a release that was taken over is fenced, whether there is something to promote changes from
    // one call to the next: also between an answer's writing and its landing.
    let mut answers = BTreeSet::new();
    for ms in (0..1_000).step_by(50).chain((1_000..60_000).step_by(500)) {
        let (mut world, left) = left_in_the_middle();
        let mut release = Release::resume(left, other());
        world.later(0, Input::Start);
        while world.lock().owner != other().owner {
            let at = world.now + Duration::from_millis(10);
            run_until(&mut world, &mut release, at);
        }
        let at = world.now + Duration::from_millis(ms);
        run_until(&mut world, &mut release, at);
        ask(&mut world, Verb::PromoteFully, None, 7);
        world.later(0, Input::Look);
        let at = world.now + limits::RENEW + limits::POLL;
        run_until(&mut world, &mut release, at);
        let answered = world.lock().answered.expect("an answer");
        let ordered = |event: &Event| matches!(event, Event::Ordered { by, .. } if by == "eve@far");
        assert_eq!(answered.was_done, count(&world, ordered) == 1, "{ms} ms");
        answers.insert(answered.was_done);
    }
    assert_eq!(answers, BTreeSet::from([false, true]), "both are seen");
}

#[test]
fn a_nudge_makes_a_release_look_at_once() {
    let plan = plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    let mut release = Release::new(plan, runner());
    world.later(0, Input::Start);
    let at = world.now + Duration::from_secs(61);
    run_until(&mut world, &mut release, at);
    ask(&mut world, Verb::Pause, None, 7);
    world.later(0, Input::Look);
    let at = at + Duration::from_secs(1);
    run_until(&mut world, &mut release, at);
    assert!(world.lock().is_paused && world.lock().answered.is_some());
}

#[test]
fn alarms_that_cannot_be_read_pause_a_release_where_the_manifest_says_so() {
    let mut plan = plan(&[("a", &[])]);
    plan.on_blind = OnBlind::Pause;
    let mut world = World::new(&plan);
    world.unknown.insert(f("a"));
    let mut release = Release::new(plan, runner());
    world.later(0, Input::Start);
    let at = world.now + Duration::from_hours(3);
    run_until(&mut world, &mut release, at);
    let by_itself = |event: &Event| matches!(event, Event::Ordered { verb: Verb::Pause, by, .. } if by == "wavegate");
    assert_eq!(count(&world, by_itself), 1, "{:?}", world.events);
    assert_eq!(world.live("a").extra.unwrap().weight, bp(1000));
    world.unknown.clear();
    world.later(0, Input::Resume { by: by(), reason: "they are back".into() });
    assert_eq!(run_on(&mut world, &mut release), Outcome::Done);
}
