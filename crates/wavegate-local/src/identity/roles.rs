//! Roles themselves: made, shown, changed, deleted, tagged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Identity;
use super::document;
use super::input::{Asked, add_tags};
use super::new_id;
use super::page::page;
use super::policies::check_arn;
use super::record::{Role, Tags};
use super::show;
use crate::ids::Ids;
use crate::wire::Fault;

/// AWS: the longest session of a role that does not say.
pub(super) const SESSION_SECONDS: u32 = 3600;

impl Identity {
    pub(super) fn create_role(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        asked: &Asked,
    ) -> Result<Value, Fault> {
        document::check_trust(&asked.assume_role_policy_document)?;
        let key = asked.role_name.to_lowercase();
        if self.roles.contains_key(&key) {
            let message = format!("Role with name {} already exists.", asked.role_name);
            return Err(Fault::new("EntityAlreadyExistsException", message));
        }
        if let Some(arn) = &asked.permissions_boundary {
            check_arn(arn)?;
        }
        let mut tags = Tags::new();
        add_tags(&mut tags, &asked.tags)?;
        let role = Role {
            id: new_id(ids, "AROA"),
            name: asked.role_name.clone(),
            path: asked.path(),
            created_ms: now,
            trust: asked.assume_role_policy_document.clone(),
            description: asked.description.clone(),
            session_seconds: asked.max_session_duration.unwrap_or(SESSION_SECONDS),
            boundary: asked.permissions_boundary.clone(),
            tags,
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
        };
        let mut shown = self.show_role(&role, true);
        // AWS: a new role's session length is not in the answer unless it was in the request.
        if asked.max_session_duration.is_none()
            && let Some(shown) = shown.as_object_mut()
        {
            shown.remove("MaxSessionDuration");
        }
        self.roles.insert(key, role);
        Ok(json!({ "Role": shown }))
    }

    pub(super) fn get_role(&self, asked: &Asked) -> Result<Value, Fault> {
        let mut shown = self.show_role(self.role(asked)?, true);
        shown["RoleLastUsed"] = json!({});
        Ok(json!({ "Role": shown }))
    }

    pub(super) fn list_roles(&self, asked: &Asked) -> Result<Value, Fault> {
        let roles = self.roles.iter().filter(|(_, role)| asked.lists(&role.path));
        page("Roles", asked, roles.map(|(key, role)| (key.clone(), self.show_role(role, false))))
    }

    pub(super) fn update_role(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_role(asked, |role| {
            if let Some(description) = &asked.description {
                role.description = Some(description.clone());
            }
            if let Some(seconds) = asked.max_session_duration {
                role.session_seconds = seconds;
            }
            Ok(json!({}))
        })
    }

    pub(super) fn update_role_description(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_role(asked, |role| {
            role.description.clone_from(&asked.description);
            Ok(Value::Null)
        })?;
        Ok(json!({ "Role": self.show_role(self.role(asked)?, true) }))
    }

    pub(super) fn update_trust(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_role(asked, |role| {
            document::check_trust(&asked.policy_document)?;
            role.trust.clone_from(&asked.policy_document);
            Ok(Value::Null)
        })
    }

    pub(super) fn put_boundary(&mut self, asked: &Asked) -> Result<Value, Fault> {
        let boundary = asked.permissions_boundary.clone();
        if let Some(arn) = &boundary {
            self.attachable(arn)?;
        }
        self.change_role(asked, |role| {
            role.boundary = boundary;
            Ok(Value::Null)
        })
    }

    pub(super) fn delete_boundary(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_role(asked, |role| {
            if role.boundary.take().is_none() {
                let message = format!("Role {} has no permissions boundary.", role.name);
                return Err(Fault::new("NoSuchEntityException", message));
            }
            Ok(Value::Null)
        })
    }

    pub(super) fn delete_role(&mut self, asked: &Asked) -> Result<Value, Fault> {
        let role = self.role(asked)?;
        let first = if !role.attached.is_empty() {
            "detach all policies"
        } else if !role.inline.is_empty() {
            "delete policies"
        } else {
            let key = asked.role_name.to_lowercase();
            self.roles.remove(&key);
            return Ok(Value::Null);
        };
        let message = format!("Cannot delete entity, must {first} first.");
        Err(Fault::new("DeleteConflictException", message))
    }

    pub(super) fn tag_role(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_role(asked, |role| add_tags(&mut role.tags, &asked.tags).map(|()| Value::Null))
    }

    pub(super) fn untag_role(&mut self, asked: &Asked) -> Result<Value, Fault> {
        self.change_role(asked, |role| {
            role.tags.retain(|key, _| !asked.tag_keys.contains(key));
            Ok(Value::Null)
        })
    }

    pub(super) fn list_role_tags(&self, asked: &Asked) -> Result<Value, Fault> {
        list_tags(&self.role(asked)?.tags, asked)
    }

    /// There are no instance profiles here; who deletes a role looks for them first.
    pub(super) fn list_profiles(&self, asked: &Asked) -> Result<Value, Fault> {
        self.role(asked)?;
        page("InstanceProfiles", asked, [])
    }

    pub(super) fn role(&self, asked: &Asked) -> Result<&Role, Fault> {
        self.roles.get(&asked.role_name.to_lowercase()).ok_or_else(|| no_role(&asked.role_name))
    }

    /// Changes a role. A change that is refused leaves it as it was.
    pub(super) fn change_role(
        &mut self,
        asked: &Asked,
        change: impl FnOnce(&mut Role) -> Result<Value, Fault>,
    ) -> Result<Value, Fault> {
        let key = asked.role_name.to_lowercase();
        self.roles.update(&key, change).ok_or_else(|| no_role(&asked.role_name))?
    }

    fn show_role(&self, role: &Role, whole: bool) -> Value {
        let mut shown = show::role(role, &self.arn("role", &role.path, &role.name));
        shown["MaxSessionDuration"] = role.session_seconds.into();
        if let Some(description) = &role.description {
            shown["Description"] = description.as_str().into();
        }
        // AWS: lists have neither tags nor boundaries.
        if whole {
            if !role.tags.is_empty() {
                shown["Tags"] = show::tags(&role.tags);
            }
            if let Some(arn) = &role.boundary {
                shown["PermissionsBoundary"] = json!({
                    "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn
                });
            }
        }
        shown
    }
}

/// The answer with a page of tags.
pub(super) fn list_tags(tags: &Tags, asked: &Asked) -> Result<Value, Fault> {
    let shown =
        tags.iter().map(|(key, value)| (key.clone(), json!({ "Key": key, "Value": value })));
    page("Tags", asked, shown)
}

fn no_role(name: &str) -> Fault {
    Fault::new("NoSuchEntityException", format!("The role with name {name} cannot be found."))
}
