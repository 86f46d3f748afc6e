//! Event source mappings: kept and shown with AWS's states. Nothing is polled.
//!
//! A mapping stands on its own: it stays when its function is deleted, as on AWS.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::beside::{no_such_resource, seconds};
use super::source::{self, Source};
use super::tags::check_tags;
use super::{Lambda, page_of};
use crate::ids::Ids;
use crate::lambda::error::ApiError;
use crate::lambda::name::Target;
use crate::lambda::output::Page;

const KIND: &str = "event-source-mapping";
const DELETING: &str = "Deleting";
/// AWS: items in one page of mappings.
const PAGE: usize = 100;

/// An event source mapping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappingRecord {
    /// The function it calls.
    #[serde(default)]
    pub function: String,
    /// What of it: a version, an alias, or nothing for the function itself.
    pub qualifier: Option<String>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Virtual time of the last change.
    pub changed_ms: i64,
    /// What is under way since then: `Creating`, `Enabling`, `Disabling`, `Updating`, `Deleting`.
    pub under_way: String,
    /// Everything else, as the caller gave it, completed by AWS's defaults.
    pub given: Map<String, Value>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// `CreateEventSourceMapping` and `UpdateEventSourceMapping`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MappingInput {
    /// The function, with or without a qualifier.
    pub function_name: Option<String>,
    /// Whether it is switched on.
    pub enabled: Option<bool>,
    /// Tags, at the creation only.
    pub tags: BTreeMap<String, String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Lambda {
    /// `CreateEventSourceMapping`.
    pub fn create_mapping(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        input: MappingInput,
    ) -> Result<Value, ApiError> {
        let mut given = input.rest;
        let source = Source::of(&given)?;
        source.check_new(&given)?;
        check_tags(&input.tags)?;
        let target = self.mapped(now, &input.function_name.unwrap_or_default())?;
        source.complete(ids, &mut given);
        let enabled = input.enabled.unwrap_or(true);
        let mapping = MappingRecord {
            function: target.name,
            qualifier: target.qualifier,
            enabled,
            changed_ms: now,
            // AWS: one that is made switched off is there at once.
            under_way: if enabled { "Creating" } else { "Disabled" }.to_owned(),
            given,
            tags: input.tags,
        };
        self.check_no_twin(now, source, &mapping, None)?;
        let id = ids.uuid();
        let shown = self.show_mapping(now, &id, &mapping);
        self.mappings.insert(id, mapping);
        Ok(shown)
    }

    /// `GetEventSourceMapping`.
    pub fn get_mapping(&self, now: i64, id: &str) -> Result<Value, ApiError> {
        let mapping = self.mapping(now, id)?;
        Ok(self.show_mapping(now, id, mapping))
    }

    /// `UpdateEventSourceMapping`: what is given replaces what was.
    pub fn update_mapping(
        &mut self,
        now: i64,
        id: &str,
        input: MappingInput,
    ) -> Result<Value, ApiError> {
        let mut mapping = self.mapping(now, id)?.clone();
        self.check_still(now, &mapping, "update")?;
        let source = Source::of(&mapping.given)?;
        let mut under_way = "Updating";
        if let Some(name) = &input.function_name {
            let target = self.mapped(now, name)?;
            (mapping.function, mapping.qualifier) = (target.name, target.qualifier);
        }
        if let Some(enabled) = input.enabled.filter(|enabled| *enabled != mapping.enabled) {
            under_way = if enabled { "Enabling" } else { "Disabling" };
            mapping.enabled = enabled;
        }
        mapping.given.extend(input.rest.into_iter().filter(|(key, _)| key != "UUID"));
        source.check(&mapping.given)?;
        self.check_no_twin(now, source, &mapping, Some(id))?;
        under_way.clone_into(&mut mapping.under_way);
        mapping.changed_ms = now;
        let shown = self.show_mapping(now, id, &mapping);
        self.mappings.insert(id, mapping);
        Ok(shown)
    }

    /// `DeleteEventSourceMapping`: it is `Deleting` for a while, then gone.
    pub fn delete_mapping(&mut self, now: i64, id: &str) -> Result<Value, ApiError> {
        let mut mapping = self.mapping(now, id)?.clone();
        self.check_still(now, &mapping, "delete")?;
        DELETING.clone_into(&mut mapping.under_way);
        mapping.changed_ms = now;
        let shown = self.show_mapping(now, id, &mapping);
        self.mappings.insert(id, mapping);
        self.forget_deleted(now);
        Ok(shown)
    }

    /// `ListEventSourceMappings`: all of the account, or those of one source, or those that call
    /// exactly this function, version or alias. Neither needs to exist.
    pub fn list_mappings(
        &self,
        now: i64,
        name: Option<&str>,
        source_arn: Option<&str>,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Page<Value>, ApiError> {
        let target = name.map(|name| self.home.resolve(name, None)).transpose()?;
        let is_target = |mapping: &MappingRecord| {
            target.as_ref().is_none_or(|target| {
                target.name == mapping.function && target.qualifier == mapping.qualifier
            })
        };
        let items = self
            .mappings
            .iter()
            .filter(|(_, mapping)| !self.is_gone(now, mapping) && is_target(mapping))
            .filter(|(_, it)| source_arn.is_none_or(|arn| arn == source::arn(&it.given)))
            .map(|(id, mapping)| (id.clone(), (id, mapping)));
        let limit = max_items.unwrap_or(PAGE).clamp(1, PAGE);
        Ok(page_of(items, marker, limit, |(id, mapping)| self.show_mapping(now, id, mapping)))
    }

    /// Takes mappings over from the functions that an older state keeps them with.
    pub(super) fn adopt_mappings(&mut self) {
        for function in self.functions.values_mut() {
            for (id, mut mapping) in std::mem::take(&mut function.beside.mappings) {
                mapping.function.clone_from(&function.name);
                self.changed.insert(function.name.clone());
                self.mappings.insert(id, mapping);
            }
        }
    }

    fn mapping(&self, now: i64, id: &str) -> Result<&MappingRecord, ApiError> {
        let found = self.mappings.get(id).filter(|mapping| !self.is_gone(now, mapping));
        found.ok_or_else(no_such_resource)
    }

    fn is_gone(&self, now: i64, mapping: &MappingRecord) -> bool {
        mapping.under_way == DELETING && self.is_settled(now, mapping)
    }

    fn is_settled(&self, now: i64, mapping: &MappingRecord) -> bool {
        now >= mapping.changed_ms.saturating_add(self.settle_ms)
    }

    /// AWS refuses to touch a mapping while it is busy with it.
    fn check_still(&self, now: i64, mapping: &MappingRecord, what: &str) -> Result<(), ApiError> {
        if mapping.under_way == "Disabled" || self.is_settled(now, mapping) {
            return Ok(());
        }
        Err(ApiError::new(
            400,
            "ResourceInUseException",
            format!("Cannot {what} the event source mapping because it is in use."),
        ))
    }

    /// Drops the records of mappings whose deletion is over.
    fn forget_deleted(&mut self, now: i64) {
        let is_gone = |mapping: &MappingRecord| self.is_gone(now, mapping);
        let gone = self.mappings.iter().filter(|(_, mapping)| is_gone(mapping));
        let gone: Vec<String> = gone.map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.mappings.remove(&id);
        }
    }

    /// The function, version or alias that a mapping is to call.
    fn mapped(&self, now: i64, name: &str) -> Result<Target, ApiError> {
        let target = self.home.resolve(name, None)?;
        match self.version(now, &target) {
            Ok(_) => Ok(target),
            Err(_) => Err(ApiError::invalid("Function does not exist")),
        }
    }

    fn check_no_twin(
        &self,
        now: i64,
        source: Source,
        mapping: &MappingRecord,
        but: Option<&str>,
    ) -> Result<(), ApiError> {
        let twin = self.mappings.iter().find(|(id, other)| {
            but != Some(id.as_str())
                && (&other.function, &other.qualifier) == (&mapping.function, &mapping.qualifier)
                && source.is_same(&mapping.given, &other.given)
                && !self.is_gone(now, other)
        });
        let Some((id, _)) = twin else { return Ok(()) };
        let arn = self.home.arn(&mapping.function, mapping.qualifier.as_deref());
        Err(source.twin(&mapping.given, (&mapping.function, &arn), id))
    }

    fn show_mapping(&self, now: i64, id: &str, mapping: &MappingRecord) -> Value {
        let home = &self.home;
        let state = match (self.is_settled(now, mapping), mapping.enabled) {
            (false, _) => mapping.under_way.as_str(),
            (true, true) => "Enabled",
            (true, false) => "Disabled",
        };
        let reason = Source::of(&mapping.given).map_or("USER_INITIATED", Source::reason);
        let mut shown = Value::Object(mapping.given.clone());
        shown["UUID"] = json!(id);
        shown["FunctionArn"] = json!(home.arn(&mapping.function, mapping.qualifier.as_deref()));
        shown["EventSourceMappingArn"] = json!(home.resource_arn(KIND, id));
        shown["State"] = json!(state);
        shown["StateTransitionReason"] = json!(reason);
        shown["LastModified"] = json!(seconds(mapping.changed_ms));
        shown
    }
}
