//! Laws of the provider, against a server on loopback that answers as Prometheus does.

use std::time::Duration;

use serde_json::{Value, json};
use wavegate_plugin_sdk::http::testing::{Asked, Reply, Server};
use wavegate_plugin_sdk::{CloudAccess, DynAlarmProvider};

use super::*;
use AlarmStatus::{Firing, Ok as Quiet, Unknown};

const PROVIDER: &dyn DynAlarmProvider = &Prometheus;

/// A variable that cargo sets for every test, and its value here.
const VARIABLE: &str = "CARGO_PKG_NAME";
const SECRET: &str = "wavegate-plugin-prometheus";

fn success(kind: &str, result: &Value) -> Reply {
    let body = json!({"status": "success", "data": {"resultType": kind, "result": result}});
    Reply::new(200, body.to_string())
}

fn one(value: &str) -> Reply {
    success("vector", &json!([{"metric": {}, "value": [1.5, value]}]))
}

/// What was asked, decoded.
fn query_of(asked: &Asked) -> String {
    let query = asked.body.strip_prefix("query=").expect("a form with a query");
    let mut bytes = Vec::new();
    let mut rest = query.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn query(key: &str, config: Value) -> AlarmQuery<Value> {
    AlarmQuery {
        key: key.into(),
        config,
        subject: AlarmSubject {
            app: "shop".into(),
            function: "shop-auth".into(),
            alias: "live".into(),
            stable: Some("4".into()),
            candidate: Some("5".into()),
        },
        look: Look::Watch,
        since_ms: Some(1),
        now_ms: 2,
        cloud: CloudAccess::default(),
    }
}

async fn read(queries: Vec<AlarmQuery<Value>>) -> Result<Vec<AlarmReading>, PluginError> {
    PROVIDER.read(&CallContext::new(Duration::from_secs(30), "k"), queries).await
}

/// An address where nobody listens.
async fn closed_url() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn reading_of(reply: Reply) -> (AlarmStatus, String) {
    let server = Server::start(move |_| reply.clone()).await;
    let config = json!({"url": server.url(""), "query": "q", "max": 5});
    let reading = read(vec![query("k", config)]).await.unwrap().remove(0);
    (reading.status, reading.detail)
}

/// The error, with the server's address replaced.
async fn error_of(reply: Reply) -> (PluginError, String) {
    let server = Server::start(move |_| reply.clone()).await;
    let config = json!({"url": server.url(""), "query": "q", "max": 5});
    let error = read(vec![query("k", config)]).await.unwrap_err();
    let words = error.message().replace(&server.url(""), "URL");
    (error, words)
}

#[tokio::test]
async fn the_query_is_asked_for_the_subject_with_the_headers_of_the_config() {
    let server = Server::start(|_| one("7")).await;
    let config = json!({
        "url": server.url("/prom/"),
        "query": "e{app=\"$app\", f=\"$function:$alias\", v=~\"$candidate|$stable\"}",
        "max": 5,
        "bearer_token_env": VARIABLE,
        "headers": {"X-Scope-OrgID": "tenant"},
        "headers_from_env": {"X-Key": VARIABLE},
    });
    let reading = read(vec![query("k", config)]).await.unwrap().remove(0);
    assert_eq!((reading.status, reading.detail.as_str()), (Firing, "the result 7 > 5"));
    let asked = &server.asked()[0];
    assert!(asked.head.starts_with("POST /prom/api/v1/query HTTP/1.1"), "{}", asked.head);
    assert_eq!(query_of(asked), r#"e{app="shop", f="shop-auth:live", v=~"5|4"}"#);
    for (name, value) in [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", &format!("Bearer {SECRET}")),
        ("x-scope-orgid", "tenant"),
        ("x-key", SECRET),
    ] {
        assert_eq!(asked.header(name), Some(value), "{}", asked.head);
    }
    let link = reading.link.unwrap();
    let start = server.url("/prom/graph?g0.expr=e%7Bapp%3D%22shop%22%2C+");
    assert!(link.starts_with(&start) && link.ends_with("&g0.tab=0&g0.range_input=1h"), "{link}");
}

#[tokio::test]
async fn results_are_read_whatever_their_shape() {
    let series = |name: &str, value: &str| json!({"metric": {"__name__": "e", "i": name}, "value": [1, value]});
    for (reply, status, detail) in [
        (one("1e-05"), Quiet, "the result 0.00001 <= 5"),
        (one("+Inf"), Firing, "the result +Inf > 5"),
        (one("NaN"), Unknown, "the result is not a number, as 0/0 is not; missing data is unknown"),
        (success("scalar", &json!([1.5, "6"])), Firing, "the result 6 > 5"),
        (
            success("vector", &json!([series("a", "1"), series("b\u{7}", "9"), series("c", "8")])),
            Firing,
            r#"e{i="b\u{7}"} 9 > 5, 2 of 3 series in breach"#,
        ),
        (
            success("vector", &json!([])),
            Unknown,
            "the query gives nothing; missing data is unknown",
        ),
    ] {
        assert_eq!(reading_of(reply).await, (status, detail.to_owned()));
    }
}

#[tokio::test]
async fn a_warning_of_the_server_makes_a_quiet_alarm_unknown() {
    let body = json!({
        "status": "success", "warnings": ["store a is down\u{1b}[2J"], "infos": ["x"],
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]},
    });
    let (status, detail) = reading_of(Reply::new(200, body.to_string())).await;
    assert_eq!(status, Unknown);
    assert_eq!(detail, "the result 1 <= 5; the server warns: store a is down");
}

