//! Tags, code signing and small settings. Wordings marked so are AWS's own, as others recorded them.

use serde_json::{Value, json};

use super::*;

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Bench {
    fn tag(&mut self, arn: &str, pairs: &[(&str, &str)]) -> Result<(), ApiError> {
        self.lambda.tag(self.now, &mut self.ids, arn, tags(pairs))
    }

    fn sign(&mut self) -> String {
        let input = serde_json::from_value(json!({
            "AllowedPublishers": { "SigningProfileVersionArns": ["arn:aws:signer:::/p"] },
        }));
        let made =
            self.lambda.create_code_signing(self.now, &mut self.ids, input.unwrap()).unwrap();
        made["CodeSigningConfig"]["CodeSigningConfigArn"].as_str().unwrap().to_owned()
    }
}

#[test]
fn tags_of_a_function_move_its_revision() {
    let mut bench = Bench::with_versions(1);
    let before = bench.latest().revision_id;
    bench.tag(ARN, &[("a", "1"), ("b", "2")]).unwrap();
    assert_ne!(bench.latest().revision_id, before);
    bench.lambda.untag(bench.now, &mut bench.ids, ARN, &["a".into(), "c".into()]).unwrap();
    assert_eq!(bench.lambda.list_tags(ARN), Ok(tags(&[("b", "2")])));
    // AWS's wordings.
    let many: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
    let refused = bench.tag(ARN, &many).unwrap_err();
    assert_eq!(refused.message, "Number of tags exceeds resource tag limit.");
    let empty = bench.tag(ARN, &[]).unwrap_err();
    assert_eq!(empty.message, "An error occurred and the request cannot be processed.");
    let version = bench.tag(&format!("{ARN}:1"), &[("a", "1")]).unwrap_err();
    assert!(version.message.starts_with("Tags on function aliases and versions"), "{version}");
}

#[test]
fn other_resources_have_tags_too() {
    let mut bench = Bench::with_versions(1);
    let signing = bench.sign();
    bench.tag(&signing, &[("a", "1")]).unwrap();
    assert_eq!(bench.lambda.list_tags(&signing), Ok(tags(&[("a", "1")])));
    let input = json!({
        "FunctionName": "fn",
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q",
        "Tags": { "b": "2" },
    });
    let input = serde_json::from_value(input).unwrap();
    let mapping = bench.lambda.create_mapping(bench.now, &mut bench.ids, input).unwrap();
    assert!(mapping.get("Tags").is_none());
    let arn = mapping["EventSourceMappingArn"].as_str().unwrap();
    assert_eq!(bench.lambda.list_tags(arn), Ok(tags(&[("b", "2")])));
    let other = bench.lambda.home().resource_arn("event-source-mapping", "no");
    let absent = bench.lambda.list_tags(&other).unwrap_err();
    assert_eq!(absent.message, format!("Event source mapping not found: {other}"));
}

#[test]
fn a_code_signing_configuration_is_attached_to_functions() {
    let mut bench = Bench::with_versions(1);
    let arn = bench.sign();
    let shown = bench.lambda.get_code_signing(&arn).unwrap();
    assert_eq!(
        shown["CodeSigningConfig"]["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"],
        "Warn"
    );
    assert_eq!(bench.lambda.attached_code_signing("fn").unwrap(), json!({}));
    bench.lambda.attach_code_signing(bench.now, "fn", &arn).unwrap();
    let attached = bench.lambda.list_signed_functions(&arn, None, None).unwrap();
    assert_eq!(attached.items, [ARN]);
    assert_eq!(bench.lambda.delete_code_signing(&arn).unwrap_err().status, 409);
    bench.lambda.detach_code_signing(bench.now, "fn").unwrap();
    bench.lambda.delete_code_signing(&arn).unwrap();
    // AWS's wordings.
    let gone = bench.lambda.get_code_signing(&arn).unwrap_err();
    let message = format!("The Lambda code signing configuration {arn} can not be found.");
    assert_eq!(told(&gone), (404, "ResourceNotFoundException", message.as_str()));
    let gone = bench.lambda.attach_code_signing(bench.now, "no", &arn).unwrap_err();
    let message = format!(
        "The code signing configuration cannot be found. Check that the provided configuration is \
         not deleted: {arn}."
    );
    assert_eq!(told(&gone), (404, "CodeSigningConfigNotFoundException", message.as_str()));
}

#[test]
fn a_pinned_runtime_is_what_the_configuration_tells() {
    let mut bench = Bench::with_versions(1);
    let own = bench.latest().runtime_version_config.unwrap().runtime_version_arn;
    assert!(own.starts_with("arn:aws:lambda:us-east-1::runtime:"), "{own}");
    let shown = bench.lambda.get_runtime_management(bench.now, "fn", None).unwrap();
    assert_eq!(shown, json!({ "UpdateRuntimeOn": "Auto", "FunctionArn": ARN }));
    let put = |bench: &mut Bench, value: Value| {
        let input = serde_json::from_value(value).unwrap();
        bench.lambda.put_runtime_management(bench.now, "fn", None, input)
    };
    assert!(put(&mut bench, json!({ "UpdateRuntimeOn": "Manual" })).is_err());
    let manual = json!({ "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn:pinned" });
    assert_eq!(put(&mut bench, manual).unwrap()["RuntimeVersionArn"], "arn:pinned");
    let pinned = bench.latest().runtime_version_config.unwrap();
    assert_eq!(pinned.runtime_version_arn, "arn:pinned");
    put(&mut bench, json!({ "UpdateRuntimeOn": "Auto" })).unwrap();
    assert_eq!(bench.latest().runtime_version_config.unwrap().runtime_version_arn, own);
}

#[test]
fn loops_are_ended_unless_they_are_allowed() {
    let mut bench = Bench::with_versions(1);
    assert_eq!(bench.lambda.get_recursion("fn").unwrap(), json!({ "RecursiveLoop": "Terminate" }));
    bench.lambda.put_recursion(bench.now, "fn", "Allow").unwrap();
    assert_eq!(bench.lambda.get_recursion("fn").unwrap(), json!({ "RecursiveLoop": "Allow" }));
}

#[test]
fn the_scaling_of_a_version_is_shown_as_it_was_asked_for() {
    let mut bench = Bench::with_versions(1);
    let config = json!({ "MinExecutionEnvironments": 1 });
    bench.lambda.put_scaling(bench.now, "fn", "1", Some(config.clone())).unwrap();
    let shown = bench.lambda.get_scaling(bench.now, "fn", "1").unwrap();
    assert_eq!(shown["RequestedFunctionScalingConfig"], config);
    assert_eq!(shown["FunctionArn"], format!("{ARN}:1"));
}
