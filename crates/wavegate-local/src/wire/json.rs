//! JSON to the tree: what a shape has not is left out, and what has another type is refused in the words
//! of AWS's front end.

use serde_json::{Map, Number, Value};

use super::fault::Fault;
use super::model::{Kind, Service, Shape, ShapeId};
use super::time;

/// Reads the body of a request. An empty one has no members.
pub(super) fn decode(
    service: &Service,
    id: ShapeId,
    bytes: &[u8],
) -> Result<Map<String, Value>, Fault> {
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    let json: Value = serde_json::from_slice(bytes)
        .map_err(|error| Fault::serialization(format!("The request body is not JSON: {error}")))?;
    members(read(service, service.shape(id), json)?)
}

/// The members of a request that was read.
pub(super) fn members(tree: Value) -> Result<Map<String, Value>, Fault> {
    match tree {
        Value::Object(members) => Ok(members),
        _ => Err(Fault::serialization("The request is no structure")),
    }
}

/// A double in the tree; those that JSON has no number for are texts.
pub(super) fn double(number: f64) -> Value {
    match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => "NaN".into(),
        None if number > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// Reads a value of a shape.
pub(super) fn read(service: &Service, shape: &Shape, json: Value) -> Result<Value, Fault> {
    Ok(match (&shape.kind, json) {
        (Kind::Text | Kind::Blob, Value::String(text)) => Value::String(text),
        (Kind::Boolean, Value::Bool(flag)) => Value::Bool(flag),
        (Kind::Integer, Value::Number(number)) => integer(&number)?,
        (Kind::Double | Kind::Timestamp(_), Value::Number(number)) => Value::Number(number),
        (Kind::Double, Value::String(text)) if is_special(&text) => Value::String(text),
        (Kind::Timestamp(_), Value::String(text)) => {
            let seconds = time::parse(&text).and_then(Number::from_f64);
            Value::Number(seconds.ok_or_else(|| mismatch(shape, &Value::String(text)))?)
        }
        (Kind::List { element, .. }, Value::Array(items)) => {
            let element = service.shape(*element);
            let items = items.into_iter().map(|item| match item {
                Value::Null => Ok(Value::Null),
                item => read(service, element, item),
            });
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        (Kind::Map { value, .. }, Value::Object(object)) => {
            let value = service.shape(*value);
            let pairs = object.into_iter().filter(|(_, item)| !item.is_null());
            let pairs = pairs.map(|(key, item)| Ok((key, read(service, value, item)?)));
            Value::Object(pairs.collect::<Result<_, Fault>>()?)
        }
        (Kind::Structure { members, .. }, Value::Object(mut object)) => {
            let mut read_members = Map::new();
            // Members this version of the model does not know are skipped, as AWS does.
            for (name, member) in members {
                if let Some(value) =
                    object.remove(&member.wire_name).filter(|value| !value.is_null())
                {
                    let value = read(service, service.shape_of(member), value)?;
                    read_members.insert(name.clone(), value);
                }
            }
            Value::Object(read_members)
        }
        (_, other) => return Err(mismatch(shape, &other)),
    })
}

fn integer(number: &Number) -> Result<Value, Fault> {
    if number.is_i64() || number.is_u64() {
        return Ok(Value::Number(number.clone()));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    match number.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => {
            Ok((number as i64).into())
        }
        _ => Err(Fault::serialization("NUMBER_VALUE can not be converted to an Integer")),
    }
}

/// The doubles that JSON has no number for.
fn is_special(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// AWS's front end names what it found by the token, and what it wanted by the type.
fn mismatch(shape: &Shape, found: &Value) -> Fault {
    let wanted = match shape.kind {
        Kind::Text => "a String",
        Kind::Blob => "a ByteBuffer",
        Kind::Boolean => "a Boolean",
        Kind::Integer => "an Integer",
        Kind::Double => "a Double",
        Kind::Timestamp(_) => "a Date",
        Kind::List { .. } | Kind::Map { .. } | Kind::Structure { .. } => {
            return Fault::serialization("Unexpected field type");
        }
    };
    Fault::serialization(match found {
        Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        Value::Array(_) => "Start of list found where not expected".to_owned(),
        Value::Null => format!("NULL_VALUE can not be converted to {wanted}"),
        Value::Bool(true) => format!("TRUE_VALUE can not be converted to {wanted}"),
        Value::Bool(false) => format!("FALSE_VALUE can not be converted to {wanted}"),
        Value::Number(_) => format!("NUMBER_VALUE can not be converted to {wanted}"),
        Value::String(_) => format!("STRING_VALUE can not be converted to {wanted}"),
    })
}
