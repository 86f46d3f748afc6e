//! Laws of the hook, against a server that answers recorded bytes and keeps what it was asked.

use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wavegate_plugin_sdk::{
    CallContext, CloudAccess, DynHook, HookEvent, HookOutcome, HookPhase, PluginError, VersionRef,
    WeightBp,
};

use super::*;

const HOOK: &dyn DynHook = &LambdaHook;

/// One recorded answer.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    fn ok(body: &Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.to_string() }
    }

    fn refused(status: u16, code: &'static str, message: &str) -> Self {
        Self {
            status,
            headers: vec![("x-amzn-ErrorType", code.to_owned())],
            body: json!({"Type": "User", "Message": message}).to_string(),
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn with_log(self, log: &str) -> Self {
        self.with("X-Amz-Log-Result", base64::engine::general_purpose::STANDARD.encode(log))
    }
}

/// What the server was asked.
struct Asked {
    head: String,
    body: Value,
}

async fn answer_once(listener: TcpListener, reply: Reply) -> Asked {
    let (mut stream, _) = listener.accept().await.unwrap();
    let asked = read_request(&mut stream).await;
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head = format!("{head}{name}: {value}\r\n");
    }
    let answer = format!("{head}content-length: {}\r\n\r\n{}", reply.body.len(), reply.body);
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    asked
}

async fn read_request(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase().strip_prefix("content-length: ")?.parse().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                let body = serde_json::from_str(body).unwrap();
                return Asked { head: head.to_owned(), body };
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "ended early: {text}");
    }
}

fn event(port: u16) -> HookEvent {
    HookEvent {
        app: "shop".into(),
        release: "r-7".into(),
        release_number: 7,
        function: "shop-checkout".into(),
        alias: "live".into(),
        phase: HookPhase::PreTraffic,
        stable: Some(VersionRef { version: "4".into(), arn: "arn:4".into() }),
        candidate: VersionRef { version: "5".into(), arn: "arn:5".into() },
        weight_bp: WeightBp::new(1_250).unwrap(),
        reason: None,
        cloud: CloudAccess {
            region: "eu-west-1".into(),
            endpoint_url: Some("http://127.0.0.1:1/not-this-one".into()),
            lambda_endpoint_url: Some(format!("http://127.0.0.1:{port}")),
            local: true,
            ..CloudAccess::default()
        },
    }
}

fn cx() -> CallContext {
    CallContext::new(Duration::from_secs(30), "k-1").with_attempt(2)
}

async fn ask(config: Value, reply: Reply) -> (HookOutcome, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let cx = cx();
    let (outcome, asked) =
        tokio::join!(HOOK.run(&cx, &config, event(port)), answer_once(listener, reply));
    (outcome.unwrap(), asked)
}

async fn outcome_of(reply: Reply) -> HookOutcome {
    ask(json!({"function": "smoke"}), reply).await.0
}

async fn reason_of(reply: Reply) -> String {
    match outcome_of(reply).await {
        HookOutcome::Fail { reason } => reason,
        other => panic!("did not fail closed: {other:?}"),
    }
}

#[tokio::test]
async fn the_function_is_told_what_it_judges() {
    let config = json!({"function": "smoke", "qualifier": "live"});
    let reply = Reply::ok(&json!({"hookStatus": "SUCCEEDED"}));
    let (outcome, asked) = ask(config, reply).await;
    assert_eq!(outcome, HookOutcome::Pass { detail: String::new() });
    let head = asked.head.to_lowercase();
    assert!(
        head.starts_with("post /2015-03-31/functions/smoke/invocations?qualifier=live http/1.1"),
        "{head}"
    );
    assert!(head.contains("x-amz-invocation-type: requestresponse"), "{head}");
    assert!(head.contains("x-amz-log-type: tail"), "{head}");
    assert!(head.contains("credential=wavegate/"), "{head}");
    assert_eq!(
        asked.body,
        json!({
            "app": "shop", "release": "r-7", "release_number": 7, "function": "shop-checkout",
            "alias": "live", "phase": "pre_traffic", "stable_version": "4", "stable_arn": "arn:4",
            "candidate_version": "5", "candidate_arn": "arn:5", "weight": 12.5, "weight_bp": 1250,
            "reason": null, "idempotency_key": "k-1", "attempt": 2,
        })
    );
}

#[tokio::test]
async fn the_three_answers_are_understood() {
    for (answer, outcome) in [
        (
            json!({"hookStatus": "SUCCEEDED", "message": "200 in 12 ms", "more": 1}),
            HookOutcome::Pass { detail: "200 in 12 ms".into() },
        ),
        (
            json!({"hookStatus": "FAILED", "message": "500"}),
            HookOutcome::Fail { reason: "`smoke` answered FAILED: 500".into() },
        ),
        (
            json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 60}),
            HookOutcome::Retry { after_ms: 60_000, detail: String::new() },
        ),
        (
            json!({"hookStatus": "IN_PROGRESS", "message": "warming\u{1b}[2J"}),
            HookOutcome::Retry { after_ms: 30_000, detail: "warming".into() },
        ),
        (
            json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 0}),
            HookOutcome::Retry { after_ms: 1_000, detail: String::new() },
        ),
        (
            json!({"hookStatus": "IN_PROGRESS", "callBackDelay": u64::MAX}),
            HookOutcome::Retry { after_ms: 3_600_000, detail: String::new() },
        ),
    ] {
        assert_eq!(outcome_of(Reply::ok(&answer)).await, outcome, "{answer}");
    }
}

