//! The machine in a storm: a model of Lambda's aliases that answers late, twice, stale or never,
//! with other hands, AWS's own weights, and faults of every kind, from one seed.
//!
//! The laws are checked by the model at every write it applies, and once more when everything that
//! was still on its way has landed. A failing seed is printed; `WAVEGATE_STORM_SEED` replays it and
//! `WAVEGATE_STORM_SEEDS` runs more of them.

#![expect(clippy::cast_possible_truncation, reason = "small numbers of one test")]

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use super::tests::{bp, component, plan, runner};
use super::*;
use crate::inventory::AliasState;
use crate::plan::{Action, Plan};
use crate::spec::{HookUse, IfAlreadyAlarming, OnFailure, RollbackScope};
use crate::time::Mono;
use crate::token::{LockPhase, LockRecord, Position, Token};

/// The oldest state that a read may show.
const STALE: u64 = 20_000;

/// The version that nobody planned.
const ODD: u64 = 9;

/// xorshift64*: fast, and the same everywhere.
struct Rng(u64);

impl Rng {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True once in `n`.
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// True with so many per mille.
    fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// A rate per mille that is zero in half of all seeds.
    fn rate(&mut self, most: u64) -> u64 {
        if self.one_in(2) { 0 } else { self.below(most) }
    }
}

/// Which faults this seed has, and how often, per mille of calls.
#[derive(Debug, Default)]
struct Weather {
    throttled: u64,
    lost_request: u64,
    lost_answer: u64,
    twice: u64,
    delayed: u64,
    stale: u64,
    slow: u64,
    queued: u64,
    late_timers: u64,
    blind: u64,
    partial: u64,
    transient: u64,
}

