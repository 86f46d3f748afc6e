//! A function on AWS's own runtime client for Rust: it gives back its event, and what it knows of itself.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    println!("asked {event}");
    if let Some(text) = event["fail"].as_str() {
        return Err(text.into());
    }
    if event["panic"] == true {
        panic!("as it was told");
    }
    Ok(json!({
        "event": event,
        "id": context.request_id,
        "arn": context.invoked_function_arn,
        "name": context.env_config.function_name,
        "memory": context.env_config.memory,
        "stream": context.env_config.log_stream,
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
