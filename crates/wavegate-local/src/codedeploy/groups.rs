//! Deployment groups.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::CodeDeploy;
use super::applications::{BATCH_MAX, check_batch};
use super::deployment::{AutoRollback, Deployment, RollbackEvent, Watch};
use super::fault::{Fault, FaultKind};
use super::input::{
    AlarmsInput, Elsewhere, GroupInput, GroupsInput, ListInput, RollbackInput, StyleInput,
};
use super::name::Named;
use super::page::page;
use super::record::Group;
use super::routing::DEFAULT;
use super::show::{self, Content};
use super::tags;
use crate::ids::Ids;

/// AWS: deployment groups of an application.
const GROUPS_MAX: usize = 1_000;
/// AWS: alarms of a group, as the API's model has it; a newer page of quotas says 50.
const ALARMS_MAX: usize = 10;
/// AWS: characters of an alarm's name here.
const ALARM_NAME_MAX: usize = 255;
/// AWS: triggers of a group.
const TRIGGERS_MAX: usize = 10;

impl CodeDeploy {
    pub(super) fn create_group(
        &mut self,
        ids: &mut dyn Ids,
        input: GroupInput,
    ) -> Result<Value, Fault> {
        let application = self.application(input.application_name.as_deref())?.name.clone();
        let name = Named::Group.check(input.deployment_group_name.as_deref())?.to_owned();
        let role = role(input.service_role_arn.as_deref())?
            .ok_or_else(|| Fault::new(FaultKind::RoleRequired, "Service role ARN is required"))?;
        check_elsewhere(&input)?;
        let mut group = Group {
            id: ids.uuid(),
            application,
            name,
            config: DEFAULT.to_owned(),
            role,
            watch: None,
            rollback: None,
            triggers: Vec::new(),
            outdated: None,
            tags: tags::of(input.tags.clone())?,
        };
        self.settle(&mut group, input)?;
        self.group_is_free(&group.application, &group.name)?;
        if self.groups_of(&group.application).count() >= GROUPS_MAX {
            let message = format!("The application has {GROUPS_MAX} deployment groups already");
            return Err(Fault::new(FaultKind::DeploymentGroupLimitExceeded, message));
        }
        let id = group.id.clone();
        self.groups.insert(id.clone(), group);
        Ok(json!({ "deploymentGroupId": id }))
    }

    pub(super) fn get_group(&self, input: &GroupInput) -> Result<Value, Fault> {
        let (application, name) = (&input.application_name, &input.deployment_group_name);
        let group = self.group(application.as_deref(), name.as_deref())?;
        Ok(json!({ "deploymentGroupInfo": self.show_group(group) }))
    }

    pub(super) fn batch_get_groups(&self, input: &GroupsInput) -> Result<Value, Fault> {
        let application = self.application(input.application_name.as_deref())?;
        let names = input.deployment_group_names.as_deref().unwrap_or_default();
        if names.is_empty() {
            let message = "Deployment group names are required";
            return Err(Fault::new(FaultKind::DeploymentGroupNameRequired, message));
        }
        check_batch(names.len(), BATCH_MAX)?;
        let mut found = Vec::new();
        let mut absent = Vec::new();
        for name in names {
            match self.group(Some(&application.name), Some(name)) {
                Ok(group) => found.push(self.show_group(group)),
                Err(fault) if fault.kind == FaultKind::DeploymentGroupDoesNotExist => {
                    absent.push(fault.message);
                }
                Err(fault) => return Err(fault),
            }
        }
        let message = (!absent.is_empty()).then(|| json!(absent.join("; ")));
        Ok(show::object([("deploymentGroupsInfo", Some(json!(found))), ("errorMessage", message)]))
    }

    pub(super) fn list_groups(&self, input: &ListInput) -> Result<Value, Fault> {
        let application = self.application(input.application_name.as_deref())?;
        let mut names: Vec<&str> =
            self.groups_of(&application.name).map(|group| group.name.as_str()).collect();
        names.sort_unstable();
        let names = names.into_iter().map(|name| (name.to_owned(), json!(name)));
        let (names, next) = page("ListDeploymentGroups", input.next_token.as_deref(), names)?;
        Ok(show::object([
            ("applicationName", Some(json!(application.name))),
            ("deploymentGroups", Some(json!(names))),
            ("nextToken", next.map(Value::from)),
        ]))
    }

    pub(super) fn update_group(&mut self, input: GroupInput) -> Result<Value, Fault> {
        let (application, name) = (&input.application_name, &input.current_deployment_group_name);
        let mut group = self.group(application.as_deref(), name.as_deref())?.clone();
        check_elsewhere(&input)?;
        if let Some(role) = role(input.service_role_arn.as_deref())? {
            group.role = role;
        }
        if let Some(new) = &input.new_deployment_group_name {
            let new = Named::Group.check(Some(new))?;
            if new != group.name {
                self.group_is_free(&group.application, new)?;
            }
            new.clone_into(&mut group.name);
        }
        self.settle(&mut group, input)?;
        self.deployments.change_all(
            |it| it.group_id == group.id && it.group != group.name,
            |it| it.group.clone_from(&group.name),
        );
        self.groups.insert(group.id.clone(), group);
        Ok(json!({ "hooksNotCleanedUp": [] }))
    }

