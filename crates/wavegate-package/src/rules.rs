//! What is left out of a package.
//!
//! `.lambdaignore` in gitignore syntax at any level, the deepest file that has a say wins; a source
//! without one at its top uses its own `.gitignore` instead. Neither parent directories nor the
//! user's git configuration are looked at: the package must not depend on where the source lies.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::{Fault, Problem};
use crate::stamp;

/// The rule file that holds at any level.
pub(crate) const LAMBDAIGNORE: &str = ".lambdaignore";
/// The rule file that stands in for a missing one at the top.
pub(crate) const GITIGNORE: &str = ".gitignore";

/// The largest rule file in bytes. Patterns are compiled together, so this bounds time and memory.
const RULE_FILE_BYTES_MAX: u64 = 1 << 20;

/// Whether something is never part of a package: traces of tools that differ from machine to
/// machine.
pub(crate) fn is_always_left_out(name: &[u8]) -> bool {
    matches!(name, b".git" | b".wavegate" | b".DS_Store" | b"__pycache__")
        || name == LAMBDAIGNORE.as_bytes()
        || name.ends_with(b".pyc")
}

/// The rule files in force, from the top of the source down to one directory.
#[derive(Default)]
pub(crate) struct Rules {
    layers: Vec<Layer>,
}

struct Layer {
    depth: usize,
    patterns: Gitignore,
}

impl Rules {
    /// Adds the rules of `directory`. `file` is the real path of its rule file, if it has one.
    pub(crate) fn enter(
        &mut self,
        depth: usize,
        directory: &Path,
        file: Option<&Path>,
    ) -> Result<(), Vec<Problem>> {
        if let Some(file) = file {
            let patterns = read(directory, file)?;
            self.layers.push(Layer { depth, patterns });
        }
        Ok(())
    }

    /// Drops the rules of directories at `depth` or below.
    pub(crate) fn leave(&mut self, depth: usize) {
        while self.layers.last().is_some_and(|layer| layer.depth >= depth) {
            self.layers.pop();
        }
    }

    /// Whether `path` is left out.
    pub(crate) fn leave_out(&self, path: &Path, is_dir: bool) -> bool {
        for layer in self.layers.iter().rev() {
            match layer.patterns.matched(path, is_dir) {
                Match::None => {}
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
            }
        }
        false
    }
}

fn read(directory: &Path, file: &Path) -> Result<Gitignore, Vec<Problem>> {
    let mut text = String::new();
    stamp::open(file)
        .and_then(|opened| opened.take(RULE_FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| vec![Problem::io(file, "read", error)])?;
    if text.len() as u64 > RULE_FILE_BYTES_MAX {
        let detail = format!("the file has more than {RULE_FILE_BYTES_MAX} bytes");
        return Err(vec![Problem::at(file, Fault::Rule { line: 1, detail })]);
    }
    let mut builder = GitignoreBuilder::new(directory);
    let mut problems = Vec::new();
    let from: PathBuf = file.to_path_buf();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if let Err(error) = builder.add_line(Some(from.clone()), line) {
            problems.push(rule_problem(file, index + 1, &error));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    builder.build().map_err(|error| vec![rule_problem(file, 1, &error)])
}

fn rule_problem(file: &Path, line: usize, error: &ignore::Error) -> Problem {
    let detail = crate::error::shown_bytes(error.to_string().as_bytes());
    Problem::at(file, Fault::Rule { line, detail })
}
