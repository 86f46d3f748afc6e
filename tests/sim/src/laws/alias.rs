//! The laws of live aliases: no foreign change is overwritten, nothing goes up too early or after
//! an abort, everything comes back in order.

use wavegate_core::inventory::AliasState;
use wavegate_core::name::VersionId;
use wavegate_core::release::{CloudOp, limits};
use wavegate_core::time::millis;
use wavegate_core::token::{Position, Token};
use wavegate_core::weight::Weight;

use super::Write;
use crate::calls::token;
use crate::cloud::{Place, Role};
use crate::perform::bake_of;
use crate::world::{Call, World};

fn weight_of(token: &Token) -> Weight {
    if token.position == Position::Promoted { Weight::FULL } else { token.weight }
}

impl World {
    /// What holds whenever a write on a live alias is sent: the lock was proven not long ago, by
    /// this machine, under the epoch of the record.
    pub(crate) fn judge_sending(&mut self, call: &Call) {
        let (Role::Live, CloudOp::Update { base, description, .. }) = (call.place.role, &call.op)
        else {
            return;
        };
        let Some(token) = Token::decode(description) else { return }; // A restored description.
        if self.cloud.was(&call.place, base, description) {
            return; // A probe changes nothing.
        }
        let machine = &self.machines[call.machine];
        let half = millis(limits::LEASE / 2);
        let is_proven = machine
            .proof
            .is_some_and(|(epoch, sent)| epoch == token.epoch && self.now - sent <= half);
        // Putting back does not wait for a lock that cannot be written.
        let is_given_up =
            machine.proof.is_some_and(|(_, sent)| self.now - sent >= millis(limits::FORWARD));
        let is_lockless = self.denied.as_ref().is_some_and(|(place, _)| place.role == Role::Lock)
            || self.outage.is_some()
            || self.lock.was_deleted
            || is_given_up;
        let is_excused = (token.position == Position::Back && is_lockless)
            || self.now <= machine.is_behind_until
            // Twins prove for each other, and neither knows when.
            || self.has_twin(call.machine);
        // Who stood still may own nothing any more: the lock is taken anew first.
        let regains = machine.regains.filter(|epoch| token.epoch <= *epoch && !is_excused);
        let about = || format!("m{}: {description}, proof {:?}", call.machine, machine.proof);
        let about = if is_proven || is_excused { String::new() } else { about() };
        self.law(is_proven || is_excused, "I19", || about);
        let machine = call.machine;
        self.machines[machine].has_written = true;
        self.law(regains.is_none(), "I21", || format!("m{machine}: epoch {regains:?} again"));
    }

    pub(super) fn judge_live(&mut self, write: &Write<'_>) {
        let function = &write.call.place.function;
        self.judge_foreign(write);
        let Some(after) = write.after else {
            let now = self.now;
            if let Some(ghost) = self.ghosts.get_mut(function) {
                (ghost.ours, ghost.foreign, ghost.written_at) = (None, None, now);
            }
            return;
        };
        let is_probe = write.before.is_some_and(|before| before.same_content(after));
        self.judge_versions(write, after);
        let token = Token::decode(&after.description);
        if let (Some(token), false) = (&token, is_probe) {
            self.judge_token(write, after, token);
        }
        let now = self.now;
        let Some(ghost) = self.ghosts.get_mut(function) else { return };
        if token.is_none() && !is_probe {
            // The user's own words are given back as they were.
            let is_own =
                ghost.is_handled || ghost.text.as_deref().unwrap_or_default() == after.description;
            let is_own = is_own || self.has_copies();
            let about = format!("{function}: {}", after.description);
            self.law(is_own, "I31", || about);
        }
        let Some(ghost) = self.ghosts.get_mut(function) else { return };
        if is_probe {
            return;
        }
        let is_fence =
            token.is_none() && matches!(write.call.op, CloudOp::Update { routing: None, .. });
        if is_fence && ghost.foreign.is_some() {
            return; // It is as somebody else left it still.
        }
        if matches!(write.call.op, CloudOp::Create { .. }) {
            ghost.text = Some(String::new());
        }
        ghost.ours = Some(after.clone());
        ghost.foreign = None;
        ghost.written_at = now;
        if let Some(token) = token {
            ghost.in_force = (weight_of(&token), now);
            // Traffic moves some time after a write that routes, and only then.
            ghost.is_settling = matches!(write.call.op, CloudOp::Update { routing: Some(_), .. });
            ghost.last = Some(token);
        }
    }

