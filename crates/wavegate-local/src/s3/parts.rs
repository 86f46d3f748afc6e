//! Uploads in parts: begun, filled, given up.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Map, Value, json};

use super::checksum::{Algorithm, Checksum, Counted, Counter};
use super::receive::Given;
use super::refusal::{Refusal, argument, invalid};
use super::rows::NULL;
use super::show::{self, check_key, kept, quoted};
use super::store::{Content, Objects, random};
use super::{Call, Done, buckets, copy, ranges};
use crate::code::hex;
use crate::wire::Fault;

/// AWS: parts of an upload.
const PARTS_MAX: i64 = 10_000;

/// An upload that is under way.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) created_ms: i64,
    /// What its object will show, and how checksums are counted.
    pub(super) members: Map<String, Value>,
    /// Whether its key changed since.
    pub(super) is_disturbed: bool,
}

impl Upload {
    /// Its columns.
    pub(super) const COLUMNS: &str = "id, key, created_ms, members, is_disturbed";

    /// Reads a row of those.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let members: String = row.get(3)?;
        Ok(Self {
            id: row.get(0)?,
            key: row.get(1)?,
            created_ms: row.get(2)?,
            // Written by this program alone.
            members: serde_json::from_str(&members).unwrap_or_default(),
            is_disturbed: row.get(4)?,
        })
    }

    /// How the client said that checksums are counted, if it did.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        let name = self.members.get("ChecksumAlgorithm")?.as_str()?;
        Algorithm::named(name).ok()
    }

    /// How the checksums of parts become that of the object, if the client said how they are counted.
    pub(super) fn kind(&self) -> Option<&str> {
        self.members.get("ChecksumType")?.as_str()
    }
}

/// A part that was uploaded.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) number: i64,
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: i64,
    /// What was counted over it, by the members of AWS's model.
    pub(super) sums: Map<String, Value>,
}

impl Part {
    /// A checksum of it as it is shown.
    pub(super) fn sum(&self, algorithm: Algorithm) -> Option<&str> {
        self.sums.get(&algorithm.member())?.as_str()
    }
}

impl Objects {
    pub(super) fn create_upload(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        check_key(call.key())?;
        let mut members = kept(call, &index, &bucket)?;
        let mut shown = show::encryption(&members);
        if let Some((algorithm, kind)) = counting(call)? {
            for (name, value) in [("ChecksumAlgorithm", algorithm.name()), ("ChecksumType", kind)] {
                members.insert(name.to_owned(), value.into());
                shown[name] = value.into();
            }
        }
        let id = hex(&random::<32>()?);
        index.execute(
            "insert into upload (id, bucket, key, created_ms, members) values (?1, ?2, ?3, ?4, ?5)",
            params![id, bucket.name, call.key(), call.now_ms, Value::Object(members).to_string()],
        )?;
        shown["Bucket"] = bucket.name.into();
        shown["Key"] = call.key().into();
        shown["UploadId"] = id.into();
        Ok(Done::of(shown))
    }

    /// Judges the upload of a part before its content comes; what is to be counted over it.
    pub(super) fn admit_part(
        &self,
        call: &Call<'_>,
        counted: Option<Algorithm>,
    ) -> Result<Algorithm, Refusal> {
        let upload = self::upload(&self.index(), call)?;
        number(call)?;
        let Some(wanted) = upload.algorithm() else { return Ok(Algorithm::Crc64Nvme) };
        let may_be_left_out = upload.kind() == Some("FULL_OBJECT") && counted.is_none();
        if counted == Some(wanted) || may_be_left_out {
            return Ok(wanted);
        }
        let actual = counted.map_or_else(|| "null".to_owned(), Algorithm::lower);
        Err(invalid(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {actual}",
            wanted.lower()
        ))
        .into())
    }

    pub(super) fn upload_part(&self, call: &Call<'_>, given: Given) -> Result<Done, Refusal> {
        let Given { content, received } = given;
        let etag = hex(&received.counted.md5);
        let upload = self.put_part(call, content, received.size, &received.counted)?;
        let mut shown = show::encryption(&upload.members);
        shown["ETag"] = quoted(&etag).into();
        if let Some(algorithm) = received.algorithm
            && let Some(value) = received.counted.get(algorithm)
        {
            shown[algorithm.member()] = STANDARD.encode(value).into();
        }
        Ok(Done::of(shown))
    }

    pub(super) fn upload_part_copy(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        number(call)?;
        let (upload, source, mut file) = {
            // While the index is held nothing is removed.
            let index = self.index();
            let upload = self::upload(&index, call)?;
            let (_, from, source) = self.source(call, &index)?;
            let place = self.place(&from.name, source.file.as_deref().unwrap_or_default());
            (upload, source, File::open(place)?)
        };
        let range = ranges::of_copy(call.text("CopySourceRange"), source.size)?;
        let algorithm = upload.algorithm().unwrap_or(Algorithm::Crc64Nvme);
        let content = self.new_content(call.bucket())?;
        file.seek(SeekFrom::Start(range.start))?;
        let size = range.end - range.start;
        let mut to = Counting { counter: Counter::new([algorithm]), to: content.create()? };
        io::copy(&mut file.take(size), &mut to)?;
        let counted = to.counter.finish();
        let etag = hex(&counted.md5);
        self.put_part(call, content, size, &counted)?;
        let checksum = upload
            .algorithm()
            .and_then(|algorithm| Some(Checksum::of_whole(algorithm, counted.get(algorithm)?)));
        let mut shown = show::encryption(&upload.members);
        shown["CopyPartResult"] = copy::show_part(&etag, call.now_ms, checksum.as_ref());
        if source.id != NULL {
            shown["CopySourceVersionId"] = source.id.into();
        }
        Ok(Done::of(shown))
    }

    /// Puts a content in a part's place, and removes the one that was there.
    fn put_part(
        &self,
        call: &Call<'_>,
        content: Content,
        size: u64,
        counted: &Counted,
    ) -> Result<Upload, Refusal> {
        let number = number(call)?;
        let index = self.index();
        let upload = self::upload(&index, call)?;
        let mut sums = Map::new();
        for algorithm in Algorithm::ALL {
            if let Some(value) = counted.get(algorithm) {
                sums.insert(algorithm.member(), STANDARD.encode(value).into());
            }
        }
        let before = parts(&index, &upload.id)?.into_iter().find(|part| part.number == number);
        index.execute(
            "insert or replace into part (upload, number, file, size, etag, modified_ms, sums)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                upload.id,
                number,
                content.name,
                i64::try_from(size).unwrap_or(i64::MAX),
                hex(&counted.md5),
                call.now_ms,
                Value::Object(sums).to_string()
            ],
        )?;
        content.keep();
        if let Some(before) = before {
            let _ = std::fs::remove_file(self.place(call.bucket(), &before.file));
        }
        Ok(upload)
    }

    pub(super) fn abort_upload(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let upload = self::upload(&index, call)?;
        self.forget(&index, call.bucket(), &upload.id)?;
        Ok(Done::of(json!({})))
    }

    /// Forgets all uploads of a bucket.
    pub(super) fn forget_uploads(&self, index: &Connection, bucket: &str) -> Result<(), Refusal> {
        let mut statement = index.prepare("select id from upload where bucket = ?1")?;
        let ids = statement.query_map([bucket], |row| row.get(0))?;
        let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
        ids.iter().try_for_each(|id| self.forget(index, bucket, id))
    }

    /// Removes an upload and the contents of its parts.
    pub(super) fn forget(&self, index: &Connection, bucket: &str, id: &str) -> Result<(), Refusal> {
        let parts = parts(index, id)?;
        index.execute("delete from upload where id = ?1", [id])?;
        for part in parts {
            let _ = std::fs::remove_file(self.place(bucket, &part.file));
        }
        Ok(())
    }
}

