//! The policies of a role: its own ones, and managed ones that are attached to it.

use serde_json::{Value, json};

use super::Identity;
use super::document;
use super::input::Asked;
use super::page::page;
use super::policies::not_found;
use super::show;
use crate::wire::Fault;

/// AWS: managed policies of one role.
const ATTACHED_MAX: usize = 10;

impl Identity {
    pub(super) fn put_role_policy(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_role(asked, |role| {
            document::check_permissions(&asked.policy_document)?;
            role.inline.insert(asked.policy_name.clone(), asked.policy_document.clone());
            Ok(Value::Null)
        })
    }

    pub(super) fn get_role_policy(&self, asked: &Asked) -> Result<Value, Fault> {
        let role = self.role(asked)?;
        let document = role.inline.get(&asked.policy_name).ok_or_else(|| no_policy(asked))?;
        Ok(json!({
            "RoleName": role.name,
            "PolicyName": asked.policy_name,
            "PolicyDocument": show::document(document),
        }))
    }

    pub(super) fn list_role_policies(&self, asked: &Asked) -> Result<Value, Fault> {
        let names = self.role(asked)?.inline.keys();
        page("PolicyNames", asked, names.map(|name| (name.clone(), name.as_str().into())))
    }

    pub(super) fn delete_role_policy(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_role(asked, |role| {
            role.inline.remove(&asked.policy_name).ok_or_else(|| no_policy(asked))?;
            Ok(Value::Null)
        })
    }

    pub(super) fn attach(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.role(asked)?;
        self.attachable(&asked.policy_arn)?;
        self.change_role(asked, |role| {
            if role.attached.len() >= ATTACHED_MAX && !role.attached.contains(&asked.policy_arn) {
                let message = format!("Cannot exceed quota for PoliciesPerRole: {ATTACHED_MAX}");
                return Err(Fault::new("LimitExceededException", message));
            }
            role.attached.insert(asked.policy_arn.clone());
            Ok(Value::Null)
        })
    }

    pub(super) fn detach(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_role(asked, |role| {
            if !role.attached.remove(&asked.policy_arn) {
                return Err(not_found(&asked.policy_arn));
            }
            Ok(Value::Null)
        })
    }

    pub(super) fn list_attached(&self, asked: &Asked) -> Result<Value, Fault> {
        let attached = self.role(asked)?.attached.iter().filter(|arn| asked.lists(path(arn)));
        let shown = attached.map(|arn| {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            (arn.clone(), json!({ "PolicyName": name, "PolicyArn": arn }))
        });
        page("AttachedPolicies", asked, shown)
    }
}

/// The path within a policy's ARN: `/service-role/` of `arn:aws:iam::aws:policy/service-role/NAME`.
pub(super) fn path(arn: &str) -> &str {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let path = resource.strip_prefix("policy").unwrap_or(resource);
    path.rfind('/').map_or("/", |end| &path[..=end])
}

fn no_policy(asked: &Asked) -> Fault {
    let message = format!("The role policy with name {} cannot be found.", asked.policy_name);
    Fault::new("NoSuchEntityException", message)
}
