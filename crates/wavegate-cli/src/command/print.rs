//! `schema`, `completions` and `explain`: what only needs to be printed.

use clap::CommandFactory as _;

use crate::Context;
use crate::args::Cli;
use crate::catalogue;
use crate::error::CliError;

/// A code that no page tells about.
const UNKNOWN_CODE: &str = "WG623";

pub(crate) fn schema(context: &Context) -> Result<(), CliError> {
    context.console.json(&wavegate_config::schema())
}

pub(crate) fn completions(context: &Context, shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wavegate", &mut script);
    context.console.data(&String::from_utf8_lossy(&script))
}

pub(crate) fn explain(context: &Context, code: Option<&str>) -> Result<(), CliError> {
    let Some(code) = code else {
        let list: String =
            catalogue::pages().map(|page| format!("{}  {}\n", page.code, page.title)).collect();
        return context.console.data(&list);
    };
    match catalogue::page(code) {
        Some(page) if context.console.is_json() => context.console.json(&serde_json::json!({
            "code": page.code, "title": page.title, "text": page.text,
        })),
        Some(page) => context.console.data(&page.to_string()),
        None => {
            let error = CliError::usage(UNKNOWN_CODE, format!("there is no error code `{code}`"));
            Err(match catalogue::closest(code) {
                Some(page) => error.hint(format!("the closest is {}: {}", page.code, page.title)),
                None => error.hint("`wavegate explain` lists all"),
            })
        }
    }
}
