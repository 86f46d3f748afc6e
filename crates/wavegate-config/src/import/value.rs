//! What the values of a template come to: text that is known, with holes where it is not.
//!
//! A hole is a thing that only the deployment of the template's stack knows, such as the name that
//! CloudFormation makes up for a table. In the manifest it becomes `${env:NAME}`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// Something that the template does not tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The environment variable that stands for it.
    pub(crate) variable: String,
    /// How the template says it: `!Ref OrdersTable`.
    pub(crate) said: String,
    /// Why it is not known, and where to look for it.
    pub(crate) reason: String,
    /// What counts where the variable is not set.
    pub(crate) default: Option<String>,
}

/// A text with holes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Known(String),
    Unknown(Rc<Unknown>),
}

impl Text {
    pub(crate) fn known(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(if text.is_empty() { Vec::new() } else { vec![Part::Known(text)] })
    }

    pub(crate) fn unknown(unknown: &Rc<Unknown>) -> Self {
        Self(vec![Part::Unknown(Rc::clone(unknown))])
    }

    /// The text, if all of it is known.
    pub(crate) fn as_known(&self) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Known(part) => text.push_str(part),
                Part::Unknown(_) => return None,
            }
        }
        Some(text)
    }

    /// The holes.
    pub(crate) fn unknowns(&self) -> impl Iterator<Item = &Rc<Unknown>> {
        self.0.iter().filter_map(|part| match part {
            Part::Unknown(unknown) => Some(unknown),
            Part::Known(_) => None,
        })
    }

    pub(crate) fn push(&mut self, other: &Self) {
        for part in &other.0 {
            match part {
                Part::Known(text) => self.push_known(text),
                Part::Unknown(_) => self.0.push(part.clone()),
            }
        }
    }

    /// Known pieces grow together, so that the same text is equal however it was put together.
    pub(crate) fn push_known(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Known(known)) => known.push_str(text),
            _ => self.0.push(Part::Known(text.to_owned())),
        }
    }

    /// The same with each known piece replaced; `None` if one of them cannot be.
    pub(crate) fn replaced(&self, with: impl Fn(&str) -> Option<Self>) -> Option<Self> {
        let mut done = Self::default();
        for part in &self.0 {
            match part {
                Part::Known(text) => done.push(&with(text)?),
                Part::Unknown(_) => done.0.push(part.clone()),
            }
        }
        Some(done)
    }

    /// The same with something behind it.
    pub(crate) fn then(mut self, text: &str) -> Self {
        self.push_known(text);
        self
    }

    /// As the manifest writes it: holes as references to the environment, and what looks like one and
    /// is none with its dollar doubled.
    pub(crate) fn in_manifest(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Known(text) => text.replace("${env:", "$${env:"),
            Part::Unknown(unknown) => match &unknown.default {
                Some(default) => format!("${{env:{}:-{default}}}", unknown.variable),
                None => format!("${{env:{}}}", unknown.variable),
            },
        });
        parts.collect()
    }
}

/// A value, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) data: Data,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Data {
    /// Nothing: null, or `AWS::NoValue`.
    Nothing,
    Text(Text),
    List(Vec<Value>),
    /// In the order in which they were written.
    Map(Vec<(String, Value)>),
}

impl Value {
    pub(crate) fn text(text: Text, span: Range<usize>) -> Self {
        Self { data: Data::Text(text), span }
    }

    pub(crate) fn as_text(&self) -> Option<&Text> {
        if let Data::Text(text) = &self.data { Some(text) } else { None }
    }

    /// The text, if it is one and known.
    pub(crate) fn known(&self) -> Option<String> {
        self.as_text()?.as_known()
    }

    pub(crate) fn list(&self) -> Option<&[Self]> {
        if let Data::List(list) = &self.data { Some(list) } else { None }
    }

    pub(crate) fn map(&self) -> Option<&[(String, Self)]> {
        if let Data::Map(map) = &self.data { Some(map) } else { None }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.iter().find(|(found, _)| found == key).map(|(_, value)| value)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.data == Data::Nothing
    }

    /// What kind of thing it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self.data {
            Data::Nothing => "nothing",
            Data::Text(_) => "a single value",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }
}

/// The environment variables that stand for what is not known: the same thing, the same variable.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    by_source: BTreeMap<String, Rc<Unknown>>,
    taken: BTreeMap<String, usize>,
}

impl Variables {
    /// The hole for one thing, which `source` tells from all others.
    pub(crate) fn hole(
        &mut self,
        source: &str,
        name: &str,
        said: &str,
        reason: &str,
    ) -> Rc<Unknown> {
        self.hole_named(source, variable(name), said, reason)
    }

