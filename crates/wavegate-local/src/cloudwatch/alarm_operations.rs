//! The operations on alarms.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::alarm::{Alarm, Comparison, Kind, State, Subject, Watch};
use super::alarms::{Alarms, HistoryItem, MOST_ALARMS, NewState, bare_name};
use super::fault::{Fault, FaultKind};
use super::judge::MissingData;
use super::page;
use super::queries::{MetricSource, Queries, Source, metric_key};
use super::rule::Rule;
use super::shapes::{OPERATIONS, Shape};
use super::statistic::Statistic;
use super::unit::Unit;
use super::value::{Record, Value};
use super::wire::to_json;

/// How many alarms and history items a page holds when the request does not say.
const PER_PAGE: i64 = 50;
/// The most metrics an alarm on an expression may use.
const MOST_METRICS: usize = 10;
/// The members that name the metric of an alarm on a single metric.
const SINGLE_METRIC: [&str; 7] =
    ["MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"];
/// What the local cloud's alarms cannot do.
const ABSENT: [&str; 5] = [
    "ThresholdMetricId",
    "EvaluationCriteria",
    "EvaluationInterval",
    "WarmUpConfiguration",
    "ActionConfiguration",
];

/// Who and where the alarms belong to.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// The region's name.
    pub(crate) region: String,
    /// The account's number.
    pub(crate) account: String,
}

impl Home {
    fn arn(&self, alarm: &str) -> String {
        format!("arn:aws:cloudwatch:{}:{}:alarm:{alarm}", self.region, self.account)
    }
}

/// The input shape of an operation, for configurations kept as they were given.
pub(crate) fn input_shape(operation: &str) -> &'static Shape {
    static NOTHING: Shape = Shape::Structure(&[]);
    OPERATIONS.iter().find(|known| known.name == operation).map_or(&NOTHING, |known| known.input)
}

/// `PutMetricAlarm`.
pub(crate) fn put_metric_alarm(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
) -> Result<Record, Fault> {
    let watch = parse_watch(input)?;
    let due = watch.next_after(now_ms);
    put(alarms, now_ms, input, Kind::Metric(Box::new(watch)), due)
}

/// `PutCompositeAlarm`.
pub(crate) fn put_composite_alarm(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
) -> Result<Record, Fault> {
    let rule = parse_rule(input)?;
    let mut problems = Vec::new();
    for name in ["ActionsSuppressor", "ActionConfiguration"] {
        if input.has(name) {
            problems.push(format!("The local cloud's alarms do not have {name}."));
        }
    }
    let own = input.text("AlarmName").unwrap_or_default();
    let unknown: Vec<&str> = rule
        .children()
        .into_iter()
        .map(bare_name)
        .filter(|child| *child != own && !alarms.all.contains_key(*child))
        .collect();
    if !unknown.is_empty() {
        problems.push(format!(
            "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
            unknown.join(", ")
        ));
    }
    if !problems.is_empty() {
        return Err(Fault::validation(problems.join(" ")));
    }
    put(alarms, now_ms, input, Kind::Composite { rule, pending: true }, i64::MAX)
}

/// The rule of a composite alarm's configuration.
pub(crate) fn parse_rule(input: &Record) -> Result<Rule, Fault> {
    Rule::parse(input.text("AlarmRule").unwrap_or_default())
        .map_err(|reason| Fault::validation(format!("AlarmRule must be a valid rule: {reason}.")))
}

