//! How a plugin reaches the cloud that the release runs against.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the cloud is. Holds no secrets: credentials come from the standard AWS chain, or are
/// fixed dummies when the cloud is the embedded local one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub struct CloudAccess {
    /// The AWS region.
    pub region: String,
    /// One endpoint for every service, instead of AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// CloudWatch's endpoint; goes before `endpoint_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloudwatch_endpoint_url: Option<String>,
    /// Lambda's endpoint; goes before `endpoint_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda_endpoint_url: Option<String>,
    /// Whether this is the embedded local cloud, which takes any credentials: none of the user's
    /// may be sent to it, nor be needed.
    #[serde(default)]
    pub local: bool,
}

impl CloudAccess {
    /// The endpoint for CloudWatch, if it isn't AWS's own.
    pub fn cloudwatch_endpoint(&self) -> Option<&str> {
        self.cloudwatch_endpoint_url.as_deref().or(self.endpoint_url.as_deref())
    }

    /// The endpoint for Lambda, if it isn't AWS's own.
    pub fn lambda_endpoint(&self) -> Option<&str> {
        self.lambda_endpoint_url.as_deref().or(self.endpoint_url.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_own_endpoint_goes_before_the_common_one() {
        let access = CloudAccess {
            endpoint_url: Some("http://common".into()),
            cloudwatch_endpoint_url: Some("http://cloudwatch".into()),
            ..CloudAccess::default()
        };
        assert_eq!(access.cloudwatch_endpoint(), Some("http://cloudwatch"));
        assert_eq!(access.lambda_endpoint(), Some("http://common"));
        assert_eq!(CloudAccess::default().lambda_endpoint(), None);
    }
}
