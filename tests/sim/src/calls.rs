//! Calls to the cloud: what strikes them on their way, and what they do when they land.

use wavegate_core::inventory::{AliasState, ExtraVersion};
use wavegate_core::name::{FunctionName, VersionId};
use wavegate_core::release::{Answer, CloudOp, Fault, FaultClass, Input, Priority};
use wavegate_core::token::{LockRecord, Token};
use wavegate_core::weight::Weight;
use wavegate_local::lambda::error::ApiError;

use crate::cloud::{Place, Role, STALE};
use crate::laws::Write;
use crate::machine::Life;
use crate::script::{Moment, Strike};
use crate::weather::Class;
use crate::world::{Call, Deliver, What, World};

/// Lambda's control-plane quota, in calls per second.
const QUOTA: u64 = 15;

fn failed(class: FaultClass, text: &str) -> Answer {
    Answer::Failed(Fault { class, text: text.to_owned() })
}

/// What follows from a refusal, as the engine judges it.
fn refusal(error: &ApiError) -> Answer {
    let class = match error.status {
        // An alias that is gone is believed when reads say so too, as any other change is.
        404 | 409 | 412 => FaultClass::Conflict,
        429 | 500.. => FaultClass::Passing,
        _ => FaultClass::Refused,
    };
    failed(class, &error.to_string())
}

impl World {
    /// A call was made; its turn comes now, or when others have had theirs.
    pub(crate) fn call(&mut self, call: Call) {
        let is_queued = self.weather.strikes(Class::Queued);
        let queued = if is_queued { self.weather.dice(Class::Queued).below(70_000) } else { 0 };
        self.later(queued, What::Arrive(call));
    }

    fn answer(&mut self, ms: u64, call: &Call, answer: Answer) {
        self.later(ms, What::Tell(call.machine, Input::Answer { id: call.id, answer }));
    }

    /// A call's turn has come: it is sent, if it may still be.
    pub(crate) fn arrive(&mut self, call: Call) {
        let machine = &mut self.machines[call.machine];
        match machine.life {
            Life::Dead | Life::Over => return,
            Life::Asleep(_) => {
                machine.inbox.push(What::Arrive(call));
                return;
            }
            Life::Awake => {}
        }
        let is_write = call.op != CloudOp::Get;
        let is_late = is_write && call.send_by.is_some_and(|limit| self.now > limit);
        if is_late || (is_write && machine.is_stopped && call.priority == Priority::Forward) {
            return self.answer(0, &call, failed(FaultClass::Passing, "not sent"));
        }
        machine.calls += 1;
        if self.dies_now(call.machine, Moment::Before) {
            return self.kill(call.machine, "A1");
        }
        self.judge_sending(&call);
        let strike = self.strike(&call);
        let latency = self.latency();
        let unanswered = self.dies_now(call.machine, Moment::Unanswered);
        if self.dies_now(call.machine, Moment::Answered) {
            self.machines[call.machine].dies_at = Some(call.id);
        }
        if is_write {
            self.send(call.clone(), strike, latency);
        } else {
            self.look(&call, strike, latency);
        }
        if unanswered {
            self.kill(call.machine, "A2");
        }
    }

    fn latency(&mut self) -> u64 {
        if self.weather.strikes(Class::Slow) {
            return self.weather.dice(Class::Slow).between(200, 20_000);
        }
        self.rng.between(20, 200)
    }

    /// What strikes this call, if anything does.
    fn strike(&mut self, call: &Call) -> Option<Strike> {
        let number = self.machines[call.machine].calls;
        if let Some(strike) = self.script.strike(call.machine, number) {
            return Some(strike);
        }
        let is_write = call.op != CloudOp::Get;
        let now = self.now;
        if self.burst.is_some_and(|(from, to)| from <= now && now < to) && self.rng.one_in(2) {
            return Some(Strike::Throttled);
        }
        if let Some((second, calls)) = &mut self.quota {
            if *second != now / 1_000 {
                (*second, *calls) = (now / 1_000, 0);
            }
            *calls += 1;
            if *calls > QUOTA {
                return Some(Strike::Throttled);
            }
        }
        let weather = &mut self.weather;
        if weather.strikes(Class::Throttle) {
            Some(Strike::Throttled)
        } else if weather.strikes(Class::Broken) {
            Some(Strike::Broken)
        } else if weather.strikes(Class::LostRequest) {
            Some(Strike::LostRequest)
        } else if weather.strikes(Class::LostAnswer) {
            Some(Strike::LostAnswer)
        } else if !is_write {
            weather.strikes(Class::Stale).then_some(Strike::Stale)
        } else if weather.strikes(Class::BrokenApplied) {
            Some(Strike::BrokenApplied)
        } else if weather.strikes(Class::Delayed) {
            let ms = weather.dice(Class::Delayed).between(1_000, 400_000);
            Some(Strike::Delayed(ms))
        } else {
            weather.strikes(Class::Twice).then_some(Strike::Twice)
        }
    }

