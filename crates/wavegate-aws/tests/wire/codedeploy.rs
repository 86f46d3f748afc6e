//! CodeDeploy: what is sent, and what its answers are taken for.

use serde_json::{Value, json};
use wavegate_core::codedeploy::{Group, Routing, Trigger};
use wavegate_core::name::VersionId;
use wavegate_core::weight::Weight;
use wavegate_engine::ports::{CloudError, Deployments, FaultKind, NewDeployment};

use crate::cloud;
use crate::server::{Answer, Request, Server};

/// An answer as AWS JSON 1.1 has it.
fn answer(body: &Value) -> Answer {
    Answer::json(200, &body.to_string())
}

fn refusal(code: &str) -> Answer {
    let body = json!({ "__type": code, "message": "no" }).to_string();
    Answer::json(400, &body).header("x-amzn-requestid", "req-1")
}

/// The operation that a request asks for, and with what.
fn asked(request: &Request) -> (String, Value) {
    let target = request.header("x-amz-target").unwrap();
    (target.strip_prefix("CodeDeploy_20141006.").unwrap().to_owned(), request.json())
}

fn group() -> Group {
    Group {
        application: "shop".to_owned(),
        name: "auth".to_owned(),
        is_own: true,
        role: Some("arn:aws:iam::123456789012:role/deploy".to_owned()),
        alarms: vec!["errors".to_owned()],
        ignores_unreadable_alarms: true,
        triggers: vec![Trigger {
            name: "people".to_owned(),
            topic: "arn:aws:sns:eu-west-1:123456789012:people".to_owned(),
            events: vec!["DeploymentFailure".to_owned()],
        }],
        before: None,
        after: None,
    }
}

fn rollback() -> Value {
    json!({ "enabled": true, "events": [
        "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"] })
}

fn deployment(group: Group) -> NewDeployment {
    NewDeployment {
        group,
        config: "wavegate-Canary10Percent7Minutes".to_owned(),
        function: "shop-auth".to_owned(),
        alias: "live".to_owned(),
        current: VersionId(17),
        target: VersionId(18),
        description: "whose".to_owned(),
    }
}

#[tokio::test]
async fn an_own_group_is_sent_whole() {
    let server = Server::start([answer(&json!({ "deploymentGroupId": "g" })), answer(&json!({}))]);
    let server = server.await;
    let cloud = cloud(&server.url).await;
    cloud.create_group(&group(), "c").await.unwrap();
    let bare = Group { role: None, alarms: Vec::new(), triggers: Vec::new(), ..group() };
    cloud.update_group(&bare, "c").await.unwrap();
    let style =
        json!({ "deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL" });
    let created = json!({
        "applicationName": "shop",
        "deploymentGroupName": "auth",
        "deploymentConfigName": "c",
        "serviceRoleArn": "arn:aws:iam::123456789012:role/deploy",
        "alarmConfiguration": {
            "enabled": true, "ignorePollAlarmFailure": true, "alarms": [{ "name": "errors" }] },
        "triggerConfigurations": [{
            "triggerName": "people",
            "triggerTargetArn": "arn:aws:sns:eu-west-1:123456789012:people",
            "triggerEvents": ["DeploymentFailure"] }],
        "autoRollbackConfiguration": rollback(),
        "deploymentStyle": style,
    });
    // What the manifest no longer has is sent as empty, and a role that is not known left out.
    let updated = json!({
        "applicationName": "shop",
        "currentDeploymentGroupName": "auth",
        "deploymentConfigName": "c",
        "alarmConfiguration": { "enabled": false, "ignorePollAlarmFailure": true, "alarms": [] },
        "triggerConfigurations": [],
        "autoRollbackConfiguration": rollback(),
        "deploymentStyle": style,
    });
    let requests: Vec<_> = server.requests().iter().map(asked).collect();
    assert_eq!(
        requests,
        [
            ("CreateDeploymentGroup".to_owned(), created),
            ("UpdateDeploymentGroup".to_owned(), updated),
        ]
    );
}

