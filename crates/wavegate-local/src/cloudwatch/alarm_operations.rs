//! The operations on alarms.

mod composite;
mod describe;
mod history;
mod metric;

pub(crate) use composite::{parse_composite, put_composite_alarm};
pub(crate) use describe::{describe_alarms, describe_alarms_for_metric};
pub(crate) use history::describe_alarm_history;
pub(crate) use metric::{parse_watch, put_metric_alarm};

use super::alarm::{Alarm, Kind, State, Status};
use super::alarms::{Alarms, Change, MOST_ALARMS, NewState};
use super::fault::{Fault, FaultKind};
use super::tags;
use super::value::{Members, Record};

/// How many alarms and history items a page holds when the request does not say.
const PER_PAGE: i64 = 50;

/// Puts an alarm in the place of the one of that name, if there is one: its state and its tags stay.
fn put(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
    kind: Kind,
    due: i64,
) -> Result<Record, Fault> {
    let name = input.text("AlarmName").unwrap_or_default();
    let mut config = input.clone();
    let tags = tags::read(config.remove("Tags").as_ref());
    let actions_enabled = config.boolean("ActionsEnabled").unwrap_or(true);
    // Clients may write a whole number; it is shown as the double it is.
    if let Some(threshold) = config.double("Threshold") {
        config.set("Threshold", threshold);
    }
    let former = alarms.all.get(name);
    if former.is_none() && alarms.all.len() >= MOST_ALARMS {
        return Err(Fault::new(
            FaultKind::LimitExceeded,
            format!("The quota of {MOST_ALARMS} alarms has already been reached."),
        ));
    }
    let mut alarm = Alarm {
        kind,
        config,
        tags,
        actions_enabled,
        status: Status::initial(now_ms),
        transitioned: now_ms,
        configured: now_ms,
        due,
    };
    let mut change = Change::Create;
    if let Some(former) = former {
        if former.type_name() != alarm.type_name() {
            return Err(Fault::validation(format!(
                "An alarm of another kind with the name {name} exists already"
            )));
        }
        change = Change::Update;
        // A new configuration leaves the state alone, and tags can only be given at creation.
        alarm.status.clone_from(&former.status);
        alarm.transitioned = former.transitioned;
        alarm.tags.clone_from(&former.tags);
        if let (Some(old), Some(new)) = (former.composite(), alarm.composite()) {
            let old = old.suppressor.as_ref().map(|suppressor| &suppressor.alarm);
            // AWS: another suppressor ends every period that runs.
            if old == new.suppressor.as_ref().map(|suppressor| &suppressor.alarm) {
                alarm.due = former.due;
            } else {
                alarm.status.suppressed = None;
            }
        }
    }
    alarms.remember_configuration(change, name, &alarm, now_ms);
    alarms.all.insert(name.to_owned(), alarm);
    alarms.mark_parents(name);
    Ok(Record::new())
}

/// Adds what is wrong with the ARNs of actions to the problems of a request.
fn check_actions(input: &Record, problems: &mut Vec<String>) {
    for name in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
        for action in input.texts(name).filter(|action| !action.starts_with("arn:")) {
            problems.push(format!("Invalid arn syntax: {action}"));
        }
    }
}

/// `SetAlarmState`. A metric alarm goes back to its own state at its next evaluation.
pub(crate) fn set_alarm_state(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
) -> Result<Record, Fault> {
    let name = input.text("AlarmName").unwrap_or_default();
    if !alarms.all.contains_key(name) {
        // AWS: without a message.
        return Err(Fault::new(FaultKind::ResourceNotFound, ""));
    }
    let reason_data = input.text("StateReasonData").unwrap_or_default();
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(reason_data).is_ok();
    if !reason_data.is_empty() && !is_json {
        return Err(Fault::new(
            FaultKind::InvalidFormat,
            "StateReasonData was not syntactically valid JSON",
        ));
    }
    let state = input.text("StateValue").and_then(State::parse).unwrap_or(State::InsufficientData);
    let new = NewState {
        state,
        reason: input.text("StateReason").unwrap_or_default().to_owned(),
        reason_data: reason_data.to_owned(),
    };
    alarms.set_state(name, new, now_ms);
    Ok(Record::new())
}

/// `EnableAlarmActions` and `DisableAlarmActions`; names that do not exist are skipped. A change is an
/// update of the configuration.
pub(crate) fn switch_actions(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
    enabled: Actions,
) -> Record {
    for name in input.texts("AlarmNames") {
        let enabled = enabled == Actions::Enabled;
        let Some(alarm) = alarms.all.get_mut(name).filter(|a| a.actions_enabled != enabled) else {
            continue;
        };
        alarm.actions_enabled = enabled;
        alarm.configured = now_ms;
        let alarm = alarm.clone();
        alarms.remember_configuration(Change::Update, name, &alarm, now_ms);
    }
    Record::new()
}

/// Whether actions are to be enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actions {
    /// They are.
    Enabled,
    /// They are not.
    Disabled,
}

/// `DeleteAlarms`; names that do not exist are skipped.
pub(crate) fn delete_alarms(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
) -> Result<Record, Fault> {
    let names: Vec<&str> = input.texts("AlarmNames").collect();
    let is_composite =
        |name: &&&str| alarms.all.get(**name).is_some_and(|alarm| alarm.composite().is_some());
    if names.iter().filter(is_composite).count() > 1 {
        return Err(Fault::validation(
            "You can't delete more than one composite alarm in one operation",
        ));
    }
    let held: Vec<String> = names
        .iter()
        .filter_map(|name| {
            let mut dependents = alarms.parents(name);
            dependents.extend(alarms.suppressed_by(name));
            dependents.retain(|dependent| !names.contains(dependent));
            dependents.dedup();
            (!dependents.is_empty()).then(|| {
                format!(
                    "Cannot delete {name} as there are composite alarm(s) depending on it: {}",
                    dependents.join(", ")
                )
            })
        })
        .collect();
    if !held.is_empty() {
        return Err(Fault::new(FaultKind::ResourceConflict, held.join(". ")));
    }
    for name in names {
        if let Some(alarm) = alarms.all.remove(name) {
            alarms.remember_configuration(Change::Delete, name, &alarm, now_ms);
            alarms.mark_parents(name);
        }
    }
    Ok(Record::new())
}

/// The page size a request asks for.
fn per_page(input: &Record) -> usize {
    usize::try_from(input.integer("MaxRecords").unwrap_or(PER_PAGE)).unwrap_or(1)
}
