//! The layers of a manifest and how they lie on each other.
//!
//! Built-in defaults < `deploy.toml` < the chosen profile < `WAVEGATE_*` variables < flags. figment
//! merges them and remembers which layer each value came from; every layer remembers where in it each
//! value was written. Both together give each value of the resulting [`Node`] tree its place.
//! The environment is passed in: nothing here reads the process's own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use figment::value::{Dict, Map, Num, Value as Figure};
use figment::{Figment, Metadata, Profile, Provider};
use serde_json::Value;

use crate::code;
use crate::file::Parsed;
use crate::findings::Findings;
use crate::nearest::nearest;
use crate::node::{Data, Node, Origin, Path, undotted};
use crate::problem::{Place, Problem};
use crate::raw;
use crate::shape::{self, Kind};

/// One layer: its values, and where each was written.
pub(crate) struct Layer {
    name: &'static str,
    values: Dict,
    origins: BTreeMap<Path, Origin>,
}

impl Layer {
    pub(crate) fn new(name: &'static str, values: Dict, origins: BTreeMap<Path, Origin>) -> Self {
        Self { name, values, origins }
    }

    /// The origin of the value at `path`, or of the nearest thing above it that has one.
    fn origin(&self, path: &[String]) -> Origin {
        let above = (1..=path.len()).rev().find_map(|depth| self.origins.get(&path[..depth]));
        above.cloned().unwrap_or(Origin::BuiltIn)
    }
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(Cow::Borrowed(self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// Lays all layers on each other.
pub(crate) fn stack(
    file: &Parsed,
    profile: Option<&str>,
    env: &[(String, String)],
    flags: &[(String, String)],
    findings: &mut Findings,
) -> Node {
    let mut layers = vec![built_in(), file.layer()];
    if let Some(name) = profile {
        match file.profile(name) {
            Some(layer) => layers.push(layer),
            None => findings.push(unknown_profile(file, name, findings)),
        }
    }
    let env = variables(env, &merged(&layers).1, findings);
    layers.push(env);
    let flags = overrides("flags", flag_overrides(flags, findings), findings);
    layers.push(flags);
    let (figment, values) = merged(&layers);
    tree(&figment, &layers, values)
}

/// One layer as a tree.
pub(crate) fn alone(layer: Layer) -> Node {
    let layers = [layer];
    let (figment, values) = merged(&layers);
    tree(&figment, &layers, values)
}

fn merged(layers: &[Layer]) -> (Figment, Dict) {
    let figment = layers.iter().fold(Figment::new(), Figment::merge);
    // No layer fails to give its values, so there is always a map.
    let mut profiles = Provider::data(&figment).unwrap_or_default();
    let values = profiles.remove(&Profile::Default).unwrap_or_default();
    (figment, values)
}

fn unknown_profile(file: &Parsed, name: &str, findings: &Findings) -> Problem {
    let place = Place::Whole(findings.path().to_owned());
    let problem =
        Problem::new(code::UNKNOWN_PROFILE, place, format!("there is no profile `{name}`"));
    let names: Vec<&str> = file.profile_names().collect();
    if let Some(near) = nearest(name, names.iter().copied()) {
        problem.with_help(format!("did you mean `{near}`?"))
    } else if names.is_empty() {
        problem.with_help(format!(
            "the manifest has no profiles: add a table such as [profiles.{name}.app]"
        ))
    } else {
        problem.with_help(format!("the manifest has: {}", names.join(", ")))
    }
}

/// The defaults that the schema states.
fn built_in() -> Layer {
    let mut values = Dict::new();
    for (section, definition) in [("app", "App"), ("defaults", "Function"), ("local", "Local")] {
        let properties = &raw::shape()["$defs"][definition]["properties"];
        let keys = properties.as_object().into_iter().flatten();
        let defaults: Dict = keys
            .filter_map(|(key, schema)| Some((key.clone(), figure(schema.get("default")?)?)))
            .collect();
        values.insert(section.to_owned(), defaults.into());
    }
    Layer::new("built-in defaults", values, BTreeMap::new())
}

fn figure(value: &Value) -> Option<Figure> {
    match value {
        Value::String(text) => Some(text.clone().into()),
        Value::Bool(bool) => Some((*bool).into()),
        Value::Number(number) => {
            number.as_i64().map(Figure::from).or_else(|| number.as_f64().map(Figure::from))
        }
        _ => None,
    }
}

/// A key that a variable or flag sets.
struct Override {
    path: Path,
    text: String,
    origin: Origin,
}

/// Deeper than any key of the manifest; a limit for what recurses.
const DEPTH_MAX: usize = 32;

const PREFIX: &str = "WAVEGATE_";

/// The layer of `WAVEGATE_SECTION__KEY` variables. Those without `__` are settings of the command
/// line or of hooks, and none of ours.
fn variables(env: &[(String, String)], below: &Dict, findings: &mut Findings) -> Layer {
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in env {
        if name.strip_prefix(PREFIX).is_some_and(|rest| rest.contains("__")) {
            found.insert(name, value);
        }
    }
    let mut list = Vec::new();
    for (name, value) in found {
        let segments: Vec<&str> = name[PREFIX.len()..].split("__").collect();
        let place = Place::Variable(name.to_owned());
        let is_plain = segments.len() <= DEPTH_MAX && segments.iter().all(|part| !part.is_empty());
        if !is_plain {
            let message = "the variable names no key";
            let help = "levels are separated by two underscores: WAVEGATE_APP__REGION";
            findings.push(Problem::new(code::BAD_OVERRIDE, place, message).with_help(help));
            continue;
        }
        let path = variable_path(&segments, below);
        if refuses_profiles(&path, place, findings) {
            continue;
        }
        findings.keep_secret(value);
        list.push(Override { path, text: value.to_owned(), origin: Origin::Variable(name.into()) });
    }
    overrides("environment", list, findings)
}

/// Finds the key that each level of a variable's name means. Shells have neither `-` nor a habit of
/// lower case in names, so names that exist are found without regard to both.
fn variable_path(segments: &[&str], below: &Dict) -> Path {
    let fold = |key: &str| key.to_ascii_lowercase().replace('-', "_");
    let mut path = Path::new();
    let mut level = Some(below);
    for segment in segments {
        let known = level.and_then(|dict| dict.keys().find(|key| fold(key) == fold(segment)));
        let key = match known {
            Some(key) => key.clone(),
            // The keys of `environment` are variables themselves, so they are meant as written.
            None if path.last().is_some_and(|last| last == "environment") => (*segment).to_owned(),
            None => segment.to_ascii_lowercase(),
        };
        level = level.and_then(|dict| dict.get(&key)).and_then(Figure::as_dict);
        path.push(key);
    }
    path
}

fn flag_overrides(flags: &[(String, String)], findings: &mut Findings) -> Vec<Override> {
    let mut list = Vec::new();
    for (key, value) in flags {
        let place = Place::Flag(key.clone());
        let Some(path) = undotted(key).filter(|path| path.len() <= DEPTH_MAX) else {
            let message = format!("`{key}` is not a key");
            let help = "keys have the form `app.region`";
            findings.push(Problem::new(code::BAD_OVERRIDE, place, message).with_help(help));
            continue;
        };
        if !refuses_profiles(&path, place, findings) {
            let origin = Origin::Flag(key.as_str().into());
            list.push(Override { path, text: value.clone(), origin });
        }
    }
    list
}

fn refuses_profiles(path: &[String], place: Place, findings: &mut Findings) -> bool {
    let refused = path.first().is_some_and(|section| section == "profiles");
    if refused {
        let message = "profiles cannot be changed from outside the file";
        let help = "set the key itself: variables and flags win over every profile";
        findings.push(Problem::new(code::BAD_OVERRIDE, place, message).with_help(help));
    }
    refused
}

fn overrides(name: &'static str, list: Vec<Override>, findings: &mut Findings) -> Layer {
    let mut layer = Layer::new(name, Dict::new(), BTreeMap::new());
    for Override { path, text, origin } in list {
        let value = typed(&text, &path);
        if !set(&mut layer.values, &path, value) {
            let message =
                "the key is set above by another variable or flag, as something without keys";
            let place = origin.place(findings.source(), crate::node::Part::Value);
            findings.extend(place.map(|place| Problem::new(code::BAD_OVERRIDE, place, message)));
            continue;
        }
        for depth in 1..path.len() {
            layer.origins.entry(path[..depth].to_vec()).or_insert_with(|| origin.clone());
        }
        layer.origins.insert(path, origin);
    }
    layer
}

/// Sets a value at a path; `false` if something that is not a table stands in the way.
fn set(values: &mut Dict, path: &[String], value: Figure) -> bool {
    match path {
        [] => false,
        [key] => {
            values.insert(key.clone(), value);
            true
        }
        [key, rest @ ..] => {
            let entry = values.entry(key.clone()).or_insert_with(|| Dict::new().into());
            if let Figure::Dict(_, below) = entry { set(below, rest, value) } else { false }
        }
    }
}

/// Reads a text by the type that its key takes. What cannot be read stays text: the shape check
/// says then what was wanted.
fn typed(text: &str, path: &[String]) -> Figure {
    let kinds = shape::kinds_at(path);
    let as_toml =
        || text.trim().parse::<toml_edit::Value>().ok().map(|value| crate::file::figure(&value));
    let as_text = || Figure::from(text.to_owned());
    if kinds.contains(&Kind::Text) {
        return as_text();
    }
    let read = as_toml();
    if kinds.is_empty() {
        return read.unwrap_or_else(as_text);
    }
    match read {
        Some(value) if kinds.contains(&Kind::List) && value.as_str().is_some() => list(text),
        Some(value) if kinds.contains(&Kind::List) && value.clone().into_array().is_none() => {
            list(text)
        }
        Some(value) => value,
        None if kinds.contains(&Kind::List) => list(text),
        None => as_text(),
    }
}

/// `a, b` as a list of texts; nothing as an empty one.
fn list(text: &str) -> Figure {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| Figure::from(item.to_owned())).collect::<Vec<_>>().into()
}

/// Makes the tree of nodes: the value is figment's, the layer is told by its tag, the place by the
/// layer.
fn tree(figment: &Figment, layers: &[Layer], values: Dict) -> Node {
    let by_name: BTreeMap<&str, &Layer> = layers.iter().map(|layer| (layer.name, layer)).collect();
    let weaver = Weaver { figment, layers, by_name };
    let mut root = Node::empty();
    let mut path = Path::new();
    root.data = weaver.table(values, &mut path);
    root
}

struct Weaver<'a> {
    figment: &'a Figment,
    layers: &'a [Layer],
    by_name: BTreeMap<&'a str, &'a Layer>,
}

impl Weaver<'_> {
    fn table(&self, values: Dict, path: &mut Path) -> Data {
        let mut table = BTreeMap::new();
        for (key, value) in values {
            path.push(key.clone());
            table.insert(key, self.node(value, path));
            path.pop();
        }
        Data::Table(table)
    }

