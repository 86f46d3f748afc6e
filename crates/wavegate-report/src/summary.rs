//! What a release did, in a few lines at its end.
//!
//! ASCII and uncoloured, never cut: it is copied into tickets, and holds commands.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wavegate_engine::event::Served;

use crate::moment::elapsed;
use crate::sentence::{all_served, is_left, outcome_words, versions};
use crate::state::{Function, Stage, State};
use crate::style::{Line, Style, rendered, width};

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
    rendered(&out, Style::PLAIN)
}

/// The column where entries begin.
const ENTRY: usize = 12;

fn entry(title: &str, text: impl std::fmt::Display, out: &mut Vec<Line>) {
    let mut line = Line::new();
    line.text("  ").text(title).until(ENTRY).text(text);
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
        let _ = write!(text, " and {more} more");
    }
    entry(title, text, out);
}

fn requests(state: &State, out: &mut Vec<Line>) {
    let changed = state.functions.iter().map(|(name, function)| (name, &function.served));
    let served: BTreeMap<&String, &BTreeMap<String, Served>> = changed
        .chain(&state.bystanders)
        .filter(|(_, served)| served.values().any(|s| s.invocations > 0))
        .collect();
    let column = served.keys().map(|name| width(name)).max().unwrap_or(0);
    let rows = served
        .iter()
        .map(|(name, served)| format!("{name:column$}  {}", all_served(served)))
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
        if each.is_empty() {
            format!("no {title}")
        } else {
            format!("{sum} {title}: {}", each.join(", "))
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
    let rows =
        finished.aliases.iter().map(|(name, now)| format!("{name:column$}  {now}")).collect();
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

/// Whether something was served before that a rollback could put back.
fn has_predecessor(state: &State) -> bool {
    state.functions.values().any(|f| f.stage == Stage::Done && f.stable.is_some())
}

fn reason(state: &State) -> Option<&str> {
    state.finished.as_ref()?.reason.as_deref()
}

fn next(state: &State) -> &'static str {
    match outcome(state) {
        "done" if !has_predecessor(state) => "`wavegate status` shows what each alias serves",
        "done" => "`wavegate rollback` puts the app back as it was before",
        "nothing_changed" if !state.ended_well() => "mend it, then `wavegate deploy` again",
        "nothing_changed" => "nothing: every function serves what the manifest says",
        "rolled_back" => {
            "mend what failed, then `wavegate deploy` again; the manifest still wants the new versions"
        }
        "busy" => "`wavegate status` shows the release that runs; deploy again when it has ended",
        "stuck" => "do the above, then `wavegate status`; `wavegate recover` puts back the rest",
        "frozen" if is_left(reason(state)) => {
            "`wavegate status` shows it, `wavegate deploy` picks it up, `wavegate abort` stops it and puts it back"
        }
        "frozen" | "interrupted" => {
            "`wavegate status` shows where it stands; `wavegate recover` puts it back"
        }
        "fenced" => "`wavegate status` shows what the new owner does",
        _ => "`wavegate status` shows where it stands",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn a_first_deploy() {
        insta::assert_snapshot!(summary(&State::of(&Script::first_deploy())), @r"
        shop r1: done, after 11s
          changed   auth      first v1  4s
                    checkout  first v1  1s
          API calls 52 in all
                    10 writes: UpdateAlias 8, PublishVersion 2
                    42 reads and invokes: GetAlias 31, GetFunction 9, Invoke 2
          next      `wavegate status` shows what each alias serves
        ");
    }

    #[test]
    fn a_canary_that_went_well() {
        insta::assert_snapshot!(summary(&State::of(&Script::canary())), @r"
        shop r42: done, after 9m50s
          changed   auth      v17 -> v18  2m12s
                    checkout  v8 -> v9  6m05s
                    notify    v4 -> v5  1m15s
          same      search
          unchanged cart, catalog
          requests  checkout  v8 served 2712, none failed; v9 served 1604, 2 failed (0.1%); v10 served 1, none failed
          API calls 52 in all
                    10 writes: UpdateAlias 8, PublishVersion 2
                    42 reads and invokes: GetAlias 31, GetFunction 9, Invoke 2
          next      `wavegate rollback` puts the app back as it was before
        ");
    }

    #[test]
    fn an_alarm_that_put_it_back() {
        insta::assert_snapshot!(summary(&State::of(&Script::alarm_rolls_back())), @r"
        shop r43: rolled back, after 3m42s
          reason    alarm errors of checkout is firing: Errors 7% > 1% (n=71)
          failed    checkout
          changed   auth      v17 -> v18, put back on v17  3m34s
                    checkout  v8 -> v9, put back on v8  1m20s
                    notify    v4 -> v5, never moved
          same      search
          unchanged cart, catalog
          requests  checkout  v8 served 700, none failed; v9 served 71, 5 failed (7.0%)
          API calls 52 in all
                    10 writes: UpdateAlias 8, PublishVersion 2
                    42 reads and invokes: GetAlias 31, GetFunction 9, Invoke 2
          aliases   auth      version 17
                    checkout  version 8
                    notify    version 4
          next      mend what failed, then `wavegate deploy` again; the manifest still wants the new versions
        ");
    }

    #[test]
    fn stuck() {
        insta::assert_snapshot!(summary(&State::of(&Script::stuck())), @r"
        shop r44: stuck (a person is needed), after 3m33s
          reason    alarms of checkout could not be read for 10m
          failed    checkout
          changed   auth      v17 -> v18, put back on v17  3m27s
                    checkout  v8 -> v9, stuck: UpdateAlias: AccessDeniedException: not authorized  1m14s
                    notify    v4 -> v5, never moved
          same      search
          unchanged cart, catalog
          requests  checkout  v8 served 341, none failed; v9 served 36, none failed
          API calls 52 in all
                    10 writes: UpdateAlias 8, PublishVersion 2
                    42 reads and invokes: GetAlias 31, GetFunction 9, Invoke 2
          aliases   auth      version 17
                    checkout  version 8 and 10% on version 9
                    notify    version 4
          to do     checkout (AccessDeniedException): to put it back, run: aws lambda update-alias --function-name checkout --name live --function-version 8 --routing-config 'AdditionalVersionWeights={}'
          next      do the above, then `wavegate status`; `wavegate recover` puts back the rest
        ");
    }

    #[test]
    fn contested() {
        insta::assert_snapshot!(summary(&State::of(&Script::contested())), @r"
        shop r45: stuck (a person is needed), after 3m37s
          reason    somebody else changed alias live of checkout: it serves version 8 and 50% on version 9
          failed    checkout
          changed   auth      v17 -> v18, put back on v17  3m31s
                    checkout  v8 -> v9, contested: it serves version 8 and 50% on version 9  1m18s
                    notify    v4 -> v5, never moved
          same      search
          unchanged cart, catalog
          requests  checkout  v8 served 341, none failed; v9 served 36, none failed
          API calls 52 in all
                    10 writes: UpdateAlias 8, PublishVersion 2
                    42 reads and invokes: GetAlias 31, GetFunction 9, Invoke 2
          aliases   auth      version 17
                    checkout  version 8 and 50% on version 9
                    notify    version 4
          to do     checkout (somebody else changed it: it serves version 8 and 50% on version 9): to put it back, run: aws lambda update-alias --function-name checkout --name live --function-version 8 --routing-config 'AdditionalVersionWeights={}'
          next      do the above, then `wavegate status`; `wavegate recover` puts back the rest
        ");
    }

    #[test]
    fn nothing_changed() {
        insta::assert_snapshot!(summary(&State::of(&Script::nothing_changed())), @r"
        shop r46: done (nothing had changed), after 0s
          API calls 12 in all
                    no writes
                    12 reads and invokes: GetFunction 6, ListAliases 6
          next      nothing: every function serves what the manifest says
        ");
    }

    #[test]
    fn a_recording_that_breaks_off() {
        let records = Script::canary();
        let middle = records.iter().position(|r| r.elapsed_ms >= 200_000).unwrap();
        insta::assert_snapshot!(summary(&State::of(&records[..middle])), @r"
        shop r42: has not ended, after 2m50s
          changed   auth      v17 -> v18  2m12s
                    checkout  v8 -> v9, in the middle at 10%  33s
                    notify    v4 -> v5, not begun
          same      search
          unchanged cart, catalog
          requests  checkout  v8 served 341, none failed; v9 served 36, none failed
          next      `wavegate status` shows where it stands
        ");
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
