//! `[plugins.NAME]`: the libraries that may be loaded, and under what conditions.
//!
//! What is said here is only that the tables are sound. Whether there is such a library, whether it
//! is the one that is pinned and what components it has is found by whoever loads it, who hangs
//! problems on places with [`crate::Draft::problem`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check::{Dots, is_table_name, listed_twice, section, texts};
use crate::code;
use crate::findings::Findings;
use crate::interpolate::is_variable_name;
use crate::node::{Data, Node, Part, dotted};
use crate::problem::Problem;
use crate::{raw, values};

/// As the schema says.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A release waits no longer for any answer than twice this.
const TIMEOUT_MAX: Duration = Duration::from_mins(1);
/// As the schema says.
const MAX_IN_FLIGHT: u32 = 1024;
/// In MiB, as the schema says.
const MEMORY_MB: u32 = 1024;
/// In MiB: a process with less would not start, and more than a terabyte is no bound.
const MEMORY_RANGE_MB: (u32, u32) = (64, 1 << 20);

/// A plugin that the manifest names.
#[derive(Clone, PartialEq, Eq)]
pub struct PluginUse {
    /// Its name: the NAME in `[plugins.NAME]`.
    pub name: String,
    /// The library, from where the manifest's own path starts. What the platform adds to a library's
    /// file name is not added yet.
    pub path: PathBuf,
    /// Where it runs.
    pub isolation: Isolation,
    /// The environment variables that it sees if it is isolated, each once.
    pub env: Vec<String>,
    /// How long one call may take in real time, hooks apart. Longer than nothing.
    pub timeout: Duration,
    /// How many calls may be on their way to it at the same time: 1 to 100 000.
    pub max_in_flight: usize,
    /// The most that its process may allocate if it is isolated, in bytes.
    pub memory_bytes: u64,
    /// Whether it takes the place of a plugin that ships with wavegate and is linked in.
    pub builtin: bool,
    /// The library's SHA-256 by target triple, each as 64 lower-case hexadecimal digits.
    pub sha256: BTreeMap<String, String>,
}

/// Where a plugin runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// In a process of its own.
    #[default]
    Process,
    /// In wavegate's own process.
    InProcess,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Process => "process",
            Self::InProcess => "in-process",
        })
    }
}

impl PluginUse {
    /// The dotted key of the pin for a target, for [`crate::Draft::problem`].
    pub fn pin_key(&self, target: &str) -> String {
        dotted(&["plugins", &self.name, "sha256", target])
    }
}

impl fmt::Debug for PluginUse {
    /// Without anything that may have come from the environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginUse")
            .field("name", &self.name)
            .field("isolation", &self.isolation)
            .field("builtin", &self.builtin)
            .finish_non_exhaustive()
    }
}

/// The plugins of a manifest.
pub(crate) struct Plugins {
    /// Those that are sound.
    pub(crate) sound: BTreeMap<String, PluginUse>,
    /// Whether there are others, which have been reported.
    pub(crate) some_broken: bool,
}

/// Reads all plugins. `dir` is what their paths are relative to.
pub(crate) fn read(tree: &Node, dir: &Path, findings: &mut Findings) -> Plugins {
    let mut sound = BTreeMap::new();
    let mut some_broken = findings.is_spoilt_within(&["plugins"]);
    for (name, node) in tree.get(&["plugins"]).and_then(Node::table).into_iter().flatten() {
        match (Reader { name, node, tree }).read(dir, findings) {
            Some(plugin) => {
                sound.insert(name.clone(), plugin);
            }
            None => some_broken = true,
        }
    }
    Plugins { sound, some_broken }
}

/// A plugin's table and what is needed to talk about it.
struct Reader<'a> {
    name: &'a str,
    node: &'a Node,
    tree: &'a Node,
}

