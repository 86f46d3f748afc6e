//! CloudWatch Logs as clients call it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::input::name_of;
use crate::cloud::Cloud;
use crate::iam::Need;
use crate::wire::{Answer, Fault, Output, Request, Route, validate};

/// AWS: characters of a name.
const NAME_MAX: usize = 512;

/// Answers a request.
pub(crate) async fn answer(
    cloud: &Arc<Cloud>,
    route: &Route,
    request: &Request,
    request_id: &str,
) -> Answer {
    let outcome = perform(cloud, route, request).await;
    route.answer(outcome.map(Output::of), request_id)
}

async fn perform(cloud: &Arc<Cloud>, route: &Route, request: &Request) -> Result<Value, Fault> {
    let input = route.decode(request)?;
    let operation = input.operation.name.as_str();
    if let Some(why) = cloud.refusal(request, &[need(cloud, operation, &input.members)]) {
        return Err(Fault::new("AccessDeniedException", why));
    }
    check_names(&input.members)?;
    validate::check(route.service, &input, "InvalidParameterException")?;
    let (logs, now, members) =
        (cloud.logs.clone(), cloud.shared.clock.now_ms(), Value::Object(input.members));
    // Searches read much, and the disk is waited for.
    let (answer, found) =
        tokio::task::spawn_blocking(move || logs.perform(now, operation, members))
            .await
            .unwrap_or_else(|_| {
                Err(Fault::new("ServiceUnavailableException", "the search failed"))
            })?;
    if !found.is_empty() {
        cloud.record(found);
    }
    Ok(answer)
}

/// AWS has words of its own for names that are too long.
fn check_names(input: &Map<String, Value>) -> Result<(), Fault> {
    let is_long = |name| {
        let text = input.get(name).and_then(Value::as_str);
        text.is_some_and(|text| text.chars().count() > NAME_MAX)
    };
    if is_long("logGroupName") || is_long("logStreamName") {
        return Err(Fault::new(
            "InvalidParameterException",
            format!(
                "Invalid LogGroup or LogStream, both must have length less than or equal to {NAME_MAX}."
            ),
        ));
    }
    Ok(())
}

/// The permission that an operation needs: on its group and what is in it, or on its stream.
fn need(cloud: &Cloud, operation: &str, input: &Map<String, Value>) -> Need {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let named = ["logGroupName", "logGroupIdentifier", "resourceArn"].into_iter().find_map(text);
    let group = named.map_or("*", name_of);
    let within = match (operation, text("logStreamName")) {
        ("PutLogEvents" | "GetLogEvents" | "DeleteLogStream", Some(stream)) => {
            format!("log-stream:{stream}")
        }
        _ => "*".to_owned(),
    };
    let arn = format!("{}:{within}", cloud.home.log_group(group));
    Need::new(format!("logs:{operation}"), arn)
}
