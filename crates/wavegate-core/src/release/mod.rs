//! The release machine: one execution of one plan, sans-I/O.
//!
//! [`Release::step`] takes an [`Input`] and answers with [`Effect`]s; the caller performs them and
//! feeds the results back. Nothing here waits, sleeps, calls or prints, so the same code runs
//! against AWS, the local cloud and a model of it under virtual time.
//!
//! The protocol in short. One lock alias per app says who owns the release (epoch) and where it
//! stands. Every live alias is claimed with a token before any weight moves (the barrier). A change
//! of weight and its record are one `UpdateAlias` under the alias's revision id. A failure is
//! written into the lock before the first write that goes back. A write whose answer is lost is
//! judged by reading the alias: its nonce is there, or it did not land. A change made by somebody
//! else is never overwritten.
//!
//! A release that lost its machine is entered by another one: once its owner has been silent for a
//! lease, the lock is taken with the next epoch, every alias is read afresh and its record rewritten
//! under that epoch (the fence: whatever the dead owner sent last cannot land any more), and from
//! there it goes back, or on. A machine that slept enters its own release the same way.
//!
//! Deliberately absent: taking over the lock of a release that is alive, and everything about how
//! versions are published (that moves no traffic).

mod approval;
mod delegate;
mod end;
mod enter;
mod forward;
mod lock;
mod look;
mod machine;
mod order;
mod register;
mod rollout;
mod unwind;
mod watch;

use std::time::Duration;

pub use delegate::LEFT;
pub(crate) use look::user_text;
pub use machine::Release;
pub use rollout::Phase;

use crate::inventory::{AliasState, ExtraVersion};
use crate::name::{FunctionName, ReleaseId, VersionId};
use crate::plan::AlarmStatus;
use crate::spec::Opaque;
use crate::weight::Weight;

/// Limits of the protocol, each with its reason.
pub mod limits {
    use std::time::Duration;

    /// How often moving aliases and alarms are looked at. A foreign change is noticed within one
    /// look and [`CONFIRM`].
    pub const POLL: Duration = Duration::from_secs(15);

    /// How long a lock that nobody renews stays owned. Only liveness depends on it.
    pub const LEASE: Duration = Duration::from_secs(90);

    /// No input for so long, and this machine was asleep: the pulse comes every [`POLL`]. Half a
    /// lease, because an alias may still be written that long after the lock was proven.
    pub const SUSPENDED: Duration = Duration::from_secs(45);

    /// A lock proven longer ago than this is renewed before any alias is written.
    pub const RENEW: Duration = Duration::from_secs(30);

    /// Two equal looks at a foreign change must be this far apart, longer than any stale read
    /// (20 s assumed), before it is believed.
    pub const CONFIRM: Duration = Duration::from_secs(25);

    /// How long after an alias write the data plane may still route the old way. The bake clock
    /// starts after it.
    pub const SETTLE: Duration = Duration::from_secs(10);

    /// How old a proof that an alias is promoted may be when success is recorded.
    pub const PROOF: Duration = Duration::from_secs(30);

    /// Every alias is read for the proof, and Lambda answers fifteen requests per second at most.
    const PROOF_EACH: Duration = Duration::from_millis(100);

    /// [`PROOF`] for so many aliases: a proof must not age faster than it can be made.
    pub fn proof(aliases: usize) -> Duration {
        PROOF + PROOF_EACH * u32::try_from(aliases).unwrap_or(u32::MAX)
    }

    /// How long a forward write is tried before the release fails.
    pub const FORWARD: Duration = Duration::from_mins(10);

    /// How long a write that goes back is tried before a person is needed.
    pub const BACK: Duration = Duration::from_mins(30);

    /// How long AWS's own weights after a change of version may stay (provisioned concurrency).
    pub const TRANSIENT: Duration = Duration::from_mins(30);

    /// How long alarms may be unreadable at a gate before the watch has failed.
    pub const BLIND: Duration = Duration::from_mins(10);

    /// How long a release waits for an alarm that was red before it began.
    pub const QUIET: Duration = Duration::from_hours(1);

    /// How long people may keep a release paused before it has failed: a pause holds the app's lock,
    /// and a forgotten one must not hold it for ever.
    pub const PAUSED: Duration = Duration::from_hours(7 * 24);

