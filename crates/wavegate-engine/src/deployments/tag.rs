//! The tag in a deployment's description: in whose name it was made.

use std::fmt;

use wavegate_core::name::{AppName, FunctionName, ReleaseId, VersionId};

use crate::ports::DeploymentView;

/// Begins every tag. The number is the version of its format.
const MARK: &str = "wavegate1";

/// Whose a deployment is: `wavegate1:<release>:<function>:<candidate>`.
///
/// The function is the one in Lambda: an abort without the manifest knows no other name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) release: ReleaseId,
    pub(crate) function: FunctionName,
    pub(crate) candidate: VersionId,
}

impl Tag {
    /// A deployment's description: the tag, and words for people. Well within the 256 characters
    /// that the local cloud takes; AWS documents no limit.
    pub(crate) fn describe(&self, app: &AppName, number: u64, stable: VersionId) -> String {
        format!("{self} {app} r{number}, version {stable} to {}", self.candidate)
    }

    /// Whether a description carries this very tag.
    pub(crate) fn is_on(&self, description: &str) -> bool {
        Self::read(description).as_ref() == Some(self)
    }

    /// Whether this is the deployment that was made in this name. AWS does not document what its own
    /// rollbacks are described by: one that carries the tag is not the deployment all the same.
    pub(crate) fn is_of(&self, view: &DeploymentView) -> bool {
        view.puts_back.is_none() && self.is_on(&view.description)
    }

    /// The tag of a description; `None`: somebody else's deployment.
    pub(crate) fn read(description: &str) -> Option<Self> {
        let tag = description.split(' ').next()?;
        let mut parts = tag.split(':');
        let (mark, release) = (parts.next()?, parts.next()?);
        let (function, candidate) = (parts.next()?, parts.next()?);
        if mark != MARK || parts.next().is_some() {
            return None;
        }
        Some(Self {
            release: ReleaseId::parse(release)?,
            function: FunctionName::new(function).ok()?,
            candidate: VersionId::parse(candidate)?,
        })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}:{}:{}:{}", self.release, self.function, self.candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag() -> Tag {
        Tag {
            release: ReleaseId(42),
            function: FunctionName::new("shop-auth").unwrap(),
            candidate: VersionId(18),
        }
    }

    #[test]
    fn a_deployment_is_known_again_by_its_description() {
        let description = tag().describe(&AppName::new("shop").unwrap(), 7, VersionId(17));
        assert_eq!(description, "wavegate1:000000000001a:shop-auth:18 shop r7, version 17 to 18");
        assert!(tag().is_on(&description));
        assert_eq!(Tag::read(&description), Some(tag()));
    }

    #[test]
    fn another_release_function_or_version_is_another_tag() {
        let function = FunctionName::new("shop-auth-2").unwrap();
        for other in [
            Tag { release: ReleaseId(43), ..tag() },
            Tag { function, ..tag() },
            Tag { candidate: VersionId(1), ..tag() },
        ] {
            assert!(!tag().is_on(&other.to_string()), "{other}");
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_no_tag() {
        for description in [
            "",
            "released by hand",
            "wavegate2:000000000001a:shop-auth:18",
            "wavegate1:000000000001a:shop-auth",
            "wavegate1:000000000001a:shop-auth:18:19",
            "wavegate1:000000000001a:shop-auth:$LATEST",
            "wavegate1:1a:shop-auth:18",
            "see wavegate1:000000000001a:shop-auth:18",
        ] {
            assert_eq!(Tag::read(description), None, "{description}");
        }
    }
}
