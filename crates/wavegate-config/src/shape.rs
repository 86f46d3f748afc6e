//! Holds a tree against the schema: unknown keys, wrong types, numbers out of range, words that are
//! not among those allowed.
//!
//! What does not fit is reported and cut off, so that what remains can be read into types without
//! fail. Only the part of JSON Schema is understood that [`crate::raw`] makes use of.

use serde_json::Value;

use crate::code;
use crate::findings::Findings;
use crate::nearest::nearest;
use crate::node::{Data, Node, Part, Path, dotted};
use crate::problem::Problem;
use crate::raw;

/// A type of value, as TOML has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Number,
    Bool,
    List,
    Table,
}

impl Kind {
    fn from_schema(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Bool,
            "array" => Self::List,
            "object" => Self::Table,
            _ => return None,
        })
    }

    fn of(data: &Data) -> Self {
        match data {
            Data::Text(_) => Self::Text,
            Data::Integer(_) => Self::Integer,
            Data::Float(_) => Self::Number,
            Data::Bool(_) => Self::Bool,
            Data::List(_) => Self::List,
            Data::Table(_) => Self::Table,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::List => "a list",
            Self::Table => "a table",
        }
    }
}

/// What the schema says about a key of a table.
enum Key<'a> {
    Known(&'a Value),
    Free,
    Unknown,
}

/// Checks a whole tree; what does not fit is cut off.
pub(crate) fn check(root: Node, findings: &mut Findings) -> Node {
    let mut path = Path::new();
    check_at(root, raw::shape(), &mut path, findings).unwrap_or_else(Node::empty)
}

/// Checks the shape of profiles that are not chosen. What is spoilt in them spoils nothing else.
pub(crate) fn check_profiles(root: Node, findings: &mut Findings) {
    check(root, findings);
}

/// The types that the key at `path` takes; none if anything goes.
pub(crate) fn kinds_at(path: &[String]) -> Vec<Kind> {
    let schema = path.iter().try_fold(raw::shape(), |schema, key| match child(schema, key) {
        Key::Known(schema) => Some(schema),
        Key::Free | Key::Unknown => None,
    });
    schema.map(|schema| kinds(resolve(schema))).unwrap_or_default()
}

fn check_at(
    mut node: Node,
    schema: &Value,
    path: &mut Path,
    findings: &mut Findings,
) -> Option<Node> {
    let own = schema;
    let schema = resolve(schema);
    if let Err(problem) = check_value(&node, own, schema, path, findings) {
        findings.spoil(path);
        findings.push(problem);
        return None;
    }
    node.data = match node.data {
        Data::Table(table) => {
            let mut kept = std::collections::BTreeMap::new();
            for (key, child_node) in table {
                path.push(key.clone());
                let child_node = check_key(child_node, schema, path, findings);
                path.pop();
                kept.extend(child_node.map(|node| (key, node)));
            }
            Data::Table(kept)
        }
        Data::List(list) => {
            let items = schema.get("items").unwrap_or(&Value::Bool(true));
            let length = list.len();
            let mut kept = Vec::with_capacity(length);
            for (index, element) in list.into_iter().enumerate() {
                path.push(index.to_string());
                kept.extend(check_at(element, items, path, findings));
                path.pop();
            }
            if kept.len() < length {
                findings.spoil(path);
                return None;
            }
            Data::List(kept)
        }
        data => data,
    };
    Some(node)
}

fn check_key(node: Node, schema: &Value, path: &mut Path, findings: &mut Findings) -> Option<Node> {
    let key = path.last().map_or("", String::as_str);
    match child(schema, key) {
        Key::Known(schema) => check_at(node, schema, path, findings),
        Key::Free => check_at(node, &Value::Bool(true), path, findings),
        Key::Unknown => {
            let problem = unknown_key(&node, schema, path, findings);
            findings.push(problem);
            None
        }
    }
}

