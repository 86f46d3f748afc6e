//! The machine: forward, from the lock to the last alias.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::lock::Lock;
use super::register::{End, Purpose, Register};
use super::rollout::{AlarmSeen, Phase, Rollout};
use super::{
    AlarmSubject, Answer, CallId, Decision, Effect, Event, HookContext, HookPhase, Illegal, Input, Object,
    Observation, Outcome, Prepared, Reading, Runner, TimerId, limits,
};
use crate::inventory::AliasState;
use crate::name::{FunctionName, Nonce, VersionId};
use crate::plan::{Action, AlarmStatus, FunctionPlan, Plan};
use crate::spec::{IfAlreadyAlarming, OnFailure, Opaque};
use crate::time::Mono;
use crate::token::{Class, LockPhase, Position, Token, classify, own_text};
use crate::weight::Weight;

/// Where the release as a whole stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not started.
    New,
    /// Waits until the owner of the lock has been silent for a lease.
    Patience,
    /// The function that will carry the lock is being created.
    Anchoring,
    /// The lock is being taken.
    Locking,
    /// Versions are published and aliases claimed, up to the barrier.
    Preparing,
    /// Traffic moves.
    Running,
    /// Every alias is read once more.
    Proving,
    /// The abort is being written into the lock; nothing goes back before it is.
    Aborting,
    /// Aliases go back.
    Unwinding,
    /// The end is being written into the lock.
    Closing,
    /// Descriptions are restored and old versions deleted.
    Tidying,
    /// Over.
    Over,
}

/// What a timer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimerFor {
    Retry(Object),
    Wake(FunctionName),
    Confirm(FunctionName),
    Heartbeat,
    Patience,
}

/// What a question about alarms is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum AskFor {
    Watch,
    Gate(FunctionName),
    Quiet(FunctionName),
}

/// Why the release goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) culprit: Option<FunctionName>,
    pub(super) reason: String,
}

/// One execution of one plan. See [`super`].
#[derive(Debug, Clone)]
pub struct Release {
    pub(super) plan: Plan,
    pub(super) runner: Runner,
    pub(super) now: Mono,
    pub(super) stage: Stage,
    pub(super) effects: Vec<Effect>,
    pub(super) calls: BTreeMap<CallId, Object>,
    timers: BTreeMap<TimerId, TimerFor>,
    pub(super) registers: BTreeMap<Object, Register>,
    pub(super) rollouts: BTreeMap<FunctionName, Rollout>,
    pub(super) dependants: BTreeMap<FunctionName, BTreeSet<FunctionName>>,
    pub(super) lock: Lock,
    pub(super) failure: Option<Failure>,
    /// What a person must do, beside what single rollouts say.
    pub(super) todo: Vec<String>,
    asks: BTreeMap<u64, AskFor>,
    /// Rollback hooks and prunings that have not answered.
    pub(super) loose_ends: usize,
    pub(super) end_phase: Option<LockPhase>,
    has_heartbeat: bool,
    ids: u64,
    nonces: u64,
}

impl Release {
    /// A release of `plan`, which must have functions.
    pub fn new(plan: Plan, runner: Runner) -> Self {
        let mut release = Self::empty(plan, runner);
        let functions: Vec<FunctionPlan> = release.plan.functions.values().cloned().collect();
        for function in functions {
            let own = function.live.as_ref().map(|live| user_text(live, function.pin.as_ref()));
            release.rollouts.insert(function.name.clone(), Rollout::new(own.unwrap_or_default()));
            release.believe(&Object::Live(function.name.clone()), function.live);
            release.believe(&Object::Pin(function.name.clone()), function.pin);
        }
        release
    }

    /// Puts back a release that somebody else left unfinished, from what the aliases say alone.
    /// `plan` comes from [`crate::plan::put_back_plan`]; `runner` carries that release's id.
    pub fn put_back(plan: Plan, runner: Runner, reason: String) -> Self {
        let mut release = Self::new(plan, runner);
        release.stage = Stage::Patience;
        release.failure = Some(Failure { culprit: None, reason });
        for (name, rollout) in &mut release.rollouts {
            let Some(function) = release.plan.functions.get(name) else { continue };
            let token = function.live.as_ref().and_then(|live| Token::decode(&live.description));
            let Some(token) = token else { continue };
            rollout.candidate = Some(Prepared { version: token.candidate, arn: String::new() });
            rollout.sequence = token.sequence;
            rollout.weight = if token.position == Position::Promoted { Weight::FULL } else { token.weight };
            rollout.claimed = true;
            rollout.touched = true;
        }
        release
    }

    fn empty(plan: Plan, runner: Runner) -> Self {
        let mut dependants: BTreeMap<FunctionName, BTreeSet<FunctionName>> = BTreeMap::new();
        for function in plan.functions.values() {
            for need in &function.depends_on {
                dependants.entry(need.clone()).or_default().insert(function.name.clone());
            }
        }
        let lock_state = plan.lock.clone();
        let mut release = Self {
            plan,
            runner,
            now: Mono(0),
            stage: Stage::New,
            effects: Vec::new(),
            calls: BTreeMap::new(),
            timers: BTreeMap::new(),
            registers: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            dependants,
            lock: Lock::default(),
            failure: None,
            todo: Vec::new(),
            asks: BTreeMap::new(),
            loose_ends: 0,
            end_phase: None,
            has_heartbeat: false,
            ids: 0,
            nonces: 0,
        };
        release.believe(&Object::Lock, lock_state);
        release
    }

    /// One step: told one thing, the machine answers with what is to be done.
    ///
    /// # Errors
    /// [`Illegal`] if the machine would move a rollout against its table of legal moves, which is a
    /// bug: the caller stops and leaves the release to be recovered.
    pub fn step(&mut self, now: Mono, input: Input) -> Result<Vec<Effect>, Illegal> {
        self.now = self.now.max(now);
        if self.stage != Stage::Over {
            self.take(input)?;
            self.advance()?;
        }
        Ok(std::mem::take(&mut self.effects))
    }

    /// The phase of each rollout, for people.
    pub fn phases(&self) -> impl Iterator<Item = (&FunctionName, Phase)> {
        self.rollouts.iter().map(|(name, rollout)| (name, rollout.phase))
    }

    /// The live alias of each function as it is known, for people.
    pub fn aliases(&self) -> impl Iterator<Item = (&FunctionName, Option<&AliasState>)> {
        self.plan.functions.keys().map(|name| (name, self.known(&Object::Live(name.clone()))))
    }

