//! `cloudwatch-alarm`: the state of an alarm that exists.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::{DateTime, DateTimeFormat};
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use schemars::JsonSchema;
use serde::Deserialize;
use wavegate_plugin_sdk::aws::{self, Service};
use wavegate_plugin_sdk::{
    AlarmProvider, AlarmQuery, AlarmReading, AlarmStatus, CallContext, CloudAccess, Diagnostics,
    PluginError, text,
};

use crate::link;

/// The provider.
pub struct CloudWatchAlarm;

/// What people write for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "alarm": "checkout-5xx" }]))]
pub struct AlarmConfig {
    /// The name of a metric or composite alarm in the release's region.
    #[schemars(length(min = 1, max = 255))]
    pub alarm: String,
}

/// How many names one `DescribeAlarms` takes, and how many alarms it gives back at most.
const NAMES_PER_CALL: usize = 100;

/// Pages per call: one holds all that was asked for. More are a service that does not end.
const MAX_PAGES: usize = 10;

/// How long an alarm's name may be: CloudWatch's limit.
const MAX_NAME_CHARS: usize = 255;

/// How much of an alarm's reason is passed on.
const MAX_REASON_CHARS: usize = 300;

impl AlarmProvider for CloudWatchAlarm {
    const ID: &'static str = "cloudwatch-alarm";
    const SUMMARY: &'static str = "the state of a CloudWatch alarm that exists";
    type Config = AlarmConfig;

    async fn read(
        &self,
        _cx: &CallContext,
        queries: Vec<AlarmQuery<AlarmConfig>>,
    ) -> Result<Vec<AlarmReading>, PluginError> {
        let mut readings = Vec::with_capacity(queries.len());
        let mut by_cloud: HashMap<CloudAccess, Vec<AlarmQuery<AlarmConfig>>> = HashMap::new();
        for query in queries {
            by_cloud.entry(query.cloud.clone()).or_default().push(query);
        }
        for (cloud, queries) in by_cloud {
            let settings = aws::sdk_config(&cloud, Service::CloudWatch).await;
            readings.extend(read_all(&Client::new(&settings), &queries).await?);
        }
        Ok(readings)
    }

    fn validate(&self, config: &AlarmConfig) -> Diagnostics {
        let mut found = Diagnostics::none();
        let chars = config.alarm.chars().count();
        if chars == 0 || chars > MAX_NAME_CHARS {
            found
                .error("alarm", "an alarm's name has 1 to 255 characters")
                .hint("write the name as `aws cloudwatch describe-alarms` prints it");
        }
        found
    }
}

/// What an alarm says, freed of the service's types.
#[derive(Debug, Clone)]
struct State {
    value: StateValue,
    reason: String,
    since: Option<DateTime>,
    /// Why CloudWatch itself doubts the value.
    doubt: Option<String>,
}

pub(crate) async fn read_all(
    client: &Client,
    queries: &[AlarmQuery<AlarmConfig>],
) -> Result<Vec<AlarmReading>, PluginError> {
    let names: BTreeSet<&str> = queries.iter().map(|query| query.config.alarm.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let mut states = HashMap::with_capacity(names.len());
    for names in names.chunks(NAMES_PER_CALL) {
        describe(client, names, &mut states).await?;
    }
    Ok(queries.iter().map(|query| reading(query, states.get(&query.config.alarm))).collect())
}

async fn describe(
    client: &Client,
    names: &[&str],
    states: &mut HashMap<String, State>,
) -> Result<(), PluginError> {
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let page = client
            .describe_alarms()
            .set_alarm_names(Some(names.iter().map(|name| (*name).to_owned()).collect()))
            // Without the types, composite alarms are silently left out.
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            // The default is 50: fewer than the names that a call takes.
            .max_records(100)
            .set_next_token(next.take())
            .send()
            .await
            .map_err(|error| aws::call_failed(Service::CloudWatch, "DescribeAlarms", &error))?;
        for alarm in page.metric_alarms() {
            let state = State {
                value: alarm.state_value().cloned().unwrap_or(StateValue::InsufficientData),
                reason: alarm.state_reason().unwrap_or_default().to_owned(),
                since: alarm
                    .state_transitioned_timestamp()
                    .or(alarm.state_updated_timestamp())
                    .copied(),
                doubt: alarm.evaluation_state().map(|state| state.as_str().to_owned()),
            };
            states.insert(alarm.alarm_name().unwrap_or_default().to_owned(), state);
        }
        for alarm in page.composite_alarms() {
            let state = State {
                value: alarm.state_value().cloned().unwrap_or(StateValue::InsufficientData),
                reason: alarm.state_reason().unwrap_or_default().to_owned(),
                since: alarm
                    .state_transitioned_timestamp()
                    .or(alarm.state_updated_timestamp())
                    .copied(),
                doubt: None,
            };
            states.insert(alarm.alarm_name().unwrap_or_default().to_owned(), state);
        }
        next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if next.is_none() {
            return Ok(());
        }
    }
    Err(PluginError::new(
        aws::GARBLED,
        format!("CloudWatch gave more than {MAX_PAGES} pages of alarms"),
    ))
}

