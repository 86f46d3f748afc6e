//! A CloudWatch that answers recorded values over its real wire format (rpc-v2-cbor) and keeps
//! what it was asked.

use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudwatch::{Client, Config};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use serde_json::Value;
use wavegate_plugin_sdk::{AlarmQuery, AlarmSubject, CloudAccess, Look};

pub(crate) struct Replay(StaticReplayClient);

/// One call, as it was sent.
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Replay {
    pub(crate) fn new(answers: &[Value]) -> Self {
        Self(StaticReplayClient::new(answers.iter().map(|body| event(200, body)).collect()))
    }

    pub(crate) fn refusing(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"__type": code, "message": message});
        Self(StaticReplayClient::new(vec![event(status, &body)]))
    }

    pub(crate) fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("k", "s", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(self.0.clone())
            .build();
        Client::from_conf(config)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.0
            .actual_requests()
            .map(|request| Asked {
                path: request.uri().to_owned(),
                body: from_cbor(request.body().bytes().expect("held in memory")),
            })
            .collect()
    }
}

fn event(status: u16, body: &Value) -> ReplayEvent {
    let mut response =
        HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(to_cbor(body)));
    response.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
    response.headers_mut().insert("content-type", "application/cbor");
    ReplayEvent::new(HttpRequest::new(SdkBody::empty()), response)
}

fn to_cbor(body: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&tagged(body), &mut bytes).unwrap();
    bytes
}

/// JSON as CBOR, where `{"$ms": n}` stands for CBOR's tagged timestamps.
fn tagged(json: &Value) -> ciborium::Value {
    use ciborium::Value as Cbor;
    match json {
        Value::Object(fields) => match fields.get("$ms") {
            Some(millis) => {
                let seconds = millis.as_f64().unwrap() / 1_000.0;
                Cbor::Tag(1, Box::new(Cbor::Float(seconds)))
            }
            None => Cbor::Map(
                fields
                    .iter()
                    .map(|(key, value)| (Cbor::Text(key.clone()), tagged(value)))
                    .collect(),
            ),
        },
        Value::Array(items) => Cbor::Array(items.iter().map(tagged).collect()),
        other => Cbor::serialized(other).unwrap(),
    }
}

fn from_cbor(bytes: &[u8]) -> Value {
    untagged(ciborium::from_reader(bytes).unwrap())
}

/// CBOR as JSON; timestamps become their milliseconds.
fn untagged(cbor: ciborium::Value) -> Value {
    use ciborium::Value as Cbor;
    match cbor {
        Cbor::Tag(1, seconds) => serde_json::json!(whole_millis(&seconds)),
        Cbor::Map(fields) => fields
            .into_iter()
            .map(|(key, value)| (key.into_text().unwrap(), untagged(value)))
            .collect(),
        Cbor::Array(items) => items.into_iter().map(untagged).collect(),
        other => other.deserialized().unwrap(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the tests' times are whole seconds")]
fn whole_millis(seconds: &ciborium::Value) -> i64 {
    match seconds {
        ciborium::Value::Float(seconds) => (seconds * 1_000.0).round() as i64,
        ciborium::Value::Integer(seconds) => i64::try_from(*seconds).unwrap() * 1_000,
        other => panic!("{other:?}"),
    }
}

/// A question about version 5 of `auth`, which replaces version 4 and got traffic at minute 10.
pub(crate) fn query<C>(key: &str, config: C) -> AlarmQuery<C> {
    AlarmQuery {
        key: key.into(),
        config,
        subject: AlarmSubject {
            app: "shop".into(),
            function: "auth".into(),
            alias: "live".into(),
            stable: Some("4".into()),
            candidate: Some("5".into()),
        },
        look: Look::Watch,
        since_ms: Some(10 * MINUTE_MS + 15_000),
        now_ms: 13 * MINUTE_MS + 20_000,
        cloud: CloudAccess { region: "eu-west-1".into(), ..CloudAccess::default() },
    }
}

pub(crate) const MINUTE_MS: i64 = 60_000;
