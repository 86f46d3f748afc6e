//! What can go wrong with a plugin, from the first look at its file to the last answer.
//!
//! Codes are stable: a code keeps its meaning and is never given to another one. Errors are plain
//! values (`Clone`, `PartialEq`), because one failure of a plugin may fail many calls. Fields hold
//! what was found as it was found; text from outside is made safe here, once, when it is shown.
//!
//! Deliberately absent: WG321 (a rejected config) and WG335 (a decision outside the outline), which
//! are judged by the caller, who knows the manifest and the outline.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use wavegate_plugin_protocol::{ComponentKind, PluginErrorBody};

use crate::pin::Pin;
use crate::text::{clean, quoted, shown};

/// Lines of a process's stderr in a message: a panic with its backtrace, or the end of a story.
const STDERR_LINES_MAX: usize = 20;

/// Why a plugin cannot be used, or why it did not answer. `plugin` is its name in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// WG301: none of the places that the path may stand for has a file.
    #[error("could not read plugin `{}`: no file at {}", clean(.plugin), places(.tried))]
    Missing {
        /// Its name in the manifest.
        plugin: String,
        /// The places, in the order they were tried.
        tried: Vec<PathBuf>,
    },
    /// WG301: the operating system refused.
    #[error("could not read plugin `{}`: could not {operation} `{}`", clean(.plugin), shown(.path))]
    Unreadable {
        /// Its name in the manifest.
        plugin: String,
        /// With what it was tried.
        path: PathBuf,
        /// What was tried, as a verb.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: IoFault,
    },
    /// WG301: more bytes than a plugin may have.
    #[error("could not read plugin `{}`: `{}` has more than {} MiB", clean(.plugin), shown(.path), .limit >> 20)]
    TooLarge {
        /// Its name in the manifest.
        plugin: String,
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// WG302: a directory, a device, a socket.
    #[error("plugin `{}`: `{}` is {found}, not a regular file", clean(.plugin), shown(.path))]
    NotAFile {
        /// Its name in the manifest.
        plugin: String,
        /// The path as it was given.
        path: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// WG303: somebody else could put another library in its place.
    #[error("plugin `{}` is not safe from others: {}", clean(.plugin), joined(.findings))]
    Untrusted {
        /// Its name in the manifest.
        plugin: String,
        /// Every path that somebody else can change, from the root down. Never empty.
        findings: Vec<Finding>,
    },
    /// WG304: other bytes than those that were pinned.
    #[error("plugin `{}`: checksum mismatch: expected {expected}, found {found}", clean(.plugin))]
    PinMismatch {
        /// Its name in the manifest.
        plugin: String,
        /// The pin in the manifest.
        expected: Pin,
        /// The SHA-256 of the file.
        found: Pin,
    },
    /// WG305: a pin is needed and there is none for this target.
    #[error("plugin `{}` is not pinned for {target}", clean(.plugin))]
    Unpinned {
        /// Its name in the manifest.
        plugin: String,
        /// The target triple that has no pin.
        target: String,
    },
    /// WG306: an entry point, but of another major of the ABI.
    #[error(
        "plugin `{}` is built for plugin ABI {}; this wavegate speaks v{spoken}",
        clean(.plugin), majors(.found)
    )]
    OtherAbi {
        /// Its name in the manifest.
        plugin: String,
        /// The majors it has entry points for, ascending. Never empty.
        found: Vec<u32>,
        /// The major this wavegate speaks.
        spoken: u32,
    },
    /// WG307: not something the system loader could load.
    #[error("plugin `{}` is not a shared library: {}", clean(.plugin), clean(.reason))]
    NotALibrary {
        /// Its name in the manifest.
        plugin: String,
        /// What it is, or where it breaks.
        reason: String,
    },
    /// WG308: a library for another machine or system.
    #[error("plugin `{}` is built for {}, this host is {host}", clean(.plugin), clean(.found))]
    OtherPlatform {
        /// Its name in the manifest.
        plugin: String,
        /// The platform it is built for, like `aarch64 Linux`.
        found: String,
        /// The platform of this wavegate, likewise.
        host: String,
    },
    /// WG309: a library without an entry point of wavegate's.
    #[error("plugin `{}` is not a wavegate plugin: `{}` has no entry point", clean(.plugin), shown(.path))]
    NoEntry {
        /// Its name in the manifest.
        plugin: String,
        /// The library.
        path: PathBuf,
    },
    /// WG310: more than one entry point.
    #[error(
        "plugin `{}` exports {} entry points, expected one: {}",
        clean(.plugin), entries.len(), listed(.entries)
    )]
    ManyEntries {
        /// Its name in the manifest.
        plugin: String,
        /// The entry points, ascending.
        entries: Vec<String>,
    },
    /// WG311: the system loader refused it.
    #[error("the system loader refused plugin `{}`: {}", clean(.plugin), clean(.detail))]
    LoaderRefused {
        /// Its name in the manifest.
        plugin: String,
        /// The loader's words (`dlerror`).
        detail: String,
    },
    /// WG312: its `init` answered with an error.
    #[error(
        "plugin `{}` refused to start (status {status}){}",
        clean(.plugin), after(.last_words.as_deref())
    )]
    RefusedToStart {
        /// Its name in the manifest.
        plugin: String,
        /// What `init` returned.
        status: i32,
        /// The last record it logged as an error.
        last_words: Option<String>,
    },
    /// WG313: a required function of the ABI is missing.
    #[error("plugin `{}` left required function `{}` NULL", clean(.plugin), clean(.function))]
    MissingFunction {
        /// Its name in the manifest.
        plugin: String,
        /// The field of `wavegate_plugin`.
        function: String,
    },
    /// WG314: `init` did not return.
    #[error("plugin `{}` did not finish starting within {}", clean(.plugin), span(*.limit))]
    StartTimeout {
        /// Its name in the manifest.
        plugin: String,
        /// How long it was given.
        limit: Duration,
    },
    /// WG315: no protocol that both speak.
    #[error(
        "plugin `{}` speaks protocol {}; this wavegate speaks {}",
        clean(.plugin), range(*.theirs), range(*.ours)
    )]
    OtherProtocol {
        /// Its name in the manifest.
        plugin: String,
        /// The lowest and the highest protocol it speaks.
        theirs: (u32, u32),
        /// The lowest and the highest protocol this wavegate speaks.
        ours: (u32, u32),
    },
    /// WG316: it cannot do without features that this wavegate does not have.
    #[error("plugin `{}` needs features this wavegate lacks: {}", clean(.plugin), listed(.features))]
    MissingFeatures {
        /// Its name in the manifest.
        plugin: String,
        /// The features. Never empty.
        features: Vec<String>,
    },
    /// WG317: a panic in it would end the whole process.
    #[error("plugin `{}` is built with panic=abort and cannot run in-process", clean(.plugin))]
    PanicAborts {
        /// Its name in the manifest.
        plugin: String,
    },
    /// WG318: this wavegate cannot load libraries at all.
    #[error(
        "plugin `{}` cannot be loaded: this build of wavegate is static and cannot load libraries",
        clean(.plugin)
    )]
    StaticBuild {
        /// Its name in the manifest.
        plugin: String,
    },
    /// WG319: two components with one id.
    #[error("plugin `{}` {}", clean(.plugin), twice(.component, .other.as_deref()))]
    DuplicateComponent {
        /// Its name in the manifest.
        plugin: String,
        /// The id.
        component: String,
        /// The other plugin that has it; `None` if it is this very plugin.
        other: Option<String>,
    },
    /// WG320: no component of that kind and id.
    #[error(
        "plugin `{}` has no {} named `{}`{}",
        clean(.plugin), kind.as_str(), clean(.component), instead(.has)
    )]
    NoComponent {
        /// Its name in the manifest.
        plugin: String,
        /// The kind that is wanted.
        kind: ComponentKind,
        /// The id that is wanted.
        component: String,
        /// The ids it has of this kind.
        has: Vec<String>,
        /// The one of them that was probably meant.
        closest: Option<String>,
    },
    /// WG330: no answer in time.
    #[error("plugin `{}` did not answer `{}` within {}", clean(.plugin), clean(.method), span(*.limit))]
    NoAnswer {
        /// Its name in the manifest.
        plugin: String,
        /// The method that was called.
        method: String,
        /// How long it was given.
        limit: Duration,
    },
    /// WG331: it said something the protocol has no place for.
    #[error("plugin `{}` broke the protocol: {}", clean(.plugin), clean(.what))]
    BrokeProtocol {
        /// Its name in the manifest.
        plugin: String,
        /// What it did.
        what: String,
    },
    /// WG332: its process is gone.
    #[error(
        "the process of plugin `{}` ended: {}{}{}",
        clean(.plugin), clean(.status), finality(*.given_up), last_lines(.stderr)
    )]
    Ended {
        /// Its name in the manifest.
        plugin: String,
        /// How it ended: an exit status or a signal.
        status: String,
        /// Its last lines on stderr, oldest first; at most 20 are shown.
        stderr: Vec<String>,
        /// Whether it ended too often to be started again.
        given_up: bool,
    },
    /// WG333: it panicked, and caught it.
    #[error("plugin `{}` panicked: {}", clean(.plugin), clean(.message))]
    Panicked {
        /// Its name in the manifest.
        plugin: String,
        /// The panic's message.
        message: String,
    },
    /// WG334: calls into it hang, and it cannot be killed.
    #[error("plugin `{}` is wedged: {} never returned", clean(.plugin), calls_in_words(*.calls))]
    Wedged {
        /// Its name in the manifest.
        plugin: String,
        /// The calls that hang.
        calls: usize,
    },
    /// WG336: a component answered that it cannot.
    #[error("plugin `{}`: {}{}", clean(.plugin), clean(&.body.message), details(.body))]
    Answer {
        /// Its name in the manifest.
        plugin: String,
        /// The answer, with its own dotted code.
        body: Box<PluginErrorBody>,
    },
    /// WG338: wavegate itself could not do its part. The plugin is not to blame.
    #[error("plugin `{}` cannot be asked: {}", clean(.plugin), clean(.what))]
    Host {
        /// Its name in the manifest.
        plugin: String,
        /// What stands in the way.
        what: String,
    },
    /// WG339: its library is in this process already, and `init` is called once.
    #[error(
        "plugins `{}` and `{}` are one library, which is loaded into this process once",
        clean(.other), clean(.plugin)
    )]
    LoadedTwice {
        /// Its name in the manifest.
        plugin: String,
        /// The plugin for which it was loaded.
        other: String,
    },
    /// WG337: the private copy cannot be kept.
    #[error("no private copy of plugin `{}`: could not {operation} `{}`", clean(.plugin), shown(.path))]
    Store {
        /// Its name in the manifest.
        plugin: String,
        /// Where the copy was to be.
        path: PathBuf,
        /// What was tried, as a verb.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: IoFault,
    },
}

