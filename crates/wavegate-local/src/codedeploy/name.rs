//! Names of applications, deployment groups and deployment configurations, and ids of deployments.

use super::fault::{Fault, FaultKind};
use crate::ids::Ids;

/// AWS: characters of a name.
const NAME_MAX: usize = 100;
/// Characters of a deployment's id behind `d-`.
const ID_LENGTH: usize = 9;

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Application,
    Group,
    Config,
}

impl Named {
    /// A name that was given, if it is one.
    pub(super) fn check(self, given: Option<&str>) -> Result<&str, Fault> {
        let (required, invalid, noun) = match self {
            Self::Application => (
                FaultKind::ApplicationNameRequired,
                FaultKind::InvalidApplicationName,
                "Application name",
            ),
            Self::Group => (
                FaultKind::DeploymentGroupNameRequired,
                FaultKind::InvalidDeploymentGroupName,
                "Deployment group name",
            ),
            Self::Config => (
                FaultKind::DeploymentConfigNameRequired,
                FaultKind::InvalidDeploymentConfigName,
                "Deployment configuration name",
            ),
        };
        let name = given
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Fault::new(required, format!("{noun} is required")))?;
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
        if name.len() > NAME_MAX {
            let message = format!("{noun} cannot be longer than {NAME_MAX} characters");
            return Err(Fault::new(invalid, message));
        }
        if !name.bytes().all(is_legal) {
            let message = format!(
                "{noun} {name} has characters other than letters, digits and + = , . @ _ -"
            );
            return Err(Fault::new(invalid, message));
        }
        Ok(name)
    }
}

/// A deployment's id that was given, if it is one.
pub(super) fn check_id(given: Option<&str>) -> Result<&str, Fault> {
    let id = given
        .filter(|id| !id.is_empty())
        .ok_or_else(|| Fault::new(FaultKind::DeploymentIdRequired, "Deployment ID is required"))?;
    let is_id = id.strip_prefix("d-").is_some_and(|rest| {
        rest.len() == ID_LENGTH
            && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    });
    if is_id {
        return Ok(id);
    }
    let message = format!("Specified DeploymentId is not in the valid format: {id}");
    Err(Fault::new(FaultKind::InvalidDeploymentId, message))
}

/// A new deployment's id.
pub(super) fn new_id(ids: &mut dyn Ids) -> String {
    let digits = ids.uuid().to_ascii_uppercase().replace('-', "");
    format!("d-{}", &digits[..ID_LENGTH])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SeededIds;

    #[test]
    fn a_name_is_what_awss_pattern_takes() {
        let long = "x".repeat(101);
        for (given, refused) in [
            (Some("shop+=,.@_-1"), None),
            (None, Some(FaultKind::DeploymentGroupNameRequired)),
            (Some(""), Some(FaultKind::DeploymentGroupNameRequired)),
            (Some("a b"), Some(FaultKind::InvalidDeploymentGroupName)),
            (Some("a/b"), Some(FaultKind::InvalidDeploymentGroupName)),
            (Some(long.as_str()), Some(FaultKind::InvalidDeploymentGroupName)),
        ] {
            assert_eq!(Named::Group.check(given).err().map(|fault| fault.kind), refused);
        }
    }

    #[test]
    fn new_ids_have_the_form_of_awss() {
        let mut ids = SeededIds::from_seed(7);
        let id = new_id(&mut ids);
        assert_eq!(check_id(Some(&id)), Ok(id.as_str()));
        for wrong in ["d-1", "x-ABCDEFGHI", "d-abcdefghi", "d-ABCDEFGHIJ"] {
            let kind = check_id(Some(wrong)).unwrap_err().kind;
            assert_eq!(kind, FaultKind::InvalidDeploymentId);
        }
    }
}
