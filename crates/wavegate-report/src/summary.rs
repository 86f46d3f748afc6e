//! What a release did, in a few lines at its end.
//!
//! ASCII and uncoloured, never cut: it is copied into tickets, and holds commands.

use std::collections::BTreeMap;

use wavegate_engine::event::Served;

use crate::moment::elapsed;
use crate::sentence::{all_served, outcome_words, versions};
use crate::state::{Function, Stage, State};
use crate::style::{Line, Style, width};

/// The most functions that are listed by name where names alone matter.
const NAMES_MAX: usize = 20;

/// The summary of a release: what changed, how long it took, what was served, what it cost in
/// calls, why it failed, what to do next. Ends with a newline.
pub fn summary(state: &State) -> String {
    let mut out = Vec::new();
    head(state, &mut out);
    changed(state, &mut out);
    names("unchanged", &state.unchanged, &mut out);
    requests(state, &mut out);
    calls(state, &mut out);
    if !state.ended_well() {
        aliases(state, &mut out);
        todo(state, &mut out);
    }
    entry("next", next(state), &mut out);
    out.iter().map(|line| format!("{}\n", line.render(Style::PLAIN))).collect()
}

/// The column where entries begin.
const ENTRY: usize = 12;

fn entry(title: &str, text: impl std::fmt::Display, out: &mut Vec<Line>) {
    let mut line = Line::new();
    line.text("  ").text(title).to_column(ENTRY).text(text);
    out.push(line);
}

/// Entries under one title.
fn entries(title: &str, rows: Vec<String>, out: &mut Vec<Line>) {
    for (at, row) in rows.into_iter().enumerate() {
        entry(if at == 0 { title } else { "" }, row, out);
    }
}

fn outcome(state: &State) -> &str {
    state.finished.as_ref().map_or("", |finished| finished.outcome.as_str())
}

fn head(state: &State, out: &mut Vec<Line>) {
    let words = match &state.finished {
        Some(finished) => outcome_words(&finished.outcome, finished.reason.as_deref()).1,
        None => "has not ended",
    };
    let mut line = Line::new();
    let took = elapsed(state.elapsed_ms(state.now_ms));
    line.text(format!("{} r{}: {words}, after {took}", state.app, state.number));
    out.push(line);
    if state.ended_well() {
        return;
    }
    let reason = state.finished.as_ref().and_then(|f| f.reason.clone());
    if let Some(reason) = reason.or(state.aborting.as_ref().map(|a| a.reason.clone())) {
        entry("reason", reason, out);
    }
    if let Some(culprit) = state.aborting.as_ref().and_then(|a| a.culprit.as_ref()) {
        entry("failed", culprit, out);
    }
}

fn changed(state: &State, out: &mut Vec<Line>) {
    let order = state.waves.iter().flatten();
    let functions: Vec<(&String, &Function)> =
        order.filter_map(|name| state.functions.get_key_value(name)).collect();
    let same: Vec<String> = functions
        .iter()
        .filter(|(_, f)| f.stage == Stage::Unchanged)
        .map(|(name, _)| (*name).clone())
        .collect();
    let column = functions.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let rows = functions
        .iter()
        .filter(|(_, f)| f.stage != Stage::Unchanged)
        .map(|(name, f)| format!("{name:column$}  {}", one_changed(f, state.now_ms)))
        .collect();
    entries("changed", rows, out);
    names("same", &same, out);
}

fn one_changed(function: &Function, now_ms: u64) -> String {
    let moved = versions(function.stable, function.candidate);
    let end = match function.stage {
        Stage::Done => String::new(),
        Stage::RolledBack => match function.put_back {
            Some(Some(version)) => format!(", put back on v{version}"),
            Some(None) => ", put back: no alias, as before".to_owned(),
            None => ", never moved".to_owned(),
        },
        Stage::Stuck if function.contested.is_some() => {
            format!(", contested: {}", function.contested.as_deref().unwrap_or_default())
        }
        Stage::Stuck => {
            let reason = function.stuck.as_ref().map(|s| s.reason.as_str());
            format!(", stuck: {}", reason.unwrap_or("see below"))
        }
        Stage::Kept => format!(", left as it is at {}", function.actual),
        _ if function.moved_ms.is_none() => ", not begun".to_owned(),
        _ => format!(", in the middle at {}", function.actual),
    };
    let took = function.took_ms(now_ms).map(|ms| format!("  {}", elapsed(ms))).unwrap_or_default();
    format!("{moved}{end}{took}")
}

fn names(title: &str, names: &[String], out: &mut Vec<Line>) {
    if names.is_empty() {
        return;
    }
    let more = names.len().saturating_sub(NAMES_MAX);
    let mut text = names[..names.len() - more].join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    entry(title, text, out);
}

