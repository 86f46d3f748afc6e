//! A machine: one process that runs a release, with a clock and a life of its own.

use std::collections::BTreeMap;
use std::rc::Rc;

use wavegate_core::control::Verb;
use wavegate_core::inventory::Inventory;
use wavegate_core::name::{Nonce, ReleaseId};
use wavegate_core::plan::{self, AlarmStatus, Facts, Plan};
use wavegate_core::release::{
    Answer, CallId, Effect, Event, Fault, FaultClass, Input, Outcome, Release, Runner, limits,
};
use wavegate_core::time::{Mono, millis};
use wavegate_core::token::LockRecord;

use crate::app::Kind;
use crate::cloud::{Cloud, STALE};
use crate::exhaustive::Recovery;
use crate::laws::Story;
use crate::script::Moment;
use crate::weather::Class;
use crate::world::{Deliver, Heard, What, World};

/// Whether a machine is told anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Awake,
    /// Until then it is told nothing.
    Asleep(u64),
    Dead,
    /// Its release has ended.
    Over,
}

impl Life {
    pub(crate) fn is_busy(self) -> bool {
        matches!(self, Self::Awake | Self::Asleep(_))
    }
}

/// One machine.
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(crate) struct Machine {
    pub(crate) core: Box<Release>,
    pub(crate) life: Life,
    pub(crate) release: ReleaseId,
    pub(crate) owner: String,
    pub(crate) plan: Rc<Plan>,
    /// What its clock shows more than the world's.
    pub(crate) offset: u64,
    /// What it was not told while it stood still.
    pub(crate) inbox: Vec<What>,
    /// It was told not to begin anything new.
    pub(crate) is_stopped: bool,
    pub(crate) outcome: Option<Outcome>,
    /// It came out of a snapshot of another one.
    pub(crate) is_copy: bool,
    /// It finishes what another one began.
    pub(crate) is_recovering: bool,
    /// It was begun to put back what another one began.
    pub(crate) goes_back: bool,
    /// It stood still for so long that it must take its lock anew, above this epoch.
    pub(crate) regains: Option<u64>,
    /// Until then its clock may be behind the world's: it came out of a snapshot.
    pub(crate) is_behind_until: u64,
    /// It stood still or was copied: it may not know that it owns nothing any more.
    pub(crate) is_doubtful: bool,
    /// Calls that were made.
    pub(crate) calls: u64,
    /// When each of its lock writes was sent first.
    pub(crate) first_sent: BTreeMap<Nonce, u64>,
    /// Epoch of its last lock write that was applied, and when that was sent first.
    pub(crate) proof: Option<(u64, u64)>,
    /// It answered in the lock that it pauses, or goes on, and is still to do it.
    pub(crate) owes: Option<(Verb, Nonce)>,
    /// Since when it lets nothing go up.
    pub(crate) paused_at: Option<u64>,
    /// It has written a live alias, or tried to.
    pub(crate) has_written: bool,
    /// When it was told something last.
    pub(crate) told_at: u64,
    /// The call whose answer it does not survive.
    pub(crate) dies_at: Option<CallId>,
}

impl World {
    /// A machine begins a release.
    fn start(
        &mut self,
        core: Release,
        plan: Rc<Plan>,
        runner: &Runner,
        is_recovering: bool,
    ) -> usize {
        let offset = self.rng.below(10_000_000_000);
        self.machines.push(Machine {
            core: Box::new(core),
            life: Life::Awake,
            release: runner.release,
            owner: runner.owner.clone(),
            plan,
            offset,
            inbox: Vec::new(),
            is_stopped: false,
            outcome: None,
            is_copy: false,
            is_recovering,
            goes_back: false,
            regains: None,
            is_behind_until: 0,
            is_doubtful: false,
            calls: 0,
            first_sent: BTreeMap::new(),
            proof: None,
            owes: None,
            paused_at: None,
            has_written: false,
            told_at: 0,
            dies_at: None,
        });
        let machine = self.machines.len() - 1;
        self.doom(machine);
        machine
    }

    fn runner(&mut self, release: Option<ReleaseId>) -> Runner {
        let owner = format!("m{}@ci", self.machines.len());
        let release = release.unwrap_or_else(|| ReleaseId(self.rng.draw()));
        Runner { release, owner, seed: self.rng.draw() }
    }

