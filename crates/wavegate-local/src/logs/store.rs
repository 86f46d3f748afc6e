//! The file: its tables, and what they may hold.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Refusal, missing};
use crate::cloud::LocalError;
use crate::database;
use crate::home::Home;

/// Bytes that one group keeps: more than a person reads, and little enough for two hundred functions.
pub(super) const GROUP_MAX: i64 = 64 << 20;
/// AWS: bytes that an event counts beside its message.
pub(super) const EVENT_OVERHEAD: i64 = 26;
/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;
/// The tables, one format after the other.
const STEPS: [&str; 3] = [
    "create table log_group (
        id integer primary key, name text not null unique, created_ms integer not null,
        retention_days integer, kms_key text, class text not null, is_protected integer not null,
        tags text not null, bytes integer not null default 0);
    create table log_stream (
        id integer primary key, group_id integer not null references log_group on delete cascade,
        name text not null, created_ms integer not null, first_ms integer, last_ms integer,
        ingested_ms integer, unique (group_id, name));
    create table event (
        id integer primary key autoincrement,
        group_id integer not null references log_group on delete cascade,
        stream_id integer not null references log_stream on delete cascade,
        at_ms integer not null, ingested_ms integer not null, message text not null);
    create index event_of_group on event (group_id, at_ms, id);
    create index event_of_stream on event (stream_id, at_ms, id)",
    // There was one home, and nothing said which: its groups get their place when the file is opened.
    "create table new_group (
        id integer primary key, place text not null, name text not null, created_ms integer not null,
        retention_days integer, kms_key text, class text not null, is_protected integer not null,
        tags text not null, bytes integer not null default 0, unique (place, name));
    insert into new_group
        select id, '', name, created_ms, retention_days, kms_key, class, is_protected, tags, bytes
        from log_group;
    drop table log_group;
    alter table new_group rename to log_group",
    "create table metric_filter (
        group_id integer not null references log_group on delete cascade,
        name text not null, shown text not null, primary key (group_id, name)) without rowid",
];

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) created_ms: i64,
    pub(super) retention_days: Option<i64>,
    pub(super) kms_key: Option<String>,
    pub(super) class: String,
    pub(super) is_protected: bool,
    pub(super) tags: BTreeMap<String, String>,
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) created_ms: i64,
    pub(super) first_ms: Option<i64>,
    pub(super) last_ms: Option<i64>,
    pub(super) ingested_ms: Option<i64>,
}

/// Opens or makes the file. What it held before it knew of homes is `first`'s.
pub(super) fn open(path: &Path, first: &Home) -> Result<Connection, LocalError> {
    let connection = database::open(path, &STEPS)?;
    connection
        .execute("update log_group set place = ?1 where place = ''", [first.to_string()])
        .map_err(|source| database::corrupt(path, source))?;
    Ok(connection)
}

impl Group {
    const COLUMNS: &str =
        "id, name, created_ms, retention_days, kms_key, class, is_protected, tags";

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let tags: String = row.get(7)?;
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            created_ms: row.get(2)?,
            retention_days: row.get(3)?,
            kms_key: row.get(4)?,
            class: row.get(5)?,
            is_protected: row.get(6)?,
            // Written by this program alone.
            tags: serde_json::from_str(&tags).unwrap_or_default(),
        })
    }

    /// The group of a name in a place, if there is one.
    pub(super) fn find(
        data: &Connection,
        place: &str,
        name: &str,
    ) -> rusqlite::Result<Option<Self>> {
        let query =
            format!("select {} from log_group where place = ?1 and name = ?2", Self::COLUMNS);
        data.prepare_cached(&query)?.query_row([place, name], Self::of).optional()
    }

    /// All groups of a place in the order of their names.
    pub(super) fn all(data: &Connection, place: &str) -> rusqlite::Result<Vec<Self>> {
        let query =
            format!("select {} from log_group where place = ?1 order by name", Self::COLUMNS);
        let mut statement = data.prepare_cached(&query)?;
        let groups = statement.query_map([place], Self::of)?;
        groups.collect()
    }
}

