//! Lambda's REST-JSON routes: which operation a request means, and its answer.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::archive::code_of_image;
use super::beside::{self, BesideCall};
use super::error::ApiError;
use super::input::{
    AddPermission, Code, CodeLocation, CreateAlias, CreateFunction, PublishVersion, UpdateAlias,
    UpdateFunctionCode, UpdateFunctionConfiguration,
};
use super::output::Page;
use crate::cloud::Cloud;
use crate::intake;
use crate::invoke;
use crate::wire::{Answer, Request};

/// AWS: bytes of a request that carries code.
const CODE_BODY_MAX: usize = 70_167_211;
/// AWS: bytes of a synchronous event.
pub(crate) const EVENT_MAX: usize = 6_291_456;
/// Bytes of any other request; AWS's largest ones are far smaller.
const BODY_MAX: usize = 1 << 20;

/// An operation and what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    AccountSettings,
    CreateFunction,
    ListFunctions,
    GetFunction(String),
    DeleteFunction(String),
    GetConfiguration(String),
    UpdateConfiguration(String),
    UpdateCode(String),
    PublishVersion(String),
    ListVersions(String),
    CreateAlias(String),
    ListAliases(String),
    GetAlias(String, String),
    UpdateAlias(String, String),
    DeleteAlias(String, String),
    Invoke(String),
    PutConcurrency(String),
    GetConcurrency(String),
    DeleteConcurrency(String),
    AddPermission(String),
    GetPolicy(String),
    RemovePermission(String, String),
    Tag(String),
    Untag(String),
    ListTags(String),
    Beside(BesideCall),
}

/// Whether a path lies where Lambda's do.
pub(crate) fn is_lambda(segments: &[String]) -> bool {
    let is_date = segments.first().is_some_and(|date| {
        date.len() == 10
            && date.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    });
    let resource = segments.get(1).map(String::as_str);
    is_date
        && (matches!(resource, Some("functions" | "tags" | "account-settings"))
            || resource.is_some_and(|resource| resource.ends_with("mappings")))
}

impl Call {
    /// The operation a method and path mean.
    pub(crate) fn parse(method: &str, segments: &[String]) -> Option<Self> {
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let own = |text: &str| text.to_owned();
        Some(match (method, parts.as_slice()) {
            ("GET", ["2016-08-19", "account-settings"]) => Self::AccountSettings,
            ("POST", ["2017-03-31", "tags", arn]) => Self::Tag(own(arn)),
            ("DELETE", ["2017-03-31", "tags", arn]) => Self::Untag(own(arn)),
            ("GET", ["2017-03-31", "tags", arn]) => Self::ListTags(own(arn)),
            ("PUT", ["2017-10-31", "functions", name, "concurrency"]) => {
                Self::PutConcurrency(own(name))
            }
            ("DELETE", ["2017-10-31", "functions", name, "concurrency"]) => {
                Self::DeleteConcurrency(own(name))
            }
            ("GET", ["2019-09-30", "functions", name, "concurrency"]) => {
                Self::GetConcurrency(own(name))
            }
            (method, ["2015-03-31", "functions", rest @ ..]) => return function_call(method, rest),
            (method, parts) => Self::Beside(BesideCall::parse(method, parts)?),
        })
    }

