//! Layers: versions of content that functions are laid over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::beside::no_such_resource;
use super::configuration::timestamp;
use super::record::PolicyRecord;
use super::{Lambda, page};
use crate::home::is_account;
use crate::lambda::error::ApiError;
use crate::lambda::input::Code;
use crate::lambda::name::{Home, is_word};
use crate::lambda::output::{Layer, Page};

/// AWS: layers of one function.
const LAYERS_MAX: usize = 5;

/// A layer. Its numbers are never used twice, also not when all its versions are gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// The number the next version gets.
    pub next_version: u64,
    /// The versions that were not deleted.
    pub versions: BTreeMap<u64, LayerVersionRecord>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// One version of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerVersionRecord {
    /// Its content.
    pub code: Code,
    /// Free text.
    pub description: String,
    /// Its licence, in the publisher's words.
    pub license_info: Option<String>,
    /// What it says it is made for; absent when it says nothing.
    pub compatible_runtimes: Option<Vec<String>>,
    /// As well.
    pub compatible_architectures: Option<Vec<String>>,
    /// Virtual time of its creation.
    pub created_ms: i64,
    /// Who else may use it.
    pub policy: Option<PolicyRecord>,
}

/// A layer as a function uses it: also when the version was deleted since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerUse {
    /// The ARN of the version.
    pub arn: String,
    /// Base64 of the SHA-256 of its zip.
    pub sha256: String,
    /// Bytes of its zip.
    pub size: u64,
}

impl From<&LayerUse> for Layer {
    fn from(used: &LayerUse) -> Self {
        Self { arn: used.arn.clone(), code_size: used.size }
    }
}

/// `PublishLayerVersion`, without the content.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PublishLayer {
    /// Free text.
    pub description: Option<String>,
    /// Its licence, in the publisher's words.
    pub license_info: Option<String>,
    /// Runtimes it is made for.
    pub compatible_runtimes: Option<Vec<String>>,
    /// Architectures it is made for.
    pub compatible_architectures: Option<Vec<String>>,
}

/// What `ListLayers` and `ListLayerVersions` keep.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LayerFilter {
    /// Only what is made for this runtime.
    pub compatible_runtime: Option<String>,
    /// Only what is made for this architecture.
    pub compatible_architecture: Option<String>,
}

impl LayerFilter {
    fn keeps(&self, version: &LayerVersionRecord) -> bool {
        let names = |list: &Option<Vec<String>>, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|it| list.as_ref().is_some_and(|list| list.contains(it)))
        };
        names(&version.compatible_runtimes, &self.compatible_runtime)
            && names(&version.compatible_architectures, &self.compatible_architecture)
    }
}

impl Lambda {
    /// `PublishLayerVersion`; the content was taken in before.
    pub fn publish_layer_version(
        &mut self,
        now: i64,
        layer: &str,
        input: PublishLayer,
        code: Code,
    ) -> Result<Value, ApiError> {
        let name = self.layer_name(layer)?;
        let record = self.layers.get_or_insert(&name, || LayerRecord {
            next_version: 1,
            versions: BTreeMap::new(),
            tags: BTreeMap::new(),
        });
        let number = record.next_version;
        record.next_version += 1;
        let version = LayerVersionRecord {
            code,
            description: input.description.unwrap_or_default(),
            license_info: input.license_info,
            compatible_runtimes: input.compatible_runtimes,
            compatible_architectures: input.compatible_architectures,
            created_ms: now,
            policy: None,
        };
        let shown = show(&self.home, &name, number, &version);
        record.versions.insert(number, version);
        Ok(shown)
    }

    /// `GetLayerVersion`, without the place of the content.
    pub fn get_layer_version(&self, layer: &str, number: i64) -> Result<Value, ApiError> {
        let name = self.layer_name(layer)?;
        let number = positive(number)?;
        let version = self.layer_version(&name, number).ok_or_else(no_such_resource)?;
        Ok(show(&self.home, &name, number, version))
    }

    /// `GetLayerVersionByArn`, without the place of the content.
    pub fn get_layer_version_by_arn(&self, arn: &str) -> Result<Value, ApiError> {
        let (layer, number) = self.parse_layer_version(arn).ok_or_else(no_such_resource)?;
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.get_layer_version(&layer, number)
    }

    /// `DeleteLayerVersion`. Functions that use it keep it; absent versions are no error.
    pub fn delete_layer_version(&mut self, layer: &str, number: i64) -> Result<(), ApiError> {
        let name = self.layer_name(layer)?;
        let number = positive(number)?;
        self.layers.update(&name, |record| record.versions.remove(&number));
        Ok(())
    }