fn unknown_key(node: &Node, schema: &Value, path: &[String], findings: &mut Findings) -> Problem {
    let place = findings.place(&node.origin, Part::Key);
    let Some((key, above)) = path.split_last() else {
        return Problem::new(code::UNKNOWN_KEY, place, "unknown key");
    };
    findings.spoil(path);
    let what = if above.is_empty() {
        format!("unknown key `{key}` at the top level")
    } else {
        format!("unknown key `{key}` in `{}`", dotted(above))
    };
    let problem = Problem::new(code::UNKNOWN_KEY, place, what).with_label("unknown key");
    let mut known: Vec<&str> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    // Whether a JSON object keeps its order depends on what else is compiled in.
    known.sort_unstable();
    if let Some(near) = nearest(key, known.iter().copied()) {
        let mut meant = above.to_vec();
        meant.push(near.to_owned());
        findings.spoil(&meant);
        return problem.with_help(format!("did you mean `{near}`?"));
    }
    match elsewhere(key) {
        Some(section) => problem.with_help(format!("`{key}` belongs in [{section}]")),
        None => problem.with_help(format!("known keys: {}", known.join(", "))),
    }
}

/// The table that a key would be known in.
fn elsewhere(key: &str) -> Option<&'static str> {
    let sections = [
        ("app", "App"),
        ("functions.NAME", "Function"),
        ("codedeploy", "CodeDeploy"),
        ("local", "Local"),
        ("hooks.NAME", "Hook"),
    ];
    let knows =
        |definition: &str| raw::shape()["$defs"][definition]["properties"].get(key).is_some();
    sections.into_iter().find(|(_, definition)| knows(definition)).map(|(section, _)| section)
}

fn check_value(
    node: &Node,
    own: &Value,
    schema: &Value,
    path: &[String],
    findings: &Findings,
) -> Result<(), Problem> {
    let place = || findings.place(&node.origin, Part::Value);
    if matches!(node.data, Data::Float(number) if !number.is_finite()) {
        let message = format!("`{}` must be a finite number", dotted(path));
        return Err(Problem::new(code::OUT_OF_RANGE, place(), message));
    }
    let wanted = kinds(schema);
    let found = Kind::of(&node.data);
    let fits =
        wanted.contains(&found) || (found == Kind::Integer && wanted.contains(&Kind::Number));
    if !wanted.is_empty() && !fits {
        // A table's value may be many lines: its key is what to look at.
        let part = if found == Kind::Table { Part::Key } else { Part::Value };
        let place = findings.place(&node.origin, part);
        return Err(wrong_type(place, own, &wanted, found, path));
    }
    match &node.data {
        Data::Text(text) => {
            check_word(node, text, schema, path, findings)?;
            check_length(text, own, path).map_err(|m| Problem::new(code::BAD_VALUE, place(), m))
        }
        Data::Integer(_) | Data::Float(_) => {
            check_range(node, own, path).map_err(|m| Problem::new(code::OUT_OF_RANGE, place(), m))
        }
        _ => Ok(()),
    }
}

fn wrong_type(
    place: crate::problem::Place,
    own: &Value,
    wanted: &[Kind],
    found: Kind,
    path: &[String],
) -> Problem {
    let words: Vec<&str> = wanted.iter().map(|kind| kind.in_words()).collect();
    let found = if found == Kind::Bool { "a boolean" } else { found.in_words() };
    let wanted = words.join(" or ");
    let message = format!("`{}` must be {wanted}, and is {found}", dotted(path));
    let problem =
        Problem::new(code::WRONG_TYPE, place, message).with_label(format!("not {wanted}"));
    let example = own["examples"].get(0).or_else(|| own.get("default"));
    if wanted == Kind::Table.in_words() && example.is_none() {
        return problem.with_help(format!("write it as a table: [{}]", dotted(path)));
    }
    match (example, path.last()) {
        (Some(example), Some(key)) => {
            problem.with_help(format!("write it like `{key} = {}`", to_toml(example)))
        }
        _ => problem,
    }
}