#[tokio::test]
async fn a_deployment_brings_its_rollback_and_alarms_for_a_group_of_somebody_elses() {
    let alarms = json!({
        "enabled": true, "ignorePollAlarmFailure": true, "alarms": [{ "name": "errors" }] });
    for (is_own, sent) in [(true, Value::Null), (false, alarms)] {
        let server = Server::start([answer(&json!({ "deploymentId": "d-1" }))]).await;
        let new = deployment(Group { is_own, ..group() });
        let id = cloud(&server.url).await.create_deployment(&new).await.unwrap();
        assert_eq!(id, "d-1");
        let (operation, input) = asked(&server.request());
        assert_eq!(operation, "CreateDeployment");
        assert_eq!(input["overrideAlarmConfiguration"], sent);
        assert_eq!(input["autoRollbackConfiguration"], rollback());
        assert_eq!(input["deploymentConfigName"], "wavegate-Canary10Percent7Minutes");
        assert_eq!(input["description"], "whose");
        assert_eq!(input["revision"]["revisionType"], "AppSpecContent");
        let spec = &input["revision"]["appSpecContent"];
        let content: Value = serde_json::from_str(spec["content"].as_str().unwrap()).unwrap();
        let properties = &content["Resources"][0]["shop-auth"]["Properties"];
        assert_eq!(properties["CurrentVersion"], "17");
        assert_eq!(spec["sha256"].as_str().unwrap().len(), 64);
    }
}

#[tokio::test]
async fn a_config_says_what_its_name_says() {
    let config = |routing| async move {
        let server = Server::start([answer(&json!({ "deploymentConfigId": "c" }))]).await;
        cloud(&server.url).await.create_config(routing).await.unwrap();
        let (_, input) = asked(&server.request());
        assert_eq!(input["computePlatform"], "Lambda");
        (input["deploymentConfigName"].clone(), input["trafficRoutingConfig"].clone())
    };
    assert_eq!(
        config(Routing::Canary { percent: 33, minutes: 7 }).await,
        (
            json!("wavegate-Canary33Percent7Minutes"),
            json!({ "type": "TimeBasedCanary",
                "timeBasedCanary": { "canaryPercentage": 33, "canaryInterval": 7 } })
        )
    );
    assert_eq!(
        config(Routing::Linear { percent: 25, minutes: 1 }).await,
        (
            json!("wavegate-Linear25PercentEvery1Minute"),
            json!({ "type": "TimeBasedLinear",
                "timeBasedLinear": { "linearPercentage": 25, "linearInterval": 1 } })
        )
    );
}

#[tokio::test]
async fn deployments_are_listed_to_the_end_and_of_a_group_or_of_all() {
    let pages = [
        answer(&json!({ "deployments": ["d-3"], "nextToken": "t" })),
        answer(&json!({ "deployments": ["d-2", "d-1"] })),
        answer(&json!({ "deployments": [] })),
        answer(&json!({})),
    ];
    let server = Server::start(pages).await;
    let cloud = cloud(&server.url).await;
    let of = Some(("shop", "auth"));
    assert_eq!(
        cloud.list_deployments(of, 1_790_000_000, false).await.unwrap(),
        ["d-3", "d-2", "d-1"]
    );
    assert!(cloud.list_deployments(None, 0, true).await.unwrap().is_empty());
    // No list is no empty list.
    let error = cloud.list_deployments(None, 0, true).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unknown);
    let sent: Vec<Value> = server.requests().iter().map(|request| asked(request).1).collect();
    let of_group = json!({
        "applicationName": "shop", "deploymentGroupName": "auth",
        "createTimeRange": { "start": 1_790_000_000 } });
    assert_eq!(sent[0], of_group);
    assert_eq!(sent[1]["nextToken"], "t");
    assert_eq!(
        sent[2],
        json!({
            "createTimeRange": { "start": 0 },
            "includeOnlyStatuses": ["Created", "Queued", "InProgress", "Baking", "Ready"] })
    );
}

#[tokio::test]
async fn many_deployments_are_asked_for_twenty_five_at_a_time() {
    let info = json!({
        "deploymentId": "d-1", "applicationName": "shop", "deploymentGroupName": "auth",
        "description": "whose", "status": "Stopped",
        "errorInformation": { "code": "ALARM_ACTIVE", "message": "red" },
        "rollbackInfo": { "rollbackDeploymentId": "d-2", "rollbackMessage": "is in progress" },
    });
    let server = Server::start([
        answer(&json!({ "deploymentsInfo": [info] })),
        answer(&json!({ "deploymentsInfo": [] })),
    ])
    .await;
    let ids: Vec<String> = (0..26).map(|nth| format!("d-{nth}")).collect();
    let cloud = cloud(&server.url).await;
    let views = cloud.deployments(&ids).await.unwrap();
    assert_eq!(views.len(), 1);
    let view = &views[0];
    assert_eq!((view.status.as_str(), view.has_ended()), ("Stopped", true));
    assert_eq!(view.error, Some(("ALARM_ACTIVE".to_owned(), "red".to_owned())));
    assert_eq!((view.rolled_back_by.as_deref(), view.puts_back.as_deref()), (Some("d-2"), None));
    let sent: Vec<usize> = server
        .requests()
        .iter()
        .map(|request| asked(request).1["deploymentIds"].as_array().unwrap().len())
        .collect();
    assert_eq!(sent, [25, 1]);
    assert!(cloud.deployments(&[]).await.unwrap().is_empty(), "no call is made for none");
}

