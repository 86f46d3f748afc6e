//! The app's lock: acquired, renewed, and the one place where "forward" and "back" are decided.

use std::time::Duration;

use std::collections::BTreeSet;

use super::machine::{Release, Stage};
use super::register::{End, Purpose};
use super::{Event, Illegal, Object, Outcome, limits};
use crate::control::{Answered, Request};
use crate::inventory::AliasState;
use crate::name::Nonce;
use crate::plan::Action;
use crate::time::Mono;
use crate::token::{LockPhase, LockRecord};

/// What is known of the lock, and what is to be written into it next.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(super) struct Lock {
    /// The record as this machine wrote it last. `None`: the lock is not ours.
    pub(super) record: Option<LockRecord>,
    /// When the last write that landed was sent: the lease counts from then.
    proven: Option<Mono>,
    /// What to write as soon as nothing is in flight. The most important one wins.
    want: Option<Want>,
    /// The other owner's state, and since when it has stood still.
    pub(super) standing: Option<(String, Mono)>,
    /// It cannot be written any more. Putting back does not wait for it.
    pub(super) is_lost: bool,
    /// The release was given up while the lock was being taken.
    pub(super) is_unused: bool,
    /// Its end could not be written: the records on the aliases are what the next owner finds.
    pub(super) is_unclosed: bool,
    /// This machine was asleep: a lock of this epoch, or an earlier one, proves nothing.
    pub(super) regains: Option<u64>,
    /// Success was sent to be recorded and nothing was written since: it may be there, or come yet.
    may_be_done: bool,
    /// The lock says that the release goes back, or cannot be made to.
    pub(super) tells_of_abort: bool,
    /// What this machine wrote into the lock: a record with another id is somebody else's, be it
    /// a copy of this very machine.
    sent: BTreeSet<Nonce>,
    /// The request that was taken out of the record last, until it is done: it is done once the lock
    /// is known to say that it was heard.
    heard: Option<Request>,
    /// Who owned the lock before, and where the release stood then.
    before: String,
}

/// What is to be written, least important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Want {
    Renew,
    Barrier,
    Close(LockPhase),
    Abort,
}

impl Release {
    /// Takes the free lock, or creates it.
    pub(super) fn acquire(&mut self) {
        let known = self.known(&Object::Lock).cloned();
        let before = known.as_ref().and_then(|state| LockRecord::decode(&state.description));
        let record =
            self.first_record(before.map_or(0, |record| record.epoch) + 1, LockPhase::Running);
        self.write_lock(Purpose::Acquire, known, record);
    }

    /// Takes a lock that nobody owns any more, to put its release back or to go on with it.
    pub(super) fn take_over(&mut self, state: AliasState) {
        let Some(left) = LockRecord::decode(&state.description) else { return };
        let is_other = left.release != self.runner.release;
        let goes_on = self.failure.is_none();
        if is_other || (goes_on && left.plan != self.plan.fingerprint) {
            let what = if is_other { "another release" } else { "a release of another plan" };
            let reason = format!("the lock is held by {what} now");
            self.finish(Outcome::NothingChanged { reason });
            return;
        }
        self.lock.before = holder(Some(&left), &state);
        let record = self.taken_over(&left);
        self.write_lock(Purpose::TakeOver, Some(state), record);
    }

    fn first_record(&mut self, epoch: u64, phase: LockPhase) -> LockRecord {
        LockRecord {
            app: self.plan.app.clone(),
            release: self.runner.release,
            number: self.plan.number,
            epoch,
            phase,
            owner: self.runner.owner.clone(),
            heartbeat: 0,
            claimed: 0,
            functions: self.claimable(),
            on_failure: self.plan.on_failure,
            scope: self.plan.scope,
            is_switch: self
                .plan
                .functions
                .values()
                .any(|function| matches!(function.action, Action::Switch { .. })),
            is_paused: false,
            request: None,
            answered: None,
            plan: self.plan.fingerprint,
            nonce: self.nonce(),
        }
    }

