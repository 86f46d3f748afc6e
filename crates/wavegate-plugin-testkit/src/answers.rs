//! The laws of hooks, alarm providers and errors that are seen through the host.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wavegate_plugin_host::HostError;
use wavegate_plugin_protocol::{
    AlarmQuery, AlarmReading, AlarmStatus, AlarmSubject, CloudAccess, HookEvent, HookPhase,
    HookVerdict, Look, Method, ReadAlarmsParams, Readings, RunHookParams, VersionRef, WeightBp,
};

use crate::bench::{Bench, is_breakdown};
use crate::configs::{Configs, NO_CONFIG, Under, some};
use crate::door::{Door, Manners};
use crate::report::{Breach, Report, Unheld, Verdict};

const CODES: &str = "an error carries a dotted code and words";
const UNREACHABLE: &str = "an alarm whose source is out of reach is never ok";
const READINGS: &str = "a reading answers a question that was asked, and no question has two";
const ONE_EFFECT: &str = "the same idempotency key twice has one effect";

/// How long a hook or an alarm provider may take here.
const DEADLINE: Duration = Duration::from_secs(10);

/// How much longer it is waited for.
const SLACK: Duration = Duration::from_secs(2);

/// A component that no plugin has.
const NOBODY: &str = "wavegate.nobody";

/// Counts what a hook has done so far.
pub type Effects = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Laws of the plugin as a whole.
pub(crate) async fn plugin_laws(bench: &Bench, report: &mut Report) {
    report.add(CODES, None, codes(bench).await);
}

/// Asked about a component that it does not have, it says so in an orderly way.
async fn codes(bench: &Bench) -> Verdict {
    let questions = [
        (Method::Validate, json!({"kind": "strategy", "component": NOBODY, "config": {}})),
        (
            Method::Outline,
            json!({
                "component": NOBODY, "config": {},
                "target": {"app": "app", "function": "function", "alias": "live"},
            }),
        ),
        (Method::RunHook, json!(hook_params(NOBODY, &json!({}), DEADLINE))),
        (
            Method::ReadAlarms,
            json!(alarm_params(NOBODY, &json!({}), &CloudAccess::default(), 1, DEADLINE)),
        ),
    ];
    let mut cases = 0;
    for (method, params) in questions {
        let answer: Result<Value, HostError> = bench.ask(method, &params, DEADLINE + SLACK).await;
        let fault = match answer {
            Ok(answer) => Some(format!("it has no `{NOBODY}`, and answered {answer}")),
            Err(HostError::Answer { body, .. }) => bad_error(&body.code, &body.message),
            Err(error) => Some(error.to_string()),
        };
        if let Some(fault) = fault {
            return Err(Unheld::broken(format!("`{method}`: {fault}")));
        }
        cases += 1;
    }
    Ok(cases)
}

/// What is wrong with an error's form.
pub(crate) fn bad_error(code: &str, message: &str) -> Option<String> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    };
    let is_dotted = code.contains('.') && code.split('.').all(is_word);
    match (is_dotted, message.is_empty()) {
        (false, _) => Some(format!("`{code}` is no code; one is like `config.invalid`")),
        (true, true) => Some(format!("the error `{code}` says nothing")),
        (true, false) => None,
    }
}

/// The laws of an alarm provider. It only reads, so it may always be asked.
pub(crate) async fn alarm_laws(under: &Under, configs: &Configs, report: &mut Report) {
    let title = under.title();
    report.add(UNREACHABLE, Some(&title), under.holds(unreachable(under, configs)).await);
    report.add(READINGS, Some(&title), under.holds(readings(under, configs)).await);
}

async fn unreachable(under: &Under, configs: &Configs) -> Verdict {
    let mut cases = 0;
    for config in &configs.written {
        let door = Door::open(Manners::Slams).map_err(|e| Unheld::skipped(e.to_string()))?;
        match read(under, &door, config, 1).await {
            Ok(readings) if door.knocks() > 0 => {
                cases += 1;
                if let Some(reading) = readings.iter().find(|r| r.status == AlarmStatus::Ok) {
                    let words =
                        format!("nothing could be read, and it said ok: {:?}", reading.detail);
                    return Err(Breach::new(words).with_config(config).into());
                }
            }
            Ok(_) => {}
            Err(error) if is_breakdown(&error) => return Err(broke_down(&error, config)),
            Err(_) => cases += 1,
        }
    }
    some(
        cases,
        if configs.written.is_empty() {
            NO_CONFIG
        } else {
            "it has no source that can be taken away"
        },
    )
}