impl Weather {
    fn of(rng: &mut Rng) -> Self {
        if rng.one_in(8) {
            return Self::default();
        }
        Self {
            throttled: rng.rate(250),
            lost_request: rng.rate(100),
            lost_answer: rng.rate(150),
            twice: rng.rate(100),
            delayed: rng.rate(100),
            stale: rng.rate(500),
            slow: rng.rate(200),
            queued: rng.rate(150),
            late_timers: rng.rate(100),
            blind: rng.rate(200),
            partial: rng.rate(200),
            transient: rng.rate(1000),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Version(u64),
    Weights(u64, u16),
    Wipe,
    Terraform,
    Bump,
    Undone,
    Delete,
}

#[derive(Debug)]
enum What {
    Tell(Input),
    /// A call reaches the cloud.
    Arrive {
        id: Option<CallId>,
        object: Object,
        op: CloudOp,
        send_by: Option<Mono>,
        priority: Priority,
    },
    /// A write takes effect; `None`: nobody waits for the answer.
    Apply {
        id: Option<CallId>,
        object: Object,
        op: CloudOp,
        sent: Mono,
        answer: Deliver,
    },
    Hand(FunctionName, Hand),
    Undo(FunctionName, Box<AliasState>),
    Inject(FunctionName, VersionId),
    Clear(FunctionName),
}

#[derive(Debug, Clone, Copy)]
enum Deliver {
    After(u64),
    Conflict(u64),
    Never,
}

#[derive(Debug)]
struct Due(Mono, u64, What);
impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Due {}
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

/// What the model knows of one function beside its alias.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
struct Ghost {
    candidate: u64,
    /// The last state that no foreign hand made.
    ours: Option<AliasState>,
    /// The state that is there was made by somebody else, since then.
    foreign: Option<Mono>,
    /// Somebody else was here, be it without a trace.
    handled: bool,
    handled_at: Mono,
    written_at: Mono,
    /// Somebody deleted it.
    deleted: bool,
    last: Option<Token>,
    /// The weight in force and since when it has been, untouched by anybody.
    in_force: (Weight, Mono),
    /// When the alarms were read as quiet last.
    quiet: Option<Mono>,
    /// When alarms were read as quiet or excused, and when the machine was told.
    heard: Vec<(Mono, Mono)>,
    excused: bool,
    backed: bool,
}

#[derive(Debug, Default)]
struct Alarm {
    fires: Option<(Mono, Mono)>,
    unknown: Option<(Mono, Mono)>,
}

#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
struct Storm {
    seed: u64,
    rng: Rng,
    weather: Weather,
    now: Mono,
    queue: BinaryHeap<Due>,
    count: u64,
    cloud: BTreeMap<Object, Option<AliasState>>,
    history: BTreeMap<Object, Vec<(Mono, Option<AliasState>)>>,
    revisions: u64,
    plan: Plan,
    ghosts: BTreeMap<FunctionName, Ghost>,
    alarms: BTreeMap<FunctionName, Alarm>,
    denied: Option<(Object, Mono)>,
    prepare_fails: BTreeSet<FunctionName>,
    hook_fails: BTreeSet<(FunctionName, u8)>,
    events: Vec<(Mono, Event)>,
    outcome: Option<Outcome>,
    /// When the last lock write that was applied had been sent first.
    lock_sent: Option<Mono>,
    aborting_since: Option<Mono>,
    back_since: Option<Mono>,
    done_sent: Option<Mono>,
    /// Something that may put a release back happened.
    causes: Vec<String>,
    abort_at: Option<Mono>,
    culprit: Option<FunctionName>,
    stopped: bool,
    /// The machine dies then, and another one puts back what it left.
    dies: Option<Mono>,
    has_died: bool,
    /// What the second machine did not see, because it was not there yet.
    unseen: BTreeSet<FunctionName>,
    /// Strategies pause at every weight until a person says "go on", who is told then.
    pauses: bool,
    /// When a person last did.
    approved: BTreeMap<FunctionName, Mono>,
    aborts: u32,
    trace: bool,
    log: Vec<String>,
}

fn random_plan(rng: &mut Rng) -> Plan {
    let names = ["a", "b", "c", "d", "e", "g", "h", "i"];
    let count = rng.between(1, 8) as usize;
    let mut edges: Vec<(&str, Vec<&str>)> = Vec::new();
    for at in 0..count {
        let needs = (0..at).filter(|_| rng.one_in(3)).map(|need| names[need]).collect();
        edges.push((names[at], needs));
    }
    let edges: Vec<(&str, &[&str])> = edges.iter().map(|(n, e)| (*n, e.as_slice())).collect();
    let mut plan = plan(&edges);
    plan.max_parallel = rng.between(1, 8) as usize;
    plan.scope = [RollbackScope::App, RollbackScope::Dependents, RollbackScope::Function]
        [rng.below(3) as usize];
    if rng.one_in(8) {
        plan.on_failure = OnFailure::Freeze;
    }
    let kind = rng.below(4);
    for function in plan.functions.values_mut() {
        let first = kind == 0 || (kind == 1 && rng.one_in(3));
        if first {
            function.action = Action::First { exists: rng.one_in(2) };
            function.live = None;
        } else if kind == 2 {
            function.action = Action::Switch { stable: VersionId(1), target: VersionId(2) };
        }
        let steps = [bp(1000), bp(3000), bp(6000)];
        let bake = Duration::from_secs(rng.between(0, 5) * 60);
        function.outline.steps = steps[..rng.below(4) as usize]
            .iter()
            .map(|weight| crate::plan::OutlineStep {
                weight: *weight,
                bake_min: bake,
                bake_max: bake,
            })
            .collect();
        function.bake = Duration::from_secs(rng.below(3) * 60);
        let hook = || HookUse { hook: component("smoke"), timeout: Duration::from_mins(10) };
        for hooks in
            [&mut function.pre_traffic, &mut function.post_traffic, &mut function.on_rollback]
        {
            hooks.extend((0..rng.below(8).saturating_sub(5)).map(|_| hook()));
        }
        match rng.below(4) {
            0 => function.alarms.clear(),
            1 => function.alarms[0].alarm.if_already_alarming = IfAlreadyAlarming::Wait,
            2 => {
                function.alarms[0].alarm.if_already_alarming = IfAlreadyAlarming::Ignore;
                function.alarms[0].already_red = rng.one_in(2);
            }
            _ => {}
        }
    }
    plan
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        for _ in 0..8 {
            rng.next();
        }
        let plan = random_plan(&mut rng);
        let weather = Weather::of(&mut rng);
        let mut storm = Self {
            seed,
            weather,
            now: Mono(1_000_000),
            queue: BinaryHeap::new(),
            count: 0,
            cloud: BTreeMap::new(),
            history: BTreeMap::new(),
            revisions: 100,
            ghosts: BTreeMap::new(),
            alarms: BTreeMap::new(),
            denied: None,
            prepare_fails: BTreeSet::new(),
            hook_fails: BTreeSet::new(),
            events: vec![],
            outcome: None,
            lock_sent: None,
            aborting_since: None,
            back_since: None,
            done_sent: None,
            causes: vec![],
            abort_at: None,
            culprit: None,
            stopped: false,
            dies: None,
            has_died: false,
            unseen: BTreeSet::new(),
            pauses: false,
            approved: BTreeMap::new(),
            aborts: 0,
            trace: false,
            log: vec![],
            plan,
            rng,
        };
        storm.set_the_scene();
        storm
    }

    fn set_the_scene(&mut self) {
        let functions: Vec<_> = self.plan.functions.values().cloned().collect();
        for function in &functions {
            let name = function.name.clone();
            // It has been there for long.
            let live = Object::Live(name.clone());
            self.history.insert(live.clone(), vec![(Mono(0), function.live.clone())]);
            self.cloud.insert(live, function.live.clone());
            let is_same = matches!(function.action, Action::Update { .. }) && self.rng.one_in(10);
            let ghost = Ghost {
                candidate: if is_same { 1 } else { 2 },
                ours: function.live.clone(),
                in_force: (Weight::ZERO, self.now),
                ..Ghost::default()
            };
            self.ghosts.insert(name.clone(), ghost);
            let mut alarm = Alarm::default();
            if self.rng.one_in(12) {
                let from = self.moment();
                alarm.fires = Some((from, from + self.span(600_000)));
            }
            let planned = function.alarms.first();
            let waits =
                planned.is_some_and(|a| a.alarm.if_already_alarming == IfAlreadyAlarming::Wait);
            if planned.is_some_and(|a| a.already_red) || (waits && self.rng.one_in(3)) {
                alarm.fires = Some((Mono(0), self.moment()));
            }
            if self.rng.one_in(10) {
                let from = self.moment();
                alarm.unknown = Some((from, from + self.span(900_000)));
            }
            self.alarms.insert(name.clone(), alarm);
            if self.rng.one_in(40) {
                self.prepare_fails.insert(name.clone());
            }
            for phase in 0..3 {
                if self.rng.one_in(25) {
                    self.hook_fails.insert((name.clone(), phase));
                }
            }
        }
        self.people(&functions.iter().map(|f| f.name.clone()).collect::<Vec<_>>());
    }

    fn people(&mut self, names: &[FunctionName]) {
        if self.rng.one_in(3) {
            let at = self.moment();
            self.abort_at = Some(at);
            let by = "ana".to_owned();
            self.at(at, What::Tell(Input::Abort { by, reason: "asked".into() }));
        }
        if self.rng.one_in(3) {
            for _ in 0..self.rng.between(1, 3) {
                let name = names[self.rng.below(names.len() as u64) as usize].clone();
                let hand = match self.rng.below(9) {
                    0 => Hand::Version(ODD),
                    1 => Hand::Version(1),
                    2 => Hand::Version(2),
                    3 => Hand::Weights(2, 5000),
                    4 => Hand::Wipe,
                    5 => Hand::Terraform,
                    6 => Hand::Bump,
                    7 => Hand::Undone,
                    _ => Hand::Delete,
                };
                let at = self.moment();
                self.at(at, What::Hand(name, hand));
            }
        }
        // Its own source: whether a machine dies changes nothing else of a seed.
        let mut fate = Rng::new(self.seed ^ 0x5eed);
        // Seeds from before machines died keep the story that they are kept for.
        let is_old = self.seed < 3_000_000 && REGRESSIONS.contains(&self.seed);
        if !is_old && fate.one_in(6) {
            let most = [20_000, 200_000, 1_000_000, 3_000_000][fate.below(4) as usize];
            self.dies = Some(self.now + Duration::from_millis(fate.below(most)));
        }
        self.pauses = !REGRESSIONS.contains(&self.seed) && fate.one_in(4);
        if self.rng.one_in(12) {
            let name = names[self.rng.below(names.len() as u64) as usize].clone();
            let object = match self.rng.below(5) {
                0 => Object::Lock,
                1 => Object::Pin(name),
                _ => Object::Live(name),
            };
            let at = if self.rng.one_in(4) { Mono(0) } else { self.moment() };
            self.denied = Some((object, at));
        }
    }

    /// Some moment of the release, early ones more often.
    fn moment(&mut self) -> Mono {
        let most = [2_000, 20_000, 200_000, 1_000_000, 3_000_000][self.rng.below(5) as usize];
        let span = self.span(most);
        Mono(1_000_000) + span
    }

    fn span(&mut self, most_ms: u64) -> Duration {
        Duration::from_millis(self.rng.below(most_ms))
    }

    fn at(&mut self, at: Mono, what: What) {
        self.count += 1;
        self.queue.push(Due(at, self.count, what));
    }

    fn later(&mut self, ms: u64, what: What) {
        let at = self.now + Duration::from_millis(ms);
        self.at(at, what);
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.trace {
            let line = format!("{:>9} {}", self.now.0 - 1_000_000, text());
            self.log.push(line);
        }
    }

    #[track_caller]
    fn law(&self, holds: bool, law: &str, about: impl FnOnce() -> String) {
        if !holds {
            for line in &self.log {
                println!("{line}");
            }
            panic!("seed {}: {law}: {}", self.seed, about());
        }
    }

    // ---- the cloud ---------------------------------------------------------------------------

    fn state(&self, object: &Object) -> Option<&AliasState> {
        self.cloud.get(object)?.as_ref()
    }

    fn put(&mut self, object: &Object, state: Option<AliasState>) {
        self.history.entry(object.clone()).or_default().push((self.now, state.clone()));
        self.cloud.insert(object.clone(), state);
    }

    fn seen(&mut self, object: &Object) -> Option<AliasState> {
        if !self.rng.chance(self.weather.stale) {
            return self.state(object).cloned();
        }
        let age = self.rng.below(STALE);
        let as_of = Mono(self.now.0.saturating_sub(age));
        let history = self.history.get(object)?;
        history.iter().rev().find(|(at, _)| *at <= as_of).and_then(|(_, state)| state.clone())
    }

    fn revision(&mut self) -> String {
        self.revisions += 1;
        format!("r{}", self.revisions)
    }

    fn call(
        &mut self,
        (id, priority): (CallId, Priority),
        object: Object,
        op: CloudOp,
        send_by: Option<Mono>,
    ) {
        let queued = if self.rng.chance(self.weather.queued) { self.rng.below(70_000) } else { 0 };

        self.later(queued, What::Arrive { id: Some(id), object, op, send_by, priority });
    }

    fn arrive(&mut self, id: CallId, object: Object, op: CloudOp, send_by: Option<Mono>) {
        let failed = |class, text: &str| Answer::Failed(Fault { class, text: text.to_owned() });
        let mut ms = self.rng.between(20, 200);
        if self.rng.chance(self.weather.slow) {
            ms = self.rng.between(200, 20_000);
        }
        if send_by.is_some_and(|limit| self.now > limit) {
            let answer = failed(FaultClass::Passing, "too late");
            self.later(0, What::Tell(Input::Answer { id, answer }));
            return;
        }
        if self.rng.chance(self.weather.throttled) {
            let answer = failed(FaultClass::Passing, "429");
            self.later(ms, What::Tell(Input::Answer { id, answer }));
            return;
        }
        if op == CloudOp::Get {
            let is_lost = self.rng.chance(self.weather.lost_request);
            let answer = if is_lost {
                failed(FaultClass::Passing, "timeout")
            } else {
                Answer::Alias(self.seen(&object))
            };
            self.note(|| format!("read {object:?} -> {answer:?}"));
            self.later(ms, What::Tell(Input::Answer { id, answer }));
            return;
        }
        let is_denied =
            self.denied.as_ref().is_some_and(|(o, from)| *o == object && self.now >= *from);
        if is_denied {
            self.causes.push("denied".into());
            let answer = failed(FaultClass::Refused, "AccessDenied");
            self.note(|| format!("denied {object:?} {op:?}"));
            self.later(ms, What::Tell(Input::Answer { id, answer }));
            return;
        }
        // A creation has no revision id: one that lands long after it was given up cannot be told
        // from a new one, nor be stopped. Nothing is done about it.
        let is_creation = matches!((&object, &op), (Object::Live(_), CloudOp::Create { .. }));
        self.judge_sending(&object, &op);
        let sent = self.now;
        let timeout = self.rng.between(5_000, 60_000);
        let lost = Input::Answer { id, answer: failed(FaultClass::Passing, "timeout") };
        if self.rng.chance(self.weather.lost_request) {
            self.later(timeout, What::Tell(lost));
        } else if self.rng.chance(self.weather.lost_answer) {
            self.later(timeout, What::Tell(lost));
            let answer = Deliver::Never;
            self.later(ms, What::Apply { id: None, object, op, sent, answer });
        } else if !is_creation && self.rng.chance(self.weather.delayed) {
            let delay = self.rng.between(1_000, 400_000);
            self.later(timeout, What::Tell(lost));
            let answer = Deliver::Never;
            self.later(delay, What::Apply { id: None, object, op, sent, answer });
        } else {
            let answer = if self.rng.chance(self.weather.twice) {
                Deliver::Conflict(ms)
            } else {
                Deliver::After(ms)
            };
            self.later(ms, What::Apply { id: Some(id), object, op, sent, answer });
        }
    }

    fn apply(
        &mut self,
        id: Option<CallId>,
        object: &Object,
        op: &CloudOp,
        sent: Mono,
        deliver: Deliver,
    ) {
        let conflict = || Answer::Failed(Fault { class: FaultClass::Conflict, text: "412".into() });
        let now = self.state(object).cloned();
        let next = match (op, now.clone()) {
            (CloudOp::Create { version, description }, None) => Some(AliasState {
                name: "live".into(),
                version: version.map_or_else(|| "$LATEST".to_owned(), |v| v.to_string()),
                extra: None,
                description: description.clone(),
                revision: self.revision(),
            }),
            (CloudOp::Update { base, routing, description }, Some(mut state))
                if state.revision == *base =>
            {
                if let Some((main, extra)) = routing {
                    state.version = main.to_string();
                    state.extra = *extra;
                }
                state.description.clone_from(description);
                state.revision = self.revision();
                Some(state)
            }
            (CloudOp::Delete, _) => None,
            _ => {
                self.note(|| format!("412 {object:?} {op:?}"));
                if let (Some(id), Deliver::After(ms) | Deliver::Conflict(ms)) = (id, deliver) {
                    self.later(ms, What::Tell(Input::Answer { id, answer: conflict() }));
                }
                return;
            }
        };
        self.note(|| format!("applied {object:?} {op:?}"));
        self.judge_write(object, op, sent, now.as_ref(), next.as_ref());
        self.put(object, next.clone());
        self.after_write(object, op, now.as_ref(), next.as_ref());
        let answer = match (deliver, op) {
            (Deliver::Conflict(_) | Deliver::After(_), CloudOp::Delete) => Answer::Deleted,
            (Deliver::Conflict(_), _) => conflict(),
            _ => Answer::Alias(next),
        };
        if let (Some(id), Deliver::After(ms) | Deliver::Conflict(ms)) = (id, deliver) {
            self.later(ms, What::Tell(Input::Answer { id, answer }));
        }
    }

    /// Provisioned concurrency: AWS routes to the version that was left until the new one is ready.
    fn after_write(
        &mut self,
        object: &Object,
        op: &CloudOp,
        before: Option<&AliasState>,
        after: Option<&AliasState>,
    ) {
        let Object::Live(name) = object else { return };
        let (Some(before), Some(after)) = (before, after) else { return };
        if !matches!(op, CloudOp::Update { .. })
            || before.version == after.version
            || after.extra.is_some()
            || !self.rng.chance(self.weather.transient)
        {
            return;
        }
        let Some(old) = before.main() else { return };
        let name = name.clone();
        let ms = if self.rng.one_in(2) { 0 } else { self.rng.below(3_000) };
        self.later(ms, What::Inject(name, old));
    }

    fn inject(&mut self, name: &FunctionName, old: VersionId) {
        let object = Object::Live(name.clone());
        let Some(mut state) = self.state(&object).cloned() else { return };
        let is_there = self.ghosts[name].foreign.is_none();
        if !is_there || state.extra.is_some() || state.main() == Some(old) {
            return;
        }
        state.extra = Some(ExtraVersion { version: old, weight: Weight::FULL });
        state.revision = self.revision();
        self.note(|| format!("AWS routes {name} to {old} for a while"));
        self.put(&object, Some(state.clone()));
        self.ghosts.get_mut(name).unwrap().ours = Some(state);
        let ms = self.rng.between(1_000, 300_000);
        self.later(ms, What::Clear(name.clone()));
    }

    fn clear(&mut self, name: &FunctionName) {
        let object = Object::Live(name.clone());
        let Some(mut state) = self.state(&object).cloned() else { return };
        if state.extra.is_none_or(|extra| extra.weight != Weight::FULL) {
            return;
        }
        state.extra = None;
        state.revision = self.revision();
        self.note(|| format!("AWS is done with {name}"));
        self.put(&object, Some(state.clone()));
        let ghost = self.ghosts.get_mut(name).unwrap();
        if ghost.foreign.is_none() {
            ghost.ours = Some(state);
        }
    }

    fn hand(&mut self, name: &FunctionName, hand: Hand) {
        let object = Object::Live(name.clone());
        let Some(before) = self.state(&object).cloned() else { return };
        let mut state = before.clone();
        state.revision = self.revision();
        match hand {
            Hand::Version(version) => {
                state.version = version.to_string();
                state.extra = None;
            }
            Hand::Weights(version, weight) => {
                let version = VersionId(version);
                if state.main() == Some(version) {
                    state.version = "1".into();
                }
                state.extra = Some(ExtraVersion { version, weight: bp(weight) });
            }
            Hand::Wipe => state.description = String::new(),
            Hand::Terraform => {
                state.version = "1".into();
                state.extra = None;
                state.description = "managed".into();
            }
            Hand::Bump | Hand::Delete => {}
            Hand::Undone => {
                state.version = ODD.to_string();
                state.extra = None;
                let ms = self.rng.between(500, 30_000);
                self.later(ms, What::Undo(name.clone(), Box::new(before)));
            }
        }
        self.note(|| format!("hand on {name}: {hand:?}"));
        let next = (hand != Hand::Delete).then_some(state);
        self.by_hand(name, next.as_ref());
    }

    fn undo(&mut self, name: &FunctionName, mut state: AliasState) {
        let object = Object::Live(name.clone());
        if self.state(&object).is_none_or(|now| now.version != ODD.to_string()) {
            return;
        }
        state.revision = self.revision();
        self.note(|| format!("hand on {name}: undone"));
        self.by_hand(name, Some(&state));
    }

    fn by_hand(&mut self, name: &FunctionName, next: Option<&AliasState>) {
        self.put(&Object::Live(name.clone()), next.cloned());
        let now = self.now;
        let ghost = self.ghosts.get_mut(name).unwrap();
        ghost.handled = true;
        ghost.handled_at = now;
        ghost.deleted |= next.is_none();
        ghost.in_force.1 = now;
        let is_same = match (next, &ghost.ours) {
            // Whoever takes AWS's own weights away does what AWS will do.
            (Some(next), Some(ours)) => {
                next.same_content(ours)
                    || (next.description == ours.description
                        && Token::decode(&next.description).is_some_and(|token| {
                            next.main().is_some_and(|main| (main, next.extra) == token.routing())
                        }))
            }
            _ => false,
        };
        ghost.foreign = (!is_same).then_some(now);
        if !is_same {
            self.causes.push(format!("a hand on {name}"));
        }
    }

    // ---- the laws ----------------------------------------------------------------------------

    /// What holds whenever a write is sent.
    fn judge_sending(&mut self, object: &Object, op: &CloudOp) {
        let (Object::Live(name), CloudOp::Update { base, description, .. }) = (object, op) else {
            return;
        };
        let is_probe = self.history[object].iter().any(|(_, state)| {
            state.as_ref().is_some_and(|s| s.revision == *base && s.description == *description)
        });
        let is_restore = Token::decode(description).is_none();
        let is_lockless = self.denied.as_ref().is_some_and(|(o, _)| *o == Object::Lock);
        let proven = self.lock_sent.is_some_and(|sent| self.now.since(sent) <= limits::LEASE / 2);
        self.law(proven || is_probe || is_restore || is_lockless, "I19", || {
            format!("{name} written without a proven lock: {description}")
        });
    }

    /// What holds whenever a write is applied.
    fn judge_write(
        &mut self,
        object: &Object,
        op: &CloudOp,
        sent: Mono,
        before: Option<&AliasState>,
        after: Option<&AliasState>,
    ) {
        match object {
            Object::Lock => self.judge_lock(sent, before, after),
            Object::Live(name) => self.judge_live(&name.clone(), op, sent, before, after),
            Object::Pin(_) => {}
        }
    }

    fn judge_lock(&mut self, sent: Mono, before: Option<&AliasState>, after: Option<&AliasState>) {
        let read = |state: &AliasState| LockRecord::decode(&state.description);
        let record = after.and_then(read).expect("a record");
        if let Some(was) = before.and_then(read) {
            self.law(record.epoch >= was.epoch, "I17", || format!("{was:?} -> {record:?}"));
            let is_sticky = was.phase != LockPhase::Aborting
                || !matches!(record.phase, LockPhase::Running | LockPhase::Done);
            self.law(is_sticky, "I6", || format!("{was:?} -> {record:?}"));
        }
        self.lock_sent = self.lock_sent.max(Some(sent));
        match record.phase {
            LockPhase::Aborting => {
                self.aborting_since.get_or_insert(self.now);
            }
            LockPhase::Done => {
                self.done_sent = Some(sent);
                for (name, ghost) in self.ghosts.iter().filter(|(_, g)| g.candidate != 1) {
                    let state = self.state(&Object::Live(name.clone()));
                    let is_new = state
                        .is_some_and(|s| s.version == ghost.candidate.to_string() && !split(s));
                    // What changed shortly before cannot have been seen.
                    let seen_for = limits::PROOF.as_millis() as u64 + STALE + 45_000;
                    let is_recent = ghost.foreign.is_some_and(|at| at.0 + seen_for >= sent.0);
                    self.law(is_new || is_recent, "I11", || format!("{name} is {state:?}"));
                }
            }
            _ => {}
        }
    }

    fn judge_live(
        &mut self,
        name: &FunctionName,
        op: &CloudOp,
        sent: Mono,
        before: Option<&AliasState>,
        after: Option<&AliasState>,
    ) {
        let ghost = &self.ghosts[name];
        // A deletion cannot be conditional: the time after the mark is the one hole there is.
        let is_known = ghost.foreign.is_some_and(|at| at + 2 * limits::MARK <= sent);
        match op {
            CloudOp::Delete => {
                self.law(!is_known, "I1", || format!("{name}: deleted {before:?}"));
                let ghost = self.ghosts.get_mut(name).unwrap();
                ghost.ours = None;
                ghost.foreign = None;
                return;
            }
            CloudOp::Update { routing: Some(_), .. } => {
                self.law(ghost.foreign.is_none(), "I1", || {
                    format!("{name}: {before:?} -> {after:?}")
                });
            }
            CloudOp::Update { description, .. } => {
                let is_same = before.is_some_and(|b| b.description == *description);
                if is_same {
                    return; // A probe changes nothing.
                }
                let is_claim = Token::decode(description)
                    .is_some_and(|t| t.position == Position::Forward && t.weight == Weight::ZERO);
                let neutral = before.is_some_and(|b| b.version == "1" && b.extra.is_none());
                self.law(ghost.foreign.is_none() || (is_claim && neutral), "I1", || {
                    format!("{name}: {before:?} -> {after:?}")
                });
            }
            _ => {}
        }
        let after = after.unwrap();
        let allowed = |version: VersionId| version.0 == 1 || version.0 == ghost.candidate;
        let is_legal = after.main().is_some_and(allowed)
            && after.extra.is_none_or(|e| allowed(e.version) && after.main() != Some(e.version));
        self.law(is_legal, "I2", || format!("{name}: {after:?}"));
        let token = Token::decode(&after.description);
        if let Some(token) = &token {
            self.judge_token(name, sent, before, after, token);
        }
        let now = self.now;
        let ghost = self.ghosts.get_mut(name).unwrap();
        ghost.ours = Some(after.clone());
        ghost.foreign = None;
        ghost.written_at = now;
        if let Some(token) = token {
            let weight =
                if token.position == Position::Promoted { Weight::FULL } else { token.weight };
            ghost.in_force = (weight, now);
            ghost.last = Some(token);
        }
    }

    fn judge_token(
        &mut self,
        name: &FunctionName,
        sent: Mono,
        before: Option<&AliasState>,
        after: &AliasState,
        token: &Token,
    ) {
        let lock = self.state(&Object::Lock).and_then(|l| LockRecord::decode(&l.description));
        let lock = lock.expect("no alias is written without a lock");
        let ghost = &self.ghosts[name];
        let settling = after.extra.is_some_and(|e| e.weight == Weight::FULL);
        let agree = (after.main().unwrap(), after.extra) == token.routing();
        self.law(agree || settling, "record and routing are one", || format!("{after:?}"));
        let weight = if token.position == Position::Promoted { Weight::FULL } else { token.weight };
        let is_first = token.stable.is_none();
        if token.position == Position::Back {
            self.back_since.get_or_insert(self.now);
            self.ghosts.get_mut(name).unwrap().backed = true;
            self.judge_back(name);
            return;
        }
        let (was, since) = ghost.in_force;
        if weight <= was && !is_first {
            return;
        }
        // It grows.
        let rising = |what: Option<Mono>| what.is_some_and(|at| sent > at);
        self.law(!rising(self.aborting_since), "I6", || format!("{name} after the abort"));
        self.law(!rising(self.back_since), "I6", || format!("{name} after a way back"));
        self.law(!ghost.backed, "I6", || format!("{name} came again"));
        self.law(lock.claimed == lock.functions || is_first, "I20", || format!("{name}"));
        for need in &self.plan.functions[name].depends_on {
            let other = &self.ghosts[need];
            let is_done = other.candidate == 1
                || other.last.as_ref().is_some_and(|t| t.position == Position::Promoted);
            self.law(is_done || other.handled, "I5", || format!("{name} before {need}"));
        }
        if is_first {
            return;
        }
        let approved = self.approved.get(name).copied().unwrap_or_default();
        // Whatever anybody did to the alias, a person has said "go on" since.
        let is_approved = !self.pauses || (approved > since && approved <= sent);
        self.law(is_approved, "approval", || format!("{name}: {was}, approved {}", approved.0));
        if was == Weight::ZERO {
            return;
        }
        let bake = self.plan.functions[name].outline.steps[0].bake_min;
        let before = before.map(|b| b.revision.clone());
        self.law(sent >= since + bake, "I3 bake", || {
            format!("{name}: {was} since {}, sent {}, {before:?}", since.0, sent.0)
        });
        let is_watched = !self.plan.functions[name].alarms.is_empty();
        let heard = ghost.heard.iter().any(|(at, told)| *at >= since + bake && *told <= sent);
        let is_quiet = heard;
        self.law(is_quiet || !is_watched, "I3 alarms", || {
            format!("{name}: {was} since {}, quiet {:?}", since.0, ghost.quiet)
        });
    }

    fn judge_back(&self, name: &FunctionName) {
        self.law(self.aborting_since.is_some() || self.is_lock_denied(), "abort first", || {
            name.to_string()
        });
        if self.culprit.as_ref() == Some(name) {
            return;
        }
        for (other, function) in &self.plan.functions {
            let ghost = &self.ghosts[other];
            let carries = ghost.last.as_ref().is_some_and(|t| {
                t.position == Position::Promoted
                    || (t.position == Position::Forward && t.weight > Weight::ZERO)
            }) && self.state(&Object::Live(other.clone())).is_some();
            let excused = ghost.handled
                || self.denied.as_ref().is_some_and(|(o, _)| *o == Object::Live(other.clone()));
            let is_dependant = function.depends_on.contains(name);
            self.law(!is_dependant || !carries || excused, "I5 back", || {
                format!("{name} before {other}")
            });
        }
    }

    fn is_lock_denied(&self) -> bool {
        self.denied.as_ref().is_some_and(|(object, _)| *object == Object::Lock)
    }

    // ---- the machine's other effects ---------------------------------------------------------

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Call { id, priority, object, op, send_by } => {
                self.call((id, priority), object, op, send_by);
            }
            Effect::Timer { id, at } => {
                let late = if self.rng.chance(self.weather.late_timers) {
                    self.rng.below(5_000)
                } else {
                    0
                };
                let at = at + Duration::from_millis(late);
                self.at(at, What::Tell(Input::Timer { id }));
            }
            Effect::Prepare { function } => self.prepare(function),
            Effect::Decide { function, ask, observation, state } => {
                let (ms, result) = self.decide(&function, observation, state);
                self.later(ms, What::Tell(Input::Decided { function, ask, result }));
            }
            Effect::RunHook { function, phase, index, .. } => self.run_hook(function, phase, index),
            // No function of these apps is CodeDeploy's.
            Effect::Delegate { .. } | Effect::Halt { .. } => {}
            Effect::ReadAlarms { ask, subjects } => self.read_alarms(ask, &subjects),
            Effect::Prune { function, .. } => {
                self.later(100, What::Tell(Input::Pruned { function }));
            }
            Effect::Report(event) => {
                self.note(|| format!("{event:?}"));
                if let Event::Aborting { culprit, reason } = &event {
                    if reason.contains("(tried for ") || reason.contains("within its time") {
                        self.causes.push(reason.clone());
                    }
                    self.culprit.clone_from(culprit);
                    self.aborts += 1;
                }
                self.answer(&event);
                self.events.push((self.now, event));
            }
            Effect::StopWork => self.stopped = true,
            Effect::Finish(outcome) => {
                self.note(|| format!("{outcome:?}"));
                self.outcome = Some(outcome);
            }
        }
    }

    /// Whoever is told of a pause says "go on" some time later, to it or to all; some say it twice.
    fn answer(&mut self, event: &Event) {
        match event {
            Event::Paused { function, .. } => {
                for _ in 0..self.rng.between(1, 2) {
                    let function = self.rng.one_in(2).then(|| function.clone());
                    let ms = self.rng.below(200_000);
                    let by = "ana".to_owned();
                    self.later(ms, What::Tell(Input::Approve { function, by }));
                }
            }
            Event::Approved { function, .. } => {
                self.approved.insert(function.clone(), self.now);
            }
            _ => {}
        }
    }

    fn prepare(&mut self, function: FunctionName) {
        let ms = self.rng.between(500, 60_000);
        let result = if self.prepare_fails.contains(&function) {
            self.causes.push("prepare".into());
            Err("denied".to_owned())
        } else {
            let version = VersionId(self.ghosts[&function].candidate);
            Ok(Prepared { version, arn: format!("arn:{function}") })
        };
        self.later(ms, What::Tell(Input::Prepared { function, result }));
    }

    /// Climbs its outline, as the strategies that ship do, but counts its steps in its state.
    fn decide(
        &mut self,
        name: &FunctionName,
        seen: Observation,
        _: Option<Opaque>,
    ) -> (u64, Result<(Decision, Opaque), String>) {
        let ms = if self.rng.one_in(50) { 30_000 } else { 0 };
        let outline = &self.plan.functions[name].outline;
        let bake = outline.steps.first().map(|step| step.bake_min).unwrap_or_default();
        let decision = if seen.alarms_firing > 0 {
            Decision::Rollback("alarm".into())
        } else if seen.weight > Weight::ZERO && seen.bake_elapsed < bake {
            Decision::Wait(bake.saturating_sub(seen.bake_elapsed))
        } else if self.pauses && seen.approvals == 0 {
            Decision::Pause("a person".into())
        } else {
            outline
                .steps
                .iter()
                .find(|step| step.weight > seen.weight)
                .map_or(Decision::Promote, |step| Decision::Shift(step.weight))
        };
        (ms, Ok((decision, Opaque("1".into()))))
    }

    fn run_hook(&mut self, function: FunctionName, phase: HookPhase, index: usize) {
        let number = match phase {
            HookPhase::PreTraffic => 0,
            HookPhase::PostTraffic => 1,
            HookPhase::OnRollback => 2,
        };
        let fails = self.hook_fails.contains(&(function.clone(), number));
        let hangs = self.rng.one_in(40);
        let ms = if hangs { 600_000 } else { self.rng.between(100, 20_000) };
        if (fails || hangs) && phase != HookPhase::OnRollback {
            self.causes.push(format!("hook of {function}"));
        }
        let result = if fails || hangs { Err("no".to_owned()) } else { Ok(()) };
        self.later(ms, What::Tell(Input::Hooked { function, phase, index, result }));
    }

    fn read_alarms(&mut self, ask: u64, subjects: &[AlarmSubject]) {
        let ms = self.rng.between(50, 3_000);
        if self.rng.chance(self.weather.blind) {
            self.causes.push("blind".into());
            let result = Err("throttled".to_owned());
            self.later(ms, What::Tell(Input::Alarms { ask, result }));
            return;
        }
        let mut readings = Vec::new();
        for subject in subjects {
            let name = subject.function.clone();
            if self.rng.chance(self.weather.partial) {
                self.causes.push("partial".into());
                continue;
            }
            let alarm = &self.alarms[&name];
            let now = self.now;
            let within =
                |span: Option<(Mono, Mono)>| span.is_some_and(|(from, to)| from <= now && now < to);
            let status = match (within(alarm.fires), within(alarm.unknown)) {
                (true, _) => AlarmStatus::Firing,
                (_, true) => AlarmStatus::Unknown,
                _ => AlarmStatus::Ok,
            };
            if status != AlarmStatus::Ok {
                self.causes.push(format!("alarm of {name}"));
            }
            let red = self.plan.functions[&name].alarms[0].already_red;
            let ghost = self.ghosts.get_mut(&name).unwrap();
            ghost.excused = red && ghost.quiet.is_none();
            if status == AlarmStatus::Ok {
                ghost.quiet = Some(now);
                ghost.excused = false;
            } else if !ghost.excused {
                ghost.quiet = Some(Mono(0));
            }
            if ghost.excused || status == AlarmStatus::Ok {
                ghost.heard.push((now, now + Duration::from_millis(ms)));
            }
            readings.push(Reading {
                function: name,
                alarm: "errors".into(),
                status,
                detail: "3/4".into(),
            });
        }
        self.later(ms, What::Tell(Input::Alarms { ask, result: Ok(readings) }));
    }

    // ---- the run -----------------------------------------------------------------------------

    fn run(&mut self) -> Outcome {
        let mut release = Release::new(self.plan.clone(), runner());
        self.later(0, What::Tell(Input::Start));
        let mut steps = 0_u32;
        while self.outcome.is_none() {
            if self.dies.is_some_and(|at| at <= self.now) {
                match self.second_machine() {
                    Some(second) => release = second,
                    None => break,
                }
                self.later(0, What::Tell(Input::Start));
            }
            let Some(Due(at, _, what)) = self.queue.pop() else {
                self.law(false, "I24", || "it waits for nothing".to_owned());
                break;
            };
            self.now = self.now.max(at);
            steps += 1;
            self.law(steps < 100_000, "I22", || "it does not end".to_owned());
            match what {
                What::Tell(input) => {
                    self.note(|| format!("told {input:?}"));
                    let effects = release.step(self.now, input);
                    self.law(effects.is_ok(), "legal moves", || format!("{effects:?}"));
                    let mut is_over = false;
                    for effect in effects.unwrap_or_default() {
                        let is_quiet = !matches!(effect, Effect::Call { .. });
                        self.law(!is_over || is_quiet, "nothing after the end", || {
                            format!("{effect:?}")
                        });
                        is_over |= matches!(effect, Effect::Finish(_));
                        self.perform(effect);
                    }
                }
                other => self.world(other),
            }
        }
        // Whatever is still on its way lands.
        while let Some(Due(at, _, what)) = self.queue.pop() {
            self.now = self.now.max(at);
            match what {
                What::Tell(_) | What::Hand(..) | What::Undo(..) | What::Arrive { .. } => {}
                other => self.world(other),
            }
        }
        self.outcome.clone().unwrap_or(Outcome::NothingChanged { reason: "it died".into() })
    }

    /// The machine dies: what it has sent still lands. A while later another one looks at what it
    /// left. `None`: there is nothing to put back.
    fn second_machine(&mut self) -> Option<Release> {
        self.note(|| "dies".to_owned());
        self.dies = None;
        self.has_died = true;
        self.stopped = false;
        self.culprit = None;
        self.causes.push("it died".into());
        let wakes = self.now + Duration::from_secs(self.rng.between(60, 300));
        for Due(at, count, what) in std::mem::take(&mut self.queue) {
            match what {
                What::Tell(Input::Abort { .. }) => self.queue.push(Due(at, count, what)),
                What::Tell(_) | What::Arrive { .. } => {}
                What::Apply { object, op, sent, .. } => {
                    let answer = Deliver::Never;
                    let what = What::Apply { id: None, object, op, sent, answer };
                    self.queue.push(Due(at, count, what));
                }
                other => self.queue.push(Due(at, count, other)),
            }
        }
        while self.queue.peek().is_some_and(|due| due.0 <= wakes) {
            let Due(at, _, what) = self.queue.pop()?;
            self.now = self.now.max(at);
            self.world(what);
        }
        self.now = wakes;
        let lock = self.seen(&Object::Lock)?;
        let record = LockRecord::decode(&lock.description)?;
        if record.phase.is_over() {
            return None;
        }
        let mut plan = self.plan.clone();
        plan.lock = Some(lock);
        plan.on_failure = OnFailure::Rollback;
        plan.scope = RollbackScope::App;
        let names: Vec<_> = plan.functions.keys().cloned().collect();
        for name in names {
            let live = self.seen(&Object::Live(name.clone()));
            let token = live.as_ref().and_then(|live| Token::decode(&live.description));
            let Some(token) = token else {
                plan.functions.remove(&name);
                self.unseen.insert(name);
                continue;
            };
            let pin = self.state(&Object::Pin(name.clone())).cloned();
            let function = plan.functions.get_mut(&name)?;
            function.live = live;
            function.pin = pin;
            function.action = match token.stable {
                Some(stable) => Action::Switch { stable, target: token.candidate },
                None => Action::First { exists: true },
            };
        }
        for function in plan.functions.values_mut() {
            function.depends_on.retain(|need| !self.unseen.contains(need));
        }
        plan.order.retain(|name| !self.unseen.contains(name));
        self.plan.scope = RollbackScope::App;
        let runner = Runner { owner: "bob@ci".into(), seed: 77, ..runner() };
        Some(Release::put_back(plan, runner, "asked".into()))
    }

    fn world(&mut self, what: What) {
        match what {
            What::Tell(_) => {}
            What::Arrive { id, object, op, send_by, priority } => {
                let is_stopped = self.stopped && priority == Priority::Forward;
                let send_by = if is_stopped { Some(Mono(0)) } else { send_by };
                self.arrive(id.expect("an id"), object, op, send_by);
            }
            What::Apply { id, object, op, sent, answer } => {
                self.apply(id, &object, &op, sent, answer);
            }
            What::Hand(name, hand) => self.hand(&name, hand),
            What::Undo(name, state) => self.undo(&name, *state),
            What::Inject(name, old) => self.inject(&name, old),
            What::Clear(name) => self.clear(&name),
        }
    }

    /// What holds when all is over.
    fn judge_end(&self, outcome: &Outcome) {
        let is_hand_free = self.ghosts.values().all(|g| !g.handled);
        let contests: Vec<_> =
            self.events.iter().filter(|(_, e)| matches!(e, Event::Contested { .. })).collect();
        self.law(contests.is_empty() || !is_hand_free, "I15", || format!("{contests:?}"));
        let phase = self
            .state(&Object::Lock)
            .and_then(|l| LockRecord::decode(&l.description))
            .map(|record| record.phase);
        let mild = is_hand_free && self.denied.is_none();
        match outcome {
            Outcome::Done => {
                let late = self.done_sent.zip(self.abort_at).is_none_or(|(d, a)| a >= d);
                let _ = late;
                self.law(phase == Some(LockPhase::Done), "I13", || format!("{phase:?}"));
            }
            Outcome::RolledBack { .. } => {
                self.law(phase == Some(LockPhase::RolledBack), "I13", || format!("{phase:?}"));
                self.judge_cause();
            }
            Outcome::NothingChanged { .. } => {
                let is_left = !mild || self.has_died;
                self.law(phase.is_none_or(LockPhase::is_over) || is_left, "I13", || {
                    format!("{phase:?}")
                });
                self.judge_cause();
            }
            Outcome::Frozen { .. } => {
                let is_freeze = self.plan.on_failure == OnFailure::Freeze;
                self.law(is_freeze && !self.has_died, "freeze", String::new);
                self.law(phase == Some(LockPhase::Held), "I13", || format!("{phase:?}"));
            }
            Outcome::Stuck { todo, .. } => {
                self.law(!mild, "stuck without a reason", || format!("{todo:?}"));
                self.law(!todo.is_empty(), "stuck says what to do", String::new);
            }
            // Its own look at the lock was old: it is asked to look again.
            Outcome::Busy { .. } if self.has_died => return,
            Outcome::Busy { .. } | Outcome::Fenced { .. } => {
                self.law(false, "nobody else is here", || format!("{outcome:?}"));
            }
        }
        for (name, ghost) in &self.ghosts {
            self.judge_function(name, ghost, outcome);
        }
    }

    fn judge_cause(&self) {
        let asked = self.abort_at.is_some_and(|at| at <= self.now);
        self.law(asked || !self.causes.is_empty(), "I14", || format!("{:?}", self.outcome));
    }

    fn judge_function(&self, name: &FunctionName, ghost: &Ghost, outcome: &Outcome) {
        let state = self.state(&Object::Live(name.clone()));
        let function = &self.plan.functions[name];
        let denied = |object: &Object| self.denied.as_ref().is_some_and(|(o, _)| o == object);
        if ghost.foreign.is_some() || denied(&Object::Live(name.clone())) {
            return;
        }
        let is_untouched = matches!(outcome, Outcome::NothingChanged { .. });
        if self.has_died && (is_untouched || self.unseen.contains(name)) {
            return; // It was asked again, or is nobody's.
        }
        if ghost.handled && ghost.handled_at > ghost.written_at {
            return; // It is as somebody else left it.
        }
        let is_freeze = self.plan.on_failure == OnFailure::Freeze;
        if is_freeze && matches!(outcome, Outcome::Stuck { .. }) {
            return;
        }
        if ghost.candidate == 1 && ghost.handled {
            return; // Nothing was different, so nobody looked at it.
        }
        let is_first = function.action.stable().is_none();
        let is_new = state.is_some_and(|s| s.version == ghost.candidate.to_string() && !split(s));
        let is_old = if is_first {
            state.is_none()
        } else {
            state.is_some_and(|s| s.version == "1" && !split(s))
        };
        let named = match outcome {
            Outcome::Stuck { todo, .. } => {
                todo.iter().any(|line| line.starts_with(&format!("{name} ")))
            }
            _ => false,
        };
        let right = match outcome {
            Outcome::Done => is_new,
            // Nothing failed but the lock.
            Outcome::Stuck { .. } if self.aborts == 0 && !self.has_died => is_new,
            Outcome::RolledBack { .. } | Outcome::Stuck { .. } => {
                is_old || named || (is_new && self.plan.scope != RollbackScope::App)
            }
            Outcome::NothingChanged { .. } => is_old,
            _ => true,
        };
        let law = if *outcome == Outcome::Done { "I11" } else { "I12" };
        self.law(right, law, || format!("{name} is {state:?} after {outcome:?}"));
        let is_over = matches!(
            outcome,
            Outcome::Done | Outcome::RolledBack { .. } | Outcome::NothingChanged { .. }
        );
        if is_over && !is_first && !ghost.handled {
            let own = format!("text of {name}");
            self.law(state.is_some_and(|s| s.description == own), "I31", || {
                format!("{name}: {state:?}")
            });
        }
    }
}

