//! The errors CloudWatch answers with, as the service's clients know them.
//!
//! Each has up to three names: the shape in the model (CBOR and JSON say it in `__type`), the code
//! of the query protocol (clients of every protocol compare against it, through the
//! `x-amzn-query-error` header), and the HTTP status.

use super::value::{Record, Value};

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
    /// The body cannot be read in its protocol.
    Serialization,
    /// No such operation, or one the local cloud does not perform.
    UnknownOperation,
    /// The caller's policies do not allow it.
    AccessDenied,
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

    /// The error as the body of a CBOR or JSON answer.
    pub(crate) fn body(&self) -> Record {
        Record::new()
            .with("__type", Value::Text(self.kind.type_name()))
            .with_some("message", Some(self.message.as_str()).filter(|text| !text.is_empty()))
    }
}

impl FaultKind {
    /// The code of the query protocol, which clients of all protocols see.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Validation => "ValidationError",
            Self::InvalidParameterValue => "InvalidParameterValue",
            Self::InvalidParameterCombination => "InvalidParameterCombination",
            Self::MissingParameter => "MissingParameter",
            Self::ResourceNotFound | Self::DashboardNotFound => "ResourceNotFound",
            Self::ResourceNotFoundException => "ResourceNotFoundException",
            Self::DashboardInvalidInput => "InvalidParameterInput",
            Self::ResourceConflict => "ResourceConflict",
            Self::LimitExceeded => "LimitExceeded",
            Self::InvalidNextToken => "InvalidNextToken",
            Self::InvalidFormat => "InvalidFormat",
            Self::Serialization => "SerializationException",
            Self::UnknownOperation => "InvalidAction",
            Self::AccessDenied => "AccessDenied",
        }
    }

    /// The name in `__type`: the shape of the model with its namespace, or, for errors that are not
    /// in the model, the name the service's front end uses.
    pub(crate) fn type_name(self) -> String {
        let shape = match self {
            Self::Validation => {
                return "com.amazon.coral.validate#ValidationException".to_owned();
            }
            Self::Serialization => return "SerializationException".to_owned(),
            Self::UnknownOperation => {
                return "com.amazon.coral.service#UnknownOperationException".to_owned();
            }
            Self::AccessDenied => {
                return "com.amazon.coral.service#AccessDeniedException".to_owned();
            }
            Self::InvalidParameterValue => "InvalidParameterValueException",
            Self::InvalidParameterCombination => "InvalidParameterCombinationException",
            Self::MissingParameter => "MissingRequiredParameterException",
            Self::LimitExceeded => "LimitExceededFault",
            Self::InvalidFormat => "InvalidFormatFault",
            Self::DashboardNotFound => "DashboardNotFoundError",
            Self::DashboardInvalidInput => "DashboardInvalidInputError",
            Self::ResourceNotFound
            | Self::ResourceNotFoundException
            | Self::ResourceConflict
            | Self::InvalidNextToken => self.code(),
        };
        format!("com.amazonaws.cloudwatch.v2010_08_01#{shape}")
    }

    /// The HTTP status, as the model states it.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::ResourceNotFound | Self::ResourceNotFoundException | Self::DashboardNotFound => {
                404
            }
            Self::ResourceConflict => 409,
            Self::AccessDenied => 403,
            _ => 400,
        }
    }
}
