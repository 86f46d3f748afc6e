//! The world of one seed: the cloud, the machines on it, everybody else, and one queue of what
//! happens next. Time is a number of milliseconds; nothing waits.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use wavegate_core::inventory::AliasState;
use wavegate_core::name::{FunctionName, ReleaseId, VersionId};
use wavegate_core::plan::AlarmStatus;
use wavegate_core::release::{CallId, CloudOp, Input, Priority};

use crate::app::App;
use crate::catalogue::Counts;
use crate::cloud::{Cloud, Place};
use crate::exhaustive::Recovery;
use crate::laws::{Ghost, LockGhost, Story};
use crate::machine::{Life, Machine};
use crate::people::Hand;
use crate::rng::{Rng, mix};
use crate::script::Script;
use crate::weather::{Knobs, Weather};

/// When every story begins.
pub(crate) const BEGINS: u64 = 1_000_000;
/// When the weather calms down at the latest.
const SAFETY: u64 = 4 * 3_600_000;
/// How long a release that is under way may take once nothing goes wrong any more.
const PATIENCE: u64 = 24 * 3_600_000;
/// The most steps of one story: more is an endless loop.
const STEPS: u64 = 400_000;

/// A law that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub law: &'static str,
    /// By what.
    pub about: String,
}

/// A call on its way.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) machine: usize,
    pub(crate) id: CallId,
    pub(crate) place: Place,
    pub(crate) op: CloudOp,
    pub(crate) priority: Priority,
    /// When the machine made it; it may wait for its turn.
    pub(crate) made: u64,
    /// In the world's time.
    pub(crate) send_by: Option<u64>,
}

/// Whether and when whoever sent a write hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deliver {
    After(u64),
    Conflict(u64),
    Failure(u64),
    Never,
}

/// What one alarm said.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) function: FunctionName,
    pub(crate) at: u64,
    pub(crate) status: AlarmStatus,
}

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Tell(usize, Input),
    /// Alarms were read at that moment; the machine hears of it now.
    Heard(usize, Vec<Heard>, Input),
    /// A call's turn has come.
    Arrive(Call),
    Apply(Call, u64, Deliver),
    Publish(usize, FunctionName, u64),
    Hand(FunctionName, Hand),
    Undo(FunctionName, AliasState),
    Vandal(u64),
    Inject(FunctionName, VersionId),
    Clear(FunctionName),
    Kill(usize),
    Sleep(usize, u64),
    Wake(usize),
    Fork(usize, u64),
    Recover,
    Rival(u64),
    AskByLock,
}

#[derive(Debug)]
struct Due {
    at: u64,
    place: u64,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.place) == (other.at, other.place)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.place).cmp(&(self.at, self.place))
    }
}

/// The world.
pub(crate) struct World {
    pub(crate) now: u64,
    queue: BinaryHeap<Due>,
    pushed: u64,
    pub(crate) steps: u64,
    /// Machines that are still to come.
    pub(crate) expected: u32,
    pub(crate) weather: Weather,
    /// For what happens in every weather: latencies, and people's manners.
    pub(crate) rng: Rng,
    /// What machines draw randomness from.
    pub(crate) entropy: Rng,
    pub(crate) cloud: Cloud,
    pub(crate) app: App,
    pub(crate) machines: Vec<Machine>,
    pub(crate) stories: BTreeMap<ReleaseId, Story>,
    pub(crate) ghosts: BTreeMap<FunctionName, Ghost>,
    pub(crate) lock: LockGhost,
    pub(crate) script: Script,
    /// What is denied, and since when.
    pub(crate) denied: Option<(Place, u64)>,
    /// 429 from when to when.
    pub(crate) burst: Option<(u64, u64)>,
    /// From when to when, and whether reads and writes fail.
    pub(crate) outage: Option<(u64, u64, bool, bool)>,
    /// Calls of the running second, and which second that is.
    pub(crate) quota: Option<(u64, u64)>,
    pub(crate) counts: Counts,
    pub(crate) broken: Option<Broken>,
    pub(crate) hash: u64,
    pub(crate) is_traced: bool,
    pub(crate) trace: Vec<String>,
    /// When the weather calmed down.
    pub(crate) calm_at: Option<u64>,
    /// What whoever recovers wants; `None`: now this, now that.
    pub(crate) recovery: Option<Recovery>,
}

impl World {
    /// The world of a seed, before anything has happened.
    pub(crate) fn of(seed: u64, knobs: &Knobs) -> Self {
        let mut weather = Weather::of(seed, knobs);
        let app = App::of(seed, knobs, &mut weather, BEGINS);
        Self::with(seed, app, weather, Script::default())
    }

    /// A world of a given app.
    pub(crate) fn with(seed: u64, app: App, weather: Weather, script: Script) -> Self {
        let cloud = Cloud::with(&app);
        let ghosts = app.parts.keys().map(|f| (f.clone(), Ghost::of(f, &cloud))).collect();
        Self {
            now: BEGINS,
            queue: BinaryHeap::new(),
            pushed: 0,
            steps: 0,
            expected: 0,
            rng: Rng::of(seed, 3),
            entropy: Rng::of(seed, 4),
            weather,
            cloud,
            machines: Vec::new(),
            stories: BTreeMap::new(),
            ghosts,
            lock: LockGhost::default(),
            script,
            denied: None,
            burst: None,
            outage: None,
            quota: None,
            counts: Counts::default(),
            broken: None,
            hash: seed,
            is_traced: false,
            trace: Vec::new(),
            calm_at: None,
            recovery: None,
            app,
        }
    }

    // ---- the queue ---------------------------------------------------------------------------

    pub(crate) fn at(&mut self, at: u64, what: What) {
        self.pushed += 1;
        self.queue.push(Due { at: at.max(self.now), place: self.pushed, what });
    }

