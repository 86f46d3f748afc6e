//! Everybody but the machines: those who begin releases, ask for the way back, say "go on", change
//! aliases by hand, run a second deploy or `recover`; and what fate has for a machine.

use wavegate_core::control::{self, Request, Verb};
use wavegate_core::inventory::{AliasState, ExtraVersion};
use wavegate_core::name::{FunctionName, VersionId};
use wavegate_core::release::{CloudOp, Input};
use wavegate_core::token::{LockRecord, Token};
use wavegate_core::weight::Weight;

use crate::app::{ODD, STABLE, moment};
use crate::cloud::{Place, Role};
use crate::machine::Life;
use crate::script::Moment;
use crate::weather::Class;
use crate::world::{BEGINS, What, World};

/// What somebody does to a live alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    /// Points it at a version.
    Version(VersionId),
    /// Gives a version a weight.
    Weights(VersionId, u16),
    /// Wipes its description.
    Wipe,
    /// Applies what Terraform remembers.
    Terraform,
    /// Rewrites it as it is.
    Bump,
    /// Changes it, and undoes that.
    Undone,
    /// Deletes it.
    Delete,
}

/// The first version that the release publishes.
const NEW: VersionId = VersionId(3);

impl World {
    /// The story begins: the release, and everything that people and fate have in store for it.
    pub(crate) fn open(&mut self) {
        let Some((machine, _)) = self.deploy("new", 0) else { return };
        let delay = self.rng.below(5_000);
        self.later(delay, What::Tell(machine, Input::Start));
        if self.script.is_scripted {
            return;
        }
        self.weather_fronts();
        self.steering(machine);
        self.hands_on();
        if self.weather.strikes(Class::Rival) {
            for _ in 0..2 {
                let dice = self.weather.dice(Class::Rival);
                // Some start in the very same moment.
                let at = if dice.one_in(4) { BEGINS + delay } else { moment(dice, BEGINS) };
                let age = if dice.one_in(2) { 0 } else { dice.below(300_000) };
                self.expected += 1;
                self.at(at, What::Rival(age));
            }
        }
        if self.weather.strikes(Class::Meddling) {
            let at = moment(self.weather.dice(Class::Meddling), BEGINS);
            self.expected += 1;
            self.at(at, What::Recover);
        }
    }

    fn weather_fronts(&mut self) {
        if self.weather.strikes(Class::Burst) {
            let dice = self.weather.dice(Class::Burst);
            let from = moment(dice, BEGINS);
            self.burst = Some((from, from + dice.below(300_000)));
        }
        if self.weather.strikes(Class::Quota) {
            self.quota = Some((0, 0));
        }
        if self.weather.strikes(Class::Outage) {
            let dice = self.weather.dice(Class::Outage);
            let from = moment(dice, BEGINS);
            let most = [60_000, 600_000, 3_600_000][dice.index(3)];
            let (reads, writes) = [(true, true), (true, false), (false, true)][dice.index(3)];
            self.outage = Some((from, from + dice.below(most), reads, writes));
        }
        if self.weather.strikes(Class::Denied) {
            let names: Vec<FunctionName> = self.app.parts.keys().cloned().collect();
            let dice = self.weather.dice(Class::Denied);
            let function = names[dice.index(names.len())].clone();
            let role = [Role::Lock, Role::Pin, Role::Live, Role::Live][dice.index(4)];
            let from = if dice.one_in(4) { 0 } else { moment(dice, BEGINS) };
            // The lock is on the first function that exists.
            let anchor = self.machines[0].plan.anchor_lambda_name.clone();
            let function = if role == Role::Lock { anchor } else { function };
            self.denied = Some((Place { function, role }, from));
        }
    }