fn put(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
    kind: Kind,
    due: i64,
) -> Result<Record, Fault> {
    let name = input.text("AlarmName").unwrap_or_default();
    let mut config = input.clone();
    let tags = tags_of(config.remove("Tags").as_ref());
    let actions_enabled = config.boolean("ActionsEnabled").unwrap_or(true);
    let former = alarms.all.get(name);
    if former.is_none() && alarms.all.len() >= MOST_ALARMS {
        return Err(Fault::new(
            FaultKind::LimitExceeded,
            format!("The quota of {MOST_ALARMS} alarms has already been reached."),
        ));
    }
    let mut alarm = Alarm {
        kind,
        config,
        tags,
        actions_enabled,
        state: State::InsufficientData,
        reason: "Unchecked: Initial alarm creation".to_owned(),
        reason_data: String::new(),
        updated: now_ms,
        transitioned: now_ms,
        configured: now_ms,
        due,
    };
    if let Some(former) = former {
        if former.type_name() != alarm.type_name() {
            return Err(Fault::validation(format!(
                "An alarm of another kind with the name {name} exists already"
            )));
        }
        // A new configuration leaves the state alone, and tags can only be given at creation.
        alarm.state = former.state;
        alarm.reason.clone_from(&former.reason);
        alarm.reason_data.clone_from(&former.reason_data);
        alarm.updated = former.updated;
        alarm.transitioned = former.transitioned;
        alarm.tags.clone_from(&former.tags);
    }
    let change = if former.is_some() { ("Update", "updated") } else { ("Create", "created") };
    let alarm_type = alarm.type_name();
    let data = configuration_data(change, &alarm);
    alarms.all.insert(name.to_owned(), alarm);
    let summary = format!("Alarm \"{name}\" {}", change.1);
    alarms.remember(name, alarm_type, now_ms, "ConfigurationUpdate", summary, data);
    alarms.mark_parents(name);
    Ok(Record::new())
}

fn configuration_data((kind, participle): (&str, &str), alarm: &Alarm) -> String {
    let operation = match alarm.kind {
        Kind::Metric(_) => "PutMetricAlarm",
        Kind::Composite { .. } => "PutCompositeAlarm",
    };
    let config = camel(to_json(input_shape(operation), &alarm.config));
    let mut data = json!({ "version": "1.0", "type": kind });
    data[format!("{participle}Alarm")] = config;
    data.to_string()
}

/// Member names with their first letter in lower case, as history data has them.
fn camel(json: Json) -> Json {
    match json {
        Json::Object(members) => {
            let lower = |name: String| {
                let mut letters = name.chars();
                letters.next().map_or(String::new(), |first| {
                    first.to_lowercase().chain(letters).collect::<String>()
                })
            };
            Json::Object(
                members.into_iter().map(|(k, v)| (lower(k), camel(v))).collect::<Map<_, _>>(),
            )
        }
        Json::Array(items) => Json::Array(items.into_iter().map(camel).collect()),
        other => other,
    }
}

/// What a metric alarm's configuration watches. Says all that is wrong with it.
pub(crate) fn parse_watch(input: &Record) -> Result<Watch, Fault> {
    let mut problems = Vec::new();
    for name in ABSENT.into_iter().filter(|name| input.has(name)) {
        problems.push(format!("The local cloud's alarms do not have {name}."));
    }
    if input.record("EvaluationWindow").is_some_and(|window| window.has("WallClockWindow")) {
        problems.push("The local cloud's alarms do not have wall clock windows.".to_owned());
    }
    let comparison = input.text("ComparisonOperator").and_then(Comparison::parse);
    match input.text("ComparisonOperator") {
        None => problems.push("The parameter ComparisonOperator is required.".to_owned()),
        Some(name) if comparison.is_none() => problems.push(format!(
            "The comparison {name} is for anomaly detection, which the local cloud does not have."
        )),
        Some(_) => {}
    }
    let threshold = input.double("Threshold");
    match threshold {
        None => problems.push("The parameter Threshold is required.".to_owned()),
        Some(value) if !value.is_finite() => {
            problems.push(format!("The value {value} for parameter Threshold is invalid."));
        }
        Some(_) => {}
    }
    let (m, n) = parse_counts(input, &mut problems);
    let missing =
        input.text("TreatMissingData").map_or(Some(MissingData::default()), MissingData::parse);
    if missing.is_none() {
        problems.push(
            "The parameter TreatMissingData must be one of breaching, notBreaching, ignore, missing."
                .to_owned(),
        );
    }
    let low_samples = input.text("EvaluateLowSampleCountPercentile");
    if !matches!(low_samples, None | Some("evaluate" | "ignore")) {
        problems.push(
            "The parameter EvaluateLowSampleCountPercentile must be evaluate or ignore.".to_owned(),
        );
    }
    check_description(input, &mut problems);
    let subject = if input.list("Metrics").is_empty() {
        parse_single(input, &mut problems)
    } else {
        parse_metrics(input, &mut problems)
    };
    let period = subject.as_ref().map_or(60_000, |(_, period)| *period);
    check_span(period / 1_000, n, &mut problems);
    match (subject, comparison, threshold, missing) {
        (Some((subject, period)), Some(comparison), Some(threshold), Some(missing))
            if problems.is_empty() =>
        {
            Ok(Watch {
                subject,
                period,
                evaluation_periods: n,
                datapoints_to_alarm: m,
                threshold,
                comparison,
                missing,
                ignore_few_samples: low_samples == Some("ignore"),
            })
        }
        _ => Err(Fault::validation(problems.join(" "))),
    }
}

