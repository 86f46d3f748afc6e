//! The plugins that are linked in, and their components by kind and id.
//!
//! Loaded and isolated plugins will join here; nothing else knows where a component comes from.

use wavegate_plugin_sdk::{Component, DynAlarmProvider, DynHook, DynStrategy, PluginDecl};

/// The plugins that ship with wavegate.
static LINKED: [&PluginDecl; 6] = [
    &wavegate_plugin_all_at_once::PLUGIN,
    &wavegate_plugin_canary::PLUGIN,
    &wavegate_plugin_linear::PLUGIN,
    &wavegate_plugin_lambda_hook::PLUGIN,
    &wavegate_plugin_command_hook::PLUGIN,
    &wavegate_plugin_cloudwatch::PLUGIN,
];

/// All components.
pub(crate) fn components() -> impl Iterator<Item = Component> {
    LINKED.iter().flat_map(|plugin| plugin.components())
}

/// The strategy of that id.
pub(crate) fn strategy(id: &str) -> Option<&'static dyn DynStrategy> {
    components().find_map(|component| match component {
        Component::Strategy(strategy) if strategy.id() == id => Some(strategy),
        _ => None,
    })
}

/// The hook of that id.
pub(crate) fn hook(id: &str) -> Option<&'static dyn DynHook> {
    components().find_map(|component| match component {
        Component::Hook(hook) if hook.id() == id => Some(hook),
        _ => None,
    })
}

/// The alarm provider of that id.
pub(crate) fn alarm(id: &str) -> Option<&'static dyn DynAlarmProvider> {
    components().find_map(|component| match component {
        Component::Alarm(alarm) if alarm.id() == id => Some(alarm),
        _ => None,
    })
}

/// The ids that a manifest may use.
pub(crate) fn ids() -> wavegate_config::Components {
    let mut ids = wavegate_config::Components::default();
    for component in components() {
        let list = match component {
            Component::Strategy(_) => &mut ids.strategies,
            Component::Hook(_) => &mut ids.hooks,
            Component::Alarm(_) => &mut ids.alarms,
        };
        list.push(component.id().to_owned());
    }
    ids
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_component_is_found_by_its_own_id_and_no_other_has_it() {
        let mut seen = BTreeSet::new();
        for component in components() {
            assert!(seen.insert((component.kind().as_str(), component.id())), "{component:?}");
        }
        let ids = ids();
        assert_eq!(ids.strategies, ["all-at-once", "canary", "linear"]);
        assert_eq!(ids.hooks, ["lambda", "command"]);
        assert_eq!(ids.alarms, ["cloudwatch-alarm", "cloudwatch-metric"]);
        assert!(ids.strategies.iter().all(|id| strategy(id).is_some_and(|s| s.id() == id)));
        assert!(ids.hooks.iter().all(|id| hook(id).is_some_and(|h| h.id() == id)));
        assert!(ids.alarms.iter().all(|id| alarm(id).is_some_and(|a| a.id() == id)));
        assert!(strategy("lambda").is_none());
    }
}
