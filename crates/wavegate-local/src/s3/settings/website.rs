//! What AWS refuses of a bucket's website.

use serde_json::Value;

use super::super::refusal::{Refusal, argument, invalid, malformed};
use super::each;
use super::table::Put;

pub(super) fn check(_: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    if !value["RedirectAllRequestsTo"].is_null() {
        let is_alone = value.as_object().is_none_or(|members| members.len() == 1);
        if is_alone {
            return Ok(());
        }
        let message =
            "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.";
        return Err(argument("RedirectAllRequestsTo", "not null", message).into());
    }
    if value["IndexDocument"].is_null() {
        let message =
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
        return Err(argument("IndexDocument", "null", message).into());
    }
    let suffix = value["IndexDocument"]["Suffix"].as_str().unwrap_or_default();
    if suffix.is_empty() || suffix.contains('/') {
        let message = "The IndexDocument Suffix is not well formed";
        return Err(argument("IndexDocument", suffix, message).into());
    }
    let rules = &value["RoutingRules"];
    if rules.as_array().is_some_and(Vec::is_empty) {
        return Err(malformed().into());
    }
    each(rules).try_for_each(check_rule)
}

fn check_rule(rule: &Value) -> Result<(), Refusal> {
    let redirect = &rule["Redirect"];
    let message = if !redirect["ReplaceKeyPrefixWith"].is_null()
        && !redirect["ReplaceKeyWith"].is_null()
    {
        "You can only define ReplaceKeyPrefix or ReplaceKey but not both."
    } else if rule["Condition"].as_object().is_some_and(serde_json::Map::is_empty) {
        "Condition cannot be empty. To redirect all requests without a condition, the condition element \
         shouldn't be present."
    } else if redirect["Protocol"].as_str().is_some_and(|it| !["http", "https"].contains(&it)) {
        "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected \
         automatically."
    } else {
        return Ok(());
    };
    Err(invalid(message).into())
}
