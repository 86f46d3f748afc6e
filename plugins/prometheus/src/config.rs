//! What people write, and what is wrong with it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use wavegate_plugin_sdk::config::MissingData;
use wavegate_plugin_sdk::http::{self, Address};
use wavegate_plugin_sdk::{Diagnostics, text};

use crate::promql;

/// What people write for it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{
    "url": "https://prometheus.example.com",
    "query": "(sum(rate(http_requests_total{version=\"$candidate\", code=~\"5..\"}[2m])) or vector(0)) \
              / sum(rate(http_requests_total{version=\"$candidate\"}[2m]))",
    "max": 0.01,
    "bearer_token_env": "PROMETHEUS_TOKEN",
}]))]
pub struct Config {
    /// The base address of the server, without `/api/v1`.
    pub url: Address,
    /// The PromQL query, whose result is one number or one for each of several series. `$app`,
    /// `$function`, `$alias`, `$stable` and `$candidate` stand for what is looked at.
    #[schemars(length(min = 1))]
    pub query: String,
    /// The least that is still fine.
    #[serde(default)]
    pub min: Option<f64>,
    /// The most that is still fine. One of `min` and `max` is needed.
    #[serde(default)]
    pub max: Option<f64>,
    /// What it means when the result is empty, or holds no number but 0/0.
    #[serde(default)]
    pub missing_data: MissingData,
    /// The environment variable that holds the bearer token of the server.
    #[serde(default)]
    pub bearer_token_env: Option<String>,
    /// More headers, with their values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// More headers, each with the name of the environment variable that holds its value.
    #[serde(default)]
    pub headers_from_env: BTreeMap<String, String>,
}

/// How much of a wrong word is repeated.
const MAX_WORD_CHARS: usize = 40;

impl Config {
    pub(crate) fn check(&self) -> Diagnostics {
        let mut found = Diagnostics::none();
        if self.url.has_query() {
            found
                .error("url", "the base address of a server has nothing behind `?`")
                .hint("write \"https://prometheus.example.com\"; headers can say more");
        }
        self.check_query(&mut found);
        self.check_limits(&mut found);
        let own: &[&str] = if let Some(name) = &self.bearer_token_env {
            http::check_variable("bearer_token_env", name, &mut found);
            &["authorization"]
        } else {
            &[]
        };
        http::check_headers(&self.headers, &self.headers_from_env, own, &mut found);
        found
    }

    fn check_query(&self, found: &mut Diagnostics) {
        if self.query.trim().is_empty() {
            found.error("query", "there is nothing to ask").hint("write a PromQL query");
        }
        for word in promql::unknown_words(&self.query) {
            let word = text::one_line(word, MAX_WORD_CHARS);
            // The replacement of a `label_replace` may name a group so.
            found
                .warning("query", format!("`${word}` stands for nothing here"))
                .hint(format!("there are: ${}", promql::WORDS.join(", $")));
        }
    }

    fn check_limits(&self, found: &mut Diagnostics) {
        match (self.min, self.max) {
            (None, None) => {
                found
                    .error("max", "there is nothing to hold the result against")
                    .hint("write `max`, `min` or both");
            }
            (Some(min), Some(max)) if min > max => {
                found.error("min", format!("{min} is more than `max`: no result would be fine"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wavegate_plugin_sdk::{DynAlarmProvider, Severity};

    use crate::Prometheus;

    const PROVIDER: &dyn DynAlarmProvider = &Prometheus;

    fn with(extra: Value) -> Value {
        let mut config = json!({"url": "http://localhost:9090", "query": "up", "max": 1});
        let Value::Object(extra) = extra else { panic!("an object") };
        config.as_object_mut().unwrap().extend(extra);
        config
    }

    #[test]
    fn three_keys_are_enough() {
        assert_eq!(PROVIDER.validate(&with(json!({}))).unwrap(), []);
        assert_eq!(PROVIDER.validate(&with(json!({"max": 0.5, "min": 0.5}))).unwrap(), []);
        let least = json!({"url": "http://localhost:9090/prom/", "query": "up", "min": -1});
        assert_eq!(PROVIDER.validate(&least).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_asked_is_told_at_plan_time() {
        for (extra, path) in [
            (json!({"url": "localhost:9090"}), "url"),
            (json!({"url": "http://me:pw@localhost:9090"}), "url"),
            (json!({"url": "http://localhost:9090/api/v1/query?query=up"}), "url"),
            (json!({"query": "  "}), "query"),
            (json!({"max": null}), "max"),
            (json!({"max": "1%"}), "max"),
            (json!({"min": 2}), "min"),
            (json!({"missing_data": "fine"}), "missing_data"),
            (json!({"bearer_token_env": "$TOKEN"}), "bearer_token_env"),
            (
                json!({"bearer_token_env": "TOKEN", "headers": {"Authorization": "Basic x"}}),
                "headers.Authorization",
            ),
            (json!({"headers_from_env": {"Host": "HOST"}}), "headers_from_env.Host"),
            (json!({"threshold": 1}), "threshold"),
        ] {
            let config = with(extra);
            let found = PROVIDER.validate(&config).unwrap();
            assert_eq!(found.len(), 1, "{config}: {found:?}");
            assert_eq!((found[0].path.as_str(), found[0].severity), (path, Severity::Error));
        }
    }

    #[test]
    fn a_word_that_stands_for_nothing_is_a_warning() {
        let found = PROVIDER
            .validate(&with(json!({"query": "up{v=\"$candidat\", app=\"$app\"}"})))
            .unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(found[0].message, "`$candidat` stands for nothing here");
    }

    #[test]
    fn the_example_of_the_schema_is_a_good_config_and_every_key_is_described() {
        let schema = PROVIDER.config_schema();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let example = &schema["examples"][0];
        assert!(validator.is_valid(example), "{example}");
        assert_eq!(PROVIDER.validate(example).unwrap(), []);
        for (key, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{key}");
        }
    }
}
