//! A rollout that is only played: one strategy, virtual time, and a [`Scenario`] of what goes wrong.
//!
//! Sans-I/O as the release machine is: [`Simulation::next`] says what to ask the strategy,
//! [`Simulation::answer`] takes what it said. It is fenced by the same [`crate::fence`], goes back
//! by itself where a release would, and asks again as often as a release does.
//!
//! Time is counted from the first question. Deliberately absent: the cloud. Writes take no time and
//! always land, and a weight is in force at once.

mod scenario;

use std::time::Duration;

pub use scenario::{FORMS, Scenario, Trouble, When, WrongScenario};

use crate::fence::{self, Breach};
use crate::plan::{AlarmStatus, Outline};
use crate::release::{Decision, Observation, limits};
use crate::spec::Opaque;
use crate::weight::Weight;

/// How long one pause is played that nobody ends, whatever the outline promises.
const PAUSE_MAX: Duration = Duration::from_hours(30 * 24);

/// A rollout that is played. See the module.
#[derive(Debug, Clone)]
pub struct Simulation {
    outline: Outline,
    scenario: Scenario,
    now: Duration,
    weight: Weight,
    in_force: Duration,
    /// When the candidate first took traffic.
    shifted: Option<Duration>,
    /// One alarm for each trouble of the scenario, in its order.
    alarms: Vec<Alarm>,
    approvals: u32,
    paused: Option<Pause>,
    blind_since: Option<Duration>,
    state: Option<Opaque>,
    decisions: u32,
    /// How many of them only went on with a pause.
    still_paused: u32,
    entries: Vec<Entry>,
    end: Option<End>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Ask the strategy; say what it said with [`Simulation::answer`] or [`Simulation::fail`].
    Ask {
        /// What it sees.
        seen: Observation,
        /// What it said to remember last time.
        state: Option<Opaque>,
    },
    /// It is over.
    Ended(Story),
}

/// A rollout that was played to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// What the strategy promised.
    pub outline: Outline,
    /// What was to go wrong.
    pub scenario: Scenario,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// How it ended.
    pub end: End,
    /// When, since the first question.
    pub took: Duration,
    /// How often the strategy was asked.
    pub decisions: u32,
    /// What the scenario had in store and the rollout never came to.
    pub unmet: Vec<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, since the first question.
    pub at: Duration,
    /// The weight in force after it.
    pub weight: Weight,
    /// What the alarms say.
    pub alarms: Alarms,
    /// What the strategy decided; `None`: the scenario or the release did something.
    pub decision: Option<Decision>,
    /// How often in a row it decided the same, with nothing between.
    pub times: u32,
    /// What the scenario or the release did, in words; may be empty beside a decision.
    pub note: String,
}

/// How many alarms say what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alarms {
    /// They are quiet.
    pub ok: u32,
    /// They fire.
    pub firing: u32,
    /// They cannot be told.
    pub unknown: u32,
}

/// How a rollout that was played ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The candidate has all traffic.
    Promoted,
    /// It was put back.
    RolledBack {
        /// Why.
        reason: String,
    },
    /// It pauses, and nobody will say "go on".
    Paused {
        /// For what.
        on: String,
    },
    /// The strategy decided outside its outline (WG335): a release goes back.
    BrokeOutline(Breach),
    /// The strategy goes on deciding beyond any limit.
    Endless,
    /// The strategy could not decide: a release goes back.
    Failed {
        /// Its words.
        reason: String,
    },
}

/// An alarm under a scenario's trouble.
#[derive(Debug, Clone)]
struct Alarm {
    trouble: Trouble,
    /// When the trouble begins, once that is known.
    from: Option<Duration>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    During,
    After,
}

/// A pause that a person was told about.
#[derive(Debug, Clone)]
struct Pause {
    on: String,
    since: Duration,
}

impl Simulation {
    /// A rollout of a strategy that promised `outline`.
    pub fn new(outline: Outline, scenario: Scenario) -> Self {
        let alarm = |trouble: &Trouble| Alarm {
            trouble: trouble.clone(),
            from: None,
            stage: Stage::Before,
        };
        Self {
            alarms: scenario.troubles.iter().map(alarm).collect(),
            outline,
            scenario,
            now: Duration::ZERO,
            weight: Weight::ZERO,
            in_force: Duration::ZERO,
            shifted: None,
            approvals: 0,
            paused: None,
            blind_since: None,
            state: None,
            decisions: 0,
            still_paused: 0,
            entries: Vec::new(),
            end: None,
        }
    }

