//! IAM as far as deployments need it: roles, their inline policies, and managed policies.
//!
//! Pure state and rules: every method takes the time, none touches the network. What a policy allows is
//! not judged here; whether a caller may do what it does is what [`crate::iam`] rehearses.
//!
//! Of AWS's own managed policies no list is kept: whatever has their form can be attached.
//!
//! Deliberately absent: users, groups, instance profiles, roles of services.

mod document;
pub(crate) mod edge;
mod input;
mod page;
mod policies;
mod record;
mod role_policies;
mod roles;
mod show;
mod store;
#[cfg(test)]
mod tests;

use serde::Deserialize as _;
use serde_json::Value;

pub(crate) use document::check_session;
use input::Asked;
use record::{Policy, Role};

use crate::ids::Ids;
use crate::rows::Rows;
use crate::wire::Fault;

/// What the service is called in a trust policy.
const LAMBDA: &str = "lambda.amazonaws.com";

/// The roles and policies of one account.
#[derive(Debug)]
pub(crate) struct Identity {
    account: String,
    /// By name in lower case: names differ in more than their case.
    roles: Rows<Role>,
    /// By ARN.
    policies: Rows<Policy>,
}

impl Identity {
    /// An account without roles.
    pub(crate) fn new(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            roles: Rows::new("role"),
            policies: Rows::new("policy"),
        }
    }

    /// Performs an operation whose input satisfies its model.
    pub(crate) fn perform(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        operation: &str,
        input: Value,
    ) -> Result<Value, Fault> {
        let asked = Asked::deserialize(input)
            .map_err(|error| Fault::new("InvalidInputException", error.to_string()))?;
        match operation {
            "CreateRole" => self.create_role(now, ids, &asked),
            "GetRole" => self.get_role(&asked),
            "ListRoles" => self.list_roles(&asked),
            "UpdateRole" => self.update_role(&asked),
            "UpdateRoleDescription" => self.update_role_description(&asked),
            "UpdateAssumeRolePolicy" => self.update_trust(&asked),
            "PutRolePermissionsBoundary" => self.put_boundary(&asked),
            "DeleteRolePermissionsBoundary" => self.delete_boundary(&asked),
            "DeleteRole" => self.delete_role(&asked),
            "TagRole" => self.tag_role(&asked),
            "UntagRole" => self.untag_role(&asked),
            "ListRoleTags" => self.list_role_tags(&asked),
            "ListInstanceProfilesForRole" => self.list_profiles(&asked),
            "PutRolePolicy" => self.put_role_policy(&asked),
            "GetRolePolicy" => self.get_role_policy(&asked),
            "ListRolePolicies" => self.list_role_policies(&asked),
            "DeleteRolePolicy" => self.delete_role_policy(&asked),
            "AttachRolePolicy" => self.attach(&asked),
            "DetachRolePolicy" => self.detach(&asked),
            "ListAttachedRolePolicies" => self.list_attached(&asked),
            "CreatePolicy" => self.create_policy(now, ids, &asked),
            "GetPolicy" => self.get_policy(&asked),
            "ListPolicies" => self.list_policies(&asked),
            "DeletePolicy" => self.delete_policy(&asked),
            "ListEntitiesForPolicy" => self.list_entities(&asked),
            "CreatePolicyVersion" => self.create_version(now, &asked),
            "GetPolicyVersion" => self.get_version(&asked),
            "ListPolicyVersions" => self.list_versions(&asked),
            "SetDefaultPolicyVersion" => self.set_default_version(now, &asked),
            "DeletePolicyVersion" => self.delete_version(&asked),
            "TagPolicy" => self.tag_policy(&asked),
            "UntagPolicy" => self.untag_policy(&asked),
            "ListPolicyTags" => self.list_policy_tags(&asked),
            other => Err(Fault::new(
                "ServiceFailureException",
                format!("{other} is offered and not performed"),
            )),
        }
    }

    /// Whether Lambda may assume the role of that ARN.
    pub(crate) fn lambda_may_assume(&self, arn: &str) -> bool {
        self.role_of(arn).is_some_and(|role| document::trusts(&role.trust, LAMBDA))
    }

    /// The id of the role of that ARN.
    pub(crate) fn role_id(&self, arn: &str) -> Option<&str> {
        self.role_of(arn).map(|role| role.id.as_str())
    }

    /// How long a session of the role of that ARN may be.
    pub(crate) fn session_seconds(&self, arn: &str) -> u32 {
        self.role_of(arn).map_or(roles::SESSION_SECONDS, |role| role.session_seconds)
    }

    /// The ARN of a role that exists.
    fn role_arn(&self, name: &str) -> Option<String> {
        Some(self.arn("role", &self.roles.get(&name.to_lowercase())?.path, name))
    }

    fn role_of(&self, arn: &str) -> Option<&Role> {
        let name = arn.rsplit('/').next()?;
        let role = self.roles.get(&name.to_lowercase())?;
        (self.arn("role", &role.path, &role.name) == arn).then_some(role)
    }

    fn arn(&self, kind: &str, path: &str, name: &str) -> String {
        format!("arn:aws:iam::{}:{kind}{path}{name}", self.account)
    }
}

/// An id as AWS makes them: what it is of, and seventeen letters and digits.
pub(crate) fn new_id(ids: &mut dyn Ids, prefix: &str) -> String {
    let digits = ids.uuid().to_ascii_uppercase().replace('-', "");
    format!("{prefix}{}", &digits[..17])
}
