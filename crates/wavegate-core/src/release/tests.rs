//! The machine against a small model of Lambda's aliases under virtual time.
//!
//! The model checks the traffic laws at every write it applies, whatever the test is about.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::inventory::{AliasState, Artifact};
use crate::name::{AliasName, AppName};
use crate::plan::{Action, FunctionPlan, Outline, OutlineStep, Plan, PlannedAlarm};
use crate::spec::{
    AlarmUse, ComponentUse, FunctionConfig, HookUse, IfAlreadyAlarming, OnFailure, RollbackScope,
};
use crate::time::Mono;
use crate::token::{LockPhase, LockRecord, Position, Token};

pub(super) fn f(name: &str) -> FunctionName {
    FunctionName::new(name).unwrap()
}

pub(super) fn bp(bp: u16) -> Weight {
    Weight::from_bp(bp).unwrap()
}

pub(super) fn component(name: &str) -> ComponentUse {
    ComponentUse { name: name.into(), component: name.into(), config: Opaque("{}".into()) }
}

fn config() -> FunctionConfig {
    FunctionConfig {
        runtime: Some("python3.13".into()),
        handler: Some("app.handler".into()),
        role: "arn:aws:iam::1:role/r".into(),
        memory_mb: 128,
        timeout_s: 3,
        architecture: "x86_64".into(),
        layers: vec![],
        ephemeral_storage_mb: 512,
        ..FunctionConfig::default()
    }
}

fn alias(name: &str, version: u64, description: &str, revision: u64) -> AliasState {
    AliasState {
        name: name.into(),
        version: version.to_string(),
        extra: None,
        description: description.into(),
        revision: format!("r{revision}"),
    }
}

/// A plan of functions that go from version 1 to 2 by a canary of 10 % for ten minutes.
pub(super) fn plan(edges: &[(&str, &[&str])]) -> Plan {
    let functions: BTreeMap<FunctionName, FunctionPlan> = edges
        .iter()
        .map(|(name, needs)| {
            let function = FunctionPlan {
                name: f(name),
                lambda_name: f(name),
                arn: format!("arn:{name}"),
                action: Action::Update { stable: VersionId(1) },
                changes: vec![],
                depends_on: needs.iter().map(|need| f(need)).collect(),
                strategy: component("canary"),
                delegation: None,
                outline: Outline {
                    steps: vec![OutlineStep {
                        weight: bp(1000),
                        bake_min: Duration::from_mins(10),
                        bake_max: Duration::from_mins(10),
                    }],
                    longest: Duration::from_mins(11),
                },
                pre_traffic: vec![],
                post_traffic: vec![],
                on_rollback: vec![],
                alarms: vec![PlannedAlarm {
                    alarm: AlarmUse {
                        alarm: component("errors"),
                        if_already_alarming: IfAlreadyAlarming::Fail,
                    },
                    already_red: false,
                }],
                bake: Duration::from_mins(1),
                live: Some(alias("live", 1, &format!("text of {name}"), 1)),
                pin: None,
                config: config(),
                artifact: Some(Artifact::Image { uri: "x".into() }),
            };
            (f(name), function)
        })
        .collect();
    let waves = crate::graph::Graph::new(functions.iter().map(|(n, p)| (n, &p.depends_on)))
        .unwrap()
        .waves();
    Plan {
        app: AppName::new("shop").unwrap(),
        alias: AliasName::new("live").unwrap(),
        number: 7,
        anchor: f(edges[0].0),
        anchor_lambda_name: f(edges[0].0),
        lock: None,
        order: waves.iter().flatten().cloned().collect(),
        functions,
        waves,
        on_failure: OnFailure::Rollback,
        scope: RollbackScope::App,
        on_blind: crate::spec::OnBlind::Rollback,
        max_parallel: 16,
        keep_versions: 3,
        fingerprint: 1,
    }
}

/// A plan of one function whose strategy may wait for people, an hour in all and at its step.
fn attended_plan() -> Plan {
    let mut plan = plan(&[("a", &[])]);
    let outline = &mut plan.functions.get_mut(&f("a")).unwrap().outline;
    (outline.steps[0].bake_max, outline.longest) =
        (Duration::from_hours(1), Duration::from_hours(1));
    plan
}

