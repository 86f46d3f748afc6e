//! What came of a template: taken, changed, to be set, left out. Nothing of it goes without a line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use crate::import::value::Unknown;
use crate::problem::{Place, Source, harmless};

/// What came of one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is in the manifest and means the same there.
    Taken,
    /// It is in the manifest and does not mean quite the same, or was not said by the template.
    Changed,
    /// It is in the manifest with `${env:NAME}` where the template does not tell the value.
    Unresolved,
    /// It is not in the manifest.
    LeftOut,
}

impl Fate {
    /// As programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Changed => "changed",
            Self::Unresolved => "unresolved",
            Self::LeftOut => "left_out",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What came of it.
    pub fate: Fate,
    /// The line of the file, counted from 1; absent where there is no file.
    pub line: Option<usize>,
    /// The property: `Hello.Environment.Variables.TABLE`.
    pub property: String,
    /// The key of the manifest: `functions.Hello.environment.TABLE`.
    pub key: Option<String>,
    /// Why; always there unless it was taken.
    pub reason: Option<String>,
}

/// An environment variable that the manifest asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it stands for, as the template says it.
    pub stands_for: String,
    /// Why the template does not tell it, and where to look.
    pub reason: String,
    /// What needs it: the line of the file, if there is one, and the property.
    pub uses: Vec<(Option<usize>, String)>,
    /// Whether only the profile `aws` needs it.
    pub only_on_aws: bool,
}

/// Everything that there is to tell about an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Line by line, in the order of the template.
    pub entries: Vec<Entry>,
    /// The variables that have to be set.
    pub variables: Vec<Variable>,
    /// How many functions there are.
    pub functions: usize,
}

/// The report while it is written.
pub(crate) struct Ledger {
    /// Absent where what is imported is no file.
    source: Option<Arc<Source>>,
    entries: Vec<Entry>,
    variables: BTreeMap<String, Variable>,
}

impl Ledger {
    pub(crate) fn new(source: &Arc<Source>) -> Self {
        Self { source: Some(Arc::clone(source)), ..Self::without_file() }
    }

    /// A report on what stands in no file: its entries have no lines.
    pub(crate) fn without_file() -> Self {
        Self { source: None, entries: Vec::new(), variables: BTreeMap::new() }
    }

    fn line(&self, span: &Range<usize>) -> Option<usize> {
        let source = self.source.as_ref()?;
        Some(Place::file(source, span.clone()).line().unwrap_or(1))
    }

    pub(crate) fn taken(&mut self, span: &Range<usize>, property: &str, key: &str) {
        self.push(Fate::Taken, span, property, Some(key), None);
    }

    pub(crate) fn changed(&mut self, span: &Range<usize>, property: &str, key: &str, why: &str) {
        self.push(Fate::Changed, span, property, Some(key), Some(why));
    }

    pub(crate) fn left_out(&mut self, span: &Range<usize>, property: &str, why: &str) {
        self.push(Fate::LeftOut, span, property, None, Some(why));
    }

    /// A key with holes in it.
    pub(crate) fn unresolved(
        &mut self,
        span: &Range<usize>,
        property: &str,
        key: &str,
        unknowns: &[Rc<Unknown>],
    ) {
        let line = self.line(span);
        let mut reasons: Vec<String> = Vec::new();
        for unknown in unknowns {
            let reason =
                format!("{} stands for {}: {}", unknown.variable, unknown.said, unknown.reason);
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
            let only_on_aws = key.starts_with(super::write::AWS_PROFILE);
            let variable =
                self.variables.entry(unknown.variable.clone()).or_insert_with(|| Variable {
                    name: unknown.variable.clone(),
                    stands_for: harmless(&unknown.said),
                    reason: harmless(&unknown.reason),
                    uses: Vec::new(),
                    only_on_aws,
                });
            variable.only_on_aws &= only_on_aws;
            let used = (line, harmless(property));
            if !variable.uses.contains(&used) {
                variable.uses.push(used);
            }
        }
        self.push(Fate::Unresolved, span, property, Some(key), Some(&reasons.join("; ")));
    }

    /// Takes back that something became a key, because the key does not go with the others.
    pub(crate) fn take_back(&mut self, key: &str, why: &str) {
        for entry in self.entries.iter_mut().filter(|entry| entry.key.as_deref() == Some(key)) {
            entry.fate = Fate::LeftOut;
            entry.key = None;
            entry.reason = Some(harmless(why));
        }
    }

    fn push(
        &mut self,
        fate: Fate,
        span: &Range<usize>,
        property: &str,
        key: Option<&str>,
        reason: Option<&str>,
    ) {
        let entry = Entry {
            fate,
            line: self.line(span),
            property: harmless(property),
            key: key.map(harmless),
            reason: reason.map(harmless),
        };
        if !self.entries.contains(&entry) {
            self.entries.push(entry);
        }
    }

    pub(crate) fn finish(mut self, functions: usize) -> Report {
        self.entries.sort_by_key(|entry| entry.line);
        let mut variables: Vec<Variable> = self.variables.into_values().collect();
        for variable in &mut variables {
            variable.uses.sort_unstable();
        }
        Report { entries: self.entries, variables, functions }
    }
}