impl HostError {
    /// The stable code, for `wavegate explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::Unreadable { .. } | Self::TooLarge { .. } => "WG301",
            Self::NotAFile { .. } => "WG302",
            Self::Untrusted { .. } => "WG303",
            Self::PinMismatch { .. } => "WG304",
            Self::Unpinned { .. } => "WG305",
            Self::OtherAbi { .. } => "WG306",
            Self::NotALibrary { .. } => "WG307",
            Self::OtherPlatform { .. } => "WG308",
            Self::NoEntry { .. } => "WG309",
            Self::ManyEntries { .. } => "WG310",
            Self::LoaderRefused { .. } => "WG311",
            Self::RefusedToStart { .. } => "WG312",
            Self::MissingFunction { .. } => "WG313",
            Self::StartTimeout { .. } => "WG314",
            Self::OtherProtocol { .. } => "WG315",
            Self::MissingFeatures { .. } => "WG316",
            Self::PanicAborts { .. } => "WG317",
            Self::StaticBuild { .. } => "WG318",
            Self::DuplicateComponent { .. } => "WG319",
            Self::NoComponent { .. } => "WG320",
            Self::NoAnswer { .. } => "WG330",
            Self::BrokeProtocol { .. } => "WG331",
            Self::Ended { .. } => "WG332",
            Self::Panicked { .. } => "WG333",
            Self::Wedged { .. } => "WG334",
            Self::Answer { .. } => "WG336",
            Self::Store { .. } => "WG337",
            Self::Host { .. } => "WG338",
            Self::LoadedTwice { .. } => "WG339",
        }
    }

    /// The plugin's name in the manifest.
    pub fn plugin(&self) -> &str {
        match self {
            Self::Missing { plugin, .. }
            | Self::Unreadable { plugin, .. }
            | Self::TooLarge { plugin, .. }
            | Self::NotAFile { plugin, .. }
            | Self::Untrusted { plugin, .. }
            | Self::PinMismatch { plugin, .. }
            | Self::Unpinned { plugin, .. }
            | Self::OtherAbi { plugin, .. }
            | Self::NotALibrary { plugin, .. }
            | Self::OtherPlatform { plugin, .. }
            | Self::NoEntry { plugin, .. }
            | Self::ManyEntries { plugin, .. }
            | Self::LoaderRefused { plugin, .. }
            | Self::RefusedToStart { plugin, .. }
            | Self::MissingFunction { plugin, .. }
            | Self::StartTimeout { plugin, .. }
            | Self::OtherProtocol { plugin, .. }
            | Self::MissingFeatures { plugin, .. }
            | Self::PanicAborts { plugin }
            | Self::StaticBuild { plugin }
            | Self::DuplicateComponent { plugin, .. }
            | Self::NoComponent { plugin, .. }
            | Self::NoAnswer { plugin, .. }
            | Self::BrokeProtocol { plugin, .. }
            | Self::Ended { plugin, .. }
            | Self::Panicked { plugin, .. }
            | Self::Wedged { plugin, .. }
            | Self::Answer { plugin, .. }
            | Self::Store { plugin, .. }
            | Self::Host { plugin, .. }
            | Self::LoadedTwice { plugin, .. } => plugin,
        }
    }

    /// What the user can do about it, as a fragment without a period.
    pub fn hint(&self) -> Option<String> {
        let name = clean(self.plugin());
        match self {
            Self::Untrusted { findings, .. } => Some(remedies(findings)),
            Self::PinMismatch { .. } => {
                Some(format!("if you rebuilt it, run `wavegate plugin pin {name}`"))
            }
            Self::Unpinned { .. } => Some(format!("run `wavegate plugin pin {name}`")),
            Self::OtherAbi { found, spoken, .. } => Some(abi_hint(found, *spoken)),
            Self::NoComponent { closest: Some(closest), .. } => {
                Some(format!("did you mean `{}`?", clean(closest)))
            }
            _ => self.fixed_hint().map(str::to_owned),
        }
    }

    /// The hints that depend on the kind of error alone.
    fn fixed_hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Missing { .. } => "is it built, and is the path relative to deploy.toml?",
            Self::Unreadable { source, .. } | Self::Store { source, .. } => source.hint(),
            Self::TooLarge { .. } => "build it in release mode and strip it",
            Self::NotAFile { .. } => {
                "`path` names the library itself, or a Cargo project that builds it"
            }
            Self::NotALibrary { .. } => {
                "a Rust plugin is built as one with `crate-type = [\"cdylib\"]`"
            }
            Self::OtherPlatform { .. } => "build the plugin for this host",
            Self::NoEntry { .. } => {
                "a Rust plugin needs `crate-type = [\"cdylib\"]` and `export_plugin!`"
            }
            Self::ManyEntries { .. } => {
                "a plugin crate that depends on another one exports both; \
                 move what they share to a crate without `export_plugin!`"
            }
            Self::LoaderRefused { .. } => {
                "is a symbol or a library missing, or is the C library here older than where it \
                 was built? On macOS, a signature of another team is refused too"
            }
            Self::OtherProtocol { theirs, ours, .. } if theirs.0 > ours.1 => {
                "use a newer wavegate, or build the plugin with an older wavegate-plugin-sdk"
            }
            Self::OtherProtocol { .. } => "build the plugin with a newer wavegate-plugin-sdk",
            Self::MissingFeatures { .. } => "use a newer wavegate",
            Self::PanicAborts { .. } => {
                "set `isolation = \"process\"`, or build the plugin with panic = \"unwind\""
            }
            Self::StaticBuild { .. } => {
                "use a build of wavegate that is linked dynamically, such as one for a gnu target"
            }
            Self::DuplicateComponent { other: Some(_), .. } => {
                "take one of the two plugins out of deploy.toml"
            }
            Self::NoAnswer { .. } => "give the plugin more time with `timeout`",
            Self::Ended { given_up: true, .. } => "correct the plugin, then start wavegate again",
            Self::Wedged { .. } => {
                "start wavegate again, or set `isolation = \"process\"`: a process can be ended, \
                 a call cannot"
            }
            Self::MissingFunction { .. }
            | Self::StartTimeout { .. }
            | Self::DuplicateComponent { .. }
            | Self::BrokeProtocol { .. }
            | Self::Panicked { .. } => "tell the author of the plugin",
            _ => return None,
        })
    }
}

