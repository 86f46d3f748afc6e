//! Which permissions a call needs, as the Service Authorization Reference has them.
//!
//! A call may need several: whoever gives a function a role passes that role, and whoever gives it
//! code that lies in S3 or ECR must be able to read it there, because Lambda reads it on the
//! caller's behalf.

use serde_json::{Map, Value};

use crate::lambda::name::Home;

/// The service that roles of functions are passed to.
const LAMBDA: &str = "lambda.amazonaws.com";
/// The service that roles of deployment groups are passed to.
const CODEDEPLOY: &str = "codedeploy.amazonaws.com";

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// The action: `lambda:GetAlias`.
    pub(crate) action: String,
    /// The ARN of what it acts on, or `*`.
    pub(crate) resource: String,
    /// For `iam:PassRole`: the service.
    pub(crate) passed_to: Option<&'static str>,
}

impl Need {
    /// An action on a resource.
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), passed_to: None }
    }
}

/// What an operation of Lambda needs. Names that cannot be resolved need nothing: the operation
/// itself refuses them.
pub(crate) fn of_lambda(operation: &str, input: &Map<String, Value>, home: &Home) -> Vec<Need> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let action = match operation {
        "Invoke" | "InvokeWithResponseStream" => "lambda:InvokeFunction".to_owned(),
        operation => format!("lambda:{operation}"),
    };
    let qualifier = match operation {
        "GetAccountSettings"
        | "ListFunctions"
        | "ListLayers"
        | "ListLayerVersions"
        | "CreateCodeSigningConfig"
        | "ListCodeSigningConfigs" => return vec![Need::new(action, "*")],
        "TagResource" | "UntagResource" | "ListTags" => {
            return vec![Need::new(action, text("Resource").unwrap_or_default())];
        }
        "CreateFunction" => return creation(input, &action, home),
        "GetResourcePolicy" | "PutResourcePolicy" | "DeleteResourcePolicy" => {
            return vec![Need::new(action, text("ResourceArn").unwrap_or_default())];
        }
        operation if operation.contains("Layer") => return vec![layer(operation, input, home)],
        operation if operation.ends_with("CodeSigningConfig") && text("FunctionName").is_none() => {
            return vec![Need::new(action, text("CodeSigningConfigArn").unwrap_or_default())];
        }
        // Event source mappings name their function in the request, or not at all.
        operation if operation.contains("EventSourceMapping") => return Vec::new(),
        // These act on what the qualifier names; the others on the function as a whole.
        "GetFunction"
        | "GetFunctionConfiguration"
        | "DeleteFunction"
        | "Invoke"
        | "InvokeWithResponseStream" => text("Qualifier"),
        _ => None,
    };
    let Some(name) = text("FunctionName") else { return Vec::new() };
    let Ok(target) = home.resolve(name, qualifier) else { return Vec::new() };
    let mut needs = vec![Need::new(action, home.arn(&target.name, target.qualifier.as_deref()))];
    match operation {
        "UpdateFunctionCode" => needs.extend(code(input)),
        "UpdateFunctionConfiguration" => needs.extend(configuration(input)),
        _ => {}
    }
    needs
}

/// What an operation on a layer needs: whoever reads a version by its ARN reads that version.
fn layer(operation: &str, input: &Map<String, Value>, home: &Home) -> Need {
    let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
    if operation == "GetLayerVersionByArn" {
        return Need::new("lambda:GetLayerVersion", text("Arn"));
    }
    let name = text("LayerName").rsplit(':').next().unwrap_or_default();
    let layer = home.resource_arn("layer", name);
    let resource = match input.get("VersionNumber") {
        Some(number) => format!("{layer}:{number}"),
        None => layer,
    };
    Need::new(format!("lambda:{operation}"), resource)
}

