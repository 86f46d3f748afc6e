//! Grants: who may do what with a bucket or an object. They are kept and shown, and nobody is refused by
//! them.
//!
//! AWS: as long as a bucket's objects are its owner's, which they are unless somebody says otherwise, there is
//! nothing to grant.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::refusal::{Refusal, argument, invalid};
use super::rows::Bucket;
use super::show::{GRANTS, owner};
use super::store::Objects;
use super::versions::is_marker;
use super::{Call, Done, buckets, settings};
use crate::wire::Fault;
use crate::wire::model::S3;
use crate::wire::validate;

/// Under which name a bucket keeps its own.
const OF_BUCKET: &str = "BucketAcl";

const EVERYBODY: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// Headers, the members that have them, and what they give.
const HEADERS: [(&str, &str, &str); 5] = [
    ("x-amz-grant-full-control", "GrantFullControl", FULL),
    ("x-amz-grant-read", "GrantRead", "READ"),
    ("x-amz-grant-read-acp", "GrantReadACP", "READ_ACP"),
    ("x-amz-grant-write", "GrantWrite", "WRITE"),
    ("x-amz-grant-write-acp", "GrantWriteACP", "WRITE_ACP"),
];
const FULL: &str = "FULL_CONTROL";

impl Objects {
    pub(super) fn get_bucket_grants(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let grants = settings::find(&index, &bucket.name, OF_BUCKET)?;
        Ok(show(call, &bucket, grants))
    }

    pub(super) fn put_bucket_grants(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let grants = allowed(call, &index, &bucket)?.ok_or_else(nothing_said)?;
        settings::save(&index, &bucket.name, OF_BUCKET, &grants)?;
        Ok(Done::of(json!({})))
    }

    pub(super) fn get_object_grants(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let version = self.version(&index, &bucket, call.key(), call.text("VersionId"), "GET")?;
        Ok(show(call, &bucket, version.members.get(GRANTS).cloned()))
    }

    pub(super) fn put_object_grants(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let mut version = self.any_version(&index, &bucket, call.key(), call.text("VersionId"))?;
        if version.is_marker() {
            return Err(is_marker("PUT").into());
        }
        let grants = allowed(call, &index, &bucket)?.ok_or_else(nothing_said)?;
        version.members.insert(GRANTS.to_owned(), grants);
        version.save_members(&index)?;
        Ok(Done::of(json!({})))
    }
}

fn show(call: &Call<'_>, bucket: &Bucket, grants: Option<Value>) -> Done {
    let owner = owner_of(call, bucket);
    let grants = grants.unwrap_or_else(|| json!([of_user(&owner)]));
    Done::of(json!({ "Owner": { "ID": owner }, "Grants": grants }))
}

/// What a request grants, in a bucket that lets it.
pub(super) fn allowed(
    call: &Call<'_>,
    index: &Connection,
    bucket: &Bucket,
) -> Result<Option<Value>, Refusal> {
    let owner = owner_of(call, bucket);
    let Some(grants) = of_request(call, &owner)? else { return Ok(None) };
    let is_owners = call.text("ACL").is_none_or(|name| name == "bucket-owner-full-control")
        && grants == json!([of_user(&owner)]);
    if !is_owners && settings::is_owners_alone(index, bucket)? {
        let message = "The bucket does not allow ACLs";
        return Err(Fault::front(400, "AccessControlListNotSupported", message).into());
    }
    Ok(Some(grants))
}

/// What the request for a new bucket grants.
pub(super) fn of_new_bucket(
    call: &Call<'_>,
    is_owners_alone: bool,
) -> Result<Option<(&'static str, Value)>, Refusal> {
    let owner = owner(call.account);
    let Some(grants) = of_request(call, &owner)? else { return Ok(None) };
    if is_owners_alone && grants != json!([of_user(&owner)]) {
        return Err(owners_alone().into());
    }
    Ok(Some((OF_BUCKET, grants)))
}

/// Refuses to make a bucket's objects its owner's where others were granted something.
pub(super) fn check_owners_alone(
    call: &Call<'_>,
    index: &Connection,
    bucket: &Bucket,
) -> Result<(), Refusal> {
    let grants = settings::find(index, &bucket.name, OF_BUCKET)?;
    let is_owners = |grants| grants == json!([of_user(&owner_of(call, bucket))]);
    if grants.is_none_or(is_owners) { Ok(()) } else { Err(owners_alone().into()) }
}

fn owners_alone() -> Fault {
    let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
    Fault::front(400, "InvalidBucketAclWithObjectOwnership", message)
}

fn nothing_said() -> Fault {
    Fault::front(400, "MissingSecurityHeader", "Your request was missing a required header")
        .with("MissingHeaderName", "x-amz-acl")
}

fn owner_of(call: &Call<'_>, bucket: &Bucket) -> String {
    owner(if bucket.owner.is_empty() { call.account } else { &bucket.owner })
}

