//! What is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use wavegate_core::inventory::{Artifact, ExtraVersion};
use wavegate_core::name::VersionId;
use wavegate_core::spec::{FunctionConfig, Secret, Vpc};
use wavegate_core::weight::Weight;
use wavegate_engine::ports::{AliasUpdate, Cloud, FaultKind, NewAlias};

use crate::server::{Answer, Server};
use crate::{alias, cloud, config, function};

const ALIAS: &str = r#"{"Name":"live","FunctionVersion":"1","RevisionId":"r2","Description":"d",
    "RoutingConfig":{"AdditionalVersionWeights":{"2":0.1}}}"#;
const FUNCTION: &str = r#"{"FunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:shop:1",
    "Version":"1","CodeSha256":"sum","State":"Pending","StateReason":"The function is being created.",
    "LastUpdateStatus":"InProgress","RevisionId":"r1"}"#;

fn extra(bp: u16) -> ExtraVersion {
    ExtraVersion { version: VersionId(2), weight: Weight::from_bp(bp).unwrap() }
}

async fn sent_for(routing: Option<(VersionId, Option<ExtraVersion>)>) -> Value {
    let server = Server::start([Answer::json(200, ALIAS)]).await;
    let update = AliasUpdate { base: "r1".to_owned(), routing, description: "d".to_owned() };
    let state =
        cloud(&server.url).await.update_alias(&function(), &alias(), &update).await.unwrap();
    assert_eq!((state.revision.as_str(), state.extra), ("r2", Some(extra(1000))));
    let request = server.request();
    assert_eq!(request.line, "PUT /2015-03-31/functions/shop/aliases/live HTTP/1.1");
    request.json()
}

#[tokio::test]
async fn a_promotion_clears_the_routing_config_in_the_same_write() {
    let sent = sent_for(Some((VersionId(2), None))).await;
    let expected = json!({
        "FunctionVersion": "2",
        "RoutingConfig": { "AdditionalVersionWeights": {} },
        "RevisionId": "r1",
        "Description": "d",
    });
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_shift_names_both_versions() {
    let sent = sent_for(Some((VersionId(1), Some(extra(250))))).await;
    assert_eq!(sent["FunctionVersion"], "1");
    assert_eq!(sent["RoutingConfig"], json!({ "AdditionalVersionWeights": { "2": 0.025 } }));
    assert_eq!(sent["RevisionId"], "r1");
}

#[tokio::test]
async fn a_new_description_leaves_the_traffic_out_of_the_request() {
    assert_eq!(sent_for(None).await, json!({ "RevisionId": "r1", "Description": "d" }));
}

#[tokio::test]
async fn what_the_manifest_no_longer_has_is_sent_as_empty() {
    let server = Server::start([Answer::json(200, FUNCTION)]).await;
    let view =
        cloud(&server.url).await.update_config(&function(), &config(), Some("r0")).await.unwrap();
    assert_eq!(
        (view.last_update_status.as_str(), view.revision),
        ("InProgress", Some("r1".into()))
    );
    let request = server.request();
    assert_eq!(request.line, "PUT /2015-03-31/functions/shop/configuration HTTP/1.1");
    let expected = json!({
        "Role": "arn:aws:iam::123456789012:role/shop",
        "Handler": "app.handler",
        "Description": "",
        "Timeout": 10,
        "MemorySize": 256,
        "Runtime": "python3.13",
        "Environment": { "Variables": {} },
        "Layers": [],
        "VpcConfig": { "SubnetIds": [], "SecurityGroupIds": [] },
        "DeadLetterConfig": { "TargetArn": "" },
        "TracingConfig": { "Mode": "PassThrough" },
        "EphemeralStorage": { "Size": 512 },
        "RevisionId": "r0",
    });
    assert_eq!(request.json(), expected);
}

fn everything() -> FunctionConfig {
    FunctionConfig {
        environment: BTreeMap::from([("KEY".to_owned(), Secret::new("WGCANARY-value"))]),
        description: "the shop".to_owned(),
        layers: vec!["arn:layer:2".to_owned(), "arn:layer:1".to_owned()],
        ephemeral_storage_mb: 1024,
        tracing: true,
        vpc: Some(Vpc {
            subnets: BTreeSet::from(["subnet-1".to_owned()]),
            security_groups: BTreeSet::from(["sg-1".to_owned()]),
        }),
        dead_letter: Some("arn:queue".to_owned()),
        ..config()
    }
}

fn zip(file: &tempfile::NamedTempFile) -> Artifact {
    Artifact::Zip {
        code_sha256: "sum".to_owned(),
        zipped_bytes: 5,
        unzipped_bytes: 5,
        path: file.path().to_owned(),
    }
}

fn package() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"PK..x").unwrap();
    file
}

