//! `history`: the releases that were run from this directory, as the records tell. Never authority:
//! what is served now, and whether a version still exists, only the cloud knows.

use wavegate_config::Manifest;
use wavegate_report::records::{Records, Release, era};
use wavegate_report::{history_json, history_text};

use crate::args::HistoryArgs;
use crate::error::CliError;
use crate::journal::problem;
use crate::release::recordings;
use crate::{Context, console, manifest, target};

/// What is said where there is nothing to list.
const NONE: &str = "no release is recorded here; `wavegate status` asks the cloud";

pub(crate) fn run(context: &Context, args: &HistoryArgs) -> Result<(), CliError> {
    let manifest = manifest::load_alone(&context.global, &context.environment, context.console)?;
    let app = manifest.app.name.as_str();
    let mut found = Vec::new();
    if let Some(records) = open(&manifest)? {
        for release in of_app(&records, &manifest, |words| target::is_of(&manifest, words))?
            .into_iter()
            .take(args.limit)
        {
            let requests = records.requests(&release).map_err(|error| problem(&error))?;
            found.push((release, requests));
        }
    }
    if context.console.is_json() {
        return console::json(&history_json(app, &found));
    }
    if found.is_empty() {
        console::note(NONE);
        return Ok(());
    }
    let releases: Vec<Release> = found.into_iter().map(|(release, _)| release).collect();
    console::data(&history_text(app, &releases, context.console.out))
}

/// The records beside a manifest; `None` if nothing was recorded.
pub(super) fn open(manifest: &Manifest) -> Result<Option<Records>, CliError> {
    Records::look(&recordings(manifest)).map_err(|error| problem(&error))
}

/// The releases of the manifest's app on the targets that `is_it` says, newest first.
pub(super) fn of_app(
    records: &Records,
    manifest: &Manifest,
    is_it: impl Fn(&str) -> bool,
) -> Result<Vec<Release>, CliError> {
    let all = records.releases(manifest.app.name.as_str()).map_err(|error| problem(&error))?;
    Ok(era(all, is_it))
}

/// As [`of_app`], from whatever is recorded.
pub(super) fn releases(
    manifest: &Manifest,
    is_it: impl Fn(&str) -> bool,
) -> Result<Vec<Release>, CliError> {
    match open(manifest)? {
        Some(records) => of_app(&records, manifest, is_it),
        None => Ok(Vec::new()),
    }
}

/// What is known, in words, newest first.
pub(super) fn known(releases: &[Release]) -> String {
    /// More would not be read.
    const SHOWN_MAX: usize = 10;
    let one = |release: &Release| {
        format!("r{} ({})", release.number, release.outcome.as_deref().unwrap_or("not ended"))
    };
    let words: Vec<String> = releases.iter().take(SHOWN_MAX).map(one).collect();
    if words.is_empty() {
        return "no release is recorded here".to_owned();
    }
    format!("recorded here: {}", words.join(", "))
}
