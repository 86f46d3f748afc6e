//! Holds a plugin against all laws.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;
use wavegate_plugin_host::{
    Expect, Host, HostError, Isolation, Launcher, LibrarySpec, Limits, verify,
};
use wavegate_plugin_protocol::abi::InitFn;
use wavegate_plugin_protocol::{ComponentDescription, ComponentKind, Description, Diagnostic};

use crate::abi::{CALL_LAWS, CONCURRENT_LAWS, Endpoint, Ground, Law, PLUGIN_LAWS, Source};
use crate::answers::{self, Effects};
use crate::bench::{Bench, COMPUTES_WITHIN, Subject};
use crate::child::Task;
use crate::configs::{self, Configs, NO_CONFIG, Under, told};
use crate::parent::Library;
use crate::report::{Outcome, Report, Unheld, Verdict};
use crate::search::Search;
use crate::strategies;

/// How many random cases each law is tried with unless it is said.
const CASES: u32 = 128;

/// Who tries the laws.
#[derive(Debug, Clone)]
pub struct Kit {
    host: Host,
    laws: Launcher,
}

/// How they are tried.
#[derive(Clone)]
pub struct Options {
    /// What all random cases follow from; another one each time if it is not given.
    pub seed: Option<u64>,
    /// How many random cases each law is tried with.
    pub cases: u32,
    /// Configs to try components with. One without any is tried with its schema's examples.
    pub configs: Vec<Given>,
    /// Whether hooks are run.
    pub hooks: Hooks,
    /// Hooks, by id, whose effects can be counted.
    pub effects: Vec<(String, Effects)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: None,
            cases: CASES,
            configs: Vec::new(),
            hooks: Hooks::default(),
            effects: Vec::new(),
        }
    }
}

/// A config to try a component with.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The component's id.
    pub component: String,
    /// The config.
    pub config: Value,
}

/// `ID=JSON`, as people write it on a command line.
impl FromStr for Given {
    type Err = GivenError;

    fn from_str(text: &str) -> Result<Self, GivenError> {
        let (component, config) = text.split_once('=').ok_or(GivenError::Form)?;
        let config = serde_json::from_str(config)
            .map_err(|error| GivenError::Json { component: component.to_owned(), error })?;
        Ok(Self { component: component.to_owned(), config })
    }
}

/// Why a text is no config for a component.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// There is no `=` in it.
    #[error("a config is written like ladder={{\"rungs\":[10]}}")]
    Form,
    /// What follows is no JSON.
    #[error("the config of `{component}` is no JSON: {error}")]
    Json {
        /// The component's id.
        component: String,
        /// Where it goes wrong.
        error: serde_json::Error,
    },
}

/// Whether hooks are run: that has effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hooks {
    /// They are not.
    #[default]
    Leave,
    /// A few times, one after the other, with the configs that were given or shown.
    Run,
    /// Besides, a thousand times at once: for hooks that have no effects.
    RunFreely,
}

/// Why a plugin could not be held against the laws.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be asked at all.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A config that was given is rejected.
    #[error("a config that was given for `{component}` is rejected: {}", told(.diagnostics))]
    BadConfig {
        /// The component's id.
        component: String,
        /// The errors in it, as the component says. Never empty.
        diagnostics: Vec<Diagnostic>,
    },
    /// A config was given for a component that it does not have.
    #[error("the plugin has no component `{component}`; it has: {}", .has.join(", "))]
    NoSuchComponent {
        /// The id that was given.
        component: String,
        /// The ids of its components.
        has: Vec<String>,
    },
}

impl Subject {
    /// A library of which nothing is known but where it is. Its environment is empty.
    pub fn library(path: &Path, isolation: Isolation) -> Self {
        let name = path.file_stem().map_or_else(|| "plugin".into(), |stem| stem.to_string_lossy());
        Self::Library(LibrarySpec {
            name: name.strip_prefix("lib").unwrap_or(&name).to_owned(),
            path: path.to_path_buf(),
            expect: Expect::Unpinned,
            isolation,
            limits: Limits { call: COMPUTES_WITHIN, ..Limits::default() },
            environment: Vec::new(),
        })
    }
}