    /// The longest pause between two tries of one write.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(20);

    /// How long a mark may take to be answered, and the deletion after it to be sent: what is marked
    /// is deleted at once, or marked again. Within this time a change by somebody else is lost.
    pub const MARK: Duration = Duration::from_secs(5);

    /// How often a first alias is marked and deleted before a person is asked to do it.
    pub const MARKS: u32 = 30;

    /// How often a description is restored onto another revision: AWS moves the weights of
    /// provisioned concurrency twice.
    pub const RESTORES: u32 = 5;

    /// The shortest wait of a strategy: none may keep a release busy.
    pub const WAIT_MIN: Duration = Duration::from_millis(100);

    /// The longest a strategy may ask to wait at once.
    pub const WAIT_MAX: Duration = Duration::from_hours(48);

    /// The most looks one strategy may have, so that none keeps a release for ever.
    pub const DECISIONS: u32 = 100_000;

    // Who slept for less has renewed its lock in time; who slept for longer notices.
    const _: () = assert!(SUSPENDED.as_secs() * 2 <= LEASE.as_secs());
    const _: () = assert!(SUSPENDED.as_secs() >= 2 * POLL.as_secs());
    const _: () = assert!(LEASE.as_secs() >= 3 * RENEW.as_secs());
    const _: () = assert!(LEASE.as_secs() > 3 * POLL.as_secs());
    const _: () = assert!(BLIND.as_secs() > 2 * POLL.as_secs());
    const _: () = assert!(TRANSIENT.as_secs() > POLL.as_secs());
    const _: () = assert!(PROOF.as_secs() > POLL.as_secs());
    const _: () = assert!(BACKOFF_MAX.as_secs() < CONFIRM.as_secs());
    const _: () = assert!(PAUSED.as_secs() > QUIET.as_secs());
    const _: () = assert!(RENEW.as_secs() > POLL.as_secs());
    const _: () = assert!(CONFIRM.as_secs() > 20);
    const _: () = assert!(BACK.as_secs() > FORWARD.as_secs());
}

/// Names one call, so that its answer finds its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Names one timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub u64);

/// An alias that the release reads and writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// The app's lock alias, on the anchor.
    Lock,
    /// A function's live alias.
    Live(FunctionName),
    /// A function's pin alias.
    Pin(FunctionName),
}

/// What is more urgent when the API budget is short. The first is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Putting back.
    Back,
    /// Keeping the lock.
    Heartbeat,
    /// Going forward.
    Forward,
    /// Looking.
    Poll,
}

