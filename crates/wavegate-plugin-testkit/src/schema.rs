//! Configs made up from a JSON Schema.
//!
//! Rough on purpose: what a schema cannot say, the component's own validation says, and only what
//! that accepts is used. What it rejects is of use too: nothing that people write may break it.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Strategy, Union};
use proptest::string::string_regex;
use serde_json::{Map, Number, Value};

/// How deep references are followed: schemas may refer to themselves.
const DEPTH: u32 = 6;

/// How long texts and lists are if the schema does not say.
const LENGTH: u64 = 4;

/// The schema that `schema` refers to, or itself.
pub(crate) fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// The keys without which a config of this schema is none.
pub(crate) fn required(root: &Value) -> Vec<&str> {
    let listed = resolved(root, root).get("required").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Configs that the schema may have meant.
pub(crate) fn configs(root: &Value) -> BoxedStrategy<Value> {
    let made_up = values(root, root, DEPTH);
    let varied = variations(root);
    if varied.is_empty() {
        return made_up;
    }
    prop_oneof![made_up, Union::new(varied)].boxed()
}

/// Anything that a person may write where a config belongs.
pub(crate) fn anything(root: &Value) -> BoxedStrategy<Value> {
    prop_oneof![3 => configs(root), 1 => any_json()].boxed()
}

/// The examples, one key of each made up anew.
fn variations(root: &Value) -> Vec<BoxedStrategy<Value>> {
    let schema = resolved(root, root);
    let properties = schema.get("properties").and_then(Value::as_object);
    let examples = root.get("examples").and_then(Value::as_array);
    let mut varied = Vec::new();
    for example in examples.into_iter().flatten().filter_map(Value::as_object) {
        for (key, property) in properties.into_iter().flatten() {
            let (example, key) = (example.clone(), key.clone());
            let vary = move |value| {
                let mut config = example.clone();
                config.insert(key.clone(), value);
                Value::Object(config)
            };
            varied.push(values(root, property, DEPTH).prop_map(vary).boxed());
        }
    }
    varied
}

fn values(root: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    let Some(deeper) = depth.checked_sub(1) else { return leaf() };
    let resolved = resolved(root, schema);
    let Some(schema) = resolved.as_object() else { return any_json() };
    if let Some(constant) = schema.get("const") {
        return Just(constant.clone()).boxed();
    }
    if let Some(choices) = list(schema, "enum") {
        return select(choices.clone()).boxed();
    }
    if let Some(branches) = list(schema, "oneOf").or_else(|| list(schema, "anyOf")) {
        let branches = branches.iter().map(|branch| values(root, branch, deeper));
        return with_own_keys(root, schema, Union::new(branches).boxed(), deeper);
    }
    if let Some(parts) = list(schema, "allOf") {
        let parts: Vec<_> = parts.iter().map(|part| values(root, part, deeper)).collect();
        return with_own_keys(root, schema, parts.prop_map(merged).boxed(), deeper);
    }
    let made_up = of_type(root, schema, deeper);
    match list(schema, "examples") {
        Some(examples) => prop_oneof![select(examples.clone()), made_up].boxed(),
        None => made_up,
    }
}

/// A list that is there and not empty.
fn list<'a>(schema: &'a Map<String, Value>, key: &str) -> Option<&'a Vec<Value>> {
    schema.get(key).and_then(Value::as_array).filter(|list| !list.is_empty())
}

/// A choice of objects may stand beside keys that all of them have.
fn with_own_keys(
    root: &Value,
    schema: &Map<String, Value>,
    chosen: BoxedStrategy<Value>,
    depth: u32,
) -> BoxedStrategy<Value> {
    if !schema.contains_key("properties") {
        return chosen;
    }
    (object(root, schema, depth), chosen)
        .prop_map(|(own, chosen)| merged(vec![own, chosen]))
        .boxed()
}

fn merged(parts: Vec<Value>) -> Value {
    let mut whole = Map::new();
    for part in parts {
        match part {
            Value::Object(keys) => whole.extend(keys),
            other => return other,
        }
    }
    Value::Object(whole)
}