    /// AWS's name of the operation.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::AccountSettings => "GetAccountSettings",
            Self::CreateFunction => "CreateFunction",
            Self::ListFunctions => "ListFunctions",
            Self::GetFunction(_) => "GetFunction",
            Self::DeleteFunction(_) => "DeleteFunction",
            Self::GetConfiguration(_) => "GetFunctionConfiguration",
            Self::UpdateConfiguration(_) => "UpdateFunctionConfiguration",
            Self::UpdateCode(_) => "UpdateFunctionCode",
            Self::PublishVersion(_) => "PublishVersion",
            Self::ListVersions(_) => "ListVersionsByFunction",
            Self::CreateAlias(_) => "CreateAlias",
            Self::ListAliases(_) => "ListAliases",
            Self::GetAlias(..) => "GetAlias",
            Self::UpdateAlias(..) => "UpdateAlias",
            Self::DeleteAlias(..) => "DeleteAlias",
            Self::Invoke(_) => "Invoke",
            Self::PutConcurrency(_) => "PutFunctionConcurrency",
            Self::GetConcurrency(_) => "GetFunctionConcurrency",
            Self::DeleteConcurrency(_) => "DeleteFunctionConcurrency",
            Self::AddPermission(_) => "AddPermission",
            Self::GetPolicy(_) => "GetPolicy",
            Self::RemovePermission(..) => "RemovePermission",
            Self::Tag(_) => "TagResource",
            Self::Untag(_) => "UntagResource",
            Self::ListTags(_) => "ListTags",
            Self::Beside(call) => call.name(),
        }
    }

    /// The function that its path names, if it acts on one.
    pub(crate) fn function(&self) -> Option<&str> {
        match self {
            Self::AccountSettings
            | Self::CreateFunction
            | Self::ListFunctions
            | Self::Tag(_)
            | Self::Untag(_)
            | Self::ListTags(_) => None,
            Self::Beside(call) => call.function(),
            Self::GetFunction(name)
            | Self::DeleteFunction(name)
            | Self::GetConfiguration(name)
            | Self::UpdateConfiguration(name)
            | Self::UpdateCode(name)
            | Self::PublishVersion(name)
            | Self::ListVersions(name)
            | Self::CreateAlias(name)
            | Self::ListAliases(name)
            | Self::GetAlias(name, _)
            | Self::UpdateAlias(name, _)
            | Self::DeleteAlias(name, _)
            | Self::Invoke(name)
            | Self::PutConcurrency(name)
            | Self::GetConcurrency(name)
            | Self::DeleteConcurrency(name)
            | Self::AddPermission(name)
            | Self::GetPolicy(name)
            | Self::RemovePermission(name, _) => Some(name),
        }
    }

    /// Bytes its body may have.
    pub(crate) fn body_max(&self) -> usize {
        match self {
            Self::CreateFunction | Self::UpdateCode(_) => CODE_BODY_MAX,
            Self::Invoke(_) => EVENT_MAX,
            _ => BODY_MAX,
        }
    }

    /// AWS's refusal of a larger one.
    pub(crate) fn too_large(&self) -> ApiError {
        let (code, operation) = match self {
            Self::Invoke(_) => ("RequestTooLargeException", "InvokeFunction"),
            _ => ("RequestEntityTooLargeException", self.name()),
        };
        let limit = self.body_max();
        ApiError::new(
            413,
            code,
            format!("Request must be smaller than {limit} bytes for the {operation} operation"),
        )
    }
}

fn function_call(method: &str, rest: &[&str]) -> Option<Call> {
    let own = |text: &str| text.to_owned();
    Some(match (method, rest) {
        ("POST", []) => Call::CreateFunction,
        ("GET", []) => Call::ListFunctions,
        ("GET", [name]) => Call::GetFunction(own(name)),
        ("DELETE", [name]) => Call::DeleteFunction(own(name)),
        ("GET", [name, "configuration"]) => Call::GetConfiguration(own(name)),
        ("PUT", [name, "configuration"]) => Call::UpdateConfiguration(own(name)),
        ("PUT", [name, "code"]) => Call::UpdateCode(own(name)),
        ("POST", [name, "versions"]) => Call::PublishVersion(own(name)),
        ("GET", [name, "versions"]) => Call::ListVersions(own(name)),
        ("POST", [name, "aliases"]) => Call::CreateAlias(own(name)),
        ("GET", [name, "aliases"]) => Call::ListAliases(own(name)),
        ("GET", [name, "aliases", alias]) => Call::GetAlias(own(name), own(alias)),
        ("PUT", [name, "aliases", alias]) => Call::UpdateAlias(own(name), own(alias)),
        ("DELETE", [name, "aliases", alias]) => Call::DeleteAlias(own(name), own(alias)),
        ("POST", [name, "invocations"]) => Call::Invoke(own(name)),
        ("POST", [name, "policy"]) => Call::AddPermission(own(name)),
        ("GET", [name, "policy"]) => Call::GetPolicy(own(name)),
        ("DELETE", [name, "policy", id]) => Call::RemovePermission(own(name), own(id)),
        _ => return None,
    })
}

