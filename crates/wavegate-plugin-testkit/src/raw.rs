//! A plugin without a host between: the C ABI as it is, with everything noticed that a plugin does
//! and must not.
//!
//! Deliberately absent: any judgement. What is noticed here is judged by the laws beside it.
#![expect(unsafe_code, reason = "drives the C ABI")]

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, offset_of};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use wavegate_plugin_protocol::abi::{self, InitFn, Status};

/// The signals that a host relies on. Those of faults, and those with which a language's runtime
/// talks to itself, are the runtime's own business: Go and the JVM take them in every process.
const RELIED_ON: [Signal; 12] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGCHLD,
    Signal::SIGPIPE,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
];

/// What stands where the other side must not look or write.
const BEYOND: u64 = 0xa5a5_a5a5_a5a5_a5a5;

/// How large the structs say they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As large as they are.
    Ours,
    /// A later minor version's.
    Newer,
    /// As large as the first version had to be.
    Oldest,
    /// Smaller than any version's.
    TooSmall,
}

impl Shape {
    fn size(self, own: usize, newer: usize, oldest: usize) -> u32 {
        let size = match self {
            Self::Ours => own,
            Self::Newer => newer,
            Self::Oldest => oldest,
            Self::TooSmall => offset_of!(abi::Host, ctx),
        };
        u32::try_from(size).unwrap_or(u32::MAX)
    }
}

/// A struct with room behind it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Roomy<T> {
    known: T,
    beyond: [u64; 4],
}

impl<T> Roomy<T> {
    const fn new(known: T) -> Self {
        Self { known, beyond: [BEYOND; 4] }
    }
}

/// What a plugin did in `init`.
pub(crate) struct Started {
    /// What it returned.
    pub(crate) status: Status,
    /// How much it says that it filled, and how much room there was.
    pub(crate) filled: u32,
    pub(crate) room: u32,
    /// What it wrote where it must not.
    pub(crate) trespass: Option<&'static str>,
    /// The plugin, if it can be called.
    pub(crate) plugin: Option<Raw>,
}

/// A plugin that was initialised.
pub(crate) struct Raw {
    ctx: *mut c_void,
    call: abi::CallFn,
    cancel: Option<abi::CancelFn>,
    shutdown: Option<abi::ShutdownFn>,
    inbox: Arc<Inbox>,
}

// SAFETY: the header says that the functions may be called from any thread; `ctx` is only ever
// passed to them.
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

/// What a plugin has said.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    heard: Mutex<Heard>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Heard {
    replies: HashMap<u64, Vec<Vec<u8>>>,
    /// A function that the host did not offer was called.
    trespass: Option<&'static str>,
}

impl Inbox {
    /// The first reply to a call; `None` if there is none in time.
    pub(crate) fn wait(&self, id: u64, within: Duration) -> Option<Vec<u8>> {
        let has_none = |heard: &mut Heard| !heard.replies.contains_key(&id);
        let waited = self.came.wait_timeout_while(self.heard(), within, has_none);
        let (heard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        heard.replies.get(&id).and_then(|replies| replies.first().cloned())
    }

    /// Whether there are so many replies in time.
    pub(crate) fn has(&self, count: usize, within: Duration) -> bool {
        let has_less = |heard: &mut Heard| heard.count() < count;
        let waited = self.came.wait_timeout_while(self.heard(), within, has_less);
        waited.unwrap_or_else(PoisonError::into_inner).0.count() >= count
    }

    /// Every reply that has come, by call.
    pub(crate) fn all(&self) -> HashMap<u64, Vec<Vec<u8>>> {
        self.heard().replies.clone()
    }

    /// What the plugin called that it was not offered.
    pub(crate) fn trespass(&self) -> Option<&'static str> {
        self.heard().trespass
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn count(&self) -> usize {
        self.replies.values().map(Vec::len).sum()
    }
}

impl Raw {
    /// Calls the entry point with structs of this shape. They are leaked: the plugin may use them as
    /// long as the process lives.
    pub(crate) fn start(init: InitFn, shape: Shape) -> Started {
        let inbox = Arc::new(Inbox::default());
        let host: &'static Roomy<abi::Host> = Box::leak(Box::new(host(&inbox, shape)));
        let room = shape.size(
            size_of::<abi::Plugin>(),
            size_of::<Roomy<abi::Plugin>>(),
            abi::PLUGIN_SIZE_MIN,
        );
        let mut plugin = Roomy::new(abi::Plugin { struct_size: room, ..nothing() });
        // SAFETY: both structs are at least as large as they say, and the host's lives for ever.
        // Its functions may be called from any thread.
        let status = unsafe { init(&raw const host.known, (&raw mut plugin).cast()) };
        let filled = plugin.known.struct_size;
        let trespass = trespass(&plugin, room);
        let plugin = (status == abi::OK).then(|| functions(&plugin.known, inbox)).flatten();
        Started { status, filled, room, trespass, plugin }
    }

