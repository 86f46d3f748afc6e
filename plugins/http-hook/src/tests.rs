//! Laws of the hook, against a real server on loopback.

use std::time::Duration;

use serde_json::{Value, json};
use wavegate_plugin_sdk::http::testing::{Asked, Reply, Server};
use wavegate_plugin_sdk::{
    CallContext, CloudAccess, DynHook, HookEvent, HookOutcome, HookPhase, VersionRef, WeightBp,
};

use super::*;

const HOOK: &dyn DynHook = &HttpHook;

/// A variable that cargo sets for every test, and its value here.
const VARIABLE: &str = "CARGO_PKG_NAME";
const SECRET: &str = "wavegate-plugin-http-hook";

fn event() -> HookEvent {
    HookEvent {
        app: "shop".into(),
        release: "r-7".into(),
        release_number: 7,
        function: "shop-checkout".into(),
        alias: "live".into(),
        phase: HookPhase::OnRollback,
        stable: None,
        candidate: VersionRef { version: "5".into(), arn: "arn:5".into() },
        weight_bp: WeightBp::new(1_250).unwrap(),
        reason: Some("too many errors".into()),
        cloud: CloudAccess::default(),
    }
}

fn cx() -> CallContext {
    CallContext::new(Duration::from_secs(30), "r-7/checkout/0").with_attempt(2)
}

async fn run(config: &Value) -> HookOutcome {
    HOOK.run(&cx(), config, event()).await.unwrap()
}

async fn outcome_of(reply: Reply) -> (HookOutcome, String) {
    let server = Server::start(move |_| reply.clone()).await;
    (run(&json!({"url": server.url("/judge")})).await, server.url(""))
}

async fn reason_of(reply: Reply) -> String {
    match outcome_of(reply).await.0 {
        HookOutcome::Fail { reason } => reason,
        other => panic!("did not fail closed: {other:?}"),
    }
}

/// After how many seconds it is asked again.
async fn wait_of(reply: Reply) -> u64 {
    match outcome_of(reply).await.0 {
        HookOutcome::Retry { after_ms, .. } => after_ms / 1_000,
        other => panic!("not asked again: {other:?}"),
    }
}

#[tokio::test]
async fn the_server_is_told_what_it_judges() {
    let server = Server::start(|_| Reply::new(204, "")).await;
    let config = json!({
        "url": server.url("/judge?env=prod"),
        "headers": {"X-Team": "shop", "user-agent": "shop/1"},
        "headers_from_env": {"X-Token": VARIABLE},
    });
    assert_eq!(run(&config).await, HookOutcome::Pass { detail: String::new() });
    let asked: Asked = server.asked().remove(0);
    assert!(asked.head.starts_with("POST /judge?env=prod HTTP/1.1"), "{}", asked.head);
    for (name, value) in [
        ("content-type", "application/json"),
        ("idempotency-key", "r-7/checkout/0"),
        ("x-team", "shop"),
        ("x-token", SECRET),
        ("user-agent", "shop/1"),
    ] {
        assert_eq!(asked.header(name), Some(value), "{}", asked.head);
    }
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(
        body,
        json!({
            "app": "shop", "release": "r-7", "release_number": 7, "function": "shop-checkout",
            "alias": "live", "phase": "on_rollback", "stable_version": null, "stable_arn": null,
            "candidate_version": "5", "candidate_arn": "arn:5", "weight": 12.5, "weight_bp": 1250,
            "reason": "too many errors", "idempotency_key": "r-7/checkout/0", "attempt": 2,
        })
    );
}

#[tokio::test]
async fn success_passes_with_the_last_words_of_the_server() {
    let lines: Vec<String> = (0..30).map(|n| format!("check {n} ok")).collect();
    for status in [200, 201, 299] {
        let (outcome, _) = outcome_of(Reply::new(status, lines.join("\r\n"))).await;
        let HookOutcome::Pass { detail } = outcome else { panic!("{status}: {outcome:?}") };
        assert_eq!(detail, lines[20..].join("\n"));
    }
}

