//! CloudWatch, as far as rollouts and the curious need it: metrics, alarms, and three protocols.
//!
//! Pure state and rules: every method takes the time, none reads a clock, touches the network or
//! waits. The server around it passes requests in and answers out, and calls [`CloudWatch::tick`]
//! when it said the next evaluation is due. Invariants: the same calls in the same order give the
//! same answers; answers do not depend on when exactly `tick` was called; each operation is written
//! once for all protocols. Deliberately absent: dashboards, anomaly detection, log
//! alarms, metric streams, Metrics Insights, actions of alarms, and signatures.

mod alarm;
mod alarm_operations;
mod alarms;
mod fault;
mod histogram;
mod judge;
mod math;
mod metric_operations;
mod page;
mod queries;
mod rule;
mod shapes;
mod snapshot;
mod statistic;
mod store;
#[cfg(test)]
mod tests;
mod unit;
mod validate;
mod value;
mod wire;

use std::collections::BTreeMap;

pub(crate) use alarm::State as AlarmState;
use alarm_operations::{Actions, Home};
use alarms::Alarms;
use fault::{Fault, FaultKind};
use store::{MetricKey, Samples, Store};
pub use unit::Unit;
use value::Record;
pub use wire::{WireRequest, WireResponse};

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
    home: Home,
    store: Store,
    alarms: Alarms,
    /// When old data was last dropped (milliseconds).
    pruned: i64,
    /// How many requests were answered; request ids are made from it.
    requests: u64,
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
        Self {
            home: Home { region: region.to_owned(), account: account.to_owned() },
            store: Store::default(),
            alarms: Alarms::default(),
            pruned: i64::MIN,
            requests: 0,
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

    /// Whether a request is for CloudWatch: by its path (rpc-v2-cbor), its target (AWS JSON), the
    /// scope of its signature, or, when it is an unsigned form, the API version in it. `headers`
    /// have lower-case names.
    pub fn is_request(path: &str, headers: &[(String, String)], body: &[u8]) -> bool {
        wire::is_request(path, headers, body)
    }

    /// Answers a request. Refusals are answers too: there is no other error.
    pub fn handle(&mut self, now_ms: i64, request: &WireRequest) -> WireResponse {
        self.tick(now_ms);
        self.requests += 1;
        let request_id = request_id(now_ms, self.requests);
        let response = wire::answer(request, &request_id, |operation, input| {
            self.perform(now_ms, operation.name, input)
        });
        // Composite alarms follow at once what the request changed.
        self.tick(now_ms);
        response
    }

    /// The refusal of a request whose caller may not make it, in the protocol of the request.
    pub fn deny(request: &WireRequest, why: &str, request_id: &str) -> WireResponse {
        wire::deny(request, why, request_id)
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
        let (store, alarms) = snapshot::read(value)?;
        self.store = store;
        self.alarms = alarms;
        self.pruned = i64::MIN;
        Ok(())
    }

    /// The state of every alarm, as of `now_ms`.
    pub(crate) fn alarm_states(&mut self, now_ms: i64) -> BTreeMap<String, AlarmState> {
        self.tick(now_ms);
        self.alarms.all.iter().map(|(name, alarm)| (name.clone(), alarm.state)).collect()
    }

    fn perform(&mut self, now_ms: i64, operation: &str, input: &Record) -> Result<Record, Fault> {
        let Self { home, store, alarms, .. } = self;
        match operation {
            "PutMetricData" => metric_operations::put_metric_data(store, now_ms, input),
            "GetMetricData" => metric_operations::get_metric_data(store, input),
            "GetMetricStatistics" => metric_operations::get_metric_statistics(store, input),
            "ListMetrics" => metric_operations::list_metrics(store, now_ms, input),
            "PutMetricAlarm" => alarm_operations::put_metric_alarm(alarms, now_ms, input),
            "PutCompositeAlarm" => alarm_operations::put_composite_alarm(alarms, now_ms, input),
            "DescribeAlarms" => alarm_operations::describe_alarms(alarms, home, input),
            "DescribeAlarmsForMetric" => {
                Ok(alarm_operations::describe_alarms_for_metric(alarms, home, input))
            }
            "DescribeAlarmHistory" => alarm_operations::describe_alarm_history(alarms, input),
            "DeleteAlarms" => alarm_operations::delete_alarms(alarms, now_ms, input),
            "SetAlarmState" => alarm_operations::set_alarm_state(alarms, now_ms, input),
            "EnableAlarmActions" => {
                Ok(alarm_operations::switch_actions(alarms, input, Actions::Enabled))
            }
            "DisableAlarmActions" => {
                Ok(alarm_operations::switch_actions(alarms, input, Actions::Disabled))
            }
            "TagResource" => alarm_operations::tag_resource(alarms, input),
            "UntagResource" => alarm_operations::untag_resource(alarms, input),
            "ListTagsForResource" => alarm_operations::list_tags_for_resource(alarms, input),
            other => Err(Fault::new(
                FaultKind::UnknownOperation,
                format!("The local cloud does not perform CloudWatch's operation {other}"),
            )),
        }
    }
}

/// A request id in the form of AWS's, the same for the same request of the same run.
fn request_id(now_ms: i64, number: u64) -> String {
    // SplitMix64: spreads the two numbers over all digits.
    let mix = |seed: u64| {
        let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        seed ^ (seed >> 31)
    };
    let high = mix(now_ms.cast_unsigned());
    let low = mix(high ^ number);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}
