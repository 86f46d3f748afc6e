//! The JSON Schemas of the messages: what authors in other languages build on.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::pipe::{Cancel, LogLine, LogRecord};
use crate::{
    DecideParams, Decided, DescribeParams, Description, HookVerdict, Outline, OutlineParams,
    PluginErrorBody, ReadAlarmsParams, Readings, Reply, Request, RunHookParams, ValidateParams,
    Validation,
};

/// What a method's params and answers are, where the method is not known: an object.
type Object = serde_json::Map<String, Value>;

/// Every schema of protocol 1 by the name of its file: `<method>.params`, `<method>.ok`, the error
/// of any reply, and what else travels on a pipe.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("plugin.describe.params", of::<DescribeParams>()),
        ("plugin.describe.ok", of::<Description>()),
        ("config.validate.params", of::<ValidateParams>()),
        ("config.validate.ok", of::<Validation>()),
        ("strategy.outline.params", of::<OutlineParams>()),
        ("strategy.outline.ok", of::<Outline>()),
        ("strategy.decide.params", of::<DecideParams>()),
        ("strategy.decide.ok", of::<Decided>()),
        ("hook.run.params", of::<RunHookParams>()),
        ("hook.run.ok", of::<HookVerdict>()),
        ("alarm.read.params", of::<ReadAlarmsParams>()),
        ("alarm.read.ok", of::<Readings>()),
        ("request", of::<Request<Object>>()),
        ("reply", of::<Reply<Object>>()),
        ("error", of::<PluginErrorBody>()),
        ("pipe.cancel", of::<Cancel>()),
        ("pipe.log", of::<LogLine>()),
        ("log-record", of::<LogRecord>()),
    ]
}

fn of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(name: &str) -> Value {
        schemas().into_iter().find(|(known, _)| *known == name).expect("a schema").1
    }

    #[test]
    fn every_method_has_both_of_its_schemas() {
        let methods = schema("request")["$defs"]["Method"]["oneOf"].clone();
        let methods = methods.as_array().expect("one of the methods").iter();
        let mut count = 0;
        for method in methods.filter_map(|method| method["const"].as_str()) {
            schema(&format!("{method}.params"));
            schema(&format!("{method}.ok"));
            count += 1;
        }
        assert_eq!(count, 6);
    }

    #[test]
    fn the_schemas_take_what_travels_and_refuse_what_does_not() {
        let takes = |name: &str, message: &Value| jsonschema::is_valid(&schema(name), message);
        let decided =
            json!({"decision": {"kind": "shift", "weight_bp": 1000}, "state": {"rung": 1}});
        assert!(takes("strategy.decide.ok", &decided));
        for weight in [json!(10_001), json!(-1), json!(0.5), json!("10%"), Value::Null] {
            let decided = json!({"decision": {"kind": "shift", "weight_bp": weight}});
            assert!(!takes("strategy.decide.ok", &decided), "{decided}");
        }
        assert!(takes("reply", &json!({"id": 1, "ok": {}})));
        assert!(takes("reply", &json!({"id": 1, "error": {"code": "a.b", "message": "no"}})));
        assert!(!takes("reply", &json!({"id": 1})));
        assert!(takes("pipe.cancel", &json!({"cancel": 7})));
    }
}
