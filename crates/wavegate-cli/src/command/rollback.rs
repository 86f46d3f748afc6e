//! `rollback`: an unfinished release is put back; a finished one is undone by another release.

use std::collections::{BTreeMap, BTreeSet};

use wavegate_config::Manifest;
use wavegate_core::inventory::Inventory;
use wavegate_core::name::{FunctionName, VersionId};
use wavegate_core::plan::{Plan, find_lock, put_back_plan, switch_plan};
use wavegate_core::token::{LockPhase, LockRecord};
use wavegate_report::records::versions_after;

use super::recover::Recovery;
use super::{blocked, confirm, history, plan_words};
use crate::Context;
use crate::args::RollbackArgs;
use crate::console;
use crate::error::{CliError, ErrorKind};
use crate::interrupt::Interrupts;
use crate::manifest::Loaded;
use crate::release::{Job, Work};
use crate::target::Stage;
use crate::{fault, manifest};

/// Nothing is known about the release to go back to.
const UNKNOWN_RELEASE: &str = "WG616";
/// A version to go back to was deleted.
const VERSION_GONE: &str = "WG617";

pub(crate) async fn run(context: &Context, args: &RollbackArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let loading = manifest::load_to_go_back(&context.global, &context.environment, context.console);
    let Loaded { manifest, registry } = interrupts.guard(loading).await?;
    let opening = Stage::open(&manifest, registry, &context.environment);
    let stage = interrupts.guard(opening).await?;
    let rollback = Rollback { context, args, manifest: &manifest, stage: &stage };
    let result = rollback.run(&mut interrupts).await;
    stage.close().await;
    result
}

struct Rollback<'a> {
    context: &'a Context,
    args: &'a RollbackArgs,
    manifest: &'a Manifest,
    stage: &'a Stage,
}

