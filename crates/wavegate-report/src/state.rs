//! What a release looks like after some of its events: a pure fold of records.
//!
//! The tree, the summary and the history are views of it. It is total: events that make no sense
//! here (a part of a recording is missing, a newer version wrote it) change what they can.

use std::collections::BTreeMap;

use wavegate_core::weight::Weight;
use wavegate_engine::event::{Event, FunctionStart, Record, Served};

/// The most notes that are kept.
const NOTES_MAX: usize = 100;

/// The state of a release as its events tell it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// The app.
    pub app: String,
    /// The release's number.
    pub number: u64,
    /// The release's id.
    pub release: String,
    /// Where, in words.
    pub target: String,
    /// Who runs it.
    pub owner: String,
    /// The alias.
    pub alias: String,
    /// When the release began, in milliseconds since the Unix epoch, on its own clock.
    pub started_ms: u64,
    /// The time of the latest event, on the same clock.
    pub now_ms: u64,
    /// How long it was expected to take, in milliseconds.
    pub expected_ms: u64,
    /// How long it was said to take at worst, in milliseconds.
    pub worst_ms: u64,
    /// The functions that change, wave by wave.
    pub waves: Vec<Vec<String>>,
    /// The functions that change.
    pub functions: BTreeMap<String, Function>,
    /// What was served by functions that do not change, by version.
    pub bystanders: BTreeMap<String, BTreeMap<String, Served>>,
    /// The functions that are left alone.
    pub unchanged: Vec<String>,
    /// The function that carries the lock, and the epoch.
    pub lock: Option<(String, u64)>,
    /// Every alias is claimed: traffic may move.
    pub barrier: bool,
    /// Why alarms cannot be read, until one is read again.
    pub blind: Option<String>,
    /// Who paused it, and why, while it is.
    pub paused: Option<String>,
    /// Why the release goes back.
    pub aborting: Option<Aborting>,
    /// Things worth knowing, the first hundred.
    pub notes: Vec<String>,
    /// How many calls were tried again.
    pub retries: u64,
    /// How it ended.
    pub finished: Option<Finished>,
}

/// Why a release goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aborting {
    /// The function that failed.
    pub culprit: Option<String>,
    /// Why.
    pub reason: String,
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finished {
    /// The outcome's word.
    pub outcome: String,
    /// Why, if it did not end well.
    pub reason: Option<String>,
    /// What a person must do.
    pub todo: Vec<String>,
    /// Calls made, by operation.
    pub calls: BTreeMap<String, u64>,
    /// The state of each alias, as last read.
    pub aliases: BTreeMap<String, String>,
    /// When, on the release's clock.
    pub at_ms: u64,
}

/// One function of a release.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Function {
    /// `first`, `update` or `switch`.
    pub action: String,
    /// The version being replaced.
    pub stable: Option<u64>,
    /// The new version, once it is published.
    pub candidate: Option<u64>,
    /// What is different.
    pub changes: Vec<String>,
    /// The strategy's name.
    pub strategy: String,
    /// The functions of this release that come first.
    pub depends_on: Vec<String>,
    /// How long alarms are watched after promotion, in milliseconds.
    pub bake_ms: u64,
    /// Where it stands.
    pub stage: Stage,
    /// When it came there.
    pub stage_since_ms: u64,
    /// When it first had a turn: hooks, shift or promotion.
    pub moved_ms: Option<u64>,
    /// When it was settled.
    pub ended_ms: Option<u64>,
    /// The weight that was set.
    pub set: Weight,
    /// The weight that was read back.
    pub actual: Weight,
    /// When the present step or bake is expected to be over.
    pub bake_until_ms: Option<u64>,
    /// How long that step or bake is, should it begin again.
    span_ms: Option<u64>,
    /// The step of preparation.
    pub preparing: Option<String>,
    /// What holds it.
    pub waiting_on: Option<String>,
    /// It is held until a person says "go on".
    pub is_paused: bool,
    /// Its hooks in the order they began.
    pub hooks: Vec<Hook>,
    /// Its deployments by CodeDeploy in the order they began, what puts one back included.
    pub deployments: Vec<Deployment>,
    /// Its alarms.
    pub alarms: Vec<Alarm>,
    /// Requests served, by version.
    pub served: BTreeMap<String, Served>,
    /// Its alias may have been changed by somebody else: what it is now.
    pub suspect: Option<String>,
    /// Its alias was changed by somebody else: what it is now.
    pub contested: Option<String>,
    /// It was put back to this version; `Some(None)`: it has no alias, as before.
    pub put_back: Option<Option<u64>>,
    /// Its undo failed.
    pub stuck: Option<Stuck>,
    /// Old versions that were deleted.
    pub pruned: Vec<u64>,
}

