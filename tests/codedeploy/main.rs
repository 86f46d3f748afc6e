//! The port `Deployments` on the AWS SDK against the local cloud's CodeDeploy: two things that were
//! built apart, from the same model of AWS. Every call is held against the policy that
//! `wavegate iam --for deploy` prints.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use wavegate_aws::policy::{Place, Purpose};
use wavegate_aws::{AwsCloud, Credentials, Settings};
use wavegate_core::codedeploy::{Engine, Group, Routing, Trigger};
use wavegate_core::inventory::Artifact;
use wavegate_core::name::{AliasName, VersionId};
use wavegate_core::spec::AppSpec;
use wavegate_core::weight::Weight;
use wavegate_engine::ports::{
    Cloud, DeploymentView, Deployments, FaultKind, NewAlias, NewDeployment,
};
use wavegate_local::{LocalCloud, Options, Policy};
use wavegate_tests::app::{app, name};

const ROLE: &str = "arn:aws:iam::000000000000:role/deploy";

/// A day at ten percent: a test stops it, or looks at it in the middle.
const DAY: Routing = Routing::Canary { percent: 10, minutes: 1440 };

fn live() -> AliasName {
    AliasName::new("live").unwrap()
}

fn group() -> Group {
    Group {
        application: "shop".to_owned(),
        name: "auth".to_owned(),
        is_own: true,
        role: Some(ROLE.to_owned()),
        alarms: Vec::new(),
        ignores_unreadable_alarms: false,
        triggers: vec![Trigger {
            name: "people".to_owned(),
            topic: "arn:aws:sns:us-east-1:000000000000:people".to_owned(),
            events: vec!["DeploymentFailure".to_owned()],
        }],
        before: None,
        after: None,
    }
}

fn deployment(config: &str, description: &str) -> NewDeployment {
    NewDeployment {
        group: group(),
        config: config.to_owned(),
        function: "auth".to_owned(),
        alias: "live".to_owned(),
        current: VersionId(1),
        target: VersionId(2),
        description: description.to_owned(),
    }
}

/// A package whose content differs from that of any other text.
fn package(directory: &Path, text: &str) -> Artifact {
    let source = directory.join(text);
    std::fs::create_dir(&source).unwrap();
    let code = format!("def handler(event, context): return '{text}'");
    std::fs::write(source.join("app.py"), code).unwrap();
    let options = wavegate_package::Options::new(directory.join("out"));
    let package = wavegate_package::package(&source, &options).unwrap();
    Artifact::Zip {
        code_sha256: package.code_sha256(),
        zipped_bytes: package.zipped_bytes,
        unzipped_bytes: package.unzipped_bytes,
        path: package.path,
    }
}

/// The function with two versions, and its alias on the first. A virtual second is a millisecond.
async fn prepared(directory: &Path) -> (LocalCloud, AwsCloud) {
    let mut spec = app(&[("auth", &[])]);
    let auth = spec.functions.get_mut(&name("auth")).unwrap();
    auth.engine = Engine::CodeDeploy(Box::new(group()));
    let config = auth.config.clone();
    let local = LocalCloud::start(Options {
        time_scale: 1000.0,
        seed: Some(7),
        policies: Some(vec![policy(&spec)]),
        ..Options::new(directory.join("state"))
    });
    let local = local.await.unwrap();
    let settings = Settings {
        endpoint_url: Some(local.url().to_owned()),
        credentials: Credentials::Local,
        ..Settings::default()
    };
    let cloud = AwsCloud::connect(settings).await.unwrap();
    let one = package(directory, "one");
    cloud.create_function(&name("auth"), &config, &one).await.unwrap();
    settled(&cloud).await;
    let two = package(directory, "two");
    cloud.update_code(&name("auth"), &two, "x86_64", None, true).await.unwrap();
    settled(&cloud).await;
    for version in [1, 2] {
        let at = Some(VersionId(version));
        while cloud.get_function(&name("auth"), at).await.unwrap().unwrap().state != "Active" {}
    }
    let alias =
        NewAlias { name: live(), version: Some(VersionId(1)), description: "mine".to_owned() };
    cloud.create_alias(&name("auth"), &alias).await.unwrap();
    (local, cloud)
}

fn policy(spec: &AppSpec) -> Policy {
    let place = Place {
        partition: "aws".to_owned(),
        region: Some("us-east-1".to_owned()),
        account: Some("000000000000".to_owned()),
    };
    let policy = wavegate_aws::policy::Policy::of(spec, &place, None, Purpose::Deploy);
    Policy::parse(&serde_json::to_string(&policy).unwrap()).unwrap()
}

async fn settled(cloud: &AwsCloud) {
    loop {
        let view = cloud.get_function(&name("auth"), None).await.unwrap().unwrap();
        if view.state == "Active" && view.last_update_status == "Successful" {
            return;
        }
    }
}

async fn view(cloud: &AwsCloud, id: &str) -> DeploymentView {
    cloud.deployments(&[id.to_owned()]).await.unwrap().pop().unwrap()
}

