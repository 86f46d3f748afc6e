//! `doctor`: what is wrong with the app between its releases, all at once; and what `--heal` mends.

use std::fmt::Write as _;

use serde_json::{Value, json};
use wavegate_config::Manifest;
use wavegate_core::doctor::{Exam, Finding, Heal, Side, diagnose};
use wavegate_core::inventory::Inventory;
use wavegate_core::plan::Severity;
use wavegate_core::token::LockPhase;
use wavegate_engine::doctor::HealError;
use wavegate_report::safe_line;

use super::confirm;
use crate::Context;
use crate::args::{DoctorArgs, SideArg};
use crate::console;
use crate::error::{CliError, ErrorKind};
use crate::interrupt::Interrupts;
use crate::target::Stage;
use crate::{fault, manifest};

/// Found, and not healed.
const NOT_HEALED: &str = "WG674";
/// Healing failed.
const HEALING_FAILED: &str = "WG675";

/// The format version of the JSON answer.
const FORMAT: u32 = 1;

pub(crate) async fn run(context: &Context, args: &DoctorArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let manifest = manifest::load_alone(&context.global, &context.environment, context.console)?;
    let stage = interrupts.guard(Stage::open_bare(&manifest, &context.environment)).await?;
    let result = visit(context, args, &manifest, &stage, &mut interrupts).await;
    stage.close().await;
    result
}

async fn visit(
    context: &Context,
    args: &DoctorArgs,
    manifest: &Manifest,
    stage: &Stage,
    interrupts: &mut Interrupts,
) -> Result<(), CliError> {
    let (inventory, exam) = interrupts.guard(examine(manifest, stage)).await?;
    let side = match args.to {
        SideArg::Stable => Side::Stable,
        SideArg::Candidate => Side::Candidate,
    };
    let findings = diagnose(&manifest.app, &exam, side);
    let mut report = Report {
        app: manifest.app.name.to_string(),
        alias: manifest.app.alias.to_string(),
        target: stage.words(&inventory),
        looked_at: exam.functions.len(),
        findings: findings.into_iter().map(|finding| (finding, None)).collect(),
    };
    if args.heal {
        report.heal(context, args, stage, interrupts).await?;
    }
    if context.console.is_json() {
        console::json(&report.json())?;
    } else {
        console::data(&report.text())?;
    }
    report.end()
}

async fn examine(manifest: &Manifest, stage: &Stage) -> Result<(Inventory, Exam), CliError> {
    let told = |error| fault::engine(&error, &stage.endpoint);
    let app = &manifest.app;
    let (inventory, mut exam) = stage.engine.examine(app, &*stage.around).await.map_err(told)?;
    let Some(lock) = &mut exam.lock else { return Ok((inventory, exam)) };
    let record = &lock.record;
    if !record.phase.is_over() && record.phase != LockPhase::Held {
        console::note(&format!(
            "release {} r{} has not ended: listening for its owner {}, for 90 s at most",
            record.app, record.number, record.owner
        ));
        lock.owner = stage.engine.listen_for_owner(app, &inventory).await.map_err(told)?;
    }
    Ok((inventory, exam))
}

/// What came of a heal.
type Outcome = Result<(), HealError>;

struct Report {
    app: String,
    alias: String,
    target: String,
    looked_at: usize,
    findings: Vec<(Finding, Option<Outcome>)>,
}

impl Report {
    /// Asks once for all, then heals one after the other: each is one write.
    async fn heal(
        &mut self,
        context: &Context,
        args: &DoctorArgs,
        stage: &Stage,
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let heals: Vec<&Heal> = self.findings.iter().filter_map(|(f, _)| f.heal.as_ref()).collect();
        if heals.is_empty() {
            return Ok(());
        }
        for heal in &heals {
            console::say(&format!("{}: {}", heal.function, safe_line(&heal.words)));
        }
        let noun = if heals.len() == 1 { "this" } else { "these" };
        let question = format!("Do {noun} to {} on {}?", self.app, self.target);
        interrupts.guard(confirm(context.console, args.yes, question)).await?;
        for (finding, outcome) in &mut self.findings {
            let Some(heal) = &finding.heal else { continue };
            // Each write is judged to its end: what was begun is not left unknown.
            *outcome = Some(stage.engine.heal(heal).await.map(drop));
        }
        Ok(())
    }

