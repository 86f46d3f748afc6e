//! The laws of ends: what machines say is true, and when all is over the app is in a state that was
//! chosen.

use wavegate_core::name::FunctionName;
use wavegate_core::release::Outcome;
use wavegate_core::spec::RollbackScope;
use wavegate_core::token::{LockPhase, own_text};
use wavegate_core::weight::Weight;

use super::is_split;
use crate::cloud::Place;
use crate::machine::word;
use crate::world::World;

impl World {
    /// Nothing is called somebody else's change that is none.
    pub(crate) fn judge_contest(&mut self, machine: usize, function: &FunctionName) {
        let ghost = &self.ghosts[function];
        // A machine that does not know yet that it owns nothing may see its successor's records.
        let is_excused = self.machines[machine].is_doubtful || !self.is_owner(machine);
        let is_true = ghost.is_handled || is_excused || self.lock.was_deleted;
        self.law(is_true, "I15", || format!("m{machine}: {function}"));
    }

    /// What a machine says at its end, held against what the lock says.
    pub(crate) fn judge_outcome(&mut self, machine: usize, outcome: &Outcome) {
        let is_alone = self.machines.len() == 1 && !self.lock.was_deleted;
        let is_handled = self.ghosts.values().any(|ghost| ghost.handled_at > 0);
        let is_troubled = self.denied.is_some() || self.outage.is_some() || is_handled;
        let is_recovering = self.machines[machine].is_recovering;
        let goes_back = self.machines[machine].goes_back;
        let is_doubtful = self.machines[machine].is_doubtful || self.lock.was_deleted;
        let story = self.story_of(machine);
        let (ended, freezes, was_held) = (story.ended, story.freezes, story.was_held);
        let is_denied = story.was_denied;
        let words = word(outcome);
        match outcome {
            Outcome::Done => {
                let is_true = ended == Some(LockPhase::Done) || is_doubtful;
                self.law(is_true, "I13", || format!("m{machine}: {words}, lock {ended:?}"));
            }
            Outcome::RolledBack { .. } => {
                let is_true = ended == Some(LockPhase::RolledBack) || is_doubtful;
                self.law(is_true, "I13", || format!("m{machine}: {words}, lock {ended:?}"));
                self.judge_cause(machine);
            }
            Outcome::NothingChanged { .. } if !is_recovering => self.judge_cause(machine),
            Outcome::NothingChanged { .. } => {}
            Outcome::Frozen { .. } => {
                let is_true = freezes && !goes_back && was_held;
                self.law(is_true || is_doubtful, "I13", || {
                    format!("m{machine}: {words}, lock {ended:?}")
                });
            }
            Outcome::Stuck { todo, .. } => {
                // Nothing else is to be done about a call that fails for as long as it is tried.
                let was_tried = todo.iter().any(|line| line.contains("(tried for "));
                let is_true = is_troubled || is_denied || is_doubtful || was_tried;
                self.law(is_true, "stuck without a reason", || format!("m{machine}: {todo:?}"));
                self.law(!todo.is_empty(), "stuck says what to do", String::new);
            }
            Outcome::Busy { .. } | Outcome::Fenced { .. } => {
                self.law(!is_alone, "nobody else is here", || format!("m{machine}: {outcome:?}"));
            }
        }
    }

    /// When all is over.
    pub(crate) fn judge_end(&mut self) {
        if self.lock.was_deleted {
            return; // Nobody can know what was under way; `doctor` tells of what it finds.
        }
        let open = self.lock_record().filter(|record| !record.phase.is_over());
        // A person is needed only for what a person did.
        let is_stuck = self.machines.last().and_then(|machine| machine.outcome.as_ref());
        let is_stuck = matches!(is_stuck, Some(Outcome::Stuck { .. }));
        self.law(open.is_none() || is_stuck, "I22", || format!("the lock is open: {open:?}"));
        let functions: Vec<FunctionName> = self.ghosts.keys().cloned().collect();
        for function in functions {
            self.judge_function(&function);
        }
    }

    fn judge_function(&mut self, function: &FunctionName) {
        let state = self.cloud.state(&Place::live(function)).cloned();
        let ghost = &self.ghosts[function];
        if ghost.foreign.is_some() || (ghost.is_handled && ghost.handled_at >= ghost.written_at) {
            return; // It is as somebody else left it.
        }
        let Some(last) = &ghost.last else {
            // A claim that may still be under way is stopped by rewriting the alias as it is.
            let is_same = match (&state, &ghost.ours) {
                (Some(now), Some(then)) => now.main() == then.main() && now.extra == then.extra,
                (now, then) => now == then,
            };
            return self.law(is_same, "I16", || format!("{function}: {state:?}, never released"));
        };
        let release = last.release;
        let story = &self.stories[&release];
        let part = &story.parts[function];
        let is_new = state.as_ref().is_some_and(|s| s.main() == part.candidate && !is_split(s));
        let is_old = match part.stable {
            None => state.is_none(),
            stable => state.as_ref().is_some_and(|s| s.main() == stable && !is_split(s)),
        };
        let named = |outcome: &Option<Outcome>| match outcome {
            Some(Outcome::Stuck { todo, .. }) => {
                todo.iter().any(|line| line.starts_with(&format!("{function} ")))
            }
            _ => false,
        };
        let is_blind = part.stable.is_none() && self.has_copies();
        let is_named = self.machines.iter().any(|m| m.release == release && named(&m.outcome));
        let stays = story.scope != RollbackScope::App;
        // A twin that comes too late may claim what was released, and a first alias may be its own.
        let is_twins =
            self.has_copies() && last.weight == Weight::ZERO || is_blind && state.is_some();
        let (is_right, law) = match story.ended {
            Some(LockPhase::Done) => (is_new || is_twins, "I11"),
            Some(LockPhase::RolledBack) => {
                (is_old || is_named || (is_new && (stays || is_blind)), "I12")
            }
            _ => (is_old || is_new || is_named, "I16"),
        };
        let ended = story.ended;
        let is_handled = ghost.is_handled;
        let text = ghost.text.clone();
        self.law(is_right, law, || format!("{function} is {state:?} after {ended:?}"));
        let (Some(state), Some(text)) = (state, text) else { return };
        if is_handled || part_is_first(self, function, release) {
            return;
        }
        // A token that was left behind cuts the text short at worst; the pin has it whole.
        let pin = self.cloud.state(&Place::pin(function)).map(|pin| pin.description.clone());
        let own = own_text(&state.description).to_owned();
        let is_kept = own == text || pin.as_ref() == Some(&text) || self.has_copies();
        self.law(is_kept, "I31", || format!("{function}: {own}, pin {pin:?}"));
    }
}

fn part_is_first(
    world: &World,
    function: &FunctionName,
    release: wavegate_core::name::ReleaseId,
) -> bool {
    world.stories[&release].parts[function].stable.is_none()
}