/// Whether people, not AWS, split its traffic.
fn split(state: &AliasState) -> bool {
    state.extra.is_some_and(|extra| extra.weight != Weight::FULL)
}

fn weather_of(seed: u64, trace: bool) -> Outcome {
    let mut storm = Storm::new(seed);
    storm.trace = trace;
    let outcome = storm.run();
    storm.judge_end(&outcome);
    if trace {
        for line in &storm.log {
            println!("{line}");
        }
    }
    outcome
}

/// How many seeds every run of the tests takes.
const SEEDS: u64 = 2_000;

/// Seeds that failed once, with what was wrong.
const REGRESSIONS: &[u64] = &[
    // Given up while the lock was being taken: the lock stayed taken, by nobody.
    22,
    // An own write that was judged late, AWS's weights and a young alias that a stale read does not
    // show were taken for somebody else's change.
    16,
    // A read that was to clear up a suspicion was forgotten, or the lock was denied: no end.
    141,
    // An alarm that was missing from an answer kept its last word; a decision met old readings.
    18,
    // A failed reading ended the excuse of an alarm that had been red before the release.
    235,
    // A late claim landed after the end, or AWS moved its weights: the user's text was lost.
    37,    // An alias with foreign routing was deleted, or its description restored.
    540,   // What others depend on went back before them.
    1_278, // A stale read that did not show a young lock ended the release as fenced.
    445,
    // The lock could not be renewed while success was about to be recorded: it waited for ever.
    120_731,
    // A marked alias was deleted long after it had been marked, and a hand had been there.
    100_661,
    // A deletion that was refused for now was believed when a stale read did not show the alias.
    253_986, // A mark whose answer was slow was trusted when the lock was lost.
    466_059,
    // Somebody was at the alias while the strategy was thinking: its answer counted all the same.
    1_037_475, 1_298_627,
    // A slow read that did not show an alias counted as a second, later one.
    1_318_031,
    // An alarm of a function that was done just then put it back before its dependants.
    3_255_445,
    // What somebody put right was taken for foreign: it was an earlier owner's own record.
    3_401_585,
    // Success was recorded on a proof that had aged while the lock was being renewed.
    229_363,
];

