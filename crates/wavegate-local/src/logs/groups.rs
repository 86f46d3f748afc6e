//! Groups: made, shown, deleted, and how long they keep events.

use rusqlite::params;
use serde_json::{Value, json};

use super::input::{Asked, name_of};
use super::page::page;
use super::store::Group;
use super::tags::check_tags;
use super::{Desk, Refusal, exists, filters, invalid};
use crate::home::Home;

/// AWS: the days that events can be kept.
const RETENTIONS: [i64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

impl Desk<'_> {
    pub(super) fn create_group(&self, asked: &Asked) -> Result<Value, Refusal> {
        let name = asked.group_name()?;
        if Group::find(self.data, self.place, name)?.is_some() {
            return Err(exists("log group"));
        }
        let tags = asked.tags();
        check_tags(&tags)?;
        self.data.execute(
            "insert into log_group (place, name, created_ms, kms_key, class, is_protected, tags)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                self.place,
                name,
                self.now,
                asked.kms_key_id,
                asked.log_group_class.as_deref().unwrap_or("STANDARD"),
                asked.deletion_protection_enabled,
                json!(tags).to_string(),
            ],
        )?;
        Ok(Value::Null)
    }

    pub(super) fn delete_group(&self, asked: &Asked) -> Result<Value, Refusal> {
        let group = self.group(asked.group_name()?)?;
        if group.is_protected {
            return Err(crate::wire::Fault::new(
                "ValidationException",
                "The log group cannot be deleted because deletion protection is enabled.",
            )
            .into());
        }
        self.data.execute("delete from log_group where id = ?1", [group.id])?;
        Ok(Value::Null)
    }

    pub(super) fn describe_groups(&self, asked: &Asked) -> Result<Value, Refusal> {
        let by_pattern = asked.log_group_name_pattern.as_deref();
        if by_pattern.is_some() && asked.log_group_name_prefix.is_some() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        let prefix = asked.log_group_name_prefix.as_deref().unwrap_or_default();
        let pattern = by_pattern.unwrap_or_default();
        let named: Vec<&str> = asked.log_group_identifiers.iter().map(|it| name_of(it)).collect();
        let shown = self.groups(asked, |name| {
            name.starts_with(prefix)
                && name.contains(pattern)
                && (named.is_empty() || named.contains(&name))
        })?;
        let shown = shown.into_iter().map(|group| {
            let mut shown = self.show_group(&group)?;
            // AWS: who asks by a pattern gets less.
            if by_pattern.is_none() {
                shown["storedBytes"] = 0.into();
                shown["deletionProtectionEnabled"] = group.is_protected.into();
            }
            Ok((group.name, shown))
        });
        page("logGroups", asked, shown.collect::<Result<_, Refusal>>()?)
    }

    /// The pattern has alternatives, each of which may be bound to the beginning.
    pub(super) fn list_groups(&self, asked: &Asked) -> Result<Value, Refusal> {
        let pattern = asked.log_group_name_pattern.as_deref().unwrap_or_default();
        let shown = self.groups(asked, |name| {
            pattern.split('|').any(|part| match part.strip_prefix('^') {
                Some(beginning) => name.starts_with(beginning),
                None => name.contains(part),
            })
        })?;
        let shown = shown.into_iter().map(|group| {
            let arn = self.home.log_group(&group.name);
            let shown = json!({
                "logGroupName": group.name, "logGroupArn": arn, "logGroupClass": group.class,
            });
            (group.name, shown)
        });
        page("logGroups", asked, shown.collect())
    }

    pub(super) fn put_retention(&self, asked: &Asked) -> Result<Value, Refusal> {
        let days = asked.retention_in_days;
        if !RETENTIONS.contains(&days) {
            let choices: Vec<String> = RETENTIONS.iter().map(ToString::to_string).collect();
            return Err(invalid(format!(
                "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy \
                 constraint: Member must satisfy enum value set: [{}]",
                choices.join(", ")
            )));
        }
        self.retain(asked, Some(days))
    }

    pub(super) fn delete_retention(&self, asked: &Asked) -> Result<Value, Refusal> {
        self.retain(asked, None)
    }

    fn retain(&self, asked: &Asked, days: Option<i64>) -> Result<Value, Refusal> {
        let group = self.group(asked.group_name()?)?;
        self.data.execute(
            "update log_group set retention_days = ?2 where id = ?1",
            params![group.id, days],
        )?;
        Ok(Value::Null)
    }

    fn groups(
        &self,
        asked: &Asked,
        is_asked: impl Fn(&str) -> bool,
    ) -> Result<Vec<Group>, Refusal> {
        let mut groups = Group::all(self.data, self.place)?;
        let class = asked.log_group_class.as_deref();
        groups.retain(|group| {
            is_asked(&group.name) && class.is_none_or(|class| class == group.class)
        });
        Ok(groups)
    }

    fn show_group(&self, group: &Group) -> Result<Value, Refusal> {
        let arn = self.home.log_group(&group.name);
        let mut shown = json!({
            "logGroupName": group.name,
            "creationTime": group.created_ms,
            "metricFilterCount": filters::count_all(self.data, group)?,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "logGroupClass": group.class,
        });
        if let Some(days) = group.retention_days {
            shown["retentionInDays"] = days.into();
        }
        if let Some(key) = &group.kms_key {
            shown["kmsKeyId"] = key.as_str().into();
        }
        Ok(shown)
    }
}

impl Home {
    /// The ARN of a log group.
    pub(super) fn log_group(&self, name: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{name}", self.region, self.account)
    }
}
