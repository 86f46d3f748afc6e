//! The laws that every strategy must keep, as functions for its tests.
//!
//! Each returns what was broken, in words. They need no property-testing library: the test that
//! calls them brings the configs and the traces.

use serde_json::Value;
use wavegate_plugin_protocol::{Decision, Observation, Outline, Target, WeightBp};

use crate::DynStrategy;

/// A decision that never comes is a broken law, not a hanging test: no outline is this long.
const MAX_DECISIONS: usize = 100_000;

/// What the alarms say at one decision of a trace, and how long it takes until the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// How many alarms fire.
    pub firing: u32,
    /// How many alarms cannot be told.
    pub unknown: u32,
    /// Time that passes before the strategy is asked again, in milliseconds.
    pub passes_ms: u64,
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

/// A rollout in which nothing goes wrong and every wait is kept exactly.
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
    let target = Target { app: "app".into(), function: "function".into(), alias: "live".into() };
    let outline = strategy.outline(config, &target).map_err(|error| error.to_string())?;
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
    Ok(outline)
}

#[derive(Clone, Copy)]
enum Remember {
    State,
    Text,
}

/// What a host knows while it walks.
struct Host {
    weight: WeightBp,
    baked_ms: u64,
    shifting_ms: u64,
    has_traffic: bool,
}

impl Host {
    fn sees(&self, turn: Turn) -> Observation {
        Observation {
            weight_bp: self.weight,
            bake_elapsed_ms: self.baked_ms,
            rollout_elapsed_ms: self.shifting_ms,
            alarms_firing: turn.firing,
            alarms_unknown: turn.unknown,
            alarms_ok: u32::from(turn.firing + turn.unknown == 0),
        }
    }

    fn passes(&mut self, millis: u64) {
        if self.has_traffic {
            self.baked_ms = self.baked_ms.saturating_add(millis);
            self.shifting_ms = self.shifting_ms.saturating_add(millis);
        }
    }

    fn shifts(&mut self, weight: WeightBp) {
        self.weight = weight;
        self.baked_ms = 0;
        self.has_traffic = true;
    }
}

/// Plays the host until the strategy ends the rollout: through the trace first, then healthy.
fn walk(
    strategy: &dyn DynStrategy,
    config: &Value,
    trace: &[Turn],
    remember: Remember,
) -> Result<Walk, String> {
    let outline = legal_outline(strategy, config)?;
    let mut host = Host { weight: WeightBp::NONE, baked_ms: 0, shifting_ms: 0, has_traffic: false };
    let mut state = Value::Null;
    let mut decisions = Vec::new();
    let mut turns = trace.iter();
    while decisions.len() < MAX_DECISIONS {
        let turn = turns.next();
        let told = turn.copied().unwrap_or(Turn { firing: 0, unknown: 0, passes_ms: 0 });
        let seen = host.sees(told);
        let (decision, next) =
            strategy.decide(config, &state, &seen).map_err(|error| error.to_string())?;
        state = match remember {
            Remember::State => next,
            Remember::Text => {
                serde_json::from_str(&next.to_string()).map_err(|error| error.to_string())?
            }
        };
        judge(&decision, &seen, &outline)?;
        decisions.push(decision.clone());
        match decision {
            Decision::Shift { weight_bp } => host.shifts(weight_bp),
            Decision::Wait { millis } => host.passes(turn.map_or(millis, |turn| turn.passes_ms)),
            _ => return Ok(Walk { decisions, shifting_ms: host.shifting_ms }),
        }
    }
    Err(format!("no end after {MAX_DECISIONS} decisions"))
}

fn judge(decision: &Decision, seen: &Observation, outline: &Outline) -> Result<(), String> {
    let goes_on = matches!(decision, Decision::Shift { .. } | Decision::Promote);
    if seen.alarms_firing > 0
        && !matches!(decision, Decision::Rollback { .. } | Decision::Pause { .. })
    {
        return Err(format!("not safe: {decision:?} after {seen:?}"));
    }
    if seen.alarms_unknown > 0 && goes_on {
        return Err(format!("took unknown for ok: {decision:?} after {seen:?}"));
    }
    if matches!(decision, Decision::Wait { millis: 0 }) {
        return Err(format!("waits no time at all after {seen:?}"));
    }
    if let Decision::Shift { weight_bp } = decision
        && !outline.steps.iter().any(|step| step.weight_bp == *weight_bp)
    {
        return Err(format!("{weight_bp} is not in {outline:?}"));
    }
    let bake = outline.steps.iter().find(|step| step.weight_bp == seen.weight_bp);
    if let Some(step) = bake
        && goes_on
        && seen.bake_elapsed_ms < step.bake_ms_min
    {
        return Err(format!("{decision:?} before the bake was over: {seen:?}"));
    }
    Ok(())
}
