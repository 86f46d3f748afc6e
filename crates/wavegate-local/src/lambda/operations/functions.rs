//! Functions, versions, aliases, policies, tags, reserved concurrency.

use std::sync::Arc;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::call::{Call, Outcome};
use super::{Subject, read, shown, unreadable};
use crate::cloud::Cloud;
use crate::intake;
use crate::lambda::archive::{code_of_image, resolved_image};
use crate::lambda::error::ApiError;
use crate::lambda::input::{
    AddPermission, Code, CodeLocation, CreateAlias, CreateFunction, PublishVersion, UpdateAlias,
    UpdateFunctionCode, UpdateFunctionConfiguration,
};

/// Creates a function. The input may carry the code, so it is not copied.
pub(super) async fn create(cloud: &Arc<Cloud>, input: Value) -> Result<Value, ApiError> {
    let mut input = CreateFunction::deserialize(input).map_err(unreadable)?;
    cloud.read(|core, _| core.lambda.may_create(&input))?;
    check_role(cloud, input.configuration.role.as_deref())?;
    let code = take_in(cloud, &mut input.code).await?;
    let made =
        cloud.change(|core, now| core.lambda.create_function(now, &mut core.ids, input, code))?;
    cloud.prepare_runtimes();
    shown(&made)
}

/// Gives a function new code.
pub(super) async fn update_code(cloud: &Arc<Cloud>, input: Value) -> Result<Value, ApiError> {
    let name = read::<Subject>(&json!({ "FunctionName": input["FunctionName"] }))?.function_name;
    let mut input = UpdateFunctionCode::deserialize(input).map_err(unreadable)?;
    cloud.read(|core, now| core.lambda.may_update_code(now, &name, &input))?;
    let code = take_in(cloud, &mut input.code).await?;
    shown(&cloud.change(|core, now| {
        core.lambda.update_function_code(now, &mut core.ids, &name, &input, code)
    })?)
}

/// Refuses a role that Lambda cannot assume, where roles are checked.
fn check_role(cloud: &Cloud, role: Option<&str>) -> Result<(), ApiError> {
    match role {
        Some(role) if cloud.shared.check_roles && !cloud.identity().lambda_may_assume(role) => {
            let message = "The role defined for the function cannot be assumed by Lambda.";
            Err(ApiError::invalid(message))
        }
        _ => Ok(()),
    }
}

/// Takes code in from wherever a request says it lies. The package itself is not kept in the input.
async fn take_in(cloud: &Arc<Cloud>, location: &mut CodeLocation) -> Result<Code, ApiError> {
    if let Some(uri) = &location.image_uri {
        if location.zip_file.is_some() || location.s3_bucket.is_some() {
            return Err(ApiError::invalid(
                "Please do not provide other FunctionCode parameters when providing an ImageUri.",
            ));
        }
        return Ok(code_of_image(uri));
    }
    let zip_file = location.zip_file.take();
    intake::take_in(cloud, CodeLocation { zip_file, ..location.clone() }).await
}

/// Performs an operation; none if it is none of these.
pub(super) fn perform(call: &Call<'_>) -> Option<Outcome> {
    look(call).or_else(|| change(call)).or_else(|| alias(call)).or_else(|| policy(call))
}

fn look(call: &Call<'_>) -> Option<Outcome> {
    let (on, name, qualifier) = (call.on, call.function(), call.qualifier());
    Some(match call.operation {
        "GetAccountSettings" => call.look(|core, _| Ok(core.lambda.account_settings())),
        "ListFunctions" => call.list("Functions", |core, now, marker, max| {
            let all = on.function_version.as_deref() == Some("ALL");
            Ok(core.lambda.list_functions(now, all, marker, max))
        }),
        "GetFunction" => get_function(call),
        "GetFunctionConfiguration" => {
            call.look(|core, now| core.lambda.get_function_configuration(now, name, qualifier))
        }
        "ListVersionsByFunction" => call.list("Versions", |core, now, marker, max| {
            core.lambda.list_versions(now, name, marker, max)
        }),
        "GetFunctionConcurrency" => call.look(|core, _| core.lambda.get_concurrency(name)),
        "GetPolicy" => call.look(|core, _| core.lambda.get_policy(name, qualifier)),
        "ListTags" => {
            call.look(|core, _| Ok(json!({ "Tags": core.lambda.list_tags(&on.resource)? })))
        }
        _ => return None,
    })
}

