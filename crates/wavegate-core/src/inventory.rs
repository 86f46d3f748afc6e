//! What was observed in the cloud, and when.

use std::collections::BTreeMap;

use crate::name::{AliasName, FunctionName, VersionId};
use crate::spec::FunctionConfig;
use crate::weight::Weight;

/// The app as the cloud shows it. Possibly old the moment it is made: every write that follows is
/// a compare-and-swap against a revision id from here or from a later read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inventory {
    /// When the look began, in milliseconds since the Unix epoch.
    pub taken_at_ms: u64,
    /// The account, if the cloud said.
    pub account: Option<String>,
    /// The functions that exist, by manifest key. Absent: does not exist.
    pub functions: BTreeMap<FunctionName, ObservedFunction>,
}

/// One function that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedFunction {
    /// The unqualified ARN.
    pub arn: String,
    /// Every alias of the function.
    pub aliases: Vec<AliasState>,
    /// The version that was diffed: the one the live alias serves; `$LATEST` if there is no alias.
    pub served: ObservedVersion,
    /// What its `$LATEST` holds, where CodeDeploy calls that.
    pub latest: Latest,
}

/// What is known of a function's `$LATEST`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Latest {
    /// It was not looked at: nobody calls it, or it is all that there is.
    #[default]
    Unasked,
    /// It holds this.
    Holds(Box<ObservedVersion>),
    /// The release that is gone on with has written it: what it held before is not known any more.
    Written,
}

impl ObservedFunction {
    /// The alias of that name.
    pub fn alias(&self, name: &AliasName) -> Option<&AliasState> {
        self.aliases.iter().find(|alias| alias.name == name.as_str())
    }
}

/// One version's code and configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedVersion {
    /// Its number; `None` for `$LATEST`.
    pub version: Option<VersionId>,
    /// The base64 SHA-256 of its code, as Lambda reports it.
    pub code_sha256: String,
    /// The image it runs, if it is one.
    pub image_uri: Option<String>,
    /// Its configuration.
    pub config: FunctionConfig,
}

/// An alias as one read showed it.
#[derive(Debug, Clone, PartialEq)]
pub struct AliasState {
    /// Its name. A plain text: aliases that wavegate did not make are listed too.
    pub name: String,
    /// The main version as Lambda writes it: a number or `$LATEST`.
    pub version: String,
    /// The additional version and its share, if there is one.
    pub extra: Option<ExtraVersion>,
    /// The description.
    pub description: String,
    /// The revision id: changes with every update, the base of every compare-and-swap.
    pub revision: String,
}

/// The additional version of a routing config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtraVersion {
    /// Which version.
    pub version: VersionId,
    /// Its share.
    pub weight: Weight,
}

impl AliasState {
    /// The main version, unless it is `$LATEST`.
    pub fn main(&self) -> Option<VersionId> {
        VersionId::parse(&self.version)
    }

    /// A version's share of the traffic.
    pub fn share_of(&self, version: VersionId) -> Weight {
        let is_main = self.main() == Some(version);
        match self.extra {
            Some(extra) if extra.version == version => extra.weight,
            Some(extra) if is_main => extra.weight.rest(),
            None if is_main => Weight::FULL,
            _ => Weight::ZERO,
        }
    }

    /// Whether everything but the revision id is the same.
    pub fn same_content(&self, other: &Self) -> bool {
        (&self.version, &self.extra, &self.description)
            == (&other.version, &other.extra, &other.description)
    }
}

/// A packaged function: what would be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// A zip on this machine.
    Zip {
        /// The base64 SHA-256 of its bytes: Lambda's `CodeSha256`.
        code_sha256: String,
        /// Size of the zip in bytes.
        zipped_bytes: u64,
        /// Size of its content in bytes.
        unzipped_bytes: u64,
        /// Where it is.
        path: std::path::PathBuf,
    },
    /// An object in S3: what is in it is known only after Lambda took it.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// A container image.
    Image {
        /// Its URI.
        uri: String,
    },
}