    fn write_lock(&mut self, purpose: Purpose, base: Option<AliasState>, record: LockRecord) {
        let description = record.encode();
        self.lock.sent.insert(record.nonce);
        self.lock.may_be_done |= record.phase == LockPhase::Done;
        self.lock.record = Some(record);
        match base {
            None => self.create(&Object::Lock, purpose, None, description),
            Some(base) => self.update(&Object::Lock, purpose, base, None, description),
        }
    }

    pub(super) fn owns_lock(&self) -> bool {
        self.lock.proven.is_some()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.lock.record.as_ref().map_or(0, |record| record.epoch)
    }

    pub(super) fn is_lease_fresh(&self) -> bool {
        self.lock.regains.is_none()
            && self.lock.proven.is_some_and(|proven| self.now.since(proven) <= limits::RENEW)
    }

    /// Alias writes must be sent before this moment.
    pub(super) fn lease_ends(&self) -> Option<Mono> {
        let half: Duration = limits::LEASE / 2;
        self.lock.proven.map(|proven| proven + half)
    }

    pub(super) fn want_renewal(&mut self) {
        self.want(Want::Renew);
    }

    pub(super) fn want_barrier(&mut self) {
        self.want(Want::Barrier);
    }

    pub(super) fn want_abort(&mut self) {
        self.want(Want::Abort);
    }

    pub(super) fn want_close(&mut self, phase: LockPhase) {
        self.want(Want::Close(phase));
    }

    fn want(&mut self, want: Want) {
        self.lock.want = self.lock.want.max(Some(want));
        self.pursue();
    }

    /// Writes what is wanted, if nothing is in flight.
    fn pursue(&mut self) {
        // What landed may have shown that somebody else owns it: then it is over.
        if self.stage == Stage::Over || !self.is_idle(&Object::Lock) || !self.owns_lock() {
            return;
        }
        let Some(want) = self.lock.want.take() else { return };
        if want == Want::Close(LockPhase::Done) && !self.is_proof_fresh() {
            return self.prove_again();
        }
        let (Some(base), Some(mut record)) =
            (self.known(&Object::Lock).cloned(), self.lock.record.clone())
        else {
            return;
        };
        record.heartbeat += 1;
        record.nonce = self.nonce();
        record.is_paused = self.paused.is_some();
        // Who slept proves that nobody else woke meanwhile, and makes its own late writes void.
        // One more than what is there, however often it slept before that could be written.
        if self.lock.regains.is_some() {
            let there = LockRecord::decode(&base.description).map_or(0, |record| record.epoch);
            record.epoch = there + 1;
        }
        // Taken out of the record before it is done: heard at most once, whoever dies when. A request
        // to abort stays until the abort itself is written, for whoever comes after this machine.
        let is_premature = |request: &mut Request| {
            request.is_abort() && !matches!(want, Want::Abort | Want::Close(_))
        };
        if let Some(request) = record.request.take_if(|request| !is_premature(request)) {
            let was_done = self.applies(&request);
            record.answered = Some(Answered { id: request.id, was_done });
            self.lock.heard = Some(request);
        }
        let purpose = match want {
            Want::Renew => Purpose::Renew,
            Want::Barrier => {
                record.claimed = record.functions;
                Purpose::Barrier
            }
            Want::Abort => {
                record.phase = LockPhase::Aborting;
                Purpose::Abort
            }
            Want::Close(phase) => {
                record.phase = phase;
                Purpose::Close(phase)
            }
        };
        self.write_lock(purpose, Some(base), record);
    }

