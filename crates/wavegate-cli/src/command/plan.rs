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
    let prepared = Prepared::new(context, &args.only, &mut interrupts).await?;
    let planned = interrupts.guard(prepared.look()).await;
    prepared.stage.close().await;
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

/// What a release is planned from: manifest and code, and the target, opened.
pub(super) struct Prepared {
    /// The manifest.
    pub(super) manifest: Manifest,
    /// Its plugins run until this is closed.
    pub(super) stage: Stage,
    /// The code of every function.
    pub(super) artifacts: Artifacts,
    /// The functions that were asked for; `None` for all.
    pub(super) only: Option<BTreeSet<FunctionName>>,
}

impl Prepared {
    /// Loads, packages and opens.
    pub(super) async fn new(
        context: &Context,
        only: &[String],
        interrupts: &mut Interrupts,
    ) -> Result<Self, CliError> {
        let loading = manifest::load(&context.global, &context.environment, context.console);
        let Loaded { manifest, registry } = interrupts.guard(loading).await?;
        let only = select::only(&manifest.app, only)?;
        let artifacts = interrupts.guard(package_all(&manifest)).await?;
        let opening = Stage::open(&manifest, registry, &context.environment);
        let stage = interrupts.guard(opening).await?;
        Ok(Self { manifest, stage, artifacts, only })
    }

    /// Observes and plans.
    pub(super) async fn look(&self) -> Result<Planned, CliError> {
        let Self { manifest, stage, artifacts, only } = self;
        let inventory = stage.observe(&manifest.app).await?;
        let planning = stage.engine.plan(&manifest.app, &inventory, artifacts, only.as_ref());
        let planned = planning.await.map_err(|error| fault::engine(&error, &stage.endpoint));
        let (plan, report) = planned?;
        Ok(Planned { inventory, plan, report })
    }
}
