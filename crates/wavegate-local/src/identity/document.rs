//! What a policy document must be like to be taken, and whom a trust policy trusts.

use serde_json::Value;

use crate::iam::texts;
use crate::wire::Fault;

/// AWS: the languages of policies.
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];
/// The actions a trust policy may have.
const ASSUME: [&str; 5] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
    "sts:SetSourceIdentity",
];

/// Refuses what is no trust policy.
pub(super) fn check_trust(document: &str) -> Result<(), Fault> {
    let statements = statements(document, "This policy contains invalid Json")?;
    for statement in &statements {
        if !statement["Resource"].is_null() {
            return Err(malformed("Has prohibited field Resource"));
        }
        if statement["Principal"].is_null() && statement["NotPrincipal"].is_null() {
            return Err(malformed("Missing required field Principal"));
        }
        if statement["Action"].is_null() && statement["NotAction"].is_null() {
            return Err(malformed("Missing required field Action"));
        }
        let is_assuming = |action: &str| {
            let is_all = action == "*" || action.eq_ignore_ascii_case("sts:*");
            is_all || ASSUME.iter().any(|known| known.eq_ignore_ascii_case(action))
        };
        if !texts(&statement["Action"]).all(is_assuming) {
            return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
        }
    }
    Ok(())
}

/// Refuses what is no policy for a session. STS has words of its own for what is no JSON.
pub(crate) fn check_session(document: &str) -> Result<(), Fault> {
    if serde_json::from_str::<serde::de::IgnoredAny>(document).is_err() {
        return Err(malformed("The policy is not in the valid JSON format."));
    }
    check_permissions(document)
}

/// Refuses what is no policy of permissions.
pub(super) fn check_permissions(document: &str) -> Result<(), Fault> {
    for statement in &statements(document, "Syntax errors in policy.")? {
        if !statement["Principal"].is_null() {
            return Err(malformed("Policy document should not specify a principal."));
        }
        let either = |one: &str, other: &str| {
            texts(&statement[one]).chain(texts(&statement[other])).next().is_some()
        };
        if !either("Action", "NotAction") {
            return Err(malformed("Policy statement must contain actions."));
        }
        if !either("Resource", "NotResource") {
            return Err(malformed("Policy statement must contain resources."));
        }
        let mut actions = texts(&statement["Action"]);
        if actions.any(|action| action != "*" && !action.contains(':')) {
            return Err(malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ));
        }
        let mut resources = texts(&statement["Resource"]);
        if let Some(wrong) = resources.find(|it| *it != "*" && !it.starts_with("arn:")) {
            let message = format!("Resource {wrong} must be in ARN format or \"*\".");
            return Err(malformed(message));
        }
    }
    Ok(())
}

/// Whether a trust policy lets a service assume the role. Conditions are not looked at.
pub(super) fn trusts(document: &str, service: &str) -> bool {
    let said = |effect: &str| {
        statements(document, "").unwrap_or_default().iter().any(|statement| {
            let is_assuming = |action: &str| {
                action == "*"
                    || action.eq_ignore_ascii_case("sts:*")
                    || action.eq_ignore_ascii_case("sts:AssumeRole")
            };
            let principal = &statement["Principal"];
            let is_meant = principal == "*" || texts(&principal["Service"]).any(|it| it == service);
            statement["Effect"] == effect
                && is_meant
                && texts(&statement["Action"]).any(is_assuming)
        })
    };
    said("Allow") && !said("Deny")
}

fn statements(document: &str, otherwise: &str) -> Result<Vec<Value>, Fault> {
    let parsed: Value = serde_json::from_str(document).map_err(|_| malformed(otherwise))?;
    let Value::Object(policy) = &parsed else { return Err(malformed(otherwise)) };
    // AWS takes a policy without a version as one of the older language.
    if let Some(version) = policy.get("Version")
        && !version.as_str().is_some_and(|version| VERSIONS.contains(&version))
    {
        return Err(malformed(otherwise));
    }
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => return Err(malformed("Syntax errors in policy.")),
    };
    let is_statement = |it: &Value| matches!(it["Effect"].as_str(), Some("Allow" | "Deny"));
    if !statements.iter().all(is_statement) {
        return Err(malformed("Syntax errors in policy."));
    }
    Ok(statements)
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::new("MalformedPolicyDocumentException", message)
}
