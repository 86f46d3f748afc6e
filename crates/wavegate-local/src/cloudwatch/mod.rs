//! CloudWatch, as far as rollouts and the curious need it: metrics, alarms and dashboards.
//!
//! Pure state and rules: every method takes the time, none reads a clock, touches the network or
//! waits. The server around it passes requests in and answers out, and calls [`CloudWatch::tick`]
//! when it said the next evaluation is due. Invariants: the same calls in the same order give the
//! same answers; answers do not depend on when exactly `tick` was called. Anomaly detectors, metric
//! streams and insight rules are kept and shown only. Deliberately absent: anomaly detection, log
//! alarms, mute rules, widget images and Metrics Insights.

mod alarm;
mod alarm_operations;
mod alarms;
mod check;
mod dashboards;
mod fault;
mod histogram;
mod home;
mod identity;
mod insights;
mod judge;
mod labels;
mod math;
mod metric_operations;
mod page;
mod queries;
mod resources;
mod rule;
mod search;
mod snapshot;
mod statistic;
mod store;
mod tags;
#[cfg(test)]
mod tests;
mod unit;
mod value;

use std::collections::BTreeMap;

use axum::body::Bytes;

pub(crate) use alarm::State as AlarmState;
use alarm_operations::Actions;
use alarms::Alarms;
pub(crate) use alarms::Invocation;
use dashboards::Dashboards;
use fault::Fault;
use home::Home;
use resources::Resources;
use store::{MetricKey, Samples, Store};
pub use unit::Unit;
use value::Record;

use crate::wire::{self, Input, Output};

/// One sample of a metric, as a service of the local cloud reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// The namespace, such as `AWS/Lambda`.
    pub namespace: String,
    /// The metric's name, such as `Errors`.
    pub name: String,
    /// The dimensions as name and value, in any order.
    pub dimensions: Vec<(String, String)>,
    /// When it was measured, in milliseconds since the epoch (virtual time).
    pub timestamp_ms: i64,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

/// The CloudWatch of one account in one region.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    store: Store,
    alarms: Alarms,
    dashboards: Dashboards,
    resources: Resources,
    /// When old data was last dropped (milliseconds).
    pruned: i64,
}

/// How often old data is dropped, in milliseconds of virtual time.
const PRUNE_EVERY: i64 = 3_600_000;

/// The largest absolute value CloudWatch takes: 2^360.
pub(crate) fn largest_value() -> f64 {
    360.0_f64.exp2()
}

impl CloudWatch {
    /// An empty CloudWatch. `region` and `account` appear in the ARNs of alarms.
    pub fn new(region: &str, account: &str) -> Self {
        let home = Home { region: region.to_owned(), account: account.to_owned() };
        Self {
            store: Store::default(),
            alarms: Alarms::new(home),
            dashboards: Dashboards::default(),
            resources: Resources::default(),
            pruned: i64::MIN,
        }
    }

    /// Records a sample with a resolution of one minute. Values CloudWatch would refuse (not
    /// finite, or beyond 2^360) are dropped.
    pub fn record(&mut self, datum: Datum) {
        // NaN compares as false, so it is dropped as well.
        if datum.value.abs() <= largest_value() {
            let key = MetricKey::new(datum.namespace, datum.name, datum.dimensions);
            let samples = Samples::Value { value: datum.value, count: 1.0 };
            self.store.add(key, datum.unit, datum.timestamp_ms, false, samples);
        }
    }

    /// Answers a request, if it fits its shape.
    pub(crate) fn answer(&mut self, now_ms: i64, input: &Input) -> Result<Output, wire::Fault> {
        self.tick(now_ms);
        check::check(input)?;
        let members = self.perform(now_ms, &input.operation.name, &input.members)?;
        // Composite alarms follow at once what the request changed.
        self.tick(now_ms);
        Ok(Output { members, payload: Bytes::new() })
    }

