//! The files of a source directory, as they will be packaged.
//!
//! The walk reads names and attributes only. It follows symlinks as long as they stay inside the
//! source, meets every directory once per path, and ends: loops are found by the chain of real
//! directories above, farms of links by the limit on entries. All problems are gathered; nothing is
//! packaged if there is one.
//!
//! Written by hand rather than on `ignore`'s walker, whose link following knows no boundary and
//! which reports a dangling link even when a rule leaves it out.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Fault, Problem, shown, shown_bytes};
use crate::rules::{GITIGNORE, LAMBDAIGNORE, Rules, is_always_left_out};
use crate::stamp::{self, Stamp, special_kind};
use crate::{MAX_ENTRIES, NameFault, Options, index, name};

/// The largest files named when there is too much.
const LARGEST_SHOWN: usize = 10;

/// The deepest directory. Keeps the walk's stack small, and far beyond what a package needs.
const DEPTH_MAX: usize = 128;

/// What will be packaged.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The real path of the source.
    pub(crate) root: PathBuf,
    /// Its files, sorted bytewise by name.
    pub(crate) files: Vec<TreeFile>,
    /// Files and directories left out by a rule.
    pub(crate) ignored: u64,
}

/// One file to package.
#[derive(Debug)]
pub(crate) struct TreeFile {
    /// The entry's name: path relative to the source, with slashes.
    pub(crate) name: String,
    /// Where its content is, free of symlinks.
    pub(crate) real: PathBuf,
    /// Where the user sees it.
    pub(crate) shown_path: PathBuf,
    /// The file as the walk saw it.
    pub(crate) stamp: Stamp,
}

impl Tree {
    /// A hash of everything the package depends on, short of the contents.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        index::fingerprint(self.files.iter().map(|file| (file.name.as_str(), &file.stamp)))
    }

    /// The latest time of any change to a file.
    pub(crate) fn newest_ns(&self) -> i128 {
        self.files.iter().map(|file| file.stamp.newest_ns()).max().unwrap_or(i128::MAX)
    }
}

/// Walks `source` and judges what is there. `out_dir` is real and is never packaged.
pub(crate) fn look(source: &Path, out_dir: &Path, options: &Options) -> Result<Tree, Vec<Problem>> {
    let root = fs::canonicalize(source).map_err(|e| vec![Problem::io(source, "resolve", e)])?;
    let mut walk = Walk {
        source,
        root: &root,
        out_dir,
        rules: Rules::default(),
        chain: Vec::new(),
        files: Vec::new(),
        problems: Vec::new(),
        ignored: 0,
        visited: 0,
    };
    walk.directory("", &root, None);
    let Walk { mut files, mut problems, ignored, .. } = walk;
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    for (name, other) in name::conflicts(files.iter().map(|file| file.name.as_str())) {
        let fault = Fault::Conflict { other: shown_bytes(other.as_bytes()) };
        problems.push(Problem::at(&source.join(name), fault));
    }
    if files.is_empty() && problems.is_empty() {
        problems.push(Problem::at(source, Fault::Empty { ignored }));
    }
    problems.extend(too_large(source, &files, options.max_unzipped));
    if problems.is_empty() { Ok(Tree { root, files, ignored }) } else { Err(problems) }
}

fn too_large(source: &Path, files: &[TreeFile], limit: u64) -> Option<Problem> {
    let total = files.iter().fold(0u64, |sum, file| sum.saturating_add(file.stamp.size));
    if total <= limit {
        return None;
    }
    let sizes = files.iter().map(|file| (file.name.as_bytes(), file.stamp.size));
    let largest = largest(sizes);
    Some(Problem::at(source, Fault::TooLarge { total, limit, largest }))
}

/// The ten largest of `sizes`, largest first, ready to be shown.
pub(crate) fn largest<'a>(sizes: impl Iterator<Item = (&'a [u8], u64)>) -> Vec<(String, u64)> {
    let mut sizes: Vec<_> = sizes.collect();
    sizes.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    sizes.truncate(LARGEST_SHOWN);
    sizes.into_iter().map(|(name, size)| (shown_bytes(name), size)).collect()
}

struct Walk<'a> {
    source: &'a Path,
    root: &'a Path,
    out_dir: &'a Path,
    rules: Rules,
    /// The real paths of the directories above, to find loops.
    chain: Vec<PathBuf>,
    files: Vec<TreeFile>,
    problems: Vec<Problem>,
    ignored: u64,
    visited: usize,
}

/// What a path of the source turns out to be.
struct Found {
    real: PathBuf,
    metadata: fs::Metadata,
}

