//! Exhaustive modes on a small fixed app: a death at every moment of every call, all pairs of
//! them, every single fault at every call, and every pair of those.

use std::collections::BTreeMap;

use crate::app::App;
use crate::run::{Report, tell};
use crate::script::{Moment, Script, Strike};
use crate::weather::Weather;
use crate::world::World;

/// What whoever recovers wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// On from there.
    GoOn,
    /// Back.
    PutBack,
}

/// What became of one mode.
#[derive(Debug, Default)]
pub struct Tally {
    /// Stories told.
    pub told: u64,
    /// How they ended, by what the aliases serve: all new, all old.
    pub ends: BTreeMap<&'static str, u64>,
    /// What went wrong, with the script that did it.
    pub broken: Vec<String>,
}

impl Tally {
    fn add(&mut self, script: &str, report: &Report) {
        self.told += 1;
        let end = report.ends.iter().rev().find(|end| **end != "died").copied();
        *self.ends.entry(end.unwrap_or("died")).or_default() += 1;
        if let Some(broken) = &report.broken {
            self.broken.push(format!("{script}: {}: {}", broken.law, broken.about));
        }
    }
}

fn world(mut script: Script, recovery: Recovery) -> World {
    script.is_scripted = true;
    let mut world = World::with(1, App::small(), Weather::fair(), script);
    world.recovery = Some(recovery);
    world
}

/// How many calls a release makes that nobody disturbs.
pub fn calls() -> u64 {
    tell(world(Script::default(), Recovery::PutBack)).calls
}

/// A death at every moment of every call, and whoever recovers then wants each.
pub fn deaths() -> Tally {
    let mut tally = Tally::default();
    for (call, moment, recovery) in every_death(calls()) {
        let script = Script { deaths: [(0, (call, moment))].into(), ..Script::default() };
        let report = tell(world(script, recovery));
        tally.add(&format!("dies at {call} {moment:?}, {recovery:?}"), &report);
    }
    tally
}

fn every_death(calls: u64) -> impl Iterator<Item = (u64, Moment, Recovery)> {
    let recoveries = [Recovery::GoOn, Recovery::PutBack];
    let moments = (1..=calls).flat_map(|call| Moment::ALL.map(|moment| (call, moment)));
    moments.flat_map(move |(call, moment)| recoveries.map(|recovery| (call, moment, recovery)))
}

/// The first machine dies at one moment and whoever recovers at another: one in `every` of all
/// pairs, beginning with `first`.
pub fn pairs_of_deaths(first: u64, every: u64) -> Tally {
    let mut tally = Tally::default();
    let mut number = first;
    for (call, moment, recovery) in every_death(calls()) {
        for (second, then) in
            (1..=calls()).flat_map(|call| Moment::ALL.map(|moment| (call, moment)))
        {
            number += 1;
            if !number.is_multiple_of(every) {
                continue;
            }
            let deaths = [(0, (call, moment)), (1, (second, then))].into();
            let report = tell(world(Script { deaths, ..Script::default() }, recovery));
            let text = format!("dies at {call} {moment:?}, {recovery:?} dies at {second} {then:?}");
            tally.add(&text, &report);
        }
    }
    tally
}

/// Every kind of fault at every call.
pub fn faults() -> Tally {
    let mut tally = Tally::default();
    for call in 1..=calls() {
        for strike in Strike::ALL {
            let script = Script { strikes: [(call, strike)].into(), ..Script::default() };
            let report = tell(world(script, Recovery::PutBack));
            judge_fault(&mut tally, &format!("{strike:?} at {call}"), &report);
        }
    }
    tally
}

/// Every pair of faults: one in `every` of all, beginning with `first`.
pub fn pairs_of_faults(first: u64, every: u64) -> Tally {
    let mut tally = Tally::default();
    let mut number = first;
    let last = calls();
    for one in 1..=last {
        for other in one + 1..=last {
            for (a, b) in Strike::ALL.into_iter().flat_map(|a| Strike::ALL.map(|b| (a, b))) {
                number += 1;
                if !number.is_multiple_of(every) {
                    continue;
                }
                let strikes = [(one, a), (other, b)].into();
                let report =
                    tell(world(Script { strikes, ..Script::default() }, Recovery::PutBack));
                judge_fault(&mut tally, &format!("{a:?} at {one}, {b:?} at {other}"), &report);
            }
        }
    }
    tally
}

/// Faults of calls alone never put a release back.
fn judge_fault(tally: &mut Tally, script: &str, report: &Report) {
    tally.add(script, report);
    if report.broken.is_none() && report.ends != ["done"] {
        tally.broken.push(format!("{script}: ends {:?}", report.ends));
    }
}