#[tokio::test]
async fn a_target_is_shown_with_its_share_and_its_events() {
    let target = json!({
        "deploymentTargetType": "LambdaTarget",
        "lambdaTarget": {
            "deploymentId": "d-1", "targetId": "shop-auth:live", "status": "Failed",
            "lifecycleEvents": [
                { "lifecycleEventName": "BeforeAllowTraffic", "status": "Failed",
                  "diagnostics": { "errorCode": "ScriptFailed", "message": "2 of 3" } },
                { "lifecycleEventName": "AllowTraffic", "status": "Pending" },
            ],
            "lambdaFunctionInfo": { "functionName": "shop-auth", "targetVersionWeight": 12.5 },
        },
    });
    let server = Server::start([
        answer(&json!({ "targetIds": ["shop-auth:live"] })),
        answer(&json!({ "deploymentTargets": [target] })),
        refusal("DeploymentNotStartedException"),
        answer(&json!({ "targetIds": [] })),
    ])
    .await;
    let cloud = cloud(&server.url).await;
    let view = cloud.target("d-1").await.unwrap().unwrap();
    assert_eq!(view.weight, Weight::from_bp(1250));
    let events =
        view.events.iter().map(|e| (e.name.as_str(), e.status.as_str(), e.message.as_deref()));
    let events = events.collect::<Vec<_>>();
    assert_eq!(
        events,
        [("BeforeAllowTraffic", "Failed", Some("2 of 3")), ("AllowTraffic", "Pending", None)]
    );
    // The id is CodeDeploy's own.
    assert_eq!(asked(&server.requests()[1]).1["targetIds"], json!(["shop-auth:live"]));
    for _ in 0..2 {
        assert_eq!(cloud.target("d-1").await, Ok(None));
    }
}

#[tokio::test]
async fn refusals_that_are_no_failures_are_taken_for_what_they_are() {
    let server = Server::start([
        refusal("ApplicationAlreadyExistsException"),
        refusal("DeploymentConfigAlreadyExistsException"),
        refusal("DeploymentConfigInUseException"),
        answer(&json!({})),
        refusal("DeploymentGroupDoesNotExistException"),
        refusal("ApplicationDoesNotExistException"),
        refusal("DeploymentAlreadyCompletedException"),
    ])
    .await;
    let cloud = cloud(&server.url).await;
    assert_eq!(cloud.create_application("shop").await, Ok(()));
    assert_eq!(cloud.create_config(Routing::Canary { percent: 1, minutes: 1 }).await, Ok(()));
    assert_eq!(cloud.delete_config("wavegate-x").await, Ok(false));
    assert_eq!(cloud.delete_config("wavegate-x").await, Ok(true));
    assert_eq!(cloud.group("shop", "auth").await, Ok(None));
    assert_eq!(cloud.group("shop", "auth").await, Ok(None));
    assert_eq!(cloud.stop("d-1").await, Ok(()));
    let last = server.requests().pop().unwrap();
    assert_eq!(asked(&last).1, json!({ "deploymentId": "d-1", "autoRollbackEnabled": true }));
}

#[tokio::test]
async fn other_refusals_keep_their_code() {
    let refused = |code: &'static str| async move {
        let server = Server::start([refusal(code)]).await;
        let error: CloudError =
            cloud(&server.url).await.create_deployment(&deployment(group())).await.unwrap_err();
        assert_eq!(error.code.as_deref(), Some(code));
        assert_eq!(server.requests().len(), 1, "the port repeated a write");
        error.kind
    };
    for (code, kind) in [
        ("DeploymentLimitExceededException", FaultKind::Invalid),
        ("ApplicationDoesNotExistException", FaultKind::NotFound),
        ("ThrottlingException", FaultKind::Throttled),
        ("AccessDeniedException", FaultKind::Denied),
        ("UnrecognizedClientException", FaultKind::Credentials),
    ] {
        assert_eq!(refused(code).await, kind, "{code}");
    }
}