/// A path that somebody else can change, or put something else at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file or the directory, canonical.
    pub path: PathBuf,
    /// Who can.
    pub exposure: Exposure,
}

/// Who can change a path besides its user and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Its group or everybody may write.
    WritableByOthers {
        /// The permission bits.
        mode: u32,
    },
    /// Another user owns it.
    OwnedBy {
        /// The owner.
        uid: u32,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = shown(&self.path);
        match self.exposure {
            Exposure::WritableByOthers { mode } => {
                write!(f, "`{path}` can be written by others (mode {mode:04o})")
            }
            Exposure::OwnedBy { uid } => write!(f, "`{path}` is owned by uid {uid}"),
        }
    }
}

impl Finding {
    /// What the user can do about it, as a fragment without a period.
    pub fn hint(&self) -> String {
        let path = shown(&self.path);
        match self.exposure {
            Exposure::WritableByOthers { .. } => format!("run `chmod go-w {path}`"),
            Exposure::OwnedBy { .. } => {
                format!("own `{path}` yourself, or copy the plugin to where only you can write")
            }
        }
    }
}

/// What the operating system said, in a form that can be kept and compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct IoFault {
    /// The kind of error.
    pub kind: io::ErrorKind,
    /// The system's words.
    pub text: String,
}

impl IoFault {
    fn hint(&self) -> &'static str {
        match self.kind {
            io::ErrorKind::PermissionDenied => "give yourself access to it",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space where wavegate keeps its caches"
            }
            io::ErrorKind::ReadOnlyFilesystem => "run wavegate where it may write its caches",
            _ => "check the path and the file system, then try again",
        }
    }
}

