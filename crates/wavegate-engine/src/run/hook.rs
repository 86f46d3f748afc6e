//! One hook, to its end: tries, waits between them, and the time it has in all.

use std::time::Duration;

use tokio::time::Instant;
use wavegate_core::name::FunctionName;
use wavegate_core::release::{HookContext, HookPhase, Input};
use wavegate_core::spec::HookUse;
use wavegate_core::time::human;

use super::{Context, perform};
use crate::event::{Event, hook_word};
use crate::ports::{HookCall, HookVerdict};

/// A hook that asks to be asked again at once is still not asked more often than this.
const AGAIN_MIN: Duration = Duration::from_secs(1);

/// A hook that asks for more time than it has left is asked once more so long before its end, or in
/// the last quarter of its time.
const LAST_TRY_WITHIN: Duration = Duration::from_secs(1);

/// How much longer than its time a hook is waited for: whoever runs it knows better why it is late.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// Runs hook `index` of a phase and tells the machine how it ended.
pub(super) async fn run(
    context: Context,
    function: FunctionName,
    phase: HookPhase,
    index: usize,
    about: HookContext,
) {
    let hook = context.plan.functions.get(&function).and_then(|plan| {
        let hooks = match phase {
            HookPhase::PreTraffic => &plan.pre_traffic,
            HookPhase::PostTraffic => &plan.post_traffic,
            HookPhase::OnRollback => &plan.on_rollback,
        };
        hooks.get(index).cloned()
    });
    let Some(hook) = hook else { return };
    let work = tries(&context, &function, phase, index, &hook, about);
    // A hook of the way back runs to its end; a forward one stops when the release goes back.
    let result = if phase == HookPhase::OnRollback {
        work.await
    } else {
        match context.work.run_until_cancelled(work).await {
            Some(result) => result,
            None => Err("stopped: the release goes back".to_owned()),
        }
    };
    let name = &hook.hook.name;
    let result = result.map_err(|reason| format!("hook `{name}` failed: {reason}"));
    context.tell(Input::Hooked { function, phase, index, result });
}

async fn tries(
    context: &Context,
    function: &FunctionName,
    phase: HookPhase,
    index: usize,
    hook: &HookUse,
    about: HookContext,
) -> Result<(), String> {
    let Some(plan) = context.plan.functions.get(function) else { return Ok(()) };
    let began = Instant::now();
    let say = |state: &str, detail: &str| {
        context.say(Event::Hook {
            function: function.to_string(),
            hook: hook.hook.name.clone(),
            phase: hook_word(phase).to_owned(),
            state: state.to_owned(),
            detail: detail.to_owned(),
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    };
    say("running", "");
    // Code runs in wall time, waits pass in the release's: both count against the hook's time.
    let mut used = Duration::ZERO;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let left = hook.timeout.saturating_sub(used);
        let call = HookCall {
            subject: perform::about(context, plan),
            release: context.release.to_string(),
            number: context.plan.number,
            phase,
            context: about.clone(),
            idempotency_key: format!("{}/{function}/{}/{index}", context.release, hook_word(phase)),
            attempt,
            left,
        };
        let started = Instant::now();
        let running = context.engine.world.hooks.run(hook, &call);
        let verdict = tokio::time::timeout(left.saturating_add(LAST_WORDS_WITHIN), running).await;
        used += started.elapsed();
        match verdict {
            Ok(HookVerdict::Pass { detail }) => {
                say("passed", &detail);
                return Ok(());
            }
            Ok(HookVerdict::Fail { reason }) => {
                say("failed", &reason);
                return Err(reason);
            }
            Ok(HookVerdict::Retry { after, detail }) => {
                let Some(after) = pause_before_next(hook.timeout, used, after) else {
                    let reason = format!("not passed within {}: {detail}", human(hook.timeout));
                    say("failed", &reason);
                    return Err(reason);
                };
                say("retrying", &detail);
                used += after;
                let until = context.now_ms().saturating_add(wavegate_core::time::millis(after));
                context.engine.world.clock.sleep_until(until).await;
            }
            Err(_) => {
                let reason = format!("no answer within {}", human(hook.timeout));
                say("failed", &reason);
                return Err(reason);
            }
        }
    }
}

/// How long to wait before a hook is tried again that asks to be after `wanted`; `None`: it has had
/// its last try.
fn pause_before_next(timeout: Duration, used: Duration, wanted: Duration) -> Option<Duration> {
    let last = timeout.saturating_sub(LAST_TRY_WITHIN.min(timeout / 4));
    let room = last.checked_sub(used).filter(|room| !room.is_zero())?;
    Some(wanted.max(AGAIN_MIN).min(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_that_wants_more_time_than_is_left_is_asked_once_more() {
        let ms = Duration::from_millis;
        for (timeout, used, wanted, pause) in [
            (60_000, 500, 0, Some(1_000)),
            (60_000, 500, 20_000, Some(20_000)),
            (4_000, 500, 120_000, Some(2_500)),
            (4_000, 3_000, 0, None),
            (4_000, 3_010, 120_000, None),
            (600, 50, 100, Some(400)),
            (600, 450, 0, None),
            (0, 0, 0, None),
        ] {
            assert_eq!(
                pause_before_next(ms(timeout), ms(used), ms(wanted)),
                pause.map(ms),
                "{timeout} {used} {wanted}"
            );
        }
    }
}