fn requests(state: &State, out: &mut Vec<Line>) {
    let column = state.functions.keys().map(|name| width(name)).max().unwrap_or(0);
    let told = |served: &BTreeMap<String, Served>| served.values().any(|s| s.invocations > 0);
    let rows = state
        .functions
        .iter()
        .filter(|(_, f)| told(&f.served))
        .map(|(name, f)| format!("{name:column$}  {}", all_served(&f.served)))
        .collect();
    entries("requests", rows, out);
}

fn calls(state: &State, out: &mut Vec<Line>) {
    let Some(finished) = &state.finished else { return };
    let total: u64 = finished.calls.values().sum();
    if total == 0 {
        entry("API calls", "none", out);
        return;
    }
    let (writes, reads): (Vec<_>, Vec<_>) =
        finished.calls.iter().filter(|(_, n)| **n > 0).partition(|(op, _)| is_write(op));
    let list = |title: &str, mut calls: Vec<(&String, &u64)>| {
        calls.sort_by_key(|(op, n)| (std::cmp::Reverse(**n), *op));
        let sum: u64 = calls.iter().map(|(_, n)| **n).sum();
        let each: Vec<String> = calls.iter().map(|(op, n)| format!("{op} {n}")).collect();
        match each.is_empty() {
            true => format!("0 {title}"),
            false => format!("{sum} {title}: {}", each.join(", ")),
        }
    };
    let rows =
        vec![format!("{total} in all"), list("writes", writes), list("reads and invokes", reads)];
    entries("API calls", rows, out);
}

/// Whether an operation changes something in the cloud.
fn is_write(operation: &str) -> bool {
    let name = operation.rsplit([':', '.']).next().unwrap_or(operation);
    !["Get", "List", "Describe", "Head", "BatchGet", "Invoke"].iter().any(|p| name.starts_with(p))
}

fn aliases(state: &State, out: &mut Vec<Line>) {
    let Some(finished) = &state.finished else { return };
    let column = finished.aliases.keys().map(|name| width(name)).max().unwrap_or(0);
    let rows = finished.aliases.iter().map(|(name, now)| format!("{name:column$}  {now}")).collect();
    entries("aliases", rows, out);
}

fn todo(state: &State, out: &mut Vec<Line>) {
    let mut rows: Vec<String> =
        state.finished.as_ref().map(|finished| finished.todo.clone()).unwrap_or_default();
    for (name, function) in &state.functions {
        if let Some(stuck) = &function.stuck
            && !rows.iter().any(|row| row.contains(&stuck.todo))
        {
            let named = stuck.todo.starts_with(name.as_str());
            rows.push(if named { stuck.todo.clone() } else { format!("{name}: {}", stuck.todo) });
        }
    }
    entries("to do", rows, out);
}

fn next(state: &State) -> &'static str {
    match outcome(state) {
        "done" => "`wavegate rollback` puts the app back as it was before",
        "nothing_changed" if !state.ended_well() => "mend it, then `wavegate deploy` again",
        "nothing_changed" => "nothing: every function serves what the manifest says",
        "rolled_back" => {
            "mend what failed, then `wavegate deploy` again; the manifest still wants the new versions"
        }
        "busy" => "`wavegate status` shows the release that runs; deploy again when it has ended",
        "stuck" => "do the above, then `wavegate status`; `wavegate rollback` puts back the rest",
        "frozen" => "`wavegate status` shows where it stands; `wavegate rollback` puts it back",
        "fenced" => "`wavegate status` shows what the new owner does",
        "interrupted" => "`wavegate status` shows where it stands; `wavegate rollback` puts it back",
        _ => "`wavegate status` shows where it stands",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn a_first_deploy() {
        insta::assert_snapshot!(summary(&State::of(&Script::first_deploy())), @"");
    }

    #[test]
    fn a_canary_that_went_well() {
        insta::assert_snapshot!(summary(&State::of(&Script::canary())), @"");
    }

    #[test]
    fn an_alarm_that_put_it_back() {
        insta::assert_snapshot!(summary(&State::of(&Script::alarm_rolls_back())), @"");
    }

    #[test]
    fn stuck() {
        insta::assert_snapshot!(summary(&State::of(&Script::stuck())), @"");
    }

    #[test]
    fn contested() {
        insta::assert_snapshot!(summary(&State::of(&Script::contested())), @"");
    }

    #[test]
    fn nothing_changed() {
        insta::assert_snapshot!(summary(&State::of(&Script::nothing_changed())), @"");
    }

    #[test]
    fn a_recording_that_breaks_off() {
        let records = Script::canary();
        let middle = records.iter().position(|r| r.elapsed_ms >= 200_000).unwrap();
        insta::assert_snapshot!(summary(&State::of(&records[..middle])), @"");
    }

    #[test]
    fn writes_are_told_from_reads() {
        for (operation, write) in [
            ("UpdateAlias", true),
            ("lambda:PublishVersion", true),
            ("PutMetricAlarm", true),
            ("GetAlias", false),
            ("lambda:ListAliases", false),
            ("Invoke", false),
        ] {
            assert_eq!(is_write(operation), write, "{operation}");
        }
    }
}
