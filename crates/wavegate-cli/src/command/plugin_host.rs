//! `plugin-host` and `plugin-laws`: this program as the process of one plugin. Nobody types them.

use std::io;

use wavegate_plugin_host::{ChildArgs, run_child};
use wavegate_plugin_testkit::run_abi_laws_child;

use crate::args::PluginHostArgs;
use crate::error::{CliError, ErrorKind};

/// The plugin's process cannot go on.
const ENDED: &str = "WG332";

/// Runs the plugin until the other wavegate ends.
pub(crate) fn run(args: PluginHostArgs) -> Result<(), CliError> {
    become_plugin(run_child, args)
}

/// Tries one law on the plugin.
pub(crate) fn try_law(args: PluginHostArgs) -> Result<(), CliError> {
    become_plugin(run_abi_laws_child, args)
}

fn become_plugin(
    work: impl FnOnce(ChildArgs) -> io::Result<()>,
    args: PluginHostArgs,
) -> Result<(), CliError> {
    let PluginHostArgs { name, library, entry, memory_bytes, log_level } = args;
    work(ChildArgs { name, library, entry, memory_bytes, log_level })
        .map_err(|error| CliError::new(ErrorKind::Failed, ENDED, error.to_string()))
}
