//! The machine: what it knows, and where each input goes.

use std::collections::{BTreeMap, BTreeSet};

use super::lock::Lock;
use super::look::user_text;
use super::order::Paused;
use super::register::{Purpose, Register};
use super::rollout::{Phase, Rollout};
use super::watch::AskFor;
use super::{Answer, CallId, Effect, Event, Illegal, Input, Object, Runner, TimerId, limits};
use crate::control::Verb;
use crate::inventory::AliasState;
use crate::name::{FunctionName, Nonce};
use crate::plan::{Action, FunctionPlan, Plan};
use crate::spec::OnFailure;
use crate::time::Mono;
use crate::token::LockPhase;

/// Where the release as a whole stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not started.
    New,
    /// Waits until the owner of the lock has been silent for a lease.
    Patience,
    /// The function that will carry the lock is being created.
    Anchoring,
    /// The lock is being taken.
    Locking,
    /// It was taken from somebody who is gone: every alias is read.
    Entering,
    /// Versions are published and aliases claimed, up to the barrier.
    Preparing,
    /// Traffic moves.
    Running,
    /// Every alias is read once more.
    Proving,
    /// It is to stand where it stands: waits for the writes that are under way.
    Freezing,
    /// The abort is being written into the lock; nothing goes back before it is.
    Aborting,
    /// Aliases go back.
    Unwinding,
    /// The end is being written into the lock.
    Closing,
    /// Descriptions are restored and old versions deleted.
    Tidying,
    /// Over.
    Over,
}

/// What a timer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimerFor {
    Retry(Object),
    Wake(FunctionName),
    Confirm(FunctionName),
    Heartbeat,
    Patience,
}

/// Why the release goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) culprit: Option<FunctionName>,
    pub(super) reason: String,
}

/// One execution of one plan. See [`super`].
#[derive(Debug, Clone)]
pub struct Release {
    pub(super) plan: Plan,
    pub(super) runner: Runner,
    pub(super) now: Mono,
    pub(super) stage: Stage,
    pub(super) effects: Vec<Effect>,
    pub(super) calls: BTreeMap<CallId, Object>,
    pub(super) timers: BTreeMap<TimerId, TimerFor>,
    pub(super) registers: BTreeMap<Object, Register>,
    pub(super) rollouts: BTreeMap<FunctionName, Rollout>,
    pub(super) dependants: BTreeMap<FunctionName, BTreeSet<FunctionName>>,
    pub(super) lock: Lock,
    /// Aliases that have not been read yet since the release was entered.
    pub(super) enters: BTreeSet<FunctionName>,
    /// Nothing goes up until somebody says so.
    pub(super) paused: Option<Paused>,
    pub(super) failure: Option<Failure>,
    /// The functions that go back although they were done.
    pub(super) scope: BTreeSet<FunctionName>,
    /// What a person must do, beside what single rollouts say.
    pub(super) todo: Vec<String>,
    pub(super) asks: BTreeMap<u64, AskFor>,
    /// Rollback hooks and prunings that have not answered.
    pub(super) loose_ends: usize,
    pub(super) end_phase: Option<LockPhase>,
    pub(super) has_heartbeat: bool,
    /// A rollout became ready or done since the graph was last looked at.
    pub(super) has_moved: bool,
    /// The records that this machine wrote on live aliases, or may have.
    pub(super) written: BTreeSet<Nonce>,
    ids: u64,
    nonces: u64,
}

impl Release {
    /// A release of `plan`, which must have functions.
    pub fn new(plan: Plan, runner: Runner) -> Self {
        let mut release = Self::empty(plan, runner);
        let functions: Vec<FunctionPlan> = release.plan.functions.values().cloned().collect();
        for function in functions {
            let own = function.live.as_ref().map(|live| user_text(live, function.pin.as_ref()));
            release.rollouts.insert(function.name.clone(), Rollout::new(own.unwrap_or_default()));
            release.believe(&Object::Live(function.name.clone()), function.live);
            release.believe(&Object::Pin(function.name.clone()), function.pin);
        }
        release
    }

