//! What an execution environment prints: the last 4 KB for `LogType=Tail`, all of it into a file.
//!
//! The process writes stdout and stderr into one pipe, so their order is kept. A background task
//! reads it; [`Log::drain`] reads what is there right now. A process prints before it answers, so
//! draining after its answer sees everything the invocation printed.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::unix::pipe::Receiver;

use crate::private;

/// AWS: bytes of the log that `LogType=Tail` gives.
const TAIL: usize = 4096;
/// Bytes of one environment's log file; what is printed beyond is read and dropped.
const FILE_MAX: u64 = 16 << 20;

/// The log of one environment.
#[derive(Debug)]
pub(super) struct Log {
    sink: Mutex<Sink>,
    /// The same pipe as the receiver's, for reading past tokio's view of whether there is anything.
    pipe: PipeReader,
    receiver: Receiver,
}

#[derive(Debug)]
struct Sink {
    tail: VecDeque<u8>,
    file: Option<File>,
    left: u64,
}

impl Log {
    /// Takes the reading end of the pipe. The file is created with its directory; a log that
    /// cannot be written to disk is still there for tails.
    pub(super) fn new(reader: PipeReader, path: &Path) -> io::Result<Arc<Self>> {
        let pipe = reader.try_clone()?;
        // This makes the pipe non-blocking, for both of its names.
        let receiver = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let file = path
            .parent()
            .and_then(|parent| private::directory(parent).ok())
            .and_then(|()| private::append(path).ok());
        let sink = Sink { tail: VecDeque::with_capacity(TAIL), file, left: FILE_MAX };
        Ok(Arc::new(Self { sink: Mutex::new(sink), pipe, receiver }))
    }

    /// Reads until the process and all that inherited its pipe are gone.
    pub(super) async fn pump(&self) {
        while self.receiver.readable().await.is_ok() {
            // Through the receiver, so that tokio learns when the pipe is empty.
            let mut sink = self.sink();
            if sink.fill(|buffer| self.receiver.try_read(buffer)) == Drained::End {
                return;
            }
        }
    }

    /// Reads what is in the pipe right now.
    pub(super) fn drain(&self) {
        let mut sink = self.sink();
        sink.fill(|buffer| (&self.pipe).read(buffer));
    }

    /// Adds a line of the platform's own, behind what was printed before. What was printed during
    /// initialization thus belongs to the first invocation's tail.
    pub(super) fn write(&self, line: &str) {
        self.drain();
        let mut sink = self.sink();
        sink.write(line.as_bytes());
    }

    /// Adds the platform's own lines and gives the tail of the invocation, which it ends.
    pub(super) fn end(&self, lines: &str) -> Vec<u8> {
        self.drain();
        let mut sink = self.sink();
        if sink.tail.back().is_some_and(|last| *last != b'\n') {
            sink.write(b"\n");
        }
        sink.write(lines.as_bytes());
        sink.tail.drain(..).collect()
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a read of the pipe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drained {
    /// Nothing more for now.
    Empty,
    /// Nothing more ever.
    End,
}

impl Sink {
    fn fill(&mut self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> Drained {
        let mut buffer = [0_u8; 8192];
        loop {
            match read(&mut buffer) {
                Ok(0) => return Drained::End,
                Ok(count) => self.write(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Empty,
                Err(_) => return Drained::End,
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let recent = &bytes[bytes.len().saturating_sub(TAIL)..];
        let surplus = (self.tail.len() + recent.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend(recent);
        let Some(file) = &mut self.file else { return };
        let fits = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.left -= fits as u64;
        if file.write_all(&bytes[..fits]).is_err() || self.left == 0 {
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_tail_is_the_last_four_kilobytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/fn.log");
        let (reader, mut writer) = io::pipe().unwrap();
        let log = Log::new(reader, &path).unwrap();
        log.write("START\n");
        writer.write_all(&[b'a'; 5000]).unwrap();
        let tail = log.end("END\n");
        assert_eq!(tail.len(), TAIL);
        assert!(tail.ends_with(b"a\nEND\n"));
        log.write("START\n");
        assert_eq!(log.end("END\n"), b"START\nEND\n");
        assert!(std::fs::read(&path).unwrap().starts_with(b"START\naaaa"));
    }

    #[tokio::test]
    async fn the_pump_ends_with_the_last_writer() {
        let directory = tempfile::tempdir().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let log = Log::new(reader, &directory.path().join("fn.log")).unwrap();
        writer.write_all(b"hello").unwrap();
        drop(writer);
        log.pump().await;
        assert_eq!(log.end(""), b"hello\n");
    }
}
