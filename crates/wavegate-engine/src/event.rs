//! Events on the wire: what reporters, recordings and `--output json` see.
//!
//! Format version 1. Fields may be added; readers ignore what they do not know. Values of
//! environment variables and credentials are never part of an event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wavegate_core::plan::{Action, AlarmStatus, Plan};
use wavegate_core::release as core;

/// The format version of [`Record`].
pub const FORMAT: u32 = 1;

/// One event of one release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format version.
    pub v: u32,
    /// Its place in the release's one order of events, from 1.
    pub seq: u64,
    /// When, in milliseconds since the Unix epoch, on the release's clock (virtual under a time
    /// scale).
    pub at_ms: u64,
    /// Milliseconds since the release began, on the same clock.
    pub elapsed_ms: u64,
    /// The app.
    pub app: String,
    /// The release's number.
    pub number: u64,
    /// The release's id.
    pub release: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A release begins.
    Started {
        /// Where: `local` or `aws`, account and region, in words.
        target: String,
        /// Who runs it.
        owner: String,
        /// The alias.
        alias: String,
        /// The functions that change, wave by wave.
        waves: Vec<Vec<FunctionStart>>,
        /// Functions of the app that are left alone.
        unchanged: Vec<String>,
        /// How long it takes if nothing goes wrong, in milliseconds.
        expected_ms: u64,
        /// How long it takes at worst, in milliseconds.
        worst_ms: u64,
    },
    /// The lock is held.
    Locked {
        /// The function that carries it.
        anchor: String,
        /// The epoch.
        epoch: u64,
    },
    /// A rollout changed phase.
    Phase {
        /// Which function.
        function: String,
        /// From.
        from: String,
        /// To: `preparing`, `waiting`, `pre_traffic`, `shifting`, `promoting`, `post_traffic`,
        /// `baking`, `done`, `rolling_back`, `rolled_back`, `kept`, `stuck`.
        to: String,
    },
    /// A step of preparation, in words: `uploading 1.2 MB`, `version 18 is Pending`.
    Preparing {
        /// Which function.
        function: String,
        /// What.
        step: String,
    },
    /// A version is published and active.
    Published {
        /// Which function.
        function: String,
        /// The version being replaced.
        stable: Option<u64>,
        /// The new version.
        candidate: u64,
    },
    /// Nothing was different after all.
    Unchanged {
        /// Which function.
        function: String,
        /// The version it serves.
        version: u64,
    },
    /// A release that was left by its machine is entered by another one.
    Entered {
        /// Who owned it, and where it stood.
        before: String,
        /// It goes on from there; else it goes back.
        goes_on: bool,
    },
    /// This machine was asleep, and proves its lock before anything else.
    Suspended {
        /// For how long nothing was heard, in milliseconds.
        span_ms: u64,
    },
    /// Somebody asked for something, and it is being done.
    Ordered {
        /// `pause`, `resume`, `promote` or `promote --full`.
        verb: String,
        /// About which function; absent: the whole release.
        function: Option<String>,
        /// Who.
        by: String,
        /// Why; may be empty.
        reason: String,
    },
    /// Every alias is claimed; traffic may move.
    Barrier,
    /// A weight was set and read back; where CodeDeploy moves the traffic, it was seen.
    Weight {
        /// Which function.
        function: String,
        /// What was set, in basis points of the candidate.
        set_bp: u16,
        /// What was read back.
        actual_bp: u16,
        /// The weight until then.
        before_bp: u16,
        /// How long it is expected to stay, in milliseconds.
        bake_ms: Option<u64>,
    },
    /// A deployment of CodeDeploy, or a step of its lifecycle, has another status. The traffic that it
    /// moves is told by `weight`, as CodeDeploy shows it.
    Deployment {
        /// Which function.
        function: String,
        /// The deployment's id.
        id: String,
        /// `deployment`; `rollback`: CodeDeploy's own deployment that puts one back; else the
        /// lifecycle event: `BeforeAllowTraffic`, `AllowTraffic`, ...
        step: String,
        /// CodeDeploy's word: `InProgress`, `Succeeded`, `Failed`, `Stopped`, `Skipped`, ...
        status: String,
        /// CodeDeploy's error code and words, where it failed or was stopped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Something holds a rollout.
    Waiting {
        /// Which function.
        function: String,
        /// On what, in words.
        on: String,
        /// Whether a person may say "go on".
        #[serde(default)]
        approval: bool,
    },
    /// A person said "go on" to a rollout that waited for it.
    Approved {
        /// Which function.
        function: String,
        /// Who.
        by: String,
    },
    /// A hook began, is asked again later, or ended.
    Hook {
        /// Which function.
        function: String,
        /// The hook's name.
        hook: String,
        /// `pre_traffic`, `post_traffic` or `on_rollback`.
        phase: String,
        /// `running`, `retrying`, `passed` or `failed`.
        state: String,
        /// Its own words: the last lines of its output, the reason of a failure.
        detail: String,
        /// How long it ran so far, in wall milliseconds.
        took_ms: u64,
    },
    /// An alarm changed what it says.
    Alarm {
        /// Which function.
        function: String,
        /// Which alarm.
        alarm: String,
        /// `ok`, `unknown`, `firing` or `missing`.
        status: String,
        /// The measured value, comparator and threshold.
        detail: String,
    },
    /// Alarms could not be read.
    Blind {
        /// Why.
        reason: String,
    },
    /// An alias was rewritten by somebody without changing it: the bake begins again.
    Touched {
        /// Which function.
        function: String,
    },
    /// An alias may have been changed by somebody else.
    Suspect {
        /// Which function.
        function: String,
        /// What it is now.
        now: String,
    },
    /// An alias was changed by somebody else: hands off.
    Contested {
        /// Which function.
        function: String,
        /// What it is now.
        now: String,
    },
    /// The release goes back.
    Aborting {
        /// The function that failed.
        culprit: Option<String>,
        /// Why.
        reason: String,
    },
    /// A function was put back and read so.
    PutBack {
        /// Which function.
        function: String,
        /// The version it serves; absent: its alias is gone, as before.
        to: Option<u64>,
    },
    /// An undo failed.
    Stuck {
        /// Which function.
        function: String,
        /// What the cloud says.
        reason: String,
        /// What a person must do.
        todo: String,
    },
    /// A call is tried again.
    Retry {
        /// What.
        object: String,
        /// Why.
        reason: String,
    },
    /// Old versions were deleted.
    Pruned {
        /// Which function.
        function: String,
        /// Which.
        versions: Vec<u64>,
    },
    /// Requests that were served, from the local cloud's traffic: totals so far.
    Traffic {
        /// Which function.
        function: String,
        /// By version.
        served: BTreeMap<String, Served>,
    },
    /// Something worth knowing that is nobody's fault.
    Note {
        /// What.
        text: String,
    },
    /// The release ended.
    Finished {
        /// `done`, `rolled_back`, `nothing_changed`, `busy`, `stuck`, `frozen`, `fenced` or
        /// `interrupted`.
        outcome: String,
        /// Why, if it did not end well.
        reason: Option<String>,
        /// What a person must do.
        todo: Vec<String>,
        /// Calls made, by operation.
        calls: BTreeMap<String, u64>,
        /// The state of each alias, as last read.
        aliases: BTreeMap<String, String>,
    },
}

