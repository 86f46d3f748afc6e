//! The laws: what the cloud itself sees is checked at every write that it applies, against what
//! really happened; not against what a machine believes.

mod alias;
mod end;
mod lock;

use std::collections::{BTreeMap, BTreeSet};

use wavegate_core::control::Verb;
use wavegate_core::inventory::AliasState;
use wavegate_core::name::{FunctionName, VersionId};
use wavegate_core::plan::{Action, Plan};
use wavegate_core::spec::{OnFailure, RollbackScope};
use wavegate_core::token::{LockPhase, Token};
use wavegate_core::weight::Weight;

use crate::cloud::{Cloud, Place, Role};
use crate::world::{Call, World};

/// What really happened to one function's live alias.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(crate) struct Ghost {
    /// The last state that no foreign hand made.
    pub(crate) ours: Option<AliasState>,
    /// The state that is there was made by somebody else, since then.
    pub(crate) foreign: Option<u64>,
    /// Somebody else was here since it was claimed, be it without a trace.
    pub(crate) is_handled: bool,
    pub(crate) handled_at: u64,
    pub(crate) written_at: u64,
    /// Somebody deleted its pin.
    pub(crate) is_unpinned: bool,
    /// The last record on it.
    pub(crate) last: Option<Token>,
    /// The weight in force, and since when it has been, untouched by anybody.
    pub(crate) in_force: (Weight, u64),
    /// That is since a write that routes.
    pub(crate) is_settling: bool,
    /// The highest epoch that its routing was written under.
    pub(crate) epoch: u64,
    /// Which machine was told at which moment of alarms that were quiet at which.
    pub(crate) heard: Vec<(usize, u64, u64)>,
    /// It was put back by this release.
    pub(crate) is_backed: bool,
    /// When a person said "go on".
    pub(crate) approved: Vec<u64>,
    /// When a person last sent it on from where it stood.
    pub(crate) hurried: u64,
    /// The user's own description, unless a hand changed it.
    pub(crate) text: Option<String>,
}

impl Ghost {
    pub(crate) fn of(function: &FunctionName, cloud: &Cloud) -> Self {
        let ours = cloud.state(&Place::live(function)).cloned();
        let text = ours.as_ref().map(|state| state.description.clone());
        Self { ours, text, ..Self::default() }
    }
}

/// What really happened to the lock.
#[derive(Debug, Default)]
pub(crate) struct LockGhost {
    pub(crate) was_deleted: bool,
    pub(crate) deleted_at: u64,
    pub(crate) written_at: u64,
}

/// One function's share in a release.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) stable: Option<VersionId>,
    pub(crate) candidate: Option<VersionId>,
}

/// One release, whoever runs it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(crate) struct Story {
    pub(crate) revision: &'static str,
    pub(crate) parts: BTreeMap<FunctionName, Share>,
    pub(crate) depends_on: BTreeMap<FunctionName, BTreeSet<FunctionName>>,
    pub(crate) watched: BTreeSet<FunctionName>,
    pub(crate) anchor: FunctionName,
    pub(crate) scope: RollbackScope,
    pub(crate) freezes: bool,
    /// Why it may be put back.
    pub(crate) causes: Vec<String>,
    /// When a person first asked for the way back.
    pub(crate) asked_at: Option<u64>,
    pub(crate) culprits: BTreeSet<FunctionName>,
    /// Machines whose alarm for a function was quiet once.
    pub(crate) quieted: BTreeSet<(usize, FunctionName)>,
    pub(crate) has_passed_barrier: bool,
    pub(crate) aborting_at: Option<u64>,
    pub(crate) back_at: Option<u64>,
    /// What was asked through the lock.
    pub(crate) requests: BTreeMap<u32, Verb>,
    /// A request to abort was answered as done.
    pub(crate) must_go_back: bool,
    /// Requests that were answered.
    pub(crate) answered: BTreeSet<u32>,
    /// Its lock said once that it is held.
    pub(crate) was_held: bool,
    /// How its lock says that it ended.
    pub(crate) ended: Option<LockPhase>,
    /// Somebody recovers it, or did.
    pub(crate) is_recovered: bool,
    /// Writes of it were denied.
    pub(crate) was_denied: bool,
    /// A strategy of it answered nonsense.
    pub(crate) is_nonsensical: bool,
}

