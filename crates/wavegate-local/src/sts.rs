//! STS: who the caller is. As on AWS it takes no permission.

use serde_json::json;

use crate::cloud::Cloud;
use crate::wire::{Answer, Fault, Output, Request, Route};

/// Answers a request.
pub(crate) fn answer(cloud: &Cloud, route: &Route, request: &Request, request_id: &str) -> Answer {
    let outcome = route.decode(request).and_then(|input| match input.operation.name.as_str() {
        "GetCallerIdentity" => Ok(Output::of(json!({
            "Account": cloud.account,
            "Arn": cloud.caller(),
            "UserId": cloud.account,
        }))),
        other => Err(Fault::front(500, "InternalFailure", format!("{other} is not performed"))),
    });
    route.answer(outcome, request_id)
}
