//! Every event as one sentence, in Flagger's manner: the verb first, and the measured value, the
//! comparator and the threshold in the same line.
//!
//! Used by the plain lines and, for what matters most, above the live tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use wavegate_core::release::LEFT;
use wavegate_core::time::human;
use wavegate_core::weight::Weight;
use wavegate_engine::event::{Event, FunctionStart, Record, Served};

use crate::moment::elapsed;
use crate::state::{Function, Stage, State, function_of};
use crate::style::{Line, Tone};

/// What one event says.
#[derive(Debug)]
pub(crate) struct Sentence {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    /// Worth a line of its own even beside a live tree.
    pub(crate) important: bool,
}

/// The sentence of an event, given the state after it. `None`: another event says the same.
pub(crate) fn sentence(record: &Record, state: &State) -> Option<Sentence> {
    let function = function_of(&record.event).and_then(|name| state.functions.get(name));
    let (tone, text) = match (&record.event, function) {
        (Event::Traffic { served, .. }, _) => (Tone::Dim, all_served(served)),
        (event, Some(function)) => about_function(event, function)?,
        (_, None) => about_release(record)?,
    };
    Some(Sentence { tone, text, important: is_important(&record.event) })
}

/// A sentence as a line: `[ 1m05s] checkout  advance weight 0% -> 10%`.
pub(crate) fn line(record: &Record, sentence: &Sentence, column: usize) -> Line {
    let subject = function_of(&record.event).unwrap_or(&record.app);
    let mut line = Line::new();
    line.push(Tone::Dim, format!("[{:>6}]", elapsed(record.elapsed_ms)))
        .text(" ")
        .push(Tone::Strong, subject)
        .until(SUBJECT + column + 2)
        .push(sentence.tone, &sentence.text);
    line
}

/// Where the function's name begins.
const SUBJECT: usize = "[ 1m05s] ".len();

/// A weight in basis points, for people.
pub(crate) fn percent(bp: u16) -> String {
    Weight::from_bp(bp).unwrap_or(Weight::FULL).to_string()
}

/// A span of milliseconds, for people.
pub(crate) fn span(ms: u64) -> String {
    human(Duration::from_millis(ms)).to_string()
}

/// `17` as `v17`; anything else as it is.
pub(crate) fn version_word(version: &str) -> String {
    let digits = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
    if digits { format!("v{version}") } else { version.to_owned() }
}

/// What somebody asked for: `pause, as bob asked: looks odd`.
fn ordered(verb: &str, function: Option<&str>, by: &str, reason: &str) -> String {
    let about = function.map(|name| format!(" {name}")).unwrap_or_default();
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{verb}{about}, as {by} asked{why}")
}

/// What changes from what to what: `v17 -> v18`.
pub(crate) fn versions(stable: Option<u64>, candidate: Option<u64>) -> String {
    match (stable, candidate) {
        (Some(stable), Some(candidate)) => format!("v{stable} -> v{candidate}"),
        (None, Some(candidate)) => format!("first v{candidate}"),
        (Some(stable), None) => format!("v{stable}"),
        (None, None) => "first".to_owned(),
    }
}

/// Requests served by one version: `v18 served 13, 1 failed (7.7%)`.
pub(crate) fn served(version: &str, served: Served) -> String {
    let Served { invocations, errors } = served;
    let failed = match failed_share(served) {
        Some(share) => format!("{errors} failed ({share})"),
        None => "none failed".to_owned(),
    };
    format!("{} served {invocations}, {failed}", version_word(version))
}

fn failed_share(Served { invocations, errors }: Served) -> Option<String> {
    if errors == 0 || invocations == 0 {
        return None;
    }
    let tenths = (errors.saturating_mul(2_000) / invocations).div_ceil(2);
    Some(match tenths {
        0 => "under 0.1%".to_owned(),
        _ => format!("{}.{}%", tenths / 10, tenths % 10),
    })
}