/// One call to the cloud.
#[derive(Debug, Clone, PartialEq)]
pub enum CloudOp {
    /// `GetAlias`.
    Get,
    /// `CreateAlias`; without a version it points at `$LATEST`.
    Create {
        /// The version to point at.
        version: Option<VersionId>,
        /// The description.
        description: String,
    },
    /// `UpdateAlias` under a revision id. Without routing, both version and weights are left out.
    Update {
        /// The revision id the alias must still have.
        base: String,
        /// The main version and the additional one, always together.
        routing: Option<(VersionId, Option<ExtraVersion>)>,
        /// The description.
        description: String,
    },
    /// `DeleteAlias`.
    Delete,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The alias as the cloud shows it, or that it does not exist.
    Alias(Option<AliasState>),
    /// It was deleted.
    Deleted,
    /// It failed.
    Failed(Fault),
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What follows from it.
    pub class: FaultClass,
    /// The cloud's words.
    pub text: String,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultClass {
    /// Not applied: the revision id was not current, or the alias exists already. Read and judge.
    Conflict,
    /// The outcome is unknown, or it was refused for now. Read and judge, later.
    Passing,
    /// Refused for good: denied, invalid, gone.
    Refused,
}

/// What the machine asks of its caller.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Make a call; answer with [`Input::Answer`].
    Call {
        /// Its name.
        id: CallId,
        /// How urgent it is.
        priority: Priority,
        /// Which alias.
        object: Object,
        /// What to do.
        op: CloudOp,
        /// Not to be sent later than this: the lock would not be proven any more. A call whose
        /// turn comes too late is answered with [`FaultClass::Passing`] instead.
        send_by: Option<crate::time::Mono>,
    },
    /// Answer with [`Input::Timer`] at that moment.
    Timer {
        /// Its name.
        id: TimerId,
        /// When.
        at: crate::time::Mono,
    },
    /// Publish the function's version; answer with [`Input::Prepared`]. Moves no traffic.
    Prepare {
        /// Which.
        function: FunctionName,
    },
    /// Stop preparing, as soon as that is safe, and running forward hooks. A call of
    /// [`Priority::Forward`] that has not been sent yet is not sent any more: it is answered with
    /// [`FaultClass::Passing`].
    StopWork,
    /// Ask the strategy; answer with [`Input::Decided`].
    Decide {
        /// Which.
        function: FunctionName,
        /// Names the question.
        ask: u64,
        /// What it sees.
        observation: Observation,
        /// What it said to remember last time.
        state: Option<Opaque>,
    },
    /// Run one hook to its end (waits between tries included); answer with [`Input::Hooked`].
    RunHook {
        /// Which function.
        function: FunctionName,
        /// When.
        phase: HookPhase,
        /// Which of the hooks of that phase.
        index: usize,
        /// What it is told.
        context: HookContext,
    },
    /// Let CodeDeploy move the function's traffic: find the deployment of this release, or create it,
    /// and follow it to its end, CodeDeploy's own rollback included. Answer with
    /// [`Input::Delegated`].
    Delegate {
        /// Which function.
        function: FunctionName,
        /// Names the question: a later one is another.
        ask: u64,
        /// The version to move to.
        candidate: VersionId,
    },
    /// Stop whatever CodeDeploy does for the function in the name of this release, with its rollback,
    /// and wait until nothing of it is under way; answer with [`Input::Halted`].
    Halt {
        /// Which function.
        function: FunctionName,
    },
    /// Read the alarms of some functions, in as few calls as possible; answer with
    /// [`Input::Alarms`].
    ReadAlarms {
        /// Names the question.
        ask: u64,
        /// About what.
        subjects: Vec<AlarmSubject>,
    },
    /// Delete old versions; answer with [`Input::Pruned`].
    Prune {
        /// Which function.
        function: FunctionName,
        /// Versions that must stay.
        protected: Vec<VersionId>,
    },
    /// Tell people.
    Report(Event),
    /// It is over; nothing follows.
    Finish(Outcome),
}

