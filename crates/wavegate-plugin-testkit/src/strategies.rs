//! The laws of strategies.
//!
//! A rollout is played with random alarms, times and approvals; what the strategy answered is then
//! judged by one law at a time. What judges a single decision is the SDK's, shared with the tests of
//! the strategies that ship with wavegate.

mod healthy;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_oneof};
use proptest::strategy::Strategy;
use serde_json::Value;
use wavegate_plugin_host::HostError;
use wavegate_plugin_protocol::{Decision, Observation, Outline, WeightBp};
use wavegate_plugin_sdk::laws::{self, Rollout, Turn, Waits};

use crate::bench::{Bench, is_breakdown};
use crate::configs::{Configs, NO_CONFIG, Under};
use crate::report::{Breach, Report, Unheld, Verdict};
use healthy::OfPauses;

const OUTLINE: &str = "its outline climbs, and its times add up";
const TOTAL: &str = "whatever it sees, it decides";
const SAME: &str = "the same question gets the same answer";
const RESUMED: &str = "a rollout goes on in a new process as it would have in the old one";
const ENDS: &str = "a healthy rollout is promoted within the time of its outline";
const APPROVED: &str = "a pause ends when a person says go on";
const STEADY: &str = "a pause says the same as long as it lasts";

/// What judges one decision.
type Judge = fn(&Decision, &Observation, &Outline) -> Result<(), String>;

/// The laws that are about one decision each.
const DECISIONS: [(&str, Judge); 5] = [
    ("while an alarm fires it goes back or pauses", |decision, seen, _| {
        laws::never_up_while_firing(decision, seen)
    }),
    ("an alarm that cannot be told is never taken for quiet", |decision, seen, _| {
        laws::never_up_on_unknown(decision, seen)
    }),
    ("its weights are those of its outline, in order", laws::stays_inside),
    ("a weight is kept for as long as its outline says", laws::bakes_first),
    ("a wait takes some time", |decision, seen, _| laws::never_waits_for_nothing(decision, seen)),
];

/// How many steps an outline of a made-up config may have: each law walks through all of them.
const STEPS_MAX: usize = 200;

/// Tries all of them.
pub(crate) async fn laws(under: &Under, configs: Configs, report: &mut Report) {
    let title = under.title();
    let mut found = Vec::new();
    let verdict = under.holds(async {
        let (legal, verdict) = courses(under, configs).await;
        found = legal;
        verdict
    });
    report.add(OUTLINE, Some(&title), verdict.await);
    let stand = Arc::new(Stand { under: under.clone(), courses: found, failed: Mutex::default() });
    if stand.courses.is_empty() {
        let rest = DECISIONS.iter().map(|(law, _)| *law);
        for law in [TOTAL, SAME, RESUMED, ENDS, APPROVED, STEADY].into_iter().chain(rest) {
            let why = "there is no config with a legal outline to try it with";
            let verdict = under.holds(async { Err(Unheld::skipped(why)) }).await;
            report.add(law, Some(&title), verdict);
        }
        return;
    }
    let total = under.holds(total(&stand)).await;
    let is_total = total.is_ok();
    report.add(TOTAL, Some(&title), total);
    let mut add = |law, verdict: Verdict| {
        report.add(law, Some(&title), stand.told(verdict, is_total));
    };
    for (law, judge) in DECISIONS {
        add(law, under.holds(decisions(&stand, law, judge)).await);
    }
    add(SAME, under.holds(same(&stand)).await);
    add(RESUMED, under.holds(resumed(&stand)).await);
    let ends = under.holds(healthy::ends(&stand)).await;
    let is_endless = matches!(ends, Err(Unheld::Broken(_)));
    add(ENDS, ends);
    for (law, of_pauses) in [(APPROVED, OfPauses::Approved), (STEADY, OfPauses::Steady)] {
        let trying = async {
            if is_endless {
                return Err(Unheld::skipped("a healthy rollout does not end as it should"));
            }
            healthy::at_pauses(&stand, of_pauses).await
        };
        add(law, under.holds(trying).await);
    }
}