    fn is_out(&mut self, is_write: bool) -> bool {
        let now = self.now;
        let Some((from, to, reads, writes)) = self.outage else { return false };
        let is_out = from <= now && now < to && (if is_write { writes } else { reads });
        if is_out {
            self.counts.count(if reads && writes { "B22" } else { "B23" });
        }
        is_out
    }

    fn timeout(&mut self) -> u64 {
        self.rng.between(5_000, 60_000)
    }

    fn look(&mut self, call: &Call, strike: Option<Strike>, latency: u64) {
        if self.is_out(false) {
            return self.answer(latency, call, failed(FaultClass::Passing, "no route"));
        }
        match strike {
            Some(Strike::Throttled) => {
                self.counts.count("B1");
                self.answer(latency, call, failed(FaultClass::Passing, "429"));
            }
            Some(Strike::Broken | Strike::BrokenApplied) => {
                self.counts.count("B3");
                self.answer(latency, call, failed(FaultClass::Passing, "500"));
            }
            Some(Strike::LostRequest | Strike::LostAnswer | Strike::Delayed(_)) => {
                self.counts.count("B6");
                let ms = self.timeout();
                self.answer(ms, call, failed(FaultClass::Passing, "timeout"));
            }
            Some(Strike::Stale) => {
                self.counts.count("B16");
                let is_scripted = self.script.is_scripted;
                let age =
                    if is_scripted { STALE } else { self.weather.dice(Class::Stale).below(STALE) };
                let seen = self.cloud.state_before(self.now, &call.place, age);
                self.shown(call, seen, latency);
            }
            Some(Strike::Twice) | None => {
                let seen = self.cloud.state(&call.place).cloned();
                self.shown(call, seen, latency);
            }
        }
    }

    fn shown(&mut self, call: &Call, seen: Option<AliasState>, latency: u64) {
        self.note(|| format!("m{} reads {:?}: {seen:?}", call.machine, call.place));
        self.answer(latency, call, Answer::Alias(seen));
    }

    fn send(&mut self, call: Call, strike: Option<Strike>, latency: u64) {
        let (now, place) = (self.now, call.place.clone());
        let sent = self.first_sent(&call);
        if self.is_out(true) {
            return self.answer(latency, &call, failed(FaultClass::Passing, "no route"));
        }
        if self.denied.as_ref().is_some_and(|(denied, from)| *denied == place && now >= *from) {
            self.counts.count("B13");
            self.note(|| format!("m{} is denied {place:?}", call.machine));
            self.blame(call.machine, "denied");
            self.story_of(call.machine).was_denied = true;
            return self.answer(latency, &call, failed(FaultClass::Refused, "AccessDenied"));
        }
        // A creation and a deletion have no revision id: one that lands long after it was given up
        // cannot be told from a new one, nor be stopped. Nothing is done about it.
        let is_blind = match call.op {
            CloudOp::Create { .. } => place.role == Role::Live,
            CloudOp::Delete => true,
            _ => false,
        };
        match strike {
            Some(Strike::Throttled) => {
                self.counts.count("B1");
                self.answer(latency, &call, failed(FaultClass::Passing, "429"));
            }
            Some(Strike::Broken) => {
                self.counts.count("B3");
                self.answer(latency, &call, failed(FaultClass::Passing, "500"));
            }
            Some(Strike::LostRequest) => {
                self.counts.count("B6");
                let ms = self.timeout();
                self.answer(ms, &call, failed(FaultClass::Passing, "timeout"));
            }
            Some(Strike::LostAnswer) => {
                self.counts.count("B7");
                let ms = self.timeout();
                self.answer(ms, &call, failed(FaultClass::Passing, "timeout"));
                self.later(latency, What::Apply(call, sent, Deliver::Never));
            }
            Some(Strike::Delayed(late)) if !is_blind => {
                self.counts.count("B8");
                let ms = self.timeout();
                self.answer(ms, &call, failed(FaultClass::Passing, "timeout"));
                self.later(late, What::Apply(call, sent, Deliver::Never));
            }
            Some(Strike::BrokenApplied) => {
                self.counts.count("B4");
                self.later(latency, What::Apply(call, sent, Deliver::Failure(latency)));
            }
            Some(Strike::Twice) if !is_blind || call.op != CloudOp::Delete => {
                self.counts.count("B9");
                self.later(latency, What::Apply(call, sent, Deliver::Conflict(latency)));
            }
            _ => self.later(latency, What::Apply(call, sent, Deliver::After(latency))),
        }
    }

    /// When a write is sent; a lock write's lease counts from when it was sent first.
    fn first_sent(&mut self, call: &Call) -> u64 {
        let now = self.now;
        if let (
            Role::Lock,
            CloudOp::Create { description, .. } | CloudOp::Update { description, .. },
        ) = (call.place.role, &call.op)
            && let Some(record) = LockRecord::decode(description)
        {
            self.machines[call.machine].first_sent.entry(record.nonce).or_insert(now);
        }
        now
    }

