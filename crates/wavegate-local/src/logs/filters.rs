//! Metric filters: which events of a group become data of which metric.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::Asked;
use super::page::page;
use super::pattern::Pattern;
use super::store::Group;
use super::{Desk, Refusal, invalid, missing};
use crate::cloudwatch::{Datum, Unit};
use crate::wire::Fault;

/// AWS: filters of one group.
const FILTERS_MAX: i64 = 100;
/// AWS: dimensions of a filter's metric.
const DIMENSIONS_MAX: usize = 3;
/// Milliseconds of what a default value is told for.
const MINUTE_MS: i64 = 60_000;

impl Desk<'_> {
    /// AWS: a filter of the same name is replaced.
    pub(super) fn put_filter(&self, asked: &Asked) -> Result<Value, Refusal> {
        let group = self.group(asked.group_name()?)?;
        let pattern = asked.filter_pattern.as_deref().unwrap_or_default();
        Pattern::parse(pattern).map_err(invalid)?;
        check(&asked.metric_transformations[0])?;
        if count(self.data, &group, &asked.filter_name)? >= FILTERS_MAX {
            return Err(Fault::new("LimitExceededException", "Resource limit exceeded.").into());
        }
        let mut shown = json!({
            "filterName": asked.filter_name,
            "filterPattern": pattern,
            "metricTransformations": asked.metric_transformations,
            "logGroupName": group.name,
            "creationTime": self.now,
            "applyOnTransformedLogs": asked.apply_on_transformed_logs.unwrap_or_default(),
        });
        for (member, value) in [
            ("fieldSelectionCriteria", &asked.field_selection_criteria),
            ("emitSystemFieldDimensions", &asked.emit_system_field_dimensions),
        ] {
            if !value.is_null() {
                shown[member] = value.clone();
            }
        }
        self.data.execute(
            "insert into metric_filter (group_id, name, shown) values (?1, ?2, ?3)
             on conflict do update set shown = excluded.shown",
            params![group.id, asked.filter_name, shown.to_string()],
        )?;
        Ok(Value::Null)
    }

    pub(super) fn delete_filter(&self, asked: &Asked) -> Result<Value, Refusal> {
        let group = self.group(asked.group_name()?)?;
        let gone = self.data.execute(
            "delete from metric_filter where group_id = ?1 and name = ?2",
            params![group.id, asked.filter_name],
        )?;
        if gone == 0 {
            return Err(missing("metric filter"));
        }
        Ok(Value::Null)
    }

    /// Filters of a group, or of all.
    pub(super) fn describe_filters(&self, asked: &Asked) -> Result<Value, Refusal> {
        let metric = (asked.metric_namespace.as_deref(), asked.metric_name.as_deref());
        if metric.0.is_some() != metric.1.is_some() {
            return Err(invalid("metricName and metricNamespace must be given together."));
        }
        let groups = match asked.group_name_if_any()? {
            Some(name) => vec![self.group(name)?],
            None => Group::all(self.data, self.place)?,
        };
        let prefix = asked.filter_name_prefix.as_deref().unwrap_or_default();
        let mut found = Vec::new();
        for group in groups {
            for (name, shown) in shown(self.data, &group)? {
                let into = &shown["metricTransformations"][0];
                let is_wanted = name.starts_with(prefix)
                    && metric.0.is_none_or(|wanted| into["metricNamespace"] == wanted)
                    && metric.1.is_none_or(|wanted| into["metricName"] == wanted);
                if is_wanted {
                    // No name of a filter has a colon.
                    found.push((format!("{name}:{}", group.name), shown));
                }
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        page("metricFilters", asked, found)
    }
}

/// What AWS documents of a transformation beyond the model.
fn check(transformation: &Value) -> Result<(), Refusal> {
    let dimensions = transformation["dimensions"].as_object().map_or(0, serde_json::Map::len);
    if dimensions > DIMENSIONS_MAX {
        return Err(invalid(format!("At most {DIMENSIONS_MAX} dimensions can be given.")));
    }
    if dimensions > 0 && !transformation["defaultValue"].is_null() {
        return Err(invalid("A default value cannot be given with dimensions."));
    }
    Ok(())
}

/// How many filters a group has beside the named one.
fn count(data: &Connection, group: &Group, name: &str) -> rusqlite::Result<i64> {
    data.prepare_cached("select count(*) from metric_filter where group_id = ?1 and name <> ?2")?
        .query_row(params![group.id, name], |row| row.get(0))
}

/// How many filters a group has.
pub(super) fn count_all(data: &Connection, group: &Group) -> rusqlite::Result<i64> {
    // No filter has no name.
    count(data, group, "")
}

/// A group's filters by name, as they are shown.
fn shown(data: &Connection, group: &Group) -> rusqlite::Result<Vec<(String, Value)>> {
    let mut statement =
        data.prepare_cached("select name, shown from metric_filter where group_id = ?1")?;
    let rows =
        statement.query_map([group.id], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    // Written by this program alone.
    let read =
        |(name, shown): (String, String)| (name, serde_json::from_str(&shown).unwrap_or_default());
    rows.map(|row| row.map(read)).collect()
}

/// What a group's filters find in events that have just come in, each with its time.
pub(super) fn found_in(
    data: &Connection,
    group: &Group,
    events: &[(i64, &str)],
) -> rusqlite::Result<Vec<Datum>> {
    let filters = shown(data, group)?;
    Ok(filters
        .iter()
        .filter_map(|(_, shown)| Filter::of(shown))
        .flat_map(|it| it.find(events))
        .collect())
}

/// A filter that is used.
struct Filter {
    pattern: Pattern,
    into: Transformation,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transformation {
    metric_name: String,
    metric_namespace: String,
    metric_value: String,
    default_value: Option<f64>,
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    unit: Option<String>,
}

impl Filter {
    fn of(shown: &Value) -> Option<Self> {
        let pattern = Pattern::parse(shown["filterPattern"].as_str()?).ok()?;
        let into = Transformation::deserialize(&shown["metricTransformations"][0]).ok()?;
        Some(Self { pattern, into })
    }

    fn find(&self, events: &[(i64, &str)]) -> Vec<Datum> {
        let mut data = Vec::new();
        let (mut quiet, mut told) = (BTreeSet::new(), BTreeSet::new());
        for (at_ms, message) in events {
            let minute = at_ms - at_ms.rem_euclid(MINUTE_MS);
            if self.pattern.matches(message) {
                told.insert(minute);
                data.extend(self.datum(*at_ms, message));
            } else {
                quiet.insert(minute);
            }
        }
        // AWS: the default is for a minute in which events come in and none is found.
        if let Some(value) = self.into.default_value {
            data.extend(quiet.difference(&told).map(|at| self.of_metric(*at, value, Vec::new())));
        }
        data
    }

    /// What one event says; nothing if its value is no number or a dimension is not in it.
    fn datum(&self, at_ms: i64, message: &str) -> Option<Datum> {
        let read = |reference: &str| match reference.strip_prefix('$') {
            Some(name) => self.pattern.read(name, message),
            None => Some(reference.to_owned()),
        };
        let value = read(&self.into.metric_value)?.parse().ok()?;
        let dimensions = self.into.dimensions.iter();
        let dimensions = dimensions.map(|(name, from)| Some((name.clone(), read(from)?)));
        Some(self.of_metric(at_ms, value, dimensions.collect::<Option<_>>()?))
    }

    fn of_metric(&self, timestamp_ms: i64, value: f64, dimensions: Vec<(String, String)>) -> Datum {
        Datum {
            namespace: self.into.metric_namespace.clone(),
            name: self.into.metric_name.clone(),
            dimensions,
            timestamp_ms,
            value,
            unit: self.into.unit.as_deref().and_then(Unit::parse).unwrap_or(Unit::None),
        }
    }
}
