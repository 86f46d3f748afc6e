//! S3 over the wire: contents as they come and go, and code by its version.

use hyper::body::Bytes;
use serde_json::json;

use crate::support::{Client, ROLE, package, start};

/// More than any buffer on the way.
fn content() -> Bytes {
    (0..3_000_017_u32).map(|index| (index % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_come_and_go_as_they_are_under_every_host() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let port = cloud.url().rsplit_once(':').unwrap().1;
    let hosts = [format!("box.localhost:{port}"), format!("box.s3.us-east-1.localhost:{port}")];
    assert_eq!(client.send("PUT", "/box", &[], "").await.status, 200);
    let put = client.send("PUT", "/a%20b", &[("host", &hosts[0])], content()).await;
    assert_eq!(put.status, 200);
    assert_eq!(put.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    let got = client.send("GET", "/a%20b", &[("host", &hosts[1])], "").await;
    assert_eq!((got.header("etag"), got.body.len()), (put.header("etag"), content().len()));
    assert!(got.body == content());
    let range = [("range", "bytes=1000000-2000000")];
    let piece = client.send("GET", "/box/a%20b", &range, "").await;
    assert_eq!((piece.status, piece.body == content()[1_000_000..=2_000_000]), (206, true));
    let head = client.send("HEAD", "/box/a%20b", &[], "").await;
    assert_eq!((head.header("content-length"), head.body.len()), (Some("3000017"), 0));
    let chunks = [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "3"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let body = "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n";
    assert_eq!(client.send("PUT", "/box/c", &chunks, body).await.status, 200);
    assert_eq!(client.send("GET", "/box/c", &[], "").await.body, "abc");
    let wrong = body.replace("abc", "abd");
    assert_eq!(client.send("PUT", "/box/c", &chunks, wrong).await.status, 400);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_content_leaves_the_connection_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let refused = client.send("PUT", "/nowhere/k", &[], content()).await;
    let words = String::from_utf8(refused.body.to_vec()).unwrap();
    assert!(refused.status == 404 && words.contains("<Code>NoSuchBucket</Code>"), "{words}");
    assert_eq!(client.send("PUT", "/box", &[], "").await.status, 200);
    // Who waits to be asked for the content has not sent it, and must not send it on this connection.
    let waiting = [("expect", "100-continue"), ("content-md5", "nonsense")];
    let refused = client.send("PUT", "/box/k", &waiting, content()).await;
    assert_eq!((refused.status, refused.header("connection")), (400, Some("close")));
    let left = std::fs::read_dir(directory.path().join("objects/box")).unwrap().count();
    assert_eq!(left, 0);
    cloud.shutdown().await;
}

async fn put_package(client: &mut Client, code: &str) -> String {
    let zip = package(&[("app.py", code)]);
    let put = client.send("PUT", "/box/fn.zip", &[], zip).await;
    put.header("x-amz-version-id").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_runs_the_version_of_its_code_that_was_named() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.send("PUT", "/box", &[], "").await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(client.send("PUT", "/box?versioning", &[], enabled).await.status, 200);
    let one = put_package(&mut client, "def handler(event, context): return 1").await;
    let two = put_package(&mut client, "def handler(event, context): return 2").await;
    let code = |id: &str| json!({ "S3Bucket": "box", "S3Key": "fn.zip", "S3ObjectVersion": id });
    let input = json!({
        "FunctionName": "fn", "Runtime": "python3.13", "Role": ROLE, "Handler": "app.handler",
        "Code": code(&one),
    });
    assert_eq!(client.call("POST", "", input).await.status, 201);
    client.settled("fn").await;
    assert_eq!(client.invoke("fn", json!({})).await.body, "1");
    assert_eq!(client.call("PUT", "/fn/code", code(&two)).await.status, 200);
    client.settled("fn").await;
    assert_eq!(client.invoke("fn", json!({})).await.body, "2");
    client.send("DELETE", &format!("/box/fn.zip?versionId={one}"), &[], "").await;
    let (status, _, message) = client.call("PUT", "/fn/code", code(&one)).await.error();
    assert_eq!(status, 400);
    assert!(message.contains("S3 Error Code: NoSuchVersion"), "{message}");
    cloud.shutdown().await;
}