impl Kit {
    /// A kit that runs plugins as `host` says. `laws` starts this program as
    /// [`run_abi_laws_child`](crate::run_abi_laws_child), as the host's launcher starts it as
    /// [`run_child`](wavegate_plugin_host::run_child).
    pub const fn new(host: Host, laws: Launcher) -> Self {
        Self { host, laws }
    }

    /// Tries all laws on a plugin. Must be called on a runtime with time and I/O.
    ///
    /// The laws of the C ABI are tried in processes of their own, whatever the library's isolation:
    /// a plugin is started once per process. Those of a linked plugin are tried in this one.
    ///
    /// # Errors
    /// If the plugin cannot be asked at all, or if a config was given that its component rejects, or
    /// for a component that it does not have.
    pub async fn check(&self, subject: &Subject, options: &Options) -> Result<Report, CheckError> {
        let (subject, abi) = self.prepared(subject).await?;
        let bench = Bench::start(&self.host, &subject).await?;
        let description = bench.description().await;
        all_known(&options.configs, &description)?;
        all_accepted(&bench, &options.configs, &description).await?;
        let seed = options.seed.unwrap_or_else(any_seed);
        let mut report = Report {
            plugin: name_of(&description, &subject),
            version: description.version,
            seed,
            laws: Vec::new(),
        };
        answers::plugin_laws(&bench, &mut report).await;
        for law in PLUGIN_LAWS {
            report.add(law.0, None, abi.holds(law, None).await);
        }
        let search = Search { seed, cases: options.cases };
        for component in description.components {
            // One that does not answer does not keep the others from being asked.
            let bench = Arc::new(bench.afresh());
            let under = Under { bench, component: Arc::new(component), search };
            component_laws(&under, options, &abi, &mut report).await;
        }
        bench.shutdown().await;
        Ok(report)
    }

    /// The subject as it is loaded, and where its C ABI is tried.
    async fn prepared(&self, subject: &Subject) -> Result<(Subject, Abi), HostError> {
        let spec = match subject {
            Subject::Linked { init, .. } => return Ok((subject.clone(), Abi::Linked(*init))),
            Subject::Library(spec) => spec.clone(),
        };
        let (asked, cache) = (spec.clone(), self.host.cache.clone());
        let looking = move || verify(&asked.name, &asked.path, asked.expect, &cache);
        let verified = tokio::task::spawn_blocking(looking).await.map_err(|stopped| {
            let what = format!("its verification stopped: {stopped}");
            HostError::BrokeProtocol { plugin: spec.name.clone(), what }
        })??;
        // What was looked at is what is loaded, also in this process, where a pin must be there.
        let spec = LibrarySpec { expect: Expect::Pinned(verified.sha256), ..spec };
        let subject = Subject::Library(spec.clone());
        let library = Library { launcher: self.laws.clone(), spec, verified };
        Ok((subject, Abi::Library(Box::new(library))))
    }
}

/// Where the laws of the C ABI are tried.
enum Abi {
    /// Here.
    Linked(InitFn),
    /// In processes of their own.
    Library(Box<Library>),
}

impl Abi {
    async fn holds(&self, law: &'static Law, endpoint: Option<Endpoint>) -> Outcome {
        let (name, holds) = law;
        match self {
            Self::Library(library) => {
                library.holds(&Task { law: (*name).to_owned(), endpoint }).await
            }
            Self::Linked(init) => {
                let ground = Ground { source: Source::Linked(*init), stdout: None, endpoint };
                let holding = tokio::task::spawn_blocking(move || holds(&ground));
                let verdict: Verdict = holding
                    .await
                    .unwrap_or_else(|stopped| Err(Unheld::broken(stopped.to_string())));
                verdict.into()
            }
        }
    }
}

async fn component_laws(under: &Under, options: &Options, abi: &Abi, report: &mut Report) {
    let ComponentDescription { kind, id, .. } = &*under.component;
    let given = options.configs.iter().filter(|given| given.component == *id);
    let given = given.map(|given| given.config.clone()).collect();
    let configs = configs::laws(under, given, report).await;
    match kind {
        ComponentKind::Strategy => strategies::laws(under, configs, report).await,
        ComponentKind::Alarm => {
            call_laws(under, &configs, abi, CALL_LAWS, report).await;
            call_laws(under, &configs, abi, CONCURRENT_LAWS, report).await;
            answers::alarm_laws(under, &configs, report).await;
        }
        ComponentKind::Hook => hook_laws(under, options, &configs, abi, report).await,
    }
}

