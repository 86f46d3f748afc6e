//! Versions: published, listed, deleted.

use super::*;

#[test]
fn publishing_the_same_again_gives_the_same_version() {
    let mut bench = Bench::with_versions(1);
    let described = PublishVersion { description: Some("new".into()), ..PublishVersion::default() };
    let again = bench.publish(&described).unwrap();
    assert_eq!((again.version.as_str(), again.description.as_str()), ("1", ""));
    bench.update_code("code 0", false).unwrap();
    bench.settle();
    assert_eq!(bench.publish(&PublishVersion::default()).unwrap().version, "1");
    bench
        .configure(ConfigurationInput { timeout: Some(9), ..ConfigurationInput::default() })
        .unwrap();
    bench.settle();
    let second = bench.publish(&PublishVersion::default()).unwrap();
    assert_eq!(second.version, "2");
    assert_eq!(second.function_arn, format!("{ARN}:2"));
    assert_eq!((second.state, second.last_update_status), (Some("Active"), Some("Successful")));
}

#[test]
fn a_description_of_a_version_does_not_count_as_a_change() {
    let mut bench = Bench::with_versions(1);
    bench.update_code("other", false).unwrap();
    bench.settle();
    let described = PublishVersion { description: Some("two".into()), ..PublishVersion::default() };
    assert_eq!(bench.publish(&described).unwrap().description, "two");
    assert_eq!(bench.publish(&PublishVersion::default()).unwrap().version, "2");
    assert_eq!(bench.latest().description, "");
}

#[test]
fn publishing_acts_only_on_the_code_and_revision_it_names() {
    let mut bench = Bench::with_versions(1);
    let current = bench.latest();
    let code = PublishVersion { code_sha256: Some("x".into()), ..PublishVersion::default() };
    let message = format!(
        "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({}). Please try again \
         with the CodeSHA256 in $LATEST.",
        current.code_sha256
    );
    let refused = bench.publish(&code).unwrap_err();
    assert_eq!(told(&refused), (400, "InvalidParameterValueException", message.as_str()));
    let revision = PublishVersion { revision_id: Some("x".into()), ..PublishVersion::default() };
    assert_eq!(bench.publish(&revision).unwrap_err().status, 412);
    bench.update_code("code 9", false).unwrap();
    bench.settle();
    let latest = bench.latest();
    let right = PublishVersion {
        code_sha256: Some(latest.code_sha256),
        revision_id: Some(latest.revision_id.clone()),
        description: None,
    };
    assert_eq!(bench.publish(&right).unwrap().version, "2");
    assert_ne!(
        bench.latest().revision_id,
        latest.revision_id,
        "publishing moves $LATEST's revision"
    );
}

#[test]
fn uploading_and_publishing_at_once_gives_a_pending_version() {
    let mut bench = Bench::with_versions(1);
    let input = UpdateFunctionCode { publish: true, ..UpdateFunctionCode::default() };
    let version = bench
        .lambda
        .update_function_code(bench.now, &mut bench.ids, "fn", &input, zip("two"))
        .unwrap();
    assert_eq!(version.version, "2");
    assert_eq!((version.state, version.state_reason_code), (Some("Pending"), Some("Creating")));
    let route = |bench: &mut Bench| bench.lambda.route(bench.now, &mut bench.ids, "fn", Some("2"));
    assert_eq!(route(&mut bench).unwrap_err().status, 409);
    bench.settle();
    assert_eq!(route(&mut bench).unwrap().version, "2");
}

#[test]
fn creating_and_publishing_at_once_tells_of_the_version_by_the_functions_arn() {
    let mut bench = Bench::empty();
    let input = CreateFunction { publish: true, ..new_function("fn") };
    let made = bench.lambda.create_function(bench.now, &mut bench.ids, input, zip("x")).unwrap();
    assert_eq!((made.function_arn.as_str(), made.version.as_str()), (ARN, "1"));
    bench.settle();
    let first = bench.lambda.get_function_configuration(bench.now, "fn", Some("1")).unwrap();
    let revisions = [made.revision_id, bench.latest().revision_id, first.revision_id];
    assert_eq!(BTreeSet::from(revisions).len(), 3, "each has its own");
}

#[test]
fn versions_that_aliases_name_cannot_be_deleted() {
    let mut bench = Bench::with_versions(3);
    bench.create_alias("live", "1", &[("2", 0.5)]).unwrap();
    bench.create_alias("pin", "1", &[]).unwrap();
    let refused = bench.delete(Some("1")).unwrap_err();
    assert_eq!(
        told(&refused),
        (
            409,
            "ResourceConflictException",
            "Unable to delete version because the following aliases reference it: [live, pin]"
        )
    );
    assert_eq!(bench.delete(Some("2")).unwrap_err().status, 409);
    assert_eq!(bench.delete(Some("3")), Ok(()));
    assert_eq!(bench.delete(Some("3")), Ok(()), "absent versions are no error");
    assert_eq!(bench.delete(Some("99")), Ok(()));
    let latest = bench.delete(Some("$LATEST")).unwrap_err();
    assert_eq!(
        told(&latest),
        (
            400,
            "InvalidParameterValueException",
            "$LATEST version cannot be deleted without deleting the function."
        )
    );
}

#[test]
fn version_numbers_are_never_used_twice() {
    let mut bench = Bench::with_versions(3);
    bench.delete(None).unwrap();
    assert_eq!(bench.delete(None).unwrap_err().message, format!("Function not found: {ARN}"));
    bench.create("fn").unwrap();
    bench.settle();
    assert_eq!(bench.publish(&PublishVersion::default()).unwrap().version, "4");
}

#[test]
fn versions_are_listed_latest_first_then_by_number() {
    let bench = Bench::with_versions(11);
    let page = bench.lambda.list_versions(bench.now, "fn", None, None).unwrap();
    let versions: Vec<&str> = page.items.iter().map(|item| item.version.as_str()).collect();
    assert_eq!(versions, ["$LATEST", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
    let first = bench.lambda.list_versions(bench.now, "fn", None, Some(2)).unwrap();
    let second = bench.lambda.list_versions(bench.now, "fn", first.next_marker.as_deref(), Some(2));
    assert_eq!(second.unwrap().items[0].version, "2");
}
