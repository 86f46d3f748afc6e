//! Who may speak to the cloud, byte by byte: web pages, other hosts, other users, and those who take
//! their time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use wavegate_local::LocalCloud;

use crate::support::{options, start};

/// Longer than any answer takes; the tests wait for it only if they fail.
const LIMIT: Duration = Duration::from_secs(50);

fn address(cloud: &LocalCloud) -> String {
    cloud.url().strip_prefix("http://").unwrap().to_owned()
}

/// The answer to these bytes, or nothing if the connection is closed without one.
fn said(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // The cloud may stop reading before all of it is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_another_host_is_misdirected_on_every_path() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, _client) = start(directory.path()).await;
    let own = address(&cloud);
    let port = own.rsplit_once(':').unwrap().1.to_owned();
    let rest = "connection: close\r\ncontent-length: 0\r\n\r\n";
    for path in ["/_wavegate/status", "/2015-03-31/functions", "/bucket/key", "/", "/nowhere"] {
        for head in [
            format!("GET {path} HTTP/1.1\r\nhost: evil.example:{port}\r\n"),
            format!("GET {path} HTTP/1.1\r\nhost: localhost.:{port}\r\n"),
            format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:1\r\n"),
            format!("GET {path} HTTP/1.1\r\nhost: [::ffff:127.0.0.1]:{port}\r\n"),
            format!("GET {path} HTTP/1.1\r\nhost: {own}\r\nhost: {own}\r\n"),
            format!("GET {path} HTTP/1.1\r\n"),
            format!("GET http://evil.example{path} HTTP/1.1\r\nhost: {own}\r\n"),
        ] {
            let answer = said(&own, format!("{head}{rest}").as_bytes());
            assert!(matches!(status(&answer), "421" | "400"), "{head}{answer}");
        }
        for mark in ["origin: null", "origin: https://evil.example", "sec-fetch-site: cross-site"] {
            let head = format!("POST {path} HTTP/1.1\r\nhost: {own}\r\n{mark}\r\n");
            let answer = said(&own, format!("{head}{rest}").as_bytes());
            assert_eq!(status(&answer), "403", "{head}{answer}");
            assert!(!answer.to_ascii_lowercase().contains("access-control-"), "{answer}");
        }
    }
    let head = format!("GET /_wavegate/status HTTP/1.1\r\nhost: localhost:{port}\r\n");
    assert_eq!(status(&said(&own, format!("{head}{rest}").as_bytes())), "200");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_long_or_never_ends_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, _client) = start(directory.path()).await;
    let own = address(&cloud);
    let long = format!(
        "GET /_wavegate/status HTTP/1.1\r\nhost: {own}\r\nx: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let answer = said(&own, long.as_bytes());
    assert!(matches!(status(&answer), "431" | "closed"), "{answer}");
    let many =
        format!("GET /_wavegate/status HTTP/1.1\r\nhost: {own}\r\n{}\r\n", "x: y\r\n".repeat(500));
    assert_eq!(status(&said(&own, many.as_bytes())), "431");
    // Half a head, and then nothing: the cloud hangs up before the limit of this test.
    let half = format!("GET /_wavegate/status HTTP/1.1\r\nhost: {own}\r\nx-half: ");
    let answer = said(&own, half.as_bytes());
    assert!(matches!(status(&answer), "408" | "closed"), "{answer}");
    // A body that is announced as far too long is not even waited for.
    let huge = format!(
        "POST /2015-03-31/functions/f/aliases HTTP/1.1\r\nhost: {own}\r\ncontent-length: \
         99999999999\r\nconnection: close\r\n\r\n{}",
        "x".repeat(2 << 20)
    );
    let answer = said(&own, huge.as_bytes());
    assert!(matches!(status(&answer), "413" | "closed"), "{answer}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_keep_others_out() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, _client) = start(directory.path()).await;
    let own = address(&cloud);
    let idle: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(&own).unwrap()).collect();
    let request =
        format!("GET /_wavegate/status HTTP/1.1\r\nhost: {own}\r\nconnection: close\r\n\r\n");
    assert_eq!(status(&said(&own, request.as_bytes())), "200");
    drop(idle);
    cloud.shutdown().await;
}

