//! What files must look like: every module says what it is, and the top of the tree stays tidy.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LayersError, Violation, label, read};

/// Modules of a crate that do not open with `//!`.
pub(super) fn undocumented(root: &Path, directory: &Path) -> Result<Vec<Violation>, LayersError> {
    let mut violations = Vec::new();
    for path in rust_files(directory)? {
        if !opens_with_words(&read(&path)?) {
            let what = "it does not open with `//!`";
            let fix = "say in its first lines what it is for, what always holds, and what is \
                       deliberately absent";
            violations.push(Violation::new(&label(root, &path), what, fix));
        }
    }
    Ok(violations)
}

fn opens_with_words(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    first.strip_prefix("//!").is_some_and(|words| !words.trim().is_empty())
}

fn rust_files(directory: &Path) -> Result<Vec<PathBuf>, LayersError> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        let failed = |source| LayersError::Read { path: path.clone(), source };
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(failed)?;
            // Hidden directories hold state, `target` what was built.
            if kind.is_dir() && !name.starts_with('.') && name != "target" {
                open.push(entry.path());
            } else if kind.is_file() && entry.path().extension().is_some_and(|e| e == "rs") {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What may stand at the top of the tree.
const TOP: &[&str] = &[
    // The house.
    "Cargo.toml",
    "Cargo.lock",
    "deploy.toml",
    "crates",
    "plugins",
    "examples",
    "tests",
    "docs",
    // For people.
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    // For tools.
    "deny.toml",
    "clippy.toml",
    "rustfmt.toml",
    "rust-toolchain.toml",
    ".ci",
    ".github",
    ".config",
    ".cargo",
    ".gitignore",
    ".gitattributes",
];

/// Tracked files and directories at the top that are not among the usual ones. Without git there is
/// nothing tracked, and so nothing to say.
pub(super) fn strangers(root: &Path) -> Vec<Violation> {
    let listed = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output();
    let Ok(listed) = listed else { return Vec::new() };
    let text = String::from_utf8_lossy(&listed.stdout);
    strange(text.split('\0'))
        .into_iter()
        .map(|name| {
            let fix = "move it into crates/, plugins/, examples/, tests/ or docs/";
            Violation::new(&name, "it does not belong at the top of the tree", fix)
        })
        .collect()
}

fn strange<'a>(tracked: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = tracked
        .filter_map(|path| path.split('/').next())
        .filter(|name| !name.is_empty() && !TOP.contains(name))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_opens_with_words() {
        for (text, is_fine) in [
            ("//! What it is.\n", true),
            ("\n//! What it is.\nuse a;\n", true),
            ("//!\n//! Later.\n", false),
            ("use a;\n//! Late.\n", false),
            ("// Not doc.\n", false),
            ("#![allow(x)]\n//! Late.\n", false),
            ("", false),
        ] {
            assert_eq!(opens_with_words(text), is_fine, "{text:?}");
        }
    }

    #[test]
    fn the_top_of_the_tree_holds_only_what_is_usual() {
        let tracked = ["Cargo.toml", "crates/a/b.rs", "notes.txt", "scripts/x", "scripts/y", ""];
        assert_eq!(strange(tracked.into_iter()), ["notes.txt", "scripts"]);
    }
}
