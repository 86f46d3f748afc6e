//! `deploy.toml` to a checked [`Manifest`], with positions.
//!
//! [`Draft::read`] reads the file, lays the layers on each other (built-in defaults < file < profile <
//! `WAVEGATE_*` variables < flags) and holds the result against the schema; [`Draft::check`] holds it
//! against itself, and against the components that there are once the manifest's plugins were loaded;
//! [`load`] does both at once. Every problem is reported at once: each with a stable code, its place,
//! and the fix. [`set_plugin_pin`] makes the one change to a manifest's text that is not a person's.
//!
//! Invariants: the environment and the flags are passed in, and the only thing read beside the file
//! is whether code paths exist; values from the environment never reach a message or a `Debug`; any
//! text is answered, none panics. Deliberately absent: what components think of their config (they
//! say so through [`Manifest::problem`]), plugins themselves (whoever loads them says so through
//! [`Draft::problem`]), and anything of AWS beyond the form of names and ARNs.

mod aws_name;
mod check;
mod code;
mod codedeploy;
mod components;
mod draft;
mod file;
mod findings;
mod function;
pub mod import;
mod interpolate;
mod layer;
mod nearest;
mod node;
mod pin;
mod plugins;
mod problem;
#[expect(
    dead_code,
    reason = "the types are the schema; many keys are read from the tree, with their places"
)]
mod raw;
mod shape;
mod units;
mod values;
mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use wavegate_core::spec::{AppSpec, ComponentUse};

pub use crate::code::ERRORS;
pub use crate::codedeploy::LOCAL_SERVICE_ROLE;
pub use crate::draft::Draft;
pub use crate::function::LOCAL_ROLE;
pub use crate::pin::{PinError, set_plugin_pin};
pub use crate::plugins::{Isolation, PluginUse};
pub use crate::problem::{FilePlace, Place, Problem, Problems};
pub use crate::raw::schema;
pub use crate::units::{duration, size_mb};

use crate::written::Written;

/// The manifest's file name.
pub const FILE_NAME: &str = "deploy.toml";

/// What to load, and what lies over it.
#[derive(Clone, Default)]
pub struct Request {
    /// The file.
    pub path: PathBuf,
    /// The profile to lay over it.
    pub profile: Option<String>,
    /// The environment: for `${env:NAME}`, and for `WAVEGATE_SECTION__KEY`.
    pub env: Vec<(String, String)>,
    /// Keys set by flags: dotted key and value. Later ones win.
    pub flags: Vec<(String, String)>,
    /// The components that there are.
    pub components: Components,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("path", &self.path)
            .field("profile", &self.profile)
            .field("env", &format_args!("{} variables", self.env.len()))
            .field("flags", &self.flags.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .field("components", &self.components)
            .finish()
    }
}

/// The ids of the components that can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Components {
    /// Strategies, such as `canary`.
    pub strategies: Vec<String>,
    /// Hooks, such as `command`.
    pub hooks: Vec<String>,
    /// Alarm providers, such as `cloudwatch-metric`.
    pub alarms: Vec<String>,
    /// Whether there may be others, because a plugin could not be loaded: what is used is then taken
    /// to be a component, even if it is not among these.
    pub incomplete: bool,
}

/// Where an app is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// The embedded local cloud.
    #[default]
    Local,
    /// AWS, or any endpoint that speaks its protocols.
    Aws,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local",
            Self::Aws => "aws",
        })
    }
}

/// `[local]`: how the local cloud behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalSettings {
    /// How many seconds pass in one: above 0, and 1 unless said otherwise.
    pub time_scale: f64,
    /// Requests a second sent to each alias while a release runs; none unless given.
    pub traffic_rps: Option<f64>,
    /// The rate above which the local cloud throttles; unlimited unless given.
    pub requests_per_second: Option<u32>,
    /// The port on loopback; any free one unless given.
    pub port: Option<u16>,
    /// Whether a function's role must exist and trust Lambda; any role is taken unless said otherwise.
    pub check_roles: bool,
}