pub(crate) fn all_served(by_version: &BTreeMap<String, Served>) -> String {
    let mut versions: Vec<_> = by_version.iter().collect();
    // Version 9 comes before version 10.
    versions.sort_by_key(|(version, _)| (version.parse::<u64>().unwrap_or(u64::MAX), *version));
    versions.into_iter().map(|(v, s)| served(v, *s)).collect::<Vec<_>>().join("; ")
}

fn is_important(event: &Event) -> bool {
    match event {
        Event::Aborting { .. }
        | Event::Approved { .. }
        | Event::Blind { .. }
        | Event::Contested { .. }
        | Event::Entered { .. }
        | Event::Ordered { .. }
        | Event::Suspended { .. }
        | Event::Note { .. }
        | Event::Stuck { .. }
        | Event::Suspect { .. } => true,
        Event::Alarm { status, .. } => matches!(status.as_str(), "firing" | "missing"),
        Event::Deployment { status, .. } => matches!(status.as_str(), "Failed" | "Stopped"),
        Event::Hook { state, .. } => state == "failed",
        Event::Waiting { approval, .. } => *approval,
        _ => false,
    }
}

fn about_release(record: &Record) -> Option<(Tone, String)> {
    Some(match &record.event {
        Event::Started { target, owner, alias, waves, unchanged, expected_ms, worst_ms } => {
            let mut text = format!(
                "release r{} starts on {target}, alias {alias}, by {owner}; about {}, at worst {}",
                record.number,
                span(*expected_ms),
                span(*worst_ms)
            );
            text.push_str(&wave_list(waves));
            if !unchanged.is_empty() {
                text.push_str("; unchanged: ");
                text.push_str(&unchanged.join(", "));
            }
            (Tone::Plain, text)
        }
        Event::Locked { anchor, epoch } => {
            (Tone::Dim, format!("lock held on {anchor}, epoch {epoch}"))
        }
        Event::Entered { before, goes_on } => {
            let what = if *goes_on { "goes on" } else { "goes back" };
            (Tone::Warn, format!("taken over, {what}: {before}"))
        }
        Event::Suspended { span_ms } => {
            let text = format!("asleep for {}: proves its lock anew", span(*span_ms));
            (Tone::Warn, text)
        }
        Event::Ordered { verb, function, by, reason } => {
            (Tone::Warn, ordered(verb, function.as_deref(), by, reason))
        }
        Event::Barrier => (Tone::Plain, "every alias is claimed: traffic may move".to_owned()),
        Event::Blind { reason } => (Tone::Warn, format!("blind: {reason}")),
        Event::Aborting { culprit, reason } => {
            // The reason names the function too: once is enough.
            let culprit = culprit.as_deref().unwrap_or_default();
            let own = reason.strip_prefix(culprit).and_then(|rest| rest.strip_prefix(": "));
            let text = match own.filter(|_| !culprit.is_empty()) {
                Some(own) => format!("rolling back, {culprit} failed: {own}"),
                None if culprit.is_empty() => format!("rolling back: {reason}"),
                None => format!("rolling back, {culprit} failed: {reason}"),
            };
            (Tone::Bad, text)
        }
        Event::Retry { object, reason } => (Tone::Dim, format!("try again: {object}: {reason}")),
        Event::Note { text } => (Tone::Plain, format!("note: {text}")),
        Event::Finished { outcome, reason, todo, .. } => {
            finished(record, outcome, reason.as_deref(), todo)
        }
        _ => return None,
    })
}

