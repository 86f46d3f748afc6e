//! The one S3 call.

use wavegate_engine::ports::{Cloud, CloudError, FaultKind};

use crate::server::{Answer, Server};
use crate::{cloud, cloud_with, impatient};

/// More than any buffer on the way, so that the body is really streamed.
const SIZE: usize = 3 << 20;

fn package() -> (tempfile::NamedTempFile, Vec<u8>) {
    let bytes: Vec<u8> = (0_u8..=250).cycle().take(SIZE).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    (file, bytes)
}

#[tokio::test]
async fn a_package_is_put_whole_signed_and_hashed() {
    let server = Server::start([Answer::raw(200, Vec::new()).header("etag", "\"1\"")]).await;
    let (file, bytes) = package();
    cloud(&server.url).await.put_artifact("b-1", "shop/a b.zip", file.path()).await.unwrap();
    let request = server.request();
    assert_eq!(request.line, "PUT /b-1/shop/a%20b.zip HTTP/1.1");
    assert!(request.body == bytes, "the body differs");
    assert_eq!(request.header("content-length"), Some(SIZE.to_string().as_str()));
    assert_eq!(request.header("x-amz-content-sha256").unwrap().len(), 64);
    let authorization = request.header("authorization").unwrap();
    assert!(authorization.contains("/eu-west-1/s3/aws4_request"), "{authorization}");
}

async fn failure(answer: Answer) -> CloudError {
    let server = Server::start([answer]).await;
    let (file, _) = package();
    let cloud = cloud_with(&server.url, impatient()).await;
    cloud.put_artifact("b-1", "k", file.path()).await.unwrap_err()
}

#[tokio::test]
async fn every_answer_of_s3_has_its_kind() {
    let error = |status, code: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>words</Message></Error>");
        Answer::raw(status, body.into_bytes())
    };
    for (answer, kind) in [
        (error(404, "NoSuchBucket"), FaultKind::NotFound),
        (error(403, "AccessDenied"), FaultKind::Denied),
        (error(403, "SignatureDoesNotMatch"), FaultKind::Credentials),
        (error(400, "ExpiredToken"), FaultKind::Credentials),
        (error(400, "EntityTooLarge"), FaultKind::TooLarge),
        (error(400, "XAmzContentSHA256Mismatch"), FaultKind::Invalid),
        (error(503, "SlowDown"), FaultKind::Throttled),
        (error(500, "InternalError"), FaultKind::Unknown),
        (error(301, "PermanentRedirect"), FaultKind::Unknown),
        (Answer::raw(200, Vec::new()), FaultKind::Unknown),
        (Answer::raw(200, b"<html>".to_vec()).header("etag", "1"), FaultKind::Unknown),
        (Answer::cut(), FaultKind::Unknown),
        (Answer::never(), FaultKind::Unknown),
    ] {
        let error = failure(answer).await;
        assert_eq!((error.kind, error.operation), (kind, "PutObject"), "{error}");
    }
}

#[tokio::test]
async fn a_bucket_cannot_name_another_host() {
    let server = Server::start([]).await;
    let (file, _) = package();
    let cloud = cloud(&server.url).await;
    for bucket in ["evil.example/x", "user@evil", "..", "b?x"] {
        let error = cloud.put_artifact(bucket, "k", file.path()).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::Invalid, "{bucket}");
    }
    assert!(server.requests().is_empty());
}
