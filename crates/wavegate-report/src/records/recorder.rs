//! What a running release writes: batches of events, until the first error.

use std::path::{Path, PathBuf};

use wavegate_engine::event::Record;

use super::{Records, RecordsError};
use crate::state::State;

/// Writes the events of one release. Everything it does may wait for a disk or another process, so
/// it belongs on a thread that nobody waits for.
#[derive(Debug)]
pub struct Recorder {
    dir: PathBuf,
    records: Option<Records>,
    state: State,
    moved_aside: Option<PathBuf>,
    error: Option<RecordsError>,
}

impl Recorder {
    /// Records under `dir`. Nothing is made before the first event.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            records: None,
            state: State::default(),
            moved_aside: None,
            error: None,
        }
    }

    /// Goes on with a release, if it is recorded here, and answers the number of its last event.
    pub fn go_on(&mut self, release: &str) -> u64 {
        let Some(records) = self.open() else { return 0 };
        let read =
            records.state(release).and_then(|state| Ok((state, records.events(release, 0)?)));
        match read {
            Ok((state, lines)) => {
                self.state = state;
                let last = lines.iter().rev().find_map(|line| line.record().ok());
                last.map_or(0, |record| record.seq)
            }
            Err(error) => {
                self.error = Some(error);
                0
            }
        }
    }

    /// Writes some events, in one transaction. Nothing is written after the first error.
    pub fn take(&mut self, batch: &[Record]) {
        for record in batch {
            // Who was put back goes on: the end that was told before is not the end.
            if self.state.release == record.release {
                self.state.finished = None;
            }
            self.state.apply(record);
        }
        if batch.is_empty() || self.open().is_none() {
            return;
        }
        if let Some(records) = &mut self.records {
            self.error = records.append(&self.state, batch).err();
        }
    }

    /// No more events come.
    pub fn finish(&mut self) {
        if let (Some(records), None) = (&self.records, &self.error) {
            self.error = records.settle().err();
        }
        self.records = None;
    }

    /// Why the recording is not whole.
    pub fn error(&self) -> Option<&RecordsError> {
        self.error.as_ref()
    }

    /// Where a damaged file was put, to make room for this release.
    pub fn moved_aside(&self) -> Option<&Path> {
        self.moved_aside.as_deref()
    }

    fn open(&mut self) -> Option<&Records> {
        if self.error.is_some() {
            return None;
        }
        if self.records.is_none() {
            match Records::open_or_begin_anew(&self.dir) {
                Ok((records, aside)) => {
                    self.records = Some(records);
                    self.moved_aside = aside;
                }
                Err(error) => self.error = Some(error),
            }
        }
        self.records.as_ref()
    }
}
