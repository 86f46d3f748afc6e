//! Everything that a machine asks for beside calls: versions, strategies, hooks, alarms, pruning.

use std::collections::BTreeSet;
use std::time::Duration;

use wavegate_core::name::{FunctionName, VersionId};
use wavegate_core::plan::AlarmStatus;
use wavegate_core::prune;
use wavegate_core::release::{
    AlarmSubject, Decision, Effect, HookPhase, Input, Object, Observation, Prepared, Reading,
};
use wavegate_core::spec::{IfAlreadyAlarming, Opaque};
use wavegate_core::weight::Weight;

use crate::app::code;
use crate::cloud::{Place, Role};
use crate::weather::Class;
use crate::world::{Call, Heard, What, World};

impl World {
    pub(crate) fn perform(&mut self, machine: usize, effect: Effect) {
        let offset = self.machines[machine].offset;
        match effect {
            Effect::Call { id, priority, object, op, send_by } => {
                let place = self.place(machine, &object);
                let send_by = send_by.map(|limit| limit.0.saturating_sub(offset));
                let made = self.now;
                self.call(Call { machine, id, place, op, priority, made, send_by });
            }
            Effect::Timer { id, at } => {
                let is_late = self.weather.strikes(Class::LateTimers);
                let late =
                    if is_late { self.weather.dice(Class::LateTimers).below(5_000) } else { 0 };
                let at = at.0.saturating_sub(offset) + late;
                self.at(at, What::Tell(machine, Input::Timer { id }));
            }
            Effect::Prepare { function } => {
                let ms = self.rng.between(500, 20_000);
                self.later(ms, What::Publish(machine, function, 0));
            }
            Effect::Decide { function, ask, observation, .. } => {
                self.decide(machine, function, ask, observation);
            }
            Effect::RunHook { function, phase, index, .. } => {
                self.run_hook(machine, function, phase, index);
            }
            Effect::ReadAlarms { ask, subjects } => self.read_alarms(machine, ask, &subjects),
            Effect::Prune { function, protected } => self.prune(machine, function, &protected),
            // No function of the model's apps is CodeDeploy's.
            Effect::Delegate { .. } | Effect::Halt { .. } => {}
            Effect::Report(event) => self.said(machine, &event),
            Effect::StopWork => self.machines[machine].is_stopped = true,
            Effect::Finish(outcome) => self.finished(machine, outcome),
        }
    }

    fn place(&self, machine: usize, object: &Object) -> Place {
        let plan = &self.machines[machine].plan;
        match object {
            Object::Lock => Place { function: plan.anchor_lambda_name.clone(), role: Role::Lock },
            Object::Live(name) => Place::live(name),
            Object::Pin(name) => Place::pin(name),
        }
    }

    /// One try to publish a function's version.
    pub(crate) fn publish(&mut self, machine: usize, function: &FunctionName, tries: u64) {
        if !self.machines[machine].life.is_busy() || self.machines[machine].is_stopped {
            return;
        }
        let release = self.machines[machine].release;
        let Some(part) = self.app.parts.get(function) else { return };
        let sha256 = match self.stories.get(&release) {
            Some(story) if !part.is_same => code(function, story.revision),
            _ => code(function, "stable"),
        };
        let is_same = part.is_same;
        if part.is_unpublishable && self.weather.strikes(Class::Publishing) {
            self.counts.count("C9");
            self.blame(machine, "publishing");
            let result = Err("access denied".to_owned());
            return self.later(
                0,
                What::Tell(machine, Input::Prepared { function: function.clone(), result }),
            );
        }
        if let Some((_, _, _, true)) =
            self.outage.filter(|(from, to, ..)| *from <= self.now && self.now < *to)
        {
            return self.later(20_000, What::Publish(machine, function.clone(), tries));
        }
        match self.cloud.publish(self.now, function, &sha256) {
            Ok(version) => {
                if is_same {
                    self.counts.count("C11");
                }
                self.published(machine, function, version, tries);
            }
            // Another update is under way.
            Err(_) => self.later(1_000, What::Publish(machine, function.clone(), tries + 1)),
        }
    }

