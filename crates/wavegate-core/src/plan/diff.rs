//! What is different between what is wanted and what the alias serves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Problem, Standing};
use crate::inventory::{Artifact, Inventory, Latest, ObservedFunction, ObservedVersion};
use crate::name::FunctionName;
use crate::spec::{AppSpec, FunctionConfig, FunctionSpec};

/// One difference, for people. Values of environment variables are never in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What changes, such as `memory`.
    pub what: String,
    /// The old value, if it may be shown and says something.
    pub from: Option<String>,
    /// The new value, if it may be shown and says something.
    pub to: Option<String>,
}

impl Change {
    pub(super) fn new(what: &str, from: impl fmt::Display, to: impl fmt::Display) -> Self {
        Self { what: what.to_owned(), from: Some(from.to_string()), to: Some(to.to_string()) }
    }

    fn bare(what: impl Into<String>) -> Self {
        Self { what: what.into(), from: None, to: None }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{} {from} -> {to}", self.what),
            _ => f.write_str(&self.what),
        }
    }
}

/// The comparison of a whole app.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Diff {
    /// Where each function stands.
    pub standings: BTreeMap<FunctionName, Standing>,
    /// Of those that change, the ones whose alias serves what is wanted: only their `$LATEST` is to
    /// be put right.
    pub put_right: BTreeSet<FunctionName>,
    /// What is worth knowing.
    pub problems: Vec<Problem>,
}

impl Diff {
    /// The functions that a release would touch, in name order.
    pub fn changed(&self) -> impl Iterator<Item = &FunctionName> {
        self.standings
            .iter()
            .filter(|(_, s)| matches!(s, Standing::New | Standing::Changed(_)))
            .map(|(name, _)| name)
    }
}

/// Compares what is wanted with the version that each alias serves, not with `$LATEST`; with that, too,
/// of the hooks that CodeDeploy calls, because that is what it calls.
pub fn diff(
    spec: &AppSpec,
    inventory: &Inventory,
    artifacts: &BTreeMap<FunctionName, Artifact>,
    only: Option<&BTreeSet<FunctionName>>,
) -> Diff {
    let mut diff = Diff::default();
    for (name, function) in &spec.functions {
        if only.is_some_and(|only| !only.contains(name)) {
            diff.standings.insert(name.clone(), Standing::NotSelected);
            continue;
        }
        let observed = inventory.functions.get(name);
        let artifact = artifacts.get(name);
        let standing = match observed.filter(|o| o.alias(&spec.alias).is_some()) {
            None => Standing::New,
            Some(observed) => {
                let served = &observed.served;
                let mut changes = code(artifact, served);
                changes.extend(config(&served.config, &function.config));
                match (changes.is_empty(), served.version) {
                    (true, Some(version)) => match latest(artifact, observed, function) {
                        Some(change) => {
                            diff.put_right.insert(name.clone());
                            Standing::Changed(vec![change])
                        }
                        None => Standing::Unchanged(version),
                    },
                    _ => Standing::Changed(changes),
                }
            }
        };
        diff.standings.insert(name.clone(), standing);
    }
    diff
}

/// Why the `$LATEST` of a function is to be written although its alias serves what is wanted.
///
/// It is held against what a preparation would write, so that one preparation puts it right.
fn latest(
    artifact: Option<&Artifact>,
    observed: &ObservedFunction,
    function: &FunctionSpec,
) -> Option<Change> {
    let what = match &observed.latest {
        Latest::Written => "$LATEST was written by this release",
        Latest::Holds(held) if !code(artifact, held).is_empty() => {
            "$LATEST holds other code than its alias serves"
        }
        Latest::Holds(held) if !runs_alike(&held.config, &function.config) => {
            "$LATEST has another configuration than its alias serves"
        }
        Latest::Unasked | Latest::Holds(_) => return None,
    };
    Some(Change::bare(format!("{what}, and CodeDeploy calls this hook by name")))
}