/// The alarm of `a` holds the first shift while it is red.
fn hold_while_red(plan: &mut Plan) {
    let alarm = &mut plan.functions.get_mut(&f("a")).unwrap().alarms[0];
    alarm.alarm.if_already_alarming = IfAlreadyAlarming::Wait;
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due(pub(super) Mono, pub(super) u64, pub(super) Input2);

/// Inputs in the queue, compared by time and order alone.
#[derive(Debug)]
pub(super) struct Input2(pub(super) Input);
impl PartialEq for Input2 {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Input2 {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

/// How the world behaves in one test.
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(super) struct World {
    pub(super) now: Mono,
    pub(super) queue: BinaryHeap<Due>,
    count: u64,
    pub(super) aliases: BTreeMap<Object, AliasState>,
    revisions: u64,
    /// An update leaves an alias's revision id as it was: some emulators of AWS are like that.
    revisions_stand_still: bool,
    pub(super) writes: Vec<(Object, CloudOp)>,
    calls: usize,
    pub(super) events: Vec<Event>,
    /// The alarm of a function fires from then on.
    pub(super) firing: BTreeMap<FunctionName, Mono>,
    pub(super) unknown: BTreeSet<FunctionName>,
    /// Alarms measure the candidate: without traffic on it they cannot tell.
    measures_the_candidate: bool,
    hook_fails: BTreeSet<FunctionName>,
    /// What happens to the nth call: lost before, lost after, refused for now.
    faults: BTreeMap<usize, char>,
    /// Somebody else's writes.
    pub(super) hands: Vec<(Mono, FunctionName, u64)>,
    /// Somebody else's writes that change nothing.
    bumps: Vec<(Mono, FunctionName)>,
    pub(super) outcome: Option<Outcome>,
    plan: Plan,
    abort_seen: bool,
    prepare_fails: BTreeSet<FunctionName>,
    /// How long a preparation takes, where that is not two seconds.
    pub(super) prepares_ms: BTreeMap<FunctionName, u64>,
    foreign: BTreeSet<FunctionName>,
    /// Alarms are missing from answers from then on.
    mute: Option<Mono>,
    /// Writes on the lock are refused from then on.
    lock_denied: Option<Mono>,
    /// How long the strategy thinks.
    thinks_ms: u64,
    strategy: Decides,
    /// What the strategy was shown, and when.
    pub(super) shown: Vec<(Mono, Observation)>,
    /// What CodeDeploy is going to do to aliases.
    shifts: Vec<(Mono, FunctionName, Routed)>,
    /// What CodeDeploy was asked to deploy, and to stop.
    pub(super) deployments: Vec<FunctionName>,
    pub(super) halted: Vec<FunctionName>,
    /// CodeDeploy is asked, and nothing is heard of it again.
    pub(super) delegated_to_nobody: bool,
    pub(super) codedeploy_fails: Option<String>,
    pub(super) codedeploy_rolls_back: bool,
    pub(super) halt_fails: Option<String>,
}

/// A main version, and the additional one.
type Routed = (u64, Option<ExtraVersion>);

type Decides = fn(&Observation) -> Decision;

/// 10 % for ten minutes, then everything.
fn canary(seen: &Observation) -> Decision {
    let bake = Duration::from_mins(10);
    if seen.alarms_firing > 0 {
        Decision::Rollback("alarm".into())
    } else if seen.weight == Weight::ZERO {
        Decision::Shift(bp(1000))
    } else if seen.bake_elapsed < bake {
        Decision::Wait(bake.saturating_sub(seen.bake_elapsed))
    } else {
        Decision::Promote
    }
}

/// A canary that wants a person's word before the first shift, for at most half an hour, and
/// before the promotion.
fn careful(seen: &Observation) -> Decision {
    match canary(seen) {
        Decision::Shift(_)
            if seen.approvals == 0 && seen.bake_elapsed >= Duration::from_mins(30) =>
        {
            Decision::Rollback("nobody came".into())
        }
        Decision::Shift(_) if seen.approvals == 0 => Decision::Pause("may it begin?".into()),
        Decision::Promote if seen.approvals == 0 => Decision::Pause("is it good?".into()),
        decision => decision,
    }
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut aliases: BTreeMap<Object, AliasState> = plan
            .functions
            .values()
            .filter_map(|p| Some((Object::Live(p.name.clone()), p.live.clone()?)))
            .collect();
        if let Some(lock) = &plan.lock {
            aliases.insert(Object::Lock, lock.clone());
        }
        Self {
            now: Mono(1_000_000),
            queue: BinaryHeap::new(),
            count: 0,
            aliases,
            revisions: 100,
            revisions_stand_still: false,
            writes: vec![],
            calls: 0,
            events: vec![],
            firing: BTreeMap::new(),
            unknown: BTreeSet::new(),
            measures_the_candidate: false,
            hook_fails: BTreeSet::new(),
            faults: BTreeMap::new(),
            hands: vec![],
            bumps: vec![],
            outcome: None,
            plan: plan.clone(),
            abort_seen: false,
            prepare_fails: BTreeSet::new(),
            prepares_ms: BTreeMap::new(),
            foreign: BTreeSet::new(),
            mute: None,
            lock_denied: None,
            thinks_ms: 0,
            strategy: canary,
            shown: vec![],
            shifts: vec![],
            deployments: vec![],
            halted: vec![],
            delegated_to_nobody: false,
            codedeploy_fails: None,
            codedeploy_rolls_back: true,
            halt_fails: None,
        }
    }

    pub(super) fn later(&mut self, ms: u64, input: Input) {
        let at = self.now + Duration::from_millis(ms);
        self.at(at, input);
    }

    pub(super) fn at(&mut self, at: Mono, input: Input) {
        self.count += 1;
        self.queue.push(Due(at, self.count, Input2(input)));
    }

    pub(super) fn run(&mut self, release: &mut Release) -> Outcome {
        let mut steps = 0;
        self.later(0, Input::Start);
        while let Some(Due(at, _, Input2(input))) = self.queue.pop() {
            self.now = self.now.max(at);
            self.shift_by_codedeploy();
            let hands: Vec<_> = self.hands.extract_if(.., |(when, ..)| *when <= at).collect();
            for (_, name, version) in hands {
                self.revisions += 1;
                let rev = self.revisions;
                let alias = self.aliases.get_mut(&Object::Live(name.clone())).unwrap();
                alias.version = version.to_string();
                alias.extra = None;
                alias.revision = format!("r{rev}");
                let is_as_it_was = Token::decode(&alias.description).is_some_and(|token| {
                    alias.main().is_some_and(|main| (main, alias.extra) == token.routing())
                });
                if !is_as_it_was {
                    self.foreign.insert(name);
                }
            }
            let bumps: Vec<_> = self.bumps.extract_if(.., |(when, _)| *when <= at).collect();
            for (_, name) in bumps {
                self.revisions += 1;
                let rev = self.revisions;
                self.aliases.get_mut(&Object::Live(name)).unwrap().revision = format!("r{rev}");
            }
            for effect in release.step(self.now, input).expect("no illegal transition") {
                self.perform(effect);
            }
            if self.outcome.is_some() {
                break;
            }
            steps += 1;
            assert!(steps < 200_000, "the release does not end: {:?}", self.events);
        }
        self.outcome.clone().expect("an outcome")
    }

    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Call { id, object, op, .. } => {
                let answer = self.call(&object, &op);
                self.later(50, Input::Answer { id, answer });
            }
            Effect::Timer { id, at } => self.at(at, Input::Timer { id }),
            Effect::Prepare { function } => {
                let result = if self.prepare_fails.contains(&function) {
                    Err("AccessDenied".to_owned())
                } else {
                    Ok(Prepared { version: VersionId(2), arn: format!("arn:{function}") })
                };
                let takes_ms = self.prepares_ms.get(&function).copied().unwrap_or(2_000);
                self.later(takes_ms, Input::Prepared { function, result });
            }
            Effect::Decide { function, ask, observation, .. } => {
                self.shown.push((self.now, observation));
                let decision = (self.strategy)(&observation);
                self.later(
                    self.thinks_ms,
                    Input::Decided { function, ask, result: Ok((decision, Opaque("1".into()))) },
                );
            }
            Effect::RunHook { function, phase, index, .. } => {
                let fails = self.hook_fails.contains(&function);
                let result = if fails { Err("smoke failed".to_owned()) } else { Ok(()) };
                self.later(3_000, Input::Hooked { function, phase, index, result });
            }
            Effect::ReadAlarms { ask, subjects } => {
                let is_mute = self.mute.is_some_and(|at| at <= self.now);
                let readings = subjects
                    .iter()
                    .filter(|_| !is_mute)
                    .map(|subject| {
                        let red =
                            self.firing.get(&subject.function).is_some_and(|at| *at <= self.now);
                        let live = &self.aliases[&Object::Live(subject.function.clone())];
                        let is_idle = live.version == "1" && live.extra.is_none();
                        let is_unknown = self.unknown.contains(&subject.function)
                            || (self.measures_the_candidate && is_idle);
                        let status = match (red, is_unknown) {
                            (true, _) => AlarmStatus::Firing,
                            (_, true) => AlarmStatus::Unknown,
                            _ => AlarmStatus::Ok,
                        };
                        Reading {
                            function: subject.function.clone(),
                            alarm: "errors".into(),
                            status,
                            detail: "3/4".into(),
                        }
                    })
                    .collect();
                self.later(100, Input::Alarms { ask, result: Ok(readings) });
            }
            Effect::Prune { function, .. } => self.later(100, Input::Pruned { function }),
            Effect::Delegate { function, ask, .. } => self.begin_deployment(function, ask),
            Effect::Halt { function } => self.halt_deployment(function),
            Effect::Report(event) => self.events.push(event),
            Effect::StopWork => {}
            Effect::Finish(outcome) => self.outcome = Some(outcome),
        }
    }

    /// CodeDeploy's canary of 10 % for ten minutes. It does not ask for revision ids.
    fn begin_deployment(&mut self, function: FunctionName, ask: u64) {
        self.deployments.push(function.clone());
        if self.delegated_to_nobody {
            return;
        }
        let minutes = |minutes| self.now + Duration::from_mins(minutes);
        let at_10 = Some(ExtraVersion { version: VersionId(2), weight: bp(1000) });
        let (first, last) = (minutes(1), minutes(11));
        match self.codedeploy_fails.clone() {
            None => {
                self.shifts.push((first, function.clone(), (1, at_10)));
                self.shifts.push((last, function.clone(), (2, None)));
                let done = last + Duration::from_secs(5);
                self.at(done, Input::Delegated { function, ask, result: Ok(()) });
            }
            Some(words) => {
                self.shifts.push((first, function.clone(), (1, at_10)));
                let failed = minutes(5);
                self.at(failed, Input::Delegated { function, ask, result: Err(words) });
            }
        }
    }

    /// Nothing more is shifted; what CodeDeploy's rollback does is in `rolls_back`.
    fn halt_deployment(&mut self, function: FunctionName) {
        self.halted.push(function.clone());
        self.shifts.retain(|(_, other, _)| *other != function);
        if self.codedeploy_rolls_back {
            self.shifts.push((self.now, function.clone(), (1, None)));
        }
        let result = self.halt_fails.clone().map_or(Ok(()), Err);
        self.later(5_000, Input::Halted { function, result });
    }

    pub(super) fn shift_by_codedeploy(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.shifts.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, name, (main, extra)) in due {
            self.revisions += 1;
            let revision = format!("r{}", self.revisions);
            let alias = self.aliases.get_mut(&Object::Live(name)).unwrap();
            alias.version = main.to_string();
            alias.extra = extra;
            alias.revision = revision;
        }
    }

    fn call(&mut self, object: &Object, op: &CloudOp) -> Answer {
        self.calls += 1;
        let is_denied = *object == Object::Lock
            && *op != CloudOp::Get
            && self.lock_denied.is_some_and(|at| at <= self.now);
        if is_denied {
            let text = "AccessDenied".to_owned();
            return Answer::Failed(Fault { class: FaultClass::Refused, text });
        }
        let passing =
            |text: &str| Answer::Failed(Fault { class: FaultClass::Passing, text: text.into() });
        match self.faults.get(&self.calls) {
            Some('t') => return passing("429"),
            Some('l') => {
                self.apply(object, op);
                return passing("the answer was lost");
            }
            // The SDK's first try landed, its second met the new revision.
            Some('d') => {
                self.apply(object, op);
                return Answer::Failed(Fault { class: FaultClass::Conflict, text: "412".into() });
            }
            _ => {}
        }
        self.apply(object, op)
    }

    fn apply(&mut self, object: &Object, op: &CloudOp) -> Answer {
        let conflict =
            |text: &str| Answer::Failed(Fault { class: FaultClass::Conflict, text: text.into() });
        self.revisions += 1;
        let revision = format!("r{}", self.revisions);
        match op {
            CloudOp::Get => return Answer::Alias(self.aliases.get(object).cloned()),
            CloudOp::Create { version, description } => {
                if self.aliases.contains_key(object) {
                    return conflict("409");
                }
                let mut state = alias("live", 0, description, 0);
                state.version = version.map_or_else(|| "$LATEST".to_owned(), |v| v.to_string());
                state.revision = revision;
                self.aliases.insert(object.clone(), state);
            }
            CloudOp::Update { base, routing, description } => {
                let Some(state) = self.aliases.get_mut(object) else { return conflict("404") };
                if state.revision != *base {
                    return conflict("412");
                }
                if let Some((main, extra)) = routing {
                    state.version = main.to_string();
                    state.extra = *extra;
                }
                state.description.clone_from(description);
                if !self.revisions_stand_still {
                    state.revision = revision;
                }
            }
            CloudOp::Delete => {
                self.aliases.remove(object);
                self.writes.push((object.clone(), op.clone()));
                return Answer::Deleted;
            }
        }
        self.writes.push((object.clone(), op.clone()));
        self.judge(object, matches!(op, CloudOp::Update { routing: Some(_), .. }));
        Answer::Alias(self.aliases.get(object).cloned())
    }

    /// The laws that hold at every applied write.
    fn judge(&mut self, object: &Object, moves_traffic: bool) {
        let lock = self.aliases.get(&Object::Lock).and_then(|l| LockRecord::decode(&l.description));
        if lock.as_ref().is_some_and(|l| l.phase == LockPhase::Aborting) {
            self.abort_seen = true;
        }
        let Object::Live(name) = object else { return };
        let state = &self.aliases[object];
        let Some(token) = Token::decode(&state.description) else { return };
        let clobbers = moves_traffic && self.foreign.contains(name);
        assert!(!clobbers, "somebody else's change was overwritten: {name}");
        if self.foreign.contains(name) {
            return;
        }
        let lock = lock.expect("no alias is written without a lock");
        assert_eq!(token.epoch, lock.epoch);
        let routing = (state.main().unwrap(), state.extra);
        if token.position == Position::Delegated {
            assert!(!moves_traffic, "what CodeDeploy moves, nobody else does");
        } else {
            assert_eq!(routing, token.routing(), "record and routing are one");
        }
        let moves = token.position == Position::Promoted || token.weight > Weight::ZERO;
        if moves && token.position != Position::Back && token.stable.is_some() {
            assert_eq!(lock.claimed, lock.functions, "no weight moves before the barrier");
            assert_eq!(lock.phase, LockPhase::Running, "nothing goes up after the abort");
            for need in &self.plan.functions[name].depends_on {
                let other = &self.aliases[&Object::Live(need.clone())];
                assert_eq!(other.version, "2", "{name} moved before {need} was promoted");
                assert_eq!(other.extra, None);
            }
        }
        if token.position == Position::Back && self.lock_denied.is_none() {
            assert!(self.abort_seen, "the abort is recorded before anything goes back");
        }
    }

    pub(super) fn live(&self, name: &str) -> &AliasState {
        &self.aliases[&Object::Live(f(name))]
    }

    pub(super) fn lock(&self) -> LockRecord {
        LockRecord::decode(&self.aliases[&Object::Lock].description).unwrap()
    }

    fn phase_writes(&self, name: &str) -> usize {
        let mine = |o: &Object| matches!(o, Object::Live(n) | Object::Pin(n) if *n == f(name));
        self.writes.iter().filter(|(object, _)| mine(object)).count()
    }
}