/// M and N.
fn parse_counts(input: &Record, problems: &mut Vec<String>) -> (usize, usize) {
    let Some(n) = input.integer("EvaluationPeriods") else {
        problems.push("The parameter EvaluationPeriods is required.".to_owned());
        return (1, 1);
    };
    let m = input.integer("DatapointsToAlarm").unwrap_or(n);
    if m > n {
        problems.push(format!(
            "DatapointsToAlarm ({m}) must be less than or equal to EvaluationPeriods ({n})."
        ));
    }
    (usize::try_from(m.min(n)).unwrap_or(1), usize::try_from(n).unwrap_or(1))
}

fn check_description(input: &Record, problems: &mut Vec<String>) {
    for name in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
        for action in input.texts(name).filter(|action| !action.starts_with("arn:")) {
            problems.push(format!("Invalid arn syntax: {action} in {name}."));
        }
    }
}

/// An alarm may look back a day, or a week when its periods are an hour or longer.
fn check_span(period: i64, n: usize, problems: &mut Vec<String>) {
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    let (most, span) = if period < 3_600 { (86_400, "a day") } else { (604_800, "a week") };
    if period.saturating_mul(n) > most {
        problems.push(format!(
            "Metrics cannot be checked across more than {span} (EvaluationPeriods * Period must be \
             <= {most})."
        ));
    }
}

fn parse_single(input: &Record, problems: &mut Vec<String>) -> Option<(Subject, i64)> {
    let before = problems.len();
    if !input.has("MetricName") {
        problems.push("Either MetricName or Metrics must be specified.".to_owned());
    }
    for name in ["Namespace", "Period"].into_iter().filter(|name| !input.has(name)) {
        problems.push(format!("The parameter {name} is required with MetricName."));
    }
    let name = match (input.text("Statistic"), input.text("ExtendedStatistic")) {
        (Some(_), Some(_)) => {
            problems.push(
                "The parameters Statistic and ExtendedStatistic are mutually exclusive and you \
                 have specified both."
                    .to_owned(),
            );
            None
        }
        (None, None) => {
            problems.push("Either Statistic or ExtendedStatistic must be specified.".to_owned());
            None
        }
        (Some(name), None) => Some((name, Statistic::parse(name))),
        (None, Some(name)) => Some((name, Statistic::parse_extended(name))),
    };
    if let Some((name, None)) = name {
        problems.push(format!("The value {name} for parameter ExtendedStatistic is invalid."));
    }
    let period = input.integer("Period").unwrap_or(60);
    if !legal_alarm_period(period) {
        problems.push(format!("The period {period} must be 10, 20, 30 or a multiple of 60."));
    }
    let (name, statistic) = name.and_then(|(name, statistic)| statistic.map(|s| (name, s)))?;
    let source = MetricSource {
        key: metric_key(input),
        unit: input.text("Unit").and_then(Unit::parse),
        statistic,
    };
    let subject = Subject::Metric { source, statistic: name.to_owned() };
    (problems.len() == before).then_some((subject, period.saturating_mul(1_000)))
}

fn legal_alarm_period(seconds: i64) -> bool {
    matches!(seconds, 10 | 20 | 30) || (seconds > 0 && seconds % 60 == 0)
}

