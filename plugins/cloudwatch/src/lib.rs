//! Alarm providers on Amazon CloudWatch.
//!
//! - `cloudwatch-alarm` reads the state of an alarm that exists.
//! - `cloudwatch-metric` needs none: it measures the candidate's own metric.
//!
//! ```toml
//! [alarms.errors]
//! use = "cloudwatch-metric"
//! metric = "Errors"
//! max = "1%"
//!
//! [alarms.checkout-5xx]
//! use = "cloudwatch-alarm"
//! alarm = "checkout-5xx"
//! ```
//!
//! Invariants:
//! - All questions of one call are folded into as few calls as CloudWatch allows.
//! - What cannot be told is `unknown`, never `ok`.
//! - Nothing is written to CloudWatch.
//!
//! Deliberately absent: a clock (the host's comes in the queries) and any memory between calls.

mod alarm;
mod link;
mod metric;

use wavegate_plugin_sdk::export_plugin;

pub use alarm::{AlarmConfig, CloudWatchAlarm};
pub use metric::{CloudWatchMetric, Max, MetricConfig};

export_plugin! { alarms: [CloudWatchAlarm, CloudWatchMetric] }

#[cfg(test)]
mod testing;