/// What the caller tells the machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Begin.
    Start,
    /// A call ended.
    Answer {
        /// Which.
        id: CallId,
        /// How.
        answer: Answer,
    },
    /// A timer is due.
    Timer {
        /// Which.
        id: TimerId,
    },
    /// A function's version is published and active, or could not be.
    Prepared {
        /// Which function.
        function: FunctionName,
        /// The version, or why not.
        result: Result<Prepared, String>,
    },
    /// A strategy answered.
    Decided {
        /// Which function.
        function: FunctionName,
        /// Which question.
        ask: u64,
        /// The decision and what to remember, or why there is none.
        result: Result<(Decision, Opaque), String>,
    },
    /// A deployment of CodeDeploy ended: it succeeded, or why not, in CodeDeploy's words.
    Delegated {
        /// Which function.
        function: FunctionName,
        /// Which question.
        ask: u64,
        /// How.
        result: Result<(), String>,
    },
    /// CodeDeploy does nothing more for a function, or cannot be made to stop.
    Halted {
        /// Which function.
        function: FunctionName,
        /// How.
        result: Result<(), String>,
    },
    /// A hook ended: passed, or failed with a reason.
    Hooked {
        /// Which function.
        function: FunctionName,
        /// When.
        phase: HookPhase,
        /// Which of the hooks of that phase.
        index: usize,
        /// How.
        result: Result<(), String>,
    },
    /// Alarms were read, or could not be.
    Alarms {
        /// Which question.
        ask: u64,
        /// One reading per alarm of the subjects, or why there are none.
        result: Result<Vec<Reading>, String>,
    },
    /// Old versions were deleted, or left.
    Pruned {
        /// Which function.
        function: FunctionName,
    },
    /// A person says "go on" to a strategy that pauses. Counts for rollouts that are held by a
    /// pause at this moment, and for no other.
    Approve {
        /// Which function; `None`: every one that is held.
        function: Option<FunctionName>,
        /// Who.
        by: String,
    },
    /// Somebody wants it to go back.
    Abort {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// This machine is wanted no longer. What CodeDeploy has in hand is left to it, and can be picked
    /// up; where there is nothing such, or something moves that only this machine moves, it goes back.
    Leave {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Nothing goes up until somebody says so. Alarms are watched, and it can go back.
    Pause {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// It goes on after a pause.
    Resume {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person sends functions on from where they stand: what waits for an approval has it, what
    /// is baked is baked enough. What alarms say counts all the same.
    Promote {
        /// Which function; `None`: every one that shifts or bakes.
        function: Option<FunctionName>,
        /// To all traffic at once, without the steps between.
        full: bool,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// There may be a request in the lock: it is looked at now, not with the next pulse.
    Look,
}

/// A published version, ready for traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its number.
    pub version: VersionId,
    /// The function's ARN, unqualified.
    pub arn: String,
}

/// What a strategy sees. It has no clock: time is in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observation {
    /// The weight in force.
    pub weight: Weight,
    /// How long it has been in force, untouched. Before the first shift: since the strategy was
    /// first asked.
    pub bake_elapsed: Duration,
    /// How long the rollout has been shifting.
    pub rollout_elapsed: Duration,
    /// Alarms that are quiet.
    pub alarms_ok: u32,
    /// Alarms that are red.
    pub alarms_firing: u32,
    /// Alarms that cannot tell. Before the first shift: alarms that could not be read; one that
    /// measures the candidate has nothing to tell yet.
    pub alarms_unknown: u32,
    /// How often a person said "go on" to a pause since the weight is in force, untouched. Starts
    /// again whenever `bake_elapsed` does, and with a new owner.
    pub approvals: u32,
}

/// What a strategy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Set this weight.
    Shift(Weight),
    /// Ask again after this long.
    Wait(Duration),
    /// Stay here until a person says "go on" ([`Input::Approve`]), or the strategy changes its
    /// mind: it is asked again now and then.
    Pause(String),
    /// Give the candidate everything.
    Promote,
    /// Put it back.
    Rollback(String),
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookPhase {
    /// Before any traffic.
    PreTraffic,
    /// After promotion.
    PostTraffic,
    /// After it was put back.
    OnRollback,
}

/// What a hook is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookContext {
    /// The function's ARN, unqualified; empty if it is not known.
    pub arn: String,
    /// The version being replaced.
    pub stable: Option<VersionId>,
    /// The version being rolled out.
    pub candidate: VersionId,
    /// The weight in force.
    pub weight: Weight,
    /// Why it was put back.
    pub reason: Option<String>,
}

/// Whose alarms to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmSubject {
    /// Which function.
    pub function: FunctionName,
    /// The version being replaced.
    pub stable: Option<VersionId>,
    /// The version being rolled out.
    pub candidate: VersionId,
    /// When the candidate first took traffic.
    pub since: crate::time::Mono,
}

/// One alarm, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which function.
    pub function: FunctionName,
    /// Which alarm, by its name in the manifest.
    pub alarm: String,
    /// What it says.
    pub status: AlarmStatus,
    /// The provider's words.
    pub detail: String,
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is on the candidate, and was read so.
    Done,
    /// It failed, and was put back and read so.
    RolledBack {
        /// Why it failed.
        reason: String,
    },
    /// It failed before anything was changed.
    NothingChanged {
        /// Why it failed.
        reason: String,
    },
    /// Somebody else owns the app.
    Busy {
        /// Who, in words.
        holder: String,
    },
    /// A person is needed.
    Stuck {
        /// Why it failed.
        reason: String,
        /// What to do, one line per alias that is not as it should be.
        todo: Vec<String>,
    },
    /// It failed, and stands where it stood because the manifest says `freeze`.
    Frozen {
        /// Why it failed.
        reason: String,
    },
    /// Somebody else took the release over; nothing more was written.
    Fenced {
        /// Who, in words.
        by: String,
    },
}