/// An undo that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// What the cloud says.
    pub reason: String,
    /// What a person must do.
    pub todo: String,
}

/// A hook as last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// `pre_traffic`, `post_traffic` or `on_rollback`.
    pub phase: String,
    /// `running`, `retrying`, `passed` or `failed`.
    pub state: String,
    /// Its own words.
    pub detail: String,
    /// How long it ran, in wall milliseconds.
    pub took_ms: u64,
}

/// A deployment of CodeDeploy as last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// It puts another one back.
    pub is_rollback: bool,
    /// CodeDeploy's word.
    pub status: String,
    /// The last step of its lifecycle that was heard of, and CodeDeploy's word for that.
    pub step: Option<(String, String)>,
    /// CodeDeploy's words, where something failed.
    pub message: Option<String>,
}

/// An alarm as last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// `ok`, `unknown`, `firing` or `missing`; `None`: not read yet.
    pub status: Option<String>,
    /// The measured value, comparator and threshold.
    pub detail: String,
}

/// Where a function stands: the core's phases, and two that only people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stage {
    /// Its version is being published and its alias claimed.
    #[default]
    Preparing,
    /// It waits for its turn.
    Waiting,
    /// Pre-traffic hooks run.
    PreTraffic,
    /// The candidate has a share.
    Shifting,
    /// The candidate gets everything.
    Promoting,
    /// Post-traffic hooks run.
    PostTraffic,
    /// Alarms are watched a while longer.
    Baking,
    /// Done.
    Done,
    /// Nothing was different after all.
    Unchanged,
    /// It goes back.
    RollingBack,
    /// It is back.
    RolledBack,
    /// It is left as it is.
    Kept,
    /// A person is needed.
    Stuck,
    /// A phase that this version does not know.
    Other,
}

impl Stage {
    /// The stage for a phase's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "preparing" => Self::Preparing,
            "waiting" => Self::Waiting,
            "pre_traffic" => Self::PreTraffic,
            "shifting" => Self::Shifting,
            "promoting" => Self::Promoting,
            "post_traffic" => Self::PostTraffic,
            "baking" => Self::Baking,
            "done" => Self::Done,
            "rolling_back" => Self::RollingBack,
            "rolled_back" => Self::RolledBack,
            "kept" => Self::Kept,
            "stuck" => Self::Stuck,
            _ => Self::Other,
        }
    }

    /// Whether it has its turn: something about it may be watched.
    pub fn is_moving(self) -> bool {
        use Stage as S;
        matches!(
            self,
            S::PreTraffic
                | S::Shifting
                | S::Promoting
                | S::PostTraffic
                | S::Baking
                | S::RollingBack
        )
    }

    /// Whether nothing more happens to it, unless the release goes back.
    pub fn is_settled(self) -> bool {
        use Stage as S;
        matches!(self, S::Done | S::Unchanged | S::RolledBack | S::Kept | S::Stuck)
    }
}