pub(super) fn runner() -> Runner {
    Runner { release: ReleaseId(42), owner: "ana@laptop".into(), seed: 9 }
}

pub(super) const DIAMOND: &[(&str, &[&str])] =
    &[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])];

#[test]
fn a_healthy_release_promotes_everything_in_graph_order() {
    let plan = plan(DIAMOND);
    let mut world = World::new(&plan);
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert_eq!(outcome, Outcome::Done);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(world.live(name).version, "2");
        assert_eq!(world.live(name).extra, None);
        assert_eq!(
            world.live(name).description,
            format!("text of {name}"),
            "the user's own text is back"
        );
        assert_eq!(world.aliases[&Object::Pin(f(name))].version, "1");
        // Pin, claim, shift, promote, restore; publishing is the sixth write.
        assert_eq!(world.phase_writes(name), 5);
    }
    assert_eq!(world.lock().phase, LockPhase::Done);
}

#[test]
fn a_firing_alarm_never_promotes() {
    let plan = plan(DIAMOND);
    let mut world = World::new(&plan);
    // `a` is promoted by then; `b` and `c` are at 10 %.
    let fires = world.now + Duration::from_mins(15);
    world.firing.insert(f("b"), fires);
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(
        matches!(&outcome, Outcome::RolledBack { reason } if reason.contains("`errors` is firing")),
        "{outcome:?}"
    );
    for name in ["a", "b", "c", "d"] {
        assert_eq!(world.live(name).version, "1", "{name}");
        assert_eq!(world.live(name).extra, None);
        assert_eq!(world.live(name).description, format!("text of {name}"));
    }
    let back: Vec<_> = world
        .events
        .iter()
        .filter_map(|e| match e {
            Event::PutBack { function, .. } => Some(function.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(back.first().map(String::as_str), Some("b"), "the one that failed goes back first");
    assert_eq!(back.last().map(String::as_str), Some("a"), "what others depend on goes back last");
    assert_eq!(world.lock().phase, LockPhase::RolledBack);
}

/// Regression: such an endpoint's every answer was thrown away as a stale read.
#[test]
fn revision_ids_that_never_change_stop_no_release() {
    for (fires, served) in [(None, "2"), (Some(Duration::from_mins(15)), "1")] {
        let plan = plan(DIAMOND);
        let mut world = World::new(&plan);
        world.revisions_stand_still = true;
        world.firing.extend(fires.map(|after| (f("b"), world.now + after)));
        world.run(&mut Release::new(plan, runner()));
        for name in ["a", "b", "c", "d"] {
            assert_eq!(world.live(name).version, served, "{name}");
            assert_eq!(world.live(name).description, format!("text of {name}"));
        }
        let again = world.events.iter().filter(|event| matches!(event, Event::Retry { .. }));
        assert_eq!(again.count(), 0, "{:?}", world.events);
    }
}

#[test]
fn what_is_out_of_scope_stays() {
    let mut plan = plan(DIAMOND);
    plan.scope = RollbackScope::Function;
    let mut world = World::new(&plan);
    world.firing.insert(f("b"), world.now + Duration::from_mins(15));
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }));
    assert_eq!(world.live("a").version, "2");
    assert_eq!(world.live("b").version, "1");
}

