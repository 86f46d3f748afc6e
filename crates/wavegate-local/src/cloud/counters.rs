//! What was called, needed, refused and served since the cloud was started.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::iam::Need;

/// Different refusals that are kept: more than any policy has holes.
const REFUSALS_MAX: usize = 1_000;

/// Counts, by all threads.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: Mutex<Counts>,
}

/// What was counted.
#[derive(Debug, Default, Clone, Serialize)]
pub(super) struct Counts {
    /// Calls by operation.
    pub(super) calls: BTreeMap<String, u64>,
    /// Permissions that signed calls needed, by action.
    pub(super) needed: BTreeMap<String, u64>,
    /// Calls that the policies did not allow, in the words they were refused with.
    pub(super) refused: BTreeMap<String, u64>,
    /// What versions served, by alias.
    pub(super) served: BTreeMap<String, BTreeMap<String, Served>>,
}

/// What one version served through one alias.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Served {
    invocations: u64,
    errors: u64,
}

impl Counters {
    /// A call of an operation.
    pub(super) fn call(&self, operation: &str) {
        *self.counts().calls.entry(operation.to_owned()).or_default() += 1;
    }

    /// What a call needed.
    pub(super) fn needs(&self, needs: &[Need]) {
        let mut counts = self.counts();
        for need in needs {
            *counts.needed.entry(need.action.clone()).or_default() += 1;
        }
    }

    /// A call that was refused, and why.
    pub(super) fn refusal(&self, why: &str) {
        let mut counts = self.counts();
        if counts.refused.len() < REFUSALS_MAX {
            *counts.refused.entry(why.to_owned()).or_default() += 1;
        }
    }

    /// What a version served through an alias.
    pub(super) fn served(&self, alias: String, version: &str, failed: bool) {
        let mut counts = self.counts();
        let served = counts.served.entry(alias).or_default().entry(version.to_owned()).or_default();
        served.invocations += 1;
        served.errors += u64::from(failed);
    }

    /// All of it.
    pub(super) fn all(&self) -> Counts {
        self.counts().clone()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