impl Reader<'_> {
    /// `None` if anything about the table has been reported: a library is not loaded under
    /// conditions that are in doubt.
    fn read(&self, dir: &Path, findings: &mut Findings) -> Option<PluginUse> {
        let raw: raw::Plugin = section(self.tree, &["plugins", self.name], findings);
        let table = ("plugins", self.name);
        let is_named = is_table_name(self.tree, table, "plugin", Dots::Illegal, findings);
        let path = self.path(&raw, findings);
        let env = self.env(findings);
        let timeout = self.timeout(findings);
        let memory_mb = self.memory_mb(findings);
        let sha256 = self.pins(findings);
        let isolation = match raw.isolation {
            Some(raw::Isolation::InProcess) => Isolation::InProcess,
            Some(raw::Isolation::Process) | None => Isolation::Process,
        };
        if isolation == Isolation::InProcess {
            self.warn_of_bounds(findings);
        }
        let is_sound = is_named && !findings.is_spoilt_within(&["plugins", self.name]);
        is_sound.then_some(())?;
        Some(PluginUse {
            name: self.name.to_owned(),
            path: dir.join(path?),
            isolation,
            env: env?,
            timeout: timeout?,
            max_in_flight: usize::try_from(raw.max_in_flight.unwrap_or(MAX_IN_FLIGHT)).ok()?,
            memory_bytes: u64::from(memory_mb?) << 20,
            builtin: raw.builtin.unwrap_or(false),
            sha256: sha256?,
        })
    }

    fn path<'r>(&self, raw: &'r raw::Plugin, findings: &mut Findings) -> Option<&'r str> {
        const EXAMPLE: &str = "write it like `path = \"plugins/ladder\"`: the platform's `lib` and \
                               extension are added";
        let key = ["plugins", self.name, "path"];
        let Some(path) = &raw.path else {
            if !findings.is_spoilt(&key) {
                let place = self.tree.locate(findings.source(), &key, Part::Key);
                let message = format!("plugin `{}` does not say where its library is", self.name);
                let problem = Problem::new(code::MISSING_KEY, place, message);
                findings.push(problem.with_label("`path` is missing").with_help(EXAMPLE));
            }
            return None;
        };
        // A directory may be a Cargo project: the manifest's own is `.`.
        let names_something = Path::new(path).file_name().is_some() || path == ".";
        if !path.ends_with(std::path::is_separator) && names_something {
            return Some(path);
        }
        let place = self.tree.locate(findings.source(), &key, Part::Value);
        let quoted = self.node.child("path").map_or_else(String::new, Node::quoted);
        let problem = Problem::new(code::BAD_VALUE, place, format!("{quoted} names no file"));
        findings.push(problem.with_label("not a file's name").with_help(EXAMPLE));
        None
    }

    fn env(&self, findings: &mut Findings) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        let mut is_legal = true;
        for node in texts(self.node.child("env")) {
            let Data::Text(name) = &node.data else { continue };
            let place = findings.place(&node.origin, Part::Value);
            if !is_variable_name(name) {
                let message =
                    format!("{} is not the name of an environment variable", node.quoted());
                let problem = Problem::new(code::BAD_VALUE, place, message);
                findings.push(problem.with_label("not a name").with_help(
                    "names hold letters, digits and `_`; the value is the one that wavegate has",
                ));
                is_legal = false;
            } else if names.contains(name) {
                findings.push(listed_twice(place, node));
            } else {
                names.push(name.clone());
            }
        }
        is_legal.then_some(names)
    }

    fn timeout(&self, findings: &mut Findings) -> Option<Duration> {
        match self.node.child("timeout") {
            Some(node) => {
                let key = ["plugins", self.name, "timeout"];
                let timeout = values::nonzero_duration(node, &key, findings)?;
                if timeout <= TIMEOUT_MAX {
                    return Some(timeout);
                }
                let place = findings.place(&node.origin, Part::Value);
                let message =
                    format!("`{}` may be 1m, and {} is more", dotted(&key), node.quoted());
                let problem = Problem::new(code::OUT_OF_RANGE, place, message);
                findings.push(problem.with_help(
                    "what takes longer belongs in a hook, which has a `timeout` of its own",
                ));
                None
            }
            None => Some(TIMEOUT),
        }
    }

    fn memory_mb(&self, findings: &mut Findings) -> Option<u32> {
        match self.node.child("memory") {
            Some(node) => values::size(node, "memory", MEMORY_RANGE_MB, "a plugin", findings),
            None => Some(MEMORY_MB),
        }
    }

    fn pins(&self, findings: &mut Findings) -> Option<BTreeMap<String, String>> {
        let mut pins = BTreeMap::new();
        let mut is_legal = true;
        let table = self.node.child("sha256").and_then(Node::table);
        for (target, node) in table.into_iter().flatten() {
            let Data::Text(digest) = &node.data else { continue };
            if let Some(problem) = self.bad_pin(target, digest, node, findings) {
                findings.push(problem);
                is_legal = false;
            }
            pins.insert(target.clone(), digest.clone());
        }
        is_legal.then_some(pins)
    }

    fn bad_pin(
        &self,
        target: &str,
        digest: &str,
        node: &Node,
        findings: &Findings,
    ) -> Option<Problem> {
        if !is_target(target) {
            let place = findings.place(&node.origin, Part::Key);
            let problem =
                Problem::new(code::BAD_PIN, place, format!("`{target}` is not a target triple"));
            return Some(
                problem
                    .with_label("not a target triple")
                    .with_help("write it like `x86_64-unknown-linux-gnu`"),
            );
        }
        if is_digest(digest) {
            return None;
        }
        let place = findings.place(&node.origin, Part::Value);
        let message = format!(
            "the pin of plugin `{}` for `{target}` is not 64 lower-case hexadecimal digits",
            self.name
        );
        // Even that its letters are the right ones would tell about a value from the environment.
        let help = if !node.is_secret() && is_digest(&digest.to_ascii_lowercase()) {
            "write it in lower case".to_owned()
        } else {
            format!("`wavegate plugin pin {}` writes it", self.name)
        };
        let problem = Problem::new(code::BAD_PIN, place, message);
        Some(problem.with_label("not a SHA-256").with_help(help))
    }

    /// Warns of what bounds a process, where there is none.
    fn warn_of_bounds(&self, findings: &mut Findings) {
        let names_variables = texts(self.node.child("env")).next().is_some();
        let bounds = [
            ("env", names_variables, "it sees every variable that wavegate sees"),
            ("memory", self.node.child("memory").is_some(), "it may allocate what wavegate may"),
        ];
        for (key, _, label) in bounds.into_iter().filter(|(_, is_given, _)| *is_given) {
            let path = ["plugins", self.name, key];
            let place = self.tree.locate(findings.source(), &path, Part::Value);
            let message =
                format!("`{key}` has no effect on plugin `{}`, which runs in-process", self.name);
            let problem = Problem::new(code::NO_EFFECT, place, message)
                .with_label(label)
                .with_help(format!("take `{key}` out, or set `isolation = \"process\"`"))
                .as_warning();
            findings.push(problem);
        }
    }
}

/// Whether a text may be a target triple, such as `x86_64-unknown-linux-gnu`.
pub(crate) fn is_target(text: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.';
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_legal);
    text.len() <= 64 && text.contains('-') && text.split('-').all(is_part)
}

/// Whether a text is a SHA-256 in the one form that pins have.
pub(crate) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
