//! What is remembered about a function. These records are also the format on disk (inside the
//! versioned state file): fields may be added with defaults, never renamed or removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::beside::Beside;
use super::configuration::Configuration;
use super::settings::Settings;
use crate::lambda::input::Code;
use crate::lambda::name::LATEST;

/// A function: its `$LATEST`, versions, aliases, tags and policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionRecord {
    /// The plain name.
    pub name: String,
    /// `$LATEST`.
    pub latest: VersionRecord,
    /// Published versions by number.
    pub versions: BTreeMap<u64, VersionRecord>,
    /// The number the next published version gets.
    pub next_version: u64,
    /// Aliases by name.
    pub aliases: BTreeMap<String, AliasRecord>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Reserved concurrency.
    pub reserved: Option<u32>,
    /// Resource policies by qualifier; the function's own under the empty text.
    pub policies: BTreeMap<String, PolicyRecord>,
    /// What points at it.
    #[serde(default)]
    pub beside: Beside,
    /// ARN of the code signing configuration it is attached to.
    #[serde(default)]
    pub code_signing_config: Option<String>,
    /// Small settings.
    #[serde(default)]
    pub settings: Settings,
}

impl FunctionRecord {
    /// The version of that name: `$LATEST` or a number.
    pub fn version(&self, version: &str) -> Option<&VersionRecord> {
        if version == LATEST {
            return Some(&self.latest);
        }
        self.versions.get(&version_number(version)?)
    }

    /// The version of that name, for changing.
    pub(super) fn version_mut(&mut self, version: &str) -> Option<&mut VersionRecord> {
        if version == LATEST {
            return Some(&mut self.latest);
        }
        self.versions.get_mut(&version_number(version)?)
    }

    /// `$LATEST` and all published versions.
    pub fn all_versions(&self) -> impl Iterator<Item = &VersionRecord> {
        std::iter::once(&self.latest).chain(self.versions.values())
    }

    /// Applies every transition that is due.
    pub(super) fn settle(&mut self, now: i64) {
        self.latest.settle(now);
        for version in self.versions.values_mut() {
            version.settle(now);
        }
        for alias in self.aliases.values_mut() {
            alias.settle(now);
        }
    }
}

/// A version's number; leading zeros and signs name nothing.
pub(super) fn version_number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number > 0 && number.to_string() == text).then_some(number)
}

/// `$LATEST` or one published version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// `$LATEST` or the number.
    pub version: String,
    /// Its configuration.
    pub configuration: Configuration,
    /// Its code.
    pub code: Code,
    /// Changes whenever code or configuration do: execution environments belong to one.
    pub deployment: String,
    /// Changes at every update and at every transition.
    pub revision_id: String,
    /// Virtual time of the last change.
    pub last_modified_ms: i64,
    /// `$LATEST`'s own description when the version was published; a later publish compares it.
    #[serde(default)]
    pub source_description: String,
    /// Creation under way.
    pub creating: Option<Transition>,
    /// Update under way.
    pub updating: Option<Update>,
    /// When its runtime is updated, if that was said.
    #[serde(default)]
    pub update_runtime_on: Option<String>,
    /// ARN of the runtime's version it stays at.
    #[serde(default)]
    pub pinned_runtime: Option<String>,
    /// How far it is scaled, as it was given.
    #[serde(default)]
    pub scaling: Option<Value>,
}

impl VersionRecord {
    /// The version as it is at `now`.
    pub(super) fn settled(&self, now: i64) -> Self {
        let mut version = self.clone();
        version.settle(now);
        version
    }

    pub(super) fn settle(&mut self, now: i64) {
        if let Some(done) = self.creating.take_if(|creating| creating.done_at_ms <= now) {
            self.revision_id = done.revision_id;
        }
        if let Some(done) = self.updating.take_if(|update| update.end.done_at_ms <= now) {
            self.revision_id = done.end.revision_id;
        }
    }

    /// Hashes of the code it needs, layers and what it is being updated from included.
    pub(super) fn code_hashes(&self) -> impl Iterator<Item = &str> {
        fn hashes<'a>(
            code: &'a Code,
            configuration: &'a Configuration,
        ) -> impl Iterator<Item = &'a str> {
            let layers = configuration.layers.iter().map(|layer| layer.sha256.as_str());
            std::iter::once(code.sha256()).chain(layers)
        }
        let previous = self.updating.iter().map(|update| &update.previous);
        hashes(&self.code, &self.configuration)
            .chain(previous.flat_map(|it| hashes(&it.code, &it.configuration)))
    }

    /// Deployments an invocation may reach, the one it is being updated from included.
    pub(super) fn deployments(&self) -> impl Iterator<Item = &str> {
        let previous = self.updating.as_ref().map(|update| update.previous.deployment.as_str());
        std::iter::once(self.deployment.as_str()).chain(previous)
    }
}

/// The end of something AWS does by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Virtual time at which it is done.
    pub done_at_ms: i64,
    /// The revision id from then on.
    pub revision_id: String,
}

/// An update under way; invocations go to the old code until it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// Its end.
    pub end: Transition,
    /// What invocations get until then.
    pub previous: Box<Deployed>,
}

/// Code and configuration that can be invoked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// The configuration.
    pub configuration: Configuration,
    /// The code.
    pub code: Code,
    /// Their identity.
    pub deployment: String,
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AliasRecord {
    /// Its name.
    pub name: String,
    /// The version that gets the rest of the traffic.
    pub function_version: String,
    /// Free text.
    pub description: String,
    /// The second version and its share, if any.
    pub additional: Option<(String, f64)>,
    /// Changes at every update.
    pub revision_id: String,
    /// AWS still routes everything to the version in `additional`, which the alias has left.
    #[serde(default)]
    pub settling: Option<Transition>,
}

impl AliasRecord {
    /// Whether traffic can reach `version` through this alias.
    pub fn references(&self, version: &str) -> bool {
        self.function_version == version
            || self.additional.as_ref().is_some_and(|(extra, _)| extra == version)
    }
}

/// A resource policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// Statements by id, in order of creation.
    pub statements: Vec<(String, Value)>,
    /// Changes with the policy.
    pub revision_id: String,
}