#[test]
fn a_frozen_release_stands_where_it_stood() {
    let mut plan = plan(&[("a", &[])]);
    plan.on_failure = OnFailure::Freeze;
    let mut world = World::new(&plan);
    world.firing.insert(f("a"), world.now + Duration::from_mins(5));
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(outcome, Outcome::Frozen { .. }));
    assert_eq!(world.live("a").extra.unwrap().weight, bp(1000));
    assert!(world.lock().phase.is_ownerless());
}

#[test]
fn unknown_is_never_taken_for_quiet() {
    let plan = plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    world.unknown.insert(f("a"));
    let outcome = world.run(&mut Release::new(plan, runner()));
    let reason = "a: alarm errors (3/4) could not tell for 10m; unknown is never taken for quiet";
    assert_eq!(outcome, Outcome::RolledBack { reason: reason.into() });
    assert_eq!(world.live("a").version, "1");
}

/// As the strategies that ship with wavegate are: it waits by itself while alarms cannot tell.
fn patient(seen: &Observation) -> Decision {
    match canary(seen) {
        Decision::Promote if seen.alarms_unknown > 0 => Decision::Wait(Duration::from_secs(10)),
        decision => decision,
    }
}

#[test]
fn a_strategy_that_waits_for_alarms_does_not_wait_for_ever() {
    // However much longer than its bake it may stay for other reasons.
    for bake_max in [Duration::from_mins(10), Duration::from_hours(25)] {
        let mut plan = plan(&[("a", &[])]);
        plan.functions.get_mut(&f("a")).unwrap().outline.steps[0].bake_max = bake_max;
        let mut world = World::new(&plan);
        world.strategy = patient;
        world.unknown.insert(f("a"));
        let began = world.now;
        let outcome = world.run(&mut Release::new(plan, runner()));
        let reason =
            "a: alarm errors (3/4) could not tell for 10m; unknown is never taken for quiet";
        assert_eq!(outcome, Outcome::RolledBack { reason: reason.into() });
        // Ten minutes of bake, ten of patience, and what the way there and back takes.
        let took = world.now.since(began);
        assert!(took > Duration::from_mins(20) && took < Duration::from_mins(23), "{took:?}");
    }
}

