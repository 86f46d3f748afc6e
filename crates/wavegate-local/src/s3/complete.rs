//! The end of an upload: its parts become an object.

use std::fs::File;
use std::io;

use md5::{Digest as _, Md5};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::checksum::{Algorithm, Checksum};
use super::conditions;
use super::parts::{self, Part, Upload};
use super::refusal::{Refusal, invalid};
use super::rows::{Bucket, NULL, Version, Versioning};
use super::show::{self, UPLOAD, quoted};
use super::store::{Content, Objects};
use super::{Call, Done, buckets};
use crate::code::hex;
use crate::wire::Fault;

/// AWS: bytes of every part but the last.
const PART_MIN: u64 = 5 << 20;

impl Objects {
    pub(super) fn complete_upload(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        conditions::check_write(call)?;
        let (upload, chosen) = {
            let index = self.index();
            if let Some(done) = completed_before(call, &index)? {
                return Ok(done);
            }
            let upload = parts::upload(&index, call)?;
            check_kind(call, &upload)?;
            let chosen = chosen(call, &upload, &parts::parts(&index, &upload.id)?)?;
            (upload, chosen)
        };
        let size = chosen.iter().map(|part| part.size).sum();
        check_size(call, size)?;
        let checksum = joined(&upload, &chosen)?;
        check_whole(call, &upload, checksum.as_ref())?;
        self.check_disturbed(call, &upload)?;
        // Without the index, for it takes its time.
        let content = self.new_content(call.bucket())?;
        self.join(call.bucket(), &chosen, &content)?;
        let mut members = upload.members.clone();
        members.remove("ChecksumAlgorithm");
        members.remove("ChecksumType");
        members.insert(UPLOAD.to_owned(), upload.id.as_str().into());
        if let Some(checksum) = &checksum {
            checksum.show(&mut members);
        }
        let version = Version {
            id: NULL.to_owned(),
            file: Some(content.name.clone()),
            size,
            etag: tag(&chosen),
            modified_ms: call.now_ms,
            members,
            sequence: 0,
        };
        let mut shown = shown(call, &version);
        let mut index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let upload = parts::upload(&index, call)?;
        let current = self.current(&index, &bucket.name, call.key())?;
        conditions::of_write(call, current.as_ref())?;
        let kept: Value = chosen.iter().map(|part| keep(&upload, part)).collect();
        let id = self.put_version(&mut index, &bucket, call.key(), version, Some(&kept))?;
        content.keep();
        self.forget(&index, &bucket.name, &upload.id)?;
        if bucket.versioning == Versioning::Enabled {
            shown["VersionId"] = id.into();
        }
        Ok(Done::of(shown))
    }

    /// AWS: a condition cannot be judged where its object changed while the upload was under way.
    fn check_disturbed(&self, call: &Call<'_>, upload: &Upload) -> Result<(), Refusal> {
        let Some(condition) = conditions::of_write_name(call) else { return Ok(()) };
        let current = self.current(&self.index(), call.bucket(), call.key())?;
        conditions::of_write(call, current.as_ref())?;
        if !upload.is_disturbed {
            return Ok(());
        }
        let message = "The conditional request cannot succeed due to a conflicting operation against this \
                       resource.";
        let fault = Fault::front(409, "ConditionalRequestConflict", message);
        Err(fault.with("Condition", condition).with("Key", call.key()).into())
    }

    fn join(&self, bucket: &str, parts: &[Part], content: &Content) -> Result<(), Refusal> {
        if let [part] = parts {
            return Ok(content.link(&self.place(bucket, &part.file))?);
        }
        let mut whole = content.create()?;
        for part in parts {
            io::copy(&mut File::open(self.place(bucket, &part.file))?, &mut whole)?;
        }
        Ok(())
    }
}

