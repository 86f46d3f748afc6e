//! The query protocol's requests: forms to the tree.
//!
//! Lists arrive as `Name.member.1`, maps as `Name.entry.1.key`, flattened ones without the word in
//! between. Numbers say the order of elements and may have gaps. An empty list arrives as `Name=`.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::fault::Fault;
use super::json;
use super::model::{Kind, Member, Service, Shape, ShapeId};
use super::time;

/// No shape nests deeper; a longer name is no parameter.
const DEEPEST: usize = 32;

/// A form as a tree: what stands at this place, and what stands below it.
#[derive(Default)]
struct Node<'a> {
    text: Option<&'a str>,
    below: BTreeMap<&'a str, Node<'a>>,
}

/// Reads a request.
pub(super) fn decode(
    service: &Service,
    id: ShapeId,
    pairs: &[(String, String)],
) -> Result<Map<String, Value>, Fault> {
    let mut root = Node::default();
    for (key, value) in pairs.iter().filter(|(key, _)| key.split('.').count() <= DEEPEST) {
        let mut node = &mut root;
        for part in key.split('.') {
            node = node.below.entry(part).or_default();
        }
        node.text = Some(value);
    }
    structure(service, service.shape(id), &root, "")
}

fn structure(
    service: &Service,
    shape: &Shape,
    node: &Node<'_>,
    path: &str,
) -> Result<Map<String, Value>, Fault> {
    let mut object = Map::new();
    for (name, member) in shape.members() {
        if let Some(below) = node.below.get(member.wire_name.as_str()) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            object.insert(name.clone(), read(service, member.shape, Some(member), below, &path)?);
        }
    }
    Ok(object)
}

fn read(
    service: &Service,
    id: ShapeId,
    member: Option<&Member>,
    node: &Node<'_>,
    path: &str,
) -> Result<Value, Fault> {
    let shape = service.shape(id);
    let wrong = |wanted: &str| {
        let value = node.text.unwrap_or_default();
        Fault::new(
            "MalformedInput",
            format!("Value ({value}) for parameter {path} is invalid: it must be {wanted}"),
        )
    };
    let text = node.text.unwrap_or_default();
    let flat =
        |is_flattened: bool| is_flattened || member.is_some_and(|member| member.is_flattened);
    Ok(match &shape.kind {
        Kind::Text | Kind::Blob => node.text.ok_or_else(|| wrong("a string"))?.into(),
        Kind::Integer => text.trim().parse::<i64>().map_err(|_| wrong("a whole number"))?.into(),
        Kind::Double => text.trim().parse().map(json::double).map_err(|_| wrong("a number"))?,
        Kind::Boolean => match text {
            "true" | "True" | "TRUE" | "1" => true.into(),
            "false" | "False" | "FALSE" | "0" => false.into(),
            _ => return Err(wrong("true or false")),
        },
        Kind::Timestamp(_) => {
            let seconds = time::parse(text.trim()).and_then(Number::from_f64);
            Value::Number(seconds.ok_or_else(|| wrong("a timestamp"))?)
        }
        Kind::List { element, name, is_flattened } => {
            let word = if flat(*is_flattened) { None } else { Some(name.as_str()) };
            let items = elements(node, word).into_iter();
            let items = items.map(|(index, below)| {
                read(service, *element, None, below, &format!("{path}.{index}"))
            });
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Kind::Map { value, names, is_flattened, .. } => {
            let word = if flat(*is_flattened) { None } else { Some("entry") };
            let mut object = Map::new();
            for (index, below) in elements(node, word) {
                let key = below.below.get(names.0.as_str()).and_then(|key| key.text);
                let key = key.ok_or_else(|| wrong("a map"))?;
                let item = below.below.get(names.1.as_str()).ok_or_else(|| wrong("a map"))?;
                let item = read(service, *value, None, item, &format!("{path}.{index}"))?;
                object.insert(key.to_owned(), item);
            }
            Value::Object(object)
        }
        Kind::Structure { .. } => Value::Object(structure(service, shape, node, path)?),
    })
}

/// The numbered elements below the word, in the order of their numbers.
fn elements<'n, 'a>(node: &'n Node<'a>, word: Option<&str>) -> Vec<(u32, &'n Node<'a>)> {
    let list = match word {
        Some(word) => node.below.get(word),
        None => Some(node),
    };
    let below = list.into_iter().flat_map(|list| &list.below);
    let mut found: Vec<_> =
        below.filter_map(|(index, below)| index.parse().ok().map(|index| (index, below))).collect();
    found.sort_by_key(|(index, _)| *index);
    found
}
