//! Events: put into a stream, and read from one in either direction.

use rusqlite::{Row, params};
use serde_json::{Value, json};

use super::input::{Asked, NewEvent};
use super::place::Place;
use super::store::{self, DAY_MS, EVENT_OVERHEAD, Stream};
use super::streams::upload_token;
use super::{Desk, Refusal, filters, invalid};
use crate::cloudwatch::Datum;

/// AWS: bytes of one `PutLogEvents`.
const BATCH_MAX: i64 = 1_048_576;
/// AWS: how old an event may be, and how far in the future.
const OLDEST_DAYS: i64 = 14;
const NEWEST_MS: i64 = 2 * 3_600_000;
/// AWS: events, and bytes of events, in one answer.
pub(super) const EVENTS_MAX: usize = 10_000;
pub(super) const ANSWER_MAX: i64 = 1 << 20;

impl Desk<'_> {
    /// With what metric filters find in the events.
    pub(super) fn put_events(&self, asked: &Asked) -> Result<(Value, Vec<Datum>), Refusal> {
        let events = asked.log_events.as_slice();
        check_batch(events)?;
        let group = self.group(asked.group_name()?)?;
        let stream = Stream::get(self.data, &group, &asked.log_stream_name)?;
        let days = group.retention_days.unwrap_or(i64::MAX);
        let oldest = self.now - OLDEST_DAYS * DAY_MS;
        let kept = self.now.saturating_sub(days.saturating_mul(DAY_MS));
        let place = |from: i64| events.partition_point(|event| event.timestamp < from);
        let (old, expired, new) =
            (place(oldest), place(kept), place(self.now.saturating_add(NEWEST_MS)));
        let begin = old.max(expired).min(new);
        let taken = events[begin..new].iter().map(|it| (it.timestamp, it.message.as_str()));
        let taken: Vec<(i64, &str)> = taken.collect();
        let found = filters::found_in(self.data, &group, &taken)?;
        if !taken.is_empty() {
            store::add(self.data, &group, &stream, self.now, taken)?;
        }
        let mut answer = json!({ "nextSequenceToken": upload_token(stream.id) });
        let mut rejected = json!({});
        if old > 0 {
            rejected["tooOldLogEventEndIndex"] = old.into();
        }
        if expired > old {
            rejected["expiredLogEventEndIndex"] = expired.into();
        }
        if new < events.len() {
            rejected["tooNewLogEventStartIndex"] = new.into();
        }
        if rejected != json!({}) {
            answer["rejectedLogEventsInfo"] = rejected;
        }
        Ok((answer, found))
    }

    /// Without a token the newest events are read, or the oldest ones if that is asked for.
    pub(super) fn get_events(&self, asked: &Asked) -> Result<Value, Refusal> {
        let group = self.group(asked.group_name()?)?;
        let stream = Stream::get(self.data, &group, &asked.log_stream_name)?;
        let (forward, from) =
            match asked.next_token.as_deref().map(|token| token.split_at_checked(2)) {
                None if asked.start_from_head => (true, Place::START),
                None => (false, Place::END),
                Some(Some(("f/", id))) => (true, Place::parse(id)?),
                Some(Some(("b/", id))) => (false, Place::parse(id)?),
                Some(_) => return Err(invalid("The specified nextToken is invalid.")),
            };
        let found = self.read(stream.id, forward, from, asked)?;
        // A token that leads nowhere leads to the same place again, and to what comes there later.
        let (first, last) = match (found.first(), found.last()) {
            (Some(first), Some(last)) => (first.place, last.place),
            _ if from == Place::END => (Place::START, Place::START),
            _ if forward => (Place { number: from.number + 1, ..from }, from),
            _ => (from, from.before()),
        };
        let shown = found.into_iter().map(|event| {
            json!({
                "timestamp": event.place.at_ms,
                "ingestionTime": event.ingested_ms,
                "message": event.message,
            })
        });
        Ok(json!({
            "events": shown.collect::<Vec<_>>(),
            "nextForwardToken": format!("f/{}", last.id()),
            "nextBackwardToken": format!("b/{}", first.id()),
        }))
    }

    /// A stream's events behind a place, or before it, as many as fit into an answer, in their order.
    fn read(
        &self,
        stream: i64,
        forward: bool,
        from: Place,
        asked: &Asked,
    ) -> rusqlite::Result<Vec<Event>> {
        let (sign, order) = if forward { (">", "asc") } else { ("<", "desc") };
        let mut statement = self.data.prepare_cached(&format!(
            "select at_ms, id, ingested_ms, message from event
             where stream_id = ?1 and (at_ms, id) {sign} (?2, ?3) and at_ms >= ?4 and at_ms < ?5
             order by at_ms {order}, id {order}"
        ))?;
        let begin = asked.start_time.unwrap_or(0);
        let end = asked.end_time.unwrap_or(i64::MAX);
        let mut rows = statement.query(params![stream, from.at_ms, from.number, begin, end])?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        while found.len() < asked.limit.unwrap_or(EVENTS_MAX)
            && let Some(row) = rows.next()?
        {
            let event = Event::of(row)?;
            bytes += event.bytes();
            if bytes > ANSWER_MAX && !found.is_empty() {
                break;
            }
            found.push(event);
        }
        if !forward {
            found.reverse();
        }
        Ok(found)
    }
}

/// An event that was read.
pub(super) struct Event {
    pub(super) place: Place,
    pub(super) ingested_ms: i64,
    pub(super) message: String,
}

impl Event {
    /// Reads one from a row that begins with `at_ms, id, ingested_ms, message`.
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let place = Place { at_ms: row.get(0)?, number: row.get(1)? };
        Ok(Self { place, ingested_ms: row.get(2)?, message: row.get(3)? })
    }

    /// What it counts.
    pub(super) fn bytes(&self) -> i64 {
        i64::try_from(self.message.len()).unwrap_or(i64::MAX) + EVENT_OVERHEAD
    }
}

fn check_batch(events: &[NewEvent]) -> Result<(), Refusal> {
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let times = events.first().zip(events.last());
    if times.is_some_and(|(first, last)| last.timestamp - first.timestamp > DAY_MS) {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    let size = |event: &NewEvent| i64::try_from(event.message.len()).unwrap_or(i64::MAX);
    let bytes: i64 = events.iter().map(|event| size(event) + EVENT_OVERHEAD).sum();
    if bytes > BATCH_MAX {
        return Err(invalid(format!(
            "Upload too large: {bytes} bytes exceeds limit of {BATCH_MAX}"
        )));
    }
    Ok(())
}
