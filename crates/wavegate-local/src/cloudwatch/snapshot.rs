//! The state of CloudWatch as JSON, with a format number.
//!
//! Alarms are kept as the configuration they were put with and parsed again on reading, so a
//! snapshot cannot say something an API call could not. Metric data is kept in arrays to stay
//! small. Readers refuse formats they do not know and ignore members they do not know.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::CloudWatch;
use super::alarm::{Alarm, Kind, State, Status, SuppressedBy, Trigger};
use super::alarm_operations::{parse_composite, parse_watch};
use super::alarms::{Alarms, HistoryItem, Invocation, Waiting};
use super::dashboards::{Dashboard, Dashboards};
use super::histogram::Histogram;
use super::home::Home;
use super::resources::Resources;
use super::store::{Bucket, Metric, MetricKey, Series, Store};
use super::unit::Unit;
use super::value::Members;

/// The format this version writes and reads.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u64,
    alarms: Vec<KeptAlarm>,
    history: Vec<KeptItem>,
    next_item: u64,
    metrics: Vec<KeptMetric>,
    #[serde(default)]
    waiting: Vec<KeptInvocation>,
    #[serde(default)]
    dashboards: Vec<KeptDashboard>,
    #[serde(default)]
    resources: Resources,
}

#[derive(Serialize, Deserialize)]
struct KeptAlarm {
    composite: bool,
    config: Json,
    tags: BTreeMap<String, String>,
    actions_enabled: bool,
    state: String,
    reason: String,
    reason_data: String,
    updated: i64,
    transitioned: i64,
    configured: i64,
    due: i64,
    pending: bool,
    #[serde(default)]
    suppressed: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct KeptItem {
    number: u64,
    alarm: String,
    alarm_type: String,
    at: i64,
    item_type: String,
    summary: String,
    data: String,
}

#[derive(Serialize, Deserialize)]
struct KeptInvocation {
    number: u64,
    function: String,
    alarm: String,
    alarm_type: String,
    event: String,
    updated: i64,
}

#[derive(Serialize, Deserialize)]
struct KeptDashboard {
    name: String,
    body: String,
    modified: i64,
    tags: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct KeptMetric {
    namespace: String,
    name: String,
    dimensions: Vec<(String, String)>,
    newest: i64,
    series: Vec<KeptSeries>,
}

#[derive(Serialize, Deserialize)]
struct KeptSeries {
    unit: String,
    minutes: Vec<KeptBucket>,
    seconds: Vec<KeptBucket>,
}

/// Start, count, sum, minimum, maximum, whether opaque, values with counts.
#[derive(Serialize, Deserialize)]
struct KeptBucket(i64, f64, f64, f64, f64, bool, Vec<(f64, f64)>);

/// The state as JSON.
pub(super) fn take(cloud: &CloudWatch) -> Json {
    let kept = Kept {
        format: FORMAT,
        alarms: cloud.alarms.all.values().map(keep_alarm).collect(),
        history: cloud.alarms.history.iter().map(keep_item).collect(),
        next_item: cloud.alarms.next_item,
        metrics: cloud.store.sorted().into_iter().map(keep_metric).collect(),
        waiting: cloud.alarms.waiting.iter().map(keep_invocation).collect(),
        dashboards: cloud.dashboards.all.iter().map(keep_dashboard).collect(),
        resources: cloud.resources.clone(),
    };
    // Cannot fail: the types hold nothing that JSON lacks, for all numbers kept are finite.
    serde_json::to_value(kept).unwrap_or_default()
}

/// What a snapshot holds.
pub(super) struct Restored {
    pub(super) store: Store,
    pub(super) alarms: Alarms,
    pub(super) dashboards: Dashboards,
    pub(super) resources: Resources,
}

/// The state a snapshot holds.
pub(super) fn read(json: Json, home: &Home) -> Result<Restored, String> {
    let format = json.get("format").and_then(Json::as_u64);
    if format != Some(FORMAT) {
        return Err(match format {
            Some(other) => format!(
                "the CloudWatch snapshot has format {other}, and this version reads {FORMAT}"
            ),
            None => "the CloudWatch snapshot has no format number".to_owned(),
        });
    }
    let kept: Kept = serde_json::from_value(json)
        .map_err(|error| format!("the CloudWatch snapshot is damaged: {error}"))?;
    let mut store = Store::default();
    for metric in kept.metrics {
        let (key, metric) = read_metric(metric)?;
        store.put_back(key, metric);
    }
    let mut alarms = Alarms { next_item: kept.next_item, ..Alarms::new(home.clone()) };
    for alarm in kept.alarms {
        let (name, alarm) = read_alarm(alarm)?;
        alarms.all.insert(name, alarm);
    }
    alarms.history = kept.history.into_iter().map(read_item).collect::<VecDeque<_>>();
    alarms.waiting = kept.waiting.into_iter().map(read_invocation).collect();
    let dashboards = kept.dashboards.into_iter().map(read_dashboard).collect();
    let dashboards = Dashboards { all: dashboards };
    Ok(Restored { store, alarms, dashboards, resources: kept.resources })
}

fn keep_alarm(alarm: &Alarm) -> KeptAlarm {
    let composite = alarm.composite();
    let status = &alarm.status;
    KeptAlarm {
        composite: composite.is_some(),
        config: Json::Object(alarm.config.clone()),
        tags: alarm.tags.clone(),
        actions_enabled: alarm.actions_enabled,
        state: status.state.name().to_owned(),
        reason: status.reason.clone(),
        reason_data: status.reason_data.clone(),
        updated: status.updated,
        transitioned: alarm.transitioned,
        configured: alarm.configured,
        due: alarm.due,
        pending: composite.is_some_and(|composite| composite.pending.is_some()),
        suppressed: status.suppressed.map(|by| by.name().to_owned()),
    }
}

fn read_alarm(kept: KeptAlarm) -> Result<(String, Alarm), String> {
    let damaged = |why: String| format!("the CloudWatch snapshot has a damaged alarm: {why}");
    let Json::Object(config) = kept.config else {
        return Err(damaged("its configuration is no object".to_owned()));
    };
    let name =
        config.text("AlarmName").ok_or_else(|| damaged("it has no name".to_owned()))?.to_owned();
    let in_alarm = |why: String| damaged(format!("{name}: {why}"));
    let kind = if kept.composite {
        let mut composite = parse_composite(&config).map_err(|fault| in_alarm(fault.message))?;
        composite.pending = kept.pending.then_some(Trigger::Updated);
        Kind::Composite(Box::new(composite))
    } else {
        Kind::Metric(Box::new(parse_watch(&config).map_err(|fault| in_alarm(fault.message))?))
    };
    let state =
        State::parse(&kept.state).ok_or_else(|| in_alarm(format!("{} is no state", kept.state)))?;
    let alarm = Alarm {
        kind,
        config,
        tags: kept.tags,
        actions_enabled: kept.actions_enabled,
        status: Status {
            state,
            reason: kept.reason,
            reason_data: kept.reason_data,
            updated: kept.updated,
            suppressed: kept.suppressed.as_deref().and_then(SuppressedBy::parse),
        },
        transitioned: kept.transitioned,
        configured: kept.configured,
        due: kept.due,
    };
    Ok((name, alarm))
}

fn keep_item(item: &HistoryItem) -> KeptItem {
    KeptItem {
        number: item.number,
        alarm: item.alarm.clone(),
        alarm_type: item.alarm_type.clone(),
        at: item.at,
        item_type: item.item_type.clone(),
        summary: item.summary.clone(),
        data: item.data.clone(),
    }
}

fn read_item(kept: KeptItem) -> HistoryItem {
    HistoryItem {
        number: kept.number,
        alarm: kept.alarm,
        alarm_type: kept.alarm_type,
        at: kept.at,
        item_type: kept.item_type,
        summary: kept.summary,
        data: kept.data,
    }
}

fn keep_invocation(waiting: &Waiting) -> KeptInvocation {
    let Waiting { invocation, alarm_type, updated, .. } = waiting;
    KeptInvocation {
        number: invocation.number,
        function: invocation.function.clone(),
        alarm: invocation.alarm.clone(),
        alarm_type: alarm_type.clone(),
        event: invocation.event.clone(),
        updated: *updated,
    }
}

fn read_invocation(kept: KeptInvocation) -> Waiting {
    let KeptInvocation { number, function, alarm, alarm_type, event, updated } = kept;
    let invocation = Invocation { number, function, alarm, event };
    Waiting { invocation, alarm_type, updated, taken: false }
}

fn keep_dashboard((name, dashboard): (&String, &Dashboard)) -> KeptDashboard {
    KeptDashboard {
        name: name.clone(),
        body: dashboard.body.clone(),
        modified: dashboard.modified,
        tags: dashboard.tags.clone(),
    }
}

fn read_dashboard(kept: KeptDashboard) -> (String, Dashboard) {
    let KeptDashboard { name, body, modified, tags } = kept;
    (name, Dashboard { body, modified, tags })
}

fn keep_metric((key, metric): (&MetricKey, &Metric)) -> KeptMetric {
    KeptMetric {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        dimensions: key.dimensions.clone(),
        newest: metric.newest,
        series: metric
            .series
            .iter()
            .map(|(unit, series)| KeptSeries {
                unit: unit.name().to_owned(),
                minutes: series.minutes.iter().map(keep_bucket).collect(),
                seconds: series.seconds.iter().map(keep_bucket).collect(),
            })
            .collect(),
    }
}

fn keep_bucket((at, bucket): (&i64, &Bucket)) -> KeptBucket {
    KeptBucket(
        *at,
        bucket.count,
        bucket.sum,
        bucket.minimum,
        bucket.maximum,
        bucket.opaque,
        bucket.values.entries().to_vec(),
    )
}

fn read_metric(kept: KeptMetric) -> Result<(MetricKey, Metric), String> {
    let mut metric = Metric { series: Vec::new(), newest: kept.newest };
    for series in kept.series {
        let unit = Unit::parse(&series.unit).ok_or_else(|| {
            format!("the CloudWatch snapshot has an unknown unit {}", series.unit)
        })?;
        let read = Series {
            minutes: series.minutes.into_iter().map(read_bucket).collect(),
            seconds: series.seconds.into_iter().map(read_bucket).collect(),
        };
        metric.series.push((unit, read));
    }
    Ok((MetricKey::new(kept.namespace, kept.name, kept.dimensions), metric))
}

fn read_bucket(kept: KeptBucket) -> (i64, Bucket) {
    let KeptBucket(at, count, sum, minimum, maximum, opaque, values) = kept;
    (at, Bucket { count, sum, minimum, maximum, values: Histogram::of(values), opaque })
}
