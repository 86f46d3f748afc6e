//! CBOR to the tree that JSON gives, and back.

use ciborium::value::Value as Cbor;
use serde_json::{Map, Number, Value};

use crate::cbor;

/// The members of CodeDeploy's shapes that are timestamps.
const TIMES: [&str; 10] = [
    "createTime",
    "startTime",
    "completeTime",
    "endTime",
    "lastUpdatedAt",
    "registerTime",
    "firstUsedTime",
    "lastUsedTime",
    "start",
    "end",
];

/// Reads a request.
pub(super) fn read(bytes: &[u8]) -> Result<Value, String> {
    let cbor: Cbor = ciborium::from_reader(bytes).map_err(|error| error.to_string())?;
    json(&cbor)
}

fn json(cbor: &Cbor) -> Result<Value, String> {
    Ok(match cbor {
        Cbor::Null => Value::Null,
        Cbor::Bool(flag) => Value::Bool(*flag),
        Cbor::Integer(number) => {
            let number = i64::try_from(i128::from(*number));
            number.map_err(|_| "a number is out of range")?.into()
        }
        Cbor::Float(number) => {
            Value::Number(Number::from_f64(*number).ok_or("a number is not finite")?)
        }
        Cbor::Text(text) => Value::String(text.clone()),
        Cbor::Tag(cbor::EPOCH_TAG, seconds) => json(seconds)?,
        Cbor::Array(items) => Value::Array(items.iter().map(json).collect::<Result<_, _>>()?),
        Cbor::Map(pairs) => {
            let mut object = Map::new();
            for (key, value) in pairs {
                let key = key.as_text().ok_or("a key is no text")?;
                object.insert(key.to_owned(), json(value)?);
            }
            Value::Object(object)
        }
        other => return Err(format!("{other:?} is nothing that CodeDeploy takes")),
    })
}

/// Writes an answer or, in tests, a request.
pub(super) fn write(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put(value, &mut out);
    out
}

fn put(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => cbor::null(out),
        Value::Bool(flag) => cbor::boolean(*flag, out),
        Value::Number(number) => match number.as_i64() {
            Some(number) => cbor::integer(number, out),
            None => cbor::double(number.as_f64().unwrap_or_default(), out),
        },
        Value::String(text) => cbor::text(text, out),
        Value::Array(items) => {
            cbor::list(items.len(), out);
            for item in items {
                put(item, out);
            }
        }
        Value::Object(object) => {
            cbor::map(object.len(), out);
            for (key, value) in object {
                cbor::text(key, out);
                match value.as_f64().filter(|_| TIMES.contains(&key.as_str())) {
                    Some(seconds) => cbor::time(seconds, out),
                    None => put(value, out),
                }
            }
        }
    }
}
