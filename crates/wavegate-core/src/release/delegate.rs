//! Traffic that CodeDeploy moves: handed over, waited for, taken back.
//!
//! The record in the live alias says so before CodeDeploy is asked ([`Position::Delegated`]): from
//! then on any routing between the two versions is CodeDeploy's, and only it may change. So whoever
//! comes later, on whatever machine, knows that there may be a deployment. When it has succeeded, one
//! write takes the alias back as promoted, and the rollout goes on as any other. On the way back
//! CodeDeploy is halted first, since it overwrites without looking; then the alias is put back as any
//! other, wherever CodeDeploy has left it.

use super::machine::{Failure, Release, Stage};
use super::register::Purpose;
use super::rollout::Phase;
use super::{Effect, Illegal, Object, limits};
use crate::inventory::AliasState;
use crate::name::{FunctionName, VersionId};
use crate::token::{Position, Token};
use crate::weight::Weight;

/// What is said of a release that was left to CodeDeploy.
pub const LEFT: &str = "left to CodeDeploy";

/// How far CodeDeploy is with a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Handover {
    /// It was not asked by this machine.
    #[default]
    None,
    /// It was asked: the answer to this question ends it.
    Asked(u64),
    /// It says that all traffic is on the candidate.
    Delivered,
    /// It is being halted.
    Halting,
    /// It does nothing more.
    Halted,
}

impl Release {
    fn is_delegated(&self, name: &FunctionName) -> bool {
        self.plan.functions.get(name).is_some_and(|function| function.delegation.is_some())
    }

    fn handover(&self, name: &FunctionName) -> Handover {
        self.rollouts.get(name).map(|rollout| rollout.handover).unwrap_or_default()
    }

