//! The child's half of isolation: this same program, run again with one library to load.
//!
//! Standard input and output are taken away before any of the plugin's code runs, so that nothing it
//! prints can be taken for a message: fd 0 reads nothing, fd 1 is standard error. The end of the
//! input ends the process and all that it started, whatever the plugin is doing and even if it has
//! not started yet; so it never outlives its parent.
//!
//! Deliberately absent: an async runtime. One thread reads, one begins calls, one cancels them, the
//! plugin's own reply.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, killpg, raise};
use nix::unistd::{getpgrp, getpid};
use wavegate_plugin_protocol::abi::{self, Level, Status};
use wavegate_plugin_protocol::{Answer, PluginErrorBody, Reply};

use crate::boundary::{BadBytes, Ear};
use crate::direct::{GRACE, refusal};
use crate::frame::{Fault, FromChild, Head, Ready, ToChild};
use crate::worker::{self, Library, Work};

/// What the child is to do. [`run`] is called with it by the program that was started as the
/// parent's [`Launcher`](crate::Launcher) says.
#[derive(Debug, Clone)]
pub struct ChildArgs {
    /// The plugin's name, for its threads.
    pub name: String,
    /// The private copy of the library that was verified.
    pub library: PathBuf,
    /// The entry point that was found in it.
    pub entry: String,
    /// How much memory the process may allocate, in bytes.
    pub memory_bytes: u64,
    /// The least important level of records that is wanted: 1 (errors) to 5.
    pub log_level: i32,
}

/// Runs the plugin until standard input ends, which is the parent's way to end it.
///
/// # Errors
/// What keeps this process from being a plugin's. The parent shows the last lines of standard error.
pub fn run(args: ChildArgs) -> io::Result<()> {
    limit(args.memory_bytes)?;
    let (input, output) = take_pipes()?;
    let voice = Arc::new(Voice {
        output: Mutex::new(output),
        level: args.log_level,
        calls: Mutex::default(),
    });
    let library = Library { file: args.library, entry: args.entry };
    let (starts, started) = channel();
    let ear: Arc<dyn Ear> = Arc::<Voice>::clone(&voice);
    let work = worker::spawn(&args.name, library, ear, move |result| {
        let _ = starts.send(result);
    })?;
    let (cancels, cancelled) = channel();
    let (ends, ended) = channel();
    let reader = Reader { voice: Arc::clone(&voice), work, cancels, ends };
    thread::Builder::new().name("messages".to_owned()).spawn(move || reader.read(input))?;
    // For as long as the parent waits: it ends this process when it has waited enough.
    let functions = match started.recv() {
        Ok(Ok(functions)) => functions,
        Ok(Err(fault)) => {
            voice.say(&FromChild { fault: Some(Fault::from(fault)), ..FromChild::default() });
            return Ok(());
        }
        Err(_) => return Err(io::Error::other("the plugin ended the thread that started it")),
    };
    thread::Builder::new().name("cancels".to_owned()).spawn(move || {
        while let Ok(id) = cancelled.recv() {
            functions.cancel(id);
        }
    })?;
    voice.say(&FromChild { ready: Some(Ready {}), ..FromChild::default() });
    ended.recv().unwrap_or_else(|_| Err(io::Error::other("the plugin ended a thread of ours")))?;
    // The parent may be gone, and nobody else would end what the plugin started.
    end_all();
    Ok(())
}

/// Bounds what the plugin can do to the machine.
fn limit(memory_bytes: u64) -> io::Result<()> {
    // What is writable and private: libraries and reserved address space do not count. An
    // allocation beyond it fails, and Rust code then aborts.
    let (_, hard) = getrlimit(Resource::RLIMIT_DATA)?;
    let most = memory_bytes.min(hard);
    setrlimit(Resource::RLIMIT_DATA, most, most)?;
    // A crash is told by its signal; a core file would hold the environment.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    Ok(())
}

/// The pipes to the parent, out of the plugin's reach.
fn take_pipes() -> io::Result<(File, File)> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    nix::unistd::dup2_stdout(io::stderr())?;
    Ok((input, output))
}

/// The thread that reads what the parent says. It calls none of the plugin's code, so nothing can
/// keep it from noticing the end.
struct Reader {
    voice: Arc<Voice>,
    work: Sender<Work>,
    cancels: Sender<u64>,
    ends: Sender<io::Result<()>>,
}

impl Reader {
    fn read(self, input: File) {
        match self.pass_on(&mut BufReader::new(input)) {
            Ok(()) => {
                let ends = self.ends.clone();
                // A worker that is gone, or busy for ever, is what the grace is for.
                let done = Box::new(move || drop(ends.send(Ok(()))));
                let _ = self.work.send(Work::Shutdown(done));
            }
            Err(error) => drop(self.ends.send(Err(error))),
        }
        thread::sleep(GRACE);
        end_all();
    }

