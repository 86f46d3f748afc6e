//! One life of a plugin's process: from its start to its end, and what it says meanwhile.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use wavegate_plugin_protocol::abi;
use wavegate_plugin_protocol::pipe::LogEntry;

use super::{Order, ProcessSpec, Run, ToChild, closed};
use crate::HostError;
use crate::boundary::StartFault;
use crate::calls::{Calls, Settled};
use crate::direct::{GRACE, start_error, unasked};
use crate::frame::{Fault, FromChild, Head};
use crate::launch::Group;
use crate::logs;
use crate::worker::LoadFault;

/// How long a process may take to end after it was asked to.
const TERM_GRACE: Duration = Duration::from_millis(500);

/// How long standard error is read after the process has ended: something that it started may hold
/// it open.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(200);

/// The longest line: a message and its envelope.
const LINE_BYTES_MAX: u64 = abi::MESSAGE_BYTES_MAX as u64 + 1_024;

/// One life of the process, seen from here.
pub(super) struct Life {
    plugin: String,
    group: Group,
    lines: BufReader<ChildStdout>,
    line: Vec<u8>,
    words: Words,
    last_error: Option<String>,
}

/// A life that has begun.
pub(super) struct Started {
    pub(super) life: Life,
    /// The same as callers see it.
    pub(super) run: Arc<Run>,
    /// Why callers want it to be ended.
    pub(super) killed: mpsc::UnboundedReceiver<String>,
}

/// How a life ended.
pub(super) enum End {
    /// As was wanted.
    Closed,
    /// Not so.
    Failed(HostError),
}

/// What the child's output brought.
enum Heard {
    Reply(u64),
    Frame(FromChild),
    End,
    Nonsense(String),
}

