//! Where objects are: contents as files, and what is known of them in an SQLite file.
//!
//! A content is written under a name of its own and then put in place by one commit, so an object is
//! always whole, the old one or the new one. Files that no row names are removed at the next start.
//! Objects of before there were rows are files named by the hash of their key, and can still be read.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Done;
use crate::cloud::LocalError;
use crate::code::hex;
use crate::database;
use crate::private;
use crate::wire::Fault;

/// How the names of contents begin.
const CONTENT: &str = "content-";

const TABLES: &str = "
    create table bucket (name text primary key, created_ms integer not null);
    create table object (
        bucket text not null, key text not null, file text not null, size integer not null,
        etag text not null, modified_ms integer not null, members text not null,
        primary key (bucket, key));
    create table upload (
        id text primary key, bucket text not null, key text not null,
        created_ms integer not null, members text not null);
    create table part (
        upload text not null references upload on delete cascade, number integer not null,
        file text not null, size integer not null, etag text not null,
        modified_ms integer not null, primary key (upload, number));";

/// The objects of a cloud.
#[derive(Debug)]
pub(crate) struct Objects {
    directory: PathBuf,
    connection: Mutex<Connection>,
}

/// What is known of an object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) file: PathBuf,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: i64,
    /// What its operations show of it, under the names of AWS's model.
    pub(super) members: Map<String, Value>,
}

/// A content that was written.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) etag: String,
}

impl Content {
    /// Its size as rows have it.
    pub(super) fn rows_size(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX)
    }
}

impl Objects {
    /// Opens the objects in `directory`, and the file beside it that knows them.
    pub(crate) fn open(directory: &Path, index: &Path) -> Result<Self, LocalError> {
        private::directory(directory)
            .map_err(|source| LocalError::Directory { path: directory.to_owned(), source })?;
        let connection = database::open(index, &[TABLES])?;
        let objects = Self { directory: directory.to_owned(), connection: Mutex::new(connection) };
        let corrupt = |source| database::corrupt(index, source);
        objects.adopt_buckets().map_err(corrupt)?;
        objects.clear().map_err(corrupt)?;
        Ok(objects)
    }

    /// An object's content. Blocks on the disk.
    pub(crate) fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, Fault> {
        let object = self.object(bucket, key)?;
        std::fs::read(object.file).map_err(|error| on_disk(&error))
    }

    /// Performs an operation. Blocks on the disk.
    pub(super) fn perform(
        &self,
        now: i64,
        operation: &str,
        input: &Map<String, Value>,
        body: &[u8],
    ) -> Result<Done, Fault> {
        match operation {
            "ListBuckets" => self.list_buckets(),
            "CreateBucket" => self.create_bucket(now, input),
            "HeadBucket" | "GetBucketLocation" => self.head_bucket(input),
            "DeleteBucket" => self.delete_bucket(input),
            "PutObject" => self.put_object(now, input, body),
            "GetObject" => self.get_object(input),
            "HeadObject" => self.head_object(input),
            "CopyObject" => self.copy_object(now, input),
            "DeleteObject" => self.delete_object(input),
            "DeleteObjects" => self.delete_objects(input),
            "ListObjects" => self.list_objects(input),
            "ListObjectsV2" => self.list_objects_v2(input),
            "CreateMultipartUpload" => self.create_upload(now, input),
            "UploadPart" => self.upload_part(now, input, body),
            "UploadPartCopy" => self.upload_part_copy(now, input),
            "CompleteMultipartUpload" => self.complete_upload(now, input),
            "AbortMultipartUpload" => self.abort_upload(input),
            "ListParts" => self.list_parts(input),
            "ListMultipartUploads" => self.list_uploads(input),
            other => {
                let message = format!("{other} is offered and not performed");
                Err(Fault::front(500, "InternalError", message))
            }
        }
    }

