//! What `conformance` does to its throw-away function, and nothing else may do to any.
//!
//! Invariant: every call names a function that was made to be thrown away, by its type; here alone
//! a function is deleted.

use async_trait::async_trait;
use wavegate_core::name::AliasName;
use wavegate_engine::conformance::{TestBench, ThrowAway};
use wavegate_engine::ports::{CloudError, FaultKind};

use crate::cloud::{AwsCloud, absent_is_done};
use crate::fault::{from_sdk, plain};

#[async_trait]
impl TestBench for AwsCloud {
    async fn delete_function(&self, function: &ThrowAway) -> Result<(), CloudError> {
        let answer = self.lambda.delete_function().function_name(function.name().as_str());
        let answer = answer.send().await;
        absent_is_done(answer.map(drop).map_err(|error| from_sdk("DeleteFunction", &error)))
    }

    async fn invoke(&self, function: &ThrowAway, alias: &AliasName) -> Result<String, CloudError> {
        const OPERATION: &str = "Invoke";
        let answer = self
            .lambda
            .invoke()
            .function_name(function.name().as_str())
            .qualifier(alias.as_str())
            .send()
            .await
            .map_err(|error| from_sdk(OPERATION, &error))?;
        let payload = answer.payload().map(|payload| payload.as_ref().to_vec()).unwrap_or_default();
        let text = String::from_utf8_lossy(&payload).into_owned();
        match answer.function_error() {
            None => Ok(text),
            Some(kind) => {
                Err(plain(OPERATION, FaultKind::Invalid, &format!("{kind} error: {text}")))
            }
        }
    }

    async fn add_permission(
        &self,
        function: &ThrowAway,
        alias: &AliasName,
    ) -> Result<(), CloudError> {
        self.lambda
            .add_permission()
            .function_name(function.name().as_str())
            .qualifier(alias.as_str())
            .statement_id("conformance")
            .action("lambda:InvokeFunction")
            .principal("events.amazonaws.com")
            .send()
            .await
            .map(drop)
            .map_err(|error| from_sdk("AddPermission", &error))
    }

    async fn put_event_invoke(
        &self,
        function: &ThrowAway,
        alias: &AliasName,
    ) -> Result<(), CloudError> {
        self.lambda
            .put_function_event_invoke_config()
            .function_name(function.name().as_str())
            .qualifier(alias.as_str())
            .maximum_retry_attempts(1)
            .send()
            .await
            .map(drop)
            .map_err(|error| from_sdk("PutFunctionEventInvokeConfig", &error))
    }

    async fn put_provisioned(
        &self,
        function: &ThrowAway,
        alias: &AliasName,
    ) -> Result<(), CloudError> {
        self.lambda
            .put_provisioned_concurrency_config()
            .function_name(function.name().as_str())
            .qualifier(alias.as_str())
            .provisioned_concurrent_executions(1)
            .send()
            .await
            .map(drop)
            .map_err(|error| from_sdk("PutProvisionedConcurrencyConfig", &error))
    }

    async fn provisioned_status(
        &self,
        function: &ThrowAway,
        alias: &AliasName,
    ) -> Result<String, CloudError> {
        const OPERATION: &str = "GetProvisionedConcurrencyConfig";
        let answer = self
            .lambda
            .get_provisioned_concurrency_config()
            .function_name(function.name().as_str())
            .qualifier(alias.as_str())
            .send()
            .await
            .map_err(|error| from_sdk(OPERATION, &error))?;
        Ok(answer.status().map_or("", |status| status.as_str()).to_owned())
    }
}
