//! The tables, and how older formats become the present one.

use std::path::Path;

use rusqlite::Transaction;

/// Marks the file as ours: `wgre`.
pub(super) const APPLICATION_ID: i64 = 0x7767_7265;

/// The format that this version writes: one more for each migration.
#[expect(clippy::cast_possible_wrap, reason = "there are a handful")]
pub(super) const FORMAT: i64 = MIGRATIONS.len() as i64;

/// Makes format N+1 of format N, in the transaction that also writes the new number.
type Migration = fn(&Transaction<'_>, &Path) -> rusqlite::Result<()>;

/// From each format to the next. Format 0 is no database but one file of JSON lines for each
/// release, which earlier versions wrote.
pub(super) const MIGRATIONS: &[Migration] = &[from_json_lines];

const TABLES: &str = "
create table release (
    key integer primary key,
    id text not null unique,
    app text not null,
    number integer not null,
    target text not null,
    owner text not null,
    started_ms integer not null,
    took_ms integer not null,
    outcome text,
    reason text,
    epoch integer,
    functions text not null,
    sum integer not null
) strict;
create table event (
    release integer not null,
    place integer not null,
    record text not null,
    sum integer not null,
    primary key (release, place)
) strict, without rowid;
create table request (
    key integer primary key,
    app text not null,
    target text not null,
    release text,
    number integer,
    verb text not null,
    function text,
    asked_by text not null,
    reason text,
    at_ms integer not null,
    answer text,
    sum integer not null
) strict;
";

fn from_json_lines(transaction: &Transaction<'_>, dir: &Path) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES)?;
    for recording in super::import::all(dir) {
        // Of two files of one release, the one that was written first is kept.
        super::write::import(transaction, &recording)?;
    }
    Ok(())
}
