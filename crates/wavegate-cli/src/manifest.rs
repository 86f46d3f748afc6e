//! From flags and surroundings to a manifest whose components are content with their config.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;
use wavegate_config::{Draft, FILE_NAME, Manifest, Problem, Problems, Request};
use wavegate_core::spec::{AppSpec, ComponentUse, Opaque};
use wavegate_plugin_host::HostError;
use wavegate_plugin_sdk::{ComponentKind, Diagnostic, Severity, Target};

use crate::Context;
use crate::args::{Global, TargetArg};
use crate::console::Console;
use crate::environment::Environment;
use crate::error::CliError;
use crate::registry::{self, Registry};

/// There is no manifest.
const NO_MANIFEST: &str = "WG100";
/// A component refuses its config.
const REFUSED: &str = "WG321";
/// A component doubts its config.
const DOUBTED: &str = "WG322";

/// A manifest, and the plugins whose components it uses.
pub(crate) struct Loaded {
    /// The manifest.
    pub(crate) manifest: Manifest,
    /// The plugins.
    pub(crate) registry: Arc<Registry>,
}

/// Loads the manifest and its plugins, asks every component about its config, and tells warnings.
///
/// # Errors
/// Every problem at once, each hung on its place in the file.
pub(crate) async fn load(
    global: &Global,
    environment: &Environment,
    console: Console,
) -> Result<Loaded, CliError> {
    let draft = read(global, environment)?;
    let (registry, found) = Registry::open(&draft, environment).await?;
    let checking = async {
        let manifest = draft.check(&registry.ids(), found).map_err(CliError::manifest)?;
        let judged = judged(&manifest, &registry).await;
        settled(manifest, judged, console)
    };
    loaded(checking.await, registry).await
}

/// The two together; plugins that nobody will ask end in order.
async fn loaded(
    manifest: Result<Manifest, CliError>,
    registry: Registry,
) -> Result<Loaded, CliError> {
    match manifest {
        Ok(manifest) => Ok(Loaded { manifest, registry: Arc::new(registry) }),
        Err(error) => {
            registry.close().await;
            Err(error)
        }
    }
}

/// As [`load`], for looking at one thing in it: what stops nothing is not told.
///
/// # Errors
/// See [`load`].
pub(crate) async fn load_quietly(context: &Context) -> Result<Loaded, CliError> {
    let draft = read(&context.global, &context.environment)?;
    let (registry, found) = Registry::open(&draft, &context.environment).await?;
    let manifest = draft.check(&registry.ids(), found).map_err(CliError::manifest);
    loaded(manifest, registry).await
}

/// As [`load`], for going back: what is wrong with a plugin is told and stops nothing, because
/// nothing that it says can.
///
/// # Errors
/// Problems of the manifest itself.
pub(crate) async fn load_to_go_back(
    global: &Global,
    environment: &Environment,
    console: Console,
) -> Result<Loaded, CliError> {
    let draft = read(global, environment)?;
    let (registry, found) = Registry::open(&draft, environment).await?;
    let found = found.into_iter().map(Problem::as_warning).collect();
    let manifest = draft.check(&registry.ids(), found).map_err(CliError::manifest);
    let manifest = manifest.and_then(|manifest| settled(manifest, Vec::new(), console));
    loaded(manifest, registry).await
}

/// The manifest for those who only look: no plugin is loaded, none of its code runs.
///
/// # Errors
/// Problems of the manifest itself.
pub(crate) fn load_alone(
    global: &Global,
    environment: &Environment,
    console: Console,
) -> Result<Manifest, CliError> {
    let any = wavegate_config::Components { incomplete: true, ..Default::default() };
    let manifest = read(global, environment)?.check(&any, Vec::new());
    settled(manifest.map_err(CliError::manifest)?, Vec::new(), console)
}