fn parse_metrics(input: &Record, problems: &mut Vec<String>) -> Option<(Subject, i64)> {
    let before = problems.len();
    for name in SINGLE_METRIC.into_iter().filter(|name| match *name {
        "Dimensions" => !input.list(name).is_empty(),
        _ => input.has(name),
    }) {
        problems.push(format!("{name} must not be specified together with Metrics."));
    }
    let queries = match Queries::parse(input.records("Metrics"), "Metrics") {
        Ok(queries) => queries,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let wanted: Vec<&str> =
        queries.all.iter().filter(|query| query.wanted).map(|query| query.id.as_str()).collect();
    let [id] = wanted.as_slice() else {
        problems.push("Exactly one element of the metrics list should return data.".to_owned());
        return None;
    };
    let id = (*id).to_owned();
    let metrics: Vec<i64> = queries
        .all
        .iter()
        .filter(|query| matches!(query.source, Source::Metric(_)))
        .map(|query| query.period)
        .collect();
    if metrics.is_empty() {
        problems.push("The metrics list must hold at least one metric.".to_owned());
    }
    if metrics.len() > MOST_METRICS {
        problems.push(format!("An alarm can use at most {MOST_METRICS} metrics."));
    }
    let period = metrics.first().copied().unwrap_or(60_000);
    if queries.all.iter().any(|query| query.period != period) {
        problems.push("All elements of the metrics list must have the same period.".to_owned());
    }
    if !legal_alarm_period(period / 1_000) {
        problems
            .push(format!("The period {} must be 10, 20, 30 or a multiple of 60.", period / 1_000));
    }
    (problems.len() == before).then_some((Subject::Queries { queries, id }, period))
}

/// `SetAlarmState`. A metric alarm goes back to its own state at its next evaluation.
pub(crate) fn set_alarm_state(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
) -> Result<Record, Fault> {
    let name = input.text("AlarmName").unwrap_or_default();
    if !alarms.all.contains_key(name) {
        return Err(not_found(name));
    }
    let reason_data = input.text("StateReasonData").unwrap_or_default();
    if !reason_data.is_empty() && serde_json::from_str::<Json>(reason_data).is_err() {
        return Err(Fault::new(
            FaultKind::InvalidFormat,
            "StateReasonData was not syntactically valid JSON",
        ));
    }
    let state = input.text("StateValue").and_then(State::parse).unwrap_or(State::InsufficientData);
    let new = NewState {
        state,
        reason: input.text("StateReason").unwrap_or_default().to_owned(),
        reason_data: reason_data.to_owned(),
    };
    alarms.set_state(name, new, now_ms);
    Ok(Record::new())
}

fn not_found(name: &str) -> Fault {
    Fault::new(FaultKind::ResourceNotFound, format!("Alarm {name} does not exist"))
}

/// `EnableAlarmActions` and `DisableAlarmActions`; names that do not exist are skipped.
pub(crate) fn switch_actions(alarms: &mut Alarms, input: &Record, enabled: Actions) -> Record {
    for name in input.texts("AlarmNames") {
        if let Some(alarm) = alarms.all.get_mut(name) {
            alarm.actions_enabled = enabled == Actions::Enabled;
        }
    }
    Record::new()
}

/// Whether actions are to be enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actions {
    /// They are.
    Enabled,
    /// They are not.
    Disabled,
}

