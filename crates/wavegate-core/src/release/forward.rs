//! Forward: versions published, aliases claimed, the barrier, and each rollout to its end.

use std::time::Duration;

use super::look::{describe, user_text};
use super::machine::{Release, Stage, TimerFor};
use super::register::{End, Purpose};
use super::rollout::{AlarmSeen, Hurry, Phase, Rollout};
use super::watch::AskFor;
use super::{
    Decision, Effect, Event, HookContext, HookPhase, Illegal, Object, Observation, Outcome,
    Prepared, TimerId, limits,
};
use crate::fence;
use crate::inventory::AliasState;
use crate::name::{FunctionName, VersionId};
use crate::plan::{Action, AlarmStatus};
use crate::spec::{IfAlreadyAlarming, OnBlind, Opaque};
use crate::time::Mono;
use crate::token::{Class, Position, Token, classify, own_text};
use crate::weight::Weight;

impl Release {
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
                let prepared = Prepared { version: target, arn: function.arn.clone() };
                if let Some(rollout) = self.rollouts.get_mut(&name) {
                    rollout.candidate = Some(prepared);
                }
                self.start_pin(&name);
            } else {
                self.effects.push(Effect::Prepare { function: name });
            }
        }
    }

    pub(super) fn prepared(
        &mut self,
        name: &FunctionName,
        result: Result<Prepared, String>,
    ) -> Result<(), Illegal> {
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
        if self.stage == Stage::Running && action.stable().is_some() {
            return self.lost_its_record(name);
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
    pub(super) fn start_pin(&mut self, name: &FunctionName) {
        let Some(stable) = self.plan.functions.get(name).and_then(|f| f.action.stable()) else {
            return;
        };
        let Some(rollout) = self.rollouts.get(name) else { return };
        let text = rollout.own_text.clone();
        let object = Object::Pin(name.clone());
        match self.known(&object).cloned() {
            Some(pin)
                if pin.main() == Some(stable) && pin.extra.is_none() && pin.description == text =>
            {
                self.start_claim(name);
            }
            Some(pin) => self.update(&object, Purpose::Pin, pin, Some((stable, None)), text),
            None => self.create(&object, Purpose::Pin, Some(stable), text),
        }
    }

    pub(super) fn pin_ended(&mut self, name: &FunctionName, end: End) -> Result<(), Illegal> {
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
            End::Failed(reason) => {
                return self.fail(Some(name), format!("the pin alias: {reason}"));
            }
            End::Deleted | End::Read(_) | End::Dropped => {}
        }
        Ok(())
    }

    /// Writes the token into the live alias. The routing is left out of the request: a claim can
    /// neither move traffic nor freeze weights that AWS itself set.
    pub(super) fn start_claim(&mut self, name: &FunctionName) {
        let object = Object::Live(name.clone());
        let Some(base) = self.known(&object).cloned() else { return };
        let description = self.token(name, Position::Forward, Weight::ZERO);
        self.mark_open(name);
        self.update(&object, Purpose::Claim, base, None, description);
    }

    /// The first write on a live alias is about to be sent.
    fn mark_open(&mut self, name: &FunctionName) {
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.touched = true;
            rollout.is_open = true;
        }
    }

    /// A write was given up before it was sent. Where an earlier one has landed, that changes nothing.
    pub(super) fn never_sent(&mut self, name: &FunctionName) {
        if let Some(rollout) = self.rollouts.get_mut(name)
            && rollout.is_open
            && !rollout.claimed
        {
            rollout.is_open = false;
            rollout.touched = false;
        }
    }

    /// The description for the next write on a live alias.
    pub(super) fn token(
        &mut self,
        name: &FunctionName,
        position: Position,
        weight: Weight,
    ) -> String {
        let nonce = self.nonce();
        self.written.insert(nonce);
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

    pub(super) fn claim_conflict(
        &mut self,
        name: &FunctionName,
        state: Option<AliasState>,
    ) -> Result<(), Illegal> {
        let stable = self.plan.functions.get(name).and_then(|f| f.action.stable());
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.is_open = false;
        }
        match state {
            // The claim of whoever owned the release before landed late: it is written over.
            Some(state) if self.is_left_claim(&state) => {
                let token = Token::decode(&state.description);
                let text = own_text(&state.description).to_owned();
                if let (Some(token), Some(rollout)) = (token, self.rollouts.get_mut(name)) {
                    rollout.sequence = rollout.sequence.max(token.sequence);
                    // What is known may be an older text; what the claim carries may be cut short.
                    if token.encode(&rollout.own_text) != state.description {
                        rollout.own_text = text;
                    }
                }
                self.believe(&Object::Live(name.clone()), Some(state));
                self.start_pin(name);
                Ok(())
            }
            // The claim landed, and somebody changed the alias before that could be read.
            Some(state) if self.is_ours(Some(&state)) => {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.claim();
                }
                let now = describe(Some(&state));
                self.fail(Some(name), format!("its alias was changed as it was claimed: {now}"))?;
                self.suspicious(name, Some(state))
            }
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
                // The pin alias keeps the text: it may be another one now.
                self.start_pin(name);
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

    /// Whether a state carries nothing but a claim of this release: an earlier owner's, or that of a
    /// copy of this machine, which its lock will tell apart.
    fn is_left_claim(&self, state: &AliasState) -> bool {
        let token = Token::decode(&state.description);
        let class = classify(state, self.runner.release, self.epoch());
        token.is_some_and(|t| t.position == Position::Forward && t.weight == Weight::ZERO)
            && matches!(class, Class::OldEpoch | Class::Mine)
    }

    pub(super) fn try_barrier(&mut self) -> Result<(), Illegal> {
        self.has_moved = false;
        let ready = |rollout: &Rollout| {
            matches!(rollout.phase, Phase::Waiting | Phase::Done) && !rollout.fences
        };
        if !self.rollouts.values().all(ready) {
            return Ok(());
        }
        if self.rollouts.values().any(|rollout| rollout.claimed) {
            let passed = self.lock.record.as_ref().is_some_and(|r| r.claimed == r.functions);
            if !passed {
                self.want_barrier();
            }
            return Ok(());
        }
        self.stage = Stage::Running;
        self.schedule()
    }

    /// Starts every rollout whose dependencies are done, as far as there are places.
    pub(super) fn schedule(&mut self) -> Result<(), Illegal> {
        self.has_moved = false;
        let moving = self.rollouts.values().filter(|r| r.phase.is_moving()).count();
        let places = match self.paused {
            Some(_) => 0,
            None => self.plan.max_parallel.saturating_sub(moving),
        };
        let ready: Vec<FunctionName> = self
            .plan
            .order
            .iter()
            .filter(|name| self.is_ready(name))
            .take(places)
            .cloned()
            .collect();
        for name in ready {
            self.move_to(&name, Phase::PreTraffic)?;
            self.next_hook(&name, HookPhase::PreTraffic)?;
        }
        if self.stage == Stage::Running && self.rollouts.values().all(|r| r.phase == Phase::Done) {
            self.stage = Stage::Proving;
            return self.prove();
        }
        Ok(())
    }

    pub(super) fn is_ready(&self, name: &FunctionName) -> bool {
        let waits = self.rollouts.get(name).is_some_and(|r| r.phase == Phase::Waiting && !r.fences);
        let is_done = |need: &FunctionName| {
            self.rollouts.get(need).is_none_or(|rollout| rollout.phase == Phase::Done)
        };
        waits && self.plan.functions.get(name).is_some_and(|f| f.depends_on.iter().all(is_done))
    }

    /// Runs the next hook of a phase, or goes on.
    pub(super) fn next_hook(
        &mut self,
        name: &FunctionName,
        phase: HookPhase,
    ) -> Result<(), Illegal> {
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
        if phase == HookPhase::PreTraffic && self.is_parked(name) {
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

    pub(super) fn hooked(
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

    pub(super) fn create_live(&mut self, name: &FunctionName) {
        let description = self.token(name, Position::Promoted, Weight::FULL);
        let version = self.rollouts.get(name).and_then(Rollout::version);
        self.mark_open(name);
        self.create(&Object::Live(name.clone()), Purpose::CreateLive, version, description);
    }

    /// An alarm that was red before the release may hold the first shift.
    pub(super) fn start_shifting(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let waits = self.plan.functions.get(name).is_some_and(|function| {
            function.alarms.iter().any(|a| a.alarm.if_already_alarming == IfAlreadyAlarming::Wait)
        });
        let now = self.now;
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.in_force = now;
            rollout.gate_at = now;
            rollout.blind_since = None;
        }
        if waits { self.start_shifting_again(name) } else { self.decide(name) }
    }

    pub(super) fn wake_at(&mut self, name: &FunctionName, at: Mono) {
        let id = self.next_timer(TimerFor::Wake(name.clone()));
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.wake = Some(id);
        }
        self.effects.push(Effect::Timer { id, at });
    }

    /// A rollout's timer is due: what it waited for is looked at again.
    pub(super) fn wake(&mut self, name: &FunctionName, timer: TimerId) -> Result<(), Illegal> {
        let is_going_back = self.is_going_back();
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        if is_going_back || rollout.wake != Some(timer) {
            return Ok(());
        }
        rollout.wake = None;
        let (phase, weight, in_force) = (rollout.phase, rollout.weight, rollout.in_force);
        let bake_until = rollout.bake_until.unwrap_or_default();
        let is_suspect = rollout.suspect.is_some();
        let is_looking = self.purpose_on(&Object::Live(name.clone())) == Some(Purpose::Watch);
        if is_suspect || !(is_looking || self.is_free(name)) {
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
            Phase::Baking if self.now < bake_until => {
                self.wake_at(name, bake_until);
                Ok(())
            }
            Phase::Shifting | Phase::Baking => self.gate(name),
            Phase::Promoting if self.is_free(name) => {
                self.read(&Object::Live(name.clone()), Purpose::ReadBack);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether the live alias may be written. A look that is under way is forgotten: the write's
    /// compare-and-swap tells more than it would.
    pub(super) fn is_free(&mut self, name: &FunctionName) -> bool {
        let object = Object::Live(name.clone());
        if let Some(register) = self.registers.get_mut(&object)
            && register.op.as_ref().is_some_and(|op| op.purpose == Purpose::Watch)
        {
            register.op = None;
        }
        let fences = self.rollouts.get(name).is_some_and(|rollout| rollout.fences);
        self.is_idle(&object) && !fences && self.lock.regains.is_none()
    }

    /// Before the first shift nothing else watches: whatever was waited for, alarms are read afresh.
    fn start_shifting_again(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        if self.plan.functions.get(name).is_some_and(|f| !f.alarms.is_empty()) {
            self.ask_alarms(AskFor::Quiet(name.clone()), std::slice::from_ref(name));
            return Ok(());
        }
        self.look_now(name);
        self.decide(name)
    }

    /// What is decided next is decided on what is known at this moment.
    fn look_now(&mut self, name: &FunctionName) {
        let now = self.now;
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.gate_at = now;
        }
    }

    /// Before anything is decided on a candidate that takes traffic, its alarms are read afresh.
    pub(super) fn gate(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        if self.plan.functions.get(name).is_some_and(|f| !f.alarms.is_empty()) {
            self.ask_alarms(AskFor::Gate(name.clone()), std::slice::from_ref(name));
            return Ok(());
        }
        self.look_now(name);
        self.past_gate(name)
    }

    pub(super) fn past_gate(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        match self.rollouts.get(name).map(|rollout| rollout.phase) {
            Some(Phase::Shifting) => self.decide(name),
            Some(Phase::Baking) => self.end_bake(name),
            _ => Ok(()),
        }
    }

    pub(super) fn decide(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        if self.is_parked(name) || self.delegate(name)? {
            return Ok(());
        }
        let observation = self.observe(name);
        if self.rollouts.get(name).is_some_and(|r| r.hurry == Some(Hurry::ToTheEnd)) {
            return self.go_to_the_end(name, &observation);
        }
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

    /// A person left out the steps between. What alarms say is no step.
    fn go_to_the_end(&mut self, name: &FunctionName, seen: &Observation) -> Result<(), Illegal> {
        if seen.alarms_unknown > 0 {
            return self.hold_blind(name);
        }
        if !self.is_free(name) {
            let at = self.now + limits::POLL;
            self.wake_at(name, at);
            return Ok(());
        }
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.blind_since = None;
        }
        self.promote(name);
        Ok(())
    }

    /// How long the weight in force counts as baked. A person may say that it is enough: then it is
    /// as long as the strategy promised to stay at the most.
    fn baked(&self, name: &FunctionName, rollout: &Rollout) -> Duration {
        let baked = rollout.gate_at.since(rollout.in_force);
        let Some(function) = self.plan.functions.get(name) else { return baked };
        match (rollout.hurry, fence::step(&function.outline, rollout.weight)) {
            (Some(Hurry::OneStep), Some(step)) => baked.max(step.bake_max),
            _ => baked,
        }
    }

    pub(super) fn observe(&self, name: &FunctionName) -> Observation {
        let Some(rollout) = self.rollouts.get(name) else { return Observation::default() };
        let count = |says: fn(AlarmStatus) -> bool| {
            let alarms = rollout.alarms.values().filter(|seen| says(seen.status));
            u32::try_from(alarms.filter(|seen| rollout.counts(seen)).count()).unwrap_or(0)
        };
        Observation {
            weight: rollout.weight,
            // Up to when the alarms were asked: what they say covers no more than that.
            bake_elapsed: self.baked(name, rollout),
            rollout_elapsed: rollout.since.map(|since| self.now.since(since)).unwrap_or_default(),
            alarms_ok: count(|status| status == AlarmStatus::Ok),
            alarms_firing: count(|status| status == AlarmStatus::Firing),
            alarms_unknown: count(cannot_tell),
            approvals: rollout.approvals,
        }
    }

    pub(super) fn decided(
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
        let goes_up = matches!(decision, Decision::Shift(_) | Decision::Promote);
        if goes_up && self.is_parked(name) {
            return Ok(());
        }
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        // A foreign change or a touch came between question and answer: ask again later.
        if rollout.suspect.is_some() || (goes_up && !self.is_free(name)) {
            let at = self.now + limits::POLL;
            self.wake_at(name, at);
            return Ok(());
        }
        let seen = self.observe(name);
        let Some(function) = self.plan.functions.get(name) else { return Ok(()) };
        if let Err(breach) = fence::judge(&function.outline, &seen, &decision) {
            let strategy = &function.strategy.name;
            let reason =
                format!("its strategy `{strategy}` decided outside its outline (WG335): {breach}");
            return self.fail(Some(name), reason);
        }
        let holds = fence::holds_blind(&function.outline, &seen, &decision);
        let patience = fence::patience(&function.outline, &seen);
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.note_pause(&decision);
        if !goes_up {
            rollout.strategy_state = Some(state);
        } else if !holds {
            rollout.next_state = Some(state);
        }
        if holds {
            // Held from going up, its state stays as it was: it is asked the same question again.
            return self.hold_blind(name);
        }
        rollout.blind_since = None;
        match decision {
            Decision::Wait(span) => self.follow(name, Decision::Wait(span.min(patience))),
            decision => self.follow(name, decision),
        }
    }

    pub(super) fn follow(
        &mut self,
        name: &FunctionName,
        decision: Decision,
    ) -> Result<(), Illegal> {
        match decision {
            Decision::Rollback(reason) => self.fail(Some(name), reason),
            Decision::Wait(span) => {
                let span = span.clamp(limits::WAIT_MIN, limits::WAIT_MAX);
                let at = self.now + span;
                self.wake_at(name, at);
                Ok(())
            }
            Decision::Pause(on) => {
                self.pause(name, on);
                Ok(())
            }
            Decision::Promote | Decision::Shift(Weight::FULL) => {
                self.promote(name);
                Ok(())
            }
            Decision::Shift(weight) => {
                self.shift(name, weight);
                Ok(())
            }
        }
    }

    pub(super) fn shift(&mut self, name: &FunctionName, weight: Weight) {
        let Some(function) = self.plan.functions.get(name) else { return };
        let Some(rollout) = self.rollouts.get(name) else { return };
        let (Some(stable), Some(candidate)) = (function.action.stable(), rollout.version()) else {
            return;
        };
        let object = Object::Live(name.clone());
        let Some(base) = self.known(&object).cloned() else { return };
        let description = self.token(name, Position::Forward, weight);
        let extra = crate::inventory::ExtraVersion { version: candidate, weight };
        self.update(
            &object,
            Purpose::Shift(weight),
            base,
            Some((stable, Some(extra))),
            description,
        );
    }

    /// One call moves the alias to the candidate and clears the weights: there is no moment at
    /// which a third routing is in force.
    pub(super) fn promote(&mut self, name: &FunctionName) {
        let Some(candidate) = self.rollouts.get(name).and_then(Rollout::version) else { return };
        let object = Object::Live(name.clone());
        let Some(base) = self.known(&object).cloned() else { return };
        let description = self.token(name, Position::Promoted, Weight::FULL);
        self.update(&object, Purpose::Promote, base, Some((candidate, None)), description);
    }

    pub(super) fn start_bake(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let Some(function) = self.plan.functions.get(name) else { return Ok(()) };
        let until = self.now + function.bake;
        let is_over = function.bake.is_zero() || matches!(function.action, Action::First { .. });
        let mut is_suspect = false;
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.bake_until = Some(until);
            rollout.blind_since = None;
            is_suspect = rollout.suspect.is_some();
        }
        if is_over && !is_suspect {
            return self.move_to(name, Phase::Done);
        }
        self.wake_at(name, until);
        Ok(())
    }

    /// Somebody was at the alias while it baked.
    pub(super) fn bake_again(&mut self, name: &FunctionName) {
        let Some(function) = self.plan.functions.get(name) else { return };
        let until = self.now + function.bake;
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.bake_until = Some(until);
        }
        self.wake_at(name, until);
    }

    pub(super) fn end_bake(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        if self.observe(name).alarms_unknown > 0 {
            return self.hold_blind(name);
        }
        self.move_to(name, Phase::Done)
    }

    /// Alarms cannot tell: nothing goes up, and not for ever.
    pub(super) fn hold_blind(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let unknown = rollout
            .alarms
            .iter()
            .filter(|(_, seen)| cannot_tell(seen.status) && rollout.counts(seen));
        let since = rollout.blind_since.unwrap_or(now);
        if now.since(since) > limits::BLIND {
            let what = unknown.map(|(alarm, seen)| last_words(alarm, seen)).collect::<Vec<_>>();
            let (what, span) = (what.join(", "), crate::time::human(limits::BLIND));
            let reason =
                format!("alarm {what} could not tell for {span}; unknown is never taken for quiet");
            if self.plan.on_blind == OnBlind::Rollback {
                return self.fail(Some(name), reason);
            }
            rollout.blind_since = None;
            rollout.is_parked = true;
            return self.pause_by_itself(&format!("{name}: {reason}"));
        }
        let what = unknown.map(|(alarm, _)| alarm.as_str()).collect::<Vec<_>>().join(", ");
        rollout.blind_since = Some(since);
        if since == now {
            let on = format!("alarm {what}: it cannot tell yet");
            self.report(Event::Held { function: name.clone(), on });
        }
        self.wake_at(name, now + limits::POLL);
        Ok(())
    }
}

fn cannot_tell(status: AlarmStatus) -> bool {
    matches!(status, AlarmStatus::Unknown | AlarmStatus::Missing)
}

/// An alarm that cannot tell, with what was heard of it last.
fn last_words(alarm: &str, seen: &AlarmSeen) -> String {
    match seen.detail.as_str() {
        "" => alarm.to_owned(),
        detail => format!("{alarm} ({detail})"),
    }
}