    fn end(&self) -> Result<(), CliError> {
        let failed = self.findings.iter().filter(|(_, o)| matches!(o, Some(Err(_)))).count();
        if failed > 0 {
            let message = format!("{} could not be mended", counted(failed));
            return Err(CliError::new(ErrorKind::Stuck, HEALING_FAILED, message).hint(
                "look again with `wavegate doctor`: what changed meanwhile is judged afresh",
            ));
        }
        let is_open = |(finding, outcome): &&(Finding, Option<Outcome>)| {
            finding.problem.severity == Severity::Error && outcome.is_none()
        };
        let open: Vec<_> = self.findings.iter().filter(is_open).collect();
        if open.is_empty() {
            return Ok(());
        }
        let message = format!("{} not mended", counted(open.len()));
        let error = CliError::new(ErrorKind::Refused, NOT_HEALED, message);
        if open.iter().any(|(finding, _)| finding.heal.is_some()) {
            return Err(error.hint("`wavegate doctor --heal` mends what it says it can"));
        }
        Err(error)
    }

    fn text(&self) -> String {
        let mut text = format!("{} on {}, alias `{}`: ", self.app, self.target, self.alias);
        if self.findings.is_empty() {
            let functions = if self.looked_at == 1 { "function" } else { "functions" };
            let _ = writeln!(text, "nothing found ({} {functions} looked at)", self.looked_at);
            return text;
        }
        let _ = writeln!(text, "{}", counted(self.findings.len()));
        let mut about = None;
        for (finding, outcome) in &self.findings {
            let problem = &finding.problem;
            let whose = problem.function.as_ref().map_or("the app", |name| name.as_str());
            if about != Some(whose) {
                let _ = writeln!(text, "\n{whose}");
                about = Some(whose);
            }
            let note = if problem.severity == Severity::Warning { "note: " } else { "" };
            let _ = writeln!(text, "  {}  {note}{}", problem.code, safe_line(&problem.message));
            match (outcome, &finding.heal) {
                (Some(Ok(())), Some(heal)) => {
                    let _ =
                        writeln!(text, "         mended: {}, read back", safe_line(&heal.words));
                }
                (Some(Err(error)), _) => {
                    let _ = writeln!(text, "         not mended: {}", safe_line(&words(error)));
                }
                _ => {
                    let hint = problem.hint.as_deref().unwrap_or_default();
                    let _ = writeln!(text, "         fix: {}", safe_line(hint));
                }
            }
        }
        text
    }

    fn json(&self) -> Value {
        let findings: Vec<Value> = self.findings.iter().map(finding_json).collect();
        json!({
            "v": FORMAT,
            "app": self.app,
            "alias": self.alias,
            "target": self.target,
            "functions": self.looked_at,
            "findings": findings,
        })
    }
}

fn finding_json((finding, outcome): &(Finding, Option<Outcome>)) -> Value {
    let problem = &finding.problem;
    json!({
        "code": problem.code,
        "severity": match problem.severity {
            Severity::Warning => "note",
            Severity::Error => "problem",
        },
        "function": problem.function.as_ref().map(ToString::to_string),
        "message": problem.message,
        "fix": problem.hint,
        "heal": finding.heal.as_ref().map(|heal| heal.words.clone()),
        "healed": outcome.as_ref().map(Result::is_ok),
        "why_not": outcome.as_ref().and_then(|outcome| outcome.as_ref().err()).map(words),
    })
}

/// An error and its cause.
fn words(error: &HealError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 finding".to_owned() } else { format!("{count} findings") }
}
