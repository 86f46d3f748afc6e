//! From a tree of the right shape to the app that is meant: names, values, references, cycles.
//!
//! Everything is looked at, whatever else is wrong; a part that cannot be understood becomes `None`
//! and has been reported. Messages about something that may stand in `[defaults]` do not name the
//! function, so that it is said once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use wavegate_core::graph::Graph;
use wavegate_core::name::{AliasName, AppName, BadName, FunctionName};
use wavegate_core::spec::{AppSpec, ComponentUse, FunctionSpec, OnBlind, OnFailure, RollbackScope};

use crate::code;
use crate::codedeploy::Groups;
use crate::components::Tables;
use crate::findings::Findings;
use crate::function;
use crate::nearest::nearest;
use crate::node::{Data, Node, Part};
use crate::problem::{Place, Problem};
use crate::units;
use crate::{Components, LocalSettings, Target, raw};

/// What a check yields if nothing is wrong.
pub(crate) struct Checked {
    pub(crate) app: AppSpec,
    pub(crate) region: Option<String>,
    pub(crate) artifact_bucket: Option<String>,
    pub(crate) requests_per_second: Option<u32>,
    pub(crate) local: LocalSettings,
    /// The `[strategies.NAME]` tables, used or not.
    pub(crate) strategies: BTreeMap<String, ComponentUse>,
}

/// What every check looks at.
pub(crate) struct Scope<'a> {
    pub(crate) tree: &'a Node,
    pub(crate) dir: &'a Path,
    pub(crate) target: Target,
    pub(crate) components: &'a Components,
    /// Whether a component that is not among these may be one of a plugin that could not be loaded.
    pub(crate) incomplete: bool,
}

/// Lambda's control plane answers 15 requests a second, per account and region.
pub(crate) const AWS_REQUESTS_PER_SECOND: u32 = 15;

/// Lays `[defaults]` under every function.
pub(crate) fn spread_defaults(tree: &mut Node) {
    let Some(sections) = tree.table_mut() else { return };
    let Some(defaults) = sections.get("defaults").cloned() else { return };
    let Some(functions) = sections.get_mut("functions").and_then(Node::table_mut) else { return };
    for function in functions.values_mut() {
        let mut merged = defaults.clone();
        if let (Some(own), Some(inherited)) = (function.table(), merged.table_mut()) {
            // What a function says about its code answers the question as a whole.
            let dropped: &[&str] = if own.contains_key("image") {
                &["code", "runtime", "handler", "layers"]
            } else if own.contains_key("code") {
                &["image"]
            } else {
                &[]
            };
            inherited.retain(|key, _| !dropped.contains(&key.as_str()));
        }
        let own = std::mem::replace(function, Node::empty());
        merged.merge(own);
        *function = merged;
    }
}

/// Where a tree of the right shape deploys to.
pub(crate) fn target(tree: &Node) -> Target {
    match tree.get(&["app", "target"]).map(|node| &node.data) {
        Some(Data::Text(word)) if word == "aws" => Target::Aws,
        _ => Target::Local,
    }
}