impl Story {
    pub(crate) fn of(plan: &Plan, revision: &str) -> Self {
        let part = |action: Action| Share {
            stable: action.stable(),
            candidate: match action {
                Action::Switch { target, .. } => Some(target),
                _ => None,
            },
        };
        let functions = plan.functions.values();
        Self {
            revision: if revision == "new" { "new" } else { "rival" },
            parts: functions.clone().map(|f| (f.name.clone(), part(f.action))).collect(),
            depends_on: functions.clone().map(|f| (f.name.clone(), f.depends_on.clone())).collect(),
            watched: functions.filter(|f| !f.alarms.is_empty()).map(|f| f.name.clone()).collect(),
            anchor: plan.anchor_lambda_name.clone(),
            scope: plan.scope,
            freezes: plan.on_failure == OnFailure::Freeze,
            causes: Vec::new(),
            asked_at: None,
            culprits: BTreeSet::new(),
            quieted: BTreeSet::new(),
            has_passed_barrier: false,
            aborting_at: None,
            back_at: None,
            requests: BTreeMap::new(),
            must_go_back: false,
            answered: BTreeSet::new(),
            was_held: false,
            ended: None,
            is_recovered: false,
            was_denied: false,
            is_nonsensical: false,
        }
    }

    pub(crate) fn blame(&mut self, cause: &str) {
        if self.causes.len() < 16 && !self.causes.iter().any(|known| known == cause) {
            self.causes.push(cause.to_owned());
        }
    }
}

/// A write that was just applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) call: &'a Call,
    /// When this very request was sent.
    pub(crate) sent: u64,
    pub(crate) before: Option<&'a AliasState>,
    pub(crate) after: Option<&'a AliasState>,
}

impl World {
    pub(crate) fn story_of(&mut self, machine: usize) -> &mut Story {
        let release = self.machines[machine].release;
        self.stories.get_mut(&release).expect("every machine runs a release")
    }

    /// Whether some machine was copied. What has no revision id is not kept from a copy that does
    /// not know yet that it owns nothing: a first alias is created, a pin may get its old text and version.
    pub(crate) fn has_copies(&self) -> bool {
        self.machines.iter().any(|machine| machine.is_copy)
    }

    /// Whether a machine is a copy, or was copied.
    pub(crate) fn has_twin(&self, machine: usize) -> bool {
        let owner = &self.machines[machine].owner;
        self.machines.iter().any(|other| other.is_copy && other.owner == *owner)
    }

    /// What holds whenever a write is applied.
    pub(crate) fn judge_write(&mut self, write: &Write<'_>) {
        let place = &write.call.place;
        let machine = &self.machines[write.call.machine];
        let story = self.stories.get(&machine.release);
        let is_planned = story.is_some_and(|story| match place.role {
            Role::Lock => story.anchor == place.function,
            Role::Live | Role::Pin => story.parts.contains_key(&place.function),
        });
        // A way back rewrites as it is what may be claimed still, whatever the plan was.
        let changes_nothing = place.role == Role::Live
            && write.before.zip(write.after).is_some_and(|(b, a)| b.same_content(a));
        self.law(is_planned || changes_nothing, "I32", || {
            format!("{place:?} is not part of the plan")
        });
        match place.role {
            Role::Lock => self.judge_lock(write),
            Role::Pin => self.judge_pin(write),
            Role::Live => self.judge_live(write),
        }
    }

    /// A pin keeps the version that is being replaced, alone.
    fn judge_pin(&mut self, write: &Write<'_>) {
        let function = write.call.place.function.clone();
        let stable = self.story_of(write.call.machine).parts.get(&function).and_then(|p| p.stable);
        let pinned = write.after.and_then(AliasState::main);
        let is_right = stable.is_some() && pinned == stable;
        self.law(is_right, "I9", || format!("{function}: pinned {pinned:?}, not {stable:?}"));
        if let Some(ghost) = self.ghosts.get_mut(&function) {
            ghost.is_unpinned = false;
        }
    }
}

/// Whether people, not AWS, split its traffic.
pub(crate) fn is_split(state: &AliasState) -> bool {
    state.extra.is_some_and(|extra| extra.weight != Weight::FULL)
}
