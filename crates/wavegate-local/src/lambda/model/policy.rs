//! Resource policies. They are kept and shown; nothing here judges by them.

use serde_json::{Map, Value, json};

use super::Lambda;
use super::record::PolicyRecord;
use crate::ids::Ids;
use crate::lambda::error::{ApiError, Constraints};
use crate::lambda::input::AddPermission;
use crate::lambda::name::{LATEST, Target, is_word};
use crate::lambda::output::Policy;

impl Lambda {
    /// `AddPermission`; answers with the statement as JSON text.
    pub fn add_permission(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        qualifier: Option<&str>,
        input: &AddPermission,
    ) -> Result<String, ApiError> {
        check_statement(input)?;
        let (target, key) = self.policy_target(now, name, qualifier)?;
        let arn = self.home.arn(&target.name, target.qualifier.as_deref());
        let function = self.function_mut(now, &target.name)?;
        let policy = function
            .policies
            .entry(key)
            .or_insert_with(|| PolicyRecord { statements: Vec::new(), revision_id: ids.uuid() });
        if input.revision_id.as_ref().is_some_and(|given| *given != policy.revision_id) {
            return Err(ApiError::precondition("GetPolicy"));
        }
        if policy.statements.iter().any(|(id, _)| *id == input.statement_id) {
            return Err(ApiError::conflict(format!(
                "The statement id ({}) provided already exists. Please provide a new statement \
                 id, or remove the existing statement.",
                input.statement_id
            )));
        }
        let statement = statement(input, &arn);
        policy.statements.push((input.statement_id.clone(), statement.clone()));
        policy.revision_id = ids.uuid();
        Ok(statement.to_string())
    }

    /// `RemovePermission`.
    pub fn remove_permission(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        qualifier: Option<&str>,
        statement_id: &str,
        revision_id: Option<&str>,
    ) -> Result<(), ApiError> {
        let (target, key) = self.policy_target(now, name, qualifier)?;
        let function = self.function_mut(now, &target.name)?;
        let missing = || {
            ApiError::not_found(format!(
                "Statement {statement_id} is not found in resource policy."
            ))
        };
        let policy = function.policies.get_mut(&key).ok_or_else(missing)?;
        let at = policy.statements.iter().position(|(id, _)| id == statement_id);
        let at = at.ok_or_else(missing)?;
        if revision_id.is_some_and(|given| given != policy.revision_id) {
            return Err(ApiError::precondition("GetPolicy"));
        }
        policy.statements.remove(at);
        policy.revision_id = ids.uuid();
        if policy.statements.is_empty() {
            function.policies.remove(&key);
        }
        Ok(())
    }

    /// `GetPolicy`.
    pub fn get_policy(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Policy, ApiError> {
        let (target, key) = self.policy_target(now, name, qualifier)?;
        let policy = self
            .function(&target.name)?
            .policies
            .get(&key)
            .ok_or_else(|| ApiError::not_found("The resource you requested does not exist."))?;
        let statements: Vec<&Value> = policy.statements.iter().map(|(_, body)| body).collect();
        let document = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
        Ok(Policy { policy: document.to_string(), revision_id: policy.revision_id.clone() })
    }

    fn policy_target(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(Target, String), ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        if target.qualifier.as_deref() == Some(LATEST) {
            return Err(ApiError::invalid(
                "We currently do not support adding policies for $LATEST.",
            ));
        }
        self.version(now, &target)?;
        let key = target.qualifier.clone().unwrap_or_default();
        Ok((target, key))
    }
}

fn check_statement(input: &AddPermission) -> Result<(), ApiError> {
    let mut constraints = Constraints::default();
    let id = &input.statement_id;
    let id_ok = !id.is_empty() && id.bytes().all(is_word);
    constraints.pattern("statementId", id, id_ok, "([a-zA-Z0-9-_]+)");
    let action = &input.action;
    let action_ok = action == "*"
        || action
            .strip_prefix("lambda:")
            .is_some_and(|rest| rest == "*" || rest.bytes().all(|byte| byte.is_ascii_alphabetic()));
    constraints.pattern("action", action, action_ok, "(lambda:[*]|lambda:[a-zA-Z]+|[*])");
    let principal = &input.principal;
    let principal_ok = !principal.is_empty() && !principal.contains(char::is_whitespace);
    constraints.pattern("principal", principal, principal_ok, "[^\\s]+");
    constraints.finish()
}

fn statement(input: &AddPermission, arn: &str) -> Value {
    let principal = &input.principal;
    let is_account = principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit());
    let principal = if principal == "*" {
        json!("*")
    } else if is_account {
        json!({ "AWS": format!("arn:aws:iam::{principal}:root") })
    } else if principal.starts_with("arn:") {
        json!({ "AWS": principal })
    } else {
        json!({ "Service": principal })
    };
    let mut condition = Map::new();
    let mut equals = Map::new();
    for (key, value) in [
        ("AWS:SourceAccount", &input.source_account),
        ("lambda:FunctionUrlAuthType", &input.function_url_auth_type),
        ("aws:PrincipalOrgID", &input.principal_org_id),
    ] {
        if let Some(value) = value {
            equals.insert(key.to_owned(), json!(value));
        }
    }
    if !equals.is_empty() {
        condition.insert("StringEquals".to_owned(), Value::Object(equals));
    }
    if let Some(source) = &input.source_arn {
        condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": source }));
    }
    let mut statement = json!({
        "Sid": input.statement_id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": input.action,
        "Resource": arn,
    });
    if let (Some(statement), false) = (statement.as_object_mut(), condition.is_empty()) {
        statement.insert("Condition".to_owned(), Value::Object(condition));
    }
    statement
}
