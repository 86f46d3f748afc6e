//! Event source mappings: kept and shown with AWS's states. Nothing is polled.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::beside::{MappingRecord, no_such_resource, seconds};
use super::{Lambda, page_of};
use crate::ids::Ids;
use crate::lambda::error::{ApiError, Constraints};
use crate::lambda::output::Page;

/// AWS: items in one page of mappings.
const PAGE: usize = 100;

/// `CreateEventSourceMapping` and `UpdateEventSourceMapping`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MappingInput {
    /// The function, with or without a qualifier.
    pub function_name: Option<String>,
    /// Whether it is switched on.
    pub enabled: Option<bool>,
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
        mut input: MappingInput,
    ) -> Result<Value, ApiError> {
        let mut constraints = Constraints::default();
        if input.function_name.as_deref().unwrap_or_default().is_empty() {
            constraints.broken("functionName", "null", "Member must not be null");
        }
        constraints.finish()?;
        let source = source(&input.rest).to_owned();
        if source.is_empty() && !input.rest.contains_key("SelfManagedEventSource") {
            return Err(ApiError::invalid("Unrecognized event source."));
        }
        let is_stream = [":kinesis:", ":dynamodb:"].iter().any(|service| source.contains(service));
        if is_stream && !input.rest.contains_key("StartingPosition") {
            return Err(ApiError::invalid(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
                 constraint: Member must not be null.",
            ));
        }
        let given = input.function_name.take().unwrap_or_default();
        let (target, key) = self.qualified(now, &given, None)?;
        self.check_no_twin(&target.name, &key, &source, None)?;
        let id = ids.uuid();
        input.rest.remove("Tags");
        input.rest.entry("BatchSize").or_insert_with(|| json!(if is_stream { 100 } else { 10 }));
        let mapping = MappingRecord {
            qualifier: target.qualifier,
            enabled: input.enabled.unwrap_or(true),
            changed_ms: now,
            under_way: "Creating".to_owned(),
            given: input.rest,
        };
        let shown = self.show_mapping(now, &target.name, &id, &mapping);
        self.function_mut(now, &target.name)?.beside.mappings.insert(id, mapping);
        Ok(shown)
    }

    /// `GetEventSourceMapping`.
    pub fn get_mapping(&self, now: i64, id: &str) -> Result<Value, ApiError> {
        let name = self.owner(id)?;
        let mapping = &self.function(&name)?.beside.mappings[id];
        Ok(self.show_mapping(now, &name, id, mapping))
    }

    /// `UpdateEventSourceMapping`: what is given replaces what was.
    pub fn update_mapping(
        &mut self,
        now: i64,
        id: &str,
        input: MappingInput,
    ) -> Result<Value, ApiError> {
        let owner = self.owner(id)?;
        let mut mapping = self.function(&owner)?.beside.mappings[id].clone();
        let mut name = owner.clone();
        let mut under_way = "Updating";
        if let Some(given) = &input.function_name {
            let (target, key) = self.qualified(now, given, None)?;
            self.check_no_twin(&target.name, &key, source(&mapping.given), Some(id))?;
            (name, mapping.qualifier) = (target.name, target.qualifier);
        }
        if let Some(enabled) = input.enabled {
            if enabled != mapping.enabled {
                under_way = if enabled { "Enabling" } else { "Disabling" };
            }
            mapping.enabled = enabled;
        }
        mapping.given.extend(input.rest);
        under_way.clone_into(&mut mapping.under_way);
        mapping.changed_ms = now;
        let shown = self.show_mapping(now, &name, id, &mapping);
        self.function_mut(now, &owner)?.beside.mappings.remove(id);
        self.function_mut(now, &name)?.beside.mappings.insert(id.to_owned(), mapping);
        Ok(shown)
    }

    /// `DeleteEventSourceMapping`: gone at once; on AWS it stays `Deleting` for a while.
    pub fn delete_mapping(&mut self, now: i64, id: &str) -> Result<Value, ApiError> {
        let name = self.owner(id)?;
        let Some(mapping) = self.function_mut(now, &name)?.beside.mappings.remove(id) else {
            return Err(no_such_resource());
        };
        let mut shown = self.show_mapping(now, &name, id, &mapping);
        shown["State"] = json!("Deleting");
        Ok(shown)
    }

    /// `ListEventSourceMappings`: all of the account, or those of one source, or those that call
    /// exactly this function, version or alias.
    pub fn list_mappings(
        &self,
        now: i64,
        name: Option<&str>,
        source_arn: Option<&str>,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Page<Value>, ApiError> {
        let target = name.map(|name| self.home.resolve(name, None)).transpose()?;
        let all = self.functions.values().flat_map(|function| {
            function.beside.mappings.iter().map(|(id, mapping)| (&function.name, id, mapping))
        });
        let mut found: Vec<_> = all
            .filter(|(name, _, mapping)| {
                target.as_ref().is_none_or(|target| {
                    target.name == **name && target.qualifier == mapping.qualifier
                })
            })
            .filter(|(_, _, mapping)| source_arn.is_none_or(|arn| arn == source(&mapping.given)))
            .map(|(name, id, mapping)| (id.clone(), self.show_mapping(now, name, id, mapping)))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let limit = max_items.unwrap_or(PAGE).clamp(1, PAGE);
        Ok(page_of(found.into_iter(), marker, limit, |shown| shown))
    }

    fn owner(&self, id: &str) -> Result<String, ApiError> {
        let mut functions = self.functions.values();
        let owner = functions.find(|function| function.beside.mappings.contains_key(id));
        owner.map(|function| function.name.clone()).ok_or_else(no_such_resource)
    }

    fn check_no_twin(
        &self,
        name: &str,
        key: &str,
        arn: &str,
        but: Option<&str>,
    ) -> Result<(), ApiError> {
        let mut others = self.function(name)?.beside.mappings.iter();
        let twin = others.find(|(id, mapping)| {
            but != Some(id.as_str())
                && mapping.qualifier.as_deref().unwrap_or_default() == key
                && source(&mapping.given) == arn
        });
        let Some((id, _)) = twin.filter(|_| !arn.is_empty()) else { return Ok(()) };
        Err(ApiError::conflict(format!(
            "An event source mapping with event source (\" {arn} \") and function (\" {name} \") \
             already exists. Please update or delete the existing mapping with UUID {id}"
        )))
    }

    fn show_mapping(&self, now: i64, name: &str, id: &str, mapping: &MappingRecord) -> Value {
        let home = &self.home;
        let is_settled = now >= mapping.changed_ms.saturating_add(self.settle_ms);
        let state = match (is_settled, mapping.enabled) {
            (false, _) => mapping.under_way.as_str(),
            (true, true) => "Enabled",
            (true, false) => "Disabled",
        };
        let mut shown = Value::Object(mapping.given.clone());
        shown["UUID"] = json!(id);
        shown["FunctionArn"] = json!(home.arn(name, mapping.qualifier.as_deref()));
        shown["EventSourceMappingArn"] = json!(format!(
            "arn:aws:lambda:{}:{}:event-source-mapping:{id}",
            home.region, home.account
        ));
        shown["State"] = json!(state);
        shown["StateTransitionReason"] = json!("USER_INITIATED");
        shown["LastModified"] = json!(seconds(mapping.changed_ms));
        shown
    }
}

fn source(given: &Map<String, Value>) -> &str {
    given.get("EventSourceArn").and_then(Value::as_str).unwrap_or_default()
}
