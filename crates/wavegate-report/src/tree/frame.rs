//! A release as a tree of at most so many lines.

use super::Screen;
use crate::moment::{elapsed, utc_time};
use crate::sentence::{span, versions};
use crate::state::{Alarm, Deployment, Finished, Function, Hook, Stage, State};
use crate::style::{Charset, Icon, Line, Style, Tone};

/// The narrowest and widest column of names.
const NAME: std::ops::RangeInclusive<usize> = 12..=40;

/// Columns of the status, weights and bake behind the name.
const STATUS: usize = 16;
const SET: usize = 8;
const ACTUAL: usize = 8;
const BAKE: usize = 8;

/// How much is shown, most first: the next one is tried when a frame is taller than the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// Everything.
    Full,
    /// No hooks that passed, no alarms that are quiet.
    Trouble,
    /// Waves that are all settled or all waiting are one line.
    Waves,
    /// Only functions that move or need a person.
    Moving,
}

const DETAILS: [Detail; 4] = [Detail::Full, Detail::Trouble, Detail::Waves, Detail::Moving];

/// One row of the tree.
struct Row {
    name: Line,
    icon: Option<Icon>,
    word: String,
    set: String,
    actual: String,
    bake: String,
    info: String,
}

/// The release as it stands at `now_ms` on its own clock: at most `screen.height - 1` lines (the
/// cursor needs one) of at most `screen.width` columns.
pub fn frame(state: &State, now_ms: u64, style: Style, screen: Screen) -> Vec<String> {
    let now_ms = state.finished.as_ref().map_or(now_ms.max(state.now_ms), |f| f.at_ms);
    let room = screen.height.saturating_sub(1).max(1);
    let mut lines = Vec::new();
    for detail in DETAILS {
        lines = head(state, now_ms, style);
        lines.extend(table(&rows(state, now_ms, style.charset, detail), screen));
        if lines.len() <= room {
            break;
        }
    }
    if lines.len() > room {
        let hidden = lines.len() - room + 1;
        lines.truncate(room.saturating_sub(1));
        let mut more = Line::new();
        more.push(Tone::Dim, format!("... {hidden} more lines"));
        lines.push(more);
    }
    lines.iter().map(|line| line.render_cut(style, screen.width)).collect()
}

fn head(state: &State, now_ms: u64, style: Style) -> Vec<Line> {
    let mut release = Line::new();
    release.text("Release:").until(10);
    release.push(Tone::Strong, format!("{} r{}", state.app, state.number));
    release.text(format!("  started {}", utc_time(state.started_ms)));
    release.text(format!("  elapsed {}", elapsed(state.elapsed_ms(now_ms))));
    if state.finished.is_none() {
        release.text(format!("  worst case {}", span(state.worst_ms)));
    }
    if !state.target.is_empty() {
        release.push(Tone::Dim, format!("  on {} by {}", state.target, state.owner));
    }
    let (icon, word, why) = standing(state);
    let mut status = Line::new();
    status.text("Status:").until(10);
    status.push(icon.tone(), format!("{} {word}", icon.glyph(style.charset)));
    if !state.functions.is_empty() && state.aborting.is_none() {
        status.text(format!("  {}/{} done", state.done(), state.functions.len()));
    }
    if let Some(why) = why {
        status.text("  ").text(why);
    }
    let mut lines = vec![release, status];
    if let Some(by) = state.paused.as_ref().filter(|_| state.finished.is_none()) {
        let mut paused = Line::new();
        paused.text("Paused:").until(10);
        let icon = Icon::Paused;
        paused.push(icon.tone(), format!("{} by {by}", icon.glyph(style.charset)));
        lines.push(paused);
    }
    if let Some(reason) = state.blind.as_ref().filter(|_| state.finished.is_none()) {
        let mut blind = Line::new();
        blind.text("Watch:").until(10);
        let icon = Icon::Unknown;
        blind.push(icon.tone(), format!("{} Blind", icon.glyph(style.charset)));
        blind.text("  ").text(reason);
        lines.push(blind);
    }
    lines.push(Line::new());
    lines
}

/// The release's icon, word and reason.
fn standing(state: &State) -> (Icon, &str, Option<&str>) {
    if let Some(finished) = &state.finished {
        let icon = match finished.outcome.as_str() {
            _ if state.ended_well() => Icon::Good,
            "frozen" => Icon::Paused,
            "interrupted" | "fenced" => Icon::Warning,
            _ => Icon::Bad,
        };
        let reason = finished.reason.as_deref();
        let reason = reason.or(state.aborting.as_ref().map(|a| a.reason.as_str()));
        let reason = reason.filter(|_| icon != Icon::Good);
        return (icon, ended_word(finished), reason);
    }
    if let Some(aborting) = &state.aborting {
        return (Icon::Warning, "Rolling back", Some(&aborting.reason));
    }
    if state.lock.is_none() && !state.barrier {
        return (Icon::Moving, "Starting", None);
    }
    let moving = state.functions.values().any(|f| f.stage.is_moving());
    match (state.barrier, moving) {
        (false, _) => (Icon::Moving, "Preparing", None),
        (true, true) => (Icon::Moving, "Moving traffic", None),
        (true, false) => (Icon::Waiting, "Between functions", None),
    }
}

