//! Code signing, whole policies, and the small settings of functions.

use serde::Deserialize;
use serde_json::Value;

use super::functions::nothing;
use super::{Subject, list, read};
use crate::cloud::Cloud;
use crate::lambda::error::ApiError;
use crate::lambda::model::{CodeSigningInput, RuntimeManagementInput};

/// What of a request is named by its ARN, and what is said of it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Named {
    code_signing_config_arn: String,
    resource_arn: String,
    policy: String,
    recursive_loop: String,
    function_scaling_config: Option<Value>,
}

/// Performs an operation; none if it is none of these.
pub(super) fn perform(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    const SUBJECTS: [&str; 5] = [
        "CodeSigningConfig",
        "ResourcePolicy",
        "RuntimeManagementConfig",
        "RecursionConfig",
        "ScalingConfig",
    ];
    if !SUBJECTS.iter().any(|subject| operation.contains(subject)) {
        return None;
    }
    let named = match read::<Named>(input) {
        Ok(named) => named,
        Err(error) => return Some(Err(error)),
    };
    code_signing(cloud, operation, on, &named, input)
        .or_else(|| attachment(cloud, operation, on, &named))
        .or_else(|| policy(cloud, operation, on, &named))
        .or_else(|| setting(cloud, operation, on, &named, input))
}

fn code_signing(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    named: &Named,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let arn = named.code_signing_config_arn.as_str();
    Some(match operation {
        "CreateCodeSigningConfig" => read::<CodeSigningInput>(input).and_then(|input| {
            cloud.change(|core, now| core.lambda.create_code_signing(now, &mut core.ids, input))
        }),
        "UpdateCodeSigningConfig" => read::<CodeSigningInput>(input).and_then(|input| {
            cloud.change(|core, now| core.lambda.update_code_signing(now, arn, input))
        }),
        "GetCodeSigningConfig" => cloud.read(|core, _| core.lambda.get_code_signing(arn)),
        "DeleteCodeSigningConfig" => {
            nothing(cloud.change(|core, _| core.lambda.delete_code_signing(arn)))
        }
        "ListCodeSigningConfigs" => cloud.read(|core, _| {
            list("CodeSigningConfigs", core.lambda.list_code_signing(on.marker(), on.max_items))
        }),
        _ => return None,
    })
}

fn attachment(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    named: &Named,
) -> Option<Result<Value, ApiError>> {
    let (name, arn) = (on.function_name.as_str(), named.code_signing_config_arn.as_str());
    Some(match operation {
        "PutFunctionCodeSigningConfig" => {
            cloud.change(|core, now| core.lambda.attach_code_signing(now, name, arn))
        }
        "GetFunctionCodeSigningConfig" => {
            cloud.read(|core, _| core.lambda.attached_code_signing(name))
        }
        "DeleteFunctionCodeSigningConfig" => {
            nothing(cloud.change(|core, now| core.lambda.detach_code_signing(now, name)))
        }
        "ListFunctionsByCodeSigningConfig" => cloud.read(|core, _| {
            let page = core.lambda.list_signed_functions(arn, on.marker(), on.max_items)?;
            list("FunctionArns", page)
        }),
        _ => return None,
    })
}

fn policy(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    named: &Named,
) -> Option<Result<Value, ApiError>> {
    let (arn, revision) = (named.resource_arn.as_str(), on.revision_id.as_deref());
    Some(match operation {
        "PutResourcePolicy" => cloud.change(|core, now| {
            let (lambda, ids) = (&mut core.lambda, &mut core.ids);
            lambda.put_resource_policy(now, ids, arn, &named.policy, revision)
        }),
        "GetResourcePolicy" => cloud.read(|core, _| core.lambda.get_resource_policy(arn)),
        "DeleteResourcePolicy" => nothing(
            cloud.change(|core, now| core.lambda.delete_resource_policy(now, arn, revision)),
        ),
        _ => return None,
    })
}

fn setting(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    named: &Named,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let (name, qualifier) = (on.function_name.as_str(), on.qualifier());
    let version = qualifier.unwrap_or_default();
    Some(match operation {
        "PutRuntimeManagementConfig" => read::<RuntimeManagementInput>(input).and_then(|input| {
            cloud
                .change(|core, now| core.lambda.put_runtime_management(now, name, qualifier, input))
        }),
        "GetRuntimeManagementConfig" => {
            cloud.read(|core, now| core.lambda.get_runtime_management(now, name, qualifier))
        }
        "PutFunctionRecursionConfig" => {
            cloud.change(|core, now| core.lambda.put_recursion(now, name, &named.recursive_loop))
        }
        "GetFunctionRecursionConfig" => cloud.read(|core, _| core.lambda.get_recursion(name)),
        "PutFunctionScalingConfig" => cloud.change(|core, now| {
            let config = named.function_scaling_config.clone();
            core.lambda.put_scaling(now, name, version, config)
        }),
        "GetFunctionScalingConfig" => {
            cloud.read(|core, now| core.lambda.get_scaling(now, name, version))
        }
        _ => return None,
    })
}
