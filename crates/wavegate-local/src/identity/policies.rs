//! Managed policies and their versions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Identity;
use super::document;
use super::input::{Asked, add_tags};
use super::new_id;
use super::page::page;
use super::record::{Policy, PolicyVersion, Tags};
use super::role_policies::path;
use super::roles::list_tags;
use super::show;
use crate::ids::Ids;
use crate::wire::Fault;

/// AWS: versions of one policy.
const VERSIONS_MAX: usize = 5;

impl Identity {
    pub(super) fn create_policy(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        asked: &Asked,
    ) -> Result<Value, Fault> {
        document::check_permissions(&asked.policy_document)?;
        let name = &asked.policy_name;
        if self.policies.values().any(|policy| policy.name.eq_ignore_ascii_case(name)) {
            let message =
                format!("A policy called {name} already exists. Duplicate names are not allowed.");
            return Err(Fault::new("EntityAlreadyExistsException", message));
        }
        let mut tags = Tags::new();
        add_tags(&mut tags, &asked.tags)?;
        let arn = self.arn("policy", &asked.path(), name);
        let first = PolicyVersion { document: asked.policy_document.clone(), created_ms: now };
        let policy = Policy {
            id: new_id(ids, "ANPA"),
            name: name.clone(),
            path: asked.path(),
            description: asked.description.clone(),
            created_ms: now,
            updated_ms: now,
            tags,
            default_version: 1,
            next_version: 2,
            versions: BTreeMap::from([(1, first)]),
        };
        self.policies.insert(arn.clone(), policy);
        let mut shown = self.show_policy(&arn, &self.policies[&arn], true);
        // AWS: not in the answer to who gave it, and tags only if some were given.
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("Description");
            shown.retain(|name, value| {
                name != "Tags" || !value.as_array().is_some_and(Vec::is_empty)
            });
        }
        Ok(json!({ "Policy": shown }))
    }

    pub(super) fn get_policy(&self, asked: &Asked) -> Result<Value, Fault> {
        let arn = asked.policy_arn.as_str();
        check_arn(arn)?;
        if is_awss(arn) {
            return Ok(json!({ "Policy": self.show_awss(arn) }));
        }
        Ok(json!({ "Policy": self.show_policy(arn, self.policy(asked)?, true) }))
    }

    /// Of AWS's own policies those are listed that are attached.
    pub(super) fn list_policies(&self, asked: &Asked) -> Result<Value, Fault> {
        let scope = asked.scope.as_deref().unwrap_or("All");
        let mut found = BTreeMap::new();
        if scope != "AWS" {
            found.extend(
                self.policies
                    .iter()
                    .map(|(arn, policy)| (arn.clone(), self.show_policy(arn, policy, false))),
            );
        }
        if scope != "Local" {
            let attached = self.roles.values().flat_map(|role| &role.attached);
            let attached = attached.filter(|arn| is_awss(arn));
            found.extend(attached.map(|arn| (arn.clone(), self.show_awss(arn))));
        }
        found.retain(|arn, policy| {
            asked.lists(path(arn)) && (!asked.only_attached || policy["AttachmentCount"] != 0)
        });
        page("Policies", asked, found)
    }

    pub(super) fn delete_policy(&mut self, asked: &Asked) -> Result<Value, Fault> {
        let policy = self.policy(asked)?;
        let refuse = |message: &str| Err(Fault::new("DeleteConflictException", message));
        if self.attachments(&asked.policy_arn) > 0 {
            return refuse("Cannot delete a policy attached to entities.");
        }
        if policy.versions.len() > 1 {
            return refuse(
                "This policy has more than one version. Before you delete a policy, you must delete \
                 the policy's versions. The default version is deleted with the policy.",
            );
        }
        self.policies.remove(&asked.policy_arn);
        Ok(Value::Null)
    }

    pub(super) fn list_entities(&self, asked: &Asked) -> Result<Value, Fault> {
        self.attachable(&asked.policy_arn)?;
        let is_asked = asked.entity_filter.as_deref().is_none_or(|kind| kind == "Role");
        let roles = self.roles.iter().filter(|(_, role)| {
            is_asked && role.attached.contains(&asked.policy_arn) && asked.lists(&role.path)
        });
        let shown = roles
            .map(|(key, role)| (key.clone(), json!({ "RoleName": role.name, "RoleId": role.id })));
        let mut answer = page("PolicyRoles", asked, shown)?;
        answer["PolicyGroups"] = json!([]);
        answer["PolicyUsers"] = json!([]);
        Ok(answer)
    }

    pub(super) fn create_version(&mut self, now: i64, asked: &Asked) -> Result<Value, Fault> {
        self.change_policy(asked, |policy| {
            document::check_permissions(&asked.policy_document)?;
            if policy.versions.len() >= VERSIONS_MAX {
                let message = format!(
                    "A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new \
                     version, you must delete an existing version."
                );
                return Err(Fault::new("LimitExceededException", message));
            }
            let number = policy.next_version;
            policy.next_version += 1;
            let version = PolicyVersion { document: asked.policy_document.clone(), created_ms: now };
            if asked.set_as_default {
                policy.default_version = number;
                policy.updated_ms = now;
            }
            let shown = show::version(policy, number, &version);
            policy.versions.insert(number, version);
            Ok(json!({ "PolicyVersion": shown }))
        })
    }

    pub(super) fn get_version(&self, asked: &Asked) -> Result<Value, Fault> {
        let policy = self.policy(asked)?;
        let number = version_of(policy, asked)?;
        let version = &policy.versions[&number];
        let mut shown = show::version(policy, number, version);
        shown["Document"] = show::document(&version.document).into();
        Ok(json!({ "PolicyVersion": shown }))
    }

    /// The newest comes first.
    pub(super) fn list_versions(&self, asked: &Asked) -> Result<Value, Fault> {
        let policy = self.policy(asked)?;
        let versions = policy.versions.iter().rev().map(|(number, version)| {
            (format!("{:010}", u32::MAX - number), show::version(policy, *number, version))
        });
        page("Versions", asked, versions)
    }

    pub(super) fn set_default_version(&mut self, now: i64, asked: &Asked) -> Result<Value, Fault> {
        self.change_policy(asked, |policy| {
            policy.default_version = version_of(policy, asked)?;
            policy.updated_ms = now;
            Ok(Value::Null)
        })
    }

    pub(super) fn delete_version(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_policy(asked, |policy| {
            let number = version_of(policy, asked)?;
            if number == policy.default_version {
                let message = "Cannot delete the default version of a policy.";
                return Err(Fault::new("DeleteConflictException", message));
            }
            policy.versions.remove(&number);
            Ok(Value::Null)
        })
    }

    pub(super) fn tag_policy(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_policy(asked, |policy| {
            add_tags(&mut policy.tags, &asked.tags).map(|()| Value::Null)
        })
    }

    pub(super) fn untag_policy(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_policy(asked, |policy| {
            policy.tags.retain(|key, _| !asked.tag_keys.contains(key));
            Ok(Value::Null)
        })
    }

    pub(super) fn list_policy_tags(&self, asked: &Asked) -> Result<Value, Fault> {
        list_tags(&self.policy(asked)?.tags, asked)
    }

    /// Whether a policy can be attached: one of this account, or any of AWS's.
    pub(super) fn attachable(&self, arn: &str) -> Result<(), Fault> {
        check_arn(arn)?;
        if is_awss(arn) || self.policies.contains_key(arn) {
            return Ok(());
        }
        let message = format!("Policy {arn} does not exist or is not attachable.");
        Err(Fault::new("NoSuchEntityException", message))
    }

    fn policy(&self, asked: &Asked) -> Result<&Policy, Fault> {
        let arn = asked.policy_arn.as_str();
        check_arn(arn)?;
        self.policies.get(arn).ok_or_else(|| not_found(arn))
    }

    fn change_policy(
        &mut self,
        asked: &Asked,
        change: impl FnOnce(&mut Policy) -> Result<Value, Fault>,
    ) -> Result<Value, Fault> {
        let arn = asked.policy_arn.as_str();
        check_arn(arn)?;
        self.policies.update(arn, change).ok_or_else(|| not_found(arn))?
    }

    fn attachments(&self, arn: &str) -> usize {
        self.roles.values().filter(|role| role.attached.contains(arn)).count()
    }

    fn show_policy(&self, arn: &str, policy: &Policy, whole: bool) -> Value {
        let bounds =
            self.roles.values().filter(|role| role.boundary.as_deref() == Some(arn)).count();
        let mut shown = show::policy(policy, arn, self.attachments(arn), bounds);
        // AWS: lists have neither descriptions nor tags.
        if whole {
            if let Some(description) = &policy.description {
                shown["Description"] = description.as_str().into();
            }
            shown["Tags"] = show::tags(&policy.tags);
        }
        shown
    }

    fn show_awss(&self, arn: &str) -> Value {
        json!({
            "PolicyName": arn.rsplit('/').next().unwrap_or(arn),
            "Arn": arn,
            "Path": path(arn),
            "DefaultVersionId": "v1",
            "AttachmentCount": self.attachments(arn),
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": true,
        })
    }
}

/// Refuses what is no ARN.
pub(super) fn check_arn(arn: &str) -> Result<(), Fault> {
    if arn.starts_with("arn:") && arn.split(':').count() >= 6 {
        return Ok(());
    }
    Err(Fault::new("ValidationError", "Invalid ARN:  Could not be parsed!"))
}

/// The refusal for a policy that is not there.
pub(super) fn not_found(arn: &str) -> Fault {
    Fault::new("NoSuchEntityException", format!("Policy {arn} was not found."))
}

/// Whether AWS made the policy.
fn is_awss(arn: &str) -> bool {
    arn.starts_with("arn:aws:iam::aws:policy/")
}

fn version_of(policy: &Policy, asked: &Asked) -> Result<u32, Fault> {
    let number = asked.version_id.strip_prefix('v').and_then(|number| number.parse().ok());
    number.filter(|number| policy.versions.contains_key(number)).ok_or_else(|| {
        let (arn, version) = (&asked.policy_arn, &asked.version_id);
        let message =
            format!("Policy {arn} version {version} does not exist or is not attachable.");
        Fault::new("NoSuchEntityException", message)
    })
}
