//! The errors CloudWatch answers with, under the names of its model.

use crate::wire;

/// A refusal, with the sentence the client sees.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Fault {
    /// What kind of refusal it is.
    pub(crate) kind: FaultKind,
    /// What is wrong, for a person.
    pub(crate) message: String,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The request breaks a rule of the operation.
    Validation,
    /// A parameter has a value the operation does not take.
    InvalidParameterValue,
    /// Parameters that exclude or need each other.
    InvalidParameterCombination,
    /// A parameter that must be given is not.
    MissingParameter,
    /// The named alarm does not exist.
    ResourceNotFound,
    /// The tagged resource does not exist.
    ResourceNotFoundException,
    /// The named dashboard does not exist.
    DashboardNotFound,
    /// The body of a dashboard is none.
    DashboardInvalidInput,
    /// Something else needs the resource.
    ResourceConflict,
    /// A quota is used up.
    LimitExceeded,
    /// The paging token was not made by this operation.
    InvalidNextToken,
    /// A JSON document that is none.
    InvalidFormat,
}

impl Fault {
    /// A refusal of that kind.
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The request breaks a rule of the operation.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Validation, message)
    }

    /// A parameter has a value the operation does not take.
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::new(FaultKind::InvalidParameterValue, message)
    }
}

impl FaultKind {
    /// The shape of the model, or the name that AWS's front end has for what is in no model.
    fn name(self) -> &'static str {
        match self {
            Self::Validation => "ValidationException",
            Self::InvalidParameterValue => "InvalidParameterValueException",
            Self::InvalidParameterCombination => "InvalidParameterCombinationException",
            Self::MissingParameter => "MissingRequiredParameterException",
            Self::ResourceNotFound => "ResourceNotFound",
            Self::ResourceNotFoundException => "ResourceNotFoundException",
            Self::DashboardNotFound => "DashboardNotFoundError",
            Self::DashboardInvalidInput => "DashboardInvalidInputError",
            Self::ResourceConflict => "ResourceConflict",
            Self::LimitExceeded => "LimitExceededFault",
            Self::InvalidNextToken => "InvalidNextToken",
            Self::InvalidFormat => "InvalidFormatFault",
        }
    }
}

impl From<Fault> for wire::Fault {
    fn from(fault: Fault) -> Self {
        Self::new(fault.kind.name(), fault.message)
    }
}
