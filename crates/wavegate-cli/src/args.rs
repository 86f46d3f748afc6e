//! The command line, as clap sees it.
//!
//! Nothing is looked up here: no file, no environment. Building this is all that `--version` and
//! `--help` cost.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use wavegate_plugin_testkit::Given;

pub use crate::command::plugin_new::{PluginKind, PluginNewArgs};

const AFTER_HELP: &str = "\
Exit codes:
  0   done
  1   the release failed and was put back as designed
  2   usage, manifest or plugin error; nothing was touched
  3   refused: locked, blocked by the plan report, or not confirmed
  4   stuck: a person is needed
  5   interrupted; it can be taken up again
  70  a bug";

/// Deploy a whole serverless app as one release.
#[derive(Debug, Parser)]
#[command(
    name = "wavegate",
    version,
    about = "Deploy a whole serverless app as one release",
    after_help = AFTER_HELP,
    max_term_width = 100,
    propagate_version = false
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Use this manifest instead of the nearest deploy.toml at or above here
    #[arg(short, long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Lay the table [profiles.NAME] over the manifest
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Set a key of the manifest, such as app.region=eu-west-1; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// Deploy there, whatever the manifest says
    #[arg(long, global = true, value_name = "TARGET")]
    pub target: Option<TargetArg>,
    /// Write data for people or for programs
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human")]
    pub output: Output,
    /// Colour the text
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorArg,
    /// Log to stderr what matches, such as debug or wavegate_aws=trace
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// Use ASCII only
    #[arg(long, global = true)]
    pub ascii: bool,
}

/// Where to deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetArg {
    /// The local cloud on this machine
    Local,
    /// AWS, or any endpoint that speaks its protocols
    Aws,
}

/// For whom data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorArg {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a small deploy.toml and a first function, or a deploy.toml of functions that exist
    Init(InitArgs),
    /// Write a deploy.toml from another tool's file, and tell what came of each part of it
    #[command(subcommand)]
    Import(ImportCommand),
    /// Check the manifest without looking at any cloud
    Check,
    /// Show what a deploy would do
    Plan(PlanArgs),
    /// Deploy the app as one release
    Deploy(DeployArgs),
    /// Show what every alias serves and who holds the lock
    Status,
    /// Follow the release that runs, from any terminal or machine
    Watch,
    /// Put the app back as it was before the last release
    Rollback(RollbackArgs),
    /// List the releases that were run from here
    History(HistoryArgs),
    /// Tell what one release did, event by event
    Show(ShowArgs),
    /// Finish a release that lost its machine: put it back, or go on with it
    Recover(RecoverArgs),
    /// Ask the release that runs to put everything back
    Abort(AbortArgs),
    /// Ask the release that runs to stay where it is
    Pause(ControlArgs),
    /// Ask the release that is paused to go on
    Resume(ControlArgs),
    /// Ask functions to go on from where they stand
    Promote(PromoteArgs),
    /// Release once more what failed and was put back, or go on where it froze
    Retry(RetryArgs),
    /// Find what is wrong with the app between its releases, and mend what can be mended
    Doctor(DoctorArgs),
    /// Try on a throw-away function whether an endpoint behaves as wavegate needs it
    Conformance(ConformanceArgs),
    /// Print the IAM policies that this manifest needs, and nothing more
    Iam(IamArgs),
    /// Print the JSON Schema of deploy.toml
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Tell what an error code means
    Explain {
        /// The code, such as WG401; all codes are listed without it
        code: Option<String>,
    },
    /// Run a strategy on a virtual clock, and show what it does
    Simulate(SimulateArgs),
    /// Write, look at, check and pin plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Run the local cloud, or speak to it
    #[command(subcommand)]
    Local(LocalCommand),
    /// Run one plugin, for the wavegate that started this one
    #[command(hide = true)]
    PluginHost(PluginHostArgs),
    /// Try a law on one plugin, for the wavegate that started this one
    #[command(hide = true)]
    PluginLaws(PluginHostArgs),
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The strategy: a [strategies.NAME] table, an AWS name such as Canary10Percent5Minutes, or with
    /// --component-config a component's id
    #[arg(long, value_name = "NAME")]
    pub strategy: String,
    /// What happens meanwhile, such as alarm-at-40%; may be repeated
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: Vec<String>,
    /// Take NAME for a component's id and this JSON for its config
    #[arg(long, value_name = "JSON")]
    pub component_config: Option<String>,
}

