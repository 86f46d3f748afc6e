//! Runtime clients: the built-in one for Python, in an environment where the official one is absent,
//! and AWS's own for Rust.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::deployment_clients::has_tool;
use crate::support::start;
use serde_json::{Value, json};
use wavegate_local::lambda::input::Code;
use wavegate_local::lambda::model::{Configuration, Deployed, Route};
use wavegate_local::lambda::name::Home;
use wavegate_local::runtime::{Job, LogFiles, Outcome, Runtime, RuntimeSettings};

struct Bench {
    directory: tempfile::TempDir,
    runtime: Runtime,
}

fn home() -> Home {
    Home { region: "us-east-1".into(), account: "000000000000".into() }
}

impl Bench {
    /// A runtime whose `python3` is a bare virtual environment: no package can be imported there.
    fn bare() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let venv = directory.path().join("venv");
        let made =
            Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&venv).status();
        assert!(made.unwrap().success());
        Self::with_path(directory, &venv.join("bin"))
    }

    fn with_path(directory: tempfile::TempDir, path: &Path) -> Self {
        let runtime = Runtime::start(RuntimeSettings {
            endpoint_url: "http://127.0.0.1:9".into(),
            run_dir: directory.path().join("run"),
            logs: Arc::new(LogFiles::new(directory.path().join("logs"), home())),
            path: path.into(),
        });
        Self { runtime: runtime.unwrap(), directory }
    }

    async fn invoke(&self, runtime: &str, code: &str, handler: &str, event: &Value) -> Outcome {
        let root = self.directory.path().join(format!("code-{}", code.len()));
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("app.py"), code).unwrap();
        let deployed = Deployed {
            configuration: Configuration {
                runtime: Some(runtime.into()),
                handler: Some(handler.into()),
                ..Configuration::default()
            },
            code: Code::Zip { sha256: String::new(), size: 0 },
            deployment: format!("{handler}{}", code.len()),
        };
        let route = Route {
            function: "fn".into(),
            qualifier: None,
            alias: None,
            version: "$LATEST".into(),
            invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:fn".into(),
            deployed,
        };
        let job = Job {
            home: Arc::new(home()),
            request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".into(),
            route: Arc::new(route),
            root: Some(root),
            layers: Vec::new(),
            role_id: None,
            payload: event.to_string().into(),
            client_context: Some(r#"{"custom":{"k":"v"}}"#.into()),
            trace: None,
            is_provisioned: false,
        };
        self.runtime.invoke(job).await
    }
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.payload).unwrap()
}

const CODE: &str = r#"
import logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("printed")
    logging.info("logged %s", event["a"])
    if event.get("raise"): raise KeyError("gone")
    if event.get("odd"): return {1, 2}
    return {"name": context.function_name, "memory": context.memory_limit_in_mb,
            "left": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn,
            "custom": context.client_context.custom, "text": "ü\u2028"}
class Nested: pass
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_python_client_serves_events() {
    let bench = Bench::bare();
    let answer = bench.invoke("python3.13", CODE, "app.handler", &json!({"a": "ü"})).await;
    let log = String::from_utf8_lossy(&answer.log).into_owned();
    assert!(!answer.failed, "{} {log}", json(&answer));
    let told = json(&answer);
    assert_eq!((&told["name"], &told["memory"]), (&json!("fn"), &json!("128")));
    assert_eq!((&told["custom"], &told["text"]), (&json!({"k": "v"}), &json!("ü\u{2028}")));
    assert!((1..=3000).contains(&told["left"].as_i64().unwrap()));
    assert!(log.contains("printed\n[INFO]\t"), "{log}");
    assert!(log.contains("\t8476a536-e9f4-11e8-9739-2dfe598c3fcd\tlogged ü\n"), "{log}");
    bench.runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_python_client_reports_failures_and_goes_on() {
    let bench = Bench::bare();
    let raised =
        bench.invoke("python3.13", CODE, "app.handler", &json!({"a": 1, "raise": 1})).await;
    assert!(raised.failed);
    let told = json(&raised);
    assert_eq!((&told["errorType"], &told["errorMessage"]), (&json!("KeyError"), &json!("'gone'")));
    let trace = told["stackTrace"].as_array().unwrap();
    assert_eq!(trace.len(), 1, "the function's own frames only: {trace:?}");
    let odd = bench.invoke("python3.13", CODE, "app.handler", &json!({"a": 1, "odd": 1})).await;
    assert_eq!(json(&odd)["errorType"], "Runtime.MarshalError");
    let well = bench.invoke("python3.13", CODE, "app.handler", &json!({"a": 1})).await;
    assert!(!well.failed);
    assert_eq!(bench.runtime.environment_count(), 1, "one environment served all");
    bench.runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_python_client_reports_initialization_errors() {
    let bench = Bench::bare();
    for (code, handler, kind) in [
        ("def handler(:", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("import not_there", "app.handler", "Runtime.ImportModuleError"),
        ("x = 1", "app.handler", "Runtime.HandlerNotFound"),
        ("x = 12", "handler", "Runtime.MalformedHandlerName"),
        ("raise OSError('no')", "app.handler", "OSError"),
    ] {
        let failed = bench.invoke("python3.13", code, handler, &json!({})).await;
        assert!(failed.failed);
        assert_eq!(json(&failed)["errorType"], kind);
    }
    bench.runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_interpreter_is_told_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty");
    let bench = Bench::with_path(directory, &empty);
    for (runtime, wanted) in [("python3.13", "install Python 3"), ("nodejs22.x", "install Node.js")]
    {
        let failed = bench.invoke(runtime, "", "app.handler", &json!({})).await;
        assert!(failed.failed);
        let message = json(&failed)["errorMessage"].as_str().unwrap().to_owned();
        assert!(message.contains("not found on PATH") && message.contains(wanted), "{message}");
    }
    bench.runtime.shutdown().await;
}

/// The gate builds it and says where in `WAVEGATE_RUST_FUNCTION`.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_in_rust_runs_on_awss_own_client() {
    let built = std::env::var("WAVEGATE_RUST_FUNCTION").unwrap_or("WAVEGATE_RUST_FUNCTION".into());
    if !has_tool(&["test", "-x", &built]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let bootstrap = std::fs::read(built).unwrap();
    client.create_with("rust", "provided.al2023", &[("bootstrap", bootstrap)], json!({})).await;
    for number in 0..3 {
        let answer = client.invoke("rust", json!({"n": number})).await;
        let told = answer.json();
        assert_eq!(told["event"], json!({"n": number}), "{told}");
        assert_eq!(told["id"], answer.header("x-amzn-requestid").unwrap());
        assert_eq!((&told["name"], &told["memory"]), (&json!("rust"), &json!(128)));
        assert!(told["stream"].as_str().unwrap().contains("/[$LATEST]"), "{told}");
    }
    let failed = client.invoke("rust", json!({"fail": "no"})).await;
    assert_eq!(failed.header("x-amz-function-error"), Some("Unhandled"));
    assert!(failed.json()["errorMessage"].as_str().unwrap().contains("no"), "{}", failed.json());
    let panicked = client.invoke("rust", json!({"panic": true})).await;
    assert_eq!(panicked.header("x-amz-function-error"), Some("Unhandled"));
    assert_eq!(client.invoke("rust", json!({})).await.header("x-amz-function-error"), None);
    cloud.shutdown().await;
}
