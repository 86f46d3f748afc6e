//! `plugin check`: a library against the laws that every plugin must keep.

use wavegate_plugin_host::Isolation;
use wavegate_plugin_testkit::{CheckError, Hooks, Kit, Options, Subject};

use crate::Context;
use crate::args::PluginCheckArgs;
use crate::console;
use crate::error::CliError;
use crate::interrupt::Interrupts;
use crate::registry::{self, LAWS};

/// A law is broken.
const BROKEN: &str = "WG627";
/// A config that the component refuses.
const BAD_CONFIG: &str = "WG643";
/// A config for a component that is not there.
const NO_COMPONENT: &str = "WG320";

pub(crate) async fn run(context: &Context, args: PluginCheckArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    // What is checked once is not kept: the copies go away with this.
    let cache = tempfile::tempdir().map_err(|error| {
        CliError::usage("WG337", "there is no place for a private copy").caused_by(&error)
    })?;
    let kit = Kit::new(registry::host(cache.path()), registry::launcher(LAWS));
    let isolation = if args.in_process { Isolation::InProcess } else { Isolation::Process };
    if args.in_process {
        console::keep_stdout().map_err(|error| {
            CliError::bug("standard output cannot be kept from the plugin").caused_by(&error)
        })?;
    }
    let subject = Subject::library(&args.file, isolation);
    let options = Options {
        seed: args.seed,
        configs: args.component_config,
        hooks: match (args.run_hooks_freely, args.run_hooks) {
            (true, _) => Hooks::RunFreely,
            (false, true) => Hooks::Run,
            (false, false) => Hooks::Leave,
        },
        ..Options::default()
    };
    let checking = async { kit.check(&subject, &options).await.map_err(|error| refused(&error)) };
    let report = interrupts.guard(checking).await?;
    if context.console.is_json() {
        let mut told = serde_json::to_value(&report)
            .map_err(|error| CliError::bug("the report is no JSON").caused_by(&error))?;
        told["v"] = 1.into();
        console::json(&told)?;
    } else {
        console::data(&format!("{report}\n"))?;
    }
    match report.broken().count() {
        0 => Ok(()),
        count => {
            let laws = if count == 1 { "a law is" } else { "some laws are" };
            let message =
                format!("{laws} broken by plugin {}", wavegate_report::safe_line(&report.plugin));
            Err(CliError::usage(BROKEN, message)
                .hint(format!("--seed {} repeats the cases", report.seed)))
        }
    }
}

fn refused(error: &CheckError) -> CliError {
    match error {
        CheckError::Host(error) => super::plugin::refused(error),
        error @ CheckError::NoSuchComponent { .. } => {
            CliError::usage(NO_COMPONENT, error.to_string())
        }
        CheckError::BadConfig { component, diagnostics } => {
            let message = format!("component `{component}` refuses the config");
            super::plugin::blamed(CliError::usage(BAD_CONFIG, message), diagnostics)
        }
    }
}