/// As the strategies that ship are: whatever cannot tell holds it, at any weight.
fn wary(seen: &Observation) -> Decision {
    match canary(seen) {
        Decision::Shift(_) | Decision::Promote if seen.alarms_unknown > 0 => {
            Decision::Wait(Duration::from_secs(10))
        }
        decision => decision,
    }
}

/// Regression: such a release stood at 0% for eleven days.
#[test]
fn what_measures_the_candidate_never_holds_the_first_shift() {
    let mut plan = plan(&[("a", &[])]);
    hold_while_red(&mut plan);
    let mut world = World::new(&plan);
    world.strategy = wary;
    world.measures_the_candidate = true;
    let began = world.now;
    assert_eq!(world.run(&mut Release::new(plan, runner())), Outcome::Done);
    let took = world.now.since(began);
    assert!(took < Duration::from_mins(13), "{took:?}");
}

#[test]
fn an_alarm_that_is_not_read_holds_the_first_shift_and_not_for_ever() {
    for strategy in [wary as Decides, canary] {
        let mut plan = plan(&[("a", &[])]);
        hold_while_red(&mut plan);
        let mut world = World::new(&plan);
        world.strategy = strategy;
        world.mute = Some(world.now);
        let began = world.now;
        let outcome = world.run(&mut Release::new(plan, runner()));
        let reason = "a: alarm errors (nothing was answered about it) could not tell for 10m; \
            unknown is never taken for quiet";
        assert_eq!(outcome, Outcome::RolledBack { reason: reason.into() });
        let took = world.now.since(began);
        assert!(took < Duration::from_mins(12), "{took:?}");
        assert!(!world.events.iter().any(|e| matches!(e, Event::Weight { .. })));
    }
}

#[test]
fn an_alarm_that_turns_red_during_a_pause_stops_the_first_shift() {
    for (holds, reason) in [
        (false, "a: alarm `errors` is firing: 3/4"),
        (true, "a: alarm errors has not been quiet for 1h"),
    ] {
        let mut plan = attended_plan();
        if holds {
            hold_while_red(&mut plan);
        }
        let mut world = World::new(&plan);
        world.strategy = careful;
        world.firing.insert(f("a"), world.now + Duration::from_mins(5));
        world.later(600_000, approve(None));
        let outcome = world.run(&mut Release::new(plan, runner()));
        assert_eq!(outcome, Outcome::RolledBack { reason: reason.into() });
        assert!(!world.events.iter().any(|e| matches!(e, Event::Weight { .. })));
    }
}

#[test]
fn a_strategy_that_only_waits_or_pauses_does_not_hold_its_weight_for_ever() {
    let waits = |seen: &Observation| match canary(seen) {
        Decision::Promote => Decision::Wait(Duration::from_hours(48)),
        decision => decision,
    };
    let pauses = |seen: &Observation| match canary(seen) {
        Decision::Promote => Decision::Pause("good?".into()),
        decision => decision,
    };
    let idles = |_: &Observation| Decision::Wait(Duration::from_hours(48));
    let strategies: [(Decides, &str, Duration); 3] = [
        (waits, "to wait at 10% after 20m", Duration::from_mins(10)),
        (pauses, "to pause at 10% after 20m", Duration::from_mins(10)),
        (idles, "to wait at 0% after 21m", Duration::from_mins(11)),
    ];
    for (strategy, words, longest) in strategies {
        let plan = plan(&[("a", &[])]);
        let mut world = World::new(&plan);
        world.strategy = strategy;
        let began = world.now;
        let outcome = world.run(&mut Release::new(plan, runner()));
        let Outcome::RolledBack { reason } = &outcome else { panic!("{outcome:?}") };
        let said = format!("a: its strategy `canary` decided outside its outline (WG335): {words}");
        assert!(reason.starts_with(&said), "{reason}");
        let took = world.now.since(began);
        let expected = longest + crate::fence::GRACE;
        assert!(took > expected && took < expected + Duration::from_mins(2), "{took:?}");
        assert_eq!((world.live("a").version.as_str(), world.live("a").extra), ("1", None));
    }
}

#[test]
fn a_hook_that_fails_stops_before_any_traffic() {
    let mut plan = plan(&[("a", &[])]);
    let hook = HookUse { hook: component("smoke"), timeout: Duration::from_mins(1) };
    plan.functions.get_mut(&f("a")).unwrap().pre_traffic.push(hook);
    let mut world = World::new(&plan);
    world.hook_fails.insert(f("a"));
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(&outcome, Outcome::RolledBack { reason } if reason == "a: smoke failed"));
    assert!(!world.events.iter().any(|e| matches!(e, Event::Weight { .. })));
}

#[test]
fn a_version_that_cannot_be_published_moves_nothing() {
    let plan = plan(DIAMOND);
    let mut world = World::new(&plan);
    world.prepare_fails.insert(f("c"));
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(&outcome, Outcome::RolledBack { reason } if reason == "c: AccessDenied"));
    for name in ["a", "b", "c", "d"] {
        assert_eq!(world.live(name).version, "1");
        assert_eq!(world.live(name).description, format!("text of {name}"));
    }
}

