//! The process in which one law of the C ABI is tried on one library: this same program, run again.
//!
//! As in a plugin's own process, standard output is taken away before any of the plugin's code runs.
//! Here it goes to a file, because a law looks at it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;

use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};
use wavegate_plugin_host::ChildArgs;

use crate::abi::{self, Endpoint, Ground, Source};
use crate::report::{Outcome, Unheld};

/// What the child is to do, on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The law, by its sentence.
    pub(crate) law: String,
    /// The component that is called.
    pub(crate) endpoint: Option<Endpoint>,
}

/// Tries the law that standard input names and writes what came of it to standard output.
///
/// The program that was started as the [`Kit`](crate::Kit)'s second launcher says calls it, with
/// the same arguments as [`run_child`](wavegate_plugin_host::run_child).
///
/// # Errors
/// What keeps this process from being a plugin's. The parent shows the last lines of standard error.
pub fn run_abi_laws_child(args: ChildArgs) -> io::Result<()> {
    setrlimit(Resource::RLIMIT_DATA, args.memory_bytes, args.memory_bytes)?;
    // A crash is told by its signal; a core file would hold the environment.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let mut task = Vec::new();
    io::stdin().read_to_end(&mut task)?;
    let Task { law, endpoint } = serde_json::from_slice(&task)?;
    let (mut output, stdout) = take_stdout()?;
    let source = Source::Library { file: args.library, entry: args.entry };
    let ground = Ground { source, stdout: Some(stdout), endpoint };
    let outcome: Outcome = match abi::law(&law) {
        Some((_, holds)) => holds(&ground).into(),
        None => Err(Unheld::broken("this program does not know the law")).into(),
    };
    serde_json::to_writer(&mut output, &outcome)?;
    output.flush()
}

/// The pipe to the parent, and the file that stands in its place.
fn take_stdout() -> io::Result<(File, File)> {
    let pipe = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let file = tempfile::tempfile()?;
    nix::unistd::dup2_stdout(&file)?;
    Ok((pipe, file))
}
