//! `DescribeAlarms` and `DescribeAlarmsForMetric`.

use super::per_page;
use crate::cloudwatch::alarm::{Alarm, Kind, Subject, SuppressedBy};
use crate::cloudwatch::alarms::{Alarms, bare_name};
use crate::cloudwatch::fault::Fault;
use crate::cloudwatch::home::Home;
use crate::cloudwatch::page;
use crate::cloudwatch::queries::{Source, metric_key};
use crate::cloudwatch::value::{Members, Record, Value};

/// `DescribeAlarms`. Without `AlarmTypes` only metric alarms are answered.
pub(crate) fn describe_alarms(alarms: &Alarms, input: &Record) -> Result<Record, Fault> {
    const OPERATION: &str = "DescribeAlarms";
    let home = &alarms.home;
    check_describe(input)?;
    let after = match input.text("NextToken") {
        Some(token) => Some(page::place(OPERATION, token)?),
        None => None,
    };
    let related = related_names(alarms, input)?;
    let types: Vec<&str> = input.texts("AlarmTypes").collect();
    let names: Vec<&str> = input.texts("AlarmNames").collect();
    let wanted = |name: &str, alarm: &Alarm| {
        let of_type = match &related {
            Some(related) => related.iter().any(|other| other == name),
            None if types.is_empty() => matches!(alarm.kind, Kind::Metric(_)),
            None => types.contains(&alarm.type_name()),
        };
        let action = input.text("ActionPrefix");
        of_type
            && (names.is_empty() || names.contains(&name))
            && input.text("AlarmNamePrefix").is_none_or(|prefix| name.starts_with(prefix))
            && input.text("StateValue").is_none_or(|state| state == alarm.status.state.name())
            && action.is_none_or(|prefix| {
                ["OKActions", "AlarmActions", "InsufficientDataActions"]
                    .iter()
                    .any(|list| alarm.config.texts(list).any(|action| action.starts_with(prefix)))
            })
            && after.as_ref().is_none_or(|after| name > after.as_str())
    };
    let limit = per_page(input);
    let mut found: Vec<(&String, &Alarm)> =
        alarms.all.iter().filter(|(name, alarm)| wanted(name, alarm)).take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(name, _)| page::token(OPERATION, name));
    let (mut composites, mut metrics) = (Vec::new(), Vec::new());
    for (name, alarm) in found {
        let record = match related {
            Some(_) if input.has("ParentsOfAlarmName") => named(home, name),
            Some(_) => brief(home, name, alarm),
            None => describe(home, name, alarm),
        };
        match alarm.kind {
            Kind::Metric(_) => metrics.push(record),
            Kind::Composite(_) => composites.push(record),
        }
    }
    Ok(Record::new()
        .with("CompositeAlarms", composites)
        .with("LogAlarms", Value::Array(Vec::new()))
        .with("MetricAlarms", metrics)
        .with_some("NextToken", next))
}

fn check_describe(input: &Record) -> Result<(), Fault> {
    if !input.list("AlarmNames").is_empty() && input.has("AlarmNamePrefix") {
        return Err(Fault::validation(
            "AlarmNamePrefix and AlarmNames are mutually exclusive and you have specified both",
        ));
    }
    for name in ["ChildrenOfAlarmName", "ParentsOfAlarmName"].into_iter().filter(|n| input.has(n)) {
        let others = input
            .iter()
            .any(|(other, _)| ![name, "MaxRecords", "NextToken"].contains(&other.as_str()));
        if others {
            return Err(Fault::validation(format!(
                "{name} can only be given together with MaxRecords and NextToken"
            )));
        }
    }
    Ok(())
}

/// The alarms below or above the one a request names, when it names one.
fn related_names(alarms: &Alarms, input: &Record) -> Result<Option<Vec<String>>, Fault> {
    if let Some(name) = input.text("ParentsOfAlarmName") {
        return Ok(Some(alarms.parents(name).into_iter().map(ToOwned::to_owned).collect()));
    }
    let Some(name) = input.text("ChildrenOfAlarmName") else { return Ok(None) };
    let composite = alarms.all.get(name).and_then(|alarm| alarm.composite());
    let composite = composite.ok_or_else(|| {
        Fault::validation(format!("The alarm {name} does not exist or is not a composite alarm"))
    })?;
    Ok(Some(composite.rule.children().into_iter().map(|c| bare_name(c).to_owned()).collect()))
}

fn named(home: &Home, name: &str) -> Record {
    Record::new().with("AlarmName", name).with("AlarmArn", home.alarm(name))
}

fn brief(home: &Home, name: &str, alarm: &Alarm) -> Record {
    named(home, name)
        .with("StateValue", alarm.status.state.name())
        .with_time("StateUpdatedTimestamp", alarm.status.updated)
}

fn describe(home: &Home, name: &str, alarm: &Alarm) -> Record {
    let shared = [
        "AlarmDescription",
        "OKActions",
        "AlarmActions",
        "InsufficientDataActions",
        "AlarmRule",
        "ActionsSuppressor",
        "ActionsSuppressorWaitPeriod",
        "ActionsSuppressorExtensionPeriod",
        "MetricName",
        "Namespace",
        "Statistic",
        "ExtendedStatistic",
        "Dimensions",
        "Period",
        "Unit",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "Threshold",
        "ComparisonOperator",
        "TreatMissingData",
        "EvaluateLowSampleCountPercentile",
        "Metrics",
        "EvaluationWindow",
    ];
    let status = &alarm.status;
    let mut record = brief(home, name, alarm)
        .with_time("AlarmConfigurationUpdatedTimestamp", alarm.configured)
        .with("ActionsEnabled", alarm.actions_enabled)
        .with("StateReason", status.reason.as_str())
        .with_some("StateReasonData", Some(status.reason_data.as_str()).filter(|d| !d.is_empty()))
        .with_some("ActionsSuppressedBy", status.suppressed.map(SuppressedBy::name))
        .with_some("ActionsSuppressedReason", status.suppressed.map(SuppressedBy::reason))
        .with_time("StateTransitionedTimestamp", alarm.transitioned);
    let lists = ["OKActions", "AlarmActions", "InsufficientDataActions"];
    let dimensions = matches!(alarm.kind, Kind::Metric(_)).then_some("Dimensions");
    for list in lists.into_iter().chain(dimensions) {
        record.set(list, Value::Array(Vec::new()));
    }
    record.with_copies(&alarm.config, &shared)
}

/// `DescribeAlarmsForMetric`: the metric alarms on exactly that metric.
pub(crate) fn describe_alarms_for_metric(alarms: &Alarms, input: &Record) -> Record {
    let key = metric_key(input);
    let same = |alarm: &Alarm, name: &str| match input.get(name) {
        Some(wanted) => alarm.config.get(name) == Some(wanted),
        None => true,
    };
    let wanted = |alarm: &Alarm| {
        let Kind::Metric(watch) = &alarm.kind else { return false };
        match &watch.subject {
            Subject::Metric(source) => {
                source.key == key
                    && ["Statistic", "ExtendedStatistic", "Period", "Unit"]
                        .iter()
                        .all(|name| same(alarm, name))
            }
            Subject::Queries { queries, .. } => queries
                .all
                .iter()
                .any(|query| matches!(&query.source, Source::Metric(source) if source.key == key)),
        }
    };
    let found: Vec<Record> = alarms
        .all
        .iter()
        .filter(|(_, alarm)| wanted(alarm))
        .map(|(name, alarm)| describe(&alarms.home, name, alarm))
        .collect();
    Record::new().with("MetricAlarms", found)
}
