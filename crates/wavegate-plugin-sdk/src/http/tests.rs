//! Laws of requests and answers, against real servers on loopback.

use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::testing::{Reply, Server};
use super::*;

fn post(url: &str) -> Post {
    Post::json(url.parse().unwrap(), b"{\"n\":1}".to_vec())
}

async fn answer_to(reply: Reply) -> Result<Answer, PluginError> {
    let server = Server::start(move |_| reply.clone()).await;
    post(&server.url("/hook")).send().await
}

/// A port on which nobody listens.
async fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_request_says_what_it_carries_and_who_sends_it() {
    let server = Server::start(|_| Reply::new(200, "ok")).await;
    let mut headers = Headers::default();
    headers.insert("X-Team", "shop").unwrap();
    let answer = post(&server.url("/a?b=c")).with_headers(headers).send().await.unwrap();
    assert_eq!((answer.status(), answer.body(), answer.is_cut()), (200, &b"ok"[..], false));
    let asked = &server.asked()[0];
    assert!(asked.head.starts_with("POST /a?b=c HTTP/1.1"), "{}", asked.head);
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("user-agent"), Some(USER_AGENT));
    assert_eq!(asked.header("x-team"), Some("shop"));
    assert_eq!(asked.body, "{\"n\":1}");
}

#[tokio::test]
async fn a_form_is_escaped() {
    let server = Server::start(|_| Reply::new(200, "")).await;
    let address: Address = server.url("").parse().unwrap();
    Post::form(address, &[("query", "a{b=\"c\"} + 1 > 2&x")]).send().await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked.body, "query=a%7Bb%3D%22c%22%7D+%2B+1+%3E+2%26x");
}

#[tokio::test]
async fn an_answer_without_end_is_held_up_to_the_limit_and_then_left() {
    let server = Server::start(|_| Reply::endless("all work and no play")).await;
    let answer = post(&server.url("")).with_limit(1_000).send().await.unwrap();
    assert_eq!((answer.body().len(), answer.is_cut()), (1_000, true));
    let shown = answer.last_lines(2, 100);
    assert_eq!(
        shown,
        "all work and no play\nall work and no play\n(more than 1000 bytes: not read to the end)"
    );
    let whole = answer_to(Reply::new(200, "x".repeat(DEFAULT_LIMIT))).await.unwrap();
    assert_eq!((whole.body().len(), whole.is_cut()), (DEFAULT_LIMIT, false));
}

#[tokio::test]
async fn a_secret_that_the_server_sends_back_is_blotted_out() {
    let server = Server::start(|asked| {
        let token = asked.header("x-token").unwrap();
        let (head, tail) = token.split_at(3);
        Reply::new(500, format!("you sent {token}\nand {head}\u{1b}[0m{tail}\u{7}"))
    })
    .await;
    let mut headers = Headers::default();
    headers.insert_secret("X-Token", "Bearer hunter2-hunter2").unwrap();
    let answer = post(&server.url("")).with_headers(headers).send().await.unwrap();
    assert_eq!(answer.last_lines(5, 100), "you sent ***\nand ***");
    assert_eq!(answer.redacted("only hunter2-hunter2"), "only ***");
}

#[tokio::test]
async fn what_may_come_from_the_environment_is_blotted_out_wherever_it_was_written() {
    let server = Server::start(|asked| {
        let key = asked.header("x-api-key").unwrap();
        Reply::new(404, format!("Cannot POST {} key={key}\nno such tok-hunter2", asked.target()))
    })
    .await;
    let written = BTreeMap::from([("X-Api-Key".to_owned(), "key-hunter2".to_owned())]);
    let headers = Headers::read(&written, &BTreeMap::new()).unwrap();
    let url = server.url("/services/tok-hunter2?sig=a%20hunter2");
    let answer = post(&url).with_headers(headers).send().await.unwrap();
    assert_eq!(answer.last_lines(5, 100), "Cannot POST *** key=***\nno such ***");
    assert_eq!(answer.redacted("sig: a hunter2"), "sig: ***");
}

#[tokio::test]
async fn a_body_that_breaks_off_takes_nothing_from_a_status_that_counts_alone() {
    // One piece of ten bytes, and then no end.
    let reply = Reply::new(200, "a\r\nall fine\nx\r\n").with("Transfer-Encoding", "chunked");
    let server = Server::start(move |_| reply.clone()).await;
    let answer = post(&server.url("")).by_status().send().await.unwrap();
    assert_eq!(answer.last_lines(5, 100), "all fine\n(the end did not come)");
    assert_eq!(post(&server.url("")).send().await.unwrap_err().code(), BROKEN);
}

#[tokio::test]
async fn a_body_that_never_ends_takes_nothing_from_a_status_that_counts_alone() {
    let server = Server::start(|_| Reply::stuck(200, "all fine\nhalf a sec")).await;
    let answer = post(&server.url("")).by_status().send().await.unwrap();
    assert_eq!((answer.status(), answer.is_cut()), (200, false));
    assert_eq!(answer.last_lines(5, 100), "all fine\n(the end did not come)");
    let late = post(&server.url("")).with_timeout(Duration::from_millis(100)).send().await;
    assert_eq!(late.unwrap_err().code(), TIMEOUT);
}

