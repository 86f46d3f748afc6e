//! What stands beside functions. Wordings marked so are AWS's own, as others recorded them.

use serde_json::{Value, json};

use super::*;
use crate::rows::Keeper as _;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:orders";

fn mapping(function: &str) -> MappingInput {
    serde_json::from_value(json!({ "FunctionName": function, "EventSourceArn": QUEUE })).unwrap()
}

impl Bench {
    fn map(&mut self, function: &str) -> Result<Value, ApiError> {
        self.lambda.create_mapping(self.now, &mut self.ids, mapping(function))
    }

    fn create_url(&mut self, qualifier: Option<&str>) -> Result<Value, ApiError> {
        let input = UrlInput { auth_type: Some("NONE".into()), ..UrlInput::default() };
        self.lambda.create_url(self.now, &mut self.ids, "fn", qualifier, input)
    }

    pub(super) fn provision(&mut self, qualifier: &str) -> Result<Value, ApiError> {
        self.lambda.put_provisioned(self.now, &mut self.ids, "fn", Some(qualifier), 1)
    }

    fn ready(&mut self) {
        self.now += 60 * SETTLE;
        self.lambda.advance(self.now);
    }

    fn alias(&self, name: &str) -> AliasConfiguration {
        self.lambda.get_alias("fn", name).unwrap()
    }
}

#[test]
fn a_mapping_calls_exactly_the_qualifier_it_was_made_for() {
    let mut bench = Bench::with_versions(1);
    bench.create_alias("live", "1", &[]).unwrap();
    let bare = bench.map("fn").unwrap();
    assert_eq!((&bare["FunctionArn"], &bare["State"]), (&json!(ARN), &json!("Creating")));
    assert_eq!(bare["BatchSize"], 10);
    let live = bench.map("fn:live").unwrap();
    assert_eq!(live["FunctionArn"], format!("{ARN}:live"));
    let twin = bench.map("fn").unwrap_err();
    assert_eq!((twin.status, twin.code), (409, "ResourceConflictException"));
    assert!(twin.message.ends_with(bare["UUID"].as_str().unwrap()), "{twin}");
    assert_eq!(bench.map("fn:nobody").unwrap_err().message, "Function does not exist");
    bench.settle();
    let listed =
        |name| bench.lambda.list_mappings(bench.now, name, None, None, None).unwrap().items;
    assert_eq!(listed(None).len(), 2);
    assert_eq!(listed(Some("fn")).len(), 1, "a bare name is no wildcard");
    assert_eq!(listed(Some("fn:live"))[0]["State"], "Enabled");
}

#[test]
fn a_mapping_can_be_moved_switched_off_and_deleted() {
    let mut bench = Bench::with_versions(1);
    bench.create_alias("live", "1", &[]).unwrap();
    let id = bench.map("fn").unwrap()["UUID"].as_str().unwrap().to_owned();
    let busy = bench.lambda.delete_mapping(bench.now, &id).unwrap_err();
    // AWS's wording.
    let message = "Cannot delete the event source mapping because it is in use.";
    assert_eq!((busy.code, busy.message.as_str()), ("ResourceInUseException", message));
    bench.settle();
    let input = |value: Value| serde_json::from_value::<MappingInput>(value).unwrap();
    let moved = input(json!({ "FunctionName": "fn:live", "Enabled": false, "BatchSize": 3 }));
    let moved = bench.lambda.update_mapping(bench.now, &id, moved).unwrap();
    assert_eq!((&moved["State"], &moved["BatchSize"]), (&json!("Disabling"), &json!(3)));
    bench.settle();
    let shown = bench.lambda.get_mapping(bench.now, &id).unwrap();
    assert_eq!((&shown["State"], &shown["EventSourceArn"]), (&json!("Disabled"), &json!(QUEUE)));
    assert_eq!(shown["FunctionArn"], format!("{ARN}:live"));
    assert_eq!(bench.lambda.delete_mapping(bench.now, &id).unwrap()["State"], "Deleting");
    assert_eq!(bench.lambda.get_mapping(bench.now, &id).unwrap()["State"], "Deleting");
    bench.settle();
    assert_eq!(bench.lambda.get_mapping(bench.now, &id).unwrap_err().status, 404);
}

