//! What is set for a bucket as a whole, kept and shown as it came: one row of a [`table`] for each setting.

mod document;
mod lifecycle;
mod notification;
mod rules;
mod table;
mod website;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value, json};

use self::table::{ENCRYPTION, LOCK, OWNERSHIP, POLICY, Put, Setting, Verb};
use super::refusal::{Refusal, malformed};
use super::rows::Bucket;
use super::store::{Objects, random};
use super::{Call, Done, buckets, grants};
use crate::code::hex;
use crate::wire::Fault;
use crate::wire::model::{S3, Shape};
use crate::wire::validate;

/// How a bucket says that all its objects are its owner's, as it does until somebody says otherwise.
const ENFORCED: &str = "BucketOwnerEnforced";

impl Objects {
    /// Performs an operation on a setting; none if it is another one.
    pub(super) fn setting(
        &self,
        call: &Call<'_>,
        operation: &str,
    ) -> Option<Result<Done, Refusal>> {
        let (setting, verb) = Setting::of_operation(operation)?;
        Some(match verb {
            Verb::Get => self.get_setting(call, setting, operation),
            Verb::Put => self.put_setting(call, setting, operation),
            Verb::Delete => self.delete_setting(call, setting),
        })
    }

    fn get_setting(
        &self,
        call: &Call<'_>,
        setting: &Setting,
        operation: &str,
    ) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let kept = setting.of(&index, &bucket)?;
        // An answer is the setting itself, or has it as its one member.
        let member = setting.member();
        let is_within = Setting::shown(operation).is_some_and(|it| it.member(member).is_some());
        Ok(Done::of(if is_within { json!({ member: kept }) } else { kept }))
    }

    fn put_setting(
        &self,
        call: &Call<'_>,
        setting: &Setting,
        operation: &str,
    ) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let member = setting.member();
        let Some(mut value) = call.input.get(member).cloned() else {
            let message = "Request Body is empty";
            return Err(Fault::front(400, "MissingRequestBodyError", message).into());
        };
        (setting.check)(&Put { call, index: &index, bucket: &bucket }, &mut value)?;
        check_shape(setting, &value)?;
        save(&index, &bucket.name, setting.name, &value)?;
        let names = Setting::shown(operation).into_iter().flat_map(Shape::members);
        let shown = names.filter_map(|(name, _)| Some((name.clone(), value.get(name)?.clone())));
        let shown: Map<String, Value> = shown.collect();
        // AWS: otherwise than its model says.
        let status = (setting.name == POLICY.name).then_some(204);
        Ok(Done { status, ..Done::of(Value::Object(shown)) })
    }

    fn delete_setting(&self, call: &Call<'_>, setting: &Setting) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        save(&index, &bucket.name, setting.name, &Value::Null)?;
        Ok(Done::of(json!({})))
    }

    pub(super) fn get_policy_status(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let is_public = document::is_public(&POLICY.of(&index, &bucket)?);
        Ok(Done::of(json!({ "PolicyStatus": { "IsPublic": is_public } })))
    }
}

/// AWS: what does not fit its model is malformed.
fn check_shape(setting: &Setting, value: &Value) -> Result<(), Fault> {
    let input = setting.put().and_then(|put| put.input).map(|id| S3.shape(id));
    let member = input.and_then(|input| input.member(setting.member()));
    let (Some(member), Value::Object(members)) = (member, value) else { return Ok(()) };
    let is_fit = validate::findings(&S3, member.shape, members).is_empty();
    if is_fit { Ok(()) } else { Err(malformed()) }
}

/// What was kept for a bucket under a name; null is what was deleted.
pub(super) fn find(
    index: &Connection,
    bucket: &str,
    name: &str,
) -> rusqlite::Result<Option<Value>> {
    let mut statement =
        index.prepare_cached("select value from setting where bucket = ?1 and name = ?2")?;
    let kept: Option<String> = statement.query_row([bucket, name], |row| row.get(0)).optional()?;
    Ok(kept.and_then(|kept| serde_json::from_str(&kept).ok()))
}

/// Keeps something for a bucket.
pub(super) fn save(
    index: &Connection,
    bucket: &str,
    name: &str,
    value: &Value,
) -> rusqlite::Result<()> {
    index.execute(
        "insert into setting (bucket, name, value) values (?1, ?2, ?3)
         on conflict (bucket, name) do update set value = ?3",
        params![bucket, name, value.to_string()],
    )?;
    Ok(())
}

