//! What AWS refuses of a bucket's notifications, and adds to them.

use serde_json::Value;

use super::super::refusal::{Refusal, argument, malformed};
use super::table::Put;
use super::{each, identify};

/// Lists of configurations, the member of each that names where to, and its name in messages.
const KINDS: [(&str, &str, &str); 3] = [
    ("TopicConfigurations", "TopicArn", "Topic"),
    ("QueueConfigurations", "QueueArn", "Queue"),
    ("LambdaFunctionConfigurations", "LambdaFunctionArn", "CloudFunction"),
];

/// Where a configuration has the rules of its filter.
const RULES: &str = "/Filter/Key/FilterRules";

pub(super) fn check(_: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    for (list, target, name) in KINDS {
        for configuration in each(&value[list]) {
            let arn = configuration[target].as_str().unwrap_or_default();
            if arn.split(':').count() < 6 || !arn.starts_with("arn:") {
                return Err(argument(name, arn, "The ARN could not be parsed").into());
            }
        }
    }
    for (list, ..) in KINDS {
        let Some(configurations) = value.get_mut(list).and_then(Value::as_array_mut) else {
            continue;
        };
        let mut filters = configurations.iter_mut().filter_map(|it| it.pointer_mut(RULES));
        filters.try_for_each(check_filter)?;
        identify(&mut value[list], "Id")?;
    }
    Ok(())
}

/// AWS: names of rules are known in any case, and shown in one.
fn check_filter(rules: &mut Value) -> Result<(), Refusal> {
    for rule in rules.as_array_mut().into_iter().flatten() {
        let (Some(name), Some(_)) = (rule["Name"].as_str(), rule["Value"].as_str()) else {
            return Err(malformed().into());
        };
        let known = ["Prefix", "Suffix"].into_iter().find(|known| name.eq_ignore_ascii_case(known));
        let known = known.ok_or_else(|| {
            let message = "filter rule name must be either prefix or suffix";
            argument("FilterRule.Name", name, message)
        })?;
        rule["Name"] = known.into();
    }
    Ok(())
}