/// Checks the whole tree, but for its plugins.
pub(crate) fn check(scope: &Scope<'_>, findings: &mut Findings) -> Option<Checked> {
    let app: raw::App = section(scope.tree, &["app"], findings);
    let local: raw::Local = section(scope.tree, &["local"], findings);
    let name = app_name(&app, scope, findings);
    let alias = app.alias.as_deref().unwrap_or("live");
    let alias = named(AliasName::new(alias), scope, &["app", "alias"], Part::Value, findings);
    let is_region = app.region.as_deref().is_none_or(units::is_region);
    expect(
        is_region,
        scope,
        "region",
        "a region's id",
        "write it like `region = \"ap-northeast-2\"`",
        findings,
    );
    let is_bucket = app.artifact_bucket.as_deref().is_none_or(units::is_bucket);
    expect(
        is_bucket,
        scope,
        "artifact_bucket",
        "a bucket's name",
        "write the name alone, without `s3://`",
        findings,
    );
    let mut tables = Tables::read(scope, findings);
    let groups = Groups::new(name.as_ref(), alias.as_ref());
    let functions = functions(scope, &mut tables, groups, findings);
    let defaults_rate = (scope.target == Target::Aws).then_some(AWS_REQUESTS_PER_SECOND);
    let count = |number: Option<u32>, default| {
        number.map_or(default, |n| usize::try_from(n).unwrap_or(default))
    };
    Some(Checked {
        app: AppSpec {
            name: name?,
            alias: alias?,
            on_failure: match app.on_failure {
                Some(raw::OnFailure::Freeze) => OnFailure::Freeze,
                Some(raw::OnFailure::Rollback) | None => OnFailure::Rollback,
            },
            rollback_scope: match app.rollback_scope {
                Some(raw::RollbackScope::Dependents) => RollbackScope::Dependents,
                Some(raw::RollbackScope::Function) => RollbackScope::Function,
                Some(raw::RollbackScope::App) | None => RollbackScope::App,
            },
            on_blind: match app.on_blind {
                Some(raw::OnBlind::Pause) => OnBlind::Pause,
                Some(raw::OnBlind::Rollback) | None => OnBlind::Rollback,
            },
            max_parallel: count(app.max_parallel, 16),
            keep_versions: count(app.keep_versions, 3),
            functions: functions?,
        },
        region: app.region,
        artifact_bucket: app.artifact_bucket,
        requests_per_second: app.requests_per_second.or(defaults_rate),
        local: LocalSettings {
            time_scale: local.time_scale.unwrap_or(1.0),
            traffic_rps: local.traffic.and_then(|traffic| traffic.rps),
            requests_per_second: local.requests_per_second,
            port: local.port,
            check_roles: local.check_roles.unwrap_or_default(),
        },
        strategies: tables.into_strategies(),
    })
}

/// Reads a table of the tree into its type. The shape check leaves nothing that could fail; should it
/// fail all the same, that is said without the values.
pub(crate) fn section<T: DeserializeOwned + Default>(
    tree: &Node,
    path: &[&str],
    findings: &mut Findings,
) -> T {
    let Some(node) = tree.get(path) else { return T::default() };
    serde_json::from_value(node.to_json()).unwrap_or_else(|_| {
        let place = tree.locate(findings.source(), path, Part::Key);
        let message = format!("`{}` cannot be read", crate::node::dotted(path));
        findings.push(Problem::new(code::WRONG_TYPE, place, message));
        T::default()
    })
}

fn app_name(app: &raw::App, scope: &Scope<'_>, findings: &mut Findings) -> Option<AppName> {
    if let Some(name) = &app.name {
        return named(AppName::new(name.as_str()), scope, &["app", "name"], Part::Value, findings);
    }
    if !findings.is_spoilt(&["app", "name"]) {
        let place = scope.tree.locate(findings.source(), &["app", "name"], Part::Key);
        let problem = Problem::new(code::MISSING_KEY, place, "the app has no name")
            .with_label("`name` is missing")
            .with_help("add `name = \"…\"` to [app]");
        findings.push(problem);
    }
    None
}

/// Hangs a name that is not legal on its place.
pub(crate) fn named<T>(
    name: Result<T, BadName>,
    scope: &Scope<'_>,
    path: &[&str],
    part: Part,
    findings: &mut Findings,
) -> Option<T> {
    let bad = match name {
        Ok(name) => return Some(name),
        Err(bad) => bad,
    };
    let text = match (part, scope.tree.get(path)) {
        (Part::Value, Some(node)) => node.quoted(),
        _ => format!("`{}`", bad.text),
    };
    let place = scope.tree.locate(findings.source(), path, part);
    let problem =
        Problem::new(code::BAD_NAME, place, format!("{text} is not a legal {}", bad.what));
    findings.push(problem.with_label("not a legal name").with_help(bad.rule));
    None
}

/// Whether the names of a kind of table may hold dots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dots {
    Legal,
    Illegal,
}