    /// What to ask, or how it ended. Asked again without an answer, it says the same.
    pub fn next(&self) -> Next {
        let Some(end) = &self.end else {
            return Next::Ask { seen: self.observe(), state: self.state.clone() };
        };
        let unmet = self.alarms.iter().filter(|alarm| alarm.stage == Stage::Before);
        Next::Ended(Story {
            outline: self.outline.clone(),
            scenario: self.scenario.clone(),
            entries: self.entries.clone(),
            end: end.clone(),
            took: self.now,
            decisions: self.decisions,
            unmet: unmet.map(|alarm| alarm.trouble.to_string()).collect(),
        })
    }

    /// The strategy decided, and wants `state` to be remembered. After the end it changes nothing.
    pub fn answer(&mut self, decision: Decision, state: Opaque) {
        if self.end.is_some() {
            return;
        }
        self.decisions += 1;
        let seen = self.observe();
        let goes_up = matches!(decision, Decision::Shift(_) | Decision::Promote);
        self.note_pause(&decision);
        if seen.alarms_firing > 0 && !matches!(decision, Decision::Rollback(_)) {
            return self.overrule(decision, "an alarm fires");
        }
        if let Err(breach) = fence::judge(&self.outline, &seen, &decision) {
            self.tell(Some(decision), "not followed: outside its outline (WG335)");
            return self.go_back("the strategy broke its promise", End::BrokeOutline(breach));
        }
        let holds = fence::holds_blind(&self.outline, &seen, &decision);
        if !(goes_up && holds) {
            self.state = Some(state);
        }
        if holds {
            self.hold_blind(decision);
        } else {
            self.blind_since = None;
            self.follow(decision, fence::patience(&self.outline, &seen));
        }
        if self.end.is_none() && self.decisions - self.still_paused >= limits::DECISIONS {
            self.go_back("the strategy never comes to an end", End::Endless);
        }
    }

    /// The strategy could not decide.
    pub fn fail(&mut self, reason: String) {
        if self.end.is_none() {
            self.go_back("the strategy cannot decide", End::Failed { reason });
        }
    }

    /// A pause ends with the first other decision. One that goes on is no new decision.
    fn note_pause(&mut self, decision: &Decision) {
        let paused = self.paused.as_ref().map(|pause| &pause.on);
        match decision {
            Decision::Pause(on) if paused == Some(on) => self.still_paused += 1,
            Decision::Pause(_) => {}
            _ => self.paused = None,
        }
    }

    fn follow(&mut self, decision: Decision, patience: Duration) {
        match &decision {
            Decision::Rollback(reason) => {
                let reason = reason.clone();
                self.weight = Weight::ZERO;
                self.tell(Some(decision), "");
                self.end(End::RolledBack { reason });
            }
            Decision::Wait(span) => {
                let span = (*span).min(patience).clamp(limits::WAIT_MIN, limits::WAIT_MAX);
                self.tell(Some(decision), "");
                self.pass(self.now + span);
            }
            Decision::Pause(on) => {
                let on = on.clone();
                self.tell(Some(decision), "");
                self.pause(on);
            }
            Decision::Promote | Decision::Shift(Weight::FULL) => {
                self.weight = Weight::FULL;
                self.tell(Some(decision), "");
                self.end(End::Promoted);
            }
            Decision::Shift(weight) => {
                self.weight = *weight;
                self.tell(Some(decision), "");
                self.shift();
            }
        }
    }

    /// A weight has come into force: what waits for it begins.
    fn shift(&mut self) {
        self.in_force = self.now;
        self.approvals = 0;
        let shifted = *self.shifted.get_or_insert(self.now);
        for alarm in self.alarms.iter_mut().filter(|alarm| alarm.from.is_none()) {
            alarm.from = match alarm.trouble.when {
                When::After(span) => Some(shifted.saturating_add(span)),
                When::Weight(weight) => (self.weight >= weight).then_some(self.now),
            };
        }
        self.pass(self.now);
    }

    /// Asked again after a while, or when a person has said "go on", if one ever does.
    fn pause(&mut self, on: String) {
        let since = match &self.paused {
            Some(paused) if paused.on == on => paused.since,
            _ => self.now,
        };
        let approved = self.scenario.approves_after.map(|span| since.saturating_add(span));
        let patience = self.outline.longest.saturating_add(limits::WAIT_MAX).min(PAUSE_MAX);
        if approved.is_none() && self.now.saturating_sub(since) > patience {
            return self.end(End::Paused { on });
        }
        self.paused = Some(Pause { on, since });
        let again = self.now + limits::POLL;
        self.pass(approved.map_or(again, |at| at.min(again)));
        if approved.is_some_and(|at| at <= self.now) {
            self.paused = None;
            self.approvals += 1;
            self.tell(None, "a person says: go on");
        }
    }