#[test]
fn a_first_deploy_takes_one_alias_write_per_function() {
    let mut plan = plan(DIAMOND);
    for function in plan.functions.values_mut() {
        function.action = Action::First { exists: false };
        function.live = None;
    }
    let mut world = World::new(&plan);
    let outcome = world.run(&mut Release::new(plan.clone(), runner()));
    assert_eq!(outcome, Outcome::Done);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(world.live(name).version, "2");
        assert_eq!(world.phase_writes(name), 1);
    }
    // And a failure leaves the functions without an alias.
    let hook = HookUse { hook: component("smoke"), timeout: Duration::from_mins(1) };
    plan.functions.get_mut(&f("d")).unwrap().post_traffic.push(hook);
    let mut world = World::new(&plan);
    world.hook_fails.insert(f("d"));
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }));
    assert!(!world.aliases.keys().any(|o| matches!(o, Object::Live(_))), "{:?}", world.aliases);
}

#[test]
fn a_second_release_is_told_who_holds_the_lock() {
    let plan1 = plan(&[("a", &[])]);
    let mut world = World::new(&plan1);
    let mut first = Release::new(plan1.clone(), runner());
    // Only the acquisition.
    for effect in first.step(world.now, Input::Start).unwrap() {
        world.perform(effect);
    }
    world.queue.clear();
    let other = Runner { release: ReleaseId(43), owner: "bob@ci".into(), seed: 10 };
    let outcome = world.run(&mut Release::new(plan1, other));
    assert!(
        matches!(&outcome, Outcome::Busy { holder } if holder.contains("ana@laptop")),
        "{outcome:?}"
    );
}

