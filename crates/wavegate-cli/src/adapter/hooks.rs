//! The engine's hooks on the linked components.

use std::time::Duration;

use async_trait::async_trait;
use wavegate_core::name::VersionId;
use wavegate_core::release::HookPhase;
use wavegate_core::spec::HookUse;
use wavegate_engine::ports::{HookCall, HookVerdict, Hooks};
use wavegate_plugin_sdk as sdk;
use wavegate_plugin_sdk::{CallContext, CloudAccess, HookEvent, HookOutcome, VersionRef};

use super::strategies::wire_weight;
use crate::{manifest, registry};

/// How long to wait before a hook is asked again that could not answer, but may later.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Hooks of the plugins that are linked in.
#[derive(Debug, Clone)]
pub(crate) struct LinkedHooks {
    cloud: CloudAccess,
}

impl LinkedHooks {
    /// Hooks that reach the release's cloud through `cloud`.
    pub(crate) fn new(cloud: CloudAccess) -> Self {
        Self { cloud }
    }

    async fn ask(&self, hook: &HookUse, call: &HookCall) -> Result<HookVerdict, String> {
        let component = registry::hook(&hook.hook.component)
            .ok_or_else(|| format!("there is no hook component `{}`", hook.hook.component))?;
        let config = manifest::parse(&hook.hook.config)?;
        let context =
            CallContext::new(call.left, call.idempotency_key.clone()).with_attempt(call.attempt);
        let event = self.event(call)?;
        Ok(match component.run(&context, &config, event).await {
            Ok(outcome) => verdict(outcome),
            Err(error) => not_answered(&error),
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
impl Hooks for LinkedHooks {
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

/// A hook that could not answer fails closed, unless asking again may mend it and there is time.
fn not_answered(error: &sdk::PluginError) -> HookVerdict {
    let words = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.message()),
        None => error.message().to_owned(),
    };
    let is_out_of_time = error.code() == sdk::PluginError::DEADLINE;
    if error.is_retryable() && !is_out_of_time {
        return HookVerdict::Retry { after: ASK_AGAIN, detail: words };
    }
    HookVerdict::Fail { reason: words }
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

    #[test]
    fn a_hook_is_told_versions_with_their_arns() {
        let event = LinkedHooks::new(CloudAccess::default()).event(&call()).unwrap();
        let arn = |n| format!("arn:aws:lambda:eu-west-1:1:function:auth:{n}");
        assert_eq!(event.candidate, VersionRef { version: "4".into(), arn: arn(4) });
        assert_eq!(event.stable, Some(VersionRef { version: "3".into(), arn: arn(3) }));
        assert_eq!((event.release_number, event.phase), (7, sdk::HookPhase::PreTraffic));
    }

    #[test]
    fn an_error_fails_closed_unless_asking_again_may_mend_it() {
        let error = |code: &str| sdk::PluginError::new(code, "no");
        assert!(matches!(not_answered(&error("x")), HookVerdict::Fail { .. }));
        assert!(matches!(not_answered(&error("x").retryable()), HookVerdict::Retry { .. }));
        let late = error(sdk::PluginError::DEADLINE).retryable();
        assert!(matches!(not_answered(&late), HookVerdict::Fail { .. }));
    }

    #[tokio::test]
    async fn a_command_passes_and_fails_by_its_exit_code() {
        let hooks = LinkedHooks::new(CloudAccess::default());
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
        let hooks = LinkedHooks::new(CloudAccess::default());
        let verdict = hooks.run(&hook("nope", "{}"), &call()).await;
        assert!(matches!(verdict, HookVerdict::Fail { .. }), "{verdict:?}");
        let verdict = hooks.run(&hook("command", "{}"), &call()).await;
        assert!(matches!(verdict, HookVerdict::Fail { .. }), "{verdict:?}");
    }
}
