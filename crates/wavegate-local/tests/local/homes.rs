//! Accounts and regions: which a call is for shows by its signature, and nothing is in two of them.

use serde_json::{Value, json};
use wavegate_local::LocalCloud;

use crate::support::{Answer, Client, ROLE, base64, options, package, start};

const FUNCTIONS: &str = "/2015-03-31/functions";
const OTHER_ACCOUNT: &str = "123456789012";
const CODE: &str = "import os
def handler(event, context):
    print('here')
    return [os.environ['AWS_REGION'], context.invoked_function_arn]
";

/// A caller: key, region, and the session's token if there is one.
struct Caller<'a> {
    key: &'a str,
    region: &'a str,
    token: Option<&'a str>,
}

impl Caller<'_> {
    fn signed(&self, service: &str) -> String {
        let Self { key, region, .. } = self;
        format!(
            "AWS4-HMAC-SHA256 Credential={key}/20261126/{region}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        )
    }

    async fn lambda(&self, client: &mut Client, method: &str, path: &str, body: &Value) -> Answer {
        let signed = self.signed("lambda");
        let mut headers = vec![("authorization", signed.as_str())];
        headers.extend(self.token.map(|token| ("x-amz-security-token", token)));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        client.send(method, &format!("{FUNCTIONS}{path}"), &headers, body).await
    }

    async fn form(&self, client: &mut Client, service: &str, form: &str) -> String {
        let signed = self.signed(service);
        let headers = [
            ("authorization", signed.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let answer = client.send("POST", "/", &headers, form.to_owned()).await;
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    async fn create(&self, client: &mut Client) -> String {
        let input = json!({
            "FunctionName": "fn", "Runtime": "python3.13", "Role": ROLE, "Handler": "app.handler",
            "Code": { "ZipFile": base64(&package(&[("app.py", CODE)])) },
        });
        let made = self.lambda(client, "POST", "", &input).await;
        assert_eq!(made.status, 201, "{}", made.json());
        while self.lambda(client, "GET", "/fn", &Value::Null).await.json()["Configuration"]["State"]
            != "Active"
        {}
        made.json()["FunctionArn"].as_str().unwrap().to_owned()
    }

    async fn names(&self, client: &mut Client) -> usize {
        let list = self.lambda(client, "GET", "/", &Value::Null).await.json();
        list["Functions"].as_array().unwrap().len()
    }
}

fn us() -> Caller<'static> {
    Caller { key: "local", region: "us-east-1", token: None }
}

fn eu() -> Caller<'static> {
    Caller { region: "eu-west-1", ..us() }
}

fn other() -> Caller<'static> {
    Caller { key: OTHER_ACCOUNT, ..us() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_in_one_region_of_one_account() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    for (caller, home) in [
        (us(), "us-east-1:000000000000"),
        (eu(), "eu-west-1:000000000000"),
        (other(), "us-east-1:123456789012"),
    ] {
        assert_eq!(caller.names(&mut client).await, 0);
        let arn = caller.create(&mut client).await;
        assert_eq!(arn, format!("arn:aws:lambda:{home}:function:fn"));
        let ran = caller.lambda(&mut client, "POST", "/fn/invocations", &json!({})).await.json();
        assert_eq!(ran, json!([caller.region, arn]), "the code is told where it is");
    }
    // Who names nothing is where the cloud was started.
    let unsigned = client.call("GET", "/fn", Value::Null).await.json();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:fn";
    assert_eq!(unsigned["Configuration"]["FunctionArn"], arn);
    // AWS: a region does not reach into another.
    let encoded = arn.replace(':', "%3A");
    let across = eu().lambda(&mut client, "GET", &format!("/{encoded}"), &Value::Null).await;
    assert_eq!((across.status, across.error().1.as_str()), (404, "ResourceNotFoundException"));
    assert_eq!(us().lambda(&mut client, "DELETE", "/fn", &Value::Null).await.status, 204);
    let ran = eu().lambda(&mut client, "POST", "/fn/invocations", &json!({})).await;
    assert_eq!(ran.json()[0], "eu-west-1");
    assert_eq!((us().names(&mut client).await, other().names(&mut client).await), (0, 1));
    assert!(directory.path().join("logs/000000000000.eu-west-1/fn").is_dir());
    drop(client);
    cloud.shutdown().await;
    // They are all there again.
    let cloud = LocalCloud::start(options(directory.path())).await.unwrap();
    let mut client = Client::connect(cloud.url()).await;
    for (caller, count) in [(us(), 0), (eu(), 1), (other(), 1)] {
        assert_eq!(caller.names(&mut client).await, count);
    }
    let ran = eu().lambda(&mut client, "POST", "/fn/invocations", &json!({})).await;
    assert_eq!(ran.json()[0], "eu-west-1");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_alarms_and_urls_are_where_their_function_is() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    eu().create(&mut client).await;
    let url = json!({ "AuthType": "NONE" });
    let path = "/2021-10-31/functions/fn/url";
    let signed = eu().signed("lambda");
    let headers = [("authorization", signed.as_str())];
    let made = client.send("POST", path, &headers, url.to_string()).await.json();
    let open = json!({
        "StatementId": "open", "Action": "lambda:InvokeFunctionUrl", "Principal": "*",
        "FunctionUrlAuthType": "NONE",
    });
    eu().lambda(&mut client, "POST", "/fn/policy", &open).await;
    let open = json!({
        "StatementId": "run", "Action": "lambda:InvokeFunction", "Principal": "*",
        "InvokedViaFunctionUrl": true,
    });
    eu().lambda(&mut client, "POST", "/fn/policy", &open).await;
    let address = made["FunctionUrl"].as_str().unwrap().strip_prefix(cloud.url()).unwrap();
    let answer = client.send("GET", address, &[], "").await;
    assert_eq!((answer.status, &answer.json()[0]), (200, &json!("eu-west-1")));
    // Its host names the region, too, and there is none in another.
    let id = address.trim_end_matches('/').rsplit('/').next().unwrap();
    let port = cloud.url().rsplit(':').next().unwrap();
    for (region, status) in [("eu-west-1", 200), ("us-east-1", 403)] {
        let host = format!("{id}.lambda-url.{region}.localhost:{port}");
        assert_eq!(client.send("GET", "/", &[("host", &host)], "").await.status, status);
    }
    for (caller, count) in [(us(), 0), (eu(), 1)] {
        let alarm = "Action=PutMetricAlarm&Version=2010-08-01&AlarmName=a&Namespace=n&MetricName=m\
                     &Period=60&EvaluationPeriods=1&Threshold=1&Statistic=Sum\
                     &ComparisonOperator=GreaterThanThreshold";
        if count == 1 {
            caller.form(&mut client, "monitoring", alarm).await;
        }
        let shown = "Action=DescribeAlarms&Version=2010-08-01";
        let alarms = caller.form(&mut client, "monitoring", shown).await;
        assert_eq!(alarms.matches("<AlarmName>").count(), count, "{alarms}");
        let metrics = "Action=ListMetrics&Version=2010-08-01&Namespace=AWS/Lambda";
        let metrics = caller.form(&mut client, "monitoring", metrics).await;
        assert_eq!(metrics.contains("<MetricName>Invocations<"), count == 1, "{metrics}");
        let signed = caller.signed("logs");
        let headers = [
            ("authorization", signed.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "Logs_20140328.DescribeLogGroups"),
        ];
        let mut groups = 0;
        // What functions log is written a moment later.
        for _ in 0..200 {
            let shown = client.send("POST", "/", &headers, "{}").await.json();
            groups = shown["logGroups"].as_array().unwrap().len();
            if groups == count {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(groups, count);
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_an_accounts_in_all_regions_and_lead_into_it() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}}"#;
    let create =
        format!("Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument={trust}");
    let made = other().form(&mut client, "iam", &create).await;
    assert!(made.contains("arn:aws:iam::123456789012:role/r"), "{made}");
    let get = "Action=GetRole&Version=2010-05-08&RoleName=r";
    let elsewhere = Caller { region: "eu-west-1", ..other() };
    assert!(elsewhere.form(&mut client, "iam", get).await.contains(":123456789012:role/r"));
    assert!(us().form(&mut client, "iam", get).await.contains("NoSuchEntity"));
    let assume = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me\
                  &RoleArn=arn:aws:iam::123456789012:role/r";
    let session = us().form(&mut client, "sts", assume).await;
    let between =
        |from: &str, to: &str| session.split_once(from).unwrap().1.split_once(to).unwrap().0;
    let key = between("<AccessKeyId>", "</AccessKeyId>");
    let token = between("<SessionToken>", "</SessionToken>");
    let assumed = Caller { key, region: "us-east-1", token: Some(token) };
    let arn = assumed.create(&mut client).await;
    assert_eq!(arn, "arn:aws:lambda:us-east-1:123456789012:function:fn");
    assert_eq!((other().names(&mut client).await, us().names(&mut client).await), (1, 0));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_does_with_a_function_what_its_policy_lets_it() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let arn = us().create(&mut client).await;
    let path = format!("/{}", arn.replace(':', "%3A"));
    let invoked = format!("{path}/invocations");
    let refused = other().lambda(&mut client, "POST", &invoked, &json!({})).await;
    let (status, kind, message) = refused.error();
    assert_eq!((status, kind.as_str()), (403, "AccessDeniedException"));
    assert_eq!(
        message,
        format!(
            "User: arn:aws:iam::{OTHER_ACCOUNT}:root is not authorized to perform: \
             lambda:InvokeFunction on resource: {arn} because no resource-based policy allows the \
             lambda:InvokeFunction action"
        )
    );
    let may = json!({
        "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": OTHER_ACCOUNT,
    });
    assert_eq!(us().lambda(&mut client, "POST", "/fn/policy", &may).await.status, 201);
    let ran = other().lambda(&mut client, "POST", &invoked, &json!({})).await;
    assert_eq!((ran.status, ran.json()), (200, json!(["us-east-1", arn])));
    let shown = other().lambda(&mut client, "GET", &path, &Value::Null).await;
    assert_eq!(shown.status, 403, "that is another action");
    // Its own functions are its own.
    assert_eq!(other().lambda(&mut client, "GET", "/fn", &Value::Null).await.status, 404);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_region_is_refused_as_on_aws() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let nowhere = Caller { region: "nowhere", ..us() };
    let refused = nowhere.lambda(&mut client, "GET", "/", &Value::Null).await;
    let (status, kind, message) = refused.error();
    assert_eq!((status, kind.as_str()), (403, "InvalidSignatureException"));
    assert_eq!(message, "Credential should be scoped to a valid region.");
    cloud.shutdown().await;
}
