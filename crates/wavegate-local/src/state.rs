//! The state file: everything the cloud remembers, in one SQLite database.
//!
//! Every change is committed before it is answered, so that a killed cloud forgets nothing it
//! promised (the write-ahead log survives the process; a power cut may cost the last moments). The
//! database's `user_version` is the format: a newer one is refused, never guessed at.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::cloud::LocalError;
use crate::database;
use crate::home::Home;
use crate::lambda::model::FunctionRecord;
use crate::rows::{NewRow, Row};

/// The tables, one format after the other.
const STEPS: [&str; 5] = [
    "create table meta (key text primary key, value text not null);
     create table function (name text primary key, record text not null)",
    "create table codedeploy
       (kind text not null, key text not null, record text not null, primary key (kind, key))",
    "create table lambda
       (kind text not null, key text not null, record text not null, primary key (kind, key))",
    "create table identity
       (kind text not null, key text not null, record text not null, primary key (kind, key))",
    // There was one home, and nothing said which: its rows get their place when the file is opened.
    "alter table function rename to old_function;
     alter table lambda rename to old_lambda;
     alter table codedeploy rename to old_codedeploy;
     alter table identity rename to old_identity;
     create table function
       (place text not null, name text not null, record text not null, primary key (place, name));
     create table lambda
       (place text not null, kind text not null, key text not null, record text not null,
        primary key (place, kind, key));
     create table codedeploy
       (place text not null, kind text not null, key text not null, record text not null,
        primary key (place, kind, key));
     create table identity
       (place text not null, kind text not null, key text not null, record text not null,
        primary key (place, kind, key));
     create table memory
       (place text not null, key text not null, value text not null, primary key (place, key));
     insert into function select '', name, record from old_function;
     insert into lambda select '', kind, key, record from old_lambda;
     insert into codedeploy select '', kind, key, record from old_codedeploy;
     insert into identity select '', kind, key, record from old_identity;
     insert into memory select '', key, value from meta where key in ('retired', 'cloudwatch');
     delete from meta where key in ('retired', 'cloudwatch');
     drop table old_function;
     drop table old_lambda;
     drop table old_codedeploy;
     drop table old_identity",
];

/// The open state file.
#[derive(Debug)]
pub(crate) struct State {
    connection: Connection,
    path: PathBuf,
}

/// What a state file held.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) homes: BTreeMap<Home, OfHome>,
    /// Rows of IAM by account.
    pub(crate) identities: BTreeMap<String, Vec<Row>>,
    pub(crate) high_water_ms: i64,
}

/// What it held of one account in one region.
#[derive(Debug, Default)]
pub(crate) struct OfHome {
    pub(crate) functions: Vec<(String, FunctionRecord)>,
    pub(crate) retired: BTreeMap<String, u64>,
    pub(crate) cloudwatch: Option<serde_json::Value>,
    pub(crate) lambda: Vec<Row>,
    pub(crate) codedeploy: Vec<Row>,
}

/// What is to be written at once.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    pub(crate) functions: Vec<(&'a str, Option<&'a FunctionRecord>)>,
    pub(crate) lambda: Vec<NewRow>,
    pub(crate) codedeploy: Vec<NewRow>,
    pub(crate) retired: Option<&'a BTreeMap<String, u64>>,
}

impl Changes<'_> {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.lambda.is_empty() && self.codedeploy.is_empty()
    }
}

impl State {
    /// Opens or creates the file and reads all of it. What it held before it knew of homes is `first`'s.
    pub(crate) fn open(path: &Path, first: &Home) -> Result<(Self, Stored), LocalError> {
        let mut state = Self { connection: database::open(path, &STEPS)?, path: path.to_owned() };
        state.adopt(first)?;
        let stored =
            state.load().map_err(|source| LocalError::Corrupt { path: path.to_owned(), source })?;
        Ok((state, stored))
    }

    /// Writes what has changed, all of it or nothing: functions and rows of CodeDeploy (absent ones are
    /// removed), and the version numbers of deleted functions. So an alias that a deployment moved and
    /// the record of it never differ.
    pub(crate) fn save(&mut self, home: &Home, changes: &Changes<'_>) -> Result<(), LocalError> {
        let place = home.to_string();
        self.write(|transaction| {
            for (name, record) in &changes.functions {
                match record {
                    Some(record) => transaction
                        .prepare_cached("insert or replace into function values (?1, ?2, ?3)")?
                        .execute(params![place, name, to_json(record)?])?,
                    None => transaction
                        .prepare_cached("delete from function where place = ?1 and name = ?2")?
                        .execute(params![place, name])?,
                };
            }
            put_rows(transaction, "lambda", &place, &changes.lambda)?;
            put_rows(transaction, "codedeploy", &place, &changes.codedeploy)?;
            match changes.retired {
                Some(retired) => remember(transaction, &place, "retired", &to_json(retired)?),
                None => Ok(()),
            }
        })
    }

