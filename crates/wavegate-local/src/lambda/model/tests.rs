//! The rules, as recorded on AWS.

mod aliases;
mod beside;
mod layers;
mod policies;
mod running;
mod settings;
mod versions;

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
    Code::Zip { sha256: crate::lambda::archive::hex_sha256(text.as_bytes()), size: 1 }
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
fn what_cannot_be_created_is_refused_in_words() {
    let mut bench = Bench::empty();
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
