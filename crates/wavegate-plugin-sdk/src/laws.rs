//! The laws that every strategy must keep, as functions for its tests.
//!
//! Each returns what was broken, in words. They need no property-testing library: the test that
//! calls them brings the configs and the traces.
//!
//! The same laws hold for strategies in any language, which are asked through messages. So what
//! judges is apart from what asks: a [`Rollout`] says what a strategy sees next and is told what it
//! decided; the functions that take an [`Observation`] judge one decision.

use serde_json::Value;
use wavegate_plugin_protocol::{Decision, Observation, Outline, Target, WeightBp};

use crate::DynStrategy;

/// A decision that never comes is a broken law, not a hanging test: no outline is this long.
pub const MAX_DECISIONS: usize = 100_000;

/// How long a host leaves a pause alone before it asks again, in milliseconds.
const PAUSE_RECHECK_MS: u64 = 15_000;

/// What the alarms say at one decision of a trace, and what happens until the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// How many alarms fire.
    pub firing: u32,
    /// How many alarms cannot be told.
    pub unknown: u32,
    /// Time that passes before the strategy is asked again, in milliseconds.
    pub passes_ms: u64,
    /// Whether a person says "go on", should the strategy pause at this turn.
    pub approves: bool,
}

/// How a rollout under a trace went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// Every decision, in order.
    pub decisions: Vec<Decision>,
    /// Time from the first shift to the last decision, in milliseconds.
    pub shifting_ms: u64,
}

/// All laws at once: deterministic, resumable, legal, safe, total under the trace, and ending
/// inside the outline when everything is healthy.
///
/// # Errors
/// The first law that is broken, in words.
pub fn strategy(strategy: &dyn DynStrategy, config: &Value, trace: &[Turn]) -> Result<(), String> {
    let outline = legal_outline(strategy, config)?;
    ends_inside_the_outline(strategy, config, &outline)?;
    let first = walk(strategy, config, trace, Remember::State)?;
    let again = walk(strategy, config, trace, Remember::State)?;
    if first != again {
        return Err(format!("not deterministic: {first:?}, then {again:?}"));
    }
    let resumed = walk(strategy, config, trace, Remember::Text)?;
    if first != resumed {
        return Err(format!("not resumable: {first:?}, but after a restore {resumed:?}"));
    }
    Ok(())
}

/// A rollout in which nothing goes wrong, every wait is kept exactly, and every pause is approved
/// at once.
///
/// # Errors
/// If it does not end in a promotion, or not within the outline's bound, or breaks another law on
/// the way.
pub fn healthy_walk(strategy: &dyn DynStrategy, config: &Value) -> Result<Walk, String> {
    let walk = walk(strategy, config, &[], Remember::State)?;
    match walk.decisions.last() {
        Some(Decision::Promote) => Ok(walk),
        other => Err(format!("a healthy rollout ended with {other:?}")),
    }
}

/// A rollout in which nothing goes wrong and nobody approves anything. For strategies whose pauses
/// have a timeout; one that pauses until a person comes may stay for ever.
///
/// # Errors
/// If it does not end, or breaks another law on the way.
pub fn unattended_walk(strategy: &dyn DynStrategy, config: &Value) -> Result<Walk, String> {
    let turn = Turn { passes_ms: PAUSE_RECHECK_MS, ..Turn::default() };
    ask(strategy, config, std::iter::repeat(turn), Remember::State, Waits::Kept)
}

/// The config's schema shows at least one whole config, and nothing is wrong with any it shows.
///
/// # Errors
/// Which example is wrong, and how.
pub fn examples_are_valid(strategy: &dyn DynStrategy) -> Result<(), String> {
    let schema = strategy.config_schema();
    let examples = schema.get("examples").and_then(Value::as_array);
    let examples = examples.filter(|examples| !examples.is_empty());
    for example in examples.ok_or("its config's schema shows no example")? {
        let found = strategy.validate(example).map_err(|error| error.to_string())?;
        if !found.is_empty() {
            return Err(format!("{example}: {found:?}"));
        }
    }
    Ok(())
}

