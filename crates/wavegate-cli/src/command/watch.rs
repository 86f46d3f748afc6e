//! `watch`: follows the release that runs, from a second terminal or another machine.
//!
//! A release that is recorded here is followed by its records, with every event; any other one by
//! what the cloud says: its lock and its aliases. Watching changes nothing, so it can be begun and
//! left at any moment.

mod follow;
mod poll;

use std::collections::BTreeMap;

use wavegate_config::Manifest;
use wavegate_core::name::FunctionName;
use wavegate_core::plan::find_lock;
use wavegate_core::spec::OnFailure;
use wavegate_core::token::{LockPhase, LockRecord};
use wavegate_engine::event::Event;
use wavegate_report::{State, safe_line, summary};

use super::history;
use crate::Context;
use crate::console::{self, Console};
use crate::error::{CliError, ErrorKind};
use crate::interrupt::{INTERRUPTED, Interrupts};
use crate::manifest;
use crate::release::{self, NEXT};
use crate::reporting::Face;
use crate::target::Stage;

use self::poll::{Head, Poll};

pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let manifest = manifest::load_alone(&context.global, &context.environment, context.console)?;
    let stage = interrupts.guard(Stage::open_bare(&manifest, &context.environment)).await?;
    let watch = Watch { console: context.console, manifest: &manifest, stage: &stage };
    let result = tokio::select! {
        result = watch.run() => result,
        name = interrupts.next() => Err(CliError::new(
            ErrorKind::Interrupted,
            INTERRUPTED,
            format!("watching was ended by {name}; the release goes on"),
        )),
    };
    stage.close().await;
    result
}

struct Watch<'a> {
    console: Console,
    manifest: &'a Manifest,
    stage: &'a Stage,
}

/// How a release ended: the word of its last event, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    outcome: String,
    reason: Option<String>,
}

impl Watch<'_> {
    async fn run(&self) -> Result<(), CliError> {
        let app = &self.manifest.app;
        let inventory = self.stage.observe(app).await?;
        let Some((anchor, _, lock)) = find_lock(app, &inventory) else {
            console::note(&format!("no release of {} is running, and none ever was", app.name));
            return Ok(());
        };
        if lock.phase.is_over() || lock.phase == LockPhase::Held {
            return self.nothing_runs(&lock);
        }
        let end = match self.follow(&anchor, &lock).await? {
            Some(end) => end,
            None => Poll::new(self, anchor, &lock).run().await?,
        };
        verdict(&format!("release {} r{}", app.name, lock.number), &end)
    }

    /// Tells how the last release ended.
    fn nothing_runs(&self, lock: &LockRecord) -> Result<(), CliError> {
        console::note(&format!("no release of {} is running; the last one:", lock.app));
        let recorded = history::open(self.manifest)
            .inspect_err(|error| self.console.warning(error))
            .ok()
            .flatten()
            .and_then(|records| records.events(&lock.release.to_string(), 0).ok())
            .unwrap_or_default();
        let events: Vec<_> = recorded.iter().filter_map(|line| line.record().ok()).collect();
        let last = events.last().filter(|last| matches!(last.event, Event::Finished { .. }));
        if self.console.is_json() {
            let told =
                || Head::new(lock, self.stage.clock.now_ms()).finished(lock, None, BTreeMap::new());
            let mut face = Face::new(self.console, self.stage.clock.scale());
            face.event(&last.cloned().unwrap_or_else(told));
            face.finish();
            return Ok(());
        }
        if last.is_some() {
            return console::data(&summary(&State::of(&events)));
        }
        let (words, by) = (outcome_words(lock), safe_line(&lock.owner));
        console::data(&format!("{} r{}: {words}, by {by}\n", lock.app, lock.number))
    }

    /// The name of a function in Lambda.
    fn lambda_name(&self, function: &FunctionName) -> FunctionName {
        let spec = self.manifest.app.functions.get(function);
        spec.map_or_else(|| function.clone(), |spec| spec.lambda_name.clone())
    }
}

/// The word of the event that a release which stands so ended with.
fn outcome_of(lock: &LockRecord) -> &'static str {
    match (lock.phase, lock.on_failure) {
        (LockPhase::Done, _) => "done",
        (LockPhase::RolledBack, _) => "rolled_back",
        (_, OnFailure::Freeze) => "frozen",
        (_, OnFailure::Rollback) => "stuck",
    }
}

fn outcome_words(lock: &LockRecord) -> &'static str {
    match outcome_of(lock) {
        "done" => "done",
        "rolled_back" => "rolled back",
        "frozen" => "frozen where it stood; `wavegate recover` puts it back",
        _ => "stuck; `wavegate status` shows where it stands",
    }
}

/// What the end of a watched release means for the exit code: the same as for who ran it.
fn verdict(label: &str, end: &End) -> Result<(), CliError> {
    use ErrorKind::{Failed, Interrupted, Refused, Stuck};
    let why = end.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let error =
        |kind, code, words: &str| Err(CliError::new(kind, code, format!("{label} {words}{why}")));
    match end.outcome.as_str() {
        "done" => Ok(()),
        "nothing_changed" if end.reason.is_none() => Ok(()),
        "nothing_changed" => {
            error(Failed, release::NOTHING_CHANGED, "failed before any traffic moved")
        }
        "rolled_back" => error(Failed, release::ROLLED_BACK, "failed and was put back"),
        "busy" => error(Refused, release::BUSY, "could not begin"),
        "stuck" => error(Stuck, release::STUCK, "could not be put back whole"),
        "frozen" => error(Stuck, release::FROZEN, "failed and stands where it stood"),
        "fenced" => error(Stuck, release::FENCED, "was taken over"),
        _ => error(Interrupted, INTERRUPTED, "is not finished"),
    }
    .map_err(|error| if error.kind == Stuck { error.hint(NEXT) } else { error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watching_ends_with_the_code_of_the_release() {
        for (outcome, reason, code) in [
            ("done", None, 0),
            ("nothing_changed", None, 0),
            ("nothing_changed", Some("denied"), 1),
            ("rolled_back", Some("alarm `errors` fires"), 1),
            ("busy", None, 3),
            ("stuck", None, 4),
            ("frozen", None, 4),
            ("fenced", None, 4),
            ("interrupted", None, 5),
            ("danced", None, 5),
        ] {
            let end = End { outcome: outcome.to_owned(), reason: reason.map(str::to_owned) };
            let ended = verdict("release shop r1", &end);
            assert_eq!(ended.map_or_else(|error| error.kind.code(), |()| 0), code, "{outcome}");
        }
    }
}
