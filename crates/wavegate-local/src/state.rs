//! The state file: everything the cloud remembers, in one SQLite database.
//!
//! Every change is committed before it is answered, so that a killed cloud forgets nothing it
//! promised (the write-ahead log survives the process; a power cut may cost the last moments). The
//! database's `user_version` is the format: a newer one is refused, never guessed at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::cloud::LocalError;
use crate::database;
use crate::lambda::model::FunctionRecord;

/// The tables, one format after the other.
const STEPS: [&str; 4] = [
    "create table meta (key text primary key, value text not null);
     create table function (name text primary key, record text not null)",
    "create table codedeploy
       (kind text not null, key text not null, record text not null, primary key (kind, key))",
    "create table lambda
       (kind text not null, key text not null, record text not null, primary key (kind, key))",
    "create table identity
       (kind text not null, key text not null, record text not null, primary key (kind, key))",
];

/// The open state file.
#[derive(Debug)]
pub(crate) struct State {
    connection: Connection,
    path: PathBuf,
}

/// Kind, key and record of a row.
pub(crate) type Row = (String, String, serde_json::Value);

/// What a state file held.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) functions: Vec<(String, FunctionRecord)>,
    pub(crate) retired: BTreeMap<String, u64>,
    pub(crate) cloudwatch: Option<serde_json::Value>,
    pub(crate) lambda: Vec<Row>,
    pub(crate) codedeploy: Vec<Row>,
    pub(crate) identity: Vec<Row>,
    pub(crate) high_water_ms: i64,
}

/// Kind, key and record of a row to be written; absent ones are removed.
pub(crate) type NewRow<'a> = (&'static str, &'a str, Option<String>);

/// What is to be written at once.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    pub(crate) functions: Vec<(&'a str, Option<&'a FunctionRecord>)>,
    pub(crate) lambda: Vec<NewRow<'a>>,
    pub(crate) codedeploy: Vec<NewRow<'a>>,
    pub(crate) retired: Option<&'a BTreeMap<String, u64>>,
}

impl State {
    /// Opens or creates the file and reads all of it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Stored), LocalError> {
        let state = Self { connection: database::open(path, &STEPS)?, path: path.to_owned() };
        let stored =
            state.load().map_err(|source| LocalError::Corrupt { path: path.to_owned(), source })?;
        Ok((state, stored))
    }

    /// Writes what has changed, all of it or nothing: functions and rows of CodeDeploy (absent ones are
    /// removed), and the version numbers of deleted functions. So an alias that a deployment moved and
    /// the record of it never differ.
    pub(crate) fn save(&mut self, changes: &Changes<'_>) -> Result<(), LocalError> {
        self.write(|transaction| {
            for (name, record) in &changes.functions {
                match record {
                    Some(record) => transaction
                        .prepare_cached("insert or replace into function values (?1, ?2)")?
                        .execute(params![name, to_json(record)?])?,
                    None => transaction.execute("delete from function where name = ?1", [name])?,
                };
            }
            put_rows(transaction, "lambda", &changes.lambda)?;
            put_rows(transaction, "codedeploy", &changes.codedeploy)?;
            match changes.retired {
                Some(retired) => put(transaction, "retired", &to_json(retired)?),
                None => Ok(()),
            }
        })
    }

    /// Writes rows of IAM: kind, key and record of each. Absent ones are removed.
    pub(crate) fn save_identity(&mut self, rows: &[NewRow<'_>]) -> Result<(), LocalError> {
        self.write(|transaction| put_rows(transaction, "identity", rows))
    }

    /// Writes what CloudWatch remembers.
    pub(crate) fn save_cloudwatch(&mut self, value: &serde_json::Value) -> Result<(), LocalError> {
        self.write(|transaction| put(transaction, "cloudwatch", &value.to_string()))
    }

    /// Writes the virtual time that no moment lies beyond.
    pub(crate) fn save_high_water(&mut self, high_water_ms: i64) -> Result<(), LocalError> {
        self.write(|transaction| put(transaction, "high_water_ms", &high_water_ms.to_string()))
    }

    fn load(&self) -> Result<Stored, Box<dyn std::error::Error + Send + Sync>> {
        let mut statement = self.connection.prepare("select name, record from function")?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let mut functions = Vec::new();
        for row in rows {
            let (name, record) = row?;
            functions.push((name, serde_json::from_str(&record)?));
        }
        let lambda = self.rows("lambda")?;
        let codedeploy = self.rows("codedeploy")?;
        let identity = self.rows("identity")?;
        let retired = self.get("retired")?.map(|text| serde_json::from_str(&text)).transpose()?;
        let cloudwatch =
            self.get("cloudwatch")?.map(|text| serde_json::from_str(&text)).transpose()?;
        let high_water = self.get("high_water_ms")?.map(|text| text.parse()).transpose()?;
        Ok(Stored {
            functions,
            retired: retired.unwrap_or_default(),
            cloudwatch,
            lambda,
            codedeploy,
            identity,
            high_water_ms: high_water.unwrap_or(0),
        })
    }

    /// Every row of a table.
    fn rows(&self, table: &str) -> Result<Vec<Row>, Box<dyn std::error::Error + Send + Sync>> {
        let query = format!("select kind, key, record from {table}");
        let mut statement = self.connection.prepare(&query)?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (kind, key, record) = row?;
            found.push((kind, key, serde_json::from_str(&record)?));
        }
        Ok(found)
    }

    fn get(&self, key: &str) -> rusqlite::Result<Option<String>> {
        let query = "select value from meta where key = ?1";
        self.connection.query_row(query, [key], |row| row.get(0)).optional()
    }

    fn write(
        &mut self,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), LocalError> {
        let result = self.connection.transaction().and_then(|transaction| {
            change(&transaction)?;
            transaction.commit()
        });
        result.map_err(|source| LocalError::Save { path: self.path.clone(), source })
    }
}

