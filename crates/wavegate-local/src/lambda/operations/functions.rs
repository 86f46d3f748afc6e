//! Functions, versions, aliases, policies, tags, reserved concurrency.

use std::sync::Arc;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{Subject, list, read, shown, unreadable};
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
pub(super) fn perform(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    look(cloud, operation, on)
        .or_else(|| change(cloud, operation, on, input))
        .or_else(|| change_alias(cloud, operation, on, input))
        .or_else(|| change_policy(cloud, operation, on, input))
}

fn look(cloud: &Cloud, operation: &str, on: &Subject) -> Option<Result<Value, ApiError>> {
    let name = on.function_name.as_str();
    Some(match operation {
        "GetAccountSettings" => cloud.read(|core, _| shown(&core.lambda.account_settings())),
        "ListFunctions" => {
            let all = on.function_version.as_deref() == Some("ALL");
            cloud.read(|core, now| {
                list("Functions", core.lambda.list_functions(now, all, on.marker(), on.max_items))
            })
        }
        "GetFunction" => get_function(cloud, on),
        "GetFunctionConfiguration" => cloud.read(|core, now| {
            shown(&core.lambda.get_function_configuration(now, name, on.qualifier())?)
        }),
        "ListVersionsByFunction" => cloud.read(|core, now| {
            list("Versions", core.lambda.list_versions(now, name, on.marker(), on.max_items)?)
        }),
        "GetAlias" => cloud.read(|core, now| {
            core.lambda.advance(now);
            shown(&core.lambda.get_alias(name, &on.name)?)
        }),
        "ListAliases" => cloud.read(|core, now| {
            core.lambda.advance(now);
            let version = on.function_version.as_deref();
            list("Aliases", core.lambda.list_aliases(name, version, on.marker(), on.max_items)?)
        }),
        "GetFunctionConcurrency" => {
            cloud.read(|core, _| shown(&core.lambda.get_concurrency(name)?))
        }
        "GetPolicy" => cloud.read(|core, _| shown(&core.lambda.get_policy(name, on.qualifier())?)),
        "ListTags" => {
            cloud.read(|core, _| Ok(json!({ "Tags": core.lambda.list_tags(&on.resource)? })))
        }
        _ => return None,
    })
}

fn get_function(cloud: &Cloud, on: &Subject) -> Result<Value, ApiError> {
    let (function, code) = cloud.read(|core, now| {
        let function = core.lambda.get_function(now, &on.function_name, on.qualifier())?;
        Ok((function, core.lambda.get_code(now, &on.function_name, on.qualifier())?))
    })?;
    let mut shown = shown(&function)?;
    shown["Code"] = match code {
        Code::Zip { sha256, .. } => {
            json!({ "RepositoryType": "S3", "Location": cloud.shared.code_url(&sha256) })
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

fn change(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let name = on.function_name.as_str();
    let done = match operation {
        "DeleteFunction" => delete(cloud, on),
        "UpdateFunctionConfiguration" => {
            read::<UpdateFunctionConfiguration>(input).and_then(|input| {
                cloud.read(|core, now| core.lambda.get_function_configuration(now, name, None))?;
                check_role(cloud, input.configuration.role.as_deref())?;
                shown(&cloud.change(|core, now| {
                    core.lambda.update_function_configuration(now, &mut core.ids, name, input)
                })?)
            })
        }
        "PublishVersion" => read::<PublishVersion>(input).and_then(|input| {
            shown(&cloud.change(|core, now| {
                core.lambda.publish_version(now, &mut core.ids, name, &input)
            })?)
        }),
        "PutFunctionConcurrency" => {
            read(&input["ReservedConcurrentExecutions"]).and_then(|reserved: u32| {
                shown(&cloud.change(|core, now| core.lambda.put_concurrency(now, name, reserved))?)
            })
        }
        "DeleteFunctionConcurrency" => {
            nothing(cloud.change(|core, now| core.lambda.delete_concurrency(now, name)))
        }
        "TagResource" => read(&input["Tags"]).and_then(|tags| {
            nothing(
                cloud.change(|core, now| core.lambda.tag(now, &mut core.ids, &on.resource, tags)),
            )
        }),
        "UntagResource" => read(&input["TagKeys"]).and_then(|keys: Vec<String>| {
            nothing(
                cloud
                    .change(|core, now| core.lambda.untag(now, &mut core.ids, &on.resource, &keys)),
            )
        }),
        _ => return None,
    };
    Some(done)
}

fn delete(cloud: &Cloud, on: &Subject) -> Result<Value, ApiError> {
    let (name, qualifier) = (on.function_name.as_str(), on.qualifier());
    cloud.change(|core, now| core.lambda.delete_function(now, name, qualifier))?;
    cloud.reap();
    // The answer says what became of versions that can be deleted later only.
    Ok(json!({ "StatusCode": 204 }))
}

fn change_alias(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let name = on.function_name.as_str();
    Some(match operation {
        "CreateAlias" => {
            read::<CreateAlias>(input).and_then(|input| {
                shown(&cloud.change(|core, now| {
                    core.lambda.create_alias(now, &mut core.ids, name, input)
                })?)
            })
        }
        "UpdateAlias" => read::<UpdateAlias>(input).and_then(|input| {
            shown(&cloud.change(|core, now| {
                core.lambda.update_alias(now, &mut core.ids, name, &on.name, input)
            })?)
        }),
        "DeleteAlias" => {
            nothing(cloud.change(|core, now| core.lambda.delete_alias(now, name, &on.name)))
        }
        _ => return None,
    })
}

fn change_policy(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let (name, qualifier) = (on.function_name.as_str(), on.qualifier());
    Some(match operation {
        "AddPermission" => read::<AddPermission>(input).and_then(|input| {
            let statement = cloud.change(|core, now| {
                core.lambda.add_permission(now, &mut core.ids, name, qualifier, &input)
            })?;
            Ok(json!({ "Statement": statement }))
        }),
        "RemovePermission" => nothing(cloud.change(|core, now| {
            let (lambda, ids) = (&mut core.lambda, &mut core.ids);
            let revision = on.revision_id.as_deref();
            lambda.remove_permission(now, ids, name, qualifier, &on.statement_id, revision)
        })),
        _ => return None,
    })
}

/// The answer of an operation that answers with nothing.
pub(super) fn nothing(done: Result<(), ApiError>) -> Result<Value, ApiError> {
    done.map(|()| Value::Null)
}
