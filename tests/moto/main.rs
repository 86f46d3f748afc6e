//! The same manifest on a second AWS that others wrote: moto (PyPI) answers for Lambda, IAM and STS,
//! the local cloud for CloudWatch, because moto does not speak the protocol (rpc-v2-cbor) of the
//! CloudWatch SDK. What wavegate does is judged by moto's own answers to the AWS CLI, and by its log.
//!
//! What cannot be shown here, because moto has less than AWS:
//! - Preconditions. moto has no `RevisionId` on functions, ignores `RevisionId` and `CodeSha256` in
//!   requests, and never changes an alias's `RevisionId`: a lost race cannot be provoked. wavegate
//!   must not lean on that lack either; once it did, and took every answer for a stale one.
//! - Weights that AWS would refuse: moto stores any.
//! - States. A function of moto is `Active` at once: nothing is ever `Pending` or `InProgress`.
//! - Traffic. moto runs functions in Docker, so no alias is called and no metric is made; alarms
//!   are set by hand.
//!
//! Each of these is shown on the local cloud by the end-to-end tests.

mod doctor;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};

use serde_json::{Value, json};
use wavegate_tests::binary::{Cloud, Finished, LIMIT, LocalCloud, Project, has_tool};

const ALARM: &str = "orders-5xx";

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// `store` goes all at once, `orders` by a canary and only after it.
const MANIFEST: &str = r#"
[app]
name = "twin"
target = "aws"
region = "eu-west-1"

[defaults]
runtime = "python3.13"
handler = "app.handler"
role = "arn:aws:iam::123456789012:role/twin"

[functions.store]
code = "store"
strategy = "AllAtOnce"

[functions.orders]
code = "orders"
depends_on = ["store"]
strategy = "short"
alarms = ["orders"]
bake = "1s"

[strategies.short]
use = "canary"
percent = 10
bake = "1s"

[alarms.orders]
use = "cloudwatch-alarm"
alarm = "orders-5xx"
"#;

/// moto under way, on a port that it chose. It is killed when this goes away.
struct Moto {
    child: Child,
    log: Receiver<String>,
    server: Cloud,
}

impl Moto {
    fn start(project: &Project) -> Self {
        let mut command = project.command("moto_server");
        command.args(["-H", "127.0.0.1", "-p", "0"]).env("PYTHONUNBUFFERED", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("moto starts");
        let lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Read to the end even when nobody listens: a full pipe would stop moto.
                let _ = sender.send(line);
            }
        });
        let mut moto = Self { child, log, server: Cloud { url: String::new() } };
        let told = moto.log_until("Running on ");
        let (_, url) = told.last().and_then(|line| line.split_once("Running on ")).expect("a url");
        url.trim().clone_into(&mut moto.server.url);
        moto
    }

    /// The lines of the log since the last look, up to one that contains `text`.
    fn log_until(&self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.log.recv_timeout(LIMIT);
            lines.push(line.unwrap_or_else(|_| panic!("no `{text}` in moto's log: {lines:#?}")));
            if lines.last().is_some_and(|line| line.contains(text)) {
                return lines;
            }
        }
    }

    /// The writes that moto has answered since the last look, as `METHOD path`.
    fn writes(&self) -> Vec<String> {
        // A request is logged before it is answered, so all before this one are in the log.
        let _ = self.server.send("GET", "/moto-api/data.json", "application/json", "");
        let lines = self.log_until("GET /moto-api/data.json");
        let requests = lines.iter().filter_map(|line| line.split('"').nth(1));
        let requests = requests.filter(|request| !request.starts_with("GET "));
        requests.filter_map(|r| Some(r.rsplit_once(' ')?.0.to_owned())).collect()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_code(project: &Project, text: &str) {
    for function in ["store", "orders"] {
        let code = format!("def handler(event, context):\n    return \"{text}\"\n");
        project.write(&format!("{function}/app.py"), &code);
    }
}

/// An app, and two halves of an AWS to deploy it to.
struct Twin {
    project: Project,
    moto: Moto,
    cloud: LocalCloud,
}

impl Twin {
    /// `None` where moto or the AWS CLI is missing.
    fn new() -> Option<Self> {
        // Both are looked for, so that both are told to be missing.
        let is_here = [
            has_tool("moto, a second AWS", &["moto_server", "--help"]),
            has_tool("the AWS CLI", &["aws", "--version"]),
        ];
        if is_here.contains(&false) {
            return None;
        }
        let mut project = Project::new();
        project.write("deploy.toml", MANIFEST);
        set_code(&project, "one");
        let moto = Moto::start(&project);
        let cloud = project.start_cloud(&[]);
        for (name, value) in [
            ("AWS_ENDPOINT_URL", moto.server.url.as_str()),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", cloud.cloud.url.as_str()),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_PAGER", ""),
        ] {
            project.set(name, value);
        }
        let twin = Self { project, moto, cloud };
        twin.aws(&[
            "iam",
            "create-role",
            "--role-name",
            "twin",
            "--assume-role-policy-document",
            TRUST,
        ]);
        twin.cloud.cloud.put_alarm(ALARM);
        twin.set_alarm("OK");
        Some(twin)
    }

    fn aws(&self, arguments: &[&str]) -> Finished {
        self.project.tool("aws", arguments).expect(0)
    }

    /// With the CLI, which speaks to CloudWatch in another protocol than wavegate.
    fn set_alarm(&self, state: &str) {
        self.aws(&[
            "cloudwatch",
            "set-alarm-state",
            "--alarm-name",
            ALARM,
            "--state-value",
            state,
            "--state-reason",
            "set by hand",
        ]);
    }

    /// The version that the alias of a function serves, and its weights, as moto says.
    fn alias(&self, function: &str) -> (Value, Value) {
        let asked = ["lambda", "get-alias", "--function-name", function, "--name", "live"];
        let alias = self.aws(&asked).json();
        let weights = alias["RoutingConfig"]["AdditionalVersionWeights"].clone();
        (alias["FunctionVersion"].clone(), weights)
    }

    fn serves(&self, version: &str) {
        for function in ["store", "orders"] {
            let (main, weights) = self.alias(function);
            assert_eq!(main, version, "{function}");
            assert!(weights.as_object().is_none_or(serde_json::Map::is_empty), "{weights}");
        }
        let number = version.parse().ok();
        let all = self.project.status().all();
        assert!(all.len() == 2 && all.values().all(|serves| *serves == number), "{all:?}");
    }
}

