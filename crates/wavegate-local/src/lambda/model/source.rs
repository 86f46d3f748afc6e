//! Sources of events: what AWS lets a mapping of each say, and what it says of its own accord.

use serde_json::{Map, Value, json};

use crate::ids::Ids;
use crate::lambda::error::ApiError;

/// AWS: messages of a queue in one batch, unless they are waited for.
const QUEUE_BATCH_MAX: i64 = 10;

/// The kinds of sources, by how AWS treats them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// SQS.
    Queue,
    /// Kinesis and DynamoDB Streams.
    Stream,
    /// Amazon's Kafka.
    Kafka,
    /// Somebody's own Kafka.
    OwnKafka,
    /// Amazon MQ and DocumentDB.
    Other,
}

impl Source {
    /// The kind of source that a mapping names.
    pub(super) fn of(given: &Map<String, Value>) -> Result<Self, ApiError> {
        if given.contains_key("SelfManagedEventSource") {
            return Ok(Self::OwnKafka);
        }
        match arn(given).split(':').nth(2) {
            Some("sqs") => Ok(Self::Queue),
            Some("kinesis" | "dynamodb") => Ok(Self::Stream),
            Some("kafka") => Ok(Self::Kafka),
            Some("mq" | "rds") => Ok(Self::Other),
            _ => Err(ApiError::invalid("Unrecognized event source.")),
        }
    }

