//! Uploads in parts.

use std::fs::File;
use std::io;

use rusqlite::{OptionalExtension as _, params};
use serde_json::{Map, Value, json};

use super::objects::{check_key, kept, read_part, source, subject, within};
use super::ranges;
use super::store::{Content, Objects, etag, in_index, new_name, on_disk};
use super::{Done, text};
use crate::private;
use crate::wire::Fault;
use crate::wire::time::seconds;

/// AWS: parts of an upload.
const PARTS_MAX: i64 = 10_000;
/// AWS: bytes of every part but the last.
const PART_MIN: u64 = 5 << 20;

/// A part that was uploaded.
#[derive(Debug, Clone)]
struct Part {
    number: i64,
    file: String,
    size: u64,
    etag: String,
    modified_ms: i64,
}

impl Objects {
    pub(super) fn create_upload(
        &self,
        now: i64,
        input: &Map<String, Value>,
    ) -> Result<Done, Fault> {
        let (bucket, key) = subject(input);
        self.check_bucket(bucket)?;
        check_key(key)?;
        let name = new_name()?;
        let id = name.rsplit('-').next().unwrap_or_default();
        let members = Value::Object(kept(input)).to_string();
        self.index()
            .execute(
                "insert into upload values (?1, ?2, ?3, ?4, ?5)",
                params![id, bucket, key, now, members],
            )
            .map_err(|error| in_index(&error))?;
        Ok(Done::of(json!({ "Bucket": bucket, "Key": key, "UploadId": id })))
    }

    pub(super) fn upload_part(
        &self,
        now: i64,
        input: &Map<String, Value>,
        body: &[u8],
    ) -> Result<Done, Fault> {
        let (bucket, id) = (subject(input).0, self.upload(input)?.0);
        let number = input.get("PartNumber").and_then(Value::as_i64).unwrap_or_default();
        if !(1..=PARTS_MAX).contains(&number) {
            let message =
                format!("Part number must be an integer between 1 and {PARTS_MAX}, inclusive");
            return Err(Fault::front(400, "InvalidArgument", message));
        }
        let content = self.write(bucket, body)?;
        let before = self.parts(&id)?.into_iter().find(|part| part.number == number);
        self.index()
            .execute(
                "insert or replace into part values (?1, ?2, ?3, ?4, ?5, ?6)",
                params![id, number, content.file, content.rows_size(), content.etag, now],
            )
            .map_err(|error| in_index(&error))?;
        if let Some(before) = before {
            let _ = std::fs::remove_file(self.place(bucket, &before.file));
        }
        let mut answer = json!({ "ETag": format!("\"{}\"", content.etag) });
        for name in [
            "ChecksumCRC32",
            "ChecksumCRC32C",
            "ChecksumCRC64NVME",
            "ChecksumSHA1",
            "ChecksumSHA256",
        ] {
            if let Some(checksum) = text(input, name) {
                answer[name] = checksum.into();
            }
        }
        Ok(Done::of(answer))
    }

    pub(super) fn upload_part_copy(
        &self,
        now: i64,
        input: &Map<String, Value>,
    ) -> Result<Done, Fault> {
        let (bucket, key) = source(input)?;
        let object = self.object(&bucket, &key)?;
        let range = ranges::asked(text(input, "CopySourceRange"), object.size);
        let part = read_part(&object, &within(&range, object.size)?)?;
        let done = self.upload_part(now, input, &part)?;
        let result = json!({ "ETag": done.output.members["ETag"], "LastModified": seconds(now) });
        Ok(Done::of(json!({ "CopyPartResult": result })))
    }

    pub(super) fn complete_upload(
        &self,
        now: i64,
        input: &Map<String, Value>,
    ) -> Result<Done, Fault> {
        let (bucket, key) = subject(input);
        let (id, members) = self.upload(input)?;
        let named = &input.get("MultipartUpload").unwrap_or(&Value::Null)["Parts"];
        let parts = chosen(named, &self.parts(&id)?)?;
        let content = self.join(bucket, &parts)?;
        self.replace(now, (bucket, key), &content, &members)?;
        self.forget(bucket, &id)?;
        Ok(Done::of(json!({
            "Location": format!("/{bucket}/{key}"), "Bucket": bucket, "Key": key,
            "ETag": format!("\"{}\"", content.etag),
        })))
    }

    pub(super) fn abort_upload(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let id = self.upload(input)?.0;
        self.forget(subject(input).0, &id)?;
        Ok(Done::of(json!({})))
    }

    pub(super) fn list_parts(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let (bucket, key) = subject(input);
        let id = self.upload(input)?.0;
        let after = input.get("PartNumberMarker").and_then(Value::as_i64).unwrap_or(0);
        let max = input.get("MaxParts").and_then(Value::as_u64).unwrap_or(1000).min(1000);
        let max = usize::try_from(max).unwrap_or(1000);
        let mut parts = self.parts(&id)?;
        parts.retain(|part| part.number > after);
        let is_truncated = parts.len() > max;
        parts.truncate(max);
        let shown: Vec<Value> = parts.iter().map(show_part).collect();
        Ok(Done::of(json!({
            "Bucket": bucket, "Key": key, "UploadId": id, "PartNumberMarker": after,
            "NextPartNumberMarker": parts.last().map_or(after, |part| part.number),
            "MaxParts": max, "IsTruncated": is_truncated, "Parts": shown, "StorageClass": "STANDARD",
        })))
    }

