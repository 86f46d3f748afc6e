//! CodeDeploy on Lambda's model, on a clock that is moved by hand.

mod hooks;
mod refusals;
mod rollbacks;
mod traffic;

use serde_json::json;

use std::collections::BTreeMap;

use super::fault::FaultKind;
use super::*;
use crate::cloudwatch::AlarmState;
use crate::ids::SeededIds;
use crate::lambda::input::{
    Code, ConfigurationInput, CreateAlias, CreateFunction, PublishVersion, UpdateFunctionCode,
};
use crate::lambda::model::Lambda;
use crate::rows::Keeper as _;

const ROLE: &str = "arn:aws:iam::000000000000:role/deploy";
const SETTLE: i64 = 250;
const MINUTE: i64 = 60_000;

/// CodeDeploy, Lambda and alarms.
struct Bench {
    codedeploy: CodeDeploy,
    lambda: Lambda,
    ids: SeededIds,
    alarms: BTreeMap<String, AlarmState>,
    /// What is stored, by kind and key.
    disk: BTreeMap<(&'static str, String), Value>,
    now: i64,
}

impl Bench {
    /// The function `shop` with three versions and the alias `live` on the first, the application `app`
    /// and its group `group`, for which everything rolls back.
    fn new() -> Self {
        let mut bench = Self {
            codedeploy: CodeDeploy::new("us-east-1", "000000000000"),
            lambda: Lambda::new("us-east-1", "000000000000", SETTLE),
            ids: SeededIds::from_seed(1),
            alarms: BTreeMap::new(),
            disk: BTreeMap::new(),
            now: 1_000_000,
        };
        bench.function("shop");
        bench.ok(
            "CreateApplication",
            json!({ "applicationName": "app", "computePlatform": "Lambda" }),
        );
        bench.ok("CreateDeploymentGroup", group());
        bench
    }

    fn function(&mut self, name: &str) {
        let configuration = ConfigurationInput {
            runtime: Some("python3.13".into()),
            handler: Some("app.handler".into()),
            role: Some(ROLE.into()),
            ..ConfigurationInput::default()
        };
        let input = CreateFunction {
            function_name: name.into(),
            configuration,
            ..CreateFunction::default()
        };
        let (lambda, ids) = (&mut self.lambda, &mut self.ids);
        lambda.create_function(self.now, ids, input, code(0)).unwrap();
        for version in 1..=3 {
            self.now += SETTLE;
            let input = PublishVersion::default();
            lambda.publish_version(self.now, ids, name, &input).unwrap();
            self.now += SETTLE;
            let input = UpdateFunctionCode::default();
            lambda.update_function_code(self.now, ids, name, &input, code(version)).unwrap();
        }
        let input = CreateAlias {
            name: "live".into(),
            function_version: "1".into(),
            ..CreateAlias::default()
        };
        lambda.create_alias(self.now, ids, name, input).unwrap();
    }

    fn call(&mut self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.codedeploy.perform(self.now, &mut self.ids, operation, input)
    }

    fn ok(&mut self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap()
    }

    fn refused(&mut self, operation: &str, input: Value) -> FaultKind {
        self.call(operation, input).unwrap_err().kind
    }

    /// Starts a deployment from version 1 to 2, and says its id.
    fn deploy(&mut self, config: &str, more: Value) -> String {
        self.deploy_spec(config, &spec("1", "2", &json!([])), more)
    }

    fn deploy_spec(&mut self, config: &str, spec: &Value, more: Value) -> String {
        let mut input = creation(&spec.to_string());
        if !config.is_empty() {
            input["deploymentConfigName"] = json!(config);
        }
        merge(&mut input, more);
        let made = self.ok("CreateDeployment", input);
        made["deploymentId"].as_str().unwrap().to_owned()
    }

