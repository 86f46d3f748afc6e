//! Every fault at every call of a small release, one at a time.

use std::collections::BTreeMap;

use wavegate_tests::proxy::{Call, Deed, Fault};

use crate::bench::Prepared;
use crate::pair;
use crate::parallel;
use crate::sample::{Choice, Random, say};
use crate::shop;

/// Twelve seconds pass in a tenth of one.
const TIME_SCALE: f64 = 120.0;

/// How many cases a run tries beside one of each kind.
const EXTRA: usize = 24;

struct Case {
    call: Call,
    fault: Fault,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "call {} ({}): {:?}", self.call.index, self.call.name(), self.fault)
    }
}

/// How a release with one fault may end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Done,
    /// Refused at its first look, or gone back: only where AWS said "no" and meant it.
    Refused,
}

fn endure(prepared: &Prepared, case: &Case) -> End {
    let trial = prepared.copy();
    let (wanted, fault) = (case.call.clone(), case.fault);
    let mut is_over = false;
    trial.proxy.arm(move |call| {
        let is_it = if wanted.is_write() {
            call.name() == wanted.name()
        } else {
            call.index >= wanted.index && call.operation == wanted.operation
        };
        if !is_it || is_over {
            return Deed::pass();
        }
        is_over = true;
        fault.deed()
    });
    let ended = trial.deploy();
    let bent = trial.proxy.bent();
    trial.proxy.disarm();
    let told = format!("{ended}\n{bent:#?}");
    // Credentials that never worked are no weather; nothing is touched then.
    let is_first_look = !ended.events.iter().any(|event| event["event"] == "started");
    let said_no = match fault {
        Fault::Denied => true,
        Fault::ExpiredToken | Fault::Skewed => is_first_look,
        _ => false,
    };
    if ended.code == Some(0) && fault == Fault::Denied {
        // What was denied can only have been the way back of a description, after the release: its
        // user's words are in it still, behind the record's.
        for (function, alias) in shop::live(&trial.cloud.direct, &pair::FUNCTIONS) {
            assert_eq!((alias.version.as_str(), alias.extra.as_str()), ("2", ""), "{told}");
            assert!(alias.description.ends_with(&shop::description(&function)), "{alias:?}");
        }
        return End::Done;
    }
    if ended.code == Some(0) {
        pair::assert_ended(&trial, "2", "done", &told);
        return End::Done;
    }
    assert!(said_no, "nothing but the API failed, once\n{told}");
    assert!(matches!(ended.code, Some(1..=3)), "{told}");
    pair::assert_serve(&trial.cloud.direct, "1", &told);
    let status = trial.project.status();
    assert!(matches!(status.lock(), Some("done" | "rolled_back")), "{status:?}\n{told}");
    End::Refused
}

#[test]
fn every_single_fault_at_every_call_is_survived() {
    let prepared = pair::prepared(TIME_SCALE, "10s");
    let calls = {
        let trial = prepared.copy();
        trial.proxy.arm(|_| Deed::pass());
        let _ = trial.deploy().expect(0);
        trial.proxy.disarm().into_iter().map(|entry| entry.call).collect::<Vec<Call>>()
    };
    let all = || {
        let faults = |call: &Call| {
            let call = call.clone();
            Fault::ALL.map(|fault| Case { call: call.clone(), fault })
        };
        calls.iter().flat_map(faults).collect::<Vec<_>>()
    };
    let cases = match Choice::of_the_environment() {
        Choice::All => all(),
        Choice::Seed(seed) => some(all(), &mut Random::new(seed)),
    };
    say(&format!("{} calls; {} cases", calls.len(), cases.len()));
    let (ends, failures) = parallel::each(&cases, |case| endure(&prepared, case));
    let refused = ends.iter().filter(|end| **end == Some(End::Refused)).count();
    let done = ends.iter().filter(|end| **end == Some(End::Done)).count();
    say(&format!("{done} ended done, {refused} refused, {} wrongly", failures.len()));
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n\n"));
}

/// One case of each fault and operation, and some more.
fn some(all: Vec<Case>, random: &mut Random) -> Vec<Case> {
    let mut kinds: BTreeMap<(Fault, String), Vec<Case>> = BTreeMap::new();
    for case in all {
        kinds.entry((case.fault, case.call.operation.clone())).or_default().push(case);
    }
    let mut chosen = Vec::new();
    let mut rest = Vec::new();
    for (_, mut cases) in kinds {
        chosen.push(cases.swap_remove(random.below(cases.len())));
        rest.extend(cases);
    }
    for _ in 0..EXTRA.min(rest.len()) {
        chosen.push(rest.swap_remove(random.below(rest.len())));
    }
    chosen
}