#[test]
fn a_mapping_outlives_its_function() {
    let mut bench = Bench::with_versions(1);
    let id = bench.map("fn").unwrap()["UUID"].as_str().unwrap().to_owned();
    bench.settle();
    bench.delete(None).unwrap();
    assert_eq!(bench.lambda.get_mapping(bench.now, &id).unwrap()["State"], "Enabled");
}

#[test]
fn what_a_mapping_may_say_depends_on_its_source() {
    const STREAM: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/s";
    let mut bench = Bench::with_versions(1);
    let mut map = |mut input: Value| {
        input["FunctionName"] = json!("fn");
        let input = serde_json::from_value(input).unwrap();
        bench.lambda.create_mapping(bench.now, &mut bench.ids, input)
    };
    // AWS's wordings.
    for (input, message) in [
        (json!({}), "Unrecognized event source."),
        (
            json!({ "EventSourceArn": QUEUE, "DestinationConfig": {} }),
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            json!({ "EventSourceArn": QUEUE, "BatchSize": 11 }),
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is \
             greater than 10",
        ),
        (
            json!({ "EventSourceArn": QUEUE, "FilterCriteria": { "Filters": [{ "Pattern": "x" }] } }),
            "Invalid filter pattern definition.",
        ),
        (
            json!({ "EventSourceArn": STREAM }),
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
             constraint: Member must not be null.",
        ),
        (
            json!({ "SelfManagedEventSource": {} }),
            "Required 'sourceAccessConfigurations' parameter is missing.",
        ),
    ] {
        assert_eq!(map(input.clone()).unwrap_err().message, message, "{input}");
    }
    let stream = json!({ "EventSourceArn": STREAM, "StartingPosition": "LATEST" });
    let made = map(stream.clone()).unwrap();
    assert_eq!(made["BatchSize"], 100);
    assert_eq!(made["DestinationConfig"], json!({ "OnFailure": {} }));
    assert_eq!(made["StateTransitionReason"], "User action");
    let twin = map(stream).unwrap_err().message;
    let id = made["UUID"].as_str().unwrap();
    assert_eq!(
        twin,
        format!(
            "The event source arn (\" {STREAM} \") and function (\" fn \") provided mapping \
             already exists. Please update or delete the existing mapping with UUID {id}"
        )
    );
    let off = json!({ "EventSourceArn": QUEUE, "Enabled": false });
    assert_eq!(map(off).unwrap()["State"], "Disabled");
}

#[test]
fn mappings_of_an_older_state_are_taken_over() {
    let mut bench = Bench::with_versions(1);
    let id = bench.map("fn").unwrap()["UUID"].as_str().unwrap().to_owned();
    let mut record = bench.lambda.record("fn").unwrap().clone();
    let mut mapping = bench.lambda.mappings[&id].clone();
    mapping.function.clear();
    record.beside.mappings.insert(id.clone(), mapping);
    let mut later = Bench::empty();
    later.lambda.restore([("fn".to_owned(), record)], BTreeMap::new());
    let shown = later.lambda.get_mapping(bench.now, &id).unwrap();
    assert_eq!(shown["FunctionArn"], ARN);
    assert!(later.lambda.record("fn").unwrap().beside.mappings.is_empty());
    assert_eq!(later.lambda.changes().unwrap().len(), 1, "and stored where they belong");
}

#[test]
fn a_url_is_on_the_function_or_an_alias_and_there_is_one_each() {
    let mut bench = Bench::with_versions(1);
    bench.create_alias("live", "1", &[]).unwrap();
    let made = bench.create_url(None).unwrap();
    assert_eq!((&made["FunctionArn"], &made["AuthType"]), (&json!(ARN), &json!("NONE")));
    assert_eq!(bench.create_url(None).unwrap_err().status, 409);
    let absent = bench.lambda.get_url(bench.now, "fn", Some("live")).unwrap_err();
    // AWS's wording.
    assert_eq!(absent.message, "The resource you requested does not exist.");
    let on_alias = bench.create_url(Some("live")).unwrap();
    assert!(on_alias.get("InvokeMode").is_none(), "AWS tells the mode to those who look");
    let shown = bench.lambda.get_url(bench.now, "fn", Some("live")).unwrap();
    assert_eq!(shown["InvokeMode"], "BUFFERED");
    // Once it was given, AWS answers every change with it.
    for (given, told) in [
        (None, None),
        (Some("RESPONSE_STREAM"), Some("RESPONSE_STREAM")),
        (None, Some("RESPONSE_STREAM")),
    ] {
        let input = UrlInput { invoke_mode: given.map(Into::into), ..UrlInput::default() };
        let updated = bench.lambda.update_url(bench.now, "fn", Some("live"), input).unwrap();
        assert_eq!(updated.get("InvokeMode"), told.map(|mode| json!(mode)).as_ref());
    }
    assert_eq!(bench.create_url(Some("no")).unwrap_err().message, "Function does not exist");
    assert_eq!(bench.lambda.list_urls("fn", None, None).unwrap().items.len(), 2);
    bench.lambda.delete_alias(bench.now, "fn", "live").unwrap();
    assert_eq!(bench.lambda.list_urls("fn", None, None).unwrap().items.len(), 1);
}

