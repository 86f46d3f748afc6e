//! Uploads in parts.

use serde_json::{Value, json};

use super::Shelf;
use crate::s3::checksum::{Algorithm, Checksum};

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
    let mut again = with(json!([one, two]));
    again["IfNoneMatch"] = "*".into();
    assert_eq!(
        shelf.ask("CompleteMultipartUpload", again, b""),
        done,
        "it may not have been heard"
    );
    let whole = Algorithm::Crc64Nvme.of(&[&large[..], b"tail"].concat());
    let whole = Checksum::of_whole(Algorithm::Crc64Nvme, &whole);
    assert_eq!(done["ChecksumCRC64NVME"], whole.value.as_str());
    assert_eq!(shelf.get(json!({ "Key": "k", "Range": "bytes=5242879-" })), "xtail");
    assert_eq!(shelf.get(json!({ "Key": "k", "PartNumber": 2 })), "tail");
    let head = shelf.ask("HeadObject", json!({ "Key": "k", "PartNumber": 2 }), b"");
    assert_eq!((&head["ContentType"], &head["PartsCount"]), (&json!("a/b"), &json!(2)));
    let gone = json!({ "Key": "k", "UploadId": id });
    assert_eq!(shelf.code("AbortMultipartUpload", gone), "NoSuchUpload");
    assert_eq!(shelf.files(), 2);
}

#[test]
fn checksums_of_parts_are_of_the_kind_that_the_upload_said() {
    let shelf = Shelf::new();
    let begin = |algorithm: &str, kind: Option<&str>| {
        let mut input = json!({ "Key": "k", "ChecksumAlgorithm": algorithm });
        if let Some(kind) = kind {
            input["ChecksumType"] = kind.into();
        }
        input
    };
    for (algorithm, kind) in [("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), ("MD5", "")] {
        let input = begin(algorithm, Some(kind));
        assert_eq!(shelf.code("CreateMultipartUpload", input), "InvalidRequest");
    }
    let id = shelf.ask("CreateMultipartUpload", begin("CRC32", None), b"")["UploadId"].clone();
    let part = json!({ "Key": "k", "UploadId": id, "PartNumber": 1 });
    assert_eq!(shelf.code("UploadPart", part.clone()), "InvalidRequest");
    let header = ("x-amz-checksum-crc32", "NSRBwg==");
    let sent = shelf.send("UploadPart", part, &[header], b"abc").unwrap().output.members;
    let mut named = json!({ "PartNumber": 1, "ETag": sent["ETag"] });
    let with = |part: &Value| json!({ "Key": "k", "UploadId": id, "MultipartUpload": { "Parts": [part] } });
    assert_eq!(shelf.code("CompleteMultipartUpload", with(&named)), "InvalidRequest");
    named["ChecksumCRC32"] = "AAAAAA==".into();
    assert_eq!(shelf.code("CompleteMultipartUpload", with(&named)), "InvalidPart");
    named["ChecksumCRC32"] = header.1.into();
    let mut wrong = with(&named);
    wrong["MpuObjectSize"] = 4.into();
    assert_eq!(shelf.code("CompleteMultipartUpload", wrong), "InvalidRequest");
    let done = shelf.ask("CompleteMultipartUpload", with(&named), b"");
    assert!(done["ChecksumCRC32"].as_str().unwrap().ends_with("-1"));
    let wanted = json!({ "Key": "k", "ObjectAttributes": ["ObjectParts"] });
    let parts = shelf.ask("GetObjectAttributes", wanted, b"")["ObjectParts"].clone();
    assert_eq!(parts["Parts"][0]["ChecksumCRC32"], header.1);
    let copy = json!({ "Key": "c", "CopySource": "box/k" });
    let copy = shelf.ask("CopyObject", copy, b"")["CopyObjectResult"].clone();
    assert_eq!(
        (&copy["ETag"], &copy["ChecksumCRC32"]),
        (&json!("\"900150983cd24fb0d6963f7d28e17f72\""), &json!(header.1))
    );
}

#[test]
fn an_upload_with_a_condition_is_refused_where_its_key_changed_meanwhile() {
    let shelf = Shelf::new();
    let etag = shelf.put("k", "one")["ETag"].clone();
    let upload = || {
        let made = shelf.ask("CreateMultipartUpload", json!({ "Key": "k" }), b"");
        let part = json!({ "Key": "k", "UploadId": made["UploadId"], "PartNumber": 1 });
        let tag = shelf.ask("UploadPart", part, b"part")["ETag"].clone();
        let parts = json!([{ "PartNumber": 1, "ETag": tag }]);
        json!({
            "Key": "k", "UploadId": made["UploadId"], "MultipartUpload": { "Parts": parts },
            "IfMatch": etag,
        })
    };
    let disturbed = upload();
    shelf.put("k", "one");
    assert_eq!(shelf.code("CompleteMultipartUpload", disturbed), "ConditionalRequestConflict");
    shelf.ask("CompleteMultipartUpload", upload(), b"");
    assert_eq!(shelf.code("CompleteMultipartUpload", upload()), "PreconditionFailed");
}
