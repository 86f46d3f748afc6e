//! Deployments: made, looked at, stopped.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::CodeDeploy;
use super::applications::check_batch;
use super::appspec::{self, CONTENT_MAX};
use super::deployment::{
    Creator, Deployment, Input, Lifecycle, Phase, Revision, START_MS, Source, Stage, Verdict,
};
use super::fault::{Fault, FaultKind};
use super::groups::{is_empty, rollback_of, watch_of};
use super::input::{
    DeploymentIdInput, DeploymentInput, DeploymentsInput, ListDeploymentsInput, RevisionInput,
    RevisionOfInput, TextInput,
};
use super::name::{Named, check_id};
use super::page::page;
use super::show::{self, Content};
use crate::ids::Ids;

/// AWS: deployments at once in an account.
const CONCURRENT_MAX: usize = 1_000;
/// AWS: deployments in one batch.
const BATCH_MAX: usize = 25;
/// Characters of a description. AWS has a limit and does not document it.
const DESCRIPTION_MAX: usize = 256;
/// Every status that AWS's model has.
const STATUSES: [&str; 8] =
    ["Created", "Queued", "InProgress", "Baking", "Succeeded", "Failed", "Stopped", "Ready"];

impl Revision {
    /// A revision that was given as text.
    pub(super) fn of_text(source: Source, content: String) -> Self {
        let mut sha256 = String::with_capacity(64);
        for byte in Sha256::digest(content.as_bytes()) {
            let _ = write!(sha256, "{byte:02x}");
        }
        Self { source, content, sha256 }
    }
}

impl CodeDeploy {
    pub(super) fn create_deployment(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        input: DeploymentInput,
    ) -> Result<Value, Fault> {
        let (application, name) = (&input.application_name, &input.deployment_group_name);
        let group = self.group(application.as_deref(), name.as_deref())?.clone();
        check_elsewhere(&input)?;
        let revision = revision_of(input.revision.as_ref())?;
        let config = match input.deployment_config_name {
            Some(config) => Named::Config.check(Some(&config))?.to_owned(),
            None => group.config.clone(),
        };
        let routing = self.routing(&config)?;
        let own_watch = input.override_alarm_configuration.map(watch_of).transpose()?;
        let own_rollback = input.auto_rollback_configuration.map(rollback_of).transpose()?;
        self.has_room(&group.id, &group.name)?;
        let id = self.free_id(ids);
        let deployment = Deployment {
            id: id.clone(),
            number: self.next_number(),
            application: group.application,
            previous: self.last_successful(&group.id).map(|it| it.revision.clone()),
            group: group.name,
            group_id: group.id,
            config,
            routing,
            spec: appspec::parse(&revision.content).ok(),
            revision,
            executions: [ids.uuid(), ids.uuid()],
            description: input.description.unwrap_or_default(),
            creator: Creator::User,
            rollback: own_rollback.or(group.rollback).unwrap_or_default(),
            has_own_watch: own_watch.is_some(),
            watch: own_watch.or(group.watch).unwrap_or_default(),
            created_ms: now,
            started_ms: None,
            ended_ms: None,
            updated_ms: now,
            phase: Phase::Created { start_ms: now.saturating_add(START_MS) },
            has_begun: false,
            weight: 0,
            lifecycle: Lifecycle::default(),
            failure: None,
            rolled_back_by: None,
            rolls_back: None,
        };
        self.keep(deployment);
        Ok(json!({ "deploymentId": id }))
    }

    pub(super) fn get_deployment(&self, input: &DeploymentIdInput) -> Result<Value, Fault> {
        let deployment = self.deployment(check_id(input.deployment_id.as_deref())?)?;
        Ok(json!({ "deploymentInfo": self.show_deployment(deployment) }))
    }

    /// Deployments that do not exist are left out.
    pub(super) fn batch_get_deployments(&self, input: DeploymentsInput) -> Result<Value, Fault> {
        let given = input.deployment_ids.unwrap_or_default();
        if given.is_empty() {
            return Err(Fault::new(FaultKind::DeploymentIdRequired, "Deployment IDs are required"));
        }
        check_batch(given.len(), BATCH_MAX)?;
        let mut found = Vec::new();
        for id in &given {
            let known = self.deployments.get(check_id(Some(id))?);
            found.extend(known.map(|deployment| self.show_deployment(deployment)));
        }
        Ok(json!({ "deploymentsInfo": found }))
    }

