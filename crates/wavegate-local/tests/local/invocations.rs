//! Function code runs for real: Python, Node.js, a bash bootstrap; its failures are told as AWS
//! tells them, its traffic is split by weight, and nothing of it outlives the cloud.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::{Client, base64, options, package, start, unbase64};
use serde_json::{Value, json};
use wavegate_local::LocalCloud;

const PYTHON: &str = r#"
import os, socket, sys, time
def handler(event, context):
    print("hello from", context.function_version)
    if "port" in event:
        line = socket.create_connection(("127.0.0.1", event["port"]))
        if event.get("hold"):
            handler.line = line
    if "sleep" in event: time.sleep(event["sleep"])
    if "exit" in event: os._exit(event["exit"])
    if "raise" in event: raise ValueError(event["raise"])
    if "env" in event: return dict(os.environ)
    return {"version": context.function_version, "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis(), "id": context.aws_request_id,
            "event": event, "pid": os.getpid()}
"#;

const BOOTSTRAP: &str = r#"#!/bin/bash
# A custom runtime in nothing but bash: one HTTP exchange per line pair.
exchange() {
  exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
  printf '%s' "$1" >&3
  id= length=0
  while IFS= read -r line <&3; do
    line=${line%$'\r'}
    [ -z "$line" ] && break
    case "${line,,}" in
      lambda-runtime-aws-request-id:*) id=${line#*: } ;;
      content-length:*) length=${line#*: } ;;
    esac
  done
  IFS= read -r -N "$length" body <&3
  exec 3>&-
}
api=/2018-06-01/runtime/invocation
head=$'HTTP/1.1\r\nHost: runtime\r\nConnection: close\r\n'
while true; do
  exchange "GET $api/next $head"$'\r\n'
  echo "bash saw $body"
  answer="{\"bash\":$body}"
  exchange "POST $api/$id/response ${head}Content-Length: ${#answer}"$'\r\n\r\n'"$answer"
done
"#;