    /// All of them on one page: they are few.
    pub(super) fn list_uploads(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let bucket = text(input, "Bucket").unwrap_or_default();
        self.check_bucket(bucket)?;
        let prefix = text(input, "Prefix").unwrap_or_default();
        let list = || -> rusqlite::Result<Vec<Value>> {
            let index = self.index();
            let mut statement = index.prepare(
                "select key, id, created_ms from upload where bucket = ?1 order by key, created_ms",
            )?;
            let uploads = statement.query_map([bucket], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
            })?;
            let mut shown = Vec::new();
            for upload in uploads {
                let (key, id, created) = upload?;
                if key.starts_with(prefix) {
                    shown.push(json!({
                        "Key": key, "UploadId": id, "Initiated": seconds(created),
                        "StorageClass": "STANDARD",
                    }));
                }
            }
            Ok(shown)
        };
        let uploads = list().map_err(|error| in_index(&error))?;
        Ok(Done::of(json!({
            "Bucket": bucket, "Prefix": prefix, "KeyMarker": "", "UploadIdMarker": "",
            "MaxUploads": 1000, "IsTruncated": false, "Uploads": uploads,
        })))
    }

    /// Forgets all uploads of a bucket.
    pub(super) fn forget_uploads(&self, bucket: &str) -> Result<(), Fault> {
        let list = || -> rusqlite::Result<Vec<String>> {
            let index = self.index();
            let mut statement = index.prepare("select id from upload where bucket = ?1")?;
            let ids = statement.query_map([bucket], |row| row.get(0))?;
            ids.collect()
        };
        let ids = list().map_err(|error| in_index(&error))?;
        ids.iter().try_for_each(|id| self.forget(bucket, id))
    }

    /// The id of the upload that a request names, and what its object will show.
    fn upload(&self, input: &Map<String, Value>) -> Result<(String, Map<String, Value>), Fault> {
        let (bucket, key) = subject(input);
        self.check_bucket(bucket)?;
        let id = text(input, "UploadId").unwrap_or_default();
        let found: Option<String> = self
            .index()
            .query_row(
                "select members from upload where id = ?1 and bucket = ?2 and key = ?3",
                [id, bucket, key],
                |row| row.get(0),
            )
            .optional()
            .map_err(|error| in_index(&error))?;
        let members = found.ok_or_else(|| {
            let message = "The specified upload does not exist. The upload ID may be invalid, or the \
                           upload may have been aborted or completed.";
            Fault::new("NoSuchUpload", message).with("UploadId", id)
        })?;
        // Written by this program alone.
        Ok((id.to_owned(), serde_json::from_str(&members).unwrap_or_default()))
    }

    fn parts(&self, id: &str) -> Result<Vec<Part>, Fault> {
        let list = || -> rusqlite::Result<Vec<Part>> {
            let index = self.index();
            let mut statement = index.prepare_cached(
                "select number, file, size, etag, modified_ms from part where upload = ?1
                 order by number",
            )?;
            let parts = statement.query_map([id], |row| {
                Ok(Part {
                    number: row.get(0)?,
                    file: row.get(1)?,
                    size: row.get::<_, i64>(2)?.unsigned_abs(),
                    etag: row.get(3)?,
                    modified_ms: row.get(4)?,
                })
            })?;
            parts.collect()
        };
        list().map_err(|error| in_index(&error))
    }

    /// Makes one content of parts. AWS: its tag says of how many.
    fn join(&self, bucket: &str, parts: &[Part]) -> Result<Content, Fault> {
        let file = new_name()?;
        let write = || -> io::Result<u64> {
            let mut whole = private::append(&self.place(bucket, &file))?;
            let mut size = 0;
            for part in parts {
                size += io::copy(&mut File::open(self.place(bucket, &part.file))?, &mut whole)?;
            }
            Ok(size)
        };
        let size = write().map_err(|error| on_disk(&error))?;
        let tags: String = parts.iter().map(|part| part.etag.as_str()).collect();
        Ok(Content { file, size, etag: format!("{}-{}", etag(tags.as_bytes()), parts.len()) })
    }

    fn forget(&self, bucket: &str, id: &str) -> Result<(), Fault> {
        let parts = self.parts(id)?;
        self.index()
            .execute("delete from upload where id = ?1", [id])
            .map_err(|error| in_index(&error))?;
        for part in parts {
            let _ = std::fs::remove_file(self.place(bucket, &part.file));
        }
        Ok(())
    }
}

/// The parts that are to be put together, as the request names them.
fn chosen(named: &Value, uploaded: &[Part]) -> Result<Vec<Part>, Fault> {
    let named = named.as_array().filter(|named| !named.is_empty()).ok_or_else(|| {
        Fault::front(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    })?;
    let number = |part: &Value| part["PartNumber"].as_i64().unwrap_or_default();
    if !named.is_sorted_by(|one, next| number(one) < number(next)) {
        return Err(Fault::front(
            400,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    let mut chosen: Vec<Part> = Vec::new();
    for part in named {
        let tag = part["ETag"].as_str().unwrap_or_default().trim_matches('"');
        let found = uploaded.iter().find(|it| it.number == number(part) && it.etag == tag);
        let found = found.ok_or_else(|| {
            Fault::front(
                400,
                "InvalidPart",
                "One or more of the specified parts could not be found.  The part may not have been \
                 uploaded, or the specified entity tag may not match the part's entity tag.",
            )
        })?;
        chosen.push(found.clone());
    }
    if chosen.iter().rev().skip(1).any(|part| part.size < PART_MIN) {
        return Err(Fault::front(
            400,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        ));
    }
    Ok(chosen)
}

fn show_part(part: &Part) -> Value {
    json!({
        "PartNumber": part.number,
        "LastModified": seconds(part.modified_ms),
        "ETag": format!("\"{}\"", part.etag),
        "Size": part.size,
    })
}
