//! The laws of hooks, alarm providers and errors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use wavegate_plugin_sdk::{
    AlarmQuery, AlarmReading, AlarmStatus, BoxFuture, CallContext, Component, Diagnostic,
    DynAlarmProvider, DynHook, Hook, HookEvent, HookOutcome, PluginError,
};
use wavegate_plugin_testkit::{Hooks, conformance};

use crate::{held, plugin, the_one_broken};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    TrustsSilence,
    Guesses,
    AnswersTwice,
    ForgetsTheDeadline,
    CannotBeCancelled,
    BadCode,
    LosesCallsInACrowd,
}

/// Asks a server by TCP whether it is well.
///
/// Erased by hand: what the SDK does for authors is what is to go wrong here.
struct Provider {
    fault: Fault,
    /// How many calls are under way.
    crowd: AtomicU64,
}

impl DynAlarmProvider for Provider {
    fn id(&self) -> &'static str {
        "tcp"
    }

    fn summary(&self) -> &'static str {
        "asks a server"
    }

    fn config_schema(&self) -> Value {
        json!({"type": "object", "additionalProperties": false})
    }

    fn validate(&self, config: &Value) -> Result<Vec<Diagnostic>, PluginError> {
        DynHook::validate(&Notify::new(true), config)
    }

    fn read<'a>(
        &'a self,
        cx: &'a CallContext,
        queries: Vec<AlarmQuery<Value>>,
    ) -> BoxFuture<'a, Result<Vec<AlarmReading>, PluginError>> {
        Box::pin(async move {
            let crowd = self.crowd.fetch_add(1, Ordering::AcqRel);
            if self.fault == Fault::LosesCallsInACrowd && crowd > 50 {
                self.crowd.fetch_sub(1, Ordering::AcqRel);
                std::future::pending::<()>().await;
            }
            let fault = self.fault;
            let ended = tokio::select! {
                biased;
                () = cx.cancel.cancelled(), if fault != Fault::CannotBeCancelled => {
                    Err(PluginError::new("call.cancelled", "nobody waits"))
                }
                () = ask(&queries) => Ok(()),
                () = tokio::time::sleep(cx.deadline), if fault != Fault::ForgetsTheDeadline => {
                    Err(PluginError::new("call.deadline", "it takes too long"))
                }
            };
            self.crowd.fetch_sub(1, Ordering::AcqRel);
            ended.and_then(|()| self.readings(&queries))
        })
    }
}

impl Provider {
    const fn new(fault: Fault) -> Self {
        Self { fault, crowd: AtomicU64::new(0) }
    }

    fn readings(&self, queries: &[AlarmQuery<Value>]) -> Result<Vec<AlarmReading>, PluginError> {
        let status = match self.fault {
            Fault::TrustsSilence => AlarmStatus::Ok,
            _ => AlarmStatus::Unknown,
        };
        let reading = |key: &str| AlarmReading {
            key: key.to_owned(),
            status,
            detail: "nobody answers".to_owned(),
            link: None,
        };
        let mut readings: Vec<_> = queries.iter().map(|query| reading(&query.key)).collect();
        match self.fault {
            Fault::Guesses => readings.push(reading("another")),
            Fault::AnswersTwice => readings.push(reading(&queries[0].key)),
            Fault::BadCode => return Err(PluginError::new("Oh no", "it failed")),
            _ => {}
        }
        Ok(readings)
    }
}

/// Connects, and waits until the server says something or goes.
async fn ask(queries: &[AlarmQuery<Value>]) {
    use tokio::io::AsyncReadExt as _;
    let url = queries.first().and_then(|query| query.cloud.endpoint_url.as_deref());
    let address = url.and_then(|url| url.strip_prefix("http://")).unwrap_or_default();
    if let Ok(mut server) = tokio::net::TcpStream::connect(address).await {
        // Whatever it says, it says nothing of use.
        let _ = server.read(&mut [0]).await;
    }
}

/// Each mutant, and the one law that it breaks.
macro_rules! mutants {
    ($($test:ident: $fault:ident breaks $law:literal;)*) => {$(
        #[test]
        fn $test() {
            static PROVIDER: Provider = Provider::new(Fault::$fault);
            plugin!(PLUGIN, Component::Alarm(&PROVIDER));
            let report = conformance(&PLUGIN).report().unwrap();
            let (law, _) = the_one_broken(&report);
            assert_eq!((law.law.as_str(), law.component.as_deref()), ($law, Some("alarm tcp")), "{report}");
        }
    )*};
}

