//! The plan as people read it before they say yes.
//!
//! Lines are never cut: hints are commands to copy. `+` is new, `~` changes, `=` stays, `!` is
//! blocked; words say the same.

use std::fmt::Write as _;

use wavegate_core::name::FunctionName;
use wavegate_core::plan::{
    Action, Delegation, FunctionPlan, Outline, OutlineStep, Plan, PlanReport, Problem, Schedule,
    Severity, Standing,
};
use wavegate_core::spec::{HookUse, IfAlreadyAlarming, OnFailure, RollbackScope};
use wavegate_core::time::human;

use crate::style::{Line, Style, Tone, rendered, width};

/// The most steps of a strategy that are written out one by one.
const STEPS_MAX: usize = 6;

/// A plan and its report as text. Ends with a newline.
///
/// Without a plan, the report says which functions block it and why.
pub fn plan_text(
    plan: Option<&Plan>,
    report: &PlanReport,
    schedule: &Schedule,
    style: Style,
) -> String {
    let mut lines = Vec::new();
    match plan {
        Some(plan) if plan.functions.is_empty() => {
            lines.push(text("Nothing to change: every function serves what the manifest says."));
        }
        Some(plan) => {
            head(plan, report, schedule, &mut lines);
            for (at, wave) in plan.waves.iter().enumerate() {
                one_wave(plan, schedule, at, wave, &mut lines);
            }
        }
        None => blocked(report, &mut lines),
    }
    left_alone(plan, report, &mut lines);
    if let Some(plan) = plan.filter(|plan| !plan.functions.is_empty()) {
        on_failure(plan, &mut lines);
    }
    problems(report, &mut lines);
    rendered(&lines, style)
}

fn text(text: impl std::fmt::Display) -> Line {
    let mut line = Line::new();
    line.text(text);
    line
}

fn head(plan: &Plan, report: &PlanReport, schedule: &Schedule, lines: &mut Vec<Line>) {
    let new = plan.functions.values().filter(|f| is_new(f)).count();
    let unchanged =
        report.functions.values().filter(|s| matches!(s, Standing::Unchanged(_))).count();
    let mut counts = Vec::new();
    for (count, word) in [(new, "new"), (plan.functions.len() - new, "changed")] {
        if count > 0 {
            counts.push(format!("{count} {word}"));
        }
    }
    let mut line = Line::new();
    line.push(Tone::Strong, format!("Plan for {} r{}", plan.app, plan.number));
    let waves = match plan.waves.len() {
        1 => "1 wave".to_owned(),
        n => format!("{n} waves"),
    };
    line.text(format!(", alias {}: {} in {waves}", plan.alias, counts.join(" and ")));
    if unchanged > 0 {
        line.text(format!("; {unchanged} unchanged"));
    }
    lines.push(line);
    lines.push(text(format!(
        "takes {} if hooks answer at once, at worst {}; {} at a time",
        human(schedule.expected),
        human(schedule.worst),
        plan.max_parallel
    )));
}

fn is_new(function: &FunctionPlan) -> bool {
    matches!(function.action, Action::First { .. })
}

fn one_wave(
    plan: &Plan,
    schedule: &Schedule,
    at: usize,
    wave: &[FunctionName],
    lines: &mut Vec<Line>,
) {
    lines.push(Line::new());
    let mut line = Line::new();
    line.push(Tone::Strong, format!("wave {}", at + 1));
    lines.push(line);
    let column = wave.iter().map(|name| width(name.as_str())).max().unwrap_or(0) + 6;
    for function in wave.iter().filter_map(|name| plan.functions.get(name)) {
        let mut line = Line::new();
        let (tone, sign) = if is_new(function) { (Tone::Good, "+") } else { (Tone::Warn, "~") };
        line.text("  ").push(tone, sign).text(" ").push(Tone::Strong, &function.name);
        line.until(column).text(action(plan, function));
        lines.push(line);
        details(function, schedule, lines);
    }
}

fn action(plan: &Plan, function: &FunctionPlan) -> String {
    let alias = &plan.alias;
    let mut words = match function.action {
        Action::First { exists: false } => {
            format!("new: create the function, publish it, create alias {alias}")
        }
        Action::First { exists: true } => {
            format!("new: update the function, publish it, create alias {alias}")
        }
        Action::Update { stable } => format!("v{stable} -> a new version"),
        Action::Switch { stable, target } => format!("v{stable} -> v{target}, which exists"),
    };
    if function.lambda_name != function.name {
        let _ = write!(words, " (in Lambda: {})", function.lambda_name);
    }
    words
}

/// The column where details begin.
const DETAIL: usize = 16;