/// Whether the name of a table of `section` is legal. One that is not is reported as a bad name of a
/// `word`.
pub(crate) fn is_table_name(
    tree: &Node,
    (section, name): (&str, &str),
    word: &str,
    dots: Dots,
    findings: &mut Findings,
) -> bool {
    let (marks, rule): (&[u8], _) = match dots {
        Dots::Legal => (b"-_.", "1 to 64 letters, digits, `-`, `_` or `.`"),
        Dots::Illegal => (b"-_", "1 to 64 letters, digits, `-` or `_`"),
    };
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || marks.contains(&b);
    if (1..=64).contains(&name.len()) && name.bytes().all(is_legal) {
        return true;
    }
    let place = tree.locate(findings.source(), &[section, name], Part::Key);
    let message = format!("`{name}` is not a legal {word} name");
    let problem = Problem::new(code::BAD_NAME, place, message);
    findings.push(problem.with_label("not a legal name").with_help(rule));
    false
}

fn expect(
    fits: bool,
    scope: &Scope<'_>,
    key: &str,
    what: &str,
    help: &str,
    findings: &mut Findings,
) {
    if fits {
        return;
    }
    let path = ["app", key];
    let quoted = scope.tree.get(&path).map_or_else(String::new, Node::quoted);
    let place = scope.tree.locate(findings.source(), &path, Part::Value);
    let problem = Problem::new(code::BAD_VALUE, place, format!("{quoted} is not {what}"));
    findings.push(problem.with_label(format!("not {what}")).with_help(help));
}

/// All functions; `None` if one of them cannot be understood.
fn functions<'a>(
    scope: &'a Scope<'a>,
    tables: &mut Tables,
    mut groups: Groups<'a>,
    findings: &mut Findings,
) -> Option<BTreeMap<FunctionName, FunctionSpec>> {
    static NONE: BTreeMap<String, Node> = BTreeMap::new();
    let entries = scope.tree.get(&["functions"]).and_then(Node::table).unwrap_or(&NONE);
    let spoilt: BTreeSet<String> = findings.spoilt_in("functions").map(str::to_owned).collect();
    if entries.is_empty() && spoilt.is_empty() && !findings.is_spoilt(&["functions"]) {
        let place = scope.tree.locate(findings.source(), &["functions"], Part::Key);
        let problem = Problem::new(code::NO_FUNCTIONS, place, "the app has no functions")
            .with_help(
                "add a table such as [functions.hello] with `code`, `runtime` and `handler`",
            );
        findings.push(problem);
    }
    let mut specs = BTreeMap::new();
    let mut whole = true;
    for key in entries.keys() {
        match function::read(key, scope, (tables, &mut groups), findings) {
            Some(spec) => {
                specs.insert(spec.name.clone(), spec);
            }
            None => whole = false,
        }
    }
    tables.warn_of_unused(scope, findings);
    groups.warn_of_idle(scope, findings);
    let known = entries.keys().cloned().chain(spoilt).collect();
    dependencies(scope, entries, &known, findings);
    same_names(scope, entries, findings);
    (whole && !specs.is_empty()).then_some(specs)
}

/// Checks what functions depend on. It looks at the tree and not at the specs, so that a function
/// that is wrong otherwise does not hide a cycle.
fn dependencies(
    scope: &Scope<'_>,
    entries: &BTreeMap<String, Node>,
    known: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let mut edges: BTreeMap<FunctionName, BTreeSet<FunctionName>> = BTreeMap::new();
    for (key, node) in entries {
        let mut needs = BTreeSet::new();
        for element in texts(node.child("depends_on")) {
            let Data::Text(need) = &element.data else { continue };
            let place = findings.place(&element.origin, Part::Value);
            if need == key {
                let message = format!("function `{key}` depends on itself");
                let problem = Problem::new(code::SELF_DEPENDENCY, place, message)
                    .with_label("the function itself")
                    .with_help(format!("take `{key}` out of its `depends_on`"));
                findings.push(problem);
            } else if !known.contains(need) {
                let names = known.iter().map(String::as_str);
                let message = format!("there is no function {}", element.quoted());
                let problem = Problem::new(code::UNKNOWN_FUNCTION, place, message)
                    .with_label("no such function");
                findings.push(problem.with_help(suggest(element, names, "functions")));
            } else if let Ok(need) = FunctionName::new(need.as_str())
                && !needs.insert(need)
            {
                findings.push(listed_twice(place, element));
            }
        }
        if let Ok(name) = FunctionName::new(key.as_str()) {
            edges.insert(name, needs);
        }
    }
    let Err(cycles) = Graph::new(&edges) else { return };
    for cycle in cycles {
        findings.push(cycle_problem(scope, &cycle, findings));
    }
}