impl Life {
    /// Starts the process, and waits until the plugin in it has started.
    pub(super) async fn start(spec: &ProcessSpec) -> Result<Started, HostError> {
        let plugin = &spec.plugin;
        let failed = |error: &io::Error| HostError::Host {
            plugin: plugin.clone(),
            what: format!("its process could not be started: {error}"),
        };
        let mut command = spec.launcher.command(&spec.arguments(), &spec.environment);
        let mut group = Group::of(command.spawn().map_err(|error| failed(&error))?);
        let child = &mut group.child;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(failed(&io::Error::other("it has no pipes")));
        };
        let words = Words::read(plugin, stderr);
        let (to_child, messages) = mpsc::unbounded_channel();
        let (kill, killed) = mpsc::unbounded_channel();
        tokio::spawn(write(stdin, messages));
        let mut life = Self {
            plugin: plugin.clone(),
            group,
            lines: BufReader::with_capacity(64 << 10, stdout),
            line: Vec::new(),
            words,
            last_error: None,
        };
        life.begin().await?;
        let is_closing = AtomicBool::new(false);
        let run = Arc::new(Run { calls: Calls::default(), to_child, kill, is_closing });
        Ok(Started { life, run, killed })
    }

    async fn begin(&mut self) -> Result<(), HostError> {
        loop {
            match self.hear().await {
                Heard::Frame(FromChild { ready: Some(_), .. }) => return Ok(()),
                Heard::Frame(FromChild { fault: Some(fault), .. }) => {
                    let words = self.last_error.take();
                    return Err(start_error(&self.plugin, load_fault(fault), words));
                }
                Heard::Frame(FromChild { log: Some(entry), .. }) => self.log(&entry),
                Heard::Frame(_) | Heard::Reply(_) => {
                    return Err(self.broke("it spoke before it had started".to_owned()));
                }
                Heard::Nonsense(what) => return Err(self.broke(what)),
                Heard::End => return Err(self.ended(None).await),
            }
        }
    }

    /// Hears it until it ends, must end, or is not wanted any more.
    pub(super) async fn live(
        mut self,
        run: &Run,
        mut killed: mpsc::UnboundedReceiver<String>,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> End {
        let error = loop {
            let heard = tokio::select! {
                heard = self.hear() => heard,
                Some(why) = killed.recv() => {
                    run.is_closing.store(true, Ordering::Release);
                    break self.ended(Some(why)).await;
                }
                () = closed(orders) => return self.close(run).await,
            };
            let breach = match heard {
                Heard::Reply(id) => self.reply(&run.calls, id),
                Heard::Frame(frame) => self.take(&run.calls, frame),
                Heard::Nonsense(what) => Some(self.broke(what)),
                Heard::End => {
                    run.is_closing.store(true, Ordering::Release);
                    break self.ended(None).await;
                }
            };
            if let Some(error) = breach {
                break error;
            }
        };
        self.group.end(Duration::ZERO).await;
        End::Failed(error)
    }

    /// Lets it end in order: its calls are over, and so is its input. What it says is still heard,
    /// so that it does not wait for a reader.
    async fn close(mut self, run: &Run) -> End {
        let plugin = self.plugin.clone();
        run.calls.end(&HostError::Host { plugin, what: super::SHUT_DOWN.to_owned() });
        let _ = run.to_child.send(ToChild::Close);
        let rest = async {
            loop {
                match self.hear().await {
                    Heard::Frame(FromChild { log: Some(entry), .. }) => self.log(&entry),
                    Heard::Frame(_) | Heard::Reply(_) => {}
                    Heard::End | Heard::Nonsense(_) => return,
                }
            }
        };
        let _ = timeout(GRACE + TERM_GRACE, rest).await;
        self.group.end(TERM_GRACE).await;
        End::Closed
    }

    fn reply(&mut self, calls: &Calls, id: u64) -> Option<HostError> {
        let settled = calls.settle(id, Ok(std::mem::take(&mut self.line)));
        (settled == Settled::Unasked).then(|| self.broke(unasked(id)))
    }

    /// One frame of a plugin that has started. An error is the end of it.
    fn take(&mut self, calls: &Calls, frame: FromChild) -> Option<HostError> {
        match frame {
            FromChild { log: Some(entry), .. } => {
                self.log(&entry);
                None
            }
            FromChild { broke: Some(broke), .. } => {
                let error = Err(self.broke(broke.what));
                let settled = calls.settle(broke.call_id, error);
                (settled == Settled::Unasked).then(|| self.broke(unasked(broke.call_id)))
            }
            _ => Some(self.broke("it said something that is no message".to_owned())),
        }
    }

    async fn hear(&mut self) -> Heard {
        let Self { lines, line, group, .. } = self;
        // Something that it started may hold its output open when it has ended.
        let ended = async {
            let _ = group.wait().await;
            sleep(LAST_WORDS_WITHIN).await;
        };
        let read = tokio::select! {
            biased;
            read = read_line(lines, line) => read,
            () = ended => Ok(false),
        };
        match read {
            Ok(true) => heard(&self.line),
            Ok(false) => Heard::End,
            Err(error) => Heard::Nonsense(format!("its output cannot be read ({error})")),
        }
    }

    fn log(&mut self, entry: &LogEntry) {
        let line = logs::sentence_of(entry.call_id, &entry.record);
        logs::tell(&self.plugin, entry.level, &line);
        if entry.level <= 1 {
            self.last_error = Some(line);
        }
    }

    fn broke(&self, what: String) -> HostError {
        HostError::BrokeProtocol { plugin: self.plugin.clone(), what }
    }

    /// How it ended, or was ended and why.
    async fn ended(&mut self, killed: Option<String>) -> HostError {
        let status = match killed {
            Some(why) => {
                self.group.signal(Signal::SIGTERM);
                self.group.end(TERM_GRACE).await;
                why
            }
            None => match timeout(GRACE, self.group.wait()).await {
                Ok(Ok(status)) => status.to_string(),
                Ok(Err(error)) => format!("nobody knows how ({error})"),
                Err(_) => {
                    self.group.end(Duration::ZERO).await;
                    "killed, because it closed its output".to_owned()
                }
            },
        };
        let stderr = self.words.last().await;
        HostError::Ended { plugin: self.plugin.clone(), status, stderr, given_up: false }
    }
}

/// A line: a reply if it has an id, whatever else it holds.
fn heard(line: &[u8]) -> Heard {
    let nonsense = |error: serde_json::Error| {
        Heard::Nonsense(format!("it said something that is no message ({error})"))
    };
    match serde_json::from_slice(line) {
        Ok(Head { id: Some(id) }) => Heard::Reply(id),
        Ok(Head { id: None }) => serde_json::from_slice(line).map_or_else(nonsense, Heard::Frame),
        Err(error) => nonsense(error),
    }
}

