//! What a request asks for: the operation's name, its object, and which one it is.

use hyper::Method;
use hyper::header::HeaderMap;

/// Before the functions in every path of Lambda's control plane.
const FUNCTIONS: &str = "/2015-03-31/functions";

/// One call to the cloud, as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which call of all that were counted, from 1.
    pub index: usize,
    /// The AWS operation: `UpdateAlias`.
    pub operation: String,
    /// What it is about: `auth`, `auth:live`, or nothing.
    pub object: String,
    /// Which call of this operation on this object, from 1.
    pub nth: usize,
    /// Virtual time of its arrival.
    pub at_ms: i64,
    /// When it was signed, by the wall clock of who signed it: `20261126T020000Z`.
    pub signed_at: String,
}

impl Call {
    /// The call's name, the same in every run of the same release: `UpdateAlias auth:live #2`.
    pub fn name(&self) -> String {
        format!("{} {} #{}", self.operation, self.object, self.nth)
    }

    /// Whether it changes anything.
    pub fn is_write(&self) -> bool {
        const READS: [&str; 4] = ["Get", "List", "Describe", "Invoke"];
        !READS.iter().any(|read| self.operation.starts_with(read))
    }

    /// Whether it is about alarms and metrics.
    pub fn is_cloudwatch(&self) -> bool {
        ["DescribeAlarms", "GetMetricData", "GetMetricStatistics", "DescribeAlarmHistory"]
            .contains(&self.operation.as_str())
    }
}

/// Operation and object of a request; `None` for the local cloud's own pages.
pub(super) fn what(
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<(String, String)> {
    if path.starts_with("/_wavegate") {
        return None;
    }
    if let Some(rest) = path.strip_prefix(FUNCTIONS) {
        return Some(lambda(method, rest, query, body));
    }
    if let Some((_, operation)) = path.split_once("/operation/") {
        return Some((operation.to_owned(), String::new()));
    }
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if let Some((_, operation)) = target.and_then(|target| target.rsplit_once('.')) {
        return Some((operation.to_owned(), String::new()));
    }
    let form = String::from_utf8_lossy(body);
    let action = form.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let operation = action.map_or_else(|| format!("{method} {path}"), str::to_owned);
    Some((operation, String::new()))
}

fn lambda(method: &Method, rest: &str, query: Option<&str>, body: &[u8]) -> (String, String) {
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    // A hook names its function by ARN.
    let function = parts.first().map(|name| name.rsplit("%3A").next().unwrap_or(name));
    let function = function.unwrap_or_default().to_owned();
    let qualified = |by: &str| format!("{function}:{by}");
    let in_body = |key: &str| {
        let value: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        value.and_then(|value| Some(value.get(key)?.as_str()?.to_owned())).unwrap_or_default()
    };
    let version = query
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("Qualifier=")))
        .map_or_else(|| function.clone(), qualified);
    let (operation, object) = match (method.as_str(), parts.get(1).copied(), parts.get(2)) {
        ("POST", None, _) => ("CreateFunction", in_body("FunctionName")),
        ("GET", None, _) if function.is_empty() => ("ListFunctions", function),
        ("GET", None, _) => ("GetFunction", version),
        ("DELETE", None, _) => ("DeleteFunction", version),
        ("PUT", Some("code"), _) => ("UpdateFunctionCode", function),
        ("PUT", Some("configuration"), _) => ("UpdateFunctionConfiguration", function),
        ("GET", Some("configuration"), _) => ("GetFunctionConfiguration", version),
        ("POST", Some("versions"), _) => ("PublishVersion", function),
        ("GET", Some("versions"), _) => ("ListVersionsByFunction", function),
        ("POST", Some("aliases"), _) => ("CreateAlias", qualified(&in_body("Name"))),
        ("GET", Some("aliases"), None) => ("ListAliases", function),
        ("GET", Some("aliases"), Some(alias)) => ("GetAlias", qualified(alias)),
        ("PUT", Some("aliases"), Some(alias)) => ("UpdateAlias", qualified(alias)),
        ("DELETE", Some("aliases"), Some(alias)) => ("DeleteAlias", qualified(alias)),
        ("POST", Some("invocations"), _) => ("Invoke", version),
        (method, _, _) => return (format!("{method} {rest}"), String::new()),
    };
    (operation.to_owned(), object)
}
