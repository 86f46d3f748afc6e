//! Requests recorded beside the work, so that whoever asks for a way back waits for no disk.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::{FILE, Records, RecordsError, Request};

/// How long the end of a request waits for its record.
const END_WITHIN: Duration = Duration::from_secs(1);

/// A request on its way into the records, on a thread of its own. Dropped without an answer, it
/// stands there without one.
#[derive(Debug)]
pub struct Asking {
    path: PathBuf,
    answer: Sender<String>,
    ended: Receiver<Result<(), RecordsError>>,
}

impl Asking {
    /// Begins to record a request under `dir`. Never waits.
    pub fn begin(dir: impl Into<PathBuf>, request: Request) -> Self {
        let dir = dir.into();
        let path = dir.join(FILE);
        let (answer, answers) = channel::<String>();
        let (end, ended) = channel();
        let record = move || -> Result<(), RecordsError> {
            let mut records = Records::open(&dir)?;
            let id = records.asked(&request)?;
            match answers.recv() {
                Ok(words) => records.answered(id, &words),
                Err(_) => Ok(()),
            }
        };
        let work = move || {
            // Who waited too long has gone.
            let _ = end.send(record());
        };
        // Without a thread there is no record: the end says so.
        let _ = std::thread::Builder::new().name("request".to_owned()).spawn(work);
        Self { path, answer, ended }
    }

    /// Records what became of it, and waits for that no longer than a moment.
    ///
    /// # Errors
    /// Why the request is not recorded, or not with its answer.
    pub fn end(self, words: &str) -> Result<(), RecordsError> {
        // If the thread is gone, it has said why.
        let _ = self.answer.send(words.to_owned());
        self.ended
            .recv_timeout(END_WITHIN)
            .unwrap_or_else(|_| Err(RecordsError::Locked { path: self.path }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request { app: "shop".to_owned(), verb: "abort".to_owned(), ..Request::default() }
    }

    #[test]
    fn a_request_is_recorded_with_its_answer_or_without() {
        let dir = tempfile::tempdir().unwrap();
        Asking::begin(dir.path(), request()).end("heard and done").unwrap();
        let forgotten = Asking::begin(dir.path(), request());
        let Asking { answer, ended, .. } = forgotten;
        drop(answer);
        ended.recv().unwrap().unwrap();
        let records = Records::look(dir.path()).unwrap().unwrap();
        let answers: Vec<_> =
            records.requests_of("shop").unwrap().into_iter().map(|asked| asked.answer).collect();
        assert_eq!(answers, [Some("heard and done".to_owned()), None]);
    }

    #[test]
    fn a_request_that_cannot_be_recorded_says_why_and_nobody_waits() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(FILE)).unwrap();
        let error = Asking::begin(dir.path(), request()).end("done").unwrap_err();
        assert_eq!(error.code(), "WG652");
        assert!(Records::look(dir.path()).is_err());
    }
}
