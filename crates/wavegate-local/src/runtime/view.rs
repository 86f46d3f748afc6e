//! Where a function's process sees its code: at AWS's paths, `/var/task`, `/var/runtime` and, for layers,
//! `/opt`, where the system lets it.
//!
//! Linux gives a process a view of the file system of its own; its owner need not be root for that. Where
//! the system refuses (other systems, most containers) code is seen where it lies. Only these paths, and
//! that `sh` is Bash, are AWS's; all others are the machine's, and `/var` cannot be written to.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::geteuid;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::interpreter::Launch;
use crate::private;

const TASK: &str = "/var/task";
const RUNTIME: &str = "/var/runtime";
const LAYERS: &str = "/opt";
const PROGRAM: &str = "/usr/bin/unshare";
/// Mounts what a table says and becomes the function's process.
const SCRIPT: &str =
    r#"PATH=/usr/bin:/bin mount -a -T "$1" && cd /var/task && unset OLDPWD && shift && exec "$@""#;

/// Makes views.
#[derive(Debug)]
pub(super) struct Views {
    /// Has the two directories that `/var` lacks.
    skeleton: PathBuf,
    is_possible: OnceCell<bool>,
}

/// What an environment sees where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// Its code.
    pub(super) root: PathBuf,
    /// The built-in runtime clients.
    pub(super) clients: PathBuf,
    /// What its layers have; the first goes before the others.
    pub(super) layers: Vec<PathBuf>,
}

impl View {
    /// Everything where it lies. A later layer goes before an earlier one.
    pub(super) fn plain(root: &Path, clients: &Path, layers: &[PathBuf]) -> Self {
        let layers = layers.iter().rev().cloned().collect();
        Self { root: root.to_owned(), clients: clients.to_owned(), layers }
    }

    /// AWS's paths: all layers are one.
    pub(super) fn of_aws(layers: &[PathBuf]) -> Self {
        let layers = layers.first().map(|_| LAYERS.into()).into_iter().collect();
        Self { root: TASK.into(), clients: RUNTIME.into(), layers }
    }
}

/// What is mounted for one environment.
pub(super) struct Mounts<'a> {
    pub(super) root: &'a Path,
    pub(super) clients: &'a Path,
    pub(super) scratch: &'a Path,
    /// In their order: a later one goes before an earlier one.
    pub(super) layers: &'a [PathBuf],
}

impl Views {
    /// Prepares `directory`.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        let skeleton = directory.join("var");
        private::directory(&skeleton.join("task"))?;
        private::directory(&skeleton.join("runtime"))?;
        Ok(Self { skeleton, is_possible: OnceCell::new() })
    }

    /// Whether the system lets processes have views of their own.
    pub(super) async fn are_possible(&self) -> bool {
        *self.is_possible.get_or_init(|| self.try_out()).await
    }

    /// Makes a launch one that sees AWS's paths. `table` is where its table of mounts is written.
    pub(super) fn through(
        &self,
        launch: Launch,
        mounts: &Mounts<'_>,
        table: &Path,
    ) -> io::Result<Launch> {
        private::write(table, self.table(mounts))?;
        let mut arguments: Vec<OsString> = flags();
        arguments.extend([table.into(), launch.program.into()]);
        arguments.extend(launch.arguments);
        Ok(Launch { program: PROGRAM.into(), arguments, variables: launch.variables })
    }

    fn table(&self, mounts: &Mounts<'_>) -> String {
        let mut table =
            format!("overlay /var overlay ro,lowerdir={}:/var 0 0\n", escaped(&self.skeleton));
        // AWS's `sh` is Bash, and scripts written for it count on that.
        if Path::new("/bin/bash").exists() {
            table.push_str("/bin/bash /bin/sh none bind 0 0\n");
        }
        if !mounts.layers.is_empty() {
            let layers = mounts.layers.iter().rev().map(|layer| escaped(layer) + ":");
            let layers: String = layers.collect();
            let _ = writeln!(table, "overlay {LAYERS} overlay ro,lowerdir={layers}{LAYERS} 0 0");
        }
        // What lies below `/var` is not to be read-only for that.
        let scratch = escaped(mounts.scratch);
        for (from, to) in [
            (escaped(mounts.root), TASK),
            (escaped(mounts.clients), RUNTIME),
            (scratch.clone(), scratch.as_str()),
        ] {
            let _ = writeln!(table, "{from} {to} none bind 0 0");
        }
        table
    }

    async fn try_out(&self) -> bool {
        if !cfg!(target_os = "linux") {
            return false;
        }
        // Names that such a mount cannot have.
        let path = self.skeleton.to_string_lossy();
        if path.contains([':', ',', '\\']) {
            return false;
        }
        let here = self.skeleton.as_path();
        let mounts = Mounts { root: here, clients: here, scratch: here, layers: &[] };
        let table = self.skeleton.with_extension("mounts");
        if private::write(&table, self.table(&mounts)).is_err() {
            return false;
        }
        let mut command = Command::new(PROGRAM);
        command.args(flags()).arg(&table).args(["test", "-d", "/var/task/task"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success())
    }
}

/// The command line up to the table.
fn flags() -> Vec<OsString> {
    let mut flags: Vec<OsString> = vec!["--mount".into(), "--propagation=private".into()];
    if !geteuid().is_root() {
        flags.extend(["--user".into(), "--map-root-user".into()]);
    }
    flags.extend(["/bin/sh".into(), "-c".into(), SCRIPT.into(), "bootstrap".into()]);
    flags
}

/// A path as tables of mounts have it.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for character in path.to_string_lossy().chars() {
        match character {
            ' ' => text.push_str("\\040"),
            '\t' => text.push_str("\\011"),
            '\n' => text.push_str("\\012"),
            '\\' => text.push_str("\\134"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_sees_its_code_where_aws_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let views = Views::new(&directory.path().join("with space")).unwrap();
        if !views.are_possible().await {
            return;
        }
        let (root, scratch) = (directory.path().join("code"), directory.path().join("scratch"));
        for path in [&root, &scratch] {
            std::fs::create_dir(path).unwrap();
        }
        std::fs::write(root.join("app"), "code").unwrap();
        let script = r#"pwd; cat app /opt/which; echo note > "$1/note"; touch /var/x 2> /dev/null || echo no
                        env | grep -c OLDPWD; test -e /bin/bash && set -o pipefail"#;
        let launch = Launch {
            program: "/bin/sh".into(),
            arguments: ["-c".into(), script.into(), "sh".into(), scratch.clone().into()].into(),
            variables: Vec::new(),
        };
        let layers = ["lower", "upper"].map(|name| directory.path().join(name));
        for (layer, text) in layers.iter().zip(["1", "2"]) {
            std::fs::create_dir(layer).unwrap();
            std::fs::write(layer.join("which"), text).unwrap();
        }
        let clients = directory.path();
        let mounts = Mounts { root: &root, clients, scratch: &scratch, layers: &layers };
        let launch = views.through(launch, &mounts, &directory.path().join("table")).unwrap();
        let output = Command::new(launch.program).args(launch.arguments).output().await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "/var/task\ncode2no\n0\n");
        assert_eq!(std::fs::read_to_string(scratch.join("note")).unwrap(), "note\n");
        assert!(!Path::new("/var/task/app").exists(), "nobody else sees it");
    }

    #[test]
    fn tables_have_no_spaces_of_names() {
        assert_eq!(escaped(Path::new("/a b\\c")), "/a\\040b\\134c");
    }
}
