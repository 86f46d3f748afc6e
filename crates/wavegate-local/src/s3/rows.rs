//! What is known of buckets and of the versions of objects, as rows.
//!
//! The newest row of a key is its current version; one without a file is a delete marker.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Map, Value};

/// The id of the version that objects have in buckets without versions.
pub(super) const NULL: &str = "null";

/// Whether a bucket keeps versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versioning {
    /// Nobody ever asked for it.
    Never,
    /// Every change makes a version.
    Enabled,
    /// What there was is kept, and changes go to the version `null`.
    Suspended,
}

impl Versioning {
    /// Its name in requests; none where nobody ever asked.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Never => None,
            Self::Enabled => Some("Enabled"),
            Self::Suspended => Some("Suspended"),
        }
    }

    /// By that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Enabled, Self::Suspended].into_iter().find(|it| it.name() == Some(name))
    }
}

/// A bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) created_ms: i64,
    /// Empty in what was kept before there were regions: the cloud's own.
    pub(super) region: String,
    /// The account that made it. Empty in what was kept before there were several: whoever asks.
    pub(super) owner: String,
    pub(super) versioning: Versioning,
    /// A list of keys and values.
    pub(super) tags: Value,
}

const BUCKET: &str = "select name, created_ms, region, owner, versioning, tags from bucket";

impl Bucket {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (versioning, tags): (String, String) = (row.get(4)?, row.get(5)?);
        Ok(Self {
            name: row.get(0)?,
            created_ms: row.get(1)?,
            region: row.get(2)?,
            owner: row.get(3)?,
            versioning: Versioning::named(&versioning).unwrap_or(Versioning::Never),
            tags: serde_json::from_str(&tags).unwrap_or_default(),
        })
    }

    /// A bucket, if there is one.
    pub(super) fn find(index: &Connection, name: &str) -> rusqlite::Result<Option<Self>> {
        let mut statement = index.prepare_cached(&format!("{BUCKET} where name = ?1"))?;
        statement.query_row([name], Self::read).optional()
    }

    /// Buckets behind a name, in order.
    pub(super) fn list(index: &Connection, after: &str) -> rusqlite::Result<Vec<Self>> {
        let mut statement =
            index.prepare_cached(&format!("{BUCKET} where name > ?1 order by name"))?;
        let rows = statement.query_map([after], Self::read)?;
        rows.collect()
    }

    /// Writes it.
    pub(super) fn save(&self, index: &Connection) -> rusqlite::Result<()> {
        let versioning = self.versioning.name().unwrap_or_default();
        index.execute(
            "insert into bucket (name, created_ms, region, owner, versioning, tags)
             values (?1, ?2, ?3, ?4, ?5, ?6)
             on conflict (name) do update set versioning = ?5, tags = ?6",
            params![
                self.name,
                self.created_ms,
                self.region,
                self.owner,
                versioning,
                self.tags.to_string()
            ],
        )?;
        Ok(())
    }
}

/// A version of an object, or a delete marker.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) id: String,
    /// Its content, among the bucket's; a delete marker has none.
    pub(super) file: Option<String>,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: i64,
    /// What its operations show of it, under the names of AWS's model.
    pub(super) members: Map<String, Value>,
    /// Which it is among all changes.
    pub(super) sequence: i64,
}

const VERSION: &str = "version, file, size, etag, modified_ms, members, sequence";

impl Version {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::read_at(row, 0)
    }

    /// Reads a row in which its columns, in the order of its fields, begin at one.
    pub(super) fn read_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let members: String = row.get(first + 5)?;
        Ok(Self {
            id: row.get(first)?,
            file: row.get(first + 1)?,
            size: row.get::<_, i64>(first + 2)?.unsigned_abs(),
            etag: row.get(first + 3)?,
            modified_ms: row.get(first + 4)?,
            // Written by this program alone.
            members: serde_json::from_str(&members).unwrap_or_default(),
            sequence: row.get(first + 6)?,
        })
    }

    /// A delete marker.
    pub(super) fn marker(id: String, now: i64) -> Self {
        Self {
            id,
            file: None,
            size: 0,
            etag: String::new(),
            modified_ms: now,
            members: Map::new(),
            sequence: 0,
        }
    }

    pub(super) fn is_marker(&self) -> bool {
        self.file.is_none()
    }

    /// The newest version of a key.
    pub(super) fn current(
        index: &Connection,
        bucket: &str,
        key: &str,
    ) -> rusqlite::Result<Option<Self>> {
        let mut statement = index.prepare_cached(&format!(
            "select {VERSION} from object where bucket = ?1 and key = ?2
             order by sequence desc limit 1"
        ))?;
        statement.query_row([bucket, key], Self::read).optional()
    }

    /// A version of a key by its id.
    pub(super) fn find(
        index: &Connection,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> rusqlite::Result<Option<Self>> {
        let mut statement = index.prepare_cached(&format!(
            "select {VERSION} from object where bucket = ?1 and key = ?2 and version = ?3"
        ))?;
        statement.query_row([bucket, key, id], Self::read).optional()
    }

    /// Which the next one will be among all changes.
    pub(super) fn next(index: &Connection) -> rusqlite::Result<i64> {
        let last: Option<i64> = index
            .query_row("select seq from sqlite_sequence where name = 'object'", [], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(last.unwrap_or_default() + 1)
    }

    /// Writes it as the newest of its key.
    pub(super) fn insert(
        &self,
        index: &Connection,
        bucket: &str,
        key: &str,
        parts: Option<&Value>,
    ) -> rusqlite::Result<()> {
        let members = serde_json::to_string(&self.members).unwrap_or_default();
        let size = i64::try_from(self.size).unwrap_or(i64::MAX);
        let parts = parts.map(Value::to_string);
        index
            .prepare_cached(
                "insert into object
                 (bucket, key, version, file, size, etag, modified_ms, members, parts)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                bucket,
                key,
                self.id,
                self.file,
                size,
                self.etag,
                self.modified_ms,
                members,
                parts
            ])?;
        Ok(())
    }

    /// Writes what its operations show of it.
    pub(super) fn save_members(&self, index: &Connection) -> rusqlite::Result<()> {
        let members = serde_json::to_string(&self.members).unwrap_or_default();
        index.execute(
            "update object set members = ?1 where sequence = ?2",
            params![members, self.sequence],
        )?;
        Ok(())
    }

    /// Removes its row.
    pub(super) fn delete(&self, index: &Connection) -> rusqlite::Result<()> {
        index.prepare_cached("delete from object where sequence = ?1")?.execute([self.sequence])?;
        Ok(())
    }

    /// The parts it was put together from, in order; none if it was put as a whole.
    pub(super) fn parts(&self, index: &Connection) -> rusqlite::Result<Vec<Value>> {
        let parts: Option<String> = index.query_row(
            "select parts from object where sequence = ?1",
            [self.sequence],
            |row| row.get(0),
        )?;
        Ok(parts.and_then(|parts| serde_json::from_str(&parts).ok()).unwrap_or_default())
    }
}
