//! The thread that loads a library, initialises the plugin, begins its calls, and shuts it down.
//!
//! A plugin is never called on a thread that something else needs: one whose `init` or `call` does
//! not come back costs this thread and nothing else. One thread for all of it, so that no call is
//! begun before `init` or after `shutdown`. The same in this process and in the plugin's own.
#![expect(unsafe_code, reason = "starts a plugin")]

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use wavegate_plugin_protocol::abi;

use crate::boundary::{self, Ear, Functions, StartFault};
use crate::load;

/// A library that was verified, and the entry point that was found in it.
#[derive(Debug, Clone)]
pub(crate) struct Library {
    /// The private copy.
    pub(crate) file: PathBuf,
    /// The entry point's name.
    pub(crate) entry: String,
}

/// Why a library is not running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LoadFault {
    /// The system loader's words.
    Loader(String),
    /// The plugin's own answer.
    Start(StartFault),
}

/// What the thread is to do.
pub(crate) enum Work {
    /// Begin a call, if it is still wanted when its turn comes.
    Call {
        /// Its id.
        id: u64,
        /// Its message.
        message: Vec<u8>,
    },
    /// Shut the plugin down and say so. The thread ends.
    Shutdown(Box<dyn FnOnce() + Send>),
}

/// Starts the thread. `started` is called on it, once, with what came of the start; then work is
/// done in its order until there can be no more.
///
/// # Errors
/// If there is no thread to be had.
pub(crate) fn spawn(
    name: &str,
    library: Library,
    ear: Arc<dyn Ear>,
    started: impl FnOnce(Result<Functions, LoadFault>) + Send + 'static,
) -> io::Result<Sender<Work>> {
    let (sender, work) = channel();
    thread::Builder::new().name(format!("plugin {name}")).spawn(move || {
        match start(&library, Arc::clone(&ear)) {
            Ok(functions) => {
                started(Ok(functions));
                serve(functions, &*ear, &work);
            }
            Err(fault) => started(Err(fault)),
        }
    })?;
    Ok(sender)
}

fn start(library: &Library, ear: Arc<dyn Ear>) -> Result<Functions, LoadFault> {
    let init = load::entry_point(&library.file, &library.entry).map_err(LoadFault::Loader)?;
    // SAFETY: the object check found this entry point, and the library is never unmapped.
    unsafe { boundary::start(init, ear) }.map_err(LoadFault::Start)
}

fn serve(functions: Functions, ear: &dyn Ear, work: &Receiver<Work>) {
    while let Some(work) = next(work) {
        match work {
            Work::Call { id, message } => begin(functions, ear, id, &message),
            Work::Shutdown(done) => {
                functions.shutdown();
                return done();
            }
        }
    }
}

/// How often a thread looks again before it sleeps: some tens of microseconds, about what it costs
/// to be woken up. Questions to a strategy come one right after the other, or minutes apart.
pub(crate) const LOOKS: u32 = 100;

/// The next piece of work; `None` if there will be none.
fn next(work: &Receiver<Work>) -> Option<Work> {
    for _ in 0..LOOKS {
        match work.try_recv() {
            Ok(work) => return Some(work),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => thread::yield_now(),
        }
    }
    work.recv().ok()
}

/// Begins a call, here or on the thread of somebody who can wait for it.
pub(crate) fn begin(functions: Functions, ear: &dyn Ear, id: u64, message: &[u8]) {
    if !ear.begins(id) {
        return;
    }
    let status = functions.call(id, message);
    if status != abi::OK {
        ear.refused(id, status);
    }
}
