//! One release from a confirmed plan to an exit code: the engine, its reporters, traffic and
//! interrupts around it.
//!
//! Invariants: the engine's events and the traffic's are told in one order; what the engine says
//! about the outcome decides the exit code, and no reporter can change it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use wavegate_config::Manifest;
use wavegate_core::codedeploy::Group;
use wavegate_core::inventory::Inventory;
use wavegate_core::plan::Plan;
use wavegate_core::release::{LEFT, Outcome};
use wavegate_core::spec::Secret;
use wavegate_core::token::LockRecord;
use wavegate_engine::event::{Event, Record, Served};
use wavegate_engine::{Command, EngineError, Run};
use wavegate_report::Veil;

use crate::Context;
use crate::approvals::{self, Lines, Typed};
use crate::console::{self, Console};
use crate::environment::Environment;
use crate::error::{CliError, ErrorKind};
use crate::fault;
use crate::home;
use crate::interrupt::{INTERRUPTED, Interrupts};
use crate::journal::Journal;
use crate::nudge::Nudges;
use crate::reporting::{Reporting, Told};
use crate::target::Stage;
use crate::traffic::{Totals, Traffic};

/// It failed and was put back.
pub(crate) const ROLLED_BACK: &str = "WG631";
/// It failed before anything was changed.
pub(crate) const NOTHING_CHANGED: &str = "WG632";
/// Somebody else owns the app.
pub(crate) const BUSY: &str = "WG401";
/// An alias is not as it should be.
pub(crate) const STUCK: &str = "WG634";
/// It stands where it stood.
pub(crate) const FROZEN: &str = "WG635";
/// Somebody else took it over.
pub(crate) const FENCED: &str = "WG636";

/// What is said where an approval is asked for and nobody can be heard.
const NOBODY_APPROVES: &str = "to let it go on, run `wavegate promote` in another terminal; else the step's `timeout` decides";

/// How often traffic is told.
const TRAFFIC_BEAT: Duration = Duration::from_secs(2);

/// How long reporters may take to tell the rest after a second interrupt.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is to be done.
pub(crate) enum Work {
    /// Execute a plan.
    Deploy(Plan),
    /// Go on with what another run left unfinished.
    Resume {
        /// Its plan, made anew.
        plan: Plan,
        /// The lock as it was left.
        left: LockRecord,
    },
    /// Put back what another run left unfinished.
    PutBack {
        /// What it left.
        left: (Plan, LockRecord),
        /// Why, for the record.
        reason: String,
    },
}

/// A release about to run.
pub(crate) struct Job<'a> {
    /// The manifest.
    pub(crate) manifest: &'a Manifest,
    /// Where it runs.
    pub(crate) stage: &'a Stage,
    /// How this process speaks.
    pub(crate) console: Console,
    /// Who runs it.
    pub(crate) environment: &'a Environment,
    /// What was observed.
    pub(crate) inventory: &'a Inventory,
    /// Functions that are left alone.
    pub(crate) unchanged: Vec<String>,
}

type Aliases = Arc<Mutex<BTreeMap<String, String>>>;

impl<'a> Job<'a> {
    /// A release on what was observed, that leaves no function alone.
    pub(crate) const fn of(
        context: &'a Context,
        manifest: &'a Manifest,
        stage: &'a Stage,
        inventory: &'a Inventory,
    ) -> Self {
        let (console, environment) = (context.console, &context.environment);
        Self { manifest, stage, console, environment, inventory, unchanged: Vec::new() }
    }

