//! `plan`: what a deploy would do. Nothing is written to any cloud.

use std::collections::BTreeSet;

use wavegate_config::Manifest;
use wavegate_core::inventory::Inventory;
use wavegate_core::name::FunctionName;
use wavegate_core::plan::{Plan, PlanReport};

use super::{blocked, plan_words, select};
use crate::Context;
use crate::args::PlanArgs;
use crate::artifact::{Artifacts, package_all};
use crate::console;
use crate::error::CliError;
use crate::interrupt::Interrupts;
use crate::manifest::Loaded;
use crate::target::Stage;
use crate::{fault, manifest};

pub(crate) async fn run(context: &Context, args: &PlanArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let loading = manifest::load(&context.global, &context.environment, context.console);
    let Loaded { manifest, registry } = interrupts.guard(loading).await?;
    let only = select::only(&manifest.app, &args.only)?;
    let artifacts = interrupts.guard(package_all(&manifest)).await?;
    let opening = Stage::open(&manifest, registry, &context.environment);
    let stage = interrupts.guard(opening).await?;
    let planning = look(&stage, &manifest, &artifacts, only.as_ref());
    let planned = interrupts.guard(planning).await;
    stage.close().await;
    let Planned { plan, report, .. } = planned?;
    if context.console.is_json() {
        let schedule = plan.as_ref().map(wavegate_core::plan::schedule).unwrap_or_default();
        let json = wavegate_report::plan_json(plan.as_ref(), &report, &schedule);
        console::json(&json)?;
    } else {
        console::data(&plan_words(plan.as_ref(), &report, context.console.out))?;
    }
    match plan {
        Some(_) => Ok(()),
        None => Err(blocked(&report)),
    }
}

/// What looking and planning gave.
pub(super) struct Planned {
    /// What was observed.
    pub(super) inventory: Inventory,
    /// The plan, unless it is blocked.
    pub(super) plan: Option<Plan>,
    /// Why.
    pub(super) report: PlanReport,
}

/// Observes and plans.
pub(super) async fn look(
    stage: &Stage,
    manifest: &Manifest,
    artifacts: &Artifacts,
    only: Option<&BTreeSet<FunctionName>>,
) -> Result<Planned, CliError> {
    let failed = |error| fault::engine(&error, &stage.endpoint);
    let inventory = stage.engine.observe(&manifest.app).await.map_err(failed)?;
    let (plan, report) =
        stage.engine.plan(&manifest.app, &inventory, artifacts, only).await.map_err(failed)?;
    Ok(Planned { inventory, plan, report })
}