fn reading(query: &AlarmQuery<AlarmConfig>, state: Option<&State>) -> AlarmReading {
    let name = &query.config.alarm;
    let Some(state) = state else {
        return AlarmReading {
            key: query.key.clone(),
            status: AlarmStatus::Missing,
            detail: format!("there is no alarm `{name}` in {}", query.cloud.region),
            link: None,
        };
    };
    let status = match (&state.value, &state.doubt) {
        // Doubted or not, an alarm in ALARM is no reason to go on.
        (StateValue::Alarm, _) => AlarmStatus::Firing,
        (StateValue::Ok, None) => AlarmStatus::Ok,
        _ => AlarmStatus::Unknown,
    };
    AlarmReading {
        key: query.key.clone(),
        status,
        detail: detail(state),
        link: link::to_alarm(&query.cloud, name),
    }
}

fn detail(state: &State) -> String {
    let mut detail = state.value.as_str().to_owned();
    if let Some(since) = state.since.and_then(|since| since.fmt(DateTimeFormat::DateTime).ok()) {
        detail = format!("{detail} since {since}");
    }
    if let Some(doubt) = &state.doubt {
        detail = format!("{detail}, {}", text::one_line(doubt, MAX_REASON_CHARS));
    }
    let reason = text::one_line(&state.reason, MAX_REASON_CHARS);
    if reason.is_empty() { detail } else { format!("{detail}: {reason}") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wavegate_plugin_sdk::DynAlarmProvider;

    use super::*;
    use crate::testing::{Replay, query};

    fn alarm_query(key: &str, alarm: &str) -> AlarmQuery<AlarmConfig> {
        query(key, AlarmConfig { alarm: alarm.into() })
    }

    fn metric_alarm(name: &str, state: &str) -> Value {
        json!({"AlarmName": name, "StateValue": state, "StateReason": "because\u{7}"})
    }

    #[tokio::test]
    async fn all_questions_are_one_call_and_each_state_has_its_meaning() {
        use AlarmStatus::{Firing, Missing, Ok, Unknown};

        let mut partial = metric_alarm("partial", "OK");
        partial["EvaluationState"] = json!("PARTIAL_DATA");
        let mut broken = metric_alarm("broken", "ALARM");
        broken["EvaluationState"] = json!("EVALUATION_ERROR");
        let mut warm = metric_alarm("warm", "OK");
        warm["EvaluationState"] = json!("IN_WARM_UP");
        let replay = Replay::new(&[json!({
            "MetricAlarms": [
                metric_alarm("quiet", "OK"), metric_alarm("red", "ALARM"),
                metric_alarm("new", "INSUFFICIENT_DATA"), partial, broken, warm,
                metric_alarm("odd", "SOMETHING_NEW"),
            ],
            "CompositeAlarms": [metric_alarm("both", "ALARM")],
        })]);
        let names =
            ["quiet", "red", "new", "partial", "broken", "warm", "odd", "both", "gone", "quiet"];
        let queries: Vec<_> =
            names.iter().map(|name| alarm_query(&format!("k-{name}"), name)).collect();
        let readings = read_all(&replay.client(), &queries).await.unwrap();
        let statuses: Vec<_> = readings.iter().map(|reading| reading.status).collect();
        assert_eq!(
            statuses,
            [Ok, Firing, Unknown, Unknown, Firing, Unknown, Unknown, Firing, Missing, Ok]
        );
        assert_eq!(readings[1].key, "k-red");
        assert_eq!(readings[1].detail, "ALARM: because");
        assert_eq!(readings[3].detail, "OK, PARTIAL_DATA: because");
        assert_eq!(readings[8].detail, "there is no alarm `gone` in eu-west-1");
        let asked = replay.asked();
        assert_eq!(asked.len(), 1);
        assert!(asked[0].path.ends_with("/operation/DescribeAlarms"), "{}", asked[0].path);
        assert_eq!(
            asked[0].body,
            json!({
                "AlarmNames": ["both", "broken", "gone", "new", "odd", "partial", "quiet", "red", "warm"],
                "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
                "MaxRecords": 100,
            })
        );
    }

    #[tokio::test]
    async fn more_names_than_a_call_takes_are_asked_in_turns_and_every_page_is_read() {
        let replay = Replay::new(&[
            json!({"MetricAlarms": [metric_alarm("a000", "OK")], "NextToken": "more"}),
            json!({"MetricAlarms": [metric_alarm("a001", "ALARM")]}),
            json!({"MetricAlarms": [metric_alarm("a100", "OK")]}),
        ]);
        let queries: Vec<_> =
            (0..101).map(|n| alarm_query(&format!("k{n}"), &format!("a{n:03}"))).collect();
        let readings = read_all(&replay.client(), &queries).await.unwrap();
        assert_eq!(readings[0].status, AlarmStatus::Ok);
        assert_eq!(readings[1].status, AlarmStatus::Firing);
        assert_eq!(readings[2].status, AlarmStatus::Missing);
        assert_eq!(readings[100].status, AlarmStatus::Ok);
        let asked = replay.asked();
        assert_eq!(asked.len(), 3);
        assert_eq!(asked[0].body["AlarmNames"].as_array().unwrap().len(), 100);
        assert_eq!(asked[1].body["NextToken"], json!("more"));
        assert_eq!(asked[2].body["AlarmNames"], json!(["a100"]));
    }

    #[tokio::test]
    async fn a_refusal_is_an_error_that_says_whether_to_ask_again() {
        for (status, code, retryable) in [
            (400, "AccessDenied", false),
            (400, "Throttling", true),
            (403, "ExpiredToken", true),
            (403, "RequestTimeTooSkewed", true),
            (503, "InternalFailure", true),
        ] {
            let replay = Replay::refusing(status, code, "no");
            let error = read_all(&replay.client(), &[alarm_query("k", "a")]).await.unwrap_err();
            assert_eq!(error.is_retryable(), retryable, "{error:?}");
            assert!(error.message().contains(code), "{error:?}");
            assert!(error.message().starts_with("CloudWatch refused DescribeAlarms"), "{error:?}");
        }
    }

    #[test]
    fn since_when_it_is_so_is_told() {
        let state = State {
            value: StateValue::Alarm,
            reason: "Threshold Crossed".into(),
            since: Some(DateTime::from_secs(1_700_000_000)),
            doubt: None,
        };
        assert_eq!(detail(&state), "ALARM since 2023-11-14T22:13:20Z: Threshold Crossed");
    }

    #[test]
    fn an_alarm_without_a_name_is_told_at_plan_time() {
        let provider: &dyn DynAlarmProvider = &CloudWatchAlarm;
        for config in [json!({}), json!({"alarm": ""}), json!({"alarm": "x".repeat(256)})] {
            assert_eq!(provider.validate(&config).unwrap()[0].path, "alarm", "{config}");
        }
        assert_eq!(provider.validate(&json!({"alarm": "checkout 5xx"})).unwrap(), []);
    }
}
