//! Problems: what is wrong, where, and how to put it right.
//!
//! Every problem has a stable code, a place and, wherever one is known, the fix. They are values, not
//! early returns: a load collects them all. Texts that came from the file are stripped of control
//! characters here, so nothing a manifest contains can steer a terminal.
//! Deliberately absent: colours and layout, which belong to the handler that renders them.

use std::error::Error;
use std::fmt::{self, Display};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

/// A manifest's text, with what is needed to name lines and to draw carets.
pub(crate) struct Source {
    path: PathBuf,
    /// The text as it is shown: as long as the original byte by byte, control characters replaced.
    shown: NamedSource<String>,
    /// Byte offsets at which lines start.
    lines: Vec<usize>,
}

impl Source {
    pub(crate) fn new(path: &Path, text: &str) -> Arc<Self> {
        let shown = harmless_same_length(text);
        let starts =
            shown.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        let name = harmless(&path.display().to_string());
        Arc::new(Self { path: path.to_owned(), shown: NamedSource::new(name, shown), lines })
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1];
        let before = self.shown.inner().get(start..offset).unwrap_or("");
        (line, before.chars().count() + 1)
    }
}

/// Where something was written.
#[derive(Clone)]
pub enum Place {
    /// A stretch of the manifest.
    File(FilePlace),
    /// A file as a whole: it could not be read, so there is no position.
    Whole(PathBuf),
    /// The environment variable of this name.
    Variable(String),
    /// The command-line flag that sets this dotted key.
    Flag(String),
}

/// A stretch of the manifest's text.
#[derive(Clone)]
pub struct FilePlace {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Place {
    pub(crate) fn file(source: &Arc<Source>, span: Range<usize>) -> Self {
        Self::File(FilePlace { source: Arc::clone(source), span })
    }

    /// The file, if the place is in one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(place) => Some(&place.source.path),
            Self::Whole(path) => Some(path),
            Self::Variable(_) | Self::Flag(_) => None,
        }
    }

    /// The line, counted from 1.
    pub fn line(&self) -> Option<usize> {
        Some(self.in_file()?.line_and_column().0)
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> Option<usize> {
        Some(self.in_file()?.line_and_column().1)
    }

    /// The bytes of the file that are meant.
    pub fn span(&self) -> Option<Range<usize>> {
        Some(self.in_file()?.span.clone())
    }

    fn in_file(&self) -> Option<&FilePlace> {
        if let Self::File(place) = self { Some(place) } else { None }
    }

    /// Files first in the order of the text, then variables, then flags.
    fn order(&self) -> (u8, usize, &str) {
        match self {
            Self::Whole(_) => (0, 0, ""),
            Self::File(place) => (1, place.span.start, ""),
            Self::Variable(name) => (2, 0, name),
            Self::Flag(key) => (3, 0, key),
        }
    }
}

impl FilePlace {
    fn line_and_column(&self) -> (usize, usize) {
        self.source.line_and_column(self.span.start)
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(place) => {
                let (line, column) = place.line_and_column();
                write!(f, "{}:{line}:{column}", place.source.shown.name())
            }
            Self::Whole(path) => f.write_str(&harmless(&path.display().to_string())),
            Self::Variable(name) => write!(f, "environment variable {}", harmless(name)),
            Self::Flag(key) => write!(f, "command-line flag for `{}`", harmless(key)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

impl fmt::Debug for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_and_column();
        write!(f, "FilePlace({line}:{column})")
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order() && self.path() == other.path() && self.span() == other.span()
    }
}

impl Eq for Place {}

/// One thing that is wrong with a manifest, or doubtful about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The stable code, such as `WG102`.
    pub code: &'static str,
    /// What is wrong: lower case, one sentence, never a value that came from the environment.
    pub message: String,
    /// The fix.
    pub help: Option<String>,
    /// Where it was written.
    pub place: Place,
    drawing: Box<Drawing>,
}

/// How a problem is drawn. Apart and boxed, so that a [`Problem`] is small enough for a `Result`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Drawing {
    label: String,
    more: Vec<(Range<usize>, String)>,
    warning: bool,
}

impl Problem {
    /// An error at `place`.
    pub fn new(code: &'static str, place: Place, message: impl AsRef<str>) -> Self {
        let message = harmless(message.as_ref());
        Self {
            code,
            message,
            help: None,
            place,
            drawing: Box::new(Drawing {
                label: "here".to_owned(),
                more: Vec::new(),
                warning: false,
            }),
        }
    }

