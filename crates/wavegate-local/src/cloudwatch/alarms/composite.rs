//! Composite alarms: what makes one look at its children again, and what it says then.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Alarms, NewState, bare_name};
use crate::cloudwatch::alarm::{Composite, Kind, State, Trigger, date};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReasonData {
    triggering_alarms: Vec<TriggeringAlarm>,
}

#[derive(Serialize)]
struct TriggeringAlarm {
    arn: String,
    state: TriggeringState,
}

#[derive(Serialize)]
struct TriggeringState {
    value: &'static str,
    timestamp: String,
}

impl Alarms {
    /// Marks the composite alarms that name an alarm: its state has changed, or it is gone.
    pub(crate) fn mark_parents(&mut self, name: &str) {
        for alarm in self.all.values_mut() {
            if let Kind::Composite(composite) = &mut alarm.kind
                && names(composite, name)
            {
                composite.pending = Some(Trigger::and_child(composite.pending.take(), name));
            }
        }
    }

    /// Evaluates composite alarms until none is pending. Those that go round in a circle are left
    /// alone, as CloudWatch does.
    pub(super) fn settle(&mut self, at: i64) {
        while let Some((name, trigger)) = self.take_pending() {
            if self.descendants(&name).contains(&name) {
                continue;
            }
            let Some(alarm) = self.all.get(&name) else { continue };
            let Some(composite) = alarm.composite() else { continue };
            let holds = composite.rule.holds(&|child| self.state_of(child));
            let state = if holds { State::Alarm } else { State::Ok };
            if alarm.status.state != state {
                let (reason, reason_data) = self.reasons(&name, composite, &trigger, state);
                self.set_state(&name, NewState { state, reason, reason_data }, at);
            }
        }
    }

    fn take_pending(&mut self) -> Option<(String, Trigger)> {
        self.all.iter_mut().find_map(|(name, alarm)| match &mut alarm.kind {
            Kind::Composite(composite) => Some((name.clone(), composite.pending.take()?)),
            Kind::Metric(_) => None,
        })
    }

    /// The state of an alarm by name or ARN.
    pub(super) fn state_of(&self, name_or_arn: &str) -> Option<State> {
        self.all.get(bare_name(name_or_arn)).map(|alarm| alarm.status.state)
    }

    /// AWS names one child, the one that changed; here several may change at one moment.
    fn reasons(
        &self,
        name: &str,
        composite: &Composite,
        trigger: &Trigger,
        state: State,
    ) -> (String, String) {
        let all = || composite.rule.children().into_iter().map(bare_name).collect();
        let (reason, children): (String, Vec<&str>) = match trigger {
            Trigger::Created => {
                let arn = self.home.alarm(name);
                let state = state.name();
                (format!("{arn} was created and its alarm rule evaluates to {state}"), all())
            }
            Trigger::Updated => {
                let arn = self.home.alarm(name);
                let state = state.name();
                (format!("{arn} was updated and its new alarm rule evaluates to {state}"), all())
            }
            Trigger::Children(children) => {
                let sentences: Vec<String> =
                    children.iter().map(|child| self.transition(child)).collect();
                (sentences.join(", "), children.iter().map(String::as_str).collect())
            }
        };
        let triggering_alarms = children
            .into_iter()
            .filter_map(|child| {
                let status = &self.all.get(child)?.status;
                let timestamp = date::full(status.updated);
                let state = TriggeringState { value: status.state.name(), timestamp };
                Some(TriggeringAlarm { arn: self.home.alarm(child), state })
            })
            .collect();
        let data = serde_json::to_string(&ReasonData { triggering_alarms }).unwrap_or_default();
        (reason, data)
    }

    fn transition(&self, child: &str) -> String {
        let arn = self.home.alarm(child);
        match self.all.get(child) {
            Some(alarm) => format!(
                "{arn} transitioned to {} at {}",
                alarm.status.state.name(),
                date::spoken(alarm.transitioned)
            ),
            None => format!("{arn} was deleted"),
        }
    }

    /// All alarms below a composite alarm, itself included when it goes round in a circle.
    fn descendants(&self, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            let Some(composite) = self.all.get(&next).and_then(|alarm| alarm.composite()) else {
                continue;
            };
            for child in composite.rule.children() {
                if seen.insert(bare_name(child).to_owned()) {
                    open.push(bare_name(child).to_owned());
                }
            }
        }
        seen
    }

    /// The composite alarms that name an alarm in their rules.
    pub(crate) fn parents(&self, name: &str) -> Vec<&str> {
        self.all
            .iter()
            .filter(|(_, alarm)| alarm.composite().is_some_and(|composite| names(composite, name)))
            .map(|(parent, _)| parent.as_str())
            .collect()
    }
}

fn names(composite: &Composite, name: &str) -> bool {
    composite.rule.children().iter().any(|child| bare_name(child) == name)
}