#[test]
fn somebody_elses_change_is_never_overwritten() {
    let plan = plan(&[("a", &[]), ("b", &[])]);
    let mut world = World::new(&plan);
    world.hands.push((world.now + Duration::from_mins(5), f("a"), 9));
    let outcome = world.run(&mut Release::new(plan, runner()));
    let Outcome::Stuck { todo, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(world.live("a").version, "9");
    assert_eq!(world.live("b").version, "1", "the others go back");
    assert!(todo[0].contains("update-alias --function-name a"), "{todo:?}");
}

#[test]
fn a_person_who_rolls_back_by_hand_gets_what_they_want() {
    let plan = plan(&[("a", &[]), ("b", &[])]);
    let mut world = World::new(&plan);
    world.hands.push((world.now + Duration::from_mins(5), f("a"), 1));
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(world.live("b").version, "1");
}

#[test]
fn a_release_that_lost_its_owner_is_put_back_from_the_aliases_alone() {
    let plan1 = plan(DIAMOND);
    let mut world = World::new(&plan1);
    let mut release = Release::new(plan1.clone(), runner());
    world.later(0, Input::Start);
    // Dies after a quarter of an hour: `a` is promoted, `b` and `c` are split.
    let dies = world.now + Duration::from_mins(15);
    while let Some(Due(at, _, Input2(input))) = world.queue.pop() {
        if at > dies {
            break;
        }
        world.now = world.now.max(at);
        for effect in release.step(world.now, input).unwrap() {
            world.perform(effect);
        }
    }
    assert_eq!(world.live("a").version, "2");
    assert!(world.live("b").extra.is_some());
    world.queue.clear();
    let mut left = plan1;
    left.lock = Some(world.aliases[&Object::Lock].clone());
    for function in left.functions.values_mut() {
        function.live = world.aliases.get(&Object::Live(function.name.clone())).cloned();
        function.pin = world.aliases.get(&Object::Pin(function.name.clone())).cloned();
        function.action = Action::Switch { stable: VersionId(1), target: VersionId(2) };
    }
    world.now = world.now + Duration::from_hours(1);
    let other = Runner { release: ReleaseId(42), owner: "bob@ci".into(), seed: 10 };
    let outcome = world.run(&mut Release::put_back(left, other, "asked".into()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    for name in ["a", "b", "c", "d"] {
        assert_eq!(world.live(name).version, "1", "{name}");
        assert_eq!(world.live(name).extra, None);
        assert_eq!(world.live(name).description, format!("text of {name}"));
    }
    assert_eq!(world.lock().epoch, 2);
}

#[test]
fn every_single_fault_at_every_call_ends_promoted() {
    let clean = {
        let plan = plan(DIAMOND);
        let mut world = World::new(&plan);
        world.run(&mut Release::new(plan, runner()));
        world.calls
    };
    for call in 1..=clean {
        for kind in ['t', 'l', 'd'] {
            let plan = plan(DIAMOND);
            let mut world = World::new(&plan);
            world.faults.insert(call, kind);
            let outcome = world.run(&mut Release::new(plan, runner()));
            assert_eq!(outcome, Outcome::Done, "fault {kind} at call {call}: {:?}", world.events);
            for name in ["a", "b", "c", "d"] {
                assert_eq!(world.live(name).version, "2", "fault {kind} at call {call}");
            }
        }
    }
}

#[test]
fn a_strategy_may_not_leave_its_outline() {
    let hasty = |seen: &Observation| match canary(seen) {
        Decision::Wait(_) => Decision::Promote,
        decision => decision,
    };
    let backwards = |seen: &Observation| match canary(seen) {
        Decision::Wait(_) => Decision::Shift(bp(1000)),
        decision => decision,
    };
    let blunt = |_: &Observation| Decision::Promote;
    let strategies: [(Decides, u16, &str); 4] = [
        (canary, 500, "to shift to 10%, which it did not promise"),
        (hasty, 1000, "to promote when 10% was baked for 0s, not for the 10m it promised"),
        (backwards, 1000, "to shift to 10%, which is not above the 10% in force"),
        (blunt, 1000, "to promote, but 10% comes first"),
    ];
    for (strategy, promised, breach) in strategies {
        let mut plan = plan(&[("a", &[])]);
        plan.functions.get_mut(&f("a")).unwrap().outline.steps[0].weight = bp(promised);
        let mut world = World::new(&plan);
        world.strategy = strategy;
        let outcome = world.run(&mut Release::new(plan, runner()));
        let words = "a: its strategy `canary` decided outside its outline (WG335): ";
        let reason = format!("{words}{breach}");
        assert_eq!(outcome, Outcome::RolledBack { reason });
        assert_eq!((world.live("a").version.as_str(), world.live("a").extra), ("1", None));
    }
}

fn approve(function: Option<&str>) -> Input {
    Input::Approve { function: function.map(f), by: "ana".into() }
}

#[test]
fn a_pause_goes_on_at_once_when_a_person_says_so() {
    let plan = attended_plan();
    let mut world = World::new(&plan);
    world.strategy = careful;
    let (first, second) = (310_000, 1_500_000);
    let began = world.now;
    world.later(first, approve(None));
    world.later(second, approve(Some("a")));
    assert_eq!(world.run(&mut Release::new(plan, runner())), Outcome::Done);
    // Every pause is told once, however often the strategy was asked about it.
    let told: Vec<&Event> = world
        .events
        .iter()
        .filter(|e| matches!(e, Event::Paused { .. } | Event::Approved { .. }))
        .collect();
    let (function, by) = (f("a"), "ana".to_owned());
    let paused = |on: &str| Event::Paused { function: f("a"), on: on.into() };
    let approved = Event::Approved { function, by };
    let expected = [paused("may it begin?"), approved.clone(), paused("is it good?"), approved];
    assert_eq!(told, expected.iter().collect::<Vec<_>>());
    // Asked as soon as its alarms were read.
    for (at, weight) in [(first, Weight::ZERO), (second, bp(1000))] {
        let asked = (began.0 + at..=began.0 + at + 100, weight, 1);
        let is_asked = world.shown.iter().any(|(at, s)| {
            asked.0.contains(&at.0) && (s.weight, s.approvals) == (asked.1, asked.2)
        });
        assert!(is_asked, "{:?}", world.shown);
    }
    // What was approved at one weight says nothing about the next.
    let is_fresh = |seen: &Observation| seen.bake_elapsed.is_zero() && seen.approvals == 0;
    assert!(world.shown.iter().any(|(_, s)| s.weight == bp(1000) && is_fresh(s)));
}

#[test]
fn an_approval_counts_for_what_is_held_at_that_moment_and_for_nothing_else() {
    let mut plan = plan(&[("a", &[]), ("b", &["a"])]);
    for function in plan.functions.values_mut() {
        function.outline = attended_plan().functions[&f("a")].outline.clone();
    }
    let mut world = World::new(&plan);
    world.strategy = careful;
    for (ms, function) in [
        (1, None),                // Nothing has begun.
        (60_000, Some("b")),      // `b` waits for `a`, not for a person.
        (60_000, Some("nobody")), // There is no such function.
        (300_000, Some("a")),     // Counts.
        (300_001, Some("a")),     // Once is enough: its strategy is being asked.
        (400_000, None),          // It bakes.
        (1_000_000, Some("a")),   // Counts.
        (4_000_000, Some("b")),   // `b` has timed out by then.
    ] {
        world.later(ms, approve(function));
    }
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert_eq!(outcome, Outcome::RolledBack { reason: "b: nobody came".into() });
    let approved = world.events.iter().filter(|e| matches!(e, Event::Approved { .. }));
    assert_eq!(approved.count(), 2);
    let notes: Vec<&str> = world
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Note { text } => text.strip_suffix(": what ana said does not count"),
            _ => None,
        })
        .collect();
    let (none, a) = ("nothing waits for an approval", "a waits for no approval");
    let expected = [none, "b waits for no approval", "nobody waits for no approval", a, none];
    assert_eq!(notes, expected);
}

#[test]
fn a_pause_before_the_first_shift_can_time_out() {
    let plan = attended_plan();
    let mut world = World::new(&plan);
    world.strategy = careful;
    let began = world.now;
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert_eq!(outcome, Outcome::RolledBack { reason: "a: nobody came".into() });
    let took = world.now.since(began);
    assert!(took >= Duration::from_mins(30) && took < Duration::from_mins(32), "{took:?}");
    assert!(!world.events.iter().any(|e| matches!(e, Event::Weight { .. })));
}

#[test]
fn a_pause_that_goes_on_is_one_decision() {
    let plan = attended_plan();
    let mut world = World::new(&plan);
    world.strategy = careful;
    world.later(1_500_000, approve(None));
    world.later(4_000_000, approve(None));
    let mut release = Release::new(plan, runner());
    assert_eq!(world.run(&mut release), Outcome::Done);
    assert!(world.shown.len() > 200, "asked again and again: {}", world.shown.len());
    // A pause and a shift, a bake, a pause and the promotion.
    assert_eq!(release.rollouts[&f("a")].asks, 5);
}

/// Wants a person's word as soon as the candidate takes traffic, and bakes then.
fn curious(seen: &Observation) -> Decision {
    match canary(seen) {
        Decision::Wait(_) if seen.approvals == 0 => Decision::Pause("seen it?".into()),
        decision => decision,
    }
}

#[test]
fn who_approved_before_a_touch_is_asked_again() {
    let plan = attended_plan();
    let mut world = World::new(&plan);
    world.strategy = curious;
    world.later(120_000, approve(None));
    let touched = world.now + Duration::from_mins(5);
    world.bumps.push((touched, f("a")));
    world.later(480_000, approve(None));
    assert_eq!(world.run(&mut Release::new(plan, runner())), Outcome::Done);
    let told = |is: fn(&Event) -> bool| world.events.iter().filter(|event| is(event)).count();
    assert_eq!(told(|event| matches!(event, Event::Touched { .. })), 1);
    assert_eq!(told(|event| matches!(event, Event::Paused { .. })), 2);
    assert_eq!(told(|event| matches!(event, Event::Approved { .. })), 2);
    let again = world.shown.iter().find(|(at, _)| *at > touched).map(|(_, seen)| seen.approvals);
    assert_eq!(again, Some(0));
}

#[test]
fn the_strategys_clock_starts_with_its_first_question() {
    let mut plan = plan(&[("a", &[])]);
    hold_while_red(&mut plan);
    let mut world = World::new(&plan);
    world.firing.insert(f("a"), Mono(0));
    let mut release = Release::new(plan, runner());
    world.later(0, Input::Start);
    let quiet = world.now + Duration::from_mins(40);
    while let Some(Due(at, _, Input2(input))) = world.queue.pop() {
        world.now = world.now.max(at);
        if at >= quiet {
            world.firing.clear();
        }
        for effect in release.step(world.now, input).unwrap() {
            world.perform(effect);
        }
        if !world.shown.is_empty() {
            break;
        }
    }
    let (at, seen) = world.shown[0];
    assert!(at >= quiet);
    assert_eq!(seen.bake_elapsed, Duration::ZERO);
}

/// Feeds a machine by hand: what it does is answered as the test says.
fn calls(effects: &[Effect]) -> Vec<(CallId, Object, CloudOp)> {
    let call = |effect: &Effect| match effect {
        Effect::Call { id, object, op, .. } => Some((*id, object.clone(), op.clone())),
        _ => None,
    };
    effects.iter().filter_map(call).collect()
}

fn outcome(effects: &[Effect]) -> Option<&Outcome> {
    effects.iter().find_map(|effect| match effect {
        Effect::Finish(outcome) => Some(outcome),
        _ => None,
    })
}

#[test]
fn a_lock_that_is_being_taken_when_the_release_is_given_up_is_given_back() {
    let plan = plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    let mut release = Release::new(plan, runner());
    let taken = calls(&release.step(world.now, Input::Start).unwrap());
    let abort = Input::Abort { by: "ana".into(), reason: "asked".into() };
    let effects = release.step(world.now, abort).unwrap();
    assert_eq!(outcome(&effects), None, "the write that takes the lock is under way");
    let (id, object, op) = &taken[0];
    let answer = world.call(object, op);
    let effects = release.step(world.now, Input::Answer { id: *id, answer }).unwrap();
    let (id, object, op) = &calls(&effects)[0];
    let answer = world.call(object, op);
    let effects = release.step(world.now, Input::Answer { id: *id, answer }).unwrap();
    assert!(matches!(outcome(&effects), Some(Outcome::NothingChanged { .. })), "{effects:?}");
    assert_eq!(world.lock().phase, LockPhase::RolledBack);
}

#[test]
fn a_person_who_asks_for_the_way_back_gets_it_even_where_failures_freeze() {
    let mut plan = plan(&[("a", &[])]);
    plan.on_failure = OnFailure::Freeze;
    let mut world = World::new(&plan);
    let abort = Input::Abort { by: "ana".into(), reason: "asked".into() };
    world.later(300_000, abort);
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(world.live("a").version, "1");
    assert_eq!(world.live("a").extra, None);
}

#[test]
fn a_touch_during_the_last_bake_begins_it_again() {
    let mut plan = plan(&[("a", &[])]);
    plan.functions.get_mut(&f("a")).unwrap().bake = Duration::from_mins(5);
    let touched = |at: Option<Duration>| {
        let mut world = World::new(&plan);
        if let Some(at) = at {
            // Somebody sets what is set already: another revision, the same content.
            world.hands.push((world.now + at, f("a"), 2));
        }
        let began = world.now;
        assert_eq!(world.run(&mut Release::new(plan.clone(), runner())), Outcome::Done);
        world.now.since(began)
    };
    let undisturbed = touched(None);
    // Ten minutes of canary, five of bake; the touch comes three minutes into the bake.
    let disturbed = touched(Some(Duration::from_mins(13)));
    assert!(disturbed >= undisturbed + Duration::from_mins(2), "{undisturbed:?} {disturbed:?}");
}

#[test]
fn a_decision_about_what_somebody_touched_since_does_not_count() {
    let plan = plan(&[("a", &[])]);
    let run = |touched: bool| {
        let mut world = World::new(&plan);
        world.thinks_ms = 24_000;
        let began = world.now;
        let mut release = Release::new(plan.clone(), runner());
        if touched {
            // Ten minutes of canary are over, and the strategy thinks about them.
            world.bumps.push((world.now + Duration::from_secs(668), f("a")));
        }
        assert_eq!(world.run(&mut release), Outcome::Done);
        world.now.since(began)
    };
    let (quiet, touched) = (run(false), run(true));
    assert!(touched >= quiet + Duration::from_mins(9), "{quiet:?} {touched:?}");
}

#[test]
fn an_alarm_that_is_missing_from_an_answer_is_not_quiet() {
    let plan = plan(&[("a", &[])]);
    let mut world = World::new(&plan);
    world.mute = Some(world.now + Duration::from_mins(5));
    let outcome = world.run(&mut Release::new(plan, runner()));
    assert!(
        matches!(&outcome, Outcome::RolledBack { reason } if reason.contains("could not tell")),
        "{outcome:?}"
    );
}

#[test]
fn a_lock_that_cannot_be_written_does_not_stop_the_way_back() {
    let plan = plan(&[("a", &[]), ("b", &["a"])]);
    let mut world = World::new(&plan);
    world.lock_denied = Some(world.now + Duration::from_mins(15));
    world.firing.insert(f("b"), world.now + Duration::from_mins(16));
    let outcome = world.run(&mut Release::new(plan, runner()));
    let Outcome::Stuck { todo, .. } = outcome else { panic!("{outcome:?}") };
    assert!(todo[0].contains("wavegate-live"), "{todo:?}");
    for name in ["a", "b"] {
        assert_eq!((world.live(name).version.as_str(), world.live(name).extra), ("1", None));
    }
}

#[test]
fn a_proof_may_take_as_long_as_lambda_needs_to_answer() {
    let reads_per_second = 15.0;
    for aliases in [1_usize, 100, 1_000, 10_000] {
        #[expect(clippy::cast_precision_loss, reason = "a test's numbers")]
        let needed = Duration::from_secs_f64(aliases as f64 / reads_per_second);
        assert!(limits::proof(aliases) > needed, "{aliases}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_the_end_is_all_new_or_all_old(
        faults in proptest::collection::btree_map(1..120_usize, prop::sample::select(vec!['t', 'l', 'd']), 0..12),
        fires in proptest::option::of((0..4_usize, 0..45_u64)),
        aborts in proptest::option::of(0..2_700_000_u64),
    ) {
        let plan = plan(DIAMOND);
        let names = ["a", "b", "c", "d"];
        let mut world = World::new(&plan);
        world.faults = faults;
        if let Some((which, minute)) = fires {
            world.firing.insert(f(names[which]), world.now + Duration::from_mins(minute));
        }
        if let Some(ms) = aborts {
            world.later(ms, Input::Abort { by: "ana".into(), reason: "asked".into() });
        }
        let outcome = world.run(&mut Release::new(plan, runner()));
        let versions: BTreeSet<&str> = names.iter().map(|n| world.live(n).version.as_str()).collect();
        prop_assert_eq!(versions.len(), 1);
        for name in names {
            prop_assert_eq!(world.live(name).extra, None);
            prop_assert_eq!(&world.live(name).description, &format!("text of {name}"));
        }
        match outcome {
            Outcome::Done => prop_assert!(versions.contains("2")),
            Outcome::RolledBack { .. } | Outcome::NothingChanged { .. } => prop_assert!(versions.contains("1")),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
