//! Which version an invocation gets, and whether it may run now.

use super::record::{AliasRecord, Deployed};
use super::{ACCOUNT_CONCURRENCY, Lambda};
use crate::ids::Ids;
use crate::lambda::error::ApiError;
use crate::lambda::name::Target;

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

    /// Takes a place for one invocation of a function, within its reserved concurrency or what the
    /// account leaves unreserved. Returns how many of the function's invocations now run.
    pub fn admit(&mut self, function: &str) -> Result<u32, ApiError> {
        let running = self.running.get(function).copied().unwrap_or(0);
        if let Some(reserved) = self.functions.get(function).and_then(|record| record.reserved) {
            if running >= reserved {
                return Err(ApiError::too_many_invocations(
                    "ReservedFunctionConcurrentInvocationLimitExceeded",
                ));
            }
        } else {
            let is_reserved =
                |name: &String| self.functions.get(name).is_some_and(|it| it.reserved.is_some());
            let used: u32 =
                self.running.iter().filter(|(name, _)| !is_reserved(name)).map(|(_, n)| n).sum();
            let reserved: u32 = self.functions.values().filter_map(|record| record.reserved).sum();
            if used >= ACCOUNT_CONCURRENCY.saturating_sub(reserved) {
                return Err(ApiError::too_many_invocations("ConcurrentInvocationLimitExceeded"));
            }
        }
        self.running.insert(function.to_owned(), running + 1);
        Ok(running + 1)
    }

    /// Gives the place of a finished invocation back.
    pub fn release(&mut self, function: &str) {
        if let Some(running) = self.running.get_mut(function) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(function);
            }
        }
    }

    /// Invocations that run now, over all functions.
    pub fn running(&self) -> u32 {
        self.running.values().sum()
    }
}