fn load_fault(fault: Fault) -> LoadFault {
    match fault {
        Fault::Loader(words) => LoadFault::Loader(words),
        Fault::Status(status) => LoadFault::Start(StartFault::Status(status)),
        // `call` is the one function that must be there.
        Fault::Missing(_) => LoadFault::Start(StartFault::Missing("call")),
    }
}

/// Writes what comes in, as much as there is at once, until it is told to close or nobody can tell
/// it anything any more. With it ends the child's input.
async fn write(mut stdin: ChildStdin, mut messages: mpsc::UnboundedReceiver<ToChild>) {
    /// How many messages go into one write.
    const BATCH: usize = 64;
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let mut is_open = messages.recv_many(&mut batch, BATCH).await > 0;
        let mut bytes = Vec::new();
        for message in batch.drain(..) {
            match message {
                ToChild::Message(message) if is_open => {
                    bytes.extend_from_slice(&message);
                    bytes.push(b'\n');
                }
                ToChild::Message(_) => {}
                ToChild::Close => is_open = false,
            }
        }
        // The reader of its output notices the end.
        if stdin.write_all(&bytes).await.is_err() || !is_open {
            return;
        }
    }
}

/// What the child prints.
struct Words {
    lines: Arc<Mutex<VecDeque<String>>>,
    reading: JoinHandle<()>,
}

impl Words {
    fn read(plugin: &str, stderr: ChildStderr) -> Self {
        let lines = Arc::default();
        let (plugin, kept) = (plugin.to_owned(), Arc::clone(&lines));
        let reading = tokio::spawn(async move {
            /// Longer lines are told in pieces.
            const PIECE_BYTES: u64 = 8 << 10;
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            loop {
                line.clear();
                let read = (&mut stderr).take(PIECE_BYTES).read_until(b'\n', &mut line).await;
                if !matches!(read, Ok(1..)) {
                    return;
                }
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if !text.is_empty() {
                    logs::tell(&plugin, 4, &crate::text::clean(&text).to_string());
                    logs::keep(&kept, text);
                }
            }
        });
        Self { lines, reading }
    }

    async fn last(&mut self) -> Vec<String> {
        let _ = timeout(LAST_WORDS_WITHIN, &mut self.reading).await;
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Reads a line, also when it is interrupted between two reads and goes on later; `false` at the
/// end. A line that was not taken is cleared by the next read.
async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> io::Result<bool> {
    if line.last() == Some(&b'\n') {
        line.clear();
    }
    loop {
        let room = LINE_BYTES_MAX.saturating_sub(line.len() as u64);
        if room == 0 {
            return Err(io::Error::other(format!("a line of more than {LINE_BYTES_MAX} bytes")));
        }
        let read = (&mut *input).take(room).read_until(b'\n', line).await?;
        match (read, line.last()) {
            (0, _) => return Ok(false),
            (_, Some(b'\n')) => return Ok(true),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_whole_and_a_half_one_is_the_end() {
        let mut input = BufReader::with_capacity(2, &b"{\"id\":1}\nlonger than that\nhalf"[..]);
        let mut line = Vec::new();
        let mut lines = Vec::new();
        while read_line(&mut input, &mut line).await.unwrap() {
            lines.push(String::from_utf8(line.clone()).unwrap());
        }
        assert_eq!(lines, ["{\"id\":1}\n", "longer than that\n"]);
    }

    #[test]
    fn a_line_with_an_id_is_a_reply_whatever_else_it_holds() {
        let reply = br#"{"id": 7, "ok": {}, "log": "none", "ready": 3}"#;
        assert!(matches!(heard(reply), Heard::Reply(7)));
        assert!(matches!(
            heard(br#"{"ready": {}}"#),
            Heard::Frame(FromChild { ready: Some(_), .. })
        ));
        assert!(matches!(heard(b"hello"), Heard::Nonsense(_)));
        assert!(matches!(heard(br#"{"log": "none"}"#), Heard::Nonsense(_)));
    }
}
