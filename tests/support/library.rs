//! Plugins as libraries, built by Cargo from packages of this workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::binary::repository;

/// What becomes of a library's panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panics {
    /// They unwind, as in every build by default.
    Unwind,
    /// They end the process.
    Abort,
}

/// The library of a package, built once per process.
///
/// # Panics
/// If it cannot be built.
pub fn library(package: &str, panics: Panics) -> PathBuf {
    static BUILT: Mutex<BTreeMap<(String, Panics), PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry((package.to_owned(), panics)).or_insert_with(|| build(package, panics)).clone()
}

fn build(package: &str, panics: Panics) -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--lib", "--package", package]);
    command.args(["--message-format", "json-render-diagnostics"]);
    if panics == Panics::Abort {
        // Beside the others: the two would take each other's place.
        command.args(["--config", "profile.dev.panic=\"abort\"", "--target-dir"]);
        command.arg(target_dir().join("panic-abort"));
    }
    let output = command.current_dir(repository()).stderr(Stdio::inherit()).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "{package} cannot be built");
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut libraries = messages.lines().filter_map(|line| library_of(package, line));
    libraries.next().expect("cargo names the library")
}

/// The library that a message of Cargo's names, if it is that of the package.
fn library_of(package: &str, line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let name = package.replace('-', "_");
    let mut files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
    let is_library = |file: &&str| file.ends_with(std::env::consts::DLL_SUFFIX);
    (message["target"]["name"] == name.as_str()).then(|| files.find(is_library))?.map(PathBuf::from)
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
