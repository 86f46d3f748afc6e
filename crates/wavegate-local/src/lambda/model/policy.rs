//! Resource policies of functions, versions and aliases. They are kept and shown; nothing here
//! judges by them.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::Lambda;
use super::record::PolicyRecord;
use crate::home::is_account;
use crate::ids::Ids;
use crate::lambda::error::ApiError;
use crate::lambda::input::AddPermission;
use crate::lambda::name::{LATEST, Target, is_alias};
use crate::lambda::output::Policy;

const CALL: &str = "GetPolicy";
/// AWS: bytes of a policy.
const POLICY_MAX: usize = 20_480;
const URL_ACTION: &str = "lambda:InvokeFunctionUrl";

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
        let target = self.policed_function(name, qualifier)?;
        // AWS: before there is a policy, its revision is that of what it is for.
        let current = self.revision_of(now, &target)?;
        let arn = self.home.arn(&target.name, target.qualifier.as_deref());
        let partition = self.home.partition();
        let key = target.qualifier.clone().unwrap_or_default();
        let function = self.function_mut(now, &target.name)?;
        let mut policy = function.policies.remove(&key);
        let revision = input.revision_id.as_deref();
        let made = PolicyRecord::or_new(&mut policy, ids, revision, Some(&current), CALL).and_then(
            |policy| {
                policy.add(ids, &input.statement_id, statement(input, &arn, partition))?;
                Ok(policy.statement(&input.statement_id).unwrap_or_default())
            },
        );
        if let Some(policy) = policy.filter(|policy| !policy.statements.is_empty()) {
            function.policies.insert(key, policy);
        }
        made
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
        let target = self.home.resolve(name, qualifier)?;
        if !self.functions.contains_key(&target.name) {
            let arn = self.home.arn(&target.name, target.qualifier.as_deref());
            return Err(ApiError::not_found(format!("No policy found for: {arn}")));
        }
        let target = self.policed_function(name, qualifier)?;
        let key = target.qualifier.unwrap_or_default();
        let function = self.function_mut(now, &target.name)?;
        let policy = function.policies.get_mut(&key).ok_or_else(|| {
            ApiError::not_found("No policy is associated with the given resource.")
        })?;
        policy.check_revision(revision_id, CALL)?;
        policy.remove(ids, statement_id)?;
        if policy.statements.is_empty() {
            function.policies.remove(&key);
        }
        Ok(())
    }

    /// `GetPolicy`: AWS tells only that there is none, whatever else is missing.
    pub fn get_policy(&self, name: &str, qualifier: Option<&str>) -> Result<Policy, ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        let key = target.qualifier.filter(|qualifier| qualifier != LATEST).unwrap_or_default();
        let function = self.functions.get(&target.name);
        let policy = function.and_then(|function| function.policies.get(&key));
        policy
            .map(PolicyRecord::document)
            .ok_or_else(|| ApiError::not_found("The resource you requested does not exist."))
    }

    /// What a policy may be for, if it exists.
    pub(super) fn policed_function(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Target, ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        if target.qualifier.as_deref() == Some(LATEST) {
            return Err(ApiError::invalid(
                "We currently do not support adding policies for $LATEST.",
            ));
        }
        self.exists(&target)?;
        Ok(target)
    }

    /// Whether a function, version or alias exists; AWS has words of its own for aliases.
    pub(super) fn exists(&self, target: &Target) -> Result<(), ApiError> {
        let qualifier = target.qualifier.as_deref();
        let function = self.functions.get(&target.name);
        let is_there = function.is_some_and(|function| match qualifier {
            None => true,
            Some(text) => function.version(text).is_some() || function.aliases.contains_key(text),
        });
        let arn = self.home.arn(&target.name, qualifier);
        match qualifier {
            _ if is_there => Ok(()),
            Some(text) if is_alias(text) => {
                Err(ApiError::not_found(format!("Cannot find alias arn: {arn}")))
            }
            _ => Err(ApiError::no_function(&arn)),
        }
    }

    pub(super) fn revision_of(&self, now: i64, target: &Target) -> Result<String, ApiError> {
        let function = self.function(&target.name)?;
        let alias = target.qualifier.as_deref().and_then(|alias| function.aliases.get(alias));
        match alias {
            Some(alias) => Ok(alias.revision_id.clone()),
            None => Ok(self.version(now, target)?.revision_id),
        }
    }
}