fn log(answer: &crate::support::Answer) -> String {
    unbase64(answer.header("x-amz-log-result").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn python_runs_warm_and_reports_its_failures() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let more = json!({"Timeout": 1, "Environment": {"Variables": {"COLOUR": "blue"}}});
    client.create_with("py", "python3.13", &[("app.py", PYTHON)], more).await;

    let first = client.invoke("py", json!({"a": "ü"})).await;
    assert_eq!((first.status, first.header("x-amz-function-error")), (200, None));
    assert_eq!(first.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!(first.json()["event"], json!({"a": "ü"}));
    assert!(first.json()["left"].as_i64().unwrap() <= 1000);
    let id = first.header("x-amzn-requestid").unwrap().to_owned();
    assert_eq!(first.json()["id"], id.as_str());
    let text = log(&first);
    assert!(
        text.contains(&format!("START RequestId: {id} Version: $LATEST\nhello from $LATEST\n")),
        "{text}"
    );
    assert!(
        text.contains(&format!("END RequestId: {id}\nREPORT RequestId: {id}\tDuration: ")),
        "{text}"
    );
    assert!(text.contains("Init Duration"), "{text}");
    let second = client.invoke("py", json!({})).await;
    assert_eq!(second.json()["pid"], first.json()["pid"], "warm");
    assert!(!log(&second).contains("Init Duration"));

    let raised = client.invoke("py", json!({"raise": "boom"})).await;
    assert_eq!((raised.status, raised.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(
        (&raised.json()["errorType"], &raised.json()["errorMessage"]),
        (&json!("ValueError"), &json!("boom"))
    );
    assert_eq!(
        client.invoke("py", json!({})).await.json()["pid"],
        first.json()["pid"],
        "still warm"
    );

    let slow = client.invoke("py", json!({"sleep": 30})).await;
    let id = slow.header("x-amzn-requestid").unwrap().to_owned();
    assert_eq!(slow.header("x-amz-function-error"), Some("Unhandled"));
    assert_eq!(
        slow.json(),
        json!({
            "errorType": "Sandbox.Timedout",
            "errorMessage": format!("RequestId: {id} Error: Task timed out after 1.00 seconds"),
        })
    );
    let exited = client.invoke("py", json!({"exit": 3})).await;
    let id = exited.header("x-amzn-requestid").unwrap().to_owned();
    assert_eq!(
        exited.json(),
        json!({
            "errorType": "Runtime.ExitError",
            "errorMessage": format!("RequestId: {id} Error: Runtime exited with error: exit status 3"),
        })
    );
    let environment = client.invoke("py", json!({"env": 1})).await.json();
    assert_eq!(
        (&environment["COLOUR"], &environment["AWS_LAMBDA_FUNCTION_NAME"]),
        (&json!("blue"), &json!("py"))
    );
    assert_eq!(environment["AWS_ENDPOINT_URL"], cloud.url());
    assert_eq!(environment.get("CARGO_MANIFEST_DIR"), None, "nothing of the host's environment");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn initialization_errors_are_answered_with_their_reason() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    for (name, runtime, files, kind, message) in [
        (
            "syntax",
            "python3.13",
            ("app.py", "def handler(:"),
            "Runtime.UserCodeSyntaxError",
            "invalid syntax",
        ),
        (
            "import",
            "python3.13",
            ("app.py", "import not_there"),
            "Runtime.ImportModuleError",
            "No module named 'not_there'",
        ),
        (
            "missing",
            "python3.13",
            ("app.py", ""),
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'app'",
        ),
        (
            "dies",
            "python3.13",
            ("app.py", "import os; os._exit(7)"),
            "Runtime.ExitError",
            "exit status 7",
        ),
        (
            "nofile",
            "nodejs22.x",
            ("other.js", ""),
            "Runtime.ImportModuleError",
            "Cannot find module",
        ),
        (
            "nofunc",
            "nodejs22.x",
            ("index.js", "exports.other = 1"),
            "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported",
        ),
        ("noboot", "provided.al2023", ("run", ""), "Runtime.InvalidEntrypoint", "valid bootstrap"),
        (
            "badboot",
            "provided.al2023",
            ("bootstrap", "#!/no/such/program\n"),
            "Runtime.InvalidEntrypoint",
            "fork/exec",
        ),
    ] {
        client.create(name, runtime, &[files]).await;
        let failed = client.invoke(name, json!({})).await;
        assert_eq!(
            (failed.status, failed.header("x-amz-function-error")),
            (200, Some("Unhandled"))
        );
        let told = failed.json();
        assert_eq!(told["errorType"], kind, "{name}: {told}");
        assert!(told["errorMessage"].as_str().unwrap().contains(message), "{name}: {told}");
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_runs_async_callback_commonjs_and_module_handlers() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let promise = "exports.handler = async (e, c) => { console.log('seen', e.a); if (e.bad) throw new TypeError('bad'); return { v: c.functionVersion }; };";
    let callback = "exports.handler = (e, c, done) => setTimeout(() => done(null, { a: e.a }), 1);";
    let module = "export const handler = async (e) => ({ module: e.a });";
    client.create("promise", "nodejs22.x", &[("index.js", promise)]).await;
    client.create("callback", "nodejs22.x", &[("index.cjs", callback)]).await;
    client.create("module", "nodejs22.x", &[("index.mjs", module)]).await;
    let typed = [("index.js", module), ("package.json", r#"{"type":"module"}"#)];
    client.create("typed", "nodejs22.x", &typed).await;
    let answer = client.invoke("promise", json!({"a": 5})).await;
    assert_eq!(answer.json(), json!({"v": "$LATEST"}));
    assert!(log(&answer).contains("\tINFO\tseen 5\n"), "{}", log(&answer));
    let failed = client.invoke("promise", json!({"bad": 1})).await;
    assert_eq!(
        (&failed.json()["errorType"], &failed.json()["errorMessage"]),
        (&json!("TypeError"), &json!("bad"))
    );
    assert_eq!(client.invoke("callback", json!({"a": 6})).await.json(), json!({"a": 6}));
    assert_eq!(client.invoke("module", json!({"a": 7})).await.json(), json!({"module": 7}));
    assert_eq!(client.invoke("typed", json!({"a": 8})).await.json(), json!({"module": 8}));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_runtime_in_bash_runs() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("sh", "provided.al2023", &[("bootstrap", BOOTSTRAP)]).await;
    for number in 0..3 {
        let answer = client.invoke("sh", json!({"n": number})).await;
        assert_eq!(answer.json(), json!({"bash": {"n": number}}));
        assert!(log(&answer).contains(&format!("bash saw {{\"n\":{number}}}")));
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weighted_alias_splits_traffic_and_counts_it_per_version() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", PYTHON)]).await;
    client.publish("fn").await;
    let bad = "def handler(event, context): raise RuntimeError('v2')";
    client.update_code("fn", &[("app.py", bad)]).await;
    client.publish("fn").await;
    let alias = json!({"Name": "live", "FunctionVersion": "1",
        "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}}});
    assert_eq!(client.call("POST", "/fn/aliases", alias).await.status, 201);
    let mut candidate = 0_i32;
    for _ in 0..400 {
        let answer = client.invoke("fn:live", json!({})).await;
        let version = answer.header("x-amz-executed-version").unwrap();
        assert_eq!(answer.header("x-amz-function-error").is_some(), version == "2");
        candidate += i32::from(version == "2");
    }
    // Five standard deviations: sqrt(400 * 0.25 * 0.75) = 8.7.
    assert!((100 - candidate).abs() < 44, "{candidate}");
    let served = client.status().await["served"]["fn:live"].clone();
    assert_eq!(served["2"], json!({"invocations": candidate, "errors": candidate}));
    assert_eq!(served["1"], json!({"invocations": 400 - candidate, "errors": 0}));

    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "GraniteServiceVersion20100801.GetMetricStatistics"),
    ];
    let now = cloud.clock().now_ms() / 1000;
    let query = json!({
        "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistics": ["Sum"], "Period": 86_400,
        "StartTime": now - 86_400 * 30, "EndTime": now + 86_400,
        "Dimensions": [
            {"Name": "FunctionName", "Value": "fn"}, {"Name": "Resource", "Value": "fn:live"},
            {"Name": "ExecutedVersion", "Value": "2"},
        ],
    });
    let told = client.send("POST", "/", &headers, query.to_string()).await.json();
    let sum: f64 =
        told["Datapoints"].as_array().unwrap().iter().map(|p| p["Sum"].as_f64().unwrap()).sum();
    assert!((sum - f64::from(candidate)).abs() < 0.5, "{told}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_accepted_at_once_and_tried_three_times() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", PYTHON)]).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let event = json!({"port": listener.local_addr().unwrap().port(), "raise": "again"});
    let path = "/2015-03-31/functions/fn/invocations";
    let kind = [("x-amz-invocation-type", "Event")];
    let accepted = client.send("POST", path, &kind, event.to_string()).await;
    assert_eq!((accepted.status, accepted.body.len()), (202, 0));
    for _ in 0..3 {
        listener.accept().await.unwrap();
    }
    let dry = client.send("POST", path, &[("x-amz-invocation-type", "DryRun")], "{}").await;
    assert_eq!(dry.status, 204);
    let bad = client.send("POST", path, &[], "{").await;
    assert_eq!((bad.status, bad.error().1.as_str()), (400, "InvalidRequestContentException"));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_invocations_get_environments_of_their_own_up_to_the_reservation() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", PYTHON)]).await;
    let path = "/2017-10-31/functions/fn/concurrency";
    let limit = json!({"ReservedConcurrentExecutions": 2});
    assert_eq!(client.send("PUT", path, &[], limit.to_string()).await.status, 200);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = cloud.url().to_owned();
    let busy: Vec<_> = (0..2)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let mut client = Client::connect(&url).await;
                client.invoke("fn", json!({"port": port, "sleep": 1})).await.json()
            })
        })
        .collect();
    for _ in 0..2 {
        listener.accept().await.unwrap();
    }
    let refused = client.invoke("fn", json!({})).await;
    assert_eq!((refused.status, refused.error().1.as_str()), (429, "TooManyRequestsException"));
    assert_eq!(refused.json()["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
    let mut pids = Vec::new();
    for one in busy {
        pids.push(one.await.unwrap()["pid"].as_i64().unwrap());
    }
    assert_ne!(pids[0], pids[1]);
    cloud.shutdown().await;
}

/// Not a test of its own: what the next one runs as a process that it can kill.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by a_killed_cloud_keeps_its_promises_and_takes_its_functions_along"]
async fn serve_until_killed() {
    let directory = std::env::var_os("WAVEGATE_TEST_DIRECTORY").unwrap();
    let cloud = LocalCloud::start(options(directory.as_ref())).await.unwrap();
    println!("serving on {}", cloud.url());
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_cloud_keeps_its_promises_and_takes_its_functions_along() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "invocations::serve_until_killed", "--ignored", "--nocapture"])
        .env("WAVEGATE_TEST_DIRECTORY", directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = std::io::BufReader::new(process.stdout.take().unwrap());
    let url = loop {
        let mut line = String::new();
        assert_ne!(std::io::BufRead::read_line(&mut told, &mut line).unwrap(), 0, "it ended");
        // The test harness may have begun the line.
        if let Some((_, url)) = line.split_once("serving on ") {
            break url.trim().to_owned();
        }
    };
    let mut client = Client::connect(&url).await;
    client.create("fn", "python3.13", &[("app.py", PYTHON)]).await;
    client.publish("fn").await;
    let alias = client
        .call("POST", "/fn/aliases", json!({"Name": "live", "FunctionVersion": "1"}))
        .await
        .json();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(client.invoke("fn:live", json!({"port": port, "hold": 1})).await.status, 200);
    let (mut line, _) = listener.accept().unwrap();
    let before = client.status().await["now_ms"].as_i64().unwrap();
    let alias2 =
        client.call("PUT", "/fn/aliases/live", json!({"Description": "last words"})).await.json();
    process.kill().unwrap();
    process.wait().unwrap();
    // The function's process holds this connection: it ends only with the process.
    let mut rest = Vec::new();
    let _ = line.read_to_end(&mut rest);

    let (cloud, mut client) = start(directory.path()).await;
    assert!(cloud.clock().now_ms() >= before, "virtual time went back");
    let found = client.call("GET", "/fn/aliases/live", Value::Null).await.json();
    assert_eq!(found, alias2);
    assert_ne!(found["RevisionId"], alias["RevisionId"]);
    assert_eq!(client.invoke("fn:live", json!({})).await.json()["version"], "1");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_moves_new_invocations_to_the_new_code() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let code = |number: u32| format!("def handler(event, context): return {number}");
    client.create("fn", "python3.13", &[("app.py", &code(1))]).await;
    assert_eq!(client.invoke("fn", json!({})).await.json(), 1);
    client.update_code("fn", &[("app.py", &code(2))]).await;
    assert_eq!(client.invoke("fn", json!({})).await.json(), 2);
    let both = json!({"ZipFile": base64(&package(&[("app.py", &code(3))])), "Publish": true});
    let published = client.call("PUT", "/fn/code", both).await.json();
    assert_eq!((&published["Version"], &published["State"]), (&json!("1"), &json!("Pending")));
    client.settled("fn").await;
    assert_eq!(client.invoke("fn:1", json!({})).await.json(), 3);
    assert_eq!(client.call("DELETE", "/fn", Value::Null).await.status, 204);
    assert_eq!(client.invoke("fn", json!({})).await.status, 404);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relative_state_directory_serves_as_well() {
    let here = std::env::current_dir().unwrap();
    let directory = tempfile::tempdir_in(&here).unwrap();
    let (cloud, mut client) = start(directory.path().strip_prefix(&here).unwrap()).await;
    let code = "def handler(event, context): return 1";
    client.create("fn", "python3.13", &[("app.py", code)]).await;
    assert_eq!(client.invoke("fn", json!({})).await.json(), 1);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_bring_modules_and_runtimes() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let mut arns = Vec::new();
    for (name, files) in [
        ("one", [("python/shared.py", "NAME = 'one'"), ("python/only.py", "NAME = 'only'")]),
        ("two", [("python/shared.py", "NAME = 'two'"), ("bootstrap", BOOTSTRAP)]),
    ] {
        let input = json!({"Content": {"ZipFile": base64(&package(&files))}});
        let path = format!("/2018-10-31/layers/{name}/versions");
        let made = client.send("POST", &path, &[], input.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.json());
        arns.push(made.json()["LayerVersionArn"].clone());
    }
    let code = "import only, shared\ndef handler(event, context): return [shared.NAME, only.NAME]";
    let more = json!({ "Layers": arns });
    client.create_with("py", "python3.13", &[("app.py", code)], more.clone()).await;
    // The last one goes before the others.
    assert_eq!(client.invoke("py", json!({})).await.json(), json!(["two", "only"]));
    client.create_with("sh", "provided.al2023", &[("data", "")], more).await;
    assert_eq!(client.invoke("sh", json!({"n": 1})).await.json(), json!({"bash": {"n": 1}}));
    cloud.shutdown().await;
}
