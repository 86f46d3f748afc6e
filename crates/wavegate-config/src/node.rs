//! The layered manifest as a tree in which every value knows where it was written.
//!
//! It is what [`crate::layer`] makes, [`crate::shape`] prunes and [`crate::check`] reads. Invariant:
//! a string that was interpolated keeps its text as written, which is the one that may be shown.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::problem::{Place, Source};

/// A path of keys from the root; elements of lists are named by their index.
pub(crate) type Path = Vec<String>;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    /// Nowhere: it is a default of wavegate's.
    BuiltIn,
    /// In the file: the bytes of the key, and of the value.
    File { key: Range<usize>, value: Range<usize> },
    /// In the environment variable of this name.
    Variable(Arc<str>),
    /// In the flag for this dotted key.
    Flag(Arc<str>),
}

/// Which part of an entry a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

impl Origin {
    /// The place that a person looks at; `None` for what is built in.
    pub(crate) fn place(&self, source: &Arc<Source>, part: Part) -> Option<Place> {
        Some(match (self, part) {
            (Self::BuiltIn, _) => return None,
            (Self::File { key, .. }, Part::Key) => Place::file(source, key.clone()),
            (Self::File { value, .. }, Part::Value) => Place::file(source, value.clone()),
            (Self::Variable(name), _) => Place::Variable(name.to_string()),
            (Self::Flag(key), _) => Place::Flag(key.to_string()),
        })
    }
}

/// One value of the tree. No `Debug`: it may hold values from the environment.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    /// The text before interpolation, if that changed it.
    pub(crate) written: Option<String>,
    pub(crate) data: Data,
}

/// A value, as TOML has it. Dates are text.
#[derive(Clone)]
pub(crate) enum Data {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    /// An empty table that nobody wrote.
    pub(crate) fn empty() -> Self {
        Self { origin: Origin::BuiltIn, written: None, data: Data::Table(BTreeMap::new()) }
    }

    /// The entries, if this is a table.
    pub(crate) fn table(&self) -> Option<&BTreeMap<String, Self>> {
        if let Data::Table(table) = &self.data { Some(table) } else { None }
    }

    /// The entries to change, if this is a table.
    pub(crate) fn table_mut(&mut self) -> Option<&mut BTreeMap<String, Self>> {
        if let Data::Table(table) = &mut self.data { Some(table) } else { None }
    }

    /// The entry or element of one level.
    pub(crate) fn child(&self, key: &str) -> Option<&Self> {
        match &self.data {
            Data::Table(table) => table.get(key),
            Data::List(list) => list.get(key.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The value at a path.
    pub(crate) fn get<S: AsRef<str>>(&self, path: &[S]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.child(key.as_ref()))
    }

    /// The place of the value at `path`, or of the nearest thing above it that somebody wrote.
    /// Tables are shown by their key, for their value may be many lines.
    pub(crate) fn locate<S: AsRef<str>>(
        &self,
        source: &Arc<Source>,
        path: &[S],
        part: Part,
    ) -> Place {
        let mut found = None;
        let mut node = self;
        for (depth, key) in path.iter().enumerate() {
            let Some(child) = node.child(key.as_ref()) else { break };
            let is_target = depth + 1 == path.len() && child.table().is_none();
            let part = if is_target { part } else { Part::Key };
            found = child.origin.place(source, part).or(found);
            node = child;
        }
        found.unwrap_or_else(|| Place::file(source, 0..0))
    }

    /// Whether the value came from the environment, so that not even a hint at it may be given.
    pub(crate) fn is_secret(&self) -> bool {
        self.written.is_some() || matches!(self.origin, Origin::Variable(_))
    }

    /// The value for a message: as it was written, never what the environment made of it.
    pub(crate) fn quoted(&self) -> String {
        if let Some(written) = &self.written {
            return format!("`{written}`");
        }
        match (&self.origin, &self.data) {
            (Origin::Variable(_), _) => "the value".to_owned(),
            (_, Data::Text(text)) => format!("`{text}`"),
            (_, Data::Integer(number)) => format!("`{number}`"),
            (_, Data::Float(number)) => format!("`{number}`"),
            (_, Data::Bool(bool)) => format!("`{bool}`"),
            (_, Data::List(_)) => "the list".to_owned(),
            (_, Data::Table(_)) => "the table".to_owned(),
        }
    }

    /// The value as JSON. Numbers that JSON has not become null.
    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Data::Text(text) => text.as_str().into(),
            Data::Integer(number) => (*number).into(),
            Data::Float(number) => (*number).into(),
            Data::Bool(bool) => (*bool).into(),
            Data::List(list) => list.iter().map(Self::to_json).collect(),
            Data::Table(table) => {
                table.iter().map(|(key, node)| (key.clone(), node.to_json())).collect()
            }
        }
    }

    /// Lays `over` over this: tables merge, all else is replaced.
    pub(crate) fn merge(&mut self, over: Self) {
        match (&mut self.data, over.data) {
            (Data::Table(below), Data::Table(above)) => {
                self.origin = over.origin;
                for (key, node) in above {
                    match below.get_mut(&key) {
                        Some(entry) => entry.merge(node),
                        None => {
                            below.insert(key, node);
                        }
                    }
                }
            }
            (data, above) => {
                *data = above;
                self.origin = over.origin;
                self.written = over.written;
            }
        }
    }
}

/// A path as people write it: `functions.auth.timeout`, with quotes where TOML wants them.
pub(crate) fn dotted<S: AsRef<str>>(path: &[S]) -> String {
    let quote = |key: &S| {
        let key = key.as_ref();
        let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !key.is_empty() && key.bytes().all(is_bare) {
            key.to_owned()
        } else {
            format!("\"{key}\"")
        }
    };
    path.iter().map(quote).collect::<Vec<_>>().join(".")
}

/// Reads a dotted key, with quoted keys and `[n]` for elements of lists; `None` if it is malformed.
pub(crate) fn undotted(text: &str) -> Option<Path> {
    let mut path = Path::new();
    let mut rest = text;
    loop {
        let (key, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        if key.is_empty() {
            return None;
        }
        path.push(key.to_owned());
        rest = after;
        while let Some(indexed) = rest.strip_prefix('[') {
            let (index, after) = indexed.split_once(']')?;
            index.parse::<usize>().ok()?;
            path.push(index.to_owned());
            rest = after;
        }
        if rest.is_empty() {
            return Some(path);
        }
        rest = rest.strip_prefix('.')?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dotted_keys_are_read_as_toml_reads_them() {
        for (text, expected) in [
            ("app.region", Some(vec!["app", "region"])),
            ("hooks.\"a.b\".timeout", Some(vec!["hooks", "a.b", "timeout"])),
            ("functions.a.alarms[1]", Some(vec!["functions", "a", "alarms", "1"])),
            ("functions.a.alarms.1", Some(vec!["functions", "a", "alarms", "1"])),
            ("", None),
            ("a..b", None),
            ("a.", None),
            ("a[x]", None),
            ("\"a", None),
            ("\"a\"b", None),
        ] {
            let expected = expected.map(|keys| keys.into_iter().map(str::to_owned).collect());
            assert_eq!(undotted(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn paths_survive_being_written(path in prop::collection::vec("[a-z.\\[ ]{1,6}", 1..5)) {
            prop_assert_eq!(undotted(&dotted(&path)), Some(path));
        }

        #[test]
        fn any_dotted_key_is_answered(text in "[a\\.\\[\\]\"0]{0,12}") {
            let _ = undotted(&text);
        }
    }
}