#[tokio::test]
async fn a_function_is_created_whole_and_published() {
    let server = Server::start([Answer::json(201, FUNCTION)]).await;
    let file = package();
    let view = cloud(&server.url)
        .await
        .create_function(&function(), &everything(), &zip(&file))
        .await
        .unwrap();
    assert_eq!(view.arn, "arn:aws:lambda:eu-west-1:123456789012:function:shop");
    assert_eq!((view.version.as_str(), view.state.as_str()), ("1", "Pending"));
    let request = server.request();
    assert_eq!(request.line, "POST /2015-03-31/functions HTTP/1.1");
    let expected = json!({
        "FunctionName": "shop",
        "PackageType": "Zip",
        "Publish": true,
        "Code": { "ZipFile": STANDARD.encode(b"PK..x") },
        "Role": "arn:aws:iam::123456789012:role/shop",
        "Handler": "app.handler",
        "Runtime": "python3.13",
        "Description": "the shop",
        "Timeout": 10,
        "MemorySize": 256,
        "Architectures": ["arm64"],
        "Environment": { "Variables": { "KEY": "WGCANARY-value" } },
        "Layers": ["arn:layer:2", "arn:layer:1"],
        "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] },
        "DeadLetterConfig": { "TargetArn": "arn:queue" },
        "TracingConfig": { "Mode": "Active" },
        "EphemeralStorage": { "Size": 1024 },
    });
    assert_eq!(request.json(), expected);
    assert!(request.header("authorization").unwrap().contains("Credential=wavegate/"));
}

#[tokio::test]
async fn code_goes_by_reference_when_it_is_elsewhere() {
    let answers = [Answer::json(201, FUNCTION), Answer::json(200, FUNCTION)];
    let server = Server::start(answers).await;
    let cloud = cloud(&server.url).await;
    let image = Artifact::Image { uri: "1.dkr/x@sha256:1".to_owned() };
    let config = FunctionConfig { runtime: None, handler: None, ..config() };
    let view = cloud.create_function(&function(), &config, &image).await.unwrap();
    assert_eq!(view.image_uri.as_deref(), Some("1.dkr/x@sha256:1"));
    let object = Artifact::S3 { bucket: "b-1".to_owned(), key: "k".to_owned() };
    cloud.update_code(&function(), &object, "x86_64", Some("r7"), false).await.unwrap();
    let requests = server.requests();
    let created = requests[0].json();
    assert_eq!(created["Code"], json!({ "ImageUri": "1.dkr/x@sha256:1" }));
    assert_eq!(created["PackageType"], "Image");
    assert_eq!((&created["Runtime"], &created["Handler"]), (&Value::Null, &Value::Null));
    let expected = json!({
        "S3Bucket": "b-1",
        "S3Key": "k",
        "Architectures": ["x86_64"],
        "RevisionId": "r7",
        "Publish": false,
    });
    assert_eq!(requests[1].json(), expected);
}

#[tokio::test]
async fn a_version_is_published_under_hash_and_revision() {
    let server = Server::start([Answer::json(201, FUNCTION), Answer::json(201, FUNCTION)]).await;
    let cloud = cloud(&server.url).await;
    cloud.publish_version(&function(), Some("sum"), Some("r3"), "shop r42").await.unwrap();
    cloud.publish_version(&function(), None, None, "").await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].line, "POST /2015-03-31/functions/shop/versions HTTP/1.1");
    let expected = json!({ "CodeSha256": "sum", "RevisionId": "r3", "Description": "shop r42" });
    assert_eq!(requests[0].json(), expected);
    assert_eq!(requests[1].json(), json!({}));
}

