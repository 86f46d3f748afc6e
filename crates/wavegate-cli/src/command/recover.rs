//! `recover`: a release that lost its machine is finished, from the cloud alone.
//!
//! By default it is put back: what a person did not see is not to go on by itself. With `--resume`
//! it goes on from where its aliases stand, if manifest and code are what it was begun with. What
//! CodeDeploy has in hand went on all the time: that goes on by default, too.

use wavegate_config::Manifest;
use wavegate_core::inventory::{Artifact, Inventory};
use wavegate_core::plan::{Plan, find_lock, is_delegated, put_back_plan};
use wavegate_core::token::{LockPhase, LockRecord, Token};
use wavegate_report::safe_line;

use super::plan::Prepared;
use super::{blocked, confirm, discover, plan_words};
use crate::Context;
use crate::args::RecoverArgs;
use crate::artifact::Artifacts;
use crate::asked::{About, Asked};
use crate::console;
use crate::error::{CliError, ErrorKind};
use crate::interrupt::Interrupts;
use crate::manifest::Loaded;
use crate::release::{Job, Work};
use crate::target::Stage;
use crate::{fault, manifest};

/// Manifest or code are not what the release was begun with.
const OTHER_PLAN: &str = "WG683";
/// It goes back, and nothing goes on.
const GOES_BACK: &str = "WG684";
/// A version that was published is not the code that is at hand.
const OTHER_CODE: &str = "WG685";

pub(crate) async fn run(context: &Context, args: &RecoverArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    if args.resume {
        return go_on(context, args, &mut interrupts).await;
    }
    let (manifest, stage) = if let Some(name) = &args.without.app {
        discover::open(context, name, &args.without, &mut interrupts).await?
    } else {
        let (global, environment) = (&context.global, &context.environment);
        let loading = manifest::load_to_go_back(global, environment, context.console);
        let Loaded { manifest, registry } = interrupts.guard(loading).await?;
        let opening = Stage::open(&manifest, registry, environment);
        let stage = interrupts.guard(opening).await?;
        (manifest, stage)
    };
    let recovery = Recovery { context, manifest: &manifest, stage: &stage };
    let inventory = interrupts.guard(stage.observe(&manifest.app)).await;
    let result = match inventory {
        Ok(inventory) if !args.abort && is_left_to_codedeploy(&manifest, &inventory) => {
            stage.close().await;
            return go_on(context, args, &mut interrupts).await;
        }
        Ok(inventory) => recovery.put_back_what_is_left(&inventory, args, &mut interrupts).await,
        Err(error) => Err(error),
    };
    stage.close().await;
    result
}

async fn go_on(
    context: &Context,
    args: &RecoverArgs,
    interrupts: &mut Interrupts,
) -> Result<(), CliError> {
    let how = (args.yes, args.reason.as_deref());
    let prepared = Prepared::new(context, &args.only, interrupts).await?;
    let result = resume(context, &prepared, how, interrupts).await;
    prepared.stage.close().await;
    result
}

/// Whether CodeDeploy has traffic of an unfinished release in hand.
pub(super) fn is_left_to_codedeploy(manifest: &Manifest, inventory: &Inventory) -> bool {
    let app = &manifest.app;
    find_lock(app, inventory).is_some_and(|(_, _, left)| {
        !left.phase.is_over() && !left.is_abort_asked() && is_delegated(app, inventory, &left)
    })
}

/// Goes on with an unfinished release.
pub(super) async fn resume(
    context: &Context,
    prepared: &Prepared,
    how: (bool, Option<&str>),
    interrupts: &mut Interrupts,
) -> Result<(), CliError> {
    let Prepared { manifest, stage, artifacts, only } = prepared;
    let recovery = Recovery { context, manifest, stage };
    let planning = recovery.plan_again(artifacts, only.as_ref());
    match interrupts.guard(planning).await? {
        Some(found) => recovery.go_on(found, how, interrupts).await,
        None => Ok(()),
    }
}

/// An unfinished release, its plan made anew, and what is there now.
struct Found {
    inventory: Inventory,
    plan: Plan,
    left: LockRecord,
}

/// An app whose release was left, and where it is.
pub(super) struct Recovery<'a> {
    pub(super) context: &'a Context,
    pub(super) manifest: &'a Manifest,
    pub(super) stage: &'a Stage,
}

