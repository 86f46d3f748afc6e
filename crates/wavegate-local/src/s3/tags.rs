//! Tags of buckets and of objects.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::refusal::{Refusal, argument, malformed};
use super::rows::{Bucket, Version, Versioning};
use super::show::TAGS;
use super::store::Objects;
use super::versions::{is_marker, no_key};
use super::{Call, Done, buckets};
use crate::wire::Fault;

/// AWS: tags of an object, and of a bucket.
const OF_OBJECT_MAX: usize = 10;
const OF_BUCKET_MAX: usize = 50;
/// AWS: characters of a key, and of a value.
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

/// What AWS says to a tag of its own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Object,
    Bucket,
    NewBucket,
}

impl Objects {
    pub(super) fn get_bucket_tags(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let bucket = buckets::bucket(&self.index(), call.bucket())?;
        if bucket.tags.as_array().is_none_or(Vec::is_empty) {
            let fault = Fault::front(404, "NoSuchTagSet", "The TagSet does not exist");
            return Err(fault.with("BucketName", bucket.name).into());
        }
        Ok(Done::of(json!({ "TagSet": bucket.tags })))
    }

    pub(super) fn put_bucket_tags(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let tags = checked(tag_set(call), Of::Bucket)?;
        Bucket { tags, ..bucket }.save(&index)?;
        Ok(Done { status: Some(204), ..Done::of(json!({})) })
    }

    pub(super) fn delete_bucket_tags(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        Bucket { tags: json!([]), ..bucket }.save(&index)?;
        Ok(Done::of(json!({})))
    }

    pub(super) fn get_tags(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let (bucket, version) = self.tagged(call, &index, "GET")?;
        let tags = version.members.get(TAGS).cloned().unwrap_or_else(|| json!([]));
        let mut shown = id_of(&bucket, &version);
        shown["TagSet"] = tags;
        Ok(Done::of(shown))
    }

    pub(super) fn put_tags(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let (bucket, mut version) = self.tagged(call, &index, "PUT")?;
        let tags = checked(tag_set(call), Of::Object)?;
        version.members.insert(TAGS.to_owned(), tags);
        version.save_members(&index)?;
        Ok(Done::of(id_of(&bucket, &version)))
    }

    pub(super) fn delete_tags(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let (bucket, mut version) = self.tagged(call, &index, "DELETE")?;
        version.members.remove(TAGS);
        version.save_members(&index)?;
        Ok(Done::of(id_of(&bucket, &version)))
    }

    /// The version whose tags are meant. AWS: a delete marker has none, be it the current version.
    fn tagged(
        &self,
        call: &Call<'_>,
        index: &rusqlite::Connection,
        method: &str,
    ) -> Result<(Bucket, Version), Refusal> {
        let bucket = buckets::bucket(index, call.bucket())?;
        let found = self.any_version(index, &bucket, call.key(), call.text("VersionId"));
        let version = found.map_err(|mut refusal| {
            // AWS: this one names the bucket, too.
            if refusal.fault.code == "NoSuchKey" && method == "GET" {
                refusal.fault = no_key(&format!("{}/{}", bucket.name, call.key()));
            }
            refusal
        })?;
        if version.is_marker() {
            return Err(Refusal::from(is_marker(method))
                .with_header("x-amz-delete-marker", "true")
                .with_header("x-amz-version-id", version.id));
        }
        Ok((bucket, version))
    }
}

fn id_of(bucket: &Bucket, version: &Version) -> Value {
    match bucket.versioning {
        Versioning::Never => json!({}),
        Versioning::Enabled | Versioning::Suspended => json!({ "VersionId": version.id }),
    }
}

/// AWS: no list is an empty one.
fn tag_set<'a>(call: &Call<'a>) -> &'a Value {
    let given = call.input.get("Tagging").and_then(|tagging| tagging.get("TagSet"));
    given.unwrap_or(&Value::Null)
}

/// The tags of a bucket that is being made.
pub(super) fn checked_of_new_bucket(tags: &Value) -> Result<Value, Fault> {
    checked(tags, Of::NewBucket)
}

/// Tags as a header has them: a query string.
pub(super) fn of_header(header: &str) -> Result<Value, Fault> {
    let pairs = form_urlencoded::parse(header.as_bytes()).into_owned();
    let tags: Vec<Value> =
        pairs.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let keys: BTreeSet<&str> = tags.iter().filter_map(|tag| tag["Key"].as_str()).collect();
    // A sign between pairs that is not theirs ends up in a value.
    if keys.len() < tags.len() || header.matches('=').count() > tags.len() {
        let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query \
                       parameters without tag name duplicates.";
        return Err(argument("x-amz-tagging", header, message));
    }
    checked(&Value::Array(tags), Of::Object)
}

fn checked(tags: &Value, of: Of) -> Result<Value, Fault> {
    let empty = Vec::new();
    let tags = tags.as_array().unwrap_or(&empty);
    let max = if of == Of::Object { OF_OBJECT_MAX } else { OF_BUCKET_MAX };
    if tags.len() > max {
        let message = format!("Object tags cannot be greater than {max}");
        return Err(Fault::front(400, "BadRequest", message));
    }
    let mut keys = BTreeSet::new();
    for tag in tags {
        let (Some(key), Some(value)) = (tag["Key"].as_str(), tag["Value"].as_str()) else {
            return Err(malformed());
        };
        check(key, value, of)?;
        if !keys.insert(key) {
            if of == Of::NewBucket {
                let message = "We encountered an internal error. Please try again.";
                return Err(Fault::front(500, "InternalError", message));
            }
            let fault = invalid("Cannot provide multiple Tags with the same key");
            return Err(fault.with("TagKey", key));
        }
    }
    Ok(Value::Array(tags.clone()))
}

fn check(key: &str, value: &str, of: Of) -> Result<(), Fault> {
    let legal = |text: &str| {
        text.chars().all(|it| it.is_alphanumeric() || it.is_whitespace() || "_.:/=+-@".contains(it))
    };
    if key.starts_with("aws:") {
        return Err(match of {
            Of::Object => invalid("Your TagKey cannot be prefixed with aws:").with("TagKey", key),
            Of::Bucket => {
                invalid("System tags cannot be added/updated by requester").with("TagKey", key)
            }
            Of::NewBucket => invalid(
                "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system \
                 tags. Remove \"aws:\" from your tag keys and try again.",
            ),
        });
    }
    if key.is_empty() || key.chars().count() > KEY_MAX || !legal(key) {
        return Err(invalid("The TagKey you have provided is invalid").with("TagKey", key));
    }
    if value.chars().count() > VALUE_MAX || !legal(value) {
        let fault = invalid("The TagValue you have provided is invalid").with("TagKey", key);
        return Err(fault.with("TagValue", value));
    }
    Ok(())
}

fn invalid(message: &str) -> Fault {
    Fault::front(400, "InvalidTag", message)
}
