//! Approvals: a strategy pauses, and a person says "go on".
//!
//! An approval answers a pause that people were told about. It is never kept for a later one: what
//! a person has not seen asked is not approved.

use super::machine::Release;
use super::rollout::{Phase, Rollout};
use super::{Event, limits};
use crate::name::FunctionName;

impl Release {
    /// Stays where it is, and asks again later: a strategy may give up waiting.
    pub(super) fn pause(&mut self, name: &FunctionName, on: String) {
        let at = self.now + limits::POLL;
        self.wake_at(name, at);
        let Some(rollout) = self.rollouts.get_mut(name) else { return };
        if rollout.paused.as_ref() != Some(&on) {
            rollout.paused = Some(on.clone());
            self.report(Event::Paused { function: name.clone(), on });
        }
    }

    /// A person says "go on", to one function or to all that are held.
    pub(super) fn approve(&mut self, function: Option<&FunctionName>, by: &str) {
        let is_meant = |name: &FunctionName| function.is_none_or(|wanted| wanted == name);
        let is_held = |rollout: &Rollout| {
            rollout.phase == Phase::Shifting && rollout.paused.is_some() && !self.is_going_back()
        };
        let held: Vec<FunctionName> = self
            .rollouts
            .iter()
            .filter(|(name, rollout)| is_meant(name) && is_held(rollout))
            .map(|(name, _)| name.clone())
            .collect();
        if held.is_empty() {
            let what = match function {
                Some(name) => format!("{name} waits for no approval"),
                None => "nothing waits for an approval".to_owned(),
            };
            let text = format!("{what}: what {by} said does not count");
            self.report(Event::Note { text });
        }
        for name in held {
            self.go_on(&name, by);
        }
    }

    /// The strategy is asked at once, whatever it is being asked at this moment.
    pub(super) fn go_on(&mut self, name: &FunctionName, by: &str) {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(name) else { return };
        rollout.paused = None;
        rollout.approvals += 1;
        rollout.forget_questions();
        self.report(Event::Approved { function: name.clone(), by: by.to_owned() });
        self.wake_at(name, now);
    }
}
