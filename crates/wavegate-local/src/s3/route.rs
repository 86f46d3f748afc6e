//! Which operation a request is. Several have the same method and path, and are told by the query string
//! or a header.

use crate::wire::model::S3;
use crate::wire::{Request, Route, decode};

/// What a bucket or object has besides itself; the query string names it.
const SUBJECTS: [(&str, &str); 24] = [
    ("accelerate", "AccelerateConfiguration"),
    ("acl", "Acl"),
    ("analytics", "AnalyticsConfiguration"),
    ("attributes", "Attributes"),
    ("cors", "Cors"),
    ("encryption", "Encryption"),
    ("intelligent-tiering", "IntelligentTieringConfiguration"),
    ("inventory", "InventoryConfiguration"),
    ("legal-hold", "LegalHold"),
    ("lifecycle", "LifecycleConfiguration"),
    ("logging", "Logging"),
    ("metrics", "MetricsConfiguration"),
    ("notification", "NotificationConfiguration"),
    ("object-lock", "ObjectLockConfiguration"),
    ("ownershipControls", "OwnershipControls"),
    ("policy", "Policy"),
    ("policyStatus", "PolicyStatus"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("replication", "Replication"),
    ("requestPayment", "RequestPayment"),
    ("retention", "Retention"),
    ("tagging", "Tagging"),
    ("versioning", "Versioning"),
    ("website", "Website"),
];
/// Subjects whose operations do not say that they are a bucket's or an object's.
const UNSAID: [&str; 2] = ["ObjectLockConfiguration", "PublicAccessBlock"];

/// Whether a request that is no other service's is for an object or a bucket.
pub(crate) fn is_request(request: &Request) -> bool {
    match request.signed_service() {
        Some(service) => service == "s3",
        None => request.path != "/" && (request.method != "POST" || is_post(request)),
    }
}

/// Whether a request is one of those that post something to a bucket or an object.
fn is_post(request: &Request) -> bool {
    ["delete", "uploads", "uploadId"].iter().any(|name| request.query_param(name).is_some())
}

/// Takes numbers from a query string that are empty. AWS: they are as if they were not there.
pub(super) fn forget_empty_numbers(request: &mut Request) {
    const NUMBERS: [&str; 5] =
        ["max-buckets", "max-keys", "max-parts", "max-uploads", "part-number-marker"];
    let is_empty = |pair: &str| {
        let name = pair.strip_suffix('=').unwrap_or(pair);
        NUMBERS.contains(&name)
    };
    if request.query.split('&').any(is_empty) {
        let kept = request.query.split('&').filter(|pair| !is_empty(pair));
        request.query = kept.collect::<Vec<_>>().join("&");
    }
}

/// Which operation a request is, with the bucket in its path.
pub(super) fn of(request: &Request) -> Route {
    let path = request.path.strip_prefix('/').unwrap_or(&request.path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let labels = vec![("Bucket".to_owned(), decode(bucket)), ("Key".to_owned(), decode(key))];
    Route::to(&S3, &operation(request, bucket.is_empty(), key.is_empty()), labels)
}

fn operation(request: &Request, is_service: bool, is_bucket: bool) -> String {
    let asks = |name: &str| request.query_param(name).is_some();
    let copies = request.header("x-amz-copy-source").is_some();
    let method = request.method.as_str();
    if let Some((_, subject)) = SUBJECTS.iter().find(|(name, _)| !is_service && asks(name)) {
        return of_subject(method, subject, is_bucket);
    }
    let name = match (method, is_service, is_bucket) {
        ("GET", true, _) => "ListBuckets",
        (_, true, _) => "",
        ("PUT", _, true) => "CreateBucket",
        ("HEAD", _, true) => "HeadBucket",
        ("DELETE", _, true) => "DeleteBucket",
        ("GET", _, true) if asks("location") => "GetBucketLocation",
        ("GET", _, true) if asks("uploads") => "ListMultipartUploads",
        ("GET", _, true) if asks("versions") => "ListObjectVersions",
        ("GET", _, true) if asks("session") => "CreateSession",
        ("GET", _, true) if asks("list-type") => "ListObjectsV2",
        ("GET", _, true) => "ListObjects",
        ("POST", _, true) if asks("delete") => "DeleteObjects",
        ("PUT", _, _) if asks("uploadId") && !copies => "UploadPart",
        ("PUT", _, _) if asks("uploadId") => "UploadPartCopy",
        ("PUT", _, _) if asks("renameObject") => "RenameObject",
        ("PUT", _, _) if copies => "CopyObject",
        ("PUT", _, _) => "PutObject",
        ("GET", _, _) if asks("uploadId") => "ListParts",
        ("GET", _, _) if asks("torrent") => "GetObjectTorrent",
        ("GET", _, _) => "GetObject",
        ("HEAD", _, _) => "HeadObject",
        ("DELETE", _, _) if asks("uploadId") => "AbortMultipartUpload",
        ("DELETE", _, _) => "DeleteObject",
        ("POST", _, _) if asks("uploads") => "CreateMultipartUpload",
        ("POST", _, _) if asks("uploadId") => "CompleteMultipartUpload",
        ("POST", _, _) if asks("restore") => "RestoreObject",
        ("POST", _, _) if asks("select") => "SelectObjectContent",
        _ => "",
    };
    name.to_owned()
}

fn of_subject(method: &str, subject: &str, is_bucket: bool) -> String {
    let verb = match method {
        "PUT" => "Put",
        "DELETE" => "Delete",
        "POST" => "Post",
        _ => "Get",
    };
    let of = match is_bucket {
        _ if UNSAID.contains(&subject) => "",
        true => "Bucket",
        false => "Object",
    };
    match format!("{verb}{of}{subject}").as_str() {
        "DeleteBucketLifecycleConfiguration" => "DeleteBucketLifecycle".to_owned(),
        name => name.to_owned(),
    }
}