/// Answers an operation.
pub(crate) async fn answer(
    cloud: &Arc<Cloud>,
    call: Call,
    request: &Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    match call {
        Call::Invoke(name) => invoke::answer(cloud, &name, request, request_id).await,
        Call::CreateFunction => {
            let input: CreateFunction = body(request)?;
            let code = take_in(cloud, input.code.clone()).await?;
            let made = cloud
                .change(|core, now| core.lambda.create_function(now, &mut core.ids, input, code))?;
            cloud.prepare_runtimes();
            Ok(Answer::json(201, &made))
        }
        Call::UpdateCode(name) => {
            let input: UpdateFunctionCode = body(request)?;
            cloud.read(|core, now| core.lambda.may_update_code(now, &name))?;
            let code = take_in(cloud, input.code.clone()).await?;
            let updated = cloud.change(|core, now| {
                core.lambda.update_function_code(now, &mut core.ids, &name, &input, code)
            })?;
            Ok(Answer::json(200, &updated))
        }
        Call::Beside(call) => beside::answer(cloud, &call, request),
        other => match read(cloud, &other, request) {
            Some(answer) => answer,
            None => write(cloud, other, request),
        },
    }
}

/// Answers operations that change nothing; none for the others.
fn read(cloud: &Cloud, call: &Call, request: &Request) -> Option<Result<Answer, ApiError>> {
    let qualifier = request.query_param("Qualifier");
    let qualifier = qualifier.as_deref();
    let marker = request.query_param("Marker");
    let marker = marker.as_deref();
    let max_items = || max_items(request);
    Some(match call {
        Call::AccountSettings => {
            cloud.read(|core, _| Ok(Answer::json(200, &core.lambda.account_settings())))
        }
        Call::ListFunctions => {
            let all = request.query_param("FunctionVersion").as_deref() == Some("ALL");
            cloud.read(|core, now| {
                let page = core.lambda.list_functions(now, all, marker, max_items()?);
                Ok(list("Functions", page))
            })
        }
        Call::GetFunction(name) => get_function(cloud, name, qualifier),
        Call::GetConfiguration(name) => cloud.read(|core, now| {
            let shown = core.lambda.get_function_configuration(now, name, qualifier)?;
            Ok(Answer::json(200, &shown))
        }),
        Call::ListVersions(name) => cloud.read(|core, now| {
            let page = core.lambda.list_versions(now, name, marker, max_items()?)?;
            Ok(list("Versions", page))
        }),
        Call::GetAlias(name, alias) => cloud.read(|core, now| {
            core.lambda.advance(now);
            Ok(Answer::json(200, &core.lambda.get_alias(name, alias)?))
        }),
        Call::ListAliases(name) => {
            let version = request.query_param("FunctionVersion");
            cloud.read(|core, now| {
                core.lambda.advance(now);
                let page =
                    core.lambda.list_aliases(name, version.as_deref(), marker, max_items()?)?;
                Ok(list("Aliases", page))
            })
        }
        Call::GetConcurrency(name) => {
            cloud.read(|core, _| Ok(Answer::json(200, &core.lambda.get_concurrency(name)?)))
        }
        Call::GetPolicy(name) => cloud.read(|core, now| {
            Ok(Answer::json(200, &core.lambda.get_policy(now, name, qualifier)?))
        }),
        Call::ListTags(arn) => cloud.read(|core, _| {
            let tags = core.lambda.list_tags(arn)?;
            Ok(Answer::json(200, &json!({ "Tags": tags })))
        }),
        _ => return None,
    })
}