fn get_function(call: &Call<'_>) -> Outcome {
    let (name, qualifier) = (call.function(), call.qualifier());
    let (function, code) = call.cloud.read(|core, now| {
        let function = core.lambda.get_function(now, name, qualifier)?;
        Ok((function, core.lambda.get_code(now, name, qualifier)?))
    })?;
    let mut shown = shown(&function)?;
    shown["Code"] = match code {
        Code::Zip { sha256, .. } => {
            json!({ "RepositoryType": "S3", "Location": call.cloud.shared.code_url(&sha256) })
        }
        Code::Image { uri, sha256 } => {
            let resolved = resolved_image(&uri, &sha256);
            json!({ "RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": resolved })
        }
    };
    if let Some(key) = function.source_kms_key_arn {
        shown["Code"]["SourceKMSKeyArn"] = json!(key);
    }
    Ok(shown)
}

fn change(call: &Call<'_>) -> Option<Outcome> {
    let (on, name) = (call.on, call.function());
    Some(match call.operation {
        "DeleteFunction" => delete(call),
        "UpdateFunctionConfiguration" => update_configuration(call),
        "PublishVersion" => call.change_by(|core, now, input: PublishVersion| {
            core.lambda.publish_version(now, &mut core.ids, name, &input)
        }),
        "PutFunctionConcurrency" => {
            read(&call.input["ReservedConcurrentExecutions"]).and_then(|reserved| {
                call.change(|core, now| core.lambda.put_concurrency(now, name, reserved))
            })
        }
        "DeleteFunctionConcurrency" => {
            call.change(|core, now| core.lambda.delete_concurrency(now, name))
        }
        "TagResource" => read(&call.input["Tags"]).and_then(|tags| {
            call.change(|core, now| core.lambda.tag(now, &mut core.ids, &on.resource, tags))
        }),
        "UntagResource" => read(&call.input["TagKeys"]).and_then(|keys: Vec<String>| {
            call.change(|core, now| core.lambda.untag(now, &mut core.ids, &on.resource, &keys))
        }),
        _ => return None,
    })
}

fn delete(call: &Call<'_>) -> Outcome {
    let (name, qualifier) = (call.function(), call.qualifier());
    call.cloud.change(|core, now| core.lambda.delete_function(now, name, qualifier))?;
    call.cloud.reap();
    // The answer says what became of versions that can be deleted later only.
    Ok(json!({ "StatusCode": 204 }))
}

fn update_configuration(call: &Call<'_>) -> Outcome {
    let name = call.function();
    let input: UpdateFunctionConfiguration = read(call.input)?;
    call.cloud.read(|core, now| core.lambda.get_function_configuration(now, name, None))?;
    check_role(call.cloud, input.configuration.role.as_deref())?;
    call.change(|core, now| {
        core.lambda.update_function_configuration(now, &mut core.ids, name, input)
    })
}

fn alias(call: &Call<'_>) -> Option<Outcome> {
    let (on, name) = (call.on, call.function());
    Some(match call.operation {
        "GetAlias" => call.look(|core, now| {
            core.lambda.advance(now);
            core.lambda.get_alias(name, &on.name)
        }),
        "ListAliases" => call.list("Aliases", |core, now, marker, max| {
            core.lambda.advance(now);
            core.lambda.list_aliases(name, on.function_version.as_deref(), marker, max)
        }),
        "CreateAlias" => call.change_by(|core, now, input: CreateAlias| {
            core.lambda.create_alias(now, &mut core.ids, name, input)
        }),
        "UpdateAlias" => call.change_by(|core, now, input: UpdateAlias| {
            core.lambda.update_alias(now, &mut core.ids, name, &on.name, input)
        }),
        "DeleteAlias" => call.change(|core, now| core.lambda.delete_alias(now, name, &on.name)),
        _ => return None,
    })
}

fn policy(call: &Call<'_>) -> Option<Outcome> {
    let (name, qualifier) = (call.function(), call.qualifier());
    Some(match call.operation {
        "AddPermission" => call.change_by(|core, now, input: AddPermission| {
            let (lambda, ids) = (&mut core.lambda, &mut core.ids);
            let statement = lambda.add_permission(now, ids, name, qualifier, &input)?;
            Ok(json!({ "Statement": statement }))
        }),
        "RemovePermission" => call.change(|core, now| {
            let (lambda, ids, revision) = (&mut core.lambda, &mut core.ids, call.revision());
            lambda.remove_permission(now, ids, name, qualifier, &call.on.statement_id, revision)
        }),
        _ => return None,
    })
}