    pub(super) fn delete_group(&mut self, input: &GroupInput) -> Result<Value, Fault> {
        let application = Named::Application.check(input.application_name.as_deref())?;
        let name = Named::Group.check(input.deployment_group_name.as_deref())?;
        let found = self.groups_of(application).find(|group| group.name == name);
        if let Some(id) = found.map(|group| group.id.clone()) {
            self.groups.remove(&id);
        }
        Ok(json!({ "hooksNotCleanedUp": [] }))
    }

    /// The group of that name.
    pub(super) fn group(
        &self,
        application: Option<&str>,
        name: Option<&str>,
    ) -> Result<&Group, Fault> {
        let application = self.application(application)?;
        let name = Named::Group.check(name)?;
        self.groups_of(&application.name).find(|group| group.name == name).ok_or_else(|| {
            let message = format!("No Deployment Group found for name: {name}");
            Fault::new(FaultKind::DeploymentGroupDoesNotExist, message)
        })
    }

    fn groups_of<'a>(&'a self, application: &'a str) -> impl Iterator<Item = &'a Group> {
        self.groups.values().filter(move |group| group.application == application)
    }

    fn group_is_free(&self, application: &str, name: &str) -> Result<(), Fault> {
        if self.groups_of(application).any(|group| group.name == name) {
            let message = format!("A deployment group with the name {name} already exists");
            return Err(Fault::new(FaultKind::DeploymentGroupAlreadyExists, message));
        }
        Ok(())
    }

    /// Puts what a request says about a group into it; what it does not mention stays.
    fn settle(&self, group: &mut Group, input: GroupInput) -> Result<(), Fault> {
        if let Some(config) = input.deployment_config_name {
            self.routing(Named::Config.check(Some(&config))?)?;
            group.config = config;
        }
        if let Some(alarms) = input.alarm_configuration {
            group.watch = Some(watch_of(alarms)?);
        }
        if let Some(rollback) = input.auto_rollback_configuration {
            group.rollback = Some(rollback_of(rollback)?);
        }
        if let Some(triggers) = input.trigger_configurations {
            check_triggers(&triggers)?;
            group.triggers = triggers;
        }
        if let Some(strategy) = input.outdated_instances_strategy {
            if !["UPDATE", "IGNORE"].contains(&strategy.as_str()) {
                let message = format!("{strategy} is no outdatedInstancesStrategy");
                return Err(Fault::new(FaultKind::InvalidInput, message));
            }
            group.outdated = Some(strategy);
        }
        Ok(())
    }

    fn show_group(&self, group: &Group) -> Value {
        let all = || self.deployments.values().filter(|it| it.group_id == group.id);
        let newest = |of: &mut dyn Iterator<Item = &'_ Deployment>| {
            of.max_by_key(|it| it.number).map(show::last)
        };
        let good = self.last_successful(&group.id);
        let attempted = newest(&mut all());
        show::object([
            ("applicationName", Some(json!(group.application))),
            ("deploymentGroupId", Some(json!(group.id))),
            ("deploymentGroupName", Some(json!(group.name))),
            ("deploymentConfigName", Some(json!(group.config))),
            ("serviceRoleArn", Some(json!(group.role))),
            ("targetRevision", good.map(|it| show::revision(&it.revision, Content::Hidden))),
            ("triggerConfigurations", Some(json!(group.triggers))),
            ("alarmConfiguration", group.watch.as_ref().map(show::watch)),
            ("autoRollbackConfiguration", group.rollback.as_ref().map(show::rollback)),
            ("deploymentStyle", Some(show::style())),
            ("outdatedInstancesStrategy", group.outdated.as_ref().map(|it| json!(it))),
            ("lastSuccessfulDeployment", good.map(show::last)),
            ("lastAttemptedDeployment", attempted),
            ("computePlatform", Some(json!("Lambda"))),
            ("terminationHookEnabled", Some(json!(false))),
        ])
    }
}

/// What an `AlarmConfiguration` says.
pub(super) fn watch_of(input: AlarmsInput) -> Result<Watch, Fault> {
    let refuse = |message: &str| Err(Fault::new(FaultKind::InvalidAlarmConfig, message));
    let enabled = input.enabled.unwrap_or(false);
    let mut names = Vec::new();
    for alarm in input.alarms.unwrap_or_default() {
        let name = alarm.and_then(|alarm| alarm.name).unwrap_or_default();
        if !(1..=ALARM_NAME_MAX).contains(&name.chars().count()) {
            return refuse("An alarm has no name, or one of more than 255 characters");
        }
        names.push(name);
    }
    if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
        return refuse("Two alarms have the same name");
    }
    if enabled && names.is_empty() {
        return refuse("Alarms are enabled, but there are none");
    }
    if names.len() > ALARMS_MAX {
        let message = format!("There can be {ALARMS_MAX} alarms, not {}", names.len());
        return Err(Fault::new(FaultKind::AlarmsLimitExceeded, message));
    }
    Ok(Watch {
        enabled,
        ignore_poll_alarm_failure: input.ignore_poll_alarm_failure.unwrap_or(false),
        alarms: names,
    })
}