    fn published(
        &mut self,
        machine: usize,
        function: &FunctionName,
        version: VersionId,
        tries: u64,
    ) {
        self.note(|| format!("m{machine} has {function} as {version}"));
        if version > VersionId(3) {
            self.counts.count("C12");
        }
        if tries < 3 && self.weather.strikes(Class::Publishing) {
            // Nobody heard of it: it is published again, and is the same.
            self.counts.count("C10");
            let ms = self.timeout_of_publishing();
            return self.later(ms, What::Publish(machine, function.clone(), tries + 1));
        }
        let mut ms = 1_100;
        if self.weather.strikes(Class::Publishing) {
            self.counts.count("C8");
            ms += self.weather.dice(Class::Publishing).below(240_000);
        }
        let result = Ok(Prepared { version, arn: format!("arn:{function}") });
        self.later(ms, What::Tell(machine, Input::Prepared { function: function.clone(), result }));
    }

    fn timeout_of_publishing(&mut self) -> u64 {
        self.weather.dice(Class::Publishing).between(5_000, 60_000)
    }

    /// A strategy climbs its outline, as those that ship do; or answers nonsense.
    fn decide(&mut self, machine: usize, function: FunctionName, ask: u64, seen: Observation) {
        if self.weather.strikes(Class::Nonsense) {
            self.counts.count("E5");
            self.blame(machine, "nonsense");
            // It asks nobody.
            self.story_of(machine).is_nonsensical = true;
            let dice = self.weather.dice(Class::Nonsense);
            let result = match dice.below(4) {
                0 => Err("it failed".to_owned()),
                1 => Ok(Decision::Shift(Weight::from_bp(9_999).unwrap_or(Weight::FULL))),
                2 => Ok(Decision::Shift(Weight::ZERO)),
                _ => Ok(Decision::Promote),
            };
            let ms = dice.below(120_000);
            let result = result.map(|decision| (decision, Opaque("?".to_owned())));
            return self.later(ms, What::Tell(machine, Input::Decided { function, ask, result }));
        }
        let ms = if self.rng.one_in(50) { 30_000 } else { 0 };
        let steps = &self.app.parts[&function].outline.steps;
        let bake = steps.iter().find(|step| step.weight == seen.weight).map(|step| step.bake_min);
        let bake = bake.unwrap_or_default();
        let decision = if seen.alarms_firing > 0 {
            Decision::Rollback("alarm".to_owned())
        } else if seen.weight > Weight::ZERO && seen.bake_elapsed < bake {
            Decision::Wait(bake.saturating_sub(seen.bake_elapsed))
        } else if self.app.pauses && seen.approvals == 0 {
            Decision::Pause("a person".to_owned())
        } else {
            let next = steps.iter().find(|step| step.weight > seen.weight);
            next.map_or(Decision::Promote, |step| Decision::Shift(step.weight))
        };
        let result = Ok((decision, Opaque("1".to_owned())));
        self.later(ms, What::Tell(machine, Input::Decided { function, ask, result }));
    }

    fn run_hook(&mut self, machine: usize, function: FunctionName, phase: HookPhase, index: usize) {
        let number = match phase {
            HookPhase::PreTraffic => 0,
            HookPhase::PostTraffic => 1,
            HookPhase::OnRollback => 2,
        };
        let fails = self.app.parts[&function].hook_fails[number] && !self.weather.is_calm();
        let hangs = self.weather.strikes(Class::Hooks);
        let ms = if hangs { 600_000 } else { self.rng.between(100, 20_000) };
        if fails || hangs {
            self.counts.count(if hangs { "E3" } else { "E20" });
            if phase != HookPhase::OnRollback {
                self.blame(machine, "a hook");
            }
        }
        if self.machines[machine].is_recovering {
            self.counts.count("E21");
        }
        let result = if fails || hangs { Err("no".to_owned()) } else { Ok(()) };
        self.later(ms, What::Tell(machine, Input::Hooked { function, phase, index, result }));
    }

