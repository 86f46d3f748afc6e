//! What happens when functions misbehave: as on AWS the caller is told in Lambda's words, and the
//! environment goes on with a new process.

use std::io::Read as _;
use std::net::TcpListener;

use crate::support::{Answer, Client, start, unbase64};
use serde_json::json;

const CODE: &str = r#"
import os, socket, subprocess, sys, tempfile, time
print("initialized")
note = os.path.join(tempfile.gettempdir(), "note")
state = {"count": 0}
def handler(event, context):
    state["count"] += 1
    act = event.get("act")
    if act == "note": open(note, "w").write("kept")
    if act == "sleep": time.sleep(30)
    if act == "grow":
        grown = bytearray(256 << 20)
        time.sleep(30)
    if act == "spike":
        grown = bytearray(256 << 20)
        del grown
    if act == "print": sys.stdout.write(("y" * 99 + "\n") * 10486)
    if act == "large": return "a" * (6 * 1024 * 1024 - 2)
    if act == "too large": return "a" * (6 * 1024 * 1024 + 100)
    if act == "kill": os.kill(os.getpid(), 9)
    if act == "fork":
        code = "import socket,time; line = socket.create_connection(('127.0.0.1', %d)); time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", code % event["port"]])
    return {"count": state["count"], "note": os.path.exists(note) and open(note).read()}
"#;

fn log(answer: &Answer) -> String {
    unbase64(answer.header("x-amz-log-result").unwrap())
}

