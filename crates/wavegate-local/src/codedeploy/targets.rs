//! Deployment targets: of a Lambda deployment there is one, its function.

use serde_json::{Value, json};

use super::CodeDeploy;
use super::deployment::{Deployment, Phase};
use super::fault::{Fault, FaultKind};
use super::input::DeploymentIdInput;
use super::name::check_id;
use super::page::page;
use super::show;

/// Every status that AWS's model has.
const STATUSES: [&str; 7] =
    ["Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Unknown", "Ready"];

impl CodeDeploy {
    pub(super) fn list_targets(&self, input: &DeploymentIdInput) -> Result<Value, Fault> {
        let deployment = self.started(input)?;
        let mut is_shown = true;
        for (name, wanted) in input.target_filters.iter().flatten() {
            match name.as_str() {
                "TargetStatus" => {
                    if let Some(unknown) = wanted.iter().find(|it| !STATUSES.contains(&it.as_str()))
                    {
                        let message = format!("{unknown} is no status of a target");
                        return Err(Fault::new(FaultKind::InvalidInstanceStatus, message));
                    }
                    let status = show::target_status(&deployment.phase);
                    is_shown &= wanted.iter().any(|it| it == status);
                }
                other => {
                    let message = format!("Targets of Lambda deployments have no {other}");
                    return Err(Fault::new(FaultKind::InvalidTargetFilterName, message));
                }
            }
        }
        let id = self.target_id(deployment).filter(|_| is_shown);
        let ids = id.into_iter().map(|id| (id.clone(), json!(id)));
        let (ids, _) = page("ListDeploymentTargets", input.next_token.as_deref(), ids)?;
        Ok(json!({ "targetIds": ids }))
    }

    pub(super) fn get_target(&self, input: &DeploymentIdInput) -> Result<Value, Fault> {
        let deployment = self.started(input)?;
        let id = input.target_id.as_deref().unwrap_or_default();
        Ok(json!({ "deploymentTarget": self.target(deployment, id)? }))
    }

    pub(super) fn batch_get_targets(&self, input: DeploymentIdInput) -> Result<Value, Fault> {
        let deployment = self.started(&input)?;
        let given = input.target_ids.unwrap_or_default();
        match given.as_slice() {
            [id] => Ok(json!({ "deploymentTargets": [self.target(deployment, id)?] })),
            [] => Err(required()),
            _ => {
                let message = "A Lambda deployment has exactly one target";
                Err(Fault::new(FaultKind::DeploymentTargetListSizeExceeded, message))
            }
        }
    }

    fn started(&self, input: &DeploymentIdInput) -> Result<&Deployment, Fault> {
        let id = check_id(input.deployment_id.as_deref())?;
        let deployment = self.deployment(id)?;
        if matches!(deployment.phase, Phase::Created { .. }) {
            let message = format!("The deployment {id} has not started yet");
            return Err(Fault::new(FaultKind::DeploymentNotStarted, message));
        }
        Ok(deployment)
    }

    fn target(&self, deployment: &Deployment, id: &str) -> Result<Value, Fault> {
        if id.is_empty() {
            return Err(required());
        }
        let own = self.target_id(deployment).filter(|own| own == id);
        let shown = own.and_then(|id| show::target(deployment, &id, &self.home.arn(&id, None)));
        shown.ok_or_else(|| {
            let message = format!("The deployment {} has no target {id}", deployment.id);
            Fault::new(FaultKind::DeploymentTargetDoesNotExist, message)
        })
    }

    /// "The target IDs are the names of Lambda functions", says AWS's model.
    fn target_id(&self, deployment: &Deployment) -> Option<String> {
        let function = &deployment.spec.as_ref()?.function;
        let named = self.home.resolve(function, None);
        Some(named.map_or_else(|_| function.clone(), |target| target.name))
    }
}

fn required() -> Fault {
    Fault::new(FaultKind::DeploymentTargetIdRequired, "Deployment target ID is required")
}
