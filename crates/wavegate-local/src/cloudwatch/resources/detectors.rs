//! Anomaly detectors. They are never trained, and stay as AWS's are at first.

use super::{Resources, missing, one_page};
use crate::cloudwatch::fault::{Fault, FaultKind};
use crate::cloudwatch::home::Home;
use crate::cloudwatch::identity;
use crate::cloudwatch::value::{Members, Record, Value};

/// The members that name a detector's metric, at the top or within `SingleMetricAnomalyDetector`.
const SINGLE: [&str; 4] = ["Namespace", "MetricName", "Dimensions", "Stat"];
/// The types that `DescribeAnomalyDetectors` knows; without a wish it answers the first.
const TYPES: [(&str, &str); 2] = [
    ("SINGLE_METRIC", "SingleMetricAnomalyDetector"),
    ("METRIC_MATH", "MetricMathAnomalyDetector"),
];

/// What a detector watches, as the API shows it, and the id that follows from it.
struct Subject {
    id: String,
    shown: Record,
}

fn subject(home: &Home, input: &Record) -> Result<Subject, Fault> {
    let mut shown = Record::new();
    if let Some(math) = input.record("MetricMathAnomalyDetector") {
        if SINGLE.iter().any(|name| input.has(name)) || input.has("SingleMetricAnomalyDetector") {
            return Err(Fault::new(
                FaultKind::InvalidParameterCombination,
                "MetricMathAnomalyDetector must not be specified together with a single metric.",
            ));
        }
        shown.set("MetricMathAnomalyDetector", math.clone());
    } else {
        let given = input.record("SingleMetricAnomalyDetector").unwrap_or(input);
        let absent = ["Namespace", "MetricName", "Stat"].into_iter().find(|n| !given.has(n));
        if let Some(name) = absent {
            let message = format!("The parameter {name} is required.");
            return Err(Fault::new(FaultKind::MissingParameter, message));
        }
        let single =
            Record::new().with("Dimensions", Value::Array(Vec::new())).with_copies(given, &SINGLE);
        shown = shown.with_copies(&single, &SINGLE);
        shown.set("SingleMetricAnomalyDetector", single.with("AccountId", home.account.as_str()));
    }
    let id = identity::of(&[Value::Object(shown.clone()).to_string().as_bytes()]);
    Ok(Subject { id, shown })
}

impl Resources {
    pub(super) fn put_detector(&mut self, home: &Home, input: &Record) -> Result<Record, Fault> {
        let Subject { id, shown } = subject(home, input)?;
        let configuration =
            Record::new().with("ExcludedTimeRanges", Value::Array(Vec::new())).with_copies(
                input.record("Configuration").unwrap_or(&Record::new()),
                &[
                    "ExcludedTimeRanges",
                    "MetricTimezone",
                    "AdaptationSpeed",
                    "OutlierFilteringStrength",
                ],
            );
        let detector = shown
            .with("AnomalyDetectorId", id.as_str())
            .with("Configuration", configuration)
            .with("StateValue", "PENDING_TRAINING")
            .with_copies(input, &["MetricCharacteristics"]);
        self.detectors.insert(id.clone(), detector);
        Ok(Record::new().with("AnomalyDetectorId", id))
    }

    pub(super) fn describe_detectors(&self, input: &Record) -> Result<Record, Fault> {
        let types: Vec<&str> = input.texts("AnomalyDetectorTypes").collect();
        let ids: Vec<&str> = input.texts("AnomalyDetectorIds").collect();
        let is_wanted = |detector: &Record| {
            let of_type = TYPES.iter().enumerate().any(|(index, (name, member))| {
                let is_asked = types.contains(name) || (types.is_empty() && index == 0);
                is_asked && detector.has(member)
            });
            let id = detector.text("AnomalyDetectorId").unwrap_or_default();
            let same = |name: &str| input.get(name).is_none_or(|v| detector.get(name) == Some(v));
            let by_id = ids.contains(&id);
            (by_id || (ids.is_empty() && of_type))
                && ["Namespace", "MetricName", "Dimensions"].into_iter().all(same)
        };
        let (found, next) =
            one_page(&self.detectors, "DescribeAnomalyDetectors", input, is_wanted)?;
        Ok(Record::new().with("AnomalyDetectors", found).with_some("NextToken", next))
    }

    pub(super) fn delete_detector(&mut self, home: &Home, input: &Record) -> Result<Record, Fault> {
        let id = match input.text("AnomalyDetectorId") {
            Some(id) => id.to_owned(),
            None => subject(home, input)?.id,
        };
        let removed = self.detectors.remove(&id);
        removed.map(|_| Record::new()).ok_or_else(|| {
            missing("The anomaly detector that is to be deleted does not exist.".to_owned())
        })
    }
}
