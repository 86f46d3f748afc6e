//! The shape of `deploy.toml`, as serde types from which the JSON Schema is derived.
//!
//! The schema made here is the one truth about keys: it is printed by `wavegate schema`, kept in
//! `docs/`, and it is what [`crate::shape`] holds a manifest against; its `default`s are the built-in
//! layer. Doc comments become descriptions. Every field is optional here, because layers may leave
//! out what another gives; what must be there in the end is [`crate::check`]'s affair.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A serverless app that wavegate deploys: its functions, how they depend on each other, and how
/// each one's traffic moves to a new version.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "deploy.toml")]
pub(crate) struct Root {
    app: Option<App>,
    codedeploy: Option<CodeDeploy>,
    /// Keys of a function, merged under every function: tables merge, all else is replaced.
    defaults: Option<Function>,
    /// The functions by name.
    functions: Option<BTreeMap<String, Function>>,
    /// Strategies by the name that a function's `strategy` says.
    strategies: Option<BTreeMap<String, Strategy>>,
    /// Hooks by the name that a function's `hooks` say.
    hooks: Option<BTreeMap<String, Hook>>,
    /// Alarms by the name that a function's `alarms` say.
    alarms: Option<BTreeMap<String, Alarm>>,
    /// Plugins by name: libraries whose components can be used beside those that ship with wavegate.
    plugins: Option<BTreeMap<String, Plugin>>,
    local: Option<Local>,
    /// Profiles by name: each is merged over the file when it is chosen.
    profiles: Option<BTreeMap<String, Overlay>>,
}

/// What a profile may change: anything but profiles.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Overlay {
    app: Option<App>,
    codedeploy: Option<CodeDeploy>,
    /// Keys of a function, merged under every function.
    defaults: Option<Function>,
    /// The functions by name.
    functions: Option<BTreeMap<String, Function>>,
    /// Strategies by name.
    strategies: Option<BTreeMap<String, Strategy>>,
    /// Hooks by name.
    hooks: Option<BTreeMap<String, Hook>>,
    /// Alarms by name.
    alarms: Option<BTreeMap<String, Alarm>>,
    /// Plugins by name.
    plugins: Option<BTreeMap<String, Plugin>>,
    local: Option<Local>,
}

/// The app as a whole.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct App {
    /// The app's name: 1 to 40 letters, digits, `-` or `_`. Locks and history are filed under it.
    #[schemars(length(min = 1, max = 40), extend("examples" = ["shop"]))]
    pub(crate) name: Option<String>,
    /// The alias that every function serves its traffic behind.
    #[schemars(extend("default" = "live"))]
    pub(crate) alias: Option<String>,
    /// Where the app is deployed.
    #[schemars(extend("default" = "local"))]
    pub(crate) target: Option<Target>,
    /// The AWS region. Without it the AWS config chain decides.
    #[schemars(extend("examples" = ["ap-northeast-2"]))]
    pub(crate) region: Option<String>,
    /// Who moves the traffic.
    #[schemars(extend("default" = "native"))]
    pub(crate) engine: Option<Engine>,
    /// What a failure does to the release.
    #[schemars(extend("default" = "rollback"))]
    pub(crate) on_failure: Option<OnFailure>,
    /// How far a rollback reaches beyond the functions that have not finished.
    #[schemars(extend("default" = "app"))]
    pub(crate) rollback_scope: Option<RollbackScope>,
    /// What alarms do that cannot be read for ten minutes while traffic is shifted.
    #[schemars(extend("default" = "rollback"))]
    pub(crate) on_blind: Option<OnBlind>,
    /// How many functions may shift traffic at the same time.
    #[schemars(range(min = 1, max = 1000), extend("default" = 16))]
    pub(crate) max_parallel: Option<u32>,
    /// How many published versions of each function are kept after a success. A version that an
    /// alias names, and the one just replaced, are never deleted.
    #[schemars(range(min = 1, max = 1000), extend("default" = 3))]
    pub(crate) keep_versions: Option<u32>,
    /// The bucket through which packages of more than 50 MB go.
    #[schemars(extend("examples" = ["my-artifacts"]))]
    pub(crate) artifact_bucket: Option<String>,
    /// How many calls a second the release may make to Lambda's control plane. 15 on AWS unless
    /// said otherwise, unlimited on the local cloud.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) requests_per_second: Option<u32>,
}

