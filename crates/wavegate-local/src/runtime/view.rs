//! Where a function's process sees its code: at AWS's paths, `/var/task`, `/var/runtime` and, for layers,
//! `/opt`, where the system lets it; and a `/tmp` of its environment's own.
//!
//! Linux gives a process a view of the file system of its own; its owner need not be root for that. Where
//! the system refuses (other systems, most containers) code is seen where it lies, and `TMPDIR` names the
//! environment's scratch directory. Only these paths are AWS's, and that `sh` is Bash, that `/var` cannot
//! be written to, and that the user is AWS's, without a home and without keys; all others are the
//! machine's.
//!
//! `/tmp` is in memory and takes what `EphemeralStorage` says. What interpreters need of the machine's own
//! `/tmp` is still there.

mod entry;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::{User, geteuid};
use tokio::process::Command;
use tokio::sync::OnceCell;

pub(super) use self::entry::Entry;

use crate::private;

const TASK: &str = "/var/task";
const RUNTIME: &str = "/var/runtime";
const LAYERS: &str = "/opt";
const TEMPORARY: &str = "/tmp";
/// AWS's user, by the number that its owner has within a view.
const USER: &str = "sbx_user1051:x:0:0::/home/sbx_user1051:/sbin/nologin\n";

/// Makes views.
#[derive(Debug)]
pub(super) struct Views {
    directory: PathBuf,
    /// Where a developer's profiles and keys would be found.
    secrets: Vec<PathBuf>,
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
    /// Whether these are AWS's paths.
    pub(super) is_aws: bool,
}

impl View {
    /// Everything where it lies. A later layer goes before an earlier one.
    pub(super) fn plain(root: &Path, clients: &Path, layers: &[PathBuf]) -> Self {
        let layers = layers.iter().rev().cloned().collect();
        Self { root: root.to_owned(), clients: clients.to_owned(), layers, is_aws: false }
    }

    /// AWS's paths: all layers are one.
    pub(super) fn of_aws(layers: &[PathBuf]) -> Self {
        let layers = layers.first().map(|_| LAYERS.into()).into_iter().collect();
        Self { root: TASK.into(), clients: RUNTIME.into(), layers, is_aws: true }
    }
}

/// What is mounted for one environment.
pub(super) struct Mounts<'a> {
    pub(super) root: &'a Path,
    pub(super) clients: &'a Path,
    /// Where its `/tmp` is made.
    pub(super) scratch: &'a Path,
    /// How much fits into it.
    pub(super) scratch_mb: u64,
    /// In their order: a later one goes before an earlier one.
    pub(super) layers: &'a [PathBuf],
    /// What of the machine's own `/tmp` it needs, if these lie there.
    pub(super) needs: &'a [PathBuf],
}