    /// Writes rows of an account's IAM: kind, key and record of each. Absent ones are removed.
    pub(crate) fn save_identity(
        &mut self,
        account: &str,
        rows: &[NewRow],
    ) -> Result<(), LocalError> {
        self.write(|transaction| put_rows(transaction, "identity", account, rows))
    }

    /// Writes what CloudWatch remembers.
    pub(crate) fn save_cloudwatch(
        &mut self,
        home: &Home,
        value: &serde_json::Value,
    ) -> Result<(), LocalError> {
        let place = home.to_string();
        self.write(|transaction| remember(transaction, &place, "cloudwatch", &value.to_string()))
    }

    /// Writes the virtual time that no moment lies beyond.
    pub(crate) fn save_high_water(&mut self, high_water_ms: i64) -> Result<(), LocalError> {
        self.write(|transaction| {
            transaction
                .prepare_cached("insert or replace into meta values ('high_water_ms', ?1)")?
                .execute([high_water_ms.to_string()])
                .map(|_| ())
        })
    }

    fn adopt(&mut self, first: &Home) -> Result<(), LocalError> {
        let place = first.to_string();
        self.write(|transaction| {
            for table in ["function", "lambda", "codedeploy", "memory"] {
                let adopt = format!("update {table} set place = ?1 where place = ''");
                transaction.execute(&adopt, [&place])?;
            }
            let adopt = "update identity set place = ?1 where place = ''";
            transaction.execute(adopt, [&first.account]).map(|_| ())
        })
    }

    fn load(&self) -> Result<Stored, Box<dyn Error + Send + Sync>> {
        let mut stored = Stored::default();
        for (place, name, record) in self.texts("select place, name, record from function")? {
            stored.home(&place)?.functions.push((name, serde_json::from_str(&record)?));
        }
        for (place, row) in self.rows("lambda")? {
            stored.home(&place)?.lambda.push(row);
        }
        for (place, row) in self.rows("codedeploy")? {
            stored.home(&place)?.codedeploy.push(row);
        }
        for (account, row) in self.rows("identity")? {
            stored.identities.entry(account).or_default().push(row);
        }
        for (place, key, value) in self.texts("select place, key, value from memory")? {
            let home = stored.home(&place)?;
            match key.as_str() {
                "retired" => home.retired = serde_json::from_str(&value)?,
                "cloudwatch" => home.cloudwatch = Some(serde_json::from_str(&value)?),
                other => return Err(format!("nothing is known of {other}").into()),
            }
        }
        let query = "select value from meta where key = 'high_water_ms'";
        let high_water: Option<String> =
            self.connection.query_row(query, [], |row| row.get(0)).optional()?;
        stored.high_water_ms = high_water.map(|text| text.parse()).transpose()?.unwrap_or(0);
        Ok(stored)
    }

