//! The lines between wavegate and its child, one JSON object each.
//!
//! Calls, replies, cancellations and logs are the protocol's. The others are between the two halves
//! of the same program: how the start went, and what the plugin did that no reply can tell.

use serde::{Deserialize, Serialize};
use wavegate_plugin_protocol::abi::{Level, Status};
use wavegate_plugin_protocol::pipe::LogEntry;

use crate::boundary::StartFault;
use crate::worker::LoadFault;

/// What the child is told.
#[derive(Debug, Deserialize)]
pub(crate) struct ToChild {
    /// A call with this id: the line is its message.
    #[serde(default)]
    pub(crate) id: Option<u64>,
    /// Nobody waits for this call any more.
    #[serde(default)]
    pub(crate) cancel: Option<u64>,
}

/// What the child tells beside replies. Those have an `id`, and the line is the message.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FromChild {
    /// A log record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<LogEntry>,
    /// The plugin has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ready: Option<Ready>,
    /// The plugin has not started. The child ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<Fault>,
    /// The plugin broke the protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) broke: Option<Broke>,
}

/// The plugin has started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {}

/// Why the plugin has not started.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// The system loader's words.
    Loader(String),
    /// What `init` returned.
    Status(Status),
    /// The function that is missing.
    Missing(String),
}

impl From<LoadFault> for Fault {
    fn from(fault: LoadFault) -> Self {
        match fault {
            LoadFault::Loader(words) => Self::Loader(words),
            LoadFault::Start(StartFault::Status(status)) => Self::Status(status),
            LoadFault::Start(StartFault::Missing(function)) => Self::Missing(function.to_owned()),
        }
    }
}

/// What a plugin did about one call that no reply can tell.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Broke {
    /// The call.
    pub(crate) call_id: u64,
    /// What it did.
    pub(crate) what: String,
}

/// What is looked at first: a line with an `id` is a reply, whatever else it holds.
#[derive(Debug, Deserialize)]
pub(crate) struct Head {
    /// The call's id.
    #[serde(default)]
    pub(crate) id: Option<u64>,
}

/// The longest log record that crosses, in bytes: more is no record.
const RECORD_BYTES_MAX: usize = 64 << 10;

impl FromChild {
    /// A log record, as the plugin wrote it.
    pub(crate) fn log(level: Level, call_id: u64, record: &[u8]) -> Self {
        let record = match record {
            whole if whole.len() <= RECORD_BYTES_MAX => serde_json::from_slice(whole)
                .unwrap_or_else(|_| String::from_utf8_lossy(whole).into()),
            // Cut JSON is none: it is told as the text that it is.
            long => String::from_utf8_lossy(&long[..RECORD_BYTES_MAX]).into(),
        };
        Self { log: Some(LogEntry { level, call_id, record }), ..Self::default() }
    }

    /// What a plugin did about one call.
    pub(crate) fn broke(call_id: u64, what: String) -> Self {
        Self { broke: Some(Broke { call_id, what }), ..Self::default() }
    }
}