    fn take(&mut self, input: Input) -> Result<(), Illegal> {
        match input {
            Input::Start => {
                self.start();
                Ok(())
            }
            Input::Answer { id, answer } => self.answer(id, answer),
            Input::Timer { id } => self.timer(id),
            Input::Prepared { function, result } => self.prepared(&function, result),
            Input::Decided { function, ask, result } => self.decided(&function, ask, result),
            Input::Hooked { function, phase, index, result } => {
                self.hooked(&function, phase, index, result)
            }
            Input::Alarms { ask, result } => self.alarms_read(ask, result),
            Input::Pruned { .. } => {
                self.loose_ends = self.loose_ends.saturating_sub(1);
                Ok(())
            }
            Input::Abort { by, reason } => self.asked_to_abort(&by, &reason),
        }
    }

    fn start(&mut self) {
        match self.stage {
            Stage::Patience => {
                let known = self.known(&Object::Lock).cloned();
                self.look_at_owner(known);
            }
            Stage::New => {
                let anchor = self.plan.anchor.clone();
                let is_new = self
                    .plan
                    .functions
                    .get(&anchor)
                    .is_some_and(|f| f.action == Action::First { exists: false });
                if is_new {
                    self.stage = Stage::Anchoring;
                    self.effects.push(Effect::Prepare { function: anchor });
                } else {
                    self.stage = Stage::Locking;
                    self.acquire();
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, id: CallId, answer: Answer) -> Result<(), Illegal> {
        let Some(object) = self.calls.remove(&id) else { return Ok(()) };
        let Some((purpose, end, sent)) = self.answered(&object, id, answer) else { return Ok(()) };
        match &object {
            Object::Lock => self.lock_ended(purpose, end, sent),
            Object::Pin(function) => self.pin_ended(&function.clone(), end),
            Object::Live(function) => self.live_ended(&function.clone(), purpose, end),
        }
    }

    fn timer(&mut self, id: TimerId) -> Result<(), Illegal> {
        match self.timers.remove(&id) {
            Some(TimerFor::Retry(object)) => self.rested(&object, id),
            Some(TimerFor::Wake(function)) => self.wake(&function)?,
            Some(TimerFor::Confirm(function)) => self.look_again(&function),
            Some(TimerFor::Heartbeat) => self.heartbeat(),
            Some(TimerFor::Patience) => self.read(&Object::Lock, Purpose::Patience),
            None => {}
        }
        Ok(())
    }

    /// Whatever may happen next, happens.
    fn advance(&mut self) -> Result<(), Illegal> {
        match self.stage {
            Stage::Preparing => self.try_barrier(),
            Stage::Running => self.schedule(),
            Stage::Proving => self.prove(),
            Stage::Unwinding => self.unwind_more(),
            Stage::Tidying => {
                self.try_finish();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    // ---- preparation -------------------------------------------------------------------------

    /// How many functions have an alias to claim.
    pub(super) fn claimable(&self) -> u32 {
        let count = self.plan.functions.values().filter(|f| f.action.stable().is_some()).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub(super) fn prepare_all(&mut self) {
        for name in self.plan.order.clone() {
            let Some(function) = self.plan.functions.get(&name) else { continue };
            if self.rollouts.get(&name).is_some_and(|rollout| rollout.candidate.is_some()) {
                continue;
            }
            if let Action::Switch { target, .. } = function.action {
                let prepared = Prepared { version: target, arn: String::new() };
                if let Some(rollout) = self.rollouts.get_mut(&name) {
                    rollout.candidate = Some(prepared);
                }
                self.start_pin(&name);
            } else {
                self.effects.push(Effect::Prepare { function: name });
            }
        }
    }

    fn prepared(&mut self, name: &FunctionName, result: Result<Prepared, String>) -> Result<(), Illegal> {
        if self.is_going_back() {
            return Ok(());
        }
        let (candidate, action) = match (result, self.plan.functions.get(name)) {
            (Ok(candidate), Some(function)) => (candidate, function.action),
            (Err(reason), _) if self.stage == Stage::Anchoring => {
                self.finish(Outcome::NothingChanged { reason });
                return Ok(());
            }
            (Err(reason), _) => return self.fail(Some(name), reason),
            (_, None) => return Ok(()),
        };
        let version = candidate.version;
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.candidate = Some(candidate);
        }
        if action.stable() == Some(version) {
            self.report(Event::Unchanged { function: name.clone(), version });
            return self.move_to(name, Phase::Done);
        }
        let stable = action.stable();
        self.report(Event::Published { function: name.clone(), stable, candidate: version });
        match stable {
            None => self.move_to(name, Phase::Waiting)?,
            Some(_) => self.start_pin(name),
        }
        if self.stage == Stage::Anchoring {
            self.stage = Stage::Locking;
            self.acquire();
        }
        Ok(())
    }

    /// Makes the pin alias keep the version that is about to be replaced, and the user's own text.
    fn start_pin(&mut self, name: &FunctionName) {
        let Some(stable) = self.plan.functions.get(name).and_then(|f| f.action.stable()) else { return };
        let Some(rollout) = self.rollouts.get(name) else { return };
        let text = rollout.own_text.clone();
        let object = Object::Pin(name.clone());
        match self.known(&object).cloned() {
            Some(pin) if pin.main() == Some(stable) && pin.extra.is_none() && pin.description == text => {
                self.start_claim(name);
            }
            Some(pin) => self.update(&object, Purpose::Pin, pin, Some((stable, None)), text),
            None => self.create(&object, Purpose::Pin, Some(stable), text),
        }
    }

    fn pin_ended(&mut self, name: &FunctionName, end: End) -> Result<(), Illegal> {
        if self.is_going_back() {
            return Ok(());
        }
        match end {
            End::Landed(_) => self.start_claim(name),
            End::Conflict(state) => {
                self.believe(&Object::Pin(name.clone()), state);
                self.start_pin(name);
            }
            End::Retouched(_) => self.start_pin(name),
            End::Failed(reason) => return self.fail(Some(name), format!("the pin alias: {reason}")),
            End::Deleted | End::Read(_) | End::Dropped => {}
        }
        Ok(())
    }

    /// Writes the token into the live alias. The routing is left out of the request: a claim can
    /// neither move traffic nor freeze weights that AWS itself set.
    fn start_claim(&mut self, name: &FunctionName) {
        let object = Object::Live(name.clone());
        let Some(base) = self.known(&object).cloned() else { return };
        let description = self.token(name, Position::Forward, Weight::ZERO);
        self.mark_touched(name);
        self.update(&object, Purpose::Claim, base, None, description);
    }

    pub(super) fn mark_touched(&mut self, name: &FunctionName) {
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.touched = true;
        }
    }

    /// The description for the next write on a live alias.
    pub(super) fn token(&mut self, name: &FunctionName, position: Position, weight: Weight) -> String {
        let nonce = self.nonce();
        let epoch = self.epoch();
        let stable = self.plan.functions.get(name).and_then(|f| f.action.stable());
        let Some(rollout) = self.rollouts.get_mut(name) else { return String::new() };
        rollout.sequence += 1;
        let token = Token {
            app: self.plan.app.clone(),
            release: self.runner.release,
            epoch,
            sequence: rollout.sequence,
            position,
            stable,
            candidate: rollout.version().unwrap_or(VersionId(0)),
            weight,
            nonce,
            plan: self.plan.fingerprint,
        };
        token.encode(&rollout.own_text)
    }

    fn claim_conflict(&mut self, name: &FunctionName, state: Option<AliasState>) -> Result<(), Illegal> {
        let stable = self.plan.functions.get(name).and_then(|f| f.action.stable());
        match state {
            Some(state) if state.main() == stable && state.extra.is_none() => {
                // The plan's look was old, but what it was planned on still holds.
                let other = Token::decode(&state.description)
                    .is_some_and(|token| token.epoch > self.epoch());
                if other {
                    return self.fail(Some(name), "another release claimed its alias".to_owned());
                }
                let pin = self.known(&Object::Pin(name.clone())).cloned();
                let text = user_text(&state, pin.as_ref());
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.own_text = text;
                }
                self.believe(&Object::Live(name.clone()), Some(state));
                self.start_claim(name);
                Ok(())
            }
            state => {
                let now = describe(state.as_ref());
                let reason = format!("its alias changed since the plan was made: {now}");
                // Nothing was written: there is nothing to put back here.
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.touched = false;
                }
                self.fail(Some(name), reason)
            }
        }
    }

    fn try_barrier(&mut self) -> Result<(), Illegal> {
        let ready = |rollout: &Rollout| matches!(rollout.phase, Phase::Waiting | Phase::Done);
        if !self.rollouts.values().all(ready) {
            return Ok(());
        }
        if self.rollouts.values().any(|rollout| rollout.claimed) {
            let passed = self.lock.record.as_ref().is_some_and(|r| r.claimed == r.functions);
            if !passed && self.is_idle(&Object::Lock) {
                self.want_barrier();
            }
            return Ok(());
        }
        self.stage = Stage::Running;
        self.schedule()
    }

    // ---- going forward -----------------------------------------------------------------------

    /// Starts every rollout whose dependencies are done, as far as there are places.
    fn schedule(&mut self) -> Result<(), Illegal> {
        let mut moving = self.rollouts.values().filter(|r| r.phase.is_moving()).count();
        for name in self.plan.order.clone() {
            if moving >= self.plan.max_parallel {
                break;
            }
            if self.is_ready(&name) {
                self.move_to(&name, Phase::PreTraffic)?;
                moving += 1;
                self.next_hook(&name, HookPhase::PreTraffic)?;
            }
        }
        if self.stage == Stage::Running && self.rollouts.values().all(|r| r.phase == Phase::Done) {
            self.stage = Stage::Proving;
            self.prove()?;
        }
        Ok(())
    }

    fn is_ready(&self, name: &FunctionName) -> bool {
        let waits = self.rollouts.get(name).is_some_and(|r| r.phase == Phase::Waiting);
        let is_done = |need: &FunctionName| {
            self.rollouts.get(need).is_none_or(|rollout| rollout.phase == Phase::Done)
        };
        waits && self.plan.functions.get(name).is_some_and(|f| f.depends_on.iter().all(is_done))
    }

    /// Runs the next hook of a phase, or goes on.
    fn next_hook(&mut self, name: &FunctionName, phase: HookPhase) -> Result<(), Illegal> {
        let Some(function) = self.plan.functions.get(name) else { return Ok(()) };
        let hooks = match phase {
            HookPhase::PreTraffic => function.pre_traffic.len(),
            HookPhase::PostTraffic => function.post_traffic.len(),
            HookPhase::OnRollback => function.on_rollback.len(),
        };
        let is_first = matches!(function.action, Action::First { .. });
        let index = self.rollouts.get(name).map_or(0, |rollout| rollout.hook);
        if index < hooks {
            let context = self.hook_context(name);
            self.effects.push(Effect::RunHook { function: name.clone(), phase, index, context });
            return Ok(());
        }
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.hook = 0;
        }
        match phase {
            HookPhase::PreTraffic if is_first => {
                self.move_to(name, Phase::Promoting)?;
                self.create_live(name);
                Ok(())
            }
            HookPhase::PreTraffic => {
                self.move_to(name, Phase::Shifting)?;
                self.start_shifting(name)
            }
            HookPhase::PostTraffic => {
                self.move_to(name, Phase::Baking)?;
                self.start_bake(name)
            }
            HookPhase::OnRollback => Ok(()),
        }
    }

    pub(super) fn hook_context(&self, name: &FunctionName) -> HookContext {
        let rollout = self.rollouts.get(name);
        let candidate = rollout.and_then(|r| r.candidate.clone());
        HookContext {
            arn: candidate.as_ref().map(|c| c.arn.clone()).unwrap_or_default(),
            stable: self.plan.functions.get(name).and_then(|f| f.action.stable()),
            candidate: candidate.map_or(VersionId(0), |c| c.version),
            weight: rollout.map_or(Weight::ZERO, |r| r.weight),
            reason: self.failure.as_ref().map(|failure| failure.reason.clone()),
        }
    }

    fn hooked(
        &mut self,
        name: &FunctionName,
        phase: HookPhase,
        index: usize,
        result: Result<(), String>,
    ) -> Result<(), Illegal> {
        if phase == HookPhase::OnRollback {
            self.loose_ends = self.loose_ends.saturating_sub(1);
            return Ok(());
        }
        let expected = match phase {
            HookPhase::PreTraffic => Phase::PreTraffic,
            _ => Phase::PostTraffic,
        };
        let awaited = self
            .rollouts
            .get(name)
            .is_some_and(|rollout| rollout.phase == expected && rollout.hook == index);
        if self.is_going_back() || !awaited {
            return Ok(());
        }
        if let Err(reason) = result {
            return self.fail(Some(name), reason);
        }
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.hook += 1;
        }
        self.next_hook(name, phase)
    }

    fn create_live(&mut self, name: &FunctionName) {
        let description = self.token(name, Position::Promoted, Weight::FULL);
        let version = self.rollouts.get(name).and_then(Rollout::version);
        self.mark_touched(name);
        self.create(&Object::Live(name.clone()), Purpose::CreateLive, version, description);
    }

    /// An alarm that was red before the release may hold the first shift.
    fn start_shifting(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let waits = self.plan.functions.get(name).is_some_and(|function| {
            function.alarms.iter().any(|a| a.alarm.if_already_alarming == IfAlreadyAlarming::Wait)
        });
        let now = self.now;
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.in_force = now;
            rollout.blind_since = None;
        }
        if waits {
            self.ask_alarms(AskFor::Quiet(name.clone()), std::slice::from_ref(name));
            return Ok(());
        }
        self.decide(name)
    }

