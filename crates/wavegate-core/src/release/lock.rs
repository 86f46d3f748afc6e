//! The app's lock: acquired, renewed, and the one place where "forward" and "back" are decided.

use std::time::Duration;

use super::machine::{Release, Stage};
use super::register::{End, Purpose};
use super::{Event, Illegal, Object, Outcome, limits};
use crate::inventory::AliasState;
use crate::time::Mono;
use crate::token::{LockPhase, LockRecord};

/// What is known of the lock, and what is to be written into it next.
#[derive(Debug, Clone, Default)]
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

    /// Takes a lock that nobody owns any more, to put its release back.
    pub(super) fn take_over(&mut self, state: AliasState) {
        let Some(mut record) = LockRecord::decode(&state.description) else { return };
        record.epoch += 1;
        record.phase = LockPhase::Aborting;
        record.owner.clone_from(&self.runner.owner);
        record.nonce = self.nonce();
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
            abort_asked_by: None,
            plan: self.plan.fingerprint,
            nonce: self.nonce(),
        }
    }

    fn write_lock(&mut self, purpose: Purpose, base: Option<AliasState>, record: LockRecord) {
        let description = record.encode();
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
        self.lock.proven.is_some_and(|proven| self.now.since(proven) <= limits::RENEW)
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
        if !self.is_idle(&Object::Lock) || !self.owns_lock() {
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
            End::Landed(_) => {
                // Counted from when the write was sent: the answer may have been long on its way.
                self.lock.proven = Some(sent);
                self.send_held();
                self.lock_landed(purpose)?;
                self.pursue();
                Ok(())
            }
            End::Retouched(state) | End::Conflict(Some(state)) => {
                self.lock_conflict(purpose, &state)
            }
            End::Read(state) if purpose == Purpose::Patience => {
                self.look_at_owner(state);
                Ok(())
            }
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
                self.start_heartbeat();
                self.unwind()
            }
            Purpose::Barrier => {
                self.report(Event::Barrier);
                if self.stage == Stage::Preparing {
                    self.stage = Stage::Running;
                    self.has_moved = true;
                }
                Ok(())
            }
            Purpose::Abort => self.unwind(),
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
        let ours = self.lock.record.clone();
        match (theirs, ours) {
            (Some(theirs), Some(ours))
                if theirs.epoch == ours.epoch
                    && theirs.owner == ours.owner
                    && theirs.release == ours.release =>
            {
                self.believe(&Object::Lock, Some(state.clone()));
                self.own_record(purpose, theirs)
            }
            (theirs, _) => {
                self.fenced(holder(theirs.as_ref(), state));
                Ok(())
            }
        }
    }

    /// The lock is ours still, but holds another record: a request to abort, which keeps owner and
    /// epoch, or a write of ours that was given up on and landed late. What was to be written is
    /// written onto it.
    fn own_record(&mut self, purpose: Purpose, theirs: LockRecord) -> Result<(), Illegal> {
        let asked = theirs.abort_asked_by.clone();
        let is_done = theirs.phase == LockPhase::Done;
        self.lock.record = Some(LockRecord { phase: self.phase_now(), ..theirs });
        let is_ending = matches!(self.stage, Stage::Proving | Stage::Closing);
        if is_done && is_ending && !self.is_going_back() {
            self.end_phase = Some(LockPhase::Done);
            self.closed();
            return Ok(());
        }
        match purpose {
            Purpose::Abort => self.want_abort(),
            Purpose::Close(LockPhase::Done) if asked.is_some() => self.prove_again(),
            Purpose::Close(phase) => self.want_close(phase),
            Purpose::Barrier => self.want_barrier(),
            _ => self.want_renewal(),
        }
        match asked {
            Some(by) if !self.is_going_back() => {
                self.asked_to_abort(&by, "asked through the lock alias")
            }
            _ => Ok(()),
        }
    }

    /// What the lock says of a release that has not ended.
    fn phase_now(&self) -> LockPhase {
        if self.is_going_back() { LockPhase::Aborting } else { LockPhase::Running }
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
            Purpose::Acquire | Purpose::TakeOver => {
                self.lock.record = None;
                self.finish(Outcome::NothingChanged { reason });
                Ok(())
            }
            // The end is to be written next; whether that is refused too is its own matter.
            Purpose::Renew if self.stage == Stage::Closing => {
                self.pursue();
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
                self.report(Event::Blind {
                    reason: format!("the lock could not be written: {reason}"),
                });
                self.lose_lock();
                self.unwind()
            }
            Purpose::Close(_) => {
                let lock = self.words(&Object::Lock);
                self.todo.push(format!(
                    "{lock} could not be closed ({reason}): the next release is refused until `wavegate rollback` has taken it over"
                ));
                self.closed();
                Ok(())
            }
            _ => Ok(()),
        }
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
        let is_held = record.as_ref().is_some_and(|record| record.phase == LockPhase::Held);
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
