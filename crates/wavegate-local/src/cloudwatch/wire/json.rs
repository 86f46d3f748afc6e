//! AWS JSON 1.0: requests and answers as JSON objects; timestamps are seconds since the epoch.
//!
//! The same form keeps alarms in snapshots, so it must read back what it writes.

use serde_json::{Map, Number, Value as Json};

use super::query::parse_time;
use super::{expectation, member, millis_of_seconds, seconds_of_millis, unreadable};
use crate::cloudwatch::fault::{Fault, FaultKind};
use crate::cloudwatch::shapes::Shape;
use crate::cloudwatch::value::{Record, Value};

/// Reads a request. An empty body reads as a request without members.
pub(super) fn decode(shape: &Shape, bytes: &[u8]) -> Result<Record, Fault> {
    if bytes.is_empty() {
        return Ok(Record::new());
    }
    let json: Json = serde_json::from_slice(bytes).map_err(|error| {
        Fault::new(FaultKind::Serialization, format!("The request body is not JSON: {error}"))
    })?;
    from_json(shape, &json)
}

/// Reads a record of that shape.
pub(crate) fn from_json(shape: &Shape, json: &Json) -> Result<Record, Fault> {
    match read(shape, json, "")? {
        Value::Record(record) => Ok(record),
        _ => Err(unreadable("", expectation(shape))),
    }
}

fn read(shape: &Shape, json: &Json, path: &str) -> Result<Value, Fault> {
    let wrong = || unreadable(path, expectation(shape));
    Ok(match (shape, json) {
        (Shape::Text { .. } | Shape::Choice(_), Json::String(text)) => Value::Text(text.clone()),
        (Shape::Boolean, Json::Bool(flag)) => Value::Boolean(*flag),
        (Shape::Integer { .. }, Json::Number(number)) => {
            Value::Integer(number.as_i64().or_else(|| whole(number)).ok_or_else(wrong)?)
        }
        (Shape::Double, Json::Number(number)) => Value::Double(number.as_f64().ok_or_else(wrong)?),
        (Shape::Double, Json::String(text)) => Value::Double(special(text).ok_or_else(wrong)?),
        (Shape::Timestamp, Json::Number(number)) => {
            Value::Time(number.as_f64().and_then(millis_of_seconds).ok_or_else(wrong)?)
        }
        (Shape::Timestamp, Json::String(text)) => Value::Time(parse_time(text).ok_or_else(wrong)?),
        (Shape::List { of, .. }, Json::Array(values)) => Value::List(
            values
                .iter()
                .enumerate()
                .map(|(index, value)| read(of, value, &member(path, &(index + 1).to_string())))
                .collect::<Result<_, _>>()?,
        ),
        (Shape::Map { of }, Json::Object(entries)) => {
            let mut record = Record::new();
            for (key, value) in entries {
                record.insert(key, read(of, value, &member(path, key))?);
            }
            record.into()
        }
        (Shape::Structure(fields), Json::Object(entries)) => {
            let mut record = Record::new();
            for field in *fields {
                // Members this version of the model does not know are skipped, as AWS does.
                match entries.get(field.name) {
                    None | Some(Json::Null) => {}
                    Some(value) => record
                        .insert(field.name, read(field.shape, value, &member(path, field.name))?),
                }
            }
            record.into()
        }
        _ => return Err(wrong()),
    })
}

/// A whole number that was written as a float, as some clients do.
fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64()?;
    if float.fract() != 0.0 || float.abs() > 9e15 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
    Some(float as i64)
}

/// The floats that JSON has no numbers for (Smithy's AWS JSON protocols spell them like this).
fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Writes an answer or, in tests, a request.
pub(super) fn encode(shape: &Shape, record: &Record) -> Vec<u8> {
    to_json(shape, record).to_string().into_bytes()
}

/// The JSON form of a record of that shape.
pub(crate) fn to_json(shape: &Shape, record: &Record) -> Json {
    let mut object = Map::new();
    match shape {
        Shape::Structure(fields) => {
            for field in *fields {
                if let Some(value) = record.get(field.name) {
                    object.insert(field.name.to_owned(), write(field.shape, value));
                }
            }
        }
        Shape::Map { of } => {
            for (key, value) in record.iter() {
                object.insert(key.clone(), write(of, value));
            }
        }
        _ => return Json::Null,
    }
    Json::Object(object)
}

fn write(shape: &Shape, value: &Value) -> Json {
    match value {
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Integer(number) => Json::from(*number),
        Value::Double(number) => write_double(*number),
        Value::Text(text) => Json::String(text.clone()),
        Value::Time(millis) if millis % 1000 == 0 => Json::from(millis / 1000),
        Value::Time(millis) => Json::from(seconds_of_millis(*millis)),
        Value::List(values) => match shape {
            Shape::List { of, .. } => {
                Json::Array(values.iter().map(|value| write(of, value)).collect())
            }
            _ => Json::Null,
        },
        Value::Record(record) => to_json(shape, record),
    }
}

fn write_double(number: f64) -> Json {
    match Number::from_f64(number) {
        Some(number) => Json::Number(number),
        None if number.is_nan() => Json::from("NaN"),
        None if number > 0.0 => Json::from("Infinity"),
        None => Json::from("-Infinity"),
    }
}
