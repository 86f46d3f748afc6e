//! The wire layer: requests and answers as the services see them, in every protocol they speak.
//!
//! A service says in code only what it does; what its operations take and give stands in AWS's own model
//! ([`model`]). A request becomes a [`Route`] by its head, then an [`Input`] by the model; the service
//! performs it and gives an [`Output`] or a [`Fault`], which becomes the answer. [`validate`] holds an input
//! against the model's constraints, for services whose front end does.
//!
//! To offer one more operation: add its name to `models/offered.json`, run `models/trim.py`, perform it.

mod call;
mod cbor;
mod conform;
mod encoding;
mod fault;
mod json;
pub(crate) mod model;
mod query;
mod rest;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod validate;
mod xml;

use std::borrow::Cow;

use axum::body::Bytes;
use tokio::sync::mpsc;

pub(crate) use call::{Input, Output, Route};
pub(crate) use encoding::inflate;
pub(crate) use fault::Fault;

/// A request whose body was read.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As it came: percent-encoded.
    pub(crate) path: String,
    /// As it came, without the question mark.
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Request {
    /// A header's first value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query string.
    pub(crate) fn query_param(&self, name: &str) -> Option<String> {
        find(self.query.as_bytes(), name)
    }

    /// All values of a parameter of the query string.
    pub(crate) fn query_params(&self, name: &str) -> Vec<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .collect()
    }

    /// A parameter of the query protocol: in the form body or the query string.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        let is_form = self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let from_body = if is_form { find(&self.body, name) } else { None };
        from_body.or_else(|| self.query_param(name))
    }

    /// The service a SigV4 signature names in its credential scope, if there is one.
    pub(crate) fn signed_service(&self) -> Option<String> {
        Some(self.credential()?.rsplit('/').nth(1)?.to_owned())
    }

    /// The region that a SigV4 signature is for, if there is one.
    pub(crate) fn signed_region(&self) -> Option<String> {
        Some(self.credential()?.rsplit('/').nth(2)?.to_owned())
    }

    /// The access key that signed, if there is a signature.
    pub(crate) fn signing_key(&self) -> Option<String> {
        Some(self.credential()?.rsplitn(5, '/').nth(4)?.to_owned())
    }

    /// `KEY/DATE/REGION/SERVICE/aws4_request`. A key may have slashes in it.
    fn credential(&self) -> Option<String> {
        match self.header("authorization") {
            Some(header) => {
                Some(header.split_once("Credential=")?.1.split([',', ' ']).next()?.to_owned())
            }
            None => self.query_param("X-Amz-Credential"),
        }
    }

    /// The segments of the path, decoded one by one.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(decode).collect()
    }
}

/// Undoes percent-encoding; text that is no UTF-8 afterwards stays as it came.
pub(crate) fn decode(text: &str) -> String {
    // A plus sign is itself in a path, while form decoding would make it a space.
    let guarded: Cow<'_, str> =
        if text.contains('+') { text.replace('+', "%2B").into() } else { text.into() };
    // Neither & nor = may end the value early.
    let guarded = guarded.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(guarded.as_bytes())
        .next()
        .map_or_else(|| text.to_owned(), |(decoded, _)| decoded.into_owned())
}

fn find(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// What comes behind the body, as it is made.
    pub(crate) stream: Option<mpsc::Receiver<Bytes>>,
}

impl Answer {
    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), stream: None }
    }

    /// A JSON answer.
    pub(crate) fn json(status: u16, value: &impl serde::Serialize) -> Self {
        // Values of this crate's own types always have a JSON form.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::empty(status).with_body("application/json", body)
    }

    /// An XML answer.
    pub(crate) fn xml(status: u16, body: String) -> Self {
        Self::empty(status).with_body("text/xml", body)
    }

    /// Puts a body in.
    pub(crate) fn with_body(mut self, kind: &str, body: impl Into<Bytes>) -> Self {
        self.headers.push(("content-type".to_owned(), kind.to_owned()));
        self.body = body.into();
        self
    }

    /// Puts in a body that is still being made.
    pub(crate) fn with_stream(mut self, kind: &str, stream: mpsc::Receiver<Bytes>) -> Self {
        self.headers.push(("content-type".to_owned(), kind.to_owned()));
        self.stream = Some(stream);
        self
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
