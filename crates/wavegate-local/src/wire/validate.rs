//! Holds a request against its shape, and says everything that is wrong in the words of AWS's front end.
//!
//! Rules that need more than one member live with the operations.

use serde_json::{Map, Value};

use super::model::{Kind, Service, Shape, ShapeId};
use super::{Fault, Input};

/// Everything about a request that its shape does not allow.
pub(crate) fn findings(service: &Service, id: ShapeId, input: &Map<String, Value>) -> Vec<Finding> {
    let mut look = Look { service, path: Vec::new(), found: Vec::new() };
    look.structure(service.shape(id), input);
    look.found
}

/// Refuses a request that its shape does not allow, with the code that the service has for it.
pub(crate) fn check(service: &Service, input: &Input, code: &str) -> Result<(), Fault> {
    let findings = input.operation.input.map(|shape| findings(service, shape, &input.members));
    match findings.and_then(|findings| message(&findings)) {
        Some(message) => Err(Fault::new(code, message)),
        None => Ok(()),
    }
}

/// AWS's one message for all findings; none if there are none.
pub(crate) fn message(findings: &[Finding]) -> Option<String> {
    let noun = match findings.len() {
        0 => return None,
        1 => "error",
        _ => "errors",
    };
    let sentences: Vec<String> = findings.iter().map(Finding::sentence).collect();
    Some(format!("{} validation {noun} detected: {}", findings.len(), sentences.join("; ")))
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// Where.
    pub(crate) path: Vec<Step>,
    /// What stands there, as AWS shows it; nothing when that must not be shown.
    pub(crate) value: Shown,
    /// The rule.
    pub(crate) rule: Rule,
}

/// A value in a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    /// Nothing was given.
    Null,
    /// It is sensitive.
    Hidden,
    /// A text that stands for it.
    As(String),
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// To a member.
    Member(String),
    /// To the value of a key.
    Key(String),
    /// To an element; the first is 1.
    Element(usize),
}

/// A rule that a value breaks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rule {
    /// It must be given.
    Required,
    /// It may be no longer.
    Longest(f64),
    /// It may be no shorter.
    Shortest(f64),
    /// It may be no larger.
    Largest(String),
    /// It may be no smaller.
    Smallest(String),
    /// It must match.
    Matches(String),
    /// It must be one of these.
    OneOf(Vec<String>),
    /// The elements of a list.
    Elements(Vec<Rule>),
    /// The keys of a map.
    Keys(Vec<Rule>),
    /// The values of a map.
    Values(Vec<Rule>),
}

impl Rule {
    fn text(&self) -> String {
        let all = |rules: &[Rule]| rules.iter().map(Self::text).collect::<Vec<_>>().join(", ");
        match self {
            Self::Required => "Member must not be null".to_owned(),
            Self::Longest(max) => format!("Member must have length less than or equal to {max}"),
            Self::Shortest(min) => {
                format!("Member must have length greater than or equal to {min}")
            }
            Self::Largest(max) => format!("Member must have value less than or equal to {max}"),
            Self::Smallest(min) => format!("Member must have value greater than or equal to {min}"),
            Self::Matches(pattern) => {
                format!("Member must satisfy regular expression pattern: {pattern}")
            }
            Self::OneOf(choices) => {
                format!("Member must satisfy enum value set: [{}]", choices.join(", "))
            }
            Self::Elements(rules) => format!("Member must satisfy constraint: [{}]", all(rules)),
            Self::Keys(rules) => format!("Map keys must satisfy constraint: [{}]", all(rules)),
            Self::Values(rules) => format!("Map value must satisfy constraint: [{}]", all(rules)),
        }
    }
}

impl Finding {
    fn sentence(&self) -> String {
        let value = match &self.value {
            Shown::Null => " null".to_owned(),
            Shown::Hidden => String::new(),
            Shown::As(text) => format!(" '{text}'"),
        };
        let steps: Vec<String> = self
            .path
            .iter()
            .map(|step| match step {
                Step::Member(name) => lower_first(name),
                Step::Key(key) => key.clone(),
                Step::Element(index) => format!("{index}.member"),
            })
            .collect();
        format!(
            "Value{value} at '{}' failed to satisfy constraint: {}",
            steps.join("."),
            self.rule.text()
        )
    }
}

/// `functionName` for `FunctionName`.
pub(crate) fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

struct Look<'a> {
    service: &'a Service,
    path: Vec<Step>,
    found: Vec<Finding>,
}

