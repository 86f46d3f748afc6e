//! Reserved concurrency, and what the account may use and uses.

use super::record::FunctionRecord;
use super::{ACCOUNT_CONCURRENCY, Lambda, UNRESERVED_MINIMUM};
use crate::lambda::error::ApiError;
use crate::lambda::output::{AccountLimit, AccountSettings, AccountUsage, Concurrency};

impl Lambda {
    /// `PutFunctionConcurrency`.
    pub fn put_concurrency(
        &mut self,
        now: i64,
        name: &str,
        reserved: u32,
    ) -> Result<Concurrency, ApiError> {
        let target = self.home.resolve(name, None)?;
        if target.qualifier.is_some() {
            return Err(ApiError::qualified());
        }
        let name = target.name;
        let Some(function) = self.functions.get(&name) else {
            return Err(ApiError::no_function(&self.home.arn(&name, Some("$LATEST"))));
        };
        let provisioned: u32 =
            function.beside.provisioned.values().map(|record| record.requested).sum();
        if reserved < provisioned {
            // Recorded so, with its spaces.
            return Err(ApiError::invalid(format!(
                " ReservedConcurrentExecutions  {reserved} should not be lower than function's \
                 total provisioned concurrency [{provisioned}]."
            ))
            .nobodys());
        }
        let others = self.functions.values().filter(|function| function.name != name);
        let others: u32 = others.filter_map(|function| function.reserved).sum();
        if others.saturating_add(reserved) > ACCOUNT_CONCURRENCY - UNRESERVED_MINIMUM {
            return Err(ApiError::invalid(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MINIMUM}]."
            ))
            .nobodys());
        }
        self.function_mut(now, &name)?.reserved = Some(reserved);
        Ok(Concurrency { reserved_concurrent_executions: Some(reserved) })
    }

    /// `GetFunctionConcurrency`.
    pub fn get_concurrency(&self, name: &str) -> Result<Concurrency, ApiError> {
        let name = self.unqualified(name)?;
        Ok(Concurrency { reserved_concurrent_executions: self.function(&name)?.reserved })
    }

    /// `DeleteFunctionConcurrency`.
    pub fn delete_concurrency(&mut self, now: i64, name: &str) -> Result<(), ApiError> {
        let name = self.unqualified(name)?;
        self.function_mut(now, &name)?.reserved = None;
        Ok(())
    }

    /// `GetAccountSettings`. Every version of a function or layer counts with its package.
    pub fn account_settings(&self) -> AccountSettings {
        let reserved: u32 = self.functions.values().filter_map(|function| function.reserved).sum();
        let versions = self.functions.values().flat_map(FunctionRecord::all_versions);
        let functions: u64 = versions.map(|version| version.code.size()).sum();
        let layers = self.layers.values().flat_map(|layer| layer.versions.values());
        let layers: u64 = layers.map(|version| version.code.size()).sum();
        AccountSettings {
            account_limit: AccountLimit {
                total_code_size: 80_530_636_800,
                code_size_unzipped: 262_144_000,
                code_size_zipped: 52_428_800,
                concurrent_executions: ACCOUNT_CONCURRENCY,
                unreserved_concurrent_executions: ACCOUNT_CONCURRENCY.saturating_sub(reserved),
            },
            account_usage: AccountUsage {
                total_code_size: functions + layers,
                function_count: self.functions.len(),
            },
        }
    }
}
