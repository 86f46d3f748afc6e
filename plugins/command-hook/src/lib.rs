//! Hook `command`: a command on this machine judges the candidate.
//!
//! ```toml
//! [hooks.verify]
//! use = "command"
//! command = ["pytest", "-q", "smoke"]
//! ```
//!
//! Exit 0 passes; 75 (`EX_TEMPFAIL`) means *not yet*, and it is run again; anything else fails. The
//! command learns what it judges from `WAVEGATE_*` variables, and `AWS_REGION` and
//! `AWS_ENDPOINT_URL` point at the cloud of the release, so that it can simply call `aws` or boto3.
//!
//! Invariants:
//! - No shell: the words of `command` are the words that the program gets.
//! - The command and all that it starts are one process group, which never outlives the call: not
//!   when it ends, not at the deadline, not on cancellation.
//! - What it prints is never held in full, and never reaches a terminal raw.
//!
//! Deliberately absent: a timeout of its own (the host's deadline holds) and Windows.

mod environment;
mod output;
mod process;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use wavegate_plugin_sdk::{
    CallContext, Diagnostics, Hook, HookEvent, HookOutcome, PluginError, export_plugin,
};

/// The hook.
pub struct Command;

/// What people write for it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "command": ["true"] }]))]
pub struct Config {
    /// The program and its arguments, one word each. There is no shell in between.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// The directory in which it runs; by default that of the host.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// More variables for its environment. They win over all others but `WAVEGATE_*`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

impl Hook for Command {
    const ID: &'static str = "command";
    const SUMMARY: &'static str = "a command on this machine judges the candidate";
    type Config = Config;

    async fn run(
        &self,
        cx: &CallContext,
        config: Config,
        event: HookEvent,
    ) -> Result<HookOutcome, PluginError> {
        let variables = environment::variables(cx, &event);
        Ok(process::judge(&config, &variables).await)
    }

    fn validate(&self, config: &Config) -> Diagnostics {
        let mut found = Diagnostics::none();
        if config.command.first().is_none_or(String::is_empty) {
            found
                .error("command", "there is no program to run")
                .hint("write the program and its arguments: [\"pytest\", \"-q\", \"smoke\"]");
        }
        if let Some(word) = config.command.iter().position(|word| word.contains('\0')) {
            found.error(format!("command[{word}]"), "a word cannot contain a NUL character");
        }
        for (name, value) in &config.env {
            let path = format!("env.{name}");
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                found.error(path, "not a name and value that an environment can hold");
            } else if name.starts_with(environment::PREFIX) {
                found
                    .error(path, "variables that start with `WAVEGATE_` are set by wavegate")
                    .hint("choose another name");
            }
        }
        found
    }
}

export_plugin! { hooks: [Command] }

#[cfg(test)]
mod tests;
