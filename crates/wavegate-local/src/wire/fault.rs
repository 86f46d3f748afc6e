//! Refusals, as every protocol can say them.

use serde_json::{Map, Value};

use super::model::{Service, Shape};

/// What AWS's front end answers when a request does not fit its shape.
const VALIDATION: &str = "ValidationException";

/// A refusal.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Fault {
    /// The name of its shape in the service's model, or, of what AWS's front end refuses, its code.
    pub(crate) code: String,
    /// What is wrong, for a person.
    pub(crate) message: String,
    /// The HTTP status, where the model says none.
    status: u16,
    /// What the error's shape has beside the message; nulls are left out.
    // A map is large where others in the build want it ordered, and refusals are passed on and on.
    pub(crate) members: Box<Map<String, Value>>,
}

impl Fault {
    /// A refusal that the service's model declares, or one with status 400.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::front(400, code, message)
    }

    /// A refusal of AWS's front end, which no model declares.
    pub(crate) fn front(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status, members: Box::default() }
    }

    /// The body cannot be read in its protocol.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    /// Gives it a member of its shape.
    pub(crate) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    /// Its HTTP status: the model's word counts.
    pub(crate) fn status(&self, service: &Service) -> u16 {
        let traits = service.error(&self.code).and_then(|shape| shape.error.as_ref());
        traits.map_or(self.status, |traits| traits.status)
    }

    /// Whether the service is to blame.
    pub(crate) fn is_ours(&self, service: &Service) -> bool {
        self.status(service) >= 500
    }

    /// Its code in the query protocol.
    pub(crate) fn query_code<'a>(&'a self, service: &'a Service) -> &'a str {
        let traits = service.error(&self.code).and_then(|shape| shape.error.as_ref());
        match traits {
            Some(traits) => &traits.code,
            None if self.code == "UnknownOperationException" => "InvalidAction",
            None if self.code == VALIDATION => "ValidationError",
            None => self.code.strip_suffix("Exception").unwrap_or(&self.code),
        }
    }

    /// Its name with its namespace: the model's, or that of AWS's front end.
    pub(crate) fn full_name(&self, service: &Service) -> String {
        match service.error(&self.code) {
            Some(shape) => format!("com.amazonaws.{}#{}", service.full_namespace(), shape.name),
            None if self.code == VALIDATION => format!("com.amazon.coral.validate#{VALIDATION}"),
            None if self.code.ends_with("Exception") => {
                format!("com.amazon.coral.service#{}", self.code)
            }
            None => self.code.clone(),
        }
    }

    /// The members of its body, the message under the name that its shape has for it.
    pub(crate) fn body(&self, service: &Service) -> Map<String, Value> {
        let mut body = Map::clone(&self.members);
        let shape = service.error(&self.code);
        // Some of AWS's errors say nothing.
        if !self.message.is_empty() {
            body.insert(message_name(shape).to_owned(), Value::String(self.message.clone()));
        }
        // Lambda's errors say whose they are.
        if shape.is_some_and(|shape| shape.member("Type").is_some()) && !body.contains_key("Type") {
            let whose = if self.is_ours(service) { "Service" } else { "User" };
            body.insert("Type".to_owned(), whose.into());
        }
        body.retain(|_, value| !value.is_null());
        body
    }
}

fn message_name(shape: Option<&Shape>) -> &str {
    let mut names = shape.into_iter().flat_map(Shape::members).map(|(name, _)| name.as_str());
    names.find(|name| name.eq_ignore_ascii_case("message")).unwrap_or("message")
}
