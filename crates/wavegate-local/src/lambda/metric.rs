//! The CloudWatch metrics of invocations, with the names and dimensions AWS uses.

use super::model::Route;
use crate::cloudwatch::{Datum, Unit};

/// What one attempt to invoke came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Attempt {
    /// It ran. Throttles count neither as invocations nor as errors.
    Ran {
        /// Milliseconds it ran.
        duration_ms: f64,
        /// Whether it ended in a function error.
        failed: bool,
        /// The function's invocations under way when it started, itself included.
        concurrent: u32,
    },
    /// It was refused for lack of concurrency.
    Throttled,
}

/// The data of one attempt, timestamped at its start. As on AWS every set of dimensions gets them:
/// none, the function, what was named (`fn`, `fn:7`, `fn:live`), and for an alias the version too.
pub fn data(route: &Route, attempt: Attempt, started_ms: i64) -> Vec<Datum> {
    let values: Vec<(&str, f64, Unit)> = match attempt {
        Attempt::Ran { duration_ms, failed, concurrent } => vec![
            ("Invocations", 1.0, Unit::Count),
            ("Errors", if failed { 1.0 } else { 0.0 }, Unit::Count),
            ("Throttles", 0.0, Unit::Count),
            ("Duration", duration_ms, Unit::Milliseconds),
            ("ConcurrentExecutions", f64::from(concurrent), Unit::Count),
        ],
        Attempt::Throttled => vec![("Throttles", 1.0, Unit::Count)],
    };
    let mut data = Vec::with_capacity(values.len() * 4);
    for dimensions in dimensions(route) {
        for (name, value, unit) in &values {
            data.push(Datum {
                namespace: "AWS/Lambda".to_owned(),
                name: (*name).to_owned(),
                dimensions: dimensions.clone(),
                timestamp_ms: started_ms,
                value: *value,
                unit: *unit,
            });
        }
    }
    data
}

/// The datum of an asynchronous event that could not be put where it should go when it is over: the
/// local cloud has neither queues nor topics.
pub fn undelivered(function: &str, is_dead_letter: bool, at_ms: i64) -> Datum {
    let name = if is_dead_letter { "DeadLetterErrors" } else { "DestinationDeliveryFailures" };
    Datum {
        namespace: "AWS/Lambda".to_owned(),
        name: name.to_owned(),
        dimensions: vec![("FunctionName".to_owned(), function.to_owned())],
        timestamp_ms: at_ms,
        value: 1.0,
        unit: Unit::Count,
    }
}

fn dimensions(route: &Route) -> Vec<Vec<(String, String)>> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let function = pair("FunctionName", &route.function);
    let resource = match &route.qualifier {
        Some(qualifier) => format!("{}:{qualifier}", route.function),
        None => route.function.clone(),
    };
    let resource = pair("Resource", &resource);
    let mut all =
        vec![Vec::new(), vec![function.clone()], vec![function.clone(), resource.clone()]];
    if route.alias.is_some() {
        all.push(vec![function, resource, pair("ExecutedVersion", &route.version)]);
    }
    all
}