/// Tells warnings, and gives hooks what only the manifest knows.
fn settled(
    mut manifest: Manifest,
    judged: Vec<Problem>,
    console: Console,
) -> Result<Manifest, CliError> {
    let (errors, warnings): (Vec<_>, Vec<_>) = judged
        .into_iter()
        .chain(std::mem::take(&mut manifest.warnings))
        .partition(|problem| !problem.is_warning());
    if !errors.is_empty() {
        let all = errors.into_iter().chain(warnings).collect();
        return Err(CliError::manifest(Problems::new(all)));
    }
    manifest.warnings = Problems::new(warnings).into_vec();
    for warning in &manifest.warnings {
        console.diagnostic(warning);
    }
    let dir = std::path::absolute(&manifest.dir).unwrap_or_else(|_| manifest.dir.clone());
    settle_hooks(&mut manifest.app, &dir);
    Ok(manifest)
}

/// Reads the manifest, as far as it goes before its plugins are loaded.
///
/// # Errors
/// If there is none, or it cannot be read.
pub(crate) fn read(global: &Global, environment: &Environment) -> Result<Draft, CliError> {
    let path = path(global, environment)?;
    let mut flags = global.set.clone();
    if let Some(target) = global.target {
        let word = match target {
            TargetArg::Local => "local",
            TargetArg::Aws => "aws",
        };
        flags.push(("app.target".to_owned(), word.to_owned()));
    }
    let request = Request {
        path,
        profile: global.profile.clone(),
        env: environment.variables(),
        flags,
        components: wavegate_config::Components::default(),
    };
    Draft::read(&request).map_err(CliError::manifest)
}

/// What was read of the manifest, for those who can do without: `None` where there is none and none
/// was asked for.
///
/// # Errors
/// Any other error of the reading.
pub(crate) fn if_any<T>(read: Result<T, CliError>, global: &Global) -> Result<Option<T>, CliError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.code == Some(NO_MANIFEST) && global.config.is_none() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The manifest's file.
///
/// # Errors
/// If there is none here or above.
pub(crate) fn path(global: &Global, environment: &Environment) -> Result<PathBuf, CliError> {
    match &global.config {
        Some(path) if path.is_dir() => Ok(path.join(FILE_NAME)),
        Some(path) => Ok(path.clone()),
        None => nearest(&environment.cwd).ok_or_else(|| {
            CliError::usage(NO_MANIFEST, format!("there is no {FILE_NAME} here or in a directory above"))
                .hint("run it where the app is, name the file with --config, or write a first one with `wavegate init`")
        }),
    }
}

/// The nearest manifest at or above `cwd`, in the shortest words: `deploy.toml`, `../deploy.toml`.
fn nearest(cwd: &Path) -> Option<PathBuf> {
    let found = wavegate_config::find(cwd)?;
    let depth = cwd.ancestors().position(|dir| Some(dir) == found.parent())?;
    let up: PathBuf = std::iter::repeat_n("..", depth).collect();
    Some(up.join(FILE_NAME))
}

/// Where the manifest is, or would be: the directory that holds `.wavegate`.
pub(crate) fn directory(global: &Global, environment: &Environment) -> PathBuf {
    let path = match &global.config {
        Some(path) if path.is_dir() => return path.clone(),
        Some(path) => Some(path.clone()),
        None => nearest(&environment.cwd),
    };
    match path.as_deref().and_then(Path::parent) {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::new(),
    }
}

/// What components think of their config, each use of a table once, all at the same time.
async fn judged(manifest: &Manifest, registry: &Registry) -> Vec<Problem> {
    let mut tables = BTreeMap::new();
    for (kind, component, key) in uses(&manifest.app) {
        tables.entry((kind, component.name.clone())).or_insert((component, key));
    }
    let judging = tables.into_iter().map(|((kind, _), (used, key))| async move {
        judge(manifest, registry, kind, used, &key).await
    });
    join_all(judging).await.concat()
}

