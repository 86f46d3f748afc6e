//! The verbs, one module each.

pub(crate) mod check;
pub(crate) mod conformance;
pub(crate) mod control;
pub(crate) mod deploy;
mod discover;
pub(crate) mod doctor;
pub(crate) mod history;
pub(crate) mod iam;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod local;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod plugin_check;
pub(crate) mod plugin_host;
pub(crate) mod plugin_new;
pub(crate) mod print;
pub(crate) mod recover;
pub(crate) mod retry;
pub(crate) mod rollback;
mod select;
pub(crate) mod show;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod watch;

use wavegate_core::plan::{Plan, PlanReport, Severity};

use crate::console::{self, Console};
use crate::error::{CliError, ErrorKind};

/// Nobody can be asked.
const NO_TERMINAL: &str = "WG610";
/// Somebody said no.
const DECLINED: &str = "WG611";

/// Asks whether to go on. Without a terminal only `--yes` answers.
async fn confirm(console: Console, yes: bool, question: String) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !console.can_ask {
        return Err(CliError::new(
            ErrorKind::Refused,
            NO_TERMINAL,
            "this needs an answer, and there is no terminal to ask on: nothing was changed",
        )
        .hint("say yes beforehand with --yes"));
    }
    let asked = tokio::task::spawn_blocking(move || console::ask(&question)).await;
    match asked {
        Ok(true) => Ok(()),
        _ => Err(CliError::new(ErrorKind::Refused, DECLINED, "not confirmed: nothing was changed")),
    }
}

/// The plan as text for people.
fn plan_words(plan: Option<&Plan>, report: &PlanReport, style: wavegate_report::Style) -> String {
    let schedule = plan.map(wavegate_core::plan::schedule).unwrap_or_default();
    wavegate_report::plan_text(plan, report, &schedule, style)
}

/// The refusal that follows from a blocking report, which has been shown with causes and fixes.
fn blocked(report: &PlanReport) -> CliError {
    let errors = || report.problems.iter().filter(|p| p.severity == Severity::Error);
    let Some(first) = errors().next() else {
        return CliError::bug("there is no plan, and nothing that blocks it");
    };
    let count = match errors().count() {
        1 => "a problem".to_owned(),
        count => format!("{count} problems"),
    };
    let message = format!("{count} in the way of this plan: nothing was changed");
    CliError::new(ErrorKind::Refused, first.code, message)
}

#[cfg(test)]
mod tests {
    use wavegate_core::plan::Problem;

    use super::*;

    fn problem(code: &'static str, severity: Severity) -> Problem {
        Problem { code, severity, function: None, message: "no".to_owned(), hint: None }
    }

    #[test]
    fn a_blocked_plan_refuses_with_its_first_error() {
        let report = PlanReport {
            problems: vec![
                problem("WG414", Severity::Warning),
                problem("WG401", Severity::Error),
                problem("WG405", Severity::Error),
            ],
            ..PlanReport::default()
        };
        let error = blocked(&report);
        assert_eq!((error.code, error.kind.code()), (Some("WG401"), 3));
        assert!(error.message.starts_with("2 problems"), "{error}");
    }

    #[tokio::test]
    async fn without_a_terminal_and_without_yes_nothing_is_done() {
        let global = crate::args::Global::default();
        let console = Console::new(&global, &crate::environment::Environment::of(&[]));
        let error = confirm(console, false, "go on?".to_owned()).await.unwrap_err();
        assert_eq!((error.code, error.kind.code()), (Some(NO_TERMINAL), 3));
        assert_eq!(confirm(console, true, "go on?".to_owned()).await, Ok(()));
    }
}
