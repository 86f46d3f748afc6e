//! `retry`: what failed and was put back is released once more; what froze goes on.
//!
//! The lock remembers which plan its last release had. A retry is that plan again, made anew from
//! manifest, code and cloud: if it would be another one, it is no retry, and nothing is done.

use wavegate_core::plan::find_lock;
use wavegate_core::token::LockPhase;

use super::plan::look;
use super::{deploy, recover, select};
use crate::Context;
use crate::args::{DeployArgs, RetryArgs};
use crate::artifact::package_all;
use crate::error::{CliError, ErrorKind};
use crate::interrupt::Interrupts;
use crate::manifest::{self, Loaded};
use crate::target::Stage;

/// There is nothing to retry.
const NOTHING: &str = "WG686";
/// It would be another release.
const ANOTHER: &str = "WG687";

pub(crate) async fn run(context: &Context, args: &RetryArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let loading = manifest::load(&context.global, &context.environment, context.console);
    let Loaded { manifest, registry } = interrupts.guard(loading).await?;
    let only = select::only(&manifest.app, &args.only)?;
    let artifacts = interrupts.guard(package_all(&manifest)).await?;
    let opening = Stage::open(&manifest, registry, &context.environment);
    let stage = interrupts.guard(opening).await?;
    let planning = look(&stage, &manifest, &artifacts, only.as_ref());
    let planned = match interrupts.guard(planning).await {
        Ok(planned) => planned,
        Err(error) => {
            stage.close().await;
            return Err(error);
        }
    };
    let last = find_lock(&manifest.app, &planned.inventory).map(|(_, _, record)| record);
    if last.as_ref().is_some_and(|record| record.phase.is_ownerless()) {
        stage.close().await;
        return recover::resume(context, &args.only, (args.yes, None), &mut interrupts).await;
    }
    let name = &manifest.app.name;
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
    let result = if let Some((code, message)) = refusal {
        Err(CliError::new(ErrorKind::Refused, code, message)
            .hint("`wavegate plan` shows what a `deploy` would do"))
    } else {
        let args = DeployArgs { yes: args.yes, only: args.only.clone() };
        deploy::release(context, &args, &manifest, &stage, planned, &mut interrupts).await
    };
    stage.close().await;
    result
}
