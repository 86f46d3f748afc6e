//! Lambda's operations: from what one is asked to what it answers.
//!
//! What each takes and gives stands in AWS's model, and so does where in a request it is: an operation
//! sees one tree. Here it is read into the types of [`super::input`], and handed to the pure model.

mod beside;
mod call;
mod functions;
mod guest;
mod layers;
mod settings;

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use call::Call;

use super::error::ApiError;
use super::output::Page;
use super::runtimes;
use crate::cloud::{Cloud, Clouds};
use crate::iam;
use crate::invoke;
use crate::wire::validate::{self, Finding, Rule, Shown, Step};
use crate::wire::{Answer, Fault, Input, Output, Request, Route};

/// AWS: bytes of a request that carries code.
const CODE_BODY_MAX: usize = 70_167_211;
/// AWS: bytes of a synchronous event.
pub(crate) const EVENT_MAX: usize = 6_291_456;
/// Bytes of any other request; AWS's largest ones are far smaller.
const BODY_MAX: usize = 1 << 20;

/// What names an operation's subject, wherever in the request it stood. Each operation reads of it what
/// its model has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Subject {
    function_name: String,
    qualifier: Option<String>,
    name: String,
    function_version: Option<String>,
    revision_id: Option<String>,
    statement_id: String,
    resource: String,
    #[serde(rename = "UUID")]
    uuid: String,
    event_source_arn: Option<String>,
    marker: Option<String>,
    max_items: Option<usize>,
}

/// Bytes that the body of an operation may have.
pub(crate) fn body_max(operation: &str) -> usize {
    match operation {
        "CreateFunction" | "UpdateFunctionCode" | "PublishLayerVersion" => CODE_BODY_MAX,
        "Invoke" | "InvokeWithResponseStream" => EVENT_MAX,
        _ => BODY_MAX,
    }
}

/// AWS's refusal of a larger one.
pub(crate) fn too_large(operation: &str) -> Fault {
    let (code, name) = match operation {
        "Invoke" | "InvokeWithResponseStream" => ("RequestTooLargeException", "InvokeFunction"),
        other => ("RequestEntityTooLargeException", other),
    };
    let limit = body_max(operation);
    Fault::front(
        413,
        code,
        format!("Request must be smaller than {limit} bytes for the {name} operation"),
    )
}

/// Answers a request.
pub(crate) async fn answer(
    clouds: &Clouds,
    own: &Arc<Cloud>,
    route: &Route,
    request: &Request,
    request_id: &str,
) -> Answer {
    let (cloud, input) = match admit(clouds, own, route, request) {
        Ok(admitted) => admitted,
        Err(fault) => return route.answer(Err(fault), request_id),
    };
    let cloud = &cloud;
    let operation = input.operation.name.as_str();
    let members = Value::Object(input.members);
    let outcome = if operation.starts_with("Invoke") {
        match invoked(cloud, operation, &members, request, request_id).await {
            Ok(answer) => return answer,
            Err(error) => Err(error),
        }
    } else {
        perform(cloud, operation, members).await
    };
    route.answer(outcome.map(Output::of).map_err(Fault::from), request_id)
}

/// The answer of an invocation, which is made where the function's is.
async fn invoked(
    cloud: &Arc<Cloud>,
    operation: &str,
    input: &Value,
    request: &Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    let name = subject(input)?.function_name;
    match operation {
        "InvokeWithResponseStream" => invoke::answer_in_stream(cloud, &name, request, request_id),
        _ => invoke::answer(cloud, &name, request, request_id).await,
    }
}

