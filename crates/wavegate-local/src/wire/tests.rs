//! Requests as clients send them, and answers as clients read them, in every protocol.

use serde_json::{Value, json};

use super::model::{CLOUDWATCH, Kind, LAMBDA, Protocol, services};
use super::*;

fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        body: body.into(),
    }
}

fn decoded(request: &Request) -> (String, Value) {
    let mut route = Route::of(request).or_else(|| Route::of_form(request)).unwrap();
    route.complete(request);
    let input = route.decode(request).unwrap();
    (input.operation.name.clone(), Value::Object(input.members))
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[test]
fn an_operation_is_told_by_the_target_the_path_or_the_form() {
    let target = [("x-amz-target", "CodeDeploy_20141006.GetDeployment")];
    let json = request("POST", "/", &target, r#"{"deploymentId":"d-1"}"#);
    let cbor = b"\xa1\x6cdeploymentId\x63d-1".to_vec();
    let cbor = request("POST", "/service/CodeDeploy_20141006/operation/GetDeployment", &[], cbor);
    let wanted = ("GetDeployment".to_owned(), json!({ "deploymentId": "d-1" }));
    assert_eq!(decoded(&json), wanted);
    assert_eq!(decoded(&cbor), wanted);

    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(decoded(&request("POST", "/", &[FORM], form)).0, "GetCallerIdentity");
    let rest = request("GET", "/2015-03-31/functions/", &[], "");
    assert_eq!(decoded(&rest).0, "ListFunctions");
    let other = request("POST", "/", &[("x-amz-target", "Other_1.Get")], "");
    assert!(Route::of(&other).is_none());
    assert!(Route::of(&request("GET", "/my-bucket/functions", &[], "")).is_none());
}

#[test]
fn members_come_from_the_path_the_query_headers_and_the_body() {
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:fn";
    let path = format!("/2015-03-31/functions/{}/aliases/live", arn.replace(':', "%3A"));
    let update =
        request("PUT", &path, &[], r#"{"FunctionVersion":"2","Unknown":1,"RoutingConfig":null}"#);
    assert_eq!(
        decoded(&update),
        (
            "UpdateAlias".to_owned(),
            json!({ "FunctionName": arn, "Name": "live", "FunctionVersion": "2" })
        )
    );
    let untag = request("DELETE", "/2017-03-31/tags/x?tagKeys=a&tagKeys=b", &[], "");
    assert_eq!(decoded(&untag).1, json!({ "Resource": "x", "TagKeys": ["a", "b"] }));
    // What has no member in the body does not look at it.
    let list = request("GET", "/2015-03-31/functions?MaxItems=7", &[], "null");
    assert_eq!(decoded(&list).1, json!({ "MaxItems": 7 }));
    let headers = [("x-amz-invocation-type", "DryRun")];
    let invoke = request("POST", "/2015-03-31/functions/fn/invocations", &headers, "[1]");
    let route = Route::of(&invoke).unwrap();
    let input = route.decode(&invoke).unwrap();
    assert_eq!(input.payload, "[1]");
    assert_eq!(
        Value::Object(input.members),
        json!({ "FunctionName": "fn", "InvocationType": "DryRun" })
    );
}

#[test]
fn two_operations_on_one_path_are_told_by_the_query() {
    let path = "/2019-09-30/functions/fn/provisioned-concurrency";
    let of = |query: &str| decoded(&request("GET", &format!("{path}?{query}"), &[], "")).0;
    assert_eq!(of("Qualifier=live"), "GetProvisionedConcurrencyConfig");
    assert_eq!(of("List=ALL"), "ListProvisionedConcurrencyConfigs");
}

#[test]
fn every_protocol_says_the_same() {
    let json = json!({
        "Namespace": "N",
        "MetricData": [{
            "MetricName": "m", "Timestamp": 1_700_000_000.5, "Value": 2.5,
            "Dimensions": [{ "Name": "a", "Value": "b" }],
        }],
    });
    let target = [("x-amz-target", "GraniteServiceVersion20100801.PutMetricData")];
    assert_eq!(decoded(&request("POST", "/", &target, json.to_string())).1, json);
    let form = "Action=PutMetricData&Version=2010-08-01&Namespace=N\
                &MetricData.member.1.MetricName=m&MetricData.member.1.Value=2.5\
                &MetricData.member.1.Timestamp=2023-11-14T22%3A13%3A20.500Z\
                &MetricData.member.1.Dimensions.member.1.Name=a\
                &MetricData.member.1.Dimensions.member.1.Value=b";
    assert_eq!(decoded(&request("POST", "/", &[FORM], form)).1, json);
    let operation = &CLOUDWATCH.operations["PutMetricData"];
    let shape = CLOUDWATCH.shape(operation.input.unwrap());
    let bytes = cbor::encode(&CLOUDWATCH, Some(shape), json.as_object().unwrap());
    let path = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
    assert_eq!(decoded(&request("POST", path, &[], bytes)).1, json);
}

#[test]
fn what_cannot_be_read_is_refused_in_the_protocol_of_the_request() {
    let target = [("x-amz-target", "CodeDeploy_20141006.GetDeployment")];
    for (body, words) in [("[1]", "Unexpected field type"), ("{", "The request body is not JSON")] {
        let request = request("POST", "/", &target, body);
        let route = Route::of(&request).unwrap();
        let answer = route.answer(Err(route.decode(&request).unwrap_err()), "id");
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &said["__type"]), (400, &json!("SerializationException")));
        assert!(said["message"].as_str().unwrap().starts_with(words), "{said}");
    }
    let wrong = request("POST", "/", &target, r#"{"deploymentId":7}"#);
    let fault = Route::of(&wrong).unwrap().decode(&wrong).unwrap_err();
    assert_eq!(fault.message, "NUMBER_VALUE can not be converted to a String");
}

#[test]
fn refusals_have_the_form_of_their_protocol() {
    let path = "/2015-03-31/functions/fn";
    let rest = Route::of(&request("GET", path, &[], "")).unwrap();
    let answer = rest.answer(Err(Fault::new("ResourceNotFoundException", "gone")), "id");
    assert_eq!(answer.status, 404);
    assert!(
        answer.headers.contains(&("x-amzn-errortype".into(), "ResourceNotFoundException".into()))
    );
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(said, json!({ "Type": "User", "Message": "gone" }));
    let throttled =
        Fault::new("TooManyRequestsException", "slow down").with("retryAfterSeconds", "1");
    let answer = rest.answer(Err(throttled), "id");
    assert_eq!(answer.status, 429);
    assert!(answer.headers.contains(&("retry-after".into(), "1".into())));

    let path = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms";
    let cbor = Route::of(&request("POST", path, &[], "")).unwrap();
    let answer = cbor.answer(Err(Fault::new("InvalidParameterValueException", "no")), "id");
    assert!(
        answer
            .headers
            .contains(&("x-amzn-query-error".into(), "InvalidParameterValue;Sender".into()))
    );
    let form = request("POST", "/", &[FORM], "Action=DescribeAlarms&Version=2010-08-01");
    let answer = Route::of_form(&form)
        .unwrap()
        .answer(Err(Fault::new("InvalidParameterValueException", "a < b")), "id");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(
        text.contains("<Code>InvalidParameterValue</Code><Message>a &lt; b</Message>"),
        "{text}"
    );
}

#[test]
fn an_operation_that_is_not_performed_is_refused_by_name() {
    let target = [("x-amz-target", "CodeDeploy_20141006.RegisterOnPremisesInstance")];
    let absent = request("POST", "/", &target, "{}");
    let fault = Route::of(&absent).unwrap().decode(&absent).unwrap_err();
    assert_eq!(
        fault.message,
        "The local cloud does not perform the operation RegisterOnPremisesInstance"
    );
    let scope = "AWS4-HMAC-SHA256 Credential=k/20261126/us-east-1/lambda/aws4_request, Signature=0";
    let unknown = request("PATCH", "/2015-03-31/functions/fn", &[("authorization", scope)], "");
    let fault = Route::of(&unknown).unwrap().decode(&unknown).unwrap_err();
    assert_eq!((fault.status(&LAMBDA), fault.code.as_str()), (404, "UnknownOperationException"));
}

#[test]
fn an_operation_without_output_answers_with_nothing() {
    let path = "/service/CodeDeploy_20141006/operation/DeleteApplication";
    let answer =
        Route::of(&request("POST", path, &[], "")).unwrap().answer(Ok(Output::default()), "id");
    assert!(answer.body.is_empty());
    assert!(!answer.headers.iter().any(|(name, _)| name == "content-type"));
    let path = "/2015-03-31/functions/fn/aliases/live";
    let answer =
        Route::of(&request("DELETE", path, &[], "")).unwrap().answer(Ok(Output::default()), "id");
    assert_eq!((answer.status, answer.body.len()), (204, 0));
}

fn validated(operation: &str, input: &Value) -> String {
    let shape = LAMBDA.operations[operation].input.unwrap();
    let findings = validate::findings(&LAMBDA, shape, input.as_object().unwrap());
    validate::message(&findings).unwrap_or_default()
}

/// The words are those that AWS answers with.
#[test]
fn constraints_are_told_in_awss_words() {
    let long = "a".repeat(141);
    for (operation, input, words) in [
        ("GetFunction", json!({ "FunctionName": "fn" }), String::new()),
        (
            "UntagResource",
            json!({ "Resource": "arn:aws:lambda:us-east-1:000000000000:function:fn" }),
            "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must \
             not be null".to_owned(),
        ),
        (
            "CreateAlias",
            json!({ "FunctionName": "fn", "Name": "live", "FunctionVersion": "1",
                    "RoutingConfig": { "AdditionalVersionWeights": { "2": 2.0 } } }),
            "1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed \
             to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or \
             equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"
                .to_owned(),
        ),
        (
            "CreateFunction",
            json!({ "FunctionName": "fn", "Role": "arn:aws:iam::000000000000:role/r", "Code": {},
                    "Architectures": ["X86_64"] }),
            "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: \
             Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member \
             must not be null]".to_owned(),
        ),
        (
            "DeleteFunctionConcurrency",
            json!({ "FunctionName": long }),
            format!(
                "1 validation error detected: Value '{long}' at 'functionName' failed to satisfy constraint: \
                 Member must have length less than or equal to 140"
            ),
        ),
        (
            "PutProvisionedConcurrencyConfig",
            json!({ "FunctionName": "fn", "Qualifier": "live", "ProvisionedConcurrentExecutions": 0 }),
            "1 validation error detected: Value '0' at 'provisionedConcurrentExecutions' failed to satisfy \
             constraint: Member must have value greater than or equal to 1".to_owned(),
        ),
    ] {
        let said = validated(operation, &input);
        assert!(said.starts_with(&words) && said.is_empty() == words.is_empty(), "{operation}: {said}");
    }
}

/// Answers in JSON are the tree itself.
#[test]
fn the_names_of_members_in_json_bodies_are_those_of_the_model() {
    for service in services() {
        let speaks_json = service.speaks(Protocol::Json) || service.speaks(Protocol::RestJson);
        let shapes = service.all_shapes().filter(|_| speaks_json);
        for (name, member) in shapes.flat_map(super::model::Shape::members) {
            let is_body = member.location.is_none();
            assert!(!is_body || *name == member.wire_name, "{name}");
        }
    }
}

#[test]
fn xml_that_was_written_is_read_back() {
    let operation = &CLOUDWATCH.operations["PutMetricData"];
    let id = operation.input.unwrap();
    let tree = json!({ "Namespace": "a<&>\"b", "MetricData": [{ "MetricName": "m", "Values": [1.0, 2.5] }] });
    let mut text = String::new();
    xml::element("Root", &mut text, |text| {
        xml::members(&CLOUDWATCH, CLOUDWATCH.shape(id), tree.as_object().unwrap(), text);
    });
    let read = xml::decode(&CLOUDWATCH, id, text.as_bytes()).unwrap();
    assert_eq!(Value::Object(read), tree);
    assert!(xml::decode(&CLOUDWATCH, id, b"<a><b></a>").is_err());
    assert!(matches!(CLOUDWATCH.shape(id).kind, Kind::Structure { .. }));
}

const PATH: &str = "/2015-03-31/functions/arn%3Aaws%3Alambda/a+b";

#[test]
fn segments_are_decoded_one_by_one() {
    let segments = request("GET", PATH, &[], "").segments();
    assert_eq!(segments, ["2015-03-31", "functions", "arn:aws:lambda", "a+b"]);
    assert_eq!(decode("a%2Fb&c=d%20e"), "a/b&c=d e");
}

#[test]
fn the_signature_tells_the_service() {
    let header = "AWS4-HMAC-SHA256 Credential=local/20261123/us-east-1/sts/aws4_request, \
                  SignedHeaders=host, Signature=0";
    let signed = request("GET", PATH, &[("authorization", header)], "");
    assert_eq!(signed.signed_service().as_deref(), Some("sts"));
    assert_eq!(signed.signing_key().as_deref(), Some("local"));
    let presigned = request("GET", "/?X-Amz-Credential=a%2F1%2Fr%2Fs3%2Faws4_request", &[], "");
    assert_eq!(presigned.signed_service().as_deref(), Some("s3"));
    assert_eq!(presigned.signing_key().as_deref(), Some("a"));
    assert_eq!(request("GET", PATH, &[], "").signed_service(), None);
    assert_eq!(request("GET", PATH, &[("authorization", "Bearer x")], "").signing_key(), None);
}