/// Strings that must be one of a few words.
fn check_word(
    node: &Node,
    text: &str,
    schema: &Value,
    path: &[String],
    findings: &Findings,
) -> Result<(), Problem> {
    let words = words(schema);
    // Profiles that are not chosen are not interpolated: what such a word will be is not known.
    if words.is_empty() || words.contains(&text) || text.contains("${env:") {
        return Ok(());
    }
    let place = findings.place(&node.origin, Part::Value);
    let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let message = format!("`{}` does not take {}", dotted(path), node.quoted());
    let help = match nearest(text, words.iter().copied()) {
        Some(near) if !node.is_secret() => format!("did you mean \"{near}\"?"),
        _ => format!("it takes {}", list.join(" or ")),
    };
    let label = format!("not {}", list.join(" or "));
    Err(Problem::new(code::BAD_VALUE, place, message).with_label(label).with_help(help))
}

fn check_length(text: &str, schema: &Value, path: &[String]) -> Result<(), String> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let key = dotted(path);
    match (bound("minLength"), bound("maxLength")) {
        (Some(_), _) if length == 0 => Err(format!("`{key}` must not be empty")),
        (_, Some(max)) if length > max => {
            Err(format!("`{key}` may have {max} characters and has {length}"))
        }
        _ => Ok(()),
    }
}

fn check_range(node: &Node, schema: &Value, path: &[String]) -> Result<(), String> {
    let bound = |name: &str| schema.get(name).filter(|bound| bound.is_number());
    let number = match node.data {
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
        Data::Integer(number) => number as f64,
        Data::Float(number) => number,
        _ => return Ok(()),
    };
    let is_below = bound("minimum").and_then(Value::as_f64).is_some_and(|min| number < min);
    let is_above = bound("maximum").and_then(Value::as_f64).is_some_and(|max| number > max);
    if !is_below && !is_above {
        return Ok(());
    }
    let range = match (bound("minimum"), bound("maximum")) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("{min} or more"),
        (_, Some(max)) => format!("{max} or less"),
        (None, None) => "finite".to_owned(),
    };
    Err(format!("`{}` must be {range}, and {} is not", dotted(path), node.quoted()))
}

/// Follows a reference to its definition.
fn resolve(schema: &Value) -> &Value {
    let name =
        schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
    name.and_then(|name| raw::shape()["$defs"].get(name)).unwrap_or(schema)
}

fn child<'a>(schema: &'a Value, key: &str) -> Key<'a> {
    let schema = resolve(schema);
    if let Some(known) = schema.get("properties").and_then(|properties| properties.get(key)) {
        return Key::Known(known);
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => Key::Unknown,
        Some(rest @ Value::Object(_)) => Key::Known(rest),
        _ => Key::Free,
    }
}

fn kinds(schema: &Value) -> Vec<Kind> {
    match schema.get("type") {
        Some(Value::String(name)) => Kind::from_schema(name).into_iter().collect(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).filter_map(Kind::from_schema).collect()
        }
        // Enums with a description for each word.
        _ if !words(schema).is_empty() => vec![Kind::Text],
        _ => Vec::new(),
    }
}

/// The words that a string may be; none if any.
fn words(schema: &Value) -> Vec<&str> {
    let list = |name: &str| schema.get(name).and_then(Value::as_array).into_iter().flatten();
    let described = list("oneOf").filter_map(|one| one.get("const")?.as_str());
    list("enum").filter_map(Value::as_str).chain(described).collect()
}

/// A JSON value as TOML writes it on one line.
fn to_toml(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(to_toml).collect();
            format!("[{}]", list.join(", "))
        }
        Value::Object(table) => {
            let entries: Vec<String> =
                table.iter().map(|(key, value)| format!("{key} = {}", to_toml(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_tells_the_type_of_every_kind_of_key() {
        let at =
            |path: &[&str]| kinds_at(&path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!(at(&["app", "name"]), [Kind::Text]);
        assert_eq!(at(&["app", "target"]), [Kind::Text]);
        assert_eq!(at(&["app", "max_parallel"]), [Kind::Integer]);
        assert_eq!(at(&["functions", "x", "hooks", "pre_traffic"]), [Kind::List]);
        assert_eq!(at(&["local", "traffic"]), [Kind::Table]);
        assert_eq!(at(&["strategies", "x", "percent"]), []);
        assert_eq!(at(&["nonsense"]), []);
    }
}
