//! What layers bring is there when function code runs, where Lambda's runtimes look for it.

use crate::support::{Client, base64, package, start};
use serde_json::{Value, json};

const RUNTIME: &str = r#"#!/bin/bash
export PYTHONPATH="${0%/*}/python"
exec python3 -c '
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    event = urllib.request.urlopen(api + "next")
    answer = api + event.headers["lambda-runtime-aws-request-id"] + "/response"
    urllib.request.urlopen(answer, data=json.dumps(os.environ["_HANDLER"]).encode())
'
"#;

const WRAPPER: &str = "#!/bin/sh\nexport WRAPPED=yes\nexec \"$@\"\n";

impl Client {
    /// Publishes a version of a layer, and tells its ARN.
    pub(crate) async fn layer<T: AsRef<[u8]>>(
        &mut self,
        name: &str,
        files: &[(&str, T)],
    ) -> String {
        let input = json!({ "Content": { "ZipFile": base64(&package(files)) } });
        let path = format!("/2018-10-31/layers/{name}/versions");
        let made = self.send("POST", &path, &[], input.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.json());
        made.json()["LayerVersionArn"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interpreters_find_the_modules_of_layers() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let one = [
        ("python/first.py", "NAME = 'one'"),
        ("python/second.py", "NAME = 'one'"),
        ("python/lib/python3.13/site-packages/third.py", "NAME = 'one'"),
        ("nodejs/node_modules/first/index.js", "module.exports = 'one';"),
        ("nodejs/node22/node_modules/second/index.js", "module.exports = 'one';"),
    ];
    let one = client.layer("one", &one).await;
    let two = client.layer("two", &[("python/second.py", "NAME = 'two'")]).await;
    let layers = json!({ "Layers": [one, two] });

    let code = "import first, second, third, own\n\
                def handler(event, context):\n    \
                    return [module.NAME for module in (first, second, third, own)]\n";
    let files = [("app.py", code), ("own.py", "NAME = 'own'")];
    client.create_with("py", "python3.13", &files, layers.clone()).await;
    assert_eq!(client.invoke("py", json!({})).await.json(), json!(["one", "two", "one", "own"]));

    let code = "exports.handler = async () => [require('first'), require('second')];";
    client.create_with("js", "nodejs22.x", &[("index.js", code)], layers).await;
    assert_eq!(client.invoke("js", json!({})).await.json(), json!(["one", "one"]));

    let without = client.call("PUT", "/py/configuration", json!({ "Layers": [] })).await;
    assert_eq!(without.json()["Layers"], Value::Null);
    client.settled("py").await;
    let failed = client.invoke("py", json!({})).await.json();
    assert_eq!(failed["errorType"], "Runtime.ImportModuleError", "{failed}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_brings_a_runtime_or_a_wrapper() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut client) = start(directory.path()).await;
    let runtime = client.layer("runtime", &[("bootstrap", RUNTIME)]).await;
    let files = [("app.txt", "nothing to run")];
    client.create_with("own", "provided.al2023", &files, json!({ "Layers": [runtime] })).await;
    assert_eq!(client.invoke("own", json!({})).await.json(), json!("app.handler"));

    let wrapper = client.layer("wrapper", &[("bin/bootstrap", WRAPPER)]).await;
    let more = json!({
        "Layers": [wrapper],
        "Environment": { "Variables": { "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/bootstrap" } },
    });
    let code = "import os, shutil\n\
                def handler(event, context):\n    \
                    return [os.environ['WRAPPED'], shutil.which('bootstrap') is not None]\n";
    client.create_with("py", "python3.13", &[("app.py", code)], more).await;
    assert_eq!(client.invoke("py", json!({})).await.json(), json!(["yes", true]));
    cloud.shutdown().await;
}