impl PolicyRecord {
    /// The policy, or a new one, if it is at the revision that the caller names.
    pub(super) fn or_new<'a>(
        policy: &'a mut Option<Self>,
        ids: &mut dyn Ids,
        given: Option<&str>,
        without: Option<&str>,
        call: &str,
    ) -> Result<&'a mut Self, ApiError> {
        match policy {
            Some(policy) => policy.check_revision(given, call)?,
            None if given.is_some() && given != without => {
                return Err(ApiError::precondition(call));
            }
            None => {}
        }
        Ok(policy.get_or_insert_with(|| Self { statements: Vec::new(), revision_id: ids.uuid() }))
    }

    pub(super) fn check_revision(&self, given: Option<&str>, call: &str) -> Result<(), ApiError> {
        match given {
            Some(given) if given != self.revision_id => Err(ApiError::precondition(call)),
            _ => Ok(()),
        }
    }

    pub(super) fn add(
        &mut self,
        ids: &mut dyn Ids,
        id: &str,
        statement: Value,
    ) -> Result<(), ApiError> {
        if self.statements.iter().any(|(other, _)| other == id) {
            return Err(ApiError::conflict(format!(
                "The statement id ({id}) provided already exists. Please provide a new statement \
                 id, or remove the existing statement."
            )));
        }
        self.statements.push((id.to_owned(), statement));
        let size = self.document().policy.len();
        if size > POLICY_MAX {
            self.statements.pop();
            return Err(ApiError::new(
                400,
                "PolicyLengthExceededException",
                format!("The final policy size ({size}) is bigger than the limit ({POLICY_MAX})."),
            ));
        }
        self.revision_id = ids.uuid();
        Ok(())
    }

    pub(super) fn remove(&mut self, ids: &mut dyn Ids, id: &str) -> Result<(), ApiError> {
        let at = self.statements.iter().position(|(other, _)| other == id).ok_or_else(|| {
            ApiError::not_found(format!("Statement {id} is not found in resource policy."))
        })?;
        self.statements.remove(at);
        self.revision_id = ids.uuid();
        Ok(())
    }

    /// One statement as JSON text.
    pub(super) fn statement(&self, id: &str) -> Option<String> {
        let (_, statement) = self.statements.iter().find(|(other, _)| other == id)?;
        serde_json::to_string(&Ordered(statement)).ok()
    }

    /// The whole policy, as the calls that get one answer.
    pub(super) fn document(&self) -> Policy {
        let document = Document {
            version: "2012-10-17",
            id: "default",
            statement: self.statements.iter().map(|(_, body)| Ordered(body)).collect(),
        };
        Policy {
            policy: serde_json::to_string(&document).unwrap_or_default(),
            revision_id: self.revision_id.clone(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'static str,
    id: &'static str,
    statement: Vec<Ordered<'a>>,
}

/// A statement with its parts in AWS's order.
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const ORDER: [&str; 6] = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];
        let Value::Object(parts) = self.0 else { return self.0.serialize(serializer) };
        let known = ORDER.iter().filter_map(|key| parts.get_key_value(*key));
        let others = parts.iter().filter(|(key, _)| !ORDER.contains(&key.as_str()));
        serializer.collect_map(known.chain(others))
    }
}

/// To whom something is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Principal<'a> {
    Everyone,
    Account(&'a str),
    Arn(&'a str),
    Service(&'a str),
}

impl<'a> Principal<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        if text == "*" {
            Self::Everyone
        } else if is_account(text) {
            Self::Account(text)
        } else if text.starts_with("arn:") {
            Self::Arn(text)
        } else {
            Self::Service(text)
        }
    }

    pub(super) fn json(&self, partition: &str) -> Value {
        match self {
            Self::Everyone => json!("*"),
            Self::Account(account) => {
                json!({ "AWS": format!("arn:{partition}:iam::{account}:root") })
            }
            Self::Arn(arn) => json!({ "AWS": arn }),
            Self::Service(service) => json!({ "Service": service }),
        }
    }

    /// AWS knows its services by name; what it knows of them here is where they are.
    fn is_known(&self) -> bool {
        match self {
            Self::Service(service) => {
                [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal"]
                    .iter()
                    .any(|place| service.strip_suffix(place).is_some_and(|name| !name.is_empty()))
            }
            _ => true,
        }
    }
}

fn check_statement(input: &AddPermission) -> Result<(), ApiError> {
    if !Principal::of(&input.principal).is_known() {
        return Err(ApiError::invalid(
            "The provided principal was invalid. Please check the principal and try again.",
        ));
    }
    if input.function_url_auth_type.is_some() && input.action != URL_ACTION {
        return Err(ApiError::invalid(format!(
            "FunctionUrlAuthType is only supported for {URL_ACTION} action"
        )));
    }
    Ok(())
}

fn statement(input: &AddPermission, arn: &str, partition: &str) -> Value {
    let mut condition = Map::new();
    let mut equals = Map::new();
    for (key, value) in [
        ("AWS:SourceAccount", &input.source_account),
        ("lambda:FunctionUrlAuthType", &input.function_url_auth_type),
        ("lambda:EventSourceToken", &input.event_source_token),
        ("aws:PrincipalOrgID", &input.principal_org_id),
    ] {
        if let Some(value) = value {
            equals.insert(key.to_owned(), json!(value));
        }
    }
    if !equals.is_empty() {
        condition.insert("StringEquals".to_owned(), Value::Object(equals));
    }
    if let Some(through_url) = input.invoked_via_function_url {
        let told = json!({ "lambda:InvokedViaFunctionUrl": through_url.to_string() });
        condition.insert("Bool".to_owned(), told);
    }
    if let Some(source) = &input.source_arn {
        condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": source }));
    }
    let mut statement = json!({
        "Sid": input.statement_id,
        "Effect": "Allow",
        "Principal": Principal::of(&input.principal).json(partition),
        "Action": input.action,
        "Resource": arn,
    });
    if !condition.is_empty() {
        statement["Condition"] = Value::Object(condition);
    }
    statement
}