fn detail(title: &str, words: impl std::fmt::Display, lines: &mut Vec<Line>) {
    let mut line = Line::new();
    line.text("      ").push(Tone::Dim, title).until(DETAIL).text(words);
    lines.push(line);
}

fn details(function: &FunctionPlan, schedule: &Schedule, lines: &mut Vec<Line>) {
    for change in &function.changes {
        let mut line = Line::new();
        line.text("      ").push(Tone::Warn, "~").text(" ").text(change);
        lines.push(line);
    }
    detail("traffic", traffic(function), lines);
    if let Some(delegation) = &function.delegation {
        delegated(delegation, lines);
    }
    hooks("before", &function.pre_traffic, lines);
    hooks("after", &function.post_traffic, lines);
    hooks("if undone", &function.on_rollback, lines);
    let alarms: Vec<String> = function
        .alarms
        .iter()
        .map(|planned| {
            let name = &planned.alarm.alarm.name;
            match (planned.already_red, planned.alarm.if_already_alarming) {
                (true, _) => format!("{name} (red already: counts once it has been quiet)"),
                (false, IfAlreadyAlarming::Wait) => format!("{name} (waits while it is red)"),
                (false, _) => name.clone(),
            }
        })
        .collect();
    if !alarms.is_empty() {
        detail("alarms", alarms.join(", "), lines);
    }
    if !function.bake.is_zero() && !is_new(function) {
        let words = format!("{} with alarms watched, after promotion", human(function.bake));
        detail("bake", words, lines);
    }
    let needs: Vec<&str> = function.depends_on.iter().map(FunctionName::as_str).collect();
    if !needs.is_empty() {
        detail("needs", needs.join(", "), lines);
    }
    if let Some((start, done)) = schedule.functions.get(&function.name) {
        let mut words = if start.is_zero() {
            "starts at once".to_owned()
        } else {
            format!("starts after {}", human(*start))
        };
        if done > start {
            let _ = write!(words, ", done after {}", human(*done));
        }
        detail("when", words, lines);
    }
}

fn traffic(function: &FunctionPlan) -> String {
    if is_new(function) {
        return "all at once: there is no version to shift from".to_owned();
    }
    let strategy = &function.strategy;
    let name = if strategy.name == strategy.component {
        strategy.component.clone()
    } else {
        format!("{} ({})", strategy.component, strategy.name)
    };
    format!("{name}: {}", outline_words(&function.outline))
}

/// What CodeDeploy does for a function.
fn delegated(delegation: &Delegation, lines: &mut Vec<Line>) {
    let group = &delegation.group;
    let words = format!(
        "moves the traffic: {}, by group {} of application {}",
        delegation.routing.config_name(),
        group.name,
        group.application
    );
    detail("CodeDeploy", words, lines);
    let calls = [("before", &group.before), ("after", &group.after)];
    for (title, hook) in calls.into_iter().filter_map(|(title, hook)| Some((title, hook.as_ref()?)))
    {
        detail(title, format!("{hook}, called by CodeDeploy"), lines);
    }
}

/// What a strategy promises, in words: `10% for 5m, then 100%`.
pub(crate) fn outline_words(outline: &Outline) -> String {
    let steps = &outline.steps;
    if steps.is_empty() {
        return "100% at once".to_owned();
    }
    if let Some(words) = even_steps(steps) {
        return words;
    }
    let mut words: Vec<String> = steps
        .iter()
        .take(STEPS_MAX)
        .map(|step| format!("{} for {}", step.weight, stay(step)))
        .collect();
    if steps.len() > STEPS_MAX {
        let hidden = steps.len() - STEPS_MAX;
        words.push(format!("{hidden} more up to {}", steps[steps.len() - 1].weight));
    }
    words.push("then 100%".to_owned());
    words.join(", ")
}

/// Three or more steps of one height and one length in one phrase.
fn even_steps(steps: &[OutlineStep]) -> Option<String> {
    let [first, .., last] = steps else { return None };
    let even = steps.windows(2).all(|pair| {
        pair[1].weight.bp().checked_sub(pair[0].weight.bp()) == Some(first.weight.bp())
            && (pair[1].bake_min, pair[1].bake_max) == (first.bake_min, first.bake_max)
    });
    (even && steps.len() >= 3).then(|| {
        format!("{} more every {}, up to {}, then 100%", first.weight, stay(first), last.weight)
    })
}

fn stay(step: &OutlineStep) -> String {
    if step.bake_min == step.bake_max {
        human(step.bake_min).to_string()
    } else {
        format!("{} to {}", human(step.bake_min), human(step.bake_max))
    }
}

