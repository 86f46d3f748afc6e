//! The kept schema is the one that the types make, and judges manifests as `load` does.

use std::path::PathBuf;

use crate::support::{Over, SHOP, load_text};
use serde_json::Value;
use wavegate_config::schema;

fn kept() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "docs", "deploy.schema.json"].iter().collect()
}

#[test]
fn the_kept_schema_is_up_to_date() {
    let kept = std::fs::read_to_string(kept()).unwrap_or_default();
    // As values: how serde_json orders keys depends on what else is built with it.
    assert!(
        serde_json::from_str::<Value>(&kept).ok() == Some(schema()),
        "run `cargo run -p wavegate-config --example schema > docs/deploy.schema.json`",
    );
}

/// A TOML text as JSON, by the parser that the loader uses.
fn json(text: &str) -> Value {
    fn value(node: &toml_edit::Value) -> Value {
        match node {
            toml_edit::Value::String(text) => text.value().as_str().into(),
            toml_edit::Value::Integer(number) => (*number.value()).into(),
            toml_edit::Value::Float(number) => (*number.value()).into(),
            toml_edit::Value::Boolean(bool) => (*bool.value()).into(),
            toml_edit::Value::Datetime(date) => date.value().to_string().into(),
            toml_edit::Value::Array(list) => list.iter().map(value).collect(),
            toml_edit::Value::InlineTable(entries) => table(entries),
        }
    }
    fn table(entries: &dyn toml_edit::TableLike) -> Value {
        let entry = |(key, item): (&str, &toml_edit::Item)| {
            let below = item.as_table_like().map(table).or_else(|| item.as_value().map(value));
            (key.to_owned(), below.unwrap_or_default())
        };
        entries.iter().map(entry).collect()
    }
    table(toml_edit::Document::parse(text).unwrap().as_table())
}

#[test]
fn the_schema_and_the_loader_agree() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let good = |text: &str| {
        let errors: Vec<String> = validator
            .iter_errors(&json(text))
            .map(|e| format!("{} at {}", e, e.instance_path))
            .collect();
        assert!(errors.is_empty(), "{errors:?}\n{text}");
        load_text(text, &Over::default()).unwrap();
    };
    let bad = |text: &str| {
        assert!(!validator.is_valid(&json(text)), "{text}");
        assert!(load_text(text, &Over::default()).is_err(), "{text}");
    };
    good(SHOP);
    for (from, to) in [
        ("name = \"shop\"", "nmae = \"shop\""),
        ("region =", "regoin ="),
        ("timeout = \"10s\"", "timeout = 10"),
        ("timeout = \"10s\"", "timeuot = \"10s\""),
        ("tracing = \"active\"", "tracing = \"passive\""),
        ("use = \"canary\"\n", ""),
        ("time_scale = 60", "time_scale = 0"),
        ("traffic = { rps = 20 }", "traffic = { rsp = 20 }"),
        ("check_roles = true", "check_roles = \"yes\""),
        ("pre_traffic", "before"),
        ("if_already_alarming = \"wait\"", "if_already_alarming = \"hope\""),
        ("RETRIES = 3", "RETRIES = [3]"),
        ("[profiles.prod.app]\ntarget", "[profiles.prod.app]\ntargte"),
        ("[profiles.prod.app]", "[profiles.prod.profiles.x.app]"),
        ("[local]", "[locale]"),
        ("depends_on = [\"auth\"]", "depends_on = \"auth\""),
        ("[local]", "[codedeploy]\nrol = \"x\"\n[local]"),
        (
            "[local]",
            "[codedeploy]\ntriggers = [{ name = \"x\", events = [\"DeploymentStart\"] }]\n[local]",
        ),
        ("tracing = \"active\"", "engine = \"code-deploy\""),
        ("tracing = \"active\"", "codedeploy = { ignore_unreadable_alarms = \"no\" }"),
        ("[local]", "[plugins.ladder]\nmemory = \"1GB\"\n[local]"),
        ("[local]", "[plugins.ladder]\npath = \"x\"\nisolation = \"none\"\n[local]"),
        ("[local]", "[plugins.ladder]\npath = \"x\"\nsha256 = \"y\"\n[local]"),
    ] {
        assert!(SHOP.contains(from), "{from}");
        bad(&SHOP.replacen(from, to, 1));
    }
    for (from, to) in [
        // Keys of components are their own.
        ("percent = 10", "percent = 10\nanything = { goes = [1, 2] }"),
        ("region =", "requests_per_second = 5\nregion ="),
        ("region =", "engine = \"codedeploy\"\nregion ="),
        (
            "tracing = \"active\"",
            "engine = \"codedeploy\"\ncodedeploy = { application = \"shop\", group = \"mail\" }",
        ),
        (
            "[local]",
            "[codedeploy]\ntriggers = [{ name = \"x\", topic = \"arn:aws:sns:eu-west-1:123456789012:t\", \
             events = [\"DeploymentStart\"] }]\n[local]",
        ),
        ("[local]", "[plugins.ladder]\npath = \"x\"\nisolation = \"in-process\"\n[local]"),
        (
            "[profiles.prod.app]",
            "[profiles.prod.plugins.ladder]\npath = \"x\"\n[profiles.prod.app]",
        ),
    ] {
        good(&SHOP.replacen(from, to, 1));
    }
}
