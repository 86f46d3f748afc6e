//! Laws of the entry point, as a host meets them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::{
    CallContext, Component, Decision, Hook, HookEvent, HookOutcome, Observation, Outline, Strategy,
    Target,
};

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_mins(1);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

struct Cliff;

impl Strategy for Cliff {
    const ID: &'static str = "cliff";
    const SUMMARY: &'static str = "panics when it decides";
    type Config = Nothing;
    type State = ();

    fn outline(&self, _: &Nothing, _: &Target) -> Outline {
        tracing::warn!(depth = 7, "the cliff is near");
        tracing::debug!("nobody wants to know");
        Outline::default()
    }

    fn decide(&self, _: &Nothing, (): &mut (), _: &Observation) -> Result<Decision, PluginError> {
        panic!("over the edge")
    }
}

struct Forever;

impl Hook for Forever {
    const ID: &'static str = "forever";
    const SUMMARY: &'static str = "never answers";
    type Config = Nothing;

    async fn run(
        &self,
        _: &CallContext,
        _: Nothing,
        _: HookEvent,
    ) -> Result<HookOutcome, PluginError> {
        tracing::error!("waiting");
        std::future::pending().await
    }
}

static PLUGIN: PluginDecl = PluginDecl::new(
    "cliff",
    "1.0.0",
    &[Component::Strategy(&Cliff), Component::Hook(&Forever)],
    never,
);

unsafe extern "C" fn never(_: *const abi::Host, _: *mut abi::Plugin) -> Status {
    abi::E_INTERNAL
}

/// What the host is told: a reply, or a record with its level and call.
#[derive(Debug)]
enum Told {
    Reply(u64, Value),
    Log(abi::Level, u64, Value),
}

/// A host and the plugin that it initialised.
struct Pair {
    told: Receiver<Told>,
    plugin: abi::Plugin,
}

unsafe extern "C" fn reply(ctx: *mut c_void, id: u64, message: abi::Bytes) {
    tell(ctx, Told::Reply(id, json_of(message)));
}

unsafe extern "C" fn log(ctx: *mut c_void, level: abi::Level, id: u64, record: abi::Bytes) {
    tell(ctx, Told::Log(level, id, json_of(record)));
}

unsafe extern "C" fn log_level(_: *mut c_void) -> abi::Level {
    2
}

fn json_of(bytes: abi::Bytes) -> Value {
    // SAFETY: the SDK lends them for the call.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.ptr, bytes.len) };
    serde_json::from_slice(bytes).expect("JSON")
}

/// Senders by the number that serves as `ctx`.
static HOSTS: LazyLock<Mutex<Vec<Sender<Told>>>> = LazyLock::new(Mutex::default);

fn tell(ctx: *mut c_void, told: Told) {
    let hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
    // The test may be over.
    let _ = hosts[ctx.addr() - 1].send(told);
}

fn size_of_u32<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("small")
}

impl Pair {
    fn new(host_size: u32, plugin_size: u32) -> Result<Self, Status> {
        let (sender, told) = channel();
        let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.push(sender);
        let ctx = std::ptr::without_provenance_mut(hosts.len());
        drop(hosts);
        let host = abi::Host {
            struct_size: host_size,
            abi_minor: 9,
            ctx,
            reply: Some(reply),
            log: Some(log),
            log_level: Some(log_level),
        };
        let mut plugin = abi::Plugin {
            struct_size: plugin_size,
            abi_minor: 0,
            ctx: std::ptr::null_mut(),
            call: None,
            cancel: None,
            shutdown: None,
        };
        // SAFETY: both structs are whole, whatever size they claim to be.
        match unsafe { init(&PLUGIN, &raw const host, &raw mut plugin) } {
            abi::OK => Ok(Self { told, plugin }),
            status => Err(status),
        }
    }

    fn whole() -> Self {
        Self::new(size_of_u32::<abi::Host>(), size_of_u32::<abi::Plugin>()).expect("initialised")
    }

    fn call_raw(&self, id: u64, message: &[u8]) -> Status {
        let call = self.plugin.call.expect("call");
        // SAFETY: the bytes live as long as the call.
        unsafe { call(self.plugin.ctx, id, abi::Bytes::of(message)) }
    }

    fn call(&self, id: u64, method: &str, params: &Value) -> Status {
        let message = json!({"id": id, "method": method, "protocol": 1, "params": params});
        self.call_raw(id, message.to_string().as_bytes())
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(LIMIT).expect("the plugin says something")
    }

