//! What objects keep of the requests that made them, and how they are shown.

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::Call;
use super::checksum;
use super::grants;
use super::refusal::{Refusal, argument};
use super::rows::{Bucket, Version, Versioning};
use super::settings;
use super::tags;
use super::words;
use crate::wire::Fault;
use crate::wire::time::{http, seconds};

/// What an object keeps of the request that made it, and shows with it.
const KEPT: [&str; 12] = [
    "BucketKeyEnabled",
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
    "SSEKMSKeyId",
    "ServerSideEncryption",
    "StorageClass",
    "WebsiteRedirectLocation",
];

/// Storage classes of other places than a bucket's own.
const ELSEWHERE: [&str; 5] = ["OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP"];

/// The class that everything has of which none is said.
pub(super) const STANDARD: &str = "STANDARD";
/// The encryption that everything has of which none is said.
const ENCRYPTION: &str = "AES256";
/// Where tags are kept, among what is shown.
pub(super) const TAGS: &str = "Tags";

/// Where grants are kept, among what is shown.
pub(super) const GRANTS: &str = "Grants";

/// Which upload a version was, among what is shown.
pub(super) const UPLOAD: &str = "UploadId";

/// The id by which S3 knows an account: AWS's are of this form.
pub(super) fn owner(account: &str) -> String {
    format!("{account:0>64}")
}

/// A point in time as S3 keeps it: to the second.
pub(super) fn moment(millis: i64) -> f64 {
    seconds(millis.div_euclid(1000) * 1000)
}

/// A tag in quotes.
pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// What of a request is kept with its object in a bucket.
pub(super) fn kept(
    call: &Call<'_>,
    index: &Connection,
    bucket: &Bucket,
) -> Result<Map<String, Value>, Refusal> {
    if call.text("SSECustomerAlgorithm").is_some() {
        let message = "The local cloud's S3 does not offer encryption with keys of the client's";
        return Err(Fault::front(501, "NotImplemented", message).into());
    }
    if let Some(class) = call.text("StorageClass").filter(|class| !is_class(class)) {
        let message = "The storage class you specified is not valid";
        let fault = Fault::front(400, "InvalidStorageClass", message);
        return Err(fault.with("StorageClassRequested", class).into());
    }
    let found = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), call.input.get(*name)?)));
    let mut kept: Map<String, Value> = found.map(|(name, value)| (name, value.clone())).collect();
    rewrite(&mut kept, words::decode);
    if !kept.contains_key("ServerSideEncryption") {
        kept.extend(settings::default_encryption(call, index, bucket)?);
    }
    if let Some(header) = call.text("Tagging") {
        kept.insert(TAGS.to_owned(), tags::of_header(header)?);
    }
    if let Some(grants) = grants::allowed(call, index, bucket)? {
        kept.insert(GRANTS.to_owned(), grants);
    }
    Ok(kept)
}

fn is_class(class: &str) -> bool {
    let classes = crate::wire::model::S3.error("InvalidObjectState").and_then(|shape| {
        let member = shape.member("StorageClass")?;
        Some(&crate::wire::model::S3.shape_of(member).choices)
    });
    let is_known = classes.is_none_or(|classes| classes.iter().any(|known| known == class));
    is_known && !ELSEWHERE.contains(&class)
}

/// AWS: the longest key.
pub(super) fn check_key(key: &str) -> Result<(), Fault> {
    if key.len() > 1024 {
        let fault = Fault::front(400, "KeyTooLongError", "Your key is too long");
        return Err(fault.with("Size", key.len().to_string()).with("MaxSizeAllowed", "1024"));
    }
    Ok(())
}

/// Refuses to read what is archived.
pub(super) fn check_archive(members: &Map<String, Value>) -> Result<(), Fault> {
    let class = class(members);
    if !["GLACIER", "DEEP_ARCHIVE"].contains(&class) {
        return Ok(());
    }
    let message = "The operation is not valid for the object's storage class";
    Err(Fault::front(403, "InvalidObjectState", message).with("StorageClass", class))
}

/// The storage class of what is kept.
pub(super) fn class(members: &Map<String, Value>) -> &str {
    members.get("StorageClass").and_then(Value::as_str).unwrap_or(STANDARD)
}

/// The encryption of what is kept, as an answer to its change shows it.
pub(super) fn encryption(members: &Map<String, Value>) -> Value {
    let mut shown = json!({ "ServerSideEncryption": ENCRYPTION });
    for name in ["ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"] {
        if let Some(value) = members.get(name) {
            shown[name] = value.clone();
        }
    }
    shown
}

/// Rewrites the values of metadata.
fn rewrite(members: &mut Map<String, Value>, how: impl Fn(&str) -> String) {
    let metadata = members.get_mut("Metadata").and_then(Value::as_object_mut);
    for value in metadata.into_iter().flat_map(Map::values_mut) {
        if let Some(text) = value.as_str() {
            *value = how(text).into();
        }
    }
}

/// A version's head, without its length and its checksums.
pub(super) fn head(bucket: &Bucket, version: &Version) -> Map<String, Value> {
    let mut shown = version.members.clone();
    checksum::strip(&mut shown);
    rewrite(&mut shown, words::encode);
    shown.remove(GRANTS);
    shown.remove(UPLOAD);
    if let Some(tags) = shown.remove(TAGS).and_then(|tags| tags.as_array().map(Vec::len))
        && tags > 0
    {
        shown.insert("TagCount".to_owned(), tags.into());
    }
    if class(&shown) == STANDARD {
        shown.remove("StorageClass");
    }
    let mut add = |name: &str, value: Value| {
        shown.entry(name).or_insert(value);
    };
    add("AcceptRanges", "bytes".into());
    add("ETag", quoted(&version.etag).into());
    add("LastModified", moment(version.modified_ms).into());
    add("ContentType", "binary/octet-stream".into());
    add("ServerSideEncryption", ENCRYPTION.into());
    if bucket.versioning != Versioning::Never {
        add("VersionId", version.id.as_str().into());
    }
    shown
}

/// A link can say under which headers its object is to be shown.
pub(super) fn override_head(call: &Call<'_>, shown: &mut Map<String, Value>) -> Result<(), Fault> {
    for (name, parameter) in [
        ("CacheControl", "response-cache-control"),
        ("ContentDisposition", "response-content-disposition"),
        ("ContentEncoding", "response-content-encoding"),
        ("ContentLanguage", "response-content-language"),
        ("ContentType", "response-content-type"),
        ("Expires", "response-expires"),
    ] {
        let value = match call.input.get(&format!("Response{name}")) {
            None => continue,
            Some(value) => value.as_f64().map_or_else(|| value.clone(), |it| http(it).into()),
        };
        if let Some(text) = value.as_str().filter(|text| text.chars().any(|it| it > '\u{ff}')) {
            let message = "Header value cannot be represented using ISO-8859-1.";
            return Err(argument(parameter, text, message));
        }
        shown.insert(name.to_owned(), value);
    }
    Ok(())
}