    /// What somebody else put there is not overwritten.
    fn judge_foreign(&mut self, write: &Write<'_>) {
        let function = &write.call.place.function;
        let stable = self.story_of(write.call.machine).parts.get(function).and_then(|p| p.stable);
        let ghost = &self.ghosts[function];
        let Some(foreign) = ghost.foreign else { return };
        // Somebody put the release's own record back: it is gone on from as from any other.
        let is_own = token(write.before).is_some_and(|token| {
            token.release == self.machines[write.call.machine].release
                && write.before.is_some_and(|before| {
                    before.main().is_some_and(|m| (m, before.extra) == token.routing())
                })
        });
        let is_fine = match &write.call.op {
            _ if is_own => true,
            // A deletion cannot be conditional: the time after the mark is the one hole there is.
            CloudOp::Delete => foreign + 2 * millis(limits::MARK) > write.sent,
            CloudOp::Update { routing: Some(_), .. } => false,
            CloudOp::Update { description, .. } => {
                let is_same = write.before.is_some_and(|before| before.description == *description);
                let is_claim = Token::decode(description).is_some_and(|token| {
                    token.position == Position::Forward && token.weight == Weight::ZERO
                });
                let is_neutral =
                    write.before.is_some_and(|b| b.main() == stable && b.extra.is_none());
                // What may be under way still is stopped by rewriting the alias as it is.
                let is_fence = Token::decode(description).is_none();
                is_same || ((is_claim || is_fence) && is_neutral)
            }
            _ => true,
        };
        let about = format!("{function}: {:?} -> {:?}", write.before, write.after);
        self.law(is_fine, "I1", || about);
    }

    /// Only the two versions of the release, both ready, and never one of them twice.
    fn judge_versions(&mut self, write: &Write<'_>, after: &AliasState) {
        let function = &write.call.place.function;
        let (CloudOp::Create { .. } | CloudOp::Update { routing: Some(_), .. }) = &write.call.op
        else {
            return;
        };
        let now = self.now;
        let versions: Vec<Option<VersionId>> =
            [Some(after.main()), after.extra.map(|extra| Some(extra.version))]
                .into_iter()
                .flatten()
                .collect();
        let part = &self.story_of(write.call.machine).parts[function];
        let (stable, candidate) = (part.stable, part.candidate);
        // Twins may publish a version each.
        let is_blind = stable.is_none() && self.has_twin(write.call.machine);
        let is_legal = is_blind
            || versions
                .iter()
                .all(|version| version.is_some() && (*version == stable || *version == candidate));
        self.law(is_legal, "I2", || {
            format!("{function}: {after:?}, not {stable:?} or {candidate:?}")
        });
        let is_ready =
            versions.iter().flatten().all(|version| self.cloud.is_active(now, function, *version));
        self.law(is_ready, "I10", || format!("{function}: {after:?}"));
    }