    /// The same with a fix.
    #[must_use]
    pub fn with_help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(harmless(help.as_ref()));
        self
    }

    /// The same with a few words at the caret.
    #[must_use]
    pub fn with_label(mut self, label: impl AsRef<str>) -> Self {
        self.drawing.label = harmless(label.as_ref());
        self
    }

    /// The same as a warning: it is told, and stops nothing.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.drawing.warning = true;
        self
    }

    /// The same with a second caret; ignored unless `place` is in the same file.
    #[must_use]
    pub(crate) fn and_at(mut self, place: &Place, label: impl AsRef<str>) -> Self {
        if self.place.path() == place.path()
            && let Some(span) = place.span()
        {
            self.drawing.more.push((span, harmless(label.as_ref())));
        }
        self
    }

    /// Whether it only warns.
    pub fn is_warning(&self) -> bool {
        self.drawing.warning
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.place {
            // The carets of the rendered diagnostic name the position.
            Place::File(_) => Ok(()),
            place => write!(f, " ({place})"),
        }
    }
}

impl Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(if self.drawing.warning { Severity::Warning } else { Severity::Error })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.place.in_file()?.source.shown)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.place.span()?;
        let first = LabeledSpan::new_primary_with_span(Some(self.drawing.label.clone()), span);
        let more = self
            .drawing
            .more
            .iter()
            .map(|(span, label)| LabeledSpan::new_with_span(Some(label.clone()), span.clone()));
        Some(Box::new(std::iter::once(first).chain(more)))
    }
}

/// All problems of one load, in the order of the file. At least one is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Box<Found>);

/// Boxed, so that a `Result` with it is small.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// What has them.
    subject: &'static str,
    list: Vec<Problem>,
}

impl Problems {
    /// Sorts problems by place and drops the ones said twice.
    pub fn new(problems: Vec<Problem>) -> Self {
        Self::of("the manifest", problems)
    }

    /// The same for something else than a manifest.
    pub(crate) fn of(subject: &'static str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| {
            let left = (a.place.order(), a.code, &a.message);
            left.cmp(&(b.place.order(), b.code, &b.message))
        });
        problems.dedup();
        Self(Box::new(Found { subject, list: problems }))
    }

    /// The problems, warnings among them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.list.iter()
    }

    /// The problems by value.
    pub fn into_vec(self) -> Vec<Problem> {
        self.0.list
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.list.into_iter()
    }
}

impl Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.list.iter().filter(|problem| !problem.is_warning()).count() {
            1 => write!(f, "{} has a problem", self.0.subject),
            count => write!(f, "{} has {count} problems", self.0.subject),
        }
    }
}

impl Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.list.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

/// Whether a character could steer a terminal or make text read otherwise than it is.
fn is_harmful(c: char) -> bool {
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders
}

/// Text from outside, on one line and without control characters.
pub(crate) fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// The same for a whole file, where every byte must stay where it is.
fn harmless_same_length(text: &str) -> String {
    let replace = |c: char| match c {
        '\n' | '\t' | '\r' => c,
        c if !is_harmful(c) => c,
        // As many bytes as the character it stands for.
        c if c.len_utf8() == 1 => '?',
        c if c.len_utf8() == 2 => '\u{bf}',
        _ => '\u{fffd}',
    };
    text.chars().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_line_and_column_in_characters() {
        let source = Source::new(Path::new("deploy.toml"), "a = 1\nüb = 2\n");
        let place = Place::file(&source, 8..9);
        assert_eq!(place.to_string(), "deploy.toml:2:2");
        assert_eq!(Place::file(&source, 0..0).to_string(), "deploy.toml:1:1");
        assert_eq!(Place::file(&source, 14..14).to_string(), "deploy.toml:3:1");
    }

    #[test]
    fn control_characters_never_reach_a_message() {
        let place = Place::Variable("X".to_owned());
        let problem = Problem::new("WG102", place, "unknown key `\u{1b}[31m\n\u{202e}`");
        assert_eq!(problem.message, "unknown key `\\u{1b}[31m\\u{a}\\u{202e}`");
        for text in ["a\u{1b}b", "a\u{85}b", "a\u{202e}b"] {
            let shown = harmless_same_length(text);
            assert_eq!(shown.len(), text.len());
            assert!(!shown.chars().any(is_harmful));
        }
    }
}
