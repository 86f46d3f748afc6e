//! What the user wants: the app as `deploy.toml` describes it, checked and typed.
//!
//! `wavegate-config` makes it; nothing here knows about files, TOML or positions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::codedeploy::{Called, Engine};
use crate::name::{AliasName, AppName, FunctionName};

/// A whole app.
#[derive(Debug, Clone, PartialEq)]
pub struct AppSpec {
    /// The app's name.
    pub name: AppName,
    /// The alias that every function serves its traffic behind.
    pub alias: AliasName,
    /// What a failure does.
    pub on_failure: OnFailure,
    /// How far a rollback reaches.
    pub rollback_scope: RollbackScope,
    /// What alarms that cannot tell for too long do.
    pub on_blind: OnBlind,
    /// How many functions may move at once.
    pub max_parallel: usize,
    /// How many published versions of each function are kept after a success.
    pub keep_versions: usize,
    /// The functions by name.
    pub functions: BTreeMap<FunctionName, FunctionSpec>,
}

impl AppSpec {
    /// The hooks that CodeDeploy calls for functions of the app.
    pub fn called_by_codedeploy(&self) -> Called<'_> {
        self.functions.values().filter_map(|function| function.engine.group()).collect()
    }
}

/// What a failure does to the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Put back what the scope says.
    #[default]
    Rollback,
    /// Stop where it stands and wait for a person.
    Freeze,
}

/// What alarms do to a release that cannot be read for [`crate::release::limits::BLIND`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBlind {
    /// The watch has failed: what a failure does is done.
    #[default]
    Rollback,
    /// Nothing goes up, and a person is to look.
    Pause,
}

/// What a rollback puts back beside the functions that have not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RollbackScope {
    /// Everything that the release promoted.
    #[default]
    App,
    /// The failed function and all that depends on it.
    Dependents,
    /// The failed function alone.
    Function,
}

/// One function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionSpec {
    /// Its key in the manifest.
    pub name: FunctionName,
    /// Its name in Lambda; the key, unless `name` says else.
    pub lambda_name: FunctionName,
    /// Where its code comes from.
    pub code: CodeSource,
    /// Its configuration.
    pub config: FunctionConfig,
    /// The functions that must be done before this one takes traffic.
    pub depends_on: BTreeSet<FunctionName>,
    /// How its traffic moves.
    pub strategy: ComponentUse,
    /// Who moves it.
    pub engine: Engine,
    /// Its hooks. Those that CodeDeploy calls are in its group.
    pub hooks: Hooks,
    /// Its alarms.
    pub alarms: Vec<AlarmUse>,
    /// How long its alarms are watched after promotion.
    pub bake: Duration,
}

/// Where a function's code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeSource {
    /// A directory to package, or a `.zip` file to take as it is.
    Path(PathBuf),
    /// An object that is already in S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// A container image.
    Image(String),
}

/// A function's configuration, in Lambda's words and units. The default has nothing in it, which is
/// what a function has of which nothing is known; it is no configuration that Lambda would take.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FunctionConfig {
    /// The runtime's identifier; absent for images.
    pub runtime: Option<String>,
    /// The handler; absent for images.
    pub handler: Option<String>,
    /// The execution role's ARN.
    pub role: String,
    /// Memory in MiB.
    pub memory_mb: u32,
    /// Timeout in seconds.
    pub timeout_s: u32,
    /// Environment variables.
    pub environment: BTreeMap<String, Secret>,
    /// The function's own description.
    pub description: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Layer version ARNs in order.
    pub layers: Vec<String>,
    /// Size of `/tmp` in MiB.
    pub ephemeral_storage_mb: u32,
    /// Whether X-Ray traces actively.
    pub tracing: bool,
    /// The VPC, if any.
    pub vpc: Option<Vpc>,
    /// The dead-letter target's ARN, if any.
    pub dead_letter: Option<String>,
}

/// Where in a VPC a function runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vpc {
    /// Subnet ids.
    pub subnets: BTreeSet<String>,
    /// Security group ids.
    pub security_groups: BTreeSet<String>,
}

/// A value that must never be shown: environment variables may hold credentials.
///
/// It has no `Display`, and its `Debug` hides the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one call that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// JSON text that belongs to a component: the core carries it and never looks inside.
///
/// Values from the environment may be in it, so its `Debug` hides the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque(pub String);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opaque(…)")
    }
}

/// A component and the config that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentUse {
    /// The name of the table it was written under, such as `careful`, or the AWS name it came from.
    pub name: String,
    /// The component's id, such as `canary`.
    pub component: String,
    /// The component's own keys.
    pub config: Opaque,
}

/// The hooks of one function, by phase, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Before the candidate takes any traffic.
    pub pre_traffic: Vec<HookUse>,
    /// After promotion.
    pub post_traffic: Vec<HookUse>,
    /// After the function was put back. Told, never asked: they cannot block a rollback.
    pub on_rollback: Vec<HookUse>,
}

/// One use of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookUse {
    /// The hook and its config.
    pub hook: ComponentUse,
    /// How long it may take in all, waits between tries included.
    pub timeout: Duration,
}

/// One use of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmUse {
    /// The alarm and its config.
    pub alarm: ComponentUse,
    /// What to do when it is red before anything was changed.
    pub if_already_alarming: IfAlreadyAlarming,
}

/// What to do about an alarm that is red before the release starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfAlreadyAlarming {
    /// Refuse to start.
    #[default]
    Fail,
    /// Start, and do not count the alarm until it has been quiet once.
    Ignore,
    /// Start preparing, and hold the first shift until the alarm is quiet.
    Wait,
}