fn ended_word(finished: &Finished) -> &str {
    match finished.outcome.as_str() {
        "done" => "Done",
        "nothing_changed" if finished.reason.is_some() => "Failed, nothing was changed",
        "nothing_changed" => "Done, nothing had changed",
        "rolled_back" => "Rolled back",
        "busy" => "Busy",
        "stuck" => "Stuck",
        "frozen" => "Frozen",
        "fenced" => "Fenced",
        "interrupted" => "Interrupted",
        other => other,
    }
}

fn table(rows: &[Row], screen: Screen) -> Vec<Line> {
    let widest = rows.iter().map(|row| row.name.columns()).max().unwrap_or(0);
    // A narrow screen keeps half of its columns for the rest.
    let most = (screen.width / 2).clamp(*NAME.start(), *NAME.end());
    let name = widest.clamp(*NAME.start(), most) + 2;
    let columns = [name, name + STATUS, name + STATUS + SET, name + STATUS + SET + ACTUAL];
    let info = columns[3] + BAKE;
    let mut head = Line::new();
    head.push(Tone::Dim, "NAME").until(columns[0]).push(Tone::Dim, "STATUS");
    head.until(columns[1]).push(Tone::Dim, "SET");
    head.until(columns[2]).push(Tone::Dim, "ACTUAL");
    head.until(columns[3]).push(Tone::Dim, "BAKE").until(info).push(Tone::Dim, "INFO");
    let mut lines = vec![head];
    for row in rows {
        let mut line = row.name.clone();
        line.clip(name - 2).until(columns[0]);
        line.push(row.icon.map_or(Tone::Plain, Icon::tone), &row.word);
        line.until(columns[1]).text(&row.set).until(columns[2]).text(&row.actual);
        line.until(columns[3]).text(&row.bake).until(info).text(&row.info);
        lines.push(line);
    }
    lines
}

/// The branches of a tree.
struct Branches {
    fork: &'static str,
    last: &'static str,
    pass: &'static str,
    gap: &'static str,
}

const fn branches(charset: Charset) -> Branches {
    match charset {
        Charset::Unicode => {
            Branches { fork: "├──", last: "└──", pass: "│  ", gap: "   " }
        }
        Charset::Ascii => Branches { fork: "|--", last: "`--", pass: "|  ", gap: "   " },
    }
}

/// A node, before branches are drawn.
struct Node {
    row: Row,
    children: Vec<Node>,
}

fn rows(state: &State, now_ms: u64, charset: Charset, detail: Detail) -> Vec<Row> {
    let mut nodes: Vec<Node> = Vec::new();
    for (at, wave) in state.waves.iter().enumerate() {
        nodes.push(wave_node(state, at, wave, now_ms, charset, detail));
    }
    let known = |name: &&String| state.waves.iter().flatten().any(|w| w == *name);
    let strays: Vec<String> = state.functions.keys().filter(|n| !known(n)).cloned().collect();
    for name in &strays {
        nodes.extend(function_node(state, name, now_ms, charset, detail));
    }
    if !state.unchanged.is_empty() {
        let mut row = Row::named(Tone::Dim, "unchanged");
        row.status(Icon::Same, &format!("{} kept", state.unchanged.len()), charset);
        row.info = state.unchanged.join(", ");
        nodes.push(Node { row, children: Vec::new() });
    }
    let mut root = Row::named(Tone::Strong, &state.app);
    if !state.alias.is_empty() {
        root.info = format!("alias {}", state.alias);
    }
    let mut out = vec![root];
    draw(nodes, "", &branches(charset), &mut out);
    out
}

fn draw(nodes: Vec<Node>, indent: &str, branches: &Branches, out: &mut Vec<Row>) {
    let count = nodes.len();
    for (at, Node { mut row, children }) in nodes.into_iter().enumerate() {
        let is_last = at + 1 == count;
        let branch = if is_last { branches.last } else { branches.fork };
        row.name.prepend(Tone::Dim, format!("{indent}{branch} "));
        out.push(row);
        let below = format!("{indent}{} ", if is_last { branches.gap } else { branches.pass });
        draw(children, &below, branches, out);
    }
}