/// A config, and what the strategy promises with it.
#[derive(Debug, Clone)]
struct Course {
    config: Value,
    outline: Outline,
}

/// The courses with a legal outline, and whether all are.
async fn courses(under: &Under, configs: Configs) -> (Vec<Course>, Verdict) {
    let written = configs.written.len();
    let mut courses = Vec::new();
    let mut verdict = Ok(0);
    for (place, config) in configs.written.into_iter().chain(configs.made_up).enumerate() {
        let outline = under.bench.outline(&under.component.id, &config).await;
        let outline = outline.map_err(|error| error.to_string());
        match outline.and_then(|outline| laws::outline_is_legal(&outline).map(|()| outline)) {
            Ok(outline) => {
                verdict = verdict.map(|cases| cases + 1);
                if place < written || outline.steps.len() <= STEPS_MAX {
                    courses.push(Course { config, outline });
                }
            }
            Err(words) if verdict.is_ok() => {
                verdict = Err(Breach::new(words).with_config(&config).into());
            }
            Err(_) => {}
        }
    }
    if matches!(verdict, Ok(0)) {
        verdict = Err(Unheld::skipped(NO_CONFIG));
    }
    (courses, verdict)
}

/// Where the laws are tried.
#[derive(Debug)]
struct Stand {
    under: Under,
    courses: Vec<Course>,
    /// How the strategy broke down in the law that is tried.
    failed: Mutex<Option<String>>,
}

impl Stand {
    fn bench(&self) -> &Arc<Bench> {
        &self.under.bench
    }

    async fn decide(
        &self,
        bench: &Bench,
        course: &Course,
        state: &Value,
        seen: Observation,
    ) -> Result<(Decision, Value), HostError> {
        let decided = bench.decide(&self.under.component.id, &course.config, state, seen).await;
        if let Some(error) = decided.as_ref().err().filter(|error| is_breakdown(error)) {
            *self.failed() = Some(error.to_string());
        }
        decided
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A law about what is decided says nothing of a strategy that breaks down: that is a law of its
    /// own, and told there.
    fn told(&self, verdict: Verdict, is_total: bool) -> Verdict {
        match (verdict, self.failed().take()) {
            (Ok(_) | Err(Unheld::Skipped(_)), Some(error)) if is_total => {
                Err(Unheld::broken(error))
            }
            (Ok(_) | Err(Unheld::Skipped(_)), Some(error)) => {
                Err(Unheld::skipped(format!("it gave no answer: {error}")))
            }
            (verdict, _) => verdict,
        }
    }

    /// A random rollout: which course, and what happens.
    fn rollouts(&self) -> impl Strategy<Value = (usize, Vec<Move>)> + use<> {
        // What comes first is made shorter first: few moves break a law with the first config, too,
        // and that one was written by a person.
        (vec(moves(), 0..40), 0..self.courses.len()).prop_map(|(moves, course)| (course, moves))
    }

    /// Plays a rollout until it ends, or nothing more happens.
    async fn play(&self, course: usize, moves: &[Move]) -> Played<'_> {
        let course = &self.courses[course];
        let mut played = Played { course, asked: Vec::new(), error: None };
        if self.failed().is_some() {
            // It takes seconds to find out again.
            return played;
        }
        let mut rollout = Rollout::default();
        let mut state = Value::Null;
        for Move { turn, waits } in moves {
            let seen = rollout.sees(*turn);
            let (decision, next) = match self.decide(self.bench(), course, &state, seen).await {
                Ok(decided) => decided,
                Err(error) => {
                    played.error = Some((seen, error));
                    break;
                }
            };
            let goes_on = rollout.decided(&decision, Some(*turn), *waits);
            let state = std::mem::replace(&mut state, next.clone());
            played.asked.push(Asked { state, seen, decision, next });
            if !goes_on {
                break;
            }
        }
        played
    }
}

