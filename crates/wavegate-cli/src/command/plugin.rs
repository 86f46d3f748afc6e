//! `plugin`: what plugins there are, what a library is, and its pin.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use wavegate_plugin_host::{Inspection, Isolation, Origin, Plugin, host_target, inspect};
use wavegate_plugin_sdk::ComponentKind;
use wavegate_report::safe_line;

use crate::Context;
use crate::console;
use crate::error::CliError;
use crate::manifest;
use crate::registry::{self, Registry};

/// There is no such plugin in the manifest.
const NO_PLUGIN: &str = "WG626";
/// A file cannot be written.
const UNWRITABLE: &str = "WG618";

/// The format version of the JSON answers.
const FORMAT: u32 = 1;

/// `plugin list`: all plugins, where they come from, and their components.
pub(crate) async fn list(context: &Context) -> Result<(), CliError> {
    let registry = surroundings(context).await?;
    let told = if context.console.is_json() {
        console::json(&list_json(&registry))
    } else {
        console::data(&list_text(&registry))
    };
    registry.close().await;
    told
}

/// The plugins of the manifest, where there is one, and those that are linked in.
pub(super) async fn surroundings(context: &Context) -> Result<Registry, CliError> {
    match manifest::read(&context.global, &context.environment) {
        Ok(draft) => {
            let (registry, problems) = Registry::open(&draft, &context.environment).await?;
            for problem in &problems {
                context.console.diagnostic(problem);
            }
            Ok(registry)
        }
        Err(error) if error.code == Some("WG100") && context.global.config.is_none() => {
            Registry::linked(&registry::host(Path::new(crate::home::NAME))).await
        }
        Err(error) => Err(error),
    }
}

fn list_json(registry: &Registry) -> Value {
    let components: Vec<Value> = registry
        .components()
        .map(|(kind, id, plugin)| {
            let (from, sha256) = match plugin.origin() {
                Origin::Linked => ("linked", None),
                Origin::Library { isolation, sha256, .. } => (word(*isolation), Some(sha256)),
            };
            let component = plugin.component(kind, id).ok();
            json!({
                "kind": kind.as_str(),
                "id": id,
                "summary": component.map(|component| component.summary.as_str()),
                "plugin": plugin.name(),
                "version": plugin.description().version,
                "from": from,
                "sha256": sha256.map(ToString::to_string),
                "config_schema": component.map(|component| &component.config_schema),
            })
        })
        .collect();
    json!({ "v": FORMAT, "components": components })
}

fn list_text(registry: &Registry) -> String {
    let mut text = String::new();
    for kind in [ComponentKind::Strategy, ComponentKind::Hook, ComponentKind::Alarm] {
        let of_kind = || registry.components().filter(move |(own, ..)| *own == kind);
        let width = of_kind().map(|(_, id, _)| id.len()).max().unwrap_or_default();
        let _ = writeln!(text, "{}", heading(kind));
        for (_, id, plugin) in of_kind() {
            let summary = plugin.component(kind, id).map_or("", |own| own.summary.as_str());
            let summary = safe_line(summary);
            let _ = writeln!(text, "  {id:width$}  {summary}{}", whence(plugin));
        }
    }
    text
}

fn heading(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Strategy => "strategies",
        ComponentKind::Hook => "hooks",
        ComponentKind::Alarm => "alarms",
    }
}

fn word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::InProcess => "in-process",
        Isolation::Process => "process",
    }
}

/// Where a plugin that does not ship with wavegate comes from.
fn whence(plugin: &Plugin) -> String {
    match plugin.origin() {
        Origin::Linked => String::new(),
        Origin::Library { isolation, .. } => format!(
            "  [plugins.{}] {} {}, {}",
            plugin.name(),
            safe_line(&plugin.description().name),
            safe_line(&plugin.description().version),
            word(*isolation)
        ),
    }
}

/// `plugin inspect`: what a library is. None of its code runs.
pub(crate) fn inspect_file(context: &Context, file: &Path) -> Result<(), CliError> {
    let inspection = inspect(file).map_err(|error| refused(&error))?;
    if context.console.is_json() {
        return console::json(&inspection_json(&inspection));
    }
    console::data(&inspection_text(&inspection))
}

/// A library that cannot be used, as an error of the command line.
pub(crate) fn refused(error: &wavegate_plugin_host::HostError) -> CliError {
    let told = CliError::usage(error.code(), registry::words(error));
    match error.hint() {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

fn inspection_json(found: &Inspection) -> Value {
    json!({
        "v": FORMAT,
        "path": found.path,
        "bytes": found.bytes,
        "sha256": found.sha256.to_string(),
        "platform": found.platform.to_string(),
        "target": found.target,
        "entries": found.entries.iter().map(|entry| json!({
            "symbol": entry.symbol, "abi": entry.major,
        })).collect::<Vec<_>>(),
        "needs": found.needs,
        "glibc": found.glibc.as_ref().map(ToString::to_string),
        "findings": found.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn inspection_text(found: &Inspection) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10} {}", safe_line(value));
    };
    row("library", &found.path.display().to_string());
    row("size", &format!("{} bytes", found.bytes));
    row("sha256", &found.sha256.to_string());
    row("platform", &found.platform.to_string());
    row("target", found.target.as_deref().unwrap_or("unknown"));
    match found.entries.as_slice() {
        [] => row("entry", "none: this is no wavegate plugin"),
        entries => {
            for entry in entries {
                row("entry", &format!("{} (ABI v{})", entry.symbol, entry.major));
            }
        }
    }
    if let Some(glibc) = &found.glibc {
        row("needs", &format!("glibc {glibc} or newer"));
    }
    if !found.needs.is_empty() {
        row("needs", &found.needs.join(", "));
    }
    for finding in &found.findings {
        row("unsafe", &finding.to_string());
    }
    text
}

/// `plugin pin`: the SHA-256 that the library has now, written into the manifest.
pub(crate) fn pin(context: &Context, name: &str) -> Result<(), CliError> {
    let draft = manifest::read(&context.global, &context.environment)?;
    let Some(used) = draft.plugins().get(name) else {
        let known: Vec<&str> = draft.plugins().keys().map(String::as_str).collect();
        let hint = match known.as_slice() {
            [] => "name its library first: [plugins.NAME] with `path`".to_owned(),
            known => format!("there are: {}", known.join(", ")),
        };
        let message = format!("there is no sound table [plugins.{}]", safe_line(name));
        return Err(CliError::usage(NO_PLUGIN, message).hint(hint));
    };
    let found = inspect(&used.path).map_err(|error| refused(&error))?;
    let (target, sha256) = (host_target(), found.sha256.to_string());
    let path = manifest::path(&context.global, &context.environment)?;
    let failed = |error: &std::io::Error| {
        CliError::usage(UNWRITABLE, format!("{} cannot be written", path.display()))
            .caused_by(error)
    };
    let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let profile = context.global.profile.as_deref();
    let pinned = wavegate_config::set_plugin_pin(&text, profile, name, target, &sha256)
        .map_err(|error| CliError::usage(NO_PLUGIN, error.to_string()))?;
    if pinned == text {
        console::say(&format!("plugin `{name}` is pinned so already: {sha256}"));
        return Ok(());
    }
    replace(&path, &pinned).map_err(|error| failed(&error))?;
    console::say(&format!(
        "pinned plugin `{name}` for {target}: {sha256}\n  {}",
        found.path.display()
    ));
    Ok(())
}

/// Replaces a file whole or not at all, and keeps its mode.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;

    // Behind a link, the file itself is replaced.
    let path = path.canonicalize()?;
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
