//! Lambda's own events as JSON, in the order and with the members that AWS gives them, and the level
//! that AWS's table gives each.

use serde::Serialize;

use super::{
    Beginning, Ended, Initialized, Said, initialization_type, runtime_arn, runtime_version,
};
use crate::runtime::levels::Level;
use crate::runtime::report::{Failure, stamp};

#[derive(Serialize)]
struct Event<R> {
    time: String,
    #[serde(rename = "type")]
    kind: &'static str,
    record: R,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitStart<'a> {
    initialization_type: &'static str,
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version_arn: Option<String>,
    function_name: &'a str,
    function_version: &'a str,
    instance_id: String,
    instance_max_memory: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitEnd<'a> {
    initialization_type: &'static str,
    phase: &'static str,
    #[serde(flatten)]
    status: Status<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<InitMetrics>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitMetrics {
    duration_ms: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeDone<'a> {
    request_id: &'a str,
    #[serde(flatten)]
    status: Status<'a>,
    metrics: RuntimeMetrics,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeMetrics {
    duration_ms: f64,
    produced_bytes: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    request_id: &'a str,
    metrics: ReportMetrics,
    #[serde(flatten)]
    status: Status<'a>,
}

#[derive(Serialize)]
struct ReportMetrics {
    #[serde(rename = "durationMs")]
    duration: f64,
    #[serde(rename = "billedDurationMs")]
    billed: u64,
    #[serde(rename = "memorySizeMB")]
    memory: i64,
    #[serde(rename = "maxMemoryUsedMB")]
    used: u64,
    #[serde(rename = "initDurationMs", skip_serializing_if = "Option::is_none")]
    init: Option<f64>,
}

#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
}

pub(super) fn of(said: &Said<'_>) -> Vec<(Level, String)> {
    match said {
        Said::InitStart(beginning) => vec![init_start(beginning)],
        Said::InitEnd(initialized) => init_end(initialized).into(),
        Said::Start(job) => {
            let record = Start {
                request_id: &job.request_id,
                function_arn: &job.route.invoked_arn,
                version: &job.route.version,
            };
            vec![(Level::Info, event("platform.start", record))]
        }
        Said::End(ended) => end(ended).into(),
    }
}

fn init_start(beginning: &Beginning<'_>) -> (Level, String) {
    let job = beginning.job;
    let configuration = &job.route.deployed.configuration;
    let runtime = configuration.runtime.as_deref();
    let (date, unique) = beginning.stream.rsplit_once('/').unwrap_or_default();
    let record = InitStart {
        initialization_type: initialization_type(job.is_provisioned),
        phase: "init",
        runtime_version: runtime.map(runtime_version),
        runtime_version_arn: runtime.map(|_| runtime_arn(&job.home.region)),
        function_name: &job.route.function,
        function_version: &job.route.version,
        instance_id: format!("{date}/{}{unique}", job.route.function),
        instance_max_memory: configuration.memory_size << 20,
    };
    let level = if runtime.is_some() { Level::Info } else { Level::Debug };
    (level, event("platform.initStart", record))
}

fn init_end(initialized: &Initialized<'_>) -> [(Level, String); 2] {
    let done = InitEnd {
        initialization_type: initialization_type(initialized.is_provisioned),
        phase: if initialized.is_ahead { "init" } else { "invoke" },
        status: status(initialized.failure),
        metrics: None,
    };
    let metrics = Some(InitMetrics { duration_ms: rounded(initialized.took_ms) });
    let report = InitEnd { metrics, ..done };
    let of_report = if initialized.is_provisioned { Level::Info } else { Level::Debug };
    [
        (level(initialized.failure, Level::Debug), event("platform.initRuntimeDone", done)),
        (level(initialized.failure, of_report), event("platform.initReport", report)),
    ]
}

fn end(ended: &Ended<'_>) -> [(Level, String); 2] {
    let (request_id, failure) = (ended.job.request_id.as_str(), ended.told_failure());
    let measured = ended.measured;
    let done = RuntimeDone {
        request_id,
        status: status(failure),
        metrics: RuntimeMetrics {
            duration_ms: rounded(measured.duration_ms),
            produced_bytes: if failure.is_some() { 0 } else { ended.produced },
        },
    };
    let report = Report {
        request_id,
        metrics: ReportMetrics {
            duration: rounded(measured.duration_ms),
            billed: whole(ended.billed_ms()),
            memory: ended.job.route.deployed.configuration.memory_size,
            used: measured.used_mb,
            init: measured.init_ms.map(rounded),
        },
        status: status(failure),
    };
    [
        (level(failure, Level::Debug), event("platform.runtimeDone", done)),
        (level(failure, Level::Info), event("platform.report", report)),
    ]
}

/// A line of its own, whose break AWS leaves out.
fn event(kind: &'static str, record: impl Serialize) -> String {
    // Texts and numbers always have a JSON form.
    serde_json::to_string(&Event { time: stamp(), kind, record }).unwrap_or_default()
}

fn status(failure: Option<&Failure>) -> Status<'_> {
    match failure {
        None => Status { status: "success", error_type: None },
        Some(Failure::TimedOut) => Status { status: "timeout", error_type: None },
        Some(failure) => Status { status: "error", error_type: Some(failure.kind()) },
    }
}

fn level(failure: Option<&Failure>, otherwise: Level) -> Level {
    if failure.is_some() { Level::Warn } else { otherwise }
}

/// To a thousandth, as AWS has them.
fn rounded(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a billed time is small"
)]
fn whole(ms: f64) -> u64 {
    ms as u64
}
