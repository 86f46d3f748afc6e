//! Reading, and the checksums that make sure that what is read is what was written.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wavegate_engine::event::Record;

use super::import::parse;
use super::{Answered, Records, RecordsError, Release, Request, RequestId};
use crate::state::State;

/// The columns of a release, in the order of [`release`].
const RELEASE: &str = "id, app, number, target, owner, started_ms, took_ms, outcome, reason, \
                       epoch, functions, sum";
/// The columns of a request, in the order of [`request`].
const REQUEST: &str =
    "app, target, release, number, verb, function, asked_by, reason, at_ms, answer, sum";

/// One event as it stands in the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place in the release, from 1.
    pub place: u64,
    /// The JSON of a [`Record`], without a newline.
    pub json: String,
}

impl Line {
    /// The event, if this version knows it.
    ///
    /// # Errors
    /// In words what is wrong: most often it is of a newer version.
    pub fn record(&self) -> Result<Record, String> {
        parse(self.json.as_bytes())
    }
}

impl Records {
    /// The releases of an app, newest first.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn releases(&self, app: &str) -> Result<Vec<Release>, RecordsError> {
        let sql = format!("select {RELEASE} from release where app = ?1 order by key desc");
        self.all(&sql, [app], release)
    }

    /// One release, by its id.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn release(&self, id: &str) -> Result<Option<Release>, RecordsError> {
        release_of(&self.connection, id).map_err(|source| self.unread(source))
    }

    /// The events of a release behind a place, in order.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn events(&self, id: &str, behind: u64) -> Result<Vec<Line>, RecordsError> {
        let sql = "select place, record from event join release on release.key = event.release \
                   where id = ?1 and place > ?2 order by place";
        self.all(sql, params![id, behind.cast_signed()], |row| {
            Ok(Line { place: row.get::<_, i64>(0)?.cast_unsigned(), json: row.get(1)? })
        })
    }

    /// A release as its events tell it, as far as this version knows them.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn state(&self, id: &str) -> Result<State, RecordsError> {
        let lines = self.events(id, 0)?;
        let records: Vec<Record> = lines.iter().filter_map(|line| line.record().ok()).collect();
        Ok(State::of(&records))
    }

    /// What was asked for about a release, in order.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn requests(&self, release: &Release) -> Result<Vec<Answered>, RecordsError> {
        let sql = format!("select {REQUEST} from request where release = ?1 order by key");
        self.all(&sql, [&release.id], request)
    }

    /// All that was asked about an app, in order.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn requests_of(&self, app: &str) -> Result<Vec<Answered>, RecordsError> {
        let sql = format!("select {REQUEST} from request where app = ?1 order by key");
        self.all(&sql, [app], request)
    }

    /// Reads every row with its checksum.
    pub(super) fn check_sums(&self) -> Result<(), RecordsError> {
        self.all(&format!("select {RELEASE} from release"), [], release)?;
        self.all(&format!("select {REQUEST} from request"), [], request)?;
        let sql = "select release, place, record, sum from event";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.unread(e))?;
        let mut rows = statement.query([]).map_err(|e| self.unread(e))?;
        while let Some(row) = rows.next().map_err(|e| self.unread(e))? {
            event(row).map_err(|e| self.unread(e))?;
        }
        Ok(())
    }

    fn all<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, RecordsError> {
        let rows = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let rows = statement.query_map(values, read)?;
            rows.collect::<rusqlite::Result<Vec<T>>>()
        });
        rows.map_err(|source| self.unread(source))
    }

    fn unread(&self, source: rusqlite::Error) -> RecordsError {
        RecordsError::sqlite("read", &self.path, source)
    }
}

/// One release, by its id.
pub(super) fn release_of(connection: &Connection, id: &str) -> rusqlite::Result<Option<Release>> {
    let sql = format!("select {RELEASE} from release where id = ?1");
    connection.prepare_cached(&sql)?.query_row([id], release).optional()
}

/// One request.
pub(super) fn request_of(connection: &Connection, id: RequestId) -> rusqlite::Result<Answered> {
    let sql = format!("select {REQUEST} from request where key = ?1");
    connection.prepare_cached(&sql)?.query_row([id.0], request)
}

/// What a row's checksum is over: the row as JSON.
pub(super) fn sum(row: &impl serde::Serialize) -> rusqlite::Result<i64> {
    let json = serde_json::to_vec(row)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    Ok(i64::from(crc32fast::hash(&json)))
}

fn release(row: &Row<'_>) -> rusqlite::Result<Release> {
    let functions: String = row.get(10)?;
    let release = Release {
        id: row.get(0)?,
        app: row.get(1)?,
        number: row.get::<_, i64>(2)?.cast_unsigned(),
        target: row.get(3)?,
        owner: row.get(4)?,
        started_ms: row.get::<_, i64>(5)?.cast_unsigned(),
        took_ms: row.get::<_, i64>(6)?.cast_unsigned(),
        outcome: row.get(7)?,
        reason: row.get(8)?,
        epoch: row.get::<_, Option<i64>>(9)?.map(i64::cast_unsigned),
        functions: serde_json::from_str(&functions).map_err(|_| changed())?,
    };
    if row.get::<_, i64>(11)? == sum(&release)? { Ok(release) } else { Err(changed()) }
}

fn request(row: &Row<'_>) -> rusqlite::Result<Answered> {
    let request = Request {
        app: row.get(0)?,
        target: row.get(1)?,
        release: row.get(2)?,
        number: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
        verb: row.get(4)?,
        function: row.get(5)?,
        by: row.get(6)?,
        reason: row.get(7)?,
        at_ms: row.get::<_, i64>(8)?.cast_unsigned(),
    };
    let answered = Answered { request, answer: row.get(9)? };
    if row.get::<_, i64>(10)? == sum(&answered)? { Ok(answered) } else { Err(changed()) }
}

fn event(row: &Row<'_>) -> rusqlite::Result<()> {
    let (release, place): (i64, i64) = (row.get(0)?, row.get(1)?);
    let record = row.get_ref(2)?.as_str()?;
    if row.get::<_, i64>(3)? == sum(&(release, place, record))? { Ok(()) } else { Err(changed()) }
}

/// A row is not what its checksum says.
fn changed() -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(
        0,
        "a row is not what was written".to_owned(),
        rusqlite::types::Type::Null,
    )
}