    /// Runs to the end, or to the second interrupt.
    pub(crate) async fn run(self, work: Work, interrupts: &mut Interrupts) -> Result<(), CliError> {
        let is_put_back = matches!(work, Work::PutBack { .. });
        let label = label(&work);
        // What goes back asks nobody.
        let mut lines = match work {
            Work::Deploy(_) | Work::Resume { .. } if self.environment.stdin_is_terminal => {
                Lines::of_terminal()
            }
            _ => Lines::none(),
        };
        let (events, mut inbox) = mpsc::unbounded_channel();
        let (orders, commands) = mpsc::unbounded_channel();
        let aliases = Aliases::default();
        let run = Run {
            owner: self.environment.owner(),
            target: self.stage.words(self.inventory),
            unchanged: self.unchanged.clone(),
            events,
            commands,
            aliases: Arc::clone(&aliases),
        };
        let mut conductor = self.conductor(&work, &lines)?;
        let nudges = Nudges::listen(&recordings(self.manifest));
        let engine = self.stage.engine.clone();
        let mut ending = Box::pin(async move {
            match work {
                Work::Deploy(plan) => engine.deploy(plan, run).await,
                Work::Resume { plan, left } => engine.resume(plan, left, run).await,
                Work::PutBack { left, reason } => engine.put_back(left, reason, run).await,
            }
        });
        let mut beat = tokio::time::interval(TRAFFIC_BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut interrupted = None;
        let outcome = loop {
            tokio::select! {
                biased;
                name = interrupts.next() => {
                    if interrupted.is_some() {
                        drop(ending);
                        return Err(stopped(conductor, &aliases, &label).await);
                    }
                    interrupted = Some(name);
                    conductor.interrupted(name);
                    // A release that has ended takes no orders, and needs none.
                    let _ = orders.send(Command::Leave {
                        by: "interrupt".to_owned(),
                        reason: format!("interrupted by {name}"),
                    });
                }
                Some(record) = inbox.recv() => {
                    conductor.can_approve = lines.are_read();
                    conductor.take(record).await;
                }
                typed = lines.next() => {
                    if let Some(command) = conductor.hear(typed, &self.environment.owner()) {
                        let _ = orders.send(command);
                    }
                }
                () = nudges.next() => {
                    let _ = orders.send(Command::Look);
                }
                _ = beat.tick() => conductor.tell_traffic(None),
                outcome = &mut ending => break outcome,
            }
        };
        while let Ok(record) = inbox.try_recv() {
            conductor.take(record).await;
        }
        let Some(told) = conductor.end(interrupts).await else {
            return Err(last_known(&aliases, &label));
        };
        self.tell_end(&told);
        let outcome = outcome.map_err(|error| match error {
            EngineError::Bug(_) => CliError::bug(error.to_string()),
            error => fault::engine(&error, &self.stage.endpoint),
        })?;
        let veil = veil(self.manifest);
        verdict(&outcome, interrupted, is_put_back, &label).map_err(|error| veiled(error, &veil))
    }

    fn conductor(&self, work: &Work, lines: &Lines) -> Result<Conductor, CliError> {
        let dir = recordings(self.manifest);
        let (journal, seq) = match work {
            Work::Deploy(_) => (Journal::begin(dir)?, 0),
            Work::PutBack { left: (_, lock), .. } | Work::Resume { left: lock, .. } => {
                Journal::go_on(dir, lock)?
            }
        };
        let clock = Arc::clone(&self.stage.clock);
        let veil = veil(self.manifest);
        let reporting = Reporting::begin(self.console, journal, Arc::clone(&clock), veil)?;
        let spec = &self.manifest.app;
        let traffic = match (&self.stage.loopback, self.manifest.local.traffic_rps) {
            (Some(loopback), Some(rps)) => {
                // A hook of CodeDeploy's is called by CodeDeploy, and by nobody else.
                let groups = spec.functions.values().filter_map(|f| f.engine.group());
                let hooks: BTreeSet<&str> = groups.flat_map(Group::hooks).collect();
                let names = spec.functions.values();
                let names = names.filter(|f| !hooks.contains(f.lambda_name.as_str()));
                let names =
                    names.map(|f| (f.name.to_string(), f.lambda_name.to_string())).collect();
                Some(Traffic::new(loopback.clone(), spec.alias.to_string(), names, rps))
            }
            _ => None,
        };
        let served = self.inventory.functions.iter();
        let served = served.filter(|(_, observed)| observed.alias(&spec.alias).is_some());
        Ok(Conductor {
            clock,
            reporting,
            traffic,
            at_start: served.map(|(name, _)| name.to_string()).collect(),
            told: Totals::new(),
            last: None,
            seq,
            latest_ms: 0,
            can_approve: lines.are_read(),
            traffic_in: Hands::of(work),
        })
    }

    /// The summary, and whether the recording is whole.
    fn tell_end(&self, told: &Told) {
        if !self.console.is_json() && !told.state.release.is_empty() {
            // The exit code tells the outcome also where nobody reads.
            let _ = console::data(&wavegate_report::summary(&told.state));
        }
        told.warnings.iter().for_each(|warning| self.console.warning(warning));
    }
}

/// What is known when a release was stopped at once.
async fn stopped(mut conductor: Conductor, aliases: &Aliases, label: &str) -> CliError {
    conductor.traffic = None;
    let end = tokio::task::spawn_blocking(move || conductor.reporting.end());
    let _ = tokio::time::timeout(LAST_WORDS, end).await;
    last_known(aliases, label)
}

fn last_known(aliases: &Aliases, label: &str) -> CliError {
    let known = aliases.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut error = CliError::new(
        ErrorKind::Interrupted,
        INTERRUPTED,
        format!("{label} was stopped at once and is not finished; its aliases as last known:"),
    );
    if known.is_empty() {
        error = error.because("none was read or changed by this release");
    }
    for (name, now) in known {
        error = error.because(format!("{name}: {now}"));
    }
    error.hint(NEXT)
}

fn label(work: &Work) -> String {
    match work {
        Work::Deploy(plan) | Work::Resume { plan, .. } => {
            format!("release {} r{}", plan.app, plan.number)
        }
        Work::PutBack { left: (plan, record), .. } => {
            format!("putting back release {} r{}", plan.app, record.number)
        }
    }
}

/// Joins the engine's events and the traffic's into one order for the reporters.
struct Conductor {
    clock: Arc<dyn wavegate_engine::ports::Clock>,
    reporting: Reporting,
    traffic: Option<Traffic>,
    /// Functions that had an alias before the release.
    at_start: Vec<String>,
    /// The traffic as last told.
    told: Totals,
    /// The engine's last event: its head serves for ours.
    last: Option<Record>,
    seq: u64,
    /// The latest time told.
    latest_ms: u64,
    /// Whether somebody can type an approval.
    can_approve: bool,
    /// In whose hands the traffic is.
    traffic_in: Hands,
}

/// In whose hands the traffic of a release is, as its events tell: what is said of an interrupt must
/// be what the release does about it.
#[derive(Debug, Default)]
struct Hands {
    /// The functions whose traffic CodeDeploy moves.
    delegated: BTreeSet<String>,
    /// Where each function stands.
    phases: BTreeMap<String, String>,
}

impl Hands {
    fn of(work: &Work) -> Self {
        let plan = match work {
            Work::Deploy(plan) | Work::Resume { plan, .. } => plan,
            Work::PutBack { .. } => return Self::default(),
        };
        let delegated = plan.functions.values().filter(|f| f.delegation.is_some());
        Self { delegated: delegated.map(|f| f.name.to_string()).collect(), ..Self::default() }
    }