    /// What is known of an object.
    pub(super) fn object(&self, bucket: &str, key: &str) -> Result<Object, Fault> {
        self.check_bucket(bucket)?;
        let found = self
            .index()
            .prepare_cached(
                "select file, size, etag, modified_ms, members from object
                 where bucket = ?1 and key = ?2",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([bucket, key], |row| {
                        let (file, members): (String, String) = (row.get(0)?, row.get(4)?);
                        Ok(Object {
                            file: self.place(bucket, &file),
                            size: row.get::<_, i64>(1)?.unsigned_abs(),
                            etag: row.get(2)?,
                            modified_ms: row.get(3)?,
                            // Written by this program alone.
                            members: serde_json::from_str(&members).unwrap_or_default(),
                        })
                    })
                    .optional()
            })
            .map_err(|error| in_index(&error))?;
        found.or_else(|| self.old_object(bucket, key)).ok_or_else(|| {
            Fault::new("NoSuchKey", "The specified key does not exist.").with("Key", key)
        })
    }

    fn old_object(&self, bucket: &str, key: &str) -> Option<Object> {
        let file = self.place(bucket, &hex(&Sha256::digest(key)));
        let content = std::fs::read(&file).ok()?;
        let size = content.len() as u64;
        Some(Object { file, size, etag: etag(&content), modified_ms: 0, members: Map::new() })
    }

    /// Writes a content into a bucket, under a name of its own.
    pub(super) fn write(&self, bucket: &str, content: &[u8]) -> Result<Content, Fault> {
        let file = new_name()?;
        let place = self.place(bucket, &file);
        private::write(&place, content).map_err(|error| on_disk(&error))?;
        Ok(Content { file, size: content.len() as u64, etag: etag(content) })
    }

    /// Puts a content in an object's place, and removes the one that was there.
    pub(super) fn replace(
        &self,
        now: i64,
        (bucket, key): (&str, &str),
        content: &Content,
        members: &Map<String, Value>,
    ) -> Result<(), Fault> {
        let before = self.object(bucket, key).ok().map(|object| object.file);
        let members = Value::Object(members.clone()).to_string();
        self.index()
            .execute(
                "insert or replace into object values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![bucket, key, content.file, content.rows_size(), content.etag, now, members],
            )
            .map_err(|error| in_index(&error))?;
        if let Some(before) = before {
            let _ = std::fs::remove_file(before);
        }
        Ok(())
    }

    /// Removes an object, if it is there.
    pub(super) fn remove(&self, bucket: &str, key: &str) -> Result<(), Fault> {
        let Ok(object) = self.object(bucket, key) else { return Ok(()) };
        self.index()
            .execute("delete from object where bucket = ?1 and key = ?2", [bucket, key])
            .map_err(|error| in_index(&error))?;
        let _ = std::fs::remove_file(object.file);
        Ok(())
    }

    /// Where a content is.
    pub(super) fn place(&self, bucket: &str, file: &str) -> PathBuf {
        self.directory.join(bucket).join(file)
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Buckets of before there were rows are directories.
    fn adopt_buckets(&self) -> rusqlite::Result<()> {
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                self.index().execute("insert or ignore into bucket values (?1, 0)", [name])?;
            }
        }
        Ok(())
    }

    /// Removes contents that no row names: those that a killed cloud left half-done.
    fn clear(&self) -> rusqlite::Result<()> {
        let named: BTreeSet<String> = {
            let index = self.index();
            let mut statement =
                index.prepare("select file from object union select file from part")?;
            let files = statement.query_map([], |row| row.get(0))?;
            files.collect::<Result<_, _>>()?
        };
        for bucket in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            for entry in std::fs::read_dir(bucket.path()).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with(CONTENT) && !named.contains(&name) {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
        Ok(())
    }
}

/// A name that no content has.
pub(super) fn new_name() -> Result<String, Fault> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Fault::front(500, "InternalError", error.to_string()))?;
    Ok(format!("{CONTENT}{}", hex(&bytes)))
}

/// A tag of the content, without quotes.
pub(super) fn etag(content: &[u8]) -> String {
    hex(&Sha256::digest(content))[..32].to_owned()
}

/// The refusal when a file cannot be used.
pub(super) fn on_disk(error: &io::Error) -> Fault {
    Fault::front(500, "InternalError", format!("The local cloud cannot reach its files: {error}"))
}

/// The refusal when the index cannot be used.
pub(super) fn in_index(error: &rusqlite::Error) -> Fault {
    Fault::front(500, "InternalError", format!("The local cloud cannot use its index: {error}"))
}
