//! A plugin that is ready to be asked: described, agreed with, and bounded.
//!
//! Where it runs makes no difference beyond this file: the same messages, the same limits, the same
//! errors. A call whose future is dropped is cancelled.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, timeout};
use wavegate_plugin_protocol::abi::{InitFn, MESSAGE_BYTES_MAX};
use wavegate_plugin_protocol::{
    AlarmQuery, AlarmReading, Answer, ComponentDescription, ComponentKind, DecideParams, Decided,
    Decision, DescribeParams, Description, Diagnostic, HookEvent, HookOutcome, HookVerdict,
    HostIdentity, Method, Observation, Outline, OutlineParams, PanicStrategy, PluginErrorBody,
    ProtocolRange, ReadAlarmsParams, Readings, Reply, Request, RunHookParams, Target,
    ValidateParams, Validation,
};

use crate::calls::Outcome;
use crate::direct::Direct;
use crate::launch::Launcher;
use crate::pin::{Pin, host_target};
use crate::process::{Process, ProcessSpec, Run};
use crate::verify::{Expect, Verified, verify};
use crate::worker::{LOOKS, Library};
use crate::{HostError, can_load};

/// How long a plugin may take to say what it is: it does no I/O.
const DESCRIBE_WITHIN: Duration = Duration::from_secs(5);

/// How much longer than its limit a call is waited for: an answer that is just on its way, and a
/// plugin's own words about a deadline, are worth more than ours.
const SLACK: Duration = Duration::from_millis(500);

/// What this host has beyond the protocol.
const FEATURES: [&str; 0] = [];

/// The codes of the SDK's errors that have a code of wavegate's own.
const PANICKED: &str = "plugin.panicked";
const DEADLINE: &str = "call.deadline";

/// Who runs plugins, and how.
#[derive(Debug, Clone)]
pub struct Host {
    /// What plugins are told about it.
    pub identity: HostIdentity,
    /// How it starts itself as a plugin's process.
    pub launcher: Launcher,
    /// Where private copies of libraries are kept: for its owner only, dispensable.
    pub cache: PathBuf,
}

/// Where a plugin's code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// In this process: a crash is this program's crash, a hang cannot be ended.
    InProcess,
    /// In a process of its own.
    Process,
}

/// What a plugin may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a call may take that has no deadline of its own, in real time.
    pub call: Duration,
    /// How many calls may be under way at once; more of them wait.
    pub in_flight: usize,
    /// How much memory a process of its own may allocate, in bytes.
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { call: Duration::from_secs(10), in_flight: 1_024, memory_bytes: 1 << 30 }
    }
}

/// A library with a plugin in it.
#[derive(Clone)]
pub struct LibrarySpec {
    /// The plugin's name in the manifest, for messages.
    pub name: String,
    /// Where the library is.
    pub path: PathBuf,
    /// Which bytes it must have.
    pub expect: Expect,
    /// Where it runs.
    pub isolation: Isolation,
    /// What it may take.
    pub limits: Limits,
    /// The environment of a process of its own; nothing else is in it.
    pub environment: Vec<(String, String)>,
}

impl std::fmt::Debug for LibrarySpec {
    /// Without the values of variables.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LibrarySpec")
            .field("name", &self.name)
            .field("path", &self.path)
            .field("isolation", &self.isolation)
            .finish_non_exhaustive()
    }
}

/// Where a plugin came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is linked into this program.
    Linked,
    /// It was loaded from a library.
    Library {
        /// Where its code runs.
        isolation: Isolation,
        /// The library, as it was found.
        path: PathBuf,
        /// The SHA-256 of its bytes.
        sha256: Pin,
    },
}

/// A plugin that is ready to be asked.
#[derive(Debug)]
pub struct Plugin {
    name: String,
    origin: Origin,
    description: Description,
    protocol: u32,
    transport: Transport,
    in_flight: Semaphore,
    limits: Limits,
}