    fn steering(&mut self, machine: usize) {
        if self.weather.strikes(Class::Abort) {
            let at = moment(self.weather.dice(Class::Abort), BEGINS);
            let input = Input::Abort { by: "ana".to_owned(), reason: "asked".to_owned() };
            self.at(at, What::Tell(machine, input));
            self.story_of(machine).asked_at = Some(at);
        }
        if self.weather.strikes(Class::Asked) {
            for _ in 0..self.weather.dice(Class::Asked).between(1, 3) {
                let at = moment(self.weather.dice(Class::Asked), BEGINS);
                self.at(at, What::AskByLock);
            }
        }
        if self.weather.strikes(Class::Orders) {
            for _ in 0..self.weather.dice(Class::Orders).between(1, 4) {
                let names: Vec<FunctionName> = self.app.parts.keys().cloned().collect();
                let dice = self.weather.dice(Class::Orders);
                let at = moment(dice, BEGINS);
                let (by, reason) = ("ana".to_owned(), "asked".to_owned());
                let function = dice.one_in(2).then(|| names[dice.index(names.len())].clone());
                let input = match dice.below(4) {
                    0 => Input::Pause { by, reason },
                    1 => Input::Resume { by, reason },
                    2 => Input::Look,
                    _ => Input::Promote { function, full: dice.one_in(2), by, reason },
                };
                self.at(at, What::Tell(machine, input));
            }
        }
    }

    fn hands_on(&mut self) {
        let names: Vec<FunctionName> = self.app.parts.keys().cloned().collect();
        if self.weather.strikes(Class::Hands) {
            let dice = self.weather.dice(Class::Hands).clone();
            let mut dice = dice;
            for _ in 0..dice.between(1, 3) {
                let function = names[dice.index(names.len())].clone();
                let hand = match dice.below(9) {
                    0 => Hand::Version(ODD),
                    1 => Hand::Version(STABLE),
                    2 => Hand::Version(NEW),
                    3 => Hand::Weights(NEW, 5_000),
                    4 => Hand::Wipe,
                    5 => Hand::Terraform,
                    6 => Hand::Bump,
                    7 => Hand::Undone,
                    _ => Hand::Delete,
                };
                let at = moment(&mut dice, BEGINS);
                self.at(at, What::Hand(function, hand));
            }
        }
        if self.weather.strikes(Class::Vandal) {
            let dice = self.weather.dice(Class::Vandal);
            let (at, which) = (moment(dice, BEGINS), dice.draw());
            self.at(at, What::Vandal(which));
        }
    }

    /// What fate has for a machine.
    pub(crate) fn doom(&mut self, machine: usize) {
        if self.script.is_scripted || self.weather.is_calm() {
            return;
        }
        let now = self.now;
        if self.weather.strikes(Class::Crash) {
            let dice = self.weather.dice(Class::Crash);
            if dice.one_in(3) {
                let at = moment(dice, now);
                self.at(at, What::Kill(machine));
            } else {
                let most = [10, 40, 120, 400][dice.index(4)];
                let death = (1 + dice.below(most), Moment::ALL[dice.index(3)]);
                self.script.deaths.insert(machine, death);
            }
        }
        if self.weather.strikes(Class::Suspension) {
            for _ in 0..self.weather.dice(Class::Suspension).between(1, 3) {
                let dice = self.weather.dice(Class::Suspension);
                let at = moment(dice, now);
                let most = [10_000, 100_000, 600_000][dice.index(3)];
                let span = 1 + dice.below(most);
                self.at(at, What::Sleep(machine, span));
            }
        }
        if self.machines.len() == 1 && self.weather.strikes(Class::Clone) {
            let dice = self.weather.dice(Class::Clone);
            let (at, gap) = (moment(dice, now), 1_000 + dice.below(300_000));
            self.at(at, What::Fork(machine, gap));
        }
    }

    /// A second deploy of the same app, planned on a look that is so old.
    pub(crate) fn rival(&mut self, age: u64) {
        let Some((machine, _)) = self.deploy("rival", age) else {
            self.counts.count("D1");
            self.note(|| "a rival is refused".to_owned());
            return;
        };
        self.later(0, What::Tell(machine, Input::Start));
    }

