//! The host's side of the C ABI: the functions that a plugin is given, and those that it gives.
//!
//! Invariants:
//! - Nothing that a plugin says about sizes is believed beyond what this side knows of the structs.
//! - What a plugin may call lives until the process ends: a library is never unloaded, and neither
//!   is what it was told about.
//! - Bytes are copied before a function returns; no memory changes hands.
#![expect(unsafe_code, reason = "the C ABI")]

use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::Arc;

use wavegate_plugin_protocol::abi::{self, InitFn, Status};

/// Who hears what a plugin says. Called from any thread of the plugin's, and must not block.
pub(crate) trait Ear: Send + Sync + 'static {
    /// A call is about to begin. `false`: nobody wants it any more, and it must not.
    fn begins(&self, call_id: u64) -> bool;
    /// The reply to a call, or why there is none to be had.
    fn reply(&self, call_id: u64, message: Result<Vec<u8>, BadBytes>);
    /// A call that the plugin did not take: there will be no reply, if there was none before.
    fn refused(&self, call_id: u64, status: Status);
    /// A log record.
    fn log(&self, level: abi::Level, call_id: u64, record: &[u8]);
    /// The least important level that is wanted.
    fn log_level(&self) -> abi::Level;
}

/// Bytes that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBytes {
    /// NULL, and not empty.
    #[error("a message at NULL")]
    Null,
    /// Longer than the protocol allows.
    #[error("a message of {0} bytes, more than {max}", max = abi::MESSAGE_BYTES_MAX)]
    TooLong(usize),
}

/// Why a plugin did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartFault {
    /// `init` returned this.
    Status(Status),
    /// `init` was content, and left this function out.
    Missing(&'static str),
}

/// The functions of a plugin that has started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Functions {
    ctx: *mut c_void,
    call: abi::CallFn,
    cancel: Option<abi::CancelFn>,
    shutdown: Option<abi::ShutdownFn>,
}

// SAFETY: the header tags every function [any-thread] or, for `shutdown`, [once] from any thread;
// `ctx` is only ever passed to them.
unsafe impl Send for Functions {}
// SAFETY: as above.
unsafe impl Sync for Functions {}

/// Calls a plugin's entry point. `ear` is leaked: the plugin may speak as long as the process lives.
///
/// # Safety
/// `init` is the entry point of a plugin, as `include/wavegate_plugin.h` describes it, and its code
/// stays mapped.
pub(crate) unsafe fn start(init: InitFn, ear: Arc<dyn Ear>) -> Result<Functions, StartFault> {
    // A thin pointer to a fat one: `ctx` is one word.
    let ctx = Box::into_raw(Box::new(ear)).cast::<c_void>();
    let host = Box::leak(Box::new(abi::Host {
        struct_size: size_u32::<abi::Host>(),
        abi_minor: abi::ABI_MINOR,
        ctx,
        reply: Some(on_reply),
        log: Some(on_log),
        log_level: Some(on_log_level),
    }));
    let mut plugin = abi::Plugin {
        struct_size: size_u32::<abi::Plugin>(),
        abi_minor: 0,
        ctx: std::ptr::null_mut(),
        call: None,
        cancel: None,
        shutdown: None,
    };
    // SAFETY: both structs are whole and as large as they say; the host's one lives for ever.
    match unsafe { init(host, &raw mut plugin) } {
        abi::OK => functions(&plugin).ok_or(StartFault::Missing("call")),
        status => Err(StartFault::Status(status)),
    }
}

/// What was filled in, as far as the plugin says that it filled.
fn functions(plugin: &abi::Plugin) -> Option<Functions> {
    let has = |field: usize| {
        let end = field + size_of::<Option<abi::CancelFn>>();
        abi::reaches(plugin.struct_size, end)
    };
    let call = plugin.call.filter(|_| has(offset_of!(abi::Plugin, call)))?;
    Some(Functions {
        ctx: plugin.ctx,
        call,
        cancel: plugin.cancel.filter(|_| has(offset_of!(abi::Plugin, cancel))),
        shutdown: plugin.shutdown.filter(|_| has(offset_of!(abi::Plugin, shutdown))),
    })
}

fn size_u32<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}

impl Functions {
    /// Begins a call.
    pub(crate) fn call(&self, call_id: u64, message: &[u8]) -> Status {
        // SAFETY: the plugin filled this in for exactly this use; the bytes are lent for the call.
        unsafe { (self.call)(self.ctx, call_id, abi::Bytes::of(message)) }
    }

    /// Says that nobody waits for a call any more.
    pub(crate) fn cancel(&self, call_id: u64) {
        if let Some(cancel) = self.cancel {
            // SAFETY: as for `call`; ids that are not known are no mistake.
            unsafe { cancel(self.ctx, call_id) }
        }
    }

    /// Says that no more calls will come. Once; it may block.
    pub(crate) fn shutdown(&self) {
        if let Some(shutdown) = self.shutdown {
            // SAFETY: as for `call`.
            unsafe { shutdown(self.ctx) }
        }
    }
}

/// # Safety
/// `ctx` is what [`start`] leaked.
unsafe fn ear(ctx: *mut c_void) -> &'static dyn Ear {
    // SAFETY: leaked, and never anything else.
    unsafe { &**ctx.cast::<Arc<dyn Ear>>() }
}

/// # Safety
/// `bytes` is lent until this returns.
unsafe fn copied(bytes: abi::Bytes) -> Result<Vec<u8>, BadBytes> {
    match bytes.len {
        0 => Ok(Vec::new()),
        _ if bytes.ptr.is_null() => Err(BadBytes::Null),
        len if len > abi::MESSAGE_BYTES_MAX => Err(BadBytes::TooLong(len)),
        // SAFETY: lent by the caller.
        len => Ok(unsafe { std::slice::from_raw_parts(bytes.ptr, len) }.to_vec()),
    }
}

/// # Safety
/// Called by the plugin with what it was given.
unsafe extern "C" fn on_reply(ctx: *mut c_void, call_id: u64, message: abi::Bytes) {
    if ctx.is_null() {
        return;
    }
    // SAFETY: `ctx` is ours, and the bytes are lent.
    unsafe { ear(ctx).reply(call_id, copied(message)) }
}

/// # Safety
/// Called by the plugin with what it was given.
unsafe extern "C" fn on_log(ctx: *mut c_void, level: abi::Level, call_id: u64, record: abi::Bytes) {
    if ctx.is_null() {
        return;
    }
    // SAFETY: `ctx` is ours, and the bytes are lent.
    unsafe {
        if let Ok(record) = copied(record) {
            ear(ctx).log(level, call_id, &record);
        }
    }
}

/// # Safety
/// Called by the plugin with what it was given.
unsafe extern "C" fn on_log_level(ctx: *mut c_void) -> abi::Level {
    if ctx.is_null() {
        return 0;
    }
    // SAFETY: `ctx` is ours.
    unsafe { ear(ctx).log_level() }
}