    /// Plans and begins a release, from a look that is so old. `None`: it is refused.
    pub(crate) fn deploy(&mut self, revision: &str, age: u64) -> Option<(usize, Rc<Plan>)> {
        let spec = &self.app.spec;
        let now = self.now;
        let inventory = self.cloud.observe(now.saturating_sub(age), spec, || 0);
        let targets = Cloud::targets(&self.app);
        let (plan, _) = if self.app.kind == Kind::Switch && revision == "new" {
            plan::switch_plan(spec, &inventory, &targets)
        } else {
            plan::plan(Facts {
                spec,
                inventory: &inventory,
                artifacts: &self.app.artifacts(revision),
                outlines: &self.app.outlines(),
                alarms: &self.app.snapshot(now.saturating_sub(age)),
                only: None,
            })
        };
        let mut plan = plan.filter(|plan| !plan.functions.is_empty())?;
        if self.app.kind == Kind::Switch {
            // A rollback after the fact moves at once; here it climbs, to be watched on its way.
            for (name, function) in &mut plan.functions {
                function.outline = self.app.parts[name].outline.clone();
                function.bake = self.app.spec.functions[name].bake;
            }
        }
        let plan = Rc::new(plan);
        let runner = self.runner(None);
        let mut story = Story::of(&plan, revision);
        if age > 0 {
            story.blame("planned on an old look");
        }
        // A stale read may show what was there before.
        let is_recent = |at: u64| at > 0 && at + STALE >= now;
        if self.ghosts.values().any(|g| is_recent(g.handled_at) || is_recent(g.written_at)) {
            story.blame("a change a moment ago");
        }
        self.stories.insert(runner.release, story);
        let release = Release::new((*plan).clone(), runner.clone());
        let machine = self.start(release, Rc::clone(&plan), &runner, false);
        self.note(|| format!("m{machine} deploys {} of {revision}", runner.release));
        Some((machine, plan))
    }

    /// Somebody runs `recover`, from what the cloud shows alone.
    pub(crate) fn recover(&mut self) {
        let now = self.now;
        let weather = &mut self.weather;
        let inventory = self.cloud.observe(now, &self.app.spec, || {
            if weather.strikes(Class::Stale) { weather.dice(Class::Stale).below(STALE) } else { 0 }
        });
        let Some((plan, record)) = plan::put_back_plan(&self.app.spec, &inventory) else {
            self.note(|| "nothing to recover".to_owned());
            return;
        };
        let wants = match self.recovery {
            Some(recovery) => recovery == Recovery::GoOn,
            None => self.rng.one_in(2),
        };
        let goes_on = self.app.kind == Kind::Deploy && wants;
        let resumed = if goes_on { self.resume_plan(&inventory, &record) } else { None };
        let runner = self.runner(Some(record.release));
        let goes_back = resumed.is_none();
        let plan = Rc::new(resumed.unwrap_or(plan));
        let release = if goes_back {
            Release::put_back((*plan).clone(), runner.clone(), "asked".to_owned())
        } else {
            Release::resume((*plan).clone(), runner.clone())
        };
        if let Some(story) = self.stories.get_mut(&record.release).filter(|_| goes_back) {
            story.blame("somebody puts it back");
        }
        let machine = self.start(release, plan, &runner, true);
        self.machines[machine].goes_back = goes_back;
        let word = if goes_back { "puts back" } else { "goes on with" };
        self.note(|| format!("m{machine} {word} {}", runner.release));
        self.later(0, What::Tell(machine, Input::Start));
    }

    /// The plan of a release that was left, made anew from the same manifest. `None`: it is refused.
    fn resume_plan(&self, inventory: &Inventory, left: &LockRecord) -> Option<Plan> {
        let spec = &self.app.spec;
        let revision = self.stories.get(&left.release)?.revision;
        let mut inventory = plan::before(spec, inventory, left);
        self.cloud.look_up_served(spec, &mut inventory);
        let facts = Facts {
            spec,
            inventory: &inventory,
            artifacts: &self.app.artifacts(revision),
            outlines: &self.app.outlines(),
            alarms: &self.app.snapshot(self.now),
            only: None,
        };
        let (plan, _) = plan::resume_plan(facts, left);
        plan.filter(|plan| plan.fingerprint == left.plan && !plan.functions.is_empty())
    }

    // ---- life --------------------------------------------------------------------------------

    pub(crate) fn kill(&mut self, machine: usize, id: &'static str) {
        if !self.machines[machine].life.is_busy() {
            return;
        }
        self.counts.count(id);
        if self.machines[machine].is_recovering {
            self.counts.count("A4");
        }
        self.note(|| format!("m{machine} dies ({id})"));
        self.machines[machine].life = Life::Dead;
        self.machines[machine].inbox.clear();
        self.send_for_help();
    }

