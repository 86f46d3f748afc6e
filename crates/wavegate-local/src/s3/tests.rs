//! Buckets and objects in a directory, asked as clients ask.

mod kept;
mod listings;
mod settings;
mod uploads;
mod versions;

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use axum::body::Bytes;
use serde_json::json;

use super::*;

pub(super) const NOW: i64 = 1_700_000_000_000;

pub(super) struct Shelf {
    objects: Objects,
    directory: tempfile::TempDir,
}

impl Shelf {
    /// With a bucket `box`.
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shelf = Self { objects: open(directory.path()), directory };
        shelf.ask("CreateBucket", json!({ "Bucket": "box" }), b"");
        shelf
    }

    /// What a request with these headers comes to.
    fn send(
        &self,
        operation: &str,
        input: Value,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Done, Refusal> {
        let Value::Object(mut input) = input else { panic!("an input is a structure") };
        input.entry("Bucket").or_insert_with(|| "box".into());
        let call = Call {
            now_ms: NOW,
            region: "us-east-1",
            account: "000000000000",
            origin: "http://localhost:1",
            input: &input,
        };
        let given = match operation {
            "PutObject" | "UploadPart" => {
                let mut request = request("PUT", "/box/k", headers, b"");
                let announced = Announced::of(&mut request, operation)?;
                let (mut intake, content) = self.objects.admit(&call, announced)?;
                body.chunks(7_000).try_for_each(|piece| intake.push(piece))?;
                Some(Given { content, received: intake.finish()?.1 })
            }
            _ => None,
        };
        self.objects.perform(&call, operation, given)
    }

    pub(super) fn try_ask(
        &self,
        operation: &str,
        input: Value,
        body: &[u8],
    ) -> Result<Done, Refusal> {
        self.send(operation, input, &[], body)
    }

    pub(super) fn ask(&self, operation: &str, input: Value, body: &[u8]) -> Value {
        Value::Object(self.try_ask(operation, input, body).unwrap().output.members)
    }

    pub(super) fn code(&self, operation: &str, input: Value) -> String {
        self.try_ask(operation, input, b"").unwrap_err().fault.code
    }

    pub(super) fn put(&self, key: &str, body: &str) -> Value {
        self.ask("PutObject", json!({ "Key": key }), body.as_bytes())
    }

    pub(super) fn get(&self, input: Value) -> String {
        let (mut file, range) = self.try_ask("GetObject", input, b"").unwrap().content.unwrap();
        file.seek(SeekFrom::Start(range.start)).unwrap();
        let mut text = String::new();
        file.take(range.end - range.start).read_to_string(&mut text).unwrap();
        text
    }

    /// The files of the bucket.
    pub(super) fn files(&self) -> usize {
        std::fs::read_dir(self.directory.path().join("objects/box")).unwrap().count()
    }
}

fn open(directory: &Path) -> Objects {
    Objects::open(&directory.join("objects"), &directory.join("objects.sqlite")).unwrap()
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        body: Bytes::copy_from_slice(body),
    }
}

