//! All alarms: when each is evaluated, what follows from a change of state, and the history.
//!
//! Invariants: an alarm is evaluated at every multiple of its interval, each time as of that
//! moment, however late `tick` is called (up to [`MOST_CAUGHT_UP`] of them); evaluating twice as of
//! the same moment changes nothing. Composite alarms follow the states of their children at once.
//! Deliberately absent: performing actions; the local cloud has nothing to notify.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::json;

use super::alarm::{Alarm, Kind, State};
use super::judge::Verdict;
use super::store::Store;

/// The most alarms kept.
pub(crate) const MOST_ALARMS: usize = 5_000;
/// The most history items kept, over all alarms.
const MOST_HISTORY: usize = 10_000;
/// How long history is kept: two weeks of virtual time.
const HISTORY_KEPT: i64 = 14 * 24 * 3_600_000;
/// The most missed evaluations of an alarm that are made up for after a pause.
pub(crate) const MOST_CAUGHT_UP: i64 = 60;

/// All alarms and their history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarms {
    /// The alarms by name.
    pub(crate) all: BTreeMap<String, Alarm>,
    /// The history, oldest first.
    pub(crate) history: VecDeque<HistoryItem>,
    /// The number of the next history item.
    pub(crate) next_item: u64,
}

/// Something that happened to an alarm.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HistoryItem {
    /// Its number; later items have greater ones.
    pub(crate) number: u64,
    /// The alarm's name.
    pub(crate) alarm: String,
    /// The alarm's kind, as the API names it.
    pub(crate) alarm_type: String,
    /// When it happened (milliseconds).
    pub(crate) at: i64,
    /// `ConfigurationUpdate` or `StateUpdate`.
    pub(crate) item_type: String,
    /// What happened, for people.
    pub(crate) summary: String,
    /// What happened, as JSON.
    pub(crate) data: String,
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
    /// Makes all evaluations that are due; returns when the next one is.
    pub(crate) fn tick(&mut self, store: &Store, now_ms: i64) -> Option<i64> {
        self.skip_long_pauses(now_ms);
        while let Some(at) = self.next_due().filter(|at| *at <= now_ms) {
            let due: Vec<String> = self
                .all
                .iter()
                .filter(|(_, alarm)| alarm.due == at && matches!(alarm.kind, Kind::Metric(_)))
                .map(|(name, _)| name.clone())
                .collect();
            for name in due {
                self.evaluate(store, &name, at);
            }
            self.settle(at);
        }
        self.settle(now_ms);
        self.next_due()
    }

    fn next_due(&self) -> Option<i64> {
        let metric = |alarm: &&Alarm| matches!(alarm.kind, Kind::Metric(_));
        self.all.values().filter(metric).map(|alarm| alarm.due).min()
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
        let evaluation = watch.evaluate(store, at);
        let state = match evaluation.verdict {
            Verdict::Ok => State::Ok,
            Verdict::Alarm => State::Alarm,
            Verdict::InsufficientData => State::InsufficientData,
            Verdict::Retain => return,
        };
        if state == alarm.state {
            return;
        }
        let new = NewState {
            state,
            reason: evaluation.reason(watch, state),
            reason_data: evaluation.reason_data(watch, at),
        };
        self.set_state(name, new, at);
    }

    /// Puts an alarm into a state, and marks the composite alarms above it.
    pub(crate) fn set_state(&mut self, name: &str, new: NewState, at: i64) {
        let Some(alarm) = self.all.get_mut(name) else { return };
        let changed = alarm.state != new.state;
        let data = json!({
            "version": "1.0",
            "oldState": state_json(alarm.state, &alarm.reason, &alarm.reason_data),
            "newState": state_json(new.state, &new.reason, &new.reason_data),
        });
        let summary = format!("Alarm updated from {} to {}", alarm.state.name(), new.state.name());
        alarm.state = new.state;
        alarm.reason = new.reason;
        alarm.reason_data = new.reason_data;
        alarm.updated = at;
        if changed {
            alarm.transitioned = at;
            let alarm_type = alarm.type_name();
            self.remember(name, alarm_type, at, "StateUpdate", summary, data.to_string());
            self.mark_parents(name);
        }
    }

    /// Adds an item to the history and drops what is too old or too much.
    pub(crate) fn remember(
        &mut self,
        alarm: &str,
        alarm_type: &str,
        at: i64,
        item_type: &str,
        summary: String,
        data: String,
    ) {
        self.history.push_back(HistoryItem {
            number: self.next_item,
            alarm: alarm.to_owned(),
            alarm_type: alarm_type.to_owned(),
            at,
            item_type: item_type.to_owned(),
            summary,
            data,
        });
        self.next_item += 1;
        while self.history.len() > MOST_HISTORY
            || self.history.front().is_some_and(|item| item.at < at - HISTORY_KEPT)
        {
            self.history.pop_front();
        }
    }

    /// Marks the composite alarms that name an alarm as pending.
    pub(crate) fn mark_parents(&mut self, name: &str) {
        for alarm in self.all.values_mut() {
            if let Kind::Composite { rule, pending } = &mut alarm.kind
                && rule.children().iter().any(|child| bare_name(child) == name)
            {
                *pending = true;
            }
        }
    }

    /// Evaluates composite alarms until none is pending. Those that go round in a circle are left
    /// alone, as CloudWatch does.
    fn settle(&mut self, at: i64) {
        loop {
            let pending = self.all.iter().find_map(|(name, alarm)| match &alarm.kind {
                Kind::Composite { pending: true, .. } => Some(name.clone()),
                _ => None,
            });
            let Some(name) = pending else { return };
            let circular = self.descendants(&name).contains(&name);
            let state_of = |child: &str| self.all.get(bare_name(child)).map(|alarm| alarm.state);
            let Some(Alarm { kind: Kind::Composite { rule, .. }, .. }) = self.all.get(&name) else {
                return;
            };
            let state = if rule.holds(&state_of) { State::Alarm } else { State::Ok };
            let reason = format!("{} was evaluated", self.children_sentence(&name));
            let Some(alarm) = self.all.get_mut(&name) else { return };
            if let Kind::Composite { pending, .. } = &mut alarm.kind {
                *pending = false;
            }
            if !circular && alarm.state != state {
                let reason_data = String::new();
                self.set_state(&name, NewState { state, reason, reason_data }, at);
            }
        }
    }

    fn children_sentence(&self, name: &str) -> String {
        let Some(Alarm { kind: Kind::Composite { rule, .. }, .. }) = self.all.get(name) else {
            return String::new();
        };
        let states: Vec<String> = rule
            .children()
            .into_iter()
            .map(|child| {
                let state = self.all.get(bare_name(child)).map_or("gone", |a| a.state.name());
                format!("{} is {state}", bare_name(child))
            })
            .collect();
        if states.is_empty() {
            return "The alarm rule".to_owned();
        }
        format!("The alarm rule with {}", states.join(", "))
    }

    /// All alarms below a composite alarm, itself included when it goes round in a circle.
    fn descendants(&self, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            if let Some(Alarm { kind: Kind::Composite { rule, .. }, .. }) = self.all.get(&next) {
                for child in rule.children() {
                    if seen.insert(bare_name(child).to_owned()) {
                        open.push(bare_name(child).to_owned());
                    }
                }
            }
        }
        seen
    }

    /// The composite alarms that name an alarm.
    pub(crate) fn parents(&self, name: &str) -> Vec<&str> {
        self.all
            .iter()
            .filter(|(_, alarm)| match &alarm.kind {
                Kind::Composite { rule, .. } => {
                    rule.children().iter().any(|child| bare_name(child) == name)
                }
                Kind::Metric(_) => false,
            })
            .map(|(parent, _)| parent.as_str())
            .collect()
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

fn state_json(state: State, reason: &str, reason_data: &str) -> serde_json::Value {
    let mut object = json!({ "stateValue": state.name(), "stateReason": reason });
    if let Ok(data) = serde_json::from_str::<serde_json::Value>(reason_data) {
        object["stateReasonData"] = data;
    }
    object
}
