//! Where objects are: contents as files, and what is known of them in an SQLite file.
//!
//! A content is written under a name of its own and then put in place by one commit, so an object is
//! always whole, the old one or the new one. Files that no row names are removed at the next start.
//! Objects of before there were rows are files named by the hash of their key, and get a row when
//! somebody asks for them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::checksum::{Algorithm, Counted, Counter};
use super::receive::Given;
use super::rows::{Bucket, NULL, Version, Versioning};
use super::versions;
use super::{Call, Done, Refusal, buckets};
use crate::cloud::LocalError;
use crate::code::hex;
use crate::database;
use crate::private;
use crate::wire::Fault;

/// How the names of contents begin.
const CONTENT: &str = "content-";
/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// The first format, which had no versions.
pub(super) const FIRST: &str = "
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
        modified_ms integer not null, primary key (upload, number))";

/// The second one. Regions and owners are empty for what was there before.
const SECOND: &str = "
    alter table bucket add column region text not null default '';
    alter table bucket add column owner text not null default '';
    alter table bucket add column versioning text not null default '';
    alter table bucket add column tags text not null default '[]';
    alter table upload add column is_disturbed integer not null default 0;
    alter table part add column sums text not null default '{}';
    alter table object rename to first_object;
    create table object (
        sequence integer primary key autoincrement,
        bucket text not null, key text not null, version text not null, file text,
        size integer not null, etag text not null, modified_ms integer not null,
        members text not null, parts text, unique (bucket, key, version));
    create index newest on object (bucket, key, sequence);
    insert into object (bucket, key, version, file, size, etag, modified_ms, members)
        select bucket, key, 'null', file, size, etag, modified_ms, members
        from first_object order by modified_ms;
    drop table first_object";

/// The third one: what is set for buckets.
const THIRD: &str = "
    create table setting (
        bucket text not null references bucket on delete cascade, name text not null,
        value text not null, primary key (bucket, name))";

/// The objects of a cloud.
#[derive(Debug)]
pub(crate) struct Objects {
    directory: PathBuf,
    connection: Mutex<Connection>,
}

/// A content that was written and that nothing names yet: its file is removed if that stays so.
#[derive(Debug)]
pub(super) struct Content {
    place: PathBuf,
    /// Its name among the bucket's contents.
    pub(super) name: String,
    is_kept: bool,
}

impl Content {
    /// Opens its file to be written.
    pub(super) fn create(&self) -> io::Result<File> {
        private::append(&self.place)
    }

    /// A row names it now.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }

    /// Becomes the same as another content, which is never written again.
    pub(super) fn link(&self, other: &Path) -> io::Result<()> {
        // Not every file system has links.
        std::fs::hard_link(other, &self.place)
            .or_else(|_| io::copy(&mut File::open(other)?, &mut self.create()?).map(drop))
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = std::fs::remove_file(&self.place);
        }
    }
}

impl Objects {
    /// Opens the objects in `directory`, and the file beside it that knows them.
    pub(crate) fn open(directory: &Path, index: &Path) -> Result<Self, LocalError> {
        private::directory(directory)
            .map_err(|source| LocalError::Directory { path: directory.to_owned(), source })?;
        let connection = database::open(index, &[FIRST, SECOND, THIRD])?;
        let corrupt = |source| database::corrupt(index, source);
        let objects = Self { directory: directory.to_owned(), connection: Mutex::new(connection) };
        objects.adopt_buckets().map_err(corrupt)?;
        objects.clear().map_err(corrupt)?;
        Ok(objects)
    }

    /// A content of at most so many bytes, of the current version or of another one. Blocks on the disk.
    pub(crate) fn read(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        max: u64,
    ) -> Result<Vec<u8>, Fault> {
        let mut file = self.open_object(bucket, key, version, max)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(|error| Refusal::from(error).fault)?;
        Ok(content)
    }

