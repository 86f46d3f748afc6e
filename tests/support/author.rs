//! A plugin's author: crates of their own, outside of this workspace, and their own cargo.
//!
//! What takes minutes is spared: the versions are those of this workspace, whose crates are on this
//! machine already, and what they become is kept from one run to the next.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::binary::{Project, repository, wavegate};
use crate::library::target_dir;

/// Gives a project what an author has: `cargo` and `wavegate` on the PATH.
///
/// # Panics
/// If there is no cargo.
pub fn equip(project: &mut Project) {
    let cargo = Path::new(env!("CARGO")).parent().expect("cargo lies in a directory");
    let wavegate = wavegate().parent().expect("wavegate lies in a directory");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let all =
        [cargo, wavegate].map(Path::to_owned).into_iter().chain(std::env::split_paths(&paths));
    let path = std::env::join_paths(all).expect("paths without a colon");
    project.set("PATH", &text(path));
    project.set("CARGO_HOME", &text(cargo_home().into_os_string()));
    project.set("CARGO_NET_OFFLINE", "true");
    project.set("CARGO_TERM_COLOR", "never");
}

/// Makes a directory of the project ready for a crate that is to be written there. No two crates that
/// are built at the same time may have the same name.
///
/// # Panics
/// If it cannot be made.
pub fn make_room(project: &Project, directory: &str) {
    let built = target_dir().join("authors");
    let directory = project.path(directory);
    for directory in [&built, &directory] {
        std::fs::create_dir_all(directory).expect("a directory");
    }
    symlink(built, directory.join("target")).expect("a link");
    std::fs::copy(repository().join("Cargo.lock"), directory.join("Cargo.lock"))
        .expect("the versions of this workspace");
}

/// Where cargo keeps what it has downloaded.
fn cargo_home() -> PathBuf {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let default = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo");
    named.unwrap_or_else(default)
}

fn text(value: OsString) -> String {
    value.into_string().expect("a path in UTF-8")
}
