//! What a plugin declares about itself, and the macro that declares it.

use serde_json::Value;
use wavegate_plugin_protocol::abi::InitFn;
use wavegate_plugin_protocol::{ComponentKind, Diagnostic};

use crate::{DynAlarmProvider, DynHook, DynStrategy, PluginError};

/// A plugin: its name, its version and its components. Made by [`export_plugin!`](crate::export_plugin).
#[derive(Debug, Clone, Copy)]
pub struct PluginDecl {
    name: &'static str,
    version: &'static str,
    components: &'static [Component],
    init: InitFn,
}

/// One component of a plugin, ready to be called.
#[derive(Clone, Copy)]
pub enum Component {
    /// Decides how traffic moves.
    Strategy(&'static dyn DynStrategy),
    /// Judges at one point of a rollout.
    Hook(&'static dyn DynHook),
    /// A source of alarms.
    Alarm(&'static dyn DynAlarmProvider),
}

impl PluginDecl {
    /// A plugin of these components, and its entry point. The ids of components are unique within a
    /// kind, which the host checks.
    pub const fn new(
        name: &'static str,
        version: &'static str,
        components: &'static [Component],
        init: InitFn,
    ) -> Self {
        Self { name, version, components, init }
    }

    /// The name of its crate.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The version of its crate.
    pub const fn version(&self) -> &'static str {
        self.version
    }

    /// The entry point that its library exports. A program that links the plugin in drives it through
    /// this, so that it makes no difference.
    pub const fn init(&self) -> InitFn {
        self.init
    }

    /// Its components, in the order of the declaration.
    pub fn components(&self) -> impl Iterator<Item = Component> + use<> {
        self.components.iter().copied()
    }
}

impl Component {
    /// What it is.
    pub const fn kind(&self) -> ComponentKind {
        match self {
            Self::Strategy(_) => ComponentKind::Strategy,
            Self::Hook(_) => ComponentKind::Hook,
            Self::Alarm(_) => ComponentKind::Alarm,
        }
    }

    /// The name by which a manifest uses it.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Strategy(strategy) => strategy.id(),
            Self::Hook(hook) => hook.id(),
            Self::Alarm(alarm) => alarm.id(),
        }
    }

    /// What it does, in one line for people.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Strategy(strategy) => strategy.summary(),
            Self::Hook(hook) => hook.summary(),
            Self::Alarm(alarm) => alarm.summary(),
        }
    }

    /// The JSON Schema of its config.
    pub fn config_schema(&self) -> Value {
        match self {
            Self::Strategy(strategy) => strategy.config_schema(),
            Self::Hook(hook) => hook.config_schema(),
            Self::Alarm(alarm) => alarm.config_schema(),
        }
    }

    /// Everything that is wrong with a config for it.
    ///
    /// # Errors
    /// If the component cannot say: it panicked.
    pub fn validate(&self, config: &Value) -> Result<Vec<Diagnostic>, PluginError> {
        match self {
            Self::Strategy(strategy) => strategy.validate(config),
            Self::Hook(hook) => hook.validate(config),
            Self::Alarm(alarm) => alarm.validate(config),
        }
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind().as_str(), self.id())
    }
}

/// Declares a crate's plugin: as `pub static PLUGIN: PluginDecl` for programs that link it in, and as
/// the one function that a library (`crate-type = ["rlib", "cdylib"]`) exports.
///
/// The function's name ends with the crate's, so that many plugins can be linked into one program.
///
/// Takes the lists `strategies`, `hooks` and `alarms`, in this order, each optional; an entry is a
/// constant expression, in most cases the name of a unit struct. Once per crate.
#[macro_export]
macro_rules! export_plugin {
    (
        $(strategies: [$($strategy:expr),* $(,)?] $(,)?)?
        $(hooks: [$($hook:expr),* $(,)?] $(,)?)?
        $(alarms: [$($alarm:expr),* $(,)?] $(,)?)?
    ) => {
        /// What this plugin is and has.
        pub static PLUGIN: $crate::PluginDecl = $crate::PluginDecl::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            &[
                $($($crate::Component::Strategy(&$strategy),)*)?
                $($($crate::Component::Hook(&$hook),)*)?
                $($($crate::Component::Alarm(&$alarm),)*)?
            ],
            __wavegate_plugin_init,
        );

        // SAFETY of the name: it holds the crate's, and no crate declares two plugins.
        #[unsafe(export_name = concat!("wavegate_plugin_init_v1__", env!("CARGO_CRATE_NAME")))]
        unsafe extern "C" fn __wavegate_plugin_init(
            host: *const $crate::abi::Host,
            plugin: *mut $crate::abi::Plugin,
        ) -> $crate::abi::Status {
            // SAFETY: the host vouches for its pointers, as the header asks of it.
            unsafe { $crate::entry::init(&PLUGIN, host, plugin) }
        }
    };
}

#[cfg(test)]
#[expect(unreachable_pub, unsafe_code, reason = "the macro declares for the root of another crate")]
pub(crate) mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::{
        CallContext, Decision, Hook, HookEvent, HookOutcome, Observation, Outline, PluginError,
        Strategy, Target, strategy,
    };

    struct AtOnce;
    struct Nod;

    /// No keys.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    impl Strategy for AtOnce {
        const ID: &'static str = "at-once";
        const SUMMARY: &'static str = "everything now";
        type Config = Nothing;
        type State = ();

        fn outline(&self, _: &Nothing, _: &Target) -> Outline {
            Outline::default()
        }

        fn decide(
            &self,
            _: &Nothing,
            (): &mut (),
            seen: &Observation,
        ) -> Result<Decision, PluginError> {
            Ok(strategy::climb(&Outline::default(), seen))
        }
    }

    impl Hook for Nod {
        const ID: &'static str = "nod";
        const SUMMARY: &'static str = "always passes";
        type Config = Nothing;

        async fn run(
            &self,
            _: &CallContext,
            _: Nothing,
            _: HookEvent,
        ) -> Result<HookOutcome, PluginError> {
            Ok(HookOutcome::Pass { detail: String::new() })
        }
    }

    export_plugin! { strategies: [AtOnce], hooks: [Nod] }

    #[test]
    fn a_plugin_says_what_it_is_and_has() {
        assert_eq!(PLUGIN.name(), "wavegate-plugin-sdk");
        assert_eq!(PLUGIN.version(), env!("CARGO_PKG_VERSION"));
        let components: Vec<_> =
            PLUGIN.components().map(|c| (c.kind(), c.id(), c.summary())).collect();
        assert_eq!(
            components,
            [
                (ComponentKind::Strategy, "at-once", "everything now"),
                (ComponentKind::Hook, "nod", "always passes"),
            ]
        );
    }

    #[test]
    fn a_component_without_keys_rejects_every_key() {
        for component in PLUGIN.components() {
            assert_eq!(component.validate(&json!({})).unwrap(), []);
            let found = component.validate(&json!({"percent": 1})).unwrap();
            assert_eq!(found[0].hint.as_deref(), Some("it takes no keys"));
            assert_eq!(component.config_schema()["additionalProperties"], json!(false));
        }
    }
}
