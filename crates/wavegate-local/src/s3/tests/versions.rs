//! Buckets that keep versions, and tags.

use serde_json::{Value, json};

use super::Shelf;
use super::listings::names;

impl Shelf {
    fn versioning(&self, status: &str) {
        let configuration = json!({ "VersioningConfiguration": { "Status": status } });
        self.ask("PutBucketVersioning", configuration, b"");
    }

    /// The ids of versions and of delete markers, newest first.
    fn ids(&self, key: &str) -> (Vec<Value>, Vec<Value>) {
        let list = self.ask("ListObjectVersions", json!({ "Prefix": key }), b"");
        let of = |member: &str| {
            let items = list[member].as_array().unwrap();
            items.iter().map(|item| item["VersionId"].clone()).collect()
        };
        (of("Versions"), of("DeleteMarkers"))
    }
}

#[test]
fn what_is_deleted_comes_back_with_its_marker_gone() {
    let shelf = Shelf::new();
    let before = shelf.put("k", "zero");
    assert_eq!(before.get("VersionId"), None);
    shelf.versioning("Enabled");
    let one = shelf.put("k", "one")["VersionId"].clone();
    let two = shelf.put("k", "two")["VersionId"].clone();
    let marker = shelf.ask("DeleteObject", json!({ "Key": "k" }), b"");
    assert_eq!(marker["DeleteMarker"], true);
    let refusal = shelf.try_ask("GetObject", json!({ "Key": "k" }), b"").unwrap_err();
    assert_eq!(refusal.fault.code, "NoSuchKey");
    assert!(refusal.headers.iter().any(|(name, _)| name == "x-amz-delete-marker"));
    let of_marker = json!({ "Key": "k", "VersionId": marker["VersionId"] });
    assert_eq!(shelf.code("GetObject", of_marker.clone()), "MethodNotAllowed");
    assert_eq!(names(&shelf.ask("ListObjects", json!({}), b"")), Vec::<String>::new());
    let ids = (vec![two.clone(), one.clone(), json!("null")], vec![marker["VersionId"].clone()]);
    assert_eq!(shelf.ids("k"), ids);
    for (id, body) in [(&json!("null"), "zero"), (&one, "one"), (&two, "two")] {
        assert_eq!(shelf.get(json!({ "Key": "k", "VersionId": id })), body);
    }
    assert_eq!(shelf.ask("DeleteObject", of_marker, b"")["DeleteMarker"], true);
    assert_eq!(shelf.get(json!({ "Key": "k" })), "two");
    shelf.ask("DeleteObject", json!({ "Key": "k", "VersionId": two }), b"");
    assert_eq!((shelf.get(json!({ "Key": "k" })).as_str(), shelf.files()), ("one", 2));
    assert_eq!(shelf.code("GetObject", json!({ "Key": "k", "VersionId": two })), "NoSuchVersion");
    let unknown = json!({ "Key": "k", "VersionId": "unknown" });
    assert_eq!(shelf.code("GetObject", unknown), "InvalidArgument");
    assert_eq!(shelf.objects.read("box", "k", one.as_str(), 9).unwrap(), b"one");
    assert_eq!(shelf.code("DeleteBucket", json!({})), "BucketNotEmpty");
}

#[test]
fn a_suspended_bucket_writes_one_version_and_keeps_the_rest() {
    let shelf = Shelf::new();
    shelf.versioning("Enabled");
    let one = shelf.put("k", "one")["VersionId"].clone();
    shelf.versioning("Suspended");
    shelf.put("k", "two");
    shelf.put("k", "three");
    assert_eq!(shelf.ids("k").0, [json!("null"), one.clone()]);
    shelf.ask("DeleteObject", json!({ "Key": "k" }), b"");
    assert_eq!(shelf.ids("k"), (vec![one], vec![json!("null")]));
    assert_eq!(shelf.files(), 1);
    for status in ["enabled", "Off"] {
        let configuration = json!({ "VersioningConfiguration": { "Status": status } });
        assert_eq!(shelf.code("PutBucketVersioning", configuration), "MalformedXML");
    }
}

#[test]
fn versions_are_listed_on_from_a_version_that_may_be_gone() {
    let shelf = Shelf::new();
    shelf.versioning("Enabled");
    for body in ["1", "2", "3"] {
        shelf.put("a/k", body);
        shelf.put("b", body);
    }
    let page = shelf.ask("ListObjectVersions", json!({ "MaxKeys": 2 }), b"");
    assert_eq!((&page["IsTruncated"], &page["NextKeyMarker"]), (&json!(true), &json!("a/k")));
    let marker = page["NextVersionIdMarker"].clone();
    shelf.ask("DeleteObject", json!({ "Key": "a/k", "VersionId": marker }), b"");
    let next = json!({ "KeyMarker": "a/k", "VersionIdMarker": marker, "MaxKeys": 2 });
    let page = shelf.ask("ListObjectVersions", next, b"");
    let found: Vec<_> = page["Versions"].as_array().unwrap().iter().collect();
    assert_eq!(
        (found[0]["Key"].as_str(), found[0]["IsLatest"].as_bool()),
        (Some("a/k"), Some(false))
    );
    assert_eq!((found[1]["Key"].as_str(), found[1]["IsLatest"].as_bool()), (Some("b"), Some(true)));
    let below = shelf.ask("ListObjectVersions", json!({ "Delimiter": "/" }), b"");
    assert_eq!(names(&below), ["a/"]);
    let alone = json!({ "VersionIdMarker": marker });
    assert_eq!(shelf.code("ListObjectVersions", alone), "InvalidArgument");
}

#[test]
fn tags_are_of_a_bucket_or_of_a_version_and_are_checked() {
    let shelf = Shelf::new();
    let tags = |pairs: &[(&str, &str)]| {
        let set: Vec<_> =
            pairs.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        json!({ "Key": "k", "Tagging": { "TagSet": set } })
    };
    assert_eq!(shelf.code("GetBucketTagging", json!({})), "NoSuchTagSet");
    shelf.ask("PutBucketTagging", tags(&[("a", "1")]), b"");
    assert_eq!(shelf.ask("GetBucketTagging", json!({}), b"")["TagSet"][0]["Value"], "1");
    shelf.ask("DeleteBucketTagging", json!({}), b"");
    assert_eq!(shelf.code("GetBucketTagging", json!({})), "NoSuchTagSet");
    shelf.versioning("Enabled");
    let one = shelf.put("k", "one")["VersionId"].clone();
    shelf.ask("PutObjectTagging", tags(&[("a", "1"), ("b", "")]), b"");
    shelf.put("k", "two");
    let of = |input: Value| shelf.ask("GetObjectTagging", input, b"")["TagSet"].clone();
    assert_eq!(of(json!({ "Key": "k" })), json!([]));
    assert_eq!(of(json!({ "Key": "k", "VersionId": one })).as_array().unwrap().len(), 2);
    for wrong in [&[("a,b", "")][..], &[("a", "x,y")], &[("aws:a", "")], &[("a", "1"), ("a", "2")]]
    {
        assert_eq!(shelf.code("PutObjectTagging", tags(wrong)), "InvalidTag", "{wrong:?}");
    }
    for wrong in ["a=1&a=2", "a=1,b=2"] {
        let input = json!({ "Key": "k", "Tagging": wrong });
        assert_eq!(shelf.code("PutObject", input), "InvalidArgument", "{wrong}");
    }
}
