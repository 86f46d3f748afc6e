//! What is in this process's memory stays there: it holds credentials and the values of functions'
//! environment variables.
//!
//! Deliberately absent: a limit on the size of core files, which hook commands and functions would
//! inherit. What is set here ends with this program's own code.

/// A variable with which developers of wavegate and of plugins that are loaded into it get dumps, and a
/// debugger that is attached later.
const ALLOW: &str = "WAVEGATE_ALLOW_DUMPS";

/// Keeps the system from writing this process's memory to disk when it crashes, and other processes of
/// the same user from reading it.
pub(crate) fn keep_from_dumps() {
    #[cfg(target_os = "linux")]
    if std::env::var_os(ALLOW).is_none_or(|value| value.is_empty()) {
        // Where the kernel refuses, there is nothing else that could be done.
        let _ = nix::sys::prctl::set_dumpable(false);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = ALLOW;
}
