//! Where a person can look: the CloudWatch console.

use wavegate_plugin_sdk::CloudAccess;

/// The console's page of an alarm. None for a cloud that is not AWS's own.
pub(crate) fn to_alarm(cloud: &CloudAccess, alarm: &str) -> Option<String> {
    is_aws(cloud).then(|| format!("{}#alarmsV2:alarm/{}", console(cloud), escaped(alarm)))
}

/// The console's page of a function's metrics. None for a cloud that is not AWS's own.
pub(crate) fn to_metrics(cloud: &CloudAccess, function: &str) -> Option<String> {
    is_aws(cloud).then(|| format!("{}#metricsV2?query=%22{}%22", console(cloud), escaped(function)))
}

fn is_aws(cloud: &CloudAccess) -> bool {
    !cloud.local && cloud.cloudwatch_endpoint().is_none() && !cloud.region.is_empty()
}

fn console(cloud: &CloudAccess) -> String {
    let region = escaped(&cloud.region);
    format!("https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}")
}

/// Percent-encodes all but the characters that no URL gives a meaning to.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            escaped.push('%');
            escaped.push(char::from(HEX[usize::from(byte >> 4)]));
            escaped.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_awss_own_cloud_has_a_console() {
        let aws = CloudAccess { region: "eu-west-1".into(), ..CloudAccess::default() };
        assert_eq!(
            to_alarm(&aws, "5xx of shop/é").as_deref(),
            Some(
                "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1\
                 #alarmsV2:alarm/5xx%20of%20shop%2F%C3%A9"
            )
        );
        assert!(to_metrics(&aws, "auth").is_some());
        let local = CloudAccess { local: true, ..aws.clone() };
        assert_eq!(to_alarm(&local, "a"), None);
        let other = CloudAccess { endpoint_url: Some("http://moto".into()), ..aws };
        assert_eq!(to_metrics(&other, "auth"), None);
    }
}