    /// `ListLayerVersions`: the newest first.
    pub fn list_layer_versions(
        &self,
        layer: &str,
        filter: &LayerFilter,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Page<Value>, ApiError> {
        let name = self.layer_name(layer)?;
        let versions = self.layers.get(&name).into_iter().flat_map(|layer| layer.versions.iter());
        let items = versions
            .rev()
            .filter(|(_, version)| filter.keeps(version))
            // Markers are compared as texts: the newest has the least.
            .map(|(number, version)| (format!("{:020}", u64::MAX - number), (*number, version)));
        Ok(page(items, marker, max_items, |(number, version)| {
            listed(&self.home, &name, number, version)
        }))
    }

    /// `ListLayers`: each with its newest version that the filter keeps.
    pub fn list_layers(
        &self,
        filter: &LayerFilter,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Page<Value> {
        let items = self.layers.iter().filter_map(|(name, layer)| {
            let mut newest = layer.versions.iter().rev();
            let (number, version) = newest.find(|(_, version)| filter.keeps(version))?;
            Some((name.clone(), (name, *number, version)))
        });
        page(items, marker, max_items, |(name, number, version)| {
            json!({
                "LayerName": name,
                "LayerArn": self.home.resource_arn("layer", name),
                "LatestMatchingVersion": listed(&self.home, name, number, version),
            })
        })
    }

    /// What a function is to be laid over.
    pub(super) fn use_layers(&self, arns: &[String]) -> Result<Vec<LayerUse>, ApiError> {
        if arns.len() > LAYERS_MAX {
            return Err(ApiError::invalid(format!(
                "Cannot reference more than {LAYERS_MAX} layers."
            )));
        }
        let mut used: Vec<LayerUse> = Vec::new();
        for arn in arns {
            let layer = |arn: &str| arn.rsplit_once(':').map(|(layer, _)| layer.to_owned());
            if let Some(other) = used.iter().find(|other| layer(&other.arn) == layer(arn)) {
                return Err(ApiError::invalid(format!(
                    "Two different versions of the same layer are not allowed to be referenced in \
                     the same function. {} and {arn} are versions of the same layer.",
                    other.arn
                )));
            }
            used.push(self.use_layer(arn)?);
        }
        Ok(used)
    }

    fn use_layer(&self, arn: &str) -> Result<LayerUse, ApiError> {
        let home = &self.home;
        let parts: Vec<&str> = arn.split(':').collect();
        if parts.get(3).is_some_and(|region| *region != home.region) {
            return Err(ApiError::invalid(format!(
                "Layers are not in the same region as the function. Layers are expected to be in \
                 region {}.",
                home.region
            )));
        }
        if parts.get(4).is_some_and(|account| is_account(account) && *account != home.account) {
            return Err(ApiError::new(
                403,
                "AccessDeniedException",
                format!(
                    "User: arn:{}:iam::{}:root is not authorized to perform: \
                     lambda:GetLayerVersion on resource: {arn} because no resource-based policy \
                     allows the lambda:GetLayerVersion action",
                    home.partition(),
                    home.account
                ),
            ));
        }
        let found = self.parse_layer_version(arn);
        let version = found.and_then(|(name, number)| self.layer_version(&name, number));
        let version = version
            .ok_or_else(|| ApiError::invalid(format!("Layer version {arn} does not exist.")))?;
        Ok(LayerUse {
            arn: arn.to_owned(),
            sha256: version.code.sha256().to_owned(),
            size: version.code.size(),
        })
    }

    pub(super) fn layer_version(&self, name: &str, number: u64) -> Option<&LayerVersionRecord> {
        self.layers.get(name)?.versions.get(&number)
    }

    /// The plain name of a layer, written as that or as an ARN.
    pub(super) fn layer_name(&self, text: &str) -> Result<String, ApiError> {
        let name = text.rsplit(':').next().unwrap_or_default();
        let is_own = text == name || text == self.home.resource_arn("layer", name);
        if is_own && !name.is_empty() && name.bytes().all(is_word) {
            return Ok(name.to_owned());
        }
        Err(no_such_resource())
    }

    fn parse_layer_version(&self, arn: &str) -> Option<(String, u64)> {
        let (layer, number) = arn.rsplit_once(':')?;
        let name = self.layer_name(layer).ok().filter(|name| name != layer)?;
        Some((name, number.parse().ok()?))
    }
}

/// A version's number, which AWS takes as a signed one and then looks at.
pub(super) fn positive(number: i64) -> Result<u64, ApiError> {
    u64::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| ApiError::invalid("Layer Version Cannot be less than 1"))
}

fn show(home: &Home, name: &str, number: u64, version: &LayerVersionRecord) -> Value {
    let mut shown = listed(home, name, number, version);
    shown["LayerArn"] = json!(home.resource_arn("layer", name));
    shown["Content"] =
        json!({ "CodeSha256": version.code.sha256(), "CodeSize": version.code.size() });
    shown
}

fn listed(home: &Home, name: &str, number: u64, version: &LayerVersionRecord) -> Value {
    let mut shown = Map::new();
    let mut tell = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    let arn = home.resource_arn("layer", &format!("{name}:{number}"));
    tell("LayerVersionArn", json!(arn));
    tell("Version", json!(number));
    tell("Description", json!(version.description));
    tell("CreatedDate", json!(timestamp(version.created_ms)));
    for (key, value) in [
        ("LicenseInfo", version.license_info.as_ref().map(|text| json!(text))),
        ("CompatibleRuntimes", version.compatible_runtimes.as_ref().map(|list| json!(list))),
        (
            "CompatibleArchitectures",
            version.compatible_architectures.as_ref().map(|list| json!(list)),
        ),
    ] {
        if let Some(value) = value {
            tell(key, value);
        }
    }
    Value::Object(shown)
}
