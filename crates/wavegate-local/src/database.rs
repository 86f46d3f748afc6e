//! A file of SQLite's with tables of one's own: made when it is not there, the owner's alone, refused when
//! a newer program wrote it.

use std::path::Path;

use rusqlite::Connection;

use crate::cloud::LocalError;
use crate::private;

/// Opens or makes the file; `tables` makes what a new one has, in the format that is told.
pub(crate) fn open(path: &Path, tables: &str, format: i64) -> Result<Connection, LocalError> {
    // SQLite gives what it keeps beside a file the file's own permissions.
    private::append(path)
        .map_err(|source| LocalError::Directory { path: path.to_owned(), source })?;
    let connection = Connection::open(path).map_err(|source| corrupt(path, source))?;
    let found = prepare(&connection, tables, format).map_err(|source| corrupt(path, source))?;
    if found > format {
        return Err(LocalError::Newer { path: path.to_owned(), found, known: format });
    }
    Ok(connection)
}

/// The error for a file that cannot be read.
pub(crate) fn corrupt(path: &Path, source: rusqlite::Error) -> LocalError {
    LocalError::Corrupt { path: path.to_owned(), source: Box::new(source) }
}

/// Makes the tables in a new file; the format found.
fn prepare(connection: &Connection, tables: &str, format: i64) -> rusqlite::Result<i64> {
    connection.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on;",
    )?;
    let found = connection.query_row("pragma user_version", [], |row| row.get(0))?;
    if found == 0 {
        let tables = format!("begin immediate; {tables} pragma user_version = {format}; commit;");
        connection.execute_batch(&tables)?;
    }
    Ok(found)
}