impl State {
    /// The state after `records`.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut state = Self::default();
        for record in records {
            state.apply(record);
        }
        state
    }

    /// How long the release has taken at `now_ms`, or took in all, in milliseconds.
    pub fn elapsed_ms(&self, now_ms: u64) -> u64 {
        let end = self.finished.as_ref().map_or(now_ms.max(self.now_ms), |f| f.at_ms);
        end.saturating_sub(self.started_ms)
    }

    /// Whether it ended with every function as the manifest says.
    pub fn ended_well(&self) -> bool {
        self.finished.as_ref().is_some_and(|f| match f.outcome.as_str() {
            "done" => true,
            // With a reason, it failed before anything was changed.
            "nothing_changed" => f.reason.is_none(),
            _ => false,
        })
    }

    /// How many of the functions that change are done.
    pub fn done(&self) -> usize {
        let done = |f: &&Function| matches!(f.stage, Stage::Done | Stage::Unchanged);
        self.functions.values().filter(done).count()
    }

    /// Takes one more event.
    pub fn apply(&mut self, record: &Record) {
        if self.release != record.release {
            self.app.clone_from(&record.app);
            self.release.clone_from(&record.release);
            self.number = record.number;
            self.started_ms = record.at_ms.saturating_sub(record.elapsed_ms);
        }
        self.now_ms = self.now_ms.max(record.at_ms);
        let now = record.at_ms;
        match &record.event {
            Event::Locked { anchor, epoch } => self.lock = Some((anchor.clone(), *epoch)),
            Event::Barrier => self.barrier = true,
            Event::Blind { reason } => self.blind = Some(reason.clone()),
            Event::Aborting { culprit, reason } => {
                let aborting = Aborting { culprit: culprit.clone(), reason: reason.clone() };
                self.aborting.get_or_insert(aborting);
            }
            Event::Ordered { verb, by, reason, .. } => match verb.as_str() {
                "pause" if reason.is_empty() => self.paused = Some(by.clone()),
                "pause" => self.paused = Some(format!("{by}: {reason}")),
                // Whatever sends a release on ends its pause.
                _ => self.paused = None,
            },
            Event::Entered { .. } => self.paused = None,
            Event::Suspended { .. } => {}
            Event::Retry { .. } => self.retries += 1,
            Event::Note { text } => {
                if self.notes.len() < NOTES_MAX {
                    self.notes.push(text.clone());
                }
            }
            event @ Event::Started { .. } => self.start(event, now),
            Event::Finished { outcome, reason, todo, calls, aliases } => {
                self.finished = Some(Finished {
                    outcome: outcome.clone(),
                    reason: reason.clone(),
                    todo: todo.clone(),
                    calls: calls.clone(),
                    aliases: aliases.clone(),
                    at_ms: now,
                });
            }
            Event::Traffic { function, served } if !self.functions.contains_key(function) => {
                self.bystanders.insert(function.clone(), served.clone());
            }
            event => self.apply_to_function(event, now),
        }
    }

    fn start(&mut self, event: &Event, now: u64) {
        let Event::Started { target, owner, alias, waves, unchanged, expected_ms, worst_ms } =
            event
        else {
            return;
        };
        self.target.clone_from(target);
        self.owner.clone_from(owner);
        self.alias.clone_from(alias);
        self.unchanged.clone_from(unchanged);
        (self.expected_ms, self.worst_ms) = (*expected_ms, *worst_ms);
        self.waves =
            waves.iter().map(|wave| wave.iter().map(|f| f.name.clone()).collect()).collect();
        for start in waves.iter().flatten() {
            self.functions.insert(start.name.clone(), Function::new(start, now));
        }
    }

    fn apply_to_function(&mut self, event: &Event, now: u64) {
        if matches!(event, Event::Alarm { .. }) {
            self.blind = None;
        }
        let Some(name) = function_of(event) else { return };
        self.functions.entry(name.to_owned()).or_default().apply(event, now);
    }
}

impl Function {
    fn new(start: &FunctionStart, now: u64) -> Self {
        let alarm =
            |name: &String| Alarm { name: name.clone(), status: None, detail: String::new() };
        Self {
            action: start.action.clone(),
            stable: start.stable,
            changes: start.changes.clone(),
            strategy: start.strategy.clone(),
            depends_on: start.depends_on.clone(),
            bake_ms: start.bake_ms,
            alarms: start.alarms.iter().map(alarm).collect(),
            stage_since_ms: now,
            ..Self::default()
        }
    }

    /// How long its turn took, hooks and bake included, in milliseconds: up to `now_ms` while it
    /// lasts. `None`: it never had one.
    pub fn took_ms(&self, now_ms: u64) -> Option<u64> {
        Some(self.ended_ms.unwrap_or(now_ms).saturating_sub(self.moved_ms?))
    }

    /// Whether its alarms are watched after promotion: there is nothing to compare a first
    /// version with, nor to go back to.
    pub(crate) fn bakes(&self) -> bool {
        self.bake_ms > 0 && self.action != "first"
    }

