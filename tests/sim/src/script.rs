//! What is to happen at given calls of given machines: the exhaustive modes, and the deaths that a
//! seed draws.

use std::collections::BTreeMap;

/// A moment of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// It is not sent.
    Before,
    /// It is applied, and not answered.
    Unanswered,
    /// It is answered, and nothing follows from that.
    Answered,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Before, Self::Unanswered, Self::Answered];
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strike {
    /// 429.
    Throttled,
    /// 500, not applied.
    Broken,
    /// 500, applied.
    BrokenApplied,
    /// It does not arrive.
    LostRequest,
    /// It is applied; the answer does not arrive.
    LostAnswer,
    /// It is applied so many milliseconds later; the answer does not arrive.
    Delayed(u64),
    /// It is applied, and its second try is answered.
    Twice,
    /// A read shows what was, as long ago as a read may.
    Stale,
}

impl Strike {
    /// One of each kind.
    pub const ALL: [Self; 8] = [
        Self::Throttled,
        Self::Broken,
        Self::BrokenApplied,
        Self::LostRequest,
        Self::LostAnswer,
        Self::Delayed(100_000),
        Self::Twice,
        Self::Stale,
    ];
}

/// What is to happen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// The machine, its call counted from one, and when in it the machine dies.
    pub(crate) deaths: BTreeMap<usize, (u64, Moment)>,
    /// What goes wrong with calls of the first machine.
    pub(crate) strikes: BTreeMap<u64, Strike>,
    /// Nothing but this happens.
    pub(crate) is_scripted: bool,
    /// Nothing more happens.
    pub(crate) is_over: bool,
}

impl Script {
    pub(crate) fn dies(&self, machine: usize, call: u64, moment: Moment) -> bool {
        !self.is_over && self.deaths.get(&machine) == Some(&(call, moment))
    }

    pub(crate) fn strike(&self, machine: usize, call: u64) -> Option<Strike> {
        (machine == 0 && !self.is_over).then(|| self.strikes.get(&call).copied()).flatten()
    }
}
