//! What the REST protocols carry outside of the body: members in the path, the query string, headers and
//! the status.

use serde_json::{Map, Number, Value};

use super::fault::Fault;
use super::model::{
    Kind, Location, Member, Operation, Segment, Service, Shape, ShapeId, TimeFormat,
};
use super::{Request, time};

/// What a request's path gives the members, if it is an operation's.
pub(super) fn labels(operation: &Operation, segments: &[String]) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut given = segments.iter();
    for segment in &operation.path {
        match segment {
            Segment::Fixed(text) => {
                if given.next()? != text {
                    return None;
                }
            }
            Segment::Label(name) => found.push((name.clone(), given.next()?.clone())),
            Segment::Rest(name) => {
                let rest: Vec<&str> = given.by_ref().map(String::as_str).collect();
                if rest.is_empty() {
                    return None;
                }
                found.push((name.clone(), rest.join("/")));
            }
        }
    }
    given.next().is_none().then_some(found)
}

/// Whether a query string has what an operation's must, and how much that is.
pub(super) fn query_fits(operation: &Operation, request: &Request) -> Option<usize> {
    let fits = operation.query.iter().all(|(key, wanted)| {
        let given = request.query_param(key);
        wanted.as_ref().map_or(given.is_some(), |wanted| given.as_ref() == Some(wanted))
    });
    fits.then_some(operation.query.len())
}

/// Adds the members that are not in the body.
pub(super) fn decode(
    service: &Service,
    id: ShapeId,
    request: &Request,
    labels: &[(String, String)],
    input: &mut Map<String, Value>,
) -> Result<(), Fault> {
    for (name, member) in service.shape(id).members() {
        let wire_name = member.wire_name.as_str();
        let value = match member.location {
            Some(Location::Path) => {
                let label = labels.iter().find(|(label, _)| label == wire_name);
                label.map(|(_, text)| scalar(service, member, text)).transpose()?
            }
            Some(Location::Query) => from_query(service, member, request)?,
            Some(Location::Header) => from_header(service, member, request)?,
            Some(Location::Headers) => prefixed(request, &wire_name.to_lowercase()),
            Some(Location::Status) | None => None,
        };
        if let Some(value) = value {
            input.insert(name.clone(), value);
        }
    }
    Ok(())
}

fn from_header(
    service: &Service,
    member: &Member,
    request: &Request,
) -> Result<Option<Value>, Fault> {
    let name = member.wire_name.to_lowercase();
    if let Kind::List { .. } = service.shape_of(member).kind {
        // A list is one header with commas, or several headers.
        let given = request.headers.iter().filter(|(header, _)| *header == name);
        let items: Vec<&str> =
            given.flat_map(|(_, value)| value.split(',')).map(str::trim).collect();
        return Ok((!items.is_empty()).then(|| items.into()));
    }
    request.header(&name).map(|text| scalar(service, member, text)).transpose()
}

fn from_query(
    service: &Service,
    member: &Member,
    request: &Request,
) -> Result<Option<Value>, Fault> {
    let name = member.wire_name.as_str();
    if let Kind::List { .. } = service.shape_of(member).kind {
        let items = request.query_params(name);
        return Ok((!items.is_empty()).then(|| items.into()));
    }
    request.query_param(name).map(|text| scalar(service, member, &text)).transpose()
}

fn prefixed(request: &Request, prefix: &str) -> Option<Value> {
    let pairs: Map<String, Value> = request
        .headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.strip_prefix(prefix)?.to_owned(), value.as_str().into()))
        })
        .collect();
    (!pairs.is_empty()).then_some(Value::Object(pairs))
}

fn scalar(service: &Service, member: &Member, text: &str) -> Result<Value, Fault> {
    let shape = service.shape_of(member);
    let wrong = |wanted: &str| {
        Fault::serialization(format!("STRING_VALUE can not be converted to {wanted}"))
    };
    Ok(match shape.kind {
        Kind::Integer => text.parse::<i64>().map_err(|_| wrong("an Integer"))?.into(),
        Kind::Double => {
            let number = text.parse().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(|| wrong("a Double"))?)
        }
        Kind::Boolean => text.parse::<bool>().map_err(|_| wrong("a Boolean"))?.into(),
        Kind::Timestamp(_) => {
            let seconds = time::parse(text).and_then(Number::from_f64);
            Value::Number(seconds.ok_or_else(|| wrong("a Date"))?)
        }
        _ => text.into(),
    })
}

/// What of an answer is not in its body.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, String)>,
}

/// Takes the members out of an answer that are not in its body.
pub(super) fn head(service: &Service, shape: &Shape, output: &mut Map<String, Value>) -> Head {
    let mut head = Head::default();
    for (name, member) in shape.members() {
        let Some(location) = member.location else { continue };
        let Some(value) = output.remove(name) else { continue };
        match location {
            Location::Status => {
                head.status = value.as_u64().and_then(|status| u16::try_from(status).ok());
            }
            Location::Header => {
                let text = header_text(service.shape_of(member), &value);
                head.headers.push((member.wire_name.to_lowercase(), text));
            }
            Location::Headers => {
                let pairs = value.as_object().into_iter().flatten();
                head.headers.extend(pairs.map(|(key, value)| {
                    let name = format!("{}{key}", member.wire_name).to_lowercase();
                    (name, value.as_str().unwrap_or_default().to_owned())
                }));
            }
            Location::Path | Location::Query => {}
        }
    }
    head
}

fn header_text(shape: &Shape, value: &Value) -> String {
    match (&shape.kind, value) {
        (Kind::Timestamp(TimeFormat::Iso), Value::Number(number)) => {
            time::iso(number.as_f64().unwrap_or_default())
        }
        (Kind::Timestamp(_), Value::Number(number)) => {
            time::http(number.as_f64().unwrap_or_default())
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}
