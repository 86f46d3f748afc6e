//! What clients see.

use serde_json::{Value, json};

use super::record::{Policy, PolicyVersion, Role, Tags};
use crate::wire::time::seconds;

/// A role without what only some operations show of it.
pub(super) fn role(role: &Role, arn: &str) -> Value {
    json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": arn,
        "CreateDate": time(role.created_ms),
        "AssumeRolePolicyDocument": document(&role.trust),
    })
}

/// A managed policy.
pub(super) fn policy(policy: &Policy, arn: &str, attached: usize, bounds: usize) -> Value {
    json!({
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": arn,
        "Path": policy.path,
        "DefaultVersionId": version_id(policy.default_version),
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": bounds,
        "IsAttachable": true,
        "CreateDate": time(policy.created_ms),
        "UpdateDate": time(policy.updated_ms),
    })
}

/// A version of a managed policy, without its document.
pub(super) fn version(policy: &Policy, number: u32, version: &PolicyVersion) -> Value {
    json!({
        "VersionId": version_id(number),
        "IsDefaultVersion": policy.default_version == number,
        "CreateDate": time(version.created_ms),
    })
}

/// Tags in the order of their keys.
pub(super) fn tags(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// AWS shows documents percent-encoded.
pub(super) fn document(text: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace('+', "%20").replace('*', "%2A")
}

fn version_id(number: u32) -> String {
    format!("v{number}")
}

/// IAM's times have whole seconds.
fn time(millis: i64) -> f64 {
    seconds(millis - millis.rem_euclid(1000))
}
