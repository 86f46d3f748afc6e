//! The rules, as recorded on AWS.

mod beside;
mod layers;
mod running;
mod settings;

use std::collections::BTreeMap;

use super::*;
use crate::ids::SeededIds;
use crate::lambda::input::{
    Code, ConfigurationInput, CreateAlias, CreateFunction, PublishVersion, RoutingConfig,
    UpdateAlias, UpdateFunctionCode, UpdateFunctionConfiguration,
};
use crate::lambda::output::{AliasConfiguration, FunctionConfiguration};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:fn";
const SETTLE: i64 = 250;
const ROLE: &str = "arn:aws:iam::000000000000:role/r";

/// A model with a hand-moved clock.
struct Bench {
    lambda: Lambda,
    ids: SeededIds,
    now: i64,
}

impl Bench {
    fn empty() -> Self {
        let lambda = Lambda::new("us-east-1", "000000000000", SETTLE);
        Self { lambda, ids: SeededIds::from_seed(1), now: 1_000_000 }
    }

    /// With the function `fn` and so many versions of different code.
    fn with_versions(count: usize) -> Self {
        let mut bench = Self::empty();
        bench.create("fn").unwrap();
        for version in 0..count {
            if version > 0 {
                bench.update_code(&format!("code {version}"), false).unwrap();
            }
            bench.settle();
            bench.publish(&PublishVersion::default()).unwrap();
        }
        bench
    }

    fn settle(&mut self) {
        self.now += SETTLE;
    }

    fn create(&mut self, name: &str) -> Result<FunctionConfiguration, ApiError> {
        self.lambda.create_function(self.now, &mut self.ids, new_function(name), zip("code 0"))
    }

    fn update_code(&mut self, text: &str, dry: bool) -> Result<FunctionConfiguration, ApiError> {
        let input = UpdateFunctionCode { dry_run: dry, ..UpdateFunctionCode::default() };
        self.lambda.update_function_code(self.now, &mut self.ids, "fn", &input, zip(text))
    }

    fn configure(&mut self, change: ConfigurationInput) -> Result<FunctionConfiguration, ApiError> {
        let input = UpdateFunctionConfiguration { configuration: change, revision_id: None };
        self.lambda.update_function_configuration(self.now, &mut self.ids, "fn", input)
    }

    fn publish(&mut self, input: &PublishVersion) -> Result<FunctionConfiguration, ApiError> {
        self.lambda.publish_version(self.now, &mut self.ids, "fn", input)
    }

    fn latest(&self) -> FunctionConfiguration {
        self.lambda.get_function_configuration(self.now, "fn", None).unwrap()
    }

    fn create_alias(
        &mut self,
        name: &str,
        version: &str,
        weights: &[(&str, f64)],
    ) -> Result<AliasConfiguration, ApiError> {
        let input = CreateAlias {
            name: name.into(),
            function_version: version.into(),
            description: None,
            routing_config: routing(weights),
        };
        self.lambda.create_alias(self.now, &mut self.ids, "fn", input)
    }

    fn update_alias(
        &mut self,
        name: &str,
        input: UpdateAlias,
    ) -> Result<AliasConfiguration, ApiError> {
        self.lambda.update_alias(self.now, &mut self.ids, "fn", name, input)
    }

    fn delete(&mut self, qualifier: Option<&str>) -> Result<(), ApiError> {
        self.lambda.delete_function(self.now, "fn", qualifier)
    }
}

fn new_function(name: &str) -> CreateFunction {
    CreateFunction {
        function_name: name.into(),
        configuration: ConfigurationInput {
            runtime: Some("python3.13".into()),
            handler: Some("app.handler".into()),
            role: Some(ROLE.into()),
            ..ConfigurationInput::default()
        },
        ..CreateFunction::default()
    }
}

fn zip(text: &str) -> Code {
    Code::Zip { sha256: crate::lambda::archive::code_sha256(text.as_bytes()), size: 1 }
}

fn weights(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
    pairs.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "the shape requests have")]
fn routing(pairs: &[(&str, f64)]) -> Option<RoutingConfig> {
    Some(RoutingConfig { additional_version_weights: Some(weights(pairs)) })
}

fn told(error: &ApiError) -> (u16, &str, &str) {
    (error.status, error.code, error.message.as_str())
}