/// Where an app is deployed.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Target {
    /// The embedded local cloud.
    Local,
    /// AWS, or any endpoint that speaks its protocols.
    Aws,
}

/// Who moves the traffic.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    /// wavegate moves the weights of the alias.
    Native,
    /// AWS CodeDeploy moves them, on a clock of its own, which goes on when wavegate is gone.
    CodeDeploy,
}

/// How AWS CodeDeploy moves the traffic of functions with `engine = "codedeploy"`. What stands under
/// the top-level `codedeploy` is for the whole app; a function's own lies over it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeDeploy {
    /// The ARN of the service role that CodeDeploy acts with. Needed on AWS, unless a `group` is
    /// named.
    #[schemars(extend("examples" = ["arn:aws:iam::123456789012:role/codedeploy"]))]
    pub(crate) role: Option<String>,
    /// The application that the deployment group is in: one that exists, or one to be made. It is
    /// `wavegate-` and the app's name, unless said otherwise.
    #[schemars(extend("examples" = ["shop"]))]
    pub(crate) application: Option<String>,
    /// A deployment group that somebody else made, such as SAM, for one function: it is used as it
    /// is. Without it wavegate makes one for each function.
    #[schemars(extend("examples" = ["shop-auth"]))]
    pub(crate) group: Option<String>,
    /// Whether a deployment goes on if CodeDeploy cannot read its alarms.
    #[schemars(extend("default" = false))]
    pub(crate) ignore_unreadable_alarms: Option<bool>,
    /// The SNS topics that CodeDeploy tells of its deployments.
    #[schemars(extend("examples" = [[{
        "name": "failed",
        "topic": "arn:aws:sns:eu-west-1:123456789012:deployments",
        "events": ["DeploymentFailure"],
    }]]))]
    pub(crate) triggers: Option<Vec<Trigger>>,
}

/// An SNS topic that CodeDeploy tells.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trigger {
    /// Its name.
    #[schemars(length(min = 1), extend("examples" = ["failed"]))]
    pub(crate) name: Option<String>,
    /// The topic's ARN.
    #[schemars(extend("examples" = ["arn:aws:sns:eu-west-1:123456789012:deployments"]))]
    pub(crate) topic: Option<String>,
    /// What it is told of.
    #[schemars(extend(
        "items" = { "type": "string", "enum": TRIGGER_EVENTS },
        "examples" = [["DeploymentFailure"]],
    ))]
    pub(crate) events: Option<Vec<String>>,
}

/// CodeDeploy's words for what a topic can be told of. It tells of functions what begins with
/// `Deployment`, and takes the others all the same. Source: `TriggerEventType` of its API model.
pub(crate) const TRIGGER_EVENTS: [&str; 10] = [
    "DeploymentStart",
    "DeploymentSuccess",
    "DeploymentFailure",
    "DeploymentStop",
    "DeploymentRollback",
    "DeploymentReady",
    "InstanceStart",
    "InstanceSuccess",
    "InstanceFailure",
    "InstanceReady",
];

/// What a failure does to the release.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFailure {
    /// Put back what `rollback_scope` says.
    Rollback,
    /// Stop where it stands and wait for a person.
    Freeze,
}

/// How far a rollback reaches.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RollbackScope {
    /// Everything that the release promoted.
    App,
    /// The failed function and all that depends on it.
    Dependents,
    /// The failed function alone.
    Function,
}

/// What alarms that cannot be read for too long do.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnBlind {
    /// The watch has failed: do what `on_failure` says.
    Rollback,
    /// Pause the release until somebody lets it go on.
    Pause,
}

