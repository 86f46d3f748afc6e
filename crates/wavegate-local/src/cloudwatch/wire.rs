//! From an HTTP request to an operation and back, in the three protocols CloudWatch speaks.
//!
//! rpc-v2-cbor is what the Rust SDK speaks, AWS JSON 1.0 what other current SDKs may choose, query
//! what older ones send. Invariant: an operation never sees which protocol it was asked in, and no
//! protocol has a rule of its own beyond how values look. Deliberately absent: checking signatures;
//! the local cloud answers anybody on loopback.

mod cbor;
mod json;
mod query;

use std::io::Read as _;

pub(crate) use json::{from_json, to_json};

use super::fault::{Fault, FaultKind};
use super::shapes::{ABSENT_OPERATIONS, OPERATIONS, Operation, Shape};
use super::validate::validate;
use super::value::Record;

/// The service's name in `x-amz-target` and in the paths of rpc-v2-cbor.
const SERVICE: &str = "GraniteServiceVersion20100801";
/// The API version that query requests name.
const VERSION: &str = "2010-08-01";
/// The longest body accepted after decompression. `PutMetricData` may send 1 MB; the rest is room
/// for what the form encoding adds.
const MAX_BODY: u64 = 8 * 1024 * 1024;

/// An HTTP request as the server received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireRequest {
    /// The method, in capitals.
    pub method: String,
    /// The path, without the query string.
    pub path: String,
    /// The query string, without the question mark; empty when there is none.
    pub query: String,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came over the wire, still compressed when `content-encoding` says so.
    pub body: Vec<u8>,
}

/// An HTTP response for the server to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireResponse {
    /// The status code.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl WireRequest {
    fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Whether a request is for CloudWatch: by the path of rpc-v2-cbor, the target of AWS JSON, the
/// scope of the signature, or, for an unsigned form, the API version.
pub(crate) fn is_request(path: &str, headers: &[(String, String)], body: &[u8]) -> bool {
    if path.starts_with("/service/") {
        return path.starts_with(&format!("/service/{SERVICE}/"));
    }
    if let Some(target) = header(headers, "x-amz-target") {
        return target.split('.').next() == Some(SERVICE);
    }
    if path != "/" && !path.is_empty() {
        return false;
    }
    if let Some(service) = header(headers, "authorization").and_then(signed_service) {
        return service == "monitoring";
    }
    let mut action = false;
    let mut version = false;
    for pair in body.split(|byte| *byte == b'&') {
        action |= pair.starts_with(b"Action=");
        version |= pair == b"Version=2010-08-01";
    }
    action && version
}

/// The service in a SigV4 `Authorization` header:
/// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
fn signed_service(authorization: &str) -> Option<&str> {
    let credential = authorization.split_once("Credential=")?.1.split(',').next()?;
    credential.rsplit('/').nth(1)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Cbor,
    Json,
    Query,
}