/// `DeleteAlarms`; names that do not exist are skipped.
pub(crate) fn delete_alarms(
    alarms: &mut Alarms,
    now_ms: i64,
    input: &Record,
) -> Result<Record, Fault> {
    let names: Vec<&str> = input.texts("AlarmNames").collect();
    let composites = names
        .iter()
        .filter(|name| {
            alarms.all.get(**name).is_some_and(|a| matches!(a.kind, Kind::Composite { .. }))
        })
        .count();
    if composites > 1 {
        return Err(Fault::validation(
            "You can't delete more than one composite alarm in one operation",
        ));
    }
    let held: Vec<String> = names
        .iter()
        .filter_map(|name| {
            let parents: Vec<&str> =
                alarms.parents(name).into_iter().filter(|parent| !names.contains(parent)).collect();
            (!parents.is_empty()).then(|| {
                format!(
                    "Cannot delete {name} as there are composite alarm(s) depending on it: {}",
                    parents.join(", ")
                )
            })
        })
        .collect();
    if !held.is_empty() {
        return Err(Fault::new(FaultKind::ResourceConflict, held.join(". ")));
    }
    for name in names {
        if let Some(alarm) = alarms.all.remove(name) {
            let data = configuration_data(("Delete", "deleted"), &alarm);
            let summary = format!("Alarm \"{name}\" deleted");
            let kind = alarm.type_name();
            alarms.remember(name, kind, now_ms, "ConfigurationUpdate", summary, data);
            alarms.mark_parents(name);
        }
    }
    Ok(Record::new())
}

/// The page size a request asks for.
fn per_page(input: &Record) -> usize {
    usize::try_from(input.integer("MaxRecords").unwrap_or(PER_PAGE)).unwrap_or(1)
}

/// `DescribeAlarms`. Without `AlarmTypes` only metric alarms are answered.
pub(crate) fn describe_alarms(
    alarms: &Alarms,
    home: &Home,
    input: &Record,
) -> Result<Record, Fault> {
    const OPERATION: &str = "DescribeAlarms";
    check_describe(input)?;
    let after = match input.text("NextToken") {
        Some(token) => Some(page::place(OPERATION, token)?),
        None => None,
    };
    let related = related_names(alarms, input)?;
    let types: Vec<&str> = input.texts("AlarmTypes").collect();
    let names: Vec<&str> = input.texts("AlarmNames").collect();
    let wanted = |name: &str, alarm: &Alarm| {
        let of_type = match &related {
            Some(related) => related.iter().any(|other| other == name),
            None if types.is_empty() => matches!(alarm.kind, Kind::Metric(_)),
            None => types.contains(&alarm.type_name()),
        };
        let action = input.text("ActionPrefix");
        of_type
            && (names.is_empty() || names.contains(&name))
            && input.text("AlarmNamePrefix").is_none_or(|prefix| name.starts_with(prefix))
            && input.text("StateValue").is_none_or(|state| state == alarm.state.name())
            && action.is_none_or(|prefix| {
                ["OKActions", "AlarmActions", "InsufficientDataActions"]
                    .iter()
                    .any(|list| alarm.config.texts(list).any(|action| action.starts_with(prefix)))
            })
            && after.as_ref().is_none_or(|after| name > after.as_str())
    };
    let limit = per_page(input);
    let mut found: Vec<(&String, &Alarm)> =
        alarms.all.iter().filter(|(name, alarm)| wanted(name, alarm)).take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(name, _)| page::token(OPERATION, name));
    let (mut composites, mut metrics) = (Vec::new(), Vec::new());
    for (name, alarm) in found {
        let record = match related {
            Some(_) => brief(home, name, alarm),
            None => describe(home, name, alarm),
        };
        match alarm.kind {
            Kind::Metric(_) => metrics.push(record),
            Kind::Composite { .. } => composites.push(record),
        }
    }
    Ok(Record::new()
        .with("CompositeAlarms", composites)
        .with("MetricAlarms", metrics)
        .with_some("NextToken", next))
}

fn check_describe(input: &Record) -> Result<(), Fault> {
    if !input.list("AlarmNames").is_empty() && input.has("AlarmNamePrefix") {
        return Err(Fault::validation(
            "AlarmNamePrefix and AlarmNames are mutually exclusive and you have specified both",
        ));
    }
    for name in ["ChildrenOfAlarmName", "ParentsOfAlarmName"].into_iter().filter(|n| input.has(n)) {
        let others = input
            .iter()
            .any(|(other, _)| ![name, "MaxRecords", "NextToken"].contains(&other.as_str()));
        if others {
            return Err(Fault::validation(format!(
                "{name} can only be given together with MaxRecords and NextToken"
            )));
        }
    }
    Ok(())
}

