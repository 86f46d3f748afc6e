//! The laws of the lock: one owner per epoch, an abort that sticks, ends that are true.

use wavegate_core::control::Verb;
use wavegate_core::inventory::AliasState;
use wavegate_core::release::limits;
use wavegate_core::time::millis;
use wavegate_core::token::{LockPhase, LockRecord, Position, Token};

use super::{Write, is_split};
use crate::cloud::{Place, STALE};
use crate::world::World;

fn record(state: Option<&AliasState>) -> Option<LockRecord> {
    LockRecord::decode(&state?.description)
}

impl World {
    pub(super) fn judge_lock(&mut self, write: &Write<'_>) {
        let machine = write.call.machine;
        let (before, after) = (record(write.before), record(write.after));
        let Some(after) = after else {
            return self.law(false, "a lock holds a record", || format!("{:?}", write.after));
        };
        let is_unrouted =
            write.after.is_some_and(|state| state.main().is_none() && state.extra.is_none());
        self.law(is_unrouted, "I2", || format!("the lock routes: {:?}", write.after));
        if let Some(before) = &before {
            self.judge_owner(before, &after);
        }
        let now = self.now;
        self.lock.written_at = now;
        let first = self.machines[machine].first_sent.get(&after.nonce).copied();
        let sent = first.unwrap_or(write.sent);
        // A copy of a machine proves for the other, until they part.
        let owner = self.machines[machine].owner.clone();
        for one in self.machines.iter_mut().filter(|one| one.owner == owner) {
            one.proof = Some((after.epoch, sent));
        }
        let goes_back = self.machines[machine].goes_back;
        let Some(story) = self.stories.get_mut(&after.release) else {
            return self.law(false, "I17", || format!("the lock of nobody's release: {after:?}"));
        };
        story.is_recovered |= goes_back;
        if self.lock.was_deleted && write.before.is_none() && write.sent < self.lock.deleted_at {
            // A creation has no revision id: this one landed late, and what the deleted lock said
            // since then is known to nobody.
            (story.aborting_at, story.back_at, story.must_go_back) = (None, None, false);
            self.ghosts.values_mut().for_each(|ghost| ghost.is_backed = false);
        }
        let twice = after.request.as_ref().map(|request| request.id);
        let twice = twice.filter(|id| story.answered.contains(id));
        let answered = after.answered.filter(|answered| answered.was_done);
        let verb = answered
            .filter(|answered| !story.answered.contains(&answered.id))
            .and_then(|answered| story.requests.get(&answered.id).copied());
        story.must_go_back |= verb == Some(Verb::Abort);
        let forgets = story.must_go_back && after.phase == LockPhase::Done;
        story.answered.extend(after.answered.map(|answered| answered.id));
        story.has_passed_barrier |= after.claimed == after.functions;
        story.ended = Some(after.phase)
            .filter(|phase| !matches!(phase, LockPhase::Running | LockPhase::Aborting));
        story.was_held |= after.phase == LockPhase::Held;
        let is_lost =
            self.lock.was_deleted && (self.has_twin(machine) || self.machines[machine].is_doubtful);
        self.law(!forgets || is_lost, "I6", || {
            format!("an abort that was heard is forgotten: {after:?}")
        });
        self.law(twice.is_none(), "a request is heard once", || format!("{after:?}"));
        self.judge_promise(machine, &after, verb);
        let Some(story) = self.stories.get_mut(&after.release) else { return };
        match after.phase {
            LockPhase::Aborting => {
                let is_first = story.aborting_at.is_none();
                story.aborting_at.get_or_insert(now);
                if is_first {
                    self.judge_cause(machine);
                }
            }
            LockPhase::Done => self.judge_done(&after, write.sent),
            LockPhase::RolledBack => self.judge_rolled_back(&after),
            LockPhase::Running | LockPhase::Held | LockPhase::Stuck => {}
        }
    }

    /// Who answered that it pauses, or that it goes on, does so before it writes anything else.
    fn judge_promise(&mut self, machine: usize, after: &LockRecord, verb: Option<Verb>) {
        let one = &mut self.machines[machine];
        let owed = one.owes.filter(|(_, nonce)| *nonce != after.nonce);
        let is_kept = match owed {
            Some((Verb::Pause, _)) => one.paused_at.is_some(),
            Some((Verb::Resume, _)) => one.paused_at.is_none(),
            _ => true,
        };
        if owed.is_some() {
            one.owes = None;
        }
        if let Some(verb) = verb.filter(|verb| matches!(verb, Verb::Pause | Verb::Resume)) {
            one.owes = Some((verb, after.nonce));
        }
        // There is nothing left to pause once everything is promoted.
        let goes_up = self.stories[&after.release].parts.iter().any(|(function, part)| {
            let is_promoted = |token: &Token| token.position == Position::Promoted;
            part.candidate != part.stable
                && !self.ghosts[function].last.as_ref().is_some_and(is_promoted)
        });
        let goes_on = after.phase == LockPhase::Running && goes_up;
        self.law(is_kept || !goes_on, "what was answered is done", || {
            format!("{owed:?}: {after:?}")
        });
    }