#[derive(Debug)]
enum Transport {
    Direct(Arc<Direct>),
    Process(Box<Process>),
}

impl Plugin {
    /// Starts a plugin that is linked into this program. Must be called on a runtime.
    ///
    /// # Errors
    /// If it does not start, or cannot be agreed with.
    pub async fn linked(
        host: &Host,
        name: &str,
        init: InitFn,
        limits: Limits,
    ) -> Result<Self, HostError> {
        let direct = Direct::linked(name, init)?;
        Self::meet(host, name, Origin::Linked, Transport::Direct(Arc::new(direct)), limits).await
    }

    /// Verifies a library, loads it where it is to run, and starts the plugin in it. Must be called
    /// on a runtime.
    ///
    /// # Errors
    /// If the library is not what it should be, or the plugin does not start, or cannot be agreed
    /// with. None of its code has run if it was not verified.
    pub async fn load(host: &Host, spec: &LibrarySpec) -> Result<Self, HostError> {
        if !can_load() {
            return Err(HostError::StaticBuild { plugin: spec.name.clone() });
        }
        let verified = verified(host, spec).await?;
        let library = Library { file: verified.file.clone(), entry: verified.entry.clone() };
        let transport = match spec.isolation {
            Isolation::InProcess => {
                Transport::Direct(Arc::new(Direct::loaded(&spec.name, library).await?))
            }
            Isolation::Process => {
                let process = Process::start(ProcessSpec {
                    plugin: spec.name.clone(),
                    library,
                    environment: spec.environment.clone(),
                    memory_bytes: spec.limits.memory_bytes,
                    launcher: host.launcher.clone(),
                });
                Transport::Process(Box::new(process.await?))
            }
        };
        let origin = Origin::Library {
            isolation: spec.isolation,
            path: verified.source,
            sha256: verified.sha256,
        };
        Self::meet(host, &spec.name, origin, transport, spec.limits).await
    }

    /// Asks what it is, and agrees on a protocol.
    async fn meet(
        host: &Host,
        name: &str,
        origin: Origin,
        transport: Transport,
        limits: Limits,
    ) -> Result<Self, HostError> {
        let mut plugin = Self {
            name: name.to_owned(),
            origin,
            description: Description {
                name: name.to_owned(),
                version: String::new(),
                sdk: String::new(),
                protocol: ProtocolRange::SUPPORTED,
                panic: PanicStrategy::Unwind,
                requires: BTreeSet::new(),
                components: Vec::new(),
            },
            protocol: ProtocolRange::SUPPORTED.max,
            transport,
            in_flight: Semaphore::new(limits.in_flight),
            limits,
        };
        let params = DescribeParams {
            host: host.identity.clone(),
            protocol: ProtocolRange::SUPPORTED,
            features: FEATURES.iter().map(|feature| (*feature).to_owned()).collect(),
        };
        plugin.description = plugin.call(Method::Describe, &params, DESCRIBE_WITHIN).await?;
        plugin.agree()?;
        Ok(plugin)
    }

    fn agree(&mut self) -> Result<(), HostError> {
        let plugin = || self.name.clone();
        let Description { protocol, requires, panic, components, .. } = &self.description;
        let ours = ProtocolRange::SUPPORTED;
        let lacking: Vec<String> =
            requires.iter().filter(|need| !FEATURES.contains(&need.as_str())).cloned().collect();
        let runs_here =
            !matches!(self.origin, Origin::Library { isolation: Isolation::Process, .. });
        let Some(common) = ours.common(*protocol) else {
            return Err(HostError::OtherProtocol {
                plugin: plugin(),
                theirs: (protocol.min, protocol.max),
                ours: (ours.min, ours.max),
            });
        };
        if !lacking.is_empty() {
            return Err(HostError::MissingFeatures { plugin: plugin(), features: lacking });
        }
        if runs_here && *panic == PanicStrategy::Abort {
            return Err(HostError::PanicAborts { plugin: plugin() });
        }
        let mut seen = BTreeSet::new();
        for component in components {
            if !is_legal_id(&component.id) {
                let what = format!("`{}` is no name for a component", component.id);
                return Err(HostError::BrokeProtocol { plugin: plugin(), what });
            }
            if !seen.insert((component.kind.as_str(), component.id.as_str())) {
                return Err(HostError::DuplicateComponent {
                    plugin: plugin(),
                    component: component.id.clone(),
                    other: None,
                });
            }
        }
        self.protocol = common;
        Ok(())
    }

