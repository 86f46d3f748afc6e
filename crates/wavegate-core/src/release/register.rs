//! Aliases as compare-and-swap registers: the only way anything is ever written.
//!
//! A write is sent under the revision id it was decided on. On any answer but success the alias is
//! read and judged: the write is there (its description carries the nonce), or it did not land and
//! is sent again, or somebody else was faster. A read that is older than what is known is thrown
//! away: revision ids have no order, so what was replaced for certain is remembered, and tokens carry
//! a sequence number.

use std::collections::BTreeSet;
use std::time::Duration;

use super::machine::{Release, TimerFor};
use super::{
    Answer, CallId, CloudOp, Effect, Event, Fault, FaultClass, Object, Priority, TimerId, limits,
};
use crate::inventory::{AliasState, ExtraVersion};
use crate::name::VersionId;
use crate::time::Mono;
use crate::token::{Class, LockPhase, LockRecord, Token, classify};
use crate::weight::Weight;

/// One alias, what is known of it, and the one operation in flight on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Register {
    pub(super) known: Option<AliasState>,
    /// Revisions that this machine's own writes replaced, or that a write was refused under: a read
    /// that shows one is stale.
    superseded: BTreeSet<String>,
    /// The highest sequence or heartbeat seen of this release's own records.
    order: (u64, u64),
    pub(super) op: Option<Op>,
}

#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) purpose: Purpose,
    /// `None`: the operation is a read.
    write: Option<Write>,
    stage: Stage,
    tries: u32,
    began: Mono,
    /// The lock's epoch when it was decided on.
    epoch: u64,
    is_sent: bool,
    /// When the read that judges it was asked for.
    judged_at: Mono,
    /// Reads do not show the alias since then.
    missing_since: Option<Mono>,
}

#[derive(Debug, Clone)]
enum Write {
    Create {
        version: Option<VersionId>,
        description: String,
    },
    Update {
        base: AliasState,
        routing: Option<(VersionId, Option<ExtraVersion>)>,
        description: String,
    },
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waits until the lock is proven again.
    Held,
    /// The write, or the read, is on its way.
    Sent(CallId),
    /// A failed write is being judged by a read.
    Judging(CallId),
    /// Waits before it is judged, or read again.
    Resting(TimerId),
}

/// Why an alias is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    // The lock.
    Acquire,
    TakeOver,
    Renew,
    Barrier,
    Abort,
    Close(LockPhase),
    // Pins and live aliases, forward.
    Pin,
    Claim,
    CreateLive,
    Shift(Weight),
    /// Says that CodeDeploy moves the traffic; the routing is left as it is.
    Delegate,
    Promote,
    /// Writes the record anew under the lock's new epoch; the routing is left as it is.
    Refence,
    // Back.
    Back,
    /// Rewrites an alias whose claim may still be under way, so that the claim cannot land.
    Fence,
    DeleteLive,
    /// An empty conditional update: a read that cannot be stale.
    Probe,
    Restore,
    // Reads.
    /// Reads a change back.
    ReadBack,
    /// Looks whether a moving alias is as it was left.
    Watch,
    /// Looks again at what may be somebody else's change.
    Confirm,
    /// Looks before going back.
    Look,
    /// Looks whether what CodeDeploy says it did is there.
    Collect,
    /// Proves the end.
    Prove,
    /// Looks whether a lock's owner lives.
    Patience,
    /// Looks at an alias of a release that was taken over.
    Enter,
    /// Looks whether the lock carries a request.
    Ask,
    /// Looks whether the lock, which cannot be written, is this machine's still.
    Reassure,
}

impl Purpose {
    fn is_forward(self) -> bool {
        matches!(
            self,
            Self::Pin
                | Self::Claim
                | Self::CreateLive
                | Self::Shift(_)
                | Self::Delegate
                | Self::Promote
                | Self::Refence
        )
    }

    /// Whether its write carries a token, which is of one epoch.
    fn is_of_an_epoch(self) -> bool {
        self != Self::Pin && self.needs_lease()
    }

    fn needs_lease(self) -> bool {
        matches!(self, Self::Back | Self::Fence | Self::DeleteLive) || self.is_forward()
    }

