//! Where a CloudWatch is, and the ARNs that follow from it.

/// The region and account that everything belongs to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Home {
    /// The region's name.
    pub(crate) region: String,
    /// The account's number.
    pub(crate) account: String,
}

impl Home {
    /// The ARN of an alarm.
    pub(crate) fn alarm(&self, name: &str) -> String {
        format!("arn:aws:cloudwatch:{}:{}:alarm:{name}", self.region, self.account)
    }

    /// The ARN of a metric stream.
    pub(crate) fn stream(&self, name: &str) -> String {
        format!("arn:aws:cloudwatch:{}:{}:metric-stream/{name}", self.region, self.account)
    }

    /// The ARN of an insight rule.
    pub(crate) fn rule(&self, name: &str) -> String {
        format!("arn:aws:cloudwatch:{}:{}:insight-rule/{name}", self.region, self.account)
    }

    /// The ARN of a dashboard. Dashboards belong to no region.
    pub(crate) fn dashboard(&self, name: &str) -> String {
        format!("arn:aws:cloudwatch::{}:dashboard/{name}", self.account)
    }
}
