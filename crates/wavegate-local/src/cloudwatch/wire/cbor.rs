//! rpc-v2-cbor: requests and answers as CBOR maps.
//!
//! Reading takes all that CBOR allows (definite and indefinite lengths, any float width, integers
//! for doubles); writing is [`crate::cbor`]'s.

use ciborium::value::Value as Cbor;

use super::{expectation, member, millis_of_seconds, seconds_of_millis, unreadable};
use crate::cbor::{self, EPOCH_TAG};
use crate::cloudwatch::fault::{Fault, FaultKind};
use crate::cloudwatch::shapes::Shape;
use crate::cloudwatch::value::{Record, Value};

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
            cbor::map(present.len(), out);
            for (field, value) in present {
                cbor::text(field.name, out);
                write(field.shape, value, out);
            }
        }
        Shape::Map { of } => {
            cbor::map(record.iter().count(), out);
            for (key, value) in record.iter() {
                cbor::text(key, out);
                write(of, value, out);
            }
        }
        _ => cbor::null(out),
    }
}

fn write(shape: &Shape, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Boolean(flag) => cbor::boolean(*flag, out),
        Value::Integer(number) => cbor::integer(*number, out),
        Value::Double(number) => cbor::double(*number, out),
        Value::Text(string) => cbor::text(string, out),
        Value::Time(millis) => cbor::time(seconds_of_millis(*millis), out),
        Value::List(values) => {
            cbor::list(values.len(), out);
            let Shape::List { of, .. } = shape else { return };
            for value in values {
                write(of, value, out);
            }
        }
        Value::Record(record) => write_record(shape, record, out),
    }
}