fn hooks(title: &str, hooks: &[HookUse], lines: &mut Vec<Line>) {
    if hooks.is_empty() {
        return;
    }
    let name =
        |hook: &HookUse| format!("hook {} (at most {})", hook.hook.name, human(hook.timeout));
    detail(title, hooks.iter().map(name).collect::<Vec<_>>().join(", "), lines);
}

/// What would change, were it not for the problems.
fn blocked(report: &PlanReport, lines: &mut Vec<Line>) {
    let errors = report.problems.iter().filter(|p| p.severity == Severity::Error).count();
    let mut line = Line::new();
    let found = match errors {
        0 => "the graph has no order".to_owned(),
        1 => "1 problem".to_owned(),
        n => format!("{n} problems"),
    };
    line.push(Tone::Bad, "No plan: ").text(found);
    lines.push(line);
    let changed = |s: &Standing| matches!(s, Standing::New | Standing::Changed(_));
    let column = report.functions.keys().map(|name| width(name.as_str())).max().unwrap_or(0) + 6;
    for (name, standing) in report.functions.iter().filter(|(_, s)| changed(s)) {
        let codes = codes(report, name);
        let (tone, sign, words) = match (standing, codes.is_empty()) {
            (_, false) => (Tone::Bad, "!", format!("blocked: {}", codes.join(", "))),
            (Standing::New, true) => (Tone::Good, "+", "new".to_owned()),
            (_, true) => (Tone::Warn, "~", "changed".to_owned()),
        };
        let mut line = Line::new();
        line.text("  ").push(tone, sign).text(" ").push(Tone::Strong, name);
        line.until(column).text(words);
        lines.push(line);
        if let Standing::Changed(changes) = standing {
            for change in changes {
                let mut line = Line::new();
                line.text("      ").push(Tone::Warn, "~").text(" ").text(change);
                lines.push(line);
            }
        }
    }
}

fn codes(report: &PlanReport, name: &FunctionName) -> Vec<&'static str> {
    let mut codes: Vec<&'static str> = report
        .problems
        .iter()
        .filter(|p| p.severity == Severity::Error && p.function.as_ref() == Some(name))
        .map(|p| p.code)
        .collect();
    codes.dedup();
    codes
}

fn left_alone(plan: Option<&Plan>, report: &PlanReport, lines: &mut Vec<Line>) {
    let unchanged: Vec<(&FunctionName, String)> = report
        .functions
        .iter()
        .filter_map(|(name, standing)| match standing {
            Standing::Unchanged(version) => Some((name, format!("stays on v{version}"))),
            Standing::NotSelected => Some((name, "left out by --only".to_owned())),
            Standing::New | Standing::Changed(_) => None,
        })
        .collect();
    if unchanged.is_empty() {
        return;
    }
    if plan.is_some() {
        lines.push(Line::new());
        let mut line = Line::new();
        line.push(Tone::Strong, "left alone");
        lines.push(line);
    }
    let column = unchanged.iter().map(|(name, _)| width(name.as_str())).max().unwrap_or(0) + 6;
    for (name, words) in unchanged {
        let mut line = Line::new();
        line.text("  ").push(Tone::Dim, "=").text(" ").text(name);
        line.until(column).push(Tone::Dim, words);
        lines.push(line);
    }
}

fn on_failure(plan: &Plan, lines: &mut Vec<Line>) {
    let words = match (plan.on_failure, plan.scope) {
        (OnFailure::Freeze, _) => "everything stays where it stands and waits for a person",
        (OnFailure::Rollback, RollbackScope::App) => "everything this release changed is put back",
        (OnFailure::Rollback, RollbackScope::Dependents) => {
            "the failed function and all that depends on it are put back"
        }
        (OnFailure::Rollback, RollbackScope::Function) => "the failed function alone is put back",
    };
    lines.push(Line::new());
    lines.push(text(format!("if it fails: {words}")));
}

fn problems(report: &PlanReport, lines: &mut Vec<Line>) {
    let mut sorted: Vec<&Problem> = report.problems.iter().collect();
    sorted.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    for problem in sorted {
        lines.push(Line::new());
        let (tone, word, remedy) = match problem.severity {
            Severity::Error => (Tone::Bad, "error", "fix"),
            Severity::Warning => (Tone::Warn, "warning", "note"),
        };
        let mut line = Line::new();
        line.push(tone, format!("{word}[{}]", problem.code)).text(" ");
        if let Some(function) = &problem.function {
            line.push(Tone::Strong, function).text(": ");
        }
        line.text(&problem.message);
        lines.push(line);
        if let Some(hint) = &problem.hint {
            lines.push(text(format!("  {remedy}: {hint}")));
        }
    }
}

#[cfg(test)]
mod tests;
