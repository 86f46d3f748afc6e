//! A plugin in this process: linked in, or loaded.
//!
//! It cannot be killed. A call that does not come back, however long it is waited for, makes the
//! plugin *wedged*: it is not called again.
#![expect(unsafe_code, reason = "starts a plugin")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use wavegate_plugin_protocol::abi::{self, InitFn, Status};

use crate::HostError;
use crate::boundary::{self, BadBytes, Ear, Functions, StartFault};
use crate::calls::{Calls, Outcome, Settled};
use crate::logs::Logs;
use crate::worker::{self, Library, LoadFault, Work};

/// How long `init` may take: it does no I/O.
pub(crate) const START_WITHIN: Duration = Duration::from_secs(5);

/// How long a cancelled call, or a shutdown, may take to end.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// When a cancellation is repeated that may have come just before its call began.
pub(crate) const CANCEL_AGAIN: Duration = Duration::from_millis(100);

/// Why nothing can be asked after a shutdown.
pub(crate) const SHUT_DOWN: &str = "it was shut down";

/// A plugin that runs here.
#[derive(Debug)]
pub(crate) struct Direct {
    functions: Functions,
    side: Arc<Side>,
    /// Where its calls are begun; `None`: in place, because its code is this program's own.
    thread: Option<Sender<Work>>,
    is_down: AtomicBool,
}

/// What the plugin speaks to.
#[derive(Debug)]
struct Side {
    plugin: String,
    calls: Calls,
    logs: Logs,
}

impl Side {
    fn of(plugin: &str) -> Arc<Self> {
        let logs = Logs::of(plugin);
        Arc::new(Self { plugin: plugin.to_owned(), calls: Calls::default(), logs })
    }

    fn broke(&self, what: String) -> HostError {
        HostError::BrokeProtocol { plugin: self.plugin.clone(), what }
    }

    fn host(&self, what: String) -> HostError {
        HostError::Host { plugin: self.plugin.clone(), what }
    }

    fn start_error(&self, fault: LoadFault) -> HostError {
        start_error(&self.plugin, fault, self.logs.last_words())
    }
}

/// Why a plugin does not run, in words.
pub(crate) fn start_error(plugin: &str, fault: LoadFault, last_words: Option<String>) -> HostError {
    let plugin = plugin.to_owned();
    match fault {
        LoadFault::Loader(detail) => HostError::LoaderRefused { plugin, detail },
        LoadFault::Start(StartFault::Status(status)) => {
            HostError::RefusedToStart { plugin, status, last_words }
        }
        LoadFault::Start(StartFault::Missing(function)) => {
            HostError::MissingFunction { plugin, function: function.to_owned() }
        }
    }
}

impl Ear for Side {
    fn begins(&self, call_id: u64) -> bool {
        self.calls.begins(call_id)
    }

    fn reply(&self, call_id: u64, message: Result<Vec<u8>, BadBytes>) {
        let outcome =
            message.map_err(|bad| self.broke(format!("{bad} in reply to call {call_id}")));
        if self.calls.settle(call_id, outcome) == Settled::Unasked {
            // Which reply was the true one cannot be told any more.
            self.calls.end(&self.broke(unasked(call_id)));
        }
    }

    fn refused(&self, call_id: u64, status: Status) {
        // If it replied all the same, the reply counts.
        let _ = self.calls.settle(call_id, Err(self.broke(refusal(status))));
    }

    fn log(&self, level: abi::Level, call_id: u64, record: &[u8]) {
        self.logs.take(level, call_id, record);
    }

    fn log_level(&self) -> abi::Level {
        Logs::level()
    }
}

/// A reply too many, in words.
pub(crate) fn unasked(call_id: u64) -> String {
    format!("it replied to call {call_id}, to which it had replied or which was never made")
}

/// A call that was not taken, in words.
pub(crate) fn refusal(status: Status) -> String {
    format!("it did not take a call (status {status})")
}

