//! Routes of what stands beside functions: event source mappings, function URLs, provisioned
//! concurrency, settings for asynchronous events.

use serde::Deserialize;

use super::error::ApiError;
use super::model::{EventInvokeInput, MappingInput, UrlInput};
use super::rest::{body, list, max_items};
use crate::cloud::Cloud;
use crate::wire::{Answer, Request};

/// An operation and what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BesideCall {
    CreateMapping,
    ListMappings,
    GetMapping(String),
    UpdateMapping(String),
    DeleteMapping(String),
    CreateUrl(String),
    GetUrl(String),
    UpdateUrl(String),
    DeleteUrl(String),
    ListUrls(String),
    PutProvisioned(String),
    GetProvisioned(String),
    DeleteProvisioned(String),
    PutEventInvoke(String),
    GetEventInvoke(String),
    DeleteEventInvoke(String),
}

impl BesideCall {
    /// The operation a method and path mean.
    pub(crate) fn parse(method: &str, parts: &[&str]) -> Option<Self> {
        let own = |text: &str| text.to_owned();
        Some(match (method, parts) {
            ("POST", ["2015-03-31", "event-source-mappings"]) => Self::CreateMapping,
            ("GET", ["2015-03-31", "event-source-mappings"]) => Self::ListMappings,
            ("GET", ["2015-03-31", "event-source-mappings", id]) => Self::GetMapping(own(id)),
            ("PUT", ["2015-03-31", "event-source-mappings", id]) => Self::UpdateMapping(own(id)),
            ("DELETE", ["2015-03-31", "event-source-mappings", id]) => Self::DeleteMapping(own(id)),
            (_, ["2021-10-31", "functions", name, "url"]) => match method {
                "POST" => Self::CreateUrl(own(name)),
                "GET" => Self::GetUrl(own(name)),
                "PUT" => Self::UpdateUrl(own(name)),
                "DELETE" => Self::DeleteUrl(own(name)),
                _ => return None,
            },
            ("GET", ["2021-10-31", "functions", name, "urls"]) => Self::ListUrls(own(name)),
            (_, ["2019-09-30", "functions", name, "provisioned-concurrency"]) => match method {
                "PUT" => Self::PutProvisioned(own(name)),
                "GET" => Self::GetProvisioned(own(name)),
                "DELETE" => Self::DeleteProvisioned(own(name)),
                _ => return None,
            },
            (_, ["2019-09-25", "functions", name, "event-invoke-config"]) => match method {
                "PUT" => Self::PutEventInvoke(own(name)),
                "GET" => Self::GetEventInvoke(own(name)),
                "DELETE" => Self::DeleteEventInvoke(own(name)),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The function that its path names, if it acts on one: event source mappings name it in the
    /// request, or not at all.
    pub(crate) fn function(&self) -> Option<&str> {
        match self {
            Self::CreateMapping
            | Self::ListMappings
            | Self::GetMapping(_)
            | Self::UpdateMapping(_)
            | Self::DeleteMapping(_) => None,
            Self::CreateUrl(name)
            | Self::GetUrl(name)
            | Self::UpdateUrl(name)
            | Self::DeleteUrl(name)
            | Self::ListUrls(name)
            | Self::PutProvisioned(name)
            | Self::GetProvisioned(name)
            | Self::DeleteProvisioned(name)
            | Self::PutEventInvoke(name)
            | Self::GetEventInvoke(name)
            | Self::DeleteEventInvoke(name) => Some(name),
        }
    }

    /// AWS's name of the operation. Listing provisioned concurrency shares a path with reading one.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::CreateMapping => "CreateEventSourceMapping",
            Self::ListMappings => "ListEventSourceMappings",
            Self::GetMapping(_) => "GetEventSourceMapping",
            Self::UpdateMapping(_) => "UpdateEventSourceMapping",
            Self::DeleteMapping(_) => "DeleteEventSourceMapping",
            Self::CreateUrl(_) => "CreateFunctionUrlConfig",
            Self::GetUrl(_) => "GetFunctionUrlConfig",
            Self::UpdateUrl(_) => "UpdateFunctionUrlConfig",
            Self::DeleteUrl(_) => "DeleteFunctionUrlConfig",
            Self::ListUrls(_) => "ListFunctionUrlConfigs",
            Self::PutProvisioned(_) => "PutProvisionedConcurrencyConfig",
            Self::GetProvisioned(_) => "GetProvisionedConcurrencyConfig",
            Self::DeleteProvisioned(_) => "DeleteProvisionedConcurrencyConfig",
            Self::PutEventInvoke(_) => "PutFunctionEventInvokeConfig",
            Self::GetEventInvoke(_) => "GetFunctionEventInvokeConfig",
            Self::DeleteEventInvoke(_) => "DeleteFunctionEventInvokeConfig",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ProvisionedInput {
    provisioned_concurrent_executions: i64,
}

/// Answers an operation.
pub(crate) fn answer(
    cloud: &Cloud,
    call: &BesideCall,
    request: &Request,
) -> Result<Answer, ApiError> {
    match call {
        BesideCall::CreateMapping
        | BesideCall::ListMappings
        | BesideCall::GetMapping(_)
        | BesideCall::UpdateMapping(_)
        | BesideCall::DeleteMapping(_) => mapping(cloud, call, request),
        BesideCall::PutProvisioned(_)
        | BesideCall::GetProvisioned(_)
        | BesideCall::DeleteProvisioned(_) => provisioned(cloud, call, request),
        BesideCall::PutEventInvoke(_)
        | BesideCall::GetEventInvoke(_)
        | BesideCall::DeleteEventInvoke(_) => event_invoke(cloud, call, request),
        _ => url(cloud, call, request),
    }
}

fn mapping(cloud: &Cloud, call: &BesideCall, request: &Request) -> Result<Answer, ApiError> {
    match call {
        BesideCall::CreateMapping => {
            let input: MappingInput = body(request)?;
            let made =
                cloud.change(|core, now| core.lambda.create_mapping(now, &mut core.ids, input))?;
            Ok(Answer::json(202, &made))
        }
        BesideCall::UpdateMapping(id) => {
            let input: MappingInput = body(request)?;
            let updated = cloud.change(|core, now| core.lambda.update_mapping(now, id, input))?;
            Ok(Answer::json(202, &updated))
        }
        BesideCall::DeleteMapping(id) => {
            let deleted = cloud.change(|core, now| core.lambda.delete_mapping(now, id))?;
            Ok(Answer::json(202, &deleted))
        }
        BesideCall::GetMapping(id) => {
            cloud.read(|core, now| Ok(Answer::json(200, &core.lambda.get_mapping(now, id)?)))
        }
        _ => {
            let (name, source) =
                (request.query_param("FunctionName"), request.query_param("EventSourceArn"));
            let (marker, max) = (request.query_param("Marker"), max_items(request)?);
            cloud.read(|core, now| {
                let (name, source, marker) =
                    (name.as_deref(), source.as_deref(), marker.as_deref());
                let page = core.lambda.list_mappings(now, name, source, marker, max)?;
                Ok(list("EventSourceMappings", page))
            })
        }
    }
}

fn url(cloud: &Cloud, call: &BesideCall, request: &Request) -> Result<Answer, ApiError> {
    let qualifier = request.query_param("Qualifier");
    let qualifier = qualifier.as_deref();
    match call {
        BesideCall::CreateUrl(name) => {
            let input: UrlInput = body(request)?;
            let made = cloud.change(|core, now| {
                core.lambda.create_url(now, &mut core.ids, name, qualifier, input)
            })?;
            Ok(Answer::json(201, &made))
        }
        BesideCall::UpdateUrl(name) => {
            let input: UrlInput = body(request)?;
            let updated =
                cloud.change(|core, now| core.lambda.update_url(now, name, qualifier, input))?;
            Ok(Answer::json(200, &updated))
        }
        BesideCall::DeleteUrl(name) => {
            cloud.change(|core, now| core.lambda.delete_url(now, name, qualifier))?;
            Ok(Answer::empty(204))
        }
        BesideCall::ListUrls(name) => {
            let (marker, max) = (request.query_param("Marker"), max_items(request)?);
            cloud.read(|core, _| {
                let page = core.lambda.list_urls(name, marker.as_deref(), max)?;
                Ok(list("FunctionUrlConfigs", page))
            })
        }
        BesideCall::GetUrl(name) => cloud
            .read(|core, now| Ok(Answer::json(200, &core.lambda.get_url(now, name, qualifier)?))),
        other => Err(ApiError::service(format!("{} was not routed", other.name()))),
    }
}

fn provisioned(cloud: &Cloud, call: &BesideCall, request: &Request) -> Result<Answer, ApiError> {
    let qualifier = request.query_param("Qualifier");
    let qualifier = qualifier.as_deref();
    match call {
        BesideCall::PutProvisioned(name) => {
            let input: ProvisionedInput = body(request)?;
            let requested = input.provisioned_concurrent_executions;
            let made = cloud
                .change(|core, now| core.lambda.put_provisioned(now, name, qualifier, requested))?;
            Ok(Answer::json(202, &made))
        }
        BesideCall::DeleteProvisioned(name) => {
            cloud.change(|core, now| core.lambda.delete_provisioned(now, name, qualifier))?;
            Ok(Answer::empty(204))
        }
        BesideCall::GetProvisioned(name) if request.query_param("List").is_some() => {
            let (marker, max) = (request.query_param("Marker"), max_items(request)?);
            cloud.read(|core, now| {
                let page = core.lambda.list_provisioned(now, name, marker.as_deref(), max)?;
                Ok(list("ProvisionedConcurrencyConfigs", page))
            })
        }
        BesideCall::GetProvisioned(name) => cloud.read(|core, now| {
            Ok(Answer::json(200, &core.lambda.get_provisioned(now, name, qualifier)?))
        }),
        other => Err(ApiError::service(format!("{} was not routed", other.name()))),
    }
}

fn event_invoke(cloud: &Cloud, call: &BesideCall, request: &Request) -> Result<Answer, ApiError> {
    let qualifier = request.query_param("Qualifier");
    let qualifier = qualifier.as_deref();
    match call {
        BesideCall::PutEventInvoke(name) => {
            let input: EventInvokeInput = body(request)?;
            let made = cloud
                .change(|core, now| core.lambda.put_event_invoke(now, name, qualifier, input))?;
            Ok(Answer::json(200, &made))
        }
        BesideCall::DeleteEventInvoke(name) => {
            cloud.change(|core, now| core.lambda.delete_event_invoke(now, name, qualifier))?;
            Ok(Answer::empty(204))
        }
        BesideCall::GetEventInvoke(name) => cloud.read(|core, now| {
            Ok(Answer::json(200, &core.lambda.get_event_invoke(now, name, qualifier)?))
        }),
        other => Err(ApiError::service(format!("{} was not routed", other.name()))),
    }
}