/// Answers one request: finds the operation, decodes and validates its input, lets `perform` do
/// it and encodes the outcome in the protocol of the request.
pub(crate) fn answer(
    request: &WireRequest,
    request_id: &str,
    perform: impl FnOnce(&'static Operation, &Record) -> Result<Record, Fault>,
) -> WireResponse {
    let (protocol, called) = match route(request) {
        Ok(found) => found,
        Err((protocol, fault)) => return refuse(protocol, &fault, request_id),
    };
    let outcome = called.and_then(|call| {
        let input = call.decode(protocol)?;
        validate(call.operation, &input)?;
        perform(call.operation, &input).map(|output| (call.operation, output))
    });
    match outcome {
        Ok((operation, output)) => accept(protocol, operation, &output, request_id),
        Err(fault) => refuse(protocol, &fault, request_id),
    }
}

/// Refuses a request, whatever it asks for, in its protocol.
pub(crate) fn deny(request: &WireRequest, message: &str, request_id: &str) -> WireResponse {
    refuse(protocol_of(request), &Fault::new(FaultKind::AccessDenied, message), request_id)
}

/// An operation together with the undecoded input.
struct Call {
    operation: &'static Operation,
    payload: Payload,
}

enum Payload {
    Bytes(Vec<u8>),
    Form(Vec<(String, String)>),
}

impl Call {
    fn decode(&self, protocol: Protocol) -> Result<Record, Fault> {
        let shape = self.operation.input;
        match (&self.payload, protocol) {
            (Payload::Form(pairs), _) => query::decode(shape, pairs),
            (Payload::Bytes(bytes), Protocol::Cbor) => cbor::decode(shape, bytes),
            (Payload::Bytes(bytes), _) => json::decode(shape, bytes),
        }
    }
}

type Routed = (Protocol, Result<Call, Fault>);

fn route(request: &WireRequest) -> Result<Routed, (Protocol, Fault)> {
    let protocol = protocol_of(request);
    let body = inflate(request).map_err(|fault| (protocol, fault))?;
    let called = match protocol {
        Protocol::Cbor => {
            let name = request.path.rsplit('/').next().unwrap_or_default();
            find(name).map(|operation| Call { operation, payload: Payload::Bytes(body) })
        }
        Protocol::Json => {
            let target = request.header("x-amz-target").unwrap_or_default();
            let name = target.split_once('.').map_or("", |(_, name)| name);
            find(name).map(|operation| Call { operation, payload: Payload::Bytes(body) })
        }
        Protocol::Query => {
            let mut pairs = query::pairs(request.query.as_bytes());
            pairs.extend(query::pairs(&body));
            let action = pairs.iter().find(|(key, _)| key == "Action").map(|(_, name)| name);
            find(action.map_or("", String::as_str))
                .map(|operation| Call { operation, payload: Payload::Form(pairs) })
        }
    };
    Ok((protocol, called))
}

fn protocol_of(request: &WireRequest) -> Protocol {
    if request.path.starts_with("/service/") {
        Protocol::Cbor
    } else if request.header("x-amz-target").is_some() {
        Protocol::Json
    } else {
        Protocol::Query
    }
}

fn find(name: &str) -> Result<&'static Operation, Fault> {
    if let Some(operation) = OPERATIONS.iter().find(|operation| operation.name == name) {
        return Ok(operation);
    }
    let message = if ABSENT_OPERATIONS.contains(&name) {
        format!("The local cloud does not perform CloudWatch's operation {name}")
    } else {
        format!("Could not find operation {name} for version {VERSION}")
    };
    Err(Fault::new(FaultKind::UnknownOperation, message))
}

/// The body without its content encoding. The SDKs compress `PutMetricData` from 10 KiB on.
fn inflate(request: &WireRequest) -> Result<Vec<u8>, Fault> {
    let too_long = || {
        Fault::new(
            FaultKind::Serialization,
            format!("The request body is longer than {MAX_BODY} bytes"),
        )
    };
    match request.header("content-encoding").map(str::trim) {
        None | Some("" | "identity") => {
            if request.body.len() as u64 > MAX_BODY {
                return Err(too_long());
            }
            Ok(request.body.clone())
        }
        Some("gzip") => {
            let mut body = Vec::new();
            flate2::read::GzDecoder::new(request.body.as_slice())
                .take(MAX_BODY + 1)
                .read_to_end(&mut body)
                .map_err(|error| {
                    Fault::new(
                        FaultKind::Serialization,
                        format!("The gzip content encoding is damaged: {error}"),
                    )
                })?;
            if body.len() as u64 > MAX_BODY { Err(too_long()) } else { Ok(body) }
        }
        Some(other) => Err(Fault::new(
            FaultKind::Serialization,
            format!("The content encoding {other} is not supported; send gzip or none"),
        )),
    }
}