#[test]
fn the_alias_errors_are_those_recorded_on_aws() {
    const VALUE: &str = "failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]";
    type Case<'a> = (&'a str, &'a [(&'a str, f64)], u16, &'a str, String);
    let cases: &[Case<'_>] = &[
        ("1", &[("2", 0.1), ("3", 0.1)], 400, "InvalidParameterValueException",
         "Number of items in AdditionalVersionWeights cannot be greater than 1".into()),
        ("1", &[("2", 2.0)], 400, "ValidationException",
         format!("1 validation error detected: Value '{{2=2.0}}' at 'routingConfig.additionalVersionWeights' {VALUE}")),
        ("1", &[("2", -1.0)], 400, "ValidationException",
         format!("1 validation error detected: Value '{{2=-1.0}}' at 'routingConfig.additionalVersionWeights' {VALUE}")),
        ("1", &[("1", 0.5)], 400, "InvalidParameterValueException",
         "Invalid function version 1. Function version 1 is already included in routing configuration.".into()),
        ("$LATEST", &[("1", 0.5)], 400, "InvalidParameterValueException",
         "$LATEST is not supported for an alias pointing to more than 1 version".into()),
        ("10", &[], 404, "ResourceNotFoundException", format!("Function not found: {ARN}:10")),
        ("1", &[("10", 0.5)], 404, "ResourceNotFoundException", format!("Function not found: {ARN}:10")),
    ];
    let mut bench = Bench::with_versions(3);
    bench.create_alias("there", "1", &[]).unwrap();
    for (version, extra, status, code, message) in cases {
        let made = bench.create_alias("live", version, extra).unwrap_err();
        assert_eq!(told(&made), (*status, *code, message.as_str()));
        let input = UpdateAlias {
            function_version: Some((*version).into()),
            routing_config: routing(extra),
            ..UpdateAlias::default()
        };
        let updated = bench.update_alias("there", input).unwrap_err();
        assert_eq!(told(&updated), (*status, *code, message.as_str()));
    }
    let latest = bench.create_alias("live", "1", &[("$LATEST", 0.5)]).unwrap_err();
    assert_eq!(latest.code, "ValidationException");
    assert!(latest.message.contains("pattern: [0-9]+"), "{latest}");
    let digits = bench.create_alias("123", "1", &[]).unwrap_err();
    assert_eq!(digits.code, "ValidationException");
    assert!(digits.message.ends_with("pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"), "{digits}");
}

#[test]
fn absent_and_present_aliases_are_told_as_on_aws() {
    let mut bench = Bench::with_versions(1);
    bench.create_alias("live", "1", &[]).unwrap();
    let again = bench.create_alias("live", "1", &[]).unwrap_err();
    let message = format!("Alias already exists: {ARN}:live");
    assert_eq!(told(&again), (409, "ResourceConflictException", message.as_str()));
    let got = bench.lambda.get_alias("fn", "no").unwrap_err();
    let message = format!("Cannot find alias arn: {ARN}:no");
    assert_eq!(told(&got), (404, "ResourceNotFoundException", message.as_str()));
    let updated = bench.update_alias("no", UpdateAlias::default()).unwrap_err();
    let message = format!("Alias not found: {ARN}:no");
    assert_eq!(told(&updated), (404, "ResourceNotFoundException", message.as_str()));
    assert_eq!(bench.lambda.delete_alias(bench.now, "fn", "no"), Ok(()));
    assert_eq!(bench.create_alias("latest", "$LATEST", &[]).unwrap().function_version, "$LATEST");
}

#[test]
fn every_update_of_an_alias_gives_it_a_new_revision() {
    let mut bench = Bench::with_versions(2);
    let mut last = bench.create_alias("live", "1", &[("2", 0.1)]).unwrap();
    let function = bench.latest().revision_id;
    for _ in 0..3 {
        let next = bench.update_alias("live", UpdateAlias::default()).unwrap();
        assert_ne!(next.revision_id, last.revision_id);
        assert_eq!(next.routing_config, routing(&[("2", 0.1)]), "weights are kept when not sent");
        last = next;
    }
    let stale = UpdateAlias { revision_id: Some("stale".into()), ..UpdateAlias::default() };
    let refused = bench.update_alias("live", stale).unwrap_err();
    assert_eq!(
        told(&refused),
        (
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the \
             GetFunction/GetAlias API to retrieve the latest Revision Id"
        )
    );
    assert_eq!(bench.lambda.get_alias("fn", "live").unwrap(), last, "a refusal changes nothing");
    let promote = UpdateAlias {
        function_version: Some("2".into()),
        routing_config: routing(&[]),
        revision_id: Some(last.revision_id),
        ..UpdateAlias::default()
    };
    let promoted = bench.update_alias("live", promote).unwrap();
    assert_eq!((promoted.function_version.as_str(), promoted.routing_config), ("2", None));
    assert_eq!(bench.latest().revision_id, function, "aliases leave the function's revision alone");
}

