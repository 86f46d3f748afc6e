//! Lists: complete, or an error.

use wavegate_core::name::VersionId;
use wavegate_engine::ports::{Cloud, FaultKind};

use crate::server::{Answer, Server};
use crate::{cloud, function};

fn aliases(names: &[&str], next: Option<&str>) -> Answer {
    let aliases: Vec<_> = names
        .iter()
        .map(|name| serde_json::json!({ "Name": name, "FunctionVersion": "1", "RevisionId": "r" }))
        .collect();
    Answer::json(200, &serde_json::json!({ "Aliases": aliases, "NextMarker": next }).to_string())
}

fn versions(numbers: &[&str], next: Option<&str>) -> Answer {
    let versions: Vec<_> = numbers
        .iter()
        .map(|number| serde_json::json!({ "Version": number, "CodeSha256": "sum" }))
        .collect();
    Answer::json(200, &serde_json::json!({ "Versions": versions, "NextMarker": next }).to_string())
}

#[tokio::test]
async fn a_list_goes_on_over_an_empty_page_to_its_end() {
    let server = Server::start([
        aliases(&["a", "b"], Some("m1")),
        aliases(&[], Some("m2")),
        aliases(&["c"], None),
    ])
    .await;
    let found = cloud(&server.url).await.list_aliases(&function()).await.unwrap().unwrap();
    let names: Vec<_> = found.iter().map(|alias| alias.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let lines: Vec<_> = server.requests().into_iter().map(|request| request.line).collect();
    assert!(!lines[0].contains("Marker"), "{lines:?}");
    assert!(lines[1].contains("Marker=m1") && lines[2].contains("Marker=m2"), "{lines:?}");
}

#[tokio::test]
async fn versions_come_without_latest() {
    let server = Server::start([
        versions(&["$LATEST", "1"], Some("m1")),
        versions(&["$LATEST.PUBLISHED", "12"], Some("")),
    ])
    .await;
    let found = cloud(&server.url).await.list_versions(&function()).await.unwrap();
    let numbers: Vec<_> = found.iter().map(|entry| entry.version).collect();
    assert_eq!(numbers, [VersionId(1), VersionId(12)]);
}

#[tokio::test]
async fn an_answer_without_a_list_is_no_empty_list() {
    for body in ["", "{}"] {
        let server = Server::start([Answer::json(200, body), Answer::json(200, body)]).await;
        let cloud = cloud(&server.url).await;
        let error = cloud.list_aliases(&function()).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::Unknown, "{body}: {error}");
        let error = cloud.list_versions(&function()).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::Unknown, "{body}: {error}");
    }
}

#[tokio::test]
async fn a_list_is_never_silently_short() {
    let repeated = || versions(&["1"], Some("m1"));
    let server = Server::start([repeated(), repeated()]).await;
    let error = cloud(&server.url).await.list_versions(&function()).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unknown);
    assert!(error.message.contains("repeats a page"), "{error}");

    let server = Server::start([versions(&["1"], Some("m1")), Answer::cut()]).await;
    let error = cloud(&server.url).await.list_versions(&function()).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unknown);

    let server = Server::start([versions(&["one"], None)]).await;
    let error = cloud(&server.url).await.list_versions(&function()).await.unwrap_err();
    assert!(error.message.contains("`one` is not a number"), "{error}");
}