/// The functions whose candidates got all of the traffic, in order.
fn promoted(release: &Finished) -> Vec<&str> {
    let whole = release.of("weight").into_iter().filter(|weight| weight["actual_bp"] == 10_000);
    whole.filter_map(|weight| weight["function"].as_str()).collect()
}

#[test]
fn an_app_is_deployed_shifted_and_rolled_back_on_a_second_aws() {
    let Some(twin) = Twin::new() else { return };
    let project = &twin.project;
    let _ = twin.moto.writes();

    let plan = project.run(&["plan", "--output", "json"]).expect(0).json();
    assert_eq!(plan["functions"]["orders"]["standing"], "new", "{plan}");
    assert_eq!(twin.moto.writes(), [""; 0], "a plan writes nothing");

    let first = project.deploy().expect(0);
    assert_eq!(promoted(&first), ["store", "orders"], "{first}");
    let written = twin.moto.writes();
    let created = written.iter().filter(|write| *write == "POST /2015-03-31/functions");
    assert_eq!(created.count(), 2, "{written:#?}");
    twin.serves("1");

    let unchanged = project.deploy().expect(0);
    assert_eq!(twin.moto.writes(), [""; 0], "{unchanged}");

    set_code(project, "two");
    let mut canary = project.begin_deploy();
    canary.wait_weight("orders", 1000);
    assert_eq!(twin.alias("orders"), (json!("1"), json!({ "2": 0.1 })));
    let canary = canary.finish().expect(0);
    assert_eq!(promoted(&canary), ["store", "orders"], "{canary}");
    assert_eq!(canary.functions("retry"), [""; 0], "{canary}");
    let written = twin.moto.writes();
    let uploads = written.iter().filter(|write| write.ends_with("/code"));
    assert_eq!(uploads.count(), 2, "{written:#?}");
    twin.serves("2");

    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    assert_eq!(promoted(&back), ["orders", "store"], "dependents first: {back}");
    let written = twin.moto.writes();
    let published = written.iter().filter(|write| !write.contains("/aliases"));
    assert_eq!(published.count(), 0, "what exists is not published again: {written:#?}");
    twin.serves("1");
}

#[test]
fn an_alarm_that_is_set_in_mid_shift_puts_back_all_that_was_promoted() {
    let Some(twin) = Twin::new() else { return };
    let project = &twin.project;
    let _ = project.deploy().expect(0);
    set_code(project, "two");
    project.edit("deploy.toml", "percent = 10\nbake = \"1s\"", "percent = 10\nbake = \"10h\"");

    let mut deploy = project.begin_deploy();
    deploy.wait_weight("orders", 1000);
    assert_eq!(twin.alias("store").0, "2", "what it depends on is promoted");
    twin.set_alarm("ALARM");
    let failed = deploy.finish().expect(1);
    assert!(failed.about("alarm", "orders").iter().any(|alarm| alarm["status"] == "firing"));
    assert_eq!(failed.functions("put_back"), ["orders", "store"], "{failed}");
    twin.serves("1");
    assert_eq!(project.status().lock(), Some("rolled_back"));

    // While the alarm is red, nothing starts.
    let refused = project.deploy().expect(3);
    assert!(refused.has_code("WG413"), "{refused}");
    twin.serves("1");
}

#[test]
fn a_role_that_does_not_exist_fails_the_release_in_words() {
    let Some(twin) = Twin::new() else { return };
    twin.project.edit("deploy.toml", "role/twin", "role/nobody");
    let failed = twin.project.deploy().expect(1);
    assert!(failed.stderr.contains("cannot be assumed by Lambda"), "{failed}");
    let all = twin.project.status().all();
    assert!(all.values().all(Option::is_none), "{all:?}");
}

#[test]
fn a_manifest_of_what_a_second_aws_has_changes_nothing_there() {
    let Some(twin) = Twin::new() else { return };
    let project = &twin.project;
    let _ = project.deploy().expect(0);
    let _ = twin.moto.writes();

    // moto serves no code, so it is what it was before.
    let asked = ["init", "again", "--from-function", "store", "--from-function", "orders"];
    let told = project.run(&asked).expect(0);
    assert!(told.stderr.contains("2 functions: "), "{told}");
    for function in ["store", "orders"] {
        project.copy(&project.path(function), &format!("again/functions/{function}"));
    }
    let asked = ["plan", "-c", "again/deploy.toml", "--output", "json"];
    let plan = project.run(&asked).expect(0).json();
    for function in ["store", "orders"] {
        assert_eq!(plan["functions"][function]["standing"], "unchanged", "{plan}");
    }
    let missing = project.run(&["init", "else", "--from-function", "nobody"]).expect(2);
    assert!(missing.has_code("WG160"), "{missing}");
    assert_eq!(twin.moto.writes(), [""; 0], "to look writes nothing");
}
