//! Answers that are sent while the function still writes them.

use crate::support::{Client, start};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

/// Writes one part, waits for whoever accepts its connection to close it, and writes another.
const NODE: &str = r#"
const net = require("node:net");
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event.early) throw new TypeError("early");
  if (event.head) {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { "X-A": "b" }, cookies: ["c=d"] });
  }
  stream.write("one ");
  if (event.port) {
    await new Promise((resolve) => net.connect(event.port, "127.0.0.1").resume().on("close", resolve));
  }
  if (event.late) throw new RangeError("late");
  stream.write("two");
  stream.end();
});
"#;

/// One event of a stream: its type and payload.
pub(crate) type Event = (String, Vec<u8>);

/// Takes whole events off the beginning of some bytes.
fn take_events(bytes: &mut Vec<u8>) -> Vec<Event> {
    let mut events = Vec::new();
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
    while bytes.len() >= 12 && bytes.len() >= number(bytes) {
        let frame: Vec<u8> = bytes.drain(..number(bytes)).collect();
        let headers = number(&frame[4..]);
        let payload = frame[12 + headers..frame.len() - 4].to_vec();
        // `:event-type`, a text.
        let at = 12 + 1 + 11 + 1;
        let length = usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
        let kind = String::from_utf8(frame[at + 2..at + 2 + length].to_vec()).unwrap();
        events.push((kind, payload));
    }
    events
}

pub(crate) async fn events(client: &mut Client, event: Value) -> Vec<Event> {
    let path = "/2021-11-15/functions/fn/response-streaming-invocations";
    let headers = [("x-amz-log-type", "Tail")];
    let answer = client.send("POST", path, &headers, event.to_string()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/vnd.amazon.eventstream"));
    assert_eq!(answer.header("x-amz-executed-version"), Some("$LATEST"));
    take_events(&mut answer.body.to_vec())
}

pub(crate) fn data(events: &[Event]) -> String {
    let chunks = events.iter().filter(|(kind, _)| kind == "PayloadChunk");
    String::from_utf8(chunks.flat_map(|(_, payload)| payload.clone()).collect()).unwrap()
}

pub(crate) fn complete(events: &[Event]) -> Value {
    let (kind, payload) = events.last().unwrap();
    assert_eq!(kind, "InvokeComplete");
    serde_json::from_slice(payload).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_as_they_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "nodejs22.x", &[("index.js", NODE)]).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let event = json!({"port": listener.local_addr().unwrap().port()});
    let path = "/2021-11-15/functions/fn/response-streaming-invocations";
    let mut answer = client.open("POST", path, &[], event.to_string()).await;
    let mut bytes = Vec::new();
    let mut events = Vec::new();
    while events.is_empty() {
        let frame = answer.body_mut().frame().await.unwrap().unwrap();
        bytes.extend(frame.into_data().unwrap());
        events = take_events(&mut bytes);
    }
    assert_eq!(events, [("PayloadChunk".to_owned(), b"one ".to_vec())]);
    drop(listener.accept().await.unwrap());
    bytes.extend(answer.into_body().collect().await.unwrap().to_bytes());
    let events = take_events(&mut bytes);
    assert_eq!(data(&events), "two");
    assert_eq!(complete(&events), json!({}));
    // Who does not ask for a stream gets the same bytes at once.
    let whole = client.invoke("fn", json!({})).await;
    assert_eq!((whole.status, &whole.body[..]), (200, &b"one two"[..]));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_ends_a_stream_wherever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "nodejs22.x", &[("index.js", NODE)]).await;
    for (act, before, kind) in [("early", "", "TypeError"), ("late", "one ", "RangeError")] {
        let events = events(&mut client, json!({act: 1})).await;
        assert_eq!(data(&events), before, "{act}");
        let last = complete(&events);
        assert_eq!(last["ErrorCode"], "Unhandled");
        let details: Value = serde_json::from_str(last["ErrorDetails"].as_str().unwrap()).unwrap();
        assert_eq!((&details["errorType"], &details["errorMessage"]), (&json!(kind), &json!(act)));
        assert!(last["LogResult"].is_string());
    }
    assert_eq!(data(&events(&mut client, json!({})).await), "one two", "it goes on");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_streamed_comes_as_one_part() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let code = "def handler(event, context): return event";
    client.create("fn", "python3.13", &[("app.py", code)]).await;
    let events = events(&mut client, json!({"a": 1})).await;
    assert_eq!(serde_json::from_str::<Value>(&data(&events)).unwrap(), json!({"a": 1}));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_url_streams_behind_the_head_that_the_function_writes() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "nodejs22.x", &[("index.js", NODE)]).await;
    let address =
        client.url("fn", json!({"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"})).await;
    let path = address.strip_prefix(cloud.url()).unwrap();
    let plain = client.send("POST", path, &[], "").await;
    assert_eq!((plain.status, &plain.body[..]), (200, &b"one two"[..]));
    assert_eq!(plain.header("content-type"), Some("application/octet-stream"));

    // The event of a URL has no members of one's own: the head is asked for by another function.
    let code = NODE.replace("event.head", "true");
    client.update_code("fn", &[("index.js", &code)]).await;
    let shaped = client.send("POST", path, &[], "").await;
    assert_eq!((shaped.status, &shaped.body[..]), (201, &b"one two"[..]));
    assert_eq!((shaped.header("x-a"), shaped.header("set-cookie")), (Some("b"), Some("c=d")));
    cloud.shutdown().await;
}
