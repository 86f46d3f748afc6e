//! What is remembered besides deployments. These records are also the format on disk (inside the
//! versioned state file): fields may be added with defaults, never renamed or removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deployment::{AutoRollback, Watch};
use super::routing::Routing;

/// Tags by their keys.
pub(crate) type Tags = BTreeMap<String, String>;

/// An application. Its name is the key it is kept under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    pub(crate) tags: Tags,
}

/// A deployment group. Its id is the key it is kept under, because names change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) application: String,
    pub(crate) name: String,
    pub(crate) config: String,
    pub(crate) role: String,
    pub(crate) watch: Option<Watch>,
    pub(crate) rollback: Option<AutoRollback>,
    /// Kept and shown as they came: the local cloud notifies nobody.
    pub(crate) triggers: Vec<Value>,
    pub(crate) outdated: Option<String>,
    pub(crate) tags: Tags,
}

/// A custom deployment configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Config {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) routing: Routing,
    pub(crate) created_ms: i64,
}