    /// The next reply, which is to `id`.
    fn reply(&self, id: u64) -> Value {
        loop {
            match self.next() {
                Told::Reply(told, message) => {
                    assert_eq!((told, &message["id"]), (id, &json!(id)));
                    return message;
                }
                Told::Log(..) => {}
            }
        }
    }

    fn error_code(&self, id: u64) -> String {
        let reply = self.reply(id);
        reply["error"]["code"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
    }

    fn run_forever(&self, id: u64, deadline_ms: u64) {
        let event = json!({
            "app": "shop", "release": "r", "release_number": 1, "function": "auth",
            "alias": "live", "phase": "pre_traffic", "weight_bp": 0,
            "candidate": {"version": "1", "arn": ""}, "cloud": {"region": ""},
        });
        let params = json!({
            "component": "forever", "config": {}, "event": event,
            "deadline_ms": deadline_ms, "attempt": 1, "idempotency_key": "k",
        });
        assert_eq!(self.call(id, "hook.run", &params), abi::OK);
    }
}

fn decide(state: &Value) -> Value {
    json!({"component": "cliff", "config": {}, "state": state, "observation": {
        "weight_bp": 0, "bake_elapsed_ms": 0, "rollout_elapsed_ms": 0,
        "alarms_firing": 0, "alarms_unknown": 0, "alarms_ok": 0,
    }})
}

const DESCRIBE: &str = "plugin.describe";

fn describe() -> Value {
    json!({"host": {"name": "test", "version": "1"}, "protocol": [1, 1]})
}

#[test]
fn a_plugin_describes_itself() {
    let pair = Pair::whole();
    assert_eq!(pair.call(1, DESCRIBE, &describe()), abi::OK);
    let told = pair.reply(1)["ok"].clone();
    assert_eq!((&told["name"], &told["version"]), (&json!("cliff"), &json!("1.0.0")));
    assert_eq!((&told["protocol"], &told["panic"]), (&json!([1, 1]), &json!("unwind")));
    let ids: Vec<_> = told["components"].as_array().unwrap().iter().map(|c| &c["id"]).collect();
    assert_eq!(ids, ["cliff", "forever"]);
    assert_eq!(told["components"][0]["config_schema"]["additionalProperties"], json!(false));
}

#[test]
fn a_smaller_struct_is_filled_and_read_only_as_far_as_it_reaches() {
    for size in [24, 31, 32, 39, 40] {
        let pair = Pair::new(size, size).unwrap();
        assert_eq!(pair.plugin.struct_size, size);
        assert!(pair.plugin.call.is_some());
        assert_eq!(pair.plugin.cancel.is_some(), size >= 32, "{size}");
        assert_eq!(pair.plugin.shutdown.is_some(), size >= 40, "{size}");
        // A host without `log` is never logged to.
        let outline = json!({"component": "cliff", "config": {}, "target": {
            "app": "a", "function": "f", "alias": "live"}});
        assert_eq!(pair.call(1, "strategy.outline", &outline), abi::OK);
        match pair.next() {
            Told::Reply(..) => assert!(size < 32),
            Told::Log(level, ..) => assert!(size >= 32 && level == 2),
        }
    }
}

#[test]
fn a_larger_struct_is_a_newer_host_and_works() {
    let pair = Pair::new(4_096, 4_096).unwrap();
    assert_eq!(pair.plugin.struct_size, size_of_u32::<abi::Plugin>());
    assert_eq!(pair.call(1, DESCRIBE, &describe()), abi::OK);
    assert!(pair.reply(1)["ok"].is_object());
}

#[test]
fn what_cannot_work_is_refused() {
    assert_eq!(Pair::new(23, 40).err(), Some(abi::E_UNSUPPORTED));
    assert_eq!(Pair::new(40, 23).err(), Some(abi::E_UNSUPPORTED));
    // SAFETY: NULL is what the law is about.
    let status = unsafe { init(&PLUGIN, std::ptr::null(), std::ptr::null_mut()) };
    assert_eq!(status, abi::E_ARGUMENT);
    let pair = Pair::whole();
    let null = abi::Bytes { ptr: std::ptr::null(), len: 1 };
    let call = pair.plugin.call.expect("call");
    // SAFETY: as above.
    unsafe {
        assert_eq!(call(std::ptr::null_mut(), 1, abi::Bytes::of(b"{}")), abi::E_ARGUMENT);
        assert_eq!(call(pair.plugin.ctx, 1, null), abi::E_ARGUMENT);
        cancel(std::ptr::null_mut(), 1);
        shutdown(std::ptr::null_mut());
    }
}

#[test]
fn what_is_no_call_is_answered_with_an_error() {
    let pair = Pair::whole();
    assert_eq!(pair.call_raw(1, b"not json"), abi::OK);
    assert_eq!(pair.error_code(1), PluginError::MESSAGE_INVALID);
    assert_eq!(pair.call_raw(2, b""), abi::OK);
    assert_eq!(pair.error_code(2), PluginError::MESSAGE_INVALID);
    let other = json!({"id": 9, "method": DESCRIBE, "protocol": 1, "params": {}}).to_string();
    assert_eq!(pair.call_raw(3, other.as_bytes()), abi::OK);
    assert_eq!(pair.error_code(3), PluginError::MESSAGE_INVALID);
    pair.call(4, "strategy.dance", &json!({}));
    assert_eq!(pair.error_code(4), PluginError::METHOD_UNKNOWN);
    pair.call(5, "strategy.decide", &json!({"component": "cliff"}));
    assert_eq!(pair.error_code(5), PluginError::MESSAGE_INVALID);
    let mut absent = decide(&Value::Null);
    absent["component"] = json!("forever");
    pair.call(6, "strategy.decide", &absent);
    assert_eq!(pair.error_code(6), PluginError::COMPONENT_UNKNOWN);
    let newer = json!({"id": 7, "method": "config.validate", "protocol": 2, "params": {}});
    assert_eq!(pair.call_raw(7, newer.to_string().as_bytes()), abi::OK);
    assert_eq!(pair.error_code(7), PluginError::PROTOCOL_UNSUPPORTED);
    let long = vec![b' '; abi::MESSAGE_BYTES_MAX + 1];
    assert_eq!(pair.call_raw(8, &long), abi::OK);
    assert_eq!(pair.error_code(8), PluginError::MESSAGE_INVALID);
}

#[test]
fn a_panic_is_an_answer_with_its_place() {
    let pair = Pair::whole();
    pair.call(1, "strategy.decide", &decide(&Value::Null));
    let error = pair.reply(1)["error"].clone();
    assert_eq!(error["code"], PluginError::PANICKED);
    assert_eq!(error["message"], "`cliff` panicked: over the edge");
    assert!(error["detail"].as_str().unwrap().contains("entry/tests.rs:"), "{error}");
}

#[test]
fn records_reach_the_host_at_the_level_it_wants_and_belong_to_their_call() {
    let pair = Pair::whole();
    let target = json!({"app": "a", "function": "f", "alias": "live"});
    let outline = json!({"component": "cliff", "config": {}, "target": target});
    pair.call(3, "strategy.outline", &outline);
    let Told::Log(level, call, record) = pair.next() else { panic!("a record comes first") };
    assert_eq!((level, call), (2, 3));
    assert_eq!(record["message"], "the cliff is near");
    assert_eq!(record["fields"]["depth"], 7);
    // The next thing is the reply: what nobody wants to know is not sent.
    assert!(matches!(pair.next(), Told::Reply(3, _)));
    pair.run_forever(4, 60_000);
    assert!(matches!(pair.next(), Told::Log(1, 4, _)), "also from the plugin's own threads");
}

#[test]
fn a_cancelled_call_and_a_late_one_are_replied_to_once() {
    let pair = Pair::whole();
    pair.run_forever(1, 60_000);
    assert!(matches!(pair.next(), Told::Log(1, 1, _)), "it runs");
    let cancel = pair.plugin.cancel.expect("cancel");
    // SAFETY: ids that are not known are no mistake.
    unsafe {
        cancel(pair.plugin.ctx, 77);
        cancel(pair.plugin.ctx, 1);
        cancel(pair.plugin.ctx, 1);
    }
    assert_eq!(pair.error_code(1), PluginError::CANCELLED);
    pair.run_forever(2, 1);
    assert_eq!(pair.error_code(2), PluginError::DEADLINE);
    pair.call(3, DESCRIBE, &describe());
    assert!(pair.reply(3)["ok"].is_object(), "nothing came in between");
}

#[test]
fn a_shutdown_pays_what_is_owed_and_takes_nothing_more() {
    let pair = Pair::whole();
    pair.run_forever(1, 60_000);
    let shutdown = pair.plugin.shutdown.expect("shutdown");
    // SAFETY: once, as the header says.
    unsafe { shutdown(pair.plugin.ctx) };
    assert_eq!(pair.error_code(1), PluginError::CANCELLED);
    assert_eq!(pair.call(2, DESCRIBE, &describe()), abi::E_SHUTDOWN);
    assert!(pair.told.try_recv().is_err(), "and no reply to a call that was not taken");
}
