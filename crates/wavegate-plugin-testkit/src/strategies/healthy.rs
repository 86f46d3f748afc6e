//! Rollouts in which nothing goes wrong: how they end, and what their pauses are like.

use std::collections::BTreeSet;

use serde_json::Value;
use wavegate_plugin_protocol::Decision;
use wavegate_plugin_sdk::laws::{self, Rollout, Turn, Waits};

use super::{Asked, Course, Stand, breach};
use crate::configs::some;
use crate::report::{Breach, Unheld, Verdict};

/// So many approvals at one weight, and it is not an approval that is waited for.
const APPROVALS_MAX: u32 = 100;

/// How often a pause is asked again, once a second, and how many things it may say meanwhile: it
/// may be followed by another pause, or two.
const PAUSE_ASKED: u64 = 60;
const PAUSE_SAYS_MAX: usize = 3;

/// How many of the last decisions are told of a rollout that does not end.
const TOLD: usize = 12;

/// Each is promoted, and in time.
pub(super) async fn ends(stand: &Stand) -> Verdict {
    let mut cases = 0;
    for course in &stand.courses {
        let mut healthy = Healthy::new(stand, course);
        ends_well(&mut healthy).await?;
        cases += 1;
    }
    Ok(cases)
}

async fn ends_well(healthy: &mut Healthy<'_>) -> Result<(), Unheld> {
    let limit = healthy.course.outline.duration_ms_max;
    let mut took_ms = 0_u64;
    for _ in 0..laws::MAX_DECISIONS {
        match healthy.next().await? {
            Decision::Promote => return Ok(()),
            Decision::Rollback { .. } => {
                return Err(healthy.breach("nothing was wrong, and it went back").into());
            }
            Decision::Wait { millis } => took_ms = took_ms.saturating_add(millis),
            _ if healthy.approvals() > APPROVALS_MAX => {
                return Err(Unheld::skipped("it pauses for ever"));
            }
            _ => {}
        }
        if took_ms > limit {
            let words = format!("after {took_ms} ms it is not promoted; it promised {limit} ms");
            return Err(healthy.breach(words).into());
        }
    }
    let words = format!("no end after {} decisions; these are the last", laws::MAX_DECISIONS);
    Err(healthy.breach(words).into())
}

/// A law about a pause.
#[derive(Debug, Clone, Copy)]
pub(super) enum OfPauses {
    /// It ends when a person says go on.
    Approved,
    /// It says the same as long as it lasts.
    Steady,
}

/// Tries a law at every pause of healthy rollouts.
pub(super) async fn at_pauses(stand: &Stand, law: OfPauses) -> Verdict {
    let mut pauses = 0;
    for course in &stand.courses {
        let mut healthy = Healthy::new(stand, course);
        for _ in 0..laws::MAX_DECISIONS {
            let before = healthy.rollout;
            match healthy.next().await {
                Ok(Decision::Pause { .. }) => {
                    pauses += 1;
                    match law {
                        OfPauses::Approved => is_approved(&healthy)?,
                        OfPauses::Steady => stays_the_same(&healthy, before).await?,
                    }
                    if healthy.approvals() > APPROVALS_MAX {
                        break;
                    }
                }
                Ok(Decision::Shift { .. } | Decision::Wait { .. }) => {}
                // That it ends as it should is another law's.
                _ => break,
            }
        }
    }
    some(pauses, "it never pauses")
}

/// The pause that was just begun is not one too many.
fn is_approved(healthy: &Healthy<'_>) -> Result<(), Breach> {
    if healthy.approvals() <= APPROVALS_MAX {
        return Ok(());
    }
    Err(healthy.breach(format!("it still pauses after {APPROVALS_MAX} approvals")))
}

/// The pause that was just begun, asked once a second while nobody comes.
async fn stays_the_same(healthy: &Healthy<'_>, mut rollout: Rollout) -> Result<(), Breach> {
    let nobody = Turn { passes_ms: 1_000, ..Turn::default() };
    let mut state = healthy.asked.last().map_or(Value::Null, |asked| asked.state.clone());
    let mut reasons = BTreeSet::new();
    for _ in 0..PAUSE_ASKED {
        let seen = rollout.sees(nobody);
        let bench = healthy.stand.bench();
        let decided = healthy.stand.decide(bench, healthy.course, &state, seen).await;
        let Ok((Decision::Pause { reason }, next)) = decided else { return Ok(()) };
        rollout.decided(&Decision::Pause { reason: reason.clone() }, Some(nobody), Waits::Kept);
        reasons.insert(reason);
        state = next;
    }
    if reasons.len() <= PAUSE_SAYS_MAX {
        return Ok(());
    }
    let words = format!("in its first minute a pause says {} things: {reasons:?}", reasons.len());
    Err(healthy.breach(words))
}

/// A rollout in which nothing goes wrong, step by step.
struct Healthy<'a> {
    stand: &'a Stand,
    course: &'a Course,
    rollout: Rollout,
    state: Value,
    /// The last decisions.
    asked: Vec<Asked>,
}

impl<'a> Healthy<'a> {
    fn new(stand: &'a Stand, course: &'a Course) -> Self {
        Self { stand, course, rollout: Rollout::default(), state: Value::Null, asked: Vec::new() }
    }

    /// The next decision. The host does what it says; a pause is approved at once.
    async fn next(&mut self) -> Result<Decision, Unheld> {
        let seen = self.rollout.sees(Turn::default());
        let bench = self.stand.bench();
        let decided = self.stand.decide(bench, self.course, &self.state, seen).await;
        let (decision, next) = decided.map_err(|error| {
            // Whether that is in order is another law's.
            *self.stand.failed() = Some(error.to_string());
            Unheld::skipped("it gave no answer")
        })?;
        self.rollout.decided(&decision, None, Waits::Kept);
        let state = std::mem::replace(&mut self.state, next.clone());
        if self.asked.len() == TOLD {
            self.asked.remove(0);
        }
        self.asked.push(Asked { state, seen, decision: decision.clone(), next });
        Ok(decision)
    }

    fn approvals(&self) -> u32 {
        self.rollout.sees(Turn::default()).approvals
    }

    fn breach(&self, words: impl Into<String>) -> Breach {
        breach(self.course, &self.asked, words)
    }
}
