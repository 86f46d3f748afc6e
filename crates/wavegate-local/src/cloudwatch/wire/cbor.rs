//! rpc-v2-cbor: requests and answers as CBOR maps.
//!
//! Reading takes all that CBOR allows (definite and indefinite lengths, any float width, integers
//! for doubles). Writing is our own so that doubles are always 64 bits wide: some decoders refuse
//! the 16-bit floats that a smallest-form writer makes.

use ciborium::value::Value as Cbor;

use super::{expectation, member, millis_of_seconds, seconds_of_millis, unreadable};
use crate::cloudwatch::fault::{Fault, FaultKind};
use crate::cloudwatch::shapes::Shape;
use crate::cloudwatch::value::{Record, Value};

/// The CBOR tag of a point in time, counted from the epoch (RFC 8949, 3.4.2).
const EPOCH_TAG: u64 = 1;

/// Reads a request. An empty body reads as a request without members.
pub(super) fn decode(shape: &Shape, bytes: &[u8]) -> Result<Record, Fault> {
    if bytes.is_empty() {
        return Ok(Record::new());
    }
    let cbor: Cbor = ciborium::from_reader(bytes).map_err(|error| {
        Fault::new(FaultKind::Serialization, format!("The request body is not CBOR: {error}"))
    })?;
    match read(shape, &cbor, "")? {
        Value::Record(record) => Ok(record),
        _ => Err(unreadable("", expectation(shape))),
    }
}

fn read(shape: &Shape, cbor: &Cbor, path: &str) -> Result<Value, Fault> {
    let wrong = || unreadable(path, expectation(shape));
    Ok(match (shape, cbor) {
        (Shape::Text { .. } | Shape::Choice(_), Cbor::Text(text)) => Value::Text(text.clone()),
        (Shape::Boolean, Cbor::Bool(flag)) => Value::Boolean(*flag),
        (Shape::Integer { .. }, Cbor::Integer(number)) => {
            Value::Integer(i64::try_from(i128::from(*number)).map_err(|_| wrong())?)
        }
        (Shape::Double, _) => Value::Double(number(cbor).ok_or_else(wrong)?),
        (Shape::Timestamp, Cbor::Tag(EPOCH_TAG, seconds)) => {
            Value::Time(number(seconds).and_then(millis_of_seconds).ok_or_else(wrong)?)
        }
        (Shape::List { of, .. }, Cbor::Array(values)) => Value::List(
            values
                .iter()
                .enumerate()
                .map(|(index, value)| read(of, value, &member(path, &(index + 1).to_string())))
                .collect::<Result<_, _>>()?,
        ),
        (Shape::Map { of }, Cbor::Map(entries)) => {
            let mut record = Record::new();
            for (key, value) in entries {
                let key = key.as_text().ok_or_else(wrong)?;
                record.insert(key, read(of, value, &member(path, key))?);
            }
            record.into()
        }
        (Shape::Structure(fields), Cbor::Map(entries)) => {
            let mut record = Record::new();
            for (key, value) in entries {
                let key = key.as_text().ok_or_else(wrong)?;
                // Members this version of the model does not know are skipped, as AWS does.
                if let Some(field) = fields.iter().find(|field| field.name == key)
                    && !matches!(value, Cbor::Null)
                {
                    record.insert(key, read(field.shape, value, &member(path, key))?);
                }
            }
            record.into()
        }
        _ => return Err(wrong()),
    })
}

fn number(cbor: &Cbor) -> Option<f64> {
    match cbor {
        Cbor::Float(number) => Some(*number),
        #[expect(clippy::cast_precision_loss, reason = "the member is a double")]
        Cbor::Integer(number) => Some(i128::from(*number) as f64),
        _ => None,
    }
}

/// Writes an answer or, in tests, a request.
pub(super) fn encode(shape: &Shape, record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    write_record(shape, record, &mut out);
    out
}

fn write_record(shape: &Shape, record: &Record, out: &mut Vec<u8>) {
    match shape {
        Shape::Structure(fields) => {
            let present: Vec<_> = fields
                .iter()
                .filter_map(|field| record.get(field.name).map(|value| (field, value)))
                .collect();
            head(5, present.len() as u64, out);
            for (field, value) in present {
                text(field.name, out);
                write(field.shape, value, out);
            }
        }
        Shape::Map { of } => {
            head(5, record.iter().count() as u64, out);
            for (key, value) in record.iter() {
                text(key, out);
                write(of, value, out);
            }
        }
        _ => out.push(0xf6),
    }
}

fn write(shape: &Shape, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Boolean(flag) => out.push(if *flag { 0xf5 } else { 0xf4 }),
        Value::Integer(number) if *number >= 0 => head(0, number.unsigned_abs(), out),
        Value::Integer(number) => head(1, !number.cast_unsigned(), out),
        Value::Double(number) => double(*number, out),
        Value::Text(string) => text(string, out),
        Value::Time(millis) => {
            head(6, EPOCH_TAG, out);
            double(seconds_of_millis(*millis), out);
        }
        Value::List(values) => {
            head(4, values.len() as u64, out);
            let Shape::List { of, .. } = shape else { return };
            for value in values {
                write(of, value, out);
            }
        }
        Value::Record(record) => write_record(shape, record, out),
    }
}

fn double(number: f64, out: &mut Vec<u8>) {
    out.push(0xfb);
    out.extend_from_slice(&number.to_be_bytes());
}

fn text(string: &str, out: &mut Vec<u8>) {
    head(3, string.len() as u64, out);
    out.extend_from_slice(string.as_bytes());
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
