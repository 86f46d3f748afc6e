//! Buckets and objects in a directory, asked as clients ask.

use std::path::Path;

use axum::body::Bytes;
use serde_json::json;

use super::*;

struct Shelf {
    objects: Objects,
    directory: tempfile::TempDir,
}

impl Shelf {
    /// With a bucket `box`.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shelf = Self { objects: open(directory.path()), directory };
        shelf.ask("CreateBucket", json!({ "Bucket": "box" }), b"");
        shelf
    }

    fn try_ask(&self, operation: &str, input: Value, body: &[u8]) -> Result<Done, Fault> {
        let Value::Object(mut input) = input else { panic!("an input is a structure") };
        input.entry("Bucket").or_insert_with(|| "box".into());
        self.objects.perform(1_700_000_000_000, operation, &input, body)
    }

    fn ask(&self, operation: &str, input: Value, body: &[u8]) -> Value {
        Value::Object(self.try_ask(operation, input, body).unwrap().output.members)
    }

    fn code(&self, operation: &str, input: Value) -> String {
        self.try_ask(operation, input, b"").err().unwrap().code
    }

    fn put(&self, key: &str, body: &str) -> Value {
        self.ask("PutObject", json!({ "Key": key }), body.as_bytes())["ETag"].clone()
    }

    fn get(&self, input: Value) -> String {
        let done = self.try_ask("GetObject", input, b"").unwrap();
        String::from_utf8(done.output.payload.to_vec()).unwrap()
    }

    /// The files of the bucket.
    fn files(&self) -> usize {
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
        ("POST", "/box?delete", None, "DeleteObjects"),
        ("PUT", "/box/a/b", None, "PutObject"),
        ("PUT", "/box/a/b", Some("/box/c"), "CopyObject"),
        ("POST", "/box/a?uploads", None, "CreateMultipartUpload"),
        ("PUT", "/box/a?partNumber=1&uploadId=x", None, "UploadPart"),
        ("PUT", "/box/a?partNumber=1&uploadId=x", Some("/box/c"), "UploadPartCopy"),
        ("POST", "/box/a?uploadId=x", None, "CompleteMultipartUpload"),
        ("GET", "/box/a?uploadId=x", None, "ListParts"),
        ("DELETE", "/box/a?uploadId=x", None, "AbortMultipartUpload"),
        ("GET", "/box?policy", None, "GetBucketPolicy"),
        ("PUT", "/box/a?tagging", None, "PutObjectTagging"),
    ] {
        let headers: Vec<_> = header.map(|it| ("x-amz-copy-source", it)).into_iter().collect();
        assert_eq!(
            route(&request(method, target, &headers, b"")).name(),
            wanted,
            "{method} {target}"
        );
    }
    let put = request("PUT", "/box/a%20b//c/", &[("x-amz-meta-who", "me")], b"x");
    let input = route(&put).decode(&put).unwrap();
    assert_eq!(input.members["Key"], "a b//c/");
    assert_eq!(
        (&input.members["Metadata"], &input.payload[..]),
        (&json!({ "who": "me" }), &b"x"[..])
    );
}

#[test]
fn a_body_in_chunks_is_put_together_and_what_follows_it_are_headers() {
    let body = b"3;chunk-signature=0\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
    let streaming = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let mut put =
        request("PUT", "/box/k", &[streaming, ("content-encoding", "gzip, aws-chunked")], body);
    chunks::join(&mut put).unwrap();
    assert_eq!(put.body, "abcde");
    assert_eq!(put.header("x-amz-checksum-crc32"), Some("AA=="));
    assert_eq!(put.header("content-encoding"), Some("gzip"));
    let mut broken = request("PUT", "/box/k", &[streaming], b"ff\r\nabc");
    assert_eq!(chunks::join(&mut broken).unwrap_err().code, "InvalidRequest");
}