    fn hear(&mut self, event: &Event) {
        if let Event::Phase { function, to, .. } = event {
            self.phases.insert(function.clone(), to.clone());
        }
    }

    /// Whether CodeDeploy has something in hand, and nothing stands in the middle that it has not.
    fn is_codedeploys(&self) -> bool {
        let moves = |(name, phase): (&String, &String)| match phase.as_str() {
            "shifting" => Some(self.delegated.contains(name)),
            "promoting" | "post_traffic" | "baking" if !self.delegated.contains(name) => {
                Some(false)
            }
            "rolling_back" => Some(false),
            _ => None,
        };
        let mut moving = self.phases.iter().filter_map(moves).peekable();
        moving.peek().is_some() && moving.all(|is_codedeploys| is_codedeploys)
    }
}

impl Conductor {
    async fn take(&mut self, record: Record) {
        self.traffic_in.hear(&record.event);
        if let Some(traffic) = &mut self.traffic {
            match &record.event {
                Event::Started { .. } => self.at_start.iter().for_each(|name| traffic.start(name)),
                Event::Phase { function, to, .. } if has_alias(to) => traffic.start(function),
                Event::Finished { .. } => traffic.stop().await,
                _ => {}
            }
        }
        if matches!(record.event, Event::Finished { .. }) {
            // The last counts belong to the release's end, however long they took to come in.
            self.tell_traffic(Some((record.at_ms, record.elapsed_ms)));
        }
        let asks = matches!(record.event, Event::Waiting { approval: true, .. });
        self.last = Some(record.clone());
        self.send(record);
        match (asks, self.can_approve) {
            (true, true) => self.note(&format!("to let it go on, {}", approvals::HOW)),
            (true, false) => self.note(NOBODY_APPROVES),
            (false, _) => {}
        }
    }

    /// A line was typed: what it tells the release, if anything.
    fn hear(&mut self, typed: Typed, by: &str) -> Option<Command> {
        self.reporting.typed();
        match typed {
            Typed::Approve(function) => Some(Command::Approve { function, by: by.to_owned() }),
            Typed::Blank => None,
            Typed::Other(answer) => {
                self.note(&answer);
                None
            }
        }
    }

    /// Numbers a record and sees to it that told time does not go back where an event of ours
    /// was told between the engine's making a record and its coming here.
    fn send(&mut self, mut record: Record) {
        self.seq += 1;
        record.seq = self.seq;
        let late_ms = self.latest_ms.saturating_sub(record.at_ms);
        record.at_ms += late_ms;
        record.elapsed_ms += late_ms;
        self.latest_ms = record.at_ms;
        self.reporting.tell(record);
    }