impl Direct {
    /// Starts a plugin that is linked into this program.
    pub(crate) fn linked(plugin: &str, init: InitFn) -> Result<Self, HostError> {
        let side = Side::of(plugin);
        let ear: Arc<dyn Ear> = Arc::<Side>::clone(&side);
        // SAFETY: the entry point of a plugin that was declared with the SDK's macro.
        let functions = unsafe { boundary::start(init, ear) }
            .map_err(|fault| side.start_error(LoadFault::Start(fault)))?;
        Ok(Self { functions, side, thread: None, is_down: AtomicBool::new(false) })
    }

    /// Loads a library into this process and starts the plugin in it.
    ///
    /// One library once: `init` is called once in a process, and a second load would be the same
    /// code with the same variables.
    pub(crate) async fn loaded(plugin: &str, library: Library) -> Result<Self, HostError> {
        static LOADED: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());
        let before = {
            let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.insert(library.file.clone(), plugin.to_owned())
        };
        if let Some(other) = before {
            return Err(HostError::LoadedTwice { plugin: plugin.to_owned(), other });
        }
        let side = Side::of(plugin);
        let ear: Arc<dyn Ear> = Arc::<Side>::clone(&side);
        let (sender, started) = oneshot::channel();
        let thread = worker::spawn(plugin, library, ear, move |result| {
            // Whoever waited has given up.
            let _ = sender.send(result);
        })
        .map_err(|error| side.host(format!("there is no thread for it: {error}")))?;
        let late = || HostError::StartTimeout { plugin: plugin.to_owned(), limit: START_WITHIN };
        let functions = timeout(START_WITHIN, started)
            .await
            .map_err(|_| late())?
            // The thread is gone without a word: the plugin ended it.
            .map_err(|_| side.broke("it ended the thread that started it".to_owned()))?
            .map_err(|fault| side.start_error(fault))?;
        Ok(Self { functions, side, thread: Some(thread), is_down: AtomicBool::new(false) })
    }

    /// Opens a call.
    pub(crate) fn open(&self) -> Result<(u64, oneshot::Receiver<Outcome>), HostError> {
        self.side.calls.open()
    }

    /// The call that was opened will not be begun.
    pub(crate) fn forget(&self, id: u64) {
        self.side.calls.forget(id);
    }

    /// Begins the call that was opened.
    pub(crate) fn begin(&self, id: u64, message: Vec<u8>) {
        let Some(thread) = &self.thread else {
            return worker::begin(self.functions, &*self.side, id, &message);
        };
        if thread.send(Work::Call { id, message }).is_err() {
            let what = "it ended the thread that calls it".to_owned();
            self.side.calls.end(&self.side.broke(what));
        }
    }

    /// Nobody waits for the call any more. A reply that does not come within the grace makes the
    /// plugin wedged.
    pub(crate) fn abandon(&self, id: u64) {
        if !self.side.calls.abandon(id) {
            return;
        }
        let (functions, side) = (self.functions, Arc::clone(&self.side));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            for wait in [CANCEL_AGAIN, GRACE] {
                // On a thread of its own: a plugin may do anything in there.
                let cancelled = tokio::task::spawn_blocking(move || functions.cancel(id));
                let _ = timeout(GRACE, cancelled).await;
                sleep(wait).await;
                if !side.calls.owes(id) {
                    return;
                }
            }
            let (plugin, calls) = (side.plugin.clone(), side.calls.abandoned());
            side.calls.end(&HostError::Wedged { plugin, calls });
        });
    }

    /// No more calls will come: those under way fail, and the plugin may end in order.
    pub(crate) async fn shutdown(&self) {
        if self.is_down.swap(true, Ordering::AcqRel) {
            return;
        }
        self.side.calls.end(&self.side.host(SHUT_DOWN.to_owned()));
        let (done, ended) = oneshot::channel();
        if let Some(thread) = &self.thread {
            // Behind whatever was begun there.
            let _ = thread.send(Work::Shutdown(Box::new(|| say(done))));
        } else {
            let functions = self.functions;
            tokio::task::spawn_blocking(move || {
                functions.shutdown();
                say(done);
            });
        }
        // What does not end in time ends with the process.
        let _ = timeout(GRACE, ended).await;
    }
}

fn say(done: oneshot::Sender<()>) {
    // Whoever waited has waited enough.
    let _ = done.send(());
}