    fn apply(&mut self, event: &Event, now: u64) {
        match event {
            Event::Phase { to, .. } => self.enter(Stage::parse(to), now),
            Event::Preparing { step, .. } => self.preparing = Some(step.clone()),
            Event::Published { stable, candidate, .. } => {
                self.stable = *stable;
                self.candidate = Some(*candidate);
            }
            Event::Unchanged { version, .. } => {
                self.stable = Some(*version);
                self.enter(Stage::Unchanged, now);
            }
            Event::Weight { set_bp, actual_bp, bake_ms, .. } => {
                self.set = Weight::from_bp(*set_bp).unwrap_or(Weight::FULL);
                self.actual = Weight::from_bp(*actual_bp).unwrap_or(Weight::FULL);
                self.span_ms = *bake_ms;
                self.bake_until_ms = bake_ms.map(|bake| now.saturating_add(bake));
                (self.waiting_on, self.is_paused) = (None, false);
            }
            Event::Waiting { on, approval, .. } => {
                (self.waiting_on, self.is_paused) = (Some(on.clone()), *approval);
            }
            Event::Approved { .. } => (self.waiting_on, self.is_paused) = (None, false),
            Event::Hook { hook, phase, state, detail, took_ms, .. } => self.hook(Hook {
                name: hook.clone(),
                phase: phase.clone(),
                state: state.clone(),
                detail: detail.clone(),
                took_ms: *took_ms,
            }),
            Event::Deployment { id, step, status, message, .. } => {
                self.deployment(id, step, status, message.as_ref());
            }
            Event::Alarm { alarm, status, detail, .. } => self.alarm(Alarm {
                name: alarm.clone(),
                status: Some(status.clone()),
                detail: detail.clone(),
            }),
            Event::Touched { .. } => {
                self.suspect = None;
                self.bake_until_ms = self.span_ms.map(|span| now.saturating_add(span));
            }
            Event::Suspect { now, .. } => self.suspect = Some(now.clone()),
            Event::Contested { now, .. } => {
                self.suspect = None;
                self.contested = Some(now.clone());
            }
            Event::PutBack { to, .. } => {
                (self.set, self.actual) = (Weight::ZERO, Weight::ZERO);
                self.contested = None;
                self.put_back = Some(*to);
            }
            Event::Stuck { reason, todo, .. } => {
                self.stuck = Some(Stuck { reason: reason.clone(), todo: todo.clone() });
                self.enter(Stage::Stuck, now);
            }
            Event::Pruned { versions, .. } => self.pruned.extend(versions),
            Event::Traffic { served, .. } => self.served.clone_from(served),
            _ => {}
        }
    }

    fn enter(&mut self, stage: Stage, now: u64) {
        // The core ends a rollout that found nothing different with `done`.
        if self.stage == stage || (self.stage, stage) == (Stage::Unchanged, Stage::Done) {
            return;
        }
        (self.stage, self.stage_since_ms) = (stage, now);
        (self.waiting_on, self.is_paused) = (None, false);
        (self.span_ms, self.bake_until_ms) = (None, None);
        if stage.is_moving() && stage != Stage::RollingBack {
            self.moved_ms.get_or_insert(now);
        }
        if stage == Stage::Baking && self.bakes() {
            self.span_ms = Some(self.bake_ms);
            self.bake_until_ms = Some(now.saturating_add(self.bake_ms));
        }
        self.ended_ms = stage.is_settled().then_some(now);
    }

    fn hook(&mut self, hook: Hook) {
        let same = |h: &&mut Hook| h.name == hook.name && h.phase == hook.phase;
        match self.hooks.iter_mut().find(same) {
            Some(known) => *known = hook,
            None => self.hooks.push(hook),
        }
    }

    fn deployment(&mut self, id: &str, step: &str, status: &str, message: Option<&String>) {
        let at = self.deployments.iter().position(|deployment| deployment.id == id);
        let at = at.unwrap_or_else(|| {
            self.deployments.push(Deployment {
                id: id.to_owned(),
                is_rollback: false,
                status: "InProgress".to_owned(),
                step: None,
                message: None,
            });
            self.deployments.len() - 1
        });
        let deployment = &mut self.deployments[at];
        match step {
            "deployment" | "rollback" => {
                deployment.is_rollback = step == "rollback";
                status.clone_into(&mut deployment.status);
            }
            step => deployment.step = Some((step.to_owned(), status.to_owned())),
        }
        if message.is_some() {
            deployment.message = message.cloned();
        }
    }

    fn alarm(&mut self, alarm: Alarm) {
        match self.alarms.iter_mut().find(|a| a.name == alarm.name) {
            Some(known) => *known = alarm,
            None => self.alarms.push(alarm),
        }
    }
}

/// The function that an event is about.
pub(crate) fn function_of(event: &Event) -> Option<&str> {
    match event {
        Event::Phase { function, .. }
        | Event::Preparing { function, .. }
        | Event::Published { function, .. }
        | Event::Unchanged { function, .. }
        | Event::Weight { function, .. }
        | Event::Waiting { function, .. }
        | Event::Approved { function, .. }
        | Event::Hook { function, .. }
        | Event::Deployment { function, .. }
        | Event::Alarm { function, .. }
        | Event::Touched { function }
        | Event::Suspect { function, .. }
        | Event::Contested { function, .. }
        | Event::PutBack { function, .. }
        | Event::Stuck { function, .. }
        | Event::Pruned { function, .. }
        | Event::Traffic { function, .. } => Some(function),
        Event::Started { .. }
        | Event::Entered { .. }
        | Event::Suspended { .. }
        | Event::Ordered { .. }
        | Event::Locked { .. }
        | Event::Barrier
        | Event::Blind { .. }
        | Event::Aborting { .. }
        | Event::Retry { .. }
        | Event::Note { .. }
        | Event::Finished { .. } => None,
    }
}
