//! AppSpec files for Lambda: which alias goes from which version to which, and who is asked before
//! and after.
//!
//! JSON and YAML are read into one tree whose leaves are texts, because version numbers come with and
//! without quotes. Keys are compared without their case: AWS's documentation prints them in lower
//! case, its services send them capitalized, and both work.

mod yaml;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// AWS: bytes of an AppSpec file that is given as text.
pub(crate) const CONTENT_MAX: usize = 262_144;

/// What an AppSpec file asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppSpec {
    /// The function, as it is written: a name or an ARN.
    pub(crate) function: String,
    /// The alias whose traffic moves.
    pub(crate) alias: String,
    /// The version it is on.
    pub(crate) current: String,
    /// The version it goes to.
    pub(crate) target: String,
    /// The function that is asked before traffic moves.
    pub(crate) before: Option<String>,
    /// The function that is asked when all of it has moved.
    pub(crate) after: Option<String>,
}

/// Reads an AppSpec file, or says what is wrong with it.
pub(crate) fn parse(content: &str) -> Result<AppSpec, String> {
    let tree = match serde_json::from_str::<Value>(content) {
        Ok(json) => json,
        Err(json) => yaml::parse(content)
            .map_err(|yaml| format!("it is neither JSON ({json}) nor YAML ({yaml})"))?,
    };
    let version = member(&tree, "version").ok_or("it has no version")?;
    if text(version).and_then(|text| text.parse().ok()) != Some(0.0_f64) {
        return Err(format!("its version is {version}, not 0.0"));
    }
    let resource = only_resource(&tree)?;
    match member(resource, "Type").and_then(text).as_deref() {
        Some("AWS::Lambda::Function") => {}
        other => {
            return Err(format!("its resource is of type {other:?}, not AWS::Lambda::Function"));
        }
    }
    let properties = member(resource, "Properties").ok_or("its resource has no Properties")?;
    let property = |name: &str| {
        let found = member(properties, name).and_then(text).filter(|text| !text.is_empty());
        found.ok_or_else(|| format!("its resource has no {name}"))
    };
    let mut spec = AppSpec {
        function: property("Name")?,
        alias: property("Alias")?,
        current: property("CurrentVersion")?,
        target: property("TargetVersion")?,
        before: None,
        after: None,
    };
    if spec.current == spec.target {
        return Err(format!("CurrentVersion and TargetVersion are both {}", spec.target));
    }
    if let Some(latest) = [&spec.current, &spec.target].into_iter().find(|it| !is_number(it)) {
        return Err(format!("{latest} is no published version"));
    }
    for (event, function) in hooks(&tree)? {
        let place = match event.to_ascii_lowercase().as_str() {
            "beforeallowtraffic" => &mut spec.before,
            "afterallowtraffic" => &mut spec.after,
            _ => {
                return Err(format!(
                    "{event} is no lifecycle event that a function can be asked in"
                ));
            }
        };
        if place.replace(function).is_some() {
            return Err(format!("{event} is there twice"));
        }
    }
    Ok(spec)
}

/// The file that does `spec`, without hooks: what a deployment that puts back is made from.
pub(crate) fn write(spec: &AppSpec) -> String {
    serde_json::json!({
        "version": 0.0,
        "Resources": [{ (spec.function.as_str()): {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Name": spec.function, "Alias": spec.alias,
                "CurrentVersion": spec.current, "TargetVersion": spec.target,
            },
        } }],
    })
    .to_string()
}

/// AWS: one function per deployment.
fn only_resource(tree: &Value) -> Result<&Value, String> {
    let resources = member(tree, "Resources").ok_or("it has no Resources")?;
    let named: Vec<&Value> = match resources {
        Value::Array(items) => {
            items.iter().filter_map(Value::as_object).flat_map(serde_json::Map::values).collect()
        }
        Value::Object(items) => items.values().collect(),
        _ => Vec::new(),
    };
    match named.as_slice() {
        [one] => Ok(one),
        several => {
            Err(format!("it has {} resources; one function is deployed at a time", several.len()))
        }
    }
}

fn hooks(tree: &Value) -> Result<Vec<(String, String)>, String> {
    let given: Vec<(&String, &Value)> = match member(tree, "Hooks") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_object).flatten().collect(),
        Some(Value::Object(items)) => items.iter().collect(),
        Some(other) => return Err(format!("its Hooks are {other}")),
    };
    let named = given.into_iter().map(|(event, function)| {
        let function = text(function).filter(|function| !function.is_empty());
        function
            .map(|function| (event.clone(), function))
            .ok_or_else(|| format!("{event} names no function"))
    });
    named.collect()
}