/// Writes rows of a table; absent ones are removed.
fn put_rows(
    transaction: &rusqlite::Transaction<'_>,
    table: &str,
    rows: &[NewRow<'_>],
) -> rusqlite::Result<()> {
    for (kind, key, record) in rows {
        match record {
            Some(record) => transaction
                .prepare_cached(&format!("insert or replace into {table} values (?1, ?2, ?3)"))?
                .execute(params![kind, key, record])?,
            None => transaction
                .prepare_cached(&format!("delete from {table} where kind = ?1 and key = ?2"))?
                .execute(params![kind, key])?,
        };
    }
    Ok(())
}

fn put(transaction: &rusqlite::Transaction<'_>, key: &str, value: &str) -> rusqlite::Result<()> {
    let mut statement =
        transaction.prepare_cached("insert or replace into meta values (?1, ?2)")?;
    statement.execute(params![key, value]).map(|_| ())
}

fn to_json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_with_the_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        drop(State::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("pragma user_version = 99").unwrap();
        drop(connection);
        let error = State::open(&path).unwrap_err();
        assert!(matches!(error, LocalError::Newer { found: 99, known: 4, .. }));
        let text = error.to_string();
        assert!(text.contains("state.sqlite") && text.contains("wavegate local reset"), "{text}");
    }

    #[test]
    fn a_corrupt_file_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        for bytes in
            [&b"this is no database, not at all, nor will it ever be one"[..], &[0xff; 4096]]
        {
            std::fs::write(&path, bytes).unwrap();
            let text = State::open(&path).unwrap_err().to_string();
            assert!(
                text.contains("state.sqlite") && text.contains("wavegate local reset"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_corrupt() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        drop(State::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("insert into function values ('fn', '{}')").unwrap();
        drop(connection);
        assert!(matches!(State::open(&path).unwrap_err(), LocalError::Corrupt { .. }));
    }

    #[test]
    fn what_was_saved_is_there_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        let (mut state, stored) = State::open(&path).unwrap();
        assert!(stored.functions.is_empty() && stored.cloudwatch.is_none());
        state.save_high_water(42).unwrap();
        let retired = BTreeMap::from([("gone".to_owned(), 7)]);
        let record = Some(r#"{"a":2}"#.to_owned());
        let changes = Changes {
            retired: Some(&retired),
            lambda: vec![("layer", "l", record.clone())],
            codedeploy: vec![("group", "g", record.clone()), ("group", "gone", record)],
            ..Changes::default()
        };
        state.save(&changes).unwrap();
        let gone = Changes { codedeploy: vec![("group", "gone", None)], ..Changes::default() };
        state.save(&gone).unwrap();
        state.save_cloudwatch(&serde_json::json!({ "a": 1 })).unwrap();
        state
            .save_identity(&[("role", "r", Some("{}".to_owned())), ("role", "gone", None)])
            .unwrap();
        drop(state);
        let (_, stored) = State::open(&path).unwrap();
        assert_eq!(stored.high_water_ms, 42);
        assert_eq!(stored.retired["gone"], 7);
        let row = ("group".to_owned(), "g".to_owned(), serde_json::json!({ "a": 2 }));
        assert_eq!(stored.codedeploy, [row]);
        let row = ("layer".to_owned(), "l".to_owned(), serde_json::json!({ "a": 2 }));
        assert_eq!(stored.lambda, [row]);
        assert_eq!(stored.identity, [("role".to_owned(), "r".to_owned(), serde_json::json!({}))]);
        assert_eq!(stored.cloudwatch, Some(serde_json::json!({ "a": 1 })));
    }

    #[test]
    fn a_file_of_the_first_format_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        let connection = Connection::open(&path).unwrap();
        let old = "create table meta (key text primary key, value text not null);
                   create table function (name text primary key, record text not null);
                   insert into meta values ('high_water_ms', '7');
                   pragma user_version = 1;";
        connection.execute_batch(old).unwrap();
        drop(connection);
        let (_, stored) = State::open(&path).unwrap();
        assert_eq!((stored.high_water_ms, stored.codedeploy.len()), (7, 0));
    }
}