impl From<io::Error> for IoFault {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind(), text: error.to_string() }
    }
}

fn places(tried: &[PathBuf]) -> String {
    quoted(tried.iter().map(|path| shown(path)))
}

fn listed(items: &[String]) -> String {
    quoted(items.iter().map(|item| clean(item)))
}

fn joined(findings: &[Finding]) -> String {
    let findings: Vec<String> = findings.iter().map(Finding::to_string).collect();
    findings.join("; ")
}

fn remedies(findings: &[Finding]) -> String {
    let remedies: Vec<String> = findings.iter().map(Finding::hint).collect();
    remedies.join("; ")
}

/// A time limit for people: tenths of seconds are exact enough from one second on.
fn span(limit: Duration) -> String {
    let tenth = Duration::from_millis(100);
    let tenths = (limit + tenth / 2).as_millis() / tenth.as_millis();
    if limit < Duration::from_secs(1) {
        return format!("{}ms", limit.as_millis());
    }
    match (tenths / 10, tenths % 10) {
        (seconds, 0) => format!("{seconds}s"),
        (seconds, rest) => format!("{seconds}.{rest}s"),
    }
}

fn majors(found: &[u32]) -> String {
    let found: Vec<String> = found.iter().map(|major| format!("v{major}")).collect();
    found.join(", ")
}

