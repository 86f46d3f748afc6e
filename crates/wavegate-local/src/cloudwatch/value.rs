//! How the operations read and write the wire layer's tree: objects by the names of the model's members,
//! points in time as seconds since the epoch.
//!
//! Invariant: a tree that the wire layer read agrees with its shape; operations may therefore ask for a
//! member by name and type and treat absence as "not given".

pub(crate) use serde_json::Value;

use crate::wire::time;

/// A request, an answer, or a structure within one.
pub(crate) type Record = serde_json::Map<String, Value>;

/// What a record is asked and given. Builders take `self` so that answers read as one expression.
pub(crate) trait Members: Sized {
    /// The member of that name, when given.
    fn member(&self, name: &str) -> Option<&Value>;

    /// Sets a member.
    fn set(&mut self, name: &str, value: impl Into<Value>);

    /// Whether the member was given.
    fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// A string member.
    fn text(&self, name: &str) -> Option<&str> {
        self.member(name)?.as_str()
    }

    /// A whole-number member.
    fn integer(&self, name: &str) -> Option<i64> {
        self.member(name)?.as_i64()
    }

    /// A double member.
    fn double(&self, name: &str) -> Option<f64> {
        double(self.member(name)?)
    }

    /// A boolean member.
    fn boolean(&self, name: &str) -> Option<bool> {
        self.member(name)?.as_bool()
    }

    /// A timestamp member, in milliseconds since the epoch.
    fn time(&self, name: &str) -> Option<i64> {
        time::millis(self.member(name)?.as_f64()?)
    }

    /// A list member; an absent one reads as empty, which CloudWatch treats alike.
    fn list(&self, name: &str) -> &[Value] {
        self.member(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The strings of a list member.
    fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.list(name).iter().filter_map(Value::as_str)
    }

    /// The records of a list member.
    fn records(&self, name: &str) -> impl Iterator<Item = &Record> {
        self.list(name).iter().filter_map(Value::as_object)
    }

    /// The numbers of a list member.
    fn doubles(&self, name: &str) -> impl Iterator<Item = f64> {
        self.list(name).iter().filter_map(double)
    }

    /// A record member.
    fn record(&self, name: &str) -> Option<&Record> {
        self.member(name)?.as_object()
    }

    /// This record with one more member.
    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// This record with one more member, when there is a value for it.
    fn with_some(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.set(name, value);
        }
        self
    }

    /// This record with a timestamp, in milliseconds since the epoch.
    fn with_time(self, name: &str, time_ms: i64) -> Self {
        self.with(name, time::seconds(time_ms))
    }

    /// This record with members copied from another, when it has them.
    fn with_copies(mut self, from: &Record, names: &[&str]) -> Self {
        for name in names {
            if let Some(value) = from.get(*name) {
                self.set(name, value.clone());
            }
        }
        self
    }
}

impl Members for Record {
    fn member(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.insert(name.to_owned(), value.into());
    }
}

/// A double, also one that JSON has no number for.
fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
