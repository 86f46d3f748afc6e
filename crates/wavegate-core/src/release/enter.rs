//! Entering a release: one that its machine left, or one's own after a sleep.
//!
//! What a machine remembers of a release that it did not own all the time counts for nothing. The
//! lock is taken with the next epoch first. Then every alias is fenced: its record is written anew
//! under that epoch, description only, on the revision that was read. Whatever the last owner has
//! sent and nobody has seen land cannot land any more, as its revision is gone. Bakes begin again
//! from zero; verdicts that were given to somebody else are asked for again.

use std::time::Duration;

use super::machine::{Failure, Release, Stage};
use super::register::{End, Purpose};
use super::rollout::Phase;
use super::{Event, Illegal, Object, Outcome, Prepared, Runner};
use crate::inventory::AliasState;
use crate::name::{FunctionName, VersionId};
use crate::plan::{Plan, action_of};
use crate::spec::OnFailure;
use crate::token::{Class, LockRecord, Position, Token, classify};
use crate::weight::Weight;

impl Release {
    /// Puts back a release that somebody else left unfinished, from what the aliases say alone.
    /// `plan` comes from [`crate::plan::put_back_plan`]; `runner` carries that release's id.
    pub fn put_back(plan: Plan, runner: Runner, reason: String) -> Self {
        let mut release = Self::new(plan, runner);
        release.stage = Stage::Patience;
        release.failure = Some(Failure { culprit: None, reason });
        release
    }

    /// Goes on with a release that somebody else left unfinished, from where its aliases stand.
    /// `plan` comes from [`crate::plan::resume_plan`], and is the one that was left; `runner`
    /// carries that release's id. If its lock says that it goes back, or that somebody asks for
    /// it, it goes back.
    pub fn resume(plan: Plan, runner: Runner) -> Self {
        let mut release = Self::new(plan, runner);
        release.stage = Stage::Patience;
        release
    }

    /// The record that a lock's next owner writes, and whether the release goes on.
    pub(super) fn taken_over(&mut self, left: &LockRecord) -> LockRecord {
        use crate::token::LockPhase::{Aborting, Running};

        if self.failure.is_none() {
            let back = match &left.request {
                Some(request) if request.is_abort() => {
                    Some(format!("{} asked to abort: {}", request.by, request.reason))
                }
                _ if left.phase.is_going_back() => Some("it was going back already".to_owned()),
                _ => None,
            };
            self.failure = back.map(|reason| Failure { culprit: None, reason });
        }
        if self.failure.is_some() {
            // What was asked for is the way back, whatever a failure was to do.
            self.plan.on_failure = OnFailure::Rollback;
        }
        let phase = if self.failure.is_some() { Aborting } else { Running };
        LockRecord {
            epoch: left.epoch + 1,
            phase,
            owner: self.runner.owner.clone(),
            heartbeat: left.heartbeat + 1,
            is_paused: false,
            request: None,
            answered: left.request.as_ref().map(|request| crate::control::Answered {
                id: request.id,
                was_done: request.is_abort(),
            }),
            nonce: self.nonce(),
            ..left.clone()
        }
    }

    /// The lock is ours: every alias is read afresh, as the last look at it is older than the lock.
    pub(super) fn enter(&mut self, before: String) {
        let goes_on = !self.is_going_back();
        self.report(Event::Entered { before, goes_on });
        self.stage = Stage::Entering;
        self.start_heartbeat();
        let names: Vec<FunctionName> = self.rollouts.keys().cloned().collect();
        self.enters = names.iter().cloned().collect();
        for name in names {
            if let Some(rollout) = self.rollouts.get_mut(&name) {
                rollout.fences = true;
            }
            self.read(&Object::Live(name), Purpose::Enter);
        }
    }