/// What the request for a new bucket sets for it.
pub(super) fn of_new_bucket(call: &Call<'_>) -> Result<Vec<(&'static str, Value)>, Refusal> {
    let mut set = Vec::new();
    if let Some(ownership) = call.text("ObjectOwnership") {
        let rules = json!({ "Rules": [{ "ObjectOwnership": ownership }] });
        if check_shape(&OWNERSHIP, &rules).is_err() {
            let message = format!("Invalid x-amz-object-ownership header: {ownership}");
            let fault = Fault::front(400, "InvalidArgument", message);
            return Err(fault.with("ArgumentName", "x-amz-object-ownership").into());
        }
        set.push((OWNERSHIP.name, rules));
    }
    if locks(call) {
        set.push((LOCK.name, json!({ "ObjectLockEnabled": "Enabled" })));
    }
    let is_owners_alone = call.text("ObjectOwnership").is_none_or(|it| it == ENFORCED);
    set.extend(grants::of_new_bucket(call, is_owners_alone)?);
    Ok(set)
}

/// Whether objects of a new bucket can be locked, for which it must keep versions.
pub(super) fn locks(call: &Call<'_>) -> bool {
    call.input.get("ObjectLockEnabledForBucket") == Some(&Value::Bool(true))
}

/// AWS: where objects can be locked, versions are kept.
pub(super) fn check_suspension(index: &Connection, bucket: &Bucket) -> Result<(), Refusal> {
    if find(index, &bucket.name, LOCK.name)?.is_none() {
        return Ok(());
    }
    let message = "An Object Lock configuration is present on this bucket, so the versioning state \
                   cannot be changed.";
    Err(Fault::front(409, "InvalidBucketState", message).into())
}

/// Whether all objects of a bucket are its owner's, so that nobody else can be given anything.
pub(super) fn is_owners_alone(index: &Connection, bucket: &Bucket) -> rusqlite::Result<bool> {
    let kept = find(index, &bucket.name, OWNERSHIP.name)?;
    let is_enforced = |kept: Value| kept["Rules"][0]["ObjectOwnership"] == ENFORCED;
    Ok(kept.is_none_or(is_enforced))
}

/// How a bucket encrypts what does not say how, as its objects show it.
pub(super) fn default_encryption(
    call: &Call<'_>,
    index: &Connection,
    bucket: &Bucket,
) -> rusqlite::Result<Map<String, Value>> {
    let mut shown = Map::new();
    let kept = find(index, &bucket.name, ENCRYPTION.name)?.unwrap_or_default();
    let default = &kept["Rules"][0]["ApplyServerSideEncryptionByDefault"];
    let Some(algorithm) = default["SSEAlgorithm"].as_str() else { return Ok(shown) };
    shown.insert("ServerSideEncryption".to_owned(), algorithm.into());
    if let Some(key) = default["KMSMasterKeyID"].as_str() {
        let arn = if key.starts_with("arn:") {
            key.to_owned()
        } else {
            format!("arn:aws:kms:{}:{}:key/{key}", call.region, call.account)
        };
        shown.insert("SSEKMSKeyId".to_owned(), arn.into());
    }
    if algorithm.starts_with("aws:kms") && kept["Rules"][0]["BucketKeyEnabled"] == true {
        shown.insert("BucketKeyEnabled".to_owned(), true.into());
    }
    Ok(shown)
}

/// An id for what came without one, of the form of AWS's.
fn new_id() -> Result<String, Refusal> {
    Ok(STANDARD_NO_PAD.encode(hex(&random::<18>()?)))
}

/// Gives each rule of a list an id.
fn identify(rules: &mut Value, name: &str) -> Result<(), Refusal> {
    for rule in rules.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        if rule.get(name).is_none_or(|id| id == "") {
            rule.insert(name.to_owned(), new_id()?.into());
        }
    }
    Ok(())
}

/// The elements of a list; none of what is no list.
fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What the operations on each setting are called behind `Get` and `Put`.
#[cfg(test)]
pub(super) fn every_name() -> impl Iterator<Item = &'static str> {
    table::ALL.iter().map(|setting| setting.name)
}