    /// Its name in the manifest, or that of its crate if it is linked in.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What it says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The component of that kind and id.
    ///
    /// # Errors
    /// If it has none.
    pub fn component(
        &self,
        kind: ComponentKind,
        id: &str,
    ) -> Result<&ComponentDescription, HostError> {
        let of_kind = || self.description.components.iter().filter(move |c| c.kind == kind);
        of_kind().find(|component| component.id == id).ok_or_else(|| HostError::NoComponent {
            plugin: self.name.clone(),
            kind,
            component: id.to_owned(),
            has: of_kind().map(|component| component.id.clone()).collect(),
            closest: None,
        })
    }

    /// Everything that is wrong with a config.
    ///
    /// # Errors
    /// If the plugin cannot say.
    pub async fn validate(
        &self,
        kind: ComponentKind,
        component: &str,
        config: &Value,
    ) -> Result<Vec<Diagnostic>, HostError> {
        let params =
            ValidateParams { kind, component: component.to_owned(), config: config.clone() };
        let found: Validation = self.call(Method::Validate, &params, self.limits.call).await?;
        Ok(found.diagnostics)
    }

    /// What a strategy will do if nothing goes wrong.
    ///
    /// # Errors
    /// If the plugin cannot say.
    pub async fn outline(
        &self,
        component: &str,
        config: &Value,
        target: Target,
    ) -> Result<Outline, HostError> {
        let params =
            OutlineParams { component: component.to_owned(), config: config.clone(), target };
        self.call(Method::Outline, &params, self.limits.call).await
    }

    /// What a strategy does next, and what it wants to be told the next time.
    ///
    /// # Errors
    /// If the plugin cannot say.
    pub async fn decide(
        &self,
        component: &str,
        config: &Value,
        state: Value,
        observation: Observation,
    ) -> Result<(Decision, Value), HostError> {
        let params = DecideParams {
            component: component.to_owned(),
            config: config.clone(),
            state,
            observation,
        };
        let decided: Decided = self.call(Method::Decide, &params, self.limits.call).await?;
        Ok((decided.decision, decided.state))
    }

    /// Runs a hook once. Its own deadline holds, not the plugin's limit.
    ///
    /// # Errors
    /// If the plugin cannot say.
    pub async fn run_hook(&self, hook: HookCall<'_>) -> Result<HookOutcome, HostError> {
        let HookCall { component, config, event, deadline, attempt, idempotency_key } = hook;
        let asked = Instant::now();
        let late = |_| self.no_answer(Method::RunHook, deadline);
        let place = timeout(deadline, self.place()).await.map_err(late)??;
        let left = deadline.saturating_sub(asked.elapsed());
        let params = RunHookParams {
            component: component.to_owned(),
            config: config.clone(),
            event,
            deadline_ms: millis(left),
            attempt,
            idempotency_key,
        };
        let limit = Limit { wait: left, told: deadline };
        let verdict: HookVerdict = self.ask(place, Method::RunHook, &params, limit).await?;
        Ok(verdict.outcome)
    }

