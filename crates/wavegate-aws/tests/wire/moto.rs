//! The port against moto, an independent model of AWS, when `MOTO_URL` names a running one:
//! `MOTO_URL=http://127.0.0.1:5000 cargo test -p wavegate-aws -- --ignored`.
//!
//! moto cannot show preconditions: it ignores revision ids and code hashes, and never changes an
//! alias's revision id.

use std::collections::BTreeMap;

use wavegate_aws::{AwsCloud, Settings};
use wavegate_core::inventory::{Artifact, ExtraVersion};
use wavegate_core::name::{FunctionName, VersionId};
use wavegate_core::spec::{FunctionConfig, Secret};
use wavegate_core::weight::Weight;
use wavegate_engine::ports::{AliasUpdate, Cloud, FaultKind, NewAlias};

use crate::{alias, cloud, config};

fn url() -> String {
    std::env::var("MOTO_URL").expect("MOTO_URL must name a running moto server")
}

/// A stored zip with `app.py` that holds `text`.
fn zip(text: &str) -> (tempfile::NamedTempFile, Artifact) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), stored_zip("app.py", text.as_bytes())).unwrap();
    let path = file.path().to_owned();
    let artifact =
        Artifact::Zip { code_sha256: String::new(), zipped_bytes: 0, unzipped_bytes: 0, path };
    (file, artifact)
}

/// The smallest legal archive: one entry, not compressed.
fn stored_zip(name: &str, content: &[u8]) -> Vec<u8> {
    let crc = content.iter().fold(!0_u32, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    });
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let entry = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..],
        &(!crc).to_le_bytes(),
        &length,
        &length,
        &name_length,
        &[0, 0],
    ]
    .concat();
    let local = [b"PK\x03\x04", &entry[..], name.as_bytes(), content].concat();
    let directory = [b"PK\x01\x02\x14\x00", &entry[..], &[0; 12], name.as_bytes()].concat();
    let size = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let offset = u32::try_from(local.len()).unwrap().to_le_bytes();
    let end = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &size[..], &offset, &[0, 0]].concat();
    [local, directory, end].concat()
}

