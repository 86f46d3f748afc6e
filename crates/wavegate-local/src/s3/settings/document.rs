//! Policies of buckets: documents of JSON that say who may do what.

use serde_json::Value;

use super::super::refusal::Refusal;
use super::table::Put;
use crate::wire::Fault;

pub(super) fn check(put: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    let text = value.as_str().unwrap_or_default();
    let document = Some(text).filter(|text| text.starts_with('{'));
    let document = document.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let document = document
        .ok_or_else(|| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    if document["Statement"].is_null() {
        return Err(malformed("Missing required field Statement").into());
    }
    for statement in list(&document["Statement"]) {
        for (name, otherwise) in
            [("Effect", "Effect"), ("Principal", "NotPrincipal"), ("Action", "NotAction")]
        {
            if statement[name].is_null() && statement[otherwise].is_null() {
                return Err(malformed(&format!("Missing required field {name}")).into());
            }
        }
        let resources = list(&statement["Resource"]).iter().filter_map(Value::as_str);
        if resources.into_iter().any(|arn| !is_within(arn, &put.bucket.name)) {
            return Err(malformed("Policy has invalid resource").into());
        }
    }
    Ok(())
}

fn malformed(message: &str) -> Fault {
    Fault::front(400, "MalformedPolicy", message)
}

/// Whether an ARN is a bucket's or of something in it.
fn is_within(arn: &str, bucket: &str) -> bool {
    let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
    arn.starts_with("arn:") && name.split('/').next() == Some(bucket)
}

/// Whether a policy lets everybody do something. AWS looks at conditions more closely; here any makes it
/// one for somebody.
pub(super) fn is_public(policy: &Value) -> bool {
    let document: Option<Value> = policy.as_str().and_then(|text| serde_json::from_str(text).ok());
    let statements = document.map(|mut document| document["Statement"].take()).unwrap_or_default();
    list(&statements).iter().any(|statement| {
        let principal = &statement["Principal"];
        let named = if principal.is_object() { &principal["AWS"] } else { principal };
        let is_everybody = list(named).iter().any(|who| who == "*");
        statement["Effect"] == "Allow" && is_everybody && statement["Condition"].is_null()
    })
}

/// What may be one or a list of them.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}
