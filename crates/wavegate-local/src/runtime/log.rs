//! What an execution environment prints: as events for a [`LogSink`], and its last 4 KB for
//! `LogType=Tail`.
//!
//! The process writes stdout and stderr into one pipe, so their order is kept. A background task
//! reads it; [`Log::drain`] reads what is there right now. A process prints before it answers, so
//! draining after its answer sees everything the invocation printed.
//!
//! A line is an event. AWS's runtime clients can also write events of several lines: in frames, to the
//! descriptor that `_LAMBDA_TELEMETRY_LOG_FD` names. Here that is stderr, the same pipe.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::unix::pipe::Receiver;

use super::levels::{Format, Level};
use super::said::Said;
use crate::home::Home;
use crate::private;

/// AWS: bytes of the log that `LogType=Tail` gives.
const TAIL: usize = 4096;
/// Bytes of one environment's log file; what is printed beyond is read and dropped.
const FILE_MAX: u64 = 16 << 20;
/// AWS: bytes of an event; a longer one becomes several.
const EVENT_MAX: usize = 256 << 10;
/// How a frame begins: these three bytes, and one that tells its level (three bits), that it is of a log
/// and whether it is text.
const FRAME: [u8; 3] = [0xa5, 0x5a, 0];
const FRAME_OF_LOG: u8 = 0b10;
const FRAME_LEVEL: u8 = 0b1_1100;
/// Bytes of a frame's text; what claims to be longer is none.
const FRAME_MAX: usize = 16 << 20;
/// Bytes of a frame before its text: kind, length, time.
const FRAME_HEAD: usize = 16;

/// Where logs go. An implementation stamps the events itself: virtual time is not known here.
pub trait LogSink: Debug + Send + Sync {
    /// Begins the stream of one execution environment: `/aws/lambda/fn` and
    /// `2026/11/26/[$LATEST]…`, as in CloudWatch Logs.
    fn begin(&self, home: &Home, group: &str, stream: &str) -> Box<dyn LogStream>;
}

/// One stream of a [`LogSink`].
pub trait LogStream: Debug + Send {
    /// Takes the next event, with the line break at its end if it has one. Must not wait: the
    /// environment's invocation does until it returns.
    fn event(&mut self, message: &[u8]);
}

/// Logs as files: a directory per function, a file per environment.
#[derive(Debug)]
pub struct LogFiles {
    directory: PathBuf,
    first: Home,
}

impl LogFiles {
    /// Files under `directory`, which is made when there is something to write. Those of homes other than
    /// `first` have directories of their own in it.
    pub fn new(directory: PathBuf, first: Home) -> Self {
        Self { directory, first }
    }
}

impl LogSink for LogFiles {
    fn begin(&self, home: &Home, group: &str, stream: &str) -> Box<dyn LogStream> {
        let function = group.rsplit('/').next().unwrap_or(group);
        let mut directory = self.directory.clone();
        if *home != self.first {
            // No function's name has a dot.
            directory.push(format!("{}.{}", home.account, home.region));
        }
        directory.push(function);
        let name = format!("{}.log", stream.replace('/', "-"));
        // A log that cannot be written is still there for tails.
        let file = private::directory(&directory)
            .and_then(|()| private::append(&directory.join(name)))
            .ok();
        Box::new(LogFile { file, left: FILE_MAX })
    }
}

#[derive(Debug)]
struct LogFile {
    file: Option<File>,
    left: u64,
}

impl LogStream for LogFile {
    fn event(&mut self, message: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let fits = usize::try_from(self.left).unwrap_or(usize::MAX).min(message.len());
        self.left -= fits as u64;
        // The next event has a line of its own.
        let end: &[u8] = if message.ends_with(b"\n") { b"" } else { b"\n" };
        let written = file.write_all(&message[..fits]).and_then(|()| file.write_all(end));
        if written.is_err() || self.left == 0 {
            self.file = None;
        }
    }
}

/// The log of one environment, over all processes that ran in it.
#[derive(Debug)]
pub(super) struct Log {
    book: Mutex<Book>,
}

/// The reading end of one process's pipe.
#[derive(Debug)]
pub(super) struct Source {
    /// The same pipe as the receiver's, for reading past tokio's view of whether there is anything.
    pipe: PipeReader,
    receiver: Receiver,
}

impl Source {
    /// Takes the reading end of a pipe.
    pub(super) fn new(reader: PipeReader) -> io::Result<Self> {
        let pipe = reader.try_clone()?;
        // This makes the pipe non-blocking, for both of its names.
        let receiver = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok(Self { pipe, receiver })
    }
}

impl Log {
    /// A log that writes to `stream`.
    pub(super) fn new(stream: Box<dyn LogStream>, format: Format) -> Arc<Self> {
        let book =
            Book { tail: VecDeque::with_capacity(TAIL), partial: Vec::new(), stream, format };
        Arc::new(Self { book: Mutex::new(book) })
    }