/// AWS: who did not hear that an upload is complete can ask again, whatever the condition.
fn completed_before(call: &Call<'_>, index: &Connection) -> Result<Option<Done>, Refusal> {
    let Some(bucket) = Bucket::find(index, call.bucket())? else { return Ok(None) };
    let current = Version::current(index, &bucket.name, call.key())?;
    let id = call.text("UploadId");
    let is_of = |version: &Version| version.members.get(UPLOAD).and_then(Value::as_str) == id;
    let Some(version) = current.filter(|version| id.is_some() && is_of(version)) else {
        return Ok(None);
    };
    let mut shown = shown(call, &version);
    if bucket.versioning == Versioning::Enabled {
        shown["VersionId"] = version.id.into();
    }
    Ok(Some(Done::of(shown)))
}

/// What is told of an upload that is complete, but the version that it became.
fn shown(call: &Call<'_>, version: &Version) -> Value {
    let mut shown = show::encryption(&version.members);
    shown["ETag"] = quoted(&version.etag).into();
    shown["Bucket"] = call.bucket().into();
    shown["Key"] = call.key().into();
    shown["Location"] = location(call).into();
    if let (Some(checksum), Some(shown)) =
        (Checksum::among(&version.members), shown.as_object_mut())
    {
        checksum.show(shown);
    }
    shown
}

/// AWS: the tag of an object of parts is counted over theirs, and says how many they are.
fn tag(parts: &[Part]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        let digits = part.etag.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        md5.update(digits.filter_map(byte).collect::<Vec<u8>>());
    }
    format!("{}-{}", hex(&md5.finalize()), parts.len())
}

fn location(call: &Call<'_>) -> String {
    let encoded: String = form_urlencoded::byte_serialize(call.key().as_bytes()).collect();
    format!("{}/{}/{}", call.origin, call.bucket(), encoded.replace('+', "%20"))
}

/// What is kept of a part with its object.
fn keep(upload: &Upload, part: &Part) -> Value {
    let mut kept = json!({ "PartNumber": part.number, "Size": part.size });
    if let Some(algorithm) = upload.algorithm()
        && let Some(sum) = part.sum(algorithm)
    {
        kept[algorithm.member()] = sum.into();
    }
    kept
}

fn check_kind(call: &Call<'_>, upload: &Upload) -> Result<(), Fault> {
    let Some(kind) = call.text("ChecksumType") else { return Ok(()) };
    if upload.kind() == Some(kind) {
        return Ok(());
    }
    Err(invalid(format!(
        "The upload was created using the {} checksum mode. The complete request must use the same checksum \
         mode.",
        upload.kind().unwrap_or("null")
    )))
}

fn check_size(call: &Call<'_>, size: u64) -> Result<(), Fault> {
    let Some(said) = call.number("MpuObjectSize") else { return Ok(()) };
    if u64::try_from(said) == Ok(size) {
        return Ok(());
    }
    Err(invalid(format!(
        "The provided 'x-amz-mp-object-size' header value {said} does not match what was computed: {size}"
    )))
}

/// The checksum of the object.
fn joined(upload: &Upload, parts: &[Part]) -> Result<Option<Checksum>, Fault> {
    let algorithm = upload.algorithm().unwrap_or(Algorithm::Crc64Nvme);
    let mut sums = Vec::new();
    for part in parts {
        // Parts of before checksums were counted have none.
        let Some(sum) = part.sum(algorithm) else { return Ok(None) };
        sums.push((algorithm.read(sum)?, part.size));
    }
    if upload.kind() == Some("COMPOSITE") {
        return Ok(Some(Checksum::of_parts(algorithm, &sums)));
    }
    Ok(algorithm.combine(&sums).map(|whole| Checksum::of_whole(algorithm, &whole)))
}