fn member<'a>(tree: &'a Value, name: &str) -> Option<&'a Value> {
    let (_, value) = tree.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn is_number(version: &str) -> bool {
    version.parse::<u64>().is_ok_and(|number| number > 0 && number.to_string() == version)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn expected() -> AppSpec {
        AppSpec {
            function: "shop".into(),
            alias: "live".into(),
            current: "1".into(),
            target: "2".into(),
            before: Some("CodeDeployHook_before".into()),
            after: Some("CodeDeployHook_after".into()),
        }
    }

    /// As AWS's documentation prints it.
    const YAML: &str = "version: 0.0
Resources:
  - myLambdaFunction:
      Type: AWS::Lambda::Function
      Properties:
        Name: \"shop\"
        Alias: 'live'
        CurrentVersion: \"1\"
        TargetVersion: 2   # a comment
Hooks:
  - BeforeAllowTraffic: \"CodeDeployHook_before\"
  - AfterAllowTraffic: CodeDeployHook_after
";

    fn json_spec() -> Value {
        json!({
            "version": 0.0,
            "Resources": [{ "f": { "Type": "AWS::Lambda::Function", "Properties": {
                "Name": "shop", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2" } } }],
            "Hooks": [{ "BeforeAllowTraffic": "CodeDeployHook_before" },
                      { "AfterAllowTraffic": "CodeDeployHook_after" }],
        })
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        assert_eq!(parse(YAML), Ok(expected()));
        assert_eq!(parse(&json_spec().to_string()), Ok(expected()));
        let lower = json_spec().to_string().replace("Resources", "resources");
        let lower = lower.replace("\"Type\"", "\"type\"").replace("Properties", "properties");
        let lower = lower.replace("\"Name\"", "\"name\"").replace("0.0", "\"0.0\"");
        assert_eq!(parse(&lower), Ok(expected()));
    }

    #[test]
    fn hooks_may_be_left_out() {
        let mut spec = json_spec();
        for none in [Value::Null, json!([]), json!({})] {
            spec["Hooks"] = none;
            let read = parse(&spec.to_string()).unwrap();
            assert_eq!((read.before, read.after), (None, None));
        }
        let read = parse(YAML.split("Hooks").next().unwrap()).unwrap();
        assert_eq!((read.before, read.after), (None, None));
    }

    #[test]
    fn what_is_no_deployment_of_one_function_is_refused_in_words() {
        let with = |pointer: &str, value: Value| {
            let mut spec = json_spec();
            *spec.pointer_mut(pointer).unwrap() = value;
            parse(&spec.to_string()).unwrap_err()
        };
        let resource = "/Resources/0/f";
        for (refused, said) in [
            (with("/version", json!(1)), "version is 1"),
            (with("/Resources", json!([])), "0 resources"),
            (with("/Resources", json!([{ "a": 1 }, { "b": 2 }])), "2 resources"),
            (with(&format!("{resource}/Type"), json!("AWS::ECS::Service")), "ECS"),
            (with(&format!("{resource}/Properties/Alias"), json!("")), "no Alias"),
            (with(&format!("{resource}/Properties/TargetVersion"), json!("1")), "both 1"),
            (with(&format!("{resource}/Properties/TargetVersion"), json!("$LATEST")), "$LATEST"),
            (with("/Hooks", json!([{ "AfterInstall": "f" }])), "AfterInstall"),
            (with("/Hooks", json!([{ "BeforeAllowTraffic": null }])), "names no function"),
            (parse("").unwrap_err(), "neither"),
            (parse("a: [").unwrap_err(), "neither"),
            (parse("- 1").unwrap_err(), "no version"),
        ] {
            assert!(refused.contains(said), "{refused} does not say {said}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let spec = AppSpec { before: None, after: None, ..expected() };
        assert_eq!(parse(&write(&spec)), Ok(spec));
    }

    /// What YAML is made of.
    const PIECES: [&str; 28] = [
        "version: 0.0",
        "Resources:",
        "Hooks:",
        "a: b",
        "a:",
        "- ",
        "? ",
        ": ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\n",
        "\n  ",
        "\t",
        "|",
        ">",
        "'",
        "\"",
        "\\",
        "&a ",
        "*a",
        "!!str ",
        "# ",
        "---\n",
        "%YAML 1.2\n",
        "\u{feff}",
    ];

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40),
            text in "\\PC{0,60}",
        ) {
            let _ = parse(&pieces.concat());
            let _ = parse(&text);
        }
    }
}
