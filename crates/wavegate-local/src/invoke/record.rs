//! What a destination gets: the record of an asynchronous event's end, in AWS's form.

use axum::body::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

/// Why the waiting for an event is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Condition {
    /// It was handled.
    Success,
    /// It failed as often as it may.
    RetriesExhausted,
    /// The next attempt would come too late.
    EventAgeExceeded,
    /// Its function may not run at all.
    ZeroReservedConcurrency,
}

/// The end of an asynchronous event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    pub(super) condition: Condition,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// The last attempt's answer and version; none if it was never tried.
    pub(super) last: Option<Last>,
}

/// The last attempt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Last {
    pub(super) version: String,
    pub(super) failed: bool,
    pub(super) payload: Bytes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    version: &'static str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: Condition,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'static str>,
}

/// The record as JSON. `arn` names the function with its qualifier, `$LATEST` if there was none.
pub(super) fn of(end: &End, request_id: &str, arn: &str, event: &Bytes, now: i64) -> String {
    let record = Record {
        version: "1.0",
        timestamp: jiff::Timestamp::from_millisecond(now)
            .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
            .unwrap_or_default(),
        request_context: RequestContext {
            request_id,
            function_arn: arn,
            condition: end.condition,
            approximate_invoke_count: end.attempts,
        },
        request_payload: raw(event),
        response_context: end.last.as_ref().map(|last| ResponseContext {
            status_code: 200,
            executed_version: &last.version,
            function_error: last.failed.then_some("Unhandled"),
        }),
        response_payload: end.last.as_ref().map(|last| raw(&last.payload)),
    };
    // Texts and JSON always have a JSON form.
    serde_json::to_string(&record).unwrap_or_default()
}

/// JSON as it came; what is none becomes a text.
fn raw(bytes: &Bytes) -> Box<RawValue> {
    serde_json::from_slice(bytes).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(bytes);
        serde_json::value::to_raw_value(&text).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_awss_members_in_their_order() {
        let last = Last { version: "7".into(), failed: true, payload: "{\"b\":1,\"a\":2}".into() };
        let end = End { condition: Condition::RetriesExhausted, attempts: 3, last: Some(last) };
        assert_eq!(
            of(&end, "id", "arn:fn:live", &Bytes::from_static(b"{}"), 1_573_755_365_568),
            "{\"version\":\"1.0\",\"timestamp\":\"2019-11-14T18:16:05.568Z\",\"requestContext\":{\
             \"requestId\":\"id\",\"functionArn\":\"arn:fn:live\",\"condition\":\
             \"RetriesExhausted\",\"approximateInvokeCount\":3},\"requestPayload\":{},\
             \"responseContext\":{\"statusCode\":200,\"executedVersion\":\"7\",\"functionError\":\
             \"Unhandled\"},\"responsePayload\":{\"b\":1,\"a\":2}}"
        );
        let end = End { condition: Condition::ZeroReservedConcurrency, attempts: 0, last: None };
        let told = of(&end, "id", "arn", &Bytes::from_static(b"not json"), 0);
        assert!(told.ends_with("\"approximateInvokeCount\":0},\"requestPayload\":\"not json\"}"));
    }
}