fn of_user(id: &str) -> Value {
    json!({ "Grantee": { "Type": "CanonicalUser", "ID": id }, "Permission": FULL })
}

fn of_group(group: &str, permission: &str) -> Value {
    json!({ "Grantee": { "Type": "Group", "URI": group }, "Permission": permission })
}

/// What a request grants by a name, by headers or by its body; none if it says nothing.
fn of_request(call: &Call<'_>, owner: &str) -> Result<Option<Value>, Fault> {
    let mut headers = Vec::new();
    for (header, member, permission) in HEADERS {
        if let Some(text) = call.text(member) {
            headers.push((header, text, permission));
        }
    }
    let body = call.input.get("AccessControlPolicy");
    match (call.text("ACL"), body) {
        (Some(_), _) if !headers.is_empty() => {
            Err(invalid("Specifying both Canned ACLs and Header Grants is not allowed"))
        }
        (Some(_), Some(_)) => {
            Err(Fault::front(400, "UnexpectedContent", "This request does not support content"))
        }
        (Some(name), None) => of_name(name, owner).map(Some),
        (None, _) if !headers.is_empty() => {
            let grants =
                headers.into_iter().map(|(name, text, gives)| of_header(name, text, gives));
            Ok(Some(Value::Array(grants.collect::<Result<Vec<_>, _>>()?.concat())))
        }
        (None, Some(body)) => of_body(body).map(Some),
        (None, None) => Ok(None),
    }
}

fn of_name(name: &str, owner: &str) -> Result<Value, Fault> {
    let others: &[(&str, &str)] = match name {
        "private" | "bucket-owner-read" | "bucket-owner-full-control" | "aws-exec-read" => &[],
        "public-read" => &[(EVERYBODY, "READ")],
        "public-read-write" => &[(EVERYBODY, "READ"), (EVERYBODY, "WRITE")],
        "authenticated-read" => &[(AUTHENTICATED, "READ")],
        "log-delivery-write" => &[(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")],
        // AWS says nothing more.
        _ => return Err(argument("x-amz-acl", name, "")),
    };
    let others = others.iter().map(|(group, permission)| of_group(group, permission));
    Ok(std::iter::once(of_user(owner)).chain(others).collect())
}

/// Reads `id="ID", uri="GROUP"`.
fn of_header(header: &str, text: &str, permission: &str) -> Result<Vec<Value>, Fault> {
    let grant = |item: &str| {
        let item = item.trim();
        let (kind, value) = item.split_once('=').unwrap_or((item, ""));
        let value = value.trim_matches('"');
        let grantee = match kind {
            "id" => json!({ "Type": "CanonicalUser", "ID": checked_id("id", value)? }),
            "uri" => json!({ "Type": "Group", "URI": checked_group("uri", value)? }),
            "emailAddress" => json!({ "Type": "AmazonCustomerByEmail", "EmailAddress": value }),
            _ => return Err(argument(header, item, "Argument format not recognized")),
        };
        Ok(json!({ "Grantee": grantee, "Permission": permission }))
    };
    text.split(',').map(grant).collect()
}

fn of_body(body: &Value) -> Result<Value, Fault> {
    let malformed = || {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        Fault::front(400, "MalformedACLError", message)
    };
    let (Some(owner), Some(grants)) = (body["Owner"]["ID"].as_str(), body["Grants"].as_array())
    else {
        return Err(malformed());
    };
    let shape = S3.operations.get("PutBucketAcl").and_then(|it| it.input).map(|id| S3.shape(id));
    let policy = shape.and_then(|shape| shape.member("AccessControlPolicy"));
    let is_fit = policy
        .zip(body.as_object())
        .is_none_or(|(policy, members)| validate::findings(&S3, policy.shape, members).is_empty());
    if !is_fit {
        return Err(malformed());
    }
    checked_id("CanonicalUser/ID", owner)?;
    for grant in grants {
        let grantee = &grant["Grantee"];
        match (grantee["Type"].as_str(), grantee["ID"].as_str(), grantee["URI"].as_str()) {
            (Some("CanonicalUser"), Some(id), _) => drop(checked_id("CanonicalUser/ID", id)?),
            (Some("Group"), _, Some(group)) => drop(checked_group("Group/URI", group)?),
            (Some("AmazonCustomerByEmail"), ..) if grantee["EmailAddress"].is_string() => {}
            _ => return Err(malformed()),
        }
    }
    Ok(Value::Array(grants.clone()))
}

fn checked_id<'a>(place: &str, id: &'a str) -> Result<&'a str, Fault> {
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { Ok(id) } else { Err(argument(place, id, "Invalid id")) }
}

fn checked_group<'a>(place: &str, group: &'a str) -> Result<&'a str, Fault> {
    if [EVERYBODY, AUTHENTICATED, LOG_DELIVERY].contains(&group) {
        return Ok(group);
    }
    Err(argument(place, group, "Invalid group uri"))
}
