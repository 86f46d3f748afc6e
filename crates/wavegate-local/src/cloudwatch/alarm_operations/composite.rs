//! `PutCompositeAlarm`: what a composite alarm's configuration must be.

use super::{check_actions, put};
use crate::cloudwatch::alarm::{Composite, Kind, Suppressor, Trigger};
use crate::cloudwatch::alarms::{Alarms, bare_name};
use crate::cloudwatch::fault::Fault;
use crate::cloudwatch::rule::Rule;
use crate::cloudwatch::value::{Members, Record};

/// `PutCompositeAlarm`.
pub(crate) fn put_composite_alarm(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
) -> Result<Record, Fault> {
    let mut composite = parse_composite(input)?;
    let own = input.text("AlarmName").unwrap_or_default();
    let is_unknown = |name: &&str| *name != own && !alarms.all.contains_key(*name);
    let mut problems = Vec::new();
    let unknown: Vec<&str> =
        composite.rule.children().into_iter().map(bare_name).filter(is_unknown).collect();
    if !unknown.is_empty() {
        problems.push(format!(
            "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
            unknown.join(", ")
        ));
    }
    if let Some(suppressor) = composite.suppressor.as_ref().map(|s| bare_name(&s.alarm))
        && is_unknown(&suppressor)
    {
        problems.push(format!(
            "Could not save the composite alarm as the actions suppressor {suppressor} does not \
             exist"
        ));
    }
    if !problems.is_empty() {
        return Err(Fault::validation(problems.join(" ")));
    }
    composite.pending =
        Some(if alarms.all.contains_key(own) { Trigger::Updated } else { Trigger::Created });
    put(alarms, now_ms, input, Kind::Composite(Box::new(composite)), i64::MAX)
}

/// The composite alarm of a configuration, with nothing pending. Says all that is wrong with it.
pub(crate) fn parse_composite(input: &Record) -> Result<Composite, Fault> {
    let mut problems = Vec::new();
    if input.has("ActionConfiguration") {
        problems.push("The local cloud's alarms do not have ActionConfiguration.".to_owned());
    }
    check_actions(input, &mut problems);
    let suppressor = parse_suppressor(input, &mut problems);
    let rule = Rule::parse(input.text("AlarmRule").unwrap_or_default());
    match rule {
        Ok(rule) if problems.is_empty() => Ok(Composite { rule, pending: None, suppressor }),
        Ok(_) => Err(Fault::validation(problems.join(" "))),
        Err(reason) => {
            problems.push(format!("AlarmRule must be a valid rule: {reason}."));
            Err(Fault::validation(problems.join(" ")))
        }
    }
}

fn parse_suppressor(input: &Record, problems: &mut Vec<String>) -> Option<Suppressor> {
    let mut period = |name: &str, suppressor: bool| {
        let given = input.integer(name);
        match (given, suppressor) {
            (None, true) => {
                problems.push(format!("{name} is required when ActionsSuppressor is specified."));
            }
            (Some(_), false) => {
                problems.push(format!("{name} must not be specified without ActionsSuppressor."));
            }
            (Some(seconds), true) if seconds < 0 => {
                problems.push(format!("{name} must not be negative."));
            }
            _ => {}
        }
        given.unwrap_or(0).saturating_mul(1_000)
    };
    let alarm = input.text("ActionsSuppressor");
    let wait = period("ActionsSuppressorWaitPeriod", alarm.is_some());
    let extension = period("ActionsSuppressorExtensionPeriod", alarm.is_some());
    Some(Suppressor { alarm: alarm?.to_owned(), wait, extension })
}