/// A request that the port does not make, written by hand.
async fn raw(url: &str, line: &str, host: &str, service: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let kind =
        if service == "s3" { "application/xml" } else { "application/x-www-form-urlencoded" };
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {host}\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=wavegate/20200101/eu-west-1/{service}/aws4_request, SignedHeaders=host, \
         Signature=0\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// moto checks that roles exist.
async fn role(url: &str) {
    let body = "Action=CreateRole&Version=2010-05-08&RoleName=shop&AssumeRolePolicyDocument=\
        %7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22\
        %2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%2C%22Action%22%3A\
        %22sts%3AAssumeRole%22%7D%5D%7D";
    let answer = raw(url, "POST /", "iam.amazonaws.com", "iam", body).await;
    let made = answer.contains("200 OK") || answer.contains("EntityAlreadyExists");
    assert!(made, "{answer}");
}

fn settings_of_a_function() -> FunctionConfig {
    FunctionConfig {
        environment: BTreeMap::from([("STAGE".to_owned(), Secret::new("test"))]),
        description: "first".to_owned(),
        architecture: "x86_64".to_owned(),
        ..config()
    }
}

#[tokio::test]
#[ignore = "needs MOTO_URL"]
async fn a_function_lives_its_whole_life() {
    let url = url();
    role(&url).await;
    let cloud = cloud(&url).await;
    let name = FunctionName::new(format!("life-{}", std::process::id())).unwrap();
    assert_eq!(cloud.get_function(&name, None).await, Ok(None));
    assert_eq!(cloud.list_aliases(&name).await, Ok(None));

    let (_first, code) = zip("one");
    let created = cloud.create_function(&name, &settings_of_a_function(), &code).await.unwrap();
    assert_eq!(created.version, "1");
    let (_second, code) = zip("two");
    let exists = cloud.create_function(&name, &settings_of_a_function(), &code).await.unwrap_err();
    assert_eq!(exists.kind, FaultKind::AlreadyExists, "{exists}");
    let updated = cloud.update_code(&name, &code, "x86_64", None, true).await.unwrap();
    assert_eq!(updated.version, "2");
    assert_ne!(updated.code_sha256, created.code_sha256);

    let bare = FunctionConfig { environment: BTreeMap::new(), ..config() };
    cloud.update_config(&name, &bare, None).await.unwrap();
    let seen = cloud.get_function(&name, None).await.unwrap().unwrap();
    assert!(seen.config.environment.is_empty());
    assert_eq!(seen.version, "$LATEST");
    let third = cloud.publish_version(&name, Some(&seen.code_sha256), None, "r3").await.unwrap();
    assert_eq!(third.version, "3");
    let first = cloud.get_function(&name, Some(VersionId(1))).await.unwrap().unwrap();
    assert_eq!((first.version.as_str(), first.arn), ("1", seen.arn));
    assert_eq!(cloud.get_function(&name, Some(VersionId(9))).await, Ok(None));

    traffic(&cloud, &name).await;

    cloud.delete_version(&name, VersionId(3)).await.unwrap();
    let left: Vec<_> =
        cloud.list_versions(&name).await.unwrap().iter().map(|entry| entry.version.0).collect();
    assert_eq!(left, [1, 2]);
}

async fn traffic(cloud: &AwsCloud, name: &FunctionName) {
    assert_eq!(cloud.get_alias(name, &alias()).await, Ok(None));
    let new =
        NewAlias { name: alias(), version: Some(VersionId(1)), description: "token".to_owned() };
    let made = cloud.create_alias(name, &new).await.unwrap();
    assert_eq!((made.main(), made.extra), (Some(VersionId(1)), None));
    assert_eq!(cloud.create_alias(name, &new).await.unwrap_err().kind, FaultKind::AlreadyExists);

    let tenth = ExtraVersion { version: VersionId(2), weight: Weight::from_bp(1000).unwrap() };
    let shift = AliasUpdate {
        base: made.revision,
        routing: Some((VersionId(1), Some(tenth))),
        description: "shift".to_owned(),
    };
    let shifted = cloud.update_alias(name, &alias(), &shift).await.unwrap();
    assert_eq!((shifted.extra, shifted.description.as_str()), (Some(tenth), "shift"));

    let note =
        AliasUpdate { base: shifted.revision, routing: None, description: "note".to_owned() };
    let noted = cloud.update_alias(name, &alias(), &note).await.unwrap();
    assert_eq!((noted.extra, noted.description.as_str()), (Some(tenth), "note"));

    let promote = AliasUpdate {
        base: noted.revision,
        routing: Some((VersionId(2), None)),
        description: "promote".to_owned(),
    };
    let promoted = cloud.update_alias(name, &alias(), &promote).await.unwrap();
    assert_eq!((promoted.main(), promoted.extra), (Some(VersionId(2)), None));
    assert_eq!(cloud.get_alias(name, &alias()).await, Ok(Some(promoted.clone())));
    assert_eq!(cloud.list_aliases(name).await, Ok(Some(vec![promoted])));

    let lock = NewAlias { name: alias().lock(), version: None, description: "o".to_owned() };
    let lock = cloud.create_alias(name, &lock).await.unwrap();
    assert_eq!(lock.version, "$LATEST");
    cloud.delete_alias(name, &alias().lock()).await.unwrap();
    cloud.delete_alias(name, &alias().lock()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs MOTO_URL"]
async fn a_package_takes_the_way_over_a_bucket() {
    let url = url();
    role(&url).await;
    let cloud = cloud(&url).await;
    let (file, zip) = zip("over a bucket");
    let error = cloud.put_artifact("no-such-bucket", "k", file.path()).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (FaultKind::NotFound, Some("NoSuchBucket")));

    let location = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
        </CreateBucketConfiguration>";
    let made = raw(&url, "PUT /wavegate-artifacts", "127.0.0.1", "s3", location).await;
    assert!(made.contains(" 200 ") || made.contains("BucketAlready"), "{made}");
    let key = "shop/a b+ä.zip";
    cloud.put_artifact("wavegate-artifacts", key, file.path()).await.unwrap();

    let stored = Artifact::S3 { bucket: "wavegate-artifacts".to_owned(), key: key.to_owned() };
    let name = |way: &str| FunctionName::new(format!("{way}-{}", std::process::id())).unwrap();
    let settings = settings_of_a_function();
    let direct = cloud.create_function(&name("direct"), &settings, &zip).await.unwrap();
    let stored = cloud.create_function(&name("stored"), &settings, &stored).await.unwrap();
    assert_eq!(stored.code_sha256, direct.code_sha256);
}

/// Goal: the standard chain's variables work. Method: whoever runs this sets `AWS_REGION`,
/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and an `AWS_ENDPOINT_URL` form that leads to moto.
#[tokio::test]
#[ignore = "needs MOTO_URL and AWS_* that lead there"]
async fn the_chain_leads_to_the_endpoint_of_the_environment() {
    let cloud = AwsCloud::connect(Settings::default()).await.unwrap();
    let identity = cloud.identity().await.unwrap();
    assert_eq!(identity.account, "123456789012");
    let nobody = FunctionName::new("nobody").unwrap();
    assert_eq!(cloud.get_function(&nobody, None).await, Ok(None));
}
