//! Libraries for tests, made by the C compiler.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A source with one entry point.
pub(crate) const PLUGIN: &str = "int wavegate_plugin_init_v1(void) { return 0; }";

/// A directory that only its owner may write to, whatever the umask.
pub(crate) fn private_dir() -> TempDir {
    let dir = TempDir::new().unwrap();
    set_mode(dir.path(), 0o700);
    dir
}

/// Compiles C to `dir/file` with a mode that does not depend on the umask.
pub(crate) fn compile(dir: &Path, file: &str, source: &str, flags: &[&str]) -> PathBuf {
    let input = dir.join(format!("{file}.c"));
    fs::write(&input, source).unwrap();
    let output = dir.join(file);
    let done =
        Command::new("cc").args(["-o".as_ref(), output.as_path(), &input]).args(flags).output();
    let done = done.expect("the tests need a C compiler");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    fs::remove_file(input).unwrap();
    set_mode(&output, 0o755);
    output
}

/// Compiles C to a shared library.
pub(crate) fn library(dir: &Path, file: &str, source: &str) -> PathBuf {
    compile(dir, file, source, &["-shared", "-fPIC"])
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
