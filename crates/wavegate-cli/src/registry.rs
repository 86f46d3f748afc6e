//! The plugins that there are, and their components by kind and id.
//!
//! Those that ship with wavegate are linked in and driven through the same entry point as any other;
//! those that the manifest names are verified and loaded beside them. Nothing else knows where a
//! component comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use wavegate_config::{Draft, PluginUse, Problem, Target};
use wavegate_plugin_host::{
    Expect, Host, HostError, Isolation, Launcher, LibrarySpec, Limits, Origin, Pin, Plugin,
    host_target,
};
use wavegate_plugin_protocol::{ComponentDescription, Description, HostIdentity};
use wavegate_plugin_sdk::{ComponentKind, PluginDecl};

use crate::environment::Environment;
use crate::error::CliError;
use crate::home;

/// The plugins that ship with wavegate.
pub(crate) static LINKED: [&PluginDecl; 9] = [
    &wavegate_plugin_all_at_once::PLUGIN,
    &wavegate_plugin_canary::PLUGIN,
    &wavegate_plugin_linear::PLUGIN,
    &wavegate_plugin_steps::PLUGIN,
    &wavegate_plugin_lambda_hook::PLUGIN,
    &wavegate_plugin_http_hook::PLUGIN,
    &wavegate_plugin_command_hook::PLUGIN,
    &wavegate_plugin_cloudwatch::PLUGIN,
    &wavegate_plugin_prometheus::PLUGIN,
];

/// What linked plugins may take: two of the AWS SDK's attempts for a reading of alarms, and as many
/// calls as there can be.
const LINKED_LIMITS: Limits =
    Limits { call: Duration::from_mins(1), in_flight: 100_000, memory_bytes: u64::MAX };

/// The subcommand with which this program starts itself as a plugin's process.
pub(crate) const CHILD: &str = "plugin-host";

/// The subcommand with which it tries one law on a plugin.
pub(crate) const LAWS: &str = "plugin-laws";

/// A plugin says that it is a built-in one, and is not.
const NOT_BUILTIN: &str = "WG323";
/// A plugin is not pinned.
const UNPINNED: &str = "WG305";

/// All plugins, ready to be asked.
#[derive(Debug)]
pub(crate) struct Registry {
    plugins: Vec<Arc<Plugin>>,
    /// Which plugin has a component, as an index.
    components: BTreeMap<(ComponentKind, String), usize>,
    /// Whether a plugin could not be loaded, so that there may be other components.
    is_incomplete: bool,
}

impl Registry {
    /// No plugins: for those who only look.
    pub(crate) const fn empty() -> Self {
        Self { plugins: Vec::new(), components: BTreeMap::new(), is_incomplete: false }
    }

    /// The plugins that are linked in, and no others.
    ///
    /// # Errors
    /// A linked plugin that does not start is a bug.
    pub(crate) async fn linked(host: &Host) -> Result<Self, CliError> {
        let starts =
            LINKED.iter().map(|decl| Plugin::linked(host, decl.name(), decl.init(), LINKED_LIMITS));
        let mut registry = Self::empty();
        for started in join_all(starts).await {
            let plugin = started.map_err(|error| CliError::bug(error.to_string()))?;
            registry.insert(Arc::new(plugin));
        }
        Ok(registry)
    }

    /// The linked plugins, and those of a manifest, all at once; and what is wrong with them.
    ///
    /// # Errors
    /// See [`linked`](Self::linked).
    pub(crate) async fn open(
        draft: &Draft,
        environment: &Environment,
    ) -> Result<(Self, Vec<Problem>), CliError> {
        let cache = draft.dir().join(home::NAME);
        let host = host(&cache);
        let mut registry = Self::linked(&host).await?;
        let (mut problems, mut unpinned) = (Vec::new(), Vec::new());
        if draft.plugins().is_empty() {
            return Ok((registry, problems));
        }
        home::prepare(&cache);
        if draft
            .plugins()
            .values()
            .any(|used| used.isolation == wavegate_config::Isolation::InProcess)
        {
            crate::console::keep_stdout().map_err(|error| {
                CliError::bug("standard output cannot be kept from plugins").caused_by(&error)
            })?;
        }
        let loads = draft.plugins().values().map(|used| load(&host, draft, used, environment));
        for (used, loaded) in join_all(loads).await {
            match loaded {
                Ok((plugin, expect)) => {
                    if expect == Expect::Unpinned {
                        unpinned.push(used.name.as_str());
                    }
                    problems.extend(registry.add(draft, used, plugin));
                }
                Err(error) => {
                    registry.is_incomplete = true;
                    problems.push(problem(draft, used, &error));
                }
            }
        }
        problems.extend(unpinned_warning(draft, &unpinned));
        Ok((registry, problems))
    }

