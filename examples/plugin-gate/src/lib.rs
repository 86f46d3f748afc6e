//! Hook `gate`: passes when a file says `open`, fails when it says `closed`, and asks again until
//! it says either.
//!
//! Whoever writes the file finds a line in the file of the same name with `.asked` at its end: who
//! asks, and for what.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use wavegate_plugin_sdk::config::HumanDuration;
use wavegate_plugin_sdk::schemars::JsonSchema;
use wavegate_plugin_sdk::serde::Deserialize;
use wavegate_plugin_sdk::{
    CallContext, Diagnostics, Hook, HookEvent, HookOutcome, PluginError, export_plugin, tracing,
};

/// The hook.
pub struct Gate;

/// What people write for it in deploy.toml.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "wavegate_plugin_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "wavegate_plugin_sdk::schemars")]
#[schemars(extend("examples" = [{ "file": "gate.txt", "every": "10s" }]))]
pub struct Config {
    /// The file, relative to where wavegate is started.
    file: PathBuf,
    /// How long to wait before it is read again.
    every: HumanDuration,
}

impl Hook for Gate {
    const ID: &'static str = "gate";
    const SUMMARY: &'static str = "waits until a file says `open` or `closed`";
    type Config = Config;

    async fn run(
        &self,
        cx: &CallContext,
        config: Config,
        event: HookEvent,
    ) -> Result<HookOutcome, PluginError> {
        // At the deadline this future is dropped. A file system that hangs gets half of the time, so
        // that enough is left to say so.
        let said = match timeout(cx.deadline / 2, ask(cx, &config.file, &event)).await {
            Ok(said) => said.map_err(|error| unreadable(&config.file, &error))?,
            Err(_) => return Ok(again(&config, "the file system does not answer")),
        };
        tracing::debug!(attempt = cx.attempt, key = cx.idempotency_key, said, "read");
        let said = said.trim().to_owned();
        Ok(match said.split(|c: char| !c.is_alphabetic()).next() {
            Some("open") => HookOutcome::Pass { detail: said },
            Some("closed") => HookOutcome::Fail { reason: said },
            _ => again(&config, "nobody has answered yet"),
        })
    }

    fn validate(&self, config: &Config) -> Diagnostics {
        let mut found = Diagnostics::none();
        if config.every.is_zero() {
            found.error("every", "a wait needs some time, such as \"10s\"");
        }
        found
    }
}

/// Asks, if this was not asked before, and reads the answer. It is empty until there is one.
async fn ask(cx: &CallContext, file: &Path, event: &HookEvent) -> io::Result<String> {
    let mut note = file.as_os_str().to_owned();
    note.push(".asked");
    // Another attempt, or the same release on another machine, brings the same key: one key, one
    // line.
    let key = &cx.idempotency_key;
    let asked = text(note.as_ref()).await?;
    let mut keys = asked.lines().filter_map(|line| line.split(' ').next());
    if !keys.any(|other| other == key) {
        let version = &event.candidate.version;
        let line = format!("{key} {} version {version}\n", event.function);
        let mut options = fs::OpenOptions::new();
        let mut note = options.append(true).create(true).open(note).await?;
        note.write_all(line.as_bytes()).await?;
        note.flush().await?;
    }
    text(file).await
}

/// What is in a file, or nothing if it is not there.
async fn text(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

fn again(config: &Config, detail: &str) -> HookOutcome {
    let (after_ms, detail) = (config.every.millis(), detail.to_owned());
    HookOutcome::Retry { after_ms, detail }
}

/// No verdict: the release fails, and its record tells why.
fn unreadable(file: &Path, error: &io::Error) -> PluginError {
    let message = format!("`{}` cannot be used", file.display());
    PluginError::new("gate.unreadable", message).with_detail(error.to_string())
}

export_plugin! { hooks: [Gate] }
