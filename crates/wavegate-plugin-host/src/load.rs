//! Loads a library that was verified, for the rest of the process.
#![expect(unsafe_code, reason = "running a library's code is what loading means")]

use std::path::Path;

use wavegate_plugin_protocol::abi::InitFn;

/// Maps the library and finds its entry point. Its constructors run here.
///
/// # Errors
/// The system loader's own words.
pub fn entry_point(library: &Path, entry: &str) -> Result<InitFn, String> {
    let library = open(library).map_err(|error| words(&error))?;
    // SAFETY: the object check has seen that this symbol is exported, and by its name it is an
    // entry point of this ABI's major version.
    let init = unsafe { library.get::<InitFn>(entry) }.map_err(|error| words(&error))?;
    let init = *init;
    // Threads, thread-locals and function pointers of it may live as long as the process.
    std::mem::forget(library);
    Ok(init)
}

fn open(library: &Path) -> Result<libloading::os::unix::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

    /// Never unmapped, whatever closes it.
    #[cfg(target_os = "macos")]
    const RTLD_NODELETE: i32 = 0x80;
    #[cfg(not(target_os = "macos"))]
    const RTLD_NODELETE: i32 = 0x1000;

    // Now: a symbol that is missing is found out here, not in the middle of a rollout. Local: its
    // symbols are nobody else's.
    //
    // SAFETY: the file is the private copy of what was verified; that its code may run is what the
    // user said by naming and pinning it.
    unsafe { Library::open(Some(library), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) }
}

/// The system's own words, where there are any: the error itself only says what was tried.
fn words(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
