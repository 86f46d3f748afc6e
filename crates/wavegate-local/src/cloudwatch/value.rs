//! The one value tree that every protocol decodes into and encodes from.
//!
//! Invariant: a tree made by a decoder agrees with the shape it was decoded by; operations may
//! therefore ask for a member by name and type and treat absence as "not given". Deliberately
//! absent: blobs and documents, which CloudWatch's operations do not have.

use std::collections::BTreeMap;

/// A request, an answer or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A double-precision number.
    Double(f64),
    /// A string.
    Text(String),
    /// A point in time, in milliseconds since the epoch.
    Time(i64),
    /// A list.
    List(Vec<Value>),
    /// A structure or a map, by member name.
    Record(Record),
}

/// Members by name. Builders take `self` so that answers read as one expression.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record(BTreeMap<String, Value>);

static NO_VALUES: &[Value] = &[];

impl Record {
    /// A record without members.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The member of that name, when given.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether the member was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Sets a member.
    pub(crate) fn insert(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Takes a member out.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// The members in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }

    /// Whether there are no members.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A string member.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A whole-number member.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// A double member.
    pub(crate) fn double(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Value::Double(number)) => Some(*number),
            _ => None,
        }
    }

    /// A boolean member.
    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Boolean(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// A timestamp member, in milliseconds since the epoch.
    pub(crate) fn time(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Time(time)) => Some(*time),
            _ => None,
        }
    }

    /// A list member; an absent one reads as empty, which CloudWatch treats alike.
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        match self.get(name) {
            Some(Value::List(values)) => values,
            _ => NO_VALUES,
        }
    }

    /// The strings of a list member.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.list(name).iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The records of a list member.
    pub(crate) fn records(&self, name: &str) -> impl Iterator<Item = &Record> {
        self.list(name).iter().filter_map(|value| match value {
            Value::Record(record) => Some(record),
            _ => None,
        })
    }

    /// The numbers of a list member.
    pub(crate) fn doubles(&self, name: &str) -> impl Iterator<Item = f64> {
        self.list(name).iter().filter_map(|value| match value {
            Value::Double(number) => Some(*number),
            _ => None,
        })
    }

    /// A record member.
    pub(crate) fn record(&self, name: &str) -> Option<&Record> {
        match self.get(name) {
            Some(Value::Record(record)) => Some(record),
            _ => None,
        }
    }

    /// This record with one more member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.insert(name, value.into());
        self
    }

    /// This record with one more member, when there is a value for it.
    pub(crate) fn with_some(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.insert(name, value.into());
        }
        self
    }

    /// This record with a timestamp, in milliseconds since the epoch.
    pub(crate) fn with_time(self, name: &str, time_ms: i64) -> Self {
        self.with(name, Value::Time(time_ms))
    }

    /// This record with members copied from another, when it has them.
    pub(crate) fn with_copies(mut self, from: &Record, names: &[&str]) -> Self {
        for name in names {
            if let Some(value) = from.get(name) {
                self.insert(name, value.clone());
            }
        }
        self
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}
