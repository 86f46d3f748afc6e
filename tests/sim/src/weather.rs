//! The weather of one seed: which classes of faults exist in it, and how often each strikes.
//!
//! Swarm testing: each class is on in about half of the seeds, at a rate of its own. Every class
//! draws from its own source, so that a shrunk seed keeps the rest of its story.

use std::collections::{BTreeMap, BTreeSet};

use crate::rng::Rng;

/// A class of faults, switched on and off as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 429.
    Throttle,
    /// 429 for minutes.
    Burst,
    /// More than so many calls in a second are answered with 429.
    Quota,
    /// 500, not applied.
    Broken,
    /// 500, applied.
    BrokenApplied,
    /// The request does not arrive.
    LostRequest,
    /// The answer does not arrive.
    LostAnswer,
    /// Applied long after it was given up.
    Delayed,
    /// The second try of an applied write is answered with 412.
    Twice,
    /// A read shows what was.
    Stale,
    /// Answers that take seconds.
    Slow,
    /// Calls that wait for their turn.
    Queued,
    /// Timers that fire late.
    LateTimers,
    /// Alarms that cannot be read.
    Blind,
    /// Alarms that are missing from an answer.
    Partial,
    /// AWS's own weights after a change of version.
    Transient,
    /// AWS's own weights that never clear.
    Lasting,
    /// One alias may not be written any more.
    Denied,
    /// Nothing works for a while, or only reads, or only writes.
    Outage,
    /// A machine stands still.
    Suspension,
    /// A machine dies.
    Crash,
    /// A machine runs twice from one snapshot.
    Clone,
    /// Somebody runs `recover` while the release's machine lives.
    Meddling,
    /// A second deploy of the same app.
    Rival,
    /// Somebody changes live aliases.
    Hands,
    /// Somebody deletes the lock or a pin alias.
    Vandal,
    /// A person wants it to go back.
    Abort,
    /// People ask for things through the lock alias.
    Asked,
    /// People pause, resume and hurry a release on its own terminal.
    Orders,
    /// Strategies pause for people.
    Pauses,
    /// Versions cannot be published, or late.
    Publishing,
    /// Hooks fail or hang.
    Hooks,
    /// Alarms fire, flap, or cannot tell.
    Alarms,
    /// Strategies answer nonsense, fail or hang.
    Nonsense,
}

use Class as C;

/// Every class, with the most per mille it may strike with. For what happens once in a release, the
/// chance that it does.
const CLASSES: &[(Class, &str, u64)] = &[
    (C::Throttle, "throttle", 250),
    (C::Burst, "burst", 1000),
    (C::Quota, "quota", 1000),
    (C::Broken, "broken", 150),
    (C::BrokenApplied, "broken-applied", 150),
    (C::LostRequest, "lost-request", 100),
    (C::LostAnswer, "lost-answer", 150),
    (C::Delayed, "delayed", 100),
    (C::Twice, "twice", 100),
    (C::Stale, "stale", 500),
    (C::Slow, "slow", 200),
    (C::Queued, "queued", 150),
    (C::LateTimers, "late-timers", 100),
    (C::Blind, "blind", 200),
    (C::Partial, "partial", 200),
    (C::Transient, "transient", 1000),
    (C::Lasting, "lasting", 100),
    (C::Denied, "denied", 250),
    (C::Outage, "outage", 300),
    (C::Suspension, "suspension", 600),
    (C::Crash, "crash", 800),
    (C::Clone, "clone", 300),
    (C::Meddling, "meddling", 300),
    (C::Rival, "rival", 400),
    (C::Hands, "hands", 700),
    (C::Vandal, "vandal", 200),
    (C::Abort, "abort", 700),
    (C::Asked, "asked", 600),
    (C::Orders, "orders", 600),
    (C::Pauses, "pauses", 500),
    (C::Publishing, "publishing", 120),
    (C::Hooks, "hooks", 100),
    (C::Alarms, "alarms", 250),
    (C::Nonsense, "nonsense", 20),
];

const _: () = {
    let mut place = 0;
    while place < CLASSES.len() {
        assert!(CLASSES[place].0 as usize == place);
        place += 1;
    }
};

impl Class {
    /// Every class.
    pub fn all() -> impl Iterator<Item = Self> {
        CLASSES.iter().map(|(class, ..)| *class)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        CLASSES[self.place()].1
    }

    /// The class of that name.
    pub fn named(name: &str) -> Option<Self> {
        CLASSES.iter().find(|(_, word, _)| *word == name).map(|(class, ..)| *class)
    }

    fn place(self) -> usize {
        self as usize // The table has the order of the enum: see the assertion below it.
    }

    fn purpose(self) -> u64 {
        1_000 + u64::try_from(self.place()).unwrap_or(0)
    }
}

/// What is different from the seed's own weather: how a failing seed is shrunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knobs {
    /// Classes that do not exist.
    pub without: BTreeSet<Class>,
    /// Classes whose rate is halved, and how often.
    pub halved: BTreeMap<Class, u32>,
    /// The most functions that the app may have.
    pub functions: Option<usize>,
}

/// The weather.
#[derive(Debug)]
pub struct Weather {
    rates: Vec<u64>,
    dice: Vec<Rng>,
    is_calm: bool,
}

impl Weather {
    /// The weather of a seed.
    pub fn of(seed: u64, knobs: &Knobs) -> Self {
        let is_fair = Rng::of(seed, 1).one_in(8);
        let rate = |(class, _, most): &(Class, &str, u64)| {
            let mut rng = Rng::of(seed, class.purpose() + 10_000);
            let rate = if rng.one_in(2) || is_fair { 0 } else { rng.below(*most) };
            let halved = knobs.halved.get(class).copied().unwrap_or(0);
            if knobs.without.contains(class) { 0 } else { rate >> halved }
        };
        Self {
            rates: CLASSES.iter().map(rate).collect(),
            dice: CLASSES.iter().map(|(class, ..)| Rng::of(seed, class.purpose())).collect(),
            is_calm: false,
        }
    }

    /// No weather at all.
    pub fn fair() -> Self {
        Self {
            rates: CLASSES.iter().map(|_| 0).collect(),
            dice: CLASSES.iter().map(|(class, ..)| Rng::of(0, class.purpose())).collect(),
            is_calm: false,
        }
    }

    /// Whether a class strikes this time.
    pub fn strikes(&mut self, class: Class) -> bool {
        let place = class.place();
        self.rates[place] > 0 && !self.is_calm && self.dice[place].chance(self.rates[place])
    }

    /// The class's own source.
    pub fn dice(&mut self, class: Class) -> &mut Rng {
        &mut self.dice[class.place()]
    }

    /// Nothing strikes any more.
    pub fn calm_down(&mut self) {
        self.is_calm = true;
    }

    /// Whether nothing strikes any more.
    pub fn is_calm(&self) -> bool {
        self.is_calm
    }

    /// The classes that this seed has.
    pub fn present(&self) -> impl Iterator<Item = Class> {
        CLASSES
            .iter()
            .zip(&self.rates)
            .filter(|(_, rate)| **rate > 0)
            .map(|((class, ..), _)| *class)
    }
}