    /// An event of our own, under the head of the engine's last one.
    fn say(&mut self, event: Event) -> bool {
        let Some(last) = &self.last else { return false };
        let at_ms = self.clock.now_ms().max(last.at_ms);
        let elapsed_ms = last.elapsed_ms + (at_ms - last.at_ms);
        self.say_at(event, (at_ms, elapsed_ms))
    }

    fn say_at(&mut self, event: Event, (at_ms, elapsed_ms): (u64, u64)) -> bool {
        let Some(last) = &self.last else { return false };
        let record = Record { at_ms, elapsed_ms, event, ..last.clone() };
        self.send(record);
        true
    }

    fn interrupted(&mut self, name: &str) {
        let then = if self.traffic_in.is_codedeploys() {
            "leaving it to CodeDeploy, which goes on"
        } else {
            "putting back"
        };
        self.note(&format!("interrupted by {name}: {then}; once more stops at once"));
    }

    fn note(&mut self, text: &str) {
        if !self.say(Event::Note { text: text.to_owned() }) {
            console::note(text);
        }
    }

    /// Tells what has changed since the last time, as of now or of `moment`.
    fn tell_traffic(&mut self, moment: Option<(u64, u64)>) {
        let Some(traffic) = &self.traffic else { return };
        let is_over =
            self.last.as_ref().is_none_or(|last| matches!(last.event, Event::Finished { .. }));
        if is_over {
            return;
        }
        let totals = traffic.totals();
        let news: Vec<(String, BTreeMap<String, Served>)> = totals
            .iter()
            .filter(|(name, served)| self.told.get(*name) != Some(served))
            .map(|(name, served)| (name.clone(), served.clone()))
            .collect();
        self.told = totals;
        for (function, served) in news {
            let event = Event::Traffic { function, served };
            match moment {
                Some(moment) => self.say_at(event, moment),
                None => self.say(event),
            };
        }
    }

