//! What a load has found so far: problems, keys that are spoilt, values that must stay secret.
//!
//! A spoilt key has been reported; whoever misses it afterwards must not report it again.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::code;
use crate::interpolate::InterpolationError;
use crate::node::{Origin, Part, Path};
use crate::problem::{Place, Problem, Source};

/// Shorter values are no secrets, and hiding them would tear holes in every message.
const SECRET_LENGTH_MIN: usize = 4;

pub(crate) struct Findings {
    path: std::path::PathBuf,
    source: Arc<Source>,
    problems: Vec<Problem>,
    spoilt: BTreeSet<Path>,
    secrets: BTreeSet<String>,
}

impl Findings {
    pub(crate) fn new(path: &std::path::Path, source: Arc<Source>) -> Self {
        Self {
            path: path.to_owned(),
            source,
            problems: Vec::new(),
            spoilt: BTreeSet::new(),
            secrets: BTreeSet::new(),
        }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.problems.extend(problems);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| !problem.is_warning())
    }

    pub(crate) fn spoil(&mut self, path: &[String]) {
        self.spoilt.insert(path.to_vec());
    }

    /// Whether the value at `path`, or something above it, has been reported.
    pub(crate) fn is_spoilt<S: AsRef<str>>(&self, path: &[S]) -> bool {
        let path: Path = path.iter().map(|key| key.as_ref().to_owned()).collect();
        (1..=path.len()).any(|depth| self.spoilt.contains(&path[..depth]))
    }

    /// Whether the value at `path`, something above it or something in it has been reported.
    pub(crate) fn is_spoilt_within<S: AsRef<str>>(&self, path: &[S]) -> bool {
        let is_in = |spoilt: &Path| {
            path.len() <= spoilt.len() && path.iter().zip(spoilt).all(|(a, b)| a.as_ref() == b)
        };
        self.is_spoilt(path) || self.spoilt.iter().any(is_in)
    }

    /// The keys under `section` that have been reported as a whole.
    pub(crate) fn spoilt_in<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a str> {
        let below = move |path: &'a Path| match path.as_slice() {
            [first, name] if first == section => Some(name.as_str()),
            _ => None,
        };
        self.spoilt.iter().filter_map(below)
    }

    pub(crate) fn keep_secret(&mut self, value: &str) {
        if value.len() >= SECRET_LENGTH_MIN {
            self.secrets.insert(value.to_owned());
        }
    }

    /// The place of an origin; the start of the file for what is built in.
    pub(crate) fn place(&self, origin: &Origin, part: Part) -> Place {
        origin.place(&self.source, part).unwrap_or_else(|| Place::file(&self.source, 0..0))
    }

    pub(crate) fn interpolation(&mut self, origin: &Origin, errors: Vec<InterpolationError>) {
        for error in errors {
            let (code, message, help) = match error {
                InterpolationError::Missing(name) => (
                    code::MISSING_VARIABLE,
                    format!("environment variable `{name}` is not set"),
                    format!("set {name}, or give a default: `${{env:{name}:-default}}`"),
                ),
                InterpolationError::Unterminated => (
                    code::BAD_INTERPOLATION,
                    "a reference to the environment is not closed".to_owned(),
                    "write `${env:NAME}`, or `$${env:` for the text itself".to_owned(),
                ),
                InterpolationError::BadName(name) => (
                    code::BAD_INTERPOLATION,
                    format!("`{name}` is not the name of an environment variable"),
                    "write `${env:NAME}` or `${env:NAME:-default}`".to_owned(),
                ),
            };
            let place = self.place(origin, Part::Value);
            self.push(Problem::new(code, place, message).with_help(help));
        }
    }

    /// The values that must stay secret, longer ones first: one may be part of another.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = self.secrets.iter().cloned().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}