/// Whether the `$LATEST` of a function is known to hold something else than its alias serves.
pub(super) fn has_strayed(observed: &ObservedFunction) -> bool {
    let served = &observed.served;
    match &observed.latest {
        Latest::Unasked | Latest::Written => false,
        Latest::Holds(held) => {
            held.code_sha256 != served.code_sha256 || !runs_alike(&held.config, &served.config)
        }
    }
}

/// Whether two configurations are the same but for their descriptions, which change nothing and which
/// a version may have of its own.
fn runs_alike(one: &FunctionConfig, other: &FunctionConfig) -> bool {
    let description = other.description.clone();
    same_config(&FunctionConfig { description, ..one.clone() }, other)
}

fn code(artifact: Option<&Artifact>, served: &ObservedVersion) -> Vec<Change> {
    match artifact {
        None => Vec::new(),
        Some(Artifact::Zip { code_sha256, .. }) if *code_sha256 == served.code_sha256 => Vec::new(),
        Some(Artifact::Zip { .. }) => vec![Change::bare("code")],
        // What an object holds is not known before Lambda has read it; if it turns out to be the
        // same, Lambda publishes no new version and the rollout ends there.
        Some(Artifact::S3 { .. }) => {
            vec![Change::bare("code (in S3: compared when Lambda has read it)")]
        }
        // A tag can move; a digest cannot.
        Some(Artifact::Image { uri }) => match &served.image_uri {
            Some(was) if was == uri && uri.contains("@sha256:") => Vec::new(),
            Some(was) if was == uri => {
                vec![Change::bare("image (a tag: compared when Lambda has read it)")]
            }
            was => vec![Change::new("image", was.as_deref().unwrap_or("none"), uri)],
        },
    }
}

/// The differences between two configurations.
pub(crate) fn config(was: &FunctionConfig, want: &FunctionConfig) -> Vec<Change> {
    let mut changes = Vec::new();
    let none = || "none".to_owned();
    let mut text = |what: &str, was: &str, want: &str| {
        if was != want {
            changes.push(Change::new(what, was, want));
        }
    };
    text(
        "runtime",
        was.runtime.as_deref().unwrap_or("none"),
        want.runtime.as_deref().unwrap_or("none"),
    );
    text(
        "handler",
        was.handler.as_deref().unwrap_or("none"),
        want.handler.as_deref().unwrap_or("none"),
    );
    text("role", &was.role, &want.role);
    text("architecture", &was.architecture, &want.architecture);
    text("memory", &format!("{}MB", was.memory_mb), &format!("{}MB", want.memory_mb));
    text("timeout", &format!("{}s", was.timeout_s), &format!("{}s", want.timeout_s));
    text(
        "ephemeral storage",
        &format!("{}MB", was.ephemeral_storage_mb),
        &format!("{}MB", want.ephemeral_storage_mb),
    );
    text("tracing", on_off(was.tracing), on_off(want.tracing));
    text(
        "dead-letter target",
        &was.dead_letter.clone().unwrap_or_else(none),
        &want.dead_letter.clone().unwrap_or_else(none),
    );
    if was.description != want.description {
        changes.push(Change::bare("description"));
    }
    if was.layers != want.layers {
        changes.push(Change::bare("layers"));
    }
    if was.vpc.clone().unwrap_or_default() != want.vpc.clone().unwrap_or_default() {
        changes.push(Change::bare("vpc"));
    }
    let keys: BTreeSet<&String> = was.environment.keys().chain(want.environment.keys()).collect();
    for key in keys {
        let word = match (was.environment.get(key), want.environment.get(key)) {
            (Some(a), Some(b)) if a == b => continue,
            (Some(_), Some(_)) => "changed",
            (None, _) => "added",
            (_, None) => "removed",
        };
        changes.push(Change::bare(format!("environment {key} {word}")));
    }
    changes
}

fn on_off(value: bool) -> &'static str {
    if value { "active" } else { "pass-through" }
}

/// Whether two configurations are the same to Lambda.
pub fn same_config(was: &FunctionConfig, want: &FunctionConfig) -> bool {
    config(was, want).is_empty()
}