    fn node(&self, value: Figure, path: &mut Path) -> Node {
        let origin = self.origin(&value, path);
        let data = match value {
            Figure::Dict(_, values) => self.table(values, path),
            Figure::Array(_, values) => {
                let mut list = Vec::with_capacity(values.len());
                for (index, value) in values.into_iter().enumerate() {
                    path.push(index.to_string());
                    list.push(self.node(value, path));
                    path.pop();
                }
                Data::List(list)
            }
            Figure::String(_, text) => Data::Text(text),
            Figure::Char(_, c) => Data::Text(c.to_string()),
            Figure::Bool(_, bool) => Data::Bool(bool),
            Figure::Num(_, Num::F64(number)) => Data::Float(number),
            Figure::Num(_, Num::F32(number)) => Data::Float(number.into()),
            Figure::Num(_, number) => number
                .to_i128()
                .and_then(|n| i64::try_from(n).ok())
                .or_else(|| number.to_u128().and_then(|n| i64::try_from(n).ok()))
                .map_or(Data::Text(String::new()), Data::Integer),
            Figure::Empty(..) => Data::Text(String::new()),
        };
        Node { origin, written: None, data }
    }

    fn origin(&self, value: &Figure, path: &[String]) -> Origin {
        if value.as_dict().is_some() {
            // A table is made of all layers: the file's own header is what people look for.
            let in_file =
                |layer: &&Layer| matches!(layer.origins.get(path), Some(Origin::File { .. }));
            if let Some(layer) = self.layers.iter().rev().find(in_file) {
                return layer.origin(path);
            }
        }
        let name = self.figment.get_metadata(value.tag()).map(|metadata| metadata.name.as_ref());
        let layer = name.and_then(|name| self.by_name.get(name));
        layer.map_or(Origin::BuiltIn, |layer| layer.origin(path))
    }
}

