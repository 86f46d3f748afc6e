//! Checks a request against its shape and says everything that is wrong, in AWS's two styles.
//!
//! The operations on metrics answer with `InvalidParameterValue` and `MissingParameter` and name
//! parameters as the query protocol does; those on alarms answer with one `ValidationError` that
//! counts its findings. Rules that need more than one member live with the operations.

use super::fault::{Fault, FaultKind};
use super::shapes::{Operation, Shape};
use super::value::{Record, Value};

/// The operations that answer in the style of `InvalidParameterValue`.
const PARAMETER_STYLE: [&str; 3] = ["PutMetricData", "GetMetricStatistics", "ListMetrics"];

/// Refuses a request that does not fit the operation's shape, naming all misfits at once.
pub(crate) fn validate(operation: &Operation, input: &Record) -> Result<(), Fault> {
    let mut misfits = Vec::new();
    check_record(operation.input, input, &mut Vec::new(), &mut misfits);
    if misfits.is_empty() {
        return Ok(());
    }
    if PARAMETER_STYLE.contains(&operation.name) {
        return Err(in_parameter_style(&misfits));
    }
    let findings: Vec<String> = misfits.iter().map(Misfit::finding).collect();
    let noun = if findings.len() == 1 { "error" } else { "errors" };
    Err(Fault::validation(format!(
        "{} validation {noun} detected: {}",
        findings.len(),
        findings.join("; ")
    )))
}

struct Misfit {
    path: Vec<Step>,
    /// The offending value, or `None` for a required member that is absent.
    value: Option<String>,
    rule: Rule,
}

#[derive(Clone)]
enum Step {
    Member(&'static str),
    Key(String),
    Element(usize),
}

enum Rule {
    Required,
    Longest(usize),
    Shortest(usize),
    Largest(i64),
    Smallest(i64),
    OneOf(&'static [&'static str]),
}

fn check_record(shape: &Shape, record: &Record, path: &mut Vec<Step>, misfits: &mut Vec<Misfit>) {
    match shape {
        Shape::Structure(fields) => {
            for field in *fields {
                path.push(Step::Member(field.name));
                match record.get(field.name) {
                    Some(value) => check(field.shape, value, path, misfits),
                    None if field.required => {
                        misfits.push(Misfit {
                            path: path.clone(),
                            value: None,
                            rule: Rule::Required,
                        });
                    }
                    None => {}
                }
                path.pop();
            }
        }
        Shape::Map { of } => {
            for (key, value) in record.iter() {
                path.push(Step::Key(key.clone()));
                check(of, value, path, misfits);
                path.pop();
            }
        }
        _ => {}
    }
}

fn check(shape: &Shape, value: &Value, path: &mut Vec<Step>, misfits: &mut Vec<Misfit>) {
    let mut misfit = |said: String, rule: Rule| {
        misfits.push(Misfit { path: path.clone(), value: Some(said), rule });
    };
    match (shape, value) {
        (Shape::Text { min, max }, Value::Text(text)) => {
            let length = text.chars().count();
            if length > *max {
                misfit(text.clone(), Rule::Longest(*max));
            } else if length < *min {
                misfit(text.clone(), Rule::Shortest(*min));
            }
        }
        (Shape::Choice(allowed), Value::Text(text)) if !allowed.contains(&text.as_str()) => {
            misfit(text.clone(), Rule::OneOf(allowed));
        }
        (Shape::Integer { min, max }, Value::Integer(number)) => {
            if number > max {
                misfit(number.to_string(), Rule::Largest(*max));
            } else if number < min {
                misfit(number.to_string(), Rule::Smallest(*min));
            }
        }
        (Shape::List { of, min, max }, Value::List(values)) => {
            if values.len() > *max {
                misfit(format!("[{} elements]", values.len()), Rule::Longest(*max));
            } else if values.len() < *min {
                misfit("[]".to_owned(), Rule::Shortest(*min));
            }
            for (index, value) in values.iter().enumerate() {
                path.push(Step::Element(index + 1));
                check(of, value, path, misfits);
                path.pop();
            }
        }
        (_, Value::Record(record)) => check_record(shape, record, path, misfits),
        _ => {}
    }
}

impl Misfit {
    /// The finding as `ValidationError` words it.
    fn finding(&self) -> String {
        let value = self.value.as_ref().map_or("null".to_owned(), |value| format!("'{value}'"));
        let rule = match &self.rule {
            Rule::Required => "Member must not be null".to_owned(),
            Rule::Longest(max) => {
                format!("Member must have length less than or equal to {max}")
            }
            Rule::Shortest(min) => {
                format!("Member must have length greater than or equal to {min}")
            }
            Rule::Largest(max) => format!("Member must have value less than or equal to {max}"),
            Rule::Smallest(min) => {
                format!("Member must have value greater than or equal to {min}")
            }
            Rule::OneOf(allowed) => {
                format!("Member must satisfy enum value set: [{}]", allowed.join(", "))
            }
        };
        format!("Value {value} at '{}' failed to satisfy constraint: {rule}", self.camel_path())
    }

    fn camel_path(&self) -> String {
        let parts: Vec<String> = self
            .path
            .iter()
            .map(|step| match step {
                Step::Member(name) => lower_first(name),
                Step::Key(key) => key.clone(),
                Step::Element(index) => format!("{index}.member"),
            })
            .collect();
        parts.join(".")
    }

    fn query_path(&self) -> String {
        let parts: Vec<String> = self
            .path
            .iter()
            .map(|step| match step {
                Step::Member(name) => (*name).to_owned(),
                Step::Key(key) => key.clone(),
                Step::Element(index) => format!("member.{index}"),
            })
            .collect();
        parts.join(".")
    }

    /// The finding as `InvalidParameterValue` and `MissingParameter` word it.
    fn sentence(&self) -> String {
        let path = self.query_path();
        let value = self.value.as_deref().unwrap_or_default();
        match &self.rule {
            Rule::Required => format!("The parameter {path} is required."),
            Rule::Longest(max) if value.starts_with('[') => {
                format!("The collection {path} must not have a size greater than {max}.")
            }
            Rule::Longest(max) => {
                format!("The parameter {path} must be shorter than {} characters.", max + 1)
            }
            Rule::Shortest(_) if value == "[]" => {
                format!("The collection {path} must not be empty.")
            }
            Rule::Shortest(_) => format!("The value {value} for parameter {path} is invalid."),
            Rule::Largest(max) => {
                format!("The parameter {path} must be less than or equal to {max}.")
            }
            Rule::Smallest(min) => {
                format!("The parameter {path} must be greater than or equal to {min}.")
            }
            Rule::OneOf(allowed) => format!(
                "The parameter {path} must be a value in the set [ {} ].",
                allowed.join(", ")
            ),
        }
    }
}

fn in_parameter_style(misfits: &[Misfit]) -> Fault {
    let missing = misfits.iter().any(|misfit| matches!(misfit.rule, Rule::Required));
    let kind = if missing { FaultKind::MissingParameter } else { FaultKind::InvalidParameterValue };
    let sentences: Vec<String> = misfits.iter().map(Misfit::sentence).collect();
    Fault::new(kind, sentences.join(" "))
}

fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
