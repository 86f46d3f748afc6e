//! Holds a request against its shape, in AWS's two styles.
//!
//! The operations on metrics answer with `InvalidParameterValue` and `MissingParameter` and name
//! parameters as the query protocol does; those on alarms answer with one `ValidationError` that
//! counts its findings. Rules that need more than one member live with the operations.

use super::fault::{Fault, FaultKind};
use crate::wire::Input;
use crate::wire::model::CLOUDWATCH;
use crate::wire::validate::{self, Finding, Rule, Shown, Step};

/// The operations that answer in the style of `InvalidParameterValue`.
const PARAMETER_STYLE: [&str; 20] = [
    "DeleteAnomalyDetector",
    "DeleteDashboards",
    "DeleteInsightRules",
    "DeleteMetricStream",
    "DescribeAnomalyDetectors",
    "DisableInsightRules",
    "EnableInsightRules",
    "GetDashboard",
    "GetMetricStatistics",
    "GetMetricStream",
    "ListDashboards",
    "ListMetricStreams",
    "ListMetrics",
    "PutAnomalyDetector",
    "PutDashboard",
    "PutInsightRule",
    "PutMetricData",
    "PutMetricStream",
    "StartMetricStreams",
    "StopMetricStreams",
];

/// Refuses a request that does not fit the operation's shape, naming all misfits at once.
pub(super) fn check(input: &Input) -> Result<(), Fault> {
    let Some(id) = input.operation.input else { return Ok(()) };
    let findings = validate::findings(&CLOUDWATCH, id, &input.members);
    if PARAMETER_STYLE.contains(&input.operation.name.as_str()) && !findings.is_empty() {
        return Err(in_parameter_style(&findings));
    }
    validate::message(&findings).map_or(Ok(()), |message| Err(Fault::validation(message)))
}

fn in_parameter_style(findings: &[Finding]) -> Fault {
    let missing = findings.iter().any(|finding| finding.rule == Rule::Required);
    let kind = if missing { FaultKind::MissingParameter } else { FaultKind::InvalidParameterValue };
    let sentences: Vec<String> = findings.iter().map(sentence).collect();
    Fault::new(kind, sentences.join(" "))
}

fn sentence(finding: &Finding) -> String {
    let steps = finding.path.iter().map(|step| match step {
        Step::Member(name) | Step::Key(name) => name.clone(),
        Step::Element(index) => format!("member.{index}"),
    });
    let path = steps.collect::<Vec<_>>().join(".");
    let value = match &finding.value {
        Shown::As(text) => text.as_str(),
        Shown::Null | Shown::Hidden => "",
    };
    // A list is shown as `[…]`.
    let is_list = value.starts_with('[');
    match &finding.rule {
        Rule::Required => format!("The parameter {path} is required."),
        Rule::Longest(max) if is_list => {
            format!("The collection {path} must not have a size greater than {max}.")
        }
        Rule::Longest(max) => {
            format!("The parameter {path} must be shorter than {} characters.", max + 1.0)
        }
        Rule::Shortest(_) if is_list => format!("The collection {path} must not be empty."),
        Rule::Largest(max) => format!("The parameter {path} must be less than or equal to {max}."),
        Rule::Smallest(min) => {
            format!("The parameter {path} must be greater than or equal to {min}.")
        }
        Rule::OneOf(choices) => {
            format!("The parameter {path} must be a value in the set [ {} ].", choices.join(", "))
        }
        Rule::Elements(rules) => match rules.iter().find_map(choices) {
            Some(choices) => format!(
                "The parameter {path}.member must be a value in the set [ {} ].",
                choices.join(", ")
            ),
            None => format!("The value {value} for parameter {path} is invalid."),
        },
        Rule::Shortest(_) | Rule::Matches(_) | Rule::Keys(_) | Rule::Values(_) => {
            format!("The value {value} for parameter {path} is invalid.")
        }
    }
}

fn choices(rule: &Rule) -> Option<&[String]> {
    match rule {
        Rule::OneOf(choices) => Some(choices),
        _ => None,
    }
}