fn creation(input: &Map<String, Value>, action: &str, home: &Home) -> Vec<Need> {
    let name = input.get("FunctionName").and_then(Value::as_str).unwrap_or_default();
    let Ok(target) = home.resolve(name, None) else { return Vec::new() };
    let arn = home.arn(&target.name, None);
    let mut needs = vec![Need::new(action, arn.as_str())];
    let tags = input.get("Tags").and_then(Value::as_object);
    if tags.is_some_and(|tags| !tags.is_empty()) {
        needs.push(Need::new("lambda:TagResource", arn));
    }
    needs.extend(configuration(input));
    needs.extend(input.get("Code").and_then(Value::as_object).map(code).unwrap_or_default());
    needs
}

/// What giving a function this configuration needs.
fn configuration(input: &Map<String, Value>) -> Vec<Need> {
    let mut needs = Vec::new();
    let part = |name: &str| input.get(name).unwrap_or(&Value::Null);
    if let Some(role) = part("Role").as_str() {
        needs.push(Need { passed_to: Some(LAMBDA), ..Need::new("iam:PassRole", role) });
    }
    let layers = part("Layers").as_array().into_iter().flatten().filter_map(Value::as_str);
    needs.extend(layers.map(|layer| Need::new("lambda:GetLayerVersion", layer)));
    let subnets = part("VpcConfig")["SubnetIds"].as_array();
    if subnets.is_some_and(|subnets| !subnets.is_empty()) {
        let looks = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"];
        needs.extend(looks.map(|action| Need::new(action, "*")));
    }
    needs
}

/// What giving a function this code needs.
fn code(input: &Map<String, Value>) -> Vec<Need> {
    let mut needs = Vec::new();
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    if let (Some(bucket), Some(key)) = (text("S3Bucket"), text("S3Key")) {
        let action = match text("S3ObjectVersion") {
            Some(_) => "s3:GetObjectVersion",
            None => "s3:GetObject",
        };
        needs.push(Need::new(action, format!("arn:aws:s3:::{bucket}/{key}")));
    }
    if let Some(repository) = text("ImageUri").and_then(repository) {
        let reads = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
        needs.extend(reads.map(|action| Need::new(action, repository.as_str())));
    }
    needs
}