fn wave_list(waves: &[Vec<FunctionStart>]) -> String {
    let names = |wave: &Vec<FunctionStart>| {
        wave.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut text = String::new();
    for (at, wave) in waves.iter().enumerate() {
        let _ = write!(text, "; wave {}: {}", at + 1, names(wave));
    }
    text
}

fn finished(
    record: &Record,
    outcome: &str,
    reason: Option<&str>,
    todo: &[String],
) -> (Tone, String) {
    let (tone, words) = outcome_words(outcome, reason);
    let mut text = format!("release {words} after {}", elapsed(record.elapsed_ms));
    if let Some(reason) = reason {
        text.push_str(": ");
        text.push_str(reason);
    }
    for item in todo {
        text.push_str("; to do: ");
        text.push_str(item);
    }
    (tone, text)
}

/// Whether a release that stays where it stands was left to CodeDeploy.
pub(crate) fn is_left(reason: Option<&str>) -> bool {
    reason.is_some_and(|reason| reason.contains(LEFT))
}

/// An outcome in words that follow "release".
pub(crate) fn outcome_words<'a>(outcome: &'a str, reason: Option<&str>) -> (Tone, &'a str) {
    match outcome {
        "done" => (Tone::Good, "done"),
        "nothing_changed" if reason.is_none() => (Tone::Good, "done (nothing had changed)"),
        "nothing_changed" => (Tone::Bad, "failed before anything was changed"),
        "rolled_back" => (Tone::Bad, "rolled back"),
        "busy" => (Tone::Bad, "refused (another one has the app)"),
        "stuck" => (Tone::Bad, "stuck (a person is needed)"),
        "frozen" if is_left(reason) => (Tone::Warn, "left to CodeDeploy, which goes on"),
        "frozen" => (Tone::Bad, "frozen (it stays where it stands)"),
        "fenced" => (Tone::Bad, "fenced (another owner took it over)"),
        "interrupted" => (Tone::Bad, "interrupted"),
        other => (Tone::Warn, other),
    }
}

fn about_function(event: &Event, function: &Function) -> Option<(Tone, String)> {
    Some(match event {
        Event::Phase { to, .. } => return phase(Stage::parse(to), to, function),
        Event::Preparing { step, .. } => (Tone::Dim, step.clone()),
        Event::Published { stable: Some(stable), candidate, .. } => {
            (Tone::Plain, format!("new version {candidate}, to replace {stable}"))
        }
        Event::Published { candidate, .. } => (Tone::Plain, format!("first version {candidate}")),
        Event::Unchanged { version, .. } => {
            (Tone::Dim, format!("nothing is different: stays on version {version}"))
        }
        Event::Weight { set_bp, actual_bp, before_bp, bake_ms, .. } => {
            weight(*set_bp, *actual_bp, *before_bp, *bake_ms)
        }
        Event::Waiting { on, approval: true, .. } => {
            (Tone::Warn, format!("waits for an approval: {on}"))
        }
        Event::Waiting { on, .. } => (Tone::Dim, format!("held: {on}")),
        Event::Approved { by, .. } => (Tone::Good, format!("approved by {by}: goes on")),
        Event::Hook { hook, phase, state, detail, took_ms, .. } => {
            hook_words(hook, phase, state, detail, *took_ms)
        }
        Event::Deployment { id, step, status, message, .. } => {
            deployment_words(id, step, status, message.as_deref())
        }
        Event::Alarm { alarm, status, detail, .. } => alarm_words(alarm, status, detail),
        Event::Touched { .. } => (
            Tone::Warn,
            "its alias was rewritten by somebody without a change: the bake begins again"
                .to_owned(),
        ),
        Event::Suspect { now, .. } => (
            Tone::Warn,
            format!("its alias may have been changed by somebody else, looking again: {now}"),
        ),
        Event::Contested { now, .. } => {
            (Tone::Bad, format!("its alias was changed by somebody else, hands off: {now}"))
        }
        Event::PutBack { to: Some(version), .. } => {
            (Tone::Plain, format!("put back: serves version {version}, read back"))
        }
        Event::PutBack { .. } => (Tone::Plain, "put back: no alias, as before".to_owned()),
        Event::Stuck { reason, todo, .. } => (Tone::Bad, format!("stuck: {reason}; to do: {todo}")),
        Event::Pruned { versions, .. } => {
            let list: Vec<String> = versions.iter().map(u64::to_string).collect();
            (Tone::Dim, format!("old versions deleted: {}", list.join(", ")))
        }
        _ => return None,
    })
}

