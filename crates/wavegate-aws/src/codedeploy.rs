//! CodeDeploy on the SDK: one call per method, paging aside, and no retries.
//!
//! Invariants: every deployment and every group is told to roll back on all three events; a list is
//! complete or an error; ids of targets are taken from CodeDeploy's own list, never made up.
//! Deliberately absent: what a deployment is made for, and following it, which are the engine's.

mod appspec;
mod parts;
mod view;

use async_trait::async_trait;
use aws_sdk_codedeploy::primitives::DateTime;
use aws_sdk_codedeploy::types::{ComputePlatform, DeploymentStatus, TimeRange};
use wavegate_core::codedeploy::{Group, Routing};
use wavegate_engine::ports::{
    CloudError, DeploymentView, Deployments, FaultKind, GroupView, NewDeployment, TargetView,
};

use crate::cloud::{AwsCloud, Pages, absent_is_done, absent_is_none};
use crate::fault::{from_sdk, unreadable};

/// The most deployments that one `BatchGetDeployments` takes. Source: its API reference.
const BATCH_MAX: usize = 25;

/// The statuses of a deployment to which something may still happen.
const ACTIVE: [DeploymentStatus; 5] = [
    DeploymentStatus::Created,
    DeploymentStatus::Queued,
    DeploymentStatus::InProgress,
    DeploymentStatus::Baking,
    DeploymentStatus::Ready,
];

#[async_trait]
impl Deployments for AwsCloud {
    async fn create_application(&self, name: &str) -> Result<(), CloudError> {
        let answer = self
            .codedeploy
            .create_application()
            .application_name(name)
            .compute_platform(ComputePlatform::Lambda)
            .send()
            .await;
        exists_is_done(answer.map(drop).map_err(|error| from_sdk("CreateApplication", &error)))
    }

    async fn create_config(&self, routing: Routing) -> Result<(), CloudError> {
        let answer = self
            .codedeploy
            .create_deployment_config()
            .deployment_config_name(routing.config_name())
            .compute_platform(ComputePlatform::Lambda)
            .traffic_routing_config(parts::routing(routing))
            .send()
            .await;
        exists_is_done(answer.map(drop).map_err(|error| from_sdk("CreateDeploymentConfig", &error)))
    }

    async fn delete_config(&self, name: &str) -> Result<bool, CloudError> {
        let answer =
            self.codedeploy.delete_deployment_config().deployment_config_name(name).send().await;
        let answer = answer.map(drop).map_err(|error| from_sdk("DeleteDeploymentConfig", &error));
        match answer {
            Err(error) if is(&error, "DeploymentConfigInUseException") => Ok(false),
            answer => absent_is_done(answer).map(|()| true),
        }
    }