/// What happens at one question, and until the next.
#[derive(Debug, Clone, Copy)]
struct Move {
    turn: Turn,
    waits: Waits,
}

fn moves() -> impl Strategy<Value = Move> {
    let alarms = || prop_oneof![9 => Just(0_u32), 1 => 1..4_u32];
    let passes = prop_oneof![0..1_000_u64, 0..900_000_u64, 0..90_000_000_u64];
    (alarms(), alarms(), passes, any::<bool>(), any::<bool>()).prop_map(
        |(firing, unknown, passes_ms, approves, is_late)| Move {
            turn: Turn { firing, unknown, passes_ms, approves },
            waits: if is_late { Waits::Traced } else { Waits::Kept },
        },
    )
}

/// What no healthy host would say, and must be answered all the same.
fn oddities() -> impl Strategy<Value = Observation> {
    let time = || prop_oneof![Just(0), Just(u64::MAX), any::<u64>()];
    let count = || prop_oneof![Just(0), Just(u32::MAX), any::<u32>()];
    let weight = (0..=WeightBp::FULL.get()).prop_map(|bp| WeightBp::new(bp).unwrap_or_default());
    (weight, time(), time(), count(), count(), count(), count()).prop_map(
        |(weight_bp, baked, shifting, firing, unknown, ok, approvals)| Observation {
            weight_bp,
            bake_elapsed_ms: baked,
            rollout_elapsed_ms: shifting,
            alarms_firing: firing,
            alarms_unknown: unknown,
            alarms_ok: ok,
            approvals,
        },
    )
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    state: Value,
    seen: Observation,
    decision: Decision,
    next: Value,
}

/// How a rollout went.
#[derive(Debug)]
struct Played<'a> {
    course: &'a Course,
    asked: Vec<Asked>,
    error: Option<(Observation, HostError)>,
}

impl Played<'_> {
    /// A breach at the last question that was asked.
    fn breach(&self, words: impl Into<String>) -> Breach {
        self.breach_at(self.asked.len(), words)
    }

    /// A breach after so many questions.
    fn breach_at(&self, asked: usize, words: impl Into<String>) -> Breach {
        breach(self.course, &self.asked[..asked], words)
    }
}

fn breach(course: &Course, asked: &[Asked], words: impl Into<String>) -> Breach {
    let trace = asked.iter().map(|asked| told(&asked.seen, &asked.decision)).collect();
    Breach::new(words).with_config(&course.config).with_trace(trace)
}

/// A question and its answer in one line.
fn told(seen: &Observation, decision: &Decision) -> String {
    let decision = match decision {
        Decision::Shift { weight_bp } => format!("shift to {weight_bp}"),
        Decision::Wait { millis } => format!("wait {millis} ms"),
        Decision::Pause { reason } => format!("pause ({reason})"),
        Decision::Promote => "promote".to_owned(),
        Decision::Rollback { reason } => format!("roll back ({reason})"),
        other => format!("{other:?}"),
    };
    format!("{}: {decision}", situation(seen))
}

fn situation(seen: &Observation) -> String {
    let mut words = format!("at {} for {} ms", seen.weight_bp, seen.bake_elapsed_ms);
    for (count, what) in [
        (seen.alarms_firing, "firing"),
        (seen.alarms_unknown, "unknown"),
        (seen.approvals, "approvals"),
    ] {
        if count > 0 {
            let _ = write!(words, ", {count} {what}");
        }
    }
    words
}

/// It answers in every rollout, and whatever odd things it is shown then.
async fn total(stand: &Arc<Stand>) -> Verdict {
    let rollouts = stand.rollouts();
    let tried = Arc::clone(stand);
    let make = move || (rollouts, vec(oddities(), 0..4));
    let verdict = stand.under.random(TOTAL, make, move |((course, moves), oddities)| {
        let stand = Arc::clone(&tried);
        async move {
            // Each case on its own: the last one's breakdown is not this one's.
            stand.failed().take();
            let played = stand.play(course, &moves).await;
            if let Some((seen, error)) = &played.error {
                return Err(played.breach(format!("{}: {error}", situation(seen))));
            }
            let reached = played.asked.last().map_or(&Value::Null, |asked| &asked.next);
            for (state, seen) in
                oddities.into_iter().flat_map(|seen| [(&Value::Null, seen), (reached, seen)])
            {
                if let Err(error) = stand.decide(stand.bench(), played.course, state, seen).await {
                    return Err(played.breach(format!("{seen:?}: {error}")));
                }
            }
            Ok(())
        }
    });
    let verdict = verdict.await;
    stand.failed().take();
    verdict
}