    fn priority(self) -> Priority {
        match self {
            Self::Abort
            | Self::Back
            | Self::Fence
            | Self::DeleteLive
            | Self::Look
            | Self::TakeOver
            | Self::Enter
            | Self::Reassure
            | Self::Probe => Priority::Back,
            Self::Renew | Self::Acquire | Self::Barrier | Self::Close(_) => Priority::Heartbeat,
            Self::Watch | Self::Confirm | Self::Restore | Self::Patience | Self::Ask => {
                Priority::Poll
            }
            _ => Priority::Forward,
        }
    }

    fn deadline(self) -> Duration {
        match self {
            Self::Abort
            | Self::Back
            | Self::Fence
            | Self::DeleteLive
            | Self::Close(_)
            | Self::TakeOver
            | Self::Look
            | Self::Enter
            | Self::Confirm
            | Self::Reassure
            | Self::Probe => limits::BACK,
            _ => limits::FORWARD,
        }
    }
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// The write is in the cloud, as written.
    Landed(AliasState),
    /// The alias was deleted.
    Deleted,
    /// Somebody else's content is there; `None`: the alias is not there.
    Conflict(Option<AliasState>),
    /// The content is as before, but somebody touched it: what was decided must be decided again.
    Retouched(AliasState),
    /// A read's answer.
    Read(Option<AliasState>),
    /// Refused for good, or not done within the deadline.
    Failed(String),
    /// Given up because the release goes back.
    Dropped,
}

impl Release {
    /// Creates an alias.
    pub(super) fn create(
        &mut self,
        object: &Object,
        purpose: Purpose,
        version: Option<VersionId>,
        description: String,
    ) {
        self.begin(object, purpose, Some(Write::Create { version, description }));
    }

    /// Updates an alias under the revision id of `base`.
    pub(super) fn update(
        &mut self,
        object: &Object,
        purpose: Purpose,
        base: AliasState,
        routing: Option<(VersionId, Option<ExtraVersion>)>,
        description: String,
    ) {
        self.begin(object, purpose, Some(Write::Update { base, routing, description }));
    }

    /// Deletes an alias.
    pub(super) fn delete(&mut self, object: &Object, purpose: Purpose) {
        self.begin(object, purpose, Some(Write::Delete));
    }

    /// Reads an alias.
    pub(super) fn read(&mut self, object: &Object, purpose: Purpose) {
        self.begin(object, purpose, None);
    }

    /// Whether nothing is in flight on an alias.
    pub(super) fn is_idle(&self, object: &Object) -> bool {
        self.registers.get(object).is_none_or(|register| register.op.is_none())
    }

    /// Whether nothing is in flight on an alias that matters any more: a read is forgotten.
    pub(super) fn is_idle_but_for_reads(&mut self, object: &Object) -> bool {
        if let Some(register) = self.registers.get_mut(object)
            && register.op.as_ref().is_some_and(|op| op.write.is_none())
        {
            register.op = None;
        }
        self.is_idle(object)
    }

    /// What is known of an alias.
    pub(super) fn known(&self, object: &Object) -> Option<&AliasState> {
        self.registers.get(object)?.known.as_ref()
    }

    /// Believes a state of an alias.
    pub(super) fn believe(&mut self, object: &Object, state: Option<AliasState>) {
        let order = state.as_ref().map(|state| self.order_of(state)).unwrap_or_default();
        let register = self.registers.entry(object.clone()).or_default();
        register.order = register.order.max(order);
        register.known = state;
    }

    /// What is in flight on an alias.
    pub(super) fn purpose_on(&self, object: &Object) -> Option<Purpose> {
        Some(self.registers.get(object)?.op.as_ref()?.purpose)
    }

    /// Whether a write is in flight on any live alias.
    pub(super) fn is_writing(&self) -> bool {
        self.registers.iter().any(|(object, register)| {
            matches!(object, Object::Live(_))
                && register.op.as_ref().is_some_and(|op| op.write.is_some())
        })
    }

