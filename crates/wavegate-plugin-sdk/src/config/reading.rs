//! From the JSON that a host hands over to a component's own config type, and what is wrong with
//! it: every wrong key, not only the first.

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wavegate_plugin_protocol::Diagnostic;

use crate::{Diagnostics, PluginError};

/// The config as the component's own type, or an error that names the first wrong key.
pub(crate) fn parse<C: DeserializeOwned>(
    component: &str,
    config: &Value,
) -> Result<C, PluginError> {
    serde_path_to_error::deserialize(config).map_err(|error| {
        let key = key_path(error.path());
        let cause = error.into_inner();
        let message = if key.is_empty() {
            format!("invalid config for `{component}`: {cause}")
        } else {
            format!("invalid config for `{component}`: `{key}`: {cause}")
        };
        PluginError::new(PluginError::CONFIG_INVALID, message)
    })
}

/// Everything that is wrong with the config: unknown keys, missing keys, wrong values, and when
/// none of these, what the component itself finds.
pub(crate) fn diagnose<C: DeserializeOwned + JsonSchema>(
    config: &Value,
    check: impl FnOnce(&C) -> Diagnostics,
) -> Vec<Diagnostic> {
    let mut found = Diagnostics::none();
    let Value::Object(written) = config else {
        found.error("", "a component's config is a table of keys and values");
        return found.into_vec();
    };
    let mut known = written.clone();
    let keys = Keys::of::<C>();
    keys.drop_unknown(&mut known, &mut found);
    keys.report_missing(&known, &mut found);
    let parsed = parse_all::<C>(known, &mut found);
    match parsed {
        Some(config) if found.is_empty() => check(&config).into_vec(),
        _ => found.into_vec(),
    }
}

/// Parses, and on every error takes the wrong key out and parses again, so that each wrong value
/// is reported once. Ends because every turn removes a key.
fn parse_all<C: DeserializeOwned>(
    mut config: Map<String, Value>,
    found: &mut Diagnostics,
) -> Option<C> {
    loop {
        let error = match serde_path_to_error::deserialize(&Value::Object(config.clone())) {
            Ok(parsed) => return Some(parsed),
            Err(error) => error,
        };
        let path = key_path(error.path());
        let top = path.split(['.', '[']).next().unwrap_or_default().to_owned();
        if config.remove(&top).is_none() {
            // About no key that is there: a missing one, which is reported already if the schema
            // knows it, or was taken out by an earlier turn.
            if found.is_empty() {
                found.error("", error.into_inner().to_string());
            }
            return None;
        }
        found.error(path, error.into_inner().to_string());
    }
}

/// What the schema says about the top-level keys; empty for a config that is no plain struct.
struct Keys {
    known: Option<Vec<String>>,
    required: Vec<String>,
}

impl Keys {
    fn of<C: JsonSchema>() -> Self {
        let schema = SchemaGenerator::default().into_root_schema_for::<C>();
        let schema = schema.as_value();
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let properties = schema.get("properties").and_then(Value::as_object);
        let known = closed
            .then(|| properties.map(|keys| keys.keys().cloned().collect()).unwrap_or_default());
        let required = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        Self { known, required }
    }

    fn drop_unknown(&self, config: &mut Map<String, Value>, found: &mut Diagnostics) {
        let Some(known) = &self.known else { return };
        let hint = match known.as_slice() {
            [] => "it takes no keys".to_owned(),
            keys => format!("its keys are `{}`", keys.join("`, `")),
        };
        config.retain(|key, _| {
            let is_known = known.contains(key);
            if !is_known {
                found.error(key.clone(), format!("unknown key `{key}`")).hint(hint.clone());
            }
            is_known
        });
    }

    fn report_missing(&self, config: &Map<String, Value>, found: &mut Diagnostics) {
        for key in self.required.iter().filter(|key| !config.contains_key(*key)) {
            found
                .error(key.clone(), format!("`{key}` is missing"))
                .hint(format!("add `{key} = ...`"));
        }
    }
}

/// The path as it is dotted in messages: empty for the config as a whole.
fn key_path(path: &serde_path_to_error::Path) -> String {
    match path.to_string() {
        root if root == "." => String::new(),
        path => path,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::config::{HumanDuration, Percent};

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Config {
        percent: Percent,
        bake: HumanDuration,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<u8>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Inner {
        a: u8,
    }

    fn check(config: &Value) -> Vec<(String, String)> {
        diagnose::<Config>(config, |_| Diagnostics::none())
            .into_iter()
            .map(|diagnostic| (diagnostic.path, diagnostic.message))
            .collect()
    }

    #[test]
    fn every_wrong_key_is_reported_at_once() {
        let config = json!({"percent": 101, "bak": "5m", "list": [1, 300], "extra": 1});
        let mut found = check(&config);
        // In which order depends on whether JSON objects keep theirs, which the program chooses.
        found.sort_unstable();
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["bak", "bake", "extra", "list[1]", "percent"], "{found:?}");
        assert_eq!(found[0].1, "unknown key `bak`");
        assert_eq!(found[1].1, "`bake` is missing");
        assert!(found[4].1.contains("not between 0 and 100 percent"));
    }

    #[test]
    fn keys_inside_tables_are_dotted() {
        let config = json!({"percent": 1, "bake": "5m", "inner": {"a": "x"}});
        assert_eq!(check(&config)[0].0, "inner.a");
        let config = json!({"percent": 1, "bake": "5m", "inner": {"a": 1, "b": 2}});
        let found = check(&config);
        assert!(found[0].0.starts_with("inner") && found[0].1.contains("`b`"), "{found:?}");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_good_config_has_no_findings_but_the_components_own() {
        let config = json!({"percent": 1, "bake": "5m"});
        assert_eq!(check(&config), []);
        let own = diagnose::<Config>(&config, |config| {
            let mut found = Diagnostics::none();
            found.warning("percent", format!("{} is little", config.percent));
            found
        });
        assert_eq!(own[0].message, "1% is little");
    }

    #[test]
    fn what_is_no_table_is_said_to_be_none() {
        for config in [json!(null), json!([]), json!("canary")] {
            assert_eq!(check(&config).len(), 1);
        }
    }

    #[test]
    fn a_call_with_a_bad_config_names_component_and_key() {
        let error = parse::<Config>("canary", &json!({"percent": 1, "bake": 5})).unwrap_err();
        assert_eq!(error.code(), PluginError::CONFIG_INVALID);
        assert!(error.message().starts_with("invalid config for `canary`: `bake`: "), "{error}");
        let error = parse::<Config>("canary", &json!({"percent": 1})).unwrap_err();
        assert!(error.message().contains("missing field `bake`"), "{error}");
    }
}