async fn readings(under: &Under, configs: &Configs) -> Verdict {
    let mut cases = 0;
    for config in &configs.written {
        let door = Door::open(Manners::Slams).map_err(|e| Unheld::skipped(e.to_string()))?;
        // An error, and how it breaks down, are other laws'.
        let Ok(readings) = read(under, &door, config, 3).await else { continue };
        let mut seen = BTreeSet::new();
        for AlarmReading { key, .. } in &readings {
            if !keys(3).any(|asked| asked == *key) {
                let words = format!("`{key}` was not asked");
                return Err(Breach::new(words).with_config(config).into());
            }
            if !seen.insert(key) {
                let words = format!("`{key}` is answered twice");
                return Err(Breach::new(words).with_config(config).into());
            }
        }
        cases += 1;
    }
    some(cases, if configs.written.is_empty() { NO_CONFIG } else { "it gave no readings" })
}

async fn read(
    under: &Under,
    door: &Door,
    config: &Value,
    count: usize,
) -> Result<Vec<AlarmReading>, HostError> {
    let config = door.behind(config);
    let params = alarm_params(&under.component.id, &config, &door.cloud(), count, DEADLINE);
    let read: Readings = under.bench.ask(Method::ReadAlarms, &params, DEADLINE + SLACK).await?;
    Ok(read.readings)
}

fn broke_down(error: &HostError, config: &Value) -> Unheld {
    Breach::new(error.to_string()).with_config(config).into()
}

/// The law of a hook whose effects its author can count.
pub(crate) async fn effect_law(
    under: &Under,
    configs: &Configs,
    effects: &Effects,
    report: &mut Report,
) {
    let verdict = under.holds(one_effect(under, configs, effects)).await;
    report.add(ONE_EFFECT, Some(&under.title()), verdict);
}

async fn one_effect(under: &Under, configs: &Configs, effects: &Effects) -> Verdict {
    let mut cases = 0;
    for (place, config) in configs.written.iter().enumerate() {
        let before = effects();
        for attempt in [1, 2] {
            let params = RunHookParams {
                attempt,
                idempotency_key: format!("one-effect-{place}"),
                ..hook_params(&under.component.id, config, DEADLINE)
            };
            let verdict: Result<HookVerdict, _> =
                under.bench.ask(Method::RunHook, &params, DEADLINE + SLACK).await;
            verdict.map_err(|error| broke_down(&error, config))?;
        }
        let count = effects().wrapping_sub(before);
        if count != 1 {
            let words = format!("run twice with one key, it had {count} effects");
            return Err(Breach::new(words).with_config(config).into());
        }
        cases += 1;
    }
    some(cases, NO_CONFIG)
}

fn keys(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("alarm-{number}"))
}

/// A question to an alarm provider, with so many queries.
pub(crate) fn alarm_params(
    component: &str,
    config: &Value,
    cloud: &CloudAccess,
    count: usize,
    deadline: Duration,
) -> ReadAlarmsParams {
    let query = |key| AlarmQuery {
        key,
        config: config.clone(),
        subject: AlarmSubject {
            app: "app".to_owned(),
            function: "app-function".to_owned(),
            alias: "live".to_owned(),
            stable: Some("1".to_owned()),
            candidate: Some("2".to_owned()),
        },
        look: Look::Watch,
        since_ms: Some(1_700_000_000_000),
        now_ms: 1_700_000_600_000,
        cloud: cloud.clone(),
    };
    ReadAlarmsParams {
        component: component.to_owned(),
        queries: keys(count).map(query).collect(),
        deadline_ms: millis(deadline),
    }
}

/// A question to a hook.
pub(crate) fn hook_params(component: &str, config: &Value, deadline: Duration) -> RunHookParams {
    let version = |number: u32| VersionRef {
        version: number.to_string(),
        arn: format!("arn:aws:lambda:eu-west-1:123456789012:function:app-function:{number}"),
    };
    RunHookParams {
        component: component.to_owned(),
        config: config.clone(),
        event: HookEvent {
            app: "app".to_owned(),
            release: "r-1".to_owned(),
            release_number: 1,
            function: "app-function".to_owned(),
            alias: "live".to_owned(),
            phase: HookPhase::PreTraffic,
            stable: Some(version(1)),
            candidate: version(2),
            weight_bp: WeightBp::NONE,
            reason: None,
            cloud: CloudAccess {
                region: "eu-west-1".to_owned(),
                // Nobody is there.
                endpoint_url: Some("http://127.0.0.1:9".to_owned()),
                local: true,
                ..CloudAccess::default()
            },
        },
        deadline_ms: millis(deadline),
        attempt: 1,
        idempotency_key: "wavegate-plugin-testkit".to_owned(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
