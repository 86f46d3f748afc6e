//! Writing: batches of events with the release's row, and requests. One transaction each.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use wavegate_engine::event::Record;

use super::import::Recording;
use super::read::sum;
use super::{Answered, Records, RecordsError, Release, Request, RequestId};
use crate::json::json_line;
use crate::state::State;

impl Records {
    /// Writes events of a release and what it has come to.
    pub(super) fn append(&mut self, state: &State, batch: &[Record]) -> Result<(), RecordsError> {
        self.is_there()?;
        self.write(|transaction| {
            let key = put(transaction, Release::of(state))?;
            let lines: Vec<String> = batch.iter().map(json_line).collect();
            events(transaction, key, lines.iter().map(|line| line.trim_end()))
        })
    }

    /// Moves what was written into the file proper and lets go of the rest.
    pub(super) fn settle(&self) -> Result<(), RecordsError> {
        self.is_there()?;
        let moved = self.connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()));
        match moved.map_err(|source| RecordsError::sqlite("write", &self.path, source)) {
            // Somebody still reads: whoever closes the file last does it.
            Err(RecordsError::Locked { .. }) => Ok(()),
            settled => settled,
        }
    }

    /// Records that somebody asks for something. What becomes of it is recorded by
    /// [`Records::answered`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn asked(&mut self, request: &Request) -> Result<RequestId, RecordsError> {
        let answered = Answered { request: request.clone(), answer: None };
        self.write(|transaction| {
            transaction.execute(
                "insert into request (app, target, release, number, verb, function, asked_by, \
                 reason, at_ms, answer, sum) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, null, ?10)",
                params![
                    request.app,
                    request.target,
                    request.release,
                    request.number.map(u64::cast_signed),
                    request.verb,
                    request.function,
                    request.by,
                    request.reason,
                    request.at_ms.cast_signed(),
                    sum(&answered)?,
                ],
            )?;
            Ok(RequestId(transaction.last_insert_rowid()))
        })
    }

    /// Records in words what became of a request.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn answered(&mut self, id: RequestId, words: &str) -> Result<(), RecordsError> {
        self.write(|transaction| {
            let asked = super::read::request_of(transaction, id)?;
            let answered = Answered { answer: Some(words.to_owned()), ..asked };
            transaction
                .prepare_cached("update request set answer = ?2, sum = ?3 where key = ?1")?
                .execute(params![id.0, words, sum(&answered)?])
                .map(|_| ())
        })
    }

    fn write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, RecordsError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let written = transaction.and_then(|transaction| {
            let told = change(&transaction)?;
            transaction.commit().map(|()| told)
        });
        written.map_err(|source| RecordsError::sqlite("write", &self.path, source))
    }
}

/// What an earlier version recorded of one release, unless the release is there already.
pub(super) fn import(transaction: &Transaction<'_>, recording: &Recording) -> rusqlite::Result<()> {
    let state = State::of(recording.lines.iter().map(|(record, _)| record));
    let known = key_of(transaction, &state.release)?;
    if state.release.is_empty() || known.is_some() {
        return Ok(());
    }
    let key = put(transaction, Release::of(&state))?;
    events(transaction, key, recording.lines.iter().map(|(_, line)| line.as_str()))
}

/// Writes a release's row, over the one that is there, and answers its key.
fn put(transaction: &Transaction<'_>, release: Release) -> rusqlite::Result<i64> {
    let release = with_the_end_that_counts(transaction, release)?;
    transaction
        .prepare_cached(
            "insert into release (id, app, number, target, owner, started_ms, took_ms, outcome, \
             reason, epoch, functions, sum) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
             on conflict (id) do update set number = excluded.number, target = excluded.target, \
             owner = excluded.owner, started_ms = excluded.started_ms, \
             took_ms = excluded.took_ms, outcome = excluded.outcome, reason = excluded.reason, \
             epoch = excluded.epoch, functions = excluded.functions, sum = excluded.sum \
             returning key",
        )?
        .query_row(
            params![
                release.id,
                release.app,
                release.number.cast_signed(),
                release.target,
                release.owner,
                release.started_ms.cast_signed(),
                release.took_ms.cast_signed(),
                release.outcome,
                release.reason,
                release.epoch.map(u64::cast_signed),
                functions(&release)?,
                sum(&release)?,
            ],
            |row| row.get(0),
        )
}

/// An owner that was fenced tells its own end, not the release's: the one who took it over does.
fn with_the_end_that_counts(
    transaction: &Transaction<'_>,
    release: Release,
) -> rusqlite::Result<Release> {
    if release.outcome.as_deref() != Some("fenced") {
        return Ok(release);
    }
    let known = super::read::release_of(transaction, &release.id)?;
    Ok(known.filter(|known| known.epoch > release.epoch).unwrap_or(release))
}

fn functions(release: &Release) -> rusqlite::Result<String> {
    serde_json::to_string(&release.functions)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn key_of(connection: &Connection, id: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("select key from release where id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()
}

/// Appends events behind the last one, whoever wrote that.
fn events<'a>(
    transaction: &Transaction<'_>,
    key: i64,
    lines: impl Iterator<Item = &'a str>,
) -> rusqlite::Result<()> {
    let last: i64 = transaction
        .prepare_cached("select coalesce(max(place), 0) from event where release = ?1")?
        .query_row([key], |row| row.get(0))?;
    let mut statement = transaction.prepare_cached("insert into event values (?1, ?2, ?3, ?4)")?;
    for (place, line) in (last + 1..).zip(lines) {
        statement.execute(params![key, place, line, sum(&(key, place, line))?])?;
    }
    Ok(())
}
