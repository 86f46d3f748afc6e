//! Function URLs: plain HTTP that becomes an event for a function, and its answer that becomes HTTP.
//!
//! A URL is `http://127.0.0.1:PORT/_wavegate/url/ID/`, which works for every client on the machine, and
//! also `http://ID.lambda-url.REGION.localhost:PORT/` for those that resolve names under `localhost`, as
//! browsers and curl do: that one is an origin of its own. As on AWS web pages may call it, unlike everything else
//! here, and a URL without authorization needs a statement in the function's policy that lets everybody.

mod cors;
mod event;
mod response;
mod stream;

use std::sync::Arc;

use axum::body::Bytes;
use serde_json::json;

use crate::cloud::Cloud;
use crate::invoke::{self, Admitted, Wish};
use crate::lambda::error::ApiError;
use crate::lambda::model::UrlTarget;
use crate::wire::{Answer, Request};

/// AWS: bytes of a request's body.
pub(crate) const BODY_MAX: usize = 6 << 20;
/// Where the paths of function URLs begin.
const PREFIX: &str = "/_wavegate/url/";
/// What AWS says to those who may not call.
const FORBIDDEN: &str = "Forbidden. For troubleshooting Function URL authorization issues, see: \
                         https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";

/// A function URL that a request names, and the path behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doorway {
    /// The URL's id.
    pub(crate) id: String,
    /// The path, as the function sees it.
    pub(crate) path: String,
    /// The region that the host names, if it does.
    region: Option<String>,
}

impl Doorway {
    /// The function URL that a request to `host` (without its port) names, if it names one.
    pub(crate) fn of(host: &str, path: &str) -> Option<Self> {
        if let Some((id, region)) = named_by(host) {
            return Some(Self { id, path: path.to_owned(), region: Some(region) });
        }
        let rest = path.strip_prefix(PREFIX)?;
        let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
        Some(Self { id: id.to_owned(), path: format!("/{path}"), region: None })
    }

    /// Whether it can lead into a region.
    pub(crate) fn may_be_in(&self, region: &str) -> bool {
        self.region.as_deref().is_none_or(|named| named == region)
    }
}

/// Whether a host (without its port) is one of function URLs.
pub(crate) fn is_host(host: &str) -> bool {
    named_by(host).is_some()
}

/// The id and the region that a host of function URLs names.
fn named_by(host: &str) -> Option<(String, String)> {
    let host = host.to_ascii_lowercase();
    let (id, region) = host.strip_suffix(".localhost")?.split_once(".lambda-url.")?;
    let is_one = !id.is_empty() && !id.contains('.') && !region.contains('.');
    is_one.then(|| (id.to_owned(), region.to_owned()))
}

/// What the addresses of all function URLs of a cloud at `url` begin with.
pub(crate) fn prefix(url: &str) -> String {
    format!("{url}{PREFIX}")
}

/// Answers a request to a function URL; `behind` is what is there, and where.
pub(crate) async fn answer(
    behind: Option<&(Arc<Cloud>, UrlTarget)>,
    door: &Doorway,
    request: &Request,
    request_id: &str,
) -> Answer {
    let Some((cloud, target)) = behind else {
        return refused(&json!({ "Message": null }));
    };
    cloud.count("InvokeFunctionUrl");
    let origin = request.header("origin");
    if let Some(answer) = cors::preflight(target.cors.as_ref(), request) {
        return answer;
    }
    let answer = match admit(target, request) {
        Ok(()) => invoke(cloud, door, target, request, request_id).await,
        Err(refusal) => refusal,
    };
    cors::allow(answer, target.cors.as_ref(), origin)
}

fn admit(target: &UrlTarget, request: &Request) -> Result<(), Answer> {
    let may = match target.auth_type.as_str() {
        // Who signs is one of the account's own, and those may.
        "AWS_IAM" => request.signing_key().is_some(),
        _ => target.is_public,
    };
    if may { Ok(()) } else { Err(refused(&json!({ "Message": FORBIDDEN }))) }
}

fn refused(body: &serde_json::Value) -> Answer {
    Answer::json(403, body).with_header("x-amzn-errortype", "AccessDeniedException")
}

async fn invoke(
    cloud: &Arc<Cloud>,
    door: &Doorway,
    target: &UrlTarget,
    request: &Request,
    request_id: &str,
) -> Answer {
    let caller = event::Caller {
        door,
        request_id,
        account: &cloud.home.account,
        is_signed: target.auth_type == "AWS_IAM",
        user: &cloud.caller(request).arn,
        now_ms: cloud.shared.clock.now_ms(),
    };
    let wish = Wish {
        name: target.function.clone(),
        qualifier: target.qualifier.clone(),
        payload: event::of(request, &caller).to_string().into(),
        client_context: None,
        trace: request.header("x-amzn-trace-id").map(ToOwned::to_owned),
        request_id: request_id.to_owned(),
    };
    let answered = if target.invoke_mode == "RESPONSE_STREAM" {
        match Admitted::new(cloud, wish) {
            Ok(attempt) => Ok(stream::answer(cloud, attempt).await),
            Err(error) => Err(error),
        }
    } else {
        invoke::run(cloud, wish).await.map(|(_, outcome)| {
            if outcome.failed { failed() } else { response::of(&outcome.payload) }
        })
    };
    answered.unwrap_or_else(|error| unable(&error))
}

/// The answer where the function cannot be invoked.
fn unable(error: &ApiError) -> Answer {
    let kind = if error.status >= 500 { "Service" } else { "User" };
    let mut body = json!({ "Type": kind, "message": error.message });
    if let Some(reason) = error.reason {
        body["Reason"] = json!(reason);
    }
    Answer::json(error.status, &body).with_header("x-amzn-errortype", error.code)
}

/// The answer where the function gives none.
fn failed() -> Answer {
    Answer::empty(502).with_body("application/json", Bytes::from_static(b"Internal Server Error"))
}
