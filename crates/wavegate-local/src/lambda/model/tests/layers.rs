//! Layers. Wordings marked so are AWS's own, as others recorded them.

use serde_json::{Value, json};

use super::*;

const LAYER: &str = "arn:aws:lambda:us-east-1:000000000000:layer:libs";

impl Bench {
    fn publish_layer(&mut self, name: &str, text: &str) -> Value {
        let input = PublishLayer {
            compatible_runtimes: Some(vec!["python3.13".into()]),
            ..PublishLayer::default()
        };
        self.lambda.publish_layer_version(self.now, name, input, zip(text)).unwrap()
    }

    fn lay(&mut self, arns: &[&str]) -> Result<FunctionConfiguration, ApiError> {
        let layers = arns.iter().map(|arn| (*arn).to_owned()).collect();
        self.configure(ConfigurationInput { layers: Some(layers), ..ConfigurationInput::default() })
    }
}

#[test]
fn versions_of_a_layer_are_numbered_and_no_number_is_used_twice() {
    let mut bench = Bench::empty();
    let first = bench.publish_layer("libs", "one");
    assert_eq!((&first["Version"], &first["LayerArn"]), (&json!(1), &json!(LAYER)));
    assert_eq!(first["LayerVersionArn"], format!("{LAYER}:1"));
    bench.publish_layer(LAYER, "one");
    let by_arn = bench.lambda.get_layer_version_by_arn(&format!("{LAYER}:1")).unwrap();
    assert_eq!((by_arn, &first["Content"]["CodeSize"]), (first.clone(), &json!(1)));
    let filter = LayerFilter::default();
    let list = |bench: &Bench, marker: Option<&str>, max| {
        bench.lambda.list_layer_versions("libs", &filter, marker, max).unwrap()
    };
    let page = list(&bench, None, Some(1));
    assert_eq!(page.items[0]["Version"], 2, "the newest first");
    assert_eq!(list(&bench, page.next_marker.as_deref(), None).items[0]["Version"], 1);
    for number in [1, 2, 2, 9] {
        bench.lambda.delete_layer_version("libs", number).unwrap();
    }
    assert!(list(&bench, None, None).items.is_empty());
    assert!(bench.lambda.list_layers(&filter, None, None).items.is_empty());
    assert_eq!(bench.publish_layer("libs", "one")["Version"], 3);
    // AWS's wordings.
    let none = bench.lambda.get_layer_version("libs", 0).unwrap_err();
    assert_eq!(none.message, "Layer Version Cannot be less than 1");
    let absent = bench.lambda.get_layer_version("libs", 1).unwrap_err();
    assert_eq!(absent.message, "The resource you requested does not exist.");
}

#[test]
fn a_list_of_layers_keeps_what_is_made_for_a_runtime() {
    let mut bench = Bench::empty();
    bench.publish_layer("libs", "one");
    let of = |runtime: &str| {
        let filter =
            LayerFilter { compatible_runtime: Some(runtime.into()), ..LayerFilter::default() };
        bench.lambda.list_layers(&filter, None, None).items
    };
    assert_eq!(of("python3.13")[0]["LatestMatchingVersion"]["Version"], 1);
    assert!(of("nodejs22.x").is_empty());
}

#[test]
fn a_function_keeps_the_layers_it_was_laid_over() {
    let mut bench = Bench::with_versions(1);
    bench.publish_layer("libs", "content");
    let arn = format!("{LAYER}:1");
    let shown = bench.lay(&[&arn]).unwrap();
    assert_eq!((shown.layers[0].arn.as_str(), shown.layers[0].code_size), (arn.as_str(), 1));
    bench.settle();
    bench.lambda.delete_layer_version("libs", 1).unwrap();
    assert_eq!(bench.latest().layers.len(), 1, "also when the version is deleted");
    assert!(bench.lambda.code_in_use().contains(zip("content").sha256()));
    assert_eq!(bench.publish(&PublishVersion::default()).unwrap().version, "2", "a change");
    assert!(bench.lay(&[]).unwrap().layers.is_empty());
}

#[test]
fn layers_that_a_function_cannot_have_are_refused_in_the_words_of_aws() {
    let mut bench = Bench::with_versions(1);
    bench.publish_layer("libs", "one");
    bench.publish_layer("libs", "two");
    let (one, two) = (format!("{LAYER}:1"), format!("{LAYER}:2"));
    let mut refused = |arns: &[&str]| bench.lay(arns).unwrap_err().message;
    assert_eq!(
        refused(&[&one, &two]),
        format!(
            "Two different versions of the same layer are not allowed to be referenced in the same \
             function. {one} and {two} are versions of the same layer."
        )
    );
    let absent = format!("{LAYER}:9");
    assert_eq!(refused(&[&absent]), format!("Layer version {absent} does not exist."));
    assert_eq!(
        refused(&[&one.replace("us-east-1", "eu-west-1")]),
        "Layers are not in the same region as the function. Layers are expected to be in region \
         us-east-1."
    );
    assert_eq!(refused(&["a:1"; 6]), "Cannot reference more than 5 layers.");
}

#[test]
fn a_version_of_a_layer_has_a_policy_of_its_own() {
    let mut bench = Bench::empty();
    bench.publish_layer("libs", "one");
    let input = |id: &str, revision: Option<&str>| AddLayerPermission {
        statement_id: id.into(),
        action: "lambda:GetLayerVersion".into(),
        principal: "*".into(),
        revision_id: revision.map(Into::into),
        ..AddLayerPermission::default()
    };
    let none = bench.lambda.get_layer_policy("libs", 1).unwrap_err().message;
    assert_eq!(none, "No policy is associated with the given resource.");
    let (lambda, ids) = (&mut bench.lambda, &mut bench.ids);
    let added = lambda.add_layer_permission(ids, "libs", 1, &input("s1", None)).unwrap();
    assert_eq!(
        added["Statement"],
        format!(
            r#"{{"Sid":"s1","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"{LAYER}:1"}}"#
        )
    );
    let policy = lambda.get_layer_policy("libs", 1).unwrap();
    assert_eq!(added["RevisionId"], policy.revision_id);
    let stale = lambda.add_layer_permission(ids, "libs", 1, &input("s2", Some("stale")));
    assert!(stale.unwrap_err().message.contains("Call the GetLayerPolicy API"));
    let again = lambda.add_layer_permission(ids, "libs", 1, &input("s1", None)).unwrap_err();
    assert_eq!(again.status, 409);
    let absent = lambda.add_layer_permission(ids, "libs", 2, &input("s1", None)).unwrap_err();
    assert_eq!(absent.message, format!("Layer version {LAYER}:2 does not exist."));
    let revision = Some(policy.revision_id.as_str());
    lambda.remove_layer_permission(ids, "libs", 1, "s1", revision).unwrap();
    assert!(lambda.get_layer_policy("libs", 1).is_err());
}