    fn judge_owner(&mut self, before: &LockRecord, after: &LockRecord) {
        let is_same_owner = before.owner == after.owner && before.release == after.release;
        let grown = after.epoch.checked_sub(before.epoch);
        let is_right = match (is_same_owner, grown) {
            (true, Some(0 | 1)) | (false, Some(1)) => true,
            _ => self.lock.was_deleted,
        };
        self.law(is_right, "I17", || format!("{before:?} -> {after:?}"));
        let is_free = before.phase.is_over();
        let is_same_release = before.release == after.release;
        self.law(is_free || is_same_release, "I17", || {
            format!("taken from {before:?} by {after:?}")
        });
        let is_standing = is_free || matches!(before.phase, LockPhase::Held | LockPhase::Stuck);
        let stood = self.now - self.lock.written_at;
        let is_patient = stood >= millis(limits::LEASE);
        self.law(is_same_owner || is_standing || is_patient, "I18", || {
            format!("taken after {stood} ms: {before:?} -> {after:?}")
        });
        let goes_on = matches!(after.phase, LockPhase::Running | LockPhase::Done);
        let is_sticky = !is_same_release
            || !matches!(before.phase, LockPhase::Aborting | LockPhase::Stuck)
            || !goes_on;
        self.law(is_sticky, "I6", || format!("{before:?} -> {after:?}"));
        self.law(!(is_free && is_same_release), "an end is an end", || {
            format!("{before:?} -> {after:?}")
        });
    }

    /// Nothing goes back without a reason.
    pub(super) fn judge_cause(&mut self, machine: usize) {
        if self.lock.was_deleted {
            return; // Two may own the app then, and each is a reason for the other.
        }
        let now = self.now;
        let story = self.story_of(machine);
        let is_asked = story.asked_at.is_some_and(|at| at <= now);
        let has_cause = is_asked || !story.causes.is_empty();
        self.law(has_cause, "I14", || format!("m{machine} goes back without a reason"));
    }

    /// Success is recorded only if every alias was read as promoted a moment ago.
    fn judge_done(&mut self, after: &LockRecord, sent: u64) {
        let story = &self.stories[&after.release];
        let mut wrong = None;
        for (function, part) in story.parts.iter().filter(|(_, p)| p.candidate != p.stable) {
            let state = self.cloud.state(&Place::live(function));
            let is_new = state.is_some_and(|s| s.main() == part.candidate && !is_split(s));
            // What changed shortly before cannot have been seen.
            let proof = millis(limits::proof(story.parts.len()));
            let seen_for = proof + STALE + 45_000;
            let ghost = &self.ghosts[function];
            let is_recent = ghost.foreign.is_some_and(|at| at + seen_for >= sent);
            // Twins may publish a version each.
            let is_twins = part.stable.is_none() && state.is_some() && self.has_copies();
            if !is_new && !is_recent && !is_twins {
                wrong = Some(format!("{function} is {state:?}"));
            }
        }
        self.law(wrong.is_none(), "I11", || wrong.unwrap_or_default());
    }

    /// "Rolled back" is recorded only if nothing of the release takes traffic any more, but what
    /// stays by design.
    fn judge_rolled_back(&mut self, after: &LockRecord) {
        let story = &self.stories[&after.release];
        let stays = story.scope != wavegate_core::spec::RollbackScope::App && !story.is_recovered;
        let mut wrong = None;
        for function in story.parts.keys() {
            let ghost = &self.ghosts[function];
            let Some(token) = ghost.last.as_ref().filter(|t| t.release == after.release) else {
                continue;
            };
            let is_there = self.cloud.state(&Place::live(function)).is_some();
            let carries = match token.position {
                Position::Promoted => !stays,
                Position::Forward => token.weight > wavegate_core::weight::Weight::ZERO,
                // No function of the model's apps is CodeDeploy's.
                Position::Back | Position::Delegated => false,
            };
            let is_blind = token.stable.is_none() && self.has_copies();
            // Two may own the app where its lock was deleted.
            let is_excused =
                ghost.is_handled || story.was_denied || is_blind || self.lock.was_deleted;
            if carries && is_there && !is_excused {
                wrong = Some(format!("{function}: {token:?}"));
            }
        }
        self.law(wrong.is_none(), "I12", || wrong.unwrap_or_default());
    }
}
