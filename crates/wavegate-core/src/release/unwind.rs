//! The machine: back. Reached from every stage; nothing that goes forward is sent once it began.

use std::collections::BTreeSet;

use super::look::describe;
use super::machine::{Failure, Release, Stage};
use super::register::{End, Purpose};
use super::rollout::{Phase, Sight};
use super::{Effect, Event, HookPhase, Illegal, Object, Outcome, limits};
use crate::inventory::AliasState;
use crate::name::FunctionName;
use crate::plan::Action;
use crate::spec::RollbackScope;
use crate::token::{Class, LockPhase, Position, Token, classify};
use crate::weight::Weight;

impl Release {
    /// The release has failed. The first failure decides; later ones change nothing.
    pub(super) fn fail(
        &mut self,
        culprit: Option<&FunctionName>,
        reason: String,
    ) -> Result<(), Illegal> {
        self.give_up(culprit, reason, self.freezes())
    }

    fn give_up(
        &mut self,
        culprit: Option<&FunctionName>,
        reason: String,
        freezes: bool,
    ) -> Result<(), Illegal> {
        if self.failure.is_some()
            || matches!(self.stage, Stage::Closing | Stage::Tidying | Stage::Over)
        {
            return Ok(());
        }
        let reason = match culprit {
            Some(name) => format!("{name}: {reason}"),
            None => reason,
        };
        self.failure = Some(Failure { culprit: culprit.cloned(), reason: reason.clone() });
        self.report(Event::Aborting { culprit: culprit.cloned(), reason: reason.clone() });
        self.effects.push(Effect::StopWork);
        if self.stage == Stage::Locking {
            // The write that takes the lock is under way: once it has landed, the lock is given
            // back. Going now could leave it taken and without an owner.
            return Ok(());
        }
        if self.stage == Stage::Entering {
            if freezes {
                return self.freeze();
            }
            // Every alias is known first; the lock tells of it at once.
            self.want_abort();
            return Ok(());
        }
        if !self.owns_lock() {
            // Nothing was claimed: at most a function without an alias was created.
            self.finish(Outcome::NothingChanged { reason });
            return Ok(());
        }
        self.drop_forward();
        if freezes {
            return self.freeze();
        }
        self.stage = Stage::Aborting;
        self.want_abort();
        Ok(())
    }

    pub(super) fn asked_to_abort(&mut self, by: &str, reason: &str) -> Result<(), Illegal> {
        if self.stage == Stage::Patience {
            if self.purpose_on(&Object::Lock) == Some(Purpose::TakeOver) {
                return Ok(()); // It goes back already.
            }
            self.finish(Outcome::NothingChanged { reason: format!("{by}: {reason}") });
            return Ok(());
        }
        // `on_failure` says what a failure does; a person who asks for the way back gets it.
        self.give_up(None, format!("{by}: {reason}"), false)
    }

    /// Stops where it stands; the lock says that nobody owns it and that it is not over.
    pub(super) fn freeze(&mut self) -> Result<(), Illegal> {
        for name in self.plan.order.clone() {
            if self.rollouts.get(&name).is_some_and(|rollout| !rollout.phase.is_settled()) {
                self.move_to(&name, Phase::Kept)?;
            }
        }
        self.stage = Stage::Freezing;
        Ok(())
    }

    /// Nothing is written any more: where it stands is where it stays.
    pub(super) fn try_freeze(&mut self) {
        if !self.is_writing() {
            self.close(LockPhase::Held);
        }
    }

    pub(super) fn close(&mut self, phase: LockPhase) {
        self.stage = Stage::Closing;
        self.end_phase = Some(phase);
        self.want_close(phase);
    }

    /// The abort is in the lock: from here, aliases go back.
    pub(super) fn unwind(&mut self) -> Result<(), Illegal> {
        let is_entering = self.stage == Stage::Entering && !self.enters.is_empty();
        if is_entering || matches!(self.stage, Stage::Closing | Stage::Tidying | Stage::Over) {
            return Ok(());
        }
        self.stage = Stage::Unwinding;
        self.scope = self.scope();
        self.unwind_more()
    }