#[tokio::test]
async fn what_no_limit_can_be_held_against_is_an_error_that_says_what_to_write() {
    for (reply, words) in [
        (success("matrix", &json!([])), "the query gives a matrix, which no limit"),
        (success("string", &json!([1, "a"])), "write an instant query"),
        (
            success("vector", &json!([{"metric": {"__name__": "h"}, "histogram": [1, {}]}])),
            "the query gives a histogram for h: take a histogram_quantile() of it",
        ),
    ] {
        let (error, message) = error_of(reply).await;
        assert_eq!((error.code(), error.is_retryable()), (answer::QUERY, false));
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn refusals_are_in_the_servers_own_words_and_say_whether_to_ask_again() {
    let refusal = |status, kind: &str| {
        let body = json!({"status": "error", "errorType": kind, "error": "1:2: parse error\u{7}"});
        Reply::new(status, body.to_string())
    };
    for (reply, code, is_retryable, message) in [
        (
            refusal(400, "bad_data"),
            answer::QUERY,
            false,
            "URL refused the query with bad_data: 1:2: parse error (HTTP 400)",
        ),
        (
            refusal(422, "execution"),
            answer::QUERY,
            false,
            "URL refused the query with execution: 1:2: parse error (HTTP 422)",
        ),
        (
            refusal(503, "timeout"),
            answer::UNAVAILABLE,
            true,
            "URL refused the query with timeout: 1:2: parse error (HTTP 503)",
        ),
        (
            Reply::new(401, "Unauthorized\n"),
            answer::DENIED,
            false,
            "URL answered 401: Unauthorized; `bearer_token_env` or `headers_from_env` name who asks",
        ),
        (Reply::new(429, ""), answer::UNAVAILABLE, true, "URL answered 429"),
        (
            Reply::new(502, "<html>\nbad gateway"),
            answer::UNAVAILABLE,
            true,
            "URL answered 502: <html> bad gateway",
        ),
        (
            Reply::new(404, "no page"),
            answer::GARBLED,
            false,
            "URL answered 404: no page; is `url` the base address of a Prometheus server?",
        ),
        (
            Reply::new(200, "{}"),
            answer::GARBLED,
            false,
            "URL answered 200: {}; is `url` the base address of a Prometheus server?",
        ),
        (one("many"), answer::GARBLED, false, "the server gives `many` as a value"),
    ] {
        let (error, words) = error_of(reply).await;
        assert_eq!((error.code(), error.is_retryable()), (code, is_retryable), "{words}");
        assert_eq!(words, message);
    }
}

#[tokio::test]
async fn a_result_without_end_is_neither_held_nor_believed() {
    let (error, words) = error_of(Reply::endless("{\"status\": \"success\"}")).await;
    assert_eq!(error.code(), answer::QUERY);
    assert!(words.contains("more than 1048576 bytes; aggregate"), "{words}");
}

#[tokio::test]
async fn a_token_is_in_no_text_even_if_the_server_sends_it_back() {
    let server = Server::start(|asked| {
        let body = json!({"status": "error", "errorType": "bad_data", "error": asked.head});
        Reply::new(400, body.to_string())
    })
    .await;
    let config =
        json!({"url": server.url(""), "query": "q", "max": 5, "bearer_token_env": VARIABLE});
    let error = read(vec![query("k", config)]).await.unwrap_err();
    assert!(error.message().contains("authorization: ***"), "{error}");
    assert!(!error.message().contains(SECRET), "{error}");
}

#[tokio::test]
async fn a_variable_that_is_not_set_is_named_and_nothing_is_asked() {
    let server = Server::start(|_| one("1")).await;
    let config =
        json!({"url": server.url(""), "query": "q", "max": 5, "bearer_token_env": "WG_NOT_SET"});
    let error = read(vec![query("k", config)]).await.unwrap_err();
    assert_eq!(error.message(), "the environment variable `WG_NOT_SET` is not set");
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn equal_queries_of_one_call_are_one_request() {
    let server = Server::start(|_| one("3")).await;
    let asking =
        |promql: &str, max: u32| json!({"url": server.url(""), "query": promql, "max": max});
    let queries = (0..40)
        .map(|n| {
            query(&format!("k{n}"), asking(if n % 2 == 0 { "a" } else { "b{f=\"$function\"}" }, n))
        })
        .collect();
    let readings = read(queries).await.unwrap();
    for (n, reading) in readings.iter().enumerate() {
        assert_eq!(reading.key, format!("k{n}"));
        assert_eq!(reading.status, if n < 3 { Firing } else { Quiet });
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_measure_of_the_candidate_waits_for_its_traffic() {
    let server = Server::start(|_| one("7")).await;
    let asking = |promql: &str| json!({"url": server.url(""), "query": promql, "max": 5});
    let mut snapshot = query("snapshot", asking("a{v=\"$candidate\"}"));
    snapshot.look = Look::Snapshot;
    snapshot.subject.candidate = None;
    let mut early = query("early", asking("a{v=\"$candidate\"}"));
    early.since_ms = None;
    let mut alone = query("alone", asking("a{v=\"$stable\"}"));
    alone.subject.stable = None;
    let readings = read(vec![snapshot.clone(), early, alone]).await.unwrap();
    let told: Vec<_> = readings.iter().map(|r| (r.status, r.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            (Quiet, "measured on the candidate only"),
            (Quiet, "the candidate has had no traffic yet"),
            (Unknown, "there is no stable version; missing data is unknown"),
        ]
    );
    // Before the start it is asked in the name of the stable version, for whether it can be.
    let asked: Vec<_> = server.asked().iter().map(query_of).collect();
    assert_eq!(asked, ["a{v=\"4\"}"]);
    // Red before the start is told of what does not depend on the candidate.
    snapshot.config = asking("a{app=\"$app\"}");
    assert_eq!(read(vec![snapshot]).await.unwrap()[0].status, Firing);
}

#[tokio::test]
async fn one_query_that_fails_blinds_nobody_else_but_stops_a_release_before_it_starts() {
    let server = Server::start(|asked| match query_of(asked).as_str() {
        "bad" => Reply::new(400, r#"{"status": "error", "errorType": "bad_data", "error": "no"}"#),
        _ => one("7"),
    })
    .await;
    let asking = |promql: &str| json!({"url": server.url(""), "query": promql, "max": 5});
    let watched = vec![query("bad", asking("bad")), query("good", asking("good"))];
    let readings = read(watched.clone()).await.unwrap();
    assert_eq!((readings[0].status, readings[1].status), (Unknown, Firing));
    assert!(readings[0].detail.contains("bad_data: no"), "{:?}", readings[0]);
    let mut before = watched;
    before[0].look = Look::Snapshot;
    let error = read(before).await.unwrap_err();
    assert_eq!(error.code(), answer::QUERY);
}

#[tokio::test]
async fn a_measure_of_the_candidate_that_cannot_be_asked_stops_a_release_before_it_starts() {
    let server = Server::start(|asked| match query_of(asked).as_str() {
        "bad{s=\"0\", c=\"0\"}" => Reply::new(400, r#"{"status": "error", "error": "no"}"#),
        "whole{c=\"4\"}" => success("matrix", &json!([])),
        query => panic!("{query}"),
    })
    .await;
    let asking = |promql: &str, extra: Value| {
        let mut config = json!({"url": server.url(""), "query": promql, "max": 5});
        config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let mut query = query("k", config);
        query.look = Look::Snapshot;
        query.subject.candidate = None;
        query
    };
    let mut first_release = asking("bad{s=\"$stable\", c=\"$candidate\"}", json!({}));
    first_release.subject.stable = None;
    let without_token = json!({"bearer_token_env": "WG_NOT_SET"});
    for (query, code) in [
        (first_release, answer::QUERY),
        (asking("whole{c=\"$candidate\"}", json!({})), answer::QUERY),
        (asking("a{c=\"$candidate\"}", without_token), http::VARIABLE),
        (asking("a{c=\"$candidate\"}", json!({"url": closed_url().await})), http::UNREACHABLE),
    ] {
        assert_eq!(read(vec![query]).await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_hides_no_firing_alarm_of_others() {
    let hangs = Server::start(|_| Reply::silent()).await;
    let answers = Server::start(|_| one("7")).await;
    let asking =
        |server: &Server, promql: &str| json!({"url": server.url(""), "query": promql, "max": 5});
    // Three rounds of requests: later ones are not even sent before the call must end.
    let mut queries: Vec<_> = (0..3 * MAX_AT_ONCE)
        .map(|n| query(&format!("slow{n}"), asking(&hangs, &format!("q{n}"))))
        .collect();
    queries.push(query("red", asking(&answers, "q")));
    let cx = CallContext::new(Duration::from_secs(1), "k");
    let readings = PROVIDER.read(&cx, queries.clone()).await.unwrap();
    let (red, late) = readings.split_last().unwrap();
    assert_eq!((red.key.as_str(), red.status), ("red", Firing));
    for reading in late {
        assert_eq!(reading.status, Unknown);
        let start = format!("{} did not answer", hangs.url(""));
        assert!(reading.detail.starts_with(&start), "{}", reading.detail);
    }
    // Alone it is an error of the server, not of the plugin.
    let error = PROVIDER.read(&cx, queries[..1].to_vec()).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (http::TIMEOUT, true));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_may_pass() {
    let url = closed_url().await;
    let config = json!({"url": url, "query": "q", "max": 5});
    let error = read(vec![query("k", config)]).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (http::UNREACHABLE, true));
    assert!(error.message().starts_with(&format!("{url} cannot be reached")), "{error}");
}
