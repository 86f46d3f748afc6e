//! From a request to an operation, and from its outcome to an answer, in every protocol.
//!
//! Invariant: an operation never sees which protocol it was asked in. It gets one tree (a JSON object by
//! the names of the model's members, wherever they were in the request) and gives one. In the tree
//! timestamps are seconds since the epoch, blobs are Base64, and the doubles that JSON has no number for
//! are texts. A member that is the whole body of a REST request or answer is beside the tree, as bytes.

use std::fmt::Write as _;

use axum::body::Bytes;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::model::{self, Kind, Operation, Protocol, Service, Shape};
use super::{Answer, Request, cbor, conform, json, query, rest, xml};

/// Where a request goes, as far as its head tells.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The service.
    pub(crate) service: &'static Service,
    /// The operation; none if the head does not tell it, or if there is no such one.
    pub(crate) operation: Option<&'static Operation>,
    protocol: Protocol,
    /// The operation's name as the request says it.
    called: Option<String>,
    labels: Vec<(String, String)>,
    /// Whether the client wants to be answered as by the query protocol, which it once spoke.
    is_query_mode: bool,
}

/// What an operation is asked.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// The operation.
    pub(crate) operation: &'static Operation,
    /// The members.
    pub(crate) members: Map<String, Value>,
    /// The member that is the whole body, if the operation has one.
    pub(crate) payload: Bytes,
}

/// What an operation answers.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The members.
    pub(crate) members: Map<String, Value>,
    /// The member that is the whole body, if the operation has one.
    pub(crate) payload: Bytes,
}

impl Output {
    /// An answer of members alone. What is no object answers with nothing.
    pub(crate) fn of(members: Value) -> Self {
        match members {
            Value::Object(members) => Self { members, payload: Bytes::new() },
            _ => Self::default(),
        }
    }
}

