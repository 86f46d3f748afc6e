//! The actions of alarms: which are taken when, and what holds them back.
//!
//! A function is invoked by whoever takes the [`Invocation`] and says how it went; until then it is
//! waiting, also over a restart. All other actions would notify services the local cloud does not
//! have: nothing is sent, and the history tells so as AWS tells of an action that fails.

use super::history::Action;
use super::{Alarms, bare_name};
use crate::cloudwatch::alarm::{Kind, State, Status, SuppressedBy, Suppressor, event};

/// The most invocations that may wait; one more fails at once.
const MOST_WAITING: usize = 1_000;
/// The service whose resources are acted on here.
const LAMBDA: &str = "lambda";

/// A function that an alarm wants invoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// Its number, to say how it went.
    pub(crate) number: u64,
    /// The ARN of the function, a version of it or an alias.
    pub(crate) function: String,
    /// The name of the alarm.
    pub(crate) alarm: String,
    /// What the function is told.
    pub(crate) event: String,
}

/// An invocation that is not known to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The invocation.
    pub(crate) invocation: Invocation,
    /// The kind of the alarm, as the API names it.
    pub(crate) alarm_type: String,
    /// When the alarm went into the state that asks for it (milliseconds).
    pub(crate) updated: i64,
    /// Whether somebody is at it. Not kept over a restart.
    pub(crate) taken: bool,
}

impl Alarms {
    /// The invocations that nobody has taken yet.
    pub(crate) fn take_invocations(&mut self) -> Vec<Invocation> {
        let open = self.waiting.iter_mut().filter(|waiting| !waiting.taken);
        open.map(|waiting| {
            waiting.taken = true;
            waiting.invocation.clone()
        })
        .collect()
    }

    /// Remembers how an invocation went.
    pub(crate) fn invoked(&mut self, number: u64, outcome: Result<(), String>, at: i64) {
        let place = self.waiting.iter().position(|w| w.invocation.number == number);
        let Some(place) = place else { return };
        let Waiting { invocation, alarm_type, updated, .. } = self.waiting.swap_remove(place);
        let error = outcome.err();
        let action = Action {
            resource: &invocation.function,
            updated,
            message: Some(&invocation.event),
            error: error.as_deref(),
        };
        self.remember_action(&invocation.alarm, &alarm_type, at, &action);
    }

    /// Takes the actions of the state an alarm is in, unless they are off or held back.
    pub(super) fn act(&mut self, name: &str, previous: &Status, at: i64) {
        let Some(alarm) = self.all.get(name) else { return };
        if !alarm.actions_enabled || alarm.status.suppressed.is_some() {
            return;
        }
        let (alarm_type, updated) = (alarm.type_name(), alarm.status.updated);
        let resources: Vec<String> =
            alarm.actions(alarm.status.state).map(ToOwned::to_owned).collect();
        let event = event::event(&self.home, name, alarm, previous);
        for resource in resources {
            if is_function(&resource) && self.waiting.len() < MOST_WAITING {
                let invocation = Invocation {
                    number: self.next_item,
                    function: resource,
                    alarm: name.to_owned(),
                    event: event.clone(),
                };
                self.next_item += 1;
                let alarm_type = alarm_type.to_owned();
                self.waiting.push(Waiting { invocation, alarm_type, updated, taken: false });
            } else {
                let error = match service(&resource) {
                    LAMBDA => "Too many invocations are waiting".to_owned(),
                    other => format!("Nothing was sent: the local cloud has no service {other}"),
                };
                let action =
                    Action { resource: &resource, updated, message: None, error: Some(&error) };
                self.remember_action(name, alarm_type, at, &action);
            }
        }
    }

    /// Decides, as an alarm has changed its state, whether its actions are held back.
    pub(super) fn hold_back(&mut self, name: &str, at: i64) {
        let Some(suppressor) = self.suppressor(name) else { return };
        let held = suppressor.on_change(self.state_of(&suppressor.alarm), at);
        if let Some(alarm) = self.all.get_mut(name) {
            alarm.status.suppressed = held.map(|(by, _)| by);
            alarm.due = held.map_or(i64::MAX, |(_, until)| until);
        }
    }

    fn suppressor(&self, name: &str) -> Option<Suppressor> {
        self.all.get(name)?.composite()?.suppressor.clone()
    }

    /// Tells the composite alarms whose actions an alarm may hold back that it has changed.
    pub(super) fn tell_suppressed(&mut self, name: &str, former: State, at: i64) {
        let Some(state) = self.state_of(name) else { return };
        if state != State::Alarm && former != State::Alarm {
            return;
        }
        let held: Vec<String> =
            self.suppressed_by(name).into_iter().map(ToOwned::to_owned).collect();
        for name in held {
            let Some(alarm) = self.all.get(&name) else { continue };
            let (Some(by), Some(suppressor)) = (alarm.status.suppressed, self.suppressor(&name))
            else {
                continue;
            };
            let next = suppressor.on_suppressor_change(by, alarm.due, state, at);
            if next != Some((by, alarm.due)) {
                self.suppress(&name, next, at);
            }
        }
    }

    /// The composite alarms whose actions an alarm may hold back.
    pub(crate) fn suppressed_by(&self, name: &str) -> Vec<&str> {
        self.all
            .iter()
            .filter(|(_, alarm)| {
                let composite = alarm.composite();
                let suppressor = composite.and_then(|composite| composite.suppressor.as_ref());
                suppressor.is_some_and(|suppressor| bare_name(&suppressor.alarm) == name)
            })
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Ends a waiting or extension period whose time has come.
    pub(super) fn end_suppression(&mut self, name: &str, at: i64) {
        let is_over = |kind: &Kind, due: i64| matches!(kind, Kind::Composite(_)) && due <= at;
        if self.all.get(name).is_some_and(|alarm| is_over(&alarm.kind, alarm.due)) {
            self.suppress(name, None, at);
        }
    }

    /// Changes what holds an alarm's actions back. When nothing does any more, they are taken, for
    /// the state it is in by now.
    fn suppress(&mut self, name: &str, held: Option<(SuppressedBy, i64)>, at: i64) {
        let Some(alarm) = self.all.get_mut(name) else { return };
        let previous = alarm.status.clone();
        alarm.status.suppressed = held.map(|(by, _)| by);
        alarm.status.updated = at;
        alarm.due = held.map_or(i64::MAX, |(_, until)| until);
        if previous.suppressed.is_some() && held.is_none() {
            self.act(name, &previous, at);
        } else {
            self.remember_suppression(name, at);
        }
    }
}

/// Whether an ARN is that of a function, a version or an alias:
/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`.
fn is_function(arn: &str) -> bool {
    service(arn) == LAMBDA
}

/// The service of an ARN.
fn service(arn: &str) -> &str {
    arn.split(':').nth(2).unwrap_or_default()
}