    /// Passes messages on until there are no more.
    fn pass_on(&self, lines: &mut impl io::BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while read_line(lines, &mut line)? {
            let told: ToChild = serde_json::from_slice(&line)
                .map_err(|_| io::Error::other("the parent said something that is no message"))?;
            match told {
                ToChild { cancel: Some(id), .. } if self.voice.takes_back(id) => {}
                // There are none to cancel before the plugin has started.
                ToChild { cancel: Some(id), .. } => drop(self.cancels.send(id)),
                ToChild { id: Some(id), .. } => {
                    self.voice.calls().insert(id, Stage::Queued);
                    let message = std::mem::take(&mut line);
                    self.work.send(Work::Call { id, message }).map_err(|_| {
                        io::Error::other("the plugin ended the thread that calls it")
                    })?;
                }
                ToChild { .. } => {}
            }
        }
        Ok(())
    }
}

/// Ends this process and all that it started.
fn end_all() {
    if getpgrp() == getpid() {
        let _ = killpg(getpgrp(), Signal::SIGKILL);
    }
    let _ = raise(Signal::SIGKILL);
}

/// The next line without its end; `false` when there is none.
fn read_line(input: &mut impl io::BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    input.read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(true);
    }
    // Half a line is what a parent leaves that dies while it writes.
    Ok(false)
}

/// How far a call is. One that was replied to is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Queued,
    Begun,
}

/// What the plugin speaks through.
struct Voice {
    output: Mutex<File>,
    level: Level,
    calls: Mutex<HashMap<u64, Stage>>,
}

impl Voice {
    fn calls(&self) -> MutexGuard<'_, HashMap<u64, Stage>> {
        // An entry is there or it is not: the map is valid after any panic.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a call back that has not begun, and replies to it.
    fn takes_back(&self, call_id: u64) -> bool {
        let mut calls = self.calls();
        if calls.get(&call_id) != Some(&Stage::Queued) {
            return false;
        }
        calls.remove(&call_id);
        drop(calls);
        let answer: Answer<()> = Answer::Error(PluginErrorBody {
            code: "call.cancelled".to_owned(),
            message: "it was cancelled before it began".to_owned(),
            retryable: false,
            detail: None,
        });
        self.write(json(&Reply { id: call_id, answer }));
        true
    }

    fn say(&self, frame: &FromChild) {
        self.write(json(frame));
    }

    fn write(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // A parent that does not read any more has ended, or will end this process.
        let _ = output.write_all(&line);
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("what is said is JSON")
}

impl Ear for Voice {
    fn begins(&self, call_id: u64) -> bool {
        match self.calls().get_mut(&call_id) {
            Some(stage) => {
                *stage = Stage::Begun;
                true
            }
            None => false,
        }
    }

    fn reply(&self, call_id: u64, message: Result<Vec<u8>, BadBytes>) {
        // One that was replied to before is passed on: the parent knows what to do about it.
        self.calls().remove(&call_id);
        match message.map_err(|bad| bad.to_string()).and_then(|message| one_line(call_id, message))
        {
            Ok(line) => self.write(line),
            Err(what) => {
                self.say(&FromChild::broke(call_id, format!("{what} in reply to call {call_id}")));
            }
        }
    }

    fn refused(&self, call_id: u64, status: Status) {
        if self.calls().remove(&call_id).is_some() {
            self.say(&FromChild::broke(call_id, refusal(status)));
        }
    }

    fn log(&self, level: abi::Level, call_id: u64, record: &[u8]) {
        if level <= self.level {
            self.say(&FromChild::log(level, call_id, record));
        }
    }

    fn log_level(&self) -> abi::Level {
        self.level
    }
}

/// A reply as a line: JSON, about this call, without line ends.
fn one_line(call_id: u64, message: Vec<u8>) -> Result<Vec<u8>, String> {
    let head: Head =
        serde_json::from_slice(&message).map_err(|error| format!("no reply ({error})"))?;
    match head.id {
        Some(id) if id == call_id => {}
        Some(other) => return Err(format!("a message with the id {other}")),
        None => return Err("no reply (it has no id)".to_owned()),
    }
    if !message.contains(&b'\n') {
        return Ok(message);
    }
    // Line ends stand between tokens only, where any white space will do.
    Ok(message.into_iter().map(|byte| if byte == b'\n' { b' ' } else { byte }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_becomes_one_line_or_a_reason() {
        let line = one_line(7, b"{\n \"id\": 7,\n \"ok\": {}\n}".to_vec()).unwrap();
        assert_eq!(serde_json::from_slice::<Head>(&line).unwrap().id, Some(7));
        assert!(!line.contains(&b'\n'));
        assert!(one_line(7, br#"{"id": 8, "ok": {}}"#.to_vec()).unwrap_err().contains("id 8"));
        for message in ["", "nonsense", "[]", r#"{"ok": {}}"#, r#"{"id": 7, "ok": NaN}"#] {
            assert!(one_line(7, message.into()).unwrap_err().contains("no reply"), "{message}");
        }
    }

    #[test]
    fn half_a_line_is_the_end() {
        let mut input = io::Cursor::new(b"one\n\ntwo\nthr".to_vec());
        let mut line = Vec::new();
        let mut lines = Vec::new();
        while read_line(&mut input, &mut line).unwrap() {
            lines.push(String::from_utf8(line.clone()).unwrap());
        }
        assert_eq!(lines, ["one", "", "two"]);
    }
}