    pub(crate) fn later(&mut self, ms: u64, what: What) {
        self.at(self.now + ms, what);
    }

    /// Lets the next thing happen. False: there is none.
    pub(crate) fn happen(&mut self) -> bool {
        let Some(Due { at, what, .. }) = self.queue.pop() else { return false };
        self.now = self.now.max(at);
        self.steps += 1;
        self.law(self.steps < STEPS, "I22", || "it does not end".to_owned());
        self.take(what);
        true
    }

    /// What is on its way to or from a machine, in order.
    pub(crate) fn waiting_for(&self, machine: usize) -> Vec<(u64, What)> {
        let mut waiting: Vec<&Due> = self
            .queue
            .iter()
            .filter(|due| match &due.what {
                What::Tell(other, _) | What::Heard(other, ..) | What::Publish(other, ..) => {
                    *other == machine
                }
                What::Arrive(call) | What::Apply(call, ..) => call.machine == machine,
                _ => false,
            })
            .collect();
        waiting.sort_by_key(|due| (due.at, due.place));
        waiting.into_iter().map(|due| (due.at, due.what.clone())).collect()
    }

    fn take(&mut self, what: What) {
        let is_calm = self.weather.is_calm();
        match what {
            What::Tell(machine, input) => self.tell(machine, input),
            What::Heard(machine, heard, input) => self.heard(machine, heard, input),
            What::Arrive(call) => self.arrive(call),
            What::Apply(call, sent, deliver) => self.apply(&call, sent, deliver),
            What::Publish(machine, function, ms) => self.publish(machine, &function, ms),
            What::Kill(machine) => self.kill(machine, "A6"),
            What::Wake(machine) => self.wake(machine),
            What::Inject(function, old) => self.inject(&function, old),
            What::Clear(function) => self.clear(&function),
            What::Recover => {
                self.expected -= 1;
                self.recover();
            }
            What::Rival(age) => {
                self.expected -= 1;
                if !is_calm {
                    self.rival(age);
                }
            }
            _ if is_calm => {}
            What::Hand(function, hand) => self.hand(&function, hand),
            What::Undo(function, state) => self.undo(&function, state),
            What::Vandal(which) => self.vandal(which),
            What::Sleep(machine, span) => self.sleep(machine, span),
            What::Fork(machine, gap) => self.fork(machine, gap),
            What::AskByLock => self.ask_by_lock(),
        }
    }

    // ---- the story ---------------------------------------------------------------------------

    /// The whole story: hostile weather, then calm, then one healthy recovery if the lock is open.
    pub(crate) fn run(&mut self) {
        self.open();
        let limit = BEGINS + SAFETY;
        while self.is_going_on() && self.now < limit && self.happen() {}
        self.let_scripted_recover();
        self.calm_down();
        self.let_all_end();
        // What goes on may freeze again; then somebody puts it back.
        for recovery in [self.recovery, Some(Recovery::PutBack)] {
            if self.broken.is_none() && self.is_lock_open() {
                self.recovery = recovery;
                self.recover_now();
                self.let_all_end();
            }
        }
        if self.broken.is_none() {
            self.judge_end();
        }
    }

    /// Whoever recovers by a script may die as well; the one after it does not.
    fn let_scripted_recover(&mut self) {
        let dies_again = self.script.is_scripted && self.script.deaths.contains_key(&1);
        if dies_again && self.broken.is_none() && self.is_lock_open() {
            self.recover_now();
            self.let_all_end();
        }
    }

    fn is_going_on(&self) -> bool {
        self.broken.is_none()
            && (self.expected > 0 || self.machines.iter().any(|machine| machine.life.is_busy()))
    }

    pub(crate) fn calm_down(&mut self) {
        self.note(|| "---- calm".to_owned());
        self.weather.calm_down();
        self.denied = None;
        self.burst = None;
        // It is over, and is remembered: what was sent under it may land yet.
        if let Some((_, to, ..)) = &mut self.outage {
            *to = (*to).min(self.now);
        }
        self.quota = None;
        self.script.is_over = true;
        self.calm_at = Some(self.now);
        for machine in 0..self.machines.len() {
            if matches!(self.machines[machine].life, Life::Asleep(_)) {
                self.wake(machine);
            }
        }
    }

    /// Every machine comes to its end, then whatever was still on its way lands.
    fn let_all_end(&mut self) {
        let limit = self.now + PATIENCE;
        while self.is_going_on() {
            let is_waiting = self.happen();
            self.law(is_waiting, "I24", || "a machine waits for nothing".to_owned());
            let is_late = self.now > limit;
            self.law(!is_late, "I22", || "it does not end in time".to_owned());
        }
        while self.broken.is_none() && self.happen() {}
    }

    pub(crate) fn is_lock_open(&self) -> bool {
        self.lock_record().is_some_and(|record| !record.phase.is_over())
    }

    // ---- what is known of it -----------------------------------------------------------------

    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.is_traced {
            let line = format!("{:>9} {}", self.now - BEGINS, text());
            self.trace.push(line);
        }
    }

    /// Makes a fact part of what the same seed must repeat.
    pub(crate) fn stir(&mut self, fact: &str) {
        let now = self.now;
        let mut hash = mix(self.hash ^ now);
        for chunk in fact.as_bytes().chunks(8) {
            let mut word = [0_u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = mix(hash ^ u64::from_le_bytes(word));
        }
        self.hash = hash;
    }

    pub(crate) fn law(&mut self, holds: bool, law: &'static str, about: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            let about = about();
            self.note(|| format!("!!!! {law}: {about}"));
            self.broken = Some(Broken { law, about });
        }
    }
}
