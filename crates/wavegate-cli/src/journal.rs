//! Where a release is recorded: a recording of its own, or the one that another run began and left.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use wavegate_core::token::LockRecord;
use wavegate_report::{JsonLines, Recorder, Reporter, recording};

/// A recording that is written.
#[derive(Debug)]
pub(crate) enum Journal {
    /// A new one.
    New(Recorder),
    /// One that goes on.
    Old(JsonLines<File>),
}

impl Journal {
    /// A new recording under `dir`.
    pub(crate) fn begin(dir: PathBuf) -> Self {
        Self::New(Recorder::new(dir))
    }

    /// The recording of the release that a lock tells of, if it was made on this machine, and the
    /// place of its last event; else a new one.
    pub(crate) fn go_on(dir: PathBuf, lock: &LockRecord) -> (Self, u64) {
        let name = format!("{}-{}.jsonl", lock.number, lock.release);
        let path = dir.join("releases").join(name);
        match reopened(&path) {
            Ok((file, last)) => (Self::Old(JsonLines::new(file)), last),
            Err(_) => (Self::begin(dir), 0),
        }
    }

    /// As a reporter.
    pub(crate) fn reporter(&mut self) -> &mut dyn Reporter {
        match self {
            Self::New(recorder) => recorder,
            Self::Old(lines) => lines,
        }
    }

    /// Why the recording is not whole.
    pub(crate) fn problem(&mut self) -> Option<String> {
        self.reporter().error().map(|error| {
            let source = error.get_ref().and_then(std::error::Error::source);
            match source {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }
        })
    }
}

/// Opens a recording at its end, behind a line that may have been cut short.
fn reopened(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let last = recording::read(path)?.records.last().map_or(0, |record| record.seq);
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut end = [0];
        file.read_exact(&mut end)?;
        if end != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok((file, last))
}

#[cfg(test)]
mod tests {
    use wavegate_core::name::{AppName, Nonce, ReleaseId};
    use wavegate_core::spec::{OnFailure, RollbackScope};
    use wavegate_core::token::LockPhase;
    use wavegate_engine::event::{Event, FORMAT, Record};

    use super::*;

    fn lock() -> LockRecord {
        LockRecord {
            app: AppName::new("shop").unwrap(),
            release: ReleaseId(7),
            number: 3,
            epoch: 1,
            phase: LockPhase::Aborting,
            owner: "ana@laptop".to_owned(),
            heartbeat: 1,
            claimed: 0,
            functions: 0,
            on_failure: OnFailure::Rollback,
            scope: RollbackScope::App,
            is_switch: false,
            is_paused: false,
            request: None,
            answered: None,
            plan: 0,
            nonce: Nonce(1),
        }
    }

    fn record(seq: u64) -> Record {
        Record {
            v: FORMAT,
            seq,
            at_ms: seq,
            elapsed_ms: 0,
            app: "shop".to_owned(),
            number: 3,
            release: ReleaseId(7).to_string(),
            event: Event::Barrier,
        }
    }

    #[test]
    fn a_recording_goes_on_behind_a_line_that_was_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        let (mut first, last) = Journal::go_on(dir.path().to_owned(), &lock());
        assert_eq!(last, 0);
        first.reporter().event(&record(1));
        first.reporter().event(&record(2));
        let path = recording::list(dir.path()).unwrap().remove(0).path;
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"v\":1,\"se").unwrap();

        let (mut second, last) = Journal::go_on(dir.path().to_owned(), &lock());
        assert_eq!(last, 2);
        second.reporter().event(&record(3));
        assert_eq!(second.problem(), None);
        let read = recording::read(&path).unwrap();
        assert_eq!(read.records.iter().map(|r| r.seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(read.skipped_count, 1);
    }
}
