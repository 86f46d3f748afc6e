//! The C structs of `include/wavegate_plugin.h`, field for field.
//!
//! The header is the contract and says what each field means, who owns what, and from which threads
//! a function may be called; this mirrors it, and both sides assert the same layout. There is no
//! code here that could be unsafe: calling these pointers is the SDK's and the host's business.

use std::ffi::c_void;
use std::mem::{offset_of, size_of};

/// The major version, which is part of the entry point's name.
pub const ABI_MAJOR: u32 = 1;

/// The minor version, for messages to people; what counts is `struct_size`.
pub const ABI_MINOR: u32 = 0;

/// What the names of all entry points begin with, before the major version.
pub const ENTRY_PREFIX: &str = "wavegate_plugin_init_v";

/// The entry point's name in a library that has only one; others append `__` and anything.
pub const ENTRY: &str = "wavegate_plugin_init_v1";

/// The longest message, in either direction, in bytes: 16 MiB. Far more than any config or
/// reading needs, and little enough to hold in memory.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// What a function returns: 0 or the reason why not.
pub type Status = i32;
/// Taken: exactly one reply follows, or has been given.
pub const OK: Status = 0;
/// A NULL pointer or an impossible size: a mistake of the caller.
pub const E_ARGUMENT: Status = 1;
/// These two cannot work together.
pub const E_UNSUPPORTED: Status = 2;
/// Called after shutdown.
pub const E_SHUTDOWN: Status = 3;
/// The callee failed, for instance caught a panic.
pub const E_INTERNAL: Status = 4;

/// How important a log record is: 1 is an error, 5 is a trace, 0 is nothing at all.
pub type Level = i32;

/// Borrowed bytes: good until the function that was given them returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Bytes {
    /// May be NULL when `len` is 0.
    pub ptr: *const u8,
    /// How many there are.
    pub len: usize,
}

impl Bytes {
    /// These bytes, for as long as a call lasts.
    pub const fn of(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }
}

/// [`Host::reply`].
pub type ReplyFn = unsafe extern "C" fn(ctx: *mut c_void, call_id: u64, message: Bytes);
/// [`Host::log`].
pub type LogFn = unsafe extern "C" fn(ctx: *mut c_void, level: Level, call_id: u64, record: Bytes);
/// [`Host::log_level`].
pub type LogLevelFn = unsafe extern "C" fn(ctx: *mut c_void) -> Level;

/// What the host offers: `wavegate_host`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// The size of this struct as the host knows it.
    pub struct_size: u32,
    /// The host's minor version.
    pub abi_minor: u32,
    /// The first argument of the functions.
    pub ctx: *mut c_void,
    /// Gives the one reply to a call.
    pub reply: Option<ReplyFn>,
    /// Hands over a log record.
    pub log: Option<LogFn>,
    /// The least important level that is wanted now.
    pub log_level: Option<LogLevelFn>,
}

/// [`Plugin::call`].
pub type CallFn = unsafe extern "C" fn(ctx: *mut c_void, call_id: u64, message: Bytes) -> Status;
/// [`Plugin::cancel`].
pub type CancelFn = unsafe extern "C" fn(ctx: *mut c_void, call_id: u64);
/// [`Plugin::shutdown`].
pub type ShutdownFn = unsafe extern "C" fn(ctx: *mut c_void);

/// What the plugin offers: `wavegate_plugin`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Plugin {
    /// Before init how much room there is, after it how much was filled.
    pub struct_size: u32,
    /// The plugin's minor version.
    pub abi_minor: u32,
    /// The first argument of the functions.
    pub ctx: *mut c_void,
    /// Begins one call.
    pub call: Option<CallFn>,
    /// Nobody waits for a call any more.
    pub cancel: Option<CancelFn>,
    /// No more calls will come.
    pub shutdown: Option<ShutdownFn>,
}

/// The entry point: `wavegate_plugin_init_fn`.
pub type InitFn = unsafe extern "C" fn(host: *const Host, plugin: *mut Plugin) -> Status;

/// How much of a [`Host`] must be there: up to and with `reply`. Whatever lies behind is optional.
pub const HOST_SIZE_MIN: usize = offset_of!(Host, log);

/// How much of a [`Plugin`] must be there: up to and with `call`. Whatever lies behind is optional.
pub const PLUGIN_SIZE_MIN: usize = offset_of!(Plugin, cancel);

/// Whether a field that ends at `end` lies within a struct of which the other side knows
/// `struct_size` bytes.
pub const fn reaches(struct_size: u32, end: usize) -> bool {
    struct_size as usize >= end
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Bytes>() == 16 && offset_of!(Bytes, len) == 8);
    assert!(size_of::<Host>() == 40 && size_of::<Plugin>() == 40);
    assert!(offset_of!(Host, abi_minor) == 4 && offset_of!(Plugin, abi_minor) == 4);
    assert!(offset_of!(Host, ctx) == 8 && offset_of!(Plugin, ctx) == 8);
    assert!(offset_of!(Host, reply) == 16 && offset_of!(Plugin, call) == 16);
    assert!(offset_of!(Host, log) == 24 && offset_of!(Plugin, cancel) == 24);
    assert!(offset_of!(Host, log_level) == 32 && offset_of!(Plugin, shutdown) == 32);
    assert!(HOST_SIZE_MIN == 24 && PLUGIN_SIZE_MIN == 24);
};

const _: () = assert!(size_of::<Option<CallFn>>() == size_of::<*const c_void>(), "NULL is None");
