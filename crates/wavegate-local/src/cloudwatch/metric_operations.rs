//! The operations on metric data: `PutMetricData`, `GetMetricData`, `GetMetricStatistics` and
//! `ListMetrics`.

mod get_data;
mod get_statistics;
mod list;
mod put_data;

pub(crate) use get_data::get_metric_data;
pub(crate) use get_statistics::get_metric_statistics;
pub(crate) use list::list_metrics;
pub(crate) use put_data::put_metric_data;

use super::fault::{Fault, FaultKind};

/// What is wrong with a request, gathered; the gravest kind names the error.
#[derive(Default)]
struct Problems {
    found: Vec<(FaultKind, String)>,
}

impl Problems {
    fn value(&mut self, sentence: String) {
        self.found.push((FaultKind::InvalidParameterValue, sentence));
    }

    fn combination(&mut self, sentence: String) {
        self.found.push((FaultKind::InvalidParameterCombination, sentence));
    }

    fn missing(&mut self, sentence: String) {
        self.found.push((FaultKind::MissingParameter, sentence));
    }

    fn refuse(self) -> Result<(), Fault> {
        let Some((kind, _)) = self.found.first() else { return Ok(()) };
        let sentences: Vec<&str> =
            self.found.iter().map(|(_, sentence)| sentence.as_str()).collect();
        Err(Fault::new(*kind, sentences.join(" ")))
    }
}

/// Rounds a start down as CloudWatch does: to the period below a minute, else to the minute.
fn rounded_start(start: i64, period: i64) -> i64 {
    let step = if period < 60_000 { period } else { 60_000 };
    start.div_euclid(step) * step
}
