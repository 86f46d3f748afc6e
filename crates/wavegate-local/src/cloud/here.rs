//! The cloud as one account has it in one region.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::clouds::Shared;
use super::{Core, LocalError};
use crate::cloudwatch::{CloudWatch, Datum};
use crate::codedeploy::{Fault, Question};
use crate::home::Home;
use crate::iam::{self, Need};
use crate::identity::Identity;
use crate::ids::SeededIds;
use crate::lambda::error::ApiError;
use crate::logs::Logs;
use crate::rate::RateLimit;
use crate::rows::Keeper as _;
use crate::state::OfHome;
use crate::sts::Session;
use crate::wire::{self, Request};

/// Virtual milliseconds before the state of deployments that could not be saved is saved.
const AGAIN_MS: i64 = 1_000;

/// What an account has in a region.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) home: Arc<Home>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) logs: Logs,
    pub(crate) rate: Option<RateLimit>,
    core: Mutex<Core>,
    cloudwatch: Mutex<CloudWatch>,
    /// The account's, in all regions. Taken before `core`, never after it.
    identity: Arc<Mutex<Identity>>,
    /// Metric data has changed since it was saved.
    pub(super) is_dirty: Notify,
    /// Alarms have changed, so the next evaluation may be due earlier.
    pub(super) alarms_changed: Notify,
    /// So have deployments, or what they wait for.
    pub(super) deployments_changed: Notify,
    /// So have functions, and perhaps what is provisioned for them.
    pub(crate) functions_changed: Notify,
}

impl Cloud {
    /// What was there before.
    pub(super) fn new(
        home: Arc<Home>,
        shared: Arc<Shared>,
        core: Core,
        cloudwatch: CloudWatch,
        identity: Arc<Mutex<Identity>>,
    ) -> Self {
        Self {
            logs: shared.logs.of(Arc::clone(&home)),
            rate: shared.requests_per_second.map(RateLimit::new),
            home,
            shared,
            core: Mutex::new(core),
            cloudwatch: Mutex::new(cloudwatch),
            identity,
            is_dirty: Notify::new(),
            alarms_changed: Notify::new(),
            deployments_changed: Notify::new(),
            functions_changed: Notify::new(),
        }
    }

    /// Puts back what was kept.
    pub(super) fn restore(&self, kept: OfHome) -> Result<(), String> {
        let mut core = self.core();
        core.lambda.restore(kept.functions, kept.retired);
        core.lambda.restore_rows(kept.lambda)?;
        core.codedeploy.restore_rows(kept.codedeploy)?;
        match kept.cloudwatch {
            Some(value) => self.cloudwatch().restore(value),
            None => Ok(()),
        }
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at Lambda's state, or counts within it, without anything to save.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&mut Core, i64) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut core = self.core();
        let now = self.shared.clock.now_ms();
        look(&mut core, now)
    }

