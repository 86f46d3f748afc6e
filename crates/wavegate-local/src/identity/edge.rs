//! IAM as clients call it.

use serde_json::Value;

use super::Identity;
use crate::cloud::Cloud;
use crate::iam::Need;
use crate::wire::{Answer, Fault, Output, Request, Route, validate};

/// Answers a request.
pub(crate) fn answer(cloud: &Cloud, route: &Route, request: &Request, request_id: &str) -> Answer {
    let outcome = route.decode(request).and_then(|input| {
        let operation = input.operation.name.as_str();
        let need = need(&cloud.identity(), operation, &input.members);
        if let Some(why) = cloud.refusal(request, &[need]) {
            return Err(Fault::front(403, "AccessDenied", why));
        }
        validate::check(route.service, &input, "ValidationError")?;
        cloud.with_identity(|identity, now, ids| {
            identity.perform(now, ids, operation, Value::Object(input.members))
        })
    });
    route.answer(outcome.map(Output::of), request_id)
}

/// The permission that an operation needs: on the role or policy that it names.
fn need(identity: &Identity, operation: &str, input: &serde_json::Map<String, Value>) -> Need {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let path = text("Path").or_else(|| text("PathPrefix")).unwrap_or("/");
    let resource = match (text("RoleName"), text("PolicyArn"), text("PolicyName")) {
        (Some(role), ..) => {
            identity.role_arn(role).unwrap_or_else(|| identity.arn("role", path, role))
        }
        (_, Some(arn), _) => arn.to_owned(),
        (.., Some(policy)) => identity.arn("policy", path, policy),
        _ if operation == "ListRoles" => identity.arn("role", path, ""),
        _ => identity.arn("policy", path, ""),
    };
    Need::new(format!("iam:{operation}"), resource)
}