    fn judge_token(&mut self, write: &Write<'_>, after: &AliasState, token: &Token) {
        let function = &write.call.place.function;
        let is_settling = after.extra.is_some_and(|extra| extra.weight == Weight::FULL);
        let is_one = after.main().is_some_and(|main| (main, after.extra) == token.routing());
        self.law(is_one || is_settling, "record and routing are one", || format!("{after:?}"));
        let is_new_here =
            self.ghosts[function].last.as_ref().is_none_or(|last| last.release != token.release);
        if is_new_here {
            self.claimed(write);
        }
        let epoch = self.ghosts[function].epoch;
        let routes = matches!(
            write.call.op,
            CloudOp::Create { .. } | CloudOp::Update { routing: Some(_), .. }
        );
        let is_blind = token.stable.is_none() && self.has_twin(write.call.machine);
        let is_current = !routes || token.epoch >= epoch || self.lock.was_deleted || is_blind;
        self.law(is_current, "I4", || format!("{function}: epoch {} after {epoch}", token.epoch));
        if let Some(ghost) = self.ghosts.get_mut(function) {
            ghost.epoch = epoch.max(token.epoch);
        }
        if token.position == Position::Back {
            return self.judge_back(write);
        }
        let (was, _) = self.ghosts[function].in_force;
        let is_first = token.stable.is_none();
        let is_made = matches!(write.call.op, CloudOp::Create { .. });
        if (weight_of(token) > was && !is_first) || is_made {
            self.judge_rise(write, token);
        }
    }

    /// A new release writes its first record here: what was before is not its business.
    fn claimed(&mut self, write: &Write<'_>) {
        let now = self.now;
        let Some(ghost) = self.ghosts.get_mut(&write.call.place.function) else { return };
        ghost.is_handled = false;
        ghost.is_backed = false;
        ghost.in_force = (Weight::ZERO, now);
        ghost.heard.clear();
        if let Some(before) = write.before.filter(|b| Token::decode(&b.description).is_none()) {
            ghost.text = Some(before.description.clone());
        }
    }

    fn judge_rise(&mut self, write: &Write<'_>, token: &Token) {
        let function = &write.call.place.function;
        let (machine, sent) = (write.call.machine, write.sent);
        let is_behind = sent <= self.machines[machine].is_behind_until;
        let ghost = &self.ghosts[function];
        let (was, since) = ghost.in_force;
        let is_backed = ghost.is_backed;
        let has_word = ghost.approved.iter().any(|at| *at > since && *at <= sent);
        let is_first = token.stable.is_none();
        let story = &self.stories[&token.release];
        // Who was copied or stood still knows nothing of what stood in a lock that was deleted since.
        let is_lost =
            self.lock.was_deleted && (self.has_twin(machine) || self.machines[machine].is_doubtful);
        let is_blind = is_lost || (is_first && self.has_twin(machine));
        let is_rising =
            |what: Option<u64>| what.is_some_and(|at| sent > at) && !is_behind && !is_blind;
        let (after_abort, after_back) = (is_rising(story.aborting_at), is_rising(story.back_at));
        let (has_passed, was_denied) = (story.has_passed_barrier, story.was_denied);
        let is_watched = story.watched.contains(function);
        let early: Option<String> = story.depends_on[function].iter().find_map(|need| {
            let part = &story.parts[need];
            let other = &self.ghosts[need];
            let is_done = part.candidate == part.stable
                || other.last.as_ref().is_some_and(|t| t.position == Position::Promoted);
            (!is_done && !other.is_handled).then(|| format!("{function} before {need}"))
        });
        self.law(!after_abort, "I6", || format!("{function} goes up after the abort"));
        self.law(!after_back, "I6", || format!("{function} goes up after a way back"));
        // A call that waits for its turn when the pause is ordered is on its way.
        let is_paused = self.machines[machine].paused_at.is_some_and(|at| write.call.made > at);
        self.law(!is_paused, "paused", || format!("{function} goes up in a pause"));
        self.law(!is_backed || is_behind || is_blind, "I6", || format!("{function} comes again"));
        self.law(has_passed || is_first, "I20", || {
            format!("{function} goes up before the barrier")
        });
        // Two may own the app where its lock was deleted. What is denied may be on its way still.
        let is_blind = is_blind || self.lock.was_deleted || was_denied;
        self.law(early.is_none() || is_blind, "I5", || early.unwrap_or_default());
        if is_first {
            return;
        }
        self.judge_pinned(write, token);
        let hurried = self.ghosts[function].hurried;
        let is_hurried = hurried > since && hurried <= sent;
        // Whatever anybody did to the alias, a person has said "go on" since.
        let is_nonsensical = self.stories[&token.release].is_nonsensical;
        let is_approved = !self.app.pauses || is_nonsensical || is_hurried || has_word;
        self.law(is_approved, "approval", || format!("{function}: {was} since {since}"));
        if was == Weight::ZERO || is_behind {
            return;
        }
        // A person may say that it is baked enough; what alarms say counts all the same.
        let outline = &self.app.parts[function].outline;
        let bake = if is_hurried { 0 } else { millis(bake_of(outline, was)) };
        let settle = if is_hurried || !self.ghosts[function].is_settling {
            0
        } else {
            millis(limits::SETTLE)
        };
        let bake = bake + settle;
        self.law(sent >= since + bake, "I3", || {
            format!("{function}: {was} since {since}, sent {sent}, baked for {bake}")
        });
        // What is on its way to a machine when it is copied reaches both.
        let owner = &self.machines[machine].owner;
        let is_known = |who: usize| self.machines[who].owner == *owner;
        let is_quiet = self.ghosts[function]
            .heard
            .iter()
            .any(|(who, at, told)| is_known(*who) && *at >= since + bake && *told <= sent);
        self.law(is_quiet || !is_watched, "I3", || {
            format!("{function}: {was} since {since}, m{machine} heard of no quiet alarm")
        });
    }