impl Walk<'_> {
    /// Walks one directory. `name` is its entry name without a slash at the end, `link` the path
    /// shown when the directory turns out to be a loop.
    fn directory(&mut self, name: &str, real: &Path, link: Option<&Path>) {
        let path = self.source.join(name);
        if self.chain.iter().any(|above| above == real) {
            let target = shown(real.strip_prefix(self.root).unwrap_or(real));
            let target = if target.is_empty() { shown(self.source) } else { target };
            self.problems.push(Problem::at(link.unwrap_or(&path), Fault::LinkLoop { target }));
            return;
        }
        if self.chain.len() >= DEPTH_MAX {
            self.problems.push(Problem::at(&path, Fault::Name(NameFault::TooLong)));
            return;
        }
        let names = match list(real) {
            Ok(names) => names,
            Err(error) => {
                self.problems.push(Problem::io(&path, "read", error));
                return;
            }
        };
        let depth = self.chain.len();
        let gitignore_rules = match self.enter_rules(depth, name, real, &names) {
            Ok(gitignore_rules) => gitignore_rules,
            Err(problems) => {
                // What the rules would leave out is unknown, so whatever else is said about this
                // directory could be wrong.
                self.problems.extend(problems);
                return;
            }
        };
        self.chain.push(real.to_path_buf());
        for entry in names {
            let bytes = entry.as_encoded_bytes();
            let is_rule_file = gitignore_rules && bytes == GITIGNORE.as_bytes();
            if is_always_left_out(bytes) || is_rule_file {
                self.ignored += 1;
                continue;
            }
            if self.visited >= MAX_ENTRIES {
                break;
            }
            self.visited += 1;
            if self.visited == MAX_ENTRIES {
                let fault = Fault::TooManyEntries { limit: MAX_ENTRIES };
                self.problems.push(Problem::at(self.source, fault));
                break;
            }
            self.entry(&Path::new(name).join(&entry), &real.join(&entry), depth);
        }
        self.chain.pop();
    }

    /// Loads the rule file of a directory; true if it is the top-level `.gitignore`.
    fn enter_rules(
        &mut self,
        depth: usize,
        directory: &str,
        real: &Path,
        names: &[OsString],
    ) -> Result<bool, Vec<Problem>> {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let file = if has(LAMBDAIGNORE) {
            Some(LAMBDAIGNORE)
        } else if depth == 0 && has(GITIGNORE) {
            Some(GITIGNORE)
        } else {
            None
        };
        let real_file = match file {
            // A rule file may be a symlink like any other, and like any other may not lead outside.
            Some(file) => {
                let path = self.source.join(directory).join(file);
                Some(self.resolve(&path, &real.join(file))?.real)
            }
            None => None,
        };
        self.rules.enter(depth, &self.root.join(directory), real_file.as_deref())?;
        Ok(file == Some(GITIGNORE))
    }

    /// Judges one entry of a directory. `relative` is its place in the source, `beside` the same
    /// through the directory's real path.
    fn entry(&mut self, relative: &Path, beside: &Path, depth: usize) {
        let path = &self.source.join(relative);
        // Rules come first: what they leave out cannot be a problem.
        let is_dir = fs::metadata(beside).is_ok_and(|metadata| metadata.is_dir());
        if self.rules.leave_out(&self.root.join(relative), is_dir) {
            self.ignored += 1;
            return;
        }
        let found = match self.resolve(path, beside) {
            Ok(found) => found,
            Err(problems) => {
                self.problems.extend(problems);
                return;
            }
        };
        if found.real == self.out_dir {
            self.ignored += 1;
            return;
        }
        let name = match entry_name(relative) {
            Ok(name) => name,
            Err(fault) => {
                self.problems.push(Problem::at(path, Fault::Name(fault)));
                return;
            }
        };
        if found.metadata.is_dir() {
            self.directory(&name, &found.real, Some(path));
            // Rules of the directory that was left no longer hold.
            self.rules.leave(depth + 1);
        } else if found.metadata.is_file() {
            let stamp = Stamp::of(&found.metadata);
            self.files.push(TreeFile { name, real: found.real, shown_path: path.clone(), stamp });
        } else {
            let kind = special_kind(&found.metadata);
            self.problems.push(Problem::at(path, Fault::Special { kind }));
        }
    }

    /// Follows a symlink, if it is one, and makes sure that it stays inside the source.
    fn resolve(&self, path: &Path, beside: &Path) -> Result<Found, Vec<Problem>> {
        let io = |operation, error| vec![Problem::io(path, operation, error)];
        let metadata = fs::symlink_metadata(beside).map_err(|e| io("look at", e))?;
        if !metadata.is_symlink() {
            return Ok(Found { real: beside.to_path_buf(), metadata });
        }
        let target = fs::read_link(beside).map_err(|e| io("read", e))?;
        let target = shown(&target);
        let real = match fs::canonicalize(beside) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(vec![Problem::at(path, Fault::LinkDangling { target })]);
            }
            Err(error) if stamp::is_link_loop(&error) => {
                return Err(vec![Problem::at(path, Fault::LinkLoop { target })]);
            }
            Err(error) => return Err(io("follow", error)),
        };
        if !real.starts_with(self.root) {
            return Err(vec![Problem::at(path, Fault::LinkOutside { target })]);
        }
        let metadata = fs::symlink_metadata(&real).map_err(|e| io("look at", e))?;
        Ok(Found { real, metadata })
    }
}

/// The names in a directory, sorted, so that problems come in the same order everywhere.
fn list(directory: &Path) -> io::Result<Vec<OsString>> {
    let mut names = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

/// The entry's name of a path below the source.
fn entry_name(relative: &Path) -> Result<String, NameFault> {
    let components: Vec<_> =
        relative.components().map(|part| part.as_os_str().as_encoded_bytes()).collect();
    let name = components.join(&b'/');
    name::check(&name).map(str::to_owned)
}