fn ends_inside_the_outline(
    strategy: &dyn DynStrategy,
    config: &Value,
    outline: &Outline,
) -> Result<(), String> {
    let walk = healthy_walk(strategy, config)?;
    if walk.shifting_ms > outline.duration_ms_max {
        return Err(format!("took {} ms, outside {outline:?}", walk.shifting_ms));
    }
    let shifts = walk.decisions.iter().filter_map(|decision| match decision {
        Decision::Shift { weight_bp } => Some(*weight_bp),
        _ => None,
    });
    let promised = outline.steps.iter().map(|step| step.weight_bp);
    if shifts.eq(promised) { Ok(()) } else { Err(format!("{walk:?} is not {outline:?}")) }
}

fn legal_outline(strategy: &dyn DynStrategy, config: &Value) -> Result<Outline, String> {
    let outline = strategy.outline(config, &target()).map_err(|error| error.to_string())?;
    outline_is_legal(&outline)?;
    Ok(outline)
}

/// What the rollouts of these laws act on.
pub fn target() -> Target {
    Target { app: "app".into(), function: "function".into(), alias: "live".into() }
}

#[derive(Clone, Copy)]
enum Remember {
    State,
    Text,
}

/// How long a wait takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// As long as the strategy said.
    Kept,
    /// As long as the turn says, if there is one.
    Traced,
}

/// Through the trace first, then healthy.
fn walk(
    strategy: &dyn DynStrategy,
    config: &Value,
    trace: &[Turn],
    remember: Remember,
) -> Result<Walk, String> {
    ask(strategy, config, trace.iter().copied(), remember, Waits::Traced)
}

/// Asks until the strategy ends the rollout. When there are no more turns, all is healthy and
/// every pause is approved at once.
fn ask(
    strategy: &dyn DynStrategy,
    config: &Value,
    mut turns: impl Iterator<Item = Turn>,
    remember: Remember,
    waits: Waits,
) -> Result<Walk, String> {
    let outline = legal_outline(strategy, config)?;
    let mut rollout = Rollout::default();
    let mut state = Value::Null;
    let mut decisions = Vec::new();
    while decisions.len() < MAX_DECISIONS {
        let turn = turns.next();
        let seen = rollout.sees(turn.unwrap_or_default());
        let (decision, next) =
            strategy.decide(config, &state, &seen).map_err(|error| error.to_string())?;
        state = match remember {
            Remember::State => next,
            Remember::Text => {
                serde_json::from_str(&next.to_string()).map_err(|error| error.to_string())?
            }
        };
        judge(&decision, &seen, &outline)?;
        let goes_on = rollout.decided(&decision, turn, waits);
        decisions.push(decision);
        if !goes_on {
            return Ok(Walk { decisions, shifting_ms: rollout.shifting_ms });
        }
    }
    Err(format!("no end after {MAX_DECISIONS} decisions"))
}

/// A rollout as its host knows it: what a strategy may see of it, and what comes of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rollout {
    weight: WeightBp,
    baked_ms: u64,
    shifting_ms: u64,
    approvals: u32,
}

impl Rollout {
    /// What the strategy sees at a turn.
    pub fn sees(&self, turn: Turn) -> Observation {
        Observation {
            weight_bp: self.weight,
            bake_elapsed_ms: self.baked_ms,
            rollout_elapsed_ms: self.shifting_ms,
            alarms_firing: turn.firing,
            alarms_unknown: turn.unknown,
            alarms_ok: u32::from(turn.firing == 0 && turn.unknown == 0),
            approvals: self.approvals,
        }
    }

    /// Does what was decided, and lets the time until the next question pass. Without a turn a wait
    /// takes as long as it said, and a pause is approved at once. Whether the rollout goes on.
    pub fn decided(&mut self, decision: &Decision, turn: Option<Turn>, waits: Waits) -> bool {
        match (decision, turn) {
            (Decision::Shift { weight_bp }, _) => self.shifts(*weight_bp),
            (Decision::Wait { .. }, Some(turn)) if waits == Waits::Traced => {
                self.passes(turn.passes_ms);
            }
            (Decision::Wait { millis }, _) => self.passes(*millis),
            (Decision::Pause { .. }, Some(turn)) => {
                self.passes(turn.passes_ms);
                self.approvals = self.approvals.saturating_add(u32::from(turn.approves));
            }
            (Decision::Pause { .. }, None) => self.approvals = self.approvals.saturating_add(1),
            _ => return false,
        }
        true
    }

