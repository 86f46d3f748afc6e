//! What is set for buckets, and what is granted.

use serde_json::json;

use super::super::settings::every_name;
use super::*;
use crate::wire::Output;

#[test]
fn every_setting_can_be_read_and_set() {
    for name in every_name() {
        for operation in [format!("Get{name}"), format!("Put{name}")] {
            assert!(S3.operations.contains_key(&operation), "{operation}");
        }
    }
}

/// Bodies that are shown as they came, the code where there is none, and the deletion.
fn settings() -> Vec<(&'static str, &'static str, Value, &'static str, Option<&'static str>)> {
    let policy = json!(
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::box/*"}}"#
    );
    let rule = json!({ "ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": { "Days": 1 } });
    let size = "all_storage_classes_128K";
    let lifecycle = json!({ "Rules": [rule], "TransitionDefaultMinimumObjectSize": size });
    let cors = json!({ "CORSRules": [{ "AllowedMethods": ["GET"], "AllowedOrigins": ["*"] }] });
    let kms = json!({ "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k" });
    let kms = json!({ "ApplyServerSideEncryptionByDefault": kms, "BucketKeyEnabled": true });
    let writer = json!({ "Rules": [{ "ObjectOwnership": "ObjectWriter" }] });
    let open = json!({
        "BlockPublicAcls": false, "BlockPublicPolicy": true, "IgnorePublicAcls": false,
        "RestrictPublicBuckets": false,
    });
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let events =
        json!({ "Id": "i", "Events": ["s3:ObjectCreated:*"], "LambdaFunctionArn": function });
    vec![
        (
            "BucketEncryption",
            "ServerSideEncryptionConfiguration",
            json!({ "Rules": [kms] }),
            "",
            None,
        ),
        (
            "PublicAccessBlock",
            "PublicAccessBlockConfiguration",
            open,
            "NoSuchPublicAccessBlockConfiguration",
            None,
        ),
        (
            "BucketOwnershipControls",
            "OwnershipControls",
            writer,
            "OwnershipControlsNotFoundError",
            None,
        ),
        ("BucketPolicy", "Policy", policy, "NoSuchBucketPolicy", None),
        (
            "BucketLifecycleConfiguration",
            "LifecycleConfiguration",
            lifecycle,
            "NoSuchLifecycleConfiguration",
            Some("DeleteBucketLifecycle"),
        ),
        ("BucketCors", "CORSConfiguration", cors, "NoSuchCORSConfiguration", None),
        (
            "BucketWebsite",
            "WebsiteConfiguration",
            json!({ "IndexDocument": { "Suffix": "i" } }),
            "NoSuchWebsiteConfiguration",
            None,
        ),
        (
            "BucketNotificationConfiguration",
            "NotificationConfiguration",
            json!({ "LambdaFunctionConfigurations": [events] }),
            "",
            None,
        ),
        (
            "BucketLogging",
            "BucketLoggingStatus",
            json!({ "LoggingEnabled": { "TargetBucket": "box", "TargetPrefix": "" } }),
            "",
            None,
        ),
        (
            "BucketRequestPayment",
            "RequestPaymentConfiguration",
            json!({ "Payer": "Requester" }),
            "",
            None,
        ),
    ]
}

#[test]
fn a_setting_is_shown_as_it_came_until_it_is_deleted_or_its_bucket_is() {
    let shelf = Shelf::new();
    for (name, member, value, missing, deletion) in settings() {
        let (get, put) = (format!("Get{name}"), format!("Put{name}"));
        let new = shelf.try_ask(&get, json!({}), b"");
        shelf.ask(&put, json!({ member: value }), b"");
        let shown = shelf.ask(&get, json!({}), b"");
        assert_eq!(*shown.get(member).unwrap_or(&shown), value, "{name}");
        let deletion = deletion.map_or_else(|| format!("Delete{name}"), ToOwned::to_owned);
        if S3.operations.contains_key(&deletion) {
            shelf.ask(&deletion, json!({}), b"");
            let gone = shelf.try_ask(&get, json!({}), b"").map_err(|refusal| refusal.fault.code);
            match missing {
                "" => {
                    let new = new.unwrap().output.members;
                    assert_eq!(gone.unwrap().output.members, new, "{name}");
                }
                missing => assert_eq!(gone.unwrap_err(), missing),
            }
        }
        shelf.ask(&put, json!({ member: value }), b"");
    }
    shelf.ask("DeleteBucket", json!({}), b"");
    shelf.ask("CreateBucket", json!({}), b"");
    assert_eq!(shelf.code("GetBucketPolicy", json!({})), "NoSuchBucketPolicy");
    assert_eq!(shelf.ask("GetBucketLogging", json!({}), b""), json!({}));
}

#[test]
fn what_aws_does_not_take_is_not_kept() {
    let shelf = Shelf::new();
    let rule = |more: Value| {
        let mut rule = json!({ "Status": "Enabled", "Filter": {}, "Expiration": { "Days": 1 } });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "LifecycleConfiguration": { "Rules": [rule] } })
    };
    let tag = json!({ "Key": "k", "Value": "v" });
    let ownership =
        |name: &str| json!({ "OwnershipControls": { "Rules": [{ "ObjectOwnership": name }] } });
    let website = |it: Value| json!({ "WebsiteConfiguration": it });
    let queue = |arn: &str, name: &str| {
        let filter = json!({ "Key": { "FilterRules": [{ "Name": name, "Value": "" }] } });
        let queue = json!({ "QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": filter });
        json!({ "NotificationConfiguration": { "QueueConfigurations": [queue] } })
    };
    let arn = "arn:aws:sqs:us-east-1:000000000000:q";
    let statement = |it: &str| json!({ "Policy": format!(r#"{{"Statement":[{it}]}}"#) });
    for (operation, input, code) in [
        ("PutBucketCors", json!({}), "MissingRequestBodyError"),
        ("PutBucketCors", json!({ "CORSConfiguration": {} }), "MalformedXML"),
        ("PutBucketOwnershipControls", ownership("Nobody"), "MalformedXML"),
        ("PutBucketPolicy", json!({ "Policy": "" }), "MalformedPolicy"),
        ("PutBucketPolicy", json!({ "Policy": "{}" }), "MalformedPolicy"),
        ("PutBucketPolicy", statement(r#"{"Effect":"Allow","Action":"*"}"#), "MalformedPolicy"),
        ("PutBucketLifecycleConfiguration", rule(json!({ "Filter": null })), "MalformedXML"),
        ("PutBucketLifecycleConfiguration", rule(json!({ "Expiration": null })), "InvalidRequest"),
        (
            "PutBucketLifecycleConfiguration",
            rule(json!({ "Filter": { "And": { "Tags": [tag, tag] } } })),
            "InvalidRequest",
        ),
        (
            "PutBucketLifecycleConfiguration",
            rule(json!({ "Expiration": { "Date": 1_672_538_520.0 } })),
            "InvalidArgument",
        ),
        (
            "PutBucketWebsite",
            website(json!({ "ErrorDocument": { "Key": "e" } })),
            "InvalidArgument",
        ),
        (
            "PutBucketWebsite",
            website(json!({ "IndexDocument": { "Suffix": "i" }, "RoutingRules": [] })),
            "MalformedXML",
        ),
        ("PutBucketNotificationConfiguration", queue("q", "prefix"), "InvalidArgument"),
        ("PutBucketNotificationConfiguration", queue(arn, "middle"), "InvalidArgument"),
        (
            "PutBucketLogging",
            json!({ "BucketLoggingStatus": { "LoggingEnabled": { "TargetBucket": "none", "TargetPrefix": "" } } }),
            "InvalidTargetBucketForLogging",
        ),
        (
            "PutObjectLockConfiguration",
            json!({ "ObjectLockConfiguration": { "ObjectLockEnabled": "Enabled" } }),
            "InvalidBucketState",
        ),
    ] {
        assert_eq!(shelf.code(operation, input.clone()), code, "{operation} {input}");
    }
    let rules = "/QueueConfigurations/0/Filter/Key/FilterRules/0/Name";
    shelf.ask("PutBucketNotificationConfiguration", queue(arn, "PREFIX"), b"");
    let shown = shelf.ask("GetBucketNotificationConfiguration", json!({}), b"");
    assert_eq!(shown.pointer(rules), Some(&json!("Prefix")), "{shown}");
    assert!(shown["QueueConfigurations"][0]["Id"].is_string());
}

#[test]
fn a_bucket_whose_objects_can_be_locked_keeps_versions() {
    let shelf = Shelf::new();
    let made = json!({ "Bucket": "safe", "ObjectLockEnabledForBucket": true });
    shelf.ask("CreateBucket", made, b"");
    let safe = |more: Value| {
        let mut input = json!({ "Bucket": "safe" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    assert_eq!(shelf.ask("GetBucketVersioning", safe(json!({})), b"")["Status"], "Enabled");
    let suspend = json!({ "VersioningConfiguration": { "Status": "Suspended" } });
    assert_eq!(shelf.code("PutBucketVersioning", safe(suspend)), "InvalidBucketState");
}

#[test]
fn a_buckets_encryption_is_shown_with_what_is_put_into_it() {
    let shelf = Shelf::new();
    let default = json!({ "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k" });
    let rule = json!({ "ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": true });
    let input = json!({ "ServerSideEncryptionConfiguration": { "Rules": [rule] } });
    shelf.ask("PutBucketEncryption", input, b"");
    let put = shelf.put("k", "x");
    assert_eq!(put["ServerSideEncryption"], "aws:kms");
    assert_eq!(put["SSEKMSKeyId"], "arn:aws:kms:us-east-1:000000000000:key/k");
    let own = json!({ "Key": "own", "ServerSideEncryption": "AES256" });
    assert_eq!(shelf.ask("PutObject", own, b"")["SSEKMSKeyId"], Value::Null);
}

#[test]
fn nothing_is_granted_until_objects_may_have_other_owners() {
    let shelf = Shelf::new();
    let public = json!({ "Key": "k", "ACL": "public-read" });
    let of_owner = json!({ "Key": "k", "ACL": "bucket-owner-full-control" });
    assert_eq!(shelf.code("PutObject", public.clone()), "AccessControlListNotSupported");
    assert_eq!(
        shelf.code("PutBucketAcl", json!({ "ACL": "private" })),
        "AccessControlListNotSupported"
    );
    shelf.ask("PutObject", of_owner, b"");
    shelf.ask("DeleteBucketOwnershipControls", json!({}), b"");
    for (put, get) in [("PutObjectAcl", "GetObjectAcl"), ("PutBucketAcl", "GetBucketAcl")] {
        shelf.ask(put, public.clone(), b"");
        let grants = shelf.ask(get, json!({ "Key": "k" }), b"");
        assert_eq!(grants["Grants"].as_array().unwrap().len(), 2);
        assert_eq!(grants["Grants"][1]["Permission"], "READ");
        assert_eq!(shelf.code(put, json!({ "Key": "k" })), "MissingSecurityHeader");
        let group = r#"uri="http://acs.amazonaws.com/groups/s3/Nobody""#;
        assert_eq!(shelf.code(put, json!({ "Key": "k", "GrantRead": group })), "InvalidArgument");
        let both = json!({ "Key": "k", "ACL": "private", "GrantRead": group });
        assert_eq!(shelf.code(put, both), "InvalidRequest");
        let empty = json!({ "Key": "k", "AccessControlPolicy": {} });
        assert_eq!(shelf.code(put, empty), "MalformedACLError");
    }
    shelf.ask("CopyObject", json!({ "Key": "copy", "CopySource": "box/k" }), b"");
    let grants = shelf.ask("GetObjectAcl", json!({ "Key": "copy" }), b"");
    assert_eq!(grants["Grants"].as_array().unwrap().len(), 1, "a copy is granted to nobody else");
    let head = shelf.ask("HeadObject", json!({ "Key": "k" }), b"");
    assert_eq!(head["Grants"], Value::Null);
    let rules = json!({ "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] });
    let enforce = json!({ "OwnershipControls": rules });
    let code = shelf.code("PutBucketOwnershipControls", enforce);
    assert_eq!(code, "InvalidBucketAclWithObjectOwnership");
}

#[test]
fn a_policy_is_public_where_everybody_may_do_something() {
    let shelf = Shelf::new();
    for (principal, is_public) in [
        (r#""*""#, true),
        (r#"{"AWS":["*"]}"#, true),
        (r#"{"AWS":"arn:aws:iam::000000000000:root"}"#, false),
        (r#"{"Service":"logs.amazonaws.com"}"#, false),
    ] {
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:*","Resource":"arn:aws:s3:::box"}}]}}"#
        );
        shelf.ask("PutBucketPolicy", json!({ "Policy": policy }), b"");
        let status = shelf.ask("GetBucketPolicyStatus", json!({}), b"");
        assert_eq!(status["PolicyStatus"]["IsPublic"], is_public, "{principal}");
    }
}

#[test]
fn grantees_have_their_type_as_an_attribute_and_policies_are_whole_bodies() {
    let body = br#"<AccessControlPolicy><AccessControlList><Grant>
        <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>u&amp;</URI></Grantee>
        <Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"#;
    let put = request("PUT", "/box?acl", &[], body);
    let input = route::of(&put).decode(&put).unwrap().members;
    let grants = json!([{ "Grantee": { "Type": "Group", "URI": "u&" }, "Permission": "READ" }]);
    assert_eq!(input["AccessControlPolicy"]["Grants"], grants);
    let get = route::of(&request("GET", "/box?acl", &[], b""));
    let shown = get.answer(Ok(Output::of(json!({ "Grants": grants }))), "id").body;
    let shown = String::from_utf8(shown.to_vec()).unwrap();
    let grantee = r#"<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>u&amp;</URI></Grantee>"#;
    assert!(shown.contains(grantee) && shown.contains("<AccessControlPolicy "), "{shown}");
    let put = request("PUT", "/box?policy", &[], b"{}");
    assert_eq!(route::of(&put).decode(&put).unwrap().members["Policy"], "{}");
    let get = route::of(&request("GET", "/box?policy", &[], b""));
    assert_eq!(get.answer(Ok(Output::of(json!({ "Policy": "{}" }))), "id").body, "{}");
    let block = route::of(&request("GET", "/box?publicAccessBlock", &[], b""));
    let shown =
        Output::of(json!({ "PublicAccessBlockConfiguration": { "BlockPublicAcls": true } }));
    let shown = String::from_utf8(block.answer(Ok(shown), "id").body.to_vec()).unwrap();
    assert!(shown.contains("<PublicAccessBlockConfiguration xmlns"), "{shown}");
}