    pub(super) fn wake_at(&mut self, name: &FunctionName, at: Mono) {
        let id = self.next_timer(TimerFor::Wake(name.clone()));
        self.effects.push(Effect::Timer { id, at });
    }

    /// A rollout's timer is due: what it waited for is looked at again.
    fn wake(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let Some(rollout) = self.rollouts.get(name) else { return Ok(()) };
        if self.is_going_back() {
            return Ok(());
        }
        let (phase, weight, in_force) = (rollout.phase, rollout.weight, rollout.in_force);
        if rollout.suspect.is_some() || !self.is_free(name) {
            let at = self.now + limits::POLL;
            self.wake_at(name, at);
            return Ok(());
        }
        match phase {
            Phase::Shifting if weight == Weight::ZERO => self.start_shifting_again(name),
            Phase::Shifting if self.now < in_force => {
                self.wake_at(name, in_force);
                Ok(())
            }
            Phase::Shifting | Phase::Baking => self.gate(name),
            Phase::Promoting if weight == Weight::FULL => {
                self.read(&Object::Live(name.clone()), Purpose::ReadBack);
                Ok(())
            }
            Phase::Promoting => {
                self.promote(name);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether the live alias may be written. A look that is under way is forgotten: the write's
    /// compare-and-swap tells more than it would.
    fn is_free(&mut self, name: &FunctionName) -> bool {
        let object = Object::Live(name.clone());
        if let Some(register) = self.registers.get_mut(&object)
            && register.op.as_ref().is_some_and(|op| op.purpose == Purpose::Watch)
        {
            register.op = None;
        }
        self.is_idle(&object)
    }

    fn start_shifting_again(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let waiting = self.rollouts.get(name).is_some_and(|r| r.blind_since.is_some());
        if waiting {
            self.ask_alarms(AskFor::Quiet(name.clone()), std::slice::from_ref(name));
            return Ok(());
        }
        self.decide(name)
    }

    /// Before anything is decided on a candidate that takes traffic, its alarms are read afresh.
    fn gate(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        if self.plan.functions.get(name).is_some_and(|f| !f.alarms.is_empty()) {
            self.ask_alarms(AskFor::Gate(name.clone()), std::slice::from_ref(name));
            return Ok(());
        }
        self.past_gate(name)
    }

    fn past_gate(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        match self.rollouts.get(name).map(|rollout| rollout.phase) {
            Some(Phase::Shifting) => self.decide(name),
            Some(Phase::Baking) => self.end_bake(name),
            _ => Ok(()),
        }
    }

    fn decide(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let observation = self.observe(name);
        let ask = self.next_id();
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.asks += 1;
        if rollout.asks > limits::DECISIONS {
            return self.fail(Some(name), "its strategy never comes to an end".to_owned());
        }
        rollout.ask = Some(ask);
        let state = rollout.strategy_state.clone();
        self.effects.push(Effect::Decide { function: name.clone(), ask, observation, state });
        Ok(())
    }

    fn observe(&self, name: &FunctionName) -> Observation {
        let Some(rollout) = self.rollouts.get(name) else { return Observation::default() };
        let count = |status: AlarmStatus| {
            let alarms = rollout.alarms.values();
            u32::try_from(alarms.filter(|a| a.status == status && !a.baselined).count()).unwrap_or(0)
        };
        Observation {
            weight: rollout.weight,
            bake_elapsed: self.now.since(rollout.in_force),
            rollout_elapsed: rollout.since.map(|since| self.now.since(since)).unwrap_or_default(),
            alarms_ok: count(AlarmStatus::Ok),
            alarms_firing: count(AlarmStatus::Firing),
            alarms_unknown: count(AlarmStatus::Unknown) + count(AlarmStatus::Missing),
        }
    }

    fn decided(
        &mut self,
        name: &FunctionName,
        ask: u64,
        result: Result<(Decision, Opaque), String>,
    ) -> Result<(), Illegal> {
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        if rollout.ask != Some(ask) || rollout.phase != Phase::Shifting {
            return Ok(());
        }
        rollout.ask = None;
        if self.failure.is_some() {
            return Ok(());
        }
        let (decision, state) = match result {
            Ok(answer) => answer,
            Err(reason) => return self.fail(Some(name), format!("its strategy: {reason}")),
        };
        // A foreign change or a touch came between question and answer: ask again later.
        if rollout.suspect.is_some() || !self.is_free(name) {
            let at = self.now + limits::POLL;
            self.wake_at(name, at);
            return Ok(());
        }
        let goes_up = matches!(decision, Decision::Shift(_) | Decision::Promote);
        let unknown = self.observe(name).alarms_unknown;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        if goes_up && unknown > 0 && rollout.weight > Weight::ZERO {
            // The strategy's state stays as it was: it will be asked the same question again.
            return self.hold_blind(name);
        }
        rollout.blind_since = None;
        rollout.strategy_state = Some(state);
        self.follow(name, decision)
    }

    fn follow(&mut self, name: &FunctionName, decision: Decision) -> Result<(), Illegal> {
        match decision {
            Decision::Rollback(reason) => self.fail(Some(name), reason),
            Decision::Wait(span) => {
                let span = span.clamp(Duration::from_millis(100), limits::WAIT_MAX);
                let at = self.now + span;
                self.wake_at(name, at);
                Ok(())
            }
            Decision::Pause(reason) => {
                self.report(Event::Held { function: name.clone(), on: reason });
                let at = self.now + limits::POLL;
                self.wake_at(name, at);
                Ok(())
            }
            Decision::Promote | Decision::Shift(Weight::FULL) => {
                self.move_to(name, Phase::Promoting)?;
                self.promote(name);
                Ok(())
            }
            Decision::Shift(weight) => self.shift(name, weight),
        }
    }

    fn shift(&mut self, name: &FunctionName, weight: Weight) -> Result<(), Illegal> {
        let Some(function) = self.plan.functions.get(name) else { return Ok(()) };
        let Some(rollout) = self.rollouts.get(name) else { return Ok(()) };
        let promised = function.outline.steps.iter().any(|step| step.weight == weight);
        if !promised || weight <= rollout.weight {
            let text = format!(
                "its strategy decided outside its outline: {weight} after {} (WG335)",
                rollout.weight
            );
            return self.fail(Some(name), text);
        }
        let (Some(stable), Some(candidate)) = (function.action.stable(), rollout.version()) else {
            return Ok(());
        };
        let object = Object::Live(name.clone());
        let Some(base) = self.known(&object).cloned() else { return Ok(()) };
        let description = self.token(name, Position::Forward, weight);
        let extra = crate::inventory::ExtraVersion { version: candidate, weight };
        self.update(&object, Purpose::Shift(weight), base, Some((stable, Some(extra))), description);
        Ok(())
    }

    /// One call moves the alias to the candidate and clears the weights: there is no moment at
    /// which a third routing is in force.
    fn promote(&mut self, name: &FunctionName) {
        let Some(candidate) = self.rollouts.get(name).and_then(Rollout::version) else { return };
        let object = Object::Live(name.clone());
        let Some(base) = self.known(&object).cloned() else { return };
        let description = self.token(name, Position::Promoted, Weight::FULL);
        self.update(&object, Purpose::Promote, base, Some((candidate, None)), description);
    }

    fn start_bake(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let Some(function) = self.plan.functions.get(name) else { return Ok(()) };
        let until = self.now + function.bake;
        let is_over = function.bake.is_zero() || matches!(function.action, Action::First { .. });
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.bake_until = Some(until);
            rollout.blind_since = None;
        }
        if is_over {
            return self.move_to(name, Phase::Done);
        }
        self.wake_at(name, until);
        Ok(())
    }

    fn end_bake(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        if self.observe(name).alarms_unknown > 0 {
            return self.hold_blind(name);
        }
        self.move_to(name, Phase::Done)
    }

    /// Alarms cannot tell: nothing goes up, and not for ever.
    fn hold_blind(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let unknown: Vec<String> = rollout
            .alarms
            .iter()
            .filter(|(_, a)| matches!(a.status, AlarmStatus::Unknown | AlarmStatus::Missing))
            .map(|(alarm, _)| alarm.clone())
            .collect();
        let what = unknown.join(", ");
        let since = *rollout.blind_since.get_or_insert(now);
        if now.since(since) > limits::BLIND {
            let span = crate::time::human(limits::BLIND);
            let reason = format!("alarm {what} could not tell for {span}; unknown is never taken for quiet");
            return self.fail(Some(name), reason);
        }
        if since == now {
            let on = format!("alarm {what}: it cannot tell yet");
            self.report(Event::Held { function: name.clone(), on });
        }
        self.wake_at(name, now + limits::POLL);
        Ok(())
    }

    // ---- alarms ------------------------------------------------------------------------------

    fn ask_alarms(&mut self, purpose: AskFor, functions: &[FunctionName]) {
        let subjects: Vec<AlarmSubject> = functions.iter().filter_map(|f| self.subject(f)).collect();
        if subjects.is_empty() {
            return;
        }
        let ask = self.next_id();
        self.asks.insert(ask, purpose);
        self.effects.push(Effect::ReadAlarms { ask, subjects });
    }

    fn subject(&self, name: &FunctionName) -> Option<AlarmSubject> {
        let rollout = self.rollouts.get(name)?;
        Some(AlarmSubject {
            function: name.clone(),
            stable: self.plan.functions.get(name)?.action.stable(),
            candidate: rollout.version()?,
            since: rollout.since.unwrap_or(self.now),
        })
    }

    fn alarms_read(&mut self, ask: u64, result: Result<Vec<Reading>, String>) -> Result<(), Illegal> {
        let Some(purpose) = self.asks.remove(&ask) else { return Ok(()) };
        if self.is_going_back() {
            return Ok(());
        }
        let readings = match result {
            Ok(readings) => readings,
            Err(reason) => {
                self.report(Event::Blind { reason });
                self.forget_alarms(&purpose);
                Vec::new()
            }
        };
        for reading in readings {
            self.hear(reading)?;
            if self.is_going_back() {
                return Ok(());
            }
        }
        match purpose {
            AskFor::Watch => Ok(()),
            AskFor::Gate(name) => self.past_gate(&name),
            AskFor::Quiet(name) => self.past_quiet(&name),
        }
    }

    /// What was read before does not count when the alarms cannot be read now.
    fn forget_alarms(&mut self, purpose: &AskFor) {
        let (AskFor::Gate(name) | AskFor::Quiet(name)) = purpose else { return };
        let Some(function) = self.plan.functions.get(name) else { return };
        let Some(rollout) = self.rollouts.get_mut(name) else { return };
        for planned in &function.alarms {
            let seen = AlarmSeen { status: AlarmStatus::Unknown, baselined: false };
            rollout.alarms.insert(planned.alarm.alarm.name.clone(), seen);
        }
    }

    fn hear(&mut self, reading: Reading) -> Result<(), Illegal> {
        let Some(function) = self.plan.functions.get(&reading.function) else { return Ok(()) };
        let Some(planned) = function.alarms.iter().find(|a| a.alarm.alarm.name == reading.alarm) else {
            return Ok(());
        };
        let baseline = planned.already_red;
        let waits = planned.alarm.if_already_alarming == IfAlreadyAlarming::Wait;
        let Some(rollout) = self.rollouts.get_mut(&reading.function) else { return Ok(()) };
        let before = rollout.alarms.get(&reading.alarm).cloned();
        let was_baselined = before.as_ref().map_or(baseline, |seen| seen.baselined);
        let is_baselined = was_baselined && reading.status == AlarmStatus::Firing;
        let seen = AlarmSeen { status: reading.status, baselined: is_baselined };
        let is_watched = rollout.since.is_some();
        rollout.alarms.insert(reading.alarm.clone(), seen);
        if before.is_none_or(|before| before.status != reading.status) {
            self.report(Event::Alarm {
                function: reading.function.clone(),
                alarm: reading.alarm.clone(),
                status: reading.status,
                detail: reading.detail.clone(),
            });
        }
        let excused = is_baselined || (waits && !is_watched);
        if reading.status == AlarmStatus::Firing && !excused {
            let reason = format!("alarm `{}` is firing: {}", reading.alarm, reading.detail);
            return self.fail(Some(&reading.function), reason);
        }
        Ok(())
    }

    /// The first shift waits for alarms that were red before the release.
    fn past_quiet(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let Some(function) = self.plan.functions.get(name) else { return Ok(()) };
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let red: Vec<&str> = function
            .alarms
            .iter()
            .filter(|a| a.alarm.if_already_alarming == IfAlreadyAlarming::Wait)
            .map(|a| a.alarm.alarm.name.as_str())
            .filter(|alarm| rollout.alarms.get(*alarm).is_some_and(|s| s.status == AlarmStatus::Firing))
            .collect();
        if red.is_empty() {
            rollout.blind_since = None;
            return self.decide(name);
        }
        let what = red.join(", ");
        let now = self.now;
        let since = *rollout.blind_since.get_or_insert(now);
        if now.since(since) > limits::QUIET {
            let span = crate::time::human(limits::QUIET);
            return self.fail(Some(name), format!("alarm {what} has been red for {span}"));
        }
        if since == now {
            let on = format!("alarm {what}: red since before the release");
            self.report(Event::Held { function: name.clone(), on });
        }
        self.wake_at(name, now + limits::POLL);
        Ok(())
    }

    // ---- the pulse ---------------------------------------------------------------------------

    pub(super) fn start_heartbeat(&mut self) {
        if !self.has_heartbeat {
            self.has_heartbeat = true;
            self.next_heartbeat();
        }
    }

    fn next_heartbeat(&mut self) {
        let id = self.next_timer(TimerFor::Heartbeat);
        let at = self.now + limits::POLL;
        self.effects.push(Effect::Timer { id, at });
    }

    /// Renews the lock, looks at moving aliases and at their alarms.
    fn heartbeat(&mut self) {
        if matches!(self.stage, Stage::Closing | Stage::Tidying | Stage::Over) {
            self.has_heartbeat = false;
            return;
        }
        self.next_heartbeat();
        if !self.is_lease_fresh() {
            self.want_renewal();
        }
        if self.is_going_back() {
            return;
        }
        let watched: Vec<FunctionName> = self
            .rollouts
            .iter()
            .filter(|(_, r)| r.since.is_some() && r.phase.is_moving())
            .map(|(name, _)| name.clone())
            .collect();
        for name in &watched {
            let object = Object::Live(name.clone());
            let is_sure = self.rollouts.get(name).is_some_and(|r| r.suspect.is_none());
            if is_sure && self.is_idle(&object) {
                self.read(&object, Purpose::Watch);
            }
        }
        let alarmed: Vec<FunctionName> = watched
            .into_iter()
            .filter(|name| self.plan.functions.get(name).is_some_and(|f| !f.alarms.is_empty()))
            .collect();
        self.ask_alarms(AskFor::Watch, &alarmed);
    }

    pub(super) fn wake_patience(&mut self) {
        let id = self.next_timer(TimerFor::Patience);
        let at = self.now + limits::POLL;
        self.effects.push(Effect::Timer { id, at });
    }

    // ---- live aliases ------------------------------------------------------------------------

    fn live_ended(&mut self, name: &FunctionName, purpose: Purpose, end: End) -> Result<(), Illegal> {
        match purpose {
            Purpose::Restore => {
                // Best effort: who changed the description since then meant it.
                self.loose_ends = self.loose_ends.saturating_sub(1);
                return Ok(());
            }
            Purpose::Confirm | Purpose::Probe => return self.confirmed(name, purpose, end),
            Purpose::Back | Purpose::DeleteLive | Purpose::Look => {
                return self.back_ended(name, purpose, end);
            }
            _ => {}
        }
        if self.is_going_back() {
            return self.forward_ended_late(name, purpose, end);
        }
        match (purpose, end) {
            (_, End::Failed(reason)) => self.fail(Some(name), reason),
            (Purpose::Claim, End::Landed(_) | End::Retouched(_)) => {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.claimed = true;
                }
                self.move_to(name, Phase::Waiting)
            }
            (Purpose::Claim, End::Conflict(state)) => self.claim_conflict(name, state),
            (Purpose::CreateLive, End::Conflict(state)) => {
                let now = describe(state.as_ref());
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.touched = false;
                }
                self.fail(Some(name), format!("somebody else created its alias: {now}"))
            }
            (Purpose::Shift(_) | Purpose::Promote | Purpose::CreateLive, End::Landed(_)) => {
                self.read(&Object::Live(name.clone()), Purpose::ReadBack);
                self.note_landed(name, purpose);
                Ok(())
            }
            (Purpose::Shift(_) | Purpose::Promote, End::Retouched(_)) => {
                self.touched(name);
                Ok(())
            }
            (Purpose::Shift(_) | Purpose::Promote, End::Conflict(state)) => self.suspicious(name, state),
            (Purpose::ReadBack | Purpose::Watch | Purpose::Prove, End::Read(state)) => {
                self.looked(name, purpose, state)
            }
            _ => Ok(()),
        }
    }

