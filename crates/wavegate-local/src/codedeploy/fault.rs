//! The errors CodeDeploy answers with, under the names of its model.

use crate::wire;

/// A refusal, with the sentence the client sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?}: {message}")]
pub(crate) struct Fault {
    /// What kind of refusal it is.
    pub(crate) kind: FaultKind,
    /// What is wrong, for a person.
    pub(crate) message: String,
}

/// The kinds of refusal. But for the last two, each is a shape of AWS's model (API version
/// 2014-10-06) without the `Exception` at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    AlarmsLimitExceeded,
    ApplicationAlreadyExists,
    ApplicationDoesNotExist,
    ApplicationLimitExceeded,
    ApplicationNameRequired,
    ArnNotSupported,
    BatchLimitExceeded,
    DeploymentAlreadyCompleted,
    DeploymentConfigAlreadyExists,
    DeploymentConfigDoesNotExist,
    DeploymentConfigInUse,
    DeploymentConfigLimitExceeded,
    DeploymentConfigNameRequired,
    DeploymentDoesNotExist,
    DeploymentGroupAlreadyExists,
    DeploymentGroupDoesNotExist,
    DeploymentGroupLimitExceeded,
    DeploymentGroupNameRequired,
    DeploymentIdRequired,
    DeploymentLimitExceeded,
    DeploymentNotStarted,
    DeploymentTargetDoesNotExist,
    DeploymentTargetIdRequired,
    DeploymentTargetListSizeExceeded,
    DescriptionTooLong,
    InvalidAlarmConfig,
    InvalidApplicationName,
    InvalidArn,
    InvalidAutoRollbackConfig,
    InvalidAutoScalingGroup,
    InvalidBlueGreenDeploymentConfiguration,
    InvalidComputePlatform,
    InvalidDeploymentConfigName,
    InvalidDeploymentGroupName,
    InvalidDeploymentId,
    InvalidDeploymentStatus,
    InvalidDeploymentStyle,
    InvalidDeploymentWaitType,
    InvalidEC2Tag,
    InvalidECSService,
    InvalidFileExistsBehavior,
    InvalidIgnoreApplicationStopFailuresValue,
    InvalidInput,
    InvalidInstanceStatus,
    InvalidLifecycleEventHookExecutionId,
    InvalidLifecycleEventHookExecutionStatus,
    InvalidLoadBalancerInfo,
    InvalidMinimumHealthyHostValue,
    InvalidNextToken,
    InvalidOperation,
    InvalidRevision,
    InvalidRole,
    InvalidTag,
    InvalidTagsToAdd,
    InvalidTargetFilterName,
    InvalidTargetInstances,
    InvalidTimeRange,
    InvalidTrafficRoutingConfiguration,
    InvalidTriggerConfig,
    InvalidUpdateOutdatedInstancesOnlyValue,
    InvalidZonalDeploymentConfiguration,
    LifecycleEventAlreadyCompleted,
    ResourceArnRequired,
    RevisionDoesNotExist,
    RevisionRequired,
    RoleRequired,
    TagRequired,
    TriggerTargetsLimitExceeded,
    UnsupportedActionForDeploymentType,
    /// The body cannot be read in its protocol.
    Serialization,
    /// The local cloud itself failed.
    InternalFailure,
}

impl Fault {
    /// A refusal of that kind.
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The local cloud itself failed.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(FaultKind::InternalFailure, message)
    }
}

impl FaultKind {
    /// The name in `__type`, without its namespace.
    pub(crate) fn name(self) -> String {
        match self {
            Self::InternalFailure => "InternalFailure".to_owned(),
            shape => format!("{shape:?}Exception"),
        }
    }
}

impl From<Fault> for wire::Fault {
    fn from(fault: Fault) -> Self {
        let status = if fault.kind == FaultKind::InternalFailure { 500 } else { 400 };
        Self::front(status, fault.kind.name(), fault.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_as_awss_model_names_them() {
        for (kind, name) in [
            (FaultKind::DeploymentLimitExceeded, "DeploymentLimitExceededException"),
            (FaultKind::InvalidEC2Tag, "InvalidEC2TagException"),
            (FaultKind::InvalidECSService, "InvalidECSServiceException"),
            (FaultKind::InternalFailure, "InternalFailure"),
        ] {
            assert_eq!(kind.name(), name);
        }
    }
}