fn wave_node(
    state: &State,
    at: usize,
    wave: &[String],
    now_ms: u64,
    charset: Charset,
    detail: Detail,
) -> Node {
    let mut row = Row::named(Tone::Plain, &format!("wave {}", at + 1));
    let functions: Vec<&Function> = wave.iter().filter_map(|n| state.functions.get(n)).collect();
    let done = functions.iter().filter(|f| is_good(f)).count();
    let waiting = functions.iter().filter(|f| is_waiting(f)).count();
    let folded = detail >= Detail::Waves && functions.iter().all(|f| is_good(f) || is_waiting(f));
    if folded && done == functions.len() {
        row.status(Icon::Good, &format!("{done} done"), charset);
    } else if folded {
        row.status(Icon::Waiting, &format!("{waiting} waiting"), charset);
    } else if detail == Detail::Moving && done + waiting > 0 {
        row.info = format!("{done} done, {waiting} waiting");
    }
    let hidden = |name: &&String| match state.functions.get(*name) {
        Some(f) => folded || (detail == Detail::Moving && (is_good(f) || is_waiting(f))),
        None => true,
    };
    let children = wave
        .iter()
        .filter(|name| !hidden(name))
        .filter_map(|name| function_node(state, name, now_ms, charset, detail))
        .collect();
    Node { row, children }
}

fn is_good(function: &Function) -> bool {
    matches!(function.stage, Stage::Done | Stage::Unchanged)
}

fn is_waiting(function: &Function) -> bool {
    matches!(function.stage, Stage::Waiting | Stage::Preparing) && function.suspect.is_none()
}

fn function_node(
    state: &State,
    name: &str,
    now_ms: u64,
    charset: Charset,
    detail: Detail,
) -> Option<Node> {
    let function = state.functions.get(name)?;
    let mut row = Row::named(Tone::Plain, name);
    let (icon, word) = function_word(state, name, function);
    row.status(icon, word, charset);
    if function.action != "first" && (function.moved_ms.is_some() || function.stage.is_moving()) {
        row.set = function.set.to_string();
        row.actual = function.actual.to_string();
    }
    if let Some(until) = function.bake_until_ms.filter(|_| function.stage.is_moving()) {
        row.bake = elapsed(until.saturating_sub(now_ms));
    }
    row.info = info(state, function, now_ms);
    let mut children = Vec::new();
    let open = function.stage.is_moving() || function.stage == Stage::Stuck;
    let hook_open = |h: &&Hook| {
        h.state == "failed" || (open && (detail == Detail::Full || h.state != "passed"))
    };
    let alarm_open = |a: &&Alarm| {
        let red = matches!(a.status.as_deref(), Some("firing" | "missing"));
        let quiet = a.status.as_deref().is_none_or(|s| s == "ok");
        red || (open && (detail == Detail::Full || !quiet))
    };
    // One that went well says no more than the function does.
    let deployment_open = |d: &&Deployment| {
        d.status != "Succeeded" || d.is_rollback || (open && detail == Detail::Full)
    };
    let deployments = function.deployments.iter().filter(deployment_open);
    children.extend(deployments.map(|d| deployment_node(d, charset)));
    children.extend(function.hooks.iter().filter(hook_open).map(|h| hook_node(h, charset)));
    children.extend(function.alarms.iter().filter(alarm_open).map(|a| alarm_node(a, charset)));
    Some(Node { row, children })
}

fn function_word(state: &State, name: &str, function: &Function) -> (Icon, &'static str) {
    let is_culprit = state.aborting.as_ref().is_some_and(|a| a.culprit.as_deref() == Some(name));
    match function.stage {
        _ if function.contested.is_some() => (Icon::Bad, "Contested"),
        now if function.suspect.is_some() && !now.is_settled() => (Icon::Warning, "Looking again"),
        Stage::Preparing => (Icon::Moving, "Preparing"),
        Stage::Waiting => (Icon::Waiting, "Waiting"),
        Stage::PreTraffic => (Icon::Moving, "Pre-traffic"),
        Stage::Shifting if function.is_paused => (Icon::Paused, "Paused"),
        Stage::Shifting => (Icon::Moving, "Shifting"),
        Stage::Promoting => (Icon::Moving, "Promoting"),
        Stage::PostTraffic => (Icon::Moving, "Post-traffic"),
        Stage::Baking => (Icon::Moving, "Baking"),
        Stage::Done => (Icon::Good, "Promoted"),
        Stage::Unchanged => (Icon::Same, "Unchanged"),
        Stage::RollingBack => (Icon::Warning, "Rolling back"),
        Stage::RolledBack if is_culprit => (Icon::Bad, "Rolled back"),
        Stage::RolledBack => (Icon::Neutral, "Rolled back"),
        Stage::Kept => (Icon::Neutral, "Kept"),
        Stage::Stuck => (Icon::Bad, "Stuck"),
        Stage::Other => (Icon::Unknown, "Unknown"),
    }
}

