//! CBOR to the tree and back, as the clients of rpc-v2-cbor read it.
//!
//! Reading takes all that CBOR allows (definite and indefinite lengths, any float width, integers for
//! doubles). Writing is our own so that doubles are always 64 bits wide: some decoders refuse the 16-bit
//! floats that a smallest-form writer makes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::value::Value as Cbor;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::json;
use super::model::{Kind, Service, Shape, ShapeId};

/// The CBOR tag of a point in time, counted from the epoch (RFC 8949, 3.4.2).
const EPOCH_TAG: u64 = 1;
/// The heads of lists and maps that do not say how long they are, and their end (RFC 8949, 3.2.1): AWS
/// writes all of them so.
const OPEN_LIST: u8 = 0x9f;
const OPEN_MAP: u8 = 0xbf;
const BREAK: u8 = 0xff;

/// Reads the body of a request. An empty one has no members.
pub(super) fn decode(
    service: &Service,
    id: ShapeId,
    bytes: &[u8],
) -> Result<Map<String, Value>, Fault> {
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    let cbor: Cbor = ciborium::from_reader(bytes)
        .map_err(|error| Fault::serialization(format!("The request body is not CBOR: {error}")))?;
    json::members(read(service, service.shape(id), cbor)?)
}

fn read(service: &Service, shape: &Shape, cbor: Cbor) -> Result<Value, Fault> {
    let wrong = || Fault::serialization(format!("A value is no {}", shape.name));
    Ok(match (&shape.kind, cbor) {
        (Kind::Text, Cbor::Text(text)) => Value::String(text),
        (Kind::Blob, Cbor::Bytes(bytes)) => Value::String(STANDARD.encode(bytes)),
        (Kind::Boolean, Cbor::Bool(flag)) => Value::Bool(flag),
        (Kind::Integer, Cbor::Integer(number)) => {
            i64::try_from(i128::from(number)).map_err(|_| wrong())?.into()
        }
        (Kind::Double, cbor) => real(&cbor).ok_or_else(wrong)?,
        (Kind::Timestamp(_), Cbor::Tag(EPOCH_TAG, seconds)) => {
            real(&seconds).filter(Value::is_number).ok_or_else(wrong)?
        }
        (Kind::List { element, .. }, Cbor::Array(items)) => {
            let element = service.shape(*element);
            let items = items.into_iter().map(|item| match item {
                Cbor::Null => Ok(Value::Null),
                item => read(service, element, item),
            });
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        (Kind::Map { value, .. }, Cbor::Map(pairs)) => {
            let value = service.shape(*value);
            let mut object = Map::new();
            for (key, item) in pairs.into_iter().filter(|(_, item)| !item.is_null()) {
                let key = key.into_text().map_err(|_| wrong())?;
                object.insert(key, read(service, value, item)?);
            }
            Value::Object(object)
        }
        (Kind::Structure { members, .. }, Cbor::Map(pairs)) => {
            let mut object = Map::new();
            for (key, item) in pairs.into_iter().filter(|(_, item)| !item.is_null()) {
                let key = key.into_text().map_err(|_| wrong())?;
                // Members this version of the model does not know are skipped, as AWS does.
                if let Some(member) = members.get(&key) {
                    object.insert(key, read(service, service.shape_of(member), item)?);
                }
            }
            Value::Object(object)
        }
        _ => return Err(wrong()),
    })
}

/// A double; those that JSON has no number for are texts in the tree.
fn real(cbor: &Cbor) -> Option<Value> {
    let number = match cbor {
        Cbor::Float(number) => *number,
        #[expect(clippy::cast_precision_loss, reason = "the member is a double")]
        Cbor::Integer(number) => i128::from(*number) as f64,
        _ => return None,
    };
    Some(json::double(number))
}

/// Writes the body of an answer.
pub(super) fn encode(
    service: &Service,
    shape: Option<&Shape>,
    body: &Map<String, Value>,
) -> Vec<u8> {
    let mut out = Vec::new();
    out.push(OPEN_MAP);
    for (name, value) in body {
        text(name, &mut out);
        let shape =
            shape.and_then(|shape| shape.member(name)).map(|member| service.shape_of(member));
        write(service, shape, value, &mut out);
    }
    out.push(BREAK);
    out
}

/// Writes a value. What has no shape, as in errors, is written as its JSON form tells.
fn write(service: &Service, shape: Option<&Shape>, value: &Value, out: &mut Vec<u8>) {
    let kind = shape.map(|shape| &shape.kind);
    match (kind, value) {
        (_, Value::Null) => null(out),
        (_, Value::Bool(flag)) => boolean(*flag, out),
        (Some(Kind::Timestamp(_)), Value::Number(number)) => {
            time(number.as_f64().unwrap_or_default(), out);
        }
        (Some(Kind::Double), Value::Number(number)) => {
            double(number.as_f64().unwrap_or_default(), out);
        }
        (Some(Kind::Double), Value::String(text)) => double(text.parse().unwrap_or(f64::NAN), out),
        (_, Value::Number(number)) => match number.as_i64() {
            Some(number) => integer(number, out),
            None => double(number.as_f64().unwrap_or_default(), out),
        },
        (Some(Kind::Blob), Value::String(encoded)) => {
            bytes(&STANDARD.decode(encoded).unwrap_or_default(), out);
        }
        (_, Value::String(string)) => text(string, out),
        (kind, Value::Array(items)) => {
            let element = match kind {
                Some(Kind::List { element, .. }) => Some(service.shape(*element)),
                _ => None,
            };
            out.push(OPEN_LIST);
            for item in items {
                write(service, element, item, out);
            }
            out.push(BREAK);
        }
        (kind, Value::Object(object)) => {
            out.push(OPEN_MAP);
            for (name, value) in object {
                text(name, out);
                let below = match kind {
                    Some(Kind::Map { value, .. }) => Some(service.shape(*value)),
                    Some(Kind::Structure { members, .. }) => {
                        members.get(name).map(|member| service.shape_of(member))
                    }
                    _ => None,
                };
                write(service, below, value, out);
            }
            out.push(BREAK);
        }
    }
}

/// Bytes.
fn bytes(content: &[u8], out: &mut Vec<u8>) {
    head(2, content.len() as u64, out);
    out.extend_from_slice(content);
}

/// A double.
fn double(number: f64, out: &mut Vec<u8>) {
    out.push(0xfb);
    out.extend_from_slice(&number.to_be_bytes());
}

/// A text.
fn text(string: &str, out: &mut Vec<u8>) {
    head(3, string.len() as u64, out);
    out.extend_from_slice(string.as_bytes());
}

/// True or false.
fn boolean(flag: bool, out: &mut Vec<u8>) {
    out.push(if flag { 0xf5 } else { 0xf4 });
}

/// A whole number.
fn integer(number: i64, out: &mut Vec<u8>) {
    if number >= 0 {
        head(0, number.unsigned_abs(), out);
    } else {
        head(1, !number.cast_unsigned(), out);
    }
}

/// A point in time, in seconds since the epoch.
fn time(seconds: f64, out: &mut Vec<u8>) {
    head(6, EPOCH_TAG, out);
    double(seconds, out);
}

/// Nothing.
fn null(out: &mut Vec<u8>) {
    out.push(0xf6);
}

/// The initial byte of an item and its argument, in the shortest form (RFC 8949, 3).
fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    #[expect(clippy::cast_possible_truncation, reason = "each arm bounds the argument")]
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend_from_slice(&[major | 0x18, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 0x19);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 0x1a);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}