    /// Adds a plugin of the manifest, whose components must be nobody else's. If it cannot be added,
    /// what it has is not known here.
    fn add(&mut self, draft: &Draft, used: &PluginUse, plugin: Plugin) -> Vec<Problem> {
        let replaced = if used.builtin { self.built_in(&plugin) } else { None };
        if used.builtin && replaced.is_none() {
            self.is_incomplete = true;
            return vec![not_builtin(draft, used, &plugin)];
        }
        let owner = |component: &ComponentDescription| {
            let owner = self.components.get(&(component.kind, component.id.clone())).copied();
            owner.filter(|owner| Some(*owner) != replaced)
        };
        let clash = |component: &ComponentDescription| {
            let error = HostError::DuplicateComponent {
                plugin: used.name.clone(),
                component: component.id.clone(),
                other: Some(self.plugins[owner(component)?].name().to_owned()),
            };
            Some(problem(draft, used, &error))
        };
        let clashes: Vec<Problem> =
            plugin.description().components.iter().filter_map(clash).collect();
        if clashes.is_empty() {
            self.components.retain(|_, owner| Some(*owner) != replaced);
            self.insert(Arc::new(plugin));
        } else {
            self.is_incomplete = true;
        }
        clashes
    }

    fn insert(&mut self, plugin: Arc<Plugin>) {
        let index = self.plugins.len();
        for component in &plugin.description().components {
            self.components.insert((component.kind, component.id.clone()), index);
        }
        self.plugins.push(plugin);
    }

    /// The linked plugin that a loaded one is a copy of.
    fn built_in(&self, plugin: &Plugin) -> Option<usize> {
        let ids = |description: &Description| -> BTreeSet<(ComponentKind, String)> {
            description.components.iter().map(|own| (own.kind, own.id.clone())).collect()
        };
        let same = |other: &Plugin| {
            let (own, other) = (plugin.description(), other.description());
            own.name == other.name && own.version == other.version && ids(own) == ids(other)
        };
        self.plugins.iter().position(|other| *other.origin() == Origin::Linked && same(other))
    }

    /// The plugin that has a component.
    pub(crate) fn find(&self, kind: ComponentKind, id: &str) -> Option<&Arc<Plugin>> {
        let index = self.components.get(&(kind, id.to_owned()))?;
        self.plugins.get(*index)
    }

    /// All components in the order of their kinds and ids, with their plugins.
    pub(crate) fn components(&self) -> impl Iterator<Item = (ComponentKind, &str, &Arc<Plugin>)> {
        self.components
            .iter()
            .map(|((kind, id), index)| (*kind, id.as_str(), &self.plugins[*index]))
    }

    /// The ids that a manifest may use.
    pub(crate) fn ids(&self) -> wavegate_config::Components {
        let mut ids = wavegate_config::Components {
            incomplete: self.is_incomplete,
            ..wavegate_config::Components::default()
        };
        for (kind, id) in self.components.keys() {
            let list = match kind {
                ComponentKind::Strategy => &mut ids.strategies,
                ComponentKind::Hook => &mut ids.hooks,
                ComponentKind::Alarm => &mut ids.alarms,
            };
            list.push(id.clone());
        }
        ids
    }

    /// Lets all plugins end in order, at the same time.
    pub(crate) async fn close(&self) {
        join_all(self.plugins.iter().map(|plugin| plugin.shutdown())).await;
    }
}

/// This program as a host of plugins, with private copies under `cache`.
pub(crate) fn host(cache: &Path) -> Host {
    Host {
        identity: HostIdentity {
            name: "wavegate".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        launcher: launcher(CHILD),
        cache: cache.to_owned(),
    }
}

/// How this program starts itself with a subcommand.
pub(crate) fn launcher(subcommand: &str) -> Launcher {
    /// Stays true when the file is replaced while this program runs.
    const OWN: &str = "/proc/self/exe";
    let own = Path::new(OWN);
    let program = if own.exists() {
        own.to_owned()
    } else {
        std::env::current_exe().unwrap_or_else(|_| PathBuf::from("wavegate"))
    };
    Launcher { program, arguments: vec![subcommand.into()] }
}

/// Loads one plugin of a manifest.
async fn load<'a>(
    host: &Host,
    draft: &Draft,
    used: &'a PluginUse,
    environment: &Environment,
) -> (&'a PluginUse, Result<(Plugin, Expect), HostError>) {
    let loading = async {
        let expect = expect(draft, used)?;
        let plugin = Plugin::load(host, &spec(used, expect, environment)).await?;
        Ok((plugin, expect))
    };
    (used, loading.await)
}

