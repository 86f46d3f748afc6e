//! What the engine needs of AWS CodeDeploy.

use async_trait::async_trait;
use wavegate_core::codedeploy::{Group, Routing};
use wavegate_core::name::VersionId;
use wavegate_core::weight::Weight;

use super::CloudError;

/// AWS CodeDeploy, as far as a release needs it. Every method is one call, paging aside.
#[async_trait]
pub trait Deployments: Send + Sync + 'static {
    /// `CreateApplication` for Lambda. That it is there already is success.
    async fn create_application(&self, name: &str) -> Result<(), CloudError>;

    /// `CreateDeploymentConfig` for Lambda. That it is there already is success: the name says what
    /// it does.
    async fn create_config(&self, routing: Routing) -> Result<(), CloudError>;

    /// `DeleteDeploymentConfig`. `Ok(false)`: a group uses it. Absent is success.
    async fn delete_config(&self, name: &str) -> Result<bool, CloudError>;

    /// `GetDeploymentGroup`. `Ok(None)`: the group, or its application, does not exist.
    async fn group(&self, application: &str, name: &str) -> Result<Option<GroupView>, CloudError>;

    /// `CreateDeploymentGroup`, with every event of automatic rollback. `NotFound`: there is no such
    /// application.
    async fn create_group(&self, group: &Group, config: &str) -> Result<(), CloudError>;

    /// `UpdateDeploymentGroup` to what a group is to be.
    async fn update_group(&self, group: &Group, config: &str) -> Result<(), CloudError>;

    /// `CreateDeployment`. Answers with the deployment's id.
    async fn create_deployment(&self, deployment: &NewDeployment) -> Result<String, CloudError>;

    /// `ListDeployments` of a group, or of the whole account, newest first, all pages of the last
    /// days; only those that have not ended, if so asked.
    async fn list_deployments(
        &self,
        of: Option<(&str, &str)>,
        since_s: u64,
        active_only: bool,
    ) -> Result<Vec<String>, CloudError>;

    /// `BatchGetDeployments`, as many calls as it takes.
    async fn deployments(&self, ids: &[String]) -> Result<Vec<DeploymentView>, CloudError>;

    /// `ListDeploymentTargets` and `BatchGetDeploymentTargets` of one deployment. `Ok(None)`: it has
    /// no target yet.
    async fn target(&self, deployment: &str) -> Result<Option<TargetView>, CloudError>;

    /// `StopDeployment`, with its rollback. That it has ended already is success.
    async fn stop(&self, deployment: &str) -> Result<(), CloudError>;
}

/// A deployment group as `GetDeploymentGroup` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// What it is, in the words that the manifest has for it. Hooks are none of a group's.
    pub group: Group,
    /// The name of its deployment config.
    pub config: String,
    /// Whether it rolls back on all three events: failure, alarm, request.
    pub rolls_back: bool,
}

/// A deployment to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeployment {
    /// The group. For one that is not wavegate's own, alarms are sent with the deployment.
    pub group: Group,
    /// The deployment config's name.
    pub config: String,
    /// The function's name in Lambda.
    pub function: String,
    /// The alias.
    pub alias: String,
    /// The version that the alias serves.
    pub current: VersionId,
    /// The version that it is to serve.
    pub target: VersionId,
    /// Tells whose it is.
    pub description: String,
}

/// A deployment as `BatchGetDeployments` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentView {
    /// Its id.
    pub id: String,
    /// The application.
    pub application: String,
    /// The group.
    pub group: String,
    /// What was said of it when it was created.
    pub description: String,
    /// `Created`, `Queued`, `InProgress`, `Baking`, `Ready`, `Succeeded`, `Failed`, `Stopped`.
    pub status: String,
    /// CodeDeploy's error code and words, where it failed.
    pub error: Option<(String, String)>,
    /// The deployment that puts back what this one did.
    pub rolled_back_by: Option<String>,
    /// CodeDeploy's words about its rollback.
    pub rollback_message: Option<String>,
    /// The deployment that this one puts back.
    pub puts_back: Option<String>,
}

impl DeploymentView {
    /// Whether nothing more happens to it.
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "Succeeded" | "Failed" | "Stopped")
    }
}

/// The one Lambda target of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetView {
    /// Its status.
    pub status: String,
    /// The share of the version that is deployed.
    pub weight: Option<Weight>,
    /// Its lifecycle events, in order: name, status and, where it failed, why.
    pub events: Vec<LifecycleEvent>,
}

/// One lifecycle event of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleEvent {
    /// `BeforeAllowTraffic`, `AllowTraffic`, …
    pub name: String,
    /// `Pending`, `InProgress`, `Succeeded`, `Failed`, `Skipped`, `Unknown`.
    pub status: String,
    /// CodeDeploy's words, where it failed.
    pub message: Option<String>,
}