    /// Makes all evaluations of alarms that are due, each as of its own moment; returns when the
    /// next one is due, or `None` when there are no alarms to evaluate.
    pub fn tick(&mut self, now_ms: i64) -> Option<i64> {
        if now_ms.saturating_sub(self.pruned) >= PRUNE_EVERY || now_ms < self.pruned {
            self.store.prune(now_ms);
            self.pruned = now_ms;
        }
        self.alarms.tick(&self.store, now_ms)
    }

    /// Everything that must survive a restart: alarms, their states and history, metric data.
    /// The value carries a format number.
    pub fn snapshot(&self) -> serde_json::Value {
        snapshot::take(self)
    }

    /// Puts back what [`snapshot`](Self::snapshot) gave. On an error nothing is changed, and the
    /// message says where the value is not what it should be.
    pub fn restore(&mut self, value: serde_json::Value) -> Result<(), String> {
        let restored = snapshot::read(value, &self.alarms.home)?;
        self.store = restored.store;
        self.alarms = restored.alarms;
        self.dashboards = restored.dashboards;
        self.resources = restored.resources;
        self.pruned = i64::MIN;
        Ok(())
    }

    /// The state of every alarm, as of `now_ms`.
    pub(crate) fn alarm_states(&mut self, now_ms: i64) -> BTreeMap<String, AlarmState> {
        self.tick(now_ms);
        self.alarms.all.iter().map(|(name, alarm)| (name.clone(), alarm.status.state)).collect()
    }

    /// The functions that alarms want invoked and nobody has taken yet. Whoever takes one says how
    /// it went by [`invoked`](Self::invoked).
    pub(crate) fn take_invocations(&mut self) -> Vec<Invocation> {
        self.alarms.take_invocations()
    }

    /// Remembers in the history how an invocation went, or why it was refused.
    pub(crate) fn invoked(&mut self, now_ms: i64, number: u64, outcome: Result<(), String>) {
        self.alarms.invoked(number, outcome, now_ms);
    }

    fn perform(&mut self, now_ms: i64, operation: &str, input: &Record) -> Result<Record, Fault> {
        match operation {
            "TagResource" => return tags::tag_resource(self, input),
            "UntagResource" => return tags::untag_resource(self, input),
            "ListTagsForResource" => return tags::list_tags_for_resource(self, input),
            _ => {}
        }
        let Self { store, alarms, dashboards, resources, .. } = self;
        match operation {
            "PutMetricData" => metric_operations::put_metric_data(store, now_ms, input),
            "GetMetricData" => metric_operations::get_metric_data(store, &alarms.home, input),
            "GetMetricStatistics" => metric_operations::get_metric_statistics(store, input),
            "ListMetrics" => metric_operations::list_metrics(store, now_ms, input),
            "PutMetricAlarm" => alarm_operations::put_metric_alarm(alarms, now_ms, input),
            "PutCompositeAlarm" => alarm_operations::put_composite_alarm(alarms, now_ms, input),
            "DescribeAlarms" => alarm_operations::describe_alarms(alarms, input),
            "DescribeAlarmsForMetric" => {
                Ok(alarm_operations::describe_alarms_for_metric(alarms, input))
            }
            "DescribeAlarmHistory" => alarm_operations::describe_alarm_history(alarms, input),
            "DeleteAlarms" => alarm_operations::delete_alarms(alarms, now_ms, input),
            "SetAlarmState" => alarm_operations::set_alarm_state(alarms, now_ms, input),
            "EnableAlarmActions" => {
                Ok(alarm_operations::switch_actions(alarms, now_ms, input, Actions::Enabled))
            }
            "DisableAlarmActions" => {
                Ok(alarm_operations::switch_actions(alarms, now_ms, input, Actions::Disabled))
            }
            "PutDashboard" => dashboards.put(now_ms, input),
            "GetDashboard" => dashboards.get(&alarms.home, input),
            "ListDashboards" => dashboards.list(&alarms.home, input),
            "DeleteDashboards" => dashboards.delete(input),
            other => {
                let done = resources.perform(&alarms.home, now_ms, other, input);
                done.unwrap_or_else(|| {
                    Err(Fault::validation(format!(
                        "The local cloud offers {other} and does not perform it"
                    )))
                })
            }
        }
    }
}
