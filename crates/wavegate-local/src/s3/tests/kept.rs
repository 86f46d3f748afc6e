//! What is there again after a start, also what older programs kept.

use serde_json::json;

use super::{Shelf, open};
use crate::s3::store::FIRST;

#[test]
fn what_was_kept_is_there_again_also_from_before_there_was_an_index() {
    let shelf = Shelf::new();
    shelf.put("k", "new");
    let bucket = shelf.directory.path().join("objects/box");
    let name = crate::code::hex(&<sha2::Sha256 as sha2::Digest>::digest("old/k"));
    std::fs::write(bucket.join(name), "old").unwrap();
    std::fs::write(bucket.join("content-half-done"), "").unwrap();
    let again = open(shelf.directory.path());
    assert_eq!(again.read("box", "k", None, 3).unwrap(), b"new");
    assert_eq!(again.read("box", "k", None, 2).unwrap_err().code, "EntityTooLarge");
    assert_eq!(again.read("box", "old/k", Some("null"), 3).unwrap(), b"old");
    assert_eq!(shelf.files(), 2);
}

#[test]
fn the_first_format_is_still_read() {
    const KEPT: &str = "
        insert into bucket values ('box', 1);
        insert into object values ('box', 'k', 'content-1', 3, 'tag', 5000, '{\"ContentType\":\"a/b\"}');
        insert into upload values ('u', 'box', 'up', 6000, '{}');
        insert into part values ('u', 1, 'content-2', 3, 'aa', 7000);
        pragma user_version = 1;";
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("objects/box");
    std::fs::create_dir_all(&bucket).unwrap();
    for name in ["content-1", "content-2"] {
        std::fs::write(bucket.join(name), "old").unwrap();
    }
    let index = rusqlite::Connection::open(directory.path().join("objects.sqlite")).unwrap();
    index.execute_batch(&format!("{FIRST};{KEPT}")).unwrap();
    drop(index);
    let shelf = Shelf { objects: open(directory.path()), directory };
    let head = shelf.ask("HeadObject", json!({ "Key": "k" }), b"");
    assert_eq!((&head["ETag"], &head["ContentType"]), (&json!("\"tag\""), &json!("a/b")));
    assert_eq!(shelf.get(json!({ "Key": "k" })), "old");
    let ownership = shelf.ask("GetBucketOwnershipControls", json!({}), b"");
    assert_eq!(
        ownership["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
        "BucketOwnerEnforced"
    );
    let parts = json!({ "Parts": [{ "PartNumber": 1, "ETag": "aa" }] });
    let complete = json!({ "Key": "up", "UploadId": "u", "MultipartUpload": parts });
    shelf.ask("CompleteMultipartUpload", complete, b"");
    assert_eq!(shelf.get(json!({ "Key": "up" })), "old");
}
