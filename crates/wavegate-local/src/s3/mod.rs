//! S3 as far as artifacts need it: buckets, objects with their metadata, listings and uploads in parts,
//! with the bucket in the path.
//!
//! What an operation takes and gives stands in AWS's model; the bodies of objects never go through its
//! tree. Contents are files, and what is known of them is in an SQLite file beside them ([`store`]), so
//! that nothing is held in memory.
//!
//! Deliberately absent: versions, access rules, encryption, and buckets as hosts. An ETag is a part of
//! the content's SHA-256, and not its MD5: clients must not look into it.

mod buckets;
mod chunks;
mod listing;
mod objects;
mod parts;
mod ranges;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use store::Objects;

use crate::cloud::Cloud;
use crate::iam;
use crate::wire::model::S3;
use crate::wire::{Answer, Fault, Output, Request, Route, decode};

/// Bytes of an object: more than Lambda's largest package.
pub(crate) const OBJECT_MAX: usize = 300 << 20;

/// An answer, and what its operation gives beside its model.
struct Done {
    output: Output,
    /// If it is another one than the model's.
    status: Option<u16>,
}

impl Done {
    fn of(members: Value) -> Self {
        Self { output: Output::of(members), status: None }
    }
}

/// Whether a request that is no other service's is for an object or a bucket.
pub(crate) fn is_request(request: &Request) -> bool {
    match request.signed_service() {
        Some(service) => service == "s3",
        None => request.path != "/" && request.method != "POST",
    }
}

/// Answers a request.
pub(crate) async fn answer(cloud: &Arc<Cloud>, request: Request, request_id: &str) -> Answer {
    let is_head = request.method == "HEAD";
    let route = route(&request);
    cloud.count(&format!("s3:{}", route.name()));
    let done = perform(cloud, &route, request).await;
    if let Err(fault) = &done
        && is_head
    {
        // AWS: an answer to HEAD has no place for words.
        return Answer::empty(fault.status(&S3));
    }
    let status = done.as_ref().ok().and_then(|done| done.status);
    let is_location = route.name() == "GetBucketLocation" && done.is_ok();
    let mut answer = route.answer(done.map(|done| done.output), request_id);
    answer.status = status.unwrap_or(answer.status);
    if is_location {
        // The one answer whose root is the member itself; none stands for us-east-1.
        let region = Some(cloud.home.region.as_str()).filter(|region| *region != "us-east-1");
        let region = region.unwrap_or_default();
        let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
        let text =
            format!("<LocationConstraint xmlns=\"{namespace}\">{region}</LocationConstraint>");
        answer = Answer::xml(200, text);
    }
    answer
}

async fn perform(cloud: &Arc<Cloud>, route: &Route, mut request: Request) -> Result<Done, Fault> {
    if route.operation.is_none() {
        let message = format!("The local cloud's S3 does not offer {}", route.name());
        return Err(Fault::front(501, "NotImplemented", message));
    }
    chunks::join(&mut request)?;
    let mut input = route.decode(&request)?;
    let operation = input.operation.name.as_str();
    if let Some(why) = cloud.refusal(&request, &iam::of_objects(operation, &input.members)) {
        return Err(Fault::front(403, "AccessDenied", why));
    }
    let (cloud, now) = (Arc::clone(cloud), cloud.shared.clock.now_ms());
    let work = move || {
        let body = std::mem::take(&mut input.payload);
        cloud.shared.objects.perform(now, &input.operation.name, &input.members, &body)
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Fault::front(500, "InternalError", "the object store failed")))
}

/// Which operation a request is. Several have the same method and path, and are told by the query string
/// or a header.
fn route(request: &Request) -> Route {
    let path = request.path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let asks = |name: &str| request.query_param(name).is_some();
    let copies = request.header("x-amz-copy-source").is_some();
    let operation = match (request.method.as_str(), bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => "ListBuckets",
        (_, true, _) => "",
        (_, _, is_bucket) if has_other_subject(request) => {
            return Route::to(&S3, &sub_operation(request, is_bucket), Vec::new());
        }
        ("PUT", _, true) => "CreateBucket",
        ("HEAD", _, true) => "HeadBucket",
        ("DELETE", _, true) => "DeleteBucket",
        ("GET", _, true) if asks("location") => "GetBucketLocation",
        ("GET", _, true) if asks("uploads") => "ListMultipartUploads",
        ("GET", _, true) if asks("list-type") => "ListObjectsV2",
        ("GET", _, true) => "ListObjects",
        ("POST", _, true) if asks("delete") => "DeleteObjects",
        ("PUT", _, _) if asks("uploadId") && !copies => "UploadPart",
        ("PUT", _, _) if asks("uploadId") => "UploadPartCopy",
        ("PUT", _, _) if copies => "CopyObject",
        ("PUT", _, _) => "PutObject",
        ("GET", _, _) if asks("uploadId") => "ListParts",
        ("GET", _, _) => "GetObject",
        ("HEAD", _, _) => "HeadObject",
        ("DELETE", _, _) if asks("uploadId") => "AbortMultipartUpload",
        ("DELETE", _, _) => "DeleteObject",
        ("POST", _, _) if asks("uploads") => "CreateMultipartUpload",
        ("POST", _, _) if asks("uploadId") => "CompleteMultipartUpload",
        _ => "",
    };
    let labels = vec![("Bucket".to_owned(), decode(bucket)), ("Key".to_owned(), decode(key))];
    Route::to(&S3, operation, labels)
}

/// What a bucket or object has besides what is offered; the query string names it.
const OTHER_SUBJECTS: [&str; 12] = [
    "acl",
    "cors",
    "encryption",
    "lifecycle",
    "notification",
    "policy",
    "tagging",
    "versioning",
    "versions",
    "website",
    "attributes",
    "restore",
];

fn has_other_subject(request: &Request) -> bool {
    OTHER_SUBJECTS.iter().any(|name| request.query_param(name).is_some())
}

/// A name for what is not offered: `GetBucketPolicy`.
fn sub_operation(request: &Request, is_bucket: bool) -> String {
    let subject = OTHER_SUBJECTS.iter().find(|name| request.query_param(name).is_some());
    let subject = subject.copied().unwrap_or_default();
    let verb = match request.method.as_str() {
        "PUT" => "Put",
        "DELETE" => "Delete",
        "POST" => "Post",
        _ => "Get",
    };
    let (first, rest) = subject.split_at(1.min(subject.len()));
    let of = if is_bucket { "Bucket" } else { "Object" };
    format!("{verb}{of}{}{rest}", first.to_uppercase())
}

/// A member that is a text.
fn text<'a>(input: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}
