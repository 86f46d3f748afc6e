//! Function URLs answer over HTTP.

use crate::support::{Client, start};
use serde_json::{Value, json};

const ECHO: &str = r#"
import json
def handler(event, context):
    if event.get("rawPath") == "/raise": raise ValueError("no")
    return {"statusCode": 200, "headers": {"X-Version": context.function_version},
            "cookies": ["a=1", "b=2"], "body": json.dumps(event)}
"#;

const FORBIDDEN: &str = "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";

impl Client {
    /// Makes a function URL that everybody may call; its address.
    pub(crate) async fn url(&mut self, name: &str, config: Value) -> String {
        let (function, qualifier) = name.split_once(':').unwrap_or((name, ""));
        let query =
            if qualifier.is_empty() { String::new() } else { format!("?Qualifier={qualifier}") };
        let path = format!("/2021-10-31/functions/{function}/url{query}");
        let made = self.send("POST", &path, &[], config.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.json());
        let statement = json!({"StatementId": "all", "Action": "lambda:InvokeFunctionUrl",
            "Principal": "*", "FunctionUrlAuthType": config["AuthType"]});
        let added = self.call("POST", &format!("/{function}/policy{query}"), statement).await;
        assert_eq!(added.status, 201, "{}", added.json());
        made.json()["FunctionUrl"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_becomes_an_event_and_its_answer_http() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", ECHO)]).await;
    let address = client.url("fn", json!({"AuthType": "NONE"})).await;
    let path = address.strip_prefix(cloud.url()).unwrap();
    let id = path.trim_end_matches('/').rsplit('/').next().unwrap();

    let headers = [("content-type", "application/json"), ("cookie", "k=v")];
    let answer = client.send("PUT", &format!("{path}a/b?q=1&q=2"), &headers, "{}").await;
    assert_eq!(answer.status, 200);
    let cookies: Vec<&str> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    let event = answer.json();
    assert_eq!((&event["rawPath"], &event["body"]), (&json!("/a/b"), &json!("{}")));
    assert_eq!(event["queryStringParameters"], json!({"q": "1,2"}));
    assert_eq!(event["requestContext"]["http"]["method"], "PUT");
    assert_eq!(event["requestContext"]["apiId"], id);
    assert_eq!(event["requestContext"]["requestId"], answer.header("x-amzn-requestid").unwrap());

    // The same under the name of its own, also for a page in a browser.
    let port = cloud.url().rsplit(':').next().unwrap();
    let host = format!("{id}.lambda-url.us-east-1.localhost:{port}");
    let headers = [("host", host.as_str()), ("origin", "https://a.example")];
    let answer = client.send("GET", "/_wavegate/status", &headers, "").await;
    assert_eq!((answer.status, &answer.json()["rawPath"]), (200, &json!("/_wavegate/status")));

    let failed = client.send("GET", &format!("{path}raise"), &[], "").await;
    assert_eq!((failed.status, &failed.body[..]), (502, &b"Internal Server Error"[..]));
    let absent = client.send("GET", "/_wavegate/url/absent/", &[], "").await;
    assert_eq!((absent.status, absent.json()), (403, json!({"Message": null})));
    assert_eq!(absent.header("x-amzn-errortype"), Some("AccessDeniedException"));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_call_a_url_does() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    for name in ["closed", "signed"] {
        client.create(name, "python3.13", &[("app.py", ECHO)]).await;
    }
    let closed = json!({"AuthType": "NONE"}).to_string();
    let made = client.send("POST", "/2021-10-31/functions/closed/url", &[], closed).await.json();
    let path = made["FunctionUrl"].as_str().unwrap().strip_prefix(cloud.url()).unwrap().to_owned();
    let refused = client.send("GET", &path, &[], "").await;
    assert_eq!((refused.status, &refused.json()["Message"]), (403, &json!(FORBIDDEN)));

    let address = client.url("signed", json!({"AuthType": "AWS_IAM"})).await;
    let path = address.strip_prefix(cloud.url()).unwrap();
    assert_eq!(client.send("GET", path, &[], "").await.status, 403);
    let signature = "AWS4-HMAC-SHA256 Credential=wavegate/20261126/us-east-1/lambda/aws4_request, \
                     SignedHeaders=host, Signature=0";
    let answer = client.send("GET", path, &[("authorization", signature)], "").await;
    let event = answer.json();
    assert_eq!(event["requestContext"]["authorizer"]["iam"]["accessKey"], "wavegate");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aliass_url_follows_its_weights() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", ECHO)]).await;
    client.publish("fn").await;
    client.update_code("fn", &[("app.py", &format!("{ECHO}\n"))]).await;
    client.publish("fn").await;
    let alias = json!({"Name": "live", "FunctionVersion": "1",
        "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}}});
    assert_eq!(client.call("POST", "/fn/aliases", alias).await.status, 201);
    let address = client.url("fn:live", json!({"AuthType": "NONE"})).await;
    let path = address.strip_prefix(cloud.url()).unwrap();
    let mut versions = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..100 {
        let answer = client.send("GET", path, &[], "").await;
        *versions.entry(answer.header("x-version").unwrap().to_owned()).or_default() += 1;
    }
    // Five standard deviations: sqrt(100 * 0.5 * 0.5) = 5.
    assert!(versions["1"] > 25 && versions["2"] > 25, "{versions:?}");
    assert_eq!(client.call("DELETE", "/fn/aliases/live", Value::Null).await.status, 204);
    assert_eq!(client.send("GET", path, &[], "").await.status, 403);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_told_what_pages_may_do() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", ECHO)]).await;
    let cors = json!({"AllowOrigins": ["https://a.example"], "AllowMethods": ["POST"]});
    let address = client.url("fn", json!({"AuthType": "NONE", "Cors": cors})).await;
    let path = address.strip_prefix(cloud.url()).unwrap();
    let asks = [("origin", "https://a.example"), ("access-control-request-method", "POST")];
    let ahead = client.send("OPTIONS", path, &asks, "").await;
    assert_eq!((ahead.status, ahead.body.len()), (200, 0), "the function does not see it");
    assert_eq!(ahead.header("access-control-allow-methods"), Some("POST"));
    let answer = client.send("POST", path, &asks[..1], "").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
    let other = client.send("POST", path, &[("origin", "https://b.example")], "").await;
    assert_eq!((other.status, other.header("access-control-allow-origin")), (200, None));
    cloud.shutdown().await;
}
