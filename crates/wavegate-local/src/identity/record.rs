//! What is remembered. These records are also the format on disk (inside the versioned state file):
//! fields may be added with defaults, never renamed or removed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Tags by their keys.
pub(super) type Tags = BTreeMap<String, String>;

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) created_ms: i64,
    /// Who may assume it, as it was given.
    pub(super) trust: String,
    pub(super) description: Option<String>,
    pub(super) session_seconds: u32,
    pub(super) boundary: Option<String>,
    pub(super) tags: Tags,
    /// Its own policies, by name.
    pub(super) inline: BTreeMap<String, String>,
    /// The ARNs of managed policies.
    pub(super) attached: BTreeSet<String>,
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) description: Option<String>,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) tags: Tags,
    pub(super) default_version: u32,
    pub(super) next_version: u32,
    pub(super) versions: BTreeMap<u32, PolicyVersion>,
}

/// A version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PolicyVersion {
    pub(super) document: String,
    pub(super) created_ms: i64,
}
