//! Roles and policies, on a clock that is moved by hand.

use serde_json::{Value, json};

use super::*;
use crate::ids::SeededIds;
use crate::rows::Keeper as _;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

struct Account {
    identity: Identity,
    ids: SeededIds,
}

impl Account {
    fn new() -> Self {
        Self { identity: Identity::new("000000000000"), ids: SeededIds::from_seed(7) }
    }

    fn ask(&mut self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.identity.perform(1_700_000_000_123, &mut self.ids, operation, input)
    }

    fn role(&mut self, name: &str) -> Value {
        let input = json!({ "RoleName": name, "AssumeRolePolicyDocument": TRUST });
        self.ask("CreateRole", input).unwrap()["Role"].clone()
    }

    fn code(&mut self, operation: &str, input: Value) -> String {
        self.ask(operation, input).unwrap_err().code
    }
}

#[test]
fn a_role_is_shown_as_aws_shows_it() {
    let mut account = Account::new();
    let made = account.role("shop");
    assert_eq!(made["Arn"], "arn:aws:iam::000000000000:role/shop");
    assert!(made["RoleId"].as_str().unwrap().starts_with("AROA"));
    assert_eq!(made["RoleId"].as_str().unwrap().len(), 21);
    assert_eq!(made["CreateDate"], 1_700_000_000.0);
    assert!(made["AssumeRolePolicyDocument"].as_str().unwrap().starts_with("%7B%22Version%22"));
    assert!(made.get("MaxSessionDuration").is_none());
    let got = account.ask("GetRole", json!({ "RoleName": "SHOP" })).unwrap()["Role"].clone();
    assert_eq!((&got["MaxSessionDuration"], &got["RoleLastUsed"]), (&json!(3600), &json!({})));
    let again = json!({ "RoleName": "Shop", "AssumeRolePolicyDocument": TRUST });
    assert_eq!(account.code("CreateRole", again), "EntityAlreadyExistsException");
}

#[test]
fn a_role_with_policies_is_not_deleted() {
    let mut account = Account::new();
    account.role("shop");
    let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    let attachment = json!({ "RoleName": "shop", "PolicyArn": arn });
    let inline = json!({ "RoleName": "shop", "PolicyName": "own", "PolicyDocument": ALLOW });
    account.ask("AttachRolePolicy", attachment.clone()).unwrap();
    account.ask("PutRolePolicy", inline.clone()).unwrap();
    let shown = account.ask("ListAttachedRolePolicies", json!({ "RoleName": "shop" })).unwrap();
    let expected = json!([{ "PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": arn }]);
    assert_eq!(shown, json!({ "AttachedPolicies": expected, "IsTruncated": false }));
    let role = json!({ "RoleName": "shop" });
    assert_eq!(account.code("DeleteRole", role.clone()), "DeleteConflictException");
    account.ask("DetachRolePolicy", attachment.clone()).unwrap();
    assert_eq!(account.code("DetachRolePolicy", attachment), "NoSuchEntityException");
    assert_eq!(account.code("DeleteRole", role.clone()), "DeleteConflictException");
    account.ask("DeleteRolePolicy", inline).unwrap();
    account.ask("DeleteRole", role.clone()).unwrap();
    assert_eq!(account.code("GetRole", role), "NoSuchEntityException");
}

