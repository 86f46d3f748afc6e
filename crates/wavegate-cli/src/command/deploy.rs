//! `deploy`: plan, ask, release. What was left to CodeDeploy comes first.

use wavegate_config::Manifest;
use wavegate_core::inventory::Inventory;
use wavegate_core::name::FunctionName;
use wavegate_core::plan::{Plan, PlanReport, Standing, find_lock};
use wavegate_core::token::LockPhase;

use super::plan::{Planned, Prepared};
use super::{blocked, confirm, plan_words, recover};
use crate::Context;
use crate::args::DeployArgs;
use crate::console;
use crate::error::CliError;
use crate::interrupt::Interrupts;
use crate::release::{Job, Work};

pub(crate) async fn run(context: &Context, args: &DeployArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let prepared = Prepared::new(context, &args.only, &mut interrupts).await?;
    let result = match interrupts.guard(prepared.look()).await {
        Ok(planned) if is_held(&prepared.manifest, &planned.inventory) => {
            console::say("its last release was left to CodeDeploy: it is gone on with first");
            let how = (args.yes, None);
            recover::resume(context, &prepared, how, &mut interrupts).await
        }
        Ok(planned) => release(context, args, &prepared, planned, &mut interrupts).await,
        Err(error) => Err(error),
    };
    prepared.stage.close().await;
    result
}

/// Whether the app's release was left to CodeDeploy by whoever ran it. One that lost its machine may
/// have an owner still: for that there is `recover`.
fn is_held(manifest: &Manifest, inventory: &Inventory) -> bool {
    let lock = find_lock(&manifest.app, inventory);
    lock.is_some_and(|(_, _, left)| left.phase == LockPhase::Held)
        && recover::is_left_to_codedeploy(manifest, inventory)
}

/// Asks, and releases what was planned.
pub(super) async fn release(
    context: &Context,
    args: &DeployArgs,
    prepared: &Prepared,
    planned: Planned,
    interrupts: &mut Interrupts,
) -> Result<(), CliError> {
    let console = context.console;
    let Prepared { manifest, stage, .. } = prepared;
    let Planned { inventory, plan, report } = planned;
    if !console.is_json() || plan.is_none() || !args.yes {
        console::say(plan_words(plan.as_ref(), &report, console.err).trim_end());
    }
    let Some(plan) = plan else { return Err(blocked(&report)) };
    if plan.functions.is_empty() {
        return Ok(());
    }
    let question = question(&plan, &stage.words(&inventory));
    interrupts.guard(confirm(console, args.yes, question)).await?;
    let job =
        Job { unchanged: unchanged(&report), ..Job::of(context, manifest, stage, &inventory) };
    job.run(Work::Deploy(plan), interrupts).await
}

fn question(plan: &Plan, target: &str) -> String {
    let count = plan.functions.len();
    let functions = if count == 1 { "function" } else { "functions" };
    format!("Deploy {count} {functions} of `{}` to {target}?", plan.app)
}

/// The functions of the app that are left alone.
fn unchanged(report: &PlanReport) -> Vec<String> {
    let same = report
        .functions
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Unchanged(_) | Standing::NotSelected));
    same.map(|(name, _): (&FunctionName, _)| name.to_string()).collect()
}
