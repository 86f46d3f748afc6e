//! The text of a manifest, parsed once: values for the layers, and the place of each.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use figment::value::{Dict, Value as Figure};
use toml_edit::{Document, Item, TableLike, Value};

use crate::code;
use crate::layer::Layer;
use crate::node::{Origin, Path as KeyPath};
use crate::problem::{Place, Problem, Source};

/// Room for tens of thousands of functions; a larger file is not a manifest.
const BYTES_MAX: u64 = 16 << 20;

/// Tables and lists in each other; what walks a manifest recurses this deep at most.
const DEPTH_MAX: usize = 64;

/// Reads the file's text.
pub(crate) fn read(path: &Path) -> Result<String, Problem> {
    let unreadable = |message: String| {
        let help = "run `wavegate init` for a new one, or name another file";
        Problem::new(code::UNREADABLE, Place::Whole(path.to_owned()), message).with_help(help)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map(|_| ()));
    if let Err(error) = file {
        return Err(unreadable(format!("the manifest cannot be read: {error}")));
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(unreadable(format!("the manifest is larger than {} MB", BYTES_MAX >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let source = Source::new(path, &String::from_utf8_lossy(error.as_bytes()));
        Problem::new(code::SYNTAX, Place::file(&source, at..at), "the manifest is not UTF-8 text")
            .with_help("save the file as UTF-8")
    })
}

/// A file's values by layer, and the place of each.
pub(crate) struct Parsed {
    values: Dict,
    profiles: Dict,
    origins: BTreeMap<KeyPath, Origin>,
}

impl Parsed {
    /// Parses TOML. The problem is the first one that breaks the syntax.
    pub(crate) fn parse(text: &str, source: &Arc<Source>) -> Result<Self, Problem> {
        let document = Document::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let (first, rest) = error.message().split_once('\n').unwrap_or((error.message(), ""));
            let problem = Problem::new(code::SYNTAX, Place::file(source, span), first);
            let help = match first {
                _ if !rest.trim().is_empty() => rest.trim().replace('\n', "; "),
                "duplicate key" => {
                    "a key may stand in a table once: take one of them out".to_owned()
                }
                _ => "values are \"strings\", numbers, true, false, [lists] and { tables }"
                    .to_owned(),
            };
            problem.with_help(help)
        })?;
        let mut walk = Walk { path: KeyPath::new(), origins: BTreeMap::new(), too_deep: None };
        let mut values = walk.table(document.as_table());
        if let Some(span) = walk.too_deep {
            let message = format!("tables and lists are nested more than {DEPTH_MAX} deep");
            return Err(Problem::new(code::SYNTAX, Place::file(source, span), message));
        }
        let profiles = match values.get("profiles").and_then(Figure::as_dict) {
            Some(profiles) => profiles.clone(),
            None => Dict::new(),
        };
        // A `profiles` that is no table stays, for the shape check to refuse.
        if values.get("profiles").is_some_and(|value| value.as_dict().is_some()) {
            values.remove("profiles");
        }
        Ok(Self { values, profiles, origins: walk.origins })
    }

    /// The file without its profiles.
    pub(crate) fn layer(&self) -> Layer {
        Layer::new("deploy.toml", self.values.clone(), self.origins.clone())
    }

    /// What a profile lays over the file; `None` if there is none of that name.
    pub(crate) fn profile(&self, name: &str) -> Option<Layer> {
        // A profile that is no table is for the shape check to refuse; it changes nothing.
        let values = self.profiles.get(name)?.as_dict().cloned().unwrap_or_default();
        let origins = self.origins.iter().filter_map(|(path, origin)| match path.as_slice() {
            [first, second, rest @ ..]
                if first == "profiles" && second == name && !rest.is_empty() =>
            {
                Some((rest.to_vec(), origin.clone()))
            }
            _ => None,
        });
        Some(Layer::new("profile", values, origins.collect()))
    }

    /// The profiles that are not chosen, under the key they stand under, as one layer; `None` if
    /// there are none.
    pub(crate) fn profiles_but(&self, chosen: Option<&str>) -> Option<Layer> {
        let mut profiles = self.profiles.clone();
        // One that is no table changes nothing when it is chosen, and must be refused all the same.
        profiles.retain(|name, values| chosen != Some(name) || values.as_dict().is_none());
        let is_empty = profiles.is_empty();
        let values = Dict::from([("profiles".to_owned(), profiles.into())]);
        (!is_empty).then(|| Layer::new("profiles", values, self.origins.clone()))
    }

    /// The names of the profiles.
    pub(crate) fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }
}

/// A TOML value without its places.
pub(crate) fn figure(value: &Value) -> Figure {
    let mut walk = Walk { path: KeyPath::new(), origins: BTreeMap::new(), too_deep: None };
    walk.value(value)
}

struct Walk {
    path: KeyPath,
    origins: BTreeMap<KeyPath, Origin>,
    too_deep: Option<std::ops::Range<usize>>,
}

impl Walk {
    fn table(&mut self, table: &dyn TableLike) -> Dict {
        let mut values = Dict::new();
        for (name, item) in table.iter() {
            let key = table.key(name).and_then(toml_edit::Key::span);
            let value = item.span().or_else(|| key.clone()).unwrap_or(0..0);
            self.path.push(name.to_owned());
            let key = key.unwrap_or_else(|| value.clone());
            if self.path.len() > DEPTH_MAX {
                self.too_deep.get_or_insert(key);
            } else {
                self.origins.insert(self.path.clone(), Origin::File { key, value });
                values.insert(name.to_owned(), self.item(item));
            }
            self.path.pop();
        }
        values
    }

    fn item(&mut self, item: &Item) -> Figure {
        match item {
            Item::None => Figure::from(Dict::new()),
            Item::Value(value) => self.value(value),
            Item::Table(table) => self.table(table).into(),
            Item::ArrayOfTables(tables) => {
                let mut list = Vec::new();
                for (index, table) in tables.iter().enumerate() {
                    let element = |walk: &mut Self| Figure::from(walk.table(table));
                    list.push(self.element(index, table.span(), element));
                }
                list.into()
            }
        }
    }

    fn value(&mut self, value: &Value) -> Figure {
        match value {
            Value::String(text) => text.value().clone().into(),
            Value::Integer(number) => (*number.value()).into(),
            Value::Float(number) => (*number.value()).into(),
            Value::Boolean(bool) => (*bool.value()).into(),
            // No key takes a date, and components get JSON, which has none.
            Value::Datetime(date) => date.value().to_string().into(),
            Value::InlineTable(table) => self.table(table).into(),
            Value::Array(array) => {
                let mut list = Vec::new();
                for (index, value) in array.iter().enumerate() {
                    let element = |walk: &mut Self| walk.value(value);
                    list.push(self.element(index, value.span(), element));
                }
                list.into()
            }
        }
    }

    fn element(
        &mut self,
        index: usize,
        span: Option<std::ops::Range<usize>>,
        read: impl FnOnce(&mut Self) -> Figure,
    ) -> Figure {
        let span = span.unwrap_or(0..0);
        self.path.push(index.to_string());
        let value = if self.path.len() > DEPTH_MAX {
            self.too_deep.get_or_insert(span);
            Figure::from(false)
        } else {
            self.origins.insert(self.path.clone(), Origin::File { key: span.clone(), value: span });
            read(self)
        };
        self.path.pop();
        value
    }
}
