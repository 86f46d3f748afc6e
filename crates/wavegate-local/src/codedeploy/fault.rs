//! The errors CodeDeploy answers with, under the names of its model.

/// A refusal, with the sentence the client sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?}: {message}")]
pub(crate) struct Fault {
    /// What kind of refusal it is.
    pub(crate) kind: FaultKind,
    /// What is wrong, for a person.
    pub(crate) message: String,
}

/// The kinds of refusal. But for the last four, each is a shape of AWS's model (API version
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
    /// No such operation, or one the local cloud does not perform.
    UnknownOperation,
    /// The caller's policies do not allow it.
    AccessDenied,
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

    /// The namespace that rpc-v2-cbor puts before the name: the model's, or that of AWS's front end.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Serialization
            | Self::UnknownOperation
            | Self::AccessDenied
            | Self::InternalFailure => "com.amazon.coral.service",
            _ => "com.amazonaws.codedeploy",
        }
    }

    /// The HTTP status. The model states none, and AWS JSON 1.1 answers 400 then.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::InternalFailure => 500,
            _ => 400,
        }
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
