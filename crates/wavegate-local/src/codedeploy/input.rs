//! What callers send. Members that are not here are ignored, as AWS ignores them; those that only
//! other compute platforms know are here to be refused.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fault::{Fault, FaultKind};

/// Reads a request.
pub(super) fn read<T: DeserializeOwned>(input: Value) -> Result<T, Fault> {
    serde_json::from_value(input).map_err(|error| {
        Fault::new(FaultKind::Serialization, format!("The request cannot be read: {error}"))
    })
}

/// Where in S3 the revision of a `CreateDeployment` lies, if it lies there.
pub(crate) fn s3_location(input: &Value) -> Option<(String, String, Option<String>)> {
    let location = input.get("revision")?.get("s3Location")?;
    let text = |name: &str| location.get(name)?.as_str().map(ToOwned::to_owned);
    Some((text("bucket")?, text("key")?, text("version")))
}

/// A tag.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Tag {
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
}

/// `CreateApplication`, `UpdateApplication`, and whatever names one application.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ApplicationInput {
    pub(super) application_name: Option<String>,
    pub(super) new_application_name: Option<String>,
    pub(super) compute_platform: Option<String>,
    pub(super) tags: Option<Vec<Tag>>,
}

/// `BatchGetApplications`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ApplicationsInput {
    pub(super) application_names: Option<Vec<String>>,
}

/// Lists that take nothing else.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListInput {
    pub(super) application_name: Option<String>,
    pub(super) next_token: Option<String>,
}

/// `AlarmConfiguration`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AlarmsInput {
    pub(super) enabled: Option<bool>,
    pub(super) ignore_poll_alarm_failure: Option<bool>,
    pub(super) alarms: Option<Vec<Option<AlarmInput>>>,
}

/// `Alarm`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AlarmInput {
    pub(super) name: Option<String>,
}

/// `AutoRollbackConfiguration`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RollbackInput {
    pub(super) enabled: Option<bool>,
    pub(super) events: Option<Vec<String>>,
}

/// `DeploymentStyle`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StyleInput {
    pub(super) deployment_type: Option<String>,
    pub(super) deployment_option: Option<String>,
}

/// `CreateDeploymentGroup`, `UpdateDeploymentGroup`, and whatever names one group.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GroupInput {
    pub(super) application_name: Option<String>,
    pub(super) deployment_group_name: Option<String>,
    pub(super) current_deployment_group_name: Option<String>,
    pub(super) new_deployment_group_name: Option<String>,
    pub(super) deployment_config_name: Option<String>,
    pub(super) service_role_arn: Option<String>,
    pub(super) trigger_configurations: Option<Vec<Value>>,
    pub(super) alarm_configuration: Option<AlarmsInput>,
    pub(super) auto_rollback_configuration: Option<RollbackInput>,
    pub(super) outdated_instances_strategy: Option<String>,
    pub(super) deployment_style: Option<StyleInput>,
    pub(super) tags: Option<Vec<Tag>>,
    #[serde(flatten)]
    pub(super) elsewhere: Elsewhere,
}

/// Members of a deployment group that belong to the Server and ECS platforms.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Elsewhere {
    #[serde(rename = "ec2TagFilters")]
    pub(super) ec2_tag_filters: Value,
    #[serde(rename = "ec2TagSet")]
    pub(super) ec2_tag_set: Value,
    pub(super) on_premises_instance_tag_filters: Value,
    pub(super) on_premises_tag_set: Value,
    pub(super) auto_scaling_groups: Value,
    pub(super) ecs_services: Value,
    pub(super) load_balancer_info: Value,
    pub(super) blue_green_deployment_configuration: Value,
}

/// `BatchGetDeploymentGroups`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GroupsInput {
    pub(super) application_name: Option<String>,
    pub(super) deployment_group_names: Option<Vec<String>>,
}

/// `CreateDeploymentConfig`, and whatever names one configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConfigInput {
    pub(super) deployment_config_name: Option<String>,
    pub(super) minimum_healthy_hosts: Value,
    pub(super) zonal_config: Value,
    pub(super) traffic_routing_config: Option<RoutingInput>,
    pub(super) compute_platform: Option<String>,
}

/// `TrafficRoutingConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RoutingInput {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) time_based_canary: Option<CanaryInput>,
    pub(super) time_based_linear: Option<LinearInput>,
}

/// `TimeBasedCanary`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CanaryInput {
    pub(super) canary_percentage: Option<i64>,
    pub(super) canary_interval: Option<i64>,
}

/// `TimeBasedLinear`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LinearInput {
    pub(super) linear_percentage: Option<i64>,
    pub(super) linear_interval: Option<i64>,
}

/// `RevisionLocation`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RevisionInput {
    pub(super) revision_type: Option<String>,
    pub(super) string: Option<TextInput>,
    pub(super) app_spec_content: Option<TextInput>,
    pub(super) s3_location: Option<S3Input>,
}

/// `AppSpecContent` and `RawString`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TextInput {
    pub(super) content: Option<String>,
    pub(super) sha256: Option<String>,
}

/// `S3Location`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct S3Input {
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    pub(super) bundle_type: Option<String>,
    /// Not of the model: the object, which the edge has read.
    pub(super) content: Option<String>,
}

/// `CreateDeployment`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeploymentInput {
    pub(super) application_name: Option<String>,
    pub(super) deployment_group_name: Option<String>,
    pub(super) revision: Option<RevisionInput>,
    pub(super) deployment_config_name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) ignore_application_stop_failures: Option<bool>,
    pub(super) target_instances: Value,
    pub(super) auto_rollback_configuration: Option<RollbackInput>,
    pub(super) update_outdated_instances_only: Option<bool>,
    pub(super) file_exists_behavior: Option<String>,
    pub(super) deployment_mode: Option<String>,
    pub(super) override_alarm_configuration: Option<AlarmsInput>,
}

/// Whatever names one deployment: `GetDeployment`, `StopDeployment`, the targets', the hooks'.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeploymentIdInput {
    pub(super) deployment_id: Option<String>,
    pub(super) auto_rollback_enabled: Option<bool>,
    pub(super) deployment_wait_type: Option<String>,
    pub(super) target_id: Option<String>,
    pub(super) target_ids: Option<Vec<String>>,
    pub(super) target_filters: Option<std::collections::BTreeMap<String, Vec<String>>>,
    pub(super) next_token: Option<String>,
    pub(super) lifecycle_event_hook_execution_id: Option<String>,
    pub(super) status: Option<String>,
}

/// `BatchGetDeployments`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeploymentsInput {
    pub(super) deployment_ids: Option<Vec<String>>,
}

/// `ListDeployments`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListDeploymentsInput {
    pub(super) application_name: Option<String>,
    pub(super) deployment_group_name: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) include_only_statuses: Option<Vec<String>>,
    pub(super) create_time_range: Option<TimeRange>,
    pub(super) next_token: Option<String>,
}

/// `TimeRange`, in seconds since the epoch.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TimeRange {
    pub(super) start: Option<f64>,
    pub(super) end: Option<f64>,
}

/// `GetApplicationRevision`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RevisionOfInput {
    pub(super) application_name: Option<String>,
    pub(super) revision: Option<RevisionInput>,
}

/// `TagResource`, `UntagResource`, `ListTagsForResource`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TagsInput {
    pub(super) resource_arn: Option<String>,
    pub(super) tags: Option<Vec<Tag>>,
    pub(super) tag_keys: Option<Vec<String>>,
}
