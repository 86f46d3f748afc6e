//! Other tools' files, and functions that exist, as manifests: [`sam()`], [`serverless()`] and
//! [`account()`].
//!
//! Pure functions from what there is to the text of a manifest and a [`Report`] in which every property of
//! every function is named: taken, changed, left to be set as `${env:NAME}`, or left out, and why.
//! Nothing goes without a line. What the other tool itself would refuse is a problem, and all of them
//! are reported at once.
//!
//! Invariants: nothing is read but what is given; a value that is not known is never made up; secrets
//! are not copied unless somebody asks for them. Deliberately absent: building code, and whatever is not a function,
//! which stays with the tool that has it.

pub mod account;
mod alarm;
mod cfn;
mod codedeploy;
mod draft;
mod edges;
mod globals;
mod physical;
mod report;
mod sam;
mod serverless;
mod value;
mod write;
mod yaml;

use std::path::PathBuf;

pub use account::import as account;
pub use report::{Entry, Fate, Report, Variable};
pub use sam::import as sam;
pub use serverless::import as serverless;

/// Who moves the traffic of functions that the other tool deploys with CodeDeploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// CodeDeploy, as before: hooks that were written for it answer as they did.
    #[default]
    CodeDeploy,
    /// wavegate.
    Native,
}

/// What to import.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The file, as it is named in messages.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Values for the template's parameters, and for pseudo parameters such as `AWS::Region`; of the
    /// Serverless Framework, for `${param:NAME}`.
    pub parameters: Vec<(String, String)>,
    /// Of the Serverless Framework, values for `${opt:NAME}`.
    pub options: Vec<(String, String)>,
    /// The app's name, unless the template says it.
    pub app: String,
    /// The way from the manifest's directory to the template's: empty if they are the same.
    pub code_prefix: PathBuf,
    /// Who moves the traffic.
    pub engine: Engine,
}

/// What an import comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The manifest.
    pub manifest: String,
    /// Code that stood in the template itself: paths relative to the manifest, and texts.
    pub files: Vec<(String, String)>,
    /// What came of each part.
    pub report: Report,
}

/// The largest file that is read. Source: CloudFormation's limit for a template is 1 MB.
pub const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A code path of the template as the manifest says it.
fn code_path(prefix: &std::path::Path, path: &str) -> String {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    let joined = prefix.join(if path.is_empty() { "." } else { path });
    let text = joined.display().to_string().replace('\\', "/");
    match text.strip_suffix("/.") {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => text,
    }
}