    /// A live alias was read for the first time under the new epoch.
    pub(super) fn entered(&mut self, name: &FunctionName, end: End) -> Result<(), Illegal> {
        self.enters.remove(name);
        let state = match end {
            End::Read(state) => state,
            End::Failed(reason) if self.is_going_back() => return self.stuck(name, reason),
            End::Failed(reason) => return self.fail(Some(name), reason),
            _ => return Ok(()),
        };
        self.believe(&Object::Live(name.clone()), state.clone());
        let class = state
            .as_ref()
            .map_or(Class::Unclaimed, |s| classify(s, self.runner.release, self.epoch()));
        let token = state.as_ref().and_then(|s| Token::decode(&s.description));
        match (class, state, token) {
            (Class::Fenced, ..) => {
                self.finish(Outcome::Fenced { by: "somebody with a later epoch".to_owned() });
                Ok(())
            }
            (Class::Mine | Class::OldEpoch | Class::Settling, Some(state), Some(token)) => {
                self.adopt(name, &state, &token)
            }
            (Class::Foreign, state, Some(token)) => {
                // Its record tells what it was; its routing is somebody else's.
                if let Some(state) = &state {
                    self.adopt(name, state, &token)?;
                }
                self.suspicious(name, state)
            }
            (_, state, _) => self.unclaimed(name, state),
        }
    }

