//! `schema`, `completions` and `explain`: what only needs to be printed.

use clap::CommandFactory as _;

use crate::Context;
use crate::args::Cli;
use crate::catalogue;
use crate::console;
use crate::error::CliError;

/// A code that no page tells about.
const UNKNOWN_CODE: &str = "WG623";

pub(crate) fn schema() -> Result<(), CliError> {
    console::json(&wavegate_config::schema())
}

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wavegate", &mut script);
    console::data(&String::from_utf8_lossy(&script))
}

pub(crate) fn explain(context: &Context, code: Option<&str>) -> Result<(), CliError> {
    let Some(code) = code else {
        for page in catalogue::pages() {
            console::data(&format!(
                "{}  {}
",
                page.code, page.title
            ))?;
        }
        return Ok(());
    };
    match catalogue::page(code) {
        Some(page) if context.console.is_json() => console::json(&serde_json::json!({
            "code": page.code, "title": page.title, "text": page.text,
        })),
        Some(page) => console::data(&page.to_string()),
        None => {
            let error = CliError::usage(UNKNOWN_CODE, format!("there is no error code `{code}`"));
            Err(match catalogue::closest(code) {
                Some(page) => error.hint(format!("the closest is {}: {}", page.code, page.title)),
                None => error.hint("`wavegate explain` lists all"),
            })
        }
    }
}