impl Rollback<'_> {
    async fn run(&self, interrupts: &mut Interrupts) -> Result<(), CliError> {
        let inventory = interrupts.guard(self.stage.observe(&self.manifest.app)).await?;
        if let Some(left) = put_back_plan(&self.manifest.app, &inventory) {
            return self.put_back(&inventory, left, interrupts).await;
        }
        let targets = match self.args.to_release {
            Some(number) => interrupts.guard(self.versions_after(&inventory, number)).await?,
            None => self.before_the_last(&inventory),
        };
        self.switch(&inventory, &targets, interrupts).await
    }

    /// Takes over what another run left unfinished.
    async fn put_back(
        &self,
        inventory: &Inventory,
        left: (Plan, LockRecord),
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let (plan, record) = &left;
        if self.args.to_release.is_some() {
            return Err(CliError::new(
                ErrorKind::Refused,
                "WG402",
                format!("release {} r{} is not finished", plan.app, record.number),
            )
            .hint("put it back first: `wavegate recover`"));
        }
        let Self { context, manifest, stage, args } = self;
        let recovery = Recovery { context, manifest, stage };
        recovery.put_back(inventory, left, (args.yes, args.reason.as_deref()), interrupts).await
    }

    async fn switch(
        &self,
        inventory: &Inventory,
        targets: &BTreeMap<FunctionName, VersionId>,
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let console = self.context.console;
        let (plan, report) = switch_plan(&self.manifest.app, inventory, targets);
        if let Some(plan) = &plan
            && plan.functions.is_empty()
        {
            console::say(&match self.args.to_release {
                Some(number) => format!(
                    "nothing to put back: every function serves what it did after release r{number}"
                ),
                None => "nothing to put back: every function serves what it did before the last \
                         release\n`wavegate rollback --to-release N` goes further back"
                    .to_owned(),
            });
            return Ok(());
        }
        console::say(plan_words(plan.as_ref(), &report, console.err).trim_end());
        let Some(plan) = plan else { return Err(blocked(&report)) };
        let question = format!(
            "Put {} of `{}` back on {}?",
            match plan.functions.len() {
                1 => "1 function".to_owned(),
                count => format!("{count} functions"),
            },
            plan.app,
            self.stage.words(inventory)
        );
        interrupts.guard(confirm(console, self.args.yes, question)).await?;
        Job::of(self.context, self.manifest, self.stage, inventory)
            .run(Work::Deploy(plan), interrupts)
            .await
    }

    /// Where the functions that the last release changed were before: their pins. Which ones it changed
    /// its own records tell best; without them, every pin that differs counts, and the plan shows it.
    fn before_the_last(&self, inventory: &Inventory) -> BTreeMap<FunctionName, VersionId> {
        let app = &self.manifest.app;
        let changed = self.recorded_by_the_last(inventory);
        let pinned = inventory.functions.iter().filter_map(|(name, observed)| {
            let pin = observed.alias(&app.alias.pin())?.main()?;
            let live = observed.alias(&app.alias)?.main()?;
            (pin != live).then(|| (name.clone(), pin))
        });
        pinned
            .filter(|(name, _)| changed.as_ref().is_none_or(|names| names.contains(name.as_str())))
            .collect()
    }

    /// The functions that the last release which ended well changed, if it was recorded here.
    fn recorded_by_the_last(&self, inventory: &Inventory) -> Option<BTreeSet<String>> {
        let (_, _, lock) = find_lock(&self.manifest.app, inventory)?;
        let target = self.stage.words(inventory);
        let releases = history::releases(self.manifest, |words| words == target).ok()?;
        let last =
            releases.into_iter().find(|release| release.outcome.as_deref() == Some("done"))?;
        // Somebody else may have released since, from another machine.
        let is_last = lock.phase != LockPhase::Done || last.id == lock.release.to_string();
        is_last.then(|| last.functions.into_keys().collect())
    }

    /// The versions after a recorded release, if they still exist.
    async fn versions_after(
        &self,
        inventory: &Inventory,
        number: u64,
    ) -> Result<BTreeMap<FunctionName, VersionId>, CliError> {
        let app = &self.manifest.app;
        let target = self.stage.words(inventory);
        let releases = history::releases(self.manifest, |words| words == target)
            .map_err(|error| CliError { kind: ErrorKind::Refused, ..error })?;
        let Some(versions) = versions_after(&releases, number) else {
            let message = format!("release {} r{number} is not known to have ended well", app.name);
            return Err(CliError::new(ErrorKind::Refused, UNKNOWN_RELEASE, message)
                .because(history::known(&releases))
                .hint("records are kept on the machine that deployed; without them `wavegate rollback` goes back one release"));
        };
        let targets: BTreeMap<FunctionName, VersionId> = app
            .functions
            .keys()
            .filter_map(|name| Some((name.clone(), VersionId(*versions.get(name.as_str())?))))
            .collect();
        self.refuse_deleted(inventory, &targets).await?;
        Ok(targets)
    }

    /// Versions that were deleted cannot be gone back to: all of them are told at once.
    async fn refuse_deleted(
        &self,
        inventory: &Inventory,
        targets: &BTreeMap<FunctionName, VersionId>,
    ) -> Result<(), CliError> {
        let app = &self.manifest.app;
        let mut gone = Vec::new();
        for (name, version) in targets {
            let served = inventory.functions.get(name).and_then(|f| f.alias(&app.alias)?.main());
            let Some(function) = app.functions.get(name).filter(|_| served != Some(*version))
            else {
                continue;
            };
            let found = self.stage.cloud.get_function(&function.lambda_name, Some(*version)).await;
            let found = found.map_err(|error| {
                let what = format!("could not look at version {version} of `{name}`");
                fault::cloud(&what, &error, &self.stage.endpoint)
            })?;
            if found.is_none() {
                gone.push(format!("{name}: version {version}"));
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        let error = CliError::new(
            ErrorKind::Refused,
            VERSION_GONE,
            "versions to go back to do not exist any more: nothing was changed",
        );
        let error = gone.into_iter().fold(error, CliError::because);
        Err(error
            .hint("deploy the old code again; `keep_versions` under [app] says how many are kept"))
    }
}
