//! CodeDeploy for Lambda: applications, deployment groups, deployment configurations, and deployments
//! that really move the traffic of aliases.
//!
//! Pure state and rules: every method takes the time, none reads a clock, touches the network or waits.
//! A deployment is a state machine ([`deployment`]); [`advance`] lets it work on Lambda's model through
//! the very `UpdateAlias` that callers use, so that revision ids move. Asking hooks is left to the edge,
//! which takes the questions out with [`CodeDeploy::take_questions`] when the state is saved.
//!
//! Built from AWS's own service model (API version 2014-10-06) and its documentation for the Lambda
//! compute platform. Where AWS documents nothing, the choice is said beside the constant or the code.
//!
//! Deliberately absent: the Server and ECS platforms, registered revisions, GitHub, notifications of
//! triggers, and the judging of service roles (so a hook may have any name). What is not offered is
//! refused in words.

mod advance;
mod applications;
mod appspec;
mod configs;
mod deployment;
mod deployments;
mod fault;
mod groups;
mod input;
mod name;
mod page;
mod record;
mod routing;
mod show;
mod store;
mod tags;
mod targets;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use advance::Question;
use deployment::Deployment;
pub(crate) use fault::Fault;
pub(crate) use input::s3_location;
use record::{Application, Config, Group};

use crate::ids::Ids;
use crate::lambda::name::Home;
use crate::rows::Rows;

/// The CodeDeploy of one account in one region.
#[derive(Debug)]
pub(crate) struct CodeDeploy {
    home: Home,
    /// By name.
    applications: Rows<Application>,
    /// By id.
    groups: Rows<Group>,
    /// By name; custom ones only.
    configs: Rows<Config>,
    /// By id.
    deployments: Rows<Deployment>,
    questions: Vec<Question>,
}

impl CodeDeploy {
    /// An empty CodeDeploy.
    pub(crate) fn new(region: &str, account: &str) -> Self {
        Self {
            home: Home { region: region.to_owned(), account: account.to_owned() },
            applications: Rows::new("application"),
            groups: Rows::new("group"),
            configs: Rows::new("config"),
            deployments: Rows::new("deployment"),
            questions: Vec::new(),
        }
    }

    /// Performs an operation.
    pub(crate) fn perform(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        operation: &str,
        input: Value,
    ) -> Result<Value, Fault> {
        match operation {
            "CreateApplication" => self.create_application(now, ids, input::read(input)?),
            "GetApplication" => self.get_application(&input::read(input)?),
            "BatchGetApplications" => self.batch_get_applications(input::read(input)?),
            "ListApplications" => self.list_applications(&input::read(input)?),
            "UpdateApplication" => self.update_application(&input::read(input)?),
            "DeleteApplication" => self.delete_application(&input::read(input)?),
            "CreateDeploymentGroup" => self.create_group(ids, input::read(input)?),
            "GetDeploymentGroup" => self.get_group(&input::read(input)?),
            "BatchGetDeploymentGroups" => self.batch_get_groups(&input::read(input)?),
            "ListDeploymentGroups" => self.list_groups(&input::read(input)?),
            "UpdateDeploymentGroup" => self.update_group(input::read(input)?),
            "DeleteDeploymentGroup" => self.delete_group(&input::read(input)?),
            "CreateDeploymentConfig" => self.create_config(now, ids, &input::read(input)?),
            "GetDeploymentConfig" => self.get_config(&input::read(input)?),
            "ListDeploymentConfigs" => self.list_configs(&input::read(input)?),
            "DeleteDeploymentConfig" => self.delete_config(&input::read(input)?),
            "CreateDeployment" => self.create_deployment(now, ids, input::read(input)?),
            "GetDeployment" => self.get_deployment(&input::read(input)?),
            "BatchGetDeployments" => self.batch_get_deployments(input::read(input)?),
            "ListDeployments" => self.list_deployments(&input::read(input)?),
            "StopDeployment" => self.stop_deployment(now, ids, &input::read(input)?),
            "ContinueDeployment" => self.continue_deployment(&input::read(input)?),
            "GetApplicationRevision" => self.get_revision(&input::read(input)?),
            "ListDeploymentTargets" => self.list_targets(&input::read(input)?),
            "GetDeploymentTarget" => self.get_target(&input::read(input)?),
            "BatchGetDeploymentTargets" => self.batch_get_targets(input::read(input)?),
            "PutLifecycleEventHookExecutionStatus" => {
                self.put_hook_status(now, ids, &input::read(input)?)
            }
            "TagResource" => self.tag(&input::read(input)?),
            "UntagResource" => self.untag(&input::read(input)?),
            "ListTagsForResource" => self.list_tags(&input::read(input)?),
            other => Err(Fault::internal(format!("{other} is offered and not performed"))),
        }
    }
}
