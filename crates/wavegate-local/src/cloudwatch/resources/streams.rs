//! Metric streams. Nothing flows through them.

use super::{Resources, missing, one_page};
use crate::cloudwatch::fault::{Fault, FaultKind};
use crate::cloudwatch::home::Home;
use crate::cloudwatch::value::{Members, Record};
use crate::wire::time;

/// What a list shows of a stream.
const LISTED: [&str; 7] =
    ["Arn", "CreationDate", "LastUpdateDate", "Name", "FirehoseArn", "State", "OutputFormat"];

impl Resources {
    pub(super) fn put_stream(
        &mut self,
        home: &Home,
        now_ms: i64,
        input: &Record,
    ) -> Result<Record, Fault> {
        if input.has("IncludeFilters") && input.has("ExcludeFilters") {
            return Err(Fault::new(
                FaultKind::InvalidParameterCombination,
                "IncludeFilters and ExcludeFilters must not be specified together.",
            ));
        }
        let name = input.text("Name").unwrap_or_default();
        let arn = home.stream(name);
        let now = time::seconds(now_ms);
        let former = self.streams.get(name);
        let created = former.and_then(|former| former.double("CreationDate")).unwrap_or(now);
        let state = former.and_then(|former| former.text("State")).unwrap_or("running");
        let stream = Record::new()
            .with("Arn", arn.as_str())
            .with("CreationDate", created)
            .with("LastUpdateDate", now)
            .with("State", state)
            .with("IncludeLinkedAccountsMetrics", false)
            .with_copies(
                input,
                &[
                    "Name",
                    "IncludeFilters",
                    "ExcludeFilters",
                    "FirehoseArn",
                    "RoleArn",
                    "OutputFormat",
                    "StatisticsConfigurations",
                    "IncludeLinkedAccountsMetrics",
                ],
            );
        self.streams.insert(name.to_owned(), stream);
        self.tag_new(arn.clone(), input);
        Ok(Record::new().with("Arn", arn))
    }

    pub(super) fn get_stream(&self, input: &Record) -> Result<Record, Fault> {
        let name = input.text("Name").unwrap_or_default();
        let stream = self.streams.get(name).cloned();
        stream.ok_or_else(|| missing(format!("The metric stream {name} does not exist")))
    }

    pub(super) fn list_streams(&self, input: &Record) -> Result<Record, Fault> {
        let (found, next) = one_page(&self.streams, "ListMetricStreams", input, |_| true)?;
        let entries: Vec<Record> =
            found.iter().map(|stream| Record::new().with_copies(stream, &LISTED)).collect();
        Ok(Record::new().with("Entries", entries).with_some("NextToken", next))
    }

    /// AWS: deleting what does not exist is no error.
    pub(super) fn delete_stream(&mut self, home: &Home, input: &Record) -> Record {
        let name = input.text("Name").unwrap_or_default();
        self.streams.remove(name);
        self.tags.remove(&home.stream(name));
        Record::new()
    }

    pub(super) fn set_streams(&mut self, input: &Record, state: &str) -> Record {
        for name in input.texts("Names") {
            if let Some(stream) = self.streams.get_mut(name) {
                stream.set("State", state);
            }
        }
        Record::new()
    }
}