    fn begin(&mut self, object: &Object, purpose: Purpose, write: Option<Write>) {
        let op = Op {
            purpose,
            write,
            stage: Stage::Held,
            tries: 0,
            began: self.now,
            epoch: self.epoch(),
            is_sent: false,
            judged_at: self.now,
            missing_since: None,
        };
        let register = self.registers.entry(object.clone()).or_default();
        assert!(register.op.is_none(), "one operation at a time on {object:?}: {:?}", register.op);
        register.op = Some(op);
        self.send(object);
    }

    /// Sends the operation of `object`, unless the lock must be proven first.
    fn send(&mut self, object: &Object) {
        let id = self.next_call(object);
        let lease = self.lease_ends();
        let is_fresh = self.is_lease_fresh();
        let is_lost = self.lock.is_lost;
        // Looks at every rollout: only where it is needed.
        let is_end = self.purpose_on(object) == Some(Purpose::Close(LockPhase::Done));
        let proof = if is_end { self.proof_ends() } else { None };
        let Some(op) = self.registers.get_mut(object).and_then(|r| r.op.as_mut()) else { return };
        let needs_lease =
            op.purpose.needs_lease() && *object != Object::Lock && op.write.is_some() && !is_lost;
        if needs_lease && !is_fresh {
            op.stage = Stage::Held;
            self.calls.remove(&id);
            self.want_renewal();
            return;
        }
        op.stage = Stage::Sent(id);
        op.is_sent = true;
        let call = match &op.write {
            None => CloudOp::Get,
            Some(Write::Create { version, description }) => {
                CloudOp::Create { version: *version, description: description.clone() }
            }
            Some(Write::Update { base, routing, description }) => CloudOp::Update {
                base: base.revision.clone(),
                routing: *routing,
                description: description.clone(),
            },
            Some(Write::Delete) => CloudOp::Delete,
        };
        let priority = op.purpose.priority();
        let send_by = match op.purpose {
            Purpose::Close(LockPhase::Done) => proof,
            // The mark that it relies on must be fresh when it is sent, too.
            Purpose::DeleteLive => {
                let mark = self.now + limits::MARK;
                Some(lease.filter(|_| needs_lease).map_or(mark, |end| end.min(mark)))
            }
            _ => needs_lease.then_some(lease).flatten(),
        };
        self.effects.push(Effect::Call { id, priority, object: object.clone(), op: call, send_by });
    }

    /// Sends every write that waited for the lock to be proven.
    pub(super) fn send_held(&mut self) {
        let held: Vec<Object> = self
            .registers
            .iter()
            .filter(|(_, r)| r.op.as_ref().is_some_and(|op| op.stage == Stage::Held))
            .map(|(object, _)| object.clone())
            .collect();
        for object in held {
            if self.is_of_the_past(&object) {
                self.forget(&object);
                // It is decided anew once the alias is fenced, also where nothing was written yet.
                if let Object::Live(name) = &object
                    && let Some(rollout) = self.rollouts.get_mut(name)
                {
                    rollout.fences = true;
                }
            } else if self.is_held_by_a_pause(&object) {
                self.forget(&object);
                self.park(&object);
            } else {
                self.send(&object);
            }
        }
    }

    /// Whether what is to be written on an alias was decided under another epoch.
    fn is_of_the_past(&self, object: &Object) -> bool {
        let op = self.registers.get(object).and_then(|register| register.op.as_ref());
        op.is_some_and(|op| op.purpose.is_of_an_epoch() && op.epoch != self.epoch())
    }

    /// Forgets a write that is not on its way.
    fn forget(&mut self, object: &Object) {
        let Some(register) = self.registers.get_mut(object) else { return };
        let is_sent = register.op.take().is_some_and(|op| op.is_sent);
        let Object::Live(name) = object else { return };
        if !is_sent {
            self.never_sent(&name.clone());
        }
        if let Some(rollout) = self.rollouts.get_mut(name) {
            // Begun anew, from what is there then.
            rollout.fences = true;
        }
    }

    /// Whether a write would raise traffic while the release is paused.
    fn is_held_by_a_pause(&self, object: &Object) -> bool {
        let purpose = self.purpose_on(object);
        self.paused.is_some()
            && matches!(
                purpose,
                Some(
                    Purpose::Shift(_) | Purpose::Delegate | Purpose::Promote | Purpose::CreateLive
                )
            )
    }