/// The verbs of `plugin`.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Write a plugin to begin with
    New(PluginNewArgs),
    /// List plugins and their components
    List,
    /// Tell what a library is, without running any of it
    Inspect {
        /// The library
        file: PathBuf,
    },
    /// Hold a plugin against the laws that every plugin must keep
    Check(PluginCheckArgs),
    /// Write the SHA-256 of a plugin's library into the manifest
    Pin {
        /// The plugin: a [plugins.NAME] table
        name: String,
    },
}

/// Arguments of `plugin check`.
#[derive(Debug, Args)]
pub struct PluginCheckArgs {
    /// The library
    pub file: PathBuf,
    /// Repeat the cases of this seed
    #[arg(long)]
    pub seed: Option<u64>,
    /// Try this config of a component, such as ladder={"rungs":[10]}; may be repeated
    #[arg(long, value_name = "ID=JSON")]
    pub component_config: Vec<Given>,
    /// Run the hooks a few times, with whatever effects they have
    #[arg(long)]
    pub run_hooks: bool,
    /// Run the hooks a thousand times at once besides: for hooks without effects
    #[arg(long)]
    pub run_hooks_freely: bool,
    /// Load it into this process, for a debugger: a crash of the plugin is a crash of wavegate
    #[arg(long)]
    pub in_process: bool,
}

/// Arguments of the hidden `plugin-host` and `plugin-laws`.
#[derive(Debug, Args)]
pub struct PluginHostArgs {
    /// The plugin's name
    #[arg(long)]
    pub name: String,
    /// The private copy of its library
    #[arg(long)]
    pub library: PathBuf,
    /// The entry point in it
    #[arg(long)]
    pub entry: String,
    /// How much memory it may allocate
    #[arg(long)]
    pub memory_bytes: u64,
    /// The least important level of records that is wanted
    #[arg(long)]
    pub log_level: i32,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The directory, which must not hold a manifest yet
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Functions that exist.
    #[command(flatten)]
    pub existing: InitExistingArgs,
}

/// How `init` describes functions that exist.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Functions that exist")]
pub struct InitExistingArgs {
    /// Which ones.
    #[command(flatten)]
    pub selection: InitSelection,
    /// Describe what this alias serves; `live` without it, or what most of them have
    #[arg(long, value_name = "NAME", requires = "InitSelection")]
    pub alias: Option<String>,
    /// Look in this region
    #[arg(long, value_name = "REGION", requires = "InitSelection")]
    pub region: Option<String>,
    /// Call the app so, instead of as it was released before, or after the prefix or the directory
    #[arg(long, value_name = "NAME", requires = "InitSelection")]
    pub app: Option<String>,
    /// Fetch the code as well: the very zips, so that a deploy changes nothing, or unpacked ones
    #[arg(
        long,
        value_name = "FORM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "zip",
        requires = "InitSelection"
    )]
    pub download: Option<DownloadForm>,
    /// Copy the values of environment variables into the file, for all who can read it
    #[arg(long, requires = "InitSelection")]
    pub environment: bool,
    /// Write over what is there already
    #[arg(long, requires = "InitSelection")]
    pub force: bool,
}

/// Which functions `init` describes.
#[derive(Debug, Clone, Default, Args)]
pub struct InitSelection {
    /// Write a deploy.toml of this function as it is in the account; may be repeated
    #[arg(long, value_name = "NAME")]
    pub from_function: Vec<String>,
    /// Of all functions whose names begin so; may be repeated
    #[arg(long, value_name = "PREFIX")]
    pub from_app: Vec<String>,
    /// Of all functions with this tag; may be repeated
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub from_tag: Vec<String>,
}

impl InitSelection {
    /// Whether nothing is asked for: there is an app to begin.
    pub(crate) fn is_empty(&self) -> bool {
        self.from_function.is_empty() && self.from_app.is_empty() && self.from_tag.is_empty()
    }
}

/// How code is kept that was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DownloadForm {
    /// As it is
    Zip,
    /// As a directory, to be worked on
    Unpacked,
}

/// The tools that `import` reads.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Read a template of AWS SAM or CloudFormation
    Sam(ImportSamArgs),
    /// Read a file of the Serverless Framework
    Serverless(ImportServerlessArgs),
}