    async fn group(&self, application: &str, name: &str) -> Result<Option<GroupView>, CloudError> {
        const OPERATION: &str = "GetDeploymentGroup";
        let answer = self
            .codedeploy
            .get_deployment_group()
            .application_name(application)
            .deployment_group_name(name)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return absent_is_none(from_sdk(OPERATION, &error)),
        };
        let info = answer.deployment_group_info();
        let info = info.ok_or_else(|| unreadable(OPERATION, "no deploymentGroupInfo"))?;
        view::group(OPERATION, info).map(Some)
    }

    async fn create_group(&self, group: &Group, config: &str) -> Result<(), CloudError> {
        let answer = self
            .codedeploy
            .create_deployment_group()
            .application_name(&group.application)
            .deployment_group_name(&group.name)
            .deployment_config_name(config)
            .set_service_role_arn(group.role.clone())
            .set_trigger_configurations(Some(parts::triggers(group)))
            .alarm_configuration(parts::alarms(group))
            .auto_rollback_configuration(parts::rollback())
            .deployment_style(parts::style())
            .send()
            .await;
        answer.map(drop).map_err(|error| from_sdk("CreateDeploymentGroup", &error))
    }

    async fn update_group(&self, group: &Group, config: &str) -> Result<(), CloudError> {
        // CodeDeploy keeps what is left out, so what the manifest no longer has is sent as empty.
        let answer = self
            .codedeploy
            .update_deployment_group()
            .application_name(&group.application)
            .current_deployment_group_name(&group.name)
            .deployment_config_name(config)
            .set_service_role_arn(group.role.clone())
            .set_trigger_configurations(Some(parts::triggers(group)))
            .alarm_configuration(parts::alarms(group))
            .auto_rollback_configuration(parts::rollback())
            .deployment_style(parts::style())
            .send()
            .await;
        answer.map(drop).map_err(|error| from_sdk("UpdateDeploymentGroup", &error))
    }

    async fn create_deployment(&self, deployment: &NewDeployment) -> Result<String, CloudError> {
        const OPERATION: &str = "CreateDeployment";
        let group = &deployment.group;
        // A group of wavegate's own has its alarms already; somebody else's is left as it is.
        let alarms = (!group.is_own && !group.alarms.is_empty()).then(|| parts::alarms(group));
        self.codedeploy
            .create_deployment()
            .application_name(&group.application)
            .deployment_group_name(&group.name)
            .deployment_config_name(&deployment.config)
            .description(&deployment.description)
            .revision(parts::revision(appspec::content(deployment)))
            .auto_rollback_configuration(parts::rollback())
            .set_override_alarm_configuration(alarms)
            .send()
            .await
            .map_err(|error| from_sdk(OPERATION, &error))?
            .deployment_id
            .ok_or_else(|| unreadable(OPERATION, "no deploymentId"))
    }

    async fn list_deployments(
        &self,
        of: Option<(&str, &str)>,
        since_s: u64,
        active_only: bool,
    ) -> Result<Vec<String>, CloudError> {
        const OPERATION: &str = "ListDeployments";
        let since = i64::try_from(since_s).unwrap_or(i64::MAX);
        let since = TimeRange::builder().start(DateTime::from_secs(since)).build();
        let mut ids = Vec::new();
        let mut pages = Pages::new(OPERATION);
        loop {
            let page = self
                .codedeploy
                .list_deployments()
                // Both or neither: CodeDeploy refuses one of them alone.
                .set_application_name(of.map(|(application, _)| application.to_owned()))
                .set_deployment_group_name(of.map(|(_, group)| group.to_owned()))
                .set_include_only_statuses(active_only.then(|| ACTIVE.to_vec()))
                .create_time_range(since.clone())
                .set_next_token(pages.marker.clone())
                .send()
                .await
                .map_err(|error| from_sdk(OPERATION, &error))?;
            // An answer without any list, as an empty body is, is no empty list: a deployment that
            // is under way would be made once more.
            let listed = page.deployments.ok_or_else(|| unreadable(OPERATION, "no list in it"))?;
            ids.extend(listed);
            if !pages.turn(page.next_token.as_deref())? {
                return Ok(ids);
            }
        }
    }

    async fn deployments(&self, ids: &[String]) -> Result<Vec<DeploymentView>, CloudError> {
        const OPERATION: &str = "BatchGetDeployments";
        let mut views = Vec::new();
        for batch in ids.chunks(BATCH_MAX) {
            let answer = self
                .codedeploy
                .batch_get_deployments()
                .set_deployment_ids(Some(batch.to_vec()))
                .send()
                .await
                .map_err(|error| from_sdk(OPERATION, &error))?;
            for info in answer.deployments_info() {
                views.push(view::deployment(OPERATION, info)?);
            }
        }
        Ok(views)
    }

    async fn target(&self, deployment: &str) -> Result<Option<TargetView>, CloudError> {
        const LIST: &str = "ListDeploymentTargets";
        const GET: &str = "BatchGetDeploymentTargets";
        let listed =
            self.codedeploy.list_deployment_targets().deployment_id(deployment).send().await;
        let listed = match listed.map_err(|error| from_sdk(LIST, &error)) {
            Ok(listed) => listed,
            Err(error) if is(&error, "DeploymentNotStartedException") => return Ok(None),
            Err(error) => return Err(error),
        };
        // A deployment for Lambda has one target: its page has no second.
        let Some(id) = listed.target_ids().first() else { return Ok(None) };
        let answer = self
            .codedeploy
            .batch_get_deployment_targets()
            .deployment_id(deployment)
            .target_ids(id)
            .send()
            .await
            .map_err(|error| from_sdk(GET, &error))?;
        let targets = answer.deployment_targets();
        let target = targets.iter().find_map(|target| target.lambda_target());
        target.map(|target| view::target(GET, target)).transpose()
    }

    async fn stop(&self, deployment: &str) -> Result<(), CloudError> {
        let answer = self
            .codedeploy
            .stop_deployment()
            .deployment_id(deployment)
            .auto_rollback_enabled(true)
            .send()
            .await;
        match answer.map(drop).map_err(|error| from_sdk("StopDeployment", &error)) {
            Err(error) if is(&error, "DeploymentAlreadyCompletedException") => Ok(()),
            answer => answer,
        }
    }
}

fn is(error: &CloudError, code: &str) -> bool {
    error.code.as_deref() == Some(code)
}

/// What is to be created and is there already is created.
fn exists_is_done(outcome: Result<(), CloudError>) -> Result<(), CloudError> {
    match outcome {
        Err(error) if error.kind == FaultKind::AlreadyExists => Ok(()),
        outcome => outcome,
    }
}
