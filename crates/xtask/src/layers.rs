//! The layers: which crate may use which, and the few things every crate must have.
//!
//! The rules are data in [`rules`]; here the workspace is read, and every violation is reported with
//! its fix, not only the first. What a rule says about one crate is a pure function, so that the
//! tests need no workspace.

mod manifests;
mod rules;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use cargo_metadata::{Dependency, DependencyKind, Metadata, MetadataCommand, PackageId};

/// Something that is not as ARCHITECTURE.md says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The crate or file.
    pub(crate) subject: String,
    /// What is wrong with it.
    pub(crate) what: String,
    /// How to mend it.
    pub(crate) fix: String,
}

impl Violation {
    fn new(subject: &str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { subject: subject.to_owned(), what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  fix: {}", self.subject, self.what, self.fix)
    }
}

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayersError {
    /// Cargo does not understand the workspace.
    #[error("could not run `cargo metadata`")]
    Metadata(#[from] cargo_metadata::Error),
    /// A file cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A manifest is no TOML.
    #[error("could not parse `{}`", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: toml_edit::TomlError,
    },
}

/// One crate of the workspace, as far as the rules look.
#[derive(Debug, Default)]
struct Member {
    name: String,
    directory: PathBuf,
    /// Names of what it uses itself, normally or in its build script, and `name/feature` for every
    /// feature that it asks for.
    uses: BTreeSet<String>,
    /// Names of what its tests use.
    tests_use: BTreeSet<String>,
    /// Names of everything that is compiled into it.
    beneath: BTreeSet<String>,
}

/// How many crates there are, and everything that is wrong with them.
pub(crate) fn check(root: &Path) -> Result<(usize, Vec<Violation>), LayersError> {
    let metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).exec()?;
    let members = members(&metadata);
    let mut violations = Vec::new();
    for member in &members {
        violations.extend(arrows(member));
        violations.extend(homes(member));
        violations.extend(never_beneath(member));
        let path = member.directory.join("Cargo.toml");
        violations.extend(manifests::member(&label(root, &path), &parsed(&path)?));
        violations.extend(sources::undocumented(root, &member.directory)?);
    }
    violations.extend(manifests::root(&parsed(&root.join("Cargo.toml"))?));
    violations.extend(sources::strangers(root));
    Ok((members.len(), violations))
}

/// A path as people write it, relative to the workspace.
fn label(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> Result<String, LayersError> {
    std::fs::read_to_string(path)
        .map_err(|source| LayersError::Read { path: path.to_owned(), source })
}

fn parsed(path: &Path) -> Result<toml_edit::DocumentMut, LayersError> {
    read(path)?.parse().map_err(|source| LayersError::Parse { path: path.to_owned(), source })
}

fn members(metadata: &Metadata) -> Vec<Member> {
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let arrows = arrows_of_packages(metadata);
    let mut members: Vec<Member> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let of = |wanted: &dyn Fn(DependencyKind) -> bool| {
                let all = package.dependencies.iter().filter(|dependency| wanted(dependency.kind));
                all.flat_map(names_of).collect()
            };
            Member {
                name: package.name.to_string(),
                directory: package
                    .manifest_path
                    .parent()
                    .map(|directory| directory.as_std_path().to_owned())
                    .unwrap_or_default(),
                uses: of(&|kind| kind != DependencyKind::Development),
                tests_use: of(&|kind| kind == DependencyKind::Development),
                beneath: beneath(&package.id, &arrows, &names),
            }
        })
        .collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    members
}

/// A dependency's name, and the features that are asked of it.
fn names_of(dependency: &Dependency) -> impl Iterator<Item = String> {
    let name = &dependency.name;
    let features = dependency.features.iter().map(move |feature| format!("{name}/{feature}"));
    std::iter::once(name.clone()).chain(features)
}

type Arrows<'a> = BTreeMap<&'a PackageId, Vec<&'a PackageId>>;

/// What each package is compiled with, tests aside.
fn arrows_of_packages(metadata: &Metadata) -> Arrows<'_> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    nodes
        .map(|node| {
            let compiled = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            (&node.id, compiled.map(|dependency| &dependency.pkg).collect())
        })
        .collect()
}

