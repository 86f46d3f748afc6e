//! The laws of the C ABI, and those of calls that only show there: how often, how soon and under
//! which id something is replied to.
//!
//! Each law starts the plugin anew. A plugin from a library is started once per process, so there
//! each has a process of its own; a plugin of the SDK that is linked in can be started many times.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wavegate_plugin_host::entry_point;
use wavegate_plugin_protocol::abi::{self, InitFn, Status};
use wavegate_plugin_protocol::{
    Answer, ComponentKind, DescribeParams, HostIdentity, Method, PROTOCOL, ProtocolRange, Reply,
    Request,
};

use crate::answers::{alarm_params, bad_error, hook_params};
use crate::door::{Door, Manners};
use crate::raw::{self, Raw, Shape, Started};
use crate::report::{Unheld, Verdict};

/// How long a call that does no I/O may take, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// How long a call that was cancelled, or whose deadline has passed, may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// How long a second reply is waited for that must not come.
const AGAIN_WITHIN: Duration = Duration::from_millis(100);

/// Many calls at once: how many, and from how many threads.
const CALLS: u64 = 10_000;
const THREADS: u64 = 64;

/// How many calls of one component are under way at once.
const CONCURRENT: u64 = 1_000;

/// Where a law is tried.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) source: Source,
    /// Where standard output goes, if this process is the plugin's own.
    pub(crate) stdout: Option<File>,
    pub(crate) endpoint: Option<Endpoint>,
}

/// Where the entry point is.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Linked(InitFn),
    Library { file: PathBuf, entry: String },
}

/// A component that is called, and with which config.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) kind: ComponentKind,
    pub(crate) component: String,
    pub(crate) config: Value,
}

