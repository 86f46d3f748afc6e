//! A world without CodeDeploy: for apps whose traffic wavegate moves itself.

use async_trait::async_trait;
use wavegate_core::codedeploy::{Group, Routing};
use wavegate_engine::ports::{
    CloudError, DeploymentView, Deployments, FaultKind, GroupView, NewDeployment, TargetView,
};

/// Refuses everything, so that a release that asks for anything fails.
#[derive(Debug)]
pub struct NoCodeDeploy;

fn refused<T>(operation: &'static str) -> Result<T, CloudError> {
    Err(CloudError {
        operation,
        kind: FaultKind::Denied,
        code: None,
        message: "there is no CodeDeploy here".to_owned(),
        request_id: None,
        retry_after: None,
    })
}

#[async_trait]
impl Deployments for NoCodeDeploy {
    async fn create_application(&self, _: &str) -> Result<(), CloudError> {
        refused("CreateApplication")
    }

    async fn create_config(&self, _: Routing) -> Result<(), CloudError> {
        refused("CreateDeploymentConfig")
    }

    async fn delete_config(&self, _: &str) -> Result<bool, CloudError> {
        refused("DeleteDeploymentConfig")
    }

    async fn group(&self, _: &str, _: &str) -> Result<Option<GroupView>, CloudError> {
        refused("GetDeploymentGroup")
    }

    async fn create_group(&self, _: &Group, _: &str) -> Result<(), CloudError> {
        refused("CreateDeploymentGroup")
    }

    async fn update_group(&self, _: &Group, _: &str) -> Result<(), CloudError> {
        refused("UpdateDeploymentGroup")
    }

    async fn create_deployment(&self, _: &NewDeployment) -> Result<String, CloudError> {
        refused("CreateDeployment")
    }

    async fn list_deployments(
        &self,
        _: Option<(&str, &str)>,
        _: u64,
        _: bool,
    ) -> Result<Vec<String>, CloudError> {
        refused("ListDeployments")
    }

    async fn deployments(&self, _: &[String]) -> Result<Vec<DeploymentView>, CloudError> {
        refused("BatchGetDeployments")
    }

    async fn target(&self, _: &str) -> Result<Option<TargetView>, CloudError> {
        refused("BatchGetDeploymentTargets")
    }

    async fn stop(&self, _: &str) -> Result<(), CloudError> {
        refused("StopDeployment")
    }
}
