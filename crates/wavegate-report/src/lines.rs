//! Events as plain lines, one each: for logs, pipes and CI.
//!
//! Lines are not cut to a width: only a text beyond [`crate::LINE_MAX`] is.

use std::collections::BTreeMap;
use std::io::{self, Write};

use wavegate_engine::event::{Event, Record};

use crate::Reporter;
use crate::sentence::{line, sentence};
use crate::sink::Sink;
use crate::state::State;
use crate::style::{Style, width};

/// How often the requests a function served are told, in milliseconds of the release's clock,
/// unless a version fails for the first time.
const TRAFFIC_EVERY_MS: u64 = 60_000;

/// The widest column for names; longer ones push their line to the right.
pub(crate) const NAME_MAX: usize = 24;

/// One line per event: elapsed time, function, what happened.
#[derive(Debug)]
pub struct Lines<W> {
    sink: Sink<W>,
    style: Style,
    state: State,
    column: usize,
    /// When each function's traffic was last told, and how many versions had failed requests.
    traffic: BTreeMap<String, (u64, usize)>,
}

impl<W: Write> Lines<W> {
    /// Writes to `out`.
    pub fn new(out: W, style: Style) -> Self {
        Self {
            sink: Sink::new(out),
            style,
            state: State::default(),
            column: 0,
            traffic: BTreeMap::new(),
        }
    }

    fn is_due(&mut self, record: &Record) -> bool {
        let Event::Traffic { function, served } = &record.event else { return true };
        let failing = served.values().filter(|s| s.errors > 0).count();
        let due = match self.traffic.get(function) {
            Some((at, known)) => failing > *known || record.at_ms >= at + TRAFFIC_EVERY_MS,
            // What does not change is told about when it fails, and in the summary.
            None => failing > 0 || self.state.functions.contains_key(function),
        };
        if due {
            self.traffic.insert(function.clone(), (record.at_ms, failing));
        }
        due
    }
}

impl<W: Write> Reporter for Lines<W> {
    fn event(&mut self, record: &Record) {
        self.state.apply(record);
        if self.column == 0 || matches!(record.event, Event::Started { .. }) {
            self.column = name_column(&self.state);
        }
        if !self.is_due(record) {
            return;
        }
        if let Some(sentence) = sentence(record, &self.state) {
            let text = line(record, &sentence, self.column).render(self.style);
            self.sink.write(&format!("{text}\n"));
        }
    }

    fn tick(&mut self, _now_ms: u64) {}

    fn finish(&mut self) {}

    fn error(&self) -> Option<&io::Error> {
        self.sink.error()
    }
}

/// How wide the column of names is.
pub(crate) fn name_column(state: &State) -> usize {
    let names = state.functions.keys().chain([&state.app]);
    names.map(|name| width(name)).max().unwrap_or(0).min(NAME_MAX)
}

#[cfg(test)]
mod tests;
