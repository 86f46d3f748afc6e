//! `DescribeAlarmHistory`.

use super::per_page;
use crate::cloudwatch::alarms::{Alarms, HistoryItem};
use crate::cloudwatch::fault::{Fault, FaultKind};
use crate::cloudwatch::page;
use crate::cloudwatch::value::{Members, Record};

/// `DescribeAlarmHistory`.
pub(crate) fn describe_alarm_history(alarms: &Alarms, input: &Record) -> Result<Record, Fault> {
    const OPERATION: &str = "DescribeAlarmHistory";
    let after: Option<u64> = match input.text("NextToken") {
        Some(token) => Some(page::place(OPERATION, token)?.parse().map_err(|_| {
            Fault::new(FaultKind::InvalidNextToken, "The value for parameter NextToken is invalid.")
        })?),
        None => None,
    };
    let ascending = input.text("ScanBy") == Some("TimestampAscending");
    let types: Vec<&str> = input.texts("AlarmTypes").collect();
    let wanted =
        |item: &&HistoryItem| {
            let of_type = if types.is_empty() {
                item.alarm_type == "MetricAlarm"
            } else {
                types.contains(&item.alarm_type.as_str())
            };
            of_type
                && input.text("AlarmName").is_none_or(|name| name == item.alarm)
                && input.text("HistoryItemType").is_none_or(|kind| kind == item.item_type)
                && input.time("StartDate").is_none_or(|start| item.at >= start)
                && input.time("EndDate").is_none_or(|end| item.at <= end)
                && after.is_none_or(|after| {
                    if ascending { item.number > after } else { item.number < after }
                })
        };
    let limit = per_page(input);
    let mut found: Vec<&HistoryItem> = if ascending {
        alarms.history.iter().filter(wanted).take(limit + 1).collect()
    } else {
        alarms.history.iter().rev().filter(wanted).take(limit + 1).collect()
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let next =
        found.last().filter(|_| more).map(|item| page::token(OPERATION, &item.number.to_string()));
    let items: Vec<Record> = found.into_iter().map(history_record).collect();
    Ok(Record::new().with("AlarmHistoryItems", items).with_some("NextToken", next))
}

fn history_record(item: &HistoryItem) -> Record {
    Record::new()
        .with("AlarmName", item.alarm.as_str())
        .with("AlarmType", item.alarm_type.as_str())
        .with_time("Timestamp", item.at)
        .with("HistoryItemType", item.item_type.as_str())
        .with("HistorySummary", item.summary.as_str())
        .with("HistoryData", item.data.as_str())
}
