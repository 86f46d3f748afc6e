//! The environment variables of a function's process: AWS's, and the function's own among them.

use std::ffi::OsString;
use std::path::Path;

use super::said::initialization_type;
use super::view::View;
use super::{Job, RuntimeSettings, log_group};
use crate::iam;
use crate::lambda::archive::hex_sha256;
use crate::sts::Session;

/// AWS's X-Ray daemon. Nothing answers there: what is sent to it is lost, as it is without tracing.
const XRAY: (&str, &str) = ("127.0.0.1", "2000");

/// What an environment is made of.
pub(super) struct Place<'a> {
    /// Where it sees its code and the built-in clients.
    pub(super) view: &'a View,
    /// Its scratch directory.
    pub(super) scratch: &'a Path,
    /// Its log stream.
    pub(super) stream: &'a str,
    /// Where programs are looked for.
    pub(super) path: &'a OsString,
    /// The environment's number.
    pub(super) id: u64,
}

/// The variables of a function's process.
pub(super) fn of(
    settings: &RuntimeSettings,
    job: &Job,
    place: &Place<'_>,
) -> Vec<(OsString, OsString)> {
    let route = &job.route;
    let configuration = &route.deployed.configuration;
    let runtime = configuration.runtime.as_deref().unwrap_or_default();
    let is_managed = !runtime.starts_with("provided");
    let mut all: Vec<(OsString, OsString)> = Vec::new();
    let mut set = |name: &str, value: OsString| all.push((name.into(), value));
    // A function's own LANG, TZ or PATH may replace these; the ones further down it may not.
    set("PATH", programs(place));
    set("LD_LIBRARY_PATH", libraries(place.view));
    set("LANG", "en_US.UTF-8".into());
    set("TZ", ":UTC".into());
    if !place.view.is_aws {
        set("HOME", place.scratch.into());
        set("TMPDIR", place.scratch.into());
        // Never the developer's own profiles and keys, which a view of AWS's does not show.
        set("AWS_CONFIG_FILE", "/dev/null".into());
        set("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into());
        set("AWS_EC2_METADATA_DISABLED", "true".into());
    }
    if is_managed {
        set("PWD", place.view.root.clone().into());
        set("SHLVL", "0".into());
    }
    set("AWS_ENDPOINT_URL", settings.endpoint_url.clone().into());
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".into());
    set("AWS_XRAY_DAEMON_ADDRESS", format!("{}:{}", XRAY.0, XRAY.1).into());
    set("_AWS_XRAY_DAEMON_ADDRESS", XRAY.0.into());
    set("_AWS_XRAY_DAEMON_PORT", XRAY.1.into());
    for (name, value) in &configuration.variables {
        set(name, value.into());
    }
    set("_HANDLER", configuration.handler.clone().unwrap_or_default().into());
    set("LAMBDA_TASK_ROOT", place.view.root.clone().into());
    set("LAMBDA_RUNTIME_DIR", place.view.clients.clone().into());
    set("AWS_REGION", job.home.region.clone().into());
    set("AWS_DEFAULT_REGION", job.home.region.clone().into());
    let (key, secret) = iam::function_keys(place.id);
    set("AWS_SESSION_TOKEN", session(job).token(&key).into());
    set("AWS_ACCESS_KEY_ID", key.into());
    set("AWS_SECRET_ACCESS_KEY", secret.into());
    set("AWS_LAMBDA_FUNCTION_NAME", route.function.clone().into());
    set("AWS_LAMBDA_FUNCTION_VERSION", route.version.clone().into());
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", configuration.memory_size.to_string().into());
    set("AWS_LAMBDA_LOG_GROUP_NAME", log_group(route).into());
    set("AWS_LAMBDA_LOG_STREAM_NAME", place.stream.into());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", initialization_type(job.is_provisioned).into());
    if let Some(logging) = &configuration.logging_config
        && logging["LogFormat"] == "JSON"
    {
        set("AWS_LAMBDA_LOG_FORMAT", "JSON".into());
        set(
            "AWS_LAMBDA_LOG_LEVEL",
            logging["ApplicationLogLevel"].as_str().unwrap_or("INFO").into(),
        );
    }
    if is_managed {
        set("AWS_EXECUTION_ENV", format!("AWS_Lambda_{runtime}").into());
        // Stderr, which goes into the same pipe as stdout: the order of all output is kept.
        set("_LAMBDA_TELEMETRY_LOG_FD", "2".into());
    }
    all
}

/// Whom the function's own calls are made by.
fn session(job: &Job) -> Session {
    let route = &job.route;
    let role = &route.deployed.configuration.role;
    // One that does not exist has always the same id all the same.
    let made_up = || format!("AROA{}", &hex_sha256(role.as_bytes()).to_ascii_uppercase()[..17]);
    let role_id = job.role_id.clone().unwrap_or_else(made_up);
    // AWS: a session's name has two characters at least.
    let name = match route.function.len() {
        1 => format!("{}@lambda_function", route.function),
        _ => route.function.clone(),
    };
    // A role of another account, as a manifest for AWS may name it, makes no calls to that account.
    Session::of_role(role, &role_id, &name, &job.home.account)
}

/// Where libraries are looked for, in AWS's order.
fn libraries(view: &View) -> OsString {
    let mut all = OsString::from("/var/lang/lib:/lib64:/usr/lib64");
    for part in [&view.clients, &view.clients.join("lib"), &view.root, &view.root.join("lib")] {
        all.push(":");
        all.push(part);
    }
    for layer in &view.layers {
        all.push(":");
        all.push(layer.join("lib"));
    }
    if view.layers.is_empty() {
        all.push(":/opt/lib");
    }
    all
}

/// Where programs are looked for: on the machine's path, and then in the layers.
fn programs(place: &Place<'_>) -> OsString {
    let mut all = place.path.clone();
    for layer in &place.view.layers {
        all.push(":");
        all.push(layer.join("bin"));
    }
    all
}