#[test]
fn versions_of_a_weighted_alias_share_role_and_dead_letters() {
    for change in [
        ConfigurationInput { role: Some(format!("{ROLE}2")), ..ConfigurationInput::default() },
        ConfigurationInput {
            dead_letter_config: Some(crate::lambda::input::DeadLetterConfig {
                target_arn: Some("arn:aws:sqs:us-east-1:000000000000:q".into()),
            }),
            ..ConfigurationInput::default()
        },
    ] {
        let mut bench = Bench::with_versions(1);
        bench.configure(change).unwrap();
        bench.settle();
        bench.publish(&PublishVersion::default()).unwrap();
        let refused = bench.create_alias("live", "1", &[("2", 0.5)]).unwrap_err();
        assert_eq!(refused.code, "InvalidParameterValueException");
        assert!(bench.create_alias("live", "2", &[]).is_ok());
    }
}

#[test]
fn descriptions_of_aliases_hold_256_characters() {
    let mut bench = Bench::with_versions(1);
    bench.create_alias("live", "1", &[]).unwrap();
    let described =
        |text: String| UpdateAlias { description: Some(text), ..UpdateAlias::default() };
    let full = "é".repeat(256);
    assert_eq!(bench.update_alias("live", described(full.clone())).unwrap().description, full);
    let refused = bench.update_alias("live", described("é".repeat(257))).unwrap_err();
    assert_eq!(refused.code, "ValidationException");
}

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
fn transitions_take_their_time_and_change_the_revision() {
    let mut bench = Bench::empty();
    let created = bench.create("fn").unwrap();
    assert_eq!((created.state, created.state_reason_code), (Some("Pending"), Some("Creating")));
    assert_eq!(created.last_update_status, None);
    for refused in [
        bench.update_code("x", false).unwrap_err(),
        bench.configure(ConfigurationInput::default()).unwrap_err(),
        bench.publish(&PublishVersion::default()).unwrap_err(),
    ] {
        assert_eq!((refused.status, refused.code), (409, "ResourceConflictException"));
        assert!(refused.message.ends_with("following state: Pending"), "{refused}");
    }
    assert_eq!(bench.lambda.route(bench.now, &mut bench.ids, "fn", None).unwrap_err().status, 409);
    bench.settle();
    let active = bench.latest();
    assert_eq!((active.state, active.last_update_status), (Some("Active"), Some("Successful")));
    assert_ne!(active.revision_id, created.revision_id);
    assert_eq!(bench.latest().revision_id, active.revision_id, "reads are stable");

    let updating = bench.update_code("new", false).unwrap();
    assert_eq!(updating.last_update_status, Some("InProgress"));
    let refused = bench.update_code("newer", false).unwrap_err();
    let message = format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {ARN}"
    );
    assert_eq!(told(&refused), (409, "ResourceConflictException", message.as_str()));
    let old = bench.lambda.route(bench.now, &mut bench.ids, "fn", None).unwrap();
    assert_eq!(old.deployed.code, zip("code 0"), "invocations go to the old code meanwhile");
    bench.settle();
    assert_ne!(bench.latest().revision_id, updating.revision_id);
    let new = bench.lambda.route(bench.now, &mut bench.ids, "fn", None).unwrap();
    assert_eq!(new.deployed.code, zip("new"));
    assert_ne!(new.deployed.deployment, old.deployed.deployment);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut bench = Bench::with_versions(1);
    let before = bench.lambda.record("fn").unwrap().clone();
    let told = bench.update_code("other", true).unwrap();
    assert_eq!(told.code_sha256, zip("other").sha256());
    assert_eq!(bench.lambda.record("fn").unwrap(), &before);
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
fn lists_leave_out_how_a_version_fares() {
    let bench = Bench::with_versions(1);
    let listed = bench.lambda.list_versions(bench.now, "fn", None, None).unwrap().items;
    assert!(listed.iter().all(|it| it.state.is_none() && it.runtime_version_config.is_none()));
    assert!(bench.latest().runtime_version_config.is_some());
}