/// One function, or the defaults of all.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Function {
    /// The code: a directory or a `.zip` file, relative to the manifest, or `s3://bucket/key`.
    #[schemars(length(min = 1), extend("examples" = ["functions/auth"]))]
    pub(crate) code: Option<String>,
    /// A container image's URI, in place of `code`.
    #[schemars(length(min = 1), extend("examples" = ["123456789012.dkr.ecr.eu-west-1.amazonaws.com/auth:7"]))]
    pub(crate) image: Option<String>,
    /// The function's name in Lambda. Its key, unless said otherwise.
    #[schemars(length(min = 1, max = 64), extend("examples" = ["shop-auth"]))]
    pub(crate) name: Option<String>,
    /// The handler, as the runtime spells it. Needed unless there is an `image`.
    #[schemars(length(min = 1, max = 128), extend("examples" = ["app.handler"]))]
    pub(crate) handler: Option<String>,
    /// The runtime's identifier. Needed unless there is an `image`.
    #[schemars(length(min = 1, max = 64), extend("examples" = ["python3.13"]))]
    pub(crate) runtime: Option<String>,
    /// The execution role's ARN. Needed on AWS.
    #[schemars(extend("examples" = ["arn:aws:iam::123456789012:role/shop"]))]
    pub(crate) role: Option<String>,
    /// Memory, such as `256MB` or `1GB`.
    #[schemars(extend("default" = "128MB", "examples" = ["256MB"]))]
    pub(crate) memory: Option<String>,
    /// How long an invocation may take, in whole seconds.
    #[schemars(extend("default" = "3s", "examples" = ["10s"]))]
    pub(crate) timeout: Option<String>,
    /// Environment variables. Numbers and booleans are taken as the text they are written as.
    #[schemars(extend("examples" = [{ "LOG_LEVEL": "info" }]))]
    pub(crate) environment: Option<BTreeMap<String, Scalar>>,
    /// The function's description.
    #[schemars(length(max = 256), extend("examples" = ["signs people in"]))]
    pub(crate) description: Option<String>,
    /// The processor architecture.
    #[schemars(extend("default" = "x86_64"))]
    pub(crate) architecture: Option<Architecture>,
    /// ARNs of layer versions, in order.
    #[schemars(extend("examples" = [["arn:aws:lambda:eu-west-1:123456789012:layer:deps:7"]]))]
    pub(crate) layers: Option<Vec<String>>,
    /// Size of `/tmp`, such as `512MB` or `2GB`.
    #[schemars(extend("default" = "512MB", "examples" = ["1GB"]))]
    pub(crate) ephemeral_storage: Option<String>,
    /// Whether X-Ray traces invocations.
    #[schemars(extend("default" = "passthrough"))]
    pub(crate) tracing: Option<Tracing>,
    /// The VPC that the function runs in.
    #[schemars(extend("examples" = [{ "subnets": ["subnet-1"], "security_groups": ["sg-1"] }]))]
    pub(crate) vpc: Option<Vpc>,
    /// The ARN of the queue or topic for asynchronous invocations that failed.
    #[schemars(extend("examples" = ["arn:aws:sqs:eu-west-1:123456789012:dead"]))]
    pub(crate) dead_letter: Option<String>,
    /// The functions that must be done before this one takes traffic.
    #[schemars(extend("examples" = [["auth"]]))]
    pub(crate) depends_on: Option<Vec<String>>,
    /// How traffic moves: the name of a `[strategies.NAME]` table, or an AWS deployment config such
    /// as `Canary10Percent5Minutes`, `Linear10PercentEvery1Minute` or `AllAtOnce`.
    #[schemars(extend("default" = "AllAtOnce", "examples" = ["Canary10Percent5Minutes"]))]
    pub(crate) strategy: Option<String>,
    /// Who moves the traffic, if it is another than the app's.
    #[schemars(extend("examples" = ["codedeploy"]))]
    pub(crate) engine: Option<Engine>,
    /// How CodeDeploy moves the traffic, over what is said for the whole app.
    #[schemars(extend("examples" = [{ "application": "shop", "group": "shop-auth" }]))]
    pub(crate) codedeploy: Option<CodeDeploy>,
    /// The names of the `[alarms.NAME]` tables that are watched from the first shift to the end of
    /// the bake.
    #[schemars(extend("examples" = [["errors"]]))]
    pub(crate) alarms: Option<Vec<String>>,
    /// The hooks by phase.
    #[schemars(extend("examples" = [{ "pre_traffic": ["smoke"] }]))]
    pub(crate) hooks: Option<Hooks>,
    /// How long the alarms are watched after promotion. `1m` if there are alarms, else `0s`.
    #[schemars(extend("examples" = ["5m"]))]
    pub(crate) bake: Option<String>,
}

/// A processor architecture.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
pub(crate) enum Architecture {
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// Graviton.
    #[serde(rename = "arm64")]
    Arm64,
}

/// Whether X-Ray traces invocations.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tracing {
    /// Lambda samples and traces.
    Active,
    /// Only what the caller traces.
    Passthrough,
}

/// Where in a VPC a function runs. Lambda wants both lists.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vpc {
    /// Subnet ids.
    #[schemars(extend("examples" = [["subnet-1"]]))]
    pub(crate) subnets: Option<Vec<String>>,
    /// Security group ids.
    #[schemars(extend("examples" = [["sg-1"]]))]
    pub(crate) security_groups: Option<Vec<String>>,
}

