//! Provisioned concurrency: its configuration and states, and what AWS does to an alias that has
//! some: after a change of version the alias routes everything to the version it left, until the
//! new one's environments are ready. What is really started for it is in [`super::warm`].

use serde_json::{Value, json};

use super::beside::ProvisionedRecord;
use super::configuration::timestamp;
use super::record::{AliasRecord, FunctionRecord, Transition};
use super::{ACCOUNT_CONCURRENCY, Lambda, UNRESERVED_MINIMUM, page};
use crate::ids::Ids;
use crate::lambda::error::{ApiError, Constraints};
use crate::lambda::name::LATEST;
use crate::lambda::output::Page;

/// How many times longer than a creation it takes: a virtual minute at sixty times real time. AWS:
/// "a minute or two".
const READY_AFTER_SETTLES: i64 = 60;
/// AWS's refusal to look at `$LATEST`.
const NO_PLACE: &str = "The function resource provided must be an alias or a published version.";

impl Lambda {
    /// `PutProvisionedConcurrencyConfig`, of a version or an alias.
    pub fn put_provisioned(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        qualifier: Option<&str>,
        requested: i64,
    ) -> Result<Value, ApiError> {
        let mut constraints = Constraints::default();
        if requested < 1 {
            let field = "provisionedConcurrentExecutions";
            let rule = "Member must have value greater than or equal to 1";
            constraints.broken(field, &requested.to_string(), rule);
        }
        constraints.finish()?;
        let (name, key) = self.provisioned(
            name,
            qualifier,
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        )?;
        let function = self.function(&name)?;
        check_place(function, &key)?;
        self.check_room(function, &key, requested)?;
        let record = ProvisionedRecord {
            requested: u32::try_from(requested).unwrap_or(u32::MAX),
            ready_at_ms: now.saturating_add(self.ready_after_ms()),
            changed_ms: now,
            is_moving: false,
            start: self.starts.ask(&name, &key),
            failure: None,
        };
        let shown = show(now, &record);
        let function = self.function_mut(now, &name)?;
        let version = function.aliases.get(&key).map(|alias| alias.function_version.clone());
        // Recorded on AWS: the version gets a new revision id.
        if let Some(version) = function.version_mut(version.as_deref().unwrap_or(&key)) {
            version.revision_id = ids.uuid();
        }
        function.beside.provisioned.insert(key, record);
        Ok(shown)
    }

