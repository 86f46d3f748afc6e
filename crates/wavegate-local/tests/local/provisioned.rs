//! Provisioned concurrency: environments that are there before anybody asks for them.

use serde_json::{Value, json};

use crate::support::{Client, start, unbase64};

const KIND: &str = "import os\n\
                    kind = os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n\
                    print('init', kind)\n\
                    def handler(event, context): return kind";

const FAILS_AHEAD: &str = "import os\n\
                           kind = os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n\
                           if kind != 'on-demand': raise Exception('not ahead')\n\
                           def handler(event, context): return kind";

impl Client {
    async fn provision(&mut self, name: &str, qualifier: &str, count: u32) {
        let path = path(name, qualifier);
        let input = json!({ "ProvisionedConcurrentExecutions": count }).to_string();
        let answer = self.send("PUT", &path, &[], input).await;
        assert_eq!((answer.status, &answer.json()["Status"]), (202, &json!("IN_PROGRESS")));
    }

    /// The configuration when its environments have been started or have failed to.
    async fn provisioned(&mut self, name: &str, qualifier: &str) -> Value {
        loop {
            let shown = self.send("GET", &path(name, qualifier), &[], "").await.json();
            if shown["Status"] != "IN_PROGRESS" {
                return shown;
            }
        }
    }

    /// Waits until there are so many environments.
    async fn environments(&mut self, count: u64) {
        while self.status().await["environments"] != count {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    async fn log_of(&mut self, name: &str) -> (Value, String) {
        let answer = self.invoke(name, json!({})).await;
        (answer.json(), unbase64(answer.header("x-amz-log-result").unwrap()))
    }
}

fn path(name: &str, qualifier: &str) -> String {
    format!("/2019-09-30/functions/{name}/provisioned-concurrency?Qualifier={qualifier}")
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_are_started_ahead_and_ended_with_their_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", KIND)]).await;
    client.publish("fn").await;
    client.provision("fn", "1", 2).await;
    let shown = client.provisioned("fn", "1").await;
    assert_eq!(shown["Status"], "READY", "{shown}");
    assert_eq!(shown["AvailableProvisionedConcurrentExecutions"], 2);
    client.environments(2).await;
    let (kind, log) = client.log_of("fn:1").await;
    assert_eq!(kind, "provisioned-concurrency");
    assert!(!log.contains("init") && !log.contains("Init Duration"), "{log}");
    // `$LATEST` is not provisioned.
    assert_eq!(client.log_of("fn").await.0, "on-demand");
    client.environments(3).await;
    client.provision("fn", "1", 1).await;
    client.environments(2).await;
    assert_eq!(client.provisioned("fn", "1").await["Status"], "READY");
    let deleted = client.send("DELETE", &path("fn", "1"), &[], "").await;
    assert_eq!(deleted.status, 204);
    client.environments(1).await;
    assert_eq!(client.log_of("fn:1").await.0, "on-demand");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_fails_ahead_fails_its_configuration_and_serves_on_demand() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", FAILS_AHEAD)]).await;
    client.publish("fn").await;
    client.provision("fn", "1", 1).await;
    let shown = client.provisioned("fn", "1").await;
    assert_eq!(shown["Status"], "FAILED");
    assert_eq!(shown["StatusReason"], "FUNCTION_ERROR_INIT_FAILURE");
    assert_eq!(shown["AllocatedProvisionedConcurrentExecutions"], 0);
    assert_eq!(client.log_of("fn:1").await.0, "on-demand");
    client.environments(1).await;
    let log = Client::written(directory.path(), "fn");
    assert_eq!(log.matches("[ERROR] Exception: not ahead").count(), 6, "{log}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_takes_its_provisioned_environments_along() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    client.create("fn", "python3.13", &[("app.py", KIND)]).await;
    client.publish("fn").await;
    client
        .update_code("fn", &[("app.py", &KIND.replace("return kind", "return 'two ' + kind"))])
        .await;
    client.publish("fn").await;
    let alias = json!({ "Name": "live", "FunctionVersion": "1" });
    client.call("POST", "/fn/aliases", alias).await;
    client.provision("fn", "live", 1).await;
    assert_eq!(client.provisioned("fn", "live").await["Status"], "READY");
    assert_eq!(client.log_of("fn:live").await.0, "provisioned-concurrency");
    client.call("PUT", "/fn/aliases/live", json!({ "FunctionVersion": "2" })).await;
    assert_eq!(client.provisioned("fn", "live").await["Status"], "READY");
    assert_eq!(client.log_of("fn:live").await.0, "two provisioned-concurrency");
    client.environments(1).await;
    cloud.shutdown().await;
}