    /// Changes Lambda's state and saves it before the answer goes out.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Core, i64) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut guard = self.core();
        let core = &mut *guard;
        let result = change(core, self.shared.clock.now_ms());
        core.save().map_err(ApiError::service)?;
        self.functions_changed.notify_one();
        result
    }

    /// Lets CodeDeploy answer, saves what that changed, and then lets its deployments go on.
    pub(crate) fn deploy<T>(
        &self,
        change: impl FnOnce(&mut Core, i64) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut guard = self.core();
        let core = &mut *guard;
        let result = change(core, self.shared.clock.now_ms());
        if core.save().map_err(Fault::internal)? {
            self.deployments_changed.notify_one();
        }
        result
    }

    /// Brings all deployments to where they are now; the hooks to be asked, and when the next thing is
    /// due. A hook is asked when it is on disk that it is.
    pub(super) fn advance_deployments(&self) -> (Vec<Question>, Option<i64>) {
        let now = self.shared.clock.now_ms();
        // Before the lock: CloudWatch has its own.
        let alarms = self.cloudwatch().alarm_states(now);
        let mut guard = self.core();
        let core = &mut *guard;
        let next = core.codedeploy.advance(now, &mut core.ids, &mut core.lambda, &alarms);
        self.functions_changed.notify_one();
        match core.save() {
            Ok(_) => (core.codedeploy.take_questions(), next),
            Err(error) => {
                tracing::warn!(%error, "where deployments stand is not saved");
                let soon = now.saturating_add(AGAIN_MS);
                (Vec::new(), Some(next.map_or(soon, |next| next.min(soon))))
            }
        }
    }

    /// Lets IAM answer, and saves what that changed.
    pub(crate) fn with_identity<T>(
        &self,
        answer: impl FnOnce(&mut Identity, i64, &mut SeededIds) -> Result<T, wire::Fault>,
    ) -> Result<T, wire::Fault> {
        let failed = |error: String| wire::Fault::new("ServiceFailureException", error);
        let mut identity = self.identity();
        let result = answer(&mut identity, self.shared.clock.now_ms(), &mut self.core().ids);
        let rows = identity.changes().map_err(|error| failed(error.to_string()))?;
        if !rows.is_empty() {
            let saved = self.shared.state().save_identity(&self.home.account, &rows);
            saved.map_err(|error| failed(error.to_string()))?;
            identity.stored();
        }
        result
    }

    /// The account's roles and policies.
    pub(crate) fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes metric data in.
    pub(crate) fn record(&self, data: impl IntoIterator<Item = Datum>) {
        let mut cloudwatch = self.cloudwatch();
        for datum in data {
            cloudwatch.record(datum);
        }
        drop(cloudwatch);
        self.is_dirty.notify_one();
    }

    /// Lets CloudWatch answer a request; what it says about alarms is saved at once.
    pub(crate) fn with_cloudwatch<T>(
        &self,
        changes_alarms: bool,
        answer: impl FnOnce(&mut CloudWatch, i64) -> T,
    ) -> Result<T, LocalError> {
        let answered = answer(&mut self.cloudwatch(), self.shared.clock.now_ms());
        if changes_alarms {
            self.save_cloudwatch()?;
            self.alarms_changed.notify_one();
        } else {
            self.is_dirty.notify_one();
        }
        Ok(answered)
    }

    pub(super) fn cloudwatch(&self) -> MutexGuard<'_, CloudWatch> {
        self.cloudwatch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn save_cloudwatch(&self) -> Result<(), LocalError> {
        let snapshot = self.cloudwatch().snapshot();
        self.shared.state().save_cloudwatch(&self.home, &snapshot)
    }

    /// Counts a call of an operation.
    pub(crate) fn count(&self, operation: &str) {
        self.shared.counters.call(operation);
    }

    /// Holds a call that somebody signed against the policies; why it is refused, if it is.
    pub(crate) fn refusal(&self, request: &Request, needs: &[Need]) -> Option<String> {
        if !iam::is_somebodys(request) {
            return None;
        }
        self.shared.counters.needs(needs);
        let policies = self.shared.policies.as_deref()?;
        let why = iam::refusal(policies, &self.caller(request).arn, needs)?;
        self.shared.counters.refusal(&why);
        Some(why)
    }

    /// Who calls: whose session the request has; else the account's root or, where there are policies,
    /// the user that has them.
    pub(crate) fn caller(&self, request: &Request) -> Session {
        let account = &self.home.account;
        Session::of(request).unwrap_or_else(|| match self.shared.policies {
            None => Session::of_root(account),
            Some(_) => Session::of_user(account, iam::caller(account)),
        })
    }

    /// Counts what a version served through an alias.
    pub(crate) fn served(&self, function: &str, alias: &str, version: &str, failed: bool) {
        let mut name = format!("{function}:{alias}");
        if *self.home != self.shared.first {
            name = format!("{}/{name}", self.home);
        }
        self.shared.counters.served(name, version, failed);
    }

    /// Ends execution environments that nothing can reach any more.
    pub(crate) fn reap(&self) {
        let live = self.core().lambda.deployments_in_use();
        self.shared.runtime.reap(&self.home, &live);
    }

    /// Looks for the interpreters that functions need, in the background.
    pub(crate) fn prepare_runtimes(&self) {
        for name in self.core().lambda.runtimes() {
            let runtime = self.shared.runtime.clone();
            self.shared.tasks.spawn(async move { runtime.prepare(&name).await });
        }
    }
}
