//! Every kind of answer and every way to get none.

use std::time::Duration;

use wavegate_aws::{AwsCloud, ConnectError, Credentials, Settings};
use wavegate_core::name::VersionId;
use wavegate_engine::ports::{AliasUpdate, Cloud, CloudError, FaultKind};

use crate::server::{Answer, Server};
use crate::{alias, cloud, cloud_with, function, impatient};

/// What a promotion meets when the endpoint gives this answer.
async fn promotion(answer: Answer) -> CloudError {
    let server = Server::start([answer]).await;
    let update = AliasUpdate {
        base: "r1".to_owned(),
        routing: Some((VersionId(2), None)),
        description: "d".to_owned(),
    };
    let outcome = cloud_with(&server.url, impatient())
        .await
        .update_alias(&function(), &alias(), &update)
        .await;
    assert_eq!(server.requests().len(), 1, "the port repeated a write");
    outcome.unwrap_err()
}

#[tokio::test]
async fn every_answer_of_lambda_has_its_kind() {
    use FaultKind::{
        AlreadyExists, Credentials, Denied, Invalid, NotFound, Precondition, Throttled, TooLarge,
        Unknown, UpdateInProgress,
    };
    let table = [
        (404, "ResourceNotFoundException", "Alias not found: arn", NotFound),
        (409, "ResourceConflictException", "Alias already exists: arn", AlreadyExists),
        (
            409,
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for arn",
            UpdateInProgress,
        ),
        (
            409,
            "ResourceConflictException",
            "The function is currently in the following state: Pending",
            UpdateInProgress,
        ),
        (412, "PreconditionFailedException", "The Revision Id provided does not", Precondition),
        (
            400,
            "InvalidParameterValueException",
            "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (y).",
            Precondition,
        ),
        (429, "TooManyRequestsException", "Rate exceeded", Throttled),
        (400, "InvalidParameterValueException", "Request limit exceeded.", Throttled),
        (400, "ThrottlingException", "Rate exceeded", Throttled),
        (403, "AccessDeniedException", "is not authorized to perform", Denied),
        (403, "ExpiredTokenException", "The security token is expired", Credentials),
        (403, "UnrecognizedClientException", "The security token is invalid", Credentials),
        (403, "InvalidSignatureException", "The signature does not match", Credentials),
        (413, "RequestEntityTooLargeException", "Request must be smaller", TooLarge),
        (400, "CodeStorageExceededException", "Code storage limit exceeded.", TooLarge),
        (400, "ValidationException", "1 validation error detected", Invalid),
        (400, "InvalidParameterValueException", "Invalid function version 1.", Invalid),
        (500, "ServiceException", "An error occurred", Unknown),
        (503, "ServiceUnavailableException", "try again", Unknown),
    ];
    for (status, code, message, kind) in table {
        let error = promotion(Answer::lambda_error(status, code, message)).await;
        assert_eq!(error.kind, kind, "{status} {code} {message}");
        assert_eq!(error.code.as_deref(), Some(code));
        assert_eq!(error.message, message);
        assert_eq!(error.request_id.as_deref(), Some("req-1"));
        assert_eq!(error.operation, "UpdateAlias");
    }
}

