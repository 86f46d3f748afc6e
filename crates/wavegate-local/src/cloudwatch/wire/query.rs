//! The query protocol: forms in, XML out; timestamps in ISO 8601.
//!
//! Lists arrive as `Name.member.1`, maps as `Name.entry.1.key`. Numbers say the order of elements
//! and may have gaps. An empty list arrives as `Name=`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{expectation, member, unreadable};
use crate::cloudwatch::fault::Fault;
use crate::cloudwatch::shapes::Shape;
use crate::cloudwatch::value::{Record, Value};

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

/// The pairs of a form or of a query string.
pub(super) fn pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

/// A form as a tree: what stands at this place, and what stands below it.
#[derive(Default)]
struct Node<'a> {
    text: Option<&'a str>,
    below: BTreeMap<&'a str, Node<'a>>,
}

/// Reads a request.
pub(super) fn decode(shape: &Shape, pairs: &[(String, String)]) -> Result<Record, Fault> {
    /// No shape of CloudWatch nests deeper; a longer name is no parameter of it.
    const DEEPEST: usize = 32;
    let mut root = Node::default();
    for (key, value) in pairs.iter().filter(|(key, _)| key.split('.').count() <= DEEPEST) {
        let mut node = &mut root;
        for part in key.split('.') {
            node = node.below.entry(part).or_default();
        }
        node.text = Some(value);
    }
    match read(shape, &root, "")? {
        Value::Record(record) => Ok(record),
        _ => Err(unreadable("", expectation(shape))),
    }
}

fn read(shape: &Shape, node: &Node<'_>, path: &str) -> Result<Value, Fault> {
    let wrong = || unreadable(path, expectation(shape));
    let text = || node.text.ok_or_else(wrong);
    Ok(match shape {
        Shape::Text { .. } | Shape::Choice(_) => Value::Text(text()?.to_owned()),
        Shape::Integer { .. } => Value::Integer(text()?.trim().parse().map_err(|_| wrong())?),
        Shape::Double => Value::Double(text()?.trim().parse().map_err(|_| wrong())?),
        Shape::Boolean => match text()? {
            "true" | "True" | "TRUE" | "1" => Value::Boolean(true),
            "false" | "False" | "FALSE" | "0" => Value::Boolean(false),
            _ => return Err(wrong()),
        },
        Shape::Timestamp => Value::Time(parse_time(text()?.trim()).ok_or_else(wrong)?),
        Shape::List { of, .. } => {
            let mut values = Vec::new();
            for (index, below) in elements(node, "member") {
                values.push(read(of, below, &member(path, &format!("member.{index}")))?);
            }
            Value::List(values)
        }
        Shape::Map { of } => {
            let mut record = Record::new();
            for (index, below) in elements(node, "entry") {
                let place = member(path, &format!("entry.{index}"));
                let key = below.below.get("key").and_then(|key| key.text).ok_or_else(wrong)?;
                let value = below.below.get("value").ok_or_else(wrong)?;
                record.insert(key, read(of, value, &place)?);
            }
            record.into()
        }
        Shape::Structure(fields) => {
            let mut record = Record::new();
            for field in *fields {
                if let Some(below) = node.below.get(field.name) {
                    record.insert(field.name, read(field.shape, below, &member(path, field.name))?);
                }
            }
            record.into()
        }
    })
}

/// The numbered elements below `node.word`, in the order of their numbers.
fn elements<'n, 'a>(node: &'n Node<'a>, word: &str) -> Vec<(u32, &'n Node<'a>)> {
    let Some(list) = node.below.get(word) else { return Vec::new() };
    let mut found: Vec<_> = list
        .below
        .iter()
        .filter_map(|(index, below)| index.parse().ok().map(|index| (index, below)))
        .collect();
    found.sort_by_key(|(index, _)| *index);
    found
}

/// Writes an answer.
pub(super) fn encode(
    operation: &str,
    shape: Option<&Shape>,
    record: &Record,
    request_id: &str,
) -> String {
    let mut xml = String::new();
    let _ = write!(xml, "<{operation}Response xmlns=\"{NAMESPACE}\">");
    if let Some(shape) = shape {
        element(&format!("{operation}Result"), &mut xml, |xml| write_record(shape, record, xml));
    }
    element("ResponseMetadata", &mut xml, |xml| {
        element("RequestId", xml, |xml| escape(request_id, xml));
    });
    let _ = write!(xml, "</{operation}Response>");
    xml
}

/// Writes a refusal.
pub(super) fn encode_fault(fault: &Fault, request_id: &str) -> String {
    let mut xml = format!("<ErrorResponse xmlns=\"{NAMESPACE}\">");
    element("Error", &mut xml, |xml| {
        element("Type", xml, |xml| xml.push_str("Sender"));
        element("Code", xml, |xml| escape(fault.kind.code(), xml));
        if !fault.message.is_empty() {
            element("Message", xml, |xml| escape(&fault.message, xml));
        }
    });
    element("RequestId", &mut xml, |xml| escape(request_id, xml));
    xml.push_str("</ErrorResponse>");
    xml
}

fn element(name: &str, xml: &mut String, content: impl FnOnce(&mut String)) {
    let _ = write!(xml, "<{name}>");
    content(xml);
    let _ = write!(xml, "</{name}>");
}

fn write_record(shape: &Shape, record: &Record, xml: &mut String) {
    match shape {
        Shape::Structure(fields) => {
            for field in *fields {
                if let Some(value) = record.get(field.name) {
                    element(field.name, xml, |xml| write_value(field.shape, value, xml));
                }
            }
        }
        Shape::Map { of } => {
            for (key, value) in record.iter() {
                element("entry", xml, |xml| {
                    element("key", xml, |xml| escape(key, xml));
                    element("value", xml, |xml| write_value(of, value, xml));
                });
            }
        }
        _ => {}
    }
}

fn write_value(shape: &Shape, value: &Value, xml: &mut String) {
    match value {
        Value::Boolean(flag) => {
            let _ = write!(xml, "{flag}");
        }
        Value::Integer(number) => {
            let _ = write!(xml, "{number}");
        }
        Value::Double(number) => {
            let _ = write!(xml, "{number:?}");
        }
        Value::Text(text) => escape(text, xml),
        Value::Time(millis) => xml.push_str(&format_time(*millis)),
        Value::List(values) => {
            let Shape::List { of, .. } = shape else { return };
            for value in values {
                element("member", xml, |xml| write_value(of, value, xml));
            }
        }
        Value::Record(record) => write_record(shape, record, xml),
    }
}

/// Escapes text for an element. Characters that XML 1.0 cannot hold become the replacement
/// character, because an answer that does not parse would hide all the rest.
fn escape(text: &str, xml: &mut String) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\t' | '\n' => xml.push(character),
            // A bare carriage return would be read back as a line feed.
            '\r' => xml.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            _ => xml.push(character),
        }
    }
}

/// A timestamp as ISO 8601 in UTC; milliseconds only when there are some.
pub(crate) fn format_time(millis: i64) -> String {
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) if millis % 1000 == 0 => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Err(_) => String::new(),
    }
}

/// Reads ISO 8601 with any offset (no offset means UTC) or seconds since the epoch.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    if let Ok(civil) = text.parse::<jiff::civil::DateTime>() {
        return Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond());
    }
    text.parse::<f64>().ok().and_then(super::millis_of_seconds)
}
