//! What stands beside functions: event source mappings, function URLs, provisioned concurrency, settings
//! for asynchronous events.

use serde_json::Value;

use super::functions::nothing;
use super::{Subject, list, read, shown};
use crate::cloud::Cloud;
use crate::lambda::error::ApiError;
use crate::lambda::model::{EventInvokeInput, MappingInput, UrlInput};

/// Performs an operation; none if it is none of these.
pub(super) fn perform(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    mapping(cloud, operation, on, input)
        .or_else(|| url(cloud, operation, on, input))
        .or_else(|| provisioned(cloud, operation, on, input))
        .or_else(|| event_invoke(cloud, operation, on, input))
}

fn mapping(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let id = on.uuid.as_str();
    Some(match operation {
        "CreateEventSourceMapping" => read::<MappingInput>(input).and_then(|input| {
            cloud.change(|core, now| core.lambda.create_mapping(now, &mut core.ids, input))
        }),
        "UpdateEventSourceMapping" => read::<MappingInput>(input)
            .and_then(|input| cloud.change(|core, now| core.lambda.update_mapping(now, id, input))),
        "DeleteEventSourceMapping" => cloud.change(|core, now| core.lambda.delete_mapping(now, id)),
        "GetEventSourceMapping" => cloud.read(|core, now| core.lambda.get_mapping(now, id)),
        "ListEventSourceMappings" => cloud.read(|core, now| {
            let name = Some(on.function_name.as_str()).filter(|name| !name.is_empty());
            let source = on.event_source_arn.as_deref();
            let page = core.lambda.list_mappings(now, name, source, on.marker(), on.max_items)?;
            list("EventSourceMappings", page)
        }),
        _ => return None,
    })
}

fn url(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let (name, qualifier) = (on.function_name.as_str(), on.qualifier());
    Some(match operation {
        "CreateFunctionUrlConfig" => read::<UrlInput>(input).and_then(|input| {
            shown(&cloud.change(|core, now| {
                core.lambda.create_url(now, &mut core.ids, name, qualifier, input)
            })?)
        }),
        "UpdateFunctionUrlConfig" => read::<UrlInput>(input).and_then(|input| {
            shown(&cloud.change(|core, now| core.lambda.update_url(now, name, qualifier, input))?)
        }),
        "DeleteFunctionUrlConfig" => {
            nothing(cloud.change(|core, now| core.lambda.delete_url(now, name, qualifier)))
        }
        "ListFunctionUrlConfigs" => cloud.read(|core, _| {
            list("FunctionUrlConfigs", core.lambda.list_urls(name, on.marker(), on.max_items)?)
        }),
        "GetFunctionUrlConfig" => {
            cloud.read(|core, now| shown(&core.lambda.get_url(now, name, qualifier)?))
        }
        _ => return None,
    })
}

fn provisioned(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let (name, qualifier) = (on.function_name.as_str(), on.qualifier());
    Some(match operation {
        "PutProvisionedConcurrencyConfig" => read(&input["ProvisionedConcurrentExecutions"])
            .and_then(|requested| {
                cloud.change(|core, now| {
                    let (lambda, ids) = (&mut core.lambda, &mut core.ids);
                    lambda.put_provisioned(now, ids, name, qualifier, requested)
                })
            }),
        "DeleteProvisionedConcurrencyConfig" => {
            nothing(cloud.change(|core, now| core.lambda.delete_provisioned(now, name, qualifier)))
        }
        "ListProvisionedConcurrencyConfigs" => cloud.read(|core, now| {
            let page = core.lambda.list_provisioned(now, name, on.marker(), on.max_items)?;
            list("ProvisionedConcurrencyConfigs", page)
        }),
        "GetProvisionedConcurrencyConfig" => {
            cloud.read(|core, now| core.lambda.get_provisioned(now, name, qualifier))
        }
        _ => return None,
    })
}

fn event_invoke(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let (name, qualifier) = (on.function_name.as_str(), on.qualifier());
    Some(match operation {
        "PutFunctionEventInvokeConfig" => {
            read::<EventInvokeInput>(input).and_then(|input| {
                shown(&cloud.change(|core, now| {
                    core.lambda.put_event_invoke(now, name, qualifier, input)
                })?)
            })
        }
        "UpdateFunctionEventInvokeConfig" => read::<EventInvokeInput>(input).and_then(|input| {
            cloud.change(|core, now| core.lambda.update_event_invoke(now, name, qualifier, input))
        }),
        "ListFunctionEventInvokeConfigs" => cloud.read(|core, _| {
            let page = core.lambda.list_event_invoke(name, on.marker(), on.max_items)?;
            list("FunctionEventInvokeConfigs", page)
        }),
        "DeleteFunctionEventInvokeConfig" => {
            nothing(cloud.change(|core, now| core.lambda.delete_event_invoke(now, name, qualifier)))
        }
        "GetFunctionEventInvokeConfig" => {
            cloud.read(|core, _| shown(&core.lambda.get_event_invoke(name, qualifier)?))
        }
        _ => return None,
    })
}