    /// Nothing goes up while an alarm cannot be told, and not for ever.
    fn hold_blind(&mut self, decision: Decision) {
        let since = *self.blind_since.get_or_insert(self.now);
        if self.now.saturating_sub(since) > limits::BLIND {
            let span = crate::time::human(limits::BLIND);
            return self.overrule(decision, &format!("an alarm could not tell for {span}"));
        }
        self.tell(Some(decision), "held: an alarm cannot tell");
        self.pass(self.now + limits::POLL);
    }

    /// What the strategy decided does not count.
    fn overrule(&mut self, decision: Decision, why: &str) {
        self.tell(Some(decision), "not followed");
        self.go_back(why, End::RolledBack { reason: why.to_owned() });
    }

    /// The release goes back by itself.
    fn go_back(&mut self, why: &str, end: End) {
        self.weight = Weight::ZERO;
        self.tell(None, &format!("the release goes back by itself: {why}"));
        self.end(end);
    }

    /// Lets time pass, up to a moment or to the first alarm that fires: then the strategy is asked
    /// at once.
    fn pass(&mut self, to: Duration) {
        let turn = |(at, alarm): (usize, &Alarm)| alarm.turns().map(|turns| (turns, at));
        while let Some((turns, at)) = self.alarms.iter().enumerate().filter_map(turn).min()
            && turns <= to
        {
            self.now = self.now.max(turns);
            let alarm = &mut self.alarms[at];
            let note = alarm.turn();
            let fires = alarm.status() == AlarmStatus::Firing;
            self.tell(None, &note);
            if fires {
                return;
            }
        }
        self.now = self.now.max(to);
    }

    fn observe(&self) -> Observation {
        let alarms = self.read();
        Observation {
            weight: self.weight,
            bake_elapsed: self.now.saturating_sub(self.in_force),
            rollout_elapsed: self.shifted.map(|at| self.now.saturating_sub(at)).unwrap_or_default(),
            alarms_ok: alarms.ok,
            alarms_firing: alarms.firing,
            alarms_unknown: alarms.unknown,
            approvals: self.approvals,
        }
    }

    /// A scenario without trouble has one alarm, and it is quiet.
    fn read(&self) -> Alarms {
        let mut alarms = Alarms { ok: u32::from(self.alarms.is_empty()), ..Alarms::default() };
        for alarm in &self.alarms {
            match alarm.status() {
                AlarmStatus::Firing => alarms.firing += 1,
                AlarmStatus::Ok => alarms.ok += 1,
                AlarmStatus::Unknown | AlarmStatus::Missing => alarms.unknown += 1,
            }
        }
        alarms
    }

    fn tell(&mut self, decision: Option<Decision>, note: &str) {
        let (weight, alarms) = (self.weight, self.read());
        let note = note.to_owned();
        if let Some(last) = self.entries.last_mut()
            && decision.is_some()
            && (&last.decision, &last.note) == (&decision, &note)
            && (last.weight, last.alarms) == (weight, alarms)
        {
            last.times += 1;
            return;
        }
        self.entries.push(Entry { at: self.now, weight, alarms, decision, times: 1, note });
    }

    fn end(&mut self, end: End) {
        self.end = Some(end);
    }
}

impl Alarm {
    /// When it next changes what it says, as far as that is known.
    fn turns(&self) -> Option<Duration> {
        match self.stage {
            Stage::Before => self.from,
            Stage::During => self.from?.checked_add(self.trouble.lasts?),
            Stage::After => None,
        }
    }

    /// It changes what it says; in words.
    fn turn(&mut self) -> String {
        let word = self.trouble.to_string();
        self.stage = match self.stage {
            Stage::Before => Stage::During,
            Stage::During | Stage::After => Stage::After,
        };
        match self.status() {
            AlarmStatus::Firing => format!("{word}: the alarm fires"),
            AlarmStatus::Ok => format!("{word}: the alarm is quiet again"),
            AlarmStatus::Unknown | AlarmStatus::Missing => format!("{word}: the alarm cannot tell"),
        }
    }

    fn status(&self) -> AlarmStatus {
        match self.stage {
            Stage::During => self.trouble.status,
            Stage::Before | Stage::After => AlarmStatus::Ok,
        }
    }
}

#[cfg(test)]
mod tests;