#[tokio::test]
async fn not_yet_is_asked_again_when_the_server_says() {
    let (outcome, url) = outcome_of(Reply::new(202, "warming up\u{1b}[2J")).await;
    let detail = format!("{url} answered 202: not yet\nwarming up");
    assert_eq!(outcome, HookOutcome::Retry { after_ms: 10_000, detail });

    let at = |after: &str| Reply::new(202, "").with("Retry-After", after);
    assert_eq!(wait_of(at("90")).await, 90);
    assert_eq!(wait_of(at("0")).await, 1);
    assert_eq!(wait_of(at("999999999999")).await, 3_600);
    assert_eq!(wait_of(at("whenever")).await, 10);
    let date = at("Tue, 15 Nov 1994 08:13:31 GMT").with("Date", "Tue, 15 Nov 1994 08:12:31 GMT");
    assert_eq!(wait_of(date).await, 60);

    let server = Server::start(|_| Reply::new(202, "")).await;
    let outcome = run(&json!({"url": server.url(""), "retry_after": "2m"})).await;
    assert!(matches!(outcome, HookOutcome::Retry { after_ms: 120_000, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_busy_server_is_asked_again_only_if_it_says_when() {
    for status in [429, 503] {
        let busy = Reply::new(status, "queue is full");
        assert_eq!(wait_of(busy.clone().with("Retry-After", 7)).await, 7);
        let reason = reason_of(busy).await;
        assert!(reason.ends_with(&format!("answered {status}\nqueue is full")), "{reason}");
    }
    reason_of(Reply::new(500, "").with("Retry-After", 7)).await;
}

#[tokio::test]
async fn any_other_status_fails_closed_in_the_servers_own_words() {
    for status in [300, 400, 401, 404, 418, 500, 502, 504] {
        let reason = reason_of(Reply::new(status, "p95 is 900 ms\u{7}\n\n")).await;
        assert!(reason.ends_with(&format!(" answered {status}\np95 is 900 ms")), "{reason}");
    }
}

#[tokio::test]
async fn a_flood_is_neither_held_nor_shown() {
    let (outcome, _) = outcome_of(Reply::endless("spam")).await;
    let HookOutcome::Pass { detail } = outcome else { panic!("{outcome:?}") };
    assert_eq!(detail.lines().count(), 11, "{detail}");
    assert!(detail.ends_with("spam\n(more than 65536 bytes: not read to the end)"), "{detail}");
}

#[tokio::test]
async fn a_secret_is_in_no_text_even_if_the_server_sends_it_back() {
    for status in [200, 202, 500] {
        let server = Server::start(move |asked| Reply::new(status, asked.head.clone())).await;
        let config = json!({
            "url": server.url("/hooks/T0KEN?key=T0KEN"),
            "headers": {"Authorization": "Bearer interpolated-T0KEN"},
            "headers_from_env": {"X-Token": VARIABLE},
        });
        let outcome = format!("{:?}", run(&config).await);
        assert!(outcome.contains("x-token: ***"), "{outcome}");
        assert!(!outcome.contains(SECRET), "{outcome}");
        assert!(!outcome.contains("interpolated"), "{outcome}");
    }
}

#[tokio::test]
async fn what_stood_in_the_config_for_a_variable_is_in_no_text() {
    let server = Server::start(|asked| {
        let key = asked.header("x-api-key").unwrap();
        Reply::new(404, format!("Cannot POST {} key={key}", asked.target()))
    })
    .await;
    let config = json!({
        "url": server.url("/services/tok-hunter2"), "headers": {"X-Api-Key": "key-hunter2"},
    });
    let reason = format!("{} answered 404\nCannot POST *** key=***", server.url(""));
    assert_eq!(run(&config).await, HookOutcome::Fail { reason });
}

#[tokio::test]
async fn an_address_may_hold_a_secret_and_is_not_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = run(&json!({"url": format!("{origin}/T0KEN?key=T0KEN")})).await;
    let HookOutcome::Retry { after_ms, detail } = outcome else { panic!("{outcome:?}") };
    assert_eq!(after_ms, 5_000);
    assert!(detail.starts_with(&format!("{origin} cannot be reached: ")), "{detail}");
    assert!(!detail.contains("T0KEN"), "{detail}");
}

#[tokio::test]
async fn a_variable_that_is_not_set_fails_closed_and_is_named() {
    let server = Server::start(|_| Reply::new(200, "")).await;
    let config = json!({"url": server.url(""), "headers_from_env": {"X-Token": "WG_NOT_SET"}});
    let reason = "the environment variable `WG_NOT_SET` is not set".to_owned();
    assert_eq!(run(&config).await, HookOutcome::Fail { reason });
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn a_redirect_that_leaves_the_server_or_changes_the_request_fails_closed() {
    let other = Server::start(|_| Reply::new(200, "")).await;
    let (target, elsewhere) = (other.url(""), other.url("/T0KEN"));
    let reason = reason_of(Reply::new(308, "").with("Location", &elsewhere)).await;
    assert!(reason.contains(&format!("redirects to {target}, ")), "{reason}");
    assert!(!reason.contains("T0KEN"), "{reason}");
    let reason = reason_of(Reply::new(303, "").with("Location", "/done")).await;
    assert!(reason.contains("redirects with 303"), "{reason}");
    assert_eq!(other.asked(), []);
}

#[tokio::test]
async fn a_redirect_on_the_same_server_is_followed_with_the_same_request() {
    let server = Server::start(|asked| match asked.target() {
        "/v2" => Reply::new(200, "judged"),
        _ => Reply::new(307, "").with("Location", "/v2"),
    })
    .await;
    let outcome = run(&json!({"url": server.url("/v1")})).await;
    assert_eq!(outcome, HookOutcome::Pass { detail: "judged".into() });
    let asked = server.asked();
    assert_eq!(asked[0].body, asked[1].body);
    assert_eq!(asked[0].header(IDEMPOTENCY_KEY), asked[1].header(IDEMPOTENCY_KEY));
}

#[tokio::test]
async fn a_connection_that_breaks_is_asked_again_with_the_same_key() {
    let server = Server::start(|_| Reply::hang_up()).await;
    let outcome = run(&json!({"url": server.url("")})).await;
    let HookOutcome::Retry { detail, .. } = outcome else { panic!("{outcome:?}") };
    assert!(detail.contains("broke off"), "{detail}");
    assert_eq!(server.asked()[0].header(IDEMPOTENCY_KEY), Some("r-7/checkout/0"));
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_fails_closed() {
    let server = Server::start(|_| Reply::new(200, "")).await;
    let url = server.url("").replace("http:", "https:");
    let outcome = run(&json!({"url": url})).await;
    let HookOutcome::Fail { reason } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("does not speak TLS"), "{reason}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_named_before_the_deadline() {
    let server = Server::start(|_| Reply::silent()).await;
    let cx = CallContext::new(Duration::from_secs(1), "k");
    let outcome = HOOK.run(&cx, &json!({"url": server.url("")}), event()).await.unwrap();
    let detail = format!("{} did not answer in time", server.url(""));
    assert_eq!(outcome, HookOutcome::Retry { after_ms: 5_000, detail });
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn the_status_is_the_verdict_even_if_the_rest_never_comes() {
    // The first runs into the limit of bodies, the second into that of the call.
    for (status, deadline) in [(200, Duration::from_secs(30)), (500, Duration::from_secs(1))] {
        let server =
            Server::start(move |_| Reply::stuck(status, "p95 is 900 ms\nhalf a sec")).await;
        let cx = CallContext::new(deadline, "k");
        let outcome = HOOK.run(&cx, &json!({"url": server.url("")}), event()).await.unwrap();
        let words = "p95 is 900 ms\n(the end did not come)";
        let reason = format!("{} answered 500\n{words}", server.url(""));
        let verdict = match status {
            200 => HookOutcome::Pass { detail: words.to_owned() },
            _ => HookOutcome::Fail { reason },
        };
        assert_eq!(outcome, verdict);
        assert_eq!(server.asked().len(), 1);
    }
}

#[test]
fn a_config_that_cannot_be_sent_is_told_at_plan_time() {
    let good = json!({"url": "https://judge.example.com/"});
    assert_eq!(HOOK.validate(&good).unwrap(), []);
    for (key, value, path) in [
        ("url", json!("judge.example.com"), "url"),
        ("url", json!("https://me:hunter2@judge.example.com"), "url"),
        ("headers", json!({"Host": "a"}), "headers.Host"),
        ("headers", json!({"X Y": "a"}), "headers.X Y"),
        ("headers", json!({"idempotency-key": "a"}), "headers.idempotency-key"),
        ("headers_from_env", json!({"X-Token": ""}), "headers_from_env.X-Token"),
        ("headers_from_env", json!({"X-Token": "$TOKEN"}), "headers_from_env.X-Token"),
        ("retry_after", json!("0s"), "retry_after"),
        ("retry_after", json!("2h"), "retry_after"),
        ("method", json!("GET"), "method"),
    ] {
        let mut config = good.clone();
        config[key] = value;
        let found = HOOK.validate(&config).unwrap();
        assert_eq!(found.len(), 1, "{config}: {found:?}");
        assert_eq!(found[0].path, path, "{config}");
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    }
    assert_eq!(HOOK.validate(&json!({})).unwrap()[0].path, "url");
}

#[test]
fn the_example_of_the_schema_is_a_good_config_and_every_key_is_described() {
    let schema = HOOK.config_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let example = &schema["examples"][0];
    assert!(validator.is_valid(example), "{example}");
    assert_eq!(HOOK.validate(example).unwrap(), []);
    for (key, property) in schema["properties"].as_object().unwrap() {
        assert!(property["description"].is_string(), "{key}");
    }
    for url in ["judge.example.com", "https://me:pw@judge.example.com/", "https://a/#b"] {
        assert!(!validator.is_valid(&json!({"url": url})), "{url}");
    }
}