#[test]
fn an_environment_that_was_given_is_shown_even_when_it_is_empty() {
    let mut bench = Bench::with_versions(1);
    assert_eq!(bench.latest().environment, None);
    let empty = ConfigurationInput {
        environment: Some(crate::lambda::input::Environment::default()),
        ..ConfigurationInput::default()
    };
    assert!(bench.configure(empty).unwrap().environment.is_some());
}

#[test]
fn code_of_the_other_kind_is_refused() {
    let mut bench = Bench::with_versions(1);
    let image = crate::lambda::archive::code_of_image("shop:1");
    let input = UpdateFunctionCode::default();
    let refused =
        bench.lambda.update_function_code(bench.now, &mut bench.ids, "fn", &input, image.clone());
    assert_eq!(
        refused.unwrap_err().message,
        "Please don't provide ImageUri when updating a function with packageType Zip."
    );
    let mut input = new_function("image");
    let both =
        bench.lambda.create_function(bench.now, &mut bench.ids, input.clone(), image.clone());
    assert!(both.unwrap_err().message.starts_with("Please don't provide Handler or Runtime"));
    (input.configuration.runtime, input.configuration.handler) = (None, None);
    let made = bench.lambda.create_function(bench.now, &mut bench.ids, input, image).unwrap();
    assert_eq!((made.package_type.as_str(), made.runtime_version_config), ("Image", None));
}

