//! What AWS refuses of rules for the ends of objects, and adds to them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::refusal::{Refusal, argument, invalid, malformed};
use super::table::Put;
use super::{each, identify};
use crate::wire::time::iso_millis;

/// From what size on objects move to other classes: a header, kept with what the body sets.
const SIZE: &str = "TransitionDefaultMinimumObjectSize";
const SIZES: [&str; 2] = ["all_storage_classes_128K", "varies_by_storage_class"];

/// What a rule can do.
const ACTIONS: [&str; 5] = [
    "Expiration",
    "Transitions",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
];

const DAY: f64 = 86_400.0;

pub(super) fn check(put: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    let size = put.call.text(SIZE).unwrap_or(SIZES[0]);
    if !SIZES.contains(&size) {
        return Err(invalid(format!("Invalid {SIZE} found: {size}")).into());
    }
    if each(&value["Rules"]).next().is_none() {
        return Err(malformed().into());
    }
    each(&value["Rules"]).try_for_each(check_rule)?;
    identify(&mut value["Rules"], "ID")?;
    value[SIZE] = size.into();
    Ok(())
}

fn check_rule(rule: &Value) -> Result<(), Refusal> {
    let count = |value: &Value| value.as_object().map_or(0, serde_json::Map::len);
    let (filter, expiration) = (&rule["Filter"], &rule["Expiration"]);
    let later = &rule["NoncurrentVersionExpiration"];
    let is_filtered = filter.is_object() != rule["Prefix"].is_string();
    let is_empty = later.is_object() && count(later) == 0;
    if !is_filtered || count(filter) > 1 || count(expiration) > 1 || is_empty {
        return Err(malformed().into());
    }
    if ACTIONS.iter().all(|action| rule[action].is_null()) {
        return Err(invalid("At least one action needs to be specified in a rule").into());
    }
    if let Some(days) = expiration["Days"].as_i64().filter(|days| *days < 1) {
        let message = "'Days' for Expiration action must be a positive integer";
        return Err(argument("Days", days.to_string(), message).into());
    }
    if let Some(date) = expiration["Date"].as_f64().filter(|date| date % DAY != 0.0) {
        return Err(argument("Date", iso_millis(date), "'Date' must be at midnight GMT").into());
    }
    let mut keys = BTreeSet::new();
    if !each(&filter["And"]["Tags"]).all(|tag| keys.insert(tag["Key"].as_str())) {
        return Err(invalid("Duplicate Tag Keys are not allowed.").into());
    }
    Ok(())
}
