//! Conditions: what must hold of an object so that it is read, copied or overwritten.

use serde_json::Value;

use super::Call;
use super::refusal::Refusal;
use super::rows::Version;
use super::versions::no_key;
use crate::wire::Fault;

/// What the conditions of a read say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They hold.
    Holds,
    /// The client has it already; by this condition.
    Known(&'static str),
    /// This one does not hold.
    Fails(&'static str),
}

/// The four conditions of a read.
#[derive(Debug, Default, Clone, Copy)]
struct Conditions<'a> {
    is_tag: Option<&'a str>,
    is_no_tag: Option<&'a str>,
    changed_since: Option<f64>,
    unchanged_since: Option<f64>,
}

impl Conditions<'_> {
    /// AWS: a condition on the tag makes that on the time meaningless, and a time to come says nothing.
    fn judge(&self, etag: &str, modified_ms: i64, now_ms: i64) -> Verdict {
        let modified = second(modified_ms);
        match (self.is_tag, self.unchanged_since) {
            (Some(tag), _) if !matches(tag, etag) => return Verdict::Fails("If-Match"),
            (None, Some(since)) if modified > since => {
                return Verdict::Fails("If-Unmodified-Since");
            }
            _ => {}
        }
        match (self.is_no_tag, self.changed_since) {
            (Some(tag), _) if matches(tag, etag) => Verdict::Known("If-None-Match"),
            (None, Some(since)) if modified <= since && since <= second(now_ms) => {
                Verdict::Known("If-Modified-Since")
            }
            _ => Verdict::Holds,
        }
    }
}

/// Headers have no milliseconds.
fn second(millis: i64) -> f64 {
    crate::wire::time::seconds(millis).floor()
}

/// Whether a list of tags has one, with quotes or without.
fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(|tag| tag.trim().trim_matches('"')).any(|tag| tag == etag || tag == "*")
}

/// Judges the conditions of a read.
pub(super) fn of_read(call: &Call<'_>, version: &Version) -> Result<Verdict, Refusal> {
    let conditions = Conditions {
        is_tag: call.text("IfMatch"),
        is_no_tag: call.text("IfNoneMatch"),
        changed_since: time(call, "IfModifiedSince"),
        unchanged_since: time(call, "IfUnmodifiedSince"),
    };
    match conditions.judge(&version.etag, version.modified_ms, call.now_ms) {
        Verdict::Fails(condition) => Err(failed(condition).into()),
        verdict => Ok(verdict),
    }
}

/// Refuses a copy whose source is not as it must be.
pub(super) fn check_source(call: &Call<'_>, version: &Version) -> Result<(), Refusal> {
    let conditions = Conditions {
        is_tag: call.text("CopySourceIfMatch"),
        is_no_tag: call.text("CopySourceIfNoneMatch"),
        changed_since: time(call, "CopySourceIfModifiedSince"),
        unchanged_since: time(call, "CopySourceIfUnmodifiedSince"),
    };
    match conditions.judge(&version.etag, version.modified_ms, call.now_ms) {
        Verdict::Holds => Ok(()),
        Verdict::Known(condition) | Verdict::Fails(condition) => {
            Err(failed(&format!("x-amz-copy-source-{condition}")).into())
        }
    }
}

/// Refuses the conditions of a write that AWS does not know.
pub(super) fn check_write(call: &Call<'_>) -> Result<(), Refusal> {
    let unknown = |header: &str, why: &str| {
        let message = "A header you provided implies functionality that is not implemented";
        let fault = Fault::front(501, "NotImplemented", message).with("Header", header);
        Err(fault.with("additionalMessage", why).into())
    };
    let value = |header: &str| {
        format!("We don't accept the provided value of {header} header for this API")
    };
    match (call.text("IfMatch"), call.text("IfNoneMatch")) {
        (Some(_), Some(_)) => {
            let why = "Multiple conditional request headers present in the request";
            unknown("If-Match,If-None-Match", why)
        }
        (Some("*"), None) => unknown("If-Match", &value("If-Match")),
        (None, Some(tag)) if tag != "*" => unknown("If-None-Match", &value("If-None-Match")),
        _ => Ok(()),
    }
}

/// Judges the conditions of a write.
pub(super) fn of_write(call: &Call<'_>, current: Option<&Version>) -> Result<(), Refusal> {
    let current = current.filter(|version| !version.is_marker());
    if call.text("IfNoneMatch").is_some() && current.is_some() {
        return Err(failed("If-None-Match").into());
    }
    if let Some(tag) = call.text("IfMatch") {
        let current = current.ok_or_else(|| no_key(call.key()))?;
        if !matches(tag, &current.etag) {
            return Err(failed("If-Match").into());
        }
    }
    Ok(())
}

/// The name of the condition that a write has, if it has one.
pub(super) fn of_write_name(call: &Call<'_>) -> Option<&'static str> {
    let matches = call.text("IfMatch").map(|_| "If-Match");
    matches.or_else(|| call.text("IfNoneMatch").map(|_| "If-None-Match"))
}

fn failed(condition: &str) -> Fault {
    let message = "At least one of the pre-conditions you specified did not hold";
    Fault::front(412, "PreconditionFailed", message).with("Condition", condition)
}

fn time(call: &Call<'_>, name: &str) -> Option<f64> {
    call.input.get(name).and_then(Value::as_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_stronger_than_a_time_and_a_time_to_come_says_nothing() {
        let judge = |conditions: Conditions<'_>| conditions.judge("tag", 5_900, 9_000);
        let none = Conditions::default();
        assert_eq!(judge(none), Verdict::Holds);
        let old = Conditions { unchanged_since: Some(4.0), ..none };
        assert_eq!(judge(old), Verdict::Fails("If-Unmodified-Since"));
        assert_eq!(judge(Conditions { is_tag: Some("\"tag\""), ..old }), Verdict::Holds);
        assert_eq!(judge(Conditions { is_tag: Some("x, y"), ..none }), Verdict::Fails("If-Match"));
        let known = Conditions { changed_since: Some(5.0), ..none };
        assert_eq!(judge(known), Verdict::Known("If-Modified-Since"));
        assert_eq!(judge(Conditions { is_no_tag: Some("x"), ..known }), Verdict::Holds);
        let by_tag = Conditions { is_no_tag: Some("tag"), ..none };
        assert_eq!(judge(by_tag), Verdict::Known("If-None-Match"));
        assert_eq!(judge(Conditions { changed_since: Some(10.0), ..none }), Verdict::Holds);
        assert_eq!(judge(Conditions { unchanged_since: Some(5.0), ..none }), Verdict::Holds);
    }
}
