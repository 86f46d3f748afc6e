//! What a command learns from its environment.

use wavegate_plugin_sdk::{CallContext, CloudAccess, HookEvent};

/// How the variables begin that are wavegate's own.
pub(crate) const PREFIX: &str = "WAVEGATE_";

/// What is sent to the local cloud, which takes any keys: the user's own have no business there.
const LOCAL_KEY: &str = "wavegate";

/// Variables for one run, besides those that the host has itself. `None` takes one away.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Variables {
    /// Where the cloud is: a config may override these.
    pub(crate) cloud: Vec<(&'static str, Option<String>)>,
    /// What is judged: a config may not.
    pub(crate) event: Vec<(&'static str, Option<String>)>,
}

pub(crate) fn variables(cx: &CallContext, event: &HookEvent) -> Variables {
    let stable = event.stable.as_ref();
    let event_variables = vec![
        ("WAVEGATE_APP", Some(event.app.clone())),
        ("WAVEGATE_RELEASE", Some(event.release.clone())),
        ("WAVEGATE_RELEASE_NUMBER", Some(event.release_number.to_string())),
        ("WAVEGATE_FUNCTION", Some(event.function.clone())),
        ("WAVEGATE_ALIAS", Some(event.alias.clone())),
        ("WAVEGATE_PHASE", Some(event.phase.as_str().to_owned())),
        // Absent on a first deploy: a test for emptiness tells.
        ("WAVEGATE_STABLE_VERSION", stable.map(|stable| stable.version.clone())),
        ("WAVEGATE_STABLE_ARN", stable.map(|stable| stable.arn.clone())),
        ("WAVEGATE_CANDIDATE_VERSION", Some(event.candidate.version.clone())),
        ("WAVEGATE_CANDIDATE_ARN", Some(event.candidate.arn.clone())),
        ("WAVEGATE_WEIGHT", Some(event.weight_bp.percent().to_string())),
        ("WAVEGATE_WEIGHT_BP", Some(event.weight_bp.get().to_string())),
        ("WAVEGATE_REASON", event.reason.clone()),
        ("WAVEGATE_IDEMPOTENCY_KEY", Some(cx.idempotency_key.clone())),
        ("WAVEGATE_ATTEMPT", Some(cx.attempt.to_string())),
    ];
    Variables { cloud: cloud_variables(&event.cloud), event: event_variables }
}

fn cloud_variables(cloud: &CloudAccess) -> Vec<(&'static str, Option<String>)> {
    let region = Some(cloud.region.clone()).filter(|region| !region.is_empty());
    let mut variables: Vec<(&'static str, Option<String>)> = Vec::new();
    let mut set = |name, value: &Option<String>| {
        if value.is_some() {
            variables.push((name, value.clone()));
        }
    };
    set("AWS_REGION", &region);
    // The AWS CLI and boto3 before 2025 know only this name.
    set("AWS_DEFAULT_REGION", &region);
    set("AWS_ENDPOINT_URL", &cloud.endpoint_url);
    set("AWS_ENDPOINT_URL_LAMBDA", &cloud.lambda_endpoint_url);
    set("AWS_ENDPOINT_URL_CLOUDWATCH", &cloud.cloudwatch_endpoint_url);
    if cloud.local {
        variables.push(("AWS_ACCESS_KEY_ID", Some(LOCAL_KEY.to_owned())));
        variables.push(("AWS_SECRET_ACCESS_KEY", Some(LOCAL_KEY.to_owned())));
        // A session or a profile would win over the dummy keys, or belong to none.
        variables.push(("AWS_SESSION_TOKEN", None));
        variables.push(("AWS_PROFILE", None));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(variables: &'a [(&str, Option<String>)], name: &str) -> Option<&'a str> {
        variables.iter().find(|(n, _)| *n == name).and_then(|(_, value)| value.as_deref())
    }

    #[test]
    fn the_local_cloud_takes_the_users_credentials_away() {
        let cloud = CloudAccess {
            region: "eu-west-1".into(),
            endpoint_url: Some("http://127.0.0.1:4".into()),
            local: true,
            ..CloudAccess::default()
        };
        let variables = cloud_variables(&cloud);
        assert_eq!(value(&variables, "AWS_ENDPOINT_URL"), Some("http://127.0.0.1:4"));
        assert_eq!(value(&variables, "AWS_DEFAULT_REGION"), Some("eu-west-1"));
        assert_eq!(value(&variables, "AWS_SECRET_ACCESS_KEY"), Some("wavegate"));
        assert!(variables.contains(&("AWS_PROFILE", None)));
        assert!(variables.contains(&("AWS_SESSION_TOKEN", None)));
    }

    #[test]
    fn another_cloud_leaves_the_users_chain_alone() {
        let cloud = CloudAccess {
            region: "eu-west-1".into(),
            cloudwatch_endpoint_url: Some("http://cw".into()),
            ..CloudAccess::default()
        };
        let region = || Some("eu-west-1".to_owned());
        assert_eq!(
            cloud_variables(&cloud),
            [
                ("AWS_REGION", region()),
                ("AWS_DEFAULT_REGION", region()),
                ("AWS_ENDPOINT_URL_CLOUDWATCH", Some("http://cw".into())),
            ]
        );
    }
}
