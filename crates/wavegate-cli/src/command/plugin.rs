//! `plugin`: what plugins there are, what a library is, and its pin.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use wavegate_config::{Problem, Problems};
use wavegate_plugin_host::{
    HostError, Inspection, Isolation, Origin, Plugin, host_target, inspect,
};
use wavegate_plugin_sdk::{ComponentKind, Diagnostic, Severity};
use wavegate_report::safe_line;

use crate::Context;
use crate::console;
use crate::error::CliError;
use crate::interrupt::Interrupts;
use crate::manifest;
use crate::registry::{self, Registry};

/// There is no such plugin in the manifest.
const NO_PLUGIN: &str = "WG626";
/// A file cannot be written.
const UNWRITABLE: &str = "WG618";

/// The format version of the JSON answers.
const FORMAT: u32 = 1;

/// `plugin list`: all plugins, where they come from, and their components; those that cannot be
/// loaded are told with the reason.
pub(crate) async fn list(context: &Context) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let (registry, problems) = interrupts.guard(surroundings(context)).await?;
    let told = if context.console.is_json() {
        console::json(&list_json(&registry, &problems))
    } else {
        console::data(&list_text(&registry))
    };
    registry.close().await;
    told?;
    sound(context, problems)
}

/// The plugins of the manifest, where there is one, and those that are linked in; and what is wrong
/// with the manifest, as far as it may be about plugins.
pub(super) async fn surroundings(context: &Context) -> Result<(Registry, Vec<Problem>), CliError> {
    let read = manifest::read(&context.global, &context.environment);
    let Some(draft) = manifest::if_any(read, &context.global)? else {
        return Ok((linked().await?, Vec::new()));
    };
    let (registry, found) = Registry::open(&draft, &context.environment).await?;
    let problems = match draft.check(&registry.ids(), found) {
        Ok(manifest) => manifest.warnings,
        Err(problems) => problems.into_vec(),
    };
    let is_about_plugins =
        |problem: &Problem| !problem.is_warning() || problem.code.starts_with("WG3");
    Ok((registry, problems.into_iter().filter(is_about_plugins).collect()))
}

/// The plugins that are there without a manifest.
pub(super) async fn linked() -> Result<Registry, CliError> {
    Registry::linked(&registry::host(Path::new(crate::home::NAME))).await
}

/// Tells warnings, and fails with all problems if one is an error.
pub(super) fn sound(context: &Context, problems: Vec<Problem>) -> Result<(), CliError> {
    if problems.iter().any(|problem| !problem.is_warning()) {
        return Err(CliError::manifest(Problems::new(problems)));
    }
    for problem in &problems {
        context.console.diagnostic(problem);
    }
    Ok(())
}

fn list_json(registry: &Registry, problems: &[Problem]) -> Value {
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
    let problems: Vec<Value> = problems.iter().map(console::problem_json).collect();
    json!({ "v": FORMAT, "components": components, "problems": problems })
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
pub(crate) fn refused(error: &HostError) -> CliError {
    let told = CliError::usage(error.code(), registry::words(error));
    let hint = match error {
        // The manifest's words would lead astray: here the path is the command line's.
        HostError::Missing { .. } => Some("is it built, and is the path right?".to_owned()),
        error => error.hint(),
    };
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// The error with all that is wrong with a config, and how to put it right.
pub(super) fn blamed(error: CliError, found: &[Diagnostic]) -> CliError {
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error);
    errors.fold(error, |error, finding| {
        let error = error.because(about(finding));
        match &finding.hint {
            Some(hint) => error.hint(hint.clone()),
            None => error,
        }
    })
}

/// A finding with the key that it is about.
pub(super) fn about(finding: &Diagnostic) -> String {
    match finding.path.as_str() {
        "" => finding.message.clone(),
        path => format!("`{path}`: {}", finding.message),
    }
}

fn inspection_json(found: &Inspection) -> Value {
    json!({
        "v": FORMAT,
        "path": found.path.display().to_string(),
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
    let path = manifest::path(&context.global, &context.environment)?;
    let failed = |error: &std::io::Error| {
        CliError::usage(UNWRITABLE, format!("{} cannot be written", path.display()))
            .caused_by(error)
    };
    let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let draft = manifest::read(&context.global, &context.environment)?;
    let Some(library) = draft.plugin_path_in_file(name) else { return Err(no_plugin(name)) };
    let found = inspect(&library).map_err(|error| refused(&error))?;
    can_be_pinned(name, &found)?;
    let (target, sha256) = (host_target(), found.sha256.to_string());
    let profile = context.global.profile.as_deref();
    let pinned = wavegate_config::set_plugin_pin(&text, profile, name, target, &sha256)
        .map_err(|error| CliError::usage(NO_PLUGIN, error.to_string()))?;
    if pinned == text {
        console::say(&format!("plugin `{name}` is pinned so already: {sha256}"));
        return Ok(());
    }
    replace(&path, &text, &pinned).map_err(|error| failed(&error))?;
    let before = draft.plugins().get(name).and_then(|used| used.sha256.get(target));
    let replaced = before.map_or_else(String::new, |before| format!("\n  replaces {before}"));
    let library = found.path.display();
    console::say(&format!("pinned plugin `{name}` for {target}: {sha256}\n  {library}{replaced}"));
    Ok(())
}

fn no_plugin(name: &str) -> CliError {
    let message = format!(
        "the manifest has no table [plugins.{}] that says where its library is",
        wavegate_report::safe_line(name)
    );
    CliError::usage(NO_PLUGIN, message).hint("name its library there: `path = \"...\"`")
}

/// A pin says that somebody means this library: one that could not be loaded here is not meant.
fn can_be_pinned(name: &str, found: &Inspection) -> Result<(), CliError> {
    let refuse = |why: String| {
        let message = format!("plugin `{name}` is not pinned: {why}");
        Err(CliError::usage(NO_PLUGIN, message)
            .hint("`wavegate plugin inspect FILE` tells what the library is"))
    };
    if let Some(target) = &found.target
        && target != host_target()
    {
        return refuse(format!("its library is for {target}, and this is {}", host_target()));
    }
    if found.entries.len() != 1 {
        let count = found.entries.len();
        return refuse(format!("its library has {count} entry points, and a plugin has one"));
    }
    for finding in &found.findings {
        console::note(&format!("{finding}: it will not be loaded like this"));
    }
    Ok(())
}

/// Replaces a file whole or not at all, if nobody else changed it meanwhile and it may be written;
/// keeps its mode.
fn replace(path: &Path, before: &str, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;

    // Behind a link, the file itself is replaced.
    let path = path.canonicalize()?;
    // A file that may not be written must not be replaced either.
    drop(std::fs::OpenOptions::new().write(true).open(&path)?);
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.as_file().sync_all()?;
    if std::fs::read_to_string(&path)? != before {
        return Err(std::io::Error::other("somebody else is changing it"));
    }
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