impl Look<'_> {
    fn note(&mut self, shape: &Shape, value: &Value, rule: Rule) {
        let value =
            if shape.is_sensitive { Shown::Hidden } else { Shown::As(self.show(shape, value)) };
        self.found.push(Finding { path: self.path.clone(), value, rule });
    }

    fn structure(&mut self, shape: &Shape, object: &Map<String, Value>) {
        for (name, member) in shape.members() {
            self.path.push(Step::Member(name.clone()));
            match object.get(name) {
                Some(value) => self.value(self.service.shape_of(member), value),
                None if member.is_required => {
                    let path = self.path.clone();
                    self.found.push(Finding { path, value: Shown::Null, rule: Rule::Required });
                }
                None => {}
            }
            self.path.pop();
        }
    }

    fn value(&mut self, shape: &Shape, value: &Value) {
        for rule in broken(shape, value) {
            self.note(shape, value, rule);
        }
        match (&shape.kind, value) {
            (Kind::List { element, .. }, Value::Array(items)) => {
                let of = self.service.shape(*element);
                if is_scalar(of) {
                    if items.iter().any(|item| item.is_null() || !broken(of, item).is_empty()) {
                        let rules = element_rules(shape, of);
                        self.note(shape, value, Rule::Elements(rules));
                    }
                    return;
                }
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Step::Element(index + 1));
                    self.value(of, item);
                    self.path.pop();
                }
            }
            (Kind::Map { key, value: of, .. }, Value::Object(object)) => {
                let (key, of) = (self.service.shape(*key), self.service.shape(*of));
                if object.keys().any(|text| !broken(key, &text.as_str().into()).is_empty()) {
                    self.note(shape, value, Rule::Keys(element_rules(shape, key)));
                }
                if is_scalar(of) {
                    if object.values().any(|item| !broken(of, item).is_empty()) {
                        let mut rules = rules(of);
                        rules.push(Rule::Required);
                        self.note(shape, value, Rule::Values(rules));
                    }
                    return;
                }
                for (key, item) in object {
                    self.path.push(Step::Key(key.clone()));
                    self.value(of, item);
                    self.path.pop();
                }
            }
            (Kind::Structure { .. }, Value::Object(object)) => self.structure(shape, object),
            _ => {}
        }
    }

    /// A value as Java prints it.
    fn show(&self, shape: &Shape, value: &Value) -> String {
        match (&shape.kind, value) {
            (Kind::Blob, Value::String(encoded)) => {
                let length = encoded.len() / 4 * 3;
                format!("java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]")
            }
            (_, Value::String(text)) => text.clone(),
            // Java's doubles always have a point.
            (Kind::Double, Value::Number(number)) => {
                number.as_f64().map_or_else(|| number.to_string(), |number| format!("{number:?}"))
            }
            (Kind::List { element, .. }, Value::Array(items)) => {
                let of = self.service.shape(*element);
                let items: Vec<String> = items.iter().map(|item| self.show(of, item)).collect();
                format!("[{}]", items.join(", "))
            }
            (Kind::Map { value: of, .. }, Value::Object(object)) => {
                let of = self.service.shape(*of);
                let pairs =
                    object.iter().map(|(key, item)| format!("{key}={}", self.show(of, item)));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            }
            (Kind::Structure { members, .. }, Value::Object(object)) => {
                let shown = members.iter().map(|(name, member)| {
                    let shown =
                        object.get(name).map(|item| self.show(self.service.shape_of(member), item));
                    format!("{}={}", lower_first(name), shown.as_deref().unwrap_or("null"))
                });
                format!("{}({})", shape.name, shown.collect::<Vec<_>>().join(", "))
            }
            (_, other) => other.to_string(),
        }
    }
}

fn is_scalar(shape: &Shape) -> bool {
    !matches!(shape.kind, Kind::List { .. } | Kind::Map { .. } | Kind::Structure { .. })
}

fn element_rules(shape: &Shape, of: &Shape) -> Vec<Rule> {
    let mut rules = rules(of);
    if !shape.elements_may_be_null {
        rules.push(Rule::Required);
    }
    rules
}

/// Every rule of a shape, as AWS lists them.
fn rules(shape: &Shape) -> Vec<Rule> {
    let mut rules = Vec::new();
    match shape.kind {
        Kind::Integer | Kind::Double => {
            rules.extend(shape.max.map(|max| Rule::Largest(bound(shape, max))));
            rules.extend(shape.min.map(|min| Rule::Smallest(bound(shape, min))));
        }
        _ => {
            rules.extend(shape.max.map(Rule::Longest));
            rules.extend(shape.min.map(Rule::Shortest));
        }
    }
    rules.extend(shape.pattern.as_ref().map(|pattern| Rule::Matches(pattern.text.clone())));
    if !shape.choices.is_empty() {
        rules.push(Rule::OneOf(shape.choices.clone()));
    }
    rules
}

/// A bound as Java prints it: a double always has a point.
fn bound(shape: &Shape, number: f64) -> String {
    if matches!(shape.kind, Kind::Double) { format!("{number:?}") } else { format!("{number}") }
}

/// The rules that a value breaks by itself, without its parts.
#[expect(clippy::cast_precision_loss, reason = "lengths and limits are far below 2^53")]
fn broken(shape: &Shape, value: &Value) -> Vec<Rule> {
    let mut broken = Vec::new();
    let length = match value {
        // AWS counts UTF-16 units.
        Value::String(text) if matches!(shape.kind, Kind::Text) => {
            Some(text.encode_utf16().count())
        }
        Value::String(encoded) => Some(encoded.len() / 4 * 3),
        Value::Array(items) => Some(items.len()),
        Value::Object(object) => Some(object.len()),
        _ => None,
    };
    if let Some(length) = length {
        let length = length as f64;
        broken.extend(shape.max.filter(|max| length > *max).map(Rule::Longest));
        broken.extend(shape.min.filter(|min| length < *min).map(Rule::Shortest));
    }
    if let Some(number) = value.as_f64() {
        let large = shape.max.filter(|max| number > *max);
        broken.extend(large.map(|max| Rule::Largest(bound(shape, max))));
        let small = shape.min.filter(|min| number < *min);
        broken.extend(small.map(|min| Rule::Smallest(bound(shape, min))));
    }
    if let Value::String(text) = value {
        let pattern = shape.pattern.as_ref().filter(|pattern| !pattern.matches(text));
        broken.extend(pattern.map(|pattern| Rule::Matches(pattern.text.clone())));
        if !shape.choices.is_empty() && !shape.choices.contains(text) {
            broken.push(Rule::OneOf(shape.choices.clone()));
        }
    }
    broken
}