#[test]
fn a_policy_has_five_versions_and_keeps_its_default() {
    let mut account = Account::new();
    let input = json!({ "PolicyName": "read", "Path": "/shop/", "PolicyDocument": ALLOW });
    let made = account.ask("CreatePolicy", input.clone()).unwrap()["Policy"].clone();
    let arn = made["Arn"].as_str().unwrap().to_owned();
    assert_eq!(arn, "arn:aws:iam::000000000000:policy/shop/read");
    assert_eq!(account.code("CreatePolicy", input), "EntityAlreadyExistsException");
    let of = |version: &str| json!({ "PolicyArn": arn, "VersionId": version });
    for number in 2..=5 {
        let next =
            json!({ "PolicyArn": arn, "PolicyDocument": ALLOW, "SetAsDefault": number == 3 });
        account.ask("CreatePolicyVersion", next).unwrap();
    }
    let next = json!({ "PolicyArn": arn, "PolicyDocument": ALLOW });
    assert_eq!(account.code("CreatePolicyVersion", next.clone()), "LimitExceededException");
    assert_eq!(account.code("DeletePolicyVersion", of("v3")), "DeleteConflictException");
    account.ask("DeletePolicyVersion", of("v1")).unwrap();
    assert_eq!(account.code("GetPolicyVersion", of("v1")), "NoSuchEntityException");
    // Numbers are never given twice.
    let made = account.ask("CreatePolicyVersion", next).unwrap();
    assert_eq!(made["PolicyVersion"]["VersionId"], "v6");
    let versions = account.ask("ListPolicyVersions", json!({ "PolicyArn": arn })).unwrap();
    assert_eq!(versions["Versions"][0]["VersionId"], "v6");
    assert_eq!(
        account.code("DeletePolicy", json!({ "PolicyArn": arn })),
        "DeleteConflictException"
    );
}

#[test]
fn pages_go_on_behind_what_is_gone_by_then() {
    let mut account = Account::new();
    for number in 0..5 {
        account.role(&format!("role{number}"));
    }
    let first = account.ask("ListRoles", json!({ "MaxItems": 2 })).unwrap();
    assert_eq!(first["IsTruncated"], true);
    account.ask("DeleteRole", json!({ "RoleName": "role1" })).unwrap();
    let rest = account.ask("ListRoles", json!({ "Marker": first["Marker"] })).unwrap();
    assert_eq!(rest["Roles"][0]["RoleName"], "role2");
    assert_eq!((&rest["IsTruncated"], rest.get("Marker")), (&json!(false), None));
    assert_eq!(account.code("ListRoles", json!({ "Marker": "%" })), "ValidationError");
}

#[test]
fn a_document_that_says_nothing_is_refused_in_awss_words() {
    let mut account = Account::new();
    for (document, message) in [
        ("{", "This policy contains invalid Json"),
        (r#"{"Statement":[]}"#, "Syntax errors in policy."),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}"#,
            "Missing required field Principal",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*"}}"#,
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:*","Resource":"*"}}"#,
            "Has prohibited field Resource",
        ),
    ] {
        let input = json!({ "RoleName": "shop", "AssumeRolePolicyDocument": document });
        let fault = account.ask("CreateRole", input).unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.message.as_str()),
            ("MalformedPolicyDocumentException", message)
        );
    }
    let input = json!({ "PolicyName": "p", "PolicyDocument": TRUST });
    let fault = account.ask("CreatePolicy", input).unwrap_err();
    assert_eq!(fault.message, "Policy document should not specify a principal.");
}

#[test]
fn lambda_assumes_roles_that_trust_it_and_no_other() {
    let mut account = Account::new();
    account.role("shop");
    let trust = TRUST.replace("lambda.amazonaws.com", "ec2.amazonaws.com");
    let input = json!({ "RoleName": "other", "AssumeRolePolicyDocument": trust, "Path": "/a/" });
    account.ask("CreateRole", input).unwrap();
    let may = |role: &str| {
        account.identity.lambda_may_assume(&format!("arn:aws:iam::000000000000:role/{role}"))
    };
    assert!(may("shop"));
    assert!(!may("a/other") && !may("other") && !may("gone") && !may("a/shop"));
}

#[test]
fn what_was_stored_is_there_again() {
    let mut account = Account::new();
    account.role("shop");
    account.ask("CreatePolicy", json!({ "PolicyName": "p", "PolicyDocument": ALLOW })).unwrap();
    let rows = account.identity.changes().unwrap().into_iter();
    let rows = rows.map(|(kind, key, record)| {
        (kind.to_owned(), key, serde_json::from_str(&record.unwrap()).unwrap())
    });
    let mut other = Identity::new("000000000000");
    other.restore_rows(rows.collect()).unwrap();
    assert_eq!(*other.roles, *account.identity.roles);
    assert_eq!(*other.policies, *account.identity.policies);
}