    /// What the entry point returns to a host at NULL, and to a plugin at NULL.
    pub(crate) fn start_at_null(init: InitFn) -> [Status; 2] {
        let inbox = Arc::new(Inbox::default());
        let host: &'static Roomy<abi::Host> = Box::leak(Box::new(host(&inbox, Shape::Ours)));
        let size = Shape::Ours.size(size_of::<abi::Plugin>(), 0, 0);
        let mut plugin = Roomy::new(abi::Plugin { struct_size: size, ..nothing() });
        // SAFETY: the one struct that is there is whole; that the other is not is what is tried.
        unsafe {
            [
                init(std::ptr::null(), (&raw mut plugin).cast()),
                init(&raw const host.known, std::ptr::null_mut()),
            ]
        }
    }

    /// What it has said.
    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Begins a call.
    pub(crate) fn call(&self, id: u64, message: &[u8]) -> Status {
        // SAFETY: filled in for this use; the bytes are lent for the call.
        unsafe { (self.call)(self.ctx, id, abi::Bytes::of(message)) }
    }

    /// Begins a call whose message is so many bytes at NULL.
    pub(crate) fn call_at_null(&self, id: u64, len: usize) -> Status {
        // SAFETY: as for `call`; that there is nothing to read is what is tried.
        unsafe { (self.call)(self.ctx, id, abi::Bytes { ptr: std::ptr::null(), len }) }
    }

    /// Whether it can cancel at all.
    pub(crate) fn can_cancel(&self) -> bool {
        self.cancel.is_some()
    }

    /// Says that nobody waits for a call any more.
    pub(crate) fn cancel(&self, id: u64) {
        if let Some(cancel) = self.cancel {
            // SAFETY: as for `call`.
            unsafe { cancel(self.ctx, id) }
        }
    }

    /// Says that no more calls will come. Whether the plugin has a function for it.
    pub(crate) fn shutdown(&self) -> bool {
        match self.shutdown {
            Some(shutdown) => {
                // SAFETY: as for `call`; the laws do it once.
                unsafe { shutdown(self.ctx) };
                true
            }
            None => false,
        }
    }
}

/// What the host offers. Where the shape ends, functions stand that must not be called.
fn host(inbox: &Arc<Inbox>, shape: Shape) -> Roomy<abi::Host> {
    let is_short = matches!(shape, Shape::Oldest | Shape::TooSmall);
    Roomy::new(abi::Host {
        struct_size: shape.size(
            size_of::<abi::Host>(),
            size_of::<Roomy<abi::Host>>(),
            abi::HOST_SIZE_MIN,
        ),
        abi_minor: abi::ABI_MINOR,
        ctx: Arc::into_raw(Arc::clone(inbox)).cast_mut().cast(),
        reply: Some(on_reply),
        log: Some(if is_short { on_log_beyond } else { on_log }),
        log_level: Some(if is_short { on_log_level_beyond } else { on_log_level }),
    })
}

/// A plugin that has filled in nothing. Its functions are there so that it is noticed if they are
/// overwritten where there is no room.
fn nothing() -> abi::Plugin {
    abi::Plugin {
        struct_size: 0,
        abi_minor: 0,
        ctx: std::ptr::null_mut(),
        call: Some(unfilled_call),
        cancel: Some(unfilled_cancel),
        shutdown: Some(unfilled_cancel_all),
    }
}

/// Which fields beyond the room were written.
fn trespass(plugin: &Roomy<abi::Plugin>, room: u32) -> Option<&'static str> {
    let abi::Plugin { call, cancel, shutdown, .. } = plugin.known;
    let is_beyond = |field: usize| !abi::reaches(room, field + size_of::<usize>());
    let changed = [
        (offset_of!(abi::Plugin, call), "call", !call.is_some_and(is_unfilled_call)),
        (offset_of!(abi::Plugin, cancel), "cancel", !cancel.is_some_and(is_unfilled_cancel)),
        (offset_of!(abi::Plugin, shutdown), "shutdown", !shutdown.is_some_and(is_unfilled_all)),
    ];
    let field = changed.into_iter().find(|(field, _, changed)| *changed && is_beyond(*field));
    let behind = (plugin.beyond != [BEYOND; 4]).then_some("what lies behind the last field");
    field.map(|(_, name, _)| name).or(behind)
}

fn is_unfilled_call(function: abi::CallFn) -> bool {
    std::ptr::fn_addr_eq(function, unfilled_call as abi::CallFn)
}

