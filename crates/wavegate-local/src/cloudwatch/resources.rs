//! What is kept and shown, and nothing acts on: anomaly detectors, metric streams and insight rules.
//!
//! Each is kept in the form in which the API shows it, so that a tool that sets it up finds it again.

mod detectors;
mod rules;
mod streams;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, FaultKind};
use super::home::Home;
use super::page;
use super::tags::{self, Tags};
use super::value::{Members, Record};

/// How many a page holds when the request does not say.
const PER_PAGE: i64 = 500;

/// The resources of an account, each kind by name or id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Resources {
    detectors: BTreeMap<String, Record>,
    streams: BTreeMap<String, Record>,
    rules: BTreeMap<String, Record>,
    /// The tags of streams and rules, by ARN.
    tags: BTreeMap<String, Tags>,
}

impl Resources {
    /// Performs an operation on them; `None` if it is none of theirs.
    pub(crate) fn perform(
        &mut self,
        home: &Home,
        now_ms: i64,
        operation: &str,
        input: &Record,
    ) -> Option<Result<Record, Fault>> {
        Some(match operation {
            "PutAnomalyDetector" => self.put_detector(home, input),
            "DescribeAnomalyDetectors" => self.describe_detectors(input),
            "DeleteAnomalyDetector" => self.delete_detector(home, input),
            "PutMetricStream" => self.put_stream(home, now_ms, input),
            "GetMetricStream" => self.get_stream(input),
            "ListMetricStreams" => self.list_streams(input),
            "DeleteMetricStream" => Ok(self.delete_stream(home, input)),
            "StartMetricStreams" => Ok(self.set_streams(input, "running")),
            "StopMetricStreams" => Ok(self.set_streams(input, "stopped")),
            "PutInsightRule" => self.put_rule(home, input),
            "DescribeInsightRules" => self.describe_rules(input),
            "EnableInsightRules" => Ok(self.set_rules(input, "ENABLED")),
            "DisableInsightRules" => Ok(self.set_rules(input, "DISABLED")),
            "DeleteInsightRules" => Ok(self.delete_rules(home, input)),
            _ => return None,
        })
    }

    /// The tags of a stream or a rule.
    pub(crate) fn tags(&mut self, arn: &str) -> Option<&mut Tags> {
        self.tags.get_mut(arn)
    }

    /// Keeps the tags of a new resource. AWS: an update leaves them alone.
    fn tag_new(&mut self, arn: String, input: &Record) {
        self.tags.entry(arn).or_insert_with(|| tags::read(input.get("Tags")));
    }
}

/// One page of the resources that are wanted, and the token for the next.
fn one_page(
    all: &BTreeMap<String, Record>,
    operation: &str,
    input: &Record,
    wanted: impl Fn(&Record) -> bool,
) -> Result<(Vec<Record>, Option<String>), Fault> {
    let after = match input.text("NextToken") {
        Some(token) => page::place(operation, token)?,
        None => String::new(),
    };
    let limit = usize::try_from(input.integer("MaxResults").unwrap_or(PER_PAGE)).unwrap_or(1);
    let mut found: Vec<(&String, &Record)> = all
        .iter()
        .filter(|(name, record)| **name > after && wanted(record))
        .take(limit.saturating_add(1))
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(name, _)| page::token(operation, name));
    Ok((found.into_iter().map(|(_, record)| record.clone()).collect(), next))
}

fn missing(message: String) -> Fault {
    Fault::new(FaultKind::ResourceNotFoundException, message)
}