mutants! {
    an_alarm_that_takes_silence_for_ok_is_caught:
        TrustsSilence breaks "an alarm whose source is out of reach is never ok";
    an_alarm_provider_that_guesses_is_caught:
        Guesses breaks "a reading answers a question that was asked, and no question has two";
    an_alarm_provider_that_answers_twice_is_caught:
        AnswersTwice breaks "a reading answers a question that was asked, and no question has two";
    an_alarm_provider_that_forgets_its_deadline_is_caught:
        ForgetsTheDeadline breaks "a call ends at its deadline";
    an_alarm_provider_that_cannot_be_cancelled_is_caught:
        CannotBeCancelled breaks "a call ends soon after it is cancelled";
    an_error_without_a_code_is_caught:
        BadCode breaks "a call is replied to once, and soon";
    an_alarm_provider_that_loses_calls_in_a_crowd_is_caught:
        LosesCallsInACrowd breaks "1000 calls at once are replied to once each";
}

#[test]
fn an_alarm_provider_without_a_fault_keeps_every_law() {
    static PROVIDER: Provider = Provider::new(Fault::Nothing);
    plugin!(PLUGIN, Component::Alarm(&PROVIDER));
    let report = conformance(&PLUGIN).report().unwrap();
    assert!(report.is_ok(), "{report}");
    for law in [
        "an alarm whose source is out of reach is never ok",
        "a reading answers a question that was asked, and no question has two",
        "a call ends at its deadline",
        "a call ends soon after it is cancelled",
        "1000 calls at once are replied to once each",
        "an error carries a dotted code and words",
    ] {
        assert!(held(&report, law), "{law}: {report}");
    }
}

/// Says something to somebody.
struct Notify {
    remembers: bool,
    said: Mutex<Vec<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Notify {
    const fn new(remembers: bool) -> Self {
        Self { remembers, said: Mutex::new(Vec::new()) }
    }

    fn effects(&self) -> u64 {
        self.said.lock().unwrap().len() as u64
    }
}

impl Hook for Notify {
    const ID: &'static str = "notify";
    const SUMMARY: &'static str = "says something to somebody";
    type Config = Nothing;

    async fn run(
        &self,
        cx: &CallContext,
        _: Nothing,
        _: HookEvent,
    ) -> Result<HookOutcome, PluginError> {
        let mut said = self.said.lock().unwrap();
        if !(self.remembers && said.contains(&cx.idempotency_key)) {
            said.push(cx.idempotency_key.clone());
        }
        Ok(HookOutcome::Pass { detail: String::new() })
    }
}

#[test]
fn a_hook_is_left_alone_unless_it_may_be_run() {
    static HOOK: Notify = Notify::new(true);
    plugin!(PLUGIN, Component::Hook(&HOOK));
    let report = conformance(&PLUGIN).report().unwrap();
    assert!(report.is_ok(), "{report}");
    assert_eq!(HOOK.effects(), 0);
    assert!(!held(&report, "a call ends at its deadline"), "{report}");

    let report = conformance(&PLUGIN)
        .run_hooks(Hooks::RunFreely)
        .effects("notify", || HOOK.effects())
        .report()
        .unwrap();
    assert!(report.is_ok(), "{report}");
    for law in [
        "a call ends at its deadline",
        "a call ends soon after it is cancelled",
        "1000 calls at once are replied to once each",
        "the same idempotency key twice has one effect",
    ] {
        assert!(held(&report, law), "{law}: {report}");
    }
}

#[test]
fn a_hook_that_forgets_what_it_has_done_is_caught() {
    static HOOK: Notify = Notify::new(false);
    plugin!(PLUGIN, Component::Hook(&HOOK));
    let report = conformance(&PLUGIN).effects("notify", || HOOK.effects()).report().unwrap();
    let (law, breach) = the_one_broken(&report);
    assert_eq!(law.law, "the same idempotency key twice has one effect");
    assert_eq!(breach.words, "run twice with one key, it had 2 effects");
}