#[test]
fn provisioned_concurrency_goes_where_aws_lets_it() {
    let mut bench = Bench::with_versions(2);
    bench.create_alias("live", "1", &[]).unwrap();
    bench.create_alias("split", "1", &[("2", 0.1)]).unwrap();
    let version = |bench: &Bench| {
        let shown = bench.lambda.get_function_configuration(bench.now, "fn", Some("1"));
        shown.unwrap().revision_id
    };
    let before = version(&bench);
    // AWS's wordings.
    let unpublished =
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
    assert_eq!(bench.provision("$LATEST").unwrap_err().message, unpublished);
    assert_eq!(bench.provision("split").unwrap_err().status, 400, "not while it is split");
    assert_eq!(bench.provision("live").unwrap()["Status"], "IN_PROGRESS");
    assert_ne!(version(&bench), before, "the version has a new revision");
    let taken = bench.provision("1").unwrap_err();
    assert_eq!(taken.message, "Version is pointed by a Provisioned Concurrency alias");
    bench.provision("2").unwrap();
    bench.create_alias("other", "2", &[]).unwrap();
    let taken = bench.provision("other").unwrap_err();
    assert!(taken.message.starts_with("Alias can't be used"), "{taken}");
    bench.ready();
    let shown = bench.lambda.get_provisioned(bench.now, "fn", Some("live")).unwrap();
    assert_eq!(shown["Status"], "READY");
    bench.lambda.delete_provisioned(bench.now, "fn", Some("live")).unwrap();
    let gone = bench.lambda.get_provisioned(bench.now, "fn", Some("live")).unwrap_err();
    assert_eq!(gone.code, "ProvisionedConcurrencyConfigNotFoundException");
}

#[test]
fn concurrency_is_bounded_by_the_account_and_by_the_function() {
    let mut bench = Bench::with_versions(1);
    let provision = |bench: &mut Bench, requested| {
        let put =
            bench.lambda.put_provisioned(bench.now, &mut bench.ids, "fn", Some("1"), requested);
        put.map_err(|error| error.message)
    };
    // AWS's wordings.
    assert_eq!(
        provision(&mut bench, 1001).unwrap_err(),
        "Specified ConcurrentExecutions for function is greater than account's unreserved \
         concurrency [1000]."
    );
    assert_eq!(
        provision(&mut bench, 1000).unwrap_err(),
        "Specified ConcurrentExecutions for function decreases account's \
         UnreservedConcurrentExecution below its minimum value of [100]."
    );
    provision(&mut bench, 2).unwrap();
    let lower = bench.lambda.put_concurrency(bench.now, "fn", 1).unwrap_err().message;
    assert_eq!(
        lower,
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned \
         concurrency [2]."
    );
    bench.lambda.put_concurrency(bench.now, "fn", 2).unwrap();
    assert_eq!(
        provision(&mut bench, 3).unwrap_err(),
        "Requested Provisioned Concurrency should not be greater than the \
         reservedConcurrentExecution for function"
    );
    let qualified = bench.lambda.put_concurrency(bench.now, "fn:$LATEST", 1).unwrap_err().message;
    assert!(qualified.starts_with("This operation is permitted on Lambda functions only."));
}