/// A checked manifest.
pub struct Manifest {
    /// The app.
    pub app: AppSpec,
    /// Where it is deployed.
    pub target: Target,
    /// The AWS region; the AWS config chain decides unless given.
    pub region: Option<String>,
    /// The bucket that large packages go through.
    pub artifact_bucket: Option<String>,
    /// How many calls a second a release may make to Lambda's control plane: what the manifest says,
    /// else 15 on AWS and as many as one likes (`None`) on the local cloud.
    pub requests_per_second: Option<u32>,
    /// The local cloud's settings.
    pub local: LocalSettings,
    /// The plugins by name.
    pub plugins: BTreeMap<String, PluginUse>,
    /// The directory of the manifest, which code paths are relative to.
    pub dir: PathBuf,
    /// The file, as it was asked for.
    pub path: PathBuf,
    /// The profile that was laid over it.
    pub profile: Option<String>,
    /// What is doubtful, and stops nothing.
    pub warnings: Vec<Problem>,
    strategies: BTreeMap<String, ComponentUse>,
    written: Written,
}

impl Manifest {
    /// An app that is known from the cloud alone: for going back where its manifest is not at hand.
    /// `.wavegate` is taken to be in `dir`.
    pub fn of_cloud(app: AppSpec, target: Target, region: Option<String>, dir: PathBuf) -> Self {
        let path = dir.join(FILE_NAME);
        let source = problem::Source::new(&path, "");
        let requests_per_second = (target == Target::Aws).then_some(check::AWS_REQUESTS_PER_SECOND);
        Self {
            app,
            target,
            region,
            artifact_bucket: None,
            requests_per_second,
            local: LocalSettings {
                time_scale: 1.0,
                traffic_rps: None,
                requests_per_second: None,
                port: None,
                check_roles: false,
            },
            plugins: BTreeMap::new(),
            dir,
            path,
            profile: None,
            warnings: Vec::new(),
            strategies: BTreeMap::new(),
            written: Written { tree: node::Node::empty(), source, secrets: Vec::new() },
        }
    }

    /// The strategy of a name that a function's `strategy` could have: a `[strategies.NAME]` table,
    /// used or not, or a deployment config of AWS's.
    pub fn strategy(&self, name: &str) -> Option<ComponentUse> {
        self.strategies.get(name).cloned().or_else(|| aws_strategy(name))
    }

    /// The place of a dotted key, such as `strategies.careful.percent` or `functions.auth.alarms[0]`;
    /// if it was inherited, where it was inherited from. Without such a key: the nearest table above
    /// it that somebody wrote.
    pub fn locate(&self, dotted_key: &str) -> Place {
        self.written.locate(dotted_key)
    }

    /// An error at a dotted key, from one who knows more than this library: a component about its
    /// config, an observer about what the cloud has. Values from the environment are taken out.
    #[must_use]
    pub fn problem(
        &self,
        code: &'static str,
        dotted_key: &str,
        message: impl AsRef<str>,
        help: Option<&str>,
    ) -> Problem {
        self.written.problem(code, dotted_key, message.as_ref(), help)
    }

    /// The values that came from the environment, longer ones first: for hiding them in texts of
    /// others. Values of fewer than four bytes are no secrets.
    pub fn secrets(&self) -> &[String] {
        &self.written.secrets
    }

    /// A text without the values that came from the environment. Values of fewer than four bytes are
    /// no secrets and stay.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.written.redact(text)
    }
}

impl fmt::Debug for Manifest {
    /// Without anything that may have come from the environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("path", &self.path)
            .field("profile", &self.profile)
            .field("target", &self.target)
            .field("functions", &self.app.functions.len())
            .field("warnings", &self.warnings.len())
            .finish_non_exhaustive()
    }
}

/// Loads and checks a manifest whose plugins nobody loads: the components are those of the request.
///
/// # Errors
/// All problems of the file and of what was laid over it, warnings among them.
pub fn load(request: &Request) -> Result<Manifest, Problems> {
    Draft::read(request)?.check(&request.components, Vec::new())
}

/// The strategy that a deployment config of AWS's stands for: `Canary10Percent5Minutes` and its like,
/// for any numbers.
pub fn aws_strategy(name: &str) -> Option<ComponentUse> {
    match aws_name::read(name) {
        aws_name::Reading::Strategy(strategy) => Some(strategy.into_use(name)),
        _ => None,
    }
}

/// The nearest `deploy.toml` at `start` or above it.
///
/// A relative `start` is followed as far up as it says; pass an absolute one to search to the root.
pub fn find(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|dir| dir.join(FILE_NAME)).find(|path| path.is_file())
}
