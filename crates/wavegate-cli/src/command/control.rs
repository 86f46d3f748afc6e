//! `abort`, `pause`, `resume`, `promote`: asked of a release that runs somewhere, through its lock.
//!
//! The release's own machine does what is asked, and says so in the lock; this one waits for that. A
//! release on this machine is nudged, so that it looks at once and not with its next pulse. Where
//! nobody answers, `abort` takes the release over and puts it back; the others name `recover`.

use wavegate_config::Manifest;
use wavegate_core::control::{self, Fate, Refusal, Request, Verb};
use wavegate_core::inventory::Inventory;
use wavegate_core::name::FunctionName;
use wavegate_core::plan::{find_lock, put_back_plan};
use wavegate_core::token::{LockPhase, LockRecord};
use wavegate_engine::ports::{CloudError, FaultKind};
use wavegate_engine::{AskError, LockAt};
use wavegate_report::safe_line;

use super::recover::Recovery;
use super::{discover, select};
use crate::Context;
use crate::args::{AbortArgs, AppArgs, ControlArgs, PromoteArgs};
use crate::asked::{About, Asked};
use crate::console;
use crate::error::{CliError, ErrorKind};
use crate::interrupt::Interrupts;
use crate::release::recordings;
use crate::target::Stage;
use crate::{fault, manifest, nudge};

/// No release runs.
const NO_RELEASE: &str = "WG688";
/// It was heard, and there was nothing to do.
const NOTHING_TO_DO: &str = "WG689";
/// Somebody else asks for something.
const BUSY: &str = "WG693";
/// Nobody runs the release any more.
const SILENT: &str = "WG694";
/// Not everything is back.
const NOT_BACK: &str = "WG634";

pub(crate) async fn abort(context: &Context, args: &AbortArgs) -> Result<(), CliError> {
    ask(context, Verb::Abort, None, args.reason.as_deref(), &args.without).await
}

pub(crate) async fn pause(context: &Context, args: &ControlArgs) -> Result<(), CliError> {
    ask(context, Verb::Pause, None, args.reason.as_deref(), &args.without).await
}

pub(crate) async fn resume(context: &Context, args: &ControlArgs) -> Result<(), CliError> {
    ask(context, Verb::Resume, None, args.reason.as_deref(), &args.without).await
}

pub(crate) async fn promote(context: &Context, args: &PromoteArgs) -> Result<(), CliError> {
    let verb = if args.full { Verb::PromoteFully } else { Verb::Promote };
    let function = args.function.as_deref();
    ask(context, verb, function, args.reason.as_deref(), &args.without).await
}

async fn ask(
    context: &Context,
    verb: Verb,
    function: Option<&str>,
    reason: Option<&str>,
    without: &AppArgs,
) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let (manifest, stage) = if let Some(name) = &without.app {
        discover::open(context, name, without, &mut interrupts).await?
    } else {
        let (global, environment) = (&context.global, &context.environment);
        let manifest = manifest::load_alone(global, environment, context.console)?;
        let stage = interrupts.guard(Stage::open_bare(&manifest, environment)).await?;
        (manifest, stage)
    };
    let asking = Asking { context, manifest: &manifest, stage: &stage, verb, reason };
    let result = asking.run(function, &mut interrupts).await;
    stage.close().await;
    result
}

struct Asking<'a> {
    context: &'a Context,
    manifest: &'a Manifest,
    stage: &'a Stage,
    verb: Verb,
    reason: Option<&'a str>,
}

