//! The parts of requests that the SDK has types for.

use std::fmt::Write as _;

use aws_sdk_codedeploy::types::{
    Alarm, AlarmConfiguration, AppSpecContent, AutoRollbackConfiguration, AutoRollbackEvent,
    DeploymentOption, DeploymentStyle, DeploymentType, RevisionLocation, RevisionLocationType,
    TimeBasedCanary, TimeBasedLinear, TrafficRoutingConfig, TrafficRoutingType, TriggerConfig,
    TriggerEventType,
};
use sha2::{Digest as _, Sha256};
use wavegate_core::codedeploy::{Group, Routing};

/// What makes CodeDeploy put back: its own failure, an alarm, and whoever stops it.
pub(super) const ROLLBACK_EVENTS: [AutoRollbackEvent; 3] = [
    AutoRollbackEvent::DeploymentFailure,
    AutoRollbackEvent::DeploymentStopOnAlarm,
    AutoRollbackEvent::DeploymentStopOnRequest,
];

/// The only style that Lambda has.
pub(super) fn style() -> DeploymentStyle {
    DeploymentStyle::builder()
        .deployment_type(DeploymentType::BlueGreen)
        .deployment_option(DeploymentOption::WithTrafficControl)
        .build()
}

pub(super) fn rollback() -> AutoRollbackConfiguration {
    AutoRollbackConfiguration::builder()
        .enabled(true)
        .set_events(Some(ROLLBACK_EVENTS.to_vec()))
        .build()
}

/// No alarms is a configuration that is off: CodeDeploy refuses one that is on and empty.
pub(super) fn alarms(group: &Group) -> AlarmConfiguration {
    let alarms = group.alarms.iter().map(|name| Alarm::builder().name(name).build());
    AlarmConfiguration::builder()
        .enabled(!group.alarms.is_empty())
        .ignore_poll_alarm_failure(group.ignores_unreadable_alarms)
        .set_alarms(Some(alarms.collect()))
        .build()
}

pub(super) fn triggers(group: &Group) -> Vec<TriggerConfig> {
    let triggers = group.triggers.iter().map(|trigger| {
        let events = trigger.events.iter().map(|event| TriggerEventType::from(event.as_str()));
        TriggerConfig::builder()
            .trigger_name(&trigger.name)
            .trigger_target_arn(&trigger.topic)
            .set_trigger_events(Some(events.collect()))
            .build()
    });
    triggers.collect()
}

pub(super) fn routing(routing: Routing) -> TrafficRoutingConfig {
    // What does not fit is over every limit of CodeDeploy's, which says so.
    let minutes = |minutes: u32| i32::try_from(minutes).unwrap_or(i32::MAX);
    let builder = TrafficRoutingConfig::builder();
    let builder = match routing {
        Routing::AllAtOnce => builder.r#type(TrafficRoutingType::AllAtOnce),
        Routing::Canary { percent, minutes: interval } => {
            let canary = TimeBasedCanary::builder()
                .canary_percentage(percent.into())
                .canary_interval(minutes(interval));
            builder.r#type(TrafficRoutingType::TimeBasedCanary).time_based_canary(canary.build())
        }
        Routing::Linear { percent, minutes: interval } => {
            let linear = TimeBasedLinear::builder()
                .linear_percentage(percent.into())
                .linear_interval(minutes(interval));
            builder.r#type(TrafficRoutingType::TimeBasedLinear).time_based_linear(linear.build())
        }
    };
    builder.build()
}

/// An AppSpec file that goes with the request, and its hash.
pub(super) fn revision(content: String) -> RevisionLocation {
    let mut sha256 = String::with_capacity(64);
    for byte in Sha256::digest(content.as_bytes()) {
        let _ = write!(sha256, "{byte:02x}");
    }
    RevisionLocation::builder()
        .revision_type(RevisionLocationType::AppSpecContent)
        .app_spec_content(AppSpecContent::builder().content(content).sha256(sha256).build())
        .build()
}