#[test]
fn an_object_is_shown_as_it_was_put() {
    let shelf = Shelf::new();
    assert_eq!(shelf.code("GetObject", json!({ "Key": "a/b" })), "NoSuchKey");
    let put = json!({
        "Key": "a/b", "ContentType": "text/plain", "Metadata": { "who": "me" },
        "ChecksumCRC32": "AA==",
    });
    let etag = shelf.ask("PutObject", put, b"0123456789")["ETag"].clone();
    let head = shelf.ask("HeadObject", json!({ "Key": "a/b", "ChecksumMode": "ENABLED" }), b"");
    let shown = |name: &str| head[name].clone();
    assert_eq!((shown("ContentLength"), shown("ContentType")), (json!(10), json!("text/plain")));
    assert_eq!((shown("ETag"), shown("ChecksumCRC32")), (etag.clone(), json!("AA==")));
    assert_eq!(shown("Metadata"), json!({ "who": "me" }));
    let part =
        shelf.try_ask("GetObject", json!({ "Key": "a/b", "Range": "bytes=2-4" }), b"").unwrap();
    assert_eq!((part.status, &part.output.payload[..]), (Some(206), &b"234"[..]));
    assert_eq!(part.output.members["ContentRange"], "bytes 2-4/10");
    assert_eq!(
        shelf.code("GetObject", json!({ "Key": "a/b", "Range": "bytes=10-" })),
        "InvalidRange"
    );
    let known = json!({ "Key": "a/b", "IfNoneMatch": etag });
    assert_eq!(shelf.try_ask("GetObject", known, b"").unwrap().status, Some(304));
    shelf.ask("CopyObject", json!({ "Key": "c", "CopySource": "box/a%2Fb" }), b"");
    assert_eq!(
        shelf.ask("HeadObject", json!({ "Key": "c" }), b"")["Metadata"],
        json!({ "who": "me" })
    );
    let once = json!({ "Key": "c", "IfNoneMatch": "*" });
    assert_eq!(shelf.code("PutObject", once), "PreconditionFailed");
}

#[test]
fn a_bucket_with_objects_is_not_deleted_and_no_content_is_left_behind() {
    let shelf = Shelf::new();
    shelf.put("k", "one");
    shelf.put("k", "two");
    assert_eq!((shelf.get(json!({ "Key": "k" })).as_str(), shelf.files()), ("two", 1));
    assert_eq!(shelf.code("DeleteBucket", json!({})), "BucketNotEmpty");
    let delete = json!({ "Objects": [{ "Key": "k" }, { "Key": "gone" }] });
    let deleted = shelf.ask("DeleteObjects", json!({ "Delete": delete }), b"");
    assert_eq!(deleted["Deleted"].as_array().unwrap().len(), 2);
    assert_eq!(shelf.files(), 0);
    shelf.ask("CreateMultipartUpload", json!({ "Key": "k" }), b"");
    shelf.ask("DeleteBucket", json!({}), b"");
    assert_eq!(shelf.code("HeadBucket", json!({})), "NoSuchBucket");
}

#[test]
fn listings_have_pages_and_one_item_for_what_lies_below_a_delimiter() {
    let shelf = Shelf::new();
    for key in ["a", "b/1", "b/2", "c/1", "d"] {
        shelf.put(key, "");
    }
    let names = |list: &Value| -> Vec<String> {
        let of = |member: &str, name: &str| -> Vec<String> {
            let items = list[member].as_array().cloned().unwrap_or_default();
            items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
        };
        [of("Contents", "Key"), of("CommonPrefixes", "Prefix")].concat()
    };
    let all = shelf.ask("ListObjects", json!({}), b"");
    assert_eq!((names(&all).len(), &all["IsTruncated"]), (5, &json!(false)));
    let below = shelf.ask("ListObjectsV2", json!({ "Prefix": "b/", "Delimiter": "/" }), b"");
    assert_eq!(names(&below), ["b/1", "b/2"]);
    let mut found = Vec::new();
    let mut input = json!({ "Delimiter": "/", "MaxKeys": 1 });
    loop {
        let page = shelf.ask("ListObjectsV2", input.clone(), b"");
        found.extend(names(&page));
        let Some(next) = page.get("NextContinuationToken") else { break };
        input["ContinuationToken"] = next.clone();
    }
    assert_eq!(found, ["a", "b/", "c/", "d"]);
    let page = shelf.ask("ListObjects", json!({ "Delimiter": "/", "MaxKeys": 2 }), b"");
    let rest = json!({ "Delimiter": "/", "Marker": page["NextMarker"] });
    assert_eq!(names(&shelf.ask("ListObjects", rest, b"")), ["d", "c/"]);
    shelf.put("x y", "");
    let encoded = json!({ "Prefix": "x", "EncodingType": "url" });
    assert_eq!(names(&shelf.ask("ListObjects", encoded, b"")), ["x+y"]);
    assert_eq!(shelf.code("ListObjects", json!({ "EncodingType": "rot13" })), "InvalidArgument");
}

