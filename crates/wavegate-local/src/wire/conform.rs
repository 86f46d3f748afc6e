//! Holds an answer against its shape: what a client that was made from AWS's model could not read must
//! not be sent.

use serde_json::{Map, Value};

use super::model::{Kind, Service, Shape};

/// What is wrong with an answer; the first thing found.
pub(super) fn check(
    service: &Service,
    shape: &Shape,
    output: &Map<String, Value>,
) -> Result<(), String> {
    structure(service, shape, output, &shape.name)
}

fn structure(
    service: &Service,
    shape: &Shape,
    object: &Map<String, Value>,
    path: &str,
) -> Result<(), String> {
    if let Some(name) = object.keys().find(|name| shape.member(name).is_none()) {
        return Err(format!("{path} has no member {name}"));
    }
    for (name, member) in shape.members() {
        let path = format!("{path}.{name}");
        match object.get(name) {
            Some(item) => value(service, service.shape_of(member), item, &path)?,
            None if member.is_required => return Err(format!("{path} is missing")),
            None => {}
        }
    }
    Ok(())
}

fn value(service: &Service, shape: &Shape, item: &Value, path: &str) -> Result<(), String> {
    match (&shape.kind, item) {
        (Kind::Text, Value::String(text)) => {
            if !shape.choices.is_empty() && !shape.choices.contains(text) {
                return Err(format!("{path} is {text}, which is not among {:?}", shape.choices));
            }
            Ok(())
        }
        (Kind::Integer, Value::Number(number)) if !number.is_f64() => Ok(()),
        (Kind::Blob | Kind::Double, Value::String(_))
        | (Kind::Boolean, Value::Bool(_))
        | (Kind::Double | Kind::Timestamp(_), Value::Number(_)) => Ok(()),
        (Kind::List { element, .. }, Value::Array(items)) => items.iter().try_for_each(|item| {
            value(service, service.shape(*element), item, &format!("{path}[]"))
        }),
        (Kind::Map { value: of, .. }, Value::Object(object)) => {
            object.iter().try_for_each(|(key, item)| {
                value(service, service.shape(*of), item, &format!("{path}.{key}"))
            })
        }
        (Kind::Structure { .. }, Value::Object(object)) => structure(service, shape, object, path),
        _ => Err(format!("{path} is {item}, which is no {}", shape.name)),
    }
}