    /// Waits until everything is told; `None` if an interrupt came first.
    async fn end(mut self, interrupts: &mut Interrupts) -> Option<Told> {
        if let Some(traffic) = &mut self.traffic {
            traffic.stop().await;
        }
        let end = tokio::task::spawn_blocking(move || self.reporting.end());
        tokio::select! {
            told = end => Some(told.unwrap_or_default()),
            _ = interrupts.next() => None,
        }
    }
}

/// Whether a function in that phase has its alias.
fn has_alias(phase: &str) -> bool {
    matches!(phase, "promoting" | "post_traffic" | "baking" | "done")
}

/// What an outcome means for the exit code, in the one place where outcomes become kinds.
fn verdict(
    outcome: &Outcome,
    interrupted: Option<&str>,
    is_put_back: bool,
    label: &str,
) -> Result<(), CliError> {
    use ErrorKind::{Failed, Interrupted, Refused, Stuck};
    Err(match (outcome, interrupted) {
        (Outcome::Done, _) => return Ok(()),
        (Outcome::RolledBack { .. }, _) | (Outcome::NothingChanged { .. }, None) if is_put_back => {
            return Ok(());
        }
        (Outcome::RolledBack { reason }, Some(name)) if reason.contains("interrupted") => {
            let message = format!("{label} was interrupted by {name} and put back");
            CliError::new(Failed, ROLLED_BACK, message)
        }
        (Outcome::RolledBack { reason }, _) => {
            let message = format!("{label} failed and was put back: {reason}");
            advised(CliError::new(Failed, ROLLED_BACK, message), reason)
        }
        (Outcome::NothingChanged { .. }, Some(name)) => {
            let message = format!("{label} was interrupted by {name}: nothing was changed");
            CliError::new(Interrupted, INTERRUPTED, message)
        }
        (Outcome::NothingChanged { reason }, None) => {
            let message = format!("{label} failed before any traffic moved: {reason}");
            advised(CliError::new(Failed, NOTHING_CHANGED, message), reason)
        }
        (Outcome::Busy { holder }, _) => {
            let message = format!("{label} cannot begin: the app is taken by {holder}");
            CliError::new(Refused, BUSY, message)
        }
        (Outcome::Stuck { reason, todo }, _) => {
            let message = format!("{label} failed and could not be put back whole: {reason}");
            let error = CliError::new(Stuck, STUCK, message);
            todo.iter().fold(error, |error, line| error.hint(line.clone()))
        }
        (Outcome::Frozen { reason }, Some(name)) if reason.contains(LEFT) => {
            let message = format!("{label} was interrupted by {name} and is {LEFT}, which goes on");
            CliError::new(Interrupted, INTERRUPTED, message).hint(PICK_UP)
        }
        (Outcome::Frozen { reason }, _) => {
            let message = format!(
                "{label} failed and stands where it stood (on_failure = \"freeze\"): {reason}"
            );
            CliError::new(Stuck, FROZEN, message).hint(NEXT)
        }
        (Outcome::Fenced { by }, _) => {
            let message = format!("{label} was taken over by {by}; nothing more was written");
            CliError::new(Stuck, FENCED, message)
        }
    })
}

/// What to do about a release that stands in the middle.
pub(crate) const NEXT: &str = "`wavegate status` shows where it stands; `wavegate recover` puts it back, `wavegate recover --resume` goes on";

/// What to do about a release that was left to CodeDeploy.
const PICK_UP: &str = "`wavegate status` shows it, `wavegate deploy` picks it up, `wavegate abort` stops it and puts it back";

fn advised(error: CliError, reason: &str) -> CliError {
    match fault::advice(reason) {
        Some((code, hint)) => {
            let message = fault::without_code(&error.message, code);
            let error = CliError { code: Some(code), message, ..error };
            hint.into_iter().fold(error, CliError::hint)
        }
        None => error,
    }
}

/// The directory of records.
pub(crate) fn recordings(manifest: &Manifest) -> PathBuf {
    manifest.dir.join(home::NAME)
}

/// What nobody shall see: values from the environment, and those of the functions' own.
pub(crate) fn veil(manifest: &Manifest) -> Veil {
    /// What stands in a manifest for all to read is seldom a secret: a word such as `production`
    /// may be hidden, `info` not.
    const OWN_MIN: usize = 8;
    let app = &manifest.app;
    let own = app.functions.values().flat_map(|function| function.config.environment.values());
    let own = own.map(Secret::expose).filter(|value| value.len() >= OWN_MIN);
    // Names are told everywhere.
    let is_name = |value: &&str| {
        app.functions
            .values()
            .any(|f| f.name.as_str() == *value || f.lambda_name.as_str() == *value)
    };
    let own = own.filter(|value| !is_name(value));
    Veil::new(manifest.secrets().iter().map(String::as_str).chain(own))
}

/// An error without what nobody shall see: a reason may be in the words of a hook or a service.
fn veiled(mut error: CliError, veil: &Veil) -> CliError {
    for text in std::iter::once(&mut error.message).chain(&mut error.chain).chain(&mut error.hints)
    {
        veil.text(text);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_exit_code() {
        let reason = || "alarm `errors` fires".to_owned();
        let by = || "ana@laptop".to_owned();
        for (outcome, interrupted, plain, put_back) in [
            (Outcome::Done, None, 0, 0),
            (Outcome::RolledBack { reason: reason() }, None, 1, 0),
            (Outcome::RolledBack { reason: reason() }, Some("Ctrl-C"), 1, 0),
            (Outcome::NothingChanged { reason: reason() }, None, 1, 0),
            (Outcome::NothingChanged { reason: reason() }, Some("Ctrl-C"), 5, 5),
            (Outcome::Busy { holder: by() }, None, 3, 3),
            (Outcome::Stuck { reason: reason(), todo: vec!["do".to_owned()] }, None, 4, 4),
            (Outcome::Frozen { reason: reason() }, None, 4, 4),
            (Outcome::Frozen { reason: format!("ana: Ctrl-C; {LEFT}: a") }, Some("Ctrl-C"), 5, 5),
            (Outcome::Fenced { by: by() }, None, 4, 4),
        ] {
            for (is_put_back, code) in [(false, plain), (true, put_back)] {
                let ended = verdict(&outcome, interrupted, is_put_back, "release shop r1");
                let actual = ended.map_or_else(|error| error.kind.code(), |()| 0);
                assert_eq!(actual, code, "{outcome:?} {interrupted:?} {is_put_back}");
            }
        }
    }

    #[test]
    fn what_a_person_must_do_is_a_hint() {
        let outcome = Outcome::Stuck {
            reason: "denied".to_owned(),
            todo: vec!["aws lambda update-alias".to_owned()],
        };
        let error = verdict(&outcome, None, false, "release shop r1").unwrap_err();
        assert_eq!(error.hints, ["aws lambda update-alias"]);
    }

    #[test]
    fn a_role_that_cannot_be_used_is_named_with_its_fix() {
        let reason =
            "CreateFunction: The role defined for the function cannot be assumed by Lambda.";
        let outcome = Outcome::NothingChanged { reason: reason.to_owned() };
        let error = verdict(&outcome, None, false, "release shop r1").unwrap_err();
        assert_eq!((error.code, error.kind.code()), (Some(fault::ROLE), 1));
    }
}
