//! Events as JSON lines: `--output json`.

use std::io::{self, Write};

use wavegate_engine::event::Record;

use crate::Reporter;
use crate::safe::safe_json;
use crate::sink::Sink;

/// One record per line, flushed at once.
#[derive(Debug)]
pub struct JsonLines<W> {
    sink: Sink<W>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { sink: Sink::new(out) }
    }
}

impl<W: Write> Reporter for JsonLines<W> {
    fn event(&mut self, record: &Record) {
        self.sink.write(&json_line(record));
    }

    fn tick(&mut self, _now_ms: u64) {}

    fn finish(&mut self) {}

    fn error(&self) -> Option<&io::Error> {
        self.sink.error()
    }
}

/// A record as one line, with its newline. Empty if a record could not be written as JSON, which
/// its types rule out: every key is a string.
pub(crate) fn json_line(record: &Record) -> String {
    serde_json::to_string(record).map(|json| format!("{}\n", safe_json(&json))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use wavegate_engine::event::Event;

    use super::*;
    use crate::script::{Full, Script};

    #[test]
    fn every_line_is_the_record_it_came_from() {
        let mut json = JsonLines::new(Vec::new());
        let records = Script::alarm_rolls_back();
        for record in &records {
            json.event(record);
        }
        json.finish();
        let text = String::from_utf8(json.sink.out().clone()).unwrap();
        let read: Vec<Record> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(read, records);
        assert!(json.error().is_none());
    }

    #[test]
    fn a_line_is_harmless_on_a_terminal() {
        let mut script = Script::new("shop", 1);
        script.at(0, Event::Note { text: "\x1b[2J\u{202e}\u{e0041}\n".to_owned() });
        insta::assert_snapshot!(json_line(&script.records[0]), @r#"{"v":1,"seq":1,"at_ms":1772366400000,"elapsed_ms":0,"app":"shop","number":1,"release":"0123456789abc","event":"note","text":"\u001b[2J\u202e\udb40\udc41\n"}"#);
        assert_eq!(
            serde_json::from_str::<Record>(&json_line(&script.records[0])).unwrap(),
            script.records[0]
        );
    }

    #[test]
    fn a_full_disk_is_remembered_and_never_panics() {
        let mut json = JsonLines::new(Full::after(100));
        for record in &Script::first_deploy() {
            json.event(record);
        }
        json.finish();
        assert_eq!(json.error().unwrap().kind(), io::ErrorKind::StorageFull);
        assert_eq!(json.sink.out().tries_after_failure, 0);
    }
}