impl Views {
    /// Prepares `directory`.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        let secrets = homes().into_iter().map(|home| home.join(".aws"));
        let views = Self {
            directory: directory.to_owned(),
            secrets: secrets.filter(|path| path.is_absolute() && path.is_dir()).collect(),
            is_possible: OnceCell::new(),
        };
        private::directory(&views.skeleton())?;
        private::directory(&views.nothing())?;
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        private::write(&views.users(), format!("{USER}{users}"))?;
        Ok(views)
    }

    /// Whether the system lets processes have views of their own.
    pub(super) async fn are_possible(&self) -> bool {
        *self.is_possible.get_or_init(|| self.try_out()).await
    }

    /// Whether what is in these layers can be seen at AWS's path: a directory cannot be laid over the
    /// one that it lies in.
    pub(super) fn can_lay(layers: &[PathBuf]) -> bool {
        !layers.iter().any(|layer| layer.starts_with(LAYERS))
    }

    /// The way into a new view. `table` is where its table of mounts is written.
    pub(super) fn open(&self, mounts: &Mounts<'_>, table: PathBuf) -> io::Result<Entry> {
        private::write(&table, self.table(mounts))?;
        Ok(Entry::new(table))
    }

    /// Gets the directories that `/var` lacks.
    fn skeleton(&self) -> PathBuf {
        self.directory.join("var")
    }

    /// Stays empty.
    fn nothing(&self) -> PathBuf {
        self.directory.join("nothing")
    }

    /// The users of the machine, AWS's before them.
    fn users(&self) -> PathBuf {
        self.directory.join("passwd")
    }

    /// The mounts in their order: what hides where others come from goes last.
    fn table(&self, mounts: &Mounts<'_>) -> String {
        let mut table = String::new();
        let (root, clients) = (escaped(mounts.root), escaped(mounts.clients));
        let skeleton = escaped(&self.skeleton());
        // In memory, since a directory cannot be laid over the one that it lies in, and this may be `/var`.
        let _ = writeln!(table, "tmpfs {skeleton} tmpfs mode=755 0 0");
        for (from, name) in [(&root, "task"), (&clients, "runtime")] {
            let _ = writeln!(table, "{from} {skeleton}/{name} none bind,X-mount.mkdir 0 0");
        }
        let _ = writeln!(table, "overlay /var overlay ro,lowerdir={skeleton}:/var 0 0");
        for (from, to) in [(&root, TASK), (&clients, RUNTIME)] {
            let _ = writeln!(table, "{from} {to} none bind 0 0");
        }
        // AWS's `sh` is Bash, and scripts written for it count on that.
        if Path::new("/bin/bash").exists() {
            table.push_str("/bin/bash /bin/sh none bind 0 0\n");
        }
        let _ = writeln!(table, "{} /etc/passwd none bind 0 0", escaped(&self.users()));
        for secret in &self.secrets {
            let _ =
                writeln!(table, "{} {} none bind 0 0", escaped(&self.nothing()), escaped(secret));
        }
        if !mounts.layers.is_empty() {
            let layers = mounts.layers.iter().rev().map(|layer| escaped(layer) + ":");
            let layers: String = layers.collect();
            let _ = writeln!(table, "overlay {LAYERS} overlay ro,lowerdir={layers}{LAYERS} 0 0");
        }
        let (scratch, size) = (escaped(mounts.scratch), mounts.scratch_mb);
        let _ = writeln!(table, "tmpfs {scratch} tmpfs size={size}m,mode=1777 0 0");
        for need in hidden(mounts.needs) {
            let inside = need.strip_prefix(TEMPORARY).unwrap_or(need);
            let to = escaped(&mounts.scratch.join(inside));
            let _ = writeln!(table, "{} {to} none bind,X-mount.mkdir 0 0", escaped(need));
        }
        let _ = writeln!(table, "{scratch} {TEMPORARY} none rbind 0 0");
        table
    }

    async fn try_out(&self) -> bool {
        if !cfg!(target_os = "linux") || !entry::has_programs() {
            return false;
        }
        // Names that such a mount cannot have.
        let path = self.directory.to_string_lossy();
        if path.contains([':', ',', '\\']) {
            return false;
        }
        let nothing = self.nothing();
        let mounts = Mounts {
            root: &self.directory,
            clients: &nothing,
            scratch: &nothing,
            scratch_mb: 1,
            layers: &[],
            needs: &[],
        };
        let Ok(entry) = self.open(&mounts, self.directory.join("mounts")) else { return false };
        let (program, arguments) = entry.command();
        let mut command = Command::new(program);
        command.args(arguments).args(["test", "-d", "/var/task/nothing"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success())
    }
}

/// Where the developer is at home.
fn homes() -> Vec<PathBuf> {
    let of_user = User::from_uid(geteuid()).ok().flatten().map(|user| user.dir);
    let mut homes: Vec<PathBuf> =
        std::env::var_os("HOME").map(PathBuf::from).into_iter().chain(of_user).collect();
    homes.dedup();
    homes
}

/// Those that lie in the machine's own `/tmp`, and in none of the others.
fn hidden(needs: &[PathBuf]) -> Vec<&Path> {
    let mut hidden: Vec<&Path> = needs
        .iter()
        .map(PathBuf::as_path)
        .filter(|need| {
            need.starts_with(TEMPORARY) && need.components().count() > 2 && need.is_dir()
        })
        .collect();
    hidden.sort_unstable();
    hidden.dedup_by(|next, before| next.starts_with(before));
    hidden
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
mod tests;