fn cycle_problem(
    scope: &Scope<'_>,
    cycle: &wavegate_core::graph::Cycle,
    findings: &Findings,
) -> Problem {
    let names = &cycle.0;
    let arrows = names.iter().zip(names.iter().cycle().skip(1));
    let mut places = arrows.map(|(from, to)| {
        let path = ["functions", from.as_str(), "depends_on"];
        let list = scope.tree.get(&path);
        let index = texts(list)
            .position(|node| matches!(&node.data, Data::Text(text) if text == to.as_str()));
        let index = index.unwrap_or(0).to_string();
        let path = ["functions", from.as_str(), "depends_on", &index];
        (scope.tree.locate(findings.source(), &path, Part::Value), format!("{from} needs {to}"))
    });
    let (place, label) =
        places.next().unwrap_or_else(|| (Place::file(findings.source(), 0..0), String::new()));
    let message = format!("functions depend on each other in a circle: {cycle}");
    let problem = Problem::new(code::CYCLE, place, message)
        .with_label(label)
        .with_help("take one of these dependencies away");
    places.fold(problem, |problem, (place, label)| problem.and_at(&place, label))
}

/// Two functions must not deploy to one.
fn same_names(scope: &Scope<'_>, entries: &BTreeMap<String, Node>, findings: &mut Findings) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for key in entries.keys() {
        let name = lambda_name(scope.tree, key);
        let Some(other) = first.insert(name, key) else { continue };
        let locate = |key: &str| {
            scope.tree.locate(findings.source(), &["functions", key, "name"], Part::Value)
        };
        let message = format!("functions `{other}` and `{key}` have the same name in Lambda");
        let problem = Problem::new(code::SAME_NAME, locate(key), message)
            .with_label("the same name")
            .and_at(&locate(other), "taken here")
            .with_help("give one of them another `name`");
        findings.push(problem);
    }
}

/// The name in Lambda that is meant by a function's key, or by a name of one that is not the app's.
pub(crate) fn lambda_name<'t>(tree: &'t Node, key: &'t str) -> &'t str {
    match tree.get(&["functions", key, "name"]).map(|node| &node.data) {
        Some(Data::Text(name)) => name,
        _ => key,
    }
}

/// The elements of a list, if there is one.
pub(crate) fn texts(list: Option<&Node>) -> impl Iterator<Item = &Node> {
    let list = match list.map(|node| &node.data) {
        Some(Data::List(list)) => list.as_slice(),
        _ => &[],
    };
    list.iter()
}

/// What a name that does not exist may have meant.
pub(crate) fn suggest<'a>(
    node: &Node,
    known: impl Iterator<Item = &'a str> + Clone,
    section: &str,
) -> String {
    /// More names are no help.
    const NAMES_MAX: usize = 12;
    // A closest word would tell about a value from the environment.
    if let (Data::Text(text), false) = (&node.data, node.is_secret())
        && let Some(near) = nearest(text, known.clone())
    {
        return format!("did you mean `{near}`?");
    }
    let names: Vec<&str> = known.take(NAMES_MAX + 1).collect();
    match names.len() {
        0 => format!("there are no [{section}.NAME] tables"),
        1..=NAMES_MAX => format!("there are: {}", names.join(", ")),
        _ => format!("names are those of [{section}.NAME] tables"),
    }
}

pub(crate) fn listed_twice(place: Place, element: &Node) -> Problem {
    Problem::new(code::LISTED_TWICE, place, format!("{} is listed twice", element.quoted()))
        .with_label("again")
        .with_help("take one of them out")
        .as_warning()
}

/// A component's own keys as JSON: all but wavegate's.
pub(crate) fn own_keys(node: &Node, ours: &[&str]) -> Value {
    let entries = node.table().into_iter().flatten();
    entries
        .filter(|(key, _)| !ours.contains(&key.as_str()))
        .map(|(key, node)| (key.clone(), node.to_json()))
        .collect()
}