/// A law, by its sentence.
pub(crate) type Law = (&'static str, fn(&Ground) -> Verdict);

/// The laws of every plugin.
pub(crate) const PLUGIN_LAWS: &[Law] = &[
    ("the larger structs of a newer host are taken", newer_host),
    ("the smaller structs of an older host are kept to", older_host),
    ("structs that are too small for any version are refused", too_small),
    ("NULL is refused", nulls),
    ("a method that it does not know is an error", unknown_method),
    ("a message that is no call is an error", no_call),
    ("a reply carries the id of its call, whatever the message says", other_id),
    ("a protocol that it does not speak is an error", other_protocol),
    ("a message of 16 MiB is answered", large_message),
    ("a call after the shutdown is refused", after_shutdown),
    ("to cancel what is not under way does nothing", stray_cancel),
    ("10000 calls from 64 threads are replied to once each", many_threads),
    ("nothing is written to standard output", quiet),
    ("the environment, the directory and the signal handlers stay as they are", world),
];

/// The laws of every hook and alarm provider.
pub(crate) const CALL_LAWS: &[Law] = &[
    ("a call is replied to once, and soon", once),
    ("a call ends at its deadline", deadline),
    ("a call ends soon after it is cancelled", cancelled),
];

/// The law of those that may be called as often as one likes.
pub(crate) const CONCURRENT_LAWS: &[Law] =
    &[("1000 calls at once are replied to once each", concurrent)];

/// The law of this name.
pub(crate) fn law(name: &str) -> Option<Law> {
    [PLUGIN_LAWS, CALL_LAWS, CONCURRENT_LAWS]
        .into_iter()
        .flatten()
        .find(|law| law.0 == name)
        .copied()
}

impl Ground {
    fn init(&self) -> Result<InitFn, Unheld> {
        match &self.source {
            Source::Linked(init) => Ok(*init),
            Source::Library { file, entry } => entry_point(file, entry).map_err(Unheld::broken),
        }
    }

    /// The plugin, started by a host like any other.
    fn plugin(&self) -> Result<Raw, Unheld> {
        let Started { status, plugin, .. } = Raw::start(self.init()?, Shape::Ours);
        plugin.ok_or_else(|| Unheld::broken(format!("it did not start (status {status})")))
    }

    fn endpoint(&self) -> Result<&Endpoint, Unheld> {
        self.endpoint.as_ref().ok_or_else(|| Unheld::skipped("no component is called"))
    }
}

fn newer_host(ground: &Ground) -> Verdict {
    let started = Raw::start(ground.init()?, Shape::Newer);
    well_started(&started)
}

fn older_host(ground: &Ground) -> Verdict {
    let started = Raw::start(ground.init()?, Shape::Oldest);
    well_started(&started)?;
    match started.plugin.and_then(|plugin| plugin.inbox().trespass()) {
        Some(function) => Err(Unheld::broken(format!(
            "it called `{function}`, which lies beyond the host's struct_size"
        ))),
        None => Ok(1),
    }
}

/// It kept to the room it was given, and answers.
fn well_started(started: &Started) -> Verdict {
    let Started { status, filled, room, trespass, plugin } = started;
    if let Some(field) = trespass {
        let words = format!("it wrote `{field}`, which lies beyond the {room} bytes of its struct");
        return Err(Unheld::broken(words));
    }
    let Some(plugin) = plugin else {
        return Err(Unheld::broken(format!("it did not start (status {status})")));
    };
    if filled > room {
        return Err(Unheld::broken(format!("it says that it filled {filled} of {room} bytes")));
    }
    answered(plugin, 1, &describe(1)).map(|_| 1)
}

fn too_small(ground: &Ground) -> Verdict {
    let Started { status, trespass, .. } = Raw::start(ground.init()?, Shape::TooSmall);
    if let Some(field) = trespass {
        return Err(Unheld::broken(format!("it wrote `{field}` where there is no room")));
    }
    refused(status, "structs of 8 bytes")
}

fn nulls(ground: &Ground) -> Verdict {
    for (status, what) in
        Raw::start_at_null(ground.init()?).into_iter().zip(["a host at NULL", "a plugin at NULL"])
    {
        refused(status, what)?;
    }
    let plugin = ground.plugin()?;
    orderly(&plugin, 1, plugin.call_at_null(1, 5), "5 bytes at NULL")?;
    // Allowed, and as good a message as any other that is empty.
    if plugin.call_at_null(2, 0) == abi::OK {
        reply(&plugin, 2, SOON)?;
    }
    Ok(4)
}

fn refused(status: Status, what: &str) -> Verdict {
    if status == abi::OK { Err(Unheld::broken(format!("it took {what}"))) } else { Ok(1) }
}

fn unknown_method(ground: &Ground) -> Verdict {
    let plugin = ground.plugin()?;
    let message = request(1, "wavegate.no_such_method", PROTOCOL, json!({}));
    orderly(&plugin, 1, plugin.call(1, &message), "a method that does not exist")
}

fn no_call(ground: &Ground) -> Verdict {
    let plugin = ground.plugin()?;
    let deep = "[".repeat(100_000);
    let messages: [&[u8]; 8] = [
        b"",
        b"nonsense",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"{\"id\":1,\"method\":\"plugin.describe\xff\",\"protocol\":1,\"params\":{}}",
        deep.as_bytes(),
    ];
    let mut id = 0;
    for message in messages {
        id += 1;
        let shown = String::from_utf8_lossy(&message[..message.len().min(60)]).into_owned();
        orderly(&plugin, id, plugin.call(id, message), &format!("`{shown}`"))?;
    }
    Ok(id)
}

fn other_id(ground: &Ground) -> Verdict {
    let plugin = ground.plugin()?;
    let status = plugin.call(1, &describe(8));
    if status != abi::OK {
        return Ok(1);
    }
    plugin.inbox().has(1, SOON);
    once_each(&plugin, 1)
}

fn other_protocol(ground: &Ground) -> Verdict {
    let plugin = ground.plugin()?;
    let params = json!({"kind": "strategy", "component": "any", "config": {}});
    let message = request(1, Method::Validate.as_str(), u32::MAX, params);
    orderly(&plugin, 1, plugin.call(1, &message), "protocol 4294967295")
}

fn large_message(ground: &Ground) -> Verdict {
    let plugin = ground.plugin()?;
    let mut params = describe_params();
    params["padding"] = json!("");
    let mut message = request(1, Method::Describe.as_str(), PROTOCOL, params.clone());
    params["padding"] = json!("x".repeat(abi::MESSAGE_BYTES_MAX - message.len()));
    message = request(1, Method::Describe.as_str(), PROTOCOL, params);
    answered(&plugin, 1, &message).map(|_| 1)
}

fn after_shutdown(ground: &Ground) -> Verdict {
    let plugin = ground.plugin()?;
    answered(&plugin, 1, &describe(1))?;
    if !plugin.shutdown() {
        return Err(Unheld::skipped("it has no `shutdown`"));
    }
    match plugin.call(2, &describe(2)) {
        abi::E_SHUTDOWN => {}
        status => {
            let words = format!("status {status} instead of {}", abi::E_SHUTDOWN);
            return Err(Unheld::broken(words));
        }
    }
    if plugin.inbox().wait(2, AGAIN_WITHIN).is_some() {
        return Err(Unheld::broken("it refused a call and replied to it all the same"));
    }
    Ok(1)
}

fn stray_cancel(ground: &Ground) -> Verdict {
    let plugin = ground.plugin()?;
    if !plugin.can_cancel() {
        return Err(Unheld::skipped("it has no `cancel`"));
    }
    plugin.cancel(u64::MAX);
    plugin.cancel(1);
    once_each(&plugin, 0)?;
    answered(&plugin, 1, &describe(1))?;
    plugin.cancel(1);
    answered(&plugin, 2, &describe(2))?;
    once_each(&plugin, 2)
}

fn many_threads(ground: &Ground) -> Verdict {
    let plugin = ground.plugin()?;
    let taken = std::thread::scope(|scope| {
        let work = |thread: u64| {
            let plugin = &plugin;
            move || {
                let mut ids = (thread + 1..=CALLS).step_by(usize_of(THREADS));
                ids.all(|id| plugin.call(id, &describe(id)) == abi::OK)
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(work(thread))).collect();
        threads.into_iter().all(|thread| thread.join().unwrap_or(false))
    });
    if !taken {
        return Err(Unheld::broken("it did not take a call"));
    }
    plugin.inbox().has(usize_of(CALLS), SOON * 3);
    once_each(&plugin, CALLS)
}

fn quiet(ground: &Ground) -> Verdict {
    let Some(stdout) = &ground.stdout else {
        return Err(Unheld::skipped("a linked plugin shares it with this program"));
    };
    let plugin = ground.plugin()?;
    answered(&plugin, 1, &describe(1))?;
    orderly(&plugin, 2, plugin.call(2, &request(2, "wavegate.quiet", PROTOCOL, json!({}))), "it")?;
    plugin.shutdown();
    raw::flush_stdout();
    let written = stdout.metadata().map_err(|error| Unheld::broken(error.to_string()))?.len();
    if written > 0 { Err(Unheld::broken(format!("{written} bytes were written"))) } else { Ok(1) }
}

fn world(ground: &Ground) -> Verdict {
    if matches!(ground.source, Source::Linked(_)) {
        return Err(Unheld::skipped("a linked plugin shares them with this program"));
    }
    let before = World::look();
    let plugin = ground.plugin()?;
    let started = World::look();
    answered(&plugin, 1, &describe(1))?;
    before.unchanged(&started, "while it was loaded and started")?;
    started.unchanged(&World::look(), "while it described itself")?;
    Ok(2)
}

/// What a process shares with everything in it.
#[derive(Debug, PartialEq, Eq)]
struct World {
    environment: BTreeMap<OsString, OsString>,
    directory: Option<PathBuf>,
    handlers: Vec<(Signal, usize, i32)>,
}

impl World {
    fn look() -> Self {
        Self {
            environment: std::env::vars_os().collect(),
            directory: std::env::current_dir().ok(),
            handlers: raw::signal_handlers(),
        }
    }

    /// Never tells a variable's value.
    fn unchanged(&self, after: &Self, when: &str) -> Result<(), Unheld> {
        let names = self.environment.keys().chain(after.environment.keys());
        let is_changed =
            |name: &&OsString| self.environment.get(*name) != after.environment.get(*name);
        let signals = self.handlers.iter().zip(&after.handlers);
        let changed = if let Some(name) = names.into_iter().find(is_changed) {
            format!("the variable `{}`", name.display())
        } else if self.directory != after.directory {
            "the working directory".to_owned()
        } else if let Some((before, _)) = signals.into_iter().find(|(one, other)| one != other) {
            format!("what happens at {}", before.0)
        } else {
            return Ok(());
        };
        Err(Unheld::broken(format!("{changed} was changed {when}")))
    }
}

fn once(ground: &Ground) -> Verdict {
    let (plugin, door) = (ground.plugin()?, door(Manners::Slams)?);
    let message = ground.endpoint()?.message(1, &door, SOON);
    taken(plugin.call(1, &message))?;
    if let Answer::Error(error) = reply(&plugin, 1, SOON + GRACE)?
        && let Some(fault) = bad_error(&error.code, &error.message)
    {
        return Err(Unheld::broken(fault));
    }
    once_each(&plugin, 1)
}

fn deadline(ground: &Ground) -> Verdict {
    let (plugin, door) = (ground.plugin()?, door(Manners::Silent)?);
    let message = ground.endpoint()?.message(1, &door, Duration::from_millis(1));
    taken(plugin.call(1, &message))?;
    reply(&plugin, 1, GRACE)?;
    Ok(1)
}

fn cancelled(ground: &Ground) -> Verdict {
    let (plugin, door) = (ground.plugin()?, door(Manners::Silent)?);
    if !plugin.can_cancel() {
        return Err(Unheld::skipped("it has no `cancel`"));
    }
    let message = ground.endpoint()?.message(1, &door, Duration::from_mins(10));
    taken(plugin.call(1, &message))?;
    plugin.cancel(1);
    reply(&plugin, 1, GRACE)?;
    once_each(&plugin, 1)
}

fn concurrent(ground: &Ground) -> Verdict {
    let (plugin, door) = (ground.plugin()?, door(Manners::Slams)?);
    let endpoint = ground.endpoint()?;
    for id in 1..=CONCURRENT {
        taken(plugin.call(id, &endpoint.message(id, &door, SOON)))?;
    }
    plugin.inbox().has(usize_of(CONCURRENT), SOON + GRACE);
    once_each(&plugin, CONCURRENT)
}

fn door(manners: Manners) -> Result<Door, Unheld> {
    Door::open(manners).map_err(|error| Unheld::skipped(error.to_string()))
}

impl Endpoint {
    /// A call of it. What an alarm provider reads is behind the door; a hook was meant as it is.
    fn message(&self, id: u64, door: &Door, deadline: Duration) -> Vec<u8> {
        let Self { kind, component, config } = self;
        let (method, params) = match kind {
            ComponentKind::Hook => {
                (Method::RunHook, json!(hook_params(component, config, deadline)))
            }
            ComponentKind::Alarm | ComponentKind::Strategy => {
                let config = door.behind(config);
                let params = alarm_params(component, &config, &door.cloud(), 1, deadline);
                (Method::ReadAlarms, json!(params))
            }
        };
        request(id, method.as_str(), PROTOCOL, params)
    }
}

fn describe(id: u64) -> Vec<u8> {
    request(id, Method::Describe.as_str(), PROTOCOL, describe_params())
}

fn describe_params() -> Value {
    json!(DescribeParams {
        host: HostIdentity {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        protocol: ProtocolRange::SUPPORTED,
        features: std::collections::BTreeSet::new(),
    })
}

fn request(id: u64, method: &str, protocol: u32, params: Value) -> Vec<u8> {
    let request = Request { id, method: method.to_owned(), protocol, params };
    serde_json::to_vec(&request).expect("JSON values can be written as JSON")
}

fn taken(status: Status) -> Result<(), Unheld> {
    match status {
        abi::OK => Ok(()),
        status => Err(Unheld::broken(format!("it did not take a call (status {status})"))),
    }
}

/// A call that must be taken and answered without an error.
fn answered(plugin: &Raw, id: u64, message: &[u8]) -> Result<Value, Unheld> {
    taken(plugin.call(id, message))?;
    match reply(plugin, id, SOON)? {
        Answer::Ok(answer) => Ok(answer),
        Answer::Error(error) => {
            Err(Unheld::broken(format!("it answered with an error ({})", error.code)))
        }
    }
}

/// A call that makes no sense: not taken, or answered with an error.
fn orderly(plugin: &Raw, id: u64, status: Status, what: &str) -> Verdict {
    if status != abi::OK {
        return Ok(1);
    }
    match reply(plugin, id, SOON)? {
        Answer::Error(_) => Ok(1),
        Answer::Ok(answer) => Err(Unheld::broken(format!("it answered {what} with {answer}"))),
    }
}

/// The reply to a call that was taken.
fn reply(plugin: &Raw, id: u64, within: Duration) -> Result<Answer<Value>, Unheld> {
    let message = plugin.inbox().wait(id, within);
    let message = message.ok_or_else(|| Unheld::broken(format!("no reply within {within:?}")))?;
    read(id, &message)
}

fn read(id: u64, message: &[u8]) -> Result<Answer<Value>, Unheld> {
    let reply: Reply<Value> = serde_json::from_slice(message)
        .map_err(|error| Unheld::broken(format!("its reply is none: {error}")))?;
    if reply.id != id {
        let words = format!("it replied to call {id} with the id {}", reply.id);
        return Err(Unheld::broken(words));
    }
    Ok(reply.answer)
}

/// The calls 1 to `count` were replied to, once each, with their own ids, and no other call was.
fn once_each(plugin: &Raw, count: u64) -> Verdict {
    // What must not come is waited for, too.
    plugin.inbox().has(usize_of(count) + 1, AGAIN_WITHIN);
    let replies = plugin.inbox().all();
    let ids = 1..=count;
    if let Some(id) = replies.keys().find(|id| !ids.contains(id)) {
        return Err(Unheld::broken(format!("it replied to call {id}, which was never made")));
    }
    for id in ids {
        match replies.get(&id).map(Vec::as_slice) {
            Some([one]) => {
                read(id, one)?;
            }
            Some(many) => {
                return Err(Unheld::broken(format!("call {id} has {} replies", many.len())));
            }
            None => return Err(Unheld::broken(format!("call {id} has no reply"))),
        }
    }
    Ok(count)
}

fn usize_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
