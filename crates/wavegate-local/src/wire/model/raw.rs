//! The models as they stand in their files: AWS's own form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::Deserialize;

use super::{
    ErrorTraits, Kind, Location, Member, Operation, Pattern, Protocol, Segment, Service, Shape,
    ShapeId, TimeFormat,
};

#[derive(Deserialize)]
struct Raw {
    metadata: Metadata,
    operations: BTreeMap<String, RawOperation>,
    absent: BTreeSet<String>,
    shapes: BTreeMap<String, RawShape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    api_version: String,
    aws_query_compatible: Option<serde::de::IgnoredAny>,
    endpoint_prefix: String,
    #[serde(default)]
    json_version: String,
    protocols: Vec<String>,
    service_id: String,
    signing_name: Option<String>,
    target_prefix: Option<String>,
    #[serde(default)]
    xml_namespace: String,
}

#[derive(Deserialize)]
struct RawOperation {
    http: Http,
    input: Option<Reference>,
    output: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    request_uri: String,
    response_code: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    shape: String,
    result_wrapper: Option<String>,
    location: Option<String>,
    location_name: Option<String>,
    #[serde(default)]
    flattened: bool,
    #[serde(default)]
    xml_attribute: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "they are AWS's traits")]
struct RawShape {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    required: BTreeSet<String>,
    #[serde(default)]
    members: BTreeMap<String, Reference>,
    member: Option<Reference>,
    key: Option<Reference>,
    value: Option<Reference>,
    min: Option<f64>,
    max: Option<f64>,
    pattern: Option<String>,
    #[serde(default, rename = "enum")]
    choices: Vec<String>,
    #[serde(default)]
    sensitive: bool,
    payload: Option<String>,
    #[serde(default)]
    flattened: bool,
    timestamp_format: Option<String>,
    error: Option<RawError>,
    #[serde(default)]
    exception: bool,
    #[serde(default)]
    fault: bool,
    /// A correction: what the root of its document is called.
    root: Option<String>,
    /// A correction: the messages about elements do not end in "Member must not be null".
    #[serde(default)]
    elements_may_be_null: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawError {
    code: Option<String>,
    http_status_code: Option<u16>,
}

/// Reads a model.
///
/// # Panics
/// If the text is no model. The models are part of the program, and the tests read each.
pub(super) fn read(text: &str) -> Service {
    #[expect(
        clippy::expect_used,
        reason = "the models are part of the program, and tests read each"
    )]
    let raw: Raw = serde_json::from_str(text).expect("a model of the local cloud can be read");
    let ids: BTreeMap<&str, ShapeId> =
        raw.shapes.keys().enumerate().map(|(at, name)| (name.as_str(), ShapeId(at))).collect();
    let id = |reference: &Reference| ids[reference.shape.as_str()];
    let shapes: Vec<Shape> =
        raw.shapes.iter().map(|(name, shape)| shape_of(name, shape, &id)).collect();
    let is_error = |(name, shape): (&String, &RawShape)| {
        (shape.exception || shape.error.is_some()).then(|| (name.clone(), ids[name.as_str()]))
    };
    Service {
        signing_name: raw.metadata.signing_name.unwrap_or(raw.metadata.endpoint_prefix),
        namespace: raw.metadata.service_id.to_lowercase().replace(' ', ""),
        protocols: raw.metadata.protocols.iter().filter_map(|name| protocol(name)).collect(),
        api_version: raw.metadata.api_version,
        target: raw.metadata.target_prefix,
        json_version: raw.metadata.json_version,
        xml_namespace: raw.metadata.xml_namespace,
        is_query_compatible: raw.metadata.aws_query_compatible.is_some(),
        operations: raw
            .operations
            .iter()
            .map(|(name, operation)| (name.clone(), operation_of(name, operation, &id)))
            .collect(),
        absent: raw.absent,
        errors: raw.shapes.iter().filter_map(is_error).collect(),
        shapes,
    }
}

fn protocol(name: &str) -> Option<Protocol> {
    Some(match name {
        "rest-json" => Protocol::RestJson,
        "rest-xml" => Protocol::RestXml,
        "json" => Protocol::Json,
        "query" => Protocol::Query,
        "smithy-rpc-v2-cbor" => Protocol::Cbor,
        _ => return None,
    })
}

