//! One function's journey inside a release.

use std::collections::BTreeMap;
use std::fmt;

use super::delegate::Handover;
use super::{Decision, Illegal, Prepared, TimerId};
use crate::inventory::AliasState;
use crate::name::VersionId;
use crate::plan::AlarmStatus;
use crate::spec::Opaque;
use crate::time::Mono;
use crate::weight::Weight;

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Its version is being published and its alias claimed. Runs ahead of the gates.
    Preparing,
    /// Ready, and waiting for the barrier, its dependencies or a free place.
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
    /// Going back.
    RollingBack,
    /// Back, and read so; or never moved.
    RolledBack,
    /// Left as it is: it is outside of the rollback's scope, or the release is frozen.
    Kept,
    /// Somebody else changed its alias, or an undo failed: a person is needed.
    Stuck,
}

impl Phase {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Waiting => "waiting",
            Self::PreTraffic => "pre_traffic",
            Self::Shifting => "shifting",
            Self::Promoting => "promoting",
            Self::PostTraffic => "post_traffic",
            Self::Baking => "baking",
            Self::Done => "done",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
            Self::Kept => "kept",
            Self::Stuck => "stuck",
        }
    }

    /// Whether it takes one of the `max_parallel` places.
    pub fn is_moving(self) -> bool {
        matches!(
            self,
            Self::PreTraffic | Self::Shifting | Self::Promoting | Self::PostTraffic | Self::Baking
        )
    }

    /// Whether nothing more happens to it, unless the release goes back.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::RolledBack | Self::Kept | Self::Stuck)
    }

    /// The one table of legal moves.
    pub fn may_become(self, next: Self) -> bool {
        use Phase::{
            Baking, Done, Kept, PostTraffic, PreTraffic, Preparing, Promoting, RolledBack,
            RollingBack, Shifting, Stuck, Waiting,
        };
        match (self, next) {
            // `Preparing` may end at once: nothing was different after all.
            // Whoever enters a release that was left takes a rollout up where its alias is.
            (Preparing, Waiting | Done | Shifting | Promoting)
            | (Waiting, PreTraffic | Shifting | Promoting)
            | (PreTraffic, Shifting)
            | (PreTraffic | Shifting, Promoting)
            | (Promoting, PostTraffic)
            | (PostTraffic, Baking)
            | (Baking, Done)
            | (RollingBack, RolledBack | Stuck) => true,
            // A failure reaches every phase that is not an end, and what is done too.
            (RolledBack | Kept | Stuck | RollingBack, _) => false,
            (_, RollingBack | RolledBack | Kept | Stuck) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The state of one rollout.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(super) struct Rollout {
    pub(super) phase: Phase,
    pub(super) candidate: Option<Prepared>,
    /// The user's own description of the live alias, restored at the end.
    pub(super) own_text: String,
    /// Grows with every write on the live alias.
    pub(super) sequence: u64,
    /// The live alias carries our token.
    pub(super) claimed: bool,
    /// A write on the live alias was sent, whatever came of it.
    pub(super) touched: bool,
    pub(super) weight: Weight,
    /// When the weight counts as in force.
    pub(super) in_force: Mono,
    /// When the candidate first took traffic.
    pub(super) since: Option<Mono>,
    /// When the live alias was last read as the rollout wants it.
    pub(super) proven: Option<Mono>,
    pub(super) hook: usize,
    pub(super) strategy_state: Option<Opaque>,
    /// How often the strategy was asked; a pause that goes on counts once.
    pub(super) asks: u32,
    /// The question whose answer counts; older answers are dropped.
    pub(super) ask: Option<u64>,
    /// What the strategy pauses for, as it was told; a person may say "go on".
    pub(super) paused: Option<String>,
    /// How often a person did, since the weight is in force.
    pub(super) approvals: u32,
    /// A person sends it on from the weight that is in force.
    pub(super) hurry: Option<Hurry>,
    /// It could go up, and the release is paused.
    pub(super) is_parked: bool,
    /// Its alias carries, or may carry, a record of an epoch before this one, which is ours to
    /// take; it is to be written anew before anything else is.
    pub(super) fences: bool,
    pub(super) alarms: BTreeMap<String, AlarmSeen>,
    /// Alarms cannot tell since then, at a gate that waits for them.
    pub(super) blind_since: Option<Mono>,
    /// Alarms that were red before the release hold the first shift since then.
    pub(super) red_since: Option<Mono>,
    /// A look at the alias that may be somebody else's change.
    pub(super) suspect: Option<Sight>,
    /// Somebody else's change, believed.
    pub(super) contested: Option<Sight>,
    /// How often a contested alias was looked at again when its turn to go back had come.
    pub(super) rejudged: u32,
    /// The first write on the live alias was sent, and may still land.
    pub(super) is_open: bool,
    /// The timer that counts; older ones are forgotten, so that there is one at a time.
    pub(super) wake: Option<TimerId>,
    /// The question about alarms that a decision waits for, and when it was asked.
    pub(super) gate: Option<u64>,
    pub(super) gate_at: Mono,
    /// What the strategy wants to remember once its decision is in force.
    pub(super) next_state: Option<Opaque>,
    /// Not to be read for the proof before.
    pub(super) prove_after: Mono,
    /// How often its first alias was marked, to be deleted.
    pub(super) marks: u32,
    pub(super) marked_at: Mono,
    /// How often its description was restored onto another revision.
    pub(super) restores: u32,
    /// Baking ends then.
    pub(super) bake_until: Option<Mono>,
    /// AWS's own weights are in force since then.
    pub(super) transient_since: Option<Mono>,
    /// How far CodeDeploy is with it, where it moves the traffic.
    pub(super) handover: Handover,
    /// What a person must do.
    pub(super) todo: Option<String>,
}

/// How far a person sends a rollout on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hurry {
    /// To the next weight.
    OneStep,
    /// To all traffic.
    ToTheEnd,
}

/// An alias as it was seen when it was not as it had been left.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sight {
    There(AliasState),
    Gone,
}