    /// Reads many alarms at once.
    ///
    /// # Errors
    /// If the plugin cannot say.
    pub async fn read_alarms(
        &self,
        component: &str,
        queries: Vec<AlarmQuery<Value>>,
    ) -> Result<Vec<AlarmReading>, HostError> {
        let params = ReadAlarmsParams {
            component: component.to_owned(),
            queries,
            deadline_ms: millis(self.limits.call),
        };
        let read: Readings = self.call(Method::ReadAlarms, &params, self.limits.call).await?;
        Ok(read.readings)
    }

    /// Makes any call: what the others are made of, for those who test plugins.
    ///
    /// # Errors
    /// If there is no answer, or not one of this form.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        params: &impl Serialize,
        limit: Duration,
    ) -> Result<T, HostError> {
        let place = self.place().await?;
        self.ask(place, method, params, Limit { wait: limit, told: limit }).await
    }

    /// A place for one call, in a plugin that runs. Others may have to end first, or the plugin to
    /// be started again; that is not the call's time.
    async fn place(&self) -> Result<Place<'_>, HostError> {
        // Never closed.
        let permit = self.in_flight.acquire().await.ok();
        let (id, waiter, at) = match &self.transport {
            Transport::Direct(direct) => {
                let (id, waiter) = direct.open()?;
                (id, waiter, At::Here(Arc::clone(direct)))
            }
            Transport::Process(process) => {
                let (run, id, waiter) = process.open().await?;
                (id, waiter, At::There(run))
            }
        };
        Ok(Place { _permit: permit, waiter, call: Call { id, at, stage: Stage::Opened } })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        place: Place<'_>,
        method: Method,
        params: &impl Serialize,
        limit: Limit,
    ) -> Result<T, HostError> {
        let Place { _permit, mut waiter, mut call } = place;
        call.begin(method, self.message(call.id, method, params)?);
        if let Some(outcome) = self.at_once(method, &mut waiter) {
            call.stage = Stage::Over;
            return self.answer(call.id, &outcome?, method, limit.told);
        }
        let late = |_| self.no_answer(method, limit.told);
        let outcome = timeout(limit.wait.saturating_add(SLACK), waiter).await.map_err(late)?;
        call.stage = Stage::Over;
        let reply = outcome.map_err(|_| self.lost())??;
        self.answer(call.id, &reply, method, limit.told)
    }

    /// The reply, if it comes while one would fall asleep: what does no I/O takes microseconds.
    fn at_once(&self, method: Method, waiter: &mut oneshot::Receiver<Outcome>) -> Option<Outcome> {
        if matches!(method, Method::RunHook | Method::ReadAlarms) {
            return None;
        }
        for _ in 0..LOOKS {
            match waiter.try_recv() {
                Ok(outcome) => return Some(outcome),
                Err(TryRecvError::Empty) => std::thread::yield_now(),
                Err(TryRecvError::Closed) => return Some(Err(self.lost())),
            }
        }
        None
    }

    fn message(
        &self,
        id: u64,
        method: Method,
        params: &impl Serialize,
    ) -> Result<Vec<u8>, HostError> {
        let request = Request { id, method, protocol: self.protocol, params };
        let message = serde_json::to_vec(&request)
            .map_err(|error| self.host(format!("the question is no JSON: {error}")))?;
        if message.len() > MESSAGE_BYTES_MAX {
            let length = message.len();
            return Err(self.host(format!("the question has {length} bytes, which is too long")));
        }
        Ok(message)
    }

    fn answer<T: DeserializeOwned>(
        &self,
        id: u64,
        reply: &[u8],
        method: Method,
        limit: Duration,
    ) -> Result<T, HostError> {
        let broke = |what: String| HostError::BrokeProtocol { plugin: self.name.clone(), what };
        let reply: Reply<T> = serde_json::from_slice(reply)
            .map_err(|error| broke(format!("its reply to `{method}` is none: {error}")))?;
        if reply.id != id {
            return Err(broke(format!("it replied to call {id} with the id {}", reply.id)));
        }
        match reply.answer {
            Answer::Ok(answer) => Ok(answer),
            Answer::Error(body) => Err(self.error(body, method, limit)),
        }
    }

    fn error(&self, body: PluginErrorBody, method: Method, limit: Duration) -> HostError {
        let plugin = self.name.clone();
        match body.code.as_str() {
            PANICKED => {
                let message = match body.detail {
                    Some(detail) => format!("{}, {detail}", body.message),
                    None => body.message,
                };
                HostError::Panicked { plugin, message }
            }
            DEADLINE => self.no_answer(method, limit),
            _ => HostError::Answer { plugin, body: Box::new(body) },
        }
    }

    fn lost(&self) -> HostError {
        self.host("a call was lost".to_owned())
    }

    fn host(&self, what: String) -> HostError {
        HostError::Host { plugin: self.name.clone(), what }
    }

    fn no_answer(&self, method: Method, limit: Duration) -> HostError {
        HostError::NoAnswer { plugin: self.name.clone(), method: method.to_string(), limit }
    }

    /// Lets the plugin end in order. Nothing may be asked afterwards.
    pub async fn shutdown(&self) {
        match &self.transport {
            Transport::Direct(direct) => direct.shutdown().await,
            Transport::Process(process) => process.shutdown().await,
        }
    }
}