fn is_unfilled_cancel(function: abi::CancelFn) -> bool {
    std::ptr::fn_addr_eq(function, unfilled_cancel as abi::CancelFn)
}

fn is_unfilled_all(function: abi::ShutdownFn) -> bool {
    std::ptr::fn_addr_eq(function, unfilled_cancel_all as abi::ShutdownFn)
}

/// What was filled in, as far as the plugin says that it filled.
fn functions(plugin: &abi::Plugin, inbox: Arc<Inbox>) -> Option<Raw> {
    let has = |field: usize| abi::reaches(plugin.struct_size, field + size_of::<usize>());
    let has_call = has(offset_of!(abi::Plugin, call));
    let call = plugin.call.filter(|call| has_call && !is_unfilled_call(*call))?;
    let cancel = plugin.cancel.filter(|_| has(offset_of!(abi::Plugin, cancel)));
    let shutdown = plugin.shutdown.filter(|_| has(offset_of!(abi::Plugin, shutdown)));
    Some(Raw {
        ctx: plugin.ctx,
        call,
        cancel: cancel.filter(|cancel| !is_unfilled_cancel(*cancel)),
        shutdown: shutdown.filter(|shutdown| !is_unfilled_all(*shutdown)),
        inbox,
    })
}

unsafe extern "C" fn unfilled_call(_: *mut c_void, _: u64, _: abi::Bytes) -> Status {
    abi::E_INTERNAL
}

unsafe extern "C" fn unfilled_cancel(_: *mut c_void, _: u64) {}

unsafe extern "C" fn unfilled_cancel_all(_: *mut c_void) {}

/// # Safety
/// `ctx` is what [`host`] made of an inbox that is never dropped.
unsafe fn inbox(ctx: *mut c_void) -> &'static Inbox {
    // SAFETY: the count that was leaked there keeps it.
    unsafe { &*ctx.cast::<Inbox>() }
}

/// # Safety
/// Called by the plugin with what it was given.
unsafe extern "C" fn on_reply(ctx: *mut c_void, id: u64, message: abi::Bytes) {
    if ctx.is_null() {
        return;
    }
    // SAFETY: `ctx` is ours.
    let inbox = unsafe { inbox(ctx) };
    let message = match message.len {
        _ if message.ptr.is_null() => Vec::new(),
        len if len > abi::MESSAGE_BYTES_MAX => Vec::new(),
        // SAFETY: lent until this returns.
        len => unsafe { std::slice::from_raw_parts(message.ptr, len) }.to_vec(),
    };
    inbox.heard().replies.entry(id).or_default().push(message);
    inbox.came.notify_all();
}

unsafe extern "C" fn on_log(_: *mut c_void, _: abi::Level, _: u64, _: abi::Bytes) {}

unsafe extern "C" fn on_log_level(_: *mut c_void) -> abi::Level {
    5
}

/// # Safety
/// Called by the plugin with what it was given.
unsafe extern "C" fn on_log_beyond(ctx: *mut c_void, _: abi::Level, _: u64, _: abi::Bytes) {
    // SAFETY: `ctx` is ours, whatever else is wrong.
    unsafe { inbox(ctx) }.heard().trespass = Some("log");
}

/// # Safety
/// Called by the plugin with what it was given.
unsafe extern "C" fn on_log_level_beyond(ctx: *mut c_void) -> abi::Level {
    // SAFETY: `ctx` is ours, whatever else is wrong.
    unsafe { inbox(ctx) }.heard().trespass = Some("log_level");
    0
}

/// Writes out what the C library has kept back of standard output.
pub(crate) fn flush_stdout() {
    unsafe extern "C" {
        fn fflush(stream: *mut c_void) -> c_int;
    }
    // SAFETY: NULL means all streams.
    unsafe {
        fflush(std::ptr::null_mut());
    }
}

/// What happens at each signal that a host relies on: the handler's address and its flags.
pub(crate) fn signal_handlers() -> Vec<(Signal, usize, c_int)> {
    RELIED_ON
        .into_iter()
        .filter_map(|signal| signal_handler(signal).map(|(at, flags)| (signal, at, flags)))
        .collect()
}

fn signal_handler(signal: Signal) -> Option<(usize, c_int)> {
    let mut action = MaybeUninit::<nix::libc::sigaction>::uninit();
    // SAFETY: nothing is changed; where there is such a signal, the action is filled in.
    unsafe {
        if nix::libc::sigaction(signal as c_int, std::ptr::null(), action.as_mut_ptr()) != 0 {
            return None;
        }
        let action = action.assume_init();
        Some((action.sa_sigaction, action.sa_flags))
    }
}