impl Sight {
    pub(super) fn of(state: Option<AliasState>) -> Self {
        state.map_or(Self::Gone, Self::There)
    }

    pub(super) fn state(&self) -> Option<&AliasState> {
        match self {
            Self::There(state) => Some(state),
            Self::Gone => None,
        }
    }
}

/// What an alarm said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlarmSeen {
    pub(super) status: AlarmStatus,
    /// The provider's words, or why there are none.
    pub(super) detail: String,
    /// It does not count until it has been quiet once.
    pub(super) baselined: bool,
    /// It could not be read when it was asked last. Not even an excused alarm is quiet then.
    pub(super) is_unread: bool,
    /// The question that told so.
    pub(super) ask: u64,
}

impl Rollout {
    pub(super) fn new(own_text: String) -> Self {
        Self {
            phase: Phase::Preparing,
            candidate: None,
            own_text,
            sequence: 0,
            claimed: false,
            touched: false,
            weight: Weight::ZERO,
            in_force: Mono(0),
            since: None,
            proven: None,
            hook: 0,
            strategy_state: None,
            asks: 0,
            ask: None,
            paused: None,
            approvals: 0,
            hurry: None,
            is_parked: false,
            fences: false,
            alarms: BTreeMap::new(),
            blind_since: None,
            red_since: None,
            suspect: None,
            contested: None,
            rejudged: 0,
            is_open: false,
            wake: None,
            gate: None,
            gate_at: Mono(0),
            next_state: None,
            prove_after: Mono(0),
            marks: 0,
            marked_at: Mono(0),
            restores: 0,
            bake_until: None,
            transient_since: None,
            handover: Handover::None,
            todo: None,
        }
    }

    /// The version being rolled out, once it is known.
    pub(super) fn version(&self) -> Option<VersionId> {
        self.candidate.as_ref().map(|candidate| candidate.version)
    }

    /// What is being asked was asked about a state that is no more: the answers do not count.
    pub(super) fn forget_questions(&mut self) {
        self.ask = None;
        self.gate = None;
    }

    /// Whether the strategy is told of an alarm. One that is excused counts only where it could not
    /// be read; so does one that cannot tell before the candidate takes traffic, where there is
    /// nothing to tell.
    pub(super) fn counts(&self, seen: &AlarmSeen) -> bool {
        let has_nothing_to_tell = self.weight == Weight::ZERO
            && matches!(seen.status, AlarmStatus::Unknown | AlarmStatus::Missing);
        seen.is_unread || !(seen.baselined || has_nothing_to_tell)
    }

    /// A pause ends with the first other decision. One that goes on is no new decision, however
    /// often it is asked about.
    pub(super) fn note_pause(&mut self, decision: &Decision) {
        match decision {
            Decision::Pause(on) if self.paused.as_ref() == Some(on) => self.asks -= 1,
            Decision::Pause(_) => {}
            _ => self.paused = None,
        }
    }

    /// The weight counts as in force from then on. What was baked, asked and approved before does
    /// not count: who approved had not seen what has happened since.
    pub(super) fn begin_again(&mut self, at: Mono) {
        self.in_force = at;
        self.paused = None;
        self.approvals = 0;
        self.hurry = None;
    }

    /// A record of this release is, or was, on the live alias: there is something to put back.
    pub(super) fn claim(&mut self) {
        self.claimed = true;
        self.touched = true;
        self.is_open = false;
    }

    /// Whether the candidate takes, or took, any traffic that was not taken back.
    pub(super) fn carries(&self) -> bool {
        self.touched && !matches!(self.phase, Phase::RolledBack | Phase::Stuck)
    }

    pub(super) fn move_to(&mut self, subject: &str, next: Phase) -> Result<Phase, Illegal> {
        let from = self.phase;
        if !from.may_become(next) {
            return Err(Illegal {
                subject: subject.to_owned(),
                from: from.to_string(),
                to: next.to_string(),
            });
        }
        self.phase = next;
        Ok(from)
    }
}
