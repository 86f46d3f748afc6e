//! Orders: what people ask of a release that runs, on its own terminal or through the lock alias.
//!
//! An order never makes anything quiet that is not: alarms that fire put the release back whatever
//! anybody said, and nothing goes up while one cannot tell.

use super::machine::{Release, Stage};
use super::rollout::{Hurry, Phase};
use super::{Event, HookPhase, Illegal, limits};
use crate::control::{Request, Verb};
use crate::name::FunctionName;
use crate::time::Mono;

/// Who keeps the release paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paused {
    pub(super) by: String,
    pub(super) since: Mono,
}

impl Release {
    /// Does what a request in the lock asks, which the lock says was heard.
    pub(super) fn obey(&mut self, request: &Request) -> Result<(), Illegal> {
        let function = request
            .function
            .and_then(|_| self.plan.functions.keys().find(|name| request.is_about(name)).cloned());
        if request.function.is_some() && function.is_none() {
            return Ok(()); // It was answered so.
        }
        // What it was answered counts, whatever has become possible while the answer was under way:
        // who was told that there was nothing to do asks again.
        let answered = self.lock.record.as_ref().and_then(|record| record.answered);
        if request.verb != Verb::Abort
            && answered.is_some_and(|answered| answered.id == request.id && !answered.was_done)
        {
            self.note_nothing_to_do(request.verb, &request.by);
            return Ok(());
        }
        self.order(request.verb, function.as_ref(), &request.by, &request.reason)
    }

    fn note_nothing_to_do(&mut self, verb: Verb, by: &str) {
        let what = match verb {
            Verb::Pause => "it is paused already, or going back",
            Verb::Resume => "it is not paused",
            _ => "nothing shifts or bakes that could go on",
        };
        self.report(Event::Note { text: format!("{verb}, as {by} asked: {what}") });
    }

    /// Whether there is anything to do about a request.
    pub(super) fn applies(&self, request: &Request) -> bool {
        let is_known = request.function.is_none()
            || self.plan.functions.keys().any(|name| request.is_about(name));
        let is_early = !matches!(self.stage, Stage::Closing | Stage::Tidying | Stage::Over);
        let goes_on = is_early && !self.is_going_back();
        is_known
            && match request.verb {
                Verb::Abort => is_early,
                Verb::Pause => goes_on && self.paused.is_none(),
                Verb::Resume => goes_on && self.paused.is_some(),
                Verb::Promote | Verb::PromoteFully => {
                    let mut names = self.plan.functions.keys();
                    let is_ready = names.any(|f| request.is_about(f) && self.can_hurry(f));
                    let ends_pause = self.paused.is_some() && request.function.is_none();
                    goes_on && (is_ready || ends_pause)
                }
            }
    }

    /// Does what a person asks.
    pub(super) fn order(
        &mut self,
        verb: Verb,
        function: Option<&FunctionName>,
        by: &str,
        reason: &str,
    ) -> Result<(), Illegal> {
        if verb == Verb::Abort {
            return self.asked_to_abort(by, reason);
        }
        let function_sum = function.cloned();
        let request = Request::new(1, verb, function, by, reason);
        if !self.applies(&request) {
            self.note_nothing_to_do(verb, by);
            return Ok(());
        }
        self.report(Event::Ordered {
            verb,
            function: function_sum,
            by: by.to_owned(),
            reason: reason.to_owned(),
        });
        match verb {
            Verb::Abort => {}
            Verb::Pause => {
                self.paused = Some(Paused { by: by.to_owned(), since: self.now });
                self.want_renewal(); // So that the lock tells.
            }
            Verb::Resume => self.end_pause()?,
            Verb::Promote | Verb::PromoteFully => {
                self.end_pause()?;
                self.hurry(function, verb == Verb::PromoteFully, by);
            }
        }
        Ok(())
    }

    /// Alarms cannot tell, and the manifest says that a person is to look.
    pub(super) fn pause_by_itself(&mut self, reason: &str) -> Result<(), Illegal> {
        if self.paused.is_some() {
            return Ok(());
        }
        self.order(Verb::Pause, None, "wavegate", reason)
    }

    /// A paused release goes on.
    fn end_pause(&mut self) -> Result<(), Illegal> {
        if self.paused.take().is_none() {
            return Ok(());
        }
        self.want_renewal();
        self.has_moved = true;
        let names: Vec<FunctionName> = self.rollouts.keys().cloned().collect();
        for name in names {
            let Some(rollout) = self.rollouts.get_mut(&name) else { continue };
            if !std::mem::take(&mut rollout.is_parked) {
                continue;
            }
            let phase = rollout.phase;
            match phase {
                Phase::PreTraffic => self.next_hook(&name, HookPhase::PreTraffic)?,
                Phase::Shifting | Phase::Baking => {
                    let now = self.now;
                    self.wake_at(&name, now);
                }
                // A first alias whose creation did not land before the pause: begun anew, as soon as
                // the lock is proven.
                Phase::Promoting if self.stable(&name).is_none() => {
                    if let Some(rollout) = self.rollouts.get_mut(&name) {
                        rollout.fences = true;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a rollout that could go up waits because the release is paused. It is taken up again
    /// when the pause ends.
    pub(super) fn is_parked(&mut self, name: &FunctionName) -> bool {
        if self.paused.is_none() {
            return false;
        }
        if let Some(rollout) = self.rollouts.get_mut(name) {
            rollout.is_parked = true;
        }
        true
    }

    /// A pause that everybody forgot ends as a failure.
    pub(super) fn judge_pause(&mut self) -> Result<(), Illegal> {
        let Some(paused) = &self.paused else { return Ok(()) };
        if self.is_going_back() || self.now.since(paused.since) <= limits::PAUSED {
            return Ok(());
        }
        let span = crate::time::human(limits::PAUSED);
        let reason = format!("paused by {} for {span}, and nobody let it go on", paused.by);
        self.fail(None, reason)
    }

    /// What is being fenced begins its bake anew, and whoever sends it on has not seen that yet: the
    /// order is answered as one that had nothing to do, and can be given again a moment later.
    fn can_hurry(&self, name: &FunctionName) -> bool {
        self.rollouts
            .get(name)
            .is_some_and(|r| matches!(r.phase, Phase::Shifting | Phase::Baking) && !r.fences)
            && !self.is_handed_over(name)
    }

    /// What is asked about goes on now: what waits for an approval has it, what is baked is baked
    /// enough.
    fn hurry(&mut self, function: Option<&FunctionName>, full: bool, by: &str) {
        let now = self.now;
        let names: Vec<FunctionName> = self
            .rollouts
            .keys()
            .filter(|name| function.is_none_or(|wanted| wanted == *name) && self.can_hurry(name))
            .cloned()
            .collect();
        for name in names {
            let Some(rollout) = self.rollouts.get_mut(&name) else { continue };
            if rollout.paused.is_some() && !full {
                self.go_on(&name, by);
                continue;
            }
            if rollout.phase == Phase::Baking {
                rollout.bake_until = Some(now);
            } else {
                rollout.hurry = Some(if full { Hurry::ToTheEnd } else { Hurry::OneStep });
            }
            rollout.forget_questions();
            self.wake_at(&name, now);
        }
    }
}