/// What happened, for people. Never read back by the machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The lock is ours.
    Locked {
        /// Which function carries it.
        anchor: FunctionName,
        /// The epoch.
        epoch: u64,
    },
    /// A rollout went from one phase to the next.
    Moved {
        /// Which.
        function: FunctionName,
        /// From.
        from: Phase,
        /// To.
        to: Phase,
    },
    /// A version is published and active.
    Published {
        /// Which.
        function: FunctionName,
        /// The version being replaced.
        stable: Option<VersionId>,
        /// The new one.
        candidate: VersionId,
    },
    /// Nothing was different after all.
    Unchanged {
        /// Which.
        function: FunctionName,
        /// The version it serves.
        version: VersionId,
    },
    /// A release that was left by its machine is entered by this one.
    Entered {
        /// Who owned it, and where it stood.
        before: String,
        /// It goes on from there; else it goes back.
        goes_on: bool,
    },
    /// This machine was asleep: the lock is proven anew before anything is written.
    Suspended {
        /// For how long nothing was heard.
        span: Duration,
    },
    /// Somebody asked for something, and it is being done.
    Ordered {
        /// What.
        verb: crate::control::Verb,
        /// About which function; `None`: the whole release.
        function: Option<FunctionName>,
        /// Who.
        by: String,
        /// Why; may be empty.
        reason: String,
    },
    /// All aliases are claimed; traffic may move.
    Barrier,
    /// A weight was set and read back.
    Weight {
        /// Which.
        function: FunctionName,
        /// What was set.
        set: Weight,
        /// What was read.
        actual: Weight,
        /// The weight until then.
        before: Weight,
        /// How long the strategy is expected to stay, from its outline.
        bake: Option<Duration>,
    },
    /// Something holds a rollout, in words.
    Held {
        /// Which.
        function: FunctionName,
        /// What it waits for.
        on: String,
    },
    /// A strategy pauses: a person may say "go on". Told once per pause.
    Paused {
        /// Which.
        function: FunctionName,
        /// What the strategy waits for, in its words.
        on: String,
    },
    /// A person said "go on".
    Approved {
        /// Which.
        function: FunctionName,
        /// Who.
        by: String,
    },
    /// An alarm changed what it says.
    Alarm {
        /// Which function.
        function: FunctionName,
        /// Which alarm.
        alarm: String,
        /// What it says now.
        status: AlarmStatus,
        /// The provider's words.
        detail: String,
    },
    /// Alarms could not be read.
    Blind {
        /// Why.
        reason: String,
    },
    /// An alias changed under us and back, or without a change of content: the bake begins again.
    Touched {
        /// Which.
        function: FunctionName,
    },
    /// An alias is not as it was left; it is looked at again before it is believed.
    Suspect {
        /// Which.
        function: FunctionName,
        /// What it is now, in words.
        now: String,
    },
    /// Somebody else changed an alias; hands off.
    Contested {
        /// Which.
        function: FunctionName,
        /// What it is now, in words.
        now: String,
    },
    /// It goes back.
    Aborting {
        /// The function that failed, if one did.
        culprit: Option<FunctionName>,
        /// Why.
        reason: String,
    },
    /// A function was put back and read so.
    PutBack {
        /// Which.
        function: FunctionName,
        /// The version it serves; `None`: its alias is gone, as before.
        to: Option<VersionId>,
    },
    /// An undo failed.
    Stuck {
        /// Which.
        function: FunctionName,
        /// What the cloud says.
        reason: String,
        /// What a person must do.
        todo: String,
    },
    /// Something worth knowing.
    Note {
        /// What.
        text: String,
    },
    /// A write is tried again. Not every try is told.
    Retry {
        /// Which alias, in words.
        object: String,
        /// Why.
        reason: String,
    },
}

/// An input that cannot be right in the state the machine is in: a bug of the machine or of its
/// caller, never of the world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("illegal transition of `{subject}`: {from} -> {to}")]
pub struct Illegal {
    /// What it is about.
    pub subject: String,
    /// Where it was.
    pub from: String,
    /// Where it was to go.
    pub to: String,
}

/// Who runs a release, and the seeds it grows its ids from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// The release's id.
    pub release: ReleaseId,
    /// Whoever runs it, for people.
    pub owner: String,
    /// Random: nonces grow from it.
    pub seed: u64,
}

#[cfg(test)]
mod delegate_tests;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod tests;