fn accept(
    protocol: Protocol,
    operation: &Operation,
    output: &Record,
    request_id: &str,
) -> WireResponse {
    let mut response = WireResponse {
        status: 200,
        headers: vec![("x-amzn-requestid".to_owned(), request_id.to_owned())],
        body: Vec::new(),
    };
    match (protocol, operation.output) {
        (Protocol::Cbor, Some(shape)) => {
            response.say("content-type", "application/cbor");
            response.body = cbor::encode(shape, output);
        }
        // An operation without output answers with no body and no content type.
        (Protocol::Cbor, None) => {}
        (Protocol::Json, shape) => {
            response.say("content-type", "application/x-amz-json-1.0");
            response.body =
                shape.map_or_else(|| b"{}".to_vec(), |shape| json::encode(shape, output));
        }
        (Protocol::Query, shape) => {
            response.say("content-type", "text/xml");
            response.body = query::encode(operation.name, shape, output, request_id).into_bytes();
        }
    }
    if protocol == Protocol::Cbor {
        response.say("smithy-protocol", "rpc-v2-cbor");
    }
    response
}

fn refuse(protocol: Protocol, fault: &Fault, request_id: &str) -> WireResponse {
    let mut response = WireResponse {
        status: fault.kind.status(),
        headers: vec![("x-amzn-requestid".to_owned(), request_id.to_owned())],
        body: Vec::new(),
    };
    match protocol {
        Protocol::Cbor => {
            response.say("content-type", "application/cbor");
            response.say("smithy-protocol", "rpc-v2-cbor");
            response.body = cbor::encode(&ERROR, &fault.body());
            if fault.kind == FaultKind::UnknownOperation {
                response.status = 404;
            }
        }
        Protocol::Json => {
            response.say("content-type", "application/x-amz-json-1.0");
            response.body = json::encode(&ERROR, &fault.body());
        }
        Protocol::Query => {
            response.say("content-type", "text/xml");
            response.body = query::encode_fault(fault, request_id).into_bytes();
            return response;
        }
    }
    if fault.kind != FaultKind::UnknownOperation {
        response.say("x-amzn-query-error", &format!("{};Sender", fault.kind.code()));
    }
    response
}

impl WireResponse {
    fn say(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

static ERROR_TEXT: Shape = Shape::Text { min: 0, max: usize::MAX };
/// The shape of an error in CBOR and JSON.
static ERROR: Shape = Shape::Structure(&[
    super::shapes::Field { name: "__type", shape: &ERROR_TEXT, required: true },
    super::shapes::Field { name: "message", shape: &ERROR_TEXT, required: true },
]);

/// A refusal to read a value: where, and what was expected there.
fn unreadable(path: &str, expected: &str) -> Fault {
    let place = if path.is_empty() { "the request" } else { path };
    Fault::new(FaultKind::Serialization, format!("{place}: expected {expected}"))
}

/// The path of a member inside `path`.
fn member(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What a shape expects, for error messages.
fn expectation(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text { .. } | Shape::Choice(_) => "a string",
        Shape::Integer { .. } => "a whole number",
        Shape::Double => "a number",
        Shape::Boolean => "true or false",
        Shape::Timestamp => "a timestamp",
        Shape::List { .. } => "a list",
        Shape::Map { .. } => "a map",
        Shape::Structure(_) => "a structure",
    }
}

/// Seconds since the epoch, with fraction, to milliseconds; `None` beyond what a timestamp holds.
fn millis_of_seconds(seconds: f64) -> Option<i64> {
    /// The year 9999, the last one ISO 8601 timestamps of the query protocol can say.
    const LAST_SECOND: f64 = 253_402_300_799.0;
    if !seconds.is_finite() || seconds.abs() > LAST_SECOND {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
    Some((seconds * 1000.0).round() as i64)
}

/// Milliseconds to seconds with fraction; exact to the millisecond for any timestamp in range.
fn seconds_of_millis(millis: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "timestamps in range have fewer than 52 bits")]
    let exact = millis as f64;
    exact / 1000.0
}

#[cfg(test)]
mod tests;
