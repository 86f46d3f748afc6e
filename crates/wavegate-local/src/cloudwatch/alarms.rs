//! All alarms: when each is evaluated, and what follows from a change of state.
//!
//! Invariants: an alarm is evaluated at every multiple of its interval, each time as of that
//! moment, however late `tick` is called (up to [`MOST_CAUGHT_UP`] of them); evaluating twice as of
//! the same moment changes nothing. Composite alarms follow the states of their children at once.
//! Actions are decided here and carried out by whoever takes them.

mod actions;
mod composite;
mod history;

use std::collections::{BTreeMap, VecDeque};

pub(crate) use actions::{Invocation, Waiting};
pub(crate) use history::{Change, HistoryItem};

use super::alarm::{Alarm, Kind, State, Status};
use super::home::Home;
use super::judge::Verdict;
use super::queries::Context;
use super::store::Store;

/// The most alarms kept.
pub(crate) const MOST_ALARMS: usize = 5_000;
/// The most missed evaluations of an alarm that are made up for after a pause.
pub(crate) const MOST_CAUGHT_UP: i64 = 60;

/// All alarms and their history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarms {
    /// Where they are.
    pub(crate) home: Home,
    /// The alarms by name.
    pub(crate) all: BTreeMap<String, Alarm>,
    /// The history, oldest first.
    pub(crate) history: VecDeque<HistoryItem>,
    /// The number of the next history item or invocation.
    pub(crate) next_item: u64,
    /// Invocations that are not known to be made.
    pub(crate) waiting: Vec<Waiting>,
}

/// A new state with its reasons.
#[derive(Clone, Debug)]
pub(crate) struct NewState {
    /// The state.
    pub(crate) state: State,
    /// Why, for people.
    pub(crate) reason: String,
    /// Why, as JSON; empty when there is none.
    pub(crate) reason_data: String,
}

impl Alarms {
    /// No alarms.
    pub(crate) fn new(home: Home) -> Self {
        Self { home, ..Self::default() }
    }

    /// Makes all evaluations that are due; returns when the next one is.
    pub(crate) fn tick(&mut self, store: &Store, now_ms: i64) -> Option<i64> {
        self.skip_long_pauses(now_ms);
        while let Some(at) = self.next_due().filter(|at| *at <= now_ms) {
            let due: Vec<String> = self
                .all
                .iter()
                .filter(|(_, alarm)| alarm.due == at)
                .map(|(name, _)| name.clone())
                .collect();
            for name in &due {
                self.evaluate(store, name, at);
            }
            self.settle(at);
            for name in &due {
                self.end_suppression(name, at);
            }
        }
        self.settle(now_ms);
        self.next_due()
    }

    fn next_due(&self) -> Option<i64> {
        self.all.values().map(|alarm| alarm.due).filter(|due| *due < i64::MAX).min()
    }

    fn skip_long_pauses(&mut self, now_ms: i64) {
        for alarm in self.all.values_mut() {
            if let Kind::Metric(watch) = &alarm.kind {
                let oldest = now_ms - MOST_CAUGHT_UP * watch.interval();
                if alarm.due < oldest {
                    alarm.due = watch.next_after(oldest);
                }
                // A clock set back must not leave an alarm waiting for its former time.
                alarm.due = alarm.due.min(watch.next_after(now_ms));
            }
        }
    }

    fn evaluate(&mut self, store: &Store, name: &str, at: i64) {
        let Some(alarm) = self.all.get_mut(name) else { return };
        let Kind::Metric(watch) = &alarm.kind else { return };
        alarm.due = watch.next_after(at);
        let context = Context { store, home: &self.home, offset: 0 };
        let evaluation = watch.evaluate(context, at);
        let state = match evaluation.verdict {
            Verdict::Ok => State::Ok,
            Verdict::Alarm => State::Alarm,
            Verdict::InsufficientData => State::InsufficientData,
            Verdict::Retain => return,
        };
        if state == alarm.status.state {
            return;
        }
        let new = NewState {
            state,
            reason: evaluation.reason(watch, state),
            reason_data: evaluation.reason_data(watch, at),
        };
        self.set_state(name, new, at);
    }

    /// Puts an alarm into a state. If that is another one: remembers it, takes the actions, and
    /// tells the composite alarms that depend on it.
    pub(crate) fn set_state(&mut self, name: &str, new: NewState, at: i64) {
        let Some(alarm) = self.all.get_mut(name) else { return };
        let NewState { state, reason, reason_data } = new;
        let suppressed = alarm.status.suppressed;
        let status = Status { state, reason, reason_data, updated: at, suppressed };
        let previous = std::mem::replace(&mut alarm.status, status);
        if previous.state == state {
            return;
        }
        alarm.transitioned = at;
        self.hold_back(name, at);
        self.remember_state(name, &previous, at);
        self.remember_suppression(name, at);
        self.act(name, &previous, at);
        self.mark_parents(name);
        self.tell_suppressed(name, previous.state, at);
    }
}

/// The alarm's name in a name or an ARN (`arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME`).
pub(crate) fn bare_name(name_or_arn: &str) -> &str {
    if name_or_arn.starts_with("arn:")
        && let Some((_, name)) = name_or_arn.split_once(":alarm:")
    {
        return name;
    }
    name_or_arn
}