fn phase(stage: Stage, word: &str, function: &Function) -> Option<(Tone, String)> {
    if function.stage != stage {
        return None;
    }
    Some(match stage {
        // Other events speak for them: steps, hooks, `Unchanged`, `Stuck`, `PutBack`.
        Stage::Preparing
        | Stage::PreTraffic
        | Stage::PostTraffic
        | Stage::Unchanged
        | Stage::Stuck
        | Stage::RolledBack => return None,
        Stage::Baking if !function.bakes() => return None,
        Stage::Waiting => (Tone::Dim, "prepared".to_owned()),
        Stage::Shifting => (Tone::Moving, format!("starting {}", function.strategy)),
        Stage::Promoting => {
            let to = function.candidate.map(|v| format!(" to version {v}")).unwrap_or_default();
            (Tone::Moving, format!("promoting{to}"))
        }
        Stage::Baking => {
            (Tone::Moving, format!("baking: alarms are watched for {}", span(function.bake_ms)))
        }
        Stage::Done => {
            let took = function.took_ms(function.stage_since_ms).map(elapsed);
            let took = took.map(|took| format!(" in {took}")).unwrap_or_default();
            let moved = versions(function.stable, function.candidate);
            (Tone::Good, format!("promotion completed{took}: {moved}"))
        }
        Stage::RollingBack => {
            let to = function.stable.map(|v| format!(" to version {v}")).unwrap_or_default();
            (Tone::Bad, format!("rolling back{to}"))
        }
        Stage::Kept => (Tone::Warn, "left as it is".to_owned()),
        Stage::Other => (Tone::Plain, word.replace('_', " ")),
    })
}

fn weight(set: u16, actual: u16, before: u16, bake_ms: Option<u64>) -> (Tone, String) {
    let verb = if set < before { "lower" } else { "advance" };
    let mut text = format!("{verb} weight {} -> {}", percent(before), percent(set));
    if actual != set {
        let _ = write!(text, ", but {} was read back", percent(actual));
    }
    if let Some(bake) = bake_ms {
        let _ = write!(text, ", for {}", span(bake));
    }
    (if actual == set { Tone::Moving } else { Tone::Warn }, text)
}

fn hook_words(hook: &str, phase: &str, state: &str, detail: &str, took_ms: u64) -> (Tone, String) {
    let took = span(took_ms);
    let (tone, mut text) = match state {
        "running" => (Tone::Plain, format!("{phase} hook {hook} runs")),
        "retrying" => (Tone::Plain, format!("{phase} hook {hook} has no answer yet after {took}")),
        "passed" => (Tone::Good, format!("{phase} hook {hook} passed in {took}")),
        "failed" => (Tone::Bad, format!("{phase} hook {hook} failed after {took}")),
        other => (Tone::Plain, format!("{phase} hook {hook}: {other}")),
    };
    if !detail.trim().is_empty() {
        text.push_str(": ");
        text.push_str(detail);
    }
    (tone, text)
}

/// CodeDeploy's own names and words, which its console shows too.
fn deployment_words(id: &str, step: &str, status: &str, message: Option<&str>) -> (Tone, String) {
    let tone = match status {
        "Succeeded" => Tone::Good,
        "Failed" | "Stopped" => Tone::Bad,
        "Skipped" => Tone::Dim,
        _ => Tone::Plain,
    };
    let mut text = match step {
        "deployment" | "rollback" => format!("CodeDeploy {step} {id} is {status}"),
        step => format!("CodeDeploy deployment {id}: {step} is {status}"),
    };
    if let Some(message) = message.filter(|message| !message.trim().is_empty()) {
        text.push_str(": ");
        text.push_str(message);
    }
    (tone, text)
}

fn alarm_words(alarm: &str, status: &str, detail: &str) -> (Tone, String) {
    let (tone, mut text) = match status {
        "ok" => (Tone::Good, format!("alarm {alarm} is ok")),
        "firing" => (Tone::Bad, format!("alarm {alarm} is firing")),
        "missing" => (Tone::Bad, format!("alarm {alarm} does not exist")),
        "unknown" => (Tone::Warn, format!("alarm {alarm} cannot tell")),
        other => (Tone::Plain, format!("alarm {alarm}: {other}")),
    };
    if !detail.trim().is_empty() {
        text.push_str(": ");
        text.push_str(detail);
    }
    (tone, text)
}
