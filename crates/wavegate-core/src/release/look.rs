//! Looking: what a live alias was read to be, and whose change it is.

use super::delegate::is_delegated;
use super::machine::{Release, Stage, TimerFor};
use super::register::{End, Purpose};
use super::rollout::{Phase, Sight};
use super::{Effect, Event, HookPhase, Illegal, Object, Outcome, limits};
use crate::inventory::AliasState;
use crate::name::FunctionName;
use crate::token::{Class, Position, Token, classify, own_text};
use crate::weight::Weight;

impl Release {
    pub(super) fn live_ended(
        &mut self,
        name: &FunctionName,
        purpose: Purpose,
        end: End,
    ) -> Result<(), Illegal> {
        if purpose == Purpose::Restore {
            self.restored(name, end);
            return Ok(());
        }
        let phase = self.rollouts.get(name).map(|rollout| rollout.phase);
        if matches!(phase, Some(Phase::RolledBack | Phase::Kept | Phase::Stuck)) {
            return Ok(()); // Nothing more is decided about it.
        }
        match purpose {
            Purpose::Confirm | Purpose::Probe => return self.confirmed(name, purpose, end),
            Purpose::Enter => return self.entered(name, end),
            Purpose::Back | Purpose::Fence | Purpose::DeleteLive | Purpose::Look => {
                return self.back_ended(name, purpose, end);
            }
            _ => {}
        }
        if self.is_going_back() {
            return self.forward_ended_late(name, purpose, end);
        }
        match (purpose, end) {
            (_, End::Failed(reason)) => self.fail(Some(name), reason),
            // It landed under an epoch that is over: the fence comes first.
            (
                Purpose::Claim
                | Purpose::CreateLive
                | Purpose::Shift(_)
                | Purpose::Delegate
                | Purpose::Promote
                | Purpose::Refence,
                End::Landed(state) | End::Retouched(state),
            ) if self.lock.regains.is_some() || self.is_of_an_epoch_before(&state) => {
                self.suspicious(name, Some(state))
            }
            (Purpose::Refence, End::Landed(_) | End::Retouched(_)) => self.fenced_off(name),
            (Purpose::Claim, End::Landed(_) | End::Retouched(_)) => {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.claim();
                    rollout.fences = false;
                }
                self.move_to(name, Phase::Waiting)
            }
            (Purpose::Claim, End::Conflict(state)) => self.claim_conflict(name, state),
            (Purpose::CreateLive, End::Conflict(state)) if !self.is_ours(state.as_ref()) => {
                let now = describe(state.as_ref());
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.touched = false;
                }
                self.fail(Some(name), format!("somebody else created its alias: {now}"))
            }
            // A creation has no revision id to be fenced by: that of whoever owned the release before
            // landed after the alias was looked for. It is taken up, and fenced now.
            (Purpose::CreateLive, End::Conflict(Some(state)))
                if self.is_of_an_epoch_before(&state) =>
            {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.fences = true;
                }
                self.suspicious(name, Some(state))
            }
            (Purpose::Shift(_) | Purpose::Promote | Purpose::CreateLive, End::Landed(_)) => {
                self.read(&Object::Live(name.clone()), Purpose::ReadBack);
                self.note_landed(name, purpose);
                self.moved_on(name, purpose == Purpose::Promote)
            }
            (Purpose::Delegate, End::Landed(_)) => {
                self.handed_over(name);
                Ok(())
            }
            (Purpose::Shift(_) | Purpose::Delegate | Purpose::Promote, End::Retouched(_)) => {
                self.touched(name);
                Ok(())
            }
            (
                Purpose::Shift(_)
                | Purpose::Delegate
                | Purpose::Promote
                | Purpose::CreateLive
                | Purpose::Refence,
                End::Conflict(state),
            ) => self.suspicious(name, state),
            (
                Purpose::ReadBack | Purpose::Watch | Purpose::Collect | Purpose::Prove,
                End::Read(state),
            ) => self.looked(name, purpose, state),
            _ => Ok(()),
        }
    }

    pub(super) fn note_landed(&mut self, name: &FunctionName, purpose: Purpose) {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return };
        rollout.since.get_or_insert(now);
        rollout.begin_again(now + limits::SETTLE);
        rollout.is_open = false;
        if matches!(purpose, Purpose::Promote | Purpose::CreateLive) {
            rollout.transient_since.get_or_insert(now);
        }
    }

    /// The promotion is in force: until then the rollout shifts, and bakes again if it has to.
    fn moved_on(&mut self, name: &FunctionName, is_promoted: bool) -> Result<(), Illegal> {
        let is_shifting = self.rollouts.get(name).is_some_and(|r| r.phase == Phase::Shifting);
        if is_promoted && is_shifting { self.move_to(name, Phase::Promoting) } else { Ok(()) }
    }

    /// Whether a state is as this release's records say. On the way back, where it is to be fenced
    /// and where this very machine wrote it, also as those of an epoch before this one.
    fn is_own(&self, name: &FunctionName, state: &AliasState, class: Class) -> bool {
        let fences = || self.rollouts.get(name).is_some_and(|rollout| rollout.fences);
        matches!(class, Class::Mine | Class::Settling)
            || (class == Class::OldEpoch
                && (self.is_going_back() || fences() || self.has_written(state)))
    }

    /// Whether the record in a state is one that this machine wrote.
    fn has_written(&self, state: &AliasState) -> bool {
        Token::decode(&state.description).is_some_and(|token| self.written.contains(&token.nonce))
    }

    fn is_of_an_epoch_before(&self, state: &AliasState) -> bool {
        Token::decode(&state.description).is_some_and(|token| token.epoch < self.epoch())
    }

    /// Whether a state carries this release's token.
    pub(super) fn is_ours(&self, state: Option<&AliasState>) -> bool {
        state
            .and_then(|state| Token::decode(&state.description))
            .is_some_and(|token| token.release == self.runner.release)
    }

    /// A description was restored. Who changed it since then meant it; AWS, which moves its own
    /// weights, did not.
    fn restored(&mut self, name: &FunctionName, end: End) {
        self.loose_ends = self.loose_ends.saturating_sub(1);
        if let End::Failed(reason) = &end {
            let text = format!(
                "the description of {name}'s alias could not be given back ({reason}): `wavegate doctor --heal` does it"
            );
            self.report(Event::Note { text });
        }
        let End::Conflict(Some(state)) = end else { return };
        let class = classify(&state, self.runner.release, self.epoch());
        let Some(rollout) = self.rollouts.get_mut(name) else { return };
        if matches!(class, Class::Mine | Class::Settling) && rollout.restores < limits::RESTORES {
            rollout.restores += 1;
            self.believe(&Object::Live(name.clone()), Some(state));
            self.restore(name);
        }
    }

    /// A live alias was read: it is as it was left, touched, settling, or somebody else's.
    pub(super) fn looked(
        &mut self,
        name: &FunctionName,
        purpose: Purpose,
        state: Option<AliasState>,
    ) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        let Some(state) = state else { return self.suspicious(name, None) };
        let class = classify(&state, self.runner.release, self.epoch());
        let known = self.known(&object).cloned();
        let same = known.as_ref().is_some_and(|known| known.same_content(&state));
        let moved = known.as_ref().is_some_and(|known| known.revision != state.revision);
        match class {
            // Each of CodeDeploy's shifts is a change that nobody has to account for.
            Class::Mine if is_delegated(&state) => {
                self.believe(&object, Some(state.clone()));
                self.shown(name, purpose, &state)
            }
            Class::Mine if same => {
                self.believe(&object, Some(state.clone()));
                if moved && purpose == Purpose::ReadBack {
                    let now = self.now;
                    if let Some(rollout) = self.rollouts.get_mut(name) {
                        rollout.begin_again(rollout.in_force.max(now));
                    }
                } else if moved {
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
            Class::Unclaimed | Class::OldEpoch | Class::Foreign => {
                self.suspicious(name, Some(state))
            }
        }
    }

    /// The alias is as the rollout wants it.
    pub(super) fn as_left(
        &mut self,
        name: &FunctionName,
        purpose: Purpose,
        state: &AliasState,
    ) -> Result<(), Illegal> {
        let now = self.now;
        let Some(token) = Token::decode(&state.description) else { return Ok(()) };
        if token.position == Position::Delegated {
            return self.shown(name, purpose, state);
        }
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.proven = Some(now);
        rollout.transient_since = None;
        if purpose != Purpose::ReadBack {
            return Ok(());
        }
        let before = rollout.weight;
        rollout.weight = token.weight;
        if before != token.weight && rollout.next_state.is_some() {
            rollout.strategy_state = rollout.next_state.take();
        }
        let in_force = rollout.in_force;
        let phase = rollout.phase;
        let actual = match (token.position, state.extra) {
            (Position::Promoted, None) => Weight::FULL,
            (_, extra) => extra.map_or(Weight::ZERO, |extra| extra.weight),
        };
        let bake = self.plan.functions.get(name).and_then(|f| {
            f.outline
                .steps
                .iter()
                .find(|step| step.weight == token.weight)
                .map(|step| step.bake_min)
        });
        if before != token.weight {
            self.report(Event::Weight {
                function: name.clone(),
                set: token.weight,
                actual,
                before,
                bake,
            });
        }
        let is_promoted = token.position == Position::Promoted;
        self.moved_on(name, is_promoted)?;
        match phase {
            Phase::Shifting if !is_promoted => {
                self.wake_at(name, in_force);
                Ok(())
            }
            Phase::Shifting | Phase::Promoting => {
                self.move_to(name, Phase::PostTraffic)?;
                self.next_hook(name, HookPhase::PostTraffic)
            }
            _ => Ok(()),
        }
    }

    /// Somebody rewrote the alias without changing it: what was baked and approved so far does not
    /// count.
    pub(super) fn touched(&mut self, name: &FunctionName) {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return };
        rollout.begin_again(now);
        rollout.next_state = None;
        rollout.forget_questions();
        let phase = rollout.phase;
        self.report(Event::Touched { function: name.clone() });
        match phase {
            Phase::Shifting | Phase::Promoting => self.wake_at(name, now + limits::SETTLE),
            Phase::Baking => self.bake_again(name),
            _ => {}
        }
    }

    /// What looked like somebody else's change is this release's own record: a write whose answer
    /// was lost, a change that was undone, or AWS's own weights. What was baked does not count.
    fn ours_after_all(
        &mut self,
        name: &FunctionName,
        state: &AliasState,
        class: Class,
    ) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        let same = self.known(&object).is_some_and(|known| known.same_content(state));
        self.believe(&object, Some(state.clone()));
        let now = self.now;
        let is_going_back = self.is_going_back();
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.suspect = None;
        rollout.claim();
        rollout.fences |= class == Class::OldEpoch;
        rollout.forget_questions();
        if is_going_back {
            return Ok(()); // The unwinding goes on by itself.
        }
        rollout.since.get_or_insert(now);
        rollout.begin_again(now + limits::SETTLE);
        let is_baking = rollout.phase == Phase::Baking;
        if same {
            self.report(Event::Touched { function: name.clone() });
        }
        if is_baking {
            self.bake_again(name);
        }
        if let Some(token) = Token::decode(&state.description)
            && let Some(rollout) = self.rollouts.get_mut(name)
        {
            rollout.sequence = rollout.sequence.max(token.sequence);
        }
        match class {
            Class::Settling => self.settling(name),
            _ => self.as_left(name, Purpose::ReadBack, state),
        }
    }

    /// AWS's own weights: they go by themselves.
    pub(super) fn settling(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.weight = Weight::FULL;
        rollout.prove_after = now + limits::POLL;
        let since = *rollout.transient_since.get_or_insert(now);
        if now.since(since) > limits::TRANSIENT {
            let reason =
                "the weights that AWS set for provisioned concurrency do not clear".to_owned();
            return self.fail(Some(name), reason);
        }
        if since == now {
            let on = "AWS: provisioned concurrency is being moved to the new version".to_owned();
            self.report(Event::Held { function: name.clone(), on });
        }
        self.moved_on(name, true)?;
        self.wake_at(name, now + limits::POLL);
        Ok(())
    }

    /// Something is there that this release did not write. A read can be old: look twice, far
    /// enough apart, then let the cloud itself say that it is current.
    pub(super) fn suspicious(
        &mut self,
        name: &FunctionName,
        state: Option<AliasState>,
    ) -> Result<(), Illegal> {
        if let Some(state) = &state {
            let class = classify(state, self.runner.release, self.epoch());
            if self.is_own(name, state, class) {
                return self.ours_after_all(name, state, class);
            }
        }
        let words = describe(state.as_ref());
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let is_new = rollout.suspect.is_none();
        rollout.suspect = Some(Sight::of(state));
        if is_new {
            self.report(Event::Suspect { function: name.clone(), now: words });
        }
        self.confirm_later(name);
        Ok(())
    }

    /// Looks again when no stale read can show the same any more.
    pub(super) fn confirm_later(&mut self, name: &FunctionName) {
        let id = self.next_timer(TimerFor::Confirm(name.clone()));
        let at = self.now + limits::CONFIRM;
        self.effects.push(Effect::Timer { id, at });
    }

    pub(super) fn look_again(&mut self, name: &FunctionName) {
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

    pub(super) fn confirmed(
        &mut self,
        name: &FunctionName,
        purpose: Purpose,
        end: End,
    ) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        let suspect = self.rollouts.get_mut(name).and_then(|r| r.suspect.take());
        match (purpose, end) {
            (Purpose::Probe, End::Landed(state)) => self.contested(name, Some(&state)),
            (Purpose::Confirm, End::Read(None)) if suspect == Some(Sight::Gone) => {
                self.contested(name, None)
            }
            (_, End::Read(None) | End::Conflict(None)) => self.suspicious(name, None),
            (Purpose::Confirm, End::Read(Some(state))) => {
                let before = suspect.as_ref().and_then(Sight::state);
                let is_same = before.is_some_and(|s| s.revision == state.revision);
                let class = classify(&state, self.runner.release, self.epoch());
                if is_same && !self.is_own(name, &state, class) {
                    let description = state.description.clone();
                    if let Some(rollout) = self.rollouts.get_mut(name) {
                        rollout.suspect = Some(Sight::There(state.clone()));
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

    pub(super) fn contested(
        &mut self,
        name: &FunctionName,
        state: Option<&AliasState>,
    ) -> Result<(), Illegal> {
        let is_first = self.stable(name).is_none();
        if state.is_none() && is_first && self.stage == Stage::Unwinding {
            return self.back_at(name); // It is gone, as before.
        }
        let now = describe(state);
        self.report(Event::Contested { function: name.clone(), now: now.clone() });
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.suspect = None;
            rollout.contested = Some(Sight::of(state.cloned()));
        }
        if self.is_going_back() {
            return self.leave_contested(name);
        }
        self.fail_contested(name)
    }

    /// Somebody else's change is a failure of the release.
    pub(super) fn fail_contested(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let sight = self.rollouts.get(name).and_then(|rollout| rollout.contested.as_ref());
        let now = describe(sight.and_then(Sight::state));
        self.fail(Some(name), format!("somebody else changed its alias: {now}"))
    }
}

/// The user's own description of a live alias. A token that an interrupted release left may have
/// cut it short: then the pin alias has it whole, unless the look at that is older.
pub(crate) fn user_text(live: &AliasState, pin: Option<&AliasState>) -> String {
    match (Token::decode(&live.description), pin) {
        (Some(token), Some(pin))
            if token.stable.is_some() && token.encode(&pin.description) == live.description =>
        {
            pin.description.clone()
        }
        _ => own_text(&live.description).to_owned(),
    }
}

/// Longest quote of somebody else's description.
const QUOTE_MAX: usize = 80;

/// An alias in words, with what somebody else wrote about it.
pub(super) fn describe(state: Option<&AliasState>) -> String {
    let Some(state) = state else { return "it was deleted".to_owned() };
    let serves = match state.extra {
        None => format!("it serves version {} alone", state.version),
        Some(extra) => format!(
            "it serves version {} and {} on version {}",
            state.version, extra.weight, extra.version
        ),
    };
    if state.description.is_empty() || Token::decode(&state.description).is_some() {
        return serves;
    }
    let quote: String = state.description.chars().take(QUOTE_MAX).collect();
    format!("{serves}, described as \"{quote}\"")
}