impl Recovery<'_> {
    async fn put_back_what_is_left(
        &self,
        inventory: &Inventory,
        args: &RecoverArgs,
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let Some(left) = put_back_plan(&self.manifest.app, inventory) else {
            self.nothing_left(inventory);
            return Ok(());
        };
        let reason = args.reason.as_deref();
        self.put_back(inventory, left, (args.yes, reason), interrupts).await
    }

    /// Nothing is unfinished: that is said, and it is no error.
    fn nothing_left(&self, inventory: &Inventory) {
        let app = &self.manifest.app;
        console::say(&match find_lock(app, inventory) {
            Some((_, _, record)) => {
                let end = if record.phase == LockPhase::Done { "is done" } else { "was put back" };
                format!("nothing to recover: release {} r{} {end}", app.name, record.number)
            }
            None => format!("nothing to recover: `{}` was never released here", app.name),
        });
    }

    /// Takes over what another run left unfinished, and puts it back.
    pub(super) async fn put_back(
        &self,
        inventory: &Inventory,
        left: (Plan, LockRecord),
        (yes, reason): (bool, Option<&str>),
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let (plan, record) = &left;
        let console = self.context.console;
        let release = format!("{} r{}", plan.app, record.number);
        tell_what_is_left(&release, record);
        for function in plan.functions.values().filter(|f| !f.changes.is_empty()) {
            let to = function.action.stable().map_or_else(
                || "no alias, as before".to_owned(),
                |version| format!("version {version}"),
            );
            console::say(&format!("  {}: back to {to}", function.name));
        }
        let question = format!("Put release {release} back?");
        interrupts.guard(confirm(console, yes, question)).await?;
        let by = self.context.environment.owner();
        let words = match reason {
            Some(reason) => format!("put back by {by}: {reason}"),
            None => format!("put back by {by}"),
        };
        let lock = record.clone();
        let about = About { verb: "recover", function: None, lock: &lock, reason };
        let asked = Asked::begin(self.context, self.manifest, (self.stage, inventory), &about);
        let work = Work::PutBack { left, reason: words };
        let result =
            Job::of(self.context, self.manifest, self.stage, inventory).run(work, interrupts).await;
        asked.end(&result);
        result
    }

    /// The plan of what is left, made anew; `None`: nothing is left, and that was said.
    async fn plan_again(
        &self,
        artifacts: &Artifacts,
        only: Option<&std::collections::BTreeSet<wavegate_core::name::FunctionName>>,
    ) -> Result<Option<Found>, CliError> {
        let app = &self.manifest.app;
        let failed = |error| fault::engine(&error, &self.stage.endpoint);
        let inventory = self.stage.observe(app).await?;
        let lock = find_lock(app, &inventory).filter(|(_, _, record)| !record.phase.is_over());
        let Some((_, _, left)) = lock else {
            self.nothing_left(&inventory);
            return Ok(None);
        };
        let release = format!("{} r{}", app.name, left.number);
        if left.phase.is_going_back() || left.is_abort_asked() {
            let message = format!("release {release} is going back: nothing of it goes on");
            return Err(CliError::new(ErrorKind::Refused, GOES_BACK, message)
                .hint("finish it with `wavegate recover`, then deploy again"));
        }
        let engine = &self.stage.engine;
        let before = engine.observe_before(app, &inventory, &left).await.map_err(failed)?;
        let planned = engine.resume_plan(app, &before, artifacts, only, &left).await;
        let (plan, report) = planned.map_err(failed)?;
        let Some(plan) = plan else {
            let style = self.context.console.err;
            console::say(plan_words(None, &report, style).trim_end());
            return Err(blocked(&report));
        };
        if plan.fingerprint != left.plan {
            let message = format!(
                "the manifest or the code is not what release {release} was begun with: nothing was changed"
            );
            return Err(CliError::new(ErrorKind::Refused, OTHER_PLAN, message)
                .hint("check out what was deployed then, with the same --profile, --set and --only")
                .hint("or put it back with `wavegate recover --abort`, and deploy"));
        }
        self.check_versions(&plan, &inventory).await?;
        Ok(Some(Found { inventory, plan, left }))
    }

    /// A version number says nothing: a function may have been deleted and made anew since. What was
    /// published must hold the code that is at hand.
    async fn check_versions(&self, plan: &Plan, inventory: &Inventory) -> Result<(), CliError> {
        let app = &self.manifest.app;
        for function in plan.functions.values() {
            let observed = inventory.functions.get(&function.name);
            let token = observed
                .and_then(|observed| observed.alias(&app.alias))
                .and_then(|live| Token::decode(&live.description));
            let (Some(token), Some(Artifact::Zip { code_sha256, .. })) =
                (token, &function.artifact)
            else {
                continue;
            };
            let version = token.candidate;
            let found = self.stage.cloud.get_function(&function.lambda_name, Some(version)).await;
            let found = found.map_err(|error| {
                let what = format!("could not look at version {version} of `{}`", function.name);
                fault::cloud(&what, &error, &self.stage.endpoint)
            })?;
            if found.is_none_or(|view| view.code_sha256 != *code_sha256) {
                let message = format!(
                    "version {version} of `{}` is not the code that is at hand: nothing was changed",
                    function.name
                );
                return Err(CliError::new(ErrorKind::Refused, OTHER_CODE, message)
                    .hint("put the release back with `wavegate recover --abort`, and deploy"));
            }
        }
        Ok(())
    }

    async fn go_on(
        &self,
        found: Found,
        (yes, reason): (bool, Option<&str>),
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let Found { inventory, plan, left } = found;
        let release = format!("{} r{}", plan.app, left.number);
        tell_what_is_left(&release, &left);
        let question = format!("Go on with release {release} from where its aliases stand?");
        interrupts.guard(confirm(self.context.console, yes, question)).await?;
        let lock = left.clone();
        let about = About { verb: "recover --resume", function: None, lock: &lock, reason };
        let asked = Asked::begin(self.context, self.manifest, (self.stage, &inventory), &about);
        let result = Job::of(self.context, self.manifest, self.stage, &inventory)
            .run(Work::Resume { plan, left }, interrupts)
            .await;
        asked.end(&result);
        result
    }
}

fn tell_what_is_left(release: &str, record: &LockRecord) {
    let state = match record.phase {
        LockPhase::Held => "stopped in the middle",
        LockPhase::Stuck => "could not be put back whole",
        LockPhase::Aborting => "was going back",
        _ => "was running",
    };
    console::say(&format!(
        "release {release} of {} {state} (epoch {}, heartbeat {})",
        safe_line(&record.owner),
        record.epoch,
        record.heartbeat
    ));
}