    /// A write lands.
    pub(crate) fn apply(&mut self, call: &Call, sent: u64, deliver: Deliver) {
        let before = self.cloud.state(&call.place).cloned();
        let result = self.cloud.apply(self.now, &call.place, &call.op);
        let answer = match result {
            Err(error) => {
                self.note(|| {
                    format!("m{} {}: {:?} {:?}", call.machine, error, call.place, call.op)
                });
                self.refused(call, &error);
                refusal(&error)
            }
            Ok(after) => {
                self.note(|| format!("m{} writes {:?} {:?}", call.machine, call.place, call.op));
                if let CloudOp::Create { description, .. } | CloudOp::Update { description, .. } =
                    &call.op
                {
                    self.stir(description);
                }
                let write = Write { call, sent, before: before.as_ref(), after: after.as_ref() };
                self.judge_write(&write);
                self.move_capacity(call, before.as_ref(), after.as_ref());
                match (&call.op, deliver) {
                    (CloudOp::Delete, _) => Answer::Deleted,
                    (_, Deliver::Conflict(_)) => failed(FaultClass::Conflict, "412"),
                    (_, Deliver::Failure(_)) => failed(FaultClass::Passing, "500"),
                    _ => Answer::Alias(after),
                }
            }
        };
        match deliver {
            Deliver::After(ms) | Deliver::Conflict(ms) | Deliver::Failure(ms) => {
                self.answer(ms, call, answer);
            }
            Deliver::Never => {}
        }
    }

    /// What the cloud refuses for good is a request that must not be made.
    fn refused(&mut self, call: &Call, error: &ApiError) {
        if error.status == 404 {
            self.counts.count("B15");
        }
        if error.status == 409 && call.place.role == Role::Lock {
            self.counts.count("D3");
        }
        let is_fine = matches!(error.status, 404 | 409 | 412);
        self.law(is_fine, "I7", || format!("{:?} {:?}: {error}", call.place, call.op));
    }

    // ---- what AWS does by itself -------------------------------------------------------------

    /// Provisioned concurrency: AWS routes to the version that was left until the new one is ready.
    fn move_capacity(
        &mut self,
        call: &Call,
        before: Option<&AliasState>,
        after: Option<&AliasState>,
    ) {
        let (Some(before), Some(after)) = (before, after) else { return };
        let has_moved = call.place.role == Role::Live
            && matches!(call.op, CloudOp::Update { .. })
            && before.version != after.version
            && after.extra.is_none();
        let Some(old) = before.main().filter(|_| has_moved) else { return };
        if self.weather.strikes(Class::Transient) {
            let dice = self.weather.dice(Class::Transient);
            let ms = if dice.one_in(2) { 0 } else { dice.below(3_000) };
            self.later(ms, What::Inject(call.place.function.clone(), old));
        }
    }

    pub(crate) fn inject(&mut self, function: &FunctionName, old: VersionId) {
        let place = Place::live(function);
        let Some(state) = self.cloud.state(&place) else { return };
        let is_ours = self.ghosts.get(function).is_some_and(|ghost| ghost.foreign.is_none());
        let Some(main) = state.main().filter(|main| *main != old) else { return };
        if !is_ours || state.extra.is_some() {
            return;
        }
        let extra = ExtraVersion { version: old, weight: Weight::FULL };
        let Ok(after) = self.cloud.overwrite(self.now, &place, Some((main, Some(extra))), None)
        else {
            return;
        };
        self.counts.count("C1");
        self.note(|| format!("AWS routes {function} to {old} for a while"));
        if let Some(ghost) = self.ghosts.get_mut(function) {
            ghost.ours = Some(after);
        }
        if self.weather.strikes(Class::Lasting) {
            self.counts.count("C2");
            self.blame_all("AWS's weights stay");
            return;
        }
        let ms = self.weather.dice(Class::Transient).between(1_000, 300_000);
        self.later(ms, What::Clear(function.clone()));
    }

    pub(crate) fn clear(&mut self, function: &FunctionName) {
        let place = Place::live(function);
        let Some(state) = self.cloud.state(&place) else { return };
        let is_transient = state.extra.is_some_and(|extra| extra.weight == Weight::FULL);
        let Some(main) = state.main().filter(|_| is_transient) else { return };
        let Ok(after) = self.cloud.overwrite(self.now, &place, Some((main, None)), None) else {
            return;
        };
        self.note(|| format!("AWS is done with {function}"));
        if let Some(ghost) = self.ghosts.get_mut(function).filter(|g| g.foreign.is_none()) {
            ghost.ours = Some(after);
        }
    }

    /// What the lock says.
    pub(crate) fn lock_record(&self) -> Option<LockRecord> {
        let (_, state) = self.cloud.lock()?;
        LockRecord::decode(&state.description)
    }
}

/// The token of a live alias.
pub(crate) fn token(state: Option<&AliasState>) -> Option<Token> {
    Token::decode(&state?.description)
}