/// A function that a release changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionStart {
    /// Its name.
    pub name: String,
    /// `first`, `update` or `switch`.
    pub action: String,
    /// The version that is served.
    pub stable: Option<u64>,
    /// What is different.
    pub changes: Vec<String>,
    /// The strategy's name.
    pub strategy: String,
    /// What it depends on, among the functions that change.
    pub depends_on: Vec<String>,
    /// Its alarms.
    pub alarms: Vec<String>,
    /// How long its alarms are watched after promotion, in milliseconds.
    pub bake_ms: u64,
}

/// Requests served by one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Served {
    /// All requests.
    pub invocations: u64,
    /// Those that failed.
    pub errors: u64,
}

/// The functions of a plan, wave by wave.
pub fn waves(plan: &Plan) -> Vec<Vec<FunctionStart>> {
    plan.waves
        .iter()
        .map(|wave| wave.iter().filter_map(|name| plan.functions.get(name)).map(start).collect())
        .collect()
}

fn start(function: &wavegate_core::plan::FunctionPlan) -> FunctionStart {
    FunctionStart {
        name: function.name.to_string(),
        action: match function.action {
            Action::First { .. } => "first",
            Action::Update { .. } => "update",
            Action::Switch { .. } => "switch",
        }
        .to_owned(),
        stable: function.action.stable().map(|v| v.0),
        changes: function.changes.iter().map(ToString::to_string).collect(),
        strategy: function.strategy.name.clone(),
        depends_on: function.depends_on.iter().map(ToString::to_string).collect(),
        alarms: function.alarms.iter().map(|a| a.alarm.alarm.name.clone()).collect(),
        bake_ms: wavegate_core::time::millis(function.bake),
    }
}