fn of_type(root: &Value, schema: &Map<String, Value>, depth: u32) -> BoxedStrategy<Value> {
    let of = |name: &str| match name {
        "object" => object(root, schema, depth),
        "array" => array(root, schema, depth),
        "string" => text(schema),
        "integer" => integer(schema),
        "number" => prop_oneof![integer(schema), fraction(schema)].boxed(),
        "boolean" => any::<bool>().prop_map(Value::Bool).boxed(),
        "null" => Just(Value::Null).boxed(),
        _ => any_json(),
    };
    match schema.get("type") {
        Some(Value::String(name)) => of(name),
        Some(Value::Array(names)) if !names.is_empty() => {
            Union::new(names.iter().filter_map(Value::as_str).map(of)).boxed()
        }
        _ if schema.contains_key("properties") => of("object"),
        _ => any_json(),
    }
}

fn object(root: &Value, schema: &Map<String, Value>, depth: u32) -> BoxedStrategy<Value> {
    let required = list(schema, "required");
    let is_required =
        |key: &str| required.is_some_and(|keys| keys.iter().any(|required| required == key));
    let mut keys = Vec::new();
    for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        let value = values(root, property, depth);
        let value =
            if is_required(key) { value.prop_map(Some).boxed() } else { option::of(value).boxed() };
        let key = key.clone();
        keys.push(value.prop_map(move |value| value.map(|value| (key.clone(), value))));
    }
    let known = keys.prop_map(|keys| keys.into_iter().flatten().collect::<Map<_, _>>());
    let others = match schema.get("additionalProperties") {
        Some(others) if others.is_object() => {
            btree_map("[a-z]{1,8}", values(root, others, depth), 0..3).boxed()
        }
        _ => Just(std::collections::BTreeMap::new()).boxed(),
    };
    (known, others)
        .prop_map(|(known, others)| Value::Object(others.into_iter().chain(known).collect()))
        .boxed()
}

fn array(root: &Value, schema: &Map<String, Value>, depth: u32) -> BoxedStrategy<Value> {
    let items = schema.get("items").map_or_else(any_json, |items| values(root, items, depth));
    let (min, max) = lengths(schema, "minItems", "maxItems");
    vec(items, min..=max).prop_map(Value::Array).boxed()
}

fn text(schema: &Map<String, Value>) -> BoxedStrategy<Value> {
    let pattern = schema.get("pattern").and_then(Value::as_str);
    // The generator makes up whole texts, and knows no anchors.
    let whole = pattern.map(|pattern| pattern.trim_start_matches('^').trim_end_matches('$'));
    if let Some(Ok(matching)) = whole.map(string_regex) {
        return matching.prop_map(Value::String).boxed();
    }
    let (min, max) = lengths(schema, "minLength", "maxLength");
    vec(prop_oneof![9 => "[a-z0-9-]", 1 => any::<char>().prop_map(String::from)], min..=max)
        .prop_map(|pieces| Value::String(pieces.concat()))
        .boxed()
}

/// How long it is at least and at most, bounded: a limit may be far away.
fn lengths(schema: &Map<String, Value>, min: &str, max: &str) -> (usize, usize) {
    /// Longer is not made up, whatever the schema says.
    const MOST: u64 = 64;
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
    let min = bound(min).unwrap_or(0).min(MOST);
    let max = bound(max).unwrap_or(min + LENGTH).clamp(min, min + LENGTH);
    let size = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
    (size(min), size(max))
}

fn integer(schema: &Map<String, Value>) -> BoxedStrategy<Value> {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let above = bound("exclusiveMinimum").map(|bound| bound.saturating_add(1));
    let below = bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1));
    let min = bound("minimum").or(above).unwrap_or(0);
    let max = bound("maximum").or(below).unwrap_or(i64::MAX).max(min);
    let small = min..=max.min(min.saturating_add(100));
    prop_oneof![3 => small, 1 => min..=max].prop_map(Value::from).boxed()
}