    /// The functions that go back although they were done.
    fn scope(&self) -> BTreeSet<FunctionName> {
        let all = || self.plan.functions.keys().cloned().collect();
        let Some(culprit) = self.failure.as_ref().and_then(|failure| failure.culprit.clone())
        else {
            return all();
        };
        match self.plan.scope {
            RollbackScope::App => all(),
            // Whatever still moves goes back besides, and nothing may stay that depends on what goes
            // back. A dependant of what moves is done only where the release was taken over: its
            // function's hooks after the traffic are called again then.
            RollbackScope::Function | RollbackScope::Dependents => {
                let moving = self.rollouts.iter().filter(|(_, r)| !r.phase.is_settled());
                let mut scope: BTreeSet<_> = moving.map(|(name, _)| name.clone()).collect();
                scope.insert(culprit);
                // In this order what is depended on comes first: one pass reaches all.
                for name in &self.plan.order {
                    let function = self.plan.functions.get(name);
                    if function.is_some_and(|f| !f.depends_on.is_disjoint(&scope)) {
                        scope.insert(name.clone());
                    }
                }
                scope
            }
        }
    }

    /// Starts every way back that may start: the one that failed at once, any other when nothing
    /// that depends on it takes new traffic any more.
    pub(super) fn unwind_more(&mut self) -> Result<(), Illegal> {
        let culprit = self.failure.as_ref().and_then(|failure| failure.culprit.clone());
        let others = self.plan.order.iter().rev().filter(|name| Some(*name) != culprit.as_ref());
        let turns: Vec<FunctionName> = culprit.iter().chain(others).cloned().collect();
        for name in turns {
            if self.stage != Stage::Unwinding {
                return Ok(()); // Somebody else owns it now: not one more write.
            }
            let Some(rollout) = self.rollouts.get(&name) else { continue };
            if rollout.phase.is_settled() && !(rollout.phase == Phase::Done && rollout.touched) {
                continue;
            }
            if rollout.phase == Phase::RollingBack {
                self.resume_back(&name)?;
                continue;
            }
            if rollout.phase == Phase::Done && !self.scope.contains(&name) {
                self.keep(&name)?;
                continue;
            }
            // No dependant of what is still moving takes traffic. One that was done may have some.
            let is_first = Some(&name) == culprit.as_ref() && rollout.phase != Phase::Done;
            let is_free = is_first
                || self.dependants.get(&name).into_iter().flatten().all(|dependant| {
                    self.rollouts
                        .get(dependant)
                        .is_none_or(|r| !r.carries() || r.phase == Phase::Kept)
                });
            if is_free {
                self.start_back(&name)?;
            }
        }
        let is_over = self.rollouts.values().all(|rollout| {
            rollout.phase.is_settled() && !(rollout.phase == Phase::Done && rollout.touched)
        });
        if is_over && self.stage == Stage::Unwinding {
            let undo_failed =
                self.rollouts.values().any(|r| r.todo.is_some() && r.contested.is_none());
            self.close(if undo_failed { LockPhase::Stuck } else { LockPhase::RolledBack });
        }
        Ok(())
    }

    /// Leaves what is out of scope, once it is known to be as it was left.
    fn keep(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let Some(rollout) = self.rollouts.get(name) else { return Ok(()) };
        if rollout.contested.is_some() {
            return self.leave_contested(name);
        }
        if rollout.suspect.is_some() || !self.is_idle(&Object::Live(name.clone())) {
            return Ok(());
        }
        self.move_to(name, Phase::Kept)
    }

    fn start_back(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let Some(rollout) = self.rollouts.get(name) else { return Ok(()) };
        if !rollout.touched && self.is_idle(&Object::Live(name.clone())) {
            return self.move_to(name, Phase::RolledBack);
        }
        self.move_to(name, Phase::RollingBack)?;
        self.resume_back(name)
    }