    fn set_handover(&mut self, name: &FunctionName, to: Handover) {
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.handover = to;
        }
    }

    /// Whether CodeDeploy shifts a rollout now: nobody can hurry it.
    pub(super) fn is_handed_over(&self, name: &FunctionName) -> bool {
        self.is_delegated(name)
            && self.rollouts.get(name).is_some_and(|rollout| rollout.phase == Phase::Shifting)
    }

    /// Where a native rollout would ask its strategy, CodeDeploy gets the traffic. `false`: it is a
    /// native one.
    pub(super) fn delegate(&mut self, name: &FunctionName) -> Result<bool, Illegal> {
        if !self.is_delegated(name) {
            return Ok(false);
        }
        if !self.is_free(name) {
            let at = self.now + limits::POLL;
            self.wake_at(name, at);
            return Ok(true);
        }
        let known = self.known(&Object::Live(name.clone())).cloned();
        match (known, self.handover(name)) {
            (_, Handover::Delivered) => self.read(&Object::Live(name.clone()), Purpose::Collect),
            (Some(state), Handover::None) if is_delegated(&state) => self.ask_codedeploy(name),
            (Some(state), Handover::None) => {
                if self.observe(name).alarms_unknown > 0 {
                    self.hold_blind(name)?;
                    return Ok(true);
                }
                let description = self.token(name, Position::Delegated, Weight::ZERO);
                let object = Object::Live(name.clone());
                self.update(&object, Purpose::Delegate, state, None, description);
            }
            (_, Handover::Asked(_) | Handover::Halting | Handover::Halted) | (None, _) => {}
        }
        Ok(true)
    }

    /// The alias says that it is CodeDeploy's to shift: it may be asked.
    pub(super) fn handed_over(&mut self, name: &FunctionName) {
        let now = self.now;
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.since.get_or_insert(now);
            rollout.proven = Some(now);
            rollout.is_open = false;
        }
        self.ask_codedeploy(name);
    }

    fn ask_codedeploy(&mut self, name: &FunctionName) {
        let Some(candidate) = self.rollouts.get(name).and_then(super::rollout::Rollout::version)
        else {
            return;
        };
        let ask = self.next_id();
        self.set_handover(name, Handover::Asked(ask));
        self.effects.push(Effect::Delegate { function: name.clone(), ask, candidate });
    }

    /// A deployment of CodeDeploy ended.
    pub(super) fn delegated(
        &mut self,
        name: &FunctionName,
        ask: u64,
        result: Result<(), String>,
    ) -> Result<(), Illegal> {
        if self.is_going_back() || self.handover(name) != Handover::Asked(ask) {
            return Ok(());
        }
        match result {
            Ok(()) => {
                self.set_handover(name, Handover::Delivered);
                self.delegate(name).map(drop)
            }
            Err(reason) => self.fail(Some(name), reason),
        }
    }

    /// An alias that CodeDeploy shifts was read to be what it may be.
    pub(super) fn shown(
        &mut self,
        name: &FunctionName,
        purpose: Purpose,
        state: &AliasState,
    ) -> Result<(), Illegal> {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.proven = Some(now);
        let Some(candidate) = rollout.version() else { return Ok(()) };
        // Whoever follows the deployment tells of it as it moves.
        rollout.weight = state.share_of(candidate);
        let phase = rollout.phase;
        match purpose {
            Purpose::Collect => self.collect(name, state, candidate),
            // It was taken for somebody else's change, or must be asked about anew.
            Purpose::ReadBack if phase == Phase::Shifting => {
                self.wake_at(name, now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// CodeDeploy says that it is done. If the alias says so too, the record is written that it is
    /// promoted.
    fn collect(
        &mut self,
        name: &FunctionName,
        state: &AliasState,
        candidate: VersionId,
    ) -> Result<(), Illegal> {
        if state.main() == Some(candidate) && state.extra.is_none() {
            if !self.is_parked(name) {
                self.promote(name);
            }
            return Ok(());
        }
        // A stale read, or AWS's own weights for provisioned concurrency: both go by themselves.
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let since = *rollout.transient_since.get_or_insert(now);
        if now.since(since) > limits::TRANSIENT {
            let now = super::look::describe(Some(state));
            let reason =
                format!("CodeDeploy says that its deployment succeeded, and its alias says: {now}");
            return self.fail(Some(name), reason);
        }
        self.wake_at(name, now + limits::POLL);
        Ok(())
    }

    /// Whether CodeDeploy must be halted before an alias goes back, or is left to whoever changed it:
    /// it is, or will be.
    pub(super) fn must_halt(&mut self, name: &FunctionName, state: Option<&AliasState>) -> bool {
        if !state.is_some_and(is_delegated) {
            return false;
        }
        match self.handover(name) {
            Handover::Halted => return false,
            Handover::Halting => {}
            Handover::None | Handover::Asked(_) | Handover::Delivered => {
                self.set_handover(name, Handover::Halting);
                self.effects.push(Effect::Halt { function: name.clone() });
            }
        }
        true
    }

    /// Whether its way back waits for CodeDeploy.
    pub(super) fn is_halting(&self, name: &FunctionName) -> bool {
        self.rollouts.get(name).is_some_and(|rollout| rollout.handover == Handover::Halting)
    }

    /// Leaves to CodeDeploy what it has in hand; the lock says that nobody owns the release.
    pub(super) fn leave(&mut self, by: &str, reason: &str) -> Result<(), Illegal> {
        if !self.may_leave() {
            return self.asked_to_abort(by, reason);
        }
        let in_hand = self.rollouts.iter().filter(|(name, _)| self.is_handed_over(name));
        let names = in_hand.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let reason = format!("{by}: {reason}; {LEFT}: {names}");
        self.failure = Some(Failure { culprit: None, reason });
        self.effects.push(Effect::StopWork);
        self.drop_forward();
        self.freeze()
    }

    /// Whether CodeDeploy has something in hand, and nothing stands in the middle that it has not.
    fn may_leave(&self) -> bool {
        let is_native_and_moves = |name: &FunctionName, phase: Phase| {
            !self.is_delegated(name)
                && matches!(
                    phase,
                    Phase::Shifting | Phase::Promoting | Phase::PostTraffic | Phase::Baking
                )
        };
        self.stage == Stage::Running
            && self.failure.is_none()
            && self.owns_lock()
            && self.rollouts.keys().any(|name| self.is_handed_over(name))
            && !self.rollouts.iter().any(|(name, r)| is_native_and_moves(name, r.phase))
    }

    /// CodeDeploy does nothing more for a function, or cannot be made to stop.
    pub(super) fn halted(
        &mut self,
        name: &FunctionName,
        result: Result<(), String>,
    ) -> Result<(), Illegal> {
        if self.stage != Stage::Unwinding || !self.is_halting(name) {
            return Ok(());
        }
        self.set_handover(name, Handover::Halted);
        let Some(rollout) = self.rollouts.get(name) else { return Ok(()) };
        if rollout.phase.is_settled() {
            return Ok(());
        }
        if let Err(reason) = result {
            return self.stuck(name, format!("CodeDeploy could not be stopped: {reason}"));
        }
        let object = Object::Live(name.clone());
        let goes_back = rollout.phase == Phase::RollingBack && rollout.contested.is_none();
        if goes_back && self.is_idle(&object) {
            // It has changed the alias since the last look.
            self.read(&object, Purpose::Look);
            return Ok(());
        }
        self.unwind_more()
    }
}

/// Whether an alias is CodeDeploy's to shift.
pub(super) fn is_delegated(state: &AliasState) -> bool {
    Token::decode(&state.description).is_some_and(|token| token.position == Position::Delegated)
}
