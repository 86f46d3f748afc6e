//! Listings.

use serde_json::{Value, json};

use super::Shelf;

/// The keys and common prefixes of a page.
pub(super) fn names(list: &Value) -> Vec<String> {
    let of = |member: &str, name: &str| -> Vec<String> {
        let items = list[member].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    [of("Contents", "Key"), of("CommonPrefixes", "Prefix")].concat()
}

#[test]
fn listings_have_pages_and_one_item_for_what_lies_below_a_delimiter() {
    let shelf = Shelf::new();
    for key in ["a", "b/1", "b/2", "c/1", "d"] {
        shelf.put(key, "");
    }
    let all = shelf.ask("ListObjects", json!({}), b"");
    assert_eq!((names(&all).len(), &all["IsTruncated"]), (5, &json!(false)));
    let below = shelf.ask("ListObjectsV2", json!({ "Prefix": "b/", "Delimiter": "/" }), b"");
    assert_eq!((names(&below), &below["KeyCount"]), (vec!["b/1".into(), "b/2".into()], &json!(2)));
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
    let below = json!({ "Delimiter": "/", "StartAfter": "b/1" });
    assert_eq!(names(&shelf.ask("ListObjectsV2", below, b"")), ["d", "c/"]);
    shelf.put("x y", "");
    let encoded = json!({ "Prefix": "x", "EncodingType": "url" });
    assert_eq!(names(&shelf.ask("ListObjects", encoded, b"")), ["x+y"]);
    assert_eq!(shelf.code("ListObjects", json!({ "EncodingType": "rot13" })), "InvalidArgument");
    assert_eq!(shelf.code("ListObjects", json!({ "MaxKeys": -1 })), "InvalidArgument");
}

#[test]
fn buckets_are_listed_page_by_page_and_have_a_place() {
    let shelf = Shelf::new();
    let west = json!({ "LocationConstraint": "us-west-2" });
    let west = json!({ "Bucket": "west", "CreateBucketConfiguration": west });
    shelf.ask("CreateBucket", west.clone(), b"");
    assert_eq!(shelf.code("CreateBucket", west), "BucketAlreadyOwnedByYou");
    shelf.ask("CreateBucket", json!({}), b"");
    let page = shelf.ask("ListBuckets", json!({ "MaxBuckets": 1 }), b"");
    assert_eq!(page["Buckets"][0]["Name"], "box");
    let rest =
        json!({ "ContinuationToken": page["ContinuationToken"], "BucketRegion": "us-west-2" });
    assert_eq!(shelf.ask("ListBuckets", rest, b"")["Buckets"][0]["Name"], "west");
    let location = |bucket: &str| shelf.ask("GetBucketLocation", json!({ "Bucket": bucket }), b"");
    assert_eq!(location("west")["LocationConstraint"], "us-west-2");
    assert_eq!(location("box"), json!({}));
    let nowhere = json!({ "LocationConstraint": "nowhere" });
    let nowhere = json!({ "Bucket": "lost", "CreateBucketConfiguration": nowhere });
    assert_eq!(shelf.code("CreateBucket", nowhere), "InvalidLocationConstraint");
    let of = |owner: &str| json!({ "ExpectedBucketOwner": owner });
    shelf.ask("HeadBucket", of("000000000000"), b"");
    assert_eq!(shelf.code("HeadBucket", of("111111111111")), "AccessDenied");
    assert_eq!(shelf.code("HeadBucket", of("me")), "InvalidBucketOwnerAWSAccountID");
}