/// The upload that a request names.
pub(super) fn upload(index: &Connection, call: &Call<'_>) -> Result<Upload, Refusal> {
    let bucket = buckets::bucket(index, call.bucket())?;
    let id = call.text("UploadId").unwrap_or_default();
    let columns = Upload::COLUMNS;
    let found = index
        .prepare_cached(&format!(
            "select {columns} from upload where id = ?1 and bucket = ?2 and key = ?3"
        ))?
        .query_row([id, &bucket.name, call.key()], Upload::read)
        .optional()?;
    found.ok_or_else(|| {
        let message = "The specified upload does not exist. The upload ID may be invalid, or the \
                       upload may have been aborted or completed.";
        Fault::front(404, "NoSuchUpload", message).with("UploadId", id).into()
    })
}

/// The parts of an upload, in order.
pub(super) fn parts(index: &Connection, id: &str) -> rusqlite::Result<Vec<Part>> {
    let mut statement = index.prepare_cached(
        "select number, file, size, etag, modified_ms, sums from part where upload = ?1
         order by number",
    )?;
    let parts = statement.query_map([id], |row| {
        let sums: String = row.get(5)?;
        Ok(Part {
            number: row.get(0)?,
            file: row.get(1)?,
            size: row.get::<_, i64>(2)?.unsigned_abs(),
            etag: row.get(3)?,
            modified_ms: row.get(4)?,
            // Written by this program alone.
            sums: serde_json::from_str(&sums).unwrap_or_default(),
        })
    })?;
    parts.collect()
}

fn number(call: &Call<'_>) -> Result<i64, Fault> {
    let number = call.number("PartNumber").unwrap_or_default();
    if (1..=PARTS_MAX).contains(&number) {
        return Ok(number);
    }
    let message = format!("Part number must be an integer between 1 and {PARTS_MAX}, inclusive");
    Err(argument("partNumber", number.to_string(), message))
}

/// How a new upload is to count, if its request says it.
fn counting(call: &Call<'_>) -> Result<Option<(Algorithm, &'static str)>, Fault> {
    let kind = call.text("ChecksumType");
    let Some(name) = call.text("ChecksumAlgorithm") else {
        return match kind {
            Some(_) => Err(invalid(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
            None => Ok(None),
        };
    };
    let algorithm = Algorithm::named(name)?;
    let is_composite = match kind {
        Some(kind) => kind == "COMPOSITE",
        None => algorithm != Algorithm::Crc64Nvme,
    };
    let kind = if is_composite { "COMPOSITE" } else { "FULL_OBJECT" };
    if is_composite && algorithm == Algorithm::Crc64Nvme || !is_composite && !algorithm.adds_up() {
        let message = format!(
            "The {kind} checksum type cannot be used with the {} checksum algorithm.",
            algorithm.lower()
        );
        return Err(invalid(message));
    }
    Ok(Some((algorithm, kind)))
}

/// Counts what is written.
struct Counting<W> {
    counter: Counter,
    to: W,
}

impl<W: io::Write> io::Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = self.to.write(bytes)?;
        self.counter.update(&bytes[..size]);
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
