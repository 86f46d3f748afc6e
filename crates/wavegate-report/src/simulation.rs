//! A rollout that was only played, for people and machines: what was decided when and why, and the
//! candidate's share of the traffic over time.

mod plot;

use serde_json::{Value, json};
use wavegate_core::release::Decision;
use wavegate_core::simulate::{End, Entry, Story};
use wavegate_core::time::{human, millis};

use crate::moment::elapsed;
use crate::plan_json;
use crate::plan_text::outline_words;
use crate::style::{Line, Style, Tone, rendered};

/// The format version of [`simulation_json`]'s answer, in its field `v`. Fields may be added to a
/// version.
pub const SIMULATION_FORMAT: u32 = 1;

/// A story as text: a head, the plot in at most `width` columns, one line per thing that happened,
/// and how it ended. Ends with a newline. `strategy` is what people call it.
///
/// Only the plot keeps to the width: lines are never cut.
pub fn simulation_text(strategy: &str, story: &Story, style: Style, width: usize) -> String {
    let mut head = Line::new();
    head.push(Tone::Strong, strategy).text(format!(", scenario {}", story.scenario));
    let mut promise = Line::new();
    promise.text(format!("promises {}", outline_words(&story.outline)));
    let mut lines = vec![head, promise, Line::new()];
    lines.extend(plot::lines(story, style.charset, width));
    lines.push(Line::new());
    lines.extend(story.entries.iter().map(happened));
    lines.push(ended(story));
    for trouble in &story.unmet {
        let mut line = Line::new();
        line.push(Tone::Warn, format!("note: {trouble} never came: the rollout was over before"));
        lines.push(line);
    }
    rendered(&lines, style)
}

/// A story as JSON, in basis points and milliseconds.
pub fn simulation_json(strategy: &str, story: &Story) -> Value {
    let (kind, reason) = end_words(&story.end);
    json!({
        "v": SIMULATION_FORMAT,
        "strategy": strategy,
        "scenario": story.scenario.to_string(),
        "outline": plan_json::outline(&story.outline),
        "end": { "kind": kind, "reason": reason },
        "took_ms": millis(story.took),
        "decisions": story.decisions,
        "unmet": story.unmet,
        "entries": story.entries.iter().map(entry_json).collect::<Vec<_>>(),
    })
}

/// One line: `[ 5m00s]   50%  shift to 50%`.
fn happened(entry: &Entry) -> Line {
    let mut line = Line::new();
    line.push(Tone::Dim, format!("[{:>6}]", elapsed(millis(entry.at))))
        .text(format!("  {:>5}  ", entry.weight));
    let Some(decision) = &entry.decision else {
        line.push(Tone::Warn, &entry.note);
        return line;
    };
    let (tone, words) = decided(decision);
    line.push(tone, words);
    if entry.times > 1 {
        line.push(Tone::Dim, format!(", {} times", entry.times));
    }
    if !entry.note.is_empty() {
        line.push(Tone::Warn, format!(" ({})", entry.note));
    }
    line
}

fn decided(decision: &Decision) -> (Tone, String) {
    match decision {
        Decision::Shift(weight) => (Tone::Moving, format!("shift to {weight}")),
        Decision::Wait(span) => (Tone::Plain, format!("wait {}", human(*span))),
        Decision::Pause(on) => (Tone::Warn, format!("wait for an approval: {on}")),
        Decision::Promote => (Tone::Good, "promote".to_owned()),
        Decision::Rollback(reason) => (Tone::Bad, format!("roll back: {reason}")),
    }
}

fn ended(story: &Story) -> Line {
    let after = elapsed(millis(story.took));
    let (_, reason) = end_words(&story.end);
    let reason = reason.unwrap_or_default();
    let asked = if story.decisions == 1 {
        "asked once".to_owned()
    } else {
        format!("asked {} times", story.decisions)
    };
    let (tone, words) = match &story.end {
        End::Promoted => (Tone::Good, format!("promoted after {after}")),
        End::RolledBack { .. } => (Tone::Bad, format!("rolled back after {after}: {reason}")),
        End::Paused { .. } => {
            (Tone::Warn, format!("pauses for ever, as nobody approves in this scenario: {reason}"))
        }
        End::BrokeOutline(_) => {
            (Tone::Bad, format!("broke its outline after {after} (WG335): it decided {reason}"))
        }
        End::Endless => (Tone::Bad, format!("never ends: {after}, and {asked}")),
        End::Failed { .. } => (Tone::Bad, format!("could not decide after {after}: {reason}")),
    };
    let mut line = Line::new();
    line.push(tone, words);
    if story.end != End::Endless {
        line.push(Tone::Dim, format!("; {asked}"));
    }
    line
}

/// The word for an end, and why.
fn end_words(end: &End) -> (&'static str, Option<String>) {
    match end {
        End::Promoted => ("promoted", None),
        End::RolledBack { reason } => ("rolled_back", Some(reason.clone())),
        End::Paused { on } => ("paused", Some(on.clone())),
        End::BrokeOutline(breach) => ("broke_outline", Some(breach.to_string())),
        End::Endless => ("endless", None),
        End::Failed { reason } => ("failed", Some(reason.clone())),
    }
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "at_ms": millis(entry.at),
        "weight_bp": entry.weight.bp(),
        "alarms": {
            "ok": entry.alarms.ok,
            "firing": entry.alarms.firing,
            "unknown": entry.alarms.unknown,
        },
        "decision": entry.decision.as_ref().map(decision_json),
        "times": entry.times,
        "note": entry.note,
    })
}

/// As the plugin protocol writes it.
fn decision_json(decision: &Decision) -> Value {
    match decision {
        Decision::Shift(weight) => json!({ "kind": "shift", "weight_bp": weight.bp() }),
        Decision::Wait(span) => json!({ "kind": "wait", "millis": millis(*span) }),
        Decision::Pause(reason) => json!({ "kind": "pause", "reason": reason }),
        Decision::Promote => json!({ "kind": "promote" }),
        Decision::Rollback(reason) => json!({ "kind": "rollback", "reason": reason }),
    }
}

#[cfg(test)]
mod tests;
