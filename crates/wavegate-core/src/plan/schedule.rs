//! When things happen if nothing goes wrong, and how long it can take at worst.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, FunctionPlan, Plan};
use crate::name::FunctionName;
use crate::release::limits;

/// The schedule of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    /// For each function, when it starts moving and when it is done, from the barrier on.
    pub functions: BTreeMap<FunctionName, (Duration, Duration)>,
    /// How long it takes if nothing goes wrong and hooks answer at once.
    pub expected: Duration,
    /// How long it takes if every hook uses its whole time and every step its longest bake.
    pub worst: Duration,
}

/// Schedules a plan, ignoring `max_parallel` where the graph is wider: an estimate for people.
pub fn schedule(plan: &Plan) -> Schedule {
    let mut schedule = Schedule::default();
    let mut worst: BTreeMap<&FunctionName, Duration> = BTreeMap::new();
    for name in &plan.order {
        let Some(function) = plan.functions.get(name) else { continue };
        let needs = || function.depends_on.iter();
        let start = needs()
            .filter_map(|need| schedule.functions.get(need).map(|(_, done)| *done))
            .max()
            .unwrap_or_default();
        let done = start + expected(function);
        schedule.expected = schedule.expected.max(done);
        schedule.functions.insert(name.clone(), (start, done));
        let late = needs().filter_map(|need| worst.get(need).copied()).max().unwrap_or_default();
        let end = late + longest(function);
        schedule.worst = schedule.worst.max(end);
        worst.insert(name, end);
    }
    schedule
}

fn expected(function: &FunctionPlan) -> Duration {
    if matches!(function.action, Action::First { .. }) {
        return Duration::ZERO;
    }
    let steps: Duration = function.outline.steps.iter().map(|s| s.bake_min + limits::SETTLE).sum();
    steps + function.bake
}

fn longest(function: &FunctionPlan) -> Duration {
    let hooks: Duration =
        function.pre_traffic.iter().chain(&function.post_traffic).map(|hook| hook.timeout).sum();
    if matches!(function.action, Action::First { .. }) {
        return hooks;
    }
    let steps: Duration = function.outline.steps.iter().map(|s| s.bake_max + limits::SETTLE).sum();
    hooks + function.outline.longest.max(steps) + function.bake
}
