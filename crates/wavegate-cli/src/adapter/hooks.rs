//! The engine's hooks on the plugins' components.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wavegate_core::name::VersionId;
use wavegate_core::release::HookPhase;
use wavegate_core::spec::HookUse;
use wavegate_engine::ports::{HookCall, HookVerdict, Hooks};
use wavegate_plugin_host::{self as host, HostError, Plugin};
use wavegate_plugin_sdk as sdk;
use wavegate_plugin_sdk::{CloudAccess, ComponentKind, HookEvent, HookOutcome, VersionRef};

use super::strategies::wire_weight;
use super::words;
use crate::manifest;
use crate::registry::Registry;

/// How long to wait before a hook is asked again that could not answer, but may later.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Hooks of plugins.
#[derive(Debug, Clone)]
pub(crate) struct PluginHooks {
    registry: Arc<Registry>,
    cloud: CloudAccess,
}

impl PluginHooks {
    /// The hooks of these plugins, which reach the release's cloud through `cloud`.
    pub(crate) fn new(registry: Arc<Registry>, cloud: CloudAccess) -> Self {
        Self { registry, cloud }
    }

    async fn ask(&self, hook: &HookUse, call: &HookCall) -> Result<HookVerdict, String> {
        let id = &hook.hook.component;
        let plugin = self
            .registry
            .find(ComponentKind::Hook, id)
            .ok_or_else(|| format!("there is no hook component `{id}`"))?;
        let config = manifest::parse(&hook.hook.config)?;
        let ran = plugin.run_hook(host::HookCall {
            component: id,
            config: &config,
            event: self.event(call)?,
            deadline: call.left,
            attempt: call.attempt,
            idempotency_key: call.idempotency_key.clone(),
        });
        Ok(match ran.await {
            Ok(outcome) => verdict(outcome),
            Err(error) => not_answered(plugin, &error),
        })
    }

    fn event(&self, call: &HookCall) -> Result<HookEvent, String> {
        let context = &call.context;
        let version = |version: VersionId| VersionRef {
            version: version.to_string(),
            arn: match context.arn.as_str() {
                "" => String::new(),
                arn => format!("{arn}:{version}"),
            },
        };
        Ok(HookEvent {
            app: call.subject.app.clone(),
            release: call.release.clone(),
            release_number: call.number,
            function: call.subject.function.clone(),
            alias: call.subject.alias.clone(),
            phase: phase(call.phase),
            stable: context.stable.map(version),
            candidate: version(context.candidate),
            weight_bp: wire_weight(context.weight)?,
            reason: context.reason.clone(),
            cloud: self.cloud.clone(),
        })
    }
}

#[async_trait]
impl Hooks for PluginHooks {
    async fn run(&self, hook: &HookUse, call: &HookCall) -> HookVerdict {
        self.ask(hook, call).await.unwrap_or_else(|reason| HookVerdict::Fail { reason })
    }
}

fn phase(phase: HookPhase) -> sdk::HookPhase {
    match phase {
        HookPhase::PreTraffic => sdk::HookPhase::PreTraffic,
        HookPhase::PostTraffic => sdk::HookPhase::PostTraffic,
        HookPhase::OnRollback => sdk::HookPhase::OnRollback,
    }
}

fn verdict(outcome: HookOutcome) -> HookVerdict {
    match outcome {
        HookOutcome::Pass { detail } => HookVerdict::Pass { detail },
        HookOutcome::Fail { reason } => HookVerdict::Fail { reason },
        HookOutcome::Retry { after_ms, detail } => {
            HookVerdict::Retry { after: Duration::from_millis(after_ms), detail }
        }
    }
}

/// A hook that could not answer fails closed, unless it says that asking again may mend it.
fn not_answered(plugin: &Plugin, error: &HostError) -> HookVerdict {
    match error {
        HostError::Answer { body, .. } if body.retryable => {
            HookVerdict::Retry { after: ASK_AGAIN, detail: words(plugin, error) }
        }
        error => HookVerdict::Fail { reason: words(plugin, error) },
    }
}