    /// What an alias says of its rollout is what is known of it.
    fn adopt(
        &mut self,
        name: &FunctionName,
        state: &AliasState,
        token: &Token,
    ) -> Result<(), Illegal> {
        let is_going_back = self.is_going_back();
        let Some(function) = self.plan.functions.get_mut(name) else { return Ok(()) };
        let text = super::look::user_text(state, function.pin.as_ref());
        let arn = function.arn.clone();
        let is_other = function.action.stable() != token.stable;
        if is_going_back {
            // The plan of a way back is made of the records; this one is newer than the plan.
            function.action = action_of(token);
        }
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.candidate = Some(Prepared { version: token.candidate, arn });
        rollout.sequence = rollout.sequence.max(token.sequence);
        rollout.own_text = text;
        rollout.weight = match token.position {
            Position::Promoted => Weight::FULL,
            Position::Delegated => state.share_of(token.candidate),
            Position::Forward | Position::Back => token.weight,
        };
        rollout.claim();
        if is_going_back {
            return Ok(());
        }
        if is_other {
            return self.fail(Some(name), "its alias served another version then".to_owned());
        }
        let phase = match token.position {
            Position::Forward if token.weight == Weight::ZERO => Phase::Waiting,
            Position::Forward | Position::Delegated => Phase::Shifting,
            Position::Promoted => Phase::Promoting,
            Position::Back => {
                return self.fail(Some(name), "it was put back already".to_owned());
            }
        };
        self.report(Event::Published {
            function: name.clone(),
            stable: token.stable,
            candidate: token.candidate,
        });
        let now = self.now;
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.begin_again(now);
            if phase != Phase::Waiting {
                rollout.since = Some(now);
                rollout.hook = 0;
            }
        }
        self.move_to(name, phase)
    }

    /// An alias without a record of this release: not claimed yet, or not changed by it, or wiped.
    fn unclaimed(&mut self, name: &FunctionName, state: Option<AliasState>) -> Result<(), Illegal> {
        let is_past = self.lock.record.as_ref().is_some_and(LockRecord::is_past_barrier);
        let is_first = self.stable(name).is_none();
        if self.is_going_back() {
            // AWS's own weights are no split.
            let is_split = state
                .as_ref()
                .and_then(|state| state.extra)
                .is_some_and(|extra| extra.weight != Weight::FULL);
            // Split, and no record of who did it: somebody wiped it.
            let is_wiped = is_past && is_split && !is_first;
            // Its first write may still be under way: a claim before the barrier, a creation after.
            let may_come = (!is_past && !is_first) || (is_past && is_first && state.is_none());
            let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
            rollout.touched = may_come || is_wiped;
            rollout.is_open = may_come;
            rollout.claimed = is_wiped;
            self.note_text(name, state.as_ref());
            return if is_wiped { self.suspicious(name, state) } else { Ok(()) };
        }
        self.note_text(name, state.as_ref());
        let is_as_planned = match &state {
            Some(state) => state.main() == self.stable(name) && state.extra.is_none(),
            None => is_first,
        };
        if is_as_planned {
            return Ok(());
        }
        if let Some(state) = state {
            let now = super::look::describe(Some(&state));
            let reason = format!("its alias changed since the plan was made: {now}");
            return self.fail(Some(name), reason);
        }
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.claim();
        }
        self.suspicious(name, None)
    }

    /// Keeps the user's own description of an alias that carries no record.
    fn note_text(&mut self, name: &FunctionName, state: Option<&AliasState>) {
        let Some(state) = state else { return };
        let pin = self.plan.functions.get(name).and_then(|function| function.pin.as_ref());
        let text = super::look::user_text(state, pin);
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.own_text = text;
        }
    }

    /// Every alias is known: back, or on from where it stands.
    pub(super) fn try_enter(&mut self) -> Result<(), Illegal> {
        if !self.enters.is_empty() || self.lock.regains.is_some() {
            return Ok(());
        }
        if self.is_going_back() {
            if self.lock.tells_of_abort {
                return self.unwind();
            }
            self.stage = Stage::Aborting;
            if self.purpose_on(&Object::Lock) != Some(Purpose::Abort) {
                self.want_abort();
            }
            return Ok(());
        }
        let is_past = self.lock.record.as_ref().is_some_and(LockRecord::is_past_barrier);
        self.stage = if is_past { Stage::Running } else { Stage::Preparing };
        self.has_moved = true;
        self.prepare_all();
        Ok(())
    }

    /// A version is published for a function whose alias carries no record although all were
    /// claimed: somebody wiped it. It is looked at like any other change of somebody else.
    pub(super) fn lost_its_record(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.claim();
        }
        let state = self.known(&Object::Live(name.clone())).cloned();
        self.suspicious(name, state)
    }

    /// Nothing was heard for so long that somebody may own the release by now: the next write is
    /// one on the lock, with a new epoch, and nothing that was decided before it counts.
    pub(super) fn suspended(&mut self, span: Duration) {
        if self.may_regain() {
            self.report(Event::Suspended { span });
            self.regain(span);
        }
    }

    /// Whether the lock is this machine's, as far as it knows, and there is more to write.
    fn may_regain(&self) -> bool {
        let is_under_way = matches!(
            self.stage,
            Stage::Entering
                | Stage::Preparing
                | Stage::Running
                | Stage::Proving
                | Stage::Freezing
                | Stage::Aborting
                | Stage::Unwinding
                | Stage::Closing
        );
        is_under_way && self.owns_lock() && !self.lock.is_lost
    }

    /// A record of this very release and epoch that this machine did not write: a copy of it did, out
    /// of a snapshot. The one that takes the lock anew goes on, the other one is fenced.
    pub(super) fn look_for_twin(&mut self, state: &AliasState) {
        let is_strange = Token::decode(&state.description).is_some_and(|token| {
            token.release == self.runner.release
                && token.epoch == self.epoch()
                && !self.written.contains(&token.nonce)
        });
        if !is_strange || self.lock.regains.is_some() || !self.may_regain() {
            return;
        }
        let text = "a copy of this machine runs this release too: the lock is taken anew";
        self.report(Event::Note { text: text.to_owned() });
        self.regain(Duration::ZERO);
    }

    fn regain(&mut self, span: Duration) {
        self.lock.regains = Some(self.epoch());
        self.asks.clear();
        let now = self.now;
        for rollout in self.rollouts.values_mut() {
            rollout.forget_questions();
            rollout.next_state = None;
            rollout.fences |= rollout.touched;
            // Nobody looked, and nothing was tried: no patience was used up.
            rollout.blind_since = None;
            rollout.red_since = rollout.red_since.map(|since| since + span);
            rollout.transient_since = rollout.transient_since.map(|_| now);
        }
        self.excuse_sleep();
        self.drop_unsent();
        // The end is a write on the lock itself, and nothing is written before it.
        if self.stage != Stage::Closing {
            self.want_renewal();
        }
    }

    /// Writes what must be fenced, as soon as nothing is under way on it.
    pub(super) fn fence(&mut self) -> Result<(), Illegal> {
        if self.lock.regains.is_some() || self.is_going_back() {
            return Ok(());
        }
        let names: Vec<FunctionName> = self
            .rollouts
            .iter()
            .filter(|(_, r)| r.fences && r.suspect.is_none() && r.contested.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            // A claim that waits for its pin is written under this epoch anyway.
            let is_pinning = !self.is_idle(&Object::Pin(name.clone()));
            if is_pinning || !self.is_idle_but_for_reads(&Object::Live(name.clone())) {
                continue;
            }
            self.fence_one(&name)?;
        }
        Ok(())
    }

    fn fence_one(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let object = Object::Live(name.clone());
        let known = self.known(&object).cloned();
        let token = known.as_ref().and_then(|state| Token::decode(&state.description));
        match (known, token) {
            (Some(base), Some(token)) if token.release == self.runner.release => {
                if token.epoch == self.epoch() {
                    return self.fenced_off(name);
                }
                // A twin may have published another version, and it is that one which is there.
                self.take_version(name, token.candidate);
                let description = self.token(name, token.position, token.weight);
                self.update(&object, Purpose::Refence, base, None, description);
                Ok(())
            }
            // Nothing of this release is there: whatever was dropped is begun anew.
            _ => {
                if let Some(rollout) = self.rollouts.get_mut(name) {
                    rollout.fences = false;
                }
                self.has_moved = true;
                self.begin_anew(name);
                Ok(())
            }
        }
    }

    /// The first write on an alias was dropped before it was sent.
    fn begin_anew(&mut self, name: &FunctionName) {
        let Some(rollout) = self.rollouts.get(name) else { return };
        let (phase, is_published) = (rollout.phase, rollout.candidate.is_some());
        let is_first = self.stable(name).is_none();
        match phase {
            Phase::Preparing
                if is_published && !is_first && self.is_idle(&Object::Pin(name.clone())) =>
            {
                self.start_pin(name);
            }
            Phase::Promoting if is_first && !self.is_parked(name) => self.create_live(name),
            _ => {}
        }
    }

    /// The version that is rolled out is the one that is there, whoever published it.
    pub(super) fn take_version(&mut self, name: &FunctionName, version: VersionId) {
        let (Some(function), Some(rollout)) =
            (self.plan.functions.get(name), self.rollouts.get_mut(name))
        else {
            return;
        };
        if rollout.version() != Some(version) {
            rollout.candidate = Some(Prepared { version, arn: function.arn.clone() });
        }
    }

    /// A rollout that has not begun is taken up where its alias is: a write of whoever owned the
    /// release before may have landed after the alias was read.
    fn take_up(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let known = self.known(&Object::Live(name.clone()));
        let token = known.and_then(|state| Token::decode(&state.description));
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let to = match token.map(|token| (token.position, token.weight)) {
            Some((Position::Promoted, _)) => Phase::Promoting,
            Some((Position::Delegated, _)) => Phase::Shifting,
            Some((Position::Forward, weight)) if weight > Weight::ZERO => Phase::Shifting,
            _ if rollout.phase == Phase::Preparing => Phase::Waiting,
            _ => return Ok(()),
        };
        if to != Phase::Waiting {
            rollout.since.get_or_insert(now);
        }
        self.move_to(name, to)?;
        match to {
            Phase::Promoting => self.read(&Object::Live(name.clone()), Purpose::ReadBack),
            Phase::Shifting => self.wake_at(name, now),
            _ => {}
        }
        Ok(())
    }

    /// The record of an alias is of this epoch: the rollout goes on from what it says.
    pub(super) fn fenced_off(&mut self, name: &FunctionName) -> Result<(), Illegal> {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        rollout.fences = false;
        rollout.claim();
        rollout.proven = None;
        rollout.begin_again(now);
        // What was asked on waking is about a bake that does not count any more.
        rollout.forget_questions();
        self.has_moved = true;
        let phase = rollout.phase;
        match phase {
            Phase::Preparing | Phase::Waiting => self.take_up(name),
            Phase::Shifting => {
                self.wake_at(name, now);
                Ok(())
            }
            Phase::Promoting => {
                self.read(&Object::Live(name.clone()), Purpose::ReadBack);
                Ok(())
            }
            Phase::Baking => {
                self.bake_again(name);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
