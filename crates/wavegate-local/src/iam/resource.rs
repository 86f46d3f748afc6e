//! Resource policies, as far as AWS's own services and other accounts are held to them: whether a service may
//! act on a resource for one of the account's other resources, and whether another account may.
//!
//! Deliberately absent: people and roles of the account itself; the local cloud lets those do everything.

use serde_json::{Map, Value};

use super::policy::{covers, glob};

/// A service that wants to act on a resource.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceCall<'a> {
    /// The service, such as `lambda.alarms.cloudwatch.amazonaws.com`.
    pub(crate) service: &'a str,
    /// What it wants to do, such as `lambda:InvokeFunction`.
    pub(crate) action: &'a str,
    /// The ARN of what it acts for.
    pub(crate) source_arn: &'a str,
    /// The account that belongs to.
    pub(crate) source_account: &'a str,
}

/// Whether a policy, in JSON, lets a service do what it wants. Lambda's policies only ever allow.
pub(crate) fn allows(policy: &str, call: &ServiceCall<'_>) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = policy.get("Statement").and_then(Value::as_array);
    statements.is_some_and(|statements| statements.iter().any(|one| allows_by(one, call)))
}

fn allows_by(statement: &Value, call: &ServiceCall<'_>) -> bool {
    let principal = &statement["Principal"];
    let is_named = principal == "*" || principal["Service"] == call.service;
    let action = statement["Action"].as_str().unwrap_or_default();
    let conditions = statement["Condition"].as_object();
    statement["Effect"] == "Allow"
        && is_named
        && glob(action, call.action)
        && conditions.is_none_or(|conditions| conditions.iter().all(|one| holds(one, call)))
}

/// Whether a policy, in JSON, lets another account do what it wants. A condition is never met: what it
/// could be about, an organization, is not there.
pub(crate) fn allows_account(policy: &str, account: &str, action: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let said = |effect: &str| {
        let statements = policy["Statement"].as_array();
        statements.into_iter().flatten().any(|statement| {
            statement["Effect"] == effect
                && statement["Condition"].as_object().is_none_or(Map::is_empty)
                && texts(&statement["Action"]).any(|one| glob(one, action))
                && is_of(&statement["Principal"], account)
        })
    };
    said("Allow") && !said("Deny")
}

fn is_of(principal: &Value, account: &str) -> bool {
    principal == "*"
        || texts(&principal["AWS"])
            .any(|one| one == "*" || one == account || one.split(':').nth(4) == Some(account))
}

/// A text, or the texts of a list: members of policies may be either.
pub(crate) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str();
    one.into_iter().chain(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}

/// Whether a condition holds. What is not known of a service's call does not.
fn holds((operator, keys): (&String, &Value), call: &ServiceCall<'_>) -> bool {
    let nothing = Map::new();
    let keys = keys.as_object().unwrap_or(&nothing);
    keys.iter().all(|(key, wanted)| {
        let wanted = wanted.as_str().unwrap_or_default();
        let actual = match key.to_ascii_lowercase().as_str() {
            "aws:sourcearn" => call.source_arn,
            "aws:sourceaccount" => call.source_account,
            _ => return false,
        };
        match operator.as_str() {
            "StringEquals" => wanted == actual,
            "StringLike" => glob(wanted, actual),
            "ArnLike" | "ArnEquals" => covers(wanted, actual),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_acts_only_where_a_policy_names_it_and_none_denies() {
        let statement = |effect: &str, principal: Value, action: &str| json!({ "Effect": effect, "Principal": principal, "Action": action });
        let root = json!({ "AWS": "arn:aws:iam::123456789012:root" });
        let allow = statement("Allow", root.clone(), "lambda:*");
        let ask = |statements: &[&Value], account: &str| {
            let policy = json!({ "Statement": statements }).to_string();
            allows_account(&policy, account, "lambda:GetFunction")
        };
        assert!(ask(&[&allow], "123456789012"));
        assert!(!ask(&[&allow], "210987654321") && !ask(&[], "123456789012"));
        for (principal, action, expected) in [
            (json!("*"), "lambda:GetFunction", true),
            (json!({ "AWS": ["x", "123456789012"] }), "*", true),
            (json!({ "AWS": "arn:aws:iam::123456789012:role/r" }), "lambda:Get*", true),
            (json!({ "Service": "123456789012" }), "lambda:*", false),
            (root.clone(), "lambda:InvokeFunction", false),
        ] {
            let one = statement("Allow", principal, action);
            assert_eq!(ask(&[&one], "123456789012"), expected, "{one}");
        }
        let deny = statement("Deny", root, "lambda:GetFunction");
        assert!(!ask(&[&allow, &deny], "123456789012"));
        let mut conditional = allow.clone();
        conditional["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } });
        assert!(!ask(&[&conditional], "123456789012"));
    }

    #[test]
    fn a_service_acts_only_for_whom_the_policy_names() {
        let call = ServiceCall {
            service: "lambda.alarms.cloudwatch.amazonaws.com",
            action: "lambda:InvokeFunction",
            source_arn: "arn:aws:cloudwatch:r:1:alarm:shop-errors",
            source_account: "1",
        };
        let statement = |service: &str, action: &str, condition: Value| {
            let statement = json!({ "Effect": "Allow", "Principal": { "Service": service },
                "Action": action, "Resource": "f", "Condition": condition });
            json!({ "Statement": [statement] }).to_string()
        };
        let invoke = "lambda:InvokeFunction";
        let arn = |arn: &str| json!({ "ArnLike": { "AWS:SourceArn": arn } });
        let account = |account: &str| json!({ "StringEquals": { "AWS:SourceAccount": account } });
        let rows = [
            (call.service, invoke, json!({}), true),
            (call.service, "lambda:*", arn("arn:aws:cloudwatch:r:1:alarm:shop-*"), true),
            (call.service, invoke, account("1"), true),
            (call.service, invoke, account("2"), false),
            (call.service, invoke, arn("arn:aws:cloudwatch:r:1:alarm:other"), false),
            (call.service, "lambda:InvokeFunctionUrl", json!({}), false),
            (call.service, invoke, json!({ "StringEquals": { "aws:PrincipalOrgID": "o" } }), false),
            ("events.amazonaws.com", invoke, json!({}), false),
        ];
        for (service, action, condition, expected) in rows {
            let policy = statement(service, action, condition);
            assert_eq!(allows(&policy, &call), expected, "{policy}");
        }
        assert!(!allows("", &call));
    }
}
