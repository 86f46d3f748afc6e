//! The AppSpec file of one deployment: which alias goes from which version to which, and whom
//! CodeDeploy asks before and after.
//!
//! Source: CodeDeploy's user guide, "AppSpec file structure for AWS Lambda deployments".

use serde_json::{Value, json};
use wavegate_engine::ports::NewDeployment;

/// The file, as JSON: what CodeDeploy reads as it reads YAML.
pub(super) fn content(deployment: &NewDeployment) -> String {
    let mut file = json!({
        "version": 0.0,
        "Resources": [{
            deployment.function.as_str(): {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Name": deployment.function,
                    "Alias": deployment.alias,
                    "CurrentVersion": deployment.current.to_string(),
                    "TargetVersion": deployment.target.to_string(),
                },
            },
        }],
    });
    let group = &deployment.group;
    let hooks = [("BeforeAllowTraffic", &group.before), ("AfterAllowTraffic", &group.after)];
    let hooks = hooks.into_iter().filter_map(|(event, function)| {
        let function = function.as_ref()?;
        Some(json!({ event: function }))
    });
    let hooks: Vec<Value> = hooks.collect();
    if !hooks.is_empty() {
        file["Hooks"] = Value::Array(hooks);
    }
    file.to_string()
}

#[cfg(test)]
mod tests {
    use wavegate_core::codedeploy::Group;
    use wavegate_core::name::VersionId;

    use super::*;

    fn deployment(before: Option<&str>, after: Option<&str>) -> NewDeployment {
        NewDeployment {
            group: Group {
                before: before.map(str::to_owned),
                after: after.map(str::to_owned),
                ..Group::default()
            },
            config: "CodeDeployDefault.LambdaAllAtOnce".to_owned(),
            function: "shop-auth".to_owned(),
            alias: "live".to_owned(),
            current: VersionId(17),
            target: VersionId(18),
            description: String::new(),
        }
    }

    fn read(deployment: &NewDeployment) -> Value {
        serde_json::from_str(&content(deployment)).unwrap()
    }

    #[test]
    fn a_file_names_one_alias_and_both_versions() {
        let expected = json!({
            "version": 0.0,
            "Resources": [{ "shop-auth": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Name": "shop-auth", "Alias": "live",
                    "CurrentVersion": "17", "TargetVersion": "18",
                },
            } }],
        });
        assert_eq!(read(&deployment(None, None)), expected);
    }

    #[test]
    fn only_hooks_that_a_group_has_are_named_and_in_their_order() {
        for (before, after, hooks) in [
            (Some("b"), None, json!([{ "BeforeAllowTraffic": "b" }])),
            (None, Some("a"), json!([{ "AfterAllowTraffic": "a" }])),
            (
                Some("b"),
                Some("a"),
                json!([{ "BeforeAllowTraffic": "b" }, { "AfterAllowTraffic": "a" }]),
            ),
        ] {
            assert_eq!(read(&deployment(before, after))["Hooks"], hooks);
        }
    }
}
