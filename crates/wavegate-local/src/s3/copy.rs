//! Copies of objects, which share the content of what they are copies of.

use std::fs::File;

use serde_json::{Map, Value, json};

use super::checksum::{Algorithm, Checksum};
use super::conditions;
use super::refusal::{Refusal, argument, invalid};
use super::rows::{Bucket, NULL, Version, Versioning};
use super::show::{self, GRANTS, TAGS, UPLOAD, check_archive, check_key, kept, moment, quoted};
use super::store::{Content, Objects, count};
use super::{Call, Done, buckets};
use crate::code::hex;
use crate::wire::{Fault, decode};

/// What is to be copied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) version: Option<String>,
}

impl Source {
    /// Reads `BUCKET/KEY?versionId=ID`, percent-encoded, perhaps with a slash before.
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Fault> {
        let text = call.text("CopySource").unwrap_or_default();
        let (path, version) = match text.split_once("?versionId=") {
            Some((path, version)) => (path, Some(version.to_owned())),
            None => (text, None),
        };
        // Here a plus sign is a space. AWS takes the address of the source, too.
        let path = decode(&path.replace('+', "%20"));
        let path = match path.split_once("://") {
            Some(("http" | "https", rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            _ => path.strip_prefix('/').unwrap_or(&path),
        };
        match path.split_once('/') {
            Some((bucket, key)) if !key.is_empty() => {
                Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), version })
            }
            _ => Err(argument(
                "x-amz-copy-source",
                "x-amz-copy-source",
                "Invalid copy source object key",
            )),
        }
    }
}

impl Objects {
    /// The version to copy, with its bucket.
    pub(super) fn source(
        &self,
        call: &Call<'_>,
        index: &rusqlite::Connection,
    ) -> Result<(Source, Bucket, Version), Refusal> {
        let source = Source::of(call)?;
        let bucket = buckets::bucket(index, &source.bucket)?;
        let id = source.version.as_deref();
        let version = self.any_version(index, &bucket, &source.key, id)?;
        if version.is_marker() {
            return Err(match id {
                None => super::versions::no_key(&source.key).into(),
                Some(_) => invalid(
                    "The source of a copy request may not specifically refer to a delete marker by \
                     version id.",
                )
                .into(),
            });
        }
        check_archive(&version.members)?;
        conditions::check_source(call, &version)?;
        Ok((source, bucket, version))
    }

    pub(super) fn copy_object(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        check_key(call.key())?;
        conditions::check_write(call)?;
        let (own, source, content, file) = {
            // While the index is held nothing is removed.
            let index = self.index();
            let own = kept(call, &index, &buckets::bucket(&index, call.bucket())?)?;
            let (named, from, source) = self.source(call, &index)?;
            check_place(call, &named, &from, &source)?;
            let content = self.new_content(call.bucket())?;
            let place = self.place(&from.name, source.file.as_deref().unwrap_or_default());
            content.link(&place)?;
            (own, source, content, File::open(&place)?)
        };
        let version = copied(call, &own, &source, &content, file)?;
        let mut index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let current = self.current(&index, &bucket.name, call.key())?;
        conditions::of_write(call, current.as_ref())?;
        let mut result = json!({
            "ETag": quoted(&version.etag), "LastModified": moment(version.modified_ms),
        });
        if let (Some(checksum), Some(shown)) =
            (Checksum::among(&version.members), result.as_object_mut())
        {
            checksum.show(shown);
        }
        let mut shown = show::encryption(&version.members);
        shown["CopyObjectResult"] = result;
        let id = self.put_version(&mut index, &bucket, call.key(), version, None)?;
        content.keep();
        if bucket.versioning != Versioning::Never {
            shown["VersionId"] = id.into();
        }
        // AWS: that of before there were versions is not named here.
        if source.id != NULL {
            shown["CopySourceVersionId"] = source.id.into();
        }
        Ok(Done::of(shown))
    }
}

