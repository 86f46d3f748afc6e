//! Resource policies: a JSON document inside an answer, read for who may call.
//!
//! Invariant: a document that cannot be read is an error, never an empty policy. Deliberately
//! absent: conditions other than a source's ARN and account; a statement with others is told by its
//! principal.

use serde_json::Value;
use wavegate_core::doctor::Statement;
use wavegate_engine::ports::CloudError;

use crate::fault::unreadable;
use crate::surroundings::parts;

/// The statements of a policy that allow something on exactly this qualifier, or on the function
/// itself, one for each principal and action. AWS shows no others; moto shows all of them.
pub(crate) fn statements(
    operation: &'static str,
    document: &str,
    qualifier: Option<&str>,
) -> Result<Vec<Statement>, CloudError> {
    let policy: Value = serde_json::from_str(document)
        .map_err(|error| unreadable(operation, &format!("the policy is not JSON: {error}")))?;
    let statements = many(&policy["Statement"]);
    let allowing = statements.iter().filter(|statement| statement["Effect"] == "Allow");
    let is_meant = |statement: &&&Value| {
        let resource = statement["Resource"].as_str().and_then(parts);
        resource.is_none_or(|(_, named)| named == qualifier)
    };
    Ok(allowing.filter(is_meant).flat_map(|statement| one(statement)).collect())
}

fn one(statement: &Value) -> Vec<Statement> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let condition = |key: &str| {
        // Operators and keys are written in any case: `ArnLike` of `AWS:SourceArn`.
        let operators = statement["Condition"].as_object();
        let pairs = operators.into_iter().flatten().filter_map(|(_, pairs)| pairs.as_object());
        let mut pairs = pairs.flatten();
        let found = pairs.find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.and_then(|(_, value)| many(value).first().and_then(|first| text(first)))
    };
    let mut found = Vec::new();
    for action in many(&statement["Action"]) {
        for principal in principals(&statement["Principal"]) {
            found.push(Statement {
                id: text(&statement["Sid"]).unwrap_or_default(),
                action: text(action).unwrap_or_default(),
                principal,
                source_arn: condition("aws:SourceArn"),
                source_account: condition("aws:SourceAccount"),
            });
        }
    }
    found
}

/// Principals as `add-permission` takes them: a service, an account, an ARN, or everybody.
fn principals(principal: &Value) -> Vec<String> {
    let all = match principal.as_object() {
        None => many(principal),
        Some(kinds) => kinds.values().flat_map(|kind| many(kind)).collect(),
    };
    all.into_iter()
        .filter_map(Value::as_str)
        .map(|text| {
            // A whole account is shown as its root.
            let account =
                text.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root"));
            account.unwrap_or(text).to_owned()
        })
        .collect()
}

/// One value or a list of them: policies allow both everywhere.
fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        value => vec![value],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_statement_is_read() {
        let document = r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},
             "Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:r:1:function:f",
             "Condition":{"StringEquals":{"AWS:SourceAccount":"1"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}},
            {"Sid":"no","Effect":"Deny","Principal":"*","Action":"*"},
            {"Sid":"acc","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::1:role/r"]},
             "Action":["lambda:InvokeFunction","lambda:GetFunction"]},
            {"Sid":"all","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl"}]}"#;
        let found = statements("GetPolicy", document, None).unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|s| (s.id.as_str(), s.action.as_str(), s.principal.as_str()))
            .collect();
        let invoke = "lambda:InvokeFunction";
        assert_eq!(
            told,
            [
                ("s3", invoke, "s3.amazonaws.com"),
                ("acc", invoke, "123456789012"),
                ("acc", invoke, "arn:aws:iam::1:role/r"),
                ("acc", "lambda:GetFunction", "123456789012"),
                ("acc", "lambda:GetFunction", "arn:aws:iam::1:role/r"),
                ("all", "lambda:InvokeFunctionUrl", "*"),
            ]
        );
        assert_eq!(found[0].source_arn.as_deref(), Some("arn:aws:s3:::b"));
        assert_eq!(found[0].source_account.as_deref(), Some("1"));
    }

    #[test]
    fn a_single_statement_without_a_list_is_one() {
        let document = r#"{"Statement":{"Sid":"a","Effect":"Allow","Principal":"*","Action":"*"}}"#;
        assert_eq!(statements("GetPolicy", document, None).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_policy_is_an_error() {
        assert!(statements("GetPolicy", "{", None).is_err());
    }

    #[test]
    fn a_statement_about_another_qualifier_is_left_out() {
        let document = r#"{"Statement":[
            {"Sid":"own","Effect":"Allow","Principal":"*","Action":"*",
             "Resource":"arn:aws:lambda:r:1:function:f"},
            {"Sid":"live","Effect":"Allow","Principal":"*","Action":"*",
             "Resource":"arn:aws:lambda:r:1:function:f:live"}]}"#;
        for (qualifier, id) in [(None, "own"), (Some("live"), "live")] {
            let found = statements("GetPolicy", document, qualifier).unwrap();
            let ids: Vec<_> = found.iter().map(|statement| statement.id.as_str()).collect();
            assert_eq!(ids, [id]);
        }
    }
}
