//! What CodeDeploy shows, in the port's words.

use aws_sdk_codedeploy::types::{
    AlarmConfiguration, DeploymentGroupInfo, DeploymentInfo, ErrorCode, LambdaFunctionInfo,
    LambdaTarget, LifecycleEvent, LifecycleEventStatus,
};
use wavegate_core::codedeploy::{Group, Trigger};
use wavegate_core::weight::Weight;
use wavegate_engine::ports::{
    CloudError, DeploymentView, GroupView, LifecycleEvent as EventView, TargetView,
};

use super::parts::ROLLBACK_EVENTS;
use crate::fault::unreadable;

pub(super) fn group(
    operation: &'static str,
    info: &DeploymentGroupInfo,
) -> Result<GroupView, CloudError> {
    let named = info.application_name().zip(info.deployment_group_name());
    let (application, name) = named.ok_or_else(|| unreadable(operation, "no name"))?;
    // Alarms of a configuration that is off are not watched.
    let alarms = info.alarm_configuration().filter(|alarms| alarms.enabled());
    let triggers = info.trigger_configurations().iter().map(|trigger| Trigger {
        name: trigger.trigger_name().unwrap_or_default().to_owned(),
        topic: trigger.trigger_target_arn().unwrap_or_default().to_owned(),
        events: trigger.trigger_events().iter().map(|event| event.as_str().to_owned()).collect(),
    });
    let rollback = info.auto_rollback_configuration().filter(|rollback| rollback.enabled());
    Ok(GroupView {
        group: Group {
            application: application.to_owned(),
            name: name.to_owned(),
            // CodeDeploy does not know whose it is.
            is_own: false,
            role: info.service_role_arn().map(str::to_owned),
            alarms: alarms.map(alarm_names).unwrap_or_default(),
            ignores_unreadable_alarms: alarms
                .is_some_and(AlarmConfiguration::ignore_poll_alarm_failure),
            triggers: triggers.collect(),
            before: None,
            after: None,
        },
        config: info.deployment_config_name().unwrap_or_default().to_owned(),
        rolls_back: rollback.is_some_and(|rollback| {
            ROLLBACK_EVENTS.iter().all(|event| rollback.events().contains(event))
        }),
    })
}

fn alarm_names(alarms: &AlarmConfiguration) -> Vec<String> {
    alarms.alarms().iter().filter_map(|alarm| alarm.name()).map(str::to_owned).collect()
}

pub(super) fn deployment(
    operation: &'static str,
    info: &DeploymentInfo,
) -> Result<DeploymentView, CloudError> {
    let known = info.deployment_id().zip(info.status());
    let (id, status) = known.ok_or_else(|| unreadable(operation, "no id or no status"))?;
    let error = info.error_information().map(|error| {
        let code = error.code().map(ErrorCode::as_str).unwrap_or_default();
        (code.to_owned(), error.message().unwrap_or_default().to_owned())
    });
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let rollback = info.rollback_info();
    Ok(DeploymentView {
        id: id.to_owned(),
        application: text(info.application_name()),
        group: text(info.deployment_group_name()),
        description: text(info.description()),
        status: status.as_str().to_owned(),
        error,
        rolled_back_by: given(rollback.and_then(|info| info.rollback_deployment_id())),
        rollback_message: given(rollback.and_then(|info| info.rollback_message())),
        puts_back: given(rollback.and_then(|info| info.rollback_triggering_deployment_id())),
    })
}

pub(super) fn target(
    operation: &'static str,
    target: &LambdaTarget,
) -> Result<TargetView, CloudError> {
    let status = target.status().ok_or_else(|| unreadable(operation, "a target without status"))?;
    let share = target.lambda_function_info().map(LambdaFunctionInfo::target_version_weight);
    Ok(TargetView {
        status: status.as_str().to_owned(),
        // The model calls it a percentage.
        weight: share.and_then(|percent| Weight::from_share(percent / 100.0)),
        events: target.lifecycle_events().iter().map(event).collect(),
    })
}

fn event(event: &LifecycleEvent) -> EventView {
    let status = event.status().map_or("Unknown", LifecycleEventStatus::as_str);
    let diagnostics = event.diagnostics().filter(|_| status == "Failed");
    let message = diagnostics.and_then(|diagnostics| diagnostics.message());
    EventView {
        name: event.lifecycle_event_name().unwrap_or_default().to_owned(),
        status: status.to_owned(),
        message: message.filter(|message| !message.is_empty()).map(str::to_owned),
    }
}