#[tokio::test]
async fn anything_else_fails_closed_in_the_functions_own_words() {
    for (answer, words) in [
        (json!({"hookStatus": "succeeded"}), "answered hookStatus `succeeded`, which is not"),
        (json!({"statusCode": 200}), "answered without a hookStatus: {\"statusCode\":200}"),
        (json!(null), "answered without a hookStatus: null"),
        (json!("SUCCEEDED"), "answered without a hookStatus: \"SUCCEEDED\""),
        (json!({"hookStatus": true}), "which cannot be understood"),
        (json!({"hookStatus": "IN_PROGRESS", "callBackDelay": -1}), "which cannot be understood"),
    ] {
        let reason = reason_of(Reply::ok(&answer)).await;
        assert!(reason.starts_with("`smoke` ") && reason.contains(words), "{answer}: {reason}");
    }
    let nothing = Reply { status: 200, headers: Vec::new(), body: String::new() };
    assert_eq!(reason_of(nothing).await, "`smoke` answered nothing, and no hookStatus");
}

#[tokio::test]
async fn a_function_that_raises_is_quoted_with_the_end_of_its_log() {
    let body = json!({
        "errorMessage": "boom\u{7}", "errorType": "RuntimeError", "stackTrace": ["..."],
    });
    let log = "START RequestId: 1\nchecking\n[ERROR] RuntimeError: boom\rTraceback:\r\u{a0}\u{a0}at app.py\nEND RequestId: 1\n";
    let reply = Reply::ok(&body).with("X-Amz-Function-Error", "Unhandled").with_log(log);
    assert_eq!(
        reason_of(reply).await,
        "`smoke` raised RuntimeError: boom\nchecking\n[ERROR] RuntimeError: \
         boom\nTraceback:\n  at app.py"
    );
    // A function error wins over what the payload looks like.
    let body = json!({"hookStatus": "SUCCEEDED"});
    let reason = reason_of(Reply::ok(&body).with("X-Amz-Function-Error", "Handled")).await;
    assert!(reason.starts_with("`smoke` raised"), "{reason}");
}

#[tokio::test]
async fn what_lambda_refuses_for_now_is_asked_again() {
    for (status, code) in [
        (429, "TooManyRequestsException"),
        (500, "ServiceException"),
        (502, "ResourceNotReadyException"),
        (409, "ResourceConflictException"),
        (409, "SnapStartNotReadyException"),
        (503, "ServiceUnavailable"),
        (403, "ExpiredTokenException"),
        (403, "RequestTimeTooSkewed"),
    ] {
        let outcome = outcome_of(Reply::refused(status, code, "not now")).await;
        let HookOutcome::Retry { after_ms, detail } = outcome else { panic!("{outcome:?}") };
        assert_eq!(after_ms, 5_000);
        assert!(detail.contains(code) && detail.contains("not now"), "{detail}");
    }
}

#[tokio::test]
async fn what_lambda_refuses_for_good_fails_closed() {
    for (status, code, words) in [
        (404, "ResourceNotFoundException", "there is no function `smoke` to judge"),
        (403, "AccessDeniedException", "it needs lambda:InvokeFunction on it"),
        (400, "InvalidRequestContentException", "could not be invoked"),
        (502, "KMSDisabledException", "could not be invoked"),
    ] {
        let reason = reason_of(Reply::refused(status, code, "no")).await;
        assert!(reason.contains(words) && reason.contains(code), "{reason}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let outcome = HOOK.run(&cx(), &json!({"function": "smoke"}), event(port)).await.unwrap();
    let HookOutcome::Retry { detail, .. } = outcome else { panic!("{outcome:?}") };
    assert!(detail.contains("Lambda cannot be reached for Invoke"), "{detail}");
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let cx = CallContext::new(Duration::from_millis(300), "k");
    let config = json!({"function": "smoke"});
    let (outcome, (_open, asked)) = tokio::join!(HOOK.run(&cx, &config, event(port)), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = read_request(&mut stream).await;
        (stream, asked.body)
    });
    assert_eq!(outcome.unwrap_err().code(), PluginError::DEADLINE);
    assert_eq!(asked["app"], "shop");
}

#[tokio::test]
async fn a_connection_that_breaks_is_asked_again_with_the_same_key() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (cx, config) = (cx(), json!({"function": "smoke"}));
    let (outcome, asked) = tokio::join!(HOOK.run(&cx, &config, event(port)), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await.body
    });
    let HookOutcome::Retry { detail, .. } = outcome.unwrap() else { panic!("not asked again") };
    assert!(detail.contains("Lambda broke off Invoke"), "{detail}");
    assert_eq!(asked["idempotency_key"], "k-1");
}

#[test]
fn a_config_that_names_no_function_is_told_at_plan_time() {
    for (config, path) in [
        (json!({}), "function"),
        (json!({"function": ""}), "function"),
        (json!({"function": "my smoke"}), "function"),
        (json!({"function": "smoke:live", "qualifier": "live"}), "qualifier"),
        (
            json!({"function": "arn:aws:lambda:eu-west-1:1:function:smoke:3", "qualifier": "4"}),
            "qualifier",
        ),
        (json!({"function": "smoke", "fn": 1}), "fn"),
    ] {
        let found = HOOK.validate(&config).unwrap();
        assert_eq!(found.len(), 1, "{config}: {found:?}");
        assert_eq!(found[0].path, path, "{config}");
    }
    let arn = "arn:aws:lambda:eu-west-1:1:function:smoke";
    assert_eq!(HOOK.validate(&json!({"function": arn, "qualifier": "4"})).unwrap(), []);
}