    /// Lets so many milliseconds pass, everything at its moment.
    fn pass(&mut self, ms: i64) {
        let end = self.now + ms;
        loop {
            let (ids, lambda) = (&mut self.ids, &mut self.lambda);
            let next = self.codedeploy.advance(self.now, ids, lambda, &self.alarms);
            match next.filter(|next| *next <= end) {
                Some(next) => {
                    assert!(next > self.now, "what is due is done");
                    self.now = next;
                }
                None => break,
            }
        }
        self.now = end;
    }

    /// The alias's main version, and the percentage of the additional one.
    fn alias(&self) -> (String, Option<(String, i64)>) {
        let alias = self.lambda.get_alias("shop", "live").unwrap();
        let weights = alias.routing_config.and_then(|it| it.additional_version_weights);
        #[expect(clippy::cast_possible_truncation, reason = "a percentage")]
        let percent = |weight: f64| (weight * 100.0).round() as i64;
        let additional = weights.unwrap_or_default().into_iter().next();
        (alias.function_version, additional.map(|(version, weight)| (version, percent(weight))))
    }

    /// The weight of version 2.
    fn weight(&self) -> i64 {
        match self.alias() {
            (main, None) if main == "2" => 100,
            (_, Some((version, percent))) if version == "2" => percent,
            _ => 0,
        }
    }

    fn revision_id(&self) -> String {
        self.lambda.get_alias("shop", "live").unwrap().revision_id
    }

    fn info(&mut self, id: &str) -> Value {
        self.ok("GetDeployment", json!({ "deploymentId": id }))["deploymentInfo"].clone()
    }

    fn status(&mut self, id: &str) -> String {
        self.info(id)["status"].as_str().unwrap().to_owned()
    }

    fn code_of(&mut self, id: &str) -> String {
        self.info(id)["errorInformation"]["code"].as_str().unwrap_or_default().to_owned()
    }

    fn target(&mut self, id: &str) -> Value {
        let input = json!({ "deploymentId": id, "targetId": "shop" });
        self.ok("GetDeploymentTarget", input)["deploymentTarget"]["lambdaTarget"].clone()
    }

    /// Lifecycle events that are not pending, with their statuses.
    fn events(&mut self, id: &str) -> Vec<String> {
        let target = self.target(id);
        let events = target["lifecycleEvents"].as_array().unwrap().iter();
        let pair = |event: &Value| {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            format!("{} {}", text("lifecycleEventName"), text("status"))
        };
        events.map(pair).filter(|event| !event.ends_with("Pending")).collect()
    }

    /// What a restart of the local cloud does: all that was stored is read again, and nothing else.
    fn restart(&mut self) {
        for (kind, key, record) in self.codedeploy.changes().unwrap() {
            match record {
                Some(text) => self.disk.insert((kind, key), serde_json::from_str(&text).unwrap()),
                None => self.disk.remove(&(kind, key)),
            };
        }
        self.codedeploy = CodeDeploy::new("us-east-1", "000000000000");
        let rows = self
            .disk
            .iter()
            .map(|((kind, key), record)| ((*kind).to_owned(), key.clone(), record.clone()));
        self.codedeploy.restore_rows(rows.collect()).unwrap();
    }
}

fn code(number: u32) -> Code {
    Code::Zip { sha256: format!("{number:0>43}="), size: 1 }
}

fn group() -> Value {
    json!({
        "applicationName": "app", "deploymentGroupName": "group", "serviceRoleArn": ROLE,
        "autoRollbackConfiguration": { "enabled": true, "events": [
            "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"] },
    })
}

fn spec(current: &str, target: &str, hooks: &Value) -> Value {
    json!({
        "version": 0.0,
        "Resources": [{ "shop": { "Type": "AWS::Lambda::Function", "Properties": {
            "Name": "shop", "Alias": "live", "CurrentVersion": current, "TargetVersion": target } } }],
        "Hooks": hooks,
    })
}

fn creation(content: &str) -> Value {
    json!({
        "applicationName": "app", "deploymentGroupName": "group",
        "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": content } },
    })
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}