/// Reads and writes the whole file, so on a thread for that.
async fn verified(host: &Host, spec: &LibrarySpec) -> Result<Verified, HostError> {
    if spec.isolation == Isolation::InProcess && spec.expect == Expect::Unpinned {
        let (plugin, target) = (spec.name.clone(), host_target().to_owned());
        return Err(HostError::Unpinned { plugin, target });
    }
    let (expect, cache) = (spec.expect, host.cache.clone());
    let (name, path) = (spec.name.clone(), spec.path.clone());
    let work = tokio::task::spawn_blocking(move || verify(&name, &path, expect, &cache));
    work.await.unwrap_or_else(|stopped| {
        let what = format!("its verification stopped: {stopped}");
        Err(HostError::Host { plugin: spec.name.clone(), what })
    })
}

/// One run of a hook.
#[derive(Debug, Clone)]
pub struct HookCall<'a> {
    /// The hook's id.
    pub component: &'a str,
    /// Its config.
    pub config: &'a Value,
    /// What it judges.
    pub event: HookEvent,
    /// How long it may take, in real time.
    pub deadline: Duration,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The same for every try.
    pub idempotency_key: String,
}

/// How long a call is waited for.
#[derive(Debug, Clone, Copy)]
struct Limit {
    /// From when it begins.
    wait: Duration,
    /// As its caller gave it, for messages.
    told: Duration,
}

/// A place for one call.
struct Place<'a> {
    _permit: Option<SemaphorePermit<'a>>,
    waiter: oneshot::Receiver<Outcome>,
    call: Call,
}

/// A call that was opened. Dropped before its reply has come, it is cancelled.
struct Call {
    id: u64,
    at: At,
    stage: Stage,
}

enum At {
    Here(Arc<Direct>),
    There(Arc<Run>),
}

enum Stage {
    Opened,
    Begun(Method),
    Over,
}

impl Call {
    fn begin(&mut self, method: Method, message: Vec<u8>) {
        self.stage = Stage::Begun(method);
        match &self.at {
            At::Here(direct) => direct.begin(self.id, message),
            At::There(run) => run.begin(message),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        match (&self.stage, &self.at) {
            (Stage::Over, _) => {}
            (Stage::Opened, At::Here(direct)) => direct.forget(self.id),
            (Stage::Opened, At::There(run)) => run.forget(self.id),
            (Stage::Begun(_), At::Here(direct)) => direct.abandon(self.id),
            (Stage::Begun(method), At::There(run)) => run.abandon(self.id, method.as_str()),
        }
    }
}

/// Ids are used as keys and in commands: letters, digits, `-`, `_` and `.`.
fn is_legal_id(id: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(is_legal)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