    /// Somebody will look after what a dead machine left, sooner or later, or nobody does.
    fn send_for_help(&mut self) {
        if self.script.is_scripted || self.weather.is_calm() {
            return;
        }
        for _ in 0..self.rng.below(3) {
            let ms = self.rng.below(400_000);
            self.expected += 1;
            self.later(ms, What::Recover);
        }
    }

    pub(crate) fn sleep(&mut self, machine: usize, span: u64) {
        if self.machines[machine].life != Life::Awake {
            return;
        }
        self.counts.count("A7");
        self.note(|| format!("m{machine} stands still for {span} ms"));
        self.machines[machine].life = Life::Asleep(self.now + span);
        self.machines[machine].is_doubtful = true;
        self.later(span, What::Wake(machine));
        if self.rng.one_in(2) {
            let ms = self.rng.below(span);
            self.expected += 1;
            self.later(ms, What::Recover);
        }
    }

    /// It is told everything at once, not always in the order in which it came.
    pub(crate) fn wake(&mut self, machine: usize) {
        if !matches!(self.machines[machine].life, Life::Asleep(_)) {
            return;
        }
        self.note(|| format!("m{machine} goes on"));
        self.machines[machine].life = Life::Awake;
        let one = &mut self.machines[machine];
        if one.is_behind_until == 0 && self.now - one.told_at > millis(limits::SUSPENDED) {
            // Before it has written any alias, nothing of it can land late.
            let epoch = one.proof.map(|(epoch, _)| epoch).filter(|_| one.has_written);
            one.regains = one.regains.max(epoch);
        }
        let mut inbox = std::mem::take(&mut self.machines[machine].inbox);
        if self.rng.one_in(2) {
            for place in (1..inbox.len()).rev() {
                let other = self.rng.index(place + 1);
                inbox.swap(place, other);
            }
        }
        for what in inbox {
            self.later(0, what);
        }
    }

    /// A snapshot of the machine is run beside it: the same state twice. Its connections are gone,
    /// and its clock may have stood still.
    pub(crate) fn fork(&mut self, machine: usize, gap: u64) {
        let original = &self.machines[machine];
        if original.life != Life::Awake {
            return;
        }
        let is_behind = self.rng.one_in(2);
        let copy = Machine {
            core: original.core.clone(),
            life: Life::Asleep(self.now + gap),
            owner: original.owner.clone(),
            plan: Rc::clone(&original.plan),
            offset: original.offset - if is_behind { gap.min(original.offset) } else { 0 },
            inbox: Vec::new(),
            outcome: None,
            is_behind_until: if is_behind { self.now + gap + 60_000 } else { 0 },
            is_doubtful: true,
            is_copy: true,
            owes: None,
            first_sent: original.first_sent.clone(),
            dies_at: None,
            ..*original
        };
        self.counts.count("A10");
        self.blame(machine, "a copy");
        self.machines[machine].is_doubtful = true;
        self.machines.push(copy);
        let copy = self.machines.len() - 1;
        self.note(|| format!("m{copy} is a copy of m{machine}, {gap} ms later"));
        // What the original waits for, the copy waits for too; nobody answers its calls.
        let failed = |id| {
            let fault = Fault { class: FaultClass::Passing, text: "connection reset".to_owned() };
            Input::Answer { id, answer: Answer::Failed(fault) }
        };
        let mut told = Vec::new();
        for (at, what) in self.waiting_for(machine) {
            match what {
                What::Tell(_, Input::Answer { id, .. }) => told.push((self.now + gap, failed(id))),
                What::Tell(_, input) | What::Heard(_, _, input) => {
                    told.push((at + if is_behind { gap } else { 0 }, input));
                }
                What::Publish(_, function, tries) => {
                    let lag = if is_behind { gap } else { 0 };
                    self.at(at + lag, What::Publish(copy, function, tries));
                }
                What::Arrive(call) => told.push((self.now + gap, failed(call.id))),
                What::Apply(
                    call,
                    _,
                    Deliver::After(_) | Deliver::Conflict(_) | Deliver::Failure(_),
                ) => {
                    told.push((self.now + gap, failed(call.id)));
                }
                _ => {}
            }
        }
        for (at, input) in told {
            self.at(at, What::Tell(copy, input));
        }
        self.later(gap, What::Wake(copy));
    }

    // ---- what it is told ---------------------------------------------------------------------

