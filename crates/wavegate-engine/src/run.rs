//! Running: performs the release machine's effects and feeds the results back.
//!
//! One task owns the machine and sees one order of inputs; everything that takes time runs beside
//! it and answers through one channel. Nothing here decides.

mod delegate;
mod hook;
mod perform;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{RwLock, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wavegate_core::inventory::AliasState;
use wavegate_core::name::ReleaseId;
use wavegate_core::plan::{Action, Plan, schedule};
use wavegate_core::release::{Effect, Input, Outcome, Release, Runner};
use wavegate_core::time::{Mono, millis};
use wavegate_core::token::LockRecord;

use crate::event::{Event, FORMAT, Record, waves};
use crate::{Command, Engine, EngineError, Run};

/// How long dropped work may take to be gone, in wall time.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

pub(crate) async fn deploy(engine: &Engine, plan: Plan, run: Run) -> Result<Outcome, EngineError> {
    let runner =
        Runner { release: ReleaseId(random()?), owner: run.owner.clone(), seed: random()? };
    let machine = Release::new(plan.clone(), runner.clone());
    Driver::new(engine, plan, machine, runner.release, run).drive().await
}

pub(crate) async fn put_back(
    engine: &Engine,
    (plan, record): (Plan, LockRecord),
    reason: String,
    run: Run,
) -> Result<Outcome, EngineError> {
    let runner = Runner { release: record.release, owner: run.owner.clone(), seed: random()? };
    let machine = Release::put_back(plan.clone(), runner.clone(), reason);
    Driver::new(engine, plan, machine, runner.release, run).drive().await
}

pub(crate) async fn resume(
    engine: &Engine,
    plan: Plan,
    left: &LockRecord,
    run: Run,
) -> Result<Outcome, EngineError> {
    let runner = Runner { release: left.release, owner: run.owner.clone(), seed: random()? };
    let machine = Release::resume(plan.clone(), runner.clone());
    Driver::new(engine, plan, machine, runner.release, run).drive().await
}

fn random() -> Result<u64, EngineError> {
    let mut bytes = [0_u8; 8];
    // Ids and nonces that repeat would let two releases take each other's writes for their own.
    getrandom::fill(&mut bytes)
        .map_err(|error| EngineError::Bug(format!("no randomness: {error}")))?;
    Ok(u64::from_le_bytes(bytes))
}

/// What every effect needs.
#[derive(Clone)]
struct Context {
    engine: Engine,
    plan: Arc<Plan>,
    release: ReleaseId,
    inputs: mpsc::UnboundedSender<Told>,
    /// Cancelled when forward work is to stop.
    work: CancellationToken,
    /// Shared by whoever is asking CodeDeploy for a deployment. Who wants to stop what there is
    /// waits until that is answered.
    creating: Arc<RwLock<()>>,
}

/// What the driver is told.
#[derive(Debug)]
enum Told {
    /// For the machine.
    Input(Input),
    /// For people.
    Event(Event),
}

impl Context {
    fn tell(&self, input: Input) {
        // The driver is gone: the release is over, and nobody needs the answer.
        let _ = self.inputs.send(Told::Input(input));
    }

    fn say(&self, event: Event) {
        let _ = self.inputs.send(Told::Event(event));
    }

    fn now_ms(&self) -> u64 {
        self.engine.world.clock.now_ms()
    }
}

struct Driver {
    context: Context,
    told: mpsc::UnboundedReceiver<Told>,
    tasks: JoinSet<()>,
    run: Run,
    machine: Release,
    seq: u64,
    began_ms: u64,
}

/// However the driver ends, also by being dropped in the middle, what the aliases are known to be
/// is left behind for whoever has to say so.
impl Drop for Driver {
    fn drop(&mut self) {
        let mut aliases = self.run.aliases.lock().unwrap_or_else(PoisonError::into_inner);
        *aliases = alias_map(&self.machine);
    }
}

impl Driver {
    fn new(engine: &Engine, plan: Plan, machine: Release, release: ReleaseId, run: Run) -> Self {
        let (inputs, told) = mpsc::unbounded_channel();
        let began_ms = engine.world.clock.now_ms();
        let context = Context {
            engine: engine.clone(),
            plan: Arc::new(plan),
            release,
            inputs,
            work: CancellationToken::new(),
            creating: Arc::default(),
        };
        Self { context, told, tasks: JoinSet::new(), run, machine, seq: 0, began_ms }
    }