/// Every decision of every rollout passes the judge.
async fn decisions(stand: &Arc<Stand>, law: &str, judge: Judge) -> Verdict {
    let (under, rollouts, stand) = (&stand.under, stand.rollouts(), Arc::clone(stand));
    let judged = move |(course, moves): (usize, Vec<Move>)| {
        let stand = Arc::clone(&stand);
        async move {
            let played = stand.play(course, &moves).await;
            let outline = &played.course.outline;
            for (place, Asked { seen, decision, .. }) in played.asked.iter().enumerate() {
                judge(decision, seen, outline)
                    .map_err(|words| played.breach_at(place + 1, words))?;
            }
            Ok(())
        }
    };
    under.random(law, || rollouts, judged).await
}

/// Asked a second time at once, it says the same.
async fn same(stand: &Arc<Stand>) -> Verdict {
    let (under, rollouts, stand) = (&stand.under, stand.rollouts(), Arc::clone(stand));
    let asked_twice = move |(course, moves): (usize, Vec<Move>)| {
        let stand = Arc::clone(&stand);
        async move {
            let mut played = stand.play(course, &moves).await;
            let mut asked = std::mem::take(&mut played.asked);
            for (place, first) in asked.iter().enumerate() {
                let answers = [
                    stand.decide(stand.bench(), played.course, &first.state, first.seen).await,
                    stand.decide(stand.bench(), played.course, &first.state, first.seen).await,
                ];
                let [Ok(one), Ok(other)] = answers else { break };
                if one != other {
                    let words = format!("asked twice, it says {one:?}, then {other:?}");
                    asked.truncate(place);
                    return Err(breach(played.course, &asked, words));
                }
            }
            Ok(())
        }
    };
    under.random(SAME, || rollouts, asked_twice).await
}

/// Asked the same by another process, to which the state came as a text and which has not seen what
/// went before, it says the same.
async fn resumed(stand: &Arc<Stand>) -> Verdict {
    let another = stand.bench().another().await;
    let another = another.map_err(|error| Unheld::broken(error.to_string()))?;
    let (under, rollouts, stand) = (&stand.under, stand.rollouts(), Arc::clone(stand));
    let asked_again = move |(course, moves): (usize, Vec<Move>)| {
        let (stand, another) = (Arc::clone(&stand), Arc::clone(&another));
        async move {
            let played = stand.play(course, &moves).await;
            // Backwards: what was remembered beside the state is of no use.
            for (place, asked) in played.asked.iter().enumerate().rev() {
                let state = restored(&asked.state);
                let answers = [
                    stand.decide(&another, played.course, &state, asked.seen).await,
                    stand.decide(&another, played.course, &state, asked.seen).await,
                ];
                let [Ok((decision, next)), Ok(again)] = answers else { break };
                let is_same = (&decision, &next) == (&asked.decision, &asked.next);
                // One that says something else each time breaks another law.
                if !is_same && (&decision, &next) == (&again.0, &again.1) {
                    let words = format!(
                        "it said {:?} with the state {}, but in a new process {decision:?} with {next}",
                        asked.decision, asked.next
                    );
                    return Err(played.breach_at(place + 1, words));
                }
            }
            Ok(())
        }
    };
    under.random(RESUMED, || rollouts, asked_again).await
}

/// What is left of a state that was written down.
fn restored(state: &Value) -> Value {
    serde_json::from_str(&state.to_string()).expect("what was written as JSON is read as JSON")
}
