//! Permissions and whole policies.

use super::*;

#[test]
fn a_first_permission_may_name_the_revision_of_what_it_is_for() {
    let mut bench = Bench::with_versions(1);
    let alias = bench.create_alias("live", "1", &[]).unwrap();
    let mut allow = |revision: &str| {
        let input = crate::lambda::input::AddPermission {
            statement_id: "s".into(),
            action: "lambda:InvokeFunction".into(),
            principal: "s3.amazonaws.com".into(),
            revision_id: Some(revision.into()),
            ..Default::default()
        };
        bench.lambda.add_permission(bench.now, &mut bench.ids, "fn", Some("live"), &input)
    };
    assert!(allow("wrong").unwrap_err().message.contains("Call the GetPolicy API"));
    allow(&alias.revision_id).unwrap();
    let policy = bench.lambda.get_policy("fn", Some("live")).unwrap();
    assert_ne!(policy.revision_id, alias.revision_id);
    assert_eq!(bench.lambda.get_alias("fn", "live").unwrap(), alias);
}

#[test]
fn what_a_policy_is_not_found_for_is_told_by_operation() {
    let mut bench = Bench::with_versions(1);
    let (now, ids) = (bench.now, &mut bench.ids);
    let mut remove = |name: &str, qualifier: Option<&str>| {
        bench.lambda.remove_permission(now, ids, name, qualifier, "s", None).unwrap_err().message
    };
    assert_eq!(remove("fn", None), "No policy is associated with the given resource.");
    assert!(remove("no", None).starts_with("No policy found for: arn:"));
    assert!(remove("fn", Some("no")).starts_with("Cannot find alias arn: arn:"));
    assert!(remove("fn", Some("7")).starts_with("Function not found: arn:"));
    let absent = bench.lambda.get_policy("no", None).unwrap_err().message;
    assert_eq!(absent, "The resource you requested does not exist.");
    let nobody = crate::lambda::input::AddPermission {
        statement_id: "s".into(),
        action: "lambda:InvokeFunction".into(),
        principal: "nobody.example.com".into(),
        ..Default::default()
    };
    let refused = bench.lambda.add_permission(now, &mut bench.ids, "fn", None, &nobody);
    assert!(refused.unwrap_err().message.starts_with("The provided principal was invalid."));
}

#[test]
fn a_policy_that_is_put_replaces_the_permissions_that_were_added() {
    let mut bench = Bench::with_versions(1);
    let (now, ids, lambda) = (bench.now, &mut bench.ids, &mut bench.lambda);
    let input = crate::lambda::input::AddPermission {
        statement_id: "s".into(),
        action: "lambda:InvokeFunction".into(),
        principal: "s3.amazonaws.com".into(),
        ..Default::default()
    };
    lambda.add_permission(now, ids, "fn", None, &input).unwrap();
    let text = r#"{"Version":"2012-10-17","Statement":[{"Sid":"t","Effect":"Allow","Principal":"*","Action":"lambda:*"}]}"#;
    let put = lambda.put_resource_policy(now, ids, ARN, text, None).unwrap();
    let policy = lambda.get_policy("fn", None).unwrap();
    assert_eq!(put["RevisionId"], policy.revision_id);
    assert!(
        policy
            .policy
            .contains(r#"{"Sid":"t","Effect":"Allow","Principal":"*","Action":"lambda:*"}"#)
    );
    let stale = lambda.delete_resource_policy(now, ARN, Some("stale")).unwrap_err();
    assert!(stale.message.contains("Call the GetResourcePolicy API"), "{stale}");
    lambda.delete_resource_policy(now, ARN, None).unwrap();
    assert_eq!(lambda.get_resource_policy(ARN).unwrap_err().status, 404);
    for text in ["", "{}", r#"{"Statement":[]}"#] {
        assert!(lambda.put_resource_policy(now, ids, ARN, text, None).is_err(), "{text}");
    }
}

#[test]
fn a_policy_does_not_grow_without_end() {
    let mut bench = Bench::with_versions(1);
    let mut allow = |id: &str| {
        let input = crate::lambda::input::AddPermission {
            statement_id: id.into(),
            action: "lambda:InvokeFunction".into(),
            principal: "s3.amazonaws.com".into(),
            source_arn: Some(format!("arn:aws:s3:::{}", "x".repeat(10_000))),
            ..Default::default()
        };
        bench.lambda.add_permission(bench.now, &mut bench.ids, "fn", None, &input)
    };
    allow("a").unwrap();
    let refused = allow("b").unwrap_err();
    assert_eq!(refused.code, "PolicyLengthExceededException");
    assert!(refused.message.ends_with("is bigger than the limit (20480)."), "{refused}");
}

#[test]
fn policies_are_kept_per_qualifier() {
    let mut bench = Bench::with_versions(1);
    let input = crate::lambda::input::AddPermission {
        statement_id: "s".into(),
        action: "lambda:InvokeFunction".into(),
        principal: "s3.amazonaws.com".into(),
        ..Default::default()
    };
    let (now, ids) = (bench.now, &mut bench.ids);
    bench.lambda.add_permission(now, ids, "fn", None, &input).unwrap();
    assert_eq!(bench.lambda.add_permission(now, ids, "fn", None, &input).unwrap_err().status, 409);
    let policy = bench.lambda.get_policy("fn", None).unwrap();
    let statement =
        r#"{"Sid":"s","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"#;
    assert!(policy.policy.contains(statement), "in AWS's order: {}", policy.policy);
    assert_eq!(bench.lambda.get_policy("fn", Some("1")).unwrap_err().status, 404);
    let stale = bench.lambda.remove_permission(now, ids, "fn", None, "s", Some("stale"));
    assert!(stale.unwrap_err().message.contains("Call the GetPolicy API"));
    bench.lambda.remove_permission(now, ids, "fn", None, "s", None).unwrap();
    assert_eq!(bench.lambda.get_policy("fn", None).unwrap_err().status, 404);
}
