//! What Cargo builds for the tests: the binary, and plugins as libraries.
//!
//! All of it in one build, whatever a test needs of it: another selection of packages would be built
//! with other features, and the files of the two would take each other's place under a running test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::binary::repository;

/// The package of the binary.
const BINARY: &str = "wavegate-cli";

/// The packages of plugins: those that ship with wavegate, and one that misbehaves.
const PLUGINS: [&str; 10] = [
    "wavegate-plugin-all-at-once",
    "wavegate-plugin-canary",
    "wavegate-plugin-linear",
    "wavegate-plugin-steps",
    "wavegate-plugin-lambda-hook",
    "wavegate-plugin-http-hook",
    "wavegate-plugin-command-hook",
    "wavegate-plugin-cloudwatch",
    "wavegate-plugin-prometheus",
    "wavegate-plugin-moody",
];

/// What becomes of a library's panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panics {
    /// They unwind, as in every build by default.
    Unwind,
    /// They end the process.
    Abort,
}

/// What was built.
#[derive(Debug)]
struct Built {
    binary: Option<PathBuf>,
    /// By the names of the packages.
    libraries: BTreeMap<String, PathBuf>,
}

/// The `wavegate` binary, built once per process.
///
/// # Panics
/// If it cannot be built.
pub fn binary() -> PathBuf {
    unwinding().binary.clone().expect("cargo names the executable")
}

/// The library of a package, built once per process.
///
/// # Panics
/// If it cannot be built.
pub fn library(package: &str, panics: Panics) -> PathBuf {
    static ABORTING: OnceLock<Built> = OnceLock::new();
    let built = match panics {
        Panics::Unwind => unwinding(),
        Panics::Abort => ABORTING.get_or_init(|| {
            let mut command = cargo_build();
            // Beside the others: the two would take each other's place.
            command.args(["--lib", "--package", "wavegate-plugin-moody"]);
            command.args(["--config", "profile.dev.panic=\"abort\"", "--target-dir"]);
            command.arg(target_dir().join("panic-abort"));
            build(command)
        }),
    };
    let library = built.libraries.get(package);
    library.unwrap_or_else(|| panic!("cargo names no library of {package}: {built:?}")).clone()
}

fn unwinding() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut command = cargo_build();
        command.args(["--lib", "--bin", "wavegate", "--package", BINARY]);
        for package in PLUGINS {
            command.args(["--package", package]);
        }
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        build(command)
    })
}

fn cargo_build() -> Command {
    let mut command = Command::new(env!("CARGO"));
    // What Cargo says to a test about its own package would make build scripts run again that
    // depend on it, and with them a good part of the tree.
    let is_of_the_test =
        |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|of| name.starts_with(of));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_the_test) {
            command.env_remove(name);
        }
    }
    command.args(["build", "--message-format", "json-render-diagnostics"]);
    command
}

fn build(mut command: Command) -> Built {
    let output = command.current_dir(repository()).stderr(Stdio::inherit()).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "cargo cannot build what the tests need");
    let mut built = Built { binary: None, libraries: BTreeMap::new() };
    let messages = String::from_utf8_lossy(&output.stdout);
    for message in messages.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        built.keep(&message);
    }
    built
}

impl Built {
    /// Keeps what a message of Cargo's names, if it is one of ours.
    fn keep(&mut self, message: &Value) {
        let Some(target) = message["target"]["name"].as_str() else { return };
        if target == "wavegate"
            && let Some(executable) = message["executable"].as_str()
        {
            self.binary = Some(executable.into());
        }
        let package = PLUGINS.iter().find(|package| package.replace('-', "_") == target);
        let mut files = message["filenames"].as_array().into_iter().flatten();
        let library = files
            .by_ref()
            .filter_map(Value::as_str)
            .find(|file| file.ends_with(std::env::consts::DLL_SUFFIX));
        if let (Some(package), Some(library)) = (package, library) {
            self.libraries.insert((*package).to_owned(), library.into());
        }
    }
}

/// Where Cargo builds: the tests themselves lie in there.
///
/// # Panics
/// If they do not.
pub fn target_dir() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows where it is");
    let target = own.ancestors().nth(3).map(Path::to_owned);
    target.expect("a test is built in target/PROFILE/deps")
}