    /// The newest first, as AWS lists them.
    pub(super) fn list_deployments(&self, input: &ListDeploymentsInput) -> Result<Value, Fault> {
        let group = match (&input.application_name, &input.deployment_group_name) {
            (None, None) => None,
            (Some(application), Some(name)) => Some(&self.group(Some(application), Some(name))?.id),
            (Some(_), None) => {
                let message = "With an application name, a deployment group name is required";
                return Err(Fault::new(FaultKind::DeploymentGroupNameRequired, message));
            }
            (None, Some(_)) => {
                let message = "With a deployment group name, an application name is required";
                return Err(Fault::new(FaultKind::ApplicationNameRequired, message));
            }
        };
        let statuses: BTreeSet<&str> =
            input.include_only_statuses.iter().flatten().map(String::as_str).collect();
        if let Some(unknown) = statuses.iter().find(|status| !STATUSES.contains(status)) {
            let message = format!("{unknown} is no status of a deployment");
            return Err(Fault::new(FaultKind::InvalidDeploymentStatus, message));
        }
        let range = input.create_time_range.clone().unwrap_or_default();
        if let (Some(start), Some(end)) = (range.start, range.end)
            && start > end
        {
            let message = "The time range ends before it starts";
            return Err(Fault::new(FaultKind::InvalidTimeRange, message));
        }
        // No deployment here belongs to a stack of CloudFormation.
        let is_elsewhere = input.external_id.as_ref().is_some_and(|id| !id.is_empty());
        let mut listed: Vec<&Deployment> = self
            .deployments
            .values()
            .filter(|it| !is_elsewhere && group.is_none_or(|id| it.group_id == *id))
            .filter(|it| statuses.is_empty() || statuses.contains(show::status(&it.phase)))
            .filter(|it| {
                let at = show::time(it.created_ms).as_f64().unwrap_or_default();
                range.start.is_none_or(|start| start <= at) && range.end.is_none_or(|end| at <= end)
            })
            .collect();
        listed.sort_by_key(|it| std::cmp::Reverse(it.number));
        let keyed =
            listed.into_iter().map(|it| (format!("{:020}", u64::MAX - it.number), json!(it.id)));
        let (listed, next) = page("ListDeployments", input.next_token.as_deref(), keyed)?;
        Ok(show::object([
            ("deployments", Some(json!(listed))),
            ("nextToken", next.map(Value::from)),
        ]))
    }

    pub(super) fn stop_deployment(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        input: &DeploymentIdInput,
    ) -> Result<Value, Fault> {
        let id = check_id(input.deployment_id.as_deref())?;
        self.running(id, FaultKind::DeploymentAlreadyCompleted)?;
        let stop = Input::Stop { rolls_back: input.auto_rollback_enabled };
        self.feed(now, ids, None, id, stop)?;
        Ok(json!({
            "status": "Succeeded",
            "statusMessage": "No more traffic will be shifted by the deployment",
        }))
    }

    /// Lambda deployments never wait for a person.
    pub(super) fn continue_deployment(&self, input: &DeploymentIdInput) -> Result<Value, Fault> {
        let id = check_id(input.deployment_id.as_deref())?;
        self.running(id, FaultKind::DeploymentAlreadyCompleted)?;
        if let Some(wait) = &input.deployment_wait_type
            && !["READY_WAIT", "TERMINATION_WAIT"].contains(&wait.as_str())
        {
            let message = format!("{wait} is no wait of a deployment");
            return Err(Fault::new(FaultKind::InvalidDeploymentWaitType, message));
        }
        let message = format!(
            "The deployment {id} is for the compute platform Lambda, where no deployment waits to be \
             continued"
        );
        Err(Fault::new(FaultKind::UnsupportedActionForDeploymentType, message))
    }