/// Speaks to a port as another user; whether anything was answered. The request is sent, and the
/// connection closed at once, to see whether it is acted upon all the same.
const STRANGER: &str = r#"
import socket, sys
host, port = sys.argv[1].split(":")
request = sys.argv[2].encode().decode("unicode_escape").encode()
s = socket.create_connection((host, int(port)))
s.sendall(request)
if sys.argv[3] == "run":
    s.close()
else:
    s.settimeout(20)
    try:
        print(s.recv(100000).decode(errors="replace"))
    except OSError as error:
        print("closed:", type(error).__name__)
"#;

fn as_stranger(address: &str, request: &str, manner: &str) -> String {
    let output = Command::new("/usr/bin/env")
        .args(["python3", "-c", STRANGER, address, request, manner])
        .uid(65_534)
        .gid(65_534)
        .current_dir("/")
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Whether this test can be somebody else: it takes root, and Linux's table of sockets.
fn can_be_somebody_else() -> bool {
    let can = nix::unistd::geteuid().is_root()
        && Path::new("/proc/net/tcp").exists()
        && Command::new("/usr/bin/env")
            .args(["python3", "-c", ""])
            .uid(65_534)
            .current_dir("/")
            .status()
            .is_ok_and(|status| status.success());
    if !can {
        let words = "skipped: this takes root, who alone can be another user\n";
        let _ = std::io::stderr().write_all(words.as_bytes());
    }
    can
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_of_the_machine_reaches_neither_the_cloud_nor_a_functions_runtime_api() {
    if !can_be_somebody_else() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let own = address(&cloud);
    let get = format!("GET /_wavegate/status HTTP/1.1\\r\\nhost: {own}\\r\\n\\r\\n");
    let answer = as_stranger(&own, &get, "wait");
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("another user's"), "{answer}");
    as_stranger(&own, &get, "run");
    let put =
        format!("PUT /stolen-bucket HTTP/1.1\\r\\nhost: {own}\\r\\ncontent-length: 0\\r\\n\\r\\n");
    as_stranger(&own, &put, "run");
    let code =
        "import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_RUNTIME_API']";
    client.create("fn", "python3.13", &[("app.py", code)]).await;
    let api = client.invoke("fn", serde_json::json!({})).await.json();
    let api = api.as_str().unwrap();
    let next =
        format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nhost: {api}\\r\\n\\r\\n");
    let answer = as_stranger(api, &next, "wait");
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
    // What was sent and left behind was not done either: the owner's next requests came after it.
    assert_eq!(client.send("HEAD", "/stolen-bucket", &[], "").await.status, 404);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cloud_keeps_is_for_its_owner_whatever_the_umask() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let cloud = LocalCloud::start(options(&state)).await.unwrap();
    let mut client = crate::support::Client::connect(cloud.url()).await;
    client.create("fn", "python3.13", &[("app.py", "def handler(event, context): return 1")]).await;
    assert_eq!(client.invoke("fn", serde_json::json!({})).await.status, 200);
    client.send("PUT", "/bucket", &[], "").await;
    client.send("PUT", "/bucket/key", &[], "x").await;
    let found = open_to_others(&state);
    cloud.shutdown().await;
    nix::sys::stat::umask(before);
    assert_eq!(found, Vec::<String>::new());
}

/// What others could read or write if they got there. Unpacked code has its own permissions, which
/// the code may depend on, in a directory where nobody else gets.
fn open_to_others(directory: &Path) -> Vec<String> {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let mut found = Vec::new();
    if mode(directory) != 0o700 {
        found.push(format!("{:o} {}", mode(directory), directory.display()));
    }
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_code = path.parent().is_some_and(|parent| parent.ends_with("code"));
        if path.is_dir() && is_code {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
        } else if path.is_dir() {
            found.extend(open_to_others(&path));
        } else if mode(&path) != 0o600 {
            found.push(format!("{:o} {}", mode(&path), path.display()));
        }
    }
    found
}
