//! Which permissions a call of S3 needs, as the Service Authorization Reference has them.

use serde_json::{Map, Value};

use super::need::Need;

/// What is set for a bucket, as its operations call it and as its actions do.
const SETTINGS: [(&str, &str); 17] = [
    ("BucketAccelerateConfiguration", "AccelerateConfiguration"),
    ("BucketAcl", "BucketAcl"),
    ("BucketCors", "BucketCORS"),
    ("BucketEncryption", "EncryptionConfiguration"),
    ("BucketLifecycle", "LifecycleConfiguration"),
    ("BucketLifecycleConfiguration", "LifecycleConfiguration"),
    ("BucketLogging", "BucketLogging"),
    ("BucketNotificationConfiguration", "BucketNotification"),
    ("BucketOwnershipControls", "BucketOwnershipControls"),
    ("BucketPolicy", "BucketPolicy"),
    ("BucketPolicyStatus", "BucketPolicyStatus"),
    ("BucketReplication", "ReplicationConfiguration"),
    ("BucketRequestPayment", "BucketRequestPayment"),
    ("BucketTagging", "BucketTagging"),
    ("BucketWebsite", "BucketWebsite"),
    ("ObjectLockConfiguration", "BucketObjectLockConfiguration"),
    ("PublicAccessBlock", "BucketPublicAccessBlock"),
];
/// Those that have an action for their deletion; that of the others is to set them.
const DELETABLE: [&str; 2] = ["BucketPolicy", "BucketWebsite"];

/// What an operation of S3 needs: on its object, on each of them, or on its bucket.
pub(crate) fn of_objects(operation: &str, input: &Map<String, Value>) -> Vec<Need> {
    let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
    let bucket = format!("arn:aws:s3:::{}", text("Bucket"));
    let object = |action: &str| Need::new(action, format!("{bucket}/{}", text("Key")));
    // A version has actions of its own: `s3:GetObjectVersion`.
    let of_version = |verb: &str, what: &str| match text("VersionId") {
        "" => object(&format!("s3:{verb}Object{what}")),
        _ => object(&format!("s3:{verb}ObjectVersion{what}")),
    };
    match operation {
        "ListBuckets" => vec![Need::new("s3:ListAllMyBuckets", "*")],
        "CreateBucket"
        | "DeleteBucket"
        | "GetBucketLocation"
        | "GetBucketVersioning"
        | "PutBucketVersioning" => {
            vec![Need::new(format!("s3:{operation}"), bucket)]
        }
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => vec![Need::new("s3:ListBucket", bucket)],
        "ListObjectVersions" => vec![Need::new("s3:ListBucketVersions", bucket)],
        "ListMultipartUploads" => vec![Need::new("s3:ListBucketMultipartUploads", bucket)],
        "DeleteObjects" => {
            let objects = input.get("Delete").and_then(|delete| delete["Objects"].as_array());
            let need = |object: &Value| {
                let action = match object["VersionId"].as_str() {
                    Some(_) => "s3:DeleteObjectVersion",
                    None => "s3:DeleteObject",
                };
                Some(Need::new(action, format!("{bucket}/{}", object["Key"].as_str()?)))
            };
            objects.into_iter().flatten().filter_map(need).collect()
        }
        "CopyObject" | "UploadPartCopy" => {
            let source = text("CopySource");
            let (source, action) = match source.split_once("?versionId=") {
                Some((source, _)) => (source, "s3:GetObjectVersion"),
                None => (source, "s3:GetObject"),
            };
            let source = crate::wire::decode(source);
            let source = format!("arn:aws:s3:::{}", source.trim_start_matches('/'));
            with_tags(input, vec![Need::new(action, source), object("s3:PutObject")], object)
        }
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            with_tags(input, vec![object("s3:PutObject")], object)
        }
        "AbortMultipartUpload" => vec![object("s3:AbortMultipartUpload")],
        "ListParts" => vec![object("s3:ListMultipartUploadParts")],
        "DeleteObject" => vec![of_version("Delete", "")],
        "GetObjectTagging" => vec![of_version("Get", "Tagging")],
        "PutObjectTagging" => vec![of_version("Put", "Tagging")],
        "DeleteObjectTagging" => vec![of_version("Delete", "Tagging")],
        "GetObjectAttributes" => vec![of_version("Get", ""), of_version("Get", "Attributes")],
        "GetObjectAcl" => vec![of_version("Get", "Acl")],
        "PutObjectAcl" => vec![of_version("Put", "Acl")],
        operation => match setting(operation) {
            Some(action) => vec![Need::new(action, bucket)],
            None => vec![of_version("Get", "")],
        },
    }
}