fn operation_of(name: &str, raw: &RawOperation, id: &impl Fn(&Reference) -> ShapeId) -> Operation {
    let (path, query) = raw.http.request_uri.split_once('?').unwrap_or((&raw.http.request_uri, ""));
    let pair = |part: &str| match part.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (part.to_owned(), None),
    };
    Operation {
        name: name.to_owned(),
        method: raw.http.method.clone(),
        path: path.split('/').filter(|part| !part.is_empty()).map(segment).collect(),
        query: query.split('&').filter(|part| !part.is_empty()).map(pair).collect(),
        status: raw.http.response_code.unwrap_or(200),
        input: raw.input.as_ref().map(id),
        output: raw.output.as_ref().map(id),
        wrapper: raw.output.as_ref().and_then(|output| output.result_wrapper.clone()),
    }
}

fn segment(part: &str) -> Segment {
    match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(label) => match label.strip_suffix('+') {
            Some(rest) => Segment::Rest(rest.to_owned()),
            None => Segment::Label(label.to_owned()),
        },
        None => Segment::Fixed(part.to_owned()),
    }
}

fn shape_of(name: &str, raw: &RawShape, id: &impl Fn(&Reference) -> ShapeId) -> Shape {
    let error = (raw.exception || raw.error.is_some()).then(|| {
        let said = raw.error.as_ref();
        ErrorTraits {
            code: said.and_then(|error| error.code.clone()).unwrap_or_else(|| name.to_owned()),
            status: said.and_then(|error| error.http_status_code).unwrap_or(if raw.fault {
                500
            } else {
                400
            }),
        }
    });
    Shape {
        name: name.to_owned(),
        kind: kind(raw, id),
        min: raw.min,
        max: raw.max,
        choices: raw.choices.clone(),
        pattern: raw.pattern.clone().map(|text| Pattern { text, compiled: OnceLock::new() }),
        is_sensitive: raw.sensitive,
        error,
        root: raw.root.clone(),
        elements_may_be_null: raw.elements_may_be_null,
    }
}

fn kind(raw: &RawShape, id: &impl Fn(&Reference) -> ShapeId) -> Kind {
    let name = |reference: &Reference, otherwise: &str| {
        reference.location_name.clone().unwrap_or_else(|| otherwise.to_owned())
    };
    match (raw.kind.as_str(), &raw.member, &raw.key, &raw.value) {
        ("list", Some(element), ..) => Kind::List {
            element: id(element),
            name: name(element, "member"),
            is_flattened: raw.flattened,
        },
        ("map", _, Some(key), Some(value)) => Kind::Map {
            key: id(key),
            value: id(value),
            names: (name(key, "key"), name(value, "value")),
            is_flattened: raw.flattened,
        },
        ("blob", ..) => Kind::Blob,
        ("boolean", ..) => Kind::Boolean,
        ("integer" | "long", ..) => Kind::Integer,
        ("double" | "float", ..) => Kind::Double,
        ("timestamp", ..) => Kind::Timestamp(match raw.timestamp_format.as_deref() {
            Some("iso8601") => TimeFormat::Iso,
            Some("rfc822") => TimeFormat::Http,
            Some("unixTimestamp") => TimeFormat::Epoch,
            _ => TimeFormat::Default,
        }),
        ("structure", ..) => Kind::Structure {
            members: raw
                .members
                .iter()
                .map(|(name, member)| (name.clone(), member_of(name, member, raw, id)))
                .collect(),
            payload: raw.payload.clone(),
        },
        _ => Kind::Text,
    }
}

fn member_of(
    name: &str,
    raw: &Reference,
    owner: &RawShape,
    id: &impl Fn(&Reference) -> ShapeId,
) -> Member {
    Member {
        shape: id(raw),
        wire_name: raw.location_name.clone().unwrap_or_else(|| name.to_owned()),
        location: raw.location.as_deref().and_then(|location| match location {
            "uri" => Some(Location::Path),
            "querystring" => Some(Location::Query),
            "header" => Some(Location::Header),
            "headers" => Some(Location::Headers),
            "statusCode" => Some(Location::Status),
            _ => None,
        }),
        is_required: owner.required.contains(name),
        is_flattened: raw.flattened,
        is_attribute: raw.xml_attribute,
    }
}
