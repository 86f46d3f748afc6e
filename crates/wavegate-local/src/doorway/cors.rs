//! Cross-origin settings of a function URL, applied as AWS applies them: before the function, and over
//! what it says itself.

use serde_json::Value;

use crate::wire::{Answer, Request};

/// The answer to a browser that asks ahead; none for everything that the function answers.
pub(super) fn preflight(cors: Option<&Value>, request: &Request) -> Option<Answer> {
    let cors = cors.filter(|cors| cors.is_object())?;
    let asked = request.header("access-control-request-method")?;
    let origin = request.header("origin").filter(|_| request.method == "OPTIONS")?;
    let answer = Answer::empty(200);
    let Some(allowed) = allowed_origin(cors, origin) else { return Some(answer) };
    let mut answer =
        answer.with_header("access-control-allow-origin", allowed).with_header("vary", "Origin");
    let methods = list(cors, "AllowMethods");
    if methods.iter().any(|method| method == "*" || method.eq_ignore_ascii_case(asked)) {
        answer = answer.with_header("access-control-allow-methods", methods.join(","));
    }
    let headers = list(cors, "AllowHeaders");
    if !headers.is_empty() {
        answer = answer.with_header("access-control-allow-headers", headers.join(","));
    }
    if let Some(age) = cors["MaxAge"].as_i64() {
        answer = answer.with_header("access-control-max-age", age.to_string());
    }
    Some(with_credentials(answer, cors))
}

/// Adds what the settings say to an answer.
pub(super) fn allow(mut answer: Answer, cors: Option<&Value>, origin: Option<&str>) -> Answer {
    let (Some(cors), Some(origin)) = (cors.filter(|cors| cors.is_object()), origin) else {
        return answer;
    };
    answer.headers.retain(|(name, _)| !name.starts_with("access-control-"));
    let Some(allowed) = allowed_origin(cors, origin) else { return answer };
    answer =
        answer.with_header("access-control-allow-origin", allowed).with_header("vary", "Origin");
    let exposed = list(cors, "ExposeHeaders");
    if !exposed.is_empty() {
        answer = answer.with_header("access-control-expose-headers", exposed.join(","));
    }
    with_credentials(answer, cors)
}

fn with_credentials(answer: Answer, cors: &Value) -> Answer {
    if cors["AllowCredentials"] == true {
        answer.with_header("access-control-allow-credentials", "true")
    } else {
        answer
    }
}

/// What is said of an origin that may see answers.
fn allowed_origin(cors: &Value, origin: &str) -> Option<String> {
    let origins = list(cors, "AllowOrigins");
    let is_allowed = origins.iter().any(|allowed| allowed == "*" || allowed == origin);
    is_allowed.then(|| origin.to_owned())
}

fn list(cors: &Value, name: &str) -> Vec<String> {
    let items = cors[name].as_array().into_iter().flatten();
    items.filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        Request {
            method: method.into(),
            path: "/".into(),
            query: String::new(),
            headers: headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            body: Vec::new().into(),
        }
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_browser_that_asks_ahead_is_answered_by_the_settings() {
        let cors = json!({"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET", "POST"],
            "AllowHeaders": ["x-a"], "MaxAge": 60, "AllowCredentials": true});
        let asks = |origin| {
            request("OPTIONS", &[("origin", origin), ("access-control-request-method", "POST")])
        };
        let answer = preflight(Some(&cors), &asks("https://a.example")).unwrap();
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("https://a.example"));
        assert_eq!(header(&answer, "access-control-allow-methods"), Some("GET,POST"));
        assert_eq!(header(&answer, "access-control-max-age"), Some("60"));
        assert_eq!(header(&answer, "access-control-allow-credentials"), Some("true"));
        let answer = preflight(Some(&cors), &asks("https://b.example")).unwrap();
        assert_eq!(header(&answer, "access-control-allow-origin"), None);
        assert!(preflight(None, &asks("https://a.example")).is_none(), "the function's own");
        assert!(preflight(Some(&cors), &request("OPTIONS", &[])).is_none());
    }

    #[test]
    fn the_settings_win_over_what_the_function_says() {
        let cors = json!({"AllowOrigins": ["*"], "ExposeHeaders": ["x-b"]});
        let own = || Answer::empty(200).with_header("access-control-allow-origin", "https://own");
        let answer = allow(own(), Some(&cors), Some("https://a.example"));
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("https://a.example"));
        assert_eq!(header(&answer, "access-control-expose-headers"), Some("x-b"));
        let answer = allow(own(), None, Some("https://a.example"));
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("https://own"));
    }
}