    /// `GetProvisionedConcurrencyConfig`.
    pub fn get_provisioned(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Value, ApiError> {
        let (name, key) = self.provisioned(name, qualifier, NO_PLACE)?;
        let found = self.function(&name)?.beside.provisioned.get(&key);
        found.map(|record| show(now, record)).ok_or_else(|| {
            ApiError::new(
                404,
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
            )
        })
    }

    /// `DeleteProvisionedConcurrencyConfig`. Absent is no error.
    pub fn delete_provisioned(
        &mut self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), ApiError> {
        let (name, key) = self.provisioned(name, qualifier, NO_PLACE)?;
        let function = self.function_mut(now, &name)?;
        function.beside.provisioned.remove(&key);
        // What AWS waited for is not coming any more.
        if let Some(alias) = function.aliases.get_mut(&key)
            && let Some(transition) = alias.settling.take()
        {
            alias.additional = None;
            alias.revision_id = transition.revision_id;
        }
        Ok(())
    }

    /// `ListProvisionedConcurrencyConfigs`.
    pub fn list_provisioned(
        &self,
        now: i64,
        name: &str,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Page<Value>, ApiError> {
        let name = self.unqualified(name)?;
        let items = self.function(&name)?.beside.provisioned.iter();
        let items = items.map(|(key, record)| (key.clone(), (self.arn_of(&name, key), record)));
        Ok(page(items, marker, max_items, |(arn, record)| {
            let mut shown = show(now, record);
            shown["FunctionArn"] = json!(arn);
            shown
        }))
    }

    /// Lets AWS's own changes of aliases happen that are due. Reads of aliases take no time, so
    /// whoever has a clock calls this before them.
    pub fn advance(&mut self, now: i64) {
        for function in self.functions.values_mut() {
            for alias in function.aliases.values_mut() {
                if alias.settle(now) {
                    self.changed.insert(function.name.clone());
                }
            }
        }
    }

    /// Starts AWS's detour after a change of an alias's version, if the alias has provisioned
    /// concurrency: all traffic stays on the version that was left until the new one is ready.
    pub(super) fn detour(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        function: &str,
        left: &str,
        alias: &mut AliasRecord,
    ) {
        let done_at_ms = now.saturating_add(self.ready_after_ms());
        let Some(record) = self.functions.get_mut(function) else { return };
        let Some(provisioned) = record.beside.provisioned.get_mut(&alias.name) else { return };
        if left == alias.function_version || left == LATEST || alias.additional.is_some() {
            return;
        }
        provisioned.ready_at_ms = done_at_ms;
        provisioned.is_moving = true;
        provisioned.start = self.starts.ask(function, &alias.name);
        provisioned.failure = None;
        alias.additional = Some((left.to_owned(), 1.0));
        alias.settling = Some(Transition { done_at_ms, revision_id: ids.uuid() });
    }

    /// The function, and the version or alias of it, that provisioned concurrency belongs to.
    fn provisioned(
        &self,
        name: &str,
        qualifier: Option<&str>,
        unpublished: &str,
    ) -> Result<(String, String), ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        let qualifier = target.qualifier.as_deref().filter(|qualifier| *qualifier != LATEST);
        let key = qualifier.ok_or_else(|| ApiError::invalid(unpublished))?.to_owned();
        self.exists(&target)?;
        Ok((target.name, key))
    }

    fn ready_after_ms(&self) -> i64 {
        self.settle_ms.saturating_mul(READY_AFTER_SETTLES)
    }

    fn check_room(
        &self,
        function: &FunctionRecord,
        key: &str,
        requested: i64,
    ) -> Result<(), ApiError> {
        let others = function.beside.provisioned.iter().filter(|(other, _)| *other != key);
        let own: i64 = others.map(|(_, record)| i64::from(record.requested)).sum();
        if let Some(reserved) = function.reserved {
            if own.saturating_add(requested) > i64::from(reserved) {
                return Err(ApiError::invalid(
                    "Requested Provisioned Concurrency should not be greater than the \
                     reservedConcurrentExecution for function",
                ));
            }
            return Ok(());
        }
        let reserved: i64 =
            self.functions.values().filter_map(|function| function.reserved).map(i64::from).sum();
        let unreserved = i64::from(ACCOUNT_CONCURRENCY) - reserved;
        let wanted = own.saturating_add(requested);
        if wanted > unreserved {
            return Err(ApiError::invalid(format!(
                "Specified ConcurrentExecutions for function is greater than account's unreserved \
                 concurrency [{unreserved}]."
            ))
            .nobodys());
        }
        if wanted > unreserved - i64::from(UNRESERVED_MINIMUM) {
            return Err(ApiError::invalid(format!(
                "Specified ConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MINIMUM}]."
            ))
            .nobodys());
        }
        Ok(())
    }
}

impl AliasRecord {
    /// Applies the end of AWS's detour if it is due.
    pub(super) fn settle(&mut self, now: i64) -> bool {
        let Some(done) = self.settling.take_if(|settling| settling.done_at_ms <= now) else {
            return false;
        };
        self.additional = None;
        self.revision_id = done.revision_id;
        true
    }
}

/// One configuration per version, directly or through one alias; none while an alias has weights.
fn check_place(function: &FunctionRecord, key: &str) -> Result<(), ApiError> {
    let provisioned = &function.beside.provisioned;
    let Some(alias) = function.aliases.get(key) else {
        let mut holders = function.aliases.values();
        let is_taken = holders
            .any(|alias| provisioned.contains_key(&alias.name) && alias.function_version == key);
        if is_taken {
            return Err(ApiError::conflict(
                "Version is pointed by a Provisioned Concurrency alias",
            ));
        }
        return Ok(());
    };
    if alias.function_version == LATEST {
        return Err(ApiError::invalid(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ));
    }
    if provisioned.contains_key(&alias.function_version) {
        return Err(ApiError::conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already \
             Provisioned version",
        ));
    }
    // AWS documents the rule; its wording is not recorded.
    if alias.additional.is_some() {
        return Err(ApiError::invalid(
            "Provisioned Concurrency Configs cannot be changed while the alias has a routing \
             configuration.",
        ));
    }
    Ok(())
}

fn show(now: i64, record: &ProvisionedRecord) -> Value {
    let is_ready = record.is_ready(now);
    let has_failed = record.failure.is_some();
    // While an alias moves, what it left is still there.
    let ready = if is_ready || (record.is_moving && !has_failed) { record.requested } else { 0 };
    let status = match (has_failed, is_ready) {
        (true, _) => "FAILED",
        (_, true) => "READY",
        _ => "IN_PROGRESS",
    };
    let mut shown = json!({
        "RequestedProvisionedConcurrentExecutions": record.requested,
        "AvailableProvisionedConcurrentExecutions": ready,
        "AllocatedProvisionedConcurrentExecutions": ready,
        "Status": status,
        "LastModified": timestamp(record.changed_ms),
    });
    if let Some(reason) = &record.failure {
        shown["StatusReason"] = json!(reason);
    }
    shown
}
