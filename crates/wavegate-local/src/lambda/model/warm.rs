//! Provisioned concurrency, for whoever really starts environments: which are to be started and kept, and
//! what came of it.
//!
//! Nobody need do so: without [`Lambda::start_provisioned`] they are ready when their time has come.

use std::collections::BTreeMap;

use super::Lambda;
use super::admission::Route;
use super::beside::ProvisionedRecord;
use super::record::{AliasRecord, Deployed, FunctionRecord};
use crate::lambda::error::ApiError;

/// AWS's reason for environments whose code failed to initialize.
const INIT_FAILURE: &str = "FUNCTION_ERROR_INIT_FAILURE";

/// Environments that are to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Tells it apart from others for the same configuration.
    number: u64,
    key: String,
    /// How many.
    pub count: u32,
    /// What they run.
    pub route: Route,
}

/// The environments that are to be there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// How many of each deployment.
    pub environments: BTreeMap<String, u32>,
    /// When others are, without any call.
    pub until_ms: Option<i64>,
}

/// The starts that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// None if nobody takes them.
    waiting: Option<Vec<(u64, String, String)>>,
    count: u64,
}

impl Starts {
    /// Asks for a start of what belongs to a key of a function; its number, if anybody takes it.
    pub(super) fn ask(&mut self, function: &str, key: &str) -> Option<u64> {
        let waiting = self.waiting.as_mut()?;
        self.count += 1;
        waiting.push((self.count, function.to_owned(), key.to_owned()));
        Some(self.count)
    }
}

impl Lambda {
    /// From now on environments are started for provisioned concurrency, also for what is there.
    pub fn start_provisioned(&mut self) {
        let starts = &mut self.starts;
        starts.waiting = Some(Vec::new());
        for function in self.functions.values() {
            for key in function.beside.provisioned.keys() {
                // Not noted in the record: what was ready before a restart stays so.
                starts.ask(&function.name, key);
            }
        }
    }

    /// What has to be started since the last call.
    pub fn take_starts(&mut self, now: i64) -> Vec<Start> {
        let waiting = self.starts.waiting.as_mut().map(std::mem::take).unwrap_or_default();
        let starts = waiting.into_iter().filter_map(|(number, name, key)| {
            let function = self.functions.get(&name)?;
            let count = function.beside.provisioned.get(&key)?.requested;
            let route = self.route_of(now, function, target(function, &key))?;
            Some(Start { number, key, count, route })
        });
        starts.collect()
    }

    /// What is to be kept now. While an alias moves that is what it leaves, too.
    pub fn provisioned_environments(&self, now: i64) -> Kept {
        let mut kept = Kept::default();
        for function in self.functions.values() {
            for (key, record) in &function.beside.provisioned {
                let left = function.aliases.get(key).and_then(|alias| {
                    let end = alias.settling.as_ref().filter(|end| end.done_at_ms > now)?;
                    kept.until_ms = Some(kept.until_ms.unwrap_or(i64::MAX).min(end.done_at_ms));
                    alias.additional.as_ref().map(|(version, _)| version.as_str())
                });
                for version in left.into_iter().chain([target(function, key)]) {
                    if let Some(version) = function.version(version) {
                        *kept.environments.entry(version.deployment.clone()).or_default() +=
                            record.requested;
                    }
                }
            }
        }
        kept
    }

    /// Notes that environments were started, or that their code failed. What was asked for anew in the
    /// meantime is left alone.
    pub fn provisioned_started(
        &mut self,
        now: i64,
        start: &Start,
        is_ready: bool,
    ) -> Result<(), ApiError> {
        let function = self.function_mut(now, &start.route.function)?;
        if let Some(record) = function.beside.provisioned.get_mut(&start.key)
            && record.start == Some(start.number)
        {
            record.start = None;
            record.failure = (!is_ready).then(|| INIT_FAILURE.to_owned());
        }
        Ok(())
    }

    fn route_of(&self, now: i64, function: &FunctionRecord, version: &str) -> Option<Route> {
        let version = function.version(version)?.settled(now);
        Some(Route {
            function: function.name.clone(),
            qualifier: Some(version.version.clone()),
            alias: None,
            invoked_arn: self.home.arn(&function.name, Some(&version.version)),
            deployed: Deployed {
                configuration: version.configuration,
                code: version.code,
                deployment: version.deployment,
            },
            version: version.version,
        })
    }
}

impl ProvisionedRecord {
    /// Whether its environments are there.
    pub(super) fn is_ready(&self, now: i64) -> bool {
        self.ready_at_ms <= now && self.start.is_none() && self.failure.is_none()
    }
}

impl AliasRecord {
    /// Whether it has left a version whose environments serve until others are ready.
    pub(super) fn still_serves(&self, version: &str, now: i64) -> bool {
        self.settling.as_ref().is_some_and(|end| end.done_at_ms > now)
            && self.additional.as_ref().is_some_and(|(left, _)| left == version)
    }
}

/// The version that a key stands for.
fn target<'a>(function: &'a FunctionRecord, key: &'a str) -> &'a str {
    function.aliases.get(key).map_or(key, |alias| alias.function_version.as_str())
}
