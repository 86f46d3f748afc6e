//! XML: the answers of the query protocol, and the bodies of REST-XML.

use std::collections::VecDeque;
use std::fmt::Write as _;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::{Map, Number, Value};

use super::fault::Fault;
use super::model::{Kind, Member, Protocol, Service, Shape, ShapeId, TimeFormat};
use super::time;

/// The one namespace that attributes are of: that of what tells the types of elements.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Writes an element.
pub(super) fn element(name: &str, xml: &mut String, content: impl FnOnce(&mut String)) {
    let _ = write!(xml, "<{name}>");
    content(xml);
    let _ = write!(xml, "</{name}>");
}

/// Writes the members of a structure that are in the body.
pub(super) fn members(
    service: &Service,
    shape: &Shape,
    object: &Map<String, Value>,
    xml: &mut String,
) {
    let is_below = |member: &Member| member.location.is_none() && !member.is_attribute;
    for (name, member) in shape.members().filter(|(_, member)| is_below(member)) {
        if let Some(value) = object.get(name) {
            write_member(service, member, value, xml);
        }
    }
}

fn write_member(service: &Service, member: &Member, value: &Value, xml: &mut String) {
    let shape = service.shape_of(member);
    let name = member.wire_name.as_str();
    match (&shape.kind, value) {
        (Kind::List { element: of, is_flattened, .. }, Value::Array(items))
            if *is_flattened || member.is_flattened =>
        {
            for item in items {
                element(name, xml, |xml| write_value(service, service.shape(*of), item, xml));
            }
        }
        (Kind::Map { value: of, names, is_flattened, .. }, Value::Object(object))
            if *is_flattened || member.is_flattened =>
        {
            for (key, item) in object {
                element(name, xml, |xml| entry(service, names, service.shape(*of), key, item, xml));
            }
        }
        (Kind::Structure { .. }, Value::Object(object)) => {
            let _ = write!(xml, "<{name}");
            attributes(shape, object, xml);
            xml.push('>');
            members(service, shape, object, xml);
            let _ = write!(xml, "</{name}>");
        }
        _ => element(name, xml, |xml| write_value(service, shape, value, xml)),
    }
}

/// Writes the members of a structure that are attributes of its element.
fn attributes(shape: &Shape, object: &Map<String, Value>, xml: &mut String) {
    for (name, member) in shape.members().filter(|(_, member)| member.is_attribute) {
        let Some(text) = object.get(name).and_then(Value::as_str) else { continue };
        if let Some((prefix, _)) = member.wire_name.split_once(':') {
            let _ = write!(xml, " xmlns:{prefix}=\"{INSTANCE}\"");
        }
        let _ = write!(xml, " {}=\"", member.wire_name);
        escape(text, xml);
        xml.push('"');
    }
}

fn entry(
    service: &Service,
    names: &(String, String),
    of: &Shape,
    key: &str,
    item: &Value,
    xml: &mut String,
) {
    element(&names.0, xml, |xml| escape(key, xml));
    element(&names.1, xml, |xml| write_value(service, of, item, xml));
}

fn write_value(service: &Service, shape: &Shape, value: &Value, xml: &mut String) {
    match (&shape.kind, value) {
        (Kind::Timestamp(format), Value::Number(number)) => {
            let seconds = number.as_f64().unwrap_or_default();
            match format {
                TimeFormat::Http => xml.push_str(&time::http(seconds)),
                TimeFormat::Epoch => {
                    let _ = write!(xml, "{seconds}");
                }
                // S3 prints milliseconds, and IAM does not.
                TimeFormat::Default | TimeFormat::Iso if service.speaks(Protocol::RestXml) => {
                    xml.push_str(&time::iso_millis(seconds));
                }
                TimeFormat::Default | TimeFormat::Iso => xml.push_str(&time::iso(seconds)),
            }
        }
        (Kind::Double, Value::Number(number)) => {
            let _ = write!(xml, "{:?}", number.as_f64().unwrap_or_default());
        }
        (_, Value::Number(number)) => {
            let _ = write!(xml, "{number}");
        }
        (_, Value::Bool(flag)) => {
            let _ = write!(xml, "{flag}");
        }
        (_, Value::String(text)) => escape(text, xml),
        (Kind::List { element: of, name, .. }, Value::Array(items)) => {
            for item in items {
                element(name, xml, |xml| write_value(service, service.shape(*of), item, xml));
            }
        }
        (Kind::Map { value: of, names, .. }, Value::Object(object)) => {
            for (key, item) in object {
                element("entry", xml, |xml| {
                    entry(service, names, service.shape(*of), key, item, xml);
                });
            }
        }
        (Kind::Structure { .. }, Value::Object(object)) => members(service, shape, object, xml),
        _ => {}
    }
}