#[test]
fn an_upload_is_the_parts_that_are_named_in_their_order() {
    let shelf = Shelf::new();
    let made = shelf.ask("CreateMultipartUpload", json!({ "Key": "k", "ContentType": "a/b" }), b"");
    let id = made["UploadId"].clone();
    let large = vec![b'x'; 5 << 20];
    let part = |number: u32, body: &[u8]| {
        let input = json!({ "Key": "k", "UploadId": id, "PartNumber": number });
        json!({ "PartNumber": number, "ETag": shelf.ask("UploadPart", input, body)["ETag"] })
    };
    part(1, b"old");
    shelf.put("source", "a tail");
    let copy = json!({
        "Key": "k", "UploadId": id, "PartNumber": 2,
        "CopySource": "box/source", "CopySourceRange": "bytes=2-5",
    });
    let two = shelf.ask("UploadPartCopy", copy, b"")["CopyPartResult"]["ETag"].clone();
    let two = json!({ "PartNumber": 2, "ETag": two });
    let (one, three) = (part(1, &large), part(3, b"unused"));
    let with =
        |parts: Value| json!({ "Key": "k", "UploadId": id, "MultipartUpload": { "Parts": parts } });
    assert_eq!(shelf.code("CompleteMultipartUpload", with(json!([two, one]))), "InvalidPartOrder");
    let small = with(json!([two, three]));
    assert_eq!(shelf.code("CompleteMultipartUpload", small), "EntityTooSmall");
    let mut wrong = one.clone();
    wrong["ETag"] = "\"x\"".into();
    assert_eq!(shelf.code("CompleteMultipartUpload", with(json!([wrong]))), "InvalidPart");
    let listed = shelf.ask("ListParts", json!({ "Key": "k", "UploadId": id, "MaxParts": 2 }), b"");
    assert_eq!(
        (listed["Parts"].as_array().unwrap().len(), &listed["IsTruncated"]),
        (2, &json!(true))
    );
    assert_eq!(shelf.ask("ListMultipartUploads", json!({}), b"")["Uploads"][0]["Key"], "k");
    let done = shelf.ask("CompleteMultipartUpload", with(json!([one, two])), b"");
    assert!(done["ETag"].as_str().unwrap().ends_with("-2\""));
    assert_eq!(shelf.get(json!({ "Key": "k", "Range": "bytes=5242879-" })), "xtail");
    assert_eq!(shelf.ask("HeadObject", json!({ "Key": "k" }), b"")["ContentType"], "a/b");
    assert_eq!(
        shelf.code("AbortMultipartUpload", json!({ "Key": "k", "UploadId": id })),
        "NoSuchUpload"
    );
    assert_eq!(shelf.files(), 2);
}

#[test]
fn what_was_kept_is_there_again_also_from_before_there_was_an_index() {
    let shelf = Shelf::new();
    shelf.put("k", "new");
    let bucket = shelf.directory.path().join("objects/box");
    let name = crate::code::hex(&<sha2::Sha256 as sha2::Digest>::digest("old/k"));
    std::fs::write(bucket.join(name), "old").unwrap();
    std::fs::write(bucket.join("content-half-done"), "").unwrap();
    let again = open(shelf.directory.path());
    assert_eq!(again.read("box", "k").unwrap(), b"new");
    assert_eq!(again.read("box", "old/k").unwrap(), b"old");
    assert_eq!(shelf.files(), 2);
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