fn spec(used: &PluginUse, expect: Expect, environment: &Environment) -> LibrarySpec {
    let allowed = used.env.iter().filter_map(|name| {
        let value = environment.variables.get(name)?;
        Some((name.clone(), value.clone()))
    });
    LibrarySpec {
        name: used.name.clone(),
        path: used.path.clone(),
        expect,
        isolation: match used.isolation {
            wavegate_config::Isolation::Process => Isolation::Process,
            wavegate_config::Isolation::InProcess => Isolation::InProcess,
        },
        limits: Limits {
            call: used.timeout,
            in_flight: used.max_in_flight,
            memory_bytes: used.memory_bytes,
        },
        environment: allowed.collect(),
    }
}

/// Which bytes a plugin must have. One that is not pinned runs only isolated and only against the
/// local cloud, where it is being written.
fn expect(draft: &Draft, used: &PluginUse) -> Result<Expect, HostError> {
    let target = host_target();
    if let Some(pin) = used.sha256.get(target) {
        let pin: Pin = pin.parse().map_err(|error| HostError::Host {
            plugin: used.name.clone(),
            what: format!("its pin cannot be read: {error}"),
        })?;
        return Ok(Expect::Pinned(pin));
    }
    // Whoever pins it for other machines means to pin it: a name that is misspelt disarms nothing.
    let is_tried_out = draft.target() == Target::Local
        && used.isolation == wavegate_config::Isolation::Process
        && used.sha256.is_empty();
    if is_tried_out {
        return Ok(Expect::Unpinned);
    }
    Err(HostError::Unpinned { plugin: used.name.clone(), target: target.to_owned() })
}

/// One warning for all plugins that run although they are not pinned.
fn unpinned_warning(draft: &Draft, names: &[&str]) -> Option<Problem> {
    let first = names.first()?;
    let (who, them) = match names {
        [name] => (format!("plugin `{name}` is"), (*name).to_owned()),
        names => (format!("plugins `{}` are", names.join("`, `")), "NAME".to_owned()),
    };
    let message =
        format!("{who} not pinned, which is for trying out: only the local cloud runs it so");
    let help = format!("`wavegate plugin pin {them}` writes its SHA-256 into the manifest");
    let key = format!("plugins.{first}");
    Some(draft.problem(UNPINNED, &key, message, Some(&help)).as_warning())
}

/// An error of a plugin at the key of the manifest that it is about.
fn problem(draft: &Draft, used: &PluginUse, error: &HostError) -> Problem {
    let table = format!("plugins.{}", used.name);
    let key = match error {
        HostError::PinMismatch { .. } => used.pin_key(host_target()),
        HostError::PanicAborts { .. } => format!("{table}.isolation"),
        HostError::Unpinned { .. } | HostError::DuplicateComponent { .. } => table,
        _ => format!("{table}.path"),
    };
    let words = match error {
        HostError::Unpinned { .. } => format!("{error}, {}", pin_wanted_by(draft, used)),
        error => words(error),
    };
    draft.problem(error.code(), &key, words, error.hint().as_deref())
}

/// Why a plugin must be pinned.
fn pin_wanted_by(draft: &Draft, used: &PluginUse) -> String {
    if !used.sha256.is_empty() {
        let others: Vec<&str> = used.sha256.keys().map(String::as_str).collect();
        return format!("and is for {}", others.join(", "));
    }
    match (used.isolation, draft.target()) {
        (wavegate_config::Isolation::InProcess, _) => "as `in-process` needs it".to_owned(),
        (wavegate_config::Isolation::Process, target) => {
            format!("as `target = \"{target}\"` needs it")
        }
    }
}

fn not_builtin(draft: &Draft, used: &PluginUse, plugin: &Plugin) -> Problem {
    let told = plugin.description();
    let message = format!(
        "plugin `{}` is {} {}, which does not ship with this wavegate",
        used.name,
        wavegate_report::safe_line(&told.name),
        wavegate_report::safe_line(&told.version),
    );
    let help = "take `builtin` out, or name the library of a built-in plugin of this version";
    draft.problem(NOT_BUILTIN, &format!("plugins.{}.builtin", used.name), message, Some(help))
}

/// An error with its causes.
pub(crate) fn words(error: &HostError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.ends_with(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_linked_component_is_found_by_its_own_id_and_no_other_has_it() {
        let registry = Registry::linked(&host(Path::new("."))).await.unwrap();
        let ids = registry.ids();
        assert_eq!(ids.strategies, ["all-at-once", "canary", "linear", "steps"]);
        assert_eq!(ids.hooks, ["command", "http", "lambda"]);
        assert_eq!(ids.alarms, ["cloudwatch-alarm", "cloudwatch-metric", "prometheus"]);
        let declared: usize = LINKED.iter().map(|decl| decl.components().count()).sum();
        assert_eq!(registry.components().count(), declared);
        for (kind, id, plugin) in registry.components() {
            assert!(plugin.component(kind, id).is_ok(), "{id}");
            assert!(registry.find(kind, id).is_some_and(|found| Arc::ptr_eq(found, plugin)));
        }
        assert!(registry.find(ComponentKind::Strategy, "lambda").is_none());
    }
}
