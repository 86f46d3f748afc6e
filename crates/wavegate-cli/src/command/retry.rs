//! `retry`: what failed and was put back is released once more; what froze goes on.
//!
//! The lock remembers which plan its last release had. A retry is that plan again, made anew from
//! manifest, code and cloud: if it would be another one, it is no retry, and nothing is done.

use wavegate_core::plan::find_lock;
use wavegate_core::token::LockPhase;

use super::plan::Prepared;
use super::{deploy, recover};
use crate::Context;
use crate::args::{DeployArgs, RetryArgs};
use crate::error::{CliError, ErrorKind};
use crate::interrupt::Interrupts;

/// There is nothing to retry.
const NOTHING: &str = "WG686";
/// It would be another release.
const ANOTHER: &str = "WG687";

pub(crate) async fn run(context: &Context, args: &RetryArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let prepared = Prepared::new(context, &args.only, &mut interrupts).await?;
    let result = again(context, args, &prepared, &mut interrupts).await;
    prepared.stage.close().await;
    result
}

async fn again(
    context: &Context,
    args: &RetryArgs,
    prepared: &Prepared,
    interrupts: &mut Interrupts,
) -> Result<(), CliError> {
    let planned = interrupts.guard(prepared.look()).await?;
    let app = &prepared.manifest.app;
    let last = find_lock(app, &planned.inventory).map(|(_, _, record)| record);
    if last.as_ref().is_some_and(|record| record.phase.is_ownerless()) {
        return recover::resume(context, prepared, (args.yes, None), interrupts).await;
    }
    let name = &app.name;
    let refusal = match (&last, &planned.plan) {
        (None, _) => Some((NOTHING, format!("`{name}` was never released: nothing to retry"))),
        (Some(record), _) if record.phase == LockPhase::Done => {
            Some((NOTHING, format!("release {name} r{} is done: nothing to retry", record.number)))
        }
        (Some(record), Some(plan))
            if record.phase == LockPhase::RolledBack && plan.fingerprint != record.plan =>
        {
            let number = record.number;
            Some((
                ANOTHER,
                format!(
                    "this would not be release {name} r{number} once more: the manifest, the code or what is served has changed since"
                ),
            ))
        }
        // One that runs is refused by its plan, in the plan's own words.
        _ => None,
    };
    if let Some((code, message)) = refusal {
        return Err(CliError::new(ErrorKind::Refused, code, message)
            .hint("`wavegate plan` shows what a `deploy` would do"));
    }
    let args = DeployArgs { yes: args.yes, only: args.only.clone() };
    deploy::release(context, &args, prepared, planned, interrupts).await
}
