//! What a plugin logs: told under the target `plugin`, and its last words kept for messages.
//!
//! Records come on the plugin's own threads, where this program's subscriber is not the current one
//! (a linked plugin shares `tracing` with it), so they are told by a task of the host's.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::level_filters::LevelFilter;
use wavegate_plugin_protocol::abi::Level;
use wavegate_plugin_protocol::pipe::LogRecord;

use crate::text::clean;

/// How many lines are kept for messages: what fits on a screen.
pub(crate) const LAST_LINES: usize = 20;

/// How long a kept line may be, in bytes. More of it tells nothing.
const LINE_BYTES_MAX: usize = 500;

/// How long a told line may be, in bytes.
const TOLD_BYTES_MAX: usize = 8 << 10;

/// How many records may wait to be told. A plugin that logs faster loses the rest.
const QUEUE: usize = 1_024;

/// The records of one plugin.
#[derive(Debug)]
pub(crate) struct Logs {
    errors: Mutex<VecDeque<String>>,
    queue: mpsc::Sender<(Level, String)>,
}

impl Logs {
    /// Records of the plugin `name`. Must be called on the host's runtime.
    pub(crate) fn of(name: &str) -> Self {
        let (queue, records) = mpsc::channel(QUEUE);
        tokio::spawn(tell_all(name.to_owned(), records));
        Self { errors: Mutex::default(), queue }
    }

    /// The least important level that is wanted. Errors always are: they are the last words.
    pub(crate) fn level() -> Level {
        match LevelFilter::current().into_level() {
            None | Some(tracing::Level::ERROR) => 1,
            Some(tracing::Level::WARN) => 2,
            Some(tracing::Level::INFO) => 3,
            Some(tracing::Level::DEBUG) => 4,
            Some(tracing::Level::TRACE) => 5,
        }
    }

    /// Takes a record as it came.
    pub(crate) fn take(&self, level: Level, call_id: u64, record: &[u8]) {
        let line = sentence(call_id, record);
        if level <= 1 {
            keep(&self.errors, line.clone());
        }
        // A full queue or an ending program: a record that is not told is no harm.
        let _ = self.queue.try_send((level, line));
    }

    /// The last error that was logged.
    pub(crate) fn last_words(&self) -> Option<String> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).back().cloned()
    }
}

/// Keeps a line, and forgets the oldest one.
pub(crate) fn keep(lines: &Mutex<VecDeque<String>>, mut line: String) {
    line.truncate(line.floor_char_boundary(LINE_BYTES_MAX));
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.len() == LAST_LINES {
        lines.pop_front();
    }
    lines.push_back(line);
}

/// A record in one line. What is no record is shown as it is.
fn sentence(call_id: u64, record: &[u8]) -> String {
    match serde_json::from_slice::<LogRecord>(record) {
        Ok(record) => line(call_id, &record),
        Err(_) => clean(&String::from_utf8_lossy(record)).to_string(),
    }
}

/// A record that came as JSON already.
pub(crate) fn sentence_of(call_id: u64, record: &Value) -> String {
    match LogRecord::deserialize(record) {
        Ok(record) => line(call_id, &record),
        Err(_) => match record {
            Value::String(text) => clean(text).to_string(),
            other => clean(&other.to_string()).to_string(),
        },
    }
}

fn line(call_id: u64, record: &LogRecord) -> String {
    let mut line = clean(&record.message).to_string();
    // Whether a JSON object keeps its order depends on what else is compiled in.
    let mut fields: Vec<_> = record.fields.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in fields {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let _ = write!(line, " {}={}", clean(name), clean(&value));
    }
    if call_id != 0 {
        let _ = write!(line, " call={call_id}");
    }
    line.truncate(line.floor_char_boundary(TOLD_BYTES_MAX));
    line
}

async fn tell_all(plugin: String, mut records: mpsc::Receiver<(Level, String)>) {
    while let Some((level, line)) = records.recv().await {
        tell(&plugin, level, &line);
    }
}

/// Tells one line as this program's own.
pub(crate) fn tell(plugin: &str, level: Level, line: &str) {
    match level {
        ..=1 => tracing::error!(target: "plugin", "{plugin}: {line}"),
        2 => tracing::warn!(target: "plugin", "{plugin}: {line}"),
        3 => tracing::info!(target: "plugin", "{plugin}: {line}"),
        4 => tracing::debug!(target: "plugin", "{plugin}: {line}"),
        5.. => tracing::trace!(target: "plugin", "{plugin}: {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_harmless_line() {
        let record = br#"{"message": "rung\u001b[2J\nreached", "fields": {"rung": 3, "by": "x"}}"#;
        assert_eq!(sentence(7, record), "rung\\u{1b}[2J reached by=x rung=3 call=7");
        assert_eq!(sentence(0, b"just text"), "just text");
        assert_eq!(sentence(0, b"\xff\x00"), "\u{fffd}\\u{0}");
    }

    #[test]
    fn only_the_last_lines_are_kept_and_none_is_long() {
        let lines = Mutex::default();
        for number in 0..100 {
            keep(&lines, format!("{number} {}", "ü".repeat(1_000)));
        }
        let lines = lines.into_inner().unwrap();
        assert_eq!(lines.len(), LAST_LINES);
        assert!(lines[0].starts_with("80 ") && lines.iter().all(|l| l.len() <= LINE_BYTES_MAX));
    }

    #[tokio::test]
    async fn the_last_error_is_the_last_word() {
        let logs = Logs::of("ladder");
        logs.take(1, 0, br#"{"message": "first"}"#);
        logs.take(1, 0, br#"{"message": "second"}"#);
        logs.take(2, 0, br#"{"message": "a warning"}"#);
        assert_eq!(logs.last_words().as_deref(), Some("second"));
    }
}
