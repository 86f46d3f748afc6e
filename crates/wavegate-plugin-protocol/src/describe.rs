//! What a plugin says about itself.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ComponentKind, ProtocolRange};

/// What a plugin is and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Description {
    /// Its name: that of its crate, or of its author's choice.
    pub name: String,
    /// Its version.
    pub version: String,
    /// With what it was made, for people: `wavegate-plugin-sdk 0.1.0`; empty if it does not say.
    #[serde(default)]
    pub sdk: String,
    /// The protocols that it speaks.
    pub protocol: ProtocolRange,
    /// What happens when its code panics. A plugin that does not say cannot panic.
    #[serde(default)]
    pub panic: PanicStrategy,
    /// The features of a host without which it cannot work.
    #[serde(default)]
    pub requires: BTreeSet<String>,
    /// Its components. Their ids are unique within a kind.
    pub components: Vec<ComponentDescription>,
}

/// What happens when a plugin's code panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PanicStrategy {
    /// It is caught, and the call is answered with an error.
    #[default]
    Unwind,
    /// It ends the process, so such a plugin must have one of its own.
    Abort,
}

/// One component of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComponentDescription {
    /// What it is.
    pub kind: ComponentKind,
    /// The name by which a manifest uses it.
    pub id: String,
    /// What it does, in one line for people.
    #[serde(default)]
    pub summary: String,
    /// The JSON Schema of its config; `examples` in it are complete configs that work. `true`
    /// (anything goes) if it does not say.
    #[serde(default = "any_config")]
    pub config_schema: Value,
}

fn any_config() -> Value {
    Value::Bool(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_small_plugin_says_little() {
        let description: Description = serde_json::from_value(json!({
            "name": "tiny", "version": "1", "protocol": [1, 1],
            "components": [{"kind": "strategy", "id": "tiny"}],
        }))
        .unwrap();
        assert_eq!(description.panic, PanicStrategy::Unwind);
        assert_eq!(description.components[0].config_schema, json!(true));
    }
}