#[cfg(test)]
mod tests {
    use wavegate_core::release::HookContext;
    use wavegate_core::spec::{ComponentUse, Opaque};
    use wavegate_core::weight::Weight;
    use wavegate_engine::ports::Subject;

    use super::*;

    fn hook(component: &str, config: &str) -> HookUse {
        HookUse {
            hook: ComponentUse {
                name: "smoke".to_owned(),
                component: component.to_owned(),
                config: Opaque(config.to_owned()),
            },
            timeout: Duration::from_secs(10),
        }
    }

    fn call() -> HookCall {
        HookCall {
            subject: Subject { app: "shop".into(), function: "auth".into(), alias: "live".into() },
            release: "r".to_owned(),
            number: 7,
            phase: HookPhase::PreTraffic,
            context: HookContext {
                arn: "arn:aws:lambda:eu-west-1:1:function:auth".to_owned(),
                stable: Some(VersionId(3)),
                candidate: VersionId(4),
                weight: Weight::ZERO,
                reason: None,
            },
            idempotency_key: "r/auth/pre_traffic/0".to_owned(),
            attempt: 1,
            left: Duration::from_secs(10),
        }
    }

    async fn hooks() -> PluginHooks {
        PluginHooks::new(crate::adapter::tests::linked().await, CloudAccess::default())
    }

    #[tokio::test]
    async fn a_hook_is_told_versions_with_their_arns() {
        let event = hooks().await.event(&call()).unwrap();
        let arn = |n| format!("arn:aws:lambda:eu-west-1:1:function:auth:{n}");
        assert_eq!(event.candidate, VersionRef { version: "4".into(), arn: arn(4) });
        assert_eq!(event.stable, Some(VersionRef { version: "3".into(), arn: arn(3) }));
        assert_eq!((event.release_number, event.phase), (7, sdk::HookPhase::PreTraffic));
    }

    #[tokio::test]
    async fn an_error_fails_closed_unless_asking_again_may_mend_it() {
        let registry = crate::adapter::tests::linked().await;
        let plugin = registry.find(ComponentKind::Hook, "command").unwrap();
        let answer = |retryable| HostError::Answer {
            plugin: "p".into(),
            body: Box::new(sdk::PluginErrorBody {
                code: "x.y".into(),
                message: "no".into(),
                retryable,
                detail: None,
            }),
        };
        assert!(matches!(not_answered(plugin, &answer(false)), HookVerdict::Fail { .. }));
        assert!(matches!(not_answered(plugin, &answer(true)), HookVerdict::Retry { .. }));
        let late = HostError::NoAnswer {
            plugin: "p".into(),
            method: "hook.run".into(),
            limit: Duration::from_secs(1),
        };
        assert!(matches!(not_answered(plugin, &late), HookVerdict::Fail { .. }));
    }

    #[tokio::test]
    async fn a_command_passes_and_fails_by_its_exit_code() {
        let hooks = hooks().await;
        let passes =
            hook("command", r#"{"command": ["sh", "-c", "test $WAVEGATE_FUNCTION = auth"]}"#);
        assert!(matches!(hooks.run(&passes, &call()).await, HookVerdict::Pass { .. }));
        let fails = hook("command", r#"{"command": ["sh", "-c", "echo because; exit 3"]}"#);
        match hooks.run(&fails, &call()).await {
            HookVerdict::Fail { reason } => assert!(reason.contains("because"), "{reason}"),
            other => panic!("{other:?}"),
        }
        let waits = hook("command", r#"{"command": ["sh", "-c", "exit 75"]}"#);
        assert!(matches!(hooks.run(&waits, &call()).await, HookVerdict::Retry { .. }));
    }

    #[tokio::test]
    async fn a_hook_that_is_not_there_fails_closed() {
        let hooks = hooks().await;
        let verdict = hooks.run(&hook("nope", "{}"), &call()).await;
        assert!(matches!(verdict, HookVerdict::Fail { .. }), "{verdict:?}");
        let verdict = hooks.run(&hook("command", "{}"), &call()).await;
        assert!(matches!(verdict, HookVerdict::Fail { .. }), "{verdict:?}");
    }
}
