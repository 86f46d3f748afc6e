//! AWS's own runtime client for Node.js: its native part speaks to the cloud, its streams do too.
//!
//! The gate builds it and says where in `WAVEGATE_NODE_CLIENT`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::deployment_clients::has_tool;
use crate::streams::{complete, data, events};
use crate::support::{Answer, Client, start, unbase64};

/// What of the package runs.
const PARTS: [&str; 3] = ["bin/index.mjs", "dist/index.mjs", "dist/rapid-client.node"];

/// A custom runtime: the client, started as its documentation says.
const BOOTSTRAP: &str = "#!/bin/sh\n\
    cd \"$LAMBDA_TASK_ROOT\" && exec node \"${0%/*}/node_modules/aws-lambda-ric/bin/index.mjs\" \"$_HANDLER\"\n";

const CODE: &str = r#"
exports.handler = async (event, context) => {
  console.log("told", event);
  if (event.fail) throw new RangeError(event.fail);
  if (event.reject) { Promise.reject(new Error("nobody waits")); await new Promise(() => setTimeout(() => {}, 9000)); }
  const { getRemainingTimeInMillis: left, ...told } = context;
  return { event, left: left(), ...told };
};
exports.callback = (event, context, callback) => {
  setImmediate(() => event.fail ? callback(event.fail) : callback(null, { event, id: context.awsRequestId }));
};
exports.stream = awslambda.streamifyResponse(async (event, stream, context) => {
  stream.write("one ");
  if (event.fail) throw new RangeError(event.fail);
  stream.write("two");
  stream.end();
  await stream.finished;
});
"#;

/// The client's files, as a package has them; none if it was not built.
fn official() -> Option<Vec<(String, Vec<u8>)>> {
    let built = std::env::var("WAVEGATE_NODE_CLIENT").unwrap_or("WAVEGATE_NODE_CLIENT".into());
    let built = PathBuf::from(built);
    has_tool(&["test", "-f", &built.join(PARTS[2]).to_string_lossy()]).then_some(())?;
    let read = |part: &&str| {
        (format!("node_modules/aws-lambda-ric/{part}"), std::fs::read(built.join(part)).unwrap())
    };
    Some(PARTS.iter().map(read).collect())
}

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}

fn log_of(answer: &Answer) -> String {
    unbase64(answer.header("x-amz-log-result").unwrap())
}

async fn with_handler(client: &mut Client, name: &str, handler: &str, layer: &str) {
    let more = json!({ "Handler": handler, "Layers": [layer] });
    client.create_with(name, "provided.al2023", &[("app.js", CODE)], more).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_with_awss_client_for_nodejs_runs_handlers_of_all_kinds() {
    let Some(mut files) = official() else { return };
    files.push(("bootstrap".into(), BOOTSTRAP.into()));
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let layer = client.layer("node", &borrowed(&files)).await;

    with_handler(&mut client, "js", "app.handler", &layer).await;
    for n in 0..3 {
        let answer = client.invoke("js", json!({ "n": n, "text": "ü\u{2028}" })).await;
        let told = answer.json();
        let id = answer.header("x-amzn-requestid").unwrap();
        assert_eq!(told["event"], json!({ "n": n, "text": "ü\u{2028}" }), "{told}");
        assert_eq!((&told["awsRequestId"], &told["functionName"]), (&json!(id), &json!("js")));
        assert_eq!(
            (&told["functionVersion"], &told["memoryLimitInMB"]),
            (&json!("$LATEST"), &json!("128"))
        );
        assert_eq!(told["logGroupName"], "/aws/lambda/js");
        assert!(told["logStreamName"].as_str().unwrap().contains("/[$LATEST]"), "{told}");
        assert!(told["invokedFunctionArn"].as_str().unwrap().ends_with(":function:js"), "{told}");
        assert!((1..=3000).contains(&told["left"].as_i64().unwrap()), "{told}");
        let line = format!("\t{id}\tINFO\ttold {{ n: {n},");
        assert!(log_of(&answer).contains(&line), "{}", log_of(&answer));
    }
    let failed = client.invoke("js", json!({ "fail": "too far" })).await;
    assert_eq!(failed.header("x-amz-function-error"), Some("Unhandled"));
    let told = failed.json();
    assert_eq!(
        (&told["errorType"], &told["errorMessage"]),
        (&json!("RangeError"), &json!("too far"))
    );
    assert_eq!(told["trace"][0], "RangeError: too far");
    assert!(told["trace"][1].as_str().unwrap().contains("app.js:4:"), "{told}");
    // It ends its process then, and a new one serves.
    let rejected = client.invoke("js", json!({ "reject": true })).await.json();
    assert_eq!(rejected["errorType"], "Runtime.UnhandledPromiseRejection", "{rejected}");
    assert_eq!(client.invoke("js", json!({ "n": 1 })).await.json()["event"], json!({ "n": 1 }));

    with_handler(&mut client, "callback", "app.callback", &layer).await;
    let called = client.invoke("callback", json!({ "n": 1 })).await;
    let id = called.header("x-amzn-requestid").unwrap();
    assert_eq!(called.json(), json!({ "event": { "n": 1 }, "id": id }));
    let failed = client.invoke("callback", json!({ "fail": "words" })).await.json();
    assert_eq!(
        (&failed["errorType"], &failed["errorMessage"]),
        (&json!("string"), &json!("words"))
    );

    with_handler(&mut client, "fn", "app.stream", &layer).await;
    let streamed = events(&mut client, json!({})).await;
    assert_eq!(data(&streamed), "one two");
    assert_eq!(complete(&streamed)["ErrorCode"], Value::Null);
    let failed = events(&mut client, json!({ "fail": "midway" })).await;
    let last = complete(&failed);
    assert_eq!((data(&failed).as_str(), &last["ErrorCode"]), ("one ", &json!("Unhandled")));
    assert!(last["ErrorDetails"].as_str().unwrap().contains("RangeError"), "{last}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn awss_client_for_nodejs_is_used_where_a_package_has_it() {
    let Some(mut files) = official() else { return };
    files.push(("app.js".into(), CODE.into()));
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let more = json!({ "Handler": "app.handler" });
    client.create_with("js", "nodejs20.x", &borrowed(&files), more).await;
    let answer = client.invoke("js", json!({ "n": 1 })).await;
    assert_eq!(answer.json()["event"], json!({ "n": 1 }));
    let log = log_of(&answer);
    assert!(log.contains("Executing 'app.handler' in function directory"), "{log}");
    let id = answer.header("x-amzn-requestid").unwrap();
    assert!(log.contains(&format!("\t{id}\tINFO\ttold {{ n: 1 }}\n")), "{log}");
    cloud.shutdown().await;
}