/// The action of an operation on what is set for a bucket.
fn setting(operation: &str) -> Option<String> {
    SETTINGS.iter().find_map(|(name, action)| {
        let verb = operation.strip_suffix(name)?;
        match verb {
            "Delete" if !DELETABLE.contains(name) => Some(format!("s3:Put{action}")),
            "Get" | "Put" | "Delete" => Some(format!("s3:{verb}{action}")),
            _ => None,
        }
    })
}

/// Who puts an object with tags must be allowed to tag.
fn with_tags(
    input: &Map<String, Value>,
    mut needs: Vec<Need>,
    object: impl Fn(&str) -> Need,
) -> Vec<Need> {
    if input.contains_key("Tagging") {
        needs.push(object("s3:PutObjectTagging"));
    }
    needs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_and_buckets_have_actions_of_their_own() {
        let input = json!({
            "Bucket": "box", "Key": "a b", "CopySource": "/other/x%20y",
            "Delete": { "Objects": [{ "Key": "1" }, { "Key": "2" }] },
        });
        for (operation, wanted) in [
            ("ListBuckets", &[("s3:ListAllMyBuckets", "*")][..]),
            ("CreateBucket", &[("s3:CreateBucket", "arn:aws:s3:::box")]),
            ("ListObjectsV2", &[("s3:ListBucket", "arn:aws:s3:::box")]),
            ("UploadPart", &[("s3:PutObject", "arn:aws:s3:::box/a b")]),
            ("HeadObject", &[("s3:GetObject", "arn:aws:s3:::box/a b")]),
            (
                "DeleteObjects",
                &[
                    ("s3:DeleteObject", "arn:aws:s3:::box/1"),
                    ("s3:DeleteObject", "arn:aws:s3:::box/2"),
                ],
            ),
            (
                "CopyObject",
                &[
                    ("s3:GetObject", "arn:aws:s3:::other/x y"),
                    ("s3:PutObject", "arn:aws:s3:::box/a b"),
                ],
            ),
        ] {
            let wanted: Vec<Need> =
                wanted.iter().map(|(action, arn)| Need::new(*action, *arn)).collect();
            assert_eq!(of_objects(operation, input.as_object().unwrap()), wanted, "{operation}");
        }
    }

    #[test]
    fn versions_of_objects_have_actions_of_their_own() {
        let input = json!({
            "Bucket": "box", "Key": "k", "VersionId": "v", "Tagging": "a=1",
            "CopySource": "box/x?versionId=v", "Delete": { "Objects": [{ "Key": "k", "VersionId": "v" }] },
        });
        for (operation, wanted) in [
            ("GetObject", &["s3:GetObjectVersion"][..]),
            ("DeleteObject", &["s3:DeleteObjectVersion"]),
            ("DeleteObjects", &["s3:DeleteObjectVersion"]),
            ("PutObjectTagging", &["s3:PutObjectVersionTagging"]),
            ("GetObjectAttributes", &["s3:GetObjectVersion", "s3:GetObjectVersionAttributes"]),
            ("PutObject", &["s3:PutObject", "s3:PutObjectTagging"]),
            ("CopyObject", &["s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectTagging"]),
            ("ListObjectVersions", &["s3:ListBucketVersions"]),
            ("DeleteBucketTagging", &["s3:PutBucketTagging"]),
        ] {
            let needs = of_objects(operation, input.as_object().unwrap());
            let actions: Vec<_> = needs.iter().map(|need| need.action.as_str()).collect();
            assert_eq!(actions, wanted, "{operation}");
        }
    }

    #[test]
    fn what_is_set_for_a_bucket_has_actions_of_its_own() {
        let input = json!({ "Bucket": "box", "Key": "k" });
        for (operation, wanted) in [
            ("GetBucketEncryption", "s3:GetEncryptionConfiguration"),
            ("DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
            ("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
            ("DeleteBucketPolicy", "s3:DeleteBucketPolicy"),
            ("GetBucketPolicyStatus", "s3:GetBucketPolicyStatus"),
            ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
        ] {
            let needs = of_objects(operation, input.as_object().unwrap());
            assert_eq!(needs, [Need::new(wanted, "arn:aws:s3:::box")], "{operation}");
        }
        let needs = of_objects("PutObjectAcl", input.as_object().unwrap());
        assert_eq!(needs, [Need::new("s3:PutObjectAcl", "arn:aws:s3:::box/k")]);
    }
}