/// AWS: the checksum of the object is held against that of the upload only if the request also says of
/// which type it is, where that is not the composite one.
fn check_whole(call: &Call<'_>, upload: &Upload, checksum: Option<&Checksum>) -> Result<(), Fault> {
    let given = Algorithm::ALL
        .into_iter()
        .find_map(|algorithm| Some((algorithm, call.text(&algorithm.member())?)));
    let (Some((algorithm, value)), Some(checksum)) = (given, checksum) else { return Ok(()) };
    // AWS: another one than S3's own is not looked at where the upload was to have none.
    if upload.algorithm().is_none() && algorithm != checksum.algorithm {
        return Ok(());
    }
    let is_said = call.text("ChecksumType").is_some() || upload.kind() != Some("FULL_OBJECT");
    let number = checksum.value.split('-').next();
    let fits = checksum.value == value || checksum.is_composite && number == Some(value);
    if is_said && algorithm == checksum.algorithm && fits {
        return Ok(());
    }
    let name = checksum.algorithm.lower();
    let message = format!("The {name} you specified did not match the calculated checksum.");
    Err(Fault::front(400, "BadDigest", message))
}

/// The parts that are to be put together, as the request names them.
fn chosen(call: &Call<'_>, upload: &Upload, uploaded: &[Part]) -> Result<Vec<Part>, Fault> {
    let named = call.input.get("MultipartUpload").and_then(|it| it.get("Parts"));
    let named = named.and_then(Value::as_array).filter(|named| !named.is_empty());
    let named = named.ok_or_else(|| invalid("You must specify at least one part"))?;
    let number = |part: &Value| part["PartNumber"].as_i64().unwrap_or_default();
    if !named.is_sorted_by(|one, next| number(one) < number(next)) {
        let message =
            "The list of parts was not in ascending order. Parts must be ordered by part number.";
        let fault = Fault::front(400, "InvalidPartOrder", message);
        return Err(fault.with("UploadId", upload.id.as_str()));
    }
    let mut chosen: Vec<Part> = Vec::new();
    for part in named {
        let tag = part["ETag"].as_str().unwrap_or_default().trim_matches('"');
        let missing = || {
            let message = "One or more of the specified parts could not be found.  The part may not have \
                           been uploaded, or the specified entity tag may not match the part's entity tag.";
            Fault::front(400, "InvalidPart", message)
                .with("ETag", tag)
                .with("PartNumber", number(part).to_string())
                .with("UploadId", upload.id.as_str())
        };
        let found = uploaded.iter().find(|it| it.number == number(part) && it.etag == tag);
        let found = found.ok_or_else(missing)?;
        let given = part.as_object().and_then(Checksum::among);
        check_part(upload, found, given.as_ref(), missing)?;
        chosen.push(found.clone());
    }
    let too_small = chosen.iter().rev().skip(1).rev().find(|part| part.size < PART_MIN);
    match too_small {
        None => Ok(chosen),
        Some(part) => {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            Err(Fault::front(400, "EntityTooSmall", message)
                .with("ETag", part.etag.as_str())
                .with("MinSizeAllowed", PART_MIN.to_string())
                .with("PartNumber", part.number.to_string())
                .with("ProposedSize", part.size.to_string()))
        }
    }
}

/// Holds the checksum that a request names for a part against the part's.
fn check_part(
    upload: &Upload,
    part: &Part,
    given: Option<&Checksum>,
    missing: impl Fn() -> Fault,
) -> Result<(), Fault> {
    let number = part.number;
    match (upload.algorithm(), given) {
        (None, Some(_)) => Err(missing()),
        (Some(algorithm), Some(given)) if given.algorithm != algorithm => {
            let name = given.algorithm.lower();
            let message = format!(
                "The {name} you specified for part {number} did not match what we received."
            );
            Err(Fault::front(400, "BadDigest", message))
        }
        (Some(algorithm), Some(given)) if part.sum(algorithm) != Some(&given.value) => {
            Err(missing())
        }
        (Some(algorithm), None) if upload.kind() == Some("COMPOSITE") => Err(invalid(format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for \
             each part. It was missing for part {number} in the request.",
            algorithm.lower()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_parts_is_counted_over_their_tags() {
        let part = |etag: &str| Part {
            number: 1,
            file: String::new(),
            size: 0,
            etag: etag.to_owned(),
            modified_ms: 0,
            sums: serde_json::Map::new(),
        };
        assert_eq!(
            tag(&[part("900150983cd24fb0d6963f7d28e17f72")]),
            "af5da9f45af7a300e3aded972f8ff687-1"
        );
    }
}