    pub(super) fn empty(plan: Plan, runner: Runner) -> Self {
        let mut dependants: BTreeMap<FunctionName, BTreeSet<FunctionName>> = BTreeMap::new();
        for function in plan.functions.values() {
            for need in &function.depends_on {
                dependants.entry(need.clone()).or_default().insert(function.name.clone());
            }
        }
        let lock_state = plan.lock.clone();
        let mut release = Self {
            plan,
            runner,
            now: Mono(0),
            stage: Stage::New,
            effects: Vec::new(),
            calls: BTreeMap::new(),
            timers: BTreeMap::new(),
            registers: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            dependants,
            lock: Lock::default(),
            enters: BTreeSet::new(),
            paused: None,
            failure: None,
            scope: BTreeSet::new(),
            todo: Vec::new(),
            asks: BTreeMap::new(),
            loose_ends: 0,
            end_phase: None,
            has_heartbeat: false,
            has_moved: true,
            written: BTreeSet::new(),
            ids: 0,
            nonces: 0,
        };
        release.believe(&Object::Lock, lock_state);
        release
    }

    /// Takes fresh randomness, from a source that a copy of this machine does not share. Whoever
    /// drives a release does so before every step: a virtual machine that was copied or set back with
    /// a release in it then writes other nonces than its twin, and each knows the other's for foreign.
    pub fn stir(&mut self, fresh: u64) {
        self.runner.seed = splitmix64(self.runner.seed ^ fresh);
    }

    /// One step: told one thing, the machine answers with what is to be done.
    ///
    /// # Errors
    /// [`Illegal`] if the machine would move a rollout against its table of legal moves, which is a
    /// bug: the caller stops and leaves the release to be recovered.
    pub fn step(&mut self, now: Mono, input: Input) -> Result<Vec<Effect>, Illegal> {
        let silence = now.since(self.now);
        self.now = self.now.max(now);
        if self.stage != Stage::Over {
            if silence > limits::SUSPENDED {
                self.suspended(silence);
            }
            self.take(input)?;
            self.advance()?;
        }
        Ok(std::mem::take(&mut self.effects))
    }

    /// The phase of each rollout, for people.
    pub fn phases(&self) -> impl Iterator<Item = (&FunctionName, Phase)> {
        self.rollouts.iter().map(|(name, rollout)| (name, rollout.phase))
    }

    /// The live alias of each function as it is known, for people.
    pub fn aliases(&self) -> impl Iterator<Item = (&FunctionName, Option<&AliasState>)> {
        self.plan.functions.keys().map(|name| (name, self.known(&Object::Live(name.clone()))))
    }

    pub(super) fn take(&mut self, input: Input) -> Result<(), Illegal> {
        match input {
            Input::Start => {
                self.start();
                Ok(())
            }
            Input::Answer { id, answer } => self.answer(id, answer),
            Input::Timer { id } => self.timer(id),
            Input::Prepared { function, result } => self.prepared(&function, result),
            Input::Decided { function, ask, result } => self.decided(&function, ask, result),
            Input::Delegated { function, ask, result } => self.delegated(&function, ask, result),
            Input::Halted { function, result } => self.halted(&function, result),
            Input::Hooked { function, phase, index, result } => {
                self.hooked(&function, phase, index, result)
            }
            Input::Alarms { ask, result } => self.alarms_read(ask, result),
            Input::Pruned { .. } => {
                self.loose_ends = self.loose_ends.saturating_sub(1);
                Ok(())
            }
            Input::Approve { function, by } => {
                self.approve(function.as_ref(), &by);
                Ok(())
            }
            Input::Abort { by, reason } => self.order(Verb::Abort, None, &by, &reason),
            Input::Leave { by, reason } => self.leave(&by, &reason),
            Input::Pause { by, reason } => self.order(Verb::Pause, None, &by, &reason),
            Input::Resume { by, reason } => self.order(Verb::Resume, None, &by, &reason),
            Input::Promote { function, full, by, reason } => {
                let verb = if full { Verb::PromoteFully } else { Verb::Promote };
                self.order(verb, function.as_ref(), &by, &reason)
            }
            Input::Look => {
                self.look_at_lock();
                Ok(())
            }
        }
    }