/// The answer's error, with the request's id taken out of the message.
fn error(answer: &Answer) -> (String, String) {
    assert_eq!(answer.header("x-amz-function-error"), Some("Unhandled"));
    let id = answer.header("x-amzn-requestid").unwrap();
    let told = answer.json();
    let text = |key: &str| told[key].as_str().unwrap_or_default().replace(id, "ID");
    (text("errorType"), text("errorMessage"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_keeps_its_files_over_a_timeout_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create_with("fn", "python3.13", &[("app.py", CODE)], json!({"Timeout": 1})).await;
    let noted = client.invoke("fn", json!({"act": "note"})).await;
    assert_eq!(noted.json(), json!({"count": 1, "note": "kept"}));

    let slow = client.invoke("fn", json!({"act": "sleep"})).await;
    let wanted = "RequestId: ID Error: Task timed out after 1.00 seconds";
    assert_eq!(error(&slow), ("Sandbox.Timedout".into(), wanted.into()));
    let told = log(&slow);
    assert!(told.contains(" Task timed out after 1.00 seconds\n\nEND RequestId: "), "{told}");
    assert!(told.contains("\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t"), "{told}");
    assert!(told.ends_with(" MB\tStatus: timeout\n"), "{told}");

    let again = client.invoke("fn", json!({})).await;
    assert_eq!(again.json(), json!({"count": 1, "note": "kept"}), "new process, same files");
    let told = log(&again);
    assert!(told.contains("initialized\nSTART RequestId: "), "{told}");
    assert!(!told.contains("Init Duration"), "within the invocation's own time: {told}");
    assert_eq!(client.status().await["environments"], 1);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_is_told_by_how_it_died() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", CODE)]).await;
    let killed = client.invoke("fn", json!({"act": "kill"})).await;
    let wanted = "RequestId: ID Error: Runtime exited with error: signal: killed";
    assert_eq!(error(&killed), ("Runtime.ExitError".into(), wanted.into()));
    let told = log(&killed);
    assert!(told.contains("signal: killed\nRuntime.ExitError\nEND RequestId: "), "{told}");
    assert!(told.ends_with("\tStatus: error\tError Type: Runtime.ExitError\n"), "{told}");
    assert_eq!(client.invoke("fn", json!({})).await.json()["count"], 1);
    cloud.shutdown().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_function_gets_the_memory_it_was_given_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create_with("fn", "python3.13", &[("app.py", CODE)], json!({"Timeout": 10})).await;
    for act in ["grow", "spike"] {
        let killed = client.invoke("fn", json!({"act": act})).await;
        let wanted = "RequestId: ID Error: Runtime exited with error: signal: killed";
        assert_eq!(error(&killed), ("Runtime.OutOfMemory".into(), wanted.into()), "{act}");
        let told = log(&killed);
        assert!(told.contains("\tMax Memory Used: 128 MB\t"), "{told}");
        assert!(told.ends_with("\tStatus: error\tError Type: Runtime.OutOfMemory\n"), "{told}");
    }
    let more = json!({"MemorySize": 512});
    assert_eq!(client.call("PUT", "/fn/configuration", more).await.status, 200);
    client.settled("fn").await;
    assert_eq!(client.invoke("fn", json!({"act": "spike"})).await.json()["count"], 1);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initialization_that_fails_is_tried_again_within_the_invocation() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let dies = "print('once')\nimport os; os._exit(7)";
    client.create("dies", "python3.13", &[("app.py", dies)]).await;
    let failed = client.invoke("dies", json!({})).await;
    let wanted = "RequestId: ID Error: Runtime exited with error: exit status 7";
    assert_eq!(error(&failed), ("Runtime.ExitError".into(), wanted.into()));
    let told = log(&failed);
    let kinds: Vec<&str> = told
        .lines()
        .map(|line| {
            let line = line.split_once(" RequestId").map_or(line, |(start, _)| start);
            if line.contains("Phase: init\tStatus: error\tError Type: Runtime.ExitError") {
                "init failed"
            } else if line.contains("Phase: invoke\tStatus: error\tError Type: Runtime.ExitError") {
                "invoke failed"
            } else {
                line.split(':').next().unwrap_or_default()
            }
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "once",
            "init failed",
            "once",
            "invoke failed",
            "START",
            "RequestId",
            "Runtime.ExitError",
            "END",
            "REPORT"
        ],
        "{told}"
    );
    // One that recovers is as good as any, and its initialization is part of the invocation.
    let recovers = "import os, tempfile\nmark = os.path.join(tempfile.gettempdir(), 'mark')\n\
                    if not os.path.exists(mark):\n    open(mark, 'w').close()\n    os._exit(1)\n\
                    def handler(event, context): return 5";
    client.create("recovers", "python3.13", &[("app.py", recovers)]).await;
    let answer = client.invoke("recovers", json!({})).await;
    assert_eq!((answer.json(), answer.header("x-amz-function-error")), (json!(5), None));
    assert!(log(&answer).contains("Phase: init\tStatus: error"), "{}", log(&answer));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_is_printed_and_answered_comes_through() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let more = json!({"Timeout": 20, "MemorySize": 512});
    client.create_with("fn", "python3.13", &[("app.py", CODE)], more).await;
    let printed = client.invoke("fn", json!({"act": "print"})).await;
    assert_eq!(printed.json()["count"], 1);
    assert_eq!(log(&printed).len(), 4096);
    assert!(log(&printed).contains("yyy\nEND RequestId"));
    let written = Client::written(directory.path(), "fn");
    assert_eq!(written.matches(&"y".repeat(99)).count(), 10_486);

    let large = client.invoke("fn", json!({"act": "large"})).await;
    assert_eq!((large.status, large.body.len()), (200, 6 << 20));
    let refused = client.invoke("fn", json!({"act": "too large"})).await;
    assert_eq!(
        error(&refused),
        (
            "Function.ResponseSizeTooLarge".into(),
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).".into()
        )
    );
    assert_eq!(client.invoke("fn", json!({})).await.header("x-amz-function-error"), None);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_outlives_its_handler_but_not_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", CODE)]).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let forked = client.invoke("fn", json!({"act": "fork", "port": port})).await;
    assert_eq!(forked.json()["count"], 1, "the handler does not wait for it");
    let (mut line, _) = listener.accept().unwrap();
    assert_eq!(client.invoke("fn", json!({})).await.json()["count"], 2, "same process");
    cloud.shutdown().await;
    // Only the child holds this connection.
    let mut rest = Vec::new();
    let _ = line.read_to_end(&mut rest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_cannot_run_here_says_so_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    for (name, runtime) in [("java", "java21"), ("dotnet", "dotnet8"), ("ruby", "ruby3.4")] {
        client.create(name, runtime, &[("bootstrap", "#!/bin/sh\n")]).await;
        let answer = client.invoke(name, json!({})).await;
        let (kind, why) = error(&answer);
        assert_eq!((answer.status, kind.as_str()), (200, "Runtime.InvalidEntrypoint"));
        let start = format!("RequestId: ID Error: the local cloud does not run {runtime}: ");
        assert!(why.starts_with(&start) && why.contains("provided.al2023"), "{why}");
        assert!(
            log(&answer).contains("\tError Type: Runtime.InvalidEntrypoint"),
            "{}",
            log(&answer)
        );
    }
    cloud.shutdown().await;
}