/// What an `AutoRollbackConfiguration` says.
pub(super) fn rollback_of(input: RollbackInput) -> Result<AutoRollback, Fault> {
    let enabled = input.enabled.unwrap_or(false);
    let mut events = BTreeSet::new();
    for event in input.events.unwrap_or_default() {
        let read: Result<RollbackEvent, _> = serde_json::from_value(json!(event));
        let Ok(known) = read else {
            let message = format!("{event} is no event that triggers a rollback");
            return Err(Fault::new(FaultKind::InvalidAutoRollbackConfig, message));
        };
        events.insert(known);
    }
    if enabled && events.is_empty() {
        let message = "Automatic rollbacks are enabled, but no events that trigger them are given";
        return Err(Fault::new(FaultKind::InvalidAutoRollbackConfig, message));
    }
    Ok(AutoRollback { enabled, events: events.into_iter().collect() })
}

/// `arn:aws:iam::ACCOUNT:role/NAME`. Whether there is such a role, nobody knows here.
fn role(given: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(arn) = given.filter(|arn| !arn.is_empty()) else { return Ok(None) };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, role]
            if partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && role.strip_prefix("role/").is_some_and(|name| !name.is_empty()) =>
        {
            Ok(Some(arn.to_owned()))
        }
        _ => {
            let message = format!("{arn} is no ARN of a role");
            Err(Fault::new(FaultKind::InvalidRole, message))
        }
    }
}

fn check_triggers(triggers: &[Value]) -> Result<(), Fault> {
    if triggers.len() > TRIGGERS_MAX {
        let message = format!("A deployment group has up to {TRIGGERS_MAX} triggers");
        return Err(Fault::new(FaultKind::TriggerTargetsLimitExceeded, message));
    }
    let text =
        |trigger: &Value, name: &str| trigger[name].as_str().is_some_and(|it| !it.is_empty());
    let is_whole = |trigger: &Value| {
        text(trigger, "triggerName")
            && text(trigger, "triggerTargetArn")
            && trigger["triggerEvents"].as_array().is_some_and(|events| !events.is_empty())
    };
    if triggers.iter().all(is_whole) {
        return Ok(());
    }
    let message = "A trigger has a triggerName, a triggerTargetArn and triggerEvents";
    Err(Fault::new(FaultKind::InvalidTriggerConfig, message))
}

/// Refuses what only other compute platforms have.
fn check_elsewhere(input: &GroupInput) -> Result<(), Fault> {
    if let Some(StyleInput { deployment_type, deployment_option }) = &input.deployment_style {
        let is_lambdas = deployment_type.as_deref() == Some("BLUE_GREEN")
            && deployment_option.as_deref() == Some("WITH_TRAFFIC_CONTROL");
        if !is_lambdas {
            let message = "For the compute platform Lambda the deployment style is BLUE_GREEN and \
                           WITH_TRAFFIC_CONTROL";
            return Err(Fault::new(FaultKind::InvalidDeploymentStyle, message));
        }
    }
    let Elsewhere {
        ec2_tag_filters,
        ec2_tag_set,
        on_premises_instance_tag_filters,
        on_premises_tag_set,
        auto_scaling_groups,
        ecs_services,
        load_balancer_info,
        blue_green_deployment_configuration,
    } = &input.elsewhere;
    for (name, value, kind) in [
        ("ec2TagFilters", ec2_tag_filters, FaultKind::InvalidEC2Tag),
        ("ec2TagSet", ec2_tag_set, FaultKind::InvalidEC2Tag),
        ("onPremisesInstanceTagFilters", on_premises_instance_tag_filters, FaultKind::InvalidTag),
        ("onPremisesTagSet", on_premises_tag_set, FaultKind::InvalidTag),
        ("autoScalingGroups", auto_scaling_groups, FaultKind::InvalidAutoScalingGroup),
        ("ecsServices", ecs_services, FaultKind::InvalidECSService),
        ("loadBalancerInfo", load_balancer_info, FaultKind::InvalidLoadBalancerInfo),
        (
            "blueGreenDeploymentConfiguration",
            blue_green_deployment_configuration,
            FaultKind::InvalidBlueGreenDeploymentConfiguration,
        ),
    ] {
        if !is_empty(value) {
            let message = format!("{name} is not for the compute platform Lambda");
            return Err(Fault::new(kind, message));
        }
    }
    Ok(())
}

/// Tools send empty lists and structures for what they have not set.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(items) => items.values().all(is_empty),
        _ => false,
    }
}
