//! The history of alarms, worded as CloudWatch words it.
//!
//! The JSON is put together here member by member, because `serde_json` would sort the members, and
//! people read these texts.

use super::Alarms;
use crate::cloudwatch::alarm::{Alarm, Status, date};
use crate::cloudwatch::home::Home;
use crate::cloudwatch::value::{Members, Record, Value};

/// The most history items kept, over all alarms.
const MOST_HISTORY: usize = 10_000;
/// How long history is kept: two weeks of virtual time.
const HISTORY_KEPT: i64 = 14 * 24 * 3_600_000;

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
    /// `ConfigurationUpdate`, `StateUpdate` or `Action`.
    pub(crate) item_type: String,
    /// What happened, for people.
    pub(crate) summary: String,
    /// What happened, as JSON.
    pub(crate) data: String,
}

/// What is done to an alarm's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Create,
    Update,
    Delete,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
        }
    }

    fn participle(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Delete => "deleted",
        }
    }
}

impl Alarms {
    /// Remembers that an alarm was created, updated or deleted.
    pub(crate) fn remember_configuration(
        &mut self,
        change: Change,
        name: &str,
        alarm: &Alarm,
        at: i64,
    ) {
        let participle = change.participle();
        let data = object(&[
            ("version", quoted("1.0")),
            ("type", quoted(change.name())),
            (&format!("{participle}Alarm"), configuration(&self.home, name, alarm)),
        ]);
        let summary = format!("Alarm \"{name}\" {participle}");
        self.remember(name, alarm.type_name(), at, "ConfigurationUpdate", summary, data);
    }

    /// Remembers the state an alarm is in, after the one it was in before.
    pub(super) fn remember_state(&mut self, name: &str, previous: &Status, at: i64) {
        let Some(alarm) = self.all.get(name) else { return };
        let data = object(&[
            ("version", quoted("1.0")),
            ("oldState", state(previous)),
            ("newState", state(&alarm.status)),
        ]);
        let (old, new) = (previous.state.name(), alarm.status.state.name());
        let (summary, kind) = (format!("Alarm updated from {old} to {new}"), alarm.type_name());
        self.remember(name, kind, at, "StateUpdate", summary, data);
    }

    /// Remembers an action of an alarm: how it ended, and, when it failed, why.
    pub(super) fn remember_action(
        &mut self,
        name: &str,
        alarm_type: &str,
        at: i64,
        action: &Action<'_>,
    ) {
        let Action { resource, updated, message, error } = action;
        let (summary, ended) = match error {
            None => (format!("Successfully executed action {resource}"), "Succeeded"),
            Some(_) => (format!("Failed to execute action {resource}"), "Failed"),
        };
        // AWS: the last two are always there.
        let members = [
            ("actionState", quoted(ended)),
            ("stateUpdateTimestamp", updated.to_string()),
            ("notificationResource", quoted(resource)),
            ("publishedMessage", or_null(*message)),
            ("error", or_null(*error)),
        ];
        self.remember(name, alarm_type, at, "Action", summary, object(&members));
    }

    /// Remembers that the actions of a composite alarm are held back.
    pub(super) fn remember_suppression(&mut self, name: &str, at: i64) {
        let Some(alarm) = self.all.get(name) else { return };
        let Some(by) = alarm.status.suppressed else { return };
        let data = object(&[
            ("actionState", quoted("Suppressed")),
            ("stateUpdateTimestamp", alarm.status.updated.to_string()),
            ("actionsSuppressedBy", quoted(by.name())),
            ("actionsSuppressedReason", quoted(&by.reason())),
        ]);
        self.remember(name, alarm.type_name(), at, "Action", by.reason(), data);
    }

    /// Adds an item to the history and drops what is too old or too much.
    fn remember(
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
}

/// An action as the history tells of it.
pub(super) struct Action<'a> {
    /// The ARN of what was notified or invoked.
    pub(super) resource: &'a str,
    /// When the alarm went into the state that asked for it (milliseconds).
    pub(super) updated: i64,
    /// What the resource was told.
    pub(super) message: Option<&'a str>,
    /// Why the action failed, when it did.
    pub(super) error: Option<&'a str>,
}

fn state(status: &Status) -> String {
    let mut members =
        vec![("stateValue", quoted(status.state.name())), ("stateReason", quoted(&status.reason))];
    if serde_json::from_str::<serde::de::IgnoredAny>(&status.reason_data).is_ok() {
        members.push(("stateReasonData", status.reason_data.clone()));
    }
    if let Some(by) = status.suppressed {
        members.push(("actionsSuppressedBy", quoted(by.name())));
        members.push(("actionsSuppressedReason", quoted(&by.reason())));
    }
    object(&members)
}

/// The configuration with the members and in the order that AWS has them.
fn configuration(home: &Home, name: &str, alarm: &Alarm) -> String {
    let config = &alarm.config;
    let mut members = vec![("alarmName", quoted(name))];
    let copy = |members: &mut Vec<(&'static str, String)>, names: &[&'static str]| {
        for name in names {
            if let Some(value) = config.get(*name) {
                members.push((name, json(value)));
            }
        }
    };
    copy(&mut members, &["AlarmDescription"]);
    members.push(("alarmArn", quoted(&home.alarm(name))));
    members.push(("alarmConfigurationUpdatedTimestamp", quoted(&date::full(alarm.configured))));
    copy(
        &mut members,
        &[
            "AlarmRule",
            "ActionsSuppressor",
            "ActionsSuppressorWaitPeriod",
            "ActionsSuppressorExtensionPeriod",
            "Namespace",
            "MetricName",
            "Metrics",
            "Statistic",
            "ExtendedStatistic",
            "Period",
            "Unit",
        ],
    );
    if config.has("MetricName") {
        members.push(("dimensions", list(config.list("Dimensions"))));
    }
    copy(
        &mut members,
        &[
            "Threshold",
            "ComparisonOperator",
            "EvaluationPeriods",
            "DatapointsToAlarm",
            "TreatMissingData",
            "EvaluateLowSampleCountPercentile",
        ],
    );
    members.push(("stateValue", quoted(alarm.status.state.name())));
    members.push(("stateUpdatedTimestamp", quoted(&date::full(alarm.status.updated))));
    members.push(("actionsEnabled", alarm.actions_enabled.to_string()));
    for (member, name) in [
        ("alarmActions", "AlarmActions"),
        ("insufficientDataActions", "InsufficientDataActions"),
        // AWS's own spelling.
        ("okactions", "OKActions"),
    ] {
        members.push((member, list(config.list(name))));
    }
    object(&members)
}

fn json(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map(date::number).unwrap_or_default()
        }
        Value::Array(values) => list(values),
        Value::Object(record) => members(record),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn list(values: &[Value]) -> String {
    let values: Vec<String> = values.iter().map(json).collect();
    format!("[{}]", values.join(","))
}

fn members(record: &Record) -> String {
    let members: Vec<(&str, String)> =
        record.iter().map(|(name, value)| (name.as_str(), json(value))).collect();
    object(&members)
}

/// An object of members whose values are JSON already. Names begin in lower case.
fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", quoted(&lower_first(name))))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

fn or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), quoted)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