    /// An object's content, to be read bit by bit. One of more than `max` bytes is refused.
    pub(crate) fn open_object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        max: u64,
    ) -> Result<File, Fault> {
        let (version, file) =
            self.open_content(bucket, key, version).map_err(|refusal| refusal.fault)?;
        if version.size > max {
            let message = format!("The object has more than {max} bytes");
            return Err(Fault::front(400, "EntityTooLarge", message));
        }
        Ok(file)
    }

    /// Performs an operation. Blocks on the disk.
    pub(super) fn perform(
        &self,
        call: &Call<'_>,
        operation: &str,
        given: Option<Given>,
    ) -> Result<Done, Refusal> {
        buckets::check_owner(&self.index(), call)?;
        let missing = || Refusal::internal(format!("{operation} needs a body"));
        match operation {
            "ListBuckets" => self.list_buckets(call),
            "CreateBucket" => self.create_bucket(call),
            "HeadBucket" => self.head_bucket(call),
            "GetBucketLocation" => self.get_location(call),
            "DeleteBucket" => self.delete_bucket(call),
            "GetBucketVersioning" => self.get_versioning(call),
            "PutBucketVersioning" => self.put_versioning(call),
            "GetBucketTagging" => self.get_bucket_tags(call),
            "PutBucketTagging" => self.put_bucket_tags(call),
            "DeleteBucketTagging" => self.delete_bucket_tags(call),
            "PutObject" => self.put_object(call, given.ok_or_else(missing)?),
            "GetObject" => self.get_object(call),
            "HeadObject" => self.head_object(call),
            "GetObjectAttributes" => self.get_attributes(call),
            "CopyObject" => self.copy_object(call),
            "DeleteObject" => self.delete_object(call),
            "DeleteObjects" => self.delete_objects(call),
            "GetObjectTagging" => self.get_tags(call),
            "PutObjectTagging" => self.put_tags(call),
            "DeleteObjectTagging" => self.delete_tags(call),
            "ListObjects" => self.list_objects(call),
            "ListObjectsV2" => self.list_objects_v2(call),
            "ListObjectVersions" => self.list_versions(call),
            "CreateMultipartUpload" => self.create_upload(call),
            "UploadPart" => self.upload_part(call, given.ok_or_else(missing)?),
            "UploadPartCopy" => self.upload_part_copy(call),
            "CompleteMultipartUpload" => self.complete_upload(call),
            "AbortMultipartUpload" => self.abort_upload(call),
            "ListParts" => self.list_parts(call),
            "ListMultipartUploads" => self.list_uploads(call),
            "GetBucketAcl" => self.get_bucket_grants(call),
            "PutBucketAcl" => self.put_bucket_grants(call),
            "GetObjectAcl" => self.get_object_grants(call),
            "PutObjectAcl" => self.put_object_grants(call),
            "GetBucketPolicyStatus" => self.get_policy_status(call),
            other => self.setting(call, other).unwrap_or_else(|| {
                Err(Refusal::internal(format!("{other} is offered and not performed")))
            }),
        }
    }

    /// The newest version of a key, be it a delete marker.
    pub(super) fn current(
        &self,
        index: &Connection,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Version>, Refusal> {
        if let Some(version) = Version::current(index, bucket, key)? {
            return Ok(Some(version));
        }
        let file = hex(&Sha256::digest(key));
        let Ok(content) = File::open(self.place(bucket, &file)) else { return Ok(None) };
        let size = content.metadata()?.len();
        let counted = count(content, [])?;
        let old = Version {
            id: NULL.to_owned(),
            file: Some(file),
            size,
            etag: hex(&counted.md5),
            modified_ms: 0,
            members: Map::new(),
            sequence: 0,
        };
        old.insert(index, bucket, key, None)?;
        Ok(Version::current(index, bucket, key)?)
    }

    /// A version of an object and its content, which stays readable whatever becomes of the object.
    pub(super) fn open_content(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(Version, File), Refusal> {
        // While the index is held nothing is removed.
        let index = self.index();
        let bucket = buckets::bucket(&index, bucket)?;
        let version = self.version(&index, &bucket, key, version, "GET")?;
        let file = version.file.as_deref().unwrap_or_default();
        let content = File::open(self.place(&bucket.name, file))?;
        Ok((version, content))
    }

    /// Makes a version the newest of its key, with what must be removed for it; the id it got.
    pub(super) fn put_version(
        &self,
        index: &mut Connection,
        bucket: &Bucket,
        key: &str,
        mut version: Version,
        parts: Option<&Value>,
    ) -> Result<String, Refusal> {
        let change = index.transaction()?;
        version.id = match bucket.versioning {
            Versioning::Enabled => versions::new_id(Version::next(&change)?)?,
            Versioning::Never | Versioning::Suspended => NULL.to_owned(),
        };
        let before = Version::find(&change, &bucket.name, key, &version.id)?;
        if let Some(before) = &before {
            before.delete(&change)?;
        }
        version.insert(&change, &bucket.name, key, parts)?;
        disturb_uploads(&change, &bucket.name, key)?;
        change.commit()?;
        self.remove_file(&bucket.name, before.as_ref());
        Ok(version.id)
    }

    /// Removes one version.
    pub(super) fn remove_version(
        &self,
        index: &mut Connection,
        bucket: &str,
        key: &str,
        version: &Version,
    ) -> Result<(), Refusal> {
        let change = index.transaction()?;
        version.delete(&change)?;
        disturb_uploads(&change, bucket, key)?;
        change.commit()?;
        self.remove_file(bucket, Some(version));
        Ok(())
    }

    fn remove_file(&self, bucket: &str, version: Option<&Version>) {
        if let Some(file) = version.and_then(|version| version.file.as_deref()) {
            let _ = std::fs::remove_file(self.place(bucket, file));
        }
    }

    /// A place for a content of a bucket.
    pub(super) fn new_content(&self, bucket: &str) -> Result<Content, Refusal> {
        let name = format!("{CONTENT}{}", hex(&random::<16>()?));
        Ok(Content { place: self.place(bucket, &name), name, is_kept: false })
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
                self.index().execute(
                    "insert or ignore into bucket (name, created_ms) values (?1, 0)",
                    [name],
                )?;
            }
        }
        Ok(())
    }

    /// Removes contents that no row names: those that a killed cloud left half-done.
    fn clear(&self) -> rusqlite::Result<()> {
        let named: BTreeSet<String> = {
            let index = self.index();
            let mut statement = index.prepare(
                "select file from object where file is not null union select file from part",
            )?;
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

/// Tells the uploads of a key that it changed while they were under way.
fn disturb_uploads(index: &Connection, bucket: &str, key: &str) -> rusqlite::Result<()> {
    index
        .prepare_cached("update upload set is_disturbed = 1 where bucket = ?1 and key = ?2")?
        .execute([bucket, key])?;
    Ok(())
}

/// Counts over a content, piece by piece.
pub(super) fn count(
    mut content: impl io::Read,
    algorithms: impl IntoIterator<Item = Algorithm>,
) -> io::Result<Counted> {
    let mut counter = Counter::new(algorithms);
    let mut piece = vec![0; PIECE];
    loop {
        match content.read(&mut piece)? {
            0 => return Ok(counter.finish()),
            size => counter.update(&piece[..size]),
        }
    }
}

/// Bytes that nobody can foresee.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(bytes)
}
