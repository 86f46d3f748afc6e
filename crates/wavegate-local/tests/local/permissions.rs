//! A rehearsal of policies: what they do not allow is answered as AWS answers it, in every protocol,
//! and has changed nothing.

use serde_json::{Value, json};
use wavegate_local::{LocalCloud, Options, Policy};

use crate::support::{Answer, Client, ROLE, base64, options, package};

const CODE: &[(&str, &str)] = &[("app.py", "def handler(event, context): return 1")];

async fn start(directory: &std::path::Path, statements: &Value) -> (LocalCloud, Client) {
    let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let policies = Some(vec![Policy::parse(&document).unwrap()]);
    let cloud = LocalCloud::start(Options { policies, ..options(directory) }).await.unwrap();
    let client = Client::connect(cloud.url()).await;
    (cloud, client)
}

fn signature(key: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261123/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

async fn signed(
    client: &mut Client,
    service: &str,
    method: &str,
    path: &str,
    body: String,
) -> Answer {
    let signature = signature("wavegate", service);
    client.send(method, path, &[("authorization", &signature)], body).await
}

fn creation(name: &str) -> String {
    json!({
        "FunctionName": name, "Runtime": "python3.13", "Role": ROLE, "Handler": "app.handler",
        "Code": { "ZipFile": base64(&package(CODE)) },
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_no_policy_allows_is_refused_in_awss_words_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let create = json!([{
        "Effect": "Allow", "Action": "lambda:CreateFunction",
        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:shop-*",
    }]);
    let (cloud, mut client) = start(directory.path(), &create).await;
    let user = "User: arn:aws:iam::000000000000:user/wavegate is not authorized to perform";
    let functions = "/2015-03-31/functions";
    // The role has to be passed, whatever else is allowed.
    let refused = signed(&mut client, "lambda", "POST", functions, creation("shop-a")).await;
    assert_eq!(
        refused.error(),
        (
            403,
            "AccessDeniedException".to_owned(),
            format!(
                "{user}: iam:PassRole on resource: {ROLE} because no identity-based policy allows \
                 the iam:PassRole action"
            )
        )
    );
    let refused = signed(&mut client, "lambda", "POST", functions, creation("other")).await;
    assert!(
        refused.error().2.contains("lambda:CreateFunction on resource"),
        "{:?}",
        refused.error()
    );
    let refused =
        signed(&mut client, "lambda", "GET", &format!("{functions}/shop-a"), String::new()).await;
    assert_eq!(refused.status, 403);
    // Nobody's keys: nothing to rehearse. And there is no function.
    assert_eq!(client.call("GET", "/shop-a", Value::Null).await.status, 404);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_allowed_works_and_what_functions_do_themselves_is_not_rehearsed() {
    let directory = tempfile::tempdir().unwrap();
    let allowed = json!([
        {
            "Effect": "Allow", "Action": ["lambda:CreateFunction", "lambda:Get*"],
            "Resource": "arn:aws:lambda:*:000000000000:function:shop-*",
        },
        {
            "Effect": "Allow", "Action": "iam:PassRole", "Resource": ROLE,
            "Condition": { "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } },
        },
        { "Effect": "Deny", "Action": "lambda:GetPolicy", "Resource": "*" },
    ]);
    let (cloud, mut client) = start(directory.path(), &allowed).await;
    let functions = "/2015-03-31/functions";
    let made = signed(&mut client, "lambda", "POST", functions, creation("shop-a")).await;
    assert_eq!(made.status, 201, "{}", made.json());
    client.settled("shop-a").await;
    let path = format!("{functions}/shop-a/policy");
    let denied = signed(&mut client, "lambda", "GET", &path, String::new()).await;
    assert!(denied.error().2.ends_with("with an explicit deny in an identity-based policy"));
    // A function's own keys are its role's, which is not rehearsed.
    let own = signature("WGFN0000000000000001", "lambda");
    let path = format!("{functions}/shop-a/invocations");
    let invoked = client.send("POST", &path, &[("authorization", &own)], "{}").await;
    assert_eq!((invoked.status, &invoked.body[..]), (200, &b"1"[..]));
    let refused = signed(&mut client, "lambda", "POST", &path, "{}".to_owned()).await;
    assert!(refused.error().2.contains("lambda:InvokeFunction"), "{:?}", refused.error());
    let status = client.status().await;
    assert_eq!(status["policies"], 1);
    assert_eq!(status["permissions_needed"]["iam:PassRole"], 1, "{status}");
    assert_eq!(status["permissions_needed"]["lambda:InvokeFunction"], 1, "{status}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_has_its_own_form_of_a_refusal() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
    let (cloud, mut client) = start(directory.path(), &nothing).await;
    let put = signed(&mut client, "s3", "PUT", "/artifacts", String::new()).await;
    let text = String::from_utf8_lossy(&put.body).into_owned();
    assert_eq!(put.status, 403, "{text}");
    assert!(
        text.contains("<Code>AccessDenied</Code>") && text.contains("s3:CreateBucket"),
        "{text}"
    );

    let key = signature("wavegate", "monitoring");
    let form =
        [("authorization", key.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let body = "Action=DescribeAlarms&Version=2010-08-01";
    let query = client.send("POST", "/", &form, body).await;
    let text = String::from_utf8_lossy(&query.body).into_owned();
    assert_eq!(query.status, 403, "{text}");
    assert!(text.contains("<Code>AccessDenied</Code>"), "{text}");
    assert!(text.contains("cloudwatch:DescribeAlarms on resource: arn:aws:cloudwatch"), "{text}");

    let json = [
        ("authorization", key.as_str()),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "GraniteServiceVersion20100801.GetMetricData"),
        ("x-amzn-query-mode", "true"),
    ];
    let told = client.send("POST", "/", &json, "{}").await;
    assert_eq!(told.status, 403);
    assert!(told.json()["__type"].as_str().unwrap().ends_with("#AccessDeniedException"));

    let cbor = [
        ("authorization", key.as_str()),
        ("content-type", "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
    ];
    let path = "/service/GraniteServiceVersion20100801/operation/GetMetricData";
    let told = client.send("POST", path, &cbor, "").await;
    // Clients that do not know the query protocol's statuses are not told them.
    assert_eq!((told.status, told.header("content-type")), (400, Some("application/cbor")));

    // Who one is may always be asked.
    let sts = signature("wavegate", "sts");
    let form =
        [("authorization", sts.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let who = client.send("POST", "/", &form, "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!(who.status, 200);
    assert!(String::from_utf8_lossy(&who.body).contains(":user/wavegate</Arn>"));
    cloud.shutdown().await;
}