/// The word for an alarm's status.
pub fn alarm_word(status: AlarmStatus) -> &'static str {
    match status {
        AlarmStatus::Ok => "ok",
        AlarmStatus::Unknown => "unknown",
        AlarmStatus::Firing => "firing",
        AlarmStatus::Missing => "missing",
    }
}

/// The word for a hook's phase.
pub fn hook_word(phase: core::HookPhase) -> &'static str {
    match phase {
        core::HookPhase::PreTraffic => "pre_traffic",
        core::HookPhase::PostTraffic => "post_traffic",
        core::HookPhase::OnRollback => "on_rollback",
    }
}

impl From<core::Event> for Event {
    fn from(event: core::Event) -> Self {
        use core::Event as E;
        match event {
            E::Locked { anchor, epoch } => Self::Locked { anchor: anchor.to_string(), epoch },
            E::Moved { function, from, to } => Self::Phase {
                function: function.to_string(),
                from: from.to_string(),
                to: to.to_string(),
            },
            E::Published { function, stable, candidate } => Self::Published {
                function: function.to_string(),
                stable: stable.map(|v| v.0),
                candidate: candidate.0,
            },
            E::Unchanged { function, version } => {
                Self::Unchanged { function: function.to_string(), version: version.0 }
            }
            E::Entered { before, goes_on } => Self::Entered { before, goes_on },
            E::Suspended { span } => Self::Suspended { span_ms: wavegate_core::time::millis(span) },
            E::Ordered { verb, function, by, reason } => Self::Ordered {
                verb: verb.to_string(),
                function: function.map(|name| name.to_string()),
                by,
                reason,
            },
            E::Barrier => Self::Barrier,
            E::Weight { function, set, actual, before, bake } => Self::Weight {
                function: function.to_string(),
                set_bp: set.bp(),
                actual_bp: actual.bp(),
                before_bp: before.bp(),
                bake_ms: bake.map(wavegate_core::time::millis),
            },
            E::Held { function, on } => {
                Self::Waiting { function: function.to_string(), on, approval: false }
            }
            E::Paused { function, on } => {
                Self::Waiting { function: function.to_string(), on, approval: true }
            }
            E::Approved { function, by } => Self::Approved { function: function.to_string(), by },
            E::Alarm { function, alarm, status, detail } => Self::Alarm {
                function: function.to_string(),
                alarm,
                status: alarm_word(status).to_owned(),
                detail,
            },
            E::Blind { reason } => Self::Blind { reason },
            E::Touched { function } => Self::Touched { function: function.to_string() },
            E::Suspect { function, now } => Self::Suspect { function: function.to_string(), now },
            E::Contested { function, now } => {
                Self::Contested { function: function.to_string(), now }
            }
            E::Aborting { culprit, reason } => {
                Self::Aborting { culprit: culprit.map(|c| c.to_string()), reason }
            }
            E::PutBack { function, to } => {
                Self::PutBack { function: function.to_string(), to: to.map(|v| v.0) }
            }
            E::Stuck { function, reason, todo } => {
                Self::Stuck { function: function.to_string(), reason, todo }
            }
            E::Note { text } => Self::Note { text },
            E::Retry { object, reason } => Self::Retry { object, reason },
        }
    }
}
