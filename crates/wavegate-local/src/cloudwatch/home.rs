//! The ARNs of what is CloudWatch's.

pub(crate) use crate::home::Home;

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
