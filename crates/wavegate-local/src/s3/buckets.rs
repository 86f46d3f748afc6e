//! Buckets.

use rusqlite::OptionalExtension as _;
use serde_json::{Map, Value, json};

use super::store::{Objects, in_index, on_disk};
use super::{Done, text};
use crate::private;
use crate::wire::Fault;
use crate::wire::time::seconds;

impl Objects {
    pub(super) fn list_buckets(&self) -> Result<Done, Fault> {
        let index = self.index();
        let list = || -> rusqlite::Result<Vec<Value>> {
            let mut statement =
                index.prepare("select name, created_ms from bucket order by name")?;
            let buckets = statement.query_map([], |row| {
                let (name, created): (String, i64) = (row.get(0)?, row.get(1)?);
                Ok(json!({ "Name": name, "CreationDate": seconds(created) }))
            })?;
            buckets.collect()
        };
        let buckets = list().map_err(|error| in_index(&error))?;
        Ok(Done::of(json!({ "Buckets": buckets, "Owner": { "ID": OWNER } })))
    }

    /// AWS: who makes a bucket that is their own has it.
    pub(super) fn create_bucket(
        &self,
        now: i64,
        input: &Map<String, Value>,
    ) -> Result<Done, Fault> {
        let name = text(input, "Bucket").unwrap_or_default();
        check_name(name)?;
        private::directory(&self.place(name, "")).map_err(|error| on_disk(&error))?;
        self.index()
            .execute("insert or ignore into bucket values (?1, ?2)", (name, now))
            .map_err(|error| in_index(&error))?;
        Ok(Done::of(json!({ "Location": format!("/{name}") })))
    }

    pub(super) fn head_bucket(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        self.check_bucket(text(input, "Bucket").unwrap_or_default())?;
        Ok(Done::of(json!({})))
    }

    pub(super) fn delete_bucket(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let name = text(input, "Bucket").unwrap_or_default();
        self.check_bucket(name)?;
        let is_used = self
            .index()
            .query_row("select 1 from object where bucket = ?1 limit 1", [name], |_| Ok(()))
            .optional()
            .map_err(|error| in_index(&error))?
            .is_some();
        if is_used {
            return Err(not_empty());
        }
        // Contents of uploads that were never completed go with it.
        self.forget_uploads(name)?;
        std::fs::remove_dir(self.place(name, "")).map_err(|error| match error.kind() {
            std::io::ErrorKind::DirectoryNotEmpty => not_empty(),
            _ => on_disk(&error),
        })?;
        self.index()
            .execute("delete from bucket where name = ?1", [name])
            .map_err(|error| in_index(&error))?;
        Ok(Done::of(Value::Null))
    }

    /// Refuses a bucket that is not there.
    pub(super) fn check_bucket(&self, name: &str) -> Result<(), Fault> {
        check_name(name)?;
        let found = self
            .index()
            .prepare_cached("select 1 from bucket where name = ?1")
            .and_then(|mut statement| statement.exists([name]))
            .map_err(|error| in_index(&error))?;
        if found {
            return Ok(());
        }
        let fault = Fault::new("NoSuchBucket", "The specified bucket does not exist");
        Err(fault.with("BucketName", name))
    }
}

/// Who owns everything: AWS's ids are of this form.
const OWNER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn check_name(name: &str) -> Result<(), Fault> {
    let legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let is_name = (3..=63).contains(&name.len())
        && name.bytes().all(legal)
        && name.as_bytes()[0].is_ascii_alphanumeric();
    if is_name {
        return Ok(());
    }
    let fault = Fault::front(400, "InvalidBucketName", "The specified bucket is not valid.");
    Err(fault.with("BucketName", name))
}

fn not_empty() -> Fault {
    Fault::front(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
}
