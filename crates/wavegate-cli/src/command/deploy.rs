//! `deploy`: plan, ask, release.

use wavegate_config::Manifest;
use wavegate_core::name::FunctionName;
use wavegate_core::plan::{Plan, PlanReport, Standing};

use super::plan::{Planned, look};
use super::{blocked, confirm, plan_words, select};
use crate::Context;
use crate::args::DeployArgs;
use crate::artifact::package_all;
use crate::console;
use crate::error::CliError;
use crate::interrupt::Interrupts;
use crate::manifest::{self, Loaded};
use crate::release::{Job, Work};
use crate::target::Stage;

pub(crate) async fn run(context: &Context, args: &DeployArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let loading = manifest::load(&context.global, &context.environment, context.console);
    let Loaded { manifest, registry } = interrupts.guard(loading).await?;
    let only = select::only(&manifest.app, &args.only)?;
    let artifacts = interrupts.guard(package_all(&manifest)).await?;
    let opening = Stage::open(&manifest, registry, &context.environment);
    let stage = interrupts.guard(opening).await?;
    let planning = look(&stage, &manifest, &artifacts, only.as_ref());
    let result = match interrupts.guard(planning).await {
        Ok(planned) => release(context, args, &manifest, &stage, planned, &mut interrupts).await,
        Err(error) => Err(error),
    };
    stage.close().await;
    result
}

/// Asks, and releases what was planned.
pub(super) async fn release(
    context: &Context,
    args: &DeployArgs,
    manifest: &Manifest,
    stage: &Stage,
    planned: Planned,
    interrupts: &mut Interrupts,
) -> Result<(), CliError> {
    let console = context.console;
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
    let job = Job {
        manifest,
        stage,
        console,
        environment: &context.environment,
        inventory: &inventory,
        unchanged: unchanged(&report),
    };
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
