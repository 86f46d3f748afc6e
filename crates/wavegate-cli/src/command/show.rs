//! `show`: one recorded release, event by event.

use std::fmt::Write as _;

use wavegate_report::records::{Line, Records, Release};
use wavegate_report::{Lines, Reporter as _, State, Style, requests_text, summary};

use super::history;
use crate::args::ShowArgs;
use crate::error::CliError;
use crate::journal::problem;
use crate::{Context, console, manifest, target};

/// Nothing is recorded of it.
const UNKNOWN: &str = "WG658";

pub(crate) fn run(context: &Context, args: &ShowArgs) -> Result<(), CliError> {
    let manifest = manifest::load_alone(&context.global, &context.environment, context.console)?;
    let unknown = |known: &[Release]| {
        let name = &args.release;
        let message = format!("release `{name}` of {} is not recorded here", manifest.app.name);
        CliError::usage(UNKNOWN, message)
            .because(history::known(known))
            .hint("records are kept on the machine that deployed; name a release as r42, 42, or by its id")
    };
    let Some(records) = history::open(&manifest)? else { return Err(unknown(&[])) };
    let of_app = history::of_app(&records, &manifest, |words| target::is_of(&manifest, words))?;
    let by_id = records.release(&args.release).map_err(|error| problem(&error))?;
    let Some(release) = by_id.or_else(|| named(&of_app, &args.release).cloned()) else {
        return Err(unknown(&of_app));
    };
    let lines = records.events(&release.id, 0).map_err(|error| problem(&error))?;
    if context.console.is_json() {
        return console::data(&raw(&lines));
    }
    console::data(&text(&records, &release, &lines, context.console.out)?)
}

/// The newest of a number. One that had the lock comes before those that were refused it.
fn named<'a>(releases: &'a [Release], name: &str) -> Option<&'a Release> {
    let digits = name.strip_prefix(['r', 'R']).unwrap_or(name);
    let number: u64 = digits.parse().ok()?;
    let mut of_number = releases.iter().filter(|release| release.number == number);
    let first = of_number.clone().next();
    of_number.find(|release| release.epoch.is_some()).or(first)
}

/// The events as they were printed when they happened.
fn raw(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", line.json);
        text
    })
}

/// The summary, the events, and what was asked.
fn text(
    records: &Records,
    release: &Release,
    lines: &[Line],
    style: Style,
) -> Result<String, CliError> {
    let mut state = State::default();
    let mut events = Vec::new();
    let mut reporter = Lines::new(&mut events, style);
    let mut unknown = 0;
    for line in lines {
        match line.record() {
            Ok(record) => {
                state.apply(&record);
                reporter.event(&record);
            }
            Err(_) => unknown += 1,
        }
    }
    reporter.finish();
    if unknown > 0 {
        console::note(&format!("{unknown} events of a newer wavegate are left out"));
    }
    let mut text = summary(&state);
    let _ = write!(text, "\n{}", String::from_utf8_lossy(&events));
    let requests = records.requests(release).map_err(|error| problem(&error))?;
    if !requests.is_empty() {
        let _ = write!(text, "\nasked from other terminals:\n{}", requests_text(&requests));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_named_by_its_number_and_the_one_with_the_lock_is_meant() {
        let one = |id: &str, number, epoch| Release {
            id: id.to_owned(),
            number,
            epoch,
            ..Release::default()
        };
        let releases =
            [one("d", 5, None), one("c", 4, None), one("b", 4, Some(4)), one("a", 3, Some(3))];
        let id = |name| named(&releases, name).map(|release| release.id.as_str());
        assert_eq!((id("r4"), id("4"), id("R3")), (Some("b"), Some("b"), Some("a")));
        assert_eq!((id("5"), id("r9"), id("x"), id("r")), (Some("d"), None, None, None));
    }
}