    /// Every row of a table, and its place.
    fn rows(&self, table: &str) -> Result<Vec<(String, Row)>, Box<dyn Error + Send + Sync>> {
        let query = format!("select place, kind, key, record from {table}");
        let mut statement = self.connection.prepare(&query)?;
        let rows = statement.query_map([], |row| {
            let record: String = row.get(3)?;
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, record))
        })?;
        rows.map(|row| {
            let (place, kind, key, record) = row?;
            Ok((place, (kind, key, serde_json::from_str(&record)?)))
        })
        .collect()
    }

    fn texts(&self, query: &str) -> rusqlite::Result<Vec<(String, String, String)>> {
        let mut statement = self.connection.prepare(query)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect()
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

impl Stored {
    fn home(&mut self, place: &str) -> Result<&mut OfHome, String> {
        let home = Home::parse(place).ok_or_else(|| format!("{place:?} is no place"))?;
        Ok(self.homes.entry(home).or_default())
    }
}

/// Writes rows of a table; absent ones are removed.
fn put_rows(
    transaction: &rusqlite::Transaction<'_>,
    table: &str,
    place: &str,
    rows: &[NewRow],
) -> rusqlite::Result<()> {
    for (kind, key, record) in rows {
        match record {
            Some(record) => transaction
                .prepare_cached(&format!("insert or replace into {table} values (?1, ?2, ?3, ?4)"))?
                .execute(params![place, kind, key, record])?,
            None => transaction
                .prepare_cached(&format!(
                    "delete from {table} where place = ?1 and kind = ?2 and key = ?3"
                ))?
                .execute(params![place, kind, key])?,
        };
    }
    Ok(())
}

fn remember(
    transaction: &rusqlite::Transaction<'_>,
    place: &str,
    key: &str,
    value: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("insert or replace into memory values (?1, ?2, ?3)")?
        .execute(params![place, key, value])
        .map(|_| ())
}

fn to_json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home { region: "us-east-1".to_owned(), account: "000000000000".to_owned() }
    }

    #[test]
    fn a_newer_format_is_refused_with_the_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        drop(State::open(&path, &home()).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("pragma user_version = 99").unwrap();
        drop(connection);
        let error = State::open(&path, &home()).unwrap_err();
        assert!(matches!(error, LocalError::Newer { found: 99, known: 5, .. }));
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
            let text = State::open(&path, &home()).unwrap_err().to_string();
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
        drop(State::open(&path, &home()).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("insert into function values ('000000000000/us-east-1', 'fn', '{}')")
            .unwrap();
        drop(connection);
        assert!(matches!(State::open(&path, &home()).unwrap_err(), LocalError::Corrupt { .. }));
    }

    #[test]
    fn what_was_saved_is_there_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        let (mut state, stored) = State::open(&path, &home()).unwrap();
        assert!(stored.homes.is_empty() && stored.identities.is_empty());
        state.save_high_water(42).unwrap();
        let retired = BTreeMap::from([("gone".to_owned(), 7)]);
        let record = Some(r#"{"a":2}"#.to_owned());
        let changes = Changes {
            retired: Some(&retired),
            lambda: vec![("layer", "l".to_owned(), record.clone())],
            codedeploy: vec![
                ("group", "g".to_owned(), record.clone()),
                ("group", "gone".to_owned(), record),
            ],
            ..Changes::default()
        };
        state.save(&home(), &changes).unwrap();
        let gone =
            Changes { codedeploy: vec![("group", "gone".to_owned(), None)], ..Changes::default() };
        state.save(&home(), &gone).unwrap();
        state.save_cloudwatch(&home(), &serde_json::json!({ "a": 1 })).unwrap();
        state
            .save_identity(
                "000000000000",
                &[
                    ("role", "r".to_owned(), Some("{}".to_owned())),
                    ("role", "gone".to_owned(), None),
                ],
            )
            .unwrap();
        drop(state);
        let (_, stored) = State::open(&path, &home()).unwrap();
        assert_eq!(stored.high_water_ms, 42);
        let row = |kind: &str, key: &str, record| (kind.to_owned(), key.to_owned(), record);
        let here = &stored.homes[&home()];
        assert_eq!(here.retired["gone"], 7);
        assert_eq!(here.codedeploy, [row("group", "g", serde_json::json!({ "a": 2 }))]);
        assert_eq!(here.lambda, [row("layer", "l", serde_json::json!({ "a": 2 }))]);
        assert_eq!(here.cloudwatch, Some(serde_json::json!({ "a": 1 })));
        let roles = &stored.identities["000000000000"];
        assert_eq!(*roles, [row("role", "r", serde_json::json!({}))]);
    }

    #[test]
    fn what_is_saved_of_one_home_is_not_anothers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        let there = Home { region: "eu-west-1".to_owned(), ..home() };
        let (mut state, _) = State::open(&path, &home()).unwrap();
        let record = |text: &str| vec![("group", "g".to_owned(), Some(text.to_owned()))];
        for (home, text) in [(&home(), "1"), (&there, "2")] {
            let changes = Changes { codedeploy: record(text), ..Changes::default() };
            state.save(home, &changes).unwrap();
        }
        let gone =
            Changes { codedeploy: vec![("group", "g".to_owned(), None)], ..Changes::default() };
        state.save(&home(), &gone).unwrap();
        drop(state);
        let (_, stored) = State::open(&path, &home()).unwrap();
        assert_eq!(stored.homes.keys().collect::<Vec<_>>(), [&there]);
        assert_eq!(stored.homes[&there].codedeploy[0].2, serde_json::json!(2));
    }

    #[test]
    fn what_a_file_held_before_it_knew_homes_is_the_first_homes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(&STEPS[..4].join(";")).unwrap();
        let old = "insert into meta values ('high_water_ms', '7'), ('retired', '{\"gone\":3}');
                   insert into codedeploy values ('group', 'g', '{}');
                   insert into identity values ('role', 'r', '{}');
                   pragma user_version = 4;";
        connection.execute_batch(old).unwrap();
        drop(connection);
        for _ in 0..2 {
            let (_, stored) = State::open(&path, &home()).unwrap();
            assert_eq!((stored.high_water_ms, stored.homes[&home()].retired["gone"]), (7, 3));
            assert_eq!(stored.homes[&home()].codedeploy.len(), 1);
            assert_eq!(stored.identities["000000000000"].len(), 1);
        }
    }
}
