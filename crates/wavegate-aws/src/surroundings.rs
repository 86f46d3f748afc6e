//! What stands around functions: event source mappings, URLs, policies, provisioned concurrency.
//!
//! Invariants: lists are complete or an error; what is not there is an answer where the service
//! says so in its own code, and an error where it does not. Deliberately absent: any write.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_lambda::types::EventSourceMappingConfiguration;
use wavegate_core::doctor::{Mapping, Provisioned, PublishedVersion, Statement};
use wavegate_core::name::{AliasName, FunctionName};
use wavegate_engine::ports::{CloudError, Surroundings};

use crate::cloud::{AwsCloud, PAGE_SIZE, Pages, absent_is_none};
use crate::fault::{from_sdk, unreadable};
use crate::resource_policy;

/// Entries per page: the most that `ListEventSourceMappings` gives.
const MAPPINGS_PAGE_SIZE: i32 = 100;

#[async_trait]
impl Surroundings for AwsCloud {
    async fn published(
        &self,
        function: &FunctionName,
    ) -> Result<Vec<PublishedVersion>, CloudError> {
        self.published_versions(function, |version, entry| {
            let dead_letter = entry.dead_letter_config().and_then(|queue| queue.target_arn());
            PublishedVersion {
                version,
                role: entry.role().unwrap_or_default().to_owned(),
                dead_letter: dead_letter.filter(|arn| !arn.is_empty()).map(str::to_owned),
            }
        })
        .await
    }

    async fn mappings(&self) -> Result<BTreeMap<String, Vec<Mapping>>, CloudError> {
        const OPERATION: &str = "ListEventSourceMappings";
        let mut mappings: BTreeMap<String, Vec<Mapping>> = BTreeMap::new();
        let mut pages = Pages::new(OPERATION);
        loop {
            let page = self
                .lambda
                .list_event_source_mappings()
                .set_marker(pages.marker.clone())
                .max_items(MAPPINGS_PAGE_SIZE)
                .send()
                .await
                .map_err(|error| from_sdk(OPERATION, &error))?;
            for entry in page.event_source_mappings() {
                let (function, mapping) = mapping(OPERATION, entry)?;
                mappings.entry(function).or_default().push(mapping);
            }
            if !pages.turn(page.next_marker())? {
                return Ok(mappings);
            }
        }
    }

    async fn url(&self, function: &FunctionName) -> Result<Option<String>, CloudError> {
        const OPERATION: &str = "GetFunctionUrlConfig";
        let answer =
            self.lambda.get_function_url_config().function_name(function.as_str()).send().await;
        match answer {
            Ok(answer) => Ok(Some(answer.auth_type().as_str().to_owned())),
            Err(error) => absent_is_none(from_sdk(OPERATION, &error)),
        }
    }

    async fn policy(
        &self,
        function: &FunctionName,
        alias: Option<&AliasName>,
    ) -> Result<Vec<Statement>, CloudError> {
        const OPERATION: &str = "GetPolicy";
        let answer = self
            .lambda
            .get_policy()
            .function_name(function.as_str())
            .set_qualifier(alias.map(ToString::to_string))
            .send()
            .await;
        match answer {
            Ok(answer) => resource_policy::statements(
                OPERATION,
                answer.policy().unwrap_or("{}"),
                alias.map(AliasName::as_str),
            ),
            Err(error) => Ok(absent_is_none(from_sdk(OPERATION, &error))?.unwrap_or_default()),
        }
    }

    async fn provisioned(&self, function: &FunctionName) -> Result<Vec<Provisioned>, CloudError> {
        const OPERATION: &str = "ListProvisionedConcurrencyConfigs";
        let mut found = Vec::new();
        let mut pages = Pages::new(OPERATION);
        loop {
            let page = self
                .lambda
                .list_provisioned_concurrency_configs()
                .function_name(function.as_str())
                .set_marker(pages.marker.clone())
                .max_items(PAGE_SIZE)
                .send()
                .await
                .map_err(|error| from_sdk(OPERATION, &error))?;
            for entry in page.provisioned_concurrency_configs() {
                let arn = entry.function_arn().unwrap_or_default();
                let (_, qualifier) = parts(arn)
                    .ok_or_else(|| unreadable(OPERATION, "an entry without FunctionArn"))?;
                let requested = entry.requested_provisioned_concurrent_executions().unwrap_or(0);
                found.push(Provisioned {
                    qualifier: qualifier.unwrap_or_default().to_owned(),
                    requested: u32::try_from(requested).unwrap_or(0),
                });
            }
            if !pages.turn(page.next_marker())? {
                return Ok(found);
            }
        }
    }
}

fn mapping(
    operation: &'static str,
    entry: &EventSourceMappingConfiguration,
) -> Result<(String, Mapping), CloudError> {
    let id = entry.uuid().ok_or_else(|| unreadable(operation, "an entry without UUID"))?;
    let arn = entry.function_arn().unwrap_or_default();
    let (function, qualifier) =
        parts(arn).ok_or_else(|| unreadable(operation, "an entry without FunctionArn"))?;
    // Kafka and brokers of one's own have no ARN.
    let source = entry.event_source_arn().map_or_else(
        || match entry.topics().first() {
            Some(topic) => format!("topic {topic}"),
            None => "a source of its own".to_owned(),
        },
        str::to_owned,
    );
    let mapping = Mapping {
        id: id.to_owned(),
        qualifier: qualifier.map(str::to_owned),
        source,
        state: entry.state().unwrap_or_default().to_owned(),
    };
    Ok((function.to_owned(), mapping))
}

/// The name and qualifier in a function's ARN: `arn:aws:lambda:REGION:ACCOUNT:function:NAME:LIVE`.
pub(crate) fn parts(arn: &str) -> Option<(&str, Option<&str>)> {
    let mut parts = arn.split(':').skip(6);
    let name = parts.next().filter(|name| !name.is_empty())?;
    Some((name, parts.next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_tells_name_and_qualifier() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop";
        assert_eq!(parts(arn), Some(("shop", None)));
        assert_eq!(parts(&format!("{arn}:live")), Some(("shop", Some("live"))));
        assert_eq!(parts("shop"), None);
    }
}
