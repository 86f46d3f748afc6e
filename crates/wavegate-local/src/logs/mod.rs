//! CloudWatch Logs: groups, streams, events, and searches among them.
//!
//! Everything is in one SQLite file of its own and nothing in memory, however much functions log. What a
//! group keeps is bounded by its retention, and by [`store::GROUP_MAX`] besides.
//!
//! Metric filters count where events come in; what they find is handed to whoever keeps metric data.
//!
//! Deliberately absent: subscription filters, queries, live tails, encryption (a key is kept
//! and shown), data protection, and other accounts.

mod edge;
mod events;
mod filters;
mod groups;
mod input;
mod page;
mod pattern;
mod place;
mod search;
mod sink;
mod store;
mod streams;
mod tags;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use serde::Deserialize as _;
use serde_json::Value;

pub(crate) use edge::answer;
use input::Asked;
pub(crate) use sink::Sink;
use store::Group;

use crate::cloud::LocalError;
use crate::cloudwatch::Datum;
use crate::home::Home;
use crate::wire::Fault;

/// The file of all logs. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    connection: Arc<Mutex<Connection>>,
}

/// The logs of one account in one region. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Logs {
    home: Arc<Home>,
    file: LogFile,
}

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// AWS would refuse it, too.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The file cannot be read or written.
    #[error("the log file cannot be used: {0}")]
    Disk(#[from] rusqlite::Error),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fault(fault) => fault,
            disk @ Refusal::Disk(_) => Self::new("ServiceUnavailableException", disk.to_string()),
        }
    }
}

impl LogFile {
    /// Opens or makes the file. What it held before it knew of homes is `first`'s.
    pub(crate) fn open(path: &Path, first: &Home) -> Result<Self, LocalError> {
        Ok(Self { connection: Arc::new(Mutex::new(store::open(path, first)?)) })
    }

    /// What of it is one home's.
    pub(crate) fn of(&self, home: Arc<Home>) -> Logs {
        Logs { home, file: self.clone() }
    }

    /// Removes the events that no group keeps any longer. Blocks on the disk.
    pub(crate) fn expire(&self, now: i64) -> rusqlite::Result<()> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        store::expire(&transaction, now)?;
        transaction.commit()
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logs {
    /// Performs an operation whose input satisfies its model; the answer, and what metric filters find
    /// in events that came in. Blocks on the disk.
    pub(crate) fn perform(
        &self,
        now: i64,
        operation: &str,
        input: Value,
    ) -> Result<(Value, Vec<Datum>), Fault> {
        let asked = Asked::deserialize(input)
            .map_err(|error| Fault::new("InvalidParameterException", error.to_string()))?;
        self.ask(now, operation, &asked).map_err(Fault::from)
    }

    fn ask(
        &self,
        now: i64,
        operation: &str,
        asked: &Asked,
    ) -> Result<(Value, Vec<Datum>), Refusal> {
        let mut connection = self.file.connection();
        // A change that is refused in its middle has not begun.
        let transaction = connection.transaction()?;
        let place = self.home.to_string();
        let desk = Desk { home: &self.home, place: &place, data: &transaction, now };
        let answer = match operation {
            "PutLogEvents" => desk.put_events(asked)?,
            _ => (desk.perform(operation, asked)?, Vec::new()),
        };
        transaction.commit()?;
        Ok(answer)
    }
}

/// Where one operation is performed.
struct Desk<'a> {
    home: &'a Home,
    /// The home, as the file has it.
    place: &'a str,
    data: &'a Connection,
    now: i64,
}

impl Desk<'_> {
    /// The group of a name, or AWS's refusal.
    fn group(&self, name: &str) -> Result<Group, Refusal> {
        Group::find(self.data, self.place, name)?.ok_or_else(|| missing("log group"))
    }

    fn perform(&self, operation: &str, asked: &Asked) -> Result<Value, Refusal> {
        match operation {
            "CreateLogGroup" => self.create_group(asked),
            "DeleteLogGroup" => self.delete_group(asked),
            "DescribeLogGroups" => self.describe_groups(asked),
            "ListLogGroups" => self.list_groups(asked),
            "PutRetentionPolicy" => self.put_retention(asked),
            "DeleteRetentionPolicy" => self.delete_retention(asked),
            "TagResource" | "TagLogGroup" => self.tag(asked),
            "UntagResource" | "UntagLogGroup" => self.untag(asked),
            "ListTagsForResource" | "ListTagsLogGroup" => self.list_tags(asked),
            "CreateLogStream" => self.create_stream(asked),
            "DeleteLogStream" => self.delete_stream(asked),
            "DescribeLogStreams" => self.describe_streams(asked),
            "GetLogEvents" => self.get_events(asked),
            "FilterLogEvents" => self.filter_events(asked),
            "PutMetricFilter" => self.put_filter(asked),
            "DeleteMetricFilter" => self.delete_filter(asked),
            "DescribeMetricFilters" => self.describe_filters(asked),
            "TestMetricFilter" => search::test_pattern(asked),
            other => Err(Fault::new(
                "ServiceUnavailableException",
                format!("{other} is offered and not performed"),
            )
            .into()),
        }
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Fault::new("InvalidParameterException", message).into()
}

fn missing(what: &str) -> Refusal {
    let message = format!("The specified {what} does not exist.");
    Fault::new("ResourceNotFoundException", message).into()
}

fn exists(what: &str) -> Refusal {
    let message = format!("The specified {what} already exists");
    Fault::new("ResourceAlreadyExistsException", message).into()
}
