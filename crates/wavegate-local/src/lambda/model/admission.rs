//! Which version an invocation gets, and whether it may run now.

use std::collections::BTreeMap;

use super::record::{AliasRecord, Deployed};
use super::{ACCOUNT_CONCURRENCY, Lambda};
use crate::ids::Ids;
use crate::lambda::error::ApiError;
use crate::lambda::name::{LATEST, Target};

/// Where one invocation goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The function's plain name.
    pub function: String,
    /// `$LATEST`, the version or the alias the caller named, if any.
    pub qualifier: Option<String>,
    /// The alias the caller named, if it is one.
    pub alias: Option<String>,
    /// The version that was chosen.
    pub version: String,
    /// The ARN the caller named.
    pub invoked_arn: String,
    /// What runs. While `$LATEST` is being updated this is what it was before.
    pub deployed: Deployed,
}

/// A place that one invocation has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The function's plain name.
    pub function: String,
    /// The version that runs.
    pub version: String,
    /// Whether it runs in an environment that was provisioned for it.
    pub is_provisioned: bool,
    /// The function's invocations under way, this one included.
    pub concurrent: u32,
}

impl Lambda {
    /// Chooses the version for one invocation; a weighted alias is decided by chance each time.
    pub fn route(
        &self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Route, ApiError> {
        let Target { name, qualifier } = self.home.resolve(name, qualifier)?;
        let function = self.functions.get(&name);
        if function.is_none() {
            let arn = self.home.arn(&name, Some(qualifier.as_deref().unwrap_or(LATEST)));
            return Err(ApiError::no_function(&arn));
        }
        let alias = qualifier.as_deref().and_then(|alias| function?.aliases.get(alias));
        let is_over =
            |alias: &AliasRecord| alias.settling.as_ref().is_some_and(|end| end.done_at_ms <= now);
        let chosen =
            alias.map(|alias| match alias.additional.as_ref().filter(|_| !is_over(alias)) {
                Some((extra, weight)) if ids.unit() < *weight => extra.clone(),
                _ => alias.function_version.clone(),
            });
        let target = Target { name: name.clone(), qualifier: chosen.or_else(|| qualifier.clone()) };
        let version = self.version(now, &target)?;
        if version.creating.is_some() {
            return Err(ApiError::conflict(
                "The operation cannot be performed at this time. The function is currently in the \
                 following state: Pending",
            ));
        }
        let deployed = match version.updating {
            Some(update) => *update.previous,
            None => Deployed {
                configuration: version.configuration,
                code: version.code,
                deployment: version.deployment,
            },
        };
        Ok(Route {
            alias: alias.map(|alias| alias.name.clone()),
            invoked_arn: self.home.arn(&name, qualifier.as_deref()),
            version: version.version,
            function: name,
            qualifier,
            deployed,
        })
    }

    /// Takes a place for one invocation: among the environments that were provisioned for its version
    /// if one of those is free, else within the function's reserved concurrency or what the account
    /// leaves unreserved.
    pub fn admit(&mut self, now: i64, route: &Route) -> Result<Admission, ApiError> {
        let key = (route.function.clone(), route.version.clone());
        let provisioned = self.running_provisioned.get(&key).copied().unwrap_or(0);
        let is_provisioned = provisioned < self.ready(now, route);
        if is_provisioned {
            self.running_provisioned.insert(key, provisioned + 1);
        } else {
            self.find_room(&route.function)?;
        }
        let running = self.running.entry(route.function.clone()).or_default();
        *running += 1;
        Ok(Admission {
            function: route.function.clone(),
            version: route.version.clone(),
            is_provisioned,
            concurrent: *running,
        })
    }

    /// Environments that stand ready for a version: its own, or those of an alias that has it.
    fn ready(&self, now: i64, route: &Route) -> u32 {
        let Some(function) = self.functions.get(&route.function) else { return 0 };
        let provisioned = &function.beside.provisioned;
        let own = provisioned.get(&route.version).filter(|record| record.is_ready(now));
        let through = function.aliases.values().filter_map(|alias| {
            let record = provisioned.get(&alias.name)?;
            let is_there = if alias.function_version == route.version {
                record.is_ready(now)
            } else {
                alias.still_serves(&route.version, now)
            };
            is_there.then_some(record)
        });
        own.into_iter().chain(through).map(|record| record.requested).sum()
    }

    /// Whether a function may run once more without provisioned environments. What is provisioned is
    /// taken from what the function has reserved, whether it is used or not.
    fn find_room(&self, function: &str) -> Result<(), ApiError> {
        let record = self.functions.get(function);
        if let Some(reserved) = record.and_then(|record| record.reserved) {
            let provisioned: u32 = record
                .into_iter()
                .flat_map(|record| record.beside.provisioned.values())
                .map(|provisioned| provisioned.requested)
                .sum();
            return if self.on_demand(function) >= reserved.saturating_sub(provisioned) {
                Err(ApiError::too_many_invocations(
                    "ReservedFunctionConcurrentInvocationLimitExceeded",
                ))
            } else {
                Ok(())
            };
        }
        let is_reserved =
            |name: &String| self.functions.get(name).is_some_and(|it| it.reserved.is_some());
        let used: u32 =
            self.running.iter().filter(|(name, _)| !is_reserved(name)).map(|(_, n)| n).sum();
        let reserved: u32 = self.functions.values().filter_map(|record| record.reserved).sum();
        if used >= ACCOUNT_CONCURRENCY.saturating_sub(reserved) {
            return Err(ApiError::too_many_invocations("ConcurrentInvocationLimitExceeded"));
        }
        Ok(())
    }

    /// Invocations of a function that run outside of provisioned environments.
    fn on_demand(&self, function: &str) -> u32 {
        let provisioned: u32 = self
            .running_provisioned
            .iter()
            .filter(|((name, _), _)| name == function)
            .map(|(_, running)| running)
            .sum();
        self.running.get(function).copied().unwrap_or(0).saturating_sub(provisioned)
    }

    /// Gives the place of a finished invocation back.
    pub fn release(&mut self, place: &Admission) {
        fn less<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
            if let Some(running) = counts.get_mut(key) {
                *running = running.saturating_sub(1);
                if *running == 0 {
                    counts.remove(key);
                }
            }
        }
        less(&mut self.running, &place.function);
        if place.is_provisioned {
            let key = (place.function.clone(), place.version.clone());
            less(&mut self.running_provisioned, &key);
        }
    }

    /// Invocations that run now, over all functions.
    pub fn running(&self) -> u32 {
        self.running.values().sum()
    }
}
