//! How asynchronous events of a function are delivered.

use super::Lambda;
use super::beside::EventInvokeRecord;
use crate::lambda::name::LATEST;

/// AWS: attempts after the first one.
const RETRIES: u32 = 2;
/// AWS: virtual milliseconds an event may wait.
const AGE_MAX_MS: i64 = 6 * 3_600_000;

/// The rules for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Attempts after the first one.
    pub retries: u32,
    /// Virtual milliseconds an event may wait.
    pub age_max_ms: i64,
    /// Where the record of a success goes.
    pub on_success: Option<String>,
    /// Where the record of a failure goes.
    pub on_failure: Option<String>,
}

impl Lambda {
    /// The rules for events that name a function and perhaps a qualifier: AWS's own unless the
    /// function says otherwise for that very qualifier.
    pub fn delivery(&self, function: &str, qualifier: Option<&str>) -> Delivery {
        let configs = self.functions.get(function).map(|record| &record.beside.event_invoke);
        // The function itself and `$LATEST` are one and the same.
        let keys = match qualifier {
            None | Some(LATEST) => ["", LATEST],
            Some(qualifier) => [qualifier; 2],
        };
        let found = configs.and_then(|configs| keys.iter().find_map(|key| configs.get(*key)));
        let destination = |kind: &str| {
            let all = found.and_then(|config| config.destinations.as_ref())?;
            all[kind]["Destination"].as_str().map(ToOwned::to_owned)
        };
        let given = |of: fn(&EventInvokeRecord) -> Option<i64>| found.and_then(of);
        Delivery {
            retries: given(|config| config.retries)
                .and_then(|retries| u32::try_from(retries).ok())
                .unwrap_or(RETRIES),
            age_max_ms: given(|config| config.age_max_s)
                .map_or(AGE_MAX_MS, |seconds| seconds.saturating_mul(1000)),
            on_success: destination("OnSuccess"),
            on_failure: destination("OnFailure"),
        }
    }

    /// Whether a function was given no concurrency at all, and so never runs.
    pub fn is_shut(&self, function: &str) -> bool {
        self.functions.get(function).is_some_and(|record| record.reserved == Some(0))
    }
}