    /// An operation on the lock ended.
    pub(super) fn lock_ended(
        &mut self,
        purpose: Purpose,
        end: End,
        sent: Mono,
    ) -> Result<(), Illegal> {
        match end {
            End::Landed(_) => self.lock_written(purpose, sent),
            // It landed, and somebody asks for something on top of it already.
            End::Conflict(Some(state))
                if matches!(purpose, Purpose::Acquire | Purpose::TakeOver)
                    && self.is_own_lock(&state) =>
            {
                self.lock.record = LockRecord::decode(&state.description);
                self.believe(&Object::Lock, Some(state));
                self.lock_written(purpose, sent)?;
                self.want_renewal();
                Ok(())
            }
            End::Retouched(state) | End::Conflict(Some(state)) => {
                self.lock_conflict(purpose, &state)
            }
            End::Read(state) if purpose == Purpose::Patience => {
                self.look_at_owner(state);
                Ok(())
            }
            End::Read(state) if purpose == Purpose::Ask => self.lock_seen(state),
            End::Read(state) if purpose == Purpose::Reassure => self.reassured(state),
            End::Conflict(None) if matches!(purpose, Purpose::Acquire | Purpose::TakeOver) => {
                let reason = "the lock alias was deleted while it was being taken".to_owned();
                self.finish(Outcome::NothingChanged { reason });
                Ok(())
            }
            End::Conflict(None) => {
                self.fenced("the lock alias was deleted by somebody".to_owned());
                Ok(())
            }
            End::Failed(reason) => self.lock_failed(purpose, reason),
            End::Dropped if purpose == Purpose::Close(LockPhase::Done) => {
                self.prove_again();
                Ok(())
            }
            End::Read(_) | End::Deleted | End::Dropped => Ok(()),
        }
    }

    /// A write on the lock is there.
    fn lock_written(&mut self, purpose: Purpose, sent: Mono) -> Result<(), Illegal> {
        // Counted from when the write was sent: the answer may have been long on its way.
        self.lock.proven = Some(sent);
        self.lock.is_lost = false;
        self.lock.may_be_done = false;
        if self.lock.regains.is_some_and(|epoch| self.epoch() > epoch) {
            self.lock.regains = None;
        }
        // Before anything else is written: the next record is not in the lock yet.
        let heard = self.heard();
        self.send_held();
        self.lock_landed(purpose)?;
        if let Some(request) = heard.filter(|_| self.stage != Stage::Over) {
            self.obey(&request)?;
        }
        self.pursue();
        Ok(())
    }

    /// The request that is to be done now: the lock, as it is known, says that it was heard.
    fn heard(&mut self) -> Option<Request> {
        let answered = self.lock.record.as_ref().and_then(|record| record.answered);
        self.lock.heard.take_if(|request| answered.is_some_and(|a| a.id == request.id))
    }

    /// Whether a lock holds a record that this machine wrote, be it with a request in it.
    fn is_own_lock(&self, state: &AliasState) -> bool {
        LockRecord::decode(&state.description).is_some_and(|theirs| {
            theirs.release == self.runner.release && self.lock.sent.contains(&theirs.nonce)
        })
    }

    /// Looks whether somebody asks for something.
    pub(super) fn look_at_lock(&mut self) {
        let is_under_way = matches!(self.stage, Stage::Preparing | Stage::Running | Stage::Proving);
        if is_under_way && self.owns_lock() && self.is_idle(&Object::Lock) {
            self.read(&Object::Lock, Purpose::Ask);
        }
    }

    /// The lock was looked at. What is to be written on it tells more than any look, so only a
    /// request is taken from it.
    fn lock_seen(&mut self, state: Option<AliasState>) -> Result<(), Illegal> {
        let asks = |state: &AliasState| {
            LockRecord::decode(&state.description).is_some_and(|record| record.request.is_some())
        };
        match state {
            Some(state) if self.is_own_lock(&state) && asks(&state) => {
                self.lock_conflict(Purpose::Renew, &state)?;
            }
            _ => {}
        }
        self.pursue();
        Ok(())
    }

    fn report_locked(&mut self) {
        let anchor = self.plan.anchor.clone();
        let epoch = self.epoch();
        self.report(Event::Locked { anchor, epoch });
    }

