//! The end: proof, the last word in the lock, and tidying up.

use super::machine::{Release, Stage};
use super::register::Purpose;
use super::rollout::{Phase, Rollout};
use super::{Effect, Illegal, Object, Outcome, limits};
use crate::name::FunctionName;
use crate::time::Mono;
use crate::token::LockPhase;

impl Release {
    /// Success is recorded only if every alias was read as promoted a moment ago.
    pub(super) fn prove(&mut self) -> Result<(), Illegal> {
        // Somebody changed it while the end was on its way into the lock, and the end did not land.
        let contested = self.rollouts.iter().find(|(_, rollout)| rollout.contested.is_some());
        if let Some(name) = contested.map(|(name, _)| name.clone()) {
            return self.fail_contested(&name);
        }
        let touched = self.rollouts.values().filter(|rollout| rollout.touched).count();
        let age = limits::proof(touched);
        let mut proven = true;
        for name in self.plan.order.clone() {
            let Some(rollout) = self.rollouts.get(&name) else { continue };
            if !rollout.touched {
                continue;
            }
            let fresh = rollout.proven.is_some_and(|at| self.now.since(at) <= age);
            let is_sure = rollout.suspect.is_none() && !rollout.fences;
            proven &= fresh && is_sure;
            let may_read = is_sure && self.now >= rollout.prove_after;
            let object = Object::Live(name);
            if !fresh && may_read && self.is_idle(&object) {
                self.read(&object, Purpose::Prove);
            }
        }
        if proven && self.lock.regains.is_none() {
            self.stage = Stage::Closing;
            self.end_phase = Some(LockPhase::Done);
            self.want_close(LockPhase::Done);
        }
        Ok(())
    }

    /// Whether the proof of success may be recorded still.
    pub(super) fn is_proof_fresh(&self) -> bool {
        self.proof_ends().is_none_or(|end| self.now <= end)
    }

    /// Success must be recorded before this moment. `None`: there is nothing to prove.
    pub(super) fn proof_ends(&self) -> Option<Mono> {
        let touched = || self.rollouts.values().filter(|rollout| rollout.touched);
        let oldest = touched().map(|rollout| rollout.proven.unwrap_or_default()).min()?;
        Some(oldest + limits::proof(touched().count()))
    }

    /// The end is in the lock: descriptions are restored, old versions deleted, people told.
    pub(super) fn closed(&mut self) {
        self.stage = Stage::Tidying;
        let is_done = self.end_phase == Some(LockPhase::Done);
        for name in self.plan.order.clone() {
            self.restore(&name);
            let Some(stable) = self.plan.functions.get(&name).and_then(|f| f.action.stable())
            else {
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
    pub(super) fn restore(&mut self, name: &FunctionName) {
        let object = Object::Live(name.clone());
        let Some(rollout) = self.rollouts.get(name) else { return };
        let Some(function) = self.plan.functions.get(name) else { return };
        let is_quiet = matches!(rollout.phase, Phase::Done | Phase::RolledBack | Phase::Kept);
        let is_ours =
            rollout.claimed && rollout.contested.is_none() && function.action.stable().is_some();
        if self.lock.is_unclosed
            || !is_quiet
            || !is_ours
            || self.end_phase.is_some_and(LockPhase::is_ownerless)
        {
            return;
        }
        let text = rollout.own_text.clone();
        if !self.is_idle_but_for_reads(&object) {
            return;
        }
        let Some(base) = self.known(&object).cloned() else { return };
        if !self.is_ours(Some(&base)) || base.description == text {
            return;
        }
        self.loose_ends += 1;
        self.update(&object, Purpose::Restore, base, None, text);
    }

    pub(super) fn try_finish(&mut self) {
        if self.loose_ends > 0 {
            return;
        }
        let reason = self.failure.as_ref().map(|failure| failure.reason.clone());
        let mut todo: Vec<String> = self.rollouts.values().filter_map(|r| r.todo.clone()).collect();
        todo.extend(self.todo.clone());
        let outcome = match (reason, self.end_phase) {
            (None, _) if todo.is_empty() => Outcome::Done,
            (None, _) => {
                let reason = "everything is released, but its end could not be recorded";
                Outcome::Stuck { reason: reason.to_owned(), todo }
            }
            (Some(reason), _) if !todo.is_empty() => Outcome::Stuck { reason, todo },
            (Some(reason), _) if self.lock.is_unused => Outcome::NothingChanged { reason },
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
}