    /// The version that is being replaced cannot be deleted.
    fn judge_pinned(&mut self, write: &Write<'_>, token: &Token) {
        let function = &write.call.place.function;
        let pinned = self.cloud.state(&Place::pin(function)).and_then(AliasState::main);
        let is_excused = self.ghosts[function].is_unpinned || self.has_copies();
        let is_pinned = pinned == token.stable || is_excused;
        self.law(is_pinned, "I9", || format!("{function}: pinned is {pinned:?}"));
    }

    fn judge_back(&mut self, write: &Write<'_>) {
        let function = &write.call.place.function;
        let now = self.now;
        let lock_is_denied = self.denied.as_ref().is_some_and(|(p, _)| p.role == Role::Lock);
        let has_outage = self.outage.is_some() || self.lock.was_deleted;
        let denied = self.denied.clone();
        let machine = write.call.machine;
        let story = self.story_of(machine);
        let is_aborting = story.aborting_at.is_some();
        if is_aborting {
            story.back_at.get_or_insert(now);
        }
        // Where the lock cannot be written, nobody else can know.
        let is_recorded = is_aborting || lock_is_denied || has_outage || story.was_denied;
        let is_culprit = story.culprits.contains(function);
        self.law(is_recorded, "abort first", || function.to_string());
        if let Some(ghost) = self.ghosts.get_mut(function) {
            ghost.is_backed |= is_aborting;
        }
        if is_culprit {
            return;
        }
        let story = &self.stories[&self.machines[machine].release];
        let early = story.depends_on.iter().filter(|(_, needs)| needs.contains(function)).find(
            |(other, _)| {
                let ghost = &self.ghosts[*other];
                let state = self.cloud.state(&Place::live(other));
                let carries = token(state).is_some_and(|token| {
                    token.release == self.machines[machine].release
                        && (token.position == Position::Promoted
                            || (token.position == Position::Forward && token.weight > Weight::ZERO))
                });
                let is_denied = denied.as_ref().is_some_and(|(p, _)| *p == Place::live(other));
                let is_blind = self.has_copies()
                    && ghost.last.as_ref().is_some_and(|last| last.stable.is_none());
                carries && !ghost.is_handled && !is_denied && !has_outage && !is_blind
            },
        );
        let early = early.map(|(other, _)| format!("{function} before {other}"));
        self.law(early.is_none(), "I5", || early.unwrap_or_default());
    }
}