#[tokio::test]
async fn a_deletion_always_names_a_version() {
    let absent = Answer::lambda_error(404, "ResourceNotFoundException", "Function not found");
    let server = Server::start([Answer::raw(204, Vec::new()), absent.clone(), absent]).await;
    let cloud = cloud(&server.url).await;
    cloud.delete_version(&function(), VersionId(3)).await.unwrap();
    let line = server.request().line;
    assert_eq!(line, "DELETE /2015-03-31/functions/shop?Qualifier=3 HTTP/1.1");
    // What is not there is deleted.
    cloud.delete_version(&function(), VersionId(3)).await.unwrap();
    cloud.delete_alias(&function(), &alias()).await.unwrap();
}

#[tokio::test]
async fn the_lock_alias_points_at_latest() {
    let server = Server::start([Answer::json(
        201,
        r#"{"Name":"wavegate-live","FunctionVersion":"$LATEST","RevisionId":"r"}"#,
    )])
    .await;
    let new = NewAlias { name: alias().lock(), version: None, description: "owner".to_owned() };
    let state = cloud(&server.url).await.create_alias(&function(), &new).await.unwrap();
    assert_eq!((state.main(), state.extra), (None, None));
    let expected =
        json!({ "Name": "wavegate-live", "FunctionVersion": "$LATEST", "Description": "owner" });
    assert_eq!(server.request().json(), expected);
}

#[tokio::test]
async fn a_presigned_url_and_a_secret_are_seen_by_nobody() {
    let body = r#"{"Configuration":{"FunctionArn":"arn","Version":"2","CodeSha256":"sum",
        "State":"Active","Environment":{"Variables":{"KEY":"WGCANARY-env"}}},
        "Code":{"Location":"https://s3/WGCANARY-url","ImageUri":"1.dkr/x:1"}}"#;
    let refusal = Answer::lambda_error(400, "ValidationException", "bad: {KEY=WGCANARY-value}");
    let server = Server::start([Answer::json(200, body), refusal]).await;
    let cloud = cloud(&server.url).await;
    let view = cloud.get_function(&function(), Some(VersionId(2))).await.unwrap().unwrap();
    assert_eq!(server.request().line, "GET /2015-03-31/functions/shop?Qualifier=2 HTTP/1.1");
    assert_eq!(view.config.environment["KEY"].expose(), "WGCANARY-env");
    assert_eq!(view.image_uri.as_deref(), Some("1.dkr/x:1"));
    let error = cloud.update_config(&function(), &everything(), None).await.unwrap_err();
    assert_eq!(error.message, "bad: {KEY=(…)}");
    let shown = format!("{view:?} {error:?} {error} {cloud:?}");
    assert!(!shown.contains("WGCANARY"), "{shown}");
}

#[tokio::test]
async fn packages_in_flight_are_bounded() {
    let four = Arc::new(Barrier::new(4));
    let answers = (0..8).map(|_| Answer::json(200, FUNCTION).together(&four));
    let server = Server::start(answers).await;
    let cloud = cloud(&server.url).await;
    let (file, name) = (package(), function());
    let code = zip(&file);
    let updates = (0..8).map(|_| cloud.update_code(&name, &code, "arm64", None, true));
    for outcome in join_all(updates).await {
        outcome.unwrap();
    }
    assert_eq!(server.most_at_once(), 4);
}

#[tokio::test]
async fn a_package_that_is_gone_is_named() {
    let server = Server::start([]).await;
    let file = package();
    let code = zip(&file);
    drop(file);
    let error = cloud(&server.url)
        .await
        .update_code(&function(), &code, "arm64", None, true)
        .await
        .unwrap_err();
    assert_eq!(error.kind, FaultKind::Invalid);
    assert!(error.message.contains("cannot be read"), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn the_caller_is_known_by_account_and_arn() {
    let body = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>U</UserId>\
        <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>\
        <Message>The security token included in the request is invalid.</Message></Error>\
        <RequestId>q</RequestId></ErrorResponse>";
    let server = Server::start([
        Answer::raw(200, body.into()).header("content-type", "text/xml"),
        Answer::raw(403, refusal.into()).header("content-type", "text/xml"),
        Answer::raw(200, b"<Other/>".to_vec()).header("content-type", "text/xml"),
    ])
    .await;
    let cloud = cloud(&server.url).await;
    let identity = cloud.identity().await.unwrap();
    assert_eq!(identity.account, "123456789012");
    assert_eq!(identity.arn, "arn:aws:iam::123456789012:user/x");
    assert_eq!(cloud.identity().await.unwrap_err().kind, FaultKind::Credentials);
    assert_eq!(cloud.identity().await.unwrap_err().kind, FaultKind::Unknown);
}
