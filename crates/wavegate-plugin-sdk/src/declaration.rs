//! What a plugin declares about itself, and the macro that declares it.

use serde_json::Value;
use wavegate_plugin_protocol::{ComponentKind, Diagnostic};

use crate::{DynAlarmProvider, DynHook, DynStrategy};

/// A plugin: its name, its version and its components. Made by [`export_plugin!`](crate::export_plugin).
#[derive(Clone, Copy)]
pub struct PluginDecl {
    name: &'static str,
    version: &'static str,
    components: &'static [Component],
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
    /// A plugin of these components. Their ids are unique within a kind, which the host checks.
    pub const fn new(
        name: &'static str,
        version: &'static str,
        components: &'static [Component],
    ) -> Self {
        Self { name, version, components }
    }

    /// The name of its crate.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The version of its crate.
    pub const fn version(&self) -> &'static str {
        self.version
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
    pub fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        match self {
            Self::Strategy(strategy) => strategy.validate(config),
            Self::Hook(hook) => hook.validate(config),
            Self::Alarm(alarm) => alarm.validate(config),
        }
    }
}

impl std::fmt::Debug for PluginDecl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginDecl")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("components", &self.components)
            .finish()
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind().as_str(), self.id())
    }
}

/// Declares a crate's plugin, as `pub static PLUGIN: PluginDecl`.
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
        );
    };
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares for the root of a crate")]
mod tests {
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
            assert_eq!(component.validate(&json!({})), []);
            let found = component.validate(&json!({"percent": 1}));
            assert_eq!(found[0].hint.as_deref(), Some("it takes no keys"));
            assert_eq!(component.config_schema()["additionalProperties"], json!(false));
        }
    }
}