#[test]
fn after_a_change_of_version_aws_routes_to_the_old_one_until_the_new_one_is_ready() {
    let mut bench = Bench::with_versions(2);
    bench.create_alias("live", "1", &[]).unwrap();
    bench.provision("live").unwrap();
    bench.ready();
    let promote = |version: &str| UpdateAlias {
        function_version: Some(version.into()),
        routing_config: routing(&[]),
        ..UpdateAlias::default()
    };
    let promoted = bench.update_alias("live", promote("2")).unwrap();
    assert_eq!(promoted.function_version, "2");
    assert_eq!(promoted.routing_config, routing(&[("1", 1.0)]), "AWS's own weights");
    let served = bench.lambda.route(bench.now, &mut bench.ids, "fn", Some("live")).unwrap();
    assert_eq!(served.version, "1");
    // A description, and weights that are cleared once more, leave the detour alone.
    for input in [
        UpdateAlias { description: Some("d".into()), ..UpdateAlias::default() },
        UpdateAlias { routing_config: routing(&[]), ..UpdateAlias::default() },
    ] {
        let touched = bench.update_alias("live", input).unwrap();
        assert_eq!(touched.routing_config, routing(&[("1", 1.0)]));
    }
    bench.now += 60 * SETTLE;
    let served = bench.lambda.route(bench.now, &mut bench.ids, "fn", Some("live")).unwrap();
    assert_eq!(served.version, "2");
    let during = bench.alias("live").revision_id;
    bench.lambda.advance(bench.now);
    let after = bench.alias("live");
    assert_eq!(after.routing_config, None);
    assert_ne!(after.revision_id, during, "AWS changed it");
}

#[test]
fn an_alias_without_provisioned_concurrency_changes_at_once() {
    let mut bench = Bench::with_versions(2);
    bench.create_alias("live", "1", &[]).unwrap();
    let input = UpdateAlias { function_version: Some("2".into()), ..UpdateAlias::default() };
    assert_eq!(bench.update_alias("live", input).unwrap().routing_config, None);
}

#[test]
fn settings_for_asynchronous_events_belong_to_a_qualifier() {
    let mut bench = Bench::with_versions(1);
    bench.create_alias("live", "1", &[]).unwrap();
    let before = bench.alias("live").revision_id;
    let input = EventInvokeInput { maximum_retry_attempts: Some(1), ..Default::default() };
    let made = bench.lambda.put_event_invoke(bench.now, "fn", Some("live"), input).unwrap();
    assert_eq!(made["FunctionArn"], format!("{ARN}:live"));
    assert_eq!(bench.alias("live").revision_id, before);
    assert_eq!(bench.lambda.get_event_invoke("fn", None).unwrap_err().status, 404);
}

#[test]
fn an_update_of_them_keeps_what_it_leaves_out_and_a_put_does_not() {
    let mut bench = Bench::with_versions(1);
    bench.create("other").unwrap();
    let input = |value: Value| serde_json::from_value::<EventInvokeInput>(value).unwrap();
    let put = |bench: &mut Bench, value| {
        bench.lambda.put_event_invoke(bench.now, "fn", None, input(value))
    };
    let both = json!({ "MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60 });
    put(&mut bench, both).unwrap();
    let fewer = input(json!({ "MaximumRetryAttempts": 0 }));
    let updated = bench.lambda.update_event_invoke(bench.now, "fn", None, fewer).unwrap();
    assert_eq!(updated["MaximumEventAgeInSeconds"], 60);
    let replaced = put(&mut bench, json!({ "MaximumRetryAttempts": 0 })).unwrap();
    assert!(replaced.get("MaximumEventAgeInSeconds").is_none());
    assert_eq!(replaced["FunctionArn"], format!("{ARN}:$LATEST"));
    assert_eq!(replaced["DestinationConfig"], json!({ "OnSuccess": {}, "OnFailure": {} }));
    let to = |arn: &str| json!({ "DestinationConfig": { "OnSuccess": { "Destination": arn } } });
    put(&mut bench, to(&ARN.replace(":fn", ":other"))).unwrap();
    for (arn, message) in [
        (ARN.to_owned(), "You can't specify the function as a destination for itself.".to_owned()),
        (
            ARN.replace(":fn", ":no"),
            format!("The destination ARN {ARN} is invalid.").replace(":fn", ":no"),
        ),
        (
            ARN.replace(":lambda:", ":iam:"),
            format!(
                "The provided destination config DestinationConfig(onSuccess=OnSuccess(\
                 destination={ARN}), onFailure=null) is invalid."
            )
            .replace(":lambda:", ":iam:"),
        ),
    ] {
        assert_eq!(put(&mut bench, to(&arn)).unwrap_err().message, message);
    }
    let nothing = put(&mut bench, json!({})).unwrap_err().message;
    assert!(nothing.starts_with("You must specify at least one of error handling"));
}
