//! Refusals, with the headers that some of S3's have.

use std::io;

use serde_json::Value;

use crate::wire::Fault;

/// Why an operation is not done.
#[derive(Debug)]
pub(super) struct Refusal {
    /// What the body says.
    pub(super) fault: Fault,
    /// What stands in the head besides.
    pub(super) headers: Vec<(String, String)>,
}

impl Refusal {
    /// The local cloud is to blame.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Fault::front(500, "InternalError", message).into()
    }

    /// Adds a header.
    pub(super) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, headers: Vec::new() }
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(format!("The local cloud cannot use its index: {error}"))
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::internal(format!("The local cloud cannot reach its files: {error}"))
    }
}

/// An argument that makes no sense.
pub(super) fn argument(name: &str, value: impl Into<Value>, message: impl Into<String>) -> Fault {
    Fault::front(400, "InvalidArgument", message)
        .with("ArgumentName", name)
        .with("ArgumentValue", value)
}

/// A body that AWS's schema does not allow.
pub(super) fn malformed() -> Fault {
    Fault::front(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// A request that its operation does not allow.
pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::front(400, "InvalidRequest", message)
}
