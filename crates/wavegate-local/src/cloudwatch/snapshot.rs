//! The state of CloudWatch as JSON, with a format number.
//!
//! Alarms are kept as the configuration they were put with and parsed again on reading, so a
//! snapshot cannot say something an API call could not. Metric data is kept in arrays to stay
//! small. Readers refuse formats they do not know and ignore members they do not know.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::CloudWatch;
use super::alarm::{Alarm, Kind, State};
use super::alarm_operations::{input_shape, parse_rule, parse_watch};
use super::alarms::{Alarms, HistoryItem};
use super::histogram::Histogram;
use super::store::{Bucket, Metric, MetricKey, Series, Store};
use super::unit::Unit;
use super::wire::{from_json, to_json};

/// The format this version writes and reads.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u64,
    alarms: Vec<KeptAlarm>,
    history: Vec<KeptItem>,
    next_item: u64,
    metrics: Vec<KeptMetric>,
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
    };
    // Cannot fail: the types hold nothing that JSON lacks, for all numbers kept are finite.
    serde_json::to_value(kept).unwrap_or_default()
}

/// The state a snapshot holds.
pub(super) fn read(json: Json) -> Result<(Store, Alarms), String> {
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
    let mut alarms = Alarms { next_item: kept.next_item, ..Alarms::default() };
    for alarm in kept.alarms {
        let (name, alarm) = read_alarm(alarm)?;
        alarms.all.insert(name, alarm);
    }
    alarms.history = kept.history.into_iter().map(read_item).collect::<VecDeque<_>>();
    Ok((store, alarms))
}

fn operation(composite: bool) -> &'static str {
    if composite { "PutCompositeAlarm" } else { "PutMetricAlarm" }
}

fn keep_alarm(alarm: &Alarm) -> KeptAlarm {
    let (composite, pending) = match alarm.kind {
        Kind::Metric(_) => (false, false),
        Kind::Composite { pending, .. } => (true, pending),
    };
    KeptAlarm {
        composite,
        config: to_json(input_shape(operation(composite)), &alarm.config),
        tags: alarm.tags.clone(),
        actions_enabled: alarm.actions_enabled,
        state: alarm.state.name().to_owned(),
        reason: alarm.reason.clone(),
        reason_data: alarm.reason_data.clone(),
        updated: alarm.updated,
        transitioned: alarm.transitioned,
        configured: alarm.configured,
        due: alarm.due,
        pending,
    }
}

fn read_alarm(kept: KeptAlarm) -> Result<(String, Alarm), String> {
    let damaged = |why: String| format!("the CloudWatch snapshot has a damaged alarm: {why}");
    let config = from_json(input_shape(operation(kept.composite)), &kept.config)
        .map_err(|fault| damaged(fault.message))?;
    let name =
        config.text("AlarmName").ok_or_else(|| damaged("it has no name".to_owned()))?.to_owned();
    let in_alarm = |why: String| damaged(format!("{name}: {why}"));
    let kind = if kept.composite {
        let rule = parse_rule(&config).map_err(|fault| in_alarm(fault.message))?;
        Kind::Composite { rule, pending: kept.pending }
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
        state,
        reason: kept.reason,
        reason_data: kept.reason_data,
        updated: kept.updated,
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
