//! Objects: put, read, copied, deleted.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;

use serde_json::{Map, Value, json};

use super::ranges::{self, Asked};
use super::store::{Object, Objects, on_disk};
use super::{Done, text};
use crate::wire::time::seconds;
use crate::wire::{Fault, Output, decode};

/// What an object keeps of the request that made it, and shows with it.
const KEPT: [&str; 8] = [
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
    "WebsiteRedirectLocation",
];
/// Checksums that are kept as they were given, and shown to who asks for them.
const CHECKSUMS: [&str; 5] =
    ["ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"];

impl Objects {
    pub(super) fn put_object(
        &self,
        now: i64,
        input: &Map<String, Value>,
        body: &[u8],
    ) -> Result<Done, Fault> {
        let (bucket, key) = subject(input);
        self.check_bucket(bucket)?;
        check_key(key)?;
        if text(input, "IfNoneMatch") == Some("*") && self.object(bucket, key).is_ok() {
            return Err(Fault::front(
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            ));
        }
        let content = self.write(bucket, body)?;
        self.replace(now, (bucket, key), &content, &kept(input))?;
        let mut answer = json!({ "ETag": format!("\"{}\"", content.etag) });
        show_checksums(&Value::Object(input.clone()), &mut answer);
        Ok(Done::of(answer))
    }

    pub(super) fn get_object(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let (bucket, key) = subject(input);
        let object = self.object(bucket, key)?;
        if is_known(input, &object) {
            return Ok(not_modified(&object));
        }
        let mut shown = show(&object);
        override_head(input, &mut shown);
        let part = ranges::asked(text(input, "Range"), object.size);
        let range = within(&part, object.size)?;
        let content = read_part(&object, &range)?;
        shown["ContentLength"] = content.len().into();
        let mut status = None;
        if part != Asked::Whole {
            let (last, size) = (range.end - 1, object.size);
            shown["ContentRange"] = format!("bytes {}-{last}/{size}", range.start).into();
            status = Some(206);
        } else if text(input, "ChecksumMode") == Some("ENABLED") {
            show_checksums(&Value::Object(object.members.clone()), &mut shown);
        }
        let output = Output { payload: content.into(), ..Output::of(shown) };
        Ok(Done { output, status })
    }

    pub(super) fn head_object(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let (bucket, key) = subject(input);
        let object = self.object(bucket, key)?;
        if is_known(input, &object) {
            return Ok(not_modified(&object));
        }
        let mut shown = show(&object);
        shown["ContentLength"] = object.size.into();
        if text(input, "ChecksumMode") == Some("ENABLED") {
            show_checksums(&Value::Object(object.members.clone()), &mut shown);
        }
        Ok(Done::of(shown))
    }

    pub(super) fn copy_object(&self, now: i64, input: &Map<String, Value>) -> Result<Done, Fault> {
        let (bucket, key) = subject(input);
        self.check_bucket(bucket)?;
        let (of, from) = source(input)?;
        let object = self.object(&of, &from)?;
        let is_new = text(input, "MetadataDirective") == Some("REPLACE");
        if (of.as_str(), from.as_str()) == (bucket, key) && !is_new {
            return Err(Fault::front(
                400,
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without \
                 changing the object's metadata, storage class, website redirect location or encryption \
                 attributes.",
            ));
        }
        let members = if is_new { kept(input) } else { object.members.clone() };
        let content = std::fs::read(&object.file).map_err(|error| on_disk(&error))?;
        let mut content = self.write(bucket, &content)?;
        content.etag.clone_from(&object.etag);
        self.replace(now, (bucket, key), &content, &members)?;
        let result = json!({
            "ETag": format!("\"{}\"", content.etag), "LastModified": seconds(now),
        });
        Ok(Done::of(json!({ "CopyObjectResult": result })))
    }

    pub(super) fn delete_object(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let (bucket, key) = subject(input);
        self.check_bucket(bucket)?;
        self.remove(bucket, key)?;
        Ok(Done::of(json!({})))
    }