    /// The one recovery at the end, in fair weather.
    pub(crate) fn recover_now(&mut self) {
        let before = self.machines.len();
        self.recover();
        let has_begun = self.machines.len() > before;
        self.law(has_begun, "I22", || "an open lock, and nothing to recover".to_owned());
    }

    // ---- steering ----------------------------------------------------------------------------

    /// Whoever is told of a pause says "go on" some time later, to it or to all; some say it twice.
    pub(crate) fn answer_pause(&mut self, machine: usize, function: &FunctionName) {
        for _ in 0..self.rng.between(1, 2) {
            let function = self.rng.one_in(2).then(|| function.clone());
            let ms = self.rng.below(200_000);
            let by = "ana".to_owned();
            self.later(ms, What::Tell(machine, Input::Approve { function, by }));
        }
    }

    /// Somebody asks for something on another machine: a field in the lock's record. The owner is
    /// told to look, or meets it with its next write.
    pub(crate) fn ask_by_lock(&mut self) {
        let Some((place, state)) = self.cloud.lock() else { return };
        let (place, state) = (place.clone(), state.clone());
        let Some(record) = LockRecord::decode(&state.description) else { return };
        let names: Vec<FunctionName> = self.app.parts.keys().cloned().collect();
        let dice = self.weather.dice(Class::Asked);
        let verb = Verb::ALL[dice.index(Verb::ALL.len())];
        let name = dice.one_in(2).then(|| &names[dice.index(names.len())]);
        let function = name.filter(|_| matches!(verb, Verb::Promote | Verb::PromoteFully));
        let id = u32::try_from(1 + dice.below(1 << 31)).unwrap_or(1);
        let Ok(asked) = control::ask(&record, Request::new(id, verb, function, "eve", "asked"))
        else {
            return;
        };
        let op =
            CloudOp::Update { base: state.revision, routing: None, description: asked.encode() };
        if self.cloud.apply(self.now, &place, &op).is_err() {
            return;
        }
        self.counts.count("D2");
        self.note(|| format!("eve asks through the lock: {verb}"));
        let now = self.now;
        if let Some(story) = self.stories.get_mut(&record.release) {
            story.requests.insert(id, verb);
            if verb == Verb::Abort {
                story.asked_at = Some(story.asked_at.unwrap_or(now).min(now));
            }
        }
    }

    /// A machine does what a person asked.
    pub(crate) fn ordered(
        &mut self,
        machine: usize,
        verb: Verb,
        function: Option<&FunctionName>,
        by: &str,
    ) {
        let now = self.now;
        self.machines[machine].owes = None;
        if verb == Verb::Pause {
            self.machines[machine].paused_at = Some(now);
            // Nobody leaves it so for long.
            let ms = self.rng.below(600_000);
            let (by, reason) = (by.to_owned(), "asked".to_owned());
            self.later(ms, What::Tell(machine, Input::Resume { by, reason }));
            return;
        }
        self.machines[machine].paused_at = None;
        if matches!(verb, Verb::Promote | Verb::PromoteFully) {
            for (name, ghost) in &mut self.ghosts {
                // The first order since the weight is in force is the one that is done.
                let is_new = ghost.hurried <= ghost.in_force.1;
                if function.is_none_or(|wanted| wanted == name) && is_new {
                    ghost.hurried = now;
                }
            }
        }
    }

    // ---- hands -------------------------------------------------------------------------------