#[tokio::test]
async fn a_service_says_how_long_to_wait() {
    let slow = || Answer::lambda_error(429, "TooManyRequestsException", "Rate exceeded");
    assert_eq!(promotion(slow()).await.retry_after, None);
    let error = promotion(slow().header("retry-after", "7")).await;
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_an_unknown_outcome() {
    let html = b"<!DOCTYPE html><html><body>Sign in</body></html>".to_vec();
    let whole = r#"{"Name":"live","FunctionVersion":"2","RevisionId":"r2"}"#;
    let table = [
        (Answer::raw(200, html.clone()).header("content-type", "text/html"), "HTML"),
        (Answer::raw(200, html.clone()), "HTML"),
        (Answer::raw(200, Vec::new()), "alias without Name"),
        (Answer::json(200, "{}"), "alias without Name"),
        (Answer::json(200, r#"{"Name":"live","FunctionVersion":"2"}"#), "without RevisionId"),
        (Answer::json(200, "{\"Name\":"), "cannot be read"),
        (Answer::json(200, "[1,2]"), "cannot be read"),
        (Answer::json(200, whole).short(), ""),
        (Answer::json(200, &format!("{whole}{}", " ".repeat(9 << 20))), "longer than 8 MiB"),
        (Answer::raw(503, html.clone()).header("content-type", "text/html"), "HTTP 503"),
        (Answer::raw(502, Vec::new()), "HTTP 502"),
        (Answer::cut(), ""),
        (Answer::never(), "deadline"),
    ];
    for (answer, words) in table {
        let error = promotion(answer).await;
        assert_eq!(error.kind, FaultKind::Unknown, "{error}");
        assert!(error.message.contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_told_and_never_followed() {
    let elsewhere = Server::start([Answer::json(200, "{}")]).await;
    for status in [301, 302, 303, 307, 308] {
        let error = promotion(
            Answer::raw(status, Vec::new()).header("location", &format!("{}/x", elsewhere.url)),
        )
        .await;
        assert_eq!(error.kind, FaultKind::Unknown);
        assert!(error.message.contains("redirects are not followed"), "{error}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn an_html_page_is_no_successful_deletion() {
    let page = || Answer::raw(200, b"<html>Sign in</html>".to_vec());
    let server = Server::start([page(), page(), Answer::raw(204, Vec::new())]).await;
    let cloud = cloud(&server.url).await;
    let error = cloud.delete_alias(&function(), &alias()).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unknown);
    let error = cloud.delete_version(&function(), VersionId(3)).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unknown);
    cloud.delete_alias(&function(), &alias()).await.unwrap();
}

#[tokio::test]
async fn absence_is_believed_only_from_lambda_itself() {
    let absent = || Answer::lambda_error(404, "ResourceNotFoundException", "Function not found");
    let stranger = || Answer::raw(404, b"<html>not found</html>".to_vec());
    let server = Server::start([absent(), absent(), absent(), stranger(), stranger()]).await;
    let cloud = cloud(&server.url).await;
    assert_eq!(cloud.get_function(&function(), None).await, Ok(None));
    assert_eq!(cloud.get_alias(&function(), &alias()).await, Ok(None));
    assert_eq!(cloud.list_aliases(&function()).await, Ok(None));
    let error = cloud.get_function(&function(), None).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Invalid);
    let error = cloud.get_alias(&function(), &alias()).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Invalid);
}

#[tokio::test]
async fn a_connection_that_never_stood_cannot_have_changed_anything() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = cloud(&refused).await.get_alias(&function(), &alias()).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unreachable, "{error}");
    assert!(error.message.contains("refused"), "{error}");
    let error = cloud(&refused).await.identity().await.unwrap_err();
    assert_eq!((error.kind, error.operation), (FaultKind::Unreachable, "GetCallerIdentity"));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_any_call() {
    let settings = |url: Option<&str>, credentials| Settings {
        region: Some("eu-west-1".to_owned()),
        endpoint_url: url.map(str::to_owned),
        credentials,
        ..Settings::default()
    };
    for (settings, code) in [
        (settings(None, Credentials::Local), "WG504"),
        (settings(Some("https://lambda.eu-west-1.amazonaws.com"), Credentials::Local), "WG505"),
        (settings(Some("http://10.0.0.1:4566"), Credentials::Local), "WG505"),
        (settings(Some("http://127.0.0.1.example.com"), Credentials::Local), "WG505"),
        (settings(Some("localhost:4566"), Credentials::Local), "WG503"),
        (settings(Some("localhost:4566"), Credentials::Chain), "WG503"),
    ] {
        let error = AwsCloud::connect(settings).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    let region = Some("evil.com/".to_owned());
    let error = AwsCloud::connect(Settings { region, ..Settings::default() }).await.unwrap_err();
    assert!(matches!(error, ConnectError::BadRegion { .. }), "{error}");
    // Real credentials may go to any endpoint that was asked for: moto and LocalStack are used so.
    AwsCloud::connect(settings(Some("http://127.0.0.1:1"), Credentials::Chain)).await.unwrap();
}