async fn ended(cloud: &AwsCloud, id: &str) -> DeploymentView {
    loop {
        let view = view(cloud, id).await;
        if view.has_ended() {
            return view;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_read_as_it_was_made() {
    let directory = tempfile::tempdir().unwrap();
    let (local, cloud) = prepared(directory.path()).await;
    let config = DAY.config_name();
    assert_eq!(cloud.group("shop", "auth").await, Ok(None));
    let early = cloud.create_group(&group(), &config).await.unwrap_err();
    assert_eq!(early.kind, FaultKind::NotFound, "{early}");
    for _ in 0..2 {
        cloud.create_application("shop").await.unwrap();
        cloud.create_config(DAY).await.unwrap();
    }
    assert_eq!(cloud.group("shop", "auth").await, Ok(None));
    cloud.create_group(&group(), &config).await.unwrap();
    let twice = cloud.create_group(&group(), &config).await.unwrap_err();
    assert_eq!(twice.kind, FaultKind::AlreadyExists, "{twice}");

    let made = cloud.group("shop", "auth").await.unwrap().unwrap();
    assert_eq!((made.config.as_str(), made.rolls_back), (config.as_str(), true));
    assert_eq!(Group { is_own: true, ..made.group }, group());

    let alarmed = Group {
        alarms: vec!["errors".to_owned()],
        ignores_unreadable_alarms: true,
        triggers: Vec::new(),
        ..group()
    };
    cloud.update_group(&alarmed, "CodeDeployDefault.LambdaAllAtOnce").await.unwrap();
    let changed = cloud.group("shop", "auth").await.unwrap().unwrap();
    assert_eq!(Group { is_own: true, ..changed.group }, alarmed);
    assert_eq!(cloud.delete_config(&config).await, Ok(true));
    assert_eq!(cloud.delete_config(&config).await, Ok(true), "absent is success");
    local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_followed_and_stopped_with_its_rollback() {
    let directory = tempfile::tempdir().unwrap();
    let (local, cloud) = prepared(directory.path()).await;
    let config = DAY.config_name();
    cloud.create_application("shop").await.unwrap();
    cloud.create_config(DAY).await.unwrap();
    cloud.create_group(&group(), &config).await.unwrap();
    assert_eq!(cloud.delete_config(&config).await, Ok(false), "a group uses it");

    let id = cloud.create_deployment(&deployment(&config, "whose")).await.unwrap();
    let second = cloud.create_deployment(&deployment(&config, "other")).await.unwrap_err();
    assert_eq!(second.code.as_deref(), Some("DeploymentLimitExceededException"));

    let ten = Weight::from_bp(1000);
    let target = loop {
        match cloud.target(&id).await.unwrap() {
            Some(target) if target.weight == ten => break target,
            _ => {}
        }
    };
    assert_eq!(target.status, "InProgress");
    let allow = target.events.iter().find(|event| event.name == "AllowTraffic").unwrap();
    assert_eq!(allow.status, "InProgress");
    let alias = cloud.get_alias(&name("auth"), &live()).await.unwrap().unwrap();
    assert_eq!(
        alias.extra.map(|extra| (extra.version, Some(extra.weight))),
        Some((VersionId(2), ten))
    );
    assert_eq!(alias.description, "mine", "CodeDeploy leaves it alone");

    // Of its group and of the account, as long as it is active.
    for of in [Some(("shop", "auth")), None] {
        assert_eq!(cloud.list_deployments(of, 0, true).await.unwrap(), [id.as_str()]);
    }
    assert_eq!(view(&cloud, &id).await.description, "whose");

    cloud.stop(&id).await.unwrap();
    cloud.stop(&id).await.unwrap();
    let stopped = ended(&cloud, &id).await;
    assert_eq!(stopped.status, "Stopped");
    assert_eq!(stopped.error.unwrap().0, "MANUAL_STOP");
    let back = ended(&cloud, &stopped.rolled_back_by.unwrap()).await;
    assert_eq!((back.status.as_str(), back.puts_back.as_deref()), ("Succeeded", Some(id.as_str())));
    let alias = cloud.get_alias(&name("auth"), &live()).await.unwrap().unwrap();
    assert_eq!((alias.main(), alias.extra), (Some(VersionId(1)), None));

    let listed = cloud.list_deployments(None, 0, false).await.unwrap();
    assert_eq!(listed, [back.id, id], "the newest first");
    assert!(cloud.list_deployments(None, 0, true).await.unwrap().is_empty());
    let later = local.clock().now_ms() / 1000 + 86_400;
    let later = cloud.list_deployments(None, u64::try_from(later).unwrap(), false).await.unwrap();
    assert!(later.is_empty());
    local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_at_once_succeeds_and_what_cannot_begin_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let (local, cloud) = prepared(directory.path()).await;
    let config = "CodeDeployDefault.LambdaAllAtOnce";
    cloud.create_application("shop").await.unwrap();
    cloud.create_group(&group(), config).await.unwrap();
    let id = cloud.create_deployment(&deployment(config, "")).await.unwrap();
    assert_eq!(ended(&cloud, &id).await.status, "Succeeded");
    assert_eq!(cloud.target(&id).await.unwrap().unwrap().weight, Some(Weight::FULL));

    // The alias is on version 2 by now.
    let id = cloud.create_deployment(&deployment(config, "")).await.unwrap();
    let failed = ended(&cloud, &id).await;
    let (code, words) = failed.error.unwrap();
    assert_eq!((failed.status.as_str(), code.as_str()), ("Failed", "INVALID_LAMBDA_CONFIGURATION"));
    assert!(words.contains("does not match the current version in AppSpec"), "{words}");
    local.shutdown().await;
}
