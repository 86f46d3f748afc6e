//! What a function finds around it: its variables, who it is, and what lasts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Answer, start, unbase64};

const LOOK: &str = r#"
import os, urllib.request

def handler(event, context):
    if "write" in event:
        with open("/tmp/" + event["write"], "w") as file:
            os.posix_fallocate(file.fileno(), 0, event["megabytes"] << 20)
    if event.get("die"):
        os._exit(1)
    form = "Action=GetCallerIdentity&Version=2011-06-15"
    headers = {"content-type": "application/x-www-form-urlencoded",
               "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"]}
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], form.encode(), headers)
    caller = urllib.request.urlopen(request).read().decode()
    return {"variables": dict(os.environ), "files": sorted(os.listdir("/tmp")), "caller": caller,
            "has_view": os.environ["LAMBDA_TASK_ROOT"] == "/var/task"}
"#;

/// AWS's, as they were recorded of a runtime for Python, and ours.
const VARIABLES: [&str; 28] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "PWD",
    "PYTHONPATH",
    "SHLVL",
    "TZ",
    "_AWS_XRAY_DAEMON_ADDRESS",
    "_AWS_XRAY_DAEMON_PORT",
    "_HANDLER",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_function_finds_awss_variables_and_is_its_role() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", LOOK)]).await;
    let answer = client.invoke("fn", json!({})).await.json();
    let caller = answer["caller"].as_str().unwrap();
    assert!(caller.contains("<Arn>arn:aws:sts::000000000000:assumed-role/r/fn</Arn>"), "{caller}");
    assert!(caller.contains("<UserId>AROA") && caller.contains(":fn</UserId>"), "{caller}");
    client.create("f", "python3.13", &[("app.py", LOOK)]).await;
    let other = client.invoke("f", json!({})).await.json();
    assert!(other["caller"].as_str().unwrap().contains("/r/f@lambda_function</Arn>"), "{other}");
    if answer["has_view"] == true {
        // These two are the interpreter's and the trace's.
        let others = ["LC_CTYPE", "_X_AMZN_TRACE_ID"];
        let variables = answer["variables"].as_object().unwrap().keys().map(String::as_str);
        let names: BTreeSet<&str> = variables.filter(|name| !others.contains(name)).collect();
        assert_eq!(names, BTreeSet::from(VARIABLES));
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmp_lasts_as_long_as_its_environment_and_holds_what_it_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", LOOK)]).await;
    let first = client.invoke("fn", json!({})).await.json();
    if first["has_view"] == true {
        assert_eq!(first["files"], json!([]));
        let died = client.invoke("fn", json!({ "write": "a", "megabytes": 1, "die": true })).await;
        assert_eq!(died.header("x-amz-function-error"), Some("Unhandled"));
        let after = client.invoke("fn", json!({ "write": "b", "megabytes": 1 })).await.json();
        assert_eq!(after["files"], json!(["a", "b"]));
        let much = client.invoke("fn", json!({ "write": "c", "megabytes": 513 })).await.json();
        assert_eq!(much["errorMessage"], "[Errno 28] No space left on device");
        // Other code gets other environments.
        client.update_code("fn", &[("app.py", &format!("{LOOK}\n"))]).await;
        assert_eq!(client.invoke("fn", json!({})).await.json()["files"], json!([]));
    }
    cloud.shutdown().await;
}

const TALK_IN_PYTHON: &str = r#"
import json, logging
log = logging.getLogger("shop")

def handler(event, context):
    log.debug("quiet")
    log.warning("sold %d", 3, extra={"order": 7})
    print("plain")
    print(json.dumps({"level": "DEBUG", "message": "own and quiet"}))
    print(json.dumps({"level": "ERROR", "message": "own"}))
    if event.get("fail"):
        raise ValueError("no")
"#;

const TALK_IN_NODE: &str = r"
exports.handler = async (event) => {
  console.debug('quiet');
  console.warn('sold %d', 3);
  console.error({ order: 7 });
  if (event.fail) throw new RangeError('no');
};
";

/// The lines of a log that are JSON.
fn told(answer: &Answer) -> Vec<Value> {
    let log = unbase64(answer.header("x-amz-log-result").unwrap());
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_json_has_lambdas_events_and_the_functions_from_their_levels_on() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let logging = json!({ "LoggingConfig": {
        "LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "DEBUG",
    } });
    for (name, runtime, file, code) in [
        ("python", "python3.13", "app.py", TALK_IN_PYTHON),
        ("node", "nodejs22.x", "index.js", TALK_IN_NODE),
    ] {
        client.create_with(name, runtime, &[(file, code)], logging.clone()).await;
        let answer = client.invoke(name, json!({})).await;
        let told = told(&answer);
        let types: Vec<&str> = told.iter().filter_map(|line| line["type"].as_str()).collect();
        let wanted = [
            "platform.initRuntimeDone",
            "platform.initReport",
            "platform.start",
            "platform.runtimeDone",
            "platform.report",
        ];
        assert_eq!(types, wanted, "{name}");
        assert!(
            told[4 + usize::from(name == "python")..].iter().all(|line| line["level"] != "DEBUG")
        );
        let id = answer.header("x-amzn-requestid").unwrap();
        let sold = told.iter().find(|line| line["message"] == "sold 3").unwrap();
        assert_eq!(sold["requestId"], id, "{sold}");
        assert!(["WARN", "WARNING"].contains(&sold["level"].as_str().unwrap()), "{sold}");
        assert!(!told.iter().any(|line| line.to_string().contains("quiet")), "{told:?}");
    }
    let said = |name: &str, lines: &[Value]| match name {
        "python" => lines.iter().find(|line| line["errorType"].is_string()).cloned(),
        _ => lines.iter().find(|line| line["message"]["errorType"].is_string()).cloned(),
    };
    let python = client.invoke("python", json!({ "fail": true })).await;
    let error = said("python", &told(&python)).unwrap();
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("ValueError"), &json!("no")));
    let node = client.invoke("node", json!({ "fail": true })).await;
    let error = said("node", &told(&node)).unwrap()["message"].clone();
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("RangeError"), &json!("no")));
    cloud.shutdown().await;
}
