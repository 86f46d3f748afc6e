//! Code that is fetched from where `GetFunction` says that it is.

use wavegate_core::name::VersionId;
use wavegate_engine::ports::{CloudError, Existing as _, FaultKind, FetchedCode};

use crate::server::{Answer, Server};
use crate::{cloud, cloud_with, function, impatient};

/// `GetFunction` of a function whose code is at `location`.
fn shown(location: &str) -> Answer {
    let body = serde_json::json!({
        "Configuration": { "FunctionArn": "arn:aws:lambda:eu-west-1:1:function:shop:7", "Version": "7" },
        "Code": { "RepositoryType": "S3", "Location": location },
    });
    Answer::json(200, &body.to_string())
}

/// Fetches from a server of its own; what is written, and what became of it.
async fn fetched(answer: Answer) -> (Vec<u8>, Result<Option<FetchedCode>, CloudError>) {
    let code = Server::start([answer]).await;
    let lambda = Server::start([shown(&format!("{}/code?X-Amz-Signature=s3cret", code.url))]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "of an earlier try").unwrap();
    let cloud = cloud_with(&lambda.url, impatient()).await;
    let outcome = cloud.fetch_code(&function(), Some(VersionId(7)), file.path()).await;
    (std::fs::read(file.path()).unwrap(), outcome)
}

#[tokio::test]
async fn code_is_written_whole_and_hashed_and_asked_for_without_credentials() {
    let bytes: Vec<u8> = (0_u8..=250).cycle().take(3 << 20).collect();
    let code = Server::start([Answer::raw(200, bytes.clone())]).await;
    let lambda = Server::start([shown(&format!("{}/code?X-Amz-Signature=s3cret", code.url))]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let cloud = cloud(&lambda.url).await;
    let fetched = cloud.fetch_code(&function(), Some(VersionId(7)), file.path()).await.unwrap();
    assert!(std::fs::read(file.path()).unwrap() == bytes, "the code differs");
    assert_eq!(fetched.unwrap().bytes, bytes.len() as u64);
    assert!(lambda.request().line.ends_with("/functions/shop?Qualifier=7 HTTP/1.1"));
    let request = code.request();
    assert_eq!(request.line, "GET /code?X-Amz-Signature=s3cret HTTP/1.1");
    assert_eq!((request.header("authorization"), request.header("x-amz-date")), (None, None));
}

#[tokio::test]
async fn what_an_earlier_try_left_is_written_over() {
    let (written, outcome) = fetched(Answer::raw(200, b"abc".to_vec())).await;
    assert_eq!(written, b"abc");
    let expected = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    assert_eq!(outcome.unwrap().unwrap().code_sha256, expected);
}

#[tokio::test]
async fn code_that_does_not_come_whole_is_no_code_and_nobody_is_told_where_it_was() {
    let refused = |status, code: &str| {
        Answer::raw(status, format!("<Error><Code>{code}</Code></Error>").into_bytes())
    };
    for (answer, kind) in [
        (Answer::raw(200, b"abc".to_vec()).short(), FaultKind::Unknown),
        (Answer::cut(), FaultKind::Unknown),
        (Answer::never(), FaultKind::Unknown),
        (refused(403, "AccessDenied"), FaultKind::Denied),
        (refused(503, "SlowDown"), FaultKind::Throttled),
        (refused(301, "PermanentRedirect"), FaultKind::Unknown),
        (Answer::raw(204, Vec::new()), FaultKind::Unknown),
    ] {
        let error = fetched(answer).await.1.unwrap_err();
        assert_eq!((error.kind, error.operation), (kind, "GetObject"), "{error}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn the_local_clouds_code_is_fetched_from_this_machine_alone() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for location in [
        "https://bucket.s3.eu-west-1.amazonaws.com/code?s3cret",
        "http://127.0.0.1.example.com/code?s3cret",
        "file:///etc/passwd",
        "s3cret",
    ] {
        let lambda = Server::start([shown(location)]).await;
        let cloud = cloud(&lambda.url).await;
        let error = cloud.fetch_code(&function(), None, file.path()).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::Invalid, "{location}: {error}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn a_function_that_is_gone_has_no_code() {
    let gone = Answer::lambda_error(404, "ResourceNotFoundException", "no");
    let lambda = Server::start([gone]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let outcome = cloud(&lambda.url).await.fetch_code(&function(), None, file.path()).await;
    assert_eq!(outcome, Ok(None));
}