fn write(cloud: &Cloud, call: Call, request: &Request) -> Result<Answer, ApiError> {
    let qualifier = request.query_param("Qualifier");
    let qualifier = qualifier.as_deref();
    match call {
        Call::DeleteFunction(name) => {
            cloud.change(|core, now| core.lambda.delete_function(now, &name, qualifier))?;
            cloud.reap();
            Ok(Answer::empty(204))
        }
        Call::UpdateConfiguration(name) => {
            let input: UpdateFunctionConfiguration = body(request)?;
            let updated = cloud.change(|core, now| {
                core.lambda.update_function_configuration(now, &mut core.ids, &name, input)
            })?;
            Ok(Answer::json(200, &updated))
        }
        Call::PublishVersion(name) => {
            let input: PublishVersion = body(request)?;
            let version = cloud.change(|core, now| {
                core.lambda.publish_version(now, &mut core.ids, &name, &input)
            })?;
            Ok(Answer::json(201, &version))
        }
        Call::CreateAlias(..) | Call::UpdateAlias(..) | Call::DeleteAlias(..) => {
            write_alias(cloud, call, request)
        }
        Call::PutConcurrency(name) => {
            let reserved = reserved(request)?;
            let made =
                cloud.change(|core, now| core.lambda.put_concurrency(now, &name, reserved))?;
            Ok(Answer::json(200, &made))
        }
        Call::DeleteConcurrency(name) => {
            cloud.change(|core, now| core.lambda.delete_concurrency(now, &name))?;
            Ok(Answer::empty(204))
        }
        Call::AddPermission(name) => {
            let input: AddPermission = body(request)?;
            let statement = cloud.change(|core, now| {
                core.lambda.add_permission(now, &mut core.ids, &name, qualifier, &input)
            })?;
            Ok(Answer::json(201, &json!({ "Statement": statement })))
        }
        Call::RemovePermission(name, id) => {
            let revision = request.query_param("RevisionId");
            cloud.change(|core, now| {
                let (lambda, ids) = (&mut core.lambda, &mut core.ids);
                lambda.remove_permission(now, ids, &name, qualifier, &id, revision.as_deref())
            })?;
            Ok(Answer::empty(204))
        }
        Call::Tag(arn) => {
            let input: Value = body(request)?;
            let tags = serde_json::from_value(input["Tags"].clone()).map_err(bad_body)?;
            cloud.change(|core, now| core.lambda.tag(now, &arn, tags))?;
            Ok(Answer::empty(204))
        }
        Call::Untag(arn) => {
            let keys = request.query_params("tagKeys");
            cloud.change(|core, now| core.lambda.untag(now, &arn, &keys))?;
            Ok(Answer::empty(204))
        }
        other => Err(ApiError::service(format!("{} was not routed", other.name()))),
    }
}

fn write_alias(cloud: &Cloud, call: Call, request: &Request) -> Result<Answer, ApiError> {
    match call {
        Call::CreateAlias(name) => {
            let input: CreateAlias = body(request)?;
            let alias = cloud
                .change(|core, now| core.lambda.create_alias(now, &mut core.ids, &name, input))?;
            Ok(Answer::json(201, &alias))
        }
        Call::UpdateAlias(name, alias) => {
            let input: UpdateAlias = body(request)?;
            let updated = cloud.change(|core, now| {
                core.lambda.update_alias(now, &mut core.ids, &name, &alias, input)
            })?;
            Ok(Answer::json(200, &updated))
        }
        Call::DeleteAlias(name, alias) => {
            cloud.change(|core, now| core.lambda.delete_alias(now, &name, &alias))?;
            Ok(Answer::empty(204))
        }
        other => Err(ApiError::service(format!("{} was not routed", other.name()))),
    }
}

fn get_function(cloud: &Cloud, name: &str, qualifier: Option<&str>) -> Result<Answer, ApiError> {
    let (function, code) = cloud.read(|core, now| {
        let function = core.lambda.get_function(now, name, qualifier)?;
        Ok((function, core.lambda.get_code(now, name, qualifier)?))
    })?;
    let mut shown = serde_json::to_value(&function)
        .map_err(|error| ApiError::service(format!("cannot show the function: {error}")))?;
    shown["Code"] = match code {
        Code::Zip { sha256, .. } => {
            json!({ "RepositoryType": "S3", "Location": cloud.code_url(&sha256) })
        }
        Code::Image { uri, .. } => {
            json!({ "RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": uri })
        }
    };
    Ok(Answer::json(200, &shown))
}

