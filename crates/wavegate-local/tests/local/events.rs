//! Asynchronous events: how often they are tried, and who learns what became of them.

use std::io::Read as _;

use crate::support::{Client, start};
use serde_json::{Value, json};

const WORKS: &str = r#"
def handler(event, context):
    if "fail" in event: raise ValueError("no")
    return {"b": 1, "a": [event]}
"#;

/// Sends what it gets to the port that stands in its variables.
pub(crate) const TELLS: &str = r#"
import json, os, socket
def handler(event, context):
    with socket.create_connection(("127.0.0.1", int(os.environ["TO"]))) as line:
        line.sendall(json.dumps(event).encode())
"#;

pub(crate) async fn told(listener: &tokio::net::TcpListener) -> Value {
    let (line, _) = listener.accept().await.unwrap();
    let mut line = line.into_std().unwrap();
    line.set_nonblocking(false).unwrap();
    let mut text = String::new();
    line.read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

async fn configure(client: &mut Client, input: Value) {
    let path = "/2019-09-25/functions/fn/event-invoke-config";
    let put = client.send("PUT", path, &[], input.to_string()).await;
    assert_eq!(put.status, 200, "{}", put.json());
}

async fn send(client: &mut Client, event: Value) -> String {
    let path = "/2015-03-31/functions/fn/invocations";
    let kind = [("x-amz-invocation-type", "Event")];
    let accepted = client.send("POST", path, &kind, event.to_string()).await;
    assert_eq!((accepted.status, accepted.body.len()), (202, 0));
    accepted.header("x-amzn-requestid").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn destinations_learn_what_became_of_an_event() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let to = listener.local_addr().unwrap().port().to_string();
    client.create("fn", "python3.13", &[("app.py", WORKS)]).await;
    let more = json!({"Environment": {"Variables": {"TO": to}}});
    client.create_with("tells", "python3.13", &[("app.py", TELLS)], more).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function";
    let both = json!({
        "OnSuccess": {"Destination": format!("{arn}:tells")},
        "OnFailure": {"Destination": format!("{arn}:tells:$LATEST")},
    });
    configure(&mut client, json!({"DestinationConfig": both})).await;

    let id = send(&mut client, json!({"x": 1})).await;
    let record = told(&listener).await;
    assert_eq!(record["version"], "1.0");
    assert_eq!(
        record["requestContext"],
        json!({"requestId": id, "functionArn": format!("{arn}:fn:$LATEST"),
               "condition": "Success", "approximateInvokeCount": 1})
    );
    assert_eq!(record["requestPayload"], json!({"x": 1}));
    assert_eq!(record["responseContext"], json!({"statusCode": 200, "executedVersion": "$LATEST"}));
    assert_eq!(record["responsePayload"], json!({"b": 1, "a": [{"x": 1}]}));

    send(&mut client, json!({"fail": 1})).await;
    let record = told(&listener).await;
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["responsePayload"]["errorMessage"], "no");

    // The first retry comes after a minute: an event that may be a minute old has time for none.
    let young = json!({"DestinationConfig": both, "MaximumEventAgeInSeconds": 60});
    configure(&mut client, young).await;
    send(&mut client, json!({"fail": 1})).await;
    let record = told(&listener).await;
    assert_eq!(record["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 1);

    let once = json!({"DestinationConfig": both, "MaximumRetryAttempts": 0});
    configure(&mut client, once).await;
    send(&mut client, json!({"fail": 1})).await;
    let record = told(&listener).await;
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 1);

    let path = "/2017-10-31/functions/fn/concurrency";
    let none = json!({"ReservedConcurrentExecutions": 0});
    assert_eq!(client.send("PUT", path, &[], none.to_string()).await.status, 200);
    send(&mut client, json!({"x": 2})).await;
    let record = told(&listener).await;
    assert_eq!(record["requestContext"]["condition"], "ZeroReservedConcurrency");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 0);
    assert!(record.get("responseContext").is_none() && record.get("responsePayload").is_none());
    cloud.shutdown().await;
}