    pub(super) fn delete_objects(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let bucket = text(input, "Bucket").unwrap_or_default();
        self.check_bucket(bucket)?;
        let delete = input.get("Delete").unwrap_or(&Value::Null);
        let objects = delete["Objects"].as_array().ok_or_else(|| {
            Fault::front(
                400,
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our published \
                 schema",
            )
        })?;
        let mut deleted = Vec::new();
        for key in objects.iter().filter_map(|object| object["Key"].as_str()) {
            self.remove(bucket, key)?;
            deleted.push(json!({ "Key": key }));
        }
        let is_quiet = delete["Quiet"].as_bool().unwrap_or(false);
        Ok(Done::of(if is_quiet { json!({}) } else { json!({ "Deleted": deleted }) }))
    }
}

/// The bucket and key of a request.
pub(super) fn subject(input: &Map<String, Value>) -> (&str, &str) {
    (text(input, "Bucket").unwrap_or_default(), text(input, "Key").unwrap_or_default())
}

/// The bucket and key that are to be copied: `BUCKET/KEY`, percent-encoded, perhaps with a slash before.
pub(super) fn source(input: &Map<String, Value>) -> Result<(String, String), Fault> {
    let source = text(input, "CopySource").unwrap_or_default();
    let source = decode(source.split('?').next().unwrap_or_default());
    let parts = source.trim_start_matches('/').split_once('/');
    let parts = parts.map(|(bucket, key)| (bucket.to_owned(), key.to_owned()));
    parts.ok_or_else(|| {
        let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
        Fault::front(400, "InvalidArgument", message)
    })
}

/// What of a request is kept with its object.
pub(super) fn kept(input: &Map<String, Value>) -> Map<String, Value> {
    let names = KEPT.iter().chain(&CHECKSUMS);
    let found = names.filter_map(|name| Some(((*name).to_owned(), input.get(*name)?.clone())));
    found.collect()
}

/// AWS: the longest key.
pub(super) fn check_key(key: &str) -> Result<(), Fault> {
    if key.len() > 1024 {
        return Err(Fault::front(400, "KeyTooLongError", "Your key is too long"));
    }
    Ok(())
}

fn show(object: &Object) -> Value {
    let mut shown = Value::Object(object.members.clone());
    for name in CHECKSUMS {
        if let Some(shown) = shown.as_object_mut() {
            shown.remove(name);
        }
    }
    shown["AcceptRanges"] = "bytes".into();
    shown["ETag"] = format!("\"{}\"", object.etag).into();
    shown["LastModified"] = seconds(object.modified_ms).into();
    if shown["ContentType"].is_null() {
        shown["ContentType"] = "binary/octet-stream".into();
    }
    shown
}

fn show_checksums(from: &Value, shown: &mut Value) {
    for name in CHECKSUMS {
        if let Some(checksum) = from[name].as_str() {
            shown[name] = checksum.into();
            shown["ChecksumType"] = "FULL_OBJECT".into();
        }
    }
}

/// A link can say under which headers its object is to be shown.
fn override_head(input: &Map<String, Value>, shown: &mut Value) {
    for name in
        ["CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"]
    {
        if let Some(value) = text(input, &format!("Response{name}")) {
            shown[name] = value.into();
        }
    }
}

fn is_known(input: &Map<String, Value>, object: &Object) -> bool {
    text(input, "IfNoneMatch").is_some_and(|tag| tag.trim_matches('"') == object.etag)
}

fn not_modified(object: &Object) -> Done {
    let output = Output::of(json!({ "ETag": format!("\"{}\"", object.etag) }));
    Done { output, status: Some(304) }
}

/// The bytes that are asked for.
pub(super) fn within(asked: &Asked, size: u64) -> Result<Range<u64>, Fault> {
    match asked {
        Asked::Whole => Ok(0..size),
        Asked::Part(range) => Ok(range.clone()),
        Asked::Nothing => {
            Err(Fault::front(416, "InvalidRange", "The requested range is not satisfiable"))
        }
    }
}

/// Some bytes of an object.
pub(super) fn read_part(object: &Object, range: &Range<u64>) -> Result<Vec<u8>, Fault> {
    let length = range.end - range.start;
    let read = || {
        let mut file = std::fs::File::open(&object.file)?;
        file.seek(SeekFrom::Start(range.start))?;
        let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.take(length).read_to_end(&mut content)?;
        Ok(content)
    };
    read().map_err(|error| on_disk(&error))
}