/// The ARN of the repository of an image: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG`.
fn repository(uri: &str) -> Option<String> {
    let (host, path) = uri.split_once('/')?;
    let mut parts = host.split('.');
    let account = parts.next()?;
    let (Some("dkr"), Some("ecr"), Some(region)) = (parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let path = path.split('@').next().unwrap_or_default();
    let name = path.rsplit_once(':').map_or(path, |(name, _)| name);
    Some(format!("arn:aws:ecr:{region}:{account}:repository/{name}"))
}

/// What an operation of CloudWatch needs. Alarms are looked at as a whole, even if they are named.
pub(crate) fn of_alarms(operation: &str, home: &Home) -> Vec<Need> {
    let resource = if operation.contains("Alarm") {
        format!("arn:aws:cloudwatch:{}:{}:alarm:*", home.region, home.account)
    } else {
        "*".to_owned()
    };
    vec![Need::new(format!("cloudwatch:{operation}"), resource)]
}

/// What an operation of CodeDeploy needs. `names_of` tells the application and group of a deployment.
pub(crate) fn of_deployment<'a>(
    operation: &str,
    input: &Value,
    home: &Home,
    names_of: impl Fn(&str) -> Option<(&'a str, &'a str)>,
) -> Vec<Need> {
    let arn = |kind: &str, name: &str| {
        format!("arn:aws:codedeploy:{}:{}:{kind}:{name}", home.region, home.account)
    };
    let text = |name: &str| input[name].as_str();
    let group =
        |application: &str, group: &str| arn("deploymentgroup", &format!("{application}/{group}"));
    let application = text("applicationName").unwrap_or_default();
    let config = text("deploymentConfigName");
    let resource = match operation {
        "CreateApplication"
        | "GetApplication"
        | "UpdateApplication"
        | "DeleteApplication"
        | "ListDeploymentGroups"
        | "GetApplicationRevision" => arn("application", application),
        "CreateDeploymentGroup"
        | "GetDeploymentGroup"
        | "UpdateDeploymentGroup"
        | "DeleteDeploymentGroup"
        | "CreateDeployment" => {
            let name = text("deploymentGroupName").or(text("currentDeploymentGroupName"));
            group(application, name.unwrap_or_default())
        }
        "CreateDeploymentConfig" | "GetDeploymentConfig" | "DeleteDeploymentConfig" => {
            arn("deploymentconfig", config.unwrap_or_default())
        }
        "GetDeployment" => match text("deploymentId").and_then(names_of) {
            Some((application, name)) => group(application, name),
            None => "*".to_owned(),
        },
        "TagResource" | "UntagResource" | "ListTagsForResource" => {
            text("ResourceArn").unwrap_or("*").to_owned()
        }
        _ => "*".to_owned(),
    };
    let mut needs = vec![Need::new(format!("codedeploy:{operation}"), resource)];
    match operation {
        // Whoever starts a deployment must be able to read how it shifts.
        "CreateDeployment" => {
            let config =
                config.map_or_else(|| "*".to_owned(), |name| arn("deploymentconfig", name));
            needs.push(Need::new("codedeploy:GetDeploymentConfig", config));
            if !input["overrideAlarmConfiguration"].is_null() {
                let resource = needs[0].resource.clone();
                needs.push(Need::new("codedeploy:UpdateDeploymentGroup", resource));
            }
        }
        "CreateDeploymentGroup" | "UpdateDeploymentGroup" => {
            if let Some(role) = text("serviceRoleArn") {
                needs.push(Need { passed_to: Some(CODEDEPLOY), ..Need::new("iam:PassRole", role) });
            }
        }
        _ => {}
    }
    needs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn needs(operation: &str, input: &Value) -> Vec<(String, String)> {
        let home = Home { region: "r".to_owned(), account: "000000000000".to_owned() };
        let needs = of_lambda(operation, input.as_object().unwrap(), &home);
        needs.into_iter().map(|need| (need.action, need.resource)).collect()
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(action, arn)| ((*action).to_owned(), (*arn).to_owned())).collect()
    }

    const FN: &str = "arn:aws:lambda:r:000000000000:function:fn";

    #[test]
    fn a_call_needs_its_action_on_what_it_names() {
        let named = |name: &str| json!({ "FunctionName": name });
        let qualified = |qualifier: &str| json!({ "FunctionName": "fn", "Qualifier": qualifier });
        for (operation, input, arn) in [
            ("GetAlias", named("fn"), FN.to_owned()),
            ("UpdateAlias", named("fn"), FN.to_owned()),
            ("GetFunction", qualified("7"), format!("{FN}:7")),
            ("GetFunction", named("fn"), FN.to_owned()),
            ("GetFunction", named("fn:live"), format!("{FN}:live")),
            ("DeleteFunction", qualified("1"), format!("{FN}:1")),
            ("ListVersionsByFunction", named("fn"), FN.to_owned()),
            ("ListFunctions", json!({}), "*".to_owned()),
            (
                "DeleteLayerVersion",
                json!({ "LayerName": "libs", "VersionNumber": 2 }),
                "arn:aws:lambda:r:000000000000:layer:libs:2".to_owned(),
            ),
            (
                "GetCodeSigningConfig",
                json!({ "CodeSigningConfigArn": "arn:c" }),
                "arn:c".to_owned(),
            ),
        ] {
            let action = format!("lambda:{operation}");
            assert_eq!(needs(operation, &input), pairs(&[(action.as_str(), arn.as_str())]));
        }
        assert_eq!(
            needs("Invoke", &qualified("live")),
            pairs(&[("lambda:InvokeFunction", &format!("{FN}:live"))])
        );
    }

    #[test]
    fn giving_a_role_and_code_needs_more_than_lambda() {
        let role = "arn:aws:iam::0:role/r";
        let made = json!({
            "FunctionName": "fn", "Role": role, "Tags": { "a": "b" },
            "Code": { "S3Bucket": "artifacts", "S3Key": "a/b.zip" },
        });
        assert_eq!(
            needs("CreateFunction", &made),
            pairs(&[
                ("lambda:CreateFunction", FN),
                ("lambda:TagResource", FN),
                ("iam:PassRole", role),
                ("s3:GetObject", "arn:aws:s3:::artifacts/a/b.zip"),
            ])
        );
        let image = json!({ "FunctionName": "fn", "ImageUri": "1.dkr.ecr.eu-west-1.amazonaws.com/team/shop:v1" });
        let repository = "arn:aws:ecr:eu-west-1:1:repository/team/shop";
        assert_eq!(
            needs("UpdateFunctionCode", &image),
            pairs(&[
                ("lambda:UpdateFunctionCode", FN),
                ("ecr:BatchGetImage", repository),
                ("ecr:GetDownloadUrlForLayer", repository),
            ])
        );
        let network =
            json!({ "FunctionName": "fn", "Layers": ["l"], "VpcConfig": { "SubnetIds": ["s"] } });
        assert_eq!(
            needs("UpdateFunctionConfiguration", &network),
            pairs(&[
                ("lambda:UpdateFunctionConfiguration", FN),
                ("lambda:GetLayerVersion", "l"),
                ("ec2:DescribeSecurityGroups", "*"),
                ("ec2:DescribeSubnets", "*"),
                ("ec2:DescribeVpcs", "*"),
            ])
        );
        let nothing =
            json!({ "FunctionName": "fn", "VpcConfig": { "SubnetIds": [] }, "Layers": [] });
        let found = needs("UpdateFunctionConfiguration", &nothing);
        assert_eq!(found, pairs(&[("lambda:UpdateFunctionConfiguration", FN)]));
    }

    #[test]
    fn alarms_have_a_resource_and_metrics_have_none() {
        let home = Home { region: "r".to_owned(), account: "0".to_owned() };
        let resource = |operation| of_alarms(operation, &home).remove(0).resource;
        assert_eq!(resource("DescribeAlarms"), "arn:aws:cloudwatch:r:0:alarm:*");
        assert_eq!(resource("GetMetricData"), "*");
    }

    #[test]
    fn deployments_are_allowed_by_their_groups() {
        let home = Home { region: "r".to_owned(), account: "000000000000".to_owned() };
        let names_of = |id: &str| (id == "d-1").then_some(("shop", "live"));
        let found = |operation: &str, input: &Value| {
            let needs = of_deployment(operation, input, &home, names_of);
            let pair = |need: Need| (need.action, need.resource);
            needs.into_iter().map(pair).collect::<Vec<_>>()
        };
        let base = "arn:aws:codedeploy:r:000000000000";
        let group = format!("{base}:deploymentgroup:shop/live");
        let named = json!({ "applicationName": "shop", "deploymentGroupName": "live" });
        assert_eq!(
            found("CreateDeployment", &named),
            pairs(&[
                ("codedeploy:CreateDeployment", &group),
                ("codedeploy:GetDeploymentConfig", "*")
            ])
        );
        let mut made = named.clone();
        made["serviceRoleArn"] = json!("arn:aws:iam::0:role/r");
        assert_eq!(
            found("CreateDeploymentGroup", &made),
            pairs(&[
                ("codedeploy:CreateDeploymentGroup", &group),
                ("iam:PassRole", "arn:aws:iam::0:role/r"),
            ])
        );
        let by_id = json!({ "deploymentId": "d-1" });
        assert_eq!(found("GetDeployment", &by_id), pairs(&[("codedeploy:GetDeployment", &group)]));
        assert_eq!(found("StopDeployment", &by_id), pairs(&[("codedeploy:StopDeployment", "*")]));
        assert_eq!(
            found("GetApplication", &named),
            pairs(&[("codedeploy:GetApplication", &format!("{base}:application:shop"))])
        );
    }
}