    /// `PutLifecycleEventHookExecutionStatus`: what a hook function reports.
    pub(super) fn put_hook_status(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        input: &DeploymentIdInput,
    ) -> Result<Value, Fault> {
        let id = check_id(input.deployment_id.as_deref())?;
        let deployment = self.deployment(id)?;
        let verdict = match input.status.as_deref() {
            Some("Succeeded") => Verdict::Succeeded,
            Some("Failed") => Verdict::Failed,
            other => {
                let message = format!(
                    "The status of a lifecycle event hook is Succeeded or Failed, not {}",
                    other.unwrap_or("(none)")
                );
                let kind = FaultKind::InvalidLifecycleEventHookExecutionStatus;
                return Err(Fault::new(kind, message));
            }
        };
        let execution = input.lifecycle_event_hook_execution_id.as_deref().unwrap_or_default();
        // What has not begun has told nobody its id.
        let event = deployment
            .event_of(execution)
            .filter(|event| deployment.hook(*event).is_some())
            .filter(|event| {
                let stage = deployment.lifecycle.stage(*event);
                !matches!(stage, Stage::Pending | Stage::Skipped)
            })
            .ok_or_else(|| {
                let message =
                    "The lifecycle event hook execution id is not one of the deployment's";
                Fault::new(FaultKind::InvalidLifecycleEventHookExecutionId, message)
            })?;
        if deployment.asked() != Some(event) {
            let message = format!("The lifecycle event {event} is already complete");
            return Err(Fault::new(FaultKind::LifecycleEventAlreadyCompleted, message));
        }
        self.feed(now, ids, None, id, Input::Hooked(verdict))?;
        Ok(json!({ "lifecycleEventHookExecutionId": execution }))
    }

    /// `GetApplicationRevision`, of revisions that were deployed.
    pub(super) fn get_revision(&self, input: &RevisionOfInput) -> Result<Value, Fault> {
        let application = self.application(input.application_name.as_deref())?;
        let given = input.revision.as_ref().ok_or_else(no_revision)?;
        let text = given.app_spec_content.as_ref().or(given.string.as_ref());
        let is_given = |it: &Revision| match (&it.source, text, &given.s3_location) {
            (Source::AppSpecContent | Source::String, Some(text), _) => {
                text.sha256.as_deref() == Some(&it.sha256)
            }
            (Source::S3 { bucket, key, .. }, _, Some(s3)) => {
                (s3.bucket.as_ref(), s3.key.as_ref()) == (Some(bucket), Some(key))
            }
            _ => false,
        };
        let mut used: Vec<&Deployment> = self
            .deployments
            .values()
            .filter(|it| it.application == application.name && is_given(&it.revision))
            .collect();
        used.sort_by_key(|it| it.number);
        let (Some(first), Some(last)) = (used.first(), used.last()) else {
            let message = "No deployed revision of the application is the given one";
            return Err(Fault::new(FaultKind::RevisionDoesNotExist, message));
        };
        let groups = used.iter().filter(|it| {
            let good = self.last_successful(&it.group_id);
            good.is_some_and(|good| is_given(&good.revision))
        });
        let groups: BTreeSet<&str> = groups.map(|it| it.group.as_str()).collect();
        Ok(json!({
            "applicationName": application.name,
            "revision": show::revision(&last.revision, Content::Shown),
            "revisionInfo": {
                "deploymentGroups": groups,
                "firstUsedTime": show::time(first.created_ms),
                "lastUsedTime": show::time(last.created_ms),
                "registerTime": show::time(first.created_ms),
            },
        }))
    }

    /// The deployment of that id.
    pub(super) fn deployment(&self, id: &str) -> Result<&Deployment, Fault> {
        self.deployments.get(id).ok_or_else(|| {
            let message = format!("The deployment {id} could not be found");
            Fault::new(FaultKind::DeploymentDoesNotExist, message)
        })
    }

    /// The names of a deployment's application and group, for permissions.
    pub(crate) fn names_of(&self, id: &str) -> Option<(&str, &str)> {
        self.deployments.get(id).map(|it| (it.application.as_str(), it.group.as_str()))
    }

    fn show_deployment(&self, deployment: &Deployment) -> Value {
        let back = deployment.rolled_back_by.as_ref().and_then(|id| self.deployments.get(id));
        show::deployment(deployment, back)
    }

    /// AWS: one deployment at a time in a group, and so many in an account.
    fn has_room(&self, group_id: &str, name: &str) -> Result<(), Fault> {
        let open = || self.deployments.values().filter(|it| !it.is_over());
        if let Some(active) = open().find(|it| it.group_id == group_id) {
            let message = format!(
                "The Deployment Group '{name}' already has an active Deployment '{}'",
                active.id
            );
            return Err(Fault::new(FaultKind::DeploymentLimitExceeded, message));
        }
        if open().count() >= CONCURRENT_MAX {
            let message = format!("There are {CONCURRENT_MAX} active deployments already");
            return Err(Fault::new(FaultKind::DeploymentLimitExceeded, message));
        }
        Ok(())
    }
}