    /// What would have gone up is decided again when the pause is over.
    fn park(&mut self, object: &Object) {
        if let Object::Live(name) = object
            && let Some(rollout) = self.rollouts.get_mut(name)
        {
            rollout.is_parked = true;
            rollout.next_state = None;
        }
    }

    /// This machine was asleep: while it was, nothing was tried.
    pub(super) fn excuse_sleep(&mut self) {
        let now = self.now;
        for register in self.registers.values_mut() {
            if let Some(op) = &mut register.op {
                op.began = now;
                op.missing_since = None;
            }
        }
    }

    /// This machine was asleep: what it was about to write is decided anew, and what may have landed
    /// is judged now.
    pub(super) fn drop_unsent(&mut self) {
        let objects: Vec<Object> = self.registers.keys().cloned().collect();
        for object in objects {
            let Some(op) = self.registers.get(&object).and_then(|r| r.op.as_ref()) else {
                continue;
            };
            if object == Object::Lock || !op.purpose.is_of_an_epoch() || op.write.is_none() {
                continue;
            }
            match op.stage {
                Stage::Held => self.forget(&object),
                Stage::Resting(_) => self.judge(&object),
                Stage::Sent(_) | Stage::Judging(_) => {}
            }
        }
    }

    /// The release goes back: forward writes that are not on their way are given up, those whose
    /// outcome is unknown are judged now, and reads are forgotten.
    pub(super) fn drop_forward(&mut self) {
        let objects: Vec<Object> = self.registers.keys().cloned().collect();
        for object in objects {
            let Some(register) = self.registers.get_mut(&object) else { continue };
            let Some(op) = register.op.as_ref() else { continue };
            if object == Object::Lock {
                continue;
            }
            match (op.write.is_some(), op.stage) {
                // What may be somebody else's change must be cleared up before it goes back.
                (false, _) if op.purpose == Purpose::Confirm => {}
                (true, Stage::Held) => self.forget(&object),
                (false, _) => register.op = None,
                (true, Stage::Resting(_)) => self.judge(&object),
                (true, Stage::Sent(_) | Stage::Judging(_)) => {}
            }
        }
    }

    fn judge(&mut self, object: &Object) {
        let id = self.next_call(object);
        let (now, is_going_back) = (self.now, self.is_going_back());
        let Some(op) = self.registers.get_mut(object).and_then(|r| r.op.as_mut()) else { return };
        op.stage = Stage::Judging(id);
        op.judged_at = now;
        // On the way back, what became of a forward write is what everything waits for.
        let priority = if is_going_back { Priority::Back } else { op.purpose.priority() };
        let call = CloudOp::Get;
        self.effects.push(Effect::Call {
            id,
            priority,
            object: object.clone(),
            op: call,
            send_by: None,
        });
    }

    fn rest(&mut self, object: &Object, reason: &str) -> Option<End> {
        let now = self.now;
        let jitter = self.jitter();
        let id = self.next_timer(TimerFor::Retry(object.clone()));
        let op = self.registers.get_mut(object).and_then(|r| r.op.as_mut())?;
        if now.since(op.began) > op.purpose.deadline() {
            let tried = crate::time::human(now.since(op.began));
            return Some(End::Failed(format!("{reason} (tried for {tried})")));
        }
        op.tries += 1;
        let base = Duration::from_millis(500) * 2_u32.saturating_pow(op.tries.min(10) - 1);
        let pause = base.min(limits::BACKOFF_MAX).mul_f64(0.5 + jitter / 2.0);
        op.stage = Stage::Resting(id);
        self.effects.push(Effect::Timer { id, at: now + pause });
        let tries = op.tries;
        // The first tries and then ever fewer are told: an outage must not fill a recording.
        if tries.is_power_of_two() {
            let object = self.words(object);
            self.report(Event::Retry { object, reason: format!("{reason} (try {tries})") });
        }
        None
    }

