//! What only composite alarms have: a rule over other alarms, and a suppressor of their actions.

use super::State;
use crate::cloudwatch::rule::Rule;

/// What a composite alarm watches, and what may hold its actions back.
#[derive(Clone, Debug)]
pub(crate) struct Composite {
    /// When it is in alarm.
    pub(crate) rule: Rule,
    /// Why it must be evaluated, when it must.
    pub(crate) pending: Option<Trigger>,
    /// The alarm that holds its actions back.
    pub(crate) suppressor: Option<Suppressor>,
}

/// Why a composite alarm is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// It was created.
    Created,
    /// It was given a new configuration.
    Updated,
    /// These alarms that its rule names changed their state, in this order.
    Children(Vec<String>),
}

impl Trigger {
    /// This trigger and the change of one more child. A new configuration outweighs children.
    pub(crate) fn and_child(former: Option<Self>, child: &str) -> Self {
        match former {
            None => Self::Children(vec![child.to_owned()]),
            Some(Self::Children(mut children)) => {
                children.push(child.to_owned());
                Self::Children(children)
            }
            Some(other) => other,
        }
    }
}

/// The alarm that holds a composite alarm's actions back while it is in alarm itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suppressor {
    /// Its name, or its ARN.
    pub(crate) alarm: String,
    /// How long the composite alarm waits for it to go into alarm, in milliseconds.
    pub(crate) wait: i64,
    /// How long the composite alarm waits after it went out of alarm, in milliseconds.
    pub(crate) extension: i64,
}

/// What holds the actions of a composite alarm back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SuppressedBy {
    /// The suppressor may yet go into alarm.
    WaitPeriod,
    /// The suppressor was in alarm a moment ago.
    ExtensionPeriod,
    /// The suppressor is in alarm.
    Alarm,
}

impl SuppressedBy {
    /// The name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WaitPeriod => "WaitPeriod",
            Self::ExtensionPeriod => "ExtensionPeriod",
            Self::Alarm => "Alarm",
        }
    }

    /// The one of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::WaitPeriod, Self::ExtensionPeriod, Self::Alarm]
            .into_iter()
            .find(|by| by.name() == name)
    }

    /// AWS's sentence about it.
    pub(crate) fn reason(self) -> String {
        format!("Actions suppressed by {}", self.name())
    }
}

impl Suppressor {
    /// What holds back the actions of an alarm that changed its state at `at`, and until when.
    pub(crate) fn on_change(
        &self,
        suppressor: Option<State>,
        at: i64,
    ) -> Option<(SuppressedBy, i64)> {
        if suppressor == Some(State::Alarm) {
            return Some((SuppressedBy::Alarm, i64::MAX));
        }
        (self.wait > 0).then(|| (SuppressedBy::WaitPeriod, at.saturating_add(self.wait)))
    }

    /// What holds the actions back, and until when, once the suppressor has changed its own state;
    /// `None` when nothing does any more.
    pub(crate) fn on_suppressor_change(
        &self,
        by: SuppressedBy,
        until: i64,
        suppressor: State,
        at: i64,
    ) -> Option<(SuppressedBy, i64)> {
        match (by, suppressor) {
            (_, State::Alarm) => Some((SuppressedBy::Alarm, i64::MAX)),
            (SuppressedBy::Alarm, _) => (self.extension > 0)
                .then(|| (SuppressedBy::ExtensionPeriod, at.saturating_add(self.extension))),
            _ => Some((by, until)),
        }
    }
}
