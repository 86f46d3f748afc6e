//! Alarms that deployment preferences name.
//!
//! One that the template gives a name to is watched by that name. One without a name that watches a
//! metric of Lambda's on the function itself becomes `cloudwatch-metric`, which measures the same on
//! the candidate alone and needs no alarm. Of any other the name is not known.

use std::ops::Range;

use crate::import::draft::Draft;
use crate::import::physical::type_of;
use crate::import::value::{Text, Value};
use crate::import::write::{self, Item, Table};
use crate::import::yaml::Node;

/// The types of alarms.
pub(crate) const TYPES: [&str; 2] = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"];

/// Properties of an alarm that say what it watches.
const WATCHED: [&str; 11] = [
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
];

/// An alarm that functions name.
pub(crate) struct AlarmUse {
    /// The table's name.
    pub(crate) table: String,
    /// The functions that use it, by their keys.
    pub(crate) functions: Vec<String>,
    /// The resource that declares it, by its logical id.
    pub(crate) resource: Option<String>,
    /// Its name.
    pub(crate) name: Text,
    pub(crate) span: Range<usize>,
    pub(crate) property: String,
}

impl Draft<'_> {
    /// Writes the tables of all alarms that are named.
    pub(crate) fn settle_alarms(&mut self) {
        let mut uses: Vec<AlarmUse> = std::mem::take(&mut self.alarms).into_values().collect();
        uses.sort_by_key(|used| used.span.start);
        for used in uses {
            let key = format!("alarms.{}", write::key(&used.table));
            if let Some(id) = &used.resource {
                self.declared(id, &used, &key);
                continue;
            }
            let named = used.name.clone();
            let unknowns: Vec<_> = named.unknowns().cloned().collect();
            self.told((&used.span, &used.property), &key, &unknowns);
            self.by_name(&used.table, named);
        }
    }

    fn by_name(&mut self, table: &str, name: Text) {
        let keys = vec![("use", Item::text("cloudwatch-alarm")), ("alarm", Item::Text(name))];
        self.table(|app| &mut app.alarms, Table { name: table.to_owned(), keys });
    }

    fn declared(&mut self, id: &str, used: &AlarmUse, key: &str) {
        let Some(resource) = self.template.resource(id) else { return };
        self.used.push(id.to_owned());
        let span = resource.get("Type").map_or(0..0, |node| node.span.clone());
        let properties = resource.get("Properties");
        let name = used.name.clone();
        if properties.is_some_and(|node| node.get("AlarmName").is_some()) {
            let unknowns: Vec<_> = name.unknowns().cloned().collect();
            let why = "it is watched by its name, so it must exist where the app is deployed";
            self.ledger.changed(&span, id, key, why);
            if !unknowns.is_empty() {
                self.ledger.unresolved(&span, &format!("{id}.AlarmName"), key, &unknowns);
            }
            self.by_name(&used.table, name);
            return;
        }
        let watched = properties.map(|node| self.template.resolve(node));
        self.template.take_references();
        let metric = watched.as_ref().filter(|_| type_of(resource) == TYPES[0]);
        let Some(keys) = metric.and_then(|watched| self.metric(watched, &used.functions)) else {
            let unknowns: Vec<_> = name.unknowns().cloned().collect();
            self.ledger.unresolved(&span, &format!("{id}.AlarmName"), key, &unknowns);
            self.by_name(&used.table, name);
            return;
        };
        let why = "it is measured on the new version alone, and needs no alarm in CloudWatch";
        self.ledger.changed(&span, id, key, why);
        for (name, node) in properties.and_then(Node::map).unwrap_or_default() {
            if !WATCHED.contains(&name.text.as_str()) {
                let why = "the metric is watched, not the alarm, which goes on doing the rest";
                let span = name.span.start..node.span.end;
                self.ledger.left_out(&span, &format!("{id}.{}", name.text), why);
            }
        }
        self.table(|app| &mut app.alarms, Table { name: used.table.clone(), keys });
    }

    /// The same as a `cloudwatch-metric`; `None` if that would watch something else.
    fn metric(&self, watched: &Value, functions: &[String]) -> Option<Vec<(&'static str, Item)>> {
        let text = |key: &str| watched.get(key).and_then(Value::known);
        let number = |key: &str| text(key)?.parse::<u32>().ok();
        if text("Namespace")? != "AWS/Lambda" || !self.is_of(watched, functions) {
            return None;
        }
        let metric = text("MetricName")?;
        let stat = text("Statistic").or_else(|| text("ExtendedStatistic"))?;
        if stat == "SampleCount" {
            return None;
        }
        let period =
            number("Period").filter(|period| *period >= 60 && period.is_multiple_of(60))?;
        let periods = number("EvaluationPeriods").filter(|periods| (1..=60).contains(periods))?;
        if watched.get("DatapointsToAlarm").is_some()
            && number("DatapointsToAlarm") != Some(periods)
        {
            return None;
        }
        let threshold = text("Threshold")?.parse::<f64>().ok().filter(|max| max.is_finite())?;
        let counts = stat == "Sum" && threshold.fract() == 0.0;
        let max = match text("ComparisonOperator")?.as_str() {
            "GreaterThanThreshold" => threshold,
            // Of whole numbers, at least five is more than four.
            "GreaterThanOrEqualToThreshold" if counts && threshold >= 1.0 => threshold - 1.0,
            _ => return None,
        };
        let mut keys = vec![
            ("use", Item::text("cloudwatch-metric")),
            ("metric", Item::text(&metric)),
            ("max", Item::Number(max.to_string())),
            ("stat", Item::text(&stat)),
            ("period", Item::text(&format!("{}m", period / 60))),
            ("periods", Item::Number(periods.to_string())),
        ];
        match text("TreatMissingData").as_deref() {
            Some("notBreaching") => keys.push(("missing_data", Item::text("ok"))),
            Some("breaching") => keys.push(("missing_data", Item::text("breaching"))),
            _ => {}
        }
        Some(keys)
    }

    /// Whether what is watched is each of these functions.
    fn is_of(&self, watched: &Value, functions: &[String]) -> bool {
        let dimensions = watched.get("Dimensions").and_then(Value::list).unwrap_or_default();
        let value = |name: &str| {
            let mut found = dimensions.iter();
            let found =
                found.find(|one| one.get("Name").and_then(Value::known).as_deref() == Some(name));
            found.and_then(|one| one.get("Value")?.as_text().cloned())
        };
        let Some(function) = value("FunctionName") else { return false };
        let names: Vec<Text> = functions.iter().map(|id| self.lambda_name(id)).collect();
        !names.is_empty() && names.iter().all(|name| *name == function)
    }

    fn lambda_name(&self, id: &str) -> Text {
        let function = self.app.functions.iter().find(|function| function.key == id);
        match function.and_then(|function| function.get("name")) {
            Some(Item::Text(name)) => name.clone(),
            _ => Text::known(id),
        }
    }
}
