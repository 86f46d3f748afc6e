//! What a function is told when an alarm invokes it: AWS's event of a change of state.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Alarm, Kind, Status, date};
use crate::cloudwatch::home::Home;
use crate::cloudwatch::identity;
use crate::cloudwatch::value::{Members, Record};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    source: &'static str,
    alarm_arn: String,
    account_id: &'a str,
    time: String,
    region: &'a str,
    alarm_data: AlarmData<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlarmData<'a> {
    alarm_name: &'a str,
    state: StateData<'a>,
    previous_state: StateData<'a>,
    configuration: Configuration<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StateData<'a> {
    value: &'static str,
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason_data: &'a str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressed_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressed_reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Metric<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm_rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressor_wait_period: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressor_extension_period: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metric<'a> {
    id: String,
    #[serde(rename = "metricStat", skip_serializing_if = "Option::is_none")]
    stat: Option<MetricStat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expression: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<i64>,
    return_data: bool,
}

#[derive(Serialize)]
struct MetricStat<'a> {
    metric: MetricName<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stat: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
}

#[derive(Serialize)]
struct MetricName<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    dimensions: BTreeMap<&'a str, &'a str>,
}

/// The event that tells a function of the state an alarm is in and the one it was in before.
pub(crate) fn event(home: &Home, name: &str, alarm: &Alarm, previous: &Status) -> String {
    let event = Event {
        source: "aws.cloudwatch",
        alarm_arn: home.alarm(name),
        account_id: &home.account,
        time: date::full(alarm.status.updated),
        region: &home.region,
        alarm_data: AlarmData {
            alarm_name: name,
            state: state_data(&alarm.status),
            previous_state: state_data(previous),
            configuration: configuration(name, alarm),
        },
    };
    // Cannot fail: all keys are strings, and no writer is involved.
    serde_json::to_string(&event).unwrap_or_default()
}

fn state_data(status: &Status) -> StateData<'_> {
    StateData {
        value: status.state.name(),
        reason: &status.reason,
        reason_data: &status.reason_data,
        timestamp: date::full(status.updated),
        actions_suppressed_by: status.suppressed.map(super::SuppressedBy::name),
        actions_suppressed_reason: status.suppressed.map(super::SuppressedBy::reason),
    }
}

fn configuration<'a>(name: &str, alarm: &'a Alarm) -> Configuration<'a> {
    let config = &alarm.config;
    Configuration {
        description: config.text("AlarmDescription"),
        metrics: match alarm.kind {
            Kind::Composite(_) => Vec::new(),
            Kind::Metric(_) if config.list("Metrics").is_empty() => {
                vec![single_metric(name, alarm)]
            }
            Kind::Metric(_) => config.records("Metrics").map(metric).collect(),
        },
        alarm_rule: config.text("AlarmRule"),
        actions_suppressor: config.text("ActionsSuppressor"),
        actions_suppressor_wait_period: config.integer("ActionsSuppressorWaitPeriod"),
        actions_suppressor_extension_period: config.integer("ActionsSuppressorExtensionPeriod"),
    }
}

/// The metric of an alarm without a list of them; AWS makes up an id with each configuration.
fn single_metric<'a>(name: &str, alarm: &'a Alarm) -> Metric<'a> {
    let config = &alarm.config;
    let stat = config.text("Statistic").or_else(|| config.text("ExtendedStatistic"));
    Metric {
        id: identity::of(&[name.as_bytes(), &alarm.configured.to_le_bytes()]),
        stat: Some(metric_stat(config, config, stat)),
        expression: None,
        label: None,
        period: None,
        return_data: true,
    }
}

fn metric(query: &Record) -> Metric<'_> {
    let stat = query.record("MetricStat");
    Metric {
        id: query.text("Id").unwrap_or_default().to_owned(),
        stat: stat
            .and_then(|stat| Some(metric_stat(stat.record("Metric")?, stat, stat.text("Stat")))),
        expression: query.text("Expression"),
        label: query.text("Label"),
        period: query.integer("Period"),
        return_data: query.boolean("ReturnData").unwrap_or(true),
    }
}

fn metric_stat<'a>(
    metric: &'a Record,
    statistic: &'a Record,
    stat: Option<&'a str>,
) -> MetricStat<'a> {
    let dimensions = metric
        .records("Dimensions")
        .filter_map(|dimension| Some((dimension.text("Name")?, dimension.text("Value")?)));
    MetricStat {
        metric: MetricName {
            namespace: metric.text("Namespace"),
            name: metric.text("MetricName"),
            dimensions: dimensions.collect(),
        },
        period: statistic.integer("Period"),
        stat,
        unit: statistic.text("Unit"),
    }
}