    /// The same, under a name that is one for shells already.
    pub(crate) fn hole_named(
        &mut self,
        source: &str,
        base: String,
        said: &str,
        reason: &str,
    ) -> Rc<Unknown> {
        if let Some(known) = self.by_source.get(source) {
            return Rc::clone(known);
        }
        let count = self.taken.entry(base.clone()).or_default();
        *count += 1;
        let variable = if *count == 1 { base } else { format!("{base}_{count}") };
        let unknown = Rc::new(Unknown {
            variable,
            said: said.to_owned(),
            reason: reason.to_owned(),
            default: None,
        });
        self.by_source.insert(source.to_owned(), Rc::clone(&unknown));
        unknown
    }

    /// The hole for an environment variable that the file itself asks for.
    pub(crate) fn own(&mut self, name: &str, default: Option<&str>) -> Rc<Unknown> {
        let source = format!("env {name} {default:?}");
        let of_environment = || {
            Rc::new(Unknown {
                variable: name.to_owned(),
                said: format!("environment variable {name}"),
                reason: "the file takes it from the environment, and so does the manifest"
                    .to_owned(),
                default: default.map(str::to_owned),
            })
        };
        *self.taken.entry(name.to_owned()).or_default() += 1;
        Rc::clone(self.by_source.entry(source).or_insert_with(of_environment))
    }
}

/// Variables that are set nearly everywhere, to something else: a parameter `Path` must not become
/// the search path of whoever deploys.
const EVERYWHERE: [&str; 25] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CI",
    "DISPLAY",
    "EDITOR",
    "HOME",
    "HOST",
    "HOSTNAME",
    "LANG",
    "LOGNAME",
    "MAIL",
    "OLDPWD",
    "PATH",
    "PWD",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "USERNAME",
];

/// A name as shells take it for variables: `OrdersTable.Arn` is `ORDERS_TABLE_ARN`.
pub(crate) fn variable(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut variable = String::new();
    for (at, &c) in letters.iter().enumerate() {
        if !c.is_ascii_alphanumeric() {
            if !variable.is_empty() && !variable.ends_with('_') {
                variable.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).map(|at| letters[at]);
        let begins_word = c.is_ascii_uppercase()
            && match before {
                Some(b) if b.is_ascii_lowercase() || b.is_ascii_digit() => true,
                Some(b) if b.is_ascii_uppercase() => {
                    letters.get(at + 1).is_some_and(char::is_ascii_lowercase)
                }
                _ => false,
            };
        if begins_word && !variable.ends_with('_') {
            variable.push('_');
        }
        variable.push(c.to_ascii_uppercase());
    }
    let variable = variable.trim_end_matches('_');
    // A digit cannot come first, and WAVEGATE_* would be taken for keys of the manifest.
    if variable.starts_with(|c: char| c.is_ascii_digit())
        || variable.starts_with("WAVEGATE_")
        || EVERYWHERE.contains(&variable)
    {
        return format!("APP_{variable}");
    }
    if variable.is_empty() { "VALUE".to_owned() } else { variable.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::interpolate::{interpolate, is_variable_name};

    #[test]
    fn names_become_variables_as_people_would_write_them() {
        for (name, expected) in [
            ("OrdersTable", "ORDERS_TABLE"),
            ("OrdersTable.Arn", "ORDERS_TABLE_ARN"),
            ("DBPassword", "DB_PASSWORD"),
            ("AWS::Region", "AWS_REGION"),
            ("S3Bucket", "S3_BUCKET"),
            ("my-stack:Export", "MY_STACK_EXPORT"),
            ("stage", "STAGE"),
            ("2nd", "APP_2ND"),
            ("WavegateApp", "APP_WAVEGATE_APP"),
            ("Path", "APP_PATH"),
            ("::", "VALUE"),
        ] {
            assert_eq!(variable(name), expected, "{name}");
        }
    }

    #[test]
    fn the_same_thing_has_one_variable_and_two_things_have_two() {
        let mut variables = Variables::default();
        let first = variables.hole("Ref AbTable", "AbTable", "!Ref AbTable", "");
        assert_eq!(variables.hole("Ref AbTable", "AbTable", "!Ref AbTable", ""), first);
        let other = variables.hole("Ref Ab_Table", "Ab_Table", "", "");
        assert_eq!((first.variable.as_str(), other.variable.as_str()), ("AB_TABLE", "AB_TABLE_2"));
    }

    proptest! {
        #[test]
        fn every_name_becomes_a_variable_that_the_manifest_takes(name in ".{0,40}") {
            prop_assert!(is_variable_name(&variable(&name)), "{}", variable(&name));
        }

        #[test]
        fn what_is_known_comes_back_from_the_manifest_as_it_was(text in ".{0,20}(\\$\\{env:A\\})?.{0,20}") {
            let written = Text::known(text.as_str()).in_manifest();
            let read = match interpolate(&written, |_| None) {
                Ok(Some(done)) => done.text,
                Ok(None) => written,
                Err(errors) => panic!("{errors:?}"),
            };
            prop_assert_eq!(read, text);
        }
    }
}
