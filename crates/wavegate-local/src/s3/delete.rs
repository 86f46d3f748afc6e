//! Deletions: of objects, of versions, of many at once.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::refusal::{Refusal, malformed};
use super::rows::{Bucket, NULL, Version, Versioning};
use super::store::Objects;
use super::versions::{check_id, no_version};
use super::{Call, Done, buckets};
use crate::wire::Fault;

/// AWS: keys of one request.
const KEYS_MAX: usize = 1000;

/// What a deletion came to.
#[derive(Debug, Default)]
struct Deleted {
    /// The version that is gone, or the marker that was made.
    version: Option<String>,
    /// Whether that is a marker.
    is_marker: bool,
}

impl Objects {
    pub(super) fn delete_object(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let mut index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        check_headers(call)?;
        if call.text("IfMatch").is_some() {
            let current = self.current(&index, &bucket.name, call.key())?;
            super::conditions::of_write(call, current.as_ref())?;
        }
        let id = call.text("VersionId");
        if let Some(id) = id {
            check_id(id)?;
        }
        let deleted = self.delete(call.now_ms, &mut index, &bucket, call.key(), id)?;
        let mut shown = json!({});
        if deleted.is_marker {
            shown["DeleteMarker"] = true.into();
        }
        if let Some(version) = deleted.version {
            shown["VersionId"] = version.into();
        }
        Ok(Done::of(shown))
    }

    /// AWS: what cannot be deleted is told among the rest, and what is not there is deleted.
    pub(super) fn delete_objects(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let mut index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        check_headers(call)?;
        let delete = call.input.get("Delete").unwrap_or(&Value::Null);
        let objects = delete["Objects"].as_array().filter(|objects| {
            let is_key = |object: &Value| object["Key"].as_str().is_some_and(|it| !it.is_empty());
            (1..=KEYS_MAX).contains(&objects.len()) && objects.iter().all(is_key)
        });
        let objects = objects.ok_or_else(malformed)?;
        let is_quiet = delete["Quiet"].as_bool().unwrap_or(false);
        let (mut done, mut errors) = (Vec::new(), Vec::new());
        for object in objects {
            let key = object["Key"].as_str().unwrap_or_default();
            let id = object["VersionId"].as_str().filter(|id| !id.is_empty());
            let known = id.is_none_or(|id| check_id(id).is_ok());
            let deleted = if known {
                self.delete(call.now_ms, &mut index, &bucket, key, id)
            } else {
                Err(no_version(key, id.unwrap_or_default()).into())
            };
            match deleted {
                Ok(deleted) if !is_quiet => done.push(show(key, id, deleted)),
                Ok(_) => {}
                Err(refusal) => {
                    let Fault { code, message, .. } = refusal.fault;
                    let mut error = json!({ "Key": key, "Code": code, "Message": message });
                    if let Some(id) = id {
                        error["VersionId"] = id.into();
                    }
                    errors.push(error);
                }
            }
        }
        let mut shown = json!({});
        if !done.is_empty() {
            shown["Deleted"] = done.into();
        }
        if !errors.is_empty() {
            shown["Errors"] = errors.into();
        }
        Ok(Done::of(shown))
    }

    fn delete(
        &self,
        now: i64,
        index: &mut Connection,
        bucket: &Bucket,
        key: &str,
        id: Option<&str>,
    ) -> Result<Deleted, Refusal> {
        // What is of before there were rows gets one.
        self.current(index, &bucket.name, key)?;
        match (id, bucket.versioning) {
            (Some(id), _) => {
                let found = Version::find(index, &bucket.name, key, id)?;
                let is_marker = found.as_ref().is_some_and(Version::is_marker);
                if let Some(version) = &found {
                    self.remove_version(index, &bucket.name, key, version)?;
                }
                Ok(Deleted { version: Some(id.to_owned()), is_marker })
            }
            (None, Versioning::Never) => {
                if let Some(version) = Version::find(index, &bucket.name, key, NULL)? {
                    self.remove_version(index, &bucket.name, key, &version)?;
                }
                Ok(Deleted::default())
            }
            (None, Versioning::Enabled | Versioning::Suspended) => {
                let marker = Version::marker(NULL.to_owned(), now);
                let id = self.put_version(index, bucket, key, marker, None)?;
                Ok(Deleted { version: Some(id), is_marker: true })
            }
        }
    }
}

/// Refuses what only buckets of other kinds know.
fn check_headers(call: &Call<'_>) -> Result<(), Fault> {
    for (name, header) in [
        ("IfMatchLastModifiedTime", "x-amz-if-match-last-modified-time"),
        ("IfMatchSize", "x-amz-if-match-size"),
    ] {
        if call.input.contains_key(name) {
            let message = "A header you provided implies functionality that is not implemented";
            return Err(Fault::front(501, "NotImplemented", message).with("Header", header));
        }
    }
    if call.input.contains_key("BypassGovernanceRetention") {
        let header = "x-amz-bypass-governance-retention";
        let message = format!("{header} is only applicable to Object Lock enabled buckets.");
        let fault = Fault::front(400, "InvalidArgument", message);
        return Err(fault.with("ArgumentName", header));
    }
    Ok(())
}

fn show(key: &str, id: Option<&str>, deleted: Deleted) -> Value {
    let mut shown = json!({ "Key": key });
    if deleted.is_marker {
        shown["DeleteMarker"] = true.into();
        shown["DeleteMarkerVersionId"] = deleted.version.into();
    }
    if let Some(id) = id {
        shown["VersionId"] = id.into();
    }
    shown
}