/// Refuses a copy of the current version to itself that would change nothing.
fn check_place(
    call: &Call<'_>,
    named: &Source,
    from: &Bucket,
    source: &Version,
) -> Result<(), Refusal> {
    let is_same = (named.bucket.as_str(), named.key.as_str()) == (call.bucket(), call.key());
    let is_other = from.versioning != Versioning::Never && named.version.is_some();
    let changes = call.text("MetadataDirective") == Some("REPLACE")
        || ["StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption"]
            .iter()
            .any(|name| call.input.contains_key(*name))
        || source.members.contains_key("ServerSideEncryption");
    if !is_same || is_other || changes {
        return Ok(());
    }
    Err(invalid(
        "This copy request is illegal because it is trying to copy an object to itself without changing the \
         object's metadata, storage class, website redirect location or encryption attributes.",
    )
    .into())
}

/// The version that a copy becomes.
fn copied(
    call: &Call<'_>,
    own: &Map<String, Value>,
    source: &Version,
    content: &Content,
    file: File,
) -> Result<Version, Refusal> {
    let mut members = match call.text("MetadataDirective") {
        Some("REPLACE") => own.clone(),
        _ => source.members.clone(),
    };
    // These are of the copy, whatever becomes of the rest.
    for name in [
        "StorageClass",
        "WebsiteRedirectLocation",
        "ServerSideEncryption",
        "SSEKMSKeyId",
        "BucketKeyEnabled",
        GRANTS,
        UPLOAD,
    ] {
        members.remove(name);
        if let Some(value) = own.get(name) {
            members.insert(name.to_owned(), value.clone());
        }
    }
    let tags = match call.text("TaggingDirective") {
        Some("REPLACE") => own.get(TAGS),
        _ => source.members.get(TAGS),
    };
    members.remove(TAGS);
    if let Some(tags) = tags {
        members.insert(TAGS.to_owned(), tags.clone());
    }
    super::checksum::strip(&mut members);
    let of_source = Checksum::among(&source.members);
    let wanted = call.text("ChecksumAlgorithm").map(Algorithm::named).transpose()?;
    let algorithm = wanted
        .or_else(|| of_source.as_ref().map(|checksum| checksum.algorithm))
        .unwrap_or(Algorithm::Crc64Nvme);
    let mut etag = source.etag.clone();
    // The tag and the checksum of what came in parts are not those of the whole.
    let is_joined = etag.contains('-');
    match of_source.filter(|it| it.algorithm == algorithm && !it.is_composite) {
        Some(checksum) if !is_joined => checksum.show(&mut members),
        _ => {
            let counted = count(file, [algorithm])?;
            if is_joined {
                etag = hex(&counted.md5);
            }
            if let Some(value) = counted.get(algorithm) {
                Checksum::of_whole(algorithm, value).show(&mut members);
            }
        }
    }
    Ok(Version {
        id: NULL.to_owned(),
        file: Some(content.name.clone()),
        size: source.size,
        etag,
        modified_ms: call.now_ms,
        members,
        sequence: 0,
    })
}

/// Shows what was copied into a part.
pub(super) fn show_part(etag: &str, now_ms: i64, checksum: Option<&Checksum>) -> Value {
    let mut shown = json!({ "ETag": quoted(etag), "LastModified": moment(now_ms) });
    if let Some(checksum) = checksum {
        shown[checksum.algorithm.member()] = checksum.value.as_str().into();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_bucket_and_a_key_and_perhaps_a_version() {
        let of = |text: &str| {
            let input = json!({ "CopySource": text });
            let input = input.as_object().unwrap();
            let source =
                Source::of(&Call { now_ms: 0, region: "", account: "", origin: "", input }).ok()?;
            Some((source.bucket, source.key, source.version))
        };
        let wanted = |key: &str, id: Option<&str>| {
            Some(("b".to_owned(), key.to_owned(), id.map(ToOwned::to_owned)))
        };
        assert_eq!(of("/b/a%2Fc+d"), wanted("a/c d", None));
        assert_eq!(of("b/k?versionId=v"), wanted("k", Some("v")));
        assert_eq!(of("b/k%3Fx"), wanted("k?x", None));
        assert_eq!(of("http://s3.localhost:1/b/k"), wanted("k", None));
        assert_eq!((of("b"), of("b/"), of("")), (None, None, None));
    }
}
