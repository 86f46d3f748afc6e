//! Code signing, whole policies, and the small settings of functions.

use serde::Deserialize;
use serde_json::Value;

use super::call::{Call, Outcome};
use super::read;
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
pub(super) fn perform(call: &Call<'_>) -> Option<Outcome> {
    const SUBJECTS: [&str; 5] = [
        "CodeSigningConfig",
        "ResourcePolicy",
        "RuntimeManagementConfig",
        "RecursionConfig",
        "ScalingConfig",
    ];
    if !SUBJECTS.iter().any(|subject| call.operation.contains(subject)) {
        return None;
    }
    let named = match read::<Named>(call.input) {
        Ok(named) => named,
        Err(error) => return Some(Err(error)),
    };
    code_signing(call, &named)
        .or_else(|| attachment(call, &named))
        .or_else(|| policy(call, &named))
        .or_else(|| setting(call, &named))
}

fn code_signing(call: &Call<'_>, named: &Named) -> Option<Outcome> {
    let arn = named.code_signing_config_arn.as_str();
    Some(match call.operation {
        "CreateCodeSigningConfig" => call.change_by(|core, now, input: CodeSigningInput| {
            core.lambda.create_code_signing(now, &mut core.ids, input)
        }),
        "UpdateCodeSigningConfig" => call.change_by(|core, now, input: CodeSigningInput| {
            core.lambda.update_code_signing(now, arn, input)
        }),
        "GetCodeSigningConfig" => call.look(|core, _| core.lambda.get_code_signing(arn)),
        "DeleteCodeSigningConfig" => call.change(|core, _| core.lambda.delete_code_signing(arn)),
        "ListCodeSigningConfigs" => call.list("CodeSigningConfigs", |core, _, marker, max| {
            Ok(core.lambda.list_code_signing(marker, max))
        }),
        _ => return None,
    })
}

fn attachment(call: &Call<'_>, named: &Named) -> Option<Outcome> {
    let (name, arn) = (call.function(), named.code_signing_config_arn.as_str());
    Some(match call.operation {
        "PutFunctionCodeSigningConfig" => {
            call.change(|core, now| core.lambda.attach_code_signing(now, name, arn))
        }
        "GetFunctionCodeSigningConfig" => {
            call.look(|core, _| core.lambda.attached_code_signing(name))
        }
        "DeleteFunctionCodeSigningConfig" => {
            call.change(|core, now| core.lambda.detach_code_signing(now, name))
        }
        "ListFunctionsByCodeSigningConfig" => call.list("FunctionArns", |core, _, marker, max| {
            core.lambda.list_signed_functions(arn, marker, max)
        }),
        _ => return None,
    })
}

fn policy(call: &Call<'_>, named: &Named) -> Option<Outcome> {
    let (arn, revision) = (named.resource_arn.as_str(), call.revision());
    Some(match call.operation {
        "PutResourcePolicy" => call.change(|core, now| {
            let (lambda, ids) = (&mut core.lambda, &mut core.ids);
            lambda.put_resource_policy(now, ids, arn, &named.policy, revision)
        }),
        "GetResourcePolicy" => call.look(|core, _| core.lambda.get_resource_policy(arn)),
        "DeleteResourcePolicy" => {
            call.change(|core, now| core.lambda.delete_resource_policy(now, arn, revision))
        }
        _ => return None,
    })
}

fn setting(call: &Call<'_>, named: &Named) -> Option<Outcome> {
    let (name, qualifier) = (call.function(), call.qualifier());
    let version = qualifier.unwrap_or_default();
    Some(match call.operation {
        "PutRuntimeManagementConfig" => {
            call.change_by(|core, now, input: RuntimeManagementInput| {
                core.lambda.put_runtime_management(now, name, qualifier, input)
            })
        }
        "GetRuntimeManagementConfig" => {
            call.look(|core, now| core.lambda.get_runtime_management(now, name, qualifier))
        }
        "PutFunctionRecursionConfig" => {
            call.change(|core, now| core.lambda.put_recursion(now, name, &named.recursive_loop))
        }
        "GetFunctionRecursionConfig" => call.look(|core, _| core.lambda.get_recursion(name)),
        "PutFunctionScalingConfig" => call.change(|core, now| {
            let config = named.function_scaling_config.clone();
            core.lambda.put_scaling(now, name, version, config)
        }),
        "GetFunctionScalingConfig" => {
            call.look(|core, now| core.lambda.get_scaling(now, name, version))
        }
        _ => return None,
    })
}
