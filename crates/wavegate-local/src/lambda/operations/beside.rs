//! What stands beside functions: event source mappings, function URLs, provisioned concurrency, settings
//! for asynchronous events.

use super::call::{Call, Outcome};
use super::read;
use crate::lambda::model::{EventInvokeInput, MappingInput, UrlInput};

/// Performs an operation; none if it is none of these.
pub(super) fn perform(call: &Call<'_>) -> Option<Outcome> {
    mapping(call).or_else(|| url(call)).or_else(|| provisioned(call)).or_else(|| event_invoke(call))
}

fn mapping(call: &Call<'_>) -> Option<Outcome> {
    let (on, id) = (call.on, call.on.uuid.as_str());
    Some(match call.operation {
        "CreateEventSourceMapping" => call.change_by(|core, now, input: MappingInput| {
            core.lambda.create_mapping(now, &mut core.ids, input)
        }),
        "UpdateEventSourceMapping" => call
            .change_by(|core, now, input: MappingInput| core.lambda.update_mapping(now, id, input)),
        "DeleteEventSourceMapping" => call.change(|core, now| core.lambda.delete_mapping(now, id)),
        "GetEventSourceMapping" => call.look(|core, now| core.lambda.get_mapping(now, id)),
        "ListEventSourceMappings" => call.list("EventSourceMappings", |core, now, marker, max| {
            let name = Some(call.function()).filter(|name| !name.is_empty());
            core.lambda.list_mappings(now, name, on.event_source_arn.as_deref(), marker, max)
        }),
        _ => return None,
    })
}

fn url(call: &Call<'_>) -> Option<Outcome> {
    let (name, qualifier) = (call.function(), call.qualifier());
    Some(match call.operation {
        "CreateFunctionUrlConfig" => call.change_by(|core, now, input: UrlInput| {
            core.lambda.create_url(now, &mut core.ids, name, qualifier, input)
        }),
        "UpdateFunctionUrlConfig" => call.change_by(|core, now, input: UrlInput| {
            core.lambda.update_url(now, name, qualifier, input)
        }),
        "DeleteFunctionUrlConfig" => {
            call.change(|core, now| core.lambda.delete_url(now, name, qualifier))
        }
        "ListFunctionUrlConfigs" => call.list("FunctionUrlConfigs", |core, _, marker, max| {
            core.lambda.list_urls(name, marker, max)
        }),
        "GetFunctionUrlConfig" => call.look(|core, now| core.lambda.get_url(now, name, qualifier)),
        _ => return None,
    })
}

fn provisioned(call: &Call<'_>) -> Option<Outcome> {
    let (name, qualifier) = (call.function(), call.qualifier());
    Some(match call.operation {
        "PutProvisionedConcurrencyConfig" => read(&call.input["ProvisionedConcurrentExecutions"])
            .and_then(|requested| {
                call.change(|core, now| {
                    let (lambda, ids) = (&mut core.lambda, &mut core.ids);
                    lambda.put_provisioned(now, ids, name, qualifier, requested)
                })
            }),
        "DeleteProvisionedConcurrencyConfig" => {
            call.change(|core, now| core.lambda.delete_provisioned(now, name, qualifier))
        }
        "ListProvisionedConcurrencyConfigs" => call
            .list("ProvisionedConcurrencyConfigs", |core, now, marker, max| {
                core.lambda.list_provisioned(now, name, marker, max)
            }),
        "GetProvisionedConcurrencyConfig" => {
            call.look(|core, now| core.lambda.get_provisioned(now, name, qualifier))
        }
        _ => return None,
    })
}

fn event_invoke(call: &Call<'_>) -> Option<Outcome> {
    let (name, qualifier) = (call.function(), call.qualifier());
    Some(match call.operation {
        "PutFunctionEventInvokeConfig" => call.change_by(|core, now, input: EventInvokeInput| {
            core.lambda.put_event_invoke(now, name, qualifier, input)
        }),
        "UpdateFunctionEventInvokeConfig" => {
            call.change_by(|core, now, input: EventInvokeInput| {
                core.lambda.update_event_invoke(now, name, qualifier, input)
            })
        }
        "ListFunctionEventInvokeConfigs" => call
            .list("FunctionEventInvokeConfigs", |core, _, marker, max| {
                core.lambda.list_event_invoke(name, marker, max)
            }),
        "DeleteFunctionEventInvokeConfig" => {
            call.change(|core, now| core.lambda.delete_event_invoke(now, name, qualifier))
        }
        "GetFunctionEventInvokeConfig" => {
            call.look(|core, _| core.lambda.get_event_invoke(name, qualifier))
        }
        _ => return None,
    })
}