/// The alarms below or above the one a request names, when it names one.
fn related_names(alarms: &Alarms, input: &Record) -> Result<Option<Vec<String>>, Fault> {
    if let Some(name) = input.text("ParentsOfAlarmName") {
        return Ok(Some(alarms.parents(name).into_iter().map(ToOwned::to_owned).collect()));
    }
    let Some(name) = input.text("ChildrenOfAlarmName") else { return Ok(None) };
    match alarms.all.get(name).map(|alarm| &alarm.kind) {
        Some(Kind::Composite { rule, .. }) => {
            Ok(Some(rule.children().into_iter().map(|c| bare_name(c).to_owned()).collect()))
        }
        Some(Kind::Metric(_)) => Err(Fault::validation(format!("{name} is not a composite alarm"))),
        None => Err(not_found(name)),
    }
}

fn brief(home: &Home, name: &str, alarm: &Alarm) -> Record {
    Record::new()
        .with("AlarmName", name)
        .with("AlarmArn", home.arn(name))
        .with("StateValue", alarm.state.name())
        .with_time("StateUpdatedTimestamp", alarm.updated)
}

fn describe(home: &Home, name: &str, alarm: &Alarm) -> Record {
    let shared = [
        "AlarmDescription",
        "OKActions",
        "AlarmActions",
        "InsufficientDataActions",
        "AlarmRule",
        "MetricName",
        "Namespace",
        "Statistic",
        "ExtendedStatistic",
        "Dimensions",
        "Period",
        "Unit",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "Threshold",
        "ComparisonOperator",
        "TreatMissingData",
        "EvaluateLowSampleCountPercentile",
        "Metrics",
        "EvaluationWindow",
    ];
    let mut record = brief(home, name, alarm)
        .with_time("AlarmConfigurationUpdatedTimestamp", alarm.configured)
        .with("ActionsEnabled", alarm.actions_enabled)
        .with("StateReason", alarm.reason.as_str())
        .with_some(
            "StateReasonData",
            (!alarm.reason_data.is_empty()).then_some(alarm.reason_data.as_str()),
        )
        .with_time("StateTransitionedTimestamp", alarm.transitioned);
    let lists = ["OKActions", "AlarmActions", "InsufficientDataActions"];
    let dimensions = matches!(alarm.kind, Kind::Metric(_)).then_some("Dimensions");
    for list in lists.into_iter().chain(dimensions) {
        record.insert(list, Value::List(Vec::new()));
    }
    record.with_copies(&alarm.config, &shared)
}

/// `DescribeAlarmsForMetric`: the metric alarms on exactly that metric.
pub(crate) fn describe_alarms_for_metric(alarms: &Alarms, home: &Home, input: &Record) -> Record {
    let key = metric_key(input);
    let same = |alarm: &Alarm, name: &str| match input.get(name) {
        Some(wanted) => alarm.config.get(name) == Some(wanted),
        None => true,
    };
    let wanted = |alarm: &Alarm| {
        let Kind::Metric(watch) = &alarm.kind else { return false };
        match &watch.subject {
            Subject::Metric { source, .. } => {
                source.key == key
                    && ["Statistic", "ExtendedStatistic", "Period", "Unit"]
                        .iter()
                        .all(|name| same(alarm, name))
            }
            Subject::Queries { queries, .. } => queries
                .all
                .iter()
                .any(|query| matches!(&query.source, Source::Metric(source) if source.key == key)),
        }
    };
    let found: Vec<Record> = alarms
        .all
        .iter()
        .filter(|(_, alarm)| wanted(alarm))
        .map(|(name, alarm)| describe(home, name, alarm))
        .collect();
    Record::new().with("MetricAlarms", found)
}

