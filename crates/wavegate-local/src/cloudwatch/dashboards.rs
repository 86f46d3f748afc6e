//! Dashboards: kept and given back as they were put; nothing draws them.
//!
//! The body is checked as far as AWS's messages for it are known: it must be JSON, an object, and
//! its widgets must be a list of objects with a type and, when they say where they are, numbers.

mod body;

use std::collections::BTreeMap;

use super::fault::{Fault, FaultKind};
use super::home::Home;
use super::page;
use super::tags::{self, Tags};
use super::value::{Members, Record};

/// The most dashboards on one page of `ListDashboards`.
const PER_PAGE: usize = 1_000;
/// The longest name, in characters.
const LONGEST_NAME: usize = 255;

/// The dashboards of an account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dashboards {
    /// The dashboards by name.
    pub(crate) all: BTreeMap<String, Dashboard>,
}

/// A dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dashboard {
    /// Its description in JSON, as it was put.
    pub(crate) body: String,
    /// When it was put (milliseconds).
    pub(crate) modified: i64,
    /// Its tags.
    pub(crate) tags: Tags,
}

impl Dashboards {
    /// `PutDashboard`. What is wrong with the body but does not forbid it is answered as warnings.
    pub(crate) fn put(&mut self, now_ms: i64, input: &Record) -> Result<Record, Fault> {
        let name = input.text("DashboardName").unwrap_or_default();
        check_name(name, "DashboardName")?;
        let text = input.text("DashboardBody").unwrap_or_default();
        let warnings = body::check(text)?;
        // AWS: tags are given at creation only.
        let tags = match self.all.get(name) {
            Some(former) => former.tags.clone(),
            None => tags::read(input.get("Tags")),
        };
        let dashboard = Dashboard { body: text.to_owned(), modified: now_ms, tags };
        self.all.insert(name.to_owned(), dashboard);
        Ok(Record::new().with("DashboardValidationMessages", warnings))
    }

    /// `GetDashboard`.
    pub(crate) fn get(&self, home: &Home, input: &Record) -> Result<Record, Fault> {
        let name = input.text("DashboardName").unwrap_or_default();
        check_name(name, "DashboardName")?;
        let dashboard = self.all.get(name).ok_or_else(|| missing(&[name]))?;
        Ok(Record::new()
            .with("DashboardArn", home.dashboard(name))
            .with("DashboardBody", dashboard.body.as_str())
            .with("DashboardName", name))
    }

    /// `ListDashboards`.
    pub(crate) fn list(&self, home: &Home, input: &Record) -> Result<Record, Fault> {
        const OPERATION: &str = "ListDashboards";
        let prefix = input.text("DashboardNamePrefix").unwrap_or_default();
        let after = match input.text("NextToken") {
            Some(token) => page::place(OPERATION, token)?,
            None => String::new(),
        };
        let mut found: Vec<(&String, &Dashboard)> = self
            .all
            .iter()
            .filter(|(name, _)| name.starts_with(prefix) && **name > after)
            .take(PER_PAGE + 1)
            .collect();
        let more = found.len() > PER_PAGE;
        found.truncate(PER_PAGE);
        let next = found.last().filter(|_| more).map(|(name, _)| page::token(OPERATION, name));
        let entries: Vec<Record> = found
            .into_iter()
            .map(|(name, dashboard)| {
                Record::new()
                    .with("DashboardName", name.as_str())
                    .with("DashboardArn", home.dashboard(name))
                    .with_time("LastModified", dashboard.modified)
                    .with("Size", i64::try_from(dashboard.body.len()).unwrap_or(i64::MAX))
            })
            .collect();
        Ok(Record::new().with("DashboardEntries", entries).with_some("NextToken", next))
    }

    /// `DeleteDashboards`. If one does not exist, none is deleted.
    pub(crate) fn delete(&mut self, input: &Record) -> Result<Record, Fault> {
        let names: Vec<&str> = input.texts("DashboardNames").collect();
        let unknown: Vec<&str> =
            names.iter().copied().filter(|name| !self.all.contains_key(*name)).collect();
        if !unknown.is_empty() {
            return Err(missing(&unknown));
        }
        for name in names {
            self.all.remove(name);
        }
        Ok(Record::new())
    }

    /// The tags of a dashboard.
    pub(crate) fn tags(&mut self, name: &str) -> Option<&mut Tags> {
        self.all.get_mut(name).map(|dashboard| &mut dashboard.tags)
    }
}

fn check_name(name: &str, field: &str) -> Result<(), Fault> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_legal) {
        // AWS: with a line break at its end.
        return Err(Fault::value(format!(
            "The value for field {field} contains invalid characters. It can only contain \
             alphanumerics, dash (-) and underscore (_).\n"
        )));
    }
    Ok(())
}

fn missing(names: &[&str]) -> Fault {
    let kind = FaultKind::DashboardNotFound;
    match names {
        [name] => Fault::new(kind, format!("Dashboard {name} does not exist")),
        names => Fault::new(kind, format!("Dashboards {} do not exist", names.join(", "))),
    }
}
