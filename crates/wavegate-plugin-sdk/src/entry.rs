//! The C entry point that [`export_plugin!`](crate::export_plugin) exports, and what stands behind
//! it: one instance per `init`, which lives until the process ends.
//!
//! Invariants:
//! - No panic leaves a function here: it becomes a status or an error reply.
//! - A call that was taken gets exactly one reply, whatever becomes of its component.
//! - No thread is started before a component needs one: strategies never do.
#![expect(unsafe_code, reason = "the plugin's side of the C ABI")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::{Dispatch, dispatcher};
use wavegate_plugin_protocol::abi::{self, Status};
use wavegate_plugin_protocol::pipe::LogRecord;
use wavegate_plugin_protocol::{Answer, Reply};

use crate::caught::{caught, install_hook};
use crate::dispatch::{self, Call};
use crate::host::HostHandle;
use crate::{BoxFuture, CancellationToken, PluginDecl, PluginError, log};

/// How many threads hooks and alarm providers share. They wait for others most of the time.
const WORKERS: usize = 2;

/// How long a shutdown waits for threads that are busy: less than the host's grace of 2 seconds.
const SHUTDOWN_WITHIN: Duration = Duration::from_millis(1_500);

/// What `wavegate_plugin_init_v1` does for a plugin.
///
/// # Safety
/// `host` and `out` are NULL or point to structs as `include/wavegate_plugin.h` describes them: of
/// the size that their `struct_size` says, the host's functions callable from any thread for the
/// rest of the process.
pub unsafe fn init(
    plugin: &'static PluginDecl,
    host: *const abi::Host,
    out: *mut abi::Plugin,
) -> Status {
    // SAFETY: passed on to the caller.
    status(|| unsafe { begin(plugin, host, out) })
}

/// A status for whatever happens.
fn status(work: impl FnOnce() -> Status) -> Status {
    caught(work).unwrap_or(abi::E_INTERNAL)
}

/// # Safety
/// See [`init`].
unsafe fn begin(
    plugin: &'static PluginDecl,
    host: *const abi::Host,
    out: *mut abi::Plugin,
) -> Status {
    if host.is_null() || out.is_null() {
        return abi::E_ARGUMENT;
    }
    // SAFETY: the caller vouches for both structs.
    let (host, room) = unsafe { (HostHandle::read(host), (&raw const (*out).struct_size).read()) };
    let Some(host) = host else { return abi::E_UNSUPPORTED };
    if !abi::reaches(room, abi::PLUGIN_SIZE_MIN) {
        let record = LogRecord {
            message: format!("the host has room for {room} bytes, too few for ABI v1"),
            target: plugin.name().to_owned(),
            ..LogRecord::default()
        };
        host.log(1, 0, &serde_json::to_vec(&record).unwrap_or_default());
        return abi::E_UNSUPPORTED;
    }
    install_hook();
    let instance = Box::leak(Box::new(Instance {
        plugin,
        host,
        dispatch: log::dispatch(host),
        runtime: Mutex::new(State::NotStarted),
        running: Mutex::default(),
        is_down: AtomicBool::new(false),
    }));
    let own = u32::try_from(size_of::<abi::Plugin>()).unwrap_or(u32::MAX);
    let filled = room.min(own);
    let has = |field: usize| abi::reaches(filled, field + size_of::<Option<abi::CancelFn>>());
    let ctx = std::ptr::from_mut(instance).cast::<c_void>();
    // SAFETY: the caller vouches for `room` bytes; no field beyond them is touched.
    unsafe {
        (&raw mut (*out).abi_minor).write(abi::ABI_MINOR);
        (&raw mut (*out).ctx).write(ctx);
        (&raw mut (*out).call).write(Some(call));
        if has(offset_of!(abi::Plugin, cancel)) {
            (&raw mut (*out).cancel).write(Some(cancel));
        }
        if has(offset_of!(abi::Plugin, shutdown)) {
            (&raw mut (*out).shutdown).write(Some(shutdown));
        }
        (&raw mut (*out).struct_size).write(filled);
    }
    abi::OK
}

/// # Safety
/// `ctx` is what [`begin`] filled in, `message` is borrowed for the call.
unsafe extern "C" fn call(ctx: *mut c_void, call_id: u64, message: abi::Bytes) -> Status {
    status(|| {
        if ctx.is_null() || (message.ptr.is_null() && message.len > 0) {
            return abi::E_ARGUMENT;
        }
        // SAFETY: instances are leaked, so a `ctx` of ours is good for ever.
        let instance = unsafe { &*ctx.cast::<Instance>() };
        let message = match message.len {
            0 => &[],
            // SAFETY: the host lends `len` bytes for the duration of this call.
            len => unsafe { std::slice::from_raw_parts(message.ptr, len) },
        };
        instance.call(call_id, message)
    })
}

/// # Safety
/// `ctx` is what [`begin`] filled in.
unsafe extern "C" fn cancel(ctx: *mut c_void, call_id: u64) {
    if ctx.is_null() {
        return;
    }
    let _ = caught(|| {
        // SAFETY: as in `call`.
        let instance = unsafe { &*ctx.cast::<Instance>() };
        // Cancelling wakes others, which must not find the lock taken.
        let token = instance.running().get(&call_id).cloned();
        if let Some(token) = token {
            token.cancel();
        }
    });
}

/// # Safety
/// `ctx` is what [`begin`] filled in.
unsafe extern "C" fn shutdown(ctx: *mut c_void) {
    if ctx.is_null() {
        return;
    }
    let _ = caught(|| {
        // SAFETY: as in `call`.
        let instance = unsafe { &*ctx.cast::<Instance>() };
        instance.shut_down();
    });
}