    /// Sends the write that goes back, if nothing is in flight on the alias and it is ours.
    fn resume_back(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        let Some(rollout) = self.rollouts.get(name) else { return Ok(()) };
        if !self.is_idle(&object) || rollout.suspect.is_some() || self.is_halting(name) {
            return Ok(());
        }
        if rollout.contested.is_some() {
            // Whoever changed it may have put it right since.
            if let Some(rollout) = self.rollouts.get_mut(name).filter(|r| r.rejudged == 0) {
                rollout.rejudged += 1;
                self.read(&object, Purpose::Look);
                return Ok(());
            }
            return self.leave_contested(name);
        }
        let Some(state) = self.known(&object).cloned() else {
            // A first alias whose creation may have landed.
            self.read(&object, Purpose::Look);
            return Ok(());
        };
        self.write_back(name, state)
    }

    fn write_back(&mut self, name: &FunctionName, state: AliasState) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        match classify(&state, self.runner.release, self.epoch()) {
            Class::Mine | Class::OldEpoch | Class::Settling => {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.claim();
                }
                if self.must_halt(name, Some(&state)) {
                    return Ok(());
                }
            }
            Class::Fenced => {
                self.finish(Outcome::Fenced { by: "somebody with a later epoch".to_owned() });
                return Ok(());
            }
            Class::Unclaimed => {
                let claimed = self.rollouts.get(name).is_some_and(|rollout| rollout.claimed);
                if !claimed {
                    return self.never_claimed(name, state);
                }
                return self.suspicious(name, Some(state));
            }
            Class::Foreign => return self.suspicious(name, Some(state)),
        }
        let action = self.plan.functions.get(name).map(|function| function.action);
        match action.and_then(Action::stable) {
            Some(stable) => {
                let description = self.token(name, Position::Back, Weight::ZERO);
                self.update(&object, Purpose::Back, state, Some((stable, None)), description);
            }
            None => return self.mark_to_delete(name, state),
        }
        Ok(())
    }

    /// A deletion has no revision id. What is to be deleted is marked under one right before, so
    /// that somebody else's change is met here and not destroyed.
    fn mark_to_delete(&mut self, name: &FunctionName, state: AliasState) -> Result<(), Illegal> {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.marks += 1;
        rollout.marked_at = now;
        if rollout.marks > limits::MARKS {
            return self.stuck(name, "its alias does not go away".to_owned());
        }
        if rollout.candidate.is_none()
            && let Some(version) = state.main()
        {
            // It was created after this machine looked: the mark names what is there.
            self.take_version(name, version);
        }
        let description = self.token(name, Position::Back, Weight::ZERO);
        self.update(&Object::Live(name.clone()), Purpose::Back, state, None, description);
        Ok(())
    }

    /// Whether the mark is so fresh that what it marked can be deleted.
    fn may_delete(&self, name: &FunctionName) -> bool {
        let marked = self.rollouts.get(name).map(|rollout| rollout.marked_at);
        marked.is_some_and(|at| self.now.since(at) <= limits::MARK)
            && (self.is_lease_fresh() || self.lock.is_lost)
    }

    /// The claim did not land, and a claim moves nothing. If it may still be under way, the alias
    /// is rewritten as it is: then it cannot.
    fn never_claimed(&mut self, name: &FunctionName, state: AliasState) -> Result<(), Illegal> {
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        if !std::mem::take(&mut rollout.is_open) {
            return self.back_at(name);
        }
        // A change of nothing: the revision that the claim was sent under is gone after it.
        let as_it_is = state.description.clone();
        self.update(&Object::Live(name.clone()), Purpose::Fence, state, None, as_it_is);
        Ok(())
    }

    /// An operation on the way back ended.
    pub(super) fn back_ended(
        &mut self,
        name: &FunctionName,
        purpose: Purpose,
        end: End,
    ) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        let is_first = self.stable(name).is_none();
        if purpose == Purpose::Look
            && self.rollouts.get(name).is_some_and(|r| r.contested.is_some())
        {
            return self.rejudged(name, end);
        }
        match (purpose, end) {
            (Purpose::Back, End::Landed(_)) if is_first && self.may_delete(name) => {
                self.delete(&object, Purpose::DeleteLive);
                Ok(())
            }
            // The answer was long on its way: what was marked may have been changed since.
            (Purpose::Back, End::Landed(state)) if is_first => self.mark_to_delete(name, state),
            (Purpose::Back, End::Landed(_)) | (Purpose::DeleteLive, End::Deleted) => {
                self.mark_back_written(name);
                self.read(&object, Purpose::Look);
                Ok(())
            }
            // Best effort: the claim that it was to stop moves nothing either.
            (Purpose::Fence, End::Landed(_) | End::Failed(_)) => self.back_at(name),
            (Purpose::Look, End::Read(None)) if is_first => self.seen_gone(name),
            (Purpose::Look, End::Read(None)) | (_, End::Conflict(None)) => {
                self.suspicious(name, None)
            }
            (Purpose::Look, End::Read(Some(state))) => {
                let class = classify(&state, self.runner.release, self.epoch());
                // Our own write is there. If AWS's weights are too, it clears them by itself.
                let is_written =
                    is_marked_back(&state) && matches!(class, Class::Mine | Class::Settling);
                if is_written && !is_first {
                    self.believe(&object, Some(state));
                    return self.back_at(name);
                }
                self.write_back(name, state)
            }
            (_, End::Conflict(Some(state)) | End::Retouched(state) | End::Landed(state)) => {
                self.write_back(name, state)
            }
            (_, End::Failed(reason)) => self.stuck(name, reason),
            (_, End::Read(_) | End::Deleted | End::Dropped) => Ok(()),
        }
    }

    fn mark_back_written(&mut self, name: &FunctionName) {
        let now = self.now;
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.proven = Some(now);
            rollout.weight = Weight::ZERO;
        }
    }

    /// A first alias is not there. If its creation was never answered, a stale read may hide it:
    /// it is looked for once more.
    fn seen_gone(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        if !std::mem::take(&mut rollout.is_open) {
            return self.back_at(name);
        }
        rollout.suspect = Some(Sight::Gone);
        self.confirm_later(name);
        Ok(())
    }

    /// A contested alias was looked at once more, now that its turn has come.
    fn rejudged(&mut self, name: &FunctionName, end: End) -> Result<(), Illegal> {
        let contested = self.rollouts.get(name).and_then(|r| r.contested.clone());
        match end {
            End::Read(state) if Some(Sight::of(state.clone())) != contested => {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.contested = None;
                }
                match state {
                    Some(state) => self.write_back(name, state),
                    None => self.suspicious(name, None),
                }
            }
            _ => self.leave_contested(name),
        }
    }

    pub(super) fn stable(&self, name: &FunctionName) -> Option<crate::name::VersionId> {
        self.plan.functions.get(name).and_then(|function| function.action.stable())
    }

    /// The function is back, and was read so.
    pub(super) fn back_at(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let to = self.stable(name);
        self.report(Event::PutBack { function: name.clone(), to });
        self.move_to(name, Phase::RolledBack)?;
        self.tell_rollback_hooks(name);
        self.unwind_more()
    }

    /// Rollback hooks are told, never asked: the way back does not wait for them, only the process
    /// does, at its very end.
    fn tell_rollback_hooks(&mut self, name: &FunctionName) {
        let count = self.plan.functions.get(name).map_or(0, |f| f.on_rollback.len());
        for index in 0..count {
            self.loose_ends += 1;
            let context = self.hook_context(name);
            let phase = HookPhase::OnRollback;
            self.effects.push(Effect::RunHook { function: name.clone(), phase, index, context });
        }
    }

    /// A forward operation ended after the release began to go back: whatever is there now is what
    /// the way back starts from.
    pub(super) fn forward_ended_late(
        &mut self,
        name: &FunctionName,
        purpose: Purpose,
        end: End,
    ) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        match end {
            End::Landed(_) | End::Retouched(_) if purpose == Purpose::Claim => {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.claim();
                }
            }
            End::Landed(_) if purpose == Purpose::CreateLive => {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.is_open = false;
                }
            }
            End::Conflict(state)
                if matches!(purpose, Purpose::Claim | Purpose::CreateLive)
                    && !self.is_ours(state.as_ref()) =>
            {
                // Nothing of ours landed, nor can it any more.
                self.believe(&object, state);
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.touched = false;
                    rollout.is_open = false;
                }
                if self.rollouts.get(name).is_some_and(|r| r.phase == Phase::RollingBack) {
                    return self.move_to(name, Phase::RolledBack);
                }
            }
            End::Conflict(state) => {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.claim();
                }
                return self.suspicious(name, state);
            }
            _ => {}
        }
        Ok(())
    }

    /// Somebody else's routing is left alone. If it is the stable version alone, it is where the
    /// release would have put it.
    pub(super) fn leave_contested(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let contested = self.rollouts.get(name).and_then(|r| r.contested.clone());
        let Some(sight) = contested else { return Ok(()) };
        let state = sight.state();
        let stable = self.stable(name);
        let is_back = match state {
            Some(state) => stable.is_some() && state.main() == stable && state.extra.is_none(),
            None => stable.is_none(),
        };
        if self
            .rollouts
            .get(name)
            .is_some_and(|rollout| rollout.phase.is_settled() && rollout.phase != Phase::Done)
        {
            return Ok(());
        }
        if self.stage != Stage::Unwinding {
            return Ok(()); // Its turn comes.
        }
        if self.must_halt(name, state) {
            return Ok(());
        }
        if is_back {
            self.report(Event::PutBack { function: name.clone(), to: stable });
            self.move_to(name, Phase::RolledBack)?;
        } else {
            let now = describe(state);
            let todo = match state {
                Some(_) => self.todo_alias(name, &format!("somebody else changed it: {now}")),
                None => self.todo_missing(name),
            };
            if let Some(rollout) = self.rollouts.get_mut(name) {
                rollout.todo = Some(todo);
            }
            self.move_to(name, Phase::Stuck)?;
        }
        self.unwind_more()
    }

    /// An undo failed for good: a person is needed, and is told exactly what to do.
    pub(super) fn stuck(&mut self, name: &FunctionName, reason: String) -> Result<(), Illegal> {
        let todo = self.todo_alias(name, &reason);
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.todo = Some(todo.clone());
        }
        self.report(Event::Stuck { function: name.clone(), reason, todo });
        self.move_to(name, Phase::Stuck)?;
        self.unwind_more()
    }

    fn todo_alias(&self, name: &FunctionName, why: &str) -> String {
        let alias = &self.plan.alias;
        let lambda = self.plan.functions.get(name).map_or(name, |function| &function.lambda_name);
        match self.stable(name) {
            Some(stable) => format!(
                "{name} ({why}): to put it back, run: aws lambda update-alias --function-name {lambda} --name {alias} --function-version {stable} --routing-config 'AdditionalVersionWeights={{}}'"
            ),
            None => format!(
                "{name} ({why}): to put it back, run: aws lambda delete-alias --function-name {lambda} --name {alias}"
            ),
        }
    }

    pub(super) fn todo_missing(&self, name: &FunctionName) -> String {
        let alias = &self.plan.alias;
        let lambda = self.plan.functions.get(name).map_or(name, |function| &function.lambda_name);
        let version = self.stable(name).map_or_else(|| "N".to_owned(), |v| v.to_string());
        format!(
            "{name} (somebody deleted its alias): to have it back, run: aws lambda create-alias --function-name {lambda} --name {alias} --function-version {version}"
        )
    }
}

/// Whether an alias carries a token that says it was put back.
fn is_marked_back(state: &AliasState) -> bool {
    Token::decode(&state.description).is_some_and(|token| token.position == Position::Back)
}