impl Asking<'_> {
    async fn run(
        &self,
        function: Option<&str>,
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let app = &self.manifest.app;
        let function = match function {
            Some(name) => {
                select::only(app, &[name.to_owned()])?.and_then(|names| names.into_iter().next())
            }
            None => None,
        };
        let inventory = interrupts.guard(self.stage.observe(app)).await?;
        let Some((anchor, _, record)) = find_lock(app, &inventory) else {
            return Err(none_runs(format!("`{}` was never released", app.name)));
        };
        let about = About {
            verb: self.verb.word(),
            function: function.as_ref().map(ToString::to_string),
            lock: &record,
            reason: self.reason,
        };
        let asked = Asked::begin(self.context, self.manifest, (self.stage, &inventory), &about);
        let result = self.carry_out(&anchor, &record, &inventory, function, interrupts).await;
        asked.end(&result);
        result
    }

    async fn carry_out(
        &self,
        anchor: &FunctionName,
        record: &LockRecord,
        inventory: &Inventory,
        function: Option<FunctionName>,
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let app = &self.manifest.app;
        if record.phase.is_ownerless() && self.verb == Verb::Abort {
            return self.take_over(inventory, interrupts).await;
        }
        let place = app.functions.get(anchor).map_or(anchor, |function| &function.lambda_name);
        let at = LockAt { function: place.clone(), alias: app.alias.lock() };
        let asked = interrupts.guard(self.ask(&at, function.as_ref())).await;
        let ended = match asked {
            Ok(()) if self.verb == Verb::Abort => {
                console::say("it is going back; Ctrl-C only ends this waiting");
                interrupts.guard(self.await_end(&at, record)).await
            }
            other => other,
        };
        match ended {
            Err(error) if error.code == Some(SILENT) && self.verb == Verb::Abort => {
                console::say(&format!("{}: taken over", error.message));
                self.take_over(inventory, interrupts).await
            }
            other => other,
        }
    }

    async fn ask(&self, at: &LockAt, function: Option<&FunctionName>) -> Result<(), CliError> {
        let by = self.context.environment.owner();
        let reason = self.reason.unwrap_or_default();
        let request = Request::new(draw()?, self.verb, function, &by, reason);
        let (verb, id) = (self.verb, request.id);
        let mut asked = None;
        let told = |record: &LockRecord| {
            let owner = safe_line(&record.owner);
            console::say(&format!("asked {owner} to {verb} release r{}", record.number));
            nudge::send(&recordings(self.manifest));
            asked = Some(record.clone());
        };
        let fate = match self.stage.engine.ask(at, request, told).await {
            // The local cloud ends with the release that started it.
            Err(AskError::Cloud(source)) if self.is_gone(&source) => match asked {
                Some(asked) => control::fate(&asked, &self.look_anew().await?, id),
                None => return Err(self.failed(&AskError::Cloud(source))),
            },
            Err(error) => return Err(self.failed(&error)),
            Ok(fate) => fate,
        };
        let about = function.map(|name| format!(" {name}")).unwrap_or_default();
        match fate {
            Fate::Done => {
                console::say(&format!("{verb}{about}: heard and done"));
                Ok(())
            }
            Fate::NothingToDo => {
                let message = format!("{verb}{about}: heard, and there was nothing to do");
                Err(CliError::new(ErrorKind::Refused, NOTHING_TO_DO, message)
                    .hint("`wavegate status` and `wavegate watch` show what the release waits for"))
            }
            // Where it ended, its end tells.
            Fate::Ended | Fate::Waits if verb == Verb::Abort => Ok(()),
            Fate::Ended | Fate::Waits => {
                Err(none_runs("the release ended before it heard of it".to_owned()))
            }
            Fate::Replaced => {
                let message = format!("{verb}{about}: somebody asked for the way back instead");
                Err(CliError::new(ErrorKind::Refused, BUSY, message))
            }
        }
    }

    /// Waits until everything is back.
    async fn await_end(&self, at: &LockAt, asked: &LockRecord) -> Result<(), CliError> {
        let end = match self.stage.engine.await_end(at, asked).await {
            Err(AskError::Cloud(source)) if self.is_gone(&source) => self.look_anew().await?,
            Err(error) => return Err(self.failed(&error)),
            Ok(end) => end,
        };
        let release = format!("release {} r{}", asked.app, asked.number);
        match end.phase {
            _ if end.release != asked.release => {
                console::say(&format!("{release} has ended, and another one begun"));
                Ok(())
            }
            LockPhase::RolledBack => {
                console::say(&format!("{release} was put back"));
                Ok(())
            }
            LockPhase::Done => {
                let message = format!("{release} was done before it heard of it");
                Err(none_runs(message)
                    .hint("`wavegate rollback` puts the app back as it was before"))
            }
            _ => {
                let message = format!("{release} stopped in the middle: not everything is back");
                Err(CliError::new(ErrorKind::Stuck, NOT_BACK, message)
                    .hint("`wavegate status` shows where it stands; `wavegate recover` puts back the rest"))
            }
        }
    }

    /// Whether a local cloud is gone: it may have been a part of the release's own process.
    fn is_gone(&self, error: &CloudError) -> bool {
        self.stage.loopback.is_some() && error.kind == FaultKind::Unreachable
    }

    /// The lock, from a local cloud that is started anew on what the other one left.
    async fn look_anew(&self) -> Result<LockRecord, CliError> {
        let stage = Stage::open_bare(self.manifest, &self.context.environment).await?;
        let seen = stage.observe(&self.manifest.app).await;
        stage.close().await;
        match find_lock(&self.manifest.app, &seen?) {
            Some((_, _, record)) => Ok(record),
            None => Err(none_runs("there is no lock any more".to_owned())),
        }
    }

    fn failed(&self, error: &AskError) -> CliError {
        match error {
            AskError::NoLock | AskError::Refused(Refusal::Over { .. }) => {
                none_runs(error.to_string())
            }
            AskError::Refused(Refusal::Held { .. }) => {
                CliError::new(ErrorKind::Refused, NO_RELEASE, error.to_string())
                    .hint("`wavegate recover` puts it back; `wavegate recover --resume` goes on")
            }
            AskError::Refused(Refusal::GoingBack { .. }) if self.verb == Verb::Abort => {
                CliError::new(ErrorKind::Refused, NO_RELEASE, error.to_string())
                    .hint("if its machine is gone, `wavegate recover` finishes it")
            }
            AskError::Refused(_) => CliError::new(ErrorKind::Refused, BUSY, safe_line(&error.to_string())),
            AskError::Silent { .. } => {
                CliError::new(ErrorKind::Refused, SILENT, safe_line(&error.to_string())).hint(
                    "if its machine is gone: `wavegate recover` puts it back, `wavegate recover --resume` goes on",
                )
            }
            AskError::Cloud(source) => {
                fault::cloud("the lock could not be reached", source, &self.stage.endpoint)
            }
        }
    }

    /// Nobody runs it: it is put back from here, as was asked.
    async fn take_over(
        &self,
        inventory: &Inventory,
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let Some(left) = put_back_plan(&self.manifest.app, inventory) else { return Ok(()) };
        let recovery =
            Recovery { context: self.context, manifest: self.manifest, stage: self.stage };
        recovery.put_back(inventory, left, (true, self.reason), interrupts).await
    }
}

fn none_runs(message: String) -> CliError {
    CliError::new(ErrorKind::Refused, NO_RELEASE, message)
}

fn draw() -> Result<u32, CliError> {
    let mut bytes = [0_u8; 4];
    // A request that has another's id could take its answer for its own.
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::bug(format!("there is no randomness: {error}")))?;
    Ok(u32::from_le_bytes(bytes))
}