impl Stream {
    const COLUMNS: &str = "id, name, created_ms, first_ms, last_ms, ingested_ms";

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            created_ms: row.get(2)?,
            first_ms: row.get(3)?,
            last_ms: row.get(4)?,
            ingested_ms: row.get(5)?,
        })
    }

    /// A group's stream of a name, if there is one.
    pub(super) fn find(
        data: &Connection,
        group: &Group,
        name: &str,
    ) -> rusqlite::Result<Option<Self>> {
        let query =
            format!("select {} from log_stream where group_id = ?1 and name = ?2", Self::COLUMNS);
        data.prepare_cached(&query)?.query_row(params![group.id, name], Self::of).optional()
    }

    /// A group's stream of a name, or AWS's refusal.
    pub(super) fn get(data: &Connection, group: &Group, name: &str) -> Result<Self, Refusal> {
        Self::find(data, group, name)?.ok_or_else(|| missing("log stream"))
    }

    /// A group's streams in the order of their names.
    pub(super) fn all(data: &Connection, group: &Group) -> rusqlite::Result<Vec<Self>> {
        let query =
            format!("select {} from log_stream where group_id = ?1 order by name", Self::COLUMNS);
        let mut statement = data.prepare_cached(&query)?;
        let streams = statement.query_map([group.id], Self::of)?;
        streams.collect()
    }
}

/// Makes a group that has nothing but a name.
pub(super) fn make_group(
    data: &Connection,
    place: &str,
    name: &str,
    now: i64,
) -> rusqlite::Result<()> {
    data.prepare_cached(
        "insert into log_group (place, name, created_ms, class, is_protected, tags)
         values (?1, ?2, ?3, 'STANDARD', 0, '{}')",
    )?
    .execute(params![place, name, now])?;
    Ok(())
}

/// Makes a stream.
pub(super) fn make_stream(
    data: &Connection,
    group: &Group,
    name: &str,
    now: i64,
) -> rusqlite::Result<()> {
    data.prepare_cached("insert into log_stream (group_id, name, created_ms) values (?1, ?2, ?3)")?
        .execute(params![group.id, name, now])?;
    Ok(())
}

/// Adds events, each with its time, to a stream. The oldest of a group that has too much go.
pub(super) fn add<'a>(
    data: &Connection,
    group: &Group,
    stream: &Stream,
    now: i64,
    events: impl IntoIterator<Item = (i64, &'a str)>,
) -> rusqlite::Result<()> {
    let mut insert = data.prepare_cached(
        "insert into event (group_id, stream_id, at_ms, ingested_ms, message)
         values (?1, ?2, ?3, ?4, ?5)",
    )?;
    let (mut first, mut last) = (stream.first_ms, stream.last_ms);
    let mut bytes = 0;
    for (at_ms, message) in events {
        insert.execute(params![group.id, stream.id, at_ms, now, message])?;
        first = Some(first.map_or(at_ms, |first| first.min(at_ms)));
        last = Some(last.map_or(at_ms, |last| last.max(at_ms)));
        bytes += i64::try_from(message.len()).unwrap_or(i64::MAX) + EVENT_OVERHEAD;
    }
    data.prepare_cached(
        "update log_stream set first_ms = ?2, last_ms = ?3, ingested_ms = ?4 where id = ?1",
    )?
    .execute(params![stream.id, first, last, now])?;
    let held: i64 = data
        .prepare_cached("update log_group set bytes = bytes + ?2 where id = ?1 returning bytes")?
        .query_row(params![group.id, bytes], |row| row.get(0))?;
    if held > GROUP_MAX { thin(data, group.id) } else { Ok(()) }
}

/// Removes the older half of a group's events.
fn thin(data: &Connection, group: i64) -> rusqlite::Result<()> {
    data.execute(
        "delete from event where id in
           (select id from event where group_id = ?1 order by at_ms, id
            limit (select (count(*) + 1) / 2 from event where group_id = ?1))",
        [group],
    )?;
    weigh(data, group)
}

/// Removes the events that their groups keep no longer, in all places.
pub(super) fn expire(data: &Connection, now: i64) -> rusqlite::Result<()> {
    let mut kept = data.prepare_cached(
        "select id, retention_days from log_group where retention_days is not null",
    )?;
    let kept = kept.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for group in kept.collect::<rusqlite::Result<Vec<(i64, i64)>>>()? {
        let (group, days) = group;
        let oldest = now.saturating_sub(days.saturating_mul(DAY_MS));
        let gone = data.execute(
            "delete from event where group_id = ?1 and at_ms < ?2",
            params![group, oldest],
        )?;
        if gone > 0 {
            weigh(data, group)?;
        }
    }
    Ok(())
}

/// Finds out how much a group has, after some of it was removed.
pub(super) fn weigh(data: &Connection, group: i64) -> rusqlite::Result<()> {
    data.execute(
        "update log_group set bytes =
           (select coalesce(sum(length(cast(message as blob)) + ?2), 0) from event
            where group_id = ?1)
         where id = ?1",
        params![group, EVENT_OVERHEAD],
    )?;
    Ok(())
}