impl Route {
    /// Where a request goes by its head. None: not to a service with a model, or it takes the body to
    /// tell, as with unsigned forms.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let services = model::services;
        if let Some(rest) = request.path.strip_prefix("/service/") {
            let (target, operation) = rest.split_once("/operation/")?;
            let service = services().into_iter().find(|service| {
                service.speaks(Protocol::Cbor) && service.target.as_deref() == Some(target)
            })?;
            let mut route = Self::named(service, Protocol::Cbor, operation);
            route.is_query_mode = is_query_mode(request);
            return Some(route);
        }
        if let Some(header) = request.header("x-amz-target") {
            let (target, operation) = header.split_once('.')?;
            let service = services().into_iter().find(|service| {
                service.speaks(Protocol::Json) && service.target.as_deref() == Some(target)
            })?;
            let mut route = Self::named(service, Protocol::Json, operation);
            route.is_query_mode = is_query_mode(request);
            return Some(route);
        }
        match request.signed_service() {
            Some(signed) => {
                let signed = |service: &&'static Service| service.signing_name == signed;
                Self::signed(services().into_iter().find(signed)?, request)
            }
            None => services()
                .into_iter()
                .filter(|service| service.speaks(Protocol::RestJson))
                .find_map(|service| Self::by_path(service, Protocol::RestJson, request)),
        }
    }

    /// Where an unsigned form goes: it names the version of the service's API.
    pub(crate) fn of_form(request: &Request) -> Option<Self> {
        let action = request.param("Action")?;
        let version = request.param("Version");
        let mut found =
            model::services().into_iter().filter(|service| service.speaks(Protocol::Query));
        let service = match &version {
            Some(version) => found.find(|service| service.api_version == *version),
            None => found.find(|service| service.operations.contains_key(&action)),
        };
        Some(Self::named(service?, Protocol::Query, &action))
    }

    /// To a REST-XML service that tells its operations by rules of its own.
    pub(crate) fn to(
        service: &'static Service,
        operation: &str,
        labels: Vec<(String, String)>,
    ) -> Self {
        Self { labels, ..Self::named(service, Protocol::RestXml, operation) }
    }

    fn named(service: &'static Service, protocol: Protocol, operation: &str) -> Self {
        Self {
            service,
            operation: service.operations.get(operation),
            protocol,
            called: Some(operation.to_owned()),
            labels: Vec::new(),
            is_query_mode: false,
        }
    }

    fn signed(service: &'static Service, request: &Request) -> Option<Self> {
        for protocol in [Protocol::RestJson, Protocol::RestXml] {
            if service.speaks(protocol) {
                let unknown = Self {
                    service,
                    operation: None,
                    protocol,
                    called: None,
                    labels: Vec::new(),
                    is_query_mode: false,
                };
                return Some(Self::by_path(service, protocol, request).unwrap_or(unknown));
            }
        }
        // A form names its operation in the body.
        service.speaks(Protocol::Query).then(|| Self {
            service,
            operation: None,
            protocol: Protocol::Query,
            called: None,
            labels: Vec::new(),
            is_query_mode: false,
        })
    }

    fn by_path(service: &'static Service, protocol: Protocol, request: &Request) -> Option<Self> {
        let segments = request.segments();
        let fits = service.operations.values().filter_map(|operation| {
            if operation.method != request.method {
                return None;
            }
            let labels = rest::labels(operation, &segments)?;
            let rank = (rest::query_fits(operation, request)?, std::cmp::Reverse(labels.len()));
            Some((rank, operation, labels))
        });
        let (_, operation, labels) = fits.max_by_key(|(rank, ..)| *rank)?;
        Some(Self {
            service,
            operation: Some(operation),
            protocol,
            called: Some(operation.name.clone()),
            labels,
            is_query_mode: false,
        })
    }

    /// The name of the operation, as far as the request says one.
    pub(crate) fn name(&self) -> &str {
        self.called.as_deref().unwrap_or("unknown")
    }

    /// Finds out what the head did not tell: forms name their operation in the body.
    pub(crate) fn complete(&mut self, request: &Request) {
        if self.protocol == Protocol::Query && self.called.is_none() {
            self.called = request.param("Action");
            let called = self.called.as_deref();
            self.operation = called.and_then(|name| self.service.operations.get(name));
        }
    }

    /// Reads what the operation is asked.
    ///
    /// # Errors
    /// If there is no such operation, or if the request cannot be read.
    pub(crate) fn decode(&self, request: &Request) -> Result<Input, Fault> {
        let service = self.service;
        let operation = self.operation.ok_or_else(|| self.unknown(request))?;
        let mut input = Input { operation, members: Map::new(), payload: Bytes::new() };
        let Some(id) = operation.input else { return Ok(input) };
        match self.protocol {
            Protocol::Cbor => input.members = cbor::decode(service, id, &request.body)?,
            Protocol::Json => input.members = json::decode(service, id, &request.body)?,
            Protocol::Query => {
                let mut pairs: Vec<(String, String)> =
                    form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
                pairs.extend(form_urlencoded::parse(&request.body).into_owned());
                input.members = query::decode(service, id, &pairs)?;
            }
            Protocol::RestJson | Protocol::RestXml => {
                match payload(service.shape(id)) {
                    Some(name) => {
                        self.decode_payload(service.shape(id), name, request, &mut input)?;
                    }
                    // Where nothing is in the body, AWS does not look at it.
                    None if !has_body(service.shape(id)) => {}
                    None if self.protocol == Protocol::RestJson => {
                        input.members = json::decode(service, id, &request.body)?;
                    }
                    None => input.members = xml::decode(service, id, &request.body)?,
                }
                rest::decode(service, id, request, &self.labels, &mut input.members)?;
            }
        }
        Ok(input)
    }

    fn decode_payload(
        &self,
        shape: &Shape,
        name: &str,
        request: &Request,
        input: &mut Input,
    ) -> Result<(), Fault> {
        let Some(member) = shape.member(name) else { return Ok(()) };
        match self.service.shape_of(member).kind {
            Kind::Structure { .. } => {}
            Kind::Text => {
                let text = String::from_utf8_lossy(&request.body).into_owned();
                input.members.insert(name.to_owned(), text.into());
                return Ok(());
            }
            _ => {
                input.payload = request.body.clone();
                return Ok(());
            }
        }
        if !request.body.is_empty() {
            let members = match self.protocol {
                Protocol::RestXml => xml::decode(self.service, member.shape, &request.body)?,
                _ => json::decode(self.service, member.shape, &request.body)?,
            };
            input.members.insert(name.to_owned(), Value::Object(members));
        }
        Ok(())
    }

    fn unknown(&self, request: &Request) -> Fault {
        let name = self.name();
        let status = if self.protocol == Protocol::RestJson { 404 } else { 400 };
        let message = if self.service.absent.contains(name) {
            format!("The local cloud does not perform the operation {name}")
        } else if self.called.is_none() {
            format!("The local cloud does not offer {} {}", request.method, request.path)
        } else {
            format!("Could not find operation {name} for version {}", self.service.api_version)
        };
        Fault::front(status, "UnknownOperationException", message)
    }

    /// The answer.
    pub(crate) fn answer(&self, outcome: Result<Output, Fault>, request_id: &str) -> Answer {
        match outcome {
            Ok(output) => self.accept(output, request_id),
            Err(fault) => self.refuse(&fault, request_id),
        }
    }

    fn accept(&self, mut output: Output, request_id: &str) -> Answer {
        let service = self.service;
        let shape =
            self.operation.and_then(|operation| operation.output).map(|id| service.shape(id));
        let status = self.operation.map_or(200, |operation| operation.status);
        // A walk over the whole answer: a check of this program, not of the request.
        if cfg!(debug_assertions)
            && let Some(shape) = shape
        {
            let fits = conform::check(service, shape, &output.members);
            debug_assert_eq!(fits, Ok(()), "{} answers what AWS's model has not", self.name());
        }
        match self.protocol {
            Protocol::Json => {
                let body = if shape.is_some() { json_text(&output.members) } else { Vec::new() };
                Answer::empty(status).with_body(&self.json_type(), body)
            }
            Protocol::Cbor => {
                let answer = Answer::empty(status).with_header("smithy-protocol", "rpc-v2-cbor");
                match shape {
                    Some(_) => answer.with_body(
                        "application/cbor",
                        cbor::encode(service, shape, &output.members),
                    ),
                    None => answer,
                }
            }
            Protocol::Query => Answer::empty(status)
                .with_body("text/xml", self.query_body(shape, &output.members, request_id)),
            Protocol::RestJson | Protocol::RestXml => {
                let Some(shape) = shape else { return Answer::empty(status) };
                let head = rest::head(service, shape, &mut output.members);
                let mut answer = Answer::empty(head.status.unwrap_or(status));
                answer.headers = head.headers;
                self.rest_body(answer, shape, output)
            }
        }
    }

    fn rest_body(&self, answer: Answer, shape: &Shape, mut output: Output) -> Answer {
        let is_typed = answer.headers.iter().any(|(name, _)| name == "content-type");
        if let Some(name) = payload(shape) {
            let member = shape.member(name);
            let of = member.map_or(shape, |member| self.service.shape_of(member));
            let root = member.map_or(name, |member| &member.wire_name);
            return match (&of.kind, output.members.remove(name)) {
                (Kind::Structure { .. }, Some(Value::Object(members))) => {
                    self.document(answer, root, of, &members)
                }
                // The only texts that are whole bodies are policies.
                (Kind::Text, Some(Value::String(text))) => {
                    answer.with_body("application/json", text)
                }
                _ if is_typed => Answer { body: output.payload, ..answer },
                _ => answer.with_body("application/octet-stream", output.payload),
            };
        }
        if has_body(shape) && answer.status != 204 {
            self.document(answer, &root(shape), shape, &output.members)
        } else {
            answer
        }
    }

    fn document(
        &self,
        answer: Answer,
        root: &str,
        shape: &Shape,
        members: &Map<String, Value>,
    ) -> Answer {
        if self.protocol == Protocol::RestJson {
            return answer.with_body("application/json", json_text(members));
        }
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = write!(text, "<{root} xmlns=\"{}\">", self.service.xml_namespace);
        xml::members(self.service, shape, members, &mut text);
        let _ = write!(text, "</{root}>");
        answer.with_body("application/xml", text)
    }

    fn query_body(
        &self,
        shape: Option<&Shape>,
        members: &Map<String, Value>,
        request_id: &str,
    ) -> String {
        let name = self.name();
        let wrapper = self.operation.and_then(|operation| operation.wrapper.clone());
        let mut text = format!("<{name}Response xmlns=\"{}\">", self.service.xml_namespace);
        if let Some(shape) = shape {
            let wrapper = wrapper.unwrap_or_else(|| format!("{name}Result"));
            xml::element(&wrapper, &mut text, |text| {
                xml::members(self.service, shape, members, text);
            });
        }
        xml::element("ResponseMetadata", &mut text, |text| {
            xml::element("RequestId", text, |text| xml::escape(request_id, text));
        });
        text.push_str("</");
        text.push_str(name);
        text.push_str("Response>");
        text
    }

    fn refuse(&self, fault: &Fault, request_id: &str) -> Answer {
        let service = self.service;
        let mut body = fault.body(service);
        let answer = Answer::empty(self.status(fault));
        let shape = service.error(&fault.code);
        match self.protocol {
            Protocol::RestJson => {
                let mut answer = answer.with_header("x-amzn-errortype", fault.code.clone());
                if let Some(shape) = shape {
                    answer.headers.extend(rest::head(service, shape, &mut body).headers);
                }
                answer.with_body("application/json", json_text(&body))
            }
            Protocol::Json => {
                let name = if service.is_query_compatible {
                    fault.full_name(service)
                } else {
                    fault.code.clone()
                };
                body.insert("__type".to_owned(), name.into());
                self.compatible(answer, fault).with_body(&self.json_type(), json_text(&body))
            }
            Protocol::Cbor => {
                body.insert("__type".to_owned(), fault.full_name(service).into());
                self.compatible(answer, fault)
                    .with_header("smithy-protocol", "rpc-v2-cbor")
                    .with_body("application/cbor", cbor::encode(service, shape, &body))
            }
            Protocol::Query => {
                let mut text = format!("<ErrorResponse xmlns=\"{}\">", service.xml_namespace);
                xml::element("Error", &mut text, |text| {
                    let whose = if fault.is_ours(service) { "Receiver" } else { "Sender" };
                    xml::element("Type", text, |text| text.push_str(whose));
                    xml::element("Code", text, |text| {
                        xml::escape(fault.query_code(service), text);
                    });
                    if !fault.message.is_empty() {
                        xml::element("Message", text, |text| xml::escape(&fault.message, text));
                    }
                });
                xml::element("RequestId", &mut text, |text| xml::escape(request_id, text));
                text.push_str("</ErrorResponse>");
                answer.with_body("text/xml", text)
            }
            Protocol::RestXml => {
                let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
                xml::element("Error", &mut text, |text| {
                    xml::element("Code", text, |text| xml::escape(&fault.code, text));
                    xml::element("Message", text, |text| xml::escape(&fault.message, text));
                    for (name, value) in fault.members.iter() {
                        let value = value.as_str().unwrap_or_default();
                        xml::element(name, text, |text| xml::escape(value, text));
                    }
                    xml::element("RequestId", text, |text| xml::escape(request_id, text));
                });
                answer.with_body("application/xml", text)
            }
        }
    }

    /// AWS: the JSON and CBOR of a service that once spoke the query protocol alone keep the statuses of
    /// that for clients who ask for them; others read the error from the body.
    fn status(&self, fault: &Fault) -> u16 {
        let status = fault.status(self.service);
        let is_plain = self.service.is_query_compatible
            && matches!(self.protocol, Protocol::Json | Protocol::Cbor)
            && !self.is_query_mode;
        if is_plain && status < 500 { 400 } else { status }
    }

    /// Clients that knew a service by its query protocol compare error codes with its codes.
    fn compatible(&self, answer: Answer, fault: &Fault) -> Answer {
        if !self.service.is_query_compatible {
            return answer;
        }
        let whose = if fault.is_ours(self.service) { "Receiver" } else { "Sender" };
        let code = fault.query_code(self.service);
        answer.with_header("x-amzn-query-error", format!("{code};{whose}"))
    }

    fn json_type(&self) -> String {
        format!("application/x-amz-json-{}", self.service.json_version)
    }
}

fn is_query_mode(request: &Request) -> bool {
    request.header("x-amzn-query-mode") == Some("true")
}

/// The root of a structure's document: as the model is corrected, or as most are called.
fn root(shape: &Shape) -> String {
    let name = shape.name.strip_suffix("Output").unwrap_or(&shape.name);
    match &shape.root {
        Some(root) => root.clone(),
        None if name.ends_with("Result") => name.to_owned(),
        None => format!("{name}Result"),
    }
}

/// Whether any member is in the body.
fn has_body(shape: &Shape) -> bool {
    shape.members().any(|(_, member)| member.location.is_none())
}

fn payload(shape: &Shape) -> Option<&str> {
    match &shape.kind {
        Kind::Structure { payload, .. } => payload.as_deref(),
        _ => None,
    }
}

fn json_text(members: &Map<String, Value>) -> Vec<u8> {
    // A tree of JSON values always has a JSON form.
    serde_json::to_vec(members).unwrap_or_default()
}