/// Hooks of a function by phase: names of `[hooks.NAME]` tables, in the order they run.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hooks {
    /// Before the candidate takes any traffic.
    #[schemars(extend("examples" = [["smoke"]]))]
    pub(crate) pre_traffic: Option<Vec<String>>,
    /// After promotion.
    #[schemars(extend("examples" = [["verify"]]))]
    pub(crate) post_traffic: Option<Vec<String>>,
    /// After the function was put back. These are told and cannot block a rollback.
    #[schemars(extend("examples" = [["tell"]]))]
    pub(crate) on_rollback: Option<Vec<String>>,
}

/// A strategy: a component and the keys that belong to it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Strategy {
    /// The component's id: `canary`, `linear`, `all-at-once` or another that ships with wavegate, or
    /// one of a plugin's. All other keys are its own.
    #[serde(rename = "use")]
    #[schemars(extend("examples" = ["canary"]))]
    pub(crate) component: Option<String>,
}

/// A hook: a component and the keys that belong to it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Hook {
    /// The component's id: `lambda`, `command` or another that ships with wavegate, or one of a
    /// plugin's. All keys but `timeout` are its own.
    #[serde(rename = "use")]
    #[schemars(extend("examples" = ["command"]))]
    pub(crate) component: Option<String>,
    /// How long the hook may take in all, waits between tries included.
    #[schemars(extend("default" = "1m", "examples" = ["1m"]))]
    pub(crate) timeout: Option<String>,
}

/// An alarm: a component and the keys that belong to it.
#[derive(Default, Deserialize, JsonSchema)]
pub(crate) struct Alarm {
    /// The component's id: `cloudwatch-metric`, `cloudwatch-alarm` or another that ships with
    /// wavegate, or one of a plugin's. All keys but `if_already_alarming` are its own.
    #[serde(rename = "use")]
    #[schemars(extend("examples" = ["cloudwatch-metric"]))]
    pub(crate) component: Option<String>,
    /// What to do when the alarm is red before anything was changed.
    #[schemars(extend("default" = "fail"))]
    pub(crate) if_already_alarming: Option<IfAlreadyAlarming>,
}

/// What to do about an alarm that is red before the release starts.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IfAlreadyAlarming {
    /// Refuse to start.
    Fail,
    /// Start, and do not count the alarm until it has been quiet once.
    Ignore,
    /// Prepare, and hold the first shift until the alarm is quiet.
    Wait,
}

/// A plugin: a library whose strategies, hooks and alarm providers can be used.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plugin {
    /// The library, relative to the manifest and without what each platform adds to its file's name,
    /// `lib` and the extension. Needed. The system's loader never searches for it.
    #[schemars(length(min = 1), extend("examples" = ["plugins/ladder"]))]
    pub(crate) path: Option<String>,
    /// Where the plugin runs.
    #[schemars(extend("default" = "process"))]
    pub(crate) isolation: Option<Isolation>,
    /// Names of the environment variables that an isolated plugin sees. It sees no others.
    #[schemars(extend("examples" = [["AWS_REGION"]]))]
    pub(crate) env: Option<Vec<String>>,
    /// How long one call of a strategy, a validation or a reading of alarms may take, in real time.
    /// Hooks have a `timeout` of their own.
    #[schemars(extend("default" = "10s", "examples" = ["30s"]))]
    pub(crate) timeout: Option<String>,
    /// How many calls may be on their way to the plugin at the same time.
    #[schemars(range(min = 1, max = 100_000), extend("default" = 1024))]
    pub(crate) max_in_flight: Option<u32>,
    /// The most memory that an isolated plugin's process may allocate, such as `256MB` or `1GB`.
    #[schemars(extend("default" = "1GB", "examples" = ["256MB"]))]
    pub(crate) memory: Option<String>,
    /// Whether the library is one of the plugins that ship with wavegate, and takes the place of the
    /// one that is linked in.
    #[schemars(extend("default" = false))]
    pub(crate) builtin: Option<bool>,
    /// The library's SHA-256 by target triple, as `wavegate plugin pin` writes it: 64 lower-case
    /// hexadecimal digits.
    #[schemars(extend("examples" = [{ "x86_64-unknown-linux-gnu":
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }]))]
    pub(crate) sha256: Option<BTreeMap<String, String>>,
}