    fn read_alarms(&mut self, machine: usize, ask: u64, subjects: &[AlarmSubject]) {
        let (ms, now) = (self.rng.between(50, 3_000), self.now);
        if self.weather.strikes(Class::Blind) {
            self.counts.count("B24");
            self.blame(machine, "blind");
            let result = Err("throttled".to_owned());
            return self.later(ms, What::Tell(machine, Input::Alarms { ask, result }));
        }
        let (mut readings, mut heard) = (Vec::new(), Vec::new());
        for subject in subjects {
            let function = subject.function.clone();
            if self.weather.strikes(Class::Partial) {
                self.counts.count("B24");
                self.blame(machine, "an alarm is missing from the answer");
                continue;
            }
            let status = self.app.alarm(&function, now);
            match status {
                AlarmStatus::Ok => {}
                AlarmStatus::Firing => self.counts.count("E14"),
                _ => self.counts.count("E13"),
            }
            if status != AlarmStatus::Ok {
                self.blame(machine, "an alarm");
            }
            if self.is_quiet(machine, &function, status) {
                heard.push(Heard { function: function.clone(), at: now, status });
            }
            let detail = String::new();
            readings.push(Reading { function, alarm: "errors".to_owned(), status, detail });
        }
        let input = Input::Alarms { ask, result: Ok(readings) };
        self.later(ms, What::Heard(machine, heard, input));
    }

    /// Whether an alarm that says this counts as quiet for a machine: one that was red before the
    /// release is excused until it has been quiet once.
    fn is_quiet(&mut self, machine: usize, function: &FunctionName, status: AlarmStatus) -> bool {
        if status == AlarmStatus::Ok {
            return true;
        }
        let plan = &self.machines[machine].plan;
        let planned = plan.functions.get(function).and_then(|f| f.alarms.first());
        let is_excused = planned.is_some_and(|alarm| {
            alarm.already_red && alarm.alarm.if_already_alarming == IfAlreadyAlarming::Ignore
        });
        if is_excused {
            self.counts.count("E12");
        }
        let story = self.stories.get(&self.machines[machine].release);
        is_excused
            && story.is_some_and(|story| !story.quieted.contains(&(machine, function.clone())))
    }

    /// Old versions go, as the engine deletes them.
    fn prune(&mut self, machine: usize, function: FunctionName, protected: &[VersionId]) {
        let versions = self.cloud.versions(&function);
        let aliases = self.cloud.aliases(&function);
        let keep = self.app.spec.keep_versions;
        let protected: BTreeSet<VersionId> = protected.iter().copied().collect();
        for version in prune::victims(&versions, &aliases, keep, &protected) {
            let release = self.machines[machine].release;
            let part = self.stories.get(&release).and_then(|s| s.parts.get(&function));
            let is_needed =
                part.is_some_and(|p| p.stable == Some(version) || p.candidate == Some(version));
            self.law(!is_needed, "I9", || format!("{function}: {version} is deleted"));
            // One that an alias names by now stays.
            let _ = self.cloud.delete_version(self.now, &function, version);
        }
        self.later(100, What::Tell(machine, Input::Pruned { function }));
    }

    // ---- causes ------------------------------------------------------------------------------

    /// Something that may put the machine's release back happened.
    pub(crate) fn blame(&mut self, machine: usize, cause: &str) {
        let release = self.machines[machine].release;
        if let Some(story) = self.stories.get_mut(&release) {
            story.blame(cause);
        }
    }

    /// Something that may put any release back happened.
    pub(crate) fn blame_all(&mut self, cause: &str) {
        for story in self.stories.values_mut() {
            story.blame(cause);
        }
    }
}

/// How long a weight is to be in force before anything goes up.
pub(crate) fn bake_of(outline: &wavegate_core::plan::Outline, weight: Weight) -> Duration {
    let step = outline.steps.iter().find(|step| step.weight == weight);
    step.map(|step| step.bake_min).unwrap_or_default()
}
