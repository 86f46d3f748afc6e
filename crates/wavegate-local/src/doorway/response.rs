//! A function's answer as HTTP: AWS's payload format 2.0.

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::failed;
use crate::wire::Answer;

const JSON: &str = "application/json";

/// The answer to the caller. A value without a status code is the body of a success.
pub(super) fn of(payload: &Bytes) -> Answer {
    let Ok(value) = serde_json::from_slice::<Value>(payload) else { return failed() };
    match value {
        Value::Object(members) if members.contains_key("statusCode") => {
            shaped(&members).unwrap_or_else(failed)
        }
        other => Answer::empty(200).with_body(JSON, text(&other)),
    }
}

/// An answer that says its status itself; none if it says something impossible.
fn shaped(members: &Map<String, Value>) -> Option<Answer> {
    let mut answer = head(members, JSON)?;
    let body = members.get("body").map(text).unwrap_or_default();
    answer.body = match members.get("isBase64Encoded") {
        Some(Value::Bool(true)) => STANDARD.decode(body).ok()?.into(),
        _ => body.into(),
    };
    Some(answer)
}

/// Status, headers and cookies.
pub(super) fn head(members: &Map<String, Value>, content_type: &str) -> Option<Answer> {
    let status = match members.get("statusCode") {
        None => 200,
        Some(Value::Number(status)) => u16::try_from(status.as_u64()?).ok()?,
        Some(Value::String(status)) => status.parse().ok()?,
        Some(_) => return None,
    };
    if !(100..=599).contains(&status) {
        return None;
    }
    let mut answer = Answer::empty(status);
    let mut is_typed = false;
    if let Some(Value::Object(headers)) = members.get("headers") {
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            // The server's own.
            if matches!(
                name.as_str(),
                "connection" | "content-length" | "date" | "transfer-encoding"
            ) {
                continue;
            }
            is_typed |= name == "content-type";
            answer = answer.with_header(&name, text(value));
        }
    }
    if let Some(Value::Array(cookies)) = members.get("cookies") {
        for cookie in cookies {
            answer = answer.with_header("set-cookie", text(cookie));
        }
    }
    Some(if is_typed { answer } else { answer.with_header("content-type", content_type) })
}

/// A text as it is, anything else as JSON, and nothing for null.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(payload: &'static str) -> (u16, String, Vec<(String, String)>) {
        let answer = of(&payload.into());
        let body = String::from_utf8(answer.body.to_vec()).unwrap();
        (answer.status, body, answer.headers)
    }

    #[test]
    fn plain_values_are_the_body_of_a_success() {
        for (payload, body) in [
            (r#"{"hello": "world"}"#, r#"{"hello":"world"}"#),
            (r#"["hello", 3, true]"#, r#"["hello",3,true]"#),
            (r#""hello""#, "hello"),
            ("3", "3"),
            ("3.1", "3.1"),
            ("true", "true"),
            ("null", ""),
        ] {
            let (status, told, headers) = answered(payload);
            assert_eq!((status, told.as_str()), (200, body));
            assert_eq!(headers, [("content-type".to_owned(), JSON.to_owned())]);
        }
    }

    #[test]
    fn an_answer_may_say_its_status_headers_and_cookies() {
        let (status, body, headers) = answered(
            r#"{"statusCode": "418", "headers": {"Content-Type": "text/x", "A": 1, "Date": "x"},
                "cookies": ["a=1", "b=2"], "body": "aGk=", "isBase64Encoded": true}"#,
        );
        assert_eq!((status, body.as_str()), (418, "hi"));
        let mut told: Vec<String> = headers.iter().map(|(k, v)| format!("{k}: {v}")).collect();
        told.sort();
        assert_eq!(told, ["a: 1", "content-type: text/x", "set-cookie: a=1", "set-cookie: b=2"]);
        let (status, body, _) = answered(r#"{"statusCode": 201, "body": {"a": 1}}"#);
        assert_eq!((status, body.as_str()), (201, r#"{"a":1}"#));
    }

    #[test]
    fn an_impossible_answer_is_the_functions_failure() {
        for payload in [
            "no json",
            r#"{"statusCode": "ok"}"#,
            r#"{"statusCode": 42}"#,
            r#"{"statusCode": 200, "body": "!", "isBase64Encoded": true}"#,
        ] {
            let (status, body, _) = answered(payload);
            assert_eq!((status, body.as_str()), (502, "Internal Server Error"), "{payload}");
        }
    }
}