    pub(super) fn start(&mut self) {
        match self.stage {
            Stage::Patience => {
                let known = self.known(&Object::Lock).cloned();
                self.look_at_owner(known);
            }
            Stage::New => {
                let anchor = self.plan.anchor.clone();
                let is_new = self
                    .plan
                    .functions
                    .get(&anchor)
                    .is_some_and(|f| f.action == Action::First { exists: false });
                if is_new {
                    self.stage = Stage::Anchoring;
                    self.effects.push(Effect::Prepare { function: anchor });
                } else {
                    self.stage = Stage::Locking;
                    self.acquire();
                }
            }
            _ => {}
        }
    }

    pub(super) fn answer(&mut self, id: CallId, answer: Answer) -> Result<(), Illegal> {
        let Some(object) = self.calls.remove(&id) else { return Ok(()) };
        let Some((purpose, end, sent)) = self.answered(&object, id, answer) else { return Ok(()) };
        match &object {
            Object::Lock => self.lock_ended(purpose, end, sent),
            Object::Pin(function) => self.pin_ended(&function.clone(), end),
            Object::Live(function) => self.live_ended(&function.clone(), purpose, end),
        }
    }

    pub(super) fn timer(&mut self, id: TimerId) -> Result<(), Illegal> {
        match self.timers.remove(&id) {
            Some(TimerFor::Retry(object)) => self.rested(&object, id),
            Some(TimerFor::Wake(function)) => self.wake(&function, id)?,
            Some(TimerFor::Confirm(function)) => self.look_again(&function),
            Some(TimerFor::Heartbeat) => self.heartbeat()?,
            Some(TimerFor::Patience) => self.read(&Object::Lock, Purpose::Patience),
            None => {}
        }
        Ok(())
    }

    /// Whatever may happen next, happens.
    pub(super) fn advance(&mut self) -> Result<(), Illegal> {
        if matches!(self.stage, Stage::Preparing | Stage::Running | Stage::Proving) {
            self.fence()?;
        }
        match self.stage {
            Stage::Entering => self.try_enter(),
            Stage::Preparing if self.has_moved => self.try_barrier(),
            Stage::Running if self.has_moved => self.schedule(),
            Stage::Proving => self.prove(),
            Stage::Freezing => {
                self.try_freeze();
                Ok(())
            }
            Stage::Unwinding => self.unwind_more(),
            Stage::Tidying => {
                self.try_finish();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_going_back(&self) -> bool {
        self.failure.is_some()
    }

    pub(super) fn freezes(&self) -> bool {
        self.plan.on_failure == OnFailure::Freeze
    }

    pub(super) fn report(&mut self, event: Event) {
        self.effects.push(Effect::Report(event));
    }

    pub(super) fn move_to(&mut self, name: &FunctionName, to: Phase) -> Result<(), Illegal> {
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let from = rollout.move_to(name.as_str(), to)?;
        // Only these can make another function ready, or everything done.
        self.has_moved |= matches!(to, Phase::Waiting | Phase::Done);
        self.report(Event::Moved { function: name.clone(), from, to });
        Ok(())
    }

    pub(super) fn words(&self, object: &Object) -> String {
        match object {
            Object::Lock => format!("alias {} of {}", self.plan.alias.lock(), self.plan.anchor),
            Object::Live(function) => format!("alias {} of {function}", self.plan.alias),
            Object::Pin(function) => format!("alias {} of {function}", self.plan.alias.pin()),
        }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn next_call(&mut self, object: &Object) -> CallId {
        let id = CallId(self.next_id());
        self.calls.insert(id, object.clone());
        id
    }

    pub(super) fn next_timer(&mut self, purpose: TimerFor) -> TimerId {
        let id = TimerId(self.next_id());
        self.timers.insert(id, purpose);
        id
    }

    /// Nonces grow from the runner's random seed (splitmix64, whose increments never repeat within
    /// 2^64 draws) and from what was stirred in since.
    pub(super) fn nonce(&mut self) -> Nonce {
        self.nonces += 1;
        Nonce(splitmix64(
            self.runner.seed.wrapping_add(self.nonces.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        ))
    }

    /// A number in 0..1 that spreads retries.
    pub(super) fn jitter(&mut self) -> f64 {
        let Nonce(bits) = self.nonce();
        f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

fn splitmix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