fn beneath(
    start: &PackageId,
    arrows: &Arrows<'_>,
    names: &BTreeMap<&PackageId, &str>,
) -> BTreeSet<String> {
    let mut seen: BTreeSet<&PackageId> = BTreeSet::new();
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        for &next in arrows.get(id).into_iter().flatten() {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen.into_iter().filter_map(|id| names.get(id)).map(|name| (*name).to_owned()).collect()
}

/// Arrows between the house's own crates.
fn arrows(member: &Member) -> Vec<Violation> {
    let Some(layer) = rules::layer(&member.name) else {
        let what = "it stands in no layer";
        let fix = "give it a row in ARCHITECTURE.md and in crates/xtask/src/layers/rules.rs, \
                   lowest layer first";
        return vec![Violation::new(&member.name, what, fix)];
    };
    let ours = |name: &&String| rules::layer(name).is_some();
    let forbidden = member.uses.iter().filter(ours).filter(|name| !layer.may_use(name));
    let mut violations: Vec<Violation> = forbidden
        .map(|name| {
            let what = format!("it uses {name}, which is not below it");
            let allowed = layer.allowed_words();
            let fix = format!(
                "it may use {allowed}: move what it needs down, or pass it in as a trait or as data"
            );
            Violation::new(&member.name, what, fix)
        })
        .collect();
    // Packages of tests share what they need.
    let is_test = member.name == "wavegate-sim";
    let is_top = |name: &&String| {
        rules::TOPS.contains(&name.as_str()) && !(is_test && *name == "wavegate-tests")
    };
    let tops = member.tests_use.iter().filter(is_top);
    violations.extend(tops.map(|name| {
        let what = format!("its tests use {name}, the top of the house");
        Violation::new(&member.name, what, "put such a test into the package `wavegate-tests`")
    }));
    violations
}

/// Outside crates that have one home.
fn homes(member: &Member) -> Vec<Violation> {
    let mut violations = Vec::new();
    for name in &member.uses {
        let Some(rule) = rules::home(name) else { continue };
        if !rule.homes.contains(&member.name.as_str()) {
            let what = format!("it uses {name}, whose home is {}", rule.homes.join(" or "));
            let fix = format!("{}; deny.toml says the same", rule.instead);
            violations.push(Violation::new(&member.name, what, fix));
        }
    }
    violations
}

/// What must not be compiled into a crate, however far below.
fn never_beneath(member: &Member) -> Vec<Violation> {
    let rules = rules::NEVER_BENEATH.iter().filter(|rule| rule.name == member.name);
    let forbidden = |name: &str| {
        rules.clone().any(|rule| rule.forbidden.iter().any(|pattern| rules::matches(pattern, name)))
    };
    let found: Vec<&str> =
        member.beneath.iter().map(String::as_str).filter(|name| forbidden(name)).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let what = format!("{} ends up beneath it", found.join(", "));
    let fix = format!("`cargo tree -p {} -i {} -e normal` shows the way", member.name, found[0]);
    vec![Violation::new(&member.name, what, fix)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, uses: &[&str]) -> Member {
        let uses = uses.iter().map(|name| (*name).to_owned()).collect();
        Member { name: name.to_owned(), uses, ..Member::default() }
    }

    fn whats(violations: &[Violation]) -> Vec<&str> {
        violations.iter().map(|violation| violation.what.as_str()).collect()
    }

    #[test]
    fn an_arrow_points_down() {
        for (name, uses, is_fine) in [
            ("wavegate-core", "petgraph", true),
            ("wavegate-core", "wavegate-config", false),
            ("wavegate-config", "wavegate-core", true),
            ("wavegate-config", "wavegate-engine", false),
            ("wavegate-aws", "wavegate-engine", true),
            ("wavegate-engine", "wavegate-aws", false),
            ("wavegate-plugin-canary", "wavegate-plugin-sdk", true),
            ("wavegate-plugin-canary", "wavegate-plugin-protocol", false),
            ("wavegate-plugin-canary", "wavegate-core", false),
            ("wavegate-plugin-host", "wavegate-plugin-sdk", false),
            ("wavegate-cli", "wavegate-plugin-canary", true),
            ("wavegate-report", "wavegate-cli", false),
            ("wavegate-tests", "wavegate-cli", true),
        ] {
            let found = arrows(&member(name, &[uses]));
            assert_eq!(found.is_empty(), is_fine, "{name} -> {uses}: {found:?}");
        }
    }

    #[test]
    fn a_crate_without_a_layer_is_told() {
        assert_eq!(whats(&arrows(&member("wavegate-new", &[]))), ["it stands in no layer"]);
    }

    #[test]
    fn the_tests_of_a_crate_may_look_sideways_and_not_to_the_top() {
        let mut engine = member("wavegate-engine", &[]);
        engine.tests_use.insert("wavegate-local".to_owned());
        assert_eq!(arrows(&engine), []);
        engine.tests_use.insert("wavegate-cli".to_owned());
        assert_eq!(whats(&arrows(&engine)), ["its tests use wavegate-cli, the top of the house"]);
    }

    #[test]
    fn an_outside_crate_stays_at_home() {
        for (name, uses, is_fine) in [
            ("wavegate-core", "petgraph", true),
            ("wavegate-config", "petgraph", false),
            ("wavegate-config", "figment", true),
            ("wavegate-cli", "figment", false),
            ("wavegate-cli", "clap", true),
            ("wavegate-local", "clap", false),
            ("wavegate-aws", "aws-sdk-lambda", true),
            ("wavegate-plugin-lambda-hook", "aws-sdk-lambda", true),
            ("wavegate-engine", "aws-sdk-lambda", false),
            ("wavegate-cli", "aws-sdk-sts", false),
            ("wavegate-plugin-host", "libloading", true),
            ("wavegate-plugin-sdk", "libloading", false),
            ("wavegate-plugin-cloudwatch", "wavegate-plugin-sdk/aws", true),
            ("wavegate-plugin-canary", "wavegate-plugin-sdk/aws", false),
            ("wavegate-plugin-http-hook", "wavegate-plugin-sdk/http", true),
            ("wavegate-plugin-http-hook", "reqwest", false),
            ("wavegate-plugin-command-hook", "wavegate-plugin-sdk/http", false),
        ] {
            let found = homes(&member(name, &[uses]));
            assert_eq!(found.is_empty(), is_fine, "{name} -> {uses}: {found:?}");
        }
    }

    #[test]
    fn nothing_of_the_world_ends_up_beneath_the_core() {
        let mut core = member("wavegate-core", &[]);
        core.beneath = ["petgraph", "indexmap"].map(str::to_owned).into();
        assert_eq!(never_beneath(&core), []);
        core.beneath.extend(["tokio", "aws-types"].map(str::to_owned));
        assert_eq!(whats(&never_beneath(&core)), ["aws-types, tokio ends up beneath it"]);
    }
}