#[test]
fn an_operation_is_told_by_method_path_query_and_header() {
    for (method, target, header, wanted) in [
        ("GET", "/", None, "ListBuckets"),
        ("PUT", "/box", None, "CreateBucket"),
        ("GET", "/box/?list-type=2&prefix=a", None, "ListObjectsV2"),
        ("GET", "/box?location", None, "GetBucketLocation"),
        ("GET", "/box?versions", None, "ListObjectVersions"),
        ("PUT", "/box?versioning", None, "PutBucketVersioning"),
        ("POST", "/box?delete", None, "DeleteObjects"),
        ("PUT", "/box/a/b", None, "PutObject"),
        ("PUT", "/box//b", None, "PutObject"),
        ("PUT", "/box/a/b", Some("/box/c"), "CopyObject"),
        ("POST", "/box/a?uploads", None, "CreateMultipartUpload"),
        ("PUT", "/box/a?partNumber=1&uploadId=x", None, "UploadPart"),
        ("PUT", "/box/a?partNumber=1&uploadId=x", Some("/box/c"), "UploadPartCopy"),
        ("POST", "/box/a?uploadId=x", None, "CompleteMultipartUpload"),
        ("GET", "/box/a?uploadId=x", None, "ListParts"),
        ("GET", "/box/a?attributes", None, "GetObjectAttributes"),
        ("DELETE", "/box/a?uploadId=x", None, "AbortMultipartUpload"),
        ("GET", "/box?policy", None, "GetBucketPolicy"),
        ("PUT", "/box/a?tagging", None, "PutObjectTagging"),
        ("PUT", "/box?publicAccessBlock", None, "PutPublicAccessBlock"),
        ("DELETE", "/box?lifecycle", None, "DeleteBucketLifecycle"),
    ] {
        let headers: Vec<_> = header.map(|it| ("x-amz-copy-source", it)).into_iter().collect();
        let request = request(method, target, &headers, b"");
        assert_eq!(route::of(&request).name(), wanted, "{method} {target}");
    }
    let mut put = request("PUT", "/a%20b//c/?max-parts=&x=1", &[("host", "box.localhost:1")], b"x");
    put.headers.push(("x-amz-meta-who".to_owned(), "me".to_owned()));
    address::into_path(&mut put);
    route::forget_empty_numbers(&mut put);
    let input = route::of(&put).decode(&put).unwrap().members;
    assert_eq!((&input["Bucket"], &input["Key"]), (&json!("box"), &json!("a b//c/")));
    assert_eq!((&input["Metadata"], put.query.as_str()), (&json!({ "who": "me" }), "x=1"));
}

#[test]
fn what_is_not_what_was_announced_is_not_kept() {
    let shelf = Shelf::new();
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let send = |headers: &[(&str, &str)], body: &[u8]| {
        let done = shelf.send("PutObject", json!({ "Key": "k" }), headers, body);
        done.map(|done| done.output.members).map_err(|refusal| refusal.fault.code)
    };
    let chunked = ("content-encoding", "aws-chunked");
    let trailer = ("x-amz-trailer", "x-amz-checksum-crc32");
    let behind = b"3;chunk-signature=0\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n";
    for (headers, body, wanted) in [
        (&[("content-length", "3"), ("x-amz-content-sha256", hash)][..], &b"abc"[..], "CRC64NVME"),
        (&[("x-amz-content-sha256", hash)], b"abd", "XAmzContentSHA256Mismatch"),
        (&[("content-length", "4")], b"abc", "IncompleteBody"),
        (&[("content-length", "5368709121")], b"", "EntityTooLarge"),
        (&[("transfer-encoding", "chunked")], b"abc", "MissingContentLength"),
        (&[("content-md5", "kAFQmDzST7DWlj99KOF/cg==")], b"abc", "CRC64NVME"),
        (&[("content-md5", "kAFQmDzST7DWlj99KOF/cg==")], b"abd", "BadDigest"),
        (&[("content-md5", "abc")], b"abc", "InvalidDigest"),
        (&[("x-amz-checksum-crc32", "NSRBwg==")], b"abc", "CRC32"),
        (&[("x-amz-checksum-crc32", "NSRBwg==")], b"abd", "BadDigest"),
        (&[("x-amz-checksum-crc32", "abc")], b"abc", "InvalidRequest"),
        (&[("x-amz-checksum-xxhash3", "abc")], b"abc", "InvalidRequest"),
        (
            &[("x-amz-checksum-crc32", "NSRBwg=="), ("x-amz-checksum-sha1", "")],
            b"abc",
            "InvalidRequest",
        ),
        (&[chunked, trailer, ("x-amz-decoded-content-length", "3")], behind, "CRC32"),
        (&[chunked, trailer, ("x-amz-decoded-content-length", "4")], behind, "IncompleteBody"),
        (&[chunked, ("x-amz-trailer", "x-amz-checksum-sha1")], behind, "MalformedTrailerError"),
    ] {
        match send(headers, body) {
            Ok(members) => {
                assert_eq!(members["ETag"], "\"900150983cd24fb0d6963f7d28e17f72\"");
                assert!(members.contains_key(&format!("Checksum{wanted}")), "{headers:?}");
                assert_eq!((shelf.get(json!({ "Key": "k" })).as_str(), shelf.files()), ("abc", 1));
            }
            Err(code) => assert_eq!(code, wanted, "{headers:?}"),
        }
    }
}