    fn lock_landed(&mut self, purpose: Purpose) -> Result<(), Illegal> {
        match purpose {
            Purpose::Acquire => {
                self.report_locked();
                if self.is_going_back() {
                    self.lock.is_unused = true;
                    self.close(LockPhase::RolledBack);
                    return Ok(());
                }
                self.stage = Stage::Preparing;
                self.has_moved = true;
                self.start_heartbeat();
                self.prepare_all();
                Ok(())
            }
            Purpose::TakeOver => {
                self.report_locked();
                let before = std::mem::take(&mut self.lock.before);
                self.lock.tells_of_abort = self.is_going_back();
                self.enter(before);
                Ok(())
            }
            Purpose::Barrier => {
                self.report(Event::Barrier);
                if self.stage == Stage::Preparing {
                    self.stage = Stage::Running;
                    self.has_moved = true;
                }
                Ok(())
            }
            Purpose::Abort => {
                self.lock.tells_of_abort = true;
                if let (Stage::Closing, Some(phase)) = (self.stage, self.end_phase) {
                    // It was wanted twice, and everything is back since the first time.
                    self.want_close(phase);
                }
                self.unwind()
            }
            Purpose::Close(_) => {
                self.closed();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The lock holds something else than what was written last.
    fn lock_conflict(&mut self, purpose: Purpose, state: &AliasState) -> Result<(), Illegal> {
        let theirs = LockRecord::decode(&state.description);
        if matches!(purpose, Purpose::Acquire | Purpose::TakeOver) {
            self.lock.record = None;
            let holder = holder(theirs.as_ref(), state);
            self.finish(Outcome::Busy { holder });
            return Ok(());
        }
        match theirs {
            Some(theirs) if self.is_own_lock(state) => {
                self.believe(&Object::Lock, Some(state.clone()));
                self.own_record(purpose, theirs)
            }
            theirs => {
                self.fenced(holder(theirs.as_ref(), state));
                Ok(())
            }
        }
    }

    /// The lock is ours still, but holds another record: a request to abort, which keeps owner and
    /// epoch, or a write of ours that was given up on and landed late. What was to be written is
    /// written onto it.
    fn own_record(&mut self, purpose: Purpose, theirs: LockRecord) -> Result<(), Illegal> {
        let asked = theirs.request.clone().filter(Request::is_abort);
        let is_done = theirs.phase == LockPhase::Done;
        let is_ending = matches!(self.stage, Stage::Proving | Stage::Closing);
        let has_ended = theirs.phase.is_over() || theirs.phase.is_ownerless();
        let is_freezing = self.stage == Stage::Freezing || self.end_phase == Some(LockPhase::Held);
        if is_done && (self.stage == Stage::Aborting || is_freezing) {
            // Success was recorded, and the answer was late: whatever speaks against it since then
            // came after the end, and nothing has gone back.
            let text = "it was done before it heard of that".to_owned();
            self.report(Event::Note { text });
            self.failure = None;
            self.end_phase = Some(LockPhase::Done);
            self.closed();
            return Ok(());
        }
        if has_ended && !is_ending {
            // A copy of this machine, with all that it knew, has come to an end: nothing is written
            // over that.
            let state = self.known(&Object::Lock).cloned();
            let by = state.map(|state| holder(Some(&theirs), &state)).unwrap_or_default();
            self.fenced(by);
            return Ok(());
        }
        let goes_back = theirs.phase == LockPhase::Aborting;
        self.lock.record = Some(LockRecord { phase: self.phase_now(), ..theirs });
        if is_done && is_ending && !self.is_going_back() {
            self.end_phase = Some(LockPhase::Done);
            self.closed();
            return Ok(());
        }
        // It landed after all that a request was heard: nothing is written before it is done.
        if let Some(request) = self.heard() {
            self.obey(&request)?;
        }
        match purpose {
            Purpose::Abort => self.want_abort(),
            Purpose::Close(LockPhase::Done) if asked.is_some() => self.prove_again(),
            Purpose::Close(phase) => self.want_close(phase),
            Purpose::Barrier => self.want_barrier(),
            _ => self.want_renewal(),
        }
        if goes_back && !self.is_going_back() {
            return self
                .asked_to_abort(&self.runner.owner.clone(), "a copy of this machine goes back");
        }
        match asked {
            // Not to be decided again by whoever comes later: it is done before it is answered.
            Some(request) if !self.is_going_back() => {
                self.asked_to_abort(&request.by, asked_why(&request.reason))
            }
            _ => Ok(()),
        }
    }

    /// What the lock says of a release that has not ended.
    fn phase_now(&self) -> LockPhase {
        // What is frozen goes nowhere: whoever comes after this machine may go on or back.
        let goes_back = self.is_going_back() && self.stage != Stage::Freezing;
        if goes_back { LockPhase::Aborting } else { LockPhase::Running }
    }

    /// The proof of success is too old by now.
    fn prove_again(&mut self) {
        self.stage = Stage::Proving;
        self.end_phase = None;
        let phase = self.phase_now();
        if let Some(record) = &mut self.lock.record {
            record.phase = phase;
        }
        self.start_heartbeat();
    }

    fn lock_failed(&mut self, purpose: Purpose, reason: String) -> Result<(), Illegal> {
        match purpose {
            Purpose::Acquire | Purpose::TakeOver | Purpose::Patience => {
                self.lock.record = None;
                self.finish(Outcome::NothingChanged { reason });
                Ok(())
            }
            // The end is to be written next; whether that is refused too is its own matter.
            Purpose::Renew if self.stage == Stage::Closing => {
                self.pursue();
                Ok(())
            }
            // Everything is released, and the lock may say so any moment. Going back now would make
            // that a lie, and the lock cannot be told of it.
            Purpose::Renew | Purpose::Abort if self.lock.may_be_done => {
                if self.failure.take().is_some() {
                    let text = "it may be recorded as done already: nothing goes back".to_owned();
                    self.report(Event::Note { text });
                }
                self.end_phase = Some(LockPhase::Done);
                self.unclosed(&reason);
                Ok(())
            }
            // Whether this machine owns anything after it slept, the lock alone can tell.
            Purpose::Renew | Purpose::Barrier | Purpose::Abort
                if self.lock.regains.is_some() && self.is_going_back() =>
            {
                self.report_blind(&reason);
                self.read(&Object::Lock, Purpose::Reassure);
                Ok(())
            }
            Purpose::Reassure => {
                let todo = vec![format!(
                    "{} can neither be written nor read ({reason}): run `wavegate recover` once it can",
                    self.words(&Object::Lock)
                )];
                let reason = self.failure.take().map_or(reason, |failure| failure.reason);
                self.finish(Outcome::Stuck { reason, todo });
                Ok(())
            }
            Purpose::Renew | Purpose::Barrier if self.is_going_back() => {
                self.lose_lock();
                Ok(())
            }
            Purpose::Renew | Purpose::Barrier => self.fail(None, format!("the lock: {reason}")),
            // The record cannot be written; what it would say is true all the same, and putting
            // traffic back must not wait for it.
            Purpose::Abort => {
                self.report_blind(&reason);
                self.unwind_without()
            }
            Purpose::Close(_) => {
                self.unclosed(&reason);
                Ok(())
            }
            // A look that failed. What is to be written may have waited for it.
            _ => {
                self.pursue();
                Ok(())
            }
        }
    }

    fn report_blind(&mut self, reason: &str) {
        let reason = format!("the lock could not be written: {reason}");
        self.report(Event::Blind { reason });
    }

    /// Goes back without a word in the lock.
    fn unwind_without(&mut self) -> Result<(), Illegal> {
        self.lose_lock();
        self.lock.tells_of_abort = true;
        self.unwind()
    }

    /// The lock could not be taken anew after a sleep, and was read: who owns it still may go back.
    fn reassured(&mut self, state: Option<AliasState>) -> Result<(), Illegal> {
        let Some(state) = state else {
            self.fenced("the lock alias was deleted by somebody".to_owned());
            return Ok(());
        };
        let theirs = LockRecord::decode(&state.description);
        let is_over = theirs.as_ref().is_none_or(|r| r.phase.is_over() || r.phase.is_ownerless());
        if !self.is_own_lock(&state) || is_over {
            self.fenced(holder(theirs.as_ref(), &state));
            return Ok(());
        }
        if let Some(theirs) = theirs {
            // Under this epoch, and no later one, is anything written that goes back.
            self.lock.record = Some(LockRecord { phase: self.phase_now(), ..theirs });
        }
        self.believe(&Object::Lock, Some(state));
        self.lock.regains = None;
        self.unwind_without()
    }

    /// The end cannot be recorded.
    fn unclosed(&mut self, reason: &str) {
        let lock = self.words(&Object::Lock);
        self.todo.push(format!(
            "{lock} could not be closed ({reason}): the next release is refused until `wavegate recover` has taken it over"
        ));
        self.lock.is_unclosed = true;
        self.closed();
    }

    /// The lock cannot be renewed. Writes that go back carry their own compare-and-swap, and waiting
    /// for the lock would leave traffic where it is.
    fn lose_lock(&mut self) {
        self.lock.is_lost = true;
        self.send_held();
        // Whatever was to be written with the lost write is still wanted.
        self.pursue();
    }

    /// Somebody else owns the release now: not one more write.
    fn fenced(&mut self, by: String) {
        self.finish(Outcome::Fenced { by });
    }

    /// Looks whether the lock's owner still renews. The lease is counted on this machine's own
    /// clock, from when the revision was first seen: no foreign clock is ever compared.
    pub(super) fn look_at_owner(&mut self, state: Option<AliasState>) {
        let Some(state) = state else {
            self.finish(Outcome::NothingChanged { reason: "the lock alias is gone".to_owned() });
            return;
        };
        let record = LockRecord::decode(&state.description);
        if record.as_ref().is_none_or(|record| record.phase.is_over()) {
            let reason = "the release ended by itself".to_owned();
            self.finish(Outcome::NothingChanged { reason });
            return;
        }
        let is_held = record.as_ref().is_some_and(|record| record.phase.is_ownerless());
        let since = match &self.lock.standing {
            Some((revision, since)) if *revision == state.revision => *since,
            Some(_) => {
                let holder = holder(record.as_ref(), &state);
                self.finish(Outcome::Busy { holder });
                return;
            }
            None => {
                if !is_held {
                    let holder = holder(record.as_ref(), &state);
                    let span = crate::time::human(limits::LEASE);
                    let text = format!("{holder}: taken over if it stays silent for {span}");
                    self.report(Event::Note { text });
                }
                self.now
            }
        };
        self.lock.standing = Some((state.revision.clone(), since));
        if is_held || self.now.since(since) >= limits::LEASE {
            self.believe(&Object::Lock, Some(state.clone()));
            self.take_over(state);
            return;
        }
        self.wake_patience();
    }
}

/// Why somebody asked for the way back, where they did not say.
fn asked_why(reason: &str) -> &str {
    if reason.is_empty() { "asked to abort" } else { reason }
}

/// Who holds a lock, in words.
fn holder(record: Option<&LockRecord>, state: &AliasState) -> String {
    match record {
        Some(record) => format!(
            "{} runs {} r{} (epoch {}, heartbeat {})",
            record.owner, record.app, record.number, record.epoch, record.heartbeat
        ),
        None => {
            format!("the lock alias holds something that is no record: `{}`", state.description)
        }
    }
}