/// Arguments of `import sam`.
#[derive(Debug, Args)]
pub struct ImportSamArgs {
    /// The template, YAML or JSON; template.yaml, .yml or .json without it
    pub template: Option<PathBuf>,
    /// Give a parameter a value, also AWS::Region and its like; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter)]
    pub parameter: Vec<(String, String)>,
    /// Who moves the traffic of functions that CodeDeploy deploys so far
    #[arg(long, value_name = "ENGINE", default_value = "codedeploy")]
    pub engine: EngineArg,
    /// Where it is written to.
    #[command(flatten)]
    pub out: ImportOutArgs,
}

/// Arguments of `import serverless`.
#[derive(Debug, Args)]
pub struct ImportServerlessArgs {
    /// The file of the service; serverless.yml, .yaml or .json without it
    pub file: Option<PathBuf>,
    /// Read it for this stage
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
    /// Give ${opt:KEY} a value; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter)]
    pub opt: Vec<(String, String)>,
    /// Give ${param:KEY} a value, or AWS::AccountId and its like; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter)]
    pub parameter: Vec<(String, String)>,
    /// Who moves the traffic of functions that CodeDeploy deploys so far
    #[arg(long, value_name = "ENGINE", default_value = "codedeploy")]
    pub engine: EngineArg,
    /// Where it is written to.
    #[command(flatten)]
    pub out: ImportOutArgs,
}

/// Who moves the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineArg {
    /// AWS CodeDeploy, as before: hooks go on answering it
    Codedeploy,
    /// wavegate itself
    Native,
}

/// Where an import is written to.
#[derive(Debug, Clone, Default, Args)]
pub struct ImportOutArgs {
    /// Write the manifest there, or to stdout with `-`; to deploy.toml beside the file without it
    #[arg(short, long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Call the app so, instead of after its directory
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// Write over what is there already
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Look at these functions only
    #[arg(long, value_name = "FN", num_args = 1.., value_delimiter = ',')]
    pub only: Vec<String>,
}

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Deploy these functions only
    #[arg(long, value_name = "FN", num_args = 1.., value_delimiter = ',')]
    pub only: Vec<String>,
}

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// Go back to the state after this release
    #[arg(long, value_name = "N")]
    pub to_release: Option<u64>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// An app whose manifest is not at hand.
#[derive(Debug, Clone, Default, Args)]
pub struct AppArgs {
    /// The app, where its manifest is not at hand; its functions are found by their aliases
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub app: Option<String>,
    /// The app's alias, with --app
    #[arg(long, value_name = "ALIAS", default_value = "live", requires = "app")]
    pub alias: String,
    /// The region, with --app
    #[arg(long, value_name = "REGION", requires = "app")]
    pub region: Option<String>,
}

/// Arguments of `recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Put it back; the default, except where CodeDeploy has gone on with it
    #[arg(long, conflicts_with = "resume")]
    pub abort: bool,
    /// Go on with it, if the manifest and the code are what it was begun with
    #[arg(long, conflicts_with = "app")]
    pub resume: bool,
    /// The functions that the release was limited to, with --resume
    #[arg(long, value_name = "FN", num_args = 1.., value_delimiter = ',', requires = "resume")]
    pub only: Vec<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Without a manifest.
    #[command(flatten)]
    pub without: AppArgs,
}

/// Arguments of `abort`.
#[derive(Debug, Args)]
pub struct AbortArgs {
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Without a manifest.
    #[command(flatten)]
    pub without: AppArgs,
}

/// Arguments of `pause` and `resume`.
#[derive(Debug, Args)]
pub struct ControlArgs {
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Without a manifest.
    #[command(flatten)]
    pub without: AppArgs,
}

/// Arguments of `promote`.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// The function; every one that shifts or bakes without it
    #[arg(value_name = "FN")]
    pub function: Option<String>,
    /// To all traffic at once, leaving out the steps between
    #[arg(long)]
    pub full: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Without a manifest.
    #[command(flatten)]
    pub without: AppArgs,
}

/// Arguments of `retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// The functions that the release was limited to
    #[arg(long, value_name = "FN", num_args = 1.., value_delimiter = ',')]
    pub only: Vec<String>,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// List so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The release: r42, 42, or its id
    pub release: String,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Mend what can be mended
    #[arg(long)]
    pub heal: bool,
    /// Send all traffic of a split that nobody owns there: the main version, or the other one
    #[arg(long, value_name = "SIDE", default_value = "stable", requires = "heal")]
    pub to: SideArg,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// A side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SideArg {
    /// The alias's main version
    Stable,
    /// The additional version
    Candidate,
}

