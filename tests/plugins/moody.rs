//! `fixtures/moody.c`, built with what a test wants it to do.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use wavegate_tests::binary::repository;

/// The places in `moody.c` at which it does what a test says, and nothing otherwise.
const PLACES: [&str; 13] = [
    "ON_LOAD",
    "ON_INIT",
    "ON_READY",
    "ON_CALL",
    "ON_DESCRIBE",
    "ON_OUTLINE",
    "ON_DECIDE",
    "ON_RUN",
    "ON_READ",
    "ON_CANCEL",
    "ON_SHUTDOWN",
    "ON_UNLOAD",
    "EXTRA",
];

/// What the plugin is built with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moody {
    defines: BTreeMap<String, String>,
}

/// The plugin in a good mood.
pub(crate) fn moody() -> Moody {
    Moody::default()
}

impl Moody {
    /// Does this there: `on("DECIDE", "abort();")`.
    pub(crate) fn on(self, place: &str, code: &str) -> Self {
        self.with(&format!("ON_{place}"), code)
    }

    /// Defines a macro.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.defines.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Compiles it to the library `dir/lib{name}.so`. `dir` is also where it leaves notes.
    pub(crate) fn build(&self, dir: &Path, name: &str) -> PathBuf {
        let library = dir.join(library_file(name));
        let mut command = Command::new("cc");
        command.args(["-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden"]);
        command.arg("-I").arg(repository().join("crates/wavegate-plugin-protocol/include"));
        command.arg(format!("-DDIR=\"{}\"", dir.display()));
        for place in PLACES {
            command.arg(format!("-D{place}="));
        }
        // The last definition counts, and ends with its line.
        let defines = self.defines.iter();
        command.args(defines.map(|(name, value)| format!("-D{name}={}", value.replace('\n', " "))));
        command.arg("-o").arg(&library);
        command.arg(repository().join("tests/plugins/fixtures/moody.c"));
        let done = command.output().expect("the tests need a C compiler");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        set_mode(&library, 0o755);
        library
    }
}

/// How the library of a plugin is called here.
pub(crate) fn library_file(name: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}{name}{DLL_SUFFIX}")
}

/// Sets permissions, whatever the umask.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
}