async fn hook_laws(
    under: &Under,
    options: &Options,
    configs: &Configs,
    abi: &Abi,
    report: &mut Report,
) {
    match options.hooks {
        Hooks::Leave => {
            leave(under, CALL_LAWS, "to run a hook has effects, and was not allowed", report);
        }
        Hooks::Run | Hooks::RunFreely => call_laws(under, configs, abi, CALL_LAWS, report).await,
    }
    match options.hooks {
        Hooks::Leave | Hooks::Run => {
            let why = "only its author knows whether it is free of effects";
            leave(under, CONCURRENT_LAWS, why, report);
        }
        Hooks::RunFreely => call_laws(under, configs, abi, CONCURRENT_LAWS, report).await,
    }
    for (hook, effects) in &options.effects {
        if *hook == under.component.id {
            answers::effect_law(under, configs, effects, report).await;
        }
    }
}

fn leave(under: &Under, laws: &[Law], why: &str, report: &mut Report) {
    for (law, _) in laws {
        report.add(law, Some(&under.title()), Outcome::Skipped { why: why.to_owned() });
    }
}

/// Laws of a component that is called, with the first of its configs.
async fn call_laws(
    under: &Under,
    configs: &Configs,
    abi: &Abi,
    laws: &'static [Law],
    report: &mut Report,
) {
    let ComponentDescription { kind, id, .. } = &*under.component;
    for law in laws {
        let outcome = match configs.written.first() {
            Some(config) => {
                let (component, config) = (id.clone(), config.clone());
                abi.holds(law, Some(Endpoint { kind: *kind, component, config })).await
            }
            None => Verdict::Err(Unheld::skipped(NO_CONFIG)).into(),
        };
        report.add(law.0, Some(&under.title()), outcome);
    }
}

fn all_known(given: &[Given], description: &Description) -> Result<(), CheckError> {
    let has = |id: &str| description.components.iter().any(|component| component.id == id);
    match given.iter().find(|given| !has(&given.component)) {
        None => Ok(()),
        Some(given) => Err(CheckError::NoSuchComponent {
            component: given.component.clone(),
            has: description.components.iter().map(|component| component.id.clone()).collect(),
        }),
    }
}

/// A config that was given and is no config is the caller's mistake, not the plugin's. How a plugin
/// breaks down over it is told by the laws.
async fn all_accepted(
    bench: &Bench,
    given: &[Given],
    description: &Description,
) -> Result<(), CheckError> {
    for Given { component, config } in given {
        for described in description.components.iter().filter(|other| other.id == *component) {
            let found = configs::errors(&bench.afresh(), described, config).await;
            if let Ok(diagnostics) = found
                && !diagnostics.is_empty()
            {
                bench.shutdown().await;
                return Err(CheckError::BadConfig { component: component.clone(), diagnostics });
            }
        }
    }
    Ok(())
}

/// How the plugin calls itself; one that does not is called as it was found.
fn name_of(description: &Description, subject: &Subject) -> String {
    let name = if description.name.is_empty() { subject.name() } else { &description.name };
    name.to_owned()
}

/// Without randomness the same cases are tried each time, which is no harm.
fn any_seed() -> u64 {
    // Short enough to be typed.
    u64::from(getrandom::u32().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_config_is_given_with_the_id_of_its_component() {
        let given: Given = r#"ladder={"by": "a=b"}"#.parse().unwrap();
        assert_eq!(given, Given { component: "ladder".into(), config: json!({"by": "a=b"}) });
        let error = "ladder".parse::<Given>().unwrap_err().to_string();
        assert_eq!(error, r#"a config is written like ladder={"rungs":[10]}"#);
        let error = "ladder={".parse::<Given>().unwrap_err().to_string();
        assert!(error.starts_with("the config of `ladder` is no JSON: EOF"), "{error}");
    }

    #[test]
    fn a_library_is_called_as_its_file_without_what_differs_between_platforms() {
        for (path, name) in
            [("a/libladder.so", "ladder"), ("ladder.dylib", "ladder"), ("a/ladder", "ladder")]
        {
            let subject = Subject::library(Path::new(path), Isolation::Process);
            assert_eq!(subject.name(), name);
        }
    }
}