    /// Reads until the process and all that inherited its pipe are gone.
    pub(super) async fn pump(&self, source: &Source) {
        while source.receiver.readable().await.is_ok() {
            // Through the receiver, so that tokio learns when the pipe is empty.
            let mut book = self.book();
            if book.fill(|buffer| source.receiver.try_read(buffer)) == Drained::End {
                return;
            }
        }
    }

    /// Reads what is in the pipe right now.
    pub(super) fn drain(&self, source: &Source) {
        self.book().fill(|buffer| (&source.pipe).read(buffer));
    }

    /// Adds what Lambda itself says.
    pub(super) fn say(&self, said: &Said<'_>) {
        let events = match self.book().format {
            Format::Text => said.text(),
            Format::Json { system, .. } => said.json(system),
        };
        for event in events {
            self.put(&event, said.is_aside());
        }
    }

    /// Adds an event, behind what was printed.
    fn put(&self, event: &str, is_aside: bool) {
        let mut book = self.book();
        book.flush();
        if !is_aside {
            book.tell_line(event.as_bytes());
        }
        book.stream.event(event.as_bytes());
    }

    /// The tail since the last call: what an invocation, and an initialization before it, printed.
    pub(super) fn take_tail(&self) -> Vec<u8> {
        let mut book = self.book();
        book.flush();
        book.tail.drain(..).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Book {
    tail: VecDeque<u8>,
    /// The beginning of a line or a frame whose end has not come yet.
    partial: Vec<u8>,
    stream: Box<dyn LogStream>,
    format: Format,
}

/// What a read of the pipe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drained {
    /// Nothing more for now.
    Empty,
    /// Nothing more ever.
    End,
}

/// The first event in some bytes.
#[derive(Debug, PartialEq, Eq)]
enum First {
    /// A line of so many bytes, its break included.
    Line(usize),
    /// A frame whose text has so many bytes, of this level if it says so.
    Frame(usize, Option<Level>),
    /// Its end has not come yet.
    Partial,
}

impl Book {
    fn fill(&mut self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> Drained {
        let mut buffer = [0_u8; 16 << 10];
        loop {
            match read(&mut buffer) {
                Ok(0) => {
                    self.flush();
                    return Drained::End;
                }
                Ok(count) => self.take(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Empty,
                Err(_) => return Drained::End,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(bytes);
        let mut done = 0;
        loop {
            let rest = &all[done..];
            match first(rest) {
                First::Line(length) => {
                    let line = &rest[..length];
                    if self.format.keeps(line, None) {
                        self.tell(line);
                        self.stream.event(line);
                    }
                    done += length;
                }
                First::Frame(length, level) => {
                    self.add(&rest[FRAME_HEAD..FRAME_HEAD + length], level);
                    done += FRAME_HEAD + length;
                }
                First::Partial => break,
            }
        }
        all.drain(..done);
        self.partial = all;
    }

    /// Ends a line that has no end.
    fn flush(&mut self) {
        let partial = std::mem::take(&mut self.partial);
        if !partial.is_empty() {
            self.add(&partial, None);
        }
    }

    /// Adds a whole event of the function's.
    fn add(&mut self, event: &[u8], level: Option<Level>) {
        if self.format.keeps(event, level) {
            self.tell_line(event);
            self.stream.event(event);
        }
    }

    /// Adds a line to the tail, with its break.
    fn tell_line(&mut self, bytes: &[u8]) {
        self.tell(bytes);
        if !bytes.ends_with(b"\n") {
            self.tell(b"\n");
        }
    }

    fn tell(&mut self, bytes: &[u8]) {
        let recent = &bytes[bytes.len().saturating_sub(TAIL)..];
        let surplus = (self.tail.len() + recent.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend(recent);
    }
}

fn first(bytes: &[u8]) -> First {
    if bytes.starts_with(&FRAME) || FRAME.starts_with(bytes) {
        let Some(head) = bytes.get(..FRAME_HEAD) else { return First::Partial };
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let kind = head[3];
        if kind & FRAME_OF_LOG != 0 && kind <= (FRAME_LEVEL | 0b11) && length <= FRAME_MAX {
            let is_whole = bytes.len() - FRAME_HEAD >= length;
            let level = Level::numbered((kind & FRAME_LEVEL) >> FRAME_LEVEL.trailing_zeros());
            return if is_whole { First::Frame(length, level) } else { First::Partial };
        }
    }
    let near = &bytes[..bytes.len().min(EVENT_MAX)];
    match near.iter().position(|byte| *byte == b'\n') {
        Some(at) => First::Line(at + 1),
        None if near.len() == EVENT_MAX => First::Line(EVENT_MAX),
        None => First::Partial,
    }
}

#[cfg(test)]
mod tests;
