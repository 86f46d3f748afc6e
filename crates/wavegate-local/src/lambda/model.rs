//! The model of Lambda: pure state and rules.
//!
//! No clock, no I/O, no runtime: every method takes the virtual time in milliseconds, and those
//! that make something new take [`Ids`] too. The HTTP server drives it, and so can a simulator.
//!
//! Transitions that AWS makes by itself (`Pending` to `Active`, `InProgress` to `Successful`) are
//! computed from the time that is passed in: an operation that finds them due applies them, with
//! the revision id that was drawn when they were started, so reads stay reads.
//!
//! Deliberately absent: file systems (refused), networks, anything that polls what stands beside a
//! function (see `beside`), and any judgement of roles, policies or signatures.

mod admission;
mod alias;
mod beside;
mod check;
mod code_signing;
mod concurrency;
mod configuration;
mod delivery;
mod event_invoke;
mod function;
mod layer;
mod layer_policy;
mod mapping;
mod policy;
mod provisioned;
mod record;
mod resource_policy;
mod rows;
mod settings;
mod source;
mod tags;
mod url;
mod url_target;
mod version;
mod warm;

use std::collections::{BTreeMap, BTreeSet};

pub use admission::{Admission, Route};
pub use beside::{Beside, EventInvokeRecord, ProvisionedRecord, UrlRecord};
pub use code_signing::{CodeSigningInput, CodeSigningRecord};
pub use configuration::Configuration;
pub use delivery::Delivery;
pub use event_invoke::EventInvokeInput;
pub use layer::{LayerFilter, LayerRecord, LayerUse, LayerVersionRecord, PublishLayer};
pub use layer_policy::AddLayerPermission;
pub use mapping::{MappingInput, MappingRecord};
pub use record::{AliasRecord, Deployed, FunctionRecord, PolicyRecord, VersionRecord};
pub use settings::{RuntimeManagementInput, Settings};
pub use url::UrlInput;
pub use url_target::UrlTarget;
pub use warm::{Kept, Start};

use super::error::ApiError;
use super::name::{Home, LATEST, Target};
use super::output::Page;
use crate::ids::Ids;
use crate::rows::Rows;

/// AWS: concurrent executions of an account.
pub const ACCOUNT_CONCURRENCY: u32 = 1000;
/// AWS: concurrency that reservations must leave to functions without one.
pub const UNRESERVED_MINIMUM: u32 = 100;
/// AWS: items in one page of any Lambda list, whatever `MaxItems` says.
pub const PAGE: usize = 50;

/// The functions of one account in one region, with their versions and aliases, and what else Lambda
/// keeps there.
#[derive(Debug)]
pub struct Lambda {
    home: Home,
    settle_ms: i64,
    functions: BTreeMap<String, FunctionRecord>,
    /// The next version number of deleted functions: AWS never uses one twice, also not for a
    /// function that was deleted and created again.
    retired: BTreeMap<String, u64>,
    running: BTreeMap<String, u32>,
    /// Those of them that run in provisioned environments, by function and version.
    running_provisioned: BTreeMap<(String, String), u32>,
    /// Environments that are to be started for provisioned concurrency.
    starts: warm::Starts,
    changed: BTreeSet<String>,
    /// What function URLs begin with where they are served; AWS's own form when absent.
    urls_at: Option<String>,
    /// Layers by name.
    layers: Rows<LayerRecord>,
    /// Code signing configurations by id.
    code_signing: Rows<CodeSigningRecord>,
    /// Event source mappings by id.
    mappings: Rows<MappingRecord>,
}

impl Lambda {
    /// An empty account. `settle_ms` is how long creations and updates stay under way, in virtual
    /// milliseconds.
    pub fn new(region: &str, account: &str, settle_ms: i64) -> Self {
        Self {
            home: Home { region: region.to_owned(), account: account.to_owned() },
            settle_ms,
            functions: BTreeMap::new(),
            retired: BTreeMap::new(),
            running: BTreeMap::new(),
            running_provisioned: BTreeMap::new(),
            starts: warm::Starts::default(),
            changed: BTreeSet::new(),
            urls_at: None,
            layers: Rows::new("layer"),
            code_signing: Rows::new("code-signing-config"),
            mappings: Rows::new("event-source-mapping"),
        }
    }

    /// Function URLs are served: each at `prefix`, its id and a slash.
    pub fn serve_urls_at(&mut self, prefix: String) {
        self.urls_at = Some(prefix);
    }

    /// Puts stored functions back, as [`Lambda::record`] and [`Lambda::retired`] gave them.
    pub fn restore(
        &mut self,
        functions: impl IntoIterator<Item = (String, FunctionRecord)>,
        retired: BTreeMap<String, u64>,
    ) {
        self.functions = functions.into_iter().collect();
        self.retired = retired;
        self.adopt_mappings();
    }