/// What AWS's front end asks of a request before the operation sees it; where it is performed.
fn admit(
    clouds: &Clouds,
    own: &Arc<Cloud>,
    route: &Route,
    request: &Request,
) -> Result<(Arc<Cloud>, Input), Fault> {
    if let Some(rate) = &own.rate {
        rate.check(route.name())?;
    }
    let input = route.decode(request)?;
    let cloud = guest::place(clouds, own, &input, request)?;
    let needs = iam::of_lambda(&input.operation.name, &input.members, &cloud.home);
    if let Some(why) = cloud.refusal(request, &needs) {
        return Err(Fault::front(403, "AccessDeniedException", why));
    }
    let mut findings = compatible(&input);
    if let Some(shape) = input.operation.input {
        findings.extend(validate::findings(route.service, shape, &input.members));
    }
    match validate::message(&findings) {
        Some(message) => Err(Fault::new("ValidationException", message)),
        None => Ok((cloud, input)),
    }
}

/// AWS holds the runtimes of layers against lists of its own, and tells so in its front end's words.
fn compatible(input: &Input) -> Vec<Finding> {
    let finding = |member: &str, value: String, choices: &[&str]| Finding {
        path: vec![Step::Member(member.to_owned())],
        value: Shown::As(value),
        rule: Rule::OneOf(choices.iter().map(|choice| (*choice).to_owned()).collect()),
    };
    let is_known = |name: &str| runtimes::is_supported(name) || runtimes::is_retired(name);
    let asked = input.members.get("CompatibleRuntime").and_then(Value::as_str);
    let asked = asked.filter(|name| !runtimes::ASKED_FOR.contains(name) && !is_known(name));
    let asked =
        asked.map(|name| finding("CompatibleRuntime", name.to_owned(), &runtimes::ASKED_FOR));
    let named = input.members.get("CompatibleRuntimes").and_then(Value::as_array);
    let named: Vec<&str> = named.into_iter().flatten().filter_map(Value::as_str).collect();
    let unknown = named.iter().any(|name| !is_known(name)).then(|| {
        finding("CompatibleRuntimes", format!("[{}]", named.join(", ")), &runtimes::SUPPORTED)
    });
    asked.into_iter().chain(unknown).collect()
}

async fn perform(cloud: &Arc<Cloud>, operation: &str, input: Value) -> Result<Value, ApiError> {
    match operation {
        "CreateFunction" => functions::create(cloud, input).await,
        "UpdateFunctionCode" => functions::update_code(cloud, input).await,
        "PublishLayerVersion" => layers::publish(cloud, input).await,
        _ => {
            let on = subject(&input)?;
            let call = Call { cloud, operation, on: &on, input: &input };
            let done = functions::perform(&call)
                .or_else(|| beside::perform(&call))
                .or_else(|| layers::perform(&call))
                .or_else(|| settings::perform(&call));
            done.unwrap_or_else(|| {
                Err(ApiError::service(format!("{operation} is offered and not performed")))
            })
        }
    }
}

fn subject(input: &Value) -> Result<Subject, ApiError> {
    read(input)
}

/// Reads an input. Its types are those of the model, so that nothing can go wrong but by a mistake here.
fn read<T: DeserializeOwned>(input: &Value) -> Result<T, ApiError> {
    T::deserialize(input).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unreadable(error: serde_json::Error) -> ApiError {
    ApiError::new(400, "SerializationException", error.to_string())
}

fn shown(output: &impl serde::Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(output)
        .map_err(|error| ApiError::service(format!("the answer cannot be shown: {error}")))
}

fn list<T: serde::Serialize>(key: &str, page: Page<T>) -> Result<Value, ApiError> {
    let mut list = json!({ key: shown(&page.items)? });
    if let Some(marker) = page.next_marker {
        list["NextMarker"] = marker.into();
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::model;

    #[test]
    fn code_and_events_may_be_larger_than_the_rest() {
        assert_eq!(body_max("UpdateFunctionCode"), CODE_BODY_MAX);
        assert_eq!(body_max("Invoke"), EVENT_MAX);
        assert!(model::LAMBDA.operations.keys().any(|name| body_max(name) == BODY_MAX));
        assert!(too_large("Invoke").message.ends_with("for the InvokeFunction operation"));
    }
}