fn abi_hint(found: &[u32], spoken: u32) -> String {
    if found.iter().all(|major| *major > spoken) {
        format!(
            "use a newer wavegate, or build the plugin with a wavegate-plugin-sdk of ABI v{spoken}"
        )
    } else {
        format!("build the plugin with a wavegate-plugin-sdk of ABI v{spoken}")
    }
}

fn after(last_words: Option<&str>) -> String {
    last_words.map_or_else(String::new, |words| format!(": {}", clean(words)))
}

fn range((low, high): (u32, u32)) -> String {
    if low == high { low.to_string() } else { format!("{low} to {high}") }
}

fn twice(component: &str, other: Option<&str>) -> String {
    let component = clean(component);
    match other {
        None => format!("declares component `{component}` twice"),
        Some(other) => {
            format!("declares component `{component}`, which plugin `{}` has too", clean(other))
        }
    }
}

fn instead(has: &[String]) -> String {
    if has.is_empty() { String::new() } else { format!("; it has: {}", listed(has)) }
}

fn finality(given_up: bool) -> &'static str {
    if given_up { ", too often to start it again" } else { "" }
}

/// The last lines of stderr, each on a line of its own.
fn last_lines(stderr: &[String]) -> String {
    let last = &stderr[stderr.len().saturating_sub(STDERR_LINES_MAX)..];
    let lines: Vec<String> = last.iter().map(|line| format!("\n  {}", clean(line))).collect();
    lines.concat()
}

fn calls_in_words(calls: usize) -> String {
    if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") }
}

/// The component's dotted code and what else it said.
fn details(body: &PluginErrorBody) -> String {
    let code = clean(&body.code);
    match body.detail.as_deref() {
        None => format!(" ({code})"),
        Some(detail) => format!(" ({code}): {}", clean(detail)),
    }
}

#[cfg(test)]
mod tests;