/// Every use of a component, with the key of the function that uses it.
fn uses(app: &AppSpec) -> Vec<(ComponentKind, &ComponentUse, String)> {
    let mut uses = Vec::new();
    for function in app.functions.values() {
        let key = format!("functions.{}", function.name);
        uses.push((ComponentKind::Strategy, &function.strategy, format!("{key}.strategy")));
        let hooks = &function.hooks;
        for hook in hooks.pre_traffic.iter().chain(&hooks.post_traffic).chain(&hooks.on_rollback) {
            uses.push((ComponentKind::Hook, &hook.hook, format!("{key}.hooks")));
        }
        for alarm in &function.alarms {
            uses.push((ComponentKind::Alarm, &alarm.alarm, format!("{key}.alarms")));
        }
    }
    uses
}

async fn judge(
    manifest: &Manifest,
    registry: &Registry,
    kind: ComponentKind,
    used: &ComponentUse,
    key: &str,
) -> Vec<Problem> {
    let Some(plugin) = registry.find(kind, &used.component) else {
        let message = format!("there is no {} component `{}`", kind.as_str(), used.component);
        return vec![manifest.problem("WG127", key, message, None)];
    };
    let config = match parse(&used.config) {
        Ok(config) => config,
        Err(reason) => return vec![manifest.problem(REFUSED, key, reason, None)],
    };
    let table = format!("{}.{}", section(kind), quoted(&used.name));
    let failed = |error: HostError| {
        let (hint, words) = (error.hint(), registry::words(&error));
        vec![manifest.problem(error.code(), &table, words, hint.as_deref())]
    };
    let found = match plugin.validate(kind, &used.component, &config).await {
        Ok(found) => found,
        Err(error) => return failed(error),
    };
    let is_sound = found.iter().all(|finding| finding.severity != Severity::Error);
    if is_sound && kind == ComponentKind::Strategy {
        // A plan will ask the same; what it could not use is found out here, without any cloud.
        let target = Target {
            app: manifest.app.name.to_string(),
            function: used.name.clone(),
            alias: manifest.app.alias.to_string(),
        };
        if let Err(error) = plugin.outline(&used.component, &config, target).await {
            return failed(error);
        }
    }
    let problem = |finding| problem(manifest, (kind, &used.component), &table, finding);
    found.iter().map(problem).collect()
}

fn problem(
    manifest: &Manifest,
    (kind, id): (ComponentKind, &str),
    table: &str,
    found: &Diagnostic,
) -> Problem {
    let whose = format!("{} `{id}`", kind.as_str());
    let (key, message) = match found.path.as_str() {
        "" => (table.to_owned(), format!("{whose}: {}", found.message)),
        path => (format!("{table}.{path}"), format!("`{path}` of {whose}: {}", found.message)),
    };
    match found.severity {
        Severity::Error => manifest.problem(REFUSED, &key, message, found.hint.as_deref()),
        Severity::Warning => {
            manifest.problem(DOUBTED, &key, message, found.hint.as_deref()).as_warning()
        }
    }
}

fn section(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Strategy => "strategies",
        ComponentKind::Hook => "hooks",
        ComponentKind::Alarm => "alarms",
    }
}

/// A table's name as a part of a dotted key.
fn quoted(name: &str) -> String {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !name.is_empty() && name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}

/// A component's config as JSON.
pub(crate) fn parse(config: &Opaque) -> Result<Value, String> {
    serde_json::from_str(&config.0).map_err(|error| format!("its config is not JSON: {error}"))
}

/// Gives hooks what only the manifest knows: the Lambda name behind a function's key, and the
/// directory that commands are relative to.
fn settle_hooks(app: &mut AppSpec, dir: &Path) {
    let names: Vec<(String, String)> = app
        .functions
        .values()
        .map(|function| (function.name.to_string(), function.lambda_name.to_string()))
        .collect();
    for function in app.functions.values_mut() {
        let hooks = &mut function.hooks;
        let all = [&mut hooks.pre_traffic, &mut hooks.post_traffic, &mut hooks.on_rollback];
        for hook in all.into_iter().flatten() {
            let Ok(mut config) = parse(&hook.hook.config) else { continue };
            match hook.hook.component.as_str() {
                "lambda" => name_function(&mut config, &names),
                "command" => settle_directory(&mut config, dir),
                _ => continue,
            }
            hook.hook.config = Opaque(config.to_string());
        }
    }
}