#[test]
fn storms_that_once_did_harm_do_none() {
    for seed in REGRESSIONS {
        weather_of(*seed, false);
    }
}

#[test]
fn no_storm_breaks_a_law() {
    if let Some(seed) = number("WAVEGATE_STORM_SEED") {
        println!("{:?}", weather_of(seed, true));
        return;
    }
    let first = number("WAVEGATE_STORM_FROM").unwrap_or(1);
    match number("WAVEGATE_STORM_SEEDS") {
        Some(seeds) => survey(first, seeds),
        None => {
            for seed in first..first + SEEDS {
                weather_of(seed, false);
            }
        }
    }
}

/// Runs many seeds to their end, and tells which laws were broken how often.
fn survey(first: u64, seeds: u64) {
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let mut broken: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for seed in first..first + seeds {
        match std::panic::catch_unwind(|| weather_of(seed, false)) {
            Ok(outcome) => {
                let text = format!("{outcome:?}");
                let word = text.split([' ', '{']).next().unwrap_or_default();
                *ends.entry(word.to_owned()).or_default() += 1;
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                let law = text.split(": ").nth(1).unwrap_or(&text);
                broken.entry(law.chars().take(60).collect()).or_insert((seed, 0)).1 += 1;
            }
        }
    }
    std::panic::set_hook(hook);
    println!("{ends:?}");
    assert!(broken.is_empty(), "law -> (first seed, how many): {broken:#?}");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