    fn note_landed(&mut self, name: &FunctionName, purpose: Purpose) {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return };
        rollout.since.get_or_insert(now);
        rollout.in_force = now + limits::SETTLE;
        if matches!(purpose, Purpose::Promote | Purpose::CreateLive) {
            rollout.transient_since.get_or_insert(now);
        }
    }

    /// A live alias was read: it is as it was left, touched, settling, or somebody else's.
    fn looked(&mut self, name: &FunctionName, purpose: Purpose, state: Option<AliasState>) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        let Some(state) = state else { return self.suspicious(name, None) };
        let class = classify(&state, self.runner.release, self.epoch());
        let known = self.known(&object).cloned();
        let same = known.as_ref().is_some_and(|known| known.same_content(&state));
        let moved = known.as_ref().is_some_and(|known| known.revision != state.revision);
        match class {
            Class::Mine if same => {
                self.believe(&object, Some(state.clone()));
                if moved && purpose != Purpose::ReadBack {
                    self.touched(name);
                }
                self.as_left(name, purpose, &state)
            }
            Class::Mine => {
                // Our own record, but not the one we knew: AWS's own weights are gone again.
                self.believe(&object, Some(state.clone()));
                self.as_left(name, purpose, &state)
            }
            Class::Settling => {
                self.believe(&object, Some(state));
                self.settling(name)
            }
            Class::Fenced => {
                self.finish(Outcome::Fenced { by: "somebody with a later epoch".to_owned() });
                Ok(())
            }
            Class::Unclaimed | Class::OldEpoch | Class::Foreign => self.suspicious(name, Some(state)),
        }
    }

    /// The alias is as the rollout wants it.
    fn as_left(&mut self, name: &FunctionName, purpose: Purpose, state: &AliasState) -> Result<(), Illegal> {
        let now = self.now;
        let Some(token) = Token::decode(&state.description) else { return Ok(()) };
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.proven = Some(now);
        if purpose != Purpose::ReadBack {
            return Ok(());
        }
        rollout.transient_since = None;
        let before = rollout.weight;
        rollout.weight = token.weight;
        let in_force = rollout.in_force;
        let phase = rollout.phase;
        let actual = match (token.position, state.extra) {
            (Position::Promoted, None) => Weight::FULL,
            (_, extra) => extra.map_or(Weight::ZERO, |extra| extra.weight),
        };
        let bake = self.plan.functions.get(name).and_then(|f| {
            f.outline.steps.iter().find(|step| step.weight == token.weight).map(|step| step.bake_min)
        });
        if before != token.weight {
            self.report(Event::Weight { function: name.clone(), set: token.weight, actual, before, bake });
        }
        match phase {
            Phase::Shifting => {
                self.wake_at(name, in_force);
                Ok(())
            }
            Phase::Promoting => {
                self.move_to(name, Phase::PostTraffic)?;
                self.next_hook(name, HookPhase::PostTraffic)
            }
            _ => Ok(()),
        }
    }

    /// Somebody rewrote the alias without changing it: what was baked so far does not count.
    fn touched(&mut self, name: &FunctionName) {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return };
        rollout.in_force = now;
        let phase = rollout.phase;
        self.report(Event::Touched { function: name.clone() });
        if matches!(phase, Phase::Shifting | Phase::Promoting) {
            self.wake_at(name, now + limits::SETTLE);
        }
    }

    /// AWS's own weights: they go by themselves.
    fn settling(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.weight = Weight::FULL;
        let since = *rollout.transient_since.get_or_insert(now);
        if now.since(since) > limits::TRANSIENT {
            let reason = "the weights that AWS set for provisioned concurrency do not clear".to_owned();
            return self.fail(Some(name), reason);
        }
        if since == now {
            let on = "AWS: provisioned concurrency is being moved to the new version".to_owned();
            self.report(Event::Held { function: name.clone(), on });
        }
        self.wake_at(name, now + limits::POLL);
        Ok(())
    }

    /// Something is there that this release did not write. A read can be old: look twice, far
    /// enough apart, then let the cloud itself say that it is current.
    pub(super) fn suspicious(&mut self, name: &FunctionName, state: Option<AliasState>) -> Result<(), Illegal> {
        let Some(state) = state else {
            return self.contested(name, None);
        };
        let now = self.now;
        let words = describe(Some(&state));
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let is_new = rollout.suspect.is_none();
        rollout.suspect = Some((state, now));
        if is_new {
            self.report(Event::Suspect { function: name.clone(), now: words });
        }
        let id = self.next_timer(TimerFor::Confirm(name.clone()));
        self.effects.push(Effect::Timer { id, at: now + limits::CONFIRM });
        Ok(())
    }

    fn look_again(&mut self, name: &FunctionName) {
        let object = Object::Live(name.clone());
        let is_suspect = self.rollouts.get(name).is_some_and(|r| r.suspect.is_some());
        if !is_suspect {
            return;
        }
        if self.is_idle(&object) {
            self.read(&object, Purpose::Confirm);
        } else {
            let id = self.next_timer(TimerFor::Confirm(name.clone()));
            let at = self.now + limits::POLL;
            self.effects.push(Effect::Timer { id, at });
        }
    }

    fn confirmed(&mut self, name: &FunctionName, purpose: Purpose, end: End) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        let suspect = self.rollouts.get_mut(name).and_then(|r| r.suspect.take()).map(|(state, _)| state);
        match (purpose, end) {
            (Purpose::Probe, End::Landed(state)) => self.contested(name, Some(state)),
            (_, End::Read(None) | End::Conflict(None)) => self.contested(name, None),
            (Purpose::Confirm, End::Read(Some(state))) => {
                let known = self.known(&object).cloned();
                if known.as_ref().is_some_and(|known| known.same_content(&state)) {
                    self.believe(&object, Some(state));
                    self.unsuspect(name);
                    return Ok(());
                }
                if suspect.is_some_and(|suspect| suspect.revision == state.revision) {
                    let description = state.description.clone();
                    if let Some(rollout) = self.rollouts.get_mut(name) {
                        rollout.suspect = Some((state.clone(), self.now));
                    }
                    self.update(&object, Purpose::Probe, state, None, description);
                    return Ok(());
                }
                self.suspicious(name, Some(state))
            }
            (_, End::Conflict(Some(state)) | End::Retouched(state) | End::Landed(state)) => {
                self.suspicious(name, Some(state))
            }
            (_, End::Failed(reason)) if self.is_going_back() => self.stuck(name, reason),
            (_, End::Failed(reason)) => self.fail(Some(name), reason),
            _ => Ok(()),
        }
    }

    /// The alias is as it was left after all. The bake begins again.
    fn unsuspect(&mut self, name: &FunctionName) {
        if self.is_going_back() {
            return; // The unwinding goes on by itself.
        }
        self.touched(name);
    }

    fn contested(&mut self, name: &FunctionName, state: Option<AliasState>) -> Result<(), Illegal> {
        let now = describe(state.as_ref());
        self.report(Event::Contested { function: name.clone(), now: now.clone() });
        let missing = self.todo_missing(name);
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.suspect = None;
            rollout.contested.clone_from(&state);
            if state.is_none() {
                rollout.todo = Some(missing);
            }
        }
        if self.is_going_back() {
            return self.leave_contested(name, state.as_ref());
        }
        self.fail(Some(name), format!("somebody else changed its alias: {now}"))
    }

    // ---- the end -----------------------------------------------------------------------------

    /// Success is recorded only if every alias was read as promoted a moment ago.
    fn prove(&mut self) -> Result<(), Illegal> {
        let mut proven = true;
        for name in self.plan.order.clone() {
            let Some(rollout) = self.rollouts.get(&name) else { continue };
            if !rollout.touched {
                continue;
            }
            let fresh = rollout.proven.is_some_and(|at| self.now.since(at) <= limits::PROOF);
            proven &= fresh && rollout.suspect.is_none();
            let object = Object::Live(name);
            if !fresh && rollout.suspect.is_none() && self.is_idle(&object) {
                self.read(&object, Purpose::Prove);
            }
        }
        if proven {
            self.stage = Stage::Closing;
            self.end_phase = Some(LockPhase::Done);
            self.want_close(LockPhase::Done);
        }
        Ok(())
    }

    /// The end is in the lock: descriptions are restored, old versions deleted, people told.
    pub(super) fn closed(&mut self) {
        self.stage = Stage::Tidying;
        let is_done = self.end_phase == Some(LockPhase::Done);
        for name in self.plan.order.clone() {
            self.restore(&name);
            let Some(stable) = self.plan.functions.get(&name).and_then(|f| f.action.stable()) else {
                continue;
            };
            let candidate = self.rollouts.get(&name).and_then(Rollout::version);
            let is_switch = self.plan.functions.get(&name).is_some_and(|f| f.artifact.is_none());
            if is_done && !is_switch && self.plan.keep_versions > 0 {
                self.loose_ends += 1;
                let protected = [Some(stable), candidate].into_iter().flatten().collect();
                self.effects.push(Effect::Prune { function: name, protected });
            }
        }
    }

    /// Gives the alias its own description back. A first alias keeps the record: it has no text of
    /// its own to lose.
    fn restore(&mut self, name: &FunctionName) {
        let object = Object::Live(name.clone());
        let Some(rollout) = self.rollouts.get(name) else { return };
        let Some(function) = self.plan.functions.get(name) else { return };
        let is_quiet = matches!(rollout.phase, Phase::Done | Phase::RolledBack | Phase::Kept);
        let is_ours = rollout.claimed && rollout.contested.is_none() && function.action.stable().is_some();
        if !is_quiet || !is_ours || self.end_phase == Some(LockPhase::Held) || !self.is_idle(&object) {
            return;
        }
        let text = rollout.own_text.clone();
        let Some(base) = self.known(&object).cloned() else { return };
        if base.description == text {
            return;
        }
        self.loose_ends += 1;
        self.update(&object, Purpose::Restore, base, None, text);
    }

    fn try_finish(&mut self) {
        if self.loose_ends > 0 {
            return;
        }
        let reason = self.failure.as_ref().map(|failure| failure.reason.clone());
        let mut todo: Vec<String> = self.rollouts.values().filter_map(|r| r.todo.clone()).collect();
        todo.extend(self.todo.clone());
        let outcome = match (reason, self.end_phase) {
            (None, _) => Outcome::Done,
            (Some(reason), _) if !todo.is_empty() => Outcome::Stuck { reason, todo },
            (Some(reason), Some(LockPhase::Held)) => Outcome::Frozen { reason },
            (Some(reason), _) => Outcome::RolledBack { reason },
        };
        self.finish(outcome);
    }

    pub(super) fn finish(&mut self, outcome: Outcome) {
        if self.stage == Stage::Over {
            return;
        }
        self.stage = Stage::Over;
        self.effects.push(Effect::Finish(outcome));
    }

    // ---- small things ------------------------------------------------------------------------

    pub(super) fn is_going_back(&self) -> bool {
        self.failure.is_some()
    }

    pub(super) fn freezes(&self) -> bool {
        self.plan.on_failure == OnFailure::Freeze
    }

    pub(super) fn report(&mut self, event: Event) {
        self.effects.push(Effect::Report(event));
    }

    pub(super) fn move_to(&mut self, name: &FunctionName, to: Phase) -> Result<(), Illegal> {
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let from = rollout.move_to(name.as_str(), to)?;
        self.report(Event::Moved { function: name.clone(), from, to });
        Ok(())
    }

    pub(super) fn words(&self, object: &Object) -> String {
        match object {
            Object::Lock => format!("alias {} of {}", self.plan.alias.lock(), self.plan.anchor),
            Object::Live(function) => format!("alias {} of {function}", self.plan.alias),
            Object::Pin(function) => format!("alias {} of {function}", self.plan.alias.pin()),
        }
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn next_call(&mut self, object: &Object) -> CallId {
        let id = CallId(self.next_id());
        self.calls.insert(id, object.clone());
        id
    }

    pub(super) fn next_timer(&mut self, purpose: TimerFor) -> TimerId {
        let id = TimerId(self.next_id());
        self.timers.insert(id, purpose);
        id
    }

    /// Nonces grow from the runner's random seed (splitmix64, whose increments never repeat within
    /// 2^64 draws).
    pub(super) fn nonce(&mut self) -> Nonce {
        self.nonces += 1;
        Nonce(splitmix64(self.runner.seed.wrapping_add(self.nonces.wrapping_mul(0x9e37_79b9_7f4a_7c15))))
    }

    /// A number in 0..1 that spreads retries.
    pub(super) fn jitter(&mut self) -> f64 {
        let Nonce(bits) = self.nonce();
        f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

fn splitmix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The user's own description of a live alias. A token that an interrupted release left may have
/// cut it short: then the pin alias has it whole.
fn user_text(live: &AliasState, pin: Option<&AliasState>) -> String {
    match (Token::decode(&live.description), pin) {
        (Some(token), Some(pin)) if token.stable.is_some() => pin.description.clone(),
        _ => own_text(&live.description).to_owned(),
    }
}

/// An alias in words.
pub(super) fn describe(state: Option<&AliasState>) -> String {
    match state {
        None => "it was deleted".to_owned(),
        Some(AliasState { version, extra: None, .. }) => format!("it serves version {version} alone"),
        Some(AliasState { version, extra: Some(extra), .. }) => {
            format!("it serves version {version} and {} on version {}", extra.weight, extra.version)
        }
    }
}