/// Takes code in from wherever a request says it lies.
async fn take_in(cloud: &Arc<Cloud>, location: CodeLocation) -> Result<Code, ApiError> {
    if let Some(uri) = &location.image_uri {
        if location.zip_file.is_some() || location.s3_bucket.is_some() {
            return Err(ApiError::invalid(
                "Please do not provide other FunctionCode parameters when providing an ImageUri.",
            ));
        }
        return Ok(code_of_image(uri));
    }
    intake::take_in(cloud, location).await
}

fn reserved(request: &Request) -> Result<u32, ApiError> {
    let input: Value = body(request)?;
    let given = &input["ReservedConcurrentExecutions"];
    given.as_u64().and_then(|given| u32::try_from(given).ok()).ok_or_else(|| {
        ApiError::new(
            400,
            "ValidationException",
            format!(
                "1 validation error detected: Value '{given}' at 'reservedConcurrentExecutions' \
                 failed to satisfy constraint: Member must have value greater than or equal to 0"
            ),
        )
    })
}

pub(super) fn max_items(request: &Request) -> Result<Option<usize>, ApiError> {
    let Some(text) = request.query_param("MaxItems") else { return Ok(None) };
    match text.parse() {
        Ok(count @ 1..=10_000) => Ok(Some(count)),
        _ => Err(ApiError::new(
            400,
            "ValidationException",
            format!(
                "1 validation error detected: Value '{text}' at 'maxItems' failed to satisfy \
                 constraint: Member must have value between 1 and 10000"
            ),
        )),
    }
}

pub(super) fn list<T: serde::Serialize>(key: &str, page: Page<T>) -> Answer {
    let mut shown = json!({ key: page.items });
    if let Some(marker) = page.next_marker {
        shown["NextMarker"] = json!(marker);
    }
    Answer::json(200, &shown)
}

pub(super) fn body<T: DeserializeOwned + Default>(request: &Request) -> Result<T, ApiError> {
    if request.body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&request.body).map_err(bad_body)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn bad_body(error: serde_json::Error) -> ApiError {
    ApiError::new(
        400,
        "InvalidRequestContentException",
        format!("Could not parse request body into json: {error}"),
    )
}

/// An error in the shape Lambda's clients read: the type in a header, the message in the body.
/// Both spellings of `message` are there because AWS's own exceptions differ in it.
pub(crate) fn error_answer(error: &ApiError) -> Answer {
    let mut shown = json!({ "message": error.message });
    if error.code != "ValidationException" {
        let kind = if error.status >= 500 { "Service" } else { "User" };
        shown["Type"] = json!(kind);
        shown["Message"] = json!(error.message);
    }
    if let Some(reason) = error.reason {
        shown["Reason"] = json!(reason);
    }
    let answer = Answer::json(error.status, &shown).with_header("x-amzn-errortype", error.code);
    match error.retry_after_s {
        Some(seconds) => answer.with_header("retry-after", seconds.to_string()),
        None => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, path: &str) -> Option<Call> {
        let segments: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(crate::wire::decode).collect();
        assert!(is_lambda(&segments), "{path}");
        Call::parse(method, &segments)
    }

    #[test]
    fn names_may_be_encoded_arns() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:fn";
        let path = format!("/2015-03-31/functions/{}/aliases/live", arn.replace(':', "%3A"));
        assert_eq!(parse("PUT", &path), Some(Call::UpdateAlias(arn.into(), "live".into())));
        assert_eq!(parse("GET", "/2015-03-31/functions/"), Some(Call::ListFunctions));
        assert_eq!(parse("PATCH", "/2015-03-31/functions/fn"), None);
    }

    #[test]
    fn a_bucket_is_no_lambda_path() {
        assert!(!is_lambda(&["my-bucket".into(), "functions".into()]));
        assert!(!is_lambda(&["2015-03-31".into(), "artifacts".into()]));
    }
}