    async fn drive(mut self) -> Result<Outcome, EngineError> {
        self.report(self.started());
        for event in switches(&self.context.plan) {
            self.report(event);
        }
        let mut outcome = self.step(Input::Start)?;
        let mut has_commands = true;
        while outcome.is_none() {
            tokio::select! {
                biased;
                command = self.run.commands.recv(), if has_commands => match command {
                    Some(command) => outcome = self.step(input(command))?,
                    None => has_commands = false,
                },
                told = self.told.recv() => match told {
                    Some(Told::Input(input)) => outcome = self.step(input)?,
                    Some(Told::Event(event)) => self.report(event),
                    None => return Err(EngineError::Bug("the machine waits for nothing".to_owned())),
                },
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Err(error) = ended && error.is_panic() {
                        return Err(EngineError::Bug(format!("a task panicked: {error}")));
                    }
                }
            }
        }
        let outcome = outcome.unwrap_or(Outcome::Done);
        self.context.work.cancel();
        // Whatever still runs is dropped before the end is told: a hook's process dies with it.
        // Only code that never yields could hold this up.
        let _ = tokio::time::timeout(LEAVE_WITHIN, self.tasks.shutdown()).await;
        while let Ok(told) = self.told.try_recv() {
            if let Told::Event(event) = told {
                self.report(event);
            }
        }
        let finished = self.finished(&outcome);
        self.report(finished);
        Ok(outcome)
    }

    fn step(&mut self, input: Input) -> Result<Option<Outcome>, EngineError> {
        tracing::trace!(?input, "step");
        let now = Mono(self.context.now_ms());
        self.machine.stir(random()?);
        let effects = self
            .machine
            .step(now, input)
            .map_err(|illegal| EngineError::Bug(illegal.to_string()))?;
        let mut outcome = None;
        for effect in effects {
            match effect {
                Effect::Report(event) => self.report(event.into()),
                Effect::Finish(ended) => outcome = Some(ended),
                Effect::StopWork => self.context.work.cancel(),
                effect => perform::perform(&self.context, &mut self.tasks, effect),
            }
        }
        Ok(outcome)
    }

    fn report(&mut self, event: Event) {
        self.seq += 1;
        let at_ms = self.context.now_ms();
        let record = Record {
            v: FORMAT,
            seq: self.seq,
            at_ms,
            elapsed_ms: at_ms.saturating_sub(self.began_ms),
            app: self.context.plan.app.to_string(),
            number: self.context.plan.number,
            release: self.context.release.to_string(),
            event,
        };
        // Nobody listens any more: the release goes on.
        let _ = self.run.events.send(record);
    }

    fn started(&self) -> Event {
        let schedule = schedule(&self.context.plan);
        Event::Started {
            target: self.run.target.clone(),
            owner: self.run.owner.clone(),
            alias: self.context.plan.alias.to_string(),
            waves: waves(&self.context.plan),
            unchanged: self.run.unchanged.clone(),
            expected_ms: millis(schedule.expected),
            worst_ms: millis(schedule.worst),
        }
    }

    fn finished(&self, outcome: &Outcome) -> Event {
        let (word, reason, todo) = match outcome {
            Outcome::Done => ("done", None, Vec::new()),
            Outcome::RolledBack { reason } => ("rolled_back", Some(reason.clone()), Vec::new()),
            Outcome::NothingChanged { reason } => {
                ("nothing_changed", Some(reason.clone()), Vec::new())
            }
            Outcome::Busy { holder } => ("busy", Some(holder.clone()), Vec::new()),
            Outcome::Stuck { reason, todo } => ("stuck", Some(reason.clone()), todo.clone()),
            Outcome::Frozen { reason } => ("frozen", Some(reason.clone()), Vec::new()),
            Outcome::Fenced { by } => ("fenced", Some(by.clone()), Vec::new()),
        };
        Event::Finished {
            outcome: word.to_owned(),
            reason,
            todo,
            calls: self.context.engine.calls(),
            aliases: alias_map(&self.machine),
        }
    }
}

/// What a person says, for the machine.
fn input(command: Command) -> Input {
    match command {
        Command::Approve { function, by } => Input::Approve { function, by },
        Command::Leave { by, reason } => Input::Leave { by, reason },
        Command::Abort { by, reason } => Input::Abort { by, reason },
        Command::Look => Input::Look,
    }
}

/// Versions that aliases are moved to and that exist already: nobody publishes them, and
/// recordings must still tell of them.
fn switches(plan: &Plan) -> Vec<Event> {
    let functions = plan.functions.values();
    let switched = functions.filter_map(|function| match function.action {
        Action::Switch { stable, target } => Some(Event::Published {
            function: function.name.to_string(),
            stable: Some(stable.0),
            candidate: target.0,
        }),
        _ => None,
    });
    switched.collect()
}

fn alias_map(machine: &Release) -> BTreeMap<String, String> {
    machine.aliases().map(|(name, state)| (name.to_string(), alias_words(state))).collect()
}

/// An alias in words: `version 17`, `version 17, and 10% on version 18`, `no alias`.
fn alias_words(state: Option<&AliasState>) -> String {
    match state {
        None => "no alias".to_owned(),
        Some(state) => match state.extra {
            None => format!("version {}", state.version),
            Some(extra) => {
                format!(
                    "version {}, and {} on version {}",
                    state.version, extra.weight, extra.version
                )
            }
        },
    }
}

#[cfg(test)]
mod tests;