    pub(crate) fn hand(&mut self, function: &FunctionName, hand: Hand) {
        let place = Place::live(function);
        let Some(before) = self.cloud.state(&place).cloned() else { return };
        let id = match hand {
            Hand::Version(STABLE) => "D4",
            Hand::Version(_) => "D6",
            Hand::Weights(..) => "D5",
            Hand::Wipe => "D9",
            Hand::Terraform => "D8",
            Hand::Bump => "D10",
            Hand::Undone => "D7",
            Hand::Delete => "D15",
        };
        let now = self.now;
        let result = match hand {
            Hand::Version(version) => {
                self.cloud.overwrite(now, &place, Some((version, None)), None).map(Some)
            }
            Hand::Weights(version, bp) => {
                let main = before.main().filter(|main| *main != version).unwrap_or(STABLE);
                let weight = Weight::from_bp(bp).unwrap_or(Weight::ZERO);
                let extra = ExtraVersion { version, weight };
                self.cloud.overwrite(now, &place, Some((main, Some(extra))), None).map(Some)
            }
            Hand::Wipe => self.cloud.overwrite(now, &place, None, Some(String::new())).map(Some),
            Hand::Terraform => {
                let text = Some("managed".to_owned());
                self.cloud.overwrite(now, &place, Some((STABLE, None)), text).map(Some)
            }
            Hand::Bump => self.cloud.overwrite(now, &place, None, None).map(Some),
            Hand::Undone => {
                let undo = self.rng.between(500, 30_000);
                self.later(undo, What::Undo(function.clone(), before));
                self.cloud.overwrite(now, &place, Some((ODD, None)), None).map(Some)
            }
            Hand::Delete => self.cloud.apply(now, &place, &CloudOp::Delete),
        };
        // A version that is not there: nobody can point at it.
        let Ok(after) = result else { return };
        self.counts.count(id);
        self.note(|| format!("hand on {function}: {hand:?}"));
        self.handled(function, after.as_ref());
    }

    pub(crate) fn undo(&mut self, function: &FunctionName, before: AliasState) {
        let place = Place::live(function);
        if self.cloud.state(&place).is_none_or(|now| now.main() != Some(ODD)) {
            return;
        }
        let Some(main) = before.main() else { return };
        let routing = Some((main, before.extra));
        let Ok(after) = self.cloud.overwrite(self.now, &place, routing, Some(before.description))
        else {
            return;
        };
        self.note(|| format!("hand on {function}: undone"));
        self.handled(function, Some(&after));
    }

    fn handled(&mut self, function: &FunctionName, after: Option<&AliasState>) {
        let now = self.now;
        let Some(ghost) = self.ghosts.get_mut(function) else { return };
        ghost.is_handled = true;
        ghost.handled_at = now;
        ghost.in_force.1 = now;
        ghost.is_settling = false;
        if let Some(after) = after.filter(|after| Token::decode(&after.description).is_none()) {
            ghost.text = Some(after.description.clone());
        }
        let is_same = match (after, &ghost.ours) {
            // Whoever takes AWS's own weights away does what AWS will do.
            (Some(after), Some(ours)) => {
                after.same_content(ours)
                    || (after.description == ours.description
                        && Token::decode(&after.description).is_some_and(|token| {
                            after.main().is_some_and(|main| (main, after.extra) == token.routing())
                        }))
            }
            _ => false,
        };
        ghost.foreign = (!is_same).then_some(now);
        self.blame_all("a hand");
    }

    /// Somebody deletes the lock or a pin.
    pub(crate) fn vandal(&mut self, which: u64) {
        let place = if which.is_multiple_of(2) {
            self.cloud.lock().map(|(place, _)| place.clone())
        } else {
            let names: Vec<FunctionName> = self.app.parts.keys().cloned().collect();
            let place = usize::try_from(which / 2).unwrap_or(0) % names.len();
            Some(Place::pin(&names[place]))
        };
        let Some(place) = place.filter(|place| self.cloud.state(place).is_some()) else { return };
        let _ = self.cloud.apply(self.now, &place, &CloudOp::Delete);
        self.note(|| format!("hand on {place:?}: deleted"));
        self.blame_all("a hand");
        if place.role == Role::Lock {
            self.counts.count("D14");
            self.lock.was_deleted = true;
            self.lock.deleted_at = self.now;
        } else if let Some(ghost) = self.ghosts.get_mut(&place.function) {
            ghost.is_unpinned = true;
        }
    }

    pub(crate) fn is_owner(&self, machine: usize) -> bool {
        let record = self.lock_record();
        let one = &self.machines[machine];
        one.life != Life::Dead
            && record
                .is_some_and(|record| record.owner == one.owner && record.release == one.release)
    }
}