#[test]
fn a_stranger_to_versions_and_aliases_is_absent_when_it_is_deleted() {
    let mut bench = Bench::with_versions(1);
    assert_eq!(bench.delete(Some("$latest")), Ok(()));
    let alias = bench.lambda.delete_function(bench.now, "no", Some("live")).unwrap_err();
    assert_eq!(alias.message, "Deletion of aliases is not currently supported.");
    let gone = bench.lambda.delete_function(bench.now, "no", Some("1")).unwrap_err();
    assert!(gone.message.ends_with(":function:no"), "{gone}");
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
fn a_weighted_alias_splits_by_chance_within_a_binomial_bound() {
    let mut bench = Bench::with_versions(2);
    bench.create_alias("live", "1", &[("2", 0.1)]).unwrap();
    let mut extra = 0_i32;
    for _ in 0..10_000 {
        let route = bench.lambda.route(bench.now, &mut bench.ids, "fn", Some("live")).unwrap();
        assert_eq!(route.alias.as_deref(), Some("live"));
        extra += i32::from(route.version == "2");
    }
    // Five standard deviations: sqrt(10000 * 0.1 * 0.9) = 30.
    assert!((1000 - extra).abs() < 150, "{extra}");
    let full = UpdateAlias { routing_config: routing(&[("2", 1.0)]), ..UpdateAlias::default() };
    bench.update_alias("live", full).unwrap();
    let all = (0..100).all(|_| {
        bench.lambda.route(bench.now, &mut bench.ids, "fn", Some("live")).unwrap().version == "2"
    });
    assert!(all);
}

#[test]
fn what_is_asked_for_is_what_the_arn_says() {
    let mut bench = Bench::with_versions(1);
    bench.create_alias("live", "1", &[]).unwrap();
    for (name, qualifier, arn, version) in [
        ("fn", None, ARN.to_owned(), "$LATEST"),
        ("fn", Some("$LATEST"), format!("{ARN}:$LATEST"), "$LATEST"),
        ("fn:live", None, format!("{ARN}:live"), "1"),
        (ARN, Some("1"), format!("{ARN}:1"), "1"),
    ] {
        let shown = bench.lambda.get_function_configuration(bench.now, name, qualifier).unwrap();
        assert_eq!((shown.function_arn, shown.version.as_str()), (arn, version));
    }
}

#[test]
fn pages_are_cut_and_continued() {
    let mut bench = Bench::empty();
    for number in 0..120 {
        bench.create(&format!("fn{number:03}")).unwrap();
    }
    let (mut names, mut marker, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = bench.lambda.list_functions(bench.now, false, marker.as_deref(), Some(10_000));
        names.extend(page.items.into_iter().map(|item| item.function_name));
        pages += 1;
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!((names.len(), pages), (120, 3));
    assert!(names.is_sorted());
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

#[test]
fn what_cannot_be_created_is_refused_with_all_reasons() {
    let mut bench = Bench::empty();
    let mut input = new_function("fn");
    input.configuration.timeout = Some(0);
    input.configuration.memory_size = Some(1);
    input.configuration.role = Some("nobody".into());
    let refused =
        bench.lambda.create_function(bench.now, &mut bench.ids, input, zip("x")).unwrap_err();
    assert!(refused.message.starts_with("3 validation errors detected"), "{refused}");
    for (change, wanted) in [
        (
            ConfigurationInput { runtime: Some("go1.x".into()), ..ConfigurationInput::default() },
            "go1.x is no longer supported",
        ),
        (
            ConfigurationInput {
                file_system_configs: Some(vec![serde_json::Value::Null]),
                ..ConfigurationInput::default()
            },
            "The local cloud has no file systems",
        ),
        (
            ConfigurationInput {
                environment: Some(crate::lambda::input::Environment {
                    variables: [("AWS_REGION".into(), "x".into())].into(),
                }),
                ..ConfigurationInput::default()
            },
            "Reserved keys used in this request: AWS_REGION",
        ),
    ] {
        let mut input = new_function("fn");
        input.configuration = ConfigurationInput {
            role: Some(ROLE.into()),
            handler: Some("a.b".into()),
            runtime: change.runtime.or(Some("nodejs22.x".into())),
            file_system_configs: change.file_system_configs,
            environment: change.environment,
            ..ConfigurationInput::default()
        };
        let refused =
            bench.lambda.create_function(bench.now, &mut bench.ids, input, zip("x")).unwrap_err();
        assert!(refused.message.contains(wanted), "{refused}");
    }
    assert_eq!(bench.lambda.function_count(), 0);
    bench.create("fn").unwrap();
    let again = bench.create("fn").unwrap_err();
    assert_eq!(told(&again), (409, "ResourceConflictException", "Function already exist: fn"));
}

#[test]
fn records_survive_their_json_form() {
    let mut bench = Bench::with_versions(2);
    bench.create_alias("live", "1", &[("2", 0.1)]).unwrap();
    bench.update_code("pending", false).unwrap();
    let record = bench.lambda.record("fn").unwrap();
    let text = serde_json::to_string(record).unwrap();
    assert_eq!(&serde_json::from_str::<FunctionRecord>(&text).unwrap(), record);
}

#[test]
fn a_first_permission_may_name_the_revision_of_what_it_is_for() {
    let mut bench = Bench::with_versions(1);
    let alias = bench.create_alias("live", "1", &[]).unwrap();
    let mut allow = |revision: &str| {
        let input = crate::lambda::input::AddPermission {
            statement_id: "s".into(),
            action: "lambda:InvokeFunction".into(),
            principal: "s3.amazonaws.com".into(),
            revision_id: Some(revision.into()),
            ..Default::default()
        };
        bench.lambda.add_permission(bench.now, &mut bench.ids, "fn", Some("live"), &input)
    };
    assert!(allow("wrong").unwrap_err().message.contains("Call the GetPolicy API"));
    allow(&alias.revision_id).unwrap();
    let policy = bench.lambda.get_policy("fn", Some("live")).unwrap();
    assert_ne!(policy.revision_id, alias.revision_id);
    assert_eq!(bench.lambda.get_alias("fn", "live").unwrap(), alias);
}

#[test]
fn what_a_policy_is_not_found_for_is_told_by_operation() {
    let mut bench = Bench::with_versions(1);
    let (now, ids) = (bench.now, &mut bench.ids);
    let mut remove = |name: &str, qualifier: Option<&str>| {
        bench.lambda.remove_permission(now, ids, name, qualifier, "s", None).unwrap_err().message
    };
    assert_eq!(remove("fn", None), "No policy is associated with the given resource.");
    assert!(remove("no", None).starts_with("No policy found for: arn:"));
    assert!(remove("fn", Some("no")).starts_with("Cannot find alias arn: arn:"));
    assert!(remove("fn", Some("7")).starts_with("Function not found: arn:"));
    let absent = bench.lambda.get_policy("no", None).unwrap_err().message;
    assert_eq!(absent, "The resource you requested does not exist.");
    let nobody = crate::lambda::input::AddPermission {
        statement_id: "s".into(),
        action: "lambda:InvokeFunction".into(),
        principal: "nobody.example.com".into(),
        ..Default::default()
    };
    let refused = bench.lambda.add_permission(now, &mut bench.ids, "fn", None, &nobody);
    assert!(refused.unwrap_err().message.starts_with("The provided principal was invalid."));
}

#[test]
fn a_policy_that_is_put_replaces_the_permissions_that_were_added() {
    let mut bench = Bench::with_versions(1);
    let (now, ids, lambda) = (bench.now, &mut bench.ids, &mut bench.lambda);
    let input = crate::lambda::input::AddPermission {
        statement_id: "s".into(),
        action: "lambda:InvokeFunction".into(),
        principal: "s3.amazonaws.com".into(),
        ..Default::default()
    };
    lambda.add_permission(now, ids, "fn", None, &input).unwrap();
    let text = r#"{"Version":"2012-10-17","Statement":[{"Sid":"t","Effect":"Allow","Principal":"*","Action":"lambda:*"}]}"#;
    let put = lambda.put_resource_policy(now, ids, ARN, text, None).unwrap();
    let policy = lambda.get_policy("fn", None).unwrap();
    assert_eq!(put["RevisionId"], policy.revision_id);
    assert!(
        policy
            .policy
            .contains(r#"{"Sid":"t","Effect":"Allow","Principal":"*","Action":"lambda:*"}"#)
    );
    let stale = lambda.delete_resource_policy(now, ARN, Some("stale")).unwrap_err();
    assert!(stale.message.contains("Call the GetResourcePolicy API"), "{stale}");
    lambda.delete_resource_policy(now, ARN, None).unwrap();
    assert_eq!(lambda.get_resource_policy(ARN).unwrap_err().status, 404);
    for text in ["", "{}", r#"{"Statement":[]}"#] {
        assert!(lambda.put_resource_policy(now, ids, ARN, text, None).is_err(), "{text}");
    }
}

#[test]
fn a_policy_does_not_grow_without_end() {
    let mut bench = Bench::with_versions(1);
    let mut allow = |id: &str| {
        let input = crate::lambda::input::AddPermission {
            statement_id: id.into(),
            action: "lambda:InvokeFunction".into(),
            principal: "s3.amazonaws.com".into(),
            source_arn: Some(format!("arn:aws:s3:::{}", "x".repeat(10_000))),
            ..Default::default()
        };
        bench.lambda.add_permission(bench.now, &mut bench.ids, "fn", None, &input)
    };
    allow("a").unwrap();
    let refused = allow("b").unwrap_err();
    assert_eq!(refused.code, "PolicyLengthExceededException");
    assert!(refused.message.ends_with("is bigger than the limit (20480)."), "{refused}");
}

#[test]
fn policies_are_kept_per_qualifier() {
    let mut bench = Bench::with_versions(1);
    let input = crate::lambda::input::AddPermission {
        statement_id: "s".into(),
        action: "lambda:InvokeFunction".into(),
        principal: "s3.amazonaws.com".into(),
        ..Default::default()
    };
    let (now, ids) = (bench.now, &mut bench.ids);
    bench.lambda.add_permission(now, ids, "fn", None, &input).unwrap();
    assert_eq!(bench.lambda.add_permission(now, ids, "fn", None, &input).unwrap_err().status, 409);
    let policy = bench.lambda.get_policy("fn", None).unwrap();
    let statement =
        r#"{"Sid":"s","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"#;
    assert!(policy.policy.contains(statement), "in AWS's order: {}", policy.policy);
    assert_eq!(bench.lambda.get_policy("fn", Some("1")).unwrap_err().status, 404);
    let stale = bench.lambda.remove_permission(now, ids, "fn", None, "s", Some("stale"));
    assert!(stale.unwrap_err().message.contains("Call the GetPolicy API"));
    bench.lambda.remove_permission(now, ids, "fn", None, "s", None).unwrap();
    assert_eq!(bench.lambda.get_policy("fn", None).unwrap_err().status, 404);
}