#[test]
fn an_object_is_shown_as_it_was_put() {
    let shelf = Shelf::new();
    assert_eq!(shelf.code("GetObject", json!({ "Key": "a/b" })), "NoSuchKey");
    let put = json!({
        "Key": "a/b", "ContentType": "text/plain", "Metadata": { "who": "me" },
        "Tagging": "a=1&b=", "StorageClass": "STANDARD_IA",
    });
    let etag = shelf.ask("PutObject", put, b"0123456789")["ETag"].clone();
    let head = shelf.ask("HeadObject", json!({ "Key": "a/b", "ChecksumMode": "ENABLED" }), b"");
    for (name, wanted) in [
        ("ContentLength", json!(10)),
        ("ContentType", json!("text/plain")),
        ("ETag", etag.clone()),
        ("ChecksumType", json!("FULL_OBJECT")),
        ("Metadata", json!({ "who": "me" })),
        ("TagCount", json!(2)),
        ("StorageClass", json!("STANDARD_IA")),
        ("ServerSideEncryption", json!("AES256")),
    ] {
        assert_eq!(head[name], wanted, "{name}");
    }
    let range = json!({ "Key": "a/b", "Range": "bytes=2-4" });
    let part = shelf.try_ask("GetObject", range.clone(), b"").unwrap();
    assert_eq!((part.status, shelf.get(range).as_str()), (Some(206), "234"));
    assert_eq!(part.output.members["ContentRange"], "bytes 2-4/10");
    let beyond = json!({ "Key": "a/b", "Range": "bytes=10-" });
    assert_eq!(shelf.code("GetObject", beyond), "InvalidRange");
    let known = json!({ "Key": "a/b", "IfNoneMatch": etag });
    assert_eq!(shelf.try_ask("GetObject", known, b"").unwrap().status, Some(304));
    let wanted = json!({ "Key": "a/b", "ObjectAttributes": ["ETag,Checksum", "ObjectSize"] });
    let attributes = shelf.ask("GetObjectAttributes", wanted, b"");
    assert_eq!((&attributes["ObjectSize"], &attributes["ObjectParts"]), (&json!(10), &Value::Null));
    let none = json!({ "Key": "a/b", "ObjectAttributes": ["Colour"] });
    assert_eq!(shelf.code("GetObjectAttributes", none), "InvalidArgument");
}