    /// Names of functions that were created, changed or deleted since the last call.
    pub fn take_changes(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.changed)
    }

    /// Notes functions as changed once more, because storing them failed.
    pub fn not_stored(&mut self, names: BTreeSet<String>) {
        self.changed.extend(names);
    }

    /// A function's whole record, for storing it. Absent after deletion.
    pub fn record(&self, name: &str) -> Option<&FunctionRecord> {
        self.functions.get(name)
    }

    /// Next version numbers of deleted functions, for storing them.
    pub fn retired(&self) -> &BTreeMap<String, u64> {
        &self.retired
    }

    /// Where names are resolved.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// How many functions there are.
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// The runtimes of all functions.
    pub fn runtimes(&self) -> BTreeSet<String> {
        let latest = self.functions.values().map(|function| &function.latest);
        latest.filter_map(|version| version.configuration.runtime.clone()).collect()
    }

    /// Every code hash that a function, a version or a layer still uses.
    pub fn code_in_use(&self) -> BTreeSet<String> {
        let versions = self.functions.values().flat_map(FunctionRecord::all_versions);
        let layers = self.layers.values().flat_map(|layer| layer.versions.values());
        let hashes = versions.flat_map(VersionRecord::code_hashes);
        hashes.chain(layers.map(|it| it.code.sha256())).map(ToOwned::to_owned).collect()
    }

    /// Every deployment (see [`VersionRecord::deployment`]) that an invocation could still reach.
    pub fn deployments_in_use(&self) -> BTreeSet<String> {
        let versions = self.functions.values().flat_map(FunctionRecord::all_versions);
        versions.flat_map(VersionRecord::deployments).map(ToOwned::to_owned).collect()
    }

    /// A name without a qualifier, for operations that act on the whole function.
    fn unqualified(&self, text: &str) -> Result<String, ApiError> {
        let target = self.home.resolve(text, None)?;
        match target.qualifier.as_deref() {
            None | Some(LATEST) => Ok(target.name),
            Some(_) => Err(ApiError::qualified()),
        }
    }

    fn function(&self, name: &str) -> Result<&FunctionRecord, ApiError> {
        self.functions.get(name).ok_or_else(|| ApiError::no_function(&self.home.arn(name, None)))
    }

    /// A function for changing: due transitions are applied, and it is noted as changed.
    fn function_mut(&mut self, now: i64, name: &str) -> Result<&mut FunctionRecord, ApiError> {
        let Some(function) = self.functions.get_mut(name) else {
            return Err(ApiError::no_function(&self.home.arn(name, None)));
        };
        function.settle(now);
        self.changed.insert(name.to_owned());
        Ok(function)
    }

    /// The version that a target means, settled as of `now`; aliases give their main version.
    fn version(&self, now: i64, target: &Target) -> Result<VersionRecord, ApiError> {
        let missing =
            || ApiError::no_function(&self.home.arn(&target.name, target.qualifier.as_deref()));
        let function = self.functions.get(&target.name).ok_or_else(missing)?;
        let wanted = match target.qualifier.as_deref() {
            None => LATEST,
            Some(alias) if function.aliases.contains_key(alias) => {
                &function.aliases[alias].function_version
            }
            Some(version) => version,
        };
        Ok(function.version(wanted).ok_or_else(missing)?.settled(now))
    }
}

/// Draws the end of a transition that starts now.
fn transition(now: i64, settle_ms: i64, ids: &mut dyn Ids) -> record::Transition {
    record::Transition { done_at_ms: now.saturating_add(settle_ms), revision_id: ids.uuid() }
}

/// Cuts one page out of sorted items. The marker is the key of the last item given out.
fn page<'a, T: 'a, U>(
    items: impl Iterator<Item = (String, T)>,
    marker: Option<&str>,
    max_items: Option<usize>,
    show: impl Fn(T) -> U,
) -> Page<U> {
    page_of(items, marker, max_items.unwrap_or(PAGE).clamp(1, PAGE), show)
}

fn page_of<'a, T: 'a, U>(
    items: impl Iterator<Item = (String, T)>,
    marker: Option<&str>,
    limit: usize,
    show: impl Fn(T) -> U,
) -> Page<U> {
    let mut rest = items.skip_while(|(key, _)| marker.is_some_and(|marker| key.as_str() <= marker));
    let mut last = None;
    let mut shown = Vec::new();
    for (key, item) in rest.by_ref().take(limit) {
        last = Some(key);
        shown.push(show(item));
    }
    let next_marker = if rest.next().is_some() { last } else { None };
    Page { items: shown, next_marker }
}

#[cfg(test)]
mod tests;
