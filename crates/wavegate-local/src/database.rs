//! A file of SQLite's with tables of one's own: made when it is not there, brought to the newest format,
//! the owner's alone, refused when a newer program wrote it.
//!
//! A file's format is its `user_version`: how many steps made it, one for each format there has been.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::cloud::LocalError;
use crate::private;

/// Real time to wait for another program that looks into the file.
const BUSY: Duration = Duration::from_secs(2);

/// Opens or makes the file. Each of `steps` brings it from one format to the next, the first from
/// nothing; what is written in one transaction is on the disk, or nowhere.
pub(crate) fn open(path: &Path, steps: &[&str]) -> Result<Connection, LocalError> {
    // SQLite gives what it keeps beside a file the file's own permissions.
    private::append(path)
        .map_err(|source| LocalError::Directory { path: path.to_owned(), source })?;
    let connection = Connection::open(path).map_err(|source| corrupt(path, source))?;
    let found = prepare(&connection, steps).map_err(|source| corrupt(path, source))?;
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(LocalError::Newer { path: path.to_owned(), found, known });
    }
    Ok(connection)
}

/// The error for a file that cannot be read.
pub(crate) fn corrupt(path: &Path, source: rusqlite::Error) -> LocalError {
    LocalError::Corrupt { path: path.to_owned(), source: Box::new(source) }
}

/// Takes the steps that the file lacks; the format found.
fn prepare(connection: &Connection, steps: &[&str]) -> rusqlite::Result<i64> {
    connection.busy_timeout(BUSY)?;
    // While steps are taken a table may be replaced by one that has more, which must not take along what
    // refers to it.
    connection.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = off;",
    )?;
    let found = connection.query_row("pragma user_version", [], |row| row.get(0))?;
    let missing = usize::try_from(found).ok().and_then(|found| steps.get(found..));
    if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
        let (steps, format) = (missing.join(";\n"), steps.len());
        connection.execute_batch(&format!(
            "begin immediate; {steps}; pragma user_version = {format}; commit;"
        ))?;
    }
    connection.execute_batch("pragma foreign_keys = on;")?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "create table a (x); insert into a values (1)";
    const SECOND: &str = "alter table a add column y; update a set y = x + 1";

    fn rows(connection: &Connection) -> (i64, i64) {
        connection
            .query_row("select x, y from a", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
    }

    #[test]
    fn a_file_takes_the_steps_that_it_lacks_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old"), directory.path().join("new"));
        drop(open(&old, &[FIRST]).unwrap());
        for path in [&old, &new] {
            assert_eq!(rows(&open(path, &[FIRST, SECOND]).unwrap()), (1, 2));
            assert_eq!(rows(&open(path, &[FIRST, SECOND]).unwrap()), (1, 2));
        }
        let error = open(&old, &[FIRST]).unwrap_err();
        assert!(matches!(error, LocalError::Newer { found: 2, known: 1, .. }), "{error}");
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        drop(open(&path, &[FIRST]).unwrap());
        assert!(open(&path, &[FIRST, "drop table a; nonsense"]).is_err());
        assert_eq!(rows(&open(&path, &[FIRST, SECOND]).unwrap()), (1, 2));
    }
}