    /// Time since the first shift, in milliseconds.
    pub const fn shifting_ms(&self) -> u64 {
        self.shifting_ms
    }

    fn passes(&mut self, millis: u64) {
        self.baked_ms = self.baked_ms.saturating_add(millis);
        if self.weight > WeightBp::NONE {
            self.shifting_ms = self.shifting_ms.saturating_add(millis);
        }
    }

    fn shifts(&mut self, weight: WeightBp) {
        self.weight = weight;
        self.baked_ms = 0;
        self.approvals = 0;
    }
}

fn judge(decision: &Decision, seen: &Observation, outline: &Outline) -> Result<(), String> {
    never_up_while_firing(decision, seen)?;
    never_up_on_unknown(decision, seen)?;
    never_waits_for_nothing(decision, seen)?;
    stays_inside(decision, seen, outline)?;
    bakes_first(decision, seen, outline)
}

/// The weights of an outline climb, and its times add up.
///
/// # Errors
/// What is wrong with it.
pub fn outline_is_legal(outline: &Outline) -> Result<(), String> {
    let mut below = WeightBp::NONE;
    let mut longest = 0_u64;
    for step in &outline.steps {
        if step.weight_bp <= below || step.weight_bp >= WeightBp::FULL {
            return Err(format!("{} is no step after {below}", step.weight_bp));
        }
        if step.bake_ms_min > step.bake_ms_max {
            return Err(format!("bakes at least longer than at most: {step:?}"));
        }
        below = step.weight_bp;
        longest = longest.saturating_add(step.bake_ms_max);
    }
    if longest > outline.duration_ms_max {
        return Err(format!("the bakes take {longest} ms, more than the whole of {outline:?}"));
    }
    Ok(())
}

/// While an alarm fires, a strategy goes back or stays.
///
/// # Errors
/// If it does something else.
pub fn never_up_while_firing(decision: &Decision, seen: &Observation) -> Result<(), String> {
    let is_safe = matches!(decision, Decision::Rollback { .. } | Decision::Pause { .. });
    if seen.alarms_firing > 0 && !is_safe {
        return Err(format!("not safe: {decision:?} after {seen:?}"));
    }
    Ok(())
}

/// While an alarm cannot be told, a strategy does not go up.
///
/// # Errors
/// If it does.
pub fn never_up_on_unknown(decision: &Decision, seen: &Observation) -> Result<(), String> {
    if seen.alarms_unknown > 0 && goes_up(decision) {
        return Err(format!("took unknown for ok: {decision:?} after {seen:?}"));
    }
    Ok(())
}

/// A wait takes some time.
///
/// # Errors
/// If it takes none.
pub fn never_waits_for_nothing(decision: &Decision, seen: &Observation) -> Result<(), String> {
    if matches!(decision, Decision::Wait { millis: 0 }) {
        return Err(format!("waits no time at all after {seen:?}"));
    }
    Ok(())
}

/// The weights are those of the outline, in its order, and the promotion follows the last.
///
/// # Errors
/// If the decision is another.
pub fn stays_inside(
    decision: &Decision,
    seen: &Observation,
    outline: &Outline,
) -> Result<(), String> {
    let next = outline.steps.iter().map(|step| step.weight_bp).find(|bp| *bp > seen.weight_bp);
    let is_promised = match decision {
        Decision::Shift { weight_bp } => next == Some(*weight_bp),
        Decision::Promote => next.is_none(),
        _ => true,
    };
    if !is_promised {
        return Err(format!("{decision:?} at {} is not in {outline:?}", seen.weight_bp));
    }
    Ok(())
}

/// A weight stays in force for as long as the outline says at least.
///
/// # Errors
/// If the decision moves it earlier.
pub fn bakes_first(
    decision: &Decision,
    seen: &Observation,
    outline: &Outline,
) -> Result<(), String> {
    let bake = outline.steps.iter().find(|step| step.weight_bp == seen.weight_bp);
    if let Some(step) = bake
        && goes_up(decision)
        && seen.bake_elapsed_ms < step.bake_ms_min
    {
        return Err(format!("{decision:?} before the bake was over: {seen:?}"));
    }
    Ok(())
}

fn goes_up(decision: &Decision) -> bool {
    matches!(decision, Decision::Shift { .. } | Decision::Promote)
}
