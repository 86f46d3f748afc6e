//! The event of a request to a function URL: AWS's payload format 2.0.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Doorway;
use crate::wire::{Request, decode};

/// Who calls, and how.
pub(super) struct Caller<'a> {
    pub(super) door: &'a Doorway,
    pub(super) request_id: &'a str,
    pub(super) account: &'a str,
    /// The URL asks for a signature, and there was one.
    pub(super) is_signed: bool,
    pub(super) user: &'a str,
    pub(super) now_ms: i64,
}

/// The event.
pub(super) fn of(request: &Request, caller: &Caller<'_>) -> Value {
    let (headers, cookies) = headers(request, caller);
    let path = single_slashes(&caller.door.path);
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": context(request, caller, &path),
        "isBase64Encoded": false,
    });
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    let parameters = parameters(&request.query);
    if !parameters.is_empty() {
        event["queryStringParameters"] = json!(parameters);
    }
    if !request.body.is_empty() {
        let text = std::str::from_utf8(&request.body).ok();
        let is_text = is_text(request.header("content-type").unwrap_or_default());
        if let Some(text) = text.filter(|_| is_text) {
            event["body"] = json!(text);
        } else {
            event["body"] = json!(STANDARD.encode(&request.body));
            event["isBase64Encoded"] = json!(true);
        }
    }
    event
}

fn context(request: &Request, caller: &Caller<'_>, path: &str) -> Value {
    let at = jiff::Timestamp::from_millisecond(caller.now_ms)
        .map(|at| at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string())
        .unwrap_or_default();
    let mut context = json!({
        "accountId": if caller.is_signed { caller.account } else { "anonymous" },
        "apiId": caller.door.id,
        "domainName": request.header("host").unwrap_or_default(),
        "domainPrefix": caller.door.id,
        "http": {
            "method": request.method,
            "path": decode(path),
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": request.header("user-agent").unwrap_or_default(),
        },
        "requestId": caller.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": at,
        "timeEpoch": caller.now_ms,
    });
    if caller.is_signed {
        let key = request.signing_key().unwrap_or_default();
        context["authorizer"] = json!({ "iam": {
            "accessKey": key,
            "accountId": caller.account,
            "callerId": key,
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": caller.user,
            "userId": key,
        }});
    }
    context
}

/// The headers with those that AWS adds, and the cookies, which are not among them.
fn headers(request: &Request, caller: &Caller<'_>) -> (BTreeMap<String, String>, Vec<String>) {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in &request.headers {
        match name.as_str() {
            "cookie" => cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned())),
            // They are between the client and the server.
            "connection" | "transfer-encoding" | "keep-alive" => {}
            _ => {
                headers
                    .entry(name.clone())
                    .and_modify(|all| {
                        all.push(',');
                        all.push_str(value);
                    })
                    .or_insert_with(|| value.clone());
            }
        }
    }
    let root: String = caller.request_id.chars().filter(char::is_ascii_hexdigit).take(24).collect();
    let trace = format!("Root=1-{:08x}-{root}", caller.now_ms / 1000);
    // AWS has no function URL without TLS; code that insists on it works here, too.
    for (name, value) in [
        ("x-amzn-tls-cipher-suite", "TLS_AES_128_GCM_SHA256"),
        ("x-amzn-tls-version", "TLSv1.3"),
        ("x-amzn-trace-id", trace.as_str()),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
    ] {
        headers.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    (headers, cookies)
}

/// The parameters; what comes several times is joined with commas.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name.into_owned())
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    parameters
}

/// AWS: several slashes are one.
fn single_slashes(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    single
}

/// Whether a body of this type is passed on as a text, and not as Base64.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            kind.as_str(),
            "application/json" | "application/javascript" | "application/xml"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(query: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Value {
        let request = Request {
            method: "POST".into(),
            path: String::new(),
            query: query.into(),
            headers: headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            body: body.into(),
        };
        let caller = Caller {
            door: &Doorway::of("h", "/_wavegate/url/abc//a%20b//c").unwrap(),
            request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            account: "000000000000",
            is_signed: false,
            user: "u",
            now_ms: 1_583_348_638_390,
        };
        of(&request, &caller)
    }

    #[test]
    fn an_event_has_what_format_2_says() {
        let headers = [
            ("host", "h:1"),
            ("cookie", "a=1; b=2"),
            ("x", "1"),
            ("x", "2"),
            ("connection", "close"),
        ];
        let event = event("q=1&m=foo&m=%2Fbar", &headers, b"");
        assert_eq!(event["rawPath"], "/a%20b/c");
        assert_eq!(event["requestContext"]["http"]["path"], "/a b/c");
        assert_eq!(event["requestContext"]["time"], "04/Mar/2020:19:03:58 +0000");
        assert_eq!(event["requestContext"]["accountId"], "anonymous");
        assert_eq!(event["queryStringParameters"], json!({"q": "1", "m": "foo,/bar"}));
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["headers"]["x"], "1,2");
        assert!(
            event["headers"].get("cookie").is_none()
                && event["headers"].get("connection").is_none()
        );
        assert!(event.get("body").is_none());
    }

    #[test]
    fn only_texts_are_passed_on_as_such() {
        for (kind, is_base64) in [
            ("text/plain; charset=utf-8", false),
            ("application/json", false),
            ("application/problem+json", false),
            ("application/x-www-form-urlencoded", true),
            ("multipart/form-data; boundary=b", true),
            ("", true),
        ] {
            let event = event("", &[("content-type", kind)], b"hi");
            assert_eq!(event["isBase64Encoded"], is_base64, "{kind}");
            assert_eq!(event["body"], if is_base64 { "aGk=" } else { "hi" });
        }
        assert_eq!(event("", &[("content-type", "text/plain")], b"\xff")["isBase64Encoded"], true);
    }
}