/// Replaces references to the environment in every text that the file wrote.
pub(crate) fn interpolate(node: &mut Node, env: &BTreeMap<&str, &str>, findings: &mut Findings) {
    let mut path = Path::new();
    interpolate_at(node, env, &mut path, findings);
}

/// `false` if the value cannot be used.
fn interpolate_at(
    node: &mut Node,
    env: &BTreeMap<&str, &str>,
    path: &mut Path,
    findings: &mut Findings,
) -> bool {
    match &mut node.data {
        Data::Table(table) => table.retain(|key, child| {
            path.push(key.clone());
            let keep = interpolate_at(child, env, path, findings);
            path.pop();
            keep
        }),
        Data::List(list) => {
            // An element that cannot be read spoils the list: the rest would be another list.
            let mut whole = true;
            for (index, child) in list.iter_mut().enumerate() {
                path.push(index.to_string());
                whole &= interpolate_at(child, env, path, findings);
                path.pop();
            }
            if !whole {
                findings.spoil(path);
                return false;
            }
        }
        Data::Text(text) if matches!(node.origin, Origin::File { .. }) => {
            match crate::interpolate::interpolate(text, |name| env.get(name).copied()) {
                Ok(None) => {}
                Ok(Some(done)) => {
                    done.secrets.iter().for_each(|secret| findings.keep_secret(secret));
                    node.written = Some(std::mem::replace(text, done.text));
                }
                Err(errors) => {
                    findings.spoil(path);
                    findings.interpolation(&node.origin, errors);
                    return false;
                }
            }
        }
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn arc(text: &str) -> Arc<str> {
        text.into()
    }

    #[test]
    fn a_variable_finds_the_key_that_a_shell_cannot_spell() {
        let env: Dict = Dict::from([("LOG_LEVEL".to_owned(), Figure::from("info"))]);
        let function: Dict = Dict::from([("environment".to_owned(), env.into())]);
        let functions: Dict = Dict::from([("Check-Out".to_owned(), function.into())]);
        let below: Dict = Dict::from([("functions".to_owned(), functions.into())]);
        for (name, expected) in [
            ("APP__REGION", vec!["app", "region"]),
            ("FUNCTIONS__CHECK_OUT__TIMEOUT", vec!["functions", "Check-Out", "timeout"]),
            (
                "FUNCTIONS__CHECK_OUT__ENVIRONMENT__log_level",
                vec!["functions", "Check-Out", "environment", "LOG_LEVEL"],
            ),
            ("DEFAULTS__ENVIRONMENT__STAGE", vec!["defaults", "environment", "STAGE"]),
        ] {
            let segments: Vec<&str> = name.split("__").collect();
            assert_eq!(variable_path(&segments, &below), expected, "{name}");
        }
    }

    #[test]
    fn texts_are_read_by_the_type_of_their_key() {
        let at = |path: &[&str], text: &str| {
            let path: Path = path.iter().map(|key| (*key).to_owned()).collect();
            typed(text, &path)
        };
        assert_eq!(at(&["app", "name"], "123"), Figure::from("123"));
        assert_eq!(at(&["app", "max_parallel"], "4"), Figure::from(4_i64));
        assert_eq!(at(&["local", "time_scale"], "0.5"), Figure::from(0.5));
        let list = Figure::from(vec!["a", "b"]);
        assert_eq!(at(&["functions", "x", "alarms"], "a, b"), list);
        assert_eq!(at(&["functions", "x", "alarms"], "[\"a\", \"b\"]"), list);
        assert_eq!(at(&["functions", "x", "alarms"], "5"), Figure::from(vec!["5"]));
        assert_eq!(at(&["strategies", "x", "percent"], "10"), Figure::from(10_i64));
        assert_eq!(at(&["strategies", "x", "percent"], "10%"), Figure::from("10%"));
        let deep = "[".repeat(100_000);
        assert_eq!(at(&["strategies", "x", "percent"], &deep), Figure::from(deep.as_str()));
    }

    #[test]
    fn the_last_layer_wins_and_says_so() {
        let layer = |name, value: &str, origin: Origin| {
            let app: Dict = Dict::from([("region".to_owned(), Figure::from(value))]);
            let path = vec!["app".to_owned(), "region".to_owned()];
            let values = Dict::from([("app".to_owned(), app.into())]);
            Layer::new(name, values, BTreeMap::from([(path, origin)]))
        };
        let layers = [
            layer("low", "a", Origin::Flag(arc("x"))),
            layer("high", "b", Origin::Variable(arc("Y"))),
        ];
        let (figment, values) = merged(&layers);
        let root = tree(&figment, &layers, values);
        let region = root.get(&["app", "region"]).unwrap();
        assert!(region.origin == Origin::Variable(arc("Y")));
        assert_eq!(region.quoted(), "the value");
    }
}
