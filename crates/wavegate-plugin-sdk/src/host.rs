//! The host as a plugin sees it: the function pointers that it handed over.
#![expect(unsafe_code, reason = "calls through the C ABI")]

use std::mem::offset_of;

use wavegate_plugin_protocol::abi;

/// The host's functions. Copied out of the struct that the host owns, so that a struct which is
/// smaller than this side knows is never read beyond its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostHandle {
    ctx: *mut std::ffi::c_void,
    reply: abi::ReplyFn,
    log: Option<abi::LogFn>,
    log_level: Option<abi::LogLevelFn>,
}

// SAFETY: every function of the host is [any-thread], and `ctx` is only ever passed to them.
unsafe impl Send for HostHandle {}
// SAFETY: as above.
unsafe impl Sync for HostHandle {}

/// The end of a field of [`abi::Host`].
macro_rules! end_of {
    ($field:ident) => {
        offset_of!(abi::Host, $field) + size_of::<Option<fn()>>()
    };
}

impl HostHandle {
    /// Reads what the host offers; `None` if it offers no way to reply.
    ///
    /// # Safety
    /// `host` points to a `wavegate_host` of at least `host.struct_size` bytes whose functions may
    /// be called for the rest of the process.
    pub(crate) unsafe fn read(host: *const abi::Host) -> Option<Self> {
        // SAFETY: the caller vouches for the struct, and `struct_size` is its first field.
        let size = unsafe { (&raw const (*host).struct_size).read() };
        let has = |end: usize| abi::reaches(size, end);
        if !has(abi::HOST_SIZE_MIN) {
            return None;
        }
        // SAFETY: each field is read only if it lies below the host's `struct_size`.
        unsafe {
            Some(Self {
                ctx: (&raw const (*host).ctx).read(),
                reply: (&raw const (*host).reply).read()?,
                log: if has(end_of!(log)) { (&raw const (*host).log).read() } else { None },
                log_level: if has(end_of!(log_level)) {
                    (&raw const (*host).log_level).read()
                } else {
                    None
                },
            })
        }
    }

    /// Gives the reply to a call.
    pub(crate) fn reply(self, call_id: u64, message: &[u8]) {
        // SAFETY: the host promised that its functions may be called from any thread until the
        // process ends; the bytes are borrowed for the call.
        unsafe { (self.reply)(self.ctx, call_id, abi::Bytes::of(message)) }
    }

    /// Hands over a log record, if the host takes any.
    pub(crate) fn log(self, level: abi::Level, call_id: u64, record: &[u8]) {
        if let Some(log) = self.log {
            // SAFETY: as for `reply`.
            unsafe { log(self.ctx, level, call_id, abi::Bytes::of(record)) }
        }
    }

    /// The least important level that the host wants now: 0 if it takes none. A host that does not
    /// say is told warnings.
    pub(crate) fn log_level(self) -> abi::Level {
        const WARN: abi::Level = 2;
        match (self.log, self.log_level) {
            (None, _) => 0,
            (Some(_), None) => WARN,
            // SAFETY: as for `reply`.
            (Some(_), Some(log_level)) => unsafe { log_level(self.ctx) },
        }
    }
}