#[test]
fn what_is_kept_from_servers_is_enough_to_answer_and_no_more() {
    for (deadline_ms, within_ms) in [(10_000, 9_000), (60_000, 59_000), (300, 270), (0, 0)] {
        let within = within(Duration::from_millis(deadline_ms));
        assert_eq!(within, Duration::from_millis(within_ms));
    }
}

#[tokio::test]
async fn the_server_says_how_long_to_wait_in_seconds_or_by_its_own_clock() {
    let now = "Tue, 15 Nov 1994 08:12:31 GMT";
    for (after, date, wait_s) in [
        ("120", None, Some(120)),
        ("0", None, Some(0)),
        ("Tue, 15 Nov 1994 08:13:31 GMT", Some(now), Some(60)),
        ("Tue, 15 Nov 1994 08:12:00 GMT", Some(now), Some(0)),
        ("Tue, 15 Nov 1994 08:13:31 GMT", None, None),
        ("soon", Some(now), None),
        ("-5", Some(now), None),
        ("1.5", Some(now), None),
    ] {
        let mut reply = Reply::new(202, "").with("Retry-After", after);
        if let Some(date) = date {
            reply = reply.with("Date", date);
        }
        let answer = answer_to(reply).await.unwrap();
        assert_eq!(answer.retry_after(), wait_s.map(Duration::from_secs), "{after} {date:?}");
    }
}

#[tokio::test]
async fn a_redirect_within_the_origin_keeps_the_request_as_it_is() {
    for status in [307, 308] {
        let server = Server::start(move |asked| match asked.target() {
            "/new" => Reply::new(200, "here"),
            _ => Reply::new(status, "").with("Location", "/new"),
        })
        .await;
        let mut headers = Headers::default();
        headers.insert_secret("X-Token", "hunter2").unwrap();
        let answer = post(&server.url("/old")).with_headers(headers).send().await.unwrap();
        assert_eq!(answer.body(), b"here");
        let asked = server.asked();
        assert_eq!(asked.len(), 2);
        assert!(asked[1].head.starts_with("POST /new "), "{}", asked[1].head);
        assert_eq!(asked[1].header("x-token"), Some("hunter2"));
        assert_eq!(asked[1].body, asked[0].body);
    }
}

#[tokio::test]
async fn any_other_redirect_is_an_error_that_names_the_target() {
    let other = Server::start(|_| Reply::new(200, "taken in")).await;
    let elsewhere = other.url("/steal?t=1");
    for (status, location, words) in [
        (307, elsewhere.as_str(), format!("redirects to {}, and", other.url(""))),
        (302, "/login", "redirects with 302, which does not keep the request".to_owned()),
        (307, "/again", "redirects more than 3 times in a row".to_owned()),
    ] {
        let reply = Reply::new(status, "").with("Location", location);
        let error = answer_to(reply).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (REDIRECT, false));
        assert!(error.message().contains(&words), "{error}");
    }
    assert_eq!(other.asked(), []);
}

#[tokio::test]
async fn what_waiting_may_mend_is_retryable() {
    let nobody = format!("http://127.0.0.1:{}/hook?key=hunter2", closed_port().await);
    let refused = post(&nobody).send().await.unwrap_err();
    assert_eq!((refused.code(), refused.is_retryable()), (UNREACHABLE, true), "{refused}");
    assert!(refused.message().contains("refused"), "{refused}");
    assert!(!refused.message().contains("hunter2"), "{refused}");

    let broken = answer_to(Reply::hang_up()).await.unwrap_err();
    assert_eq!((broken.code(), broken.is_retryable()), (BROKEN, true), "{broken}");

    let server = Server::start(|_| Reply::silent()).await;
    let post = post(&server.url("")).with_timeout(Duration::from_millis(100));
    let late = post.send().await.unwrap_err();
    assert_eq!((late.code(), late.is_retryable()), (TIMEOUT, true), "{late}");
}

#[tokio::test]
async fn a_certificate_that_nobody_signed_is_refused_in_clear_words() {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap_err()
    };
    let (answer, _) = tokio::join!(post(&url).send(), serve);
    let error = answer.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (TLS, false));
    assert_eq!(
        error.message(),
        format!(
            "{url} cannot be trusted: no authority that this machine knows has signed its \
             certificate"
        )
    );
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_from_one_that_cannot_be_trusted() {
    let server = Server::start(|_| Reply::new(200, "plain")).await;
    let url = server.url("").replace("http:", "https:");
    let error = post(&url).send().await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (TLS, false), "{error}");
    assert!(error.message().contains("does not speak TLS"), "{error}");
}

#[test]
fn clients_are_built_once_for_each_way() {
    let ways: Vec<Way> = ["https://a.example", "http://a.example", "https://[::1]", "http://[::1]"]
        .iter()
        .map(|url| Way::to(&url.parse().unwrap()))
        .collect();
    for way in ways.iter().chain(&ways) {
        assert!(client(*way).is_ok());
    }
    assert_eq!(CLIENTS.lock().unwrap().len(), ways.len());
}