    /// Why AWS says a mapping is in its state.
    pub(super) fn reason(self) -> &'static str {
        if self == Self::Stream { "User action" } else { "USER_INITIATED" }
    }

    /// Checks what a new mapping says, as far as the source alone decides.
    pub(super) fn check_new(self, given: &Map<String, Value>) -> Result<(), ApiError> {
        if self == Self::Queue && given.contains_key("DestinationConfig") {
            return Err(ApiError::invalid(
                "Unsupported DestinationConfig parameter for given event source mapping type.",
            ));
        }
        if self == Self::OwnKafka && !given.contains_key("SourceAccessConfigurations") {
            return Err(ApiError::invalid(
                "Required 'sourceAccessConfigurations' parameter is missing.",
            ));
        }
        let position = given.get("StartingPosition").and_then(Value::as_str);
        match (self, position) {
            (Self::Stream, None) => Err(ApiError::invalid(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
                 constraint: Member must not be null.",
            )),
            (Self::Stream, Some("AT_TIMESTAMP")) if arn(given).contains(":dynamodb:") => {
                Err(ApiError::invalid(format!(
                    "Unsupported starting position for arn type: {}",
                    arn(given)
                )))
            }
            _ => self.check(given),
        }
    }

    /// Checks what a mapping says, with its defaults.
    pub(super) fn check(self, given: &Map<String, Value>) -> Result<(), ApiError> {
        let number = |key: &str| given.get(key).and_then(Value::as_i64);
        let window = number("MaximumBatchingWindowInSeconds").unwrap_or(0);
        let batch = number("BatchSize").unwrap_or(0);
        if self == Self::Queue && batch > QUEUE_BATCH_MAX && window == 0 {
            return Err(ApiError::invalid(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is \
                 greater than 10",
            ));
        }
        let filters =
            given.get("FilterCriteria").and_then(|criteria| criteria["Filters"].as_array());
        let are_patterns = filters.into_iter().flatten().all(|filter| {
            let text = filter["Pattern"].as_str().unwrap_or_default();
            serde_json::from_str::<Value>(text).is_ok_and(|pattern| is_pattern(&pattern))
        });
        if !are_patterns {
            return Err(ApiError::invalid("Invalid filter pattern definition."));
        }
        Ok(())
    }

    /// Adds what AWS assumes where a mapping says nothing, and leaves out what says nothing.
    pub(super) fn complete(self, ids: &mut dyn Ids, given: &mut Map<String, Value>) {
        given.retain(|_, value| !value.is_null());
        given.retain(|key, value| key != "FilterCriteria" || value["Filters"] != json!([]));
        let defaults = match self {
            Self::Queue => json!({
                "BatchSize": QUEUE_BATCH_MAX,
                "MaximumBatchingWindowInSeconds": 0,
                "FunctionResponseTypes": [],
            }),
            Self::Stream => json!({
                "BatchSize": 100,
                "BisectBatchOnFunctionError": false,
                "DestinationConfig": { "OnFailure": {} },
                "FunctionResponseTypes": [],
                "LastProcessingResult": "No records processed",
                "MaximumBatchingWindowInSeconds": 0,
                "MaximumRecordAgeInSeconds": -1,
                "MaximumRetryAttempts": -1,
                "ParallelizationFactor": 1,
                "TumblingWindowInSeconds": 0,
            }),
            Self::Kafka | Self::OwnKafka => json!({
                "BatchSize": 100,
                "StartingPosition": "TRIM_HORIZON",
                "LastProcessingResult": "No records processed",
            }),
            Self::Other => json!({ "BatchSize": 100 }),
        };
        for (key, value) in defaults.as_object().into_iter().flatten() {
            given.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let group = match self {
            Self::Kafka => "AmazonManagedKafkaEventSourceConfig",
            Self::OwnKafka => "SelfManagedKafkaEventSourceConfig",
            _ => return,
        };
        given.entry(group).or_insert_with(|| json!({ "ConsumerGroupId": ids.uuid() }));
    }

    /// Whether two mappings of one function take the same events.
    pub(super) fn is_same(self, given: &Map<String, Value>, other: &Map<String, Value>) -> bool {
        if self != Self::OwnKafka {
            return !arn(given).is_empty() && arn(given) == arn(other);
        }
        let servers = servers(other);
        given.get("Topics") == other.get("Topics")
            && self::servers(given).iter().any(|server| servers.contains(server))
    }

    /// AWS's refusal of a second mapping from a source to a function.
    pub(super) fn twin(
        self,
        given: &Map<String, Value>,
        (name, function_arn): (&str, &str),
        id: &str,
    ) -> ApiError {
        let source = arn(given);
        let what = match self {
            Self::Stream => format!(
                "The event source arn (\" {source} \") and function (\" {name} \") provided mapping"
            ),
            Self::OwnKafka => format!(
                "An event source mapping with event source (\"{}\"), function \
                 (\"{function_arn}\"), topics (\"{}\")",
                servers(given).join(","),
                texts(given.get("Topics")).join(",")
            ),
            _ => format!(
                "An event source mapping with SQS arn (\" {source} \") and function (\" {name} \")"
            ),
        };
        ApiError::conflict(format!(
            "{what} already exists. Please update or delete the existing mapping with UUID {id}"
        ))
    }
}

/// The ARN of a mapping's source; empty for sources that have none.
pub(super) fn arn(given: &Map<String, Value>) -> &str {
    given.get("EventSourceArn").and_then(Value::as_str).unwrap_or_default()
}

fn servers(given: &Map<String, Value>) -> Vec<&str> {
    let endpoints = given.get("SelfManagedEventSource").map(|source| &source["Endpoints"]);
    texts(endpoints.map(|endpoints| &endpoints["KAFKA_BOOTSTRAP_SERVERS"]))
}

fn texts(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether every path of a pattern ends in a list of something.
fn is_pattern(pattern: &Value) -> bool {
    let Value::Object(fields) = pattern else { return false };
    fields.values().all(|field| match field {
        Value::Array(list) => !list.is_empty(),
        field => is_pattern(field),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_ends_in_lists() {
        for (text, is_fine) in [
            (r#"{"body":{"kind":["a","b"]}}"#, true),
            (r#"{"body":{"n":[{"numeric":[">",1]}]}}"#, true),
            (r#"{"eventSource":"aws:sqs"}"#, false),
            (r#"{"eventSource":[]}"#, false),
            (r#""text""#, false),
            ("null", false),
        ] {
            let pattern = serde_json::from_str(text).unwrap();
            assert_eq!(is_pattern(&pattern), is_fine, "{text}");
        }
    }
}