/// `DescribeAlarmHistory`.
pub(crate) fn describe_alarm_history(alarms: &Alarms, input: &Record) -> Result<Record, Fault> {
    const OPERATION: &str = "DescribeAlarmHistory";
    let after: Option<u64> = match input.text("NextToken") {
        Some(token) => Some(page::place(OPERATION, token)?.parse().map_err(|_| {
            Fault::new(FaultKind::InvalidNextToken, "The value for parameter NextToken is invalid.")
        })?),
        None => None,
    };
    let ascending = input.text("ScanBy") == Some("TimestampAscending");
    let types: Vec<&str> = input.texts("AlarmTypes").collect();
    let wanted =
        |item: &&HistoryItem| {
            let of_type = if types.is_empty() {
                item.alarm_type == "MetricAlarm"
            } else {
                types.contains(&item.alarm_type.as_str())
            };
            of_type
                && input.text("AlarmName").is_none_or(|name| name == item.alarm)
                && input.text("HistoryItemType").is_none_or(|kind| kind == item.item_type)
                && input.time("StartDate").is_none_or(|start| item.at >= start)
                && input.time("EndDate").is_none_or(|end| item.at <= end)
                && after.is_none_or(|after| {
                    if ascending { item.number > after } else { item.number < after }
                })
        };
    let limit = per_page(input);
    let mut found: Vec<&HistoryItem> = if ascending {
        alarms.history.iter().filter(wanted).take(limit + 1).collect()
    } else {
        alarms.history.iter().rev().filter(wanted).take(limit + 1).collect()
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let next =
        found.last().filter(|_| more).map(|item| page::token(OPERATION, &item.number.to_string()));
    let items: Vec<Record> = found.into_iter().map(history_record).collect();
    Ok(Record::new().with("AlarmHistoryItems", items).with_some("NextToken", next))
}

fn history_record(item: &HistoryItem) -> Record {
    Record::new()
        .with("AlarmName", item.alarm.as_str())
        .with("AlarmType", item.alarm_type.as_str())
        .with_time("Timestamp", item.at)
        .with("HistoryItemType", item.item_type.as_str())
        .with("HistorySummary", item.summary.as_str())
        .with("HistoryData", item.data.as_str())
}

fn tags_of(value: Option<&Value>) -> BTreeMap<String, String> {
    let Some(Value::List(tags)) = value else { return BTreeMap::new() };
    tags.iter()
        .filter_map(|tag| match tag {
            Value::Record(tag) => {
                Some((tag.text("Key")?.to_owned(), tag.text("Value")?.to_owned()))
            }
            _ => None,
        })
        .collect()
}

fn tagged<'a>(alarms: &'a mut Alarms, input: &Record) -> Result<&'a mut Alarm, Fault> {
    let arn = input.text("ResourceARN").unwrap_or_default();
    if !arn.starts_with("arn:") {
        return Err(Fault::value(format!("The value {arn} for parameter ResourceARN is invalid.")));
    }
    alarms.all.get_mut(bare_name(arn)).ok_or_else(|| {
        Fault::new(
            FaultKind::ResourceNotFoundException,
            format!("The resource {arn} does not exist"),
        )
    })
}

/// `TagResource`.
pub(crate) fn tag_resource(alarms: &mut Alarms, input: &Record) -> Result<Record, Fault> {
    /// The most tags a resource may have.
    const MOST_TAGS: usize = 50;
    let alarm = tagged(alarms, input)?;
    let mut tags = alarm.tags.clone();
    tags.extend(tags_of(input.get("Tags")));
    if tags.len() > MOST_TAGS {
        return Err(Fault::value(format!("A resource can have at most {MOST_TAGS} tags.")));
    }
    alarm.tags = tags;
    Ok(Record::new())
}

/// `UntagResource`.
pub(crate) fn untag_resource(alarms: &mut Alarms, input: &Record) -> Result<Record, Fault> {
    let alarm = tagged(alarms, input)?;
    for key in input.texts("TagKeys") {
        alarm.tags.remove(key);
    }
    Ok(Record::new())
}

/// `ListTagsForResource`.
pub(crate) fn list_tags_for_resource(alarms: &mut Alarms, input: &Record) -> Result<Record, Fault> {
    let tags: Vec<Record> = tagged(alarms, input)?
        .tags
        .iter()
        .map(|(key, value)| Record::new().with("Key", key.as_str()).with("Value", value.as_str()))
        .collect();
    Ok(Record::new().with("Tags", tags))
}
