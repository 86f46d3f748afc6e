//! Searches among the events of a group.

use rusqlite::params;
use serde_json::{Value, json};

use super::events::{ANSWER_MAX, EVENTS_MAX, Event};
use super::input::Asked;
use super::pattern::Pattern;
use super::place::Place;
use super::store::{Group, Stream};
use super::{Desk, Refusal, invalid};

/// Events that are looked at for one answer: a search that finds little goes on by its token.
const LOOKED_AT_MAX: usize = 100_000;

impl Desk<'_> {
    pub(super) fn filter_events(&self, asked: &Asked) -> Result<Value, Refusal> {
        let group = self.group(asked.group_name()?)?;
        let names = asked.log_stream_names.as_deref();
        if names.is_some() && asked.log_stream_name_prefix.is_some() {
            return Err(invalid(
                "LogStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
            ));
        }
        for name in names.unwrap_or_default() {
            Stream::get(self.data, &group, name)?;
        }
        let prefix = asked.log_stream_name_prefix.as_deref().unwrap_or_default();
        let is_asked = |stream: &String| {
            names.map_or_else(|| stream.starts_with(prefix), |names| names.contains(stream))
        };
        let pattern = Pattern::parse(asked.filter_pattern.as_deref().unwrap_or_default());
        let pattern = pattern.map_err(invalid)?;
        let from = asked.next_token.as_deref().map(Place::parse).transpose()?;
        let found = self.search(&group, from.unwrap_or(Place::START), asked, |stream, event| {
            is_asked(stream) && pattern.matches(&event.message)
        })?;
        let shown = found.events.into_iter().map(|(stream, event)| {
            json!({
                "logStreamName": stream,
                "timestamp": event.place.at_ms,
                "message": event.message,
                "ingestionTime": event.ingested_ms,
                "eventId": event.place.id(),
            })
        });
        let mut answer = json!({ "events": shown.collect::<Vec<_>>(), "searchedLogStreams": [] });
        if let Some(next) = found.next {
            answer["nextToken"] = next.id().into();
        }
        Ok(answer)
    }

    fn search(
        &self,
        group: &Group,
        from: Place,
        asked: &Asked,
        is_wanted: impl Fn(&String, &Event) -> bool,
    ) -> rusqlite::Result<Found> {
        let mut statement = self.data.prepare_cached(
            "select at_ms, event.id, event.ingested_ms, message, name
             from event join log_stream on log_stream.id = stream_id
             where event.group_id = ?1 and (at_ms, event.id) > (?2, ?3)
               and at_ms >= ?4 and at_ms <= ?5
             order by at_ms, event.id",
        )?;
        let begin = asked.start_time.unwrap_or(0);
        let end = asked.end_time.unwrap_or(i64::MAX);
        let mut rows = statement.query(params![group.id, from.at_ms, from.number, begin, end])?;
        let limit = asked.limit.unwrap_or(EVENTS_MAX);
        let mut found = Found { events: Vec::new(), next: None };
        let (mut looked_at, mut bytes, mut last) = (0, 0, from);
        while let Some(row) = rows.next()? {
            let event = Event::of(row)?;
            if looked_at == LOOKED_AT_MAX || found.events.len() == limit || bytes > ANSWER_MAX {
                found.next = Some(last);
                break;
            }
            looked_at += 1;
            last = event.place;
            let stream = row.get(4)?;
            if is_wanted(&stream, &event) {
                bytes += event.bytes();
                found.events.push((stream, event));
            }
        }
        Ok(found)
    }
}

struct Found {
    /// Each with the name of its stream.
    events: Vec<(String, Event)>,
    /// Behind what the search goes on.
    next: Option<Place>,
}

/// `TestMetricFilter`: which of some messages a pattern finds.
pub(super) fn test_pattern(asked: &Asked) -> Result<Value, Refusal> {
    let pattern = Pattern::parse(asked.filter_pattern.as_deref().unwrap_or_default());
    let pattern = pattern.map_err(invalid)?;
    let messages = asked.log_event_messages.iter().zip(1..);
    let matches = messages.filter(|(message, _)| pattern.matches(message)).map(|(message, number)| {
        json!({ "eventNumber": number, "eventMessage": message, "extractedValues": {} })
    });
    Ok(json!({ "matches": matches.collect::<Vec<_>>() }))
}
