//! Points in time on the wire. In the tree they are seconds since the epoch, as a number.

/// Seconds from milliseconds, exact to the millisecond for any time people live in.
#[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are 285 000 years")]
pub(crate) fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// Milliseconds from seconds; none for what is no time.
pub(crate) fn millis(seconds: f64) -> Option<i64> {
    let millis = (seconds * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (millis.abs() < 9.0e15).then_some(millis as i64)
}

/// ISO 8601 in UTC; milliseconds only when there are some.
pub(crate) fn iso(seconds: f64) -> String {
    let Some(millis) = millis(seconds) else { return String::new() };
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) if millis % 1000 == 0 => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Err(_) => String::new(),
    }
}

/// ISO 8601 in UTC, always with milliseconds.
pub(crate) fn iso_millis(seconds: f64) -> String {
    let time = millis(seconds).and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).unwrap_or_default()
}

/// The form of HTTP's headers, which has no milliseconds.
pub(crate) fn http(seconds: f64) -> String {
    let time = millis(seconds).and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    time.map(|time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).unwrap_or_default()
}

/// Reads ISO 8601 with any offset (none means UTC), the form of HTTP's headers, or seconds since the
/// epoch; gives seconds.
pub(crate) fn parse(text: &str) -> Option<f64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(seconds(time.as_millisecond()));
    }
    if let Ok(civil) = text.parse::<jiff::civil::DateTime>() {
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        return Some(seconds(zoned.timestamp().as_millisecond()));
    }
    if let Ok(time) = jiff::fmt::rfc2822::parse(text) {
        return Some(seconds(time.timestamp().as_millisecond()));
    }
    text.parse::<f64>().ok().filter(|seconds| millis(*seconds).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for millis in [0, 1_700_000_000_000, 1_700_000_000_123, -1] {
            assert_eq!(super::millis(parse(&iso(seconds(millis))).unwrap()), Some(millis));
        }
        assert_eq!(http(1_700_000_000.0), "Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(parse(&http(1_700_000_000.0)), Some(1_700_000_000.0));
        assert_eq!(parse("2023-11-15T00:13:20+02:00"), Some(1_700_000_000.0));
        assert_eq!(parse("2023-11-14T22:13:20"), Some(1_700_000_000.0));
        assert_eq!(parse("1700000000.5"), Some(1_700_000_000.5));
        assert_eq!((parse("soon"), parse("1e300")), (None, None));
    }
}
