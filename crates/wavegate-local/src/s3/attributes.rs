//! What is known of an object, without its content.

use serde_json::{Value, json};

use super::checksum::Checksum;
use super::refusal::{Refusal, argument};
use super::rows::{Version, Versioning};
use super::show::{class, moment};
use super::store::Objects;
use super::{Call, Done, buckets};

/// AWS: parts of a page.
const PAGE: i64 = 1000;

const NAMES: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

impl Objects {
    pub(super) fn get_attributes(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let version = self.version(&index, &bucket, call.key(), call.text("VersionId"), "GET")?;
        let wanted = wanted(call)?;
        let wants = |name: &str| wanted.iter().any(|it| it == name);
        let checksum = Checksum::among(&version.members);
        let mut shown = json!({ "LastModified": moment(version.modified_ms) });
        if bucket.versioning != Versioning::Never {
            shown["VersionId"] = version.id.as_str().into();
        }
        if wants("ETag") {
            shown["ETag"] = version.etag.as_str().into();
        }
        if wants("ObjectSize") {
            shown["ObjectSize"] = version.size.into();
        }
        if wants("StorageClass") {
            shown["StorageClass"] = class(&version.members).into();
        }
        if wants("Checksum")
            && let Some(checksum) = &checksum
        {
            // Here the number of parts is not behind it.
            let value = checksum.value.split('-').next().unwrap_or_default();
            shown["Checksum"] =
                json!({ checksum.algorithm.member(): value, "ChecksumType": checksum.kind() });
        }
        if wants("ObjectParts")
            && let Some(parts) = parts(call, &version, &version.parts(&index)?)
        {
            shown["ObjectParts"] = parts;
        }
        Ok(Done::of(shown))
    }
}

/// The names that a request asks for: one header with commas, or several.
fn wanted(call: &Call<'_>) -> Result<Vec<String>, Refusal> {
    let given = call.input.get("ObjectAttributes").and_then(Value::as_array);
    let given = given.into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<String> =
        given.flat_map(|names| names.split(',')).map(|name| name.trim().to_owned()).collect();
    if names.is_empty() || names.iter().any(|name| !NAMES.contains(&name.as_str())) {
        return Err(argument(
            "x-amz-object-attributes",
            names.join(","),
            "Invalid attribute name specified.",
        )
        .into());
    }
    Ok(names)
}

/// AWS: parts are told one by one where their checksums are those of the object.
fn parts(call: &Call<'_>, version: &Version, parts: &[Value]) -> Option<Value> {
    if parts.is_empty() {
        return None;
    }
    let mut shown = json!({ "TotalPartsCount": parts.len() });
    if Checksum::among(&version.members).is_none_or(|checksum| !checksum.is_composite) {
        return Some(shown);
    }
    let number = |part: &&Value| part["PartNumber"].as_i64().unwrap_or_default();
    let marker = call.number("PartNumberMarker").unwrap_or(0);
    let max = call.number("MaxParts").unwrap_or(PAGE).clamp(0, PAGE);
    let behind: Vec<&Value> = parts.iter().filter(|part| number(part) > marker).collect();
    let page = &behind[..usize::try_from(max).unwrap_or_default().min(behind.len())];
    shown["PartNumberMarker"] = marker.into();
    shown["MaxParts"] = max.into();
    shown["IsTruncated"] = (page.len() < behind.len()).into();
    shown["NextPartNumberMarker"] = page.last().map_or(0, number).into();
    shown["Parts"] = page.iter().copied().cloned().collect();
    Some(shown)
}