fn info(state: &State, function: &Function, now_ms: u64) -> String {
    let mut parts = vec![versions(function.stable, function.candidate)];
    match function.stage {
        Stage::Preparing => parts.extend(function.preparing.clone()),
        Stage::Waiting => parts.push(needs(state, function)),
        Stage::Done => {
            parts.extend(function.took_ms(now_ms).map(|ms| format!("in {}", elapsed(ms))));
        }
        Stage::RolledBack => parts.push(match function.put_back {
            Some(Some(version)) => format!("serves v{version}"),
            Some(None) => "no alias, as before".to_owned(),
            None => "never moved".to_owned(),
        }),
        _ if function.is_paused => {
            parts.extend(function.waiting_on.as_ref().map(|on| format!("to approve: {on}")));
        }
        _ => parts.extend(function.waiting_on.as_ref().map(|on| format!("held: {on}"))),
    }
    if let Some(now) = function.contested.as_ref().or(function.suspect.as_ref()) {
        parts.push(now.clone());
    }
    if let Some(stuck) = &function.stuck {
        parts.push(stuck.reason.clone());
    }
    let errors = |(version, served): (&String, &wavegate_engine::event::Served)| {
        crate::sentence::served(version, *served)
    };
    if function.stage.is_moving() {
        let candidate = function.candidate.map(|v| v.to_string());
        let served = candidate.and_then(|v| function.served.get_key_value(&v));
        parts.extend(served.map(errors));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("  ")
}

fn needs(state: &State, function: &Function) -> String {
    let open = |name: &&String| {
        state
            .functions
            .get(*name)
            .is_none_or(|f| !matches!(f.stage, Stage::Done | Stage::Unchanged))
    };
    let open: Vec<&str> = function.depends_on.iter().filter(open).map(String::as_str).collect();
    match (&function.waiting_on, open.is_empty()) {
        (_, false) => format!("needs {}", open.join(", ")),
        (Some(on), true) => format!("held: {on}"),
        (None, true) => String::new(),
    }
}

fn hook_node(hook: &Hook, charset: Charset) -> Node {
    let (icon, word) = match hook.state.as_str() {
        "running" => (Icon::Moving, "Running"),
        "retrying" => (Icon::Waiting, "Not yet"),
        "passed" => (Icon::Good, "Passed"),
        "failed" => (Icon::Bad, "Failed"),
        _ => (Icon::Unknown, "Unknown"),
    };
    let mut row = Row::named(Tone::Plain, &format!("hook {}", hook.name));
    row.status(icon, word, charset);
    row.info = match hook.state.as_str() {
        "running" => hook.phase.clone(),
        _ => format!("{}  {}  {}", hook.phase, span(hook.took_ms), hook.detail.trim()),
    };
    Node { row, children: Vec::new() }
}

fn deployment_node(deployment: &Deployment, charset: Charset) -> Node {
    let (icon, word) = match deployment.status.as_str() {
        "Created" | "Queued" | "Ready" => (Icon::Waiting, "Starting"),
        "InProgress" | "Baking" => (Icon::Moving, "Running"),
        "Succeeded" => (Icon::Good, "Succeeded"),
        "Failed" => (Icon::Bad, "Failed"),
        "Stopped" => (Icon::Bad, "Stopped"),
        _ => (Icon::Unknown, "Unknown"),
    };
    let what = if deployment.is_rollback { "rollback" } else { "deployment" };
    let mut row = Row::named(Tone::Plain, &format!("{what} {}", deployment.id));
    row.status(icon, word, charset);
    let step = deployment.step.as_ref().map(|(step, status)| format!("{step} {status}"));
    let parts: Vec<String> = step.into_iter().chain(deployment.message.clone()).collect();
    row.info = parts.join("  ");
    Node { row, children: Vec::new() }
}

fn alarm_node(alarm: &Alarm, charset: Charset) -> Node {
    let (icon, word) = match alarm.status.as_deref() {
        None => (Icon::Waiting, "Not read yet"),
        Some("ok") => (Icon::Good, "OK"),
        Some("firing") => (Icon::Bad, "Firing"),
        Some("missing") => (Icon::Bad, "Missing"),
        Some(_) => (Icon::Unknown, "Unknown"),
    };
    let mut row = Row::named(Tone::Plain, &format!("alarm {}", alarm.name));
    row.status(icon, word, charset);
    row.info.clone_from(&alarm.detail);
    Node { row, children: Vec::new() }
}

impl Row {
    fn named(tone: Tone, name: &str) -> Self {
        let mut line = Line::new();
        line.push(tone, name);
        Self {
            name: line,
            icon: None,
            word: String::new(),
            set: String::new(),
            actual: String::new(),
            bake: String::new(),
            info: String::new(),
        }
    }

    fn status(&mut self, icon: Icon, word: &str, charset: Charset) {
        self.icon = Some(icon);
        self.word = format!("{} {word}", icon.glyph(charset));
    }
}
