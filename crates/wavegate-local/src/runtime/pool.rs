//! The environments of a cloud, and which of them wait for an event.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::environment::Environment;
use crate::clock::Stopwatch;
use crate::home::Home;

/// How long an environment may be idle, in real time. AWS keeps them for some minutes.
const IDLE_MAX: Duration = Duration::from_mins(5);
/// Provisioned environments that are really started ahead, over all functions: half a gigabyte of small
/// ones. Those beyond are started when they are needed.
const PROVISIONED_MAX: usize = 16;

/// Which environments can run a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) home: Arc<Home>,
    pub(super) deployment: String,
    pub(super) is_provisioned: bool,
}

/// The environments.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: HashMap<Kind, Vec<(Arc<Environment>, Stopwatch)>>,
    all: BTreeMap<u64, Arc<Environment>>,
    /// How many are provisioned for each deployment.
    kept: HashMap<Arc<Home>, BTreeMap<String, u32>>,
    next_id: u64,
    is_closed: bool,
}

impl Pool {
    /// A number for a new environment.
    pub(super) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Adds one that is in use. False if there are to be none any more.
    pub(super) fn add(&mut self, environment: &Arc<Environment>) -> bool {
        if !self.is_closed {
            self.all.insert(environment.id(), Arc::clone(environment));
        }
        !self.is_closed
    }

    /// Takes the idle one that was used last: the others can grow old.
    pub(super) fn take(&mut self, kind: &Kind) -> Option<Arc<Environment>> {
        let (environment, _) = self.idle.get_mut(kind)?.pop()?;
        Some(environment)
    }

    /// Takes one back that is idle now. False if it is not wanted any more.
    pub(super) fn give_back(&mut self, environment: Arc<Environment>) -> bool {
        let kind = environment.kind();
        let is_wanted = !kind.is_provisioned || self.existing(kind) <= self.wanted(kind);
        if self.is_closed || !is_wanted {
            self.all.remove(&environment.id());
            return false;
        }
        let idle = self.idle.entry(kind.clone()).or_default();
        idle.push((environment, Stopwatch::start()));
        true
    }

    /// Forgets one that ends.
    pub(super) fn forget(&mut self, environment: &Environment) {
        self.all.remove(&environment.id());
    }

    /// Takes out those of a home that were idle for long, and those of deployments that are not in `live`.
    pub(super) fn old(&mut self, home: &Home, live: &BTreeSet<String>) -> Vec<Arc<Environment>> {
        self.take_idle(|kind, since| {
            let is_kept = kind.is_provisioned || since.elapsed() < IDLE_MAX;
            *kind.home == *home && !(is_kept && live.contains(&kind.deployment))
        })
    }

    /// Says how many are provisioned for each deployment of a home. Takes out idle ones beyond that.
    pub(super) fn keep(
        &mut self,
        home: &Arc<Home>,
        kept: BTreeMap<String, u32>,
    ) -> Vec<Arc<Environment>> {
        self.kept.insert(Arc::clone(home), kept);
        let mut surplus: HashMap<Kind, usize> = HashMap::new();
        for kind in self.idle.keys().filter(|kind| kind.is_provisioned && kind.home == *home) {
            surplus.insert(kind.clone(), self.existing(kind).saturating_sub(self.wanted(kind)));
        }
        self.take_idle(|kind, _| {
            surplus.get_mut(kind).filter(|left| **left > 0).is_some_and(|left| {
                *left -= 1;
                true
            })
        })
    }

    /// How many provisioned ones of a kind are still to be started.
    pub(super) fn missing(&self, kind: &Kind) -> usize {
        let provisioned = self.all.values().filter(|one| one.kind().is_provisioned).count();
        let room = PROVISIONED_MAX.saturating_sub(provisioned);
        self.wanted(kind).saturating_sub(self.existing(kind)).min(room)
    }

    /// Takes all out, and lets no other in.
    pub(super) fn close(&mut self) -> Vec<Arc<Environment>> {
        self.is_closed = true;
        self.idle.clear();
        std::mem::take(&mut self.all).into_values().collect()
    }

    fn take_idle(
        &mut self,
        mut goes: impl FnMut(&Kind, &Stopwatch) -> bool,
    ) -> Vec<Arc<Environment>> {
        let mut taken = Vec::new();
        self.idle.retain(|kind, idle| {
            idle.retain(|(environment, since)| {
                let goes = goes(kind, since);
                if goes {
                    taken.push(Arc::clone(environment));
                }
                !goes
            });
            !idle.is_empty()
        });
        for environment in &taken {
            self.all.remove(&environment.id());
        }
        taken
    }

    fn existing(&self, kind: &Kind) -> usize {
        self.all.values().filter(|one| one.kind() == kind).count()
    }

    fn wanted(&self, kind: &Kind) -> usize {
        let kept = self.kept.get(&kind.home).and_then(|kept| kept.get(&kind.deployment));
        kept.map_or(0, |count| usize::try_from(*count).unwrap_or(usize::MAX))
    }
}