fn name_function(config: &mut Value, names: &[(String, String)]) {
    let Some(function) = config.get("function").and_then(Value::as_str) else { return };
    if let Some((_, lambda_name)) = names.iter().find(|(key, _)| key == function) {
        config["function"] = Value::from(lambda_name.as_str());
    }
}

fn settle_directory(config: &mut Value, dir: &Path) {
    let wanted = config.get("cwd").and_then(Value::as_str).map(PathBuf::from);
    let settled = wanted.map_or_else(|| dir.to_owned(), |cwd| dir.join(cwd));
    if let Some(settled) = settled.to_str() {
        config["cwd"] = Value::from(settled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = r#"
[app]
name = "shop"
[functions.auth]
name = "prod-auth"
code = "."
runtime = "python3.13"
handler = "app.handler"
strategy = "careful"
alarms = ["errors"]
hooks = { pre_traffic = ["judge", "script"] }
[strategies.careful]
use = "canary"
percent = 10
bake = "10m"
[hooks.judge]
use = "lambda"
function = "auth"
[hooks.script]
use = "command"
command = ["true"]
[alarms.errors]
use = "cloudwatch-metric"
metric = "Errors"
max = "1%"
"#;

    async fn loaded(text: &str) -> Result<Manifest, CliError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        std::fs::write(&path, text).unwrap();
        let global = Global { config: Some(path), ..Global::default() };
        let environment = Environment::of(&[]);
        let console = Console::new(&global, &environment);
        load(&global, &environment, console).await.map(|loaded| loaded.manifest)
    }

    #[tokio::test]
    async fn hooks_learn_lambda_names_and_the_manifests_directory() {
        let manifest = loaded(APP).await.unwrap();
        let hooks = &manifest.app.functions.values().next().unwrap().hooks.pre_traffic;
        let judge = parse(&hooks[0].hook.config).unwrap();
        assert_eq!(judge["function"], "prod-auth");
        let script = parse(&hooks[1].hook.config).unwrap();
        let dir = std::path::absolute(&manifest.dir).unwrap();
        assert_eq!(script["cwd"].as_str().map(Path::new), Some(dir.as_path()));
    }

    #[tokio::test]
    async fn all_components_are_heard_at_once_and_their_words_hang_on_the_key() {
        let text =
            APP.replace("percent = 10", "percent = 100").replace("max = \"1%\"", "maximum = 1");
        let problems = loaded(&text).await.unwrap_err().problems.unwrap();
        let errors: Vec<_> = problems.iter().filter(|problem| !problem.is_warning()).collect();
        assert!(errors.iter().all(|problem| problem.code == REFUSED), "{errors:?}");
        let line =
            |needle: &str| text.lines().position(|line| line.contains(needle)).map(|l| l + 1);
        let lines: Vec<_> = errors.iter().map(|problem| problem.place.line()).collect();
        assert!(lines.contains(&line("percent = 100")), "{errors:?}");
        assert!(lines.contains(&line("maximum")), "{errors:?}");
    }

    #[tokio::test]
    async fn without_a_manifest_the_error_says_where_to_begin() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment { cwd: dir.path().to_owned(), ..Environment::of(&[]) };
        let global = Global::default();
        let console = Console::new(&global, &environment);
        let error = load(&global, &environment, console).await.err().expect("no manifest");
        assert_eq!((error.code, error.kind.code()), (Some("WG100"), 2));
        assert!(error.hints[0].contains("wavegate init"));
    }

    #[test]
    fn a_manifest_above_is_named_as_seen_from_here() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(dir.path().join(FILE_NAME), "").unwrap();
        assert_eq!(nearest(&deep).unwrap(), Path::new("../../deploy.toml"));
        assert_eq!(nearest(dir.path()).unwrap(), Path::new("deploy.toml"));
    }
}
