//! The plugins that ship with wavegate, as libraries: each can also be loaded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::binary::{Project, repository};

/// The directories under `plugins/`, and the variables that each needs in a process of its own.
pub const BUILT_IN: [(&str, &[&str]); 9] = [
    ("all-at-once", &[]),
    ("canary", &[]),
    ("linear", &[]),
    ("steps", &[]),
    ("lambda-hook", &[]),
    ("http-hook", &[]),
    // It runs programs.
    ("command-hook", &["PATH"]),
    ("cloudwatch", &[]),
    ("prometheus", &[]),
];

/// The libraries by the directories of their crates, built once.
///
/// # Panics
/// If they cannot be built.
pub fn libraries() -> &'static BTreeMap<String, PathBuf> {
    static LIBRARIES: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    LIBRARIES.get_or_init(build)
}

fn build() -> BTreeMap<String, PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--message-format", "json-render-diagnostics"]);
    for (name, _) in BUILT_IN {
        command.args(["--package", &format!("wavegate-plugin-{name}")]);
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.current_dir(repository()).stderr(Stdio::inherit()).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "the plugins cannot be built");
    let messages = String::from_utf8_lossy(&output.stdout);
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let libraries: BTreeMap<String, PathBuf> = artifacts
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.strip_prefix("wavegate_plugin_")?;
            let files = message["filenames"].as_array()?;
            let library = files.iter().filter_map(Value::as_str).map(Path::new);
            let library = library.into_iter().find(|file| {
                file.extension()
                    .is_some_and(|extension| extension == std::env::consts::DLL_EXTENSION)
            })?;
            Some((name.replace('_', "-"), library.to_owned()))
        })
        .filter(|(name, _)| BUILT_IN.iter().any(|(known, _)| known == name))
        .collect();
    assert_eq!(libraries.len(), BUILT_IN.len(), "cargo names every library: {libraries:?}");
    libraries
}

/// Where plugins run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Linked into wavegate: nothing is said about them.
    Linked,
    /// Loaded into wavegate's process, pinned.
    Loaded,
    /// Each in a process of its own.
    Isolated,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Linked, Self::Loaded, Self::Isolated];

    /// Makes a project run every built-in plugin this way, and pins them.
    ///
    /// # Panics
    /// If they cannot be pinned.
    pub fn of_built_in(self, project: &Project) {
        let isolation = match self {
            Self::Linked => return,
            Self::Loaded => "in-process",
            Self::Isolated => "process",
        };
        let mut manifest = project.read("deploy.toml");
        for (name, variables) in BUILT_IN {
            let path = &libraries()[name];
            manifest.push_str(&format!(
                "\n[plugins.{name}]\npath = {path:?}\nbuiltin = true\nisolation = \"{isolation}\"\n"
            ));
            if self == Self::Isolated {
                manifest.push_str(&format!("env = {variables:?}\n"));
            }
        }
        project.write("deploy.toml", &manifest);
        for (name, _) in BUILT_IN {
            let _ = project.run(&["plugin", "pin", name]).expect(0);
        }
    }
}
