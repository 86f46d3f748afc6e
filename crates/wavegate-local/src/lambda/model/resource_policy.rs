//! Policies of functions, versions and aliases that are put as a whole, by ARN. They are the same
//! policies that single permissions are added to.

use serde_json::{Value, json};

use super::Lambda;
use super::record::PolicyRecord;
use crate::ids::Ids;
use crate::lambda::error::ApiError;

const CALL: &str = "GetResourcePolicy";

impl Lambda {
    /// `PutResourcePolicy`: replaces the policy.
    pub fn put_resource_policy(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        arn: &str,
        policy: &str,
        revision_id: Option<&str>,
    ) -> Result<Value, ApiError> {
        let statements = statements(policy)?;
        let target = self.policed_function(arn, None)?;
        let current = self.revision_of(now, &target)?;
        let key = target.qualifier.clone().unwrap_or_default();
        let function = self.function_mut(now, &target.name)?;
        let mut put = function.policies.remove(&key);
        let checked =
            PolicyRecord::or_new(&mut put, ids, revision_id, Some(&current), CALL).map(|policy| {
                policy.statements = statements;
                policy.revision_id = ids.uuid();
                show(policy)
            });
        if let Some(policy) = put.filter(|policy| !policy.statements.is_empty()) {
            function.policies.insert(key, policy);
        }
        checked
    }

    /// `GetResourcePolicy`.
    pub fn get_resource_policy(&self, arn: &str) -> Result<Value, ApiError> {
        self.get_policy(arn, None)
            .map(|shown| json!({ "Policy": shown.policy, "RevisionId": shown.revision_id }))
    }

    /// `DeleteResourcePolicy`.
    pub fn delete_resource_policy(
        &mut self,
        now: i64,
        arn: &str,
        revision_id: Option<&str>,
    ) -> Result<(), ApiError> {
        let target = self.policed_function(arn, None)?;
        // Told in the same words as by those who look.
        self.get_policy(arn, None)?;
        let key = target.qualifier.unwrap_or_default();
        let policies = &mut self.function_mut(now, &target.name)?.policies;
        if let Some(policy) = policies.get(&key) {
            policy.check_revision(revision_id, CALL)?;
        }
        policies.remove(&key);
        Ok(())
    }
}

/// The statements of a policy's text, by their names.
fn statements(policy: &str) -> Result<Vec<(String, Value)>, ApiError> {
    let refused = || ApiError::invalid("The policy is not a valid JSON policy document.");
    let mut document: Value = serde_json::from_str(policy).map_err(|_| refused())?;
    let statements = match document["Statement"].take() {
        Value::Array(statements) => statements,
        statement @ Value::Object(_) => vec![statement],
        _ => return Err(refused()),
    };
    if statements.is_empty() || !statements.iter().all(Value::is_object) {
        return Err(refused());
    }
    let name = |it: &Value| it["Sid"].as_str().unwrap_or_default().to_owned();
    Ok(statements.into_iter().map(|it| (name(&it), it)).collect())
}

fn show(policy: &PolicyRecord) -> Value {
    let shown = policy.document();
    json!({ "Policy": shown.policy, "RevisionId": shown.revision_id })
}