#[test]
fn a_copy_shares_the_content_and_says_what_it_is_told() {
    let shelf = Shelf::new();
    let put = json!({ "Key": "a", "Metadata": { "who": "me" }, "Tagging": "t=1" });
    shelf.ask("PutObject", put, b"body");
    let copy = |more: Value| {
        let mut input = json!({ "Key": "c", "CopySource": "box/a" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let done = shelf.ask("CopyObject", copy(json!({ "ChecksumAlgorithm": "SHA1" })), b"");
    assert!(done["CopyObjectResult"]["ChecksumSHA1"].is_string());
    let head = shelf.ask("HeadObject", json!({ "Key": "c" }), b"");
    assert_eq!((&head["Metadata"], &head["TagCount"]), (&json!({ "who": "me" }), &json!(1)));
    let anew = json!({ "MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE" });
    shelf.ask("CopyObject", copy(anew), b"");
    let head = shelf.ask("HeadObject", json!({ "Key": "c" }), b"");
    assert_eq!((&head["Metadata"], &head["TagCount"]), (&Value::Null, &Value::Null));
    shelf.ask("DeleteObject", json!({ "Key": "a" }), b"");
    assert_eq!((shelf.get(json!({ "Key": "c" })).as_str(), shelf.files()), ("body", 1));
    let itself = json!({ "Key": "c", "CopySource": "box/c" });
    assert_eq!(shelf.code("CopyObject", itself), "InvalidRequest");
    assert_eq!(shelf.code("CopyObject", copy(json!({}))), "NoSuchKey");
    let once = json!({ "Key": "c", "CopySource": "box/c", "IfNoneMatch": "*" });
    assert_eq!(shelf.code("CopyObject", once), "InvalidRequest");
}

#[test]
fn a_write_has_its_condition() {
    let shelf = Shelf::new();
    let none = |key: &str| json!({ "Key": key, "IfNoneMatch": "*" });
    shelf.ask("PutObject", none("k"), b"one");
    assert_eq!(shelf.code("PutObject", none("k")), "PreconditionFailed");
    let with = |tag: &Value| json!({ "Key": "k", "IfMatch": tag });
    let etag = shelf.put("k", "two")["ETag"].clone();
    assert_eq!(shelf.code("PutObject", with(&json!("x"))), "PreconditionFailed");
    shelf.ask("PutObject", with(&etag), b"three");
    let gone = json!({ "Key": "gone", "IfMatch": etag });
    assert_eq!(shelf.code("PutObject", gone), "NoSuchKey");
    for (is_tag, is_no_tag) in [(Some("*"), None), (None, Some("x")), (Some("x"), Some("*"))] {
        let input = json!({ "Key": "k", "IfMatch": is_tag, "IfNoneMatch": is_no_tag });
        assert_eq!(shelf.code("PutObject", input), "NotImplemented");
    }
    assert_eq!(shelf.files(), 1);
}

#[test]
fn a_bucket_with_objects_is_not_deleted_and_no_content_is_left_behind() {
    let shelf = Shelf::new();
    shelf.put("k", "one");
    shelf.put("k", "two");
    assert_eq!((shelf.get(json!({ "Key": "k" })).as_str(), shelf.files()), ("two", 1));
    assert_eq!(shelf.code("DeleteBucket", json!({})), "BucketNotEmpty");
    let objects = json!([{ "Key": "k" }, { "Key": "gone" }, { "Key": "k", "VersionId": "x" }]);
    let deleted = shelf.ask("DeleteObjects", json!({ "Delete": { "Objects": objects } }), b"");
    assert_eq!(deleted["Deleted"].as_array().unwrap().len(), 2);
    assert_eq!(deleted["Errors"][0]["Code"], "NoSuchVersion");
    let quiet = json!({ "Delete": { "Objects": [{ "Key": "gone" }], "Quiet": true } });
    assert_eq!(shelf.ask("DeleteObjects", quiet, b""), json!({}));
    assert_eq!(shelf.code("DeleteObjects", json!({ "Delete": {} })), "MalformedXML");
    assert_eq!(shelf.files(), 0);
    shelf.ask("CreateMultipartUpload", json!({ "Key": "k" }), b"");
    shelf.ask("DeleteBucket", json!({}), b"");
    assert_eq!(shelf.code("HeadBucket", json!({})), "NoSuchBucket");
}

#[test]
fn no_name_reaches_outside() {
    let shelf = Shelf::new();
    for bucket in ["..", "../x", "a", "A-B-C", ".hidden", "a/b"] {
        let input = json!({ "Bucket": bucket });
        assert_eq!(shelf.code("CreateBucket", input), "InvalidBucketName", "{bucket}");
    }
    shelf.put("../../escaped", "x");
    assert_eq!((shelf.get(json!({ "Key": "../../escaped" })).as_str(), shelf.files()), ("x", 1));
}
