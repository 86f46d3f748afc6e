//! Links that are signed: what they say in the query string for headers, and until when they may be used.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::wire::time::{iso, seconds};
use crate::wire::{Fault, Request};

/// AWS: seconds that a link may be used.
const LONGEST: i64 = 604_800;
/// What a link of the fourth version of signatures has; all of it or none.
const FOURTH: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
];
/// What one of the second version has.
const SECOND: [&str; 3] = ["Signature", "Expires", "AWSAccessKeyId"];

/// Headers that a link can say besides those of AWS's own.
const CONDITIONS: [&str; 4] =
    ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];

fn is_link(request: &Request) -> bool {
    ["X-Amz-Signature", "Signature"].iter().any(|name| request.query_param(name).is_some())
}

/// Makes headers of what a link says for them in its query string.
pub(super) fn into_headers(request: &mut Request) {
    if !is_link(request) {
        return;
    }
    let pairs = form_urlencoded::parse(request.query.as_bytes()).into_owned();
    for (name, value) in pairs.collect::<Vec<_>>() {
        let is_of_signature = FOURTH.iter().any(|it| it.eq_ignore_ascii_case(&name));
        let name = name.to_ascii_lowercase();
        let is_header = name.starts_with("x-amz-") || CONDITIONS.contains(&name.as_str());
        if is_header && !is_of_signature && request.header(&name).is_none() {
            request.headers.push((name, value));
        }
    }
}

/// Refuses a link that is not whole, or that may no longer be used. Clients sign by real time.
pub(super) fn check(request: &Request) -> Result<(), Fault> {
    if request.header("authorization").is_some() {
        return Ok(());
    }
    let now_ms = jiff::Timestamp::now().as_millisecond();
    if FOURTH.iter().any(|name| request.query_param(name).is_some()) {
        check_fourth(request, now_ms)
    } else if SECOND[..2].iter().any(|name| request.query_param(name).is_some()) {
        check_second(request, now_ms)
    } else {
        Ok(())
    }
}

fn check_fourth(request: &Request, now_ms: i64) -> Result<(), Fault> {
    let refuse =
        |message: &str| Err(Fault::front(400, "AuthorizationQueryParametersError", message));
    let value = |name: &str| request.query_param(name).unwrap_or_default();
    if FOURTH.iter().any(|name| request.query_param(name).is_none()) {
        return refuse(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
             X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        );
    }
    if value("X-Amz-Credential").split('/').count() < 5 {
        return refuse(
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \
             \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        );
    }
    let Some(signed_ms) = moment(&value("X-Amz-Date")) else {
        return refuse("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    };
    let Some(expires) = value("X-Amz-Expires").parse::<i64>().ok().filter(|it| *it >= 0) else {
        return refuse("X-Amz-Expires should be a number");
    };
    if expires > LONGEST {
        return refuse(
            "X-Amz-Expires must be less than a week (in seconds) that is, the given X-Amz-Expires must be \
             less than 604800 seconds",
        );
    }
    let end_ms = signed_ms + expires * 1000;
    if end_ms >= now_ms {
        return Ok(());
    }
    Err(expired(end_ms, now_ms).with("X-Amz-Expires", expires.to_string()))
}

fn check_second(request: &Request, now_ms: i64) -> Result<(), Fault> {
    if SECOND.iter().any(|name| request.query_param(name).is_none()) {
        let message = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
        return Err(Fault::front(403, "AccessDenied", message));
    }
    let expires = request.query_param("Expires").unwrap_or_default();
    let Ok(end) = expires.parse::<i64>() else {
        let message = format!("Invalid date (should be seconds since epoch): {expires}");
        return Err(Fault::front(403, "AccessDenied", message));
    };
    let end_ms = end.saturating_mul(1000);
    if end_ms >= now_ms { Ok(()) } else { Err(expired(end_ms, now_ms)) }
}

fn expired(end_ms: i64, now_ms: i64) -> Fault {
    Fault::front(403, "AccessDenied", "Request has expired")
        .with("Expires", iso(seconds(end_ms)))
        .with("ServerTime", iso(seconds(now_ms / 1000 * 1000)))
}

fn moment(text: &str) -> Option<i64> {
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    fn link(query: &str) -> Request {
        Request {
            method: "GET".to_owned(),
            path: "/box/k".to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    #[test]
    fn a_link_can_be_used_until_it_expires() {
        let fourth = |date: &str, expires: &str| {
            let query = format!(
                "X-Amz-Algorithm=A&X-Amz-Credential=k%2Fd%2Fr%2Fs3%2Faws4_request&X-Amz-Signature=s\
                 &X-Amz-Date={date}&X-Amz-SignedHeaders=host&X-Amz-Expires={expires}"
            );
            check_fourth(&link(&query), 1_700_000_000_000).map_err(|fault| fault.code)
        };
        // 1 700 000 000 is 2023-11-14T22:13:20Z.
        assert_eq!(fourth("20231114T221220Z", "60"), Ok(()));
        let refused = |code: &str| Err(code.to_owned());
        assert_eq!(fourth("20231114T221219Z", "60"), refused("AccessDenied"));
        let wrong = refused("AuthorizationQueryParametersError");
        assert_eq!(fourth("20231114T221220Z", "604801"), wrong);
        assert_eq!(fourth("yesterday", "60"), wrong);
        let second = |expires: &str| {
            let query = format!("Signature=s&AWSAccessKeyId=k&Expires={expires}");
            check_second(&link(&query), 1_700_000_000_000).is_ok()
        };
        assert_eq!((second("1700000000"), second("1699999999")), (true, false));
        assert!(check(&link("X-Amz-Date=x")).is_err() && check(&link("Signature=x")).is_err());
        assert!(check(&link("list-type=2")).is_ok());
    }

    #[test]
    fn what_a_link_says_for_a_header_counts_as_one() {
        let mut request = link("Signature=s&x-amz-meta-who=me&X-Amz-Acl=private&prefix=x");
        into_headers(&mut request);
        assert_eq!(request.header("x-amz-meta-who"), Some("me"));
        assert_eq!((request.header("x-amz-acl"), request.headers.len()), (Some("private"), 2));
        let mut unsigned = link("x-amz-meta-who=me");
        into_headers(&mut unsigned);
        assert_eq!(unsigned.headers, []);
    }
}