/// Arguments of `conformance`.
#[derive(Debug, Args)]
pub struct ConformanceArgs {
    /// Begin the function's name like this
    #[arg(long, value_name = "NAME", default_value = "wavegate")]
    pub function_prefix: String,
    /// Give the function this execution role; needed on AWS, and it may be allowed nothing
    #[arg(long, value_name = "ARN")]
    pub role: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Arguments of `iam`.
#[derive(Debug, Args)]
pub struct IamArgs {
    /// Print the policy for this alone
    #[arg(long = "for", value_name = "PURPOSE", default_value = "all")]
    pub purpose: PurposeArg,
}

/// What one may want to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PurposeArg {
    /// To look
    Plan,
    /// To release
    Deploy,
    /// To put back, without being able to publish
    Recover,
    /// One policy for each
    All,
}

/// The verbs of `local`.
#[derive(Debug, Subcommand)]
pub enum LocalCommand {
    /// Run the local cloud until Ctrl-C
    Start(LocalStartArgs),
    /// Invoke a function through its alias
    Invoke(LocalInvokeArgs),
    /// Show whether the local cloud runs, and what it has done
    Status(LocalStateArgs),
    /// Delete everything that the local cloud keeps
    Reset(LocalResetArgs),
}

/// Where the local cloud keeps its state.
#[derive(Debug, Clone, Default, Args)]
pub struct LocalStateArgs {
    /// Keep its state there instead of in .wavegate/local beside the manifest
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Arguments of `local start`.
#[derive(Debug, Args)]
pub struct LocalStartArgs {
    /// Where its state is.
    #[command(flatten)]
    pub state: LocalStateArgs,
    /// Listen on this port of 127.0.0.1 instead of any free one
    #[arg(long)]
    pub port: Option<u16>,
    /// Let so many seconds pass in one
    #[arg(long, value_name = "FACTOR")]
    pub time_scale: Option<f64>,
    /// Hold calls against this IAM policy; may be repeated
    #[arg(long, value_name = "FILE")]
    pub policy: Vec<PathBuf>,
    /// Refuse roles that do not exist or that Lambda may not assume
    #[arg(long)]
    pub check_roles: bool,
}

/// Arguments of `local invoke`.
#[derive(Debug, Args)]
pub struct LocalInvokeArgs {
    /// The function, by its name in the manifest or in Lambda
    #[arg(value_name = "FN")]
    pub function: String,
    /// The alias or version; the app's alias without it
    #[arg(long, value_name = "NAME")]
    pub qualifier: Option<String>,
    /// The event as JSON, or @FILE, or @- for stdin
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub payload: String,
    /// Where its state is.
    #[command(flatten)]
    pub state: LocalStateArgs,
}

/// Arguments of `local reset`.
#[derive(Debug, Args)]
pub struct LocalResetArgs {
    /// Where its state is.
    #[command(flatten)]
    pub state: LocalStateArgs,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    key_value(text).map_err(|_| "write it as KEY=VALUE, such as Stage=prod".to_owned())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write it as KEY=VALUE, such as app.region=eu-west-1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_begins_with_an_imperative_line_without_a_period() {
        fn walk(command: &clap::Command) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let first = about.split_whitespace().next().unwrap_or_default().to_owned();
            assert!(!about.is_empty() && !about.ends_with('.'), "{}: {about}", command.get_name());
            assert!(first.chars().next().is_some_and(char::is_uppercase), "{about}");
            assert!(!first.ends_with('s') && !first.ends_with("ing"), "{about}");
            for sub in command.get_subcommands() {
                walk(sub);
            }
        }
        walk(&Cli::command());
    }

    #[test]
    fn a_key_is_set_with_an_equals_sign() {
        assert_eq!(key_value("app.region=a=b"), Ok(("app.region".into(), "a=b".into())));
        assert!(key_value("app.region").is_err());
        assert!(key_value("=x").is_err());
    }

    #[test]
    fn global_flags_may_stand_anywhere() {
        let cli = Cli::parse_from(["wavegate", "deploy", "--only", "a,b", "--yes", "-c", "x.toml"]);
        assert_eq!(cli.global.config.as_deref(), Some(std::path::Path::new("x.toml")));
        let Command::Deploy(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!((args.only, args.yes), (vec!["a".to_owned(), "b".to_owned()], true));
    }
}