fn fraction(schema: &Map<String, Value>) -> BoxedStrategy<Value> {
    let bound = |keys: [&str; 2]| keys.iter().find_map(|key| schema.get(*key)?.as_f64());
    let min = bound(["minimum", "exclusiveMinimum"]).unwrap_or(0.0);
    let max = bound(["maximum", "exclusiveMaximum"]).unwrap_or(min + 100.0).max(min);
    (min..=max)
        // People write two decimals.
        .prop_map(|number| Number::from_f64((number * 100.0).round() / 100.0))
        .prop_map(|number| number.map_or(Value::Null, Value::Number))
        .boxed()
}

fn leaf() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::String),
    ]
    .boxed()
}

fn any_json() -> BoxedStrategy<Value> {
    leaf()
        .prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::Array),
                btree_map("[a-z_]{0,8}", inner, 0..4)
                    .prop_map(|keys| Value::Object(keys.into_iter().collect())),
            ]
        })
        .boxed()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::search::Search;

    fn sample(schema: &Value) -> Vec<Value> {
        Search { seed: 1, cases: 1 }.sample("configs", &configs(schema), 200)
    }

    #[test]
    fn what_is_made_up_has_the_form_that_the_schema_says() {
        let schema = json!({
            "$ref": "#/$defs/Config",
            "$defs": {
                "Config": {
                    "type": "object",
                    "required": ["rungs", "kind"],
                    "properties": {
                        "rungs": {
                            "type": "array", "minItems": 1, "maxItems": 3,
                            "items": {"type": "integer", "minimum": 1, "maximum": 99},
                        },
                        "kind": {"enum": ["slow", "fast"]},
                        "bake": {"$ref": "#/$defs/Bake"},
                        "again": {"$ref": "#"},
                    },
                },
                "Bake": {"type": "string", "pattern": "^[0-9]{1,3}(s|m)$"},
            },
        });
        assert_eq!(required(&schema), ["rungs", "kind"]);
        let configs = sample(&schema);
        for config in &configs {
            let rungs = config["rungs"].as_array().unwrap();
            assert!((1..=3).contains(&rungs.len()), "{config}");
            assert!(rungs.iter().all(|rung| (1..=99).contains(&rung.as_i64().unwrap())));
            assert!(["slow", "fast"].contains(&config["kind"].as_str().unwrap()));
            if let Some(bake) = config.get("bake") {
                let (number, unit) =
                    bake.as_str().unwrap().split_at(bake.as_str().unwrap().len() - 1);
                assert!(number.parse::<u32>().is_ok() && ["s", "m"].contains(&unit), "{config}");
            }
        }
        assert!(configs.iter().any(|config| config.get("bake").is_some()));
        assert!(configs.iter().any(|config| config.get("bake").is_none()));
    }

    #[test]
    fn examples_are_varied_one_key_at_a_time() {
        let schema = json!({
            "type": "object",
            "properties": {"a": {"type": "integer", "maximum": 5}, "b": {"type": "boolean"}},
            "examples": [{"a": 1_000, "b": "as it was"}],
        });
        let configs = sample(&schema);
        assert!(configs.iter().any(|config| config["b"] == "as it was" && config["a"] != 1_000));
        assert!(configs.iter().any(|config| config["a"] == 1_000 && config["b"].is_boolean()));
    }

    #[test]
    fn every_branch_of_a_choice_is_taken() {
        let schema = json!({"oneOf": [
            {"type": "object", "properties": {"weight": {"type": "number"}}, "required": ["weight"]},
            {"type": "object", "properties": {"approve": {"const": true}}, "required": ["approve"]},
        ]});
        let configs = sample(&schema);
        assert!(configs.iter().any(|config| config["weight"].is_number()));
        assert!(configs.iter().any(|config| config["approve"] == true));
    }

    #[test]
    fn odd_schemas_make_no_trouble() {
        for schema in [
            json!(true),
            json!({}),
            json!({"$ref": "#/nowhere"}),
            json!({"$ref": "#"}),
            json!({"type": []}),
            json!({"enum": []}),
            json!({"type": "string", "pattern": "(?=ahead)"}),
            json!({"type": "integer", "minimum": 5, "maximum": 1}),
            json!({"type": "array", "minItems": 1_000_000_000}),
        ] {
            assert!(!sample(&schema).is_empty(), "{schema}");
        }
    }
}