/// Escapes text for an element. Characters that XML 1.0 cannot hold become the replacement character,
/// because an answer that does not parse would hide all the rest.
pub(super) fn escape(text: &str, xml: &mut String) {
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

/// An element that was read.
#[derive(Debug, Default)]
struct Element {
    name: String,
    text: String,
    below: Vec<Element>,
}

/// Reads the body of a REST-XML request: a document whose root stands for the structure.
pub(super) fn decode(
    service: &Service,
    id: ShapeId,
    bytes: &[u8],
) -> Result<Map<String, Value>, Fault> {
    let malformed = || {
        Fault::new(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    };
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    let root = parse(bytes).ok_or_else(malformed)?;
    structure(service, service.shape(id), &root).ok_or_else(malformed)
}

fn parse(bytes: &[u8]) -> Option<Element> {
    let mut reader = Reader::from_reader(bytes);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => open.push(begun(&start)?),
            Event::Empty(empty) => open.last_mut()?.below.push(begun(&empty)?),
            Event::End(_) => {
                let done = open.pop()?;
                open.last_mut()?.below.push(done);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::CData(data) => open.last_mut()?.text.push_str(&data.decode().ok()?),
            Event::GeneralRef(reference) => {
                let text = &mut open.last_mut()?.text;
                match reference.resolve_char_ref().ok()? {
                    Some(character) => text.push(character),
                    None => text.push_str(quick_xml::escape::resolve_predefined_entity(
                        &reference.decode().ok()?,
                    )?),
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let mut below = VecDeque::from(open.pop().filter(|_| open.is_empty())?.below);
    below.pop_front()
}

/// An element as it begins. Attributes with a prefix are taken for what is below it, under their whole
/// names.
fn begun(start: &BytesStart<'_>) -> Option<Element> {
    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
    let mut below = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        if name.contains(':') && !name.starts_with("xmlns:") {
            let text = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned();
            below.push(Element { name, text, ..Element::default() });
        }
    }
    Some(Element { name, below, ..Element::default() })
}

fn structure(service: &Service, shape: &Shape, element: &Element) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for (name, member) in shape.members().filter(|(_, member)| member.location.is_none()) {
        let found: Vec<&Element> =
            element.below.iter().filter(|below| below.name == member.wire_name).collect();
        let Some(first) = found.first() else { continue };
        let below = service.shape_of(member);
        let value = match &below.kind {
            Kind::List { element: of, is_flattened, .. }
                if *is_flattened || member.is_flattened =>
            {
                let items = found.iter().map(|item| value(service, service.shape(*of), item));
                Value::Array(items.collect::<Option<_>>()?)
            }
            _ => value(service, below, first)?,
        };
        object.insert(name.clone(), value);
    }
    Some(object)
}

fn value(service: &Service, shape: &Shape, element: &Element) -> Option<Value> {
    let text = element.text.trim();
    Some(match &shape.kind {
        Kind::Text | Kind::Blob => element.text.as_str().into(),
        Kind::Boolean => text.parse::<bool>().ok()?.into(),
        Kind::Integer => text.parse::<i64>().ok()?.into(),
        Kind::Double => Value::Number(Number::from_f64(text.parse().ok()?)?),
        Kind::Timestamp(_) => Value::Number(Number::from_f64(time::parse(text)?)?),
        Kind::List { element: of, .. } => {
            let items = element.below.iter().map(|item| value(service, service.shape(*of), item));
            Value::Array(items.collect::<Option<_>>()?)
        }
        Kind::Map { value: of, names, .. } => {
            let mut object = Map::new();
            for entry in &element.below {
                let part = |name: &str| entry.below.iter().find(|below| below.name == name);
                let (key, item) = (part(&names.0)?, part(&names.1)?);
                object.insert(key.text.clone(), value(service, service.shape(*of), item)?);
            }
            Value::Object(object)
        }
        Kind::Structure { .. } => Value::Object(structure(service, shape, element)?),
    })
}