    pub(crate) fn tell(&mut self, machine: usize, input: Input) {
        match self.machines[machine].life {
            Life::Dead | Life::Over => return,
            Life::Asleep(_) => {
                self.machines[machine].inbox.push(What::Tell(machine, input));
                return;
            }
            Life::Awake => {}
        }
        self.note(|| format!("m{machine} told {input:?}"));
        if let Input::Prepared { function, result: Ok(prepared) } = &input {
            let version = prepared.version;
            let is_late = self.machines[machine].is_copy
                || !self.is_owner(machine)
                || self.story_of(machine).ended.is_some();
            if let Some(part) = self.story_of(machine).parts.get_mut(function) {
                // Who publishes after somebody else has, and owns nothing, may get another number.
                let known = part.candidate.filter(|_| is_late);
                part.candidate = Some(known.unwrap_or(version));
            }
        }
        let dies_at = self.machines[machine].dies_at;
        let is_last = matches!(&input, Input::Answer { id, .. } if Some(*id) == dies_at);
        let now = Mono(self.now + self.machines[machine].offset);
        self.machines[machine].told_at = self.now;
        let fresh = self.entropy.draw();
        let release = &mut self.machines[machine].core;
        // A copy shares what the machine knows, and not where randomness comes from.
        release.stir(fresh);
        let effects = match release.step(now, input) {
            Ok(effects) => effects,
            Err(illegal) => return self.law(false, "legal moves", || illegal.to_string()),
        };
        if is_last {
            return self.kill(machine, "A3");
        }
        let mut is_over = false;
        for effect in effects {
            let is_quiet = !matches!(effect, Effect::Call { .. });
            self.law(!is_over || is_quiet, "nothing after the end", || format!("{effect:?}"));
            is_over |= matches!(effect, Effect::Finish(_));
            self.perform(machine, effect);
        }
    }

    pub(crate) fn heard(&mut self, machine: usize, heard: Vec<Heard>, input: Input) {
        if matches!(self.machines[machine].life, Life::Asleep(_)) {
            self.machines[machine].inbox.push(What::Heard(machine, heard, input));
            return;
        }
        let now = self.now;
        for Heard { function, at, status } in heard {
            if status == AlarmStatus::Ok {
                self.story_of(machine).quieted.insert((machine, function.clone()));
            }
            if let Some(ghost) = self.ghosts.get_mut(&function) {
                ghost.heard.push((machine, at, now));
            }
        }
        self.tell(machine, input);
    }

    pub(crate) fn finished(&mut self, machine: usize, outcome: Outcome) {
        self.note(|| format!("m{machine} ends: {outcome:?}"));
        self.stir(word(&outcome));
        self.machines[machine].life = Life::Over;
        if let Outcome::NothingChanged { reason } = &outcome
            && (reason.contains("(tried for ") || reason.contains("within its time"))
        {
            self.blame(machine, reason);
        }
        self.judge_outcome(machine, &outcome);
        if matches!(outcome, Outcome::Busy { .. }) {
            self.counts.count("D1");
        }
        self.machines[machine].outcome = Some(outcome);
    }

    /// What machines say to people.
    pub(crate) fn said(&mut self, machine: usize, event: &Event) {
        self.note(|| format!("m{machine} says {event:?}"));
        let release = self.machines[machine].release;
        match event {
            Event::Aborting { culprit, reason } => {
                let Some(story) = self.stories.get_mut(&release) else { return };
                story.culprits.extend(culprit.clone());
                if reason.contains("(tried for ") || reason.contains("within its time") {
                    story.blame(reason);
                }
            }
            Event::Contested { function, .. } => self.judge_contest(machine, function),
            Event::Paused { function, .. } => self.answer_pause(machine, function),
            Event::Approved { function, .. } => {
                let now = self.now;
                if let Some(ghost) = self.ghosts.get_mut(function) {
                    ghost.approved.push(now);
                }
            }
            Event::Ordered { verb, function, by, .. } => {
                self.ordered(machine, *verb, function.as_ref(), by);
            }
            _ => {}
        }
    }

    /// A moment of a call at which the machine is to die.
    pub(crate) fn dies_now(&mut self, machine: usize, moment: Moment) -> bool {
        let number = self.machines[machine].calls;
        self.script.dies(machine, number, moment)
    }
}

/// The kind of an end.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::RolledBack { .. } => "rolled back",
        Outcome::NothingChanged { .. } => "nothing changed",
        Outcome::Busy { .. } => "busy",
        Outcome::Stuck { .. } => "stuck",
        Outcome::Frozen { .. } => "frozen",
        Outcome::Fenced { .. } => "fenced",
    }
}
