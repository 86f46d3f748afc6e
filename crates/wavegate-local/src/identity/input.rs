//! What an operation is asked; each reads of it what its model has.

use serde::Deserialize;

use super::record::Tags;
use crate::wire::Fault;

/// AWS: tags of a role or policy.
const TAGS_MAX: usize = 50;

/// The members of all inputs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Asked {
    pub(super) role_name: String,
    pub(super) policy_name: String,
    pub(super) policy_arn: String,
    pub(super) version_id: String,
    pub(super) policy_document: String,
    pub(super) assume_role_policy_document: String,
    pub(super) path: Option<String>,
    pub(super) path_prefix: Option<String>,
    pub(super) description: Option<String>,
    pub(super) max_session_duration: Option<u32>,
    pub(super) permissions_boundary: Option<String>,
    pub(super) tags: Vec<Tag>,
    pub(super) tag_keys: Vec<String>,
    pub(super) set_as_default: bool,
    pub(super) only_attached: bool,
    pub(super) scope: Option<String>,
    pub(super) entity_filter: Option<String>,
    pub(super) marker: Option<String>,
    pub(super) max_items: Option<usize>,
}

/// A tag as it comes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Tag {
    key: String,
    value: String,
}

impl Asked {
    /// The path of what is made.
    pub(super) fn path(&self) -> String {
        self.path.clone().unwrap_or_else(|| "/".to_owned())
    }

    /// Whether something with that path is among what is listed.
    pub(super) fn lists(&self, path: &str) -> bool {
        self.path_prefix.as_deref().is_none_or(|prefix| path.starts_with(prefix))
    }
}

/// Adds tags. Their keys are one whatever their case.
pub(super) fn add_tags(tags: &mut Tags, given: &[Tag]) -> Result<(), Fault> {
    let mut seen = std::collections::BTreeSet::new();
    if given.iter().any(|tag| !seen.insert(tag.key.to_lowercase())) {
        return Err(Fault::new(
            "InvalidInputException",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ));
    }
    let mut changed = tags.clone();
    for tag in given {
        changed.retain(|key, _| key.to_lowercase() != tag.key.to_lowercase());
        changed.insert(tag.key.clone(), tag.value.clone());
    }
    if changed.len() > TAGS_MAX {
        return Err(Fault::new(
            "LimitExceededException",
            format!("The number of tags has reached the maximum limit of {TAGS_MAX}."),
        ));
    }
    *tags = changed;
    Ok(())
}