/// Where a plugin runs.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Isolation {
    /// In a process of its own, which can crash, hang or be killed without harm to a release.
    Process,
    /// In wavegate's own process, trusted as wavegate itself.
    InProcess,
}

/// The local cloud; only for `target = "local"`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Local {
    /// How many seconds pass in one: at 60, ten minutes pass in ten seconds.
    #[schemars(range(min = 0.01, max = 100_000.0), extend("default" = 1))]
    pub(crate) time_scale: Option<f64>,
    /// Requests sent to each alias while a release runs.
    #[schemars(extend("examples" = [{ "rps": 20 }]))]
    pub(crate) traffic: Option<Traffic>,
    /// The rate above which the local cloud throttles, as AWS would. Unlimited unless given.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) requests_per_second: Option<u32>,
    /// The port on loopback. A free one is taken unless given.
    #[schemars(range(min = 1, max = 65_535))]
    pub(crate) port: Option<u16>,
    /// Refuse roles that do not exist or that Lambda may not assume, as AWS does. Any role is taken
    /// unless given.
    #[schemars(extend("default" = false))]
    pub(crate) check_roles: Option<bool>,
}

/// Traffic made by wavegate itself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traffic {
    /// Requests a second to each alias, in real time.
    #[schemars(range(min = 0.0, max = 10_000.0))]
    pub(crate) rps: Option<f64>,
}

/// The value of an environment variable: text, or what is written like a number or a boolean.
#[derive(Deserialize)]
pub(crate) struct Scalar(Value);

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": ["string", "integer", "number", "boolean"] })
    }
}

/// The JSON Schema (draft 2020-12) of `deploy.toml`.
///
/// It says what a file that stands alone needs. Keys that variables or flags may give are required
/// all the same: a file that leans on them is an exception, which an editor may point out.
pub fn schema() -> Value {
    let mut schema = shape().clone();
    let needs = |keys: &[&str]| json!({ "required": keys });
    let uses = json!({ "additionalProperties": needs(&["use"]) });
    schema["required"] = json!(["app", "functions"]);
    // Lists are replaced and not merged, so every layer's triggers are whole.
    schema["$defs"]["Trigger"]["required"] = json!(["name", "topic", "events"]);
    schema["allOf"] = json!([{ "properties": {
        "app": needs(&["name"]), "strategies": uses, "hooks": uses, "alarms": uses,
        "plugins": { "additionalProperties": needs(&["path"]) },
    } }]);
    schema
}

/// The schema without what is required, which holds for each layer alone too.
pub(crate) fn shape() -> &'static Value {
    static SHAPE: OnceLock<Value> = OnceLock::new();
    SHAPE.get_or_init(|| {
        let tidy = RecursiveTransform(|schema: &mut Schema| {
            if let Some(object) = schema.as_object_mut() {
                tidy(object);
            }
        });
        let generator = SchemaSettings::draft2020_12().with_transform(tidy).into_generator();
        generator.into_root_schema_for::<Root>().to_value()
    })
}

/// Takes out what Rust's types bring along and TOML has not: null, and widths of integers.
fn tidy(schema: &mut Map<String, Value>) {
    let is_null = |value: &Value| *value == json!("null") || *value == json!({ "type": "null" });
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| !is_null(name));
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|schema| !is_null(schema));
        if let [Value::Object(only)] = any.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                schema.entry(key).or_insert(value);
            }
        }
    }
    // Doc comments are wrapped; descriptions are not.
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace("\n\n", "\r").replace('\n', " ").replace('\r', "\n\n");
    }
    let is_width = |format: &Value| {
        format
            .as_str()
            .is_some_and(|f| f.starts_with("uint") || f.starts_with("int") || f == "double")
    };
    if schema.get("format").is_some_and(is_width) {
        schema.remove("format");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_no_null() {
        assert!(!shape().to_string().contains("null"), "{}", shape());
    }

    #[test]
    fn no_layer_must_have_any_key() {
        assert!(!shape().to_string().contains("\"required\""), "{}", shape());
    }

    #[test]
    fn every_key_is_described() {
        for (name, definition) in shape()["$defs"].as_object().unwrap() {
            for (key, schema) in definition["properties"].as_object().into_iter().flatten() {
                let described = schema.get("description").is_some() || schema.get("$ref").is_some();
                assert!(described, "{name}.{key}: {schema}");
            }
        }
    }
}
