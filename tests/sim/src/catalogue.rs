//! The fault catalogue: which of its entries the simulation injects, how often it did, and where
//! the others are tested.

use std::collections::BTreeMap;
use std::fmt;

/// How often each entry of the catalogue was injected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// One more.
    pub fn count(&mut self, id: &'static str) {
        *self.0.entry(id).or_default() += 1;
    }

    /// All of another count.
    pub fn add(&mut self, other: &Self) {
        for (id, count) in &other.0 {
            *self.0.entry(id).or_default() += count;
        }
    }

    /// How often an entry was injected.
    pub fn of(&self, id: &str) -> u64 {
        self.0.get(id).copied().unwrap_or(0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, what) in INJECTED {
            writeln!(f, "{id:>4} {:>12}  {what}", self.of(id))?;
        }
        Ok(())
    }
}

/// What the simulation injects, by the ids of the reliability reference.
pub const INJECTED: &[(&str, &str)] = &[
    ("A1", "a machine dies before a call is sent"),
    ("A2", "a machine dies after a call was applied, before its answer"),
    ("A3", "a machine dies after the answer"),
    ("A4", "a recovering machine dies"),
    ("A6", "a machine vanishes without a word, at any moment"),
    ("A7", "a machine stands still for up to ten minutes, then is told everything at once"),
    ("A10", "a snapshot of a machine is run beside it"),
    ("B1", "429, single and for minutes"),
    ("B3", "500, not applied"),
    ("B4", "500, applied"),
    ("B6", "a request is lost"),
    ("B7", "an answer is lost"),
    ("B8", "a request is applied up to 400 s late"),
    ("B9", "the second try of an applied write is answered with 412"),
    ("B13", "access to an alias is denied in mid-release"),
    ("B15", "an alias is not there any more when it is written"),
    ("B16", "a read is up to 20 s old"),
    ("B22", "nothing works for up to an hour"),
    ("B23", "only reads work, or only writes"),
    ("B24", "alarms cannot be read, or are missing from an answer"),
    ("C1", "AWS's own weights after a change of version"),
    ("C2", "AWS's own weights never clear"),
    ("C8", "a version takes long to become active"),
    ("C9", "a version cannot be published"),
    ("C10", "a version is published, and the answer is lost"),
    ("C11", "publishing gives the version that is there already"),
    ("C12", "the same code goes out again after it was put back"),
    ("D1", "a second deploy of the same app"),
    ("D2", "a second person asks for the way back"),
    ("D3", "two machines want the lock in the same instant"),
    ("D4", "a person puts an alias back by hand"),
    ("D5", "a person sets a weight"),
    ("D6", "a person points an alias at a third version"),
    ("D7", "a person changes an alias and undoes it"),
    ("D8", "Terraform rewrites an alias"),
    ("D9", "a description is wiped"),
    ("D10", "an alias is rewritten without a change"),
    ("D14", "the lock alias is deleted"),
    ("D15", "a live alias is deleted"),
    ("E3", "a hook hangs"),
    ("E5", "a strategy answers nonsense"),
    ("E12", "an alarm is red before the release"),
    ("E13", "an alarm cannot tell"),
    ("E14", "an alarm flaps"),
    ("E20", "a gate fails after another function's passed"),
    ("E21", "a hook runs twice, for two owners"),
];

/// What does not apply to a simulation of the protocol, and where it is tested instead.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("A5", "signals: the tests of the binary"),
    ("A8 A9", "clocks of the operating system: the engine's clock and its tests"),
    ("A11 A12 A15 A16 A17 A18", "local files and terminals: the tests of recordings and reports"),
    ("A13 A14 A19", "limits of the operating system: the tests of the binary and of the planner"),
    ("A20", "a bug stops the machine: as A1"),
    (
        "B2 B5 B10 B11 B12 B14 B17 B18 B19 B20 B21",
        "wire and SDK: the tests of wavegate-aws and of the fault proxy",
    ),
    (
        "C3 C4 C5 C6 C7 C13 C14 C15 C16 C17 C18 C19 C20 C21 C22 C23 C24",
        "plan, publishing and data plane: the tests of core and engine",
    ),
    ("D11 D12 D13 D16 D17", "as D10 and D8, or refused at plan time: the tests of the planner"),
    ("E1 E2 E4 E6 E7 E8 E9 E10 E11", "plugins: the tests of the plugin host"),
    ("E15 E16 E17 E18 E19", "providers and hooks: the tests of the plugins"),
    (
        "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11",
        "manifest, archives, surfaces: the tests of config, package, report and local",
    ),
];