fn no_revision() -> Fault {
    Fault::new(FaultKind::RevisionRequired, "Revision is required")
}

/// The revision that a request gives. What its content says is looked at when the deployment starts,
/// as on AWS.
fn revision_of(input: Option<&RevisionInput>) -> Result<Revision, Fault> {
    let input = input.ok_or_else(no_revision)?;
    let refuse = |message: String| Err(Fault::new(FaultKind::InvalidRevision, message));
    let of_text = |source: Source, text: Option<&TextInput>| {
        let content = text.and_then(|text| text.content.as_deref()).unwrap_or_default();
        if content.is_empty() {
            return refuse("The revision has no content".to_owned());
        }
        let revision = Revision::of_text(source, content.to_owned());
        let said = text.and_then(|text| text.sha256.as_deref());
        if said.is_some_and(|said| !said.eq_ignore_ascii_case(&revision.sha256)) {
            return refuse(format!(
                "The SHA-256 of the revision's content is {}, not what is said",
                revision.sha256
            ));
        }
        Ok(revision)
    };
    let revision = match input.revision_type.as_deref() {
        Some("AppSpecContent") => of_text(Source::AppSpecContent, input.app_spec_content.as_ref())?,
        Some("String") => of_text(Source::String, input.string.as_ref())?,
        Some("S3") => {
            let s3 = input.s3_location.clone().unwrap_or_default();
            let (Some(bucket), Some(key)) = (s3.bucket, s3.key) else {
                return refuse("s3Location has a bucket and a key".to_owned());
            };
            let bundle_type = s3.bundle_type.unwrap_or_default();
            if !["YAML", "JSON"].contains(&bundle_type.as_str()) {
                return refuse(format!(
                    "The bundleType of a revision for Lambda is YAML or JSON, not {bundle_type:?}"
                ));
            }
            let Some(content) = s3.content else {
                return refuse(format!("There is no text at s3://{bucket}/{key}"));
            };
            Revision::of_text(Source::S3 { bucket, key, bundle_type }, content)
        }
        other => {
            return refuse(format!(
                "The revisionType for Lambda is AppSpecContent, String or S3, not {}",
                other.unwrap_or("(none)")
            ));
        }
    };
    if revision.content.len() > CONTENT_MAX {
        return refuse(format!("The revision is longer than {CONTENT_MAX} bytes"));
    }
    Ok(revision)
}

/// Refuses what only other compute platforms have.
fn check_elsewhere(input: &DeploymentInput) -> Result<(), Fault> {
    let refuse = |kind, message: &str| Err(Fault::new(kind, message));
    if input.description.as_ref().is_some_and(|it| it.chars().count() > DESCRIPTION_MAX) {
        let message = format!("The description is longer than {DESCRIPTION_MAX} characters");
        return Err(Fault::new(FaultKind::DescriptionTooLong, message));
    }
    if input.ignore_application_stop_failures == Some(true) {
        let kind = FaultKind::InvalidIgnoreApplicationStopFailuresValue;
        return refuse(kind, "For Lambda, ignoreApplicationStopFailures is false");
    }
    if input.update_outdated_instances_only == Some(true) {
        let kind = FaultKind::InvalidUpdateOutdatedInstancesOnlyValue;
        return refuse(kind, "For Lambda, updateOutdatedInstancesOnly is false");
    }
    if !is_empty(&input.target_instances) {
        let message = "targetInstances are not for the compute platform Lambda";
        return refuse(FaultKind::InvalidTargetInstances, message);
    }
    if let Some(behavior) = &input.file_exists_behavior
        && !["DISALLOW", "OVERWRITE", "RETAIN"].contains(&behavior.as_str())
    {
        let message = format!("{behavior} is no fileExistsBehavior");
        return Err(Fault::new(FaultKind::InvalidFileExistsBehavior, message));
    }
    if input.deployment_mode.as_ref().is_some_and(|mode| mode != "STANDARD") {
        return refuse(FaultKind::InvalidInput, "For Lambda, deploymentMode is STANDARD");
    }
    Ok(())
}