    /// A retry timer is due: a write is judged, a read is read again.
    pub(super) fn rested(&mut self, object: &Object, timer: TimerId) {
        let Some(op) = self.registers.get(object).and_then(|r| r.op.as_ref()) else { return };
        if op.stage != Stage::Resting(timer) {
            return;
        }
        if op.write.is_some() { self.judge(object) } else { self.send(object) }
    }

    /// An answer came: finds out how the operation ended, if it did, and when it was sent first.
    pub(super) fn answered(
        &mut self,
        object: &Object,
        id: CallId,
        answer: Answer,
    ) -> Option<(Purpose, End, Mono)> {
        let op = self.registers.get(object)?.op.clone()?;
        let end = match op.stage {
            Stage::Sent(sent) if sent == id => match &op.write {
                None => self.read_ended(object, answer),
                Some(write) => self.write_ended(object, write, answer),
            },
            Stage::Judging(judging) if judging == id => self.judged(object, &op, answer),
            _ => None,
        }?;
        let register = self.registers.get_mut(object)?;
        register.op = None;
        if let (Some(Write::Update { base, .. }), End::Landed(state)) = (&op.write, &end) {
            // AWS gives every update a new id. An endpoint that does not tells nothing by it.
            if base.revision != state.revision {
                register.superseded.insert(base.revision.clone());
            }
        }
        match &end {
            End::Landed(state) | End::Retouched(state) => self.believe(object, Some(state.clone())),
            End::Deleted => self.believe(object, None),
            _ => {}
        }
        if let End::Retouched(state) | End::Conflict(Some(state)) | End::Read(Some(state)) = &end {
            self.look_for_twin(state);
        }
        Some((op.purpose, end, op.began))
    }

    fn read_ended(&mut self, object: &Object, answer: Answer) -> Option<End> {
        match answer {
            Answer::Alias(Some(state)) if self.is_stale(object, &state) => {
                self.rest(object, "a stale read")
            }
            Answer::Alias(state) => Some(End::Read(state)),
            Answer::Deleted => None,
            Answer::Failed(Fault { class: FaultClass::Refused, text }) => Some(End::Failed(text)),
            Answer::Failed(fault) => self.rest(object, &fault.text),
        }
    }

    fn write_ended(&mut self, object: &Object, write: &Write, answer: Answer) -> Option<End> {
        match (write, answer) {
            (Write::Delete, Answer::Deleted) => Some(End::Deleted),
            (_, Answer::Alias(Some(state))) => Some(End::Landed(state)),
            (_, Answer::Failed(Fault { class: FaultClass::Refused, text })) => {
                Some(End::Failed(text))
            }
            // Somebody was faster, or this is the second try of a write that landed: a read tells.
            (_, Answer::Failed(Fault { class: FaultClass::Conflict, .. })) => {
                if let (Write::Update { base, .. }, Some(register)) =
                    (write, self.registers.get_mut(object))
                {
                    register.superseded.insert(base.revision.clone());
                }
                self.judge(object);
                None
            }
            (_, Answer::Failed(fault)) => self.rest(object, &fault.text),
            (_, Answer::Alias(None) | Answer::Deleted) => {
                self.rest(object, "an answer without an alias")
            }
        }
    }

    /// A read after a write whose outcome is unknown.
    fn judged(&mut self, object: &Object, op: &Op, answer: Answer) -> Option<End> {
        let seen = match answer {
            Answer::Alias(seen) => seen,
            Answer::Deleted => None,
            Answer::Failed(Fault { class: FaultClass::Refused, text }) => {
                return Some(End::Failed(text));
            }
            Answer::Failed(fault) => return self.rest(object, &fault.text),
        };
        if seen.as_ref().is_some_and(|state| self.is_stale(object, state)) {
            return self.rest(object, "a stale read");
        }
        if seen.is_some()
            && let Some(op) = self.registers.get_mut(object).and_then(|r| r.op.as_mut())
        {
            op.missing_since = None;
        }
        match (op.write.as_ref()?, seen) {
            // It was created not long ago: a stale read does not show it either.
            (Write::Delete, None) => self.missing(object).map(|_| End::Deleted),
            // A deletion has no revision id: it is not repeated blindly.
            (Write::Delete, Some(seen)) => Some(End::Conflict(Some(seen))),
            (Write::Create { .. }, None) => self.resend(object, op),
            (Write::Create { version, description }, Some(seen)) => {
                let landed = seen.description == *description
                    && seen.main() == *version
                    && seen.extra.is_none();
                Some(if landed { End::Landed(seen) } else { End::Conflict(Some(seen)) })
            }
            (Write::Update { .. }, None) => self.missing(object),
            (Write::Update { base, routing, description }, Some(seen)) => {
                self.judged_update(object, op, (base, routing.as_ref(), description), seen)
            }
        }
    }

