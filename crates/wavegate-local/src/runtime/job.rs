//! What the runtime is asked for, and what came of it.

use std::path::PathBuf;
use std::sync::Arc;

use hyper::body::Bytes;

use super::pool::Kind;
use crate::home::Home;
use crate::lambda::model::Route;

/// One attempt to invoke a function.
#[derive(Debug, Clone)]
pub struct Job {
    /// The request's id.
    pub request_id: String,
    /// The function's region, told as `AWS_REGION`, and its account.
    pub home: Arc<Home>,
    /// Where it goes.
    pub route: Arc<Route>,
    /// Where the route's package was unpacked; absent for images.
    pub root: Option<PathBuf>,
    /// Where its layers were unpacked, in their order.
    pub layers: Vec<PathBuf>,
    /// The id of the function's role, if that exists.
    pub role_id: Option<String>,
    /// The event.
    pub payload: Bytes,
    /// The caller's client context, as JSON.
    pub client_context: Option<String>,
    /// The caller's trace, as its header has it; the invocation's own when absent.
    pub trace: Option<String>,
    /// Whether it runs in an environment that was provisioned for its version.
    pub is_provisioned: bool,
}

impl Job {
    pub(super) fn kind(&self) -> Kind {
        Kind {
            home: Arc::clone(&self.home),
            deployment: self.route.deployed.deployment.clone(),
            is_provisioned: self.is_provisioned,
        }
    }
}

/// A part of an answer, for a caller that takes it as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// What the function says it is; comes first if at all, and only of an answer that is streamed.
    ContentType(String),
    /// Some bytes of it.
    Data(Bytes),
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The answer, or the error as JSON.
    pub payload: Bytes,
    /// Whether it is a function error.
    pub failed: bool,
    /// Real milliseconds the function ran.
    pub duration_ms: f64,
    /// The last 4 KB of its log.
    pub log: Vec<u8>,
}
