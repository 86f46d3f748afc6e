//! Functions, versions and aliases over plain HTTP: statuses, error types and messages as recorded
//! on AWS; who may speak to the port; what survives restarts.

use crate::support::{Client, base64, options, package, start};
use serde_json::{Value, json};
use wavegate_local::{LocalCloud, LocalError, Options, reset, running};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:fn";
const CODE: &[(&str, &str)] = &[("app.py", "def handler(event, context): return 1")];
const CODE2: &[(&str, &str)] = &[("app.py", "def handler(event, context): return 2")];

async fn with_two_versions(client: &mut Client) {
    client.create("fn", "python3.13", CODE).await;
    assert_eq!(client.publish("fn").await, "1");
    client.update_code("fn", CODE2).await;
    assert_eq!(client.publish("fn").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_answer_as_recorded_on_aws() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    with_two_versions(&mut client).await;
    let weights = |extra: Value| json!({ "AdditionalVersionWeights": extra });
    let invalid = "InvalidParameterValueException";
    let map = "failed to satisfy constraint: Map value must satisfy constraint: [Member must have \
               value less than or equal to 1.0, Member must have value greater than or equal to \
               0.0, Member must not be null]";
    let field = "at 'routingConfig.additionalVersionWeights'";
    for (version, extra, status, kind, message) in [
        (
            "1",
            json!({"2": 0.1, "3": 0.1}),
            400,
            invalid,
            "Number of items in AdditionalVersionWeights cannot be greater than 1".to_owned(),
        ),
        (
            "1",
            json!({"2": 2.0}),
            400,
            "ValidationException",
            format!("1 validation error detected: Value '{{2=2.0}}' {field} {map}"),
        ),
        (
            "1",
            json!({"1": 0.5}),
            400,
            invalid,
            "Invalid function version 1. Function version 1 is already included in routing \
          configuration."
                .to_owned(),
        ),
        (
            "$LATEST",
            json!({"1": 0.5}),
            400,
            invalid,
            "$LATEST is not supported for an alias pointing to more than 1 version".to_owned(),
        ),
        (
            "10",
            json!({}),
            404,
            "ResourceNotFoundException",
            format!("Function not found: {ARN}:10"),
        ),
        (
            "1",
            json!({"10": 0.5}),
            404,
            "ResourceNotFoundException",
            format!("Function not found: {ARN}:10"),
        ),
    ] {
        let input =
            json!({"Name": "live", "FunctionVersion": version, "RoutingConfig": weights(extra)});
        let refused = client.call("POST", "/fn/aliases", input).await;
        assert_eq!(refused.error(), (status, kind.to_owned(), message));
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_an_alias_is_as_recorded_on_aws() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    with_two_versions(&mut client).await;
    let weights = |extra: Value| json!({ "AdditionalVersionWeights": extra });
    let input = json!({"Name": "live", "FunctionVersion": "1", "RoutingConfig": weights(json!({"2": 0.1}))});
    let made = client.call("POST", "/fn/aliases", input.clone()).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["AliasArn"], format!("{ARN}:live"));
    assert_eq!(made.json()["RoutingConfig"], weights(json!({"2": 0.1})));
    let again = client.call("POST", "/fn/aliases", input).await;
    assert_eq!(
        again.error(),
        (409, "ResourceConflictException".into(), format!("Alias already exists: {ARN}:live"))
    );
    let missing = client.call("GET", "/fn/aliases/no", Value::Null).await;
    assert_eq!(
        missing.error(),
        (404, "ResourceNotFoundException".into(), format!("Cannot find alias arn: {ARN}:no"))
    );
    let missing = client.call("PUT", "/fn/aliases/no", json!({})).await;
    assert_eq!(
        missing.error(),
        (404, "ResourceNotFoundException".into(), format!("Alias not found: {ARN}:no"))
    );
    assert_eq!(client.call("DELETE", "/fn/aliases/no", Value::Null).await.status, 204);
    let digits =
        client.call("POST", "/fn/aliases", json!({"Name": "12", "FunctionVersion": "1"})).await;
    assert_eq!((digits.status, digits.error().1.as_str()), (400, "ValidationException"));
    let stale = client.call("PUT", "/fn/aliases/live", json!({"RevisionId": "stale"})).await;
    assert_eq!((stale.status, stale.error().1.as_str()), (412, "PreconditionFailedException"));
    let used = client.call("DELETE", "/fn?Qualifier=2", Value::Null).await;
    assert_eq!(
        used.error(),
        (
            409,
            "ResourceConflictException".into(),
            "Unable to delete version because the following aliases reference it: [live]".into()
        )
    );
    let promote = json!({"FunctionVersion": "2", "RoutingConfig": weights(json!({})), "RevisionId": made.json()["RevisionId"]});
    let promoted = client.call("PUT", "/fn/aliases/live", promote).await;
    assert_eq!(promoted.status, 200);
    assert_eq!(promoted.json().get("RoutingConfig"), None);
    assert_eq!(client.call("DELETE", "/fn?Qualifier=1", Value::Null).await.status, 204);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_gives_the_same_version_until_something_changes() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    with_two_versions(&mut client).await;
    assert_eq!(client.publish("fn").await, "2");
    let wrong = client.call("POST", "/fn/versions", json!({"CodeSha256": "x"})).await;
    assert_eq!((wrong.status, wrong.error().1.as_str()), (400, "InvalidParameterValueException"));
    let stale = client.call("POST", "/fn/versions", json!({"RevisionId": "x"})).await;
    assert_eq!(stale.status, 412);
    let dry = json!({"ZipFile": base64(&package(CODE)), "DryRun": true});
    let before = client.settled("fn").await;
    assert_eq!(client.call("PUT", "/fn/code", dry).await.status, 200);
    assert_eq!(client.settled("fn").await, before);
    let configured = client.call("PUT", "/fn/configuration", json!({"Timeout": 7})).await;
    assert_eq!(configured.json()["LastUpdateStatus"], "InProgress");
    client.settled("fn").await;
    assert_eq!(client.publish("fn").await, "3");
    let versions = client.call("GET", "/fn/versions", Value::Null).await.json();
    let numbers: Vec<&str> = versions["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["Version"].as_str().unwrap())
        .collect();
    assert_eq!(numbers, ["$LATEST", "1", "2", "3"]);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_that_escape_or_are_none_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    for zip in [package(&[("../evil.py", "x")]), b"no zip".to_vec(), Vec::new()] {
        let input = json!({
            "FunctionName": "fn", "Runtime": "python3.13", "Role": crate::support::ROLE,
            "Handler": "app.handler", "Code": {"ZipFile": base64(&zip)},
        });
        let refused = client.call("POST", "", input).await;
        assert_eq!(
            (refused.status, refused.error().1.as_str()),
            (400, "InvalidParameterValueException")
        );
    }
    assert!(!directory.path().join("evil.py").exists());
    assert_eq!(client.call("GET", "/fn", Value::Null).await.status, 404);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_loopback_names_and_no_web_page_may_speak() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    for (header, status) in [
        (("host", "evil.example"), 421),
        (("host", "evil.example:80"), 421),
        (("host", "localhost:1"), 421),
        (("origin", "http://127.0.0.1"), 403),
    ] {
        let answer = client.send("GET", "/_wavegate/status", &[header], "").await;
        assert_eq!(answer.status, status, "{header:?}");
    }
    let own = format!("localhost:{}", cloud.url().rsplit_once(':').unwrap().1);
    let named = client.send("GET", "/_wavegate/status", &[("host", own.as_str())], "").await;
    assert_eq!(named.status, 200);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sts_s3_and_cloudwatch_answer_on_the_same_port() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let identity = client.send("POST", "/", &form, body).await;
    assert!(String::from_utf8_lossy(&identity.body).contains("<Account>000000000000</Account>"));
    let json10 = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "GraniteServiceVersion20100801.DescribeAlarms"),
    ];
    let alarms = client.send("POST", "/", &json10, "{}").await;
    assert_eq!(alarms.status, 200, "{}", alarms.json());
    assert_eq!(client.send("PUT", "/artifacts", &[], "").await.status, 200);
    assert_eq!(client.send("PUT", "/artifacts/fn.zip", &[], package(CODE2)).await.status, 200);
    client.create("fn", "python3.13", CODE).await;
    let input = json!({"S3Bucket": "artifacts", "S3Key": "fn.zip"});
    let updated = client.call("PUT", "/fn/code", input).await;
    assert_eq!(updated.status, 200, "{}", updated.json());
    client.settled("fn").await;
    assert_eq!(client.invoke("fn", json!({})).await.json(), 2);
    let location = client.call("GET", "/fn", Value::Null).await.json()["Code"]["Location"].clone();
    let path = location.as_str().unwrap().strip_prefix(cloud.url()).unwrap().to_owned();
    assert_eq!(client.send("GET", &path, &[], "").await.body, package(CODE2));
    let calls = client.status().await["calls"].clone();
    assert_eq!((&calls["UpdateFunctionCode"], &calls["DescribeAlarms"]), (&json!(1), &json!(1)));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_met_when_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let limited = Options { requests_per_second: Some(2), ..options(directory.path()) };
    let cloud = LocalCloud::start(limited).await.unwrap();
    let mut client = Client::connect(cloud.url()).await;
    let mut refused = None;
    for _ in 0..10 {
        let answer = client.call("GET", "", Value::Null).await;
        if answer.status != 200 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("ten calls at once are more than two a second");
    assert_eq!(refused.error().0, 429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.json()["Reason"], "CallerRateLimitExceeded");
    assert_eq!(client.call("GET", "/no", Value::Null).await.status, 404);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_a_restart_and_time_has_not_gone_back() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    with_two_versions(&mut client).await;
    let alias = json!({"Name": "live", "FunctionVersion": "1", "Description": "token",
        "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}}});
    let alias = client.call("POST", "/fn/aliases", alias).await.json();
    let function = client.settled("fn").await;
    assert_eq!(running(directory.path()).unwrap().url, cloud.url());
    let again = LocalCloud::start(options(directory.path())).await.unwrap_err();
    assert!(matches!(again, LocalError::AlreadyRunning { running: Some(_), .. }), "{again}");
    assert!(matches!(reset(directory.path()).unwrap_err(), LocalError::AlreadyRunning { .. }));
    let before = cloud.clock().now_ms();
    cloud.shutdown().await;
    assert_eq!(running(directory.path()), None);

    let slow = Options { time_scale: 1.0, ..options(directory.path()) };
    let cloud = LocalCloud::start(slow).await.unwrap();
    assert!(cloud.clock().now_ms() >= before, "virtual time went back");
    let mut client = Client::connect(cloud.url()).await;
    assert_eq!(client.call("GET", "/fn/aliases/live", Value::Null).await.json(), alias);
    assert_eq!(client.settled("fn").await, function);
    assert_eq!(client.invoke("fn:live", json!({})).await.status, 200);
    cloud.shutdown().await;
    reset(directory.path()).unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "only the lock stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_is_an_error_that_says_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("state.sqlite"), [7_u8; 5000]).unwrap();
    let error = LocalCloud::start(options(directory.path())).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("state.sqlite") && text.contains("wavegate local reset"), "{text}");
    reset(directory.path()).unwrap();
    LocalCloud::start(options(directory.path())).await.unwrap().shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_make_no_sense_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for bad in [
        Options { time_scale: 0.0, ..options(directory.path()) },
        Options { time_scale: f64::NAN, ..options(directory.path()) },
        Options { account: "12".into(), ..options(directory.path()) },
        Options { region: "nowhere special".into(), ..options(directory.path()) },
    ] {
        assert!(matches!(LocalCloud::start(bad).await, Err(LocalError::Option { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_there_is_named_in_a_form_that_its_client_reads() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let signed = "AWS4-HMAC-SHA256 Credential=k/20261126/us-east-1/sqs/aws4_request, Signature=0";
    let json = [("authorization", signed), ("x-amz-target", "AmazonSQS.ListQueues")];
    let answer = client.send("POST", "/", &json, "{}").await;
    let (status, told) = (answer.status, answer.json());
    assert_eq!((status, &told["__type"]), (404, &json!("UnknownOperationException")));
    assert_eq!(told["message"], "The local cloud has no service sqs");
    let kind = "application/x-www-form-urlencoded";
    let form = [("authorization", signed), ("content-type", kind)];
    let answer = client.send("POST", "/", &form, "Action=ListQueues&Version=2012-11-05").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("<Code>InvalidAction</Code><Message>The local cloud has no"), "{text}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_a_request_is_told_at_once_and_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", "def handler(event, context): pass")]).await;
    let created = json!({
        "FunctionName": "other", "Runtime": "python3.13", "Role": "nobody", "Handler": "a b",
        "Timeout": 0, "MemorySize": 1, "EphemeralStorage": { "Size": 1 },
        "Environment": { "Variables": { "1": "x" } }, "Architectures": ["x86_64", "arm64"],
        "TracingConfig": { "Mode": "x" }, "PackageType": "Tar", "Code": { "ZipFile": "" },
    });
    let permission = json!({ "StatementId": "a b", "Action": "s3:GetObject", "Principal": "a b" });
    let aged = json!({ "MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 59 });
    let of_function = |path: &str| format!("/2015-03-31/functions{path}");
    let of_event = "/2019-09-25/functions/fn/event-invoke-config".to_owned();
    let of_url = |query: &str| format!("/2021-10-31/functions/fn/url{query}");
    let of_provisioned = "/2019-09-30/functions/fn/provisioned-concurrency?Qualifier=1".to_owned();
    for (method, path, body, count) in [
        ("POST", of_function(""), created, 9),
        ("POST", of_function(""), json!({ "FunctionName": "other" }), 2),
        ("POST", of_function("/fn/policy"), permission, 3),
        ("PUT", of_event, aged, 2),
        ("POST", of_url("?Qualifier=1"), json!({ "InvokeMode": "x" }), 3),
        ("PUT", of_provisioned, json!({ "ProvisionedConcurrentExecutions": 0 }), 1),
        ("POST", "/2015-03-31/event-source-mappings/".to_owned(), json!({ "BatchSize": 0 }), 2),
    ] {
        let (status, kind, message) =
            client.send(method, &path, &[], body.to_string()).await.error();
        assert_eq!((status, kind.as_str()), (400, "ValidationException"), "{path}: {message}");
        let noun = if count == 1 { "error" } else { "errors" };
        let told = format!("{count} validation {noun} detected: ");
        assert!(message.starts_with(&told), "{path}: {message}");
    }
    let listed = client.call("GET", "/", Value::Null).await.json();
    assert_eq!(listed["Functions"].as_array().unwrap().len(), 1);
    cloud.shutdown().await;
}