    fn judged_update(
        &mut self,
        object: &Object,
        op: &Op,
        (base, routing, description): (
            &AliasState,
            Option<&(VersionId, Option<ExtraVersion>)>,
            &str,
        ),
        seen: AliasState,
    ) -> Option<End> {
        let (main, extra) = match routing {
            Some((main, extra)) => (Some(*main), *extra),
            None => (base.main(), base.extra),
        };
        let changed = base.description != description;
        if changed && seen.description == description {
            // AWS may have set its own weights by the time the answer is looked for.
            let whole = (seen.main() == main && seen.extra == extra)
                || classify(&seen, self.runner.release, self.epoch()) == Class::Settling;
            return Some(if whole { End::Landed(seen) } else { End::Conflict(Some(seen)) });
        }
        if seen.revision == base.revision {
            return self.resend(object, op);
        }
        if seen.same_content(base) {
            // Somebody rewrote it without changing it. A decision about traffic must be made
            // again; a record is simply written onto the new revision.
            if matches!(op.purpose, Purpose::Shift(_) | Purpose::Delegate | Purpose::Promote) {
                return Some(End::Retouched(seen));
            }
            let register = self.registers.get_mut(object)?;
            if let Some(Op { write: Some(Write::Update { base, .. }), .. }) = register.op.as_mut() {
                *base = seen;
            }
            return self.resend(object, op);
        }
        Some(End::Conflict(Some(seen)))
    }

    /// A read shows no alias where one was: believed when it lasts longer than any stale read.
    fn missing(&mut self, object: &Object) -> Option<End> {
        let now = self.now;
        let op = self.registers.get_mut(object)?.op.as_mut()?;
        let since = *op.missing_since.get_or_insert(now);
        // Counted up to when the read was asked for: its answer may have been long on its way.
        if op.judged_at.since(since) > limits::CONFIRM {
            return Some(End::Conflict(None));
        }
        self.rest(object, "the alias is not there")
    }

    /// Sends a write again that did not land, unless it would go forward while the release goes
    /// back.
    fn resend(&mut self, object: &Object, op: &Op) -> Option<End> {
        if self.is_going_back() && op.purpose.is_forward() {
            return Some(End::Dropped);
        }
        if self.is_held_by_a_pause(object) {
            self.park(object);
            return Some(End::Dropped);
        }
        // It was decided before this machine slept.
        if self.is_of_the_past(object) {
            return Some(End::Dropped);
        }
        // Success is recorded on a fresh proof only: everything is read once more.
        if op.purpose == Purpose::Close(LockPhase::Done) && !self.is_proof_fresh() {
            return Some(End::Dropped);
        }
        if self.now.since(op.began) > op.purpose.deadline() {
            return Some(End::Failed("it did not land within its time".to_owned()));
        }
        self.send(object);
        None
    }

    /// Whether a read shows a state older than what is known.
    fn is_stale(&self, object: &Object, state: &AliasState) -> bool {
        let Some(register) = self.registers.get(object) else { return false };
        if register.superseded.contains(&state.revision) {
            return true;
        }
        let order = self.order_of(state);
        order != (0, 0) && order < register.order
    }

    /// Where a state stands in the order of this release's own records; zero for anything else.
    fn order_of(&self, state: &AliasState) -> (u64, u64) {
        if let Some(token) = Token::decode(&state.description) {
            return if token.release == self.runner.release {
                (token.epoch, token.sequence)
            } else {
                (0, 0)
            };
        }
        match LockRecord::decode(&state.description) {
            Some(record) => (record.epoch, record.heartbeat),
            None => (0, 0),
        }
    }
}