/// A plugin that was initialised.
struct Instance {
    plugin: &'static PluginDecl,
    host: HostHandle,
    dispatch: Option<Dispatch>,
    runtime: Mutex<State>,
    /// The calls under way that can be cancelled.
    running: Mutex<HashMap<u64, CancellationToken>>,
    is_down: AtomicBool,
}

enum State {
    NotStarted,
    Started(Runtime),
    Down,
}

impl Instance {
    fn call(&'static self, id: u64, message: &[u8]) -> Status {
        if self.is_down.load(Ordering::Acquire) {
            return abi::E_SHUTDOWN;
        }
        if message.len() > abi::MESSAGE_BYTES_MAX {
            let words = format!("a message of {} bytes is too long", message.len());
            self.reply(id, Err(PluginError::new(PluginError::MESSAGE_INVALID, words)));
            return abi::OK;
        }
        // A component's panics are caught where it is erased; this is for our own.
        let begun = caught(|| self.inside(id, || dispatch::call(self.plugin, id, message)));
        match begun {
            Ok(Call::Now(answer)) => self.reply(id, answer),
            Ok(Call::Later { answer, cancel }) => self.spawn(id, answer, cancel),
            Err(panicked) => self.reply(id, Err(PluginError::panicked("the SDK", panicked))),
        }
        abi::OK
    }

    /// Runs `work` with this plugin's records going to the host, as a part of call `id`.
    fn inside<T>(&self, id: u64, work: impl FnOnce() -> T) -> T {
        let work = || log::in_call(id, work);
        match &self.dispatch {
            Some(dispatch) => dispatcher::with_default(dispatch, work),
            None => work(),
        }
    }

    fn spawn(
        &'static self,
        id: u64,
        answer: BoxFuture<'static, Result<Value, PluginError>>,
        cancel: CancellationToken,
    ) {
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(error) => return self.reply(id, Err(error)),
        };
        self.running().insert(id, cancel);
        let owed = Owed { instance: self, id, is_paid: false };
        runtime.spawn(InCall { instance: self, id, work: Box::pin(settle(owed, answer)) });
    }

    /// The runtime, which is started by the first call that needs it.
    fn runtime(&'static self) -> Result<Handle, PluginError> {
        let mut state = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::NotStarted) {
            *state = State::Started(self.start_runtime()?);
        }
        match &*state {
            State::Started(runtime) => Ok(runtime.handle().clone()),
            State::NotStarted | State::Down => {
                Err(PluginError::new(PluginError::CANCELLED, "the plugin was shut down"))
            }
        }
    }

    fn start_runtime(&'static self) -> Result<Runtime, PluginError> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(WORKERS).thread_name(self.plugin.name()).enable_all();
        builder.on_thread_start(|| {
            // What a component spawns beside its call is told to the host, too. The guard is
            // leaked because it ends with the thread.
            if let Some(dispatch) = &self.dispatch {
                std::mem::forget(dispatcher::set_default(dispatch));
            }
        });
        builder.build().map_err(|error| {
            let words = format!("its runtime cannot be started: {error}");
            PluginError::new(PluginError::RUNTIME, words)
        })
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u64, CancellationToken>> {
        // The map is valid after any panic: an entry is there or it is not.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, id: u64, answer: Result<Value, PluginError>) {
        let answer = answer.map_or_else(|error| Answer::Error(error.into()), Answer::Ok);
        let too_long = |length: usize| {
            let words = format!("an answer of {length} bytes is too long");
            Answer::Error(PluginError::new(PluginError::ANSWER_INVALID, words).into())
        };
        match bytes(id, answer) {
            reply if reply.len() > abi::MESSAGE_BYTES_MAX => {
                self.host.reply(id, &bytes(id, too_long(reply.len())));
            }
            reply => self.host.reply(id, &reply),
        }
    }

    fn shut_down(&self) {
        self.is_down.store(true, Ordering::Release);
        let tokens: Vec<CancellationToken> = self.running().values().cloned().collect();
        tokens.iter().for_each(CancellationToken::cancel);
        let before = {
            let mut state = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Down)
        };
        // A call that comes now finds the lock free, and is told.
        if let State::Started(runtime) = before {
            runtime.shutdown_timeout(SHUTDOWN_WITHIN);
        }
    }
}

fn bytes(id: u64, answer: Answer<Value>) -> Vec<u8> {
    serde_json::to_vec(&Reply { id, answer }).expect("JSON values can be written as JSON")
}

async fn settle(mut owed: Owed, answer: BoxFuture<'static, Result<Value, PluginError>>) {
    let answer = answer.await;
    owed.pay(answer);
}

/// A reply that is owed: given at the latest when this is dropped, as a runtime that is shut down
/// does with what is under way.
struct Owed {
    instance: &'static Instance,
    id: u64,
    is_paid: bool,
}

impl Owed {
    fn pay(&mut self, answer: Result<Value, PluginError>) {
        if std::mem::replace(&mut self.is_paid, true) {
            return;
        }
        self.instance.running().remove(&self.id);
        self.instance.reply(self.id, answer);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.pay(Err(PluginError::new(PluginError::CANCELLED, "the plugin was shut down")));
    }
}

/// A future each of whose polls is a part of its call.
struct InCall {
    instance: &'static Instance,
    id: u64,
    work: BoxFuture<'static, ()>,
}

impl Future for InCall {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        let (instance, id) = (self.instance, self.id);
        instance.inside(id, || self.work.as_mut().poll(cx))
    }
}

#[cfg(test)]
mod tests;
