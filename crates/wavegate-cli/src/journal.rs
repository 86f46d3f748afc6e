//! Where a release is recorded, on a thread that nobody waits for: not the release, and not those
//! who show it. A disk that hangs, a full one or a locked file costs the recording, with a warning
//! at the end.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use wavegate_core::token::LockRecord;
use wavegate_engine::event::Record;
use wavegate_report::records::{Recorder, RecordsError};

use crate::error::{CliError, ErrorKind};
use crate::home;

/// How long a release that goes back waits to hear what was told of it before. Without an answer
/// its events are numbered from 1.
const LOOK_WITHIN: Duration = Duration::from_secs(1);

/// How long the end of a release waits for the last events to be written: more than a locked file
/// is waited for.
const END_WITHIN: Duration = Duration::from_secs(10);

/// The most events in one transaction.
const BATCH_MAX: usize = 256;

/// The last events were not written in time.
const SLOW: &str = "WG657";

/// A recording that is written.
#[derive(Debug)]
pub(crate) struct Journal {
    news: Sender<Record>,
    ended: Receiver<Vec<CliError>>,
    /// Never joined: it may hang in a system call.
    _thread: JoinHandle<()>,
}

impl Journal {
    /// A new recording under `dir`.
    pub(crate) fn begin(dir: PathBuf) -> Result<Self, CliError> {
        Self::spawn(dir, None).map(|(journal, _)| journal)
    }

    /// The recording of the release that a lock tells of, if it was made on this machine, and the
    /// number of its last event; else a new one.
    pub(crate) fn go_on(dir: PathBuf, lock: &LockRecord) -> Result<(Self, u64), CliError> {
        let (journal, last) = Self::spawn(dir, Some(lock.release.to_string()))?;
        let last = last.recv_timeout(LOOK_WITHIN).unwrap_or(0);
        Ok((journal, last))
    }

    fn spawn(dir: PathBuf, release: Option<String>) -> Result<(Self, Receiver<u64>), CliError> {
        let (news, inbox) = channel();
        let (last, last_known) = channel();
        let (warnings, ended) = channel();
        let record = move || {
            home::prepare(&dir);
            let mut recorder = Recorder::new(dir);
            if let Some(release) = release {
                // Who waited too long numbers from 1.
                let _ = last.send(recorder.go_on(&release));
            }
            record(&inbox, &mut recorder);
            // Who waited too long has said so.
            let _ = warnings.send(told(&recorder));
        };
        let thread = std::thread::Builder::new()
            .name("records".to_owned())
            .spawn(record)
            .map_err(|error| CliError::bug("no thread for records").caused_by(&error))?;
        Ok((Self { news, ended, _thread: thread }, last_known))
    }

    /// Records one more event. Never waits.
    pub(crate) fn tell(&self, record: &Record) {
        // If the thread is gone, the end says so.
        let _ = self.news.send(record.clone());
    }

    /// No more events: waits until they are written, within a limit. Answers what went wrong.
    /// Blocking.
    pub(crate) fn end(self) -> Vec<CliError> {
        drop(self.news);
        self.ended.recv_timeout(END_WITHIN).unwrap_or_else(|error| {
            let why = match error {
                RecvTimeoutError::Timeout => "the disk does not take the last events",
                RecvTimeoutError::Disconnected => "the recorder stopped in the middle",
            };
            let message = format!("this release is not recorded to its end: {why}");
            vec![CliError::new(ErrorKind::Failed, SLOW, message)]
        })
    }
}

/// Writes what comes, as much at a time as has come: a fast disk writes every event at once.
fn record(inbox: &Receiver<Record>, recorder: &mut Recorder) {
    while let Ok(first) = inbox.recv() {
        let mut batch = vec![first];
        batch.extend(inbox.try_iter().take(BATCH_MAX - 1));
        recorder.take(&batch);
    }
    recorder.finish();
}

fn told(recorder: &Recorder) -> Vec<CliError> {
    let aside = recorder.moved_aside().map(|aside| {
        let message = format!(
            "the records were damaged: they are in {} now, and a new file was begun",
            aside.display()
        );
        CliError::new(ErrorKind::Failed, "WG650", message)
    });
    let error = recorder.error().map(|error| {
        let error = problem(error);
        CliError { message: format!("this release is not recorded: {}", error.message), ..error }
    });
    aside.into_iter().chain(error).collect()
}

/// What is wrong with records, as an error of the command line.
pub(crate) fn problem(error: &RecordsError) -> CliError {
    CliError::usage(error.code(), error.to_string()).caused_by(error).hint(error.hint())
}

#[cfg(test)]
mod tests {
    use wavegate_core::name::{AppName, Nonce, ReleaseId};
    use wavegate_core::spec::{OnFailure, RollbackScope};
    use wavegate_core::token::LockPhase;
    use wavegate_engine::event::{Event, FORMAT};
    use wavegate_report::records::Records;

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
    fn a_recording_goes_on_where_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let (first, last) = Journal::go_on(dir.path().to_owned(), &lock()).unwrap();
        assert_eq!(last, 0);
        first.tell(&record(1));
        first.tell(&record(2));
        assert_eq!(first.end(), []);

        let (second, last) = Journal::go_on(dir.path().to_owned(), &lock()).unwrap();
        assert_eq!(last, 2);
        second.tell(&record(3));
        assert_eq!(second.end(), []);
        let records = Records::look(dir.path()).unwrap().unwrap();
        let lines = records.events(&ReleaseId(7).to_string(), 0).unwrap();
        let seqs: Vec<u64> = lines.iter().map(|line| line.record().unwrap().seq).collect();
        assert_eq!(seqs, [1, 2, 3]);
    }

    #[test]
    fn a_recording_that_cannot_be_is_one_warning_with_a_code() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let journal = Journal::begin(file).unwrap();
        for seq in 1..1000 {
            journal.tell(&record(seq));
        }
        let warnings = journal.end();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].code, Some("WG653"));
        assert!(warnings[0].message.starts_with("this release is not recorded: "));
    }
}
