//! Tags of groups.

use std::collections::BTreeMap;

use rusqlite::params;
use serde_json::{Value, json};

use super::input::Asked;
use super::{Desk, Refusal};
use crate::wire::Fault;

/// AWS: tags of one group.
const TAGS_MAX: usize = 50;

impl Desk<'_> {
    pub(super) fn tag(&self, asked: &Asked) -> Result<Value, Refusal> {
        self.change_tags(asked, |tags| tags.extend(asked.tags()))
    }

    pub(super) fn untag(&self, asked: &Asked) -> Result<Value, Refusal> {
        let keys = asked.tag_keys();
        self.change_tags(asked, |tags| tags.retain(|key, _| !keys.contains(key)))
    }

    pub(super) fn list_tags(&self, asked: &Asked) -> Result<Value, Refusal> {
        let group = self.group(asked.group_name()?)?;
        Ok(json!({ "tags": group.tags }))
    }

    fn change_tags(
        &self,
        asked: &Asked,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<Value, Refusal> {
        let mut group = self.group(asked.group_name()?)?;
        change(&mut group.tags);
        check_tags(&group.tags)?;
        self.data.execute(
            "update log_group set tags = ?2 where id = ?1",
            params![group.id, json!(group.tags).to_string()],
        )?;
        Ok(Value::Null)
    }
}

/// Refuses more tags than a group may have.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() > TAGS_MAX {
        let message = format!("The resource can have no more than {TAGS_MAX} tags.");
        return Err(Fault::new("TooManyTagsException", message).into());
    }
    Ok(())
}
