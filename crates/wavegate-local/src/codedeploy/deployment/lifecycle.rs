//! The lifecycle events of a deployment, in their order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A lifecycle event of a Lambda deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Event {
    Start,
    BeforeAllowTraffic,
    AllowTraffic,
    AfterAllowTraffic,
    End,
}

const ORDER: [Event; 5] = [
    Event::Start,
    Event::BeforeAllowTraffic,
    Event::AllowTraffic,
    Event::AfterAllowTraffic,
    Event::End,
];

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// `LifecycleEventStatus`, as far as it occurs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Pending,
    InProgress,
    Succeeded,
    Failed,
    Skipped,
}

/// `LifecycleErrorCode`, as far as it occurs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Diagnosis {
    /// The function could not be invoked.
    #[serde(rename = "ScriptMissing")]
    Missing,
    /// It did not report in time.
    #[serde(rename = "ScriptTimedOut")]
    TimedOut,
    /// It reported that it failed.
    #[serde(rename = "ScriptFailed")]
    Failed,
}

/// How far one event has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) event: Event,
    pub(crate) stage: Stage,
    pub(crate) started_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) diagnosis: Option<(Diagnosis, String)>,
}

/// All events of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Lifecycle(Vec<Entry>);

impl Default for Lifecycle {
    fn default() -> Self {
        let pending = ORDER.map(|event| Entry {
            event,
            stage: Stage::Pending,
            started_ms: None,
            ended_ms: None,
            diagnosis: None,
        });
        Self(pending.into())
    }
}

impl Lifecycle {
    /// The events in their order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// How far an event has come.
    pub(crate) fn stage(&self, event: Event) -> Stage {
        let entry = self.0.iter().find(|entry| entry.event == event);
        entry.map_or(Stage::Pending, |entry| entry.stage)
    }

    pub(super) fn begin(&mut self, event: Event, now: i64) {
        self.change(event, |entry| {
            entry.stage = Stage::InProgress;
            entry.started_ms = Some(now);
        });
    }

    pub(super) fn succeed(&mut self, event: Event, now: i64) {
        self.change(event, |entry| {
            entry.stage = Stage::Succeeded;
            entry.ended_ms = Some(now);
        });
    }

    pub(super) fn fail(&mut self, event: Event, now: i64, why: Option<(Diagnosis, String)>) {
        self.change(event, |entry| {
            entry.stage = Stage::Failed;
            entry.ended_ms = Some(now);
            entry.diagnosis = why;
        });
    }

    /// The deployment ends here: what is under way has failed, what is still to come is skipped.
    pub(super) fn cut_off(&mut self, now: i64) {
        for entry in &mut self.0 {
            match entry.stage {
                Stage::InProgress => {
                    entry.stage = Stage::Failed;
                    entry.ended_ms = Some(now);
                }
                Stage::Pending => entry.stage = Stage::Skipped,
                Stage::Succeeded | Stage::Failed | Stage::Skipped => {}
            }
        }
    }

    fn change(&mut self, event: Event, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.event == event) {
            change(entry);
        }
    }
}
